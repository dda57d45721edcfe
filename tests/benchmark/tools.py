# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured: the engine, its peers and the floor, each as a command that copies a workload."""

from __future__ import annotations

import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.tests.benchmark.contents import Contents, floor_plan
from ansible_collections.quayside.airgap.tests.benchmark.measure import Command
from ansible_collections.quayside.airgap.tests.benchmark.testbed import NAMESPACE

HERE = Path(__file__).resolve().parent
COLLECTIONS = HERE.parents[4]
OURS, PEER, FLOOR = "ours", "peer", "floor"
NOBODY = 65534


@dataclass(frozen=True)
class Job:
    """A workload on its way from one host to another.

    folder  the tool's own: its home and working directory, new for a cold run, kept for the one after it
    cold    False: everything is there already
    """

    contents: Contents
    source: str
    destination: str
    folder: Path
    cold: bool

    def write(self, name: str, content: Any) -> Path:
        """A file in the folder; what is not text becomes JSON, which is YAML as well."""
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path


@dataclass(frozen=True)
class Tool:
    """A row of the tables.

    kind      ours, peer or floor
    programs  what must be installed
    parallel  requests, or processes, under way at once
    exact     whether the destination gets the same digests
    platforms whether it copies images for several platforms
    large     whether it is measured with the large workload
    slow      measured less often than the others
    """

    name: str
    title: str
    kind: str
    prepare: Callable[[Job], Command]
    programs: tuple[str, ...] = ()
    parallel: int = 1
    exact: bool = True
    platforms: bool = True
    large: bool = False
    slow: bool = False

    def missing(self) -> list[str]:
        """Programs that it needs and that are not installed."""
        return [program for program in self.programs if shutil.which(program) is None]


def all_tools(parallel: Sequence[int]) -> Iterator[Tool]:
    """Every tool; those of ours that run in parallel once for each number given."""
    for number in parallel:
        suffix, words = (f"/{number}", f", parallel {number}") if len(parallel) > 1 else ("", "")
        ours = partial(Tool, kind=OURS, parallel=number)
        yield ours(f"engine{suffix}", f"copy engine{words}", prepare=partial(_engine, number, "skip"), large=True)
        yield ours(f"engine-signatures{suffix}", f"copy engine, signatures too{words}", prepare=partial(_engine, number, "copy"))
        yield ours(f"playbook{suffix}", f"ansible-playbook, image_mirror{words}", prepare=partial(_playbook, number))
        yield Tool(f"floor{suffix}", f"floor{words}", FLOOR, partial(_floor, number), parallel=number)
    peer = partial(Tool, kind=PEER, programs=("skopeo",))
    yield peer("skopeo-sync", "skopeo sync", prepare=_skopeo_sync, large=True)
    yield peer("skopeo-copy", "skopeo copy, one by one", prepare=partial(_skopeo_copy, 1), programs=("skopeo", "xargs"))
    yield peer("skopeo-copy-4", "skopeo copy, four at once", prepare=partial(_skopeo_copy, 4), programs=("skopeo", "xargs"), parallel=4)
    yield peer(
        "podman",
        "podman pull, tag, push",
        prepare=_podman,
        programs=("podman",),
        exact=False,
        platforms=False,
        slow=True,
    )


# ------------------------------------------------------------------------------------------------------------------ ours


def _python_environment() -> dict[str, str]:
    return {"PYTHONPATH": str(COLLECTIONS), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def _engine(parallel: int, signatures: str, job: Job) -> Command:
    orders = {
        "source": job.source,
        "destination": job.destination,
        "images": _references(job.contents),
        "parallel": parallel,
        "signatures": signatures,
    }
    return Command([sys.executable, str(HERE / "engine.py"), str(job.write("job.json", orders))], _python_environment())


def _playbook(parallel: int, job: Job) -> Command:
    task = {
        "source": job.source,
        "destination": [job.destination],
        "images": _references(job.contents),
        "source_validate_certs": False,
        "destination_validate_certs": False,
        "registries_conf": "",
        "signatures": "skip",
        "parallel": parallel,
    }
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [{"name": "Copy the workload", "quayside.airgap.image_mirror": task}],
    }
    argv = ["ansible-playbook", "--inventory", "localhost,", str(job.write("play.json", [play]))]
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(job.write("ansible.cfg", "")),
        "ANSIBLE_HOME": str(job.folder),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_NOCOLOR": "1",
    }
    return Command(argv, {**_python_environment(), **environment})


