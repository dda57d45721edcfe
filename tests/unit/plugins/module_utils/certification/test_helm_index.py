# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of a Helm repository: read as certsuite reads it, mended without touching anything else."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.certification.helm_index import (
    Chart,
    HelmIndexError,
    charts_digest,
    mend,
    parse_index,
)

INDEX = b"""\
apiVersion: v1
entries:
  acme-web:
  - apiVersion: v2
    description: |
      Serves [pages]: {quickly}.

      # not a comment
    kubeVersion: '>=1.20.0-0'
    name: web
    version: 1.10
  - apiVersion: v2
    kubeVersion: ">= 1.20.0 <= foo"
    name: web
    version: 1.9
  other:
  - kubeversion: "ignored, as it is written in small letters"
    name: "null"
    version: null
generated: "2022-11-04T10:00:00Z"
"""
BAD = ">= 1.20.0 <= foo"


def test_the_charts_of_an_index():
    index = parse_index(INDEX)

    assert index.charts == (
        Chart("acme-web", 0, "web", "1.10", ">=1.20.0-0"),
        Chart("acme-web", 1, "web", "1.9", BAD),
        Chart("other", 0, "null", "", ""),
    )
    assert index.missing == ""
    assert [(bad.chart.version, bad.reason) for bad in index.bad_kube_versions] == [("1.9", f"'{BAD}' is no comparison with a version")]


def test_the_moment_at_which_an_index_was_made_does_not_count():
    assert charts_digest(INDEX) == charts_digest(INDEX.replace(b"2022", b"2023"))
    assert charts_digest(INDEX) == charts_digest(INDEX.replace(b'"2022-11-04T10:00:00Z"', b"today") + b"# changed\n")
    assert charts_digest(INDEX) != charts_digest(INDEX.replace(b"1.10", b"1.1"))
    assert charts_digest(b"{") != charts_digest(b"[")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"null", b"entries:\n", b"entries: {}\ngenerated: today\n", b"entries: {a: [], b: null}\n"]
)
def test_an_index_without_charts_is_not_whole(content):
    assert parse_index(content).charts == ()
    assert parse_index(content).missing == "it has no charts"


def test_an_index_that_was_cut_off_between_two_charts_is_not_whole():
    cut = INDEX[: INDEX.index(b"  other:")]

    assert len(parse_index(cut).charts) == 2
    assert parse_index(cut).missing == "it has no 'generated' at its end: it was cut off"


def test_charts_that_are_merged_together():
    base = b"base: &base {name: web, kubeVersion: '>=1'}\n"
    text = base + b"entries:\n  a:\n  - <<: *base\n    version: 1\n  - {<<: [{version: 2}, *base], '<<': x}\n"

    assert [chart[2:] for chart in parse_index(text).charts] == [("web", "1", ">=1"), ("web", "2", ">=1")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"- a\n", "it is no mapping"),
        (b"<html>\n", "it is no mapping"),
        (b'{"status": 500', "it is no YAML: "),
        (b"a: 'b\n", "it is no YAML: found unexpected end of stream in line 2"),
        (b"a: \x01\n", "it is no YAML: it has characters that YAML does not allow"),
        (b"a: \xff\n", "it is no UTF-8 text, from byte 3 on"),
        (b"a: 1\na: 2\n", "it has the key 'a' twice in one mapping, the second time in line 2"),
        (b"? [a]\n: b\n", "it has a key that is no text in line 1"),
        (b"entries: []\n", "its entries are no mapping"),
        (b"entries: {a: {}}\n", "its entry 'a' is no list"),
        (b"entries: {a: [b]}\n", "its entry 'a' holds something that is no chart"),
        (b"entries: {a: [{version: [1]}]}\n", "a chart of its entry 'a' has a version that is no text"),
        (b"a: &a [*a]\n", "it is no YAML: found unconstructable recursive node in line 1"),
        (b"a: {<<: b}\n", "it merges what is no mapping in line 1"),
        (b"a: " + b"[" * 1000 + b"]" * 1000, "it is nested deeper than 100 levels"),
        (b"- " * 200_000 + b"a", "it is nested deeper than 100 levels"),
        (b"? " * 200_000 + b"a", "it is nested deeper than 100 levels"),
        (
            b"a0: &a0 [x]\n" + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 10)),
            "its aliases stand for more",
        ),
        (b'a: "\\UFFFFFFFF"\n', "it is no YAML"),
        (b"# of today\n%YAML 1.2\n---\nentries: {}\n", "it says to be written in YAML 1.2, and certsuite reads 1.1 alone"),
    ],
    ids=range(20),
)
def test_what_certsuite_could_not_load(content, reason):
    with pytest.raises(HelmIndexError, match=f"^{reason}"):
        parse_index(content)


