# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy engine where things go wrong: survived or reported, and never a wrong image."""

from __future__ import annotations

import re
import threading
import time

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import (
    COPIED,
    FAILED,
    NOT_ATTEMPTED,
    UNCHANGED,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries_conf import (
    Endpoint,
    RegistriesConf,
    Rule,
)
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault, User
from ansible_collections.quayside.airgap.tests.support.images import (
    artifact,
    image,
    index,
    layer,
    multi_arch,
    sha256,
    simple_image,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import (
    blob_reads,
    blob_writes,
    copied,
    has,
    manifest_writes,
    mounts,
    request,
    run,
    states,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOT, BOTS, QUICK

APP = simple_image("app", layers=3)
MANY = multi_arch("many", layers=1)
SHARED = [layer(f"shared/{number}", 3000) for number in range(3)]
BIG = image([layer("big", 3 << 20)])


def family(number):
    """Image `number` of several that share most of their layers."""
    return image([*SHARED, layer(f"own/{number}", 2000)])


@pytest.fixture
def source(start):
    return start()


@pytest.fixture
def destination(start):
    return start()


# --- what passes


@pytest.mark.parametrize(
    "fault",
    [
        Fault("GET", "/manifests/", "reset"),
        Fault("GET", "/manifests/", "truncate"),
        Fault("GET", "/manifests/", "status", status=429, retry_after=0),
        Fault("GET", "/manifests/", "status", status=502, times=3),
        Fault("GET", "/manifests/", "drop_connection"),
        Fault("GET", "/blobs/", "reset", after_bytes=100, times=2),
        Fault("GET", "/blobs/", "reset", times=2),
        Fault("GET", "/blobs/", "truncate", times=2),
        Fault("GET", "/blobs/", "stall", after_bytes=100),
        Fault("GET", "/blobs/", "stall"),
        Fault("GET", "/blobs/", "slow", delay=0.01, times=None),
        Fault("GET", "/blobs/", "status", status=503, times=3),
        Fault("GET", "/blobs/", "wrong_digest", times=2),
        Fault("GET", "^/v2/$", "status", status=503, times=2),
        Fault("GET", "^/v2/$", "drop_connection"),
    ],
    ids=lambda fault: f"{fault.kind} {fault.path} x{fault.times}",
)
def test_a_passing_fault_of_the_source_is_survived(source, destination, fault):
    source.load("app", "v1", APP)
    source.load("many", "v1", MANY)
    source.faults.append(fault)
    requests = [request((source, f"{name}:v1"), (destination, f"{name}:v1")) for name in ("app", "many")]
    assert copied(run(*requests, wire={"read_timeout": 0.3}))
    assert has(destination, "app", APP)
    assert has(destination, "many", MANY)
    assert source.faults.fired


@pytest.mark.parametrize(
    "fault",
    [
        Fault("HEAD", "/manifests/", "reset"),
        Fault("HEAD", "/manifests/", "status", status=429, retry_after=0),
        Fault("HEAD", "/manifests/", "status", status=500, times=3),
        Fault("HEAD", "/blobs/", "status", status=504, times=3),
        Fault("HEAD", "/blobs/", "drop_connection"),
        Fault("POST", "/uploads/", "reset"),
        Fault("POST", "/uploads/", "status", status=503, times=3),
        Fault("POST", "/uploads/", "drop_connection", after_effect=True),
        Fault("PUT|POST", "digest=", "reset", after_bytes=100),
        Fault("PUT|POST", "digest=", "stall", side="response"),
        Fault("PUT|POST", "digest=", "slow", delay=0.01, times=None),
        Fault("PUT|POST", "digest=", "status", status=500, times=3),
        Fault("PUT|POST", "digest=", "drop_connection"),
        Fault("PUT|POST", "digest=", "drop_connection", after_effect=True),
        Fault("PUT|POST", "digest=", "lost_blob"),
        Fault("POST", "mount=", "status", status=503, times=2),
        Fault("POST", "mount=", "drop_connection", after_effect=True),
        Fault("POST", "mount=", "lost_blob"),
        Fault("PUT", "/manifests/", "reset"),
        Fault("PUT", "/manifests/", "status", status=502, times=3),
        Fault("PUT", "/manifests/", "drop_connection"),
        Fault("PUT", "/manifests/", "drop_connection", after_effect=True),
        Fault("PUT", "/manifests/", "stall", side="response"),
    ],
    ids=lambda fault: f"{fault.kind} {fault.method} {fault.path} x{fault.times}",
)
@pytest.mark.parametrize("quirks", ["distribution", "quay"])
def test_a_passing_fault_of_the_destination_is_survived(start, source, fault, quirks):
    destination = start(quirks=quirks)
    source.load("many", "v1", MANY)
    for number in (1, 2):
        source.load(f"app{number}", "v1", family(number))
    fault.fired = fault.seen = 0
    destination.faults.append(fault)
    requests = [request((source, f"{name}:v1"), (destination, f"{name}:v1")) for name in ("app1", "app2", "many")]
    report = run(*requests, wire={"read_timeout": 0.3})
    assert copied(report)
    assert destination.faults.fired
    assert has(destination, "app1", family(1))
    assert has(destination, "app2", family(2))
    assert has(destination, "many", MANY)
    assert all(min(outcome.moved, outcome.mounted, outcome.skipped) >= 0 for outcome in report.outcomes)
    assert states(run(*requests)) == [UNCHANGED] * 3


@pytest.mark.parametrize("quirks", ["distribution", "quay"])
def test_tokens_may_run_out_in_mid_run(start, quirks):
    source = start(auth="token", users=BOTS, quirks=quirks)
    destination = start(auth="token", users=BOTS, quirks=quirks)
    for number in range(6):
        source.load(f"app{number}", "v1", family(number))
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in range(6)]
    over = threading.Event()
    expired = []

    def expire(registry, after):
        while not over.wait(0.001):
            if registry.count() >= after:
                registry.expire_tokens()
                expired.append(registry)
                return

    expiring = [threading.Thread(target=expire, args=asked) for asked in ((source, 12), (destination, 10), (destination, 50))]
    for thread in expiring:
        thread.start()
    report = run(*requests, credentials=BOT, source_credentials=BOT)
    over.set()
    for thread in expiring:
        thread.join()
    assert copied(report)
    assert sorted(map(id, expired)) == sorted(map(id, (source, destination, destination)))
    assert all(has(destination, f"app{number}", family(number)) for number in range(6))


# --- what does not pass


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("GET", "/manifests/", "garbage", times=None), "neither a manifest nor an index|no JSON|its content has the digest"),
        (Fault("GET", "/manifests/", "wrong_digest", times=None), "its content has the digest"),
        (Fault("GET", "/manifests/", "wrong_manifest", times=None), "its content has the digest"),
        (Fault("GET", "/manifests/", "status", status=403, body="no", times=None), r"403 \(no\)"),
        (Fault("GET", "/manifests/", "status", status=503, times=None), "503"),
        (Fault("GET", "/manifests/", "drop_connection", times=None), "closed the connection"),
        (Fault("GET", "/blobs/", "wrong_digest", times=None), "its content has the digest"),
        (Fault("GET", "/blobs/", "garbage", times=None), "it is longer|it ended early|sent|its content has the digest"),
        (Fault("GET", "/blobs/", "truncate", after_bytes=0, times=None), "ended early|closed the connection"),
        (Fault("GET", "/blobs/", "drop_connection", times=None), "closed the connection"),
        (Fault("GET", "/blobs/", "status", status=404, times=None), "404"),
        (Fault("GET", "/blobs/", "status", status=500, times=None), "500"),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_a_lasting_fault_of_the_source_is_reported_and_nothing_wrong_is_stored(source, destination, fault, words):
    for number in (1, 2):
        source.load(f"app{number}", "v1", family(number))
    source.faults.append(fault)
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in (1, 2)]
    report = run(*requests)
    assert [outcome.state for outcome in report.outcomes] == [FAILED] * 2
    for outcome in report.outcomes:
        assert re.search(words, outcome.reason)
        assert source.host in outcome.reason
    assert destination.verify() == []
    assert destination.tags("app1") == destination.tags("app2") == {}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD|GET", "/manifests/", 403),
        ("HEAD|GET", "/manifests/", 503),
        ("HEAD", "/blobs/", 403),
        ("HEAD", "/blobs/", 500),
        ("POST", "/uploads/", 403),
        ("POST", "/uploads/", 507),
        ("PUT", "/uploads/", 400),
        ("PUT", "/uploads/", 500),
        ("PUT", "/manifests/", 403),
        ("PUT", "/manifests/", 413),
        ("PUT", "/manifests/", 503),
    ],
)
def test_a_lasting_fault_of_the_destination_is_reported(source, destination, method, path, status):
    for number in (1, 2):
        source.load(f"app{number}", "v1", family(number))
    destination.faults.append(Fault(method, path, "status", status=status, body="not today", content_type="text/plain", times=None))
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in (1, 2)]
    report = run(*requests)
    for outcome in report.outcomes:
        assert outcome.state == FAILED
        assert str(status) in outcome.reason
        assert destination.host in outcome.reason
        if method != "HEAD":
            assert "not today" in outcome.reason
    assert destination.verify() == []
    assert destination.tags("app1") == {}


