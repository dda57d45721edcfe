# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of image sets share: a registry with something to mirror."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.quayside.airgap.tests.sandbox.registry import SandboxRegistry
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.image_sets import Lab


@pytest.fixture
def lab(start: Callable[..., SandboxRegistry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The world of image_sets.py, and no credentials of this machine."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return Lab(start(), tmp_path)
