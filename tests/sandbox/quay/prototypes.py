# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Default permissions ("prototypes"): who gets which role on the repositories that an organization will have.

They are in `organization.extra["prototypes"]`, in the order in which they were made; the same rule may be there several times.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Union

from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import Message, invalid, not_found
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Organization, Repository, Robot, Team, User, World, avatar

ROUTES = Routes("prototype")

ROLE = {"type": "string", "description": "Role that should be applied to the delegate", "enum": ["read", "write", "admin"]}
NEW = {
    "type": "object",
    "description": "Description of a new prototype",
    "required": ["role", "delegate"],
    "properties": {
        "role": ROLE,
        "activating_user": {
            "type": "object",
            "description": "Repository creating user to whom the rule should apply",
            "required": ["name"],
            "properties": {"name": {"type": "string", "description": "The username for the activating_user"}},
        },
        "delegate": {
            "type": "object",
            "description": "Information about the user or team to which the rule grants access",
            "required": ["name", "kind"],
            "properties": {
                "name": {"type": "string", "description": "The name for the delegate team or user"},
                "kind": {"type": "string", "description": "Whether the delegate is a user or a team", "enum": ["user", "team"]},
            },
        },
    },
}
UPDATE = {
    "type": "object",
    "description": "Description of a the new prototype role",
    "required": ["role"],
    "properties": {"role": {**ROLE, "description": "Role that should be applied to the permission"}},
}
LIST = "/organization/<orgname>/prototypes"
ONE = LIST + "/<prototypeid>"
Account = Union[User, Robot]


@dataclass
class Prototype:
    """One rule; `creator` None: for repositories of everybody."""

    role: str
    delegate: Account | Team
    creator: Account | None = None
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))


def install(world: World) -> None:
    """Every new repository gets what the rules say."""
    world.created_hooks.append(partial(apply, world))


def apply(world: World, repository: Repository, creator: str | None) -> None:
    """A rule for the creator goes before one for everybody; the creator is admin anyway."""
    organization = world.organizations.get(repository.namespace)
    if organization is None or creator is None:
        return
    roles: dict[tuple[bool, str], str] = {}
    for rule in rules(world, organization):
        key = (isinstance(rule.delegate, Team), rule.delegate.name)
        if rule.creator is None:
            roles.setdefault(key, rule.role)
        elif rule.creator.name == creator:
            roles[key] = rule.role
    for (is_team, name), role in roles.items():
        if is_team:
            world.permit_team(repository, name, role)
        elif name != creator:
            world.permit(repository, name, role)


def rules(world: World, organization: Organization) -> list[Prototype]:
    """The rules of an organization; those of people, robots and teams that are gone went with them."""
    found: list[Prototype] = organization.extra.get("prototypes", [])
    found[:] = [rule for rule in found if _lives(world, organization, rule.delegate) and _lives(world, organization, rule.creator)]
    return found


def _lives(world: World, organization: Organization, found: Account | Team | None) -> bool:
    if isinstance(found, Team):
        return organization.teams.get(found.name) is found
    return found is None or _account(world, found.name) is found


def _account(world: World, name: str) -> Account | None:
    return world.users.get(name) or world.robots.get(name)


# ------------------------------------------------------------------- routes


@ROUTES.get(LIST, scope="org:admin")
def show(call: Call, orgname: str) -> Result:
    """All rules."""
    found = _organization(call, orgname)
    return {"prototypes": [view(found, rule) for rule in rules(call.world, found)]}


@ROUTES.post(LIST, schema=NEW, schema_name="NewPrototype", scope="org:admin")
def create(call: Call, orgname: str) -> Result:
    """One more rule, also if there is the same already."""
    found = _organization(call, orgname)
    name, kind = call.body["delegate"]["name"], call.body["delegate"]["kind"]
    creator_name = call.body.get("activating_user", {}).get("name")
    if kind == "team" and name and name not in found.teams:
        raise Message(400, f"('Team does not exist: %s/%s', {orgname!r}, {name!r})")
    creator = _account(call.world, creator_name) if creator_name else None
    if creator_name and creator is None:
        raise invalid("Unknown activating user")
    delegate = found.teams.get(name) if kind == "team" else _account(call.world, name)
    if delegate is None:
        raise invalid("Missing delegate user or team")
    rule = Prototype(call.body["role"], delegate, creator)
    found.extra.setdefault("prototypes", []).append(rule)
    return view(found, rule)


@ROUTES.put(ONE, schema=UPDATE, schema_name="PrototypeUpdate", scope="org:admin")
def update(call: Call, orgname: str, prototypeid: str) -> Result:
    """Another role."""
    found = _organization(call, orgname)
    rule = _rule(call, found, prototypeid)
    rule.role = call.body["role"]
    return view(found, rule)


@ROUTES.delete(ONE, scope="org:admin")
def delete(call: Call, orgname: str, prototypeid: str) -> Result:
    """One rule less."""
    found = _organization(call, orgname)
    rules(call.world, found).remove(_rule(call, found, prototypeid))
    return None, 204


def _organization(call: Call, name: str) -> Organization:
    call.require_org_admin(name)
    return call.organization(name)


def _rule(call: Call, organization: Organization, identifier: str) -> Prototype:
    for rule in rules(call.world, organization):
        if rule.uuid == identifier:
            return rule
    raise not_found()


def view(organization: Organization, rule: Prototype) -> dict[str, Any]:
    """A rule as Quay shows it."""
    if isinstance(rule.delegate, Team):
        delegate = {"name": rule.delegate.name, "kind": "team", "avatar": avatar(rule.delegate.name, "team")}
    else:
        delegate = _account_view(organization, rule.delegate)
    return {
        "activating_user": _account_view(organization, rule.creator) if rule.creator else None,
        "delegate": delegate,
        "role": rule.role,
        "id": rule.uuid,
    }


def _account_view(organization: Organization, account: Account) -> dict[str, Any]:
    robot = isinstance(account, Robot)
    return {
        "name": account.name,
        "is_robot": robot,
        "kind": "user",
        "is_org_member": robot or any(account.name in team.members for team in organization.teams.values()),
        "avatar": avatar(account.name, "robot" if robot else "user", account.email if isinstance(account, User) else ""),
    }
