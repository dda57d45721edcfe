# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The update graph of a channel: its head, the chain of replaced bundles below, and parts of it that are graphs again.

Sources: OLM and operator-registry (what makes a channel loadable), oc-mirror v2 (which entries a range of versions keeps).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.quayside.airgap.plugins.module_utils.operators.filebased_catalog import Entry
from ansible_collections.quayside.airgap.plugins.module_utils.operators.versions import LOWEST, OlmRange, Version


class GraphError(Exception):
    """A channel that is no graph with one head.

    :ivar reasons: all that is wrong with it.
    """

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = list(reasons)
        super().__init__("; ".join(reasons))


@dataclass(frozen=True)
class Graph:
    """The entries of a channel, which form a graph without a cycle and with one head.

    :ivar head: the newest bundle, which nothing replaces or skips.
    """

    entries: Mapping[str, Entry]
    head: str

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Graph:
        """:raises GraphError: when they form no such graph."""
        reasons = _own_faults(entries)
        found = heads(entries)
        if not entries:
            reasons.append("it has no entries")
        elif not found:
            reasons.append("it has no head: every entry is replaced or skipped by another one")
        elif len(found) > 1:
            reasons.append(f"it has several heads: {', '.join(found)}")
        if not reasons and _has_cycle(entries, found[0]):
            reasons.append("its updates go in a circle")
        if reasons:
            raise GraphError(reasons)
        return cls({entry.name: entry for entry in entries}, found[0])

    def chain(self) -> list[str]:
        """The head and what it replaces, and so on. The last one may be a name without an entry: the chain began earlier once."""
        names = [self.head]
        while names[-1] in self.entries and self.entries[names[-1]].replaces:
            names.append(self.entries[names[-1]].replaces)
        return names

    def part(self, wanted: Container[str]) -> frozenset[str]:
        """The entries to keep so that all that is wanted can be installed and updated, and the channel still has one head.

        That is the chain between the newest and the oldest wanted bundle, whatever lies between, and what is skipped there and
        wanted. The new head is the lowest entry of the chain under which, its own skips included, as much is wanted as under any.
        """
        below: dict[str, int] = {}
        seen: set[str] = set()
        chain = self.chain()
        for name in reversed(chain):
            entry = self.entries.get(name)
            seen.update(found for found in (name, *(entry.skips if entry else ())) if found in wanted)
            below[name] = len(seen)
        most = below[self.head]
        # all that is wanted has the same count from some entry upwards: the lowest of these is the head
        first = max(position for position, name in enumerate(chain) if below[name] == most)
        kept: set[str] = set()
        for name in chain[first:]:
            if not below[name]:
                break
            kept.add(name)
            entry = self.entries.get(name)
            kept.update(skip for skip in (entry.skips if entry else ()) if skip in wanted)
        return frozenset(kept & self.entries.keys())


def heads(entries: Iterable[Entry]) -> list[str]:
    """The entries that no entry replaces or skips, in alphabetical order."""
    entries = list(entries)
    targets = {name for entry in entries for name in (entry.replaces, *entry.skips)}
    return sorted({entry.name for entry in entries} - targets)


def stranded(entries: Sequence[Entry], head: str, *, recent: bool) -> list[str]:
    """Entries that no update reaches: neither on the chain below the head nor skipped by any entry.

    :param recent: as opm sees it since 1.58: the chain ends before what is skipped.
    """
    by_name = {entry.name: entry for entry in entries}
    skipped = {name for entry in entries for name in entry.skips}
    reached = {head}
    current: Entry | None = by_name[head]
    while current is not None and current.replaces and current.replaces not in reached:
        if recent and current.replaces in skipped:
            break
        reached.add(current.replaces)
        current = by_name.get(current.replaces)
    return sorted(by_name.keys() - reached - skipped)


def circle(entries: Sequence[Entry], head: str) -> list[str]:
    """The names of a chain of replaced entries that leads back into itself; empty when none does."""
    by_name = {entry.name: entry for entry in entries}
    names = [head]
    while (below := by_name[names[-1]].replaces) in by_name:
        names.append(below)
        if below in names[:-1]:
            return names[names.index(below) :]
    return []


