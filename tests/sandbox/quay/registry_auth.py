# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who logs in at /v2/auth of a sandbox Quay, and what they may do: users, robots, `$oauthtoken` and `$app`."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.answers import ApiError
from ansible_collections.quayside.airgap.tests.sandbox.auth import REPOSITORY_SCOPE, Authority, Caller
from ansible_collections.quayside.airgap.tests.sandbox.http_messages import HttpRequest, HttpResponse
from ansible_collections.quayside.airgap.tests.sandbox.options import ALL_ACTIONS, RegistryOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay import app_tokens
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import RANK, may_create, repository_role
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import REPOSITORY, World

# The name in a registry token of somebody who came with an OAuth token: its scopes bound what is allowed.
OAUTH = "$oauthtoken:"
DISABLED = "This user has been disabled. Please contact your administrator."
TOO_MANY = "Too many login attempts. \nPlease reset your Quay password and try again."


class TooManyLogins(ApiError):
    """429 as text, with the seconds to wait."""

    def __init__(self, delay: float) -> None:
        super().__init__("TOOMANYREQUESTS", status=429)
        self.delay = delay

    def response(self) -> HttpResponse:
        return too_many_logins(self.delay)


def too_many_logins(delay: float) -> HttpResponse:
    """What every login of a user gets while earlier failures are remembered."""
    headers = {"Content-Type": "text/html; charset=utf-8", "Retry-After": str(math.floor(delay))}
    return HttpResponse(429, headers, TOO_MANY.encode())


class QuayAuthority(Authority):
    """Grants follow from the world: roles on repositories, teams, scopes of OAuth tokens."""

    def __init__(self, options: RegistryOptions, quay: QuayOptions, world: World, service: Callable[[], str]) -> None:
        super().__init__(options, service, lambda name: name in world.repositories)
        self._quay = quay
        self._world = world

    # ------------------------------------------------------------------ login

    def _login(self, header: str) -> str | None:
        name, password = basic(header)
        if name is None:
            return None
        with self._world.lock:
            if name == "$oauthtoken":
                token = self._world.token(password)
                return OAUTH + token.value if token else None
            if name == "$app":
                user = app_tokens.user_of(self._world, password)
                return user if self._enabled(user) else None
            if "+" in name:
                robot = self._world.robots.get(name)
                return name if robot is not None and robot.token == password and self._enabled(robot.namespace) else None
            delay = self._world.login_delay(name)
            if delay > 0:
                raise TooManyLogins(delay)
            if not self._world.check_password(name, password):
                return None
            return name if self._enabled(name) else None

    def _enabled(self, name: str | None) -> bool:
        if name is None:
            return False
        user = self._world.users.get(name)
        return name in self._world.organizations or (user is not None and user.enabled)

    def _wrong_login(self, header: str) -> str:
        name, password = basic(header)
        if name in ("$oauthtoken", "$app"):
            return "Invalid token"
        user = self._world.users.get(name or "")
        if user is not None and not user.enabled and password == user.password:
            return DISABLED
        return super()._wrong_login(header)

    # ----------------------------------------------------------------- grants

    def allows(self, caller: Caller, repository: str, action: str) -> bool:
        if action != "pull":
            found = self._world.repositories.get(repository)
            if found is not None and found.state != "NORMAL":
                return False
        return super().allows(caller, repository, action)

    def _public(self, repository: str) -> bool:
        found = self._world.repositories.get(repository)
        return found is not None and found.public and self._quay.feature("ANONYMOUS_ACCESS")

    def _who(self, name: str | None) -> tuple[str | None, frozenset[str] | None]:
        """The user or robot of an identity, and the scopes that bound it."""
        if name is None or not name.startswith(OAUTH):
            return name, None
        token = self._world.token(name[len(OAUTH) :])
        return (token.user, token.scopes) if token else (None, frozenset())

    def _all(self, name: str | None, scopes: frozenset[str] | None) -> bool:
        listed = name in self._world.super_users and (scopes is None or "super:user" in scopes)
        return listed and self._quay.feature("SUPERUSERS_FULL_ACCESS")

    def _actions(self, name: str | None, repository: str) -> frozenset[str]:
        with self._world.lock:
            who, scopes = self._who(name)
            found = self._world.repositories.get(repository)
            role = repository_role(self._world, self._quay, who, scopes, repository, self._all(who, scopes))
            actions = {"pull"} if found is not None and found.public else set()
            if RANK[role] >= 1:
                actions.add("pull")
            there = self._world.namespace(repository.partition("/")[0]) is not None
            if RANK[role] >= 2 and there and (found is None or found.state == "NORMAL"):
                actions |= {"push", "delete"}
            if role == "admin" and "push" in actions:
                return ALL_ACTIONS
            return frozenset(actions)

    def _grant(self, name: str | None, scope: str) -> dict[str, Any] | None:
        match = REPOSITORY_SCOPE.match(scope)
        if match and {"push", "*"} & set(match.group(2).split(",")):
            with self._world.lock:
                self._create(name, match.group(1))
        return super()._grant(name, scope)

    def _create(self, name: str | None, repository: str) -> None:
        """Quay makes a missing repository when it grants the push."""
        who, scopes = self._who(name)
        space, _slash, rest = repository.partition("/")
        if who is None or repository in self._world.repositories or not REPOSITORY.match(rest):
            return
        if scopes is not None and not scopes & {"repo:create", "org:admin", "super:user"}:
            return
        if self._options.read_only:
            return
        namespace = self._world.namespace(space)
        if namespace is None and self._quay.namespace_on_push and who in self._world.users:
            namespace = self._world.add_organization(space, who)
        if namespace is None or "org_mirror" in namespace.extra:
            return
        if self._all(who, scopes) or may_create(self._world, self._quay, who, space):
            self._world.add_repository(namespace, rest, creator=who, public=not self._quay.private_on_push)


def basic(header: str) -> tuple[str | None, str]:
    """Name and password of a Basic header, None when it is none."""
    scheme, _space, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None, ""
    try:
        name, _colon, password = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, ""
    return name, password


def basic_of(request: HttpRequest) -> tuple[str | None, str]:
    """Name and password of a request with Basic authentication."""
    return basic(request.headers.get("authorization", ""))
