# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What oc-mirror v2 took for the workloads, on another day: a build of its main branch of August 2026, measured in one run with skopeo.

Two processors that other programs used too, docker-registry 2.8.2 on loopback on both sides, plain HTTP, the destination emptied before
each run; five repetitions of A, three of B and C. The factor to skopeo sync of the same run says more than the seconds do.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.quayside.airgap.tests.benchmark.results import AGAIN, COLD

SYNC = "skopeo sync"


@dataclass(frozen=True)
class Recorded:
    """Seconds: median, shortest, of processor time. `peak` in MB."""

    title: str
    phase: str
    wall: float
    shortest: float
    cpu: float
    peak: int


RECORDED = {
    "A": (
        Recorded(SYNC, COLD, 5.68, 3.23, 1.6, 24),
        Recorded("oc-mirror, registry to registry", COLD, 3.88, 3.24, 0.8, 62),
        Recorded("oc-mirror, to disk", COLD, 3.16, 2.91, 2.3, 69),
        Recorded("oc-mirror, from disk", COLD, 4.50, 4.26, 2.6, 159),
        Recorded(SYNC, AGAIN, 0.15, 0.13, 0.05, 22),
        Recorded("oc-mirror, registry to registry", AGAIN, 0.41, 0.34, 0.13, 61),
    ),
    "B": (
        Recorded(SYNC, COLD, 20.4, 17.9, 3.1, 24),
        Recorded("oc-mirror, registry to registry", COLD, 14.2, 9.2, 1.5, 64),
        Recorded("oc-mirror, to disk", COLD, 10.7, 10.2, 6.6, 74),
        Recorded("oc-mirror, from disk", COLD, 13.7, 13.5, 5.5, 91),
        Recorded(SYNC, AGAIN, 0.70, 0.66, 0.2, 22),
        Recorded("oc-mirror, registry to registry", AGAIN, 2.64, 2.59, 0.45, 62),
    ),
    "C": (
        Recorded(SYNC, COLD, 4.60, 3.96, 0.8, 23),
        Recorded("oc-mirror, registry to registry", COLD, 3.91, 3.25, 0.8, 61),
        Recorded("oc-mirror, to disk", COLD, 3.05, 2.71, 2.3, 67),
        Recorded("oc-mirror, from disk", COLD, 5.28, 4.06, 1.8, 145),
        Recorded(SYNC, AGAIN, 0.25, 0.23, 0.06, 21),
        Recorded("oc-mirror, registry to registry", AGAIN, 0.52, 0.50, 0.12, 61),
    ),
}
