# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a registry lets us in: basic authentication, or bearer tokens from its token service.

Source: distribution spec, "Token Authentication Specification"; reference/quay.md 2.4 and 6 for what Quay makes of it.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable
from urllib.parse import urlencode, urlsplit

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import (
    HttpSession,
    origin,
    safe_url,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import Credentials
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import AccessError, RegistryError, raise_for

Scopes = frozenset[str]
_Key = tuple[Scopes, str]

_ANSWER_LIMIT = 1 << 20
# A token service that does not say how long its token lives means 60 seconds
_DEFAULT_LIFETIME = 60.0
# Longer than this is nonsense: seconds taken for milliseconds, or no number at all
_LONGEST_LIFETIME = 365 * 86400.0
# Renewed when this share of its life is over, so that none runs out between being attached and being read
_USABLE_SHARE = 0.8
# Repositories that one token is asked for: a token for many more may grow past what servers take as a header
_GROUP = 16
_WRITE = "pull,push"
# RFC 9110, 11.6.1: a scheme is a word, a parameter is a word with a value, and commas stand between both kinds
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')
_SCHEME = re.compile(_WORD)
# What may stand in a header; anything else in a token is an attempt at something, or an accident
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class Challenge:
    """A WWW-Authenticate header (RFC 7235; RFC 6750 for Bearer).

    :ivar scheme: ``basic`` or ``bearer``.
    """

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""

    @classmethod
    def parse(cls, header: str) -> Challenge | None:
        """The first challenge in a header that we can answer, bearer before basic; None where there is none."""
        found: dict[str, dict[str, str]] = {}
        values: dict[str, str] = {}
        position = 0
        while position < len(header):
            match = _PARAMETER.match(header, position)
            if match is not None:
                name, quoted, bare = match.groups()
                values.setdefault(name.lower(), bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
            else:
                match = _SCHEME.match(header, position)
                if match is not None:
                    values = found.setdefault(match.group().lower(), {})
            position = match.end() if match is not None else position + 1
        for scheme in ("bearer", "basic"):
            if scheme in found and (scheme == "basic" or found[scheme].get("realm") or "basic" not in found):
                values = found[scheme]
                return cls(scheme, values.get("realm", ""), values.get("service", ""), values.get("scope", ""))
        return None


def repository_scope(repository: str, actions: str) -> str:
    """The name of a right, such as ``repository:org/app:pull,push``."""
    return f"repository:{repository}:{actions}"


class Authorizer:
    """Gives the Authorization header for calls to one registry, and renews tokens.

    :param base_url: the registry's own URL; credentials go to it and to the token service that it names, nowhere else.
    :param credentials: looks up credentials for a repository path (empty: the registry as a whole).
    """

    def __init__(self, session: HttpSession, registry: str, base_url: str, credentials: Callable[[str], Credentials | None]) -> None:
        self._session = session
        self._registry = registry
        self._base_url = base_url
        self._credentials = credentials
        self._challenge: Challenge | None = None
        self._tokens: dict[_Key, tuple[str, float]] = {}
        self._locks: dict[_Key, threading.Lock] = {}
        self._groups: dict[_Key, tuple[_Key, ...]] = {}
        self._lock = threading.Lock()
        self._first_login = threading.Lock()
        self._accepted: set[Credentials] = set()
        self._refused: dict[Credentials, AccessError] = {}

    def announce(self, repositories: Iterable[str], actions: str = "pull") -> None:
        """Say which repositories will be used, and for what, so that one token may serve several of them.

        A token service takes several scopes at once, and grants what it can of them (reference/quay.md 6).
        """
        by_credentials: dict[Credentials | None, list[str]] = {}
        for repository in dict.fromkeys(repositories):
            by_credentials.setdefault(self._credentials(repository), []).append(repository)
        for names in by_credentials.values():
            for begin in range(0, len(names), _GROUP):
                group = tuple((frozenset({repository_scope(name, actions)}), name) for name in names[begin : begin + _GROUP])
                with self._lock:
                    lock = threading.Lock()
                    for key in group:
                        self._groups[key] = group
                        self._locks[key] = lock

    def learn(self, headers: Mapping[str, str]) -> Challenge | None:
        """Take in the challenge of a 401 answer; None when it carries none that we can answer."""
        challenge = Challenge.parse(headers.get("WWW-Authenticate", ""))
        if challenge is not None:
            self._challenge = challenge
        return challenge

    @property
    def uses_tokens(self) -> bool:
        """Whether the registry grants rights by token, so that asking for more rights may get more."""
        return self._challenge is not None and self._challenge.scheme == "bearer"

    def header(self, scopes: Scopes, repository: str) -> str | None:
        """The Authorization header for these rights; None when the registry has not asked for one, or we have none to give.

        :raises AccessError: when the token service refuses the credentials.
        """
        challenge = self._challenge
        if challenge is None:
            return None
        credentials = self._credentials(repository)
        if challenge.scheme == "basic":
            return credentials.basic() if credentials is not None else None
        key = self._covering(scopes, repository)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        # one thread fetches, those that want the same wait for it
        with lock:
            token, expires = self._tokens.get(key, ("", 0.0))
            if time.monotonic() >= expires:
                token = self._renew(challenge, key, credentials)
        return f"Bearer {token}"

    def forget(self, scopes: Scopes, repository: str) -> None:
        """Throw the token for these rights away: the registry did not take it. The next one will be for these rights alone."""
        key = self._covering(scopes, repository)
        self._tokens.pop(key, None)
        self._groups.pop(key, None)

    def _covering(self, scopes: Scopes, repository: str) -> _Key:
        """The key of the token for some rights: to mount, a token that is good for writing to both repositories will do."""
        own = frozenset({repository_scope(repository, _WRITE)})
        if own < scopes:
            names = {name for _scopes, name in self._groups.get((own, repository), ())}
            if all(_name_of(scope) in names for scope in scopes):
                return (own, repository)
        return (scopes, repository)

    def _renew(self, challenge: Challenge, key: _Key, credentials: Credentials | None) -> str:
        keys = self._groups.get(key, (key,))
        try:
            token, lifetime = self._log_in(challenge, frozenset(scope for scopes, _name in keys for scope in scopes), credentials)
        except RegistryError as error:
            # some services refuse the whole for one part of it
            if len(keys) == 1 or error.transient or (error.status == 401 and credentials is not None):
                raise
            keys = (key,)
            token, lifetime = self._log_in(challenge, key[0], credentials)
        expires = time.monotonic() + lifetime * _USABLE_SHARE
        for each in keys:
            self._tokens[each] = (token, expires)
        return token

    def _log_in(self, challenge: Challenge, scopes: Scopes, credentials: Credentials | None) -> tuple[str, float]:
        """Fetch a token; with credentials that were refused once never again, since Quay locks accounts after some failures."""
        # without a password there is none to be locked for: a 401 says that one repository is not for everybody
        if credentials is None or credentials in self._accepted:
            return self._fetch(challenge, scopes, credentials)
        # until they have proved good, one thread tries them and the others wait for what it learns
        with self._first_login:
            refusal = self._refused.get(credentials)
            if refusal is not None:
                raise refusal
            try:
                found = self._fetch(challenge, scopes, credentials)
            except AccessError as error:
                if error.status == 401:
                    self._refused[credentials] = error
                raise
            self._accepted.add(credentials)
            return found

    def _fetch(self, challenge: Challenge, scopes: Scopes, credentials: Credentials | None) -> tuple[str, float]:
        if not _is_url(challenge.realm):
            raise ProtocolError("log in to", self._registry, f"the registry names no usable token service ('{challenge.realm}')")
        secure = self._base_url.startswith("https:") and self._session.settings.tls.verify
        if credentials is not None and secure and urlsplit(challenge.realm).scheme == "http":
            raise ProtocolError(
                "log in to",
                self._registry,
                f"its token service {safe_url(challenge.realm)} is plain HTTP, where the password could be read",
            )
        query = [("service", challenge.service)] if challenge.service else []
        query += [("scope", scope) for scope in _merged(scopes)]
        if credentials is not None and credentials.identity_token:
            form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", credentials.identity_token),
                ("client_id", "quayside.airgap"),
            ]
            body = urlencode([*form, *[item for item in query if item[0] == "service"], ("scope", " ".join(_merged(scopes)))]).encode()
            call = partial(
                self._session.send,
                "POST",
                challenge.realm,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                body=body,
                first_contact=True,
            )
        else:
            separator = "&" if "?" in challenge.realm else "?"
            headers = {"Authorization": credentials.basic()} if credentials is not None else {}
            url = challenge.realm + (separator + urlencode(query) if query else "")
            call = partial(self._session.send, "GET", url, headers=headers, first_contact=True)
        response, content = self._session.read(call, _ANSWER_LIMIT, f"a token for {self._registry}")
        if response.status_code != 200:
            raise_for("log in to", self._registry, response.status_code, content, login_hint(self._registry, credentials))
        return self._token(content)

    def _token(self, content: bytes) -> tuple[str, float]:
        try:
            document = json.loads(content)
            token = document.get("token") or document.get("access_token")
        except (ValueError, AttributeError, RecursionError):
            token = None
            document = {}
        if not isinstance(token, str) or not token:
            raise ProtocolError("log in to", self._registry, "the token service answered without a token")
        if not _TOKEN.fullmatch(token):
            raise ProtocolError("log in to", self._registry, "the token service answered with a token that cannot stand in a header")
        lifetime = document.get("expires_in")
        if not isinstance(lifetime, (int, float)) or isinstance(lifetime, bool) or not 0 < lifetime < _LONGEST_LIFETIME:
            lifetime = _jwt_lifetime(token) or _DEFAULT_LIFETIME
        return token, float(lifetime)

    @property
    def base_origin(self) -> str:
        return origin(self._base_url)


def _is_url(text: str) -> bool:
    try:
        return origin(text).startswith(("http://", "https://"))
    except ValueError:
        return False


def _name_of(scope: str) -> str:
    return scope.partition(":")[2].rpartition(":")[0]


def _merged(scopes: Scopes) -> list[str]:
    """One scope for each repository, with all the rights to it: where it is named twice, services may hear the last one only."""
    rights: dict[str, list[str]] = {}
    for scope in sorted(scopes):
        name, _separator, actions = scope.rpartition(":")
        rights.setdefault(name, []).extend(actions.split(","))
    return [f"{name}:{','.join(dict.fromkeys(actions))}" for name, actions in rights.items()]


def login_hint(registry: str, credentials: Credentials | None) -> str:
    """What to do about a refused login."""
    if credentials is None:
        return (
            f"No credentials were found for {registry}: give a username and a password for this side, "
            f"or log in with 'podman login {registry}'."
        )
    who = f"of '{credentials.username}' " if credentials.username else ""
    return f"Check the credentials {who}for {registry}, and that they have the right to do this."


def _jwt_lifetime(token: str) -> float | None:
    """Seconds from issue to expiry, as the token itself says (RFC 7519); Quay leaves expires_in out."""
    try:
        payload = token.split(".")[1]
        claims: Any = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        lifetime = float(claims["exp"]) - float(claims.get("iat", claims.get("nbf", time.time())))
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
        return None
    return lifetime if 0 < lifetime < _LONGEST_LIFETIME else None
