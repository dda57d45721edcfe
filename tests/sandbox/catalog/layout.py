# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer of the catalog API shows of its records (include, exclude), and how it is written, byte for byte.

Catalog API: JSON as Python writes it with an indent of two, sorted keys, nothing but ASCII, and a final newline.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

__all__ = ["ENVELOPE", "LIGHT", "Selection", "body", "document", "select", "write_row"]

ENVELOPE = ("data", "page", "page_size", "total")
# of a record in the list `data`
ROW_INDENT = " " * 4

# What is known of a record without making the whole of it
_LIGHT = (
    "_id architecture certified creation_date docker_image_digest image_id isv_pid last_update_date repositories.registry "
    "repositories.repository repositories.manifest_list_digest repositories.tags.name channel_name csv_name ocp_version "
    "organization package"
)
LIGHT = frozenset(_LIGHT.split())

# What is named of a mapping: name -> what is named below it, None for everything below
Tree = Optional["dict[str, Any]"]


class Selection:
    """Which parts of an answer are shown.

    rows      tree of what is shown of a record, None for all of it; `left_out` is a tree of what is not
    envelope  which of data, page, page_size and total are there
    """

    def __init__(self, rows: Tree, left_out: Tree, envelope: frozenset[str]) -> None:
        self.rows = rows
        self.left_out = left_out
        self.envelope = envelope
        # whether parts of whole records are needed that filters never look at
        self.deep = rows is None or not LIGHT.issuperset(_paths(rows))
        # the same parts are written the same way
        self.key = json.dumps([rows, left_out], sort_keys=True)

    @property
    def counts(self) -> bool:
        """Whether the service has to count all that the filter lets through."""
        return "total" in self.envelope


@functools.lru_cache(maxsize=256)
def select(include: str, exclude: str) -> Selection:
    """The meaning of `include` and `exclude`: lists of dotted paths with commas in between.

    With `include` only what it names is there; without, all that `exclude` does not name.
    """
    if include:
        tree = _tree(include)
        return Selection(tree.get("data", {}), None, frozenset(name for name in ENVELOPE if name in tree))
    left_out = _tree(exclude)
    envelope = frozenset(name for name in ENVELOPE if left_out.get(name, {}) is not None or name not in left_out)
    return Selection(None, left_out.get("data"), envelope)


def _tree(paths: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in paths.split(","):
        names = path.strip().split(".")
        place: Any = found
        for name in names[:-1]:
            if place is None:
                break
            if name in place and place[name] is None:
                place = None
                break
            place = place.setdefault(name, {})
        if place is not None and names[-1]:
            place[names[-1]] = None
    return found


def _paths(tree: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for name, below in tree.items():
        if below is None:
            yield before + name
        else:
            yield from _paths(below, f"{before}{name}.")


def shown(record: Any, rows: Tree, left_out: Tree) -> Any:
    """The part of a record that a selection shows; what is missing stays missing."""
    return _without(record, left_out) if rows is None else _only(record, rows)


def _only(value: Any, tree: Tree) -> Any:
    if tree is None:
        return value
    if isinstance(value, list):
        return [_only(element, tree) for element in value]
    if isinstance(value, Mapping):
        return {name: _only(value[name], below) for name, below in tree.items() if name in value}
    return value


def _without(value: Any, tree: Tree) -> Any:
    if not tree:
        return value
    if isinstance(value, list):
        return [_without(element, tree) for element in value]
    if isinstance(value, Mapping):
        return {name: _without(below, tree.get(name, {})) for name, below in value.items() if tree.get(name, {}) is not None}
    return value


def written(value: Any, indent: str = "") -> str:
    """A value at this indent, beginning in the middle of a line."""
    # texts hold no line ends of their own: they are escaped
    return json.dumps(value, indent=2, sort_keys=True).replace("\n", f"\n{indent}")


def document(value: Any) -> bytes:
    """A whole body."""
    return (written(value) + "\n").encode("ascii")


def body(rows: Sequence[str] | None, envelope: Mapping[str, int]) -> bytes:
    """The body of a page, with its records already written by write_row; None for an answer without `data`."""
    parts: list[str] = []
    if rows is not None:
        parts.append('  "data": []' if not rows else '  "data": [\n    ' + ",\n    ".join(rows) + "\n  ]")
    parts += [f'  "{name}": {envelope[name]}' for name in sorted(envelope)]
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode("ascii") if parts else b"{}\n"


def write_row(record: Any, selection: Selection) -> str:
    """A record as `body` takes it."""
    return written(shown(record, selection.rows, selection.left_out), ROW_INDENT)
