# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags by API: list with their history, create, move, expire, make immutable, delete and restore."""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.quay import tag_history
from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import (
    BAD_REQUEST_MESSAGE,
    ApiException,
    Crash,
    Message,
    invalid,
    not_found,
    unauthorized,
)
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes, repo_read, repo_write
from ansible_collections.quayside.airgap.tests.sandbox.quay.tag_history import Row, TagHistory
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import World, date

ROUTES = Routes("tag")

ALL = "/repository/<path:repository>/tag/"
ONE = ALL + "<tag>"
PAGE = 50
MOST = 100
STATES = {"READ_ONLY": 1, "MIRROR": 2, "ORG_MIRROR": 4}
TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
TAG_RULE = 'Invalid tag: must match [A-Za-z0-9_.-], NOT start with "." or "-", and can contain 1-128 characters'
FILTER_RULE = "Unsupported syntax for filter_tag_name. Expected <operation>:<tag_name> where <operation>can be 'like' or 'eq'."
LIMIT_HELP = "Limit to the number of results to return per page. Max 100."
PAGE_HELP = "Page index for the results. Default 1."
EXPIRES = "Cannot make tag '{}' immutable: tag has expiration set. Clear expiration first or enable FEATURE_IMMUTABLE_TAGS_CAN_EXPIRE."
RESTORE = {
    "type": "object",
    "description": "Restores a tag to a specific image",
    "properties": {"manifest_digest": {"type": "string", "description": "If specified, the manifest digest that should be used"}},
}


def install(world: World) -> None:
    """Follow what happens to tags below /v2."""
    tag_history.watch(world)


def change_schema(options: QuayOptions) -> dict[str, Any]:
    """ChangeTag; immutable since 3.17."""
    properties: dict[str, Any] = {
        "manifest_digest": {
            "type": ["string", "null"],
            "description": "(If specified) The manifest digest to which the tag should point",
        },
        "expiration": {"type": ["number", "null"], "description": "(If specified) The expiration for the image"},
    }
    if options.at_least("3.17"):
        text = "Whether the tag should be immutable. Write permission required to set, admin permission required to unset."
        properties["immutable"] = {"type": "boolean", "description": f"(If specified) {text}"}
    return {"type": "object", "description": "Makes changes to a specific tag", "properties": properties}


def normal_write(call: Call) -> None:
    """Who may write to the repository in the path, which must be one that takes changes."""
    repo_write(call)
    full_name = call.parameters["repository"]
    found = call.world.repositories.get(full_name)
    if found is not None and found.state != "NORMAL":
        raise Message(503, f"Repository is in read only or mirror mode: {STATES.get(found.state, found.state)}")
    name = call.user.name if call.user else None
    restricted = call.options.feature("RESTRICTED_USERS") and name not in call.world.super_users
    if restricted and name == full_name.partition("/")[0]:
        raise Message(403, "Operation not allowed on restricted user owned namespace")


def history(call: Call, repository: str) -> TagHistory:
    """The tags of the repository, 404 when there is none."""
    return tag_history.of(call.world, call.repository(repository))


# --------------------------------------------------------------------- list


@ROUTES.get(
    ALL,
    access=repo_read,
    query=("onlyActiveTags", "page", "limit", "filter_tag_name", "specificTag"),
    scope="repo:read",
)
def listing(call: Call, repository: str) -> Result:
    """Tags and what they were before, newest first, a page of them."""
    limit = min(MOST, max(1, call.integer("limit", PAGE, LIMIT_HELP)))
    page = max(1, call.integer("page", 1, PAGE_HELP))
    found = history(call, repository)
    rows = found.newest_first(_filtered(call, found.active() if call.flag("onlyActiveTags") else found.rows))
    start = limit * (page - 1)
    return {
        "tags": [tag_view(call, repository, found, row) for row in rows[start : start + limit]],
        "page": page,
        "has_additional": len(rows) > start + limit,
    }


def _filtered(call: Call, rows: list[Row]) -> list[Row]:
    name, text = call.first("specificTag"), call.first("filter_tag_name")
    if name:
        rows = [row for row in rows if row.name == name]
    if text and call.options.at_least("3.9"):
        operation, colon, value = text.partition(":")
        if not colon:
            raise Message(400, FILTER_RULE)
        if operation == "like":
            rows = [row for row in rows if value.lower() in row.name.lower()]
        elif operation == "eq":
            rows = [row for row in rows if row.name == value]
    return rows


