# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sequence of archives: each has what is new, says what it expects, and is loaded after those before it."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_files import WorkingFile
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED, UNCHANGED
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.images import (
    cosign_signature,
    cosign_tag,
    image,
    index,
    layer,
    simple_image,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.archives import IMAGE_SET, Disk
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import blob_reads, blob_writes, copied, has, mounts, states

BASE = layer("base", 5000)
FIRST = image([BASE, layer("first", 1000)])
SECOND = image([BASE, layer("second", 1000)])


@pytest.fixture
def source(start):
    registry = start()
    registry.load("lab/first", "v1", FIRST)
    registry.load("lab/second", "v1", SECOND)
    return registry


@pytest.fixture
def target(start):
    return start()


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path / "connected")


def digests(*images):
    return {digest for one in images for digest in (one.digest, *one.all_blobs())}


def test_an_increment_has_what_is_new(source, disk):
    first, _report = disk.fill(source, "lab/first:v1")
    assert (first.sequence, first.blobs, first.expected) == (1, 4, 0)
    assert disk.history.base().digests == digests(FIRST)
    source.reset_log()
    second, report = disk.fill(source, "lab/first:v1", "lab/second:v1")
    assert (second.sequence, second.blobs) == (2, 3)
    assert second.expected == 3  # blobs of the first
    assert blob_reads(source) == 2
    assert states(report) == [COPIED, COPIED]
    # manifests are in every archive: without them nobody could tell what an image needs
    assert disk.blobs == (digests(SECOND) - {BASE.digest}) | {FIRST.digest}
    assert disk.history.base().digests == digests(FIRST, SECOND)
    contents = disk.reader().contents
    assert contents.expected == dict.fromkeys(FIRST.all_blobs(), 1)
    assert [archive.id for archive in contents.previous] == [first.id]


def test_increments_are_loaded_one_after_the_other(source, target, disk, tmp_path):
    disk.fill(source, "lab/first:v1")
    first = disk.move(tmp_path / "first")
    disk.fill(source, "lab/first:v1", "lab/second:v1")
    second = disk.move(tmp_path / "second")
    assert copied(first.empty(target, "lab/first:v1"))
    target.reset_log()
    assert states(second.empty(target, "lab/first:v1", "lab/second:v1")) == [UNCHANGED, COPIED]
    assert has(target, "lab/second", SECOND)
    # what both have is not in the second archive: the registry links it from where the first one brought it
    assert BASE.digest in mounts(target)
    assert set(blob_writes(target)) == set(SECOND.all_blobs()) - {BASE.digest}


def test_an_image_under_a_new_name_needs_nothing_from_the_earlier_archive(source, target, disk, tmp_path):
    disk.fill(source, "lab/first:v1")
    disk.move(tmp_path / "first").empty(target, "lab/first:v1")
    result, _report = disk.fill(source, "lab/first:v1", "lab/first:v1=other/place:v2")
    assert (result.changed, result.blobs) == (True, 0)
    assert states(disk.empty(target, "lab/first:v1", "other/place:v2")) == [UNCHANGED, COPIED]
    assert has(target, "other/place", FIRST)


def test_a_blob_comes_again_when_the_repository_that_has_it_is_no_longer_mirrored(source, target, disk, tmp_path):
    disk.fill(source, "lab/first:v1")
    disk.move(tmp_path / "first").empty(target, "lab/first:v1")
    result, _report = disk.fill(source, "lab/second:v1")
    assert (result.blobs, result.expected) == (4, 0)
    assert disk.blobs == digests(SECOND)
    assert copied(disk.empty(target, "lab/second:v1"))
    assert has(target, "lab/second", SECOND)
    assert not disk.fill(source, "lab/second:v1")[0].changed
    assert disk.history.base().digests == digests(FIRST, SECOND)


def test_an_index_of_old_and_new_images(source, target, disk, tmp_path):
    source.load("lab/index", "v1", index([FIRST]))
    both = index([FIRST, SECOND])
    disk.fill(source, "lab/index:v1")
    disk.move(tmp_path / "first").empty(target, "lab/index:v1")
    source.load("lab/index", "v1", both)
    disk.fill(source, "lab/index:v1")
    assert copied(disk.empty(target, "lab/index:v1"))
    assert has(target, "lab/index", both)


def test_what_is_missing_is_named_with_its_archive(source, target, disk, tmp_path):
    _first, _report = disk.fill(source, "lab/first:v1")
    disk.fill(source, "lab/first:v1", "lab/second:v1")
    report = disk.empty(target, "lab/first:v1", "lab/second:v1")
    assert [outcome.state for outcome in report.outcomes] == ["failed", "failed"]
    made = disk.reader().contents.previous[0].created
    for outcome in report.outcomes:
        assert f"is in archive 1 of the sequence (made {made}), and this is archive 2" in outcome.reason
        assert "Load archive 1 into this destination first" in outcome.reason


