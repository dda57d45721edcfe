# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox cluster answers as a real one was seen to: statuses, reasons, messages, pages, selectors."""

from __future__ import annotations

import pytest
import requests

from ansible_collections.quayside.airgap.tests.sandbox.kubernetes.server import KubernetesOptions, Right, SandboxKubernetes, User
from ansible_collections.quayside.airgap.tests.support.cluster_objects import cluster_version, operator, pod


@pytest.fixture
def cluster():
    options = KubernetesOptions(users={"all": User("admin"), "some": User("bot", (Right("pods", "shop"),))})
    with SandboxKubernetes(options) as server:
        yield server


@pytest.fixture
def ask(cluster):
    def ask(path, token="all", **query):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.get(cluster.url + path, params=query, headers=headers, timeout=10)

    return ask


def names(answer) -> list[str]:
    return [item["metadata"]["name"] for item in answer.json()["items"]]


def test_lists_objects_and_versions(cluster, ask):
    cluster.put(pod("web", "shop"), operator("db.v1.0.0", "shop"), cluster_version("4.18.1"))
    assert ask("/version").json()["gitVersion"] == "v1.31.6+a1b2c3d"
    assert names(ask("/api/v1/pods")) == names(ask("/api/v1/namespaces/shop/pods")) == ["web"]
    assert names(ask("/api/v1/namespaces/bank/pods")) == []
    assert names(ask("/api/v1/namespaces")) == ["shop"]
    assert ask("/api/v1/namespaces/shop").json()["kind"] == "Namespace"
    assert ask("/apis/config.openshift.io/v1/clusterversions/version").json()["status"]["desired"]["version"] == "4.18.1"
    listed = ask("/apis/operators.coreos.com/v1alpha1/clusterserviceversions").json()
    assert listed["kind"] == "ClusterServiceVersionList"
    assert "kind" not in listed["items"][0]


def test_pages(cluster, ask):
    cluster.put(*(pod(f"p{number}", "shop") for number in range(5)))
    first = ask("/api/v1/pods", limit=2)
    assert (names(first), first.json()["metadata"]["remainingItemCount"]) == (["p0", "p1"], 3)
    second = ask("/api/v1/pods", limit=2, **{"continue": first.json()["metadata"]["continue"]})
    assert names(second) == ["p2", "p3"]
    cluster.forget_lists()
    late = ask("/api/v1/pods", limit=2, **{"continue": second.json()["metadata"]["continue"]})
    assert (late.status_code, late.json()["reason"]) == (410, "Expired")
    assert ask("/api/v1/pods", **{"continue": "?"}).status_code == 400


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("app=web", ["a"]),
        ("app==web,tier!=front", []),
        ("app in (web, db)", ["a", "b"]),
        ("app notin (web)", ["b", "c"]),
        ("app", ["a", "b"]),
        ("!app", ["c"]),
        ("app!=web,tier", []),
    ],
)
def test_selectors_over_labels(cluster, ask, labels, expected):
    for name, found in (("a", {"app": "web", "tier": "front"}), ("b", {"app": "db"}), ("c", {})):
        item = pod(name, "shop")
        item["metadata"]["labels"] = found
        cluster.put(item)
    assert names(ask("/api/v1/pods", labelSelector=labels)) == expected


def test_selectors_over_fields(cluster, ask):
    cluster.put(pod("web", "shop"), pod("done", "shop", phase="Succeeded"))
    assert names(ask("/api/v1/pods", fieldSelector="status.phase!=Succeeded,metadata.namespace=shop")) == ["web"]
    refused = ask("/api/v1/pods", fieldSelector="spec.colour=blue")
    assert (refused.status_code, refused.json()["message"]) == (400, "field label not supported: spec.colour")


def test_refusals(ask):
    assert ask("/version", token="wrong").json()["reason"] == "Unauthorized"
    nobody = ask("/api/v1/pods", token="")
    told = 'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope'
    assert (nobody.status_code, nobody.json()["message"]) == (403, told)
    assert ask("/api/v1/namespaces/shop/pods", token="some").status_code == 200
    assert ask("/api/v1/namespaces/bank/pods", token="some").status_code == 403
    secret = ask("/api/v1/namespaces/shop/secrets/x", token="some").json()["message"]
    assert 'secrets "x" is forbidden: User "bot" cannot get resource "secrets" in API group "" in the namespace "shop"' in secret
    absent = ask("/api/v1/namespaces/shop/pods/none")
    assert (absent.status_code, absent.json()["reason"], absent.json()["message"]) == (404, "NotFound", 'pods "none" not found')
    unknown = ask("/api/v1/widgets")
    assert (unknown.status_code, unknown.json()["message"]) == (404, "the server could not find the requested resource")
    for path in ("/apis/apps/v1/deployments", "/apis/apps/v1", "/apis/none"):
        foreign = ask(path)
        assert (foreign.status_code, foreign.text) == (404, "404 page not found\n")
