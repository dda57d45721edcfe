# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tar as layers have it: read as a stream with bounded memory, and written the same on every machine.

The standard library's tarfile reads extended headers of any size into memory, keeps all members, and has written headers
differently from one version of Python to the next. Source: POSIX.1-2017 pax (ustar and pax formats), GNU tar manual.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

BLOCK = 512
FILE, FOLDER, SYMLINK, HARDLINK, OTHER = "file", "folder", "symlink", "hardlink", "other"
END = b"\0" * (2 * BLOCK)
_PIECE = 64 << 10
# Paths and a few records: what is longer was not made by a tool that means well
_LARGEST_HEADER = 1 << 20
_LONGEST_PATH = 4096
_OCTAL_SIZE = 8 << 30
Parts = tuple[str, ...]
_KINDS = {b"0": FILE, b"\0": FILE, b"7": FILE, b"5": FOLDER, b"2": SYMLINK, b"1": HARDLINK}


class TarError(Exception):
    """What is wrong with an archive."""


class Readable(Protocol):
    def read(self, count: int) -> bytes:
        """So many bytes; fewer only at the end."""


class Entry(NamedTuple):
    """A member of an archive.

    :ivar number: its place in the archive.
    :ivar parts: its path, without anything in it that could lead elsewhere; nothing for the root.
    :ivar size: bytes of content.
    :ivar target: of links, as it was written.
    """

    number: int
    parts: Parts
    kind: str
    size: int
    target: str = ""


