# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What earlier archives of an image set hold: oc-mirror's history files, and our ledger of the sequence of archives beside them.

Source: oc-mirror v2, ``working-dir/.history/.history-<UTC, RFC 3339>``: one digest a line, everything that was mirrored up to then.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import (
    PathLike,
    read_bytes,
    read_json,
    write_atomically,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_layout import rfc3339
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_digest

_PREFIX = ".history-"
_LEDGER = "quayside-archives.json"
_LEDGER_VERSION = 1
# A million digests
_LIMIT = 128 << 20


@dataclass(frozen=True)
class Base:
    """What an increment builds upon.

    :ivar name: of the history file; empty when there is none and the archive will be full.
    """

    name: str = ""
    digests: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Archived:
    """One archive of the sequence.

    :ivar sequence: its number, 1 for the first.
    :ivar id: told apart from every other archive by it.
    :ivar created: UTC, RFC 3339.
    """

    sequence: int
    id: str
    created: str

    def as_dict(self) -> dict[str, Any]:
        """As it stands in files."""
        return {"sequence": self.sequence, "id": self.id, "created": self.created}

    @classmethod
    def parse(cls, value: Any) -> Archived:
        """As it stood in a file.

        :raises ValueError: when it is something else.
        """
        if not isinstance(value, dict) or not isinstance(value.get("sequence"), int) or not isinstance(value.get("id"), str):
            raise ValueError("it lists an archive without its number or id")
        return cls(value["sequence"], value["id"], str(value.get("created") or ""))


@dataclass(frozen=True)
class Ledger:
    """The sequence of archives that were made so far.

    :ivar archives: oldest first.
    :ivar blobs: digest -> sequence number of the archive that has it; blobs of archives that oc-mirror made are not listed.
    :ivar repositories: name -> digests of the configs and layers that its images had.
    :ivar fingerprint: of the links, files and image set of the newest archive.
    """

    archives: tuple[Archived, ...] = ()
    blobs: Mapping[str, int] = field(default_factory=dict)
    fingerprint: str = ""
    repositories: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def next_sequence(self) -> int:
        return self.archives[-1].sequence + 1 if self.archives else 1

    def extended(self, archive: Archived, digests: Iterable[str], fingerprint: str, layers: Mapping[str, Iterable[str]]) -> Ledger:
        """The ledger after one more archive.

        :param digests: what the archive holds.
        :param layers: by repository, the configs and layers of its images.
        """
        blobs = {**self.blobs, **dict.fromkeys(sorted(digests), archive.sequence)}
        repositories = dict(self.repositories)
        for name, found in layers.items():
            repositories[name] = repositories.get(name, frozenset()) | frozenset(found)
        return Ledger((*self.archives, archive), blobs, fingerprint, repositories)

    def as_dict(self) -> dict[str, Any]:
        """As it stands in its file."""
        return {
            "version": _LEDGER_VERSION,
            "archives": [archive.as_dict() for archive in self.archives],
            "fingerprint": self.fingerprint,
            "blobs": dict(self.blobs),
            "repositories": {name: sorted(digests) for name, digests in sorted(self.repositories.items())},
        }

    @classmethod
    def parse(cls, document: Any) -> Ledger:
        """As it stood in its file.

        :raises ValueError: when it is something else.
        """
        if not isinstance(document, dict) or document.get("version") != _LEDGER_VERSION:
            raise ValueError("it is not of a version that is known here")
        archives, blobs, layers = document.get("archives"), document.get("blobs"), document.get("repositories")
        if not isinstance(archives, list) or not isinstance(blobs, dict) or not all(isinstance(number, int) for number in blobs.values()):
            raise ValueError("it does not list archives and blobs")
        if not isinstance(layers, dict) or not all(isinstance(digests, list) for digests in layers.values()):
            raise ValueError("it does not list repositories")
        repositories = {name: frozenset(map(str, digests)) for name, digests in layers.items()}
        return cls(tuple(Archived.parse(item) for item in archives), blobs, str(document.get("fingerprint") or ""), repositories)


class History:
    """The ``.history`` folder of a working directory.

    :param working_dir: the working directory itself; it need not exist before something is written.
    """

    def __init__(self, working_dir: PathLike) -> None:
        self.folder = Path(working_dir) / ".history"

    def base(self, since: date | None = None) -> Base:
        """The newest history, or the newest from before 00:00 UTC of a day.

        :raises FileError: when a file in the folder cannot be read, or is no history.
        """
        limit = datetime.combine(since, time(), timezone.utc) if since is not None else None
        fitting = [(moment, name) for moment, name in self._files() if limit is None or moment < limit]
        if not fitting:
            return Base()
        name = max(fitting)[1]
        path = self.folder / name
        # a line per digest, of any length: nothing that is not one may count as mirrored
        lines = read_bytes(path, limit=_LIMIT).decode(errors="replace").split()
        try:
            return Base(name, frozenset(parse_digest(line, "a line") for line in lines))
        except InputError as error:
            raise FileError("read", str(path), error.reason, "Remove the file to begin with a full archive.") from error

    def new_name(self, moment: datetime) -> str:
        """The name of a history that is newer than all others."""
        newest = max((found for found, _name in self._files()), default=None)
        # names have seconds
        moment = moment.replace(microsecond=0)
        if newest is not None and moment <= newest:
            # two runs in one second, or a clock that was set back, must not hide the newer one
            moment = newest + timedelta(seconds=1)
        return _PREFIX + rfc3339(moment)

    def write(self, name: str, digests: Iterable[str]) -> None:
        """Put a history in place, all at once.

        :raises FileError: when that fails; then there is no such file.
        """
        self._write(name, "".join(f"{digest}\n" for digest in sorted(digests)).encode())

    def ledger(self) -> Ledger:
        """Our record of the sequence; an empty one where oc-mirror, or nobody, was here before.

        :raises FileError: when it is damaged.
        """
        path = self.folder / _LEDGER
        if not path.exists():
            return Ledger()
        document = read_json(path, limit=_LIMIT)
        try:
            return Ledger.parse(document)
        except ValueError as error:
            raise FileError("read", str(path), str(error), "Remove the file to begin a new sequence of archives.") from error

    def write_ledger(self, ledger: Ledger) -> None:
        """Put our record in place, all at once.

        :raises FileError: when that fails; the old one stays then.
        """
        self._write(_LEDGER, json.dumps(ledger.as_dict(), separators=(",", ":")).encode())

    def _write(self, name: str, content: bytes) -> None:
        try:
            os.makedirs(self.folder, exist_ok=True)
            for left in sorted(os.listdir(self.folder)):
                # by a run that was killed while it wrote
                if left.startswith((f".{_PREFIX}", f".{_LEDGER}.")):
                    os.unlink(self.folder / left)
        except OSError as error:
            raise FileError("create", str(self.folder), error.strerror or str(error)) from error
        write_atomically(self.folder / name, content)

    def _files(self) -> list[tuple[datetime, str]]:
        try:
            names = sorted(os.listdir(self.folder))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise FileError("read", str(self.folder), error.strerror or str(error)) from error
        found = []
        for name in names:
            if name.startswith(_PREFIX):
                try:
                    # fromisoformat knows the Z only from Python 3.11 on
                    moment = datetime.fromisoformat(name[len(_PREFIX) :].replace("Z", "+00:00"))
                except ValueError as error:
                    raise FileError(
                        "read", str(self.folder / name), "its name gives no time", "A history is named .history-2026-01-31T12:00:00Z."
                    ) from error
                found.append((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc), name))
        return found
