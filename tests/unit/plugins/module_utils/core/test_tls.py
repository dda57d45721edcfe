# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS against real servers: whom we trust, how we introduce ourselves, and what we say when that fails."""

from __future__ import annotations

import shutil
import ssl
import subprocess

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, TransportError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import (
    HttpSession,
    HttpSettings,
    RetryPolicy,
    read_limited,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings, ssl_context
from ansible_collections.quayside.airgap.tests.support.certs import create_certificates
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import ScriptedServer, raw_server, reply


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return create_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Another authority, with certificates of its own."""
    return create_certificates(tmp_path_factory.mktemp("others"))


@pytest.fixture
def fetch():
    """One call with given TLS settings."""
    sessions = []

    def call(url, *, retries=0, **tls):
        session = HttpSession(HttpSettings(tls=TlsSettings(**tls), retry=RetryPolicy(retries=retries, base=0.01, cap=0.05)))
        sessions.append(session)
        return read_limited(session.send("GET", url), 1000, "the page")

    yield call
    for session in sessions:
        session.close()


@pytest.fixture
def server(certificates):
    with ScriptedServer([reply(200, "safe")], certificates.server_context()) as running:
        yield running


def test_an_unknown_authority_is_refused_with_the_option_that_helps(server, fetch):
    with pytest.raises(TransportError) as caught:
        fetch(server.url, retries=3)
    assert caught.value.kind == "tls"
    assert not caught.value.transient
    assert f"Could not connect to {server.host}: its certificate is not trusted" in str(caught.value)
    assert "ca_path" in caught.value.hint
    assert server.calls == []


def test_an_authority_in_a_file_is_trusted(server, fetch, certificates):
    assert fetch(server.url, ca_path=str(certificates.ca)) == b"safe"


def test_an_authority_in_a_prepared_folder_is_trusted(server, fetch, certificates, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which computes the names in such a folder, is not installed")
    command = ["openssl", "x509", "-noout", "-hash", "-in", str(certificates.ca)]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    shutil.copy(certificates.ca, tmp_path / f"{name}.0")
    assert fetch(server.url, ca_path=str(tmp_path)) == b"safe"


def test_another_authority_does_not_help(server, fetch, others):
    with pytest.raises(TransportError, match="not trusted"):
        fetch(server.url, ca_path=str(others.ca))


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_an_authority_named_in_the_environment_is_trusted(server, fetch, certificates, monkeypatch, variable):
    monkeypatch.setenv(variable, str(certificates.ca))
    assert fetch(server.url) == b"safe"


def test_ca_path_adds_to_the_environment_instead_of_replacing_it(server, fetch, certificates, others, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.ca))
    assert fetch(server.url, ca_path=str(others.ca)) == b"safe"


def test_a_certificate_for_another_name_is_refused(tmp_path, fetch):
    elsewhere = create_certificates(tmp_path, names=("registry.example",))
    with ScriptedServer([reply(200)], elsewhere.server_context()) as running:
        with pytest.raises(TransportError) as caught:
            fetch(running.url, ca_path=str(elsewhere.ca))
        assert caught.value.kind == "tls"
        assert "127.0.0.1" in caught.value.reason
        assert running.calls == []


def test_who_does_not_check_takes_any_certificate(tmp_path, fetch):
    elsewhere = create_certificates(tmp_path, names=("registry.example",))
    with ScriptedServer([reply(200, "whoever")], elsewhere.server_context()) as running:
        assert fetch(running.url, verify=False) == b"whoever"


def test_a_client_certificate_is_shown(certificates, fetch):
    context = certificates.server_context(require_client_certificate=True)
    with ScriptedServer([reply(200, "you")], context) as running:
        tls = {"client_cert": str(certificates.client_cert), "client_key": str(certificates.client_key)}
        assert fetch(running.url, ca_path=str(certificates.ca), **tls) == b"you"


def test_a_client_certificate_and_its_key_may_share_a_file(certificates, fetch, tmp_path):
    both = tmp_path / "client.pem"
    both.write_bytes(certificates.client_key.read_bytes() + certificates.client_cert.read_bytes())
    with ScriptedServer([reply(200, "you")], certificates.server_context(require_client_certificate=True)) as running:
        assert fetch(running.url, ca_path=str(certificates.ca), client_cert=str(both)) == b"you"


@pytest.mark.parametrize("shown", ["none", "another authority's"])
def test_a_server_that_wants_another_client_certificate_is_reported(certificates, others, fetch, shown):
    tls = {} if shown == "none" else {"client_cert": str(others.client_cert), "client_key": str(others.client_key)}
    with ScriptedServer([reply(200)], certificates.server_context(require_client_certificate=True)) as running:
        with pytest.raises(TransportError) as caught:
            fetch(running.url, ca_path=str(certificates.ca), **tls)
        assert running.calls == []
    # with TLS 1.3 the refusal comes after the handshake, and may be overtaken by the end of the connection
    assert caught.value.kind in ("tls", "reset")


def test_a_key_of_another_certificate_is_refused_before_anything_is_asked(certificates, others):
    with pytest.raises(FileError) as caught:
        ssl_context(TlsSettings(client_cert=str(certificates.client_cert), client_key=str(others.client_key)))
    assert str(certificates.client_cert) in str(caught.value)
    assert str(others.client_key) in str(caught.value)
    assert "MISMATCH" in str(caught.value).upper()


def test_a_key_with_a_passphrase_is_refused_without_asking_for_it(certificates, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which encrypts a key, is not installed")
    locked = tmp_path / "locked.key"
    command = ["openssl", "pkey", "-aes256", "-passout", "pass:secret", "-in", str(certificates.client_key), "-out", str(locked)]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(FileError, match="passphrase"):
        ssl_context(TlsSettings(client_cert=str(certificates.client_cert), client_key=str(locked)))


@pytest.mark.parametrize("content", [None, b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
@pytest.mark.parametrize("option", ["ca_path", "client_cert"])
def test_a_file_that_is_of_no_use_is_named(tmp_path, option, content):
    path = tmp_path / "given.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        ssl_context(TlsSettings(**{option: str(path)}))
    assert str(path) in str(caught.value)


def test_a_missing_file_of_the_environment_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    with pytest.raises(FileError, match=r"gone\.pem: No such file"):
        ssl_context(TlsSettings())


def test_who_does_not_check_needs_no_usable_authorities(tmp_path):
    context = ssl_context(TlsSettings(verify=False, ca_path=str(tmp_path / "gone.pem")))
    assert context.verify_mode is ssl.CERT_NONE


def test_a_server_without_TLS_is_recognised(fetch):
    with ScriptedServer([reply(200)]) as plain:
        with pytest.raises(TransportError) as caught:
            fetch(plain.url.replace("http:", "https:"), retries=3)
        assert caught.value.kind == "tls"
        assert "does not speak TLS on this port" in str(caught.value)
        assert "validate_certs" in caught.value.hint


def test_a_server_that_says_something_else_to_a_handshake_is_recognised(fetch):
    with raw_server(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 10)) as port:
        with pytest.raises(TransportError) as caught:
            fetch(f"https://127.0.0.1:{port}/")
        assert caught.value.kind == "tls"


def test_a_server_that_hangs_up_on_a_handshake_is_tried_again(fetch):
    visits = []
    with raw_server(visits.append) as port, pytest.raises(TransportError) as caught:
        fetch(f"https://127.0.0.1:{port}/", retries=2)
    assert caught.value.transient
    assert len(visits) == 3


def test_all_connections_of_a_session_share_one_context(server, certificates, monkeypatch):
    """Loading the authorities takes longer than a small call."""
    loaded = []
    real = ssl.SSLContext.load_verify_locations

    def counted(self, *args, **kwargs):
        loaded.append(args or kwargs)
        return real(self, *args, **kwargs)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counted)
    session = HttpSession(HttpSettings(tls=TlsSettings(ca_path=str(certificates.ca))))
    responses = [session.send("GET", server.url) for _ignored in range(4)]
    assert [response.status_code for response in responses] == [200] * 4
    session.close()
    assert server.connections == 4
    assert loaded == [{"cafile": str(certificates.ca)}]


def test_a_connection_is_used_again(server, certificates):
    session = HttpSession(HttpSettings(tls=TlsSettings(ca_path=str(certificates.ca))))
    for _ignored in range(4):
        read_limited(session.send("GET", server.url), 1000, "the page")
    session.close()
    assert server.connections == 1
