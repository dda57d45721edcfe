# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was chosen of a catalog: packages with the channels, entries and bundles that stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.quayside.airgap.plugins.module_utils.operators import channel_graph
from ansible_collections.quayside.airgap.plugins.module_utils.operators.filebased_catalog import (
    BUNDLE,
    CHANNEL,
    Bundle,
    DeprecationEntry,
    Entry,
    Fault,
    Package,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.versions import LOWEST, Version


@dataclass(frozen=True)
class KeptPackage:
    """A package as far as it was chosen.

    :ivar package: the whole package.
    :ivar channels: entries that stay, by channel, in the order of names.
    """

    package: Package
    default_channel: str
    channels: Mapping[str, tuple[Entry, ...]]

    @property
    def name(self) -> str:
        return self.package.name

    def bundle_names(self) -> frozenset[str]:
        """Names of all bundles that are in one of the channels."""
        return frozenset(entry.name for entries in self.channels.values() for entry in entries)

    def bundles(self) -> list[Bundle]:
        """The bundles in the order of names."""
        return [self.package.bundles[name] for name in sorted(self.bundle_names()) if name in self.package.bundles]

    def deprecations(self) -> tuple[DeprecationEntry, ...] | None:
        """What the package deprecates of that which stays; None where it has no such blob."""
        if self.package.deprecations is None:
            return None
        names = self.bundle_names()
        gone = {BUNDLE: names, CHANNEL: self.channels.keys()}
        return tuple(entry for entry in self.package.deprecations if entry.schema not in gone or entry.name in gone[entry.schema])


@dataclass
class Selection:
    """What was chosen of a catalog.

    :ivar packages: by name, in alphabetical order.
    :ivar faults: what cost a package, and what is wrong in the catalog besides.
    :ivar warnings: what the user should know of the choice.
    :ivar missing: those of them that tell of something that was asked for and is not there.
    :ivar whole: whether it is the whole catalog, unchanged: nothing has to be built then.
    """

    packages: dict[str, KeptPackage] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    whole: bool = False
    missing: list[str] = field(default_factory=list)

    def bundles(self) -> Iterator[Bundle]:
        """All bundles, by package and name."""
        for kept in self.packages.values():
            yield from kept.bundles()

    def put(self, kept: KeptPackage) -> None:
        """Put a package in its place."""
        packages = {**self.packages, kept.name: kept}
        self.packages = {name: packages[name] for name in sorted(packages)}


def choose_default_channel(package: Package, channels: Mapping[str, tuple[Entry, ...]]) -> str:
    """The default channel where the package's own is not there: the one with the highest version at its head.

    A release goes before a pre-release, and among equals a channel named stable before others, then the first of the alphabet.
    """
    versions = package.versions

    def rank(name: str) -> tuple[bool, Version, bool]:
        head = max((versions.get(head, LOWEST) for head in channel_graph.heads(channels[name])), default=LOWEST)
        return not head.prerelease, head, name.startswith("stable")

    return max(sorted(channels), key=rank)
