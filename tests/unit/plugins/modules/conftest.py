# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module as Ansible does, in this process: arguments in, JSON out."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

import pytest
from ansible.module_utils import basic

from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay

HERE = Path(__file__).parent
Run = Callable[..., dict[str, Any]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the first test of every module for the runs on other versions of Ansible: it shows that the two fit together."""
    files = set()
    for item in items:
        if item.path.parent == HERE and item.path not in files:
            files.add(item.path)
            item.add_marker(pytest.mark.matrix)


@contextlib.contextmanager
def _arguments(values: dict[str, Any]) -> Iterator[None]:
    try:
        from ansible.module_utils.testing import patch_module_args
    except ImportError:  # before ansible-core 2.19
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": values}).encode()
        try:
            yield
        finally:
            basic._ANSIBLE_ARGS = None
    else:
        with patch_module_args(values):
            yield


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Run:
    """``play(module, check=True, option=...)`` gives what the module printed; an exit status that does not fit it fails the test."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    def run(module: ModuleType, *, check: bool = False, diff: bool = True, **options: Any) -> dict[str, Any]:
        output = io.StringIO()
        # the options of the registries' family; a module of Quay's has its own, see the fixture ask
        registries = {"registries_conf": "", "source_validate_certs": False, "destination_validate_certs": False}
        given = {
            **({} if "quay_host" in options else registries),
            "retries": 0,
            **options,
            "_ansible_check_mode": check,
            "_ansible_diff": diff,
        }
        given = {name: value for name, value in given.items() if value is not None}
        with _arguments(given), contextlib.redirect_stdout(output), pytest.raises(SystemExit) as ended:
            module.main()
        printed: dict[str, Any] = json.loads(output.getvalue())
        assert bool(ended.value.code) == bool(printed.get("failed"))
        return printed

    return run


@pytest.fixture
def quay() -> Iterator[SandboxQuay]:
    """A Quay with a superuser and an ordinary user, and nothing else."""
    with SandboxQuay() as server:
        server.add_user("quayadmin", "password1", superuser=True)
        server.add_user("alice", "wonderland")
        yield server


@pytest.fixture
def ask(play: Run, quay: SandboxQuay) -> Run:
    """As ``play``, with the address of the Quay and a token of its superuser; ``quay_token=None`` leaves the token away."""
    token = quay.token("quayadmin")

    def run(module: ModuleType, **options: Any) -> dict[str, Any]:
        return play(module, **{"quay_host": quay.url, "quay_token": token, **options})

    return run
