# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a catalog unloadable: the rules of ``opm validate``, with the place of each fault.

Source: operator-registry (alpha/declcfg and alpha/model, 2026). One bad package makes the tools refuse the whole catalog.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Callable, Optional

from ansible_collections.quayside.airgap.plugins.module_utils.operators import channel_graph
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_selection import KeptPackage, Selection
from ansible_collections.quayside.airgap.plugins.module_utils.operators.filebased_catalog import (
    BUNDLE,
    CHANNEL,
    DEPRECATIONS,
    PACKAGE,
    Catalog,
    DeprecationEntry,
    Entry,
    Fault,
    Place,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.versions import OlmRange

# RFC 1123: what Kubernetes takes as a label of a host name
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# Names the file that something lies in, with a colon behind it
Prefix = Callable[[Optional[Place]], str]


def validate_catalog(catalog: Catalog) -> list[Fault]:
    """Everything that keeps a catalog from being loaded; nothing for a good one."""

    def prefix(place: Place | None) -> str:
        return f"{catalog.source_name(place)}: " if place is not None else ""

    faults = [fault for fault in catalog.faults if not fault.package]
    for package in catalog.packages.values():
        faults += package.faults
        if package.place is None:
            continue
        kept = KeptPackage(package, package.default_channel, {name: channel.entries for name, channel in package.channels.items()})
        faults += _faults_of(kept, prefix, package.deprecations or ())
        names = kept.bundle_names()
        for name, bundle in package.bundles.items():
            if name not in names:
                faults.append(Fault(package.name, f"{prefix(bundle.place)}{BUNDLE} {name}", "it is in no channel"))
    return faults


def validate_selection(selection: Selection) -> list[Fault]:
    """Everything that would keep the chosen part of a catalog from being loaded."""
    return [fault for kept in selection.packages.values() for fault in faults_of(kept)]


def faults_of(kept: KeptPackage) -> list[Fault]:
    """What is wrong with a package as it is kept."""
    return list(_faults_of(kept, _no_file, kept.deprecations() or ()))


def _no_file(_place: Place | None) -> str:
    return ""


def _faults_of(kept: KeptPackage, prefix: Prefix, deprecations: Iterable[DeprecationEntry]) -> Iterator[Fault]:
    name, package = kept.name, kept.package
    path = f"{prefix(package.place)}{PACKAGE} {name}"
    if not _LABEL.fullmatch(name):
        yield Fault(name, f"{path}: name", "it is not made of at most 63 lower-case letters, digits and dashes between them")
    if not kept.channels:
        yield Fault(name, path, "it has no channels")
    elif not kept.default_channel:
        yield Fault(name, f"{path}: defaultChannel", "it is missing")
    elif kept.default_channel not in kept.channels:
        yield Fault(name, f"{path}: defaultChannel", f"there is no channel '{kept.default_channel}'")
    for channel, entries in kept.channels.items():
        place = package.channels[channel].place
        yield from _faults_of_channel(kept, channel, entries, f"{prefix(place)}{CHANNEL} {channel}")
    for bundle in kept.bundles():
        yield from bundle.faults
    yield from _same_versions(kept, path)
    yield from _faults_of_deprecations(kept, deprecations, f"{prefix(package.deprecations_place)}{DEPRECATIONS}")


def _faults_of_channel(kept: KeptPackage, channel: str, entries: tuple[Entry, ...], path: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for position, entry in enumerate(entries):
        field = f"{path}: entries[{position}]"
        if entry.name in seen:
            yield Fault(kept.name, field, f"{entry.name} is there twice")
        seen.add(entry.name)
        if entry.name not in kept.package.bundles:
            yield Fault(kept.name, field, f"there is no bundle '{entry.name}'")
        if "" in entry.skips:
            yield Fault(kept.name, f"{field}.skips", "a name is empty")
        if entry.skip_range and OlmRange.parse(entry.skip_range) is None:
            yield Fault(kept.name, f"{field}.skipRange", f"'{entry.skip_range}' is no range of versions", recent=True)
    if not entries:
        yield Fault(kept.name, path, "it has no entries")
        return
    heads = channel_graph.heads(entries)
    if not heads:
        yield Fault(kept.name, path, "it has no head: every entry is replaced or skipped by another one")
    elif len(heads) > 1:
        yield Fault(kept.name, path, f"it has several heads: {', '.join(heads)}")
    elif circle := channel_graph.circle(entries, heads[0]):
        yield Fault(kept.name, path, f"its updates go in a circle: {' replaces '.join(circle)}")
    else:
        for recent in (False, True):
            names = channel_graph.stranded(entries, heads[0], recent=recent)
            if names:
                yield Fault(kept.name, path, f"no update leads away from {', '.join(names)}", recent=recent)
                return


def _same_versions(kept: KeptPackage, path: str) -> Iterator[Fault]:
    names = defaultdict(list)
    for bundle in kept.bundles():
        if bundle.version is not None:
            names[str(bundle.version) + (f"-{bundle.release}" if bundle.release else "")].append(bundle.name)
    for version, found in sorted(names.items()):
        if len(found) > 1:
            yield Fault(kept.name, path, f"several bundles have the version {version}: {', '.join(found)}")


def _faults_of_deprecations(kept: KeptPackage, entries: Iterable[DeprecationEntry], path: str) -> Iterator[Fault]:
    seen = set()
    there = {BUNDLE: kept.bundle_names(), CHANNEL: kept.channels.keys(), PACKAGE: {""}}
    for position, entry in enumerate(entries):
        field = f"{path}: entries[{position}]"
        reference = (entry.schema, entry.name)
        if reference in seen:
            yield Fault(kept.name, field, f"{entry.schema} {entry.name} is deprecated twice")
        seen.add(reference)
        if entry.schema not in there:
            yield Fault(kept.name, f"{field}.reference.schema", f"'{entry.schema}' is nothing that can be deprecated")
        elif entry.name not in there[entry.schema]:
            reason = (
                "the name must be empty, for it is the package" if entry.schema == PACKAGE else f"there is no {entry.schema} '{entry.name}'"
            )
            yield Fault(kept.name, f"{field}.reference.name", reason)
        if not entry.message:
            yield Fault(kept.name, f"{field}.message", "it is missing")
