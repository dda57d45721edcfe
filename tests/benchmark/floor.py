# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor: floor.py PLAN moves images with as little as can be done over HTTP, everything known beforehand.

No look at the destination, no hash, no retry: a GET, a POST and a PUT for each blob, a POST for each further repository that
shall have it, a GET and a PUT for each manifest. When there is nothing to do, a HEAD to each side for each image. One pool of
urllib3 for each registry (a session of requests takes twice the processor time), shared by as many threads as the engine has.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import urllib3

ACCEPT = {
    "Accept": "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
}


class Floor:
    """Does what a plan says; see :func:`contents.floor_plan` for its keys."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._images: list[dict[str, Any]] = plan["images"]
        self._looks: list[tuple[str, str]] = plan["looks"]
        self._source = _connections(plan["source"], plan["threads"])
        self._destination = _connections(plan["destination"], plan["threads"])
        self._threads = ThreadPoolExecutor(plan["threads"])
        # an entry for each look or image that is done: None, or what went wrong
        self._done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._missing = [set(image["blobs"]) for image in self._images]
        self._waiting: dict[str, list[int]] = {}
        for number, image in enumerate(self._images):
            for digest in image["blobs"]:
                self._waiting.setdefault(digest, []).append(number)

    def run(self) -> None:
        """Do all of it."""
        for repository, tag in self._looks:
            self._add(self._look, repository, tag)
        for digest in self._waiting:
            self._add(self._move, digest)
        try:
            for _entry in range(len(self._looks) + len(self._images)):
                if error := self._done.get():
                    raise error
        finally:
            self._threads.shutdown(cancel_futures=True)

    def _look(self, repository: str, tag: str) -> None:
        for side in (self._source, self._destination):
            _call(side, "HEAD", f"/v2/{repository}/manifests/{tag}", 200, headers=ACCEPT)
        self._done.put(None)

    def _move(self, digest: str) -> None:
        home, *others = self._waiting[digest]
        repository = self._images[home]["repository"]
        content = _call(self._source, "GET", f"/v2/{repository}/blobs/{digest}", 200).data
        begun = _call(self._destination, "POST", f"/v2/{repository}/blobs/uploads/", 202)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(len(content))}
        _call(self._destination, "PUT", f"{begun.headers['Location']}&digest={digest}", 201, body=content, headers=headers)
        self._arrived(digest, home)
        for number in others:
            self._add(self._mount, digest, repository, number)

    def _mount(self, digest: str, home: str, number: int) -> None:
        path = f"/v2/{self._images[number]['repository']}/blobs/uploads/?mount={digest}&from={home}"
        _call(self._destination, "POST", path, 201)
        self._arrived(digest, number)

    def _arrived(self, digest: str, number: int) -> None:
        with self._lock:
            self._missing[number].discard(digest)
            complete = not self._missing[number]
        if complete:
            self._add(self._store, self._images[number])

    def _store(self, image: dict[str, Any]) -> None:
        repository = image["repository"]
        for digest, reference, media_type in image["manifests"]:
            content = _call(self._source, "GET", f"/v2/{repository}/manifests/{digest}", 200, headers=ACCEPT).data
            headers = {"Content-Type": media_type}
            _call(self._destination, "PUT", f"/v2/{repository}/manifests/{reference}", 201, body=content, headers=headers)
        self._done.put(None)

    def _add(self, work: Callable[..., None], *arguments: Any) -> None:
        def guarded() -> None:
            try:
                work(*arguments)
            except BaseException as error:
                self._done.put(error)

        self._threads.submit(guarded)


def _connections(host: str, number: int) -> urllib3.HTTPConnectionPool:
    name, port = host.split(":")
    return urllib3.HTTPConnectionPool(name, int(port), maxsize=number, block=True, retries=False)


def _call(pool: urllib3.HTTPConnectionPool, method: str, path: str, status: int, **options: Any) -> Any:
    answer = pool.urlopen(method, path, **options)
    if answer.status != status:
        raise RuntimeError(f"{method} {path}: {answer.status} {answer.data[:500]!r}")
    return answer


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as handle:
        Floor(json.load(handle)).run()
