# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client: one error for each of Quay's shapes, no request that could do harm, nothing asked twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import (
    AirgapError,
    InputError,
    ProtocolError,
    TransportError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.capabilities import NotOfferedError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import (
    QuayClient,
    QuayOptions,
    at,
    base_url,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import (
    BAD_TOKEN,
    FORBIDDEN,
    IMMUTABLE,
    NOT_FOUND,
    NOT_OFFERED,
    RATE_LIMIT,
    READ_ONLY,
    REFUSED,
    SERVER_ERROR,
    STARTING,
    QuayError,
)
from ansible_collections.quayside.airgap.tests.sandbox.http_messages import Dropped
from ansible_collections.quayside.airgap.tests.sandbox.http_server import HttpRequest, HttpResponse
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import ScriptedServer, reply

SUBJECT = "read the thing"


def said(body: Any, status: int = 400) -> HttpResponse:
    return reply(status, json.dumps(body), Content_Type="text/html")


@contextmanager
def talk(script: Any, **options: Any) -> Iterator[tuple[QuayClient, ScriptedServer]]:
    """A client and the server that it talks to; ``script`` as for ScriptedServer."""
    with ScriptedServer(script) as server:
        settings = {"host": server.url, "token": "secret-token", "retries": 0, **options}
        with QuayClient(QuayOptions(**settings)) as client:
            yield client, server


def routes(**answers: HttpResponse) -> Any:
    """A server that answers by path; ``__`` stands for ``/``."""
    table = {"/" + name.replace("__", "/"): answer for name, answer in answers.items()}

    def answer(request: HttpRequest) -> HttpResponse:
        given = table.get(request.path, reply(404, "<html>no such page</html>"))
        return HttpResponse(given.status, dict(given.headers), given.body)

    return answer


# --- addresses


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("https://quay.example.com", "https://quay.example.com"),
        ("http://quay.example.com:8080/", "http://quay.example.com:8080"),
        ("quay.example.com", "https://quay.example.com"),
        (" quay.example.com:8443 ", "https://quay.example.com:8443"),
        ("https://[::1]:8443", "https://[::1]:8443"),
    ],
)
def test_addresses(host: str, url: str) -> None:
    assert base_url(host) == url


@pytest.mark.parametrize(
    "host", ["", "https://", "ftp://quay", "https://quay:port", "https://quay:0x", "https://quay/prod", "https://a:b@quay"]
)
def test_addresses_that_are_none(host: str) -> None:
    with pytest.raises(InputError, match="Could not use quay_host") as caught:
        base_url(host)
    assert "a:b" not in str(caught.value)


def test_parts_of_paths_are_quoted() -> None:
    assert at("organization", "prod", "robots", "prod+ci") == "/api/v1/organization/prod/robots/prod%2Bci"
    assert at("repository", "prod", "team/app", "tag", "") == "/api/v1/repository/prod/team/app/tag/"
    assert at("users", "a?b#c d") == "/api/v1/users/a%3Fb%23c%20d"


@pytest.mark.parametrize("options", [{"parallel": 0}, {"parallel": 65}, {"retries": -1}, {"timeout": 0}])
def test_options_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="is not between"):
        QuayOptions("quay.example.com", **options)


@pytest.mark.parametrize(
    "options", [{"token": "x", "username": "a", "password": "b"}, {"username": "a"}, {"password": "b"}, {"token": "x", "username": "a"}]
)
def test_half_a_login_and_two_of_them(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"quay_token|quay_username"):
        QuayClient(QuayOptions("quay.example.com", **options))


# --- refusals

