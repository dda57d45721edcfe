# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_repository_mirror against a sandbox Quay."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayOptions as ClientOptions
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import Intent, Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work, run
from ansible_collections.quayside.airgap.plugins.module_utils.quay.repository_mirrors import RepositoryMirrorKind
from ansible_collections.quayside.airgap.plugins.modules import quay_repository_mirror
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.mirror import worked
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay

Ask = Callable[..., dict[str, Any]]
WHOLE = {"external_reference": "127.0.0.1:5000/projectquay/quay", "robot_username": "sync", "image_tags": ["v3.*", "latest"]}


@pytest.fixture
def mirror(quay: SandboxQuay, ask: Ask) -> Ask:
    """The module for a repository with a robot beside it."""
    quay.add_organization("prod", owner="quayadmin")
    quay.add_robot("prod+sync")
    quay.add_repository("prod/app", creator="quayadmin")
    return lambda **options: ask(quay_repository_mirror, **{"name": "prod/app", **options})


def test_a_mirror_is_made_once(mirror: Ask, quay: SandboxQuay) -> None:
    made = mirror(**WHOLE, sync_interval="8h")
    assert made["objects"] == [{"kind": "repository_mirror", "name": "prod/app", "state": "created"}]
    assert (made["sync_status"], made["sync_retries_remaining"]) == ("NEVER_RUN", 3)
    assert quay.world.repositories["prod/app"].state == "MIRROR"
    quay.reset_log()
    again = mirror(**WHOLE, sync_interval=str(8 * 3600), verify_tls=True, is_enabled=True, sync_start_date="2026-01-31T12:00:00+02:00")
    assert (again["changed"], quay.api_calls, quay.api_writes) == (False, 2, [])


def test_only_what_differs_is_changed(mirror: Ask) -> None:
    mirror(**WHOLE, https_proxy="http://proxy.example.com:3128")
    changed = mirror(image_tags=["latest"], verify_tls=False)
    assert changed["objects"][0]["fields"] == ["image_tags", "verify_tls"]
    assert not mirror(image_tags=["latest"], verify_tls=False, https_proxy="http://proxy.example.com:3128")["changed"]
    assert mirror(https_proxy="")["changed"]


def test_credentials(mirror: Ask) -> None:
    login = {"external_registry_username": "bob", "external_registry_password": "s3cret-word"}
    assert "s3cret-word" not in str(mirror(**WHOLE, **login)["diff"])
    assert not mirror(**login)["changed"]
    assert mirror(**login, update_credentials="always")["changed"]
    assert mirror(external_registry_username="")["objects"][0]["fields"] == ["external_registry_username"]
    assert "without a user" in mirror(external_registry_password="s3cret-word")["msg"]


def test_what_has_ended_is_taken_into_use_again(mirror: Ask, quay: SandboxQuay) -> None:
    mirror(**WHOLE, sync_interval="8h")
    assert mirror(state="absent")["objects"][0]["state"] == "deleted"
    assert not mirror(state="absent")["changed"]
    assert quay.world.repositories["prod/app"].state == "NORMAL"
    assert mirror()["objects"][0]["state"] == "created"
    assert not mirror(**WHOLE, sync_interval="8h", is_enabled=True)["changed"]
    mirror(state="absent")
    assert mirror(**{**WHOLE, "image_tags": ["v4"]})["changed"]
    assert not mirror(image_tags=["v4"], is_enabled=True)["changed"]


def test_synchronizing(mirror: Ask, quay: SandboxQuay) -> None:
    mirror(**WHOLE)
    assert mirror(force_sync=True, check=True)["changed"]
    assert mirror(force_sync=True)["sync_status"] == "SYNC_NOW"
    assert not mirror(force_sync=True)["changed"]
    assert mirror(cancel_sync=True)["changed"]
    assert not mirror(cancel_sync=True)["changed"]


def test_a_synchronization_that_is_under_way_is_not_started_again(mirror: Ask, quay: SandboxQuay) -> None:
    mirror(**WHOLE)
    quay.world.repositories["prod/app"].extra["mirror"]["sync_status"] = "SYNCING"
    assert not mirror(force_sync=True)["changed"]


def test_a_date_that_quay_moved_on_is_no_difference(mirror: Ask, quay: SandboxQuay) -> None:
    first = {"sync_start_date": "2026-01-31T12:00:00Z"}
    mirror(**WHOLE, **first)
    worked(quay.world.repositories["prod/app"].extra["mirror"])
    again = mirror(**WHOLE, **first)
    assert (again["changed"], again["sync_status"]) == (False, "SUCCESS")


def test_a_proxy_is_set_where_there_was_none(mirror: Ask, quay: SandboxQuay) -> None:
    mirror(**WHOLE)
    quay.world.repositories["prod/app"].extra["mirror"]["external_registry_config"] = {}
    proxy = {"http_proxy": "http://proxy.example.com:3128"}
    assert mirror(**proxy)["changed"]
    assert not mirror(**proxy)["changed"]


