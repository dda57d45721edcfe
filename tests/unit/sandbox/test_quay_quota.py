# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas of the sandbox Quay: who sets them, what is refused, and what they do to pushes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay
from ansible_collections.quayside.airgap.tests.support.image_builders import simple_image
from ansible_collections.quayside.airgap.tests.unit.sandbox.quay_calls import Api, running_quay, said

QUOTA = "/organization/team/quota"


@pytest.fixture
def quay() -> Iterator[SandboxQuay]:
    with running_quay() as quay:
        yield quay


@pytest.fixture
def admin(quay: SandboxQuay) -> Iterator[Api]:
    with Api(quay) as api:
        yield api


@pytest.fixture
def number(admin: Api) -> str:
    """A quota of the organization: its path."""
    assert admin("POST", QUOTA, {"limit_bytes": 1000000}).json() == "Created"
    return f"{QUOTA}/{admin('GET', QUOTA).json()[0]['id']}"


def first_line(answer: requests.Response) -> tuple[int, str]:
    """Status and the telling line of a refusal by schema."""
    status, text = said(answer)
    return status, text.splitlines()[0]


def push(quay: SandboxQuay, name: str, image: Any) -> requests.Response:
    """Push an image with one tag; the first answer that refuses it, else the last."""
    repository, _colon, tag = name.partition(":")
    scope = {"service": quay.service, "scope": f"repository:{repository}:pull,push"}
    token = requests.get(f"{quay.url}/v2/auth", params=scope, auth=("alice", "password1"), timeout=10).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    base = f"{quay.url}/v2/{repository}"
    for digest, blob in image.all_blobs().items():
        answer = requests.post(f"{base}/blobs/uploads/", params={"digest": digest}, data=blob.data, headers=headers, timeout=10)
        if answer.status_code != 201:
            return answer
    headers["Content-Type"] = image.media_type
    return requests.put(f"{base}/manifests/{tag}", data=image.body, headers=headers, timeout=10)


def test_a_quota_lives_and_ends(admin: Api, number: str) -> None:
    shown = {"id": int(number.rpartition("/")[2]), "limit_bytes": 1000000, "limit": "976.6 KiB"}
    shown.update({"default_config": False, "limits": [], "default_config_exists": False})
    assert admin("GET", QUOTA).json() == [shown]
    assert said(admin("POST", QUOTA, {"limit_bytes": 5})) == (400, "Organization quota for 'team' already exists")
    changed = admin("PUT", number, {"limit": "1GiB"})
    assert (changed.text.count("1073741824.0"), changed.json()["limit"]) == (1, "1.0 GiB")
    assert admin("PUT", number, {"limit": "1 GB"}).json()["limit"] == "953.7 MiB"
    for nothing in ({}, {"limit_bytes": 0}):
        assert '"limit_bytes": 1000000000,' in admin("PUT", number, nothing).text
    assert [admin("DELETE", number).status_code for _again in range(2)] == [204, 404]
    assert admin("GET", QUOTA).json() == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"limit_bytes": -1}, "Invalid quota size limit value: '-1'"),
        ({"limit_bytes": 1 << 63}, "Unsupported quota size limit."),
        ({"limit": "5B"}, "Invalid limit format, use a number followed by a unit (e.g. 1GiB)"),
        ({"limit_bytes": 5, "limit": "1GiB"}, "{} is not allowed for 5"),
        ({"limit_bytes": "5"}, "'5' is not of type 'integer'"),
        ({"size": 5}, "'limit_bytes' is a required property"),
    ],
)
def test_sizes_that_are_refused(admin: Api, number: str, body: dict[str, Any], text: str) -> None:
    assert first_line(admin("PUT", number, body)) == (400, text)


def test_a_size_that_is_none_is_told_with_the_pattern(admin: Api, number: str) -> None:
    detail = admin("PUT", number, {"limit": "lots"}).json()["detail"]
    units = "B|KiB|MiB|GiB|TiB|PiB|EiB|ZiB|YiB|Ki|Mi|Gi|Ti|Pi|Ei|Zi|Yi|KB|MB|GB|TB|PB|EB|ZB|YB|K|M|G|T|P|E|Z|Y"
    assert detail.startswith(
        rf"'lots' does not match '^(\\d+\\s?({units})?)$'" + "\n\nFailed validating 'pattern' in schema[1]['properties']"
    )


