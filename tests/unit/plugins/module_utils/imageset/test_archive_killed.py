# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 before each thing that a run does to the disk, one after the other, and what the next run makes of it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_files import WorkingFile
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_reader import ArchiveReader
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_writer import ArchiveWriter
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.history import History
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Manifest
from ansible_collections.quayside.airgap.tests.support.images import image, layer, simple_image

OLD = simple_image("old")
APP = image([layer(f"app/{number}", 20_000 * (number + 1)) for number in range(4)])
# A blob of an image that fails: there is no manifest of it, and others come into its space in the end
LOST = layer("lost", 50_000)
LIMIT = 128 << 10
FILES = [WorkingFile(f"cluster-resources/{number}.yaml", b"kind: Thing\n" * 2000) for number in range(3)]
IMAGE_SET = b"kind: ImageSetConfiguration\n"
# What Python itself tells of before it happens (sys.addaudithook), and what the upload below tells of
TOUCHED = ("open", "os.rename", "os.remove", "os.truncate", "os.mkdir", "os.listdir", "test.piece")

KILLER = """
import os, shutil, signal, sys
from pathlib import Path
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.test_archive_killed import APP, TOUCHED, mirror

template, folder = Path(sys.argv[1]), Path(sys.argv[2])
shutil.copytree(template, folder / "none")
mirror(folder / "none", "lab/app", APP)
moment, killed = 0, True
while killed:
    moment += 1
    at = folder / str(moment)
    shutil.copytree(template, at)
    log = (folder / f"{moment}.done").open("w")
    child = os.fork()
    if not child:
        left = moment
        def watch(event, arguments):
            global left
            if event in TOUCHED:
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(watch)
        mirror(at, "lab/app", APP, log)
        os._exit(0)
    log.close()
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
"""


def mirror(folder, repository, content, log=None):
    """What the copy engine does, in one thread; gives the result and the digests of the blobs that were moved."""
    moved = []
    with ArchiveWriter(folder, History(folder / "working-dir"), limit=LIMIT, sync_seconds=0) as writer:
        writer.announce([repository], "pull,push")
        writer.upload_bytes(repository, LOST.digest, LOST.data)
        for digest, blob in content.all_blobs().items():
            if writer.head_blob(repository, digest) is None:
                moved.append(digest)
                writer.finish_upload(repository, writer.begin_upload(repository, digest), digest, lambda data=blob.data: Body(data))
                if log is not None:
                    log.write(f"{digest}\n")
                    log.flush()
        for manifest in content.walk():
            writer.put_manifest(repository, "v1", Manifest.parse(manifest.body, "", repository))
        return writer.finish(FILES, IMAGE_SET), moved


class Body:
    def __init__(self, data):
        self._data = data

    def __len__(self):
        return len(self._data)

    def __iter__(self):
        for begin in range(0, len(self._data), 32 << 10):
            sys.audit("test.piece")
            yield self._data[begin : begin + (32 << 10)]


def whole(folder, content, repository):
    """The sequence number of the archive in a folder, all of whose content is there and right."""
    reader = ArchiveReader(folder)
    assert reader.repositories == [repository]
    for digest in content.all_blobs():
        opened, _begins = reader.open_blob(repository, digest)
        assert f"sha256:{hashlib.sha256(opened.raw.read(1 << 30)).hexdigest()}" == digest
        opened.close()
    assert reader.get_manifest(repository, "v1").digest == content.digest
    assert {name: reader.read_file(name) for name in reader.files()} == {f"working-dir/{item.name}": item.source for item in FILES}
    assert reader.image_set == IMAGE_SET
    return reader.contents.archive.sequence


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Folders in which a run was killed, each a step later than the one before; the last run was not."""
    folder = tmp_path_factory.mktemp("killed")
    mirror(folder / "template", "lab/old", OLD)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", KILLER, folder / "template", folder], env=environment, check=True)
    return sorted((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))


def test_a_run_that_is_killed_at_any_moment_is_gone_on_with(killed):
    *broken, undisturbed = killed
    names = sorted(path.name for path in undisturbed.glob("mirror_*"))
    assert len(names) == 3
    seen = set()
    for folder in broken:
        done = set((folder.parent / f"{folder.name}.done").read_text().split())
        if (folder / ".mirror-decision").exists():
            with pytest.raises(FileError, match="broken off before it was done"):
                ArchiveReader(folder)
            parts = sorted(path.name for path in folder.glob("*.part"))
            seen.add("decided" if len(parts) == len(names) else "renaming" if parts else "renamed")
        elif ArchiveReader(folder).repositories == ["lab/old"]:
            assert whole(folder, OLD, "lab/old") == 1
            seen.add("moving" if len(done) < len(APP.all_blobs()) else "ending")
        else:
            assert whole(folder, APP, "lab/app") == 2
            seen.add("over")
            # nothing of the run is left that the next one could take for its own
            mirror(folder, "lab/old", OLD)
            assert ArchiveReader(folder).contents.archive.sequence == 3
            assert len({archive.id for archive in History(folder / "working-dir").ledger().archives}) == 3
            continue
        _result, moved = mirror(folder, "lab/app", APP)
        assert done.isdisjoint(moved), folder
        assert whole(folder, APP, "lab/app") == 2
        assert sorted(path.name for path in folder.iterdir()) == [*names, "working-dir"]
        assert sorted(path.name[:9] for path in (folder / "working-dir" / ".history").iterdir()) == [".history-", ".history-", "quayside-"]
        history = History(folder / "working-dir")
        assert history.base().digests == History(undisturbed / "working-dir").base().digests
        assert [archive.sequence for archive in history.ledger().archives] == [1, 2]
        assert not mirror(folder, "lab/app", APP)[0].changed
    assert seen == {"moving", "ending", "decided", "renaming", "renamed", "over"}
