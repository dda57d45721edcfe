# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox catalog that fails, or changes, while it is read; and what a walk loses that does not look out for it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from ansible_collections.quayside.airgap.tests.benchmark import certified_peer
from ansible_collections.quayside.airgap.tests.sandbox.catalog.chance import KINDS, MOST_IN_A_ROW
from ansible_collections.quayside.airgap.tests.sandbox.catalog.server import CatalogOptions, Fault, SandboxCatalog
from ansible_collections.quayside.airgap.tests.sandbox.catalog.truth import containers_range, operators_range
from ansible_collections.quayside.airgap.tests.support.catalog_content import CERTIFIED
from ansible_collections.quayside.airgap.tests.unit.sandbox.helpers import TIME_LIMIT

NUMBERS = "?filter=isv_pid!=null;certified==true&include=total"


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        yield made


def get(session: requests.Session, catalog: SandboxCatalog, target: str = "/images?include=data._id,total") -> requests.Response:
    return session.get(catalog.api_url + target, timeout=TIME_LIMIT)


def received(session: requests.Session, url: str) -> int:
    """How many bytes of a body arrived, whole or not; old versions of requests do not mind."""
    count = 0
    with contextlib.suppress(requests.RequestException), session.get(url, stream=True, timeout=TIME_LIMIT) as answer:
        for piece in answer.iter_content(50):
            count += len(piece)
    return count


# --------------------------------------------------------------------------------------------------------------- faults


