# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image set archive as a store that the copy engine writes to: oc-mirror's layout, with a list of contents of our own.

Blobs go from the network straight to their place in the archive, many at a time. Manifests, links and other files follow in the end,
and then the new archive takes the place of the old one. A run that is killed leaves its blobs behind for the next one.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from pathlib import Path
from types import TracebackType

from ansible_collections.quayside.airgap.plugins.module_utils.core.archives import BLOCK, padded
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import PathLike
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import Body
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_chunks import (
    GIB,
    LABEL_SIZE,
    Chunks,
    Region,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_content import FileContent
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_contents import (
    Contents,
    Label,
    RepositoryLinks,
    StoredFile,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_files import (
    OpenedFile,
    WorkingFile,
    checked,
    meaningful_digests,
    passing,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_journal import (
    Decision,
    Journal,
    JournalledBlob,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_layout import (
    CONTENTS,
    IMAGE_SET,
    WORKING_DIR,
    blob_path,
    rfc3339,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.history import Archived, History, Ledger
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import NotFoundError, RegistryError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Descriptor, Manifest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Content, Store, Upload

DEFAULT_SIZE = 500
# What a run that is killed may lose
_SYNC_BYTES = 64 << 20
# Manifests and links of an image, for the estimate: generous for an index of five platforms
_PER_IMAGE = 64 << 10
_FIXED = 4 << 20


@dataclass(frozen=True)
class ArchiveResult:
    """What came of an archive.

    :ivar changed: whether there is a new one; everything else says nothing when there is not.
    :ivar sequence: its number; ``id``: what tells it apart.
    :ivar paths: its files. ``size``: their bytes.
    :ivar blobs: how many new blobs and manifests are in it; ``blob_bytes``: of these.
    :ivar expected: how many blobs its images need from earlier archives.
    :ivar warnings: sentences that the user should read.
    """

    changed: bool
    sequence: int = 0
    id: str = ""
    paths: tuple[Path, ...] = ()
    size: int = 0
    blobs: int = 0
    blob_bytes: int = 0
    expected: int = 0
    warnings: tuple[str, ...] = field(default=())


def archive_limit(archive_size: int) -> int:
    """Bytes that a file of an archive may have.

    :param archive_size: in GiB, as in an ImageSetConfiguration; 0 for the default of 500.
    """
    return (archive_size or DEFAULT_SIZE) * GIB


def estimate(sizes: Iterable[int], images: int) -> int:
    """Bytes that an archive will have, at the most.

    :param sizes: of the blobs that will go into it.
    :param images: how many images its links and manifests are for.
    """
    return sum(BLOCK + padded(size) for size in sizes) + images * _PER_IMAGE + _FIXED


def check_space(folder: PathLike, needed: int) -> None:
    """Refuse to begin what cannot end.

    :param needed: bytes, as :func:`estimate` gives them.
    :raises FileError: when the disk of a folder has not so much space; the message has both figures.
    """
    try:
        found = os.statvfs(folder)
    except OSError as error:
        raise FileError("look at the space in", str(folder), error.strerror or str(error)) from error
    free = found.f_bavail * found.f_frsize
    if free < needed:
        raise FileError(
            "write the archive to",
            str(folder),
            f"it will have about {needed / GIB:.2f} GiB, and {free / GIB:.2f} GiB are free",
            "An archive that is there already stays until the new one is complete. Free some space, or mirror to another disk.",
        )


class ArchiveWriter(Store):
    """The archive of one run, in one folder. Use it as a context manager: what was not finished can be gone on with later.

    :param folder: where the archive's files go; made when it is not there.
    :param history: of the working directory.
    :param since: build upon the newest history from before this day, instead of the newest.
    :param limit: bytes that a file of the archive may have, see :func:`archive_limit`.
    :param strict: refuse blobs that do not fit into a file, instead of giving them a file of their own.
    :param sync_seconds: what came in so many seconds, or 64 MiB, may be lost when the run is killed.
    :ivar resumed: blobs that an earlier run, which was broken off, left here, and their size in bytes.
    :raises FileError: when the folder or the history cannot be used, or another run writes there.
    """

    local = True
    referrers_api = True
    mounts = True
    sparse_indexes = True

    def __init__(
        self,
        folder: PathLike,
        history: History,
        *,
        since: date | None = None,
        limit: int = DEFAULT_SIZE * GIB,
        strict: bool = False,
        sync_seconds: float = 2.0,
    ) -> None:
        self._folder = Path(folder)
        self.registry = f"file://{self._folder}"
        self._history = history
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        self._announced: set[str] = set()
        self._repositories: dict[str, RepositoryLinks] = {}
        self._manifests: dict[str, Manifest] = {}
        self._blobs: dict[str, Region] = {}
        self._pending: list[JournalledBlob] = []
        self._unsynced = 0
        self._sync_seconds = sync_seconds
        self._synced = time.monotonic()
        self._journal = self._begin()
        try:
            # after that, for what a killed run had decided changes them
            self._base = history.base(since)
            self._ledger = history.ledger()
            self._homes = _homes(self._ledger)
            self._chunks = Chunks(self._folder, limit, strict=strict, time=self._journal.time)
            self._adopt()
        except FileError:
            self._journal.close()
            raise
        self.resumed = (len(self._blobs), sum(region.size for region in self._blobs.values()))

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # what ended the run is told, not what came of it
        with suppress(FileError) if error is not None else nullcontext():
            self.close()

    def close(self) -> None:
        """Leave the folder to others. What is not finished stays for the next run to go on with.

        :raises FileError: when what is there could not be noted.
        """
        try:
            self._chunks.shrink()
            self._sync()
        finally:
            self._journal.close()

    # -- before the first blob -------------------------------------------------------------------------------------------

    def expect(self, sizes: Mapping[str, int], images: int = 0, *, folder: PathLike | None = None) -> None:
        """Find out whether some blobs will go into the archive, before the first of them does.

        :param sizes: digest -> bytes; those that need not be sent may be among them, and other things by any other name.
        :param images: how many images there will be.
        :param folder: one on the disk that counts, where it is not the archive's own.
        :raises FileError: when one is too large for the limit, where that is strict, or the disk too small for all.
        """
        missing = {digest: size for digest, size in sizes.items() if self.head_blob("", digest) is None}
        largest = max((name for name in missing if name.startswith(("sha256:", "sha512:"))), key=lambda digest: missing[digest], default="")
        if largest:
            self._chunks.check(missing[largest], f"the blob {largest}", blob_path(largest))
        check_space(folder or self._folder, estimate(missing.values(), images))

    # -- what the engine asks --------------------------------------------------------------------------------------------

    def announce(self, repositories: Iterable[str], actions: str = "pull") -> None:
        """Say which repositories this archive will have."""
        with self._lock:
            self._announced.update(repositories)

    def head_manifest(self, repository: str, identifier: str) -> str | None:
        """What this run has put there; nothing at its beginning, so that everything gets its links."""
        with self._lock:
            return self._find(repository, identifier)

    def get_manifest(self, repository: str, identifier: str) -> Manifest:
        with self._lock:
            digest = self._find(repository, identifier)
            if digest is not None:
                return self._manifests[digest]
        raise self._unknown("manifest", "MANIFEST_UNKNOWN", repository, identifier)

    def head_blob(self, repository: str, digest: str) -> int | None:
        """The size of a blob in this archive, -1 for one that an earlier archive brings."""
        with self._lock:
            region = self._blobs.get(digest)
            return region.size if region is not None else -1 if self._is_delivered(digest) else None

    def open_blob(self, repository: str, digest: str, offset: int = 0) -> tuple[Content, int]:
        with self._lock:
            region = self._blobs.get(digest)
        if region is None:
            raise self._unknown("blob", "BLOB_UNKNOWN", repository, digest)
        return FileContent(self._chunks.path(region.chunk), region.data + offset, region.size - offset), offset

    def tags(self, repository: str) -> Iterator[list[str]]:
        with self._lock:
            links = self._repositories.get(repository)
            found = sorted(links.tags) if links is not None else None
        if found is None:
            raise self._unknown("repository", "NAME_UNKNOWN", repository, "")
        yield found

    def referrers(self, repository: str, digest: str) -> list[Descriptor] | None:
        with self._lock:
            links = self._repositories.get(repository)
            found = [self._manifests[revision] for revision in sorted(links.revisions)] if links is not None else []
        return [Descriptor(manifest.media_type, manifest.digest, manifest.size) for manifest in found if manifest.subject == digest]

    def put_manifest(self, repository: str, identifier: str, manifest: Manifest) -> str | None:
        """Note a manifest and its links; they are written in the end.

        :raises RegistryError: when a blob of it is not there.
        """
        blobs = [blob.digest for blob in manifest.blobs if not blob.foreign]
        with self._lock:
            missing = [digest for digest in blobs if digest not in self._blobs and not self._is_delivered(digest)]
            if not missing:
                links = self._repositories.setdefault(repository, RepositoryLinks())
                links.revisions.add(manifest.digest)
                links.layers.update(blobs)
                if ":" not in identifier:
                    links.tags[identifier] = manifest.digest
                self._manifests[manifest.digest] = manifest
        if missing:
            error = RegistryError(
                "write the manifest of",
                self._where(repository, identifier),
                f"its blob {missing[0]} is neither in the archive nor in an earlier one",
                status=400,
                code="MANIFEST_BLOB_UNKNOWN",
            )
            error.digests = tuple(missing)
            raise error
        return manifest.subject

    def mount_blob(self, repository: str, digest: str, origin_repository: str) -> Upload | None:
        """Nothing to do: a blob is in the archive once, and its links come with the manifests."""
        return None

    def begin_upload(self, repository: str, digest: str) -> Upload:
        return Upload(digest)

    def upload_bytes(self, repository: str, digest: str, content: bytes) -> None:
        self._store(repository, digest, len(content), [content])

    def finish_upload(self, repository: str, upload: Upload, digest: str, body: Body | None = None, *, retry: bool = False) -> None:
        if isinstance(body, bytes):
            self._store(repository, digest, len(body), [body])
        elif body is not None:
            pieces = body()
            self._store(repository, digest, _length(pieces), pieces)
        else:
            raise AssertionError("blobs come in one piece, for the archive names no largest one")

    def send_chunk(self, repository: str, upload: Upload, digest: str, body: Body, offset: int, length: int) -> Upload:
        raise AssertionError("blobs come in one piece, for the archive names no largest one")

    def uploaded(self, repository: str, upload: Upload) -> tuple[int, Upload] | None:
        """Nothing: a blob that was broken off begins again."""
        return None

    def cancel_upload(self, repository: str, upload: Upload) -> None:
        """Nothing to do: the space of an upload that failed is free again."""

    # -- the end ---------------------------------------------------------------------------------------------------------

    def finish(self, files: Iterable[WorkingFile] = (), image_set: bytes | None = None, *, complete: bool = True) -> ArchiveResult:
        """Complete the archive and put it in the place of the old one; nothing is written when nothing has changed since that.

        :param files: of the working directory.
        :param image_set: the ImageSetConfiguration that was carried out.
        :param complete: whether all images succeeded. Where some did not, an archive that has nothing new is not worth the old one.
        :raises InputError: when the name of a file leads out of the working directory, or is given twice.
        :raises FileError: when a file cannot be read, or something not written: the old archive is in its place then, and a
            run after this one goes on.
        """
        ordered = checked(files)
        self._sync()
        self._chunks.check_disk()
        needed, new = self._needed(), self._new()
        if not self.has_news(ordered, image_set, complete=complete):
            self._give_up()
            return ArchiveResult(False)
        now = datetime.now(timezone.utc)
        archive = Archived(self._ledger.next_sequence, self._journal.id, rfc3339(now))
        self._drop([digest for digest in self._blobs if digest not in new])
        self._close_up()
        places = self._write_manifests()
        stored = self._write_files(archive, ordered, image_set)
        self._end(archive, places, stored, {digest: self._ledger.blobs.get(digest, 0) for digest in needed if digest not in places})
        fingerprint = self._fingerprint(
            {item.name: stored[WORKING_DIR + item.name].digest for item in ordered if not item.volatile}, image_set
        )
        decision = Decision(
            archive_id=archive.id,
            chunks=len(self._chunks.numbers),
            history=self._history.new_name(now),
            digests=self._base.digests | new,
            ledger=self._ledger.extended(archive, new, fingerprint, {name: links.layers for name, links in self._repositories.items()}),
        )
        decision.write(self._folder)
        paths = decision.carry_out(self._folder, self._history)
        self._journal.close()
        return ArchiveResult(
            changed=True,
            sequence=archive.sequence,
            id=archive.id,
            paths=tuple(paths),
            size=sum(path.stat().st_size for path in paths),
            blobs=len(new),
            blob_bytes=sum(places[digest][1] for digest in new),
            expected=len(needed - set(places)),
            warnings=tuple(dict.fromkeys(self._chunks.warnings)),
        )

    def has_news(self, files: Iterable[WorkingFile] = (), image_set: bytes | None = None, *, complete: bool = True) -> bool:
        """Whether :meth:`finish` would write an archive.

        :raises InputError, FileError: as it does.
        """
        if self._new():
            return True
        if not complete or not self._manifests:
            return False
        return self._ledger.fingerprint != self._fingerprint(meaningful_digests(checked(files)), image_set)

    def _needed(self) -> set[str]:
        return {digest for links in self._repositories.values() for digest in (*links.layers, *links.revisions)}

    def _new(self) -> set[str]:
        """What is needed, is here, and is in no earlier archive."""
        return {
            digest for digest in self._needed() if not self._is_delivered(digest) and (digest in self._blobs or digest in self._manifests)
        }

    def _write_manifests(self) -> dict[str, tuple[int, int]]:
        """Write manifests and links; gives where the manifests and blobs are."""
        places = {digest: (region.chunk, region.size) for digest, region in self._blobs.items()}
        # all manifests, those of earlier archives too: they are small, and without them nobody could tell what an image needs
        manifests = sorted((digest, manifest.content) for digest, manifest in self._manifests.items() if digest not in places)
        numbers = self._chunks.append((blob_path(digest), content) for digest, content in manifests)
        places.update({digest: (number, len(content)) for number, (digest, content) in zip(numbers, manifests)})
        for name in sorted(self._repositories):
            self._chunks.append((link, digest.encode()) for link, digest in self._repositories[name].files(name))
        return places

    def _write_files(self, archive: Archived, files: Iterable[WorkingFile], image_set: bytes | None) -> dict[str, StoredFile]:
        """Write the working directory and the image set; gives where they are, by name."""
        stored = {WORKING_DIR + item.name: self._store_file(WORKING_DIR + item.name, item) for item in files}
        if image_set is not None:
            name = IMAGE_SET + archive.created
            stored[name] = self._store_file(name, WorkingFile(name, image_set))
        return stored

    def _end(self, archive: Archived, places: dict[str, tuple[int, int]], files: dict[str, StoredFile], expected: dict[str, int]) -> None:
        """Write the list of contents, and what makes files of tar archives complete."""
        contents = Contents(archive, self._ledger.archives, 0, self._repositories, places, files, expected)
        # where it goes decides how many chunks there are, and that is in it: room for the digits is left
        length = len(contents.to_bytes()) + 8
        region = self._chunks.reserve(CONTENTS, length)
        contents = Contents(archive, self._ledger.archives, len(self._chunks.numbers), self._repositories, places, files, expected)
        self._chunks.write(region, [contents.to_bytes().ljust(length)])
        self._chunks.finish(lambda chunk: Label(archive, chunk).to_bytes(LABEL_SIZE))

    def _store_file(self, name: str, item: WorkingFile) -> StoredFile:
        checksum = hashlib.sha256()
        with OpenedFile(item) as (size, pieces):
            region = self._chunks.reserve(name, size, mode=item.mode)
            try:
                self._chunks.write(region, passing(pieces, checksum.update))
            except BaseException:
                self._chunks.release(region)
                raise
        return StoredFile(region.chunk, size, f"sha256:{checksum.hexdigest()}")

    def _fingerprint(self, files: Mapping[str, str], image_set: bytes | None) -> str:
        """What stays the same as long as an archive would tell nothing new, its blobs aside."""
        checksum = hashlib.sha256()
        for name in sorted(self._repositories):
            for link, digest in self._repositories[name].files(name):
                checksum.update(f"{link} {digest}\n".encode())
        for name, digest in sorted(files.items()):
            checksum.update(f"{WORKING_DIR}{name} {digest}\n".encode("utf-8", "surrogateescape"))
        if image_set is not None:
            checksum.update(f"{IMAGE_SET} {hashlib.sha256(image_set).hexdigest()}\n".encode())
        return f"sha256:{checksum.hexdigest()}"

    def _give_up(self) -> None:
        """There will be no archive."""
        if self._manifests:
            self._blobs.clear()
            self._chunks.discard()
            self._journal.remove()
        else:
            # nothing succeeded: what is there already may be of use to the next run
            self.close()

    # -- blobs -----------------------------------------------------------------------------------------------------------

    def _is_delivered(self, digest: str) -> bool:
        """Whether earlier archives have something, and brought it into a repository that is still mirrored.

        The registry at the other end has nothing but what images brought; from a repository that is no longer mirrored nobody would
        look for it there.
        """
        if digest not in self._base.digests:
            return False
        homes = self._homes.get(digest)
        return homes is None or not self._announced or not self._announced.isdisjoint(homes)

    def _store(self, repository: str, digest: str, size: int, pieces: Iterable[bytes]) -> None:
        with self._lock:
            if digest in self._blobs:
                return
        region = self._chunks.reserve(blob_path(digest), size, label=f"the blob {digest} of {repository}")
        try:
            self._chunks.write(region, pieces)
        except BaseException:
            # whatever it was, an error of the source or the end of the run: there is no such member
            self._chunks.release(region)
            raise
        with self._lock:
            kept = self._blobs.setdefault(digest, region)
            if kept is region:
                self._pending.append(JournalledBlob(digest, region.chunk, region.offset, region.size))
                self._unsynced += region.length
        if kept is not region:
            self._chunks.release(region)
        # one waits for the disk, the others go on; what they bring meanwhile is its business too
        while self._is_due() and self._syncing.acquire(blocking=False):
            try:
                self._note()
            finally:
                self._syncing.release()

    def _is_due(self) -> bool:
        with self._lock:
            late = time.monotonic() - self._synced >= self._sync_seconds
            return bool(self._pending) and (late or self._unsynced >= _SYNC_BYTES)

    def _sync(self) -> None:
        with self._syncing:
            self._note()

    def _note(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, []
            self._unsynced = 0
            self._synced = time.monotonic()
        if pending:
            self._chunks.sync(blob.chunk for blob in pending)
            self._journal.append(pending)

    def _drop(self, digests: list[str]) -> None:
        """Use the space of some blobs for something else: no image that succeeded needs them."""
        self._journal.drop(digests)
        for digest in digests:
            self._chunks.release(self._blobs.pop(digest))

    def _close_up(self) -> None:
        """Leave no space between the blobs, as far as they can be moved into it."""
        copies = self._chunks.fill_holes(self._blobs)
        # only what is noted may be overwritten
        self._journal.append(JournalledBlob(digest, copy.chunk, copy.offset, copy.size) for digest, copy in copies.items())
        for digest, copy in copies.items():
            self._chunks.release(self._blobs[digest])
            self._blobs[digest] = copy
        self._chunks.trim()

    def _begin(self) -> Journal:
        try:
            os.makedirs(self._folder, exist_ok=True)
        except OSError as error:
            raise FileError("create", str(self._folder), error.strerror or str(error)) from error
        journal = self._open_journal()
        try:
            decision = Decision.find(self._folder)
            if decision is None:
                return journal
            decision.carry_out(self._folder, self._history)
        except FileError:
            journal.close()
            raise
        journal.close()
        return self._open_journal()

    def _open_journal(self) -> Journal:
        return Journal(self._folder, uuid.uuid4().hex, int(time.time()))

    def _adopt(self) -> None:
        found = {}
        for digest, blob in self._journal.blobs.items():
            header = self._chunks.header(blob_path(digest), blob.size)
            found[Region(blob.chunk, blob.offset, len(header) + padded(blob.size), header, blob.size)] = digest
        self._blobs = {found[region]: region for region in self._chunks.adopt(found)}
        self._journal.drop([digest for digest in self._journal.blobs if digest not in self._blobs])

    # -- words -----------------------------------------------------------------------------------------------------------

    def _find(self, repository: str, identifier: str) -> str | None:
        links = self._repositories.get(repository)
        if links is None:
            return None
        if ":" in identifier:
            return identifier if identifier in links.revisions else None
        return links.tags.get(identifier)

    def _where(self, repository: str, identifier: str) -> str:
        return f"{self.registry}/{repository}{'@' if ':' in identifier else ':'}{identifier}"

    def _unknown(self, what: str, code: str, repository: str, identifier: str) -> NotFoundError:
        where = self._where(repository, identifier) if identifier else f"{self.registry}/{repository}"
        return NotFoundError(f"read the {what}", where, f"this run has put no such {what} into the archive", status=404, code=code)


def _homes(ledger: Ledger) -> dict[str, set[str]]:
    """The repositories that earlier archives brought a blob into, by digest; nothing is known of blobs in oc-mirror's."""
    homes: dict[str, set[str]] = {}
    for name, digests in ledger.repositories.items():
        for digest in digests:
            homes.setdefault(digest, set()).add(name)
    return homes


def _length(pieces: Iterable[bytes]) -> int:
    """Bytes that will come; the engine says so beforehand, as HTTP has to."""
    if not isinstance(pieces, Sized):
        raise AssertionError("the content of a blob has a length")
    return len(pieces)
