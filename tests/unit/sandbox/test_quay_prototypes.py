# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Default permissions of the sandbox Quay: what they say, and what becomes of them in new repositories."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay
from ansible_collections.quayside.airgap.tests.support.images import push, simple_image
from ansible_collections.quayside.airgap.tests.unit.sandbox.quay_calls import Api, running_quay, said

LIST = "/organization/team/prototypes"
DEVS = {"kind": "team", "name": "devs"}
ROBOT = {"kind": "user", "name": "team+ci"}
NEW_REPOSITORY = {"repository": "app", "namespace": "team", "visibility": "private", "description": ""}


@pytest.fixture
def quay() -> Iterator[SandboxQuay]:
    with running_quay() as quay:
        yield quay


@pytest.fixture
def api(quay: SandboxQuay) -> Iterator[Api]:
    with Api(quay) as api:
        yield api


def make(api: Api, role: str, delegate: dict[str, str], creator: str = "") -> dict[str, Any]:
    """The view of a new rule."""
    body = {"role": role, "delegate": delegate, **({"activating_user": {"name": creator}} if creator else {})}
    answer = api("POST", LIST, body)
    assert answer.status_code == 200
    view: dict[str, Any] = answer.json()
    return view


def test_a_rule_lives_and_ends(api: Api) -> None:
    assert api("GET", LIST).json() == {"prototypes": []}
    made = make(api, "write", ROBOT)
    assert {key: made[key] for key in ("role", "activating_user")} == {"role": "write", "activating_user": None}
    assert (made["delegate"]["kind"], made["delegate"]["is_robot"], made["delegate"]["is_org_member"]) == ("user", True, True)
    one = f"{LIST}/{made['id']}"
    assert api("PUT", one, {"role": "read"}).json() == {**made, "role": "read"}
    assert api("GET", LIST).json() == {"prototypes": [{**made, "role": "read"}]}
    assert api("GET", one).status_code == 308
    assert [api("DELETE", one).status_code for _again in range(2)] == [204, 404]
    assert api("PUT", one, {"role": "read"}).status_code == 404


def test_the_same_rule_may_be_there_twice(api: Api) -> None:
    assert make(api, "write", DEVS)["id"] != make(api, "write", DEVS)["id"]
    assert len(api("GET", LIST).json()["prototypes"]) == 2


def test_somebody_outside_is_shown_as_such(api: Api) -> None:
    made = make(api, "read", {"kind": "user", "name": "bob"}, creator="alice")
    assert (made["delegate"]["is_org_member"], made["activating_user"]["is_org_member"]) == (False, True)
    assert "is_robot" not in make(api, "read", DEVS)["delegate"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"role": "read", "delegate": {"kind": "user", "name": "ghost"}}, "Missing delegate user or team"),
        ({"role": "read", "delegate": {"kind": "team", "name": "ghost"}}, "('Team does not exist: %s/%s', 'team', 'ghost')"),
        ({"role": "read", "delegate": ROBOT, "activating_user": {"name": "ghost"}}, "Unknown activating user"),
        ({"role": "read", "delegate": ROBOT, "activating_user": None}, "None is not of type 'object'"),
        ({"role": "read", "delegate": {"kind": "robot", "name": "team+ci"}}, "'robot' is not one of ['user', 'team']"),
        ({"role": "owner", "delegate": ROBOT}, "'owner' is not one of ['read', 'write', 'admin']"),
        ({"role": "read"}, "'delegate' is a required property"),
    ],
)
def test_what_is_refused(api: Api, body: dict[str, Any], message: str) -> None:
    status, text = said(api("POST", LIST, body))
    assert (status, text.splitlines()[0]) == (400, message)


def test_who_may(quay: SandboxQuay, api: Api) -> None:
    assert api("GET", "/organization/nope/prototypes").status_code == 404
    assert api("POST", "/organization/nope/prototypes", {"role": "read", "delegate": ROBOT}).status_code == 404
    with Api(quay, "alice") as other:
        assert other("GET", LIST).status_code == 403
        assert other("POST", LIST, {"role": "read", "delegate": ROBOT}).status_code == 403


def test_new_repositories_get_what_the_rules_say(quay: SandboxQuay, api: Api) -> None:
    quay.add_repository("team/older")
    make(api, "write", ROBOT)
    make(api, "read", DEVS)
    make(api, "write", DEVS)
    assert api("POST", "/repository", NEW_REPOSITORY).status_code == 201
    found, older = quay.world.repositories["team/app"], quay.world.repositories["team/older"]
    # of several for everybody the first counts
    assert (found.users, found.teams) == ({"quayadmin": "admin", "team+ci": "write"}, {"devs": "read"})
    assert (older.users, older.teams) == ({}, {})
    assert api("DELETE", "/repository/team/app").status_code == 204


def test_a_rule_for_the_creator_goes_before(quay: SandboxQuay, api: Api) -> None:
    make(api, "admin", ROBOT, creator="alice")
    make(api, "read", ROBOT)
    make(api, "read", {"kind": "user", "name": "alice"})
    with Api(quay, "alice") as alice:
        alice("POST", "/repository", {**NEW_REPOSITORY, "repository": "hers"})
    api("POST", "/repository", NEW_REPOSITORY)
    assert quay.world.repositories["team/hers"].users == {"alice": "admin", "team+ci": "admin"}
    assert quay.world.repositories["team/app"].users == {"quayadmin": "admin", "team+ci": "read", "alice": "read"}


def test_a_push_makes_a_repository_with_them_too(quay: SandboxQuay, api: Api) -> None:
    make(api, "read", DEVS)
    push(quay.url, "team/pushed", "1", simple_image("pushed"), ("alice", "password1"))
    assert quay.world.repositories["team/pushed"].teams == {"devs": "read"}


def test_rules_go_with_those_they_are_about(quay: SandboxQuay, api: Api) -> None:
    make(api, "read", ROBOT)
    make(api, "read", DEVS)
    make(api, "read", {"kind": "user", "name": "bob"}, creator="team+ci")
    api("DELETE", "/organization/team/robots/ci")
    api("PUT", "/organization/team/robots/ci", {})
    assert [rule["delegate"]["name"] for rule in api("GET", LIST).json()["prototypes"]] == ["devs"]
    api("DELETE", "/organization/team/team/devs")
    assert api("GET", LIST).json() == {"prototypes": []}
