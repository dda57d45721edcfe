# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifest endpoints: HEAD, GET, PUT and DELETE by tag and digest, and the referrers of a manifest."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.answers import (
    API_VERSION,
    ApiError,
    empty_answer,
    json_answer,
    page_not_found,
)
from ansible_collections.quayside.airgap.tests.sandbox.http_messages import HttpRequest, HttpResponse
from ansible_collections.quayside.airgap.tests.sandbox.options import RegistryOptions
from ansible_collections.quayside.airgap.tests.sandbox.storage import DIGEST, Storage, StoredManifest, digest_of

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
INDEX_TYPES = (DOCKER_LIST, OCI_INDEX)
IMAGE_TYPES = (DOCKER_MANIFEST, OCI_MANIFEST)
# Both docker-registry and Quay refuse larger ones.
MAX_MANIFEST = 4 << 20
TAG = re.compile(r"^\w[\w.-]{0,127}$", re.ASCII)


class Manifests:
    """The manifests of all repositories of one storage."""

    def __init__(self, options: RegistryOptions, storage: Storage) -> None:
        self._options = options
        self._storage = storage

    # ------------------------------------------------------------------- get

    def get(self, request: HttpRequest, repository: str, reference: str) -> HttpResponse:
        """GET and HEAD."""
        _check_reference(reference)
        found = self._storage.manifest(repository, reference)
        if found is None:
            raise self._unknown(repository, reference)
        if self._options.strict_accept:
            found = self._acceptable(request, repository, found)
        headers = {"Content-Type": found.media_type, **API_VERSION}
        if request.method != "HEAD" or self._options.digest_header:
            headers["Docker-Content-Digest"] = found.digest
            if not self._options.quay:
                headers["Etag"] = f'"{found.digest}"'
                if request.headers.get("if-none-match") in (found.digest, f'"{found.digest}"'):
                    return empty_answer(304)
        return HttpResponse(200, headers, found.body)

    def _acceptable(self, request: HttpRequest, repository: str, found: StoredManifest) -> StoredManifest:
        """What a client gets that does not accept the type of a manifest, as docker-registry 2.8 decides.

        That registry turns v2s2 images into schema 1 for clients without an Accept for them; here they get the image.
        """
        accepted = {part.partition(";")[0].strip() for part in request.headers.get("accept", "").split(",")}
        if found.media_type in accepted or found.media_type == DOCKER_MANIFEST:
            return found
        if found.media_type == DOCKER_LIST:
            if DOCKER_MANIFEST not in accepted:
                return found
            for entry in found.parsed.get("manifests", []):
                platform = entry.get("platform", {})
                if (platform.get("os"), platform.get("architecture")) == ("linux", "amd64"):
                    child = self._storage.manifest(repository, entry["digest"])
                    if child is not None:
                        return child
            raise ApiError("MANIFEST_UNKNOWN", {})
        kind, kinds = ("index", "indexes") if found.media_type == OCI_INDEX else ("manifest", "manifests")
        raise ApiError("MANIFEST_UNKNOWN", message=f"OCI {kind} found, but accept header does not support OCI {kinds}")

    # ------------------------------------------------------------------- put

    def put(self, request: HttpRequest, repository: str, reference: str) -> HttpResponse:
        """PUT: check everything that a registry checks, then store."""
        _check_reference(reference)
        try:
            body = request.body.read(MAX_MANIFEST)
        except ValueError:
            raise ApiError("MANIFEST_INVALID", "http: request body too large", close=True) from None
        media_type = request.headers.get("content-type", "").partition(";")[0].strip()
        manifest = _parse(body, media_type)
        algorithm = reference.partition(":")[0] if DIGEST.match(reference) else "sha256"
        digest = digest_of(body, algorithm)
        if DIGEST.match(reference) and reference != digest:
            raise ApiError("DIGEST_INVALID")
        self._check_references(repository, manifest, media_type)
        tag = None if reference == digest else reference
        if tag and self._storage.watcher:
            self._storage.watcher.may_tag(repository, tag, digest)
        self._storage.put_manifest(repository, body, media_type, tag, digest)
        headers = {"Location": f"/v2/{repository}/manifests/{digest}", "Docker-Content-Digest": digest}
        subject = manifest.get("subject")
        # Quay keeps referrers without saying so here.
        if self._options.referrers and not self._options.quay and isinstance(subject, dict):
            headers["OCI-Subject"] = str(subject.get("digest"))
        return empty_answer(201, headers)

    def _check_references(self, repository: str, manifest: dict[str, Any], media_type: str) -> None:
        error: ApiError | None = None
        for digest in missing_references(self._storage, repository, manifest, media_type, self._options.sparse_indexes):
            if error is None:
                error = ApiError("MANIFEST_BLOB_UNKNOWN", digest)
            else:
                error.add("MANIFEST_BLOB_UNKNOWN", digest)
        if error:
            raise error

    # ---------------------------------------------------------------- delete

    def delete(self, repository: str, reference: str) -> HttpResponse:
        """DELETE by digest takes the tags of that manifest along; by tag only Quay knows it."""
        _check_reference(reference)
        if not self._options.delete:
            raise ApiError("UNSUPPORTED")
        if DIGEST.match(reference):
            self._ask_for_tags(repository, reference)
            if not self._storage.delete_manifest(repository, reference):
                raise ApiError("MANIFEST_UNKNOWN")
            return empty_answer(202)
        if not self._options.quay:
            raise ApiError("DIGEST_INVALID")
        if self._storage.watcher:
            self._storage.watcher.may_tag(repository, reference, None)
        if not self._storage.delete_tag(repository, reference):
            raise ApiError("MANIFEST_UNKNOWN")
        return empty_answer(202)

    def _ask_for_tags(self, repository: str, digest: str) -> None:
        """A manifest goes with its tags: each of them must be allowed to."""
        if self._storage.watcher is None:
            return
        with self._storage.lock:
            found = self._storage.repositories.get(repository)
            tags = [tag for tag, target in found.tags.items() if target == digest] if found else []
        for tag in tags:
            self._storage.watcher.may_tag(repository, tag, None)

    # ------------------------------------------------------------- referrers

    def referrers(self, request: HttpRequest, repository: str, digest: str) -> HttpResponse:
        """An index of the manifests whose subject is `digest`; with ?artifactType= those of one type only."""
        if not self._options.referrers:
            return page_not_found()
        if not DIGEST.match(digest):
            raise ApiError("DIGEST_INVALID", "digest parsing failed")
        wanted = request.first("artifactType")
        entries = []
        with self._storage.lock:
            found = self._storage.repositories.get(repository)
            names = list(found.manifests) if found else []
        if self._options.quay and digest not in names:
            raise ApiError("MANIFEST_INVALID" if found else "NAME_UNKNOWN")
        for name in names:
            stored = self._storage.manifest(repository, name)
            if stored is None:
                continue
            manifest = stored.parsed
            if (manifest.get("subject") or {}).get("digest") != digest:
                continue
            artifact_type = manifest.get("artifactType") or (manifest.get("config") or {}).get("mediaType")
            if wanted and artifact_type != wanted:
                continue
            entry = {"mediaType": stored.media_type, "digest": stored.digest, "size": len(stored.body)}
            if artifact_type:
                entry["artifactType"] = artifact_type
            if manifest.get("annotations"):
                entry["annotations"] = manifest["annotations"]
            entries.append(entry)
        headers = {"Content-Type": OCI_INDEX}
        if wanted:
            headers["OCI-Filters-Applied"] = "artifactType"
        return json_answer(200, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}, headers)

    def _unknown(self, repository: str, reference: str) -> ApiError:
        if self._options.quay:
            with self._storage.lock:
                known = repository in self._storage.repositories
            return ApiError("MANIFEST_UNKNOWN" if known else "NAME_UNKNOWN", {})
        if DIGEST.match(reference):
            return ApiError("MANIFEST_UNKNOWN", {"Name": repository, "Revision": reference})
        return ApiError("MANIFEST_UNKNOWN", {"Tag": reference})


