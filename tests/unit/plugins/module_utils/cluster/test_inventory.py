# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on a cluster: which images, operators and charts count, where they run, and what cannot be seen."""

from __future__ import annotations

import gzip
import json

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.cluster.client import ClusterClient, Manners
from ansible_collections.quayside.airgap.plugins.module_utils.cluster.inventory import (
    Place,
    RunningImage,
    RunningOperator,
    Scope,
    chart_of_release,
    take_inventory,
)
from ansible_collections.quayside.airgap.plugins.module_utils.cluster.kubeconfig import Connection
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import HttpError, InputError
from ansible_collections.quayside.airgap.tests.sandbox.kubernetes.server import KubernetesOptions, Right, SandboxKubernetes, User
from ansible_collections.quayside.airgap.tests.support.cluster_objects import cluster_version, operator, pod, release

WEB = "quay.io/shop/web@sha256:" + "a" * 64
DB = "registry.connect.redhat.com/shop/db@sha256:" + "b" * 64
TOOL = "quay.io/shop/tool@sha256:" + "c" * 64


@pytest.fixture
def cluster():
    with SandboxKubernetes() as server:
        yield server


def look(cluster, *namespaces, token="admin-token", excluded=()):
    with ClusterClient(Connection(cluster.url, token=token, found="the test"), Manners(retries=0)) as client:
        return take_inventory(client, Scope(namespaces, excluded))


# --- images


def test_an_image_is_told_once_with_all_the_places_that_it_runs_in(cluster):
    cluster.put(
        pod("web-1", "shop", WEB, deployment="web"),
        pod("web-2", "shop", WEB, deployment="web"),
        pod("db-0", "bank", DB, WEB),
    )
    assert look(cluster).images == (
        RunningImage(WEB, WEB.partition("@")[0], (Place("bank", "Pod/db-0"), Place("shop", "Deployment/web"))),
        RunningImage(DB, DB.partition("@")[0], (Place("bank", "Pod/db-0"),)),
    )


def test_all_kinds_of_containers_count_and_only_of_pods_that_run(cluster):
    cluster.put(
        pod("web", "shop", WEB, init=[DB], ephemeral=[TOOL]),
        pod("done", "shop", "quay.io/shop/done@sha256:1", phase="Succeeded"),
        pod("waits", "shop", "quay.io/shop/waits@sha256:1", phase="Pending"),
    )
    assert {found.image_id for found in look(cluster).images} == {WEB, DB, TOOL}


def test_a_pod_that_is_going_away_does_not_count(cluster):
    leaving = pod("web", "shop", WEB)
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    cluster.put(leaving)
    assert look(cluster).images == ()


def test_a_container_that_the_node_says_nothing_about_is_not_forgotten(cluster):
    silent = pod("web", "shop", WEB)
    silent["status"]["containerStatuses"] = []
    cluster.put(silent)
    assert [(found.image_id, found.image) for found in look(cluster).images] == [("", "quay.io/shop/web")]


def test_pods_that_are_nothing_like_pods_do_no_harm(cluster):
    odd = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "odd", "namespace": "shop", "ownerReferences": ["x"]}}
    cluster.put({**odd, "spec": {"containers": "x"}, "status": {"phase": "Running", "containerStatuses": [1, {"name": 1}]}})
    assert [found.image_id for found in look(cluster).images] == [""]


# --- operators


def test_an_operator_and_its_copies_are_one(cluster):
    """OLM copies an operator into every namespace that it looks after."""
    cluster.put(
        operator("db.v1.2.3", "operators"),
        operator("db.v1.2.3", "shop", copied_from="operators"),
        operator("db.v1.2.3", "bank", copied_from="operators"),
        operator("failed.v1.0.0", "shop", phase="Failed"),
    )
    once = (RunningOperator("db.v1.2.3", (Place("operators", "ClusterServiceVersion/db.v1.2.3"),)),)
    assert look(cluster).operators == once
    assert look(cluster, "shop", "bank").operators == once


# --- charts


def test_releases_name_their_charts_and_keep_their_values_to_themselves(cluster):
    cluster.put(
        release("web", "shop", "nginx", "1.10"),
        release("old", "shop", "nginx", "1.9", status="superseded"),
        release("web", "bank", "nginx", "1.10"),
    )
    found = look(cluster)
    assert [(chart.name, chart.version, chart.places) for chart in found.charts] == [
        ("nginx", "1.10", (Place("bank", "Helm release/web"), Place("shop", "Helm release/web")))
    ]
    assert "hunter2" not in repr(found)


