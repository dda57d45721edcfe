# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirrors of repositories in the sandbox Quay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.quayside.airgap.tests.sandbox.quay.mirror import worked
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay
from ansible_collections.quayside.airgap.tests.unit.sandbox.quay_calls import Caller

PATH = "/repository/prod/app/mirror"
NEW = {
    "external_reference": "localhost:8091/upstream/app",
    "sync_interval": 86400,
    "sync_start_date": "2026-01-01T00:00:00Z",
    "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["1", "lat*"]},
    "robot_username": "prod+sync",
    "skopeo_timeout_interval": 300,
}


def filled(quay: SandboxQuay) -> SandboxQuay:
    """With an organization that has a robot and a repository."""
    quay.add_user("quayadmin", superuser=True)
    quay.add_user("alice")
    quay.add_organization("prod", owner="quayadmin")
    quay.add_robot("prod+sync")
    quay.add_organization("other")
    quay.add_robot("other+sync")
    quay.add_repository("prod/app", creator="quayadmin")
    return quay


@pytest.fixture
def quay() -> Iterator[SandboxQuay]:
    with SandboxQuay() as server:
        yield filled(server)


@pytest.fixture
def admin(quay: SandboxQuay) -> Caller:
    return Caller(quay)


def test_a_mirror_is_made_once_and_its_robot_may_write(quay: SandboxQuay, admin: Caller) -> None:
    assert admin("GET", PATH) == (404, "Not Found")
    login = {"external_registry_username": "bob", "external_registry_password": "word"}
    assert admin("POST", PATH, {**NEW, **login}) == (201, "")
    assert admin("POST", PATH, NEW) == (409, "Mirror configuration already exits for repository prod/app")
    repository = quay.world.repositories["prod/app"]
    assert (repository.state, repository.users["prod+sync"]) == ("MIRROR", "write")
    status, view = admin("GET", PATH)
    assert (status, "external_registry_password" in view) == (200, False)
    assert {name: view[name] for name in NEW} == NEW
    assert (view["sync_status"], view["external_registry_config"], view["external_registry_username"]) == ("NEVER_RUN", {}, "bob")
    assert admin("DELETE", "/organization/prod/robots/sync") == (400, "Robot is being used by a mirror")


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        ({"skopeo_timeout_interval": 299}, 400, "299 is less than the minimum of 300"),
        ({"root_rule": {"rule_kind": "TAG_GLOB_CSV", "rule_value": ["1"]}}, 400, "'TAG_GLOB_CSV' is not one of ['tag_glob_csv']"),
        ({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": []}}, 400, "validation failed: rule_value for TAG_GLOB_CSV must be"),
        ({"external_reference": "http://localhost/a/b"}, 400, "External registry reference must not include a URL scheme"),
        ({"external_reference": "localhost:8091"}, 400, "External registry reference must include a repository path"),
        ({"external_reference": "10.1.1.1/a/b"}, 400, "The provided registry location is not allowed"),
        ({"external_reference": "registry.local/a/b"}, 400, "The provided registry location is not allowed"),
        ({"external_reference": "no.such.host.example/a/b"}, 400, "Cannot resolve hostname 'no.such.host.example'"),
        ({"architecture_filter": ["amd64"]}, 400, "Architecture filtering requires FEATURE_SPARSE_INDEX to be enabled."),
        ({"sync_start_date": "2026-01-01T00:00:00+00:00"}, 400, "Incorrect DateTime format for sync_start_date."),
        ({"robot_username": "prod+ghost"}, 400, "Could not find robot with specified username"),
        ({"robot_username": "alice"}, 400, "Could not find robot with specified username"),
        ({"robot_username": "other+sync"}, 400, "Invalid robot"),
        ({"more": 1}, 500, ""),
    ],
)
def test_what_a_new_mirror_must_not_be(admin: Caller, wrong: dict[str, Any], status: int, said: str) -> None:
    answer = admin("POST", PATH, {**NEW, **wrong})
    assert (answer[0], (answer[1] or "")[: len(said)]) == (status, said)
    assert admin("GET", PATH)[0] == 404


def test_a_robot_that_is_left_out_breaks_quay(admin: Caller) -> None:
    assert admin("POST", PATH, {name: value for name, value in NEW.items() if name != "robot_username"}) == (500, None)


