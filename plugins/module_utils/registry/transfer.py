# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One blob on its way: read once, hashed as it passes, written to one place or to several at the same time."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import (
    AirgapError,
    CancelledError,
    TransportError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy, safe_url
from ansible_collections.quayside.airgap.plugins.module_utils.core.http_errors import describe_failure
from ansible_collections.quayside.airgap.plugins.module_utils.core.thirdparty import load
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import DigestMismatchError, RegistryError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Content, Store, Upload

# Measured on loopback: below 128 KiB the interpreter shows, above 512 KiB only memory grows (docs/benchmarks.md)
CHUNK = 256 << 10
# A blob up to this size is read whole before it is sent: one write, which can be repeated without reading again
SMALL = 1 << 20
# Chunks that wait for the slowest of several destinations
_AHEAD = 8
# Destinations that one read serves; only a registry that refuses to mount can bring more than its few
_LANES = 8
# Where a proxy in front of a registry refuses large bodies (413): the first size tried, and the last
_FIRST_CHUNKED = 64 << 20
_LAST_CHUNKED = 1 << 20
_MISMATCHES = 2
# Answers to an upload whose session the registry has lost, or sees in another state than we do: a new one is begun so often
_LOST_SESSION = (400, 404, 416)
_NEW_SESSIONS = 2

Meter = Callable[[int], None]


@dataclass(frozen=True)
class Target:
    """A repository that shall have the blob.

    :ivar upload: a session that the registry has begun already, in place of a mount.
    """

    client: Store
    repository: str
    upload: Upload | None = field(default=None, compare=False)


class BlobReader:
    """The content of a blob, read from its registry piece by piece.

    A connection that breaks is taken up again where it broke. The last piece is handed out only once the whole content has
    proved to have the right size and digest, so that nobody downstream can complete a wrong blob.

    :param size: bytes that the manifest promises.
    :param meter: told the number of bytes each time some were read from the registry.
    """

    def __init__(
        self,
        client: Store,
        repository: str,
        digest: str,
        size: int,
        *,
        retry: RetryPolicy,
        cancellation: Cancellation,
        meter: Meter | None = None,
    ) -> None:
        self._client = client
        self._repository = repository
        self._digest = digest
        self._size = size
        self._retry = retry
        self._cancellation = cancellation
        self._meter = meter or (lambda _count: None)
        self._hash = hashlib.new(digest.partition(":")[0])
        self._hashed = 0
        self._errors = (load("requests").RequestException, load("urllib3").exceptions.HTTPError, OSError)

    @property
    def passed(self) -> int:
        """Bytes that were read so far, from the beginning on: where reading may begin again."""
        return self._hashed

    def read_all(self) -> bytes:
        """The whole content at once; for small blobs."""
        return b"".join(self.pieces(0))

    def pieces(self, start: int) -> Iterator[bytes]:
        """The content from a byte on. May be called again, after a destination lost what it had.

        :raises TransportError: when the source cannot be read, whatever the patience.
        :raises DigestMismatchError: when the content is not what its digest says.
        :raises NotFoundError: when the source does not have the blob (any more).
        """
        if start == 0:
            self._hash = hashlib.new(self._digest.partition(":")[0])
            self._hashed = 0
        elif start > self._hashed:
            raise ValueError(f"byte {start} lies beyond what was read before ({self._hashed})")
        position = start
        failures = 0
        if not self._size:
            self._verify()
            return
        while position < self._size:
            progressed = False
            # to begin an answer the session has patience of its own; what is spent here is for answers that break off
            response, begins = self._client.open_blob(self._repository, self._digest, position)
            try:
                for piece in self._content(response, begins, position):
                    progressed = True
                    self._meter(len(piece))
                    end = position + len(piece)
                    if end > self._size:
                        raise self._mismatch(f"it is longer than the {self._size} bytes that the manifest gives")
                    self._take(piece, position)
                    position = end
                    if position == self._size:
                        self._verify()
                    yield piece
                if position < self._size:
                    raise TransportError("read the blob", self._name, "it ended early", kind="reset", transient=True)
            except TransportError as error:
                failures = 0 if progressed else failures + 1
                if not error.transient or failures > self._retry.retries:
                    raise
                self._cancellation.sleep(self._retry.pause(failures))

    @property
    def _name(self) -> str:
        return f"{self._client.registry}/{self._repository}@{self._digest}"

    def _content(self, response: Content, begins: int, position: int) -> Iterator[bytes]:
        """What one answer of the registry, which begins at byte ``begins``, gives from position on."""
        surplus = position - begins
        whole = False
        try:
            # one byte more than there should be shows a body that is too long; it is read with the last piece, not after it
            expected = self._size - begins + 1
            while expected:
                self._cancellation.check()
                try:
                    piece = response.raw.read(expected if expected <= CHUNK + 1 else CHUNK, decode_content=False)
                except self._errors as error:
                    raise describe_failure("GET", safe_url(response.url), error) from error
                if not piece:
                    whole = True
                    return
                expected -= len(piece)
                if surplus:
                    dropped = min(surplus, len(piece))
                    surplus -= dropped
                    piece = piece[dropped:]
                if piece:
                    yield piece
        finally:
            # a connection with an unread rest cannot serve another call; closing the answer alone would give it back
            if not whole:
                response.raw.close()
            response.close()

    def _take(self, piece: bytes, position: int) -> None:
        known = self._hashed - position
        if known < len(piece):
            self._hash.update(piece[known:] if known else piece)
            self._hashed = position + len(piece)

    def _verify(self) -> None:
        actual = f"{self._digest.partition(':')[0]}:{self._hash.hexdigest()}"
        if actual != self._digest:
            raise self._mismatch(f"its content has the digest {actual}")

    def _mismatch(self, reason: str) -> DigestMismatchError:
        return DigestMismatchError(
            "use the blob",
            self._name,
            reason,
            "The file is damaged: copy it again from where it was made. Nothing of the blob was stored."
            if self._client.local
            else "The registry, or something on the way to it, changes content; nothing of it was stored.",
        )


