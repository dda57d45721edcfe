# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blob endpoints: HEAD, GET with ranges, DELETE, and the three ways of uploading, with cross-repository mounts."""

from __future__ import annotations

import base64
import re
import threading
import uuid
from dataclasses import dataclass, field
from urllib.parse import quote

from ansible_collections.quayside.airgap.tests.sandbox.answers import API_VERSION, ApiError, empty_answer, html_page
from ansible_collections.quayside.airgap.tests.sandbox.http_messages import HttpRequest, HttpResponse
from ansible_collections.quayside.airgap.tests.sandbox.options import RegistryOptions
from ansible_collections.quayside.airgap.tests.sandbox.storage import DIGEST, Storage, Upload

RANGE = re.compile(r"^bytes=(\d*)-(\d*)$")
CONTENT_RANGE = re.compile(r"^(?:bytes )?(\d+)-(\d+)(?:/\S+)?$")


@dataclass
class Session:
    """An upload that has begun."""

    number: str
    repository: str
    upload: Upload
    lock: threading.Lock = field(default_factory=threading.Lock)
    broken: bool = False  # its content was not what its digest said

    @property
    def state(self) -> str:
        """What the Location of an upload carries: docker-registry continues only from the newest one."""
        return base64.urlsafe_b64encode(f"{self.number}:{self.upload.size}".encode()).decode()


