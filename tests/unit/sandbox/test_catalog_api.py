# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox catalog answers as the catalog API does: paging, filters, order, selection of fields, layout of bodies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from ansible_collections.quayside.airgap.tests.sandbox.catalog.server import CatalogOptions, SandboxCatalog
from ansible_collections.quayside.airgap.tests.support.catalog_content import CERTIFIED, date_text
from ansible_collections.quayside.airgap.tests.support.catalog_records import IMAGE_KEYS, ROW_KEYS
from ansible_collections.quayside.airgap.tests.unit.sandbox.helpers import TIME_LIMIT

DUMPED = "isv_pid!=null and certified==true"
ROW_FIELDS = "page,page_size,total,data.csv_name,data.ocp_version,data.channel_name"


class Asker:
    """Asks a catalog and gives what it answered."""

    def __init__(self, catalog: SandboxCatalog) -> None:
        self.catalog = catalog
        self.session = requests.Session()
        self.session.trust_env = False

    def response(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> requests.Response:
        return self.session.get(self.catalog.api_url + path, params=query, headers=headers, timeout=TIME_LIMIT)

    def __call__(self, path: str, **query: Any) -> Any:
        answer = self.response(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ids(self, path: str = "/images", **query: Any) -> list[str]:
        return [row["_id"] for row in self(path, include="data._id", **query)["data"]]


@pytest.fixture(scope="module")
def catalog() -> Iterator[SandboxCatalog]:
    options = CatalogOptions(images=300, organizations={CERTIFIED: 250, "redhat-operators": 20}, undated=3, tie_groups=1, tie_size=7)
    with SandboxCatalog(options) as running:
        yield running


@pytest.fixture
def ask(catalog: SandboxCatalog) -> Asker:
    return Asker(catalog)


# ------------------------------------------------------------------------------------------------------------- paging


def test_pages_are_counted_from_zero_and_hold_a_hundred_records_unless_asked_otherwise(ask: Asker) -> None:
    first = ask("/operators/bundles", filter=f"organization=={CERTIFIED}", exclude="data.csv_description")
    assert (first["page"], first["page_size"], first["total"], len(first["data"])) == (0, 100, 250, 100)
    everything = ask.ids("/operators/bundles", filter=f"organization=={CERTIFIED}", page_size=250)
    for page, number in enumerate((90, 90, 70)):
        rows = ask.ids("/operators/bundles", filter=f"organization=={CERTIFIED}", page=page, page_size=90)
        assert rows == everything[page * 90 : page * 90 + number]


def test_a_page_behind_the_end_is_empty(ask: Asker) -> None:
    assert ask("/images", filter=DUMPED, page=90, include="data._id,page,page_size,total") == {
        "data": [],
        "page": 90,
        "page_size": 100,
        "total": 300,
    }


@pytest.mark.parametrize("query", [{"page_size": "501"}, {"page_size": "0"}, {"page": "-1"}, {"page": "x"}])
def test_pages_that_cannot_be(ask: Asker, query: dict[str, str]) -> None:
    answer = ask.response("/images", None, **query)
    assert answer.status_code == 400
    assert answer.json()["status"] == 400
    assert answer.json()["detail"]


def test_a_catalog_may_make_pages_smaller_instead() -> None:
    with SandboxCatalog(CatalogOptions(images=60, default_page=50, largest_page=50, beyond="reduce")) as catalog:
        page = Asker(catalog)("/images", page_size=500, include="page_size,data._id")
    assert (page["page_size"], len(page["data"])) == (50, 50)


# ------------------------------------------------------------------------------------------------------------ filters


def test_what_dumps_ask_for(ask: Asker, catalog: SandboxCatalog) -> None:
    expected = {image["_id"] for image in catalog.images if image.get("isv_pid") and image["certified"]}
    assert len(expected) == 300 < len(catalog.images)
    assert set(ask.ids(filter=DUMPED, page_size=500)) == expected
    assert set(ask.ids(filter="isv_pid!=null;certified==true", page_size=500)) == expected
    assert set(ask.ids(filter="not(isv_pid==null) and not(certified==false)", page_size=500)) == expected


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">="])
def test_ranges_of_dates_leave_records_without_a_date_out(ask: Asker, catalog: SandboxCatalog, operator: str) -> None:
    dated = sorted(image["creation_date"] for image in catalog.images if image.get("creation_date"))
    middle = dated[len(dated) // 2]
    holds = {"<": middle.__gt__, "<=": middle.__ge__, ">": middle.__lt__, ">=": middle.__le__}[operator]
    found = ask("/images", filter=f"creation_date{operator}{middle}", include="total,data.creation_date", page_size=500)
    assert sorted(row["creation_date"] for row in found["data"]) == [date for date in dated if holds(date)]
    assert found["total"] == len(found["data"]) > 100


def test_a_window_of_dates(ask: Asker, catalog: SandboxCatalog) -> None:
    dated = sorted(image["creation_date"] for image in catalog.images if image.get("creation_date"))
    window = f"creation_date>={dated[50]} and creation_date<={dated[80]}"
    found = ask("/images", filter=window, sort_by="creation_date[desc]", include="data.creation_date")
    assert [row["creation_date"] for row in found["data"]] == dated[80:49:-1]
    assert ask.ids(filter=f"creation_date>{dated[80]} and creation_date<{dated[50]}") == []


def test_dates_may_be_written_otherwise(ask: Asker, catalog: SandboxCatalog) -> None:
    image = next(image for image in catalog.images if image.get("creation_date", "").endswith("000+00:00"))
    written = image["creation_date"].replace("+00:00", "Z")
    assert image["_id"] in ask.ids(filter=f"creation_date=={written}")
    assert ask.response("/images", filter="creation_date<yesterday").status_code == 400


def test_records_without_a_date(ask: Asker) -> None:
    assert len(ask.ids(filter="creation_date==null")) == 3
    assert ask("/images", filter=f"creation_date!=null and {DUMPED}", include="total") == {"total": 297}


def test_paths_run_through_lists(ask: Asker, catalog: SandboxCatalog) -> None:
    listed = next(image for image in catalog.images if image["repositories"][0].get("manifest_list_digest"))
    digest = listed["repositories"][0]["manifest_list_digest"]
    found = ask.ids(filter=f"repositories.manifest_list_digest=={digest}")
    assert listed["_id"] in found
    assert ask.ids(filter=f"image_id=={listed['image_id']}") == [listed["_id"]]
    latest = {
        image["_id"]
        for image in catalog.images
        if any(tag["name"] == "latest" for repository in image["repositories"] for tag in repository.get("tags") or ())
    }
    assert set(ask.ids(filter="repositories.tags.name==latest", page_size=500)) == latest
    assert set(ask.ids(filter="repositories.tags.name!=latest", page_size=500)) == {image["_id"] for image in catalog.images} - latest


def test_one_element_of_a_list_that_fulfils_everything(ask: Asker, catalog: SandboxCatalog) -> None:
    def add(editor: Any) -> str:
        places = [
            {"registry": "one.example.com", "repository": "a/a", "tags": []},
            {"registry": "two.example.com", "repository": "b/b", "tags": []},
        ]
        return editor.add_image(repositories=places)["_id"]

    identifier = catalog.edit(add)
    apart = "repositories.registry==one.example.com and repositories.repository==b/b"
    together = "repositories=em=(registry==one.example.com and repository==b/b)"
    assert ask.ids(filter=apart) == [identifier]
    assert ask.ids(filter=together) == []
    assert ask.ids(filter=together.replace("b/b", "a/a")) == [identifier]
    catalog.edit(lambda editor: editor.remove_image(identifier))


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("architecture=in=(arm64,s390x)", "architecture==arm64 or architecture==s390x"),
        ("architecture=in=(arm64,s390x)", "architecture==arm64,architecture==s390x"),
        ("architecture=out=(amd64,ppc64le)", "not(architecture=in=(amd64,ppc64le))"),
        ("architecture=regex=^arm", "architecture==arm64"),
        ("architecture=iregex=^ARM", "architecture==arm64"),
        ("(architecture==arm64 or architecture==s390x) and certified==true", "certified==true;architecture=in=(arm64,s390x)"),
        ("creation_date=gt=2020-01-01T00:00:00Z", "creation_date>2020-01-01T00:00:00Z"),
        ("architecture=='arm64'", 'architecture=="arm64"'),
        ("sum_layer_size_bytes>=500000000", "not(sum_layer_size_bytes<500000000)"),
        ("parsed_data.os==linux", "deleted==false"),
        ("repositories.published!=true", "certified=='true'"),
    ],
)
def test_two_ways_to_ask_the_same(ask: Asker, text: str, other: str) -> None:
    assert ask.ids(filter=text, page_size=500) == ask.ids(filter=other, page_size=500)


