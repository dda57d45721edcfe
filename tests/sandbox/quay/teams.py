# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Teams of organizations and who is in them: members that somebody puts there, and those of a group of a directory.

The directory is `world.extra["directory"]`: group -> names of users, as LDAP (without the base DN) or Keystone name it. Which kind of
directory there is says AUTHENTICATION_TYPE among the settings of the sandbox's options. `team.extra["sync"]` holds the group.
"""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import Crash, Message, invalid, not_found
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes, user_admin_of
from ansible_collections.quayside.airgap.tests.sandbox.quay.views import member_view, team_view
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Organization, Team, World, date, name_fault

ROUTES = Routes("team")

BASE_DN = "dc=example,dc=com"
SERVICES = {"LDAP": "ldap", "Keystone": "keystone", "OIDC": "oidc", "JWT": "jwtauthn"}

TEAM = {
    "type": "object",
    "description": "Description of a team",
    "required": ["role"],
    "properties": {
        "role": {
            "type": "string",
            "description": "Org wide permissions that should apply to the team",
            "enum": ["member", "creator", "admin"],
        },
        "description": {"type": "string", "description": "Markdown description for the team"},
    },
}


@ROUTES.put("/organization/<orgname>/team/<teamname>", schema=TEAM, schema_name="TeamDescription", scope="org:admin")
def put(call: Call, orgname: str, teamname: str) -> Result:
    """Create or change a team."""
    call.require_org_admin(orgname)
    found = call.organization_or_message(orgname)
    body = call.body
    team = found.teams.get(teamname)
    is_new = team is None
    if team is None:
        fault = name_fault(teamname, "Team")
        if fault:
            raise Message(400, f"Invalid team name {teamname}: {fault}")
        team = found.teams[teamname] = Team(teamname, body["role"], body.get("description", ""))
    else:
        if team.role == "admin" and body["role"] != "admin" and _only_admin_team(call, found, team):
            text = f"Cannot remove admin from team '{teamname}' because calling user would no longer have admin on org '{orgname}'"
            raise Message(400, text)
        team.role = body["role"]
        if "description" in body:
            team.description = body["description"]
    return {**team_view(team), "new_team": is_new}


@ROUTES.delete("/organization/<orgname>/team/<teamname>", scope="org:admin")
def delete(call: Call, orgname: str, teamname: str) -> Result:
    """Delete a team."""
    call.require_org_admin(orgname)
    found = call.world.organizations.get(orgname)
    team = found.teams.get(teamname) if found else None
    if found is None or team is None:
        raise Message(400, f"Team '{teamname}' is not a team in org '{orgname}'")
    if _only_admin_team(call, found, team):
        name = call.user.name if call.user else ""
        raise Message(400, f"Deleting team '{teamname}' would remove admin ability for user '{name}' in organization '{orgname}'")
    call.world.delete_team(found, teamname)
    return None, 204


@ROUTES.get("/organization/<orgname>/team/<teamname>/members", query=("includePending",), scope="org:admin")
def members(call: Call, orgname: str, teamname: str) -> Result:
    """Who is in a team."""
    found, team = _team(call, orgname, teamname, read=True)
    rows = [member_view(call.world, name) for name in team.members]
    admin = call.is_org_admin(found.name)
    if call.flag("includePending") and admin:
        rows += [member_view(call.world, name, invited=True) for name in team.invited]
    return {"name": teamname, "members": rows, "can_edit": admin, **_syncing_view(call, orgname, team)}


@ROUTES.put("/organization/<orgname>/team/<teamname>/members/<membername>", scope="org:admin")
def add(call: Call, orgname: str, teamname: str, membername: str) -> Result:
    """Put a user or a robot of the organization into a team."""
    _refuse_synced(call, orgname, teamname, membername)
    found, team = _team(call, orgname, teamname)
    world = call.world
    robot = membername in world.robots and membername.startswith(orgname + "+")
    if membername not in world.users and not robot:
        raise invalid("Unknown user")
    if membername in team.members:
        raise Message(400, f"User {membername} is already a member of team {teamname}")
    known = robot or orgname in world.users[membername].organizations
    if call.options.feature("MAILING") and call.options.feature("REQUIRE_TEAM_INVITE") and not known:
        team.invited[membername] = None
        if world.extra.get("mail_down"):
            raise Message(400, "Could not send email. Please contact an administrator and report this problem.")
        return member_view(world, membername, invited=True)
    world.join(found, team, membername)
    return member_view(world, membername)


@ROUTES.delete("/organization/<orgname>/team/<teamname>/members/<membername>", scope="org:admin")
def remove(call: Call, orgname: str, teamname: str, membername: str) -> Result:
    """Take somebody out of a team."""
    _refuse_synced(call, orgname, teamname, membername)
    found, team = _team(call, orgname, teamname)
    if membername not in call.world.users and membername not in call.world.robots:
        raise not_found()
    if membername not in team.members:
        if membername in team.invited:
            call.world.leave(found, team, membername)
            return None, 204
        raise Message(400, f"User {membername} does not belong to team {teamname}")
    own = call.user is not None and call.user.name == membername
    if own and _only_admin_team(call, found, team):
        raise Message(400, "User cannot remove themselves from their only admin team.")
    call.world.leave(found, team, membername)
    return None, 204


@ROUTES.get("/organization/<orgname>/team/<teamname>/permissions", scope="org:admin")
def permissions(call: Call, orgname: str, teamname: str) -> Result:
    """What a team may do on which repositories."""
    _found, team = _team(call, orgname, teamname)
    rows = []
    for full in team.repositories:
        repository = call.world.repositories[full]
        shown = {"name": repository.name, "is_public": repository.public}
        rows.append({"repository": shown, "role": repository.teams[teamname]})
    return {"permissions": rows}


# ------------------------------------------------------------------ syncing


@ROUTES.post("/organization/<orgname>/team/<teamname>/syncing", feature="TEAM_SYNCING", scope="super:user")
def synchronize(call: Call, orgname: str, teamname: str) -> Result:
    """Let the directory say who is in a team."""
    team = _team_to_sync(call, orgname, teamname)
    if not isinstance(call.body, dict):
        raise Crash()
    fault = _group_fault(call, call.body)
    if fault:
        raise invalid(f"Could not sync to group: {fault}")
    if "sync" in team.extra:
        raise Crash()
    team.extra["sync"] = {"service": _service(call), "last_updated": None, "config": call.body}
    if _service(call) == "oidc":
        for name in [name for name in team.members if name in call.world.users]:
            call.world.leave(call.organization(orgname), team, name)
    return {**team_view(team), "new_team": False}


@ROUTES.delete("/organization/<orgname>/team/<teamname>/syncing", feature="TEAM_SYNCING", scope="super:user")
def end_synchronization(call: Call, orgname: str, teamname: str) -> Result:
    """Leave the team as it is, to be changed by hand again."""
    team = _team_to_sync(call, orgname, teamname)
    team.extra.pop("sync", None)
    return {**team_view(team), "new_team": False}


def fill_from_directory(world: World) -> None:
    """What Quay's worker does now and then: bring the people of synchronized teams in line with their groups. Robots stay."""
    for organization in world.organizations.values():
        for team in organization.teams.values():
            sync = team.extra.get("sync")
            if not sync or sync["service"] == "oidc":
                continue
            group = world.extra.get("directory", {}).get(next(iter(sync["config"].values())), [])
            for name in [name for name in team.members if name in world.users and name not in group]:
                world.leave(organization, team, name)
            for name in group:
                world.join(organization, team, name)
            sync["last_updated"] = time.time()


