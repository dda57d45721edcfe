# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds container images, indexes, artifacts and signatures in memory.

The same arguments give the same digests on every machine: contents come from seeded generators, JSON is written in
one canonical way and gzip streams are written by hand (zlib's output may differ between versions).
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import struct
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_FOREIGN_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"

CREATED = "2024-01-01T00:00:00Z"
DEFAULT_PLATFORM = "linux/amd64"
# random.randbytes cannot make more than 256 MiB at once; any multiple of 4 gives the same stream.
RANDOM_STEP = 16 << 20


def sha256(data: bytes) -> str:
    """`sha256:<hex>` of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical_json(value: Any) -> bytes:
    """JSON in one fixed spelling: sorted keys, no spaces."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def blob(seed: str, size: int) -> bytes:
    """`size` bytes that no compression shrinks; the same for the same seed."""
    source = random.Random(seed)
    return b"".join(source.randbytes(min(RANDOM_STEP, size - start)) for start in range(0, size, RANDOM_STEP))


def gzip_stored(data: bytes) -> bytes:
    """`data` as a gzip stream of stored blocks: no compression, no time stamp, the same bytes on every machine."""
    parts = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"]
    limit = 0xFFFF
    starts = range(0, len(data), limit) if data else range(1)
    for start in starts:
        piece = data[start : start + limit]
        last = start + limit >= len(data)
        parts.append(struct.pack("<BHH", last, len(piece), len(piece) ^ 0xFFFF))
        parts.append(piece)
    parts.append(struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF))
    return b"".join(parts)


def tar(files: Mapping[str, bytes]) -> bytes:
    """A tar archive of `files` (path -> content) with their parent directories; fixed owner, modes and times."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        known: set[str] = set()
        for path in sorted(files):
            parents = path.split("/")[:-1]
            for depth in range(1, len(parents) + 1):
                directory = "/".join(parents[:depth])
                if directory not in known:
                    known.add(directory)
                    entry = tarfile.TarInfo(directory)
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    archive.addfile(entry)
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(files[path]), 0o644
            archive.addfile(entry, io.BytesIO(files[path]))
    return buffer.getvalue()


@dataclass(frozen=True)
class Blob:
    """A blob as a manifest refers to it. `diff_id` is set for layers: the digest of the uncompressed tar."""

    data: bytes = field(repr=False)
    media_type: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    urls: tuple[str, ...] = ()
    diff_id: str = ""

    @cached_property
    def digest(self) -> str:
        """`sha256:<hex>` of the data."""
        return sha256(self.data)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    @property
    def foreign(self) -> bool:
        """True for a layer that registries do not hold: clients fetch it from its URLs."""
        return bool(self.urls)

    def descriptor(self) -> dict[str, Any]:
        """The entry that a manifest has for this blob."""
        entry: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.urls:
            entry["urls"] = list(self.urls)
        if self.annotations:
            entry["annotations"] = dict(self.annotations)
        return entry


@dataclass(frozen=True)
class Image:
    """Anything that is pushed as a manifest: an image, an index with its children, an artifact."""

    body: bytes = field(repr=False)
    media_type: str
    blobs: tuple[Blob, ...] = ()
    children: tuple[Image, ...] = ()
    platform: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str = ""

    @cached_property
    def digest(self) -> str:
        """`sha256:<hex>` of the manifest."""
        return sha256(self.body)

    @property
    def size(self) -> int:
        """Bytes of the manifest."""
        return len(self.body)

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest, parsed."""
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    def walk(self) -> Iterator[Image]:
        """All manifests of this one, children first, each once: the order in which they are pushed."""
        seen: set[str] = set()

        def visit(image: Image) -> Iterator[Image]:
            if image.digest in seen:
                return
            seen.add(image.digest)
            for child in image.children:
                yield from visit(child)
            yield image

        yield from visit(self)

    def all_blobs(self) -> dict[str, Blob]:
        """Digest -> blob of this manifest and all below it; foreign layers are left out."""
        found: dict[str, Blob] = {}
        for image in self.walk():
            for item in image.blobs:
                if not item.foreign:
                    found.setdefault(item.digest, item)
        return found

    def descriptor(self) -> dict[str, Any]:
        """The entry that an index has for this manifest."""
        entry: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.platform:
            entry["platform"] = platform_fields(self.platform)
        if self.artifact_type:
            entry["artifactType"] = self.artifact_type
        if self.annotations:
            entry["annotations"] = dict(self.annotations)
        return entry


