# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make bench-catalog: how long dumps of the catalog of certified artifacts take, and questions to them. See docs/benchmarks.md."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.certification.pyxis import CatalogOptions
from ansible_collections.quayside.airgap.tests.benchmark.certified_dump import QUESTIONS, SHAPE, DumpBenchmark
from ansible_collections.quayside.airgap.tests.benchmark.options import DOCUMENT
from ansible_collections.quayside.airgap.tests.benchmark.report import Marks, update_document
from ansible_collections.quayside.airgap.tests.benchmark.session import about_machine, say, workspace
from ansible_collections.quayside.airgap.tests.support.catalog_content import CERTIFIED, Shape

MARKS = Marks("certified", "make bench-catalog ARGS=--update-docs")
QUICK = Shape(images=600, organizations={CERTIFIED: 250}, charts=30)


@dataclass(frozen=True)
class Options:
    """What to measure; delays in seconds."""

    shape: Shape
    delays: tuple[float, ...]
    repetitions: int
    workers: int
    limit: int
    quick: bool
    directory: Path | None
    update_docs: bool


def measure(options: Options, folder: Path) -> str:
    """Measure, and give the report, as Markdown.

    folder  for everything that is written; the caller removes it
    """
    about = {**about_machine(), "repetitions": str(options.repetitions), "workers": str(options.workers)}
    if options.quick:
        about["quick"] = "a small catalog; the figures say nothing"
    benchmark = DumpBenchmark(
        options.shape,
        folder,
        delays=options.delays,
        repetitions=options.repetitions,
        warm=not options.quick,
        limit=options.limit,
        workers=options.workers,
        tell=say,
        questions=500 if options.quick else QUESTIONS,
    )
    benchmark.measure()
    lines = "\n".join(f"- {name}: {value}" for name, value in about.items())
    return f"{lines}\n\n{benchmark.report()}\n"


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The options of a command line; ends the program where it is wrong."""
    parser = argparse.ArgumentParser(prog="make bench-catalog ARGS=", description="Measure dumps of certified artifacts.")
    workers = CatalogOptions().workers
    parser.add_argument("--images", type=int, default=SHAPE.images, help=f"{SHAPE.images}")
    parser.add_argument("--operators", type=int, default=SHAPE.organizations[CERTIFIED], help="rows; 4000")
    parser.add_argument("--charts", type=int, default=SHAPE.charts, help=f"versions of charts; {SHAPE.charts}")
    parser.add_argument("--delays", default="0,100", help="milliseconds that each request waits; 0,100")
    parser.add_argument("--repetitions", type=int, default=3, help="3")
    parser.add_argument("--workers", type=int, default=workers, help=f"requests at once; {workers}")
    parser.add_argument("--limit", type=int, default=600, help="seconds after which a run is given up; 600")
    parser.add_argument("--quick", action="store_true", help="a small catalog, once: does it work?")
    parser.add_argument("--directory", type=Path, help="where everything is kept meanwhile; the system's temporary directory")
    parser.add_argument("--update-docs", action="store_true", help="write the tables into docs/benchmarks.md")
    known = parser.parse_args(arguments)
    try:
        delays = tuple(float(part) / 1000 for part in known.delays.split(","))
    except ValueError:
        parser.error("--delays wants numbers with commas in between")
    if min(known.images, known.operators, known.charts, known.repetitions, known.workers) < 1 or min(delays) < 0:
        parser.error("there must be at least one of everything, and no delay can be less than none")
    if known.update_docs and known.quick:
        parser.error("--quick measures nothing that belongs into the documentation")
    shape = dataclasses.replace(SHAPE, images=known.images, organizations={CERTIFIED: known.operators}, charts=known.charts)
    return Options(
        shape=QUICK if known.quick else shape,
        delays=(0.0, 0.005) if known.quick else delays,
        repetitions=1 if known.quick else known.repetitions,
        workers=known.workers,
        limit=known.limit,
        quick=known.quick,
        directory=known.directory,
        update_docs=known.update_docs,
    )


def main() -> int:
    """Measure and tell."""
    options = parse()
    with workspace(options.directory) as folder:
        report = measure(options, folder)
    print(report)
    if options.update_docs:
        update_document(DOCUMENT, report, MARKS)
        say(f"wrote {DOCUMENT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
