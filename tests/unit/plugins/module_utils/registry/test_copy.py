# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy engine where nothing goes wrong: every byte once, and as few requests as the work needs."""

from __future__ import annotations

import json

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.progress import Progress
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED, UNCHANGED, CopyRequest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries_conf import (
    Endpoint,
    RegistriesConf,
    Rule,
)
from ansible_collections.quayside.airgap.tests.support.certs import create_certificates
from ansible_collections.quayside.airgap.tests.support.images import (
    artifact,
    foreign_layer,
    image,
    index,
    layer,
    multi_arch,
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
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import Proxy
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOT, BOTS

APP = simple_image("app", layers=3)
SHARED = [layer(f"shared/{number}", 3000) for number in range(3)]


def family(number):
    """Image `number` of several that share most of their layers."""
    return image([*SHARED, layer(f"own/{number}", 2000)])


@pytest.fixture
def source(start):
    return start()


@pytest.fixture
def destination(start):
    return start()


# --- what arrives


@pytest.mark.parametrize(
    "content",
    [
        APP,
        simple_image("docker", fmt="docker"),
        artifact("application/example", b"payload"),
        multi_arch("many"),
        multi_arch("docker-many", fmt="docker"),
        multi_arch("attested", attestations=True),
        index([multi_arch("inner"), simple_image("beside")]),
        index([index([index([simple_image("deep")])])]),
        index([]),
        image([]),
        image([SHARED[0], SHARED[0], SHARED[0]]),
        image([SHARED[0], foreign_layer("windows", 2000, "https://elsewhere.example/layer")], fmt="docker"),
        image([SHARED[0], foreign_layer("oci-windows", 2000, "https://elsewhere.example/layer", fmt="oci")]),
    ],
    ids=[
        "oci",
        "docker",
        "artifact",
        "index",
        "docker list",
        "attestations",
        "index in index",
        "indexes nested deeply",
        "empty index",
        "no layers",
        "one layer thrice",
        "foreign layer of docker",
        "foreign layer of oci",
    ],
)
def test_every_kind_of_image_arrives_as_it_is(source, destination, content):
    source.load("app", "v1", content)
    report = run(request((source, "app:v1"), (destination, "mirror/app:v1")))
    assert copied(report)
    assert has(destination, "mirror/app", content)
    assert destination.tags("mirror/app") == {"v1": content.digest}
    assert report.outcomes[0].digest == content.digest
    assert sorted(blob_writes(destination)) == sorted(content.all_blobs())


def test_the_report_tells_what_was_done(source, destination):
    source.load("app", "v1", APP)
    report = run(request((source, "app:v1"), (destination, "app:v1")))
    (outcome,) = report.outcomes
    size = sum(blob.size for blob in APP.all_blobs().values())
    assert outcome.as_dict() == {
        "source": f"{source.host}/app:v1",
        "destination": f"{destination.host}/app:v1",
        "digest": APP.digest,
        "state": COPIED,
        "reason": "",
        "bytes": size,
        "blobs": {"moved": 4, "mounted": 0, "skipped": 0},
        "index": "",
        "companions": [],
        "notes": [],
        "elapsed": outcome.as_dict()["elapsed"],
    }
    assert (report.pulled, report.pushed) == (size, size)
    assert outcome.previous == ""
    assert 0 < outcome.elapsed <= report.elapsed


def test_manifests_go_last_and_children_before_their_index(source, destination):
    content = index([multi_arch("inner"), simple_image("beside")])
    source.load("app", "v1", content)
    run(request((source, "app:v1"), (destination, "app:v1")))
    writes = [asked for asked in destination.writes if asked.status == 201]
    first = next(number for number, asked in enumerate(writes) if "/manifests/" in asked.path)
    assert all("/manifests/" in asked.path for asked in writes[first:])
    stored = manifest_writes(destination)
    assert sorted(stored) == sorted([f"app@{child.digest}" for child in content.walk() if child is not content] + ["app:v1"])
    for parent in content.walk():
        for child in parent.children:
            name = "app:v1" if parent is content else f"app@{parent.digest}"
            assert stored.index(f"app@{child.digest}") < stored.index(name)


def test_an_image_that_is_in_two_indexes_of_one_is_stored_once(source, destination):
    one = simple_image("one")
    content = index([index([one]), one])
    source.load("app", "v1", content)
    assert copied(run(request((source, "app:v1"), (destination, "app:v1"))))
    assert manifest_writes(destination).count(f"app@{one.digest}") == 1
    assert source.count(method="GET", path=one.digest) == 1


def test_a_digest_is_copied_under_the_tag_that_was_asked_for(source, destination):
    source.load("app", None, APP)
    assert copied(run(request((source, f"app@{APP.digest}"), (destination, "app:stable"))))
    assert destination.tags("app") == {"stable": APP.digest}


def test_a_digest_may_stay_without_a_tag(source, destination):
    source.load("app", None, APP)
    assert copied(run(request((source, f"app@{APP.digest}"), (destination, f"app@{APP.digest}"))))
    assert has(destination, "app", APP)
    assert destination.tags("app") == {}


def test_where_tag_and_digest_are_given_the_digest_decides(source, destination):
    source.load("app", None, APP)
    source.load("app", "v1", simple_image("newer"))
    assert copied(run(request((source, f"app:v1@{APP.digest}"), (destination, "app:v1"))))
    assert destination.tags("app") == {"v1": APP.digest}


def test_nothing_to_do_is_done(source):
    report = run()
    assert (report.outcomes, report.pulled, report.pushed) == ([], 0, 0)


def test_outcomes_come_in_the_order_of_the_requests(start, source):
    first, second = start(), start()
    names = [f"app{number}" for number in range(6)]
    for number, name in enumerate(names):
        source.load(name, "v1", simple_image(name, layers=1 + number % 3))
    report = run(*(request((source, f"{name}:v1"), (first, f"{name}:v1"), (second, f"{name}:v1")) for name in names))
    expected = [f"{registry.host}/{name}:v1" for name in names for registry in (first, second)]
    assert [str(outcome.destination) for outcome in report.outcomes] == expected


def test_the_same_request_twice_is_one(source, destination):
    source.load("app", "v1", APP)
    asked = request((source, "app:v1"), (destination, "app:v1"))
    assert len(run(asked, asked).outcomes) == 1


# --- every byte once


def test_images_of_one_repository_share_what_they_have_in_common(source, destination):
    for number in range(5):
        source.load("app", f"v{number}", family(number))
    report = run(*(request((source, f"app:v{number}"), (destination, f"app:v{number}")) for number in range(5)))
    assert copied(report)
    assert all(has(destination, "app", family(number)) for number in range(5))
    unique = {digest for number in range(5) for digest in family(number).all_blobs()}
    assert sorted(blob_writes(destination)) == sorted(unique)
    assert blob_reads(source) == len(unique)
    assert sum(outcome.moved for outcome in report.outcomes) == len(unique)
    assert all(outcome.moved + outcome.mounted + outcome.skipped == 5 for outcome in report.outcomes)


def test_images_of_several_repositories_share_by_mounting(source, destination):
    for number in range(5):
        source.load(f"app{number}", "v1", family(number))
    report = run(*(request((source, f"app{number}:v1"), (destination, f"m/app{number}:v1")) for number in range(5)))
    assert copied(report)
    assert all(has(destination, f"m/app{number}", family(number)) for number in range(5))
    unique = {digest for number in range(5) for digest in family(number).all_blobs()}
    assert sorted(blob_writes(destination)) == sorted(unique)
    assert sorted(mounts(destination)) == sorted([shared.digest for shared in SHARED] * 4)
    assert blob_reads(source) == len(unique)
    assert sum(outcome.mounted for outcome in report.outcomes) == 12


def test_a_registry_that_mounts_nothing_gets_everything_everywhere(start, source):
    destination = start(mount=False)
    for number in range(5):
        source.load(f"app{number}", "v1", family(number))
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in range(5)]
    assert copied(run(*requests))
    assert all(has(destination, f"app{number}", family(number)) for number in range(5))
    assert len(blob_writes(destination)) == sum(len(family(number).all_blobs()) for number in range(5))


