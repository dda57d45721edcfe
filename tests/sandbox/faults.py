# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that a test plans: which requests they meet, how often, and what they do to the answer."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ansible_collections.quayside.airgap.tests.sandbox.answers import html_page
from ansible_collections.quayside.airgap.tests.sandbox.http_messages import Dropped, HttpRequest, HttpResponse, WirePlan
from ansible_collections.quayside.airgap.tests.sandbox.storage import Storage

KINDS = (
    "drop_connection",
    "garbage",
    "lost_blob",
    "reset",
    "short",
    "slow",
    "stall",
    "status",
    "tag_move",
    "truncate",
    "wrong_digest",
    "wrong_manifest",
)
# Longer than any time limit that a test waits for; a stopping server ends the wait.
FOREVER = 3600.0
TITLES = {429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Time-out"}
DIGEST_IN_PATH = re.compile(r"(sha256:[0-9a-f]{64})")
REPOSITORY_IN_PATH = re.compile(r"^/v2/(.+?)/(?:blobs|manifests)/")
TAG_IN_PATH = re.compile(r"^/v2/(.+)/manifests/([^/:]+)$")


@dataclass
class Fault:
    """One planned fault.

    method, path   which requests it meets: methods separated by | (`*`: all) and a regular expression that is
                   searched in the path with its query (`/v2/a/blobs/uploads/?mount=...`; redirected blobs are at
                   `/storage/<digest>`)
    kind           what happens:
        reset            RST after `after_bytes` of the body (request or answer, see `side`); None: before any answer
        truncate         FIN after `after_bytes` of the answer's body (None: half of it); Content-Length says more
        short            only `after_bytes` of the answer's body (None: half of it), and Content-Length agrees
        stall            silence after `after_bytes` of the body (None: before any answer) for `delay` seconds
                         (0: until the server stops), then the connection ends
        slow             `delay` seconds per 64 KiB of the body
        status           `status` (default 503) with an HTML page or `body`, and Retry-After from `retry_after`, after `delay`
                         seconds
        garbage          200 with `body` (default: an HTML page) of `content_type`, after `delay` seconds
        wrong_digest     one byte of the answer's body differs
        wrong_manifest   the answer's body is a correct manifest, but another one
        lost_blob        answered as usual; then the blob that the request named is gone from its repository
        tag_move         answered as usual; then the tag that the request named points to `digest`
        drop_connection  FIN instead of an answer; with `after_effect` the request has done its work before
    times          how many requests it meets, None: all; `skip` matching requests pass before
    side           `request` or `response`: whose body reset, stall and slow work on; default: the request's for
                   methods that carry one
    """

    method: str
    path: str
    kind: str
    times: int | None = 1
    skip: int = 0
    after_bytes: int | None = None
    status: int = 503
    retry_after: str | int | None = None
    delay: float = 0.0
    body: bytes | str | None = None
    content_type: str = "text/html"
    side: str = ""
    digest: str = ""
    after_effect: bool = False
    fired: int = 0
    seen: int = 0

    def __post_init__(self) -> None:
        """Refuse what could never happen: ValueError for an unknown kind or side, or a missing target digest."""
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}, must be one of {', '.join(KINDS)}")
        if self.side not in ("", "request", "response"):
            raise ValueError(f"side is {self.side!r}, must be request or response")
        if self.kind == "tag_move" and not self.digest:
            raise ValueError("tag_move needs the digest to move the tag to")
        self._methods = None if self.method == "*" else frozenset(self.method.split("|"))
        self._pattern = re.compile(self.path)

    def matches(self, request: HttpRequest) -> bool:
        """Whether this fault is meant for a request, however often it has fired."""
        target = f"{request.path}?{request.raw_query}" if request.raw_query else request.path
        return (self._methods is None or request.method in self._methods) and bool(self._pattern.search(target))

    def on_request(self, method: str) -> bool:
        """Whether the fault works on the body that the client sends."""
        return self.side == "request" or (not self.side and method in ("PATCH", "POST", "PUT"))


@dataclass
class FaultPlan:
    """The faults of one server. Only the first that is due meets a request; all that match count it."""

    faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def append(self, fault: Fault) -> None:
        """Plan one more fault."""
        with self._lock:
            self.faults.append(fault)

    def extend(self, faults: Iterable[Fault]) -> None:
        """Plan several more faults."""
        with self._lock:
            self.faults.extend(faults)

    def clear(self) -> None:
        """Plan nothing any more."""
        with self._lock:
            self.faults.clear()

    def __iter__(self) -> Iterator[Fault]:
        return iter(list(self.faults))

    def __len__(self) -> int:
        return len(self.faults)

    @property
    def fired(self) -> int:
        """How many requests have met a fault."""
        return sum(fault.fired for fault in self)

    def take(self, request: HttpRequest) -> Fault | None:
        """The fault that is due for a request, if any."""
        chosen: Fault | None = None
        with self._lock:
            for fault in self.faults:
                if not fault.matches(request):
                    continue
                fault.seen += 1
                due = fault.seen > fault.skip and (fault.times is None or fault.fired < fault.times)
                if due and chosen is None:
                    fault.fired += 1
                    chosen = fault
        return chosen


