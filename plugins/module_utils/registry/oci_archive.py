# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An OCI image layout in a single tar file, as a store: what skopeo and podman call oci-archive.

Nothing is unpacked: blobs are read from where they lie in the file, which therefore is not compressed.
Source: OCI image spec 1.1, image-layout.md. References name it as ``oci-archive:/path@sha256:...``.
"""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.core.archives import TarIndex
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import LocalContent, OciLayoutStore
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference, is_tag

OCI_ARCHIVE = "oci-archive:"
_MANIFEST_LIMIT = 16 << 20


class OciArchiveStore(OciLayoutStore):
    """An OCI image layout in a tar file. It is one repository; what it offers goes by tags and digests.

    :raises FileError: when it is no tar file, a compressed or damaged one, or holds no image layout.
    :ivar repository: its absolute path without the slash at the beginning.
    """

    scheme = OCI_ARCHIVE

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._files = TarIndex.read(path)
        super().__init__(path)

    @property
    def names(self) -> frozenset[str]:
        """All files in it."""
        return frozenset(self._files.members)

    @property
    def _name(self) -> str:
        return f"{self.registry}/{self.repository}"

    def _check_place(self, hint: str) -> None:
        """What lies where was found out before."""

    def _size(self, *parts: str) -> int | None:
        place = self._files.members.get("/".join(parts))
        return None if place is None else place[1]

    def _read(self, *parts: str) -> bytes:
        return self._files.read_member("/".join(parts), limit=_MANIFEST_LIMIT)

    def _open(self, where: str, offset: int, *parts: str) -> LocalContent:
        begin, size = self._files.members["/".join(parts)]
        return LocalContent.of_file(where, Path(self._files.path), begin + offset, size - offset)


def open_archive(written: str, digest: str | None = None) -> tuple[OciArchiveStore, Reference]:
    """The archive that a user named, and what of it.

    :param written: ``oci-archive:/path`` or ``oci-archive:/path:tag``, with or without the scheme.
    :param digest: which image of it, where that was said.
    :raises FileError: when it is no archive of an image layout.
    :raises NotFoundError: when it has no such image.
    """
    path = written[len(OCI_ARCHIVE) :] if written.startswith(OCI_ARCHIVE) else written
    base, colon, tag = path.rpartition(":")
    named = bool(colon) and is_tag(tag) and not os.path.exists(path)
    store = OciArchiveStore(_existing(base if named else path))
    return store, store.choose(tag if named else None, digest)


def _existing(path: str) -> str:
    if os.path.isdir(path):
        raise FileError("read the OCI archive", path, "it is a folder, not a file")
    return path
