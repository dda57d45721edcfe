# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_state: a whole registry in one task, against a sandbox Quay."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.modules import quay_state
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay

pytestmark = pytest.mark.matrix

Ask = Callable[..., dict[str, Any]]


def organization(name: str) -> dict[str, Any]:
    """An organization with something of most kinds."""
    return {
        "name": name,
        "email": f"{name}@example.com",
        "robots": [{"name": "ci", "description": "pushes", "teams": ["creators"]}, {"name": "pull"}],
        "teams": [{"name": "creators", "role": "creator", "members": ["alice"]}, {"name": "readers", "description": "may read"}],
        "repositories": [
            {
                "name": "app",
                "visibility": "public",
                "permissions": [{"name": "pull", "type": "robot"}, {"name": "readers", "type": "team"}],
            },
            {"name": "team/tool", "description": "a tool"},
        ],
        "quota": {"quota": "10GiB"},
        "proxy_cache": {"registry": "localhost:5000", "expiration": "1d", "validate": False},
    }


def registry(*names: str) -> dict[str, Any]:
    return {"organizations": [organization(name) for name in names]}


def states(told: dict[str, Any]) -> dict[str, str]:
    return {f"{entry['kind']} {entry['name']}": entry["state"] for entry in told["objects"]}


def test_an_empty_quay_becomes_what_the_document_says(ask: Ask, quay: SandboxQuay) -> None:
    made = ask(quay_state, document=registry("prod"))
    assert "msg" not in made, made["msg"]
    assert states(made) == {
        "organization prod": "created",
        "quota prod": "created",
        "robot prod+ci": "created",
        "robot prod+pull": "created",
        "team prod/creators": "created",
        "team prod/readers": "created",
        "proxy_cache prod": "created",
        "repository prod/app": "created",
        "repository prod/team/tool": "created",
        "team_members prod/creators": "created",
        "permissions prod/app": "created",
    }
    found = quay.world.organizations["prod"]
    assert found.teams["creators"].role == "creator"
    assert sorted(found.teams["creators"].members) == ["alice", "prod+ci"]
    assert quay.world.repositories["prod/app"].public


def test_a_second_run_changes_nothing(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_state, document=registry("prod", "test"))
    quay.reset_log()
    again = ask(quay_state, document=registry("prod", "test"))
    assert (again["changed"], again["objects"]) == (False, [])
    assert again["totals"] == {"unchanged": 22}
    assert quay.writes == []


def test_check_mode_foretells_the_same_and_writes_nothing(ask: Ask, quay: SandboxQuay) -> None:
    quay.refuse_writes = True
    foretold = ask(quay_state, document=registry("prod"), check=True)
    assert quay.refused == []
    quay.refuse_writes = False
    made = ask(quay_state, document=registry("prod"))
    assert (foretold["objects"], foretold["diff"]) == (made["objects"], made["diff"])


def test_a_new_organization_is_not_read_inside(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_state, document=registry("a1", "a2", "a3", "a4", "a5"), check=True)
    calls = Counter(request.path for request in quay.requests if request.auth == "bearer")
    assert calls == {"/api/v1/user/": 1, "/api/v1/superuser/organizations/": 1}


def test_only_what_differs_is_written(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_state, document=registry("prod"))
    changed = registry("prod")
    changed["organizations"][0]["teams"][1]["role"] = "admin"
    changed["organizations"][0]["repositories"][0]["visibility"] = "private"
    quay.reset_log()
    told = ask(quay_state, document=changed)
    assert states(told) == {"team prod/readers": "updated", "repository prod/app": "updated"}
    assert told["diff"]["before"] == {
        "team prod/readers": {"description": "may read", "role": "member"},
        "repository prod/app": {"visibility": "public"},
    }
    assert len(quay.writes) == 2


def test_purging_takes_what_the_document_does_not_name_and_no_more(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_state, document=registry("prod", "test"))
    fewer = registry("prod")
    fewer["organizations"][0]["robots"].pop()
    fewer["organizations"][0]["repositories"][0]["permissions"].pop(0)
    del fewer["organizations"][0]["teams"]
    told = ask(quay_state, document=fewer, purge=["robots", "teams"])
    # without a list of teams nothing is said of teams
    assert states(told) == {"robot prod+pull": "deleted"}
    told = ask(quay_state, document={"organizations": [{"name": "prod", "teams": []}]}, purge=["teams"])
    assert states(told) == {"team prod/creators": "deleted", "team prod/readers": "deleted"}
    assert list(quay.world.organizations["prod"].teams) == ["owners"]


