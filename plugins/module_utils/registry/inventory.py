# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registry holds: tags, the manifests that they name, what these list, and what speaks of them.

A tag costs one request, which gives its digest and its manifest at once; looking at it again costs a request without a body. What has
no tag, is part of nothing that has one and speaks of nothing that is asked about does not show: no registry lists it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, CancelledError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import AccessError, NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import MANIFEST_TYPES, Manifest

# An index in an index in an index is rare; without an end a hostile registry could keep us busy
_DEEPEST = 8
_REFERRERS_TAG = re.compile(r"sha256-[0-9a-f]{64}|sha512-[0-9a-f]{128}")


@dataclass(frozen=True)
class HeldManifest:
    """What matters of a manifest.

    :ivar children: digests of what an index lists.
    :ivar is_index: whether it is one, be it empty.
    :ivar subject: digest of the manifest that this one speaks of.
    :ivar unreadable: why nothing is known of it but its digest; empty where all is well.
    """

    digest: str
    children: tuple[str, ...] = ()
    subject: str | None = None
    unreadable: str = ""
    is_index: bool = False

    @classmethod
    def of(cls, manifest: Manifest) -> HeldManifest:
        return cls(manifest.digest, tuple(child.digest for child in manifest.children), manifest.subject, is_index=manifest.is_index)


@dataclass
class Holdings:
    """What one repository holds.

    :ivar tags: digest by tag.
    :ivar manifests: by digest, as far as they are known; what an index lists and is no index itself is not looked at unless asked for.
    :ivar missing: digests that were looked for and are not there.
    :ivar referrers: of those manifests that were asked about, digests of the ones that speak of them.
    :ivar there: whether there is such a repository; ``hidden``: there is none, or it is none of our business.
    :ivar error: why it could not be read.
    """

    repository: str
    tags: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, HeldManifest] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    referrers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    there: bool = True
    hidden: bool = False
    error: AirgapError | None = None

    def closure(self, digests: Iterable[str]) -> set[str]:
        """Some manifests with all that they list, and what that lists."""
        found: set[str] = set()
        waiting = list(digests)
        while waiting:
            digest = waiting.pop()
            if digest not in found:
                found.add(digest)
                waiting += self.manifests[digest].children if digest in self.manifests else ()
        return found

    def subject_of(self, tag: str) -> str | None:
        """What the referrers that a tag lists speak of, where it is such a list (OCI distribution spec, "Referrers Tag Schema").

        An image that is mirrored by digest may have the same tag, whole or with some of its platforms, so the tag counts only where it
        names a list of nothing but referrers. What a list names and is gone, as after a run that was killed, does not matter.
        """
        subject = _subject_in(tag)
        digest = self.tags.get(tag)
        if subject is None or digest is None or digest == subject:
            return None
        index = self.manifests.get(digest)
        if index is None or not index.is_index:
            return None
        listed = [self.manifests[child] for child in index.children if child in self.manifests]
        if any(child.subject != subject for child in listed):
            return None
        # an empty list, or one of things that are gone: a list as long as there is what it is about
        return subject if listed or subject in self.manifests else None


