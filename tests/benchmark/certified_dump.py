# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Part of make bench-catalog: how long a dump of a catalog takes, beside a walk of one request after another, and how long questions do."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.tests.benchmark.measure import Command, ToolFailed, run
from ansible_collections.quayside.airgap.tests.benchmark.report import Target
from ansible_collections.quayside.airgap.tests.benchmark.results import AGAIN, COLD, Measurement, Results
from ansible_collections.quayside.airgap.tests.benchmark.tools import COLLECTIONS, HERE
from ansible_collections.quayside.airgap.tests.support.catalog_content import CERTIFIED, Shape

OURS, READ_ALL, PEER = "refresh", "read-all", "sequential"
WORKLOAD = "certified"
SHAPE = Shape(images=24_000, organizations={CERTIFIED: 4_000}, charts=800)
QUESTIONS = 10_000
_TITLES = {
    (OURS, COLD): "`catalog_dump`, nothing there yet",
    (OURS, AGAIN): "`catalog_dump`, nothing changed",
    (READ_ALL, AGAIN): "`catalog_dump`, nothing changed, everything read",
    (PEER, COLD): "one request after another",
}
_START_LIMIT = 120.0
_MB = 1e6
_LOOK = 0.05


@dataclass(frozen=True)
class Wanted:
    """A goal, where it holds, and how the value comes about."""

    target: Target
    where: str
    value: float


