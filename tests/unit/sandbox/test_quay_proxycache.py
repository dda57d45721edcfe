# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxy caches of the sandbox Quay: created without a look at the upstream, validated by a login there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay
from ansible_collections.quayside.airgap.tests.sandbox.registry import User
from ansible_collections.quayside.airgap.tests.support.image_builders import simple_image
from ansible_collections.quayside.airgap.tests.unit.sandbox.helpers import Start
from ansible_collections.quayside.airgap.tests.unit.sandbox.quay_calls import Api, running_quay

CACHE, VALIDATE = "/organization/team/proxycache", "/organization/team/validateproxycache"
NOBODY = {"upstream_registry": "", "expiration_s": "", "insecure": ""}
FAILED = "Failed login to remote registry. Please verify entered details and try again."


@pytest.fixture
def quay() -> Iterator[SandboxQuay]:
    with running_quay() as quay:
        yield quay


@pytest.fixture
def admin(quay: SandboxQuay) -> Iterator[Api]:
    with Api(quay) as api:
        yield api


def at(url: str, **more: Any) -> dict[str, Any]:
    """The body for an upstream at a URL."""
    scheme, _colons, host = url.partition("://")
    return {"upstream_registry": host, "insecure": scheme == "http", **more}


def login(user: str, password: str) -> dict[str, str]:
    """Credentials in a body."""
    return {"upstream_registry_username": user, "upstream_registry_password": password}


def told(answer: requests.Response) -> tuple[int, Any]:
    """Status and what was said: the text itself, or the first line of what was wrong."""
    body = answer.json()
    return answer.status_code, body if isinstance(body, str) else (body.get("detail") or body).splitlines()[0]


def test_a_cache_lives_and_ends(admin: Api) -> None:
    assert admin("GET", CACHE).json() == NOBODY
    wanted = {"upstream_registry": "localhost:5000/library", "insecure": True, "expiration_s": 3600, "org_name": "team"}
    assert told(admin("POST", CACHE, {**wanted, **login("bob", "secret")})) == (201, "Created")
    assert admin("GET", CACHE).json() == {name: wanted[name] for name in NOBODY}
    for path in (CACHE, VALIDATE):
        assert told(admin("POST", path, wanted)) == (400, "Proxy Cache Configuration already exists")
    assert admin("PUT", CACHE, wanted).status_code == 405
    assert told(admin("DELETE", CACHE)) == (201, "Deleted")
    assert told(admin("DELETE", CACHE)) == (404, "Not Found")


@pytest.mark.parametrize(("given", "kept"), [({}, 86400), ({"expiration_s": 0}, 0), ({"expiration_s": None}, None)])
def test_expirations(admin: Api, given: dict[str, Any], kept: Any) -> None:
    admin("POST", CACHE, {"upstream_registry": "localhost:5000", **given})
    assert admin("GET", CACHE).json() == {"upstream_registry": "localhost:5000", "expiration_s": kept, "insecure": False}


def test_an_expiration_that_is_no_number_is_an_internal_error(admin: Api) -> None:
    assert admin("POST", CACHE, {"upstream_registry": "localhost:5000", "expiration_s": "abc"}).status_code == 500
    assert admin("GET", CACHE).json() == NOBODY


def test_what_is_not_there(admin: Api) -> None:
    assert admin("GET", "/organization/nope/proxycache").json() == NOBODY
    assert admin("DELETE", "/organization/nope/proxycache").status_code == 404
    for path in ("/organization/nope/proxycache", "/organization/nope/validateproxycache"):
        missing = admin("POST", path, {"upstream_registry": "localhost:5000"})
        assert (missing.status_code, missing.json()) == (400, {"message": "Organization does not exist: nope"})


def test_members_read_and_admins_write(quay: SandboxQuay) -> None:
    owner, member, creator = Api(quay, "quayadmin", "org:admin"), Api(quay, "alice"), Api(quay, "alice", "repo:create")
    assert [api("GET", CACHE).status_code for api in (owner, member, creator, Api(quay, "bob"))] == [200, 200, 200, 403]
    assert Api(quay, "alice", "repo:admin")("GET", CACHE).status_code == 403
    body = {"upstream_registry": "localhost:5000"}
    assert [member("POST", path, body).status_code for path in (CACHE, VALIDATE)] == [403, 403]
    assert member("DELETE", CACHE).status_code == 403
    assert owner("POST", CACHE, body).status_code == 201


