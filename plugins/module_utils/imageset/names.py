# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of images: how an image set writes its sources, and where each image lies at the destination.

The names at the destination are those of oc-mirror v2, so that both tools find what the other one mirrored. Other than there

- a digest after a host with a port is a digest: ``host:5000/app@sha256:...``;
- what stands before the first slash is a registry only if it looks like one; else the image is Docker Hub's, and nothing of its
  name is lost: ``team/app:1`` lies at ``<destination>/team/app:1``;
- ``--max-nested-paths 1`` joins all components instead of leaving an empty one.
"""

from __future__ import annotations

import enum
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_fields import plain
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import AdditionalImage, OperatorCatalog
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_patterns import compile_go_pattern
from ansible_collections.quayside.airgap.plugins.module_utils.registry.companions import tag_of
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import (
    Location,
    Reference,
    has_registry,
    is_repository,
    is_tag,
    parse_digest,
    parse_reference,
)

DOCKER = "docker"
OCI = "oci"
RELEASES = "openshift/release-images"
RELEASE_CONTENT = "openshift/release"
GRAPH = "openshift/graph-image"
_LATEST = "latest"
# Releases call processors by the names that their kernels have
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


class ImageKind(enum.Enum):
    """What an image is to the image set; the values are oc-mirror's words in its delete lists."""

    RELEASE_CONTENT = "ocpReleaseContent"
    KUBEVIRT = "kubeVirtContainer"
    RELEASE = "ocpRelease"
    GRAPH = "cincinnatiGraph"
    RELATED = "operatorRelatedImage"
    ADDITIONAL = "generic"
    HELM = "helmImage"
    BUNDLE = "operatorBundle"
    CATALOG = "operatorCatalog"

    @property
    def order(self) -> int:
        """Its place in the order of mirroring: what others refer to comes first."""
        return _ORDER[self]

    @property
    def category(self) -> str:
        """``release``, ``operator`` or ``generic``: what cluster resources tell apart."""
        return _CATEGORIES.get(self, "generic")


_ORDER = {kind: position for position, kind in enumerate(ImageKind)}
_CATEGORIES = {
    ImageKind.RELEASE_CONTENT: "release",
    ImageKind.KUBEVIRT: "release",
    ImageKind.RELEASE: "release",
    ImageKind.GRAPH: "release",
    ImageKind.RELATED: "operator",
    ImageKind.BUNDLE: "operator",
    ImageKind.CATALOG: "operator",
}


@dataclass(frozen=True)
class ImageSource:
    """Where an image of an image set comes from.

    :ivar written: as it was written, without ``docker://``.
    :ivar path: repository as it was written, or the path of an OCI layout on disk.
    :ivar reference: the place in a registry, None for an OCI layout.
    """

    written: str
    path: str
    reference: Reference | None = None
    digest: str | None = None

    @property
    def transport(self) -> str:
        """``docker`` or ``oci``."""
        return OCI if self.reference is None else DOCKER

    @property
    def tag(self) -> str | None:
        return None if self.reference is None else self.reference.tag

    @property
    def name(self) -> str:
        """As it was written, without tag and digest; for an OCI layout its path."""
        if self.reference is None:
            return self.path
        base = self.written.partition("@")[0]
        return base[: -len(self.tag) - 1] if self.tag else base

    @property
    def pull(self) -> Reference:
        """What is asked of the registry: by digest where there is one.

        :raises InputError: for an OCI layout, which is no matter of a registry.
        """
        if self.reference is None:
            raise InputError(f"the image '{self}'", "it lies on disk, not in a registry")
        return self.reference.at(digest=self.reference.digest) if self.reference.digest else self.reference

    @property
    def url(self) -> str:
        """With its scheme, as mapping.txt has it."""
        if self.reference is None:
            return self.written
        return f"{DOCKER}://{self.name}@{self.digest}" if self.digest else f"{DOCKER}://{self.written}"

    def __str__(self) -> str:
        return self.written


def parse_source(text: str) -> ImageSource:
    """The source that an image set names: ``host/repo:tag``, ``host/repo@sha256:...``, both, or ``oci://path``.

    :raises InputError: when it is neither, or has neither tag nor digest (there is no implicit ``latest``).
    """
    stripped = text.strip()
    if stripped.startswith(f"{OCI}:/"):
        return _layout(stripped)
    reference = parse_reference(stripped)
    written = stripped[len("docker://") :] if stripped.startswith("docker://") else stripped
    if reference.identifier is None:
        raise InputError(f"the image '{text}'", "it has neither tag nor digest", f"Write for example {written}:latest.")
    path = written.partition("@")[0]
    if reference.tag is not None:
        path = path[: -len(reference.tag) - 1]
    if has_registry(path):
        path = path.partition("/")[2]
    return ImageSource(written, path, reference, reference.digest)


