# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Catalog images as publishers make them: opm in a lower layer, the catalog above it, opm's cache on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.tests.support.images import Blob, Image, image, index
from ansible_collections.quayside.airgap.tests.support.layer_builders import Member, file, folder, layer_of

ROOT = next(path for path in Path(__file__).resolve().parents if (path / "galaxy.yml").is_file())
FIXTURES = ROOT / "tests" / "fixtures" / "oc_mirror"
LABEL = "operators.operatorframework.io.index.configs.v1"
CONFIG: Mapping[str, Any] = {
    "Labels": {LABEL: "/configs", "vendor": "lab"},
    "Entrypoint": ["/bin/opm"],
    "Cmd": ["serve", "/configs", "--cache-dir=/tmp/cache"],
    "ExposedPorts": {"50051/tcp": {}},
}


def lab_files() -> dict[str, bytes]:
    """The files of the catalog that all recordings of oc-mirror were made with."""
    catalog = FIXTURES / "catalog"
    return {path.relative_to(catalog).as_posix(): path.read_bytes() for path in sorted(catalog.rglob("*.json"))}


def catalog_layers(files: Mapping[str, bytes], platform: str, fmt: str = "docker", extra: Sequence[Member] = ()) -> list[Blob]:
    """The layers of a catalog image."""
    content = [file(f"configs/{path}", data) for path, data in files.items()]
    return [
        layer_of(file("bin/opm", f"opm for {platform}".encode()), folder("tmp"), fmt=fmt),
        layer_of(folder("configs"), *content, *extra, fmt=fmt),
        layer_of(file("tmp/cache/pogreb.v1/digest", b"of the whole catalog"), fmt=fmt),
    ]


def published(
    platforms: Sequence[str] = ("linux/amd64",),
    *,
    files: Mapping[str, bytes] | None = None,
    fmt: str = "docker",
    config: Mapping[str, Any] | None = None,
    extra: Sequence[Member] = (),
) -> Image:
    """A catalog image; for more than one platform an index."""
    members = [
        image(
            catalog_layers(lab_files() if files is None else files, platform, fmt, extra),
            fmt=fmt,
            platform=platform,
            config=config or CONFIG,
        )
        for platform in platforms
    ]
    return members[0] if len(members) == 1 else index(members, fmt=fmt)
