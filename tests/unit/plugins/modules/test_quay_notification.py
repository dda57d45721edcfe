# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_notification against a sandbox Quay."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.modules import quay_notification
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay

Ask = Callable[..., dict[str, Any]]
HOOK = {"event": "repo_push", "method": "webhook", "config": {"url": "https://93.184.216.34/hook?key=s3cret-word"}}


@pytest.fixture
def notify(quay: SandboxQuay, ask: Ask) -> Ask:
    """The module for a repository."""
    quay.add_organization("prod", owner="quayadmin")
    quay.add_repository("prod/app", creator="quayadmin")
    return lambda **options: ask(quay_notification, **{"repository": "prod/app", **options})


def test_a_notification_is_made_once(notify: Ask, quay: SandboxQuay) -> None:
    made = notify(**HOOK, title="pushes")
    assert made["objects"] == [{"kind": "notification", "name": "prod/app pushes", "state": "created"}]
    assert "s3cret-word" not in str(made)
    quay.reset_log()
    assert not notify(**HOOK, title="pushes")["changed"]
    assert quay.api_calls == 1


@pytest.mark.parametrize(
    "options",
    [
        HOOK,
        {"event": "repo_push", "method": "webhook", "config": {"url": "https://93.184.216.34/", "template": '{"a":   1}'}},
        {"event": "repo_push", "method": "slack", "config": {"url": "https://hooks.slack.com/services/x"}},
        {"event": "repo_push", "method": "quay_notification", "config": {"name": "alice"}},
        {**HOOK, "event": "vulnerability_found", "vulnerability_level": "high"},
        {**HOOK, "event": "repo_image_expiry"},
    ],
)
def test_without_a_title_it_is_known_by_what_it_does(notify: Ask, options: dict[str, Any]) -> None:
    assert notify(**options)["changed"]
    assert not notify(**options)["changed"]
    assert notify(**options, state="absent")["changed"]
    assert not notify(**options, state="absent")["changed"]


def test_one_that_differs_is_replaced(notify: Ask, quay: SandboxQuay) -> None:
    notify(**HOOK, title="pushes")
    quay.reset_log()
    slack = {**HOOK, "method": "slack", "config": {"url": "https://hooks.slack.com/services/s3cret-word"}}
    replaced = notify(**slack, title="pushes")
    assert replaced["objects"][0]["fields"] == ["config", "method"]
    assert "s3cret-word" not in str(replaced)
    assert [request.method for request in quay.api_writes] == ["POST", "DELETE"]
    assert not notify(**slack, title="pushes")["changed"]


def test_a_refused_one_leaves_the_former(notify: Ask) -> None:
    notify(**HOOK, title="pushes")
    quay_itself = {**HOOK, "method": "email", "config": {"email": "nobody@example.com"}}
    assert "must agree first" in notify(**quay_itself, title="pushes")["msg"]
    assert not notify(**HOOK, title="pushes")["changed"]


@pytest.mark.parametrize("lost", ["POST", "DELETE"])
def test_an_answer_that_got_lost(notify: Ask, quay: SandboxQuay, lost: str) -> None:
    notify(**HOOK, title="pushes")
    quay.faults.append(Fault(lost, "/notification/", "drop_connection", after_effect=True))
    assert notify(**{**HOOK, "event": "repo_mirror_sync_failed"}, title="pushes", retries=2)["changed"]
    assert notify(search_string="pushes", state="absent")["totals"] == {"deleted": 1, "unchanged": 0}


def test_titles_are_searched(notify: Ask) -> None:
    for title in ("test 1", "test 2", "other"):
        notify(**HOOK, title=title)
    assert notify(regexp="^test [0-9]", test=True)["changed"]
    assert not notify(regexp="^test [0-9]", reset_failcount=True)["changed"]
    assert notify(regexp="^test [0-9]", state="absent")["totals"] == {"deleted": 2, "unchanged": 0}
    assert notify(event="repo_push", state="absent")["totals"] == {"deleted": 1, "unchanged": 0}


def test_check_mode_writes_nothing(notify: Ask, quay: SandboxQuay) -> None:
    quay.refuse_writes = True
    assert notify(**HOOK, test=True, check=True)["changed"]
    assert quay.refused == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"config": {}}, "config lacks url"),
        ({"config": {"url": "ftp://example.com"}}, "http:// or https://"),
        ({"config": {"url": "http://localhost/x"}}, "refuses as its own machine"),
        ({"config": {"url": "https://example.com", "email": "a@example.com"}}, "does not have"),
        ({"method": None}, "method is missing"),
        ({"event": "repo_image_expiry", "image_expiry_days": 0}, "must be 1 or more"),
        ({"regexp": "(["}, "is no regular expression"),
        ({"event": "pull"}, "must be one of"),
    ],
)
def test_wrong_values_are_refused_before_any_call(notify: Ask, quay: SandboxQuay, options: dict[str, Any], why: str) -> None:
    assert why in notify(**{**HOOK, **options})["msg"]
    assert not quay.requests


def test_only_the_own_organization_can_be_told(notify: Ask) -> None:
    told = {"event": "repo_push", "method": "quay_notification"}
    assert notify(**told, config={"type": "org", "name": "prod"})["changed"]
    assert "can notify its own organization alone, not other" in notify(**told, config={"type": "org", "name": "other"})["msg"]


def test_nothing_is_deleted_without_saying_which(notify: Ask) -> None:
    assert "nothing says which" in notify(state="absent")["msg"]


def test_a_missing_repository(notify: Ask) -> None:
    assert "the repository prod/ghost does not exist" in notify(**HOOK, repository="prod/ghost")["msg"]