class Inventory:
    """Reads repositories of one registry, many at once.

    What goes wrong with a repository is noted in its holdings, and the others go on.

    :param client: with the access LOOK it leaves no trace of repositories that do not exist.
    """

    def __init__(self, client: RegistryClient, pool: WorkerPool) -> None:
        self._client = client
        self._pool = pool
        self._lock = threading.Lock()

    def repositories(self, wanted: Callable[[str], bool]) -> list[str]:
        """Names of the repositories that the registry shows to us, sorted.

        :raises AirgapError: when it does not list them.
        """
        return sorted({name for page in self._client.catalog() for name in page if wanted(name)})

    def read(self, repositories: Iterable[str], needed: Callable[[str, set[str]], bool] | None = None) -> dict[str, Holdings]:
        """What some repositories hold.

        :param needed: asked with a repository and its tags whether its manifests matter; where not, the tags have an empty digest.
        """
        found = {name: Holdings(name) for name in repositories}
        self._client.announce(found)
        self._pool.run([partial(self._guarded, held, partial(self._list, held, needed)) for held in found.values()])
        return found

    def look_again(self, holdings: Iterable[Holdings]) -> None:
        """Bring tags up to date; of manifests only those are read that were not known."""
        self._pool.run([partial(self._guarded, held, partial(self._refresh, held)) for held in holdings])

    def find(self, wanted: Iterable[tuple[Holdings, Iterable[str]]]) -> None:
        """Look for manifests that may have no tag; what is not there is noted as missing."""
        self._pool.run([partial(self._guarded, held, partial(self._find, held, digest)) for held, digests in wanted for digest in digests])

    def ask_for_referrers(self, wanted: Iterable[tuple[Holdings, Iterable[str]]]) -> None:
        """Find out what speaks of some manifests; those that were asked about before are left out."""
        tasks = []
        for held, digests in wanted:
            for digest in digests:
                if digest not in held.referrers:
                    held.referrers[digest] = ()
                    tasks.append(partial(self._guarded, held, partial(self._referrers, held, digest)))
        self._pool.run(tasks)

    # -- tasks

    def _guarded(self, held: Holdings, task: Callable[[], None]) -> None:
        if held.error is not None:
            return
        try:
            task()
        except CancelledError:
            raise
        except AirgapError as error:
            held.error = error

    def _list(self, held: Holdings, needed: Callable[[str, set[str]], bool] | None) -> None:
        tags = self._tags(held)
        if needed is not None and not needed(held.repository, tags):
            held.tags = dict.fromkeys(tags, "")
            return
        for tag in sorted(tags):
            self._pool.add(partial(self._guarded, held, partial(self._read_tag, held, tag)))

    def _tags(self, held: Holdings) -> set[str]:
        try:
            return {tag for page in self._client.tags(held.repository, fresh=True) for tag in page}
        except NotFoundError:
            held.there = False
        except AccessError:
            # a registry with a token service does not say whether a repository is missing or forbidden
            if self._client.head_manifest(held.repository, "latest") is not None or not self._client.hides(held.repository):
                raise
            held.there, held.hidden = False, True
        return set()

    def _read_tag(self, held: Holdings, tag: str) -> None:
        digest = self._read(held, tag)
        if digest is not None:
            with self._lock:
                held.tags[tag] = digest
            self._read_list(held, tag, digest)

    def _read_list(self, held: Holdings, tag: str, digest: str) -> None:
        """What a tag lists that looks like a list of referrers: only its content tells whether it is one."""
        subject = _subject_in(tag)
        if subject is not None and subject != digest:
            for child in held.manifests[digest].children:
                if child not in held.manifests and child not in held.missing:
                    self._pool.add(partial(self._guarded, held, partial(self._find, held, child)))

    def _find(self, held: Holdings, digest: str) -> None:
        if self._read(held, digest) is None:
            with self._lock:
                held.missing.add(digest)

    def _refresh(self, held: Holdings) -> None:
        now = self._tags(held)
        with self._lock:
            held.tags = {tag: digest for tag, digest in held.tags.items() if tag in now}
        for tag in sorted(now):
            self._pool.add(partial(self._guarded, held, partial(self._refresh_tag, held, tag)))

    def _refresh_tag(self, held: Holdings, tag: str) -> None:
        digest = self._client.head_manifest(held.repository, tag)
        if digest is not None and (digest not in held.manifests or held.manifests[digest].unreadable):
            digest = self._read(held, tag)
        if digest is not None:
            self._read_list(held, tag, digest)
        with self._lock:
            if digest is None:
                held.tags.pop(tag, None)
            else:
                held.tags[tag] = digest

    def _read(self, held: Holdings, identifier: str) -> str | None:
        """Take note of a manifest and of the indexes in it; gives its digest, None where there is none."""
        try:
            manifest = self._client.get_manifest(held.repository, identifier)
        except NotFoundError:
            # a tag that outlived its manifest, or one that went meanwhile
            return None
        except ProtocolError as error:
            digest = self._client.head_manifest(held.repository, identifier)
            if digest is not None:
                self._note(held, HeldManifest(digest, unreadable=error.reason))
            return digest
        self._descend(held, manifest, 1)
        # only now: who finds a manifest here relies on what it lists being here too
        self._note(held, HeldManifest.of(manifest))
        return manifest.digest

    def _descend(self, held: Holdings, manifest: Manifest, depth: int) -> None:
        for child in manifest.children:
            if child.digest in held.manifests or child.media_type in MANIFEST_TYPES:
                continue
            if depth >= _DEEPEST:
                raise ProtocolError("read the index", f"{held.repository}@{manifest.digest}", f"it lists indexes more than {_DEEPEST} deep")
            try:
                inner = self._client.get_manifest(held.repository, child.digest)
            except NotFoundError:
                # a sparse index
                continue
            self._descend(held, inner, depth + 1)
            self._note(held, HeldManifest.of(inner))

    def _referrers(self, held: Holdings, subject: str) -> None:
        listed = self._client.referrers(held.repository, subject) or []
        found = []
        for descriptor in listed:
            # the registry's word alone shall not cost a manifest
            if self._read(held, descriptor.digest) == descriptor.digest and held.manifests[descriptor.digest].subject == subject:
                found.append(descriptor.digest)
        held.referrers[subject] = tuple(found)

    def _note(self, held: Holdings, manifest: HeldManifest) -> None:
        with self._lock:
            held.manifests[manifest.digest] = manifest


def _subject_in(tag: str) -> str | None:
    """The digest that a tag of the referrers tag schema stands for; None for other tags."""
    return tag.replace("-", ":") if _REFERRERS_TAG.fullmatch(tag) else None