@pytest.mark.parametrize(
    "text", ["isv_pid", "isv_pid==", "a==b and", "(a==b", "a=in=b", "a==b c==d", "==b", "a=regex=[", "a<null", "a=='b"]
)
def test_filters_that_cannot_be_read(ask: Asker, text: str) -> None:
    answer = ask.response("/images", filter=text)
    assert answer.status_code == 400
    assert set(answer.json()) == {"detail", "status", "title", "type"}


# -------------------------------------------------------------------------------------------------------------- order


def test_sorting_by_date_both_ways(ask: Asker) -> None:
    downwards = ask(
        "/images", filter="creation_date!=null", sort_by="creation_date[desc]", include="data._id,data.creation_date", page_size=500
    )
    upwards = ask(
        "/images", filter="creation_date!=null", sort_by="creation_date[asc]", include="data._id,data.creation_date", page_size=500
    )
    dates = [row["creation_date"] for row in downwards["data"]]
    assert dates == sorted(dates, reverse=True)
    assert upwards["data"] == downwards["data"][::-1]
    plain = ask("/images", filter="creation_date!=null", sort_by="creation_date", include="data._id,data.creation_date", page_size=500)
    assert plain == upwards


def test_sorted_pages_join(ask: Asker) -> None:
    whole = ask.ids(filter=DUMPED, sort_by="creation_date[desc]", page_size=500)
    parts = [ask.ids(filter=DUMPED, sort_by="creation_date[desc]", page=page, page_size=70) for page in range(6)]
    assert [len(part) for part in parts] == [70, 70, 70, 70, 20, 0]
    assert [identifier for part in parts for identifier in part] == whole


