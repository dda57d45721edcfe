# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirrors of organizations in the sandbox Quay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.quayside.airgap.tests.sandbox.quay.org_mirror import discovered
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay
from ansible_collections.quayside.airgap.tests.unit.sandbox.quay_calls import Caller

PATH = "/organization/prod/mirror"
NEW = {
    "external_registry_type": "quay",
    "external_registry_url": "http://localhost:8091",
    "external_namespace": "upstream",
    "robot_username": "prod+sync",
    "visibility": "private",
    "sync_interval": 3600,
    "sync_start_date": "2026-01-01T00:00:00Z",
}


@pytest.fixture
def quay() -> Iterator[SandboxQuay]:
    """A Quay with an organization that has a robot and nothing else."""
    with SandboxQuay() as server:
        server.add_user("quayadmin", superuser=True)
        server.add_user("alice")
        server.add_organization("prod", owner="quayadmin")
        server.add_robot("prod+sync")
        server.add_organization("other")
        server.add_robot("other+sync")
        yield server


@pytest.fixture
def admin(quay: SandboxQuay) -> Caller:
    return Caller(quay)


@pytest.fixture
def mirrored(admin: Caller) -> Caller:
    """The same administrator, of an organization that is a mirror."""
    assert admin("POST", PATH, NEW) == (201, "")
    return admin


def test_a_mirror_lives_and_ends(admin: Caller) -> None:
    assert admin("GET", PATH) == (404, "Not Found")
    assert admin("POST", PATH, {**NEW, "external_registry_username": "bob", "external_registry_password": "word"}) == (201, "")
    assert admin("POST", PATH, NEW) == (400, "Mirror configuration already exists for this organization")
    view = admin("GET", PATH)[1]
    assert {name: view[name] for name in NEW} == NEW
    assert (view["external_registry_username"], view["has_external_registry_password"]) == ("bob", True)
    assert "external_registry_password" not in view
    assert admin("PUT", PATH, {"sync_interval": 7200, "external_registry_username": "", "external_registry_type": "harbor"}) == (200, "")
    view = admin("GET", PATH)[1]
    assert (view["sync_interval"], view["external_registry_username"], view["external_registry_type"]) == (7200, None, "quay")
    assert [admin("DELETE", PATH)[0] for _again in range(2)] == [204, 404]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"external_registry_type": "dockerhub"}, "'dockerhub' is not one of ['harbor', 'quay']"),
        ({"sync_interval": 59}, "59 is less than the minimum of 60"),
        ({"external_registry_url": "localhost:8091"}, "Invalid URL scheme 'localhost': only HTTP and HTTPS are allowed"),
        ({"external_registry_url": "https://10.0.0.1"}, "The provided registry URL is not allowed"),
        ({"robot_username": "prod+ghost"}, "Invalid robot account: prod+ghost"),
        ({"robot_username": "other+sync"}, "Robot account must belong to the organization"),
        ({"sync_start_date": "x"}, "Invalid sync_start_date format. Use ISO 8601: YYYY-MM-DDTHH:MM:SSZ"),
    ],
)
def test_what_a_mirror_must_not_be(admin: Caller, wrong: dict[str, Any], said: str) -> None:
    assert admin("POST", PATH, {**NEW, **wrong}) == (400, said)
    admin("POST", PATH, NEW)
    if "external_registry_type" not in wrong:
        assert admin("PUT", PATH, wrong) == (400, said)


def test_only_an_empty_organization_becomes_one(quay: SandboxQuay, admin: Caller) -> None:
    quay.add_repository("prod/app")
    assert "Organization mirroring requires an empty organization" in admin("POST", PATH, NEW)[1]
    assert admin("POST", "/organization/ghost/mirror", NEW) == (404, "Not Found")


