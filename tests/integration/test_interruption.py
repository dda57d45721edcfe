# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Killed without warning in the middle of a run: what is there is whole, and the next run moves only the rest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quayside.airgap.tests.sandbox.registry import RegistryOptions, SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.docker_registry import DockerRegistry, find_docker_registry
from ansible_collections.quayside.airgap.tests.support.images import Image, image, index, layer

# One copy as a process of its own, so that it can be killed. Prints its totals and failures as JSON.
PROGRAM = """
import json, sys
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.mirror import MirrorTask, mirror
from ansible_collections.quayside.airgap.plugins.module_utils.registry.selection import Patterns, Selection
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions
source, destination = sys.argv[1:]
side = SideOptions(TlsSettings(verify=False))
task = MirrorTask(
    Selection(source=source, destinations=[destination], discover=Patterns()), side, side, WireOptions(parallel=4)
)
result = mirror(task)
print(json.dumps({"totals": result.totals(), "failures": result.failures}))
"""


def images() -> dict[str, Image]:
    """Twelve repositories that share a base layer, two of them with several platforms, each with layers of its own."""
    base = layer("interruption-base", 600_000)
    found = {}
    for number in range(10):
        found[f"team/app-{number}"] = image([base, layer(f"own-{number}", 2_500_000), layer(f"more-{number}", 90_000)])
    for number in range(2):
        platforms = ("linux/amd64", "linux/arm64")
        found[f"team/multi-{number}"] = index([image([base, layer(f"{name}-{number}", 400_000)], platform=name) for name in platforms])
    return found


def start(source: str, destination: str) -> subprocess.Popen[str]:
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    return subprocess.Popen([sys.executable, "-c", PROGRAM, source, destination], env=environment, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, _none = process.communicate(timeout=120)
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(output)
    return found


def kill_when(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    """Kill -9 as soon as so much has happened; the run must not be over by then."""
    deadline = time.monotonic() + 60
    while not reached():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def settle(there: Callable[[], set[str]]) -> set[str]:
    """What a destination has once it has dealt with the requests that the dead process left under way."""
    seen: set[str] = set()
    while seen != there():
        seen = there()
        time.sleep(0.3)
    return seen


@pytest.mark.parametrize("reached", [3, 12, 25, 34])
def test_the_next_run_moves_only_what_is_missing(reached: int) -> None:
    """Killed early, in the middle and near the end, counted in blobs that the destination has."""
    wanted = images()
    everything = {digest: len(blob.data) for found in wanted.values() for digest, blob in found.all_blobs().items()}
    with (
        SandboxRegistry() as source,
        SandboxRegistry(RegistryOptions(latency=0.01)) as destination,
    ):
        for repository, found in wanted.items():
            source.load(repository, "v1", found)
        kill_when(start(source.host, destination.host), lambda: len(destination.blobs) >= reached)

        there = settle(lambda: set(destination.blobs))
        assert destination.verify() == []
        assert len(there) < len(everything)
        source.reset_log()
        destination.latency = 0.0
        result = finish(start(source.host, destination.host))

        assert result["failures"] == []
        assert result["totals"]["bytes_pulled"] == sum(size for digest, size in everything.items() if digest not in there)
        assert source.count(method="GET", path="/blobs/") == len(everything) - len(there)
        assert destination.verify() == []
        for repository, found in wanted.items():
            assert destination.tags(repository) == {"v1": found.digest}
        again = finish(start(source.host, destination.host))
        assert again["totals"]["unchanged"] == len(wanted)


@pytest.mark.skipif(find_docker_registry() is None, reason="the program docker-registry is not installed")
def test_a_real_registry_is_whole_after_each_of_several_kills(tmp_path: Path) -> None:
    """The same run, killed again and again at later and later moments, comes to its end in a real registry."""
    wanted = images()
    everything = {digest for found in wanted.values() for digest in found.all_blobs()}
    with SandboxRegistry(RegistryOptions(latency=0.01)) as source, DockerRegistry(tmp_path / "registry") as destination:

        def there() -> set[str]:
            return {digest for name in destination.repositories() for digest in destination.layers(name)}

        for repository, found in wanted.items():
            source.load(repository, "v1", found)
        for reached in (4, 14, 26):
            kill_when(start(source.host, destination.host), lambda reached=reached: len(there()) >= reached)
            assert destination.verify() == []

        before = settle(there)
        source.reset_log()
        result = finish(start(source.host, destination.host))

        assert result["failures"] == []
        assert source.count(method="GET", path="/blobs/") == len(everything - before) <= len(everything) - 26
        assert destination.verify() == []
        for repository, found in wanted.items():
            assert destination.tags(repository) == {"v1": found.digest}
