# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the copy engine between sandbox registries and image set archives, and what tests want to know of archives."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_files import WorkingFile
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_reader import ArchiveReader
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_side import OneStore
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_writer import (
    ArchiveResult,
    ArchiveWriter,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.history import History
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import Access
from ansible_collections.quayside.airgap.plugins.module_utils.registry.copy import CopyEngine, CopyOptions, Report
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import FAILED, CopyRequest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Side
from ansible_collections.quayside.airgap.tests.sandbox.registry import SandboxRegistry
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import QUICK, make_side

IMAGE_SET = b"kind: ImageSetConfiguration\n"


@dataclass
class Disk:
    """A folder that image sets are mirrored to, as a workflow uses it."""

    folder: Path
    since: date | None = None
    strict: bool = False
    limit: int | None = None
    files: Sequence[WorkingFile] = ()
    image_set: bytes | None = IMAGE_SET
    sync_seconds: float = 2.0
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def history(self) -> History:
        return History(self.folder / "working-dir")

    def writer(self) -> ArchiveWriter:
        more = {} if self.limit is None else {"limit": self.limit}
        return ArchiveWriter(self.folder, self.history, since=self.since, strict=self.strict, sync_seconds=self.sync_seconds, **more)

    def fill(self, source: SandboxRegistry, *names: str, **options: Any) -> tuple[ArchiveResult, Report]:
        """Mirror images of a registry into an archive. Names are ``repository:tag``, or with another name as ``this=that``."""
        with self.writer() as writer:
            report = copy_to(writer, source, *names, **{**self.options, **options})
            return writer.finish(self.files, self.image_set, complete=not report.count(FAILED)), report

    def reader(self) -> ArchiveReader:
        return ArchiveReader(self.folder)

    def empty(self, target: SandboxRegistry, *names: str, **options: Any) -> Report:
        """Mirror images of the archive to a registry."""
        return copy_from(self.reader(), target, *names, **options)

    @property
    def chunks(self) -> list[str]:
        """File names of the archive."""
        return sorted(path.name for path in self.folder.glob("mirror_*.tar"))

    @property
    def members(self) -> dict[str, int]:
        """Name and size of all files in the archive, as Python's tarfile sees them."""
        found = {}
        for name in self.chunks:
            with tarfile.open(self.folder / name) as archive:
                found.update({member.name: member.size for member in archive.getmembers()})
        return found

    @property
    def blobs(self) -> set[str]:
        """Digests of the content in the archive."""
        return {f"sha256:{name.split('/')[-2]}" for name in self.members if "/blobs/" in name}

    @property
    def leftovers(self) -> list[str]:
        """What a run should not leave behind."""
        return sorted(path.name for path in self.folder.iterdir() if path.name.startswith(".") or path.suffix == ".part")

    def move(self, folder: Path) -> Disk:
        """The archive alone on the other side of the gap."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in self.chunks:
            (folder / name).write_bytes((self.folder / name).read_bytes())
        return Disk(folder)


def copy_to(writer: ArchiveWriter, source: SandboxRegistry, *names: str, **options: Any) -> Report:
    """Copy images of a registry into an archive that is being written."""
    archive = OneStore(writer)
    pairs = [(name.partition("=")[0], name.partition("=")[2] or name) for name in names]
    requests = [(f"{source.host}/{name}", archive.reference(*_split(other))) for name, other in pairs]
    sources = make_side()
    try:
        return run_engine(sources, archive, [(parse_reference(name), target) for name, target in requests], **options)
    finally:
        sources.close()


def copy_from(reader: ArchiveReader, target: SandboxRegistry, *names: str, **options: Any) -> Report:
    """Copy images of an archive to a registry."""
    archive = OneStore(reader)
    pairs = [(name.partition("=")[0], name.partition("=")[2] or name) for name in names]
    requests = [(archive.reference(*_split(name)), parse_reference(f"{target.host}/{other}")) for name, other in pairs]
    destinations = make_side(access=Access.WRITE)
    try:
        return run_engine(archive, destinations, requests, **options)
    finally:
        destinations.close()


def run_engine(sources: Side, destinations: Side, pairs: Iterable[tuple[Any, Any]], **options: Any) -> Report:
    """One run of the copy engine."""
    platforms = tuple(Platform.parse(text) for text in options.pop("platforms", ()))
    cancellation = options.pop("cancellation", None) or Cancellation()
    chosen = CopyOptions(**{"parallel": 4, "signatures": "copy", "retry": QUICK, **options})
    requests = [CopyRequest(source, (target,), platforms) for source, target in pairs]
    return CopyEngine(sources, destinations, chosen, None, cancellation).run(requests)


def _split(name: str) -> tuple[str, str | None, str | None]:
    rest, _at, digest = name.partition("@")
    repository, _colon, tag = rest.partition(":")
    return repository, tag or None, digest or None


def tar_of(members: Iterable[tuple[str, bytes]], kind: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar archive; names may come twice."""
    stream = BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=kind) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, BytesIO(content))
    return stream.getvalue()
