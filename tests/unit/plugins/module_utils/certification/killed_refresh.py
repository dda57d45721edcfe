# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that refreshes a dump again and again, and is killed at another step each time; it tells what it found then as JSON.

Arguments: URL of the API, URL of the index, a folder with an older dump in ``base``, the name of the signal.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, Callable

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import verify_tree
from ansible_collections.quayside.airgap.plugins.module_utils.certification.pyxis import CatalogOptions
from ansible_collections.quayside.airgap.plugins.module_utils.certification.refresh import RefreshTask, refresh
from ansible_collections.quayside.airgap.plugins.module_utils.core.thirdparty import load

# Steps that Python tells of (sys.addaudithook) and that the network or the disk knows of
_ON_DISK = frozenset({"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.chmod", "os.truncate", "shutil.rmtree"})
_STRIDE = 7
_INTERRUPTED = 130


def watch(place: Path, step: Callable[[str], None]) -> None:
    """Have a function called before every step of this process that concerns a folder, or a connection."""
    below = str(place)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _ON_DISK:
            if isinstance(arguments[0], (str, bytes, os.PathLike)) and os.fsdecode(arguments[0]).startswith(below):
                step(f"{event} {os.path.relpath(os.fsdecode(arguments[0]), below)}")
        elif event == "ctypes.dlsym" and arguments[1] == "renameat2":
            step("exchange")
        elif event == "socket.connect":
            step("connect")

    sys.addaudithook(hook)


class Process:
    """A run in a process of its own, which may be killed at a step.

    :param kill_at: number of the step, from 0; None for none.
    :param by: the signal.
    """

    def __init__(self, task: RefreshTask, kill_at: int | None, by: signal.Signals = signal.SIGKILL) -> None:
        self._by = by
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            self._work(task, theirs, kill_at)
        os.close(theirs)
        with os.fdopen(ours) as told:
            self.steps = told.read().splitlines()
        _pid, status = os.waitpid(child, 0)
        self.killed = os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == _INTERRUPTED
        self.succeeded = status == 0

    def _work(self, task: RefreshTask, out: int, kill_at: int | None) -> None:
        seen = 0

        def step(name: str) -> None:
            nonlocal seen
            os.write(out, f"{name}\n".encode())
            if seen == kill_at:
                os.kill(os.getpid(), self._by)
            seen += 1

        try:
            watch(task.path, step)
            refresh(task)
        except KeyboardInterrupt:
            os._exit(_INTERRUPTED)
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)


def numbers(steps: list[str]) -> list[int]:
    """Every step around the exchange, and some of the others."""
    middle = steps.index("exchange")
    return [number for number in range(len(steps)) if number % _STRIDE == 0 or -3 < number - middle < 8]


def main() -> None:
    api_url, index_url, folder, name = sys.argv[1:]
    # before the first fork, so that every run has them
    load("requests")
    load("yaml")
    base, place = Path(folder, "base"), Path(folder, "run")
    task = RefreshTask(path=place, catalog=CatalogOptions(api_url=api_url, workers=2), helm_index_url=index_url)

    def begin() -> None:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(base, place)

    begin()
    old = verify_tree(place).digests
    whole = Process(task, None)
    new = verify_tree(place).digests
    report = []
    for number in numbers(whole.steps):
        begin()
        run = Process(task, number, signal.Signals[name])
        if number >= len(run.steps):
            # it needed fewer connections than the first one
            continue
        found = verify_tree(place)
        again = Process(task, None)
        report.append(
            {
                "step": run.steps[number],
                "killed": run.killed,
                "exchanged": "exchange" in run.steps[:number],
                "serious": [str(fault) for fault in found.serious],
                "found": {str(old): "old", str(new): "new"}.get(str(found.digests), "neither"),
                "again": again.succeeded and verify_tree(place).digests == new and not verify_tree(place).serious,
                "left": sorted({path.name for path in (place / ".catalog_dump").iterdir()} - {"lock", "state.json", "changes.json"}),
            }
        )
    print(json.dumps({"whole": whole.succeeded, "differ": old != new, "runs": report}))


if __name__ == "__main__":
    main()
