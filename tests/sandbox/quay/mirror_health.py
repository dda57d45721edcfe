# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How mirrors of repositories are doing; 503 when too many of them fail. Workers do not exist here, so that none is counted."""

from __future__ import annotations

import datetime
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import login_required, not_found, unauthorized
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes, superuser
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Repository

ROUTES = Routes("mirrorhealth", feature="REPO_MIRROR", since="3.18")

PAGE, MAX_PAGE = 100, 1000
SAMPLE = 5
THRESHOLD = 0.2
HEADERS = {"Cache-Control": "no-cache, no-store, must-revalidate"}


@ROUTES.get("/repository/mirror/health", query=("offset", "limit", "detailed", "namespace"))
def health(call: Call) -> Result:
    """Of a namespace, for those in it; of all, for superusers with full access."""
    namespace = call.first("namespace")
    if call.user is None:
        raise login_required()
    if namespace and call.world.namespace(namespace) is None:
        raise not_found()
    if not call.sees_all and not (namespace and (namespace == call.user.name or call.is_org_member(namespace))):
        raise unauthorized()
    found = _mirrors(call, namespace)
    told = _report(found, detailed=True)
    if call.flag("detailed"):
        limit = max(1, min(call.integer("limit", PAGE), MAX_PAGE))
        offset = max(0, call.integer("offset", 0))
        shown = found[offset : offset + limit]
        told["repositories"]["details"] = [_row(repository) for repository in shown]
        told["repositories"]["pagination"] = {"limit": limit, "offset": offset, "has_more": len(found) > offset + limit}
    return told, 200 if told["healthy"] else 503, HEADERS


@ROUTES.get("/superuser/mirror/health", access=superuser)
def superuser_health(call: Call) -> Result:
    """Of all, without names."""
    told = _report(_mirrors(call, ""), detailed=False)
    return told, 200 if told["healthy"] else 503, HEADERS


def _mirrors(call: Call, namespace: str) -> list[Repository]:
    """Repositories that are synchronized; those that are switched off do not count."""
    return [
        repository
        for repository in call.world.repositories.values()
        if repository.state == "MIRROR" and repository.extra.get("mirror", {}).get("is_enabled") and namespace in ("", repository.namespace)
    ]


def _row(repository: Repository) -> dict[str, Any]:
    mirror = repository.extra["mirror"]
    return {
        "namespace": repository.namespace,
        "repository": repository.name,
        "sync_status": mirror["sync_status"],
        "is_enabled": mirror["is_enabled"],
        "last_sync": None,
        "retries_remaining": mirror["sync_retries_remaining"],
    }


def _report(found: list[Repository], *, detailed: bool) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
    rows = [_row(repository) for repository in found]
    statuses = [row["sync_status"] for row in rows]
    failed, ran = statuses.count("FAIL"), len(statuses) - statuses.count("NEVER_RUN")
    rate = failed / ran if ran else 0.0
    issues: list[tuple[str, str]] = []
    if rate > THRESHOLD:
        text = f"{rate * 100:.1f}% of repositories are failing (threshold: {THRESHOLD * 100:.1f}%)"
        issues.append(("critical", text))
    if detailed:
        new = [row for row in rows if row["sync_status"] == "NEVER_RUN"]
        lost = [row for row in rows if row["sync_status"] == "FAIL" and not row["retries_remaining"]]
        issues += [("warning", f"Repository {_name(row)} has never been synced") for row in new[:SAMPLE]]
        issues += [("error", f"Repository {_name(row)} has exhausted all retry attempts") for row in lost[:SAMPLE]]
    healthy = rate <= THRESHOLD
    return {
        "healthy": healthy,
        "workers": {"active": 0, "configured": 0, "status": "healthy" if healthy else "degraded"},
        "repositories": {
            "total": len(rows),
            "syncing": statuses.count("SYNCING"),
            "completed": statuses.count("SUCCESS"),
            "failed": failed,
            "never_run": statuses.count("NEVER_RUN"),
        },
        "tags_pending": 0,
        "last_check": now,
        "issues": [{"severity": severity, "message": message, "timestamp": now} for severity, message in issues],
    }


def _name(row: dict[str, Any]) -> str:
    return f"{row['namespace']}/{row['repository']}"
