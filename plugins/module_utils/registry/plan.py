# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a copy shall do, as data: asked for, found out, decided, and what came of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Descriptor, Manifest, Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Store
from ansible_collections.quayside.airgap.plugins.module_utils.registry.transfer import Target

COPIED = "copied"
UNCHANGED = "unchanged"
FAILED = "failed"
NOT_ATTEMPTED = "not_attempted"


@dataclass(frozen=True)
class CopyRequest:
    """One image and where it shall be.

    :ivar destinations: each with a tag or a digest.
    :ivar platforms: of an index, which images; nothing means all.
    """

    source: Reference
    destinations: tuple[Reference, ...]
    platforms: tuple[Platform, ...] = ()


@dataclass
class Outcome:
    """What became of one image at one destination.

    :ivar state: ``copied``, ``unchanged``, ``failed`` or ``not_attempted`` (the run stopped before, or what it is for cannot be had).
    :ivar size: bytes of blobs sent to this destination for this image.
    :ivar moved: blobs sent; ``mounted``: blobs that the registry linked from another of its repositories; ``skipped``: blobs
        that were there.
    :ivar index: for images limited to some platforms: ``sparse`` (the index is the source's, some of its images are absent)
        or ``rewritten`` (the index lists the chosen images only, and has another digest); empty otherwise.
    :ivar companions: tags or digests of the signatures and other referrers that went along.
    :ivar previous: digest that the destination had under this name before; empty when it had none.
    :ivar notes: things that the user should know although they are no failure.
    """

    source: Reference
    destination: Reference
    digest: str = ""
    state: str = NOT_ATTEMPTED
    reason: str = ""
    size: int = 0
    moved: int = 0
    mounted: int = 0
    skipped: int = 0
    index: str = ""
    companions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    previous: str = ""
    elapsed: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """As a module returns it."""
        return {
            "source": str(self.source),
            "destination": str(self.destination),
            "digest": self.digest,
            "state": self.state,
            "reason": self.reason,
            "bytes": self.size,
            "blobs": {"moved": self.moved, "mounted": self.mounted, "skipped": self.skipped},
            "index": self.index,
            "companions": self.companions,
            "notes": self.notes,
            "elapsed": round(self.elapsed, 3),
        }


@dataclass(frozen=True)
class Push:
    """A manifest that is to be stored.

    :ivar identifier: the tag or digest to store it under.
    :ivar fallback: the rewritten index to store where the registry refuses this one because it does not have all of its
        children; None for complete manifests.
    """

    manifest: Manifest
    identifier: str
    fallback: Manifest | None = None


@dataclass
class ImageCopy:
    """One image on its way to one destination.

    :ivar source: registry and repository that its content is read from.
    :ivar existing: digest that the destination has under the name; None when there is nothing.
    :ivar unread: of an unchanged image, digests of manifests that it has at the destination but whose blobs are not known here.
    :ivar pushes: manifests to store, in this order.
    :ivar blobs: what these need, by digest.
    :ivar missing: digests of blobs that are not yet there.
    :ivar again: whether a second attempt from the beginning may succeed, after its failure; ``tried_again``: it is under way.
    :ivar distrusted: digests whose presence at the destination is no longer believed.
    """

    request: CopyRequest
    target: Target
    outcome: Outcome
    source: Target | None = None
    existing: str | None = None
    unread: tuple[str, ...] = ()
    pushes: list[Push] = field(default_factory=list)
    blobs: dict[str, Descriptor] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    error: AirgapError | None = None
    again: bool = False
    tried_again: bool = False
    distrusted: frozenset[str] = frozenset()

    def reset(self) -> None:
        """Back to the beginning for the second attempt; only what was sent already stays on the account."""
        kept = Outcome(self.outcome.source, self.outcome.destination)
        kept.size, kept.moved, kept.mounted = self.outcome.size, self.outcome.moved, self.outcome.mounted
        # the report holds the outcome itself, so that its fields are replaced, not the object
        self.outcome.__dict__.update(kept.__dict__)
        self.existing, self.error, self.again, self.tried_again = None, None, False, True
        self.pushes, self.blobs, self.missing = [], {}, set()

    @property
    def wanted(self) -> bool:
        """Whether there is something to do for it."""
        return bool(self.pushes) and self.error is None


@dataclass
class Placement:
    """What one registry needs of one blob.

    :ivar home: a repository that has it; None while the registry does not have it anywhere that is known.
    :ivar uploads: repositories to send it to.
    :ivar mounts: repositories to link it into from its home, or from the first upload.
    :ivar likely: those of them that have an older image of the same name.
    """

    client: Store
    home: str | None = None
    uploads: list[str] = field(default_factory=list)
    mounts: list[str] = field(default_factory=list)
    likely: list[str] = field(default_factory=list)


@dataclass
class BlobMove:
    """One blob, where it is read, and where it shall be.

    :ivar sources: places that have it, best first.
    :ivar images: the copies that wait for it.
    """

    digest: str
    size: int
    sources: list[Target]
    images: list[ImageCopy]
    placements: list[Placement] = field(default_factory=list)

    def waiting(self, client: Store, repositories: Collection[str]) -> list[ImageCopy]:
        """The copies that wait for it in some repositories of a registry, and have not failed meanwhile."""
        return [
            copy for copy in self.images if copy.error is None and copy.target.client is client and copy.target.repository in repositories
        ]

    @property
    def uploads(self) -> list[Target]:
        """Every repository that the content has to be sent to."""
        return [Target(place.client, repository) for place in self.placements for repository in place.uploads]


@dataclass
class Known:
    """Which repositories of a registry are known to have a blob. Filled while a run goes on, never from an earlier one.

    One repository is kept for each namespace, because the right to read, which mounting takes, mostly goes by namespace.
    """

    homes: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    def note(self, registry: str, digest: str, repository: str) -> None:
        """Remember that a blob is there; the first repository of a namespace stays."""
        self.homes.setdefault((registry, digest), {}).setdefault(namespace(repository), repository)

    def home(self, registry: str, digest: str, near: str) -> str | None:
        """A repository that has the blob, of the namespace of another one if possible; None where none is known."""
        found = self.homes.get((registry, digest), {})
        return found.get(namespace(near)) or next(iter(found.values()), None)

    def forget(self, registry: str, digest: str) -> None:
        """The blob turned out to be missing after all."""
        self.homes.pop((registry, digest), None)


def namespace(repository: str) -> str:
    """The first component of a repository's path: the organisation in Quay."""
    return repository.partition("/")[0]
