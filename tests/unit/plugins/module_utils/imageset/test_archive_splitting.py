# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No file of an archive is larger than archiveSize, headers and end marks included; what is too large by itself is told of."""

from __future__ import annotations

import tarfile
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.core.archives import TarIndex
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_chunks import Chunks
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_files import WorkingFile
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_writer import (
    archive_limit,
    check_space,
    estimate,
)
from ansible_collections.quayside.airgap.tests.support.images import image, layer, simple_image
from ansible_collections.quayside.airgap.tests.unit.plugins.archives import Disk
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import copied, has

APP = simple_image("app", layers=6, size=20_000)
REUSED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


@pytest.fixture
def source(start):
    registry = start()
    registry.load("lab/app", "v1", APP)
    return registry


@pytest.fixture
def target(start):
    return start()


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path / "connected", limit=72 << 10)


def sizes(disk):
    return [(disk.folder / name).stat().st_size for name in disk.chunks]


def test_files_are_filled_up_to_the_limit(source, target, disk, tmp_path):
    result, _report = disk.fill(source, "lab/app:v1")
    assert result.warnings == ()
    assert [path.name for path in result.paths] == disk.chunks
    assert 3 <= len(disk.chunks) <= 4  # two layers of 30 KB each
    assert max(sizes(disk)) <= disk.limit
    assert result.size == sum(sizes(disk))
    assert copied(disk.move(tmp_path / "other").empty(target, "lab/app:v1"))
    assert has(target, "lab/app", APP)


def test_fewer_files_than_before_leave_none_of_the_old_ones(source, disk):
    disk.fill(source, "lab/app:v1")
    source.load("lab/tiny", "v1", simple_image("tiny", layers=1, size=100))
    disk.fill(source, "lab/app:v1", "lab/tiny:v1")
    assert disk.chunks == ["mirror_000001.tar"]
    assert disk.reader().contents.archive.sequence == 2


def test_what_is_too_large_has_a_file_of_its_own(source, target, disk):
    large = image([layer("large", 80_000)])
    source.load("lab/large", "v1", large)
    result, _report = disk.fill(source, "lab/large:v1", "lab/app:v1")
    (digest,) = [blob.digest for blob in large.all_blobs().values() if blob.size > 80_000]
    (warning,) = result.warnings
    assert f"the blob {digest} of lab/large has" in warning
    assert "more than archiveSize (73728 bytes) allows" in warning
    assert [size for size in sizes(disk) if size > disk.limit] == [max(sizes(disk))]
    holder = next(path for path in result.paths if path.stat().st_size > disk.limit)
    with tarfile.open(holder) as archive:
        assert len(archive.getmembers()) == 2  # and the label
    assert copied(disk.empty(target, "lab/large:v1", "lab/app:v1"))


def test_with_a_strict_limit_it_fails_and_the_sufficient_size_is_named(source, disk):
    large = image([layer("large", 80_000)])
    source.load("lab/large", "v1", large)
    disk.strict = True
    result, report = disk.fill(source, "lab/large:v1", "lab/app:v1")
    assert [outcome.state for outcome in report.outcomes] == ["failed", "copied"]
    assert "of lab/large into an archive: with" in report.outcomes[0].reason
    assert "strict_archive allows no larger file. Set archiveSize to 1 or more." in report.outcomes[0].reason
    assert max(sizes(disk)) <= disk.limit
    assert result.changed


def test_where_sizes_are_known_nothing_is_written_before_they_are_checked(disk, tmp_path):
    disk.strict, disk.limit = True, archive_limit(2)
    sizes_of = {f"sha256:{number:064x}": number << 30 for number in (1, 3, 5)}
    with (
        disk.writer() as writer,
        pytest.raises(FileError, match=rf"the blob sha256:{5:064x} into an archive: with 5.00 GiB.*archiveSize to 6"),
    ):
        writer.expect(sizes_of)
    assert disk.chunks == []


def test_the_smallest_sufficient_size_is_sufficient(tmp_path):
    """A GiB of content needs a little more than a GiB."""
    with pytest.raises(FileError, match="Set archiveSize to 2 or more"):
        Chunks(tmp_path, 1 << 30, strict=True, time=0).check(1 << 30, "x", "x")
    Chunks(tmp_path, 2 << 30, strict=True, time=0).check(1 << 30, "x", "x")


