# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a catalog and chooses of it, as a process of its own: catalog_ours.py CATALOG PACKAGE... [--write FOLDER].

Imports what it needs only. Of every package its bundles of the last version in each channel are taken; with --write what was chosen is
written as a catalog.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_filter import CatalogChoice, PackageChoice, filter_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_reading import read_tree
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_writing import write_catalog


def main() -> int:
    """Read, choose, and print what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("catalog", type=Path)
    parser.add_argument("packages", nargs="+")
    parser.add_argument("--write", type=Path)
    known = parser.parse_args()
    choice = CatalogChoice(tuple(PackageChoice(name) for name in known.packages))
    with read_tree(known.catalog) as catalog:
        selection = filter_catalog(catalog, choice)
        if known.write:
            write_catalog(catalog, selection, known.write)
        bundles = sum(1 for _bundle in catalog.bundles())
        chosen = sum(1 for _bundle in selection.bundles())
        told = {"packages": len(catalog.packages), "bundles": bundles, "faults": len(catalog.faults), "chosen": chosen}
    print(json.dumps(told))
    return 1 if told["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