def test_limits_of_a_quota(admin: Api, number: str) -> None:
    for kind, percent in (("Warning", 80), ("Warning", 90), ("Reject", 100), ("reject", 50)):
        assert admin("POST", f"{number}/limit", {"type": kind, "threshold_percent": percent}).json() == "Created"
    rows = admin("GET", f"{number}/limit").json()
    assert [(row["type"], row["limit_percent"]) for row in rows] == [("Warning", 90), ("Warning", 80), ("Reject", 50), ("Reject", 100)]
    one = f"{number}/limit/{rows[0]['id']}"
    whole = admin("PUT", one, {"threshold_percent": 70}).json()
    assert (whole["limit_bytes"], whole["limits"][0]["limit_percent"]) == (1000000, 70)
    assert admin("PUT", one, {"type": "Reject"}).json()["limits"][1]["type"] == "Reject"
    assert [admin("DELETE", one).status_code for _again in range(2)] == [204, 404]


@pytest.mark.parametrize(
    ("kind", "percent", "key", "text"),
    [
        ("Warning", 80, "detail", "Quota limit already exists"),
        ("Warning", 0, "detail", "Quota limit already exists"),
        ("Reject", 0, "detail", "Quota limit threshold must be between 1 and 100"),
        ("Warning", 101, "message", "Quota limit threshold must be between 1 and 100"),
        ("Foo", 50, "message", "Quota type must be one of [Warning, Reject]"),
    ],
)
def test_limits_that_are_refused(admin: Api, number: str, kind: str, percent: int, key: str, text: str) -> None:
    admin("POST", f"{number}/limit", {"type": "Warning", "threshold_percent": 80})
    refused = admin("POST", f"{number}/limit", {"type": kind, "threshold_percent": percent})
    assert (refused.status_code, refused.json()[key]) == (400, text)


def test_what_is_not_there(admin: Api) -> None:
    assert [admin(*asked).status_code for asked in (("GET", f"{QUOTA}/9999"), ("GET", f"{QUOTA}/abc"))] == [404, 500]
    assert admin("GET", "/organization/nope/quota").status_code == 404
    assert admin("POST", "/organization/nope/quota", {"limit_bytes": 1}).status_code == 404
    assert admin("GET", "/superuser/organization/nope/quota").status_code == 404
    assert admin("POST", "/superuser/organization/nope/quota", {"limit_bytes": 1}).status_code == 500


def test_members_read_and_superusers_write(quay: SandboxQuay, number: str) -> None:
    member, creator, reader = Api(quay, "alice"), Api(quay, "alice", "repo:create"), Api(quay, "alice", "repo:read")
    assert [api("GET", number).status_code for api in (member, creator, reader, Api(quay, "bob"))] == [200, 200, 403, 403]
    owner = Api(quay, "quayadmin", "org:admin")
    assert [owner(method, number, {"limit_bytes": 5}).status_code for method in ("PUT", "DELETE")] == [403, 403]
    assert owner("POST", f"{number}/limit", {"type": "Reject", "threshold_percent": 5}).status_code == 403


def test_superusers_have_paths_of_their_own() -> None:
    with running_quay(features={"SUPERUSERS_FULL_ACCESS": False}) as quay, Api(quay) as admin, Api(quay, "alice") as alice:
        assert admin("POST", QUOTA, {"limit_bytes": 5}).status_code == 403
        for path in ("/superuser/organization/team/quota", "/superuser/users/alice/quota"):
            assert admin("POST", path, {"limit": "10 MiB"}).status_code == 201
            assert said(admin("POST", path, {"limit": "10 MiB"})) == (400, f"Quota for '{path.split('/')[3]}' already exists")
            found = admin("GET", path).json()[0]
            assert (found["limit_bytes"], found["limit"]) == (10485760, "10.0 MiB")
            assert admin("PUT", f"{path}/{found['id']}", {"limit_bytes": 5000000}).json()["limit"] == "4.8 MiB"
        assert [row["limit_bytes"] for row in alice("GET", "/user/quota").json()] == [5000000]
        assert admin("DELETE", f"/superuser/users/alice/quota/{found['id']}").status_code == 204
        assert alice("GET", "/user/quota").json() == []


