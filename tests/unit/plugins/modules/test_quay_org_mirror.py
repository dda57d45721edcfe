# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_org_mirror against a sandbox Quay."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.modules import quay_org_mirror
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.org_mirror import discovered
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay

Ask = Callable[..., dict[str, Any]]
WHOLE = {
    "external_registry_type": "quay",
    "external_registry_url": "https://127.0.0.1:5000",
    "external_namespace": "projectquay",
    "robot_username": "prod+sync",
}


@pytest.fixture
def mirror(quay: SandboxQuay, ask: Ask) -> Ask:
    """The module for an organization with a robot."""
    quay.add_organization("prod", owner="quayadmin")
    quay.add_robot("prod+sync")
    return lambda **options: ask(quay_org_mirror, **{"organization": "prod", **options})


def test_a_mirror_is_made_once(mirror: Ask, quay: SandboxQuay) -> None:
    made = mirror(**WHOLE, sync_interval="1h", repository_filters=["web*", "api"])
    assert made["objects"] == [{"kind": "organization_mirror", "name": "prod", "state": "created"}]
    assert made["sync_status"] == "NEVER_RUN"
    quay.reset_log()
    again = mirror(**WHOLE, sync_interval="60m", repository_filters=["api", "web*"], visibility="public", is_enabled=True)
    assert (again["changed"], quay.api_calls, quay.api_writes) == (False, 1, [])


def test_only_what_differs_is_changed(mirror: Ask) -> None:
    mirror(**WHOLE)
    changed = mirror(sync_interval="2h", visibility="private", no_proxy=".example.com")
    assert changed["objects"][0]["fields"] == ["no_proxy", "sync_interval", "visibility"]
    assert not mirror(sync_interval="2h", visibility="private", no_proxy=".example.com", robot_username="sync")["changed"]
    assert "which Quay cannot change" in mirror(external_registry_type="harbor")["msg"]


def test_credentials(mirror: Ask) -> None:
    login = {"external_registry_username": "bob", "external_registry_password": "s3cret-word"}
    assert "s3cret-word" not in str(mirror(**WHOLE, **login)["diff"])
    assert not mirror(**login)["changed"]
    assert mirror(**login, update_credentials="always")["changed"]


def test_synchronizing_and_verifying(mirror: Ask, quay: SandboxQuay) -> None:
    mirror(**WHOLE)
    assert mirror(force_sync=True)["sync_status"] == "SYNC_NOW"
    assert not mirror(force_sync=True)["changed"]
    assert mirror(cancel_sync=True)["changed"]
    assert not mirror(cancel_sync=True)["changed"]
    assert not mirror(verify=True)["changed"]
    quay.world.extra["unreachable"] = {"https://127.0.0.1:5000": "No route"}
    failed = mirror(verify=True)["msg"]
    assert "let Quay connect to https://127.0.0.1:5000" in failed
    assert "No route" in failed


@pytest.mark.parametrize(("status", "cancelled"), [("SYNC_NOW", True), ("SYNCING", True), ("FAIL", False)])
def test_repositories_that_are_still_to_come(mirror: Ask, quay: SandboxQuay, status: str, cancelled: bool) -> None:
    mirror(**WHOLE)
    discovered(quay.world, quay.world.organizations["prod"], "web", status)
    started = mirror(force_sync=True)
    assert (started["changed"], started["sync_status"], started["repositories"][status]) == (False, "SUCCESS", 1)
    assert mirror(cancel_sync=True)["changed"] is cancelled


def test_an_organization_with_repositories_of_its_own(mirror: Ask, quay: SandboxQuay) -> None:
    quay.add_repository("prod/app")
    assert "requires an empty organization" in mirror(**WHOLE)["msg"]


def test_deleting(mirror: Ask) -> None:
    mirror(**WHOLE)
    assert mirror(state="absent")["objects"][0]["state"] == "deleted"
    assert not mirror(state="absent")["changed"]


def test_check_mode_writes_nothing(mirror: Ask, quay: SandboxQuay) -> None:
    quay.refuse_writes = True
    assert mirror(**WHOLE, verify=True, check=True)["changed"]
    assert quay.refused == []


def test_an_answer_that_got_lost(mirror: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("POST", "/mirror$", "drop_connection", after_effect=True))
    assert mirror(**WHOLE, retries=2)["changed"]
    assert not mirror(**WHOLE)["changed"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"external_registry_url": "quay.io"}, "with its scheme"),
        ({"external_registry_url": "https://bob:word@quay.io"}, "holds a user or password"),
        ({"robot_username": "other+sync"}, "needs a robot of prod"),
        ({"sync_interval": "59"}, "is too short"),
        ({"skopeo_timeout": "2h"}, "30s to 1h"),
    ],
)
def test_wrong_values_are_refused_before_any_call(mirror: Ask, quay: SandboxQuay, options: dict[str, Any], why: str) -> None:
    assert why in mirror(**{**WHOLE, **options})["msg"]
    assert not quay.requests


def test_what_a_new_mirror_needs(mirror: Ask) -> None:
    assert "needs external_registry_type" in mirror(sync_interval="1h")["msg"]
    assert "Set verify_tls: false" in mirror(**{**WHOLE, "external_registry_url": "http://127.0.0.1:5000"})["msg"]


def test_a_missing_organization(mirror: Ask) -> None:
    assert "there is no organization or user ghost" in mirror(organization="ghost", **{**WHOLE, "robot_username": "sync"})["msg"]


def test_a_quay_that_is_too_old(play: Ask) -> None:
    with SandboxQuay(QuayOptions(version="3.15")) as quay:
        quay.add_user("quayadmin", "password1", superuser=True)
        quay.add_organization("prod", owner="quayadmin")
        quay.add_robot("prod+sync")
        options = {"quay_host": quay.url, "quay_token": quay.token("quayadmin"), "organization": "prod"}
        assert "Quay 3.17 and later" in play(quay_org_mirror, **options, **WHOLE)["msg"]
        assert not play(quay_org_mirror, **options, state="absent")["changed"]
