# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A dump as an image or artifact: made without a container engine, pushed to registries, written to a file.

The same dump gives the same digest. It is pushed only where a tag holds something else. Source: Catalog dump format; consumers copy
/usr/oct/cmd/tnf/fetch or /data out of the image, and never write to it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import Verdict
from ansible_collections.quayside.airgap.plugins.module_utils.certification.dump_files import (
    DATA,
    FILE_MODE,
    FOLDER_MODE,
    FOLDERS,
    IMAGE_FOLDERS,
    copy_dump,
    find_data,
    verified,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.transfer import ARTIFACT_TYPE
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, CancelledError, FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.progress import Progress
from ansible_collections.quayside.airgap.plugins.module_utils.registry.built_image import EPOCH, BuiltImage, same_content
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import Access
from ansible_collections.quayside.airgap.plugins.module_utils.registry.copy import CopyEngine, CopyOptions
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_packing import LayerFile, LayerLink, NewLayer
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layout_writing import write_archive
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.new_image import NewArtifact, NewImage, new_artifact, new_image
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import LocalSources
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED, CopyRequest, Outcome
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference, has_registry, parse_reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries import Registries
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions, make_side

IMAGE, ARTIFACT = "image", "artifact"
FORMS = (IMAGE, ARTIFACT)
PLATFORMS = ("linux/amd64", "linux/arm64", "linux/ppc64le", "linux/s390x")
PUSHED, UNCHANGED, FAILED, WRITTEN = "pushed", "unchanged", "failed", "written"
# What tells of the content, beside the labels that every image may have
LABELS = "quayside.airgap.catalog."
_LATEST = "latest"
# Some engines make no container of an image without a command. Whoever runs this one reads why that cannot be
_CMD = ("this image holds files, copy them out of it",)
_COMMENT = "quayside.airgap: the catalog of certified artifacts"
# Faults of the dump that are told one by one
_TOLD = 5
_TITLE = "Offline catalog of certified artifacts"


@dataclass(frozen=True)
class PackTask:
    """What to package, and where to.

    :ivar path: the folder of the dump.
    :ivar destinations: tags in registries, as ``registry/repository:tag``.
    :ivar archive: file to write as an oci-archive; None for none.
    :ivar form: ``image`` or ``artifact``.
    :ivar platforms: that the image is for; None for the usual ones.
    :ivar labels: of the image, or annotations of the artifact, beside those that tell of the content.
    :ivar dry_run: store nothing.
    """

    path: str
    destinations: Sequence[str] = ()
    archive: str | None = None
    form: str = IMAGE
    platforms: Sequence[str] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    destination: SideOptions = field(default_factory=SideOptions)
    wire: WireOptions = field(default_factory=WireOptions)
    dry_run: bool = False


@dataclass(frozen=True)
class Place:
    """What became of one tag.

    :ivar digest: that the tag has now, or would have; ``previous``: that it had before, empty where there was none.
    :ivar state: ``pushed``, ``unchanged`` or ``failed``, then with a ``reason``.
    :ivar pushed: bytes that were sent.
    """

    destination: Reference
    state: str
    digest: str = ""
    previous: str = ""
    reason: str = ""
    pushed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As a module returns it."""
        return {
            "destination": str(self.destination),
            "digest": self.digest,
            "previous": self.previous,
            "state": self.state,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Archive:
    """What became of the file.

    :ivar size: bytes of it.
    """

    path: str
    state: str
    digest: str = ""
    previous: str = ""
    size: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As a module returns it."""
        return {"path": self.path, "state": self.state, "bytes": self.size}


@dataclass(frozen=True)
class PackResult:
    """What came of it.

    :ivar digest: of the image or artifact; empty in a dry run before there is a dump.
    :ivar size: bytes of its layers and configurations.
    :ivar dump: what the dump holds.
    :ivar warnings: what is wrong with it that does not forbid its use.
    """

    digest: str
    size: int
    dump: Mapping[str, Any]
    places: Sequence[Place]
    archive: Archive | None
    warnings: Sequence[str] = ()

    @property
    def changed(self) -> bool:
        return any(place.state == PUSHED for place in self.places) or (self.archive is not None and self.archive.state == WRITTEN)

    @property
    def failures(self) -> list[str]:
        """Why a tag could not be pushed, as sentences."""
        return [place.reason for place in self.places if place.state == FAILED]

    def message(self) -> str:
        """One paragraph for the failed run."""
        failures = list(dict.fromkeys(self.failures))
        return failures[0] if len(self.places) == 1 else f"{len(self.failures)} of {len(self.places)} tags failed: {' | '.join(failures)}"

    def as_results(self) -> dict[str, Any]:
        """The results of a task."""
        before, after = {}, {}
        moved: list[tuple[str, str, str]] = [
            (str(place.destination), place.previous, place.digest) for place in self.places if place.state == PUSHED
        ]
        if self.archive is not None and self.archive.state == WRITTEN:
            moved.append((self.archive.path, self.archive.previous, self.archive.digest))
        for name, previous, digest in moved:
            before[name], after[name] = previous, digest
        return {
            "changed": self.changed,
            "digest": self.digest,
            "size": self.size,
            "pushed": sum(place.pushed for place in self.places),
            "dump": dict(self.dump),
            "destinations": [place.as_dict() for place in self.places],
            "archive": self.archive.as_dict() if self.archive is not None else {},
            "diff": {"before": before, "after": after},
        }


def package(task: PackTask, workdir: Path) -> PackResult:
    """Package a dump, and bring it wherever it is not yet. That a tag cannot be pushed is in the result.

    :param workdir: an empty folder with room for the dump; it is the caller's to remove.
    :raises InputError: for wrong options, before anything is done.
    :raises FileError: when there is no dump, it does not verify, or the archive cannot be written.
    """
    destinations = [_destination(text) for text in task.destinations if text]
    platforms = _platforms(task)
    clash = sorted(name for name in task.labels if name.startswith(LABELS))
    if clash:
        raise InputError(f"the label {clash[0]}", f"labels that begin with {LABELS} tell of the content")
    if not destinations and not task.archive:
        raise InputError("the options", "neither destination nor archive says where to bring the dump")
    archive = _archive_path(task.archive) if task.archive else None
    if task.dry_run and _is_bare(Path(task.path)):
        # a first run: the dump is made by the step before, which made none either
        return _foretold(destinations, task.archive)
    folder = workdir / "dump"
    verdict = _own_copy(Path(task.path), folder)
    image = _image(verdict, folder / DATA, platforms, task, workdir)
    written = None
    if archive is not None:
        tag = next((found.tag for found in destinations if found.tag), _LATEST)
        found = write_archive(image, image.reference, archive, tag=tag, dry_run=task.dry_run)
        written = Archive(str(archive), WRITTEN if found.changed else UNCHANGED, found.digest, found.previous, found.size)
    places = _push(image, destinations, task) if destinations else []
    return PackResult(
        image.digest, image.new_size, {"digests": verdict.digests, "counts": verdict.counts}, places, written, _warnings(verdict)
    )


def _foretold(destinations: Sequence[Reference], archive: str | None) -> PackResult:
    places = [Place(found, PUSHED) for found in destinations]
    return PackResult("", 0, {}, places, Archive(archive, WRITTEN) if archive else None)


def _destination(text: str) -> Reference:
    reference = parse_reference(text)
    if not has_registry(text.strip().partition("://")[2] or text.strip()):
        raise InputError(f"the destination '{text}'", "it names no registry", f"Write it as registry.example.com/{text}.")
    if reference.digest is not None:
        raise InputError(f"the destination '{text}'", "it has a digest, which is known only when the image is made", "Name a tag.")
    return reference if reference.tag else reference.at(tag=_LATEST)


def _platforms(task: PackTask) -> tuple[Platform, ...]:
    if task.form == ARTIFACT:
        if task.platforms is not None:
            raise InputError("platforms", "an artifact is for no platform", "Leave them out, or make an image.")
        return ()
    found = tuple(Platform.parse(text) for text in (PLATFORMS if task.platforms is None else task.platforms))
    if not found:
        raise InputError("platforms", "there is none")
    return tuple(dict.fromkeys(found))


def _archive_path(text: str) -> Path:
    path = Path(text)
    if path.is_dir():
        raise FileError("write the archive", text, "it is a folder", "Name a file in it.")
    if not path.absolute().parent.is_dir():
        raise FileError("write the archive", text, f"there is no folder {path.absolute().parent}")
    return path


def _is_bare(path: Path) -> bool:
    """Whether nothing is there yet, or a folder with nothing in it that anybody would see."""
    try:
        return all(name.startswith(".") for name in os.listdir(path))
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _own_copy(path: Path, folder: Path) -> Verdict:
    """A copy of the dump that nobody changes any more, verified."""
    data = find_data(path)
    if data is None:
        reason = "there is no such folder" if not path.exists() else f"neither it nor its folder {DATA} holds a dump"
        raise FileError("read the dump", str(path), reason)
    copy_dump(data, folder / DATA)
    return verified(folder, str(path))


def _warnings(verdict: Verdict) -> list[str]:
    told = [str(fault) for fault in verdict.faults]
    more = [f"There are {len(told) - _TOLD} more such faults in the dump."] if told[_TOLD:] else []
    return [*told[:_TOLD], *more]


# --- the image


def _image(verdict: Verdict, data: Path, platforms: Sequence[Platform], task: PackTask, workdir: Path) -> BuiltImage:
    created = _moment(verdict.newest)
    labels = {
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.description": f"Certified containers, operators and Helm charts, in {' and '.join(_shown(task.form))}",
        "org.opencontainers.image.title": _TITLE,
        **{f"{LABELS}digest.{kind}": digest for kind, digest in sorted(verdict.digests.items())},
        **{f"{LABELS}count.{kind}": str(count) for kind, count in sorted(verdict.counts.items())},
        **{name: str(value) for name, value in sorted(task.labels.items())},
    }
    files = sorted(path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file())
    if task.form == ARTIFACT:
        return new_artifact(NewArtifact(ARTIFACT_TYPE, {DATA: _layer(data, files, DATA)}, labels), workdir, "dump")
    layer = _layer(data, files, *IMAGE_FOLDERS[:2])
    return new_image(NewImage([layer], platforms, created, _CMD, labels, labels), workdir, "dump")


def _shown(form: str) -> list[str]:
    return [DATA] if form == ARTIFACT else [f"/{folder}" for folder in IMAGE_FOLDERS[:2]]


def _layer(data: Path, files: Sequence[str], home: str, *further: str) -> NewLayer:
    """The dump in one folder, and the same files once more in others. Everybody may read them, and nobody write."""
    folders = [path for base in (home, *further) for path in (base, *(f"{base}/{name}" for name in FOLDERS))]
    return NewLayer(
        _COMMENT,
        [LayerFile(f"{home}/{name}", data / name, FILE_MODE) for name in files],
        folders=dict.fromkeys(folders, FOLDER_MODE),
        links=[LayerLink(f"{base}/{name}", f"{home}/{name}") for base in further for name in files],
    )


def _moment(newest: str) -> str:
    """When the catalog got its newest container: the day of the run would make a new image of the same dump."""
    try:
        moment = datetime.fromisoformat(newest.replace("Z", "+00:00"))
    except ValueError:
        return EPOCH
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


# --- where it goes


def _push(image: BuiltImage, destinations: Sequence[Reference], task: PackTask) -> list[Place]:
    registries = tuple(dict.fromkeys(found.registry for found in destinations))
    access = Access.LOOK if task.dry_run else Access.WRITE
    side = make_side("destination", task.destination, task.wire, registries, named=registries, access=access)
    with closing(side):
        places = {found: _look(image, found, side) for found in destinations}
        wanted = tuple(found for found, place in places.items() if place is None)
        if wanted:
            sources = LocalSources(side)
            request = CopyRequest(sources.add(image.reference, image), wanted)
            options = CopyOptions(task.wire.parallel, signatures="skip", dry_run=task.dry_run, retry=task.wire.retry)
            report = CopyEngine(sources, side, options, Progress()).run([request])
            places.update({outcome.destination: _place(outcome) for outcome in report.outcomes})
        return [place for place in places.values() if place is not None]


def _look(image: BuiltImage, destination: Reference, side: Registries) -> Place | None:
    """What there is to say of a tag that needs no push; None where it does."""
    store = side.client(destination.registry)
    try:
        digest = store.head_manifest(destination.repository, destination.tag or "")
        if digest is not None and (digest == image.digest or same_content(image, image.reference, store, destination.at(digest=digest))):
            return Place(destination, UNCHANGED, digest, digest)
    except CancelledError:
        raise
    except AirgapError as error:
        return Place(destination, FAILED, reason=str(error))
    return None


def _place(outcome: Outcome) -> Place:
    if outcome.state in (COPIED, UNCHANGED):
        state = PUSHED if outcome.state == COPIED else UNCHANGED
        return Place(outcome.destination, state, outcome.digest, outcome.previous, pushed=outcome.size)
    return Place(outcome.destination, FAILED, previous=outcome.previous, reason=outcome.reason)
