# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories: create, show, list, change and delete; and the permissions of users and teams on them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.quay import tag_history
from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import (
    BAD_REQUEST_MESSAGE,
    Crash,
    Message,
    invalid,
    not_found,
    unauthorized,
)
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import (
    RANK,
    Call,
    Result,
    Routes,
    repo_admin,
    repo_read,
    repo_write,
    repository_role,
)
from ansible_collections.quayside.airgap.tests.sandbox.quay.views import (
    repository_row,
    repository_view,
    team_permission_view,
    user_permission_view,
)
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import REPOSITORY, ROLES, Organization, Repository, date

ROUTES = Routes("repository")

PAGE = 100
MAX_TAGS = 500
STATISTICS_DAYS = 91
ONE = "/repository/<path:repository>"
VISIBILITY = {"type": "string", "description": "Visibility which the repository will start with", "enum": ["public", "private"]}
UPDATE = {
    "type": "object",
    "description": "Fields which can be updated in a repository.",
    "required": ["description"],
    "properties": {"description": {"type": "string", "description": "Markdown encoded description for the repository"}},
}
CHANGE_VISIBILITY = {
    "type": "object",
    "description": "Change the visibility for the repository.",
    "required": ["visibility"],
    "properties": {"visibility": VISIBILITY},
}
CHANGE_STATE = {
    "type": "object",
    "description": "Change the state of the repository.",
    "required": ["state"],
    "properties": {
        "state": {"type": "string", "description": "Determines whether pushes are allowed.", "enum": ["NORMAL", "READ_ONLY", "MIRROR"]}
    },
}
PERMISSION = {
    "type": "object",
    "description": "Description of a permission.",
    "required": ["role"],
    "properties": {"role": {"type": "string", "description": "Role to use", "enum": list(ROLES)}},
}


def new_schema(options: QuayOptions) -> dict[str, Any]:
    """NewRepo; until 3.8 applications had repositories too."""
    kinds = ["image", None] if options.at_least("3.9") else ["image", "application", None]
    return {
        "type": "object",
        "description": "Description of a new repository",
        "required": ["repository", "visibility", "description"],
        "properties": {
            "repository": {"type": "string", "description": "Repository name"},
            "visibility": VISIBILITY,
            "namespace": {"type": "string", "description": "Namespace in which the repository should be created."},
            "description": {"type": "string", "description": "Markdown encoded description for the repository"},
            "repo_kind": {"type": ["string", "null"], "description": "The kind of repository", "enum": kinds},
        },
    }


@ROUTES.post("/repository", schema=new_schema, schema_name="NewRepo", scope="repo:create")
def create(call: Call) -> Result:
    """Create a repository."""
    world, body = call.world, call.body
    if call.user is None:
        raise call.deny()
    space, name = body.get("namespace") or call.user.name, body["repository"]
    if not call.may_create_in(space):
        raise unauthorized()
    namespace = world.namespace(space)
    if namespace is None:
        raise Crash() if call.options.at_least("3.9") else unauthorized()
    if namespace.extra.get("org_mirror"):
        raise invalid("Cannot create repository: organization is managed by organization-level mirroring")
    if f"{space}/{name}" in world.repositories:
        raise invalid("Repository already exists")
    if not REPOSITORY.match(name):
        raise invalid("Invalid repository name")
    public, kind = body["visibility"] == "public", body.get("repo_kind") or "image"
    made = world.add_repository(namespace, name, creator=call.user.name, public=public, description=body["description"])
    made.extra["kind"] = kind
    return {"namespace": space, "name": name, "kind": kind}, 201


@ROUTES.get(
    "/repository",
    query=("next_page", "repo_kind", "popularity", "last_modified", "public", "starred", "namespace"),
    scope="repo:read",
)
def listing(call: Call) -> Result:
    """Repositories of a namespace, or all that somebody sees."""
    space, public, starred = call.first("namespace"), call.flag("public"), call.flag("starred")
    if not (space or public or starred):
        raise invalid("namespace, starred or public are required for this API call")
    if starred and call.user is None:
        raise Message(400, BAD_REQUEST_MESSAGE)
    start = _page_start(call)
    rows: list[dict[str, Any]] = []
    more = False
    position = 0
    kind = call.first("repo_kind", "image")
    modified, popularity = call.flag("last_modified"), call.flag("popularity")
    for repository in _candidates(call, space, starred):
        if repository.extra.get("kind", "image") != kind or not _listed(call, repository, public):
            continue
        position += 1
        if position <= start:
            continue
        if len(rows) == PAGE:
            more = True
            break
        rows.append(repository_row(call, repository, modified=modified, popularity=popularity))
    answer: dict[str, Any] = {"repositories": rows}
    if more:
        answer["next_page"] = base64.urlsafe_b64encode(f"repositories:{start + PAGE}".encode()).decode()
    return answer


