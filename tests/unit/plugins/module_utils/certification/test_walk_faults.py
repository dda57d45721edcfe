# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walks over a catalog that changes, stumbles, is slow, or lies: what comes back is whole, or it is an error that says why."""

from __future__ import annotations

import random

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.certification.pyxis import CatalogClient, CatalogOptions
from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import Tables
from ansible_collections.quayside.airgap.plugins.module_utils.certification.walk import walk_catalog, walk_containers
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import HttpError, ProtocolError, TransportError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.tests.sandbox.catalog.server import CatalogOptions as SandboxOptions
from ansible_collections.quayside.airgap.tests.sandbox.catalog.server import SandboxCatalog
from ansible_collections.quayside.airgap.tests.sandbox.http_server import HttpResponse, WirePlan
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.certification.small_catalog import (
    SmallCatalog,
    bundle,
    date,
    image,
    images,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import reply

DAY = 24 * 3600 * 1000
YEAR = 365 * DAY


def walk(server, *, page_size=10, workers=8, retries=5, timeout=60.0):
    retry = RetryPolicy(retries=retries, base=0.001, cap=0.002)
    options = CatalogOptions(api_url=server.url, page_size=page_size, workers=workers, retry=retry, timeout=timeout)
    with CatalogClient(options) as catalog:
        return walk_containers(catalog)


def identifiers(walked):
    return {record.identifier for record in walked.records}


def names(records):
    return {record["_id"] for record in records}


def spread(number, seed=1, span=YEAR):
    chosen = random.Random(seed)
    return [chosen.randrange(span) for _each in range(number)]


class Moving:
    """Lets the records of a catalog come and go before some of its requests, and keeps what was there at every moment.

    :param chances: how likely there is a change, how many records go at most, and how many come; those are the newest of all.
    """

    def __init__(self, seed, *, until, likely, going, coming):
        self.random = random.Random(seed)
        self.until = until
        self.likely = likely
        self.going = going
        self.coming = coming
        self.server = None
        self.moments = []

    def __call__(self, number, _request):
        # the first questions are the beginning; later changes fall behind the walk, before it, and into its proof
        if not self.moments:
            self.moments.append(list(self.server.images))
        if 2 < number < self.until and self.random.random() < self.likely:
            for _each in range(self.random.randint(0, self.going)):
                self.server.images.remove(self.random.choice(self.server.images))
            for _each in range(self.random.randint(0, self.coming)):
                self.server.images.append(image(10_000 + number * 10 + _each, 11 * YEAR + number * 10 + _each))
            self.moments.append(list(self.server.images))

    def assert_moment(self, walked):
        """What was found is all that was there at one of the moments, up to the newest that was found: nothing more, nothing less."""
        found = identifiers(walked)
        newest = max((record.creation_date for record in walked.records), default="")
        assert any(found == names(row for row in moment if (row["creation_date"] or "") <= newest) for moment in self.moments)
        assert walked.total == walked.distinct == len(found)


def walk_moving(records, moving, stumbles=None, **options):
    def before(number, request):
        moving(number, request)
        return stumbles() if stumbles else None

    with SmallCatalog(records, before=before) as server:
        moving.server = server
        return walk(server, **options)


def tied(number, seed):
    """Dates of which many are shared, some by more records than a page holds."""
    chosen = random.Random(seed)
    return [chosen.choice([0, 1, DAY, 9 * DAY, chosen.randrange(10 * DAY)]) for _each in range(number)]


# --- a catalog that changes


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("dates", [spread, tied], ids=["spread", "tied"])
def test_what_comes_and_goes_behind_the_walk_is_noticed(dates, seed):
    """As in real life, what is added is the newest. Nothing that was removed is kept, nothing that stayed is missed."""
    moving = Moving(seed, until=40, likely=0.4, going=3, coming=2)
    moving.assert_moment(walk_moving(images(dates(150, seed=seed)), moving))


@pytest.mark.parametrize("seed", range(8))
def test_what_was_there_all_the_time_is_found_whatever_else_happens(seed):
    """Here records of any date come and go, so that counts may agree by chance."""
    chosen = random.Random(seed)
    records = images(tied(150, seed=seed))
    ever, always = names(records), names(records)

    def change(number, _request):
        if 2 < number < 60 and chosen.random() < 0.3:
            gone = chosen.choice(server.images)
            server.images.remove(gone)
            always.discard(gone["_id"])
            added = image(10_000 + number, chosen.randrange(10 * DAY))
            server.images.append(added)
            ever.add(added["_id"])

    with SmallCatalog(records, before=change) as server:
        found = identifiers(walk(server))
    assert always <= found <= ever


def test_a_record_that_goes_after_it_was_read_is_not_kept():
    records = images(spread(60))
    newest = max(records, key=lambda row: row["creation_date"])

    def change(number, _request):
        if number == 6:
            server.images.remove(newest)
            # the newcomer makes up for it in the whole count
            server.images.append(image(999, 2 * YEAR))

    with SmallCatalog(records, before=change) as server:
        walked = walk(server, workers=1)
    assert identifiers(walked) == names(records) - {newest["_id"]}
    assert walked.repaired >= 1


def test_newcomers_alone_cost_nothing():
    records = images(spread(100))

    def change(number, _request):
        if number > 3:
            server.images.append(image(1000 + number, 2 * YEAR + number))

    with SmallCatalog(records, before=change) as server:
        walked = walk(server)
    assert identifiers(walked) == names(records)
    assert walked.repaired == 0
    assert walked.total == 100


@pytest.mark.parametrize("seed", range(4))
def test_records_without_a_date_come_and_go_as_well(seed):
    moving = Moving(seed, until=25, likely=0.5, going=2, coming=0)
    moving.assert_moment(walk_moving(images([*spread(60), *[None] * 25]), moving))


def test_records_without_a_date_are_not_forgotten_because_others_came():
    """Two late ones with an old date make the counts agree as if there were none without."""
    records = images([*spread(60), None, None])

    def change(number, _request):
        if number == 4:
            server.images.extend([image(900, 5), image(901, 6)])

    with SmallCatalog(records, before=change) as server:
        walked = walk(server)
        assert identifiers(walked) == names(server.images)
    assert walked.total == 64


@pytest.mark.parametrize("undated", [0, 3])
def test_a_service_that_cannot_be_asked_for_records_without_a_date(undated):
    records = images([*spread(60), *[None] * undated])

    def refuse(_number, request):
        return reply(400, '{"detail": "null?"}') if "==null" in request.query["filter"][0] else None

    with SmallCatalog(records, before=refuse) as server:
        if undated:
            with pytest.raises(HttpError, match="null"):
                walk(server)
        else:
            assert walk(server).total == 60


def test_a_catalog_that_never_rests_is_an_error_that_says_so():
    def change(number, _request):
        if number > 2:
            server.images.pop(0)

    with SmallCatalog(images(range(3000)), before=change) as server, pytest.raises(ProtocolError, match="rest"):
        walk(server, page_size=100, workers=2)


# --- a service that stumbles


def broken(body=b'{"data": [', **plan):
    return HttpResponse(200, {}, body * 20, plan=WirePlan(**plan))


STUMBLES = {
    "500": lambda: reply(500),
    "503 in HTML": lambda: reply(503, "<html>"),
    "429": lambda: reply(429, Retry_After="0"),
    "408": lambda: reply(408),
    "504": lambda: reply(504),
    "HTML for a page": lambda: reply(200, "<html>"),
    "half of the JSON": lambda: reply(200, b'{"data": [{"_id": '),
    "an error for a page": lambda: reply(200, '{"status": 500, "detail": "out of order"}'),
    "an empty body": lambda: reply(200),
    "a body that is cut": lambda: broken(cut_after=30, ending="close"),
    "a connection that is reset": lambda: broken(cut_after=30, ending="reset"),
    "a connection that is closed": lambda: broken(before_head=True),
}


@pytest.mark.parametrize("stumble", STUMBLES.values(), ids=STUMBLES.keys())
def test_every_tenth_answer_is_bad_and_nothing_is_missed(stumble):
    records = images([*tied(200, seed=1), None, None])
    with SmallCatalog(records, before=lambda number, _request: stumble() if number % 10 == 3 else None) as server:
        walked = walk(server)
        assert walked.requests == len(server.calls)
    assert identifiers(walked) == names(records)
    # the look for the oldest record is not repeated
    assert 0 < walked.retried <= walked.requests / 10 + 1


@pytest.mark.parametrize("seed", range(6))
def test_all_at_once(seed):
    """Failures of every kind, while records come and go."""
    moving = Moving(seed, until=40, likely=0.2, going=2, coming=2)
    stumbles = list(STUMBLES.values())
    walked = walk_moving(
        images([*tied(150, seed=seed), None, None]),
        moving,
        lambda: moving.random.choice(stumbles)() if moving.random.random() < 0.15 else None,
        retries=12,
    )
    moving.assert_moment(walked)
    assert walked.retried > 0


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (reply(500, '{"detail": "out of order"}'), HttpError, "out of order"),
        (reply(504), ProtocolError, "gave up waiting"),
        (reply(200, "<html>"), ProtocolError, "HTML"),
        (reply(401), HttpError, "api_key"),
        (reply(403), HttpError, "key"),
        (reply(404), HttpError, "api_url"),
        (reply(400, '{"detail": "no such field"}'), HttpError, "no such field"),
        (reply(302, Location="https://elsewhere.example/"), HttpError, "elsewhere.example"),
        (reply(200, "{}"), ProtocolError, "data"),
    ],
)
@pytest.mark.parametrize("begins", [1, 6])
def test_a_service_that_goes_on_failing_is_an_error(answer, error, words, begins):
    def fail(number, _request):
        return HttpResponse(answer.status, dict(answer.headers), answer.body) if number >= begins else None

    with SmallCatalog(images(spread(300)), before=fail) as server, pytest.raises(error, match=words):
        walk(server, retries=2)


