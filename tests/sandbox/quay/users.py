# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and logins: first user, sign-up, sign-in, the caller's own account, OAuth authorization without a browser."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from ansible_collections.quayside.airgap.tests.sandbox.http_messages import HttpResponse
from ansible_collections.quayside.airgap.tests.sandbox.quay.api import COOKIE, check_csrf, ui_page
from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import (
    NOT_FOUND_MESSAGE,
    NOT_JSON,
    Abort,
    Answer,
    Crash,
    Message,
    invalid,
    json_response,
    page,
)
from ansible_collections.quayside.airgap.tests.sandbox.quay.registry_auth import DISABLED, basic_of, too_many_logins
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes, user_admin_of, user_read
from ansible_collections.quayside.airgap.tests.sandbox.quay.views import user_view
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import (
    INITIAL_LIFETIME,
    LONG_LIFETIME,
    SCOPES,
    Application,
    Session,
    User,
    avatar,
    email_ok,
    name_fault,
    password_fault,
    secret,
)

ROUTES = Routes("user")

SIGN_IN = {
    "type": "object",
    "description": "Information required to sign in a user.",
    "required": ["username", "password"],
    "properties": {
        "username": {"type": "string", "description": "The user's username"},
        "password": {"type": "string", "description": "The user's password"},
        "invite_code": {"type": "string", "description": "The optional invite code"},
    },
}
NEW_USER = {
    "type": "object",
    "description": "Fields which must be specified for a new user.",
    "required": ["username", "password"],
    "properties": {
        "username": {"type": "string", "description": "The user's username"},
        "password": {"type": "string", "description": "The user's password"},
        "email": {"type": "string", "description": "The user's email address"},
        "invite_code": {"type": "string", "description": "The optional invite code"},
        "recaptcha_response": {"type": "string", "description": "The (may be disabled) recaptcha response code for verification"},
    },
}
UPDATE_USER = {
    "type": "object",
    "description": "Fields which can be updated in a user.",
    "properties": {
        "password": {"type": "string", "description": "The user's password"},
        "invoice_email": {"type": "boolean", "description": "Whether the user desires to receive an invoice email."},
        "email": {"type": "string", "description": "The user's email address"},
        "tag_expiration_s": {"type": "integer", "minimum": 0, "description": "The number of seconds for tag expiration"},
        "username": {"type": "string", "description": "The user's username"},
        "invoice_email_address": {"type": ["string", "null"], "description": "Custom email address for receiving invoices"},
        "given_name": {"type": ["string", "null"], "description": "The optional entered given name for the user"},
        "family_name": {"type": ["string", "null"], "description": "The optional entered family name for the user"},
        "company": {"type": ["string", "null"], "description": "The optional entered company for the user"},
        "location": {"type": ["string", "null"], "description": "The optional entered location for the user"},
    },
}
VERIFY = {
    "type": "object",
    "description": "Information required to verify the signed in user.",
    "required": ["password"],
    "properties": {"password": {"type": "string", "description": "The user's password"}},
}
LOCAL = "/oauth/localapp"
DANGEROUS = ("org:admin", "super:user", "user:admin")
UNAUTHORIZED_TEXT = (
    "The server could not verify that you are authorized to access the URL requested. You either supplied the wrong credentials "
    "(e.g. a bad password), or your browser doesn't understand how to supply the credentials required."
)


def _cookie(session: Session) -> dict[str, str]:
    return {"Set-Cookie": f"{COOKIE}={session.number}; HttpOnly; Path=/; SameSite=Lax"}


def _log_in(call: Call, user: User) -> None:
    """A new session with a new CSRF token; the old token is void."""
    if call.session is not None:
        call.world.sessions.pop(call.session.number, None)
    session = call.world.new_session(user.name)
    call.headers.update({**_cookie(session), "X-Next-CSRF-Token": session.csrf})


def _registered(call: Call, name: Any, password: Any, email: Any) -> str:
    """Why a new user cannot be; empty when it can."""
    fault = password_fault(password)
    if fault:
        return fault
    if call.options.feature("MAILING") and not (isinstance(email, str) and email_ok(email)):
        return f"Invalid email address: {email}"
    fault = name_fault(str(name))
    return f"Invalid namespace {name}: {fault}" if fault else ""


# --------------------------------------------------------------- first user


@ROUTES.post("/user/initialize", csrf=False, open=True, hidden=True)
def initialize(call: Call) -> Result:
    """The first user of an empty Quay, with a token when asked for one."""
    world = call.world
    if not call.options.feature("USER_INITIALIZE"):
        raise Abort(404, "Not Found")
    if call.request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        if not call.options.at_least("3.9"):
            raise Crash()
        raise Answer(page(415, "Unsupported Media Type", NOT_JSON.replace("'", "&#39;")))
    if not isinstance(call.body, dict):
        raise Crash()
    if world.users:
        raise Message(400, "Cannot initialize user in a non-empty database")
    body = call.body
    if "username" not in body or "password" not in body:
        raise Crash()
    name, email = body["username"], body.get("email")
    fault = _registered(call, name, body["password"], email)
    if fault:
        raise Message(400, f"Failed to initialize user: {fault}")
    user = world.add_user(name, body["password"], email or "")
    answer = {"email": email, "encrypted_password": world.encrypt(name), "username": name}
    if body.get("access_token"):
        application = world.add_application(user, "automation", client_id=name)
        application.description = "Application token generated via /api/v1/user/initialize"
        answer["access_token"] = world.add_token(name, SCOPES, client_id=name, lifetime=INITIAL_LIFETIME).value
    _log_in(call, user)
    return answer