SHAPES = [
    (400, {"detail": "Existing robot", "error_message": "Existing robot", "error_type": "invalid_request"}, REFUSED, "Existing robot"),
    (400, {"message": "Could not find robot"}, REFUSED, "Could not find robot"),
    (400, {"detail": "Incorrect DateTime"}, REFUSED, "Incorrect DateTime"),
    (400, {"message": {"limit": "a number"}}, REFUSED, "limit: a number"),
    (400, {"error": "invalid_request"}, REFUSED, "invalid_request"),
    (
        400,
        {"detail": "\n'x' is a required property\n\nFailed validating", "error_type": "invalid_request"},
        REFUSED,
        "'x' is a required property",
    ),
    (400, "bare text", REFUSED, "bare text"),
    (401, {"detail": "Requires authentication", "error_type": "invalid_token"}, BAD_TOKEN, "the token was not accepted"),
    (403, {"error": "CSRF token was invalid or missing."}, BAD_TOKEN, "the token was not accepted"),
    (401, {"error": "Anonymous access is not allowed"}, BAD_TOKEN, "the token was not accepted"),
    (403, {"detail": "Unauthorized", "error_type": "insufficient_scope"}, FORBIDDEN, "the token or its user may not do this"),
    (404, {"detail": "Not Found", "error_type": "not_found"}, NOT_FOUND, "Not Found"),
    (409, {"detail": "tag is immutable", "error_type": "tag_immutable"}, IMMUTABLE, "tag is immutable"),
    (503, {"is_readonly": True, "message": "System is currently read-only."}, READ_ONLY, "System is currently read-only"),
    (500, {"message": "Internal"}, SERVER_ERROR, "Internal"),
    (404, {"errors": [{"code": "NAME_UNKNOWN", "message": "repository name not known"}]}, NOT_FOUND, "repository name not known"),
]


@pytest.mark.parametrize(("status", "body", "code", "text"), SHAPES)
def test_every_shape_becomes_one_error(status: int, body: Any, code: str, text: str) -> None:
    with talk([said(body, status)]) as (client, server), pytest.raises(QuayError) as caught:
        client.get("/api/v1/thing", SUBJECT)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert str(caught.value).startswith(f"Could not read the thing on {server.host}: {text}")
    assert "secret-token" not in str(caught.value)


PAGES = [
    (404, "<!doctype html><title>no</title>" + "x" * 90_000, NOT_OFFERED, "too old, or the feature is switched off"),
    (405, "<!doctype html>", NOT_OFFERED, "too old, or the feature is switched off"),
    (500, "<title>Internal Server Error</title>", SERVER_ERROR, "failed with an internal error"),
    (502, "<title>Quay Loading</title>", STARTING, "not up yet"),
    (429, "<html>Too Many Requests</html>", RATE_LIMIT, "too many requests"),
]


@pytest.mark.parametrize(("status", "page", "code", "text"), PAGES)
def test_pages_instead_of_json(status: int, page: str, code: str, text: str) -> None:
    with talk([reply(status, page, Content_Type="text/html")]) as (client, _server), pytest.raises(QuayError, match=text) as caught:
        client.get("/api/v1/thing", SUBJECT)
    assert caught.value.code == code
    assert "<" not in str(caught.value)


def test_what_is_missing_is_none_but_an_unknown_request_is_not() -> None:
    with talk([said({"detail": "Not Found", "error_type": "not_found"}, 404)]) as (client, _server):
        assert client.find("/api/v1/thing", SUBJECT) is None
        assert client.delete("/api/v1/thing", SUBJECT) is False
    with talk([reply(404, "<html>")]) as (client, _server):
        with pytest.raises(QuayError, match="does not know the request"):
            client.find("/api/v1/thing", SUBJECT)
        with pytest.raises(QuayError, match="does not know the request"):
            client.delete("/api/v1/thing", SUBJECT)


@pytest.mark.parametrize(("body", "value"), [(b'"Created"\n', "Created"), (b"", None), (b'""', ""), (b"null\n", None), (b"[]", [])])
def test_answers(body: bytes, value: Any) -> None:
    with talk([reply(201, body, Content_Type="text/html")]) as (client, _server):
        assert client.post("/api/v1/thing", {}, SUBJECT) == value


def test_a_page_with_status_200_is_no_quay() -> None:
    with talk([reply(200, "<html>Welcome</html>")]) as (client, _server), pytest.raises(ProtocolError, match="Check quay_host"):
        client.get("/api/v1/thing", SUBJECT)


def test_a_redirect_elsewhere_names_the_right_address() -> None:
    answer = reply(301, "", Location="https://quay.example.com/api/v1/thing")
    with talk([answer]) as (client, _server), pytest.raises(InputError, match=r"Set quay_host to https://quay\.example\.com"):
        client.get("/api/v1/thing", SUBJECT)


def test_a_redirect_to_the_slashed_path_is_an_unknown_request() -> None:
    with talk([reply(308, "", Location="/api/v1/thing/")]) as (client, _server), pytest.raises(QuayError) as caught:
        client.get("/api/v1/thing", SUBJECT)
    assert caught.value.code == NOT_OFFERED


