# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pushes built images to a registry with plain requests, independent of the collection's own client."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import requests

from ansible_collections.quayside.airgap.tests.support.image_builders import Image

PARALLEL = 4


class PushError(RuntimeError):
    """A registry refused a part of an image; the message has the request, the status and the registry's words."""


@dataclass(frozen=True)
class Placement:
    """One image to push: where to and under which tag; without a tag it is reachable by digest only."""

    repository: str
    tag: str | None
    image: Image


class Pusher:
    """Pushes to one registry; may be used from several threads. Blobs go out once and are mounted elsewhere.

    auth    (user, password) for basic or token authentication
    verify  False, or the path of an authority's PEM file, for https
    """

    def __init__(self, base_url: str, auth: tuple[str, str] | None = None, verify: bool | str = True) -> None:
        self.base_url = base_url.rstrip("/")
        self._auth = auth
        self._verify = verify
        self._local = threading.local()
        self._lock = threading.Lock()
        self._tokens: dict[str, str] = {}
        self._placed: set[tuple[str, str]] = set()
        self._home: dict[str, str] = {}

    def push(self, repository: str, tag: str | None, image: Image) -> str:
        """Push one image with everything below it; returns its digest."""
        for digest, item in image.all_blobs().items():
            self._push_blob(repository, digest, item.data)
        for manifest in image.walk():
            reference = tag if tag and manifest is image else manifest.digest
            self.put_manifest(repository, reference, manifest)
        return image.digest

    def push_all(self, placements: Iterable[Placement], parallel: int = PARALLEL) -> list[str]:
        """Push many images, repositories side by side; digests in the given order.

        Within a repository one goes after the other: docker-registry writes the link of a blob in place, so that who looks while
        the same blob is pushed a second time finds none.
        """
        wanted = list(placements)
        places: dict[str, list[int]] = {}
        for number, item in enumerate(wanted):
            places.setdefault(item.repository, []).append(number)
        digests = [""] * len(wanted)

        def fill(numbers: list[int]) -> None:
            for number in numbers:
                digests[number] = self.push(wanted[number].repository, wanted[number].tag, wanted[number].image)

        with ThreadPoolExecutor(parallel) as pool:
            list(pool.map(fill, places.values()))
        return digests

    def put_manifest(self, repository: str, reference: str, image: Image) -> None:
        """Push the manifest alone."""
        response = self.request(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            repository,
            data=image.body,
            headers={"Content-Type": image.media_type},
        )
        _expect(response, 201)

    def request(self, method: str, path: str, repository: str, **options: Any) -> requests.Response:
        """One request; answers a 401 challenge with basic or a token for pull and push of `repository`."""
        url = urljoin(self.base_url + "/", path)
        headers = dict(options.pop("headers", {}))
        with self._lock:
            known = self._tokens.get(repository)
        if known:
            headers["Authorization"] = known
        response = self._session.request(method, url, headers=headers, **options)
        if response.status_code == 401 and (fresh := self._answer(response, repository)):
            with self._lock:
                self._tokens[repository] = fresh
            headers["Authorization"] = fresh
            response = self._session.request(method, url, headers=headers, **options)
        return response

    @property
    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
            session.verify = self._verify
        return session

    def _answer(self, response: requests.Response, repository: str) -> str | None:
        """The Authorization header that answers a challenge, or None when there is nothing to answer it with."""
        challenge = response.headers.get("WWW-Authenticate", "")
        scheme = challenge.partition(" ")[0].lower()
        if scheme == "basic" and self._auth:
            request = requests.Request("GET", self.base_url, auth=self._auth).prepare()
            return str(request.headers["Authorization"])
        if scheme != "bearer":
            return None
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        # What the challenge names besides: the source of a mount.
        asked = [scope for scope in fields.get("scope", "").split() if not scope.startswith(f"repository:{repository}:")]
        scopes = [f"repository:{repository}:pull,push", *asked]
        params: dict[str, str | list[str]] = {"service": fields.get("service", ""), "scope": scopes}
        answer = self._session.get(fields["realm"], params=params, auth=self._auth)
        _expect(answer, 200)
        body = answer.json()
        return "Bearer " + str(body.get("token") or body.get("access_token"))

    def _push_blob(self, repository: str, digest: str, data: bytes) -> None:
        with self._lock:
            if (repository, digest) in self._placed:
                return
            home = self._home.get(digest)
        mount = {"mount": digest, "from": home} if home else {}
        started = self.request("POST", f"/v2/{repository}/blobs/uploads/", repository, params=mount)
        if not (home and started.status_code == 201):
            _expect(started, 202)
            finished = self.request(
                "PUT",
                urljoin(started.url, started.headers["Location"]),
                repository,
                params={"digest": digest},
                data=data,
                headers={"Content-Type": "application/octet-stream"},
            )
            _expect(finished, 201)
        with self._lock:
            self._placed.add((repository, digest))
            self._home.setdefault(digest, repository)


def push(
    base_url: str,
    repository: str,
    tag: str | None,
    image: Image,
    auth: tuple[str, str] | None = None,
    verify: bool | str = True,
) -> str:
    """Push one image to `base_url` (`http://127.0.0.1:5000`); returns its digest."""
    return Pusher(base_url, auth, verify).push(repository, tag, image)


def push_all(
    base_url: str,
    placements: Iterable[Placement],
    auth: tuple[str, str] | None = None,
    verify: bool | str = True,
    parallel: int = PARALLEL,
) -> list[str]:
    """Push many images side by side; returns their digests in the given order."""
    return Pusher(base_url, auth, verify).push_all(placements, parallel)


def _expect(response: requests.Response, status: int) -> None:
    if response.status_code != status:
        request = response.request
        raise PushError(f"{request.method} {request.url}: {response.status_code} {response.text[:500]}")
