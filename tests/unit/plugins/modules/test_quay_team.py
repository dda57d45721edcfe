# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_team against a sandbox Quay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.modules import quay_team
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay
from ansible_collections.quayside.airgap.tests.sandbox.quay.teams import fill_from_directory
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Team

Ask = Callable[..., dict[str, Any]]

DEVS, OPS = "cn=devs,ou=groups", "cn=ops,ou=groups"


@pytest.fixture
def quay() -> Iterator[SandboxQuay]:
    """A Quay that can fill teams from groups, though nobody has said from where yet."""
    with SandboxQuay(QuayOptions(features={"TEAM_SYNCING": True})) as server:
        server.add_user("quayadmin", "password1", superuser=True)
        server.add_user("alice", "wonderland")
        yield server


@pytest.fixture(autouse=True)
def organization(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner="quayadmin")
    quay.add_robot("prod+ci")
    quay.add_user("bob")


def members(quay: SandboxQuay, name: str = "devs") -> list[str]:
    return sorted(quay.world.organizations["prod"].teams[name].members)


def test_a_team_is_made_once(ask: Ask, quay: SandboxQuay) -> None:
    wanted = {"organization": "prod", "name": "devs", "role": "creator", "description": "They build."}
    made = ask(quay_team, **wanted)
    assert (made["changed"], made["name"]) == (True, "prod/devs")
    assert made["objects"] == [{"kind": "team", "name": "prod/devs", "state": "created"}]
    found = quay.world.organizations["prod"].teams["devs"]
    assert (found.role, found.description) == ("creator", "They build.")
    quay.reset_log()
    again = ask(quay_team, **wanted)
    assert (again["changed"], again["totals"]) == (False, {"unchanged": 1})
    assert [request.method for request in quay.requests] == ["GET"]


def test_a_team_without_wishes_is_one_of_plain_members(ask: Ask, quay: SandboxQuay) -> None:
    assert ask(quay_team, organization="prod", name="devs")["changed"]
    assert quay.world.organizations["prod"].teams["devs"].role == "member"
    ask(quay_team, organization="prod", name="devs", role="admin")
    assert not ask(quay_team, organization="prod", name="devs")["changed"]
    assert quay.world.organizations["prod"].teams["devs"].role == "admin"


def test_only_what_differs_changes(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_team, organization="prod", name="devs", role="creator", description="They build.")
    changed = ask(quay_team, organization="prod", name="devs", description="")
    assert changed["objects"][0]["fields"] == ["description"]
    assert changed["diff"]["before"] == {"team prod/devs": {"description": "They build."}}
    assert quay.world.organizations["prod"].teams["devs"].role == "creator"


def test_members_are_added_to_those_that_are_there(ask: Ask, quay: SandboxQuay) -> None:
    made = ask(quay_team, organization="prod", name="devs", members=["alice"])
    assert [entry["kind"] for entry in made["objects"]] == ["team", "team_members"]
    more = ask(quay_team, organization="prod", name="devs", members=["bob", "prod+ci"])
    assert more["diff"]["after"] == {"team members prod/devs": {"members": ["alice", "bob", "prod+ci"]}}
    assert members(quay) == ["alice", "bob", "prod+ci"]
    quay.reset_log()
    assert not ask(quay_team, organization="prod", name="devs", members=["prod+ci"])["changed"]
    assert len(quay.requests) == 2


def test_members_that_are_not_listed_can_be_removed(ask: Ask, quay: SandboxQuay) -> None:
    quay.add_team("prod", "devs", members=["alice", "prod+ci"])
    ask(quay_team, organization="prod", name="devs", members=["bob"], append=False)
    assert members(quay) == ["bob"]
    assert not ask(quay_team, organization="prod", name="devs", members=["bob"], append=False)["changed"]
    ask(quay_team, organization="prod", name="devs", members=[], append=False)
    assert members(quay) == []