def test_one_broken_image_does_not_touch_the_others(source, destination):
    for number in range(4):
        source.load(f"app{number}", "v1", family(number))
    own = next(iter(set(family(2).all_blobs()) - set(family(1).all_blobs())))
    source.lose_blob("app2", own)
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in range(4)]
    report = run(*requests)
    assert [outcome.state for outcome in report.outcomes] == [COPIED, COPIED, FAILED, COPIED]
    assert own in report.outcomes[2].reason
    assert all(has(destination, f"app{number}", family(number)) for number in (0, 1, 3))
    assert destination.tags("app2") == {}


def test_an_image_that_is_not_there_is_reported_for_every_destination(start, source, destination):
    report = run(request((source, "app:v1"), (destination, "app:v1"), (start(), "app:v1")))
    assert [outcome.state for outcome in report.outcomes] == [FAILED] * 2
    assert all("MANIFEST_UNKNOWN" in outcome.reason for outcome in report.outcomes)
    assert destination.writes == []


def test_a_destination_that_is_down_does_not_touch_the_other(start, source, destination):
    other = start()
    other.stop()
    source.load("app", "v1", APP)
    report = run(request((source, "app:v1"), (other, "app:v1"), (destination, "app:v1")))
    assert [outcome.state for outcome in report.outcomes] == [FAILED, COPIED]
    assert "the connection was refused" in report.outcomes[0].reason
    assert has(destination, "app", APP)


