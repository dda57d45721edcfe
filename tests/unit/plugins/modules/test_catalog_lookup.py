# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""catalog_lookup as a task: what is asked for, what runs on a cluster, what an image set holds."""

from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.modules import catalog_lookup, image_mirror
from ansible_collections.quayside.airgap.tests.sandbox.kubernetes.server import Right, SandboxKubernetes, User
from ansible_collections.quayside.airgap.tests.support.cluster_objects import cluster_version, kubeconfig, operator, pod, release
from ansible_collections.quayside.airgap.tests.support.operator_shop import TOOL, OperatorShop
from ansible_collections.quayside.airgap.tests.support.small_dump import OPERATOR, PLACE, UNKNOWN, WEB, WEB_LIST, write_small_dump

# options of other modules that the player adds
NONE = dict.fromkeys(("registries_conf", "source_validate_certs", "destination_validate_certs", "retries"))


@pytest.fixture
def dump(tmp_path):
    return write_small_dump(tmp_path / "dump")


@pytest.fixture
def ask(play, dump):
    return lambda **options: play(catalog_lookup, **{"path": str(dump), **NONE, **options})


@pytest.fixture
def cluster():
    with SandboxKubernetes() as server:
        server.put(
            cluster_version("4.18.3"),
            pod("web-1", "shop", f"lab.example/mirror/web@{WEB_LIST}", deployment="web"),
            pod("db-0", "bank", f"lab.example/mirror/db@{UNKNOWN}"),
            operator(OPERATOR, "shop"),
            release("db", "bank", "picky", "2.0"),
        )
        yield server


def login(cluster, **more):
    return {"cluster": {"host": cluster.url, "api_key": "admin-token", "retries": 0, **more}}


@pytest.mark.parametrize("check", [False, True])
def test_many_questions_in_one_task(ask, check):
    result = ask(
        check=check,
        containers=[f"{PLACE}:1.0", {"digest": WEB_LIST}, f"{PLACE}:9"],
        operators=[OPERATOR, f"{OPERATOR} 4.19", ""],
        charts=["picky 2.0"],
        ocp_version="4.18",
        kube_version="v1.31.6",
    )
    assert not result["changed"]
    assert not result["certified"]
    assert [found["certified"] for found in result["containers"]] == [True, True, False]
    assert [found["certified"] for found in result["operators"]] == [True, False]
    assert result["uncertified"] == [f"{PLACE}:9", f"{OPERATOR} 4.19"]
    assert result["counts"]["asked"] == 6
    assert result["charts"][0]["question"]["kube_version"] == "v1.31.6"


def test_all_that_is_wrong_with_the_questions_is_told_at_once(ask):
    told = ask(containers=["web"], operators=[{"csv": "x"}], charts=[{"name": "c", "version": 1.1}], ocp_version=4.2)["msg"]
    for place in ("containers[0]", "operators[0].csv", "charts[0].version", "ocp_version"):
        assert f"{place}: " in told


def test_nothing_to_look_up_and_no_dump(ask, tmp_path):
    assert "there is nothing to look up" in ask()["msg"]
    assert "containers.db" in ask(path=str(tmp_path), operators=["a.v1"])["msg"]
    assert "one of the following is required: cluster, image_set" in ask(discover={})["msg"]


def test_a_dump_that_misleads_is_warned_about(ask, dump):
    (dump / "data/operators/page.db").write_text('{"page": 1}')
    assert "page.db: it has no data" in str(ask(operators=[OPERATOR])["warnings"])


def test_it_can_fail_by_itself(ask):
    fine = ask(operators=[OPERATOR], fail_on_uncertified=True)
    assert fine["certified"]
    failed = ask(operators=[OPERATOR, "other.v1.0.0"], fail_on_uncertified=True)
    assert "1 of 2 are not certified" in failed["msg"]
    assert "other.v1.0.0 (the catalog has no operator 'other')" in failed["msg"]
    assert failed["uncertified"] == ["other.v1.0.0"]


# --- clusters


