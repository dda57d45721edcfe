# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is broken off, wherever it was: the old archive is in its place, and the next run goes on."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import CancelledError, FileError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_files import WorkingFile
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_journal import Decision
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_reader import ArchiveReader
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import ImageSet
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import ImageSetTask, route_of
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.workflow_archive import ArchiveRun
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.images import image, layer, simple_image
from ansible_collections.quayside.airgap.tests.unit.plugins.archives import Disk, copy_to
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import blob_reads, copied, has

OLD = simple_image("old")
APP = image([layer(f"app/{number}", 30_000 * (number + 1)) for number in range(6)])
LARGE = image([layer("large", 3 << 20)])
JOURNAL = ".mirror-journal"

CHILD = """
import sys
from pathlib import Path
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.tests.unit.plugins.archives import Disk
class Source:
    host = sys.argv[2]
Disk(Path(sys.argv[1]), sync_seconds=0).fill(Source, *sys.argv[3:], parallel=2)
"""


@pytest.fixture
def source(start):
    registry = start()
    registry.load("lab/old", "v1", OLD)
    registry.load("lab/app", "v1", APP)
    registry.load("lab/large", "v1", LARGE)
    return registry


@pytest.fixture
def target(start):
    return start()


@pytest.fixture
def disk(tmp_path, source):
    """With an archive in it."""
    made = Disk(tmp_path / "connected", sync_seconds=0)
    made.fill(source, "lab/old:v1")
    source.reset_log()
    return made


def journalled(disk):
    path = disk.folder / JOURNAL
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["blob"] for line in lines if line.endswith("}") and "blob" in json.loads(line)]


def check_old(disk):
    """The old archive is where it was, and as it was."""
    assert disk.reader().contents.archive.sequence == 1
    assert disk.reader().repositories == ["lab/old"]


def test_a_killed_run_is_gone_on_with(source, target, disk):
    lost = max(APP.all_blobs().values(), key=lambda blob: blob.size).digest
    source.faults.append(Fault("GET", f"/blobs/{lost}", "stall", after_bytes=1000, times=None))
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(disk.folder), source.host, "lab/app:v1"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
    )
    try:
        end = time.monotonic() + 30
        while len(journalled(disk)) < 6 and time.monotonic() < end and child.poll() is None:
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
        source.faults.clear()
    done = set(journalled(disk))
    assert done == set(APP.all_blobs()) - {lost}
    check_old(disk)
    source.reset_log()
    with disk.writer() as writer:
        assert writer.resumed == (6, sum(APP.all_blobs()[digest].size for digest in done))
        assert copied(copy_to(writer, source, "lab/app:v1"))
        assert writer.finish().sequence == 2
    assert source.count(method="GET", path="/blobs/") == 1
    assert disk.leftovers == []
    assert copied(disk.empty(target, "lab/app:v1"))
    assert has(target, "lab/app", APP)


def test_what_a_run_left_that_nobody_needs_now_is_not_in_the_archive(source, disk):
    with disk.writer() as writer:
        copied(copy_to(writer, source, "lab/app:v1", "lab/large:v1"))
    assert len(journalled(disk)) == len(APP.all_blobs()) + len(LARGE.all_blobs())
    result, _report = disk.fill(source, "lab/app:v1")
    assert disk.blobs == {APP.digest, *APP.all_blobs()}
    assert disk.history.base().digests == disk.blobs | {OLD.digest, *OLD.all_blobs()}
    assert result.changed


def test_the_space_of_what_nobody_needs_is_not_carried_over_the_gap(source, target, tmp_path):
    plain, _report = Disk(tmp_path / "plain").fill(source, "lab/app:v1")
    disk = Disk(tmp_path / "other")
    with disk.writer() as writer:
        # what this brings lies before what the next run brings
        assert copied(copy_to(writer, source, "lab/large:v1"))
    result, report = disk.fill(source, "lab/app:v1")
    assert copied(report)
    assert result.size == plain.size
    assert copied(disk.empty(target, "lab/app:v1"))
    assert has(target, "lab/app", APP)
    assert target.verify() == []


