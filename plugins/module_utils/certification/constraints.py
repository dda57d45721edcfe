# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which versions of Kubernetes a chart is for: the constraint in its kubeVersion, read as certsuite reads it.

certsuite asks the library Masterminds semver, 3.5.0. Its grammar and its rules are these, also where they surprise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, Union

# Masterminds semver: longer texts are refused, and so are more alternatives
_LONGEST_VERSION = 256
_LONGEST_CONSTRAINT = 512
_MOST_ALTERNATIVES = 32
_LARGEST_NUMBER = (1 << 64) - 1

# \s would take more than the library does
_SPACE = r"[\t\n\f\r ]"
_LABELS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-({_LABELS}))?(?:\+{_LABELS})?")
# Masterminds semver: a part is any mix of figures, wildcards and bars; which mixes mean something shows later
_PART = r"[0-9xX*|]+"
_WRITTEN = rf"v?{_PART}(?:\.{_PART})?(?:\.{_PART})?(?:-{_LABELS})?(?:\+{_LABELS})?"
_OPERATOR = r"(?:!=|>=|=>|<=|=<|~>|=|>|<|~|\^)?"
_COMPARISON = re.compile(rf"({_OPERATOR}){_SPACE}*({_WRITTEN})")
_BETWEEN = re.compile(rf"{_SPACE}*,{_SPACE}*|{_SPACE}+")
_RANGE = re.compile(rf"{_SPACE}*({_WRITTEN}){_SPACE}+-{_SPACE}+({_WRITTEN}){_SPACE}*")
_PARTS = re.compile(rf"v?({_PART})(?:\.({_PART}))?(?:\.({_PART}))?(-{_LABELS})?(?:\+{_LABELS})?")
_WILDCARDS = ("x", "X", "*", None)
_BLANK = "\t\n\f\r "

Label = Union[tuple[int, int], tuple[int, str]]


class ConstraintError(ValueError):
    """A text is no constraint. It says why."""


class Version(NamedTuple):
    """A version of Kubernetes; what was built of it (``+18eadca``) decides nothing and is not kept.

    :ivar prerelease: what follows the dash, without it; empty for a release.
    """

    major: int
    minor: int
    patch: int
    prerelease: str

    @classmethod
    def parse(cls, text: str) -> Version | None:
        """The version, with or without ``v``; 1 and 1.2 will do. None for what is no version."""
        match = _VERSION.fullmatch(text)
        if match is None or len(text) > _LONGEST_VERSION:
            return None
        prerelease = match.group(4) or ""
        numbers = [int(part or "0") for part in match.group(1, 2, 3)]
        if max(numbers) > _LARGEST_NUMBER:
            return None
        if any(len(label) > 1 and label[0] == "0" and label.isdigit() for label in prerelease.split(".")):
            return None
        return cls(numbers[0], numbers[1], numbers[2], prerelease)

    @property
    def precedence(self) -> tuple[int, int, int, bool, tuple[Label, ...]]:
        """What decides which version is newer (Semantic Versioning 2.0.0, 11)."""
        labels = tuple(_label(label) for label in self.prerelease.split(".")) if self.prerelease else ()
        return (self.major, self.minor, self.patch, not self.prerelease, labels)


def _label(text: str) -> Label:
    # Masterminds semver: a number that it cannot hold is a text
    number = int(text) if text.isdigit() else _LARGEST_NUMBER + 1
    return (0, number) if number <= _LARGEST_NUMBER else (1, text)


