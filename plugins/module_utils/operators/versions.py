# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of operators: strict as bundles must write them, lenient as users may, and the two kinds of ranges.

Sources: Semantic Versioning 2.0.0; for the lenient form and the bounds of an ImageSetConfiguration the behaviour of oc-mirror v2
(Masterminds semver 3.5); for skipRange and for required packages that of OLM (blang semver 4).
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, field
from functools import total_ordering
from typing import Any, Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError

_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_STRICT = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_IDENTIFIERS}))?(?:\+({_IDENTIFIERS}))?")
_LENIENT = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-({_IDENTIFIERS}))?(?:\+({_IDENTIFIERS}))?")
# what the tools that read the catalog can hold
_LARGEST = (1 << 64) - 1

Precedence = tuple[Any, ...]


@total_ordering
@dataclass(frozen=True)
class Version:
    """A semantic version. Versions that differ in their build metadata alone have the same precedence.

    :ivar prerelease: what follows the dash, without it; empty for a release.
    :ivar build: what follows the plus, without it.
    :ivar parts: how many of major, minor and patch were written.
    """

    major: int
    minor: int
    patch: int
    prerelease: str = ""
    build: str = ""
    parts: int = field(default=3, compare=False)

    @property
    def precedence(self) -> Precedence:
        """What decides which version is newer (Semantic Versioning 2.0.0, 11)."""
        identifiers = tuple((0, int(text), "") if text.isdigit() else (1, 0, text) for text in self.prerelease.split("."))
        return (self.major, self.minor, self.patch, (0, identifiers) if self.prerelease else (1, ()))

    def __lt__(self, other: Version) -> bool:
        # the build decides nothing, but sorting must not depend on the order that things were found in
        return (self.precedence, self.build) < (other.precedence, other.build)

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        return text + (f"-{self.prerelease}" if self.prerelease else "") + (f"+{self.build}" if self.build else "")


# before any that can be written
LOWEST = Version(0, 0, 0, "0")


def parse_version(text: str) -> Version | None:
    """The version written strictly by the rules, as bundles must; None for anything else."""
    return _version(_STRICT.fullmatch(text))


def parse_lenient(text: str) -> Version | None:
    """The version as users may write it: ``1``, ``v1.2`` and ``01.2.3`` will do; None for anything else."""
    return _version(_LENIENT.fullmatch(text))


def _version(match: re.Match[str] | None) -> Version | None:
    if match is None:
        return None
    numbers = [int(text) for text in match.group(1, 2, 3) if text is not None and len(text) <= 20]
    written = sum(text is not None for text in match.group(1, 2, 3))
    prerelease = match.group(4) or ""
    if len(numbers) < written or max(numbers) > _LARGEST:
        return None
    if any(text.isdigit() and text != "0" and text.startswith("0") for text in prerelease.split(".")):
        return None
    major, minor, patch = [*numbers, 0, 0][:3]
    return Version(major, minor, patch, prerelease, match.group(5) or "", written)


@dataclass(frozen=True)
class VersionBounds:
    """minVersion and maxVersion of an ImageSetConfiguration.

    An upper bound that leaves parts out includes all that begins with it: ``2`` includes 2.9.1. Pre-releases are inside only where
    one of the bounds is a pre-release itself (oc-mirror: Masterminds constraint ">=min <=max").
    """

    minimum: Version | None = None
    maximum: Version | None = None

    @classmethod
    def parse(cls, minimum: str, maximum: str, subject: str) -> VersionBounds | None:
        """The bounds that a user wrote, None when both are empty.

        :param subject: what they belong to, for the message.
        :raises InputError: when one is no version.
        """
        bounds = []
        for name, text in (("minVersion", minimum), ("maxVersion", maximum)):
            version = parse_lenient(text) if text else None
            if text and version is None:
                raise InputError(subject, f"its {name} '{text}' is no version", "Write it like 1.2.3, 1.2 or 1.")
            bounds.append(version)
        return cls(*bounds) if any(bounds) else None

    def __contains__(self, version: Version) -> bool:
        given = [bound for bound in (self.minimum, self.maximum) if bound is not None]
        if version.prerelease and not any(bound.prerelease for bound in given):
            return False
        if self.minimum is not None and version.precedence < self.minimum.precedence:
            return False
        if self.maximum is None:
            return True
        if self.maximum.parts == 3:
            return version.precedence <= self.maximum.precedence
        return (version.major, version.minor)[: self.maximum.parts] <= (self.maximum.major, self.maximum.minor)[: self.maximum.parts]

    def __str__(self) -> str:
        return " ".join(
            sign + ".".join(str(number) for number in (bound.major, bound.minor, bound.patch)[: bound.parts]) + _suffix(bound)
            for sign, bound in ((">=", self.minimum), ("<=", self.maximum))
            if bound is not None
        )


def _suffix(version: Version) -> str:
    return f"-{version.prerelease}" if version.prerelease else ""


Comparison = Callable[[Any, Any], bool]
_COMPARISONS: dict[str, Comparison] = {
    "": operator.eq,
    "=": operator.eq,
    "==": operator.eq,
    "!": operator.ne,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_TERM = re.compile(r"([<>=!]*) *([^ <>=!]+)")
_WILDCARD = re.compile(rf"({_NUMBER})(?:\.({_NUMBER}))?\.x(?:\.x)?")


@dataclass(frozen=True)
class OlmRange:
    """A range as OLM reads it in skipRange and in the property olm.package.required: ``>=1.0.0 <2.0.0 || 3.x``.

    Pre-releases are ordinary versions here.

    :ivar alternatives: of each all comparisons must hold.
    """

    alternatives: tuple[tuple[tuple[str, Version], ...], ...]

    @classmethod
    def parse(cls, text: str) -> OlmRange | None:
        """The range, None when it is none."""
        alternatives = []
        for part in f" {text} ".split(" || "):
            terms: list[tuple[str, Version]] = []
            position = 0
            stripped = part.strip(" ")
            while position < len(stripped):
                match = _TERM.match(stripped, position)
                found = _comparisons(match.group(1), match.group(2)) if match else None
                end = match.end() if match else 0
                if found is None or (end < len(stripped) and stripped[end] != " "):
                    return None
                terms += found
                position = len(stripped) - len(stripped[end:].lstrip(" "))
            if not terms:
                return None
            alternatives.append(tuple(terms))
        return cls(tuple(alternatives))

    def __contains__(self, version: Version) -> bool:
        return any(all(_COMPARISONS[sign](version.precedence, bound.precedence) for sign, bound in terms) for terms in self.alternatives)


def _comparisons(sign: str, text: str) -> list[tuple[str, Version]] | None:
    """One term of a range; ``x`` in the place of minor or patch stands for all of them."""
    if sign not in _COMPARISONS:
        return None
    wild = _WILDCARD.fullmatch(text)
    if wild is None:
        version = parse_version(text)
        return None if version is None else [(sign, version)]
    major, minor = int(wild.group(1)), wild.group(2)
    first = Version(major, int(minor or 0), 0)
    after = Version(major + 1, 0, 0) if minor is None else Version(major, int(minor) + 1, 0)
    if sign in ("", "=", "=="):
        return [(">=", first), ("<", after)]
    if sign in ("!", "!="):
        # as OLM has it, which no version satisfies
        return [("<", first), (">=", after)]
    return [{">": (">=", after), ">=": (">=", first), "<": ("<", first), "<=": ("<", after)}[sign]]
