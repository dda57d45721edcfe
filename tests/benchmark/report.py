# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as Markdown: for the terminal, and for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.quayside.airgap.tests.benchmark.results import AGAIN, COLD, Results, Row, Summary
from ansible_collections.quayside.airgap.tests.benchmark.testbed import LARGE

_MB = 1e6
_MIB = 1 << 20
_GREETINGS = 2
_PHASES = {COLD: "cold", AGAIN: "again, nothing to do"}


@dataclass(frozen=True)
class Marks:
    """Where in a document the figures of a benchmark belong."""

    name: str
    command: str

    @property
    def begin(self) -> str:
        """The line before them."""
        return f"<!-- {self.name}: begin; written by {self.command} -->"

    @property
    def end(self) -> str:
        """The line after them."""
        return f"<!-- {self.name}: end -->"


FIGURES = Marks("figures", "make bench ARGS=--update-docs")


@dataclass(frozen=True)
class Target:
    """Something that the engine is held to. `low`: whether less is better."""

    words: str
    limit: float
    unit: str
    low: bool = True

    def holds(self, value: float) -> bool:
        """Whether a measured value is good enough."""
        return value <= self.limit if self.low else value >= self.limit


AGAINST_PEERS = Target("cold, against the fastest peer", 0.6, "x")
AGAINST_FLOOR = Target("cold, against the floor", 1.5, "x")
REQUESTS = Target("nothing to do, requests per image, besides one to greet each registry", 2.0, "")
AGAINST_SYNC = Target("nothing to do, with delay, times as fast as skopeo sync", 3.0, "x", low=False)
MEMORY = Target("peak memory, whatever the layer size", 150.0, " MB")


def render(results: Results) -> str:
    """Everything worth reading, with headings of the third level."""
    parts = [_about(results), _targets(results)]
    parts += [_workload(results, name) for name in results.workloads]
    return "\n\n".join(part for part in parts if part) + "\n"


def update_document(path: Path, report: str, marks: Marks = FIGURES) -> None:
    """Put a report between two marks of a document."""
    text = path.read_text()
    begin, end = marks.begin, marks.end
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"{path} lacks the marks that the figures belong between")
    before, after = text.partition(begin)[0], text.partition(end)[2]
    path.write_text(f"{before}{begin}\n\n{report}\n{end}{after}")


def _about(results: Results) -> str:
    lines = [f"- {name}: {value}" for name, value in results.about.items()]
    lines += [f"- left out: {sentence}" for sentence in results.left_out]
    return "\n".join(lines)


# --------------------------------------------------------------------------------------------------------------- targets


def _targets(results: Results) -> str:
    lines = [
        f"| {target.words} | {'at most' if target.low else 'at least'} {target.limit:g}{target.unit} | {where} | "
        f"{value:.2f}{target.unit} | {'yes' if target.holds(value) else 'no'} |"
        for target, where, value in _values(results)
    ]
    if not lines:
        return ""
    head = ["### Targets", "", "| the copy engine | wanted | where | measured | reached |", "| --- | --- | --- | ---: | --- |"]
    return "\n".join(head + lines)


def _values(results: Results) -> Iterator[tuple[Target, str, float]]:
    engine = results.row("engine")
    if engine is None:
        return
    for target in (AGAINST_PEERS, AGAINST_FLOOR):
        for workload, delay, here in _conditions(results, engine, COLD):
            if workload == LARGE:
                continue
            peer = results.fastest_peer(workload, COLD, delay)
            other = peer if target is AGAINST_PEERS else results.floor(engine, workload, COLD, delay)
            if other:
                yield target, f"{workload}, {_delay(delay)}", here.wall / other
    for workload, numbers in results.workloads.items():
        traffic = results.traffic(engine.name, workload, AGAIN)
        if traffic is not None:
            yield REQUESTS, workload, (traffic.requests - _GREETINGS) / numbers["images"]
    for workload, delay, here in _conditions(results, engine, AGAIN):
        sync = results.summary("skopeo-sync", workload, AGAIN, delay)
        if delay and sync:
            yield AGAINST_SYNC, f"{workload}, {_delay(delay)}", sync.wall / here.wall
    for workload in results.workloads:
        peaks = [run.peak for run in results.measurements if run.tool == engine.name and run.workload == workload]
        if peaks:
            yield MEMORY, workload, max(peaks) / _MB


def _conditions(results: Results, row: Row, phase: str) -> Iterator[tuple[str, float, Summary]]:
    for workload in results.workloads:
        for delay in results.delays:
            found = results.summary(row.name, workload, phase, delay)
            if found:
                yield workload, delay, found


# ---------------------------------------------------------------------------------------------------------------- tables


def _workload(results: Results, name: str) -> str:
    numbers = results.workloads[name]
    words = (
        f"{numbers['images']} images ({numbers['multi_platform']} of them for several platforms), {numbers['manifests']} manifests, "
        f"{numbers['blobs']} blobs: {numbers['referenced_bytes'] / _MIB:.1f} MiB referenced, {numbers['bytes'] / _MIB:.1f} MiB to move."
    )
    tables = [_table(results, name, phase) for phase in _PHASES]
    return "\n\n".join([f"### Workload {name}", words, *(table for table in tables if table)])


def _table(results: Results, workload: str, phase: str) -> str:
    delays = [delay for delay in results.delays if any(results.summary(row.name, workload, phase, delay) for row in results.rows)]
    if not delays:
        return ""
    timed = [title for delay in delays for title in (f"s, {_delay(delay)}", "x peer", "x floor")]
    heads = [_PHASES[phase], *timed, "CPU s", "peak MB", "requests", "per image", "MB in", "MB out"]
    lines = [_line(heads), _line(["---", *["---:"] * (len(heads) - 1)])]
    lines += [_line(cells) for row in results.rows if (cells := _cells(results, row, workload, phase, delays))]
    return "\n".join(lines)


def _cells(results: Results, row: Row, workload: str, phase: str, delays: list[float]) -> list[str]:
    found = {delay: results.summary(row.name, workload, phase, delay) for delay in delays}
    if not any(found.values()):
        return []
    cells = [row.title + ("" if row.exact else " (other digests)")]
    for delay, summary in found.items():
        if summary is None:
            cells += ["", "", ""]
            continue
        peer = results.fastest_peer(workload, phase, delay)
        floor = results.floor(row, workload, phase, delay)
        cells += [f"{summary.wall:.2f} ({summary.shortest:.2f})", _ratio(summary.wall, peer), _ratio(summary.wall, floor)]
    first = next(summary for summary in found.values() if summary)
    peak = max(summary.peak for summary in found.values() if summary)
    cells += [f"{first.cpu:.2f}", f"{peak / _MB:.0f}"]
    traffic = results.traffic(row.name, workload, phase)
    if traffic is None:
        return [*cells, "", "", "", ""]
    images = results.workloads[workload]["images"]
    each = f"{traffic.requests / images:.1f}"
    return [*cells, str(traffic.requests), each, f"{traffic.pulled / _MB:.1f}", f"{traffic.pushed / _MB:.1f}"]


def _ratio(value: float, base: float | None) -> str:
    return f"{value / base:.2f}" if base else ""


def _delay(seconds: float) -> str:
    return f"{seconds * 1000:g} ms" if seconds else "loopback"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
