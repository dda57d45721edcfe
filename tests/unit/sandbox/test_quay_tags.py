# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags of the sandbox Quay: their history, and what a real one refuses, forgets and remembers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from ansible_collections.quayside.airgap.tests.sandbox.quay import tag_history
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay
from ansible_collections.quayside.airgap.tests.support.images import Image, multi_arch, simple_image

TAGS = "/repository/team/app/tag/"
ONE, TWO = simple_image("one", fmt="docker"), simple_image("two", fmt="docker", config={"Labels": {"who": "b"}})
DAY = 86400


class Tags:
    """A Quay with the repository team/app, and calls of its owner or others."""

    def __init__(self, options: QuayOptions) -> None:
        self.quay = SandboxQuay(options)
        self.quay.add_user("quayadmin", superuser=True)
        self.quay.add_user("alice")
        self.quay.add_organization("team", owner="quayadmin")
        self.repository = self.quay.add_repository("team/app", creator="quayadmin")
        self.tokens = {name: self.quay.token(name) for name in ("quayadmin", "alice")}

    def __call__(self, method: str, path: str, body: Any = None, *, user: str = "quayadmin", **query: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.tokens[user]}"} if user else {}
        url = f"{self.quay.url}/api/v1{path}"
        return requests.request(method, url, json=body, params=query, headers=headers, allow_redirects=False, timeout=10)

    def load(self, tag: str, image: Image) -> str:
        return self.quay.load("team/app", tag, image)

    def rows(self, tag: str = "", **query: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self("GET", TAGS, specificTag=tag, **query).json()["tags"]
        return rows

    def put(self, tag: str, **body: Any) -> int:
        return self("PUT", TAGS + tag, body).status_code

    def delete_by_client(self, reference: str) -> requests.Response:
        login = ("$oauthtoken", self.tokens["quayadmin"])
        query = {"service": self.quay.service, "scope": "repository:team/app:*"}
        token = requests.get(f"{self.quay.url}/v2/auth", params=query, auth=login, timeout=10).json()["token"]
        url = f"{self.quay.url}/v2/team/app/manifests/{reference}"
        return requests.delete(url, headers={"Authorization": f"Bearer {token}"}, timeout=10)

    def earlier(self, seconds: int) -> None:
        """Let everything that is remembered have happened some time ago."""
        for row in tag_history.of(self.quay.world, self.repository).rows:
            row.start -= 1000 * seconds
            row.end = None if row.end is None else row.end - 1000 * seconds


@pytest.fixture
def tags(request: pytest.FixtureRequest) -> Iterator[Tags]:
    made = Tags(QuayOptions(**getattr(request, "param", {})))
    with made.quay:
        yield made


# ------------------------------------------------------------------ listing


def test_a_tag_that_was_pushed_shows_when_and_what(tags: Tags) -> None:
    before = int(time.time())
    digest = tags.load("1", ONE)
    (row,) = tags.rows("1")
    assert before <= row.pop("start_ts") <= time.time()
    assert row.pop("last_modified").endswith(" -0000")
    facts = {"manifest_digest": digest, "is_manifest_list": False, "size": sum(blob.size for blob in ONE.blobs[:-1])}
    assert row == {"name": "1", "reversion": False, "immutable": False, **facts}


def test_a_list_names_its_images(tags: Tags) -> None:
    many = multi_arch("many")
    tags.load("many", many)
    (row,) = tags.rows("many")
    assert (row["is_manifest_list"], row["size"], row["is_sparse"], row["present_child_count"]) == (True, None, False, 3)
    assert row["child_manifests_presence"] == dict.fromkeys((child.digest for child in many.walk() if child is not many), True)


def test_the_list_is_the_history_unless_active_tags_are_asked_for(tags: Tags) -> None:
    for image in (ONE, TWO):
        tags.load("1", image)
    tags("DELETE", TAGS + "1")
    tags.load("1", ONE)
    assert [(row["manifest_digest"], "end_ts" in row) for row in tags.rows("1")] == [
        (ONE.digest, False),
        (TWO.digest, True),
        (ONE.digest, True),
    ]
    assert [row["manifest_digest"] for row in tags.rows("1", onlyActiveTags="true")] == [ONE.digest]


def test_pages_are_cut_and_clamped(tags: Tags) -> None:
    for number in range(120):
        tags.load(f"t{number}", ONE)
    sizes = {}
    for limit in ("", "2", "0", "500"):
        page = tags("GET", TAGS, **({"limit": limit} if limit else {})).json()
        sizes[limit] = (len(page["tags"]), page["page"], page["has_additional"])
    assert sizes == {"": (50, 1, True), "2": (2, 1, True), "0": (1, 1, True), "500": (100, 1, True)}
    last = tags("GET", TAGS, limit="100", page="2").json()
    assert (len(last["tags"]), last["has_additional"]) == (20, False)
    assert tags("GET", TAGS, limit="x").json() == {"message": {"limit": "Limit to the number of results to return per page. Max 100."}}


@pytest.mark.parametrize(
    ("tags", "text", "names"),
    [
        ({"version": "3.18"}, "like:V", ["v1", "v2"]),
        ({"version": "3.18"}, "eq:v2", ["v2"]),
        ({"version": "3.18"}, "foo:v2", ["other", "v1", "v2"]),
        ({"version": "3.18"}, "v2", None),
        ({"version": "3.8"}, "eq:v2", ["other", "v1", "v2"]),
    ],
    indirect=["tags"],
)
def test_names_are_filtered_since_3_9(tags: Tags, text: str, names: list[str] | None) -> None:
    for name in ("v1", "v2", "other"):
        tags.load(name, ONE)
    answer = tags("GET", TAGS, filter_tag_name=text)
    if names is None:
        assert (answer.status_code, "Unsupported syntax" in answer.json()["message"]) == (400, True)
    else:
        assert sorted(row["name"] for row in answer.json()["tags"]) == names


def test_the_view_of_the_repository_has_its_tags(tags: Tags) -> None:
    tags.load("1", ONE)
    tags.load("2", TWO)
    tags.put("1", expiration=int(time.time()) + DAY)
    shown = tags("GET", "/repository/team/app").json()["tags"]
    assert list(shown["1"]) == ["name", "size", "last_modified", "expiration", "manifest_digest"]
    assert "expiration" not in shown["2"]
    assert "tags" not in tags("GET", "/repository/team/app", includeTags="false").json()


# ------------------------------------------------------------- moving, ending


def test_a_tag_points_only_to_what_a_live_tag_leads_to(tags: Tags) -> None:
    many = multi_arch("many")
    for tag, image in {"1": ONE, "dead": TWO, "many": many}.items():
        tags.load(tag, image)
    tags("DELETE", TAGS + "dead")
    child = next(child.digest for child in many.walk() if child is not many)
    wanted = {ONE.digest: 201, child: 201, TWO.digest: 404, "nonsense": 404}
    assert {digest: tags.put("new", manifest_digest=digest) for digest in wanted} == wanted
    assert (tags.put("new"), tags.put("ghost")) == (201, 201)
    refused = tags("PUT", TAGS + "-bad", {"manifest_digest": ONE.digest})
    assert (refused.status_code, refused.json()["message"].startswith("Invalid tag: must match")) == (400, True)


def test_an_expiration_stays_within_limits_that_count_from_the_beginning(tags: Tags) -> None:
    tags.load("1", ONE)
    (row,) = tags.rows("1")
    ends = []
    for seconds in (60, DAY, 20 * 365 * DAY):
        tags.put("1", expiration=row["start_ts"] + seconds)
        ends.append(tags.rows("1")[0]["end_ts"] - row["start_ts"])
    assert ends == [3600, DAY, 104 * 7 * DAY]
    assert tags.put("1", expiration=None) == 201
    assert "end_ts" not in tags.rows("1")[0]
    wrong = {"past": 1000, "text": "2w"}
    assert {name: tags.put("1", expiration=value) for name, value in wrong.items()} == {"past": 400, "text": 400}
    assert tags.put("ghost", expiration=row["start_ts"] + DAY) == 404


def test_a_tag_that_moves_loses_the_expiration_of_the_same_call(tags: Tags) -> None:
    tags.load("1", ONE)
    tags.load("2", TWO)
    assert tags.put("1", manifest_digest=TWO.digest, expiration=int(time.time()) + DAY) == 201
    assert [("expiration" in row, row["manifest_digest"]) for row in tags.rows("1")] == [(False, TWO.digest), (True, ONE.digest)]


def test_what_expired_is_gone_and_can_be_restored_while_it_is_kept(tags: Tags) -> None:
    tags.load("1", ONE)
    tags.put("1", expiration=int(time.time()) + DAY)
    tags.earlier(2 * DAY)
    assert tags.rows("1", onlyActiveTags="true") == []
    assert tags.quay.tags("team/app") == {}
    assert tags("POST", TAGS + "1/restore", {"manifest_digest": ONE.digest}).json() == {}
    assert [row["reversion"] for row in tags.rows("1")] == [True, False]
    tags("DELETE", TAGS + "1")
    tags.earlier(30 * DAY)
    assert tags.rows("1") == []
    assert tags("POST", TAGS + "1/restore", {"manifest_digest": ONE.digest}).status_code == 404


def test_a_label_of_the_image_ends_its_tag(tags: Tags) -> None:
    tags.load("short", simple_image("short", config={"Labels": {"quay.expires-after": "2h"}}))
    (row,) = tags.rows("short")
    assert row["end_ts"] - row["start_ts"] == 7200


def test_deleting_by_digest_takes_all_tags_and_restoring_brings_one_back(tags: Tags) -> None:
    for tag in ("1", "2"):
        tags.load(tag, ONE)
    assert tags("DELETE", TAGS + "2").status_code == 204
    assert list(tags.quay.tags("team/app")) == ["1"]
    tags.put("2", manifest_digest=ONE.digest)
    assert tags.delete_by_client(ONE.digest).status_code == 202
    assert tags.quay.tags("team/app") == {}
    assert tags("POST", TAGS + "1/restore", {"manifest_digest": ONE.digest}).status_code == 200
    assert tags.quay.tags("team/app") == {"1": ONE.digest}
    assert tags.quay.verify() == []
    assert [tags("DELETE", TAGS + "1").status_code for _again in range(2)] == [204, 404]
    assert tags("POST", TAGS + "1/restore", {}).json()["detail"] == "Missing manifest_digest"


# ---------------------------------------------------------------- immutable


def test_an_immutable_tag_takes_no_change(tags: Tags) -> None:
    tags.load("1", ONE)
    assert [tags.put("1", immutable=True) for _again in range(2)] == [201, 201]
    refused = [
        tags("DELETE", TAGS + "1"),
        tags("PUT", TAGS + "1", {"manifest_digest": ONE.digest}),
        tags("POST", TAGS + "1/restore", {"manifest_digest": ONE.digest}),
        tags("PUT", TAGS + "1", {"expiration": int(time.time()) + DAY}),
    ]
    assert [answer.status_code for answer in refused] == [409, 409, 409, 400]
    assert [answer.json().get("detail") or answer.json()["message"] for answer in refused] == [
        "Cannot delete immutable tag '1'",
        "Cannot overwrite immutable tag '1'",
        "Cannot overwrite immutable tag '1'",
        "Cannot set expiration on immutable tag '1'",
    ]
    by_client = tags.delete_by_client(ONE.digest)
    assert (by_client.status_code, by_client.json()["errors"][0]["code"]) == (409, "TAG_IMMUTABLE")
    assert tags.put("1", immutable=False) == 201
    assert tags("DELETE", TAGS + "1").status_code == 204


def test_only_an_administrator_makes_a_tag_changeable_again(tags: Tags) -> None:
    tags.load("1", ONE)
    tags.quay.permit("team/app", "alice", "write")
    changes = [tags("PUT", TAGS + "1", {"immutable": wanted}, user="alice").status_code for wanted in (True, False)]
    assert changes == [201, 403]


def test_a_tag_that_ends_cannot_become_immutable(tags: Tags) -> None:
    tags.load("1", ONE)
    tags.put("1", expiration=int(time.time()) + DAY)
    answer = tags("PUT", TAGS + "1", {"immutable": True})
    assert (answer.status_code, "tag has expiration set" in answer.json()["message"]) == (400, True)


@pytest.mark.parametrize("tags", [{"version": "3.15"}], indirect=True)
def test_before_3_17_nothing_is_immutable(tags: Tags) -> None:
    tags.load("1", ONE)
    tags.load("many", multi_arch("many"))
    assert tags.put("1", immutable=True) == 201
    assert ["immutable" in row or "is_sparse" in row for row in tags.rows()] == [False, False]
    assert tags("DELETE", TAGS + "1").status_code == 204


# ----------------------------------------------------------- who, and where


@pytest.mark.parametrize(
    ("scope", "listed", "deleted"),
    [("repo:read", 200, 403), ("repo:write", 200, 404), ("repo:create", 403, 403), ("org:admin", 403, 403), ("super:user", 200, 404)],
)
def test_scopes_decide(tags: Tags, scope: str, listed: int, deleted: int) -> None:
    tags.tokens["quayadmin"] = tags.quay.token("quayadmin", scope)
    assert (tags("GET", TAGS).status_code, tags("DELETE", TAGS + "ghost").status_code) == (listed, deleted)


def test_a_repository_that_is_not_there_or_takes_no_change(tags: Tags) -> None:
    assert tags("GET", "/repository/team/ghost/tag/").status_code == 404
    assert [tags("GET", TAGS, user=user).status_code for user in ("alice", "")] == [403, 401]
    tags.load("1", ONE)
    tags.repository.state = "MIRROR"
    for method, body in (("DELETE", None), ("PUT", {"expiration": "wrong"})):
        refused = tags(method, TAGS + "1", body)
        assert (refused.status_code, refused.json()) == (503, {"message": "Repository is in read only or mirror mode: 2"})


# ---------------------------------------------------------------- manifests


def test_a_manifest_and_its_layers(tags: Tags) -> None:
    tags.load("1", ONE)
    shown = tags("GET", f"/repository/team/app/manifest/{ONE.digest}").json()
    assert shown["manifest_data"] == ONE.body.decode()
    assert [(layer["index"], layer["command"], layer["blob_digest"]) for layer in shown["layers"]] == [
        (number, [f"layer {number}"], layer.digest) for number, layer in enumerate(ONE.blobs[:-1])
    ]
    assert shown["layers"][0]["created_datetime"] == "Mon, 01 Jan 2024 00:00:00 -0000"
    assert tags("GET", "/repository/team/app/manifest/1").status_code == 404
    tags("DELETE", TAGS + "1")
    assert tags("GET", f"/repository/team/app/manifest/{ONE.digest}").status_code == 404


def test_labels_of_the_image_stay_and_others_come_and_go(tags: Tags) -> None:
    tags.load("1", TWO)
    path = f"/repository/team/app/manifest/{TWO.digest}/labels"
    (own,) = tags("GET", path).json()["labels"]
    assert (own["key"], own["value"], own["source_type"]) == ("who", "b", "manifest")
    assert tags("DELETE", f"{path}/{own['id']}").json() == {"message": "Cannot delete immutable label"}
    added = tags("POST", path, {"key": "team", "value": "[1]", "media_type": None})
    label = added.json()["label"]
    assert (added.status_code, label["source_type"], label["media_type"]) == (201, "api", "application/json")
    assert tags("GET", path, filter="te").json() == {"labels": [label]}
    assert [tags("DELETE", f"{path}/{label['id']}").status_code for _again in range(2)] == [204, 404]
    faults = {"BAD KEY": "Label is of an invalid format or missing", "quay.io.x": "Label has a reserved prefix"}
    for key, words in faults.items():
        assert tags("POST", path, {"key": key, "value": "", "media_type": "text/plain"}).json()["message"].startswith(words)
    assert tags("POST", path, {"key": "team", "value": ""}).json()["detail"].startswith("'media_type' is a required property")
