# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image written to disk as an OCI image layout: a folder, or a single tar file that skopeo and podman call oci-archive.

The same image gives the same bytes, and what is there already, whole and the same, is left alone.
Source: OCI image spec 1.1, image-layout.md.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ansible_collections.quayside.airgap.plugins.module_utils.core.archives import END, member_header, padded
from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, CancelledError, FileError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import write_atomically
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.registry.built_image import entry, index_over, same_content
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Descriptor, Manifest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_archive import OciArchiveStore
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import OciLayoutStore
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Store
from ansible_collections.quayside.airgap.plugins.module_utils.registry.transfer import BlobReader

_REF_NAME = "org.opencontainers.image.ref.name"
_VERSION = b'{"imageLayoutVersion":"1.0.0"}'
_PUBLIC = 0o644
_DEPTH = 8


@dataclass(frozen=True)
class Written:
    """What became of a layout.

    :ivar changed: whether it was written, or would be.
    :ivar digest: of the image that it holds now; where it was left alone, its layers may be packed in another way than was asked for.
    :ivar previous: digest of the image that it held before, empty where it held none.
    :ivar size: bytes of all its files.
    """

    changed: bool
    digest: str
    previous: str
    size: int


class _Layout:
    """The files of a layout, by name, in the order that they are written in."""

    def __init__(self, store: Store, image: Reference, tag: str, retry: RetryPolicy | None, cancellation: Cancellation | None) -> None:
        self._store = store
        self._repository = image.repository
        self._retry = retry or RetryPolicy()
        self._cancellation = cancellation or Cancellation()
        root = store.get_manifest(image.repository, image.identifier or "")
        self.image = image.at(digest=root.digest)
        self._manifests: dict[str, Manifest] = {}
        self._blobs: dict[str, Descriptor] = {}
        self._walk(root, 1)
        annotations = {_REF_NAME: tag} if tag else {}
        self._index = index_over([entry(root, annotations=annotations)], image.name)

    def _walk(self, manifest: Manifest, depth: int) -> None:
        if depth > _DEPTH:
            raise ProtocolError("write", f"{self.image.name}@{manifest.digest}", f"its index is nested deeper than {_DEPTH}")
        if manifest.digest in self._manifests:
            return
        self._manifests[manifest.digest] = manifest
        self._blobs.update({blob.digest: blob for blob in manifest.blobs if not blob.foreign})
        for child in manifest.children:
            self._walk(self._store.get_manifest(self._repository, child.digest), depth + 1)

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of all files; those that a reader wants first come first."""
        found = {"oci-layout": len(_VERSION), "index.json": self._index.size}
        contents = {digest: manifest.size for digest, manifest in self._manifests.items()}
        contents.update({digest: blob.size for digest, blob in self._blobs.items()})
        return {**found, **{_path(digest): contents[digest] for digest in sorted(contents)}}

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content of a file."""
        if name == "oci-layout":
            return iter([_VERSION])
        if name == "index.json":
            return iter([self._index.content])
        digest = name.partition("/")[2].replace("/", ":")
        if digest in self._manifests:
            return iter([self._manifests[digest].content])
        return self.blob(self._store, digest)

    def blob(self, store: Store, digest: str) -> Iterator[bytes]:
        """A blob of this image out of a store, checked."""
        size = self._blobs[digest].size
        return BlobReader(store, self._repository, digest, size, retry=self._retry, cancellation=self._cancellation).pieces(0)

    def kept(self, there: OciLayoutStore) -> str:
        """The digest of the image of a layout that needs no writing, for it has the same content and is whole; else empty."""
        try:
            found = there.choose()
            if not same_content(self._store, self.image, there, found) or _names(there.index) != _names(self._index):
                return ""
            same = _Layout(there, found, "", RetryPolicy(retries=0), self._cancellation)
            for digest in same._blobs:
                for _piece in same.blob(there, digest):
                    pass
        except CancelledError:
            raise
        except AirgapError:
            # whatever is wrong with it: it is to be written again
            return ""
        return found.digest or ""


