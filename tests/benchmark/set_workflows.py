# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Part of make bench-sets: the three workflows of an image set beside the floor and skopeo sync, which move the same images."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.tests.benchmark.contents import Contents, differences, read_contents
from ansible_collections.quayside.airgap.tests.benchmark.measure import Command, ToolFailed, run
from ansible_collections.quayside.airgap.tests.benchmark.recorded import RECORDED, SYNC
from ansible_collections.quayside.airgap.tests.benchmark.results import AGAIN, COLD, Measurement, Results
from ansible_collections.quayside.airgap.tests.benchmark.testbed import NAMESPACE, Testbed
from ansible_collections.quayside.airgap.tests.benchmark.tools import COLLECTIONS, HERE, Job, all_tools
from ansible_collections.quayside.airgap.tests.support.workloads import SHAPES, Shape, workload

FLOOR, PEER = "floor", "skopeo-sync"
_PHASES = {COLD: "cold", AGAIN: "again, nothing to do"}
_MB = 1e6


@dataclass(frozen=True)
class Step:
    """A row of the tables.

    command  what runs, for a job whose folder is also the place of archive and workspace
    lands    whether the destination has the images afterwards
    ours     whether it tells what it did
    """

    name: str
    title: str
    command: Callable[[Job], Command]
    lands: bool = True
    ours: bool = False


