# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Catalogs that were read from registries, kept as files in the working-dir, so that the next run need not fetch them again.

They lie where oc-mirror v2 unpacks catalogs: ``operator-catalogs/<last component of the name>/<digest>/catalog-config/<label path>``.
A list of the files with their digests, beside the first folder of the label path, tells a copy of ours from one of oc-mirror's, and
one that is still as it was from any other. A copy is only a saving: where it cannot be made, read or removed, the run goes on without.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import read_json
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_tar import TarError, path_parts

CATALOGS = "operator-catalogs"
CONFIG = "catalog-config"
LIST = "quayside-catalog.json"
# Folders of copies on their way in or out, each with a file that is locked as long as somebody is at it
_WORK = ".quayside-"
_LOCK = "lock"
_VERSION = 1
# Of as many files as an image may have in the folder
_LIST_LIMIT = 256 << 20
_PIECE = 1 << 20
# All that may be wrong with a copy, or come between
_FAULTS = (OSError, ValueError, FileError, TarError)


@dataclass(frozen=True)
class CatalogFiles:
    """The files of a catalog.

    :ivar files: where they lie, by path from the catalog's root.
    :ivar unusable: paths of what is no file, with the reason.
    """

    files: Mapping[str, Path]
    unusable: Mapping[str, str]


@dataclass(frozen=True)
class CatalogVersion:
    """What tells the content of a catalog from any other one.

    :ivar digest: of the image as it is published.
    :ivar member: digest of the image that is read, one of those that the former may be an index of.
    :ivar folder: where the catalog lies in it, as its label says.
    """

    digest: str
    member: str
    folder: str


class KeptCatalogs:
    """The kept catalogs of a working-dir.

    :param working_dir: it need not be there yet.
    :param read_only: for a dry run: what is there is read, and nothing is written.
    """

    def __init__(self, working_dir: Path, *, read_only: bool = False, cancellation: Cancellation | None = None) -> None:
        self._folder = working_dir / CATALOGS
        self._read_only = read_only
        self._cancellation = cancellation or Cancellation()

    def named(self, name: str) -> KeptCatalog:
        """The copies of catalogs of one name.

        :param name: the last component of the catalog's repository.
        """
        return KeptCatalog(self._folder / name, self._read_only, self._cancellation)

    def clean(self, used: Iterable[tuple[str, str]]) -> None:
        """Remove copies of ours that have become old, and what is left of runs that were killed.

        :param used: names and digests of the catalogs that stay. Those of other names stay too.
        """
        stay: dict[str, set[str]] = {}
        for name, digest in used:
            stay.setdefault(name, set()).add(digest)
        for name, digests in stay.items():
            self.named(name).clean(digests)


