# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what: basic authentication, and Quay's token service with its bearer tokens.

Behaviour and wording of the token service are those of a real Quay (statuses, bodies, silent partial grants); where
`quirks` is `distribution` the differences of docker's token specification apply.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.answers import API_VERSION, ApiError, json_answer
from ansible_collections.quayside.airgap.tests.sandbox.http_messages import HttpRequest, HttpResponse
from ansible_collections.quayside.airgap.tests.sandbox.options import ALL_ACTIONS, RegistryOptions, User

AUTHENTICATION_REQUIRED = "authentication required"
NOT_AUTHORIZED = "access to the requested resource is not authorized"
REPOSITORY_SCOPE = re.compile(r"^repository:([^:\s]+):([a-z*]+(?:,[a-z*]+)*)$")
CATALOG_SCOPE = "registry:catalog:*"
# Quay knows these only and refuses a scope with any other action.
QUAY_ACTIONS = frozenset({"pull", "push", "*"})


@dataclass(frozen=True)
class Caller:
    """Who sends a request, and what a token allows.

    name     None: anonymous
    access   repository -> actions of the token; None: no token, the user's own grants count
    """

    name: str | None = None
    access: dict[str, frozenset[str]] | None = None
    catalog: bool = False


class Authority:
    """Answers /v2/auth and checks every other request.

    service  gives the name of the token service (known once the server has its port)
    exists   tells whether a repository exists: Quay grants nothing on one that neither exists nor may be created
    """

    def __init__(self, options: RegistryOptions, service: Callable[[], str], exists: Callable[[str], bool]) -> None:
        self._options = options
        self._service = service
        self._exists = exists
        self._generation = 0

    def expire_tokens(self) -> None:
        """Let every token issued so far have expired."""
        self._generation += 1

    # ----------------------------------------------------------------- check

    def identify(self, request: HttpRequest) -> Caller:
        """The caller of a request; 401 for credentials or a token that are not valid."""
        header = request.headers.get("authorization", "")
        scheme, _space, value = header.partition(" ")
        if self._options.auth == "none" or not header:
            return Caller()
        if self._options.auth == "basic":
            name = self._login(header)
            if name is None:
                raise self._challenge(request, "", AUTHENTICATION_REQUIRED)
            return Caller(name)
        if scheme.lower() != "bearer":
            raise self._challenge(request, "", NOT_AUTHORIZED)
        return self._read_token(request, value.strip())

    def require_login(self, request: HttpRequest) -> None:
        """For the ping: 401 with the challenge unless the caller has shown who it is, or holds a token."""
        caller = self.identify(request)
        options = self._options
        if options.auth == "none" or caller.name is not None or caller.access is not None:
            return
        if options.auth == "basic" and options.anonymous:
            return
        raise self._challenge(request, "", AUTHENTICATION_REQUIRED)

    def require(self, request: HttpRequest, repository: str, action: str, mount_from: str = "") -> None:
        """Let the request pass when its caller may do `action` on `repository`, else 401 or 403."""
        if self._options.auth == "none":
            return
        caller = self.identify(request)
        # Quay has no action for deleting: who may push may delete.
        needed = "push" if action == "delete" and self._options.quay else action
        source = mount_from if mount_from and not self._options.quay else ""
        if self.allows(caller, repository, needed) and (not source or self.allows(caller, source, "pull")):
            return
        if self._options.auth == "basic" and caller.name is not None:
            raise ApiError("DENIED")
        actions = "pull,push" if needed == "push" else needed
        scope = f"repository:{repository}:{actions}"
        if source:
            scope += f" repository:{source}:pull"
        raise self._challenge(request, scope, NOT_AUTHORIZED if self._options.auth == "token" else AUTHENTICATION_REQUIRED)

    def require_catalog(self, request: HttpRequest) -> Caller:
        """The caller of a catalog request, 401 when it has to show a token first."""
        caller = self.identify(request)
        if self._options.catalog_needs_token and self._options.auth != "none":
            # Quay knows no scope for the catalog and basic authentication no scopes at all: a login is enough.
            by_name = self._options.auth == "basic" or self._options.quay
            if not (caller.catalog or (by_name and caller.name is not None)):
                raise self._challenge(request, "" if self._options.quay else CATALOG_SCOPE, AUTHENTICATION_REQUIRED)
        return caller

    def allows(self, caller: Caller, repository: str, action: str) -> bool:
        """Whether a caller may do `action` (`pull`, `push`, `delete`) on a repository."""
        if self._options.auth == "none":
            return True
        if caller.access is not None:
            granted = caller.access.get(repository, frozenset())
            if action in granted or "*" in granted:
                return True
            return action == "pull" and self._options.quay and self._public(repository)
        if self._options.auth == "token":
            # Without any token: Quay serves public repositories, others ask for a token first.
            return action == "pull" and self._options.quay and self._public(repository)
        return action in self._actions(caller.name, repository)

    def lists(self, caller: Caller, repository: str) -> bool:
        """Whether the catalog shows a repository to a caller; only Quay filters."""
        if self._options.auth == "none" or not self._options.quay:
            return True
        return caller.name is not None and "pull" in self._actions(caller.name, repository)

    # ---------------------------------------------------------------- tokens

    def issue(self, request: HttpRequest) -> HttpResponse:
        """Answer GET /v2/auth."""
        header = request.headers.get("authorization", "")
        name: str | None = None
        if header:
            name = self._login(header)
            if name is None:
                raise self._challenge(request, "", self._wrong_login(header))
        scopes = [part for value in request.query.get("scope", []) for part in value.split()]
        if name is None and not scopes:
            raise self._challenge(request, "", NOT_AUTHORIZED)
        access: list[dict[str, Any]] = []
        for scope in scopes:
            entry = self._grant(name, scope)
            if entry is not None:
                access.append(entry)
        now = time.time()
        token = self._sign(
            {
                "iss": self._options.quirks,
                "aud": request.first("service"),
                "iat": now,
                "exp": now + self._options.token_lifetime,
                "sub": name,
                "access": access,
                "generation": self._generation,
            }
        )
        if self._options.quay:
            # Quay sends nothing else: no expires_in.
            return json_answer(200, {"token": token})
        lifetime = int(self._options.token_lifetime)
        issued = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        return json_answer(200, {"token": token, "access_token": token, "expires_in": lifetime, "issued_at": issued})

    def _grant(self, name: str | None, scope: str) -> dict[str, Any] | None:
        """What a scope is granted: less than asked for without a word, as both kinds of services do."""
        match = REPOSITORY_SCOPE.match(scope)
        if match and (not self._options.quay or set(match.group(2).split(",")) <= QUAY_ACTIONS):
            repository = match.group(1)
            allowed = self._actions(name, repository)
            if self._options.quay and "push" not in allowed and not self._exists(repository):
                allowed = frozenset()
            granted = [action for action in match.group(2).split(",") if action in allowed]
            return {"type": "repository", "name": repository, "actions": granted}
        if self._options.quay:
            raise ApiError("INVALID_REQUEST", {}, message=f"Unable to decode repository and actions: {scope}")
        if scope == CATALOG_SCOPE and name is not None:
            return {"type": "registry", "name": "catalog", "actions": ["*"]}
        return None

    def _sign(self, payload: dict[str, Any]) -> str:
        parts = [_encode(json.dumps(part, separators=(",", ":")).encode()) for part in ({"alg": "HS256"}, payload)]
        return ".".join([*parts, self._signature(".".join(parts))])

    def _signature(self, text: str) -> str:
        key = hashlib.sha256(b"sandbox " + self._service().encode()).digest()
        return _encode(hmac.new(key, text.encode(), hashlib.sha256).digest()[:16])

    def _read_token(self, request: HttpRequest, token: str) -> Caller:
        text, _dot, signature = token.rpartition(".")
        if not hmac.compare_digest(signature, self._signature(text)):
            raise self._challenge(request, "", "Signature verification failed", error="invalid_token")
        payload = json.loads(_decode(text.partition(".")[2]))
        if payload["exp"] <= time.time() or payload["generation"] != self._generation:
            raise self._challenge(request, "", "Signature has expired", error="invalid_token")
        if payload["aud"] != self._service():
            raise self._challenge(request, "", "Audience doesn't match", error="invalid_token")
        entries = payload["access"]
        return Caller(
            payload["sub"],
            {item["name"]: frozenset(item["actions"]) for item in entries if item["type"] == "repository"},
            any(item["type"] == "registry" for item in entries),
        )

    # --------------------------------------------------------------- private

    def _user(self, name: str | None) -> User | None:
        return self._options.users.get(name) if name is not None else None

    def _public(self, repository: str) -> bool:
        return any(fnmatchcase(repository, pattern) for pattern in self._options.anonymous)

    def _actions(self, name: str | None, repository: str) -> frozenset[str]:
        user = self._user(name)
        found: frozenset[str] = frozenset({"pull"}) if self._public(repository) else frozenset()
        for pattern, actions in user.grants.items() if user else ():
            if fnmatchcase(repository, pattern):
                found |= actions
        return ALL_ACTIONS if "*" in found else found

    def _login(self, header: str) -> str | None:
        """The user of a Basic header, None when it is not valid."""
        name, password = _basic(header)
        user = self._user(name)
        return name if user and hmac.compare_digest(user.password.encode(), password.encode()) else None

    def _wrong_login(self, header: str) -> str:
        name = _basic(header)[0]
        if not self._options.quay:
            return AUTHENTICATION_REQUIRED
        if name and "+" in name:
            return f"Could not find robot with username: {name} and supplied password."
        return "Invalid Username or Password"

    def _challenge(self, request: HttpRequest, scope: str, message: str, *, error: str = "") -> ApiError:
        if self._options.auth == "basic":
            value = 'Basic realm="sandbox"'
        else:
            value = f'Bearer realm="{request.base_url}/v2/auth",service="{self._service()}"'
            value += f',scope="{scope}"' if scope else ""
            value += f',error="{error}"' if error and not self._options.quay else ""
        return ApiError("UNAUTHORIZED", {}, message=message, headers={"WWW-Authenticate": value, **API_VERSION})


def _basic(header: str) -> tuple[str | None, str]:
    scheme, _space, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None, ""
    try:
        name, _colon, password = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, ""
    return name, password


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
