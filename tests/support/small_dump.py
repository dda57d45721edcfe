# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smallest dump of a catalog that has one of everything: an image with a manifest list, an operator, two charts."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import write_tree
from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import Container, OperatorRow, Repository, Tables

WEB = "sha256:" + "a" * 64
WEB_LIST = "sha256:" + "b" * 64
UNKNOWN = "sha256:" + "c" * 64
PLACE = "registry.connect.redhat.com/shop/web"
OPERATOR = "db-operator.v1.2.3"
CHARTS = b"""apiVersion: v1
entries:
  shop-chart:
    - name: chart
      version: "1.10"
    - name: picky
      version: "2.0"
      kubeVersion: ">=1.25.0-0"
    - name: broken
      version: "3.0"
      kubeVersion: "no constraint"
generated: "2026-01-01T00:00:00Z"
"""


def write_small_dump(folder: Path) -> Path:
    """Write it into a folder, which is made, and give the folder back."""
    places = (Repository("registry.connect.redhat.com", "shop/web", ("1.0", "latest")),)
    web = Container("1", "2026-05-06T07:08:09.123000+00:00", "amd64", WEB, places, (WEB_LIST,))
    rows = [OperatorRow(OPERATOR, version, "stable") for version in ("4.17", "4.18")]
    folder.mkdir(parents=True, exist_ok=True)
    write_tree(folder / "data", Tables.of([web], rows, CHARTS))
    return folder
