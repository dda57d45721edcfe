# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OAuth applications of organizations, and their tokens as far as the API knows them (3.18)."""

from __future__ import annotations

import base64
import binascii
import time
from datetime import datetime, timezone
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import Message, invalid, not_found, unauthorized
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes
from ansible_collections.quayside.airgap.tests.sandbox.quay.views import organization_view
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import LONG_LIFETIME, SCOPES, Application, Token, avatar, secret

ROUTES = Routes("oauth")

PAGE = 50
RESERVED = "__quay_bootstrap_app"
FIELDS = {
    "name": {"type": "string", "description": "The name of the application"},
    "redirect_uri": {"type": "string", "description": "The URI for the application's OAuth redirect"},
    "application_uri": {"type": "string", "description": "The URI for the application's homepage"},
    "description": {"type": "string", "description": "The human-readable description for the application"},
    "avatar_email": {"type": "string", "description": "The e-mail address of the avatar to use for the application"},
}
NEW = {
    "type": "object",
    "description": "Description of a new organization application.",
    "required": ["name"],
    "properties": FIELDS,
}
UPDATE = {
    "type": "object",
    "description": "Description of an updated application.",
    "required": ["name", "redirect_uri", "application_uri"],
    "properties": FIELDS,
}
NEW_TOKEN = {
    "type": "object",
    "description": "Description of a new OAuth API token. Duplicate names are allowed within an application.",
    "required": ["name", "scope"],
    "properties": {
        "name": {
            "type": "string",
            "description": "User-facing token name. Leading and trailing whitespace is trimmed before storage.",
            "minLength": 1,
            "maxLength": 255,
        },
        "scope": {"type": "string", "description": "Space- or comma-separated scope string"},
        "expiration": {
            "type": "number",
            "description": "Token lifetime in seconds. Must be positive and is capped at the maximum supported lifetime.",
            "minimum": 1,
        },
    },
}
LIST = "/organization/<orgname>/applications"
ONE = LIST + "/<client_id>"
TOKENS = ONE + "/tokens"


def view(application: Application) -> dict[str, Any]:
    """An application as its administrators see it."""
    return {
        "name": application.name,
        "description": application.description,
        "application_uri": application.application_uri,
        "client_id": application.client_id,
        "client_secret": application.client_secret,
        "redirect_uri": application.redirect_uri,
        "avatar_email": application.avatar_email,
    }


def _refuse_reserved(call: Call) -> None:
    if call.body["name"] == RESERVED and call.options.at_least("3.18"):
        raise invalid("Application name is reserved for bootstrap token provisioning")


def _application(call: Call, orgname: str, client_id: str) -> Application:
    call.require_org_admin(orgname)
    found = call.organization(orgname).applications.get(client_id)
    if found is None:
        raise not_found()
    return found


# ------------------------------------------------------------- applications


@ROUTES.get(LIST, scope="org:admin")
def listing(call: Call, orgname: str) -> Result:
    """All applications of an organization."""
    call.require_org_admin(orgname)
    return {"applications": [view(found) for found in call.organization(orgname).applications.values()]}


@ROUTES.post(LIST, schema=NEW, schema_name="NewApp", scope="org:admin")
def create(call: Call, orgname: str) -> Result:
    """One more application, also if there is one of that name."""
    call.require_org_admin(orgname)
    found, body = call.organization(orgname), call.body
    _refuse_reserved(call)
    values = {name: body.get(name, "") for name in ("application_uri", "redirect_uri", "description")}
    return view(call.world.add_application(found, body["name"], **values, avatar_email=body.get("avatar_email")))


@ROUTES.get(ONE, scope="org:admin")
def show(call: Call, orgname: str, client_id: str) -> Result:
    """One application."""
    return view(_application(call, orgname, client_id))


@ROUTES.put(ONE, schema=UPDATE, schema_name="UpdateApp", scope="org:admin")
def update(call: Call, orgname: str, client_id: str) -> Result:
    """Change an application; what is not given becomes empty."""
    found, body = _application(call, orgname, client_id), call.body
    _refuse_reserved(call)
    found.name, found.application_uri, found.redirect_uri = body["name"], body["application_uri"], body["redirect_uri"]
    found.description, found.avatar_email = body.get("description", ""), body.get("avatar_email")
    return view(found)