def tag_view(call: Call, repository: str, found: TagHistory, row: Row) -> dict[str, Any]:
    """One row of a tag's history."""
    facts = found.facts(row.digest, row.media_type)
    view: dict[str, Any] = {"name": row.name, "reversion": row.reversion}
    if call.options.feature("IMMUTABLE_TAGS"):
        view["immutable"] = row.immutable
    view["start_ts"] = row.start_ts
    if row.end is not None:
        view["end_ts"] = row.end_ts
    view.update(manifest_digest=row.digest, is_manifest_list=facts.is_list, size=facts.size, last_modified=date(row.start_ts))
    if row.end is not None:
        view["expiration"] = date(row.end_ts)
    if facts.is_list and call.options.at_least("3.17"):
        stored = call.world.storage.repositories[repository].manifests
        present = {digest: digest in stored for digest in facts.children}
        view["is_sparse"] = not all(present.values())
        view["child_manifest_count"] = len(facts.children)
        view["present_child_count"] = sum(present[digest] for digest in facts.children)
        view["child_manifests_presence"] = present
    return view


# ------------------------------------------------------------------- change


@ROUTES.put(ONE, access=normal_write, schema=change_schema, schema_name="ChangeTag", scope="repo:write")
def change(call: Call, repository: str, tag: str) -> Result:
    """Expiration, then immutability, then the manifest: a tag that moves begins anew and loses the expiration."""
    if not TAG.fullmatch(tag):
        raise Message(400, TAG_RULE)
    found = history(call, repository)
    body = call.body
    if "expiration" in body:
        _expire(call, found, tag, body["expiration"])
    if "immutable" in body and call.options.feature("IMMUTABLE_TAGS"):
        _make_immutable(call, found, tag, body["immutable"])
    if "manifest_digest" in body:
        if not found.has_live(str(body["manifest_digest"])):
            raise not_found()
        _retarget(call, found, tag, body["manifest_digest"], reversion=False)
    return "Updated", 201


def _expire(call: Call, found: TagHistory, tag: str, value: float | None) -> None:
    row = _live(found, tag)
    moment = None
    if value is not None:
        try:
            moment = int(datetime.fromtimestamp(value, timezone.utc).timestamp())
        except OverflowError:
            raise Crash() from None
        except ValueError:
            raise Message(400, BAD_REQUEST_MESSAGE) from None
        if value <= time.time():
            raise Message(400, BAD_REQUEST_MESSAGE)
        if _locked(call, row) and not call.options.feature("IMMUTABLE_TAGS_CAN_EXPIRE"):
            raise Message(400, f"Cannot set expiration on immutable tag '{tag}'")
    found.expire(row, moment)


def _make_immutable(call: Call, found: TagHistory, tag: str, wanted: bool) -> None:
    row = _live(found, tag)
    if row.immutable and not wanted and not call.may(call.parameters["repository"], "admin"):
        raise unauthorized()
    if wanted and row.end is not None and not call.options.feature("IMMUTABLE_TAGS_CAN_EXPIRE"):
        raise Message(400, EXPIRES.format(tag))
    row.immutable = wanted


def _retarget(call: Call, found: TagHistory, tag: str, digest: str, *, reversion: bool) -> None:
    row = found.live.get(tag)
    if row is not None and _locked(call, row):
        raise ApiException("tag_immutable", f"Cannot overwrite immutable tag '{tag}'")
    if not found.retarget(tag, digest, reversion=reversion):
        raise not_found()


def _live(found: TagHistory, tag: str) -> Row:
    row = found.live.get(tag)
    if row is None:
        raise not_found()
    return row


def _locked(call: Call, row: Row) -> bool:
    return row.immutable and call.options.feature("IMMUTABLE_TAGS")


@ROUTES.delete(ONE, access=normal_write, scope="repo:write")
def delete(call: Call, repository: str, tag: str) -> Result:
    """End a tag; its manifest and other tags of it stay."""
    row = _live(history(call, repository), tag)
    if _locked(call, row):
        raise ApiException("tag_immutable", f"Cannot delete immutable tag '{tag}'")
    call.world.storage.delete_tag(repository, tag)
    return None, 204


@ROUTES.post(ONE + "/restore", access=normal_write, schema=RESTORE, schema_name="RestoreTag", scope="repo:write")
def restore(call: Call, repository: str, tag: str) -> Result:
    """Let a tag point to any manifest that the repository still knows."""
    found = history(call, repository)
    digest = call.body.get("manifest_digest")
    if digest is None:
        raise invalid("Missing manifest_digest")
    if not found.has(digest):
        raise not_found()
    _retarget(call, found, tag, digest, reversion=True)
    return {}
