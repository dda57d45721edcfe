# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images made from other images: layers added, files removed, settings changed. The same input gives the same digest.

Nothing is written to a registry here: the result is a store that the copy engine reads, its new content from files of ours, all
the rest from where the base image lies. Sources: OCI image spec 1.1 (manifest.md, image-index.md, config.md, layer.md).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.registry.built_image import (
    EPOCH,
    OCI_CONFIG,
    BuiltImage,
    entry,
    index_over,
    json_blob,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_packing import OCI_LAYER, NewBlob, NewLayer, pack_layer
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layers import LayerFiles, diff_ids, image_content
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import (
    OCI_MANIFEST,
    Manifest,
    Platform,
    compact_json,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Content, Store

# What an OCI manifest calls the parts of Docker's
_AS_OCI = {
    "application/vnd.docker.container.image.v1+json": OCI_CONFIG,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": OCI_LAYER,
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.foreign.diff.tar": "application/vnd.oci.image.layer.nondistributable.v1.tar",
}
_DEPTH = 4
_MOST_IMAGES = 100


@dataclass(frozen=True)
class Changes:
    """What to change in an image.

    :ivar cmd: arguments of its entry point; None leaves them.
    :ivar labels: new values of labels.
    """

    layers: Sequence[NewLayer] = ()
    cmd: Sequence[str] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BaseMember:
    """One image of a base, for one platform.

    :ivar platform: as the index says it, or the configuration where there is no index.
    """

    manifest: Manifest
    config: Mapping[str, Any]
    platform: Mapping[str, Any]


@dataclass(frozen=True)
class BaseImage:
    """An image to start from.

    :ivar reference: where it lies, by digest.
    :ivar members: one for each platform, in the order of the index.
    """

    store: Store
    reference: Reference
    root: Manifest
    members: tuple[BaseMember, ...]


class DerivedImage(BuiltImage):
    """An image that was made from another one, as a store: what is new in it and, behind that, the base.

    :ivar reference: the repository of the base with the digest of this image.
    :ivar root: always an index, with one entry for each platform.
    """

    def __init__(self, base: BaseImage, root: Manifest, manifests: Iterable[Manifest], blobs: Mapping[str, NewBlob]) -> None:
        super().__init__(base.reference, root, manifests, blobs)
        self.registry = base.store.registry
        self.local = base.store.local
        self.mounts = base.store.mounts
        self._base = base

    def announce(self, repositories: Iterable[str], actions: str = "pull") -> None:
        self._base.store.announce(repositories, actions)

    def holders(self, registry: str, digest: str) -> Sequence[str]:
        return () if super().head_blob("", digest) is not None else self._base.store.holders(registry, digest)

    def head_blob(self, repository: str, digest: str) -> int | None:
        size = super().head_blob(repository, digest)
        return size if size is not None else self._base.store.head_blob(self._base.reference.repository, digest)

    def open_blob(self, repository: str, digest: str, offset: int = 0) -> tuple[Content, int]:
        if super().head_blob(repository, digest) is None:
            return self._base.store.open_blob(self._base.reference.repository, digest, offset)
        return super().open_blob(repository, digest, offset)


def load_base(
    store: Store,
    reference: Reference,
    *,
    platforms: Sequence[Platform] = (),
    retry: RetryPolicy | None = None,
    cancellation: Cancellation | None = None,
) -> BaseImage:
    """Read the manifests and configurations of an image.

    :param platforms: which images of an index; nothing means all of them.
    :raises NotFoundError: when there is no such image.
    :raises InputError: when it is not there for a platform.
    :raises ProtocolError: when it is no image: an artifact, a chart, a signature.
    """
    root = store.get_manifest(reference.repository, reference.identifier or "")
    where = f"{reference.name}@{root.digest}"
    # configurations are small: they need no place on disk
    reader = LayerFiles(store, reference.repository, Path(os.devnull), retry=retry, cancellation=cancellation)
    members = []
    for manifest, platform in _images(store, reference.repository, root, where, platforms):
        config = reader.config(manifest)
        diff_ids(config, len(image_content(manifest, where)[1]), where)
        members.append(BaseMember(manifest, config, platform or _platform_of(config)))
    if platforms:
        members = _chosen(members, platforms, where, root)
    if not members:
        raise ProtocolError("use the image", where, "its index lists no image")
    return BaseImage(store, reference.at(digest=root.digest), root, tuple(members))


def derive(base: BaseImage, changes: Changes, workdir: Path) -> DerivedImage:
    """Make an image from another one. For the same base and the same changes it is the same one, byte for byte.

    :param workdir: a folder for new layers; it is needed as long as the image is used, and the caller's to remove.
    :raises InputError: when a path of the changes cannot be one of an image.
    :raises FileError: when a file of the changes cannot be read, or a layer cannot be written.
    """
    layers = [pack_layer(layer, workdir) for layer in changes.layers]
    blobs = {layer.descriptor.digest: layer for layer in layers}
    manifests: list[Manifest] = []
    for member in base.members:
        config = _changed_config(member, changes, layers)
        blobs[config.descriptor.digest] = config
        manifest = _manifest(member, config, layers, base.reference.name)
        manifests.append(manifest)
    entries = [{**entry(manifest), "platform": dict(member.platform)} for manifest, member in zip(manifests, base.members)]
    root = index_over(entries, base.reference.name)
    return DerivedImage(base, root, manifests, blobs)


# --- the base


def _images(
    store: Store, repository: str, manifest: Manifest, where: str, platforms: Sequence[Platform], depth: int = 1
) -> Iterator[tuple[Manifest, dict[str, Any]]]:
    """The images of an index and of those in it, with what is said of their platforms.

    Attestations are left out, and so is what is said to be for other platforms: where an index was mirrored for some, it is not there.
    """
    if not manifest.is_index:
        yield manifest, {}
        return
    if depth > _DEPTH or len(manifest.children) > _MOST_IMAGES:
        raise ProtocolError("use the image", where, f"its index is nested deeper than {_DEPTH} or has more than {_MOST_IMAGES} images")
    for child, fields in zip(manifest.children, _document(manifest)["manifests"]):
        said = child.platform
        if said is not None and (said.os == "unknown" or (platforms and not _is_among(said, platforms))):
            continue
        found = store.get_manifest(repository, child.digest)
        for image, platform in _images(store, repository, found, where, platforms, depth + 1):
            yield image, platform or _object(fields.get("platform"))


def _is_among(platform: Platform, platforms: Sequence[Platform]) -> bool:
    return any(wanted.matches(platform) for wanted in platforms)


def _chosen(members: list[BaseMember], platforms: Sequence[Platform], where: str, root: Manifest) -> list[BaseMember]:
    there = [Platform(*(str(member.platform.get(key) or "") for key in ("os", "architecture", "variant"))) for member in members]
    for wanted in platforms:
        if not any(wanted.matches(platform) for platform in there):
            said = [child.platform for child in root.children if child.platform is not None and child.platform.os != "unknown"]
            known = ", ".join(sorted({str(platform) for platform in [*there, *said]}))
            raise InputError(f"the platform {wanted} of {where}", f"there is no such image, only {known}")
    return [member for member, platform in zip(members, there) if _is_among(platform, platforms)]


def _platform_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The platform that an image says of itself."""
    keys = ("architecture", "os", "os.version", "os.features", "variant")
    return {key: config[key] for key in keys if config.get(key)}


# --- what is made of it


def _changed_config(member: BaseMember, changes: Changes, layers: Sequence[NewBlob]) -> NewBlob:
    document = dict(member.config)
    settings = _object(document.get("config"))
    if changes.cmd is not None:
        settings["Cmd"] = list(changes.cmd)
    if changes.labels:
        settings["Labels"] = {**_object(settings.get("Labels")), **changes.labels}
    document["config"] = settings
    rootfs = _object(document.get("rootfs"))
    before = rootfs["diff_ids"]
    document["rootfs"] = {**rootfs, "type": "layers", "diff_ids": [*before, *(layer.diff_id for layer in layers)]}
    history = document.get("history")
    # a history that does not tell of every layer would be wrong with more of them
    if isinstance(history, list) and sum(not (isinstance(item, dict) and item.get("empty_layer")) for item in history) == len(before):
        document["history"] = [*history, *({"created": EPOCH, "created_by": layer.comment} for layer in changes.layers)]
    return json_blob(OCI_CONFIG, document)


def _manifest(member: BaseMember, config: NewBlob, layers: Sequence[NewBlob], where: str) -> Manifest:
    _config, below = image_content(member.manifest, where)
    base = _document(member.manifest)
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": entry(config.descriptor),
        "layers": [
            *({**fields, "mediaType": _AS_OCI.get(layer.media_type, layer.media_type)} for fields, layer in zip(base["layers"], below)),
            *(entry(layer.descriptor) for layer in layers),
        ],
    }
    if base.get("annotations"):
        document["annotations"] = base["annotations"]
    return Manifest.parse(compact_json(document), OCI_MANIFEST, where)


def _object(value: Any) -> dict[str, Any]:
    """A part of a document that may be missing, or null, as Go writes it."""
    return dict(value) if isinstance(value, dict) else {}


def _document(manifest: Manifest) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(manifest.content)
    return document
