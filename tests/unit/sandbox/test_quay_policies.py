# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Auto-prune and immutability policies of the sandbox Quay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay
from ansible_collections.quayside.airgap.tests.support.image_builders import simple_image
from ansible_collections.quayside.airgap.tests.unit.sandbox.quay_calls import Api, running_quay, said

PLACES = ["/organization/team", "/repository/team/app", "/user"]
TAGS = {"method": "number_of_tags", "value": 10}


@pytest.fixture
def quay() -> Iterator[SandboxQuay]:
    with running_quay() as quay:
        quay.add_repository("team/app")
        yield quay


@pytest.fixture
def admin(quay: SandboxQuay) -> Iterator[Api]:
    with Api(quay) as api:
        yield api


@pytest.mark.parametrize("place", PLACES)
def test_an_autoprune_policy_lives_and_ends(admin: Api, place: str) -> None:
    path = f"{place}/autoprunepolicy/"
    assert admin("GET", path).json() == {"policies": []}
    made = admin("POST", path, TAGS)
    uuid = made.json()["uuid"]
    assert (made.status_code, admin("POST", path, {**TAGS, "value": 5, "tagPattern": " ^dev- "}).status_code) == (201, 201)
    assert admin("GET", path + uuid).json() == {"uuid": uuid, **TAGS, "tagPattern": None, "tagPatternMatches": True}
    assert [policy["tagPattern"] for policy in admin("GET", path).json()["policies"]] == [None, "^dev-"]
    assert admin("PUT", path + uuid, {"method": "creation_date", "value": "2w"}).status_code == 204
    assert admin("GET", path + uuid).json()["value"] == "2w"
    deleted = admin("DELETE", path + uuid)
    assert (deleted.status_code, deleted.json()) == (200, {"uuid": uuid})
    assert [admin(method, path + uuid, TAGS).status_code for method in ("GET", "PUT", "DELETE")] == [404, 404, 404]


@pytest.mark.parametrize(("place", "owner"), [(PLACES[0], "namespace"), (PLACES[1], "repository"), (PLACES[2], "namespace")])
def test_the_same_policy_twice_is_refused_but_not_by_change(admin: Api, place: str, owner: str) -> None:
    path = f"{place}/autoprunepolicy/"
    admin("POST", path, TAGS)
    text = f"Existing policy with same values for this {owner}, duplicate policies are not permitted"
    assert said(admin("POST", path, TAGS)) == (400, text)
    other = admin("POST", path, {**TAGS, "value": 3}).json()["uuid"]
    assert admin("PUT", path + other, TAGS).status_code == 204
    assert [policy["value"] for policy in admin("GET", path).json()["policies"]] == [10, 10]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"method": "foo", "value": 10}, "Invalid method provided"),
        ({"method": "number_of_tags", "value": 0}, "Invalid value given for method type"),
        ({"method": "number_of_tags", "value": "10"}, "Invalid value given for method type"),
        ({"method": "creation_date", "value": 7}, "Invalid value given for method type"),
        ({"method": "creation_date", "value": "soon"}, "Invalid value given for method type"),
        ({**TAGS, "tagPattern": " "}, "tag_pattern cannot be empty"),
        ({"method": "number_of_tags"}, "'value' is a required property"),
    ],
)
def test_what_autoprune_refuses(admin: Api, body: dict[str, Any], text: str) -> None:
    status, detail = said(admin("POST", "/organization/team/autoprunepolicy/", body))
    assert (status, detail.splitlines()[0]) == (400, text)


def test_autoprune_takes_any_pattern(admin: Api) -> None:
    assert admin("POST", "/organization/team/autoprunepolicy/", {**TAGS, "tagPattern": "(["}).status_code == 201


def test_autoprune_of_what_is_not_there(admin: Api) -> None:
    assert admin("GET", "/organization/nope/autoprunepolicy/").json() == {"policies": []}
    assert admin("POST", "/organization/nope/autoprunepolicy/", TAGS).status_code == 404
    assert [admin(method, "/repository/team/ghost/autoprunepolicy/", TAGS).status_code for method in ("GET", "POST")] == [404, 404]


@pytest.mark.parametrize("part", ["autoprunepolicy", "immutabilitypolicy"])
def test_only_admins_touch_policies(quay: SandboxQuay, part: str) -> None:
    alice = Api(quay, "alice")
    reader = Api(quay, "quayadmin", "user:read repo:read")
    for path in (f"/organization/team/{part}/", f"/repository/team/app/{part}/"):
        assert [api("GET", path).json()["error_type"] for api in (alice, reader)] == ["insufficient_scope"] * 2
        assert alice("POST", path, {**TAGS, "tagPattern": "x"}).status_code == 403


