# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The registries of one side of a copy: one client for each host, one session for all of them."""

from __future__ import annotations

import threading
from dataclasses import replace

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import HttpSession, HttpSettings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import CredentialStore
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import Access, RegistryClient
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries_conf import RegistriesConf


class Registries:
    """Hands out the client of a registry, always the same one for the same host.

    :param stores: credentials by registry host; ``""`` holds those for every other host.
    :param conf: where references are really fetched from; None for the side that is written to.
    :param access: what the registries of this side are used for.
    """

    def __init__(
        self,
        settings: HttpSettings,
        stores: dict[str, CredentialStore],
        conf: RegistriesConf | None = None,
        cancellation: Cancellation | None = None,
        access: Access = Access.READ,
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._conf = conf or RegistriesConf()
        self._cancellation = cancellation or Cancellation()
        self._access = access
        self._sessions: dict[bool, HttpSession] = {}
        self._clients: dict[tuple[str, bool], RegistryClient] = {}
        self._lock = threading.Lock()

    def client(self, registry: str, *, insecure: bool = False) -> RegistryClient:
        """The client of a registry.

        :param insecure: leave its certificate unchecked and allow plain HTTP, whatever the settings of this side.
        """
        relaxed = insecure and self._settings.tls.verify
        with self._lock:
            client = self._clients.get((registry, relaxed))
            if client is None:
                session = self._sessions.get(relaxed)
                if session is None:
                    settings = replace(self._settings, tls=replace(self._settings.tls, verify=False)) if relaxed else self._settings
                    session = self._sessions[relaxed] = HttpSession(settings, self._cancellation)
                store = self._stores.get(registry) or self._stores[""]
                client = self._clients[(registry, relaxed)] = RegistryClient(registry, session, store, self._access)
        return client

    def candidates(self, reference: Reference) -> list[tuple[RegistryClient, Reference]]:
        """Where a reference may be fetched from, best first, as registries.conf says.

        :raises FileError: when registries.conf blocks it.
        """
        return [
            (self.client(source.reference.registry, insecure=source.insecure), source.reference) for source in self._conf.sources(reference)
        ]

    def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            session.close()
