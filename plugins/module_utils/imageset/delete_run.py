# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deletes what a plan says, a repository at a time, and leaves no tag that stays without any part of it, whatever fails."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, CancelledError, HttpError, TransportError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete_plan import Family, RepositoryPlan, owner_of, told
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import AccessError, NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Manifest

_UNSUPPORTED = "UNSUPPORTED"
# What registries answer that can delete manifests only, asked to delete a tag (docker-registry 2: 400 DIGEST_INVALID)
_NO_TAGS = frozenset({400, 405, 501})


@dataclass
class RepositoryResult:
    """What became of a repository.

    :ivar gone: manifests that are no more.
    :ivar failed: why manifests that were named could not be deleted, by digest.
    :ivar kept: why tags that were to go alone stay, by tag.
    :ivar broken: why tags that were to go alone could not be deleted, by tag.
    :ivar tags: those that went alone.
    :ivar left_over: what else could not be deleted, as sentences, by the manifest that it belonged to.
    """

    gone: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    left_over: dict[str, str] = field(default_factory=dict)


class Registry:
    """What was learned of a registry while deleting, for all of its repositories. Shared by threads.

    :ivar ended: why nothing more is tried; empty as long as there is no reason.
    :ivar deletes_tags: whether it deletes a tag and leaves its manifest alone; None until it is known.
    """

    def __init__(self, client: RegistryClient, cancellation: Cancellation) -> None:
        self.client = client
        self.cancellation = cancellation
        self.ended = ""
        self.deletes_tags: bool | None = None
        self.lock = threading.Lock()


def delete_from(registry: Registry, plan: RepositoryPlan) -> RepositoryResult:
    """Do what a plan says. What fails is in the result."""
    run = _Run(registry, plan)
    run.families()
    run.single_tags()
    return run.result


def explained(error: AirgapError, registry: str) -> str:
    """Why a registry does not delete, and what can be done about it."""
    if isinstance(error, HttpError) and (error.status == 405 or error.code == _UNSUPPORTED):
        return (
            f"The registry {registry} does not delete: {error.reason}. Switch deletion on there "
            "(docker-registry: REGISTRY_STORAGE_DELETE_ENABLED=true), and its read-only mode off where it is on."
        )
    return str(error)


def _concerns_all(error: AirgapError) -> bool:
    """Whether the next request to the registry would end alike."""
    if isinstance(error, HttpError):
        return error.status == 405 or error.code == _UNSUPPORTED or error.transient
    return isinstance(error, TransportError)


