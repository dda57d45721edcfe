# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a registry lets us in: challenges as they are really written, and tokens that live as long as they say."""

from __future__ import annotations

import base64
import json
import threading
import time
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, ProtocolError, TransportError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import HttpSession
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import Credentials
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import AccessError, RegistryError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.tokens import (
    Authorizer,
    Challenge,
    repository_scope,
)
from ansible_collections.quayside.airgap.tests.sandbox.http_server import HttpRequest, HttpResponse
from ansible_collections.quayside.airgap.tests.support.certs import create_certificates
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import ScriptedServer, reply
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOT, settings

PULL = frozenset({repository_scope("team/app", "pull")})


# --- challenges


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        (
            'Bearer realm="https://q.io/v2/auth",service="q.io",scope="repository:a/b:pull"',
            Challenge("bearer", "https://q.io/v2/auth", "q.io", "repository:a/b:pull"),
        ),
        ('Bearer realm="https://q.io/v2/auth"', Challenge("bearer", "https://q.io/v2/auth")),
        ('bearer   REALM = "https://q.io" , Service=q.io', Challenge("bearer", "https://q.io", "q.io")),
        ('BEARER service="q.io", realm="https://q.io"', Challenge("bearer", "https://q.io", "q.io")),
        ("Bearer realm=https://q.io/token,service=q.io", Challenge("bearer", "https://q.io/token", "q.io")),
        ('Bearer\trealm="https://q.io"', Challenge("bearer", "https://q.io")),
        ('Bearer error="invalid_token",realm="https://q.io"', Challenge("bearer", "https://q.io")),
        (
            'Bearer realm="https://q.io",scope="repository:a:pull repository:b:pull"',
            Challenge("bearer", "https://q.io", "", "repository:a:pull repository:b:pull"),
        ),
        ('Bearer realm="https://q.io/a,b?c=d"', Challenge("bearer", "https://q.io/a,b?c=d")),
        (r'Bearer realm="https://q.io/\"quoted\"",service="a\\b"', Challenge("bearer", 'https://q.io/"quoted"', "a\\b")),
        ('Basic realm="registry"', Challenge("basic", "registry")),
        ("Basic", Challenge("basic")),
        ("basic", Challenge("basic")),
        (" Basic ", Challenge("basic")),
        ('Basic realm="a", Bearer realm="https://q.io"', Challenge("bearer", "https://q.io")),
        ('Bearer realm="https://q.io", Basic realm="a"', Challenge("bearer", "https://q.io")),
        ('Negotiate, Basic realm="a"', Challenge("basic", "a")),
        ('Negotiate YIIB==, Bearer realm="https://q.io"', Challenge("bearer", "https://q.io")),
        ('Digest realm="a", nonce="b", Basic realm="c"', Challenge("basic", "c")),
        ('Basic realm="a Bearer of bad news"', Challenge("basic", "a Bearer of bad news")),
        ('Basic realm="Basic basic", charset="UTF-8"', Challenge("basic", "Basic basic")),
        ('Bearer realm="https://q.io/basic auth", service="basic s"', Challenge("bearer", "https://q.io/basic auth", "basic s")),
        ('Bearer, Basic realm="a"', Challenge("basic", "a")),
        ("Bearer", Challenge("bearer")),
        ('Bearer realm="unfinished', Challenge("bearer")),
        ("", None),
        ("Negotiate", None),
        ('Digest realm="a"', None),
        ("=,=,", None),
        ('"Basic"', Challenge("basic")),
    ],
)
def test_what_a_header_asks_for(header, challenge):
    found = Challenge.parse(header)
    if 'realm="unfinished' in header:
        assert found is not None
        assert found.scheme == "bearer"
    else:
        assert found == challenge


@given(st.text(max_size=60) | st.text(alphabet='BearBsic ,="\\rlm:/', max_size=60))
def test_any_header_is_understood_or_not_but_never_a_crash(header):
    found = Challenge.parse(header)
    assert found is None or found.scheme in ("basic", "bearer")


values = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(realm=values.filter(bool), service=values, scope=values, order=st.permutations(["realm", "service", "scope"]))
def test_every_value_can_be_quoted(realm, service, scope, order):
    given_values = {"realm": realm, "service": service, "scope": scope}
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in given_values.items()}
    header = "Bearer " + ", ".join(f'{name}="{quoted[name]}"' for name in order)
    assert Challenge.parse(header) == Challenge("bearer", realm, service, scope)


