# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_user against a sandbox Quay."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.plan import CREATED, FAILED, UPDATED
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, QuayOptions
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import REGISTRY, Intent, Purge
from ansible_collections.quayside.airgap.plugins.module_utils.quay.organizations import OrganizationKind
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work, run
from ansible_collections.quayside.airgap.plugins.module_utils.quay.users import UserKind
from ansible_collections.quayside.airgap.plugins.modules import quay_user
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions as SandboxOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay

Ask = Callable[..., dict[str, Any]]

SECRET = "s3cret-word"


@pytest.fixture
def user(ask: Ask) -> Ask:
    """The module."""
    return lambda username, **options: ask(quay_user, username=username, **options)


def writes(quay: SandboxQuay) -> list[str]:
    return [request.method for request in quay.api_writes]


def test_a_user_is_made_once(user: Ask, quay: SandboxQuay) -> None:
    made = user("bob", email="bob@example.com", password=SECRET)
    assert made["objects"] == [{"kind": "user", "name": "bob", "state": "created"}]
    assert made["diff"]["after"] == {"user bob": {"email": "bob@example.com"}}
    assert quay.world.check_password("bob", SECRET)
    assert SECRET not in str(made["diff"]) + str(made["objects"])
    quay.reset_log()
    again = user("bob", email="bob@example.com", password=SECRET, enabled=True, superuser=False)
    assert (again["changed"], again["totals"], quay.api_calls, writes(quay)) == (False, {"unchanged": 1}, 1, [])


def test_only_what_differs_is_written(user: Ask, quay: SandboxQuay) -> None:
    changed = user("alice", email="alice@example.com", enabled=False)
    assert changed["objects"][0]["fields"] == ["email", "enabled"]
    assert changed["diff"]["before"] == {"user alice": {"email": None, "enabled": True}}
    assert writes(quay) == ["PUT"]
    assert not user("alice", email="alice@example.com", enabled=False)["changed"]
    assert quay.world.check_password("alice", "wonderland")
    assert user("alice", enabled=True)["changed"]


def test_a_new_user_may_be_disabled_at_once(user: Ask, quay: SandboxQuay) -> None:
    user("bob", enabled=False)
    assert not quay.world.users["bob"].enabled
    assert writes(quay) == ["POST", "PUT"]


def test_a_password_is_set_on_creation_or_always(user: Ask, quay: SandboxQuay) -> None:
    assert not user("alice", password=SECRET)["changed"]
    assert quay.world.check_password("alice", "wonderland")
    for _again in range(2):
        changed = user("alice", password=SECRET, update_credentials="always")
        assert changed["objects"] == [{"kind": "user", "name": "alice", "state": "updated"}]
    assert quay.world.check_password("alice", SECRET)


def test_the_password_that_quay_makes_up_is_told_once_and_on_request(user: Ask, quay: SandboxQuay) -> None:
    shown = user("bob", show_password=True)
    assert quay.world.check_password("bob", shown["password"])
    assert "password" not in user("bob", show_password=True)
    assert "password" not in user("carol")
    assert "password" not in user("dave", password=SECRET, show_password=True)


def test_check_mode_foretells_and_writes_nothing(user: Ask, quay: SandboxQuay) -> None:
    quay.refuse_writes = True
    wanted = {"email": "bob@example.com", "password": SECRET, "show_password": True}
    foretold = user("bob", check=True, **wanted)
    gone = user("alice", check=True, state="absent")
    assert quay.refused == []
    quay.refuse_writes = False
    for told, made in ((foretold, user("bob", **wanted)), (gone, user("alice", state="absent"))):
        assert (told["changed"], told["objects"], told["diff"]) == (True, made["objects"], made["diff"])


def test_deleting(user: Ask, quay: SandboxQuay) -> None:
    quay.add_repository("alice/app")
    assert user("alice", state="absent")["objects"] == [{"kind": "user", "name": "alice", "state": "deleted"}]
    assert not user("alice", state="absent")["changed"]
    assert quay.repositories == []


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("name", ["quayadmin", "second"])
@pytest.mark.parametrize(
    ("options", "verb"),
    [({"state": "absent"}, "delete"), ({"enabled": False}, "change"), ({"superuser": False}, "change")],
)
def test_superusers_stay_as_they_are(user: Ask, quay: SandboxQuay, name: str, options: dict[str, Any], verb: str, check: bool) -> None:
    quay.add_user("second", superuser=True)
    told = user(name, check=check, **options)
    assert f"Could not {verb} the user {name}" in told["msg"]
    assert "it is a superuser, and Quay lets nobody change or delete superusers" in told["msg"]
    assert quay.api_writes == []
    assert not user(name, superuser=True, enabled=True)["changed"]


def test_becoming_a_superuser_waits_for_the_next_start(user: Ask, quay: SandboxQuay) -> None:
    made = user("alice", superuser=True)
    assert "when it is started again" in str(made["warnings"])
    assert quay.world.extra["config_super_users"] == {"quayadmin", "alice"}
    assert user("alice", superuser=True)["changed"]
    quay.world.super_users = quay.world.extra["config_super_users"]
    assert not user("alice", superuser=True)["changed"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"username": "Bob"}, "a name of a user holds lower-case letters"),
        ({"username": "prod+ci"}, "is no name for Quay"),
        ({"password": "short"}, "a password has at least 8 characters and no white space"),
        ({"password": "with a space"}, "a password has at least 8 characters and no white space"),
        ({"email": "nobody"}, "'nobody' is no e-mail address"),
        ({"email": ""}, "a user's address cannot be removed"),
        ({"update_credentials": "always"}, "there is no password to set"),
    ],
)
def test_wrong_options_cost_no_call(ask: Ask, quay: SandboxQuay, options: dict[str, Any], text: str) -> None:
    told = ask(quay_user, **{"username": "bob", **options})
    assert text in told["msg"]
    assert quay.requests == []


