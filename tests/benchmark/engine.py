# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy engine as a process of its own: engine.py JOB, a JSON file that says what to copy. Imports what it needs only."""

from __future__ import annotations

import json
import sys

from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.mirror import MirrorTask, mirror
from ansible_collections.quayside.airgap.plugins.module_utils.registry.selection import Selection
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions


def main() -> int:
    """Copy, and print the totals."""
    with open(sys.argv[1], encoding="utf-8") as handle:
        job = json.load(handle)
    # both registries speak plain HTTP
    side = SideOptions(tls=TlsSettings(verify=False))
    result = mirror(
        MirrorTask(
            selection=Selection(images=job["images"], source=job["source"], destinations=[job["destination"]]),
            source=side,
            destination=side,
            wire=WireOptions(parallel=job["parallel"]),
            signatures=job["signatures"],
            registries_conf="",
        )
    )
    print(json.dumps({"changed": result.changed, **result.totals()}))
    for failure in result.failures:
        print(failure, file=sys.stderr)
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