def _page_start(call: Call) -> int:
    """Where a page begins; what cannot be read is the first one."""
    try:
        kind, _colon, value = base64.urlsafe_b64decode(call.first("next_page")).decode().partition(":")
        return int(value) if kind == "repositories" else 0
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return 0


def _candidates(call: Call, space: str, starred: bool) -> Iterable[Repository]:
    if starred and call.user is not None:
        return [call.world.repositories[name] for name in sorted(call.user.starred) if name in call.world.repositories]
    if space:
        namespace = call.world.namespace(space)
        return namespace.repositories.values() if namespace else ()
    return call.world.repositories.values()


def _listed(call: Call, repository: Repository, public: bool) -> bool:
    if public and repository.public:
        return True
    if call.user is None:
        return False
    if call.sees_all:
        return True
    # Any scope shows what the user can see.
    return RANK[repository_role(call.world, call.options, call.user.name, None, repository.full_name, False)] > 0


@ROUTES.get(ONE, access=repo_read, query=("includeTags", "includeStats"), scope="repo:read")
def show(call: Call, repository: str) -> Result:
    """One repository."""
    found = call.repository(repository)
    namespace = call.world.namespace(found.namespace)
    assert namespace is not None
    view = repository_view(call, found, namespace)
    if call.flag("includeTags", True):
        view["tags"] = _tags(call, found)
    role = RANK[call.repository_role(repository)]
    view["can_write"] = role >= 2 and found.state == "NORMAL"
    view["can_admin"] = role >= 3
    if call.flag("includeStats"):
        today = datetime.now(timezone.utc).date()
        view["stats"] = [{"date": (today - timedelta(days=days)).isoformat(), "count": 0} for days in range(1, STATISTICS_DAYS + 1)]
    return view


def _tags(call: Call, found: Repository) -> dict[str, Any]:
    """Tags that are alive, the youngest first."""
    history = tag_history.of(call.world, found)
    shown: dict[str, Any] = {}
    for row in history.newest_first(history.active())[:MAX_TAGS]:
        size = history.facts(row.digest, row.media_type).size
        shown[row.name] = {"name": row.name, "size": size, "last_modified": date(row.start_ts)}
        if row.end is not None:
            shown[row.name]["expiration"] = date(row.end_ts)
        shown[row.name]["manifest_digest"] = row.digest
    return shown


@ROUTES.put(ONE, access=repo_write, schema=UPDATE, schema_name="RepoUpdate", scope="repo:write")
def update(call: Call, repository: str) -> Result:
    """Change the description."""
    call.repository(repository).description = call.body["description"]
    return {"success": True}


@ROUTES.delete(ONE, access=repo_admin, scope="repo:admin")
def delete(call: Call, repository: str) -> Result:
    """Delete a repository; one that is not there too."""
    found = call.world.repositories.get(repository)
    if found is None:
        if call.world.namespace(repository.partition("/")[0]) is None:
            raise Crash()
        return None, 204
    call.world.delete_repository(found)
    return None, 204


@ROUTES.post(ONE + "/changevisibility", access=repo_admin, schema=CHANGE_VISIBILITY, schema_name="ChangeVisibility", scope="repo:admin")
def change_visibility(call: Call, repository: str) -> Result:
    """Public or private; null for a repository that is not there."""
    found = call.world.repositories.get(repository)
    if found is None:
        return None
    found.public = call.body["visibility"] == "public"
    return {"success": True}


@ROUTES.put(
    ONE + "/changestate",
    access=repo_admin,
    schema=CHANGE_STATE,
    schema_name="ChangeRepoState",
    feature="REPO_MIRROR",
    scope="repo:admin",
)
def change_state(call: Call, repository: str) -> Result:
    """Normal, read only or mirror."""
    found = call.repository(repository)
    namespace = call.world.namespace(found.namespace)
    if namespace is not None and namespace.extra.get("org_mirror"):
        raise Message(
            400, "Repository state changes are not allowed in an organization managed by organization-level mirroring", key="detail"
        )
    found.state = call.body["state"]
    return {"success": True}


