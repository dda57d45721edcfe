# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection through the proxy: forwards messages byte for byte, and counts what passes."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

CHUNK = 256 << 10
PIPE_SIZE = 1 << 20
MAX_HEAD = 64 << 10
# Requests to this path are answered by the proxy itself and not counted: GET gives the statistics, DELETE clears them.
STATS_PATH = "/.proxy/stats"
# At first the head of a message is read; what comes with it belongs to the body.
HEAD_END = b"\r\n\r\n"
TLS_HANDSHAKE = b"\x16"
_SPLICE = getattr(os, "splice", None)  # Linux, Python 3.10


class ProxyError(Exception):
    """A peer sent something that is not HTTP/1.1, or ended in the middle of a message."""


class Statistics:
    """Counts requests by method and bytes by direction, heads included."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._methods: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self._upstream = 0
        self._downstream = 0
        self._connections = 0
        self._active = 0
        self._peak = 0

    def connection(self) -> None:
        with self._lock:
            self._connections += 1

    def begin(self, method: str) -> None:
        with self._lock:
            self._methods[method] += 1
            self._active += 1
            self._peak = max(self._peak, self._active)

    def end(self) -> None:
        with self._lock:
            self._active -= 1

    def answered(self, status: int) -> None:
        with self._lock:
            self._statuses[status] += 1

    def moved(self, size: int, *, up: bool) -> None:
        with self._lock:
            if up:
                self._upstream += size
            else:
                self._downstream += size

    def reset(self) -> None:
        with self._lock:
            self._methods.clear()
            self._statuses.clear()
            self._upstream = self._downstream = self._connections = 0
            self._peak = self._active

    def snapshot(self) -> dict[str, Any]:
        with self._lock:
            return {
                "requests": sum(self._methods.values()),
                "methods": dict(sorted(self._methods.items())),
                "statuses": {str(status): count for status, count in sorted(self._statuses.items())},
                "bytes_up": self._upstream,
                "bytes_down": self._downstream,
                "connections": self._connections,
                "peak": self._peak,
            }


class _Stream:
    """One side of a relayed connection: a socket and what was read from it beyond the last message."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self.buffer = bytearray()

    def read_head(self) -> bytes:
        """The head of the next message with its empty line; empty when the peer has closed between messages."""
        while True:
            end = self.buffer.find(HEAD_END)
            if end >= 0:
                head = bytes(self.buffer[: end + len(HEAD_END)])
                del self.buffer[: end + len(HEAD_END)]
                return head
            # A client that tries https first sends no line to wait for.
            if len(self.buffer) > MAX_HEAD or self.buffer[:1] == TLS_HANDSHAKE:
                raise ProxyError("not an HTTP/1.1 message")
            piece = self.socket.recv(MAX_HEAD)
            if not piece:
                if self.buffer:
                    raise ProxyError("connection ended in a head")
                return b""
            self.buffer += piece

    def closed(self) -> bool:
        """True when the peer has ended a connection on which nothing is expected."""
        return not self.buffer and bool(_readable([self.socket], 0))


class _Head:
    """The parts of a message head that decide about its body."""

    def __init__(self, raw: bytes) -> None:
        lines = raw.decode("latin-1").split("\r\n")
        self.first = lines[0].split(" ", 2)
        if len(self.first) < 2:
            raise ProxyError("malformed first line")
        fields = [line.partition(":") for line in lines[1:] if line]
        self.headers = {name.strip().lower(): value.strip() for name, _unused, value in fields}
        self.chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        self.length = int(self.headers["content-length"]) if "content-length" in self.headers else None
        self.close = self.headers.get("connection", "").lower() == "close"

    @property
    def status(self) -> int:
        """Status of an answer."""
        return int(self.first[1])


