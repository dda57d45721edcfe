# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets: a password that is made up and kept in a file, and those of a document, which nothing shows."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.modules import quay_first_user, quay_state, quay_token
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay

pytestmark = pytest.mark.matrix

Ask = Callable[..., dict[str, Any]]
# FEATURE_ANONYMOUS_ACCESS is off
SILENCE = Fault("GET", "/api/v1/users/", "status", times=None, status=401, body='{"error": "Anonymous access is not allowed"}')
SESSION = {"quay_token": None, "quay_username": "quayadmin", "quay_password": "password1"}


@pytest.fixture
def empty() -> Iterator[SandboxQuay]:
    with SandboxQuay() as server:
        yield server


@pytest.fixture
def password(tmp_path: Path) -> Path:
    return tmp_path / "quayadmin.password"


def test_a_password_is_made_up_once_and_kept(play: Ask, empty: SandboxQuay, password: Path) -> None:
    task = {"quay_host": empty.url, "username": "quayadmin", "path": str(password)}
    foretold = play(quay_first_user, check=True, **task)
    assert (foretold["changed"], "password" in foretold, password.exists(), empty.writes) == (True, False, False, [])

    made = play(quay_first_user, **task)
    assert made["changed"]
    assert made["password"] == password.read_text().strip() == empty.world.users["quayadmin"].password
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    for check in (True, False):
        again = play(quay_first_user, check=check, **task)
        assert (again["changed"], again["password"]) == (False, made["password"])


def test_the_password_of_the_file_is_used(play: Ask, empty: SandboxQuay, password: Path) -> None:
    password.write_text("chosen-by-us\n")
    assert play(quay_first_user, quay_host=empty.url, username="quayadmin", path=str(password))["changed"]
    assert empty.world.users["quayadmin"].password == "chosen-by-us"


@pytest.mark.parametrize("check", [False, True])
def test_a_lost_file_is_not_made_anew_for_a_user_who_exists(play: Ask, quay: SandboxQuay, password: Path, check: bool) -> None:
    told = play(quay_first_user, quay_host=quay.url, username="quayadmin", path=str(password), check=check)
    assert "the user quayadmin exists, and the file is not there or empty" in told["msg"]
    assert not password.exists()


def test_a_lost_answer_does_not_lose_the_password(play: Ask, empty: SandboxQuay, password: Path) -> None:
    task = {"quay_host": empty.url, "username": "quayadmin", "path": str(password)}
    empty.faults.append(Fault("POST", "initialize", "drop_connection", after_effect=True))
    assert "Could not" in play(quay_first_user, **task)["msg"]
    assert password.read_text().strip() == empty.world.users["quayadmin"].password
    assert not play(quay_first_user, **task)["changed"]


def test_a_password_that_came_to_nothing_is_not_kept(play: Ask, quay: SandboxQuay, password: Path) -> None:
    task = {"username": "quayadmin", "path": str(password)}
    with SandboxQuay(QuayOptions(features={"USER_INITIALIZE": False})) as server:
        assert "Set FEATURE_USER_INITIALIZE: true" in play(quay_first_user, quay_host=server.url, **task)["msg"]
    assert not password.exists()
    quay.faults.append(SILENCE)
    assert "the user quayadmin exists" in play(quay_first_user, quay_host=quay.url, **task)["msg"]
    assert not password.exists()


def test_a_quay_that_tells_strangers_nothing(play: Ask, empty: SandboxQuay) -> None:
    """Whether the user is there cannot be known then; the next login tells."""
    empty.faults.append(SILENCE)
    task = {"quay_host": empty.url, "username": "quayadmin", "password": "password1"}
    assert not play(quay_first_user, check=True, **task)["changed"]
    assert play(quay_first_user, **task)["changed"]
    assert not play(quay_first_user, **task)["changed"]


def test_nothing_is_made_that_could_not_be_kept(play: Ask, ask: Ask, empty: SandboxQuay, quay: SandboxQuay, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere/secret")
    told = play(quay_first_user, quay_host=empty.url, username="quayadmin", path=nowhere)
    assert told["msg"] == f"Could not write {nowhere}: its folder does not exist. Create the folder, or name another file."
    quay.add_organization("admin", owner="quayadmin")
    told = ask(quay_token, organization="admin", path=nowhere, **SESSION)
    assert "its folder does not exist" in told["msg"]
    assert (empty.world.users, quay.world.applications) == ({}, {})


def test_a_document_shows_none_of_its_secrets(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the invocation that -vvv shows, not in the system's log, not in the words of a Quay that repeats them."""
    logged: list[str] = []
    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.log", lambda _module, text, **_more: logged.append(text))
    cache = {"registry": "docker.io", "username": "bot", "password": "of-the-proxy-cache"}
    document = {"organizations": [{"name": "prod", "proxy_cache": cache}]}
    misspelled = {"organizations": [{"name": "prod", "proxy_cache": {**cache, "passwort": "of-the-proxy-cache"}}]}
    for wrong in ({}, {"document": misspelled}, {"purge": ["robot"]}, {"colour": "blue"}, {"retries": "many"}):
        told = ask(quay_state, check=True, **{"document": document, **VERBOSE, **wrong})
        assert told["invocation"]["module_args"]["document"] == "not shown"
        assert "of-the-proxy-cache" not in json.dumps(told) + json.dumps(logged)


# what Ansible sends along with -vvv since 2.21; before, it always asks for it
VERBOSE = {"_ansible_inject_invocation": True}