# --- patience


def test_reads_are_repeated() -> None:
    answers = [reply(502, "<html>"), reply(500, "<html>"), said({"name": "prod"}, 200)]
    with talk(answers, retries=2) as (client, server):
        assert client.get("/api/v1/thing", SUBJECT) == {"name": "prod"}
        assert len(server.calls) == 3


def test_a_read_only_registry_is_told_at_once() -> None:
    with talk([said({"is_readonly": True, "message": "read-only"}, 503)], retries=3) as (client, server):
        with pytest.raises(QuayError, match="read-only mode"):
            client.put("/api/v1/thing", {}, SUBJECT)
        assert len(server.calls) == 1


@pytest.mark.parametrize("answer", [reply(429, "<html>Too Many Requests</html>"), reply(502, "<html>"), reply(429, "", Retry_After="0")])
def test_a_change_that_did_not_reach_quay_is_made_again(answer: HttpResponse) -> None:
    with talk([answer, said("Created", 201)], retries=1) as (client, server):
        assert client.post("/api/v1/thing", {"name": "prod"}, SUBJECT) == "Created"
        assert [call.body for call in server.calls] == [b'{"name": "prod"}'] * 2


@pytest.mark.parametrize("answer", [reply(500, "<html>"), reply(504, "<html>")])
def test_a_change_that_may_have_been_made_is_not_repeated_blindly(answer: HttpResponse) -> None:
    with talk([answer], retries=3) as (client, server):
        with pytest.raises(QuayError) as caught:
            client.post("/api/v1/thing", {}, SUBJECT)
        assert caught.value.transient
        assert len(server.calls) == 1


def test_a_change_whose_answer_is_lost_is_not_repeated_blindly() -> None:
    def cut(_request: HttpRequest) -> HttpResponse:
        raise Dropped(reset=True)

    with talk(cut, retries=3) as (client, server):
        with pytest.raises(TransportError) as caught:
            client.post("/api/v1/thing", {}, SUBJECT)
        assert caught.value.transient
        assert len(server.calls) == 1


def test_nobody_there() -> None:
    with talk([reply()]) as (_client, server):
        url = server.url
    client = QuayClient(QuayOptions(url, token="secret-token", retries=0))
    with pytest.raises(TransportError, match="refused"):
        client.get("/api/v1/thing", SUBJECT)


# --- pages


def test_pages_are_followed_to_the_end() -> None:
    answers = [said({"things": [1, 2], "next_page": "b"}, 200), said({"things": [3], "next_page": "c"}, 200), said({"things": [4]}, 200)]
    with talk(answers) as (client, server):
        assert list(client.pages("/api/v1/thing", SUBJECT, "things", {"public": True})) == [1, 2, 3, 4]
        assert [call.query for call in server.calls] == ["public=true", "public=true&next_page=b", "public=true&next_page=c"]


def test_a_mark_that_comes_again_ends_the_list() -> None:
    answers = [said({"things": [1], "next_page": "b"}, 200), said({"things": [2], "next_page": "b"}, 200)]
    with talk(answers) as (client, server):
        assert list(client.pages("/api/v1/thing", SUBJECT, "things")) == [1, 2]
        assert len(server.calls) == 2


@pytest.mark.parametrize("body", [{"other": []}, [], {"things": {}}, None])
def test_a_list_that_is_none(body: Any) -> None:
    with talk([said(body, 200)]) as (client, _server), pytest.raises(ProtocolError, match="no list 'things'"):
        list(client.pages("/api/v1/thing", SUBJECT, "things"))


# --- what is asked once


def test_shared_reads_are_made_once_until_they_are_forgotten() -> None:
    with talk([said({"n": 1}, 200), said({"n": 2}, 200)]) as (client, server):
        path = at("organization", "prod")
        assert [client.shared(path, SUBJECT), client.shared(path, SUBJECT)] == [{"n": 1}] * 2
        client.forget(at("organization", "other"))
        assert client.shared(path, SUBJECT) == {"n": 1}
        client.forget(path)
        assert client.shared(path, SUBJECT) == {"n": 2}
        assert len(server.calls) == 2


# --- who we are


USER = {"username": "quayadmin", "super_user": True}