def test_an_index_that_says_to_be_of_yaml_1_1_is_read():
    assert parse_index(b"%YAML 1.1\n---\n" + INDEX).charts == parse_index(INDEX + b"# no %YAML 1.2\n").charts


def test_many_brackets_in_texts_are_no_depth():
    text = INDEX.replace(b"Serves", b"[" * 1000)

    assert len(parse_index(text).charts) == 3


def test_a_constraint_is_taken_out_and_nothing_else():
    line = b'    kubeVersion: ">= 1.20.0 <= foo"\n'

    mended = mend(INDEX, "strip")

    assert mended.content == INDEX.replace(line, b"")
    assert [bad.chart.version for bad in mended.bad] == ["1.9"]
    assert mend(mended.content, "strip") == (mended.content, [])
    assert mend(INDEX, "keep") == (INDEX, mended.bad)


def test_a_chart_is_taken_out_and_nothing_else():
    start, end = INDEX.index(b'  - apiVersion: v2\n    kubeVersion: ">= 1.20.0'), INDEX.index(b"  other:")

    assert mend(INDEX, "drop").content == INDEX[:start] + INDEX[end:]


@pytest.mark.parametrize(
    ("before", "stripped", "dropped"),
    [
        # an index may be written in many ways; the chart `good` stays as it is
        (
            "entries: {a: [{name: x, kubeVersion: bad, version: 1}, {name: good}]}",
            "entries: {a: [{name: x, version: 1}, {name: good}]}",
            "entries: {a: [{name: good}]}",
        ),
        (
            "entries: {a: [{name: good}, {name: x, 'kubeVersion': bad}], b: [{kubeVersion: bad}]}",
            "entries: {a: [{name: good}, {name: x}], b: [{}]}",
            "entries: {a: [{name: good}]}",
        ),
        (
            'entries:\n  a:\n    - "kubeVersion": bad # why\n      name: x\n    - name: good\n      # c\n',
            None,
            "entries:\n  a:\n    - name: good\n      # c\n",
        ),
        (
            "entries:\n  a:\n  - kubeVersion: bad\n    name: x\n  # c\n  - name: good",
            "entries:\n  a:\n  - name: x\n  # c\n  - name: good",
            "entries:\n  a:\n  # c\n  - name: good",
        ),
        (
            "entries:\n  a:\n  - name: x\n    kubeVersion: >-\n      bad\n      worse\n\n  b:\n  - name: good\n",
            "entries:\n  a:\n  - name: x\n  b:\n  - name: good\n",
            "entries:\n  b:\n  - name: good\n",
        ),
        (
            "entries:\r\n  a:\r\n  - name: good\r\n  - name: x\r\n    kubeVersion: bad # why\r\n",
            "entries:\r\n  a:\r\n  - name: good\r\n  - name: x\r\n",
            "entries:\r\n  a:\r\n  - name: good\r\n",
        ),
        (
            "\ufeffentries:\n  é:\n  - name: good\n  - name: x\n    kubeVersion: bad",
            "\ufeffentries:\n  é:\n  - name: good\n  - name: x\n",
            "\ufeffentries:\n  é:\n  - name: good\n",
        ),
        (
            "entries:\n  a: [{name: good}, {name: x, kubeVersion: bad}, {name: y, kubeVersion: bad}]\n",
            "entries:\n  a: [{name: good}, {name: x}, {name: y}]\n",
            "entries:\n  a: [{name: good}]\n",
        ),
        (
            "entries: {z: [], a: [{kubeVersion: bad}], b: [{kubeVersion: bad}], }",
            "entries: {z: [], a: [{}], b: [{}], }",
            "entries: {z: [], }",
        ),
        # what cannot be taken out without touching something else is left to the user
        (
            "b: &b {kubeVersion: bad}\nentries:\n  a:\n  - <<: *b\n    name: x\n  - name: good\n",
            None,
            "b: &b {kubeVersion: bad}\nentries:\n  a:\n  - name: good\n",
        ),
        ("entries:\n  a:\n  - name: x\n    kubeVersion: &k bad\n  - name: good\n    home: *k\n", None, None),
        (
            "entries:\n  a: &a\n  - name: x\n    kubeVersion: bad\n  - name: good\n  b: *a\n",
            "entries:\n  a: &a\n  - name: x\n  - name: good\n  b: *a\n",
            "entries:\n  a: &a\n  - name: good\n  b: *a\n",
        ),
        (
            "entries:\n  a:\n  -\n    name: x\n    kubeVersion: bad\n  - name: good\n",
            "entries:\n  a:\n  -\n    name: x\n  - name: good\n",
            None,
        ),
        ("entries:\n  a:\n  - name: x\n    ? kubeVersion\n    : bad\n  - name: good\n", None, "entries:\n  a:\n  - name: good\n"),
        ("entries:\n  a:\n  - name: x\n    kubeVersion: bad\n", "entries:\n  a:\n  - name: x\n", None),
        ("b: {entries: &e {a: [{name: x, kubeVersion: bad}]}}\n<<: {entries: *e}\n", None, None),
    ],
    ids=range(16),
)
def test_however_an_index_is_written(before, stripped, dropped):
    content = before.encode()
    for how, after in (("strip", stripped), ("drop", dropped)):
        if after is None:
            with pytest.raises(HelmIndexError, match=r"[a-z]"):
                mend(content, how)
            continue
        mended = mend(content, how).content.decode()
        assert mended == after
        assert parse_index(mended.encode()).bad_kube_versions == []