@ROUTES.delete(ONE, scope="org:admin")
def delete(call: Call, orgname: str, client_id: str) -> Result:
    """Delete an application, with its tokens."""
    call.world.delete_application(_application(call, orgname, client_id))
    return None, 204


@ROUTES.post(ONE + "/resetclientsecret", hidden=True)
def reset_secret(call: Call, orgname: str, client_id: str) -> Result:
    """Another secret."""
    found = _application(call, orgname, client_id)
    found.client_secret = secret(40)
    return view(found)


@ROUTES.get("/app/<client_id>")
def public_view(call: Call, client_id: str) -> Result:
    """An application, for everybody."""
    found = call.world.applications.get(client_id)
    organization = call.world.organizations.get(found.namespace) if found else None
    if found is None or organization is None:
        raise not_found()
    return {
        "name": found.name,
        "description": found.description,
        "uri": found.application_uri,
        "avatar": avatar(found.name, "app", found.avatar_email or organization.email),
        "organization": {**organization_view(call, organization), "teams": {}, "ordered_teams": []},
    }


# ------------------------------------------------------------------- tokens


def _moment(value: float | None) -> str | None:
    return None if value is None else datetime.fromtimestamp(value, tz=timezone.utc).replace(tzinfo=None).isoformat() + "Z"


def token_view(token: Token) -> dict[str, Any]:
    """A token without itself."""
    return {
        "uuid": token.uuid,
        "name": token.name,
        "scope": token.asked,
        "expires_at": _moment(token.expires),
        "created": _moment(token.created),
        "created_by": token.user,
        "last_accessed": _moment(token.last_accessed),
    }


@ROUTES.get(TOKENS, since="3.18", query=("next_page",), scope="org:admin")
def tokens(call: Call, orgname: str, client_id: str) -> Result:
    """The tokens of an application that are still valid, newest first."""
    _application(call, orgname, client_id)
    now = time.time()
    found = [token for token in reversed(list(call.world.tokens.values())) if token.client_id == client_id and token.expires > now]
    try:
        start = int(base64.urlsafe_b64decode(call.first("next_page")).decode().partition("tokens:")[2] or 0)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        start = 0
    answer: dict[str, Any] = {"tokens": [token_view(token) for token in found[start : start + PAGE]]}
    if start + PAGE < len(found):
        answer["next_page"] = base64.urlsafe_b64encode(f"tokens:{start + PAGE}".encode()).decode()
    return answer


@ROUTES.post(TOKENS, since="3.18", schema=NEW_TOKEN, schema_name="NewToken", scope="org:admin")
def create_token(call: Call, orgname: str, client_id: str) -> Result:
    """A token of the caller, with no scope that the caller does not have; it is shown once."""
    _application(call, orgname, client_id)
    body = call.body
    name = body["name"].strip()
    if not name:
        raise Message(400, "'name' must not be empty")
    scopes = list(dict.fromkeys(body["scope"].replace(",", " ").split()))
    if not scopes or not set(scopes) <= set(SCOPES):
        raise Message(400, f"Invalid scope: {body['scope']}")
    if call.user is None or not all(call.has(scope) for scope in scopes) or ("super:user" in scopes and not call.superuser):
        raise unauthorized()
    lifetime = min(int(body.get("expiration", LONG_LIFETIME)), LONG_LIFETIME)
    made = call.world.add_token(call.user.name, scopes, client_id=client_id, lifetime=lifetime, name=name)
    return {**token_view(made), "token": made.value}


@ROUTES.delete(TOKENS + "/<token_uuid>", since="3.18", scope="org:admin")
def delete_token(call: Call, orgname: str, client_id: str, token_uuid: str) -> Result:
    """Revoke a token."""
    _application(call, orgname, client_id)
    for token in call.world.tokens.values():
        if token.client_id == client_id and token.uuid == token_uuid:
            del call.world.tokens[token.value]
            return None, 204
    raise not_found()
