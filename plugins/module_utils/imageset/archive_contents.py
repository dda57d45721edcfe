# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of contents that our archives carry: what is in this one, what is expected from earlier ones, and a checksum over that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_layout import (
    layer_link,
    revision_link,
    tag_history_link,
    tag_link,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.history import Archived

_FORMAT = "quayside.airgap/archive"
_VERSION = 1


@dataclass
class RepositoryLinks:
    """What a repository has, by digest.

    :ivar tags: tag -> digest of its manifest.
    :ivar revisions: of manifests, tagged or not; ``layers``: of configs and layers.
    """

    tags: dict[str, str] = field(default_factory=dict)
    revisions: set[str] = field(default_factory=set)
    layers: set[str] = field(default_factory=set)

    def files(self, repository: str) -> Iterator[tuple[str, str]]:
        """Name in the archive and content of each link, in a fixed order."""
        for digest in sorted(self.layers):
            yield layer_link(repository, digest), digest
        for digest in sorted(self.revisions):
            yield revision_link(repository, digest), digest
        for tag, digest in sorted(self.tags.items()):
            yield tag_link(repository, tag), digest
            yield tag_history_link(repository, tag, digest), digest

    def as_dict(self) -> dict[str, Any]:
        """As it stands in the list of contents."""
        return {"tags": dict(sorted(self.tags.items())), "revisions": sorted(self.revisions), "layers": sorted(self.layers)}


@dataclass(frozen=True)
class StoredFile:
    """A member that is neither a blob nor a link.

    :ivar chunk: number of the chunk that it is in.
    :ivar size: bytes.
    :ivar digest: ``sha256:...`` of its content.
    """

    chunk: int
    size: int
    digest: str


@dataclass(frozen=True)
class Contents:
    """Everything that one archive of a sequence holds, whatever the number of its chunks.

    :ivar previous: the archives before it, oldest first.
    :ivar repositories: what the links say.
    :ivar blobs: digest -> (number of its chunk, size in bytes).
    :ivar files: name -> what is there: the working directory and the image set.
    :ivar expected: digests that links speak of and earlier archives hold -> sequence number of that archive, 0 for one of oc-mirror.
    """

    archive: Archived
    previous: tuple[Archived, ...]
    chunks: int
    repositories: Mapping[str, RepositoryLinks]
    blobs: Mapping[str, tuple[int, int]]
    files: Mapping[str, StoredFile]
    expected: Mapping[str, int]

    def links(self) -> Iterator[tuple[str, str]]:
        """Name and content of each link."""
        for repository, links in sorted(self.repositories.items()):
            yield from links.files(repository)

    def origin(self, digest: str) -> Archived | None:
        """The earlier archive that has a digest; None where that is not known."""
        number = self.expected.get(digest, 0)
        return next((archive for archive in self.previous if archive.sequence == number), None)

    def to_bytes(self) -> bytes:
        """As a member of the archive."""
        document: dict[str, Any] = {
            "format": _FORMAT,
            "version": _VERSION,
            "archive": self.archive.as_dict(),
            "previous": [archive.as_dict() for archive in self.previous],
            "chunks": self.chunks,
            "repositories": {name: links.as_dict() for name, links in sorted(self.repositories.items())},
            "blobs": {digest: list(place) for digest, place in sorted(self.blobs.items())},
            "files": {name: [found.chunk, found.size, found.digest] for name, found in sorted(self.files.items())},
            "expected": dict(sorted(self.expected.items())),
        }
        document["checksum"] = _checksum(document)
        return _compact(document)

    @classmethod
    def parse(cls, content: bytes, where: str) -> Contents:
        """From the bytes of the member.

        :param where: for messages.
        :raises FileError: when they are no list of contents, of a later version, or were changed.
        """
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise _damaged(where, "it is no JSON") from error
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise _damaged(where, "it is no list of contents")
        if document.get("version") != _VERSION:
            raise FileError(
                "read",
                where,
                f"it has the version {document.get('version')}, and this release knows version {_VERSION}",
                "Use the release that made the archive, or a later one.",
            )
        said = document.pop("checksum", None)
        if said != _checksum(document):
            raise _damaged(where, "its checksum does not fit: it was changed after it was written")
        try:
            return cls._from(document)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _damaged(where, f"something is missing in it or of another kind ({error})") from error

    @classmethod
    def _from(cls, document: dict[str, Any]) -> Contents:
        return cls(
            archive=Archived.parse(document["archive"]),
            previous=tuple(Archived.parse(item) for item in document["previous"]),
            chunks=int(document["chunks"]),
            repositories={
                name: RepositoryLinks(dict(links["tags"]), set(links["revisions"]), set(links["layers"]))
                for name, links in document["repositories"].items()
            },
            blobs={digest: (int(chunk), int(size)) for digest, (chunk, size) in document["blobs"].items()},
            files={name: StoredFile(int(chunk), int(size), str(digest)) for name, (chunk, size, digest) in document["files"].items()},
            expected={digest: int(number) for digest, number in document["expected"].items()},
        )


@dataclass(frozen=True)
class Label:
    """The first member of each chunk: which archive the chunk belongs to."""

    archive: Archived
    chunk: int

    def to_bytes(self, size: int) -> bytes:
        """As the member, filled with spaces up to a size."""
        content = _compact({"format": _FORMAT, "version": _VERSION, **self.archive.as_dict(), "chunk": self.chunk})
        return content.ljust(size)

    @classmethod
    def parse(cls, content: bytes, where: str) -> Label:
        """From the bytes of the member.

        :raises FileError: when they are no label.
        """
        try:
            document = json.loads(content)
            return cls(Archived.parse(document), int(document["chunk"]))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise _damaged(where, "it does not say which archive it belongs to") from error


def _checksum(document: Mapping[str, Any]) -> str:
    return f"sha256:{hashlib.sha256(_compact(document)).hexdigest()}"


def _compact(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def _damaged(where: str, reason: str) -> FileError:
    return FileError("read", where, reason, "Copy the archive again from where it was made.")