def platform_fields(platform: str) -> dict[str, str]:
    """`os/architecture[/variant]` as the fields of an index entry; none for an empty string."""
    return dict(zip(("os", "architecture", "variant"), platform.split("/"))) if platform else {}


# -------------------------------------------------------------------- layers


def layer(seed: str, size: int, *, fmt: str = "oci") -> Blob:
    """A real layer (gzip of a tar) that holds one file of `size` random bytes; a little larger than `size`."""
    name = hashlib.sha256(seed.encode()).hexdigest()[:12]
    return file_layer({f"data/{name}.bin": blob(seed, size)}, fmt=fmt)


def file_layer(files: Mapping[str, bytes], *, fmt: str = "oci") -> Blob:
    """A real layer that holds `files` (path -> content)."""
    archive = tar(files)
    return Blob(gzip_stored(archive), OCI_LAYER if fmt == "oci" else DOCKER_LAYER, diff_id=sha256(archive))


def foreign_layer(seed: str, size: int, url: str, *, fmt: str = "docker") -> Blob:
    """A layer that stays at `url` and is never pushed to a registry."""
    real = layer(seed, size, fmt=fmt)
    media_type = OCI_FOREIGN_LAYER if fmt == "oci" else DOCKER_FOREIGN_LAYER
    return Blob(real.data, media_type, urls=(url,), diff_id=real.diff_id)


# -------------------------------------------------------------------- images


def image(
    layers: Sequence[Blob],
    *,
    fmt: str = "oci",
    platform: str = DEFAULT_PLATFORM,
    config: Mapping[str, Any] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Image:
    """An image of given layers; `fmt` is `oci` or `docker` (v2 schema 2), `config` its runtime section (Labels...)."""
    fields = platform_fields(platform) or {"architecture": "", "os": ""}
    config_blob = Blob(
        canonical_json(
            {
                **fields,
                "created": CREATED,
                "config": dict(config or {}),
                "rootfs": {"type": "layers", "diff_ids": [item.diff_id for item in layers]},
                "history": [{"created": CREATED, "created_by": f"layer {n}"} for n in range(len(layers))],
            }
        ),
        OCI_CONFIG if fmt == "oci" else DOCKER_CONFIG,
    )
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST if fmt == "oci" else DOCKER_MANIFEST,
        "config": config_blob.descriptor(),
        "layers": [item.descriptor() for item in layers],
    }
    if annotations:
        manifest["annotations"] = dict(annotations)
    return Image(canonical_json(manifest), manifest["mediaType"], (*layers, config_blob), platform=platform)


def simple_image(seed: str, *, fmt: str = "oci", layers: int = 2, size: int = 4096, platform: str = DEFAULT_PLATFORM, **more: Any) -> Image:
    """An image of `layers` random layers with `size` bytes each, all following from `seed` and the platform."""
    contents = [layer(f"{seed}/{platform}/{n}", size, fmt=fmt) for n in range(layers)]
    return image(contents, fmt=fmt, platform=platform, **more)


