# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run leaves on disk beside the images: catalogs and configurations in the working-dir, cluster resources, mapping files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import read_bytes, write_atomically
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_files import WorkingFile
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_layout import rfc3339
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.cluster_resources import (
    FOLDER,
    Mirrored,
    MirroredCatalog,
    cluster_resources,
    compare_files,
    load_template,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.collect_catalogs import DIGEST, FILTERED, CatalogPlan
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config import image_set_yaml, pinned, to_delete
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import ImageSet
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.kept_catalogs import CONFIG
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import Naming
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import ResourceChanges
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.workflow_copy import Copied, CopiedCatalog
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_writing import write_catalog

_LIMIT = 4 << 20


class Resources:
    """The cluster resources of a run.

    :param image_set: as it was given.
    :raises InputError: when a template is no CatalogSource, or a catalog's name cannot be made into one for an object.
    :raises FileError: when a template cannot be read.
    """

    def __init__(self, image_set: ImageSet, naming: Naming, working_dir: Path) -> None:
        self._naming = naming
        self._folder = working_dir / FOLDER
        self._templates: dict[int, Mapping[str, Any]] = {
            position: load_template(entry.template) for position, entry in enumerate(image_set.operators) if entry.template
        }
        # before anything is copied: whether all of them can be named
        cluster_resources(
            Mirrored((), [MirroredCatalog(naming.catalog(entry).destination, entry.catalog_source_name) for entry in image_set.operators]),
            naming,
        )

    def write(self, copied: Copied, *, complete: bool, dry_run: bool) -> ResourceChanges:
        """Write what a cluster needs for all that is at the destination.

        :param complete: whether everything is there. What a complete run left stays where one was not.
        :raises FileError: when that fails.
        """
        catalogs = [self._catalog(found) for found in copied.catalogs]
        told = Mirrored(copied.mirrored, catalogs, repository_scope=self._naming.max_nested_paths > 0)
        changes = compare_files(self._folder, cluster_resources(told, self._naming))
        if not complete:
            changes = replace(changes, remove=())
        if not dry_run:
            changes.apply()
        written = [entry.name for entry in changes.write]
        return ResourceChanges(
            self._paths(sorted([*changes.same, *written])),
            self._paths(written),
            self._paths(changes.remove),
        )

    def _catalog(self, found: CopiedCatalog) -> MirroredCatalog:
        plan = found.plan
        return MirroredCatalog(found.image.destination, plan.entry.catalog_source_name, self._templates.get(plan.position))

    def _paths(self, names: Iterable[str]) -> tuple[Path, ...]:
        return tuple(self._folder / name for name in names)


# --- catalogs


def catalog_files(catalog: CopiedCatalog, workdir: Path) -> Iterator[WorkingFile]:
    """The files of a catalog in the working-dir, by which archives are read, here and by oc-mirror.

    :param workdir: a folder of its own for files that have to be written.
    :raises FileError: when one cannot be written, or the catalog cannot be read any more.
    """
    plan, built = catalog.plan, catalog.built
    if built is not None:
        below = f"{plan.folder}/{FILTERED}/{plan.filter_id}"
        yield from _tree(built.config, f"{below}/{CONFIG}")
        yield WorkingFile(f"{below}/{DIGEST}", built.digest.partition(":")[2].encode())
    elif plan.source is not None:
        config = workdir / f"whole-{plan.position}"
        write_catalog(plan.catalog, plan.selection, config)
        yield from _tree(config, f"{plan.folder}/{CONFIG}/{plan.source.folder.strip('/')}")


def keep_catalogs(working_dir: Path, catalogs: Iterable[CopiedCatalog], *, dry_run: bool) -> bool:
    """Have the catalogs that were built in the working-dir, as files to look at; those that are there already stay.

    :returns: whether there was anything to write.
    :raises FileError: when that fails.
    """
    written = False
    for catalog in catalogs:
        built = catalog.built
        if built is None:
            continue
        folder = working_dir / catalog.plan.folder / FILTERED / catalog.plan.filter_id
        mark, content = folder / DIGEST, built.digest.partition(":")[2].encode()
        if mark.is_file() and read_bytes(mark, limit=_LIMIT) == content:
            continue
        written = True
        if dry_run:
            continue
        try:
            # the digest comes last, for it says that the files are there
            folder.mkdir(parents=True, exist_ok=True)
            if mark.exists():
                mark.unlink()
            if (folder / CONFIG).exists():
                shutil.rmtree(folder / CONFIG)
            shutil.copytree(built.config, folder / CONFIG)
        except OSError as error:
            raise FileError("write", str(folder), error.strerror or str(error)) from error
        write_atomically(mark, content)
    return written


def _tree(folder: Path, name: str) -> Iterator[WorkingFile]:
    def refuse(error: OSError) -> None:
        raise FileError("read", str(error.filename), error.strerror or str(error)) from error

    for place, _folders, files in os.walk(folder, onerror=refuse):
        for entry in files:
            path = Path(place, entry)
            yield WorkingFile(f"{name}/{path.relative_to(folder).as_posix()}", path)


# --- configurations


@dataclass(frozen=True)
class PinnedFiles:
    """The image set of a run with catalogs by digest, and the configuration that deletes it, where oc-mirror writes them.

    :ivar files: both; ``new``: those that say something else than the newest one of an earlier run.
    """

    folder: Path
    files: tuple[WorkingFile, ...]
    new: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path, image_set: ImageSet, digests: Mapping[str, str], moment: datetime) -> PinnedFiles:
        """What there is to write: nothing where a catalog could not be read, for then it cannot be pinned.

        :param digests: of catalogs, by the text of ``catalog``.
        :raises FileError: when those of earlier runs cannot be read.
        """
        if any(entry.catalog not in digests for entry in image_set.operators):
            return cls(folder, (), ())
        fixed = pinned(image_set, digests)
        files, new = [], []
        for prefix, document in (("isc", fixed), ("disc", to_delete(fixed))):
            content = image_set_yaml(document)
            earlier = sorted(folder.glob(f"{prefix}_pinned_*.yaml")) if folder.is_dir() else []
            if earlier and read_bytes(earlier[-1], limit=_LIMIT) == content:
                files.append(WorkingFile(earlier[-1].name, content))
            else:
                name = f"{prefix}_pinned_{rfc3339(moment)}.yaml"
                files.append(WorkingFile(name, content))
                new.append(name)
        return cls(folder, tuple(files), tuple(new))

    def write(self) -> None:
        """Write those that are new.

        :raises FileError: when that fails.
        """
        for item in self.files:
            if item.name in self.new and isinstance(item.source, bytes):
                write_atomically(self.folder / item.name, item.source)


def catalog_digests(image_set: ImageSet, plans: Iterable[CatalogPlan]) -> dict[str, str]:
    """Digests of the catalogs of a run, by what the image set calls them."""
    return {image_set.operators[plan.position].catalog: plan.digest for plan in plans}


def make_folder(folder: Path, hint: str = "") -> None:
    """Have a folder that can be written to.

    :param hint: what to do about it, for the message.
    :raises FileError: when there can be none.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError("make the folder", str(folder), error.strerror or str(error), hint) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError("write to", str(folder), "it cannot be written", hint)