def _service(call: Call) -> str:
    """How Quay calls its directory; empty where its users are in its own database."""
    return SERVICES.get(str(call.options.settings.get("AUTHENTICATION_TYPE", "Database")), "")


def _may_sync(call: Call, orgname: str) -> bool:
    superuser = call.superuser or call.options.feature("NONSUPERUSER_TEAM_SYNCING_SETUP")
    return superuser and call.is_org_admin(orgname)


def _team_to_sync(call: Call, orgname: str, teamname: str) -> Team:
    call.require_fresh_login()
    if not _may_sync(call, orgname):
        raise call.deny()
    found = call.organization(orgname)
    if teamname not in found.teams:
        raise not_found()
    return found.teams[teamname]


def _group_fault(call: Call, config: dict[str, Any]) -> str:
    """What is wrong with a group; OIDC cannot be asked."""
    service, directory = _service(call), call.world.extra.get("directory", {})
    if service == "ldap":
        if not config.get("group_dn"):
            return "Missing group_dn"
        return "" if directory.get(config["group_dn"]) else "Group does not exist or is empty"
    if service == "keystone":
        if not config.get("group_id"):
            return "Missing group_id"
        return "" if config["group_id"] in directory else "Group not found"
    return "" if service == "oidc" else "Not supported"


def _refuse_synced(call: Call, orgname: str, teamname: str, membername: str) -> None:
    if not call.options.feature("TEAM_SYNCING") or not _service(call) or "+" in membername:
        return
    found = call.world.organizations.get(orgname)
    team = found.teams.get(teamname) if found else None
    if team is not None and "sync" in team.extra:
        raise invalid("Cannot call this method on an auth-synced team")


def _syncing_view(call: Call, orgname: str, team: Team) -> dict[str, Any]:
    """What the list of members says of the directory; the group is for superusers."""
    service = _service(call)
    if not call.options.feature("TEAM_SYNCING") or not service:
        return {}
    view: dict[str, Any] = {}
    if _may_sync(call, orgname):
        view["can_sync"] = {"service": service, **({"base_dn": BASE_DN} if service == "ldap" else {})}
    sync = team.extra.get("sync")
    if sync:
        view["synced"] = {"service": sync["service"]}
        if call.superuser or call.options.feature("NONSUPERUSER_TEAM_SYNCING_SETUP"):
            view["synced"].update(last_updated=date(sync["last_updated"]), config=sync["config"])
    return view


def _team(call: Call, orgname: str, teamname: str, *, read: bool = False) -> tuple[Organization, Team]:
    if not call.is_org_admin(orgname):
        inside = call.world.organizations.get(orgname)
        team = inside.teams.get(teamname) if inside else None
        member = call.user is not None and team is not None and call.user.name in team.members
        if not (read and member and call.has("org:admin", "repo:create")):
            raise call.deny()
    found = call.organization(orgname)
    if teamname not in found.teams:
        raise not_found()
    return found, found.teams[teamname]


def _only_admin_team(call: Call, organization: Organization, team: Team) -> bool:
    """Whether the caller administers the organization through this team alone."""
    if call.user is None or team.role != "admin" or call.user.name not in team.members:
        return False
    others = Organization(organization.name, teams={name: other for name, other in organization.teams.items() if other is not team})
    return not user_admin_of(call.user.name, others)
