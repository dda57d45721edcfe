# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small shop with operators: a catalog, the images that its bundles need, and a few images beside it.

Two packages, `web-operator` with the channels stable (1.0.0, 1.1.0, 1.2.0) and candidate (2.0.0), and `db-operator` with one version.

As a program, `python -m ...operator_shop URL IMAGE_SET`: fills a registry, and writes an image set of all that is in it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.quayside.airgap.tests.support.image_builders import (
    Image,
    cosign_signature,
    cosign_tag,
    file_layer,
    image,
    layer,
    multi_arch,
)
from ansible_collections.quayside.airgap.tests.support.image_push import Placement, push_all

CATALOG = "shop/catalog:v4.18"
TOOL = "apps/tool:2"
AGENT = "apps/agent:7"
WEB = {"stable": ["1.0.0", "1.1.0", "1.2.0"], "candidate": ["2.0.0"]}
DB = {"stable": ["0.9.0"]}
LABELS = {
    "operators.operatorframework.io.index.configs.v1": "/configs",
    "vendor": "shop",
}


class OperatorShop:
    """What is in the shop, for a registry whose host is known: catalogs name their images by it.

    :param namespace: what lies above all of it in the registry.
    :param size: bytes of the layers that are not tiny; the base of most images has twice as many.
    """

    def __init__(self, host: str, namespace: str = "", size: int = 60_000) -> None:
        self.host = host
        self.prefix = f"{namespace}/" if namespace else ""
        self.size = size
        self.base = layer("shop base", 2 * size)

    def name(self, text: str) -> str:
        """An image of the shop with its registry."""
        return f"{self.host}/{self.prefix}{text}"

    def operand(self, package: str, version: str) -> Image:
        """What an operator runs."""
        return image([self.base, layer(f"{package} {version}", self.size)])

    def bundle(self, package: str, version: str) -> Image:
        """The manifests of an operator."""
        return image([file_layer({"manifests/csv.yaml": f"name: {package}.v{version}\n".encode()})])

    def catalog(self, packages: Sequence[tuple[str, Mapping[str, Sequence[str]]]] = (("web-operator", WEB), ("db-operator", DB))) -> Image:
        """The catalog of all operators, or of some."""
        files = {f"configs/{name}/catalog.json": self._blobs(name, channels) for name, channels in packages}
        program = file_layer({"bin/opm": b"serves catalogs"})
        config = {"Labels": LABELS, "Entrypoint": ["/bin/opm"], "Cmd": ["serve", "/configs", "--cache-dir=/tmp/cache"]}
        return image([program, file_layer(files)], config=config)

    def tool(self, version: str = "2") -> Image:
        return image([self.base, layer(f"tool {version}", self.size)])

    def agent(self) -> Image:
        return multi_arch("agent", ("linux/amd64", "linux/arm64"), size=self.size // 4)

    def placements(self) -> list[Placement]:
        """Everything, and where it lies."""
        placed = [
            Placement(f"{self.prefix}shop/catalog", "v4.18", self.catalog()),
            Placement(f"{self.prefix}apps/tool", "2", self.tool()),
            Placement(f"{self.prefix}apps/tool", cosign_tag(self.tool().digest), cosign_signature(self.tool())),
            Placement(f"{self.prefix}apps/agent", "7", self.agent()),
        ]
        for package, channels in (("web-operator", WEB), ("db-operator", DB)):
            for version in sorted({version for versions in channels.values() for version in versions}):
                placed.append(Placement(f"{self.prefix}ops/{package}-bundle", f"v{version}", self.bundle(package, version)))
                placed.append(Placement(f"{self.prefix}ops/{package}", f"v{version}", self.operand(package, version)))
        return placed

    def image_set(self, *packages: str | Mapping[str, Any], images: Sequence[str] = (TOOL,), **more: Any) -> dict[str, Any]:
        """An ImageSetConfiguration: some packages of the catalog (none: no catalog at all), some images."""
        mirror: dict[str, Any] = {"additionalImages": [{"name": self.name(text)} for text in images]}
        if packages:
            chosen = [{"name": package} if isinstance(package, str) else dict(package) for package in packages]
            mirror["operators"] = [{"catalog": self.name(CATALOG), "packages": chosen}]
        return {
            "apiVersion": "mirror.openshift.io/v2alpha1",
            "kind": "ImageSetConfiguration",
            **more,
            "mirror": {name: value for name, value in mirror.items() if value},
        }

    def _blobs(self, package: str, channels: Mapping[str, Sequence[str]]) -> bytes:
        found: list[dict[str, Any]] = [{"schema": "olm.package", "name": package, "defaultChannel": next(iter(channels))}]
        for channel, versions in channels.items():
            entries = [
                {"name": f"{package}.v{version}", **({"replaces": f"{package}.v{below}"} if below else {})}
                for version, below in zip(versions, ["", *versions])
            ]
            found.append({"schema": "olm.channel", "package": package, "name": channel, "entries": entries})
        for version in sorted({version for versions in channels.values() for version in versions}):
            bundle = self.name(f"ops/{package}-bundle@{self.bundle(package, version).digest}")
            operand = self.name(f"ops/{package}@{self.operand(package, version).digest}")
            found.append(
                {
                    "schema": "olm.bundle",
                    "package": package,
                    "name": f"{package}.v{version}",
                    "image": bundle,
                    "properties": [{"type": "olm.package", "value": {"packageName": package, "version": version}}],
                    "relatedImages": [{"name": "", "image": bundle}, {"name": "operand", "image": operand}],
                }
            )
        return "".join(f"{json.dumps(entry, indent=2)}\n" for entry in found).encode()


def main(url: str, path: str) -> None:
    """Fill a registry and write the image set."""
    shop = OperatorShop(url.partition("://")[2])
    push_all(url, shop.placements())
    Path(path).write_text(yaml.safe_dump(shop.image_set("web-operator", "db-operator", images=[TOOL, AGENT]), sort_keys=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
