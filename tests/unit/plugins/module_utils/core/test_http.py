# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP session: attempts, pauses, time limits, bodies, and the connections that it keeps."""

from __future__ import annotations

import email.utils
import socket
import struct
import threading
import time

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import (
    CancelledError,
    ProtocolError,
    TransportError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import (
    HttpSession,
    HttpSettings,
    RetryPolicy,
    discard,
    origin,
    read_limited,
    retry_after,
    safe_url,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.tests.sandbox.http_server import Dropped, HttpRequest, HttpResponse, WirePlan
from ansible_collections.quayside.airgap.tests.support.certs import create_certificates
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import (
    ScriptedServer,
    closed_port,
    raw_server,
    read_head,
    reply,
)


@pytest.fixture
def make_session():
    made = []

    def make(*, retries=2, cancellation=None, **settings):
        retry = RetryPolicy(retries=retries, base=0.01, cap=0.05)
        session = HttpSession(HttpSettings(retry=retry, **settings), cancellation)
        made.append(session)
        return session

    yield make
    for session in made:
        session.close()


def get(session, url, **more):
    return read_limited(session.send("GET", url, **more), 1 << 20, "the page")


# --- attempts


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_status_is_tried_again(make_session, status):
    with ScriptedServer([reply(status), reply(status), reply(200, "here")]) as server:
        assert get(make_session(), server.url) == b"here"
        assert len(server.calls) == 3


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 405, 413, 416, 501, 507])
def test_any_other_status_is_the_answer(make_session, status):
    with ScriptedServer([reply(status)]) as server:
        assert make_session().send("GET", server.url).status_code == status
        assert len(server.calls) == 1


def test_patience_ends_with_the_last_answer(make_session):
    with ScriptedServer([reply(503, "overloaded")]) as server:
        response = make_session(retries=3).send("GET", server.url)
        assert (response.status_code, response.content) == (503, b"overloaded")
        assert len(server.calls) == 4


def test_no_retries_means_one_attempt(make_session):
    with ScriptedServer([reply(500)]) as server:
        assert make_session(retries=0).send("GET", server.url).status_code == 500
        assert len(server.calls) == 1


def test_a_call_that_must_not_be_repeated_is_not(make_session):
    with ScriptedServer([reply(500), reply(200)]) as server:
        assert make_session().send("PATCH", server.url, body=b"x", retry=False).status_code == 500
        assert len(server.calls) == 1


def test_a_connection_that_is_reset_is_tried_again(make_session):
    def answer(_request: HttpRequest) -> HttpResponse:
        if len(server.calls) < 3:
            raise Dropped(reset=True)
        return reply(200, "here")

    with ScriptedServer(answer) as server:
        assert get(make_session(), server.url) == b"here"


def test_a_server_that_closes_without_an_answer_is_tried_again_and_then_reported(make_session):
    def answer(_request: HttpRequest) -> HttpResponse:
        raise Dropped

    with ScriptedServer(answer) as server:
        with pytest.raises(TransportError) as caught:
            make_session(retries=1).send("GET", f"{server.url}/a?signature=secret")
        assert len(server.calls) == 2
    assert caught.value.kind == "reset"
    assert caught.value.transient
    assert "secret" not in str(caught.value)


