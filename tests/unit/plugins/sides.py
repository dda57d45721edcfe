# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients and sides of a copy for registries on loopback: quick to lose patience, blind to the machine's own settings."""

from __future__ import annotations

from typing import Any, Protocol

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import HttpSession, HttpSettings, RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import Credentials, CredentialStore
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import Access, RegistryClient
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries import Registries
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries_conf import RegistriesConf
from ansible_collections.quayside.airgap.tests.sandbox.registry import User

BOT = Credentials("bot", "secret")
BOTS = {"bot": User("secret", {"*": "*"})}
QUICK = RetryPolicy(retries=3, base=0.01, cap=0.05)
NOWHERE = {"HOME": "/nonexistent", "XDG_RUNTIME_DIR": "/nonexistent"}


class Host(Protocol):
    """Anything with an address: a sandbox registry, a scripted server."""

    @property
    def host(self) -> str: ...


def settings(**more: Any) -> HttpSettings:
    """Settings of a session; plain HTTP is allowed."""
    given: dict[str, Any] = {"tls": TlsSettings(verify=False), "retry": QUICK, "read_timeout": 10.0}
    given.update(more)
    return HttpSettings(**given)


def store(credentials: Credentials | None = None) -> CredentialStore:
    """These credentials for every registry, or none; the files of this machine are not looked at."""
    return CredentialStore(credentials, environment=NOWHERE)


def make_client(
    registry: Host,
    credentials: Credentials | None = None,
    *,
    cancellation: Cancellation | None = None,
    access: Access = Access.WRITE,
    **more: Any,
) -> RegistryClient:
    """The client of one registry, with a session of its own."""
    return RegistryClient(registry.host, HttpSession(settings(**more), cancellation), store(credentials), access)


def make_side(
    credentials: Credentials | None = None,
    *,
    conf: RegistriesConf | None = None,
    cancellation: Cancellation | None = None,
    access: Access = Access.READ,
    **more: Any,
) -> Registries:
    """One side of a copy, for whatever registries it meets."""
    return Registries(settings(**more), {"": store(credentials)}, conf, cancellation, access)