def test_a_server_that_only_knows_HTML_is_not_asked_as_often():
    with SmallCatalog(before=lambda _number, _request: reply(200, "<html>login")) as server, pytest.raises(ProtocolError, match="api_url"):
        walk(server, retries=9)
    assert len(server.calls) <= 7


def test_an_error_in_one_walk_ends_both():
    def fail(number, request):
        return reply(403) if request.path != "/images" and number > 6 else None

    bundles = [bundle(number, tick) for number, tick in enumerate(spread(100))]
    with (
        SmallCatalog(images(spread(300)), bundles, before=fail) as server,
        CatalogClient(CatalogOptions(api_url=server.url, page_size=10)) as catalog,
        pytest.raises(HttpError),
    ):
        walk_catalog(catalog)


# --- the large sandbox


@pytest.mark.parametrize("seed", range(3))
def test_the_tables_are_what_the_catalog_holds_whatever_fails(seed):
    chances = dict.fromkeys(["503", "429", "500", "504", "html", "short", "cut", "reset", "dropped"], 0.02)
    odd = {"tie_groups": 3, "tie_size": 90, "duplicates": 40, "digestless": 5, "digestless_runs": (80,), "undated": 3, "undated_rows": 2}
    with SandboxCatalog(SandboxOptions(images=500, seed=seed, chances=chances, chance_seed=seed, **odd)) as server:
        options = CatalogOptions(api_url=server.api_url, page_size=40, retry=RetryPolicy(retries=8, base=0.001, cap=0.002))
        with CatalogClient(options) as catalog:
            both = walk_catalog(catalog, organizations=["certified-operators", "redhat-operators"])
        tables = Tables.of(both.containers.records, both.operators.records, b"")
        truth = server.truth(["certified-operators", "redhat-operators"])
    assert tables.containers == truth.containers
    assert tables.aliases == truth.aliases
    assert tables.operators == truth.operators
    assert both.containers.total == both.containers.distinct == 500


