# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a stream and where they lie, whatever the window that is looked through."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.operators.blob_scanner import ScanError, scan

WINDOWS = (1, 2, 7, 64, 1 << 20)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=10,
)
objects = st.dictionaries(st.text(max_size=5), values, max_size=4)


def found(text, window=1 << 20):
    return list(scan(io.BytesIO(text.encode() if isinstance(text, str) else text), window))


def fault(text, window=1 << 20):
    with pytest.raises(ScanError) as error:
        found(text, window)
    return str(error.value)


@given(
    st.lists(objects, max_size=5), st.sampled_from(["", "\n", " \r\n\t", "\n---\n"]), st.sampled_from([None, 2]), st.sampled_from(WINDOWS)
)
def test_json_is_found_where_it_lies(wanted, space, indent, window):
    raw = space.join([json.dumps(value, indent=indent, ensure_ascii=indent is None) for value in wanted]).encode("utf-8", "replace")
    pieces = found(raw, window)
    assert [json.loads(raw[piece.offset : piece.offset + piece.size]) for piece in pieces] == [piece.value for piece in pieces]
    assert len(pieces) == len(wanted)
    assert [raw[: piece.offset].count(b"\n") + 1 for piece in pieces] == [piece.line for piece in pieces]


@pytest.mark.parametrize("window", WINDOWS)
def test_characters_of_several_bytes_are_whole(window):
    text = '{"a": "ä€😀", "b": "\\ud83d\\ude00"} {"c": "ü"}'
    assert [piece.value for piece in found(text, window)] == [{"a": "ä€😀", "b": "😀"}, {"c": "ü"}]


def test_bytes_that_are_no_utf8_are_replaced_as_the_tools_do():
    assert found(b'{"a": "\xff"}')[0].value == {"a": "\ufffd"}


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("text", ["", " \n\t ", "\ufeff", "---\n", "# nothing\n---\n# at all\n"])
def test_nothing_in_a_file_is_fine(text, window):
    assert found(text, window) == []


def test_the_byte_order_mark_is_no_content():
    assert [(piece.offset, piece.size) for piece in found('\ufeff{"a": 1}')] == [(3, 8)]
    assert found("\ufeffa: 1")[0].value == {"a": 1}


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": 1}\n{"a": }', "line 2: it is no JSON: Expecting value"),
        ('{"a": 1}\n\n{"a":\n1', "line 4: it is no JSON: Expecting ',' delimiter"),
        ('{"a": 1} [1]', "line 1: an object is expected here"),
        ('{"a": 1}\n"x"', "line 2: an object is expected here"),
        ('{"a": 1}\nnull', "line 2: an object is expected here"),
        ('{"a": "x', "line 1: it is no JSON: Unterminated string"),
        ('{"a": NaN}', "line 1: it is no JSON: NaN is no number"),
        ('{"a": 1}}', "line 1: it is no JSON"),
        ('{"a": "\x01"}', "line 1: it is no JSON: Invalid control character"),
    ],
)
def test_what_is_no_json_is_told_with_its_line(text, why, window):
    assert why in fault(text, window)


@pytest.mark.parametrize(
    "text",
    ['{"a": ' + "[" * 100_000, "a: " + "[" * 100_000, "a:\n " + "- " * 100_000, "a:\n" + "".join(" " * n + "a:\n" for n in range(1, 600))],
)
def test_what_is_nested_without_end_is_refused(text):
    assert fault(text) == "line 1: it is nested too deeply"


def test_a_fault_does_not_take_the_rest_of_a_large_file_along():
    """What is wrong at the beginning is told without reading on to the end."""
    stream = io.BytesIO(b'{"a": ?}' + b" " * 1_000_000)
    with pytest.raises(ScanError, match="Expecting value"):
        list(scan(stream, 1000))
    assert stream.tell() == 1000


@pytest.mark.parametrize("window", WINDOWS)
def test_yaml_documents(window):
    text = "# first\na: 1\n---\n\n--- # third\nb: [2, x]\n...\n---\nc: |\n  --- no marker\n  x\n--- {d: 4}\n"
    pieces = found(text, window)
    assert [piece.value for piece in pieces] == [{"a": 1}, {"b": [2, "x"]}, {"c": "--- no marker\nx\n"}, {"d": 4}]
    assert [piece.line for piece in pieces] == [1, 5, 8, 12]
    assert [piece.size for piece in pieces] == [0, 0, 0, 0]


def test_json_between_yaml_markers():
    assert [piece.value for piece in found('---\n{"a": 1}\n---\n{"b": {}}\n---\n{c: 3}\n')] == [{"a": 1}, {"b": {}}, {"c": 3}]


def test_a_directive_belongs_to_what_follows():
    assert [piece.value for piece in found("%YAML 1.1\n---\na: 1\n")] == [{"a": 1}]


def test_dates_and_equal_signs_are_text_in_a_catalog():
    assert found("a: 2026-01-02\nb: =\nc: 1.10\nd: yes\n")[0].value == {"a": "2026-01-02", "b": "=", "c": 1.1, "d": True}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 1\n---\na: b: c\n", "line 3: it is no YAML: mapping values are not allowed"),
        ("a: 1\n---\n- x\n", "line 2: an object is expected here"),
        ("just words\n", "line 1: an object is expected here"),
        ("a: !!python/object:os.system x\n", "line 1: it is no YAML: could not determine a constructor"),
        (b"a: \xff\n", "line 1: it is no YAML"),
        ("a: \x07\n", "line 1: it is no YAML"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(text, why):
    assert why in fault(text)


def test_anchors_that_multiply_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{depth}: &a{depth} [{', '.join([f'*a{depth - 1}'] * 10)}]" for depth in range(1, 9)]
    assert "stand for too much" in fault("\n".join(lines))
    assert "stand for too much" in fault("a: &a\n  b: *a\n")
