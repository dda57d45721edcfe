# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images on disk: an OCI image layout as a store, and the side of a copy that knows such stores beside its registries.

Source: OCI image spec 1.1, image-layout.md. References to a layout name it as ``oci:///path@sha256:...``.
"""

from __future__ import annotations

import io
import json
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import read_bytes
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import OCI_INDEX, Descriptor, Manifest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference, is_tag
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import ReadOnlyStore, Side, Store

OCI = "oci://"
_REF_NAME = "org.opencontainers.image.ref.name"
_MANIFEST_LIMIT = 16 << 20
_DEPTH = 8


class LocalContent:
    """Content of a blob that needs no network, in the form that the copy engine reads.

    :param url: what to call it in messages.
    :param size: bytes after which it ends, where the stream goes on; None for all of it.
    """

    def __init__(self, url: str, stream: BinaryIO, size: int | None = None) -> None:
        self.url = url
        self.raw = self
        self._stream = stream
        self._rest = size

    @classmethod
    def of_bytes(cls, url: str, content: bytes, offset: int = 0) -> LocalContent:
        """Content that is in memory, from a byte on."""
        stream = io.BytesIO(content)
        stream.seek(offset)
        return cls(url, stream)

    @classmethod
    def of_file(cls, url: str, path: Path, offset: int = 0, size: int | None = None) -> LocalContent:
        """Content of a file, from a byte on.

        :param size: how many bytes; None for all to its end.
        :raises FileError: when it cannot be read.
        """
        try:
            stream = io.FileIO(path)
            stream.seek(offset)
        except OSError as error:
            raise FileError("read", str(path), error.strerror or str(error)) from error
        return cls(url, io.BufferedReader(stream), size)

    def read(self, count: int, decode_content: bool = False) -> bytes:
        """The next bytes, none at the end.

        :param decode_content: there is nothing to decode; the engine says so to every content.
        """
        wanted = count if self._rest is None else min(count, self._rest)
        try:
            found = self._stream.read(wanted)
        except OSError as error:
            raise FileError("read", self.url, error.strerror or str(error)) from error
        if self._rest is not None:
            self._rest -= len(found)
        return found

    def close(self) -> None:
        self._stream.close()


class OciLayoutStore(ReadOnlyStore):
    """An OCI image layout. It is one repository; what it offers goes by tags and digests.

    :param folder: the folder that index.json lies in.
    :raises FileError: when it is no image layout.
    :ivar repository: its absolute path without the slash at the beginning.
    """

    local = True
    mounts = False
    # what its references begin with
    scheme = OCI

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.registry = self.scheme
        self._root = Path(os.path.abspath(folder))
        self._inside = os.path.realpath(self._root)
        self.repository = str(self._root).strip("/")
        self._index = self._read_index()

    @property
    def index(self) -> Manifest:
        """The layout's index.json."""
        return self._index

    def choose(self, tag: str | None = None, digest: str | None = None) -> Reference:
        """The reference, by digest, of an image of this layout.

        Without tag and digest it is the only image there is; where index.json lists several, it is index.json itself, which
        then is an index over all of them (as oc-mirror v2 has it).

        :raises NotFoundError: when there is no such image.
        """
        if tag is None and digest is None:
            entries = self._index.children
            if not entries:
                raise self._missing("read the manifest of", "", "its index.json lists no image")
            digest = entries[0].digest if len({entry.digest for entry in entries}) == 1 else self._index.digest
        elif tag is not None:
            digest = self._tagged(tag)
        elif digest is not None and self.head_manifest(self.repository, digest) is None:
            raise self._missing("read the manifest of", f"@{digest}", "the layout has no image of this digest")
        return Reference(self.registry, self.repository, digest=digest)

    # -- the store

    def head_manifest(self, repository: str, identifier: str) -> str | None:
        try:
            digest = identifier if ":" in identifier else self._tagged(identifier)
        except NotFoundError:
            return None
        return digest if digest == self._index.digest or self.head_blob(repository, digest) is not None else None

    def get_manifest(self, repository: str, identifier: str) -> Manifest:
        digest = identifier if ":" in identifier else self._tagged(identifier)
        if digest == self._index.digest:
            return self._index
        place = self._blob(digest, "read the manifest of")
        where = f"{self._name}@{digest}"
        announced = next((entry.media_type for entry in self._index.children if entry.digest == digest), "")
        return Manifest.parse(self._read(*place), announced, where, digest)

    def head_blob(self, repository: str, digest: str) -> int | None:
        try:
            return self._size(*self._blob(digest, "look up the blob"))
        except NotFoundError:
            return None

    def open_blob(self, repository: str, digest: str, offset: int = 0) -> tuple[LocalContent, int]:
        place = self._blob(digest, "read the blob")
        return self._open(f"{self._name}@{digest}", offset, *place), offset

    def tags(self, repository: str) -> Iterator[list[str]]:
        yield sorted({name for entry in self._index.children if is_tag(name := entry.annotations.get(_REF_NAME, ""))})

    def referrers(self, repository: str, digest: str) -> list[Descriptor] | None:
        """Layouts have no list of them; what there is has the tag that stands in for one."""
        return None

    # -- files

    @property
    def _name(self) -> str:
        return f"{self.registry}/{self.repository}"

    def _read_index(self) -> Manifest:
        hint = "An OCI image layout is a folder with the files oci-layout and index.json and the folder blobs."
        self._check_place(hint)
        if self._size("index.json") is None:
            raise FileError("read the OCI layout", str(self._root), "it has no index.json", hint)
        if self._size("oci-layout") is not None:
            version = self._layout_version()
            if not isinstance(version, str) or not version.startswith("1."):
                raise FileError("read the OCI layout", str(self._root), f"its oci-layout does not name a version 1.x but '{version}'")
        return Manifest.parse(self._read("index.json"), OCI_INDEX, str(self._root / "index.json"))

    def _layout_version(self) -> Any:
        content = self._read("oci-layout")
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise FileError("read", str(self._root / "oci-layout"), f"it is no JSON: {error}") from error
        return document.get("imageLayoutVersion") if isinstance(document, dict) else None

    def _tagged(self, tag: str) -> str:
        """The digest that a tag stands for, at the top or in an index below."""
        found = self._search(self._index, tag, 1)
        if found is None:
            names = [name for page in self.tags("") for name in page]
            known = f"only {', '.join(names[:20])}" if names else "none at all"
            raise self._missing("read the manifest of", f":{tag}", f"the layout has no image of this tag, {known}")
        return found

    def _search(self, index: Manifest, tag: str, depth: int) -> str | None:
        named = [(entry.annotations.get(_REF_NAME, ""), entry.digest) for entry in index.children]
        # some tools write the whole reference
        digests = {digest for name, digest in named if name == tag} or {digest for name, digest in named if name.endswith(f":{tag}")}
        if len(digests) > 1:
            raise ProtocolError("read the manifest of", f"{self._name}:{tag}", "its index.json has several images of this tag")
        for digest in digests:
            return digest
        for entry in index.children if depth < _DEPTH else ():
            if entry.media_type == OCI_INDEX and self.head_blob(self.repository, entry.digest) is not None:
                found = self._search(self.get_manifest(self.repository, entry.digest), tag, depth + 1)
                if found is not None:
                    return found
        return None

    def _blob(self, digest: str, action: str) -> tuple[str, str, str]:
        algorithm, _separator, value = digest.partition(":")
        place = ("blobs", algorithm, value)
        if self._size(*place) is None:
            raise self._missing(action, f"@{digest}", f"the layout has no file {'/'.join(place)}")
        return place

    # -- where the files lie, which is another matter for a layout in an archive

    def _check_place(self, hint: str) -> None:
        """:raises FileError: when there can be no layout."""
        if not self._root.is_dir():
            reason = "it is a file, not a folder" if self._root.exists() else "there is no such folder"
            raise FileError("read the OCI layout", str(self._root), reason, hint)

    def _size(self, *parts: str) -> int | None:
        """Bytes of a file of the layout, None where there is none."""
        path = self._path(*parts)
        try:
            return path.stat().st_size if path is not None else None
        except OSError as error:
            raise FileError("read", str(path), error.strerror or str(error)) from error

    def _read(self, *parts: str) -> bytes:
        """A small file of the layout."""
        return read_bytes(self._root.joinpath(*parts), limit=_MANIFEST_LIMIT)

    def _open(self, where: str, offset: int, *parts: str) -> LocalContent:
        """A file of the layout from a byte on."""
        return LocalContent.of_file(where, self._root.joinpath(*parts), offset)

    def _path(self, *parts: str) -> Path | None:
        """A file of the layout; None where there is none.

        :raises FileError: when it is no plain file, or a link that leads out of the layout: that would give away our own files.
        """
        path = self._root.joinpath(*parts)
        real = os.path.realpath(path)
        if real != self._inside and not real.startswith(self._inside.rstrip(os.sep) + os.sep):
            raise FileError("read", str(path), "it is a link that leads out of the OCI layout")
        try:
            mode = os.stat(real).st_mode
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FileError("read", str(path), error.strerror or str(error)) from error
        if not stat.S_ISREG(mode):
            raise FileError("read", str(path), "it is no plain file")
        return path

    def _missing(self, action: str, identifier: str, reason: str) -> NotFoundError:
        code = "MANIFEST_UNKNOWN" if "manifest" in action else "BLOB_UNKNOWN"
        return NotFoundError(action, f"{self._name}{identifier}", reason, status=404, code=code)


