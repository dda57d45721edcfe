# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the sandbox share: a real registry to compare with, and sandbox registries to start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from ansible_collections.quayside.airgap.tests.sandbox.registry import RegistryOptions, SandboxRegistry, User
from ansible_collections.quayside.airgap.tests.support.docker_registry import DockerRegistry, require_docker_registry
from ansible_collections.quayside.airgap.tests.unit.sandbox.helpers import ACCEPT_ALL, Start


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """A real registry for the whole session; tests use repositories of their own."""
    require_docker_registry()
    with DockerRegistry(tmp_path_factory.mktemp("docker-registry")) as registry:
        yield registry


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts sandbox registries with given options; they end with the test."""
    running: list[SandboxRegistry] = []

    def begin(**options: Any) -> SandboxRegistry:
        registry = SandboxRegistry(RegistryOptions(**options))
        running.append(registry)
        registry.start()
        return registry

    yield begin
    for registry in running:
        registry.stop()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A session that accepts every kind of manifest and takes nothing from the environment."""
    with requests.Session() as made:
        made.trust_env = False
        made.headers["Accept"] = ACCEPT_ALL
        yield made


@pytest.fixture
def users() -> dict[str, User]:
    """Users of a registry: one who may write below `team/`, one who may only read there, one who may do everything."""
    return {
        "bot": User("secret", {"team/*": "pull,push"}),
        "team+reader": User("secret", {"team/*": ["pull"]}),
        "admin": User("secret", {"*": "*"}),
    }
