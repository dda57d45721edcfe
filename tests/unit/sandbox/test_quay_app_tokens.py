# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""App-specific tokens and stars of the sandbox Quay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay

TOKENS = "/user/apptoken"


@pytest.fixture
def quay(request: pytest.FixtureRequest) -> Iterator[SandboxQuay]:
    with SandboxQuay(QuayOptions(**getattr(request, "param", {}))) as server:
        server.add_user("quayadmin", superuser=True)
        server.add_user("alice")
        yield server


def call(quay: SandboxQuay, user: str, method: str, path: str, body: Any = None, scope: str = "user:admin super:user") -> requests.Response:
    headers = {"Authorization": f"Bearer {quay.token(user, scope)}"}
    return requests.request(method, f"{quay.url}/api/v1{path}", json=body, headers=headers, allow_redirects=False, timeout=10)


def login(quay: SandboxQuay, code: str) -> int:
    return requests.get(f"{quay.url}/v2/auth", params={"service": quay.service}, auth=("$app", code), timeout=10).status_code


def test_a_token_logs_in_at_the_registry_until_it_is_revoked(quay: SandboxQuay) -> None:
    made = [call(quay, "alice", "POST", TOKENS, {"title": "skopeo"}).json()["token"] for _again in range(2)]
    code = made[0]["token_code"]
    assert (len(code), made[0]["title"], made[0]["expiration"]) == (120, "skopeo", None)
    listed = call(quay, "alice", "GET", TOKENS).json()
    assert listed["only_expiring"] is None
    assert [entry["uuid"] for entry in listed["tokens"]] == [entry["uuid"] for entry in made]
    assert "token_code" not in listed["tokens"][0]
    one = f"{TOKENS}/{made[0]['uuid']}"
    assert call(quay, "alice", "GET", one).json()["token"]["token_code"] == code
    assert login(quay, code) == 200
    assert [entry["last_accessed"] is None for entry in call(quay, "alice", "GET", TOKENS).json()["tokens"]] == [False, True]
    assert [call(quay, "alice", "DELETE", one).status_code for _again in range(2)] == [204, 404]
    assert login(quay, code) == 401


def test_a_token_is_its_users_own(quay: SandboxQuay) -> None:
    made = call(quay, "alice", "POST", TOKENS, {"title": "skopeo"}).json()["token"]
    assert call(quay, "quayadmin", "GET", TOKENS).json()["tokens"] == []
    assert call(quay, "quayadmin", "DELETE", f"{TOKENS}/{made['uuid']}").status_code == 404
    everybodys = call(quay, "quayadmin", "GET", "/superuser/apptokens").json()["tokens"]
    assert [(entry["uuid"], "token_code" in entry) for entry in everybodys] == [(made["uuid"], False)]
    assert call(quay, "alice", "GET", "/superuser/apptokens").status_code == 403


@pytest.mark.parametrize(("scope", "status"), [("user:admin", 200), ("user:read", 403), ("org:admin", 403), ("super:user", 403)])
def test_one_scope_is_enough(quay: SandboxQuay, scope: str, status: int) -> None:
    assert call(quay, "quayadmin", "GET", TOKENS, scope=scope).status_code == status


def test_a_title_is_needed(quay: SandboxQuay) -> None:
    assert call(quay, "alice", "POST", TOKENS, {}).json()["detail"].startswith("'title' is a required property")


@pytest.mark.parametrize("quay", [{"settings": {"APP_SPECIFIC_TOKEN_EXPIRATION": "1d"}}], indirect=True)
def test_tokens_end_where_the_configuration_says_so(quay: SandboxQuay) -> None:
    made = call(quay, "alice", "POST", TOKENS, {"title": "skopeo"}).json()["token"]
    token = quay.world.app_tokens[made["token_code"]]
    assert made["expiration"].endswith(" -0000")
    soon = f"{TOKENS}?expiring=true"
    assert call(quay, "alice", "GET", soon).json() == {"tokens": [], "only_expiring": True}
    token.expires = token.created + 3600
    assert len(call(quay, "alice", "GET", soon).json()["tokens"]) == 1
    token.expires = token.created - 1
    assert call(quay, "alice", "GET", soon).json()["tokens"] == []
    assert login(quay, made["token_code"]) == 401
    assert call(quay, "alice", "GET", f"{TOKENS}/{made['uuid']}").status_code == 404
    # nobody can use it, but it is listed for another day
    assert [entry["uuid"] for entry in call(quay, "alice", "GET", TOKENS).json()["tokens"]] == [made["uuid"]]
    token.expires -= 86400
    assert call(quay, "alice", "GET", TOKENS).json()["tokens"] == []


@pytest.mark.parametrize("quay", [{"features": {"APP_SPECIFIC_TOKENS": False}}], indirect=True)
def test_switched_off_they_are_an_unknown_path(quay: SandboxQuay) -> None:
    assert call(quay, "alice", "GET", TOKENS).status_code == 308


def test_stars_mark_repositories(quay: SandboxQuay) -> None:
    quay.add_repository("quayadmin/app", public=True)
    name = {"namespace": "quayadmin", "repository": "app"}
    assert [call(quay, "alice", "POST", "/user/starred", name).status_code for _again in range(2)] == [201, 201]
    assert call(quay, "alice", "GET", "/user/starred").json()["repositories"] == [
        {"namespace": "quayadmin", "name": "app", "description": "", "is_public": True}
    ]
    assert call(quay, "alice", "GET", "/repository/quayadmin/app").json()["is_starred"] is True
    assert [call(quay, "alice", "DELETE", "/user/starred/quayadmin/app").status_code for _again in range(2)] == [204, 204]
    assert call(quay, "alice", "GET", "/user/starred").json() == {"repositories": []}
    ghost = call(quay, "alice", "POST", "/user/starred", {**name, "repository": "ghost"})
    assert (ghost.status_code, ghost.json()) == (200, None)
