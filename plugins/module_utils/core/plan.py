# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes as data: what shall be created, updated and deleted, in which order, and what became of it.

A plan is shown in check mode and as a diff, and carried out otherwise: there is no second way to find out what would happen.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation, WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, CancelledError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy

CREATED = "created"
UPDATED = "updated"
DELETED = "deleted"
UNCHANGED = "unchanged"
FAILED = "failed"
NOT_ATTEMPTED = "not_attempted"

STATES = (CREATED, UPDATED, DELETED, UNCHANGED, FAILED, NOT_ATTEMPTED)
_CHANGES = (CREATED, UPDATED, DELETED)

# kind and name of an object: ("robot", "prod+ci")
Key = tuple[str, str]


@dataclass(frozen=True)
class Step:
    """One change.

    :ivar action: ``created``, ``updated`` or ``deleted``: what the object will be afterwards.
    :ivar before: what is there, as far as it is concerned; ``after``: what will be. Without secrets.
    :ivar apply: makes the change; gives results for the user or None.
    :ivar again: looks afresh and gives the step that is still to be done, None where nothing is left to do. It is asked after a
        failure that leaves open whether the change was made.
    :ivar group: steps of one group go by their stages: a stage begins when the one before has ended.
    :ivar needs: objects without which it is not attempted, when they are in the plan and failed.
    """

    kind: str
    name: str
    action: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    apply: Callable[[], Mapping[str, Any] | None]
    again: Callable[[], Step | None]
    group: str = ""
    stage: int = 0
    needs: frozenset[Key] = frozenset()

    @property
    def key(self) -> Key:
        return (self.kind, self.name)


@dataclass(frozen=True)
class Outcome:
    """What became of one object.

    :ivar state: one of ``STATES``.
    :ivar reason: why it failed or was not attempted; empty otherwise.
    :ivar results: what the change gave, for the user; may hold secrets.
    """

    kind: str
    name: str
    state: str
    reason: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        return (self.kind, self.name)

    @property
    def changed(self) -> bool:
        return self.state in _CHANGES


@dataclass
class Plan:
    """All steps, and what is settled already: unchanged objects, and those that could not be read.

    :ivar barrier: group whose steps all end before any other group begins.
    """

    steps: list[Step] = field(default_factory=list)
    settled: list[Outcome] = field(default_factory=list)
    barrier: str = ""


def carry_out(
    plan: Plan,
    *,
    parallel: int = 8,
    dry_run: bool = False,
    retry: RetryPolicy | None = None,
    cancellation: Cancellation | None = None,
    fatal: Callable[[AirgapError], bool] | None = None,
) -> list[Outcome]:
    """Make the changes of a plan; the failure of one does not stop those that do not need it.

    :param parallel: steps under way at once.
    :param dry_run: tell what would become of each, and call nothing.
    :param fatal: says of a failure that everything else would fail in the same way; the rest is not attempted then.
    :returns: an outcome for each step and each settled object, in the order of the plan.
    """
    if dry_run:
        return [*plan.settled, *_foretold(plan)]
    run = _Run(plan, parallel, retry or RetryPolicy(), cancellation or Cancellation(), fatal or (lambda _error: False))
    return [*plan.settled, *run.all()]


def _foretold(plan: Plan) -> list[Outcome]:
    bad = {outcome.key: outcome.reason for outcome in plan.settled if outcome.state in (FAILED, NOT_ATTEMPTED)}
    found = []
    for step in plan.steps:
        missing = sorted(key for key in step.needs if key in bad)
        if missing:
            outcome = Outcome(step.kind, step.name, NOT_ATTEMPTED, _because(missing[0]))
            bad[step.key] = outcome.reason
        else:
            outcome = Outcome(step.kind, step.name, step.action, before=step.before, after=step.after)
        found.append(outcome)
    return found


def _because(key: Key) -> str:
    return f"it needs {key[0].replace('_', ' ')} {key[1]}, which failed"


class _Run:
    def __init__(
        self,
        plan: Plan,
        parallel: int,
        retry: RetryPolicy,
        cancellation: Cancellation,
        fatal: Callable[[AirgapError], bool],
    ) -> None:
        self._plan = plan
        self._retry = retry
        self._cancellation = cancellation
        self._fatal = fatal
        self._pool = WorkerPool(parallel, cancellation)
        self._lock = threading.Lock()
        self._outcomes: dict[int, Outcome] = {}
        self._bad: set[Key] = {outcome.key for outcome in plan.settled if outcome.state in (FAILED, NOT_ATTEMPTED)}
        self._over = ""
        self._stages: dict[str, list[list[int]]] = {}
        self._left: dict[str, int] = {}

    def all(self) -> list[Outcome]:
        groups: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for number, step in enumerate(self._plan.steps):
            groups[step.group][step.stage].append(number)
        self._stages = {group: [stages[stage] for stage in sorted(stages, reverse=True)] for group, stages in groups.items()}
        first = [group for group in self._stages if group == self._plan.barrier]
        rest = [group for group in self._stages if group != self._plan.barrier]
        with self._pool:
            for batch in (first, rest):
                for group in batch:
                    self._next_stage(group, urgent=False)
                self._pool.run()
        return [self._outcomes[number] for number in range(len(self._plan.steps))]

    def _next_stage(self, group: str, *, urgent: bool) -> None:
        stages = self._stages[group]
        if not stages:
            return
        numbers = stages.pop()
        self._left[group] = len(numbers)
        for number in numbers:
            self._pool.add(partial(self._do, number), urgent=urgent)

    def _do(self, number: int) -> None:
        step = self._plan.steps[number]
        outcome = self._outcome(step)
        with self._lock:
            self._outcomes[number] = outcome
            if not outcome.changed and outcome.state != UNCHANGED:
                self._bad.add(outcome.key)
            self._left[step.group] -= 1
            finished = self._left[step.group] == 0
        if finished:
            # what was begun is completed before another group is
            self._next_stage(step.group, urgent=True)

    def _outcome(self, step: Step) -> Outcome:
        with self._lock:
            missing = sorted(step.needs & self._bad)
            over = self._over
        if over:
            return Outcome(step.kind, step.name, NOT_ATTEMPTED, over)
        if missing:
            return Outcome(step.kind, step.name, NOT_ATTEMPTED, _because(missing[0]))
        try:
            results = self._apply(step)
        except CancelledError:
            raise
        except AirgapError as error:
            if self._fatal(error):
                with self._lock:
                    self._over = self._over or f"given up after {step.kind.replace('_', ' ')} {step.name}: {error.reason}"
            return Outcome(step.kind, step.name, FAILED, str(error))
        return Outcome(step.kind, step.name, step.action, before=step.before, after=step.after, results=results)

    def _apply(self, step: Step) -> Mapping[str, Any]:
        """Make one change, again after failures that may pass, but never without looking whether it was made after all."""
        attempt = 0
        left = step
        while True:
            try:
                return left.apply() or {}
            except AirgapError as error:
                if not error.transient or attempt >= self._retry.retries:
                    raise
            self._cancellation.sleep(self._retry.pause(attempt))
            attempt += 1
            still = step.again()
            if still is None:
                return {}
            left = still


def count(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many objects are in each state; states without objects are left out, except ``unchanged``."""
    found = {state: sum(outcome.state == state for outcome in outcomes) for state in STATES}
    return {state: number for state, number in found.items() if number or state == UNCHANGED}
