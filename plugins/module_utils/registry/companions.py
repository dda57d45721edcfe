# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What travels along with an image: cosign's signatures, attestations and SBOMs, and everything that refers to it.

Sources: cosign's tag convention (``sha256-<hex>.sig``); OCI distribution spec 1.1, "Listing Referrers" and "Referrers Tag
Schema"; OCI image spec 1.1, "Guidelines for Artifact Usage".
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import (
    OCI_INDEX,
    Manifest,
    compact_json,
    hash_bytes,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Store

_SUFFIXES = (".sig", ".att", ".sbom")
COMPANION_TAG = re.compile(r"sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})\.(?:sig|att|sbom)")
SIGNATURE_TYPES = frozenset(
    {
        "application/vnd.dev.cosign.artifact.sig.v1+json",
        "application/vnd.dev.cosign.simplesigning.v1+json",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/vnd.cncf.notary.signature",
    }
)


@dataclass(frozen=True)
class Companion:
    """Something at the source that belongs to an image.

    :ivar tag: cosign's tag, for companions that are found by it; None for referrers.
    :ivar subject: digest of the manifest that it belongs to.
    """

    manifest: Manifest
    subject: str
    tag: str | None = None

    @property
    def is_signature(self) -> bool:
        if self.tag is not None:
            return self.tag.endswith(".sig")
        return self.manifest.artifact_type in SIGNATURE_TYPES


class CompanionFinder:
    """Finds the companions of images in one source repository with as few requests as it can.

    One list of the repository's tags answers for all its images. Where that list is longer than asking for each image would
    take, each image is asked for.

    :param images: how many images of this repository will be asked for, roughly.
    """

    def __init__(self, client: Store, repository: str, images: int) -> None:
        self._client = client
        self._repository = repository
        self._pages = 2 + len(_SUFFIXES) * images
        self._lock = threading.Lock()
        self._listed = False
        self._tags: set[str] | None = None

    def find(self, digests: Iterable[str], *, thorough: frozenset[str]) -> list[Companion]:
        """The companions of some manifests.

        :param digests: of the manifests; only their tags are looked up where that costs nothing.
        :param thorough: those of them for which requests may be spent.
        :raises AirgapError: when the registry cannot be asked.
        """
        found: list[Companion] = []
        for digest in digests:
            found += self._tagged(digest, digest in thorough)
            if digest in thorough:
                found += self._referring(digest)
        return found

    def _tagged(self, digest: str, spend: bool) -> list[Companion]:
        known = self._known_tags()
        found = []
        for suffix in _SUFFIXES:
            tag = tag_of(digest) + suffix
            if tag in known if known is not None else spend and self._client.head_manifest(self._repository, tag) is not None:
                found.append(Companion(self._client.get_manifest(self._repository, tag), digest, tag))
        return found

    def _referring(self, digest: str) -> list[Companion]:
        found = []
        for referrer in referrer_digests(self._client, self._repository, digest, self._known_tags()):
            manifest = self._client.get_manifest(self._repository, referrer)
            if manifest.subject == digest:
                found.append(Companion(manifest, digest))
        return found

    def _known_tags(self) -> set[str] | None:
        """All tags of the repository, None when there are too many to list them."""
        with self._lock:
            if not self._listed:
                self._tags = self._list()
                self._listed = True
        return self._tags

    def _list(self) -> set[str] | None:
        tags: set[str] = set()
        try:
            for number, page in enumerate(self._client.tags(self._repository)):
                if number >= self._pages:
                    return None
                tags.update(page)
        except NotFoundError:
            # a repository that holds untagged manifests only
            return set()
        return tags


def tag_of(digest: str) -> str:
    """The tag that stands for a digest (referrers tag schema; cosign; oc-mirror for images without a tag)."""
    return digest.replace(":", "-")


def referrer_digests(client: Store, repository: str, subject: str, tags: set[str] | None = None) -> tuple[str, ...]:
    """Digests of the manifests that refer to another, by the API or, where there is none, by the tag schema.

    :param tags: all tags of the repository where they are known, which may save a request.
    """
    listed = client.referrers(repository, subject)
    if listed is not None:
        return tuple(descriptor.digest for descriptor in listed)
    index = _fallback_index(client, repository, subject, tags)
    return tuple(child.digest for child in index.children) if index is not None else ()


def _fallback_index(client: Store, repository: str, subject: str, tags: set[str] | None = None) -> Manifest | None:
    tag = tag_of(subject)
    if tags is not None and tag not in tags:
        return None
    try:
        manifest = client.get_manifest(repository, tag)
    except NotFoundError:
        return None
    # images without a tag are mirrored under this very tag by oc-mirror and by us: then it is no list of referrers
    return manifest if manifest.is_index and manifest.digest != subject else None


class ReferrersTag:
    """Keeps the referrers tag of the distribution spec where a registry does not list referrers by itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[tuple[str, str, str], threading.Lock] = {}

    def record(self, client: Store, repository: str, referrer: Manifest) -> bool:
        """Add a manifest to the list of those that refer to its subject.

        :returns: False when the tag is taken by an image, so that the list cannot be kept.
        """
        subject = referrer.subject or ""
        with self._lock:
            lock = self._locks.setdefault((client.registry, repository, subject), threading.Lock())
        with lock:
            tag = tag_of(subject)
            holder = client.head_manifest(repository, tag)
            index = _fallback_index(client, repository, subject) if holder else None
            if holder and index is None:
                return False
            document: dict[str, Any] = (
                json.loads(index.content) if index is not None else {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
            )
            if any(entry.get("digest") == referrer.digest for entry in document["manifests"]):
                return True
            document["manifests"].append(_entry(referrer))
            content = compact_json(document)
            client.put_manifest(repository, tag, Manifest(OCI_INDEX, hash_bytes(content), content))
            return True


def _entry(referrer: Manifest) -> dict[str, Any]:
    document = json.loads(referrer.content)
    entry: dict[str, Any] = {"mediaType": referrer.media_type, "digest": referrer.digest, "size": referrer.size}
    artifact_type = referrer.artifact_type or (document.get("config") or {}).get("mediaType")
    if artifact_type:
        entry["artifactType"] = artifact_type
    if document.get("annotations"):
        entry["annotations"] = document["annotations"]
    return entry
