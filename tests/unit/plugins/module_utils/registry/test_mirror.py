# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole task of mirroring, from what the user says to what the user reads."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.mirror import MirrorTask, mirror
from ansible_collections.quayside.airgap.plugins.module_utils.registry.selection import Patterns, Selection, Shard
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault, User
from ansible_collections.quayside.airgap.tests.support.images import (
    cosign_signature,
    cosign_tag,
    image,
    layer,
    multi_arch,
    simple_image,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import blob_writes, has
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOT, BOTS

OPEN = SideOptions(TlsSettings(verify=False))
LOGIN = SideOptions(TlsSettings(verify=False), BOT)
APP, WEB, MANY = simple_image("app"), simple_image("web"), multi_arch("many")


@pytest.fixture(autouse=True)
def no_credentials_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def source(start):
    registry = start()
    registry.load("prod/app", "v1", APP)
    registry.load("prod/app", "v2", simple_image("app2"))
    registry.load("prod/web", "v1", WEB)
    registry.load("dev/many", "v1", MANY)
    return registry


@pytest.fixture
def destination(start):
    return start()


def go(*, side=OPEN, other=OPEN, **options):
    words = {field.name for field in fields(Selection)} & set(options)
    selection = Selection(**{name: options.pop(name) for name in words})
    return mirror(MirrorTask(selection, side, other, WireOptions(retries=0), **{"registries_conf": "", **options}))


def places(result, state):
    return sorted(str(outcome.destination).partition("/")[2] for outcome in result.report.outcomes if outcome.state == state)


def test_some_images_from_one_place_to_another(source, destination):
    both = {"source": f"{source.host}/prod", "destinations": [f"{destination.host}/mirror"]}
    result = go(images=["app:v1", {"source": "web:v1", "destination": "w/w:x"}], **both)
    assert result.failures == result.warnings == []
    assert result.changed
    assert destination.tags("mirror/app") == {"v1": APP.digest}
    assert destination.tags("mirror/w/w") == {"x": WEB.digest}
    assert not go(images=["app:v1"], **both).changed


def test_everything_there_is_to_two_places(start, source, destination):
    other = start()
    result = go(source=source.host, destinations=[destination.host, f"{other.host}/copy"], discover=Patterns())
    assert result.failures == []
    for prefix, registry in (("", destination), ("copy/", other)):
        assert has(registry, f"{prefix}dev/many", MANY)
        assert set(registry.tags(f"{prefix}prod/app")) == {"v1", "v2"}
    assert result.totals()["images"] == 8
    assert result.totals()["bytes_pushed"] == 2 * result.totals()["bytes_pulled"]


def test_the_results_are_what_the_documentation_says(source, destination):
    results = go(source=source.host, destinations=[destination.host], images=["prod/app:v1"]).as_results()
    json.dumps(results)
    (found,) = results["images"]
    assert set(results) == {"changed", "images", "totals", "diff"}
    assert set(found) == {"source", "destination", "digest", "state", "reason", "bytes", "blobs", "index", "companions", "notes", "elapsed"}
    assert set(results["totals"]) == {
        "images",
        "copied",
        "unchanged",
        "failed",
        "not_attempted",
        "bytes_pulled",
        "bytes_pushed",
        "blobs_moved",
        "blobs_mounted",
        "blobs_skipped",
        "elapsed",
    }
    name = f"{destination.host}/prod/app:v1"
    assert results["diff"] == {"before": {name: ""}, "after": {name: APP.digest}}


def test_check_mode_says_what_would_be_done_and_does_nothing(source, destination):
    destination.refuse_writes = True
    foretold = go(source=source.host, destinations=[destination.host], discover=Patterns(), dry_run=True)
    assert destination.refused == []
    assert foretold.changed
    destination.refuse_writes = False
    done = go(source=source.host, destinations=[destination.host], discover=Patterns())

    def told(result):
        totals = result.totals()
        totals.pop("elapsed")
        return totals, result.as_results()["diff"]

    assert told(foretold) == told(done)
    assert not go(source=source.host, destinations=[destination.host], discover=Patterns(), dry_run=True).changed


def test_check_mode_needs_no_repository_and_creates_none(start, source):
    """Quay creates a repository for whoever asks for a token to push to it."""
    destination = start(auth="token", users=BOTS)
    result = go(source=source.host, destinations=[destination.host], images=["prod/app:v1"], other=LOGIN, dry_run=True)
    assert result.failures == []
    assert result.changed
    scopes = [scope for asked in destination.select(path="/v2/auth") for scope in asked.query.get("scope", [])]
    assert scopes != []
    assert not any("push" in scope for scope in scopes)


def test_without_skip_broken_the_first_failure_ends_it(source, destination):
    source.lose_blob("prod/app", next(iter(APP.all_blobs())))
    result = go(source=source.host, destinations=[destination.host], images=["prod/gone:v1", "prod/web:v1"])
    assert places(result, "failed") == ["prod/gone:v1"]
    assert places(result, "not_attempted") == ["prod/web:v1"]
    assert destination.writes == []
    assert result.message().startswith("1 of 2 images could not be copied: ")
    assert "MANIFEST_UNKNOWN" in result.message()
    assert result.message().endswith("Of the others: 1 not attempted.")


def test_with_skip_broken_everything_else_is_done(source, destination):
    source.lose_blob("prod/app", next(iter(APP.all_blobs())))
    destination.load("prod/web", "v1", WEB)
    images = ["prod/gone:v1", "prod/app:v1", "prod/web:v1", "dev/many:v1"]
    result = go(source=source.host, destinations=[destination.host], images=images, skip_broken=True)
    assert places(result, "failed") == ["prod/app:v1", "prod/gone:v1"]
    assert places(result, "copied") == ["dev/many:v1"]
    assert places(result, "unchanged") == ["prod/web:v1"]
    assert len(result.failures) == 2
    assert result.message().startswith("2 of 4 images could not be copied: ")
    assert result.message().endswith("Of the others: 1 copied, 1 already there.")
    assert result.changed


def test_a_repository_that_cannot_be_listed_stops_a_run_that_must_be_whole(source, destination):
    images = ["prod/ghost", "prod/web:v1"]
    result = go(source=source.host, destinations=[destination.host], images=images)
    assert "prod/ghost" in result.message()
    assert destination.writes == []
    result = go(source=source.host, destinations=[destination.host], images=images, skip_broken=True)
    assert places(result, "copied") == ["prod/web:v1"]
    assert len(result.failures) == 1


def test_a_single_failure_is_told_without_counting(source, destination):
    result = go(source=source.host, destinations=[destination.host], images=["prod/gone:v1"])
    assert result.message() == f"{source.host}/prod/gone:v1 -> {destination.host}/prod/gone:v1: {result.report.outcomes[0].reason}"


def test_a_hundred_failures_are_not_told_in_full(source, destination):
    images = [f"prod/gone{number}:v1" for number in range(30)]
    message = go(source=source.host, destinations=[destination.host], images=images, skip_broken=True).message()
    assert message.startswith("30 of 30 images could not be copied: ")
    assert "(20 more in the results)" in message
    assert message.count("MANIFEST_UNKNOWN") == 10


def test_a_source_without_a_catalog_says_what_to_do(start, destination):
    with pytest.raises(AirgapError) as caught:
        go(source=start(catalog=False).host, destinations=[destination.host], discover=Patterns())
    assert "name them with the option images" in str(caught.value)


def test_discovery_finds_only_what_the_credentials_may_read(start, destination):
    source = start(auth="token", users={"bot": User("secret", {"mine/*": "pull"})})
    source.load("mine/app", "v1", APP)
    source.load("theirs/app", "v1", WEB)
    result = go(source=source.host, destinations=[destination.host], discover=Patterns(), side=LOGIN)
    assert places(result, "copied") == ["mine/app:v1"]


def test_parts_of_the_work_make_the_whole(source, destination):
    for index in range(3):
        result = go(source=source.host, destinations=[destination.host], discover=Patterns(), shard=Shard(index, 3))
        assert result.failures == []
    assert set(destination.repositories) == {"prod/app", "prod/web", "dev/many"}
    assert sorted(blob_writes(destination)) == sorted(source.blobs)


def test_signatures_are_no_images_of_their_own(source, destination):
    source.load("prod/web", cosign_tag(WEB.digest), cosign_signature(WEB))
    result = go(source=f"{source.host}/prod", destinations=[destination.host], images=["web"])
    assert [outcome.companions for outcome in result.report.outcomes] == [[cosign_tag(WEB.digest)]]


def test_progress_is_written_where_it_was_asked_for(source, destination, tmp_path):
    path = tmp_path / "progress.json"
    go(source=source.host, destinations=[destination.host], discover=Patterns(), progress_file=str(path))
    state = json.loads(path.read_text())
    assert (state["items_done"], state["items_total"]) == (4, 4)


@pytest.mark.parametrize("name", ["missing.conf", "broken.conf"])
def test_a_registries_conf_of_no_use_ends_it_before_it_begins(source, destination, tmp_path, name):
    (tmp_path / "broken.conf").write_text("[[registry]]\nlocation =\n")
    with pytest.raises(AirgapError, match=name):
        go(source=source.host, destinations=[destination.host], images=["prod/app:v1"], registries_conf=str(tmp_path / name))
    assert source.requests == destination.requests == []


def test_wrong_words_are_refused_before_anything_is_asked(source, destination):
    with pytest.raises(InputError, match=r"images\[1\]"):
        go(source=source.host, destinations=[destination.host], images=["prod/app:v1", "prod/App:v1"])
    assert source.requests == destination.requests == []


def test_the_limit_on_parallel_work_holds_for_the_whole_task(source, destination):
    source.latency = destination.latency = 0.002
    selection = Selection(source=source.host, destinations=[destination.host], discover=Patterns())
    mirror(MirrorTask(selection, OPEN, OPEN, WireOptions(parallel=2), registries_conf=""))
    assert source.peak <= 2
    assert destination.peak <= 2


def test_a_destination_that_refuses_one_layer_keeps_the_image_and_nothing_else(source, destination):
    shared = layer("shared", 500)
    source.load("x/one", "v1", image([shared, layer("one", 500)]))
    source.load("x/two", "v1", image([shared, layer("two", 500)]))
    own = image([shared, layer("two", 500)]).blobs[1].digest
    destination.faults.append(Fault("POST|PUT", own.replace(":", "(:|%3A)"), "status", status=403, times=None))
    result = go(source=source.host, destinations=[destination.host], images=["x/one:v1", "x/two:v1"], skip_broken=True)
    assert places(result, "copied") == ["x/one:v1"]
    assert places(result, "failed") == ["x/two:v1"]
    assert own in result.message()
