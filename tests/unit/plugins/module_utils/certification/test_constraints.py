# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Constraints on versions of Kubernetes, as the library reads them that certsuite asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.certification.constraints import Constraint, ConstraintError, Version

words = st.sampled_from(
    [*">=<~^!|,- xX*.+v0123", "||", " - ", "1.2.3", ">= 1.20.0-0", "v1", "18446744073709551616", "-rc.1", "+b", "\t", "\v", "ä", "\ud800"]
)
texts = st.one_of(st.lists(words, max_size=12).map("".join), st.text(max_size=20))
numbers = st.integers(0, 4)
labels = st.sampled_from(["", "0", "1", "alpha", "alpha.1", "rc.2"])


def allows(constraint, version):
    found = Version.parse(version)
    assert found is not None
    return Constraint.parse(constraint).allows(found)


# what the documentation of the library says that they are short for
@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("1.2 - 1.4.5", ">= 1.2, <= 1.4.5"),
        ("2.3.4 - 4.5", ">= 2.3.4, <= 4.5"),
        ("1.2.x", ">= 1.2.0, < 1.3.0"),
        (">= 1.2.x", ">= 1.2.0"),
        ("<= 2.x", "< 3"),
        ("*", ">= 0.0.0"),
        ("~1.2.3", ">= 1.2.3, < 1.3.0"),
        ("~1", ">= 1, < 2"),
        ("~2.3", ">= 2.3, < 2.4"),
        ("~1.2.x", ">= 1.2.0, < 1.3.0"),
        ("~1.x", ">= 1, < 2"),
        ("^1.2.3", ">= 1.2.3, < 2.0.0"),
        ("^1.2.x", ">= 1.2.0, < 2.0.0"),
        ("^2.3", ">= 2.3, < 3"),
        ("^2.x", ">= 2.0.0, < 3"),
        ("^0.2.3", ">=0.2.3 <0.3.0"),
        ("^0.2", ">=0.2.0 <0.3.0"),
        ("^0.0.3", ">=0.0.3 <0.0.4"),
        ("^0.0", ">=0.0.0 <0.1.0"),
        ("^0", ">=0.0.0 <1.0.0"),
        ("=>1.2, =<2.0.0", ">=1.2 <=2.0.0"),
        ("~>1.2", "~1.2"),
        ("v1.2.3+build", "=1.2.3"),
    ],
)
@given(numbers, numbers, numbers)
def test_what_is_short_for_something(short, long, major, minor, patch):
    version = Version(major, minor, patch, "")

    assert Constraint.parse(short).allows(version) == Constraint.parse(long).allows(version)


@pytest.mark.parametrize(
    ("constraint", "allowed", "refused"),
    [
        (">=1.20.0-0", ["v1.25.4+18eadca", "1.20.0-rc.1", "1.20.0"], ["1.19.9"]),
        (">=1.20.0", ["v1.20.0+abc", "1.31"], ["1.25.0-rc.1", "v1.26.0-alpha.1+x"]),
        (">=1.19.0-0 <1.22", ["1.21.9", "1.21.0-beta"], ["1.22.0"]),
        (">= 1.16.0-0, < 2 || >= 3", ["1.17.0-rc.1", "3.1.0"], ["3.1.0-rc.1"]),
        ("!=1.2.x", ["1.3.0"], ["1.2.0", "1.2.9"]),
        ("!=1", ["2.0.0"], ["1.9.0"]),
        (">1.2", ["1.3.0"], ["1.2.9"]),
        (">1", ["2.0.0"], ["1.9.0"]),
        ("<=1.2", ["1.2.9", "0.9.0"], ["1.3.0"]),
        ("1.2.3-a.2", ["1.2.3-a.2"], ["1.2.3-a.10", "1.2.3"]),
        (">1.0.0-2", ["1.0.0-10", "1.0.0-a", "1.0.0"], ["1.0.0-1"]),
        (">1.0.0-a", ["1.0.0-a.1", "1.0.0-b"], ["1.0.0-9"]),
        # surprises of the library
        ("^*", ["0.0.0"], ["0.0.1", "1.0.0"]),
        ("<=*", ["0.0.9"], ["0.1.0"]),
        ("!=*", ["0.0.1"], ["0.0.0"]),
        ("1.x.1|2", ["1.7.0"], ["2.0.0"]),
        ("~0.0.0", ["0.0.0", "9.9.9"], []),
    ],
)
def test_what_constraints_allow(constraint, allowed, refused):
    assert [version for version in allowed if not allows(constraint, version)] == []
    assert [version for version in refused if allows(constraint, version)] == []


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "foo", "latest", ">=", "1.2.3.4", ">= 1.20.0 <= foo", "==1.2", "> = 1.2", "1,", ",1", "1,,2", ">1<2", "1.0.0 -2.0.0"),
        *(
            "||",
            "1 ||",
            "1.2.3-",
            "1.2.3-01",
            "1.2.3+",
            "xx",
            "1x",
            "1|2",
            "V1",
            "1.2.3 - 2 - 3",
            "3 1 - 2",
            "1\v2",
            "\u0661",
            "18446744073709551616",
        ),
        *(" || ".join(["1"] * 33), "1" + " " * 512, "1." + "0" * 300),
    ],
)
def test_what_is_no_constraint(text):
    with pytest.raises(ConstraintError, match=r".+"):
        Constraint.parse(text)


@pytest.mark.parametrize(
    "text", ["", "1.", "v", "1.2.3.4", "1.2.3-01", "1.2.3-a..b", "18446744073709551616", "1." + "0" * 260, "1.2.x", " 1", "1\n"]
)
def test_what_is_no_version(text):
    assert Version.parse(text) is None


@given(texts, st.builds(Version, numbers, numbers, numbers, labels))
def test_any_text_is_a_constraint_or_not(text, version):
    try:
        constraint = Constraint.parse(text)
    except ConstraintError:
        return
    assert constraint.allows(version) in (True, False)


@given(texts)
def test_any_text_is_a_version_or_not(text):
    version = Version.parse(text)
    assert version is None or Version.parse(f"{version.major}.{version.minor}.{version.patch}").precedence >= version.precedence


@given(st.builds(Version, numbers, numbers, numbers, labels), st.builds(Version, numbers, numbers, numbers, labels))
def test_of_two_versions_one_is_newer_or_they_are_the_same(one, other):
    written = ".".join(str(number) for number in one[:3]) + (f"-{one.prerelease}" if one.prerelease else "")
    # two comparisons that name a pre-release, so that pre-releases count
    said = [
        Constraint.parse(f"{operator}{written} >=0.0.0-0 || {operator}{written} >=0.0.0-0").allows(other) for operator in ("<", "=", ">")
    ]

    assert sum(said) == 1
    assert said[2] is (other.precedence > one.precedence)
