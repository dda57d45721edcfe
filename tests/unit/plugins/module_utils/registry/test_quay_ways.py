# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real Quay does otherwise than others, and what would go wrong without knowing it."""

from __future__ import annotations

import json

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import Credentials
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import FAILED, UNCHANGED
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault, User
from ansible_collections.quayside.airgap.tests.support.images import (
    artifact,
    blob,
    image,
    layer,
    multi_arch,
    referrers_tag,
    sha256,
    simple_image,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import copied, has, mounts, request, run, states
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOT, BOTS, make_client

LARGE = image([layer("large", 3 << 20)])
MANY = multi_arch("many", ("linux/amd64", "linux/arm64"))


def family(number):
    return image([layer("base", 50_000), layer(f"own-{number}", 1000)])


@pytest.fixture
def quay(start):
    return start(auth="token", users=BOTS, sparse_indexes=True)


def test_an_index_that_was_stored_in_part_is_completed_when_all_of_it_is_wanted(start, quay):
    source = start()
    source.load("many", "v1", MANY)
    part = request((source, "many:v1"), (quay, "many:v1"), platforms=["linux/amd64"])
    whole = request((source, "many:v1"), (quay, "many:v1"))
    report = run(part, credentials=BOT)
    assert (copied(report), report.outcomes[0].index) == (True, "sparse")
    assert copied(run(whole, credentials=BOT))
    assert has(quay, "many", MANY)
    assert states(run(whole, credentials=BOT)) == [UNCHANGED]


def test_a_registry_that_says_no_to_sparse_indexes_is_not_sent_one(start):
    source, destination = start(), start(quirks="quay")
    source.load("many", "v1", MANY)
    report = run(request((source, "many:v1"), (destination, "many:v1"), platforms=["linux/amd64"]))
    assert (copied(report), report.outcomes[0].index) == (True, "rewritten")
    assert destination.count(method="PUT", path="/manifests/v1") == 1


def test_uploads_go_to_the_registry_under_the_name_that_we_know(start):
    source, destination = start(), start(auth="token", users=BOTS, upload_location="other_name")
    source.load("large", "v1", LARGE)
    assert copied(run(request((source, "large:v1"), (destination, "large:v1")), credentials=BOT))
    assert has(destination, "large", LARGE)


def test_no_tag_is_written_where_referrers_are_listed_without_saying_so(start, quay):
    source = start()
    subject = simple_image("signed")
    source.load("app", "v1", subject)
    source.load("app", None, artifact("application/vnd.cncf.notary.signature", b"signature", subject=subject))
    pair = request((source, "app:v1"), (quay, "app:v1"))
    assert copied(run(pair, credentials=BOT, signatures="copy"))
    assert set(quay.tags("app")) == {"v1"}
    assert len(quay.manifests("app")) == 2
    assert states(run(pair, credentials=BOT, signatures="copy")) == [UNCHANGED]
    assert referrers_tag(subject.digest) not in quay.tags("app")


def test_a_wrong_password_is_tried_once(start):
    """Quay locks an account after some failures, for its web pages too."""
    source, destination = start(), start(auth="token", users=BOTS)
    for number in range(20):
        source.load(f"app{number}", "v1", family(number))
    requests = [request((source, f"app{n}:v1"), (destination, f"app{n}:v1")) for n in range(20)]
    report = run(*requests, credentials=Credentials("bot", "wrong"), parallel=8)
    assert {state.partition(":")[0] for state in states(report)} == {FAILED}
    assert all("Invalid Username or Password" in outcome.reason for outcome in report.outcomes)
    assert destination.count(path="^/v2/auth") == 1


def test_one_token_writes_to_many_repositories(start):
    source, destination = start(), start(auth="token", users=BOTS)
    for number in range(12):
        source.load(f"app{number}", "v1", family(number))
    assert copied(run(*[request((source, f"app{n}:v1"), (destination, f"app{n}:v1")) for n in range(12)], credentials=BOT))
    # one to look, one to write; new repositories are hidden from those who only look, and asked for one by one
    assert destination.count(path="^/v2/auth") <= 2 + 12
    assert len(mounts(destination)) == 11


def test_check_mode_asks_once_for_a_repository_that_is_hidden(start):
    source, destination = start(), start(auth="token", users={"bot": User("secret", {"other/*": "*"})})
    source.load("app", "v1", family(1))
    report = run(request((source, "app:v1"), (destination, "app:v1")), credentials=BOT, dry_run=True)
    assert copied(report)
    assert "nobody can tell" in report.outcomes[0].notes[0]
    assert destination.count(method="HEAD") == 1
    assert destination.writes == []


def test_an_upload_goes_on_where_quay_says_that_it_stands(start):
    quay = start(quirks="quay")
    client = make_client(quay)
    content = blob("parts", 300_000)
    upload = client.begin_upload("app", sha256(content))
    upload = client.send_chunk("app", upload, sha256(content), content[:100_000], 0, 100_000)
    offset, upload = client.uploaded("app", upload)
    assert offset == 100_000
    upload = client.send_chunk("app", upload, sha256(content), content[offset:], offset, len(content) - offset)
    client.finish_upload("app", upload, sha256(content))
    assert quay.blobs[sha256(content)] == content


def test_a_lost_blob_that_quay_calls_an_invalid_manifest_is_sent_again(start):
    source, destination = start(), start()
    source.load("app", "v1", family(1))
    destination.load("app", "old", family(2))
    base = layer("base", 50_000).digest
    reason = {"code": "MANIFEST_INVALID", "detail": {"message": f"Unknown blob `{base}`"}, "message": "manifest invalid"}
    answer = json.dumps({"errors": [reason]})
    destination.faults.append(Fault("PUT", "/manifests/v1", "status", status=400, body=answer))
    pair = request((source, "app:v1"), (destination, "app:v1"))
    assert copied(run(pair))
    assert destination.count(method="PUT", path="/manifests/v1") == 2
    assert has(destination, "app", family(1))
