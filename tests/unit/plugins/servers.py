# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small servers that say exactly what a test tells them to: answers by function, raw bytes, and a proxy."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Callable

from ansible_collections.quayside.airgap.tests.sandbox.http_server import HttpRequest, HttpResponse, HttpServer
from ansible_collections.quayside.airgap.tests.sandbox.request_log import Request, RequestLog

_SECONDS = 10.0

Answer = Callable[[HttpRequest], HttpResponse]


@dataclass(frozen=True)
class Call:
    """A request as it arrived; names of headers in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


def reply(status: int = 200, body: bytes | str = b"", **headers: str) -> HttpResponse:
    """An answer; header names are written with underscores: ``reply(429, Retry_After="1")``."""
    content = body.encode() if isinstance(body, str) else body
    return HttpResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


class ScriptedServer:
    """Answers with what it is given: one function, or a list of answers of which the last is repeated."""

    def __init__(self, script: Answer | Iterable[HttpResponse], context: ssl.SSLContext | None = None) -> None:
        self.calls: list[Call] = []
        self.log = RequestLog()
        self._script = script if callable(script) else None
        self._answers = [] if callable(script) else list(script)
        self._lock = threading.Lock()
        self._server = HttpServer(self._handle, self.log, context=context)

    def __enter__(self) -> ScriptedServer:
        self._server.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.stop()

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self._server.scheme}://{self.host}"

    @property
    def connections(self) -> int:
        """How many TCP connections were used."""
        return len({request.connection for request in self.log.select()})

    @property
    def requests(self) -> list[Request]:
        return list(self.log.select())

    def _handle(self, request: HttpRequest) -> HttpResponse:
        body = request.body.read(64 << 20)
        with self._lock:
            self.calls.append(Call(request.method, request.path, request.raw_query, request.headers, body))
            if self._script is None:
                given = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                # the server marks an answer that it sends: the repeated one must not carry that over
                return HttpResponse(given.status, dict(given.headers), given.body, plan=given.plan)
        return self._script(request)


@contextlib.contextmanager
def raw_server(talk: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Hands every connection to ``talk``, in a thread of its own, and closes it then; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    over = threading.Event()
    open_sockets: set[socket.socket] = set()

    def serve(connection: socket.socket) -> None:
        open_sockets.add(connection)
        with contextlib.suppress(OSError):
            try:
                speaking = context.wrap_socket(connection, server_side=True) if context else connection
                open_sockets.add(speaking)
                talk(speaking)
                speaking.close()
            finally:
                connection.close()

    def accept() -> None:
        while not over.is_set():
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            connection.settimeout(_SECONDS)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in list(open_sockets):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        acceptor.join(_SECONDS)


def read_head(connection: socket.socket) -> bytes:
    """The request line and headers of one request; empty when the client left."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65536)
        if not piece:
            return b""
        head += piece
    return head


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Proxy:
    """An HTTP proxy: forwards absolute-form requests and opens CONNECT tunnels, all to one place whatever the name asked for.

    So that a test can ask for ``http://registry.example`` and see who carried the call.

    :param target: port on 127.0.0.1 that everything ends at.
    :param refuse: status to answer CONNECT with instead.
    """

    def __init__(self, target: int, refuse: int = 0) -> None:
        self.asked: list[str] = []
        self.heads: list[bytes] = []
        self._target = target
        self._refuse = refuse
        self._stack = contextlib.ExitStack()
        self.port = 0

    def __enter__(self) -> Proxy:
        self.port = self._stack.enter_context(raw_server(self._talk))
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _talk(self, client: socket.socket) -> None:
        head = read_head(client)
        if not head:
            return
        first, _ignored, rest = head.partition(b"\r\n")
        method, target, _version = first.decode().split()
        self.asked.append(f"{method} {target}")
        self.heads.append(head)
        if method == "CONNECT" and self._refuse:
            client.sendall(f"HTTP/1.1 {self._refuse} No\r\nContent-Length: 0\r\n\r\n".encode())
            return
        with socket.create_connection(("127.0.0.1", self._target), timeout=_SECONDS) as upstream:
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = "/" + target.split("://", 1)[1].partition("/")[2]
                upstream.sendall(f"{method} {path} HTTP/1.1\r\nConnection: close\r\n".encode() + rest)
            back = threading.Thread(target=_pump, args=(upstream, client), daemon=True)
            back.start()
            _pump(client, upstream)
            back.join(_SECONDS)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            piece = source.recv(65536)
            if not piece:
                break
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
