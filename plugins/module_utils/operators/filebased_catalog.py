# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file-based catalog of operators: packages, their channels, bundles and deprecations.

In memory is only what decides on a selection. What a bundle carries along (manifests, descriptions, related images) stays where
it lies, as the bytes it was written in, and is read one bundle at a time; a catalog may be larger than the memory.
Source: operator-registry, declarative config (the blobs olm.package, olm.channel, olm.bundle, olm.deprecations, and any other).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Protocol

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.operators.versions import Version, parse_version

PACKAGE = "olm.package"
CHANNEL = "olm.channel"
BUNDLE = "olm.bundle"
DEPRECATIONS = "olm.deprecations"


class Source(Protocol):
    """Something that blobs lie in: a file, a member of an archive, bytes."""

    @property
    def name(self) -> str:
        """What to call it in messages: a path from the catalog's root."""

    def open(self) -> BinaryIO:
        """A new stream over all of it."""

    def read(self, offset: int, size: int) -> bytes:
        """A part of it; shorter only when it has become shorter since."""

    def close(self) -> None:
        """Let go of what it holds open."""


class Place(NamedTuple):
    """Where the JSON text of a blob lies.

    :ivar source: number of the source in its catalog.
    """

    source: int
    offset: int
    size: int


@dataclass(frozen=True)
class Fault:
    """What is wrong in a catalog.

    :ivar package: the package that it costs; empty where it lies outside of all packages.
    :ivar path: where it lies, from the outside to the inside: file, blob, field.
    :ivar recent: whether only opm since 1.58 (2025) refuses it. Catalogs are served by the opm that they were built with.
    """

    package: str
    path: str
    reason: str
    recent: bool = False

    def __str__(self) -> str:
        owner = f"package {self.package}: " if self.package else ""
        return f"{owner}{self.path}: {self.reason}" if self.path else f"{owner}{self.reason}"


class Gvk(NamedTuple):
    """An API of a cluster."""

    group: str
    kind: str
    version: str

    def __str__(self) -> str:
        return f"{self.group}/{self.version} {self.kind}"


@dataclass(frozen=True)
class Requirement:
    """What a bundle needs beside itself: a package in a range of versions, or an API, or a combination.

    :ivar package, versions: name and range of olm.package.required; an empty range is any version.
    :ivar gvk: the API of olm.gvk.required.
    :ivar every: all of these (olm.constraint "all"); :ivar some: at least one of these ("any").
    """

    package: str = ""
    versions: str = ""
    gvk: Gvk | None = None
    every: tuple[Requirement, ...] = ()
    some: tuple[Requirement, ...] = ()

    def __str__(self) -> str:
        if self.gvk is not None:
            return f"the API {self.gvk}"
        if self.package:
            return f"the package {self.package}" + (f" {self.versions}" if self.versions else "")
        return (" and " if self.every else " or ").join(str(part) for part in self.every or self.some)


@dataclass(frozen=True)
class Entry:
    """A bundle's place in the update graph of a channel.

    :ivar replaces: the bundle that it updates from.
    :ivar skips: further bundles that it updates from, and that nobody should install any more.
    :ivar skip_range: versions of which the same is true.
    :ivar more: fields that this format does not know yet.
    """

    name: str
    replaces: str = ""
    skips: tuple[str, ...] = ()
    skip_range: str = ""
    more: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Channel:
    package: str
    name: str
    entries: tuple[Entry, ...]
    place: Place

    @property
    def names(self) -> frozenset[str]:
        """The bundles in it."""
        return frozenset(entry.name for entry in self.entries)


@dataclass(frozen=True)
class Bundle:
    """One version of an operator.

    :ivar version_text: as its property olm.package has it.
    :ivar provides: APIs that the operator brings.
    :ivar has_objects: whether its manifests are in the catalog (olm.bundle.object).
    :ivar faults: what is wrong with it as such.
    """

    package: str
    name: str
    image: str
    version_text: str
    place: Place
    release: str = ""
    provides: frozenset[Gvk] = frozenset()
    requires: tuple[Requirement, ...] = ()
    has_objects: bool = False
    faults: tuple[Fault, ...] = ()

    @property
    def version(self) -> Version | None:
        """None when it is no semantic version."""
        return parse_version(self.version_text)


class DeprecationEntry(NamedTuple):
    """What is deprecated: a bundle or a channel by its name, or the package itself, without a name."""

    schema: str
    name: str
    message: str


@dataclass(frozen=True)
class Other:
    """A blob of a schema that is none of ours: it is carried along as it is."""

    schema: str
    package: str
    name: str
    place: Place


@dataclass
class Package:
    """An operator with all that the catalog says of it.

    :ivar place: where its olm.package blob lies; None when there is none.
    :ivar deprecations: entries of its olm.deprecations blob; None when there is none.
    :ivar faults: found while reading. A package that has any cannot be used, for a part of it is missing or there twice.
    """

    name: str
    default_channel: str = ""
    place: Place | None = None
    channels: dict[str, Channel] = field(default_factory=dict)
    bundles: dict[str, Bundle] = field(default_factory=dict)
    deprecations: tuple[DeprecationEntry, ...] | None = None
    deprecations_place: Place | None = None
    others: list[Other] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @cached_property
    def versions(self) -> dict[str, Version]:
        """The versions of its bundles by name, of those that have one."""
        return {name: version for name, bundle in self.bundles.items() if (version := bundle.version) is not None}


class Catalog:
    """A catalog that was read: an index over its sources. To be closed, for it may keep a temporary file.

    :ivar packages: by name, in alphabetical order.
    :ivar others: blobs that belong to no package.
    :ivar faults: what was found while reading, that of the packages included.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        packages: Mapping[str, Package],
        others: Sequence[Other] = (),
        faults: Sequence[Fault] = (),
        spool: BinaryIO | None = None,
    ) -> None:
        self._sources = list(sources)
        self._spool = spool
        self.packages = {name: packages[name] for name in sorted(packages)}
        self.others = list(others)
        self.faults = list(faults)

    def raw(self, place: Place) -> bytes:
        """The JSON text of a blob.

        :raises FileError: when its source cannot be read, or has changed since the catalog was read.
        """
        source = self._sources[place.source]
        content = source.read(place.offset, place.size)
        if len(content) != place.size:
            raise FileError("read", source.name, "it has become shorter while it was in use")
        return content

    def blob(self, place: Place) -> dict[str, Any]:
        """A blob with all that is in it.

        :raises FileError: as for :meth:`raw`.
        """
        try:
            document = json.loads(self.raw(place).decode("utf-8", "replace"), parse_float=_number)
        except ValueError as error:
            raise FileError("read", self.source_name(place), f"it has changed while it was in use: {error}") from error
        if not isinstance(document, dict):
            raise FileError("read", self.source_name(place), "it has changed while it was in use")
        return document

    def source_name(self, place: Place) -> str:
        """The name of the source that a blob lies in."""
        return self._sources[place.source].name

    def bundles(self) -> Iterator[Bundle]:
        """The bundles of all packages."""
        for package in self.packages.values():
            yield from package.bundles.values()

    def close(self) -> None:
        """Let go of the sources. What was selected can no longer be read."""
        for source in self._sources:
            source.close()
        if self._spool is not None:
            self._spool.close()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()


def _number(text: str) -> int | float:
    """A number with a fraction; 1.0 becomes 1, as it does for the tools that write catalogs."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:20]} is too large")
    return int(value) if value.is_integer() and abs(value) < 1e21 else value
