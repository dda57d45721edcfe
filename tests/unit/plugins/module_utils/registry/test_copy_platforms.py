# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some images of an index only: sparse where the registry takes that, rewritten where it does not."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import FAILED, UNCHANGED
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.images import index, multi_arch, simple_image
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import (
    blob_reads,
    blob_writes,
    copied,
    has,
    manifest_writes,
    request,
    run,
    states,
)

MANY = multi_arch("many")
AMD, ARM64, ARM = MANY.children


@pytest.fixture(params=["sparse", "rewritten"])
def kind(request):
    return request.param


@pytest.fixture
def source(start):
    registry = start()
    registry.load("app", "v1", MANY)
    return registry


@pytest.fixture
def destination(start, kind):
    """A registry that takes an index some of whose images are missing, or one that does not."""
    return start(sparse_indexes=kind == "sparse")


def ask(source, destination, *platforms, tag="v1"):
    return request((source, f"app:{tag}"), (destination, f"app:{tag}"), platforms=platforms)


def test_only_the_chosen_image_is_moved(source, destination, kind):
    report = run(ask(source, destination, "linux/amd64"))
    assert copied(report)
    (outcome,) = report.outcomes
    assert outcome.index == kind
    assert has(destination, "app", AMD)
    assert sorted(blob_writes(destination)) == sorted(AMD.all_blobs())
    assert ARM.digest not in destination.manifests("app")
    stored = destination.manifests("app")[destination.tags("app")["v1"]]
    assert outcome.digest == stored.digest
    if kind == "sparse":
        assert stored.digest == MANY.digest
    else:
        assert [child["digest"] for child in stored.parsed["manifests"]] == [AMD.digest]


def test_a_second_run_changes_nothing(source, destination, kind):
    run(ask(source, destination, "linux/amd64"))
    source.reset_log()
    destination.reset_log()
    report = run(ask(source, destination, "linux/amd64"))
    assert states(report) == [UNCHANGED]
    assert report.outcomes[0].index == kind
    assert report.outcomes[0].digest == destination.tags("app")["v1"]
    assert destination.writes == []
    assert [asked.method for asked in source.requests if asked.path != "/v2/"] == ["GET"]
    looked = [asked.method for asked in destination.requests if asked.path != "/v2/"]
    assert looked == (["HEAD", "HEAD"] if kind == "sparse" else ["HEAD"])


def test_another_platform_is_added_when_it_is_asked_for(source, destination, kind):
    run(ask(source, destination, "linux/amd64"))
    destination.reset_log()
    report = run(ask(source, destination, "linux/amd64", "linux/arm/v7"))
    assert copied(report)
    assert has(destination, "app", AMD)
    assert has(destination, "app", ARM)
    assert sorted(blob_writes(destination)) == sorted(set(ARM.all_blobs()) - set(AMD.all_blobs()))
    assert states(run(ask(source, destination, "linux/amd64", "linux/arm/v7"))) == [UNCHANGED]


def test_everything_may_be_asked_for_later(source, destination, kind):
    run(ask(source, destination, "linux/amd64"))
    report = run(ask(source, destination))
    if kind == "rewritten":
        assert copied(report)
        assert has(destination, "app", MANY)
    # a sparse index has the digest of the whole one: nobody can tell from it what is missing
    assert destination.tags("app")["v1"] == MANY.digest


def test_fewer_platforms_than_are_there_change_nothing_that_is_needed(source, destination, kind):
    run(ask(source, destination))
    destination.reset_log()
    report = run(ask(source, destination, "linux/arm64"))
    assert states(report) == [UNCHANGED]
    assert destination.writes == []


def test_all_platforms_by_name_are_the_whole_index(source, destination):
    report = run(ask(source, destination, "linux/amd64", "linux/arm64", "linux/arm/v7"))
    assert copied(report)
    assert report.outcomes[0].index == ""
    assert has(destination, "app", MANY)
    assert destination.tags("app")["v1"] == MANY.digest


def test_a_new_version_moves_the_chosen_image_only(source, destination, kind):
    run(ask(source, destination, "linux/amd64"))
    newer = index([simple_image("newer"), ARM64, ARM])
    source.load("app", "v1", newer)
    destination.reset_log()
    report = run(ask(source, destination, "linux/amd64"))
    assert copied(report)
    assert report.outcomes[0].index == kind
    assert sorted(blob_writes(destination)) == sorted(newer.children[0].all_blobs())