def test_a_destination_that_goes_down_in_mid_run_does_not_touch_the_other(start, source, destination):
    other = start()
    other.faults.append(Fault("*", "", "drop_connection", skip=12, times=None))
    for number in range(4):
        source.load(f"app{number}", "v1", family(number))
    requests = [request((source, f"app{number}:v1"), (other, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in range(4)]
    report = run(*requests, retry=RetryPolicy(retries=1, base=0.01, cap=0.01))
    assert [outcome.state for outcome in report.outcomes if outcome.destination.registry == destination.host] == [COPIED] * 4
    assert FAILED in {outcome.state for outcome in report.outcomes if outcome.destination.registry == other.host}
    assert all(has(destination, f"app{number}", family(number)) for number in range(4))


def test_a_repository_that_is_closed_to_us_does_not_touch_the_others(start, source):
    destination = start(auth="token", users={"bot": User("secret", {"open/*": "pull,push"})}, quirks="distribution")
    for number in range(4):
        source.load(f"app{number}", "v1", family(number))
    names = ["closed/app0", "open/app1", "closed/app2", "open/app3"]
    report = run(*(request((source, f"app{n}:v1"), (destination, f"{name}:v1")) for n, name in enumerate(names)), credentials=BOT)
    assert [outcome.state for outcome in report.outcomes] == [FAILED, COPIED, FAILED, COPIED]
    assert has(destination, "open/app1", family(1))
    assert has(destination, "open/app3", family(3))


def test_what_nobody_waits_for_any_more_is_not_moved(source, destination):
    """With a thousand blobs for a registry that is down, patience with each would take the night."""
    source.load("app", "v1", image([layer(f"one of many/{number}", 500) for number in range(30)]))
    destination.faults.append(Fault("POST", "/uploads/", "status", status=503, times=None))
    run(request((source, "app:v1"), (destination, "app:v1")), parallel=2)
    assert destination.count(method="POST") <= 2 * (1 + QUICK.retries)
    assert blob_reads(source) <= 2


def test_a_registry_with_a_lost_layer_is_not_made_to_look_complete(start, source):
    """The blob is known in another repository, mounting is refused, and the source has lost it: nothing can be done."""
    destination = start(mount=False)
    source.load("app", "v1", APP)
    lost = next(iter(APP.all_blobs()))
    destination.load("there", "v1", APP)
    source.load("there", "v1", APP)
    source.load("other", "v1", simple_image("other"))
    destination.load("twin", "v1", simple_image("other"))
    requests = [request((source, "there:v1"), (destination, "there:v1")), request((source, "app:v1"), (destination, "app:v1"))]
    source.lose_blob("app", lost)
    report = run(*requests)
    assert [outcome.state for outcome in report.outcomes] == [UNCHANGED, FAILED]
    assert "BLOB_UNKNOWN" in report.outcomes[1].reason
    assert source.host in report.outcomes[1].reason
    assert destination.verify() == []


# --- the world changes under the run's feet


def test_a_tag_that_moves_after_it_was_read_is_copied_as_it_was(source, destination):
    source.load("app", "v1", simple_image("newer"))
    source.load("app", "v1", APP)
    source.faults.append(Fault("GET", "/manifests/v1", "tag_move", digest=simple_image("newer").digest))
    report = run(request((source, "app:v1"), (destination, "app:v1")))
    assert copied(report)
    assert destination.tags("app") == {"v1": APP.digest}
    assert has(destination, "app", APP)
    assert copied(run(request((source, "app:v1"), (destination, "app:v1"))))
    assert destination.tags("app") == {"v1": simple_image("newer").digest}


def test_a_tag_that_moves_and_takes_its_old_layers_along_is_copied_as_it_is_now(source, destination):
    newer = simple_image("newer")
    source.load("app", "v1", newer)
    source.load("app", "v1", APP)
    source.faults.append(Fault("GET", "/manifests/v1", "tag_move", digest=newer.digest))
    source.faults.append(Fault("GET", "/blobs/", "status", status=404, times=1))
    report = run(request((source, "app:v1"), (destination, "app:v1")))
    assert copied(report)
    assert report.outcomes[0].digest == newer.digest
    assert has(destination, "app", newer)


def test_a_digest_whose_layers_are_gone_is_not_looked_for_twice(source, destination):
    source.load("app", "v1", APP)
    source.lose_blob("app", next(iter(APP.all_blobs())))
    report = run(request((source, f"app@{APP.digest}"), (destination, "app:v1")))
    assert "BLOB_UNKNOWN" in report.outcomes[0].reason
    assert source.count(method="GET", path="/manifests/") == 1


@pytest.mark.parametrize("content", [APP, MANY, BIG], ids=["image", "index", "large"])
def test_a_blob_that_the_destination_loses_after_it_was_seen_is_sent_again(source, destination, content):
    source.load("app", "v1", content)
    lost, blob = next(iter(content.all_blobs().items()))
    destination.put_blob("app", blob.data)
    destination.faults.append(Fault("HEAD", f"/blobs/{lost}", "lost_blob"))
    report = run(request((source, "app:v1"), (destination, "app:v1")))
    assert copied(report)
    assert has(destination, "app", content)
    assert blob_writes(destination).count(lost) == 1
    (outcome,) = report.outcomes
    assert outcome.moved == len(content.all_blobs())
    assert outcome.skipped == outcome.mounted == 0


def test_all_blobs_that_the_destination_loses_are_sent_again(source, destination):
    source.load("app", "v1", APP)
    for blob in APP.all_blobs().values():
        destination.put_blob("app", blob.data)
    destination.faults.append(Fault("HEAD", "/blobs/", "lost_blob", times=None))
    assert copied(run(request((source, "app:v1"), (destination, "app:v1"))))
    assert has(destination, "app", APP)


def test_a_blob_that_is_lost_after_it_was_mounted_from_there_is_sent_again(source, destination):
    for number in (1, 2):
        source.load(f"app{number}", "v1", family(number))
    destination.load("app1", "v1", family(1))
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in (1, 2)]
    destination.lose_blob("app1", SHARED[0].digest)
    report = run(*requests)
    assert [outcome.state for outcome in report.outcomes] == [UNCHANGED, COPIED]
    assert SHARED[0].digest in destination.repository_blobs("app2")


def test_a_destination_that_loses_a_blob_every_time_is_given_up(source, destination):
    source.load("app", "v1", APP)
    destination.faults.append(Fault("PUT|POST", "digest=", "lost_blob", times=None))
    report = run(request((source, "app:v1"), (destination, "app:v1")))
    assert [outcome.state for outcome in report.outcomes] == [FAILED]
    assert "MANIFEST_BLOB_UNKNOWN" in report.outcomes[0].reason
    assert destination.count(method="PUT", path="/manifests/") == 2
    assert destination.verify() == []


def test_a_child_that_the_destination_loses_after_it_was_seen_is_stored_again(source, destination):
    old, same, new = simple_image("old"), simple_image("same", platform="linux/arm64"), simple_image("new")
    source.load("app", "v1", index([old, same]))
    run(request((source, "app:v1"), (destination, "app:v1")))
    source.load("app", "v1", index([new, same]))
    over = threading.Event()

    def lose_when_seen():
        while not over.wait(0.001):
            if destination.count(method="HEAD", path=same.digest):
                destination.storage.delete_manifest("app", same.digest)
                return

    destination.reset_log()
    destination.latency = 0.02
    losing = threading.Thread(target=lose_when_seen)
    losing.start()
    report = run(request((source, "app:v1"), (destination, "app:v1")))
    over.set()
    losing.join()
    assert copied(report)
    assert has(destination, "app", index([new, same]))


def test_another_source_of_the_same_blob_steps_in(source, destination):
    for number in (1, 2):
        source.load(f"app{number}", "v1", family(number))
    source.lose_blob("app1", SHARED[0].digest)
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in (1, 2)]
    assert copied(run(*requests))
    assert has(destination, "app1", family(1))