def test_several_destinations_cost_one_read(start, source):
    destinations = [start(), start(), start()]
    source.load("app", "v1", APP)
    report = run(request((source, "app:v1"), *((destination, "app:v1") for destination in destinations)))
    assert copied(report)
    assert all(has(destination, "app", APP) for destination in destinations)
    assert blob_reads(source) == len(APP.all_blobs())
    assert report.pushed == 3 * report.pulled


def test_a_destination_that_has_a_part_gets_the_rest(start, source, destination):
    other = start()
    source.load("app", "v1", APP)
    (there, content), *missing = APP.all_blobs().items()
    destination.put_blob("app", content.data)
    report = run(request((source, "app:v1"), (destination, "app:v1"), (other, "app:v1")))
    assert copied(report)
    assert sorted(blob_writes(destination)) == sorted(digest for digest, _blob in missing)
    assert there in blob_writes(other)
    assert [(outcome.moved, outcome.skipped) for outcome in report.outcomes] == [(3, 1), (4, 0)]


def test_a_new_version_moves_only_what_is_new(source, destination):
    source.load("app", "v1", family(1))
    run(request((source, "app:v1"), (destination, "app:v1")))
    destination.reset_log()
    source.load("app", "v1", family(2))
    report = run(request((source, "app:v1"), (destination, "app:v1")))
    assert copied(report)
    assert report.outcomes[0].previous == family(1).digest
    assert sorted(blob_writes(destination)) == sorted(set(family(2).all_blobs()) - set(family(1).all_blobs()))
    assert (report.outcomes[0].moved, report.outcomes[0].skipped) == (2, 3)


