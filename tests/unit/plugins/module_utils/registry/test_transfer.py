# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A blob on its way to one repository: breaks on either side, refusals, lost sessions, proxies that take little at once."""

from __future__ import annotations

import threading
import time

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, CancelledError, TransportError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import (
    AccessError,
    DigestMismatchError,
    NotFoundError,
    RegistryError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.transfer import (
    CHUNK,
    SMALL,
    BlobReader,
    Target,
    send_blob,
)
from ansible_collections.quayside.airgap.tests.sandbox.http_server import HttpRequest, HttpResponse
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.images import blob, sha256
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import ScriptedServer, reply
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOT, BOTS, QUICK, make_client

LARGE = blob("large", SMALL + 5 * CHUNK + 1000)
LITTLE = blob("little", 5000)
UPLOADS = "/blobs/uploads/"


class Transfer:
    """Sends blobs of repository `r` at the source to `team/app` at the destination."""

    def __init__(self, source, destination, *, retry=QUICK, credentials=None, **more):
        self.cancellation = Cancellation()
        self.retry = retry
        self.source = make_client(source, cancellation=self.cancellation, retry=retry, **more)
        client = make_client(destination, credentials, cancellation=self.cancellation, retry=retry, **more)
        self.target = Target(client, "team/app")

    def send(self, content, digest=None):
        digest = digest or sha256(content)
        size = len(content)
        reader = BlobReader(self.source, "r", digest, size, retry=self.retry, cancellation=self.cancellation)
        return send_blob(reader, digest, size, [self.target], retry=self.retry, cancellation=self.cancellation)


@pytest.fixture
def source(start):
    registry = start()
    for content in (LARGE, LITTLE, b""):
        registry.put_blob("r", content)
    return registry


def stored(registry, content):
    assert registry.verify() == []
    return registry.blobs.get(sha256(content)) == content and sha256(content) in registry.repository_blobs("team/app")


def steps(registry):
    return [request.method for request in registry.select(path=UPLOADS)]


# --- the usual way


@pytest.mark.parametrize("content", [LARGE, LARGE[:SMALL], LARGE[: SMALL + 1], LITTLE, b"x", b""], ids=len)
@pytest.mark.parametrize("quirks", ["distribution", "quay"])
def test_a_blob_arrives(start, content, quirks):
    source, destination = start(), start(quirks=quirks, auth="token", users=BOTS)
    source.put_blob("r", content)
    assert Transfer(source, destination, credentials=BOT).send(content) == {}
    assert stored(destination, content)
    assert source.count(method="GET", path="/blobs/") == (1 if content else 0)


def test_a_large_blob_is_sent_in_one_request(source, start):
    destination = start()
    Transfer(source, destination).send(LARGE)
    assert steps(destination) == ["POST", "PUT"]
    (put,) = destination.select(method="PUT")
    assert put.headers["content-length"] == str(len(LARGE))


def test_a_little_blob_goes_with_the_first_request_where_the_registry_takes_it(source, start):
    destination = start(single_post=True)
    Transfer(source, destination).send(LITTLE)
    assert steps(destination) == ["POST"]


def test_a_registry_that_does_not_take_it_so_is_not_bothered_again(source, start):
    destination = start(single_post=False)
    transfer = Transfer(source, destination)
    transfer.send(LITTLE)
    transfer.send(b"")
    assert steps(destination) == ["POST", "PUT"] * 2
    sent = [request.bytes_in for request in destination.select(method="POST")]
    assert sent == [len(LITTLE), 0]


def test_sha512_is_sent_under_its_name(source, start):
    import hashlib

    digest = f"sha512:{hashlib.sha512(LITTLE).hexdigest()}"

    def answer(request: HttpRequest) -> HttpResponse:
        return reply(200, LITTLE if "/blobs/" in request.path else "{}", Content_Type="application/json")

    destination = start()
    with ScriptedServer(answer) as scripted:
        assert Transfer(scripted, destination).send(LITTLE, digest) == {}
    assert digest in destination.repository_blobs("team/app")


# --- the source breaks


@pytest.mark.parametrize("kind", ["reset", "truncate"])
def test_a_break_at_the_source_is_not_noticed_at_the_destination(source, start, kind):
    destination = start()
    source.faults.append(Fault("GET", "/blobs/", kind, after_bytes=SMALL))
    assert Transfer(source, destination).send(LARGE) == {}
    assert stored(destination, LARGE)
    assert source.count(method="GET", path="/blobs/") == 2
    assert steps(destination) == ["POST", "PUT"]


def test_a_source_that_stays_away_is_raised_not_blamed_on_the_destination(source, start):
    destination = start()
    source.faults.append(Fault("GET", "/blobs/", "reset", after_bytes=SMALL))
    source.faults.append(Fault("GET", "/blobs/", "drop_connection", skip=1, times=None))
    with pytest.raises(TransportError) as caught:
        Transfer(source, destination).send(LARGE)
    assert source.host in str(caught.value)
    assert destination.blobs == {}


@pytest.mark.parametrize("content", [LARGE, LITTLE], ids=len)
def test_changed_content_is_read_again_and_then_refused(source, start, content):
    destination = start()
    source.faults.append(Fault("GET", "/blobs/", "wrong_digest", times=None))
    with pytest.raises(DigestMismatchError):
        Transfer(source, destination).send(content)
    assert destination.blobs == {}
    assert source.count(method="GET", path="/blobs/") == 3


@pytest.mark.parametrize("content", [LARGE, LITTLE], ids=len)
def test_content_that_was_changed_once_is_read_again(source, start, content):
    destination = start()
    source.faults.append(Fault("GET", "/blobs/", "wrong_digest"))
    assert Transfer(source, destination).send(content) == {}
    assert stored(destination, content)


def test_the_reason_is_told_even_where_cleaning_up_fails(source, start):
    destination = start()
    source.faults.append(Fault("GET", "/blobs/", "wrong_digest", times=None))
    destination.faults.append(Fault("DELETE", UPLOADS, "drop_connection", times=None))
    with pytest.raises(DigestMismatchError):
        Transfer(source, destination).send(LARGE)


def test_an_upload_of_changed_content_is_cleaned_up(source, start):
    destination = start()
    source.faults.append(Fault("GET", "/blobs/", "wrong_digest", times=None))
    with pytest.raises(DigestMismatchError):
        Transfer(source, destination, retry=RetryPolicy(retries=0, base=0.01)).send(LARGE)
    assert steps(destination)[-1] == "DELETE"


@pytest.mark.parametrize("content", [LARGE, LITTLE], ids=len)
def test_a_blob_that_is_gone_is_raised_as_gone(source, start, content):
    destination = start()
    source.lose_blob("r", sha256(content))
    with pytest.raises(NotFoundError):
        Transfer(source, destination).send(content)
    assert destination.blobs == {}


# --- the destination breaks


def test_a_reset_upload_goes_on_from_what_arrived(source, start):
    destination = start(quirks="quay")
    destination.faults.append(Fault("PUT", UPLOADS, "reset", after_bytes=4 * CHUNK))
    assert Transfer(source, destination).send(LARGE) == {}
    assert stored(destination, LARGE)
    assert steps(destination) == ["POST", "PUT", "GET", "PATCH", "PUT"]
    (patch,) = destination.select(method="PATCH")
    arrived = int(patch.headers["content-range"].partition("-")[0])
    assert 0 < arrived <= 4 * CHUNK
    assert patch.bytes_in == len(LARGE) - arrived
    second = source.select(method="GET", path="/blobs/")[1]
    assert second.headers["range"] == f"bytes={arrived}-"


def test_a_registry_that_lost_the_upload_gets_a_new_one(source, start):
    """docker-registry gives a session up when it is asked by the address from before the break."""
    destination = start(quirks="distribution")
    destination.faults.append(Fault("PUT", UPLOADS, "reset", after_bytes=4 * CHUNK))
    assert Transfer(source, destination).send(LARGE) == {}
    assert stored(destination, LARGE)
    assert steps(destination)[-2:] == ["POST", "PUT"]


def test_a_registry_that_does_not_say_what_arrived_gets_a_new_upload(source, start):
    destination = start(quirks="quay")
    destination.faults.append(Fault("PUT", UPLOADS, "reset", after_bytes=4 * CHUNK))
    destination.faults.append(Fault("GET", UPLOADS, "drop_connection", times=None))
    assert Transfer(source, destination).send(LARGE) == {}
    assert stored(destination, LARGE)
    assert steps(destination)[-2:] == ["POST", "PUT"]


def test_an_upload_may_break_again_and_again_as_long_as_it_gets_on(source, start):
    destination = start(quirks="quay")
    destination.faults.append(Fault("PUT|PATCH", UPLOADS, "reset", after_bytes=2 * CHUNK, times=3))
    retry = RetryPolicy(retries=1, base=0.01, cap=0.01)
    assert Transfer(source, destination, retry=retry).send(LARGE) == {}
    assert stored(destination, LARGE)


def test_an_upload_that_never_gets_anywhere_is_given_up(source, start):
    destination = start()
    destination.faults.append(Fault("PUT|PATCH", UPLOADS, "reset", after_bytes=10, times=None))
    transfer = Transfer(source, destination)
    failed = transfer.send(LARGE)
    assert isinstance(failed[transfer.target], TransportError)
    assert destination.host in str(failed[transfer.target])
    assert destination.count(method="PUT|PATCH") == 1 + QUICK.retries


@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.parametrize("quirks", ["distribution", "quay"])
def test_an_upload_that_the_registry_chokes_on_is_repeated(source, start, status, quirks):
    destination = start(quirks=quirks)
    destination.faults.append(Fault("PUT", UPLOADS, "status", status=status, times=2))
    assert Transfer(source, destination).send(LARGE) == {}
    assert stored(destination, LARGE)


@pytest.mark.parametrize("content", [LARGE, LITTLE], ids=len)
@pytest.mark.parametrize("quirks", ["distribution", "quay"])
def test_an_upload_whose_answer_is_lost_counts_as_done_in_the_end(source, start, content, quirks):
    """The registry has the blob and has closed the session, and the client was not told."""
    destination = start(quirks=quirks)
    destination.faults.append(Fault("PUT", UPLOADS, "drop_connection", after_effect=True))
    destination.faults.append(Fault("POST", "digest=", "drop_connection", after_effect=True))
    assert Transfer(source, destination).send(content) == {}
    assert stored(destination, content)


@pytest.mark.parametrize("content", [LARGE, LITTLE], ids=len)
@pytest.mark.parametrize("status", [400, 404, 416])
def test_a_session_that_the_registry_does_not_know_is_begun_anew(source, start, content, status):
    destination = start()
    destination.faults.append(Fault("PUT", UPLOADS, "status", status=status))
    assert Transfer(source, destination).send(content) == {}
    assert stored(destination, content)


@pytest.mark.parametrize("content", [LARGE, LITTLE], ids=len)
def test_a_registry_that_never_knows_its_sessions_is_not_asked_for_ever(source, start, content):
    destination = start()
    destination.faults.append(Fault("PUT", UPLOADS, "status", status=404, times=None))
    transfer = Transfer(source, destination)
    assert isinstance(transfer.send(content)[transfer.target], NotFoundError)
    assert destination.count(method="PUT") <= 4


def test_an_upload_that_stalls_is_taken_up_after_the_time_limit(source, start):
    destination = start(quirks="quay")
    destination.faults.append(Fault("PUT", UPLOADS, "stall", after_bytes=4 * CHUNK, delay=0.5))
    assert Transfer(source, destination, read_timeout=0.3, connect_timeout=0.3).send(LARGE) == {}
    assert stored(destination, LARGE)


def test_a_registry_that_does_not_answer_an_upload_is_asked_again_after_the_time_limit(source, start):
    destination = start()
    destination.faults.append(Fault("PUT", UPLOADS, "stall", side="response"))
    assert Transfer(source, destination, read_timeout=0.3).send(LARGE) == {}
    assert stored(destination, LARGE)


@pytest.mark.parametrize("content", [LARGE, LITTLE], ids=len)
def test_a_token_that_runs_out_during_an_upload_is_renewed(source, start, content):
    destination = start(auth="token", users=BOTS, quirks="distribution")
    transfer = Transfer(source, destination, credentials=BOT)
    transfer.send(b"")
    destination.expire_tokens()
    assert transfer.send(content) == {}
    assert stored(destination, content)


def test_a_token_that_runs_out_between_the_requests_of_an_upload_is_renewed(source, start):
    destination = start(auth="token", users=BOTS, quirks="distribution")
    destination.faults.append(Fault("PUT", UPLOADS, "status", status=401))
    assert Transfer(source, destination, credentials=BOT).send(LARGE) == {}
    assert stored(destination, LARGE)


# --- the destination refuses


@pytest.mark.parametrize("content", [LARGE, LITTLE], ids=len)
def test_a_refusal_is_for_the_target_and_final(source, start, content):
    destination = start()
    destination.faults.append(Fault("POST", UPLOADS, "status", status=403, times=None))
    transfer = Transfer(source, destination)
    assert isinstance(transfer.send(content)[transfer.target], AccessError)
    assert destination.count(method="POST") == 1


def test_where_the_destination_refuses_the_source_is_not_read(source, start):
    destination = start()
    destination.faults.append(Fault("POST", UPLOADS, "status", status=403, times=None))
    Transfer(source, destination).send(LARGE)
    assert source.count(method="GET", path="/blobs/") == 0


def test_a_read_only_registry_is_reported_with_its_words(source, start):
    destination = start(quirks="quay", read_only=True)
    transfer = Transfer(source, destination)
    assert "read-only" in str(transfer.send(LITTLE)[transfer.target])


# --- proxies with a limit


def test_where_a_body_is_too_large_chunks_are_sent(source, start):
    destination = start(max_body=SMALL + CHUNK)
    transfer = Transfer(source, destination)
    assert transfer.send(LARGE) == {}
    assert stored(destination, LARGE)
    chunks = [request.bytes_in for request in destination.select(method="PATCH", status=202)]
    assert len(chunks) > 1
    assert max(chunks) <= SMALL + CHUNK


def test_what_was_too_large_once_is_not_tried_again(source, start):
    other = blob("other", len(LARGE))
    source.put_blob("r", other)
    destination = start(max_body=SMALL + CHUNK)
    transfer = Transfer(source, destination)
    transfer.send(LARGE)
    destination.reset_log()
    assert transfer.send(other) == {}
    assert destination.count(status=413) == 0


def test_no_attempt_repeats_a_size_that_was_refused(source, start):
    destination = start(max_body=SMALL + CHUNK)
    Transfer(source, destination).send(LARGE)
    refused = [int(request.headers["content-length"]) for request in destination.select(status=413)]
    assert refused == sorted(set(refused), reverse=True)


def test_a_limit_below_every_chunk_is_reported(source, start):
    destination = start(max_body=SMALL - 1)
    transfer = Transfer(source, destination)
    error = transfer.send(LARGE)[transfer.target]
    assert isinstance(error, RegistryError)
    assert error.status == 413
    assert destination.count(status=413) <= 4


def test_a_chunked_upload_that_breaks_goes_on_from_what_arrived(source, start):
    destination = start(quirks="quay", max_body=SMALL + CHUNK)
    transfer = Transfer(source, destination)
    transfer.target.client.largest_body = SMALL
    destination.faults.append(Fault("PATCH", UPLOADS, "reset", after_bytes=2 * CHUNK, skip=1))
    assert transfer.send(LARGE) == {}
    assert stored(destination, LARGE)
    assert destination.count(method="POST") == 1


class ChunkServer:
    """A registry that only takes uploads, and has something to say about chunks."""

    def __init__(self, *, minimum=0, state=None):
        self.received = b""
        self.patches = []
        self._minimum = minimum
        self._state = state
        self.broken = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/v2/":
            return reply(200, "{}", Content_Type="application/json")
        location = {"Location": "/v2/team/app/blobs/uploads/1"}
        if request.method == "POST":
            self.received = b""
            return reply(202, Location=location["Location"], OCI_Chunk_Min_Length=str(self._minimum))
        if request.method == "PATCH":
            self.patches.append(server_body(request))
            self.received += self.patches[-1]
            return reply(202, Location=location["Location"], OCI_Chunk_Min_Length=str(self._minimum))
        if request.method == "PUT":
            if self._state is not None and not self.broken:
                self.broken = True
                return reply(503)
            self.received += server_body(request)
            return reply(201)
        if request.method == "GET":
            return reply(204, Location=location["Location"], Range=self._state)
        return reply(204)


def server_body(request: HttpRequest) -> bytes:
    return request.body.content  # type: ignore[attr-defined]


@pytest.fixture
def chunk_server(monkeypatch):
    def begin(**options):
        script = ChunkServer(**options)

        def answer(request: HttpRequest) -> HttpResponse:
            request.body.content = server.calls[-1].body  # type: ignore[attr-defined]
            return script(request)

        server = ScriptedServer(answer)
        return script, server

    return begin


def test_chunks_are_as_large_as_the_registry_wants_them(source, chunk_server):
    script, server = chunk_server(minimum=CHUNK * 5)
    with server:
        transfer = Transfer(source, server)
        transfer.target.client.largest_body = CHUNK
        assert transfer.send(LARGE) == {}
    assert script.received == LARGE
    assert [len(chunk) for chunk in script.patches[:-1]] == [CHUNK * 5]


@pytest.mark.parametrize("state", ["0-99999999", f"0-{len(LARGE) - 1}", "0-0", "0", "", "-", "nonsense", "0-\N{SUPERSCRIPT TWO}", "5-9"])
def test_nonsense_about_what_arrived_is_not_believed(source, chunk_server, state):
    script, server = chunk_server(state=state)
    with server:
        transfer = Transfer(source, server)
        assert transfer.send(LARGE) == {}
    assert script.received == LARGE


# --- the end of a run


def test_cancelling_wakes_an_upload_that_waits_to_try_again(source, start):
    destination = start()
    destination.faults.append(Fault("PUT", UPLOADS, "reset", after_bytes=10, times=None))
    transfer = Transfer(source, destination, retry=RetryPolicy(retries=3, base=60, cap=60))
    threading.Timer(0.4, transfer.cancellation.cancel, ["enough"]).start()
    started = time.monotonic()
    with pytest.raises(CancelledError):
        transfer.send(LARGE)
    assert time.monotonic() - started < 5


def test_cancelling_ends_an_upload_under_way(start):
    content = blob("slow", SMALL + CHUNK)
    source, destination = start(), start()
    source.put_blob("r", content)
    source.faults.append(Fault("GET", "/blobs/", "slow", delay=0.05))
    transfer = Transfer(source, destination)
    threading.Timer(0.3, transfer.cancellation.cancel, ["enough"]).start()
    with pytest.raises(CancelledError):
        transfer.send(content)
    assert destination.blobs == {}


def test_every_error_says_where_it_happened(source, start):
    destination = start()
    destination.faults.append(Fault("*", UPLOADS, "status", status=507, body="no space left", content_type="text/plain", times=None))
    transfer = Transfer(source, destination)
    error = transfer.send(LARGE)[transfer.target]
    assert isinstance(error, AirgapError)
    assert f"{destination.host}/team/app@{sha256(LARGE)}" in str(error)
    assert "507 (no space left)" in str(error)