@pytest.mark.parametrize("seed", range(3))
def test_the_tables_follow_what_comes_and_goes(seed):
    with SandboxCatalog(SandboxOptions(images=300, seed=seed, tie_groups=2, tie_size=50)) as server:
        for number in range(3, 30, 4):
            server.after(number, lambda editor: editor.shuffle(images={"remove": 2}, operators={"remove": 1}))
        options = CatalogOptions(api_url=server.api_url, page_size=20, retry=RetryPolicy(base=0.001, cap=0.002))
        with CatalogClient(options) as catalog:
            both = walk_catalog(catalog)
        tables = Tables.of(both.containers.records, both.operators.records, b"")
        assert any(tables.containers == moment.truth().containers for moment in server.moments)
        assert any(tables.operators == moment.truth().operators for moment in server.moments)


# --- a service that is slow


def slow_to_count(server, most):
    """Answers as a gateway does when the service is asked to count more records than this; a single row is found at once."""

    def answer(_number, request):
        if "total" not in request.query["include"][0].split(","):
            return None
        return reply(504) if server[0].matching(request) > most else None

    return answer


@pytest.mark.parametrize("undated", [0, 2])
def test_where_the_whole_cannot_be_counted_in_time_the_windows_prove_the_walk(undated):
    records = images([*spread(200), *[None] * undated])
    holder = []
    with SmallCatalog(records, before=slow_to_count(holder, 150)) as server:
        holder.append(server)
        walked = walk(server)
    assert identifiers(walked) == names(records)
    assert walked.total is None
    assert walked.distinct == 200 + undated


@pytest.mark.parametrize("most", [50, 15, 5])
def test_where_no_long_range_can_be_counted_the_windows_become_short(most):
    records = images(spread(200))
    holder = []
    with SmallCatalog(records, before=slow_to_count(holder, most)) as server:
        holder.append(server)
        walked = walk(server, retries=8)
    assert identifiers(walked) == names(records)
    assert walked.total is None


