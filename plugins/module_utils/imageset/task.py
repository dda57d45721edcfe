# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run over an image set is told, which of the three workflows that makes, and what came of it."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_writer import ArchiveResult
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import MirrorImage
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import (
    COPIED,
    FAILED,
    NOT_ATTEMPTED,
    UNCHANGED,
    Outcome,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Location, parse_location
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions

WORKING_DIR = "working-dir"
_FILE = "file://"
_DOCKER = "docker://"
# Failures that a message tells in full; the others are in the results
_TOLD = 10


class Mode(enum.Enum):
    """The workflows; the values are what results and reports call them."""

    MIRROR_TO_DISK = "mirror_to_disk"
    DISK_TO_MIRROR = "disk_to_mirror"
    MIRROR_TO_MIRROR = "mirror_to_mirror"


@dataclass(frozen=True)
class ImageSetTask:
    """Everything that a run over an image set is told.

    A failure never ends such a run: what can be mirrored is, and the failures are in the result. Whether they fail the task is up to
    the caller.

    :ivar image_set: path of an ImageSetConfiguration, or the document itself; from disk to a registry it may be left out, and then is
        the one that the archive was made from.
    :ivar destination: ``docker://host[/namespace]`` (or without the scheme), or ``file:///folder``.
    :ivar origin: the option ``from``: ``file:///folder`` with the files of an archive, or the path alone.
    :ivar workspace: ``file:///folder`` whose working-dir is used, or the path alone; needed from registry to registry, and from disk in
        place of the folder of the archive.
    :ivar since: ``yyyy-mm-dd``; the archive has everything since the last one from before this day.
    :ivar strict_archive: refuse blobs that are larger than archiveSize instead of giving them a file of their own.
    :ivar max_nested_paths: most components of a repository at the destination; 0 for any number.
    :ivar signatures: ``copy``, ``require`` or ``skip``.
    :ivar platforms: which images of an index, for those entries of the image set that do not say so themselves.
    :ivar lenient: names and versions that a catalog does not have are warnings, for all catalogs.
    :ivar automatic_default_channel: where the default channel is not among those taken, choose one.
    :ivar source: the registry that the credentials of ``source_side`` are for, where the image set names several.
    :ivar registries_conf: path of a registries.conf; None for the usual places, empty for none.
    :ivar dry_run: find out and decide, write mapping.txt and missing.txt, and nothing else anywhere.
    :ivar progress_file: where the state is written while the run lasts.
    """

    destination: str
    image_set: str | Mapping[str, Any] | None = None
    origin: str = ""
    workspace: str = ""
    since: str = ""
    strict_archive: bool = False
    max_nested_paths: int = 0
    signatures: str = "copy"
    platforms: tuple[str, ...] = ()
    lenient: bool = False
    automatic_default_channel: bool = False
    source: str = ""
    source_side: SideOptions = field(default_factory=SideOptions)
    destination_side: SideOptions = field(default_factory=SideOptions)
    wire: WireOptions = field(default_factory=WireOptions)
    registries_conf: str | None = None
    dry_run: bool = False
    progress_file: str | None = None


@dataclass(frozen=True)
class Route:
    """The workflow of a task, with its places.

    :ivar working_dir: where catalogs, cluster resources, history and reports are kept.
    :ivar destination: the registry that is written; None on the way to disk.
    :ivar folder: where the files of the archive are; None from registry to registry.
    """

    mode: Mode
    working_dir: Path
    destination: Location | None = None
    folder: Path | None = None
    since: date | None = None


def route_of(task: ImageSetTask) -> Route:
    """Find out which workflow the options ask for.

    :raises InputError: when they contradict each other, with the reason.
    """
    written = task.destination.strip()
    if not written:
        raise InputError("destination", "it is empty", "Write docker://registry.example.com/namespace or file:///folder.")
    route = _to_disk(task, written) if written.startswith(_FILE) else _to_registry(task, written)
    if task.image_set is None and route.mode != Mode.DISK_TO_MIRROR:
        raise InputError("image_set", "it is missing; only an archive brings its own")
    if task.max_nested_paths < 0:
        raise InputError("max_nested_paths", f"{task.max_nested_paths} is less than 0")
    return route


def _to_disk(task: ImageSetTask, written: str) -> Route:
    subject = f"the destination '{written}'"
    if task.origin:
        hint = "Write docker:// and the registry, or leave from out."
        raise InputError(subject, "together with from, the destination must be a registry", hint)
    if task.workspace:
        reason = "an image set that goes to disk has its working-dir there, and workspace has no place"
        raise InputError(subject, reason, "Leave workspace out.")
    if task.max_nested_paths:
        raise InputError("max_nested_paths", "it is about names in a registry, and has its place where the archive is loaded")
    folder = _folder(written, "destination")
    return Route(Mode.MIRROR_TO_DISK, folder / WORKING_DIR, folder=folder, since=_day(task.since) if task.since else None)


def _to_registry(task: ImageSetTask, written: str) -> Route:
    if not written.startswith(_DOCKER) and written.startswith(("/", "./", "../", "~")):
        raise InputError(f"the destination '{written}'", "it is no registry", f"For a folder write file://{os.path.abspath(written)}.")
    destination = parse_location(written, "destination")
    for name, given in (("since", task.since), ("strict_archive", task.strict_archive)):
        if given:
            raise InputError(name, "it is about archives that are written, and the destination is a registry", f"Leave {name} out.")
    if task.origin:
        folder = _folder(task.origin, "from")
        # a medium may be read-only
        return Route(Mode.DISK_TO_MIRROR, _working_dir(task.workspace) if task.workspace else folder / WORKING_DIR, destination, folder)
    if not task.workspace:
        raise InputError(
            f"the destination '{written}'",
            "it takes from or workspace beside it",
            "Name with from the folder of an archive, or with workspace one for the results of a run from registry to registry.",
        )
    return Route(Mode.MIRROR_TO_MIRROR, _working_dir(task.workspace), destination)


def _working_dir(workspace: str) -> Path:
    folder = _folder(workspace, "workspace")
    return folder if folder.name == WORKING_DIR else folder / WORKING_DIR


def _folder(written: str, option: str) -> Path:
    path = written[len(_FILE) :] if written.startswith(_FILE) else written
    if "://" in path or not path.strip():
        raise InputError(f"the {option} '{written}'", "a folder is expected", "Write file:///folder.")
    return Path(os.path.abspath(os.path.expanduser(path)))


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError as error:
        raise InputError(f"since '{text}'", "it is no day", "Write it as year-month-day: 2026-01-31.") from error


@dataclass(frozen=True)
class MirroredImage:
    """What became of one image of the set.

    :ivar image: what it is, and where it lies at the destination.
    :ivar bundles: ``package/bundle`` of those that need it, for images of operators.
    """

    image: MirrorImage
    outcome: Outcome
    bundles: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As a module returns it."""
        return {**self.outcome.as_dict(), "kind": self.image.kind.value, "source": self.image.source.url, "bundles": list(self.bundles)}


@dataclass(frozen=True)
class ResourceChanges:
    """Files of cluster resources.

    :ivar files: paths of all that are there now.
    """

    files: tuple[Path, ...] = ()
    written: tuple[Path, ...] = ()
    removed: tuple[Path, ...] = ()


@dataclass(frozen=True)
class ImageSetResult:
    """What came of a run.

    :ivar images: one for each image, in the order of mirroring.
    :ivar failures: what was asked for and could not be had, as sentences.
    :ivar warnings: what the user should look at although nothing failed.
    :ivar archive: on the way to disk what came of the archive; None elsewhere, and in a dry run.
    :ivar mapping: mapping.txt and missing.txt of a dry run.
    :ivar reports: files of the report of this run; none in a dry run, and where nothing changed and nothing failed.
    :ivar changed: whether anything was written, or would be.
    :ivar pulled: bytes read from sources; ``pushed``: bytes sent to the destination or into the archive; ``elapsed``: seconds.
    """

    mode: Mode
    working_dir: Path
    changed: bool = False
    images: Sequence[MirroredImage] = ()
    failures: Sequence[str] = ()
    warnings: Sequence[str] = ()
    archive: ArchiveResult | None = None
    resources: ResourceChanges = field(default_factory=ResourceChanges)
    mapping: tuple[Path, ...] = ()
    reports: tuple[Path, ...] = ()
    pulled: int = 0
    pushed: int = 0
    elapsed: float = 0.0

    def count(self, state: str) -> int:
        """How many images ended in a state."""
        return sum(found.outcome.state == state for found in self.images)

    def totals(self) -> dict[str, Any]:
        """Counts over all images; bytes are bytes, elapsed is seconds."""
        outcomes = [found.outcome for found in self.images]
        return {
            "images": len(outcomes),
            **{state: self.count(state) for state in (COPIED, UNCHANGED, FAILED, NOT_ATTEMPTED)},
            "bytes_pulled": self.pulled,
            "bytes_pushed": self.pushed,
            "blobs_moved": sum(outcome.moved for outcome in outcomes),
            "blobs_mounted": sum(outcome.mounted for outcome in outcomes),
            "blobs_skipped": sum(outcome.skipped for outcome in outcomes),
            "elapsed": round(self.elapsed, 3),
        }

    def as_results(self) -> dict[str, Any]:
        """The results of a task."""
        archive = self.archive
        copied = [found.outcome for found in self.images if found.outcome.state == COPIED]
        return {
            "changed": self.changed,
            "mode": self.mode.value,
            "images": [found.as_dict() for found in self.images],
            "totals": self.totals(),
            "failures": list(self.failures),
            "archive": {
                "changed": archive is not None and archive.changed,
                "sequence": archive.sequence if archive is not None else 0,
                "files": [str(path) for path in archive.paths] if archive is not None else [],
                "bytes": archive.size if archive is not None else 0,
            },
            "working_dir": str(self.working_dir),
            "cluster_resources": {
                "files": [str(path) for path in self.resources.files],
                "written": [str(path) for path in self.resources.written],
                "removed": [str(path) for path in self.resources.removed],
            },
            "mapping": [str(path) for path in self.mapping],
            "reports": [str(path) for path in self.reports],
            "diff": {
                "before": {str(outcome.destination): outcome.previous for outcome in copied},
                "after": {str(outcome.destination): outcome.digest for outcome in copied},
            },
        }

    def message(self) -> str:
        """One paragraph for the failed run: how many, why, and what became of the rest."""
        told = list(self.failures[:_TOLD])
        more = f" ({len(self.failures) - len(told)} more in the results)" if len(self.failures) > len(told) else ""
        words = f"{len(self.failures)} things could not be mirrored: " if len(self.failures) > 1 else ""
        rest = [
            f"{count} {name}"
            for count, name in (
                (self.count(COPIED), "copied"),
                (self.count(UNCHANGED), "already there"),
                (self.count(NOT_ATTEMPTED), "not attempted"),
            )
            if count
        ]
        ending = f" Of the other images: {', '.join(rest)}." if rest else ""
        return f"{words}{' | '.join(told)}{more}{ending}"
