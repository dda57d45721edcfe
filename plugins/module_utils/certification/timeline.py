# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time line of a catalog: dates as it writes them, windows on it, and where to divide them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

# Catalog API: dates are precise to the millisecond, so that windows may begin at any of them
_TICK = datetime.timedelta(milliseconds=1)
_UTC = datetime.timezone.utc

# Of the records of a page, newest first: as written, and as they are
Dates = list[tuple[str, datetime.datetime]]


class Window:
    """A part of the time line, walked from its end to its beginning.

    :ivar low: first date that belongs to it; empty for all that is older.
    :ivar high: its end; ``closed`` says whether that date belongs to it.
    :ivar size: records asked for at once.
    :ivar found: what was read so far, by _id.
    :ivar cursor: date from which on to read, empty before the first page; ``inclusive`` says whether that date is to be read too.
    :ivar instant: a date that more records have than a page holds, while these are read; empty else.
    :ivar page: number of the next page of the instant; ``tied``: which of those found are of it; ``alike``: how many there are.
    :ivar expected: how many records the server counts in the window; None as long as it was not asked.
    :ivar slow: attempts at the next page that were too slow; ``repairs``: how often the window was begun again.
    """

    def __init__(self, low: str, high: str, size: int, *, closed: bool) -> None:
        self.low = low
        self.high = high
        self.closed = closed
        self.size = size
        self.slow = 0
        self.repairs = 0
        self.begin()

    def begin(self) -> None:
        """Forget what was read."""
        self.found: dict[str, Any] = {}
        self.cursor = ""
        self.inclusive = True
        self.instant = ""
        self.page = 0
        self.tied: set[str] = set()
        self.alike = 0
        self.expected: int | None = None

    def move(self, cursor: str, rows: Iterable[dict[str, Any]]) -> None:
        """Go on from the date of the last record read.

        The next page brings the records of that date again, unless they have gone meanwhile: only when they are given up here,
        what is found is what the server counts.
        """
        self.cursor = cursor
        self.inclusive = True
        for row in rows:
            if row["creation_date"] == cursor:
                self.found.pop(row["_id"], None)

    def enter(self, instant: str) -> None:
        """Read the records of one date by page numbers, from the first one."""
        for identifier in self.tied:
            self.found.pop(identifier, None)
        self.instant = instant
        self.page = 0
        self.tied = set()

    def leave(self) -> None:
        """Go on behind the date of which all records are read."""
        self.cursor = self.instant
        self.inclusive = False
        self.instant = ""
        self.tied = set()

    @property
    def dates(self) -> tuple[str, ...]:
        """The conditions for all that is in the window."""
        return self._conditions(f"<={self.high}" if self.closed else f"<{self.high}")

    @property
    def ahead(self) -> tuple[str, ...]:
        """The conditions for what is to be read next."""
        if self.instant:
            return (f">={self.instant}", f"<={self.instant}")
        return self._conditions(f"<{'=' * self.inclusive}{self.cursor}") if self.cursor else self.dates

    def _conditions(self, upper: str) -> tuple[str, ...]:
        return (f">={self.low}", upper) if self.low else (upper,)


def divisions(dates: Dates, begin: datetime.datetime, parts: int, rest: int | None) -> list[datetime.datetime]:
    """Where to divide what is ahead of a page into so many parts, newest first.

    By equal times, unless the second half of the page is so dense that all the rest would be in a small part of the range:
    then that small part is divided, and what is behind it is a part of its own.
    """
    end = dates[-1][1]
    middle = dates[len(dates) // 2][1]
    if rest is not None and parts > 2:
        # so long would the rest take if it went on as in that half
        likely = (middle - end) * (2 * rest / len(dates))
        if _TICK * parts < likely < (end - begin) / 2:
            near = evenly(end - likely, end, parts - 1)
            edge = _floor(end - likely)
            return [*near, edge] if near and edge < near[-1] else near
    return evenly(begin, end, parts)


def evenly(begin: datetime.datetime, end: datetime.datetime, parts: int) -> list[datetime.datetime]:
    """Dates strictly between the two, newest first, that divide the time into equal parts: fewer where there are not enough."""
    span = end - begin
    cuts = sorted({_floor(begin + span * number / parts) for number in range(1, parts)}, reverse=True)
    return [cut for cut in cuts if begin < cut < end]


def _floor(date: datetime.datetime) -> datetime.datetime:
    return date.replace(microsecond=date.microsecond // 1000 * 1000)


def written(date: datetime.datetime) -> str:
    """As the catalog writes dates, so that a server may also compare them as texts."""
    return date.astimezone(_UTC).isoformat(timespec="microseconds")


def moment(text: Any) -> datetime.datetime:
    """The date that a text stands for (RFC 3339); one without an offset is UTC.

    :raises ValueError: when it is none.
    """
    if not isinstance(text, str):
        raise ValueError(f"{text!r}")
    try:
        date = datetime.datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in ("Z", "z") else text)
    except ValueError:
        raise ValueError(f"'{text[:60]}'") from None
    return date if date.tzinfo is not None else date.replace(tzinfo=_UTC)
