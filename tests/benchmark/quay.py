# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make bench-quay: a whole registry by quay_state, beside the same objects with one task each. See docs/benchmarks.md.

The Quay is the sandbox's, in this process; each call with a token waits as long as a real Quay needs to check that token.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayOptions as ClientOptions
from ansible_collections.quayside.airgap.tests.benchmark.measure import Command, ToolFailed, Usage, run
from ansible_collections.quayside.airgap.tests.benchmark.options import DOCUMENT
from ansible_collections.quayside.airgap.tests.benchmark.report import Marks, update_document
from ansible_collections.quayside.airgap.tests.sandbox.options import RegistryOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay
from ansible_collections.quayside.airgap.tests.sandbox.registry import SandboxRegistry

COLLECTIONS = Path(__file__).resolve().parents[5]
MARKS = Marks("quay", "make bench-quay ARGS=--update-docs")
ROBOTS, REPOSITORIES = 2, 5
OBJECTS = 1 + ROBOTS + 1 + 1 + REPOSITORIES
_MB = 1e6
Document = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What to measure; `latency` in seconds, `sample` in organizations."""

    organizations: int
    sample: int
    latency: float
    parallel: int
    limit: int
    update_docs: bool


@dataclass(frozen=True)
class Row:
    """A line of the table. `wall` in seconds; where it is computed from a sample, `sampled` objects were really managed."""

    title: str
    phase: str
    wall: float
    usage: Usage
    reads: int
    writes: int
    sampled: int = 0


def document(count: int, upstream: str) -> Document:
    """A registry of some organizations, each with robots, a team, a proxy cache and repositories."""
    return {"organizations": [_organization(f"org{number:03}", upstream) for number in range(count)]}


def _organization(name: str, upstream: str) -> dict[str, Any]:
    return {
        "name": name,
        "email": f"{name}@example.com",
        "robots": [{"name": f"robot{number}", "description": f"Robot {number}"} for number in range(ROBOTS)],
        "teams": [{"name": "builders", "role": "creator", "description": "They build"}],
        "proxy_cache": {"registry": upstream, "insecure": True},
        "repositories": [
            {"name": f"app{number}", "visibility": "private", "description": f"Application {number}"} for number in range(REPOSITORIES)
        ],
    }


def tasks_of(registry: Document) -> list[dict[str, Any]]:
    """The same with one task for each object."""
    tasks: list[dict[str, Any]] = []

    def add(module: str, options: dict[str, Any]) -> None:
        tasks.append({"name": f"Task {len(tasks)}", f"quayside.airgap.{module}": options})

    for entry in registry["organizations"]:
        name = entry["name"]
        add("quay_org", {"name": name, "email": entry["email"]})
        for robot in entry["robots"]:
            add("quay_robot", {"name": f"{name}+{robot['name']}", "description": robot["description"]})
        for team in entry["teams"]:
            add("quay_team", {"organization": name, **team})
        add("quay_proxycache", {"organization": name, **entry["proxy_cache"]})
        for repository in entry["repositories"]:
            add("quay_repository", {**repository, "name": f"{name}/{repository['name']}"})
    return tasks


class Benchmark:
    """One run.

    folder  for everything that it writes; the caller removes it
    """

    def __init__(self, options: Options, folder: Path) -> None:
        self.options = options
        self.rows: list[Row] = []
        self._folder = folder

    def measure(self) -> None:
        """Fill and go over a registry in both ways."""
        with SandboxRegistry(RegistryOptions()) as upstream:
            whole = document(self.options.organizations, upstream.host)
            few = tasks_of(document(self.options.sample, upstream.host))
            with self._quay() as quay:
                whole_task = [{"name": "The registry", "quayside.airgap.quay_state": {"document": whole}}]
                for phase in ("cold", "unchanged"):
                    usage, reads, writes = self._play(quay, whole_task, phase)
                    self._keep(Row("quay_state, one task", phase, usage.wall, usage, reads, writes))
            with self._quay() as quay:
                nothing, _reads, _writes = self._play(quay, [{"name": "Nothing", "ansible.builtin.debug": {}}], "empty")
                objects = OBJECTS * self.options.organizations
                for phase in ("cold", "unchanged"):
                    usage, reads, writes = self._play(quay, few, phase)
                    each = (usage.wall - nothing.wall) / len(few)
                    times = objects / len(few)
                    row = Row(
                        "one task for each object",
                        phase,
                        nothing.wall + each * objects,
                        usage,
                        round(reads * times),
                        round(writes * times),
                        len(few),
                    )
                    self._keep(row)

    @contextmanager
    def _quay(self) -> Iterator[SandboxQuay]:
        with SandboxQuay(QuayOptions(api_latency=self.options.latency)) as quay:
            quay.add_user("quayadmin", "password1", superuser=True)
            yield quay

    def _play(self, quay: SandboxQuay, tasks: Sequence[dict[str, Any]], phase: str) -> tuple[Usage, int, int]:
        """Run a playbook; gives what it took, and the reads and writes that the Quay saw."""
        home = Path(tempfile.mkdtemp(prefix="home-", dir=self._folder))
        login = {"quay_host": quay.url, "quay_token": quay.token("quayadmin"), "parallel": self.options.parallel}
        play = {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "module_defaults": {"group/quayside.airgap.quay": login},
            "tasks": list(tasks),
        }
        (home / "play.json").write_text(json.dumps([play]))
        (home / "ansible.cfg").write_text("")
        environment = {
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CONFIG": str(home / "ansible.cfg"),
            "ANSIBLE_HOME": str(home),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_NOCOLOR": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONPATH": str(COLLECTIONS),
        }
        quay.reset_log()
        argv = ["ansible-playbook", "--inventory", "localhost,", str(home / "play.json")]
        usage = run(Command(argv, environment), home, self.options.limit)
        writes = len(quay.writes)
        output = (home / "output.log").read_text()
        if ("changed=0" not in output) != (phase == "cold"):
            raise ToolFailed(f"the {phase} run of {len(tasks)} tasks did not do what it should: {output[-1500:]}")
        return usage, len(quay.requests) - writes, writes

    def _keep(self, row: Row) -> None:
        print(f"{row.title}, {row.phase}: {row.wall:.1f} s, {row.reads} reads, {row.writes} writes", file=sys.stderr, flush=True)
        self.rows.append(row)

    # ------------------------------------------------------------------------------------------------------------ report

    def report(self) -> str:
        """Everything worth reading, as Markdown."""
        options = self.options
        objects = OBJECTS * options.organizations
        about = [
            f"- date: {time.strftime('%Y-%m-%d')}",
            f"- machine: {len(os.sched_getaffinity(0))} CPUs, {platform.system()} {platform.machine()}",
            f"- Python: {platform.python_version()}, requests {version('requests')}, ansible-core {version('ansible-core')}",
            f"- registry: {options.organizations} organizations, {objects} objects, {options.latency * 1000:g} ms for each call",
            f"- parallel: {options.parallel}",
        ]
        ours = {row.phase: row for row in self.rows if not row.sampled}
        lines = [
            "| | phase | s | x quay_state | reads | reads for each organization | writes | CPU s | peak MB |",
            "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for row in self.rows:
            sample = f", computed from {row.sampled} of {objects}" if row.sampled else ""
            cpu = row.usage.cpu * (objects / row.sampled if row.sampled else 1)
            lines.append(
                f"| {row.title}{sample} | {row.phase} | {row.wall:.1f} | {row.wall / ours[row.phase].wall:.1f} | {row.reads} | "
                f"{row.reads / options.organizations:.2f} | {row.writes} | {cpu:.1f} | {row.usage.peak / _MB:.0f} |"
            )
        return "\n".join([*about, "", *lines]) + "\n"


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The options of a command line; ends the program where it is wrong."""
    parser = argparse.ArgumentParser(prog="make bench-quay ARGS=", description="Measure quay_state beside one task for each object.")
    parser.add_argument("--organizations", type=int, default=300, help="of the registry; 300")
    parser.add_argument("--sample", type=int, default=6, help="organizations that are managed with one task for each object; 6")
    parser.add_argument("--latency", type=float, default=190.0, help="milliseconds that each call takes; 190")
    parser.add_argument("--parallel", type=int, default=ClientOptions.parallel, help=f"of the modules; {ClientOptions.parallel}")
    parser.add_argument("--limit", type=int, default=1200, help="seconds after which a run is given up; 1200")
    parser.add_argument("--update-docs", action="store_true", help="write the table into docs/benchmarks.md")
    known = parser.parse_args(arguments)
    return Options(**{**vars(known), "latency": known.latency / 1000})


def main() -> int:
    """Measure and tell."""
    options = parse()
    folder = Path(tempfile.mkdtemp(prefix="airgap-bench-"))
    try:
        benchmark = Benchmark(options, folder)
        benchmark.measure()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(benchmark.report())
    if options.update_docs:
        update_document(DOCUMENT, benchmark.report(), MARKS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
