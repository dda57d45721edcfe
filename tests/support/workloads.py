# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image sets that the benchmark moves: same bytes on every machine, layers that no compression shrinks."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.quayside.airgap.tests.support.image_builders import Blob, Image, image, index, layer
from ansible_collections.quayside.airgap.tests.support.image_push import Pusher

TAG = "v1"
PLATFORMS = ("linux/amd64", "linux/arm64")
KIB = 1 << 10
MIB = 1 << 20


@dataclass(frozen=True)
class Shape:
    """What an image set looks like.

    shared             how many of an image's layers are the same in all images
    layer_size         bytes of random content per layer
    multi_arch_every   every n-th image is an index over PLATFORMS; 0: none
    """

    images: int
    layers: int
    layer_size: int
    shared: int = 0
    multi_arch_every: int = 0


SHAPES = {
    "A": Shape(images=20, layers=5, layer_size=4 * MIB),
    "B": Shape(images=100, layers=8, layer_size=64 * KIB, shared=4),
    "C": Shape(images=20, layers=5, layer_size=4 * MIB, shared=4, multi_arch_every=4),
    # All traits of the three in a size that a test can afford.
    "scaled": Shape(images=8, layers=4, layer_size=16 * KIB, shared=2, multi_arch_every=4),
}


@dataclass(frozen=True)
class WorkloadImage:
    """One image of a pushed workload."""

    repository: str
    tag: str
    digest: str
    media_type: str

    @property
    def reference(self) -> str:
        """`repository:tag`, without a registry."""
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True)
class Workload:
    """A workload as it lies in a registry.

    unique_bytes     of blobs (layers and configs), each digest counted once: what has to move
    manifest_bytes   of manifests and indexes, each digest counted once
    """

    name: str
    images: tuple[WorkloadImage, ...]
    unique_bytes: int
    unique_blobs: int
    manifest_bytes: int
    manifests: int

    @property
    def references(self) -> list[str]:
        """`repository:tag` of all images."""
        return [item.reference for item in self.images]


def build_image(shape: Shape, number: int, shared: tuple[Blob, ...], seed: str) -> Image:
    """Image `number` (from 0) of a set."""

    def single(platform: str) -> Image:
        own = [layer(f"{seed}/{number}/{platform}/{position}", shape.layer_size) for position in range(shape.layers - shape.shared)]
        return image([*shared, *own], platform=platform)

    if shape.multi_arch_every and number % shape.multi_arch_every == 0:
        return index([single(platform) for platform in PLATFORMS])
    return single(PLATFORMS[0])


def workload(
    base_url: str,
    name: str,
    *,
    shape: Shape | None = None,
    auth: tuple[str, str] | None = None,
    verify: bool | str = True,
    prefix: str = "bench",
    parallel: int = 2,
) -> Workload:
    """Push a workload to the registry at `base_url`, each image into a repository of its own under tag v1.

    `name` is a key of SHAPES, or any name together with a `shape`; repositories are `<prefix>/<name>-<number>`.
    Images are built one by one while pushing, so memory holds a few of them only.
    """
    chosen = shape or SHAPES[name]
    seed = f"workload/{name}"
    shared = tuple(layer(f"{seed}/shared/{position}", chosen.layer_size) for position in range(chosen.shared))
    pusher = Pusher(base_url, auth, verify)
    blob_sizes: dict[str, int] = {}
    manifest_sizes: dict[str, int] = {}
    lock = threading.Lock()

    def place(number: int) -> WorkloadImage:
        built = build_image(chosen, number, shared, seed)
        repository = f"{prefix}/{name.lower()}-{number:03d}"
        pusher.push(repository, TAG, built)
        with lock:
            blob_sizes.update((digest, item.size) for digest, item in built.all_blobs().items())
            manifest_sizes.update((manifest.digest, manifest.size) for manifest in built.walk())
        return WorkloadImage(repository, TAG, built.digest, built.media_type)

    with ThreadPoolExecutor(parallel) as pool:
        images = tuple(pool.map(place, range(chosen.images)))
    return Workload(
        name=name,
        images=images,
        unique_bytes=sum(blob_sizes.values()),
        unique_blobs=len(blob_sizes),
        manifest_bytes=sum(manifest_sizes.values()),
        manifests=len(manifest_sizes),
    )
