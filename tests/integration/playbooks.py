# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a playbook as users do, and tells what came of it."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SYNC = "quayside.airgap.sync"
USER = "team+mirror"
PASSWORD = "correct-horse-battery"
HERE = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
# Would change what a run does: credentials, registries.conf, proxies, settings of Ansible of whoever runs the tests.
FOREIGN = re.compile(r"REGISTRY_AUTH_FILE|CONTAINERS_|XDG_|DOCKER_CONFIG|ANSIBLE_|.*_PROXY$|.*_CA_BUNDLE$|SSL_CERT_", re.IGNORECASE)


@dataclass
class Run:
    """A playbook that has run.

    output   what the user saw, both streams
    tasks    one entry for each task and host: host, module, task, state, result
    """

    status: int
    output: str
    tasks: list[dict[str, Any]] = field(repr=False)

    def by_host(self, module: str = "quayside.airgap.image_mirror") -> dict[str, dict[str, Any]]:
        """Host -> result of the task with that module."""
        return {entry["host"]: entry["result"] for entry in self.tasks if entry["module"] == module and entry["state"] != "skipped"}

    @property
    def mirror(self) -> dict[str, Any]:
        """The result of image_mirror on the one host."""
        (result,) = self.by_host().values()
        return result

    @property
    def images(self) -> list[dict[str, Any]]:
        return list(self.mirror["images"])

    @property
    def totals(self) -> dict[str, Any]:
        """Counts of image_mirror, without the time that it took."""
        return {name: value for name, value in self.mirror["totals"].items() if name != "elapsed"}

    @property
    def digests(self) -> dict[str, str]:
        """Destination -> digest."""
        return {image["destination"]: image["digest"] for image in self.images}

    @property
    def states(self) -> dict[str, str]:
        """Destination -> state."""
        return {image["destination"]: image["state"] for image in self.images}

    @property
    def changed(self) -> int:
        """What the recap counts, over all hosts."""
        return sum(int(number) for number in re.findall(r"\bchanged=(\d+)", self.output))

    @property
    def messages(self) -> dict[str, str]:
        """Host -> what the task that failed there said."""
        return {entry["host"]: str(entry["result"]["msg"]) for entry in self.tasks if entry["state"] == "failed"}

    @property
    def message(self) -> str:
        """What the task that failed on the one host said."""
        (message,) = self.messages.values()
        return message

    def succeeded(self) -> Run:
        assert self.status == 0, self.output
        return self

    def failed(self) -> Run:
        """It has failed as things fail here: with a sentence, not with a traceback."""
        assert self.status == 2, self.output
        assert "Traceback" not in self.output
        assert "unforeseen" not in self.output
        return self


class Player:
    """Runs playbooks in a folder, each in an environment with nothing of the user's in it.

    run = play(sides(source.host, destination.host, discover={}), "--check").succeeded()
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        (folder / "home").mkdir()

    def __call__(
        self,
        variables: Mapping[str, Any],
        *arguments: str,
        playbook: str = SYNC,
        hosts: Mapping[str, Mapping[str, Any]] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Run:
        command, surroundings, results_file = self._prepared(variables, arguments, playbook, hosts, environment)
        done = subprocess.run(command, capture_output=True, text=True, cwd=self._folder, timeout=120, check=False, env=surroundings)
        return Run(done.returncode, done.stdout + done.stderr, [json.loads(line) for line in results_file.read_text().splitlines()])

    def begin(self, variables: Mapping[str, Any], *arguments: str, playbook: str = SYNC) -> subprocess.Popen[str]:
        """Start a playbook and leave it running, in a process group of its own, so that all of it can be ended."""
        command, surroundings, _results_file = self._prepared(variables, arguments, playbook)
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self._folder,
            env=surroundings,
            start_new_session=True,
        )

    def _prepared(
        self,
        variables: Mapping[str, Any],
        arguments: Sequence[str],
        playbook: str,
        hosts: Mapping[str, Mapping[str, Any]] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> tuple[list[str], dict[str, str], Path]:
        """The command, its environment, and the file that results will be in."""
        number = next(self._numbers)
        variables_file, results_file, inventory_file = (
            self._folder / f"{number}-{name}" for name in ("variables.json", "results.jsonl", "inventory.json")
        )
        variables_file.write_text(json.dumps(dict(variables)))
        results_file.touch()
        command = ["ansible-playbook", playbook, *arguments, "-e", f"@{variables_file}"]
        if hosts:
            inventory_file.write_text(json.dumps({"all": {"hosts": hosts, "vars": HERE}}))
            command += ["-i", str(inventory_file), "-e", "registry_sync_hosts=all", "-e", "image_set_hosts=all"]
        surroundings = {
            **{name: value for name, value in os.environ.items() if not FOREIGN.match(name)},
            "HOME": str(self._folder / "home"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT.parents[2]),
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/integration/callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "recorder",
            "ANSIBLE_NOCOLOR": "1",
            # a process for each task in place of six
            "ANSIBLE_PIPELINING": "1",
            "RECORDER_FILE": str(results_file),
            **(environment or {}),
        }
        return command, surroundings, results_file


def sides(source: str, destinations: str | Sequence[str], **more: Any) -> dict[str, Any]:
    """Variables for two sides without TLS; a keyword stands for the variable with its name behind registry_sync_."""
    names = {
        "source": source,
        "destinations": destinations,
        "source_validate_certs": False,
        "destination_validate_certs": False,
        **more,
    }
    return {f"registry_sync_{name}": value for name, value in names.items()}
