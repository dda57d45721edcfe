# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Robots of organizations and users, their permissions, tokens and federation."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import FORBIDDEN_MESSAGE, Message, invalid, unauthorized
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes, user_admin
from ansible_collections.quayside.airgap.tests.sandbox.quay.views import robot_view
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Organization, Robot, User, avatar, name_fault, secret

ROUTES = Routes("robot")

CREATE = {
    "type": "object",
    "description": "Optional data for creating a robot",
    "properties": {
        "description": {"type": "string", "description": "Optional text description for the robot", "maxLength": 255},
        "unstructured_metadata": {"type": "object", "description": "Optional unstructured metadata for the robot"},
    },
}
FEDERATION = {
    "type": "array",
    "description": "Federation configuration for the robot",
    "items": {
        "type": "object",
        "properties": {
            "issuer": {"type": "string", "description": "The issuer of the token"},
            "subject": {"type": "string", "description": "The subject of the token"},
        },
        "required": ["issuer", "subject"],
    },
}
ORG = "/organization/<orgname>/robots"
OWN = "/user/robots"
ONE = "/<robot_shortname>"
MISSING = "Could not find robot with specified username"


def _mine(call: Call) -> User:
    assert call.user is not None
    return call.user


def _find(call: Call, owner: str, short: str) -> Robot:
    robot = call.world.robots.get(f"{owner}+{short}")
    if robot is None:
        raise Message(400, MISSING)
    return robot


# ----------------------------------------------------------------- listings


@ROUTES.get(ORG, query=("permissions", "token", "limit"), scope="org:admin")
def org_robots(call: Call, orgname: str) -> Result:
    """Robots of an organization; tokens for its admins only."""
    call.require_org_member(orgname)
    found = call.world.organizations.get(orgname)
    return _listing(call, found, tokens=call.is_org_admin(orgname))


@ROUTES.get(OWN, access=user_admin, query=("permissions", "token", "limit"), scope="user:admin")
def user_robots(call: Call) -> Result:
    """The caller's own robots."""
    return _listing(call, _mine(call), tokens=True)


def _listing(call: Call, owner: User | Organization | None, *, tokens: bool) -> Result:
    robots = list(owner.robots.values()) if owner else []
    limit = call.integer("limit", 0)
    shown = robots[:limit] if limit > 0 else robots
    detailed = call.flag("permissions")
    token = tokens and call.flag("token", True)
    rows = []
    for robot in shown:
        row = robot_view(robot, token=token)
        if detailed:
            row["teams"] = _teams(owner, robot)
            row["repositories"] = [full.partition("/")[2] for full in robot.repositories]
        rows.append(row)
    return {"robots": rows}


def _teams(owner: User | Organization | None, robot: Robot) -> list[dict[str, Any]]:
    if not isinstance(owner, Organization):
        return []
    return [{"name": team.name, "avatar": avatar(team.name, "team")} for team in owner.teams.values() if robot.name in team.members]


# ---------------------------------------------------------------- one robot


@ROUTES.get(ORG + ONE, scope="org:admin")
def org_robot(call: Call, orgname: str, robot_shortname: str) -> Result:
    """One robot."""
    call.require_org_admin(orgname)
    call.organization_or_message(orgname)
    robot = _find(call, orgname, robot_shortname)
    return robot_view(robot, metadata=robot.metadata)


@ROUTES.get(OWN + ONE, access=user_admin, scope="user:admin")
def user_robot(call: Call, robot_shortname: str) -> Result:
    """One own robot."""
    robot = _find(call, _mine(call).name, robot_shortname)
    return robot_view(robot, metadata=robot.metadata)


@ROUTES.put(ORG + ONE, schema=CREATE, schema_name="CreateRobot", optional_body=True, scope="org:admin")
def create_org_robot(call: Call, orgname: str, robot_shortname: str) -> Result:
    """Create a robot."""
    call.require_org_admin(orgname)
    return _create(call, call.organization_or_message(orgname), robot_shortname)


@ROUTES.put(OWN + ONE, access=user_admin, schema=CREATE, schema_name="CreateRobot", optional_body=True, scope="user:admin")
def create_user_robot(call: Call, robot_shortname: str) -> Result:
    """Create an own robot."""
    user = _mine(call)
    if call.options.feature("RESTRICTED_USERS") and user.name not in call.world.super_users:
        raise unauthorized()
    return _create(call, user, robot_shortname)


def _refusal(call: Call, text: str) -> Exception:
    """Shape 1 since 3.11."""
    return invalid(text) if call.options.at_least("3.11") else Message(400, text)


def _create(call: Call, owner: User | Organization, short: str) -> Result:
    name = f"{owner.name}+{short}"
    fault = name_fault(short)
    if fault:
        raise _refusal(call, f"The name for the robot '{short}' is invalid: {fault}")
    if name in call.world.robots:
        raise _refusal(call, f"Existing robot with name: {name}")
    if len(name) > 255:
        raise Message(400, "value too long for type character varying(255)\n")
    metadata = call.body.get("unstructured_metadata")
    robot = call.world.add_robot(owner, short, call.body.get("description", ""), metadata)
    return robot_view(robot, metadata=metadata), 201


