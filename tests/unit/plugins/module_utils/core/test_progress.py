# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress files, and the lines made from them."""

from __future__ import annotations

import json

from ansible_collections.quayside.airgap.plugins.module_utils.core.progress import Progress
from ansible_collections.quayside.airgap.plugins.plugin_utils.progress import ProgressDisplay, describe, readable


def test_the_file_holds_the_state(tmp_path):
    path = tmp_path / "progress.json"
    progress = Progress(str(path), interval=0)
    progress.phase("copying", items=3, size=100)
    progress.advance(items=1, size=40, current="quay.io/a:1")
    progress.advance(size=10)
    state = json.loads(path.read_text())
    assert state.pop("elapsed") >= 0
    assert state == {
        "phase": "copying",
        "items_done": 1,
        "items_total": 3,
        "bytes_done": 50,
        "bytes_total": 100,
        "current": "quay.io/a:1",
    }
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_is_written_now_and_then_and_at_the_end(tmp_path):
    path = tmp_path / "progress.json"
    progress = Progress(str(path), interval=3600)
    progress.phase("copying", items=2)
    progress.advance(items=1)
    assert json.loads(path.read_text())["items_done"] == 0
    progress.finish()
    assert json.loads(path.read_text())["items_done"] == 1


def test_work_goes_on_where_the_file_cannot_be_written(tmp_path):
    progress = Progress(str(tmp_path / "missing" / "progress.json"), interval=0)
    progress.phase("copying", items=2)
    progress.advance(items=1)
    progress.finish()


def test_lines_appear_while_the_work_lasts(tmp_path):
    path = tmp_path / "progress.json"
    progress = Progress(str(path), interval=0)
    progress.phase("copying", items=2, size=3 << 20)
    lines = []
    with ProgressDisplay(str(path), lines.append, interval=0.01) as display:
        progress.advance(items=1, size=1 << 20, current="quay.io/a:1")
        display._over.wait(0.3)
    assert any(line.startswith("copying 1/2, 1.0 MiB of 3.0 MiB") and line.endswith("quay.io/a:1") for line in lines)


def test_a_missing_or_broken_file_shows_nothing(tmp_path):
    path = tmp_path / "progress.json"
    path.write_text("{")
    lines = []
    with ProgressDisplay(str(path), lines.append, interval=0.01) as display:
        display._over.wait(0.1)
    assert lines == []


def test_sizes_are_readable():
    assert [readable(size) for size in (0, 1023, 1536, 5 << 30, 3 << 50)] == ["0 B", "1023 B", "1.5 KiB", "5.0 GiB", "3072.0 TiB"]


def test_a_line_without_bytes_has_none():
    state = {"phase": "resolving", "items_done": 1, "items_total": 5, "bytes_done": 0, "bytes_total": 0, "current": "", "elapsed": 2.4}
    assert describe(state) == "resolving 1/5, 2 s"
