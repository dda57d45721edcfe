# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_immutability against a sandbox Quay."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.modules import quay_immutability
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def fixed(quay: SandboxQuay, ask: Ask) -> Ask:
    """The module, with an organization and a repository."""
    quay.add_organization("prod", owner="quayadmin")
    quay.add_repository("prod/app", creator="quayadmin")
    return lambda **options: ask(quay_immutability, **{"tag_pattern": "^v[0-9]+", **options})


@pytest.mark.parametrize("where", [{"namespace": "prod"}, {"repository": "prod/app"}])
def test_a_policy_comes_changes_and_goes_once(fixed: Ask, where: dict[str, str]) -> None:
    assert fixed(**where)["objects"][0]["state"] == "created"
    assert not fixed(**where, behavior="matching_immutable")["changed"]
    assert fixed(**where, behavior="not_matching_immutable")["objects"][0]["fields"] == ["behavior"]
    assert not fixed(**where, behavior="not_matching_immutable")["changed"]
    assert not fixed(**where, tag_pattern=" ^v[0-9]+ ")["changed"]
    assert fixed(**where, state="absent")["changed"]
    assert not fixed(**where, state="absent")["changed"]


def test_another_pattern_keeps_the_behavior(fixed: Ask) -> None:
    fixed(namespace="prod", behavior="not_matching_immutable")
    assert fixed(namespace="prod", new_tag_pattern="^r[0-9]+")["objects"][0]["state"] == "updated"
    assert not fixed(namespace="prod", new_tag_pattern="^r[0-9]+")["changed"]
    assert not fixed(namespace="prod", tag_pattern="^r[0-9]+", behavior="not_matching_immutable")["changed"]


def test_check_mode_writes_nothing(fixed: Ask, quay: SandboxQuay) -> None:
    quay.refuse_writes = True
    assert fixed(namespace="prod", check=True)["changed"]
    assert quay.refused == []


def test_an_answer_that_got_lost(fixed: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("POST", "/immutabilitypolicy/$", "drop_connection", after_effect=True))
    assert fixed(namespace="prod", retries=2)["changed"]
    assert not fixed(namespace="prod")["changed"]


@pytest.mark.parametrize(("pattern", "why"), [("([", "is no regular expression"), ("", "it is empty"), (" ", "it is empty")])
def test_wrong_patterns_are_refused_before_any_call(fixed: Ask, quay: SandboxQuay, pattern: str, why: str) -> None:
    assert why in fixed(namespace="prod", tag_pattern=pattern)["msg"]
    assert why in fixed(namespace="prod", new_tag_pattern=pattern)["msg"]
    assert not quay.requests


def test_missing_places(fixed: Ask) -> None:
    assert "there is no organization or user ghost" in fixed(namespace="ghost")["msg"]
    assert "the repository prod/ghost does not exist" in fixed(repository="prod/ghost")["msg"]


def test_a_quay_that_is_too_old_gets_no_request_below_the_repository(play: Ask) -> None:
    with SandboxQuay(QuayOptions(version="3.15")) as quay:
        quay.add_user("quayadmin", "password1", superuser=True)
        quay.add_organization("prod", owner="quayadmin")
        quay.add_repository("prod/app", creator="quayadmin")
        options = {"quay_host": quay.url, "quay_token": quay.token("quayadmin"), "repository": "prod/app", "tag_pattern": "^v"}
        assert "Quay 3.17 and later" in play(quay_immutability, **options)["msg"]
        assert not [request for request in quay.requests if "immutabilitypolicy" in request.path]