def write_archive(
    store: Store,
    image: Reference,
    path: Path,
    *,
    tag: str = "",
    dry_run: bool = False,
    retry: RetryPolicy | None = None,
    cancellation: Cancellation | None = None,
) -> Written:
    """Write an image with all its platforms to a tar file. A reader sees the old file or the new one.

    :param store: where it lies, by ``image``.
    :param tag: what it is called in the archive.
    :param dry_run: only find out what there is to do.
    :raises FileError: when the file cannot be written; the old one is untouched then.
    :raises AirgapError: when the image cannot be read.
    """
    layout = _Layout(store, image, tag, retry, cancellation)
    sizes = layout.sizes
    size = sum(len(member_header(name, 0)) + padded(count) for name, count in sizes.items()) + len(END)
    there = _archive_at(path)
    if there is not None:
        kept = layout.kept(there)
        if kept:
            return Written(False, kept, kept, path.stat().st_size)
    if not dry_run:
        with _replaced(path) as stream:
            for name, count in sizes.items():
                stream.write(member_header(name, count))
                for piece in layout.pieces(name):
                    stream.write(piece)
                stream.write(bytes(padded(count) - count))
            stream.write(END)
    return Written(True, layout.image.digest or "", _held(there), size)


def write_layout(
    store: Store,
    image: Reference,
    folder: Path,
    *,
    tag: str = "",
    dry_run: bool = False,
    retry: RetryPolicy | None = None,
    cancellation: Cancellation | None = None,
) -> Written:
    """Write an image with all its platforms as a layout into a folder, which holds nothing else then.

    A reader sees the old image or the new one: blobs go by their digest, index.json is replaced at once, and what the old image alone
    needed goes last.

    :param folder: one that is a layout already, or is empty, or not there.
    :raises FileError: when there are other things in the folder, or it cannot be written.
    :raises AirgapError: when the image cannot be read.
    """
    layout = _Layout(store, image, tag, retry, cancellation)
    sizes = layout.sizes
    there = _layout_at(folder)
    if there is not None:
        kept = layout.kept(there)
        if kept:
            return Written(False, kept, kept, sum(sizes.values()))
    if not dry_run:
        _fill(folder, layout)
    return Written(True, layout.image.digest or "", _held(there), sum(sizes.values()))


def _fill(folder: Path, layout: _Layout) -> None:
    try:
        for name in layout.sizes:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if name.startswith("blobs/"):
                with _replaced(target) as stream:
                    for piece in layout.pieces(name):
                        stream.write(piece)
        for name in ("oci-layout", "index.json"):
            write_atomically(folder / name, b"".join(layout.pieces(name)))
        for path in (*folder.glob(".*"), *(folder / "blobs").glob("*/*")):
            if path.relative_to(folder).as_posix() not in layout.sizes and not path.is_dir():
                path.unlink()
    except OSError as error:
        raise FileError("write the OCI layout", str(folder), error.strerror or str(error)) from error


def _archive_at(path: Path) -> OciArchiveStore | None:
    """The archive that is there; None where there is none, or another file that is to be replaced all the same."""
    try:
        return OciArchiveStore(path) if path.exists() else None
    except AirgapError:
        return None


def _layout_at(folder: Path) -> OciLayoutStore | None:
    """The layout that is there; None where there is none yet.

    :raises FileError: when something else is there.
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError("write the OCI layout", str(folder), error.strerror or str(error)) from error
    # what a run left that was killed: no index yet, or a file that was to become it
    ours = (".oci-layout.", ".index.json.")
    strange = {name for name in names if not name.startswith(ours)} - {"oci-layout", "index.json", "blobs"}
    if strange:
        hint = "Name a folder of its own for the layout."
        raise FileError("write the OCI layout", str(folder), f"it holds other things ({', '.join(sorted(strange)[:3])})", hint)
    try:
        return OciLayoutStore(folder) if "index.json" in names else None
    except AirgapError:
        return None


def _held(there: OciLayoutStore | None) -> str:
    """The digest of what a layout holds."""
    if there is None:
        return ""
    try:
        return there.choose().digest or ""
    except NotFoundError:
        return ""


def _names(index: Manifest) -> list[dict[str, str]]:
    """What an index says of its images."""
    return [dict(child.annotations) for child in index.children]


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of another one when all went well."""
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(stream.fileno(), _PUBLIC)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise FileError("write", str(path), error.strerror or str(error)) from error
    finally:
        # it is there no more when all went well
        with suppress(OSError):
            os.unlink(temporary)
