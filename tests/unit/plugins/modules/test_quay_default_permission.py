# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_default_permission against a sandbox Quay."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.modules import quay_default_permission, quay_repository
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.prototypes import Prototype, rules
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def organization(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner="quayadmin")
    quay.add_team("prod", "auditors")
    quay.add_robot("prod+ci")


def there(quay: SandboxQuay) -> list[tuple[str, str, str]]:
    """Name, role and creator of each rule."""
    found = rules(quay.world, quay.world.organizations["prod"])
    return [(rule.delegate.name, rule.role, rule.creator.name if rule.creator else "") for rule in found]


def test_a_permission_is_made_once(ask: Ask, quay: SandboxQuay) -> None:
    wanted = {"organization": "prod", "name": "auditors", "type": "team", "role": "write"}
    made = ask(quay_default_permission, **wanted)
    assert (made["changed"], made["name"]) == (True, "prod team auditors")
    assert made["objects"] == [{"kind": "default_permission", "name": "prod team auditors", "state": "created"}]
    quay.reset_log()
    assert not ask(quay_default_permission, **wanted)["changed"]
    assert [request.method for request in quay.requests] == ["GET"]
    assert there(quay) == [("auditors", "write", "")]


def test_new_repositories_have_it(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_default_permission, organization="prod", name="auditors", type="team")
    ask(quay_default_permission, organization="prod", name="ci", type="robot", role="write")
    ask(quay_repository, name="prod/app")
    found = quay.world.repositories["prod/app"]
    assert (found.teams, found.users) == ({"auditors": "read"}, {"quayadmin": "admin", "prod+ci": "write"})


def test_a_robot_is_the_same_by_its_short_and_its_full_name(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_default_permission, organization="prod", name="ci", type="robot", role="write")
    assert there(quay) == [("prod+ci", "write", "")]
    assert not ask(quay_default_permission, organization="prod", name="prod+ci", type="robot", role="write")["changed"]
    assert not ask(quay_default_permission, organization="prod", name="prod+ci", role="write")["changed"]


def test_one_for_everybody_and_one_for_a_creator_are_two(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_default_permission, organization="prod", name="alice")
    made = ask(quay_default_permission, organization="prod", name="alice", role="admin", creator="prod+ci")
    assert made["name"] == "prod user alice, creator prod+ci"
    assert there(quay) == [("alice", "read", ""), ("alice", "admin", "prod+ci")]
    ask(quay_default_permission, organization="prod", name="alice", state="absent")
    assert there(quay) == [("alice", "admin", "prod+ci")]


def test_only_the_role_can_change(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_default_permission, organization="prod", name="alice")
    changed = ask(quay_default_permission, organization="prod", name="alice", role="admin")
    assert changed["objects"][0]["fields"] == ["role"]
    assert changed["diff"]["before"]["default permission prod user alice"]["role"] == "read"
    assert there(quay) == [("alice", "admin", "")]
    # no wish for a role is no change
    assert not ask(quay_default_permission, organization="prod", name="alice")["changed"]


def test_the_same_rule_several_times(ask: Ask, quay: SandboxQuay) -> None:
    robot = quay.world.robots["prod+ci"]
    quay.world.organizations["prod"].extra["prototypes"] = [Prototype("write", robot), Prototype("read", robot)]
    assert ask(quay_default_permission, organization="prod", name="prod+ci", role="write")["changed"]
    assert there(quay) == [("prod+ci", "write", ""), ("prod+ci", "write", "")]
    assert not ask(quay_default_permission, organization="prod", name="prod+ci", role="write")["changed"]
    assert ask(quay_default_permission, organization="prod", name="prod+ci", state="absent")["changed"]
    assert there(quay) == []


def test_deleting(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_default_permission, organization="prod", name="alice")
    assert ask(quay_default_permission, organization="prod", name="alice", state="absent")["objects"][0]["state"] == "deleted"
    assert there(quay) == []
    assert not ask(quay_default_permission, organization="prod", name="alice", state="absent")["changed"]


def test_check_mode_foretells_and_writes_nothing(ask: Ask, quay: SandboxQuay) -> None:
    wanted = {"organization": "prod", "name": "auditors", "type": "team", "role": "admin"}
    quay.refuse_writes = True
    foretold = ask(quay_default_permission, check=True, **wanted)
    assert quay.refused == []
    quay.refuse_writes = False
    made = ask(quay_default_permission, **wanted)
    assert (foretold["objects"], foretold["diff"]) == (made["objects"], made["diff"])


@pytest.mark.parametrize(
    "options",
    [
        {"name": "Alice"},
        {"name": "prod+ci", "type": "team"},
        {"name": "Prod+ci", "type": "robot"},
        {"organization": "X"},
        {"creator": "Somebody Else"},
    ],
)
def test_a_name_that_quay_refuses_costs_no_call(ask: Ask, quay: SandboxQuay, options: dict[str, Any]) -> None:
    assert "for Quay" in ask(quay_default_permission, **{"organization": "prod", "name": "alice", **options})["msg"]
    assert quay.requests == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "nobody"}, "there is no user or robot nobody"),
        ({"name": "gone", "type": "robot"}, "there is no user or robot prod+gone"),
        ({"name": "gone", "type": "team"}, "there is no team gone"),
        ({"name": "alice", "creator": "nobody"}, "there is no user or robot nobody"),
        ({"name": "alice", "organization": "gone"}, "there is no organization or user gone"),
        ({"name": "quayadmin", "organization": "alice"}, "there is no organization alice"),
    ],
)
def test_who_does_not_exist(ask: Ask, quay: SandboxQuay, options: dict[str, Any], said: str) -> None:
    assert said in ask(quay_default_permission, **{"organization": "prod", **options})["msg"]
    assert there(quay) == []


def test_others_may_not(ask: Ask, quay: SandboxQuay) -> None:
    told = ask(quay_default_permission, organization="prod", name="alice", quay_token=quay.token("alice"))
    assert "may not do this" in told["msg"]
    assert "list the default permissions of prod" in told["msg"]


def test_a_lost_answer_makes_no_second_rule(ask: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("POST", "/prototypes", "drop_connection", after_effect=True))
    assert ask(quay_default_permission, organization="prod", name="alice", retries=2)["changed"]
    assert [request.method for request in quay.requests] == ["GET", "GET", "POST", "GET"]
    assert there(quay) == [("alice", "read", "")]
