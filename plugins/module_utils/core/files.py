# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are whole or not there: written beside the target, flushed to disk, renamed."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, Union

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError

PathLike = Union[str, "os.PathLike[str]"]


def write_atomically(path: PathLike, content: bytes, *, mode: int = 0o644, durable: bool = True) -> None:
    """Replace the file at path by content, so that a reader sees the old bytes or the new ones.

    :param mode: permission bits of the new file, whatever the umask.
    :param durable: flush to disk before the rename; off for files that only serve while the process lives.
    :raises FileError: when the folder cannot be written; the old file is then untouched.
    """
    target = Path(path)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(content)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        os.replace(temporary, target)
    except (OSError, ValueError) as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise FileError("write", str(target), _words(error)) from error


def read_bytes(path: PathLike, *, limit: int) -> bytes:
    """The content of a file that should be small.

    :param limit: bytes; a larger file is refused before it fills the memory.
    :raises FileError: when it is missing, unreadable or larger.
    """
    try:
        with open(path, "rb") as stream:
            content = stream.read(limit + 1)
    except (OSError, ValueError) as error:
        raise FileError("read", str(path), _words(error)) from error
    if len(content) > limit:
        raise FileError("read", str(path), f"it is larger than {limit} bytes")
    return content


def read_json(path: PathLike, *, limit: int = 16 << 20) -> Any:
    """The JSON document in a file.

    :raises FileError: when it cannot be read or is no JSON; the message says at which line.
    """
    content = read_bytes(path, limit=limit)
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise FileError("read", str(path), f"it is no JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except (ValueError, RecursionError) as error:
        raise FileError("read", str(path), f"it is no JSON: {error}") from error


def _words(error: Exception) -> str:
    # ValueError: a path with a NUL byte in it
    return getattr(error, "strerror", None) or str(error)
