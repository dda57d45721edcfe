# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults by chance. What a request meets follows from a seed, its address and how often that was asked before.

So it does not depend on the order in which threads ask.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping

from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.http_messages import HttpRequest

__all__ = ["KINDS", "Chances"]

# What can happen by chance: the fault, and what is special about it
KINDS: Mapping[str, Mapping[str, object]] = {
    "429": {"kind": "status", "status": 429, "retry_after": 0},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "504": {"kind": "status", "status": 504, "delay": 0.05},
    "html": {"kind": "garbage"},
    "short": {"kind": "short"},
    "cut": {"kind": "truncate"},
    "reset": {"kind": "reset", "after_bytes": 100},
    "dropped": {"kind": "drop_connection"},
    "slow": {"kind": "slow", "delay": 0.05},
}
# So many faults in a row, and the same request is answered: a client with as many retries always gets there
MOST_IN_A_ROW = 2


class Chances:
    """How likely each kind of fault is; together at most 1."""

    def __init__(self, chances: Mapping[str, float], seed: int = 1) -> None:
        """ValueError for a kind that is none, or more than certainty."""
        unknown = sorted(set(chances) - set(KINDS))
        if unknown or not 0 <= sum(chances.values()) <= 1:
            raise ValueError(f"chances must be of {', '.join(KINDS)} and together at most 1, unknown: {', '.join(unknown)}")
        self.chances = dict(chances)
        self.seed = seed
        self.fired: dict[str, int] = dict.fromkeys(chances, 0)
        self._asked: dict[str, int] = {}
        self._row: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, request: HttpRequest) -> Fault | None:
        """The fault that a request meets, if any."""
        if not self.chances:
            return None
        target = f"{request.method} {request.path}?{request.raw_query}"
        with self._lock:
            asked = self._asked[target] = self._asked.get(target, 0) + 1
            kind = self._draw(random.Random(f"{self.seed} {target} {asked}").random())
            if not kind or self._row.get(target, 0) >= MOST_IN_A_ROW:
                self._row[target] = 0
                return None
            self._row[target] = self._row.get(target, 0) + 1
            self.fired[kind] += 1
        return Fault("*", "", **KINDS[kind])  # type: ignore[arg-type]

    def _draw(self, drawn: float) -> str:
        for kind, chance in self.chances.items():
            drawn -= chance
            if drawn < 0:
                return kind
        return ""
