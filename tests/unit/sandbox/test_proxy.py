# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy changes nothing but the time."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ansible_collections.quayside.airgap.tests.sandbox.proxy import STATS_PATH, LatencyProxy
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault, SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.image_builders import blob, multi_arch, sha256
from ansible_collections.quayside.airgap.tests.support.image_push import push
from ansible_collections.quayside.airgap.tests.unit.sandbox.helpers import TIME_LIMIT, Start, at_once, body_of, received, upload

LARGE = 5_000_000


@pytest.fixture
def registry(start: Start) -> SandboxRegistry:
    return start(upload_location="absolute")


@pytest.fixture
def proxy(registry: SandboxRegistry) -> Iterator[LatencyProxy]:
    with LatencyProxy(registry.port) as made:
        yield made


@pytest.fixture
def data() -> bytes:
    return blob("large", LARGE)


def test_large_bodies_both_ways(registry: SandboxRegistry, proxy: LatencyProxy, session: requests.Session, data: bytes) -> None:
    assert upload(session, proxy.url, "app", data, sha256(data)).status_code == 201
    assert session.get(f"{proxy.url}/v2/app/blobs/{sha256(data)}", timeout=TIME_LIMIT).content == data
    stats = proxy.stats
    assert (stats["requests"], stats["methods"]) == (3, {"GET": 1, "POST": 1, "PUT": 1})
    assert stats["statuses"] == {"200": 1, "201": 1, "202": 1}
    assert LARGE < stats["bytes_up"] < LARGE + 2000
    assert LARGE < stats["bytes_down"] < LARGE + 2000
    assert stats["connections"] == 1
    assert len({request.connection for request in registry.requests}) == 1


def test_upload_locations_lead_through_the_proxy(registry: SandboxRegistry, proxy: LatencyProxy) -> None:
    push(proxy.url, "app", "v1", multi_arch("a"))
    assert proxy.stats["requests"] == len(registry.requests)
    assert registry.verify() == []


def test_chunked_bodies(registry: SandboxRegistry, proxy: LatencyProxy, session: requests.Session, data: bytes) -> None:
    location = session.post(f"{proxy.url}/v2/app/blobs/uploads/", timeout=TIME_LIMIT).headers["Location"]
    pieces = (data[start : start + 33_333] for start in range(0, LARGE, 33_333))
    patched = session.patch(location, data=pieces, timeout=TIME_LIMIT)
    assert patched.status_code == 202
    done = session.put(patched.headers["Location"], params={"digest": sha256(data)}, timeout=TIME_LIMIT)
    assert done.status_code == 201
    assert registry.verify() == []


def test_chunked_answers_and_answers_that_end_with_the_connection() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: 1\r\n\r\n"
    endless = b"HTTP/1.1 200 OK\r\n\r\nuntil the end"
    with OneAnswerEach([chunked, endless]) as server, LatencyProxy(server.port) as proxy:
        first = requests.get(f"{proxy.url}/a", timeout=TIME_LIMIT)
        second = requests.get(f"{proxy.url}/b", timeout=TIME_LIMIT)
    assert (first.text, second.text) == ("hello world", "until the end")


def test_answers_without_a_body(registry: SandboxRegistry, proxy: LatencyProxy, session: requests.Session) -> None:
    digest = registry.put_blob("app", b"data")
    url = f"{proxy.url}/v2/app/blobs/{digest}"
    location = session.post(f"{proxy.url}/v2/app/blobs/uploads/", timeout=TIME_LIMIT).headers["Location"]
    assert session.head(url, timeout=TIME_LIMIT).headers["Content-Length"] == "4"
    assert session.get(location, timeout=TIME_LIMIT).status_code == 204
    assert session.get(url, timeout=TIME_LIMIT).content == b"data"
    assert proxy.stats["connections"] == 1