def test_a_server_that_hangs_up_with_RST_is_reported_as_a_reset(make_session):
    def talk(connection: socket.socket) -> None:
        read_head(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with raw_server(talk) as port, pytest.raises(TransportError) as caught:
        make_session(retries=0).send("GET", f"http://127.0.0.1:{port}/")
    assert caught.value.kind == "reset"


def test_a_body_of_bytes_is_sent_again_with_the_next_attempt(make_session):
    with ScriptedServer([reply(503), reply(201)]) as server:
        make_session().send("PUT", server.url, body=b"manifest")
        assert [call.body for call in server.calls] == [b"manifest", b"manifest"]


def test_a_body_made_by_a_function_is_made_anew_for_each_attempt(make_session):
    class Pieces:
        def __len__(self):
            return 7

        def __iter__(self):
            yield b"1234"
            yield b"567"

    with ScriptedServer([reply(503), reply(201)]) as server:
        make_session().send("PUT", server.url, body=Pieces)
        assert [call.body for call in server.calls] == [b"1234567", b"1234567"]
        assert server.calls[0].headers["content-length"] == "7"
        assert "transfer-encoding" not in server.calls[0].headers


def test_a_body_that_fails_to_come_is_not_tried_again_and_spoils_no_connection(make_session):
    """What feeds an upload raises its own error: that of the source must not be taken for one of the destination."""

    class SourceBroke(Exception):
        pass

    class Pieces:
        def __len__(self):
            return 7

        def __iter__(self):
            yield b"1234"
            raise SourceBroke

    with ScriptedServer([reply(200, "fine")]) as server:
        session = make_session()
        with pytest.raises(SourceBroke):
            session.send("PUT", server.url, body=Pieces)
        assert get(session, server.url) == b"fine"
        assert [call.method for call in server.calls] == ["GET"]


def test_an_empty_write_announces_its_length(make_session):
    with ScriptedServer([reply(202)]) as server:
        make_session().send("POST", server.url)
        make_session().send("GET", server.url)
        assert server.calls[0].headers["content-length"] == "0"
        assert "content-length" not in server.calls[1].headers


# --- Retry-After


def test_the_pause_that_the_server_asks_for_is_kept(make_session):
    with ScriptedServer([reply(429, Retry_After="1"), reply(200)]) as server:
        started = time.monotonic()
        make_session().send("GET", server.url)
        assert 0.95 <= time.monotonic() - started < 5
        assert len(server.calls) == 2


def test_a_pause_may_be_given_as_a_date(make_session):
    # HTTP dates have whole seconds: one in two seconds lies between one and two away
    moment = email.utils.formatdate(time.time() + 2, usegmt=True)
    with ScriptedServer([reply(503, Retry_After=moment), reply(200)]) as server:
        started = time.monotonic()
        make_session().send("GET", server.url)
        assert 0.9 <= time.monotonic() - started < 5


@pytest.mark.parametrize("value", ["0", email.utils.formatdate(0, usegmt=True)])
def test_no_pause_asked_for_still_means_our_own(make_session, value):
    """A clock that is ahead of the server's sees every date in the past."""
    with ScriptedServer([reply(429, Retry_After=value), reply(200)]) as server:
        retry = RetryPolicy(retries=1, base=0.4, cap=0.4)
        session = HttpSession(HttpSettings(retry=retry))
        started = time.monotonic()
        session.send("GET", server.url)
        assert time.monotonic() - started >= 0.2
        session.close()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("\N{SUPERSCRIPT TWO}", None),
        ("Mon, 99 Nonsense 2026", None),
        ("Mon, 01 Jan 0001 00:00:00 -0000", 0.0),
        ("7", 7.0),
        (" 120 ", 120.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_what_retry_after_may_say(value, seconds):
    assert retry_after({"Retry-After": value}) == seconds


def test_one_thread_that_is_told_to_wait_holds_the_others_back(make_session):
    session = make_session()
    arrived = []

    def answer(request: HttpRequest) -> HttpResponse:
        arrived.append((request.path, time.monotonic()))
        return reply(429, Retry_After="1") if request.path == "/first" and len(arrived) == 1 else reply(200)

    with ScriptedServer(answer) as server:
        first = threading.Thread(target=session.send, args=("GET", f"{server.url}/first"))
        first.start()
        while not arrived:
            time.sleep(0.01)
        time.sleep(0.1)
        session.send("GET", f"{server.url}/second")
        first.join()
        told = arrived[0][1]
        assert all(moment - told > 0.9 for _path, moment in arrived[1:])
        assert {path for path, _moment in arrived} == {"/first", "/second"}


def test_another_server_is_not_held_back(make_session):
    session = make_session(retries=1)
    with ScriptedServer([reply(429, Retry_After="1"), reply(200)]) as busy, ScriptedServer([reply(200)]) as idle:
        waiting = threading.Thread(target=session.send, args=("GET", busy.url))
        waiting.start()
        while not busy.calls:
            time.sleep(0.01)
        time.sleep(0.05)
        started = time.monotonic()
        session.send("GET", idle.url)
        assert time.monotonic() - started < 0.5
        waiting.join()


# --- cancellation


def test_cancelling_wakes_whoever_waits_for_the_next_attempt(make_session):
    cancellation = Cancellation()
    session = make_session(cancellation=cancellation)
    with ScriptedServer([reply(429, Retry_After="60")]) as server:
        threading.Timer(0.2, cancellation.cancel, ["enough"]).start()
        started = time.monotonic()
        with pytest.raises(CancelledError, match="enough"):
            session.send("GET", server.url)
        assert time.monotonic() - started < 5


def test_nothing_is_sent_after_cancelling(make_session):
    cancellation = Cancellation()
    cancellation.cancel("enough")
    with ScriptedServer([reply(200)]) as server:
        with pytest.raises(CancelledError):
            make_session(cancellation=cancellation).send("GET", server.url)
        assert server.calls == []


# --- servers that cannot be reached


def test_a_closed_port_is_reported_as_such(make_session):
    port = closed_port()
    with pytest.raises(TransportError) as caught:
        make_session(retries=1).send("GET", f"http://127.0.0.1:{port}/v2/")
    assert caught.value.kind == "refused"
    assert str(caught.value) == (
        f"Could not connect to 127.0.0.1:{port}: the connection was refused. Check the port, and that the server runs."
    )


def test_first_contact_does_not_wait_for_a_server_that_is_not_there():
    session = HttpSession(HttpSettings(retry=RetryPolicy(retries=3, base=30, cap=30)))
    started = time.monotonic()
    with pytest.raises(TransportError):
        session.send("GET", f"http://127.0.0.1:{closed_port()}/v2/", first_contact=True)
    assert time.monotonic() - started < 5


def test_first_contact_is_patient_with_a_server_that_is_there(make_session):
    with ScriptedServer([reply(503), reply(200)]) as server:
        assert make_session().send("GET", server.url, first_contact=True).status_code == 200


def test_an_unknown_host_is_reported_with_its_name(make_session):
    with pytest.raises(TransportError) as caught:
        make_session(retries=0).send("GET", "http://registry.invalid/v2/")
    assert caught.value.kind == "dns"
    assert "registry.invalid" in str(caught.value)


@pytest.mark.parametrize("host", ["a..b.example", f"{'a' * 64}.example", ".example", "xn--a\N{LATIN SMALL LETTER SHARP S}.example"])
def test_a_name_that_no_host_can_have_is_a_sentence_too(make_session, host):
    with pytest.raises(TransportError) as caught:
        make_session(retries=0).send("GET", f"http://{host}:5000/v2/")
    assert caught.value.kind == "dns"
    assert not caught.value.transient


def test_an_address_that_does_not_answer_runs_into_the_time_limit(make_session):
    # a listener whose queue is full drops what comes
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    port = listener.getsockname()[1]
    fillers = [socket.socket() for _ignored in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", port))
    time.sleep(0.1)
    try:
        with pytest.raises(TransportError) as caught:
            make_session(retries=0, connect_timeout=0.3).send("GET", f"http://127.0.0.1:{port}/v2/")
        assert caught.value.kind == "timeout"
        assert "no connection within the time limit" in str(caught.value)
    finally:
        for filler in fillers:
            filler.close()
        listener.close()


def test_a_server_that_falls_silent_runs_into_the_time_limit(make_session):
    waits = threading.Event()
    with raw_server(lambda connection: waits.wait(5)) as port:
        started = time.monotonic()
        with pytest.raises(TransportError) as caught:
            make_session(retries=1, read_timeout=0.2).send("GET", f"http://127.0.0.1:{port}/v2/")
        waits.set()
        assert caught.value.kind == "timeout"
        assert "fell silent" in str(caught.value)
        assert 0.4 <= time.monotonic() - started < 4


def test_a_single_call_may_be_less_patient_than_the_session(make_session):
    waits = threading.Event()
    with raw_server(lambda connection: waits.wait(5)) as port:
        with pytest.raises(TransportError) as caught:
            make_session(retries=0, read_timeout=3600).send("GET", f"http://127.0.0.1:{port}/v2/", read_timeout=0.2)
        waits.set()
        assert caught.value.kind == "timeout"


class Large:
    """A body that no buffer between here and there can hold."""

    def __len__(self):
        return 64 << 18

    def __iter__(self):
        return iter([b"x" * (1 << 18)] * 64)


@pytest.mark.parametrize("secure", [False, True])
def test_a_server_that_is_slow_to_take_a_body_has_as_long_as_one_that_is_slow_to_answer(make_session, tmp_path, secure):
    """The time to connect is short because nothing but a handshake happens in it; a full link or disk is another matter."""
    certificates = create_certificates(tmp_path) if secure else None

    def talk(connection: socket.socket) -> None:
        rest = read_head(connection).partition(b"\r\n\r\n")[2]
        time.sleep(1.0)
        missing = len(Large()) - len(rest)
        while missing > 0:
            missing -= len(connection.recv(1 << 20))
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    with raw_server(talk, certificates.server_context() if certificates else None) as port:
        tls = TlsSettings(ca_path=str(certificates.ca)) if certificates else TlsSettings()
        session = make_session(retries=0, connect_timeout=0.5, read_timeout=8.0, tls=tls)
        url = f"http{'s' if secure else ''}://127.0.0.1:{port}/"
        assert session.send("PUT", url, body=Large, retry=False).status_code == 201


def test_a_connection_that_is_used_again_is_as_patient(make_session):
    def talk(connection: socket.socket) -> None:
        for pause in (0, 1.0):
            rest = read_head(connection).partition(b"\r\n\r\n")[2]
            time.sleep(pause)
            missing = len(Large()) - len(rest)
            while missing > 0:
                missing -= len(connection.recv(1 << 20))
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    with raw_server(talk) as port:
        session = make_session(retries=0, connect_timeout=0.5, read_timeout=8.0)
        for _ignored in range(2):
            discard(session.send("PUT", f"http://127.0.0.1:{port}/", body=Large, retry=False))


def test_a_server_that_takes_nothing_of_a_body_runs_into_the_time_limit(make_session):
    waits = threading.Event()
    with raw_server(lambda connection: (read_head(connection), waits.wait(5))) as port:
        with pytest.raises(TransportError) as caught:
            make_session(retries=0, read_timeout=0.3).send("PUT", f"http://127.0.0.1:{port}/", body=Large, retry=False)
        waits.set()
    assert caught.value.kind == "timeout"
    assert "fell silent" in str(caught.value)


@pytest.mark.parametrize("garbage", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\x01\x02\x03" * 10, b"HTTP/1.1 abc OK\r\n\r\n", b""])
def test_a_server_that_does_not_speak_http_is_reported(make_session, garbage):
    with raw_server(lambda connection: (read_head(connection), connection.sendall(garbage))) as port:
        with pytest.raises(TransportError) as caught:
            make_session(retries=0).send("GET", f"http://127.0.0.1:{port}/v2/")
        assert f"127.0.0.1:{port}" in str(caught.value)


def test_header_values_that_cannot_be_sent_are_no_crash(make_session):
    with ScriptedServer([reply(200)]) as server:
        with pytest.raises(TransportError):
            make_session().send("GET", server.url, headers={"Authorization": "Bearer a\r\nHost: elsewhere"})
        assert server.calls == []


# --- bodies


def test_a_small_body_is_read_whole(make_session):
    with ScriptedServer([reply(200, b"x" * 1000)]) as server:
        assert read_limited(make_session().send("GET", server.url), 1000, "it") == b"x" * 1000


def test_a_body_without_a_length_is_read_whole(make_session):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with raw_server(lambda connection: (read_head(connection), connection.sendall(chunked))) as port:
        assert get(make_session(), f"http://127.0.0.1:{port}/") == b"abcde"


def test_a_body_beyond_the_limit_is_refused(make_session):
    with ScriptedServer([reply(200, b"x" * 1001)]) as server, pytest.raises(ProtocolError, match="more than 1000 bytes"):
        read_limited(make_session().send("GET", server.url), 1000, "it")


def test_an_endless_body_is_refused_without_being_read_to_its_end(make_session):
    def talk(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with raw_server(talk) as port, pytest.raises(ProtocolError, match="more than 100000 bytes"):
        read_limited(make_session().send("GET", f"http://127.0.0.1:{port}/"), 100000, "it")


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_body_that_ends_early_is_no_body(make_session, ending):
    def answer(_request: HttpRequest) -> HttpResponse:
        response = reply(200, b"x" * 1000)
        response.plan = WirePlan(cut_after=500, ending=ending)
        return response

    with ScriptedServer(answer) as server, pytest.raises(TransportError) as caught:
        read_limited(make_session().send("GET", server.url), 2000, "the list")
    assert caught.value.transient


def test_a_body_that_stalls_runs_into_the_time_limit(make_session):
    def answer(_request: HttpRequest) -> HttpResponse:
        response = reply(200, b"x" * 1000)
        response.plan = WirePlan(cut_after=500, ending="stall", stall=5)
        return response

    with ScriptedServer(answer) as server, pytest.raises(TransportError) as caught:
        read_limited(make_session(read_timeout=0.2).send("GET", server.url), 2000, "the list")
    assert caught.value.kind == "timeout"


def test_a_compressed_body_is_unpacked_although_nobody_asked_for_it(make_session):
    import gzip

    with ScriptedServer([reply(200, gzip.compress(b"text" * 100), Content_Encoding="gzip")]) as server:
        assert get(make_session(), server.url) == b"text" * 100
        assert server.calls[0].headers["accept-encoding"] == "identity"


def test_a_compressed_body_cannot_get_around_the_limit(make_session):
    import gzip

    bomb = gzip.compress(b"\0" * (8 << 20))
    with ScriptedServer([reply(200, bomb, Content_Encoding="gzip")]) as server, pytest.raises(ProtocolError, match="more than"):
        read_limited(make_session().send("GET", server.url), 1 << 20, "it")


def test_a_body_that_is_not_what_its_encoding_says_is_a_sentence(make_session):
    with ScriptedServer([reply(200, b"no gzip at all", Content_Encoding="gzip")]) as server, pytest.raises(TransportError):
        get(make_session(retries=0), server.url)


# --- connections


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_one_connection_serves_call_after_call(make_session, method):
    with ScriptedServer([reply(200, "body")]) as server:
        session = make_session()
        for _ignored in range(5):
            read_limited(session.send(method, server.url, body=b"x" if method == "PUT" else None), 100, "it")
        assert len(server.calls) == 5
        assert server.connections == 1


@pytest.mark.parametrize(("method", "size"), [("HEAD", 10 << 20), ("GET", 0), ("GET", 500)])
def test_an_answer_that_nobody_wants_leaves_its_connection_to_the_next_call(make_session, method, size):
    """To throw the connection away would cost every look-up a handshake."""
    with ScriptedServer([reply(200, b"x" * size)]) as server:
        session = make_session()
        for _ignored in range(5):
            discard(session.send(method, server.url))
        assert server.connections == 1


def test_a_long_answer_that_nobody_wants_is_cut_off(make_session):
    def talk(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with raw_server(talk) as port:
        discard(make_session().send("GET", f"http://127.0.0.1:{port}/"))


def test_an_unwanted_answer_that_breaks_off_is_no_failure(make_session):
    def answer(_request: HttpRequest) -> HttpResponse:
        response = reply(200, b"x" * 1000)
        response.plan = WirePlan(cut_after=500, ending="reset")
        return response

    with ScriptedServer(answer) as server:
        session = make_session()
        discard(session.send("GET", server.url))
        discard(session.send("GET", server.url))
        assert len(server.calls) == 2


def test_a_connection_with_an_unread_rest_is_not_used_again(make_session):
    with ScriptedServer([reply(200, b"x" * 100000), reply(200, "second")]) as server:
        session = make_session()
        with pytest.raises(ProtocolError):
            read_limited(session.send("GET", server.url), 10, "it")
        assert get(session, server.url) == b"second"


def test_threads_share_the_pool(make_session):
    with ScriptedServer([reply(200, "body")]) as server:
        session = make_session(connections=4)

        def calls() -> None:
            for _ignored in range(10):
                get(session, server.url)

        threads = [threading.Thread(target=calls) for _ignored in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.calls) == 40
        assert server.connections <= 4


def test_a_kept_connection_that_the_server_has_closed_costs_no_failure(make_session):
    """Servers close idle connections; the next call finds out and must not count that as the user's bad luck."""
    with ScriptedServer([reply(200, "body")]) as server:
        session = make_session(retries=1)
        get(session, server.url)
        port = server.port
    waits = threading.Event()

    def talk(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        waits.wait(0.1)

    with raw_server(talk) as port:
        for _ignored in range(3):
            assert get(session, f"http://127.0.0.1:{port}/") == b"ok"
            time.sleep(0.15)


# --- small helpers


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://a.example/x", "http://a.example:80"),
        ("https://a.example/x", "https://a.example:443"),
        ("https://A.Example:443/", "https://a.example:443"),
        ("https://user:secret@a.example:8443/x?y", "https://a.example:8443"),
        ("http://[::1]:5000/", "http://::1:5000"),
    ],
)
def test_where_credentials_belong(url, place):
    assert origin(url) == place


def test_a_url_is_shown_without_what_may_be_secret():
    assert safe_url("https://me:secret@a.example:8443/v2/x?signature=secret#secret") == "https://a.example:8443/v2/x"


def test_pauses_grow_up_to_the_cap():
    policy = RetryPolicy(retries=9, base=1.0, cap=10.0)
    for attempt, full in enumerate([1.0, 2.0, 4.0, 8.0, 10.0, 10.0]):
        pauses = [policy.pause(attempt) for _ignored in range(50)]
        assert all(full / 2 <= pause <= full for pause in pauses)
        assert len(set(pauses)) > 1


def test_pauses_stay_finite_however_long_it_lasts():
    assert RetryPolicy(retries=100, base=0.5, cap=30.0).pause(5000) <= 30.0
