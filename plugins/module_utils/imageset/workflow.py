# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The three workflows of an image set: to disk, from disk, and from registry to registry.

All go the same way: understand, collect, copy, write what belongs to it. They differ in the two sides of the copy and in what is
written beside the images. One that was interrupted goes on when it is run again: registries keep the blobs that they have, and an
archive that was not finished is gone on with.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.progress import Progress
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_reader import ArchiveReader
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_side import LoadedArchive, OneStore
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.collect import (
    Collected,
    CollectOptions,
    collect,
    with_platforms,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.collect_catalogs import (
    FromArchive,
    FromRegistries,
    Origin,
    catalog_name,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config import (
    image_set_yaml,
    load_image_set,
    remarks,
    unsupported,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import MIRROR_KIND, ImageSet
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_yaml import parse_yaml
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.kept_catalogs import KeptCatalogs
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.mapping import FOLDER as MAPPING_FOLDER
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.mapping import write_mapping
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import MirrorImage, Naming
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.report import write_reports
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import (
    ImageSetResult,
    ImageSetTask,
    Mode,
    Route,
    route_of,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.workflow_archive import ArchiveRun
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.workflow_copy import Copied, Expect, Sides, copy_set
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.workflow_files import (
    PinnedFiles,
    Resources,
    catalog_digests,
    keep_catalogs,
    make_folder,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.workflow_sides import destination_side, source_side
from ansible_collections.quayside.airgap.plugins.module_utils.registry.copy import CopyOptions
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import LocalSources
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Location

REPORTS = "reports"


def mirror_image_set(task: ImageSetTask) -> ImageSetResult:
    """Mirror an image set: to disk, from disk, or from registry to registry, as the options say.

    :raises InputError: for wrong options or a wrong image set, before anything is copied.
    :raises AirgapError: when the run cannot begin, or cannot write its results.
    """
    run = _Run(task, route_of(task))
    result = _WORKFLOWS[run.route.mode](run)
    if not task.dry_run and (result.changed or result.failures):
        make_folder(run.route.working_dir)
        paths = write_reports(run.route.working_dir / REPORTS, result, moment=run.began)
        result = replace(result, reports=paths)
    return result


@dataclass
class _Run:
    """What all workflows need.

    :ivar began: UTC.
    """

    task: ImageSetTask
    route: Route
    began: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    started: float = field(default_factory=time.monotonic)
    cancellation: Cancellation = field(default_factory=Cancellation)

    def __post_init__(self) -> None:
        self.progress = Progress(self.task.progress_file)
        self.options = CopyOptions(
            parallel=self.task.wire.parallel, signatures=self.task.signatures, dry_run=self.task.dry_run, retry=self.task.wire.retry
        )
        self.kept = KeptCatalogs(self.route.working_dir, read_only=self.task.dry_run, cancellation=self.cancellation)

    def image_set(self, archived: bytes | None = None) -> ImageSet:
        """The image set that is carried out.

        :param archived: the one of the archive, for a task without.
        :raises InputError: when it is wrong, or asks for what there is not yet.
        """
        given = self.task.image_set
        if given is None:
            document = parse_yaml(archived or b"")[0]
            if not isinstance(document, dict):
                raise InputError(
                    "image_set", "it is missing, and the archive has none either", "Give the one that the archive was made from."
                )
            given = document
        found = load_image_set(given, kind=MIRROR_KIND)
        wrong = unsupported(found)
        if wrong:
            raise InputError("the image set", "; ".join(wrong))
        if not found.operators and not found.additional_images:
            raise InputError("the image set", "it names nothing to mirror")
        return with_platforms(found, [Platform.parse(text) for text in self.task.platforms])

    def collect(self, image_set: ImageSet, origin: Origin, naming: Naming) -> Collected:
        """See :func:`collect.collect`."""
        options = CollectOptions(self.task.lenient, self.task.automatic_default_channel)
        return collect(image_set, origin, naming, options, progress=self.progress, cancellation=self.cancellation)

    @property
    def folder(self) -> Path:
        """Where the archive is."""
        if self.route.folder is None:
            raise AssertionError("only between registries there is no archive")
        return self.route.folder

    def naming(self) -> Naming:
        """Names in the registry that is mirrored to."""
        if self.route.destination is None:
            raise AssertionError("an archive has names of its own")
        return Naming(self.route.destination, self.task.max_nested_paths)

    def copy(self, collected: Collected, sides: Sides, workdir: Path, expect: Expect | None = None, *, really: bool = False) -> Copied:
        """See :func:`workflow_copy.copy_set`.

        :param really: even in a dry run.
        """
        options = replace(self.options, dry_run=False) if really else self.options
        return copy_set(collected, sides, options, workdir, expect=expect, progress=self.progress, cancellation=self.cancellation)

    def mirrored(self, image_set: ImageSet, collected: Collected, copied: Copied, resources: Resources) -> ImageSetResult:
        """Write what a cluster needs for what was mirrored to a registry, and tell."""
        result = self.result(image_set, collected, copied)
        changes = resources.write(copied, complete=not result.failures, dry_run=self.task.dry_run)
        changed = result.changed or bool(changes.written or changes.removed)
        return replace(result, resources=changes, mapping=self.mapping(collected, copied, []), changed=changed)

    def result(self, image_set: ImageSet, collected: Collected, copied: Copied) -> ImageSetResult:
        """What there is to tell in every workflow."""
        return ImageSetResult(
            mode=self.route.mode,
            working_dir=self.route.working_dir,
            changed=copied.pushed > 0 or any(found.outcome.state == COPIED for found in copied.images),
            images=tuple(copied.images),
            failures=(*collected.failures, *copied.failures),
            warnings=(*remarks(image_set), *collected.warnings, *copied.warnings),
            pulled=copied.pulled,
            pushed=copied.pushed,
            elapsed=time.monotonic() - self.started,
        )

    def forget_catalogs(self, collected: Collected, result: ImageSetResult) -> None:
        """Remove kept catalogs of which there is a newer one. A run that failed may have missed that."""
        if not result.failures:
            self.kept.clean((catalog_name(plan.entry), plan.digest) for plan in collected.catalogs)

    def mapping(self, collected: Collected, copied: Copied, missing: list[MirrorImage]) -> tuple[Path, ...]:
        """mapping.txt and missing.txt of a dry run; nothing of any other."""
        if not self.task.dry_run:
            return ()
        images = [role for wanted in collected.images for role in wanted.roles]
        images += [found.image for found in copied.images[len(collected.images) :]]
        destination = f"file://{self.route.folder}" if self.route.destination is None else ""
        folder = self.route.working_dir / MAPPING_FOLDER
        return tuple(write_mapping(folder, images, missing, destination=destination))


def _mirror_to_mirror(run: _Run) -> ImageSetResult:
    task, route = run.task, run.route
    image_set = run.image_set()
    naming = run.naming()
    resources = Resources(image_set, naming, route.working_dir)
    if not task.dry_run:
        make_folder(route.working_dir)
    with ExitStack() as stack:
        workdir = stack.enter_context(_workdir())
        # first of all the destination, for nothing need be read where nothing can be written
        destinations = stack.enter_context(destination_side(task, naming.destination, run.cancellation))
        sources = LocalSources(stack.enter_context(source_side(task, image_set, run.cancellation)))
        origin = FromRegistries(sources, workdir, task.wire.retry, run.cancellation, run.kept)
        with run.collect(image_set, origin, naming) as collected:
            copied = run.copy(collected, Sides(origin, sources, destinations, naming), workdir)
            pinned = PinnedFiles.of(route.working_dir, image_set, catalog_digests(image_set, collected.catalogs), run.began)
            kept = keep_catalogs(route.working_dir, copied.catalogs, dry_run=task.dry_run)
    if not task.dry_run:
        pinned.write()
    result = run.mirrored(image_set, collected, copied, resources)
    run.forget_catalogs(collected, result)
    return replace(result, changed=result.changed or kept or bool(pinned.new))


def _disk_to_mirror(run: _Run) -> ImageSetResult:
    task, route = run.task, run.route
    reader = ArchiveReader(run.folder)
    image_set = run.image_set(reader.image_set)
    naming = run.naming()
    resources = Resources(image_set, naming, route.working_dir)
    if not task.dry_run:
        make_folder(route.working_dir, "Name another folder with workspace.")
    with _workdir() as workdir, destination_side(task, naming.destination, run.cancellation) as destinations:
        loaded = LoadedArchive(reader, destinations.client(naming.destination.registry), naming)
        sources = LocalSources(OneStore(loaded))
        origin = FromArchive(reader, sources, workdir)
        with run.collect(image_set, origin, naming) as collected:
            copied = run.copy(collected, Sides(origin, sources, destinations, naming), workdir)
    return run.mirrored(image_set, collected, copied, resources)


def _mirror_to_disk(run: _Run) -> ImageSetResult:
    task = run.task
    image_set = run.image_set()
    with _workdir() as workdir, source_side(task, image_set, run.cancellation) as registries:
        sources = LocalSources(registries)
        origin = FromRegistries(sources, workdir, task.wire.retry, run.cancellation, run.kept)
        naming = Naming(Location(f"file://{run.folder}"))
        with run.collect(image_set, origin, naming) as collected:
            # what would be done is found out in another place, of which nothing stays
            place = workdir / "archive" if task.dry_run else None
            with ArchiveRun(run.folder, run.route, image_set, strict=task.strict_archive, place=place) as archive:
                sides = Sides(origin, sources, OneStore(archive.writer), naming, archive=True)
                return _archived(run, image_set, collected, sides, archive, workdir)


def _archived(run: _Run, image_set: ImageSet, collected: Collected, sides: Sides, archive: ArchiveRun, workdir: Path) -> ImageSetResult:
    copied = run.copy(collected, sides, workdir, archive.expects(collected))
    complete = not (collected.failures or copied.failures)
    pinned = PinnedFiles.of(run.route.working_dir, image_set, catalog_digests(image_set, collected.catalogs), run.began)
    content = image_set_yaml(image_set)
    made = None
    if run.task.dry_run:
        missing = [found.image for found in copied.images if not archive.is_known(found)]
        changed = copied.pushed > 0
        if not changed:
            # nothing would move, so that it costs nothing to see how the links would be
            again = _subfolder(workdir, "again")
            linked = run.copy(collected, sides, again, really=True)
            changed = archive.writer.has_news([*archive.files(linked, again), *pinned.files], content, complete=complete)
    else:
        missing = []
        made = archive.writer.finish([*archive.files(copied, workdir), *pinned.files], content, complete=complete)
        changed = made.changed
        if changed:
            make_folder(run.route.working_dir)
            pinned.write()
    copied.images = archive.told_apart(copied.images)
    result = run.result(image_set, collected, copied)
    run.forget_catalogs(collected, result)
    warnings = (*result.warnings, *(made.warnings if made is not None else ()))
    return replace(result, changed=changed, archive=made, warnings=warnings, mapping=run.mapping(collected, copied, missing))


def _subfolder(folder: Path, name: str) -> Path:
    make_folder(folder / name)
    return folder / name


@contextmanager
def _workdir() -> Iterator[Path]:
    """A folder for catalogs as long as the run lasts, where TMPDIR says."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="image-set-")
    except OSError as error:
        raise FileError("make a folder in", tempfile.gettempdir(), error.strerror or str(error)) from error
    with folder as name:
        yield Path(name)


_WORKFLOWS = {
    Mode.MIRROR_TO_MIRROR: _mirror_to_mirror,
    Mode.DISK_TO_MIRROR: _disk_to_mirror,
    Mode.MIRROR_TO_DISK: _mirror_to_disk,
}
