# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the plugins share: registries of their own, and an environment without proxies and authorities."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Callable

import pytest

from ansible_collections.quayside.airgap.tests.sandbox.registry import RegistryOptions, SandboxRegistry

_OF_THE_MACHINE = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "REGISTRY_AUTH_FILE")

Start = Callable[..., SandboxRegistry]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*_OF_THE_MACHINE, *(name.upper() for name in _OF_THE_MACHINE), *_AUTHORITIES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts sandbox registries with given options; they end with the test."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(SandboxRegistry(RegistryOptions(**options)))
