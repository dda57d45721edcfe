# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an ImageSetConfiguration or a DeleteImageSetConfiguration says (mirror.openshift.io/v2alpha1).

Its fields are those of oc-mirror v2. Beside them stand those that only this collection has:

=====================  =================================================================================================
operators[].packages[]
``versions``           list of exact versions; of each channel exactly these are taken, whatever lies between
operators[]
``dependencies``       take what the chosen bundles need (packages and APIs of the same catalog) as well
``catalogSourceName``  the name of the CatalogSource and of the ClusterCatalog, instead of the one that is made of the image's name
``lenient``            packages, channels and versions that the catalog does not have are told as warnings, not as errors
=====================  =================================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_fields import (
    flag,
    listing,
    names,
    platforms,
    section,
    text,
    texts,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Platform

API_VERSION = "mirror.openshift.io/v2alpha1"
MIRROR_KIND = "ImageSetConfiguration"
DELETE_KIND = "DeleteImageSetConfiguration"


@dataclass(frozen=True)
class ReleaseChannel:
    """A channel of OpenShift or OKD releases.

    :ivar type: ``ocp`` or ``okd``.
    """

    name: str = text("name", required=True)
    type: str = text("type", "ocp", always=True)
    min_version: str = text("minVersion")
    max_version: str = text("maxVersion")
    shortest_path: bool = flag("shortestPath")
    full: bool = flag("full")


@dataclass(frozen=True)
class PlatformSection:
    """Which releases of the platform.

    :ivar release: one payload, which stands in for the channels.
    """

    graph: bool = flag("graph")
    channels: tuple[ReleaseChannel, ...] = listing("channels", ReleaseChannel)
    architectures: tuple[str, ...] = texts("architectures")
    platforms: tuple[Platform, ...] = platforms()
    release: str = text("release")
    kube_virt_container: bool = flag("kubeVirtContainer")


@dataclass(frozen=True)
class Channel:
    """A channel of a package; its head alone where no version is given."""

    name: str = text("name", required=True)
    min_version: str = text("minVersion")
    max_version: str = text("maxVersion")


@dataclass(frozen=True)
class Package:
    """A package of a catalog.

    :ivar channels: nothing here means all of them.
    :ivar versions: exact versions (a field of ours).
    """

    name: str = text("name", required=True)
    channels: tuple[Channel, ...] = listing("channels", Channel)
    default_channel: str = text("defaultChannel")
    min_version: str = text("minVersion")
    max_version: str = text("maxVersion")
    versions: tuple[str, ...] = texts("versions", own=True)


@dataclass(frozen=True)
class OperatorCatalog:
    """A catalog of operators, and what of it.

    :ivar catalog: reference with tag or digest, or ``oci://`` and a path.
    :ivar packages: nothing here means all of them.
    :ivar target_catalog: repository at the destination; the catalog's own where empty.
    :ivar full: all bundles instead of the heads of the channels.
    :ivar template: path of the file that the CatalogSource is made from.
    :ivar skip_dependencies: has no effect, here as in oc-mirror.
    :ivar dependencies: take what the chosen bundles need as well (a field of ours).
    :ivar catalog_source_name: see the table above (a field of ours).
    :ivar lenient: see the table above (a field of ours).
    """

    packages: tuple[Package, ...] = listing("packages", Package, always=True)
    catalog: str = text("catalog", required=True)
    target_catalog: str = text("targetCatalog")
    target_tag: str = text("targetTag")
    full: bool = flag("full")
    skip_dependencies: bool = flag("skipDependencies")
    template: str = text("targetCatalogSourceTemplate")
    platforms: tuple[Platform, ...] = platforms()
    dependencies: bool = flag("dependencies", own=True)
    catalog_source_name: str = text("catalogSourceName", own=True)
    lenient: bool = flag("lenient", own=True)


@dataclass(frozen=True)
class AdditionalImage:
    """A single image.

    :ivar name: reference with tag or digest, or ``oci://`` and a path.
    """

    name: str = text("name", required=True)
    target_repo: str = text("targetRepo")
    target_tag: str = text("targetTag")
    platforms: tuple[Platform, ...] = platforms()


@dataclass(frozen=True)
class HelmChart:
    """A Helm chart whose images are wanted.

    :ivar path: file or folder; for local charts only.
    :ivar image_paths: JSONPaths beside the usual places.
    """

    name: str = text("name", required=True)
    version: str = text("version")
    path: str = text("path")
    image_paths: tuple[str, ...] = texts("imagePaths")
    platforms: tuple[Platform, ...] = platforms()


@dataclass(frozen=True)
class HelmRepository:
    """A Helm repository.

    :ivar charts: nothing here means all of them.
    """

    name: str = text("name", required=True)
    url: str = text("url", required=True)
    charts: tuple[HelmChart, ...] = listing("charts", HelmChart, always=True)


@dataclass(frozen=True)
class HelmSection:
    """Which Helm charts."""

    repositories: tuple[HelmRepository, ...] = listing("repositories", HelmRepository)
    local: tuple[HelmChart, ...] = listing("local", HelmChart)


@dataclass(frozen=True)
class ImageSet:
    """A whole configuration.

    :ivar kind: ``ImageSetConfiguration`` or ``DeleteImageSetConfiguration``.
    :ivar archive_size: largest size of an archive in GiB; 0 where it is not given.
    :ivar blocked_images: patterns in the language of Go's regular expressions.
    :ivar samples: has no effect, here as in oc-mirror.
    """

    platform: PlatformSection = field(default_factory=PlatformSection, metadata=section("platform", PlatformSection))
    operators: tuple[OperatorCatalog, ...] = listing("operators", OperatorCatalog)
    additional_images: tuple[AdditionalImage, ...] = listing("additionalImages", AdditionalImage)
    helm: HelmSection = field(default_factory=HelmSection, metadata=section("helm", HelmSection))
    blocked_images: tuple[str, ...] = names("blockedImages")
    samples: tuple[str, ...] = names("samples")
    archive_size: int = 0
    kind: str = MIRROR_KIND

    @property
    def root(self) -> str:
        """The section that holds everything: ``mirror`` or ``delete``."""
        return "delete" if self.kind == DELETE_KIND else "mirror"