class _Body:
    """Bytes of a request that come one by one, with their number known beforehand."""

    def __init__(self, pieces: Iterable[bytes], length: int) -> None:
        self._pieces = pieces
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


def send_blob(
    reader: BlobReader,
    digest: str,
    size: int,
    targets: Sequence[Target],
    *,
    retry: RetryPolicy,
    cancellation: Cancellation,
) -> dict[Target, AirgapError]:
    """Read a blob once and store it in every target.

    :returns: the targets that do not have it now, with the reason; empty when all went well.
    :raises AirgapError: when the source could not be read: then no target has it.
    """
    if size <= SMALL:
        return _send_small(reader, digest, targets, retry, cancellation)
    if len(targets) == 1:
        try:
            _stream(reader, targets[0], digest, size, retry, cancellation)
        except SourceError as error:
            raise error.error from error
        except CancelledError:
            raise
        except AirgapError as error:
            return {targets[0]: error}
        return {}
    failed: dict[Target, AirgapError] = {}
    for begin in range(0, len(targets), _LANES):
        failed.update(_fan_out(reader, digest, size, targets[begin : begin + _LANES], retry, cancellation))
    return failed


class SourceError(Exception):
    """Carries a failure of the source through the upload that reads from it, to tell it from one of the destination."""

    def __init__(self, error: AirgapError) -> None:
        self.error = error
        super().__init__(str(error))


def _send_small(
    reader: BlobReader, digest: str, targets: Sequence[Target], retry: RetryPolicy, cancellation: Cancellation
) -> dict[Target, AirgapError]:
    content = _read_verified(reader, retry, cancellation)
    failed: dict[Target, AirgapError] = {}
    for target in targets:
        try:
            _upload_small(target, digest, content, retry, cancellation)
        except CancelledError:
            raise
        except AirgapError as error:
            failed[target] = error
    return failed


