# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the catalog API: RSQL with names for `and` and `or`, `not(...)`, regular expressions and element matches.

Dotted paths run through lists: a comparison holds when it holds for one element, `!=` when no element is equal.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Union

__all__ = ["AllOf", "AnyOf", "Comparison", "FilterError", "Match", "Not", "moment", "parse", "values_at"]

_SELECTOR = re.compile(r"[A-Za-z_$][\w$-]*(?:\.[A-Za-z0-9_$][\w$-]*)*")
_OPERATOR = re.compile(r"==|!=|<=|>=|<|>|=(?:lt|le|gt|ge|in|out|regex|iregex|em|size)=")
_PLAIN = re.compile(r"[^\s\"'();,]+")
_AND = re.compile(r"\s*;\s*|\s+and\s+")
_OR = re.compile(r"\s*,\s*|\s+or\s+")
_NOT = re.compile(r"not\s*\(")
_ALIASES = {"=lt=": "<", "=le=": "<=", "=gt=": ">", "=ge=": ">="}
_LITERALS: dict[str, Any] = {"null": None, "true": True, "false": False}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MICROSECOND = datetime.timedelta(microseconds=1)

Record = Mapping[str, Any]


class FilterError(ValueError):
    """A filter that the API cannot read; the message says what is wrong with it."""


class Comparison(NamedTuple):
    """`path operator value`; the value is a text, None, a truth value, or (for =in=, =out=) a tuple of them."""

    path: str
    operator: str
    value: Any


class Match(NamedTuple):
    """`path=em=(inner)`: one element of the list fulfils all of `inner`."""

    path: str
    inner: Expression


class Not(NamedTuple):
    """`not(inner)`."""

    inner: Expression


class AllOf(NamedTuple):
    """Every part holds; without parts always."""

    parts: tuple[Expression, ...]


class AnyOf(NamedTuple):
    """At least one part holds."""

    parts: tuple[Expression, ...]


Expression = Union[Comparison, Match, Not, AllOf, AnyOf]
Predicate = Callable[[Record], bool]


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Expression:
    """The meaning of a filter; an empty one lets everything through.

    :raises FilterError: when it is none.
    """
    if not text.strip():
        return AllOf(())
    reader = _Reader(text.strip())
    found = reader.either()
    if not reader.ended:
        raise reader.bad("and, or, or its end")
    return found


def paths_of(expression: Expression) -> Iterator[str]:
    """Every path that an expression looks at."""
    if isinstance(expression, Comparison):
        yield expression.path
    elif isinstance(expression, Match):
        yield from (f"{expression.path}.{path}" for path in paths_of(expression.inner))
    elif isinstance(expression, Not):
        yield from paths_of(expression.inner)
    else:
        for part in expression.parts:
            yield from paths_of(part)


def compile_filter(expression: Expression) -> Predicate:
    """A function that tells whether a record fulfils an expression.

    :raises FilterError: for a value that does not fit to its field.
    """
    if isinstance(expression, Comparison):
        return _comparison(expression)
    if isinstance(expression, Match):
        inner = compile_filter(expression.inner)
        path = tuple(expression.path.split("."))
        return lambda record: any(isinstance(value, Mapping) and inner(value) for value in values_at(record, path))
    if isinstance(expression, Not):
        negated = compile_filter(expression.inner)
        return lambda record: not negated(record)
    parts = [compile_filter(part) for part in expression.parts]
    if isinstance(expression, AllOf):
        return lambda record: all(part(record) for part in parts)
    return lambda record: any(part(record) for part in parts)


