# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small HTTP/1.1 server for loopback: a thread per connection, keep-alive, and control over every byte.

The standard library's server would do for plain answers; faults need more: connections that end in the middle of a
body, with a FIN or with a RST, and bodies that crawl or stop.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, unquote, urlsplit

from ansible_collections.quayside.airgap.tests.sandbox.request_log import Request, RequestLog

try:
    import fcntl
    import termios
except ImportError:  # no such calls on this platform: a reset may then overtake the bytes before it
    fcntl = None  # type: ignore[assignment]

CHUNK = 256 << 10
# The unit of the `slow` fault: it waits once per this many bytes.
SLOW_UNIT = 64 << 10
MAX_HEAD = 64 << 10
# An unread request body up to this size is read and thrown away so that the connection can be kept (as Go does);
# a longer one costs the connection.
DRAIN_LIMIT = 256 << 10
LINGER_SECONDS = 1.0
TLS_HANDSHAKE = b"\x16"
NO_BODY = frozenset({204, 304})


class Dropped(Exception):
    """The connection is to end now, without an answer; with `reset` by RST, else by FIN."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__("reset" if reset else "closed")
        self.reset = reset


class Disconnected(Exception):
    """The client went away in the middle of its request."""


class BadRequest(Exception):
    """What arrived is not HTTP; the message says why."""


@dataclass(frozen=True)
class WirePlan:
    """How a body travels when a fault is injected.

    cut_after  bytes of the body after which `ending` happens; None: nothing is cut
    ending     `reset` (RST), `close` (FIN), `stall` (wait `stall` seconds, then close)
    pause      seconds to wait per 64 KiB
    before_head   `ending` happens before anything of an answer is sent
    """

    cut_after: int | None = None
    ending: str = "close"
    stall: float = 0.0
    pause: float = 0.0
    before_head: bool = False


class RequestBody:
    """The body of a request, read as it arrives. A plan makes it slow or ends the connection in the middle."""

    def __init__(
        self, reader: io.BufferedReader, length: int | None, before_read: Callable[[], None] | None, stopping: threading.Event
    ) -> None:
        # `before_read` is there when the client waits for "100 Continue" before it sends the body.
        self.length = length  # None: chunked
        self.consumed = 0
        self.plan: WirePlan | None = None
        self._reader = reader
        self._left = length or 0
        self._chunk_left = 0
        self._finished = length == 0
        self._before_read = before_read
        self._stopping = stopping

    @property
    def finished(self) -> bool:
        """True when nothing is left to read."""
        return self._finished

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """The body in pieces of at most `size` bytes; raises Disconnected, or Dropped when a fault says so."""
        while True:
            limit = size
            if self.plan:
                if self.plan.cut_after is not None:
                    limit = min(limit, self.plan.cut_after - self.consumed)
                    if limit <= 0 or self._finished:
                        self._end(self.plan)
                        return
                if self.plan.pause:
                    limit = min(limit, SLOW_UNIT)
            if self._finished:
                return
            piece = self._read(limit)
            if not piece:
                continue
            self.consumed += len(piece)
            if self.plan and self.plan.pause:
                self._stopping.wait(self.plan.pause * len(piece) / SLOW_UNIT)
            yield piece

    def read(self, limit: int) -> bytes:
        """The whole body; ValueError when it is longer than `limit` bytes."""
        pieces = []
        for piece in self.chunks():
            pieces.append(piece)
            if self.consumed > limit:
                raise ValueError(f"body is longer than {limit} bytes")
        return b"".join(pieces)

    def drain(self, limit: int) -> bool:
        """Throw the rest away; False when there is more than `limit` bytes of it."""
        self.plan = None
        if self._before_read is not None and not self._finished:
            # The client has not sent the body and will not after a final answer.
            return False
        if self.length is not None and self._left > limit:
            return False
        start = self.consumed
        return all(self.consumed - start <= limit for _ in self.chunks())

    def _end(self, plan: WirePlan) -> None:
        if plan.ending == "stall":
            self._stopping.wait(plan.stall)
        raise Dropped(reset=plan.ending == "reset")

    def _read(self, limit: int) -> bytes:
        if self._before_read is not None:
            self._before_read()
            self._before_read = None
        if self.length is not None:
            piece = self._some(min(limit, self._left))
            self._left -= len(piece)
            self._finished = self._left == 0
            return piece
        if self._chunk_left == 0:
            self._chunk_left = self._chunk_size()
            if self._chunk_left == 0:
                while self._line():
                    pass
                self._finished = True
                return b""
        piece = self._some(min(limit, self._chunk_left))
        self._chunk_left -= len(piece)
        if self._chunk_left == 0:
            self._line()
        return piece

    def _some(self, limit: int) -> bytes:
        piece = self._reader.read1(limit)
        if not piece:
            raise Disconnected
        return piece

    def _chunk_size(self) -> int:
        line = self._line().split(b";", 1)[0].strip()
        try:
            return int(line, 16)
        except ValueError:
            raise BadRequest("chunk size is not a hexadecimal number") from None

    def _line(self) -> bytes:
        line = self._reader.readline(MAX_HEAD)
        if not line.endswith(b"\n"):
            raise Disconnected
        return line.rstrip(b"\r\n")


@dataclass
class HttpRequest:
    """A request to be handled. `headers` have lower-case names; `base_url` is how the client addressed this server."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    raw_query: str
    headers: Mapping[str, str]
    body: RequestBody
    base_url: str
    record: Request

    def first(self, name: str) -> str | None:
        """First value of a query parameter, None when it was not sent."""
        values = self.query.get(name)
        return values[0] if values else None


@dataclass
class HttpResponse:
    """An answer. `stream` (with `length`) instead of `body` for content that need not be in memory at once.

    The same answer serves GET and HEAD: for HEAD only its length is sent.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    stream: Iterator[bytes] | None = None
    length: int = 0
    plan: WirePlan | None = None
    close: bool = False

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return self.length if self.stream is not None else len(self.body)

    def pieces(self) -> Iterator[memoryview]:
        """The body in pieces."""
        if self.stream is not None:
            for piece in self.stream:
                yield memoryview(piece)
        else:
            view = memoryview(self.body)
            for start in range(0, len(view), CHUNK):
                yield view[start : start + CHUNK]


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
            thread = threading.Thread(
                target=self._serve, args=(accepted, number), name=f"{self._name}-{number}", daemon=True
            )
            with self._lock:
                self._connections[accepted] = thread
            thread.start()

    def _serve(self, accepted: socket.socket, number: int) -> None:
        connection = accepted
        try:
            if self._context:
                # Here and not before accept() returned: a slow client must not keep others waiting.
                try:
                    connection = self._context.wrap_socket(accepted, server_side=True)
                except OSError:
                    self.tls_failures += 1
                    return
                with self._lock:
                    self._connections[connection] = self._connections.pop(accepted)
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
        self._reader = io.BufferedReader(socket.SocketIO(connection, "r"), CHUNK)

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
        if fcntl is None:
            return
        deadline = time.monotonic() + LINGER_SECONDS
        while time.monotonic() < deadline:
            queued = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, b"\0" * 4)
            if struct.unpack("i", queued)[0] == 0:
                return
            time.sleep(0.001)

    def _linger(self) -> None:
        """Let the client read the answer although its body was not read: closing at once would send a RST."""
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