def test_a_new_version_of_an_index_moves_only_what_is_new(source, destination):
    old, same, new = simple_image("old"), simple_image("same", platform="linux/arm64"), simple_image("new")
    source.load("app", "v1", index([old, same]))
    run(request((source, "app:v1"), (destination, "app:v1")))
    destination.reset_log()
    source.load("app", "v1", index([new, same]))
    assert copied(run(request((source, "app:v1"), (destination, "app:v1"))))
    assert sorted(blob_writes(destination)) == sorted(new.all_blobs())
    assert manifest_writes(destination) == [f"app@{new.digest}", "app:v1"]


def test_images_that_are_there_already_lend_their_layers_to_new_ones(source, destination):
    """Not by asking for them: the manifest of the unchanged image, read anyway, says what is there."""
    source.load("old", "v1", family(1))
    source.load("new", "v1", family(2))
    run(request((source, "old:v1"), (destination, "old:v1")))
    destination.reset_log()
    report = run(request((source, "old:v1"), (destination, "old:v1")), request((source, "new:v1"), (destination, "new:v1")))
    assert states(report) == [UNCHANGED, COPIED]
    assert sorted(mounts(destination)) == sorted(shared.digest for shared in SHARED)
    assert destination.count(method="HEAD", path="/blobs/") == 2


def test_indexes_that_are_there_already_lend_their_layers_where_that_saves_much(start, source, destination):
    big = [layer(f"big/{number}", 200000) for number in range(4)]
    old = index([image([*big, layer("old", 10)]), simple_image("beside", platform="linux/arm64")])
    new = image([*big, layer("new", 10)])
    source.load("old", "v1", old)
    source.load("new", "v1", new)
    run(request((source, "old:v1"), (destination, "old:v1")))
    destination.reset_log()
    report = run(request((source, "old:v1"), (destination, "old:v1")), request((source, "new:v1"), (destination, "new:v1")))
    assert states(report) == [UNCHANGED, COPIED]
    assert sorted(mounts(destination)) == sorted(shared.digest for shared in big)
    assert has(destination, "new", new)


def test_within_one_registry_nothing_is_read_and_nothing_is_sent(source):
    source.load("app", "v1", APP)
    report = run(request((source, "app:v1"), (source, "copy/app:v1")))
    assert copied(report)
    assert has(source, "copy/app", APP)
    assert sorted(mounts(source)) == sorted(APP.all_blobs())
    assert (blob_reads(source), blob_writes(source), report.pulled) == (0, [], 0)


def test_another_tag_in_the_same_repository_is_one_manifest(source):
    source.load("app", "v1", APP)
    report = run(request((source, "app:v1"), (source, "app:stable")))
    assert copied(report)
    assert source.tags("app") == {"v1": APP.digest, "stable": APP.digest}
    assert [asked.method for asked in source.writes] == ["PUT"]