# ------------------------------------------------------------ sign-up, -in


@ROUTES.get("/csrf_token", absolute=True, since="3.8")
def csrf_token(call: Call) -> Result:
    """A CSRF token, with the cookie it belongs to."""
    if call.session is None:
        session = call.world.new_session()
        call.headers.update(_cookie(session))
        return {"csrf_token": session.csrf}
    return {"csrf_token": call.session.csrf}


@ROUTES.post("/signin", internal=True, schema=SIGN_IN, schema_name="SigninUser", open=True, feature="DIRECT_LOGIN")
def signin(call: Call) -> Result:
    """Log in with user and password."""
    name, password = call.body["username"], call.body["password"]
    world = call.world
    delay = world.login_delay(name)
    if delay > 0:
        return too_many_logins(delay)
    right = world.check_password(name, password)
    user = world.users.get(name)
    if not right or user is None or not user.enabled:
        text = DISABLED if right else "Invalid Username or Password"
        return {"needsEmailVerification": False, "invalidCredentials": True, "message": text}, 403
    _log_in(call, user)
    return {"success": True}


@ROUTES.post("/signout", internal=True, open=True)
def signout(call: Call) -> Result:
    """End the session."""
    if call.session is not None:
        call.world.sessions.pop(call.session.number, None)
    return {"success": True}


@ROUTES.post("/user/", internal=True, schema=NEW_USER, schema_name="NewUser", open=True, feature="USER_CREATION")
def sign_up(call: Call) -> Result:
    """A new ordinary user."""
    world, body = call.world, call.body
    name = body["username"]
    if name in world.users or name in world.organizations:
        raise invalid("The username already exists")
    fault = _registered(call, name, body["password"], body.get("email"))
    if not fault and body.get("email") and any(user.email == body["email"] for user in world.users.values()):
        fault = f"Email has already been used: {body['email']}"
    if not fault and name in world.deleted_names:
        fault = "Username is not available"
    if fault:
        raise invalid(fault)
    user = world.add_user(name, body["password"], body.get("email") or "")
    _log_in(call, user)
    return user_view(call, user)


# -------------------------------------------------------------- own account


@ROUTES.get("/user/", access=user_read, open=True, scope="user:read")
def me(call: Call) -> Result:
    """Who the caller is."""
    assert call.user is not None
    return user_view(call, call.user)


@ROUTES.put("/user/", internal=True, schema=UPDATE_USER, schema_name="UpdateUser", scope="user:admin")
def change_me(call: Call) -> Result:
    """Change the own account."""
    user = call.require_user("user:admin")
    body = call.body
    if "password" in body:
        fault = password_fault(body["password"])
        if fault:
            raise invalid(fault)
        user.password = body["password"]
    if "tag_expiration_s" in body:
        if body["tag_expiration_s"] not in call.options.tag_expirations:
            raise Message(400, "Invalid tag expiration option")
        user.tag_expiration = body["tag_expiration_s"]
    if body.get("email"):
        if any(other.email == body["email"] for other in call.world.users.values() if other is not user):
            raise invalid("E-mail address already used")
        user.email = body["email"]
    if "invoice_email" in body:
        user.invoice_email = body["invoice_email"]
    if "invoice_email_address" in body:
        user.invoice_email_address = body["invoice_email_address"]
    user.profile.update({key: body[key] for key in ("given_name", "family_name", "company", "location") if key in body})
    return user_view(call, user)


@ROUTES.post("/user/clientkey", internal=True, schema=VERIFY, schema_name="GenerateClientKey", scope="user:admin")
def client_key(call: Call) -> Result:
    """An encrypted password for docker."""
    user = call.require_user("user:admin")
    if not call.world.check_password(user.name, call.body["password"]):
        raise invalid("Invalid Username or Password")
    return {"key": call.world.encrypt(user.name)}


@ROUTES.get("/users/<username>", open=True)
def public_view(call: Call, username: str) -> Result:
    """Whether a user exists, for everybody."""
    user = call.world.users.get(username)
    if user is None:
        raise Message(404, NOT_FOUND_MESSAGE)
    return {"anonymous": False, "username": user.name, "avatar": avatar(user.name, "user", user.email)}


# -------------------------------------------------------------------- OAuth


def _redirect(target: str) -> HttpResponse:
    return HttpResponse(302, {"Location": target, "Content-Type": "text/html; charset=utf-8"})


def _redirect_ok(call: Call, application: Application, target: str) -> bool:
    """Quay's own page, or what the application says of itself."""
    if target == call.base_url + LOCAL:
        return True
    if not application.redirect_uri:
        return False
    own, given = urlsplit(application.redirect_uri), urlsplit(target)
    return (own.scheme, own.netloc) == (given.scheme, given.netloc) and given.path.startswith(own.path)


