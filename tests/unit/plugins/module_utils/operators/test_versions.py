# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions and ranges, each as the tool reads them that decides on them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.operators.versions import (
    OlmRange,
    Version,
    VersionBounds,
    parse_lenient,
    parse_version,
)

# The order of Semantic Versioning 2.0.0, 11
ORDERED = [
    *("0.0.1", "0.2.0", "1.0.0-0", "1.0.0-2", "1.0.0-11", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta"),
    *("1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0"),
]

numbers = st.integers(0, 30)
identifiers = st.from_regex(r"(0|[1-9][0-9]{0,3}|[0-9]{0,2}[a-z-][0-9a-z-]{0,4})", fullmatch=True)
labels = st.lists(identifiers, min_size=1, max_size=3).map(".".join)
versions = st.builds(Version, numbers, numbers, numbers, st.one_of(st.just(""), labels), st.one_of(st.just(""), labels))


@pytest.mark.parametrize("text", [*ORDERED, "1.0.0+build.01", "1.0.0-a+b", "1.0.0---", "18446744073709551615.0.0"])
def test_strict_versions(text):
    assert str(parse_version(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "1.2", "v1.2.3", "1.2.3.4", "01.2.3", "1.02.3", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3+", "1.2.3+a+b"),
        *(" 1.2.3", "1.2.3\n", "1.2.x", "-1.2.3", "1.2.3-ä", "\u0661.2.3", "18446744073709551616.0.0", "1" * 5000 + ".0.0"),
    ],
)
def test_what_is_no_strict_version(text):
    assert parse_version(text) is None


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1", "1.0.0"),
        ("v1.2", "1.2.0"),
        ("1.2-rc1", "1.2.0-rc1"),
        ("01.002.3", "1.2.3"),
        ("v1.2.3-rc.1+b", "1.2.3-rc.1+b"),
    ],
)
def test_lenient_versions(text, version):
    assert str(parse_lenient(text)) == version


@pytest.mark.parametrize("text", ["", "v", "V1", "1.", "1.2.3.4", "1.x", "latest", "1.2.3-01", ">=1"])
def test_what_is_no_version_at_all(text):
    assert parse_lenient(text) is None


def test_the_order():
    wrong = [pair for pair in itertools.combinations(ORDERED, 2) if parse_version(pair[0]) >= parse_version(pair[1])]
    assert wrong == []
    assert [str(version) for version in sorted(map(parse_version, reversed(ORDERED)))] == ORDERED


def test_the_build_decides_nothing_but_the_place_in_a_list():
    plain, built = parse_version("1.0.0"), parse_version("1.0.0+b")
    assert plain != built
    assert plain.precedence == built.precedence
    assert sorted([built, plain]) == [plain, built]


@given(versions)
def test_a_version_is_read_as_it_is_written(version):
    assert parse_version(str(version)) == version == parse_lenient(f"v{version}")


@given(versions, versions, versions)
def test_the_order_is_one(one, two, three):
    low, middle, high = sorted([one, two, three])
    assert low <= middle <= high
    assert low <= high
    assert (one < two) + (two < one) + (one == two) == 1


