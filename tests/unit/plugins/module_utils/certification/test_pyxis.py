# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One page of the catalog API: what is asked, which answers count, what is tried again, and how a refusal reads."""

from __future__ import annotations

import json
import time
from urllib.parse import parse_qs, unquote

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.certification.pyxis import (
    CONTAINERS,
    CatalogClient,
    CatalogOptions,
    Query,
    Tally,
    TooSlow,
    fingerprint,
    operators,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import (
    HttpError,
    InputError,
    ProtocolError,
    TransportError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.tests.sandbox.http_server import HttpResponse, WirePlan
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import Proxy, ScriptedServer, closed_port, reply

FIELDS = ("_id", "creation_date")
QUERY = Query(CONTAINERS, (), FIELDS, "creation_date[desc]", 0, 2, True)
ROWS = [{"_id": "a", "creation_date": "2020-10-20T18:17:55.675000+00:00"}]


def page(**more):
    body = {"data": ROWS, "page": 0, "page_size": 2, "total": 1, **more}
    return reply(200, json.dumps({name: value for name, value in body.items() if value is not ...}))


def client(url, *, retries=2, **options):
    return CatalogClient(CatalogOptions(api_url=url, retry=RetryPolicy(retries=retries, base=0.01, cap=0.02), **options))


def ask(server, query=QUERY, **options):
    tally = Tally(2)
    with client(server.url, **options) as catalog:
        return catalog.page(query, tally), tally


# --- what is asked


def test_images_are_asked_for_as_the_index_of_the_service_wants_it():
    query = Query(CONTAINERS, (">=2020-01-01T00:00:00+00:00", "<2021-01-01T00:00:00+00:00"), FIELDS, "creation_date[desc]", 3, 2, True)
    with ScriptedServer([page(page=3)]) as server:
        ask(server, query)
        call = server.calls[0]
    assert call.path == "/images"
    assert parse_qs(call.query) == {
        "filter": [
            "isv_pid!=null and creation_date>=2020-01-01T00:00:00+00:00 and creation_date<2021-01-01T00:00:00+00:00 and certified==true"
        ],
        "include": ["data._id,data.creation_date,page,page_size,total"],
        "sort_by": ["creation_date[desc]"],
        "page": ["3"],
        "page_size": ["2"],
    }
    assert "+" not in call.query, "a plus sign would be read as a blank"


@pytest.mark.parametrize(
    ("organizations", "condition"),
    [
        (["certified-operators"], "organization==certified-operators"),
        (["redhat-operators", "certified-operators"], "organization=in=(certified-operators,redhat-operators)"),
    ],
)
def test_operators_are_asked_for_by_organization(organizations, condition):
    with ScriptedServer([page(total=...)]) as server:
        ask(server, QUERY._replace(kind=operators(organizations), dates=("<=2021-01-01T00:00:00Z",), total=False))
        assert server.calls[0].path == "/operators/bundles"
        assert f"filter={condition} and creation_date<=2021-01-01T00:00:00Z&include=data._id,data.creation_date,page,page_size&" in unquote(
            server.calls[0].query
        )


@pytest.mark.parametrize("organizations", [[], [""], ["a,b"], ["a) or (x==y"], ["a b"], ["a;b"]])
def test_organizations_that_cannot_stand_in_a_filter_are_refused(organizations):
    with pytest.raises(InputError, match="organizations"):
        operators(organizations)


def test_the_key_goes_with_every_call():
    with ScriptedServer([reply(503), page()]) as server:
        ask(server, api_key="secret")
        assert [call.headers["x-api-key"] for call in server.calls] == ["secret", "secret"]


def test_the_proxy_carries_the_calls():
    with ScriptedServer([page()]) as server, Proxy(server.port) as proxy:
        with client("http://catalog.example/api/v1/", proxy=proxy.url) as catalog:
            assert catalog.page(QUERY, Tally(2)).rows == ROWS
        assert proxy.asked[0].startswith("GET http://catalog.example/api/v1/images?filter=")


# --- what counts as a page


def test_a_page_is_what_was_asked_for():
    with ScriptedServer([page(total=7)]) as server:
        found, tally = ask(server)
    assert found == (ROWS, 7, 2)
    assert (tally.requests, tally.retried) == (1, 0)


def test_a_server_may_make_its_pages_smaller():
    with ScriptedServer([page(page_size=1)]) as server:
        assert ask(server)[0].page_size == 1


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, b""),
        reply(200, b'{"data": [{"_id": "a"'),
        reply(200, b"\xff\xfe\x00"),
        reply(200, "[" * 100_000),
        reply(200, "[]"),
        reply(200, "null"),
        page(data=None),
        page(data={}),
        page(data=["a"]),
        page(data=...),
        page(total=...),
        page(total="1"),
        page(total=True),
        page(total=-1),
        page(total=0),
        page(page=1),
        page(page=...),
        page(page_size=...),
        page(page_size=0),
        page(page_size=3),
        page(data=[*ROWS, {"_id": "b"}, {"_id": "c"}], total=3),
    ],
)
def test_anything_else_is_asked_again_and_then_told(answer):
    with ScriptedServer([answer]) as server:
        with pytest.raises(ProtocolError) as caught:
            ask(server)
        assert len(server.calls) == 3
    assert not isinstance(caught.value, TooSlow)
    with ScriptedServer([answer, page()]) as server:
        found, tally = ask(server)
    assert found.rows == ROWS
    assert (tally.requests, tally.retried) == (2, 1)


