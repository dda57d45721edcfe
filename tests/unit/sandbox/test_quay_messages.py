# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of the sandbox Quay, and what else its superusers do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest
import requests

from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay

ADMIN = "quayadmin"
SUNDAY = {"content": "Maintenance", "media_type": "text/plain", "severity": "info"}
Call = Callable[..., requests.Response]


@pytest.fixture
def quay() -> Iterator[SandboxQuay]:
    """A Quay with a superuser and an ordinary user."""
    with SandboxQuay() as server:
        server.add_user(ADMIN, superuser=True)
        server.add_user("alice", email="alice@example.com")
        yield server


def caller(quay: SandboxQuay, token: str = "") -> Call:
    """Calls with one token, or with none."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(method: str, path: str, body: Any = None) -> requests.Response:
        return requests.request(method, f"{quay.url}/api/v1{path}", json=body, headers=headers, allow_redirects=False, timeout=10)

    return call


@pytest.fixture
def admin(quay: SandboxQuay) -> Call:
    """The superuser with every scope."""
    return caller(quay, quay.token(ADMIN))


def test_a_message_is_taken_any_number_of_times_and_told_to_everybody(quay: SandboxQuay, admin: Call) -> None:
    assert admin("GET", "/messages").json() == {"messages": []}
    answers = [admin("POST", "/messages", {"message": SUNDAY}) for _again in range(2)]
    assert [(answer.status_code, answer.content) for answer in answers] == [(201, b"")] * 2
    assert answers[0].headers["Content-Type"] == "text/html; charset=utf-8"
    found = caller(quay)("GET", "/messages").json()["messages"]
    assert [{**SUNDAY, "uuid": entry["uuid"]} for entry in found] == found
    assert len({entry["uuid"] for entry in found}) == 2


def test_deleting_a_message_never_fails(admin: Call) -> None:
    admin("POST", "/messages", {"message": SUNDAY})
    number = admin("GET", "/messages").json()["messages"][0]["uuid"]
    assert [admin("DELETE", f"/message/{name}").status_code for name in (number, number, "unknown")] == [204] * 3
    assert admin("GET", "/messages").json() == {"messages": []}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"severity": "foo"}, "'foo' is not one of ['info', 'warning', 'error']"),
        ({"media_type": "text/html"}, "'text/html' is not one of ['text/plain', 'text/markdown']"),
        ({"content": None}, "None is not of type 'string'"),
    ],
)
def test_messages_that_are_refused(admin: Call, change: dict[str, Any], sentence: str) -> None:
    refused = admin("POST", "/messages", {"message": {**SUNDAY, **change}})
    assert (refused.status_code, refused.json()["error_type"]) == (400, "invalid_request")
    assert refused.json()["detail"].splitlines()[0] == sentence


def test_only_superusers_may(quay: SandboxQuay) -> None:
    for token in (quay.token("alice"), quay.token(ADMIN, "org:admin")):
        refused = [caller(quay, token)("POST", "/messages", {"message": SUNDAY}), caller(quay, token)("DELETE", "/message/x")]
        assert [(answer.status_code, list(answer.json())) for answer in refused] == [(403, ["message"])] * 2
    assert caller(quay, quay.token(ADMIN, "super:user"))("POST", "/messages", {"message": SUNDAY}).status_code == 201
    assert caller(quay)("POST", "/messages", {"message": SUNDAY}).json() == {"error": "CSRF token was invalid or missing."}


def test_without_superusers_messages_can_only_be_read() -> None:
    with SandboxQuay(QuayOptions(features={"SUPER_USERS": False})) as quay:
        quay.add_user(ADMIN, superuser=True)
        call = caller(quay, quay.token(ADMIN))
        assert [call(method, "/messages", {"message": SUNDAY}).status_code for method in ("GET", "POST")] == [200, 404]
        assert call("DELETE", "/message/x").status_code == 405


# ------------------------------------------------------ what superusers do


def test_a_letter_that_cannot_be_sent_leaves_the_user_behind(quay: SandboxQuay, admin: Call) -> None:
    quay.quay.features = {"MAILING": True}
    quay.world.extra["mail_down"] = True
    refused = admin("POST", "/superuser/users/", {"username": "bob", "email": "bob@example.com"})
    assert refused.status_code == 400
    assert refused.json() == {"message": "Could not send email. Please contact an administrator and report this problem."}
    assert admin("GET", "/superuser/users/bob").json()["verified"] is False
    assert admin("POST", "/superuser/users/", {"username": "carol"}).json() == {"message": "Invalid email address: None"}


def test_a_new_superuser_is_one_from_the_next_start_on(quay: SandboxQuay, admin: Call) -> None:
    assert admin("PUT", "/superuser/users/alice", {"superuser": True}).json()["super_user"] is False
    assert admin("GET", "/superuser/users/alice").json()["super_user"] is False
    assert quay.world.extra["config_super_users"] == {ADMIN, "alice"}


def test_the_answer_to_a_change_shows_enabled_as_it_was(admin: Call) -> None:
    told = [admin("PUT", "/superuser/users/alice", {"enabled": False}).json()["enabled"] for _again in range(2)]
    assert told == [True, False]


def test_taking_ownership(quay: SandboxQuay, admin: Call) -> None:
    quay.add_organization("team", owner="alice")
    answers = [admin("POST", "/superuser/takeownership/team", {}) for _again in range(2)]
    assert [answer.json() for answer in answers] == [{"namespace": "team"}] * 2
    assert list(quay.world.organizations["team"].teams["owners"].members) == ["alice", ADMIN]
    assert admin("POST", "/superuser/takeownership/alice", {}).status_code == 200
    assert admin("GET", "/organization/alice").json()["is_admin"] is True
    assert admin("GET", "/superuser/users/alice").status_code == 404
    assert admin("POST", "/superuser/takeownership/ghost", {}).json()["error_type"] == "not_found"
    assert admin("POST", f"/superuser/takeownership/{ADMIN}", {}).json()["detail"] == "Cannot take ownership of a superuser"
    assert caller(quay, quay.token(ADMIN, "org:admin"))("POST", "/superuser/takeownership/team", {}).status_code == 403
