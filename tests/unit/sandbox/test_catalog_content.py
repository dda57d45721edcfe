# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a sandbox catalog: the proportions of the real one, the oddities that were asked for, and what a perfect dump holds."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from typing import Any

import pytest
import requests
import yaml

from ansible_collections.quayside.airgap.tests.sandbox.catalog.server import CatalogOptions, SandboxCatalog
from ansible_collections.quayside.airgap.tests.support.catalog_charts import ODDITIES, ChartVersion, helm_index, make_charts
from ansible_collections.quayside.airgap.tests.support.catalog_content import CERTIFIED, Maker, Record, Shape, make_images, make_rows
from ansible_collections.quayside.airgap.tests.unit.sandbox.helpers import TIME_LIMIT

LARGE = Shape(images=4000, organizations={CERTIFIED: 2000}, uncertified=0, red_hat=0)


@pytest.fixture(scope="module")
def large() -> list[Record]:
    return make_images(LARGE)


# ------------------------------------------------------------------------------------------------------------- images


def test_the_same_shape_is_the_same_catalog() -> None:
    shape = Shape(images=30)
    assert make_images(shape) == make_images(shape)
    assert make_rows(shape) == make_rows(shape)
    other = dataclasses.replace(shape, seed=2)
    assert not {image["_id"] for image in make_images(shape)} & {image["_id"] for image in make_images(other)}


def test_dates_are_precise_to_the_millisecond_and_differ(large: list[Record]) -> None:
    dates = [image["creation_date"] for image in large]
    assert len(set(dates)) == len(dates) == 4000
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}000\+00:00", date) for date in dates)


def test_images_are_spread_as_in_the_real_catalog(large: list[Record]) -> None:
    assert Counter(image["architecture"] for image in large)["amd64"] / 4000 == pytest.approx(0.97, abs=0.01)
    repositories = Counter(len(image["repositories"]) for image in large)
    assert repositories[1] / 4000 == pytest.approx(0.95, abs=0.02)
    assert repositories[2] / 4000 == pytest.approx(0.04, abs=0.02)
    assert max(repositories) == 4
    tags = [len(repository.get("tags") or ()) for image in large for repository in image["repositories"]]
    assert sum(tags) / len(tags) == pytest.approx(1.6, abs=0.1)
    assert max(tags) == 16
    assert 0 < tags.count(0) / len(tags) < 0.01
    registries = Counter(repository["registry"] for image in large for repository in image["repositories"])
    assert registries.most_common(1)[0][0] == "registry.connect.redhat.com"
    assert "non_registry" in registries


def test_tags_may_be_missing_null_or_none(large: list[Record]) -> None:
    forms = {
        repr(repository.get("tags", "missing")) for image in large for repository in image["repositories"] if not repository.get("tags")
    }
    assert forms == {"'missing'", "None", "[]"}


def test_manifest_lists_are_shared_by_architectures_and_absent_elsewhere(large: list[Record]) -> None:
    listed: dict[str, set[str]] = {}
    for image in large:
        for repository in image["repositories"]:
            assert repository.get("manifest_list_digest", "sha256:").startswith("sha256:")
            if "manifest_list_digest" in repository:
                listed.setdefault(repository["manifest_list_digest"], set()).add(image["architecture"])
    assert len(listed) == 400
    assert any(len(architectures) > 1 for architectures in listed.values())
    assert sum("manifest_list_digest" not in repository for image in large for repository in image["repositories"]) > 3000


def test_oddities_of_images_are_as_many_as_asked_for() -> None:
    shape = Shape(
        images=400, duplicates=20, digestless=6, digestless_runs=(50, 30), undated=5, tie_groups=3, tie_size=10, uncertified=7, red_hat=9
    )
    images = make_images(shape)
    certified = [image for image in images if image["certified"] and image.get("isv_pid")]
    assert (len(images), len(certified)) == (416, 400)
    without = [image for image in certified if not image.get("image_id")]
    assert len(without) == 86
    assert {repr(image.get("image_id", "missing")) for image in without} == {"'missing'", "None"}
    assert len({image["image_id"] for image in certified if image.get("image_id")}) == 400 - 86 - 20
    assert sum(not image.get("creation_date") for image in certified) == 5
    ties = Counter(image["creation_date"] for image in certified if image.get("creation_date"))
    assert sum(number > 5 for number in ties.values()) == 3
    in_order = sorted((image for image in certified if image.get("creation_date")), key=lambda image: image["creation_date"])
    flags = "".join("-" if image.get("image_id") else "x" for image in in_order)
    assert {len(run) for run in re.findall("x{20,}", flags)} >= {len(max(flags.split("-"), key=len))}
    assert len(max(flags.split("-"), key=len)) >= 45, "neighbours without a digest, but for those without a date"