def test_expect_continue(registry: SandboxRegistry, proxy: LatencyProxy) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=TIME_LIMIT)
    connection.request("POST", "/v2/app/blobs/uploads/")
    answer = connection.getresponse()
    location = answer.headers["Location"].partition(proxy.host)[2] + f"&digest={sha256(b'later')}"
    answer.read()
    head = f"PUT {location} HTTP/1.1\r\nHost: {proxy.host}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    raw = connection.sock
    raw.sendall(head.encode())
    assert raw.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    raw.sendall(b"later")
    assert raw.recv(1000).startswith(b"HTTP/1.1 201 ")
    connection.close()
    assert list(registry.blobs) == [sha256(b"later")]


def test_a_refusal_before_the_body(proxy: LatencyProxy, session: requests.Session, data: bytes) -> None:
    """The registry answers 404 without reading the body; the client reads the answer after sending it."""
    answer = session.put(f"{proxy.url}/v2/app/blobs/uploads/none?_state=1", data=data[:200_000], timeout=TIME_LIMIT)
    assert answer.status_code == 404


def test_delays_overlap_and_are_per_request(registry: SandboxRegistry) -> None:
    digest = registry.put_blob("app", blob("x", 1_000_000))
    with LatencyProxy(registry.port, 0.1) as proxy:
        began = time.monotonic()
        at_once(lambda _number: requests.get(f"{proxy.url}/v2/app/blobs/{digest}", timeout=TIME_LIMIT), 8)
        assert 0.1 <= time.monotonic() - began < 0.7
        assert proxy.stats["peak"] == 8


def test_what_upstream_does_to_a_connection_reaches_the_client(registry: SandboxRegistry, proxy: LatencyProxy) -> None:
    digest = registry.put_blob("app", blob("x", 500_000))
    registry.faults.append(Fault("GET", "/blobs/", "reset", after_bytes=100_000))
    registry.faults.append(Fault("GET", "/blobs/", "truncate", after_bytes=100_000))
    for expected in ("reset", "closed"):
        data, ending = received(f"{proxy.url}/v2/app/blobs/{digest}")
        assert len(body_of(data)) <= 100_000
        assert ending == expected
    assert requests.get(f"{proxy.url}/v2/app/blobs/{digest}", timeout=TIME_LIMIT).status_code == 200


def test_a_restarted_upstream(registry: SandboxRegistry, proxy: LatencyProxy, session: requests.Session) -> None:
    assert session.get(f"{proxy.url}/v2/", timeout=TIME_LIMIT).status_code == 200
    registry.stop()
    registry.start()
    assert session.get(f"{proxy.url}/v2/", timeout=TIME_LIMIT).status_code == 200


def test_https_spoken_to_the_proxy_ends_at_once(proxy: LatencyProxy) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://{proxy.host}/v2/", timeout=TIME_LIMIT)


def test_statistics_over_http(proxy: LatencyProxy, session: requests.Session) -> None:
    session.get(f"{proxy.url}/v2/", timeout=TIME_LIMIT)
    assert session.get(proxy.url + STATS_PATH, timeout=TIME_LIMIT).json()["requests"] == 1
    assert session.delete(proxy.url + STATS_PATH, timeout=TIME_LIMIT).json()["requests"] == 0


def test_as_a_program(registry: SandboxRegistry, tmp_path: Path) -> None:
    port_file, stats_file = tmp_path / "port", tmp_path / "stats"
    module = "ansible_collections.quayside.airgap.tests.sandbox.proxy"
    options = ["--upstream-port", str(registry.port), "--port-file", str(port_file), "--stats-file", str(stats_file)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-m", module, *options], env=environment)
    try:
        deadline = time.monotonic() + TIME_LIMIT
        while not port_file.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        url = f"http://127.0.0.1:{port_file.read_text().strip()}/v2/"
        assert requests.get(url, timeout=TIME_LIMIT).status_code == 200
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(TIME_LIMIT) == 0
    assert json.loads(stats_file.read_text())["requests"] == 1


class OneAnswerEach:
    """A server that gives prepared answers, a connection each, and closes."""

    def __init__(self, answers: list[bytes]) -> None:
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> OneAnswerEach:
        self._thread.start()
        return self

    def __exit__(self, *_details: object) -> None:
        self._listener.close()
        self._thread.join(TIME_LIMIT)

    def _run(self) -> None:
        for answer in self._answers:
            connection, _peer = self._listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