@pytest.mark.parametrize(
    ("upstream", "text"),
    [
        ("10.1.2.3", "The provided registry URL is not allowed"),
        ("nowhere.example", "Cannot resolve hostname 'nowhere.example'"),
        ("http://localhost:5000", "Cannot resolve hostname 'http'"),
        ("", "URL must include a hostname"),
        (None, "None is not of type 'string'"),
    ],
)
def test_upstreams_that_are_refused(admin: Api, upstream: Any, text: str) -> None:
    for path in (CACHE, VALIDATE):
        assert told(admin("POST", path, {"upstream_registry": upstream})) == (400, text)


def test_hosts_inside_of_networks_must_be_allowed() -> None:
    with running_quay(allowed_hosts=("10.0.0.0/8",)) as quay, Api(quay) as admin:
        assert told(admin("POST", CACHE, {"upstream_registry": "localhost:5000"})) == (400, "The provided registry URL is not allowed")
        assert admin("POST", CACHE, {"upstream_registry": "10.1.2.3"}).status_code == 201


def test_an_open_registry_is_valid(admin: Api, start: Start) -> None:
    upstream = at(start().url)
    assert told(admin("POST", VALIDATE, upstream)) == (202, "Valid")
    assert told(admin("POST", VALIDATE, {**upstream, "insecure": False})) == (400, FAILED)


@pytest.mark.parametrize("scheme", ["token", "basic"])
def test_validating_logs_in(admin: Api, start: Start, users: dict[str, User], scheme: str) -> None:
    upstream = at(start(auth=scheme, users=users).url)
    assert told(admin("POST", VALIDATE, {**upstream, **login("bot", "secret")})) == (202, "Valid")
    # A wrong password for Basic shows when something is asked with it, which Quay takes for nobody's.
    wrong = (400, FAILED) if scheme == "token" else (202, "Anonymous")
    assert told(admin("POST", VALIDATE, {**upstream, **login("bot", "wrong")})) == wrong


def test_a_quay_may_validate_itself(quay: SandboxQuay, admin: Api) -> None:
    assert told(admin("POST", VALIDATE, at(quay.url))) == (202, "Anonymous")
    assert told(admin("POST", VALIDATE, at(quay.url, **login("alice", "password1")))) == (202, "Valid")
    assert told(admin("POST", VALIDATE, at(quay.url, **login("alice", "wrong")))) == (400, FAILED)


def test_an_upstream_that_does_not_listen(admin: Api) -> None:
    assert told(admin("POST", VALIDATE, at("http://localhost:1"))) == (400, FAILED)


def test_organizations_that_cannot_have_a_cache(quay: SandboxQuay, admin: Api) -> None:
    quay.load("team/app", "1", simple_image("app"))
    admin("PUT", "/repository/team/app/tag/1", {"immutable": True})
    text = "Cannot convert organization to proxy cache: immutable tags exist"
    assert told(admin("POST", CACHE, {"upstream_registry": "localhost:5000"})) == (400, text)
    quay.add_organization("mirrored").extra["org_mirror"] = {"is_enabled": True}
    text = "Cannot create proxy cache: organization is managed by organization-level mirroring"
    assert told(admin("POST", "/organization/mirrored/proxycache", {"upstream_registry": "localhost:5000"})) == (400, text)


def test_versions_differ(start: Start, users: dict[str, User]) -> None:
    with running_quay(version="3.8") as quay, Api(quay) as admin:
        assert told(admin("POST", VALIDATE, at(start(auth="basic", users=users).url))) == (400, FAILED)
        assert told(admin("POST", CACHE, {"upstream_registry": "10.1.2.3"})) == (201, "Created")
    with running_quay(features={"PROXY_CACHE": False}) as quay, Api(quay) as admin:
        assert [admin(method, CACHE, {}).status_code for method in ("GET", "POST", "DELETE")] == [308, 405, 405]