@pytest.mark.parametrize(("newest", "place"), [(False, slice(297, 300)), (True, slice(0, 3))])
def test_records_without_a_date_are_at_one_end(newest: bool, place: slice) -> None:
    with SandboxCatalog(CatalogOptions(images=300, undated=3, undated_newest=newest)) as catalog:
        rows = Asker(catalog)("/images", filter=DUMPED, sort_by="creation_date[desc]", include="data.creation_date", page_size=500)["data"]
    assert [row.get("creation_date") for row in rows[place]] == [None] * 3


def test_records_of_one_date_may_come_in_another_order_for_another_filter() -> None:
    with SandboxCatalog(CatalogOptions(images=40, tie_groups=1, tie_size=40, ties_move=True)) as catalog:
        ask = Asker(catalog)
        date = next(iter(catalog.truth().containers.values()))[1]
        query = {"sort_by": "creation_date[desc]", "page_size": 500}
        first, again, other = (ask.ids(filter=f"{DUMPED}{more}", **query) for more in ("", "", f" and creation_date<={date}"))
    assert first == again != other
    assert sorted(first) == sorted(other)


def test_sorting_by_several_fields(ask: Asker) -> None:
    rows = ask("/operators/bundles", sort_by="ocp_version[desc],csv_name[asc]", include="data.ocp_version,data.csv_name", page_size=500)[
        "data"
    ]
    expected = sorted(sorted(rows, key=lambda row: row["csv_name"]), key=lambda row: row["ocp_version"], reverse=True)
    assert rows == expected
    assert ask.response("/images", sort_by="creation_date[down]").status_code == 400


def test_the_latest_updates(ask: Asker, catalog: SandboxCatalog) -> None:
    changed = catalog.edit(lambda editor: editor.change_image())
    assert ask.ids(sort_by="last_update_date[desc]", page_size=1) == [changed["_id"]]
    with SandboxCatalog(CatalogOptions(images=3, updates_sorted=False)) as other:
        assert Asker(other).response("/images", sort_by="last_update_date[desc]").status_code == 400


def test_the_natural_order_is_nearly_that_of_creation() -> None:
    with SandboxCatalog(CatalogOptions(images=0, organizations={CERTIFIED: 3900}, charts=0)) as catalog:
        dates = [row["creation_date"] for row in catalog.rows]
    inversions = sum(one > other for one, other in zip(dates, dates[1:]))
    assert 4 <= inversions <= 12, "8 were seen in 3,900"


# ------------------------------------------------------------------------------------------------- fields and layout


def test_bodies_are_written_as_python_writes_json(ask: Asker) -> None:
    for path in ("/images", "/operators/bundles"):
        text = ask.response(path, page_size=20).text
        assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
        assert text.isascii()
        reduced = ask.response(path, page_size=20, include=f"{ROW_FIELDS},data.repositories.tags.name").text
        assert reduced == json.dumps(json.loads(reduced), indent=2, sort_keys=True) + "\n"
    assert "Op\\u00e9rateur" in ask.response("/operators/bundles", page_size=1).text


def test_only_what_is_included_comes_back(ask: Asker) -> None:
    assert set(ask("/operators/bundles", include=ROW_FIELDS)) == {"data", "page", "page_size", "total"}
    body = ask("/operators/bundles", include="data.csv_name,data.ocp_version", page_size=3)
    assert set(body) == {"data"}
    assert all(set(row) == {"csv_name", "ocp_version"} for row in body["data"])
    image = ask("/images", filter=DUMPED, include="data.repositories.tags.name,data._id", page_size=1)["data"][0]
    assert set(image) == {"_id", "repositories"}
    assert all(set(repository) <= {"tags"} for repository in image["repositories"])
    assert ask("/images", include="total", filter=DUMPED) == {"total": 300}
    assert ask("/images", include="data.no_such_field", page_size=2) == {"data": [{}, {}]}


