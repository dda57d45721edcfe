# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small HTTP/1.1 server for loopback: a thread per connection, keep-alive, and control over every byte.

The standard library's server would do for plain answers; faults need more: connections that end in the middle of a
body, with a FIN or with a RST, and bodies that crawl or stop.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from urllib.parse import parse_qs, unquote, urlsplit

from ansible_collections.quayside.airgap.tests.sandbox.http_messages import (
    CHUNK,
    MAX_HEAD,
    SLOW_UNIT,
    BadRequest,
    Disconnected,
    Dropped,
    HttpRequest,
    HttpResponse,
    RequestBody,
    WirePlan,
)
from ansible_collections.quayside.airgap.tests.sandbox.request_log import Request, RequestLog

try:
    import fcntl
    import termios

    SEES_QUEUE = True
except ImportError:  # no such call on this platform: a reset may then overtake the bytes before it
    SEES_QUEUE = False

__all__ = ["Dropped", "Handler", "HttpRequest", "HttpResponse", "HttpServer", "WirePlan"]

# An unread request body up to this size is read and thrown away so that the connection can be kept (as Go does);
# a longer one costs the connection.
DRAIN_LIMIT = 256 << 10
LINGER_SECONDS = 1.0
TLS_HANDSHAKE = b"\x16"
NO_BODY = frozenset({204, 304})


Handler = Callable[[HttpRequest], HttpResponse]