def test_a_release_that_cannot_be_read_is_told(cluster):
    cluster.put(release("web", "shop", "", "", content=b"\x1f\x8b\x08broken hunter2"))
    (found,) = look(cluster).charts
    assert "the release web in the namespace shop cannot be read: its gzip data is damaged" in found.problem
    assert "hunter2" not in repr(found)


DAMAGED = {
    "cut off": lambda: gzip.compress(b"{}" * 100)[:-12],
    "no chart": lambda: gzip.compress(b"[]"),
    "no JSON": lambda: b"no JSON",
    "no chart with a version": lambda: gzip.compress(json.dumps({"chart": {"metadata": {"name": "nginx"}}}).encode()),
    "more than": lambda: gzip.compress(b" " * (17 << 20), 1),
}


@pytest.mark.parametrize("words", DAMAGED)
def test_what_is_no_release(words):
    with pytest.raises(ValueError, match=words):
        chart_of_release(release("web", "shop", "", "", content=DAMAGED[words]())["data"]["release"])


def test_a_release_of_long_ago_is_not_packed():
    plain = json.dumps({"chart": {"metadata": {"name": "nginx", "version": "1.0"}}}).encode()
    assert chart_of_release(release("web", "shop", "", "", content=plain)["data"]["release"]) == ("nginx", "1.0")
    with pytest.raises(ValueError, match="no base64"):
        chart_of_release("%")


# --- versions


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (cluster_version("4.18.3"), "4.18"),
        (cluster_version("4.19.0", "4.18.30", "4.17.9"), "4.18"),
        (cluster_version("5", "5"), ""),
    ],
)
def test_the_version_of_openshift_is_the_one_that_was_reached(cluster, version, expected):
    cluster.put(version)
    found = look(cluster)
    assert (found.ocp_version, found.kube_version) == (expected, "v1.31.6+a1b2c3d")


def test_a_cluster_that_is_no_openshift():
    with SandboxKubernetes(KubernetesOptions(openshift=False, olm=False)) as cluster:
        cluster.put(pod("web", "shop", WEB))
        found = look(cluster)
    assert found.ocp_version == ""
    assert found.absent == ("There are no operators: the cluster has no such API.",)
    assert found.unread == ()
    assert len(found.images) == 1


# --- which namespaces


def test_only_the_namespaces_that_are_asked_for_are_looked_at(cluster):
    cluster.put(pod("web", "shop", WEB), pod("db", "shop-test", DB), pod("tool", "openshift-dns", TOOL))
    assert [found.image_id for found in look(cluster, "shop").images] == [WEB]
    assert cluster.count(path="^/api/v1/pods") == 0
    assert {found.image_id for found in look(cluster, "shop*").images} == {WEB, DB}
    assert {found.image_id for found in look(cluster, excluded=("openshift-*",)).images} == {WEB, DB}


def test_a_namespace_that_is_not_there_is_an_error(cluster):
    """A list of it would be empty, and look as if nothing ran in it."""
    with pytest.raises(InputError, match="the cluster has no namespace shpo"):
        look(cluster, "shpo")
    for name in ("../secrets", "Shop", "shop/pods", ""):
        with pytest.raises(InputError, match="no namespace has such a name"):
            look(cluster, name)


# --- what may not be read


def test_what_may_not_be_read_is_told_and_the_rest_is_there(cluster):
    cluster.put(pod("web", "shop", WEB), pod("db", "bank", DB), release("web", "shop", "nginx", "1.0"), cluster_version("4.18.1"))
    cluster.users["weak"] = User("bot", (Right("pods", "shop"), Right("clusterserviceversions")))
    found = look(cluster, "shop", "bank", token="weak")
    assert [image.image_id for image in found.images] == [WEB]
    assert [sentence.partition(" may not be read")[0] for sentence in found.unread] == [
        "The pods in the namespace bank",
        "The Helm releases in the namespace shop",
        "The Helm releases in the namespace bank",
        "The version of OpenShift",
    ]
    assert 'User "bot" cannot list resource "pods"' in found.unread[0]


def test_a_login_that_is_refused_ends_it(cluster):
    with pytest.raises(HttpError, match="not accepted"):
        look(cluster, token="wrong")


def test_a_large_cluster_is_read_in_pages(cluster):
    """Of ten thousand containers with a hundred images, a hundred images are kept."""
    cluster.put(
        *(pod(f"web-{number:04d}", "shop", f"quay.io/shop/app@sha256:{number % 100:064d}", deployment="web") for number in range(2000))
    )
    found = look(cluster)
    assert len(found.images) == 100
    assert {image.places for image in found.images} == {(Place("shop", "Deployment/web"),)}
    assert cluster.count(path="/pods") == 8
