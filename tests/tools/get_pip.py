# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the script that ansible-test downloads to get pip: takes the pip that comes with Python."""

from __future__ import annotations

import ensurepip
import sys

sys.argv[1:] = []
ensurepip.bootstrap(upgrade=True, default_pip=True)
