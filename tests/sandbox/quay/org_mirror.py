# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Organizations that are kept like a namespace of another registry.

No worker runs here; `discovered` does what it leaves behind, and `extra["unreachable"]` of the world says why a registry cannot be
reached (URL -> message). The configuration is `extra["org_mirror"]` of the organization, in Quay's words.
"""

from __future__ import annotations

import datetime
from collections import Counter
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import invalid, not_found
from ansible_collections.quayside.airgap.tests.sandbox.quay.mirror import DATE, RETRIES, worked
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes
from ansible_collections.quayside.airgap.tests.sandbox.quay.ssrf import check_url, url_fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Organization, World

ROUTES = Routes("org_mirror", feature="ORG_MIRROR", since="3.17")

PATH = "/organization/<orgname>/mirror"
STATUSES = ("CANCEL", "FAIL", "NEVER_RUN", "SUCCESS", "SYNCING", "SYNC_NOW", "SKIP")
PAGE, MAX_PAGE = 100, 500
BAD_DATE = "Invalid sync_start_date format. Use ISO 8601: YYYY-MM-DDTHH:MM:SSZ"
FOREIGN_ROBOT = "Robot account must belong to the organization"
EXISTS = "Mirror configuration already exists for this organization"
CANCELLED = "Cannot cancel: mirror is already cancelled"
DISCOVERING = "Cannot trigger sync: discovery is currently in progress."
STILL_SYNCING = (
    "Cannot trigger sync: repositories are still syncing. Cancel the current sync and wait for all repositories to reach a terminal "
    "state before triggering a new sync."
)
IN_THE_WAY = "Cannot create organization mirror: the organization "
NOT_EMPTY = IN_THE_WAY + "already contains repositories. Organization mirroring requires an empty organization."
HAS_POLICIES = IN_THE_WAY + "has immutability policies configured. Remove all namespace immutability policies first."
HAS_PROXY_CACHE = IN_THE_WAY + "has a proxy cache configuration. Remove the proxy cache configuration first."
_P = {"scope": "org:admin"}


# ------------------------------------------------------------------ schemas

NULLABLE = {"type": ["string", "null"]}
CREATE = {
    "type": "object",
    "description": "Create organization mirror configuration",
    "required": [
        "external_registry_type",
        "external_registry_url",
        "external_namespace",
        "robot_username",
        "visibility",
        "sync_interval",
        "sync_start_date",
    ],
    "properties": {
        "external_registry_type": {"type": "string", "description": "Type of source registry", "enum": ["harbor", "quay"]},
        "external_registry_url": {"type": "string", "description": "URL of the source registry"},
        "external_namespace": {"type": "string", "description": "Source namespace/project name", "maxLength": 255},
        "robot_username": {"type": "string", "description": "Robot account for creating repos (format: orgname+robotname)"},
        "visibility": {"type": "string", "description": "Visibility for created repositories", "enum": ["public", "private"]},
        "sync_interval": {"type": "integer", "description": "Seconds between syncs", "minimum": 60},
        "sync_start_date": {"type": "string", "description": "Initial sync time (ISO 8601 format)"},
        "is_enabled": {"type": "boolean", "description": "Enable or disable mirroring", "default": True},
        "external_registry_username": {**NULLABLE, "description": "Username for source registry authentication"},
        "external_registry_password": {**NULLABLE, "description": "Password for source registry authentication"},
        "external_registry_config": {
            "type": "object",
            "description": "TLS and proxy settings",
            "properties": {
                "verify_tls": {"type": "boolean", "description": "Verify TLS certificates"},
                "proxy": {"type": "object", "properties": dict.fromkeys(("https_proxy", "http_proxy", "no_proxy"), NULLABLE)},
            },
        },
        "repository_filters": {"type": "array", "description": "Glob patterns for filtering repositories", "items": {"type": "string"}},
        "skopeo_timeout": {
            "type": "integer",
            "description": "Timeout for Skopeo operations in seconds",
            "minimum": 30,
            "maximum": 3600,
            "default": 300,
        },
    },
}
UPDATE = {
    "type": "object",
    "description": "Update organization mirror configuration",
    "properties": {
        "is_enabled": {"type": "boolean"},
        "external_registry_url": {"type": "string"},
        "external_namespace": {"type": "string", "maxLength": 255},
        "robot_username": {"type": "string"},
        "visibility": {"type": "string", "enum": ["public", "private"]},
        "sync_interval": {"type": "integer", "minimum": 60},
        "sync_start_date": {"type": "string"},
        "external_registry_username": NULLABLE,
        "external_registry_password": NULLABLE,
        "external_registry_config": {"type": "object"},
        "repository_filters": {"type": "array", "items": {"type": "string"}},
        "skopeo_timeout": {"type": "integer", "minimum": 30, "maximum": 3600},
    },
}


# ------------------------------------------------------------------- checks


def _mirror(call: Call, orgname: str) -> dict[str, Any]:
    """The configuration, for administrators of the organization."""
    call.require_org_admin(orgname)
    found: dict[str, Any] | None = call.organization(orgname).extra.get("org_mirror")
    if found is None:
        raise not_found()
    return found


def _check(call: Call, orgname: str, values: dict[str, Any]) -> None:
    """What a schema cannot say; the date is made a plain one."""
    if "robot_username" in values:
        name = values["robot_username"]
        if name not in call.world.robots:
            raise invalid(f"Invalid robot account: {name}")
        if name.partition("+")[0] != orgname:
            raise invalid(FOREIGN_ROBOT)
    if "sync_start_date" in values:
        try:
            values["sync_start_date"] = datetime.datetime.strptime(values["sync_start_date"], DATE).strftime(DATE)
        except ValueError:
            raise invalid(BAD_DATE) from None
    if "external_registry_url" in values:
        check_url(values["external_registry_url"], call.options)
    for name in ("external_registry_username", "external_registry_password"):
        if name in values:
            values[name] = values[name] or None


def _check_place(organization: Organization) -> None:
    """A mirror needs an organization that has nothing of its own."""
    if organization.repositories:
        raise invalid(NOT_EMPTY)
    if organization.extra.get("immutability_policies"):
        raise invalid(HAS_POLICIES)
    if organization.extra.get("proxy_cache"):
        raise invalid(HAS_PROXY_CACHE)
    if "org_mirror" in organization.extra:
        raise invalid(EXISTS)


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


# ------------------------------------------------------------ configuration


@ROUTES.get(PATH, **_P)
def show(call: Call, orgname: str) -> Result:
    """The configuration, without the password, and how its repositories are doing."""
    found = _mirror(call, orgname)
    view = {name: value for name, value in found.items() if name not in ("external_registry_password", "repositories")}
    counts = Counter(entry["sync_status"] for entry in found["repositories"].values())
    view["has_external_registry_password"] = found["external_registry_password"] is not None
    view["repo_sync_status_counts"] = {status: counts[status] for status in STATUSES}
    return view


@ROUTES.post(PATH, schema=CREATE, schema_name="CreateOrgMirrorConfig", **_P)
def create(call: Call, orgname: str) -> Result:
    """Make an organization a mirror."""
    call.require_org_admin(orgname)
    organization = call.organization(orgname)
    values = dict(call.body)
    _check(call, orgname, values)
    _check_place(organization)
    organization.extra["org_mirror"] = {
        "is_enabled": values.get("is_enabled", True),
        "external_registry_type": values["external_registry_type"],
        "external_registry_url": values["external_registry_url"],
        "external_namespace": values["external_namespace"],
        "external_registry_username": values.get("external_registry_username"),
        "external_registry_password": values.get("external_registry_password"),
        "external_registry_config": values.get("external_registry_config", {}),
        "repository_filters": values.get("repository_filters", []),
        "robot_username": values["robot_username"],
        "visibility": values["visibility"],
        "sync_interval": values["sync_interval"],
        "sync_start_date": values["sync_start_date"],
        "sync_expiration_date": None,
        "sync_status": "NEVER_RUN",
        "sync_retries_remaining": RETRIES,
        "skopeo_timeout": values.get("skopeo_timeout", 300),
        "creation_date": _now(),
        "repositories": {},
    }
    return "", 201


@ROUTES.put(PATH, schema=UPDATE, schema_name="UpdateOrgMirrorConfig", **_P)
def update(call: Call, orgname: str) -> Result:
    """Change some of it; the type of the other registry stays."""
    mirror = _mirror(call, orgname)
    values = {name: value for name, value in call.body.items() if name in UPDATE["properties"]}
    _check(call, orgname, values)
    mirror.update(values)
    return "", 200


@ROUTES.delete(PATH, **_P)
def delete(call: Call, orgname: str) -> Result:
    """End it; its repositories stay, as ordinary ones."""
    mirror = _mirror(call, orgname)
    organization = call.organization(orgname)
    for name in mirror["repositories"]:
        repository = organization.repositories.get(name)
        if repository is not None and repository.state == "ORG_MIRROR":
            repository.state = "NORMAL"
    del organization.extra["org_mirror"]
    return None, 204


# ---------------------------------------------------------- synchronization


@ROUTES.post(PATH + "/verify", **_P)
def verify(call: Call, orgname: str) -> Result:
    """Whether the other registry can be reached; that it cannot is no error."""
    mirror = _mirror(call, orgname)
    url = mirror["external_registry_url"]
    fault = "The provided URL is not allowed" if url_fault(url, call.options) else call.world.extra.get("unreachable", {}).get(url, "")
    return {"success": not fault, "message": fault or "Connection successful"}


@ROUTES.post(PATH + "/sync-now", **_P)
def sync_now(call: Call, orgname: str) -> Result:
    """Let it be synchronized next, unless it is."""
    mirror = _mirror(call, orgname)
    if mirror["sync_status"] == "SYNCING":
        raise invalid(DISCOVERING)
    if any(_active(entry) for entry in mirror["repositories"].values()):
        raise invalid(STILL_SYNCING)
    retries = max(mirror["sync_retries_remaining"], 1)
    mirror.update(sync_status="SYNC_NOW", sync_start_date=_now(), sync_expiration_date=None, sync_retries_remaining=retries)
    return None, 204


def _active(entry: dict[str, Any]) -> bool:
    again = entry["sync_status"] == "FAIL" and entry["sync_retries_remaining"] > 0
    return again or entry["sync_status"] in ("SYNCING", "SYNC_NOW", "NEVER_RUN")


@ROUTES.post(PATH + "/sync-cancel", **_P)
def sync_cancel(call: Call, orgname: str) -> Result:
    """Cancel what waits or goes on, and also when nothing does; but once."""
    mirror = _mirror(call, orgname)
    if mirror["sync_status"] == "CANCEL":
        raise invalid(CANCELLED)
    mirror.update(sync_status="CANCEL", sync_expiration_date=_now(), sync_retries_remaining=0)
    return None, 204


@ROUTES.get(PATH + "/repositories", query=("page", "limit", "status"), **_P)
def repositories(call: Call, orgname: str) -> Result:
    """What was found in the other registry."""
    mirror = _mirror(call, orgname)
    page, limit = max(1, _number(call, "page", 1)), min(_number(call, "limit", PAGE), MAX_PAGE)
    limit = PAGE if limit < 1 else limit
    status = call.first("status").upper()
    if status and status not in STATUSES:
        raise invalid(f"Invalid status filter '{call.first('status')}'. Valid values: {', '.join(STATUSES)}")
    rows = [
        {
            "name": name,
            "sync_status": entry["sync_status"],
            "discovery_date": entry["discovery_date"],
            "last_sync_date": entry["last_sync_date"],
            "status_message": entry["status_message"],
            "quay_repository": f"{orgname}/{name}" if f"{orgname}/{name}" in call.world.repositories else None,
        }
        for name, entry in sorted(mirror["repositories"].items())
        if status in ("", entry["sync_status"])
    ]
    shown = rows[(page - 1) * limit : page * limit]
    return {"repositories": shown, "page": page, "limit": limit, "total": len(rows), "has_next": page * limit < len(rows)}


def _number(call: Call, name: str, default: int) -> int:
    """A query argument; what is no number is not heeded."""
    text = call.first(name)
    return int(text) if text.lstrip("-").isdecimal() else default


def discovered(world: World, organization: Organization, name: str, status: str = "SUCCESS", message: str | None = None) -> None:
    """What the worker leaves: a repository that it found in the other registry, and how its synchronization went."""
    with world.lock:
        mirror = organization.extra["org_mirror"]
        worked(mirror)
        done = status in ("SUCCESS", "FAIL")
        mirror["repositories"][name] = {
            "sync_status": status,
            "discovery_date": _now(),
            "last_sync_date": _now() if done else None,
            "status_message": message,
            "sync_retries_remaining": RETRIES - 1 if status == "FAIL" else RETRIES,
        }
        if done and name not in organization.repositories:
            world.add_repository(organization, name, public=mirror["visibility"] == "public").state = "ORG_MIRROR"
