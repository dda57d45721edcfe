# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the sandbox, as `python tests/sandbox --config FILE` from a checkout or with -m from a laid-out collection."""

from __future__ import annotations

import sys
import types
from pathlib import Path


def _name_the_checkout() -> None:
    """Let this checkout be imported as ansible_collections.quayside.airgap although it does not lie at such a path."""
    here = Path(__file__).resolve().parent
    # Python puts the folder of a program first on its path: there our modules would hide others of the same name.
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here]
    name = ""
    for part in ("ansible_collections", "quayside", "airgap"):
        name = f"{name}.{part}" if name else part
        package = types.ModuleType(name)
        package.__path__ = [str(here.parents[1])] if part == "airgap" else []
        sys.modules[name] = package


if not __package__:
    _name_the_checkout()

from ansible_collections.quayside.airgap.tests.sandbox.program import main  # noqa: E402

sys.exit(main())