def test_more_oddities_than_images_are_refused() -> None:
    with pytest.raises(ValueError, match="more duplicates"):
        Shape(images=10, duplicates=4, digestless_runs=(6,))
    with pytest.raises(ValueError, match="less than nothing"):
        Shape(images=-1)


# ------------------------------------------------------------------------------------------------------------ operators


def test_operators_have_a_row_for_each_version_of_openshift_and_channel() -> None:
    rows = make_rows(LARGE)
    assert len({(row["csv_name"], row["ocp_version"], row["channel_name"]) for row in rows}) == len(rows) == 2000
    assert len({row["creation_date"] for row in rows}) == 2000
    names = {row["csv_name"] for row in rows}
    # 906 names and 242 packages were seen in 3,912 rows
    assert 2000 / len(names) == pytest.approx(3912 / 906, rel=0.3)
    assert len(names) / len({row["package"] for row in rows}) == pytest.approx(906 / 242, rel=0.3)
    with_v = sum(bool(re.fullmatch(r"[^.]+\.v\d+\.\d+\.\d+", name)) for name in names)
    without = sum(bool(re.fullmatch(r"[^.]+\.\d+\.\d+\.\d+", name)) for name in names)
    assert with_v + without == len(names)
    assert 0 < without < with_v


# --------------------------------------------------------------------------------------------------------------- charts


def read(index: bytes) -> list[tuple[str, str, str, str]]:
    """Entry, name, version and kubeVersion of everything in an index, as text."""
    found = yaml.load(index, Loader=yaml.BaseLoader)
    return sorted(
        (key, chart["name"], chart["version"], chart.get("kubeVersion", "")) for key, charts in found["entries"].items() for chart in charts
    )


def told(charts: list[ChartVersion]) -> list[tuple[str, str, str, str]]:
    return sorted((chart.key, chart.name, chart.version, chart.known_kube_version) for chart in charts)


def test_an_index_holds_the_charts_it_was_made_of() -> None:
    charts = make_charts(109)
    index = helm_index(charts)
    assert len(charts) == 109
    assert read(index) == told(charts)
    assert list(yaml.load(index, Loader=yaml.BaseLoader)) == ["apiVersion", "entries", "generated"]
    assert index.splitlines()[-1].startswith(b"generated:")
    assert len(index) / 109 == pytest.approx(2_100, rel=0.1)
    # 40 entries were seen for 109 versions
    assert len({chart.key for chart in charts}) == pytest.approx(40, rel=0.25)


def test_an_index_without_charts() -> None:
    assert read(helm_index([])) == []


def test_an_index_with_every_oddity() -> None:
    charts = make_charts(5, oddities=True)
    index = helm_index(charts)
    assert read(index) == told(charts)
    assert len(charts) == 5 + len(ODDITIES)
    for piece in (b"version: 1.10\n", b"kubeversion:", b"at least 1.20", b"    # odd-constraint", b" # as released", b'"kubeVersion": '):
        assert piece in index


# ----------------------------------------------------------------------------------------------------------- the server


def test_the_index_is_sent_again_only_when_it_changed() -> None:
    with SandboxCatalog(CatalogOptions(images=3)) as catalog, requests.Session() as session:
        session.trust_env = False
        first = session.get(catalog.index_url, timeout=TIME_LIMIT)
        assert (first.status_code, first.content) == (200, catalog.index)
        by_tag = {"If-None-Match": first.headers["ETag"]}
        by_date = {"If-Modified-Since": first.headers["Last-Modified"]}
        for known in (by_tag, by_date, {**by_tag, **by_date}):
            assert session.get(catalog.index_url, headers=known, timeout=TIME_LIMIT).status_code == 304
        catalog.set_charts(make_charts(2, seed=9))
        for known in (by_tag, by_date, {**by_tag, **by_date}):
            assert session.get(catalog.index_url, headers=known, timeout=TIME_LIMIT).content == catalog.index != first.content


