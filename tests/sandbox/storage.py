# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a sandbox registry keeps blobs, manifests and tags: in memory, or in a directory that outlives it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote

CHUNK = 256 << 10
DIGEST = re.compile(r"^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$")


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    """`<algorithm>:<hex>` of `data`."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


class Content(Protocol):
    """Bytes by digest. The digest is believed: who adds content has checked it."""

    def add(self, digest: str, data: bytes) -> None: ...

    def get(self, digest: str) -> bytes | None: ...

    def size(self, digest: str) -> int | None: ...

    def stream(self, digest: str, start: int, length: int) -> Iterator[bytes]: ...

    def remove(self, digest: str) -> None: ...

    def digests(self) -> list[str]: ...

    def new_upload(self) -> Upload: ...


class Upload(Protocol):
    """A blob on its way in. Bytes that arrived before an interruption stay."""

    size: int

    def write(self, piece: bytes) -> None: ...

    def digest(self, algorithm: str) -> str: ...

    def finish(self, digest: str) -> None: ...

    def abort(self) -> None: ...


class MemoryContent:
    """Content in a dictionary."""

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}

    def add(self, digest: str, data: bytes) -> None:
        self._data[digest] = data

    def get(self, digest: str) -> bytes | None:
        return self._data.get(digest)

    def size(self, digest: str) -> int | None:
        data = self._data.get(digest)
        return None if data is None else len(data)

    def stream(self, digest: str, start: int, length: int) -> Iterator[bytes]:
        data = self._data[digest]
        yield data if length == len(data) else data[start : start + length]

    def remove(self, digest: str) -> None:
        self._data.pop(digest, None)

    def digests(self) -> list[str]:
        return list(self._data)

    def new_upload(self) -> Upload:
        return _MemoryUpload(self)


class _MemoryUpload:
    def __init__(self, content: MemoryContent) -> None:
        self.size = 0
        self._content = content
        self._pieces: list[bytes] = []
        self._hasher = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._hasher.update(piece)
        self.size += len(piece)

    def digest(self, algorithm: str) -> str:
        if algorithm == "sha256":
            return f"sha256:{self._hasher.hexdigest()}"
        return digest_of(b"".join(self._pieces), algorithm)

    def finish(self, digest: str) -> None:
        self._content.add(digest, b"".join(self._pieces))

    def abort(self) -> None:
        self._pieces = []


class DirectoryContent:
    """Content in files `<directory>/blobs/<algorithm>/<hex>`."""

    def __init__(self, directory: Path) -> None:
        self._base = directory / "blobs"
        self._uploads = directory / "uploads"
        self._base.mkdir(parents=True, exist_ok=True)
        self._uploads.mkdir(exist_ok=True)

    def path(self, digest: str) -> Path:
        """The file of a digest, whether it exists or not."""
        algorithm, _colon, value = digest.partition(":")
        return self._base / algorithm / value

    def add(self, digest: str, data: bytes) -> None:
        upload = _FileUpload(self, self._uploads)
        upload.write(data)
        upload.finish(digest)

    def get(self, digest: str) -> bytes | None:
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError:
            return None

    def size(self, digest: str) -> int | None:
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def stream(self, digest: str, start: int, length: int) -> Iterator[bytes]:
        with self.path(digest).open("rb") as handle:
            handle.seek(start)
            while length > 0:
                piece = handle.read(min(CHUNK, length))
                if not piece:
                    return
                length -= len(piece)
                yield piece

    def remove(self, digest: str) -> None:
        self.path(digest).unlink(missing_ok=True)

    def digests(self) -> list[str]:
        return sorted(f"{path.parent.name}:{path.name}" for path in self._base.glob("*/*"))

    def new_upload(self) -> Upload:
        return _FileUpload(self, self._uploads)


class _FileUpload:
    def __init__(self, content: DirectoryContent, directory: Path) -> None:
        self.size = 0
        self._content = content
        self._path = directory / uuid.uuid4().hex
        self._handle = self._path.open("wb")
        self._hasher = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        self._handle.write(piece)
        self._hasher.update(piece)
        self.size += len(piece)

    def digest(self, algorithm: str) -> str:
        if algorithm == "sha256":
            return f"sha256:{self._hasher.hexdigest()}"
        self._handle.flush()
        return digest_of(self._path.read_bytes(), algorithm)

    def finish(self, digest: str) -> None:
        self._handle.close()
        target = self._content.path(digest)
        target.parent.mkdir(exist_ok=True)
        self._path.replace(target)

    def abort(self) -> None:
        self._handle.close()
        self._path.unlink(missing_ok=True)


@dataclass
class Repository:
    """One repository: the blobs it may serve, its manifests (digest -> media type) and tags (name -> digest)."""

    name: str
    blobs: set[str] = field(default_factory=set)
    manifests: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredManifest:
    """A manifest as it is stored."""

    digest: str
    media_type: str
    body: bytes = field(repr=False)

    @property
    def parsed(self) -> dict[str, Any]:
        """The manifest as JSON; an empty mapping when it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class Watcher(Protocol):
    """Is told what happens in a storage, and asked before a client changes something."""

    def created(self, repository: str) -> None:
        """A repository has appeared."""

    def tagged(self, repository: str, tag: str, digest: str | None) -> None:
        """A tag points to a digest now; None: it is gone."""

    def may_upload(self, repository: str) -> None:
        """Raise what a client gets that may not upload a blob."""

    def may_tag(self, repository: str, tag: str, digest: str | None) -> None:
        """Raise what a client gets that may not set (None: remove) a tag."""


