# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a benchmark found out, as data that can be written, read back and summarized."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.tests.benchmark.testbed import Traffic

COLD, AGAIN = "cold", "again"


@dataclass(frozen=True)
class Row:
    """A tool as the tables name it; `parallel` is how many requests or processes it has under way."""

    name: str
    title: str
    kind: str
    parallel: int
    exact: bool


@dataclass(frozen=True)
class Measurement:
    """One run of one tool. Seconds and bytes; `delay` is that of every request."""

    tool: str
    workload: str
    phase: str
    delay: float
    repetition: int
    wall: float
    cpu: float
    peak: int


@dataclass(frozen=True)
class Count:
    """What one run of one tool sent and received."""

    tool: str
    workload: str
    phase: str
    traffic: Traffic


@dataclass(frozen=True)
class Summary:
    """Several runs of the same: median and shortest wall time, median processor time, highest peak of memory."""

    wall: float
    shortest: float
    cpu: float
    peak: int


@dataclass
class Results:
    """Everything.

    about      date, machine and versions, as text
    workloads  what each consists of, see Contents.describe
    left_out   what was not measured and why, as sentences
    """

    about: dict[str, str] = field(default_factory=dict)
    workloads: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def summary(self, tool: str, workload: str, phase: str, delay: float) -> Summary | None:
        """Of all runs of a tool under one condition; None when there were none."""
        wanted = (tool, workload, phase, delay)
        runs = [run for run in self.measurements if (run.tool, run.workload, run.phase, run.delay) == wanted]
        if not runs:
            return None
        walls = [run.wall for run in runs]
        cpu = statistics.median(run.cpu for run in runs)
        return Summary(statistics.median(walls), min(walls), cpu, max(run.peak for run in runs))

    def traffic(self, tool: str, workload: str, phase: str) -> Traffic | None:
        """What a tool sent and received; None when that was not counted."""
        wanted = (tool, workload, phase)
        return next((count.traffic for count in self.counts if (count.tool, count.workload, count.phase) == wanted), None)

    def row(self, name: str) -> Row | None:
        """The first tool whose name, without the number behind a slash, is this."""
        return next((row for row in self.rows if row.name.partition("/")[0] == name), None)

    def fastest_peer(self, workload: str, phase: str, delay: float) -> float | None:
        """Wall time of the fastest of those that we compare ourselves with."""
        peers = (self.summary(row.name, workload, phase, delay) for row in self.rows if row.kind == "peer")
        return min((peer.wall for peer in peers if peer), default=None)

    def floor(self, row: Row, workload: str, phase: str, delay: float) -> float | None:
        """Wall time of the floor with as many threads, or else of the only one."""
        floors = [floor for floor in self.rows if floor.kind == "floor"]
        same = [floor for floor in floors if floor.parallel == row.parallel] or floors
        found = self.summary(same[0].name, workload, phase, delay) if same else None
        return found.wall if found else None

    @property
    def delays(self) -> list[float]:
        """In ascending order."""
        return sorted({run.delay for run in self.measurements})

    def write(self, path: Path) -> None:
        """Keep everything as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Results:
        """What :meth:`write` kept."""
        values = json.loads(path.read_text())
        return cls(
            values["about"],
            values["workloads"],
            [Row(**row) for row in values["rows"]],
            [Measurement(**run) for run in values["measurements"]],
            [Count(**{**count, "traffic": Traffic(**count["traffic"])}) for count in values["counts"]],
            values["left_out"],
        )
