# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notifications in the sandbox Quay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay
from ansible_collections.quayside.airgap.tests.unit.sandbox.quay_calls import Caller

PATH = "/repository/prod/app/notification/"
HOOK = {"event": "repo_push", "method": "webhook", "config": {"url": "http://127.0.0.2:18999/hook"}, "eventConfig": {}}
MAIL = {**HOOK, "method": "email", "config": {"email": "a@example.com"}}


def filled(quay: SandboxQuay) -> SandboxQuay:
    """With an organization that has two repositories."""
    quay.add_user("quayadmin", superuser=True)
    quay.add_user("alice")
    quay.add_organization("prod", owner="quayadmin")
    quay.add_organization("other")
    quay.add_repository("prod/app", creator="quayadmin")
    quay.add_repository("prod/web", creator="quayadmin")
    return quay


@pytest.fixture
def quay() -> Iterator[SandboxQuay]:
    with SandboxQuay() as server:
        yield filled(server)


@pytest.fixture
def admin(quay: SandboxQuay) -> Caller:
    return Caller(quay)


def test_a_notification_lives_and_ends(admin: Caller) -> None:
    status, made = admin("POST", PATH, {**HOOK, "title": "hook"})
    uuid = made["uuid"]
    assert (status, made["title"], made["event_config"], made["number_of_failures"]) == (201, "hook", {}, 0)
    assert admin("GET", PATH + uuid) == (200, made)
    assert admin("GET", PATH) == (200, {"notifications": [made]})
    assert admin("DELETE", PATH + uuid) == (204, None)
    assert admin("DELETE", PATH + uuid) == (400, f"No repository notification found for: prod, app, {uuid}")
    assert admin("GET", PATH + uuid) == (404, "Not Found")


def test_the_same_may_be_there_twice(admin: Caller) -> None:
    for _again in range(2):
        assert admin("POST", PATH, HOOK)[0] == 201
    assert [found["title"] for found in admin("GET", PATH)[1]["notifications"]] == [None, None]


def test_tests_and_failures(quay: SandboxQuay, admin: Caller) -> None:
    uuid = admin("POST", PATH, HOOK)[1]["uuid"]
    assert admin("POST", f"{PATH}{uuid}/test", {}) == (200, {})
    assert quay.world.extra["tested_notifications"] == [uuid]
    quay.world.repositories["prod/app"].extra["notifications"][0]["number_of_failures"] = 3
    elsewhere = f"/repository/prod/web/notification/{uuid}"
    assert admin("POST", elsewhere, {}) == (400, f"No repository notification found with uuid: {uuid}")
    assert admin("POST", PATH + uuid, {}) == (204, None)
    assert admin("GET", elsewhere)[1]["number_of_failures"] == 0
    for path in ("none", "none/test"):
        assert admin("POST", PATH + path, {}) == (400, "No repository notification found for: prod, app, none")


@pytest.mark.parametrize(
    ("method", "config", "said"),
    [
        ("webhook", {}, "Missing webhook URL"),
        ("webhook", {"url": "ftp://x.example.com"}, "Invalid webhook URL"),
        ("webhook", {"url": "http://localhost/x"}, "Invalid webhook URL"),
        ("webhook", {"url": "http://x.example.com", "template": "{"}, "Could not parse template: Expecting property name"),
        ("slack", {}, "Missing Slack Callback URL"),
        ("hipchat", {"room_id": "1"}, "Missing Hipchat Room Notification Token"),
        ("flowdock", {}, "Missing Flowdock API Token"),
        ("email", {}, "Missing e-mail address"),
        ("quay_notification", {}, "Missing target"),
        ("quay_notification", {"target": {"kind": "user", "name": "ghost"}}, "Unknown user ghost"),
        ("quay_notification", {"target": {"kind": "team", "name": "ghost"}}, "Unknown team ghost"),
    ],
)
def test_what_methods_need(admin: Caller, method: str, config: dict[str, Any], said: str) -> None:
    status, text = admin("POST", PATH, {**HOOK, "method": method, "config": config})
    assert (status, text[: len(said)]) == (400, said)


@pytest.mark.parametrize(
    "odd",
    [
        {"event": "push"},
        {"method": "carrier_pigeon"},
        {"config": {"url": "http:///x"}},
        {"method": "quay_notification", "config": {"target": {"kind": "org", "name": "other"}}},
    ],
)
def test_what_breaks_quay(admin: Caller, odd: dict[str, Any]) -> None:
    assert admin("POST", PATH, {**HOOK, **odd}) == (500, None)


def test_a_missing_repository_has_an_empty_list(admin: Caller) -> None:
    missing = "/repository/prod/ghost/notification/"
    assert admin("GET", missing) == (200, {"notifications": []})
    assert admin("POST", missing, HOOK) == (500, None)


def test_an_address_must_agree_first(admin: Caller) -> None:
    said = "The specified e-mail address is not authorized to receive notifications for this repository"
    assert admin("POST", PATH, MAIL) == (400, said)
    # without FEATURE_MAILING nobody can be asked
    assert admin("POST", "/repository/prod/app/authorizedemail/a@example.com")[0] == 405


def test_an_address_that_agreed() -> None:
    with SandboxQuay(QuayOptions(features={"MAILING": True})) as quay:
        admin = Caller(filled(quay))
        path = "/repository/prod/app/authorizedemail/a@example.com"
        assert admin("GET", path)[0] == 404
        assert admin("POST", path)[1]["confirmed"] is False
        assert admin("POST", PATH, MAIL)[0] == 400
        quay.world.repositories["prod/app"].extra["authorized_emails"]["a@example.com"] = True
        assert admin("GET", path)[1]["confirmed"] is True
        assert admin("POST", PATH, MAIL)[0] == 201


def test_events_come_with_versions() -> None:
    with SandboxQuay(QuayOptions(version="3.8")) as quay:
        admin = Caller(filled(quay))
        assert admin("POST", PATH, {**HOOK, "event": "repo_image_expiry", "eventConfig": {"days": 5}}) == (500, None)
        assert admin("POST", PATH, {**HOOK, "event": "vulnerability_found", "eventConfig": {"level": "High"}})[0] == 201


def test_only_who_administers_the_repository(quay: SandboxQuay) -> None:
    assert Caller(quay, "alice")("GET", PATH) == (403, "Unauthorized")
    assert Caller(quay, "quayadmin", "repo:write")("GET", PATH) == (403, "Unauthorized")
    assert Caller(quay, "quayadmin", "repo:admin")("GET", PATH)[0] == 200