def test_a_platform_that_is_not_there_is_a_failure_that_names_those_that_are(source, destination):
    report = run(ask(source, destination, "linux/amd64", "linux/s390x"))
    assert [outcome.state for outcome in report.outcomes] == [FAILED]
    assert "linux/s390x" in report.outcomes[0].reason
    assert "linux/amd64, linux/arm/v7, linux/arm64" in report.outcomes[0].reason
    assert destination.writes == []


def test_an_image_that_is_no_index_has_the_one_platform_that_it_has(source, destination):
    source.load("app", "single", simple_image("single"))
    report = run(ask(source, destination, "linux/arm64", tag="single"))
    assert copied(report)
    assert report.outcomes[0].index == ""


def test_attestations_come_with_their_image(source, destination, kind):
    attested = multi_arch("attested", attestations=True)
    source.load("app", "v1", attested)
    assert copied(run(ask(source, destination, "linux/amd64"), signatures="copy"))
    found = set(destination.manifests("app"))
    assert {attested.children[0].digest, attested.children[3].digest} <= found
    assert attested.children[1].digest not in found
    assert attested.children[4].digest not in found


def test_a_docker_list_is_limited_as_well(source, destination, kind):
    listed = multi_arch("listed", fmt="docker")
    source.load("app", "v1", listed)
    report = run(ask(source, destination, "linux/arm/v7"))
    assert copied(report)
    assert report.outcomes[0].index == kind
    stored = destination.manifests("app")[destination.tags("app")["v1"]]
    assert stored.media_type == listed.media_type
    assert has(destination, "app", listed.children[2])


def test_what_was_rewritten_once_is_the_same_the_next_time(source, start):
    first, second = start(), start()
    run(ask(source, first, "linux/amd64"))
    run(ask(source, second, "linux/amd64"))
    assert first.tags("app") == second.tags("app")


def test_a_digest_is_limited_under_the_tag_that_stands_for_it(source, destination, kind):
    asked = request((source, f"app@{MANY.digest}"), (destination, "app:stable"), platforms=["linux/amd64"])
    report = run(asked)
    assert copied(report)
    assert report.outcomes[0].index == kind
    assert states(run(asked)) == [UNCHANGED]


def test_without_a_tag_a_rewritten_index_goes_under_its_own_digest(source, start):
    destination = start()
    asked = request((source, f"app@{MANY.digest}"), (destination, f"app@{MANY.digest}"), platforms=["linux/amd64"])
    report = run(asked)
    assert copied(report)
    assert report.outcomes[0].index == "rewritten"
    assert report.outcomes[0].digest in destination.manifests("app")
    assert destination.verify() == []


def test_two_destinations_may_differ_in_what_they_take(source, start):
    takes, refuses = start(sparse_indexes=True), start()
    asked = request((source, "app:v1"), (takes, "app:v1"), (refuses, "app:v1"), platforms=["linux/amd64"])
    report = run(asked)
    assert copied(report)
    assert [outcome.index for outcome in report.outcomes] == ["sparse", "rewritten"]
    assert blob_reads(source) == len(AMD.all_blobs())
    assert states(run(asked)) == [UNCHANGED] * 2


def test_a_refusal_for_another_reason_is_not_answered_by_rewriting(source, start):
    destination = start(sparse_indexes=True)
    destination.faults.append(Fault("PUT", "/manifests/v1", "status", status=403, times=None))
    report = run(ask(source, destination, "linux/amd64"))
    assert [outcome.state for outcome in report.outcomes] == [FAILED]
    assert "403" in report.outcomes[0].reason
    assert destination.count(method="PUT", path="/manifests/v1") == 1


def test_an_image_of_an_index_may_be_an_index(source, destination):
    """Platforms are looked for in the first index; what is below a chosen one comes whole."""
    source.load("app", "v1", index([MANY, simple_image("beside", platform="linux/s390x")]))
    report = run(ask(source, destination, "linux/s390x"))
    assert copied(report)
    assert MANY.digest not in destination.manifests("app")
    assert len([name for name in manifest_writes(destination) if "@" in name]) == 1