def test_a_server_that_never_sent_a_page_is_not_asked_as_often():
    """A wrong api_url should not cost all the pauses; one that has worked before is worth the patience."""
    with ScriptedServer([reply(200, "{}")]) as server, pytest.raises(ProtocolError):
        ask(server, retries=9)
    assert len(server.calls) == 3
    with ScriptedServer([page(), *[reply(200, "{}")] * 6, page()]) as server, client(server.url, retries=9) as catalog:
        assert catalog.page(QUERY, Tally(2)).rows == ROWS
        assert catalog.page(QUERY, Tally(2)).rows == ROWS
        assert len(server.calls) == 8


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_passing_status_is_waited_out(status):
    with ScriptedServer([reply(status, "<html>"), page()]) as server:
        assert ask(server)[1].retried == 1
    with ScriptedServer([reply(status, json.dumps({"detail": "come back\nlater"}))]) as server:
        with pytest.raises(HttpError, match="come back later") as caught:
            ask(server)
        assert len(server.calls) == 3
    assert caught.value.status == status
    assert caught.value.hint


def test_the_service_says_how_long_to_wait():
    with ScriptedServer([reply(429, Retry_After="1"), page()]) as server:
        begun = time.monotonic()
        assert ask(server)[0].rows == ROWS
        assert time.monotonic() - begun >= 1.0


@pytest.mark.parametrize(
    "plan", [WirePlan(cut_after=20, ending="close"), WirePlan(cut_after=20, ending="reset"), WirePlan(before_head=True)]
)
def test_a_connection_that_breaks_is_made_again(plan):
    whole = page()
    with ScriptedServer([HttpResponse(200, {}, whole.body, plan=plan), page()]) as server:
        found, tally = ask(server)
    assert (found.rows, tally.retried) == (ROWS, 1)


@pytest.mark.parametrize("answer", [reply(504), reply(200, "\n<html>Gateway"), reply(504, "<html>", Retry_After="0")])
def test_what_a_gateway_says_that_gave_up_is_left_to_who_can_ask_for_less(answer):
    with ScriptedServer([answer]) as server:
        with pytest.raises(TooSlow) as caught:
            ask(server)
        assert len(server.calls) == 1
    assert caught.value.hint


def test_silence_past_the_time_limit_is_too_slow():
    whole = page()
    with ScriptedServer([HttpResponse(200, {}, whole.body, plan=WirePlan(cut_after=10, ending="stall", stall=30))]) as server:
        with pytest.raises(TooSlow, match="silent"):
            ask(server, timeout=1)
        assert len(server.calls) == 1


# --- refusals