def _layout(text: str) -> ImageSource:
    subject = f"the image '{text}'"
    path = text[len("oci://") :]
    if not text.startswith("oci://") or not path.strip("/"):
        raise InputError(subject, "a path is expected after oci://", "Write an absolute one with three slashes: oci:///data/image.")
    base, separator, digest = path.rpartition("@")
    if separator and digest.startswith(("sha256:", "sha512:")):
        return ImageSource(text, base.rstrip("/"), None, parse_digest(digest, subject))
    return ImageSource(text, path.rstrip("/"))


@dataclass(frozen=True)
class MirrorImage:
    """An image, and where it goes.

    :ivar origin: as the configuration or the catalog writes it.
    """

    kind: ImageKind
    origin: str
    source: ImageSource
    destination: Reference

    @property
    def key(self) -> tuple[int, str, str]:
        """Sorts images in the order of mirroring, then by name."""
        return (self.kind.order, str(self.destination), self.origin)


@dataclass(frozen=True)
class Naming:
    """Names at one destination.

    :ivar max_nested_paths: the most components that a repository may have, namespace included; 0 for any number.
    """

    destination: Location
    max_nested_paths: int = 0

    def place(self, repository: str, tag: str) -> Reference:
        """A repository of this destination.

        :raises InputError: when a registry can have no such repository or tag.
        """
        path = self.limited(self.destination.repository(repository))
        place = Reference(self.destination.registry, path, tag)
        if not is_repository(path):
            raise InputError(f"the destination '{place}'", f"a registry can have no repository '{path}'", "Name another one.")
        if not is_tag(tag):
            raise InputError(f"the destination '{place}'", f"a registry can have no tag '{tag}'", "Name another one.")
        return place

    def limited(self, path: str) -> str:
        """A path with as many components as are allowed: the last ones are joined by dashes."""
        components = path.split("/")
        keep = self.max_nested_paths - 1
        if self.max_nested_paths < 1 or len(components) <= self.max_nested_paths:
            return path
        return "/".join([*components[:keep], "-".join(components[keep:])])

    def has(self, reference: Reference) -> bool:
        """Whether a place lies below this destination."""
        namespace = self.destination.namespace
        if reference.registry != self.destination.registry:
            return False
        # the name of anything below shows how far the namespace is kept as it is
        prefix = self.limited(f"{namespace}/x")[:-1] if namespace else ""
        return reference.repository.startswith(prefix) and reference.repository != prefix

    def release(self, source: ImageSource, tag: str = "") -> MirrorImage:
        """The payload of a release.

        :param tag: of its signed reference, such as ``4.16.3-x86_64``; its own where not given, else the bare digest.
        """
        own = tag or source.tag or (source.digest or "").partition(":")[2]
        return MirrorImage(ImageKind.RELEASE, f"{DOCKER}://{source.written}", source, self.place(RELEASES, own))

    def release_content(self, source: ImageSource, release: str, component: str) -> MirrorImage:
        """A component of a release.

        :param release: tag of the release: ``4.16.3-x86_64``.
        :param component: its name in the payload: ``etcd``.
        """
        place = self.place(RELEASE_CONTENT, f"{release}-{component}")
        return MirrorImage(ImageKind.RELEASE_CONTENT, source.written, source, place)

    def kubevirt(self, source: ImageSource, release: str, architecture: str = "") -> MirrorImage:
        """The disk image for virtual machines of a release.

        :param architecture: such as ``amd64``, where there are several.
        """
        machine = f"-{_MACHINES.get(architecture, architecture)}" if architecture else ""
        place = self.place(RELEASE_CONTENT, f"{release}-kube-virt-container{machine}")
        return MirrorImage(ImageKind.KUBEVIRT, source.written, source, place)

    def graph(self) -> Reference:
        """The image with the update graph."""
        return self.place(GRAPH, _LATEST)

    def releases(self) -> str:
        """The repository of all payloads, without a tag."""
        return self.place(RELEASES, _LATEST).name

    def release_repository(self, kind: ImageKind) -> str | None:
        """The one repository that images of a kind lie in; None for kinds that lie where their sources say."""
        fixed = {ImageKind.RELEASE: RELEASES, ImageKind.RELEASE_CONTENT: RELEASE_CONTENT, ImageKind.KUBEVIRT: RELEASE_CONTENT}
        return self.place(fixed[kind], _LATEST).repository if kind in fixed else None

    def operator_image(self, text: str, *, bundle: bool = False) -> MirrorImage:
        """A bundle, or an image that a bundle needs.

        :param text: as the catalog writes it.
        :raises InputError: when it is no source that can be mirrored.
        """
        source = parse_source(text)
        if source.transport == OCI:
            raise InputError(f"the image '{text}'", "a catalog may only name images in registries")
        kind = ImageKind.BUNDLE if bundle else ImageKind.RELATED
        return MirrorImage(kind, f"{DOCKER}://{source.written}", source, self.place(source.path, _own_tag(source)))

    def helm_image(self, text: str) -> MirrorImage:
        """An image that a Helm chart names."""
        source = parse_source(text)
        return MirrorImage(ImageKind.HELM, text, source, self.place(source.path, _own_tag(source)))

    def additional(self, image: AdditionalImage) -> MirrorImage:
        """One of the additional images."""
        source = parse_source(image.name)
        path = image.target_repo or source.path.lstrip("/")
        return MirrorImage(ImageKind.ADDITIONAL, image.name, source, self.place(path, image.target_tag or _own_tag(source)))

    def catalog(self, catalog: OperatorCatalog, digest: str = "") -> MirrorImage:
        """A catalog, rebuilt or as it was.

        :param digest: of what is pushed; it makes the tag where the catalog is named by digest alone. The catalog's own digest is
            taken where it is not given: right for catalogs that are mirrored as they are.
        """
        source = parse_source(catalog.catalog)
        own = tag_of(digest) if digest and source.transport == DOCKER and source.tag is None else _own_tag(source)
        place = self.place(catalog.target_catalog or catalog_path(source), catalog.target_tag or own)
        return MirrorImage(ImageKind.CATALOG, catalog.catalog, source, place)


