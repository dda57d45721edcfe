# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox Quay as its clients see it: tokens, organizations, robots, repositories, and what a push makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from ansible_collections.quayside.airgap.tests.sandbox.program import run_instances
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay
from ansible_collections.quayside.airgap.tests.support.image_builders import simple_image

ADMIN = "quayadmin"
PASSWORD = "password1"
Open = Callable[..., SandboxQuay]


@pytest.fixture
def open_quay() -> Iterator[Open]:
    """Starts sandbox Quays with given options; they end with the test."""
    running: list[SandboxQuay] = []

    def begin(**options: Any) -> SandboxQuay:
        quay = SandboxQuay(QuayOptions(**options))
        running.append(quay)
        quay.start()
        return quay

    yield begin
    for quay in running:
        quay.stop()


@pytest.fixture
def quay(open_quay: Open) -> SandboxQuay:
    """A Quay with a superuser, an ordinary user and an organization of the superuser."""
    found = open_quay()
    found.add_user(ADMIN, PASSWORD, superuser=True)
    found.add_user("alice", PASSWORD)
    found.add_organization("team", owner=ADMIN)
    return found


class Api:
    """Calls with one token."""

    def __init__(self, quay: SandboxQuay, token: str = "") -> None:
        self.quay = quay
        self.session = requests.Session()
        self.session.trust_env = False
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.session.request(method, f"{self.quay.url}/api/v1{path}", json=body, allow_redirects=False, timeout=10, **more)


@pytest.fixture
def admin(quay: SandboxQuay) -> Api:
    """The superuser with every scope."""
    return Api(quay, quay.token(ADMIN))


def registry_token(quay: SandboxQuay, user: str, password: str, scope: str) -> requests.Response:
    return requests.get(f"{quay.url}/v2/auth", params={"service": quay.service, "scope": scope}, auth=(user, password), timeout=10)


def push(quay: SandboxQuay, user: str, password: str, repository: str, tag: str = "1") -> int:
    """Push a small image; the status of the first request that was refused, else of the last one."""
    token = registry_token(quay, user, password, f"repository:{repository}:pull,push").json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    image = simple_image("sandbox quay")
    base = f"{quay.url}/v2/{repository}"
    for digest, blob in image.all_blobs().items():
        answer = requests.post(f"{base}/blobs/uploads/", params={"digest": digest}, data=blob.data, headers=headers, timeout=10)
        if answer.status_code != 201:
            return answer.status_code
    headers["Content-Type"] = image.media_type
    return requests.put(f"{base}/manifests/{tag}", data=image.body, headers=headers, timeout=10).status_code


# ------------------------------------------------------------------- logins


def test_the_first_user_gets_a_token_and_nobody_after(open_quay: Open) -> None:
    quay = open_quay()
    api = Api(quay)
    wanted = {"username": ADMIN, "password": PASSWORD, "email": "q@example.com", "access_token": True}
    assert api("POST", "/user/initialize", {**wanted, "password": "short"}).status_code == 400
    first = api("POST", "/user/initialize", wanted)
    again = api("POST", "/user/initialize", wanted)
    assert (first.status_code, again.status_code) == (200, 400)
    assert again.json() == {"message": "Cannot initialize user in a non-empty database"}
    assert Api(quay, first.json()["access_token"])("GET", "/user/").json()["username"] == ADMIN


def test_a_long_lived_token_comes_from_the_session_of_the_first_user(open_quay: Open) -> None:
    quay = open_quay()
    browser = Api(quay)
    first = browser("POST", "/user/initialize", {"username": ADMIN, "password": PASSWORD, "access_token": True})
    bearer = Api(quay, first.json()["access_token"])
    bearer("POST", "/organization/", {"name": "automation"})
    application = quay.add_application("automation", "ansible")
    form = {
        "response_type": "token",
        "client_id": application.client_id,
        "redirect_uri": f"{quay.url}/oauth/localapp",
        "scope": "org:admin repo:read",
        "_csrf_token": first.headers["X-Next-CSRF-Token"],
    }
    answer = browser.session.post(f"{quay.url}/oauth/authorizeapp", data=form, allow_redirects=False, timeout=10)
    fragment = parse_qs(urlsplit(answer.headers["Location"]).fragment)
    assert answer.status_code == 302
    assert Api(quay, fragment["access_token"][0])("GET", "/organization/automation").json()["is_admin"] is True
    form["_csrf_token"] = "wrong"
    assert browser.session.post(f"{quay.url}/oauth/authorizeapp", data=form, allow_redirects=False, timeout=10).status_code == 403