# -------------------------------------------------------------- permissions

USERS = ONE + "/permissions/user/"
TEAMS = ONE + "/permissions/team/"
NO_USER = "User does not have permission for repo."
NO_TEAM = "Team does not have permission for repo."
_P = {"access": repo_admin, "scope": "repo:admin"}


@ROUTES.get(USERS, **_P)
def user_permissions(call: Call, repository: str) -> Result:
    """Users and robots with a permission; {} for a repository that is not there."""
    found = call.world.repositories.get(repository)
    names = list(found.users) if found else []
    return {"permissions": {name: user_permission_view(call.world, found, name) for name in names if found}}


@ROUTES.get(TEAMS, **_P)
def team_permissions(call: Call, repository: str) -> Result:
    """Teams with a permission."""
    found = call.world.repositories.get(repository)
    return {"permissions": {name: team_permission_view(found, name) for name in found.teams} if found else {}}


@ROUTES.get(USERS + "<username>", **_P)
def user_permission(call: Call, repository: str, username: str) -> Result:
    """One of them."""
    found = call.world.repositories.get(repository)
    if found is None or username not in found.users:
        raise Message(400, NO_USER)
    return user_permission_view(call.world, found, username)


@ROUTES.put(USERS + "<username>", schema=PERMISSION, schema_name="UserPermission", **_P)
def set_user_permission(call: Call, repository: str, username: str) -> Result:
    """Give or change one."""
    found = call.world.repositories.get(repository)
    if found is None:
        raise Crash()
    world = call.world
    if username not in world.users and username not in world.robots:
        raise invalid(f"Invalid username: {username}")
    if username == found.namespace:
        raise invalid("Namespace owner must always be admin.")
    world.permit(found, username, call.body["role"])
    return user_permission_view(world, found, username)


@ROUTES.delete(USERS + "<username>", **_P)
def delete_user_permission(call: Call, repository: str, username: str) -> Result:
    """Take one back."""
    found = call.world.repositories.get(repository)
    if found is None or username not in found.users:
        raise invalid(NO_USER)
    if username == found.namespace:
        raise invalid("Namespace owner must always be admin.")
    call.world.forbid(found, username)
    return None, 204


@ROUTES.get(USERS + "<username>/transitive", **_P)
def transitive(call: Call, repository: str, username: str) -> Result:
    """What a user may do through teams too."""
    found = call.repository(repository)
    roles = [found.users[username]] if username in found.users else []
    organization = call.world.organizations.get(found.namespace)
    for team in organization.teams.values() if organization else ():
        if username in team.members and team.name in found.teams:
            roles.append(found.teams[team.name])
    if not roles:
        raise not_found()
    return {"permissions": [{"role": role} for role in roles]}


@ROUTES.get(TEAMS + "<teamname>", **_P)
def team_permission(call: Call, repository: str, teamname: str) -> Result:
    """The permission of one team: its role alone."""
    found = call.world.repositories.get(repository)
    if found is None or teamname not in found.teams:
        raise Message(400, NO_TEAM)
    return {"role": found.teams[teamname]}


@ROUTES.put(TEAMS + "<teamname>", schema=PERMISSION, schema_name="TeamPermission", **_P)
def set_team_permission(call: Call, repository: str, teamname: str) -> Result:
    """Give or change the permission of a team."""
    found = call.world.repositories.get(repository)
    if found is None:
        raise Crash()
    organization = call.world.namespace(found.namespace)
    if not isinstance(organization, Organization) or teamname not in organization.teams:
        raise invalid(f"No team {teamname} in organization {found.namespace}")
    call.world.permit_team(found, teamname, call.body["role"])
    return team_permission_view(found, teamname)


@ROUTES.delete(TEAMS + "<teamname>", **_P)
def delete_team_permission(call: Call, repository: str, teamname: str) -> Result:
    """Take it back."""
    found = call.world.repositories.get(repository)
    if found is None or teamname not in found.teams:
        raise invalid(NO_TEAM)
    call.world.forbid_team(found, teamname)
    return None, 204