class HttpServer:
    """Listens on 127.0.0.1 and answers every request with what `handler` returns.

    port      0: any free one; known after start()
    context   TLS settings, None for plain http
    name      what `Request.server` says in the log
    """

    def __init__(
        self,
        handler: Handler,
        log: RequestLog,
        *,
        port: int = 0,
        context: ssl.SSLContext | None = None,
        name: str = "api",
        software: str = "sandbox",
    ) -> None:
        self.port = port
        self.stopping = threading.Event()
        self.tls_failures = 0
        self._handler = handler
        self._log = log
        self._context = context
        self._name = name
        self._software = software
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "https" if self._context else "http"

    def start(self) -> None:
        """Bind and begin to answer."""
        self.stopping.clear()
        listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._acceptor = threading.Thread(target=self._accept, args=(listener,), name=f"{self._name}-accept", daemon=True)
        self._acceptor.start()

    def stop(self) -> None:
        """Stop listening and end all connections."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        self.stopping.set()
        with contextlib.suppress(OSError):  # wakes the thread that waits in accept()
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        if self._acceptor:
            self._acceptor.join(5)
        listener.close()
        with self._lock:
            connections = dict(self._connections)
        for connection, thread in connections.items():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(5)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                accepted, _peer = listener.accept()
            except OSError:
                return
            if self.stopping.is_set():
                accepted.close()
                return
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = next(self._numbers)
            thread = threading.Thread(target=self._serve, args=(accepted, number), name=f"{self._name}-{number}", daemon=True)
            with self._lock:
                self._connections[accepted] = thread
            thread.start()

    def _serve(self, accepted: socket.socket, number: int) -> None:
        connection = accepted
        try:
            if self._context:
                # Here and not before accept() returned: a slow client must not keep others waiting.
                connection = self._context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
                with self._lock:
                    self._connections[connection] = self._connections.pop(accepted)
                try:
                    connection.do_handshake()
                except OSError:
                    self.tls_failures += 1
                    return
            _Connection(connection, number, self).run(self._handler, self._log, self._name, self._software)
        except (OSError, Disconnected):
            pass  # the client went away; the log has what it asked
        finally:
            with self._lock:
                self._connections.pop(connection, None)
            connection.close()


class _Connection:
    """One client connection: reads requests and writes answers until either side ends it."""

    def __init__(self, connection: socket.socket, number: int, server: HttpServer) -> None:
        self._socket = connection
        self._number = number
        self._server = server
        self._reader = connection.makefile("rb")

    def run(self, handler: Handler, log: RequestLog, name: str, software: str) -> None:
        try:
            while not self._server.stopping.is_set():
                try:
                    request = self._receive(name)
                except BadRequest as error:
                    self._send(HttpResponse(400, body=f"{error}\n".encode(), close=True), None, software)
                    return
                if request is None:
                    return
                log.begin(request.record)
                try:
                    keep = self._answer(handler, request, software)
                finally:
                    request.record.bytes_in = request.body.consumed
                    log.end()
                if not keep:
                    return
        except Dropped as dropped:
            if dropped.reset:
                self._reset()
            else:
                self._linger()
        finally:
            self._reader.close()

    def _receive(self, name: str) -> HttpRequest | None:
        if self._reader.peek(1)[:1] == TLS_HANDSHAKE:
            # A client that tries https first: its bytes hold no line to wait for.
            raise BadRequest("this is an HTTP server")
        line = self._reader.readline(MAX_HEAD)
        while line in (b"\r\n", b"\n"):
            line = self._reader.readline(MAX_HEAD)
        if not line:
            return None
        parts = line.decode("latin-1").split()
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            raise BadRequest("malformed request line")
        method, target, version = parts
        headers = self._headers()
        split = urlsplit(target)
        encoding = headers.get("transfer-encoding", "").lower()
        try:
            length = None if encoding == "chunked" else int(headers.get("content-length", "0"))
        except ValueError:
            raise BadRequest("Content-Length is not a number") from None

        def send_continue() -> None:
            self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

        continue_first = send_continue if headers.get("expect", "").lower() == "100-continue" else None
        path = unquote(split.path)
        query = parse_qs(split.query, keep_blank_values=True)
        seen = {key: value for key, value in headers.items() if key != "authorization"}
        scheme = headers.get("authorization", "").partition(" ")[0].lower()
        if version == "HTTP/1.0":
            headers.setdefault("connection", "close")
        return HttpRequest(
            method=method,
            path=path,
            query=query,
            raw_query=split.query,
            headers=headers,
            body=RequestBody(self._reader, length, continue_first, self._server.stopping),
            base_url=f"{self._server.scheme}://{headers.get('host', '')}",
            record=Request(method, path, query, seen, self._number, auth=scheme, server=name),
        )

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        size = 0
        while True:
            line = self._reader.readline(MAX_HEAD)
            size += len(line)
            if not line.endswith(b"\n"):
                raise Disconnected
            if line in (b"\r\n", b"\n"):
                return headers
            if size > MAX_HEAD:
                raise BadRequest("headers are too long")
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon:
                raise BadRequest("malformed header")
            key = name.strip().lower()
            # A header that is sent twice is one list, as HTTP says.
            headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()

    def _answer(self, handler: Handler, request: HttpRequest, software: str) -> bool:
        """Handle one request; True when the connection stays open."""
        response = handler(request)
        # A final answer may come before the body was read; keeping the connection means reading the rest.
        drained = request.body.finished or request.body.drain(DRAIN_LIMIT)
        keep = drained and not response.close and request.headers.get("connection", "").lower() != "close"
        response.close = not keep
        request.record.bytes_in = request.body.consumed
        self._send(response, request, software)
        if not drained:
            self._linger()
        return keep

    def _send(self, response: HttpResponse, request: HttpRequest | None, software: str) -> None:
        plan = response.plan or WirePlan()
        if plan.before_head:
            self._end(plan)
        record = request.record if request else None
        bodiless = response.status in NO_BODY or (request is not None and request.method == "HEAD")
        headers = {"Server": software, **response.headers}
        if response.status not in NO_BODY:
            headers.setdefault("Content-Length", str(response.size))
        if response.close:
            headers["Connection"] = "close"
        if record:
            record.status = response.status
            planned = response.size if plan.cut_after is None else min(response.size, plan.cut_after)
            record.bytes_out = 0 if bodiless else planned
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        first = f"HTTP/1.1 {response.status} {_reason(response.status)}\r\n{head}\r\n".encode("latin-1")
        if bodiless:
            self._socket.sendall(first)
            if plan.cut_after is not None:
                self._end(plan)
            return
        if response.plan is None and response.stream is None and len(response.body) <= CHUNK:
            self._socket.sendall(first + response.body)
            return
        self._socket.sendall(first)
        sent = 0
        for piece in response.pieces():
            for part in _parts(piece, SLOW_UNIT if plan.pause else CHUNK):
                if plan.cut_after is not None and sent + len(part) >= plan.cut_after:
                    self._socket.sendall(part[: plan.cut_after - sent])
                    self._end(plan)
                if plan.pause:
                    self._server.stopping.wait(plan.pause * len(part) / SLOW_UNIT)
                self._socket.sendall(part)
                sent += len(part)
        if plan.cut_after is not None:
            self._end(plan)

    def _end(self, plan: WirePlan) -> None:
        if plan.ending == "stall":
            self._server.stopping.wait(plan.stall)
        raise Dropped(reset=plan.ending == "reset")

    def _reset(self) -> None:
        """End with RST, after the client has received everything sent so far."""
        self._flush()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _flush(self) -> None:
        """Wait until the kernel has delivered what was sent: a RST throws away what is still queued."""
        if not SEES_QUEUE:
            return
        deadline = time.monotonic() + LINGER_SECONDS
        while time.monotonic() < deadline:
            queued = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, b"\0" * 4)
            if struct.unpack("i", queued)[0] == 0:
                return
            time.sleep(0.001)

    def _linger(self) -> None:
        """End with FIN although bytes of the client may be unread: closing at once would send a RST."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            self._socket.settimeout(LINGER_SECONDS)
            deadline = time.monotonic() + LINGER_SECONDS
            while time.monotonic() < deadline and self._socket.recv(CHUNK):
                pass


def _parts(piece: memoryview, size: int) -> Iterator[memoryview]:
    for start in range(0, len(piece), size):
        yield piece[start : start + size]


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
