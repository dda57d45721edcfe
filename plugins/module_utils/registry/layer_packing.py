# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""New layers: files and whiteouts, packed to the same bytes on every machine and every day.

Sources: OCI image spec 1.1, layer.md; RFC 1952 (gzip).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple, Union

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_tar import (
    BLOCK,
    END,
    Parts,
    TarError,
    file_header,
    folder_header,
    link_header,
    path_parts,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_tree import WHITEOUT
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Descriptor

OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_PIECE = 64 << 10
# Further levels cost much more time than they save bytes in JSON
_LEVEL = 6
# Deflated, no name, no time, no system
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclass(frozen=True)
class LayerFile:
    """A file of a new layer.

    :ivar path: in the image.
    :ivar content: bytes, or a file on disk that holds them.
    """

    path: str
    content: bytes | Path
    mode: int = 0o644


@dataclass(frozen=True)
class LayerLink:
    """A further path for a file of the same layer, whose content is there only once (a hard link).

    :ivar target: the path of the file.
    """

    path: str
    target: str


@dataclass(frozen=True)
class NewLayer:
    """A layer to add. Everything in it belongs to root and has no time; files lie in the order of their names.

    :ivar removed: paths that the image shall not have any more, whether it has them or not.
    :ivar folders: modes of folders that are not to have the usual one, or that may be empty, by path.
    :ivar links: further paths for some of the files.
    :ivar comment: what the image's history says of it.
    """

    comment: str
    files: Sequence[LayerFile] = ()
    removed: Sequence[str] = ()
    folders: Mapping[str, int] = field(default_factory=dict)
    links: Sequence[LayerLink] = ()


@dataclass(frozen=True)
class NewBlob:
    """A blob that was made here, in memory or in a file."""

    descriptor: Descriptor
    content: bytes | Path
    diff_id: str = ""


class _Link(NamedTuple):
    """A further path, with the mode of its file."""

    target: Parts
    mode: int


_Member = Union[int, LayerFile, _Link]


class _Packer:
    """Packs what is written to it; knows the digests of both sides."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._inner = hashlib.sha256()
        self._outer = hashlib.sha256()
        self._checksum = 0
        self._length = 0
        self.size = 0
        self._put(_GZIP_HEADER)

    def write(self, content: bytes) -> None:
        self._inner.update(content)
        self._checksum = zlib.crc32(content, self._checksum)
        self._length += len(content)
        self._put(self._deflate.compress(content))

    def close(self) -> tuple[str, str]:
        """Complete it; gives the digest of what was written and of what it was packed to."""
        trailer = self._checksum.to_bytes(4, "little") + (self._length & 0xFFFFFFFF).to_bytes(4, "little")
        self._put(self._deflate.flush() + trailer)
        return f"sha256:{self._inner.hexdigest()}", f"sha256:{self._outer.hexdigest()}"

    def _put(self, packed: bytes) -> None:
        self._outer.update(packed)
        self.size += len(packed)
        self._target.write(packed)


def pack_layer(layer: NewLayer, workdir: Path) -> NewBlob:
    """Write a layer to a file that has its digest for a name.

    The digest of what is in it depends on nothing but that. Its own depends on the zlib that packs it as well; the one that Python
    comes with has not changed what it makes.

    :raises InputError: when a path cannot be one of an image.
    :raises FileError: when a file of it cannot be read, or the layer cannot be written.
    """
    members = _members(layer)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=".layer-", dir=workdir)
        with os.fdopen(handle, "wb") as stream:
            packer = _Packer(stream)
            for parts, member in sorted(members.items()):
                path = "/".join(parts)
                if isinstance(member, int):
                    packer.write(folder_header(path, member))
                elif isinstance(member, LayerFile):
                    _pack_file(packer, path, member)
            for parts, member in sorted(members.items()):
                # what unpacks them needs the files that they lead to first
                if isinstance(member, _Link):
                    packer.write(link_header("/".join(parts), "/".join(member.target), member.mode))
            packer.write(END)
            diff_id, digest = packer.close()
        target = workdir / digest.replace(":", "-")
        os.replace(temporary, target)
    except OSError as error:
        raise FileError("write a layer to", str(workdir), error.strerror or str(error)) from error
    finally:
        # it is there no more when all went well
        with suppress(OSError):
            os.unlink(temporary)
    return NewBlob(Descriptor(OCI_LAYER, digest, packer.size), target, diff_id)


def _pack_file(packer: _Packer, path: str, file: LayerFile) -> None:
    if isinstance(file.content, bytes):
        packer.write(file_header(path, len(file.content), file.mode) + file.content + bytes(-len(file.content) % BLOCK))
        return
    try:
        with open(file.content, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            packer.write(file_header(path, size, file.mode))
            written = 0
            while piece := stream.read(_PIECE):
                packer.write(piece)
                written += len(piece)
    except OSError as error:
        raise FileError("read", str(file.content), error.strerror or str(error)) from error
    if written != size:
        raise FileError("read", str(file.content), "its size changed while it was read")
    packer.write(bytes(-size % BLOCK))


def _members(layer: NewLayer) -> dict[Parts, _Member]:
    """What is in a layer, by path: files, links to them, and the modes of folders."""
    files: dict[Parts, _Member] = {}
    for file in layer.files:
        files[_fresh(file.path, files)] = file
    for link in layer.links:
        target = _checked(link.target)
        linked = files.get(target)
        if not isinstance(linked, LayerFile):
            raise InputError(f"the link {link.path} of a layer", f"the layer has no file {link.target}")
        files[_fresh(link.path, files)] = _Link(target, linked.mode)
    for path in layer.removed:
        parts = _checked(path)
        mark = (*parts[:-1], WHITEOUT + parts[-1])
        files[mark] = LayerFile("/".join(mark), b"")
    modes = {_checked(path): mode for path, mode in layer.folders.items()}
    for parts in [*files, *modes]:
        for depth in range(1, len(parts)):
            modes.setdefault(parts[:depth], 0o755)
    for parts in modes:
        if parts in files:
            raise InputError(f"the file {'/'.join(parts)} of a layer", "there are other files below it")
    return {**modes, **files}


def _fresh(path: str, files: Mapping[Parts, _Member]) -> Parts:
    """The path of a file that a layer does not have yet."""
    parts = _checked(path)
    if parts in files:
        raise InputError(f"the file {path} of a layer", "it is there twice")
    if any(part.startswith(WHITEOUT) for part in parts):
        raise InputError(f"the file {path} of a layer", f"names in images must not begin with {WHITEOUT}")
    return parts


def _checked(path: str) -> Parts:
    try:
        parts = path_parts(path)
    except TarError as error:
        raise InputError("a path of a layer", str(error)) from error
    if not parts:
        raise InputError("a path of a layer", "it is empty")
    return parts