def index(
    children: Iterable[Image],
    *,
    fmt: str = "oci",
    annotations: Mapping[str, str] | None = None,
    subject: Image | None = None,
) -> Image:
    """An OCI index or a Docker manifest list over images or, for OCI, over further indexes."""
    members = tuple(children)
    media_type = OCI_INDEX if fmt == "oci" else DOCKER_LIST
    body: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": [child.descriptor() for child in members],
    }
    if annotations:
        body["annotations"] = dict(annotations)
    if subject:
        body["subject"] = plain_descriptor(subject)
    return Image(canonical_json(body), media_type, children=members)


def multi_arch(
    seed: str,
    platforms: Sequence[str] = ("linux/amd64", "linux/arm64", "linux/arm/v7"),
    *,
    fmt: str = "oci",
    layers: int = 2,
    size: int = 4096,
    attestations: bool = False,
) -> Image:
    """An index over one image per platform; with `attestations` also what buildkit adds: an attestation for each."""
    members = [simple_image(seed, fmt=fmt, layers=layers, size=size, platform=platform) for platform in platforms]
    extra = [attestation(member) for member in members] if attestations else []
    return index([*members, *extra], fmt=fmt)


def attestation(target: Image) -> Image:
    """A buildkit attestation of `target`: a manifest that sits in the same index under platform unknown/unknown."""
    statement = canonical_json(
        {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://slsa.dev/provenance/v0.2",
            "subject": [{"name": "_", "digest": {"sha256": target.digest.split(":", 1)[1]}}],
            "predicate": {"buildType": "https://mobyproject.org/buildkit@v1"},
        }
    )
    payload = Blob(
        statement,
        IN_TOTO,
        annotations={"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"},
        diff_id=sha256(statement),
    )
    built = image([payload], platform="unknown/unknown")
    return Image(
        built.body,
        built.media_type,
        built.blobs,
        platform="unknown/unknown",
        annotations={
            "vnd.docker.reference.digest": target.digest,
            "vnd.docker.reference.type": "attestation-manifest",
        },
    )


# --------------------------------------------------- artifacts and signatures


def plain_descriptor(target: Image) -> dict[str, Any]:
    """Media type, digest and size of a manifest: what a `subject` field holds."""
    return {"mediaType": target.media_type, "digest": target.digest, "size": target.size}


def artifact(
    artifact_type: str,
    payload: bytes,
    *,
    subject: Image | None = None,
    payload_type: str = "application/octet-stream",
    annotations: Mapping[str, str] | None = None,
) -> Image:
    """An OCI 1.1 artifact with one payload; with a `subject` it is a referrer of that manifest."""
    config = Blob(b"{}", OCI_EMPTY)
    content = Blob(payload, payload_type)
    body: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": config.descriptor(),
        "layers": [content.descriptor()],
    }
    if annotations:
        body["annotations"] = dict(annotations)
    if subject:
        body["subject"] = plain_descriptor(subject)
    return Image(canonical_json(body), OCI_MANIFEST, (content, config), artifact_type=artifact_type)


def cosign_tag(digest: str, kind: str = "sig") -> str:
    """The tag at which cosign keeps a signature (`sig`), attestation (`att`) or bill of materials (`sbom`)."""
    return f"{digest.replace(':', '-')}.{kind}"


def referrers_tag(digest: str) -> str:
    """The tag that lists the referrers of a digest in a registry without the referrers API (OCI 1.1 fallback)."""
    return digest.replace(":", "-")


def cosign_signature(target: Image, docker_reference: str = "sandbox.invalid/image") -> Image:
    """A signature manifest in cosign's form, to be pushed at `cosign_tag(target.digest)`; no key made it."""
    payload = canonical_json(
        {
            "critical": {
                "identity": {"docker-reference": docker_reference},
                "image": {"docker-manifest-digest": target.digest},
                "type": "cosign container image signature",
            },
            "optional": None,
        }
    )
    signature = base64.b64encode(hashlib.sha512(payload).digest()).decode()
    signed = Blob(payload, SIMPLE_SIGNING, annotations={"dev.cosignproject.cosign/signature": signature}, diff_id=sha256(payload))
    return image([signed], platform="")