def test_a_missing_archive_costs_only_the_images_that_need_it(source, target, disk):
    own = simple_image("own")
    source.load("lab/own", "v1", own)
    disk.fill(source, "lab/first:v1")
    disk.fill(source, "lab/first:v1", "lab/own:v1")
    assert [outcome.state for outcome in disk.empty(target, "lab/first:v1", "lab/own:v1").outcomes] == ["failed", "copied"]
    assert has(target, "lab/own", own)


def test_signatures_of_unchanged_images_are_unchanged(source, target, disk, tmp_path):
    source.load("lab/first", cosign_tag(FIRST.digest), cosign_signature(FIRST))
    disk.fill(source, "lab/first:v1")
    disk.move(tmp_path / "first").empty(target, "lab/first:v1")
    disk.fill(source, "lab/first:v1", "lab/second:v1")
    target.reset_log()
    report = disk.empty(target, "lab/first:v1", signatures="require")
    assert states(report) == [UNCHANGED]
    assert report.outcomes[0].notes == []
    assert target.writes == []


def test_a_signature_made_later_comes_with_the_next_increment(source, target, disk, tmp_path):
    disk.fill(source, "lab/first:v1")
    disk.move(tmp_path / "first").empty(target, "lab/first:v1")
    signature = cosign_signature(FIRST)
    source.load("lab/first", cosign_tag(FIRST.digest), signature)
    result, _report = disk.fill(source, "lab/first:v1")
    assert result.blobs == len(digests(signature))
    assert states(disk.empty(target, "lab/first:v1")) == [COPIED]
    assert has(target, "lab/first", signature)


# --- nothing new


def test_an_unchanged_set_makes_no_archive(source, disk):
    disk.files = [WorkingFile("a.json", b"{}"), WorkingFile("logs/1.log", b"1", volatile=True)]
    disk.fill(source, "lab/first:v1")
    before = {name: (disk.folder / name).read_bytes() for name in disk.chunks}
    history = disk.history.base().name
    source.reset_log()
    disk.files = [WorkingFile("a.json", b"{}"), WorkingFile("logs/2.log", b"2", volatile=True)]
    result, _report = disk.fill(source, "lab/first:v1")
    assert not result.changed
    assert blob_reads(source) == 0
    assert {name: (disk.folder / name).read_bytes() for name in disk.chunks} == before
    assert disk.history.base().name == history
    assert disk.leftovers == []


@pytest.mark.parametrize(
    "change",
    [
        {"files": [WorkingFile("a.json", b"[]")]},
        {"files": [WorkingFile("b.json", b"{}")]},
        {"files": []},
        {"image_set": IMAGE_SET + b"# more\n"},
        {"image_set": None},
        {"names": ["lab/first:v1", "lab/first:v1=lab/first:v2"]},
    ],
)
def test_a_changed_set_without_new_blobs_makes_one_without_blobs(source, disk, change):
    disk.files = [WorkingFile("a.json", b"{}")]
    disk.fill(source, "lab/first:v1", "lab/second:v1")
    for name, value in change.items():
        if name != "names":
            setattr(disk, name, value)
    source.reset_log()
    result, _report = disk.fill(source, *change.get("names", ["lab/first:v1", "lab/second:v1"]))
    assert (result.changed, result.sequence, result.blobs) == (True, 2, 0)
    assert disk.blobs <= {FIRST.digest, SECOND.digest}
    assert blob_reads(source) == 0
    assert disk.history.base().digests == digests(FIRST, SECOND)


def test_an_archive_with_nothing_new_does_not_replace_a_whole_one_when_images_failed(source, disk):
    disk.fill(source, "lab/first:v1", "lab/second:v1")
    source.faults.append(Fault("GET", "/lab/second/manifests/", "status", status=403, times=None))
    result, report = disk.fill(source, "lab/first:v1", "lab/second:v1")
    assert [outcome.state for outcome in report.outcomes] == ["copied", "failed"]
    assert not result.changed
    assert disk.reader().contents.archive.sequence == 1
    assert disk.leftovers == []


# --- since


def test_since_builds_upon_an_older_history(source, disk):
    disk.fill(source, "lab/first:v1")
    tomorrow = datetime.now(timezone.utc).date() + timedelta(days=1)
    disk.since = tomorrow
    assert not disk.fill(source, "lab/first:v1")[0].changed
    disk.since = date(2026, 1, 1)  # before everything: full again
    result, _report = disk.fill(source, "lab/first:v1")
    assert (result.sequence, result.blobs, result.expected) == (2, 4, 0)
    assert disk.blobs == digests(FIRST)
    disk.since = None
    result, _report = disk.fill(source, "lab/first:v1", "lab/second:v1")
    assert disk.reader().contents.expected == dict.fromkeys(FIRST.all_blobs(), 2)


def test_an_increment_upon_archives_of_oc_mirror(source, target, disk):
    disk.history.write(".history-2026-01-01T00:00:00Z", digests(FIRST))
    result, _report = disk.fill(source, "lab/first:v1", "lab/second:v1")
    assert (result.sequence, result.blobs) == (1, 3)
    outcome = disk.empty(target, "lab/first:v1").outcomes[0]
    assert "is in an archive of oc-mirror, from before the first one of this sequence, and this is archive 1" in outcome.reason
