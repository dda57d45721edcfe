# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that the recorded runs of oc-mirror v2 mirrored, made again byte for byte.

`tests/fixtures/oc_mirror/digests.json` has the digests that they had then. Layers are really compressed, so that another zlib makes
other bytes; then `Lab.here` and `Lab.recorded` put one digest in the place of the other in everything that is given to a run and in
everything that came of it.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.tests.support.image_builders import (
    CREATED,
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    SIMPLE_SIGNING,
    Blob,
    Image,
    blob,
    canonical_json,
    cosign_signature,
    cosign_tag,
    index,
    platform_fields,
    sha256,
)
from ansible_collections.quayside.airgap.tests.support.layer_builders import Member, archive, file, folder, write_layout

ROOT = next(path for path in Path(__file__).resolve().parents if (path / "galaxy.yml").is_file())
FIXTURES = ROOT / "tests" / "fixtures" / "oc_mirror"
HOST = "src.lab.example"
LAYOUTS = "/lab/files"
ALPHA = ("1.0.0", "1.1.0", "1.1.1", "1.2.0", "2.0.0")
BETA = ("0.1.0", "0.2.0", "0.3.0")
CATALOG_CONFIG: Mapping[str, Any] = {
    "Labels": {"operators.operatorframework.io.index.configs.v1": "/configs"},
    "Entrypoint": ["/bin/opm"],
    "Cmd": ["serve", "/configs", "--cache-dir=/tmp/cache"],
    "ExposedPorts": {"50051/tcp": {}},
}
# The related image that is nowhere
GONE = f"{HOST}/lab/ops/gone@sha256:{'1' * 64}"
# oc-mirror v2: a filtered catalog is called by the MD5 of the compact JSON of its entry with the catalog by digest
FILTER_ID = "11994c4b47b935daeb33c415f338e28d"
_FILTER = (
    '{"packages":[{"name":"alpha-operator"},{"name":"beta-operator","channels":[{"name":"fast","minVersion":"0.2.0"}]}],'
    '"catalog":"src.lab.example/lab/catalog@%s"}'
)
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Placed:
    """An image in its repository; one without a tag is found by digest alone."""

    repository: str
    tag: str | None
    image: Image
    seed: str = ""

    @property
    def key(self) -> str:
        return f"{self.repository}:{self.tag or self.seed}"


# --- images


def _packed(members: Iterable[Member], fmt: str) -> Blob:
    """A layer that is compressed as Python's gzip did it when the recordings were made."""
    content = archive(members)
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
    tail = zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little")
    data = head + packer.compress(content) + packer.flush() + tail
    return Blob(data, OCI_LAYER if fmt == "oci" else DOCKER_LAYER, diff_id=sha256(content))


def _random_layer(seed: str, fmt: str) -> Blob:
    name = hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()[:12]
    return _packed([folder("data"), file(f"data/{name}.bin", blob(seed, 4096))], fmt)


def _image(layers: Sequence[Blob], fmt: str, platform: str, config: Mapping[str, Any] | None = None) -> Image:
    settings = {
        **platform_fields(platform),
        "created": CREATED,
        "config": dict(config or {}),
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [{"created": CREATED, "created_by": f"make_images.py layer {number}"} for number in range(len(layers))],
    }
    return _of(layers, Blob(canonical_json(settings), OCI_CONFIG if fmt == "oci" else DOCKER_CONFIG), fmt, platform)


def _of(layers: Sequence[Blob], config: Blob, fmt: str, platform: str = "") -> Image:
    media_type = OCI_MANIFEST if fmt == "oci" else DOCKER_MANIFEST
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": config.descriptor(),
        "layers": [layer.descriptor() for layer in layers],
    }
    return Image(canonical_json(manifest), media_type, (*layers, config), platform=platform)


def small(seed: str, fmt: str = "oci", architecture: str = "amd64") -> Image:
    """An image of two layers with a random file each."""
    layers = [_random_layer(f"{seed}/{architecture}/{number}", fmt) for number in range(2)]
    return _image(layers, fmt, f"linux/{architecture}")


def _several(seed: str, fmt: str, *architectures: str) -> Image:
    return index([small(seed, fmt, architecture) for architecture in architectures], fmt=fmt)


def _signature(target: Image, name: str) -> Image:
    """A signature as cosign keeps it; its config tells no platform and no history."""
    (payload,) = (item for item in cosign_signature(target, name).blobs if item.media_type == SIMPLE_SIGNING)
    config = {"architecture": "", "os": "", "config": {}, "rootfs": {"type": "layers", "diff_ids": [payload.digest]}}
    return _of([payload], Blob(canonical_json(config), OCI_CONFIG), "oci")