def test_what_runs_on_a_cluster(ask, cluster):
    result = ask(discover=login(cluster), operators=[f"{OPERATOR}"])
    assert result["uncertified"] == [f"lab.example/mirror/db@{UNKNOWN}"]
    assert [(group["name"], group["certified"], len(group["uncertified"])) for group in result["groups"]] == [
        ("bank", 1, 1),
        ("shop", 2, 0),
    ]
    assert result["containers"][1]["found_in"] == [{"group": "shop", "owner": "Deployment/web"}]
    # what is asked for besides is asked with the version of the cluster, too
    assert [found["question"]["ocp_version"] for found in result["operators"]] == ["4.18", "4.18"]
    versions = {"server": cluster.url, "ocp_version": "4.18", "kube_version": "v1.31.6+a1b2c3d"}
    assert result["discovered"] == {"cluster": versions}
    assert result["unread"] == []


def test_a_cluster_by_its_kubeconfig_and_only_some_namespaces(ask, cluster, tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig(cluster.url, token="admin-token")))
    result = ask(discover={"cluster": {"kubeconfig": str(path), "namespaces": ["shop", ""]}})
    assert result["certified"]
    assert [group["name"] for group in result["groups"]] == ["shop"]
    (tmp_path / ".kube").mkdir()
    path.rename(tmp_path / ".kube/config")
    assert [group["name"] for group in ask(discover={"cluster": {}})["groups"]] == ["bank", "shop"]
    rest = ask(discover={"cluster": {"exclude_namespaces": ["shop"]}})
    assert [group["name"] for group in rest["groups"]] == ["bank"]


def test_what_may_not_be_read_is_a_warning_and_not_certified(ask, cluster):
    cluster.users["weak"] = User("bot", (Right("pods", "shop"), Right("clusterserviceversions", "shop"), Right("clusterversions")))
    result = ask(discover=login(cluster, api_key="weak", namespaces=["shop"]))
    assert (result["certified"], result["uncertified"]) == (False, [])
    assert len(result["unread"]) == 1
    assert "The Helm releases in the namespace shop may not be read" in str(result["warnings"])
    failed = ask(discover=login(cluster, api_key="weak", namespaces=["shop"]), fail_on_uncertified=True)
    assert "may not be read" in failed["msg"]


def test_no_secret_is_told(ask, cluster):
    cluster.users["sha256~topsecret"] = User("bot")
    told = json.dumps(ask(discover=login(cluster, api_key="sha256~topsecret")))
    assert "topsecret" not in told
    assert "hunter2" not in told
    refused = json.dumps(ask(discover=login(cluster, api_key="sha256~wrong")))
    assert "not accepted" in refused
    assert "~wrong" not in refused


def test_a_cluster_on_which_nothing_runs(ask):
    with SandboxKubernetes() as cluster:
        result = ask(discover=login(cluster))
    assert result["certified"]
    assert "Nothing was discovered" in str(result["warnings"])


# --- image sets


def test_what_an_image_set_has_mirrored(ask, play, start, tmp_path):
    """By the report that image_mirror leaves."""
    source, destination = start(), start()
    shop = OperatorShop(source.host, size=2_000)
    for item in shop.placements():
        source.load(item.repository, item.tag, item.image)
    image_set = shop.image_set("db-operator", images=[TOOL])
    mirrored = play(image_mirror, image_set=image_set, destination=f"{destination.host}/far", workspace=str(tmp_path / "work"))
    result = ask(discover={"image_set": str(tmp_path / "work")})
    assert result["discovered"]["image_set"]["file"] in mirrored["reports"]
    wanted = {image["digest"] for image in mirrored["images"] if image["kind"] in ("operatorRelatedImage", "generic")}
    assert {found["question"]["digest"] for found in result["containers"] if found["question"]} == wanted
    bundles = {bundle.partition("/")[2] for image in mirrored["images"] for bundle in image["bundles"]}
    assert {found["question"]["csv_name"] for found in result["operators"]} == bundles != set()
    assert result["counts"]["passed_over"] == sum(image["kind"] in ("operatorBundle", "operatorCatalog") for image in mirrored["images"])


def test_an_image_set_and_a_cluster_in_one_task(ask, cluster, tmp_path):
    path = tmp_path / "mapping.txt"
    path.write_text(f"docker://{PLACE}@{WEB}=docker://lab.example/web:1\n")
    result = ask(discover={**login(cluster), "image_set": str(path)})
    assert [group["name"] for group in result["groups"]] == ["bank", "mapping.txt", "shop"]
    assert set(result["discovered"]) == {"cluster", "image_set"}
