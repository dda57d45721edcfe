# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps a catalog as OCT does, one request after another: certified_peer.py API_URL INDEX_URL FOLDER, with the standard library alone.

It asks what OCT asks, in that order, and writes the files that OCT writes. It also loses what OCT loses: the requests for the last
page of operators and for images of one creation date are OCT's. Failed requests end it.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

ORGANIZATION = "filter=organization==certified-operators"
OPERATOR_FIELDS = "include=page,page_size,total,data.csv_name,data.ocp_version,data.channel_name"
IMAGE_FIELDS = (
    "data._id,data.creation_date,data.repositories.registry,data.repositories.repository,data.repositories.manifest_list_digest,"
    "data.repositories.tags.name,data.image_id,data.architecture"
)
TIME_LIMIT = 120


class Server:
    """A connection that is kept."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.base = parts.path
        self.requests = 0
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIME_LIMIT)

    def get(self, target: str) -> bytes:
        """The body of an answer; a status but 200 ends the program."""
        self.requests += 1
        self._connection.request("GET", self.base + target)
        response = self._connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise SystemExit(f"{target}: status {response.status}")
        return content


def dump_operators(api: Server, folder: Path) -> int:
    """All pages as they come; the last one is asked for by the number of rows that are left, which is another page."""
    first = json.loads(api.get(f"/operators/bundles?{ORGANIZATION}"))
    total, size = first["total"], first["page_size"]
    pages, rest = divmod(total, size)
    for page, number in [*((page, size) for page in range(pages)), *([(pages, rest)] if rest else [])]:
        content = api.get(f"/operators/bundles?{ORGANIZATION}&page_size={number}&page={page}&{OPERATOR_FIELDS}")
        (folder / f"operator_catalog_page_{page}_{number}.db").write_bytes(content)
    return int(total)


def dump_containers(api: Server, path: Path) -> int:
    """Newest first, each page older than the last record of the one before, until a page brings nothing new."""
    found: dict[str, object] = {}
    cursor = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    while True:
        wanted = quote(f"isv_pid!=null and creation_date<{cursor} and certified==true", safe="")
        rows = json.loads(api.get(f"/images?filter={wanted}&include={IMAGE_FIELDS}&sort_by=creation_date[desc]"))["data"]
        before = len(found)
        for row in rows:
            if row.get("image_id"):
                found.setdefault(row["image_id"], _entry(row))
        if not rows or len(found) == before:
            break
        cursor = rows[-1]["creation_date"]
    path.write_text(json.dumps(found, separators=(",", ":"), sort_keys=True))
    return len(found)


def _entry(row: dict[str, object]) -> dict[str, object]:
    repositories = row.get("repositories")
    return {
        "_id": row["_id"],
        "creation_date": row["creation_date"],
        "architecture": row.get("architecture", ""),
        "certified": True,
        "image_id": row["image_id"],
        "repositories": [_repository(found) for found in repositories] if isinstance(repositories, list) else None,
    }


def _repository(found: dict[str, object]) -> dict[str, object]:
    tags = found.get("tags")
    names = [{"name": tag["name"]} for tag in tags] if isinstance(tags, list) else None
    return {"registry": found["registry"], "repository": found["repository"], "tags": names}


def main() -> int:
    """Operators, containers, charts, and what was counted."""
    api_url, index_url, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    data = folder / "data"
    for name in ("operators", "containers", "helm"):
        (data / name).mkdir(parents=True, exist_ok=True)
    api = Server(api_url)
    operators = dump_operators(api, data / "operators")
    containers = dump_containers(api, data / "containers" / "containers.db")
    (data / "helm" / "helm.db").write_bytes(Server(index_url).get(""))
    requests = api.requests + 1
    counted = {"containers": containers, "operators": operators, "charts": 0}
    (data / "archive.json").write_text(json.dumps(counted, separators=(",", ":")))
    print(json.dumps({**counted, "requests": requests}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
