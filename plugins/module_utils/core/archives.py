# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Uncompressed tar archives: an index of what is in one, and the headers to write one. Nothing is ever extracted.

Sources: POSIX.1-2001, "pax Interchange Format" and "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import PathLike

BLOCK = 512
# Two blocks of zeros end an archive
END = bytes(2 * BLOCK)

_ZEROS = bytes(BLOCK)
_REGULAR = b"0\x007"
_GNU_NAME, _GNU_LINK, _PAX, _PAX_GLOBAL = b"L", b"K", b"x", b"g"
# Links, devices, folders and pipes have no content, whatever size their header gives
_BARE = b"123456"
_SPARSE = b"S"
# Read at once where small members follow each other, and where a large one was just passed over
_FAR = 128 << 10
_NEAR = 4 << 10
# Extended headers hold names and numbers; a larger one is no such thing
_EXTENDED_LIMIT = 1 << 20
# Archives are filled up to a multiple of a record, 10 KiB unless another size was asked for
_FILLING = 1 << 20
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}
# What the octal digits of a header's size field can hold
_OCTAL_LIMIT = 8**11
# Digits of the largest size that base-256 can give
_DIGITS = 27
# Of paths on Linux
_NAME_LIMIT = 4096
# What the index takes in memory for each member besides its name, and for all: four million are ten times what the whole cache of
# oc-mirror has for 10,000 images
_MEMBER_COST = 256
_INDEX_LIMIT = 1 << 30


@dataclass(frozen=True)
class TarIndex:
    """Where the content of each regular file in an archive lies.

    :ivar members: name -> (offset in bytes, size in bytes).
    :ivar duplicates: names that stand in it more than once; the last one counts, as for every reader of tar archives.
    """

    path: Path
    members: Mapping[str, tuple[int, int]]
    duplicates: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: PathLike, *, memory: int = _INDEX_LIMIT) -> TarIndex:
        """The index of an archive. Reads the headers, not what lies between them.

        :param memory: bytes that the index may take, roughly.
        :raises FileError: when it cannot be read, is no tar archive, is damaged, ends before its end mark, or has too many members.
        """
        target = Path(path)
        try:
            descriptor = os.open(target, os.O_RDONLY)
        except OSError as error:
            raise FileError("read", str(target), error.strerror or str(error)) from error
        try:
            return _Scan(target, descriptor, os.fstat(descriptor).st_size, memory).index()
        except OSError as error:
            raise FileError("read", str(target), error.strerror or str(error)) from error
        finally:
            os.close(descriptor)

    def read_member(self, name: str, *, limit: int) -> bytes:
        """The content of a small member.

        :param limit: bytes; a larger member is refused before it fills the memory.
        :raises FileError: when it is not there, larger, or cannot be read.
        """
        place = self.members.get(name)
        if place is None:
            raise FileError("read", f"{name} in {self.path}", "the archive does not have it")
        offset, size = place
        if size > limit:
            raise FileError("read", f"{name} in {self.path}", f"it has {size} bytes, and more than {limit} are not expected")
        return self.read_at(offset, size)

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes of the archive.

        :raises FileError: when they cannot be read, or not all of them.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
            try:
                content = os.pread(descriptor, size, offset)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise FileError("read", str(self.path), error.strerror or str(error)) from error
        if len(content) != size:
            raise FileError("read", str(self.path), f"it ends before byte {offset + size}: it was cut short after it was opened")
        return content


