# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OAuth access tokens that last, made without a browser (Quay API: obtaining tokens)."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import read_bytes, write_atomically
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, QuayOptions, at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import BAD_TOKEN, QuayError

SCOPES = ("org:admin", "repo:admin", "repo:create", "repo:read", "repo:write", "super:user", "user:admin", "user:read")
_ROUTE = "/api/v1/organization/{orgname}/applications/{client_id}/tokens"
# A token is 40 characters; a file that holds much more is another file
_MOST_BYTES = 4096


@dataclass(frozen=True)
class TokenTask:
    """A token that the user wants.

    :ivar organization: that the application lies in; ``application`` its name, made when there is none; or ``client_id`` alone.
    :ivar scopes: of ``SCOPES``.
    :ivar title: name of the token, where Quay has names for them (3.18).
    :ivar path: file that keeps the token; one that is there and still works is used again.
    :ivar known: a token that the user has already; used again if it still works.
    """

    organization: str = ""
    application: str = ""
    client_id: str = ""
    scopes: Sequence[str] = SCOPES
    title: str = ""
    path: str = ""
    known: str = field(default="", repr=False)
    renew: bool = False


@dataclass(frozen=True)
class Token:
    """What came of it.

    :ivar value: empty in check mode where a new one would be made.
    """

    changed: bool
    value: str = field(default="", repr=False)
    client_id: str = ""


def provide(quay: QuayClient, task: TokenTask, *, check_mode: bool) -> Token:
    """A token that works: the one that is known or kept in the file, or a new one.

    A token cannot be read back from Quay, so that only the file or the user can keep it from being made again.

    :raises AirgapError: when Quay refuses, or the file cannot be read or written.
    """
    kept = "" if task.renew else task.known or _kept(task.path)
    client_id = task.client_id
    if kept and works(quay, kept):
        return Token(False, kept, client_id)
    _check_writable(task.path)
    if check_mode:
        return Token(True, "", client_id)
    if not client_id:
        client_id = _application(quay, task)
    value = mint(quay, task, client_id)
    if task.path:
        write_atomically(task.path, f"{value}\n".encode(), mode=0o600)
    return Token(True, value, client_id)


def works(quay: QuayClient, token: str) -> bool:
    """Whether Quay takes a token."""
    options = replace(quay.options, token=token, username=None, password=None)
    with QuayClient(options, quay.cancellation) as other:
        try:
            other.identity()
        except QuayError as error:
            if error.code == BAD_TOKEN:
                return False
            raise
    return True


def mint(quay: QuayClient, task: TokenTask, client_id: str) -> str:
    """A new token of an application.

    By the API where Quay has it (3.18); else as the browser does, which needs the session of a user who administers the
    organization of the application.
    """
    if quay.options.token:
        return _by_api(quay, task, client_id)
    form = {
        "response_type": "token",
        "client_id": client_id,
        "redirect_uri": f"{_own_url(quay)}/oauth/localapp",
        "scope": " ".join(task.scopes),
    }
    answer = urlsplit(quay.authorize(form))
    values = parse_qs(answer.fragment or answer.query)
    if "access_token" not in values:
        reason = values.get("error", ["it gave no token"])[0]
        raise AirgapError("make a token", f"on {quay.name}", reason, _HINTS.get(reason, ""))
    return values["access_token"][0]


_HINTS = {
    "unauthorized_client": "Log in as a user who administers the organization that the application belongs to.",
    "invalid_scope": f"Scopes are {', '.join(SCOPES)}.",
}


def _by_api(quay: QuayClient, task: TokenTask, client_id: str) -> str:
    what = "make a token"
    if not task.organization:
        raise InputError("organization", "it is missing", "Say which organization the application lies in.")
    if not quay.capabilities.has_route(_ROUTE):
        raise InputError(
            "quay_token",
            "on a Quay before 3.18 a token cannot make another token",
            "Give quay_username and quay_password in its place.",
        )
    body = {"name": task.title or "quayside.airgap", "scope": " ".join(task.scopes)}
    answer = quay.post(at("organization", task.organization, "applications", client_id, "tokens"), body, what)
    return str(answer["token"])


def _application(quay: QuayClient, task: TokenTask) -> str:
    """The client_id of the application, which is made when there is none of its name."""
    if not task.organization or not task.application:
        raise InputError("client_id", "neither it nor organization with application is given", "Say which application the token is of.")
    path = at("organization", task.organization, "applications")
    what = f"list the applications of {task.organization}"
    listed = quay.find(path, what)
    if listed is None:
        raise InputError("organization", f"there is no organization {task.organization}", "Make it first, with quay_org.")
    found = entries(listed, "applications", what, quay.name)
    named = [entry for entry in found if entry.get("name") == task.application]
    if named:
        return str(named[0]["client_id"])
    made = quay.post(path, {"name": task.application}, f"create the application {task.application} in {task.organization}")
    return str(made["client_id"])


