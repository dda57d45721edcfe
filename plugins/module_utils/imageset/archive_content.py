# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stretch of a file that reads like the body of an HTTP answer."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError


class FileContent:
    """Part of a file, as the content of a blob.

    :ivar url: of the file, for messages.
    :ivar raw: itself; ``raw.read(count)`` gives the next bytes, none at the end.
    :raises FileError: when the file cannot be opened.
    """

    def __init__(self, path: Path, offset: int, size: int) -> None:
        self.url = f"file://{path}"
        self.raw = self
        self._position = offset
        self._left = size
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise FileError("read", str(path), error.strerror or str(error)) from error

    def read(self, count: int, decode_content: bool = False) -> bytes:
        """The next bytes; none at the end of the stretch, or where the file ends before it.

        :param decode_content: there is nothing to decode; the engine says so to every content.
        :raises FileError: when the disk is broken.
        """
        try:
            piece = os.pread(self._descriptor, min(count, self._left), self._position) if self._left else b""
        except OSError as error:
            raise FileError("read", self.url, error.strerror or str(error)) from error
        self._position += len(piece)
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        """Close the file; nothing happens when it was closed before."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
