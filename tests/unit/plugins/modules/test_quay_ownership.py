# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_ownership against a sandbox Quay."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.modules import quay_ownership
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def own(ask: Ask, quay: SandboxQuay) -> Ask:
    """The module, for a Quay with two organizations of alice's."""
    quay.add_organization("prod", owner="alice")
    quay.add_organization("test", owner="alice")
    return lambda **options: ask(quay_ownership, **options)


@pytest.fixture
def strict(quay: SandboxQuay) -> SandboxQuay:
    """A Quay whose superusers see organizations of others only from the outside."""
    quay.quay.features = {"SUPERUSERS_FULL_ACCESS": False}
    return quay


def owners(quay: SandboxQuay, name: str) -> list[str]:
    return sorted(quay.world.organizations[name].teams["owners"].members)


def writes(quay: SandboxQuay) -> list[str]:
    return [request.path.partition("/api/v1/")[2] for request in quay.api_writes]


def test_whoever_asks_becomes_an_owner_once(own: Ask, quay: SandboxQuay) -> None:
    taken = own(organizations=["prod"])
    assert taken["objects"] == [{"kind": "ownership", "name": "prod", "state": "updated", "fields": ["owners"]}]
    assert taken["diff"]["before"] == {"ownership prod": {"owners": ["alice"]}}
    assert taken["diff"]["after"] == {"ownership prod": {"owners": ["alice", "quayadmin"]}}
    assert (taken["users"], taken["organizations"]) == (["quayadmin"], ["prod"])
    # whose token it is, who owns the organization, and the change
    assert quay.api_calls == 3
    assert (owners(quay, "prod"), owners(quay, "test")) == (["alice", "quayadmin"], ["alice"])
    quay.reset_log()
    again = own(organizations=["prod"])
    assert (again["changed"], again["totals"], quay.api_calls, writes(quay)) == (False, {"unchanged": 1}, 2, [])


def test_all_superusers_own_everything(own: Ask, quay: SandboxQuay) -> None:
    quay.add_user("second", superuser=True)
    quay.add_user("former", superuser=True).enabled = False
    taken = own(all_organizations=True, all_superusers=True)
    assert (taken["users"], taken["organizations"]) == (["quayadmin", "second"], ["prod", "test"])
    assert [owners(quay, name) for name in ("prod", "test")] == [["alice", "quayadmin", "second"]] * 2
    quay.reset_log()
    assert own(all_organizations=True, all_superusers=True)["totals"] == {"unchanged": 2}
    # the lists of users and organizations, and the owners of each
    assert quay.api_calls == 4


def test_others_become_owners_without_the_one_who_asks(own: Ask, quay: SandboxQuay) -> None:
    quay.add_user("bob")
    assert own(organizations=["prod", "test"], users=["bob", "alice"])["totals"] == {"updated": 2, "unchanged": 0}
    assert owners(quay, "prod") == ["alice", "bob"]
    assert not any("takeownership" in path for path in writes(quay))
    assert not own(organizations=["prod", "test"], users=["bob", "alice"])["changed"]


def test_without_full_access_the_way_to_others_leads_through_the_one_who_asks(own: Ask, strict: SandboxQuay) -> None:
    strict.add_user("bob")
    foretold = own(organizations=["prod"], users=["bob", "alice"], check=True)
    taken = own(organizations=["prod"], users=["bob", "alice"])
    assert foretold["diff"] == taken["diff"]
    assert taken["diff"]["after"] == {"ownership prod": {"owners": ["alice", "bob", "quayadmin"]}}
    assert owners(strict, "prod") == ["alice", "bob", "quayadmin"]
    assert writes(strict)[0] == "superuser/takeownership/prod"
    strict.reset_log()
    assert not own(organizations=["prod"], users=["bob", "alice"])["changed"]
    assert strict.api_calls == 1


def test_an_owner_needs_no_superuser(own: Ask, strict: SandboxQuay) -> None:
    strict.add_user("bob")
    token = strict.token("alice")
    assert own(organizations=["prod"], users=["bob"], quay_token=token)["changed"]
    strict.add_organization("other", owner="bob")
    told = own(organizations=["prod", "other"], users=["alice"], quay_token=token, check=True)
    assert "Could not take ownership of other" in told["msg"]
    assert "only a superuser may" in told["msg"]
    assert told["totals"] == {"unchanged": 1, "failed": 1}


def test_check_mode_foretells_and_writes_nothing(own: Ask, quay: SandboxQuay) -> None:
    quay.refuse_writes = True
    foretold = own(all_organizations=True, check=True)
    assert quay.refused == []
    quay.refuse_writes = False
    taken = own(all_organizations=True)
    assert (foretold["changed"], foretold["objects"], foretold["diff"]) == (True, taken["objects"], taken["diff"])