@pytest.mark.parametrize("kind", ["wrong_digest", "drop_connection"])
def test_another_source_of_the_same_blob_steps_in_for_one_that_is_broken(start, source, destination, kind):
    twin = start()
    source.load("app1", "v1", family(1))
    twin.load("app2", "v1", family(2))
    source.faults.append(Fault("GET", f"/blobs/{SHARED[0].digest}", kind, times=None))
    requests = [request((source, "app1:v1"), (destination, "app1:v1")), request((twin, "app2:v1"), (destination, "app2:v1"))]
    assert copied(run(*requests))
    assert has(destination, "app1", family(1))


def test_an_upload_that_cannot_be_cancelled_is_no_reason_to_fail(start, source):
    """The registry does not mount, begins an upload instead, and has the blob all the same."""
    destination = start(mount=False)
    for number in (1, 2):
        source.load(f"app{number}", "v1", family(number))
        for blob in family(number).all_blobs().values():
            destination.put_blob(f"app{number}", blob.data)
    destination.faults.append(Fault("DELETE", "/uploads/", "drop_connection", times=None))
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in (1, 2)]
    assert copied(run(*requests))
    assert destination.count(method="DELETE") > 0


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_a_mount_that_is_refused_is_an_upload(source, destination, status):
    for number in (1, 2):
        source.load(f"app{number}", "v1", family(number))
    destination.faults.append(Fault("POST", "mount=", "status", status=status, times=None))
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in (1, 2)]
    assert copied(run(*requests))
    assert has(destination, "app1", family(1))
    assert has(destination, "app2", family(2))


