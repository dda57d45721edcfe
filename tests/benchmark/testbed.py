# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two registries with proxies before them, and the workloads that lie in the first."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ansible_collections.quayside.airgap.tests.benchmark.contents import Contents, read_contents
from ansible_collections.quayside.airgap.tests.benchmark.large import LargeShape, push_large
from ansible_collections.quayside.airgap.tests.sandbox.proxy import LatencyProxy
from ansible_collections.quayside.airgap.tests.support.docker_registry import DockerRegistry
from ansible_collections.quayside.airgap.tests.support.workloads import KIB, MIB, SHAPES, Shape, workload

# All repositories lie in this namespace, so that `skopeo sync`, which keeps only the last part of a path, can be given it again.
NAMESPACE = "bench"
LARGE = "L"
# What --quick makes of the workloads: the same traits in a size that takes seconds, to see whether everything works.
QUICK = {
    "A": Shape(images=4, layers=5, layer_size=MIB),
    "B": Shape(images=12, layers=8, layer_size=64 * KIB, shared=4),
    "C": Shape(images=8, layers=5, layer_size=MIB, shared=4, multi_arch_every=4),
}
QUICK_LARGE = LargeShape(images=1, layers=2, layer_size=32 * MIB)
_TLS_HELLO = b"\x16"
_NOT_TLS = b"HTTP/1.0 400 Bad Request\r\n\r\n"


@dataclass(frozen=True)
class Traffic:
    """What passed between a tool and the two registries; bytes include the heads of messages."""

    source_requests: int
    destination_requests: int
    pulled: int
    pushed: int
    methods: dict[str, int]

    @property
    def requests(self) -> int:
        """To both sides."""
        return self.source_requests + self.destination_requests


class Proxy(LatencyProxy):
    """Answers a TLS hello, after the delay, as a registry on plain HTTP does: clients that may use either try TLS first."""

    def _serve(self, relay: Any) -> None:
        connection: socket.socket = relay._client.socket
        try:
            hello = connection.recv(1, socket.MSG_PEEK) == _TLS_HELLO
        except OSError:
            hello = False
        if hello:
            self.stopping.wait(self.delay_seconds)
            with suppress(OSError):  # the client may have gone
                connection.sendall(_NOT_TLS)
                connection.shutdown(socket.SHUT_RDWR)
        super()._serve(relay)


class Testbed:
    """Source, destination, a proxy before each. Use it as a context manager.

    folder  for the registries' data
    """

    def __init__(self, folder: Path) -> None:
        # The descriptor cache is how Debian configures the registry; the destination loses it with every wipe.
        self.source = DockerRegistry(folder / "source", descriptor_cache=True)
        self.destination = DockerRegistry(folder / "destination", descriptor_cache=True)
        self._stack = ExitStack()
        self._proxies: tuple[Proxy, Proxy] | None = None

    def __enter__(self) -> Testbed:
        with ExitStack() as stack:
            stack.enter_context(self.source)
            stack.enter_context(self.destination)
            self._proxies = (Proxy(self.source.port), Proxy(self.destination.port))
            for proxy in self._proxies:
                stack.enter_context(proxy)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def build(self, name: str, *, quick: bool) -> Contents:
        """Make a workload in the source."""
        if name == LARGE:
            return read_contents(self.source, push_large(self.source.host, NAMESPACE, QUICK_LARGE if quick else LargeShape()))
        built = workload(self.source.url, name, shape=QUICK[name] if quick else SHAPES[name], prefix=NAMESPACE)
        return read_contents(self.source, [(image.repository, image.tag) for image in built.images])

    def reset(self) -> None:
        """Empty the destination and restart it on the same port: its cache must not know what its disk has lost."""
        self.destination.wipe()

    def direct(self) -> tuple[str, str]:
        """Hosts of source and destination."""
        return self.source.host, self.destination.host

    def through_proxies(self, delay: float) -> tuple[str, str]:
        """Hosts of the proxies before source and destination, after setting their delay (seconds) and counting from nothing."""
        for proxy in self._both():
            proxy.delay_seconds = delay
            proxy.reset_stats()
        source, destination = self._both()
        return source.host, destination.host

    def traffic(self) -> Traffic:
        """What passed through the proxies since then."""
        source, destination = (proxy.stats for proxy in self._both())
        methods = {f"source {method}": count for method, count in source["methods"].items()}
        methods.update({f"destination {method}": count for method, count in destination["methods"].items()})
        return Traffic(source["requests"], destination["requests"], source["bytes_down"], destination["bytes_up"], methods)

    def _both(self) -> tuple[Proxy, Proxy]:
        if self._proxies is None:
            raise RuntimeError("the testbed is used before it is entered")
        return self._proxies
