# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chooses packages, channels and bundles of a catalog, as an ImageSetConfiguration asks for them.

Without further options the choice is oc-mirror v2's: nothing said means the head of every channel of every package; a package, the
heads of its channels; channels, their heads; bounds on versions, the shortest part of a channel that has all versions inside;
``full``, everything. Beyond it there are exact versions, a default channel that is chosen where the original one is not among the
channels, and the bundles that the chosen ones depend on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.operators import channel_graph
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_dependencies import add_dependencies
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_selection import (
    KeptPackage,
    Selection,
    choose_default_channel,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_validation import faults_of
from ansible_collections.quayside.airgap.plugins.module_utils.operators.channel_graph import Graph, GraphError
from ansible_collections.quayside.airgap.plugins.module_utils.operators.filebased_catalog import (
    CHANNEL,
    PACKAGE,
    Catalog,
    Channel,
    Entry,
    Fault,
    Package,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.versions import Version, VersionBounds, parse_lenient

# how many names a message lists
_NAMED = 40


@dataclass(frozen=True)
class ChannelChoice:
    """A channel that is wanted; without bounds, its head.

    :ivar minimum, maximum: bounds of versions, as the user wrote them.
    """

    name: str
    minimum: str = ""
    maximum: str = ""


@dataclass(frozen=True)
class PackageChoice:
    """A package that is wanted.

    :ivar channels: none means all.
    :ivar minimum, maximum: bounds for those channels that have none of their own.
    :ivar versions: exactly these, versions or names of bundles, in whichever of the channels they are.
    """

    name: str
    channels: tuple[ChannelChoice, ...] = ()
    default_channel: str = ""
    minimum: str = ""
    maximum: str = ""
    versions: tuple[str, ...] = ()


@dataclass(frozen=True)
class CatalogChoice:
    """What is wanted of a catalog.

    :ivar packages: none means all.
    :ivar full: all bundles instead of the heads of channels.
    """

    packages: tuple[PackageChoice, ...] = ()
    full: bool = False


@dataclass(frozen=True)
class FilterOptions:
    """How to go about it.

    :ivar lenient: a name or version that is not there, and a choice that leaves a package without default channel, is told of and
        costs what was asked there; otherwise it is an error.
    :ivar automatic_default_channel: where the default channel is not among the channels, and none is given, choose one.
    :ivar dependencies: add the bundles that the chosen ones need.
    """

    lenient: bool = False
    automatic_default_channel: bool = False
    dependencies: bool = False


class _BrokenPackageError(Exception):
    """:ivar faults: why it cannot be used."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        super().__init__(*faults)


def filter_catalog(catalog: Catalog, choice: CatalogChoice, options: FilterOptions | None = None) -> Selection:
    """Choose of a catalog.

    A package that is broken, so that no tool could load the catalog with it, is left out and told of in the faults.

    :raises InputError: when the choice contradicts itself; with everything that was asked for and is not there, and what is there
        instead, unless the options are lenient.
    """
    options = options or FilterOptions()
    selection = _Filter(catalog, choice, options).run()
    if options.dependencies and not selection.whole:
        add_dependencies(catalog, selection)
    return selection


class _Filter:
    """Applies a choice to a catalog."""

    def __init__(self, catalog: Catalog, choice: CatalogChoice, options: FilterOptions) -> None:
        self._catalog = catalog
        self._full = choice.full
        self._options = options
        self._wanted = choice.packages
        self._bounds = _understand(choice)
        # what the user asked for and cannot have
        self._complaints: list[str] = []
        self._selection = Selection(faults=[fault for fault in catalog.faults if not fault.package])

    def run(self) -> Selection:
        """:raises InputError: with all complaints."""
        selection = self._selection
        for choice in self._choices():
            try:
                kept = self._keep(self._catalog.packages[choice.name], choice)
            except _BrokenPackageError as error:
                selection.faults += error.faults
                continue
            if kept is not None:
                selection.packages[kept.name] = kept
        if self._complaints and not self._options.lenient:
            raise InputError("the choice of operators", "; ".join(self._complaints))
        selection.warnings += self._complaints
        selection.missing += self._complaints
        selection.whole = self._full and not self._wanted and selection.packages.keys() == self._catalog.packages.keys()
        return selection

    def _choices(self) -> list[PackageChoice]:
        """One for each package that is wanted and there, in alphabetical order."""
        packages = self._catalog.packages
        if not self._wanted:
            return [PackageChoice(name) for name in packages]
        for choice in self._wanted:
            if choice.name not in packages:
                self._complaints.append(f"the catalog has no package '{choice.name}'; {_listed('it has', packages)}")
        return sorted((choice for choice in self._wanted if choice.name in packages), key=lambda choice: choice.name)

    def _keep(self, package: Package, choice: PackageChoice) -> KeptPackage | None:
        """What stays of a package, None when nothing does and the user has been told why.

        :raises _BrokenPackageError: when nothing can be made of it.
        """
        if package.faults or not package.channels:
            raise _BrokenPackageError(package.faults or [Fault(package.name, "", "it has no channels")])
        channels = self._channels(package, choice)
        pinned = self._pinned(package, choice, channels) if choice.versions else None
        kept = {}
        for channel in channels:
            bounds = self._bounds.get((package.name, channel.name)) or self._bounds.get((package.name, ""))
            entries = self._entries(package, channel, bounds, pinned)
            if entries:
                kept[channel.name] = entries
        if not kept:
            if channels and pinned is None:
                versions = sorted({version for channel in channels for version in _versions(package, channel)})
                self._complain(package, f"no channel has a version in the range that is asked for; {_listed('there are', versions)}")
            return None
        default = self._default_channel(package, choice, kept)
        if default is None:
            return None
        result = KeptPackage(package, default, {name: kept[name] for name in sorted(kept)})
        faults = [fault for fault in faults_of(result) if not fault.recent]
        if faults:
            raise _BrokenPackageError(faults)
        return result

    def _complain(self, package: Package, text: str) -> None:
        self._complaints.append(f"package '{package.name}': {text}")

    def _channels(self, package: Package, choice: PackageChoice) -> list[Channel]:
        for wanted in choice.channels:
            if wanted.name not in package.channels:
                self._complain(package, f"it has no channel '{wanted.name}'; {_listed('it has', sorted(package.channels))}")
        names = [wanted.name for wanted in choice.channels] or list(package.channels)
        return [package.channels[name] for name in names if name in package.channels]

    def _pinned(self, package: Package, choice: PackageChoice, channels: Sequence[Channel]) -> frozenset[str]:
        """Names of the bundles that are wanted as exact versions."""
        there = {name for channel in channels for name in channel.names}
        pinned: set[str] = set()
        for text in choice.versions:
            found = {name for name in there if name == text or _is_version(package.versions.get(name), text)}
            if not found:
                versions = sorted({version for channel in channels for version in _versions(package, channel)})
                self._complain(package, f"it has no version '{text}' in the channels that are wanted; {_listed('there are', versions)}")
            pinned |= found
        return frozenset(pinned)

    def _entries(
        self, package: Package, channel: Channel, bounds: VersionBounds | None, pinned: frozenset[str] | None
    ) -> tuple[Entry, ...]:
        """The entries of a channel that stay; none when the channel goes."""
        if self._full and channel.entries:
            return channel.entries
        graph = _graph(channel)
        if pinned is not None:
            entries, invented = channel_graph.only(channel.entries, pinned, package.versions)
            self._selection.warnings += [
                f"package '{package.name}', channel '{channel.name}': the exact versions make an update from {update} "
                "that the publisher does not offer"
                for update in invented
            ]
            return entries
        if bounds is None:
            return (graph.entries[graph.head],)
        part = graph.part({name for name, version in package.versions.items() if version in bounds})
        return tuple(entry for entry in channel.entries if entry.name in part)

    def _default_channel(self, package: Package, choice: PackageChoice, kept: Mapping[str, tuple[Entry, ...]]) -> str | None:
        """None when there is none and the user has been told why.

        :raises _BrokenPackageError: when the catalog names one that it does not have.
        """
        wanted = choice.default_channel or package.default_channel
        if wanted in kept or not wanted:
            return wanted
        if not choice.default_channel and wanted not in package.channels and not self._options.automatic_default_channel:
            # nothing that the user could have chosen better
            raise _BrokenPackageError([Fault(package.name, f"{PACKAGE} {package.name}: defaultChannel", f"there is no channel '{wanted}'")])
        if choice.default_channel or not self._options.automatic_default_channel:
            whose = "that is asked for" if choice.default_channel else "of the catalog"
            self._complain(
                package,
                f"the default channel '{wanted}' {whose} is not among the channels that are left; {_listed('these are', sorted(kept))}; "
                "set defaultChannel to one of them, or take the default channel's versions too",
            )
            return None
        chosen = choose_default_channel(package, kept)
        self._selection.warnings.append(
            f"package '{package.name}': the default channel is '{chosen}', for the catalog's own, '{wanted}', is not among those chosen"
        )
        return chosen


def _understand(choice: CatalogChoice) -> dict[tuple[str, str], VersionBounds]:
    """The bounds of versions by package and channel; those of a package are under all channels that have none of their own.

    :raises InputError: with everything that contradicts itself or is no version.
    """
    faults = []
    found: dict[tuple[str, str], VersionBounds] = {}
    for package in choice.packages:
        where = f"package '{package.name}'"
        ranges = [(where, "", package.minimum, package.maximum)]
        ranges += [(f"{where}, channel '{wanted.name}'", wanted.name, wanted.minimum, wanted.maximum) for wanted in package.channels]
        bounded = any(minimum or maximum for _where, _channel, minimum, maximum in ranges)
        if choice.full and (bounded or package.versions):
            faults.append(f"{where}: full means all versions, which leaves no choice of versions")
        elif bounded and package.versions:
            faults.append(f"{where}: exact versions cannot be used together with minVersion and maxVersion")
        for place, channel, minimum, maximum in ranges:
            try:
                bounds = VersionBounds.parse(minimum, maximum, place)
            except InputError as error:
                faults.append(f"{place}: {error.reason}")
                continue
            if bounds is not None:
                found[package.name, channel] = bounds
    if faults:
        raise InputError("the choice of operators", "; ".join(faults))
    return found


def _graph(channel: Channel) -> Graph:
    """:raises _BrokenPackageError: when the channel is no graph with one head."""
    try:
        return Graph.of(channel.entries)
    except GraphError as error:
        path = f"{CHANNEL} {channel.name}"
        raise _BrokenPackageError([Fault(channel.package, path, reason) for reason in error.reasons]) from error


def _is_version(own: Version | None, text: str) -> bool:
    """Whether a version is the one that is asked for; the build metadata counts only where it is given."""
    wanted = parse_lenient(text)
    if own is None or wanted is None:
        return False
    return own == wanted if wanted.build else own.precedence == wanted.precedence and wanted.parts == 3


def _versions(package: Package, channel: Channel) -> list[Version]:
    return [package.versions[name] for name in channel.names if name in package.versions]


def _listed(words: str, names: Iterable[object]) -> str:
    """What there is instead, in a message."""
    found = [str(name) for name in names]
    rest = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{words} {', '.join(found[:_NAMED])}{rest}" if found else "there is none"