def _upload_small(target: Target, digest: str, content: bytes, retry: RetryPolicy, cancellation: Cancellation) -> None:
    for attempt in range(_NEW_SESSIONS + 1):
        try:
            if target.upload is not None and not attempt:
                target.client.finish_upload(target.repository, target.upload, digest, content, retry=True)
            else:
                target.client.upload_bytes(target.repository, digest, content)
            return
        except RegistryError as error:
            # an answer that was lost and asked for again finds its session closed: the content may be there by now, or comes again
            if error.status not in _LOST_SESSION or attempt >= min(_NEW_SESSIONS, retry.retries):
                raise
        cancellation.sleep(retry.pause(attempt))


def _read_verified(reader: BlobReader, retry: RetryPolicy, cancellation: Cancellation) -> bytes:
    for attempt in range(_MISMATCHES + 1):
        try:
            return reader.read_all()
        except DigestMismatchError:
            if attempt >= min(_MISMATCHES, retry.retries):
                raise
            cancellation.sleep(retry.pause(attempt))
    raise AssertionError("the loop above returns or raises")


def _stream(
    reader: BlobReader,
    target: Target,
    digest: str,
    size: int,
    retry: RetryPolicy,
    cancellation: Cancellation,
) -> None:
    """Upload from a reader, which can begin again at any byte it has passed, until the target has it or patience ends."""
    client, repository = target.client, target.repository
    upload = target.upload
    offset = 0
    mismatches = 0
    failures = 0
    while True:
        try:
            if upload is None:
                upload, offset = client.begin_upload(repository, digest), 0
            _upload_from(reader.pieces, target, upload, digest, offset, size)
            return
        except SourceError as error:
            mismatches += 1
            if not isinstance(error.error, DigestMismatchError) or mismatches > min(_MISMATCHES, retry.retries):
                _give_up(target, upload)
                raise
            _give_up(target, upload)
            upload = None
        except CancelledError:
            raise
        except AirgapError as error:
            status = getattr(error, "status", 0)
            if status == 413 and (client.largest_body is None or client.largest_body > _LAST_CHUNKED):
                client.largest_body = min(_FIRST_CHUNKED, max(_LAST_CHUNKED, min(client.largest_body or size, size) // 2))
                upload = None
                continue
            # 401: the token ran out in mid-upload. 400, 404, 416: the session is lost or out of step: begin a new one
            if not error.transient and status not in (401, *_LOST_SESSION):
                raise
            if failures >= (retry.retries if error.transient else min(_NEW_SESSIONS, retry.retries)):
                raise
            cancellation.sleep(retry.pause(failures))
            state = _state(target, upload) if upload is not None and error.transient else None
            if state is None or not 0 < state[0] <= min(reader.passed, size - 1):
                upload, offset = None, 0
            else:
                # bytes that arrived are progress: only silence wears patience out
                failures = failures if state[0] <= offset else -1
                offset, upload = state
            failures += 1


def _upload_from(pieces: Callable[[int], Iterator[bytes]], target: Target, upload: Upload, digest: str, offset: int, size: int) -> None:
    client, repository = target.client, target.repository
    limit = client.largest_body
    if offset == 0 and (limit is None or size <= limit):
        client.finish_upload(repository, upload, digest, lambda: _Body(_from_source(pieces, 0), size))
        return
    source = _from_source(pieces, offset)
    rest = b""
    step = max(limit or size, upload.minimum_chunk)
    while offset < size:
        length = min(step, size - offset)
        chunk = _Slice(source, rest, length)
        upload = client.send_chunk(repository, upload, digest, partial(_Body, chunk, length), offset, length)
        rest = chunk.rest
        offset += length
    client.finish_upload(repository, upload, digest)


class _Slice:
    """The next so many bytes of an iterator of pieces; what is over of the last piece is kept in ``rest``."""

    def __init__(self, source: Iterator[bytes], rest: bytes, length: int) -> None:
        self._source = source
        self._length = length
        self.rest = rest

    def __iter__(self) -> Iterator[bytes]:
        wanted = self._length
        while wanted:
            piece = self.rest or next(self._source, b"")
            if not piece:
                return
            self.rest = piece[wanted:]
            yield piece[:wanted]
            wanted -= min(wanted, len(piece))


def _from_source(pieces: Callable[[int], Iterator[bytes]], offset: int) -> Iterator[bytes]:
    try:
        yield from pieces(offset)
    except CancelledError:
        raise
    except AirgapError as error:
        raise SourceError(error) from error


def _state(target: Target, upload: Upload) -> tuple[int, Upload] | None:
    try:
        return target.client.uploaded(target.repository, upload)
    except CancelledError:
        raise
    except AirgapError:
        # the state of a broken upload is only a shortcut: without it the upload begins anew
        return None


def _give_up(target: Target, upload: Upload | None) -> None:
    if upload is not None:
        target.client.cancel_upload(target.repository, upload)


def _fan_out(
    reader: BlobReader,
    digest: str,
    size: int,
    targets: Sequence[Target],
    retry: RetryPolicy,
    cancellation: Cancellation,
) -> dict[Target, AirgapError]:
    """One reader, one uploading thread for each target, a short queue between them: the slowest sets the pace.

    A target whose upload breaks leaves the group and is served afterwards from the source again, alone.
    """
    for attempt in range(_MISMATCHES + 1):
        lanes = [_Lane(target, digest, size) for target in targets]
        try:
            _pump(reader.pieces(0), lanes, cancellation)
        except DigestMismatchError:
            if attempt >= min(_MISMATCHES, retry.retries):
                raise
            cancellation.sleep(retry.pause(attempt))
            continue
        break
    failed: dict[Target, AirgapError] = {}
    for lane in lanes:
        if lane.error is None:
            continue
        if lane.error.transient or getattr(lane.error, "status", 0) in (401, 413, *_LOST_SESSION):
            try:
                _stream(reader, lane.target, digest, size, retry, cancellation)
            except SourceError as error:
                # the others have it by now
                failed[lane.target] = error.error
            except CancelledError:
                raise
            except AirgapError as error:
                failed[lane.target] = error
        else:
            failed[lane.target] = lane.error
    return failed


class _Lane:
    """The way of a blob to one of several targets."""

    def __init__(self, target: Target, digest: str, size: int) -> None:
        self.target = target
        self.error: AirgapError | None = None
        self._crash: Exception | None = None
        self._queue: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
        self._aborted: AirgapError | None = None
        self._digest = digest
        self._size = size
        self._thread = threading.Thread(target=self._upload, name="airgap-lane", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def put(self, piece: bytes | None, cancellation: Cancellation) -> None:
        """Hand over the next piece, None for the end; a lane that has failed takes nothing any more."""
        while self.alive:
            cancellation.check()
            try:
                self._queue.put(piece, timeout=0.2)
                return
            except queue.Full:
                continue

    def abort(self, error: AirgapError) -> None:
        """Break the upload off: the source failed."""
        self._aborted = error
        # a full queue wakes the upload as well; one that is stuck in sending ends by its time limit
        with suppress(queue.Full):
            self._queue.put_nowait(None)
        if not isinstance(error, CancelledError):
            self._thread.join()

    def join(self, cancellation: Cancellation) -> None:
        """Wait for the upload's end.

        :raises Exception: what the upload ended with, unless that is a failure of the destination.
        """
        while self.alive:
            cancellation.check()
            self._thread.join(0.2)
        if self._crash is not None:
            raise self._crash

    def _pieces(self) -> Iterator[bytes]:
        while True:
            piece = self._queue.get()
            if self._aborted is not None:
                raise self._aborted
            if piece is None:
                return
            yield piece

    def _upload(self) -> None:
        client, repository = self.target.client, self.target.repository
        try:
            upload = client.begin_upload(repository, self._digest)
            client.finish_upload(repository, upload, self._digest, lambda: _Body(self._pieces(), self._size))
        except AirgapError as error:
            self.error = error
        except Exception as error:  # told by join(): an upload that ended so did not succeed
            self._crash = error


def _pump(pieces: Iterator[bytes], lanes: list[_Lane], cancellation: Cancellation) -> None:
    try:
        for piece in pieces:
            for lane in lanes:
                lane.put(piece, cancellation)
            if not any(lane.alive for lane in lanes):
                break
        for lane in lanes:
            lane.put(None, cancellation)
    except AirgapError as error:
        for lane in lanes:
            lane.abort(error)
        raise
    for lane in lanes:
        lane.join(cancellation)