def test_purging_organizations_takes_all_that_lies_in_them(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_state, document=registry("prod", "test"))
    told = ask(quay_state, document=registry("prod"), purge=["organizations", "robots"])
    assert states(told) == {"organization test": "deleted"}
    assert list(quay.world.organizations) == ["prod"]


def test_members_and_permissions_are_purged_only_when_asked(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_state, document=registry("prod"))
    document = {"organizations": [{"name": "prod", "teams": [{"name": "creators", "members": ["alice"]}]}]}
    assert not ask(quay_state, document=document)["changed"]
    assert states(ask(quay_state, document=document, purge=["members"])) == {"team_members prod/creators": "updated"}
    assert list(quay.world.organizations["prod"].teams["creators"].members) == ["alice"]


def test_objects_that_shall_be_absent(ask: Ask) -> None:
    ask(quay_state, document=registry("prod"))
    gone = {"organizations": [{"name": "prod", "robots": [{"name": "pull", "state": "absent"}], "proxy_cache": {"state": "absent"}}]}
    assert states(ask(quay_state, document=gone)) == {"robot prod+pull": "deleted", "proxy_cache prod": "deleted"}
    assert not ask(quay_state, document=gone)["changed"]


def test_a_failure_stops_only_what_needs_it(ask: Ask, quay: SandboxQuay) -> None:
    document = registry("prod", "test")
    document["organizations"][0]["teams"][0]["members"] = ["nobody"]
    quay.faults.append(Fault("PUT", "/organization/test/robots/ci", "status", status=400, times=None))
    told = ask(quay_state, document=document)
    bad = {name: state for name, state in states(told).items() if state not in ("created",)}
    assert bad == {"team_members prod/creators": "failed", "robot test+ci": "failed", "team_members test/creators": "not_attempted"}
    assert told["msg"].startswith("2 of 22 objects failed: ")
    assert "nobody" in told["msg"]
    assert "Of the others: 19 created, 1 not attempted." in told["msg"]
    quay.faults.clear()
    document["organizations"][0]["teams"][0]["members"] = ["alice"]
    assert states(ask(quay_state, document=document)) == {
        "team_members prod/creators": "updated",
        "robot test+ci": "created",
        "team_members test/creators": "updated",
    }


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_answers_that_are_lost_in_the_middle(ask: Ask, quay: SandboxQuay, method: str) -> None:
    quay.faults.append(Fault(method, "/api/v1/", "drop_connection", after_effect=True, times=3, skip=1))
    quay.faults.append(Fault(method, "/api/v1/", "status", status=502, times=2))
    quay.faults.append(Fault(method, "/api/v1/", "status", status=500, times=2))
    told = ask(quay_state, document=registry("prod"), retries=9)
    assert "msg" not in told, told["msg"]
    assert not ask(quay_state, document=registry("prod"))["changed"]


def test_a_bad_token_ends_the_run_with_one_sentence(ask: Ask, quay: SandboxQuay) -> None:
    told = ask(quay_state, document=registry("a1", "a2", "a3", "a4", "a5"), quay_token="no-such-token")
    assert told["msg"].count("the token was not accepted") == 1
    assert quay.writes == []


def test_every_fault_of_the_document_is_told_with_its_path(ask: Ask, quay: SandboxQuay) -> None:
    document = {
        "organizations": [
            {"name": "Prod", "robots": [{"name": "ci"}, {"name": "ci"}]},
            {"name": "test", "teems": [], "repositories": [{"name": "x/mirror"}, {"visibility": "open", "name": "app"}]},
            {"name": "test"},
        ]
    }
    told = ask(quay_state, document=document)["msg"]
    for path in (
        "organizations[0].name: 'Prod' is no name for Quay",
        "organizations[0].robots[1]: it is there twice: robots[0] has the same name",
        "organizations[1].teems: there is no such field; known are",
        "organizations[1].repositories[0].name: a repository 'x/mirror' cannot be managed",
        "organizations[1].repositories[1].visibility: 'open' must be one of public, private",
        "organizations[2]: it is there twice: organizations[1] has the same name",
    ):
        assert path in told
    assert "it has 6 faults" in told
    assert quay.requests == []


def test_a_role_that_is_given_twice_differently(ask: Ask) -> None:
    twice = {
        "name": "prod",
        "robots": [{"name": "ci", "permissions": [{"repository": "app", "role": "write"}]}],
        "repositories": [{"name": "app", "permissions": [{"name": "ci", "type": "robot", "role": "admin"}]}],
    }
    assert "user prod+ci is given two roles" in ask(quay_state, document={"organizations": [twice]})["msg"]


