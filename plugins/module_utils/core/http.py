# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP as the collection speaks it: one pooled session, honest time limits, patient retries, careful redirects."""

from __future__ import annotations

import email.utils
import random
import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Union
from urllib.parse import urljoin, urlsplit

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import (
    TRANSIENT_STATUSES,
    InputError,
    ProtocolError,
    TransportError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.http_errors import describe_failure
from ansible_collections.quayside.airgap.plugins.module_utils.core.thirdparty import load
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings, ssl_context

if TYPE_CHECKING:
    import ssl

    from requests import Response

Body = Union[bytes, Callable[[], Iterable[bytes]]]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
# Longest pause that a server may ask for by Retry-After; one that asks for more is treated as asking for this
_MAX_RETRY_AFTER = 300.0
# An unwanted body of this many bytes is cheaper to read than a new connection
_WORTH_READING = 64 << 10
# Bytes that are read at once of an answer whose length nobody knows
_PIECE = 64 << 10


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and after how long, a call that failed in passing is made again.

    :ivar retries: further attempts after the first.
    :ivar base: seconds before the first of them; each later pause is twice as long, with jitter (between half and all of it).
    :ivar cap: longest pause in seconds, unless the server asks for more by Retry-After.
    """

    retries: int = 5
    base: float = 0.5
    cap: float = 30.0

    def pause(self, attempt: int) -> float:
        """Seconds to wait after the attempt with this number, counted from 0."""
        # 2**30 times anything is beyond the cap, and far powers of two are beyond floating point
        full = min(self.cap, self.base * 2.0 ** min(attempt, 30))
        return full * random.uniform(0.5, 1.0)


@dataclass(frozen=True)
class HttpSettings:
    """What a session needs to know.

    :ivar connections: size of the connection pool, the number of threads that share the session.
    :ivar connect_timeout: seconds until a connection must stand.
    :ivar read_timeout: seconds of silence after which an answer is given up.
    :ivar proxy: URL of the proxy that every call goes through, whatever the environment says; None leaves it to the environment.
        It may hold a user and a password, and is never shown.
    """

    tls: TlsSettings = field(default_factory=TlsSettings)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    connections: int = 8
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    user_agent: str = "quayside.airgap"
    proxy: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.proxy is not None:
            check_proxy(self.proxy)


class HttpSession:
    """A pool of connections shared by threads.

    It decides by itself on proxies (the one of the settings, or from the environment, once per origin) and authorities (see
    :func:`tls.ssl_context`);
    ``trust_env`` of requests would read .netrc and override both on every call.
    """

    def __init__(self, settings: HttpSettings, cancellation: Cancellation | None = None) -> None:
        self.settings = settings
        self.cancellation = cancellation or Cancellation()
        self._requests = load("requests")
        self._lock = threading.Lock()
        self._adapters: dict[str, Any] = {}
        self._proxies: dict[str, dict[str, str]] = {}
        self._not_before: dict[str, float] = {}

    def close(self) -> None:
        """Close every pooled connection."""
        for adapter in self._adapters.values():
            adapter.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        retry: bool = True,
        first_contact: bool = False,
        follow: bool = False,
        read_timeout: float | None = None,
    ) -> Response:
        """Make one call and give back its answer, whatever the status, with the body still unread.

        The caller reads the body or closes the answer. A passing failure (connection lost, time limit, one of
        ``TRANSIENT_STATUSES``) is tried again as the policy says; after the last attempt the answer is given back as it is.

        :param body: bytes, or a function that makes a new iterable of bytes (with ``__len__``) for each attempt.
        :param retry: off for calls that must not be made twice.
        :param first_contact: fail at once where the server cannot be reached at all, since that is likely a typing error.
        :param follow: go where a redirect points (GET and HEAD only).
        :param read_timeout: seconds of silence for this call, where it is not to be as patient as the settings.
        :raises TransportError: when no answer came.
        """
        attempt = 0
        once = self._follow if follow else self._once
        while True:
            self._wait_for_turn(url)
            pause: float | None = None
            try:
                response = once(method, url, headers or {}, body, read_timeout or self.settings.read_timeout)
            except TransportError as error:
                unreachable = first_contact and error.kind in ("dns", "refused", "tls", "proxy")
                if not retry or not error.transient or unreachable or attempt >= self.settings.retry.retries:
                    raise
            else:
                if response.status_code not in TRANSIENT_STATUSES or not retry or attempt >= self.settings.retry.retries:
                    return response
                pause = retry_after(response.headers)
                discard(response)
            if pause is not None:
                self.hold_back(url, pause)
            # our own pause too: a server may ask for none, or by a clock that is behind ours for a moment that is over
            self.cancellation.sleep(max(min(pause or 0.0, _MAX_RETRY_AFTER), self.settings.retry.pause(attempt)))
            attempt += 1

    def read(self, call: Callable[[], Response], limit: int, what: str) -> tuple[Response, bytes]:
        """Make a call and read its answer whole; where the answer breaks off in the middle, make it again.

        :param call: makes one call with :meth:`send`, which is patient by itself until an answer begins.
        :param limit: bytes that the answer may have, see :func:`read_limited`; ``what``: what is read, for messages.
        """
        attempt = 0
        while True:
            response = call()
            try:
                return response, read_limited(response, limit, what)
            except TransportError as error:
                if not error.transient or attempt >= self.settings.retry.retries:
                    raise
            self.cancellation.sleep(self.settings.retry.pause(attempt))
            attempt += 1

    def _follow(self, method: str, url: str, headers: Mapping[str, str], body: Body | None, silence: float) -> Response:
        for _hop in range(_MAX_REDIRECTS + 1):
            response = self._once(method, url, headers, body, silence)
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or not location:
                return response
            discard(response)
            try:
                target = urljoin(url, location)
                scheme, elsewhere = urlsplit(target).scheme, origin(target) != origin(url)
            except ValueError as error:
                raise ProtocolError("follow the redirect of", safe_url(url), f"it points to no valid URL ({error})") from error
            if scheme not in ("http", "https"):
                raise ProtocolError("follow the redirect of", safe_url(url), f"it points to the scheme '{scheme}'")
            if urlsplit(url).scheme == "https" and scheme == "http" and self.settings.tls.verify:
                raise ProtocolError(
                    "follow the redirect of",
                    safe_url(url),
                    f"it leads from HTTPS to plain HTTP on {urlsplit(target).netloc.rpartition('@')[2]}",
                    "Have the server's address corrected, or switch certificate validation off for this server if you accept that.",
                )
            if elsewhere:
                headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
            url = target
        raise ProtocolError("follow the redirects of", safe_url(url), f"there are more than {_MAX_REDIRECTS} of them")

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: Body | None, silence: float) -> Response:
        self.cancellation.check()
        requests = self._requests
        # Filled in by hand: preparing through Session costs as much CPU as the call itself (cookies, hooks, .netrc, URL checks)
        request = requests.PreparedRequest()
        request.method = method
        request.url = url
        request.hooks = {}
        request.headers = requests.structures.CaseInsensitiveDict(headers)
        request.headers.setdefault("User-Agent", self.settings.user_agent)
        request.headers.setdefault("Accept-Encoding", "identity")
        content = body() if callable(body) else body
        if content is not None:
            request.headers["Content-Length"] = str(len(content))  # type: ignore[arg-type]
        elif method in ("POST", "PUT", "PATCH"):
            request.headers["Content-Length"] = "0"
        request.body = content
        adapter, proxies = self._route(url)
        try:
            response: Response = adapter.send(
                request,
                stream=True,
                timeout=(self.settings.connect_timeout, silence),
                proxies=proxies,
            )
        except (requests.RequestException, load("urllib3").exceptions.HTTPError, OSError, UnicodeError) as error:
            raise describe_failure(method, safe_url(url), error, own_proxy=self.settings.proxy is not None) from error
        except ValueError as error:
            # http.client refuses headers with line breaks; its words are left out, for they hold the header
            reason = "the call cannot be written as HTTP"
            raise TransportError("make the call", f"{method} {safe_url(url)}", reason, kind="other", transient=False) from error
        return response

    def _route(self, url: str) -> tuple[Any, dict[str, str]]:
        place = origin(url)
        with self._lock:
            proxies = self._proxies.get(place)
            if proxies is None:
                given = self.settings.proxy
                proxies = {"all": given} if given else dict(self._requests.utils.get_environ_proxies(url, no_proxy=None))
                self._proxies[place] = proxies
            scheme = urlsplit(url).scheme
            adapter = self._adapters.get(scheme)
            if adapter is None:
                if not self.settings.tls.verify:
                    # the user has chosen this; a warning on every call would only hide others
                    urllib3 = load("urllib3")
                    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
                context = ssl_context(self.settings.tls) if scheme == "https" or proxies else None
                adapter = self._adapters[scheme] = _adapter(self.settings, context)
        return adapter, proxies

    def _wait_for_turn(self, url: str) -> None:
        """Where one thread was told to come back later, the others come later too."""
        if not self._not_before:
            return
        with self._lock:
            wait = self._not_before.get(origin(url), 0.0) - time.monotonic()
        if wait > 0:
            self.cancellation.sleep(wait)

    def hold_back(self, url: str, pause: float) -> None:
        """Let no thread call this server for so many seconds, since it asked for that by Retry-After.

        For callers that repeat calls by themselves; :meth:`send` sees to it where it repeats.
        """
        with self._lock:
            place = origin(url)
            until = time.monotonic() + min(pause, _MAX_RETRY_AFTER)
            self._not_before[place] = max(self._not_before.get(place, 0.0), until)


def read_limited(response: Response, limit: int, what: str) -> bytes:
    """The whole body of an answer that should be small, with the connection given back to the pool.

    :param limit: bytes.
    :param what: what is read, for the message.
    :raises ProtocolError: when it is larger, or shorter than announced.
    :raises TransportError: when the connection breaks.
    """
    requests = load("requests")
    urllib3 = load("urllib3")
    url = safe_url(response.url)
    try:
        # Python 3.9 clears as much memory as it is asked to read, however little there is to come
        pieces = bytearray()
        for piece in response.raw.stream(_PIECE, decode_content=True):
            pieces += piece
            if len(pieces) > limit:
                response.close()
                raise ProtocolError("read", what, f"{url} answered with more than {limit} bytes")
        content = bytes(pieces)
        # a last read of nothing lets urllib3 notice the end of the body and reuse the connection
        response.raw.read(1)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise describe_failure("GET", url, error) from error
    announced = response.headers.get("Content-Length", "")
    encoded = response.headers.get("Content-Encoding", "identity") != "identity"
    if announced.isdecimal() and not encoded and response.request.method != "HEAD" and len(content) != int(announced):
        raise TransportError("read", what, f"{url} sent {len(content)} of {announced} bytes", kind="reset", transient=True)
    response.close()
    return content


def discard(response: Response) -> None:
    """Be done with an answer whose body nobody wants.

    A short body is read to its end, because only then the connection can serve the next call; a long one is cut off.
    """
    announced = response.headers.get("Content-Length", "")
    if response.request.method == "HEAD" or (announced.isdecimal() and int(announced) <= _WORTH_READING):
        try:
            response.raw.read(decode_content=False)
        except (load("urllib3").exceptions.HTTPError, OSError):
            # the connection is lost with the answer; the next call makes a new one
            response.raw.close()
    response.close()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait (RFC 9110, 10.2.3: a number or a date); none where it says nothing sensible."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
        return max(0.0, moment.timestamp() - time.time())
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def origin(url: str) -> str:
    """Scheme, host and port of a URL: the place that credentials belong to."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def check_proxy(url: str) -> None:
    """:raises InputError: when this cannot be the URL of a proxy; the URL is not shown, since it may hold a password."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0 and not re.search(r"\s", url)
    except ValueError:
        good = False
    if not good:
        raise InputError("proxy", "it is no URL of an HTTP proxy", "Write it as http://proxy.example.com:3128.")


def safe_url(url: str) -> str:
    """A URL as it may be shown: without user information and without a query, which may hold signatures."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _adapter(settings: HttpSettings, context: ssl.SSLContext | None) -> Any:
    """An adapter of requests that keeps to the one SSL context given.

    The class is made here because its base exists only where requests is installed.
    """
    adapters = load("requests").adapters
    if context is not None and load("urllib3").__version__.startswith("1."):
        # urllib3 1.26 tells OpenSSL no name for a host that is an IP address, and compares names itself where OpenSSL does not
        context.check_hostname = False
    names = {} if settings.tls.verify else {"assert_hostname": False}
    pools = _pools(settings.read_timeout)

    class ContextAdapter(adapters.HTTPAdapter):  # type: ignore[misc,name-defined]
        def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
            super().init_poolmanager(connections, maxsize, block, ssl_context=context, **kwargs)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
            manager = super().proxy_manager_for(proxy, ssl_context=context, **kwargs)
            manager.pool_classes_by_scheme = pools
            return manager

        # requests would load its own authorities into every new connection, by this method before 2.32 and by the next since
        def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
            if names:
                conn.assert_hostname = False

        def build_connection_pool_key_attributes(
            self, request: Any, verify: Any, cert: Any = None
        ) -> tuple[dict[str, Any], dict[str, Any]]:
            parts = urlsplit(request.url)
            host = {"scheme": parts.scheme, "host": parts.hostname, "port": parts.port}
            return host, names if parts.scheme == "https" else {}

    # a worker may read from a registry and write to the same at once
    connections = max(4, settings.connections)
    return ContextAdapter(pool_connections=connections, pool_maxsize=2 * connections, max_retries=0)


def _pools(seconds: float) -> dict[str, Any]:
    """Connection pools, by scheme, that give a server as long to take a body as to answer.

    urllib3 sends a body under the limit for connecting: on a slow link, or before a disk that is busy, uploads would run into it.
    """
    pools = load("urllib3").connectionpool

    def patient(pool: Any) -> Any:
        class Connection(pool.ConnectionCls):  # type: ignore[misc]
            def connect(self) -> None:
                super().connect()
                self.sock.settimeout(seconds)

            def request(self, *args: Any, **kwargs: Any) -> None:
                if self.sock is not None:
                    # what it sets on the socket before it sends
                    self.timeout = seconds
                super().request(*args, **kwargs)

        return type(pool.__name__, (pool,), {"ConnectionCls": Connection})

    return {"http": patient(pools.HTTPConnectionPool), "https": patient(pools.HTTPSConnectionPool)}
