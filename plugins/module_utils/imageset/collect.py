# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that an image set stands for: its images, each once and in a fixed order, and its catalogs.

What cannot be had costs itself: a catalog that cannot be read, a package that is broken, a bundle with a reference that nothing can
be made of. All of that is told, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, CancelledError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.progress import Progress
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.collect_catalogs import (
    CatalogPlan,
    ChoiceError,
    Origin,
    lost_packages,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import ImageSet, OperatorCatalog
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import BlockedImages, ImageKind, MirrorImage, Naming
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_filter import FilterOptions
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_images import BundleImages, bundle_images
from ansible_collections.quayside.airgap.plugins.module_utils.registry.companions import tag_of
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference

# What oc-mirror's cache is called by default: patterns of blockedImages may not fit by the name of a folder
_CACHE = "localhost:55000"


@dataclass(frozen=True)
class BundleId:
    """A bundle of one of the catalogs.

    :ivar catalog: position of its catalog in the image set.
    """

    catalog: int
    package: str
    name: str


@dataclass
class Wanted:
    """One image that is to be copied.

    :ivar roles: what it is to the image set, mostly one thing; the first one in the order of mirroring names it.
    :ivar source: where it is read.
    :ivar platforms: of an index, which images; nothing means all.
    :ivar bundles: those that need it.
    """

    roles: list[MirrorImage]
    source: Reference
    platforms: tuple[Platform, ...] = ()
    bundles: list[BundleId] = field(default_factory=list)

    @property
    def image(self) -> MirrorImage:
        return min(self.roles, key=lambda role: role.key)

    @property
    def destination(self) -> Reference:
        return self.roles[0].destination

    @property
    def is_bundle(self) -> bool:
        """Whether it is the image of a bundle and nothing else: it goes only when all that the bundle needs is there."""
        return all(role.kind == ImageKind.BUNDLE for role in self.roles)

    @property
    def is_of_operators(self) -> bool:
        """Whether nothing but bundles needs it."""
        return all(role.kind in (ImageKind.BUNDLE, ImageKind.RELATED) for role in self.roles)


@dataclass
class Collected:
    """What an image set stands for. To be closed, for its catalogs are open.

    :ivar images: all but the catalogs, in the order of mirroring.
    :ivar catalogs: those that could be read, in the order of the image set.
    :ivar images_of: what each bundle needs, as places at the destination.
    :ivar broken: bundles that cannot be mirrored as a whole, with the reason.
    :ivar blocked_catalogs: positions of catalogs that blockedImages keep from the destination.
    :ivar failures: what could not be had; ``warnings``: what should be looked at.
    """

    images: list[Wanted] = field(default_factory=list)
    catalogs: list[CatalogPlan] = field(default_factory=list)
    images_of: dict[BundleId, tuple[Reference, ...]] = field(default_factory=dict)
    broken: dict[BundleId, str] = field(default_factory=dict)
    blocked_catalogs: set[int] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def name_of(self, bundle: BundleId) -> str:
        """What the image set calls the catalog of a bundle."""
        return next((str(plan) for plan in self.catalogs if plan.position == bundle.catalog), "")

    def close(self) -> None:
        """Let go of the catalogs' files."""
        for plan in self.catalogs:
            plan.close()

    def __enter__(self) -> Collected:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


@dataclass(frozen=True)
class CollectOptions:
    """How to go about it; see :class:`ImageSetTask`."""

    lenient: bool = False
    automatic_default_channel: bool = False


def with_platforms(image_set: ImageSet, platforms: Sequence[Platform]) -> ImageSet:
    """An image set whose entries have platforms, those that name none the given ones."""
    if not platforms:
        return image_set
    chosen = tuple(platforms)
    return replace(
        image_set,
        operators=tuple(entry if entry.platforms else replace(entry, platforms=chosen) for entry in image_set.operators),
        additional_images=tuple(entry if entry.platforms else replace(entry, platforms=chosen) for entry in image_set.additional_images),
    )


def collect(
    image_set: ImageSet,
    origin: Origin,
    naming: Naming,
    options: CollectOptions | None = None,
    *,
    progress: Progress | None = None,
    cancellation: Cancellation | None = None,
) -> Collected:
    """Find out what an image set stands for.

    :param origin: where things are read; ``naming``: where they go.
    :raises InputError: with everything that was asked of the catalogs and is not there.
    """
    collector = _Collector(image_set, origin, naming, options or CollectOptions())
    try:
        collector.run(progress or Progress(), cancellation or Cancellation())
    except BaseException:
        collector.found.close()
        raise
    return collector.found


class _Collector:
    def __init__(self, image_set: ImageSet, origin: Origin, naming: Naming, options: CollectOptions) -> None:
        self._image_set = image_set
        self._origin = origin
        self._naming = naming
        self._options = options
        self._blocked = BlockedImages(image_set.blocked_images)
        self._wanted: dict[Reference, Wanted] = {}
        self.found = Collected()

    def run(self, progress: Progress, cancellation: Cancellation) -> None:
        entries = self._image_set.operators
        progress.phase("reading catalogs", items=len(entries))
        wrong = []
        for position, entry in enumerate(entries):
            cancellation.check()
            try:
                self._catalog(position, entry)
            except CancelledError:
                raise
            except ChoiceError as error:
                wrong.append(f"{entry.catalog}: {error.reason}")
            except AirgapError as error:
                self.found.failures.append(f"{entry.catalog}: {error}")
            progress.advance(items=1, current=entry.catalog)
        if wrong:
            raise InputError("the choice of operators", "; ".join(wrong), "With lenient, what is not there is told as a warning.")
        for plan in self.found.catalogs:
            self._operators(plan)
        self._additional()
        self.found.images = sorted(filter(self._is_of_use, self._wanted.values()), key=lambda wanted: wanted.image.key)
        self._note_images_of_bundles()
        if not self.found.images and not self.found.failures and len(self.found.blocked_catalogs) == len(entries):
            self.found.warnings.append("Nothing is left to mirror: blockedImages fit everything that the image set names.")

    # -- catalogs --------------------------------------------------------------------------------------------------------

    def _catalog(self, position: int, entry: OperatorCatalog) -> None:
        options = FilterOptions(
            lenient=entry.lenient or self._options.lenient,
            automatic_default_channel=self._options.automatic_default_channel,
            dependencies=entry.dependencies,
        )
        plan = self._origin.open(position, entry, options)
        self.found.catalogs.append(plan)
        if self._is_blocked(self._naming.catalog(entry, plan.digest)):
            self.found.blocked_catalogs.add(position)
        self.found.failures += lost_packages(plan)
        told = [str(fault) for fault in plan.selection.faults if not fault.package and not fault.recent]
        self.found.warnings += [f"{entry.catalog}: {text}" for text in [*told, *plan.selection.warnings]]
        if not plan.selection.packages:
            self.found.failures.append(f"{entry.catalog}: nothing of it can be mirrored")

    def _operators(self, plan: CatalogPlan) -> None:
        for needed in bundle_images(plan.catalog, plan.selection):
            bundle = BundleId(plan.position, needed.bundle.package, needed.bundle.name)
            reasons = [str(fault) for fault in needed.faults]
            images: list[MirrorImage] = []
            if needed.complete:
                reasons_of_names, images = self._named(needed)
                reasons += reasons_of_names
            if needed.complete and len(images) == len(needed.images):
                unplaced = self._take_all(images, bundle, plan.entry.platforms)
                if not unplaced:
                    self.found.warnings += [f"{plan}: {reason}" for reason in reasons]
                    self.found.images_of[bundle] = ()
                    continue
                reasons += unplaced
            told = "; ".join(reasons)
            self.found.broken[bundle] = told
            self.found.failures.append(f"{plan}: bundle '{bundle.name}' is left out: {told}")

    def _is_of_use(self, wanted: Wanted) -> bool:
        """Whether an image is needed by anything but bundles that are left out."""
        wanted.bundles = [bundle for bundle in dict.fromkeys(wanted.bundles) if bundle in self.found.images_of]
        return bool(wanted.bundles) or not wanted.is_of_operators

    def _note_images_of_bundles(self) -> None:
        # in the end, for an image may have got another place meanwhile
        places: dict[BundleId, list[Reference]] = {bundle: [] for bundle in self.found.images_of}
        for wanted in self.found.images:
            for bundle in wanted.bundles:
                places[bundle].append(wanted.destination)
        self.found.images_of = {bundle: tuple(found) for bundle, found in places.items()}

    def _named(self, needed: BundleImages) -> tuple[list[str], list[MirrorImage]]:
        """Names of a bundle's images at the destination, and why some can have none."""
        reasons, images = [], []
        for image in needed.images:
            try:
                images.append(self._naming.operator_image(image.text, bundle=image.is_bundle))
            except InputError as error:
                reasons.append(f"{error.subject}: {error.reason}")
        return reasons, images

    def _take_all(self, images: Iterable[MirrorImage], bundle: BundleId, platforms: tuple[Platform, ...]) -> list[str]:
        """Put the images of a bundle on the list, and tell for which there is no place at the destination."""
        reasons = []
        for image in images:
            if not self._is_blocked(image):
                wanted, reason = self._take(image, self._origin.operator_image(image), platforms)
                if wanted is None:
                    reasons.append(reason)
                else:
                    wanted.bundles.append(bundle)
        return reasons

    # -- images ----------------------------------------------------------------------------------------------------------

    def _additional(self) -> None:
        for entry in self._image_set.additional_images:
            try:
                image = self._naming.additional(entry)
                if not self._is_blocked(image):
                    wanted, reason = self._take(image, self._origin.additional(entry, image), entry.platforms)
                    self.found.failures += [] if wanted is not None else [reason]
            except CancelledError:
                raise
            except AirgapError as error:
                self.found.failures.append(f"{entry.name}: {error}")

    def _is_blocked(self, image: MirrorImage) -> bool:
        return is_blocked(self._blocked, image)

    def _take(self, image: MirrorImage, source: Reference, platforms: tuple[Platform, ...]) -> tuple[Wanted | None, str]:
        """Put an image on the list. One that is there already gets one more role, and all platforms that are wanted of it.

        :returns: nothing, and the reason, where another image has its place.
        """
        held = self._wanted.get(image.destination)
        if held is None:
            held = self._wanted[image.destination] = Wanted([image], source, platforms)
            return held, ""
        if image not in held.roles:
            if not self._same(held, image, source):
                return self._apart(held, image, source, platforms)
            held.roles.append(image)
        held.platforms = tuple(dict.fromkeys([*held.platforms, *platforms])) if held.platforms and platforms else ()
        return held, ""

    def _same(self, held: Wanted, image: MirrorImage, source: Reference) -> bool:
        """Whether two images with one place at the destination are one."""
        if held.source == source:
            return True
        digests = {role.source.digest for role in held.roles if role.source.digest}
        mine = image.source.digest or self._origin.digest_of(source)
        theirs = next(iter(digests), None) or self._origin.digest_of(held.source)
        return mine is not None and mine == theirs

    def _apart(self, held: Wanted, image: MirrorImage, source: Reference, platforms: tuple[Platform, ...]) -> tuple[Wanted | None, str]:
        """Two images whose names at the destination are the same.

        One that is pulled by digest is found under any tag; of two that are pulled by tag only one can be there.
        """
        place, digest = image.destination, image.source.digest
        theirs = next((role.source.digest for role in held.roles if role.source.digest), None)
        if digest is not None:
            role = replace(image, destination=place.at(tag=tag_of(digest)))
            self._tell(held.image, role)
            return self._take(role, source, platforms)
        if theirs is not None and all(role.source.digest is not None for role in held.roles):
            # the place is for the one that is pulled by tag
            del self._wanted[place]
            moved = [replace(role, destination=place.at(tag=tag_of(theirs))) for role in held.roles]
            fresh = self._wanted[place] = Wanted([image], source, platforms)
            self._move(held, moved)
            self._tell(image, moved[0])
            return fresh, ""
        return None, f"{image.origin} would lie at {place}, where {held.image.origin} is; give one of them another targetRepo or tag"

    def _move(self, held: Wanted, roles: list[MirrorImage]) -> None:
        there = self._wanted.get(roles[0].destination)
        if there is None:
            held.roles = roles
            self._wanted[roles[0].destination] = held
        else:
            there.roles += [role for role in roles if role not in there.roles]
            there.bundles += held.bundles

    def _tell(self, first: MirrorImage, second: MirrorImage) -> None:
        self.found.warnings.append(
            f"{first.origin} and {second.origin} are two images with one name at the destination: "
            f"{first.destination} is the first one, the second one lies at {second.destination}"
        )


def is_blocked(blocked: BlockedImages, image: MirrorImage) -> bool:
    """Whether one of the patterns fits an image; of a folder's path nothing counts."""
    place = image.destination
    if "://" in place.registry:
        image = replace(image, destination=replace(place, registry=_CACHE))
    return blocked.pattern_for(image) is not None