def test_large_files_of_the_working_directory_count_too(source, disk):
    disk.files = [WorkingFile("large", bytes(80_000)), WorkingFile("small", b"x")]
    result, _report = disk.fill(source, "lab/app:v1")
    assert "working-dir/large has" in result.warnings[0]
    disk.strict = True
    disk.files = [WorkingFile("larger", bytes(81_000))]
    before = disk.members
    with pytest.raises(FileError, match="working-dir/larger into an archive"):
        disk.fill(source, "lab/app:v1")
    assert disk.members == before  # the old archive


def test_the_default_size_is_that_of_oc_mirror():
    assert archive_limit(0) == 500 << 30
    assert archive_limit(4) == 4 << 30


def test_space_is_checked_with_both_figures_in_the_message(tmp_path):
    check_space(tmp_path, 1)
    with pytest.raises(FileError, match=r"it will have about 1048576.00 GiB, and [0-9.]+ GiB are free"):
        check_space(tmp_path, 1 << 50)


def test_the_estimate_is_not_exceeded(source, disk):
    result, _report = disk.fill(source, "lab/app:v1")
    assert result.size <= estimate((blob.size for blob in APP.all_blobs().values()), images=1) <= result.size + (5 << 20)


# --- any sizes


@REUSED_FOLDER
@given(
    limit=st.integers(8, 40).map(lambda blocks: blocks * 512),
    blobs=st.lists(st.integers(0, 12_000), max_size=25),
    failing=st.sets(st.integers(0, 24)),
    small=st.lists(st.integers(0, 100), max_size=40),
)
def test_whatever_the_sizes_every_file_keeps_the_limit_and_has_what_came_into_it(tmp_path, limit, blobs, failing, small):
    for left in tmp_path.iterdir():  # by an example that failed
        left.unlink()
    chunks = Chunks(tmp_path, limit, strict=False, time=0)
    expected, regions = {}, {}
    for number, size in enumerate(blobs):
        content = bytes([number]) * size
        region = chunks.reserve(f"blob-{number}", size)
        if number in failing:
            with pytest.raises(FileError):
                chunks.write(region, [content, b"too much"])
            chunks.release(region)
        else:
            chunks.write(region, [content[: size // 2], content[size // 2 :]])
            expected[f"blob-{number}"], regions[f"blob-{number}"] = content, region
    before = chunks.size
    for name in chunks.fill_holes(regions):
        chunks.release(regions[name])
    chunks.trim()
    assert chunks.size <= before
    members = {f"small-{number}": b"s" * size for number, size in enumerate(small)}
    placed = chunks.append(members.items())
    chunks.finish(lambda chunk: b"label".ljust(512))
    found, where = {}, {}
    for chunk in chunks.numbers:
        with tarfile.open(chunks.path(chunk)) as archive:
            for member in archive:
                if not member.name.startswith("quayside-"):
                    assert member.name not in found
                    found[member.name] = archive.extractfile(member).read()
                    where[member.name] = chunk
            alone = len([name for name in archive.getnames() if name != "quayside-chunk.json"]) <= 1
        assert chunks.path(chunk).stat().st_size <= limit or alone
    assert found == {**expected, **members}
    assert [where[name] for name in members] == placed
    assert chunks.size == sum(chunks.path(chunk).stat().st_size for chunk in chunks.numbers)
    chunks.discard()
    assert list(tmp_path.iterdir()) == []


def test_many_threads_write_at_once(tmp_path):
    chunks = Chunks(tmp_path, 1 << 20, strict=False, time=0)
    threads = []

    def write(number):
        for part in range(10):
            size = (number * 7919 + part * 104_729) % 90_000
            chunks.write(chunks.reserve(f"{number}-{part}", size), [bytes([number]) * size])

    for number in range(8):
        threads.append(threading.Thread(target=write, args=(number,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    chunks.finish(lambda chunk: b"".ljust(512))
    found = {}
    for chunk in chunks.numbers:
        with tarfile.open(chunks.path(chunk)) as archive:
            found.update({member.name: archive.extractfile(member).read() for member in archive if "-" in member.name[:3]})
    assert len(found) == 80
    assert all(set(content) <= {int(name.partition("-")[0])} for name, content in found.items())


def test_a_hole_of_any_size_is_covered(tmp_path):
    """As a blob of nine gibibytes leaves it when it fails."""
    chunks = Chunks(tmp_path, 500 << 30, strict=False, time=0)
    lost, kept = chunks.reserve("lost", 9 << 30), chunks.reserve("kept", 4)
    chunks.write(kept, [b"kept"])
    chunks.release(lost)
    chunks.finish(lambda _chunk: bytes(512))
    assert TarIndex.read(chunks.path(1)).read_member("kept", limit=4) == b"kept"