def values_at(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """All values that a dotted path leads to, through lists; what is missing gives nothing."""
    if isinstance(value, list):
        for element in value:
            yield from values_at(element, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from values_at(value[path[0]], path[1:])


def moment(text: str) -> int:
    """A date as microseconds since 1970.

    :raises FilterError: when it is none.
    """
    try:
        date = datetime.datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in ("Z", "z") else text)
    except ValueError:
        raise FilterError(f"'{text}' is not a date-time") from None
    if date.tzinfo is None:
        date = date.replace(tzinfo=datetime.timezone.utc)
    return (date - _EPOCH) // _MICROSECOND


def is_date(path: str) -> bool:
    """Whether a field holds a date."""
    return path.endswith("_date")


def _comparison(comparison: Comparison) -> Predicate:
    path = tuple(comparison.path.split("."))
    operator, value = comparison.operator, comparison.value
    if operator in ("!=", "=out="):
        # as in the database behind it: no element may be equal, and what is not there is not equal
        equal = _comparison(Comparison(comparison.path, "==" if operator == "!=" else "=in=", value))
        return lambda record: not equal(record)
    if operator == "=in=":
        each = [_comparison(Comparison(comparison.path, "==", one)) for one in value]
        return lambda record: any(one(record) for one in each)
    if operator in ("=regex=", "=iregex="):
        try:
            pattern = re.compile(str(value), re.IGNORECASE if operator == "=iregex=" else 0)
        except re.error as error:
            raise FilterError(f"'{value}' is not a regular expression: {error}") from None
        return lambda record: any(isinstance(found, str) and pattern.search(found) is not None for found in values_at(record, path))
    if operator == "=size=":
        return lambda record: any(len(found) == int(value) for found in _lists_at(record, path))
    if value is None:
        if operator != "==":
            raise FilterError(f"null cannot stand behind {operator}")
        return lambda record: all(found is None for found in values_at(record, path))
    compare = _COMPARE[operator]
    convert = _converter(comparison.path, value)
    return lambda record: any(_holds(compare, found, convert) for found in values_at(record, path))


def _lists_at(value: Any, path: tuple[str, ...]) -> Iterator[list[Any]]:
    if not path:
        if isinstance(value, list):
            yield value
    elif isinstance(value, list):
        for element in value:
            yield from _lists_at(element, path)
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _lists_at(value[path[0]], path[1:])


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda one, other: bool(one == other),
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}

_Pair = Union["tuple[Any, Any]", None]


def _holds(compare: Callable[[Any, Any], bool], found: Any, convert: Callable[[Any], _Pair]) -> bool:
    pair = convert(found)
    return pair is not None and compare(*pair)


def _converter(path: str, value: Any) -> Callable[[Any], _Pair]:
    """What makes a value of a record comparable with that of the filter; None where they are of different types."""
    if is_date(path):
        wanted = moment(str(value))
        return lambda found: (moment(found), wanted) if isinstance(found, str) else None
    if isinstance(value, bool):
        return lambda found: (found, value) if isinstance(found, bool) else None

    def convert(found: Any) -> _Pair:
        if isinstance(found, str):
            return found, value
        if isinstance(found, (int, float)) and not isinstance(found, bool):
            try:
                return float(found), float(value)
            except ValueError:
                return None
        return None

    return convert


class _Reader:
    """Reads one filter from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0

    @property
    def ended(self) -> bool:
        return self._place >= len(self._text)

    def bad(self, wanted: str) -> FilterError:
        return FilterError(f"Invalid filter: {wanted} expected at position {self._place} of '{self._text}'")

    def either(self) -> Expression:
        parts = [self._both()]
        while self._take(_OR):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _both(self) -> Expression:
        parts = [self._one()]
        while self._take(_AND):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _one(self) -> Expression:
        self._blanks()
        if self._take(_NOT):
            inner = self.either()
            self._close()
            return Not(inner)
        if self._text.startswith("(", self._place):
            self._place += 1
            inner = self.either()
            self._close()
            return inner
        path = self._take(_SELECTOR)
        if not path:
            raise self.bad("a field")
        self._blanks()
        operator = self._take(_OPERATOR)
        if not operator:
            raise self.bad("an operator")
        operator = _ALIASES.get(operator, operator)
        self._blanks()
        if operator == "=em=":
            self._open()
            inner = self.either()
            self._close()
            return Match(path, inner)
        if operator in ("=in=", "=out="):
            return Comparison(path, operator, self._list())
        return Comparison(path, operator, self._value())

    def _list(self) -> tuple[Any, ...]:
        self._open()
        values = [self._value()]
        while self._take(_OR):
            values.append(self._value())
        self._close()
        return tuple(values)

    def _value(self) -> Any:
        self._blanks()
        mark = self._text[self._place : self._place + 1]
        if mark in ("'", '"'):
            end = self._text.find(mark, self._place + 1)
            if end < 0:
                raise self.bad("a closing quote")
            text = self._text[self._place + 1 : end]
            self._place = end + 1
            return text
        word = self._take(_PLAIN)
        if not word:
            raise self.bad("a value")
        return _LITERALS.get(word, word)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._place)
        if not found:
            return ""
        self._place = found.end()
        return found[0]

    def _blanks(self) -> None:
        while self._text.startswith(" ", self._place):
            self._place += 1

    def _open(self) -> None:
        self._blanks()
        if not self._text.startswith("(", self._place):
            raise self.bad("(")
        self._place += 1
        self._blanks()

    def _close(self) -> None:
        self._blanks()
        if not self._text.startswith(")", self._place):
            raise self.bad(")")
        self._place += 1