@pytest.mark.parametrize("most", [250, 120, 60])
def test_pages_become_smaller_where_large_ones_are_too_slow(most):
    records = images([*spread(2000), *[5] * 600])
    slow = [0]

    def refuse(_number, request):
        if int(request.query["page_size"][0]) > most:
            slow[0] += 1
            return reply(504)
        return None

    with SmallCatalog(records, before=refuse, latency=0.001) as server:
        walked = walk(server, page_size=500)
    assert identifiers(walked) == names(records)
    assert walked.smallest_page in (250, 125, 62, 50)
    assert walked.smallest_page <= most or most == 120
    assert walked.retried >= 1


def test_pages_do_not_become_smaller_than_fifty():
    def refuse(_number, request):
        return reply(504)

    with SmallCatalog(images(range(100)), before=refuse) as server:
        with pytest.raises(ProtocolError, match="timeout"):
            walk(server, page_size=400, retries=7)
        sizes = {int(call.query.rpartition("page_size=")[2]) for call in server.calls}
    assert sizes == {1, 400, 200, 100, 50}


def test_a_page_that_never_comes_is_asked_for_in_smaller_ones():
    records = images(spread(300))
    stalled = []

    def stall(number, request):
        if number == 5:
            stalled.append(request)
            return broken(cut_after=10, ending="stall", stall=30)
        return None

    with SmallCatalog(records, before=stall) as server:
        walked = walk(server, page_size=100, timeout=1)
    assert identifiers(walked) == names(records)
    assert stalled
    assert walked.smallest_page == 50


def test_a_server_with_smaller_pages_than_asked_for_is_read_whole():
    records = images([*spread(150), *[5] * 30, None, None])
    with SmallCatalog(records, most=7) as server:
        walked = walk(server, page_size=50)
    assert identifiers(walked) == names(records)
    assert walked.total == 182
    assert walked.smallest_page == 7


# --- a server that lies


def test_a_record_that_is_left_out_of_a_page_once_is_found():
    records = images(spread(60))
    left_out = []

    def leave_out(request, body):
        if len(body["data"]) > 3 and "page_size=10" in request.raw_query and "creation_date%3C" in request.raw_query and not left_out:
            left_out.append(body["data"].pop(2))

    with SmallCatalog(records, after=leave_out) as server:
        walked = walk(server)
    assert left_out
    assert identifiers(walked) == names(records)
    assert walked.repaired == 1


def test_a_record_that_is_counted_and_never_given_is_an_error():
    records = images(spread(60))

    def leave_out(_request, body):
        body["data"] = [row for row in body["data"] if row["_id"] != records[7]["_id"]]

    with SmallCatalog(records, after=leave_out) as server, pytest.raises(ProtocolError, match="counts"):
        walk(server)


def reverse(body):
    body["data"].reverse()


def same_identifier(body):
    for row in body["data"]:
        row["_id"] = "one"


def change_first(**values):
    def change(body):
        body["data"][0].update(values)

    return change


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (reverse, "order"),
        (change_first(creation_date="2030-01-01T00:00:00+00:00"), "order"),
        (change_first(creation_date="last week"), "no date"),
        (change_first(creation_date=5), "no date"),
        (change_first(_id=None), "_id"),
        (change_first(_id=7), "_id"),
        (change_first(image_id=7), "cannot be used"),
        (change_first(repositories="none"), "cannot be used"),
        (same_identifier, "counts"),
    ],
)
def test_records_that_cannot_be_right_are_an_error(lie, words):
    def after(_request, body):
        # not the first question, which has no limits that could be broken
        if len(body["data"]) > 1 and "creation_date%3C" in _request.raw_query:
            lie(body)

    with SmallCatalog(images(spread(60)), after=after) as server, pytest.raises(ProtocolError, match=words):
        walk(server)


def test_a_server_that_passes_over_the_dates_is_an_error():
    records = images(spread(60))

    def forget(request):
        request.query["filter"] = ["isv_pid!=null"]

    with SmallCatalog(records, before=lambda _number, request: forget(request)) as server, pytest.raises(ProtocolError):
        walk(server)


def test_a_server_that_is_not_there_is_told_at_once():
    with SmallCatalog() as server:
        gone = server.url

    class Gone:
        url = gone

    with pytest.raises(TransportError, match="refused"):
        walk(Gone())


def test_the_oldest_record_only_helps():
    """Where the look for it fails, the work is divided by a guess."""
    records = images(spread(300))

    def refuse(_number, request):
        return reply(400) if "asc" in request.raw_query else None

    with SmallCatalog(records, before=refuse, latency=0.002) as server:
        walked = walk(server)
    assert identifiers(walked) == names(records)
    assert walked.requests <= 80
    assert date(0) <= min(record.creation_date for record in walked.records)
