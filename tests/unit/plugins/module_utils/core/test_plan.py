# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans: order, failures that stay where they are, and changes that are never made twice unseen."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, HttpError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.core.plan import (
    CREATED,
    DELETED,
    FAILED,
    NOT_ATTEMPTED,
    UNCHANGED,
    Outcome,
    Plan,
    Step,
    carry_out,
    count,
)

QUICK = RetryPolicy(retries=2, base=0.001)


class Registry:
    """What steps change, and the order in which they did."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.failures: dict[str, list[AirgapError]] = {}
        self.lock = threading.Lock()

    def step(self, name: str, *, action: str = CREATED, group: str = "", stage: int = 0, needs: Any = (), keep: bool = True) -> Step:
        """:param keep: whether a failing change is made all the same, its answer being lost."""

        def apply() -> dict[str, Any]:
            with self.lock:
                failures = self.failures.get(name, [])
                failure = failures.pop(0) if failures else None
                if failure is None or keep:
                    self.made.append(name)
            if failure is not None:
                raise failure
            return {"made": name}

        def again() -> Step | None:
            return None if name in self.made else found

        wanted = frozenset(("thing", other) for other in needs)
        found = Step("thing", name, action, {}, {"name": name}, apply, again, group, stage, wanted)
        return found


@pytest.fixture
def registry() -> Registry:
    return Registry()


def states(outcomes: list[Outcome]) -> dict[str, str]:
    return {outcome.name: outcome.state for outcome in outcomes}


def lost() -> AirgapError:
    return HttpError("create", "it", "the gateway gave up", status=504)


def refused() -> AirgapError:
    return HttpError("create", "it", "no", status=400)


def test_steps_of_a_group_go_by_their_stages(registry: Registry) -> None:
    steps = [registry.step(f"{stage}{letter}", group="prod", stage=stage) for stage in (3, 1, -2) for letter in "ab"]
    outcomes = carry_out(Plan(steps), parallel=4)
    assert [name[:-1] for name in registry.made] == ["-2", "-2", "1", "1", "3", "3"]
    assert [outcome.name for outcome in outcomes] == [step.name for step in steps]


def test_what_belongs_to_the_registry_comes_before_all_groups(registry: Registry) -> None:
    steps = [registry.step("in prod", group="prod"), registry.step("user", group=""), registry.step("late user", group="", stage=5)]
    carry_out(Plan(steps, barrier=""), parallel=4)
    assert registry.made == ["user", "late user", "in prod"]


def test_a_failure_stops_only_what_needs_it(registry: Registry) -> None:
    registry.failures["prod"] = [refused()]
    steps = [
        registry.step("prod", group="prod"),
        registry.step("prod/team", group="prod", stage=1, needs=["prod"]),
        registry.step("prod/member", group="prod", stage=2, needs=["prod/team"]),
        registry.step("test", group="test"),
    ]
    outcomes = carry_out(Plan(steps))
    assert states(outcomes) == {"prod": FAILED, "prod/team": NOT_ATTEMPTED, "prod/member": NOT_ATTEMPTED, "test": CREATED}
    assert outcomes[1].reason == "it needs thing prod, which failed"
    assert count(outcomes) == {CREATED: 1, UNCHANGED: 0, FAILED: 1, NOT_ATTEMPTED: 2}


def test_what_could_not_be_read_fails_what_needs_it(registry: Registry) -> None:
    unread = Outcome("thing", "prod", FAILED, "no")
    plan = Plan([registry.step("prod/team", needs=["prod"])], [unread])
    assert states(carry_out(plan)) == {"prod": FAILED, "prod/team": NOT_ATTEMPTED}
    assert states(carry_out(plan, dry_run=True)) == {"prod": FAILED, "prod/team": NOT_ATTEMPTED}
    assert registry.made == []


def test_a_change_whose_answer_was_lost_is_not_made_again_when_it_was_made(registry: Registry) -> None:
    registry.failures["prod"] = [lost()]
    outcomes = carry_out(Plan([registry.step("prod")]), retry=QUICK)
    assert states(outcomes) == {"prod": CREATED}
    assert registry.made == ["prod"]


def test_a_change_that_was_not_made_is_made_again(registry: Registry) -> None:
    registry.failures["prod"] = [lost(), lost()]
    outcomes = carry_out(Plan([registry.step("prod", keep=False)]), retry=QUICK)
    assert states(outcomes) == {"prod": CREATED}
    assert outcomes[0].results == {"made": "prod"}


def test_patience_ends(registry: Registry) -> None:
    registry.failures["prod"] = [lost() for _number in range(3)]
    outcomes = carry_out(Plan([registry.step("prod", keep=False)]), retry=QUICK)
    assert states(outcomes) == {"prod": FAILED}
    assert outcomes[0].reason == "Could not create it: the gateway gave up."


def test_a_failure_that_all_others_would_share_ends_the_run(registry: Registry) -> None:
    registry.failures["first"] = [refused()]
    steps = [registry.step("first"), registry.step("second", stage=1), registry.step("other", group="other")]
    outcomes = carry_out(Plan(steps, barrier=""), parallel=1, fatal=lambda _error: True)
    assert states(outcomes) == {"first": FAILED, "second": NOT_ATTEMPTED, "other": NOT_ATTEMPTED}
    assert outcomes[2].reason == "given up after thing first: no"


def test_a_dry_run_foretells_and_calls_nothing(registry: Registry) -> None:
    steps = [registry.step("new"), registry.step("old", action=DELETED)]
    outcomes = carry_out(Plan(steps), dry_run=True)
    assert states(outcomes) == {"new": CREATED, "old": DELETED}
    assert registry.made == []


def test_an_unforeseen_error_is_not_swallowed() -> None:
    def burst() -> None:
        raise ZeroDivisionError

    step = Step("thing", "prod", CREATED, {}, {}, burst, lambda: None)
    with pytest.raises(ZeroDivisionError):
        carry_out(Plan([step]))
