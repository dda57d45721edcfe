# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copy engine: many images, one or several destinations each, every byte moved at most once.

A run has four steps with all workers on each: resolve (what is where), locate (which blobs are missing), move blobs, store
manifests as soon as an image has its blobs. A dry run ends after the second. What failed because something changed under the
run's feet is taken through all steps once more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation, WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, CancelledError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.core.progress import Progress
from ansible_collections.quayside.airgap.plugins.module_utils.registry.companions import ReferrersTag
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import (
    AccessError,
    DigestMismatchError,
    NotFoundError,
    RegistryError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.locate import locate, plan_moves
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Manifest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import (
    COPIED,
    FAILED,
    NOT_ATTEMPTED,
    UNCHANGED,
    BlobMove,
    CopyRequest,
    ImageCopy,
    Known,
    Outcome,
    Placement,
    Push,
    namespace,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.resolve import Resolver
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Side, Store, Upload
from ansible_collections.quayside.airgap.plugins.module_utils.registry.transfer import BlobReader, Target, send_blob

# Codes by which registries refuse an index because some of what it lists is not there, or a manifest for want of a blob
_INCOMPLETE = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "MANIFEST_INVALID", "MANIFEST_UNVERIFIED"})


@dataclass(frozen=True)
class CopyOptions:
    """How a run behaves.

    :ivar parallel: requests under way at once.
    :ivar signatures: ``copy``, ``require`` or ``skip``.
    :ivar stop_at_failure: begin nothing more after the first failure.
    :ivar dry_run: find out and decide, but store nothing.
    """

    parallel: int = 16
    signatures: str = "copy"
    stop_at_failure: bool = False
    dry_run: bool = False
    retry: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(frozen=True)
class Steps:
    """What somebody has to say between the steps of a run.

    :ivar expect: told, before the first blob moves, the sizes of those that will, by digest; what it raises ends the run.
    :ivar last: images whose manifests are stored after those of all others.
    :ivar settled: told, before the first of them is stored, the states of all images by destination; the blobs of those that have
        not failed are there then.
    :ivar admit: asked of each of them why it shall not be stored, with the states by destination; nothing where it shall. It is asked
        when the sources are known, before anything of it moves, and again when it is about to be stored.
    """

    expect: Callable[[Mapping[str, int]], None] | None = None
    last: Collection[CopyRequest] = ()
    settled: Callable[[Mapping[Reference, str]], None] | None = None
    admit: Callable[[CopyRequest, Mapping[Reference, str]], str] | None = None


@dataclass
class Report:
    """What became of a run.

    :ivar outcomes: one for each request and destination, in the order of the requests.
    :ivar pulled: bytes of blobs read from sources; ``pushed``: bytes of blobs sent to destinations.
    :ivar elapsed: seconds.
    """

    outcomes: list[Outcome]
    pulled: int = 0
    pushed: int = 0
    elapsed: float = 0.0

    def count(self, state: str) -> int:
        """How many images ended in a state."""
        return sum(outcome.state == state for outcome in self.outcomes)


class _StopError(AirgapError):
    """Ends the run after the first failure; the failure itself stands in its outcome."""