class Storage:
    """All repositories of one registry. With a `directory` everything is there again after a restart."""

    def __init__(self, directory: Path | None = None) -> None:
        self.content: Content = DirectoryContent(directory) if directory else MemoryContent()
        self.repositories: dict[str, Repository] = {}  # in the order of creation
        self.lock = threading.RLock()
        self.watcher: Watcher | None = None
        self._records = directory / "repositories" if directory else None
        if self._records:
            self._records.mkdir(exist_ok=True)
            self._load(self._records)

    # ----------------------------------------------------------------- blobs

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether a repository serves a blob (or manifest) of this digest."""
        with self.lock:
            found = self.repositories.get(repository)
            return found is not None and digest in found.blobs

    def link_blob(self, repository: str, digest: str) -> None:
        """Let a repository, created when missing, serve content that is here already."""
        with self.lock:
            found = self._ensure(repository)
            if digest not in found.blobs:
                found.blobs.add(digest)
                self._save(found)

    def unlink_blob(self, repository: str, digest: str, *, forget: bool = False) -> bool:
        """Take a blob from a repository; with `forget` its content too, unless another repository has it."""
        with self.lock:
            found = self.repositories.get(repository)
            if found is None or digest not in found.blobs:
                return False
            found.blobs.discard(digest)
            self._save(found)
            if forget and not any(digest in other.blobs for other in self.repositories.values()):
                self.content.remove(digest)
            return True

    # ------------------------------------------------------------- manifests

    def put_manifest(self, repository: str, body: bytes, media_type: str, tag: str | None, digest: str) -> None:
        """Store a manifest under its digest and, when given, a tag; the repository is created when missing."""
        self.content.add(digest, body)
        with self.lock:
            found = self._ensure(repository)
            found.manifests[digest] = media_type
            if tag:
                found.tags[tag] = digest
            self._save(found)
            if tag and self.watcher:
                self.watcher.tagged(repository, tag, digest)

    def manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """The manifest of a tag or digest, None when there is no such."""
        with self.lock:
            found = self.repositories.get(repository)
            if found is None:
                return None
            digest = reference if DIGEST.match(reference) else found.tags.get(reference, "")
            media_type = found.manifests.get(digest)
        body = self.content.get(digest) if media_type is not None else None
        return None if media_type is None or body is None else StoredManifest(digest, media_type, body)

    def delete_manifest(self, repository: str, digest: str) -> bool:
        """Remove a manifest with all tags that point to it."""
        with self.lock:
            found = self.repositories.get(repository)
            if found is None or digest not in found.manifests:
                return False
            del found.manifests[digest]
            gone = [tag for tag, target in found.tags.items() if target == digest]
            found.tags = {tag: target for tag, target in found.tags.items() if target != digest}
            self._save(found)
            if self.watcher:
                for tag in gone:
                    self.watcher.tagged(repository, tag, None)
            return True

    def move_tag(self, repository: str, tag: str, digest: str) -> None:
        """Let a tag point to another manifest of the repository; KeyError when there is no such manifest."""
        with self.lock:
            found = self.repositories[repository]
            if digest not in found.manifests:
                raise KeyError(digest)
            found.tags[tag] = digest
            self._save(found)
            if self.watcher:
                self.watcher.tagged(repository, tag, digest)

    def delete_tag(self, repository: str, tag: str) -> bool:
        """Remove a tag; its manifest stays."""
        with self.lock:
            found = self.repositories.get(repository)
            if found is None or found.tags.pop(tag, None) is None:
                return False
            self._save(found)
            if self.watcher:
                self.watcher.tagged(repository, tag, None)
            return True

    # ----------------------------------------------------------- repositories

    def create(self, repository: str) -> None:
        """Make an empty repository, unless it is there."""
        with self.lock:
            if repository not in self.repositories:
                self._save(self._ensure(repository))

    def remove(self, repository: str) -> None:
        """Forget a repository; content that no other one has goes with it."""
        with self.lock:
            found = self.repositories.pop(repository, None)
            if found is None:
                return
            own = {*found.blobs, *found.manifests}
            for other in self.repositories.values() if own else ():
                own -= other.blobs
                own.difference_update(other.manifests)
            for digest in own:
                self.content.remove(digest)
            self._drop_record(repository)

    def rename(self, repository: str, name: str) -> None:
        """Give a repository another name."""
        with self.lock:
            found = self.repositories.pop(repository, None)
            if found is not None:
                self._drop_record(repository)
                found.name = name
                self.repositories[name] = found
                self._save(found)

    def wipe(self) -> None:
        """Forget everything."""
        with self.lock:
            for digest in self.content.digests():
                self.content.remove(digest)
            self.repositories.clear()
            if self._records:
                for record in self._records.glob("*.json"):
                    record.unlink()

    # ------------------------------------------------------------ persistence

    def _ensure(self, name: str) -> Repository:
        found = self.repositories.get(name)
        if found is None:
            found = self.repositories[name] = Repository(name)
            if self.watcher:
                self.watcher.created(name)
        return found

    def _record(self, name: str) -> Path | None:
        return self._records / f"{quote(name, safe='')}.json" if self._records else None

    def _drop_record(self, name: str) -> None:
        record = self._record(name)
        if record:
            record.unlink(missing_ok=True)

    def _save(self, repository: Repository) -> None:
        target = self._record(repository.name)
        if target is None:
            return
        record = {
            "blobs": sorted(repository.blobs),
            "manifests": repository.manifests,
            "tags": repository.tags,
        }
        partial = target.with_suffix(".tmp")
        partial.write_text(json.dumps(record, sort_keys=True))
        os.replace(partial, target)

    def _load(self, records: Path) -> None:
        for path in sorted(records.glob("*.json")):
            record = json.loads(path.read_text())
            name = unquote(path.stem)
            self.repositories[name] = Repository(name, set(record["blobs"]), dict(record["manifests"]), dict(record["tags"]))
