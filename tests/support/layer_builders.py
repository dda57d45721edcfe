# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers member by member, with everything that tar knows, and images written to disk as an OCI image layout."""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ansible_collections.quayside.airgap.tests.support.image_builders import (
    DOCKER_LAYER,
    OCI_INDEX,
    OCI_LAYER,
    Blob,
    Image,
    canonical_json,
    gzip_stored,
    sha256,
)

Member = tuple[tarfile.TarInfo, bytes]


def _member(path: str, kind: bytes, content: bytes = b"", target: str = "") -> Member:
    entry = tarfile.TarInfo(path)
    entry.type, entry.size, entry.linkname = kind, len(content), target
    entry.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return entry, content


def file(path: str, content: bytes = b"") -> Member:
    """A plain file."""
    return _member(path, tarfile.REGTYPE, content)


def folder(path: str) -> Member:
    """A folder."""
    return _member(path, tarfile.DIRTYPE)


def symlink(path: str, target: str) -> Member:
    """A symbolic link."""
    return _member(path, tarfile.SYMTYPE, target=target)


def hardlink(path: str, target: str) -> Member:
    """A hard link: another name for a file."""
    return _member(path, tarfile.LNKTYPE, target=target)


def device(path: str) -> Member:
    """Something that is neither file nor folder."""
    return _member(path, tarfile.CHRTYPE)


def whiteout(path: str) -> Member:
    """What says that a path of the layers below is gone."""
    above, _slash, name = path.rpartition("/")
    return file(f"{above}/.wh.{name}" if above else f".wh.{name}")


def opaque(path: str) -> Member:
    """What says that nothing of a folder of the layers below is left."""
    return file(f"{path}/.wh..wh..opq" if path else ".wh..wh..opq")


def archive(members: Iterable[Member], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar archive with these members in this order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for entry, content in members:
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def layer_of(*members: Member, fmt: str = "oci", packed: bool = True, form: int = tarfile.PAX_FORMAT) -> Blob:
    """A layer with these members, gzip or not packed at all."""
    content = archive(members, form)
    media_type = OCI_LAYER if fmt == "oci" else DOCKER_LAYER
    return Blob(gzip_stored(content), media_type, diff_id=sha256(content)) if packed else unpacked_layer(content)


def unpacked_layer(content: bytes) -> Blob:
    """A layer that is a plain archive."""
    return Blob(content, "application/vnd.oci.image.layer.v1.tar", diff_id=sha256(content))


def compressed(content: bytes, wbits: int = 31) -> bytes:
    """A gzip stream that is really compressed; only for tests that do not look at its digest."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return packer.compress(content) + packer.flush()


def write_layout(place: Path, images: Sequence[tuple[str, Image]] | Mapping[str, Image]) -> Path:
    """Write images as an OCI image layout; an empty tag gives an image without a name."""
    pairs = list(images.items()) if isinstance(images, Mapping) else list(images)
    blobs = place / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (place / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    entries = []
    for tag, image in pairs:
        for manifest in image.walk():
            (blobs / manifest.digest.partition(":")[2]).write_bytes(manifest.body)
        for digest, blob in image.all_blobs().items():
            (blobs / digest.partition(":")[2]).write_bytes(blob.data)
        entry = image.descriptor()
        if tag:
            entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
        entries.append(entry)
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    (place / "index.json").write_bytes(canonical_json(index))
    return place