class CopyEngine:
    """Copies images between registries.

    :param sources: the side that is read; ``destinations``: the side that is written.
    """

    def __init__(
        self,
        sources: Side,
        destinations: Side,
        options: CopyOptions,
        progress: Progress | None = None,
        cancellation: Cancellation | None = None,
    ) -> None:
        self._sources = sources
        self._destinations = destinations
        self._options = options
        self._progress = progress or Progress()
        self._cancellation = cancellation or Cancellation()
        self._known = Known()
        self._referrers = ReferrersTag()
        self._lock = threading.Lock()
        self._held: frozenset[CopyRequest] = frozenset()
        self._started = 0.0
        self._pulled = 0
        self._pushed = 0

    def run(self, requests: Sequence[CopyRequest], steps: Steps | None = None) -> Report:
        """Copy what is asked for. Failures are in the report, not raised.

        :raises KeyboardInterrupt: when the user interrupts.
        """
        steps = steps or Steps()
        self._held = frozenset(steps.last)
        self._started = time.monotonic()
        batches = {request: self._copies(request) for request in dict.fromkeys(requests)}
        self._announce(batches)
        copies = [copy for batch in batches.values() for copy in batch]
        with WorkerPool(self._options.parallel, self._cancellation) as pool:
            try:
                self._round(pool, batches, steps)
                repeated = self._repeatable(copies)
                if repeated:
                    self._round(pool, repeated, steps)
                self._release(pool, batches, steps)
            except (_StopError, CancelledError):
                self._mark_stopped(copies)
        self._progress.finish()
        return Report([copy.outcome for copy in copies], self._pulled, self._pushed, time.monotonic() - self._started)

    # -- steps -----------------------------------------------------------------------------------------------------------

    def _round(self, pool: WorkerPool, batches: dict[CopyRequest, list[ImageCopy]], steps: Steps) -> None:
        copies = [copy for batch in batches.values() for copy in batch]
        self._progress.phase("resolving", items=len(batches))
        resolver = Resolver(self._sources, self._options.signatures, list(batches), self._known)
        pool.run([partial(self._resolve, resolver, request, batch) for request, batch in batches.items()])
        self._dismiss(batches, steps)
        moves = plan_moves(copies, self._known)
        self._progress.phase("comparing", items=sum(len(move.placements) for move in moves))
        locate(pool, moves, copies, self._known, fail=self._fail, step=partial(self._progress.advance, items=1))
        size = sum(move.size for move in moves if move.uploads)
        if steps.expect is not None:
            steps.expect({move.digest: move.size for move in moves if move.uploads})
        if self._options.dry_run:
            self._foretell(moves, copies, size)
            return
        # not before: to ask for the right to write creates a repository in Quay
        self._announce_writes(copies)
        self._progress.phase("copying", items=sum(copy.wanted for copy in copies), size=size)
        tasks: list[Callable[[], None]] = [partial(self._move, pool, move) for move in moves]
        tasks += [partial(self._store, copy) for copy in copies if copy.wanted and self._is_ready(copy)]
        pool.run(tasks)

    def _is_ready(self, copy: ImageCopy) -> bool:
        return not copy.missing and copy.request not in self._held

    def _dismiss(self, batches: dict[CopyRequest, list[ImageCopy]], steps: Steps) -> None:
        """Leave out what comes last and shall not be stored."""
        states = {copy.outcome.destination: copy.outcome.state for batch in batches.values() for copy in batch}
        for copy in (copy for request in batches if request in self._held for copy in batches[request]):
            reason = steps.admit(copy.request, states) if copy.wanted and steps.admit is not None else ""
            if reason:
                copy.outcome.state, copy.outcome.reason = NOT_ATTEMPTED, reason
                copy.pushes = []

    def _release(self, pool: WorkerPool, batches: dict[CopyRequest, list[ImageCopy]], steps: Steps) -> None:
        """Store the manifests that were to come last, as far as they still shall."""
        if steps.settled is not None:
            steps.settled({copy.outcome.destination: copy.outcome.state for batch in batches.values() for copy in batch})
        self._dismiss(batches, steps)
        held = [copy for request in batches if request in self._held for copy in batches[request] if copy.wanted]
        self._held = frozenset()
        if not self._options.dry_run:
            pool.run([partial(self._store, copy) for copy in held if not copy.missing])
            repeated = self._repeatable(held)
            if repeated:
                self._round(pool, repeated, steps)

    def _resolve(self, resolver: Resolver, request: CopyRequest, batch: list[ImageCopy]) -> None:
        try:
            resolver.resolve(request, batch)
        except CancelledError:
            raise
        except AirgapError as error:
            for copy in batch:
                self._fail(copy, error)
        for copy in batch:
            if copy.error is not None and copy.outcome.state != FAILED:
                self._fail(copy, copy.error)
            elif copy.outcome.state == UNCHANGED:
                copy.outcome.elapsed = time.monotonic() - self._started
        self._progress.advance(items=1, current=str(request.source))

    def _foretell(self, moves: list[BlobMove], copies: list[ImageCopy], size: int) -> None:
        for move in moves:
            for place in move.placements:
                self._account(move, place, place.uploads, place.mounts)
        for copy in copies:
            if copy.wanted:
                copy.outcome.state = COPIED
                copy.outcome.skipped = len(copy.blobs) - copy.outcome.moved - copy.outcome.mounted
                copy.outcome.elapsed = time.monotonic() - self._started
        self._pulled += size

    def _move(self, pool: WorkerPool, move: BlobMove) -> None:
        """Bring one blob to every registry that lacks it, then have it linked wherever else it is needed there."""
        self._cancellation.check()
        uploads = [target for target in move.uploads if move.waiting(target.client, [target.repository])]
        failed: dict[Target, AirgapError] = {}
        unreadable: AirgapError | None = None
        if uploads:
            try:
                failed = self._send(move, uploads)
            except CancelledError:
                raise
            except AirgapError as error:
                unreadable = error
        if unreadable is not None:
            failed = dict.fromkeys(uploads, unreadable)
        for place in move.placements:
            stored = [target.repository for target in uploads if target.client is place.client and target not in failed]
            errors = {target.repository: error for target, error in failed.items() if target.client is place.client}
            self._settle(pool, move, place, stored, errors, unreadable)

    def _settle(
        self,
        pool: WorkerPool,
        move: BlobMove,
        place: Placement,
        stored: list[str],
        errors: dict[str, AirgapError],
        unreadable: AirgapError | None,
    ) -> None:
        """Go on in one registry after the uploads to it: mount, or find another repository to upload to.

        :param stored: repositories that got the blob; ``errors``: those that did not.
        :param unreadable: why no source gave the blob, if so.
        """
        home = place.home or next(iter(stored), None)
        if home is not None:
            self._known.note(place.client.registry, move.digest, home)
            self._account(move, place, stored, [])
            self._arrived(pool, move, place, [*stored, *([home] if home not in place.mounts else [])], errors)
            self._spread(pool, move, place, home)
            return
        final = unreadable or next((error for error in errors.values() if error.transient), None)
        if final is not None:
            errors = dict.fromkeys([*place.uploads, *place.mounts], final)
        self._arrived(pool, move, place, [], errors)
        rest = [repository for repository in place.mounts if repository not in errors and move.waiting(place.client, [repository])]
        if rest:
            # one repository is closed to us; the others may not be
            place.uploads, place.mounts = rest[:1], rest[1:]
            pool.add(partial(self._move, pool, replace(move, placements=[place])), urgent=True)

    def _spread(self, pool: WorkerPool, move: BlobMove, place: Placement, home: str) -> None:
        """Have a blob linked wherever else it is needed; in a foreign namespace, which may be closed to it, by one repository first."""
        groups: dict[str, list[str]] = {}
        for repository in place.mounts:
            groups.setdefault(namespace(repository), []).append(repository)
        for name, repositories in groups.items():
            first = 1 if name != namespace(home) else len(repositories)
            near = self._known.home(place.client.registry, move.digest, repositories[0]) or home
            for repository in repositories[:first]:
                pool.add(partial(self._mount, pool, move, place, near, repository, repositories[first:]), urgent=True)

    def _mount(self, pool: WorkerPool, move: BlobMove, place: Placement, home: str, repository: str, followers: Sequence[str] = ()) -> None:
        self._cancellation.check()
        errors: dict[str, AirgapError] = {}
        try:
            linked, upload = self._link(place.client, move.digest, home, repository)
            if linked:
                self._account(move, place, [], [repository])
            elif place.client.head_blob(repository, move.digest) is None:
                target = Target(place.client, repository, upload)
                errors = {failed.repository: error for failed, error in self._send(move, [target]).items()}
                self._account(move, place, [] if errors else [repository], [])
            elif upload is not None:
                place.client.cancel_upload(repository, upload)
        except CancelledError:
            raise
        except AirgapError as error:
            errors = {repository: error}
        if not errors:
            self._known.note(place.client.registry, move.digest, repository)
        self._arrived(pool, move, place, [repository], errors)
        for follower in followers:
            pool.add(partial(self._mount, pool, move, place, home if errors else repository, follower), urgent=True)

    def _link(self, client: Store, digest: str, home: str, repository: str) -> tuple[bool, Upload | None]:
        """Whether the registry made a blob of one repository appear in another; if not, the upload that it began instead.

        A registry that does not even do so within a namespace is not asked again.
        """
        if client.mounts is False:
            return False, None
        try:
            upload = client.mount_blob(repository, digest, home)
        except RegistryError as error:
            # not being allowed to read the other repository is no reason to do without the blob
            if error.transient:
                raise
            return False, None
        if upload is None or namespace(home) == namespace(repository):
            client.mounts = upload is None or bool(client.mounts)
        return upload is None, upload

    def _send(self, move: BlobMove, targets: list[Target]) -> dict[Target, AirgapError]:
        first: AirgapError | None = None
        broken: set[Store] = set()
        for source in move.sources:
            if source.client in broken:
                continue
            reader = BlobReader(
                source.client,
                source.repository,
                move.digest,
                move.size,
                retry=self._options.retry,
                cancellation=self._cancellation,
                meter=self._meter,
            )
            try:
                return send_blob(reader, move.digest, move.size, targets, retry=self._options.retry, cancellation=self._cancellation)
            except CancelledError:
                raise
            except AirgapError as error:
                first = first or error
                # a registry that does not answer for one repository will not answer for the next
                if not isinstance(error, (NotFoundError, AccessError, DigestMismatchError)):
                    broken.add(source.client)
        raise first or AssertionError("a move has at least one source")

    def _meter(self, count: int) -> None:
        with self._lock:
            self._pulled += count
        self._progress.advance(size=count)

    def _account(self, move: BlobMove, place: Placement, uploads: Sequence[str], mounts: Sequence[str]) -> None:
        """Write a blob to the account of one image for each repository that it went to."""
        with self._lock:
            for repository in uploads:
                outcome = self._first(move, place, repository).outcome
                outcome.moved += 1
                outcome.size += move.size
                self._pushed += move.size
            for repository in mounts:
                self._first(move, place, repository).outcome.mounted += 1

    def _first(self, move: BlobMove, place: Placement, repository: str) -> ImageCopy:
        return next(copy for copy in move.images if copy.target.client is place.client and copy.target.repository == repository)

    def _arrived(
        self,
        pool: WorkerPool,
        move: BlobMove,
        place: Placement,
        repositories: Sequence[str],
        errors: dict[str, AirgapError],
    ) -> None:
        """Tell the images that waited for a blob in some repositories of a registry."""
        for copy in move.waiting(place.client, [*repositories, *errors]):
            error = errors.get(copy.target.repository)
            if error is not None:
                self._fail(copy, error, digest=move.digest)
                continue
            with self._lock:
                copy.missing.discard(move.digest)
                complete = self._is_ready(copy)
            if complete:
                pool.add(partial(self._store, copy), urgent=True)

    def _store(self, copy: ImageCopy) -> None:
        """Store the manifests of an image whose blobs are all there."""
        self._cancellation.check()
        outcome = copy.outcome
        try:
            for push in copy.pushes:
                self._put(copy, push)
        except CancelledError:
            raise
        except AirgapError as error:
            self._fail(copy, error)
            return
        outcome.state = COPIED
        # what had to be sent again, because it got lost, is among what was moved
        outcome.skipped = max(0, len(copy.blobs) - outcome.moved - outcome.mounted)
        outcome.elapsed = time.monotonic() - self._started
        self._progress.advance(items=1, current=str(outcome.destination))

    def _put(self, copy: ImageCopy, push: Push) -> None:
        client, repository = copy.target.client, copy.target.repository
        stored = push.manifest
        if push.fallback is None:
            noted = client.put_manifest(repository, push.identifier, push.manifest)
        else:
            stored, noted = self._put_sparse(copy, push, push.fallback), None
        subject = stored.subject
        if not subject or noted == subject:
            return
        # Quay keeps referrers without saying so in its answer, and lists them once the manifest is there
        if client.referrers_api is None:
            # one that does not want to be asked has no list that we know of
            with suppress(RegistryError):
                client.referrers(repository, subject)
        if client.referrers_api is not True and not self._referrers.record(client, repository, stored):
            copy.outcome.notes.append(
                f"{stored.digest} refers to {subject}, but the registry does not list referrers, and the tag that would do so is taken."
            )

    def _put_sparse(self, copy: ImageCopy, push: Push, fallback: Manifest) -> Manifest:
        client, repository, outcome = copy.target.client, copy.target.repository, copy.outcome
        if client.sparse_indexes is not False:
            try:
                client.put_manifest(repository, push.identifier, push.manifest)
            except RegistryError as error:
                if error.code not in _INCOMPLETE and error.status not in (400, 404, 422):
                    raise
            else:
                client.sparse_indexes = True
                outcome.index = "sparse"
                return push.manifest
        identifier = fallback.digest if push.identifier == push.manifest.digest else push.identifier
        client.put_manifest(repository, identifier, fallback)
        client.sparse_indexes = False
        outcome.index, outcome.digest = "rewritten", fallback.digest
        return fallback

    # -- failures --------------------------------------------------------------------------------------------------------

    def _fail(self, copy: ImageCopy, error: AirgapError, *, digest: str = "") -> None:
        with self._lock:
            if copy.outcome.state == FAILED:
                return
            copy.error = error
            copy.outcome.state = FAILED
            copy.outcome.reason = str(error)
            copy.outcome.elapsed = time.monotonic() - self._started
            copy.again = not copy.tried_again and self._may_heal(copy, error, digest)
        self._progress.advance(items=1, current=str(copy.outcome.destination))
        if self._options.stop_at_failure and not copy.again:
            raise _StopError("copy", str(copy.outcome.source), error.reason)

    def _may_heal(self, copy: ImageCopy, error: AirgapError, digest: str) -> bool:
        """Whether the world changed since it was looked at, so that another look may help.

        A blob that the source no longer has: its tag may point to another image now. A manifest refused for want of a blob: the
        destination lost it after it was seen; what the refusal names, or else every blob, is sent whatever the registry says.
        """
        if digest and isinstance(error, NotFoundError):
            return copy.outcome.source.digest is None
        if not isinstance(error, RegistryError) or digest:
            return False
        # Quay calls a manifest invalid for want of a blob, and does not always name the blob
        believed = len(copy.blobs) > copy.outcome.moved
        lacking = error.code in ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN")
        if lacking or (error.code == "MANIFEST_INVALID" and (error.digests or believed)):
            copy.distrusted = frozenset(error.digests) & frozenset(copy.blobs) or frozenset(copy.blobs)
            return True
        return False

    def _repeatable(self, copies: list[ImageCopy]) -> dict[CopyRequest, list[ImageCopy]]:
        batches: dict[CopyRequest, list[ImageCopy]] = {}
        for copy in copies:
            if not copy.again:
                continue
            for digest in copy.distrusted:
                self._known.forget(copy.target.client.registry, digest)
            copy.reset()
            batches.setdefault(copy.request, []).append(copy)
        return batches

    def _announce(self, batches: dict[CopyRequest, list[ImageCopy]]) -> None:
        """Tell every registry which of its repositories will be looked at."""
        repositories: dict[Store, list[str]] = {}
        for request, batch in batches.items():
            with suppress(AirgapError):  # a blocked registry is told of when the image is resolved
                for client, reference in self._sources.candidates(request.source)[:1]:
                    repositories.setdefault(client, []).append(reference.repository)
            for copy in batch:
                repositories.setdefault(copy.target.client, []).append(copy.target.repository)
        for client, names in repositories.items():
            client.announce(names)

    def _announce_writes(self, copies: list[ImageCopy]) -> None:
        repositories: dict[Store, list[str]] = {}
        for copy in copies:
            if copy.wanted:
                repositories.setdefault(copy.target.client, []).append(copy.target.repository)
        for client, names in repositories.items():
            client.announce(names, "pull,push")

    def _mark_stopped(self, copies: list[ImageCopy]) -> None:
        for copy in copies:
            if copy.outcome.state == NOT_ATTEMPTED and not copy.outcome.reason:
                copy.outcome.reason = "the run stopped before this image was complete"

    def _copies(self, request: CopyRequest) -> list[ImageCopy]:
        return [
            ImageCopy(
                request,
                Target(self._destinations.client(destination.registry), destination.repository),
                Outcome(request.source, destination),
            )
            for destination in request.destinations
        ]
