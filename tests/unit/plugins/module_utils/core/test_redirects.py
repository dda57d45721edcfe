# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redirects: where they lead, and what does not go along."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import ProtocolError, TransportError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import (
    HttpSession,
    HttpSettings,
    RetryPolicy,
    read_limited,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.tests.sandbox.http_server import HttpRequest, HttpResponse
from ansible_collections.quayside.airgap.tests.support.certs import create_certificates
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import ScriptedServer, closed_port, reply

SECRET = {"Authorization": "Bearer secret", "Range": "bytes=5-"}


@pytest.fixture
def session():
    made = HttpSession(HttpSettings(retry=RetryPolicy(retries=2, base=0.01, cap=0.05)))
    yield made
    made.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return create_certificates(tmp_path_factory.mktemp("certificates"))


def fetch(session, url, **more):
    return read_limited(session.send("GET", url, headers=SECRET, follow=True, **more), 1000, "the blob")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(session, status):
    def answer(request: HttpRequest) -> HttpResponse:
        return reply(200, "there") if request.path == "/there" else reply(status, Location="/there")

    with ScriptedServer(answer) as server:
        assert fetch(session, f"{server.url}/here") == b"there"


def test_without_being_asked_to_nothing_is_followed(session):
    with ScriptedServer([reply(307, Location="/there")]) as server:
        assert session.send("GET", server.url).status_code == 307
        assert len(server.calls) == 1


def test_on_the_same_server_credentials_go_along(session):
    with ScriptedServer([reply(307, Location="/there"), reply(200, "there")]) as server:
        fetch(session, f"{server.url}/here")
        assert [call.headers.get("authorization") for call in server.calls] == ["Bearer secret", "Bearer secret"]


def test_to_another_server_credentials_do_not_go_along_but_the_rest_does(session):
    with ScriptedServer([reply(200, "there")]) as storage:
        with ScriptedServer([reply(307, Location=f"{storage.url}/there?signature=s")]) as server:
            assert fetch(session, f"{server.url}/here") == b"there"
        (call,) = storage.calls
        assert "authorization" not in call.headers
        assert call.headers["range"] == "bytes=5-"
        assert call.query == "signature=s"


def test_credentials_that_were_dropped_do_not_come_back(session):
    """A redirect away and back again is still the other server's doing."""
    with ScriptedServer(lambda request: reply(307, Location=f"{registry.url}/back")) as storage:

        def answer(request: HttpRequest) -> HttpResponse:
            return reply(200, "back") if request.path == "/back" else reply(307, Location=f"{storage.url}/there")

        with ScriptedServer(answer) as registry:
            assert fetch(session, f"{registry.url}/here") == b"back"
            assert [call.headers.get("authorization") for call in registry.calls] == ["Bearer secret", None]


def test_the_same_host_by_another_name_is_another_server(session):
    with ScriptedServer([reply(200, "there")]) as storage:
        with ScriptedServer([reply(307, Location=f"http://localhost:{storage.port}/there")]) as server:
            fetch(session, server.url)
        assert "authorization" not in storage.calls[0].headers


def test_a_redirect_keeps_the_connection(session):
    with ScriptedServer([reply(200, "there")]) as storage:
        with ScriptedServer([reply(307, "moved", Location=storage.url)]) as server:
            for _ignored in range(4):
                fetch(session, server.url)
            assert server.connections == 1
        assert storage.connections == 1


def test_a_loop_ends(session):
    with ScriptedServer([reply(302, Location="/again")]) as server:
        with pytest.raises(ProtocolError, match="more than 5 of them"):
            fetch(session, f"{server.url}/again")
        assert len(server.calls) == 6


@pytest.mark.parametrize(
    "location",
    ["ftp://a.example/x", "file:///etc/passwd", "http://[broken/", "http://a.example:99999999/", "http://a.example:port/", "javascript:1"],
)
def test_a_redirect_to_nowhere_is_refused(session, location):
    with ScriptedServer([reply(302, Location=location)]) as server, pytest.raises(ProtocolError) as caught:
        fetch(session, f"{server.url}/here?signature=secret")
    assert "secret" not in str(caught.value)


def test_a_redirect_to_a_server_that_is_not_there_names_that_server(session):
    port = closed_port()
    with ScriptedServer([reply(302, Location=f"http://127.0.0.1:{port}/")]) as server, pytest.raises(TransportError) as caught:
        fetch(session, server.url)
    assert f"127.0.0.1:{port}" in str(caught.value)


def test_after_a_passing_failure_behind_a_redirect_the_whole_way_is_gone_again(session):
    """The signature in the first redirect may have run out meanwhile."""
    with ScriptedServer([reply(503), reply(200, "there")]) as storage, ScriptedServer([reply(307, Location=storage.url)]) as server:
        assert fetch(session, server.url) == b"there"
        assert len(server.calls) == 2


@pytest.mark.parametrize("scheme", ["http", "HTTP"])
def test_a_redirect_out_of_TLS_is_refused(certificates, scheme):
    session = HttpSession(HttpSettings(tls=TlsSettings(ca_path=str(certificates.ca))))
    with ScriptedServer([reply(200, "plain")]) as plain:
        redirect = reply(307, Location=f"{scheme}://127.0.0.1:{plain.port}/")
        with ScriptedServer([redirect], certificates.server_context()) as server, pytest.raises(ProtocolError) as caught:
            fetch(session, server.url)
        assert plain.calls == []
    assert "from HTTPS to plain HTTP" in str(caught.value)
    assert "certificate validation" in caught.value.hint
    session.close()


def test_who_does_not_check_certificates_may_be_led_out_of_TLS(certificates):
    session = HttpSession(HttpSettings(tls=TlsSettings(verify=False)))
    with ScriptedServer([reply(200, "plain")]) as plain:
        with ScriptedServer([reply(307, Location=plain.url)], certificates.server_context()) as server:
            assert fetch(session, server.url) == b"plain"
        assert "authorization" not in plain.calls[0].headers
    session.close()


def test_a_redirect_into_TLS_is_followed(certificates):
    session = HttpSession(HttpSettings(tls=TlsSettings(ca_path=str(certificates.ca))))
    with ScriptedServer([reply(200, "safe")], certificates.server_context()) as safe:
        with ScriptedServer([reply(307, Location=safe.url)]) as server:
            assert fetch(session, server.url) == b"safe"
        assert "authorization" not in safe.calls[0].headers
    session.close()