def test_one_who_does_not_exist_keeps_nobody_else_out(ask: Ask, quay: SandboxQuay) -> None:
    told = ask(quay_team, organization="prod", name="devs", members=["alice", "nobody", "prod+none"])
    assert "add nobody to the team prod/devs on" in told["msg"]
    assert "add prod+none to the team prod/devs on" in told["msg"]
    assert members(quay) == ["alice"]


def test_somebody_who_is_only_invited_is_not_invited_again(ask: Ask, quay: SandboxQuay) -> None:
    quay.quay.features = {"MAILING": True, "REQUIRE_TEAM_INVITE": True}
    assert ask(quay_team, organization="prod", name="devs", members=["alice"])["changed"]
    assert members(quay) == []
    assert not ask(quay_team, organization="prod", name="devs", members=["alice"])["changed"]
    assert ask(quay_team, organization="prod", name="devs", members=[], append=False)["changed"]
    assert quay.world.organizations["prod"].teams["devs"].invited == {}


def test_an_invitation_that_quay_could_not_send(ask: Ask, quay: SandboxQuay) -> None:
    quay.quay.features = {"MAILING": True, "REQUIRE_TEAM_INVITE": True}
    quay.world.extra["mail_down"] = True
    made = ask(quay_team, organization="prod", name="devs", members=["alice", "bob", "prod+ci"])
    assert "Quay has invited alice, bob to the team prod/devs, but could not send the letter" in str(made["warnings"])
    assert not ask(quay_team, organization="prod", name="devs", members=["alice", "bob", "prod+ci"])["changed"]


def test_deleting(ask: Ask, quay: SandboxQuay) -> None:
    quay.add_team("prod", "devs", "creator")
    gone = ask(quay_team, organization="prod", name="devs", state="absent")
    assert gone["diff"]["before"]["team prod/devs"]["role"] == "creator"
    assert "devs" not in quay.world.organizations["prod"].teams
    assert not ask(quay_team, organization="prod", name="devs", state="absent")["changed"]
    assert not ask(quay_team, organization="gone", name="devs", state="absent")["changed"]


def test_check_mode_foretells_and_writes_nothing(ask: Ask, quay: SandboxQuay) -> None:
    wanted = {"organization": "prod", "name": "devs", "role": "admin", "members": ["alice"]}
    quay.refuse_writes = True
    foretold = ask(quay_team, check=True, **wanted)
    assert quay.refused == []
    quay.refuse_writes = False
    made = ask(quay_team, **wanted)
    assert (foretold["objects"], foretold["diff"]) == (made["objects"], made["diff"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "Devs"}, "'Devs' is no name for Quay: a name of a team holds"),
        ({"organization": "P"}, "is no name for Quay"),
        ({"members": ["Alice Liddell"]}, "is no name for Quay"),
        ({"sync": False, "group_dn": DEVS}, "sync is false, but group_dn names a group"),
        ({"group_dn": DEVS, "members": ["alice", "prod+ci"]}, "alice cannot be listed: only the directory adds people"),
        ({"group_name": " "}, "it is empty"),
        ({"group_dn": DEVS, "group_name": "devs"}, "mutually exclusive"),
    ],
)
def test_what_is_wrong_costs_no_call(ask: Ask, quay: SandboxQuay, options: dict[str, Any], said: str) -> None:
    assert said in ask(quay_team, **{"organization": "prod", "name": "devs", **options})["msg"]
    assert quay.requests == []


def test_an_organization_that_does_not_exist(ask: Ask, quay: SandboxQuay) -> None:
    assert "there is no organization or user gone" in ask(quay_team, organization="gone", name="devs")["msg"]
    assert quay.writes == []


def test_the_last_administrators_stay(ask: Ask, quay: SandboxQuay) -> None:
    quay.quay.features = {"SUPERUSERS_FULL_ACCESS": False}
    assert "would remove admin ability" in ask(quay_team, organization="prod", name="owners", state="absent")["msg"]
    assert "would no longer have admin" in ask(quay_team, organization="prod", name="owners", role="member")["msg"]


