# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What superusers do: users, organizations, taking ownership."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import Crash, Message, invalid, not_found
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import superuser as superusers
from ansible_collections.quayside.airgap.tests.sandbox.quay.views import superuser_organization_view, superuser_user_view
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Organization, User, email_ok, name_fault, password_fault, secret

ROUTES = Routes("superuser", feature="SUPER_USERS")

NEW_USER = {
    "type": "object",
    "description": "Data for creating a user",
    "required": ["username"],
    "properties": {
        "username": {"type": "string", "description": "The username of the user being created"},
        "email": {"type": "string", "description": "The email address of the user being created"},
    },
}
UPDATE_USER = {
    "type": "object",
    "description": "Description of updates for a user",
    "properties": {
        "password": {"type": "string", "description": "The new password for the user"},
        "email": {"type": "string", "description": "The new e-mail address for the user"},
        "enabled": {"type": "boolean", "description": "Whether the user is enabled"},
    },
}
UPDATE_ORG = {
    "type": "object",
    "description": "Description of updates for an organization",
    "properties": {
        "name": {"type": "string", "description": "The new name for the organization"},
    },
}
PAGE_LIMIT = 100
_S: dict[str, Any] = {"scope": "super:user"}


def _page(call: Call, key: str, entries: list[Any]) -> tuple[list[Any], dict[str, str]]:
    """The entries of one page: all of them, unless ?limit= (3.9 and later) is given."""
    limit = call.integer("limit", 0) if call.options.at_least("3.9") else 0
    if limit <= 0:
        return entries, {}
    if limit > PAGE_LIMIT:
        raise invalid(f"Page limit cannot be above {PAGE_LIMIT}")
    try:
        kind, _colon, value = base64.urlsafe_b64decode(call.first("next_page")).decode().partition(":")
        start = int(value) if kind == key else 0
    except (binascii.Error, UnicodeDecodeError, ValueError):
        start = 0
    following = {}
    if start + limit < len(entries):
        following = {"next_page": base64.urlsafe_b64encode(f"{key}:{start + limit}".encode()).decode()}
    return entries[start : start + limit], following


def _user(call: Call, name: str) -> User:
    found = call.world.users.get(name)
    if found is None:
        raise not_found()
    return found


# -------------------------------------------------------------------- users


@ROUTES.get("/superuser/users/", access=superusers, query=("disabled", "limit", "next_page"), **_S)
def users(call: Call) -> Result:
    """All users."""
    found = [user for user in call.world.users.values() if user.enabled or call.flag("disabled", True)]
    page, following = _page(call, "users", found)
    return {"users": [superuser_user_view(call, user) for user in page], **following}


@ROUTES.post("/superuser/users/", schema=NEW_USER, schema_name="CreateInstallUser", **_S)
def create_user(call: Call) -> Result:
    """A new user with a generated password."""
    call.require_superuser()
    world = call.world
    name, email = call.body["username"], call.body.get("email")
    if call.options.feature("MAILING") and not (email and email_ok(email)):
        raise Message(400, f"Invalid email address: {email}")
    if name in world.users:
        raise Message(400, f"Username has already been taken by user cannot be reused: {name}")
    if name in world.organizations:
        raise Message(400, f"Username has already been taken by an organization and cannot be reused: {name}")
    fault = name_fault(name)
    if fault:
        raise Message(400, f"Invalid namespace {name}: {fault}")
    if name in world.deleted_names:
        raise Message(400, "Username is not available")
    if email and any(user.email == email for user in world.users.values()):
        if not call.options.at_least("3.9"):
            raise Message(400, f"Email has already been used: {email}")
        constraint = 'duplicate key value violates unique constraint "user_email_unique_non_org"'
        raise Message(400, f"{constraint}\nDETAIL:  Key (email)=({email}) already exists.\n")
    password = secret(32)
    made = world.add_user(name, password, email or "")
    if call.options.feature("MAILING"):
        made.verified = False
        if world.extra.get("mail_down"):
            raise Message(400, "Could not send email. Please contact an administrator and report this problem.")
    return {"username": name, "email": email, "password": password, "encrypted_password": world.encrypt(name)}


@ROUTES.get("/superuser/users/<username>", access=superusers, **_S)
def user(call: Call, username: str) -> Result:
    """One user."""
    return superuser_user_view(call, _user(call, username))


