# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authentication as a real Quay does it (reference: recorded answers of its /v2), and basic authentication."""

from __future__ import annotations

import base64
import json
import time

import pytest
import requests

from ansible_collections.quayside.airgap.tests.sandbox.registry import SandboxRegistry, User
from ansible_collections.quayside.airgap.tests.support.image_builders import simple_image
from ansible_collections.quayside.airgap.tests.unit.sandbox.helpers import TIME_LIMIT, Start, error_codes

BOT = ("bot", "secret")
READER = ("team+reader", "secret")


@pytest.fixture
def quay(start: Start, users: dict[str, User]) -> SandboxRegistry:
    registry = start(auth="token", users=users, anonymous=("public/*",))
    for repository in ("team/app", "public/app", "private/app"):
        registry.load(repository, "v1", simple_image(repository))
    return registry


def ask(registry: SandboxRegistry, scopes: list[str], auth: tuple[str, str] | None = None) -> requests.Response:
    params: dict[str, str | list[str]] = {"service": registry.service, "scope": scopes}
    return requests.get(f"{registry.url}/v2/auth", params=params, auth=auth, timeout=TIME_LIMIT)


def token(registry: SandboxRegistry, *scopes: str, auth: tuple[str, str] | None = None) -> dict[str, str]:
    """The header with a token for scopes."""
    return {"Authorization": "Bearer " + ask(registry, list(scopes), auth).json()["token"]}


def access(header: dict[str, str]) -> list[dict[str, object]]:
    """What a token grants."""
    payload = header["Authorization"].split(".")[1]
    decoded: dict[str, list[dict[str, object]]] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return decoded["access"]


def test_ping_names_the_token_service(quay: SandboxRegistry) -> None:
    answer = requests.get(f"{quay.url}/v2/", timeout=TIME_LIMIT)
    assert (answer.status_code, answer.text) == (401, "true")
    assert answer.headers["WWW-Authenticate"] == f'Bearer realm="{quay.url}/v2/auth",service="{quay.host}"'
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert requests.get(f"{quay.url}/v2/", headers=token(quay, auth=BOT), timeout=TIME_LIMIT).status_code == 200


def test_a_missing_right_is_challenged_with_its_scope(quay: SandboxRegistry) -> None:
    read = requests.get(f"{quay.url}/v2/team/app/tags/list", timeout=TIME_LIMIT)
    write = requests.post(f"{quay.url}/v2/team/app/blobs/uploads/", timeout=TIME_LIMIT)
    for answer, actions in ((read, "pull"), (write, "pull,push")):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].endswith(f',scope="repository:team/app:{actions}"')
        assert answer.json()["errors"] == [
            {"code": "UNAUTHORIZED", "detail": {}, "message": "access to the requested resource is not authorized"}
        ]


def test_a_token_grants_what_the_user_may_do_and_says_nothing_about_the_rest(quay: SandboxRegistry) -> None:
    header = token(quay, "repository:team/app:pull,push", "repository:private/app:pull", "repository:public/app:pull,push", auth=READER)
    assert access(header) == [
        {"type": "repository", "name": "team/app", "actions": ["pull"]},
        {"type": "repository", "name": "private/app", "actions": []},
        {"type": "repository", "name": "public/app", "actions": ["pull"]},
    ]
    statuses = {
        path: requests.get(f"{quay.url}/v2/{path}/tags/list", headers=header, timeout=TIME_LIMIT).status_code
        for path in ("team/app", "private/app", "public/app")
    }
    assert statuses == {"team/app": 200, "private/app": 401, "public/app": 200}
    begun = requests.post(f"{quay.url}/v2/team/app/blobs/uploads/", headers=header, timeout=TIME_LIMIT)
    assert begun.status_code == 401


def test_anybody_may_pull_what_is_public(quay: SandboxRegistry) -> None:
    header = token(quay, "repository:public/app:pull")
    for headers in (header, {}):
        answer = requests.get(f"{quay.url}/v2/public/app/tags/list", headers=headers, timeout=TIME_LIMIT)
        assert answer.json() == {"name": "public/app", "tags": ["v1"]}
    assert ask(quay, []).status_code == 401