def test_versions_differ() -> None:
    body = {**TAGS, "tagPattern": "^dev-"}
    with running_quay(version="3.12") as quay, Api(quay) as admin:
        quay.add_repository("team/app")
        definition = admin("GET", "/discovery").json()["definitions"]["AutoPrunePolicyConfig"]
        assert sorted(definition["properties"]) == ["method", "value"]
        for place, owner in zip(PLACES, ("namespace", "repository", "namespace")):
            path = f"{place}/autoprunepolicy/"
            uuid = admin("POST", path, body).json()["uuid"]
            assert admin("GET", path).json()["policies"] == [{"uuid": uuid, **TAGS}]
            text = f"Policy for this {owner} already exists, delete existing to create new policy"
            assert said(admin("POST", path, {**TAGS, "value": 20})) == (400, text)
        assert admin("GET", "/organization/team/immutabilitypolicy/").status_code == 404
    with running_quay(version="3.8") as quay, Api(quay) as admin:
        assert admin("POST", "/organization/team/autoprunepolicy/", TAGS).status_code == 405
        assert not [path for path in admin("GET", "/discovery").json()["paths"] if "policy" in path]


@pytest.mark.parametrize("place", PLACES[:2])
def test_an_immutability_policy_lives_and_ends(admin: Api, place: str) -> None:
    path = f"{place}/immutabilitypolicy/"
    uuid = admin("POST", path, {"tagPattern": "^rel-.*", "tagPatternMatches": False}).json()["uuid"]
    assert said(admin("POST", path, {"tagPattern": "^rel-.*"})) == (400, "A policy with the same tag_pattern already exists")
    assert admin("PUT", path + uuid, {"tagPattern": "^release-.*"}).status_code == 204
    assert admin("GET", path).json() == {"policies": [{"uuid": uuid, "tagPattern": "^release-.*", "tagPatternMatches": True}]}
    other = admin("POST", path, {"tagPattern": "x"}).json()["uuid"]
    assert admin("PUT", path + other, {"tagPattern": "^release-.*"}).status_code == 400
    assert admin("DELETE", path + uuid).json() == {"uuid": uuid}
    assert [admin(method, path + uuid, {"tagPattern": "y"}).status_code for method in ("GET", "PUT", "DELETE")] == [404, 404, 404]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("([", "Invalid regex pattern: unterminated character set at position 2"),
        ("(rel", "Invalid regex pattern: missing ) at position 4"),
        ("*a", "Invalid regex pattern: nothing to repeat at position 0"),
        (" ", "tag_pattern is required and must be a non-empty string"),
        ("x" * 257, "tag_pattern must be 256 characters or less"),
    ],
)
def test_what_immutability_refuses(admin: Api, pattern: str, text: str) -> None:
    assert said(admin("POST", "/repository/team/app/immutabilitypolicy/", {"tagPattern": pattern})) == (400, text)


def test_immutability_of_what_is_not_there(admin: Api) -> None:
    path = "/organization/nope/immutabilitypolicy/"
    assert admin("GET", path).json() == {"policies": []}
    missing = [admin("POST", path, {"tagPattern": "x"}), admin("PUT", path + "zzz", {"tagPattern": "x"}), admin("DELETE", path + "zzz")]
    assert [(answer.status_code, answer.json()) for answer in missing] == [(400, {"message": "Username does not exist: nope"})] * 3
    assert admin("POST", "/repository/team/ghost/immutabilitypolicy/", {"tagPattern": "(["}).status_code == 404


@pytest.mark.parametrize("place", PLACES[:2])
def test_matching_tags_become_immutable_and_stay_so(quay: SandboxQuay, admin: Api, place: str) -> None:
    quay.load("team/app", "rel-1", simple_image("one"))
    uuid = admin("POST", f"{place}/immutabilitypolicy/", {"tagPattern": "rel-[0-9]+"}).json()["uuid"]
    for tag in ("rel-2", "rel-2-rc", "dev"):
        quay.load("team/app", tag, simple_image("two"))
    admin("DELETE", f"{place}/immutabilitypolicy/{uuid}")
    quay.load("team/app", "rel-3", simple_image("three"))
    tags = admin("GET", "/repository/team/app/tag/?onlyActiveTags=true").json()["tags"]
    assert sorted(tag["name"] for tag in tags if tag["immutable"]) == ["rel-1", "rel-2"]
    assert admin("DELETE", "/repository/team/app/tag/rel-2").status_code == 409
