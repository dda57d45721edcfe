# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The object storage behind a registry: another listener, to which blob requests are redirected with a signed URL."""

from __future__ import annotations

import re
from collections.abc import Callable

from ansible_collections.quayside.airgap.tests.sandbox.answers import API_VERSION
from ansible_collections.quayside.airgap.tests.sandbox.blobs import Blobs
from ansible_collections.quayside.airgap.tests.sandbox.http_server import Handler, HttpRequest, HttpResponse, HttpServer
from ansible_collections.quayside.airgap.tests.sandbox.options import RegistryOptions
from ansible_collections.quayside.airgap.tests.sandbox.request_log import RequestLog
from ansible_collections.quayside.airgap.tests.sandbox.storage import DIGEST, Storage

BLOB = re.compile(r"^/v2/.+/blobs/([a-z0-9]+:[0-9a-f]+)$")
OBJECT = re.compile(r"^/storage/([a-z0-9]+:[0-9a-f]+)$")
SIGNATURE = "X-Amz-Signature"


Wrap = Callable[[Handler], Handler]


class ObjectStore:
    """Serves blobs at /storage/<digest> to whoever has the signature from a redirect.

    `wrap` puts around the handler what all listeners of the registry have in common.
    """

    def __init__(self, blobs: Blobs, storage: Storage, log: RequestLog, options: RegistryOptions, wrap: Wrap) -> None:
        self._blobs = blobs
        self._storage = storage
        self._options = options
        context = options.tls.server_context() if options.tls else None
        self._server = HttpServer(wrap(self._handle), log, context=context, name="storage", software="object store")

    @property
    def port(self) -> int:
        """TCP port, 0 unless started."""
        return self._server.port

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self) -> None:
        """End all connections."""
        self._server.stop()

    def redirect(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """A redirect in place of the answer to a GET of a blob; any other answer as it is."""
        match = BLOB.match(request.path)
        if request.method != "GET" or match is None or response.status not in (200, 206, 416):
            return response
        digest = match[1]
        location = f"{self._server.scheme}://{self._options.redirect_host}:{self.port}/storage/{digest}?{SIGNATURE}={_signature(digest)}"
        # docker-registry sends 307, Quay 302.
        return HttpResponse(302 if self._options.quay else 307, {"Location": location, **API_VERSION})

    def _handle(self, request: HttpRequest) -> HttpResponse:
        match = OBJECT.match(request.path)
        if match is None or not DIGEST.match(match[1]) or request.method not in ("GET", "HEAD"):
            return _refusal(404, "NoSuchKey", "The specified key does not exist.")
        if request.record.auth:
            # S3 does so: two ways of authentication in one request are an error, which finds out clients that send
            # a registry's credentials to another host.
            return _refusal(400, "InvalidArgument", "Only one auth mechanism allowed")
        digest = match[1]
        if request.first(SIGNATURE) != _signature(digest):
            return _refusal(403, "SignatureDoesNotMatch", "The request signature does not match.")
        size = self._storage.content.size(digest)
        if size is None:
            return _refusal(404, "NoSuchKey", "The specified key does not exist.")
        return self._blobs.content(request, digest, size, {"Content-Type": "application/octet-stream"})


def _signature(digest: str) -> str:
    """A word that only the registry knows for a digest; it keeps nobody out, it shows that the URL was kept whole."""
    return digest[-16:][::-1]


def _refusal(status: int, code: str, message: str) -> HttpResponse:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return HttpResponse(status, {"Content-Type": "application/xml"}, text.encode())