def test_it_takes_no_repositories_but_those_it_finds(quay: SandboxQuay, mirrored: Caller) -> None:
    discovered(quay.world, quay.world.organizations["prod"], "app")
    assert quay.world.repositories["prod/app"].state == "ORG_MIRROR"
    new = {"repository": "mine", "namespace": "prod", "visibility": "private", "description": ""}
    assert mirrored("POST", "/repository", new)[0] == 400
    assert mirrored("PUT", "/repository/prod/app/changestate", {"state": "NORMAL"})[0] == 400
    assert mirrored("PUT", "/repository/prod/app/mirror", {"is_enabled": False}) == (
        400,
        "Repository mirror configuration cannot be managed when organization-level mirroring is configured",
    )
    mirrored("DELETE", PATH)
    assert quay.world.repositories["prod/app"].state == "NORMAL"


def test_what_was_found_is_listed(quay: SandboxQuay, mirrored: Caller) -> None:
    organization = quay.world.organizations["prod"]
    discovered(quay.world, organization, "web", "SYNC_NOW")
    discovered(quay.world, organization, "api", "FAIL", "Failed to list tags")
    counts = mirrored("GET", PATH)[1]["repo_sync_status_counts"]
    assert (counts["FAIL"], counts["SYNC_NOW"], counts["SUCCESS"]) == (1, 1, 0)
    listed = mirrored("GET", f"{PATH}/repositories", limit=1)[1]
    assert (listed["total"], listed["has_next"], listed["page"]) == (2, True, 1)
    assert [(row["name"], row["status_message"], row["quay_repository"]) for row in listed["repositories"]] == [
        ("api", "Failed to list tags", "prod/api")
    ]
    waiting = mirrored("GET", f"{PATH}/repositories", status="sync_now")[1]["repositories"]
    assert [(row["name"], row["quay_repository"]) for row in waiting] == [("web", None)]
    assert mirrored("GET", f"{PATH}/repositories", status="odd")[1].startswith("Invalid status filter 'odd'.")


def test_synchronizations(quay: SandboxQuay, mirrored: Caller) -> None:
    assert [mirrored("POST", f"{PATH}/sync-now")[0] for _again in range(2)] == [204, 204]
    quay.world.organizations["prod"].extra["org_mirror"]["sync_status"] = "SYNCING"
    assert mirrored("POST", f"{PATH}/sync-now") == (400, "Cannot trigger sync: discovery is currently in progress.")
    assert mirrored("POST", f"{PATH}/sync-cancel") == (204, None)
    assert mirrored("POST", f"{PATH}/sync-cancel") == (400, "Cannot cancel: mirror is already cancelled")
    discovered(quay.world, quay.world.organizations["prod"], "web", "SYNC_NOW")
    assert mirrored("POST", f"{PATH}/sync-now")[1].startswith("Cannot trigger sync: repositories are still syncing.")


def test_verifying(quay: SandboxQuay, mirrored: Caller) -> None:
    assert mirrored("POST", f"{PATH}/verify", {}) == (200, {"success": True, "message": "Connection successful"})
    quay.world.extra["unreachable"] = {NEW["external_registry_url"]: "Connection timed out"}
    assert mirrored("POST", f"{PATH}/verify", {}) == (200, {"success": False, "message": "Connection timed out"})


def test_only_who_administers_the_organization(quay: SandboxQuay, mirrored: Caller) -> None:
    assert Caller(quay, "alice")("POST", PATH, NEW) == (403, "Unauthorized")
    assert Caller(quay, "quayadmin", "repo:admin")("GET", PATH) == (403, "Unauthorized")
    assert Caller(quay, "")("GET", PATH) == (401, "Requires authentication")


@pytest.mark.parametrize("options", [QuayOptions(version="3.15"), QuayOptions(features={"ORG_MIRROR": False})])
def test_without_the_feature_nothing_is_there(options: QuayOptions) -> None:
    with SandboxQuay(options) as quay:
        quay.add_user("quayadmin", superuser=True)
        quay.add_organization("prod", owner="quayadmin")
        assert (Caller(quay)("GET", PATH)[0], Caller(quay)("POST", PATH, NEW)[0]) == (308, 405)
