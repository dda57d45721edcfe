# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make bench: measures the copy engine, its peers and the floor in turns. See docs/benchmarks.md.

For each workload every tool is run once with its requests counted, which also warms what can be warm. Then, in each
repetition, each tool in turn fills the empty destination and is run again with nothing to do, so that whatever else the
machine is busy with meets all of them alike.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from ansible_collections.quayside.airgap.tests.benchmark import options as command_line
from ansible_collections.quayside.airgap.tests.benchmark.contents import Contents, differences
from ansible_collections.quayside.airgap.tests.benchmark.measure import ToolFailed, Usage, run
from ansible_collections.quayside.airgap.tests.benchmark.options import DOCUMENT, Options
from ansible_collections.quayside.airgap.tests.benchmark.report import render, update_document
from ansible_collections.quayside.airgap.tests.benchmark.results import AGAIN, COLD, Count, Measurement, Results, Row
from ansible_collections.quayside.airgap.tests.benchmark.session import about_machine, about_program, say, workspace
from ansible_collections.quayside.airgap.tests.benchmark.testbed import LARGE, Testbed
from ansible_collections.quayside.airgap.tests.benchmark.tools import Job, Tool, all_tools
from ansible_collections.quayside.airgap.tests.support.docker_registry import MISSING, find_docker_registry


class Benchmark:
    """One run of the benchmark.

    folder  for everything that it writes; the caller removes it
    """

    def __init__(self, options: Options, folder: Path) -> None:
        self.options = options
        self.results = Results(about=_about(options))
        self._folder = folder
        self._testbed = Testbed(folder)
        self._tools = self._choose()

    def run(self) -> Results:
        """Measure everything that was asked for."""
        with self._testbed:
            for name in self.options.workloads:
                say(f"{name}: building the workload")
                contents = self._testbed.build(name, quick=self.options.quick)
                self.results.workloads[name] = contents.describe()
                self._measure(name, contents)
                if self.options.json:  # so that a run that is broken off is not lost
                    self.results.write(self.options.json)
        return self.results

    # -- what is measured ------------------------------------------------------------------------------------------------

    def _choose(self) -> list[Tool]:
        chosen = []
        for tool in all_tools(self.options.parallel):
            if self.options.tools and not {tool.name, tool.name.partition("/")[0]} & set(self.options.tools):
                continue
            if missing := tool.missing():
                self._leave_out(f"{tool.title}: {', '.join(missing)} is not installed")
            else:
                chosen.append(tool)
        self.results.rows = [Row(tool.name, tool.title, tool.kind, tool.parallel, tool.exact) for tool in chosen]
        return chosen

    def _measure(self, name: str, contents: Contents) -> None:
        large = name == LARGE
        tools = [tool for tool in self._tools if (tool.large or not large) and (tool.platforms or not contents.multi_platform)]
        tools = [tool for tool in tools if self.options.slow_repetitions or not tool.slow]
        phases = (COLD,) if large else (COLD, AGAIN)
        for tool in list(tools):
            if not self._turn(tool, name, contents, phases, None, 0):
                tools.remove(tool)
        for delay in (0.0,) if large else self.options.delays:
            for repetition in range(1, self._repetitions(delay) + 1):
                # another one begins each time, so that none always comes after the same neighbour
                start = repetition % max(1, len(tools))
                for tool in [*tools[start:], *tools[:start]]:
                    if tool.slow and (delay or repetition > self.options.slow_repetitions):
                        continue
                    if not self._turn(tool, name, contents, phases, delay, repetition):
                        tools.remove(tool)

    def _repetitions(self, delay: float) -> int:
        return self.options.delayed_repetitions if delay else self.options.repetitions

    # -- how -------------------------------------------------------------------------------------------------------------

    def _turn(self, tool: Tool, name: str, contents: Contents, phases: tuple[str, ...], delay: float | None, repetition: int) -> bool:
        """Have a tool fill an empty destination, and go over it again; `delay` None: count its requests instead of the time."""
        words = f"{name}: {tool.title}, " + ("counted" if delay is None else f"{delay * 1000:g} ms, repetition {repetition}")
        home = Path(tempfile.mkdtemp(prefix="home-", dir=self._folder))
        self._testbed.reset()
        told = []
        try:
            for phase in phases:
                direct = delay == 0.0
                source, destination = self._testbed.direct() if direct else self._testbed.through_proxies(delay or 0.0)
                usage = run(tool.prepare(Job(contents, source, destination, home, phase == COLD)), home, self.options.limit)
                self._keep(tool, name, phase, delay, repetition, usage)
                told.append(f"{phase} {usage.wall:.2f} s")
                if problems := differences(contents, self._testbed.destination, exact=tool.exact):
                    raise ToolFailed(f"the destination is not what it should be after it ({phase}): {'; '.join(problems[:5])}")
        except ToolFailed as error:
            say(f"{words}: failed: {error}")
            self._leave_out(f"{tool.title} in {name}: it failed ({str(error).splitlines()[0][:200]})")
            self.results.measurements = [item for item in self.results.measurements if (item.tool, item.workload) != (tool.name, name)]
            return False
        finally:
            shutil.rmtree(home, ignore_errors=True)
        say(f"{words}: {', '.join(told)}")
        return True

    def _keep(self, tool: Tool, name: str, phase: str, delay: float | None, repetition: int, usage: Usage) -> None:
        if delay is None:
            self.results.counts.append(Count(tool.name, name, phase, self._testbed.traffic()))
        else:
            taken = Measurement(tool.name, name, phase, delay, repetition, usage.wall, usage.cpu, usage.peak)
            self.results.measurements.append(taken)

    def _leave_out(self, sentence: str) -> None:
        say(f"left out: {sentence}")
        self.results.left_out.append(sentence)


def main() -> int:
    """Measure and tell."""
    options = command_line.parse()
    if options.read:
        results = Results.read(options.read)
    elif find_docker_registry() is None:
        say(f"left out: the whole benchmark: {MISSING}")
        return 0
    else:
        with workspace(options.directory) as folder:
            results = Benchmark(options, folder).run()
    print(render(results))
    if options.update_docs:
        update_document(DOCUMENT, render(results))
        say(f"wrote {DOCUMENT}")
    return 1 if any("it failed" in sentence for sentence in results.left_out) else 0


def _about(options: Options) -> dict[str, str]:
    """Date, machine and versions."""
    about = {
        **about_machine(),
        "registry": about_program("docker-registry", "--version"),
        "peers": ", ".join(filter(None, (about_program(program, "--version") for program in ("skopeo", "podman")))),
        "repetitions": f"{options.repetitions}, with delay {options.delayed_repetitions}, podman {options.slow_repetitions}",
        "parallel": ", ".join(map(str, options.parallel)),
    }
    if options.quick:
        about["quick"] = "small workloads; the figures say nothing"
    return about


if __name__ == "__main__":
    sys.exit(main())
