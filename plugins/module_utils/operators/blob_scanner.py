# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the objects of a catalog file lie: JSON objects one after another, or YAML documents, in files of any size.

Only a window of a file is in memory at a time, and of the objects only the one that was found last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from ansible_collections.quayside.airgap.plugins.module_utils.core.thirdparty import load
from ansible_collections.quayside.airgap.plugins.module_utils.core.yaml import NestedTooDeeply, refuse_depth

_WINDOW = 4 << 20
# One bundle carries a CSV and its CRDs, which Kubernetes limits to little more than a megabyte each
LARGEST_OBJECT = 256 << 20
_SPACE = re.compile(r"[ \t\r\n]*(?:---[ \t]*(?:\r?\n|\Z)[ \t\r\n]*)*")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MARKER = re.compile(rb"---(?:[ \t\r\n]|$)")
_NOTHING = re.compile(rb"[ \t]*(?:[#%].*)?\r?\n?")
# What an expanded YAML document may hold: references to anchors multiply
_MOST_NODES = 5_000_000
# libyaml's composer calls itself for every level, until the stack ends and the process with it
_DEEPEST = 500


class ScanError(Exception):
    """A stream that cannot be understood from some place on.

    :ivar line: where, counted from 1.
    """

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        self.reason = reason
        super().__init__(f"line {line}: {reason}")


class Found(NamedTuple):
    """An object of a stream.

    :ivar offset, size: where its JSON text lies, in bytes; both 0 for an object that was written in YAML.
    :ivar line: where it begins, counted from 1.
    """

    offset: int
    size: int
    line: int
    value: dict[str, Any]


def scan(stream: BinaryIO, window: int = _WINDOW) -> Iterator[Found]:
    """The objects of a stream, in its order.

    A stream is JSON when its first character is a brace, as the tools decide that read catalogs, and YAML otherwise.

    :param window: how many bytes to read at a time.
    :raises ScanError: at the first thing that is no object; what came before was good.
    :raises DependencyError: for YAML where PyYAML is not installed.
    """
    start = stream.read(max(window, len(_BYTE_ORDER_MARK)))
    mark = len(_BYTE_ORDER_MARK) if start.startswith(_BYTE_ORDER_MARK) else 0
    start = start[mark:]
    while start and not start.strip():
        more = stream.read(window)
        if not more:
            return
        start += more
    if start.lstrip()[:1] == b"{":
        yield from _scan_json(stream, start, mark, window)
    elif start:
        yield from _scan_yaml(stream, start, window)


# --- JSON


def _scan_json(stream: BinaryIO, start: bytes, offset: int, window: int) -> Iterator[Found]:
    # Read as Latin-1 every byte is a character, so that places in the text are places in the file; the marks of JSON are ASCII
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    text = start.decode("latin-1")
    position, line, ended = 0, 1, False
    while True:
        begin = _space_end(text, position)
        line += text.count("\n", position, begin)
        position = begin
        if position == len(text) and ended:
            return
        try:
            value, end = decoder.raw_decode(text, position)
        except RecursionError:
            raise ScanError(line, "it is nested too deeply") from None
        except ValueError as error:
            if ended or not _cut_off(error, text):
                raise _no_json(error, text, position, line) from error
        else:
            found = text[position:end]
            yield Found(offset + position, len(found), line, _object(value, found, line))
            line += found.count("\n")
            position = end
            continue
        text = text[position:]
        offset += position
        position = 0
        if len(text) > LARGEST_OBJECT:
            raise ScanError(line, f"one object is larger than {LARGEST_OBJECT >> 20} MiB")
        # what did not fit is read again from its beginning: read as much as there is, so that this happens seldom
        more = stream.read(max(window, len(text)))
        ended = not more
        text += more.decode("latin-1")


