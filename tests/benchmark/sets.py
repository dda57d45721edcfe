# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make bench-sets: how long a large catalog of operators takes, and the workflows of an image set. See docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import WireOptions
from ansible_collections.quayside.airgap.tests.benchmark.large_catalog import CatalogShape
from ansible_collections.quayside.airgap.tests.benchmark.options import DOCUMENT
from ansible_collections.quayside.airgap.tests.benchmark.report import Marks, update_document
from ansible_collections.quayside.airgap.tests.benchmark.session import about_machine, about_program, say, workspace
from ansible_collections.quayside.airgap.tests.benchmark.set_catalog import CatalogBenchmark
from ansible_collections.quayside.airgap.tests.benchmark.set_workflows import WorkflowBenchmark
from ansible_collections.quayside.airgap.tests.benchmark.testbed import QUICK
from ansible_collections.quayside.airgap.tests.support.docker_registry import MISSING, find_docker_registry
from ansible_collections.quayside.airgap.tests.support.workloads import SHAPES

MARKS = Marks("sets", "make bench-sets ARGS=--update-docs")
CATALOG, WORKLOADS = "catalog", ("A", "B", "C")
QUICK_CATALOG = CatalogShape(packages=25, bundles=200, size=20_000_000)


@dataclass(frozen=True)
class Options:
    """What to measure; `parts` are the catalog and names of workloads."""

    parts: tuple[str, ...]
    shape: CatalogShape
    repetitions: int
    parallel: int
    limit: int
    quick: bool
    directory: Path | None
    update_docs: bool


def measure(options: Options, folder: Path) -> str:
    """Measure what was asked for, and give the report, as Markdown.

    folder  for everything that is written; the caller removes it
    """
    about = {**about_machine(), "repetitions": str(options.repetitions), "parallel": str(options.parallel)}
    if options.quick:
        about["quick"] = "small workloads; the figures say nothing"
    how: dict[str, Any] = {"repetitions": options.repetitions, "warm": not options.quick, "limit": options.limit, "tell": say}
    parts = []
    left_out = []
    if CATALOG in options.parts:
        catalog = CatalogBenchmark(options.shape, folder, **how)
        catalog.measure()
        parts.append(f"### A large catalog\n\n{catalog.report()}")
    shapes = {name: (QUICK if options.quick else SHAPES)[name] for name in options.parts if name != CATALOG}
    if shapes and find_docker_registry() is None:
        left_out.append(f"the workflows: {MISSING}")
    elif shapes:
        about["registry"] = about_program("docker-registry", "--version")
        about["peer"] = about_program("skopeo", "--version")
        workflows = WorkflowBenchmark(shapes, folder, parallel=options.parallel, **how)
        workflows.measure()
        parts.append(f"### Image sets\n\n{workflows.report()}")
        left_out += workflows.results.left_out
    lines = [f"- {name}: {value}" for name, value in about.items()]
    lines += [f"- left out: {sentence}" for sentence in left_out]
    return "\n\n".join(["\n".join(lines), *parts]) + "\n"


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The options of a command line; ends the program where it is wrong."""
    parser = argparse.ArgumentParser(prog="make bench-sets ARGS=", description="Measure image sets and catalogs of operators.")
    shape, parallel = CatalogShape(), WireOptions().parallel
    everything = ",".join((CATALOG, *WORKLOADS))
    parser.add_argument("--parts", default=everything, help=everything)
    parser.add_argument("--packages", type=int, default=shape.packages, help=f"of the catalog; {shape.packages}")
    parser.add_argument("--bundles", type=int, default=shape.bundles, help=f"of all packages together; {shape.bundles}")
    parser.add_argument("--megabytes", type=float, default=shape.size / 1e6, help=f"of JSON in the catalog; {shape.size / 1e6:g}")
    parser.add_argument("--repetitions", type=int, default=3, help="3")
    parser.add_argument("--parallel", type=int, default=parallel, help=f"requests at once; {parallel}")
    parser.add_argument("--limit", type=int, default=1200, help="seconds after which a run is given up; 1200")
    parser.add_argument("--quick", action="store_true", help="everything small and once: does it work?")
    parser.add_argument("--directory", type=Path, help="where everything is kept meanwhile; the system's temporary directory")
    parser.add_argument("--update-docs", action="store_true", help="write the tables into docs/benchmarks.md")
    known = parser.parse_args(arguments)
    parts = tuple(part.strip() for part in known.parts.split(",") if part.strip())
    unknown = sorted(set(parts) - {CATALOG, *WORKLOADS})
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}")
    if min(known.packages, known.repetitions, known.parallel) < 1 or known.bundles < known.packages:
        parser.error("there must be at least one package, a bundle for each, one repetition, and one request at once")
    if known.update_docs and known.quick:
        parser.error("--quick measures nothing that belongs into the documentation")
    return Options(
        parts=parts,
        shape=QUICK_CATALOG if known.quick else CatalogShape(known.packages, known.bundles, int(known.megabytes * 1e6)),
        repetitions=1 if known.quick else known.repetitions,
        parallel=known.parallel,
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
