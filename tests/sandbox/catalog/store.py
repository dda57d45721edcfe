# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of one endpoint, so that a page of them is found and written in the time of a few look-ups.

What a filter asks of creation dates is answered by bisection in lists that are sorted by them, one list for each of the other
conditions that were ever asked; a record is written once for each selection of its fields.
"""

from __future__ import annotations

import bisect
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.quayside.airgap.tests.sandbox.catalog.layout import LIGHT, Selection, write_row
from ansible_collections.quayside.airgap.tests.sandbox.catalog.rsql import (
    AllOf,
    Comparison,
    Expression,
    FilterError,
    Predicate,
    compile_filter,
    is_date,
    moment,
    paths_of,
    values_at,
)

__all__ = ["Endpoint", "Found", "Record"]

Record = dict[str, Any]
_DATE = "creation_date"
_NONE = -1
_LATEST = 1 << 62


class _Entry:
    """A record, and how it was written so far."""

    __slots__ = ("date", "place", "record", "texts")

    def __init__(self, record: Record, place: int) -> None:
        date = record.get(_DATE)
        self.record = record
        self.place = place
        try:
            self.date = moment(date) if isinstance(date, str) else _NONE
        except FilterError:  # a record that a test spoilt
            self.date = _NONE
        self.texts: dict[str, str] = {}

    @property
    def key(self) -> tuple[int, int]:
        return self.date, self.place


class _View:
    """Entries that fulfil a condition, sorted by creation date; those of one date by their place."""

    def __init__(self, holds: Predicate, entries: Iterable[_Entry]) -> None:
        self.holds = holds
        self.entries = sorted((entry for entry in entries if holds(entry.record)), key=lambda entry: entry.key)
        self.keys = [entry.key for entry in self.entries]

    def add(self, entry: _Entry) -> None:
        if self.holds(entry.record):
            place = bisect.bisect_left(self.keys, entry.key)
            self.keys.insert(place, entry.key)
            self.entries.insert(place, entry)

    def remove(self, entry: _Entry) -> None:
        place = bisect.bisect_left(self.keys, entry.key)
        if place < len(self.keys) and self.keys[place] == entry.key:
            del self.keys[place]
            del self.entries[place]

    def between(self, low: tuple[int, int], high: tuple[int, int]) -> tuple[int, int]:
        """First place at or behind `low`, and first at or behind `high`."""
        first = bisect.bisect_left(self.keys, low)
        return first, max(first, bisect.bisect_left(self.keys, high))


class Found(NamedTuple):
    """A page: its records, already written, and how many the filter lets through in all."""

    rows: list[str]
    total: int


class Endpoint:
    """Records that can be asked for and changed. Its owner keeps callers apart.

    undated_newest   a record without a creation date counts as newer than all others, not as older
    ties_move        the order of records that a sort does not tell apart depends on the filter
    """

    def __init__(
        self,
        records: Iterable[Record],
        whole: Callable[[Mapping[str, Any]], Record],
        *,
        undated_newest: bool = False,
        ties_move: bool = False,
    ) -> None:
        self._whole = whole
        self._ties_move = ties_move
        self._undated_newest = undated_newest
        self._places = 0
        self._entries: dict[str, _Entry] = {}
        self._views: dict[Expression, _View] = {}
        self._lists: dict[tuple[Expression, str], list[_Entry]] = {}
        for record in records:
            self.add(record)

    # ----------------------------------------------------------------- changes

    @property
    def records(self) -> list[Record]:
        """All records in their natural order."""
        return [entry.record for entry in self._entries.values()]

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, identifier: str) -> Record:
        """The record with this _id; KeyError without one."""
        return self._entries[identifier].record

    def add(self, record: Record) -> None:
        """One more record, the last of the natural order."""
        if record["_id"] in self._entries:
            raise ValueError(f"there is a record {record['_id']} already")
        self._places += 1
        self._put(_Entry(record, self._places))

    def remove(self, identifier: str) -> Record:
        """Forget a record; KeyError when there is none with this _id."""
        entry = self._entries.pop(identifier)
        for view in self._views.values():
            view.remove(entry)
        self._lists.clear()
        return entry.record

    def replace(self, record: Record) -> None:
        """Another state of the record with the same _id, at the same place; KeyError when there is none."""
        old = self._entries[record["_id"]]
        for view in self._views.values():
            view.remove(old)
        self._put(_Entry(record, old.place))

    def _put(self, entry: _Entry) -> None:
        if self._undated_newest and entry.date == _NONE:
            entry.date = _LATEST
        self._entries[entry.record["_id"]] = entry
        for view in self._views.values():
            view.add(entry)
        self._lists.clear()

    # --------------------------------------------------------------- questions

    def select(self, wanted: Expression, sort_by: str, start: int, count: int, selection: Selection) -> Found:
        """`count` records from the place `start` on among those that a filter lets through, in this order.

        :raises FilterError: for a filter or an order that cannot be.
        """
        direction = 0 if self._ties_move else _by_date(sort_by)
        if direction:
            rest, low, high = _split(wanted)
            view = self._view(rest)
            first, end = view.between(low, high)
            if direction > 0:
                chosen = view.entries[min(first + start, end) : min(first + start + count, end)]
            else:
                chosen = view.entries[max(end - start - count, first) : max(end - start, first)][::-1]
            total = end - first
        else:
            entries = self._list(wanted, sort_by)
            chosen = entries[start : start + count]
            total = len(entries)
        return Found([self._text(entry, selection) for entry in chosen], total)

    def matching(self, wanted: Expression) -> list[Record]:
        """The records that a filter lets through, oldest first."""
        rest, low, high = _split(wanted)
        view = self._view(rest)
        first, end = view.between(low, high)
        return [entry.record for entry in view.entries[first:end]]

    def prepare(self, selection: Selection, wanted: Expression) -> None:
        """Write everything that a filter lets through, so that no answer has to wait for it."""
        for entry in self._view(_split(wanted)[0]).entries:
            self._text(entry, selection)

    def _view(self, condition: Expression) -> _View:
        view = self._views.get(condition)
        if view is None:
            view = self._views[condition] = _View(self._predicate(condition), self._entries.values())
        return view

    def _list(self, wanted: Expression, sort_by: str) -> list[_Entry]:
        """Everything that a filter lets through in another order than that of the dates; kept until something changes."""
        key = (wanted, sort_by)
        if key not in self._lists:
            rest, low, high = _split(wanted)
            view = self._view(rest)
            first, end = view.between(low, high)
            entries = sorted(view.entries[first:end], key=lambda entry: entry.place)
            if self._ties_move and sort_by:
                random.Random(repr(wanted)).shuffle(entries)
            for name, descending in reversed(list(_orders(sort_by))):
                path = tuple(name.split("."))
                if name == _DATE:
                    entries.sort(key=lambda entry: entry.date, reverse=descending)
                else:
                    entries.sort(key=lambda entry: _order(entry.record, path), reverse=descending)
            self._lists[key] = entries
        return self._lists[key]

    def _predicate(self, condition: Expression) -> Predicate:
        holds = compile_filter(condition)
        if LIGHT.issuperset(paths_of(condition)):
            return holds
        # a field that only whole records have
        return lambda record: holds(self._whole(record))

    def _text(self, entry: _Entry, selection: Selection) -> str:
        text = entry.texts.get(selection.key)
        if text is None:
            text = write_row(self._whole(entry.record) if selection.deep else entry.record, selection)
            entry.texts[selection.key] = text
        return text


def _split(wanted: Expression) -> tuple[Expression, tuple[int, int], tuple[int, int]]:
    """What a filter asks beside a range of creation dates, and that range."""
    parts = wanted.parts if isinstance(wanted, AllOf) else (wanted,)
    rest: list[Expression] = []
    low, high = (_NONE - 1, 0), (_LATEST + 1, 0)
    for part in parts:
        if not (isinstance(part, Comparison) and part.path == _DATE and part.operator in ("<", "<=", ">", ">=") and part.value is not None):
            rest.append(part)
            continue
        date = moment(str(part.value))
        # a record without a date is in no range
        low, high = max(low, (_NONE + 1, 0)), min(high, (_LATEST, 0))
        if part.operator == "<":
            high = min(high, (date, 0))
        elif part.operator == "<=":
            high = min(high, (date + 1, 0))
        elif part.operator == ">=":
            low = max(low, (date, 0))
        else:
            low = max(low, (date + 1, 0))
    return AllOf(tuple(rest)), low, high


def _orders(sort_by: str) -> Iterator[tuple[str, bool]]:
    """Fields and whether they are sorted downwards."""
    for part in sort_by.split(",") if sort_by else ():
        name, bracket, way = part.strip().partition("[")
        if not name or way not in (("asc]", "desc]") if bracket else ("",)):
            raise FilterError(f"Invalid sort_by: '{part}'")
        yield name, way == "desc]"


def _by_date(sort_by: str) -> int:
    """1 for creation_date upwards, -1 downwards, 0 for any other order."""
    orders = list(_orders(sort_by))
    if len(orders) != 1 or orders[0][0] != _DATE:
        return 0
    return -1 if orders[0][1] else 1


def _order(record: Record, path: tuple[str, ...]) -> tuple[int, Any]:
    """As the database behind it sorts: what is not there comes before numbers, these before texts."""
    values: Sequence[Any] = [value for value in values_at(record, path) if value is not None]
    if not values:
        return 0, 0
    value = values[0]
    if isinstance(value, str):
        return (1, moment(value)) if is_date(".".join(path)) else (2, value)
    return 1, value if isinstance(value, (int, float)) else str(value)
