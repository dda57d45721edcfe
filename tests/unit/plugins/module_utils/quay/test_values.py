# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Periods and sizes: as people write them, and one canonical text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.quay.values import period, seconds, size, size_text


@pytest.mark.parametrize(
    ("text", "number", "canonical"),
    [
        ("2w", 1209600, "2w"),
        ("14d", 1209600, "2w"),
        (" 36H ", 129600, "36h"),
        ("1h30m", 5400, "90m"),
        (86400, 86400, "1d"),
        ("90", 90, "90s"),
        (0, 0, "0s"),
    ],
)
def test_periods(text: object, number: int, canonical: str) -> None:
    assert seconds(text) == number
    assert period(text) == canonical


@pytest.mark.parametrize("text", ["", "2 fortnights", "w", "1.5h", "-3", -3, None, True])
def test_what_is_no_period_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"no period|negative"):
        seconds(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_the_canonical_text_of_a_period_means_the_same(number: int) -> None:
    assert seconds(period(number)) == number


@pytest.mark.parametrize(
    ("text", "number", "canonical"),
    [
        ("10GiB", 10 << 30, "10GiB"),
        ("10 Gi", 10 << 30, "10GiB"),
        ("1.5 KiB", 1536, "1536"),
        ("500MB", 500_000_000, "500000000"),
        (1048576, 1 << 20, "1MiB"),
        ("0", 0, "0"),
    ],
)
def test_sizes(text: object, number: int, canonical: str) -> None:
    assert size(text) == number
    assert size_text(text) == canonical


@pytest.mark.parametrize("text", ["", "much", "10 XB", "-1", "GiB", None])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="no size"):
        size(text)


@given(st.integers(min_value=0, max_value=2**60))
def test_the_canonical_text_of_a_size_means_the_same(number: int) -> None:
    assert size(size_text(number)) == number