def test_within_a_registry_that_mounts_nothing_content_is_sent(start):
    registry = start(mount=False)
    registry.load("app", "v1", APP)
    assert copied(run(request((registry, "app:v1"), (registry, "copy/app:v1"))))
    assert has(registry, "copy/app", APP)


def test_a_destination_that_may_not_be_mounted_from_gets_the_content(start, source):
    """The registry knows the blob in a repository that our credentials may write but not read."""
    destination = start(auth="token", users=BOTS, quirks="distribution")
    for number in (1, 2):
        source.load(f"app{number}", "v1", family(number))
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in (1, 2)]
    assert copied(run(*requests, credentials=BOT))
    assert all(has(destination, f"app{number}", family(number)) for number in (1, 2))


# --- nothing to do


@pytest.mark.parametrize("content", [APP, multi_arch("many"), simple_image("docker", fmt="docker")], ids=["image", "index", "docker"])
def test_an_image_that_is_there_costs_one_request_on_each_side(source, destination, content):
    for number in range(3):
        source.load("app", f"v{number}", content)
    requests = [request((source, f"app:v{number}"), (destination, f"app:v{number}")) for number in range(3)]
    run(*requests)
    source.reset_log()
    destination.reset_log()
    report = run(*requests)
    assert states(report) == [UNCHANGED] * 3
    assert (report.pulled, report.pushed) == (0, 0)
    asked = [[f"{one.method} {one.path}" for one in registry.requests if one.path != "/v2/"] for registry in (source, destination)]
    assert sorted(asked[0]) == [f"GET /v2/app/manifests/v{number}" for number in range(3)]
    assert sorted(asked[1]) == [f"HEAD /v2/app/manifests/v{number}" for number in range(3)]


def test_a_digest_that_is_there_costs_one_request_at_all(source, destination):
    source.load("app", None, APP)
    asked = request((source, f"app@{APP.digest}"), (destination, "app:stable"))
    run(asked)
    source.reset_log()
    destination.reset_log()
    assert states(run(asked)) == [UNCHANGED]
    assert [one.path for one in source.requests] == []
    assert [one.method for one in destination.requests if one.path != "/v2/"] == ["HEAD"]


def test_docker_hub_is_only_asked_for_what_does_not_count(start, destination, monkeypatch, tmp_path):
    """It limits how many manifests may be read in six hours; to look for their digests is free."""
    hub = start(tls=create_certificates(tmp_path))
    hub.load("library/app", "v1", APP)
    asked = CopyRequest(parse_reference("docker.io/app:v1"), (parse_reference(f"{destination.host}/app:v1"),))
    with Proxy(hub.port) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert copied(run(asked))
        hub.reset_log()
        assert states(run(asked)) == [UNCHANGED]
        assert set(proxy.asked) == {"CONNECT registry-1.docker.io:443"}
    assert [one.method for one in hub.requests if "/manifests/" in one.path] == ["HEAD"]


def test_of_several_destinations_only_the_one_that_lacks_it_is_served(start, source, destination):
    other = start()
    source.load("app", "v1", APP)
    run(request((source, "app:v1"), (destination, "app:v1")))
    destination.reset_log()
    report = run(request((source, "app:v1"), (destination, "app:v1"), (other, "app:v1")))
    assert states(report) == [UNCHANGED, COPIED]
    assert destination.writes == []
    assert has(other, "app", APP)


# --- check mode


def test_a_dry_run_stores_nothing_and_foretells_the_run(source, destination):
    for number in range(3):
        source.load(f"app{number}", "v1", family(number))
    source.load("many", "v1", multi_arch("many"))
    destination.put_blob("app1", SHARED[0].data)
    destination.load("app2", "v1", family(2))
    requests = [request((source, f"{name}:v1"), (destination, f"{name}:v1")) for name in ("app0", "app1", "app2", "many")]
    destination.refuse_writes = True
    foretold = run(*requests, dry_run=True)
    assert destination.refused == []
    assert blob_reads(source) == 0
    destination.refuse_writes = False
    done = run(*requests)

    def told(report):
        return [{key: value for key, value in outcome.as_dict().items() if key != "elapsed"} for outcome in report.outcomes]

    assert told(foretold) == told(done)
    assert (foretold.pulled, foretold.pushed) == (done.pulled, done.pushed)


