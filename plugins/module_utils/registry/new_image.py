# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images and artifacts made from nothing but files, and a tar archive seen as an image. The same input gives the same digest.

All images of an index share their layers: what they hold is for every platform. Nothing is written to a registry here: the result
is a store that the copy engine reads. Sources: OCI image spec 1.1 (config.md, manifest.md with "Guidelines for Artifact Usage").
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.built_image import (
    EPOCH,
    OCI_CONFIG,
    UNPACKED_DIGEST,
    BuiltImage,
    entry,
    index_over,
    json_blob,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_packing import NewBlob, NewLayer, pack_layer
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import (
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    Platform,
    compact_json,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference

# There is no repository that it comes from
NEW = "new://"
# A file that is seen as an image
TAR = "tar:"
_TAR_LAYER = "application/vnd.oci.image.layer.v1.tar"
_PIECE = 256 << 10
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
TITLE = "org.opencontainers.image.title"
# What makes oras unpack a folder that it pulls
_UNPACK = "io.deis.oras.content.unpack"


@dataclass(frozen=True)
class NewImage:
    """An image to make.

    :ivar platforms: one image is made for each, with the same layers.
    :ivar created: the day that it says it was made on (RFC 3339).
    :ivar cmd: what it runs; without one, some engines refuse to make a container of it, even to copy files out of that.
    :ivar annotations: of the index.
    """

    layers: Sequence[NewLayer]
    platforms: Sequence[Platform]
    created: str = EPOCH
    cmd: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NewArtifact:
    """An artifact to make: folders that are no container's file system.

    :ivar artifact_type: media type that says what it is.
    :ivar folders: a layer for each folder, with everything in it below the folder of that name.
    """

    artifact_type: str
    folders: Mapping[str, NewLayer]
    annotations: Mapping[str, str] = field(default_factory=dict)


def new_image(image: NewImage, workdir: Path, name: str = "image") -> BuiltImage:
    """Make an image; its root is an index with one entry for each platform.

    :param workdir: a folder for the layers; it is needed as long as the image is used, and the caller's to remove.
    :param name: what to call it in messages, as a repository.
    :raises InputError: when there is no platform or one of them twice, or a path of a layer cannot be one of an image.
    :raises FileError: when a file of it cannot be read, or a layer cannot be written.
    """
    if not image.platforms:
        raise InputError("the platforms of an image", "there is none")
    if len(set(image.platforms)) < len(image.platforms):
        raise InputError("the platforms of an image", f"one of {', '.join(map(str, image.platforms))} is there twice")
    home = Reference(NEW, name)
    layers = [pack_layer(layer, workdir) for layer in image.layers]
    blobs = {layer.descriptor.digest: layer for layer in layers}
    manifests = []
    for platform in image.platforms:
        config = json_blob(OCI_CONFIG, _config(image, platform, layers))
        blobs[config.descriptor.digest] = config
        manifests.append(_manifest({"config": entry(config.descriptor), "layers": [entry(layer.descriptor) for layer in layers]}, home))
    entries = [entry(manifest, platform=_platform_fields(platform)) for manifest, platform in zip(manifests, image.platforms)]
    return BuiltImage(home, index_over(entries, home.name, image.annotations), manifests, blobs)


def new_artifact(artifact: NewArtifact, workdir: Path, name: str = "artifact") -> BuiltImage:
    """Make an artifact; its root is its manifest. oras unpacks its folders where it pulls it to.

    :param workdir: as for :func:`new_image`.
    :raises InputError: when a path of a layer cannot be one of a folder.
    :raises FileError: when a file of it cannot be read, or a layer cannot be written.
    """
    home = Reference(NEW, name)
    empty = json_blob(EMPTY_TYPE, {})
    blobs = {empty.descriptor.digest: empty}
    layers = []
    for folder, layer in artifact.folders.items():
        packed = pack_layer(layer, workdir)
        blobs[packed.descriptor.digest] = packed
        layers.append(entry(packed.descriptor, annotations={TITLE: folder, UNPACKED_DIGEST: packed.diff_id, _UNPACK: "true"}))
    fields = {"artifactType": artifact.artifact_type, "config": entry(empty.descriptor, data="e30="), "layers": layers}
    if artifact.annotations:
        fields["annotations"] = dict(artifact.annotations)
    return BuiltImage(home, _manifest(fields, home), [], blobs)


def archive_as_image(path: Path) -> BuiltImage:
    """A tar archive, not compressed, seen as the one layer of an image, so that its files can be read as those of images are.

    Its root is the manifest.

    :raises FileError: when it cannot be read.
    """
    home = Reference(TAR, str(path.absolute()).strip("/"))
    digest, size = hashlib.sha256(), 0
    try:
        with open(path, "rb") as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
                size += len(piece)
    except OSError as error:
        raise FileError("read", str(path), error.strerror or str(error)) from error
    name = f"sha256:{digest.hexdigest()}"
    layer = NewBlob(Descriptor(_TAR_LAYER, name, size), path, name)
    config = json_blob(OCI_CONFIG, {"rootfs": {"type": "layers", "diff_ids": [name]}})
    manifest = _manifest({"config": entry(config.descriptor), "layers": [entry(layer.descriptor)]}, home)
    return BuiltImage(home, manifest, [], {blob.descriptor.digest: blob for blob in (layer, config)})


def _config(image: NewImage, platform: Platform, layers: Sequence[NewBlob]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if image.cmd:
        settings["Cmd"] = list(image.cmd)
    if image.labels:
        settings["Labels"] = dict(image.labels)
    return {
        "created": image.created,
        **_platform_fields(platform),
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [{"created": image.created, "created_by": layer.comment} for layer in image.layers],
    }


def _platform_fields(platform: Platform) -> dict[str, str]:
    fields = {"architecture": platform.architecture, "os": platform.os}
    return {**fields, "variant": platform.variant} if platform.variant else fields


def _manifest(fields: Mapping[str, Any], home: Reference) -> Manifest:
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, **fields}
    return Manifest.parse(compact_json(document), OCI_MANIFEST, home.name)
