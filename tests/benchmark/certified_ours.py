# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps a catalog, as a process of its own: certified_ours.py API_URL INDEX_URL FOLDER [--read-all] [--workers NUMBER].

Imports what it needs only. With --read-all no look at the catalog may stand in for reading it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.certification.pyxis import CatalogOptions
from ansible_collections.quayside.airgap.plugins.module_utils.certification.refresh import RefreshTask, refresh


def main() -> int:
    """Dump, and print what a task would tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("api_url")
    parser.add_argument("index_url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--read-all", action="store_true")
    parser.add_argument("--workers", type=int, default=CatalogOptions().workers)
    known = parser.parse_args()
    task = RefreshTask(
        path=known.folder,
        catalog=CatalogOptions(api_url=known.api_url, workers=known.workers),
        helm_index_url=known.index_url,
        full_walk_after=0.0 if known.read_all else 24.0,
    )
    print(json.dumps(refresh(task).as_results()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
