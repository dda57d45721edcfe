# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is remembered of a dump between two runs, so that a short look can tell that it is still what the catalog has.

It lies beside the dump and counts only as long as the dump is, byte for byte, the one that it was written for.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import read_json, write_atomically

_FILE = "state.json"
_FORMAT = 1
_PIECE = 1 << 20


@dataclass(frozen=True)
class KindState:
    """What is known of one kind of artifacts.

    :ivar asked: the options that decide what the catalog is asked for.
    :ivar walked: when all of it was read last, or an answer said that nothing else would be read; RFC 3339, UTC.
    :ivar fingerprint: what the catalog showed in a narrow look before that; empty for none.
    :ivar etag: of the index of the charts; ``last_modified``: the same.
    :ivar notes: what is worth knowing of this kind; ``warnings``: what should be seen in every run.
    """

    asked: dict[str, Any]
    walked: str
    fingerprint: str = ""
    etag: str = ""
    last_modified: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def age(self, now: datetime.datetime) -> float:
        """Seconds since all of it was read; infinite where that is not known."""
        try:
            walked = datetime.datetime.strptime(self.walked, _MOMENT).replace(tzinfo=datetime.timezone.utc)
        except ValueError:
            return float("inf")
        seconds = (now - walked).total_seconds()
        # a clock that was put back says nothing about the age
        return seconds if seconds >= 0 else float("inf")


@dataclass(frozen=True)
class State:
    """What is known of a dump.

    :ivar files: the digests of its files, by their paths below ``data``.
    :ivar source: where it was brought from; empty for one that was read from the catalog.
    """

    files: dict[str, str]
    kinds: dict[str, KindState] = field(default_factory=dict)
    source: str = ""


_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


def now() -> datetime.datetime:
    """The time in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)


def written(moment: datetime.datetime) -> str:
    """A moment as the state has it."""
    return moment.strftime(_MOMENT)


def tree_digests(data: Path) -> dict[str, str]:
    """The digests of all files of a dump, by their paths below it.

    :raises FileError: when one cannot be read.
    """
    digests: dict[str, str] = {}
    try:
        for path in sorted(data.rglob("*")):
            if path.is_file():
                digest = hashlib.sha256()
                with open(path, "rb") as stream:
                    while piece := stream.read(_PIECE):
                        digest.update(piece)
                digests[path.relative_to(data).as_posix()] = digest.hexdigest()
    except OSError as error:
        raise FileError("read", str(error.filename or data), error.strerror or str(error)) from error
    return digests


def load_state(folder: Path) -> State | None:
    """What a folder remembers; None where there is nothing, or nothing that can be used."""
    try:
        document = read_json(folder / _FILE)
        if document["format"] != _FORMAT:
            return None
        kinds = {str(name): _kind(value) for name, value in document["kinds"].items()}
        return State({str(name): str(value) for name, value in document["files"].items()}, kinds, str(document["source"]))
    except (FileError, KeyError, TypeError, AttributeError, ValueError):
        # it only saves work
        return None


def save_state(folder: Path, state: State) -> None:
    """Remember a state.

    :raises FileError: when it cannot be written; what was known before is untouched then.
    """
    document = {
        "format": _FORMAT,
        "source": state.source,
        "files": state.files,
        "kinds": {name: dict(vars(kind)) for name, kind in state.kinds.items()},
    }
    write_atomically(folder / _FILE, json.dumps(document, indent=1, sort_keys=True).encode())


def _kind(value: Mapping[str, Any]) -> KindState:
    return KindState(
        asked=dict(value["asked"]),
        walked=str(value["walked"]),
        fingerprint=str(value["fingerprint"]),
        etag=str(value["etag"]),
        last_modified=str(value["last_modified"]),
        notes=tuple(str(text) for text in value["notes"]),
        warnings=tuple(str(text) for text in value["warnings"]),
    )
