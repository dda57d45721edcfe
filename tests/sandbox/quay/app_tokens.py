# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""App-specific tokens: passwords of `$app` at the registry, of no use for the API."""

from __future__ import annotations

import math
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import not_found, unauthorized
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import seconds
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes, user_admin
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import World, date, secret

ROUTES = Routes("appspecifictokens", feature="APP_SPECIFIC_TOKENS")

CODE_LENGTH = 120
WINDOW = "4w"
# How long an expired token is still listed: EXPIRED_APP_SPECIFIC_TOKEN_GC.
KEPT = "1d"
EXPIRATION = "APP_SPECIFIC_TOKEN_EXPIRATION"
NEW = {
    "type": "object",
    "required": ["title"],
    "properties": {"title": {"type": "string", "description": "The user-defined title for the token"}},
}


@dataclass
class AppToken:
    """A token of a user; `expires` None: never."""

    user: str
    title: str
    code: str = field(default_factory=lambda: secret(CODE_LENGTH), repr=False)
    created: float = field(default_factory=time.time)
    expires: float | None = None
    last_accessed: float | None = None
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def valid(self) -> bool:
        """Whether its time is not over."""
        return self.expires is None or self.expires > time.time()


def user_of(world: World, code: str) -> str | None:
    """Whom a code logs in, which is noted; None for one that is unknown or has expired."""
    found = next((token for token in tokens_of(world) if token.code == code and token.valid), None)
    if found is None:
        return None
    found.last_accessed = time.time()
    return found.user


def tokens_of(world: World, user: str | None = None) -> list[AppToken]:
    """Tokens of a user (None: of everybody), oldest first; what a test gave as a bare name gets a title."""
    for code, owner in world.app_tokens.items():
        if isinstance(owner, str):
            world.app_tokens[code] = AppToken(owner, "token", code)
    return [token for token in world.app_tokens.values() if user is None or token.user == user]


def view(token: AppToken, *, code: bool) -> dict[str, Any]:
    """A token; its code only where one is shown."""
    shown = {
        "uuid": token.uuid,
        "title": token.title,
        "last_accessed": date(token.last_accessed),
        "created": date(token.created),
        "expiration": date(token.expires),
    }
    return {**shown, "token_code": token.code} if code else shown


def _forget_void(world: World) -> None:
    """Tokens end with their user, and some time after they have expired."""
    for token in tokens_of(world):
        if token.user not in world.users or (token.expires is not None and token.expires + seconds(KEPT) <= time.time()):
            del world.app_tokens[token.code]


def _list(call: Call, user: str | None) -> Result:
    """Tokens without their codes, expired ones too; with ?expiring=true those that end soon."""
    _forget_void(call.world)
    expiring = None if call.request.first("expiring") is None else call.flag("expiring")
    found = tokens_of(call.world, user)
    if expiring:
        window = seconds(call.options.settings.get(EXPIRATION) or WINDOW)
        soon = time.time() + (math.ceil(window * 0.1) or 1)
        found = [token for token in found if token.valid and token.expires is not None and token.expires <= soon]
    return {"tokens": [view(token, code=False) for token in found], "only_expiring": expiring}


def _own(call: Call, token_uuid: str) -> AppToken:
    """A token of the caller."""
    call.require_fresh_login()
    _forget_void(call.world)
    assert call.user is not None
    for token in tokens_of(call.world, call.user.name):
        if token.uuid == token_uuid:
            return token
    raise not_found()


@ROUTES.get("/user/apptoken", access=user_admin, query=("expiring",), scope="user:admin")
def listing(call: Call) -> Result:
    """The caller's tokens."""
    assert call.user is not None
    return _list(call, call.user.name)


@ROUTES.post("/user/apptoken", access=user_admin, schema=NEW, schema_name="NewToken", scope="user:admin")
def create(call: Call) -> Result:
    """One more token; titles may repeat."""
    call.require_fresh_login()
    assert call.user is not None
    token = AppToken(call.user.name, call.body["title"])
    lifetime = call.options.settings.get(EXPIRATION)
    if lifetime:
        token.expires = token.created + seconds(lifetime)
    call.world.app_tokens[token.code] = token
    return {"token": view(token, code=True)}


@ROUTES.get("/user/apptoken/<token_uuid>", access=user_admin, scope="user:admin")
def show(call: Call, token_uuid: str) -> Result:
    """One token with its code, as long as it is valid."""
    token = _own(call, token_uuid)
    if not token.valid:
        raise not_found()
    return {"token": view(token, code=True)}


@ROUTES.delete("/user/apptoken/<token_uuid>", access=user_admin, scope="user:admin")
def revoke(call: Call, token_uuid: str) -> Result:
    """End a token."""
    del call.world.app_tokens[_own(call, token_uuid).code]
    return None, 204


@ROUTES.get("/superuser/apptokens", query=("expiring",), scope="super:user", since="3.16")
def everybodys(call: Call) -> Result:
    """Tokens of all users, for superusers with full access and for those who only read."""
    if not call.sees_all:
        raise unauthorized()
    return _list(call, None)