@pytest.mark.parametrize(
    ("status", "key", "words"),
    [
        (400, None, "organizations"),
        (401, None, "set api_key"),
        (401, "secret", "Check api_key"),
        (403, None, "proxy in between"),
        (403, "secret", "Check api_key"),
        (404, None, "Check api_url"),
        (204, None, "api_url"),
        (410, None, "api_url"),
    ],
)
def test_a_refusal_is_told_at_once_with_the_option_to_look_at(status, key, words):
    body = json.dumps({"status": status, "title": "No", "detail": f"the key {key} or the filter"})
    with ScriptedServer([reply(status, body)]) as server:
        with pytest.raises(HttpError) as caught:
            ask(server, api_key=key)
        assert len(server.calls) == 1
    assert caught.value.status == status
    assert words in caught.value.hint
    assert "secret" not in str(caught.value)
    assert "isv_pid" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_names_api_url(status):
    with ScriptedServer([page()]) as far:
        with ScriptedServer([reply(status, Location=f"{far.url}/v2/images?token=hidden")]) as server:
            with pytest.raises(HttpError, match=f"{far.host}/v2/images") as caught:
                ask(server, api_key="secret")
            assert len(server.calls) == 1
        assert far.calls == []
    assert "api_url" in caught.value.hint
    assert "hidden" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_told_at_once():
    tally = Tally(2)
    with client(f"http://127.0.0.1:{closed_port()}") as catalog, pytest.raises(TransportError) as caught:
        catalog.page(QUERY, tally)
    assert caught.value.kind == "refused"
    assert tally.requests == 1


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"api_url": "catalog.example"}, "api_url"),
        ({"api_url": ""}, "api_url"),
        ({"api_url": "ftp://catalog.example"}, "api_url"),
        ({"api_url": "https://me:secret@catalog.example"}, "api_url"),
        ({"api_url": "https://catalog.example/?a=secret"}, "api_url"),
        ({"api_url": "https://catalog.example:99999"}, "api_url"),
        ({"api_url": "https://cat alog.example"}, "api_url"),
        ({"api_key": "sec\nret"}, "api_key"),
        ({"api_key": ""}, "api_key"),
        ({"page_size": 0}, "page_size"),
        ({"page_size": 1001}, "page_size"),
        ({"workers": 0}, "workers"),
        ({"timeout": 0}, "timeout"),
        ({"retry": RetryPolicy(retries=-1)}, "retries"),
        ({"proxy": "socks5://me:secret@p"}, "proxy"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options, name):
    with pytest.raises(InputError) as caught:
        CatalogClient(CatalogOptions(**options))
    assert caught.value.subject == name
    assert "secret" not in str(caught.value)
    assert "sec\nret" not in str(caught.value)


def test_secrets_are_not_shown_with_the_options():
    assert "secret" not in repr(CatalogOptions(api_key="secret", proxy="http://me:secret@proxy.example"))


# --- the narrow look


def updates(*records, total=2, **more):
    rows = [{"_id": name, "last_update_date": date} for name, date in records]
    return page(data=rows, total=total, page_size=100, **more)


NEW, OLD = ("b", "2026-02-01T00:00:00.000000+00:00"), ("a", "2026-01-01T00:00:00.000000+00:00")


def look(*answers, kind="containers", organizations=()):
    with ScriptedServer(answers) as server, client(server.url) as catalog:
        return fingerprint(catalog, kind, organizations), server.calls


def test_the_narrow_look_asks_for_the_last_updates_and_the_number_of_records():
    found, calls = look(updates(NEW, OLD))
    assert found
    assert parse_qs(calls[0].query)["sort_by"] == ["last_update_date[desc]"]
    assert parse_qs(calls[0].query)["include"] == ["data._id,data.last_update_date,page,page_size,total"]
    assert parse_qs(calls[0].query)["page_size"] == ["100"]
    found, calls = look(updates(NEW, OLD), kind="operators", organizations=["certified-operators"])
    assert found
    assert calls[0].path == "/operators/bundles"


def test_it_is_the_same_as_long_as_the_catalog_is():
    same, _calls = look(updates(NEW, OLD))
    assert look(updates(NEW, OLD))[0] == same
    tied = ("c", NEW[1])
    assert look(updates(NEW, tied))[0] == look(updates(tied, NEW))[0]


@pytest.mark.parametrize(
    "answer",
    [
        updates(NEW, ("a", "2026-01-02T00:00:00.000000+00:00")),
        updates(NEW, ("c", OLD[1])),
        updates(NEW, total=1),
        updates(*([NEW] * 100), total=101),
    ],
)
def test_every_change_shows(answer):
    changed, _calls = look(answer)
    assert changed
    assert changed != look(updates(NEW, OLD))[0]


def test_two_kinds_are_two_things():
    assert look(updates(NEW, OLD))[0] != look(updates(NEW, OLD), kind="operators", organizations=["certified-operators"])[0]


@pytest.mark.parametrize(
    "answer",
    [
        reply(400),
        reply(401),
        reply(404),
        reply(429, Retry_After="1"),
        reply(500),
        reply(504),
        reply(302, Location="/there"),
        reply(200, "<html>"),
        reply(200, '{"data": ['),
        updates(NEW, OLD, total=...),
        updates(NEW, ("a", None)),
        updates((None, NEW[1]), OLD),
        updates(OLD, NEW),
        updates(NEW, total=2),
    ],
)
def test_where_the_service_does_not_say_there_is_no_fingerprint_and_no_second_attempt(answer):
    found, calls = look(answer)
    assert found is None
    assert len(calls) == 1
