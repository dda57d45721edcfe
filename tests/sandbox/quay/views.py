# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a sandbox Quay shows users, organizations, teams, robots and repositories."""

from __future__ import annotations

from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, user_admin_of
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import (
    Namespace,
    Organization,
    Repository,
    Robot,
    Team,
    User,
    World,
    avatar,
    date,
)

NO_REPORT = {"quota_bytes": 0, "configured_quota": None, "running_backfill": "waiting", "backfill_status": "waiting"}
OLD_REPORT = ("quota_bytes", "configured_quota")


def quotas(call: Call, namespace: Namespace) -> dict[str, Any]:
    """The quota part of several views; nothing where quotas are switched off."""
    world, options = call.world, call.options
    if not options.feature("QUOTA_MANAGEMENT") or (options.at_least("3.12") and not options.feature("EDIT_QUOTA")):
        return {}
    entries = world.extra.get("quota_view")
    report = world.extra.get("quota_report")
    shown = report(namespace) if report else NO_REPORT
    return {
        "quotas": entries(namespace) if entries else [],
        "quota_report": {key: value for key, value in shown.items() if options.at_least("3.9") or key in OLD_REPORT},
    }


def shown_email(call: Call, namespace: Namespace, *, superuser: bool = False) -> str:
    """The address; where none was given older versions (and the superuser's list) show a UUID."""
    if namespace.email or (call.options.at_least("3.18") and not superuser):
        return namespace.email
    return namespace.placeholder


def organization_view(call: Call, found: Organization) -> dict[str, Any]:
    """GET /organization/x: reduced for everybody who does not administer it."""
    admin = call.is_org_admin(found.name)
    member = call.is_org_member(found.name)
    email = shown_email(call, found) if admin else ""
    view: dict[str, Any] = {
        "name": found.name,
        "email": email,
        "avatar": avatar(found.name, "user", found.email),
        "is_admin": admin,
        "is_member": member,
    }
    if member or admin:
        shown = {team.name: team_row(call, found, team) for team in found.teams.values()}
        view["teams"] = shown
        view["ordered_teams"] = list(shown)
    if admin:
        view["invoice_email"] = found.invoice_email
        view["invoice_email_address"] = found.invoice_email_address
        view["tag_expiration_s"] = found.tag_expiration
        view["is_free_account"] = True
    if admin or member:
        view.update(quotas(call, found))
    return view


def team_view(team: Team, *, can_view: bool = True) -> dict[str, Any]:
    """A team as PUT gives it."""
    return {
        "name": team.name,
        "description": team.description,
        "can_view": can_view,
        "role": team.role,
        "avatar": avatar(team.name, "team"),
    }


def team_row(call: Call, organization: Organization, team: Team) -> dict[str, Any]:
    """A team in the view of its organization."""
    # Teams are seen by whom the user is, whatever the scopes of the token.
    user = call.user.name if call.user else ""
    sees = call.is_org_admin(organization.name) or user in team.members or user_admin_of(user, organization)
    counts = {"repo_count": len(team.repositories), "member_count": len(team.members), "is_synced": "sync" in team.extra}
    return {**team_view(team, can_view=sees), **counts}


def member_view(world: World, name: str, *, invited: bool = False) -> dict[str, Any]:
    """A member of a team."""
    robot = name in world.robots
    kind = "robot" if robot else "user"
    return {"name": name, "kind": "user", "is_robot": robot, "avatar": _picture(world, name, kind), "invited": invited}


def _picture(world: World, name: str, kind: str) -> dict[str, Any]:
    user = world.users.get(name)
    return avatar(name, kind, user.email if user else "")


def organization_member_view(world: World, organization: Organization, name: str) -> dict[str, Any]:
    """A person in an organization, with teams and repositories."""
    teams = [team for team in organization.teams.values() if name in team.members]
    return {
        "name": name,
        "kind": "user",
        "avatar": _picture(world, name, "user"),
        "teams": [{"name": team.name, "avatar": avatar(team.name, "team")} for team in teams],
        "repositories": [repository.name for repository in organization.repositories.values() if name in repository.users],
    }