def test_a_missing_robot_spoils_nothing(mirror: Ask, quay: SandboxQuay) -> None:
    assert "Create the robot first" in mirror(**{**WHOLE, "robot_username": "prod+ghost"})["msg"]
    mirror(**WHOLE)
    mirror(image_tags=["v4"])
    assert not mirror(image_tags=["v4"])["changed"]


def test_tags_that_quay_only_says_it_has_changed(mirror: Ask, quay: SandboxQuay) -> None:
    quay.world.repositories["prod/app"].extra["stray_mirror_rule"] = True
    mirror(**WHOLE)
    said = mirror(image_tags=["v4"])["msg"]
    assert "they are still latest, v3.*" in said
    assert "Delete the repository and create it and its mirror again." in said


def test_many_mirrors_of_a_namespace_are_read_with_one_list(quay: SandboxQuay, mirror: Ask) -> None:
    mirror(**WHOLE)
    for number in range(3):
        quay.add_repository(f"prod/plain{number}", creator="quayadmin")
    quay.reset_log()
    with QuayClient(ClientOptions(quay.url, token=quay.token("quayadmin"))) as client:
        kind = RepositoryMirrorKind(client)
        names = ["app", "plain0", "plain1", "plain2"]
        outcomes = run(client, Work([Intent(kind, Place("prod", name), "") for name in names]), check_mode=True)
    assert [(outcome.name, outcome.state) for outcome in outcomes if outcome.changed] == [("prod/app", "deleted")]
    assert len([request for request in quay.requests if "/repository" in request.path]) == 2


def test_check_mode_writes_nothing(mirror: Ask, quay: SandboxQuay) -> None:
    quay.refuse_writes = True
    assert mirror(**WHOLE, force_sync=True, check=True)["changed"]
    assert quay.refused == []


def test_an_answer_that_got_lost(mirror: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("POST", "/mirror$", "drop_connection", after_effect=True))
    assert mirror(**WHOLE, retries=2)["changed"]
    assert not mirror(**WHOLE)["changed"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"external_reference": "https://quay.io/a/b"}, "holds a scheme"),
        ({"external_reference": "quay.io"}, "is no repository"),
        ({"external_reference": "quay.io/a/b:1"}, "holds a tag"),
        ({"robot_username": "other+sync"}, "needs a robot of prod"),
        ({"image_tags": []}, "name at least one tag"),
        ({"skopeo_timeout": "299"}, "is too short"),
        ({"sync_start_date": "soon"}, "is no date"),
    ],
)
def test_wrong_values_are_refused_before_any_call(mirror: Ask, quay: SandboxQuay, options: dict[str, Any], why: str) -> None:
    assert why in mirror(**{**WHOLE, **options})["msg"]
    assert not quay.requests


def test_what_a_new_mirror_needs(mirror: Ask) -> None:
    assert "needs external_reference, robot_username" in mirror(image_tags=["latest"])["msg"]


def test_missing_things(mirror: Ask) -> None:
    assert "the repository prod/ghost does not exist" in mirror(name="prod/ghost", **WHOLE)["msg"]
    assert "Create the robot first" in mirror(**{**WHOLE, "robot_username": "prod+ghost"})["msg"]


def test_without_the_feature_no_request_goes_below_the_repository(play: Ask) -> None:
    with SandboxQuay(QuayOptions(features={"REPO_MIRROR": False})) as quay:
        quay.add_user("quayadmin", "password1", superuser=True)
        quay.add_organization("prod", owner="quayadmin")
        quay.add_repository("prod/app", creator="quayadmin")
        options = {"quay_host": quay.url, "quay_token": quay.token("quayadmin"), "name": "prod/app"}
        assert "FEATURE_REPO_MIRROR: true" in play(quay_repository_mirror, **options, **WHOLE)["msg"]
        assert not play(quay_repository_mirror, **options, state="absent")["changed"]
        assert not [request for request in quay.requests if request.path.endswith("/mirror")]


def test_a_quay_without_time_limits_is_not_sent_one(play: Ask) -> None:
    with SandboxQuay(QuayOptions(version="3.8")) as quay:
        quay.add_user("quayadmin", "password1", superuser=True)
        quay.add_organization("prod", owner="quayadmin")
        quay.add_robot("prod+sync")
        quay.add_repository("prod/app", creator="quayadmin")
        options = {"quay_host": quay.url, "quay_token": quay.token("quayadmin"), "name": "prod/app", "skopeo_timeout": "10m"}
        assert play(quay_repository_mirror, **options, **WHOLE)["changed"]
        assert not play(quay_repository_mirror, **options, **WHOLE)["changed"]
        assert "architecture_filter" in play(quay_repository_mirror, **options, **WHOLE, architecture_filter=["arm64"])["msg"]
