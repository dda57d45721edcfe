# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress files (see ``module_utils/core/progress.py``), read and shown as lines."""

from __future__ import annotations

import json
import threading
from typing import Any, Callable

# Every line is a row in AWX's database, and a night's log should stay readable
_SECONDS_BETWEEN_LINES = 5.0
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class ProgressDisplay:
    """Shows a progress file while the ``with`` block lasts: nothing for short work, then a line now and then.

    :param show: takes one line of text.
    :param interval: seconds between two lines.
    """

    def __init__(self, path: str, show: Callable[[str], None], *, interval: float = _SECONDS_BETWEEN_LINES) -> None:
        self._path = path
        self._show = show
        self._interval = interval
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="airgap-progress", daemon=True)

    def __enter__(self) -> ProgressDisplay:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        shown = ""
        while not self._over.wait(self._interval):
            line = self._line()
            if line and line != shown:
                self._show(line)
                shown = line

    def _line(self) -> str:
        try:
            with open(self._path, encoding="utf-8") as stream:
                return describe(json.load(stream))
        except (OSError, ValueError):
            # not written yet, or no longer: there is nothing to show
            return ""


def describe(state: dict[str, Any]) -> str:
    """One line for the state of a run: phase, images, bytes, rate, time."""
    words = [f"{state['phase']} {state['items_done']}/{state['items_total']}"]
    if state["bytes_total"]:
        words.append(f"{readable(state['bytes_done'])} of {readable(state['bytes_total'])}")
    words.append(f"{state['elapsed']:.0f} s")
    line = ", ".join(words)
    return f"{line}, {state['current']}" if state["current"] else line


def readable(size: float) -> str:
    """A number of bytes with a unit, such as ``1.5 MiB``."""
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("the last unit takes everything")
