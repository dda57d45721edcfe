# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_quota against a sandbox Quay."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayOptions as ClientOptions
from ansible_collections.quayside.airgap.plugins.modules import quay_quota
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def prod(quay: SandboxQuay, ask: Ask) -> Ask:
    """The module for an organization."""
    quay.add_organization("prod", owner="quayadmin")
    return lambda **options: ask(quay_quota, organization="prod", **options)


def test_a_quota_is_set_once(prod: Ask, quay: SandboxQuay) -> None:
    made = prod(quota="1024MiB", warning_pct=80, reject_pct=100)
    assert made["diff"]["after"] == {"quota prod": {"quota": "1GiB", "warning_pct": 80, "reject_pct": 100}}
    quay.reset_log()
    assert not prod(quota="1GiB", warning_pct=80, reject_pct=100)["changed"]
    assert [request.path for request in quay.requests if request.auth == "bearer"] == ["/api/v1/organization/prod"]


def test_only_what_differs_is_changed(prod: Ask) -> None:
    prod(quota="1GiB", warning_pct=80)
    changed = prod(quota="2GiB", warning_pct=70, reject_pct=100)
    assert changed["objects"][0]["fields"] == ["quota", "reject_pct", "warning_pct"]
    assert prod(warning_pct=0)["changed"]
    assert not prod(quota="2GiB", warning_pct=0, reject_pct=100)["changed"]


def test_further_limits_of_a_type_go(prod: Ask, quay: SandboxQuay) -> None:
    prod(quota="1GiB", reject_pct=95)
    with QuayClient(ClientOptions(quay.url, token=quay.token("quayadmin"))) as client:
        number = client.get(at("organization", "prod", "quota"), "read the quota")[0]["id"]
        for percent in (90, 100):
            body = {"type": "Reject", "threshold_percent": percent}
            client.post(at("organization", "prod", "quota", str(number), "limit"), body, "add a limit")
    assert prod(reject_pct=95)["changed"]
    assert not prod(reject_pct=95)["changed"]


def test_without_full_access_superusers_have_another_way(play: Ask) -> None:
    with SandboxQuay(QuayOptions(features={"SUPERUSERS_FULL_ACCESS": False})) as quay:
        quay.add_user("quayadmin", "password1", superuser=True)
        quay.add_user("alice", "wonderland")
        quay.add_organization("prod", owner="alice")
        options = {"quay_host": quay.url, "quay_token": quay.token("quayadmin"), "organization": "prod", "quota": "1GiB"}
        assert play(quay_quota, **options)["changed"]
        assert not play(quay_quota, **options)["changed"]
        assert {request.path for request in quay.api_writes} == {"/api/v1/superuser/organization/prod/quota"}
        assert "FEATURE_SUPERUSERS_FULL_ACCESS: true" in play(quay_quota, **options, warning_pct=80)["msg"]
        assert play(quay_quota, **options, state="absent")["changed"]
        assert "leave reject_pct away" in play(quay_quota, **options, reject_pct=80)["msg"]
        assert not play(quay_quota, **options)["changed"]


def test_users_have_quotas(ask: Ask) -> None:
    assert ask(quay_quota, user="alice", quota="5GB")["objects"][0]["kind"] == "user_quota"
    assert not ask(quay_quota, user="alice", quota="5000000000")["changed"]
    assert ask(quay_quota, user="alice", state="absent")["changed"]
    assert not ask(quay_quota, user="alice", state="absent")["changed"]
    assert "only for organizations" in ask(quay_quota, user="alice", quota="5GB", reject_pct=100)["msg"]


def test_deleting(prod: Ask) -> None:
    prod(quota="1GiB", warning_pct=80)
    assert prod(state="absent")["objects"][0]["state"] == "deleted"
    assert not prod(state="absent")["changed"]


def test_check_mode_writes_nothing(prod: Ask, quay: SandboxQuay) -> None:
    quay.refuse_writes = True
    assert prod(quota="1GiB", warning_pct=80, check=True)["changed"]
    assert quay.refused == []


def test_an_answer_that_got_lost(prod: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("POST", "/quota$", "drop_connection", after_effect=True))
    assert prod(quota="1GiB", warning_pct=80, retries=2)["changed"]
    assert not prod(quota="1GiB", warning_pct=80)["changed"]


@pytest.mark.parametrize(
    ("options", "why"),
    [({"quota": "lots"}, "is no size"), ({"quota": "0"}, "is no quota"), ({"quota": "1GiB", "warning_pct": 101}, "is no percentage")],
)
def test_wrong_values_are_refused_before_any_call(prod: Ask, quay: SandboxQuay, options: dict[str, Any], why: str) -> None:
    assert why in prod(**options)["msg"]
    assert not quay.requests


def test_limits_need_a_quota(prod: Ask) -> None:
    assert "prod has no quota yet" in prod(warning_pct=80)["msg"]


def test_a_missing_organization(ask: Ask) -> None:
    assert "there is no organization or user ghost" in ask(quay_quota, organization="ghost", quota="1GiB")["msg"]
