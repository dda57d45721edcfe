# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_export and quay_info: what was read makes another Quay like it."""

from __future__ import annotations

import copy
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.module_utils.quay.wishes import purgeable
from ansible_collections.quayside.airgap.plugins.modules import quay_export, quay_info, quay_state
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay
from ansible_collections.quayside.airgap.tests.sandbox.registry import SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.images import push, simple_image

Ask = Callable[..., dict[str, Any]]

DOCUMENT: dict[str, Any] = {
    "users": [{"name": "bob", "email": "bob@example.com", "enabled": False}],
    "organizations": [
        {
            "name": "prod",
            "email": "prod@example.com",
            "time_machine_expiration": "1w",
            "quota": {"quota": "10GiB", "warning_pct": 80, "reject_pct": 95},
            "robots": [
                {"name": "ci", "description": "pushes"},
                {"name": "sync", "federations": [{"issuer": "https://idp.example.com", "subject": "sync"}]},
            ],
            "teams": [
                {"name": "creators", "role": "creator", "members": ["prod+ci", "alice"]},
                {"name": "readers", "description": "may read"},
            ],
            "default_permissions": [
                {"name": "readers", "type": "team", "role": "read"},
                {"name": "ci", "type": "robot", "role": "admin", "creator": "alice"},
            ],
            "applications": [{"name": "console", "redirect_uri": "https://console.example.com/back", "description": "shows images"}],
            "auto_prune": [{"method": "tags", "value": 10}, {"method": "date", "value": "2w", "tag_pattern": "^pr-"}],
            "immutability": [{"tag_pattern": "^v[0-9]+$", "behavior": "not_matching_immutable"}],
            "repositories": [
                {
                    "name": "app",
                    "visibility": "public",
                    "permissions": [{"name": "ci", "type": "robot", "role": "write"}, {"name": "readers", "type": "team"}],
                    "auto_prune": [{"method": "tags", "value": 3}],
                    "notifications": [
                        {"title": "hook", "event": "repo_push", "method": "webhook", "config": {"url": "https://hooks.example.com/x"}}
                    ],
                },
                {"name": "team/tool", "description": "a tool", "repo_state": "READ_ONLY"},
                {
                    "name": "mirrored",
                    "mirror": {
                        "external_reference": "quay.example.com/a/b",
                        "robot_username": "prod+sync",
                        "sync_interval": "1d",
                        "sync_start_date": "2030-01-01T00:00:00Z",
                        "image_tags": ["latest", "v*"],
                    },
                },
            ],
        },
        {"name": "cache", "proxy_cache": {"registry": "upstream", "expiration": "12h", "insecure": True}},
    ],
}


@pytest.fixture
def upstream() -> Iterator[SandboxRegistry]:
    """The registry that the proxy cache is one of: Quay asks it before it takes the settings."""
    with SandboxRegistry() as registry:
        yield registry


@pytest.fixture
def primary(ask: Ask, quay: SandboxQuay, upstream: SandboxRegistry) -> SandboxQuay:
    """The Quay of the tests, as the document says."""
    document = copy.deepcopy(DOCUMENT)
    document["organizations"][1]["proxy_cache"]["registry"] = upstream.host
    told = ask(quay_state, document=document)
    assert "msg" not in told, told["msg"]
    return quay


def test_a_second_quay_becomes_equal(ask: Ask, play: Ask, primary: SandboxQuay) -> None:
    first = ask(quay_export)["document"]
    with SandboxQuay() as secondary:
        secondary.add_user("quayadmin", "password1", superuser=True)
        login = {"quay_host": secondary.url, "quay_token": secondary.token("quayadmin")}
        made = play(quay_state, document=first, **login)
        assert "msg" not in made, made["msg"]
        assert not play(quay_state, document=first, **login)["changed"]
        assert play(quay_export, **login)["document"] == first