def _form(call: Call) -> dict[str, str]:
    raw = call.raw.decode("utf-8", "replace")
    return {name: values[0] for name, values in parse_qs(raw).items()}


def _basic_user(call: Call) -> User | None:
    """The user of a Basic header; 429 and None as for every login."""
    name, password = basic_of(call.request)
    if name is None or name not in call.world.users:
        return None
    delay = call.world.login_delay(name)
    if delay > 0:
        raise Answer(too_many_logins(delay))
    if not call.world.check_password(name, password):
        return None
    user = call.world.users[name]
    return user if user.enabled else None


def _unauthorized() -> Answer:
    return Answer(page(401, "Unauthorized", UNAUTHORIZED_TEXT.replace("'", "&#39;")))


def _may_authorize(call: Call, user: User, application: Application) -> bool:
    """Since 3.12 the user must administer the application's organization."""
    organization = call.world.organizations.get(application.namespace)
    return organization is not None and user_admin_of(user.name, organization)


def _issue(call: Call, user: User, application: Application, target: str, scope: str, kind: str = "token") -> HttpResponse:
    scopes = scope.replace(",", " ").split()
    if not scopes or not set(scopes) <= set(SCOPES):
        return _redirect(f"{target}?error=invalid_scope")
    if not _may_authorize(call, user, application):
        return _redirect(f"{target}?error=unauthorized_client")
    target += "?" + urlencode({"scope": scope})
    if kind == "code":
        return _redirect(f"{target}&code={secret(40)}")
    token = call.world.add_token(user.name, scopes, client_id=application.client_id)
    words = urlencode({"access_token": token.value, "token_type": "Bearer", "expires_in": LONG_LIFETIME})
    return _redirect(f"{target}#{words}")


@ROUTES.post("/oauth/authorizeapp", absolute=True, csrf=False)
def authorize_application(call: Call) -> Result:
    """A token for an application, in the fragment of a redirect."""
    form = _form(call)
    whitelisted = form.get("client_id") in call.options.whitelist
    user = call.user
    basic_user = _basic_user(call) if user is None else None
    if whitelisted and basic_user is not None:
        user = basic_user
    elif user is None and basic_user is None:
        raise _unauthorized()
    else:
        if user is None:
            call.user = basic_user
        check_csrf(call, form.get(COOKIE, ""))
    if user is None:
        raise _unauthorized()
    application = call.world.applications.get(form.get("client_id", ""))
    target = form.get("redirect_uri", "")
    if application is None or not _redirect_ok(call, application, target):
        return json_response(400, {"error": "invalid_request"})
    kind = form.get("response_type", "")
    if kind not in ("token", "code"):
        return _redirect(f"{target}?error=unsupported_response_type")
    return _issue(call, user, application, target, form.get("scope", ""), kind)


@ROUTES.get("/oauth/authorize", absolute=True)
def authorize(call: Call) -> Result:
    """The page that asks the user; what was granted before is granted again without a question."""
    user, recent = call.user, call.options.at_least("3.12")
    if user is None and recent:
        user = _basic_user(call)
        if user is None:
            raise _unauthorized()
    application = call.world.applications.get(call.first("client_id"))
    if application is None:
        if not recent:
            raise Crash()
        return ui_page(404)
    target = call.first("redirect_uri")
    if not _redirect_ok(call, application, target):
        return _redirect(("" if recent else f"{call.base_url}/oauth/authorize") + "?error=redirect_uri_mismatch")
    scopes = call.first("scope").replace(",", " ").split()
    if not scopes or not set(scopes) <= set(SCOPES):
        return _redirect(f"{target}?error=invalid_scope") if recent else ui_page(404)
    tokens = call.world.tokens.values()
    granted = {
        scope for token in tokens if user and token.user == user.name and token.client_id == application.client_id for scope in token.scopes
    }
    if user is not None and set(scopes) <= granted:
        return _issue(call, user, application, target, " ".join(scopes))
    if call.first("format") == "json" and call.options.at_least("3.15"):
        return _question(call, application, target, scopes)
    return ui_page(200)


def _question(call: Call, application: Application, target: str, scopes: list[str]) -> Result:
    """The page that asks the user, for programs."""
    organization = {"name": application.namespace, "avatar": json.dumps(avatar(application.namespace, "org"))}
    shown = {
        "name": application.name,
        "description": application.description,
        "url": application.application_uri,
        "avatar": json.dumps(avatar(application.name, "app")),
        "organization": organization,
    }
    rows = [{"scope": scope, "title": scope, "description": scope, "icon": "fa-key", "dangerous": scope in DANGEROUS} for scope in scopes]
    return {
        "application": shown,
        "assignment_uuid": None,
        "client_id": application.client_id,
        "csrf_token_val": call.session.csrf if call.session else "",
        "has_dangerous_scopes": any(row["dangerous"] for row in rows),
        "redirect_uri": target,
        "response_type": call.first("response_type"),
        "scope": " ".join(scopes),
        "scopes": rows,
        "state": call.request.first("state"),
    }