def test_a_lost_answer_is_followed_by_a_look(ask: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("PUT", "/team/devs", "drop_connection", after_effect=True))
    assert ask(quay_team, organization="prod", name="devs", retries=2)["changed"]
    assert [request.method for request in quay.requests] == ["GET", "PUT", "GET"]


# ------------------------------------------------- teams that a directory fills


@pytest.fixture
def directory(quay: SandboxQuay) -> None:
    """The Quay of the tests as one whose users come from LDAP."""
    quay.quay.settings = {"AUTHENTICATION_TYPE": "LDAP"}
    quay.world.extra["directory"] = {DEVS: ["alice"], OPS: ["bob"]}


def team(quay: SandboxQuay) -> Team:
    return quay.world.organizations["prod"].teams["devs"]


@pytest.mark.usefixtures("directory")
def test_a_team_is_filled_from_a_group(ask: Ask, quay: SandboxQuay) -> None:
    wanted = {"organization": "prod", "name": "devs", "group_dn": DEVS, "members": ["prod+ci"], "append": False}
    made = ask(quay_team, **wanted)
    assert made["diff"]["after"]["team prod/devs"] == {"sync": True, "group_dn": DEVS}
    fill_from_directory(quay.world)
    assert members(quay) == ["alice", "prod+ci"]
    again = ask(quay_team, **wanted)
    assert (again["changed"], again["totals"]) == (False, {"unchanged": 2})


@pytest.mark.usefixtures("directory")
def test_a_team_that_was_kept_by_hand_so_far(ask: Ask, quay: SandboxQuay) -> None:
    quay.add_team("prod", "devs", members=["bob", "prod+ci"])
    changed = ask(quay_team, organization="prod", name="devs", sync=True, group_dn=DEVS, members=[], append=False)
    assert changed["diff"]["before"]["team prod/devs"] == {"sync": False, "group_dn": None}
    assert members(quay) == ["bob"]
    fill_from_directory(quay.world)
    assert members(quay) == ["alice"]
    assert not ask(quay_team, organization="prod", name="devs", group_dn=DEVS, members=[], append=False)["changed"]


@pytest.mark.usefixtures("directory")
def test_another_group(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_team, organization="prod", name="devs", group_dn=DEVS)
    quay.reset_log()
    changed = ask(quay_team, organization="prod", name="devs", group_dn=OPS)
    assert changed["diff"]["before"] == {"team prod/devs": {"sync": True, "group_dn": DEVS}}
    assert [request.method for request in quay.writes] == ["DELETE", "POST"]
    assert team(quay).extra["sync"]["config"] == {"group_dn": OPS}


@pytest.mark.usefixtures("directory")
def test_a_team_is_kept_by_hand_again(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_team, organization="prod", name="devs", group_dn=DEVS, members=["prod+ci"])
    fill_from_directory(quay.world)
    wanted = {"organization": "prod", "name": "devs", "sync": False, "members": ["bob"], "append": False}
    assert ask(quay_team, **wanted)["changed"]
    assert members(quay) == ["bob"]
    assert not ask(quay_team, **wanted)["changed"]


@pytest.mark.usefixtures("directory")
def test_people_are_not_put_into_a_team_of_the_directory(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_team, organization="prod", name="devs", group_dn=DEVS)
    fill_from_directory(quay.world)
    quay.reset_log()
    for check in (True, False):
        told = ask(quay_team, organization="prod", name="devs", members=["bob"], check=check)
        assert "bob cannot be listed: only the directory adds people" in told["msg"]
    assert quay.writes == []
    # who is there already is no wish for a change
    assert not ask(quay_team, organization="prod", name="devs", members=["alice"])["changed"]


