# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is it certified? As tasks and conditions of a playbook ask."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.quayside.airgap.tests.integration.playbooks import HERE
from ansible_collections.quayside.airgap.tests.sandbox.kubernetes.server import SandboxKubernetes
from ansible_collections.quayside.airgap.tests.support.cluster_objects import cluster_version, operator, pod
from ansible_collections.quayside.airgap.tests.support.small_dump import OPERATOR, PLACE, UNKNOWN, WEB, write_small_dump

LOOKUP = "quayside.airgap.catalog_lookup"
CONDITIONS = [
    "image is quayside.airgap.certified_image(dump)",
    "foreign is not quayside.airgap.certified_image(dump)",
    "[image, foreign] | select('quayside.airgap.certified_image', dump) | list == [image]",
    "csv is quayside.airgap.certified_operator(dump, ocp_version='4.18')",
    "csv is not quayside.airgap.certified_operator(dump, ocp_version='4.99')",
    "'picky 2.0' is quayside.airgap.certified_chart(dump, kube_version='v1.31.6')",
    "asked.certified",
    "running.uncertified == [foreign]",
]


@pytest.mark.matrix
def test_tasks_and_conditions_ask_the_same_dump(play, tmp_path):
    """Named things, a cluster, and single conditions; then a task that fails by itself."""
    dump = write_small_dump(tmp_path / "dump")
    image, foreign = f"{PLACE}@{WEB}", f"quay.io/shop/other@{UNKNOWN}"
    with SandboxKubernetes() as cluster:
        cluster.put(cluster_version("4.18.3"), pod("web", "shop", image, foreign), operator(OPERATOR, "shop"))
        discover = {"cluster": {"host": cluster.url, "api_key": "admin-token"}}
        tasks = [
            {LOOKUP: {"path": "{{ dump }}", "containers": ["{{ image }}"], "operators": ["{{ csv }} 4.18"]}, "register": "asked"},
            {LOOKUP: {"path": "{{ dump }}", "discover": discover}, "register": "running"},
            {"ansible.builtin.assert": {"that": CONDITIONS}},
            {"ansible.builtin.assert": {"that": "'picky 2.0' is quayside.airgap.certified_chart(dump)"}, "ignore_errors": True},
            {LOOKUP: {"path": "{{ dump }}", "discover": discover, "fail_on_uncertified": True}},
        ]
        playbook = tmp_path / "certified.yml"
        playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "vars": HERE, "tasks": tasks}]))
        variables = {"dump": str(dump), "image": image, "foreign": foreign, "csv": OPERATOR}
        run = play(variables, playbook=str(playbook)).failed()
    assert [entry["state"] for entry in run.tasks] == ["ok", "ok", "ok", "failed", "failed"]
    assert "Could not say whether picky 2.0 is certified: its kubeVersion" in run.output
    told = run.tasks[-1]["result"]["msg"]
    assert "1 of 3 are not certified" in told
    assert foreign in told
    assert run.changed == 0
    assert "admin-token" not in run.output
