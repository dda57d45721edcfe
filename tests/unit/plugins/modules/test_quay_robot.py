# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_robot against a sandbox Quay."""

from __future__ import annotations

import json
from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.modules import quay_robot
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay

Ask = Callable[..., dict[str, Any]]

GITHUB = {"issuer": "https://token.actions.githubusercontent.com", "subject": "repo:team/app"}
CLUSTER = {"issuer": "https://oidc.cluster.example.com", "subject": "system:serviceaccount:ci:builder"}


@pytest.fixture(autouse=True)
def organization(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner="quayadmin")
    quay.add_team("prod", "creators", "creator")
    for name in ("prod/app", "prod/team/base", "prod/tools"):
        quay.add_repository(name)


def permissions(quay: SandboxQuay, robot: str = "prod+ci") -> dict[str, str]:
    return {name.partition("/")[2]: quay.world.repositories[name].users[robot] for name in quay.world.robots[robot].repositories}


# ---------------------------------------------------------------- the robot


def test_a_robot_is_made_once_and_its_token_told(ask: Ask, quay: SandboxQuay) -> None:
    made = ask(quay_robot, name="prod+ci", description="builds")
    there = quay.world.robots["prod+ci"]
    assert (made["changed"], made["name"], made["token"], there.description) == (True, "prod+ci", there.token, "builds")
    assert made["objects"] == [{"kind": "robot", "name": "prod+ci", "state": "created"}]
    quay.reset_log()
    again = ask(quay_robot, name="prod+ci", description="builds")
    assert not again["changed"]
    assert there.token not in json.dumps(again)
    assert [request.method for request in quay.requests] == ["GET"]


def test_the_token_on_request(ask: Ask, quay: SandboxQuay) -> None:
    robot = quay.add_robot("prod+ci")
    told = ask(quay_robot, name="prod+ci", show_token=True)
    assert (told["changed"], told["token"]) == (False, robot.token)
    assert "token" not in ask(quay_robot, name="prod+ci", show_token=True, check=True)


def test_another_token(ask: Ask, quay: SandboxQuay) -> None:
    robot = quay.add_robot("prod+ci")
    old = robot.token
    foretold = ask(quay_robot, name="prod+ci", regenerate=True, check=True)
    assert (foretold["changed"], "token" in foretold, robot.token) == (True, False, old)
    renewed = ask(quay_robot, name="prod+ci", regenerate=True)
    assert renewed["changed"]
    assert renewed["token"] == robot.token != old


def test_a_new_robot_is_not_given_a_second_token(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_robot, name="prod+ci", regenerate=True)
    assert [request.method for request in quay.writes] == ["PUT"]


def test_a_description_cannot_change(ask: Ask, quay: SandboxQuay) -> None:
    quay.add_robot("prod+ci", "builds")
    told = ask(quay_robot, name="prod+ci", description="pushes")
    assert not told["changed"]
    assert "The description of robot prod+ci is 'builds'" in str(told["warnings"])
    assert quay.writes == []


def test_deleting(ask: Ask, quay: SandboxQuay) -> None:
    quay.add_robot("prod+ci")
    assert ask(quay_robot, name="prod+ci", state="absent")["objects"][0]["state"] == "deleted"
    assert "prod+ci" not in quay.world.robots
    assert not ask(quay_robot, name="prod+ci", state="absent", regenerate=True, show_token=True)["changed"]
    assert not ask(quay_robot, name="gone+ci", state="absent")["changed"]


def test_a_robot_of_a_mirror_stays(ask: Ask, quay: SandboxQuay) -> None:
    quay.add_robot("prod+ci")
    quay.world.repositories["prod/app"].extra["mirror"] = {"robot_username": "prod+ci"}
    assert "Give the mirror of the repository another robot first" in ask(quay_robot, name="prod+ci", state="absent")["msg"]


