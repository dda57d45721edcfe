# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Catalogs of operators as a run finds them: published in registries, on disk, or in an archive, with what is chosen of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import write_atomically
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_layout import WORKING_DIR
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_reader import ArchiveReader
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.catalog_image import CatalogImage, build_catalog, catalog_image
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.catalog_source import SourceCatalog, folder_of, open_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import AdditionalImage, OperatorCatalog
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.kept_catalogs import CATALOGS, CONFIG, KeptCatalogs
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import (
    OCI,
    MirrorImage,
    Naming,
    catalog_path,
    filter_id,
    parse_source,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_filter import (
    CatalogChoice,
    ChannelChoice,
    FilterOptions,
    PackageChoice,
    filter_catalog,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_images import without_bundles
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_reading import FileSource, read_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_selection import Selection
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_writing import write_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.operators.filebased_catalog import Catalog
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.image_builder import BaseImage, load_base
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import LocalSources
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Location, Reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Side

FILTERED = "filtered-catalogs"
DIGEST = "digest"
# A package with all its bundles in it; the largest known ones have some 100 MB
_PACKAGE_LIMIT = 1 << 30
_WHOLE = CatalogChoice(full=True)
# What is asked of the archive's names is the path alone
_ANYWHERE = Location("archive.invalid")


@dataclass
class CatalogPlan:
    """A catalog, and what of it is mirrored. To be closed.

    :ivar position: of its entry in the image set.
    :ivar entry: that entry, the catalog named by digest where it lies in a registry.
    :ivar digest: of the original catalog.
    :ivar original: where the original is read; None where only the chosen part is there.
    :ivar ready: where the image is read that is mirrored when nothing is left out; None when it has to be built.
    :ivar source: the opened original; None where only files of the chosen part are at hand.
    :ivar written: what the image set calls it, where ``entry`` has another name.
    """

    position: int
    entry: OperatorCatalog
    digest: str
    catalog: Catalog
    selection: Selection
    original: Reference | None = None
    ready: Reference | None = None
    source: SourceCatalog | None = None
    written: str = ""

    def __str__(self) -> str:
        return self.written or self.entry.catalog

    @property
    def filter_id(self) -> str:
        """What the chosen part is called in the working-dir and in archives."""
        return filter_id(self.entry, self.digest)

    @property
    def folder(self) -> str:
        """Where it is kept, below the working-dir."""
        return catalog_folder(self.entry, self.digest)

    def close(self) -> None:
        """Let go of its files."""
        self.catalog.close()
        if self.source is not None:
            self.source.close()


class Origin(Protocol):
    """Where a run finds what it mirrors."""

    def open(self, position: int, entry: OperatorCatalog, options: FilterOptions) -> CatalogPlan:
        """Read a catalog, and choose of it.

        :raises ChoiceError: when the entry asks for what the catalog does not have.
        :raises AirgapError: when it cannot be read.
        """

    def build(self, plan: CatalogPlan, gone: Mapping[str, frozenset[str]], workdir: Path) -> tuple[CatalogImage, list[str]]:
        """Build the image of a catalog without some bundles, and tell what that means for the rest.

        :param workdir: a folder of its own, needed as long as the image is used.
        :raises AirgapError: when it cannot be built.
        """

    def additional(self, image: AdditionalImage, mirrored: MirrorImage) -> Reference:
        """Where an additional image is read.

        :raises AirgapError: when it lies on disk and is not there.
        """

    def operator_image(self, mirrored: MirrorImage) -> Reference:
        """Where a bundle or a related image is read."""

    def digest_of(self, reference: Reference) -> str | None:
        """The digest that a reference stands for now; None when that cannot be found out."""


class ChoiceError(AirgapError):
    """What an entry of the image set asks of a catalog is not there."""

    def __init__(self, catalog: str, reason: str) -> None:
        super().__init__("use", f"the choice of operators of {catalog}", reason)


class FromRegistries(Origin):
    """Registries, and OCI layouts on disk.

    :param sources: also told of images that are built.
    :param workdir: for the files of catalogs.
    :param kept: those of earlier runs.
    """

    def __init__(
        self, sources: LocalSources, workdir: Path, retry: RetryPolicy, cancellation: Cancellation, kept: KeptCatalogs | None = None
    ) -> None:
        self._sources = sources
        self._workdir = workdir
        self._retry = retry
        self._cancellation = cancellation
        self._kept = kept

    def open(self, position: int, entry: OperatorCatalog, options: FilterOptions) -> CatalogPlan:
        place, written = parse_source(entry.catalog), entry.catalog
        if place.reference is None:
            reference = self._sources.add_layout(f"{OCI}://{place.path}", place.digest)
        else:
            reference = place.pull
        source = open_catalog(
            self._sources,
            reference,
            self._workdir,
            platforms=entry.platforms,
            retry=self._retry,
            cancellation=self._cancellation,
            # what is on disk need not be there twice
            kept=self._kept.named(catalog_name(entry)) if self._kept is not None and place.reference is not None else None,
        )
        try:
            selection = _choose(source.catalog, entry, options)
        except BaseException:
            source.close()
            raise
        if place.reference is not None and place.digest is None:
            # so that it stays the same one until the end of the run
            entry = replace(entry, catalog=f"{place.name}@{source.digest}", target_tag=entry.target_tag or place.tag or "")
        original = reference.at(digest=source.digest)
        ready = original if selection.whole else None
        return CatalogPlan(position, entry, source.digest, source.catalog, selection, original, ready, source, written)

    def build(self, plan: CatalogPlan, gone: Mapping[str, frozenset[str]], workdir: Path) -> tuple[CatalogImage, list[str]]:
        if plan.source is None:
            raise AssertionError("catalogs in registries are open until the end")
        return _built(plan, plan.source, gone, workdir, self._sources)

    def additional(self, image: AdditionalImage, mirrored: MirrorImage) -> Reference:
        source = mirrored.source
        return source.pull if source.reference is not None else self._sources.add_layout(f"{OCI}://{source.path}", source.digest)

    def operator_image(self, mirrored: MirrorImage) -> Reference:
        return mirrored.source.pull

    def digest_of(self, reference: Reference) -> str | None:
        return _digest_of(self._sources, reference)


class FromArchive(Origin):
    """An archive: ours, or oc-mirror's. No network is needed.

    :param side: the archive as the side of a copy; also told of images that are built.
    :param workdir: for the files of catalogs.
    """

    def __init__(self, reader: ArchiveReader, side: LocalSources, workdir: Path) -> None:
        self._reader = reader
        self._side = side
        self._workdir = workdir
        self._naming = Naming(_ANYWHERE)

    def open(self, position: int, entry: OperatorCatalog, options: FilterOptions) -> CatalogPlan:
        place = self._naming.catalog(entry).destination
        source = parse_source(entry.catalog)
        digest = source.digest or self._reader.head_manifest(place.repository, place.tag or "")
        if digest is None:
            raise self._unknown(entry, "it is not in there")
        original = self._reference(place.repository, digest=digest)
        below = f"{WORKING_DIR}{catalog_folder(entry, digest)}/"
        own = filter_id(entry, digest)
        filtered = f"{below}{FILTERED}/{own}/"
        # a whole catalog goes as it is, unless something had to be left out of it when the archive was made
        ready = self._filtered(place.repository, filtered, own)
        names = self._reader.files(f"{filtered}{CONFIG}/") if ready is not None else self._reader.files(f"{below}{CONFIG}/")
        if not names or (ready is None and (not entry.full or entry.packages)):
            return self._chosen(position, entry, options, original)
        folder = self._workdir / f"archived-{position}"
        catalog = self._unpacked(names, folder)
        selection = filter_catalog(catalog, _WHOLE)
        return CatalogPlan(position, entry, digest, catalog, selection, original, ready or original)

    def _chosen(self, position: int, entry: OperatorCatalog, options: FilterOptions, original: Reference) -> CatalogPlan:
        """Another choice than the one that the archive was made for, from the original catalog that lies beside it."""
        try:
            source = open_catalog(self._side, original, self._workdir, platforms=entry.platforms)
        except NotFoundError as error:
            raise self._unknown(
                entry, f"of this catalog it has another choice of operators, and not all of the catalog itself: {error}"
            ) from error
        try:
            selection = _choose(source.catalog, entry, options)
        except BaseException:
            source.close()
            raise
        return CatalogPlan(
            position, entry, source.digest, source.catalog, selection, original, original if selection.whole else None, source
        )

    def build(self, plan: CatalogPlan, gone: Mapping[str, frozenset[str]], workdir: Path) -> tuple[CatalogImage, list[str]]:
        if plan.source is not None:
            return _built(plan, plan.source, gone, workdir, self._side)
        selection = without_bundles(plan.selection, gone)
        config = workdir / CONFIG
        write_catalog(plan.catalog, _something(plan, selection), config)
        base = self._base(plan)
        image = catalog_image(base, folder_of(base.members[0].config, base.reference), config, workdir)
        self._side.add(image.reference, image)
        return CatalogImage(image, config, selection), selection.warnings[len(plan.selection.warnings) :]

    def _base(self, plan: CatalogPlan) -> BaseImage:
        """What the catalog's image is made from: the original, as everywhere, so that it becomes the same one."""
        failure: AirgapError | None = None
        for reference in (plan.original, plan.ready):
            for store, place in self._side.candidates(reference) if reference is not None else ():
                try:
                    return load_base(store, place, platforms=plan.entry.platforms)
                except NotFoundError as error:
                    failure = failure or error
        raise failure or AssertionError("an archive has all of its catalogs")

    def additional(self, image: AdditionalImage, mirrored: MirrorImage) -> Reference:
        return self._place(self._naming.additional(image))

    def operator_image(self, mirrored: MirrorImage) -> Reference:
        return self._place(self._naming.operator_image(mirrored.source.written))

    def digest_of(self, reference: Reference) -> str | None:
        return _digest_of(self._side, reference)

    def _place(self, image: MirrorImage) -> Reference:
        repositories = [image.destination.repository]
        if self._reader.contents is None and image.source.name == image.source.path == repositories[0] and "/" in repositories[0]:
            # oc-mirror v2: in a short name of Docker Hub the first component is taken for a registry, and is left out
            repositories.append(repositories[0].partition("/")[2])
        for repository in repositories:
            for identifier in (image.source.digest, image.destination.tag):
                if identifier is not None and self._reader.head_manifest(repository, identifier) is not None:
                    tag, digest = (None, identifier) if ":" in identifier else (identifier, None)
                    return self._reference(repository, tag, digest)
        return self._reference(repositories[0], image.destination.tag)

    def _filtered(self, repository: str, folder: str, own: str) -> Reference | None:
        """The image of the chosen part of a catalog; None when there is none."""
        tagged = self._reader.head_manifest(repository, own)
        if tagged is None or f"{folder}{DIGEST}" not in self._reader.files(folder):
            return None
        noted = self._reader.read_file(f"{folder}{DIGEST}", limit=256).decode("ascii", "replace").strip()
        if noted.rpartition(":")[2] != tagged.rpartition(":")[2]:
            raise FileError(
                "use the catalog in", f"{self._reader.registry}/{repository}", f"{folder}{DIGEST} names {noted}, and the image is {tagged}"
            )
        return self._reference(repository, tag=own)

    def _unpacked(self, names: list[str], folder: Path) -> Catalog:
        sources = []
        for number, name in enumerate(names):
            path = folder / f"{number}.json"
            try:
                folder.mkdir(exist_ok=True)
            except OSError as error:
                raise FileError("make the folder", str(folder), error.strerror or str(error)) from error
            write_atomically(path, self._reader.read_file(name, limit=_PACKAGE_LIMIT), durable=False)
            sources.append(FileSource(name.partition(f"/{CONFIG}/")[2], path))
        return read_catalog(sources)

    def _reference(self, repository: str, tag: str | None = None, digest: str | None = None) -> Reference:
        return Reference(self._reader.registry, repository, tag, digest)

    def _unknown(self, entry: OperatorCatalog, reason: str) -> FileError:
        return FileError(
            f"find the catalog {entry.catalog} in",
            self._reader.registry,
            reason,
            "Use the image set that the archive was made from, or leave image_set out.",
        )


def catalog_folder(entry: OperatorCatalog, digest: str) -> str:
    """Where the files of a catalog are kept, below the working-dir."""
    return f"{CATALOGS}/{catalog_name(entry)}/{digest.partition(':')[2]}"


def catalog_name(entry: OperatorCatalog) -> str:
    """What a catalog is called in the working-dir; several may have one name."""
    return catalog_path(parse_source(entry.catalog)).rpartition("/")[2]


def choice_of(entry: OperatorCatalog) -> CatalogChoice:
    """What an entry of the image set wants of its catalog."""
    packages = (
        PackageChoice(
            name=package.name,
            channels=tuple(ChannelChoice(channel.name, channel.min_version, channel.max_version) for channel in package.channels),
            default_channel=package.default_channel,
            minimum=package.min_version,
            maximum=package.max_version,
            versions=package.versions,
        )
        for package in entry.packages
    )
    return CatalogChoice(tuple(packages), entry.full)


def lost_packages(plan: CatalogPlan) -> Iterator[str]:
    """What could not be chosen because the catalog is broken there, a sentence for each package."""
    wanted = {package.name for package in plan.entry.packages}
    faults: dict[str, list[str]] = {}
    for fault in [*plan.catalog.faults, *plan.selection.faults]:
        if fault.package and not fault.recent and fault.package not in plan.selection.packages:
            faults.setdefault(fault.package, []).append(f"{fault.path}: {fault.reason}" if fault.path else fault.reason)
    for name, reasons in sorted(faults.items()):
        if not wanted or name in wanted:
            yield f"{plan}: package '{name}' is left out, the catalog is broken there: {'; '.join(dict.fromkeys(reasons))}"


def _choose(catalog: Catalog, entry: OperatorCatalog, options: FilterOptions) -> Selection:
    try:
        return filter_catalog(catalog, choice_of(entry), options)
    except InputError as error:
        raise ChoiceError(entry.catalog, error.reason) from error


def _built(
    plan: CatalogPlan, source: SourceCatalog, gone: Mapping[str, frozenset[str]], workdir: Path, sources: LocalSources
) -> tuple[CatalogImage, list[str]]:
    """Build a catalog from the original, and have it found among the sources."""
    selection = without_bundles(plan.selection, gone) if gone else plan.selection
    built = build_catalog(source, _something(plan, selection), workdir)
    sources.add(built.image.reference, built.image)
    return built, selection.warnings[len(plan.selection.warnings) :]


def _something(plan: CatalogPlan, selection: Selection) -> Selection:
    if not selection.packages:
        raise FileError("build the catalog", str(plan), "nothing is left to be in it")
    return selection


def _digest_of(side: Side, reference: Reference) -> str | None:
    for store, place in side.candidates(reference):
        with suppress(AirgapError):
            return store.head_manifest(place.repository, place.identifier or "")
    return None
