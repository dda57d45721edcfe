# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""registries.py start|stop STATE: two registries for the scenario, the first one filled.

`start` comes back when both answer. STATE then holds their hosts, the process that runs them, and what should be copied.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from ansible_collections.quayside.airgap.tests.sandbox.registry import SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.docker_registry import DockerRegistry, find_docker_registry
from ansible_collections.quayside.airgap.tests.support.images import (
    Placement,
    cosign_signature,
    cosign_tag,
    image,
    layer,
    multi_arch,
    push_all,
)

# Seconds; the registries end by themselves after LIFETIME, whatever became of the scenario.
PATIENCE = 30
LIFETIME = 900


def placements() -> list[Placement]:
    base = layer("base", 50_000)
    web = image([base, layer("web", 20_000)])
    return [
        Placement("prod/web", "v1", web),
        Placement("prod/web", cosign_tag(web.digest), cosign_signature(web)),
        Placement("prod/db", "v1", image([base, layer("db", 20_000)])),
        Placement("prod/multi", "v1", multi_arch("multi")),
        Placement("prod/web-dev", "v1", image([base, layer("dev", 20_000)])),
    ]


def serve(state: Path) -> None:
    """Run until SIGTERM."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: over.set())
    folder = Path(tempfile.mkdtemp(prefix="molecule-registries-"))
    try:
        with ExitStack() as stack:
            names = ("source", "destination")
            makers = [DockerRegistry(folder / name) if find_docker_registry() else SandboxRegistry() for name in names]
            source, destination = (stack.enter_context(maker) for maker in makers)
            digests = push_all(source.url, placements())
            wanted = {
                f"{item.repository.removeprefix('prod/')}:{item.tag}": digest
                for item, digest in zip(placements(), digests)
                if not item.repository.endswith("-dev")
            }
            about = {"pid": os.getpid(), "source": source.host, "destination": destination.host, "wanted": wanted}
            unfinished = state.with_suffix(".new")
            unfinished.write_text(json.dumps(about, indent=2) + "\n")
            unfinished.rename(state)
            over.wait(LIFETIME)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start(state: Path) -> None:
    log = state.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, __file__, "serve", str(state)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + PATIENCE
    while not state.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            sys.exit(f"The registries did not start: {log.read_text()[-1000:] or 'no output'}")
        time.sleep(0.05)


def stop(state: Path) -> None:
    """End the process that start began, if it still runs."""
    if not state.exists():
        return
    pid = json.loads(state.read_text())["pid"]
    deadline = time.monotonic() + PATIENCE
    try:
        # another process may have got the number since
        while str(state) in Path(f"/proc/{pid}/cmdline").read_text() and time.monotonic() < deadline:
            os.kill(pid, signal.SIGTERM)
            time.sleep(0.1)
    except (FileNotFoundError, ProcessLookupError):
        pass
    state.unlink()


if __name__ == "__main__":
    {"serve": serve, "start": start, "stop": stop}[sys.argv[1]](Path(sys.argv[2]))
