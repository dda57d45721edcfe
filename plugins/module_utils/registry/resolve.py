# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a request to a decision: what the source has, what each destination has, what has to be stored."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import (
    AirgapError,
    CancelledError,
    ProtocolError,
    TransportError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.companions import (
    Companion,
    CompanionFinder,
    referrer_digests,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import AccessError, NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Manifest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import (
    UNCHANGED,
    CopyRequest,
    ImageCopy,
    Known,
    Push,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import DOCKER_HUB, Reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Side, Store
from ansible_collections.quayside.airgap.plugins.module_utils.registry.transfer import Target

# An index may list indexes; deeper than this is a loop or a joke
_DEPTH = 4
_MOST_CHILDREN = 1000


@contextmanager
def _noting(copy: ImageCopy) -> Iterator[None]:
    """Keep an error with the copy that it concerns, and leave nothing half-decided behind."""
    try:
        yield
    except CancelledError:
        raise
    except AirgapError as error:
        copy.error = error
        copy.pushes.clear()
        copy.blobs.clear()


@dataclass
class _Image:
    """An image at the source, loaded as far as it was needed.

    :ivar children: manifests below an index, each after those that it lists itself; None until they are loaded.
    """

    place: Target
    reference: Reference
    digest: str
    root: Manifest | None = None
    children: list[Manifest] | None = None
    chosen: frozenset[str] = frozenset()
    reduced: Manifest | None = None
    companions: list[Companion] = field(default_factory=list)


class Resolver:
    """Resolves requests, from many threads.

    :param signatures: ``copy``, ``require`` or ``skip``.
    :param requests: all requests of the run, to weigh one list of tags against many questions.
    :param known: told which repositories have which blobs, as far as that comes to light.
    """

    def __init__(self, sources: Side, signatures: str, requests: Sequence[CopyRequest], known: Known) -> None:
        self._sources = sources
        self._signatures = signatures
        self._known = known
        self._per_repository = Counter(request.source.name for request in requests)
        self._finders: dict[tuple[Store, str], CompanionFinder] = {}
        self._lock = threading.Lock()

    def resolve(self, request: CopyRequest, copies: Sequence[ImageCopy]) -> None:
        """Decide what each copy of an image has to store. A copy with nothing to store is unchanged.

        A destination that cannot be asked gets its error noted in its copy; the others go on.

        :raises AirgapError: when the source does not give the image; no copy has anything to store then.
        """
        image = self._look_up(request)
        for copy in copies:
            with _noting(copy):
                destination = copy.outcome.destination
                copy.existing = copy.target.client.head_manifest(copy.target.repository, destination.tag or destination.digest or "")
                copy.outcome.previous = copy.existing or ""
                if copy.target.client.hides(copy.target.repository):
                    copy.outcome.notes.append("Without writing nobody can tell whether the repository may be created or written to.")
        current = {image.digest, image.reduced.digest if image.reduced is not None else image.digest}
        stale = any(copy.existing not in current for copy in copies if copy.error is None)
        if stale:
            self._load(image, request)
        elif image.place.client.local and image.root is not None:
            # costs nothing, and tells which blobs the destination has
            with suppress(NotFoundError):
                self._load_children(image, image.root, image.place.client.near)
        notes = self._find_companions(image, thorough=stale) if self._signatures != "skip" else []
        for copy in copies:
            copy.outcome.notes += notes
            if copy.error is None:
                with _noting(copy):
                    self._decide(image, request, copy)

    # -- the source ------------------------------------------------------------------------------------------------------

    def _look_up(self, request: CopyRequest) -> _Image:
        candidates = self._sources.candidates(request.source)
        failures: list[AirgapError] = []
        for client, reference in candidates:
            place = Target(client, reference.repository)
            try:
                return self._look_up_at(place, reference, request, lone=len(candidates) == 1)
            except CancelledError:
                raise
            except (NotFoundError, AccessError, TransportError) as error:
                failures.append(error)
        raise failures[-1]

    def _look_up_at(self, place: Target, reference: Reference, request: CopyRequest, *, lone: bool) -> _Image:
        identifier = reference.identifier or ""
        # Docker Hub counts every GET of a manifest against a limit, a HEAD not; elsewhere the GET saves a second request.
        # A digest need not be looked up at all, unless that is the way to find out which mirror has it.
        sparing = place.client.registry == DOCKER_HUB or (reference.digest is not None and lone)
        if sparing and not request.platforms and not place.client.local:
            digest = reference.digest or place.client.head_manifest(place.repository, identifier)
            if digest is not None:
                return _Image(place, reference, digest)
        image = _Image(place, reference, "")
        try:
            image.root = place.client.near.get_manifest(place.repository, identifier)
        except NotFoundError:
            # an archive that adds to earlier ones also names images that only those hold, and the destination may have them
            digest = place.client.head_manifest(place.repository, identifier) if place.client.local else None
            if digest is None:
                raise
            if not request.platforms:
                return _Image(place, reference, digest)
            image.root = place.client.get_manifest(place.repository, identifier)
        image.digest = image.root.digest
        self._choose(image, request)
        return image

    def _choose(self, image: _Image, request: CopyRequest) -> None:
        root = image.root
        if root is None or not root.is_index:
            return
        attestations = self._signatures != "skip"
        image.chosen = root.chosen(request.platforms, str(image.reference), attestations=attestations)
        if len(image.chosen) < len({child.digest for child in root.children}):
            image.reduced = root.reduced(image.chosen, str(image.reference))

    def _load_root(self, image: _Image, request: CopyRequest) -> None:
        if image.root is None:
            image.root = image.place.client.get_manifest(image.place.repository, image.digest)
            self._choose(image, request)

    def _load(self, image: _Image, request: CopyRequest) -> None:
        """Have the manifest, and those below it, at hand."""
        self._load_root(image, request)
        if image.root is not None and image.children is None:
            self._load_children(image, image.root, image.place.client)

    def _load_children(self, image: _Image, root: Manifest, client: Store) -> None:
        found: list[Manifest] = []
        self._descend(Target(client, image.place.repository), root, image.chosen, found, 1)
        image.children = found

    def _descend(self, place: Target, index: Manifest, chosen: frozenset[str] | None, found: list[Manifest], depth: int) -> None:
        have = {manifest.digest for manifest in found}
        for child in index.children:
            if (chosen is not None and child.digest not in chosen) or child.digest in have:
                continue
            if depth > _DEPTH or len(found) >= _MOST_CHILDREN:
                where = f"{place.client.registry}/{place.repository}@{index.digest}"
                raise ProtocolError("copy", where, f"its index is nested deeper than {_DEPTH} or has more than {_MOST_CHILDREN} images")
            manifest = place.client.get_manifest(place.repository, child.digest)
            if manifest.is_index:
                self._descend(place, manifest, None, found, depth + 1)
                have.update(below.digest for below in found)
            have.add(manifest.digest)
            found.append(manifest)

    def _find_companions(self, image: _Image, *, thorough: bool) -> list[str]:
        below = [child.digest for child in image.root.children] if image.root is not None else []
        below = [digest for digest in below if not image.chosen or digest in image.chosen]
        digests = list(dict.fromkeys([image.digest, *below, *(child.digest for child in image.children or [])]))
        try:
            finder = self._finder(image, image.place.client if thorough else image.place.client.near)
            image.companions = finder.find(digests, thorough=frozenset(digests if thorough else [image.digest]))
        except CancelledError:
            raise
        except AirgapError as error:
            if isinstance(error, NotFoundError) and image.place.client.local and not thorough:
                # the destination has the image already, from the earlier archive that the rest of it came with
                return []
            if self._signatures == "require" or error.transient:
                raise
            # registries answer 403 to questions about tags that do not exist: unsigned images must not fail for that
            return [f"Signatures were not looked for: {error}"]
        if self._signatures == "require" and not any(found.is_signature for found in image.companions):
            raise ProtocolError(
                "find a signature of",
                str(image.reference),
                "the source has none, and signatures are required",
                "Sign the image, or set signatures to copy for it.",
            )
        return []

    def _finder(self, image: _Image, client: Store) -> CompanionFinder:
        key = (client, image.place.repository)
        with self._lock:
            finder = self._finders.get(key)
            if finder is None:
                finder = self._finders[key] = CompanionFinder(*key, images=self._per_repository[image.reference.name] or 1)
        return finder

    # -- the destinations ------------------------------------------------------------------------------------------------

    def _decide(self, image: _Image, request: CopyRequest, copy: ImageCopy) -> None:
        outcome = copy.outcome
        outcome.digest = image.digest
        copy.source = image.place
        if image.reduced is not None and copy.existing == image.reduced.digest:
            outcome.index, outcome.digest = "rewritten", image.reduced.digest
        elif copy.existing != image.digest or not self._is_complete(image, request, copy):
            self._load(image, request)
            self._plan_tree(image, copy)
        elif image.reduced is not None:
            outcome.index = "sparse"
        self._plan_companions(image, copy)
        if not copy.pushes:
            outcome.state = UNCHANGED
            self._note_blobs(copy, image)

    def _is_complete(self, image: _Image, request: CopyRequest, copy: ImageCopy) -> bool:
        """Whether the destination, which has the index itself, has the images of it that are asked for now.

        Only registries that take an index without all of its images can lack some, and only those that say so are known.
        """
        client, repository = copy.target.client, copy.target.repository
        if image.reduced is None and not client.sparse_indexes:
            return True
        self._load_root(image, request)
        return all(client.head_manifest(repository, digest) is not None for digest in sorted(image.chosen))

    def _plan_tree(self, image: _Image, copy: ImageCopy) -> None:
        root = image.root
        if root is None:
            raise AssertionError("_load comes before _plan_tree")
        destination = copy.outcome.destination
        for child in image.children or []:
            # only a tag that was there before can have left some of the new images behind it
            if copy.existing and not copy.distrusted and copy.target.client.head_manifest(copy.target.repository, child.digest):
                continue
            self._need(copy, child, child.digest)
        self._need(copy, root, destination.tag or root.digest, fallback=image.reduced)

    def _plan_companions(self, image: _Image, copy: ImageCopy) -> None:
        client, repository = copy.target.client, copy.target.repository
        referrers: dict[str, tuple[str, ...]] = {}
        for companion in image.companions:
            manifest = companion.manifest
            if companion.tag is not None:
                there = client.head_manifest(repository, companion.tag) == manifest.digest
            else:
                if companion.subject not in referrers:
                    referrers[companion.subject] = referrer_digests(client, repository, companion.subject)
                there = manifest.digest in referrers[companion.subject]
            if there:
                continue
            below: list[Manifest] = []
            if manifest.is_index:
                self._descend(image.place, manifest, None, below, 1)
            for child in below:
                self._need(copy, child, child.digest)
            self._need(copy, manifest, companion.tag or manifest.digest)
            copy.outcome.companions.append(companion.tag or manifest.digest)

    def _need(self, copy: ImageCopy, manifest: Manifest, identifier: str, fallback: Manifest | None = None) -> None:
        copy.pushes.append(Push(manifest, identifier, fallback))
        copy.blobs.update({blob.digest: blob for blob in manifest.blobs if not blob.foreign})

    def _note_blobs(self, copy: ImageCopy, image: _Image) -> None:
        """An image that is there already may have blobs that others need."""
        if image.root is None:
            copy.unread = (image.digest,)
        elif image.children is None:
            copy.unread = tuple(sorted(image.chosen))
        for manifest in [image.root, *(image.children or [])]:
            for blob in manifest.blobs if manifest is not None else ():
                self._known.note(copy.target.client.registry, blob.digest, copy.target.repository)