class _Run:
    def __init__(self, registry: Registry, plan: RepositoryPlan) -> None:
        self._registry = registry
        self._client = registry.client
        self._plan = plan
        self._repository = plan.held.repository
        self._tags = plan.tags
        self._stopped = ""
        # what went before the manifest that it speaks of, in case that one cannot be deleted
        self._taken: dict[str, Manifest] = {}
        # what speaks of images that could not be deleted, and may speak of others too
        self._kept: set[str] = set()
        # how many manifests that are still to go have one as their part
        self._needed = Counter(digest for family in plan.families for digest in plan.held.closure([family.root]))
        self.result = RepositoryResult()

    # -- manifests -------------------------------------------------------------------------------------------------------

    def families(self) -> None:
        """Delete manifests with what belongs to them."""
        for family in self._plan.families:
            self._registry.cancellation.check()
            reason = self._registry.ended or self._stopped
            if not reason and self._needed[family.root] > 1:
                reason = "An index that lists it could not be deleted."
            if reason:
                self.result.failed[family.root] = reason + self._put_back(family)
                continue
            try:
                self._take(family.before)
                self._delete(family.root)
            except CancelledError:
                raise
            except AirgapError as error:
                self.result.failed[family.root] = self._give_up(error) + self._put_back(family)
            else:
                self._needed.subtract(self._plan.held.closure([family.root]))
                self._follow(family)

    def _take(self, digests: Iterable[str]) -> None:
        """Delete what speaks of an image, and remember it."""
        for digest in digests:
            if digest in self.result.gone or digest in self._kept or self._needed[digest]:
                continue
            try:
                self._taken[digest] = self._client.get_manifest(self._repository, digest)
            except NotFoundError:
                continue
            self._delete(digest)

    def _follow(self, family: Family) -> None:
        """Delete what an index listed, once no other one needs it."""
        for digest in family.after:
            if digest in self.result.gone or self._needed[digest] > 0:
                continue
            try:
                self._delete(digest)
            except CancelledError:
                raise
            except AirgapError as error:
                self.result.left_over[family.root] = (
                    f"{self._client.registry}/{self._repository}@{digest} is left over: {self._give_up(error)}"
                )
                return

    def _delete(self, digest: str) -> None:
        # one that is gone already was deleted by the attempt before, whose answer was lost, or by somebody else
        try:
            self._client.delete_manifest(self._repository, digest)
        except AirgapError as error:
            if not error.transient or self._is_there(digest):
                raise
        self.result.gone.add(digest)

    def _is_there(self, digest: str) -> bool:
        """Whether a manifest survived a deletion that seems to have failed."""
        try:
            return self._client.head_manifest(self._repository, digest) is not None
        except AirgapError:
            return True

    def _put_back(self, family: Family) -> str:
        """Give an image that stays after all its signatures back; what that came to, as a sentence.

        They may have gone before it was its turn: with an index that listed it, or with another image that they speak of too.
        """
        self._kept.update(family.before)
        lost = [digest for digest in reversed(family.before) if digest in self.result.gone and digest in self._taken]
        for digest in lost:
            try:
                for identifier in self._names(digest):
                    self._client.put_manifest(self._repository, identifier, self._taken[digest])
            except CancelledError:
                raise
            except AirgapError as error:
                return f" Its signatures are deleted already, and could not be put back: {error}"
            self.result.gone.discard(digest)
        return ""

    def _names(self, digest: str) -> list[str]:
        """What to store a manifest as: its tags, but those that speak of what is gone; without any, its digest."""
        held = self._plan.held
        return [tag for tag in self._tags.get(digest, ()) if owner_of(held, tag) not in self.result.gone] or [digest]

    def _give_up(self, error: AirgapError) -> str:
        """Note how far an error reaches; gives it as a sentence."""
        reason = explained(error, self._client.registry)
        if _concerns_all(error):
            with self._registry.lock:
                self._registry.ended = self._registry.ended or reason
        elif isinstance(error, AccessError):
            self._stopped = self._stopped or reason
        return reason

    # -- tags ------------------------------------------------------------------------------------------------------------

    def single_tags(self) -> None:
        """Delete tags whose manifest stays, where the registry can do that."""
        for reference, verdict in self._plan.alone.items():
            self._single(reference.tag or "", verdict.digest, verdict.holders)
        for tag, digest in self._plan.loose.items():
            self._single(tag, digest, ())

    def _single(self, tag: str, digest: str, holders: tuple[str, ...]) -> None:
        self._registry.cancellation.check()
        ended = self._registry.ended or self._stopped
        if ended:
            self.result.broken[tag] = ended
            return
        if self._registry.deletes_tags is False:
            self.result.kept[tag] = self._only_together(holders)
            return
        try:
            manifest = self._client.get_manifest(self._repository, digest)
            self._client.delete_manifest(self._repository, tag)
            self._registry.deletes_tags = self._survived(manifest, tag, holders)
        except CancelledError:
            raise
        except AirgapError as error:
            if isinstance(error, HttpError) and error.status in _NO_TAGS:
                self._registry.deletes_tags = False
                self.result.kept[tag] = self._only_together(holders)
            else:
                self.result.broken[tag] = self._give_up(error)
            return
        self.result.tags.add(tag)

    def _only_together(self, holders: tuple[str, ...]) -> str:
        names = told(holders) or "another image"
        return f"it has its image in common with {names}, and the registry cannot delete a tag alone"

    def _survived(self, manifest: Manifest, gone: str, holders: tuple[str, ...]) -> bool:
        """Whether a manifest is still there after one of its tags went; where it went along, it is put back."""
        client, repository = self._client, self._repository
        own = [tag for tag in self._tags.get(manifest.digest, ()) if tag != gone and (tag in holders or tag in self._plan.loose)]
        lost: list[str] = [tag for tag in own if client.head_manifest(repository, tag) is None]
        if not own and client.head_manifest(repository, manifest.digest) is None:
            lost = [manifest.digest]
        for identifier in lost:
            client.put_manifest(repository, identifier, manifest)
        return not lost
