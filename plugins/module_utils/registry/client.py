# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The OCI distribution API of one registry, as typed calls.

Source: OCI distribution spec 1.1; deviations of Quay and docker-registry are named where they are met.
"""

from __future__ import annotations

import enum
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlencode, urljoin, urlsplit

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import (
    AirgapError,
    CancelledError,
    InputError,
    ProtocolError,
    TransportError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import (
    Body,
    HttpSession,
    discard,
    origin,
    read_limited,
    safe_url,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import CredentialStore
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import error_code, raise_for
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import (
    ACCEPT,
    OCI_INDEX,
    Descriptor,
    Manifest,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import (
    api_host,
    is_repository,
    is_tag,
    parse_digest,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Store, Upload
from ansible_collections.quayside.airgap.plugins.module_utils.registry.tokens import (
    Authorizer,
    Scopes,
    login_hint,
    repository_scope,
)

if TYPE_CHECKING:
    from requests import Response

# Registries refuse manifests above 4 MiB (distribution spec, "Pushing Manifests"); some allow more
_MANIFEST_LIMIT = 16 << 20
_LIST_LIMIT = 64 << 20
_ERROR_LIMIT = 1 << 20
_PAGE = 1000
_OCTETS = "application/octet-stream"
_UNKNOWN = frozenset({"MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_UNKNOWN"})


class Access(enum.Enum):
    """What a registry is used for.

    A registry with a token service may hide a repository that does not exist from those who only want to read
    (reference/quay.md 6: "unauthorized"), and may create it for those who want to write.
    """

    READ = "read"
    WRITE = "write"
    # what a WRITE would meet, without leaving a trace: what is hidden counts as missing
    LOOK = "look"


class RegistryClient(Store):
    """One registry, with one set of credentials. Shared by threads.

    What a registry can do is learned from its answers and kept: whether it has the referrers API, takes a blob in one POST,
    mounts blobs, refuses bodies above some size.

    :ivar referrers_api: None until it is known.
    :ivar single_post: whether a blob can be sent with the POST itself; None until it is known.
    :ivar mounts: whether blobs of one repository can be linked into another of the same namespace; None until it is known.
    :ivar sparse_indexes: whether it takes an index without all of its images; None until it is known.
    :ivar largest_body: bytes that the server took in one request at the most; None while it has refused none.
    """

    def __init__(self, registry: str, session: HttpSession, credentials: CredentialStore, access: Access = Access.READ) -> None:
        self.registry = registry
        self._session = session
        self._store = credentials
        self._access = access
        self._connecting = threading.Lock()
        self._authorizer: Authorizer | None = None
        self._base = ""
        self._announced: list[tuple[list[str], str]] = []
        self._hiding: set[str] = set()
        self._tag_lists: dict[str, frozenset[str]] = {}
        self.sparse_indexes: bool | None = None
        self.mounts: bool | None = None
        self._reluctant: set[str] = set()
        self.referrers_api: bool | None = None
        self.single_post: bool | None = None
        self.largest_body: int | None = None

    def announce(self, repositories: Iterable[str], actions: str = "pull") -> None:
        """Say which repositories will be used, and for what: where tokens are needed, one will serve several of them.

        :param actions: ``pull``, or ``pull,push`` for those that will be written.
        """
        self._announced.append((list(repositories), actions))
        if self._authorizer is not None:
            self._authorizer.announce(*self._announced[-1])

    def hides(self, repository: str) -> bool:
        """Whether we may not look into a repository, or it is not there: without writing nobody can tell."""
        return repository in self._hiding

    # -- manifests -------------------------------------------------------------------------------------------------------

    def head_manifest(self, repository: str, identifier: str) -> str | None:
        """The digest of a manifest, None when there is no such manifest or repository.

        :param identifier: a tag or a digest.
        """
        if self.hides(repository):
            return None
        where = self._where(repository, identifier)
        response = self._call("HEAD", f"{repository}/manifests/{identifier}", repository, headers={"Accept": ACCEPT})
        discard(response)
        if response.status_code == 404:
            return None
        if self._hidden(response, repository):
            return None
        if response.status_code != 200:
            # an answer to HEAD has no words in it: ask again so that the user reads the registry's own
            return self.get_manifest(repository, identifier).digest
        digest = response.headers.get("Docker-Content-Digest", "")
        if not digest:
            return self.get_manifest(repository, identifier).digest
        if ":" in identifier and digest != identifier:
            raise ProtocolError("look up the manifest of", where, f"the registry says that its digest is {digest}")
        return _checked_digest(digest, "look up the manifest of", where)

    def get_manifest(self, repository: str, identifier: str) -> Manifest:
        """A manifest or index, checked against its digest.

        :raises NotFoundError: when there is none.
        :raises ProtocolError: when the answer is no manifest, or another one than it says.
        """
        where = self._where(repository, identifier)
        call = partial(self._call, "GET", f"{repository}/manifests/{identifier}", repository, headers={"Accept": ACCEPT}, follow=True)
        response, content = self._session.read(call, _MANIFEST_LIMIT, f"the manifest of {where}")
        if response.status_code != 200:
            self._refuse("read the manifest of", where, response, content, repository)
        digest = identifier if ":" in identifier else response.headers.get("Docker-Content-Digest")
        if digest is not None:
            _checked_digest(digest, "use the manifest of", where)
        return Manifest.parse(content, response.headers.get("Content-Type", ""), where, digest)

    def put_manifest(self, repository: str, identifier: str, manifest: Manifest) -> str | None:
        """Store a manifest under a tag or its digest.

        :returns: the digest of the subject, where the registry has taken note that this manifest speaks of another.
        :raises RegistryError: ``digests`` of it are those the registry misses, when that is the reason.
        """
        where = self._where(repository, identifier)
        call = partial(
            self._call,
            "PUT",
            f"{repository}/manifests/{identifier}",
            repository,
            actions="pull,push",
            headers={"Content-Type": manifest.media_type},
            body=manifest.content,
        )
        response, content = self._session.read(call, _ERROR_LIMIT, f"the answer for {where}")
        if not _says_stored(response, 201, 202):
            self._refuse("write the manifest of", where, response, content, repository)
        stored = response.headers.get("Docker-Content-Digest", manifest.digest)
        if stored != manifest.digest and stored.partition(":")[0] == manifest.digest.partition(":")[0]:
            raise ProtocolError("write the manifest of", where, f"the registry stored it as {stored} instead of {manifest.digest}")
        return response.headers.get("OCI-Subject")

    def delete_manifest(self, repository: str, identifier: str) -> bool:
        """Delete a manifest by digest, or a tag where the registry allows that.

        :returns: False when there was none.
        """
        return self._delete(repository, "manifests", identifier)

    # -- blobs -----------------------------------------------------------------------------------------------------------

    def head_blob(self, repository: str, digest: str) -> int | None:
        """The size of a blob in bytes (-1 when the registry does not say), None when it is not there."""
        if self.hides(repository):
            return None
        response = self._call("HEAD", f"{repository}/blobs/{digest}", repository, follow=True)
        discard(response)
        if response.status_code == 404:
            return None
        if self._hidden(response, repository):
            return None
        if response.status_code != 200:
            self._refuse("look up the blob", self._where(repository, digest), response, b"", repository)
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isdecimal() else -1

    def open_blob(self, repository: str, digest: str, offset: int = 0) -> tuple[Response, int]:
        """Begin to read a blob.

        :param offset: bytes to leave out at the beginning.
        :returns: the answer with its body unread, and the offset that the body really begins at: 0 where the server does
            not know ranges.
        """
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        where = self._where(repository, digest)
        response = self._call("GET", f"{repository}/blobs/{digest}", repository, headers=headers, follow=True)
        if response.status_code == 206 and offset:
            begin = response.headers.get("Content-Range", "").replace("bytes", "").strip().partition("-")[0]
            if begin != str(offset):
                response.close()
                raise ProtocolError("read the blob", where, f"asked to go on at byte {offset}, the server goes on at '{begin}'")
            return response, offset
        if response.status_code != 200:
            self._refuse("read the blob", where, response, read_limited(response, _ERROR_LIMIT, where), repository)
        return response, 0

    def delete_blob(self, repository: str, digest: str) -> bool:
        """Unlink a blob from a repository.

        :returns: False when it was not there.
        """
        return self._delete(repository, "blobs", digest)

    def mount_blob(self, repository: str, digest: str, origin_repository: str) -> Upload | None:
        """Have a blob of another repository of the same registry appear in this one.

        :returns: None when that was done, else the upload session that the registry began in its place.
        """
        return self._begin(repository, digest, {"mount": digest, "from": origin_repository}, origin_repository)

    def begin_upload(self, repository: str, digest: str) -> Upload:
        """Begin to upload a blob."""
        upload = self._begin(repository, digest, {}, None)
        if upload is None:
            raise ProtocolError("upload the blob", self._where(repository, digest), "the registry claims to have it before it was sent")
        return upload

    def upload_bytes(self, repository: str, digest: str, content: bytes) -> None:
        """Store a small blob, in one request where the registry knows how."""
        if self.single_post is not False:
            upload = self._begin(repository, digest, {"digest": digest}, None, body=content)
            self.single_post = upload is None
            if upload is None:
                return
        else:
            upload = self.begin_upload(repository, digest)
        self.finish_upload(repository, upload, digest, content, retry=True)

    def send_chunk(self, repository: str, upload: Upload, digest: str, body: Body, offset: int, length: int) -> Upload:
        """Send bytes ``offset`` to ``offset + length`` of a blob; the returned session goes on after them.

        :raises RegistryError: 416 when the registry expects another offset, 413 when the chunk is too large for it.
        """
        headers = {"Content-Type": _OCTETS, "Content-Range": f"{offset}-{offset + length - 1}"}
        response = self._upload_call("PATCH", upload.url, repository, headers, body, retry=False)
        content = read_limited(response, _ERROR_LIMIT, f"the answer for {digest}")
        if response.status_code not in (201, 202, 204):
            self._refuse("upload the blob", self._where(repository, digest), response, content, repository)
        return self._session_of(response, upload.url, repository)

    def finish_upload(self, repository: str, upload: Upload, digest: str, body: Body | None = None, *, retry: bool = False) -> None:
        """Send the rest of a blob, or all of it, and have it stored under its digest."""
        separator = "&" if urlsplit(upload.url).query else "?"
        url = f"{upload.url}{separator}{urlencode({'digest': digest})}"
        response = self._upload_call("PUT", url, repository, {"Content-Type": _OCTETS}, body, retry=retry)
        content = read_limited(response, _ERROR_LIMIT, f"the answer for {digest}")
        if not _says_stored(response, 201, 204):
            self._refuse("upload the blob", self._where(repository, digest), response, content, repository)

    def uploaded(self, repository: str, upload: Upload) -> tuple[int, Upload] | None:
        """How many bytes of an interrupted upload the registry has, with the session to go on; None when it has lost it."""
        response = self._upload_call("GET", upload.url, repository, {}, None, retry=True)
        read_limited(response, _ERROR_LIMIT, "the state of an upload")
        unit, _equals, span = response.headers.get("Range", "").rpartition("=")
        first, _dash, last = span.partition("-")
        if response.status_code != 204 or first != "0" or not last.isdecimal():
            return None
        # The spec's "0-99" names the last byte; Quay's "bytes=0-100" the number of bytes. "0-0" means nothing or one byte, the
        # registries differ: one byte more sent is refused, none at all never.
        count = int(last) if unit or not int(last) else int(last) + 1
        return count, self._session_of(response, upload.url, repository)

    def cancel_upload(self, repository: str, upload: Upload) -> None:
        """Give an upload up; registries clean the rest up by themselves, so that a failure to do so is no failure."""
        try:
            discard(self._upload_call("DELETE", upload.url, repository, {}, None, retry=False))
        except CancelledError:
            raise
        except AirgapError:
            return

    # -- lists -----------------------------------------------------------------------------------------------------------

    def tags(self, repository: str, *, fresh: bool = False) -> Iterator[list[str]]:
        """Pages of the tags of a repository; a list that was read to its end is not asked for again.

        :param fresh: ask again nevertheless.
        :raises NotFoundError: when there is no such repository.
        """
        action = f"list the tags of {self.registry}/{repository}"
        if repository in self._tag_lists and not fresh:
            yield sorted(self._tag_lists[repository])
            return
        found: set[str] = set()
        for page in self._pages(f"{repository}/tags/list", "tags", repository, action):
            tags = [tag for tag in page if is_tag(tag)]
            found.update(tags)
            yield tags
        self._tag_lists[repository] = frozenset(found)

    def catalog(self) -> Iterator[list[str]]:
        """Pages of the repositories that the registry shows to us."""
        for page in self._pages("_catalog", "repositories", "", f"list the repositories of {self.registry}"):
            yield [name for name in page if is_repository(name)]

    def referrers(self, repository: str, digest: str) -> list[Descriptor] | None:
        """The manifests that speak of a manifest; None where the registry does not have the referrers API."""
        if self.referrers_api is False:
            return None
        where = self._where(repository, digest)
        found: list[Descriptor] = []
        path: str | None = f"{repository}/referrers/{digest}"
        seen = set()
        while path is not None and path not in seen:
            seen.add(path)
            call = partial(self._call, "GET", path, repository, headers={"Accept": OCI_INDEX}, follow=True)
            response, content = self._session.read(call, _MANIFEST_LIMIT, where)
            kind = response.headers.get("Content-Type", "").partition(";")[0]
            if response.status_code != 200 or kind != OCI_INDEX:
                # Quay, which has the API, says that it does not know the manifest or the repository: nothing refers to it then
                if response.status_code in (400, 404) and error_code(content) in _UNKNOWN:
                    return found
                # a registry that has the API must answer 200 with an index, even for an unknown digest ("Listing Referrers")
                if response.status_code in (404, 405, 200, 400) and not found:
                    self.referrers_api = False
                    return None
                self._refuse("list the referrers of", where, response, content, repository)
            self.referrers_api = True
            found += Manifest.parse(content, OCI_INDEX, where).children
            api = f"{self._base}/v2/"
            following = _next_page(api + path, response.headers.get("Link", ""))
            path = following[len(api) :] if following is not None and following.startswith(api) else None
        return found

    # -- beneath ---------------------------------------------------------------------------------------------------------

    def connect(self) -> str:
        """Find out how the registry is reached and what it wants for a login. Done once, by whoever comes first.

        :returns: its base URL.
        :raises TransportError: when it cannot be reached.
        :raises ProtocolError: when something else than a registry answers.
        """
        if self._base:
            return self._base
        with self._connecting:
            if not self._base:
                self._connect()
        return self._base

    def check_login(self, path: str = "", *, required: bool) -> None:
        """Ask for access to the registry as a whole, to learn whether our credentials are accepted.

        :param path: namespace or repository whose credentials are meant; those of the host where it is empty.
        :param required: whether it is a failure to have none where the registry asks for some; one that is only read may let
            everybody have its public images.
        :raises AccessError: when the credentials are refused, or missing.
        """
        self.connect()
        if not required and self._store.find(self.registry, path) is None:
            return
        response = self._authorized("GET", f"{self._base}/v2/", frozenset(), path, {}, None, retry=True, follow=False)
        content = read_limited(response, _ERROR_LIMIT, self.registry)
        if response.status_code != 200:
            self._refuse("log in to", self.registry, response, content, path)

    def _connect(self) -> None:
        base = f"https://{api_host(self.registry)}"
        try:
            response, content = self._ping(base)
        except TransportError as error:
            # as podman does: without certificates to check, plain HTTP is the next guess
            if self._session.settings.tls.verify or error.kind == "dns":
                raise
            plain = f"http://{api_host(self.registry)}"
            try:
                response, content = self._ping(plain)
            except TransportError as second:
                raise (error if error.kind == "refused" else second) from error
            base = plain
        if response.status_code not in (200, 401, 403):
            raise_for(
                "find the distribution API of",
                self.registry,
                response.status_code,
                content,
                f"Is {safe_url(base)} a registry?",
            )
        # Quay answers "true" as text/html, but it says what it is
        named = "Docker-Distribution-Api-Version" in response.headers
        if response.status_code == 200 and not named and "json" not in response.headers.get("Content-Type", "json"):
            kind = response.headers.get("Content-Type")
            raise ProtocolError("find the distribution API of", self.registry, f"it answers {kind}, as a web page does, not a registry")
        authorizer = Authorizer(self._session, self.registry, base, lambda repository: self._store.find(self.registry, repository))
        for repositories, actions in self._announced:
            authorizer.announce(repositories, actions)
        # Quay says so itself since 3.17
        sparse = response.headers.get("X-Sparse-Manifest-Support", "").lower()
        self.sparse_indexes = {"true": True, "false": False}.get(sparse)
        if response.status_code == 401 and authorizer.learn(response.headers) is None:
            raise ProtocolError(
                "log in to",
                self.registry,
                "it asks for a login without naming a way that is known here (basic, bearer)",
            )
        self._authorizer = authorizer
        self._base = base

    def _ping(self, base: str) -> tuple[Response, bytes]:
        return self._session.read(partial(self._session.send, "GET", f"{base}/v2/", first_contact=True), _ERROR_LIMIT, self.registry)

    def _delete(self, repository: str, kind: str, identifier: str) -> bool:
        where = self._where(repository, identifier)
        call = partial(self._call, "DELETE", f"{repository}/{kind}/{identifier}", repository, actions="pull,push")
        response, content = self._session.read(call, _ERROR_LIMIT, f"the answer for {where}")
        if response.status_code not in (200, 202, 204, 404):
            self._refuse("delete", where, response, content, repository)
        return response.status_code != 404

    def _call(
        self,
        method: str,
        path: str,
        repository: str,
        *,
        actions: str = "pull",
        extra: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        follow: bool = False,
    ) -> Response:
        url = f"{self.connect()}/v2/{path}"
        more = "pull,push" if self._access is Access.WRITE and actions == "pull" and repository else actions
        for right in dict.fromkeys([more] if repository in self._reluctant else [actions, more]):
            scopes = frozenset([repository_scope(repository, right), *extra] if repository else [])
            response = self._authorized(
                method,
                url,
                scopes,
                repository,
                headers or {},
                body,
                retry=True,
                follow=follow,
                insist=right == more and self._access is not Access.LOOK,
            )
            if response.status_code not in (401, 403) or right == more or not self._uses_tokens():
                return response
            self._reluctant.add(repository)
            discard(response)
        raise AssertionError("the last right is returned from the loop")

    def _uses_tokens(self) -> bool:
        return self._authorizer is not None and self._authorizer.uses_tokens

    def _hidden(self, response: Response, repository: str) -> bool:
        """Whether a refusal means that the repository may not exist yet, as far as one may look without writing."""
        refused = self._access is Access.LOOK and response.status_code in (401, 403)
        if refused and self._uses_tokens() and self._store.find(self.registry, repository) is not None:
            self._hiding.add(repository)
            return True
        return False

    def _upload_call(
        self, method: str, url: str, repository: str, headers: Mapping[str, str], body: Body | None, *, retry: bool
    ) -> Response:
        scopes = frozenset([repository_scope(repository, "pull,push")])
        return self._authorized(method, url, scopes, repository, headers, body, retry=retry, follow=False)

    def _authorized(
        self,
        method: str,
        url: str,
        scopes: Scopes,
        repository: str,
        headers: Mapping[str, str],
        body: Body | None,
        *,
        retry: bool,
        follow: bool,
        insist: bool = True,
    ) -> Response:
        """Make a call with the Authorization that it needs.

        :param insist: after a 401 to a token try again with a new one; off where other rights will be tried anyway.
        """
        self.connect()
        authorizer = self._authorizer
        if authorizer is None:
            raise ProtocolError("log in to", self.registry, "the registry was not reached")
        for last_try in (False, True):
            sent: dict[str, str] = dict(headers)
            # an upload may have to go to another host (a storage service): our credentials are not for it
            authorization = authorizer.header(scopes, repository) if origin(url) == authorizer.base_origin else None
            if authorization:
                sent["Authorization"] = authorization
            response = self._session.send(method, url, headers=sent, body=body, retry=retry, follow=follow)
            if response.status_code != 401 or last_try or (authorization and not insist):
                break
            # another server, where a redirect or an upload led to, is not to say where our credentials go
            if origin(response.url) != authorizer.base_origin:
                break
            challenge = authorizer.learn(response.headers)
            authorizer.forget(scopes, repository)
            # a stream that was read cannot be sent again: its owner starts over, with a new token
            if challenge is not None:
                # rights that only some registries know by name (delete, registry:catalog:*) are asked for when one names them,
                # since Quay refuses names that it does not know
                scopes |= frozenset(challenge.scope.split())
            if challenge is None or callable(body) or (challenge.scheme == "basic" and authorization):
                break
            if authorizer.header(scopes, repository) is None:
                break
            read_limited(response, _ERROR_LIMIT, self.registry)
        return response

    def _begin(self, repository: str, digest: str, query: Mapping[str, str], other: str | None, body: bytes | None = None) -> Upload | None:
        where = self._where(repository, digest)
        path = f"{repository}/blobs/uploads/" + (f"?{urlencode(query)}" if query else "")
        extra = (repository_scope(other, "pull"),) if other and other != repository else ()
        headers = {"Content-Type": _OCTETS} if body is not None else {}
        call = partial(self._call, "POST", path, repository, actions="pull,push", extra=extra, headers=headers, body=body)
        response, content = self._session.read(call, _ERROR_LIMIT, where)
        if response.status_code == 201:
            return None
        if response.status_code != 202:
            self._refuse("upload the blob", where, response, content, repository)
        return self._session_of(response, response.url, repository)

    def _session_of(self, response: Response, asked: str, repository: str) -> Upload:
        location = response.headers.get("Location")
        if not location:
            return Upload(asked)
        try:
            url = urljoin(asked, location)
            origin(url)
        except ValueError as error:
            raise ProtocolError("upload to", self.registry, f"it names no valid place to send content to ({error})") from error
        base = urlsplit(self._base)
        # A registry that knows itself by another name than we do (a service name, a tunnel), or does not know that a proxy speaks
        # TLS for it, is still the place where its own uploads go. A storage service has other paths.
        if urlsplit(url).path.startswith(f"/v2/{repository}/blobs/uploads/"):
            url = urlsplit(url)._replace(scheme=base.scheme, netloc=base.netloc).geturl()
        minimum = response.headers.get("OCI-Chunk-Min-Length", "")
        return Upload(url, int(minimum) if minimum.isdecimal() else 0)

    def _pages(self, path: str, key: str, repository: str, action: str) -> Iterator[list[str]]:
        url: str | None = f"{self.connect()}/v2/{path}?n={_PAGE}"
        scopes = frozenset([repository_scope(repository, "pull")] if repository else [])
        seen = set()
        while url is not None and url not in seen:
            seen.add(url)
            call = partial(self._authorized, "GET", url, scopes, repository, {}, None, retry=True, follow=True)
            response, content = self._session.read(call, _LIST_LIMIT, safe_url(url))
            if response.status_code != 200:
                self._refuse(action, "", response, content, repository)
            try:
                items = json.loads(content)[key] or []
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise ProtocolError(action, "", f"the answer is no list of {key}") from error
            if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
                raise ProtocolError(action, "", f"the answer is no list of {key}")
            yield items
            url = _next_page(url, response.headers.get("Link", ""))

    def _refuse(self, action: str, subject: str, response: Response, content: bytes, repository: str) -> NoReturn:
        hint = ""
        if response.status_code in (401, 403):
            credentials = self._store.find(self.registry, repository)
            hint = login_hint(self.registry, credentials)
            # the login itself has succeeded when a token was issued
            if credentials is not None and repository and self._uses_tokens():
                right = "read it" if self._access is Access.READ else "write to it, or may not create it"
                hint = f"There may be no {self.registry}/{repository}, or '{credentials.username}' may not {right}."
        elif response.status_code == 405 and action.startswith(("upload", "write")):
            hint = "The registry lets nobody write: it was set to be read-only, or is a cache of another one."
        raise_for(action, subject, response.status_code, content, hint)

    def _where(self, repository: str, identifier: str) -> str:
        return f"{self.registry}/{repository}{'@' if ':' in identifier else ':'}{identifier}"


def _says_stored(response: Response, *statuses: int) -> bool:
    """Whether an answer says that content was stored; a bare 200 is also what the page of a proxy in between comes with."""
    return response.status_code in statuses or (response.status_code == 200 and "Docker-Content-Digest" in response.headers)


def _next_page(url: str, link: str) -> str | None:
    """The URL of the next page (RFC 8288, rel="next"), None on the last one. Its host is not believed, only its path."""
    for target, parameters in re.findall(r"<([^>]*)>([^<]*)", link):
        if re.search(r';\s*rel\s*=\s*"?next"?\s*(?:[;,]|$)', parameters, re.I):
            try:
                there = urlsplit(urljoin(url, target))
            except ValueError as error:
                raise ProtocolError("find the page after", safe_url(url), f"it is said to be at '{target}'") from error
            here = urlsplit(url)
            page: str = there._replace(scheme=here.scheme, netloc=here.netloc).geturl()
            return page
    return None


def _checked_digest(digest: str, action: str, where: str) -> str:
    try:
        return parse_digest(digest, where)
    except InputError as error:
        raise ProtocolError(action, where, f"the registry names it by a digest that is none: {error.reason}") from error