def test_a_dry_run_with_nothing_to_do_foretells_that(source, destination):
    source.load("app", "v1", APP)
    destination.load("app", "v1", APP)
    report = run(request((source, "app:v1"), (destination, "app:v1")), dry_run=True)
    assert states(report) == [UNCHANGED]
    assert (report.pulled, report.pushed) == (0, 0)


# --- limits, progress, mirrors


@pytest.mark.parametrize("parallel", [1, 2, 5])
def test_no_more_is_under_way_than_was_allowed(source, destination, parallel):
    source.latency = destination.latency = 0.003
    for number in range(8):
        source.load(f"app{number}", "v1", family(number))
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in range(8)]
    assert copied(run(*requests, parallel=parallel))
    assert destination.peak <= parallel
    assert source.peak <= parallel


def test_the_progress_file_ends_with_everything_done(source, destination, tmp_path):
    source.load("app", "v1", APP)
    path = tmp_path / "progress.json"
    report = run(request((source, "app:v1"), (destination, "app:v1")), progress=Progress(str(path)))
    state = json.loads(path.read_text())
    assert (state["phase"], state["items_done"], state["items_total"]) == ("copying", 1, 1)
    assert (state["bytes_done"], state["bytes_total"]) == (report.pulled, report.pulled)


def conf_for(source, *mirrors):
    return RegistriesConf((Rule(source.host, Endpoint(source.host), tuple(Endpoint(mirror.host) for mirror in mirrors)),))


def test_a_mirror_is_read_in_place_of_the_source(start, source, destination):
    mirror = start()
    mirror.load("app", "v1", APP)
    report = run(request((source, "app:v1"), (destination, "app:v1")), conf=conf_for(source, mirror))
    assert copied(report)
    assert source.requests == []
    assert str(report.outcomes[0].source) == f"{source.host}/app:v1"


def test_where_the_mirror_does_not_have_it_the_source_is_read(start, source, destination):
    mirror = start()
    source.load("app", "v1", APP)
    assert copied(run(request((source, "app:v1"), (destination, "app:v1")), conf=conf_for(source, mirror)))
    assert mirror.requests != []


def test_where_the_mirror_is_down_the_source_is_read(start, source, destination):
    mirror = start()
    mirror.stop()
    source.load("app", None, APP)
    asked = request((source, f"app@{APP.digest}"), (destination, "app:v1"))
    assert copied(run(asked, conf=conf_for(source, mirror)))


def test_where_no_mirror_has_it_the_source_says_why(start, source, destination):
    report = run(request((source, "app:v1"), (destination, "app:v1")), conf=conf_for(source, start()))
    assert f"{source.host}/app:v1" in report.outcomes[0].reason
    assert "MANIFEST_UNKNOWN" in report.outcomes[0].reason


@pytest.mark.parametrize("kind", ["basic", "token"])
@pytest.mark.parametrize("quirks", ["distribution", "quay"])
def test_both_sides_may_want_a_login(start, kind, quirks):
    source = start(auth=kind, users=BOTS, quirks=quirks)
    destination = start(auth=kind, users=BOTS, quirks=quirks)
    for number in range(3):
        source.load(f"app{number}", "v1", family(number))
    requests = [request((source, f"app{number}:v1"), (destination, f"app{number}:v1")) for number in range(3)]
    assert copied(run(*requests, credentials=BOT, source_credentials=BOT))
    assert all(has(destination, f"app{number}", family(number)) for number in range(3))
    assert states(run(*requests, credentials=BOT, source_credentials=BOT)) == [UNCHANGED] * 3


def test_content_behind_redirects_is_copied_without_showing_credentials_there(start, destination):
    source = start(auth="token", users=BOTS, redirect_blobs=True)
    source.load("app", "v1", APP)
    assert copied(run(request((source, "app:v1"), (destination, "app:v1")), source_credentials=BOT))
    assert source.leaked_credentials == []