def test_an_export_asks_for_no_change_where_it_comes_from(ask: Ask, primary: SandboxQuay) -> None:
    exported = ask(quay_export)["document"]
    again = ask(quay_state, document=exported, purge=list(purgeable()))
    assert (again["objects"], again["changed"]) == ([], False)


@pytest.mark.parametrize("suffix", ["yml", "json"])
def test_the_file_is_written_when_it_differs(ask: Ask, primary: SandboxQuay, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"registry.{suffix}"
    assert ask(quay_export, path=str(path), check=True)["changed"]
    assert not path.exists()
    made = ask(quay_export, path=str(path))
    assert (made["changed"], made["path"]) == (True, str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = json.loads(path.read_text()) if suffix == "json" else yaml.safe_load(path.read_text())
    assert content == ask(quay_export)["document"]
    assert not ask(quay_export, path=str(path))["changed"]
    assert not ask(quay_state, path=str(path))["changed"]


def test_what_is_left_out_is_not_read(ask: Ask, primary: SandboxQuay) -> None:
    primary.reset_log()
    exclude = ["members", "permissions", "mirror", "notifications", "auto_prune", "immutability", "proxy_cache"]
    document = ask(quay_export, exclude=exclude, organizations=["prod"])["document"]
    assert sorted(document["organizations"][0]["repositories"][0]) == ["description", "name", "repo_state", "visibility"]
    assert not primary.select(path="members|permissions|mirror|notification|policy|proxycache")


def test_secrets_and_warnings(ask: Ask, primary: SandboxQuay) -> None:
    told = ask(quay_export)
    assert any("Credentials of the proxy cache of cache are not exported" in str(text) for text in told["warnings"])
    assert primary.world.robots["prod+ci"].token not in json.dumps(told)


def test_an_organization_that_is_not_there(ask: Ask, primary: SandboxQuay) -> None:
    assert "there is no organization nope" in ask(quay_export, organizations=["nope"])["msg"]


def test_others_get_what_they_administer(ask: Ask, quay: SandboxQuay, primary: SandboxQuay) -> None:
    quay.add_organization("hers", owner="alice")
    document = ask(quay_export, quay_token=quay.token("alice"))["document"]
    assert [entry["name"] for entry in document["organizations"]] == ["hers"]


# --- quay_info


def test_capabilities_need_no_login(ask: Ask, quay: SandboxQuay) -> None:
    told = ask(quay_info, quay_token=None)
    assert told["capabilities"]["version"].startswith("3.18")
    assert told["capabilities"]["features"]["PROXY_CACHE"] is True
    assert not any(request.auth for request in quay.requests)


def test_gathering(ask: Ask, primary: SandboxQuay) -> None:
    told = ask(quay_info, gather=["user", "users", "members", "permissions"], organizations=["prod"])
    assert told["user"]["name"] == "quayadmin"
    assert [user["name"] for user in told["users"]] == ["alice", "bob", "quayadmin"]
    (found,) = told["organizations"]
    assert {team["name"]: team["members"] for team in found["teams"]}["creators"] == ["alice", "prod+ci"]
    assert {"name": "prod+ci", "type": "user", "role": "write"} in found["repositories"][0]["permissions"]
    assert "robots" not in found
    assert not told["changed"]


def test_tags(ask: Ask, primary: SandboxQuay) -> None:
    digest = push(primary.url, "prod/app", "latest", simple_image("app"), ("quayadmin", "password1"))
    told = ask(quay_info, gather=["tags"], repository="prod/app")
    # by the policy of the organization
    assert told["tags"] == [{"name": "latest", "digest": digest, "expiration": "never", "immutable": True}]
    assert "Say whose tags are meant" in ask(quay_info, gather=["tags"])["msg"]


def test_a_bad_token(ask: Ask, quay: SandboxQuay) -> None:
    for gather in (["users"], ["organizations"], ["robots"]):
        assert "the token was not accepted" in ask(quay_info, gather=gather, quay_token="no-such-token")["msg"]
