# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a repository can go without taking anything from what stays.

Registries delete manifests, not names: with a manifest go all of its tags, and an index that loses one of its images is broken. So
what stays is found out first: every tag that is not to go, with all that its manifest lists and all that speaks of any of it
(signatures, attestations, referrers). Only what is no part of that goes. A tag whose manifest stays can go alone, where a registry
knows how to do that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Callable

from ansible_collections.quayside.airgap.plugins.module_utils.registry.companions import COMPANION_TAG
from ansible_collections.quayside.airgap.plugins.module_utils.registry.inventory import Holdings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference

DELETED = "deleted"
ABSENT = "absent"
KEPT = "kept"
FAILED = "failed"


@dataclass(frozen=True)
class Verdict:
    """What is to become of something that was named.

    :ivar state: ``deleted``, ``absent`` or ``kept``.
    :ivar digest: of its manifest; empty where there is none.
    :ivar reason: why it is kept.
    :ivar holders: tags that stay and have the same manifest, or need it: then only the name goes, where a registry can do that.
    """

    state: str
    digest: str = ""
    reason: str = ""
    holders: tuple[str, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether the manifest stays and only the name goes."""
        return self.state == DELETED and bool(self.holders)


@dataclass(frozen=True)
class Family:
    """A manifest that goes with what belongs to it alone, in the order in which it goes.

    What speaks of an image goes before it, for without the image nobody would find it any more: a run that was killed finds all of the
    rest when it is started again. What an index lists goes after it: were the index refused, it would be broken. Then only manifests
    without a name are left over at worst, which registries collect.

    :ivar before: what speaks of the manifest and of what it lists, what speaks of that first.
    :ivar after: what it lists, an index before what that lists.
    """

    root: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass
class RepositoryPlan:
    """What becomes of a repository.

    :ivar verdicts: one for each that was named.
    :ivar families: in an order in which an index comes before what it lists.
    :ivar loose: tags of signatures whose manifest stays because it speaks of something else too, with that manifest; they go alone.
    :ivar going: all manifests that go, be they there or not.
    :ivar owners: what is spoken of by what may go; it has to be looked for, for it may have no tag and stay all the same.
    """

    held: Holdings
    verdicts: dict[Reference, Verdict] = field(default_factory=dict)
    families: list[Family] = field(default_factory=list)
    loose: dict[str, str] = field(default_factory=dict)
    going: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()

    @cached_property
    def companions(self) -> dict[str, list[str]]:
        """What goes along with a manifest because it speaks of it: by digest, tags, or digests of what has none."""
        return {family.root: [name for member in family.before for name in self.tags.get(member) or [member]] for family in self.families}

    @cached_property
    def tags(self) -> dict[str, list[str]]:
        """Tags by digest, sorted."""
        found: dict[str, list[str]] = defaultdict(list)
        for tag, digest in sorted(self.held.tags.items()):
            found[digest].append(tag)
        return found

    @property
    def doomed(self) -> set[str]:
        """All manifests that go and are there."""
        return {digest for family in self.families for digest in (*family.before, family.root, *family.after)}

    @property
    def doomed_tags(self) -> list[str]:
        """All tags that go with their manifests, sorted."""
        gone = self.doomed
        return sorted(tag for tag, digest in self.held.tags.items() if digest in gone)

    @property
    def alone(self) -> dict[Reference, Verdict]:
        """Tags that are named and go without their manifest."""
        return {reference: verdict for reference, verdict in self.verdicts.items() if verdict.alone}

    @property
    def idle(self) -> bool:
        """Whether nothing is to be done."""
        return not self.families and not self.loose and not self.alone


def speakers(held: Holdings) -> dict[str, set[str]]:
    """What speaks of what, as far as it is known: by digest, the digests of its signatures, referrers and of the list of these."""
    found: dict[str, set[str]] = defaultdict(set)
    for tag, digest in held.tags.items():
        owner = owner_of(held, tag)
        if owner is not None:
            found[owner].add(digest)
    for manifest in held.manifests.values():
        if manifest.subject is not None and manifest.subject != manifest.digest:
            found[manifest.subject].add(manifest.digest)
    for subject, referrers in held.referrers.items():
        found[subject].update(referrers)
    return found


def owner_of(held: Holdings, tag: str) -> str | None:
    """What a tag speaks of by its name (cosign's tags, the referrers tag schema); None for an ordinary tag."""
    if COMPANION_TAG.fullmatch(tag):
        owner = tag.partition(".")[0].replace("-", ":")
        return owner if owner != held.tags.get(tag) else None
    return held.subject_of(tag)


def make_plan(
    held: Holdings,
    named: Iterable[Reference],
    *,
    orphans: Callable[[str], Reference | None] | None = None,
    expected: Mapping[Reference, str] | None = None,
) -> RepositoryPlan:
    """Decide what becomes of what was named.

    :param named: tags or digests of this repository; with both, the tag goes if it names this digest.
    :param orphans: where signatures shall go too whose image is not there, what such a tag is called; None for one that stays.
    :param expected: the digests of an earlier look; what names another manifest by now is kept.
    """
    return _Planner(held, list(dict.fromkeys(named)), expected or {}).plan(orphans)


class _Planner:
    def __init__(self, held: Holdings, named: list[Reference], expected: Mapping[Reference, str]) -> None:
        self._held = held
        self._named = named
        self._speakers = speakers(held)
        self._owners = {tag: owner for tag in held.tags if (owner := owner_of(held, tag)) is not None}
        self._lists = {held.tags[tag] for tag in self._owners if not COMPANION_TAG.fullmatch(tag)}
        self._sizes = {digest: len(held.closure([digest])) for digest in held.manifests}
        self._verdicts: dict[Reference, Verdict] = {}
        self._tags: set[str] = set()
        self._digests: set[str] = set()
        # what stays and what goes
        self._stay: set[str] = set()
        self._go: set[str] = set()
        self._holders: dict[str, list[str]] = {}
        for reference in named:
            self._find(reference, expected.get(reference))

    def _find(self, reference: Reference, expected: str | None) -> None:
        """What a name stands for now; without a manifest, or with another one than was meant, its fate is clear."""
        held = self._held
        if reference.tag is None:
            digest = reference.digest or ""
            if digest in held.manifests:
                self._digests.add(digest)
            else:
                self._verdicts[reference] = Verdict(ABSENT)
            return
        found = held.tags.get(reference.tag)
        meant = expected or reference.digest
        if found is None:
            self._verdicts[reference] = Verdict(ABSENT)
        elif meant is not None and found != meant:
            when = "since it was looked at" if expected else f"than {meant}"
            self._verdicts[reference] = Verdict(KEPT, found, f"it names another image {when}: {found}")
        else:
            self._tags.add(reference.tag)

    def _settle(self, orphans: Callable[[str], Reference | None] | None) -> None:
        """Find out what stays and what goes.

        A signature shares the fate of its image, whoever named it, and an image without a tag that nothing takes along stays. A signature
        without an image stays, unless it is named or all of them go.
        The tags of what is named by digest alone are not named: they stay, and the manifest with them.
        """
        held = self._held
        roots = {digest for tag, digest in held.tags.items() if tag not in self._tags and tag not in self._owners}
        targets = {held.tags[tag] for tag in self._tags} | self._digests
        settled = set(self._tags)
        while True:
            self._stay = self._reach(roots, set())
            self._go = self._reach(targets, self._stay)
            decided = self._stay | self._go
            nameless = {owner for owner in self._owners.values() if owner in held.manifests and owner not in decided}
            if nameless and orphans is None:
                roots |= nameless
                continue
            lonely = {tag for tag, owner in self._owners.items() if tag not in settled and owner not in decided}
            if not lonely:
                return
            settled |= lonely
            for tag in sorted(lonely):
                reference = orphans(tag) if orphans is not None else None
                if reference is None:
                    roots.add(held.tags[tag])
                else:
                    targets.add(held.tags[tag])
                    self._tags.add(tag)
                    self._named.append(reference)

    def _reach(self, roots: Iterable[str], barrier: set[str]) -> set[str]:
        """Some manifests with all that they list, all that speaks of any of these, and so on; nothing of ``barrier``."""
        found: set[str] = set()
        waiting = [digest for digest in roots if digest not in barrier]
        while waiting:
            digest = waiting.pop()
            if digest in found or digest in barrier:
                continue
            found.add(digest)
            known = self._held.manifests.get(digest)
            waiting += known.children if known is not None else ()
            waiting += self._speakers.get(digest, ())
        return found

    # -- verdicts --------------------------------------------------------------------------------------------------------

    def plan(self, orphans: Callable[[str], Reference | None] | None) -> RepositoryPlan:
        self._settle(orphans)
        self._find_holders()
        plan = RepositoryPlan(self._held, going=frozenset(self._go), owners=frozenset(self._in_doubt()))
        blind = self._blind()
        for reference in self._named:
            verdict = self._verdicts.get(reference) or self._judge(reference)
            if blind and verdict.state == DELETED:
                verdict = Verdict(KEPT, verdict.digest, blind)
            plan.verdicts[reference] = verdict
        if not blind:
            plan.families = list(self._families())
            plan.loose = {tag: self._held.tags[tag] for tag, owner in self._owners.items() if self._is_loose(tag, owner)}
        return plan

    def _in_doubt(self) -> set[str]:
        """What something that goes speaks of, and what that speaks of in turn, as far as it is not known to stay."""
        found: set[str] = set()
        waiting = [owner for tag, owner in self._owners.items() if tag in self._tags]
        waiting += self._subjects(self._go)
        while waiting:
            digest = waiting.pop()
            if digest not in found and digest not in self._stay:
                found.add(digest)
                waiting += self._subjects([digest])
        return found

    def _subjects(self, digests: Iterable[str]) -> list[str]:
        known = (self._held.manifests.get(digest) for digest in digests)
        return [manifest.subject for manifest in known if manifest is not None and manifest.subject is not None]

    def _find_holders(self) -> None:
        """By digest, the tags that stay and hold a manifest: as their own, or as a part of what they name."""
        for tag, target in sorted(self._held.tags.items()):
            if target in self._stay and tag not in self._tags and self._owners.get(tag) not in self._go:
                for digest in self._held.closure([target]):
                    self._holders.setdefault(digest, []).append(tag)

    def _blind(self) -> str:
        """Why nothing of this repository can go: what cannot be read may need anything."""
        held = self._held
        for tag, digest in sorted(held.tags.items()):
            manifest = held.manifests.get(digest)
            if manifest is not None and manifest.unreadable and digest not in self._go:
                return f"nobody can tell whether it is needed by {held.repository}:{tag}, which cannot be read: {manifest.unreadable}"
        return ""

    def _judge(self, reference: Reference) -> Verdict:
        digest = (self._held.tags[reference.tag] if reference.tag else reference.digest) or ""
        if digest in self._go:
            return Verdict(DELETED, digest)
        holders = tuple(self._holders.get(digest, ()))
        owner = self._owners.get(reference.tag or "")
        if owner is not None and owner in self._stay:
            return Verdict(KEPT, digest, f"it belongs to {self._name(owner)}, which stays")
        if reference.tag and holders:
            return Verdict(DELETED, digest, holders=holders)
        subject = self._held.manifests[digest].subject
        if holders or subject is None:
            return Verdict(KEPT, digest, f"{told(holders) or 'what stays'} needs it")
        return Verdict(KEPT, digest, f"it belongs to {self._name(subject)}, which stays")

    def _is_loose(self, tag: str, owner: str) -> bool:
        digest = self._held.tags[tag]
        return tag not in self._tags and owner in self._go and digest in self._stay and digest in self._holders

    def _name(self, digest: str) -> str:
        return next((tag for tag, target in sorted(self._held.tags.items()) if target == digest), digest)

    # -- order -----------------------------------------------------------------------------------------------------------

    def _families(self) -> Iterator[Family]:
        named = {self._held.tags[tag] for tag in self._tags} | self._digests
        # what an index lists has fewer parts than the index: so an index comes before what it lists
        roots = self._larger_first(digest for digest in named if digest in self._go)
        families = [Family(root, tuple(self._before(root)), tuple(self._parts([root]))[1:]) for root in roots]
        # what goes with another one is no family of its own, even where it was named; two that speak of each other are one
        claimed: set[str] = set()
        for family in families:
            if family.root not in claimed:
                claimed.update(family.before)
        yield from (family for family in families if family.root not in claimed)

    def _parts(self, roots: Iterable[str]) -> list[str]:
        """Manifests that go with what they list, each index before what it lists, as far as they are there."""
        seen: set[str] = set()
        waiting = list(roots)
        while waiting:
            digest = waiting.pop()
            if digest not in seen and digest in self._go and digest in self._held.manifests:
                seen.add(digest)
                waiting += self._held.manifests[digest].children
        return self._larger_first(seen)

    def _larger_first(self, digests: Iterable[str]) -> list[str]:
        return sorted(digests, key=lambda digest: (-self._sizes.get(digest, 1), digest))

    def _before(self, root: str) -> list[str]:
        seen = set(self._parts([root]))
        frontier = set(seen)
        levels: list[list[str]] = []
        while frontier:
            found = {other for digest in frontier for other in self._speakers.get(digest, ())} & self._go - seen
            level = [digest for digest in self._parts(found - self._lists) if digest not in seen]
            # a list goes after what it lists, which nobody would find without it
            level += sorted(found & self._lists & self._held.manifests.keys())
            seen.update(level)
            levels.append(level)
            frontier = set(level)
        return [digest for level in reversed(levels) for digest in level]


def told(tags: tuple[str, ...]) -> str:
    """Some tags as words."""
    more = f" and {len(tags) - 3} more" if len(tags) > 3 else ""
    return ", ".join(tags[:3]) + more
