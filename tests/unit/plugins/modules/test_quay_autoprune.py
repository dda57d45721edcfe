# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_autoprune against a sandbox Quay."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayOptions as ClientOptions
from ansible_collections.quayside.airgap.plugins.modules import quay_autoprune
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def prune(quay: SandboxQuay, ask: Ask) -> Ask:
    """The module, with an organization and a repository."""
    quay.add_organization("prod", owner="quayadmin")
    quay.add_repository("prod/app", creator="quayadmin")
    return lambda **options: ask(quay_autoprune, **options)


@pytest.mark.parametrize("where", [{"namespace": "prod"}, {"repository": "prod/app"}, {"namespace": "quayadmin"}])
def test_a_policy_comes_and_goes_once(prune: Ask, where: dict[str, str]) -> None:
    policy = {"method": "date", "value": "14d", "tag_pattern": "^dev-", "tag_pattern_matches": False}
    made = prune(**where, **policy)
    assert made["objects"][0]["name"].endswith("date 2w tags not like ^dev-")
    assert not prune(**where, **{**policy, "value": "2w"})["changed"]
    assert prune(**where, **policy, state="absent")["changed"]
    assert not prune(**where, **policy, state="absent")["changed"]


def test_policies_are_added_or_become_the_only_one(prune: Ask, quay: SandboxQuay) -> None:
    prune(namespace="prod", method="tags", value="10")
    assert prune(namespace="prod", method="tags", value="20")["totals"] == {"created": 1, "unchanged": 0}
    assert not prune(namespace="prod", method="tags", value="10")["changed"]
    only = prune(namespace="prod", method="date", value="7d", append=False)
    assert only["totals"] == {"created": 1, "deleted": 2, "unchanged": 0}
    quay.reset_log()
    assert not prune(namespace="prod", method="date", value="1w", append=False)["changed"]
    assert quay.api_writes == []


def test_check_mode_writes_nothing(prune: Ask, quay: SandboxQuay) -> None:
    quay.refuse_writes = True
    assert prune(namespace="prod", method="tags", value="10", check=True)["changed"]
    assert quay.refused == []


def test_an_answer_that_got_lost(prune: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("POST", "/autoprunepolicy/$", "drop_connection", after_effect=True))
    assert prune(namespace="prod", method="tags", value="10", retries=2)["changed"]
    assert not prune(namespace="prod", method="tags", value="10")["changed"]


@pytest.mark.parametrize("pattern", [" ^dev- ", r"\yfeature", "(?<name>a)"])
def test_patterns_of_the_database_are_taken_without_blanks(prune: Ask, pattern: str) -> None:
    assert prune(namespace="prod", method="tags", value="10", tag_pattern=pattern)["changed"]
    assert not prune(namespace="prod", method="tags", value="10", tag_pattern=pattern)["changed"]


def test_what_others_wrote_is_understood(prune: Ask, quay: SandboxQuay) -> None:
    with QuayClient(ClientOptions(quay.url, token=quay.token("quayadmin"))) as client:
        for value in ("2y", "-7d", " 14d"):
            client.post(f"{at('organization', 'prod')}/autoprunepolicy/", {"method": "creation_date", "value": value}, "add a policy")
    assert not prune(namespace="prod", method="date", value="730d")["changed"]
    assert not prune(namespace="prod", method="date", value="2w")["changed"]
    assert prune(namespace="prod", method="date", value="2w", append=False)["totals"] == {"deleted": 2, "unchanged": 1}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"method": "tags", "value": "0"}, "is no number of tags"),
        ({"method": "tags", "value": "7d"}, "is no number of tags"),
        ({"method": "date", "value": "7"}, "is no period"),
        ({"method": "date", "value": "soon"}, "is no period"),
        ({"method": "tags", "value": "7", "tag_pattern": "(["}, "is no regular expression"),
    ],
)
def test_wrong_values_are_refused_before_any_call(prune: Ask, quay: SandboxQuay, options: dict[str, Any], why: str) -> None:
    assert why in prune(namespace="prod", **options)["msg"]
    assert not quay.requests


def test_missing_places(prune: Ask) -> None:
    assert "there is no organization or user ghost" in prune(namespace="ghost", method="tags", value="10")["msg"]
    assert "the repository prod/ghost does not exist" in prune(repository="prod/ghost", method="tags", value="10")["msg"]


def test_without_the_feature(play: Ask) -> None:
    with SandboxQuay(QuayOptions(features={"AUTO_PRUNE": False})) as quay:
        quay.add_user("quayadmin", "password1", superuser=True)
        quay.add_organization("prod", owner="quayadmin")
        options = {"quay_host": quay.url, "quay_token": quay.token("quayadmin"), "namespace": "prod", "method": "tags", "value": "10"}
        assert "FEATURE_AUTO_PRUNE: true" in play(quay_autoprune, **options)["msg"]
        assert not play(quay_autoprune, **options, state="absent")["changed"]