def test_a_repository_that_does_not_exist(quay: SandboxRegistry) -> None:
    """Who may not create it is not authorized, who may is told that it is unknown."""
    for auth, status, codes in ((READER, 401, ["UNAUTHORIZED"]), (BOT, 404, ["NAME_UNKNOWN"])):
        header = token(quay, "repository:team/new:pull,push", auth=auth)
        answer = requests.get(f"{quay.url}/v2/team/new/tags/list", headers=header, timeout=TIME_LIMIT)
        assert (answer.status_code, error_codes(answer)) == (status, codes)


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        (("bot", "wrong"), "Invalid Username or Password"),
        (("nobody", "secret"), "Invalid Username or Password"),
        (("team+reader", "wrong"), "Could not find robot with username: team+reader and supplied password."),
    ],
)
def test_wrong_credentials(quay: SandboxRegistry, auth: tuple[str, str], message: str) -> None:
    answer = ask(quay, ["repository:public/app:pull"], auth)
    assert answer.status_code == 401
    assert answer.json()["errors"] == [{"code": "UNAUTHORIZED", "detail": {}, "message": message}]


@pytest.mark.parametrize("scope", ["registry:catalog:*", "foo:bar", "repository:team/app:pull,delete"])
def test_scopes_that_quay_cannot_decode(quay: SandboxRegistry, scope: str) -> None:
    answer = ask(quay, ["repository:team/app:pull", scope], BOT)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"code": "INVALID_REQUEST", "detail": {}, "message": f"Unable to decode repository and actions: {scope}"}
    ]


def test_tokens_expire(start: Start, users: dict[str, User]) -> None:
    registry = start(auth="token", users=users, token_lifetime=0.2)
    header = token(registry, "repository:team/app:pull,push", auth=BOT)
    url = f"{registry.url}/v2/team/app/blobs/uploads/"
    assert requests.post(url, headers=header, timeout=TIME_LIMIT).status_code == 202
    time.sleep(0.25)
    expired = requests.post(url, headers=header, timeout=TIME_LIMIT)
    assert (expired.status_code, expired.json()["errors"][0]["message"]) == (401, "Signature has expired")


def test_all_tokens_can_be_expired_at_once(quay: SandboxRegistry) -> None:
    url = f"{quay.url}/v2/team/app/tags/list"
    old = token(quay, "repository:team/app:pull", auth=BOT)
    quay.expire_tokens()
    new = token(quay, "repository:team/app:pull", auth=BOT)
    assert [requests.get(url, headers=header, timeout=TIME_LIMIT).status_code for header in (old, new)] == [401, 200]


def test_tokens_for_another_service_or_with_another_signature_are_refused(quay: SandboxRegistry) -> None:
    url = f"{quay.url}/v2/team/app/tags/list"
    params = {"service": "elsewhere", "scope": "repository:team/app:pull"}
    answer = requests.get(f"{quay.url}/v2/auth", params=params, auth=BOT, timeout=TIME_LIMIT)
    good = token(quay, "repository:team/app:pull", auth=BOT)["Authorization"]
    for header in (f"Bearer {answer.json()['token']}", good[:-2] + "xx", "Bearer nonsense"):
        assert requests.get(url, headers={"Authorization": header}, timeout=TIME_LIMIT).status_code == 401


def test_the_catalog_shows_what_the_user_may_read(quay: SandboxRegistry) -> None:
    url = f"{quay.url}/v2/_catalog"
    assert requests.get(url, timeout=TIME_LIMIT).json() == {"repositories": []}
    mine = requests.get(url, headers=token(quay, auth=BOT), timeout=TIME_LIMIT)
    assert mine.json() == {"repositories": ["team/app", "public/app"]}


