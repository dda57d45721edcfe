# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_discover: what a Quay has for others, and what they lack of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.modules import quay_discover, quay_proxycache, quay_state
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay
from ansible_collections.quayside.airgap.tests.support.images import simple_image

Ask = Callable[..., dict[str, Any]]
APP = simple_image("app")
WHOLE = {"name": "prod/app", "visibility": "private", "description": "The app", "repo_state": "NORMAL", "empty": False}


@pytest.fixture
def source(quay: SandboxQuay) -> SandboxQuay:
    """Two organizations with images, one without a repository, and a user with an image."""
    for name in ("prod", "tools", "idle"):
        quay.add_organization(name, owner="quayadmin" if name == "prod" else "alice")
    quay.add_repository("prod/app", description="The app")
    quay.add_repository("prod/app-dev", public=True)
    quay.add_repository("prod/empty")
    quay.add_repository("tools/cli", public=True)
    quay.add_repository("alice/own")
    for name in ("prod/app", "prod/app-dev", "tools/cli", "alice/own"):
        quay.load(name, "v1", APP)
    return quay


@pytest.fixture
def other() -> Iterator[SandboxQuay]:
    """Another Quay, where everything goes."""
    with SandboxQuay() as server:
        server.add_user("quayadmin", "password1", superuser=True)
        yield server


def place(server: SandboxQuay, path: str = "", **more: Any) -> dict[str, Any]:
    """An entry of the option destination, with a token of the superuser there."""
    return {"place": f"{server.host}{path}", "quay_host": server.url, "quay_token": server.token("quayadmin"), **more}


def names(told: dict[str, Any]) -> list[str]:
    return [entry["name"] for entry in told["repositories"]]


def reasons(told: dict[str, Any]) -> dict[str, str]:
    return {f"{entry['side']} {entry['name']}": entry["reason"] for entry in told["left_out"]}


@pytest.mark.parametrize("check", [False, True])
def test_a_superuser_finds_everything_but_what_belongs_to_users(ask: Ask, source: SandboxQuay, check: bool) -> None:
    source.reset_log()
    told = ask(quay_discover, check=check)
    assert told["organizations"] == ["idle", "prod", "tools"]
    assert names(told) == ["prod/app", "prod/app-dev", "prod/empty", "tools/cli"]
    assert told["repositories"][0] == WHOLE
    assert told["images"] == [f"{source.host}/{name}" for name in ("prod/app", "prod/app-dev", "tools/cli")]
    assert reasons(told) == {"source alice": "it is the namespace of a user; user_namespaces takes these too"}
    assert not told["changed"]
    assert source.api_writes == []


def test_what_it_costs(ask: Ask, source: SandboxQuay) -> None:
    """The user, two lists, and one look at each organization whether it is a proxy cache or a mirror."""
    for number in range(250):
        source.add_repository(f"tools/tool-{number}")
    source.reset_log()
    assert len(names(ask(quay_discover))) == 254
    looks = source.count(path="/proxycache$|/mirror$")
    # 255 repositories are three pages
    assert source.api_calls == 1 + 1 + 3 + looks
    assert looks <= 4


def test_its_document_makes_another_quay_with_the_same_repositories(ask: Ask, play: Ask, source: SandboxQuay, other: SandboxQuay) -> None:
    document = ask(quay_discover, carry=["visibility", "description"])["document"]
    login = {"quay_host": other.url, "quay_token": other.token("quayadmin")}
    made = play(quay_state, document=document, **login)
    assert "msg" not in made, made["msg"]
    assert sorted(other.world.organizations) == ["idle", "prod", "tools"]
    assert {name: (found.public, found.description) for name, found in other.world.repositories.items()} == {
        "prod/app": (False, "The app"),
        "prod/app-dev": (True, ""),
        "prod/empty": (False, ""),
        "tools/cli": (True, ""),
    }
    found = play(quay_discover, **login)
    assert found["images"] == []
    assert names(found) == ["prod/app", "prod/app-dev", "prod/empty", "tools/cli"]


def test_patterns_choose_repositories_and_with_them_organizations(ask: Ask, source: SandboxQuay) -> None:
    told = ask(quay_discover, include=["prod/*", "idle/*"], exclude=["*-dev", "*/empty"])
    assert (told["organizations"], names(told)) == (["idle", "prod"], ["prod/app"])
    assert told["document"] == {"organizations": [{"name": "idle"}, {"name": "prod", "repositories": [{"name": "app"}]}]}
    # an organization of which nothing is wanted is no empty one
    assert ask(quay_discover, include=["*/cli"])["organizations"] == ["tools"]
    nothing = ask(quay_discover, include=["nope/*"])
    assert any("has no repository that the patterns allow" in str(text) for text in nothing["warnings"])
    assert nothing["document"] == {}