def test_after_a_refused_robot_the_tags_stay_for_good(admin: Caller) -> None:
    admin("POST", PATH, {**NEW, "robot_username": "prod+ghost"})
    admin("POST", PATH, NEW)
    assert admin("PUT", PATH, {"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["2"]}}) == (201, "")
    assert admin("GET", PATH)[1]["root_rule"]["rule_value"] == ["1", "lat*"]


def test_parts_are_changed(quay: SandboxQuay, admin: Caller) -> None:
    assert admin("PUT", PATH, {"sync_interval": 60}) == (404, "Not Found")
    admin("POST", PATH, NEW)
    quay.add_robot("prod+second")
    assert admin("PUT", PATH, {"external_registry_password": "x"})[1] == "Unable to set a new password without also specifying a username."
    changes = {"is_enabled": False, "sync_interval": 3600, "robot_username": "prod+second", "more": 1}
    assert admin("PUT", PATH, {**changes, "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["2"]}}) == (201, "")
    view = admin("GET", PATH)[1]
    assert (view["is_enabled"], view["sync_interval"], view["robot_username"]) == (False, 3600, "prod+second")
    assert (view["root_rule"]["rule_value"], view["external_reference"]) == (["2"], NEW["external_reference"])
    assert quay.world.repositories["prod/app"].users["prod+sync"] == "write"


def test_the_first_proxy_gets_lost(admin: Caller) -> None:
    admin("POST", PATH, NEW)
    config = {"verify_tls": False, "proxy": {"http_proxy": "http://a:1", "https_proxy": "http://b:2"}}
    admin("PUT", PATH, {"external_registry_config": config})
    assert admin("GET", PATH)[1]["external_registry_config"] == {"verify_tls": False, "proxy": {"https_proxy": "http://b:2"}}
    admin("PUT", PATH, {"external_registry_config": {"proxy": {"http_proxy": "http://a:1"}}})
    assert admin("GET", PATH)[1]["external_registry_config"] == config


def test_synchronizations(quay: SandboxQuay, admin: Caller) -> None:
    assert admin("POST", f"{PATH}/sync-now") == (404, "Not Found")
    admin("POST", PATH, NEW)
    assert admin("POST", f"{PATH}/sync-cancel") == (404, "Not Found")
    assert [admin("POST", f"{PATH}/sync-now")[0] for _again in range(2)] == [204, 204]
    mirror = quay.world.repositories["prod/app"].extra["mirror"]
    mirror["sync_status"] = "SYNCING"
    assert admin("POST", f"{PATH}/sync-now") == (404, "Not Found")
    assert [admin("POST", f"{PATH}/sync-cancel")[0] for _again in range(2)] == [204, 404]
    view = admin("GET", PATH)[1]
    assert (view["sync_status"], view["sync_retries_remaining"]) == ("CANCEL", 0)
    worked(mirror)
    moved = admin("GET", PATH)[1]["sync_start_date"]
    assert admin("PUT", PATH, {"sync_start_date": moved}) == (400, "Incorrect DateTime format for sync_start_date.")


def test_only_who_administers_the_repository(quay: SandboxQuay, admin: Caller) -> None:
    admin("POST", PATH, NEW)
    assert Caller(quay, "alice")("GET", PATH) == (403, "Unauthorized")
    assert Caller(quay, "quayadmin", "repo:write")("GET", PATH) == (403, "Unauthorized")
    assert Caller(quay, "quayadmin", "repo:admin")("GET", PATH)[0] == 200
    assert Caller(quay, "")("GET", PATH) == (401, "Requires authentication")


@pytest.mark.parametrize("version", ["3.8", "3.12"])
def test_older_quays_know_no_time_limit(version: str) -> None:
    with SandboxQuay(QuayOptions(version=version)) as quay:
        admin = Caller(filled(quay))
        old = {name: value for name, value in NEW.items() if name != "skopeo_timeout_interval"}
        assert admin("POST", PATH, NEW) == (500, None)
        assert admin("POST", PATH, {**old, "external_reference": "10.1.1.1/a/b"}) == (201, "")
        assert "skopeo_timeout_interval" not in admin("GET", PATH)[1]
        assert "skopeo_timeout_interval" not in admin("GET", "/discovery")[1]["definitions"]["CreateMirrorConfig"]["properties"]


def test_health_of_mirrors(quay: SandboxQuay, admin: Caller) -> None:
    admin("POST", PATH, NEW)
    status, told = admin("GET", "/repository/mirror/health", namespace="prod", detailed=True)
    assert (status, told["repositories"]["total"], told["repositories"]["details"][0]["repository"]) == (200, 1, "app")
    assert [issue["message"] for issue in told["issues"]] == ["Repository prod/app has never been synced"]
    for _attempt in range(3):
        worked(quay.world.repositories["prod/app"].extra["mirror"], well=False)
    assert admin("GET", "/repository/mirror/health", namespace="prod")[0] == 503
    assert admin("GET", "/superuser/mirror/health")[0] == 503
    admin("PUT", PATH, {"is_enabled": False})
    assert admin("GET", "/superuser/mirror/health")[1]["repositories"]["total"] == 0
    assert Caller(quay, "alice")("GET", "/repository/mirror/health", namespace="prod") == (403, "Unauthorized")
    assert admin("GET", "/repository/mirror/health", namespace="ghost") == (404, "Not Found")
