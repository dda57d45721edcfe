# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What travels over a connection of the sandbox: requests, their bodies as they arrive, and answers."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.quayside.airgap.tests.sandbox.request_log import Request

CHUNK = 256 << 10
# The unit of the `slow` fault: it waits once per this many bytes.
SLOW_UNIT = 64 << 10
MAX_HEAD = 64 << 10


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
        return all(self.consumed - start <= limit for _piece in self.chunks())

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