def _plain_images() -> Iterator[Placed]:
    tagged = [
        ("app-a", "v1", small("app-a", "docker")),
        ("app-b", "v1", small("app-b")),
        ("multi-oci", "v1", _several("multi-oci", "oci", "amd64", "arm64", "s390x")),
        ("multi-docker", "v1", _several("multi-docker", "docker", "amd64", "arm64")),
        ("by-digest", "seed", small("by-digest", "docker")),
        ("n1/n2/n3/deep", "v1", small("nested")),
        ("tag-digest", "v3", small("tag-digest")),
        ("signed", "v1", small("signed")),
    ]
    for name, tag, image in tagged:
        yield Placed(f"lab/{name}", tag, image)
    signed = tagged[-1][2]
    yield Placed("lab/signed", cosign_tag(signed.digest), _signature(signed, f"{HOST}/lab/signed"), "sig")


def _operator_images() -> Iterator[Placed]:
    yield Placed("lab/ops/alpha-operand", None, _several("alpha-operand", "docker", "amd64", "arm64"), "alpha-operand")
    yield Placed("lab/ops/tool", "v9", small("alpha-tool"))
    for package, versions in (("alpha", ALPHA), ("beta", BETA)):
        for version in versions:
            for part in ("operator", "bundle"):
                seed = f"{package}-{part}-{version}"
                yield Placed(f"lab/ops/{package}-{part}", None, small(seed), seed)


# --- catalogs


Blobs = dict[str, list[dict[str, Any]]]


def _catalog(files: Mapping[str, str], fmt: str = "docker", architectures: Sequence[str] = ("amd64",)) -> Image:
    found = []
    for architecture in architectures:
        opm, content = file("bin/opm", f"not a real opm for {architecture}\n".encode())
        opm.mode = 0o755
        cache = [folder("tmp"), folder("tmp/cache"), folder("tmp/cache/pogreb.v1"), file("tmp/cache/pogreb.v1/x", b"c")]
        base = _packed([folder("bin"), (opm, content), *cache], fmt)
        members = [folder("configs")]
        for package, text in sorted(files.items()):
            members += [folder(f"configs/{package}"), file(f"configs/{package}/catalog.json", text.encode())]
        found.append(_image([base, _packed(members, fmt)], fmt, f"linux/{architecture}", CATALOG_CONFIG))
    return found[0] if len(found) == 1 else index(found, fmt=fmt)


def _parsed(text: str) -> list[dict[str, Any]]:
    return [json.loads(f"{part}\n}}") for part in text.split("\n}\n") if part.strip()]


def _written(blobs: Iterable[Mapping[str, Any]]) -> str:
    return "".join(f"{json.dumps(blob, indent=2, sort_keys=True)}\n" for blob in blobs)


