# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OCI distribution API: which path and method is answered by what, and the listings of tags and repositories."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import quote

from ansible_collections.quayside.airgap.tests.sandbox.answers import (
    API_VERSION,
    ApiError,
    json_answer,
    method_not_allowed,
    page_not_found,
)
from ansible_collections.quayside.airgap.tests.sandbox.auth import Authority
from ansible_collections.quayside.airgap.tests.sandbox.blobs import Blobs, BodyTooLarge
from ansible_collections.quayside.airgap.tests.sandbox.http_messages import HttpRequest, HttpResponse
from ansible_collections.quayside.airgap.tests.sandbox.manifests import Manifests
from ansible_collections.quayside.airgap.tests.sandbox.options import RegistryOptions
from ansible_collections.quayside.airgap.tests.sandbox.storage import Storage

COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
NAME = rf"(?P<name>{COMPONENT}(?:/{COMPONENT})*)"
TAGS = re.compile(rf"^/v2/{NAME}/tags/list$")
MANIFEST = re.compile(rf"^/v2/{NAME}/manifests/(?P<reference>[^/]+)$")
UPLOADS = re.compile(rf"^/v2/{NAME}/blobs/uploads/?$")
UPLOAD = re.compile(rf"^/v2/{NAME}/blobs/uploads/(?P<number>[^/]+)$")
BLOB = re.compile(rf"^/v2/{NAME}/blobs/(?P<digest>[^/]+)$")
REFERRERS = re.compile(rf"^/v2/{NAME}/referrers/(?P<digest>[^/]+)$")

QUAY_PAGE = 50
DISTRIBUTION_CATALOG_PAGE = 100
READ_ONLY = "System is currently read-only. Pulls will succeed but all write operations are currently suspended."