def _own_url(quay: QuayClient) -> str:
    """The URL that Quay has for itself: it redirects only to that."""
    host, scheme = quay.capabilities.setting("SERVER_HOSTNAME"), quay.capabilities.setting("PREFERRED_URL_SCHEME")
    return f"{scheme or urlsplit(quay.web).scheme}://{host}" if host else quay.web


def _check_writable(path: str) -> None:
    """A secret that Quay shows once must not be made where it cannot be kept."""
    if path and not os.access(Path(path).parent, os.W_OK | os.X_OK):
        reason = "its folder cannot be written" if Path(path).parent.is_dir() else "its folder does not exist"
        raise FileError("write", path, reason, "Create the folder, or name another file.")


def _kept(path: str) -> str:
    if not path or not Path(path).exists():
        return ""
    return read_bytes(path, limit=_MOST_BYTES).decode(errors="replace").strip()


@dataclass(frozen=True)
class FirstUser:
    """The first user of an empty Quay.

    :ivar password: empty: the one that ``path`` holds.
    :ivar path: file that keeps the password; one is made up and stored there before the user is made with it.
    :ivar token: whether an access token is wanted, which lasts two and a half hours.
    """

    username: str
    password: str = field(default="", repr=False)
    email: str = ""
    token: bool = False
    path: str = ""


def initialize(options: QuayOptions, user: FirstUser, *, check_mode: bool) -> Mapping[str, Any]:
    """Make the first user of an empty Quay; with users in it, check that this one is among them.

    :returns: ``changed``, ``username``, ``email``; with ``path`` also ``path`` and ``password`` (in check mode only one that is there);
        of a new user also ``encrypted_password``, and ``access_token`` if wanted.
    :raises AirgapError: when Quay refuses, or has other users only, or the file of the password cannot be read or written.
    """
    open_options = replace(options, token=None, username=None, password=None)
    password = user.password or _kept(user.path)
    there: dict[str, Any] = {"changed": False, "username": user.username, "email": user.email}
    if user.path:
        there["path"] = user.path
    with QuayClient(open_options) as quay:
        if check_mode or not password:
            known = _exists(quay, user.username)
            if known and not password:
                raise _forgotten(user)
            if not password:
                _check_writable(user.path)
            if check_mode:
                return {**there, "changed": known is False, **({"password": password} if user.path and password else {})}
        if password:
            done = _initialize(quay, user, password)
        else:
            password, done = _with_new_password(quay, user)
        return {**there, **done, **({"password": password} if user.path else {})}


def _with_new_password(quay: QuayClient, user: FirstUser) -> tuple[str, dict[str, Any]]:
    """Make the user with a password of ours, which is in its file before: a run that ends in between must not lock us out."""
    password = secrets.token_urlsafe(24)
    write_atomically(user.path, f"{password}\n".encode(), mode=0o600)
    try:
        done = _initialize(quay, user, password)
    except QuayError as error:
        # after an internal error the user may be there with it
        if error.status < 500:
            os.unlink(user.path)
        raise
    if not done:
        os.unlink(user.path)
        raise _forgotten(user)
    return password, done


def _forgotten(user: FirstUser) -> AirgapError:
    reason = f"the user {user.username} exists, and the file is not there or empty"
    return FileError("read the password in", user.path, reason, "Store the password of the user there.")


def _initialize(quay: QuayClient, user: FirstUser, password: str) -> dict[str, Any]:
    what = f"make the first user {user.username}"
    body = {"username": user.username, "password": password, "email": user.email, "access_token": user.token}
    try:
        made = quay.post(at("user", "initialize"), body, what)
    except QuayError as error:
        if error.status == 404 or error.code == "not_offered":
            hint = "Set FEATURE_USER_INITIALIZE: true in its config.yaml before Quay starts."
            raise QuayError(what, error.subject, "this Quay does not let that be done by API", hint, status=404, code=error.code) from error
        if not error.says("non-empty database"):
            raise
        if _exists(quay, user.username) is False:
            hint = "Make the user with quay_user and the token of a superuser."
            said = "Quay has users already, and this one is not among them"
            raise QuayError(what, error.subject, said, hint, status=error.status, code=error.code) from error
        return {}
    given = {name: made[name] for name in ("encrypted_password", "access_token") if made.get(name)}
    return {"changed": True, **given}


def _exists(quay: QuayClient, username: str) -> bool | None:
    """None where Quay tells nothing to strangers (FEATURE_ANONYMOUS_ACCESS off)."""
    try:
        return quay.find(at("users", username), f"look for the user {username}") is not None
    except QuayError as error:
        if error.status == 401:
            return None
        raise