class WorkflowBenchmark:
    """One run.

    folder   for everything that it writes; the caller removes it
    shapes   of the workloads, by name
    warm     whether there is a first turn that does not count, and brings into memory what it can
    limit    seconds after which a step is given up
    """

    def __init__(
        self,
        shapes: Mapping[str, Shape],
        folder: Path,
        *,
        repetitions: int,
        warm: bool,
        parallel: int,
        limit: int,
        tell: Callable[[str], None],
    ) -> None:
        self.results = Results()
        self._shapes = shapes
        self._folder = folder
        self._repetitions = range(0 if warm else 1, repetitions + 1)
        self._limit = limit
        self._tell = tell
        self._testbed = Testbed(folder)
        self._turns = self._choose(parallel)

    def measure(self) -> None:
        """Build each workload, and move it in every way in turns."""
        with self._testbed:
            for name, shape in self._shapes.items():
                self._tell(f"{name}: building the workload")
                built = workload(self._testbed.source.url, name, shape=shape, prefix=NAMESPACE)
                contents = read_contents(self._testbed.source, [(image.repository, image.tag) for image in built.images])
                self.results.workloads[name] = contents.describe()
                for repetition in self._repetitions:
                    start = repetition % len(self._turns)
                    for steps in [*self._turns[start:], *self._turns[:start]]:
                        self._turn(steps, name, contents, repetition)

    def _choose(self, parallel: int) -> list[tuple[Step, ...]]:
        """What is measured; the steps of a turn follow each other in one folder."""
        known = {tool.name: tool for tool in all_tools([parallel])}
        turns: list[tuple[Step, ...]] = [(Step(FLOOR, "floor", known[FLOOR].prepare),)]
        missing = known[PEER].missing()
        if missing:
            self.results.left_out.append(f"skopeo sync: {', '.join(missing)} is not installed")
        else:
            turns.append((Step(PEER, SYNC, known[PEER].prepare),))
        ours = partial(Step, ours=True)
        turns.append((ours("straight", "image set, registry to registry", partial(_image_set, parallel, _straight)),))
        to_disk = ours("to-disk", "image set, to disk", partial(_image_set, parallel, _to_disk), lands=False)
        turns.append((to_disk, ours("from-disk", "image set, from disk", partial(_image_set, parallel, _from_disk))))
        return turns

    def _turn(self, steps: Sequence[Step], name: str, contents: Contents, repetition: int) -> None:
        home = Path(tempfile.mkdtemp(prefix="home-", dir=self._folder))
        self._testbed.reset()
        source, destination = self._testbed.direct()
        try:
            for step in steps:
                for phase in (COLD, AGAIN):
                    usage = run(step.command(Job(contents, source, destination, home, phase == COLD)), home, self._limit)
                    self._check(step, phase, contents, home)
                    if repetition:
                        self._tell(f"{name}: {step.title}, {_PHASES[phase]}, repetition {repetition}: {usage.wall:.2f} s")
                        taken = Measurement(step.name, name, phase, 0.0, repetition, usage.wall, usage.cpu, usage.peak)
                        self.results.measurements.append(taken)
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def _check(self, step: Step, phase: str, contents: Contents, home: Path) -> None:
        """Whether a step did what it should."""
        if step.lands and (problems := differences(contents, self._testbed.destination)):
            raise ToolFailed(f"{step.title}, {phase}: the destination is not what it should be: {'; '.join(problems[:5])}")
        if not step.ours:
            return
        told = json.loads((home / "output.log").read_text().splitlines()[-1])
        if told["images"] != len(contents.images) or told["changed"] != (phase == COLD):
            raise ToolFailed(f"{step.title}, {phase}: it did not do what it should: {told}")

    # ------------------------------------------------------------------------------------------------------------ report

    def report(self) -> str:
        """The tables, as Markdown."""
        return "\n\n".join(self._table(name, phase) for name in self.results.workloads for phase in _PHASES)

    def _table(self, name: str, phase: str) -> str:
        floor, sync = self._wall(FLOOR, name, phase), self._wall(PEER, name, phase)
        lines = [
            f"| {name}, {_PHASES[phase]} | s | x floor | x skopeo sync | CPU s | peak MB |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        for step in (step for steps in self._turns for step in steps):
            found = self.results.summary(step.name, name, phase, 0.0)
            if found is not None:
                times = f"{found.wall:.2f} ({found.shortest:.2f}) | {_ratio(found.wall, floor)} | {_ratio(found.wall, sync)}"
                lines.append(f"| {step.title} | {times} | {found.cpu:.2f} | {found.peak / _MB:.0f} |")
        comparable = RECORDED.get(name, ()) if self._shapes[name] == SHAPES.get(name) else ()
        recorded = [entry for entry in comparable if entry.phase == phase]
        theirs = next((entry.wall for entry in recorded if entry.title == SYNC), None)
        for entry in recorded:
            times = f"{entry.wall:.2f} ({entry.shortest:.2f}) | | {_ratio(entry.wall, theirs)}"
            lines.append(f"| *recorded:* {entry.title} | {times} | {entry.cpu:.2f} | {entry.peak} |")
        return "\n".join(lines)

    def _wall(self, step: str, name: str, phase: str) -> float | None:
        found = self.results.summary(step, name, phase, 0.0)
        return found.wall if found else None


def _ratio(value: float, base: float | None) -> str:
    return f"{value / base:.2f}" if base else ""


# ------------------------------------------------------------------------------------------------------------------ ours


def _straight(job: Job) -> dict[str, str]:
    return {"destination": f"docker://{job.destination}", "workspace": f"file://{job.folder / 'workspace'}"}


def _to_disk(job: Job) -> dict[str, str]:
    return {"destination": f"file://{job.folder / 'archive'}"}


def _from_disk(job: Job) -> dict[str, str]:
    return {"destination": f"docker://{job.destination}", "origin": f"file://{job.folder / 'archive'}"}


def _image_set(parallel: int, places: Callable[[Job], dict[str, str]], job: Job) -> Command:
    images = [{"name": f"{job.source}/{image.repository}:{image.tag}"} for image in job.contents.images]
    orders: dict[str, Any] = {
        "places": places(job),
        "parallel": parallel,
        "image_set": {
            "apiVersion": "mirror.openshift.io/v2alpha1",
            "kind": "ImageSetConfiguration",
            "mirror": {"additionalImages": images},
        },
    }
    return Command([sys.executable, str(HERE / "image_set.py"), str(job.write("job.json", orders))], {"PYTHONPATH": str(COLLECTIONS)})