@pytest.mark.parametrize("suffix", ["yml", "json"])
def test_the_document_may_be_a_file(ask: Ask, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"registry.{suffix}"
    path.write_text(json.dumps(registry("prod")) if suffix == "json" else yaml.safe_dump(registry("prod")))
    assert ask(quay_state, path=str(path))["totals"]["created"] == 11


def test_a_file_that_is_no_document(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "registry.yml"
    path.write_text("organizations:\n  - name: [prod\n")
    assert "line 3, column 1" in ask(quay_state, path=str(path))["msg"]
    path.write_text("just a text")
    assert "it must be a mapping of fields, not a text" in ask(quay_state, path=str(path))["msg"]
    assert "registry.none" in ask(quay_state, path=str(tmp_path / "registry.none"))["msg"]


def test_secrets_do_not_come_back(ask: Ask, quay: SandboxQuay) -> None:
    told = ask(quay_state, document=registry("prod"))
    assert quay.world.robots["prod+ci"].token not in json.dumps(told)


def shared_robot() -> dict[str, Any]:
    """One robot and one team that may do something in many repositories."""
    permissions = [{"name": "ci", "type": "robot", "role": "write"}, {"name": "readers", "type": "team"}]
    repositories = [{"name": f"app{number}", "permissions": permissions} for number in range(4)]
    return {"organizations": [{"name": "prod", "robots": [{"name": "ci"}], "teams": [{"name": "readers"}], "repositories": repositories}]}


def test_few_robots_and_teams_are_asked_in_place_of_many_repositories(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_state, document=shared_robot())
    quay.reset_log()
    assert not ask(quay_state, document=shared_robot())["changed"]
    asked = [request.path.removeprefix("/api/v1") for request in quay.requests if "permissions" in request.path]
    assert sorted(asked) == ["/organization/prod/robots/ci/permissions", "/organization/prod/team/readers/permissions"]
    quay.world.forbid(quay.world.repositories["prod/app2"], "prod+ci")
    assert states(ask(quay_state, document=shared_robot())) == {"permissions prod/app2": "updated"}


def test_a_token_that_may_not_ask_for_the_permissions_of_robots(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_state, document=shared_robot())
    token = quay.token("quayadmin", "org:admin repo:admin repo:create super:user user:read")
    told = ask(quay_state, document=shared_robot(), quay_token=token)
    assert "msg" not in told, told["msg"]
    assert not told["changed"]


def test_whose_permissions_shall_be_taken_away_is_asked_of_each_repository(ask: Ask, quay: SandboxQuay) -> None:
    document = shared_robot()
    ask(quay_state, document=document, purge=["permissions"])
    # the creator of a repository may do everything with it, until the document does not name it
    assert not ask(quay_state, document=document, purge=["permissions"])["changed"]
    quay.world.permit(quay.world.repositories["prod/app1"], "alice", "read")
    assert states(ask(quay_state, document=document, purge=["permissions"])) == {"permissions prod/app1": "updated"}
    assert "alice" not in quay.world.repositories["prod/app1"].users


@pytest.mark.parametrize("check", [True, False])
def test_permissions_in_a_repository_that_nobody_makes(ask: Ask, quay: SandboxQuay, check: bool) -> None:
    quay.add_organization("prod", owner="quayadmin")
    robot = {"name": "ci", "permissions": [{"repository": "app", "role": "write"}]}
    told = ask(quay_state, document={"organizations": [{"name": "prod", "robots": [robot]}]}, check=check)
    assert states(told) == {"robot prod+ci": "created", "permissions prod/app": "failed"}
    assert "the repository prod/app does not exist" in told["msg"]


@pytest.mark.parametrize("check", [True, False])
def test_a_superuser_cannot_be_made_absent(ask: Ask, quay: SandboxQuay, check: bool) -> None:
    document = {"users": [{"name": "quayadmin", "state": "absent"}, {"name": "alice", "state": "absent"}]}
    told = ask(quay_state, document=document, check=check)
    assert states(told) == {"user quayadmin": "failed", "user alice": "deleted"}
    assert "Quay lets nobody change or delete superusers" in told["msg"]


def test_users_are_made_before_the_teams_that_they_are_in(ask: Ask, quay: SandboxQuay) -> None:
    team = {"name": "dev", "members": ["bob"]}
    document = {"users": [{"name": "bob", "password": "s3cret-word"}], "organizations": [{"name": "prod", "teams": [team]}]}
    told = ask(quay_state, document=document)
    assert list(states(told)) == ["user bob", "organization prod", "team prod/dev", "team_members prod/dev"]
    assert "s3cret-word" not in json.dumps(told)
    assert not ask(quay_state, document=document)["changed"]
    assert states(ask(quay_state, document={"users": []}, purge=["users"])) == {"user alice": "deleted", "user bob": "deleted"}
