# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A catalog of operators of the size that vendors publish: the same bytes on every machine, made package by package."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# As in published catalogs: most of a bundle is its objects, much of the rest the description and the examples of its CSV
_OBJECTS = 4
_SHARE_OF_CSV = 0.2
_RELATED_IMAGES = 8
_CHANNELS = ("stable", "fast", "candidate")
_WORDS = (
    *("operator", "cluster", "resource", "custom", "status", "replicas", "storage", "network", "policy", "namespace", "controller"),
    *("the", "of", "a", "and", "when", "is", "for", "with", "to", '"quoted"', "line\n", "tab\t", "née", "**bold**", "`code`", "<b>"),
)
Blob = dict[str, Any]


@dataclass(frozen=True)
class CatalogShape:
    """How large it is; `size` in bytes of JSON, roughly."""

    packages: int = 250
    bundles: int = 8000
    size: int = 1_000_000_000

    @property
    def versions(self) -> int:
        """Of each operator."""
        return max(1, self.bundles // self.packages)


def package_name(number: int) -> str:
    """Of an operator, counted from 0."""
    return f"operator-{number:03}"


def write_large_catalog(folder: Path, shape: CatalogShape) -> int:
    """Write `<package>/catalog.json` for each package, as tools that make catalogs do; gives the bytes of all files."""
    total = 0
    for number in range(shape.packages):
        path = folder / package_name(number) / "catalog.json"
        path.parent.mkdir(parents=True)
        with path.open("w", encoding="utf-8") as stream:
            for blob in package_blobs(number, shape):
                json.dump(blob, stream, indent=4, ensure_ascii=False)
                stream.write("\n")
        total += path.stat().st_size
    return total


def package_blobs(number: int, shape: CatalogShape) -> Iterator[Blob]:
    """Everything of one operator."""
    name = package_name(number)
    noise = random.Random(f"catalog/{name}")
    bundles = [f"{name}.v{_version(position)}" for position in range(shape.versions)]
    yield {
        "schema": "olm.package",
        "name": name,
        "defaultChannel": _CHANNELS[0],
        "description": _prose(noise, 2000),
        "icon": {"base64data": _base64(noise, 4000), "mediatype": "image/svg+xml"},
    }
    for position, channel in enumerate(_CHANNELS):
        # the later a channel, the fewer of the old versions it has
        first = position * len(bundles) // len(_CHANNELS)
        entries: list[Blob] = [{"name": bundle} for bundle in bundles[first:]]
        for older, newer in zip(entries, entries[1:]):
            newer["replaces"] = older["name"]
        yield {"schema": "olm.channel", "name": channel, "package": name, "entries": entries}
    for position in range(shape.versions):
        yield _bundle(noise, name, _version(position), shape.size // (shape.packages * shape.versions))


def _bundle(noise: random.Random, package: str, version: str, size: int) -> Blob:
    name = f"{package}.v{version}"
    csv = int(size * _SHARE_OF_CSV)
    kinds = [f"{package.title().replace('-', '')}{part}" for part in ("Cluster", "Backup", "Policy")]
    metadata = {
        "annotations": {"alm-examples": json.dumps([{"kind": kind, "spec": _prose(noise, csv // 9)} for kind in kinds], indent=2)},
        "apiServiceDefinitions": {},
        "crdDescriptions": {"owned": [{"kind": kind, "description": _prose(noise, csv // 30), "version": "v1"} for kind in kinds]},
        "description": _prose(noise, csv // 2),
        "displayName": package.title(),
        "keywords": ["benchmark", package],
        "provider": {"name": "Example"},
    }
    properties = [
        *({"type": "olm.gvk", "value": {"group": f"{package}.example.com", "kind": kind, "version": "v1"}} for kind in kinds),
        {"type": "olm.package", "value": {"packageName": package, "version": version}},
        {"type": "olm.csv.metadata", "value": metadata},
    ]
    each = (size - csv) // _OBJECTS
    properties += [{"type": "olm.bundle.object", "value": {"data": _base64(noise, each)}} for _object in range(_OBJECTS)]
    related = [{"name": f"operand-{number}", "image": _image(noise, f"{package}/operand-{number}")} for number in range(_RELATED_IMAGES)]
    image = _image(noise, f"{package}/bundle")
    return {
        "schema": "olm.bundle",
        "name": name,
        "package": package,
        "image": image,
        "properties": properties,
        "relatedImages": [*related, {"name": "", "image": image}],
    }


def _version(position: int) -> str:
    return f"{1 + position // 20}.{position % 20 // 4}.{position % 4}"


def _image(noise: random.Random, repository: str) -> str:
    return f"registry.example.com/{repository}@sha256:{noise.getrandbits(256):064x}"


def _prose(noise: random.Random, size: int) -> str:
    # words in a random order are slow to make: a piece of them is repeated
    piece = " ".join(noise.choices(_WORDS, k=200))
    return (piece * (size // len(piece) + 1))[:size]


def _base64(noise: random.Random, size: int) -> str:
    return base64.b64encode(noise.randbytes(size * 3 // 4)).decode()