@ROUTES.delete(ORG + ONE, scope="org:admin")
def delete_org_robot(call: Call, orgname: str, robot_shortname: str) -> Result:
    """Delete a robot."""
    call.require_org_admin(orgname)
    return _delete(call, _find(call, orgname, robot_shortname))


@ROUTES.delete(OWN + ONE, access=user_admin, scope="user:admin")
def delete_user_robot(call: Call, robot_shortname: str) -> Result:
    """Delete an own robot."""
    return _delete(call, _find(call, _mine(call).name, robot_shortname))


def _delete(call: Call, robot: Robot) -> Result:
    owner = call.world.namespace(robot.namespace)
    for repository in owner.repositories.values() if owner else ():
        if (repository.extra.get("mirror") or {}).get("robot_username") == robot.name:
            raise invalid("Robot is being used by a mirror")
    call.world.delete_robot(robot)
    return None, 204


# ------------------------------------------------------ token, permissions


@ROUTES.post(ORG + ONE + "/regenerate", scope="org:admin")
def regenerate_org(call: Call, orgname: str, robot_shortname: str) -> Result:
    """A new token."""
    call.require_org_admin(orgname)
    return _regenerate(_find(call, orgname, robot_shortname))


@ROUTES.post(OWN + ONE + "/regenerate", access=user_admin, scope="user:admin")
def regenerate_user(call: Call, robot_shortname: str) -> Result:
    """A new token of an own robot."""
    return _regenerate(_find(call, _mine(call).name, robot_shortname))


def _regenerate(robot: Robot) -> Result:
    robot.token = secret(64)
    return robot_view(robot)


@ROUTES.get(ORG + ONE + "/permissions", scope="org:admin")
def org_permissions(call: Call, orgname: str, robot_shortname: str) -> Result:
    """What a robot may do on which repositories; needs user:admin too."""
    if not call.has("user:admin"):
        raise call.deny()
    if not call.is_org_admin(orgname):
        raise Message(403, FORBIDDEN_MESSAGE)
    return _permissions(call, _find(call, orgname, robot_shortname))


@ROUTES.get(OWN + ONE + "/permissions", access=user_admin, scope="user:admin")
def user_permissions(call: Call, robot_shortname: str) -> Result:
    """What an own robot may do."""
    return _permissions(call, _find(call, _mine(call).name, robot_shortname))


def _permissions(call: Call, robot: Robot) -> Result:
    rows = []
    for full in robot.repositories:
        repository = call.world.repositories[full]
        shown = {"name": repository.name, "is_public": repository.public}
        rows.append({"repository": shown, "role": repository.users[robot.name]})
    return {"permissions": rows}


# --------------------------------------------------------------- federation


@ROUTES.get(ORG + ONE + "/federation", since="3.13", scope="org:admin")
def org_federation(call: Call, orgname: str, robot_shortname: str) -> Result:
    """Whose tokens a robot accepts."""
    call.require_org_admin(orgname)
    return _find(call, orgname, robot_shortname).federation


@ROUTES.post(
    ORG + ONE + "/federation", since="3.13", schema=FEDERATION, schema_name="CreateRobotFederation", optional_body=False, scope="org:admin"
)
def set_org_federation(call: Call, orgname: str, robot_shortname: str) -> Result:
    """Replace all of it."""
    call.require_org_admin(orgname)
    return _federate(call, _find(call, orgname, robot_shortname))


@ROUTES.delete(ORG + ONE + "/federation", since="3.13", scope="org:admin")
def clear_org_federation(call: Call, orgname: str, robot_shortname: str) -> Result:
    """Remove all of it."""
    call.require_org_admin(orgname)
    _find(call, orgname, robot_shortname).federation = []
    return None, 204


@ROUTES.get(OWN + ONE + "/federation", since="3.18", access=user_admin, scope="user:admin")
def user_federation(call: Call, robot_shortname: str) -> Result:
    """Whose tokens an own robot accepts."""
    return _find(call, _mine(call).name, robot_shortname).federation


@ROUTES.post(
    OWN + ONE + "/federation",
    since="3.18",
    access=user_admin,
    schema=FEDERATION,
    schema_name="CreateRobotFederation",
    scope="user:admin",
)
def set_user_federation(call: Call, robot_shortname: str) -> Result:
    """Replace all of it."""
    return _federate(call, _find(call, _mine(call).name, robot_shortname))


@ROUTES.delete(OWN + ONE + "/federation", since="3.18", access=user_admin, scope="user:admin")
def clear_user_federation(call: Call, robot_shortname: str) -> Result:
    """Remove all of it."""
    _find(call, _mine(call).name, robot_shortname).federation = []
    return None, 204


def _federate(call: Call, robot: Robot) -> Result:
    entries = [{"issuer": entry["issuer"], "subject": entry["subject"]} for entry in call.body]
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        if urlsplit(entry["issuer"]).scheme not in ("http", "https"):
            raise invalid("Issuer must be a URL (http:// or https://)")
        pair = (entry["issuer"], entry["subject"])
        if pair in seen:
            raise invalid("Duplicate federation config entry")
        seen.add(pair)
    robot.federation = entries
    return entries
