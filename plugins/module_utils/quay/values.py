# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Periods, sizes and the like: as people write them, as Quay counts them, and one canonical text for comparing and showing."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

_PERIODS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
# Quay API: quota limits know binary and decimal units, with and without B
_SIZES = {
    "": 1,
    "ki": 1 << 10,
    "mi": 1 << 20,
    "gi": 1 << 30,
    "ti": 1 << 40,
    "pi": 1 << 50,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "p": 10**15,
}


def seconds(value: Any) -> int:
    """Seconds of a period: ``2w``, ``1d``, ``90m``, ``3600`` (seconds); ``1h30m`` too.

    :raises ValueError: with a sentence for the user.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        found = value
    else:
        text = str(value).strip().lower()
        if text.isdecimal():
            found = int(text)
        elif re.fullmatch(r"(\d+\s*[wdhms]\s*)+", text):
            found = sum(int(number) * _PERIODS[unit] for number, unit in re.findall(r"(\d+)\s*([wdhms])", text))
        else:
            raise ValueError(f"'{value}' is no period; write a number with w, d, h, m or s (2w, 36h) or seconds")
    if found < 0:
        raise ValueError(f"'{value}' is negative")
    return found


def period(value: Any) -> str:
    """The canonical text of a period: the largest unit that leaves no rest (``2w``, ``36h``); ``0s``.

    :param value: as :func:`seconds` takes it.
    """
    number = seconds(value)
    for unit, length in _PERIODS.items():
        if number and number % length == 0:
            return f"{number // length}{unit}"
    return f"{number}s"


def size(value: Any) -> int:
    """Bytes of a size: ``10GiB``, ``500 MB``, ``1048576``.

    :raises ValueError: with a sentence for the user.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgtp]?i?)b?", str(value).strip().lower())
    if not found or found.group(2) not in _SIZES:
        raise ValueError(f"'{value}' is no size; write bytes or a number with a unit (10GiB, 500MB)")
    # not by floating point, which loses bytes from 8 PiB on
    return int(Decimal(found.group(1)) * _SIZES[found.group(2)])


def size_text(value: Any) -> str:
    """The canonical text of a size: the largest binary unit that leaves no rest (``10GiB``), else bytes."""
    number = size(value)
    for unit in ("pi", "ti", "gi", "mi", "ki"):
        if number and number % _SIZES[unit] == 0:
            return f"{number // _SIZES[unit]}{unit[0].upper()}iB"
    return str(number)
