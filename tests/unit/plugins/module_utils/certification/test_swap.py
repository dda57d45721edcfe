# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The place of a dump: one run at a time, two trees that change places, and what is left when that goes wrong."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import verify_tree
from ansible_collections.quayside.airgap.plugins.module_utils.certification.swap import DumpFolder, exchange, reuse
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.tests.support.catalog_dumps import files_of, write_dump
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.certification.kept_dump import stamps


def cannot(_one, _other):
    """A file system that knows no exchange."""
    return False


@pytest.fixture(params=[exchange, cannot], ids=["exchange", "two renames"])
def folder(request, tmp_path):
    """A folder with the first version of a dump."""
    write_dump(tmp_path / "kept", version=1)
    return DumpFolder(tmp_path / "kept", exchange=request.param)


def put(folder: DumpFolder, version: int) -> None:
    with folder.lock():
        folder.check()
        with folder.staging(1000) as work:
            folder.swap(write_dump(work / "new", version) / "data")


def version_in(folder: DumpFolder) -> int:
    assert verify_tree(folder.path).serious == []
    content = (folder.path / "data/containers/containers.db").read_text()
    return int(content[: content.index('":{')][-1])


def test_two_trees_change_places_and_nothing_is_left(folder):
    put(folder, 2)
    assert version_in(folder) == 2
    assert sorted(path.name for path in folder.path.iterdir()) == [".catalog_dump", "data"]
    assert [path.name for path in folder.ours.iterdir()] == ["lock"]
    assert folder.leftovers == []


def test_the_first_dump_makes_its_folder(tmp_path):
    folder = DumpFolder(tmp_path / "a/b")
    put(folder, 1)
    assert version_in(folder) == 1
    assert stat.S_IMODE(folder.data.stat().st_mode) == 0o755
    assert stat.S_IMODE((folder.data / "helm/helm.db").stat().st_mode) == 0o644


def test_this_system_can_exchange(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert exchange(tmp_path / "one", tmp_path / "other")
    assert os.listdir(tmp_path / "one") == ["other"]
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "one", tmp_path / "nothing")


def test_owner_and_permissions_are_those_of_the_old_dump(folder):
    for path in (folder.data, *folder.data.rglob("*")):
        path.chmod(0o750 if path.is_dir() else 0o640)
        if os.geteuid() == 0:
            os.chown(path, 1234, 4321)
    put(folder, 2)
    assert version_in(folder) == 2
    for path in (folder.data, *folder.data.rglob("*")):
        found = path.stat()
        assert stat.S_IMODE(found.st_mode) == (0o750 if path.is_dir() else 0o640)
        assert os.geteuid() != 0 or (found.st_uid, found.st_gid) == (1234, 4321)


def test_a_link_stays_a_link(folder, tmp_path):
    place = tmp_path / "elsewhere"
    place.mkdir()
    folder.data.rename(place / "catalog")
    (folder.path / "data").symlink_to(place / "catalog")
    linked = DumpFolder(folder.path)
    put(linked, 2)
    assert (folder.path / "data").is_symlink()
    assert version_in(linked) == 2
    assert os.listdir(place) == ["catalog"]


def test_a_link_to_nothing_gets_its_dump(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/data").symlink_to(tmp_path / "elsewhere/catalog")
    folder = DumpFolder(tmp_path / "kept")
    assert folder.current is None
    put(folder, 1)
    assert version_in(folder) == 1
    assert (tmp_path / "elsewhere/catalog/archive.json").is_file()


# --- what is not ours


@pytest.mark.parametrize(
    "name",
    ["notes.txt", "containers/old.db", "helm/index.yaml", "operators/README", "more/data.db", "operators/operator_catalog_page_x_1.db"],
)
def test_foreign_files_are_named_and_left_alone(folder, name):
    (folder.data / name).parent.mkdir(exist_ok=True)
    (folder.data / name).write_text("mine")
    before = stamps(folder.data)
    with pytest.raises(FileError, match=f"not of a dump: {name.replace('more/data.db', 'more')}.*Move that away"):
        put(folder, 2)
    assert stamps(folder.data) == before


def test_a_link_in_a_dump_is_foreign(folder, tmp_path):
    (tmp_path / "secret").mkdir()
    for name in ("helm/helm.db", "containers"):
        path = folder.data / name
        path.rename(tmp_path / f"old-{path.name}")
        path.symlink_to(tmp_path / f"old-{path.name}")
    with pytest.raises(FileError, match=r"not of a dump: containers, helm/helm\.db\."):
        put(folder, 2)


def test_what_git_keeps_folders_with_is_no_reason_to_stop(folder):
    for name in (".keep", "containers/.keep", "operators/.keep"):
        (folder.data / name).touch()
    put(folder, 2)
    assert version_in(folder) == 2


def test_many_foreign_files_are_counted(folder):
    for number in range(8):
        (folder.data / f"file{number}").touch()
    with pytest.raises(FileError, match="file0, file1, file2, file3, file4 and 3 more"):
        put(folder, 2)


def test_a_file_in_the_place_of_the_dump(tmp_path):
    (tmp_path / "data").write_text("mine")
    with pytest.raises(FileError, match="it is no folder"):
        put(DumpFolder(tmp_path), 1)
    assert (tmp_path / "data").read_text() == "mine"


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="needs a mount point that is there anyway")
def test_a_mount_point_cannot_be_exchanged(tmp_path):
    (tmp_path / "data").symlink_to("/dev/shm")
    with pytest.raises(FileError, match=r"it is a mount point.*Mount the folder above it, /dev"):
        put(DumpFolder(tmp_path), 1)


