# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three ways to stand before Quay's API: as nobody, with an OAuth token, with a session like a browser's."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Callable, Protocol

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import retry_after
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import (
    BAD_PASSWORD,
    BAD_TOKEN,
    RATE_LIMIT,
    QuayError,
    message_of,
    parse_body,
    refusal,
)

# method, path, headers, body -> status, body, headers
Raw = Callable[..., "tuple[int, bytes, Mapping[str, str]]"]


class Login(Protocol):
    """Authenticates requests.

    :ivar known: whether requests are made as somebody.
    """

    known: bool

    def headers(self, method: str, raw: Raw) -> Mapping[str, str]:
        """Headers for a request; may make calls of its own first."""

    def renew(self, raw: Raw) -> bool:
        """Log in afresh; False where there is nothing to do it with."""


class Anonymous:
    """Nobody."""

    known = False

    def headers(self, _method: str, _raw: Raw) -> Mapping[str, str]:
        return {}

    def renew(self, _raw: Raw) -> bool:
        return False


class Bearer:
    """An OAuth access token. Quay checks it with a slow hash on every request."""

    known = True

    def __init__(self, token: str) -> None:
        self._token = token

    def headers(self, _method: str, _raw: Raw) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def renew(self, _raw: Raw) -> bool:
        return False


class Session:
    """A user's session: cookies, and the CSRF token that goes with every change (Quay API: login with user and password).

    One wrong password makes Quay refuse the next logins for a while, so that it is tried once only.
    """

    known = True

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self._password = password
        self._lock = threading.Lock()
        self._cookies: dict[str, str] = {}
        self._csrf = ""
        self._failure: QuayError | None = None

    def headers(self, method: str, raw: Raw) -> Mapping[str, str]:
        with self._lock:
            if not self._csrf:
                self._sign_in(raw)
            found = {"Cookie": self._cookie_header()}
            if method != "GET":
                found["X-CSRF-Token"] = self._csrf
            return found

    def renew(self, raw: Raw) -> bool:
        with self._lock:
            self._cookies, self._csrf = {}, ""
            self._sign_in(raw)
        return True

    def authorize(self, raw: Raw, form: str) -> tuple[int, bytes, Mapping[str, str]]:
        """POST a form to /oauth/authorizeapp with this session; gives status, body and headers of the answer."""
        headers = {**self.headers("POST", raw), "Content-Type": "application/x-www-form-urlencoded"}
        return raw("POST", "/oauth/authorizeapp", headers, form.encode())

    def _cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    def _sign_in(self, raw: Raw) -> None:
        if self._failure is not None:
            raise self._failure
        self._csrf = self._first_csrf(raw)
        body = json.dumps({"username": self.username, "password": self._password}).encode()
        headers = {"Content-Type": "application/json", "X-CSRF-Token": self._csrf, "Cookie": self._cookie_header()}
        status, content, answered = raw("POST", "/api/v1/signin", headers, body)
        if status != 200:
            self._csrf = ""
            error = self._refused(status, content, answered)
            if error.code in (BAD_PASSWORD, RATE_LIMIT, BAD_TOKEN):
                self._failure = error
            raise error
        self._keep(answered)
        self._csrf = answered.get("X-Next-CSRF-Token", self._csrf)

    def _refused(self, status: int, content: bytes, headers: Mapping[str, str]) -> QuayError:
        what, subject = "log in", f"as {self.username}"
        if status == 429:
            wait = retry_after(headers)
            seconds = f" for {int(wait)} s" if wait else ""
            text = f"Quay refuses every login of this user{seconds} after wrong passwords"
            return QuayError(what, subject, text, "Wait that long, then try with the right password.", status=status, code=RATE_LIMIT)
        said = message_of(parse_body(content))
        if status == 403 and isinstance(parse_body(content), dict) and parse_body(content).get("invalidCredentials"):
            hint = "Check quay_username and quay_password. It was tried once, because Quay locks out who goes on trying."
            return QuayError(what, subject, said or "wrong user name or password", hint, status=status, code=BAD_PASSWORD)
        return (
            refusal(what, subject, status, content, authenticated=False)
            if not said
            else QuayError(what, subject, said, status=status, code=BAD_TOKEN if status == 401 else "invalid_request")
        )

    def _first_csrf(self, raw: Raw) -> str:
        status, content, answered = raw("GET", "/csrf_token")
        body = parse_body(content)
        if status == 200 and isinstance(body, dict) and body.get("csrf_token"):
            self._keep(answered)
            return str(body["csrf_token"])
        # before Quay 3.8 it stands in the page
        status, content, answered = raw("GET", "/")
        found = re.search(rb"window\.__token\s*=\s*['\"]([^'\"]+)", content)
        if status != 200 or not found:
            raise ProtocolError(
                "log in",
                f"as {self.username}",
                "the server gives no CSRF token",
                "Check quay_host: something else than a Quay may answer there.",
            )
        self._keep(answered)
        return found.group(1).decode()

    def _keep(self, headers: Mapping[str, str]) -> None:
        self._cookies.update(cookies_of(headers))


def cookies_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Names and values of the cookies that an answer sets.

    :param headers: of requests; several Set-Cookie headers are joined by commas there.
    """
    found: dict[str, str] = {}
    # a comma also stands in the date of expires=
    for text in re.split(r",\s*(?=[^;,=\s]+=)", headers.get("Set-Cookie", "")):
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(text)
        except CookieError:
            continue
        found.update({name: morsel.value for name, morsel in jar.items()})
    return found