@ROUTES.put("/superuser/users/<username>", schema=UPDATE_USER, schema_name="UpdateUser", **_S)
def update_user(call: Call, username: str) -> Result:
    """Change a user; the answer shows `enabled` as it was before.

    `superuser` goes into config.yaml (world.extra["config_super_users"]), which Quay reads when it starts.
    """
    call.require_superuser()
    found = _user(call, username)
    world, body = call.world, call.body
    if username in world.super_users:
        raise invalid("Cannot update a superuser")
    encrypted: dict[str, str] = {}
    if "password" in body:
        fault = password_fault(body["password"])
        if fault:
            raise Message(400, fault)
        found.password = body["password"]
        world.failures.pop(username, None)
        encrypted = {"encrypted_password": world.encrypt(username)}
    if body.get("email"):
        if any(other.email == body["email"] for other in world.users.values() if other is not found):
            raise Message(400, "E-mail address already used")
        found.email = body["email"]
        found.verified = True
    if "superuser" in body:
        written = world.extra.setdefault("config_super_users", set(world.super_users))
        (written.add if body["superuser"] else written.discard)(username)
    view = superuser_user_view(call, found)
    if "enabled" in body:
        found.enabled = body["enabled"]
    return {**view, **encrypted}


@ROUTES.delete("/superuser/users/<username>", access=superusers, **_S)
def delete_user(call: Call, username: str) -> Result:
    """Delete a user."""
    found = _user(call, username)
    if username in call.world.super_users:
        raise invalid("Cannot delete a superuser")
    call.world.delete_namespace(found)
    return None, 204


# ------------------------------------------------------------ organizations


@ROUTES.get("/superuser/organizations/", access=superusers, query=("limit", "next_page"), internal=True, **_S)
def organizations(call: Call) -> Result:
    """All organizations."""
    page, following = _page(call, "organizations", list(call.world.organizations.values()))
    return {"organizations": [superuser_organization_view(call, found) for found in page], **following}


def _organization(call: Call, name: str) -> Organization:
    found = call.world.organizations.get(name)
    if found is None:
        raise not_found() if call.options.at_least("3.9") else Message(400, f"Organization does not exist: {name}")
    return found


@ROUTES.put("/superuser/organizations/<name>", schema=UPDATE_ORG, schema_name="UpdateOrg", **_S)
def rename(call: Call, name: str) -> Result:
    """Rename an organization."""
    call.require_superuser()
    world = call.world
    found = world.organizations.get(name)
    if found is None:
        raise Crash() if call.options.at_least("3.9") else Message(400, f"Organization does not exist: {name}")
    new = call.body.get("name")
    if new is not None and new != name:
        fault = name_fault(new)
        if fault:
            raise Message(400, f"Invalid username {new}: {fault}")
        if world.namespace(new) is not None:
            raise Crash()
        world.rename_organization(found, new)
    if call.body.get("email"):
        found.email = call.body["email"]
    return superuser_organization_view(call, found)


@ROUTES.delete("/superuser/organizations/<name>", access=superusers, **_S)
def delete_organization(call: Call, name: str) -> Result:
    """Delete an organization."""
    call.world.delete_namespace(_organization(call, name))
    return None, 204


@ROUTES.post("/superuser/takeownership/<namespace>", access=superusers, internal=True, **_S)
def take_ownership(call: Call, namespace: str) -> Result:
    """Join the owners of an organization; a user becomes an organization."""
    world = call.world
    assert call.user is not None
    if namespace in world.super_users:
        raise invalid("Cannot take ownership of a superuser")
    found = world.namespace(namespace)
    if found is None:
        raise not_found()
    if isinstance(found, User):
        world.become_organization(found, call.user.name)
        return {"namespace": namespace}
    owners = next((team for team in found.teams.values() if team.role == "admin"), None)
    if owners is None:
        raise Crash()
    world.join(found, owners, call.user.name)
    return {"namespace": namespace}


@ROUTES.get("/superuser/changelog/", access=superusers, internal=True, **_S)
def changelog(call: Call) -> Result:
    """The list of changes, whose first entry names the version."""
    return {"log": f'## Red Hat Quay Release Notes\n\n\n<a name="v{call.options.version}.0"></a>\n## [v{call.options.version}.0]\n'}


@ROUTES.get("/superuser/registrystatus", access=superusers, internal=True, **_S)
def registry_status(call: Call) -> Result:
    """Whether the configuration can be changed."""
    return {"provider_id": "file", "status": "ready"}