@pytest.mark.parametrize("full_access", [True, False])
def test_a_user_is_converted_only_when_that_is_asked_for(own: Ask, quay: SandboxQuay, full_access: bool) -> None:
    quay.quay.features = {"SUPERUSERS_FULL_ACCESS": full_access}
    quay.add_repository("alice/app")
    quay.reset_log()
    for check in (True, False):
        refused = own(organizations=["alice", "prod"], check=check)
        assert "it is a user, whom that would turn into an organization" in refused["msg"]
        assert "Set convert_users" in refused["msg"]
        assert refused["totals"] == {"updated": 1, "unchanged": 0, "failed": 1}
    assert "alice" in quay.world.users
    assert own(organizations=["alice"], convert_users=True, check=True)["changed"]
    converted = own(organizations=["alice"], convert_users=True)
    assert converted["objects"][0]["fields"] == ["owners", "type"]
    assert converted["diff"]["before"] == {"ownership alice": {"owners": None, "type": "user"}}
    assert converted["diff"]["after"] == {"ownership alice": {"owners": ["quayadmin"], "type": "organization"}}
    assert owners(quay, "alice") == ["quayadmin"]
    assert quay.repositories == ["alice/app"]
    assert not own(organizations=["alice"], convert_users=True)["changed"]


def test_superusers_are_not_converted(own: Ask, quay: SandboxQuay) -> None:
    quay.add_user("second", superuser=True)
    assert "Quay lets nobody take ownership of those" in own(organizations=["second"], convert_users=True)["msg"]
    assert writes(quay) == []


def test_names_that_nobody_has(own: Ask, quay: SandboxQuay) -> None:
    told = own(organizations=["prod", "nowhere"])
    assert "there is no organization or user nowhere" in told["msg"]
    assert owners(quay, "prod") == ["alice", "quayadmin"]
    quay.reset_log()
    assert "there is no user nobody" in own(organizations=["prod"], users=["nobody"], check=True)["msg"]
    assert writes(quay) == []


def test_another_team_that_administers_stands_in_for_the_owners(own: Ask, quay: SandboxQuay) -> None:
    del quay.world.organizations["prod"].teams["owners"]
    quay.add_team("prod", "staff")
    quay.add_team("prod", "managers", "admin", members=["alice"])
    quay.add_user("bob")
    assert own(organizations=["prod"], users=["quayadmin", "bob"])["changed"]
    assert sorted(quay.world.organizations["prod"].teams["managers"].members) == ["alice", "bob", "quayadmin"]
    assert not own(organizations=["prod"], users=["quayadmin", "bob"])["changed"]


def test_who_was_only_asked_to_join_is_not_asked_again(own: Ask, quay: SandboxQuay) -> None:
    quay.quay.features = {"MAILING": True, "REQUIRE_TEAM_INVITE": True}
    quay.add_user("bob")
    assert own(organizations=["prod"], users=["bob"])["changed"]
    assert not own(organizations=["prod"], users=["bob"])["changed"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "nothing says what shall be owned"),
        ({"organizations": []}, "nothing says what shall be owned"),
        ({"organizations": ["prod"], "all_organizations": True}, "it is given together with all_organizations"),
        ({"organizations": ["prod"], "users": ["alice"], "all_superusers": True}, "it is given together with all_superusers"),
        ({"organizations": ["Prod"]}, "is no name for Quay"),
        ({"organizations": ["prod"], "users": ["prod+ci"]}, "is no name for Quay"),
    ],
)
def test_wrong_options_cost_no_call(own: Ask, quay: SandboxQuay, options: dict[str, Any], text: str) -> None:
    assert text in own(**options)["msg"]
    assert quay.requests == []


def test_a_token_that_may_not_tell_whose_it_is(own: Ask, quay: SandboxQuay) -> None:
    token = quay.token("quayadmin", "super:user")
    assert "the token may not tell whose it is" in own(organizations=["prod"], quay_token=token)["msg"]
    assert own(organizations=["prod"], users=["quayadmin"], quay_token=token)["changed"]
    assert not own(organizations=["prod"], users=["quayadmin"], quay_token=token)["changed"]


@pytest.mark.parametrize("options", [{"all_organizations": True}, {"organizations": ["prod"], "all_superusers": True}])
def test_lists_of_everything_are_for_superusers(own: Ask, quay: SandboxQuay, options: dict[str, Any]) -> None:
    assert "only a superuser may" in own(quay_token=quay.token("alice"), **options)["msg"]


@pytest.mark.parametrize("name", ["prod", "alice"])
def test_a_lost_answer_is_looked_after(own: Ask, quay: SandboxQuay, name: str) -> None:
    quay.add_user("bob")
    quay.faults.append(Fault("POST", "/takeownership/", "drop_connection", after_effect=True))
    taken = own(organizations=[name], users=["quayadmin", "bob"], convert_users=True, retries=2)
    assert taken["objects"][0]["state"] == "updated"
    assert {"quayadmin", "bob"} <= set(owners(quay, name))
    assert quay.count(path="/takeownership/") == 1
