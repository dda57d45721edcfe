# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_application against a sandbox Quay."""

from __future__ import annotations

import json
from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.modules import quay_application
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Application

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def organization(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner="quayadmin")


def applications(quay: SandboxQuay) -> list[Application]:
    return list(quay.world.organizations["prod"].applications.values())


def test_an_application_is_made_once(ask: Ask, quay: SandboxQuay) -> None:
    wanted = {"organization": "prod", "name": "ci", "description": "builds", "redirect_uri": "https://ci.example.com/"}
    made = ask(quay_application, **wanted)
    [there] = applications(quay)
    assert (made["changed"], made["name"], made["client_id"]) == (True, "ci", there.client_id)
    assert (there.description, there.redirect_uri, there.avatar_email) == ("builds", "https://ci.example.com/", None)
    quay.reset_log()
    again = ask(quay_application, **wanted)
    assert (again["changed"], again["client_id"]) == (False, there.client_id)
    assert [request.method for request in quay.requests] == ["GET"]


def test_what_is_not_given_stays(ask: Ask, quay: SandboxQuay) -> None:
    whole = {"description": "builds", "application_uri": "https://ci/", "redirect_uri": "https://ci/back", "avatar_email": "ci@example.com"}
    ask(quay_application, organization="prod", name="ci", **whole)
    changed = ask(quay_application, organization="prod", name="ci", description="pushes")
    assert changed["objects"][0]["fields"] == ["description"]
    assert changed["diff"]["before"] == {"application prod/ci": {"description": "builds"}}
    [there] = applications(quay)
    assert (there.description, there.application_uri, there.redirect_uri) == ("pushes", "https://ci/", "https://ci/back")
    assert there.avatar_email == "ci@example.com"
    ask(quay_application, organization="prod", name="ci", avatar_email="")
    assert applications(quay)[0].avatar_email is None
    assert not ask(quay_application, organization="prod", name="ci", avatar_email="")["changed"]


def test_the_secret_is_shown_on_request_only(ask: Ask, quay: SandboxQuay) -> None:
    made = ask(quay_application, organization="prod", name="ci")
    [there] = applications(quay)
    assert there.client_secret not in json.dumps(made)
    assert ask(quay_application, organization="prod", name="ci", show_secret=True)["client_secret"] == there.client_secret
    other = ask(quay_application, organization="prod", name="other", show_secret=True)
    assert other["client_secret"] == quay.world.applications[other["client_id"]].client_secret


def test_another_secret(ask: Ask, quay: SandboxQuay) -> None:
    first = ask(quay_application, organization="prod", name="ci", show_secret=True)["client_secret"]
    foretold = ask(quay_application, organization="prod", name="ci", reset_secret=True, show_secret=True, check=True)
    assert foretold["changed"]
    assert "client_secret" not in foretold
    renewed = ask(quay_application, organization="prod", name="ci", reset_secret=True, show_secret=True)
    assert renewed["changed"]
    assert renewed["client_secret"] == applications(quay)[0].client_secret != first
    assert renewed["diff"] == {"before": {}, "after": {}}
    assert ask(quay_application, organization="prod", name="ci", show_secret=True)["client_secret"] == renewed["client_secret"]


def test_a_new_application_has_a_new_secret_anyway(ask: Ask, quay: SandboxQuay) -> None:
    ask(quay_application, organization="prod", name="ci", reset_secret=True)
    assert [request.method for request in quay.writes] == ["POST"]


def test_renaming(ask: Ask, quay: SandboxQuay) -> None:
    first = ask(quay_application, organization="prod", name="ci", description="builds")
    foretold = ask(quay_application, organization="prod", name="ci", new_name="pipeline", check=True)
    assert (foretold["changed"], foretold["client_id"]) == (True, first["client_id"])
    renamed = ask(quay_application, organization="prod", name="ci", new_name="pipeline", redirect_uri="https://ci/")
    assert (renamed["name"], renamed["client_id"]) == ("pipeline", first["client_id"])
    [there] = applications(quay)
    assert (there.name, there.description, there.redirect_uri) == ("pipeline", "builds", "https://ci/")
    assert not ask(quay_application, organization="prod", name="ci", new_name="pipeline")["changed"]
    assert ask(quay_application, organization="prod", name="none", new_name="new")["objects"][0]["state"] == "created"


def test_several_of_a_name(ask: Ask, quay: SandboxQuay) -> None:
    first = quay.add_application("prod", "ci")
    second = quay.add_application("prod", "ci")
    changed = ask(quay_application, organization="prod", name="ci", description="builds")
    assert changed["client_id"] == first.client_id
    assert (first.description, second.description) == ("builds", "")
    assert "prod has 2 applications ci" in str(changed["warnings"])
    assert ask(quay_application, organization="prod", name="ci", state="absent")["changed"]
    assert applications(quay) == []


def test_deleting_takes_the_tokens_along(ask: Ask, quay: SandboxQuay) -> None:
    made = ask(quay_application, organization="prod", name="ci")
    token = quay.token("quayadmin", client_id=made["client_id"])
    gone = ask(quay_application, organization="prod", name="ci", state="absent")
    assert gone["objects"][0]["state"] == "deleted"
    assert "client_id" not in gone
    assert quay.world.token(token) is None
    assert not ask(quay_application, organization="prod", name="ci", state="absent")["changed"]


def test_check_mode_foretells_and_writes_nothing(ask: Ask, quay: SandboxQuay) -> None:
    wanted = {"organization": "prod", "name": "ci", "description": "builds", "show_secret": True, "reset_secret": True}
    quay.refuse_writes = True
    foretold = ask(quay_application, check=True, **wanted)
    assert quay.refused == []
    assert "client_id" not in foretold
    quay.refuse_writes = False
    made = ask(quay_application, **wanted)
    assert (foretold["objects"], foretold["diff"]) == (made["objects"], made["diff"])


@pytest.mark.parametrize(
    ("options", "said"),
    [({"name": " "}, "it is empty"), ({"new_name": ""}, "it is empty"), ({"organization": "Prod"}, "is no name for Quay")],
)
def test_a_name_that_is_none_costs_no_call(ask: Ask, quay: SandboxQuay, options: dict[str, Any], said: str) -> None:
    assert said in ask(quay_application, **{"organization": "prod", "name": "ci", **options})["msg"]
    assert quay.requests == []


@pytest.mark.parametrize(("name", "said"), [("gone", "no organization or user gone"), ("alice", "there is no organization alice")])
def test_an_organization_that_does_not_exist(ask: Ask, quay: SandboxQuay, name: str, said: str) -> None:
    assert said in ask(quay_application, organization=name, name="ci")["msg"]
    assert not ask(quay_application, organization=name, name="ci", state="absent")["changed"]


def test_a_name_that_quay_keeps_for_itself(ask: Ask) -> None:
    assert "Application name is reserved" in ask(quay_application, organization="prod", name="__quay_bootstrap_app")["msg"]


def test_others_may_not(ask: Ask, quay: SandboxQuay) -> None:
    told = ask(quay_application, organization="prod", name="ci", quay_token=quay.token("alice"))
    assert "may not do this" in told["msg"]


def test_a_lost_answer_makes_no_second_application(ask: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("POST", "/applications", "drop_connection", after_effect=True))
    made = ask(quay_application, organization="prod", name="ci", show_secret=True, retries=2)
    [there] = applications(quay)
    assert (made["client_id"], made["client_secret"]) == (there.client_id, there.client_secret)
    assert quay.count(method="POST") == 1
