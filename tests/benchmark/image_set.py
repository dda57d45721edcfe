# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run over an image set as a process of its own: image_set.py JOB, a JSON file with what it is told. Imports what it needs only."""

from __future__ import annotations

import json
import sys

from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import ImageSetTask
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.workflow import mirror_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions


def main() -> int:
    """Mirror, and print the totals."""
    with open(sys.argv[1], encoding="utf-8") as handle:
        job = json.load(handle)
    # the registries speak plain HTTP
    side = SideOptions(tls=TlsSettings(verify=False))
    result = mirror_image_set(
        ImageSetTask(
            **job["places"],
            image_set=job["image_set"],
            source_side=side,
            destination_side=side,
            wire=WireOptions(parallel=job["parallel"]),
            registries_conf="",
        )
    )
    for failure in result.failures:
        print(failure, file=sys.stderr)
    print(json.dumps({"changed": result.changed, **result.totals()}))
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
