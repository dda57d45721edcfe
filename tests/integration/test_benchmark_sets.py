# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of make bench-sets that runs the workflows of image sets, with small images in real registries."""

from __future__ import annotations

import re

import pytest

from ansible_collections.quayside.airgap.tests.benchmark.session import workspace
from ansible_collections.quayside.airgap.tests.benchmark.set_workflows import WorkflowBenchmark
from ansible_collections.quayside.airgap.tests.support.docker_registry import require_docker_registry
from ansible_collections.quayside.airgap.tests.support.workloads import KIB, SHAPES, Shape

SMALL = Shape(images=4, layers=3, layer_size=16 * KIB, shared=1, multi_arch_every=2)


@pytest.fixture(scope="module", autouse=True)
def _installed():
    require_docker_registry()


def test_every_workflow_moves_everything_and_then_nothing():
    told = []
    with workspace() as folder:
        benchmark = WorkflowBenchmark({"small": SMALL}, folder, repetitions=1, warm=False, parallel=4, limit=60, tell=told.append)
        # a workflow that does not leave in the destination what it should, or changes something again, ends this with an error
        benchmark.measure()
    assert not folder.exists()
    measured = {(taken.tool, taken.phase) for taken in benchmark.results.measurements}
    ours = {"floor", "straight", "to-disk", "from-disk"}
    assert {(name, phase) for name in ours for phase in ("cold", "again")} <= measured
    report = benchmark.report()
    rows = re.findall(r"^\| ((?:floor|image set)[^|]*) \| \d+\.\d\d \(\d+\.\d\d\) \| \d+\.\d\d \|", report, re.MULTILINE)
    assert len(rows) == 2 * len(ours)
    assert "recorded" not in report, "nothing was recorded for a workload of this size"
    assert len(told) == 1 + len(measured)


def test_what_was_recorded_stands_beside_the_same_workload(tmp_path):
    benchmark = WorkflowBenchmark({"A": SHAPES["A"]}, tmp_path, repetitions=1, warm=False, parallel=4, limit=60, tell=print)
    benchmark.results.workloads["A"] = {}
    assert "| *recorded:* oc-mirror, registry to registry | 3.88 (3.24) | | 0.68 | 0.80 | 62 |" in benchmark.report()
