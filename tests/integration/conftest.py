# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stories about playbooks share: a player for them, and registries to play against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quayside.airgap.tests.integration.playbooks import PASSWORD, USER, Player
from ansible_collections.quayside.airgap.tests.sandbox.registry import RegistryOptions, SandboxRegistry, User
from ansible_collections.quayside.airgap.tests.support.certs import Certificates, create_certificates
from ansible_collections.quayside.airgap.tests.support.docker_registry import DockerRegistry, require_docker_registry


@pytest.fixture
def play(tmp_path: Path) -> Player:
    """Runs a playbook and gives back what came of it."""
    return Player(tmp_path)


@pytest.fixture
def sandbox() -> Iterator[Callable[..., SandboxRegistry]]:
    """Starts sandbox registries: sandbox() is open, sandbox(auth="token") lets USER in with PASSWORD."""
    with ExitStack() as stack:

        def start(**options: Any) -> SandboxRegistry:
            if options.get("auth", "none") != "none":
                options.setdefault("users", {USER: User(PASSWORD, {"*": "pull,push"})})
            return stack.enter_context(SandboxRegistry(RegistryOptions(**options)))

        yield start


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of an authority that no machine trusts."""
    return create_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def docker_registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DockerRegistry, DockerRegistry]]:
    """Two real registries, shared by the tests of a worker: each test keeps to a namespace of its own."""
    require_docker_registry()
    folder = tmp_path_factory.mktemp("registries")
    with DockerRegistry(folder / "source") as source, DockerRegistry(folder / "destination") as destination:
        yield source, destination
