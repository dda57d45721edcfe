# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of a catalog's folder are no part of it: the rules in .indexignore files, written as in .gitignore.

The rules of all such files count, each below its own folder, and the last one that matches decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

FILE_NAME = ".indexignore"
_ANY_DEPTH = "**"


@dataclass(frozen=True)
class _Rule:
    """One line.

    :ivar folder: the parts of the path under which it holds.
    :ivar segments: a pattern for each part of a path, ``**`` for any number of parts.
    :ivar anywhere: whether it names a file or folder at any depth, because it has no slash inside.
    """

    folder: tuple[str, ...]
    segments: tuple[str, ...]
    anywhere: bool
    folders_only: bool
    keeps: bool

    def matches(self, path: tuple[str, ...]) -> bool:
        if path[: len(self.folder)] != self.folder:
            return False
        below = path[len(self.folder) :]
        if not self.anywhere:
            return self._matches(self.segments, below)
        # what lies in a folder that is left out is left out too, but a folder that is kept says nothing of its files
        ends = range(len(below)) if not self.keeps else range(len(below) - 1, len(below))
        return any(self._matches(self.segments, below[position:]) for position in ends)

    def _matches(self, segments: tuple[str, ...], parts: tuple[str, ...]) -> bool:
        if not segments:
            return not self.folders_only if not parts else not self.keeps
        first, rest = segments[0], segments[1:]
        if first == _ANY_DEPTH:
            if not rest:
                return bool(parts)
            return any(self._matches(rest, parts[skipped:]) for skipped in range(len(parts) + 1))
        return bool(parts) and bool(re.fullmatch(first, parts[0], re.S)) and self._matches(rest, parts[1:])


class IgnoreRules:
    """All rules of a tree, added in the order in which their files are found: parents before children."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []

    def add(self, text: str, folder: Sequence[str]) -> None:
        """Take the lines of a .indexignore file.

        :param folder: the parts of the path from the catalog's root to the folder that the file lies in.
        """
        for line in text.splitlines():
            pattern = line.strip()
            if not pattern or pattern.startswith("#"):
                continue
            keeps = pattern.startswith("!")
            pattern = pattern[1:] if keeps else pattern
            folders_only = pattern.endswith("/")
            pattern = pattern[:-1] if folders_only else pattern
            segments = tuple(part if part == _ANY_DEPTH else _expression(part) for part in pattern.split("/") if part)
            if segments:
                self._rules.append(_Rule(tuple(folder), segments, "/" not in pattern, folders_only, keeps))

    def ignore(self, path: Sequence[str]) -> bool:
        """Whether a file is left out.

        :param path: the parts of its path from the catalog's root.
        """
        parts = tuple(path)
        for rule in reversed(self._rules):
            if rule.matches(parts):
                return not rule.keeps
        return False


def _expression(pattern: str) -> str:
    """A shell pattern for one part of a path as a regular expression."""
    found = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        if char == "\\" and position + 1 < len(pattern):
            position += 1
            found.append(re.escape(pattern[position]))
        elif char == "*":
            found.append(".*")
        elif char == "?":
            found.append(".")
        elif char == "[" and (end := _end_of_class(pattern, position)) > 0:
            inside = pattern[position + 1 : end]
            negated = inside[:1] in ("!", "^")
            members = (inside[1:] if negated else inside).replace("\\", "\\\\").replace("[", "\\[")
            found.append(f"[{'^' if negated else ''}{members}]")
            position = end
        else:
            found.append(re.escape(char))
        position += 1
    return "".join(found)


def _end_of_class(pattern: str, start: int) -> int:
    """Where the bracket that closes a class stands; the first character inside may be one itself. 0 when it is not closed."""
    first = start + 1
    if pattern[first : first + 1] in ("!", "^"):
        first += 1
    return max(pattern.find("]", first + 1), 0)