# --- tokens


class Service:
    """A token service, and an authorizer that was sent to it."""

    def __init__(self, answer=None, *, credentials=BOT, context=None, base="http://registry.example", realm="{url}/token", **more):
        self.given = 0
        self._answer = answer
        self._more = {"credentials": credentials, "base": base, "realm": realm, "settings": more}
        self.server = ScriptedServer(self._respond, context)

    def __enter__(self):
        self.server.__enter__()
        self.session = HttpSession(settings(**self._more["settings"]))
        chosen = self._more["credentials"]
        find = chosen if callable(chosen) else lambda _repository: chosen
        self.authorizer = Authorizer(self.session, "registry.example", self._more["base"], find)
        realm = self._more["realm"].replace("{url}", self.server.url)
        self.authorizer.learn({"WWW-Authenticate": f'Bearer realm="{realm}",service="registry.example"'})
        return self

    def __exit__(self, *exc):
        self.session.close()
        self.server.__exit__(*exc)

    def _respond(self, request: HttpRequest) -> HttpResponse:
        self.given += 1
        if callable(self._answer):
            return self._answer(request)
        return reply(200, json.dumps({"token": f"t{self.given}", **(self._answer or {})}))

    @property
    def scopes(self):
        """What was asked for, call by call."""
        return [[value for name, value in parse_qsl(call.query) if name == "scope"] for call in self.server.calls]


def jwt(**claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part(claims)}.signature"


def test_a_token_is_asked_for_with_name_and_password(start):
    with Service() as service:
        assert service.authorizer.header(PULL, "team/app") == "Bearer t1"
        (call,) = service.server.calls
        assert (call.method, call.path) == ("GET", "/token")
        assert parse_qsl(call.query) == [("service", "registry.example"), ("scope", "repository:team/app:pull")]
        assert call.headers["authorization"] == BOT.basic()


def test_without_credentials_a_token_is_asked_for_all_the_same():
    with Service(credentials=None) as service:
        assert service.authorizer.header(PULL, "team/app") == "Bearer t1"
        assert "authorization" not in service.server.calls[0].headers


def test_an_identity_token_is_exchanged():
    with Service({"token": None, "access_token": "a1"}, credentials=Credentials("", "", "refresh me")) as service:
        assert service.authorizer.header(PULL, "team/app") == "Bearer a1"
        (call,) = service.server.calls
        assert call.method == "POST"
        assert "authorization" not in call.headers
        assert dict(parse_qsl(call.body.decode())) == {
            "grant_type": "refresh_token",
            "refresh_token": "refresh me",
            "client_id": "quayside.airgap",
            "service": "registry.example",
            "scope": "repository:team/app:pull",
        }


def test_a_realm_may_have_a_query_of_its_own():
    with Service(realm="{url}/token?tenant=a") as service:
        service.authorizer.header(PULL, "team/app")
        assert service.server.calls[0].query.startswith("tenant=a&service=registry.example&scope=")


def test_all_rights_to_a_repository_are_asked_for_in_one_scope():
    scopes = frozenset({"repository:a:delete", "repository:a:pull,push", "repository:b:pull", "registry:catalog:*"})
    with Service() as service:
        service.authorizer.header(scopes, "a")
        assert service.scopes == [["registry:catalog:*", "repository:a:delete,pull,push", "repository:b:pull"]]