def test_a_namespace_is_looked_through_for_itself(ask: Ask, source: SandboxQuay) -> None:
    source.reset_log()
    told = ask(quay_discover, source=f"{source.host}/tools", destination=[{"place": "quay-b.example.com/mirror"}])
    assert (told["organizations"], names(told)) == (["tools"], ["tools/cli"])
    assert told["document"] == {"organizations": [{"name": "mirror", "repositories": [{"name": "cli"}]}]}
    assert not source.select(path="/superuser/")
    assert "there is no organization or user nope" in ask(quay_discover, source=f"{source.host}/nope")["msg"]


def test_a_user_who_is_named_is_taken(ask: Ask, source: SandboxQuay) -> None:
    assert names(ask(quay_discover, source=f"{source.host}/alice")) == ["alice/own"]
    told = ask(quay_discover, user_namespaces=True)
    assert "alice/own" in names(told)
    # no organization is made of a user
    assert [entry["name"] for entry in told["document"]["organizations"]] == ["idle", "prod", "tools"]


def test_others_find_their_own_organizations(ask: Ask, source: SandboxQuay) -> None:
    told = ask(quay_discover, quay_token=source.token("alice"))
    assert (told["organizations"], names(told)) == (["idle", "tools"], ["tools/cli"])
    told = ask(quay_discover, quay_token=source.token("alice"), user_namespaces=True)
    assert names(told) == ["alice/own", "tools/cli"]


def test_a_superuser_without_full_access_is_told_what_is_left_out(play: Ask) -> None:
    with SandboxQuay(QuayOptions(features={"SUPERUSERS_FULL_ACCESS": False})) as quay:
        quay.add_user("quayadmin", superuser=True)
        quay.add_user("alice")
        quay.add_organization("prod", owner="quayadmin")
        quay.add_organization("hers", owner="alice")
        told = play(quay_discover, quay_host=quay.url, quay_token=quay.token("quayadmin"))
    assert told["organizations"] == ["prod"]
    assert any("FEATURE_SUPERUSERS_FULL_ACCESS is off" in str(text) for text in told["warnings"])


def test_a_superuser_who_may_only_read_finds_everything(play: Ask) -> None:
    with SandboxQuay(QuayOptions(readonly_superusers=("auditor",))) as quay:
        quay.add_user("auditor")
        quay.add_user("alice")
        quay.add_organization("hers", owner="alice")
        quay.add_repository("hers/app")
        told = play(quay_discover, quay_host=quay.url, quay_token=quay.token("auditor"))
    assert names(told) == ["hers/app"]


def test_tokens_that_cannot_find_anything(ask: Ask, source: SandboxQuay) -> None:
    assert "the token was not accepted" in ask(quay_discover, quay_token="no-such-token")["msg"]
    assert "the token was not accepted" in ask(quay_discover, quay_token="no-such-token", source=f"{source.host}/prod")["msg"]
    told = ask(quay_discover, quay_token=source.token("alice", "repo:read"))
    assert "name an organization in source" in told["msg"]
    assert "without a login" in ask(quay_discover, quay_token=None)["msg"]
    assert names(ask(quay_discover, quay_token=None, source=f"{source.host}/tools")) == ["tools/cli"]


def test_a_destination_is_asked_for_what_it_lacks_only(ask: Ask, source: SandboxQuay, other: SandboxQuay) -> None:
    other.add_organization("prod", owner="quayadmin")
    other.add_repository("prod/app", public=True, description="The app")
    told = ask(quay_discover, destination=[place(other)])
    assert told["document"] == {
        "organizations": [
            {"name": "idle"},
            {"name": "prod", "repositories": [{"name": "app-dev"}, {"name": "empty"}]},
            {"name": "tools", "repositories": [{"name": "cli"}]},
        ]
    }
    told = ask(quay_discover, destination=[place(other)], include=["prod/app"], carry=["visibility", "description"])
    assert told["document"] == {"organizations": [{"name": "prod", "repositories": [{"name": "app", "visibility": "private"}]}]}
    assert ask(quay_discover, destination=[place(other)], include=["prod/app"])["document"] == {}
    assert other.api_writes == []


def test_what_a_destination_does_not_take_is_left_out_there(ask: Ask, source: SandboxQuay, other: SandboxQuay) -> None:
    other.add_organization("prod", owner="quayadmin")
    other.add_repository("prod/app", state="READ_ONLY")
    other.add_repository("prod/app-dev", state="MIRROR")
    told = ask(quay_discover, destination=[place(other), {"place": "quay-c.example.com/x"}], include=["prod/*", "tools/*"])
    both = f"{source.host}/tools/cli"
    assert told["images"] == [
        {"source": f"{source.host}/prod/app", "destination": ["quay-c.example.com/x/prod/app"]},
        {"source": f"{source.host}/prod/app-dev", "destination": ["quay-c.example.com/x/prod/app-dev"]},
        both,
    ]
    assert reasons(told) == {
        "destination prod/app": "the repository is read-only",
        "destination prod/app-dev": "the repository is a mirror of another one",
    }
    assert [entry["place"] for entry in told["documents"]] == [other.host, "quay-c.example.com/x"]
    one = ask(quay_discover, destination=[place(other)], include=["prod/*", "tools/*"])
    assert one["images"] == [both]


