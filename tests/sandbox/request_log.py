# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sandbox server was asked: one record per request, for tests that count requests and bytes."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field


@dataclass
class Request:
    """One request as the server saw it. Written when the request arrives, completed before the answer leaves.

    path, query   decoded path; query values as lists
    status        of the answer; 0 while there is none and for a connection that was dropped instead
    bytes_in      of the request's body; bytes_out of the answer's body, headers not counted
    auth          scheme of the Authorization header (`basic`, `bearer`), empty without one
    headers       names in lower case; the value of Authorization is left out
    connection    number of the TCP connection, from 1; `server` names the listener (`api` or `storage`)
    fault         kind of the injected fault that met this request, empty when none did
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    connection: int
    auth: str = ""
    server: str = "api"
    status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    fault: str = ""

    @property
    def write(self) -> bool:
        """True for a method that changes something."""
        return self.method not in ("GET", "HEAD", "OPTIONS")


Predicate = Callable[[Request], bool]


@dataclass
class RequestLog:
    """Requests in the order of their arrival, shared by all listeners of one server."""

    entries: list[Request] = field(default_factory=list)
    peak: int = 0
    _active: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, request: Request) -> None:
        """Note a request that has arrived."""
        with self._lock:
            self.entries.append(request)
            self._active += 1
            self.peak = max(self.peak, self._active)

    def end(self) -> None:
        """Note that a request has been dealt with."""
        with self._lock:
            self._active -= 1

    def reset(self) -> None:
        """Forget all requests and the peak."""
        with self._lock:
            self.entries = []
            self.peak = self._active

    def select(
        self,
        predicate: Predicate | None = None,
        *,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
    ) -> Iterator[Request]:
        """Requests that fulfil everything given; `method` is a |-separated list, `path` a regular expression."""
        methods = method.split("|") if method else None
        pattern = re.compile(path) if path else None
        with self._lock:
            entries = list(self.entries)
        for entry in entries:
            if (
                (methods is None or entry.method in methods)
                and (pattern is None or pattern.search(entry.path))
                and (status is None or entry.status == status)
                and (predicate is None or predicate(entry))
            ):
                yield entry