def test_check_mode_foretells_and_writes_nothing(ask: Ask, quay: SandboxQuay) -> None:
    wanted = {
        "name": "prod+ci",
        "description": "builds",
        "federations": [GITHUB],
        "permissions": [{"repository": "app", "role": "write"}],
        "teams": ["creators"],
    }
    quay.refuse_writes = True
    foretold = ask(quay_robot, check=True, **wanted)
    assert quay.refused == []
    quay.refuse_writes = False
    made = ask(quay_robot, **wanted)
    assert [entry["kind"] for entry in made["objects"]] == ["robot", "robot_permissions", "team_members"]
    assert (foretold["objects"], foretold["diff"]) == (made["objects"], made["diff"])
    assert not ask(quay_robot, **wanted)["changed"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "prod+CI"}, "is no name for Quay"),
        ({"name": "Prod+ci"}, "is no name for Quay"),
        ({"name": "prod+ci", "teams": ["Creators"]}, "is no name for Quay"),
        ({"name": "prod+ci", "permissions": [{"repository": "prod/App"}]}, "is no name for a repository"),
        ({"name": "ci", "teams": ["creators"]}, "a robot of a user belongs to no team"),
        (
            {"name": "prod+ci", "permissions": [{"repository": "app"}, {"repository": "app", "role": "admin"}]},
            "for repository app there are two roles: read and admin",
        ),
    ],
)
def test_what_is_wrong_costs_no_call(ask: Ask, quay: SandboxQuay, options: dict[str, Any], said: str) -> None:
    assert said in ask(quay_robot, **options)["msg"]
    assert quay.requests == []


def test_an_organization_that_does_not_exist(ask: Ask, quay: SandboxQuay) -> None:
    assert "there is no organization or user gone" in ask(quay_robot, name="gone+ci")["msg"]
    assert quay.writes == []


def test_a_lost_answer_is_followed_by_a_look_which_finds_the_token(ask: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("PUT", "/robots/ci", "drop_connection", after_effect=True))
    made = ask(quay_robot, name="prod+ci", regenerate=True, retries=2)
    assert (made["changed"], made["token"]) == (True, quay.world.robots["prod+ci"].token)
    assert quay.count(method="PUT") == 1
    assert quay.count(method="POST") == 0


# ----------------------------------------------------------- robots of users


