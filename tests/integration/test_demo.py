# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first thing that a newcomer runs."""

from __future__ import annotations

import os
import subprocess
import sys

from ansible_collections.quayside.airgap.tests.integration.playbooks import ROOT


def test_make_demo_shows_what_the_playbooks_do_and_ends_well():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/demo/run.py")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT.parents[2])},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) < 130
    changed = [line.split("changed=")[1].split()[0] for line in lines if "changed=" in line]
    assert changed == ["1", "0", "1", "1", "0", "0", "2", "1", "0", "0"], (
        "a sync and again, an image set to disk, from disk, and both again, the catalog to a registry, from it, and both again"
    )
    assert lines[-1].startswith("All is well")