def _space_end(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _object(value: Any, found: str, line: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ScanError(line, "an object is expected here")
    if found.isascii():
        return value
    document: dict[str, Any] = json.loads(found.encode("latin-1").decode("utf-8", "replace"))
    return document


def _cut_off(error: ValueError, text: str) -> bool:
    """Whether what ails the text may be that the window ends."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    # an escape sequence has up to 12 characters with its second half, the literals are shorter
    return error.msg.startswith("Unterminated string") or error.pos >= len(text) - 12


def _no_json(error: ValueError, text: str, position: int, line: int) -> ScanError:
    if isinstance(error, json.JSONDecodeError):
        return ScanError(line + text.count("\n", position, error.pos), f"it is no JSON: {error.msg}")
    return ScanError(line, f"it is no JSON: {error}")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


# --- YAML


def _scan_yaml(stream: BinaryIO, start: bytes, window: int) -> Iterator[Found]:
    loader = _loader()
    for line, text in _documents(stream, start, window):
        yield from _load_yaml(text, line, loader)


def _documents(stream: BinaryIO, start: bytes, window: int) -> Iterator[tuple[int, bytes]]:
    """The parts of a stream between its document markers, with the line on which each begins.

    A marker cannot stand at the beginning of a line inside a document (YAML 1.2, 9.1.2), so that lines are enough to look at.
    """
    lines: list[bytes] = []
    first, size, content = 1, 0, False
    for number, text in enumerate(_lines(stream, start, window), 1):
        if _MARKER.match(text) and content:
            yield first, b"".join(lines)
            lines, first, size, content = [], number, 0, False
        content = content or not _NOTHING.fullmatch(text)
        lines.append(text)
        size += len(text)
        if size > LARGEST_OBJECT:
            raise ScanError(first, f"one document is larger than {LARGEST_OBJECT >> 20} MiB")
    if content:
        yield first, b"".join(lines)


def _lines(stream: BinaryIO, start: bytes, window: int) -> Iterator[bytes]:
    rest = start
    while True:
        lines = rest.splitlines(keepends=True)
        rest = lines.pop() if lines else b""
        yield from lines
        more = stream.read(window)
        if not more:
            break
        rest += more
    if rest:
        yield rest


def _load_yaml(text: bytes, line: int, loader: Any) -> Iterator[Found]:
    yaml = load("yaml")
    body = text[3:] if _MARKER.match(text) else text
    # JSON between markers is common, and read a hundred times faster as such
    known = _json_or_none(body) if body.lstrip()[:1] == b"{" else None
    try:
        documents = [known] if known is not None else _documents_of(text, line, loader)
        for document in documents:
            if document is None:
                continue
            if not isinstance(document, dict):
                raise ScanError(line, "an object is expected here")
            _refuse_bombs(document, line)
            yield Found(0, 0, line, document)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ScanError(line + (mark.line if mark else 0), f"it is no YAML: {reason}") from error
    except RecursionError:
        raise ScanError(line, "it is nested too deeply") from None
    except ValueError as error:
        # no UTF-8, a number of too many digits, a date that does not exist
        raise ScanError(line, f"it is no YAML: {error}") from error


def _documents_of(text: bytes, line: int, loader: Any) -> list[Any]:
    yaml = load("yaml")
    decoded = text.decode("utf-8")
    try:
        refuse_depth(decoded, _DEEPEST)
    except NestedTooDeeply:
        raise ScanError(line, "it is nested too deeply") from None
    return list(yaml.load_all(decoded, Loader=loader))


def _json_or_none(text: bytes) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return None


def _refuse_bombs(document: Any, line: int) -> None:
    """Few bytes can stand for a lot, and even for something without end, where anchors are referred to."""
    nodes = 0
    waiting = [document]
    while waiting:
        node = waiting.pop()
        nodes += 1
        if nodes > _MOST_NODES:
            raise ScanError(line, "its anchors stand for too much content")
        if isinstance(node, dict):
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _loader() -> Any:
    """A YAML reader that makes of scalars what JSON has: no dates, and no special meaning of '='."""
    yaml = load("yaml")
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    unwanted = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
    resolvers = {
        first: [(tag, expression) for tag, expression in found if tag not in unwanted]
        for first, found in base.yaml_implicit_resolvers.items()
    }
    return type("CatalogLoader", (base,), {"yaml_implicit_resolvers": resolvers})