def test_a_robot_of_the_user_who_asks(ask: Ask, quay: SandboxQuay) -> None:
    quay.add_repository("alice/own")
    wanted = {"name": "ci", "permissions": [{"repository": "own", "role": "write"}], "quay_token": quay.token("alice")}
    made = ask(quay_robot, **wanted)
    assert (made["name"], made["token"]) == ("alice+ci", quay.world.robots["alice+ci"].token)
    assert permissions(quay, "alice+ci") == {"own": "write"}
    assert not ask(quay_robot, **wanted)["changed"]
    assert ask(quay_robot, name="ci", regenerate=True, quay_token=quay.token("alice"))["token"] == quay.world.robots["alice+ci"].token
    assert ask(quay_robot, name="ci", state="absent", quay_token=quay.token("alice"))["changed"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_the_name_of_the_user_is_no_part_of_the_name(ask: Ask, quay: SandboxQuay, state: str) -> None:
    quay.add_robot("quayadmin+ci")
    told = ask(quay_robot, name="quayadmin+ci", teams=["creators"], permissions=[{"repository": "app"}], state=state)
    assert "quayadmin is a user, not an organization. Name the robot ci with a token of quayadmin" in told["msg"]
    assert quay.writes == []


def test_identities_of_a_robot_of_a_user(ask: Ask, quay: SandboxQuay) -> None:
    assert ask(quay_robot, name="ci", federations=[GITHUB])["changed"]
    assert quay.world.robots["quayadmin+ci"].federation == [GITHUB]
    assert not ask(quay_robot, name="ci", federations=[GITHUB])["changed"]


# ------------------------------------------------------ federated identities


def test_identities_are_added_and_taken_away(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_robot, name="prod+ci", federations=[GITHUB])
    more = ask(quay_robot, name="prod+ci", federations=[CLUSTER])
    assert more["diff"]["before"] == {"robot prod+ci": {"federations": [GITHUB]}}
    assert more["diff"]["after"] == {"robot prod+ci": {"federations": [CLUSTER, GITHUB]}}
    # they are a set: neither the order nor a repetition matters
    assert not ask(quay_robot, name="prod+ci", federations=[GITHUB, CLUSTER, GITHUB], append=False)["changed"]
    assert ask(quay_robot, name="prod+ci", federations=[CLUSTER], append=False)["changed"]
    assert ask(quay_robot, name="prod+ci", federations=[], append=False)["changed"]
    assert quay.world.robots["prod+ci"].federation == []


@pytest.mark.parametrize(("version", "name", "since"), [("3.12", "prod+ci", "3.13"), ("3.15", "ci", "3.18")])
def test_a_quay_that_is_too_old_for_identities(play: Ask, version: str, name: str, since: str) -> None:
    with SandboxQuay(QuayOptions(version=version)) as old:
        old.add_user("quayadmin", superuser=True)
        old.add_organization("prod", owner="quayadmin")
        login = {"quay_host": old.url, "quay_token": old.token("quayadmin")}
        told = play(quay_robot, name=name, federations=[GITHUB], **login)
        assert f"It needs Quay {since} or later" in told["msg"]
        assert old.writes == []
        assert play(quay_robot, name=name, federations=[], append=False, **login)["changed"]
        assert not play(quay_robot, name=name, federations=[], append=False, **login)["changed"]


# ------------------------------------------------------- permissions, teams


def test_permissions_are_added_and_taken_away(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_robot, name="prod+ci", permissions=[{"repository": "app", "role": "write"}, {"repository": "team/base"}])
    assert permissions(quay) == {"app": "write", "team/base": "read"}
    more = ask(quay_robot, name="prod+ci", permissions=[{"repository": "team/base", "role": "admin"}])
    assert more["diff"]["after"] == {"robot permissions prod+ci": {"repositories": {"app": "write", "team/base": "admin"}}}
    only = {"name": "prod+ci", "permissions": [{"repository": "tools"}], "append": False}
    assert ask(quay_robot, **only)["changed"]
    assert permissions(quay) == {"tools": "read"}
    quay.reset_log()
    assert not ask(quay_robot, **only)["changed"]
    assert len(quay.requests) == 2
    ask(quay_robot, name="prod+ci", permissions=[], append=False)
    assert permissions(quay) == {}


def test_a_repository_that_does_not_exist_keeps_the_robot_out_of_no_other(ask: Ask, quay: SandboxQuay) -> None:
    wanted = [{"repository": "gone"}, {"repository": "app"}]
    assert "the repository prod/gone does not exist" in ask(quay_robot, name="prod+ci", permissions=wanted, retries=3)["msg"]
    assert permissions(quay) == {"app": "read"}
    several = [{"repository": "gone"}, {"repository": "lost"}]
    told = ask(quay_robot, name="prod+ci", permissions=several)
    assert "prod/gone does not exist" in told["msg"]
    assert "prod/lost does not exist" in told["msg"]


def test_permissions_take_two_scopes(ask: Ask, quay: SandboxQuay) -> None:
    quay.add_robot("prod+ci")
    token = quay.token("quayadmin", "org:admin repo:admin")
    told = ask(quay_robot, name="prod+ci", permissions=[{"repository": "app"}], quay_token=token)
    assert "The token needs the scopes user:admin and org:admin, both" in told["msg"]


def test_a_lost_answer_to_a_permission(ask: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("PUT", "/permissions/", "drop_connection", after_effect=True))
    both = [{"repository": "app"}, {"repository": "tools"}]
    assert ask(quay_robot, name="prod+ci", permissions=both, retries=2)["changed"]
    assert permissions(quay) == {"app": "read", "tools": "read"}
    assert quay.count(method="PUT", path="/permissions/") == 2


def test_teams_are_only_added(ask: Ask, quay: SandboxQuay) -> None:
    quay.add_team("prod", "readers")
    ask(quay_robot, name="prod+ci", teams=["creators"])
    changed = ask(quay_robot, name="prod+ci", teams=["readers"], append=False)
    assert [entry["name"] for entry in changed["objects"]] == ["prod/readers"]
    assert [name for name, team in quay.world.organizations["prod"].teams.items() if "prod+ci" in team.members] == ["creators", "readers"]
    assert not ask(quay_robot, name="prod+ci", teams=["readers", "creators"])["changed"]


def test_a_team_that_does_not_exist(ask: Ask, quay: SandboxQuay) -> None:
    told = ask(quay_robot, name="prod+ci", teams=["none", "creators"])
    assert "add prod+ci to the team prod/none" in told["msg"]
    assert "there is no such team" in told["msg"]
    assert "prod+ci" in quay.world.organizations["prod"].teams["creators"].members