def open_layout(written: str, digest: str | None = None) -> tuple[OciLayoutStore, Reference]:
    """The layout that a user named, and what of it.

    :param written: ``oci:///path`` or ``oci:///path:tag``, with or without the scheme.
    :param digest: which image of it, where that was said.
    :raises FileError: when it is no image layout.
    :raises NotFoundError: when it has no such image.
    """
    path = written[len(OCI) :] if written.startswith(OCI) else written
    base, colon, tag = path.rpartition(":")
    if colon and is_tag(tag) and not os.path.exists(path):
        store = OciLayoutStore(base)
        return store, store.choose(tag, digest)
    store = OciLayoutStore(path)
    return store, store.choose(digest=digest)


class LocalSources:
    """The side of a copy that knows stores of its own beside the registries of another side.

    :param registries: the side that everything else is read from.
    """

    def __init__(self, registries: Side) -> None:
        self._registries = registries
        self._stores: dict[tuple[str, str | None], Store] = {}
        self._lock = threading.Lock()

    def add(self, reference: Reference, store: Store) -> Reference:
        """Have a reference read from a store: of a reference with a digest this image alone, else the whole repository."""
        with self._lock:
            self._stores[(reference.name, reference.digest)] = store
        return reference

    def add_layout(self, written: str, digest: str | None = None) -> Reference:
        """Open an OCI layout as :func:`open_layout` does; the reference that it gives can be copied from here."""
        store, reference = open_layout(written, digest)
        self.add(reference.at(), store)
        return reference

    def client(self, registry: str) -> Store:
        return self._registries.client(registry)

    def candidates(self, reference: Reference) -> Sequence[tuple[Store, Reference]]:
        """Where a reference may be read, best first.

        :raises FileError: when it names a folder that is no OCI layout, or registries.conf blocks it.
        """
        store = self._store(reference)
        if store is not None:
            return [(store, reference)]
        return self._registries.candidates(reference)

    def _store(self, reference: Reference) -> Store | None:
        with self._lock:
            found = self._stores.get((reference.name, reference.digest)) or self._stores.get((reference.name, None))
            if found is None and reference.registry == OCI:
                found = self._stores[(reference.name, None)] = OciLayoutStore(f"/{reference.repository}")
            return found
