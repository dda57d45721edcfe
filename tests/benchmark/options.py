# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the benchmark."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import WireOptions

ROOT = Path(__file__).resolve().parents[2]
# `make bench` runs in the copy under .build; files are meant for the checkout.
CHECKOUT = ROOT.parents[3] if ROOT.parents[2].name == ".build" else ROOT
DOCUMENT = CHECKOUT / "docs" / "benchmarks.md"
WORKLOADS = ("A", "B", "C", "L")


@dataclass(frozen=True)
class Options:
    """What to measure. Delays are in seconds; `tools` empty means all."""

    workloads: tuple[str, ...]
    tools: tuple[str, ...]
    parallel: tuple[int, ...]
    delays: tuple[float, ...]
    repetitions: int
    delayed_repetitions: int
    slow_repetitions: int
    limit: int
    quick: bool
    directory: Path | None
    json: Path | None
    read: Path | None
    update_docs: bool


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The options of a command line; ends the program where it is wrong."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description="Measure the copy engine against its peers.")
    default = WireOptions().parallel
    parser.add_argument("--workloads", type=_list(str), default=WORKLOADS, help="A,B,C,L")
    parser.add_argument("--tools", type=_list(str), default=(), help="engine,floor,skopeo-sync,... all when not given")
    parser.add_argument("--parallel", type=_list(int), default=(default,), help=f"rows of ours and the floor for each; {default}")
    parser.add_argument("--delays", type=_list(float), default=(0.0, 30.0), help="milliseconds that each request waits; 0,30")
    parser.add_argument("--repetitions", type=int, default=5, help="without delay; 5")
    parser.add_argument("--delayed-repetitions", type=int, default=2, help="with delay, where noise weighs less; 2")
    parser.add_argument("--slow-repetitions", type=int, default=1, help="of the podman loop, without delay only, 0: leave it out; 1")
    parser.add_argument("--limit", type=int, default=1200, help="seconds after which a run is given up; 1200")
    parser.add_argument("--quick", action="store_true", help="small workloads, one repetition: does everything work?")
    parser.add_argument("--directory", type=Path, help="where the registries keep their data; the system's temporary directory")
    parser.add_argument("--json", type=_path, help="file to write every measurement to")
    parser.add_argument("--from", dest="read", type=_path, help="measure nothing, show such a file")
    parser.add_argument("--update-docs", action="store_true", help="write the tables into docs/benchmarks.md")
    known = parser.parse_args(arguments)
    unknown = sorted(set(known.workloads) - set(WORKLOADS))
    if unknown:
        parser.error(f"there is no workload {', '.join(unknown)}")
    if known.update_docs and known.quick:
        parser.error("--quick measures nothing that belongs into the documentation")
    if known.quick:
        known.repetitions, known.delayed_repetitions = 1, 1
    values = vars(known)
    return Options(**{**values, "delays": tuple(delay / 1000 for delay in known.delays)})


def _path(text: str) -> Path:
    return (CHECKOUT / text).resolve()


def _list(kind: Callable[[str], object]) -> Callable[[str], tuple[object, ...]]:
    def split(text: str) -> tuple[object, ...]:
        return tuple(kind(item.strip()) for item in text.split(",") if item.strip())

    split.__name__ = f"list of {kind.__name__}"
    return split
