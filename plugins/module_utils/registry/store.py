# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A place with repositories of manifests and blobs, as the copy engine sees it: a registry, or files that are laid out like one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.quayside.airgap.plugins.module_utils.core.http import Body
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Descriptor, Manifest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference


@dataclass(frozen=True)
class Upload:
    """An upload session of a store.

    :ivar url: where the content goes; changes with every answer.
    :ivar minimum_chunk: bytes below which no chunk but the last may be (0: any size).
    """

    url: str
    minimum_chunk: int = 0


class Content(Protocol):
    """The content of a blob, on its way: an HTTP answer, or something that reads like one.

    ``raw.read(count, decode_content=False)`` gives the next bytes, none at the end; ``raw.close()`` gives the rest up.
    """

    url: str
    raw: Any

    def close(self) -> None: ...


class Store(ABC):
    """What the copy engine asks of a side. Shared by threads.

    :ivar registry: its name, as in references to what lies in it.
    :ivar local: it answers without a network, so that looking costs nothing.
    :ivar referrers_api: whether it lists referrers; None until it is known.
    :ivar mounts: whether blobs of one repository can be linked into another of the same namespace; None until it is known.
    :ivar sparse_indexes: whether it takes an index without all of its images; None until it is known.
    :ivar largest_body: bytes that it took in one request at the most; None while it has refused none.
    """

    registry: str
    local: bool = False
    referrers_api: bool | None = None
    mounts: bool | None = None
    sparse_indexes: bool | None = None
    largest_body: int | None = None

    def announce(self, repositories: Iterable[str], actions: str = "pull") -> None:  # noqa: B027
        """Say which repositories will be used, and for what, ``pull`` or ``pull,push``."""

    def hides(self, repository: str) -> bool:
        """Whether we may not look into a repository, or it is not there: without writing nobody can tell."""
        return False

    @property
    def near(self) -> Store:
        """The part of it that answers without a network; itself, unless it is local and has more than that."""
        return self

    def holders(self, registry: str, digest: str) -> Sequence[str]:
        """Repositories of a registry that should have a blob which is not in this store, although it names it."""
        return ()

    # -- reading

    @abstractmethod
    def head_manifest(self, repository: str, identifier: str) -> str | None:
        """The digest of a manifest, None when there is no such manifest or repository.

        :param identifier: a tag or a digest.
        """

    @abstractmethod
    def get_manifest(self, repository: str, identifier: str) -> Manifest:
        """A manifest or index, checked against its digest.

        :raises NotFoundError: when there is none.
        """

    @abstractmethod
    def head_blob(self, repository: str, digest: str) -> int | None:
        """The size of a blob in bytes (-1 when that is not said), None when it is not there."""

    @abstractmethod
    def open_blob(self, repository: str, digest: str, offset: int = 0) -> tuple[Content, int]:
        """Begin to read a blob.

        :param offset: bytes to leave out at the beginning.
        :returns: the content, and the offset that it really begins at.
        :raises NotFoundError: when it is not there.
        """

    @abstractmethod
    def tags(self, repository: str) -> Iterator[list[str]]:
        """Pages of the tags of a repository.

        :raises NotFoundError: when there is no such repository.
        """

    @abstractmethod
    def referrers(self, repository: str, digest: str) -> list[Descriptor] | None:
        """The manifests that speak of a manifest; None where that is not listed."""

    # -- writing

    @abstractmethod
    def put_manifest(self, repository: str, identifier: str, manifest: Manifest) -> str | None:
        """Store a manifest under a tag or its digest; gives the digest of its subject where the store has taken note of it."""

    @abstractmethod
    def mount_blob(self, repository: str, digest: str, origin_repository: str) -> Upload | None:
        """Have a blob of another repository appear in this one; None when that was done, else an upload session."""

    @abstractmethod
    def begin_upload(self, repository: str, digest: str) -> Upload:
        """Begin to store a blob."""

    @abstractmethod
    def upload_bytes(self, repository: str, digest: str, content: bytes) -> None:
        """Store a small blob."""

    @abstractmethod
    def send_chunk(self, repository: str, upload: Upload, digest: str, body: Body, offset: int, length: int) -> Upload:
        """Send bytes ``offset`` to ``offset + length`` of a blob; the returned session goes on after them."""

    @abstractmethod
    def finish_upload(self, repository: str, upload: Upload, digest: str, body: Body | None = None, *, retry: bool = False) -> None:
        """Send the rest of a blob, or all of it, and have it stored under its digest."""

    @abstractmethod
    def uploaded(self, repository: str, upload: Upload) -> tuple[int, Upload] | None:
        """How many bytes of an interrupted upload are there, with the session to go on; None when it was lost."""

    @abstractmethod
    def cancel_upload(self, repository: str, upload: Upload) -> None:
        """Give an upload up."""


class Side(Protocol):
    """All stores of one side of a copy."""

    def client(self, registry: str) -> Store:
        """The store of this name, always the same one."""

    def candidates(self, reference: Reference) -> Sequence[tuple[Store, Reference]]:
        """Where a reference may be read, best first.

        :raises FileError: when that is forbidden.
        """


class ReadOnlyStore(Store):
    """A store that is only read. The engine writes to the other side."""

    def put_manifest(self, repository: str, identifier: str, manifest: Manifest) -> str | None:
        raise self._only_read()

    def mount_blob(self, repository: str, digest: str, origin_repository: str) -> Upload | None:
        raise self._only_read()

    def begin_upload(self, repository: str, digest: str) -> Upload:
        raise self._only_read()

    def upload_bytes(self, repository: str, digest: str, content: bytes) -> None:
        raise self._only_read()

    def send_chunk(self, repository: str, upload: Upload, digest: str, body: Body, offset: int, length: int) -> Upload:
        raise self._only_read()

    def finish_upload(self, repository: str, upload: Upload, digest: str, body: Body | None = None, *, retry: bool = False) -> None:
        raise self._only_read()

    def uploaded(self, repository: str, upload: Upload) -> tuple[int, Upload] | None:
        raise self._only_read()

    def cancel_upload(self, repository: str, upload: Upload) -> None:
        raise self._only_read()

    def _only_read(self) -> AssertionError:
        return AssertionError(f"{self.registry} is only read")