def test_a_server_without_conditions_sends_it_always() -> None:
    with SandboxCatalog(CatalogOptions(images=3, conditions=False)) as catalog, requests.Session() as session:
        session.trust_env = False
        answer = session.get(catalog.index_url, headers={"If-None-Match": "*"}, timeout=TIME_LIMIT)
        assert (answer.status_code, answer.content) == (200, catalog.index)
        assert not {"ETag", "Last-Modified"} & set(answer.headers)


# ------------------------------------------------------------------------------------------------------------ the truth


def place(repository: str, *tags: str, listed: str = "") -> Record:
    found: Record = {"registry": "r.example.com", "repository": repository, "tags": [{"name": tag} for tag in tags]}
    return {**found, "manifest_list_digest": listed} if listed else found


def empty(**options: Any) -> SandboxCatalog:
    return SandboxCatalog(CatalogOptions(images=0, organizations={}, charts=0, **options))


def test_images_of_one_digest_are_one_container() -> None:
    catalog = empty()

    def fill(editor: Any) -> list[Record]:
        old = editor.add_image(image_id="sha256:1", repositories=[place("a", "1", "2"), place("b")], architecture="arm64")
        new = editor.add_image(image_id="sha256:1", repositories=[place("a", "3", "2"), place("c", "x")], architecture="amd64")
        return [old, new]

    _old, new = catalog.edit(fill)
    merged = (("r.example.com", "a", ("1", "2", "3")), ("r.example.com", "b", ()), ("r.example.com", "c", ("x",)))
    assert catalog.truth().containers == {"sha256:1": (new["_id"], new["creation_date"], "amd64", "sha256:1", merged, ())}


def test_what_has_no_digest_goes_by_its_identifier() -> None:
    catalog = empty()
    image = catalog.edit(lambda editor: editor.add_image(image_id=None, repositories=None, creation_date=None))
    assert catalog.truth().containers == {f"no-digest:{image['_id']}": (image["_id"], "", image["architecture"], "", (), ())}


def test_a_manifest_list_leads_to_its_newest_image() -> None:
    catalog = empty()
    for digest in ("sha256:1", "sha256:2"):
        catalog.edit(lambda editor, digest=digest: editor.add_image(image_id=digest, repositories=[place("a", listed="sha256:list")]))
    catalog.edit(lambda editor: editor.add_image(image_id="sha256:3", repositories=[place("a", listed="sha256:1")]))
    truth = catalog.truth()
    assert truth.aliases == {"sha256:list": "sha256:2"}, "and a digest that an image has itself leads nowhere else"
    assert truth.containers["sha256:3"][5] == ("sha256:1",)


def test_only_certified_images_of_partners_and_rows_of_the_organizations_count() -> None:
    catalog = SandboxCatalog(CatalogOptions(images=20, organizations={CERTIFIED: 9, "redhat-operators": 4}, charts=3))
    before = catalog.truth()
    assert (len(before.containers), len(before.operators), before.charts) == (20, 9, catalog.index)
    assert len(catalog.truth(organizations=(CERTIFIED, "redhat-operators")).operators) == 13
    catalog.edit(lambda editor: editor.withdraw_image())
    catalog.edit(lambda editor: editor.add_image(isv_pid=None))
    assert len(catalog.truth().containers) == 19
    dates = sorted(found[1] for found in catalog.truth().containers.values())
    assert {found[1] for found in catalog.truth(since=dates[-5]).containers.values()} == set(dates[-5:])


def test_a_maker_goes_on_as_long_as_it_is_asked() -> None:
    maker = Maker("more")
    images = [maker.image(1_600_000_000_000 + number, architecture="s390x") for number in range(50)]
    assert len({image["_id"] for image in images}) == len({image["image_id"] for image in images}) == 50
    assert {image["architecture"] for image in images} == {"s390x"}