class _Scan:
    """One pass over the headers of an archive."""

    def __init__(self, path: Path, descriptor: int, end: int, memory: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._end = end
        self._buffer = b""
        self._begin = 0
        self._memory = memory

    def index(self) -> TarIndex:
        """All regular members."""
        members: dict[str, tuple[int, int]] = {}
        duplicates: dict[str, list[tuple[int, int]]] = {}
        extended: dict[str, str] = {}
        position, reach, last = 0, _FAR, ""
        if not self._end:
            raise self._foreign("it is empty")
        while True:
            header = self._header(position, reach, last)
            if header == _ZEROS:
                self._check_end(position)
                return TarIndex(self._path, members, {name: tuple(places) for name, places in duplicates.items()})
            self._check_sum(header, position)
            kind = header[156:157]
            size = self._number(header[124:136], position) if kind not in _BARE else 0
            if "size" in extended and kind not in _BARE and kind not in (_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK):
                size = self._decimal(extended["size"], position)
            data = position + BLOCK
            if data + size > self._end:
                raise self._incomplete(f"it ends at byte {self._end}, in the middle of {_name(header) or 'a member'}")
            if kind in _REGULAR:
                last = extended.get("path") or _name(header)
                if "GNU.sparse" in extended:
                    raise self._foreign(f"it holds {last} as a sparse file", "Make it again without GNU tar's option --sparse.")
                self._spend(last, position)
                if not last.endswith("/"):
                    name = last[2:] if last.startswith("./") else last
                    if name in members:
                        duplicates.setdefault(name, [members[name]]).append((data, size))
                    members[name] = (data, size)
                extended = {}
            elif kind in (_PAX, _GNU_NAME):
                extended.update(self._extension(kind, data, size, position))
            elif kind == _SPARSE:
                raise self._foreign(f"it holds {_name(header)} as a sparse file", "Make it again without GNU tar's option --sparse.")
            elif kind not in (_PAX_GLOBAL, _GNU_LINK):
                # a folder, a link or something unknown: passed over, and what was said of it before
                extended = {}
            reach = _FAR if size < _FAR else _NEAR
            position = data + padded(size)

    def _header(self, position: int, reach: int, last: str) -> bytes:
        begin = position - self._begin
        header = self._buffer[begin : begin + BLOCK] if begin >= 0 else b""
        if len(header) < BLOCK:
            self._buffer, self._begin = os.pread(self._descriptor, reach, position), position
            header = self._buffer[:BLOCK]
        if len(header) < BLOCK:
            if position == 0:
                raise self._foreign("it is shorter than a tar archive can be")
            raise self._incomplete(f"it ends at byte {self._end}, {f'after {last}, ' if last else ''}without the end mark of a tar archive")
        return header

    def _check_sum(self, header: bytes, position: int) -> None:
        # the checksum counts its own field as eight spaces; some writers took the bytes as signed
        plain = sum(header) - sum(header[148:156]) + 256
        digits = header[148:156].partition(b"\0")[0].strip()
        try:
            said = int(digits, 8)
        except ValueError:
            said = -1
        if said == plain or said == plain - 256 * sum(byte > 127 for byte in header[:148] + header[156:]):
            return
        if position:
            raise FileError(
                "read",
                str(self._path),
                f"it is damaged: at byte {position} there is no member's header",
                "Copy the file again from where it was made.",
            )
        for magic, kind in _COMPRESSED.items():
            if header.startswith(magic):
                raise self._foreign(f"it is compressed ({kind})", "Uncompress it first: its members are read from where they lie.")
        raise self._foreign("it is no tar archive")

    def _spend(self, name: str, position: int) -> None:
        """Hold the index within what memory there is, whoever made the archive."""
        self._memory -= len(name) + _MEMBER_COST
        if len(name) > _NAME_LIMIT:
            raise self._foreign(f"the name of its member at byte {position} has {len(name)} characters")
        if self._memory < 0:
            raise self._foreign(f"it has more members than an archive of images ever has: they do not end at byte {position}")

    def _check_end(self, position: int) -> None:
        if position == 0:
            raise self._foreign("it holds nothing but zeros")
        if self._end - position > _FILLING:
            raise FileError(
                "read",
                str(self._path),
                f"it is damaged: its end mark is at byte {position}, and {self._end - position} bytes follow it",
                "Copy the file again from where it was made.",
            )

    def _number(self, digits: bytes, position: int) -> int:
        if digits[0] & 0x80:
            # base-256, for what octal digits cannot hold
            value = int.from_bytes(digits, "big") - (0x80 << (8 * (len(digits) - 1)))
            if digits[0] == 0x80:
                return value
        else:
            octal = digits.partition(b"\0")[0].strip() or b"0"
            # int() takes a sign as well, and a size below zero would lead back to where we come from
            if octal.isdigit():
                try:
                    return int(octal, 8)
                except ValueError:
                    pass
        raise FileError("read", str(self._path), f"it is damaged: the header at byte {position} gives no size")

    def _decimal(self, text: str, position: int) -> int:
        if not text.isdecimal() or len(text) > _DIGITS:
            raise FileError("read", str(self._path), f"it is damaged: the header at byte {position} gives the size '{text[:80]}'")
        return int(text)

    def _extension(self, kind: bytes, data: int, size: int, position: int) -> dict[str, str]:
        content = os.pread(self._descriptor, size, data) if size <= _EXTENDED_LIMIT else b""
        if len(content) < size:
            raise FileError("read", str(self._path), f"it is damaged: the extended header at byte {position} has {size} bytes")
        if kind == _GNU_NAME:
            return {"path": _text(content.partition(b"\0")[0])}
        found: dict[str, str] = {}
        while content and content[:1] != b"\0":
            digits = content.partition(b" ")[0]
            length = int(digits) if digits.isdigit() and len(digits) < 8 else 0
            record = content[len(digits) + 1 : length]
            keyword, equals, value = record.partition(b"=")
            if not equals or not value.endswith(b"\n"):
                raise FileError("read", str(self._path), f"it is damaged: the extended header at byte {position} is not well-formed")
            if keyword in (b"path", b"size"):
                found[keyword.decode()] = _text(value[:-1])
            elif keyword.startswith(b"GNU.sparse."):
                found["GNU.sparse"] = ""
            content = content[length:]
        return found

    def _incomplete(self, reason: str) -> FileError:
        return FileError("read", str(self._path), f"it is incomplete: {reason}", "Copy the file again from where it was made.")

    def _foreign(self, reason: str, hint: str = "") -> FileError:
        return FileError("read", str(self._path), reason, hint)


def _name(header: bytes) -> str:
    name = header[:100].partition(b"\0")[0]
    # in GNU's own format other things stand where ustar has the first part of a long name
    if header[257:263] == b"ustar\0" and header[345]:
        name = header[345:500].partition(b"\0")[0] + b"/" + name
    return _text(name)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def padded(size: int) -> int:
    """The bytes that some content takes in an archive."""
    return size + -size % BLOCK


def member_header(name: str, size: int, *, time: int = 0, mode: int = 0o644) -> bytes:
    """The header of a regular file, as every tar reads it: ustar, with a pax header before it where that cannot hold the name or size.

    :param time: of its last change, in seconds since 1970.
    """
    encoded = name.encode("utf-8", "surrogateescape")
    split = _split(encoded)
    records = b""
    if split is None or not encoded.isascii():
        records += _record(b"path", encoded)
        split = (b"", encoded[-100:])
    if size >= _OCTAL_LIMIT:
        records += _record(b"size", str(size).encode())
    prefix, short = split
    header = _block(prefix, short, size if size < _OCTAL_LIMIT else 0, b"0", time, mode)
    if not records:
        return header
    extended = _block(b"", b"PaxHeaders/" + encoded[-80:], len(records), b"x", time, 0o644)
    return extended + records + bytes(-len(records) % BLOCK) + header


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """A name in the two parts that ustar has for it; None when it does not fit."""
    if len(name) <= 100:
        return b"", name
    cut = name.rfind(b"/", 0, 156)
    if cut <= 0 or len(name) - cut - 1 > 100 or cut == len(name) - 1:
        return None
    return name[:cut], name[cut + 1 :]


def _record(keyword: bytes, value: bytes) -> bytes:
    """A record of a pax header; it begins with its own length, that number included."""
    rest = len(keyword) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, keyword, value)


def _block(prefix: bytes, name: bytes, size: int, kind: bytes, time: int, mode: int) -> bytes:
    header = b"".join(
        (
            name.ljust(100, b"\0"),
            b"%07o\0" % mode,
            b"0000000\0" * 2,
            b"%011o\0" % size,
            b"%011o\0" % time,
            b" " * 8,
            kind,
            bytes(100),
            b"ustar\x0000",
            bytes(64),
            b"0000000\0" * 2,
            prefix.ljust(155, b"\0"),
            bytes(12),
        )
    )
    return b"%s%06o\0 %s" % (header[:148], sum(header), header[156:])


def write_all(descriptor: int, content: bytes, offset: int) -> int:
    """Write all of some bytes at an offset, and give the offset after them.

    :raises OSError: when the disk is full or broken.
    """
    rest = memoryview(content)
    while rest:
        count = os.pwrite(descriptor, rest, offset)
        offset += count
        rest = rest[count:]
    return offset
