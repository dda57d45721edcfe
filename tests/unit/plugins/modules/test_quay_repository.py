# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_repository against a sandbox Quay."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.modules import quay_repository
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay
from ansible_collections.quayside.airgap.tests.support.images import push, simple_image

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def organization(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner="quayadmin")
    quay.add_team("prod", "readers")
    quay.add_robot("prod+ci")


def test_a_repository_is_made_once(ask: Ask, quay: SandboxQuay) -> None:
    made = ask(quay_repository, name="prod/team/app", visibility="public", description="an app", repo_state="READ_ONLY")
    assert (made["changed"], made["name"]) == (True, "prod/team/app")
    found = quay.world.repositories["prod/team/app"]
    assert (found.public, found.description, found.state) == (True, "an app", "READ_ONLY")
    again = ask(quay_repository, name="prod/team/app", visibility="public", description="an app", repo_state="READ_ONLY")
    assert not again["changed"]


def test_one_that_came_by_a_push_is_brought_into_shape(ask: Ask, quay: SandboxQuay) -> None:
    push(quay.url, "prod/pushed", "1", simple_image("app"), ("quayadmin", "password1"))
    changed = ask(quay_repository, name="prod/pushed", visibility="public", description="pushed")
    assert changed["diff"]["before"] == {"repository prod/pushed": {"visibility": "private", "description": ""}}
    assert changed["objects"][0]["fields"] == ["description", "visibility"]
    assert not ask(quay_repository, name="prod/pushed", visibility="public")["changed"]


def test_permissions_are_added_and_taken_away(ask: Ask, quay: SandboxQuay) -> None:
    permissions = [
        {"name": "ci", "type": "robot", "role": "write"},
        {"name": "readers", "type": "team"},
        {"name": "alice", "role": "admin"},
    ]
    ask(quay_repository, name="prod/app", permissions=permissions)
    assert not ask(quay_repository, name="prod/app", permissions=permissions)["changed"]
    changed = ask(quay_repository, name="prod/app", permissions=[{"name": "prod+ci", "role": "read"}])
    assert changed["diff"]["after"]["permissions prod/app"]["user"]["prod+ci"] == "read"
    only = ask(quay_repository, name="prod/app", permissions=[{"name": "alice", "role": "admin"}], append=False)
    assert only["diff"]["after"] == {"permissions prod/app": {"user": {"alice": "admin"}, "team": {}}}
    assert not ask(quay_repository, name="prod/app", permissions=[{"name": "alice", "role": "admin"}], append=False)["changed"]


def test_permissions_of_a_new_repository_can_be_the_only_ones(ask: Ask) -> None:
    wanted = [{"name": "readers", "type": "team"}]
    ask(quay_repository, name="prod/app", permissions=wanted, append=False)
    assert not ask(quay_repository, name="prod/app", permissions=wanted, append=False)["changed"]


def test_someone_who_does_not_exist(ask: Ask) -> None:
    told = ask(quay_repository, name="prod/app", permissions=[{"name": "nobody"}])
    assert "give user nobody the role read in repository prod/app" in told["msg"]
    assert "Invalid username: nobody" in told["msg"]


def test_check_mode_writes_nothing(ask: Ask, quay: SandboxQuay) -> None:
    quay.refuse_writes = True
    foretold = ask(quay_repository, name="prod/app", permissions=[{"name": "readers", "type": "team"}], check=True)
    assert [entry["state"] for entry in foretold["objects"]] == ["created", "created"]
    assert quay.refused == []


def test_deleting(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_repository, name="prod/app")
    assert ask(quay_repository, name="prod/app", state="absent")["changed"]
    quay.reset_log()
    assert not ask(quay_repository, name="prod/app", state="absent")["changed"]
    assert quay.writes == []


def test_a_missing_organization_is_told_in_check_mode_too(ask: Ask, quay: SandboxQuay) -> None:
    for check in (True, False):
        told = ask(quay_repository, name="nope/app", check=check)
        assert "there is no organization or user nope" in told["msg"]
    assert quay.writes == []


def test_a_name_without_namespace_is_the_users(ask: Ask, quay: SandboxQuay) -> None:
    assert ask(quay_repository, name="mine")["name"] == "quayadmin/mine"
    assert "quayadmin/mine" in quay.world.repositories


@pytest.mark.parametrize("name", ["prod/App", "Prod/app", "prod/x/mirror", "prod/", "prod/a//b"])
def test_names_that_cannot_be(ask: Ask, quay: SandboxQuay, name: str) -> None:
    assert "Could not use name" in ask(quay_repository, name=name)["msg"]
    assert quay.requests == []


def test_a_state_is_not_sent_to_a_quay_without_mirrors(play: Ask) -> None:
    with SandboxQuay(QuayOptions(features={"REPO_MIRROR": False})) as quay:
        quay.add_user("quayadmin", "password1", superuser=True)
        quay.add_organization("prod", owner="quayadmin")
        quay.add_repository("prod/app/changestate")
        login = {"quay_host": quay.url, "quay_token": quay.token("quayadmin")}
        told = play(quay_repository, name="prod/app", repo_state="READ_ONLY", **login)
        assert "Set FEATURE_REPO_MIRROR: true" in told["msg"]
        assert not quay.select(path="changestate")


def test_a_lost_answer_is_followed_by_a_look(ask: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("POST", "/api/v1/repository$", "drop_connection", after_effect=True))
    assert ask(quay_repository, name="prod/app", description="x", retries=2)["changed"]
    assert quay.count(method="POST", path="/api/v1/repository$") == 1
