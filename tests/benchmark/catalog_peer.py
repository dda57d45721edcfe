# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reading a catalog costs at the least: catalog_peer.py json|sha256|read CATALOG, with the standard library alone.

`json` decodes every blob and forgets it, a file at a time in memory; `sha256` hashes the bytes; `read` only reads them.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

_PIECE = 1 << 20


def decode(path: Path) -> None:
    """Every blob of a file, one after another."""
    text = path.read_text(encoding="utf-8")
    decoder = json.JSONDecoder()
    position = 0
    while position < len(text):
        _blob, position = decoder.raw_decode(text, position)
        while position < len(text) and text[position].isspace():
            position += 1


def digest(path: Path) -> None:
    """The checksum of a file."""
    checksum = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            checksum.update(piece)


def read(path: Path) -> None:
    """The bytes of a file."""
    with path.open("rb") as stream:
        while stream.read(_PIECE):
            pass


def main() -> None:
    """Do it with every file."""
    work = {"json": decode, "sha256": digest, "read": read}[sys.argv[1]]
    for path in sorted(Path(sys.argv[2]).rglob("*.json")):
        work(path)


if __name__ == "__main__":
    main()
