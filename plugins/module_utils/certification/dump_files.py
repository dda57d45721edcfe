# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a dump on disk: found, told from other files, copied and verified."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import (
    ARCHIVE,
    CONTAINERS,
    HELM,
    KEEP_FILE,
    OPERATORS,
    Verdict,
    verify_tree,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError

DATA = "data"
# Where images and unpacked images have the dump, best first: the published one and ours, ours, certsuite's own
IMAGE_FOLDERS = ("usr/oct/cmd/tnf/fetch/data", DATA, "usr/offline-db/data")
# The folders that consumers want to be there even where they hold nothing
FOLDERS = ("containers", "helm", OPERATORS)
FOLDER_MODE, FILE_MODE = 0o755, 0o644
# A hundred times what a dump has ever had, in bytes and in files
LARGEST, MOST_FILES = 2 << 30, 5_000
_PIECE = 1 << 20
# How often a folder is copied again because it was exchanged for another one meanwhile
_COPIES = 3


def find_data(folder: Path) -> Path | None:
    """The folder ``data`` of a dump that a user named, by itself or by what it lies in; None where there is none."""
    for path in (folder / DATA, folder, *(folder / name for name in IMAGE_FOLDERS)):
        if any((path / name).is_dir() for name in FOLDERS) or (path / ARCHIVE).is_file():
            return path
    return None


def copy_dump(source: Path, target: Path) -> None:
    """Copy the files of a dump, as they are at one moment, even where a refresh exchanges the folder for a new one meanwhile.

    :param source: the folder ``data``; ``target``: one that is not there yet.
    :raises FileError: when there is anything but plain files and folders in it, or too much, or it cannot be copied.
    """
    for attempt in range(1, _COPIES + 1):
        before = _identity(source)
        try:
            _copy_once(source, target)
        except FileError:
            if attempt == _COPIES or before == _identity(source):
                raise
        else:
            if before == _identity(source):
                return
        shutil.rmtree(target, ignore_errors=True)
    raise FileError("copy the dump", str(source), "it is exchanged for another one again and again")


def verified(folder: Path, place: str) -> Verdict:
    """What verifying a dump gave.

    :param place: where it came from, for the message.
    :raises FileError: when it does not verify.
    """
    verdict = verify_tree(folder)
    serious = verdict.serious
    if serious:
        more = f", and {len(serious) - 1} more" if serious[1:] else ""
        raise FileError("use the dump", place, f"{serious[0]}{more}")
    return verdict


def looks_like_dump(name: str) -> bool:
    """Whether files of a dump have such a path below its folder."""
    return name in (ARCHIVE, CONTAINERS, HELM) or name.rpartition("/")[0] == OPERATORS


def belongs(name: str, where: str) -> bool:
    """Whether a file is one of a dump; what only keeps a folder is none.

    :raises FileError: for any other file: nobody knows whether it may be handed on.
    """
    if name.rpartition("/")[2] == KEEP_FILE:
        return False
    if looks_like_dump(name):
        return True
    raise FileError("read the dump", where, f"{name} is no file of a dump", "Take it out of there, or name the folder of the dump alone.")


def _identity(folder: Path) -> tuple[int, int]:
    try:
        found = os.stat(folder)
    except OSError as error:
        raise FileError("read", str(folder), error.strerror or str(error)) from error
    return found.st_dev, found.st_ino


def _copy_once(source: Path, target: Path) -> None:
    size = 0
    paths = list(islice(_plain_files(source), MOST_FILES + 1))
    if len(paths) > MOST_FILES:
        raise FileError("copy the dump", str(source), f"it has more than {MOST_FILES} files")
    make_folders(target)
    for path in paths:
        name = path.relative_to(source).as_posix()
        if belongs(name, str(source)):
            size += _copy_file(path, target / name, LARGEST - size)


def _plain_files(folder: Path) -> Iterator[Path]:
    """All files below a folder.

    :raises FileError: when there is something else: a link could lead to what is nobody's business.
    """

    def refuse(error: OSError) -> None:
        raise FileError("read", str(error.filename), error.strerror or str(error)) from error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        for path in (Path(place, name) for name in (*folders, *sorted(names))):
            if path.is_symlink():
                raise FileError("read", str(path), "it is a symbolic link, and a dump has none")
        yield from (Path(place, name) for name in sorted(names))


def _copy_file(source: Path, target: Path, most: int) -> int:
    try:
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise FileError("read", str(source), error.strerror or str(error)) from error
    with os.fdopen(handle, "rb") as stream:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise FileError("read", str(source), "it is no plain file")
        if found.st_size > most:
            raise FileError("copy the dump", str(source), f"its files are larger than {LARGEST} bytes")
        copied = 0
        try:
            with open(target, "xb") as copy:
                # no more than it had, should it grow meanwhile
                while piece := stream.read(min(_PIECE, found.st_size - copied)):
                    copied += copy.write(piece)
            os.chmod(target, FILE_MODE)
        except OSError as error:
            raise FileError("copy", str(source), error.strerror or str(error)) from error
    return copied


def make_folders(data: Path) -> None:
    """The folder of a dump with those that are always in it, whatever the umask."""
    for path in (data, *(data / name for name in FOLDERS)):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(FOLDER_MODE)
