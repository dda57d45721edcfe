# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Part of make bench-sets: how long a catalog of operators takes to read and choose from, beside reading its bytes in other ways."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.quayside.airgap.tests.benchmark.large_catalog import CatalogShape, package_name, write_large_catalog
from ansible_collections.quayside.airgap.tests.benchmark.measure import Command, ToolFailed, run
from ansible_collections.quayside.airgap.tests.benchmark.report import Target
from ansible_collections.quayside.airgap.tests.benchmark.results import COLD, Measurement, Results
from ansible_collections.quayside.airgap.tests.benchmark.tools import COLLECTIONS, HERE

CHOSEN = 20
WORKLOAD = "catalog"
MEMORY = Target("peak memory, whatever the catalog", 400.0, " MB")
_PEER = "json"
_MB = 1e6


@dataclass(frozen=True)
class _Reader:
    """A row of the table; `command` is told the folder of the catalog and one to write to."""

    name: str
    title: str
    command: Callable[[Path, Path], list[str]]
    ours: bool = False


class CatalogBenchmark:
    """One run.

    folder  for everything that it writes; the caller removes it
    warm    whether there is a first turn that does not count, and brings into memory what it can
    limit   seconds after which a reader is given up
    """

    def __init__(self, shape: CatalogShape, folder: Path, *, repetitions: int, warm: bool, limit: int, tell: Callable[[str], None]) -> None:
        self.results = Results()
        self.bytes = 0
        self._shape = shape
        self._folder = folder
        self._repetitions = range(0 if warm else 1, repetitions + 1)
        self._limit = limit
        self._tell = tell
        self._readers = _readers(shape)

    def measure(self) -> None:
        """Make the catalog, and read it in every way in turns."""
        catalog = self._folder / "catalog"
        self._tell(f"catalog: making {self._shape.packages} packages with {self._shape.bundles} bundles")
        self.bytes = write_large_catalog(catalog, self._shape)
        for repetition in self._repetitions:
            start = repetition % len(self._readers)
            for reader in [*self._readers[start:], *self._readers[:start]]:
                self._turn(reader, catalog, repetition)

    def _turn(self, reader: _Reader, catalog: Path, repetition: int) -> None:
        environment = {"PYTHONPATH": str(COLLECTIONS)} if reader.ours else {}
        command = Command([sys.executable, *reader.command(catalog, self._folder / "written")], environment)
        usage = run(command, self._folder, self._limit)
        if reader.ours:
            self._check(json.loads((self._folder / "output.log").read_text()))
        if repetition:
            self._tell(f"catalog: {reader.title}, repetition {repetition}: {usage.wall:.2f} s, {usage.peak / _MB:.0f} MB")
            taken = Measurement(reader.name, WORKLOAD, COLD, 0.0, repetition, usage.wall, usage.cpu, usage.peak)
            self.results.measurements.append(taken)

    def _check(self, told: dict[str, int]) -> None:
        expected = (self._shape.packages, self._shape.packages * self._shape.versions, min(CHOSEN, self._shape.packages))
        if (told["packages"], told["bundles"], told["chosen"]) != expected:
            raise ToolFailed(f"of the catalog {expected} was expected, and {told} was found")

    def report(self) -> str:
        """The table, as Markdown."""
        shape = self._shape
        peer = self._wall(_PEER)
        lines = [
            f"{shape.packages} packages, {shape.packages * shape.versions} bundles, {self.bytes / _MB:.0f} MB of JSON; "
            f"{min(CHOSEN, shape.packages)} packages are chosen.",
            "",
            "| | s | x json | MB/s | CPU s | peak MB |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        peaks = []
        for reader in self._readers:
            found = self.results.summary(reader.name, WORKLOAD, COLD, 0.0)
            if found is None:
                continue
            peaks += [found.peak / _MB] if reader.ours else []
            lines.append(
                f"| {reader.title} | {found.wall:.2f} ({found.shortest:.2f}) | {found.wall / peer:.2f} | "
                f"{self.bytes / _MB / found.wall:.0f} | {found.cpu:.2f} | {found.peak / _MB:.0f} |"
            )
        reached = "yes" if MEMORY.holds(max(peaks)) else "no"
        lines += ["", f"Wanted: {MEMORY.words}, at most {MEMORY.limit:g}{MEMORY.unit}; measured: {max(peaks):.0f} MB; reached: {reached}."]
        return "\n".join(lines)

    def _wall(self, name: str) -> float:
        found = self.results.summary(name, WORKLOAD, COLD, 0.0)
        return found.wall if found else float("nan")


def _readers(shape: CatalogShape) -> Sequence[_Reader]:
    step = max(1, shape.packages // CHOSEN)
    chosen = [package_name(number) for number in range(0, shape.packages, step)][:CHOSEN]
    ours, peer = str(HERE / "catalog_ours.py"), str(HERE / "catalog_peer.py")

    def choose(catalog: Path, _written: Path) -> list[str]:
        return [ours, str(catalog), *chosen]

    def choose_and_write(catalog: Path, written: Path) -> list[str]:
        return [ours, str(catalog), *chosen, "--write", str(written)]

    def alone(mode: str) -> Callable[[Path, Path], list[str]]:
        return lambda catalog, _written: ["-I", peer, mode, str(catalog)]

    return (
        _Reader("choose", "read, choose", choose, ours=True),
        _Reader("write", "read, choose, write the filtered catalog", choose_and_write, ours=True),
        _Reader(_PEER, "json of the standard library, everything decoded", alone(_PEER)),
        _Reader("sha256", "sha256 of the bytes", alone("sha256")),
        _Reader("read", "the bytes read, nothing else", alone("read")),
    )