def test_a_wrong_password_makes_the_next_login_wait(quay: SandboxQuay) -> None:
    api = Api(quay)
    csrf = api.session.get(f"{quay.url}/csrf_token", timeout=10).json()["csrf_token"]
    headers = {"X-CSRF-Token": csrf}
    wrong = api("POST", "/signin", {"username": "alice", "password": "not this"}, headers=headers)
    right = api("POST", "/signin", {"username": "alice", "password": PASSWORD}, headers=headers)
    assert (wrong.status_code, right.status_code) == (403, 429)
    assert right.headers["Retry-After"] == "0"


def test_a_bad_token_counts_as_nobody(quay: SandboxQuay) -> None:
    bad = Api(quay, "no such token")
    assert bad("GET", "/organization/team").json()["is_admin"] is False
    assert bad("GET", "/user/").json()["error_type"] == "invalid_token"
    refused = bad("PUT", "/organization/team", {})
    assert (refused.status_code, refused.json()) == (403, {"error": "CSRF token was invalid or missing."})
    assert Api(quay, quay.token(ADMIN, lifetime=-1))("GET", "/user/").status_code == 401


@pytest.mark.parametrize(
    ("scope", "status"), [("user:admin", 201), ("org:admin", 403), ("super:user", 403), ("repo:create", 403), ("user:read", 403)]
)
def test_creating_an_organization_takes_one_scope(quay: SandboxQuay, scope: str, status: int) -> None:
    assert Api(quay, quay.token(ADMIN, scope))("POST", "/organization/", {"name": "other"}).status_code == status


# ---------------------------------------------------------------- URL traps


def test_slashes_decide_and_unknown_paths_are_pages(quay: SandboxQuay, admin: Api) -> None:
    moved = admin("POST", "/organization", {"name": "x1"})
    assert (moved.status_code, moved.headers["Location"]) == (308, f"{quay.url}/api/v1/organization/")
    assert admin("GET", "/organization/team/").status_code == 404
    assert admin("GET", "/nope").status_code == 308
    unknown = admin("GET", "/nope/")
    assert unknown.status_code == 404
    assert len(unknown.text) > 80000
    assert "<html" in admin("POST", "/nope").text
    assert admin("PATCH", "/organization/team").json() == {"message": "The method is not allowed for the requested URL."}


def test_a_sub_path_that_is_none_is_another_repository(quay: SandboxQuay, admin: Api) -> None:
    quay.add_repository("team/app")
    quay.add_repository("team/app/mirror")
    assert admin("DELETE", "/repository/team/app/mirror").status_code == 204
    assert quay.repositories == ["team/app"]


def test_what_is_switched_off_looks_like_an_unknown_path(open_quay: Open) -> None:
    quay = open_quay(features={"REPO_MIRROR": False})
    quay.add_user(ADMIN, superuser=True)
    quay.add_repository(f"{ADMIN}/app")
    api = Api(quay, quay.token(ADMIN))
    answer = api("PUT", f"/repository/{ADMIN}/app/changestate", {"state": "NORMAL"})
    assert (answer.status_code, answer.json()["detail"].splitlines()[0]) == (400, "'description' is a required property")
    assert requests.get(f"{quay.url}/config", timeout=10).json()["features"]["REPO_MIRROR"] is False
    assert "/api/v1/repository/{repository}/changestate" not in api("GET", "/discovery").json()["paths"]


def test_versions_differ(open_quay: Open) -> None:
    old, new = open_quay(version="3.8"), open_quay(version="3.18")
    for quay in (old, new):
        quay.add_user(ADMIN, superuser=True)
        quay.add_organization("team", ADMIN)
        quay.add_robot("team+bot")
    again = [Api(quay, quay.token(ADMIN))("PUT", "/organization/team/robots/bot", {}).json() for quay in (old, new)]
    assert again[0] == {"message": "Existing robot with name: team+bot"}
    assert again[1]["detail"] == "Existing robot with name: team+bot"
    assert "version_number" not in requests.get(f"{old.url}/config", timeout=10).json()
    assert requests.get(f"{new.url}/config", timeout=10).json()["version_number"] == "Quay v3.18.0"
    fields = [Api(quay)("GET", "/discovery").json()["definitions"]["NewOrg"]["properties"] for quay in (old, new)]
    assert ["contact_email" in found for found in fields] == [False, True]


