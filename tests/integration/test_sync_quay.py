# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sync playbook between two Quays: their API finds what there is and makes what is missing."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ansible_collections.quayside.airgap.tests.integration.playbooks import Run, sides
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay
from ansible_collections.quayside.airgap.tests.support.images import image, layer

PREFLIGHT, DISCOVER, STATE = (f"quayside.airgap.{name}" for name in ("registry_preflight", "quay_discover", "quay_state"))


def build(seed: str):
    """An image of its own."""
    return image([layer(seed, 10_000)])


@pytest.fixture
def start() -> Iterator[Callable[..., SandboxQuay]]:
    """Starts Quays with a superuser each: start() or start(**options)."""
    with ExitStack() as stack:

        def run(**options: Any) -> SandboxQuay:
            quay = stack.enter_context(SandboxQuay(QuayOptions(**options)))
            quay.add_user("quayadmin", "password1", superuser=True)
            return quay

        yield run


@pytest.fixture
def source(start: Callable[..., SandboxQuay]) -> SandboxQuay:
    """Two organizations with images, one without, and an empty repository."""
    quay = start()
    for name in ("prod", "tools", "idle"):
        quay.add_organization(name, owner="quayadmin")
    quay.add_repository("prod/shop/web", public=True, description="The shop")
    quay.add_repository("prod/db")
    quay.add_repository("prod/empty")
    quay.add_repository("tools/cli")
    for repository in ("prod/shop/web", "prod/db", "tools/cli"):
        for tag in ("1", "2"):
            quay.load(repository, tag, build(f"{repository} {tag}"))
    return quay


@pytest.fixture
def destination(start: Callable[..., SandboxQuay]) -> SandboxQuay:
    """A Quay with nothing in it."""
    return start()


def between(one: SandboxQuay, other: SandboxQuay, **more: Any) -> dict[str, Any]:
    """Variables for all of a Quay and another one, with tokens for their APIs and nothing else."""
    tokens = {"source_quay_token": one.token("quayadmin"), "destination_quay_token": other.token("quayadmin")}
    return sides(**{"source": one.host, "destinations": [other.host], "discover": {}, "create": True, **tokens, **more})


def secrets_in(run: Run, variables: dict[str, Any]) -> list[str]:
    return [name for name, value in variables.items() if name.endswith(("_token", "_password")) and value and value in run.output]


def test_everything_is_found_made_and_copied_and_then_nothing(play, source, destination):
    """With a token for each side alone; check mode foretells it; a proxy cache is left out with a word."""
    source.add_organization("cache", owner="quayadmin")
    source.add_repository("cache/library/busybox")
    source.load("cache/library/busybox", "1", build("cached"))
    source.world.organizations["cache"].extra["proxy_cache"] = {"upstream_registry": "docker.io", "expiration_s": 86400, "insecure": False}
    variables = between(source, destination)
    destination.refuse_writes = True
    foretold = play(variables, "--check").succeeded()
    assert destination.refused == []
    assert foretold.totals["copied"] == 6

    destination.refuse_writes = False
    done = play(variables, "-vvv").succeeded()
    assert secrets_in(done, variables) == []
    assert done.states == foretold.states
    assert "cache: the organization is a proxy cache of docker.io" in done.output
    assert sorted(destination.world.organizations) == ["idle", "prod", "tools"]
    assert {name: (found.public, found.description) for name, found in destination.world.repositories.items()} == dict.fromkeys(
        ("prod/db", "prod/empty", "prod/shop/web", "tools/cli"), (False, "")
    )
    assert destination.tags("prod/shop/web") == {tag: build(f"prod/shop/web {tag}").digest for tag in ("1", "2")}
    assert destination.verify() == []
    (preflight,) = done.by_host(PREFLIGHT).values()
    assert [(entry["side"], entry["quay"]["user"], entry["quay"]["superuser"]) for entry in preflight["registries"]] == [
        ("source", "quayadmin", True),
        ("destination", "quayadmin", True),
    ]

    destination.refuse_writes = True
    again = play(variables).succeeded()
    assert again.changed == 0
    assert set(again.states.values()) == {"unchanged"}
    assert destination.refused == []


def test_robots_push_what_the_api_makes_and_some_is_left_out(play, source, destination):
    """Credentials of their own for the registries, another name there, a read-only repository, patterns, and what is carried over."""
    destination.add_organization("mirror", owner="quayadmin")
    destination.add_repository("mirror/db", state="READ_ONLY")
    reader, writer = source.add_robot("prod+reader"), destination.add_robot("mirror+writer")
    for name in ("prod/shop/web", "prod/db"):
        source.permit(name, "prod+reader", "read")
    variables = between(
        source,
        destination,
        source=f"{source.host}/prod",
        destinations=f"{destination.host}/mirror",
        discover={"exclude": "empty"},
        source_username=reader.name,
        source_password=reader.token,
        destination_username=writer.name,
        destination_password=writer.token,
        tags="1",
        carry="visibility\ndescription\n",
    )
    done = play(variables).succeeded()

    assert done.states == {f"{destination.host}/mirror/shop/web:1": "copied"}
    made = destination.world.repositories["mirror/shop/web"]
    assert (made.public, made.description, made.users["mirror+writer"]) == (True, "The shop", "write")
    assert "mirror/db: the repository is read-only" in done.output
    assert play(variables, "--check").succeeded().changed == 0


def test_what_does_not_let_us_in_is_told_before_anything_is_done(play, source, destination, start):
    locked = start(registry_state="readonly")
    run = play(
        {},
        hosts={
            "token": between(source, destination, source_quay_token="no-such-token"),
            "token-unseen": between(source, destination, destination_quay_token="no-such-token", preflight=False)
            | {"registry_sync_source_quay_host": source.url, "registry_sync_destination_quay_host": destination.url},
            "read-only": between(source, locked),
            "no-login": between(source, destination, destination_quay_token=""),
        },
    ).failed()

    assert "registries are not ready: source " in run.messages["token"]
    assert "the token was not accepted" in run.messages["token-unseen"]
    assert "the registry is in read-only mode" in run.messages["read-only"]
    assert "registry_sync_create needs registry_sync_discover, and logins for the APIs of both sides" in run.messages["no-login"]
    assert destination.writes == []


def test_a_standby_is_read_when_the_source_is_not_ready(play, source, destination):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        gone = f"127.0.0.1:{probe.getsockname()[1]}"
        variables = between(
            source,
            destination,
            source=f"{gone}/prod",
            destinations=[f"{destination.host}/prod"],
            standby_sources=f"{source.host}/prod",
            retries=0,
        )
        done = play({**variables, "registry_sync_images": [f"{gone}/prod/db:1"], "registry_sync_tags": ["2"]}).succeeded()

    assert f"{gone} is not ready, {source.host}/prod is read in its place: Could not connect to" in " ".join(done.output.split())
    assert set(done.states) == {f"{destination.host}/prod/{name}" for name in ("db:1", "db:2", "shop/web:2")}


def test_failover_swaps_the_apis_too(play, source, destination):
    """The site that was the destination is read; what it has, and the other has not, is made there."""
    destination.add_organization("late", owner="quayadmin")
    destination.add_repository("late/app", description="Made while we were away")
    destination.load("late/app", "1", build("late"))

    done = play(between(source, destination, failover=True, carry=["description"])).succeeded()

    assert done.states == {f"{source.host}/late/app:1": "copied"}
    assert source.world.repositories["late/app"].description == "Made while we were away"
