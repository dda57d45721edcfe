# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests and indexes, Docker's and OCI's: what they list, and an index with fewer platforms.

Sources: OCI image spec 1.1 (manifest.md, image-index.md, descriptor.md), Docker image manifest version 2 schema 2.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_digest

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
ACCEPT = ", ".join([OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST])
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"

# BuildKit's attestations stand in an index beside the image that they speak of
_ATTESTATION = "attestation-manifest"
_REFERENCE_TYPE = "vnd.docker.reference.type"
_REFERENCE_DIGEST = "vnd.docker.reference.digest"


@dataclass(frozen=True)
class Platform:
    """Operating system, architecture and, where it matters, its variant."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """The platform written as ``os/architecture`` or ``os/architecture/variant``.

        :raises InputError: when it is written otherwise.
        """
        parts = text.strip().split("/")
        if len(parts) not in (2, 3) or not all(parts):
            raise InputError(f"the platform '{text}'", "it is not written as os/architecture, for example linux/amd64")
        return cls(*parts)

    def matches(self, other: Platform) -> bool:
        """Whether ``other`` is what was asked for; without a variant in the question any variant will do."""
        same = (self.os, self.architecture) == (other.os, other.architecture)
        return same and self.variant in ("", other.variant or _DEFAULT_VARIANTS.get(other.architecture, ""))

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


_DEFAULT_VARIANTS = {"arm64": "v8", "arm": "v7"}


@dataclass(frozen=True)
class Descriptor:
    """What a manifest says of a piece of content.

    :ivar size: bytes.
    :ivar foreign: whether the content lies elsewhere by licence (non-distributable layer) and need not be in the registry.
    """

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)
    foreign: bool = False


@dataclass(frozen=True)
class Manifest:
    """A manifest or index as its registry holds it: the digest is that of ``content``, byte for byte.

    :ivar children: manifests that an index lists, in its order.
    :ivar blobs: config and layers of a manifest, each digest once.
    :ivar subject: digest of the manifest that this one speaks of (a signature, an SBOM); None for an ordinary image.
    """

    media_type: str
    digest: str
    content: bytes
    children: tuple[Descriptor, ...] = ()
    blobs: tuple[Descriptor, ...] = ()
    subject: str | None = None
    artifact_type: str = ""

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEX_TYPES

    @property
    def size(self) -> int:
        """Bytes of the manifest itself."""
        return len(self.content)

    @classmethod
    def parse(cls, content: bytes, media_type: str, where: str, digest: str | None = None) -> Manifest:
        """Understand the bytes of a manifest.

        :param media_type: as the registry's Content-Type gave it, with or without parameters.
        :param digest: the digest asked for, which the bytes must have; without it they get their sha256.
        :param where: the reference it was read from, for messages.
        :raises ProtocolError: when the bytes are no manifest, or one that nothing can be done with.
        """
        kind = media_type.partition(";")[0].strip()
        actual = hash_bytes(content, digest)
        if digest is not None and actual != digest:
            raise ProtocolError("use the manifest of", where, f"its content has the digest {actual}, not {digest}")
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise _bad(where, "the answer is no JSON document") from error
        if not isinstance(document, dict):
            raise _bad(where, "the answer is no JSON object")
        if kind.startswith(_SCHEMA_1) or document.get("schemaVersion") == 1:
            raise ProtocolError(
                "use the manifest of",
                where,
                "it has the outdated schema version 1",
                "Push the image again with a current client.",
            )
        kind = _media_type(document, kind, where)
        subject = document.get("subject")
        return cls(
            media_type=kind,
            digest=actual,
            content=content,
            children=tuple(_descriptors(document.get("manifests"), where)) if kind in INDEX_TYPES else (),
            blobs=tuple(_blobs(document, where)) if kind in MANIFEST_TYPES else (),
            subject=_descriptor(subject, where).digest if subject else None,
            artifact_type=str(document.get("artifactType") or ""),
        )

    def chosen(self, platforms: Sequence[Platform], where: str, *, attestations: bool = True) -> frozenset[str]:
        """Digests of the children of an index that belong to some platforms.

        :param platforms: what is wanted; nothing wanted means everything.
        :param attestations: whether the attestations of the chosen children belong to them.
        :raises InputError: when a platform is not in the index; the message lists those that are.
        """
        if not platforms:
            return frozenset(child.digest for child in self.children)
        for wanted in platforms:
            if not any(child.platform and wanted.matches(child.platform) for child in self.children):
                there = sorted({str(child.platform) for child in self.children if child.platform and child.platform.os != "unknown"})
                raise InputError(
                    f"the platform {wanted} of {where}",
                    f"the index has no such image, only {', '.join(there) or 'children without platform'}",
                )
        digests = {child.digest for child in self.children if child.platform and any(want.matches(child.platform) for want in platforms)}
        if attestations:
            digests |= {
                child.digest
                for child in self.children
                if child.annotations.get(_REFERENCE_TYPE) == _ATTESTATION and child.annotations.get(_REFERENCE_DIGEST) in digests
            }
        return frozenset(digests)

    def reduced(self, digests: frozenset[str], where: str) -> Manifest:
        """An index that lists only these children, everything else in it as it was. The same choice gives the same bytes."""
        document = json.loads(self.content)
        document["manifests"] = [child for child in document["manifests"] if child["digest"] in digests]
        return Manifest.parse(compact_json(document), self.media_type, where)


def hash_bytes(content: bytes, like: str | None = None) -> str:
    """The digest of some bytes, by the algorithm of another digest (sha256 by default)."""
    algorithm = like.partition(":")[0] if like else "sha256"
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def compact_json(document: dict[str, Any]) -> bytes:
    """A document without spaces, its keys in their order."""
    # half of a surrogate pair, which JSON can name and UTF-8 cannot hold, stays as it was written
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(errors="backslashreplace")


def _media_type(document: dict[str, Any], announced: str, where: str) -> str:
    own = document.get("mediaType")
    lists = document.get("manifests") is not None
    layers = any(document.get(key) is not None for key in ("layers", "config"))
    for candidate in (own, announced):
        if isinstance(candidate, str) and candidate in INDEX_TYPES | MANIFEST_TYPES:
            kind = candidate
            break
    else:
        # OCI 1.0 made mediaType optional, and some registries answer application/json
        if isinstance(document.get("manifests"), list):
            kind = OCI_INDEX
        elif isinstance(document.get("layers"), list) and isinstance(document.get("config"), dict):
            kind = OCI_MANIFEST
        else:
            raise _bad(where, f"the answer is neither a manifest nor an index ({own or announced or 'no media type'})")
    other = INDEX_TYPES if kind in MANIFEST_TYPES else MANIFEST_TYPES
    if announced in other or (lists if kind in MANIFEST_TYPES else layers):
        # an image to one reader, an index to the next (CVE-2021-41190): nobody could say what was copied
        raise _bad(where, "it is a manifest and an index at the same time")
    return kind


def _blobs(document: dict[str, Any], where: str) -> list[Descriptor]:
    config = document.get("config")
    found = [_descriptor(config, where)] if config is not None else []
    found += _descriptors(document.get("layers"), where)
    unique: dict[str, Descriptor] = {}
    for descriptor in found:
        unique.setdefault(descriptor.digest, descriptor)
    return list(unique.values())


def _descriptors(value: Any, where: str) -> list[Descriptor]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _bad(where, "its list of contents is no list")
    return [_descriptor(item, where) for item in value]


def _descriptor(value: Any, where: str) -> Descriptor:
    if not isinstance(value, dict) or not isinstance(value.get("digest"), str):
        raise _bad(where, "it lists content without a digest")
    try:
        digest = parse_digest(value["digest"], where)
    except InputError as error:
        raise _bad(where, error.reason) from error
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _bad(where, f"it gives no size for {digest}")
    annotations = value.get("annotations")
    media_type = str(value.get("mediaType") or "")
    return Descriptor(
        media_type=media_type,
        digest=digest,
        size=size,
        platform=_platform(value.get("platform")),
        annotations={str(key): str(item) for key, item in annotations.items()} if isinstance(annotations, dict) else {},
        foreign=bool(value.get("urls")) and ("foreign" in media_type or "nondistributable" in media_type),
    )


def _platform(value: Any) -> Platform | None:
    if not isinstance(value, dict):
        return None
    return Platform(str(value.get("os") or ""), str(value.get("architecture") or ""), str(value.get("variant") or ""))


def _bad(where: str, reason: str) -> ProtocolError:
    return ProtocolError("use the manifest of", where, reason)
