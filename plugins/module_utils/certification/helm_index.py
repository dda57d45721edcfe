# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The index of a Helm repository: its charts, what is wrong with them, and how to mend it without touching anything else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from ansible_collections.quayside.airgap.plugins.module_utils.certification.constraints import Constraint, ConstraintError
from ansible_collections.quayside.airgap.plugins.module_utils.core.thirdparty import load
from ansible_collections.quayside.airgap.plugins.module_utils.core.yaml import NestedTooDeeply, refuse_depth

# What an index may stand for at most: aliases can make a gigabyte of a few lines
_MOST_VALUES = 1_000_000
_DEEPEST = 100
_NOTHING = ("", "~", "null", "Null", "NULL")
_COMMENT = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r|\n|\Z)")
_BLANK = re.compile(r"[ \t]*")
_BYTE_ORDER_MARK = "\ufeff"

KEEP, STRIP, DROP = "keep", "strip", "drop"


class HelmIndexError(ValueError):
    """A text is no index that certsuite would read, or it cannot be mended. It says why."""


class Chart(NamedTuple):
    """One version of a chart. Vendor, deprecation and annotations do not matter to certsuite.

    :ivar entry: the key under which the index has it.
    :ivar position: where it stands in the list of that key.
    :ivar kube_version: the constraint, empty for none.
    """

    entry: str
    position: int
    name: str
    version: str
    kube_version: str


class BadKubeVersion(NamedTuple):
    """A chart whose constraint cannot be read. certsuite: the check of a release of this chart ends in a panic."""

    chart: Chart
    reason: str


@dataclass(frozen=True)
class HelmIndex:
    """An index that certsuite would read.

    :ivar charts: in the order of the file.
    :ivar document: the plain values, all scalars as texts.
    """

    charts: tuple[Chart, ...]
    document: dict[str, Any]

    @property
    def missing(self) -> str:
        """What a whole index has and this one lacks, as a sentence without a full stop; empty for a whole one."""
        if not self.charts:
            return "it has no charts"
        if not self.document.get("generated"):
            # Helm writes it at the very end
            return "it has no 'generated' at its end: it was cut off"
        return ""

    @cached_property
    def digest(self) -> str:
        """What tells whether the charts of two indexes differ; the moment at which they were made does not count."""
        kept = {key: value for key, value in self.document.items() if key != "generated"}
        return _digest(json.dumps(kept, sort_keys=True, separators=(",", ":")).encode())

    @property
    def bad_kube_versions(self) -> list[BadKubeVersion]:
        """The charts whose constraint cannot be read."""
        found = []
        for chart in self.charts:
            reason = kube_version_fault(chart.kube_version)
            if reason:
                found.append(BadKubeVersion(chart, reason))
        return found


class Mended(NamedTuple):
    """An index without the constraints that certsuite cannot read.

    :ivar bad: those that were there, in the order of the file.
    """

    content: bytes
    bad: list[BadKubeVersion]


@lru_cache(maxsize=2)
def parse_index(content: bytes) -> HelmIndex:
    """The charts of an index. It may lack what a whole one has: look at ``missing``.

    :raises HelmIndexError: when certsuite would not load it; says why.
    :raises DependencyError: when PyYAML is not installed.
    """
    document = _document(_text(content))
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise HelmIndexError("it is no mapping")
    _refuse_bombs(document)
    return HelmIndex(tuple(_charts(document)), document)


def charts_digest(content: bytes) -> str:
    """What tells whether two indexes differ: of the charts where they can be read, else of the bytes."""
    try:
        return parse_index(content).digest
    except HelmIndexError:
        return _digest(content)


@lru_cache(maxsize=4096)
def kube_version_fault(text: str) -> str:
    """Why certsuite cannot read a kubeVersion, empty where it can; an empty kubeVersion is not looked at."""
    if text:
        try:
            Constraint.parse(text)
        except ConstraintError as error:
            return str(error)
    return ""


def mend(content: bytes, how: str) -> Mended:
    """The index with what is to be done about constraints that cannot be read; every other byte stays as it is.

    :param how: ``keep`` changes nothing, ``strip`` takes kubeVersion out of these charts, ``drop`` takes these charts out.
    :raises HelmIndexError: when the index cannot be read, or is written so that nothing can be taken out safely.
    """
    index = parse_index(content)
    bad = index.bad_kube_versions
    if how == KEEP or not bad:
        return Mended(content, bad)
    text = _text(content)
    places = {(found.chart.entry, found.chart.position) for found in bad}
    entries = index.document["entries"]
    if how == DROP:
        kept = {
            key: [chart for position, chart in enumerate(charts or []) if (key, position) not in places] for key, charts in entries.items()
        }
        emptied = {key for key, charts in entries.items() if charts and not kept[key]}
        wanted_entries: dict[str, Any] = {key: kept[key] if charts else charts for key, charts in entries.items() if key not in emptied}
        if not wanted_entries:
            raise HelmIndexError("none of its charts has a kubeVersion that can be read")
    else:
        wanted_entries = {
            key: [_without(chart) if (key, position) in places else chart for position, chart in enumerate(charts or [])]
            if charts
            else charts
            for key, charts in entries.items()
        }
        emptied = set()
    mended = _cut(text, _Editor(text).cuts(places, emptied, how))
    result = (_BYTE_ORDER_MARK + mended if content.startswith(_BYTE_ORDER_MARK.encode()) else mended).encode()
    try:
        same = parse_index(result).document == {**index.document, "entries": wanted_entries}
    except HelmIndexError:
        same = False
    if not same:
        raise HelmIndexError(_unsafe(bad[0].chart))
    return Mended(result, bad)