@pytest.mark.parametrize(
    "answer",
    [
        {"expires_in": 0.5},
        {"token": jwt(iat=1000, exp=1000.5)},
        {"token": jwt(nbf=1000, exp=1000.5), "expires_in": None},
        {"token": jwt(iat=1000, exp=1000.5), "expires_in": -5},
    ],
    ids=["expires_in", "iat", "nbf", "nonsense"],
)
def test_a_token_is_renewed_before_its_life_is_over(answer):
    with Service(answer) as service:
        first = service.authorizer.header(PULL, "team/app")
        assert service.authorizer.header(PULL, "team/app") == first
        assert service.given == 1
        time.sleep(0.42)
        service.authorizer.header(PULL, "team/app")
        assert service.given == 2


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"expires_in": "soon"},
        {"expires_in": True},
        {"expires_in": 0},
        {"expires_in": 10**400},
        {"token": jwt()},
        {"token": jwt(exp="never")},
        {"token": jwt(exp=10**400, iat=0)},
        {"token": jwt(exp=5, iat=10)},
        {"token": "a.b.c"},
        {"token": "a.%%%.c"},
        {"token": f"a.{base64.urlsafe_b64encode(b'[' * 50000).decode()}.c"},
    ],
)
def test_where_nothing_sensible_is_said_a_token_lives_a_minute(answer):
    """Distribution spec: "if unspecified, this defaults to 60 seconds"."""
    with Service(answer) as service:
        service.authorizer.header(PULL, "team/app")
        service.authorizer.header(PULL, "team/app")
        assert service.given == 1
        expires = next(iter(service.authorizer._tokens.values()))[1]
        assert 40 < expires - time.monotonic() <= 60


@pytest.mark.parametrize("body", ['{"token": "t", "expires_in": NaN}', '{"token": "t", "expires_in": Infinity}'])
def test_no_token_lives_for_ever(body):
    with Service(lambda _request: reply(200, body)) as service:
        service.authorizer.header(PULL, "team/app")
        expires = next(iter(service.authorizer._tokens.values()))[1]
        assert expires - time.monotonic() <= 60


@pytest.mark.parametrize(
    "body", ["", "null", "[]", "{}", '{"token": ""}', '{"token": 5}', '{"token": null}', "<html>", b"\xff", b"[" * 100000, '"token"']
)
def test_an_answer_without_a_token_is_a_sentence(body):
    with Service(lambda _request: reply(200, body)) as service, pytest.raises(ProtocolError, match="without a token"):
        service.authorizer.header(PULL, "team/app")


@pytest.mark.parametrize("token", ["a\r\nHost: elsewhere", "a b", "a\n", "\u00fc", "\x00"])
def test_a_token_that_cannot_stand_in_a_header_is_refused(token):
    with Service({"token": token}) as service, pytest.raises(ProtocolError, match="cannot stand in a header"):
        service.authorizer.header(PULL, "team/app")


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_told_in_the_words_of_the_service(status):
    body = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "Could not find robot"}]})
    with Service(lambda _request: reply(status, body)) as service, pytest.raises(RegistryError) as caught:
        service.authorizer.header(PULL, "team/app")
    assert "Could not find robot" in str(caught.value)
    assert caught.value.status == status
    assert isinstance(caught.value, AccessError) == (status in (401, 403))
    assert "secret" not in str(caught.value)


def test_a_passing_failure_of_the_service_is_survived():
    answers = [reply(503), reply(429), reply(200, '{"token": "t"}')]
    with Service(lambda _request: answers.pop(0)) as service:
        assert service.authorizer.header(PULL, "team/app") == "Bearer t"


