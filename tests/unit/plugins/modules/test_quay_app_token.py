# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_app_token against a sandbox Quay."""

from __future__ import annotations

import base64
import json
from typing import Any, Callable

import pytest
import requests

from ansible_collections.quayside.airgap.plugins.modules import quay_app_token
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.app_tokens import AppToken
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def token(ask: Ask) -> Ask:
    """The module."""
    return lambda **options: ask(quay_app_token, **{"name": "build host", **options})


def logs_in(quay: SandboxQuay, auth: tuple[str, str]) -> bool:
    return requests.get(f"{quay.url}/v2/auth", params={"service": quay.service}, auth=auth, timeout=10).status_code == 200


def add(quay: SandboxQuay, code: str, **fields: Any) -> AppToken:
    """A token that quayadmin has already."""
    found = quay.world.app_tokens[code] = AppToken("quayadmin", "build host", code, **fields)
    return found


def test_a_token_is_made_once_and_logs_in(token: Ask, quay: SandboxQuay) -> None:
    made = token()
    assert made["objects"] == [{"kind": "app_token", "name": "build host", "state": "created"}]
    assert made["diff"]["after"] == {"app token build host": {"name": "build host"}}
    assert (made["username"], made["expiration"], made["last_accessed"]) == ("$app", "never", None)
    assert logs_in(quay, (made["username"], made["token"]))
    again = token()
    assert not again["changed"]
    assert (again["uuid"], again["created"]) == (made["uuid"], made["created"])
    assert again["last_accessed"].endswith("Z")
    assert not {"token", "docker_config"} & again.keys()


def test_a_token_that_is_there_is_shown_on_request(token: Ask) -> None:
    made = token()
    shown = token(show_token=True)
    assert (shown["changed"], shown["token"], shown["docker_config"]) == (False, made["token"], made["docker_config"])
    assert "token" not in token(show_token=True, check=True)


def test_the_login_for_container_clients(token: Ask, quay: SandboxQuay) -> None:
    made = token()
    ((host, login),) = made["docker_config"]["auths"].items()
    assert host == quay.url.partition("//")[2]
    name, _colon, code = base64.b64decode(login["auth"]).decode().partition(":")
    assert (name, code) == ("$app", made["token"])


def test_the_name_that_quay_has_for_itself_counts(play: Ask) -> None:
    with SandboxQuay(QuayOptions(settings={"SERVER_HOSTNAME": "quay.example.com"})) as quay:
        quay.add_user("alice")
        made = play(quay_app_token, quay_host=quay.url, quay_token=quay.token("alice"), name="build host")
    assert list(made["docker_config"]["auths"]) == ["quay.example.com"]


def test_all_tokens_of_the_name_go(token: Ask, quay: SandboxQuay) -> None:
    for code in ("one", "two"):
        add(quay, code)
    made = token(name="other")
    gone = token(state="absent")
    assert gone["diff"]["before"] == {"app token build host": {"name": "build host", "copies": 2}}
    assert list(quay.world.app_tokens) == [made["token"]]
    assert not {"username", "uuid", "token"} & gone.keys()
    assert not token(state="absent")["changed"]


def test_of_several_tokens_the_one_that_lasts_is_shown(token: Ask, quay: SandboxQuay) -> None:
    now = AppToken("quayadmin", "").created
    add(quay, "short", expires=now + 3600)
    add(quay, "old", created=now - 3600)
    add(quay, "young", created=now - 60)
    add(quay, "long", expires=now + 7200)
    shown = token(show_token=True)
    assert (shown["changed"], shown["token"]) == (False, "young")


def test_a_token_that_has_expired_is_replaced(token: Ask, quay: SandboxQuay) -> None:
    now = AppToken("quayadmin", "").created
    add(quay, "expired", created=now - 7200, expires=now - 3600)
    assert token(check=True)["changed"]
    renewed = token()
    assert renewed["objects"] == [{"kind": "app_token", "name": "build host", "state": "updated", "fields": ["expired"]}]
    assert list(quay.world.app_tokens) == [renewed["token"]]
    assert not token()["changed"]
    add(quay, "expired", created=now - 7200, expires=now - 3600)
    assert not token()["changed"]
    assert token(state="absent")["changed"]
    assert quay.world.app_tokens == {}


def test_check_mode_makes_and_deletes_nothing(token: Ask, quay: SandboxQuay) -> None:
    quay.refuse_writes = True
    foretold = token(check=True)
    assert foretold["changed"]
    assert not {"uuid", "token", "docker_config"} & foretold.keys()
    add(quay, "code")
    assert token(state="absent", check=True)["changed"]
    assert not token(check=True)["changed"]
    assert (quay.refused, list(quay.world.app_tokens)) == ([], ["code"])


def test_a_lost_answer_makes_no_second_token(token: Ask, quay: SandboxQuay) -> None:
    fault = Fault("POST", "apptoken", "drop_connection", after_effect=True)
    quay.faults.append(fault)
    made = token(retries=1)
    assert (made["changed"], fault.fired) == (True, 1)
    assert [made["token"]] == list(quay.world.app_tokens)


def test_everybody_has_own_tokens(token: Ask, quay: SandboxQuay) -> None:
    made = [token(quay_token=quay.token(user, "user:admin")) for user in ("alice", "quayadmin")]
    assert all(entry["changed"] for entry in made)
    assert [entry.user for entry in quay.world.app_tokens.values()] == ["alice", "quayadmin"]


def test_a_password_does_as_a_token_does(token: Ask, quay: SandboxQuay) -> None:
    made = token(quay_token=None, quay_username="alice", quay_password="wonderland")
    assert quay.world.app_tokens[made["token"]].user == "alice"


def test_nothing_shows_the_token_but_the_results(token: Ask) -> None:
    made = token()
    for told in (token(), token(state="absent"), token(check=True)):
        assert made["token"] not in json.dumps(told)
    assert made["token"] not in json.dumps([made["diff"], made["objects"]])


def test_what_is_wrong_is_said(token: Ask, play: Ask, quay: SandboxQuay) -> None:
    for name in ("", " ", "x" * 256):
        assert "Quay takes 1 to 255" in token(name=name)["msg"]
    assert "It takes the scope user:admin" in token(quay_token=quay.token("alice", "user:read"))["msg"]
    assert "the token was not accepted" in token(quay_token="no-such-token")["msg"]
    with SandboxQuay(QuayOptions(features={"APP_SPECIFIC_TOKENS": False})) as other:
        other.add_user("alice")
        told = play(quay_app_token, quay_host=other.url, quay_token=other.token("alice"), name="build host")
        assert "Set FEATURE_APP_SPECIFIC_TOKENS: true" in told["msg"]
        assert not other.select(path="apptoken")