def test_the_identity_behind_a_token() -> None:
    with talk([said(USER, 200)]) as (client, server):
        assert client.identity().name == "quayadmin"
        assert client.identity().superuser is True
        assert [call.path for call in server.calls] == ["/api/v1/user/"]
        assert server.calls[0].headers["authorization"] == "Bearer secret-token"


def test_a_bad_token_is_told_from_one_that_may_not_read_its_user() -> None:
    anonymous = said({"detail": "Requires authentication", "error_type": "invalid_token"}, 401)
    narrow = said({"detail": "Unauthorized", "error_type": "insufficient_scope"}, 403)
    with talk([anonymous]) as (client, _server), pytest.raises(QuayError, match="the token was not accepted"):
        client.identity()
    with talk([anonymous, narrow]) as (client, _server):
        assert client.identity().superuser is None


def test_without_a_login_nothing_is_asked() -> None:
    with talk([reply()], token=None) as (client, server):
        assert client.identity().superuser is False
        client.deny_anonymous()
        assert server.calls == []


def test_a_refusal_without_a_login_asks_for_one() -> None:
    answer = said({"detail": "Requires authentication", "error_type": "invalid_token"}, 401)
    with talk([answer], token=None) as (client, _server), pytest.raises(QuayError, match="Give quay_token, or quay_username"):
        client.get("/api/v1/thing", SUBJECT)


# --- what the other side can do

CONFIG = {
    "features": {"PROXY_CACHE": True, "AUTO_PRUNE": False},
    "config": {"SERVER_HOSTNAME": "quay.example.com"},
    "version_number": "Quay v3.16.2",
    "registry_state": "normal",
}
DISCOVERY = {
    "paths": {"/api/v1/organization/{orgname}/proxycache": {}, "/api/v1/organization/{orgname}/mirror": {}},
    "definitions": {"CreateMirrorConfig": {"required": ["skopeo_timeout_interval"], "properties": {"sync_interval": {}}}},
}
CACHE = "/api/v1/organization/{orgname}/proxycache"
PRUNE = "/api/v1/organization/{orgname}/autoprunepolicy/"


def test_capabilities_are_read_once_and_without_the_token() -> None:
    with talk(routes(config=said(CONFIG, 200), api__v1__discovery=said(DISCOVERY, 200))) as (client, server):
        found = client.capabilities
        assert (found.version, found.read_only) == ("3.16.2", False)
        assert (found.feature("PROXY_CACHE"), found.feature("AUTO_PRUNE"), found.feature("UNHEARD_OF")) == (True, False, False)
        assert found.setting("SERVER_HOSTNAME") == "quay.example.com"
        assert found.has_route(CACHE)
        assert not found.has_route(PRUNE)
        assert found.requires("CreateMirrorConfig", "skopeo_timeout_interval")
        assert found.field("CreateMirrorConfig", "sync_interval")
        assert not found.field("Other", "sync_interval")
        found.need(CACHE, "PROXY_CACHE", "make a proxy cache")
        assert sorted(call.path for call in server.calls) == ["/api/v1/discovery", "/config"]
        assert not any("authorization" in call.headers for call in server.calls)


def test_what_is_not_offered_says_why() -> None:
    with talk(routes(config=said(CONFIG, 200), api__v1__discovery=said(DISCOVERY, 200))) as (client, _server):
        with pytest.raises(NotOfferedError, match=r"3\.16\.2 does not offer it\. Set FEATURE_AUTO_PRUNE: true"):
            client.capabilities.need(PRUNE, "AUTO_PRUNE", "prune tags", "3.10")
        with pytest.raises(NotOfferedError, match=r"It needs Quay 3\.18 or later"):
            client.capabilities.need("/api/v1/tokens", "", "list tokens", "3.18")


def test_a_quay_before_3_8_has_no_config_page() -> None:
    with talk(routes(config=reply(200, "<html>"), api__v1__discovery=said(DISCOVERY, 200))) as (client, _server):
        found = client.capabilities
        assert (found.version, found.feature("PROXY_CACHE"), found.setting("SERVER_HOSTNAME")) == ("", None, None)
        found.need(CACHE, "PROXY_CACHE", "make a proxy cache", "3.7")
        with pytest.raises(NotOfferedError, match=r"It needs Quay 3\.10 or later with FEATURE_AUTO_PRUNE"):
            found.need(PRUNE, "AUTO_PRUNE", "prune tags", "3.10")


