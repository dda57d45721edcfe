# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small world to mirror: two operators with their catalog, two applications, and the tasks that mirror them.

The registry that all of it lies in is called src.lab.example, and registries.conf says where that really is, so that catalogs, and
with them digests, are always the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import ImageSetResult, ImageSetTask
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.workflow import mirror_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions
from ansible_collections.quayside.airgap.tests.sandbox.registry import SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.images import Image, multi_arch, simple_image
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.published import published
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.operators.builders import bundle, chain, package_blobs

HOST = "src.lab.example"
OPEN = SideOptions(TlsSettings(verify=False))
CATALOG = f"{HOST}/lab/catalog:v1"
# Bundles with the images that they need beside themselves
BUNDLES = {
    "alpha.v1.0.0": ("alpha-operator-1.0.0", "tool"),
    "alpha.v1.1.0": ("alpha-operator-1.1.0", "tool", "many"),
    "beta.v0.1.0": ("beta-operator-0.1.0",),
}


def operator_images() -> dict[str, Image]:
    """The images of the operators, by name; they lie in lab/ops."""
    names = dict.fromkeys(name for related in BUNDLES.values() for name in related)
    images = {name: multi_arch(name) if name == "many" else simple_image(name) for name in names}
    return {**images, **{f"{name}-bundle": simple_image(f"{name}-bundle") for name in BUNDLES}}


def place(name: str) -> str:
    """How the catalog names an image of an operator."""
    return f"{HOST}/lab/ops/{name.replace('+', '-')}@{operator_images()[name].digest}"


def bundle_blob(name: str, **more: Any) -> dict[str, Any]:
    """A bundle of the catalog."""
    package, _dot, version = name.partition(".v")
    own = place(f"{name}-bundle")
    related = [{"name": image, "image": place(image)} for image in BUNDLES[name]]
    given = {"image": own, "relatedImages": [{"name": "", "image": own}, *related], **more}
    return bundle(version, package, **given)


def catalog_files(packages: Mapping[str, Iterable[dict[str, Any]]] | None = None) -> dict[str, bytes]:
    """The files of the catalog: alpha with two versions in a channel, beta with one.

    :param packages: the blobs of packages that shall be otherwise.
    """
    found = {
        "alpha": package_blobs(
            {"stable": chain("1.0.0", "1.1.0", package="alpha")},
            "alpha",
            bundles=[bundle_blob("alpha.v1.0.0"), bundle_blob("alpha.v1.1.0")],
        ),
        "beta": package_blobs({"stable": chain("0.1.0", package="beta")}, "beta", bundles=[bundle_blob("beta.v0.1.0")]),
        **(packages or {}),
    }
    return {f"{name}/catalog.json": "\n".join(json.dumps(blob) for blob in blobs).encode() for name, blobs in found.items()}


@dataclass
class Lab:
    """The registry with everything, and the folders of runs over it.

    :ivar folder: where runs may write.
    """

    source: SandboxRegistry = field(repr=False)
    folder: Path
    images: dict[str, Image] = field(default_factory=operator_images, repr=False)

    def __post_init__(self) -> None:
        for name, image in self.images.items():
            self.source.load(f"lab/ops/{name}", "seed", image)
        self.source.load("lab/app", "v1", simple_image("app"))
        self.source.load("lab/web", "v1", simple_image("web"))
        self.publish(catalog_files())
        conf = f'[[registry]]\nprefix = "{HOST}"\nlocation = "{self.source.host}"\ninsecure = true\n'
        self.conf.write_text(conf, encoding="utf-8")

    @property
    def conf(self) -> Path:
        return self.folder / "registries.conf"

    def publish(self, files: Mapping[str, bytes], tag: str = "v1", platforms: Iterable[str] = ("linux/amd64", "linux/arm64")) -> Image:
        """Put a catalog in its place."""
        image = published(list(platforms), files=files, fmt="oci")
        self.source.load("lab/catalog", tag, image)
        return image

    def lose(self, name: str) -> None:
        """An image of the operators is no longer there."""
        self.source.storage.delete_manifest(f"lab/ops/{name}", self.images[name].digest)

    def task(self, destination: str, image_set: Any = None, **options: Any) -> ImageSetTask:
        """A task over an image set, by its ``mirror`` section."""
        document = image_set_of(image_set) if isinstance(image_set, Mapping) and "kind" not in image_set else image_set
        given: dict[str, Any] = {
            "source_side": OPEN,
            "destination_side": OPEN,
            "wire": WireOptions(parallel=4, retries=0, timeout=10),
            "registries_conf": str(self.conf),
            **options,
        }
        return ImageSetTask(destination, document, **given)

    def straight(self, registry: SandboxRegistry, image_set: Any, **options: Any) -> ImageSetResult:
        """From registry to registry."""
        options.setdefault("workspace", f"file://{self.folder / 'workspace'}")
        return mirror_image_set(self.task(f"docker://{registry.host}/mirror", image_set, **options))

    def to_disk(self, image_set: Any, folder: str = "disk", **options: Any) -> ImageSetResult:
        return mirror_image_set(self.task(f"file://{self.folder / folder}", image_set, **options))

    def from_disk(self, registry: SandboxRegistry, image_set: Any = None, folder: str = "disk", **options: Any) -> ImageSetResult:
        options.setdefault("registries_conf", "")
        return mirror_image_set(
            self.task(f"docker://{registry.host}/mirror", image_set, origin=f"file://{self.folder / folder}", **options)
        )

    def working_dir(self, folder: str = "workspace") -> dict[str, bytes]:
        """The files of a working-dir, by name."""
        root = self.folder / folder / "working-dir"
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def image_set_of(mirror: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A whole ImageSetConfiguration."""
    return {"apiVersion": "mirror.openshift.io/v2alpha1", "kind": "ImageSetConfiguration", "mirror": dict(mirror), **more}


EVERYTHING = {
    "operators": [{"catalog": CATALOG}],
    "additionalImages": [{"name": f"{HOST}/lab/app:v1"}, {"name": f"{HOST}/lab/web:v1"}],
}


def states(result: ImageSetResult) -> dict[str, str]:
    """What became of each image, by its place without the registry; failures with their reason."""
    found = {}
    for image in result.images:
        place, outcome = str(image.outcome.destination), image.outcome
        found[place.partition("/mirror/")[2] or place] = f"{outcome.state}: {outcome.reason}" if outcome.reason else outcome.state
    return found


def all_there(registry: SandboxRegistry) -> dict[str, str]:
    """Everything in a registry, ``repository:tag`` -> digest."""
    problems = registry.verify()
    assert problems == [], "\n".join(problems)
    return {f"{name}:{tag}": digest for name in registry.repositories for tag, digest in registry.tags(name).items()}
