# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image that was made here, as a store that the copy engine reads: its manifests and blobs, from memory and from files.

Also whether two images are the same but for the way their layers are packed, which depends on the zlib of the machine that does it.
Sources: OCI image spec 1.1 (manifest.md, image-index.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_packing import NewBlob
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import (
    OCI_INDEX,
    Descriptor,
    Manifest,
    compact_json,
    hash_bytes,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import LocalContent
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Content, ReadOnlyStore, Store

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
# What oras writes down when it packs a folder: the digest of the archive before it was compressed
UNPACKED_DIGEST = "io.deis.oras.content.digest"
# The day that everything here began, so that nothing tells of the day of the run
EPOCH = "1970-01-01T00:00:00Z"


class BuiltImage(ReadOnlyStore):
    """Manifests and blobs that were made here. Nothing else lies in this store, and it has no tags.

    :param home: the repository that the image is called by; its registry is the name of the store.
    :ivar reference: the home with the digest of the image.
    :ivar root: what the image is: an index, or the manifest of an artifact.
    """

    local = True
    mounts: bool | None = False

    def __init__(self, home: Reference, root: Manifest, manifests: Iterable[Manifest], blobs: Mapping[str, NewBlob]) -> None:
        self.registry = home.registry
        self.root = root
        self.reference = home.at(digest=root.digest)
        self._manifests = {manifest.digest: manifest for manifest in [*manifests, root]}
        self._blobs = dict(blobs)

    @property
    def digest(self) -> str:
        return self.root.digest

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """All manifests, the root last."""
        return tuple(self._manifests.values())

    @property
    def new_size(self) -> int:
        """Bytes of the blobs that were made."""
        return sum(blob.descriptor.size for blob in self._blobs.values())

    def head_manifest(self, repository: str, identifier: str) -> str | None:
        return identifier if identifier in self._manifests else None

    def get_manifest(self, repository: str, identifier: str) -> Manifest:
        manifest = self._manifests.get(identifier)
        if manifest is None:
            reason = "no such image was made"
            raise NotFoundError("read the manifest of", f"{self.reference.name}@{identifier}", reason, status=404, code="MANIFEST_UNKNOWN")
        return manifest

    def head_blob(self, repository: str, digest: str) -> int | None:
        blob = self._blobs.get(digest)
        return blob.descriptor.size if blob is not None else None

    def open_blob(self, repository: str, digest: str, offset: int = 0) -> tuple[Content, int]:
        blob = self._blobs.get(digest)
        where = f"{self.reference.name}@{digest}"
        if blob is None:
            raise NotFoundError("read the blob", where, "no such blob was made", status=404, code="BLOB_UNKNOWN")
        if isinstance(blob.content, bytes):
            return LocalContent.of_bytes(where, blob.content, offset), offset
        return LocalContent.of_file(where, blob.content, offset), offset

    def tags(self, repository: str) -> Iterator[list[str]]:
        """None: signatures belong to what was there before."""
        return iter([])

    def referrers(self, repository: str, digest: str) -> list[Descriptor] | None:
        return []


def json_blob(media_type: str, document: dict[str, Any]) -> NewBlob:
    """A document as a blob."""
    content = compact_json(document)
    return NewBlob(Descriptor(media_type, hash_bytes(content), len(content)), content)


def entry(found: Descriptor | Manifest, **more: Any) -> dict[str, Any]:
    """What a manifest or an index says of a blob or manifest.

    :param more: further fields; those that are empty are left out.
    """
    fields = {"mediaType": found.media_type, "digest": found.digest, "size": found.size}
    return {**fields, **{name: value for name, value in more.items() if value}}


def index_over(entries: Sequence[Mapping[str, Any]], where: str, annotations: Mapping[str, str] | None = None) -> Manifest:
    """An index that lists these."""
    document: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries)}
    if annotations:
        document["annotations"] = dict(annotations)
    return Manifest.parse(compact_json(document), OCI_INDEX, where)


def same_content(one: Store, image: Reference, other: Store, found: Reference) -> bool:
    """Whether two images are the same but for the way that their layers are packed.

    Reads manifests only: of a layer's content an image's configuration has the digest, and an annotation of an artifact. What is
    not there is not the same.

    :param image: with a tag or digest, as ``found``.
    :raises AirgapError: when one of them cannot be read.
    """
    try:
        ours = one.get_manifest(image.repository, image.identifier or "")
        theirs = other.get_manifest(found.repository, found.identifier or "")
    except NotFoundError:
        return False
    if ours.digest == theirs.digest:
        return True
    mine, yours = (_comparable(manifest) for manifest in (ours, theirs))
    return mine == yours and all(
        same_content(one, image.at(digest=child.digest), other, found.at(digest=twin.digest))
        for child, twin in zip(ours.children, theirs.children)
    )


def _comparable(manifest: Manifest) -> dict[str, Any]:
    """What a manifest says, without what depends on how layers are packed."""
    document: dict[str, Any] = json.loads(manifest.content)
    if manifest.is_index:
        document["manifests"] = [_loose(said) for said in document["manifests"]]
    elif isinstance(document.get("layers"), list):
        config = document.get("config")
        # the configuration of an image lists the digests of its layers as they are unpacked
        told = isinstance(config, dict) and config.get("mediaType") == OCI_CONFIG
        layers = document["layers"]
        document["layers"] = [_loose(said) if told or UNPACKED_DIGEST in (said.get("annotations") or {}) else said for said in layers]
    return document


def _loose(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in ("digest", "size")}
