# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_first_user and quay_token: from an empty Quay to a token that lasts."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.modules import quay_first_user, quay_org, quay_token
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay

Ask = Callable[..., dict[str, Any]]
FIRST = {"username": "quayadmin", "password": "password1", "email": "admin@example.com"}
SESSION = {"quay_token": None, "quay_username": "quayadmin", "quay_password": "password1"}


@pytest.fixture
def empty() -> Iterator[SandboxQuay]:
    with SandboxQuay() as server:
        yield server


# --- the first user


def test_the_first_user_and_a_token_for_the_next_tasks(play: Ask, empty: SandboxQuay) -> None:
    made = play(quay_first_user, quay_host=empty.url, create_token=True, **FIRST)
    assert (made["changed"], made["username"]) == (True, "quayadmin")
    assert play(quay_org, quay_host=empty.url, quay_token=made["access_token"], name="prod")["changed"]
    again = play(quay_first_user, quay_host=empty.url, create_token=True, **FIRST)
    assert not again["changed"]
    assert "access_token" not in again


def test_check_mode_makes_nobody(play: Ask, empty: SandboxQuay) -> None:
    assert play(quay_first_user, quay_host=empty.url, check=True, **FIRST)["changed"]
    assert empty.writes == []


def test_a_quay_with_other_users(play: Ask, quay: SandboxQuay) -> None:
    assert not play(quay_first_user, quay_host=quay.url, **FIRST)["changed"]
    told = play(quay_first_user, quay_host=quay.url, **{**FIRST, "username": "somebody"})
    assert "has users already, and this one is not among them" in told["msg"]


def test_a_password_that_quay_refuses(play: Ask, empty: SandboxQuay) -> None:
    told = play(quay_first_user, quay_host=empty.url, **{**FIRST, "password": "short"})
    assert "at least 8 characters" in told["msg"]
    assert play(quay_first_user, quay_host=empty.url, **FIRST)["changed"]


def test_a_quay_that_does_not_let_it_be_done(play: Ask) -> None:
    with SandboxQuay(QuayOptions(features={"USER_INITIALIZE": False})) as server:
        assert "Set FEATURE_USER_INITIALIZE: true" in play(quay_first_user, quay_host=server.url, **FIRST)["msg"]


def test_an_answer_that_was_lost(play: Ask, empty: SandboxQuay) -> None:
    empty.faults.append(Fault("POST", "initialize", "drop_connection", after_effect=True))
    assert "Could not" in play(quay_first_user, quay_host=empty.url, **FIRST)["msg"]
    assert not play(quay_first_user, quay_host=empty.url, **FIRST)["changed"]


# --- tokens that last


@pytest.fixture(autouse=True)
def organization(request: pytest.FixtureRequest) -> None:
    if "quay" in request.fixturenames:
        request.getfixturevalue("quay").add_organization("admin", owner="quayadmin")


@pytest.mark.parametrize("version", ["3.8", "3.12", "3.18"])
def test_a_session_makes_a_token_on_every_version(play: Ask, version: str) -> None:
    with SandboxQuay(QuayOptions(version=version)) as server:
        server.add_user("quayadmin", "password1", superuser=True)
        server.add_organization("admin", owner="quayadmin")
        made = play(quay_token, quay_host=server.url, organization="admin", **SESSION)
        assert made["changed"]
        assert play(quay_org, quay_host=server.url, quay_token=made["access_token"], name="prod")["changed"]


def test_a_token_that_is_kept_in_a_file_is_used_again(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "quay.token"
    made = ask(quay_token, organization="admin", path=str(path), **SESSION)
    assert path.read_text().strip() == made["access_token"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = ask(quay_token, organization="admin", path=str(path), **SESSION)
    assert (again["changed"], again["access_token"]) == (False, made["access_token"])
    path.write_text("stale\n")
    renewed = ask(quay_token, organization="admin", path=str(path), **SESSION)
    assert renewed["changed"]
    assert path.read_text().strip() == renewed["access_token"]
    assert renewed["client_id"] == made["client_id"]


def test_a_token_that_is_handed_back_is_used_again(ask: Ask) -> None:
    made = ask(quay_token, organization="admin", **SESSION)
    again = ask(quay_token, organization="admin", token=made["access_token"], **SESSION)
    assert not again["changed"]
    assert ask(quay_token, organization="admin", token=made["access_token"], force=True, **SESSION)["changed"]


def test_the_scopes_are_those_that_were_asked_for(ask: Ask) -> None:
    made = ask(quay_token, organization="admin", scopes=["repo:read", "user:read"], **SESSION)
    assert "may not do this" in ask(quay_org, quay_token=made["access_token"], name="prod")["msg"]


def test_check_mode_makes_no_token_and_no_file(ask: Ask, quay: SandboxQuay, tmp_path: Path) -> None:
    foretold = ask(quay_token, organization="admin", path=str(tmp_path / "quay.token"), check=True, **SESSION)
    assert foretold["changed"]
    assert not (tmp_path / "quay.token").exists()
    assert not quay.select(path="authorizeapp|applications", method="POST")


def test_a_user_who_does_not_administer_the_organization(ask: Ask) -> None:
    login = {"quay_token": None, "quay_username": "alice", "quay_password": "wonderland"}
    assert "Could not" in ask(quay_token, organization="admin", **login)["msg"]


def test_a_token_makes_a_token_where_quay_has_that(ask: Ask, play: Ask, quay: SandboxQuay) -> None:
    made = ask(quay_token, organization="admin")
    assert ask(quay_org, quay_token=made["access_token"], name="prod")["changed"]
    with SandboxQuay(QuayOptions(version="3.15")) as older:
        older.add_user("quayadmin", "password1", superuser=True)
        older.add_organization("admin", owner="quayadmin")
        told = play(quay_token, quay_host=older.url, quay_token=older.token("quayadmin"), organization="admin")
        assert "on a Quay before 3.18 a token cannot make another token" in told["msg"]


def test_an_organization_that_is_not_there(ask: Ask) -> None:
    assert "there is no organization nope" in ask(quay_token, organization="nope", **SESSION)["msg"]


def test_a_file_that_is_something_else_is_left_alone(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_text("x" * 5000)
    assert "large" in ask(quay_token, organization="admin", path=str(path), **SESSION)["msg"]
    assert path.read_text() == "x" * 5000