texts = st.text("abx1.0:#-'\"\\ é[]{}&*!|>%@,?\n", max_size=12)
values = st.recursive(texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6)
charts = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b"]), "version": st.sampled_from(["1.10", "2"])},
    optional={"kubeVersion": st.sampled_from(["", ">=1.20.0-0", BAD, "latest, or so", "1 - 2 - 3"]), "annotations": values, "z": values},
)
indexes = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.lists(charts, max_size=4), max_size=3)


@settings(deadline=None)
@given(indexes, st.sampled_from([None, True, False]), st.booleans(), st.sampled_from(["strip", "drop"]))
@example({"a": [{"name": "a", "version": "1", "kubeVersion": BAD}], "b": [{"name": "b", "version": "1"}]}, True, False, "drop")
def test_whatever_is_mended_is_what_was_wanted(entries, flow, order, how):
    document = {"entries": entries, "generated": "now"}
    content = yaml.safe_dump(document, default_flow_style=flow, sort_keys=order, allow_unicode=True).encode()
    bad = {chart.kube_version for chart in parse_index(content).charts} - {"", ">=1.20.0-0"}
    if how == "strip":
        wanted = {
            entry: [{k: v for k, v in chart.items() if k != "kubeVersion" or v not in bad} for chart in found]
            for entry, found in entries.items()
        }
    else:
        wanted = {entry: [chart for chart in found if chart.get("kubeVersion") not in bad] for entry, found in entries.items()}
        wanted = {entry: found for entry, found in wanted.items() if found or not entries[entry]}
    try:
        mended = mend(content, how).content
    except HelmIndexError:
        # where nothing would be left; or aliases, which PyYAML writes for values that are there twice
        assert not wanted or b"&id" in content
        return
    assert yaml.safe_load(mended) == {"entries": wanted, "generated": "now"}
    # what is left is what was there, in its order
    rest = iter(content)
    assert all(byte in rest for byte in mended)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*"[]{}:,-?&*!|>'\"#%@ \n\tab", "entries", "kubeVersion: bad", "\n  - ", "<<: "]), max_size=30).map("".join)
)
def test_any_text_is_an_index_or_not(text):
    try:
        parse_index(text.encode())
        mend(text.encode(), "strip")
        mend(text.encode(), "drop")
    except HelmIndexError:
        pass
    assert charts_digest(text.encode()).startswith("sha256:")