def without(entries: Sequence[Entry], gone: Container[str], versions: Mapping[str, Version]) -> tuple[Entry, ...]:
    """What remains of a channel when some of its bundles cannot be offered.

    No update is invented. What lies above a gap stays as it is: its ``replaces`` then names a bundle that is not there, which is
    allowed and lets clusters that have that bundle go on. What lies below a gap stays only where the publisher allows to pass the
    gap: where the entry above it skips it, by name or by skipRange. The rest goes too, for no update would lead away from it.
    Where the head is gone, the entry with the highest version that nothing replaces or skips any more is the new one.

    :param entries: of a channel that is a graph.
    :param versions: of the bundles.
    :returns: entries of a graph again; none when nothing remains.
    """
    remaining = {entry.name: entry for entry in entries if entry.name not in gone}
    if len(remaining) == len(entries):
        return tuple(entries)
    left = heads(remaining.values())
    if not left:
        return ()
    # what older tools let pass in the whole channel must not cost more than they would take
    recent = not stranded(entries, heads(entries)[0], recent=True)
    head = _highest(left, versions)
    chain = _chain(remaining, head, {name for entry in remaining.values() for name in entry.skips} if recent else ())
    kept = dict.fromkeys(chain)
    waiting = list(chain)
    while waiting:
        found = [name for name in remaining[waiting.pop()].skips if name in remaining and name not in kept]
        kept.update(dict.fromkeys(found))
        waiting += found
    result = {name: entry for name, entry in remaining.items() if name in kept}
    for name in sorted(remaining.keys() - kept.keys()):
        above = next((upper for upper in reversed(chain) if _skips(result[upper], versions.get(name))), None)
        if above is not None:
            longer = replace(result[above], skips=(*result[above].skips, name))
            result = _if_graph({**result, above: longer, name: remaining[name]}) or result
    return tuple(result[entry.name] for entry in entries if entry.name in result)


def _if_graph(entries: dict[str, Entry]) -> dict[str, Entry] | None:
    try:
        Graph.of(list(entries.values()))
    except GraphError:
        return None
    return entries


def only(entries: Sequence[Entry], wanted: Container[str], versions: Mapping[str, Version]) -> tuple[tuple[Entry, ...], list[str]]:
    """A channel with exactly these bundles and none between them.

    Each replaces the next one below that remains, and skips what was left out between, so that clusters that have such a bundle
    can go on. What has lost its place in the chain is skipped by the head.

    :param entries: of a channel that is a graph.
    :returns: the entries, and which updates were made up: those that neither skips nor skipRange of the publisher allow.
    """
    by_name = {entry.name: entry for entry in entries}
    linked: dict[str, Entry] = {}
    invented = []
    for entry in entries:
        if entry.name not in wanted:
            continue
        passed = []
        target = entry.replaces
        while target in by_name and target not in wanted:
            passed.append(target)
            target = by_name[target].replaces
        if passed and target in by_name:
            if target not in entry.skips and not _skips(entry, versions.get(target)):
                invented.append(f"{target} to {entry.name}")
            entry = replace(entry, replaces=target, skips=tuple(dict.fromkeys([*entry.skips, *passed])))
        linked[entry.name] = entry
    if not linked:
        return (), []
    head = _highest(heads(linked.values()), versions)
    lost = _lost(list(linked.values()), head)
    if lost:
        top = linked[head]
        invented += [f"{name} to {head}" for name in lost if not _skips(top, versions.get(name))]
        linked[head] = replace(top, skips=(*top.skips, *lost))
    return tuple(linked[entry.name] for entry in entries if entry.name in linked), invented


def _lost(entries: Sequence[Entry], head: str) -> list[str]:
    """What the head has to skip so that nothing is stranded and nothing else is a head."""
    lost: list[str] = []
    current = list(entries)
    while True:
        others = [name for name in heads(current) if name != head]
        found = sorted({*others, *stranded(current, head, recent=True)} - set(lost))
        if not found:
            return lost
        lost += found
        current = [replace(entry, skips=(*entry.skips, *found)) if entry.name == head else entry for entry in current]


def _own_faults(entries: Sequence[Entry]) -> list[str]:
    reasons = []
    seen: set[str] = set()
    for entry in entries:
        if entry.name in seen:
            reasons.append(f"the entry {entry.name} is there twice")
        seen.add(entry.name)
        if entry.replaces == entry.name:
            reasons.append(f"the entry {entry.name} replaces itself")
        if entry.name in entry.skips:
            reasons.append(f"the entry {entry.name} skips itself")
    return reasons


def _has_cycle(entries: Sequence[Entry], head: str) -> bool:
    """Whether some update leads back to where it came from."""
    targets = {entry.name: {name for name in (entry.replaces, *entry.skips) if name} for entry in entries}
    incoming: dict[str, int] = {}
    for names in targets.values():
        for name in names:
            incoming[name] = incoming.get(name, 0) + 1
    free = [head]
    while free:
        for name in targets.get(free.pop(), ()):
            incoming[name] -= 1
            if not incoming[name]:
                free.append(name)
    return any(incoming.values())


def _chain(entries: Mapping[str, Entry], head: str, skipped: Container[str]) -> list[str]:
    names = [head]
    while (below := entries[names[-1]].replaces) in entries and below not in skipped:
        names.append(below)
    return names


def _highest(names: Sequence[str], versions: Mapping[str, Version]) -> str:
    return max(names, key=lambda name: (versions.get(name, LOWEST), name))


def _skips(entry: Entry, version: Version | None) -> bool:
    found = OlmRange.parse(entry.skip_range) if entry.skip_range and version is not None else None
    return found is not None and version is not None and version in found