def _floor(parallel: int, job: Job) -> Command:
    plan = floor_plan(job.contents, job.source, job.destination, parallel, cold=job.cold)
    return Command([sys.executable, str(HERE / "floor.py"), str(job.write("plan.json", plan))], _python_environment())


# ----------------------------------------------------------------------------------------------------------------- peers


def _skopeo_command(job: Job, *argv: str, stdin: Path | None = None) -> Command:
    """A command with a home of its own.

    As root, skopeo keeps what it knows about blobs for the whole machine, and what it learned in one run would mislead the
    next, whose destination is empty; any other user has that in the home directory.
    """
    user = NOBODY if os.geteuid() == 0 else None
    if user is not None:
        os.chown(job.folder, user, user)
    settings = {name: str(job.folder) for name in ("XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME")}
    settings["CONTAINERS_REGISTRIES_CONF"] = str(job.write("registries.conf", ""))
    return Command(argv, settings, stdin, user)


def _skopeo_sync(job: Job) -> Command:
    images: dict[str, list[str]] = {}
    for image in job.contents.images:
        images.setdefault(image.repository, []).append(image.tag)
    listing = job.write("sync.yml", {job.source: {"tls-verify": False, "images": images}})
    options = ("--all", "--src", "yaml", "--dest", "docker", "--dest-tls-verify=false")
    # skopeo 1.9.3 fails with --scoped where the host has a port; without it, it keeps the last part of each path only
    return _skopeo_command(job, "skopeo", "--insecure-policy", "sync", *options, str(listing), f"{job.destination}/{NAMESPACE}")


def _skopeo_copy(processes: int, job: Job) -> Command:
    pairs = "".join(f"docker://{job.source}/{name} docker://{job.destination}/{name}\n" for name in _references(job.contents))
    copy = ("skopeo", "--insecure-policy", "copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false")
    return _skopeo_command(job, "xargs", "-L", "1", "-P", str(processes), *copy, stdin=job.write("pairs", pairs))


def _podman(job: Job) -> Command:
    pairs = "".join(f"{job.source}/{name} {job.destination}/{name}\n" for name in _references(job.contents))
    storage = ["--root", str(job.folder / "storage"), "--runroot", str(job.folder / "run")]
    podman = ["podman", *storage, "--storage-driver", podman_driver(), "--cgroup-manager", "cgroupfs", "--events-backend", "none"]
    call = shlex.join(podman)
    script = (
        "set -e\nwhile read -r here there; do\n"
        f'{call} pull --quiet --tls-verify=false "$here"\n'
        f'{call} tag "$here" "$there"\n'
        f'{call} push --quiet --tls-verify=false "$there"\n'
        "done\n"
    )
    settings = {"CONTAINERS_REGISTRIES_CONF": str(job.write("registries.conf", ""))}
    return Command(["sh", "-c", script], settings, job.write("pairs", pairs))


@functools.cache
def podman_driver() -> str:
    """The storage driver that works here: overlay, or vfs, which copies every layer."""
    with tempfile.TemporaryDirectory(prefix="airgap-bench-", ignore_cleanup_errors=True) as folder:
        command = ["podman", "--root", f"{folder}/storage", "--runroot", f"{folder}/run", "--storage-driver", "overlay", "info"]
        return "overlay" if subprocess.run(command, capture_output=True, check=False).returncode == 0 else "vfs"


def _references(contents: Contents) -> list[str]:
    return [f"{image.repository}:{image.tag}" for image in contents.images]