def test_many_threads_ask_once():
    def answer(_request: HttpRequest) -> HttpResponse:
        time.sleep(0.05)
        return reply(200, '{"token": "t"}')

    with Service(answer) as service:
        threads = [threading.Thread(target=service.authorizer.header, args=(PULL, "team/app")) for _ignored in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert service.given == 1


def test_a_token_that_was_not_taken_is_not_shown_again():
    with Service() as service:
        assert service.authorizer.header(PULL, "team/app") == "Bearer t1"
        service.authorizer.forget(PULL, "team/app")
        assert service.authorizer.header(PULL, "team/app") == "Bearer t2"


# --- one token for several repositories


def pull(name):
    return frozenset({repository_scope(name, "pull")})


def test_one_token_serves_several_announced_repositories():
    names = [f"team/app{number}" for number in range(20)]
    with Service() as service:
        service.authorizer.announce(names, "pull")
        assert {service.authorizer.header(pull(name), name) for name in names} == {"Bearer t1", "Bearer t2"}
        assert [len(scopes) for scopes in service.scopes] == [16, 4]
        assert sorted(scope for scopes in service.scopes for scope in scopes) == sorted(f"repository:{name}:pull" for name in names)


def test_other_rights_are_asked_for_by_themselves():
    with Service() as service:
        service.authorizer.announce(["a", "b"], "pull")
        service.authorizer.header(frozenset({"repository:a:pull,push"}), "a")
        assert service.scopes == [["repository:a:pull,push"]]


def test_repositories_with_credentials_of_their_own_do_not_share():
    other = Credentials("other", "secret")
    with Service(credentials=lambda repository: other if repository.startswith("theirs/") else BOT) as service:
        service.authorizer.announce(["ours/a", "theirs/a", "ours/b", "theirs/b"], "pull")
        for name in ("ours/a", "theirs/b", "ours/b", "theirs/a"):
            service.authorizer.header(pull(name), name)
        assert service.scopes == [
            ["repository:ours/a:pull", "repository:ours/b:pull"],
            ["repository:theirs/a:pull", "repository:theirs/b:pull"],
        ]
        assert [call.headers["authorization"] for call in service.server.calls] == [BOT.basic(), other.basic()]


def test_a_service_that_refuses_several_is_asked_for_one():
    def answer(request: HttpRequest) -> HttpResponse:
        return reply(400, "too much") if request.raw_query.count("scope=") > 1 else reply(200, '{"token": "t"}')

    with Service(answer) as service:
        service.authorizer.announce(["a", "b"], "pull")
        assert service.authorizer.header(pull("a"), "a") == "Bearer t"
        assert [len(scopes) for scopes in service.scopes] == [2, 1]


def test_a_shared_token_that_was_not_taken_is_replaced_by_one_for_the_repository_alone():
    with Service() as service:
        service.authorizer.announce(["a", "b"], "pull")
        service.authorizer.header(pull("a"), "a")
        service.authorizer.forget(pull("a"), "a")
        assert service.authorizer.header(pull("a"), "a") == "Bearer t2"
        assert service.authorizer.header(pull("b"), "b") == "Bearer t1"
        assert service.scopes == [["repository:a:pull", "repository:b:pull"], ["repository:a:pull"]]


def test_a_password_that_was_refused_is_not_tried_again():
    with Service(lambda _request: reply(401, "wrong")) as service:
        for name in ("a", "b", "a"):
            with pytest.raises(AccessError, match="wrong"):
                service.authorizer.header(pull(name), name)
        assert service.given == 1


def test_until_a_password_has_proved_good_it_is_tried_by_one_thread_only():
    def answer(_request: HttpRequest) -> HttpResponse:
        time.sleep(0.1)
        return reply(401, "wrong")

    refusals = []
    with Service(answer) as service:

        def ask(name):
            with pytest.raises(AccessError):
                service.authorizer.header(pull(name), name)
            refusals.append(name)

        threads = [threading.Thread(target=ask, args=(f"r{number}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert service.given == 1
    assert len(refusals) == 8


@pytest.mark.parametrize("status", [403, 503])
def test_what_is_no_wrong_password_is_asked_again(status):
    answers = [reply(status)] * (1 if status == 403 else 4) + [reply(200, '{"token": "t"}')]
    with Service(lambda _request: answers.pop(0) if len(answers) > 1 else answers[0]) as service:
        with pytest.raises(RegistryError):
            service.authorizer.header(pull("a"), "a")
        assert service.authorizer.header(pull("b"), "b") == "Bearer t"


def test_a_password_that_proved_good_is_not_doubted_for_one_repository():
    def answer(request: HttpRequest) -> HttpResponse:
        return reply(401, "not there") if "closed" in request.raw_query else reply(200, '{"token": "t"}')

    with Service(answer) as service:
        assert service.authorizer.header(pull("open"), "open") == "Bearer t"
        with pytest.raises(AccessError):
            service.authorizer.header(pull("closed"), "closed")
        assert service.authorizer.header(pull("other"), "other") == "Bearer t"


def test_what_nobody_may_read_without_a_login_says_nothing_about_the_rest():
    """A service may answer 401 for a repository that is not public; without a password there is none that could be wrong."""

    def answer(request: HttpRequest) -> HttpResponse:
        return reply(401, "log in first") if "private" in request.raw_query else reply(200, '{"token": "t"}')

    with Service(answer, credentials=None) as service:
        service.authorizer.announce(["private", "public"], "pull")
        with pytest.raises(AccessError):
            service.authorizer.header(pull("private"), "private")
        assert service.authorizer.header(pull("public"), "public") == "Bearer t"


def test_to_mount_the_token_for_writing_to_both_repositories_will_do():
    with Service() as service:
        service.authorizer.announce(["a", "b"], "pull,push")
        mounting = frozenset({"repository:a:pull,push", "repository:b:pull"})
        assert service.authorizer.header(mounting, "a") == "Bearer t1"
        assert service.authorizer.header(frozenset({"repository:b:pull,push"}), "b") == "Bearer t1"
        stranger = frozenset({"repository:a:pull,push", "repository:elsewhere:pull"})
        assert service.authorizer.header(stranger, "a") == "Bearer t2"
        assert service.scopes[0] == ["repository:a:pull,push", "repository:b:pull,push"]


# --- where a password may go


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return create_certificates(tmp_path_factory.mktemp("certificates"))


def test_a_registry_with_TLS_cannot_send_a_password_over_plain_http():
    with Service(base="https://registry.example", tls=TlsSettings()) as service:
        with pytest.raises(ProtocolError, match="where the password could be read"):
            service.authorizer.header(PULL, "team/app")
        assert service.server.calls == []


@pytest.mark.parametrize(
    "more",
    [
        {"credentials": None, "tls": TlsSettings()},
        {"tls": TlsSettings(verify=False)},
        {"base": "http://registry.example"},
    ],
    ids=["no password", "certificates are not checked", "no TLS at all"],
)
def test_plain_http_is_fine_where_nothing_is_given_away_or_the_user_said_so(more):
    with Service(**{"base": "https://registry.example", **more}) as service:
        assert service.authorizer.header(PULL, "team/app") == "Bearer t1"


def test_a_token_service_with_TLS_is_checked_like_the_registry(certificates):
    context = certificates.server_context()
    trusting = TlsSettings(ca_path=str(certificates.ca))
    with Service(base="https://registry.example", context=context, tls=trusting) as service:
        assert service.authorizer.header(PULL, "team/app") == "Bearer t1"
    with Service(base="https://registry.example", context=context, tls=TlsSettings()) as service:
        with pytest.raises(TransportError, match="not trusted"):
            service.authorizer.header(PULL, "team/app")
        assert service.server.calls == []


@pytest.mark.parametrize(
    "realm", ["", "token", "/token", "ftp://a.example/", "file:///etc/passwd", "http://[broken", "http://a.example:port/"]
)
def test_a_realm_that_is_no_url_is_a_sentence(realm):
    with Service(realm=realm) as service, pytest.raises(AirgapError):
        service.authorizer.header(PULL, "team/app")


def test_a_service_that_sends_us_elsewhere_is_not_followed():
    """A redirect of a token service could collect passwords; none is known that needs one."""
    with Service(lambda _request: reply(302, Location="/elsewhere")) as service:
        with pytest.raises(RegistryError, match="302"):
            service.authorizer.header(PULL, "team/app")
        assert len(service.server.calls) == 1


# --- basic


def test_basic_needs_no_service():
    session = HttpSession(settings())
    authorizer = Authorizer(session, "registry.example", "http://registry.example", lambda _repository: BOT)
    assert authorizer.header(PULL, "team/app") is None
    authorizer.learn({"WWW-Authenticate": 'Basic realm="r"'})
    assert authorizer.header(PULL, "team/app") == BOT.basic()
    assert not authorizer.uses_tokens


def test_basic_without_credentials_is_no_header():
    authorizer = Authorizer(HttpSession(settings()), "registry.example", "http://registry.example", lambda _repository: None)
    authorizer.learn({"WWW-Authenticate": "Basic"})
    assert authorizer.header(PULL, "team/app") is None


def test_a_challenge_that_we_cannot_answer_changes_nothing():
    authorizer = Authorizer(HttpSession(settings()), "registry.example", "http://registry.example", lambda _repository: BOT)
    assert authorizer.learn({"WWW-Authenticate": "Negotiate"}) is None
    assert authorizer.learn({}) is None
    assert authorizer.header(PULL, "team/app") is None


def test_names_beyond_ascii_can_log_in():
    assert Credentials("m\u00fcller", "p\u00e4ss").basic() == "Basic " + base64.b64encode("m\u00fcller:p\u00e4ss".encode()).decode()
