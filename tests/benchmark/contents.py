# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the images of a workload consist of, read from a registry's disk: to plan the floor, and to check every copy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.tests.support.docker_registry import DockerRegistry


@dataclass(frozen=True)
class Manifest:
    """A manifest or an index. `blobs` has digest -> size in bytes, `children` the digests that an index lists."""

    digest: str
    media_type: str
    size: int
    blobs: dict[str, int] = field(default_factory=dict)
    children: tuple[str, ...] = ()


@dataclass(frozen=True)
class Image:
    """One tag, with all manifests that belong to it: those of an index before the index, the root last."""

    repository: str
    tag: str
    manifests: tuple[Manifest, ...]

    @property
    def digest(self) -> str:
        """Of the root."""
        return self.manifests[-1].digest

    @property
    def blobs(self) -> dict[str, int]:
        """Digest -> size of everything that the manifests need."""
        return {digest: size for manifest in self.manifests for digest, size in manifest.blobs.items()}


@dataclass(frozen=True)
class Contents:
    """All images of a workload."""

    images: tuple[Image, ...]

    @property
    def blobs(self) -> dict[str, int]:
        """Digest -> size of each blob, once."""
        return {digest: size for image in self.images for digest, size in image.blobs.items()}

    @property
    def multi_platform(self) -> bool:
        """Whether any image is an index."""
        return any(len(image.manifests) > 1 for image in self.images)

    def describe(self) -> dict[str, Any]:
        """Numbers for a report."""
        sizes = self.blobs.values()
        return {
            "images": len(self.images),
            "multi_platform": sum(len(image.manifests) > 1 for image in self.images),
            "manifests": len({manifest.digest for image in self.images for manifest in image.manifests}),
            "blobs": len(sizes),
            "bytes": sum(sizes),
            "referenced_bytes": sum(size for image in self.images for manifest in image.manifests for size in manifest.blobs.values()),
        }


def read_contents(registry: DockerRegistry, tags: Iterable[tuple[str, str]]) -> Contents:
    """The images at `tags` (repository, tag) of a registry."""
    return Contents(tuple(_read_image(registry, repository, tag) for repository, tag in tags))


def floor_plan(contents: Contents, source: str, destination: str, threads: int, *, cold: bool) -> dict[str, Any]:
    """What :class:`floor.Floor` has to do; every image must have a repository of its own.

    source, destination  hosts
    looks                (repository, tag) to look at on both sides
    images               repository, digests of its blobs, manifests in order (digest, tag or digest to store it under, media type)
    """
    plan: dict[str, Any] = {"source": source, "destination": destination, "threads": threads, "looks": [], "images": []}
    if not cold:
        return {**plan, "looks": [(image.repository, image.tag) for image in contents.images]}
    for image in contents.images:
        references = {image.digest: image.tag}
        manifests = [(item.digest, references.get(item.digest, item.digest), item.media_type) for item in image.manifests]
        plan["images"].append({"repository": image.repository, "blobs": list(image.blobs), "manifests": manifests})
    return plan


def differences(contents: Contents, registry: DockerRegistry, *, exact: bool = True) -> list[str]:
    """What a registry lacks of a workload, as sentences; empty when it has everything.

    exact  False: each tag must be there, whatever it points to
    """
    return [f"{image.repository}:{image.tag}: {problem}" for image in contents.images for problem in _problems(image, registry, exact)]


def _problems(image: Image, registry: DockerRegistry, exact: bool) -> Iterator[str]:
    there = registry.tags(image.repository).get(image.tag)
    if there is None or not exact:
        if there is None:
            yield "there is no such tag"
        return
    if there != image.digest:
        yield f"it has the digest {there}, not {image.digest}"
    manifests = set(registry.manifests(image.repository))
    for manifest in image.manifests:
        path = _path(registry, manifest.digest)
        if manifest.digest not in manifests or not path.is_file():
            yield f"the manifest {manifest.digest} is missing"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != manifest.digest.partition(":")[2]:
            yield f"the manifest {manifest.digest} is damaged"
    layers = set(registry.layers(image.repository))
    for digest, size in image.blobs.items():
        path = _path(registry, digest)
        if digest not in layers or not path.is_file():
            yield f"the blob {digest} is missing"
        elif path.stat().st_size != size:
            yield f"the blob {digest} has {path.stat().st_size} bytes, not {size}"


def _read_image(registry: DockerRegistry, repository: str, tag: str) -> Image:
    found: dict[str, Manifest] = {}

    def read(digest: str) -> None:
        if digest in found:
            return
        content = _path(registry, digest).read_bytes()
        document = json.loads(content)
        children = tuple(entry["digest"] for entry in document.get("manifests", []))
        for child in children:
            read(child)
        entries = [document["config"], *document["layers"]] if "config" in document else []
        blobs = {entry["digest"]: int(entry["size"]) for entry in entries}
        found[digest] = Manifest(digest, document["mediaType"], len(content), blobs, children)

    read(registry.tags(repository)[tag])
    return Image(repository, tag, tuple(found.values()))


def _path(registry: DockerRegistry, digest: str) -> Path:
    algorithm, value = digest.split(":", 1)
    return registry.root / "blobs" / algorithm / value[:2] / value / "data"