def test_what_cannot_be_learned_from_an_unchanged_index_is_sent(source, destination):
    big = [layer(f"big/{number}", 200000) for number in range(4)]
    old = index([image([*big, layer("old", 10)]), simple_image("beside", platform="linux/arm64")])
    new = image([*big, layer("new", 10)])
    source.load("old", "v1", old)
    source.load("new", "v1", new)
    run(request((source, "old:v1"), (destination, "old:v1")))
    destination.reset_log()
    destination.faults.append(Fault("GET", "/manifests/sha", "status", status=403, times=None))
    requests = [request((source, f"{name}:v1"), (destination, f"{name}:v1")) for name in ("old", "new")]
    assert states(run(*requests)) == [UNCHANGED, COPIED]
    assert has(destination, "new", new)
    assert destination.faults.fired


def test_indexes_without_end_are_refused(source, destination):
    content = simple_image("deep")
    for _ignored in range(8):
        content = index([content])
    source.load("app", "v1", content)
    report = run(request((source, "app:v1"), (destination, "app:v1")))
    assert [outcome.state for outcome in report.outcomes] == [FAILED]
    assert "nested deeper than" in report.outcomes[0].reason
    assert destination.writes == []


def test_a_destination_that_cannot_list_referrers_keeps_the_image(start):
    """It said nothing about the subject, and now it does not want to be asked: the image itself is there."""
    source, destination = start(), start(referrers=False)
    source.load("app", "v1", APP)
    sbom = artifact("application/spdx+json", b"sbom", subject=APP)
    source.load("app", "sbom", sbom)
    destination.faults.append(Fault("GET", "/referrers/", "status", status=403, times=None))
    report = run(request((source, "app:sbom"), (destination, "app:sbom")))
    assert copied(report)
    assert has(destination, "app", sbom)