def test_planned_faults_meet_the_requests_they_are_planned_for(session: requests.Session) -> None:
    with SandboxCatalog(CatalogOptions(images=30)) as catalog:
        whole = get(session, catalog)
        catalog.faults.append(Fault("GET", "/images", "status", status=429, retry_after=7, skip=1))
        assert get(session, catalog).content == whole.content
        refused = get(session, catalog)
        assert (refused.status_code, refused.headers["Retry-After"], refused.json()["status"]) == (429, "7", 429)
        catalog.faults.append(Fault("GET", "/images", "status", status=503))
        assert get(session, catalog).headers["Content-Type"].startswith("text/html")
        catalog.faults.append(Fault("GET", "page=3", "status", status=504, delay=0.01))
        assert get(session, catalog, "/images?page=2").status_code == 200
        late = get(session, catalog, "/images?page=3")
        assert (late.status_code, late.text[:6]) == (504, "<html>")
        catalog.faults.append(Fault("GET", "/images", "garbage"))
        page = get(session, catalog)
        assert (page.status_code, page.text[:6]) == (200, "<html>")
        catalog.faults.append(Fault("GET", "/images", "short"))
        half = get(session, catalog)
        assert (half.status_code, half.content) == (200, whole.content[: len(whole.content) // 2])
        assert [request.fault for request in catalog.requests if request.fault] == ["status", "status", "status", "garbage", "short"]


@pytest.mark.parametrize("kind", ["truncate", "reset", "drop_connection"])
def test_connections_that_end_too_early(session: requests.Session, kind: str) -> None:
    with SandboxCatalog(CatalogOptions(images=30)) as catalog:
        catalog.faults.append(Fault("GET", "/index.yaml", kind, after_bytes=100))
        assert received(session, catalog.index_url) < len(catalog.index)
        assert received(session, catalog.index_url) == len(catalog.index)


def test_faults_by_chance_do_not_depend_on_the_order_of_requests(session: requests.Session) -> None:
    pages = [f"/images?page={page}&page_size=1&include=data._id" for page in range(60)]

    def outcomes(targets: list[str], seed: int) -> dict[str, int]:
        chances = {"500": 0.2, "429": 0.2, "html": 0.1}
        with SandboxCatalog(CatalogOptions(images=60, chances=chances, chance_seed=seed)) as catalog:
            found = {target: get(session, catalog, target) for target in targets}
            assert sum(catalog.chances.fired.values()) == sum(bool(request.fault) for request in catalog.requests) > 10
        return {target: 0 if answer.text.startswith("<") and answer.ok else answer.status_code for target, answer in found.items()}

    one = outcomes(pages, 1)
    assert set(one.values()) == {0, 200, 429, 500}
    assert outcomes(pages[::-1], 1) == one
    assert outcomes(pages, 2) != one


def test_no_request_fails_more_often_in_a_row_than_agreed(session: requests.Session) -> None:
    with SandboxCatalog(CatalogOptions(images=3, chances={"500": 1.0})) as catalog:
        statuses = [get(session, catalog).status_code for _attempt in range(2 * (MOST_IN_A_ROW + 1))]
    assert statuses == ([500] * MOST_IN_A_ROW + [200]) * 2


def test_chances_that_cannot_be() -> None:
    assert {"429", "500", "503", "504", "html", "short", "cut", "reset", "slow"} <= set(KINDS)
    for chances in ({"teapot": 0.1}, {"500": 0.7, "503": 0.7}):
        with pytest.raises(ValueError, match="chances"):
            SandboxCatalog(CatalogOptions(images=1, chances=chances))


# -------------------------------------------------------------------------------------------------------------- changes


def test_the_content_changes_after_as_many_requests_as_planned(session: requests.Session) -> None:
    with SandboxCatalog(CatalogOptions(images=30)) as catalog:
        catalog.after(2, lambda editor: editor.shuffle(images={"remove": 4, "add": 1}, operators={"change": 1}))
        totals = [get(session, catalog, "/images" + NUMBERS).json()["total"] for _request in range(4)]
        assert totals == [30, 30, 27, 27]
        assert catalog.pending == 0
        before, after = (moment.truth() for moment in catalog.moments)
        assert [len(truth.containers) for truth in (before, after)] == [30, 27]
        assert len(set(before.operators) ^ set(after.operators)) == 2
        assert [moment.requests for moment in catalog.moments] == [0, 2]


def test_every_change_that_there_is(session: requests.Session) -> None:
    with SandboxCatalog(CatalogOptions(images=20, organizations={CERTIFIED: 20})) as catalog:
        newest = max(image["creation_date"] for image in catalog.images)
        assert catalog.edit(lambda editor: editor.add_image())["creation_date"] > newest
        assert catalog.edit(lambda editor: editor.add_old_image())["creation_date"] < newest
        assert len(catalog.truth().containers) == 22
        changed = catalog.edit(lambda editor: editor.change_image(catalog.images[0]["_id"], architecture="s390x"))
        assert catalog.images[0] == changed
        assert changed["last_update_date"] > newest
        catalog.edit(lambda editor: editor.remove_image(changed["_id"]))
        assert changed["_id"] not in {image["_id"] for image in catalog.images}
        for change in ("add_row", "add_old_row", "change_row", "remove_row"):
            before = catalog.truth().operators
            catalog.edit(lambda editor, change=change: getattr(editor, change)())
            assert catalog.truth().operators != before
        # a page is made of what is there now, and so is every order that was asked for before
        assert get(session, catalog, "/images" + NUMBERS).json()["total"] == 21 - (not changed["certified"] or not changed.get("isv_pid"))


def test_answers_follow_changes_in_every_order(session: requests.Session) -> None:
    orders = ("creation_date[desc]", "creation_date[asc]", "last_update_date[desc]", "")
    with SandboxCatalog(CatalogOptions(images=20)) as catalog:
        for _time in range(15):
            catalog.edit(lambda editor: editor.at_random())
            ids = {image["_id"] for image in catalog.images}
            for order in orders:
                rows = get(session, catalog, f"/images?include=data._id,total&sort_by={order}").json()
                assert rows["total"] == len(rows["data"]) == len(ids)
                assert {row["_id"] for row in rows["data"]} == ids


def test_churn_is_the_same_every_time_and_ends(session: requests.Session) -> None:
    def truths() -> list[Any]:
        with SandboxCatalog(CatalogOptions(images=20, churn=0.5, churn_limit=6)) as catalog:
            for _request in range(40):
                get(session, catalog, "/images" + NUMBERS)
            return [moment.truth() for moment in catalog.moments]

    first = truths()
    assert len(first) == 7
    assert truths() == first


def test_what_a_reader_may_find_between_two_changes() -> None:
    catalog = SandboxCatalog(CatalogOptions(images=5, organizations={CERTIFIED: 5}))
    gone = catalog.edit(lambda editor: editor.remove_image())["image_id"]
    new = catalog.edit(lambda editor: editor.add_image())["image_id"]
    between = containers_range(catalog.moments)
    stays = set(catalog.truth().containers) - {new}
    assert between.faults(stays) == between.faults(stays | {gone, new}) == []
    lost = sorted(stays)[0]
    assert between.faults(stays - {lost} | {"sha256:other"}) == [f"{lost} is missing", "sha256:other was never there"]
    assert operators_range(catalog.moments).faults(catalog.truth().operators) == []


# ------------------------------------------------------------------------------ what one request after another loses


def dump(catalog: SandboxCatalog, folder: Path) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    """What the sequential walk of the benchmarks finds: containers, and rows of operators with their repetitions."""
    command = [sys.executable, "-I", certified_peer.__file__, catalog.api_url, catalog.index_url, str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    containers = json.loads((folder / "data/containers/containers.db").read_bytes())
    pages = [json.loads(path.read_bytes()) for path in (folder / "data/operators").iterdir()]
    assert (folder / "data/helm/helm.db").read_bytes() == catalog.index
    return containers, [(row["csv_name"], row["ocp_version"], row["channel_name"]) for page in pages for row in page["data"]]


@pytest.mark.parametrize(("rows", "size", "lost"), [(3972, 500, 196), (3912, 100, 12)])
def test_the_last_page_repeats_rows_and_loses_as_many(tmp_path: Path, rows: int, size: int, lost: int) -> None:
    with SandboxCatalog(CatalogOptions(images=3, organizations={CERTIFIED: rows}, charts=2, default_page=size)) as catalog:
        _containers, found = dump(catalog, tmp_path)
        truth = set(catalog.truth().operators)
    assert (len(found), len(truth)) == (rows, rows)
    assert len(truth - set(found)) == lost, "as in the dumps of 2022"


def test_a_cursor_that_leaves_its_own_date_out_loses_ties(tmp_path: Path) -> None:
    with SandboxCatalog(CatalogOptions(images=930, organizations={CERTIFIED: 3}, charts=2, tie_groups=9, tie_size=60)) as catalog:
        containers, _rows = dump(catalog, tmp_path)
        truth = catalog.truth().containers
    assert set(containers) < set(truth)
    assert len(truth) - len(containers) > 9


def test_a_page_without_digests_ends_such_a_walk(tmp_path: Path) -> None:
    with SandboxCatalog(CatalogOptions(images=900, organizations={CERTIFIED: 3}, charts=2, digestless_runs=(200,))) as catalog:
        containers, _rows = dump(catalog, tmp_path)
        truth = catalog.truth().containers
    assert len(truth) == 900
    assert len(containers) < 500


def test_a_quiet_catalog_without_oddities_is_found_whole(tmp_path: Path) -> None:
    with SandboxCatalog(CatalogOptions(images=450, organizations={CERTIFIED: 200}, charts=2)) as catalog:
        containers, rows = dump(catalog, tmp_path)
        truth = catalog.truth()
        assert set(containers) == set(truth.containers)
        assert sorted(rows) == list(truth.operators)
        # the size, two pages, no remainder; five pages of images and an empty one; the index
        assert [catalog.count(path=path) for path in ("/operators/bundles", "/images", "/index.yaml")] == [3, 6, 1]