def test_a_read_only_registry_refuses_writes(open_quay: Open) -> None:
    quay = open_quay(registry_state="readonly")
    quay.add_user(ADMIN, superuser=True)
    api = Api(quay, quay.token(ADMIN))
    refused = api("POST", "/organization/", {"name": "other"})
    assert (refused.status_code, refused.json()["is_readonly"]) == (503, True)
    assert api("GET", "/user/").status_code == 200


# ---------------------------------------------------------------- resources


def test_an_organization_lives_and_ends(quay: SandboxQuay, admin: Api) -> None:
    assert admin("POST", "/organization/", {"name": "other", "email": "o@example.com"}).json() == "Created"
    assert admin("POST", "/organization/", {"name": "other"}).json()["error_type"] == "invalid_request"
    assert admin("PUT", "/organization/other", {"tag_expiration_s": 86400}).json()["tag_expiration_s"] == 86400
    assert admin("PUT", "/organization/other", {"tag_expiration_s": 5}).json() == {"message": "Invalid tag expiration option"}
    quay.add_robot("other+bot")
    quay.load("other/app", "1", simple_image("app"))
    assert admin("PUT", "/superuser/organizations/other", {"name": "renamed"}).status_code == 200
    assert quay.repositories == ["renamed/app"]
    assert admin("GET", "/organization/renamed/robots/bot").json()["name"] == "renamed+bot"
    assert [admin("DELETE", "/organization/renamed").status_code for _again in range(2)] == [204, 404]
    assert quay.repositories == []


def test_only_its_admins_change_an_organization(quay: SandboxQuay) -> None:
    alice = Api(quay, quay.token("alice"))
    assert alice("PUT", "/organization/team", {}).status_code == 403
    assert alice("GET", "/organization/team/robots").status_code == 403
    assert alice("GET", "/repository/team/nothing").status_code == 403


def test_a_superuser_without_full_access_takes_ownership_first(open_quay: Open) -> None:
    quay = open_quay(features={"SUPERUSERS_FULL_ACCESS": False})
    quay.add_user(ADMIN, superuser=True)
    quay.add_user("alice")
    quay.add_organization("hers", "alice")
    api = Api(quay, quay.token(ADMIN))
    assert api("PUT", "/organization/hers", {}).status_code == 403
    assert api("POST", "/superuser/takeownership/hers", {}).json() == {"namespace": "hers"}
    assert api("PUT", "/organization/hers", {}).status_code == 200


def test_teams_and_their_members(quay: SandboxQuay, admin: Api) -> None:
    assert [admin("PUT", "/organization/team/team/devs", {"role": "member"}).json()["new_team"] for _again in range(2)] == [True, False]
    assert admin("PUT", "/organization/team/team/devs/members/alice").json()["invited"] is False
    again = admin("PUT", "/organization/team/team/devs/members/alice")
    assert (again.status_code, again.json()) == (400, {"message": "User alice is already a member of team devs"})
    assert [row["name"] for row in admin("GET", "/organization/team/members").json()["members"]] == [ADMIN, "alice"]
    assert admin("DELETE", "/organization/team/team/owners").status_code == 400


def test_repositories_are_listed_in_pages(quay: SandboxQuay, admin: Api) -> None:
    for number in range(130):
        quay.add_repository(f"team/r{number:03}")
    first = admin("GET", "/repository", params={"namespace": "team"}).json()
    second = admin("GET", "/repository", params={"namespace": "team", "next_page": first["next_page"]}).json()
    assert [len(page["repositories"]) for page in (first, second)] == [100, 30]
    assert "next_page" not in second
    assert Api(quay)("GET", "/repository", params={"namespace": "team", "public": "true"}).json() == {"repositories": []}


def test_permissions_come_and_go(quay: SandboxQuay, admin: Api) -> None:
    quay.add_repository("team/app")
    path = "/repository/team/app/permissions/user/alice"
    assert admin("PUT", path, {"role": "write"}).json()["is_org_member"] is False
    assert Api(quay, quay.token("alice"))("GET", "/repository/team/app").json()["can_write"] is True
    assert [admin("DELETE", path).status_code for _again in range(2)] == [204, 400]
    assert admin("PUT", "/repository/team/none/permissions/user/alice", {"role": "read"}).status_code == 500


# ------------------------------------------------------------- the registry