@pytest.mark.parametrize(
    ("minimum", "maximum", "inside", "outside"),
    [
        ("1.2.3", "", "1.2.3 1.2.4 9.0.0", "1.2.2 0.9.9 1.2.3-rc1 2.0.0-rc1"),
        ("", "2.0.0", "0.0.0 2.0.0", "2.0.1 1.0.0-rc1"),
        ("1.2.3", "2", "1.2.3 2.0.0 2.9.9", "1.2.2 3.0.0"),
        ("", "2.1", "2.1.9 2.0.5 1.9.9", "2.2.0 3.0.0"),
        ("1", "", "1.0.0 1.5.0 2.0.0", "0.9.9"),
        ("v1.2", "v1.3", "1.2.0 1.3.7", "1.1.9 1.4.0"),
        # a pre-release in one bound lets all of them in
        ("1.0.0-rc.1", "2.0.0", "1.0.0-rc.1 1.0.0-rc.2 1.5.0-alpha 2.0.0", "1.0.0-beta 2.0.1-alpha 2.0.1"),
        ("1.0.0", "2.0.0-0", "1.0.0 1.5.0-alpha 2.0.0-0", "1.0.0-rc.1 2.0.0 2.0.0-1"),
        ("1.0.0+a", "1.0.0+b", "1.0.0 1.0.0+c", "1.0.1"),
    ],
)
def test_bounds(minimum, maximum, inside, outside):
    bounds = VersionBounds.parse(minimum, maximum, "it")
    assert [text for text in inside.split() if parse_version(text) not in bounds] == []
    assert [text for text in outside.split() if parse_version(text) in bounds] == []


def test_no_bounds_are_none():
    assert VersionBounds.parse("", "", "it") is None


def test_bounds_are_told_as_they_were_written():
    assert str(VersionBounds.parse("v1.2", "2-rc1", "it")) == ">=1.2 <=2-rc1"
    assert str(VersionBounds.parse("", "2", "it")) == "<=2"


@pytest.mark.parametrize(("minimum", "maximum", "why"), [("x", "", "minVersion 'x'"), ("1", ">2", "maxVersion '>2'")])
def test_bad_bounds_are_refused(minimum, maximum, why):
    with pytest.raises(InputError) as error:
        VersionBounds.parse(minimum, maximum, "package 'op'")
    assert why in str(error.value)
    assert "package 'op'" in str(error.value)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=1.0.0 <1.2.0", "1.0.0 1.1.9 1.2.0-rc1", "1.2.0 0.9.0 1.0.0-rc1"),
        (">= 1.0.0  < 1.2.0", "1.0.0 1.1.9", "1.2.0"),
        ("1.0.0", "1.0.0 1.0.0+b", "1.0.1"),
        ("==1.0.0 || =2.0.0", "1.0.0 2.0.0", "1.5.0"),
        ("!1.0.0", "1.0.1", "1.0.0"),
        (">1.0.0 !=1.5.0 <=2.0.0", "1.4.9 2.0.0", "1.0.0 1.5.0 2.0.1"),
        ("<1.0.0 || >=3.0.0", "0.1.0 3.0.0", "1.0.0 2.9.9"),
        ("1.x", "1.0.0 1.9.9", "2.0.0 0.9.9"),
        ("1.2.x", "1.2.0 1.2.9", "1.3.0 1.1.9"),
        ("1.x.x", "1.0.0 1.9.9", "2.0.0"),
        (">1.2.x", "1.3.0", "1.2.9"),
        ("<=1.2.x", "1.2.9", "1.3.0"),
        ("<1.2.x", "1.1.9", "1.2.0"),
        (">=1.x <3.x", "1.0.0 2.9.9", "0.9.9 3.0.0"),
    ],
)
def test_ranges_of_olm(text, inside, outside):
    found = OlmRange.parse(text)
    assert [version for version in inside.split() if parse_version(version) not in found] == []
    assert [version for version in outside.split() if parse_version(version) in found] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x",
        ">=1",
        ">=v1.0.0",
        "1.0.0 ||",
        "|| 1.0.0",
        "~1.0.0",
        "^1.0.0",
        "1.0.0 - 2.0.0",
        ">=1.0.0<2.0.0",
        ">=",
        ">==1.0.0",
        "1.0.0||2.0.0",
        ">=1.0.0,<2.0.0",
    ],
)
def test_what_is_no_range(text):
    assert OlmRange.parse(text) is None


@given(versions, versions, versions)
def test_a_range_of_olm_is_what_lies_between(low, high, version):
    found = OlmRange.parse(f">={low} <{high}")
    assert (version in found) == (low.precedence <= version.precedence < high.precedence)
