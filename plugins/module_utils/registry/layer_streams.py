# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in a layer's blob: the archive, unpacked as it passes, with the memory of a few pieces."""

from __future__ import annotations

import hashlib
import importlib
import zlib
from collections.abc import Iterator
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import DependencyError

_PIECE = 256 << 10
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_OTHERS = {b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
# What zstd's own tool unpacks without being told to take more memory
_ZSTD_WINDOW = 128 << 20


class PackingError(Exception):
    """What is wrong with a blob as a packed archive."""


class Unpacked:
    """The archive in a blob.

    Which way it is packed shows in its first bytes; media types are not to be relied on.

    :param pieces: the blob.
    :param limit: bytes that it may have when unpacked.
    :param algorithm: that its digest is to be told in.
    """

    def __init__(self, pieces: Iterator[bytes], limit: int, algorithm: str = "sha256") -> None:
        self._packed = _Joined(pieces)
        self._pieces = _unpack(self._packed)
        self._algorithm = algorithm
        self._hash = hashlib.new(algorithm)
        self._buffer = b""
        self._limit = limit
        self.size = 0

    @property
    def diff_id(self) -> str:
        """The digest of what was unpacked so far."""
        return f"{self._algorithm}:{self._hash.hexdigest()}"

    def read(self, count: int) -> bytes:
        """So many bytes; fewer only at the end.

        :raises PackingError: when the blob cannot be unpacked, or becomes too large.
        """
        if len(self._buffer) >= count:
            found, self._buffer = self._buffer[:count], self._buffer[count:]
            return found
        parts = [self._buffer]
        missing = count - len(self._buffer)
        self._buffer = b""
        while missing:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._hash.update(piece)
            self.size += len(piece)
            if self.size > self._limit:
                raise PackingError(f"it is larger than {self._limit} bytes when unpacked")
            parts.append(piece[:missing])
            self._buffer = piece[missing:]
            missing -= min(missing, len(piece))
        return b"".join(parts)

    def drain(self) -> None:
        """Read what is left of the archive and of the blob, so that both digests can be told."""
        while self.read(_PIECE):
            pass
        while self._packed.read(_PIECE):
            pass


class _Joined:
    """An iterator of pieces, read like a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""

    def read(self, count: int = _PIECE) -> bytes:
        """At most so many bytes, none at the end."""
        if not self._buffer:
            self._buffer = next(self._pieces, b"")
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        return found

    def peek(self, count: int) -> bytes:
        """The next bytes, which stay to be read."""
        while len(self._buffer) < count:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._buffer += piece
        return self._buffer[:count]

    def unread(self, content: bytes) -> None:
        """Have bytes that were read be read again."""
        self._buffer = content + self._buffer


def _unpack(packed: _Joined) -> Iterator[bytes]:
    start = packed.peek(6)
    for mark, name in _OTHERS.items():
        if start.startswith(mark):
            raise PackingError(f"it is packed with {name}; layers are packed with gzip or zstd, or not at all")
    if start.startswith(_GZIP):
        return _gunzip(packed)
    if start.startswith(_ZSTD):
        return _unzstd(packed)
    return iter(packed.read, b"")


def _gunzip(packed: _Joined) -> Iterator[bytes]:
    """Members of gzip one after the other, as parallel packers and layers that can be read in part (estargz) have them."""
    while True:
        start = packed.peek(2)
        if start != _GZIP:
            break
        unpacker = zlib.decompressobj(31)
        while not unpacker.eof:
            piece = unpacker.unconsumed_tail or packed.read()
            try:
                # without input there may still be output that waits
                found = unpacker.decompress(piece, _PIECE)
            except zlib.error as error:
                raise PackingError(f"its gzip data is damaged ({error})") from error
            if found:
                yield found
            elif not piece and not unpacker.eof:
                raise PackingError("it ends in the middle of its gzip data")
        packed.unread(unpacker.unused_data)
    # some packers fill up with zeros
    while rest := packed.read():
        if rest.strip(b"\0"):
            raise PackingError("something else follows its gzip data")


def _unzstd(packed: _Joined) -> Iterator[bytes]:
    reader, damage = _zstd_reader(packed)
    with reader:
        while True:
            try:
                piece: bytes = reader.read(_PIECE)
            except (EOFError, damage) as error:
                raise PackingError(f"its zstd data is damaged ({error})") from error
            if not piece:
                return
            yield piece


def _zstd_reader(packed: _Joined) -> tuple[Any, type[Exception]]:
    """What reads zstd, and its error: Python's own library since 3.14, or the library zstandard."""
    try:
        own = importlib.import_module("compression.zstd")
    except ImportError:
        pass
    else:
        options = {own.DecompressionParameter.window_log_max: _ZSTD_WINDOW.bit_length() - 1}
        return own.ZstdFile(packed, options=options), own.ZstdError
    try:
        library = importlib.import_module("zstandard")
    except ImportError as error:
        raise DependencyError(
            "zstandard",
            "unpacking a layer that is packed with zstd",
            "Python before 3.14 cannot unpack zstd by itself: install zstandard for the interpreter that runs the module.",
        ) from error
    unpacker = library.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    return unpacker.stream_reader(packed, read_across_frames=True, closefd=False), library.ZstdError
