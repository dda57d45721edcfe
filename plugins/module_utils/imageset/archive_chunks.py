# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chunks of an archive while they are written: many threads, each into a region of its own, none larger than it may be.

A region is reserved first and filled then; its header comes last, so that a region without its whole content is not a member. What is
given back is a hole, which the next region takes that fits, and which is covered by a member without meaning in the end.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.archives import (
    BLOCK,
    END,
    member_header,
    padded,
    write_all,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_content import FileContent
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_files import write_failure
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_layout import (
    CHUNK_LABEL,
    UNUSED,
    chunk_number,
    part_name,
)

GIB = 1 << 30
LABEL_SIZE = BLOCK
# A label and its header at the beginning, and what ends an archive
_FIRST = 2 * BLOCK
_OVERHEAD = _FIRST + len(END)
_PIECE = 1 << 20
# Bytes of a hole that one member covers: from 8 GiB on, its header would need more than a block
_COVERED = 4 << 30


@dataclass(frozen=True)
class Region:
    """Where a member is in a chunk, or will be.

    :ivar offset: of its header; ``length``: bytes from there to the next header.
    :ivar header: as it stands before the content; empty for a region that holds several members.
    :ivar size: of the content, in bytes.
    """

    chunk: int
    offset: int
    length: int
    header: bytes
    size: int

    @property
    def data(self) -> int:
        """Offset of the content."""
        return self.offset + len(self.header)


class Chunks:
    """The chunks of one archive.

    :param limit: bytes that a chunk may have, its end mark included.
    :param strict: refuse what does not fit into any chunk, instead of giving it a chunk of its own.
    :param time: of all members, in seconds since 1970.
    :ivar warnings: a sentence for each member that is larger than a chunk should be.
    """

    def __init__(self, folder: Path, limit: int, *, strict: bool, time: int) -> None:
        self._folder = folder
        self._limit = limit
        self._strict = strict
        self._time = time
        self._lock = threading.Lock()
        self._ends: dict[int, int] = {}
        self._holes: list[tuple[int, int, int]] = []
        self._failure: tuple[Path, OSError] | None = None
        self.warnings: list[str] = []

    @property
    def numbers(self) -> list[int]:
        """Of all chunks there are."""
        return sorted(self._ends)

    @property
    def size(self) -> int:
        """Bytes of all chunks, end marks included."""
        return sum(end + len(END) for end in self._ends.values())

    def path(self, chunk: int) -> Path:
        """The file of a chunk."""
        return self._folder / part_name(chunk)

    def header(self, name: str, size: int, mode: int = 0o644) -> bytes:
        """The header of a member."""
        return member_header(name, size, time=self._time, mode=mode)

    def check_disk(self) -> None:
        """Refuse to go on after the disk has refused something.

        What a disk did not take may be lost although it takes the next thing, and there is no use in reading what cannot be written.

        :raises FileError: what was said then.
        """
        if self._failure is not None:
            raise self._failed(*self._failure)

    def check(self, size: int, label: str, name: str = "") -> None:
        """Refuse a member that is too large.

        :param label: what it is, for the message; ``name``: its name in the archive where that is long.
        :raises FileError: where the limit is strict and the member does not fit; it says which limit would do.
        """
        needed = len(self.header(name, size)) + padded(size) + _OVERHEAD
        if self._strict and needed > self._limit:
            raise FileError(
                "put",
                f"{label} into an archive",
                f"with {_in_gib(size)} it does not fit into {_in_gib(self._limit)}, and strict_archive allows no larger file",
                f"Set archiveSize to {-(-needed // GIB)} or more.",
            )

    def reserve(self, name: str, size: int, *, mode: int = 0o644, label: str = "") -> Region:
        """A region for a member that will be written.

        :param label: what it is, for messages; its name when empty.
        :raises FileError: as :meth:`check`, or when a new chunk cannot be begun.
        """
        self.check_disk()
        self.check(size, label or name, name)
        header = self.header(name, size, mode)
        length = len(header) + padded(size)
        if length + _OVERHEAD > self._limit:
            allowed = _in_gib(self._limit)
            self.warnings.append(
                f"{label or name} has {_in_gib(size)}, more than archiveSize ({allowed}) allows; it has an archive file of its own."
            )
        chunk, offset = self._reserve(length)
        return Region(chunk, offset, length, header, size)

    def release(self, region: Region) -> None:
        """Give a region back: nothing came of it, or nobody needs it."""
        with self._lock:
            if region.offset + region.length == self._ends[region.chunk]:
                # so that a chunk which is as large as it is for this one member does not stay so
                self._ends[region.chunk] = region.offset
            else:
                self._holes.append((region.chunk, region.offset, region.length))

    def write(self, region: Region, pieces: Iterable[bytes]) -> None:
        """Fill a region.

        :param pieces: as many bytes as were reserved; what it raises is passed on, and the region can be given back then.
        :raises FileError: when the disk is full or broken, or there are fewer or more bytes.
        """
        path = self.path(region.chunk)
        position, last = region.data, region.data + region.size
        try:
            descriptor = os.open(path, os.O_WRONLY)
        except OSError as error:
            raise self._failed(path, error) from error
        try:
            for piece in pieces:
                if position + len(piece) > last:
                    raise FileError("write", str(path), f"more than the {region.size} bytes that were announced came")
                try:
                    position = write_all(descriptor, piece, position)
                except OSError as error:
                    raise self._failed(path, error) from error
            if position != last:
                raise FileError("write", str(path), f"{position - region.data} of {region.size} bytes came")
            try:
                # a hole has remains of what was there before
                write_all(descriptor, bytes(-region.size % BLOCK), position)
                write_all(descriptor, region.header, region.offset)
            except OSError as error:
                raise self._failed(path, error) from error
        finally:
            os.close(descriptor)

    def append(self, members: Iterable[tuple[str, bytes]]) -> list[int]:
        """Write many small members; gives the number of the chunk of each.

        :raises FileError: as :meth:`reserve` and :meth:`write`.
        """
        placed: list[int] = []
        batch: list[bytes] = []
        length = waiting = 0
        # as much as one write may have, but no more than fits into a small chunk
        most = max(0, min(1 << 20, (self._limit - _OVERHEAD) // 4))
        for name, content in members:
            if len(content) > most:
                region = self.reserve(name, len(content))
                self.write(region, [content])
                # in order: what waits is written first
                placed += self._flush(batch, length, waiting)
                batch, length, waiting = [], 0, 0
                placed.append(region.chunk)
                continue
            member = self.header(name, len(content)) + content
            batch.append(member + bytes(-len(member) % BLOCK))
            length += len(batch[-1])
            waiting += 1
            if length >= most:
                placed += self._flush(batch, length, waiting)
                batch, length, waiting = [], 0, 0
        return placed + self._flush(batch, length, waiting)

    def sync(self, chunks: Iterable[int]) -> None:
        """Have the content of some chunks reach the disk.

        :raises FileError: when it does not.
        """
        for chunk in sorted(set(chunks)):
            path = self.path(chunk)
            try:
                descriptor = os.open(path, os.O_WRONLY)
                try:
                    os.fdatasync(descriptor)
                finally:
                    os.close(descriptor)
            except OSError as error:
                raise self._failed(path, error) from error

    def adopt(self, regions: Iterable[Region]) -> list[Region]:
        """Go on with the chunks of a run that was broken off.

        :param regions: what it is known to have written.
        :returns: those that are really there; everything else in the folder that a broken run may have left is removed.
        :raises FileError: when the chunks cannot be read or changed.
        """
        kept: dict[int, list[Region]] = {}
        for region in sorted(regions, key=lambda found: (found.chunk, found.offset)):
            if self._is_there(region):
                kept.setdefault(region.chunk, []).append(region)
        for chunk, found in list(kept.items()):
            end = found[-1].offset + found[-1].length
            if end + len(END) > self._limit and (len(found) > 1 or self._strict):
                # the limit was made smaller since
                del kept[chunk]
        try:
            for name in sorted(os.listdir(self._folder)):
                number = chunk_number(name, "part")
                if number is not None and number not in kept:
                    os.unlink(self._folder / name)
            for chunk in range(1, max(kept, default=0) + 1):
                self._adopt(chunk, kept.get(chunk, []))
        except OSError as error:
            raise self._failed(self._folder, error) from error
        return [region for found in kept.values() for region in found]

    def finish(self, label: Callable[[int], bytes]) -> None:
        """Cover the holes, label and end the chunks, and have all that reach the disk.

        :param label: the content of the label of a chunk, ``LABEL_SIZE`` bytes.
        :raises FileError: when the disk is full or broken.
        """
        with self._lock:
            self._join_holes()
            for chunk, end in sorted(self._ends.items()):
                path = self.path(chunk)
                try:
                    descriptor = os.open(path, os.O_WRONLY)
                    try:
                        for begin, end_of_hole in [(begin, begin + length) for number, begin, length in self._holes if number == chunk]:
                            for offset in range(begin, end_of_hole, _COVERED):
                                size = min(_COVERED, end_of_hole - offset) - BLOCK
                                write_all(descriptor, self.header(UNUSED, size), offset)
                        content = label(chunk)
                        write_all(descriptor, self.header(CHUNK_LABEL, len(content)) + content, 0)
                        write_all(descriptor, END, end)
                        os.ftruncate(descriptor, end + len(END))
                        os.fsync(descriptor)
                    finally:
                        os.close(descriptor)
                except OSError as error:
                    raise self._failed(path, error) from error

    def fill_holes(self, regions: Mapping[str, Region]) -> dict[str, Region]:
        """Copy members from the end of the archive into holes before them, so that it need not carry the holes.

        :param regions: of members that may be moved.
        :returns: where the copies are, of which all reached the disk; the regions that they were copied from are to be released.
        :raises FileError: when the disk is full or broken.
        """
        copies: dict[str, Region] = {}
        with self._lock:
            self._join_holes()
            for key, region in sorted(regions.items(), key=lambda item: (item[1].chunk, item[1].offset), reverse=True):
                before = [place for place in self._holes if place[:2] < (region.chunk, region.offset)]
                if not before:
                    break
                fitting = [place for place in before if place[2] >= region.length]
                if fitting:
                    chunk, offset = self._take(min(fitting, key=lambda found: found[2]), region.length)
                    copies[key] = replace(region, chunk=chunk, offset=offset)
        for key, copy in copies.items():
            self.write(copy, self._content(regions[key]))
        self.sync(copy.chunk for copy in copies.values())
        return copies

    def trim(self) -> None:
        """Give holes at the end of chunks back to the disk, and chunks at the end of the archive that hold nothing.

        :raises FileError: when that fails.
        """
        with self._lock:
            self._join_holes()
            while len(self._ends) > 1 and self._ends[max(self._ends)] == _FIRST:
                empty = max(self._ends)
                del self._ends[empty]
                try:
                    self.path(empty).unlink()
                except OSError as error:
                    raise self._failed(self.path(empty), error) from error

    def shrink(self) -> None:
        """Give back to a full disk what came of members that did not fit, so that there is room to note those that did."""
        if self._failure is None:
            return
        with self._lock:
            for chunk, end in self._ends.items():
                # nothing depends on it
                with suppress(OSError):
                    if self.path(chunk).stat().st_size > end:
                        os.truncate(self.path(chunk), end)

    def discard(self) -> None:
        """Remove all chunks.

        :raises FileError: when that fails.
        """
        for chunk in self.numbers:
            try:
                self.path(chunk).unlink(missing_ok=True)
            except OSError as error:
                raise self._failed(self.path(chunk), error) from error
        self._ends.clear()
        self._holes.clear()

    # -- space -----------------------------------------------------------------------------------------------------------

    def _reserve(self, length: int) -> tuple[int, int]:
        with self._lock:
            place = self._fill_hole(length)
            if place is not None:
                return place
            for chunk, end in self._ends.items():
                if end + length + len(END) <= self._limit:
                    self._ends[chunk] = end + length
                    return chunk, end
            chunk = max(self._ends, default=0) + 1
            path = self.path(chunk)
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644))
            except OSError as error:
                raise self._failed(path, error) from error
            self._ends[chunk] = _FIRST + length
            return chunk, _FIRST

    def _fill_hole(self, length: int) -> tuple[int, int] | None:
        """A hole of just this length, else one that is larger: what is left of it is a hole again."""
        exact = next((place for place in self._holes if place[2] == length), None)
        found = exact or next((place for place in self._holes if place[2] > length), None)
        return self._take(found, length) if found is not None else None

    def _take(self, hole: tuple[int, int, int], length: int) -> tuple[int, int]:
        self._holes.remove(hole)
        chunk, offset, total = hole
        if total > length:
            self._holes.append((chunk, offset + length, total - length))
        return chunk, offset

    def _join_holes(self) -> None:
        """Make one hole of those that touch; one at the end of a chunk makes the chunk shorter."""
        joined: list[tuple[int, int, int]] = []
        for chunk, offset, length in sorted(self._holes):
            if joined and joined[-1][0] == chunk and joined[-1][1] + joined[-1][2] == offset:
                _same, offset, before = joined.pop()
                length += before
            joined.append((chunk, offset, length))
        self._holes = []
        for chunk, offset, length in joined:
            if offset + length == self._ends[chunk]:
                self._ends[chunk] = offset
            else:
                self._holes.append((chunk, offset, length))

    def _content(self, region: Region) -> Iterator[bytes]:
        content = FileContent(self.path(region.chunk), region.data, region.size)
        try:
            # what ends early is found out by whoever writes it
            yield from iter(lambda: content.read(_PIECE), b"")
        finally:
            content.close()

    def _flush(self, batch: list[bytes], length: int, count: int) -> list[int]:
        if not batch:
            return []
        chunk, offset = self._reserve(length)
        region = Region(chunk, offset, length, b"", length)
        self.write(region, [b"".join(batch)])
        return [chunk] * count

    def _is_there(self, region: Region) -> bool:
        try:
            descriptor = os.open(self.path(region.chunk), os.O_RDONLY)
        except OSError:
            return False
        try:
            whole = os.fstat(descriptor).st_size >= region.data + region.size
            return whole and os.pread(descriptor, len(region.header), region.offset) == region.header
        finally:
            os.close(descriptor)

    def _adopt(self, chunk: int, regions: list[Region]) -> None:
        end = _FIRST
        for region in regions:
            if region.offset > end:
                self._holes.append((chunk, end, region.offset - end))
            end = region.offset + region.length
        self._ends[chunk] = end
        descriptor = os.open(self.path(chunk), os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.ftruncate(descriptor, end)
        finally:
            os.close(descriptor)

    def _failed(self, path: Path, error: OSError) -> FileError:
        self._failure = self._failure or (path, error)
        return write_failure(path, error)


def _in_gib(size: int) -> str:
    return f"{size / GIB:.2f} GiB" if size >= GIB // 100 else f"{size} bytes"
