# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stars: repositories that a user marked."""

from __future__ import annotations

import base64
import binascii

from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes, user_admin

ROUTES = Routes("user")

PAGE = 100
NEW = {
    "type": "object",
    "required": ["namespace", "repository"],
    "properties": {
        "namespace": {"type": "string", "description": "Namespace in which the repository belongs"},
        "repository": {"type": "string", "description": "Repository name"},
    },
}


@ROUTES.get("/user/starred", access=user_admin, query=("next_page",), scope="user:admin")
def listing(call: Call) -> Result:
    """The caller's starred repositories, a page of them."""
    assert call.user is not None
    repositories = call.world.repositories
    names = [name for name in repositories if name in call.user.starred]
    start = _start(call.first("next_page"))
    rows = [
        {"namespace": found.namespace, "name": found.name, "description": found.description, "is_public": found.public}
        for found in (repositories[name] for name in names[start : start + PAGE])
    ]
    if len(names) <= start + PAGE:
        return {"repositories": rows}
    return {"repositories": rows, "next_page": base64.urlsafe_b64encode(f"starred:{start + PAGE}".encode()).decode()}


def _start(text: str) -> int:
    """Where a page begins; what cannot be read is the first one."""
    try:
        kind, _colon, value = base64.urlsafe_b64decode(text).decode().partition(":")
        return int(value) if kind == "starred" else 0
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return 0


@ROUTES.post("/user/starred", schema=NEW, schema_name="NewStarredRepository", scope="repo:read")
def star(call: Call) -> Result:
    """Mark a repository, again too; null for one that is not there."""
    user = call.require_user("user:admin")
    namespace, repository = call.body["namespace"], call.body["repository"]
    if f"{namespace}/{repository}" not in call.world.repositories:
        return None
    user.starred.add(f"{namespace}/{repository}")
    return {"namespace": namespace, "repository": repository}, 201


@ROUTES.delete("/user/starred/<path:repository>", access=user_admin, scope="user:admin")
def unstar(call: Call, repository: str) -> Result:
    """Take the mark away, whether it is there or not; null for a repository that is not there."""
    assert call.user is not None
    if repository not in call.world.repositories:
        return None
    call.user.starred.discard(repository)
    return None, 204
