# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching the index of the Helm repository: only when it changed, only whole, and with words for everything else."""

from __future__ import annotations

import json

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.certification.helm_source import Index, fetch_index
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import (
    HttpError,
    InputError,
    ProtocolError,
    TransportError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import HttpSession, HttpSettings, RetryPolicy
from ansible_collections.quayside.airgap.tests.sandbox.http_server import HttpResponse, WirePlan
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import ScriptedServer, closed_port, reply

INDEX = b"""apiVersion: v1
entries:
  acme-chart:
  - name: chart
    version: 1.10
generated: "2026-01-31T00:00:00Z"
"""
HALF = INDEX[: INDEX.index(b"generated")]


@pytest.fixture
def http():
    session = HttpSession(HttpSettings(retry=RetryPolicy(retries=2, base=0.01, cap=0.02)))
    yield session
    session.close()


def test_the_index_comes_with_what_to_show_next_time(http):
    answer = reply(200, INDEX, ETag='"one"', Last_Modified="Sat, 31 Jan 2026 00:00:00 GMT")
    with ScriptedServer([answer]) as server:
        assert fetch_index(http, f"{server.url}/index.yaml") == Index(INDEX, '"one"', "Sat, 31 Jan 2026 00:00:00 GMT")
        assert "if-none-match" not in server.calls[0].headers
        assert "if-modified-since" not in server.calls[0].headers


def test_an_index_that_has_not_changed_is_not_sent_again(http):
    with ScriptedServer([reply(304)]) as server:
        assert fetch_index(http, server.url, '"one"', "Sat, 31 Jan 2026 00:00:00 GMT") is None
        assert server.calls[0].headers["if-none-match"] == '"one"'
        assert server.calls[0].headers["if-modified-since"] == "Sat, 31 Jan 2026 00:00:00 GMT"


def test_not_modified_without_a_condition_is_no_answer(http):
    with ScriptedServer([reply(304)]) as server, pytest.raises(ProtocolError, match="without a condition"):
        fetch_index(http, server.url)


def test_redirects_are_followed(http):
    def answer(request):
        return reply(200, INDEX) if request.path == "/there" else reply(302, Location="/there")

    with ScriptedServer(answer) as server:
        found = fetch_index(http, f"{server.url}/index.yaml")
    assert found == Index(INDEX, "", "")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b'\n {"status": 500, "detail": "out of order"}', "out of order"),
        (b'{"apiVersion": "v1", "entries": {"a": [', "not all of it"),
        (b"apiVersion: v1\n", "no 'entries'"),
        (b"not found", "no 'entries'"),
        (HALF, "not whole"),
    ],
)
def test_what_is_no_whole_index_is_asked_again_and_then_told(http, content, words):
    with ScriptedServer([reply(200, content)]) as server:
        with pytest.raises(ProtocolError, match=words):
            fetch_index(http, server.url)
        assert len(server.calls) == 3
    with ScriptedServer([reply(200, content), reply(200, INDEX)]) as server:
        assert fetch_index(http, server.url) == Index(INDEX, "", "")


def test_an_index_in_JSON_is_an_index(http):
    content = json.dumps({"apiVersion": "v1", "entries": {}, "generated": "2026-01-31T00:00:00Z"}).encode()
    with ScriptedServer([reply(200, content)]) as server:
        assert fetch_index(http, server.url) == Index(content, "", "")


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_connection_that_ends_in_the_middle_is_made_again(http, ending):
    cut = HttpResponse(200, {}, INDEX, plan=WirePlan(cut_after=40, ending=ending))
    with ScriptedServer([cut, reply(200, INDEX)]) as server:
        assert fetch_index(http, server.url) == Index(INDEX, "", "")


def test_a_connection_that_always_ends_in_the_middle_is_an_error(http):
    with (
        ScriptedServer([HttpResponse(200, {}, INDEX, plan=WirePlan(cut_after=40, ending="close"))]) as server,
        pytest.raises(TransportError),
    ):
        fetch_index(http, server.url)


def test_passing_failures_are_waited_out(http):
    with ScriptedServer([reply(503), reply(429, Retry_After="0"), reply(200, INDEX)]) as server:
        assert fetch_index(http, server.url) == Index(INDEX, "", "")


@pytest.mark.parametrize(("status", "hint"), [(404, "helm_index_url"), (403, "helm_index_url"), (500, ""), (204, "")])
def test_a_refusal_names_the_status_and_the_option(http, status, hint):
    with ScriptedServer([reply(status, "<html>")]) as server, pytest.raises(HttpError, match=f"status {status}") as caught:
        fetch_index(http, f"{server.url}/index.yaml?token=secret")
    assert hint in caught.value.hint
    assert "secret" not in str(caught.value)


def test_a_refusal_behind_a_redirect_names_where_it_came_from(http):
    with (
        ScriptedServer([reply(404)]) as far,
        ScriptedServer([reply(302, Location=f"{far.url}/gone")]) as server,
        pytest.raises(HttpError, match=f"{far.host}/gone"),
    ):
        fetch_index(http, server.url)


def test_a_server_that_is_not_there_is_told_at_once(http):
    with pytest.raises(TransportError) as caught:
        fetch_index(http, f"http://127.0.0.1:{closed_port()}/index.yaml")
    assert caught.value.kind == "refused"


@pytest.mark.parametrize(
    "url", ["", "charts.example/index.yaml", "ftp://charts.example", "http://", "http://a b", "http://me:secret@c.example/"]
)
def test_a_word_that_is_no_URL_is_refused(http, url):
    with pytest.raises(InputError, match="helm_index_url") as caught:
        fetch_index(http, url)
    assert "secret" not in str(caught.value)