def _without(chart: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in chart.items() if key != "kubeVersion"}


def _unsafe(chart: Chart) -> str:
    return (
        f"the kubeVersion of {chart.name} {chart.version} cannot be taken out without touching something else, "
        "because of the way in which the file is written"
    )


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _text(content: bytes) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise HelmIndexError(f"it is no UTF-8 text, from byte {error.start} on") from error
    return text[1:] if text.startswith(_BYTE_ORDER_MARK) else text


def _document(text: str) -> Any:
    yaml = load("yaml")
    with _reading(yaml):
        refuse_depth(text, _DEEPEST)
        if "%YAML" in text:
            _refuse_dialect(yaml, text)
        return yaml.load(text, Loader=_loader())


def _refuse_dialect(yaml: Any, text: str) -> None:
    """certsuite: its reader takes nothing that says to be of another version of YAML than 1.1."""
    for event in yaml.parse(text, Loader=_loader()):
        if isinstance(event, yaml.DocumentStartEvent):
            if event.version not in (None, (1, 1)):
                raise HelmIndexError("it says to be written in YAML {}.{}, and certsuite reads 1.1 alone".format(*event.version))
            return


@contextmanager
def _reading(yaml: Any) -> Iterator[None]:
    """Turns what PyYAML raises into one error."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" in line {mark.line + 1}" if mark else ""
        raise HelmIndexError(f"it is no YAML: {error.problem or error.context}{where}") from error
    except yaml.YAMLError as error:
        raise HelmIndexError("it is no YAML: it has characters that YAML does not allow") from error
    except RecursionError as error:
        raise HelmIndexError(f"it is nested deeper than {_DEEPEST} levels, or refers to itself") from error
    except HelmIndexError:
        raise
    except NestedTooDeeply as error:
        raise HelmIndexError(str(error)) from error
    except (ValueError, OverflowError) as error:
        # PyYAML lets these through, for example for "\UFFFFFFFF"
        raise HelmIndexError("it is no YAML: it names a character that does not exist") from error


@lru_cache(maxsize=1)
def _loader() -> Any:
    """A reader that leaves scalars as they are written, so that version 1.10 stays 1.10; null is nothing, as in Go."""
    yaml = load("yaml")

    class Loader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
        def construct_scalar(self, node: Any) -> Any:
            value = node.value if node.id == "scalar" else super().construct_scalar(node)
            return None if value in _NOTHING and not node.style else value

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            if node.id != "mapping":
                return super().construct_mapping(node, deep=deep)
            own: dict[str, Any] = {}
            merged: dict[str, Any] = {}
            for key_node, value_node in node.value:
                line = key_node.start_mark.line + 1
                if key_node.id != "scalar":
                    raise HelmIndexError(f"it has a key that is no text in line {line}")
                value = self.construct_object(value_node, deep=True)
                key = key_node.value
                if key == "<<" and not key_node.style:
                    for part in reversed(value if isinstance(value, list) else [value]):
                        if not isinstance(part, dict):
                            raise HelmIndexError(f"it merges what is no mapping in line {line}")
                        merged.update(part)
                    continue
                if key in own:
                    # certsuite: the reader refuses it, too
                    raise HelmIndexError(f"it has the key '{key[:80]}' twice in one mapping, the second time in line {line}")
                own[key] = value
            return {**merged, **own}

    return Loader


def _refuse_bombs(document: dict[str, Any]) -> None:
    values = 0
    waiting: list[Any] = [document]
    while waiting:
        value = waiting.pop()
        children = value.values() if isinstance(value, dict) else value
        values += len(children)
        if values > _MOST_VALUES:
            raise HelmIndexError(f"its aliases stand for more than {_MOST_VALUES} values")
        waiting.extend(child for child in children if isinstance(child, (dict, list)))


def _charts(document: dict[str, Any]) -> Iterator[Chart]:
    """The charts, with the checks that certsuite's reader makes of what it reads."""
    entries = document.get("entries")
    if entries is None:
        return
    if not isinstance(entries, dict):
        raise HelmIndexError("its entries are no mapping")
    for entry, charts in entries.items():
        if charts is None:
            continue
        if not isinstance(charts, list):
            raise HelmIndexError(f"its entry '{entry[:80]}' is no list")
        for position, chart in enumerate(charts):
            if chart is None:
                continue
            if not isinstance(chart, dict):
                raise HelmIndexError(f"its entry '{entry[:80]}' holds something that is no chart")
            name, version, kube_version = (_scalar(entry, chart, key) for key in ("name", "version", "kubeVersion"))
            yield Chart(entry, position, name, version, kube_version)