class KeptCatalog:
    """The copies of catalogs of one name. See :meth:`KeptCatalogs.named`."""

    def __init__(self, folder: Path, read_only: bool, cancellation: Cancellation) -> None:
        self._folder = folder
        self._read_only = read_only
        self._cancellation = cancellation

    def open(self, version: CatalogVersion, ends: ExitStack) -> CatalogFiles | None:
        """The files of a catalog that was kept; None when there are none, or they are not what they were.

        :param ends: at its end the files are let go of; until then no other run removes them.
        :raises CancelledError: when the run is to end.
        """
        place = self._place(version)
        found = None
        with suppress(*_FAULTS), ExitStack() as stack:
            stack.enter_context(_locked(place / LIST, fcntl.LOCK_SH))
            found = self._checked(place, version)
            if found is not None:
                ends.push(stack.pop_all())
        return found

    def keep(self, version: CatalogVersion, given: CatalogFiles) -> None:
        """Have a copy of a catalog's files, in the place of one of ours that is there; if that is not possible, have none.

        :raises CancelledError: when the run is to end.
        """
        if self._read_only:
            return
        with suppress(*_FAULTS):
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._work() as work:
                self._write(work / CONFIG, version, given)
                self._put(work, self._place(version))

    def clean(self, digests: Iterable[str]) -> None:
        """Remove copies of other digests, and what is left of runs that were killed. What somebody else wrote stays."""
        stay = {_hex(digest) for digest in digests}
        if self._read_only:
            return
        with suppress(OSError):
            for entry in list(os.scandir(self._folder)):
                if not entry.is_dir(follow_symlinks=False):
                    continue
                if entry.name.startswith(_WORK):
                    _remove_work(Path(entry))
                elif entry.name not in stay:
                    self._remove(Path(entry))

    def _place(self, version: CatalogVersion) -> Path:
        return self._folder / _hex(version.digest) / CONFIG

    # -- reading

    def _checked(self, place: Path, version: CatalogVersion) -> CatalogFiles | None:
        document = read_json(place / LIST, limit=_LIST_LIMIT)
        if not isinstance(document, dict) or any(document.get(key) != value for key, value in _head(version).items()):
            return None
        listed, unusable = document.get("files"), document.get("unusable")
        if not isinstance(listed, dict) or not isinstance(unusable, dict):
            return None
        if not all(isinstance(reason, str) for reason in unusable.values()):
            return None
        root = place.joinpath(*path_parts(version.folder))
        files = {}
        for name, facts in listed.items():
            path = files[name] = root.joinpath(*path_parts(name))
            if self._facts(path) != facts:
                return None
        return CatalogFiles(files, unusable)

    def _facts(self, path: Path) -> dict[str, object]:
        """What the list says of a file.

        :raises OSError: when it cannot be read, or is none.
        """
        content = hashlib.sha256()
        size = 0
        with open(path, "rb", opener=_plain) as stream:
            while piece := stream.read(_PIECE):
                self._cancellation.check()
                content.update(piece)
                size += len(piece)
        return {"size": size, "sha256": content.hexdigest()}

    # -- writing

    @contextmanager
    def _work(self) -> Iterator[Path]:
        """A folder beside the copies, from where they are moved into place as a whole."""
        work = Path(tempfile.mkdtemp(prefix=_WORK, dir=self._folder))
        try:
            with _locked(work / _LOCK, fcntl.LOCK_EX, make=True):
                yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _write(self, folder: Path, version: CatalogVersion, given: CatalogFiles) -> None:
        below = path_parts(version.folder)
        if below[:1] == (LIST,):
            raise ValueError("the catalog lies where its list would")
        root = folder.joinpath(*below)
        root.mkdir(parents=True)
        listed = {}
        for name, path in given.files.items():
            copy = root.joinpath(*path_parts(name))
            copy.parent.mkdir(parents=True, exist_ok=True)
            self._copy(path, copy)
            listed[name] = self._facts(copy)
        document = {**_head(version), "files": listed, "unusable": dict(given.unusable)}
        # the last one: it says that the others are there
        (folder / LIST).write_text(json.dumps(document, indent=1), encoding="ascii")

    def _copy(self, source: Path, target: Path) -> None:
        try:
            os.link(source, target)
        except OSError:
            # another file system. Never over a file that is there: it may be a link to one that is still read
            with open(source, "rb") as old, open(target, "xb") as new:
                while piece := old.read(_PIECE):
                    self._cancellation.check()
                    new.write(piece)
        os.chmod(target, 0o644)

    def _put(self, work: Path, place: Path) -> None:
        """Move a copy into place. One of ours that is there makes room for it, unless somebody reads it."""
        place.parent.mkdir(exist_ok=True)
        with ExitStack() as stack:
            if os.path.lexists(place):
                stack.enter_context(_locked(place / LIST, fcntl.LOCK_EX))
                place.rename(work / "old")
            (work / CONFIG).rename(place)

    # -- removing

    def _remove(self, folder: Path) -> None:
        """Remove a copy of ours, and the folder of its digest if nothing else is in it."""
        with suppress(OSError), _locked(folder / CONFIG / LIST, fcntl.LOCK_EX), self._work() as work:
            # from here on it is none any more, even if not all of it can be removed
            (folder / CONFIG).rename(work / "old")
            folder.rmdir()


def _remove_work(folder: Path) -> None:
    """Remove what a run left that was killed."""
    with suppress(OSError), _locked(folder / _LOCK, fcntl.LOCK_EX, make=True):
        shutil.rmtree(folder, ignore_errors=True)


def _head(version: CatalogVersion) -> dict[str, object]:
    """What the list of a copy begins with."""
    return {"version": _VERSION, "digest": version.digest, "member": version.member, "folder": version.folder}


def _hex(digest: str) -> str:
    return digest.partition(":")[2]


def _plain(path: str, flags: int) -> int:
    # what is no file any more must not be waited for
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


@contextmanager
def _locked(path: Path, how: int, *, make: bool = False) -> Iterator[None]:
    """Hold a file as long as the block lasts.

    :param how: shared or exclusive, as ``flock`` calls it.
    :raises OSError: when it is not there, when others hold it, or when the file system has no locks.
    """
    # network file systems want a file that is open for writing for an exclusive lock
    flags = os.O_RDONLY if how == fcntl.LOCK_SH else os.O_RDWR
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_CREAT if make else 0), 0o644)
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), os.lstat(path)):
            raise OSError(f"{path} was replaced meanwhile")
        yield
    finally:
        os.close(descriptor)