class DumpBenchmark:
    """One run.

    folder  for everything that it writes; the caller removes it
    delays  seconds that the catalog waits before each answer
    limit   seconds after which a run is given up
    """

    def __init__(
        self,
        shape: Shape,
        folder: Path,
        *,
        delays: Sequence[float],
        repetitions: int,
        warm: bool,
        limit: int,
        workers: int,
        tell: Callable[[str], None],
        questions: int = QUESTIONS,
    ) -> None:
        self.results = Results()
        self.shape = shape
        self.requests: dict[tuple[str, str], int] = {}
        self.asked: list[dict[str, float]] = []
        self._folder = folder
        self._delays = delays
        self._repetitions = repetitions
        self._warm = warm
        self._limit = limit
        self._workers = workers
        self._tell = tell
        self._questions = questions

    def measure(self) -> None:
        """Dump in every way in turns, then ask the dump."""
        for delay in self._delays:
            with self._catalog(delay) as about:
                for repetition in range(0 if self._warm and not delay else 1, self._repetitions + 1):
                    ways: list[Callable[[Mapping[str, str], float, int], None]] = [self._ours, self._peer]
                    for way in ways if repetition % 2 else ways[::-1]:
                        way(about, delay, repetition)
        for repetition in range(1, self._repetitions + 1):
            command = self._program("certified_questions.py", str(self._place(OURS)), str(self._questions))
            run(command, self._folder, self._limit)
            told = json.loads((self._folder / "output.log").read_text())
            self.asked.append(told)
            self._tell(f"questions, repetition {repetition}: loaded in {told['load']:.2f} s, answered in {told['questions']:.2f} s")

    @contextmanager
    def _catalog(self, delay: float) -> Iterator[dict[str, str]]:
        """A catalog in a process of its own, so that it takes nothing of what it is asked by."""
        shape = self.shape
        settings = {
            "kind": "catalog",
            "images": shape.images,
            "organizations": dict(shape.organizations),
            "charts": shape.charts,
            "latency": delay,
            "prepared": True,
            "keep_moments": False,
        }
        config, ready = self._folder / "catalog.yml", self._folder / "ready.json"
        # YAML reads JSON
        config.write_text(json.dumps({"instances": {"certified": settings}}))
        ready.unlink(missing_ok=True)
        self._tell(f"catalog: making {shape.images} images, waiting {delay * 1000:g} ms before each answer")
        command = [sys.executable, str(COLLECTIONS / "ansible_collections/quayside/airgap/tests/sandbox"), "--config", str(config)]
        process = subprocess.Popen([*command, "--ready-file", str(ready)], env={"PATH": os.environ.get("PATH", os.defpath)})
        try:
            deadline = time.monotonic() + _START_LIMIT
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise ToolFailed("the catalog did not start")
                time.sleep(_LOOK)
            yield json.loads(ready.read_text())["instances"]["certified"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_START_LIMIT)

    def _ours(self, about: Mapping[str, str], delay: float, repetition: int) -> None:
        place = self._place(OURS)
        shutil.rmtree(place, ignore_errors=True)
        program = "certified_ours.py"
        arguments = (about["api_url"], about["index_url"], str(place), "--workers", str(self._workers))
        for name, phase, more in ((OURS, COLD, ()), (OURS, AGAIN, ()), (READ_ALL, AGAIN, ("--read-all",))):
            self._run(name, phase, self._program(program, *arguments, *more), delay, repetition)

    def _peer(self, about: Mapping[str, str], delay: float, repetition: int) -> None:
        place = self._place(PEER)
        shutil.rmtree(place, ignore_errors=True)
        command = Command([sys.executable, "-I", str(HERE / "certified_peer.py"), about["api_url"], about["index_url"], str(place)])
        self._run(PEER, COLD, command, delay, repetition)

    def _run(self, name: str, phase: str, command: Command, delay: float, repetition: int) -> None:
        usage = run(command, self._folder, self._limit)
        told = json.loads((self._folder / "output.log").read_text().splitlines()[-1])
        self._check(name, phase, told)
        if repetition:
            title = _TITLES[name, phase].replace("`", "")
            self._tell(f"{delay * 1000:g} ms: {title}, repetition {repetition}: {usage.wall:.2f} s, {usage.peak / _MB:.0f} MB")
            self.results.measurements.append(Measurement(name, WORKLOAD, phase, delay, repetition, usage.wall, usage.cpu, usage.peak))

    def _check(self, name: str, phase: str, told: Mapping[str, Any]) -> None:
        """A run that did not do its work is no measurement."""
        shape = self.shape
        if name == PEER:
            self.requests[name, phase] = told["requests"]
            complete = told["operators"] == sum(shape.organizations.values()) and told["containers"] == shape.images
        else:
            if told["walks"]:
                self.requests[name, phase] = sum(walk["requests"] for walk in told["walks"].values()) + 1
            walked = {kind: walk["distinct"] for kind, walk in told["walks"].items()}
            expected = {} if (name, phase) == (OURS, AGAIN) else {"containers": shape.images, "operators": shape.organizations[CERTIFIED]}
            complete = walked == expected and told["changed"] == (phase == COLD) and told["counts"]["containers"] == shape.images
        if not complete:
            raise ToolFailed(f"{_TITLES[name, phase]} did not find what there is: {told}")

    def _program(self, name: str, *arguments: str) -> Command:
        return Command([sys.executable, str(HERE / name), *arguments], {"PYTHONPATH": str(COLLECTIONS)})

    def _place(self, name: str) -> Path:
        return self._folder / f"dump-{name}"

    # ---------------------------------------------------------------- report

    def report(self) -> str:
        """The tables, as Markdown."""
        shape = self.shape
        delays = self.results.delays
        heads = ["", *(f"s, {_delay(delay)} | x sequential" for delay in delays), "CPU s", "peak MB", "requests"]
        lines = [
            f"{shape.images} images, {sum(shape.organizations.values())} rows of operators, {shape.charts} versions of charts.",
            "",
            f"| {' | '.join(heads)} |",
            f"| --- |{' ---: |' * (2 * len(delays) + 3)}",
        ]
        lines += [self._line(name, phase, delays) for name, phase in _TITLES if self._found(name, phase, delays[0])]
        load, answer = (min(told[what] for told in self.asked) for what in ("load", "questions"))
        lines += [
            "",
            f"{self._questions} questions for containers, operators and charts: the dump is loaded in {load:.2f} s, they are answered in "
            f"{answer:.2f} s.",
            "",
            "| goal | wanted | where | measured | reached |",
            "| --- | --- | --- | ---: | --- |",
        ]
        for wanted in self._goals(load, answer):
            target, value = wanted.target, wanted.value
            lines.append(
                f"| {target.words} | {'at most' if target.low else 'at least'} {target.limit:g}{target.unit} | {wanted.where} | "
                f"{value:.2f}{target.unit} | {'yes' if target.holds(value) else 'no'} |"
            )
        return "\n".join(lines)

    def _line(self, name: str, phase: str, delays: Sequence[float]) -> str:
        cells = [_TITLES[name, phase]]
        summaries = [self.results.summary(name, WORKLOAD, phase, delay) for delay in delays]
        for delay, found in zip(delays, summaries):
            peer = self._found(PEER, COLD, delay)
            cells += [f"{found.wall:.2f} ({found.shortest:.2f})", f"{found.wall / peer:.2f}"] if found and peer else ["", ""]
        known = [found for found in summaries if found]
        requests = self.requests.get((name, phase))
        cells += [f"{known[0].cpu:.2f}", f"{max(found.peak for found in known) / _MB:.0f}", str(requests or "")]
        return f"| {' | '.join(cells)} |"

    def _goals(self, load: float, answer: float) -> Iterator[Wanted]:
        for delay in self.results.delays:
            cold, peer = self._found(OURS, COLD, delay), self._found(PEER, COLD, delay)
            again = self._found(OURS, AGAIN, delay)
            if delay:
                yield Wanted(Target("whole refresh", 3.0, " s"), _delay(delay), cold)
                yield Wanted(Target("times as fast as one request after another", 10.0, "x", low=False), _delay(delay), peer / cold)
            else:
                yield Wanted(Target("whole refresh, against one request after another", 3.0, "x"), _delay(delay), cold / peer)
            yield Wanted(Target("nothing changed, against a whole refresh", 0.5, "x"), _delay(delay), again / cold)
        peak = max(taken.peak for taken in self.results.measurements if taken.tool != PEER) / _MB
        yield Wanted(Target("peak memory", 150.0, " MB"), "all", peak)
        yield Wanted(Target("loading a dump", 0.5, " s"), "", load)
        yield Wanted(Target(f"{self._questions} questions", 1.0, " s"), "", answer)

    def _found(self, name: str, phase: str, delay: float) -> float:
        found = self.results.summary(name, WORKLOAD, phase, delay)
        return found.wall if found else 0.0


def _delay(seconds: float) -> str:
    return f"{seconds * 1000:g} ms" if seconds else "loopback"
