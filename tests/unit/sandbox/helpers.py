# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small tools of the sandbox's tests."""

from __future__ import annotations

import socket
import threading
from typing import Any, Callable
from urllib.parse import urlsplit

import requests

from ansible_collections.quayside.airgap.tests.sandbox.registry import SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.image_builders import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
)

ACCEPT_ALL = ", ".join((DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX))
TIME_LIMIT = 10
UNKNOWN_DIGEST = "sha256:" + "0" * 64

Start = Callable[..., SandboxRegistry]


def error_codes(response: requests.Response) -> list[str]:
    """Codes of an error answer; empty for any other answer."""
    try:
        value = response.json()
    except ValueError:
        return []
    return [entry["code"] for entry in value.get("errors", [])] if isinstance(value, dict) else []


def at_once(work: Callable[[int], Any], number: int) -> list[Any]:
    """Run `work(0)` ... `work(number - 1)` at the same time; results in order, the first exception raised."""
    results: list[Any] = [None] * number
    errors: list[BaseException] = []

    def run(index: int) -> None:
        try:
            results[index] = work(index)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIME_LIMIT)
    if errors:
        raise errors[0]
    return results


def upload(session: requests.Session, url: str, repository: str, data: bytes, digest: str) -> requests.Response:
    """Upload a blob with POST and one PUT; the answer to the PUT."""
    started = session.post(f"{url}/v2/{repository}/blobs/uploads/", timeout=TIME_LIMIT)
    assert started.status_code == 202
    location = requests.compat.urljoin(started.url, started.headers["Location"])
    return session.put(location, params={"digest": digest}, data=data, timeout=TIME_LIMIT)


def received(url: str, *, close: bool = False) -> tuple[bytes, str]:
    """Everything that arrives after a GET, and how the connection ends: `reset` or `closed`.

    The server ends it after a fault only, unless `close` asks it to.
    """
    split = urlsplit(url)
    lines = [f"GET {split.path} HTTP/1.1", f"Host: {split.netloc}", f"Accept: {ACCEPT_ALL}", *(["Connection: close"] if close else [])]
    data = b""
    with socket.create_connection((str(split.hostname), split.port or 0), timeout=TIME_LIMIT) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        while True:
            try:
                piece = connection.recv(1 << 20)
            except ConnectionResetError:
                return data, "reset"
            if not piece:
                return data, "closed"
            data += piece


def body_of(data: bytes) -> bytes:
    """What follows the head of an answer."""
    return data.partition(b"\r\n\r\n")[2]