@pytest.mark.usefixtures("directory")
def test_a_group_that_ldap_does_not_have(ask: Ask, quay: SandboxQuay) -> None:
    told = ask(quay_team, organization="prod", name="devs", group_dn="cn=devs,ou=groups,dc=example,dc=com")
    assert "Could not sync to group: Group does not exist or is empty" in told["msg"]
    assert "without LDAP_BASE_DN" in told["msg"]


@pytest.mark.usefixtures("directory")
def test_only_superusers_may(ask: Ask, quay: SandboxQuay) -> None:
    quay.add_team("prod", "owners", "admin", members=["alice"])
    token = quay.token("alice")
    told = ask(quay_team, organization="prod", name="devs", group_dn=DEVS, quay_token=token)
    assert "FEATURE_NONSUPERUSER_TEAM_SYNCING_SETUP" in told["msg"]
    ask(quay_team, organization="prod", name="devs", group_dn=DEVS)
    assert "scopes super:user and org:admin" in ask(quay_team, organization="prod", name="devs", sync=False, quay_token=token)["msg"]
    # what she may not see does not keep her from changing the rest
    assert ask(quay_team, organization="prod", name="devs", sync=True, role="creator", quay_token=token)["changed"]


@pytest.mark.usefixtures("directory")
def test_a_lost_answer_of_the_directory_is_followed_by_a_look(ask: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("POST", "/syncing", "drop_connection", after_effect=True))
    assert ask(quay_team, organization="prod", name="devs", group_dn=DEVS, retries=2)["changed"]
    assert team(quay).extra["sync"]["config"] == {"group_dn": DEVS}
    assert [request.method for request in quay.writes] == ["PUT", "POST"]


@pytest.mark.parametrize(("service", "option"), [("OIDC", "group_name"), ("Keystone", "group_id")])
def test_other_directories(ask: Ask, quay: SandboxQuay, service: str, option: str) -> None:
    quay.quay.settings = {"AUTHENTICATION_TYPE": service}
    quay.world.extra["directory"] = {"devs": ["alice"]}
    quay.add_team("prod", "devs", members=["bob", "prod+ci"])
    wanted = {"organization": "prod", "name": "devs", option: "devs", "members": ["prod+ci"], "append": False}
    assert ask(quay_team, **wanted)["changed"]
    assert "prod+ci" in members(quay)
    fill_from_directory(quay.world)
    assert "bob" not in members(quay)
    assert not ask(quay_team, **wanted)["changed"]


@pytest.mark.parametrize(
    ("settings", "options", "said"),
    [
        ({"AUTHENTICATION_TYPE": "OIDC"}, {"group_dn": DEVS}, "group_dn belongs to LDAP, but AUTHENTICATION_TYPE of this Quay is OIDC"),
        ({"AUTHENTICATION_TYPE": "OIDC"}, {"group_dn": DEVS}, "Give group_name instead."),
        ({}, {"group_dn": DEVS}, "where users come from LDAP, OIDC or Keystone"),
        ({"AUTHENTICATION_TYPE": "LDAP"}, {"sync": True}, "no group is given"),
    ],
)
def test_a_group_that_does_not_fit_is_told_in_check_mode_too(
    ask: Ask, quay: SandboxQuay, settings: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    quay.quay.settings = settings
    assert said in ask(quay_team, organization="prod", name="devs", check=True, **options)["msg"]
    assert said in ask(quay_team, organization="prod", name="devs", **options)["msg"]
    assert quay.writes == []


def test_a_quay_without_synchronization(ask: Ask, quay: SandboxQuay) -> None:
    quay.quay.features = {"TEAM_SYNCING": False}
    told = ask(quay_team, organization="prod", name="devs", group_dn=DEVS)
    assert "Set FEATURE_TEAM_SYNCING: true in its config.yaml" in told["msg"]
    assert ask(quay_team, organization="prod", name="devs", sync=False)["changed"]
    assert not ask(quay_team, organization="prod", name="devs", sync=False)["changed"]
