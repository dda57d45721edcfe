# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image set on its way into an archive: whether it will fit, what it will have beside the images, and what is new of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_files import WorkingFile
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_writer import (
    ArchiveWriter,
    archive_limit,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.collect import Collected
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.collect_catalogs import CatalogPlan
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import ImageSet
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.history import History
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import MirroredImage, Route
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.workflow_copy import Copied, Expect
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.workflow_files import catalog_files
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED, UNCHANGED


class ArchiveRun:
    """The archive of one run. To be closed.

    :param folder: where the archive goes; ``route`` has the rest.
    :param place: where it is written: ``folder``, or another one of which nothing stays, to find out what would be done.
    """

    def __init__(self, folder: Path, route: Route, image_set: ImageSet, *, strict: bool, place: Path | None = None) -> None:
        self._folder = folder
        history = History(route.working_dir)
        self._known = history.base(route.since).digests
        limit = archive_limit(image_set.archive_size)
        self.writer = ArchiveWriter(place or folder, history, since=route.since, limit=limit, strict=strict)

    def __enter__(self) -> ArchiveRun:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.writer.__exit__(kind, error, trace)

    def expects(self, collected: Collected) -> Expect:
        """Looks whether everything will fit, when it is told the sizes of images."""
        catalogs = _catalog_sizes(collected.catalogs)

        def expect(sizes: Mapping[str, int]) -> None:
            images = len(collected.images) + 2 * len(collected.catalogs)
            self.writer.expect({**catalogs, **sizes}, images, folder=_existing(self._folder))

        return expect

    def files(self, copied: Copied, workdir: Path) -> list[WorkingFile]:
        """What the archive has of the working-dir, for those who read it."""
        files = {item.name: item for catalog in copied.catalogs for item in catalog_files(catalog, workdir)}
        return list(files.values())

    def is_known(self, found: MirroredImage) -> bool:
        """Whether an image is in an earlier archive."""
        return found.outcome.digest in self._known and not found.outcome.moved

    def told_apart(self, images: Sequence[MirroredImage]) -> list[MirroredImage]:
        """Images with what is new told apart from what earlier archives brought: the writer begins with nothing."""
        return [
            replace(found, outcome=replace(found.outcome, state=UNCHANGED))
            if found.outcome.state == COPIED and self.is_known(found)
            else found
            for found in images
        ]


def _catalog_sizes(plans: Sequence[CatalogPlan]) -> dict[str, int]:
    """Sizes of what catalogs will bring, by digest, and of what is not made yet by another name."""
    sizes: dict[str, int] = {}
    for plan in plans:
        if plan.source is None:
            continue
        sizes.update({blob.digest: blob.size for member in plan.source.base.members for blob in member.manifest.blobs})
        # as files in the working-dir; packed in a layer they are a fraction of that
        sizes[f"files of {plan.folder}/{plan.filter_id}"] = sum(bundle.place.size for bundle in plan.selection.bundles())
    return sizes


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.is_dir())