# --- where nothing can be written


def test_a_folder_that_cannot_be_written():
    with pytest.raises(FileError, match=r"Could not write to /proc/nowhere/\.catalog_dump"):
        put(DumpFolder(Path("/proc/nowhere")), 1)


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(FileError, match=r"kept/\.catalog_dump"):
        put(DumpFolder(tmp_path / "kept"), 1)


def test_too_little_space_is_told_before_anything_is_written(folder):
    told = pytest.raises(FileError, match=r"it takes \d+ MiB beside the old one, and \d+ MiB are free")
    with folder.lock(), told, folder.staging(1 << 60):
        raise AssertionError("there is no such disk")
    assert version_in(folder) == 1
    assert folder.leftovers == []


def test_a_swap_that_fails_leaves_the_old_dump(folder):
    with folder.lock(), folder.staging(1) as work, pytest.raises(FileError, match="Could not exchange the dump"):
        folder.swap(work / "nothing")
    assert version_in(folder) == 1


# --- two runs at once


def test_who_comes_second_is_told_who_is_there(folder):
    other = DumpFolder(folder.path)
    with folder.lock():
        with pytest.raises(
            FileError, match=rf"another run is writing it, process {os.getpid()} on .* since 20\d\d-.*Wait for the end"
        ) as raised:
            put(other, 2)
        assert raised.value.transient
    put(other, 2)
    assert version_in(folder) == 2


def test_a_lock_file_with_nonsense_in_it(folder):
    with folder.lock():
        (folder.ours / "lock").write_text("[]")
        with pytest.raises(FileError, match=r"another run is writing it\."):
            put(DumpFolder(folder.path), 2)


def test_a_lock_is_no_way_to_other_files(folder, tmp_path):
    (tmp_path / "precious").write_text("mine")
    folder.ours.mkdir()
    (folder.ours / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(FileError):
        put(folder, 2)
    assert (tmp_path / "precious").read_text() == "mine"


# --- what an ended run left


def test_what_was_being_built_is_removed(folder):
    write_dump(folder.ours / "next", version=3)
    put(folder, 2)
    assert version_in(folder) == 2
    assert [path.name for path in folder.ours.iterdir()] == ["lock"]


def test_between_two_renames_the_old_dump_is_put_back(folder):
    write_dump(folder.ours / "next", version=3)
    folder.data.rename(folder.ours / "previous")
    # readers that ask us find it where it is
    assert DumpFolder(folder.path).current == folder.ours / "previous"
    with folder.lock():
        assert version_in(folder) == 1
        assert folder.leftovers == []


def test_after_two_renames_the_old_dump_is_removed(folder):
    write_dump(folder.path / "newer", version=3)
    folder.ours.mkdir()
    folder.data.rename(folder.ours / "previous")
    (folder.path / "newer/data").rename(folder.data)
    with folder.lock():
        assert version_in(folder) == 3
        assert folder.leftovers == []


# --- files that stay


def test_files_with_the_same_content_stay_the_same_files(folder, tmp_path):
    old, new = folder.data, write_dump(tmp_path / "new", version=2) / "data"
    before, content = stamps(old), files_of(new)
    reuse(old, new)
    after = stamps(new)
    same = {name for name in before if before[name] == after[name]}
    assert same == {"helm/helm.db", "operators/operator_catalog_page_0_500.db", "operators/operator_catalog_page_1_100.db"}
    assert files_of(new) == content


def test_a_link_is_not_reused(folder, tmp_path):
    new = write_dump(tmp_path / "new", version=1) / "data"
    helm = folder.data / "helm/helm.db"
    helm.rename(tmp_path / "helm.db")
    helm.symlink_to(tmp_path / "helm.db")
    reuse(folder.data, new)
    assert (new / "helm/helm.db").stat().st_ino != (tmp_path / "helm.db").stat().st_ino