def test_a_mount_from_a_repository_that_may_not_be_read(quay: SandboxRegistry) -> None:
    digest = sorted(quay.repository_blobs("private/app"))[0]
    header = token(quay, "repository:team/app:pull,push", "repository:private/app:pull", auth=BOT)
    params = {"mount": digest, "from": "private/app"}
    answer = requests.post(f"{quay.url}/v2/team/app/blobs/uploads/", params=params, headers=header, timeout=TIME_LIMIT)
    assert answer.status_code == 202


def test_docker_token_rules(start: Start, users: dict[str, User]) -> None:
    """With quirks=distribution: the catalog has a scope, deleting an action of its own, tokens tell their lifetime."""
    registry = start(auth="token", users=users, quirks="distribution", token_lifetime=300)
    registry.load("team/app", "v1", simple_image("a"))
    catalog = requests.get(f"{registry.url}/v2/_catalog", timeout=TIME_LIMIT)
    assert catalog.status_code == 401
    assert 'scope="registry:catalog:*"' in catalog.headers["WWW-Authenticate"]
    answer = ask(registry, ["registry:catalog:*"], BOT).json()
    assert (answer["expires_in"], answer["access_token"]) == (300, answer["token"])
    listed = requests.get(f"{registry.url}/v2/_catalog", headers={"Authorization": f"Bearer {answer['token']}"}, timeout=TIME_LIMIT)
    assert listed.json() == {"repositories": ["team/app"]}
    digest = registry.tags("team/app")["v1"]
    scope = "repository:team/app:pull,push,delete"
    deleted = [
        requests.delete(
            f"{registry.url}/v2/team/app/manifests/{digest}", headers=token(registry, scope, auth=auth), timeout=TIME_LIMIT
        ).status_code
        for auth in (BOT, ("admin", "secret"))
    ]
    assert deleted == [401, 202]
    mount = requests.post(
        f"{registry.url}/v2/team/app/blobs/uploads/?mount={digest}&from=private/app",
        headers=token(registry, scope, auth=BOT),
        timeout=TIME_LIMIT,
    )
    assert mount.status_code == 401
    assert 'scope="repository:team/app:pull,push repository:private/app:pull"' in mount.headers["WWW-Authenticate"]


def test_basic_authentication(start: Start, users: dict[str, User]) -> None:
    registry = start(auth="basic", users=users)
    registry.load("team/app", "v1", simple_image("a"))
    url = f"{registry.url}/v2/team/app/tags/list"
    anonymous = requests.get(url, timeout=TIME_LIMIT)
    assert (anonymous.status_code, anonymous.headers["WWW-Authenticate"]) == (401, 'Basic realm="sandbox"')
    assert requests.get(f"{registry.url}/v2/", timeout=TIME_LIMIT).status_code == 401
    assert requests.get(url, auth=("bot", "wrong"), timeout=TIME_LIMIT).status_code == 401
    assert requests.get(url, auth=BOT, timeout=TIME_LIMIT).status_code == 200
    denied = requests.post(f"{registry.url}/v2/team/app/blobs/uploads/", auth=READER, timeout=TIME_LIMIT)
    assert (denied.status_code, error_codes(denied)) == (403, ["DENIED"])
    assert requests.get(f"{registry.url}/v2/_catalog", auth=BOT, timeout=TIME_LIMIT).status_code == 200
    assert [request.auth for request in registry.requests] == ["", "", "basic", "basic", "basic", "basic"]


def test_basic_authentication_with_public_repositories(start: Start, users: dict[str, User]) -> None:
    registry = start(auth="basic", users=users, anonymous=("public/*",))
    registry.load("public/app", "v1", simple_image("a"))
    assert requests.get(f"{registry.url}/v2/", timeout=TIME_LIMIT).status_code == 200
    assert requests.get(f"{registry.url}/v2/public/app/tags/list", timeout=TIME_LIMIT).status_code == 200
    assert requests.post(f"{registry.url}/v2/public/app/blobs/uploads/", timeout=TIME_LIMIT).status_code == 401