def test_others_than_superusers_are_told_whom_to_ask(user: Ask, quay: SandboxQuay) -> None:
    for token in (quay.token("alice"), quay.token("quayadmin", "org:admin")):
        told = user("bob", quay_token=token)
        assert "only a superuser may, with a token that has the scope super:user" in told["msg"]
    assert "the token was not accepted" in user("bob", quay_token="no-such-token")["msg"]
    assert quay.api_writes == []


def test_names_that_are_taken(user: Ask, quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner="quayadmin")
    assert "already been taken by an organization" in user("prod")["msg"]
    quay.quay.block_deleted_names = True
    user("alice", state="absent")
    assert "Quay gives the name away again when it has cleared that up" in user("alice")["msg"]


def test_an_address_that_another_user_has(user: Ask) -> None:
    user("alice", email="alice@example.com")
    assert "duplicate key" in user("bob", email="alice@example.com")["msg"]
    user("bob", email="bob@example.com")
    assert "E-mail address already used" in user("bob", email="alice@example.com")["msg"]


def test_a_letter_that_quay_could_not_send_is_no_failure(user: Ask, quay: SandboxQuay) -> None:
    quay.quay.features = {"MAILING": True}
    quay.world.extra["mail_down"] = True
    made = user("bob", email="bob@example.com", password=SECRET)
    assert made["objects"][0]["state"] == "created"
    assert "could not send the letter" in str(made["warnings"])
    assert quay.world.check_password("bob", SECRET)
    assert "Invalid email address" in user("carol")["msg"]


@pytest.mark.parametrize("lost", ["POST", "PUT"])
def test_a_lost_answer_leaves_no_user_without_the_password(user: Ask, quay: SandboxQuay, lost: str) -> None:
    quay.faults.append(Fault(lost, "/superuser/users/", "drop_connection", after_effect=True))
    made = user("bob", email="bob@example.com", password=SECRET, retries=2)
    assert made["objects"] == [{"kind": "user", "name": "bob", "state": "created"}]
    assert quay.world.check_password("bob", SECRET)
    assert quay.count(method="POST") == 1


def test_a_password_that_could_not_be_set_says_how_to_go_on(user: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("PUT", "/superuser/users/", "status", times=None, status=500))
    failed = user("bob", password=SECRET)
    assert "without this password: run the task again with update_credentials=always" in failed["msg"]
    quay.faults.clear()
    assert user("bob", password=SECRET, update_credentials="always")["changed"]
    assert quay.world.check_password("bob", SECRET)


def test_a_made_up_password_whose_answer_was_lost(user: Ask, quay: SandboxQuay) -> None:
    quay.faults.append(Fault("POST", "/superuser/users/", "drop_connection", after_effect=True))
    made = user("bob", show_password=True, retries=2)
    assert "password" not in made
    assert "is not known, since its answer did not arrive" in str(made["warnings"])


def test_without_the_feature(user: Ask) -> None:
    with SandboxQuay(SandboxOptions(features={"SUPER_USERS": False})) as other:
        other.add_user("quayadmin", superuser=True)
        told = user("bob", quay_host=other.url, quay_token=other.token("quayadmin"))
    assert "the feature is switched off" in told["msg"]


def test_many_users_are_listed_in_pages_and_superusers_survive_a_purge(quay: SandboxQuay) -> None:
    for number in range(130):
        quay.add_user(f"user{number:03}", email=f"user{number}@example.com")
    with QuayClient(QuayOptions(quay.url, token=quay.token("quayadmin"))) as client:
        kind = UserKind(client)
        keep = [f"user{number:03}" for number in range(4)]
        intents = [Intent(kind, REGISTRY, name, {"email": f"{name}@example.com"}) for name in keep]
        outcomes = run(client, Work(intents, [Purge(kind, REGISTRY, frozenset(keep))]), check_mode=False)
        gone = run(client, Work([Intent(kind, REGISTRY, "quayadmin")]), check_mode=False)
    assert [outcome.state for outcome in outcomes[:4]] == [UPDATED] * 4
    assert "Quay lets nobody change or delete superusers" in gone[0].reason
    assert quay.count(path="/users/quayadmin", method="DELETE") == 0
    assert set(quay.world.users) == {"quayadmin", *keep}
    assert [request.query["limit"] for request in quay.select(lambda entry: entry.method == "GET")] == [["100"], ["100"]]


def test_a_password_that_was_replaced_is_not_kept(quay: SandboxQuay) -> None:
    with QuayClient(QuayOptions(quay.url, token=quay.token("quayadmin"))) as client:
        work = Work([Intent(UserKind(client), REGISTRY, name, wanted) for name, wanted in (("bob", {"password": SECRET}), ("carol", {}))])
        run(client, work, check_mode=False)
    assert list(work.given) == [("user", "carol")]
    assert quay.world.check_password("carol", work.given["user", "carol"]["password"])


def test_who_may_not_see_users_may_do_the_rest(quay: SandboxQuay) -> None:
    with QuayClient(QuayOptions(quay.url, token=quay.token("alice"))) as client:
        users = [Intent(UserKind(client), REGISTRY, f"user{number}", {}) for number in range(5)]
        outcomes = run(client, Work([*users, Intent(OrganizationKind(client), REGISTRY, "mine", {})]), check_mode=False)
    assert [outcome.state for outcome in outcomes] == [FAILED] * 5 + [CREATED]
    assert all("only a superuser may" in outcome.reason for outcome in outcomes[:5])
