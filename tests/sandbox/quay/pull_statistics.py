# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often tags and manifests were pulled. A real Quay counts with a delay of minutes; here tests say what was pulled.

pull_statistics.pulled(repository, digest, tag="1.0", times=3)
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import not_found
from ansible_collections.quayside.airgap.tests.sandbox.quay.manifest_labels import ONE, longer_name, manifest_read
from ansible_collections.quayside.airgap.tests.sandbox.quay.repositories import show
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes, repo_read
from ansible_collections.quayside.airgap.tests.sandbox.quay.tags import ONE as TAG
from ansible_collections.quayside.airgap.tests.sandbox.quay.tags import history
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Repository, date

ROUTES = Routes("pull_statistics", feature="IMAGE_PULL_STATS", since="3.16")


@dataclass
class Pulls:
    """Pulls of a tag or manifest; `digest` is what the tag led to when it was pulled last."""

    count: int = 0
    last: float | None = None
    digest: str = ""


def pulled(repository: Repository, digest: str, *, tag: str = "", times: int = 1, last: float | None = None) -> None:
    """Count pulls of a manifest, and of the tag by which it was pulled."""
    for key in (digest, *([tag] if tag else [])):
        found = _pulls(repository).setdefault(key, Pulls())
        found.count += times
        found.last = time.time() if last is None else last
        found.digest = digest


def _pulls(repository: Repository) -> dict[str, Pulls]:
    found: dict[str, Pulls] = repository.extra.setdefault("pulls", {})
    return found


def _of_manifest(repository: Repository, digest: str) -> dict[str, Any]:
    found = _pulls(repository).get(digest, Pulls())
    return {"manifest_pull_count": found.count, "last_manifest_pull_date": date(found.last)}


@ROUTES.get(TAG + "/pull_statistics", access=repo_read, scope="repo:read")
def of_tag(call: Call, repository: str, tag: str) -> Result:
    """Pulls of a live tag and of the manifest that it leads to."""
    row = history(call, repository).live.get(tag)
    if row is None:
        raise not_found()
    found = _pulls(call.repository(repository)).get(tag, Pulls(digest=row.digest))
    return {
        "tag_name": tag,
        "tag_pull_count": found.count,
        "last_tag_pull_date": date(found.last),
        "current_manifest_digest": found.digest,
        **_of_manifest(call.repository(repository), row.digest),
    }


@ROUTES.get(ONE + "/pull_statistics", access=manifest_read, scope="repo:read")
def of_manifest(call: Call, repository: str, manifestref: str) -> Result:
    """Pulls of a manifest."""
    if longer_name(call):
        return show(call, longer_name(call))
    if not history(call, repository).has_live(manifestref):
        raise not_found()
    return {"manifest_digest": manifestref, **_of_manifest(call.repository(repository), manifestref)}