Answer = Callable[[HttpRequest], HttpResponse]


def answer_with(
    fault: Fault, request: HttpRequest, answer: Answer, storage: Storage, wait: Callable[[float], object] = time.sleep
) -> HttpResponse:
    """What a request gets that has met a fault; `answer` is what it would have got, `wait` lets seconds pass."""
    request.record.fault = fault.kind
    if fault.delay and fault.kind in ("status", "garbage"):
        wait(fault.delay)
    if fault.kind == "status":
        return _status(fault)
    if fault.kind == "garbage":
        return HttpResponse(200, {"Content-Type": fault.content_type}, _bytes(fault.body, "<html>It works!</html>\n"))
    if fault.kind == "drop_connection":
        if fault.after_effect:
            answer(request)
        raise Dropped
    if fault.kind in ("reset", "stall", "slow") and fault.on_request(request.method):
        return _on_request(fault, request, answer)
    response = answer(request)
    if fault.kind == "short":
        return _shortened(fault, response)
    if fault.kind in ("wrong_digest", "wrong_manifest"):
        return _altered(fault, response)
    if fault.kind == "lost_blob":
        _lose_blob(request, response, storage)
        return response
    if fault.kind == "tag_move":
        _move_tag(fault, request, storage)
        return response
    response.plan = _plan(fault, response.size)
    return response


def _plan(fault: Fault, size: int) -> WirePlan:
    """How the body of an answer travels."""
    if fault.kind == "slow":
        return WirePlan(pause=fault.delay)
    if fault.kind == "truncate":
        return WirePlan(size // 2 if fault.after_bytes is None else fault.after_bytes, "close")
    ending = "reset" if fault.kind == "reset" else "stall"
    return WirePlan(fault.after_bytes, ending, stall=fault.delay or FOREVER, before_head=fault.after_bytes is None)


def _on_request(fault: Fault, request: HttpRequest, answer: Answer) -> HttpResponse:
    """Read the body as the fault says; a body that ends before `after_bytes` meets the fault at its end."""
    if fault.kind == "slow":
        request.body.plan = WirePlan(pause=fault.delay)
    else:
        ending = "reset" if fault.kind == "reset" else "stall"
        request.body.plan = WirePlan(fault.after_bytes or 0, ending, stall=fault.delay or FOREVER)
    return answer(request)


def _status(fault: Fault) -> HttpResponse:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    if fault.body is None:
        return html_page(fault.status, TITLES.get(fault.status, "Error"), headers)
    return HttpResponse(fault.status, {"Content-Type": fault.content_type, **headers}, _bytes(fault.body, ""))


def _shortened(fault: Fault, response: HttpResponse) -> HttpResponse:
    """The same answer with the beginning of its body only."""
    body = b"".join(bytes(piece) for piece in response.pieces())
    return HttpResponse(response.status, response.headers, body[: len(body) // 2 if fault.after_bytes is None else fault.after_bytes])


def _altered(fault: Fault, response: HttpResponse) -> HttpResponse:
    """The same answer with other bytes; headers go on naming the digest of the right ones."""
    body = b"".join(bytes(piece) for piece in response.pieces())
    if response.status not in (200, 206) or not body:
        return response
    if fault.kind == "wrong_digest":
        middle = len(body) // 2
        body = body[:middle] + bytes([body[middle] ^ 0x01]) + body[middle + 1 :]
    else:
        # Still JSON with the same meaning: only a client that compares digests can tell.
        body = body.replace(b"{", b"{ ", 1)
    return HttpResponse(response.status, response.headers, body)


def _lose_blob(request: HttpRequest, response: HttpResponse, storage: Storage) -> None:
    repository = REPOSITORY_IN_PATH.match(request.path)
    named = DIGEST_IN_PATH.search(request.path) or DIGEST_IN_PATH.search(request.first("digest") or request.first("mount") or "")
    if repository and named and response.status < 300:
        storage.unlink_blob(repository[1], named[1], forget=True)


def _move_tag(fault: Fault, request: HttpRequest, storage: Storage) -> None:
    match = TAG_IN_PATH.match(request.path)
    if match:
        storage.move_tag(match[1], match[2], fault.digest)


def _bytes(value: bytes | str | None, default: str) -> bytes:
    text = default if value is None else value
    return text.encode() if isinstance(text, str) else text