class _Comparison(NamedTuple):
    """A version and how others have to compare with it.

    :ivar given: how many parts stand before the first wildcard or the first part that is left out.
    """

    operator: str
    version: Version
    given: int

    def allows(self, version: Version) -> bool:
        """Whether it holds; whether pre-releases are welcome at all has been decided before."""
        mine, its = self.version, version
        newer, same = its.precedence > mine.precedence, its.precedence == mine.precedence
        if self.operator == ">=":
            return newer or same
        if self.operator == "<":
            return not newer and not same
        if self.operator == "!=":
            return not same if self.given == 3 else self._differs(its)
        if self.operator == ">":
            return newer if self.given in (0, 3) else its[: self.given] > mine[: self.given]
        if self.operator == "<=":
            # `<=*` is `<=0.0`: a wildcard in the first place stands for 0.0.0 here
            return not newer if self.given == 3 else its[: self.given or 2] <= mine[: self.given or 2]
        if self.operator == "=" and self.given == 3:
            return same
        if not newer and not same:
            return False
        return self._beside(its) if self.operator == "^" else self._near(its)

    def _differs(self, its: Version) -> bool:
        mine = self.version
        if self.given == 0:
            # a wildcard in the first place stands for 0.0.0 here
            return its.precedence != mine.precedence
        if its[: self.given] != mine[: self.given]:
            return True
        return self.given == 2 and its.prerelease != mine.prerelease

    def _near(self, its: Version) -> bool:
        """``~``: the same minor version, or the same major version where no minor one is given."""
        mine = self.version
        if self.given in (0, 3) and mine[:3] == (0, 0, 0):
            return True
        kept = 1 if self.given == 1 else 2
        return its[:kept] == mine[:kept]

    def _beside(self, its: Version) -> bool:
        """``^``: the same up to the first part that is not 0."""
        mine = self.version
        if mine.major > 0 or self.given == 1:
            return its.major == mine.major
        if mine.minor > 0 or self.given == 2:
            return its[:2] == mine[:2]
        return its[:3] == mine[:3]


_OPERATORS = {"": "=", "=>": ">=", "=<": "<=", "~>": "~"}


@dataclass(frozen=True)
class Constraint:
    """Which versions are allowed: those for which all comparisons of one alternative hold.

    Pre-releases are allowed by an alternative alone of which one comparison names a pre-release itself.
    """

    alternatives: tuple[tuple[_Comparison, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """The constraint that a text stands for.

        :raises ConstraintError: when the library would not read it; certsuite stops there.
        """
        if len(text.encode(errors="surrogatepass")) > _LONGEST_CONSTRAINT:
            raise ConstraintError(f"it is longer than {_LONGEST_CONSTRAINT} bytes")
        parts = _without_ranges(text).split("||")
        if len(parts) > _MOST_ALTERNATIVES:
            raise ConstraintError(f"it has more than {_MOST_ALTERNATIVES} alternatives")
        return cls(tuple(_comparisons(part) for part in parts))

    def allows(self, version: Version) -> bool:
        return any(
            all(comparison.allows(version) for comparison in comparisons)
            for comparisons in self.alternatives
            if not version.prerelease or any(comparison.version.prerelease for comparison in comparisons)
        )


def _without_ranges(text: str) -> str:
    """``1 - 2`` written as two comparisons."""
    written = text
    for match in _RANGE.finditer(text):
        # Masterminds semver: the first such text is replaced, and the blanks around it go with it
        written = written.replace(match.group(), f">= {match.group(1)}, <= {match.group(2)} ", 1)
    return written


def _comparisons(text: str) -> tuple[_Comparison, ...]:
    found: list[_Comparison] = []
    stripped = text.strip(_BLANK)
    position = 0
    while True:
        match = _COMPARISON.match(stripped, position)
        if match is None:
            raise ConstraintError(f"'{text[:80]}' is no comparison with a version")
        found.append(_comparison(match.group(1), match.group(2)))
        position = match.end()
        if position == len(stripped):
            return tuple(found)
        between = _BETWEEN.match(stripped, position)
        if between is None:
            raise ConstraintError(f"'{text[:80]}' goes on after a version without a blank or a comma")
        position = between.end()


def _comparison(operator: str, written: str) -> _Comparison:
    match = _PARTS.fullmatch(written)
    if match is None:
        raise ConstraintError(f"'{written[:80]}' is no version")
    parts = list(match.group(1, 2, 3))
    given = next((index for index, part in enumerate(parts) if part in _WILDCARDS), 3)
    plain = written if given == 3 else ".".join([*parts[:given], "0", "0", "0"][:3]) + (match.group(4) or "")
    version = Version.parse(plain)
    if version is None:
        raise ConstraintError(f"'{written[:80]}' is no version")
    return _Comparison(_OPERATORS.get(operator, operator), version, given)
