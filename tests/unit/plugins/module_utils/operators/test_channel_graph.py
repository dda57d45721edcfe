# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Update graphs of channels, and parts of them."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.operators.channel_graph import (
    Graph,
    GraphError,
    heads,
    only,
    stranded,
    without,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.filebased_catalog import Entry
from ansible_collections.quayside.airgap.plugins.module_utils.operators.versions import parse_lenient


def entries(text):
    """ "3>2-1,0 2>1 1>0": 3 replaces 2 and skips 1 and 0, and so on. A range in brackets is the skipRange."""
    found = []
    for word in text.split():
        word, _separator, skip_range = word.partition("[")
        word, _separator, skips = word.partition("-")
        name, _separator, replaces = word.partition(">")
        found.append(Entry(name, replaces, tuple(skips.split(",")) if skips else (), skip_range.rstrip("]").replace("_", " ")))
    return tuple(found)


def written(found):
    words = []
    for item in found:
        word = item.name + (f">{item.replaces}" if item.replaces else "") + (f"-{','.join(item.skips)}" if item.skips else "")
        words.append(word)
    return " ".join(words)


VERSIONS = {name: parse_lenient(name) for name in ("0", "1", "2", "3", "4", "5", "6", "2.1", "2.2")}


def test_head_and_chain():
    graph = Graph.of(entries("1>0 2>1 2.1>1 3>2-2.1"))
    assert graph.head == "3"
    assert graph.chain() == ["3", "2", "1", "0"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it has no entries"),
        ("1 2", "it has several heads: 1, 2"),
        ("1>2 2>1", "it has no head"),
        ("3>2 2>1 1>2", "its updates go in a circle"),
        ("3>1-2 2>1 1>0-2", "its updates go in a circle"),
        ("1 1", "the entry 1 is there twice"),
        ("2>1 1>1", "the entry 1 replaces itself"),
        ("2>1 1>0-1", "the entry 1 skips itself"),
    ],
)
def test_what_is_no_graph(text, why):
    with pytest.raises(GraphError) as error:
        Graph.of(entries(text))
    assert why in str(error.value)


@pytest.mark.parametrize("text", ["1", "1>0", "2>1-1 1>0", "3>2-1 2>1 1", "4>3 3>1-2 2>1 1"])
def test_what_is_a_graph(text):
    assert Graph.of(entries(text)).head == text[0]


@pytest.mark.parametrize(
    ("text", "wanted", "part"),
    [
        # the head alone, the whole, the middle
        ("4>3 3>2 2>1 1", "4", "4"),
        ("4>3 3>2 2>1 1", "1 4", "1 2 3 4"),
        ("4>3 3>2 2>1 1", "2 3", "2 3"),
        ("4>3 3>2 2>1 1", "", ""),
        # what lies between stays, whether wanted or not
        ("4>3 3>2 2>1 1", "1 3", "1 2 3"),
        # a skipped entry keeps the one that skips it, and comes along only when wanted
        ("3>1-2 2>1 1", "1 2", "1 2 3"),
        ("3>1-2 2>1 1", "1 3", "1 3"),
        ("3>1-2 2>1 1", "2", "2 3"),
        # counted once: 2 is in the chain below, so nothing above has to stay for it
        ("4>3-2 3>2 2>1 1", "1 2", "1 2"),
        # only known by name
        ("3>2 2>1", "1", ""),
        ("3>2-0 2>1", "2 0", "2 3"),
    ],
)
def test_the_part_that_is_wanted(text, wanted, part):
    assert sorted(Graph.of(entries(text)).part(set(wanted.split()))) == part.split()


@pytest.mark.parametrize(
    ("text", "recent", "expected"),
    [
        ("3>2 2>1 1", True, ""),
        ("3-2 2>1 1", False, "1"),
        ("3>1-2 2>1 1", True, ""),
        ("3>2-2 2>1 1", False, ""),
        ("3>2-2 2>1 1", True, "1"),
        ("3>2-2,1 2>1 1", True, ""),
    ],
)
def test_what_no_update_leads_away_from(text, recent, expected):
    found = entries(text)
    assert stranded(found, heads(found)[0], recent=recent) == expected.split()


@pytest.mark.parametrize(
    ("text", "gone", "left"),
    [
        ("3>2 2>1 1", "", "3>2 2>1 1"),
        ("3>2 2>1 1", "1 2 3", ""),
        # above the gap nothing changes, below it nothing can be updated
        ("4>3 3>2 2>1 1", "3", "4>3"),
        ("4>3 3>2 2>1 1", "1", "4>3 3>2 2>1"),
        # the publisher lets the gap be passed
        ("4>3[>=1.0.0_<4.0.0] 3>2 2>1 1", "3", "4>3-1,2 2>1 1"),
        ("4>3[>=2.0.0_<4.0.0] 3>2 2>1 1", "3", "4>3-2 2>1"),
        ("4>3-2,1 3>2 2>1 1", "3", "4>3-2,1 2>1 1"),
        # without the head the next one is it
        ("4>3 3>2 2>1 1", "4", "3>2 2>1 1"),
        ("3>1-2 2>1 1", "3", "2>1 1"),
        ("3>1-2,2.1 2>1 2.1>1 1", "3", "2.1>1 1"),
        ("3>2-1 2 1", "3", "2"),
        # what is skipped there can go without consequence
        ("3>1-2 2>1 1", "2", "3>1-2 1"),
        ("3>1-2 2>1 1", "1", "3>1-2 2>1"),
        # entries that skip each other have no head without the one above them
        ("3-1 1-2 2-1", "3", ""),
        # what is skipped by something that is skipped is still skipped
        ("4>3-2 3 2-1 1", "3", "4>3-2 2-1 1"),
        # as older tools had it
        ("4>3 3>2-2 2>1 1", "4", "3>2-2 2>1 1"),
    ],
)
def test_what_is_left_without_some(text, gone, left):
    assert written(without(entries(text), gone.split(), VERSIONS)) == left


@pytest.mark.parametrize(
    ("text", "wanted", "left", "invented"),
    [
        ("3>2 2>1 1", "1 2 3", "3>2 2>1 1", ""),
        ("3>2 2>1 1", "2", "2>1", ""),
        ("4>3 3>2 2>1 1", "4 1", "4>1-3,2 1", "1 to 4"),
        ("4>3[>=1.0.0_<4.0.0] 3>2 2>1 1", "4 1", "4>1-3,2 1", ""),
        ("4>3-1 3>2 2>1 1", "4 1", "4>1-1,3,2 1", ""),
        ("3>1-2 2>1 1", "2 1", "2>1 1", ""),
        ("3>1-2 2>1 1", "3 2", "3>1-2 2>1", ""),
        # two that only the head had skipped
        ("3>1-2,2.1 2>1 2.1>1 1", "2 2.1 1", "2>1 2.1>1-2 1", "2 to 2.1"),
        ("3>2 2>1 1", "9", "", ""),
    ],
)
def test_exactly_some(text, wanted, left, invented):
    found, made_up = only(entries(text), wanted.split(), VERSIONS)
    assert written(found) == left
    assert ", ".join(made_up) == invented