class Relay:
    """Carries the messages of one client connection; `wait` is called before each request is forwarded."""

    def __init__(self, client: socket.socket, upstream_port: int, wait: Callable[[], None], statistics: Statistics) -> None:
        self._upstream_port = upstream_port
        self._wait = wait
        self._statistics = statistics
        self._client = _Stream(client)
        self._upstream: _Stream | None = None
        self._pipe: tuple[int, int] | None = None

    def end(self) -> None:
        """Make run() return, from another thread."""
        for stream in (self._client, self._upstream):
            if stream:
                with contextlib.suppress(OSError):
                    stream.socket.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        """Forward requests until either side ends the connection."""
        try:
            while self._one_request():
                pass
        except ConnectionResetError:
            # What upstream does to us the client shall see: a RST stays a RST.
            with contextlib.suppress(OSError):
                self._client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except (OSError, ProxyError, ValueError):
            pass
        finally:
            self._client.socket.close()
            if self._upstream:
                self._upstream.socket.close()
            for descriptor in self._pipe or ():
                os.close(descriptor)

    def _one_request(self) -> bool:
        raw = self._client.read_head()
        if not raw:
            return False
        head = _Head(raw)
        if head.first[1].startswith(STATS_PATH):
            self._own_answer(head)
            return True
        self._statistics.begin(head.first[0])
        try:
            self._wait()
            upstream = self._connect()
            self._send(upstream, raw)
            return self._exchange(upstream, head)
        finally:
            self._statistics.end()

    def _connect(self) -> _Stream:
        """The upstream connection, a new one when upstream has closed the old one while it was idle."""
        if self._upstream and self._upstream.closed():
            self._upstream.socket.close()
            self._upstream = None
        if self._upstream is None:
            self._upstream = _Stream(socket.create_connection(("127.0.0.1", self._upstream_port)))
        return self._upstream

    def _exchange(self, upstream: _Stream, head: _Head) -> bool:
        """Carry the request's body up and the answer down; True when the connection can be used again."""
        body = _Body(head.length or 0, head.chunked)
        final: _Head | None = None
        # An answer may come before the body has been sent: an interim 100, or a refusal.
        while not body.finished:
            if not self._client.buffer:
                waiting = [self._client.socket] if final else [self._client.socket, upstream.socket]
                if upstream.socket in _readable(waiting):
                    answered = self._answer(upstream, head)
                    if answered is None:
                        return False
                    if answered.status >= 200:
                        final = answered
                    continue
            try:
                self._forward(self._client, upstream, body)
            except (BrokenPipeError, ConnectionResetError):
                # Upstream has closed without reading the rest; its answer may be there all the same.
                if final is None:
                    self._answer(upstream, head)
                return False
        while final is None:
            answered = self._answer(upstream, head)
            if answered is None:
                return False
            if answered.status >= 200:
                final = answered
        return not (head.close or final.close)

    def _answer(self, upstream: _Stream, request: _Head) -> _Head | None:
        """Carry one answer (or interim answer) down; None when there is none or the connection ends with it."""
        raw = upstream.read_head()
        if not raw:
            return None
        head = _Head(raw)
        self._send(self._client, raw)
        if head.status < 200:
            return head
        self._statistics.answered(head.status)
        if request.first[0] == "HEAD" or head.status in (204, 304):
            return head
        if head.length is None and not head.chunked:
            # The end of the connection is the end of the body.
            self._forward_all(upstream)
            return None
        body = _Body(head.length or 0, head.chunked)
        while not body.finished:
            self._forward(upstream, self._client, body)
        return head

    def _forward(self, source: _Stream, target: _Stream, body: _Body) -> None:
        """Carry a piece of a body."""
        if not source.buffer and not body.chunked and _SPLICE and self._splice(source, target, body):
            return
        if not source.buffer:
            piece = source.socket.recv(CHUNK)
            if not piece:
                raise ProxyError("connection ended in a body")
            source.buffer += piece
        size = body.take(source.buffer)
        piece = bytes(source.buffer[:size])
        del source.buffer[:size]
        self._send(target, piece)

    def _splice(self, source: _Stream, target: _Stream, body: _Body) -> bool:
        """Carry a piece inside the kernel."""
        if self._pipe is None:
            self._pipe = os.pipe()
            import fcntl

            with contextlib.suppress(OSError, AttributeError):
                fcntl.fcntl(self._pipe[1], fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        assert _SPLICE is not None
        moved = _SPLICE(source.socket.fileno(), self._pipe[1], min(body.left, PIPE_SIZE))
        if not moved:
            raise ProxyError("connection ended in a body")
        left = moved
        while left:
            left -= _SPLICE(self._pipe[0], target.socket.fileno(), left)
        body.left -= moved
        self._statistics.moved(moved, up=target is not self._client)
        return True

    def _forward_all(self, upstream: _Stream) -> None:
        if upstream.buffer:
            self._send(self._client, bytes(upstream.buffer))
        while piece := upstream.socket.recv(CHUNK):
            self._send(self._client, piece)

    def _send(self, target: _Stream, data: bytes) -> None:
        target.socket.sendall(data)
        self._statistics.moved(len(data), up=target is not self._client)

    def _own_answer(self, head: _Head) -> None:
        if head.first[0] == "DELETE":
            self._statistics.reset()
        body = json.dumps(self._statistics.snapshot()).encode()
        answer = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._client.socket.sendall(answer.encode() + body)


def _readable(sockets: list[socket.socket], timeout: int | None = None) -> list[socket.socket]:
    """Those of some sockets that have something to read, or have been closed; `timeout` in milliseconds."""
    poll = select.poll()
    for item in sockets:
        poll.register(item, select.POLLIN)
    ready = {descriptor for descriptor, _event in poll.poll(timeout)}
    return [item for item in sockets if item.fileno() in ready]


class _Body:
    """How much of a body is still to come."""

    def __init__(self, length: int, chunked: bool) -> None:
        self.left = length
        self.chunked = chunked
        self.finished_chunks = False
        self._in_chunk = 0  # bytes of the present chunk, its line end included, that are still to come
        self._line = bytearray()  # the part of a chunk-size or trailer line that has come so far
        self._trailer = False

    @property
    def finished(self) -> bool:
        """True when all of it has passed."""
        return self.finished_chunks if self.chunked else self.left == 0

    def take(self, data: bytearray) -> int:
        """How many bytes of `data` belong to this body."""
        if not self.chunked:
            size = min(self.left, len(data))
            self.left -= size
            return size
        position = 0
        while position < len(data) and not self.finished_chunks:
            if self._in_chunk:
                step = min(self._in_chunk, len(data) - position)
                self._in_chunk -= step
                position += step
                continue
            end = data.find(b"\n", position)
            stop = len(data) if end < 0 else end + 1
            self._line += data[position:stop]
            position = stop
            if end >= 0:
                self._end_of_line()
        return position

    def _end_of_line(self) -> None:
        line = bytes(self._line).strip()
        self._line.clear()
        if self._trailer:
            self.finished_chunks = not line
            return
        size = int(line.split(b";", 1)[0], 16)
        self._trailer = size == 0
        self._in_chunk = size + 2 if size else 0