def catalog_path(source: ImageSource) -> str:
    """The repository of a catalog that has no targetCatalog: its own, or the last component of the path of an OCI layout."""
    return source.path.rpartition("/")[2] if source.transport == OCI else source.path


def _own_tag(source: ImageSource) -> str:
    """The tag at the destination of an image that is given no other one."""
    if source.transport == OCI:
        return _LATEST
    return source.tag or tag_of(source.digest or "")


def signature_tag(digest: str) -> str:
    """The tag under which the signature of a manifest lies (sigstore attachments)."""
    return f"{tag_of(digest)}.sig"


def filter_id(catalog: OperatorCatalog, digest: str) -> str:
    """What oc-mirror calls a filtered catalog in its working-dir and in its cache: a hash of what is taken from it.

    It does not depend on where the catalog goes, nor on whether it was named by tag or by digest. The fields that only this
    collection knows count where they are used, so that no filtered catalog is taken for another one.

    :param digest: of the original catalog; for an OCI layout that of the manifest that its index.json names.
    """
    given = plain(catalog)
    packages = given.get("packages")
    document: dict[str, object] = {
        "packages": [_package(package) for package in packages] if packages else None,
        "catalog": f"{parse_source(catalog.catalog).name}@{digest}",
        **{key: given[key] for key in ("full", "skipDependencies", "platforms", "dependencies") if key in given},
    }
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    for char in "<>&\u2028\u2029":
        # as Go writes JSON
        text = text.replace(char, f"\\u{ord(char):04x}")
    return hashlib.new("md5", text.encode(), usedforsecurity=False).hexdigest()


def _package(package: dict[str, object]) -> dict[str, object]:
    keys = ("name", "channels", "defaultChannel", "minVersion", "maxVersion", "versions")
    return {key: package[key] for key in keys if key in package}


class BlockedImages:
    """The patterns of ``blockedImages``.

    :raises InputError: when one is no pattern of Go's.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns: list[tuple[str, re.Pattern[str]]] = []
        for pattern in patterns:
            try:
                self._patterns.append((pattern, compile_go_pattern(pattern)))
            except ValueError as error:
                raise InputError(f"the blocked image '{pattern}'", str(error)) from error

    def pattern_for(self, image: MirrorImage) -> str | None:
        """The pattern that blocks an image: one that fits anywhere in its origin or in its destination, both without scheme."""
        origin = image.origin.partition("://")[2] or image.origin
        for text, pattern in self._patterns:
            if pattern.search(origin) or pattern.search(str(image.destination)):
                return text
        return None


def collisions(images: Iterable[MirrorImage]) -> list[tuple[MirrorImage, MirrorImage]]:
    """Pairs of images with different content that would lie in the same place.

    Between two registries that have the same path this happens easily, for the registry is no part of the destination's name.
    Nothing collides where both name the same digest.
    """
    first: dict[Reference, MirrorImage] = {}
    found = []
    for image in images:
        owner = first.setdefault(image.destination, image)
        if _content(owner) != _content(image):
            found.append((owner, image))
    return found


def _content(image: MirrorImage) -> tuple[bool, str]:
    """What tells whether two images are the same: a digest does, wherever it lies. Catalogs change on their way."""
    source = image.source
    return image.kind == ImageKind.CATALOG, source.digest or (source.written if source.reference is None else str(source.reference))
