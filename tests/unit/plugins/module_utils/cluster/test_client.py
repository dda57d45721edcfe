# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of a cluster: logins, lists in pages, which kinds there are, and what an answer that says no becomes."""

from __future__ import annotations

import os

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.cluster.client import ClusterClient, Manners, Resource
from ansible_collections.quayside.airgap.plugins.module_utils.cluster.kubeconfig import Connection, Pem
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import (
    AirgapError,
    HttpError,
    InputError,
    ProtocolError,
    TransportError,
)
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.kubernetes.server import ADMIN, KubernetesOptions, SandboxKubernetes, User
from ansible_collections.quayside.airgap.tests.support.certs import create_certificates
from ansible_collections.quayside.airgap.tests.support.cluster_objects import pod
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import Proxy, ScriptedServer, closed_port, reply

FEW = Manners(retries=1)


@pytest.fixture
def cluster():
    with SandboxKubernetes() as server:
        yield server


def connect(cluster, **more) -> ClusterClient:
    return ClusterClient(Connection(cluster.url, **{"token": "admin-token", "found": "the test", **more}), FEW)


def names(items) -> list[str]:
    return [item["metadata"]["name"] for item in items]


# --- lists


def test_a_list_comes_in_pages_and_whole(cluster):
    cluster.put(*(pod(f"pod-{number:03d}", "shop") for number in range(25)))
    with connect(cluster) as client:
        found = client.list_objects("/api/v1/pods", page=10)
    assert names(found) == [f"pod-{number:03d}" for number in range(25)]
    assert cluster.count(path="/pods") == 3


def test_selectors_are_for_the_cluster_to_apply(cluster):
    cluster.put(pod("runs", "shop"), pod("done", "shop", phase="Succeeded"), pod("other", "bank", deployment="web"))
    with connect(cluster) as client:
        assert names(client.list_objects("/api/v1/pods", fields="status.phase=Running")) == ["other", "runs"]
        assert names(client.list_objects("/api/v1/namespaces/shop/pods", labels="!pod-template-hash")) == ["done", "runs"]
        with pytest.raises(HttpError, match="field label not supported"):
            client.list_objects("/api/v1/pods", fields="spec.colour=blue")


def test_a_list_whose_state_is_forgotten_is_begun_again(cluster):
    """Nothing is there twice, and what was gathered before is given up."""
    cluster.put(*(pod(f"pod-{number}", "shop") for number in range(6)))
    begun = []

    def add(into, item):
        into.append(item["metadata"]["name"])
        if len(begun) == 1 and len(into) == 4:
            cluster.forget_lists()

    def begin():
        begun.append([])
        return begun[-1]

    with connect(cluster) as client:
        found = client.gather("/api/v1/pods", begin, add, page=2)
    assert found == [f"pod-{number}" for number in range(6)]
    assert len(begun) == 2


def test_a_list_that_is_always_forgotten_is_given_up(cluster):
    cluster.put(*(pod(f"pod-{number}", "shop") for number in range(4)))
    with connect(cluster) as client, pytest.raises(HttpError, match="too old") as caught:
        client.gather("/api/v1/pods", list, lambda _into, _item: cluster.forget_lists(), page=2)
    assert (caught.value.status, caught.value.code) == (410, "Expired")
    assert cluster.count(path="/pods", status=410) == 4


@pytest.mark.parametrize("answer", ['{"items": {}}', '{"items": [1]}', '{"metadata": []}', "[]", "<html>", '{"metadata": {"continue": 1}}'])
def test_what_is_no_list_is_an_error(answer):
    with ScriptedServer([reply(200, answer)]) as server, connect(server) as client, pytest.raises(ProtocolError):
        client.list_objects("/api/v1/pods")


def test_a_page_that_refers_to_itself_is_an_error():
    endless = reply(200, '{"items": [], "metadata": {"continue": "again"}}')
    with ScriptedServer([endless]) as server, connect(server) as client, pytest.raises(ProtocolError, match="refers to itself"):
        client.list_objects("/api/v1/pods")


# --- single objects, kinds, versions


def test_an_object_and_one_that_is_not_there(cluster):
    cluster.put(pod("web", "shop"))
    with connect(cluster) as client:
        assert client.get("/api/v1/namespaces/shop/pods/web")["metadata"]["name"] == "web"
        assert client.find("/api/v1/namespaces/shop/pods/none") is None
        with pytest.raises(HttpError, match='pods "none" not found') as caught:
            client.get("/api/v1/namespaces/shop/pods/none")
        assert caught.value.code == "NotFound"
        with pytest.raises(HttpError, match="does not serve this") as caught:
            client.get("/apis/apps/v1/deployments")
        assert (caught.value.status, caught.value.code) == (404, "")


def test_the_kinds_of_an_api(cluster):
    with connect(cluster) as client:
        found = client.resources("v1")
        assert found["Pod"] == Resource("pods", "Pod", True, ("get", "list", "watch"))
        assert not found["Namespace"].namespaced
        assert client.resources("operators.coreos.com/v1alpha1")["ClusterServiceVersion"].name == "clusterserviceversions"
        assert client.resources("apps/v1") is None