@pytest.mark.parametrize("damage", ["chunk gone", "chunk short", "journal torn", "journal strange", "header overwritten", "no journal"])
def test_only_what_is_really_there_is_gone_on_with(source, target, disk, damage):
    with disk.writer() as writer:
        copied(copy_to(writer, source, "lab/app:v1"))
    part, journal = disk.folder / "mirror_000001.part", disk.folder / JOURNAL
    if damage == "chunk gone":
        part.unlink()
    elif damage == "chunk short":
        os.truncate(part, part.stat().st_size // 2)
    elif damage == "journal torn":
        journal.write_bytes(journal.read_bytes()[:-10])
    elif damage == "journal strange":
        journal.write_bytes(b"\xff\xfe garbage\n[1]\n")
    elif damage == "header overwritten":
        with open(part, "r+b") as stream:
            stream.seek(1024)
            stream.write(bytes(512))
    else:
        journal.unlink()
    source.reset_log()
    assert copied(disk.fill(source, "lab/app:v1")[1])
    assert blob_reads(source) >= 1
    assert disk.leftovers == []
    assert copied(disk.empty(target, "lab/app:v1"))
    assert has(target, "lab/app", APP)


def test_a_smaller_limit_than_before_holds_for_what_was_left(source, target, disk):
    with disk.writer() as writer:
        copied(copy_to(writer, source, "lab/app:v1"))
    disk.limit = 256 << 10
    disk.fill(source, "lab/app:v1")
    assert len(disk.chunks) > 2
    assert all((disk.folder / name).stat().st_size <= disk.limit for name in disk.chunks)
    assert copied(disk.empty(target, "lab/app:v1"))


def test_a_file_that_cannot_be_read_in_the_end_costs_no_blob(source, target, disk, tmp_path):
    disk.files = [WorkingFile("first", b"1"), WorkingFile("lost", tmp_path / "lost")]
    with pytest.raises(FileError, match="lost: No such file"):
        disk.fill(source, "lab/app:v1")
    check_old(disk)
    source.reset_log()
    disk.files = []
    assert disk.fill(source, "lab/app:v1")[0].changed
    assert blob_reads(source) == 0
    assert copied(disk.empty(target, "lab/app:v1"))


def test_a_run_that_is_stopped_leaves_what_it_has(source, disk):
    def run():
        with disk.writer() as writer:
            copied(copy_to(writer, source, "lab/large:v1"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    check_old(disk)
    with disk.writer() as writer:
        assert writer.resumed[0] == len(LARGE.all_blobs())


def test_an_upload_that_breaks_off_gives_its_space_back(disk):
    content = layer("x", 50_000)

    class Broken:
        def __len__(self):
            return content.size

        def __iter__(self):
            yield content.data[:1000]
            raise CancelledError

    with disk.writer() as writer:
        with pytest.raises(CancelledError):
            writer.finish_upload("lab/x", writer.begin_upload("lab/x", content.digest), content.digest, Broken)
        assert writer.head_blob("lab/x", content.digest) is None
        writer.upload_bytes("lab/x", content.digest, content.data)
        assert writer.head_blob("lab/x", content.digest) == content.size
        (size,) = [path.stat().st_size for path in disk.folder.glob("*.part")]
        assert size < content.size + 3000
        opened, begins = writer.open_blob("lab/x", content.digest, 100)
        assert opened.raw.read(100_000) == content.data[begins:]
        opened.close()


@contextlib.contextmanager
def no_file_larger_than(size):
    """As on a disk that is full: to write more is an error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_fails_what_did_not_fit_and_the_next_run_goes_on(source, target, disk):
    with no_file_larger_than(1 << 20), disk.writer() as writer:
        report = copy_to(writer, source, "lab/app:v1", "lab/large:v1")
    assert [outcome.state for outcome in report.outcomes][1] == "failed"
    assert "Could not write" in report.outcomes[1].reason
    assert ".part: File too large" in report.outcomes[1].reason
    check_old(disk)
    assert copied(disk.fill(source, "lab/app:v1", "lab/large:v1")[1])
    assert copied(disk.empty(target, "lab/app:v1", "lab/large:v1"))


def test_after_the_disk_was_full_nothing_else_is_tried_and_there_is_no_archive(source, target, disk):
    """It would have what fitted, and cost the old one."""
    with no_file_larger_than(1 << 20), disk.writer() as writer:
        copied(copy_to(writer, source, "lab/app:v1"))
        copy_to(writer, source, "lab/large:v1")
        first = copy_to(writer, source, "lab/old:v1=lab/again:v1").outcomes[0]
        with pytest.raises(FileError, match=r".part: File too large. The disk takes no file that is so large: set archiveSize"):
            writer.finish(complete=False)
    assert first.state == "failed"
    assert "File too large" in first.reason
    check_old(disk)
    # the configuration of the large image may have been there before its layer failed
    assert set(journalled(disk)) - LARGE.all_blobs().keys() == APP.all_blobs().keys()
    assert layer("large", 3 << 20).digest not in journalled(disk)
    assert (disk.folder / "mirror_000001.part").stat().st_size < 1 << 20
    source.reset_log()
    assert copied(disk.fill(source, "lab/app:v1")[1])
    assert blob_reads(source) == 0


def test_what_did_not_fit_gives_its_space_back(disk):
    small, large = layer("small", 1000), layer("large", 3 << 20)
    path = disk.folder / "mirror_000001.part"
    with no_file_larger_than(1 << 20), disk.writer() as writer:
        writer.upload_bytes("lab/x", small.digest, small.data)
        before = path.stat().st_size
        with pytest.raises(FileError, match="File too large"):
            writer.upload_bytes("lab/x", large.digest, large.data)
        assert path.stat().st_size == 1 << 20
    assert path.stat().st_size == before
    assert journalled(disk) == [small.digest]


def test_a_journal_that_cannot_be_written_keeps_what_was_in_it(source, disk):
    with disk.writer() as writer:
        copied(copy_to(writer, source, "lab/app:v1"))
        before = (disk.folder / JOURNAL).read_bytes()
        with no_file_larger_than(len(before) + 20):
            outcome = copy_to(writer, source, "lab/large:v1").outcomes[0]
    assert "File too large" in outcome.reason
    assert (disk.folder / JOURNAL).read_bytes().startswith(before)
    assert set(journalled(disk)) >= set(APP.all_blobs())
    with disk.writer() as writer:
        assert writer.resumed[0] >= len(APP.all_blobs())


@pytest.mark.parametrize("ended_by", [KeyboardInterrupt, None])
def test_what_ended_a_run_is_told_and_not_that_the_rest_could_not_be_noted(tmp_path, ended_by):
    route = route_of(ImageSetTask(f"file://{tmp_path}", {}))
    content = layer("x", 5000)

    def end():
        with no_file_larger_than(1 << 20), ArchiveRun(tmp_path, route, ImageSet(), strict=False) as run:
            run.writer.upload_bytes("lab/x", content.digest, content.data)
            most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / JOURNAL).stat().st_size + 20, most))
            if ended_by is not None:
                raise ended_by

    with pytest.raises(ended_by or FileError):
        end()
    # and the folder is free for the next run
    ArchiveRun(tmp_path, route, ImageSet(), strict=False).writer.close()


@pytest.mark.parametrize("short_of", [1, 1024, 1025, 3000, 8000, 12_000])
def test_a_disk_that_is_full_in_the_end_leaves_the_old_archive(source, target, disk, tmp_path, short_of):
    """The last bytes of an archive are its end mark, its list of contents, links and manifests."""
    size = Disk(tmp_path / "measured").fill(source, "lab/app:v1")[0].size
    with no_file_larger_than(size - short_of), pytest.raises(FileError, match="File too large"):
        disk.fill(source, "lab/app:v1")
    check_old(disk)
    source.reset_log()
    assert disk.fill(source, "lab/app:v1")[0].sequence == 2
    assert blob_reads(source) == 0
    assert disk.leftovers == []
    assert copied(disk.empty(target, "lab/app:v1"))


def test_two_runs_cannot_write_into_one_folder(source, disk):
    with disk.writer(), pytest.raises(FileError, match=r"another run writes one there. Wait for its end"):
        disk.writer()
    disk.writer().close()


# --- the moment when the new archive takes the place of the old one


@pytest.mark.parametrize("renamed", [0, 1, 2])
def test_what_was_decided_is_finished_by_the_next_run(source, target, disk, tmp_path, renamed):
    """As if the run had been killed after it had decided, and had renamed so many files."""
    disk.limit = 256 << 10
    for name in list(disk.chunks):
        shutil.copy(disk.folder / name, tmp_path / f"old-{name}")
    history, ledger = disk.history.base(), disk.history.ledger()
    result, _report = disk.fill(source, "lab/app:v1")
    after = disk.history.base()
    assert len(result.paths) > 2
    for path in result.paths[renamed:]:
        path.rename(path.with_suffix(".part"))
    if not renamed:
        shutil.copy(tmp_path / "old-mirror_000001.tar", disk.folder / "mirror_000001.tar")
    shutil.copy(tmp_path / "old-mirror_000001.tar", disk.folder / "mirror_000009.tar")
    (disk.folder / JOURNAL).write_text("")
    Decision(result.id, len(result.paths), after.name, after.digests, disk.history.ledger()).write(disk.folder)
    (disk.history.folder / after.name).unlink()
    disk.history.write_ledger(ledger)
    assert disk.history.base() == history

    with pytest.raises(FileError, match=r"broken off before it was done. Run the mirroring to this folder again"):
        disk.reader()
    again, _report = disk.fill(source, "lab/app:v1")
    assert not again.changed
    assert disk.leftovers == []
    assert disk.reader().contents.archive.id == result.id
    assert disk.history.base() == after
    assert disk.chunks == [path.name for path in result.paths]
    assert copied(disk.empty(target, "lab/app:v1"))


def test_files_that_were_being_written_when_a_run_was_killed_go(source, disk):
    left = [
        disk.folder / "..mirror-decision.abcdefgh",
        *(disk.history.folder / name for name in ("..history-x.abc", ".quayside-archives.json.abc")),
    ]
    for path in left:
        path.write_text("{")
    assert disk.fill(source, "lab/app:v1")[0].changed
    assert [path for path in left if path.exists()] == []


def test_a_damaged_decision_is_told_of(disk):
    (disk.folder / ".mirror-decision").write_text('{"version": 7}')
    with pytest.raises(FileError, match="it is damaged"):
        disk.writer()


def test_an_unfinished_archive_is_no_archive(source, tmp_path):
    disk = Disk(tmp_path / "new")
    with disk.writer() as writer:
        copied(copy_to(writer, source, "lab/app:v1"))
    with pytest.raises(FileError, match=r"no mirror_000001.tar in it, only mirror_000001.part, which a run that was broken off left"):
        ArchiveReader(disk.folder)