def test_a_user_who_is_not_there_becomes_no_organization(ask: Ask, source: SandboxQuay, other: SandboxQuay) -> None:
    options = {"include": ["alice/*"], "user_namespaces": True, "destination": [place(other)]}
    told = ask(quay_discover, **options)
    assert (told["images"], told["document"]) == ([], {})
    assert reasons(told) == {"destination alice": "there is no such user, and no organization is made for one"}
    other.add_user("alice")
    told = ask(quay_discover, **options)
    assert (told["images"], told["document"]) == ([f"{source.host}/alice/own"], {})


def test_a_robot_may_push_to_what_is_made_for_it(ask: Ask, play: Ask, source: SandboxQuay, other: SandboxQuay) -> None:
    other.add_organization("prod", owner="quayadmin")
    other.add_robot("prod+mirror")
    told = ask(quay_discover, destination=[place(other, writer="prod+mirror")], include=["*/app", "*/cli"])
    login = {"quay_host": other.url, "quay_token": other.token("quayadmin")}
    made = play(quay_state, document=told["document"], **login)
    assert "msg" not in made, made["msg"]
    assert other.world.repositories["prod/app"].users["prod+mirror"] == "write"
    assert "prod+mirror" not in other.world.repositories["tools/cli"].users


def test_a_repository_that_would_lie_in_no_organization(ask: Ask, source: SandboxQuay) -> None:
    told = ask(quay_discover, source=f"{source.host}/tools", destination=[{"place": "quay-b.example.com"}])
    assert "'quay-b.example.com' names no organization, and cli would lie in none" in told["msg"]


def test_names_that_only_quay_knows(ask: Ask, source: SandboxQuay) -> None:
    source.add_repository("tools/a..b")
    source.add_repository("tools/x/mirror")
    told = ask(quay_discover, include=["tools/*"])
    assert "the distribution API allows no such name" in reasons(told)["source tools/a..b"]
    # it is copied, but quay_state cannot manage it
    assert "tools/x/mirror" in names(told)
    assert told["document"]["organizations"][0]["repositories"] == [{"name": "cli"}]


def test_secrets_stay_secret(ask: Ask, source: SandboxQuay, other: SandboxQuay) -> None:
    entry = place(other)
    told = ask(quay_discover, destination=[entry])
    assert entry["quay_token"] not in json.dumps(told)


def test_halves_of_logins(ask: Ask) -> None:
    told = ask(quay_discover, destination=[{"place": "quay-b.example.com", "quay_username": "bot"}])
    assert "parameters are required together: quay_username, quay_password found in destination" in told["msg"]


# --- organizations that Quay fills itself


def test_organizations_that_quay_fills_itself(ask: Ask, play: Ask, source: SandboxQuay, other: SandboxQuay) -> None:
    """A proxy cache and a mirror, with repositories and without, at the source and at the destination."""
    for name in ("cache", "filled", "empty-mirror"):
        source.add_organization(name, owner="quayadmin")
    source.add_repository("cache/library/busybox")
    source.add_repository("filled/one", state="ORG_MIRROR")
    upstream = {"registry": "docker.io", "validate": False}
    made = ask(quay_proxycache, organization="cache", **upstream)
    assert "msg" not in made, made["msg"]
    robot = source.add_robot("empty-mirror+sync")
    document = {
        "external_registry_type": "quay",
        "external_registry_url": "https://quay.io",
        "external_namespace": "upstream",
        "robot_username": robot.name,
    }
    made = ask(quay_state, document={"organizations": [{"name": "empty-mirror", "mirror": document}]})
    assert "msg" not in made, made["msg"]
    other.add_organization("tools", owner="quayadmin")
    login = {"quay_host": other.url, "quay_token": other.token("quayadmin")}
    made = play(quay_proxycache, organization="tools", **upstream, **login)
    assert "msg" not in made, made["msg"]

    told = ask(quay_discover, destination=[place(other)])

    assert reasons(told) == {
        "source alice": "it is the namespace of a user; user_namespaces takes these too",
        "source cache": "the organization is a proxy cache of docker.io",
        "source filled": "the organization is a mirror of another registry",
        "source empty-mirror": "the organization is a mirror of another registry",
        "destination tools": "the organization is a proxy cache of docker.io",
    }
    assert told["organizations"] == ["idle", "prod", "tools"]
    assert [entry["name"] for entry in told["document"]["organizations"]] == ["idle", "prod"]
    assert not any("tools" in str(image) for image in told["images"])


def test_a_token_that_may_not_see_proxy_caches(ask: Ask, source: SandboxQuay) -> None:
    told = ask(quay_discover, quay_token=source.token("alice", "user:read repo:read"))
    assert names(told) == ["tools/cli"]
    assert any("cannot be told, which needs a token with the scope repo:create or org:admin" in str(text) for text in told["warnings"])