def test_a_push_makes_a_private_repository_of_its_robot(quay: SandboxQuay, admin: Api) -> None:
    made = admin("PUT", "/organization/team/robots/pusher", {}).json()
    assert push(quay, "team+pusher", made["token"], "team/app") == 401
    admin("PUT", "/organization/team/team/makers", {"role": "creator"})
    admin("PUT", "/organization/team/team/makers/members/team+pusher")
    assert push(quay, "team+pusher", made["token"], "team/app") == 201
    seen = admin("GET", "/repository/team/app").json()
    assert (seen["is_public"], seen["description"], list(seen["tags"])) == (False, None, ["1"])
    assert admin("GET", "/repository/team/app/permissions/user/").json()["permissions"]["team+pusher"]["role"] == "admin"


def test_tokens_of_every_kind_log_in_at_the_registry(quay: SandboxQuay) -> None:
    quay.load("team/app", "1", simple_image("app"))
    quay.add_app_token(ADMIN, "app-code")
    robot = quay.add_robot("team+reader")
    quay.permit("team/app", "team+reader", "read")
    logins = [
        (ADMIN, PASSWORD),
        ("team+reader", robot.token),
        ("$oauthtoken", quay.token(ADMIN, "repo:read")),
        ("$app", "app-code"),
    ]
    for user, password in logins:
        token = registry_token(quay, user, password, "repository:team/app:pull").json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert requests.get(f"{quay.url}/v2/team/app/tags/list", headers=headers, timeout=10).json()["tags"] == ["1"]
    assert push(quay, "team+reader", robot.token, "team/app") == 401
    assert registry_token(quay, "team+reader", "old", "repository:team/app:pull").status_code == 401


def test_a_regenerated_robot_token_is_the_only_one(quay: SandboxQuay, admin: Api) -> None:
    old = quay.add_robot("team+bot").token
    new = admin("POST", "/organization/team/robots/bot/regenerate").json()["token"]
    assert [registry_token(quay, "team+bot", word, "repository:team/x:pull").status_code for word in (old, new)] == [401, 200]


def test_a_repository_that_is_read_only_takes_no_push(quay: SandboxQuay, admin: Api) -> None:
    assert push(quay, ADMIN, PASSWORD, "team/app") == 201
    assert admin("PUT", "/repository/team/app/changestate", {"state": "READ_ONLY"}).json() == {"success": True}
    assert push(quay, ADMIN, PASSWORD, "team/app") == 401


def test_a_deleted_repository_is_gone_from_the_registry(quay: SandboxQuay, admin: Api) -> None:
    assert push(quay, ADMIN, PASSWORD, "team/app") == 201
    assert [admin("DELETE", "/repository/team/app").status_code for _again in range(2)] == [204, 204]
    assert quay.blobs == {}
    assert admin("GET", "/repository/team/app").status_code == 404


def test_public_repositories_need_no_login(quay: SandboxQuay, admin: Api) -> None:
    quay.load("team/app", "1", simple_image("app"))
    assert requests.get(f"{quay.url}/v2/team/app/tags/list", timeout=10).status_code == 401
    admin("POST", "/repository/team/app/changevisibility", {"visibility": "public"})
    assert requests.get(f"{quay.url}/v2/team/app/tags/list", timeout=10).json()["tags"] == ["1"]


def test_writes_can_be_refused_and_calls_counted(quay: SandboxQuay, admin: Api) -> None:
    quay.reset_log()
    quay.refuse_writes = True
    assert admin("POST", "/organization/", {"name": "other"}).status_code == 500
    admin("GET", "/user/")
    Api(quay)("GET", "/discovery")
    assert (quay.api_calls, len(quay.refused), len(quay.api_writes)) == (2, 1, 1)


def test_a_configuration_file_starts_a_quay_with_content(tmp_path: Path) -> None:
    seed = {
        "users": {ADMIN: {"password": PASSWORD, "superuser": True}},
        "organizations": {"team": {"owner": ADMIN}},
        "robots": ["team+bot"],
        "repositories": {"team/app": {"public": True}},
        "tokens": {ADMIN: ""},
    }
    settings = {"kind": "quay", "version": "3.12", "features": {"PROXY_CACHE": False}, "seed": seed}
    with run_instances({"instances": {"quay": settings}}, tmp_path) as described:
        about = described["quay"]
        headers = {"Authorization": f"Bearer {about['tokens'][ADMIN]}"}
        found = requests.get(f"{about['url']}/api/v1/repository?namespace=team", headers=headers, timeout=10).json()
        assert [row["name"] for row in found["repositories"]] == ["app"]
        assert requests.get(f"{about['url']}/v2/auth", auth=("team+bot", about["robots"]["team+bot"]), timeout=10).status_code == 200
