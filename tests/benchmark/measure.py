# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a program and tells what it took: time, processor time, memory, and, through proxies, requests and bytes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_SPAWN = Path(__file__).with_name("spawn.py")
_LOG_TAIL = 1500


class ToolFailed(RuntimeError):
    """A measured program did not do its work; the message has the end of its output."""


@dataclass(frozen=True)
class Command:
    """A program with all that it needs.

    stdin  file for its standard input
    user   number of the user to run as; None: the present one
    """

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: Path | None = None
    user: int | None = None


@dataclass(frozen=True)
class Usage:
    """What a program took.

    wall  seconds from its start to its end, the start of an interpreter included
    cpu   seconds of processor time, user and system, of it and all its descendants
    peak  bytes resident at the most, of the largest single process among them
    """

    wall: float
    cpu: float
    peak: int


def run(command: Command, folder: Path, limit: int) -> Usage:
    """Run a program to its end.

    folder  working directory and home of the program; its output goes to `output.log` there
    limit   seconds after which it is killed
    """
    log = folder / "output.log"
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "HOME": str(folder), "TMPDIR": str(folder)}
    environment.update(command.environment)
    user = "" if command.user is None else str(command.user)
    program = shutil.which(command.argv[0], path=environment["PATH"])
    if program is None:
        raise ToolFailed(f"{command.argv[0]} is not installed")
    argv = [program, *command.argv[1:]]
    spawn = [sys.executable, "-I", "-S", str(_SPAWN), str(limit), user, str(command.stdin or ""), str(log), *argv]
    done = subprocess.run(spawn, check=True, stdout=subprocess.PIPE, env=environment, cwd=folder)
    told = json.loads(done.stdout)
    if told["timed_out"]:
        raise ToolFailed(f"it was not done after {limit} s")
    if told["status"]:
        output = log.read_text(errors="replace").strip()
        raise ToolFailed(f"status {told['status']}: {output[-_LOG_TAIL:] or 'no output'}")
    return Usage(told["wall"], told["cpu"], told["peak"])
