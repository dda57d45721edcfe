# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_org against a sandbox Quay."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.modules import quay_org
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay

Ask = Callable[..., dict[str, Any]]


def test_an_organization_is_made_once(ask: Ask, quay: SandboxQuay) -> None:
    made = ask(quay_org, name="prod", email="prod@example.com", time_machine_expiration="14d")
    assert made["changed"]
    assert made["objects"] == [{"kind": "organization", "name": "prod", "state": "created"}]
    assert made["diff"]["after"] == {"organization prod": {"email": "prod@example.com", "time_machine_expiration": "2w"}}
    quay.reset_log()
    again = ask(quay_org, name="prod", email="prod@example.com", time_machine_expiration="2w")
    assert (again["changed"], again["totals"]) == (False, {"unchanged": 1})
    assert [request.method for request in quay.requests] == ["GET"]


def test_only_what_differs_is_written(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_org, name="prod", email="prod@example.com")
    changed = ask(quay_org, name="prod", email="", invoice_email=True)
    assert changed["objects"][0]["fields"] == ["email", "invoice_email"]
    assert changed["diff"]["before"] == {"organization prod": {"email": "prod@example.com", "invoice_email": False}}
    assert not ask(quay_org, name="prod", email="", invoice_email=True)["changed"]


def test_check_mode_foretells_and_writes_nothing(ask: Ask, quay: SandboxQuay) -> None:
    quay.refuse_writes = True
    foretold = ask(quay_org, name="prod", email="prod@example.com", check=True)
    assert foretold["changed"]
    assert quay.refused == []
    quay.refuse_writes = False
    made = ask(quay_org, name="prod", email="prod@example.com")
    assert (foretold["objects"], foretold["diff"]) == (made["objects"], made["diff"])


def test_renaming(ask: Ask) -> None:
    ask(quay_org, name="prod", email="prod@example.com")
    renamed = ask(quay_org, name="prod", new_name="production")
    assert renamed["name"] == "production"
    assert renamed["diff"]["before"] == {"organization production": {"name": "prod"}}
    assert not ask(quay_org, name="prod", new_name="production", email="prod@example.com")["changed"]
    assert ask(quay_org, name="other", new_name="brand-new")["objects"][0]["state"] == "created"


def test_deleting(ask: Ask) -> None:
    ask(quay_org, name="prod")
    assert ask(quay_org, name="prod", state="absent")["objects"][0]["state"] == "deleted"
    assert not ask(quay_org, name="prod", state="absent")["changed"]


def test_a_name_that_quay_refuses_costs_no_call(ask: Ask, quay: SandboxQuay) -> None:
    assert "is no name for Quay" in ask(quay_org, name="Prod")["msg"]
    assert quay.requests == []


def test_an_expiration_that_is_not_allowed_is_told_in_check_mode_too(ask: Ask, quay: SandboxQuay) -> None:
    told = ask(quay_org, name="prod", time_machine_expiration="3w", check=True)
    assert "does not allow 3w, only 0s, 1d, 1w, 2w, 4w" in told["msg"]
    assert quay.writes == []


@pytest.mark.parametrize("options", [{"email": "new@example.com"}, {"state": "absent"}])
def test_the_view_of_strangers_is_no_answer(ask: Ask, quay: SandboxQuay, options: dict[str, Any]) -> None:
    ask(quay_org, name="prod", email="prod@example.com")
    quay.reset_log()
    told = ask(quay_org, name="prod", quay_token="no-such-token", **options)
    assert "the token was not accepted" in told["msg"]
    told = ask(quay_org, name="prod", quay_token=quay.token("alice"), **options)
    assert "alice is no administrator of it" in told["msg"]
    assert quay.writes == []


def test_a_token_without_the_scope_to_create(ask: Ask, quay: SandboxQuay) -> None:
    told = ask(quay_org, name="prod", quay_token=quay.token("quayadmin", "repo:read"))
    assert "may not do this" in told["msg"]
    assert "Could not create the organization prod" in told["msg"]


def test_a_session_does_as_well(ask: Ask, quay: SandboxQuay) -> None:
    made = ask(quay_org, name="prod", quay_token=None, quay_username="quayadmin", quay_password="password1")
    assert made["changed"]
    wrong = ask(quay_org, name="prod", quay_token=None, quay_username="quayadmin", quay_password="wrong-password")
    assert "Invalid Username or Password" in wrong["msg"]
    assert quay.count(path="signin") == 2


def test_a_lost_answer_is_followed_by_a_look(ask: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("POST", "/organization/", "drop_connection", after_effect=True))
    made = ask(quay_org, name="prod", email="prod@example.com", retries=2)
    assert made["changed"]
    assert [request.method for request in quay.requests] == ["GET", "POST", "GET"]


def test_a_failure_before_the_change_is_followed_by_another_try(ask: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("POST", "/organization/", "status", status=500))
    assert ask(quay_org, name="prod", retries=2)["changed"]
    assert [request.method for request in quay.requests] == ["GET", "POST", "GET", "POST"]


def test_a_registry_that_is_read_only(ask: Ask, quay: SandboxQuay) -> None:
    quay.quay.registry_state = "readonly"
    quay.reset_log()
    assert "read-only" in ask(quay_org, name="prod", retries=3)["msg"]
    assert quay.count(method="POST") == 1


def test_the_login_of_the_task_goes_before_that_of_the_environment(ask: Ask, quay: SandboxQuay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUAY_TOKEN", "stale")
    told = ask(quay_org, name="org1", quay_token=None, quay_username="quayadmin", quay_password="password1")
    assert told["changed"]
    monkeypatch.setenv("QUAY_TOKEN", quay.token("quayadmin"))
    monkeypatch.setenv("QUAY_USERNAME", "nobody")
    monkeypatch.setenv("QUAY_PASSWORD", "nothing")
    assert not ask(quay_org, name="org1", quay_token=None)["changed"]
    assert not ask(quay_org, name="org1")["changed"]
    monkeypatch.setenv("QUAY_TOKEN", "")
    told = ask(quay_org, name="org1", quay_username="quayadmin", quay_password="password1")
    assert told["msg"] == ("Could not use quay_token: a user is given too. Give either quay_token, or quay_username with quay_password.")