def _scalar(entry: str, chart: dict[str, Any], key: str) -> str:
    value = chart.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise HelmIndexError(f"a chart of its entry '{entry[:80]}' has a {key} that is no text")
    return value


def _cut(text: str, cuts: list[tuple[int, int]]) -> str:
    parts = []
    position = 0
    for start, end in sorted(cuts):
        if start < position:
            raise HelmIndexError("what is to be taken out of it overlaps")
        parts.append(text[position:start])
        position = end
    return "".join(parts) + text[position:]


def _between_commas(spans: list[tuple[int, int]], numbers: list[int]) -> Iterator[tuple[int, int]]:
    """What to take out for some of the things between commas to go: the comma behind them too, at the end the one before them."""
    last = max((number for number in range(len(spans)) if number not in numbers), default=-1)
    for number in numbers:
        start, end = spans[number]
        if number < last:
            yield (start, spans[number + 1][0])
        else:
            yield (spans[number - 1][1] if number else start, end)


class _Editor:
    """Finds what has to go for a chart or a key of it to go."""

    def __init__(self, text: str) -> None:
        self._text = text
        yaml = load("yaml")
        with _reading(yaml):
            self._root = yaml.compose(text, Loader=_loader())

    def cuts(self, places: set[tuple[str, int]], emptied: set[str], how: str) -> list[tuple[int, int]]:
        """The parts of the text to take out.

        :param places: the charts by entry and position.
        :param emptied: the entries of which no chart is left.
        """
        found: set[tuple[int, int]] = set()
        entries = next((value for key, value in self._root.value if key.value == "entries"), None)
        if entries is None:
            raise HelmIndexError("its entries are merged in from elsewhere in the file")
        gone = [number for number, (key, _charts) in enumerate(entries.value) if key.value in emptied]
        if gone:
            found.update(self._pairs(entries, gone))
        for key, charts in entries.value:
            wanted = [position for position in range(len(charts.value)) if (key.value, position) in places and key.value not in emptied]
            if how == DROP and wanted:
                found.update(self._items(charts, wanted))
                continue
            for position in wanted:
                chart = charts.value[position]
                numbers = [index for index, (name, _value) in enumerate(chart.value) if name.value == "kubeVersion"]
                if not numbers:
                    raise HelmIndexError(f"the kubeVersion of a chart of '{key.value[:80]}' is merged in from elsewhere in the file")
                found.update(self._pairs(chart, numbers))
        return list(found)

    def _pairs(self, mapping: Any, numbers: list[int]) -> Iterator[tuple[int, int]]:
        """Keys of a mapping and their values, with what separates them from the others."""
        spans = [(key.start_mark.index, max(self._end(value), key.end_mark.index)) for key, value in mapping.value]
        if mapping.flow_style:
            yield from _between_commas(spans, numbers)
            return
        for number in numbers:
            start, end = spans[number]
            line = self._line_start(start)
            if not self._text[line:start].strip():
                yield (line, self._line_end(end))
                continue
            # the first of a chart, behind the dash
            following = spans[number + 1][0] if number + 1 < len(spans) else None
            if following is None or self._text[self._plain_end(end) : following].strip():
                raise HelmIndexError(
                    f"there is nothing, or a comment, behind the key '{mapping.value[number][0].value[:80]}' that has to go"
                )
            yield (start, following)

    def _items(self, sequence: Any, numbers: list[int]) -> Iterator[tuple[int, int]]:
        """Items of a sequence, with what separates them from the others."""
        spans = [(item.start_mark.index, self._end(item)) for item in sequence.value]
        if sequence.flow_style:
            yield from _between_commas(spans, numbers)
            return
        for number in numbers:
            start, end = spans[number]
            dash = self._text.rfind("-", 0, start)
            line = self._line_start(dash)
            if self._text[line:dash].strip() or self._text[dash + 1 : start].strip(" \t"):
                raise HelmIndexError("a chart that has to go does not begin on a line of its own")
            yield (line, self._line_end(end))

    def _end(self, node: Any) -> int:
        """Where the text of a node ends. The reader says it of scalars and of what has brackets; else comments are inside."""
        if node.id == "scalar" or node.flow_style or not node.value:
            return int(node.end_mark.index)
        last = node.value[-1]
        end = self._end(last[1]) if node.id == "mapping" else self._end(last)
        if end < node.start_mark.index:
            raise HelmIndexError("what has to go ends with an alias")
        return end

    def _plain_end(self, end: int) -> int:
        match = _BLANK.match(self._text, end)
        return match.end() if match else end

    def _line_start(self, position: int) -> int:
        return max(self._text.rfind("\n", 0, position), self._text.rfind("\r", 0, position)) + 1

    def _line_end(self, position: int) -> int:
        if position and self._text[position - 1] in "\r\n":
            # a block of text ends behind its last line
            return position
        match = _COMMENT.match(self._text, position)
        if match is None:
            raise HelmIndexError("what has to go does not end at the end of a line")
        return match.end()
