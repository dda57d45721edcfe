# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox Quay: the sandbox registry with Quay's REST API on the same port, joined by one world of users and repositories.

with SandboxQuay(QuayOptions(version="3.18", api_latency=0.01)) as quay:
    quay.add_user("quayadmin", "password1", superuser=True)
    quay.add_organization("team", owner="quayadmin")
    token = quay.token("quayadmin")
    ...
    assert quay.api_calls == 7
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox import quay as package
from ansible_collections.quayside.airgap.tests.sandbox.auth import Authority
from ansible_collections.quayside.airgap.tests.sandbox.http_server import HttpRequest, HttpResponse
from ansible_collections.quayside.airgap.tests.sandbox.options import RegistryOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.api import QuayApi
from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import Crash
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.registry_auth import QuayAuthority
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Route, Routes
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import (
    LONG_LIFETIME,
    SCOPES,
    Application,
    Organization,
    Repository,
    Robot,
    Team,
    User,
    World,
)
from ansible_collections.quayside.airgap.tests.sandbox.registry import SandboxRegistry

__all__ = ["QuayOptions", "SandboxQuay"]


class SandboxQuay(SandboxRegistry):
    """A Quay on 127.0.0.1, used as a SandboxRegistry is; seeds without requests are its add_ methods."""

    def __init__(self, options: QuayOptions | None = None) -> None:
        self.quay = options or QuayOptions()
        registry = RegistryOptions(
            auth="token",
            quirks="quay",
            port=self.quay.port,
            tls=self.quay.tls,
            latency=self.quay.latency,
            read_only=self.quay.registry_state == "readonly",
            sparse_indexes=self.quay.feature("SPARSE_INDEX"),
        )
        super().__init__(registry)
        routes: list[Route] = []
        for module in families():
            routes += module.ROUTES.routes
            install: Callable[[World], None] | None = getattr(module, "install", None)
            if install:
                install(self.world)
        self._quay_api = QuayApi(self.quay, self.world, routes, self._server.stopping.wait)
        self.world.extra["routes"] = self._quay_api.router.routes

    def _make_authority(self) -> Authority:
        self.world = World(self.quay, self.storage)
        self.storage.watcher = _Watcher(self.world)
        return QuayAuthority(self.options, self.quay, self.world, lambda: self.service)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/v2" or request.path.startswith("/v2/"):
            return super()._answer(request)
        if self.refuse_writes and request.record.write:
            self.refused.append(request.record)
            return Crash().response(request.base_url)
        return self._quay_api.answer(request)

    # ------------------------------------------------------------------ counts

    @property
    def api_calls(self) -> int:
        """Requests to the API that carried a bearer token: what costs time on a real Quay."""
        return self.count(lambda request: request.auth == "bearer" and request.path.startswith("/api/"))

    @property
    def api_writes(self) -> list[Any]:
        """Requests that change something, those below /v2 left out."""
        return self.select(lambda request: request.write and not request.path.startswith("/v2"))

    # ------------------------------------------------------------------- seeds

    def add_user(self, name: str, password: str = "password1", email: str = "", *, superuser: bool = False) -> User:
        """A user; a superuser's name joins SUPER_USERS."""
        return self.world.add_user(name, password, email, superuser=superuser)

    def add_organization(self, name: str, owner: str = "", email: str = "") -> Organization:
        """An organization; `owner` joins its team owners."""
        return self.world.add_organization(name, owner, email)

    def add_team(self, organization: str, name: str, role: str = "member", members: Iterable[str] = (), description: str = "") -> Team:
        """A team with members (users and robots)."""
        with self.world.lock:
            found = self.world.organizations[organization]
            team = found.teams[name] = Team(name, role, description)
            for member in members:
                self.world.join(found, team, member)
        return team

    def add_robot(self, name: str, description: str = "", metadata: dict[str, Any] | None = None) -> Robot:
        """A robot `namespace+short`; its token is in the answer."""
        namespace, _plus, short = name.partition("+")
        found = self.world.namespace(namespace)
        if found is None or not short:
            raise KeyError(name)
        return self.world.add_robot(found, short, description, metadata)

    def add_repository(
        self, name: str, *, public: bool = False, description: str | None = "", state: str = "NORMAL", creator: str | None = None
    ) -> Repository:
        """A repository `namespace/name`."""
        namespace, _slash, rest = name.partition("/")
        found = self.world.namespace(namespace)
        if found is None or not rest:
            raise KeyError(name)
        repository = self.world.add_repository(found, rest, creator=creator, public=public, description=description)
        repository.state = state
        return repository

    def permit(self, repository: str, name: str, role: str = "read", *, team: bool = False) -> None:
        """A permission of a user, robot or team on a repository."""
        with self.world.lock:
            found = self.world.repositories[repository]
            if team:
                self.world.permit_team(found, name, role)
            else:
                self.world.permit(found, name, role)

    def add_application(self, organization: str, name: str, **values: Any) -> Application:
        """An OAuth application; values as the fields of Application."""
        return self.world.add_application(self.world.organizations[organization], name, **values)

    def token(self, user: str, scopes: Iterable[str] | str = SCOPES, *, lifetime: float = LONG_LIFETIME, client_id: str = "") -> str:
        """An OAuth token of a user; scopes as a list or with spaces."""
        wanted = scopes.split() if isinstance(scopes, str) else scopes
        return self.world.add_token(user, wanted, client_id=client_id, lifetime=lifetime).value

    def add_app_token(self, user: str, code: str) -> None:
        """An app-specific token: `$app` with this password logs in at /v2/auth."""
        with self.world.lock:
            self.world.app_tokens[code] = user

    def wipe(self) -> None:
        """Forget all content, users and organizations: an empty Quay."""
        with self.world.lock:
            for kind in (self.world.users, self.world.organizations, self.world.repositories, self.world.robots, self.world.tokens):
                kind.clear()
            self.world.applications.clear()
            self.world.sessions.clear()
            self.world.app_tokens.clear()
            super().wipe()


class _Watcher:
    """Tells the world of what happens in the storage, and asks families before a client changes something."""

    def __init__(self, world: World) -> None:
        self._world = world

    def created(self, repository: str) -> None:
        self._world.adopt(repository)

    def tagged(self, repository: str, tag: str, digest: str | None) -> None:
        for told in self._world.extra.get("tagged", ()):
            told(repository, tag, digest)

    def may_upload(self, repository: str) -> None:
        for ask in self._world.extra.get("may_upload", ()):
            ask(repository)

    def may_tag(self, repository: str, tag: str, digest: str | None) -> None:
        for ask in self._world.extra.get("may_tag", ()):
            ask(repository, tag, digest)


def families() -> list[Any]:
    """The modules of this package that answer something."""
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names if name != "server"]
    return [module for module in modules if isinstance(getattr(module, "ROUTES", None), Routes)]
