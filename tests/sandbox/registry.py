# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox registry: real HTTP on loopback, in this process, with faults and a record of what it was asked.

with SandboxRegistry(RegistryOptions(auth="token", users={"bot": User("secret", {"*": "pull,push"})})) as registry:
    registry.faults.append(Fault("GET", "/blobs/", "reset", after_bytes=1000))
    ...
    assert registry.count(method="GET", path="/blobs/") == 2
    assert registry.verify() == []
"""

from __future__ import annotations

from types import TracebackType

from ansible_collections.quayside.airgap.tests.sandbox import faults as fault_kinds
from ansible_collections.quayside.airgap.tests.sandbox.answers import ApiError
from ansible_collections.quayside.airgap.tests.sandbox.auth import Authority
from ansible_collections.quayside.airgap.tests.sandbox.distribution import DistributionApi
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault, FaultPlan
from ansible_collections.quayside.airgap.tests.sandbox.http_server import Handler, HttpRequest, HttpResponse, HttpServer
from ansible_collections.quayside.airgap.tests.sandbox.manifests import missing_references
from ansible_collections.quayside.airgap.tests.sandbox.object_store import ObjectStore
from ansible_collections.quayside.airgap.tests.sandbox.options import RegistryOptions, User
from ansible_collections.quayside.airgap.tests.sandbox.request_log import Predicate, Request, RequestLog
from ansible_collections.quayside.airgap.tests.sandbox.storage import Storage, StoredManifest, digest_of
from ansible_collections.quayside.airgap.tests.support.image_builders import Image

__all__ = ["Fault", "RegistryOptions", "Request", "SandboxRegistry", "User"]


class SandboxRegistry:
    """A registry on 127.0.0.1; use it as a context manager, or start() and stop() it.

    faults          planned faults; append while the server runs
    latency         seconds before every answer; may be changed while the server runs
    refuse_writes   True: every POST, PUT, PATCH and DELETE gets 500 and is kept in `refused`
    """

    def __init__(self, options: RegistryOptions | None = None) -> None:
        self.options = options or RegistryOptions()
        self.faults = FaultPlan()
        self.latency = self.options.latency
        self.refuse_writes = False
        self.refused: list[Request] = []
        self.storage = Storage(self.options.storage)
        self._log = RequestLog()
        self._authority = self._make_authority()
        self._api = DistributionApi(self.options, self.storage, self._authority)
        tls = self.options.tls
        context = tls.server_context(require_client_certificate=self.options.client_certificates) if tls else None
        software = "nginx" if self.options.quay else "sandbox"
        self._server = HttpServer(self._with_faults(self._answer), self._log, port=self.options.port, context=context, software=software)
        self._objects = ObjectStore(self._api.blobs, self.storage, self._log, self.options, self._with_faults)

    # ------------------------------------------------------------------ life

    def __enter__(self) -> SandboxRegistry:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to answer; a server that was stopped takes its old port again."""
        self._server.start()
        if self.options.redirect_blobs:
            self._objects.start()

    def stop(self) -> None:
        """End all connections and free the port; the content stays."""
        self._server.stop()
        self._objects.stop()

    # --------------------------------------------------------------- address

    @property
    def port(self) -> int:
        """TCP port, known after start()."""
        return self._server.port

    @property
    def storage_port(self) -> int:
        """Port of the second listener, to which blob requests are redirected; 0 without `redirect_blobs`."""
        return self._objects.port

    @property
    def host(self) -> str:
        """`127.0.0.1:port`, as image references start."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """`http(s)://127.0.0.1:port`."""
        return f"{self._server.scheme}://{self.host}"

    @property
    def service(self) -> str:
        """Name of the token service."""
        return self.options.service or self.host

    # ------------------------------------------------------------------- log

    @property
    def requests(self) -> list[Request]:
        """Everything that was asked so far, in the order of arrival."""
        return list(self._log.select())

    def select(
        self,
        predicate: Predicate | None = None,
        *,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
    ) -> list[Request]:
        """Requests that fulfil everything given: `method` as `GET|HEAD`, `path` a regular expression."""
        return list(self._log.select(predicate, method=method, path=path, status=status))

    def count(
        self,
        predicate: Predicate | None = None,
        *,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
    ) -> int:
        """How many requests fulfil everything given."""
        return len(self.select(predicate, method=method, path=path, status=status))

    @property
    def writes(self) -> list[Request]:
        """All requests with a method that changes something."""
        return self.select(lambda request: request.write)

    @property
    def peak(self) -> int:
        """Most requests that were being answered at the same time."""
        return self._log.peak

    @property
    def leaked_credentials(self) -> list[Request]:
        """Requests that reached the second listener with an Authorization header."""
        return self.select(lambda request: request.server == "storage" and bool(request.auth))

    @property
    def tls_failures(self) -> int:
        """Connections that ended before the TLS handshake did."""
        return self._server.tls_failures

    def reset_log(self) -> None:
        """Forget the requests so far, refused ones too."""
        self._log.reset()
        self.refused = []

    # ----------------------------------------------------------------- state

    @property
    def repositories(self) -> list[str]:
        """Names of all repositories, in the order of their creation."""
        with self.storage.lock:
            return list(self.storage.repositories)

    @property
    def blobs(self) -> dict[str, bytes]:
        """Digest -> content of all blobs that a repository serves; manifests are not among them."""
        with self.storage.lock:
            digests = {digest for found in self.storage.repositories.values() for digest in found.blobs}
        contents = {digest: self.storage.content.get(digest) for digest in sorted(digests)}
        return {digest: data for digest, data in contents.items() if data is not None}

    def repository_blobs(self, repository: str) -> set[str]:
        """Digests of the blobs that one repository serves."""
        with self.storage.lock:
            found = self.storage.repositories.get(repository)
            return set(found.blobs) if found else set()

    def manifests(self, repository: str) -> dict[str, StoredManifest]:
        """Digest -> manifest of one repository, tagged or not."""
        with self.storage.lock:
            found = self.storage.repositories.get(repository)
            digests = list(found.manifests) if found else []
        stored = {digest: self.storage.manifest(repository, digest) for digest in digests}
        return {digest: manifest for digest, manifest in stored.items() if manifest is not None}

    def tags(self, repository: str) -> dict[str, str]:
        """Tag -> digest of one repository."""
        with self.storage.lock:
            found = self.storage.repositories.get(repository)
            return dict(found.tags) if found else {}

    def load(self, repository: str, tag: str | None, image: Image) -> str:
        """Put an image with everything below it into a repository without a request; returns its digest."""
        for digest, blob in image.all_blobs().items():
            self.storage.content.add(digest, blob.data)
            self.storage.link_blob(repository, digest)
        for manifest in image.walk():
            own_tag = tag if manifest is image else None
            self.storage.put_manifest(repository, manifest.body, manifest.media_type, own_tag, manifest.digest)
        return image.digest

    def put_blob(self, repository: str, data: bytes) -> str:
        """Put a blob into a repository without a request; returns its digest."""
        digest = digest_of(data)
        self.storage.content.add(digest, data)
        self.storage.link_blob(repository, digest)
        return digest

    def move_tag(self, repository: str, tag: str, digest: str) -> None:
        """Let a tag point to another manifest of the repository."""
        self.storage.move_tag(repository, tag, digest)

    def lose_blob(self, repository: str, digest: str) -> bool:
        """Let a blob vanish from a repository, as a failing storage would; False when it was not there."""
        return self.storage.unlink_blob(repository, digest, forget=True)

    def wipe(self) -> None:
        """Forget all content."""
        self.storage.wipe()

    def expire_tokens(self) -> None:
        """Let every token issued so far have expired."""
        self._authority.expire_tokens()

    def verify(self) -> list[str]:
        """Re-hash everything and follow every reference; one sentence for each thing that is not right."""
        problems = []
        for digest in self.storage.content.digests():
            data = self.storage.content.get(digest) or b""
            actual = digest_of(data, digest.partition(":")[0])
            if actual != digest:
                problems.append(f"content of {digest} has digest {actual}")
        for repository in self.repositories:
            known = self.manifests(repository)
            for digest, manifest in known.items():
                missing = missing_references(self.storage, repository, manifest.parsed, manifest.media_type, self.options.sparse_indexes)
                problems += [f"{repository}@{digest} refers to {child}, which is not there" for child in missing]
            for tag, digest in self.tags(repository).items():
                if digest not in known:
                    problems.append(f"{repository}:{tag} points to {digest}, which is not there")
        return problems

    # --------------------------------------------------------------- private

    def _make_authority(self) -> Authority:
        """Who decides what callers may do."""
        return Authority(self.options, lambda: self.service, lambda name: name in self.repositories)

    def _with_faults(self, answer: Handler) -> Handler:
        """A handler that answers as `answer` does, after the latency and with the planned faults."""

        def handle(request: HttpRequest) -> HttpResponse:
            if self.latency:
                self._server.stopping.wait(self.latency)
            fault = self.faults.take(request)
            if fault is not None:
                return fault_kinds.answer_with(fault, request, answer, self.storage)
            return answer(request)

        return handle

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if self.refuse_writes and request.record.write:
            self.refused.append(request.record)
            return ApiError("UNKNOWN", {}, message="this registry refuses writes").response()
        response = self._api.answer(request)
        if self.options.redirect_blobs:
            return self._objects.redirect(request, response)
        return response
