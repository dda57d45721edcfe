# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reverse proxy on loopback that makes every request wait, for measuring what round trips cost, and counts them.

It forwards bytes as they are: Host, Location and all other headers stay, so that an upload Location that a registry
builds from Host, or a relative one, leads through the proxy again. One upstream connection per client connection;
bodies go from socket to socket inside the kernel where the platform can do that (splice), so that the proxy hardly
costs processor time. Plain HTTP/1.1 only.

As a program: python -m ansible_collections.quayside.airgap.tests.sandbox.proxy --upstream-port 5000 --delay 0.03
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.proxy_relay import STATS_PATH, Relay, Statistics

__all__ = ["STATS_PATH", "LatencyProxy", "main", "write_file"]


class LatencyProxy:
    """Forwards to 127.0.0.1:`upstream_port` and lets every request wait `delay_seconds` first.

    Delays of requests on different connections overlap, as round trips do. `delay_seconds` may be changed while the
    proxy runs. `stats` has requests, methods, statuses, bytes_up (towards upstream), bytes_down, connections, peak.
    """

    def __init__(self, upstream_port: int, delay_seconds: float = 0.0, *, port: int = 0) -> None:
        self.upstream_port = upstream_port
        self.delay_seconds = delay_seconds
        self.port = port
        self.stopping = threading.Event()
        self.statistics = Statistics()
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._lock = threading.Lock()
        self._threads: dict[Relay, threading.Thread] = {}

    def __enter__(self) -> LatencyProxy:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def host(self) -> str:
        """`127.0.0.1:port`, as image references start."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """`http://127.0.0.1:port`."""
        return f"http://{self.host}"

    @property
    def stats(self) -> dict[str, Any]:
        """What has passed since the start or the last reset_stats()."""
        return self.statistics.snapshot()

    def reset_stats(self) -> None:
        """Count from nothing again."""
        self.statistics.reset()

    def start(self) -> None:
        """Bind and begin to forward."""
        self.stopping.clear()
        listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._acceptor = threading.Thread(target=self._accept, args=(listener,), name="proxy-accept", daemon=True)
        self._acceptor.start()

    def stop(self) -> None:
        """End all connections and free the port."""
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
            threads = dict(self._threads)
        for relay, thread in threads.items():
            relay.end()
            thread.join(5)

    def _wait(self) -> None:
        if self.delay_seconds:
            self.stopping.wait(self.delay_seconds)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _peer = listener.accept()
            except OSError:
                return
            if self.stopping.is_set():
                client.close()
                return
            relay = Relay(client, self.upstream_port, self._wait, self.statistics)
            thread = threading.Thread(target=self._serve, args=(relay,), name="proxy-relay", daemon=True)
            with self._lock:
                self._threads[relay] = thread
            thread.start()

    def _serve(self, relay: Relay) -> None:
        self.statistics.connection()
        try:
            relay.run()
        finally:
            with self._lock:
                self._threads.pop(relay, None)


def main(arguments: list[str] | None = None) -> int:
    """Run a proxy until SIGTERM, SIGINT or the end of its lifetime."""
    parser = argparse.ArgumentParser(description="Delay and count the requests to a server on loopback.")
    parser.add_argument("--upstream-port", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds per request")
    parser.add_argument("--port", type=int, default=0, help="port to listen on, 0: any free one")
    parser.add_argument("--port-file", type=Path, help="file to write the port to, once it is open")
    parser.add_argument("--stats-file", type=Path, help="file to write the statistics to, at the end")
    parser.add_argument("--lifetime", type=float, default=3600.0, help="seconds after which the proxy ends by itself")
    options = parser.parse_args(arguments)
    finished = threading.Event()

    def finish(_number: int, _frame: FrameType | None) -> None:
        finished.set()

    signal.signal(signal.SIGTERM, finish)
    signal.signal(signal.SIGINT, finish)
    with LatencyProxy(options.upstream_port, options.delay, port=options.port) as proxy:
        if options.port_file:
            write_file(options.port_file, f"{proxy.port}\n")
        else:
            print(proxy.port, flush=True)
        finished.wait(options.lifetime)
        if options.stats_file:
            write_file(options.stats_file, json.dumps(proxy.stats) + "\n")
    return 0


def write_file(path: Path, text: str) -> None:
    """Write a file that others wait for: it appears complete or not at all."""
    partial = path.with_name(path.name + ".tmp")
    partial.write_text(text)
    os.replace(partial, path)


if __name__ == "__main__":
    sys.exit(main())