# --- sessions


def session(**more: HttpResponse) -> Any:
    """A Quay that lets alice in with one password and wants the CSRF token that it gave last."""

    def answer(request: HttpRequest) -> HttpResponse:
        if request.path == "/csrf_token":
            return reply(200, '{"csrf_token": "first"}', Set_Cookie="_csrf_token=first; Path=/; HttpOnly")
        if request.path == "/api/v1/signin":
            if request.headers.get("x-csrf-token") != "first" or "_csrf_token=first" not in request.headers.get("cookie", ""):
                return said({"error": "CSRF token was invalid or missing."}, 403)
            return more.get("signin") or reply(
                200,
                '{"success": true}',
                Set_Cookie="session=abc; Expires=Sat, 21 Nov 2026 10:00:00 GMT; Path=/",
                X_Next_CSRF_Token="second",
            )
        if "session=abc" not in request.headers.get("cookie", ""):
            return said({"error": "no session"}, 401)
        if request.method != "GET" and request.headers.get("x-csrf-token") != "second":
            return said({"error": "CSRF token was invalid or missing."}, 403)
        return said({"done": request.method}, 200)

    return answer


ALICE = {"token": None, "username": "alice", "password": "wonderland"}


def test_a_session_signs_in_once_and_sends_its_tokens() -> None:
    with talk(session(), **ALICE) as (client, server):
        assert client.get("/api/v1/thing", SUBJECT) == {"done": "GET"}
        assert client.put("/api/v1/thing", {}, SUBJECT) == {"done": "PUT"}
        assert client.delete("/api/v1/thing", SUBJECT)
        assert [call.path for call in server.calls].count("/api/v1/signin") == 1
        assert not any("authorization" in call.headers for call in server.calls)


def test_a_wrong_password_is_tried_once() -> None:
    refusal = said({"invalidCredentials": True, "message": "Invalid Username or Password"}, 403)
    with talk(session(signin=refusal), **ALICE) as (client, server):
        for _attempt in range(3):
            with pytest.raises(QuayError, match=r"log in as alice: Invalid Username or Password\. Check quay_username") as caught:
                client.get("/api/v1/thing", SUBJECT)
            assert "wonderland" not in str(caught.value)
        assert [call.path for call in server.calls].count("/api/v1/signin") == 1


def test_a_locked_account_says_for_how_long() -> None:
    with talk(session(signin=reply(429, "Too many login attempts", Retry_After="7")), **ALICE, retries=2) as (client, server):
        with pytest.raises(QuayError, match="refuses every login of this user for 7 s"):
            client.get("/api/v1/thing", SUBJECT)
        assert [call.path for call in server.calls].count("/api/v1/signin") == 1


def test_a_session_that_is_no_longer_fresh_signs_in_again() -> None:
    stale = said({"detail": "The action requires a fresh login", "error_type": "fresh_login_required"}, 401)
    inner = session()
    asked: list[str] = []

    def answer(request: HttpRequest) -> HttpResponse:
        if request.path == "/api/v1/thing" and not asked:
            asked.append(request.path)
            return HttpResponse(stale.status, dict(stale.headers), stale.body)
        return inner(request)

    with talk(answer, **ALICE) as (client, server):
        assert client.delete("/api/v1/thing", SUBJECT)
        assert [call.path for call in server.calls].count("/api/v1/signin") == 2


def test_the_address_of_the_authorization_page_is_handed_back() -> None:
    inner = session()

    def answer(request: HttpRequest) -> HttpResponse:
        if request.path == "/oauth/authorizeapp":
            return reply(302, "", Location="http://quay/oauth/localapp#access_token=abc&token_type=Bearer")
        return inner(request)

    with talk(answer, **ALICE) as (client, server):
        assert client.authorize({"client_id": "X", "scope": "org:admin repo:read"}).endswith("#access_token=abc&token_type=Bearer")
        assert server.calls[-1].body == b"client_id=X&scope=org%3Aadmin+repo%3Aread"
        assert server.calls[-1].headers["x-csrf-token"] == "second"
    with talk([reply()]) as (client, _server), pytest.raises(AirgapError, match="Give quay_username and quay_password"):
        client.authorize({})
