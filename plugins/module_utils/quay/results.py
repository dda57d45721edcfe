# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task tells: what became of each object, counts, and a diff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.plan import (
    FAILED,
    NOT_ATTEMPTED,
    UNCHANGED,
    Outcome,
    count,
)

# Failures that a message tells in full; the others are in the results
_TOLD = 10


def failed(outcomes: Sequence[Outcome]) -> bool:
    """Whether anything that was asked for could not be done."""
    return any(outcome.state in (FAILED, NOT_ATTEMPTED) for outcome in outcomes)


def message(outcomes: Sequence[Outcome]) -> str:
    """One paragraph for a failed task."""
    failures = [outcome for outcome in outcomes if outcome.state == FAILED]
    if len(outcomes) == 1 and failures:
        return failures[0].reason
    told = " | ".join(f"{_words(outcome)}: {outcome.reason}" for outcome in failures[:_TOLD])
    more = f" ({len(failures) - _TOLD} more in the results)" if len(failures) > _TOLD else ""
    rest = {state: number for state, number in count(outcomes).items() if state != FAILED and number}
    ending = f" Of the others: {', '.join(f'{number} {state.replace(chr(95), chr(32))}' for state, number in rest.items())}."
    return f"{len(failures)} of {len(outcomes)} objects failed: {told}{more}{ending if rest else ''}"


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """``changed``, ``objects``, ``totals`` and ``diff`` of a task. Unchanged objects are counted only."""
    told = [outcome for outcome in outcomes if outcome.state != UNCHANGED]
    return {
        "changed": any(outcome.changed for outcome in outcomes),
        "objects": [_entry(outcome) for outcome in told],
        "totals": count(outcomes),
        "diff": {
            "before": {_words(outcome): dict(outcome.before) for outcome in told if outcome.changed},
            "after": {_words(outcome): dict(outcome.after) for outcome in told if outcome.changed},
        },
    }


def _entry(outcome: Outcome) -> dict[str, Any]:
    entry: dict[str, Any] = {"kind": outcome.kind, "name": outcome.name, "state": outcome.state}
    if outcome.reason:
        entry["reason"] = outcome.reason
    fields = sorted(name for name, value in outcome.after.items() if outcome.before.get(name) != value)
    if outcome.changed and outcome.before and fields:
        entry["fields"] = fields
    return entry


def _words(outcome: Outcome) -> str:
    return f"{outcome.kind.replace('_', ' ')} {outcome.name}"
