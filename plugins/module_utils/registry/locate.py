# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what has to be stored to what has to be moved: which blobs a destination has, and where."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial
from typing import Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, CancelledError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import RegistryError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Manifest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import (
    UNCHANGED,
    BlobMove,
    ImageCopy,
    Known,
    Placement,
    namespace,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Store
from ansible_collections.quayside.airgap.plugins.module_utils.registry.transfer import Target

# To look into images that are already there costs a request each. That is worth it while it may save moving this many bytes.
_BYTES_PER_LOOK_UP = 256 << 10
# Repositories with an older image of the same name that are asked for a blob before it is sent to one of them
_LIKELY = 3


def plan_moves(copies: Iterable[ImageCopy], known: Known) -> list[BlobMove]:
    """Gather the blobs that the copies need, each once, with all the places that it shall be in. Makes no request."""
    moves: dict[str, BlobMove] = {}
    places: dict[tuple[str, Store], Placement] = {}
    for copy in copies:
        if not copy.wanted or copy.source is None:
            continue
        for digest, blob in copy.blobs.items():
            move = moves.setdefault(digest, BlobMove(digest, blob.size, [], []))
            move.images.append(copy)
            copy.missing.add(digest)
            if copy.source not in move.sources:
                move.sources.append(copy.source)
            if copy.source.client.registry == copy.target.client.registry:
                known.note(copy.target.client.registry, digest, copy.source.repository)
            place = places.get((digest, copy.target.client))
            if place is None:
                place = places[digest, copy.target.client] = Placement(copy.target.client)
                move.placements.append(place)
            if copy.target.repository not in place.mounts:
                # an older image of the same name is likely to have some of the blobs already
                position = len(place.likely) if copy.existing else len(place.mounts)
                place.mounts.insert(position, copy.target.repository)
                place.likely += [copy.target.repository] if copy.existing else []
    return list(moves.values())


def locate(
    pool: WorkerPool,
    moves: list[BlobMove],
    copies: Iterable[ImageCopy],
    known: Known,
    *,
    fail: Callable[[ImageCopy, AirgapError], None],
    step: Callable[[], None],
) -> None:
    """Find out which blobs the destinations have, and so which repositories are uploaded to and which are mounted into.

    :param fail: told of a copy whose destination cannot be asked.
    :param step: called after each blob.
    """
    distrusted = {(copy.target.client, copy.target.repository, digest) for copy in copies for digest in copy.distrusted}

    def ask(move: BlobMove, place: Placement) -> None:
        place.home = known.home(place.client.registry, move.digest, place.mounts[0])
        candidates = place.likely[:_LIKELY] or place.mounts[:1]
        while place.home is None and candidates:
            first = candidates.pop(0)
            if (place.client, first, move.digest) in distrusted:
                continue
            try:
                if place.client.head_blob(first, move.digest) is not None:
                    place.home = first
            except CancelledError:
                raise
            except AirgapError as error:
                # a repository that is closed to us says nothing about the others, a registry that does not answer does
                lost = [first] if isinstance(error, RegistryError) and not error.transient else place.mounts
                place.mounts = [repository for repository in place.mounts if repository not in lost]
                candidates = [repository for repository in candidates or place.mounts[:1] if repository not in lost]
                for copy in move.waiting(place.client, lost):
                    fail(copy, error)
        if place.home is None and place.mounts:
            place.home = _holder(move, place, distrusted)
        step()

    pool.run([partial(ask, move, place) for move in moves for place in move.placements])
    if _look_into_unchanged(pool, moves, copies, known):
        for move in moves:
            for place in move.placements:
                if place.mounts:
                    place.home = place.home or known.home(place.client.registry, move.digest, place.mounts[0])
    for move in moves:
        for place in move.placements:
            _settle(place, move, known)


def _holder(move: BlobMove, place: Placement, distrusted: Collection[tuple[Store, str, str]]) -> str | None:
    """A repository that has a blob which the source itself only names."""
    near = namespace(place.mounts[0])
    holders = dict.fromkeys(name for source in move.sources for name in source.client.holders(place.client.registry, move.digest))
    for repository in sorted(holders, key=lambda name: namespace(name) != near):
        if (place.client, repository, move.digest) in distrusted:
            continue
        try:
            if place.client.head_blob(repository, move.digest) is not None:
                return repository
        except CancelledError:
            raise
        except AirgapError:
            # whoever reads the blob will say that it is not to be had
            continue
    return None


def _settle(place: Placement, move: BlobMove, known: Known) -> None:
    if place.home is not None:
        known.note(place.client.registry, move.digest, place.home)
        place.mounts = [repository for repository in place.mounts if repository != place.home]
    else:
        place.uploads, place.mounts = place.mounts[:1], place.mounts[1:]
    if place.client.mounts is False:
        place.uploads, place.mounts = place.uploads + place.mounts, []


def _look_into_unchanged(pool: WorkerPool, moves: list[BlobMove], copies: Iterable[ImageCopy], known: Known) -> bool:
    """Learn the blobs of multi-platform images that need no copy, as far as that is cheaper than moving what is missing."""
    lost: dict[Store, int] = {}
    for move in moves:
        for place in move.placements:
            if place.home is None:
                lost[place.client] = lost.get(place.client, 0) + move.size
    tasks = []
    for copy in copies:
        client = copy.target.client
        if copy.outcome.state != UNCHANGED or lost.get(client, 0) < _BYTES_PER_LOOK_UP:
            continue
        for digest in copy.unread:
            lost[client] -= _BYTES_PER_LOOK_UP
            tasks.append(partial(_learn, copy.target, digest, known))
    pool.run(tasks)
    return bool(tasks)


def _learn(target: Target, digest: str, known: Known) -> None:
    try:
        manifest: Manifest = target.client.get_manifest(target.repository, digest)
    except CancelledError:
        raise
    except AirgapError:
        # nothing is lost: what was not learned is uploaded
        return
    for blob in manifest.blobs:
        known.note(target.client.registry, blob.digest, target.repository)
