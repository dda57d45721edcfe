# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adds to a choice of bundles what these need: packages that they require, and packages with the APIs that they require.

What is needed and already chosen stays as it is. Otherwise one bundle is added for each need, with what that bundle needs in turn:
- of the packages that could help, one that is chosen already goes before the others, then one that helps with the head of its
  default channel, then the first of the alphabet;
- of its bundles, the one with the highest version that helps, in the default channel if there is one;
- in a channel that is kept already, what lies between is kept too, so that the channel stays one chain of updates; a channel that
  is new has the one entry.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import replace

from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_selection import KeptPackage, Selection
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_validation import faults_of
from ansible_collections.quayside.airgap.plugins.module_utils.operators.channel_graph import Graph, GraphError
from ansible_collections.quayside.airgap.plugins.module_utils.operators.filebased_catalog import (
    Bundle,
    Catalog,
    Gvk,
    Package,
    Requirement,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.versions import LOWEST, OlmRange, Version


def add_dependencies(catalog: Catalog, selection: Selection) -> None:
    """Add to a selection what its bundles need, as far as the catalog has it; the warnings tell of the rest."""
    _Resolver(catalog, selection).run()


# chosen already, head of the default channel, in the default channel, version
_Rank = tuple[bool, bool, bool, Version]


class _Resolver:
    """Works through the needs of all bundles, those of the added ones included."""

    def __init__(self, catalog: Catalog, selection: Selection) -> None:
        self._catalog = catalog
        self._selection = selection
        self._providers: dict[Gvk, set[str]] = defaultdict(set)
        for bundle in catalog.bundles():
            for gvk in bundle.provides:
                self._providers[gvk].add(bundle.package)

    def run(self) -> None:
        waiting = deque(self._selection.bundles())
        done = {(bundle.package, bundle.name) for bundle in waiting}
        while waiting:
            bundle = waiting.popleft()
            for requirement in bundle.requires:
                for part in requirement.every or (requirement,):
                    for added in self._provide(bundle, part):
                        if (added.package, added.name) not in done:
                            done.add((added.package, added.name))
                            waiting.append(added)

    def _provide(self, bundle: Bundle, requirement: Requirement) -> list[Bundle]:
        """Add what satisfies a need, where nothing does yet. Returns what was added."""
        if self._satisfied(requirement) or self._possible(requirement):
            return self._add(requirement)
        self._selection.warnings.append(
            f"package '{bundle.package}': {bundle.name} needs {requirement}, and this catalog has nothing usable that provides it"
        )
        return []

    def _possible(self, requirement: Requirement) -> bool:
        if requirement.every:
            return all(self._possible(part) for part in requirement.every)
        if requirement.some:
            return any(self._possible(part) for part in requirement.some)
        return self._best(requirement) is not None

    def _add(self, requirement: Requirement) -> list[Bundle]:
        if self._satisfied(requirement):
            return []
        if requirement.every:
            return [bundle for part in requirement.every for bundle in self._add(part)]
        if requirement.some:
            return self._add(next(part for part in requirement.some if self._possible(part)))
        kept = self._best(requirement)
        if kept is None:
            return []
        before = self._selection.packages.get(kept.name)
        known = before.bundle_names() if before else frozenset()
        self._selection.put(kept)
        return [bundle for bundle in kept.bundles() if bundle.name not in known]

    def _satisfied(self, requirement: Requirement) -> bool:
        if requirement.every:
            return all(self._satisfied(part) for part in requirement.every)
        if requirement.some:
            return any(self._satisfied(part) for part in requirement.some)
        return any(
            _helps(bundle, requirement)
            for name in self._names(requirement)
            if name in self._selection.packages
            for bundle in self._selection.packages[name].bundles()
        )

    def _names(self, requirement: Requirement) -> list[str]:
        """Packages that may satisfy a need."""
        names = {requirement.package} if requirement.package else self._providers.get(requirement.gvk or Gvk("", "", ""), set())
        return sorted(name for name in names if name in self._catalog.packages)

    def _best(self, requirement: Requirement) -> KeptPackage | None:
        """The package to keep so that a need for one package or one API is satisfied; None when there is none."""
        found: list[tuple[_Rank, Package, str, Graph, str]] = []
        for name in self._names(requirement):
            package = self._catalog.packages[name]
            for channel in package.channels.values() if not package.faults else ():
                try:
                    graph = Graph.of(channel.entries)
                except GraphError:
                    continue
                is_default = channel.name == package.default_channel
                for bundle in (package.bundles[entry] for entry in graph.entries if entry in package.bundles):
                    if _helps(bundle, requirement):
                        is_head = is_default and bundle.name == graph.head
                        rank = (name in self._selection.packages, is_head, is_default, bundle.version or LOWEST)
                        found.append((rank, package, channel.name, graph, bundle.name))
        # among equals the first stays the first
        for _rank, package, channel_name, graph, bundle_name in sorted(found, key=lambda candidate: candidate[0], reverse=True):
            kept = self._with(package, channel_name, graph, bundle_name)
            if bundle_name in kept.bundle_names() and all(fault.recent for fault in faults_of(kept)):
                return kept
        return None

    def _with(self, package: Package, channel: str, graph: Graph, bundle: str) -> KeptPackage:
        """A package as it would be kept with a further bundle."""
        kept = self._selection.packages.get(package.name) or KeptPackage(package, channel, {})
        there = {entry.name for entry in kept.channels.get(channel, ())}
        part = graph.part({*there, bundle}) if there else {bundle}
        entries = tuple(entry for entry in package.channels[channel].entries if entry.name in part)
        channels = {**kept.channels, channel: entries}
        return replace(kept, channels={name: channels[name] for name in sorted(channels)})


def _helps(bundle: Bundle, requirement: Requirement) -> bool:
    """Whether a bundle satisfies a need for one package or one API."""
    if requirement.gvk is not None:
        return requirement.gvk in bundle.provides
    if bundle.package != requirement.package or bundle.version is None:
        return False
    if not requirement.versions:
        return True
    versions = OlmRange.parse(requirement.versions)
    return versions is not None and bundle.version in versions
