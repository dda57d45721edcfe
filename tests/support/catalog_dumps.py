# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small dumps of the catalog, and the image that the catalog is published in."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import write_tree
from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import Container, OperatorRow, Repository, Tables
from ansible_collections.quayside.airgap.tests.support.image_builders import Image, image, index
from ansible_collections.quayside.airgap.tests.support.layer_builders import file, folder, layer_of, opaque, symlink, whiteout

OCT = "usr/oct/cmd/tnf/fetch/data"
CHARTS = b"""apiVersion: v1
entries:
  acme:
    - name: acme
      version: 1.10
      kubeVersion: ">=1.21"
generated: "2026-11-01T00:00:00Z"
"""


def catalog(version: int = 1, rows: int = 600) -> Tables:
    """A catalog with two images, so many operators and a chart; another one for each version."""
    containers = [
        Container(
            f"id-{number}",
            f"2026-11-0{number}T10:20:30.675000+00:00",
            "amd64",
            f"sha256:{number:063x}{version}",
            (Repository("registry.connect.redhat.com", f"acme/{number}", ("latest", "v1")),),
            (f"sha256:{number + 10:063x}{version}",),
        )
        for number in (1, 2)
    ]
    operators = [OperatorRow(f"acme.v1.{number}", "4.18", "stable") for number in range(rows)]
    return Tables.of(containers, operators, CHARTS)


def write_dump(place: Path, version: int = 1, rows: int = 600) -> Path:
    """A dump below a folder, which is made."""
    place.mkdir(parents=True, exist_ok=True)
    write_tree(place / "data", catalog(version, rows))
    return place


def files_of(data: Path) -> dict[str, bytes]:
    """All files of a folder ``data`` by their paths."""
    return {path.relative_to(data).as_posix(): path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file()}


def published(dump: Path) -> Image:
    """The image of the catalog as it is published: on a system, with what an older build left below, for two platforms.

    A layer of the build has old pages, which the last one removes; the folders are kept by files of git.
    """
    system = layer_of(file("etc/os-release", b"ID=rhel"), folder("usr/bin"), symlink("bin", "usr/bin"), file("usr/bin/cp", b"\x7fELF"))
    old = layer_of(
        folder(OCT),
        file(f"{OCT}/archive.json", b"{}"),
        file(f"{OCT}/operators/.keep"),
        file(f"{OCT}/operators/operator_catalog_page_9_100.db", b"stale"),
        file(f"{OCT}/helm/old/index.yaml", b"stale"),
        file("usr/oct/run.sh", b"#!/bin/bash\n"),
    )
    new = layer_of(
        whiteout(f"{OCT}/operators/operator_catalog_page_9_100.db"),
        opaque(f"{OCT}/helm"),
        *(file(f"{OCT}/{path}", content) for path, content in files_of(dump / "data").items()),
        file(f"{OCT}/containers/.keep"),
    )
    last = layer_of(file("usr/oct/oct", b"\x7fELF"))
    settings = {"Cmd": ["./run.sh"], "WorkingDir": "/usr/oct"}
    return index([image([system, old, new, last], platform=platform, config=settings) for platform in ("linux/amd64", "linux/arm64")])