def test_what_is_excluded_does_not(ask: Asker) -> None:
    assert set(ask("/operators/bundles", exclude="page,total,page_size", page_size=1)) == {"data"}
    row = ask("/operators/bundles", exclude="data.csv_description,data.related_images.digest", page_size=1)["data"][0]
    assert set(row) == ROW_KEYS - {"csv_description"}
    assert all(set(image) == {"image", "name"} for image in row["related_images"])


def test_whole_records_have_the_keys_and_the_weight_of_real_ones(ask: Asker) -> None:
    images = ask.response("/images", filter=f"{DUMPED} and creation_date!=null", page_size=50)
    assert all(IMAGE_KEYS - {"docker_image_digest"} <= set(image) <= IMAGE_KEYS for image in images.json()["data"])
    assert len(images.content) / 50 == pytest.approx(12_000, rel=0.1)
    rows = ask.response("/operators/bundles", page_size=50)
    assert all(set(row) == ROW_KEYS and len(row) == 30 for row in rows.json()["data"])
    assert len(rows.content) / 50 == pytest.approx(8_200, rel=0.1)
    assert any(row["provider"] is None for row in rows.json()["data"])


def test_the_weight_of_what_dumps_ask_for(ask: Asker) -> None:
    rows = ask.response("/operators/bundles", include=ROW_FIELDS, page_size=100)
    assert len(rows.content) / 100 == pytest.approx(129, rel=0.15)


# ----------------------------------------------------------------------------------------------------- other endpoints


def test_a_greeting_and_what_is_not_there(ask: Asker) -> None:
    assert ask.response("/ping").status_code == 200
    for path in ("/nothing", "/images/x"):
        answer = ask.response(path)
        assert (answer.status_code, answer.json()["status"]) == (404, 404)
    assert ask.session.get(f"{ask.catalog.url}/elsewhere", timeout=TIME_LIMIT).status_code == 404
    refused = ask.session.post(f"{ask.catalog.api_url}/images", json={}, timeout=TIME_LIMIT)
    assert refused.status_code == 405


def test_every_answer_can_be_traced(ask: Asker) -> None:
    assert ask.response("/images", page_size=1).headers["trace_id"].startswith("0x")
    assert ask.response("/images", page_size="x").headers["trace_id"].startswith("0x")


def test_a_key_may_be_wanted() -> None:
    with SandboxCatalog(CatalogOptions(images=3, api_key="secret")) as catalog:
        ask = Asker(catalog)
        assert ask.response("/images").status_code == 401
        assert ask.response("/images", {"X-API-KEY": "other"}).status_code == 401
        assert ask.response("/images", {"X-API-KEY": "secret"}).status_code == 200
        assert ask.session.get(catalog.index_url, timeout=TIME_LIMIT).status_code == 200


def test_the_images_of_a_repository_and_of_a_tag(ask: Asker, catalog: SandboxCatalog) -> None:
    image = next(image for image in catalog.images if image["repositories"][0].get("tags"))
    place = image["repositories"][0]
    repository = f"/repositories/registry/{place['registry']}/repository/{place['repository']}"
    assert image["_id"] in ask.ids(f"{repository}/images")
    assert image["_id"] in ask.ids(f"{repository}/tag/{place['tags'][0]['name']}")
    assert ask.ids(f"{repository}/tag/no-such-tag") == []
    assert ask.response("/repositories/registry/none.example.com/repository/a/b/images").status_code == 404


# -------------------------------------------------------------------------------------------------------------- delays


def test_counting_takes_time_and_the_gateway_gives_up() -> None:
    with SandboxCatalog(CatalogOptions(images=50, slow_totals=30, small=20, gateway=0.05)) as catalog:
        ask = Asker(catalog)
        slow = ask.response("/images", filter=DUMPED, include="total")
        assert (slow.status_code, slow.headers["Content-Type"]) == (504, "text/html")
        assert slow.text.startswith("<html>")
        assert ask.response("/images", filter=DUMPED, include="data._id").status_code == 200
        few = f"creation_date<{date_text(1_530_000_000_000)} and {DUMPED}"
        assert ask("/images", filter=few, include="total")["total"] <= 20


def test_deep_pages_and_whole_records_take_time_too() -> None:
    options = CatalogOptions(images=50, slow_depth=1000, slow_whole=1000, gateway=0.5, gateway_status=200)
    with SandboxCatalog(options) as catalog:
        ask = Asker(catalog)
        assert ask.response("/images", include="data._id", page_size=10).json()["data"]
        for query in ({"include": "data._id", "page": 3, "page_size": 10}, {"page_size": 10}):
            answer = ask.response("/images", None, **query)
            assert (answer.status_code, answer.text[:6]) == (200, "<html>")
