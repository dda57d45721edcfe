# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mapping.txt and missing.txt: what a run would copy where, a line ``source=destination`` for each image.

Lines stand in the order of mirroring, so that the same images give the same file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import PathLike, write_atomically
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import MirrorImage

FOLDER = "dry-run"
MAPPING = "mapping.txt"
MISSING = "missing.txt"


def mapping_lines(images: Iterable[MirrorImage], *, destination: str = "") -> list[str]:
    """The lines of some images, those that lie in the same place from the same source once.

    :param destination: what stands in the place of ``docker://<registry>``, for runs that write to disk: ``file:///data/mirror``.
    """
    lines: dict[str, None] = {}
    for image in sorted(images, key=lambda image: image.key):
        prefix = destination or f"docker://{image.destination.registry}"
        place = f"{prefix}/{image.destination.repository}"
        lines[f"{image.source.url}={place}:{image.destination.tag}"] = None
    return list(lines)


def write_mapping(
    folder: PathLike, images: Iterable[MirrorImage], missing: Collection[MirrorImage] = (), *, destination: str = ""
) -> list[Path]:
    """Write mapping.txt, and missing.txt where something is missing; what an earlier run left there goes.

    :param folder: the working-dir's ``dry-run``; it is made where it is not there.
    :param missing: images that are not in the archive yet.
    :returns: the files.
    :raises FileError: when they cannot be written.
    """
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError("make the folder", str(place), error.strerror or str(error)) from error
    files = [place / MAPPING]
    write_atomically(files[0], _text(mapping_lines(images, destination=destination)))
    if missing:
        files.append(place / MISSING)
        write_atomically(files[1], _text(mapping_lines(missing, destination=destination)))
    else:
        try:
            (place / MISSING).unlink()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise FileError("remove", str(place / MISSING), error.strerror or str(error)) from error
    return files


def _text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