# --- stop or go on


def test_stopping_at_the_first_failure_says_what_was_done_and_what_was_not(source, destination):
    for number in range(6):
        source.load(f"app{number}", "v1", simple_image(f"app{number}"))
    source.faults.append(Fault("GET", "/app3/blobs/", "status", status=403, times=None))
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in range(6)]
    report = run(*requests, stop_at_failure=True, parallel=1)
    found = [outcome.state for outcome in report.outcomes]
    assert found[3] == FAILED
    assert found.count(FAILED) == 1
    assert NOT_ATTEMPTED in found
    for outcome in report.outcomes:
        if outcome.state == NOT_ATTEMPTED:
            assert outcome.reason == "the run stopped before this image was complete"
            assert destination.tags(outcome.destination.repository) == {}
        if outcome.state == COPIED:
            assert destination.tags(outcome.destination.repository) != {}
    assert destination.verify() == []


def test_stopping_at_an_image_that_is_not_there_copies_nothing(source, destination):
    source.load("app", "v1", APP)
    requests = [request((source, f"{name}:v1"), (destination, f"{name}:v1")) for name in ("gone", "app")]
    report = run(*requests, stop_at_failure=True)
    assert report.outcomes[0].state == FAILED
    assert report.outcomes[1].state == NOT_ATTEMPTED
    assert destination.writes == []


