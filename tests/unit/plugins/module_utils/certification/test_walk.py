# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walks over a catalog at rest: whatever the dates of its records are, each is found, once, with few requests."""

from __future__ import annotations

import contextlib
import random
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.certification.pyxis import CatalogClient, CatalogOptions
from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import Container, OperatorRow
from ansible_collections.quayside.airgap.plugins.module_utils.certification.walk import (
    walk_catalog,
    walk_containers,
    walk_operators,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.certification.small_catalog import (
    SmallCatalog,
    bundle,
    date,
    image,
    images,
)

DAY = 24 * 3600 * 1000
YEAR = 365 * DAY


def client(server, *, page_size=10, workers=8, **options):
    retry = RetryPolicy(retries=3, base=0.001, cap=0.002)
    return CatalogClient(CatalogOptions(api_url=server.url, page_size=page_size, workers=workers, retry=retry, **options))


def walk(server, since="", **options):
    with client(server, **options) as catalog:
        return walk_containers(catalog, since)


def identifiers(walked):
    return sorted(record.identifier for record in walked.records)


def assert_whole(walked, records):
    assert identifiers(walked) == sorted(record["_id"] for record in records)
    assert walked.total == walked.distinct == len(records)
    assert walked.repaired == 0


def spread(number, span=YEAR, seed=1):
    chosen = random.Random(seed)
    return [chosen.randrange(span) for _each in range(number)]


CATALOGS = {
    "nothing": [],
    "one record": [5],
    "a page and nothing more": range(10),
    "a page and one more": range(11),
    "whole pages": range(0, 40 * DAY, DAY),
    "spread over a year": spread(400),
    "nine of ten in one month": [*spread(40, 10 * YEAR), *(5 * YEAR + tick for tick in spread(360, 30 * DAY))],
    "all in a minute of ten years": [0, *(5 * YEAR + tick for tick in spread(300, 60_000)), 10 * YEAR],
    "all in neighbouring milliseconds": range(300),
    "one instant": [7] * 95,
    "one instant of whole pages": [7] * 100,
    "two instants": [7] * 45 + [8] * 45,
    "ties as long as a page": [tick for tick in range(0, 30 * DAY, DAY) for _tie in range(10)],
    "ties longer than a page": [tick for tick in range(0, 12 * DAY, DAY) for _tie in range(25)],
    "ties over the ends of pages": [tick for tick in range(0, 60 * DAY, DAY) for _tie in range(7)],
    "a tie of many pages among others": [*spread(150), *[YEAR // 2] * 90, *spread(150, seed=2)],
    "a tie at the newest end": [*spread(100), *[YEAR] * 35],
    "a tie at the oldest end": [*spread(100), *[-1] * 35],
}


@pytest.mark.parametrize("ticks", CATALOGS.values(), ids=CATALOGS.keys())
@pytest.mark.parametrize("workers", [1, 8])
def test_every_record_is_found_with_few_requests(ticks, workers):
    records = images(ticks)
    random.Random(3).shuffle(records)
    with SmallCatalog(records) as server:
        walked = walk(server, workers=workers)
        assert len(server.calls) == walked.requests
    assert_whole(walked, records)
    assert walked.requests <= 2 * len(records) / 9 + 30
    assert (walked.retried, walked.smallest_page) == (0, 10)


def test_what_comes_back_are_containers():
    with SmallCatalog([image(1, 5)]) as server:
        assert walk(server).records == [Container.from_record(image(1, 5))]


def test_a_catalog_of_one_page_takes_one_page():
    """And the looks for the oldest record and for those without a date, which are under way before the first page has come."""
    with SmallCatalog(images(spread(10))) as server:
        assert walk(server).requests == 3


@pytest.mark.parametrize("distribution", ["spread over a year", "nine of ten in one month"])
def test_the_pages_of_many_workers_are_hardly_more_than_the_pages_of_one(distribution):
    records = images(CATALOGS[distribution])
    with SmallCatalog(records, latency=0.005) as server:
        assert_whole(alone := walk(server, workers=1), records)
        assert_whole(together := walk(server), records)
    assert together.requests <= 1.5 * alone.requests


def test_many_workers_are_at_work_at_once():
    """From the fourth on, requests wait until four are there: a walk that asks for one page after the other would wait in vain."""
    meeting = threading.Barrier(4)
    met = threading.Event()

    class Waiting(SmallCatalog):
        def _answer(self, request):
            if not met.is_set() and len(self.calls) > 3:
                with contextlib.suppress(threading.BrokenBarrierError):
                    meeting.wait(10)
                met.set()
            return super()._answer(request)

    records = images(spread(400))
    with Waiting(records) as server:
        assert_whole(walk(server), records)
    assert met.is_set()
    assert not meeting.broken


# --- records without a date


@pytest.mark.parametrize("nulls_first", [False, True], ids=["nulls last", "nulls first"])
@pytest.mark.parametrize(
    "ticks", [[*spread(95), *[None] * 5], [*spread(40), *[None] * 35], [None] * 25, [None] * 4, [*spread(5), *[None] * 12], [3, None]]
)
def test_records_without_a_date_are_found(ticks, nulls_first):
    records = images(ticks)
    with SmallCatalog(records, nulls_first=nulls_first) as server:
        assert_whole(walk(server), records)


# --- only what is new


@pytest.mark.parametrize("since", [date(YEAR // 2), "2020-07-01T12:00:00Z", "2020-07-01T14:00:00+02:00", "2020-07-01"])
def test_only_records_since_a_date(since):
    records = images([*spread(200), None, None])
    border = {"2020-07-01": date(182 * DAY)}.get(since, date(182 * DAY + DAY // 2))
    with SmallCatalog(records) as server:
        assert_whole(walk(server, since), [row for row in records if row["creation_date"] and row["creation_date"] >= border])


@pytest.mark.parametrize("ticks", [[], [5], spread(30)])
def test_since_a_date_behind_all_there_is_nothing(ticks):
    with SmallCatalog(images(ticks)) as server:
        assert_whole(walk(server, date(2 * YEAR)), [])


@pytest.mark.parametrize("since", ["yesterday", "2020-13-01", "2020-01-01T00:00:00+99:00"])
def test_a_word_that_is_no_date_is_refused(since):
    with SmallCatalog() as server, pytest.raises(InputError, match="since"):
        walk(server, since)


# --- both at once


def test_both_kinds_and_other_work_at_the_same_time():
    pictures, bundles = images(spread(200)), [bundle(number, tick) for number, tick in enumerate(spread(150))]
    done = []
    with SmallCatalog(pictures, bundles) as server, client(server) as catalog:
        both = walk_catalog(catalog, alongside=[lambda: done.append("charts")])
        assert both.containers.requests + both.operators.requests == len(server.calls)
    assert_whole(both.containers, pictures)
    assert sorted(both.operators.records) == sorted(OperatorRow.from_record(row) for row in bundles)
    assert both.operators.total == both.operators.distinct == 150
    assert done == ["charts"]


def test_one_kind_alone():
    with SmallCatalog(images(range(20)), [bundle(1, 1)]) as server, client(server) as catalog:
        assert walk_catalog(catalog, organizations=None).operators is None
        assert walk_catalog(catalog, containers=False).containers is None
        assert walk_catalog(catalog, containers=False, organizations=None) == (None, None)
        assert [row.csv_name for row in walk_operators(catalog).records] == ["acme.v1"]


def test_since_is_for_containers_alone():
    bundles = [bundle(number, tick) for number, tick in enumerate(spread(30))]
    with SmallCatalog(images(spread(30)), bundles) as server, client(server) as catalog:
        both = walk_catalog(catalog, since=date(YEAR))
    assert (both.containers.distinct, both.operators.distinct) == (0, 30)


def test_what_fails_in_one_part_ends_the_whole():
    def fail():
        raise AirgapError("read", "the charts", "they are not there")

    with SmallCatalog(images(spread(100))) as server, client(server) as catalog, pytest.raises(AirgapError, match="the charts"):
        walk_catalog(catalog, alongside=[fail])


# --- any catalog


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ticks=st.lists(st.one_of(st.integers(0, 6), st.integers(0, 10 * YEAR), st.sampled_from([YEAR, YEAR + 1, None])), max_size=60),
    page_size=st.integers(1, 7),
    workers=st.integers(1, 4),
    nulls_first=st.booleans(),
)
def test_nothing_is_missed_and_nothing_is_asked_for_too_often(ticks, page_size, workers, nulls_first):
    records = images(ticks)
    with SmallCatalog(records, nulls_first=nulls_first) as server:
        walked = walk(server, page_size=page_size, workers=workers)
    assert_whole(walked, records)
    assert walked.requests <= 8 + 3 * len(records)
