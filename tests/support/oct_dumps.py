# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps as OCT has written them over the years, with what it lost and left out, for tests that read them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.tests.support.catalog_content import CERTIFIED
from ansible_collections.quayside.airgap.tests.support.catalog_records import whole_row

__all__ = ["LAYOUTS", "Layout", "write_oct_dump"]

_ROW_FIELDS = ("channel_name", "csv_name", "ocp_version")


@dataclass(frozen=True)
class Layout:
    """What OCT wrote at some time.

    page_size          rows of operators that it asked for at once
    digest             the field that containers were keyed by, and that was kept of them
    whole_rows         whole records of operators, not three fields of them
    envelope           pages say their number, their size and the total
    repository_names   without them repositories have no name: a field was forgotten for some weeks
    """

    page_size: int = 100
    digest: str = "image_id"
    whole_rows: bool = False
    envelope: bool = True
    repository_names: bool = True


# Catalog dump format: what changed, by the month of the change
LAYOUTS: Mapping[str, Layout] = {
    "2022-05": Layout(page_size=500, digest="docker_image_digest", whole_rows=True),
    "2022-11": Layout(digest="docker_image_digest", whole_rows=True, envelope=False),
    "2023-06": Layout(whole_rows=True),
    "2026-04": Layout(repository_names=False),
    "today": Layout(),
}


def write_oct_dump(
    folder: Path,
    images: Iterable[Mapping[str, Any]],
    rows: Iterable[Mapping[str, Any]],
    index: bytes,
    *,
    layout: str = "today",
    keep_files: bool = True,
) -> Path:
    """Write a dump below a folder, as OCT would after asking for these records; gives its folder `data`.

    images, rows   in their natural order; only certified images and rows of certified-operators are taken
    keep_files     with the empty files that OCT's repository has in its folders, and that travel with its dumps
    """
    how = LAYOUTS[layout]
    data = folder / "data"
    for name in ("containers", "helm", "operators"):
        (data / name).mkdir(parents=True)
        if keep_files and name != "operators":
            (data / name / ".keep").touch()
    wanted = [row for row in rows if row["organization"] == CERTIFIED]
    _write_operators(data / "operators", wanted, how)
    newest_first = sorted(
        (image for image in images if image.get("certified") and image.get("isv_pid") and image.get("creation_date")),
        key=lambda image: str(image["creation_date"]),
        reverse=True,
    )
    containers: dict[str, Any] = {}
    for image in newest_first:
        if image.get(how.digest):
            # the first one that is seen wins, and what others of the same digest say is lost
            containers.setdefault(image[how.digest], _container(image, how))
    (data / "containers" / "containers.db").write_bytes(_go_json(containers))
    (data / "helm" / "helm.db").write_bytes(index)
    archive = {"containers": len(newest_first), "operators": len(wanted), "charts": 0}
    (data / "archive.json").write_text(json.dumps(archive, separators=(",", ":")))
    return data


def _write_operators(folder: Path, rows: list[Mapping[str, Any]], how: Layout) -> None:
    pages, rest = divmod(len(rows), how.page_size)
    asked = [(page, how.page_size) for page in range(pages)]
    if rest:
        # the service takes page times size for the place to begin at: this is another page than the one that was meant
        asked.append((pages, rest))
    for page, size in asked:
        part = [_row(row, how) for row in rows[page * size : (page + 1) * size]]
        body: dict[str, Any] = {"data": part}
        if how.envelope:
            body.update(page=page, page_size=size, total=len(rows))
        text = json.dumps(body, indent=2, sort_keys=True) + "\n"
        (folder / f"operator_catalog_page_{page}_{size}.db").write_text(text)


def _row(row: Mapping[str, Any], how: Layout) -> dict[str, Any]:
    return whole_row(row) if how.whole_rows else {name: row[name] for name in _ROW_FIELDS}


def _container(image: Mapping[str, Any], how: Layout) -> dict[str, Any]:
    places = image.get("repositories")
    return {
        "_id": image["_id"],
        "creation_date": image["creation_date"],
        "architecture": image["architecture"],
        "certified": True,
        how.digest: image[how.digest],
        "repositories": None if places is None else [_place(place, how) for place in places],
    }


def _place(place: Mapping[str, Any], how: Layout) -> dict[str, Any]:
    tags = place.get("tags")
    return {
        "registry": place["registry"],
        "repository": place["repository"] if how.repository_names else "",
        "tags": None if tags is None else [{"name": tag["name"]} for tag in tags],
    }


def _go_json(entries: Mapping[str, Any]) -> bytes:
    """Compact, entries sorted, other keys as they are, and escaped as Go does for web pages."""
    text = json.dumps({key: entries[key] for key in sorted(entries)}, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()