class Blobs:
    """The blobs of all repositories of one storage, and the uploads under way."""

    def __init__(self, options: RegistryOptions, storage: Storage) -> None:
        self._options = options
        self._storage = storage
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    # ------------------------------------------------------------------- get

    def get(self, request: HttpRequest, repository: str, digest: str) -> HttpResponse:
        """GET and HEAD; a GET may name one range of bytes."""
        _check_digest(digest)
        size = self._storage.content.size(digest)
        if size is None or not self._storage.has_blob(repository, digest):
            raise ApiError("BLOB_UNKNOWN", {} if self._options.quay else digest)
        headers = {"Content-Type": "application/octet-stream", **API_VERSION}
        if request.method != "HEAD" or self._options.digest_header:
            headers["Docker-Content-Digest"] = digest
            headers["Etag"] = f'"{digest}"'
        return self.content(request, digest, size, headers)

    def content(self, request: HttpRequest, digest: str, size: int, headers: dict[str, str]) -> HttpResponse:
        """The bytes of a digest that is stored, or the range of them that the request names."""
        start, length = 0, size
        status = 200
        if self._options.ranges:
            headers["Accept-Ranges"] = "bytes"
            chosen = _range(request.headers.get("range", ""), size)
            if chosen is None:
                return HttpResponse(416, {"Content-Range": f"bytes */{size}", "Content-Type": "text/plain"})
            if request.headers.get("range") and chosen != (0, -1):
                start, length = chosen
                status = 206
                headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
        return HttpResponse(status, headers, stream=self._storage.content.stream(digest, start, length), length=length)

    def delete(self, repository: str, digest: str) -> HttpResponse:
        """DELETE; Quay does not know it."""
        _check_digest(digest)
        if not self._options.delete or self._options.quay:
            raise ApiError("UNSUPPORTED")
        if not self._storage.unlink_blob(repository, digest):
            raise ApiError("BLOB_UNKNOWN")
        return empty_answer(202)

    # --------------------------------------------------------------- uploads

    def start(self, request: HttpRequest, repository: str, may_mount: bool) -> HttpResponse:
        """POST: mount, upload in one request, or begin an upload. `may_mount`: the caller may read the source."""
        mount, source = request.first("mount"), request.first("from")
        if mount and source and may_mount and self._options.mount and self._storage.has_blob(source, mount):
            self._storage.link_blob(repository, mount)
            return self._created(request, repository, mount)
        session = Session(str(uuid.uuid4()), repository, self._storage.content.new_upload())
        digest = request.first("digest")
        if digest and not mount and self._options.single_post:
            _check_digest(digest)
            self._receive(request, session)
            return self._complete(request, session, digest)
        with self._lock:
            self._sessions[session.number] = session
        return self._progress(request, session, 202)

    def status(self, request: HttpRequest, repository: str, number: str) -> HttpResponse:
        """GET: how much has arrived."""
        return self._progress(request, self._session(request, repository, number), 204)

    def patch(self, request: HttpRequest, repository: str, number: str) -> HttpResponse:
        """PATCH: the next bytes; with Content-Range they must follow what is there."""
        session = self._session(request, repository, number)
        with session.lock:
            given = request.headers.get("content-range")
            match = CONTENT_RANGE.match(given) if given else None
            if given and (match is None or int(match.group(1)) != session.upload.size):
                raise ApiError("BLOB_UPLOAD_INVALID", {}, status=416, headers=self._where(request, session))
            self._receive(request, session)
            return self._progress(request, session, 202)

    def finish(self, request: HttpRequest, repository: str, number: str) -> HttpResponse:
        """PUT: the last bytes, if any, and the digest."""
        session = self._session(request, repository, number)
        digest = request.first("digest")
        if not digest or not DIGEST.match(digest):
            raise ApiError("DIGEST_INVALID", "digest parsing failed" if digest else "digest missing")
        with session.lock:
            self._receive(request, session)
            answer = self._complete(request, session, digest)
            with self._lock:
                self._sessions.pop(number, None)
            return answer

    def cancel(self, request: HttpRequest, repository: str, number: str) -> HttpResponse:
        """DELETE: forget what has arrived."""
        session = self._session(request, repository, number)
        self._forget(session)
        return empty_answer(204, {"Docker-Upload-Uuid": number})

    # --------------------------------------------------------------- private

    def _session(self, request: HttpRequest, repository: str, number: str) -> Session:
        with self._lock:
            session = self._sessions.get(number)
        state = request.first("_state")
        if not self._options.quay and state is None:
            raise ApiError("BLOB_UPLOAD_INVALID", {})
        if session is None or session.repository != repository:
            raise ApiError("BLOB_UPLOAD_UNKNOWN", {})
        if session.broken or (not self._options.quay and state != session.state):
            # docker-registry 2.8 goes on from the newest Location only: after an interrupted PATCH there is none.
            raise ApiError("BLOB_UPLOAD_INVALID")
        return session

    def _receive(self, request: HttpRequest, session: Session) -> None:
        limit = self._options.max_body
        for piece in request.body.chunks():
            session.upload.write(piece)
            if limit is not None and request.body.consumed > limit:
                raise BodyTooLarge

    def _complete(self, request: HttpRequest, session: Session, digest: str) -> HttpResponse:
        if session.upload.digest(digest.partition(":")[0]) != digest:
            session.broken = True
            session.upload.abort()
            raise ApiError("DIGEST_INVALID", {})
        session.upload.finish(digest)
        self._storage.link_blob(session.repository, digest)
        return self._created(request, session.repository, digest)

    def _forget(self, session: Session) -> None:
        with self._lock:
            self._sessions.pop(session.number, None)
        session.upload.abort()

    def _created(self, request: HttpRequest, repository: str, digest: str) -> HttpResponse:
        location = self._location(request, f"/v2/{repository}/blobs/{digest}")
        return empty_answer(201, {"Location": location, "Docker-Content-Digest": digest})

    def _progress(self, request: HttpRequest, session: Session, status: int) -> HttpResponse:
        return empty_answer(status, self._where(request, session))

    def _where(self, request: HttpRequest, session: Session) -> dict[str, str]:
        path = f"/v2/{session.repository}/blobs/uploads/{session.number}"
        if not self._options.quay:
            path += f"?_state={quote(session.state)}"
        return {
            "Location": self._location(request, path),
            "Range": self._received(request, session.upload.size),
            "Docker-Upload-Uuid": session.number,
        }

    def _received(self, request: HttpRequest, size: int) -> str:
        # Quay names the number of bytes when it is asked, not the last byte.
        if self._options.quay and request.method == "GET":
            return f"bytes=0-{size}"
        # Nothing received is 0-0 as well: that is how both registries say it.
        return f"0-{max(size - 1, 0)}"

    def _location(self, request: HttpRequest, path: str) -> str:
        if self._options.upload_location == "relative":
            return path
        scheme, rest = request.base_url.split("://", 1)
        if self._options.upload_location == "other_name":
            rest = f"registry.invalid:{rest.rpartition(':')[2]}"
        if self._options.upload_location == "wrong_scheme":
            scheme = "http" if scheme == "https" else "https"
        return f"{scheme}://{rest}{path}"


class BodyTooLarge(Exception):
    """A request body exceeds `max_body`."""

    @staticmethod
    def response() -> HttpResponse:
        """What the nginx in front of a registry answers."""
        return html_page(413, "Request Entity Too Large", close=True)


def _check_digest(digest: str) -> None:
    if not DIGEST.match(digest):
        raise ApiError("DIGEST_INVALID", {})


def _range(header: str, size: int) -> tuple[int, int] | None:
    """Start and length of what a Range header names; (0, -1) for everything, None when it cannot be satisfied."""
    match = RANGE.match(header)
    if not header or "," in header:
        return 0, -1
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        return (size - length, length) if length else None
    start = int(first)
    end = min(int(last), size - 1) if last else size - 1
    return (start, end - start + 1) if start <= end else None