def test_the_version_of_a_cluster(cluster):
    with connect(cluster) as client:
        assert client.version() == "v1.31.6+a1b2c3d"
    with ScriptedServer([reply(200, "{}")]) as server, connect(server) as client, pytest.raises(ProtocolError, match="console"):
        client.version()


# --- logins


def test_a_login_that_is_refused_and_one_that_may_not(cluster):
    cluster.users["weak"] = User("bot", ())
    with connect(cluster, token="no-such-token") as client, pytest.raises(HttpError, match="the test") as caught:
        client.version()
    assert caught.value.status == 401
    assert "no-such-token" not in str(caught.value)
    with connect(cluster, token="weak") as client, pytest.raises(HttpError, match='User "bot" cannot list') as caught:
        client.list_objects("/api/v1/pods")
    assert (caught.value.status, caught.value.code) == (403, "Forbidden")
    with connect(cluster, token="") as client, pytest.raises(HttpError, match="system:anonymous"):
        client.list_objects("/api/v1/pods")


def test_a_token_in_a_file_is_read_again_when_it_has_been_renewed(cluster, tmp_path):
    """As that of a service account is, every hour."""
    path = tmp_path / "token"
    path.write_text("admin-token\n")
    with connect(cluster, token="", token_file=str(path)) as client:
        client.version()
        cluster.users = {"renewed": ADMIN}
        path.write_text("renewed")
        client.version()
        path.write_text("wrong")
        cluster.users = {}
        with pytest.raises(HttpError, match="read"):
            client.version()
    assert cluster.count(path="/version") == 5


def test_acting_as_somebody_else_is_said_in_headers(cluster):
    with connect(cluster, as_user="auditor", as_group="readers") as client:
        client.version()
    headers = cluster.requests[0].headers
    assert (headers["impersonate-user"], headers["impersonate-group"]) == ("auditor", "readers")


# --- the way there


def test_a_certificate_logs_in_and_the_cluster_is_trusted_by_its_authority(tmp_path):
    """Given as content, they lie in files that nobody else can read, and only as long as the client lives."""
    certificates = create_certificates(tmp_path)
    options = KubernetesOptions(tls=certificates, client_certificates=True)
    content = {
        name: Pem(content=getattr(certificates, path).read_bytes())
        for name, path in (("authority", "ca"), ("client_cert", "client_cert"), ("client_key", "client_key"))
    }
    with SandboxKubernetes(options) as cluster:
        with connect(cluster, token="", **content) as client:
            assert client.list_objects("/api/v1/pods") == []
            folder = client._folder
            modes = {os.stat(os.path.join(folder, name)).st_mode & 0o777 for name in os.listdir(folder)}
            assert (os.stat(folder).st_mode & 0o777, modes) == (0o700, {0o600})
        assert not os.path.exists(folder)
        files = {
            name: Pem(str(getattr(certificates, path))) for name, path in (("client_cert", "client_cert"), ("client_key", "client_key"))
        }
        with connect(cluster, token="", verify=False, **files) as client:
            assert client.list_objects("/api/v1/pods") == []
        with connect(cluster, token="", **files) as client, pytest.raises(TransportError, match="not trusted"):
            client.version()


def test_what_is_no_certificate_is_told_and_leaves_nothing_behind(tmp_path, monkeypatch, cluster):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with connect(cluster, client_cert=Pem(content=b"no PEM"), client_key=Pem(content=b"no PEM")) as client:
        assert client.version()
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_proxy_of_the_kubeconfig_carries_the_calls(cluster):
    with Proxy(int(cluster.url.rpartition(":")[2])) as proxy:
        with ClusterClient(Connection("http://api.lab.example.com", token="admin-token", proxy=proxy.url), FEW) as client:
            client.version()
        assert proxy.asked == ["GET http://api.lab.example.com/version"]


def test_passing_failures_are_tried_again(cluster):
    cluster.faults.append(Fault("GET", "/version", "status", status=503, retry_after=0))
    cluster.faults.append(Fault("GET", "/version", "truncate", skip=1))
    with ClusterClient(Connection(cluster.url, token="admin-token"), Manners(retries=2)) as client:
        assert client.version()
    assert cluster.count(path="/version") == 3


def test_nobody_who_answers_is_told_at_once():
    nowhere = Connection(f"http://127.0.0.1:{closed_port()}")
    with ClusterClient(nowhere, Manners(retries=100)) as client, pytest.raises(TransportError, match="refused"):
        client.version()


def test_a_login_page_in_the_place_of_an_api():
    elsewhere = reply(302, "", Location="https://login.example.com/?token=x")
    with ScriptedServer([elsewhere]) as server, connect(server) as client, pytest.raises(AirgapError, match="leads elsewhere"):
        client.version()


@pytest.mark.parametrize("wrong", [{"retries": -1}, {"timeout": 0}])
def test_manners_have_limits(wrong):
    with pytest.raises(InputError, match="is not between"):
        Manners(**wrong)
