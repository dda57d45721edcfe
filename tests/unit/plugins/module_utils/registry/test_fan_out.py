# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One blob for several destinations: read once, and the trouble of one is not the trouble of the others."""

from __future__ import annotations

import threading
import time

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import (
    AirgapError,
    CancelledError,
    TransportError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import (
    AccessError,
    DigestMismatchError,
    NotFoundError,
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
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import QUICK, make_client

# longer than all that waits between the reader and its uploads
LARGE = blob("large", SMALL + 12 * CHUNK + 1000)
LITTLE = blob("little", 5000)
UPLOADS = "/blobs/uploads/"
SIZES = pytest.mark.parametrize("content", [LARGE, LITTLE], ids=len)


class Transfer:
    """Sends blobs of repository `r` at the source to `team/app` at every destination."""

    def __init__(self, source, *destinations, retry=QUICK, **more):
        self.cancellation = Cancellation()
        self.retry = retry
        self.source = make_client(source, cancellation=self.cancellation, retry=retry, **more)
        clients = [make_client(each, cancellation=self.cancellation, retry=retry, **more) for each in destinations]
        self.targets = [Target(client, "team/app") for client in clients]

    def send(self, content):
        digest = sha256(content)
        reader = BlobReader(self.source, "r", digest, len(content), retry=self.retry, cancellation=self.cancellation)
        return send_blob(reader, digest, len(content), self.targets, retry=self.retry, cancellation=self.cancellation)


@pytest.fixture
def source(start):
    registry = start()
    for content in (LARGE, LITTLE):
        registry.put_blob("r", content)
    return registry


@pytest.fixture(autouse=True)
def no_thread_is_left():
    """An upload that nobody waits for any more ends by itself."""
    yield
    deadline = time.monotonic() + 5
    while any(thread.name.startswith("airgap-lane") for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "an upload is still waiting"
        time.sleep(0.01)


def stored(registry, content):
    assert registry.verify() == []
    return registry.blobs.get(sha256(content)) == content


def reads(registry):
    return registry.count(method="GET", path="/blobs/")


@SIZES
@pytest.mark.parametrize("number", [2, 3, 10])
def test_several_destinations_cost_one_read(source, start, content, number):
    destinations = [start() for _ignored in range(number)]
    assert Transfer(source, *destinations).send(content) == {}
    assert all(stored(destination, content) for destination in destinations)
    # a crowd is served in groups
    assert reads(source) == (1 if number < 10 or content is LITTLE else 2)


def test_two_repositories_of_one_registry_are_two_destinations(source, start):
    destination = start(mount=False)
    transfer = Transfer(source, destination)
    transfer.targets.append(Target(transfer.targets[0].client, "team/other"))
    assert transfer.send(LARGE) == {}
    assert destination.repository_blobs("team/app") == destination.repository_blobs("team/other") == {sha256(LARGE)}
    assert reads(source) == 1


@SIZES
def test_one_that_refuses_does_not_keep_the_others_from_it(source, start, content):
    good, bad = start(), start()
    bad.faults.append(Fault("POST", UPLOADS, "status", status=403, times=None))
    transfer = Transfer(source, bad, good)
    failed = transfer.send(content)
    assert list(failed) == [transfer.targets[0]]
    assert isinstance(failed[transfer.targets[0]], AccessError)
    assert stored(good, content)
    assert bad.blobs == {}
    assert reads(source) == 1


@SIZES
def test_when_all_refuse_each_has_its_own_reason(source, start, content):
    first, second = start(), start()
    first.faults.append(Fault("POST", UPLOADS, "status", status=403, times=None))
    second.faults.append(Fault("POST", UPLOADS, "status", status=507, times=None))
    transfer = Transfer(source, first, second)
    failed = transfer.send(content)
    assert [getattr(failed[target], "status", None) for target in transfer.targets] == [403, 507]


@pytest.mark.parametrize("after_bytes", [0, SMALL, len(LARGE)])
def test_one_that_breaks_off_is_served_afterwards(source, start, after_bytes):
    good, bad = start(), start()
    bad.faults.append(Fault("PUT", UPLOADS, "reset", after_bytes=after_bytes))
    assert Transfer(source, bad, good).send(LARGE) == {}
    assert stored(good, LARGE)
    assert stored(bad, LARGE)
    assert good.count(method="PUT") == 1


def test_one_with_a_proxy_that_takes_little_at_once_is_served_in_chunks(source, start):
    good, narrow = start(), start(max_body=SMALL + CHUNK)
    assert Transfer(source, good, narrow).send(LARGE) == {}
    assert stored(good, LARGE)
    assert stored(narrow, LARGE)


def test_one_that_is_slow_sets_the_pace_and_nothing_else(source, start):
    good, slow = start(), start()
    slow.faults.append(Fault("PUT", UPLOADS, "slow", delay=0.01))
    assert Transfer(source, good, slow).send(LARGE) == {}
    assert stored(good, LARGE)
    assert stored(slow, LARGE)
    assert reads(source) == 1


def test_one_that_never_takes_it_fails_alone(source, start):
    good, silent = start(), start()
    silent.faults.append(Fault("PUT|PATCH", UPLOADS, "stall", after_bytes=0, times=None, delay=1))
    retry = RetryPolicy(retries=1, base=0.01, cap=0.01)
    transfer = Transfer(source, silent, good, retry=retry, read_timeout=0.3, connect_timeout=0.3)
    failed = transfer.send(LARGE)
    assert list(failed) == [transfer.targets[0]]
    assert isinstance(failed[transfer.targets[0]], TransportError)
    assert stored(good, LARGE)


def test_one_that_answers_nonsense_fails_alone(source, start):
    def answer(request: HttpRequest) -> HttpResponse:
        if request.path == "/v2/":
            return reply(200, "{}", Content_Type="application/json")
        return reply(202, Location="http://[broken")

    good = start()
    with ScriptedServer(answer) as nonsense:
        transfer = Transfer(source, nonsense, good)
        failed = transfer.send(LARGE)
    assert list(failed) == [transfer.targets[0]]
    assert isinstance(failed[transfer.targets[0]], AirgapError)
    assert stored(good, LARGE)


@pytest.mark.parametrize("kind", ["reset", "truncate"])
def test_a_break_at_the_source_is_not_noticed_at_the_destinations(source, start, kind):
    source.faults.append(Fault("GET", "/blobs/", kind, after_bytes=SMALL))
    destinations = [start(), start()]
    assert Transfer(source, *destinations).send(LARGE) == {}
    assert all(stored(destination, LARGE) for destination in destinations)
    assert [destination.count(method="PUT") for destination in destinations] == [1, 1]


@SIZES
def test_changed_content_is_stored_nowhere(source, start, content):
    source.faults.append(Fault("GET", "/blobs/", "wrong_digest", times=None))
    destinations = [start(), start()]
    with pytest.raises(DigestMismatchError):
        Transfer(source, *destinations).send(content)
    assert all(destination.blobs == {} for destination in destinations)
    assert reads(source) == 3


@SIZES
def test_content_that_was_changed_once_is_read_again(source, start, content):
    source.faults.append(Fault("GET", "/blobs/", "wrong_digest"))
    destinations = [start(), start()]
    assert Transfer(source, *destinations).send(content) == {}
    assert all(stored(destination, content) for destination in destinations)


@SIZES
def test_a_source_that_does_not_have_it_is_raised(source, start, content):
    source.lose_blob("r", sha256(content))
    with pytest.raises(NotFoundError):
        Transfer(source, start(), start()).send(content)


def test_a_source_that_dies_on_the_way_is_raised(source, start):
    source.faults.append(Fault("GET", "/blobs/", "reset", after_bytes=SMALL))
    source.faults.append(Fault("GET", "/blobs/", "drop_connection", skip=1, times=None))
    destinations = [start(), start()]
    with pytest.raises(TransportError) as caught:
        Transfer(source, *destinations).send(LARGE)
    assert source.host in str(caught.value)
    assert all(destination.blobs == {} for destination in destinations)


def test_a_source_that_dies_while_one_is_served_afterwards_does_not_take_it_from_the_others(source, start):
    good, bad = start(), start()
    bad.faults.append(Fault("PUT", UPLOADS, "reset", after_bytes=SMALL))
    source.faults.append(Fault("GET", "/blobs/", "drop_connection", skip=1, times=None))
    transfer = Transfer(source, bad, good)
    failed = transfer.send(LARGE)
    assert list(failed) == [transfer.targets[0]]
    assert source.host in str(failed[transfer.targets[0]])
    assert stored(good, LARGE)


def test_cancelling_does_not_wait_for_a_destination_that_takes_nothing(source, start):
    silent, good = start(), start()
    silent.faults.append(Fault("PUT", UPLOADS, "stall", after_bytes=0, times=None))
    transfer = Transfer(source, silent, good, connect_timeout=2.5, read_timeout=2.5)
    threading.Timer(0.3, transfer.cancellation.cancel, ["enough"]).start()
    started = time.monotonic()
    with pytest.raises(CancelledError):
        transfer.send(LARGE)
    assert time.monotonic() - started < 2


def test_cancelling_does_not_wait_for_a_source_that_is_slow(source, start):
    source.faults.append(Fault("GET", "/blobs/", "slow", delay=0.05))
    transfer = Transfer(source, start(), start())
    threading.Timer(0.3, transfer.cancellation.cancel, ["enough"]).start()
    started = time.monotonic()
    with pytest.raises(CancelledError):
        transfer.send(LARGE)
    assert time.monotonic() - started < 2


@SIZES
def test_cancelled_is_not_failed(source, start, content):
    transfer = Transfer(source, start(), start())
    transfer.cancellation.cancel("enough")
    with pytest.raises(CancelledError):
        transfer.send(content)
