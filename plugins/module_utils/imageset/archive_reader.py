# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image set archive, ours or oc-mirror's, as a store that the copy engine reads from. Nothing is unpacked."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.core.archives import TarIndex
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import PathLike
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_content import FileContent
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_contents import Contents, Label
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_journal import DECISION
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_layout import (
    CHUNK_LABEL,
    CONTENTS,
    IMAGE_SET,
    LAYER,
    REVISION,
    TAG,
    UNUSED,
    WORKING_DIR,
    blob_path,
    chunk_name,
    chunk_number,
    parse_blob,
    parse_link,
    tag_link,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Descriptor, Manifest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_digest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Content, ReadOnlyStore

# As the client of registries has it
_MANIFEST_LIMIT = 16 << 20
_CONTENTS_LIMIT = 1 << 30
# Of a link: "sha512:" and 128 digits, and a line feed that somebody may have put there
_LINK_LIMIT = 256
_LABEL_LIMIT = 64 << 10
FILE_LIMIT = 64 << 20
_COPY_AGAIN = "Copy all files of the archive again from where it was made, into an empty folder."


@dataclass(frozen=True)
class _Place:
    """Where a member is. ``chunk`` is its number."""

    chunk: int
    offset: int
    size: int


@dataclass
class _Repository:
    """What the links of a repository say; which manifest a tag means stands in the link itself."""

    tags: set[str] = field(default_factory=set)
    revisions: set[str] = field(default_factory=set)
    layers: set[str] = field(default_factory=set)


class ArchiveReader(ReadOnlyStore):
    """All ``mirror_NNNNNN.tar`` of a folder.

    What is read is checked by whoever reads it: manifests against their digest here, blobs on their way by the copy engine.

    :ivar contents: what our archives say of themselves; None for one that oc-mirror made.
    :raises FileError: when there is no archive, or it is damaged, incomplete, or made of files of several archives.
    """

    local = True
    referrers_api = True

    def __init__(self, folder: PathLike) -> None:
        self._folder = Path(folder)
        self.registry = f"file://{self._folder}"
        self._lock = threading.Lock()
        self._referrers: dict[str, dict[str, list[Descriptor]]] = {}
        self._chunks = self._open()
        labels = self._labels()
        self.contents = self._read_contents(labels) if labels else None
        self._members = self._merge()
        self._blobs: dict[str, _Place] = {}
        self._repositories: dict[str, _Repository] = {}
        self._sort()
        if self.contents is not None:
            self._compare(self.contents)
        names = self.files(IMAGE_SET)
        if len(names) > 1:
            holders = " and ".join(f"{chunk_name(self._members[name].chunk)} has {name}" for name in names[:2])
            raise self._refused(f"its files belong to several archives: {holders}", _COPY_AGAIN)

    # -- what is in it ---------------------------------------------------------------------------------------------------

    @property
    def repositories(self) -> list[str]:
        """Names of all repositories that links speak of."""
        return sorted(self._repositories)

    def repositories_with(self, digest: str) -> list[str]:
        """Names of the repositories of which links say that they have a manifest or blob, be it in this archive or in an earlier one."""
        return sorted(name for name, found in self._repositories.items() if digest in found.revisions or digest in found.layers)

    @property
    def paths(self) -> list[Path]:
        """The files of the archive."""
        return [self._chunks[number].path for number in sorted(self._chunks)]

    def files(self, prefix: str = WORKING_DIR) -> list[str]:
        """Names of the members that are neither blobs nor links and begin with a prefix."""
        return sorted(name for name in self._members if name.startswith(prefix) and parse_blob(name) is None and parse_link(name) is None)

    def read_file(self, name: str, *, limit: int = FILE_LIMIT) -> bytes:
        """The content of a member, checked against the list of contents where there is one.

        :raises FileError: when it is not there, larger than the limit, or was changed.
        """
        place = self._members.get(name)
        if place is None:
            raise FileError("read", f"{name} in {self._folder}", "the archive does not have it")
        content = self._chunks[place.chunk].read_member(name, limit=limit)
        listed = self.contents.files.get(name) if self.contents is not None else None
        if listed is not None and listed.digest != f"sha256:{hashlib.sha256(content).hexdigest()}":
            raise FileError("read", f"{name} in {self._folder}", "it is not what the list of contents says", _COPY_AGAIN)
        return content

    @property
    def image_set(self) -> bytes | None:
        """The ImageSetConfiguration that the archive was made from; None where it has none."""
        names = self.files(IMAGE_SET)
        return self.read_file(names[0]) if names else None

    # -- what the engine asks --------------------------------------------------------------------------------------------

    def head_manifest(self, repository: str, identifier: str) -> str | None:
        """The digest that a tag means, or of a manifest; the manifest itself may be in an earlier archive only."""
        found = self._repositories.get(repository)
        if found is None:
            return None
        if ":" in identifier:
            return identifier if identifier in found.revisions else None
        return self._tagged(repository, identifier) if identifier in found.tags else None

    def get_manifest(self, repository: str, identifier: str) -> Manifest:
        where = self._where(repository, identifier)
        found = self._repositories.get(repository)
        if found is None:
            raise self._not_found("read the manifest of", where, f"the archive has no repository {repository}", code="NAME_UNKNOWN")
        if ":" in identifier:
            digest = identifier
        elif identifier in found.tags:
            digest = self._tagged(repository, identifier)
        else:
            raise self._not_found("read the manifest of", where, "the archive has no such tag", code="MANIFEST_UNKNOWN")
        place = self._blobs.get(digest)
        if place is None:
            named = digest in found.revisions or digest != identifier
            raise self._elsewhere("read the manifest of", where, digest, named=named, code="MANIFEST_UNKNOWN")
        content = self._chunks[place.chunk].read_member(blob_path(digest), limit=_MANIFEST_LIMIT)
        return Manifest.parse(content, "", where, digest)

    def head_blob(self, repository: str, digest: str) -> int | None:
        place = self._blobs.get(digest)
        return place.size if place is not None else None

    def open_blob(self, repository: str, digest: str, offset: int = 0) -> tuple[Content, int]:
        place = self._blobs.get(digest)
        if place is None:
            found = self._repositories.get(repository)
            named = found is not None and digest in found.layers
            raise self._elsewhere("read the blob", self._where(repository, digest), digest, named=named, code="BLOB_UNKNOWN")
        return FileContent(self._chunks[place.chunk].path, place.offset + offset, place.size - offset), offset

    def tags(self, repository: str) -> Iterator[list[str]]:
        found = self._repositories.get(repository)
        if found is None:
            where = f"{self.registry}/{repository}"
            raise self._not_found("list the tags of", where, "the archive has no such repository", code="NAME_UNKNOWN")
        yield sorted(found.tags)

    def referrers(self, repository: str, digest: str) -> list[Descriptor] | None:
        """The manifests of a repository that speak of another, as far as they are in this archive."""
        with self._lock:
            if repository not in self._referrers:
                self._referrers[repository] = self._find_referrers(repository)
            return self._referrers[repository].get(digest, [])

    def _find_referrers(self, repository: str) -> dict[str, list[Descriptor]]:
        found: dict[str, list[Descriptor]] = {}
        links = self._repositories.get(repository)
        for revision in sorted(links.revisions) if links is not None else ():
            if revision in self._blobs:
                manifest = self.get_manifest(repository, revision)
                if manifest.subject:
                    found.setdefault(manifest.subject, []).append(Descriptor(manifest.media_type, revision, manifest.size))
        return found

    def _tagged(self, repository: str, tag: str) -> str:
        name = tag_link(repository, tag)
        text = self._chunks[self._members[name].chunk].read_member(name, limit=_LINK_LIMIT).decode("ascii", "replace").strip()
        try:
            digest = parse_digest(text, name)
        except InputError as error:
            raise FileError("read", f"{name} in {self._folder}", error.reason, _COPY_AGAIN) from error
        if self.contents is not None and self.contents.repositories[repository].tags[tag] != digest:
            raise FileError("read", f"{name} in {self._folder}", "it is not what the list of contents says", _COPY_AGAIN)
        return digest

    # -- opening ---------------------------------------------------------------------------------------------------------

    def _open(self) -> dict[int, TarIndex]:
        try:
            names = sorted(os.listdir(self._folder))
        except OSError as error:
            raise self._refused(error.strerror or str(error)) from error
        if DECISION in names:
            raise self._refused(
                "a run that put a new archive there was broken off before it was done",
                "Run the mirroring to this folder again: it finishes that first.",
            )
        numbers = sorted(number for number in map(chunk_number, names) if number is not None)
        if not numbers:
            parts = [name for name in names if chunk_number(name, "part") is not None]
            raise self._refused(
                f"there is no {chunk_name(1)} in it" + (f", only {parts[0]}, which a run that was broken off left there" if parts else "")
            )
        missing = sorted(set(range(1, numbers[-1])) - set(numbers))
        if missing:
            listed = ", ".join(chunk_name(number) for number in missing[:5])
            raise self._refused(f"of the archive's files {listed}{' and others' if missing[5:] else ''} are missing", _COPY_AGAIN)
        return {number: TarIndex.read(self._folder / chunk_name(number)) for number in numbers}

    def _labels(self) -> dict[int, Label]:
        """Which archive each file belongs to; empty for an archive of oc-mirror."""
        labels = {}
        for number, index in self._chunks.items():
            if CHUNK_LABEL in index.members:
                where = f"{CHUNK_LABEL} in {index.path}"
                labels[number] = Label.parse(index.read_member(CHUNK_LABEL, limit=_LABEL_LIMIT), where)
        if labels:
            first = labels[min(labels)]
            for number in self._chunks:
                label = labels.get(number)
                if label is None or label.archive.id != first.archive.id:
                    other = f"the one of {label.archive.created} (number {label.archive.sequence})" if label else "another one"
                    raise self._refused(
                        f"its files belong to several archives: {chunk_name(number)} to {other}, {chunk_name(min(labels))} to the one of "
                        f"{first.archive.created} (number {first.archive.sequence})",
                        _COPY_AGAIN,
                    )
                if label.chunk != number:
                    raise self._refused(f"{chunk_name(number)} was called {chunk_name(label.chunk)} when it was written", _COPY_AGAIN)
        return labels

    def _read_contents(self, labels: Mapping[int, Label]) -> Contents:
        holders = [number for number, index in self._chunks.items() if CONTENTS in index.members]
        if len(holders) != 1:
            reason = (
                "its last files are missing: none has the list of contents" if not holders else "two of its files have a list of contents"
            )
            raise self._refused(reason, _COPY_AGAIN)
        index = self._chunks[holders[0]]
        contents = Contents.parse(index.read_member(CONTENTS, limit=_CONTENTS_LIMIT), f"{CONTENTS} in {index.path}")
        if contents.archive.id != labels[holders[0]].archive.id:
            raise self._refused(f"the list of contents in {index.path.name} is that of another archive", _COPY_AGAIN)
        if contents.chunks != len(self._chunks):
            raise self._refused(f"the archive has {contents.chunks} files, and {len(self._chunks)} are there", _COPY_AGAIN)
        return contents

    def _merge(self) -> dict[str, _Place]:
        """The members of all files. What stands in several of them must be the same thing."""
        members: dict[str, _Place] = {}
        for number, index in sorted(self._chunks.items()):
            for name, places in index.duplicates.items():
                if name != UNUSED and (self.contents is not None or len({size for _offset, size in places}) > 1):
                    raise self._refused(f"{index.path.name} has {name} more than once", _COPY_AGAIN)
            for name, (offset, size) in index.members.items():
                if name in (CHUNK_LABEL, UNUSED):
                    continue
                if name.startswith("/") or (".." in name and ".." in name.split("/")):
                    # whoever writes files of the working directory to disk goes by their names
                    raise self._refused(f"{index.path.name} has {name}, a name that leads elsewhere", _COPY_AGAIN)
                before = members.get(name)
                if before is not None and (self.contents is not None or before.size != size):
                    raise self._refused(f"both {chunk_name(before.chunk)} and {index.path.name} have {name}", _COPY_AGAIN)
                members[name] = _Place(number, offset, size)
        return members

    def _sort(self) -> None:
        for name, place in self._members.items():
            digest = parse_blob(name)
            if digest is not None:
                self._blobs[digest] = place
                continue
            link = parse_link(name)
            if link is None:
                continue
            found = self._repositories.setdefault(link.repository, _Repository())
            if link.kind == TAG:
                found.tags.add(link.tag)
            elif link.kind == REVISION:
                found.revisions.add(link.digest)
            elif link.kind == LAYER:
                found.layers.add(link.digest)

    def _compare(self, contents: Contents) -> None:
        """Whether everything is there that the list of contents names, and nothing else."""
        listed = {name: (len(digest), 0) for name, digest in contents.links()}
        listed.update({blob_path(digest): (size, chunk) for digest, (chunk, size) in contents.blobs.items()})
        listed.update({name: (found.size, found.chunk) for name, found in contents.files.items()})
        for name, (size, chunk) in listed.items():
            place = self._members.get(name)
            if place is None or place.size != size or chunk not in (0, place.chunk):
                raise self._refused(f"the list of contents names {name} with {size} bytes, and it is not there", _COPY_AGAIN)
        surplus = sorted(set(self._members) - set(listed) - {CONTENTS})
        if surplus:
            raise self._refused(f"{surplus[0]} is there, and the list of contents does not name it", _COPY_AGAIN)

    # -- words -----------------------------------------------------------------------------------------------------------

    def _elsewhere(self, action: str, where: str, digest: str, *, named: bool, code: str) -> NotFoundError:
        """Why something is not in this archive, and where it is."""
        if not named:
            return self._not_found(action, where, f"the archive does not know {digest}", code=code)
        contents = self.contents
        if contents is None:
            reason = f"{digest} is named in these archive files of oc-mirror, but in none of them"
            hint = "An earlier archive has it: load the earlier ones first, in their order, or make a full one with --since."
            if not self.files(IMAGE_SET):
                hint = f"The archive's last files seem to be missing, for there is no {IMAGE_SET}*; or an earlier archive has it."
            return self._not_found(action, where, reason, hint, code=code)
        origin = contents.origin(digest)
        this = contents.archive
        if origin is not None:
            return self._not_found(
                action,
                where,
                f"{digest} is in archive {origin.sequence} of the sequence (made {origin.created}), and this is archive "
                f"{this.sequence} (made {this.created})",
                f"Load archive {origin.sequence} into this destination first, and all between it and this one.",
                code=code,
            )
        return self._not_found(
            action,
            where,
            f"{digest} is in an archive of oc-mirror, from before the first one of this sequence, and this is archive {this.sequence}",
            "Load the archives of oc-mirror into this destination first, or make a full archive with since.",
            code=code,
        )

    def _not_found(self, action: str, where: str, reason: str, hint: str = "", *, code: str) -> NotFoundError:
        return NotFoundError(action, where, reason, hint, status=404, code=code)

    def _refused(self, reason: str, hint: str = "") -> FileError:
        return FileError("use the archive in", str(self._folder), reason, hint)

    def _where(self, repository: str, identifier: str) -> str:
        return f"{self.registry}/{repository}{'@' if ':' in identifier else ':'}{identifier}"
