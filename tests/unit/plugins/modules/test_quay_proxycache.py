# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_proxycache against a sandbox Quay."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayOptions as ClientOptions
from ansible_collections.quayside.airgap.plugins.modules import quay_proxycache
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay

Ask = Callable[..., dict[str, Any]]


def writes(quay: SandboxQuay) -> list[tuple[str, str]]:
    """Method and last part of the path of what was written."""
    return [(request.method, request.path.rpartition("/")[2]) for request in quay.api_writes]


@pytest.fixture
def cache(quay: SandboxQuay, ask: Ask) -> Ask:
    """The module for an organization of a user's."""
    quay.add_organization("hub", owner="quayadmin")
    return lambda **options: ask(quay_proxycache, organization="hub", **{"registry": "localhost:5000", "validate": False, **options})


def test_a_cache_is_made_once(cache: Ask, quay: SandboxQuay) -> None:
    made = cache(registry="LOCALHOST:5000/projectquay", expiration="48h")
    assert made["objects"] == [{"kind": "proxy_cache", "name": "hub", "state": "created"}]
    assert made["diff"]["after"] == {"proxy cache hub": {"registry": "localhost:5000/projectquay", "expiration": "2d"}}
    quay.reset_log()
    again = cache(registry="localhost:5000/projectquay", expiration="2d")
    assert (again["changed"], quay.api_calls, writes(quay)) == (False, 1, [])


def test_what_differs_is_replaced_and_keeps_the_rest(cache: Ask, quay: SandboxQuay) -> None:
    cache(registry="localhost:5000", expiration="2d", insecure=True)
    quay.reset_log()
    changed = cache(registry="localhost:5000/projectquay")
    assert changed["objects"][0]["fields"] == ["registry"]
    assert writes(quay) == [("DELETE", "proxycache"), ("POST", "proxycache")]
    assert not cache(registry="localhost:5000/projectquay", expiration="2d", insecure=True)["changed"]


def test_credentials_are_written_on_creation_or_always(cache: Ask) -> None:
    login = {"username": "bob", "password": "s3cret-word"}
    assert "s3cret-word" not in str(cache(**login)["diff"])
    assert not cache(**login)["changed"]
    assert cache(**login, update_credentials="always")["changed"]


def test_losing_credentials_is_told(cache: Ask) -> None:
    cache(username="bob", password="word")
    assert "Credentials that it may have had are not kept" in str(cache(expiration="2d")["warnings"])


def test_validation_comes_before_creation(cache: Ask, quay: SandboxQuay) -> None:
    refused = cache(registry="10.1.2.3:5000", validate=True)
    assert "add 10.1.2.3 or its network to SSRF_ALLOWED_HOSTS" in refused["msg"]
    assert writes(quay) == [("POST", "validateproxycache")]


def test_the_former_cache_comes_back_when_the_new_one_is_refused(cache: Ask) -> None:
    cache(registry="localhost:5000", expiration="2d")
    refused = cache(registry="10.1.2.3")
    assert "localhost:5000 (insecure: false, expiration: 2d) was put back, without credentials" in refused["msg"]
    assert not cache(registry="localhost:5000", expiration="2d")["changed"]


@pytest.mark.parametrize(("written", "shown"), [(-5, "0s"), (None, None)])
def test_expirations_that_others_wrote_are_understood(cache: Ask, quay: SandboxQuay, written: int | None, shown: str | None) -> None:
    with QuayClient(ClientOptions(quay.url, token=quay.token("quayadmin"))) as client:
        body = {"upstream_registry": "localhost:5000", "expiration_s": written}
        client.post(at("organization", "hub", "proxycache"), body, "create a proxy cache")
    assert not cache(expiration=shown)["changed"]
    changed = cache(insecure=True)
    assert changed["diff"]["after"]["proxy cache hub"]["expiration"] == shown
    assert changed["objects"][0]["fields"] == ["insecure"]
    assert cache(expiration="1d")["objects"][0]["fields"] == ["expiration"]


@pytest.mark.parametrize("lost", ["POST", "DELETE"])
def test_a_lost_answer_is_looked_after(cache: Ask, quay: SandboxQuay, lost: str) -> None:
    cache(registry="localhost:5000", expiration="2d")
    quay.faults.append(Fault(lost, "/proxycache$", "drop_connection", after_effect=True))
    assert cache(registry="localhost:5000/projectquay", retries=2)["changed"]
    assert not cache(registry="localhost:5000/projectquay", expiration="2d")["changed"]


def test_what_is_lost_is_said_when_nothing_can_be_put_back(cache: Ask, quay: SandboxQuay) -> None:
    cache(registry="localhost:5000", expiration="2d")
    quay.faults.append(Fault("POST", "/proxycache$", "status", status=500, times=None))
    assert (
        "hub has no proxy cache now, since the former one of localhost:5000 (insecure: false, expiration: 2d)"
        in cache(registry="localhost:5000/other")["msg"]
    )


def test_deleting(cache: Ask) -> None:
    cache()
    assert cache(state="absent", check=True)["changed"]
    assert cache(state="absent")["objects"][0]["state"] == "deleted"
    assert not cache(state="absent")["changed"]


def test_check_mode_writes_nothing(cache: Ask, quay: SandboxQuay) -> None:
    quay.refuse_writes = True
    assert cache(check=True)["changed"]
    assert quay.refused == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"registry": "https://quay.io"}, "holds a scheme"),
        ({"registry": "quay.io:x"}, "is no registry"),
        ({"expiration": "soon"}, "is no period"),
        ({"username": "bob"}, "belong together"),
    ],
)
def test_wrong_values_are_refused_before_any_call(cache: Ask, quay: SandboxQuay, options: dict[str, Any], why: str) -> None:
    assert why in cache(**options)["msg"]
    assert not quay.requests


def test_a_missing_organization(ask: Ask) -> None:
    assert "there is no organization or user ghost" in ask(quay_proxycache, organization="ghost")["msg"]
    assert not ask(quay_proxycache, organization="ghost", state="absent")["changed"]


def test_without_the_feature(play: Ask) -> None:
    with SandboxQuay(QuayOptions(features={"PROXY_CACHE": False})) as quay:
        quay.add_user("quayadmin", "password1", superuser=True)
        quay.add_organization("hub", owner="quayadmin")
        options = {"quay_host": quay.url, "quay_token": quay.token("quayadmin"), "organization": "hub"}
        assert "FEATURE_PROXY_CACHE: true" in play(quay_proxycache, **options)["msg"]
        assert not play(quay_proxycache, **options, state="absent")["changed"]
