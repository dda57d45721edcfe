# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workload L: few images with large layers, made while they are sent, to see how much memory a tool needs."""

from __future__ import annotations

import hashlib
import http.client
import random
import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from ansible_collections.quayside.airgap.tests.support.image_builders import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, canonical_json

TAG = "v1"
_STORED = 0xFFFF  # the largest stored block of deflate
_PIECE = 64 * _STORED


@dataclass(frozen=True)
class LargeShape:
    """`layer_size` is in bytes, before the frame of gzip."""

    images: int = 2
    layers: int = 2
    layer_size: int = 512 << 20


def push_large(host: str, prefix: str, shape: LargeShape) -> list[tuple[str, str]]:
    """Push the workload to the registry at `host`; (repository, tag) of its images. Memory holds some MiB at a time."""
    pushed = []
    for number in range(shape.images):
        repository = f"{prefix}/l-{number:03d}"
        with closing(http.client.HTTPConnection(host)) as connection:
            _push_image(connection, repository, f"workload/L/{number}", shape)
        pushed.append((repository, TAG))
    return pushed


def _push_image(connection: http.client.HTTPConnection, repository: str, seed: str, shape: LargeShape) -> None:
    noise = (_noise(f"{seed}/{position}", shape.layer_size) for position in range(shape.layers))
    layers = [_upload(connection, repository, _gzip(content), OCI_LAYER) for content in noise]
    # nobody unpacks these images: the digest stands for that of the archive inside the layer
    rootfs = {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}
    config = canonical_json({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs})
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _upload(connection, repository, iter([config]), OCI_CONFIG),
        "layers": layers,
    }
    _call(connection, "PUT", f"/v2/{repository}/manifests/{TAG}", 201, body=canonical_json(document), kind=OCI_MANIFEST)


def _upload(connection: http.client.HTTPConnection, repository: str, pieces: Iterator[bytes], media_type: str) -> dict[str, Any]:
    """Send content whose digest is known only when it has all been sent; the entry that a manifest has for it."""
    hasher = hashlib.sha256()
    size = 0

    def counted() -> Iterator[bytes]:
        nonlocal size
        for piece in pieces:
            hasher.update(piece)
            size += len(piece)
            yield piece

    location = _call(connection, "POST", f"/v2/{repository}/blobs/uploads/", 202)
    location = _call(connection, "PATCH", location, 202, body=counted())
    digest = f"sha256:{hasher.hexdigest()}"
    _call(connection, "PUT", f"{location}&digest={digest}", 201)
    return {"mediaType": media_type, "digest": digest, "size": size}


def _call(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    status: int,
    *,
    body: bytes | Iterator[bytes] = b"",
    kind: str = "application/octet-stream",
) -> str:
    """The Location of the answer, which must have this status."""
    connection.request(method, path, body, {"Content-Type": kind}, encode_chunked=not isinstance(body, bytes))
    response = connection.getresponse()
    content = response.read()
    if response.status != status:
        raise RuntimeError(f"{method} {path}: {response.status} {content[:500]!r}")
    return response.headers.get("Location", "")


def _noise(seed: str, size: int) -> Iterator[bytes]:
    source = random.Random(seed)
    for start in range(0, size, _PIECE):
        yield source.randbytes(min(_PIECE, size - start))


def _gzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """A gzip stream of stored blocks, the same bytes everywhere; clients that compress what is not compressed leave it alone."""
    checksum = size = 0
    yield b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
        size += len(piece)
        blocks = []
        for start in range(0, len(piece), _STORED):
            block = piece[start : start + _STORED]
            blocks += [struct.pack("<BHH", 0, len(block), len(block) ^ 0xFFFF), block]
        yield b"".join(blocks)
    yield struct.pack("<BHHII", 1, 0, 0xFFFF, checksum, size & 0xFFFFFFFF)
