# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what the user wants to a plan: reads what is there with few calls, compares, and makes the steps.

One object of a module and a whole registry of quay_state go the same way; only the number of intents differs.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, CancelledError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.core.plan import (
    CREATED,
    DELETED,
    FAILED,
    NOT_ATTEMPTED,
    UNCHANGED,
    UPDATED,
    Key,
    Outcome,
    Plan,
    Step,
    carry_out,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import BAD_TOKEN, READ_ONLY, QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import Intent, Kind, Object, Place, Purge
from ansible_collections.quayside.airgap.plugins.module_utils.quay.places import Places

# Group of the plan that everything else waits for: objects of the registry, users before all
_REGISTRY = ""
FORMER = "former_name"


@dataclass
class Work:
    """What the user wants, and what came of it.

    :ivar warnings: filled while planning; ``given``: what the changes gave, by kind and title of the object.
    """

    intents: Sequence[Intent]
    purges: Sequence[Purge] = ()
    warnings: list[str] = field(default_factory=list)
    given: dict[Key, Mapping[str, Any]] = field(default_factory=dict, repr=False)


def run(quay: QuayClient, work: Work, *, check_mode: bool) -> list[Outcome]:
    """Plan and carry out.

    :param check_mode: plan only, and tell what would become of each object.
    :raises QuayError: when Quay lets us do nothing at all: a bad token.
    """
    plan = Planner(quay, work).plan()
    outcomes = carry_out(
        plan,
        parallel=quay.options.parallel,
        dry_run=check_mode,
        retry=RetryPolicy(retries=quay.options.retries),
        cancellation=quay.cancellation,
        fatal=hopeless,
    )
    work.given.update({outcome.key: outcome.results for outcome in outcomes if outcome.results})
    return outcomes


def hopeless(error: AirgapError) -> bool:
    """Whether every other request would fail in the same way."""
    return isinstance(error, QuayError) and error.code in (BAD_TOKEN, READ_ONLY)


class Planner:
    """Makes the plan for a :class:`Work`.

    Reading goes from the outside to the inside, for what is new has nothing inside that could be read: objects of the registry and
    organizations, then what lies in organizations, then what lies in repositories; each level with all calls at once.
    """

    def __init__(self, quay: QuayClient, work: Work) -> None:
        self._quay = quay
        self._work = work
        self._places = Places(quay)
        self._lock = threading.Lock()
        self._steps: dict[int, Step | Outcome | None] = {}
        self._purged: list[Step] = []
        self._failed: list[Outcome] = []
        # what the plan creates, deletes, or could not read
        self._new: set[Key] = set()
        self._gone: set[Key] = set()
        self._bad: dict[Key, str] = {}

    def plan(self) -> Plan:
        """:raises QuayError: when Quay lets us do nothing at all."""
        numbered = list(enumerate(self._work.intents))
        with WorkerPool(self._quay.options.parallel, self._quay.cancellation) as pool:
            for level in range(3):
                batches: dict[tuple[str, Place], list[tuple[int, Intent]]] = defaultdict(list)
                for number, intent in numbered:
                    if _level(intent.kind, intent.place) == level:
                        batches[intent.kind.name, intent.place].append((number, intent))
                purges = {(purge.kind.name, purge.place): purge for purge in self._work.purges if _level(purge.kind, purge.place) == level}
                for name in {key[0] for key in batches}:
                    self._prepare(name, batches)
                pool.run(
                    partial(self._read, batch, purges.get(key), alone=len(batches.get(key, [])) == 1)
                    for key in dict.fromkeys([*batches, *purges])
                    for batch in _shares(batches.get(key, []), key in purges)
                )
        return self._assemble(numbered)

    def _prepare(self, name: str, batches: Mapping[tuple[str, Place], list[tuple[int, Intent]]]) -> None:
        concerned = {place: [intent.key for _number, intent in entries] for (kind, place), entries in batches.items() if kind == name}
        kind = next(entries[0][1].kind for (found, _place), entries in batches.items() if found == name)
        kind.prepare({place: keys for place, keys in concerned.items() if self._inside(place) is None})

    def _read(self, entries: Sequence[tuple[int, Intent]], purge: Purge | None, *, alone: bool) -> None:
        """Compare all objects of one kind in one place."""
        kind, place = (entries[0][1].kind, entries[0][1].place) if entries else (purge.kind, purge.place)  # type: ignore[union-attr]
        try:
            found = self._found(kind, place, [intent.key for _number, intent in entries], alone=alone and purge is None)
        except AirgapError as error:
            self._fail([intent.title for _number, intent in entries] or [place.path], kind, error)
            return
        for number, intent in entries:
            try:
                self._settle(number, intent, found.get(intent.key))
            except AirgapError as error:
                self._fail([intent.title], kind, error)
        if purge is not None:
            try:
                for key in [key for key in found if key not in purge.keep]:
                    if not kind.protected(place, key, found[key]):
                        self._drop(Intent(kind, place, key), found[key])
            except AirgapError as error:
                self._fail([place.path], kind, error)

    def _fail(self, titles: Sequence[str], kind: Kind, error: AirgapError) -> None:
        """Note that objects could not be planned; what would end every other request ends the run."""
        if isinstance(error, CancelledError) or hopeless(error):
            raise error
        outside = isinstance(error, _OutsideFailed)
        with self._lock:
            for title in titles:
                self._bad[kind.name, title] = str(error)
                outcome = Outcome(kind.name, title, NOT_ATTEMPTED if outside else FAILED, error.reason if outside else str(error))
                self._failed.append(outcome)

    def _found(self, kind: Kind, place: Place, keys: Sequence[str], *, alone: bool) -> Mapping[str, Object]:
        inside = self._inside(place)
        if inside is not None:
            key, new = inside
            if not new:
                raise _OutsideFailed(key)
            return {}
        if alone and kind.single_read:
            one = kind.look(place, keys[0])
            return {} if one is None else {keys[0]: one}
        return kind.all(place)

    def _inside(self, place: Place) -> tuple[Key, bool] | None:
        """The surrounding object that makes reading senseless, and whether that is because it is new; None where there is none."""
        for key in _around(place):
            if key in self._bad:
                return key, False
            if key in self._new or key in self._gone:
                return key, True
        return None

    def _settle(self, number: int, intent: Intent, found: Object | None) -> None:
        step = self._step(intent, found)
        if step is not None and intent.wanted is not None:
            intent.kind.check(intent.place, intent.key, intent.wanted)
        creates = step is not None and (step.action == CREATED or intent.kind.everywhere)
        if creates and self._inside(intent.place) is None:
            # only now is it worth a call to know that the place exists
            verb = "change the" if intent.kind.everywhere else "create"
            self._places.check(intent.place, f"{verb} {intent.kind.name.replace('_', ' ')} {intent.title}")
        with self._lock:
            if step is None:
                self._steps[number] = Outcome(intent.kind.name, intent.title, UNCHANGED, after=_settled(intent, found))
            else:
                self._steps[number] = step
                if step.action == CREATED:
                    self._new.add(step.key)
                elif step.action == DELETED:
                    self._gone.add(step.key)
            if found is not None and intent.wanted is not None:
                wanted = intent.kind.complete(intent.wanted, found)
                self._work.warnings += intent.kind.warnings(intent.place, intent.key, wanted, found)

    def _drop(self, intent: Intent, found: Object) -> None:
        step = self._step(intent, found)
        if step is not None:
            with self._lock:
                self._purged.append(step)
                self._gone.add(step.key)

    def _step(self, intent: Intent, found: Object | None) -> Step | None:
        kind, place, key, wanted = intent.kind, intent.place, intent.key, intent.wanted
        if wanted is None:
            if found is None:
                return None
            there = found
            kind.check_deletion(place, key, there)
            return self._make(intent, DELETED, kind.shown(there), {}, -kind.stage, lambda: kind.delete(place, key, there))
        if found is None and wanted.get(FORMER):
            former = kind.look(place, wanted[FORMER])
            if former is not None:
                return self._rename(intent, former)
        # a former name does not matter once the object has the new one
        wanted = {name: value for name, value in wanted.items() if name != FORMER}
        full = kind.complete(wanted, found)
        if found is None:
            return self._make(intent, CREATED, {}, kind.shown(full), kind.stage, lambda: kind.create(place, key, full))
        changed = kind.differing(full, found)
        if not changed:
            return None
        there = found
        before = kind.shown({name: there.get(name) for name in full if name in changed or name in there})
        return self._make(
            intent,
            UPDATED,
            before,
            {**before, **{name: value for name, value in kind.shown(full).items() if name in changed}},
            kind.stage,
            lambda: kind.update(place, key, full, there, changed),
        )

    def _rename(self, intent: Intent, former: Object) -> Step:
        kind, place, wanted = intent.kind, intent.place, intent.wanted or {}
        old = str(wanted[FORMER])

        def apply() -> Mapping[str, Any] | None:
            kind.rename(place, old, intent.key)
            left = self._step(intent, kind.look(place, intent.key))
            return left.apply() if left else None

        shown = {name: value for name, value in kind.shown(former).items() if name in wanted}
        after = {name: value for name, value in kind.shown(wanted).items() if name != FORMER}
        return self._make(intent, UPDATED, {"name": old, **shown}, {"name": intent.key, **shown, **after}, kind.stage, apply)

    def _make(self, intent: Intent, action: str, before: Mapping[str, Any], after: Mapping[str, Any], stage: int, apply: Any) -> Step:
        kind, place = intent.kind, intent.place
        needs = set(kind.needs(place, intent.key, intent.wanted)) if intent.wanted else set()
        return Step(
            kind.name,
            intent.title,
            action,
            before,
            after,
            apply,
            again=lambda: self._step(intent, kind.look(place, intent.key)),
            group=group_of(kind, place, intent.key),
            stage=stage,
            needs=frozenset(needs | set(_around(place))),
        )

    def _assemble(self, numbered: Iterable[tuple[int, Intent]]) -> Plan:
        made = [self._steps[number] for number, _intent in numbered if number in self._steps]
        steps = [entry for entry in made if isinstance(entry, Step)] + self._purged
        settled = [entry for entry in made if isinstance(entry, Outcome)] + self._failed
        # what lies in something that goes, goes with it
        steps = [step for step in steps if step.action != DELETED or not any(key in self._gone for key in step.needs)]
        return Plan(steps, settled, barrier=_REGISTRY)


def _shares(batch: list[tuple[int, Intent]], purged: bool) -> list[list[tuple[int, Intent]]]:
    """What is read in one go: all objects of a place, except where each is a call of its own."""
    if batch and batch[0][1].kind.lazy and not purged:
        return [[entry] for entry in batch]
    return [batch]


def _settled(intent: Intent, found: Object | None) -> Mapping[str, Any]:
    """What an unchanged object shows: the fields that were asked for."""
    return intent.kind.shown({name: value for name, value in (found or {}).items() if name in (intent.wanted or {})})


class _OutsideFailed(AirgapError):
    def __init__(self, key: Key) -> None:
        super().__init__("read", "", f"it needs {key[0].replace('_', ' ')} {key[1]}, which failed")


def group_of(kind: Kind, place: Place, key: str) -> str:
    """The group of a step: the organization that it belongs to; the registry's objects come before all."""
    return place.namespace or (key if kind.name == "organization" else _REGISTRY)


def _around(place: Place) -> list[Key]:
    found = [("organization", place.namespace)] if place.namespace else []
    if place.repository:
        found.append(("repository", place.path))
    return found


def _level(kind: Kind, place: Place) -> int:
    return 2 if place.repository else 1 if place.namespace else 0