def user_view(call: Call, user: User, *, me: bool = True) -> dict[str, Any]:
    """GET /user/; a token that administers nothing of the user sees little."""
    world, options = call.world, call.options
    if me and user is call.user and not call.has("user:admin"):
        seen = [user_organization(call, user, found) for found in user.organizations.values()]
        hidden = ("is_org_admin", "preferred_namespace")
        return {
            "anonymous": False,
            "username": user.name,
            "avatar": avatar(user.name, "user", user.email),
            "organizations": [{key: value for key, value in row.items() if key not in hidden} for row in seen],
        }
    restricted = options.feature("RESTRICTED_USERS") and user.name not in world.super_users
    view: dict[str, Any] = {
        "anonymous": False,
        "username": user.name,
        "avatar": avatar(user.name, "user", user.email),
        "can_create_repo": not restricted,
        "is_me": me,
        "verified": user.verified,
        "email": user.email or user.placeholder,
        "logins": [],
        "invoice_email": user.invoice_email,
        "invoice_email_address": user.invoice_email_address,
        "preferred_namespace": False,
        "tag_expiration_s": user.tag_expiration,
        "prompts": ["enter_name", "enter_company"] if not user.profile else [],
        "company": user.profile.get("company"),
        "family_name": user.profile.get("family_name"),
        "given_name": user.profile.get("given_name"),
        "location": user.profile.get("location"),
        "is_free_account": True,
        "has_password_set": bool(user.password),
        **quotas(call, user),
        "organizations": [user_organization(call, user, found) for found in user.organizations.values()],
    }
    if user.name in world.super_users and call.superuser and options.feature("SUPER_USERS"):
        view["super_user"] = True
    if user.name in options.readonly_superusers:
        view["global_readonly_super_user"] = True
    return view


def user_organization(call: Call, user: User, found: Organization) -> dict[str, Any]:
    """An organization in the view of its member."""
    roles = {team.role for team in found.teams.values() if user.name in team.members}
    return {
        "name": found.name,
        "avatar": avatar(found.name, "org", found.email),
        "can_create_repo": bool(roles & {"admin", "creator"}),
        "public": False,
        "is_org_admin": "admin" in roles,
        "preferred_namespace": False,
    }


def superuser_user_view(call: Call, user: User) -> dict[str, Any]:
    """A user in the superuser's panel."""
    view = {
        "kind": "user",
        "name": user.name,
        "username": user.name,
        "email": user.email or user.placeholder,
        "verified": user.verified,
        "avatar": avatar(user.name, "user", user.email),
        "super_user": user.name in call.world.super_users,
        "enabled": user.enabled,
        **quotas(call, user),
    }
    if call.options.at_least("3.9"):
        view["global_readonly_super_user"] = user.name in call.options.readonly_superusers
    return view


def superuser_organization_view(call: Call, found: Organization) -> dict[str, Any]:
    """An organization in the superuser's panel."""
    email = shown_email(call, found, superuser=True)
    return {"name": found.name, "email": email, "avatar": avatar(found.name, "org", found.email), **quotas(call, found)}


def robot_view(robot: Robot, *, token: bool = True, metadata: Any = ...) -> dict[str, Any]:
    """A robot; metadata are part of some answers only."""
    view: dict[str, Any] = {
        "name": robot.name,
        "created": date(robot.created),
        "last_accessed": None,
        "description": robot.description,
    }
    if token:
        view["token"] = robot.token
    if metadata is not ...:
        view["unstructured_metadata"] = metadata
    return view


def repository_view(call: Call, repository: Repository, namespace: Namespace) -> dict[str, Any]:
    """GET /repository/x/y without tags."""
    full = repository.full_name
    return {
        "namespace": repository.namespace,
        "name": repository.name,
        "kind": repository.extra.get("kind", "image"),
        "description": repository.description,
        "is_public": repository.public,
        "is_organization": isinstance(namespace, Organization),
        "is_starred": call.user is not None and full in call.user.starred,
        "status_token": "" if repository.public else repository.token,
        "trust_enabled": False,
        "tag_expiration_s": namespace.tag_expiration,
        "is_free_account": True,
        "state": repository.state,
    }


def repository_row(call: Call, repository: Repository, *, modified: bool, popularity: bool) -> dict[str, Any]:
    """A repository in a listing."""
    row: dict[str, Any] = {
        "namespace": repository.namespace,
        "name": repository.name,
        "description": repository.description,
        "is_public": repository.public,
        "kind": repository.extra.get("kind", "image"),
        "state": repository.state,
    }
    if modified:
        row["last_modified"] = repository.extra.get("last_modified")
    if popularity:
        row["popularity"] = 0.0
    if call.user is not None:
        row["is_starred"] = repository.full_name in call.user.starred
    report = call.world.extra.get("repo_quota_report")
    row["quota_report"] = report(repository) if report else {"quota_bytes": 0, "configured_quota": None}
    return row


def user_permission_view(world: World, repository: Repository, name: str) -> dict[str, Any]:
    """The permission of a user or robot on a repository."""
    robot = name in world.robots
    view: dict[str, Any] = {
        "role": repository.users[name],
        "name": name,
        "is_robot": robot,
        "avatar": _picture(world, name, "robot" if robot else "user"),
    }
    organization = world.organizations.get(repository.namespace)
    if organization is not None:
        own = robot and name.startswith(organization.name + "+")
        view["is_org_member"] = own or any(name in team.members for team in organization.teams.values())
    return view


def team_permission_view(repository: Repository, name: str) -> dict[str, Any]:
    """The permission of a team on a repository."""
    return {"role": repository.teams[name], "name": name, "avatar": avatar(name, "team")}