class DistributionApi:
    """Answers everything below /v2/."""

    def __init__(self, options: RegistryOptions, storage: Storage, authority: Authority) -> None:
        self.blobs = Blobs(options, storage)
        self.manifests = Manifests(options, storage)
        self._options = options
        self._storage = storage
        self._authority = authority

    def answer(self, request: HttpRequest) -> HttpResponse:
        """The answer to a request; errors of the API become error answers."""
        try:
            limit = self._options.max_body
            if limit is not None and (request.body.length or 0) > limit:
                raise BodyTooLarge
            return self._route(request)
        except ApiError as error:
            return error.response()
        except BodyTooLarge as error:
            return error.response()

    def _route(self, request: HttpRequest) -> HttpResponse:
        path = request.path
        if path in ("/v2", "/v2/"):
            return self._ping(request)
        if path == "/v2/auth" and self._options.auth == "token":
            return self._authority.issue(request) if request.method == "GET" else method_not_allowed("GET, HEAD")
        if path == "/v2/_catalog" and self._options.catalog:
            return self._catalog(request) if request.record.write is False else method_not_allowed("GET")
        if self._options.read_only and request.record.write:
            return self._read_only()
        if match := TAGS.match(path):
            return self._tags(request, match["name"]) if not request.record.write else method_not_allowed("GET")
        if match := MANIFEST.match(path):
            return self._manifest(request, match["name"], match["reference"])
        if match := UPLOADS.match(path):
            return self._start_upload(request, match["name"])
        if match := UPLOAD.match(path):
            return self._upload(request, match["name"], match["number"])
        if match := BLOB.match(path):
            return self._blob(request, match["name"], match["digest"])
        if match := REFERRERS.match(path):
            if request.record.write:
                return method_not_allowed("GET")
            self._authority.require(request, match["name"], "pull")
            return self.manifests.referrers(request, match["name"], match["digest"])
        return page_not_found()

    # ------------------------------------------------------------- endpoints

    def _ping(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/v2":
            return HttpResponse(301, {"Location": "/v2/", "Content-Type": "text/html", **API_VERSION})
        try:
            self._authority.require_login(request)
        except ApiError as error:
            if not self._options.quay:
                raise
            # Quay's body is the word "true", whatever the status.
            headers = {"Content-Type": "text/html; charset=utf-8", **self._features(), **error.headers}
            return HttpResponse(error.status, headers, b"true")
        if self._options.quay:
            return HttpResponse(200, {"Content-Type": "text/html; charset=utf-8", **self._features(), **API_VERSION}, b"true")
        return HttpResponse(200, {"Content-Type": "application/json", **API_VERSION}, b"{}")

    def _features(self) -> dict[str, str]:
        """What Quay says of itself since 3.17."""
        return {"X-Sparse-Manifest-Support": "true" if self._options.sparse_indexes else "false"}

    def _manifest(self, request: HttpRequest, name: str, reference: str) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            self._authority.require(request, name, "pull")
            return self.manifests.get(request, name, reference)
        if request.method == "PUT":
            self._authority.require(request, name, "push")
            return self.manifests.put(request, name, reference)
        if request.method == "DELETE":
            self._authority.require(request, name, "delete")
            return self.manifests.delete(name, reference)
        return method_not_allowed("DELETE, GET, HEAD, PUT")

    def _start_upload(self, request: HttpRequest, name: str) -> HttpResponse:
        if request.method != "POST":
            return method_not_allowed("POST")
        source = request.first("from") or ""
        self._authority.require(request, name, "push", mount_from=source)
        if self._storage.watcher:
            self._storage.watcher.may_upload(name)
        # Quay does not refuse a mount from a repository that the caller may not read: it begins an upload.
        may_mount = bool(source) and self._authority.allows(self._authority.identify(request), source, "pull")
        return self.blobs.start(request, name, may_mount)

    def _upload(self, request: HttpRequest, name: str, number: str) -> HttpResponse:
        self._authority.require(request, name, "push" if request.method != "DELETE" else "delete")
        if request.method in ("GET", "HEAD"):
            return self.blobs.status(request, name, number)
        if request.method == "PATCH":
            return self.blobs.patch(request, name, number)
        if request.method == "PUT":
            return self.blobs.finish(request, name, number)
        if request.method == "DELETE":
            return self.blobs.cancel(request, name, number)
        return method_not_allowed("DELETE, GET, HEAD, PATCH, PUT")

    def _blob(self, request: HttpRequest, name: str, digest: str) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            self._authority.require(request, name, "pull")
            return self.blobs.get(request, name, digest)
        if request.method == "DELETE":
            self._authority.require(request, name, "delete")
            return self.blobs.delete(name, digest)
        return method_not_allowed("DELETE, GET, HEAD")

    def _read_only(self) -> HttpResponse:
        if self._options.quay:
            return json_answer(503, {"is_readonly": True, "message": READ_ONLY})
        return method_not_allowed("GET, HEAD")

    # -------------------------------------------------------------- listings

    def _tags(self, request: HttpRequest, name: str) -> HttpResponse:
        self._authority.require(request, name, "pull")
        with self._storage.lock:
            found = self._storage.repositories.get(name)
            tags = sorted(found.tags) if found else []
        if found is None:
            raise ApiError("NAME_UNKNOWN", {"name": name})
        default = self._options.page_size or (QUAY_PAGE if self._options.quay else None)
        page, link = _page(request, tags, default, request.path)
        return json_answer(200, {"name": name, "tags": page}, link)

    def _catalog(self, request: HttpRequest) -> HttpResponse:
        caller = self._authority.require_catalog(request)
        with self._storage.lock:
            names = [name for name in self._storage.repositories if self._authority.lists(caller, name)]
        default = self._options.page_size or (QUAY_PAGE if self._options.quay else DISTRIBUTION_CATALOG_PAGE)
        if self._options.page_style == "next_page":
            page, link = _opaque_page(request, names, default)
        else:
            page, link = _page(request, sorted(names), default, "/v2/_catalog")
        return json_answer(200, {"repositories": page}, link)


def _wanted(request: HttpRequest, default: int | None, total: int) -> int:
    """How many entries a page has: ?n=, at most `default`."""
    value = request.first("n")
    if value is None:
        return total if default is None else default
    try:
        wanted = int(value)
    except ValueError:
        wanted = -1
    if wanted < 0:
        raise ApiError("PAGINATION_NUMBER_INVALID", {"n": value})
    return wanted if default is None else min(wanted, default)


def _page(request: HttpRequest, names: list[str], default: int | None, path: str) -> tuple[list[str], dict[str, str]]:
    """The page after ?last=, with a Link when more follow."""
    last = request.first("last")
    remaining = [name for name in names if last is None or name > last]
    wanted = _wanted(request, default, len(remaining))
    page = remaining[:wanted]
    if not page or len(page) == len(remaining):
        return page, {}
    return page, {"Link": f'<{path}?last={quote(page[-1], safe="")}&n={wanted}>; rel="next"'}


def _opaque_page(request: HttpRequest, names: list[str], default: int) -> tuple[list[str], dict[str, str]]:
    """A page in Quay's style: the place to go on from is a word without meaning to the client."""
    try:
        start = int(base64.urlsafe_b64decode(request.first("next_page") or "MA=="))
    except (binascii.Error, ValueError):
        start = 0  # Quay takes a next_page that it cannot read for the first page.
    wanted = _wanted(request, default, len(names))
    page = names[start : start + wanted]
    if not page or start + wanted >= len(names):
        return page, {}
    token = quote(base64.urlsafe_b64encode(str(start + wanted).encode()).decode(), safe="")
    return page, {"Link": f'</v2/_catalog?n={wanted}&next_page={token}>; rel="next"'}
