# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 before each thing that keeping a catalog does to the disk, one after the other, or no more room from there on."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.kept_catalogs import LIST, CatalogFiles, CatalogVersion, KeptCatalogs

OLD, NEW = (CatalogVersion(f"sha256:{sign * 64}", "sha256:member", "/configs") for sign in "01")
CONTENT = {"alpha/catalog.json": b"alpha" * 100, "beta/catalog.json": b"beta" * 100, "again/catalog.json": b"beta" * 100}
UNUSABLE = {"lost.json": "it is a link"}
# What Python itself tells of before it happens (sys.addaudithook)
TOUCHED = ("open", "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.scandir")
TAKES_ROOM = ("open", "os.link", "os.mkdir", "os.rename")

BREAKER = """
import errno, os, shutil, signal, sys
from pathlib import Path
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.test_kept_catalogs_killed import (
    TAKES_ROOM, TOUCHED, begin, keep, spooled,
)

folder, how, links = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "links"
spooled(folder / "spool")
moment, broken = 0, True
while broken:
    moment += 1
    at = folder / str(moment)
    begin(at, folder / "spool")
    child = os.fork()
    if not child:
        left = moment
        def watch(event, arguments):
            global left
            if event == "os.link" and not links:
                raise OSError(errno.EXDEV, "another file system")
            if event not in TOUCHED:
                return
            left -= 1
            if left > 0:
                return
            if how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            reads = event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
            if event in TAKES_ROOM and not reads:
                raise OSError(errno.ENOSPC, "no space left on device")
        sys.addaudithook(watch)
        keep(at, 1, folder / "spool")
        os._exit(0 if left > 0 else 3)
    broken = os.waitpid(child, 0)[1] != 0
"""


def spooled(folder):
    """Files as they were taken out of layers; two of them are one that a link shows twice."""
    folder.mkdir()
    for name in ("alpha", "beta"):
        (folder / name).write_bytes(CONTENT[f"{name}/catalog.json"])


def keep(place, number, spool):
    """What a run does with a catalog that it read, and with the one before it."""
    kept = KeptCatalogs(place)
    kept.named("catalog").keep((OLD, NEW)[number], of(spool))
    kept.clean([("catalog", (OLD, NEW)[number].digest)])


def of(spool):
    return CatalogFiles({name: spool / ("alpha" if name.startswith("alpha") else "beta") for name in CONTENT}, UNUSABLE)


def begin(place, spool):
    """A copy of the old catalog, and one of the new catalog that is not what it was."""
    kept = KeptCatalogs(place).named("catalog")
    for version in (OLD, NEW):
        kept.keep(version, of(spool))
    (place / "operator-catalogs" / "catalog" / ("1" * 64) / "catalog-config" / "configs" / "beta" / "catalog.json").unlink()


def found(place, version):
    """The content of a copy, and what could not be used of it; None when it is not taken for one."""
    with ExitStack() as ends:
        copy = KeptCatalogs(place, read_only=True).named("catalog").open(version, ends)
        return None if copy is None else ({name: path.read_bytes() for name, path in copy.files.items()}, dict(copy.unusable))


@pytest.fixture(scope="module", params=[("kill", "links"), ("full", "copies")], ids="-".join)
def broken(request, tmp_path_factory):
    """How it was broken, and working-dirs, each broken a step later than the one before; the last one was not."""
    folder = tmp_path_factory.mktemp("kept")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", BREAKER, folder, *request.param], env=environment, check=True)
    places = sorted((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    return request.param[0], places, folder / "spool"


def test_a_copy_is_whole_or_none_at_any_moment(broken):
    how, (*places, undisturbed), spool = broken
    whole = (CONTENT, UNUSABLE)
    assert found(undisturbed, NEW) == whole
    assert found(undisturbed, OLD) is None
    seen = set()
    for place in places:
        old, new = found(place, OLD), found(place, NEW)
        assert old in (whole, None)
        assert new in (whole, None)
        seen.add((old is not None, new is not None))
        below = place / "operator-catalogs" / "catalog"
        if how == "full":
            assert [path for path in below.iterdir() if path.name.startswith(".")] == []
        keep(place, 1, spool)
        assert found(place, NEW) == whole
        # of the old one nothing but the folder, if at all
        assert {path.name for path in below.iterdir()} <= {"0" * 64, "1" * 64}
        assert len(list(below.rglob(LIST))) == 1
    assert seen >= {(True, False), (True, True)}
    if how == "kill":
        assert (False, True) in seen
    assert [(spool / name).read_bytes() for name in ("alpha", "beta")] == [CONTENT["alpha/catalog.json"], CONTENT["beta/catalog.json"]]


def test_runs_at_the_same_time_leave_one_copy(tmp_path):
    spooled(tmp_path / "spool")
    code = (
        "import sys; from pathlib import Path; from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset"
        ".test_kept_catalogs_killed import CONTENT, UNUSABLE, NEW, OLD, found, keep\n"
        "for turn in range(20):\n"
        "    keep(Path(sys.argv[1]), turn % 2, Path(sys.argv[2]))\n"
        "    for version in (OLD, NEW):\n"
        "        assert found(Path(sys.argv[1]), version) in (None, (CONTENT, UNUSABLE))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    runs = [subprocess.Popen([sys.executable, "-c", code, tmp_path / "kept", tmp_path / "spool"], env=environment) for _number in range(3)]
    assert [run.wait() for run in runs] == [0, 0, 0]
    keep(tmp_path / "kept", 1, tmp_path / "spool")
    assert found(tmp_path / "kept", NEW) == (CONTENT, UNUSABLE)
    assert sorted(path.name for path in (tmp_path / "kept" / "operator-catalogs" / "catalog").iterdir()) == ["1" * 64]


def test_where_two_names_are_one_nothing_is_kept_and_nothing_overwritten(tmp_path):
    """As on a disk that does not tell capital letters from small ones."""
    spooled(tmp_path / "spool")
    two = {"x/catalog.json": tmp_path / "spool" / "alpha", "x//catalog.json": tmp_path / "spool" / "beta"}
    KeptCatalogs(tmp_path / "kept").named("catalog").keep(NEW, CatalogFiles(two, {}))
    assert found(tmp_path / "kept", NEW) is None
    assert [path for path in (tmp_path / "kept").rglob("*") if path.is_file()] == []
    assert (tmp_path / "spool" / "alpha").read_bytes() == CONTENT["alpha/catalog.json"]