def _bundles(blobs: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (found for found in blobs if found["schema"] == "olm.bundle")


def _with_an_image_that_is_gone(beta: list[dict[str, Any]]) -> None:
    """A related image of the newest bundle is nowhere."""
    newest = next(found for found in _bundles(beta) if found["name"] == "beta-operator.v0.3.0")
    newest["relatedImages"].append({"name": "gone", "image": GONE})


def _with_two_heads(beta: list[dict[str, Any]]) -> None:
    """A channel has an entry more that nothing replaces, of a bundle that is not there."""
    fast = next(found for found in beta if found["schema"] == "olm.channel" and found["name"] == "fast")
    fast["entries"].append({"name": "beta-operator.v0.9.9"})


def _with_a_bad_version(beta: list[dict[str, Any]]) -> None:
    """The version of the newest bundle is none."""
    for found in _bundles(beta):
        if found["name"] == "beta-operator.v0.3.0":
            found["properties"][0]["value"]["version"] = "0.3"


def _with_an_empty_image(beta: list[dict[str, Any]]) -> None:
    """A related image of each bundle has no name."""
    for found in _bundles(beta):
        found["relatedImages"].append({"name": "empty", "image": ""})


def _with_an_image_without_a_tag(beta: list[dict[str, Any]]) -> None:
    """A related image of each bundle has neither tag nor digest."""
    for found in _bundles(beta):
        found["relatedImages"].append({"name": "vague", "image": f"{HOST}/lab/ops/tool"})


def _without_bundle_images(beta: list[dict[str, Any]]) -> None:
    """The image of a bundle is not repeated among those that the bundle needs."""
    for found in _bundles(beta):
        found["relatedImages"] = [item for item in found["relatedImages"] if item["image"] != found["image"]]


# The catalogs with something wrong in beta-operator, by the end of their names
VARIANTS = {
    "broken": _with_an_image_that_is_gone,
    "multihead": _with_two_heads,
    "badsemver": _with_a_bad_version,
    "emptyri": _with_an_empty_image,
    "notagri": _with_an_image_without_a_tag,
    "nobundleri": _without_bundle_images,
}


# --- all of it


@dataclass(frozen=True)
class Lab:
    """All images, and the digests that they had when the recordings were made."""

    images: tuple[Placed, ...] = field(default_factory=lambda: (*_plain_images(), *_operator_images()), repr=False)

    @cached_property
    def digests(self) -> dict[str, str]:
        """Digests here, by what the file with those of the recordings calls them."""
        return {**dict(_keyed(self.images)), **dict(_keyed(self.catalogs)), **dict(self._on_disk())}

    @cached_property
    def recorded_digests(self) -> dict[str, str]:
        """The digests of the recordings."""
        found: dict[str, str] = json.loads((FIXTURES / "digests.json").read_text(encoding="utf-8"))
        return found

    @cached_property
    def _to_here(self) -> dict[str, str]:
        return {
            there.partition(":")[2]: self._images_here[key].partition(":")[2]
            for key, there in self.recorded_digests.items()
            if key in self._images_here
        }

    @cached_property
    def _images_here(self) -> dict[str, str]:
        return dict(_keyed(self.images))

    @cached_property
    def files(self) -> dict[str, str]:
        """The text of the catalog, by package."""
        return {
            path.parent.name: self._images_in(path.read_text(encoding="utf-8")) for path in (FIXTURES / "catalog").glob("*/catalog.json")
        }

    def _images_in(self, text: str) -> str:
        return _DIGEST.sub(lambda found: self._to_here.get(found.group(), found.group()), text)

    @cached_property
    def catalogs(self) -> tuple[Placed, ...]:
        """All catalogs: for one platform, for two, and those with something wrong."""
        found = [
            Placed("lab/catalog", "v4.99", _catalog(self.files)),
            Placed("lab/catalog-multi", "v4.99", _catalog(self.files, architectures=("amd64", "arm64"))),
        ]
        for name, change in VARIANTS.items():
            beta = _parsed(self.files["beta-operator"])
            change(beta)
            found.append(Placed(f"lab/catalog-{name}", "v4.99", _catalog({**self.files, "beta-operator": _written(beta)})))
        return tuple(found)

    @cached_property
    def layouts(self) -> dict[str, Image]:
        """Images on disk."""
        return {"oci-disk-image": small("oci-disk"), "oci-catalog": _catalog(self.files, fmt="oci")}

    def _on_disk(self) -> Iterator[tuple[str, str]]:
        for name, image in self.layouts.items():
            yield from _named(name, image)

    def write_layouts(self, place: Path) -> None:
        """Write the images on disk into a folder that stands for `LAYOUTS`."""
        for name, image in self.layouts.items():
            write_layout(place / name, [("latest", image)])

    # -- digests of the recordings, and those here

    def here(self, text: str) -> str:
        """A recorded text with the digests that the images have here."""
        return self._exchanged(text, {there: here for here, there in self._pairs}).replace(FILTER_ID, self.filter_id)

    def recorded(self, text: str) -> str:
        """A text of a run here with the recorded digests."""
        return self._exchanged(text, dict(self._pairs)).replace(self.filter_id, FILTER_ID)

    @cached_property
    def filter_id(self) -> str:
        """What is `FILTER_ID` for the catalog as it is here."""
        return hashlib.md5((_FILTER % self.digests["lab/catalog:v4.99"]).encode(), usedforsecurity=False).hexdigest()

    @cached_property
    def _pairs(self) -> list[tuple[str, str]]:
        there = self.recorded_digests
        return [(here.partition(":")[2], there[key].partition(":")[2]) for key, here in self.digests.items() if key in there]

    @staticmethod
    def _exchanged(text: str, pairs: Mapping[str, str]) -> str:
        return _DIGEST.sub(lambda found: pairs.get(found.group(), found.group()), text)


def _keyed(placed: Iterable[Placed]) -> Iterator[tuple[str, str]]:
    """The digests of images, of what an index lists, and of what they consist of."""
    for found in placed:
        key = found.key if found.seed != "sig" else f"{found.repository}:sig"
        yield from _named(key, found.image)
        for child in found.image.children:
            yield from _named(f"{key} {child.platform}", child)


def _named(key: str, image: Image) -> Iterator[tuple[str, str]]:
    yield key, image.digest
    yield from ((f"{key} blob {number}", blob.digest) for number, blob in enumerate(image.blobs))