def missing_references(storage: Storage, repository: str, manifest: dict[str, Any], media_type: str, sparse: bool) -> list[str]:
    """Digests that a manifest refers to and its repository does not have. Foreign layers may be missing."""
    missing = []
    if media_type in INDEX_TYPES:
        for entry in manifest.get("manifests") or []:
            if not sparse and storage.manifest(repository, str(entry.get("digest"))) is None:
                missing.append(str(entry.get("digest")))
        return missing
    for entry in [manifest.get("config") or {}, *(manifest.get("layers") or [])]:
        digest = str(entry.get("digest"))
        if not entry.get("urls") and not storage.has_blob(repository, digest) and digest not in missing:
            missing.append(digest)
    return missing


def _parse(body: bytes, media_type: str) -> dict[str, Any]:
    """A manifest as JSON; 400 when it is not one of `media_type`."""
    if media_type not in (*IMAGE_TYPES, *INDEX_TYPES):
        raise ApiError("MANIFEST_INVALID", {})
    try:
        manifest = json.loads(body)
    except ValueError as error:
        raise ApiError("MANIFEST_INVALID", {"Offset": getattr(error, "pos", 0)}) from None
    if not isinstance(manifest, dict) or manifest.get("schemaVersion") != 2:
        raise ApiError("MANIFEST_INVALID", {})
    if manifest.get("mediaType", media_type) != media_type:
        raise ApiError("MANIFEST_INVALID", {})
    parts = "manifests" if media_type in INDEX_TYPES else "layers"
    entries = manifest.get(parts)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ApiError("MANIFEST_INVALID", {})
    if parts == "layers" and not isinstance(manifest.get("config"), dict):
        raise ApiError("MANIFEST_INVALID", {})
    return manifest


def _check_reference(reference: str) -> None:
    if not TAG.match(reference) and not DIGEST.match(reference):
        raise ApiError("TAG_INVALID", message="manifest tag did not match URI")
