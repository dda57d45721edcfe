# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_message against a sandbox Quay."""

from __future__ import annotations

from typing import Any, Callable

import pytest
import requests

from ansible_collections.quayside.airgap.plugins.modules import quay_message
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay

Ask = Callable[..., dict[str, Any]]

SUNDAY = "Maintenance on Sunday"


@pytest.fixture
def message(ask: Ask) -> Ask:
    """The module."""
    return lambda **options: ask(quay_message, **options)


def shown(quay: SandboxQuay) -> list[tuple[str, str, str]]:
    """Severity, format and text of each message, as a browser gets them."""
    found = requests.get(f"{quay.url}/api/v1/messages", timeout=10).json()["messages"]
    return sorted((entry["severity"], entry["media_type"].partition("/")[2], entry["content"]) for entry in found)


def post(quay: SandboxQuay, content: str, severity: str = "info", media_type: str = "text/plain") -> None:
    headers = {"Authorization": f"Bearer {quay.token('quayadmin')}"}
    body = {"message": {"content": content, "severity": severity, "media_type": media_type}}
    assert requests.post(f"{quay.url}/api/v1/messages", json=body, headers=headers, timeout=10).status_code == 201


def test_a_message_is_written_once(message: Ask, quay: SandboxQuay) -> None:
    made = message(content=SUNDAY, severity="warning")
    assert made["objects"] == [{"kind": "message", "name": f"warning: {SUNDAY}", "state": "created"}]
    assert made["diff"]["after"] == {f"message warning: {SUNDAY}": {"content": SUNDAY, "severity": "warning", "format": "plain"}}
    assert shown(quay) == [("warning", "plain", SUNDAY)]
    quay.reset_log()
    assert not message(content=SUNDAY, severity="warning", format="plain")["changed"]
    assert not message(content=SUNDAY)["changed"]
    assert [request.method for request in quay.requests] == ["GET", "GET"]


def test_another_severity_or_format_replaces_it(message: Ask, quay: SandboxQuay) -> None:
    message(content=SUNDAY)
    changed = message(content=SUNDAY, severity="error")
    assert [entry["state"] for entry in changed["objects"]] == ["created", "deleted"]
    assert shown(quay) == [("error", "plain", SUNDAY)]
    message(content=SUNDAY, media_type="markdown")
    assert shown(quay) == [("error", "markdown", SUNDAY)]


@pytest.mark.parametrize("search", [{"search_string": "6 to 8"}, {"regexp": r"^Main\w+ from 6"}])
def test_a_message_is_found_by_a_part_of_its_text(message: Ask, quay: SandboxQuay, search: dict[str, str]) -> None:
    post(quay, "Maintenance from 6 to 8", "warning", "text/markdown")
    post(quay, "Something else")
    wanted = {**search, "content": "Maintenance from 6 to 8 or longer"}
    assert message(**wanted)["changed"]
    assert shown(quay) == [("info", "plain", "Something else"), ("warning", "markdown", "Maintenance from 6 to 8 or longer")]
    assert not message(**wanted)["changed"]
    assert message(**search, severity="error")["changed"]
    assert shown(quay)[0] == ("error", "markdown", "Maintenance from 6 to 8 or longer")


def test_one_message_is_left_of_several(message: Ask, quay: SandboxQuay) -> None:
    for text in ("one", "two", "three"):
        post(quay, f"News: {text}", "error" if text == "two" else "info")
    assert message(search_string="News", severity="error")["totals"] == {"deleted": 2, "unchanged": 1}
    assert shown(quay) == [("error", "plain", "News: two")]
    assert message(search_string="News", content="No news")["changed"]
    assert shown(quay) == [("error", "plain", "No news")]


