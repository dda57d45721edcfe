# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive as one side of a copy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_reader import ArchiveReader
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import Naming
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import AccessError, NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Descriptor, Manifest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Content, ReadOnlyStore, Store

# Where a digest that is in many repositories is looked for; what is in none of these never came
_MOST = 20


class OneStore:
    """A side that is one store, whatever registry a reference names."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def client(self, _registry: str) -> Store:
        """The store."""
        return self.store

    def candidates(self, reference: Reference) -> Sequence[tuple[Store, Reference]]:
        """The store has it, or nobody."""
        return [(self.store, reference)]

    def reference(self, repository: str, tag: str | None = None, digest: str | None = None) -> Reference:
        """Something in the store, as requests name it."""
        return Reference(self.store.registry, repository, tag, digest)


class LoadedArchive(ReadOnlyStore):
    """An archive together with what earlier ones brought to its destination.

    oc-mirror v2: an archive has no manifest and no blob that is in its history, not even for an image that gets a further name, in the
    same repository or in another one. The links, which are those of the whole cache, tell which repositories have it.

    :param destination: the registry that archives are loaded into; ``naming`` has its names.
    """

    local = True

    def __init__(self, reader: ArchiveReader, destination: Store, naming: Naming) -> None:
        self.registry = reader.registry
        self.referrers_api = reader.referrers_api
        self._reader = reader
        self._destination = destination
        self._naming = naming

    @property
    def near(self) -> Store:
        """The archive alone."""
        return self._reader

    def holders(self, registry: str, digest: str) -> Sequence[str]:
        if registry != self._destination.registry or self._reader.head_blob("", digest) is not None:
            return ()
        return self._places(digest)

    def head_manifest(self, repository: str, identifier: str) -> str | None:
        return self._reader.head_manifest(repository, identifier)

    def get_manifest(self, repository: str, identifier: str) -> Manifest:
        try:
            return self._reader.get_manifest(repository, identifier)
        except NotFoundError:
            digest = identifier if ":" in identifier else self._reader.head_manifest(repository, identifier) or ""
            for place in self._places(digest, repository):
                try:
                    return self._destination.get_manifest(place, digest)
                except (NotFoundError, AccessError):
                    continue
            raise

    def head_blob(self, repository: str, digest: str) -> int | None:
        """Of the archive alone: the destination is asked itself for what it has."""
        return self._reader.head_blob(repository, digest)

    def open_blob(self, repository: str, digest: str, offset: int = 0) -> tuple[Content, int]:
        try:
            return self._reader.open_blob(repository, digest, offset)
        except NotFoundError:
            for place in self._places(digest, repository):
                try:
                    return self._destination.open_blob(place, digest, offset)
                except (NotFoundError, AccessError):
                    continue
            raise

    def tags(self, repository: str) -> Iterator[list[str]]:
        return self._reader.tags(repository)

    def referrers(self, repository: str, digest: str) -> list[Descriptor] | None:
        """Those in the archive."""
        return self._reader.referrers(repository, digest)

    def _places(self, digest: str, first: str = "") -> list[str]:
        """Repositories of the destination that have a digest according to the links.

        :param first: the repository that is asked before all others, as the archive names it.
        """
        names = sorted(self._reader.repositories_with(digest), key=lambda name: name != first)
        return list(dict.fromkeys(self._naming.limited(self._naming.destination.repository(name)) for name in names[:_MOST]))
