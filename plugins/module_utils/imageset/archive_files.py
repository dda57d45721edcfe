# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of the working directory on their way into an archive."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError

_PIECE = 1 << 20
_HINTS = {
    errno.ENOSPC: "Free some space and run it again: it goes on where it was.",
    errno.EDQUOT: "Have the quota raised and run it again: it goes on where it was.",
    errno.EFBIG: "The disk takes no file that is so large: set archiveSize to less, and run it again.",
}


@dataclass(frozen=True)
class WorkingFile:
    """A file of the working directory that goes into the archive.

    :ivar name: below the working directory, with slashes.
    :ivar source: the file on disk, or its content.
    :ivar volatile: whether it differs from run to run without meaning anything, so that it alone is no reason for a new archive.
    """

    name: str
    source: Path | bytes
    volatile: bool = False
    mode: int = 0o644


class OpenedFile:
    """A file that goes into the archive; as a context, its size and its content.

    :raises FileError: when it cannot be read, or becomes shorter meanwhile.
    """

    def __init__(self, item: WorkingFile) -> None:
        self._item = item
        self._stream: io.FileIO | None = None

    def __enter__(self) -> tuple[int, Iterator[bytes]]:
        source = self._item.source
        if isinstance(source, bytes):
            return len(source), iter([source])
        try:
            self._stream = io.FileIO(source)
            size = os.fstat(self._stream.fileno()).st_size
        except OSError as error:
            raise FileError("read", str(source), error.strerror or str(error)) from error
        return size, self._pieces(self._stream, size)

    def __exit__(self, *_exc: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def _pieces(self, stream: io.FileIO, size: int) -> Iterator[bytes]:
        """As much as there was when it was opened: a log may grow meanwhile."""
        while size:
            try:
                piece = stream.read(min(size, _PIECE))
            except OSError as error:
                raise FileError("read", str(self._item.source), error.strerror or str(error)) from error
            if not piece:
                raise FileError("read", str(self._item.source), "it became shorter while it was read")
            size -= len(piece)
            yield piece


def checked(files: Iterable[WorkingFile]) -> list[WorkingFile]:
    """The files in the order of their names.

    :raises InputError: when a name leads out of the working directory, or is given twice.
    """
    found: dict[str, WorkingFile] = {}
    for item in files:
        parts = PurePosixPath(item.name).parts
        if not parts or ".." in parts or item.name.startswith("/"):
            raise InputError(f"the name '{item.name}'", "it is no name of a file in the working directory")
        if item.name in found:
            raise InputError(f"the name '{item.name}'", "two files of the working directory cannot have it")
        found[item.name] = item
    return [found[name] for name in sorted(found)]


def meaningful_digests(files: Iterable[WorkingFile]) -> dict[str, str]:
    """The digests of the files that are not volatile, by name.

    :raises FileError: when one cannot be read.
    """
    found = {}
    for item in files:
        if not item.volatile:
            checksum = hashlib.sha256()
            with OpenedFile(item) as (_size, pieces):
                for piece in pieces:
                    checksum.update(piece)
            found[item.name] = f"sha256:{checksum.hexdigest()}"
    return found


def write_failure(path: Path, error: OSError) -> FileError:
    """That something of an archive could not be written, with what helps."""
    return FileError("write", str(path), error.strerror or str(error), _HINTS.get(error.errno or 0, ""))


def passing(pieces: Iterable[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
    """The pieces, shown to somebody on their way."""
    for piece in pieces:
        update(piece)
        yield piece
