# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies from the environment: plain and tunnelled calls, names that go past them, proxies that refuse."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError, TransportError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import (
    HttpSession,
    HttpSettings,
    RetryPolicy,
    read_limited,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.tests.support.certs import create_certificates
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import Proxy, ScriptedServer, closed_port, reply


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return create_certificates(tmp_path_factory.mktemp("certificates"), names=("registry.example",))


@pytest.fixture
def make_session():
    made = []

    def make(*, retries=0, **tls):
        settings = HttpSettings(tls=TlsSettings(**tls), retry=RetryPolicy(retries=retries, base=0.01, cap=0.05))
        session = HttpSession(settings)
        made.append(session)
        return session

    yield make
    for session in made:
        session.close()


def get(session, url):
    return read_limited(session.send("GET", url), 1000, "the page")


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("verify", [True, False])
def test_plain_calls_go_through_the_proxy(monkeypatch, make_session, variable, verify):
    with ScriptedServer([reply(200, "behind")]) as server, Proxy(server.port) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        session = make_session(verify=verify)
        assert get(session, "http://registry.example:5000/v2/?n=1") == b"behind"
        assert proxy.asked == ["GET http://registry.example:5000/v2/?n=1"]


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "all_proxy"])
def test_TLS_goes_through_a_tunnel_and_the_certificate_is_checked_for_the_server(monkeypatch, make_session, certificates, variable):
    with ScriptedServer([reply(200, "behind")], certificates.server_context()) as server, Proxy(server.port) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        session = make_session(ca_path=str(certificates.ca))
        assert get(session, "https://registry.example/v2/") == b"behind"
        assert get(session, "https://registry.example/v2/") == b"behind"
        assert proxy.asked == ["CONNECT registry.example:443"]


def test_a_tunnel_to_another_name_than_the_certificates_is_refused(monkeypatch, make_session, certificates):
    with ScriptedServer([reply(200, "behind")], certificates.server_context()) as server, Proxy(server.port) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(TransportError) as caught:
            get(make_session(ca_path=str(certificates.ca)), "https://other.example/v2/")
        assert caught.value.kind == "tls"
        assert "other.example" in str(caught.value)


def test_without_checking_certificates_a_tunnel_to_any_name_will_do(monkeypatch, make_session, certificates):
    with ScriptedServer([reply(200, "behind")], certificates.server_context()) as server, Proxy(server.port) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        assert get(make_session(verify=False), "https://other.example/v2/") == b"behind"


@pytest.mark.parametrize("exempt", ["127.0.0.1", "127.0.0.0/8", "*", "example.com,127.0.0.1"])
def test_names_in_no_proxy_are_called_directly(monkeypatch, make_session, exempt):
    with ScriptedServer([reply(200, "direct")]) as server, Proxy(closed_port()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", exempt)
        assert get(make_session(), server.url) == b"direct"
        assert proxy.asked == []


def test_each_server_of_a_session_gets_its_own_answer(monkeypatch, make_session):
    with ScriptedServer([reply(200, "direct")]) as direct, ScriptedServer([reply(200, "behind")]) as far, Proxy(far.port) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        session = make_session()
        assert get(session, direct.url) == b"direct"
        assert get(session, "http://registry.example/") == b"behind"
        assert get(session, direct.url) == b"direct"


def test_credentials_for_the_proxy_go_to_the_proxy(monkeypatch, make_session, certificates):
    expected = b"Proxy-Authorization: Basic " + base64.b64encode(b"me:secret")
    with ScriptedServer([reply(200)], certificates.server_context()) as server, Proxy(server.port) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.replace("//", "//me:secret@"))
        get(make_session(ca_path=str(certificates.ca)), "https://registry.example/v2/")
        assert expected in proxy.heads[0]
        assert "proxy-authorization" not in server.calls[0].headers


@pytest.mark.parametrize("status", [403, 407, 502])
def test_a_proxy_that_refuses_is_named_as_the_one_to_blame(monkeypatch, make_session, status):
    with Proxy(closed_port(), refuse=status) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.replace("//", "//me:secret@"))
        with pytest.raises(TransportError) as caught:
            get(make_session(), "https://registry.example/v2/")
    assert caught.value.kind == "proxy"
    assert "HTTPS_PROXY" in caught.value.hint
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_not_taken_for_the_server(monkeypatch, make_session, scheme):
    monkeypatch.setenv(f"{scheme}_proxy", f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(TransportError) as caught:
        get(make_session(), f"{scheme}://registry.example/v2/")
    assert caught.value.kind == "proxy"


def test_a_proxy_with_an_unknown_name_is_not_taken_for_the_server(monkeypatch, make_session):
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    with pytest.raises(TransportError) as caught:
        get(make_session(), "https://registry.example/v2/")
    assert caught.value.kind == "proxy"


@pytest.mark.parametrize("address", ["http://", "http://:3128", "no url at all"])
def test_a_proxy_that_cannot_be_understood_is_a_sentence(monkeypatch, make_session, address):
    monkeypatch.setenv("https_proxy", address)
    with pytest.raises(TransportError):
        get(make_session(), "https://registry.example/v2/")


def test_netrc_is_not_read(monkeypatch, make_session, tmp_path):
    """Credentials come from where the user said; requests would add those of ~/.netrc to any call without."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with ScriptedServer([reply(200)]) as server:
        get(make_session(), server.url)
        assert "authorization" not in server.calls[0].headers


# --- a proxy of the session


def through(url, *, retries=0, **tls):
    return HttpSession(HttpSettings(tls=TlsSettings(**tls), retry=RetryPolicy(retries=retries, base=0.01, cap=0.05), proxy=url))


def test_the_proxy_of_the_session_goes_before_all_that_the_environment_says(monkeypatch):
    with ScriptedServer([reply(200, "behind")]) as server, Proxy(server.port) as proxy, Proxy(closed_port()) as other:
        monkeypatch.setenv("http_proxy", other.url)
        monkeypatch.setenv("no_proxy", "*")
        session = through(proxy.url)
        assert get(session, "http://registry.example/v2/") == b"behind"
        assert get(session, f"{server.url}/") == b"behind"
        session.close()
        assert proxy.asked == ["GET http://registry.example/v2/", f"GET {server.url}/"]
        assert other.asked == []


def test_TLS_goes_through_the_proxy_of_the_session_with_its_credentials(certificates):
    expected = b"Proxy-Authorization: Basic " + base64.b64encode(b"me:secret")
    with ScriptedServer([reply(200, "behind")], certificates.server_context()) as server, Proxy(server.port) as proxy:
        session = through(proxy.url.replace("//", "//me:secret@"), ca_path=str(certificates.ca))
        assert get(session, "https://registry.example/v2/") == b"behind"
        session.close()
        assert proxy.asked == ["CONNECT registry.example:443"]
        assert expected in proxy.heads[0]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_of_the_session_that_is_not_there_is_named_as_the_option(scheme):
    session = through(f"http://me:secret@127.0.0.1:{closed_port()}")
    with pytest.raises(TransportError) as caught:
        get(session, f"{scheme}://registry.example/v2/")
    assert caught.value.kind == "proxy"
    assert "the option proxy" in str(caught.value)
    assert "environment" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(session.settings)


@pytest.mark.parametrize(
    "url", ["", "proxy.example:3128", "http://", "http://:3128", "socks5://proxy:1080", "http://a b/", "http://me:secret@p:99999"]
)
def test_what_is_no_URL_of_a_proxy_is_refused_without_being_shown(url):
    with pytest.raises(InputError, match="proxy") as caught:
        HttpSettings(proxy=url)
    assert "secret" not in str(caught.value)
