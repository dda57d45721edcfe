# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Quay's REST API over the core's HTTP session: paths, login, errors, pages, and reads that are made once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable
from urllib.parse import quote, urlencode, urlsplit

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import (
    AirgapError,
    InputError,
    ProtocolError,
    TransportError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import (
    HttpSession,
    HttpSettings,
    RetryPolicy,
    read_limited,
    retry_after,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.quay.capabilities import Capabilities
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import (
    FORBIDDEN,
    FRESH_LOGIN,
    NOT_FOUND,
    QuayError,
    parse_body,
    refusal,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.login import (
    Anonymous,
    Bearer,
    Login,
    Session,
)

# An organization's repositories come in pages of 100; nothing that is read whole comes near this
_MOST_BYTES = 64 << 20
_MOST_PAGES = 100_000
# Failures of a connection before the request was sent: nothing can have happened yet
_NOT_SENT = frozenset({"dns", "refused", "tls", "proxy"})
_MOST_PARALLEL = 64


@dataclass(frozen=True)
class QuayOptions:
    """How a Quay is reached.

    :ivar host: base URL; without a scheme it is https.
    :ivar token: OAuth access token; or ``username`` and ``password`` for a session like a browser's.
    :ivar parallel: requests under way at once, from 1 to 64.
    :ivar timeout: seconds of silence after which an answer is given up.
    """

    host: str
    token: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: TlsSettings = field(default_factory=TlsSettings)
    parallel: int = 16
    retries: int = 5
    timeout: float = 60.0

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("parallel", self.parallel, 1, _MOST_PARALLEL),
            ("retries", self.retries, 0, 100),
            ("timeout", self.timeout, 1, 86400),
        ):
            if not least <= value <= most:
                raise InputError(name, f"{value} is not between {least} and {most}")


@dataclass(frozen=True)
class Answer:
    """An answer with a status below 300: its body as JSON (None where it is empty) and its headers."""

    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Identity:
    """Whom Quay takes us for.

    :ivar name: empty where the token may not ask (it needs the scope user:read or user:admin).
    :ivar superuser: whether the user is in SUPER_USERS; None where that is not known.
    """

    name: str = ""
    superuser: bool | None = None


def at(*parts: str) -> str:
    """A path below ``/api/v1``, each part quoted. A last empty part gives the trailing slash that some routes need.

    ``/`` in repository names stays as it is (Quay API: repository paths hold it raw).
    """
    return "/api/v1/" + "/".join(quote(part, safe="/") for part in parts)


class QuayClient:
    """One Quay, shared by threads.

    :ivar options: how it is reached.
    :ivar web: scheme and host as it is reached, without a slash at the end.
    :ivar requests: how many were made so far, by ``read`` and ``write``.
    """

    def __init__(self, options: QuayOptions, cancellation: Cancellation | None = None) -> None:
        self.options = options
        self.web = base_url(options.host)
        self.name = urlsplit(self.web).netloc
        self.cancellation = cancellation or Cancellation()
        self._http = HttpSession(
            HttpSettings(
                tls=options.tls,
                retry=RetryPolicy(retries=options.retries),
                connections=options.parallel,
                read_timeout=float(options.timeout),
            ),
            self.cancellation,
        )
        self._login: Login = make_login(options)
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._shared: dict[str, Any] = {}
        self.requests = {"read": 0, "write": 0}

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def __enter__(self) -> QuayClient:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    # --- calls

    def get(self, path: str, what: str, query: Mapping[str, Any] | None = None) -> Any:
        """The JSON of one object or list.

        :param path: of :func:`at`.
        :param what: what is attempted, as an infinitive with its object: "read the organization prod".
        :raises QuayError: for everything but success; :raises TransportError: without an answer.
        """
        return self.send("GET", path, what, query=query).body

    def find(self, path: str, what: str, query: Mapping[str, Any] | None = None) -> Any | None:
        """As :meth:`get`, but None where there is no such object. A request that this Quay does not know stays an error."""
        try:
            return self.get(path, what, query)
        except QuayError as error:
            if error.status == 404 and error.code == NOT_FOUND:
                return None
            raise

    def shared(self, path: str, what: str, query: Mapping[str, Any] | None = None) -> Any | None:
        """As :meth:`find`, asked once in a run however many ask. What comes must not be changed."""
        return self.once(_with_query(path, query), lambda: self.find(path, what, query))

    def once(self, key: str, compute: Callable[[], Any]) -> Any:
        """What ``compute`` gives, computed once in a run for this key; a failure is not kept."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._shared:
                self._shared[key] = compute()
            return self._shared[key]

    def peek(self, key: str) -> Any | None:
        """What :meth:`once` has computed for this key so far; None where it has not."""
        return self._shared.get(key)

    def forget(self, prefix: str = "") -> None:
        """Ask again what was asked once below this path, since it may have changed."""
        with self._lock:
            for key in [key for key in self._shared if key.startswith(prefix)]:
                del self._shared[key]

    def post(self, path: str, body: Any, what: str) -> Any:
        """The JSON that Quay answers to a POST."""
        return self.send("POST", path, what, body=body).body

    def put(self, path: str, body: Any, what: str) -> Any:
        """The JSON that Quay answers to a PUT."""
        return self.send("PUT", path, what, body=body).body

    def delete(self, path: str, what: str) -> bool:
        """Delete an object; False where it was not there any more (404)."""
        try:
            self.send("DELETE", path, what)
        except QuayError as error:
            if error.status == 404 and error.code == NOT_FOUND:
                return False
            raise
        return True

    def pages(self, path: str, what: str, key: str, query: Mapping[str, Any] | None = None) -> Iterator[Any]:
        """All entries of a list that comes in pages.

        An unknown ``next_page`` gives the first page again (Quay API: pagination), so that a mark which was seen before ends it.

        :param key: field of the answer that holds the entries.
        """
        marks: set[str] = set()
        asked = dict(query or {})
        for _page in range(_MOST_PAGES):
            body = self.get(path, what, asked)
            yield from entries(body, key, what, self.name)
            mark = body.get("next_page")
            if not mark or mark in marks:
                return
            marks.add(mark)
            asked["next_page"] = mark

    def send(
        self,
        method: str,
        path: str,
        what: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        login: Login | None = None,
    ) -> Answer:
        """One call to the API, again where that is safe.

        A GET is repeated after every failure that may pass. Another method is repeated only where Quay cannot have worked on it:
        no connection, a limiter's 429, a gateway's 502. Other failures of it are raised with ``transient`` set; who makes the change
        looks what became of it before it is made again.

        :param login: another login than the client's.
        """
        used = login or self._login
        attempt = 0
        renewed = False
        while True:
            error: AirgapError
            pause = 0.0
            try:
                answer, wait = self._once(method, path, what, body, query, used)
                if isinstance(answer, Answer):
                    return answer
                if answer.code == FRESH_LOGIN and not renewed and used.renew(self._raw):
                    renewed = True
                    continue
                error, again, pause = answer, _may_repeat(method, answer), wait or 0.0
            except TransportError as lost:
                error, again = lost, lost.transient and (method == "GET" or lost.kind in _NOT_SENT)
            if not again or attempt >= self.options.retries:
                raise error
            self.cancellation.sleep(max(min(pause, 300.0), self._http.settings.retry.pause(attempt)))
            attempt += 1

    def _once(
        self, method: str, path: str, what: str, body: Any, query: Mapping[str, Any] | None, login: Login
    ) -> tuple[Answer | QuayError, float | None]:
        headers = {"Accept": "application/json", **login.headers(method, self._raw)}
        content = None
        if method in ("POST", "PUT"):
            # Quay answers 400 to a missing body even where it needs none
            headers["Content-Type"] = "application/json"
            content = json.dumps({} if body is None else body).encode()
        status, said, answered = self._raw(method, _with_query(path, query), headers, content)
        if status < 300:
            value = parse_body(said)
            if value is None and said.strip() not in (b"", b"null"):
                raise ProtocolError(
                    what,
                    f"on {self.name}",
                    "the answer is no JSON",
                    "Check quay_host: something else than a Quay may answer there.",
                )
            return Answer(status, value, answered), None
        self._check_redirect(status, path, answered, what)
        return refusal(what, f"on {self.name}", status, said, authenticated=login.known), retry_after(answered)

    def _raw(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body and headers of one call without repetition."""
        with self._lock:
            self.requests["read" if method == "GET" else "write"] += 1
        response = self._http.send(method, self.web + path, headers=headers, body=content, retry=False)
        return response.status_code, read_limited(response, _MOST_BYTES, f"the answer of {self.name}"), response.headers

    def _check_redirect(self, status: int, path: str, headers: Mapping[str, str], what: str) -> None:
        """A redirect to another place is a wrong address; one to the same path with a slash is an unknown request."""
        place = urlsplit(headers.get("Location", ""))
        if 300 <= status < 400 and place.netloc and (f"{place.scheme}://{place.netloc}" != self.web):
            raise InputError(
                "quay_host",
                f"{self.web} sends us to {place.scheme}://{place.netloc} when we try to {what}",
                f"Set quay_host to {place.scheme}://{place.netloc}.",
            )

    def authorize(self, form: Mapping[str, str]) -> str:
        """The address that Quay's authorization page would send a browser to, for the user of the session.

        :param form: of the page: client_id, redirect_uri, scope and so on.
        :raises InputError: without a session; a token cannot approve another.
        :raises QuayError: when Quay refuses.
        """
        if not isinstance(self._login, Session):
            raise InputError("quay_token", "a token cannot make another token on this Quay", "Give quay_username and quay_password.")
        status, content, headers = self._login.authorize(self._raw, urlencode(form))
        if status not in (301, 302, 303) or "Location" not in headers:
            raise refusal("authorize the application", f"on {self.name}", status, content)
        return str(headers["Location"])

    # --- what is known about the other side

    @property
    def capabilities(self) -> Capabilities:
        """What this Quay can do, asked once."""
        found: Capabilities = self.once("capabilities", lambda: Capabilities(self._ask_openly, self.name))
        return found

    def _ask_openly(self, path: str) -> Any | None:
        """A GET that needs no login; None where the answer is no JSON or the path is unknown."""
        try:
            return self.send("GET", path, f"read {path}", login=Anonymous()).body
        except ProtocolError:
            return None
        except QuayError as error:
            if error.status in (404, 405, 308):
                return None
            raise

    def identity(self) -> Identity:
        """Whom the token or the session belongs to, asked once.

        An answer to a protected request that needs no scope tells a bad token from one that may not read its user (Quay API: a bad
        token makes an anonymous request, it is no error by itself).

        :raises QuayError: when the token is not accepted.
        """
        found: Identity = self.once("identity", self._identify)
        return found

    def _identify(self) -> Identity:
        if not self._login.known:
            return Identity(superuser=False)
        what = "find out whom the login belongs to"
        try:
            user = self.get(at("user", ""), what)
            return Identity(str(user.get("username", "")), bool(user.get("super_user", False)))
        except QuayError as error:
            if error.status != 401:
                raise
        try:
            self.get(at("user", "robots"), what, {"limit": 1})
        except QuayError as error:
            if error.code != FORBIDDEN:
                raise
        return Identity()

    @property
    def anonymous(self) -> bool:
        """Whether requests are made as nobody: there is neither a token nor a user."""
        return not self._login.known

    def deny_anonymous(self) -> None:
        """Make sure that an answer which an anonymous request gets too was not given to one.

        :raises QuayError: when the token is not accepted.
        """
        if not self.anonymous:
            self.identity()


def make_login(options: QuayOptions) -> Login:
    """How requests are authenticated.

    :raises InputError: for half a login, or two of them.
    """
    if options.token and (options.username or options.password):
        raise InputError("quay_token", "it is given together with quay_username and quay_password", "Give one of the two logins.")
    if bool(options.username) != bool(options.password):
        raise InputError("quay_username", "quay_username and quay_password belong together", "Give both, or quay_token.")
    if options.token:
        return Bearer(options.token)
    if options.username and options.password:
        return Session(options.username, options.password)
    return Anonymous()


def base_url(host: str) -> str:
    """Scheme, host and port of a Quay as the user names it.

    :raises InputError: when it is no URL of a server.
    """
    text = host.strip()
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise InputError("quay_host", f"'{host}' is no URL of a server", "Write it as https://quay.example.com or with a port.")
    if parts.username or parts.password:
        raise InputError("quay_host", "it holds a user name or password", "Give them as quay_username and quay_password.")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise InputError("quay_host", f"'{host}' has a path behind the host name", f"Write {parts.scheme}://{parts.netloc}.")
    return f"{parts.scheme}://{parts.netloc}"


def entries(body: Any, key: str, what: str, name: str) -> list[Any]:
    """The list in an answer.

    :raises ProtocolError: when there is none.
    """
    found = body.get(key) if isinstance(body, dict) else None
    if not isinstance(found, list):
        raise ProtocolError(what, f"on {name}", f"the answer has no list '{key}'")
    return found


def _may_repeat(method: str, error: QuayError) -> bool:
    return error.transient and (method == "GET" or not error.reached)


def _with_query(path: str, query: Mapping[str, Any] | None) -> str:
    given = {name: _text(value) for name, value in (query or {}).items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
