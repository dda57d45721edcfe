# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed at whatever step, a refresh leaves the old dump or the new one, whole, and the next run is not hindered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quayside.airgap.tests.sandbox.catalog.server import CatalogOptions, SandboxCatalog
from ansible_collections.quayside.airgap.tests.support.catalog_charts import ChartVersion
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.certification import killed_refresh
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.certification.kept_dump import KeptDump

COLLECTIONS = Path(__file__).parents[8]


@pytest.fixture(scope="module", params=["SIGKILL", "SIGINT"])
def report(request, tmp_path_factory):
    """What a program found that was killed, or interrupted, at many steps of a refresh in which all kinds change."""
    folder = tmp_path_factory.mktemp("killed")
    with SandboxCatalog(CatalogOptions(images=60, organizations={"certified-operators": 40}, charts=5)) as catalog:
        KeptDump(folder / "base", catalog).refresh()
        catalog.edit(lambda edit: (edit.remove_image(), edit.add_image(), edit.add_row()))
        catalog.set_charts([ChartVersion("one", "1.0.0")])
        command = [sys.executable, "-m", killed_refresh.__name__, catalog.api_url, catalog.index_url, str(folder), request.param]
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": str(COLLECTIONS)}, capture_output=True, text=True, timeout=200, check=False
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def steps(report: dict[str, Any], **wanted: Any) -> list[str]:
    return [run["step"] for run in report["runs"] if all(run[name] == value for name, value in wanted.items())]


def test_the_old_dump_or_the_new_one_is_there_and_whole(report):
    assert report["whole"]
    assert report["differ"]
    assert steps(report, found="neither") == []
    assert [run for run in report["runs"] if run["serious"]] == []
    # the exchange is what decides which of them it is
    assert steps(report, found="new", exchanged=False) == []
    assert steps(report, found="old", exchanged=True) == []


def test_the_next_run_goes_on_and_leaves_nothing_behind(report):
    assert steps(report, again=False) == []
    assert [run for run in report["runs"] if run["left"]] == []


def test_it_was_killed_in_every_phase(report):
    assert all(run["killed"] for run in report["runs"])
    early, late = steps(report, found="old"), steps(report, found="new")
    assert "connect" in early
    assert any("next/data/" in step for step in early)
    assert "exchange" in early
    assert any("state.json" in step for step in late)
    assert any("next" in step for step in late)
