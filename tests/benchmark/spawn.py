# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one program and prints what it took, as JSON: wall and processor seconds, peak memory, status.

The measuring process is too large to start the programs itself: Linux counts the memory of whoever calls exec into the peak
of what is started. This file is therefore small, imports little, and does nothing else. It is run as
python -I -S spawn.py LIMIT USER STDIN LOG PROGRAM [ARGUMENT...]; USER is empty or a number to become, PROGRAM a path.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time


def start(user: str, stdin: str, log: str, command: list[str]) -> int:
    """Start the program in a process group of its own; its process id."""
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        os.dup2(os.open(stdin or os.devnull, os.O_RDONLY), 0)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if user:
            os.setgroups([])
            os.setgid(int(user))
            os.setuid(int(user))
        os.execv(command[0], command)
    except BaseException as error:
        os.write(2, f"{command[0]}: {error}\n".encode())
    finally:
        os._exit(127)


def main() -> None:
    """Start, wait, tell."""
    limit, user, stdin, log, *command = sys.argv[1:]
    begin = time.perf_counter()
    child = start(user, stdin, log, command)
    killed = []

    def kill(number: int, _frame: object) -> None:
        killed.append(number)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)

    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, kill)
    signal.alarm(int(limit))
    _pid, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - begin
    signal.alarm(0)
    with contextlib.suppress(ProcessLookupError):  # whatever it left behind
        os.killpg(child, signal.SIGKILL)
    print(
        json.dumps(
            {
                "wall": wall,
                "cpu": usage.ru_utime + usage.ru_stime,
                "peak": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
                "status": os.waitstatus_to_exitcode(status),
                "timed_out": signal.SIGALRM in killed,
            }
        )
    )


if __name__ == "__main__":
    main()
