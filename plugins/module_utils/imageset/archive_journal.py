# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What survives a run that is killed: a journal of the blobs that reached the disk, and the decision to replace the old archive.

The journal has a line of JSON for each fact. The decision is one file: once it is there, the new archive counts, and whoever comes next
finishes what it says, as often as it takes.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import read_json, write_atomically
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_files import write_failure
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_layout import (
    chunk_name,
    chunk_number,
    part_name,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.history import History, Ledger

JOURNAL = ".mirror-journal"
DECISION = ".mirror-decision"
_VERSION = 1
_DECISION_LIMIT = 512 << 20


@dataclass(frozen=True)
class JournalledBlob:
    """A blob that reached the disk.

    :ivar offset: of its header in the chunk; ``size``: of its content.
    """

    digest: str
    chunk: int
    offset: int
    size: int


class Journal:
    """The journal of a folder; only one run at a time has it.

    :ivar id: of the archive that is being written.
    :ivar time: when it was begun, in seconds since 1970; all its members have this time.
    :ivar blobs: what an earlier run left, by digest.
    """

    def __init__(self, folder: Path, new_id: str, now: int) -> None:
        """Open the journal, or begin one.

        :param new_id: for a new archive; ``now``: its time.
        :raises FileError: when another run writes into the folder, or nobody can.
        """
        self._path = folder / JOURNAL
        self.id, self.time = new_id, now
        self.blobs: dict[str, JournalledBlob] = {}
        self._descriptor = -1
        while not self._take():
            # the run before removed it between the two calls: what was locked is no longer the file of this name
            self.close()
        try:
            sweep(folder)
            self._load()
        except OSError as error:
            self.close()
            raise FileError("read", str(self._path), error.strerror or str(error)) from error
        except FileError:
            self.close()
            raise

    def append(self, blobs: Iterable[JournalledBlob]) -> None:
        """Note blobs whose content reached the disk.

        :raises FileError: when that cannot be written.
        """
        self._write([{"blob": blob.digest, "chunk": blob.chunk, "offset": blob.offset, "size": blob.size} for blob in blobs])

    def drop(self, digests: Iterable[str]) -> None:
        """Note that the space of some blobs will be used for something else.

        :raises FileError: when that cannot be written.
        """
        self._write([{"dropped": digest} for digest in digests])

    def remove(self) -> None:
        """Remove the journal: there is nothing to go on with.

        :raises FileError: when that fails.
        """
        try:
            self._path.unlink()
        except OSError as error:
            raise FileError("remove", str(self._path), error.strerror or str(error)) from error
        finally:
            self.close()

    def close(self) -> None:
        """Let others write; what is in the journal stays."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _take(self) -> bool:
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise FileError("write", str(self._path), error.strerror or str(error)) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise FileError("write an archive to", str(self._path.parent), "another run writes one there", "Wait for its end.") from error
        except OSError as error:
            self.close()
            # some network file systems
            raise FileError("lock", str(self._path), error.strerror or str(error), "Mirror to a file system that has locks.") from error
        return os.fstat(self._descriptor).st_nlink > 0

    def _load(self) -> None:
        with open(self._path, "rb") as stream:
            lines = stream.read().split(b"\n")
        # a line without its end was being written when the run was killed
        torn = lines.pop()
        documents = [_document(line) for line in lines]
        begun = documents[0] if documents else None
        if begun is None or begun.get("version") != _VERSION or not isinstance(begun.get("time"), int):
            os.ftruncate(self._descriptor, 0)
            self._write([{"version": _VERSION, "id": self.id, "time": self.time}])
            return
        if torn:
            os.ftruncate(self._descriptor, sum(len(line) + 1 for line in lines))
        self.id, self.time = str(begun.get("id")), begun["time"]
        for document in documents[1:]:
            if document is None:
                continue
            if "dropped" in document:
                self.blobs.pop(str(document["dropped"]), None)
            elif all(isinstance(document.get(key), int) for key in ("chunk", "offset", "size")):
                digest = str(document.get("blob"))
                self.blobs[digest] = JournalledBlob(digest, document["chunk"], document["offset"], document["size"])

    def _write(self, documents: list[dict[str, Any]]) -> None:
        if not documents:
            return
        content = b"".join(json.dumps(document, separators=(",", ":")).encode() + b"\n" for document in documents)
        try:
            before = os.fstat(self._descriptor).st_size
            try:
                while content:
                    content = content[os.write(self._descriptor, content) :]
            except OSError:
                # what came of it on a full disk would spoil the line after it
                os.ftruncate(self._descriptor, before)
                raise
            os.fsync(self._descriptor)
        except OSError as error:
            raise write_failure(self._path, error) from error


def _document(line: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


@dataclass(frozen=True)
class Decision:
    """That the chunks in a folder are complete and take the place of the archive that was there.

    :ivar chunks: how many there are.
    :ivar history: name of the history file to write; ``digests``: its content.
    """

    archive_id: str
    chunks: int
    history: str
    digests: frozenset[str]
    ledger: Ledger

    def write(self, folder: Path) -> None:
        """Decide.

        :raises FileError: when that fails; then nothing is decided.
        """
        document = {
            "version": _VERSION,
            "id": self.archive_id,
            "chunks": self.chunks,
            "history": self.history,
            "digests": sorted(self.digests),
            "ledger": self.ledger.as_dict(),
        }
        write_atomically(folder / DECISION, json.dumps(document, separators=(",", ":")).encode())
        sync_folder(folder)

    @classmethod
    def find(cls, folder: Path) -> Decision | None:
        """The decision that a killed run left behind, None when there is none.

        :raises FileError: when it is damaged.
        """
        path = folder / DECISION
        if not path.exists():
            return None
        document = read_json(path, limit=_DECISION_LIMIT)
        try:
            return cls._from(document)
        except (KeyError, TypeError, ValueError) as error:
            raise FileError("read", str(path), f"it is damaged ({error})", "Remove it, and all mirror_* files beside it.") from error

    @classmethod
    def _from(cls, document: Mapping[str, Any]) -> Decision:
        if document["version"] != _VERSION:
            raise ValueError(f"its version is {document['version']}")
        return cls(
            archive_id=str(document["id"]),
            chunks=int(document["chunks"]),
            history=str(document["history"]),
            digests=frozenset(document["digests"]),
            ledger=Ledger.parse(document["ledger"]),
        )

    def carry_out(self, folder: Path, history: History) -> list[Path]:
        """Put the new archive in place of the old one and write the history. May be broken off and done again.

        :returns: the chunks.
        :raises FileError: when something of it fails.
        """
        try:
            for number in range(1, self.chunks + 1):
                if (folder / part_name(number)).exists():
                    os.replace(folder / part_name(number), folder / chunk_name(number))
            for name in sorted(os.listdir(folder)):
                surplus = chunk_number(name) or 0
                if surplus > self.chunks or chunk_number(name, "part") is not None:
                    os.unlink(folder / name)
            sync_folder(folder)
            history.write(self.history, self.digests)
            history.write_ledger(self.ledger)
            # whoever comes in between finds a journal of nothing and a decision that is carried out, and may do so again
            with suppress(FileNotFoundError):
                os.truncate(folder / JOURNAL, 0)
            for name in (DECISION, JOURNAL):
                (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise FileError(
                "put the new archive in place in", str(folder), error.strerror or str(error), "Run it again: it goes on where it was."
            ) from error
        return [folder / chunk_name(number) for number in range(1, self.chunks + 1)]


def sweep(folder: Path) -> None:
    """Remove decisions that were being written when their run was killed.

    :raises OSError: when that fails.
    """
    for name in sorted(os.listdir(folder)):
        # the name of the temporary file beside it
        if name.startswith(f".{DECISION}."):
            os.unlink(folder / name)


def sync_folder(folder: Path) -> None:
    """Have renamed and new files of a folder survive a power failure.

    :raises FileError: when the folder cannot be opened.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise FileError("write", str(folder), error.strerror or str(error)) from error