def test_copies_of_a_message_go(message: Ask, quay: SandboxQuay) -> None:
    for _copy in range(3):
        post(quay, SUNDAY)
    changed = message(content=SUNDAY)
    assert changed["objects"] == [{"kind": "message", "name": f"info: {SUNDAY}", "state": "updated", "fields": ["copies"]}]
    assert (changed["diff"]["before"][f"message info: {SUNDAY}"]["copies"], len(shown(quay))) == (3, 1)
    assert not message(content=SUNDAY)["changed"]
    post(quay, SUNDAY)
    changed = message(content=SUNDAY, severity="error")
    assert changed["diff"]["after"][f"message error: {SUNDAY}"] == {"content": SUNDAY, "severity": "error", "format": "plain"}
    assert shown(quay) == [("error", "plain", SUNDAY)]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"content": SUNDAY}, [("info", "plain", "Hello")]),
        ({"content": SUNDAY, "severity": "warning"}, [("error", "plain", SUNDAY), ("info", "plain", "Hello")]),
        ({"content": SUNDAY, "format": "markdown"}, [("error", "plain", SUNDAY), ("info", "plain", "Hello")]),
        ({"search_severity": "error"}, [("info", "plain", "Hello"), ("warning", "markdown", SUNDAY)]),
        ({"search_string": "unday", "search_severity": "error"}, [("info", "plain", "Hello"), ("warning", "markdown", SUNDAY)]),
        ({"regexp": "H.l"}, [("error", "plain", SUNDAY), ("warning", "markdown", SUNDAY)]),
    ],
)
def test_deleting(message: Ask, quay: SandboxQuay, options: dict[str, str], left: list[tuple[str, str, str]]) -> None:
    post(quay, "Hello")
    post(quay, SUNDAY, "error")
    post(quay, SUNDAY, "error")
    post(quay, SUNDAY, "warning", "text/markdown")
    assert message(**options, state="absent")["changed"]
    assert sorted(set(shown(quay))) == left
    assert not message(**options, state="absent")["changed"]


def test_check_mode_foretells_and_writes_nothing(message: Ask, quay: SandboxQuay) -> None:
    post(quay, SUNDAY)
    quay.refuse_writes = True
    foretold = message(content=SUNDAY, severity="error", check=True)
    assert quay.refused == []
    quay.refuse_writes = False
    made = message(content=SUNDAY, severity="error")
    assert (foretold["changed"], foretold["objects"], foretold["diff"]) == (True, made["objects"], made["diff"])


def test_long_messages_have_short_names_that_differ(message: Ask) -> None:
    first, second = (message(content=f"{SUNDAY}: {'blah ' * 40}{ending}\n")["objects"][0]["name"] for ending in "ab")
    assert first != second
    assert max(len(first), len(second)) < 80
    assert "\n" not in first
    first, second = (message(content=text)["objects"][0]["name"] for text in ("a b", "a  b"))
    assert first != second


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "nothing says which message is meant"),
        ({"severity": "info", "state": "absent"}, "nothing says which message is meant"),
        ({"content": "", "state": "absent"}, "nothing says which message is meant"),
        ({"regexp": "("}, "'(' is no regular expression"),
        ({"regexp": "a", "search_string": "a"}, "mutually exclusive"),
        ({"content": "a", "severity": "fatal"}, "must be one of"),
    ],
)
def test_wrong_options_cost_no_call(message: Ask, quay: SandboxQuay, options: dict[str, str], text: str) -> None:
    assert text in message(**options)["msg"]
    assert quay.requests == []


def test_a_search_that_finds_nothing_needs_a_text(message: Ask, quay: SandboxQuay) -> None:
    assert "there is no text for a new one" in message(search_string=SUNDAY)["msg"]
    assert message(search_string=SUNDAY, content="Hello")["changed"]
    assert shown(quay) == [("info", "plain", "Hello")]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_only_superusers_write(message: Ask, quay: SandboxQuay, state: str) -> None:
    post(quay, SUNDAY)
    for token in (quay.token("alice"), quay.token("quayadmin", "org:admin")):
        told = message(
            content=SUNDAY, search_severity="info", severity="info" if state == "absent" else "error", state=state, quay_token=token
        )
        assert "only a superuser may, with a token that has the scope super:user" in told["msg"]
    assert shown(quay) == [("info", "plain", SUNDAY)]
    assert "the token was not accepted" in message(content="Hello", quay_token="no-such-token")["msg"]


def test_a_lost_answer_does_not_write_it_twice(message: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("POST", "/messages", "drop_connection", after_effect=True))
    assert message(content=SUNDAY, retries=2)["changed"]
    assert len(shown(quay)) == 1
