# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Organizations, their members and collaborators."""

from __future__ import annotations

from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import Message, invalid, not_found, unauthorized
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes, org_admin
from ansible_collections.quayside.airgap.tests.sandbox.quay.views import organization_member_view, organization_view
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import avatar, email_ok, name_fault

ROUTES = Routes("organization")


def new_schema(options: QuayOptions) -> dict[str, Any]:
    """NewOrg; contact_email since 3.18."""
    properties: dict[str, Any] = {
        "name": {"type": "string", "description": "Organization username"},
        "email": {"type": "string", "description": "Organization contact email"},
        "recaptcha_response": {"type": "string", "description": "The (may be disabled) recaptcha response code for verification"},
    }
    if options.at_least("3.18"):
        properties["contact_email"] = {"type": ["string", "null"], "description": "Organization contact email"}
    return {"type": "object", "description": "Description of a new organization.", "required": ["name"], "properties": properties}


def update_schema(options: QuayOptions) -> dict[str, Any]:
    """UpdateOrg; contact_email since 3.18."""
    properties: dict[str, Any] = {
        "email": {"type": "string", "description": "Organization contact email"},
        "invoice_email": {"type": "boolean", "description": "Whether the organization desires to receive emails for invoices"},
        "invoice_email_address": {"type": ["string", "null"], "description": "The email address at which to receive invoices"},
        "tag_expiration_s": {"type": "integer", "minimum": 0, "description": "The number of seconds for tag expiration"},
    }
    if options.at_least("3.18"):
        properties["contact_email"] = {"type": ["string", "null"], "description": "Organization contact email"}
    return {"type": "object", "description": "Description of updates for an existing organization", "properties": properties}


def wanted_email(call: Call) -> str | None:
    """The address of a body, None when there is none; from 3.18 on only what looks like one, before only what is free."""
    given = call.body.get("email")
    if call.options.at_least("3.18") and "contact_email" in call.body:
        given = call.body["contact_email"] or ""
    if not given:
        return given
    if call.options.at_least("3.18") and not email_ok(given):
        raise invalid("Invalid email address")
    return str(given)


def refuse_used_email(call: Call, email: str, own: str = "", text: str = "Email has already been used: {}") -> None:
    """Before 3.18 an address belongs to one namespace; later organizations share them."""
    world = call.world
    taken = [user.name for user in world.users.values() if user.email == email]
    if not call.options.at_least("3.18"):
        taken += [found.name for found in world.organizations.values() if found.email == email]
    elif not call.options.feature("MAILING"):
        taken = []
    if any(name != own for name in taken):
        raise invalid(text.format(email))


@ROUTES.post("/organization/", schema=new_schema, schema_name="NewOrg", scope="user:admin")
def create(call: Call) -> Result:
    """Create an organization."""
    world, options = call.world, call.options
    name = call.body["name"]
    if not call.has("user:admin"):
        raise call.deny()
    assert call.user is not None
    ordinary = call.user.name not in world.super_users
    if ordinary and (options.feature("RESTRICTED_USERS") or options.feature("SUPERUSERS_ORG_CREATION_ONLY")):
        raise unauthorized()
    if world.namespace(name) is not None:
        raise invalid("A user or organization with this name already exists")
    email = wanted_email(call)
    if email:
        refuse_used_email(call, email)
    fault = name_fault(name)
    if fault:
        raise invalid(f"Invalid namespace {name}: {fault}")
    if name in world.deleted_names:
        raise invalid("Username is not available")
    world.add_organization(name, call.user.name, email or "")
    return "Created", 201


@ROUTES.get("/organization/<orgname>", scope="org:admin")
def show(call: Call, orgname: str) -> Result:
    """An organization, for everybody."""
    return organization_view(call, call.organization(orgname))


@ROUTES.put("/organization/<orgname>", schema=update_schema, schema_name="UpdateOrg", scope="org:admin")
def update(call: Call, orgname: str) -> Result:
    """Change an organization."""
    options = call.options
    call.require_org_admin(orgname)
    found = call.world.organizations.get(orgname)
    if found is None:
        raise not_found() if options.at_least("3.9") else unauthorized()
    body = call.body
    email = wanted_email(call)
    if email and email != found.email:
        refuse_used_email(
            call, email, orgname, "Email has already been used: {}" if options.at_least("3.18") else "E-mail address already used"
        )
    if "tag_expiration_s" in body and body["tag_expiration_s"] not in call.options.tag_expirations:
        raise Message(400, "Invalid tag expiration option")
    if email is not None:
        found.email = email
        found.placeholder = ""
    if "invoice_email" in body:
        found.invoice_email = body["invoice_email"]
    if "invoice_email_address" in body:
        found.invoice_email_address = body["invoice_email_address"]
    if "tag_expiration_s" in body:
        found.tag_expiration = body["tag_expiration_s"]
    return organization_view(call, found)


@ROUTES.delete("/organization/<orgname>", scope="org:admin")
def delete(call: Call, orgname: str) -> Result:
    """Delete an organization."""
    call.require_org_admin(orgname)
    call.require_fresh_login()
    if orgname not in call.world.organizations:
        raise not_found() if call.options.at_least("3.9") else unauthorized()
    call.world.delete_namespace(call.organization(orgname))
    return None, 204


@ROUTES.get("/organization/<orgname>/members", access=org_admin, scope="org:admin")
def members(call: Call, orgname: str) -> Result:
    """The people in the teams."""
    found = call.organization(orgname)
    return {"members": [organization_member_view(call.world, found, user.name) for user in call.world.members(found)]}


@ROUTES.get("/organization/<orgname>/members/<membername>", access=org_admin, scope="org:admin")
def member(call: Call, orgname: str, membername: str) -> Result:
    """One of them."""
    found = call.organization(orgname)
    if not any(user.name == membername for user in call.world.members(found)):
        raise not_found()
    return organization_member_view(call.world, found, membername)


@ROUTES.delete("/organization/<orgname>/members/<membername>", access=org_admin, scope="org:admin")
def remove_member(call: Call, orgname: str, membername: str) -> Result:
    """Take somebody out of all teams and permissions."""
    found = call.organization(orgname)
    if membername not in call.world.users:
        raise not_found()
    admins = {name for team in found.teams.values() if team.role == "admin" for name in team.members if name in call.world.users}
    if admins == {membername}:
        raise Message(400, "Cannot remove user as they are the only organization admin")
    for team in found.teams.values():
        call.world.leave(found, team, membername)
    for repository in found.repositories.values():
        call.world.forbid(repository, membername)
    return None, 204


@ROUTES.get("/organization/<orgname>/collaborators", access=org_admin, scope="org:admin")
def collaborators(call: Call, orgname: str) -> Result:
    """People with permissions who are in no team."""
    found = call.organization(orgname)
    inside = {user.name for user in call.world.members(found)}
    seen: dict[str, list[str]] = {}
    for repository in found.repositories.values():
        for name in repository.users:
            if name in call.world.users and name not in inside:
                seen.setdefault(name, []).append(repository.name)
    rows = [{"kind": "user", "name": name, "avatar": avatar(name), "repositories": names} for name, names in seen.items()]
    return {"collaborators": rows}
