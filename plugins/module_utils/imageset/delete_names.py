# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be deleted: what a list or a DeleteImageSetConfiguration names, or what an image set does not name any more.

Which images an operator has, its catalog tells. oc-mirror takes it from its cache or working-dir; here it is taken from the
destination, where the mirrored catalog names exactly what was mirrored with it, and no other place is needed. What the catalog there
does not have is looked up at the source, where that can be reached. What bundles need that stay in the catalog there is spared, for
operators share images. Catalogs themselves stay, as they do with oc-mirror: without them
a second run would not know any more what the first one deleted. What prunes deletes them too, where the image set does not name them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.catalog_image import CatalogImage
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.collect import CollectOptions, collect
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.collect_catalogs import CatalogPlan, ChoiceError, FromRegistries
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config import unsupported
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import AdditionalImage, ImageSet, OperatorCatalog
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete_list import DeleteItem
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import (
    GRAPH,
    RELEASE_CONTENT,
    RELEASES,
    ImageKind,
    MirrorImage,
    Naming,
    parse_source,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_filter import FilterOptions
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_images import bundle_images
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference

_BY_DIGEST = "sha256-"
# What an image set cannot name yet is not pruned: nobody could say that it is no longer wanted
_OF_RELEASES = (RELEASES, RELEASE_CONTENT, GRAPH)


@dataclass
class Named:
    """What an image set stands for at the destination.

    :ivar items: its images, without catalogs.
    :ivar catalogs: places of its catalogs.
    :ivar open_ended: repositories in which a catalog has a tag that only its content tells: ``sha256-`` and its digest.
    :ivar needed: places of images that bundles need which stay at the destination, with the catalog and one of these bundles.
    :ivar failures: what could not be found out.
    """

    items: list[DeleteItem] = field(default_factory=list)
    catalogs: set[Reference] = field(default_factory=set)
    open_ended: set[str] = field(default_factory=set)
    needed: Mapping[Reference, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def keeps(self, place: Reference) -> bool:
        """Whether the image set names a place."""
        if place in self._places:
            return True
        return place.repository in self.open_ended and (place.tag or "").startswith(_BY_DIGEST)

    def __post_init__(self) -> None:
        self._places = {item.reference for item in self.items} | self.catalogs


def name_all(image_set: ImageSet, origin: CatalogsOfMirror, naming: Naming, *, lenient: bool) -> Named:
    """Find out what an image set names.

    :raises InputError: for what is not supported, and names that no catalog has.
    """
    refused = unsupported(image_set)
    if refused:
        raise InputError("the image set configuration", "; ".join(refused))
    # of a catalog only the images are wanted here, whatever its default channel
    options = CollectOptions(lenient=lenient, automatic_default_channel=True)
    with collect(image_set, origin, naming, options) as found:
        items = [DeleteItem.of(wanted.image) for wanted in found.images]
        return Named(items, *_catalogs(image_set, naming), origin.needed, failures=list(found.failures), warnings=list(found.warnings))


def prunable(naming: Naming, repository: str) -> bool:
    """Whether a repository may be pruned: it lies below the destination, and image sets can name what is in it."""
    releases = {naming.limited(naming.destination.repository(path)) for path in _OF_RELEASES}
    return naming.has(Reference(naming.destination.registry, repository)) and repository not in releases


def check_prefix(naming: Naming) -> None:
    """Refuse a destination of which nobody could say what lies below it.

    :raises InputError: where shortened names run into those of others: with two components ``a/b/c`` is ``a/b-c``, as another
        namespace may be called.
    """
    namespace = naming.destination.namespace
    if namespace and naming.limited(f"{namespace}/x") != f"{namespace}/x":
        raise InputError(
            f"max_nested_paths {naming.max_nested_paths}",
            f"with it, names below {naming.destination} cannot be told from those of other namespaces, and nothing can be pruned",
            "Delete with state absent.",
        )


def _catalogs(image_set: ImageSet, naming: Naming) -> tuple[set[Reference], set[str]]:
    places, open_ended = set(), set()
    for entry in image_set.operators:
        place = naming.catalog(entry).destination
        places.add(place)
        if _tag_is_open(entry):
            open_ended.add(place.repository)
    return places, open_ended


def _tag_is_open(entry: OperatorCatalog) -> bool:
    source = parse_source(entry.catalog)
    return source.reference is not None and source.tag is None and not entry.target_tag


class CatalogsOfMirror:
    """Reads catalogs where they were mirrored to, and where they came from if they are not there.

    :param mirror: catalogs by their places at the destination.
    :param sources: catalogs by their own names.
    :param client: of the destination; it only looks.
    :ivar needed: see :class:`Named`.
    :param partial: whether names that the catalog at the destination does not have are no reason to ask the source.
    """

    def __init__(self, mirror: FromRegistries, sources: FromRegistries, naming: Naming, client: RegistryClient, *, partial: bool) -> None:
        self._mirror = mirror
        self._sources = sources
        self._naming = naming
        self._client = client
        self._partial = partial
        self.needed: dict[Reference, str] = {}

    def open(self, position: int, entry: OperatorCatalog, options: FilterOptions) -> CatalogPlan:
        """See :class:`Origin`. There are no warnings of what a catalog would be like that is made of the choice, for none is."""
        plan = self._open(position, entry, options)
        plan.selection.warnings = list(plan.selection.missing)
        return plan

    def _open(self, position: int, entry: OperatorCatalog, options: FilterOptions) -> CatalogPlan:
        # its platforms may not all be there, and the catalog is the same for all of them
        entry = replace(entry, platforms=())
        place = self._place(entry)
        if place is None:
            return self._sources.open(position, entry, options)
        there = replace(entry, catalog=str(place), target_catalog="", target_tag="")
        try:
            plan = self._mirror.open(position, there, replace(options, lenient=options.lenient or self._partial))
            plan.entry = entry
        except ChoiceError as error:
            plan = self._elsewhere(position, entry, options, f"at {place} {error.reason}")
        try:
            self._spare(position, there, plan)
        except BaseException:
            plan.close()
            raise
        return plan

    def _elsewhere(self, position: int, entry: OperatorCatalog, options: FilterOptions, refusal: str) -> CatalogPlan:
        try:
            return self._sources.open(position, entry, options)
        except ChoiceError:
            raise
        except AirgapError as error:
            raise ChoiceError(entry.catalog, f"{refusal}; and it cannot be read at its source: {error}") from error

    def _spare(self, position: int, there: OperatorCatalog, plan: CatalogPlan) -> None:
        """Note what bundles need that stay at the destination."""
        chosen = {(bundle.package, bundle.name) for bundle in plan.selection.bundles()}
        whole = self._mirror.open(position, replace(there, packages=(), full=True), FilterOptions(lenient=True))
        try:
            for found in bundle_images(whole.catalog, whole.selection):
                if (found.bundle.package, found.bundle.name) in chosen:
                    continue
                for image in found.images:
                    with suppress(InputError):
                        place = self._naming.operator_image(image.text).destination
                        self.needed.setdefault(place, f"{found.bundle.package}/{found.bundle.name}, which {there.catalog} offers")
        finally:
            whole.close()

    def _place(self, entry: OperatorCatalog) -> Reference | None:
        """Where the catalog lies at the destination; None where it does not, or it is not known which one it is."""
        place = self._naming.catalog(entry).destination
        if self._client.head_manifest(place.repository, place.tag or "") is not None:
            return place
        if not _tag_is_open(entry):
            return None
        try:
            tags = [tag for page in self._client.tags(place.repository) for tag in page if tag.startswith(_BY_DIGEST) and "." not in tag]
        except NotFoundError:
            return None
        return place.at(tag=tags[0]) if len(tags) == 1 else None

    def build(self, plan: CatalogPlan, gone: Mapping[str, frozenset[str]], workdir: Path) -> tuple[CatalogImage, list[str]]:
        """Nothing is built where things are deleted."""
        raise AssertionError(f"{plan.entry.catalog} is only read")

    def additional(self, image: AdditionalImage, mirrored: MirrorImage) -> Reference:
        """Where it came from; it is only compared with others that would lie in the same place, and not read."""
        return mirrored.destination if mirrored.source.reference is None else mirrored.source.pull

    def operator_image(self, mirrored: MirrorImage) -> Reference:
        """As ``additional``."""
        return mirrored.source.pull

    def digest_of(self, reference: Reference) -> str | None:
        """Unknown, for the source may be out of reach: then what is pulled by digest may also lie under the tag of its digest."""
        return None


def tagged(place: Reference, kind: ImageKind = ImageKind.ADDITIONAL) -> DeleteItem:
    """An item for something that is known by its place alone."""
    return DeleteItem(str(place), place, kind)