def test_versions_differ() -> None:
    with running_quay(version="3.8") as quay, Api(quay) as admin:
        assert first_line(admin("POST", QUOTA, {"limit": "10 MiB"})) == (400, "'limit_bytes' is a required property")
        admin("POST", QUOTA, {"limit_bytes": 5})
        found = admin("GET", QUOTA).json()[0]
        assert sorted(found) == ["default_config", "default_config_exists", "id", "limit_bytes", "limits"]
        assert admin("PUT", f"{QUOTA}/{found['id']}", {"limit": "lots"}).json() == found
        assert said(admin("PUT", f"{QUOTA}/{found['id']}", {"limit_bytes": 0})) == (400, "Invalid quota size limit value: '0'")
        assert admin("GET", "/organization/team").json()["quota_report"] == {"quota_bytes": 0, "configured_quota": 5}
    with running_quay(features={"QUOTA_MANAGEMENT": False}) as quay, Api(quay) as admin:
        assert admin("POST", QUOTA, {"limit_bytes": 5}).status_code == 405


def test_views_tell_what_is_stored(quay: SandboxQuay, admin: Api, number: str) -> None:
    image = simple_image("counted")
    for name in ("team/app", "team/copy"):
        quay.load(name, "1", image)
    size = sum(len(blob.data) for blob in image.all_blobs().values())
    view = admin("GET", "/organization/team").json()
    assert view["quotas"] == [{"id": int(number.rpartition("/")[2]), "limit_bytes": 1000000, "limits": []}]
    report = {"quota_bytes": size, "configured_quota": 1000000, "running_backfill": "complete", "backfill_status": "complete"}
    assert view["quota_report"] == report
    rows = admin("GET", "/repository?namespace=team").json()["repositories"]
    assert [row["quota_report"] for row in rows] == [{"quota_bytes": size, "configured_quota": 1000000}] * 2
    assert admin("GET", "/superuser/users/alice").json()["quota_report"]["backfill_status"] == "waiting"


def test_a_push_beyond_a_reject_limit_is_denied(quay: SandboxQuay, admin: Api, number: str) -> None:
    admin("POST", f"{number}/limit", {"type": "Reject", "threshold_percent": 50})
    assert push(quay, "team/app:1", simple_image("small")).status_code == 201
    refused = push(quay, "team/app:big", simple_image("big", size=600000))
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "DENIED")
    assert refused.json()["errors"][0]["message"] == "Quota has been exceeded on namespace"
    assert push(quay, "team/app:2", simple_image("small too")).status_code == 201
    admin("DELETE", number)
    assert push(quay, "team/app:big", simple_image("big", size=600000)).status_code == 201


def test_a_warning_denies_nothing(quay: SandboxQuay, admin: Api, number: str) -> None:
    admin("POST", f"{number}/limit", {"type": "Warning", "threshold_percent": 1})
    assert push(quay, "team/app:big", simple_image("big", size=600000)).status_code == 201


def test_the_registry_may_have_a_default() -> None:
    with running_quay(settings={"DEFAULT_SYSTEM_REJECT_QUOTA_BYTES": 1000}) as quay, Api(quay) as admin:
        assert admin("GET", QUOTA).json()[0]["default_config"] is True
        assert admin("GET", "/organization/team").json()["quotas"] == []
        assert push(quay, "team/app:1", simple_image("big", size=5000)).status_code == 403


def test_the_size_of_the_registry_is_queued_once(admin: Api) -> None:
    assert admin("GET", "/superuser/registrysize/").json() == {"size_bytes": 0, "last_ran": None, "running": False, "queued": False}
    assert [admin("POST", "/superuser/registrysize/", {}).status_code for _again in range(2)] == [201, 202]