class TarReader:
    """The members of an archive, one after the other."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._rest = 0
        self._padding = 0
        self._number = 0

    def __iter__(self) -> Iterator[Entry]:
        """:raises TarError: when it is no tar archive, or one that nobody should unpack."""
        while True:
            entry = self._next()
            if entry is None:
                return
            yield entry
            for _ignored in self.content():
                pass

    def content(self) -> Iterator[bytes]:
        """The content of the member that was given last, once.

        :raises TarError: when the archive ends in it.
        """
        while self._rest:
            piece = self._stream.read(min(self._rest, _PIECE))
            if not piece:
                raise TarError("the archive ends in the middle of a file")
            self._rest -= len(piece)
            yield piece

    def _next(self) -> Entry | None:
        long_name = long_target = b""
        records: dict[str, bytes] = {}
        while True:
            header = self._block()
            if header is None:
                if records or long_name or long_target:
                    raise TarError("the archive ends in the middle of a header")
                return None
            size, kind = _number(header[124:136]), header[156:157]
            if kind in (b"x", b"g", b"L", b"K"):
                text = self._extension(size)
                if kind == b"x":
                    records = _records(text)
                elif kind == b"L":
                    long_name = text.partition(b"\0")[0]
                elif kind == b"K":
                    long_target = text.partition(b"\0")[0]
                continue
            if kind == b"S":
                self._skip_sparse_map(header)
            return self._entry(header, kind, size, records, long_name, long_target)

    def _entry(self, header: bytes, kind: bytes, size: int, records: dict[str, bytes], long_name: bytes, long_target: bytes) -> Entry:
        name, target = _text(header[:100]), _text(header[157:257])
        if header[257:263] == b"ustar\0" and header[345] != 0:
            name = _text(header[345:500]) + b"/" + name
        name = records.get("GNU.sparse.name") or records.get("path") or long_name or name
        target = records.get("linkpath") or long_target or target
        if "size" in records:
            size = _decimal(records["size"])
        sort = _KINDS.get(kind, OTHER)
        # before there was a letter for folders, they were files with a slash at the end
        if sort == FILE and name.endswith(b"/"):
            sort = FOLDER
        if sort == FILE and any(key.startswith("GNU.sparse.") for key in records):
            sort = OTHER
        stored = 0 if sort in (FOLDER, SYMLINK, HARDLINK) or kind in (b"3", b"4", b"6") else size
        self._rest, self._padding = stored, -stored % BLOCK
        self._number += 1
        return Entry(self._number, path_parts(_decoded(name)), sort, stored, _decoded(target))

    def _block(self) -> bytes | None:
        """The next header; None at the end of the archive."""
        # what was left of the padding belongs to the member before
        if self._padding and len(self._stream.read(self._padding)) < self._padding:
            raise TarError("the archive ends in the middle of a file")
        self._padding = 0
        header = self._stream.read(BLOCK)
        if not header or header == bytes(BLOCK):
            return None
        if len(header) < BLOCK:
            raise TarError("the archive ends in the middle of a header")
        total = sum(header) - sum(header[148:156]) + 8 * ord(" ")
        if total != _number(header[148:156]):
            raise TarError("it is no tar archive, or a damaged one (a header has a wrong checksum)")
        return header

    def _extension(self, size: int) -> bytes:
        if size > _LARGEST_HEADER:
            raise TarError(f"an extended header is larger than {_LARGEST_HEADER} bytes")
        text = self._stream.read(size + -size % BLOCK)
        if len(text) < size:
            raise TarError("the archive ends in the middle of a header")
        return text[:size]

    def _skip_sparse_map(self, header: bytes) -> None:
        more = header[482]
        while more:
            block = self._stream.read(BLOCK)
            if len(block) < BLOCK:
                raise TarError("the archive ends in the middle of a header")
            more = block[504]


def path_parts(path: str) -> Parts:
    """The components of a path from the root.

    :raises TarError: when it leads upwards, or is none.
    """
    if len(path) > _LONGEST_PATH or "\0" in path:
        raise TarError(f"a path is longer than {_LONGEST_PATH} characters, or has a zero byte in it")
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if ".." in parts:
        raise TarError(f"the path '{path[:200]}' leads out of the image")
    return parts


def file_header(path: str, size: int, mode: int) -> bytes:
    """What stands before the content of a file; the content is to be filled up to whole blocks."""
    return _header(path, b"0", size, mode)


def folder_header(path: str, mode: int) -> bytes:
    """All there is of a folder."""
    return _header(f"{path}/", b"5", 0, mode)


def link_header(path: str, target: str, mode: int) -> bytes:
    """All there is of a further name for a file; the file itself has to come before it."""
    return _header(path, b"1", 0, mode, target)


def _header(path: str, kind: bytes, size: int, mode: int, target: str = "") -> bytes:
    name, link = (text.encode("utf-8", "surrogateescape") for text in (path, target))
    records = b""
    if len(name) > 100 or not path.isascii():
        records += _record(b"path", name)
    if len(link) > 100 or not target.isascii():
        records += _record(b"linkpath", link)
    if size >= _OCTAL_SIZE:
        records += _record(b"size", b"%d" % size)
    extension = b""
    if records:
        extension = _ustar(b"PaxHeaders/next", b"x", len(records), 0o644) + records + bytes(-len(records) % BLOCK)
    short, far = (text.encode("utf-8", "surrogateescape") if text.isascii() else text.encode("ascii", "replace") for text in (path, target))
    return extension + _ustar(short[:100], kind, size if size < _OCTAL_SIZE else 0, mode, far[:100])


def _ustar(name: bytes, kind: bytes, size: int, mode: int, target: bytes = b"") -> bytes:
    """A header of root's, from the beginning of time."""
    fields = [name.ljust(100, b"\0"), b"%07o\0" % mode, b"0000000\0" * 2, b"%011o\0" % size, b"00000000000\0"]
    before = b"".join(fields)
    after = kind + target.ljust(100, b"\0") + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2 + bytes(155 + 12)
    total = sum(before) + sum(after) + 8 * ord(" ")
    return before + b"%06o\0 " % total + after


def _record(key: bytes, value: bytes) -> bytes:
    """A record of an extended header; its length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _records(text: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    position = 0
    while position < len(text):
        digits, space, _rest = text[position : position + 20].partition(b" ")
        length = int(digits) if space and digits.isdigit() else 0
        record = text[position : position + length]
        key, equals, value = record[len(digits) + 1 :].partition(b"=")
        if not equals or not record.endswith(b"\n") or len(record) < length:
            raise TarError("an extended header is damaged")
        found[key.decode("utf-8", "replace")] = value[:-1]
        position += length
    return found


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        if field[0] == 0xFF:
            raise TarError("a header has a negative number")
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    text = field.strip(b" \0")
    try:
        return int(text, 8) if text else 0
    except ValueError as error:
        raise TarError("it is no tar archive, or a damaged one (a header has something else for a number)") from error


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 18:
        raise TarError("an extended header has something else for a number")
    return int(text)


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _decoded(name: bytes) -> str:
    # what is no text can be shown at least, and stays different from other names
    return name.decode("utf-8", "backslashreplace")
