# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every benchmark does around its measurements: a folder of its own, messages, and what to say about the machine."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path


@contextmanager
def workspace(parent: Path | None = None) -> Iterator[Path]:
    """A folder that is gone afterwards, also when the program is asked to end."""
    handler = signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    # some tools run as another user, and read what is written for them
    mask = os.umask(0o022)
    folder = Path(tempfile.mkdtemp(prefix="airgap-bench-", dir=parent))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.umask(mask)
        signal.signal(signal.SIGTERM, handler)


def about_machine() -> dict[str, str]:
    """Date, machine and versions of what every benchmark uses."""
    load = os.getloadavg()[0]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{len(os.sched_getaffinity(0))} CPUs, {platform.system()} {platform.machine()}, load {load:.1f} before the run",
        "Python": f"{platform.python_version()}, requests {version('requests')}, urllib3 {version('urllib3')}, "
        f"ansible-core {version('ansible-core')}",
    }


def about_program(*command: str) -> str:
    """Name and version of a program, by what it prints last; empty where it is not installed."""
    if shutil.which(command[0]) is None:
        return ""
    told = subprocess.run(command, capture_output=True, check=False, text=True).stdout.split()
    return f"{command[0]} {told[-1]}" if told else command[0]


def say(text: str) -> None:
    """Tell whoever waits."""
    print(text, file=sys.stderr, flush=True)
