# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress of long work, as a small file that others may read while it grows.

A module's output reaches nobody before its end (reference: Ansible runs modules with captured output), so the module writes
its state to a file, by temporary file and rename, and the action plugin of the same name shows it.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import write_atomically


class Progress:
    """Counts work done, and writes the counts to a file now and then.

    The file is one JSON object: ``phase`` (str), ``items_done``, ``items_total`` (int), ``bytes_done``, ``bytes_total`` (int),
    ``current`` (str), ``elapsed`` (seconds, float).

    :param path: the file; none means that nothing is written.
    :param interval: seconds between two writes at the least.
    """

    def __init__(self, path: str | None = None, *, interval: float = 0.5) -> None:
        self._path = path
        self._interval = interval
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._written = 0.0
        self._state: dict[str, Any] = {
            "phase": "",
            "items_done": 0,
            "items_total": 0,
            "bytes_done": 0,
            "bytes_total": 0,
            "current": "",
        }

    def phase(self, name: str, *, items: int = 0, size: int = 0) -> None:
        """Begin a phase with so many items and bytes to do; what is done starts again at nothing."""
        with self._lock:
            self._state.update(phase=name, items_done=0, items_total=items, bytes_done=0, bytes_total=size, current="")
        self._write(force=True)

    def advance(self, *, items: int = 0, size: int = 0, current: str = "") -> None:
        """Count items and bytes as done.

        :param current: what is being worked on, for display; kept as it was when empty.
        """
        with self._lock:
            self._state["items_done"] += items
            self._state["bytes_done"] += size
            if current:
                self._state["current"] = current
        self._write()

    def finish(self) -> None:
        """Write the last state, whatever the interval."""
        self._write(force=True)

    def _write(self, *, force: bool = False) -> None:
        if self._path is None:
            return
        with self._lock:
            now = time.monotonic()
            if not force and now - self._written < self._interval:
                return
            self._written = now
            content = json.dumps(dict(self._state, elapsed=round(now - self._started, 3)))
            try:
                write_atomically(self._path, content.encode(), mode=0o600, durable=False)
            except FileError:
                # a full disk under the display must not end the work that is displayed
                self._path = None