def test_what_may_heal_does_not_stop_a_run(source, destination):
    source.load("app", "v1", APP)
    lost, blob = next(iter(APP.all_blobs().items()))
    destination.put_blob("app", blob.data)
    destination.faults.append(Fault("HEAD", f"/blobs/{lost}", "lost_blob"))
    assert copied(run(request((source, "app:v1"), (destination, "app:v1")), stop_at_failure=True))


def test_a_run_that_was_stopped_goes_on_with_what_is_missing(source, destination):
    for number in range(4):
        source.load(f"app{number}", "v1", family(number))
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in range(4)]
    fault = Fault("PUT", "/manifests/", "status", status=403, skip=1, times=None)
    destination.faults.append(fault)
    run(*requests, stop_at_failure=True, parallel=1)
    already = {(asked.path, digest) for asked in destination.select(method="PUT", status=201) for digest in asked.query.get("digest", [])}
    sent = set(blob_writes(destination))
    destination.faults.clear()
    destination.reset_log()
    report = run(*requests)
    assert set(states(report)) <= {COPIED, UNCHANGED}
    assert all(has(destination, f"app{number}", family(number)) for number in range(4))
    assert sent.isdisjoint(blob_writes(destination)), already


def test_an_interrupted_run_ends_soon_and_tells_what_was_done(source, destination):
    for number in range(20):
        source.load(f"app{number}", "v1", simple_image(f"app{number}", layers=3))
    destination.latency = 0.02
    cancellation = Cancellation()
    threading.Timer(0.3, cancellation.cancel, ["enough"]).start()
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in range(20)]
    started = time.monotonic()
    report = run(*requests, cancellation=cancellation, parallel=2)
    assert time.monotonic() - started < 3
    assert {outcome.state for outcome in report.outcomes} <= {COPIED, NOT_ATTEMPTED}
    assert NOT_ATTEMPTED in {outcome.state for outcome in report.outcomes}
    assert destination.verify() == []


# --- mirrors that fail in the middle


def test_a_mirror_with_a_lost_layer_is_made_up_for_by_another_repository(start, source, destination):
    """What is read is decided for the image as a whole; its layers may still come from elsewhere."""
    mirror = start()
    mirror.load("app1", "v1", family(1))
    mirror.lose_blob("app1", SHARED[1].digest)
    source.load("app2", "v1", family(2))
    conf = RegistriesConf((Rule(f"{source.host}/app1", Endpoint(f"{source.host}/app1"), (Endpoint(f"{mirror.host}/app1"),)),))
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in (1, 2)]
    assert copied(run(*requests, conf=conf))
    assert has(destination, "app1", family(1))


def test_mounted_content_is_what_it_says(source, destination):
    """A registry that claims to have mounted but has not is found out by its own refusal of the manifest."""
    for number in (1, 2):
        source.load(f"app{number}", "v1", family(number))
    destination.faults.append(Fault("POST", "mount=", "lost_blob", times=None))
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in (1, 2)]
    report = run(*requests)
    assert copied(report)
    assert mounts(destination) != []
    assert has(destination, "app1", family(1))
    assert has(destination, "app2", family(2))
    assert len(manifest_writes(destination)) == 2


def test_the_reason_never_holds_a_password(start, source):
    destination = start(auth="token", users={"bot": User("another", {})})
    source.load("app", "v1", APP)
    report = run(request((source, "app:v1"), (destination, "app:v1")), credentials=BOT)
    assert report.outcomes[0].state == FAILED
    assert BOT.password not in report.outcomes[0].reason
    assert sha256(b"") not in report.outcomes[0].reason
