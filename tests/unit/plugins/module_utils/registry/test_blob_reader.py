# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a blob: taken up where it broke, and never handed out whole unless it is what it should be."""

from __future__ import annotations

import hashlib
import threading
import time

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import (
    AirgapError,
    CancelledError,
    ProtocolError,
    TransportError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import (
    DigestMismatchError,
    NotFoundError,
    RegistryError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.transfer import CHUNK, BlobReader
from ansible_collections.quayside.airgap.tests.sandbox.http_server import HttpRequest, HttpResponse, WirePlan
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.images import blob, sha256
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import ScriptedServer, reply
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import QUICK, make_client

SIZE = 5 * CHUNK + 1000
CONTENT = blob("layer", SIZE)
DIGEST = sha256(CONTENT)


class Reading:
    """A reader of one blob in repository `r`, with its meter."""

    def __init__(self, registry, digest=DIGEST, size=SIZE, retry=QUICK, **more):
        self.metered = 0
        self.cancellation = Cancellation()
        client = make_client(registry, cancellation=self.cancellation, retry=retry, **more)
        self.reader = BlobReader(client, "r", digest, size, retry=retry, cancellation=self.cancellation, meter=self.count)

    def count(self, size):
        self.metered += size

    def all(self):
        return b"".join(self.reader.pieces(0))


@pytest.fixture
def source(start):
    registry = start()
    registry.put_blob("r", CONTENT)
    return registry


def ranges(registry):
    return [request.headers.get("range", "") for request in registry.select(method="GET", path="/blobs/")]


def blob_server(answer):
    """A registry that has nothing but blobs, and gives what `answer` says."""

    def respond(request: HttpRequest) -> HttpResponse:
        return reply(200, "{}", Content_Type="application/json") if request.path == "/v2/" else answer(request)

    return ScriptedServer(respond)


def test_a_blob_is_read_in_pieces(source):
    reading = Reading(source)
    pieces = list(reading.reader.pieces(0))
    assert b"".join(pieces) == CONTENT
    assert max(map(len, pieces)) <= CHUNK
    assert reading.metered == SIZE
    assert ranges(source) == [""]


@pytest.mark.parametrize("kind", ["reset", "truncate"])
def test_a_blob_that_breaks_off_is_taken_up_where_it_broke(source, kind):
    source.faults.append(Fault("GET", "/blobs/", kind, after_bytes=2 * CHUNK + 10))
    reading = Reading(source)
    assert reading.all() == CONTENT
    first, second = ranges(source)
    assert first == ""
    # what came in the piece that broke may be lost with it
    assert int(second[len("bytes=") : -1]) in range(2 * CHUNK, 2 * CHUNK + 11)
    assert reading.metered == SIZE


def test_a_blob_may_break_off_again_and_again_as_long_as_it_gets_on(source):
    source.faults.append(Fault("GET", "/blobs/", "reset", after_bytes=CHUNK + 1, times=None))
    reading = Reading(source, retry=RetryPolicy(retries=1, base=0.01, cap=0.01))
    assert reading.all() == CONTENT
    assert len(ranges(source)) == 6


def test_a_source_that_falls_silent_in_the_middle_is_asked_again(source):
    source.faults.append(Fault("GET", "/blobs/", "stall", after_bytes=2 * CHUNK + 10))
    assert Reading(source, read_timeout=0.3).all() == CONTENT
    assert len(ranges(source)) == 2


def test_a_source_without_ranges_is_read_again_from_the_beginning(start):
    source = start(ranges=False)
    source.put_blob("r", CONTENT)
    source.faults.append(Fault("GET", "/blobs/", "reset", after_bytes=2 * CHUNK + 10, times=2))
    reading = Reading(source)
    assert reading.all() == CONTENT
    assert len(ranges(source)) == 3


def test_a_source_that_always_breaks_at_the_same_place_is_given_up(start):
    source = start(ranges=False)
    source.put_blob("r", CONTENT)
    source.faults.append(Fault("GET", "/blobs/", "truncate", after_bytes=2 * CHUNK, times=None))
    with pytest.raises(TransportError) as caught:
        Reading(source).all()
    assert caught.value.kind == "reset"
    assert len(ranges(source)) == 1 + QUICK.retries + 1  # the first one got on


def test_reading_goes_on_from_where_a_destination_still_has_it(source):
    reading = Reading(source)
    assert reading.all() == CONTENT
    assert b"".join(reading.reader.pieces(3 * CHUNK + 7)) == CONTENT[3 * CHUNK + 7 :]
    assert ranges(source)[1] == f"bytes={3 * CHUNK + 7}-"


def test_going_back_does_not_confuse_the_digest(source):
    reading = Reading(source)
    pieces = reading.reader.pieces(0)
    head = next(pieces) + next(pieces) + next(pieces)
    assert head == CONTENT[: 3 * CHUNK]
    assert b"".join(reading.reader.pieces(CHUNK + 5)) == CONTENT[CHUNK + 5 :]


def test_a_wrong_answer_to_a_range_is_not_taken_for_the_right_one():
    def answer(request: HttpRequest) -> HttpResponse:
        if "range" in request.headers:
            return reply(206, CONTENT[10:], Content_Range=f"bytes 10-{SIZE - 1}/{SIZE}")
        response = reply(200, CONTENT)
        response.plan = WirePlan(cut_after=CHUNK, ending="reset")
        return response

    with blob_server(answer) as source, pytest.raises(ProtocolError, match=f"asked to go on at byte {CHUNK}"):
        Reading(source).all()


@pytest.mark.parametrize("where", [0, SIZE // 2, SIZE - 1])
def test_changed_content_is_not_handed_out_whole(source, where):
    changed = bytearray(CONTENT)
    changed[where] ^= 1
    with blob_server(lambda _request: reply(200, bytes(changed))) as bad:
        handed = []
        with pytest.raises(DigestMismatchError) as caught:
            handed.extend(Reading(bad).reader.pieces(0))
        assert len(b"".join(handed)) < SIZE
        assert sha256(bytes(changed)) in str(caught.value)


def test_changed_content_after_a_break_is_noticed_too(source):
    source.faults.append(Fault("GET", "/blobs/", "reset", after_bytes=2 * CHUNK + 10))
    source.faults.append(Fault("GET", "/blobs/", "wrong_digest", skip=1))
    with pytest.raises(DigestMismatchError):
        Reading(source).all()


@pytest.mark.parametrize("surplus", [1, CHUNK * 3])
@pytest.mark.parametrize("size", [SIZE, 5 * CHUNK, 100, 1])
def test_a_longer_blob_is_not_handed_out_whole(size, surplus):
    with blob_server(lambda _request: reply(200, CONTENT[:size] + b"x" * surplus)) as bad:
        handed = []
        with pytest.raises(DigestMismatchError, match=f"longer than the {size} bytes"):
            handed.extend(Reading(bad, sha256(CONTENT[:size]), size).reader.pieces(0))
        assert len(b"".join(handed)) < size


def test_a_blob_that_is_shorter_than_its_manifest_says_is_given_up(start):
    source = start()
    source.put_blob("r", CONTENT)
    with pytest.raises(AirgapError):
        Reading(source, size=SIZE + 5).all()
    assert len(ranges(source)) <= 3


def test_a_blob_that_is_not_there_is_not_waited_for(start):
    source = start()
    with pytest.raises(NotFoundError):
        Reading(source).all()
    assert len(ranges(source)) == 1


def test_a_blob_that_vanishes_while_it_is_read_is_reported_as_gone(source):
    source.faults.append(Fault("GET", "/blobs/", "reset", after_bytes=2 * CHUNK))
    reading = Reading(source)
    pieces = reading.reader.pieces(0)
    next(pieces)
    source.lose_blob("r", DIGEST)
    with pytest.raises(NotFoundError):
        list(pieces)


def test_an_overloaded_source_is_given_time_when_it_is_taken_up_again(source):
    source.faults.append(Fault("GET", "/blobs/", "reset", after_bytes=2 * CHUNK))
    source.faults.append(Fault("GET", "/blobs/", "status", skip=1, times=2))
    assert Reading(source).all() == CONTENT


def test_a_source_that_stays_overloaded_is_asked_as_often_as_the_policy_says(source):
    source.faults.append(Fault("GET", "/blobs/", "status", times=None))
    with pytest.raises(RegistryError):
        Reading(source).all()
    assert len(ranges(source)) == 1 + QUICK.retries


def test_a_source_that_hangs_up_is_asked_as_often_as_the_policy_says(source):
    """The session and the reader both have patience: one of them only is spent on each failure."""
    source.faults.append(Fault("GET", "/blobs/", "drop_connection", times=None))
    with pytest.raises(TransportError):
        Reading(source).all()
    assert len(ranges(source)) == 1 + QUICK.retries


def test_an_empty_blob_is_read(start):
    source = start()
    digest = source.put_blob("r", b"")
    assert Reading(source, digest, 0).all() == b""


def test_what_is_not_empty_is_no_empty_blob(source):
    with pytest.raises(DigestMismatchError):
        Reading(source, DIGEST, 0).all()


def test_sha512_is_a_digest_too():
    digest = f"sha512:{hashlib.sha512(CONTENT).hexdigest()}"
    with blob_server(lambda _request: reply(200, CONTENT)) as source:
        assert Reading(source, digest).all() == CONTENT
        with pytest.raises(DigestMismatchError):
            Reading(source, "sha512:" + "0" * 128).all()


def test_a_blob_behind_a_redirect_is_taken_up_through_the_redirect(start):
    source = start(redirect_blobs=True)
    source.put_blob("r", CONTENT)
    source.faults.append(Fault("GET", "/storage/", "reset", after_bytes=2 * CHUNK))
    assert Reading(source).all() == CONTENT
    assert source.leaked_credentials == []


def test_cancelling_ends_the_reading(source):
    reading = Reading(source)
    pieces = reading.reader.pieces(0)
    next(pieces)
    reading.cancellation.cancel("enough")
    with pytest.raises(CancelledError):
        next(pieces)


def test_cancelling_wakes_a_reader_that_waits_to_try_again(source):
    source.faults.append(Fault("GET", "/blobs/", "reset", after_bytes=2 * CHUNK, times=None))
    reading = Reading(source, retry=RetryPolicy(retries=3, base=60, cap=60))
    threading.Timer(0.3, reading.cancellation.cancel, ["enough"]).start()
    started = time.monotonic()
    with pytest.raises(CancelledError):
        reading.all()
    assert time.monotonic() - started < 5


def test_a_reader_that_is_left_early_gives_no_half_read_connection_to_the_next(source):
    reading = Reading(source)
    for _ignored in range(3):
        pieces = reading.reader.pieces(0)
        assert next(pieces) == CONTENT[:CHUNK]
        pieces.close()
    assert reading.all() == CONTENT


def test_blob_after_blob_comes_over_one_connection(source):
    reading = Reading(source)
    for _ignored in range(4):
        assert reading.all() == CONTENT
    assert len({request.connection for request in source.select(path="/blobs/")}) == 1
