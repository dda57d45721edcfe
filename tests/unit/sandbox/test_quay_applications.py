# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OAuth applications of the sandbox Quay, and the tokens that they give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay
from ansible_collections.quayside.airgap.tests.unit.sandbox.quay_calls import Api, running_quay, said

LIST = "/organization/team/applications"


@pytest.fixture
def quay() -> Iterator[SandboxQuay]:
    with running_quay() as quay:
        yield quay


@pytest.fixture
def api(quay: SandboxQuay) -> Iterator[Api]:
    with Api(quay) as api:
        yield api


@pytest.fixture
def tokens(api: Api) -> str:
    """The path of the tokens of an application."""
    client_id: str = api("POST", LIST, {"name": "ci"}).json()["client_id"]
    return f"{LIST}/{client_id}/tokens"


def test_an_application_lives_and_ends(api: Api) -> None:
    assert api("GET", LIST).json() == {"applications": []}
    answer = api("POST", LIST, {"name": "ci"})
    made = answer.json()
    assert answer.status_code == 200
    assert (len(made.pop("client_id")), len(made.pop("client_secret"))) == (20, 40)
    assert made == {"name": "ci", "description": "", "application_uri": "", "redirect_uri": "", "avatar_email": None}
    one = f"{LIST}/{answer.json()['client_id']}"
    assert api("GET", one).json() == answer.json()
    assert api("GET", LIST).json() == {"applications": [answer.json()]}
    assert [api("DELETE", one).status_code for _again in range(2)] == [204, 404]
    assert api("GET", one).status_code == 404


def test_a_name_can_be_used_twice(api: Api) -> None:
    assert api("POST", LIST, {"name": "ci"}).json()["client_id"] != api("POST", LIST, {"name": "ci"}).json()["client_id"]


def test_an_update_empties_what_it_leaves_out(api: Api) -> None:
    whole = {"description": "builds", "application_uri": "http://a", "redirect_uri": "http://a/b", "avatar_email": "a@example.com"}
    made = api("POST", LIST, {"name": "ci", **whole}).json()
    assert {name: made[name] for name in whole} == whole
    one = f"{LIST}/{made['client_id']}"
    assert said(api("PUT", one, {"name": "other"}))[1].startswith("'redirect_uri' is a required property")
    changed = api("PUT", one, {"name": "other", "application_uri": "http://b", "redirect_uri": ""}).json()
    assert changed == {**made, "name": "other", "application_uri": "http://b", "redirect_uri": "", "description": "", "avatar_email": None}


def test_another_secret(quay: SandboxQuay, api: Api) -> None:
    made = api("POST", LIST, {"name": "ci"}).json()
    renewed = api("POST", f"{LIST}/{made['client_id']}/resetclientsecret", {}).json()
    assert renewed["client_secret"] != made["client_secret"]
    assert {**renewed, "client_secret": ""} == {**made, "client_secret": ""}
    assert api("POST", f"{LIST}/none/resetclientsecret", {}).status_code == 404


def test_what_everybody_may_know(quay: SandboxQuay, api: Api) -> None:
    made = api("POST", LIST, {"name": "ci", "description": "builds", "application_uri": "http://a"}).json()
    found = requests.get(f"{api.base}/app/{made['client_id']}", timeout=10).json()
    assert (found["name"], found["description"], found["uri"], found["avatar"]["kind"]) == ("ci", "builds", "http://a", "app")
    assert (found["organization"]["name"], found["organization"]["is_admin"], found["organization"]["teams"]) == ("team", False, {})
    assert requests.get(f"{api.base}/app/none", timeout=10).status_code == 404


def test_what_is_refused(quay: SandboxQuay, api: Api) -> None:
    assert said(api("POST", LIST, {}))[1].startswith("'name' is a required property")
    assert said(api("POST", LIST, {"name": "__quay_bootstrap_app"})) == (
        400,
        "Application name is reserved for bootstrap token provisioning",
    )
    assert api("POST", "/organization/nope/applications", {"name": "ci"}).status_code == 404
    with Api(quay, "alice") as other:
        assert [other("GET", LIST).status_code, other("POST", LIST, {"name": "ci"}).status_code] == [403, 403]


def test_a_token_is_shown_once_and_works_until_it_is_revoked(quay: SandboxQuay, api: Api, tokens: str) -> None:
    made = api("POST", tokens, {"name": " ci ", "scope": "repo:read,org:admin repo:read"}).json()
    assert (made["name"], made["scope"], made["created_by"], made["last_accessed"]) == ("ci", "repo:read org:admin", "quayadmin", None)
    with Api(quay) as other:
        other.token = made["token"]
        assert other("GET", LIST).status_code == 200
        [listed] = api("GET", tokens).json()["tokens"]
        assert (set(made) - set(listed), listed["last_accessed"] is None) == ({"token"}, False)
        assert [api("DELETE", f"{tokens}/{made['uuid']}").status_code for _again in range(2)] == [204, 404]
        assert other("GET", LIST).status_code == 401


def test_nobody_gives_away_what_they_do_not_have(quay: SandboxQuay, tokens: str) -> None:
    with Api(quay, scopes="org:admin repo:read") as api:
        assert api("POST", tokens, {"name": "ci", "scope": "repo:read"}).status_code == 200
        assert api("POST", tokens, {"name": "ci", "scope": "repo:write"}).status_code == 403
    quay.add_team("team", "admins", "admin", members=["alice"])
    with Api(quay, "alice") as alice:
        assert alice("POST", tokens, {"name": "ci", "scope": "repo:read org:admin"}).status_code == 200
        assert alice("POST", tokens, {"name": "ci", "scope": "super:user"}).status_code == 403


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": "ci", "scope": "foo"}, "Invalid scope: foo"),
        ({"name": "ci", "scope": " "}, "Invalid scope:  "),
        ({"name": " ", "scope": "repo:read"}, "'name' must not be empty"),
        ({"scope": "repo:read"}, "'name' is a required property"),
        ({"name": "ci", "scope": "repo:read", "expiration": 0}, "0 is less than the minimum of 1"),
    ],
)
def test_tokens_that_are_refused(api: Api, tokens: str, body: dict[str, Any], message: str) -> None:
    status, text = said(api("POST", tokens, body))
    assert (status, text.splitlines()[0]) == (400, message)
    assert api("GET", tokens).json() == {"tokens": []}


def test_tokens_come_in_pages_newest_first(api: Api, tokens: str) -> None:
    for number in range(52):
        api("POST", tokens, {"name": str(number), "scope": "repo:read"})
    first = api("GET", tokens).json()
    rest = api("GET", f"{tokens}?next_page={first['next_page']}").json()
    assert [token["name"] for token in first["tokens"] + rest["tokens"]] == [str(number) for number in reversed(range(52))]
    assert "next_page" not in rest


def test_before_3_18_the_api_knows_no_tokens() -> None:
    with running_quay(version="3.15") as quay, Api(quay) as api:
        client_id = api("POST", LIST, {"name": "__quay_bootstrap_app"}).json()["client_id"]
        assert api("POST", f"{LIST}/{client_id}/tokens", {"name": "ci", "scope": "repo:read"}).status_code == 405
