# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What differs between two dumps, with names for people."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, Callable, NamedTuple

from ansible_collections.quayside.airgap.plugins.module_utils.certification.helm_index import HelmIndexError, parse_index
from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import Container, Tables
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import write_atomically

CONTAINERS, OPERATORS, CHARTS = KINDS = ("containers", "operators", "charts")
CHANGES_FILE = "changes.json"
# How many names a result has of each sort
_SHOWN = 50


class Change(NamedTuple):
    """What came, what went, and what is there with another content; as sorted names."""

    added: list[str]
    removed: list[str]
    changed: list[str]

    def as_result(self) -> dict[str, Any]:
        """How many, and the first names."""
        found: dict[str, Any] = {name: len(names) for name, names in self._asdict().items()}
        found.update({f"{name}_names": names[:_SHOWN] for name, names in self._asdict().items()})
        return found


NOTHING = Change([], [], [])


def differences(old: Tables, new: Tables) -> dict[str, Change]:
    """What differs, for each kind."""
    rows, new_rows = set(old.operators), set(new.operators)
    return {
        CONTAINERS: _compare(_entries(old), _entries(new), lambda key: _name(new.containers.get(key) or old.containers[key])),
        OPERATORS: Change(_lines(new_rows - rows), _lines(rows - new_rows), []),
        CHARTS: NOTHING if old.charts == new.charts else _compare(_charts(old.charts), _charts(new.charts), str),
    }


def save_changes(folder: Path, changes: Mapping[str, Change]) -> Path:
    """Write all names to a file, and give its path.

    :raises FileError: when it cannot be written.
    """
    path = folder / CHANGES_FILE
    write_atomically(path, json.dumps({kind: change._asdict() for kind, change in changes.items()}, indent=1).encode() + b"\n")
    return path


def _compare(old: Mapping[str, Hashable], new: Mapping[str, Hashable], name: Callable[[str], str]) -> Change:
    def told(keys: Iterable[str]) -> list[str]:
        return sorted(name(key) for key in keys)

    changed = [key for key, value in new.items() if key in old and old[key] != value]
    return Change(told(new.keys() - old.keys()), told(old.keys() - new.keys()), told(changed))


def _entries(tables: Tables) -> dict[str, Hashable]:
    """What is said of each container, the lists that lead to it included."""
    lists: dict[str, list[str]] = {}
    for digest, key in tables.aliases.items():
        lists.setdefault(key, []).append(digest)
    return {key: (container[:5], tuple(sorted(lists.get(key, ())))) for key, container in tables.containers.items()}


def _name(container: Container) -> str:
    if not container.repositories:
        return container.key
    registry, repository, tags = container.repositories[0]
    place = f"{registry}/{repository}" + (f":{tags[0]}" if tags else "")
    return f"{place}@{container.digest}" if container.digest else f"{place} ({container.key})"


def _lines(rows: Iterable[tuple[str, ...]]) -> list[str]:
    return sorted(" ".join(row) for row in rows)


def _charts(content: bytes) -> dict[str, Hashable]:
    try:
        index = parse_index(content)
    except HelmIndexError:
        return {}
    found: dict[str, Hashable] = {}
    for chart in index.charts:
        name = f"{chart.name} {chart.version}"
        text = json.dumps(index.document["entries"][chart.entry][chart.position], sort_keys=True)
        # one chart may be there several times, under one key or several
        found[name] = f"{found[name]}\n{text}" if name in found else text
    return found
