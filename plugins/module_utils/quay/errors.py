# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Quay says when it says no: six shapes of bodies, one typed error with the first useful line."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import TRANSIENT_STATUSES, HttpError

BAD_TOKEN = "bad_token"
BAD_PASSWORD = "bad_password"
FORBIDDEN = "insufficient_scope"
FRESH_LOGIN = "fresh_login_required"
NOT_FOUND = "not_found"
NOT_OFFERED = "not_offered"
READ_ONLY = "read_only"
STARTING = "starting"
RATE_LIMIT = "rate_limit"
IMMUTABLE = "tag_immutable"
REFUSED = "invalid_request"
SERVER_ERROR = "server_error"

# Statuses of a gateway or of the limiter before Quay: the request has not been worked on, so that it may be made again
_NOT_REACHED = frozenset({STARTING, RATE_LIMIT})
_MOST_TEXT = 400

_HINTS = {
    BAD_TOKEN: "Check quay_token: Quay does not tell a wrong token from one that has expired or whose application was deleted.",
    READ_ONLY: "The registry is in read-only mode (REGISTRY_STATE in its config.yaml); run the task again when that is over.",
    STARTING: "Quay is starting or restarting; wait until /health/instance answers 200.",
    RATE_LIMIT: "Lower the option parallel, or run the task again later.",
}


class QuayError(HttpError):
    """Quay answered, and it says no.

    ``code`` is one of the constants of this file, or Quay's own ``error_type`` where it gives another one.

    :ivar said: the first useful line of the answer, as Quay wrote it.
    """

    def __init__(self, action: str, subject: str, said: str, hint: str = "", *, status: int, code: str) -> None:
        self.said = said
        # a registry stays read-only for longer than anybody waits
        transient = status in TRANSIENT_STATUSES and code != READ_ONLY
        super().__init__(action, subject, said or f"HTTP status {status}", hint, status=status, code=code, transient=transient)

    @property
    def reached(self) -> bool:
        """Whether Quay itself may have worked on the request, so that the change may have been made."""
        return self.code not in _NOT_REACHED

    def says(self, *texts: str) -> bool:
        """Whether the answer holds one of these texts, whatever the case of its letters."""
        said = self.said.lower()
        return any(text.lower() in said for text in texts)


def parse_body(content: bytes) -> Any:
    """The JSON value of a body, whatever its Content-Type says (Quay sends JSON as text/html too); None where it is none."""
    try:
        return json.loads(content) if content.strip() else None
    except ValueError:
        return None


def refusal(what: str, subject: str, status: int, content: bytes, *, authenticated: bool = True) -> QuayError:
    """The error for an answer with a status of 300 or more.

    :param what: what was attempted, as an infinitive.
    :param subject: where, see :class:`AirgapError`.
    :param authenticated: whether the request carried a token or a session.
    """
    body = parse_body(content)
    said = message_of(body)
    code = _code(status, body, said, content)
    hint = _HINTS.get(code, "")
    if code == BAD_TOKEN:
        said = "the token was not accepted" if authenticated else "this needs a login"
        hint = hint if authenticated else "Give quay_token, or quay_username with quay_password."
    elif code == NOT_OFFERED:
        said = "this Quay does not know the request: it is too old, or the feature is switched off in its configuration"
    elif code == STARTING:
        said = "Quay is not up yet"
    elif code == RATE_LIMIT:
        said = said or "too many requests"
    elif code == SERVER_ERROR and not said:
        said = f"Quay failed with an internal error (HTTP status {status})"
        hint = "Its own log tells more."
    elif code == FORBIDDEN and said.lower() in ("", "unauthorized"):
        said = "the token or its user may not do this"
    return QuayError(what, subject, said, hint, status=status, code=code)


def message_of(body: Any) -> str:
    """The first useful line of an error body (Quay API: detail, error_message, message, error; message may be a mapping)."""
    if isinstance(body, str):
        return _first_line(body)
    if not isinstance(body, dict):
        return ""
    if isinstance(body.get("errors"), list):
        return "; ".join(message_of(entry) for entry in body["errors"] if message_of(entry))
    for key in ("detail", "error_message", "message", "error"):
        value = body.get(key)
        if isinstance(value, dict):
            # a bad query argument: {"limit": "help text"}
            return "; ".join(f"{name}: {_first_line(str(text))}" for name, text in value.items())
        if isinstance(value, str) and value.strip():
            return _first_line(value)
    return ""


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[0][:_MOST_TEXT] if lines else ""


def _code(status: int, body: Any, said: str, content: bytes) -> str:
    kind = body.get("error_type", "") if isinstance(body, dict) else ""
    if status == 503 and isinstance(body, dict) and body.get("is_readonly"):
        return READ_ONLY
    if status == 403 and "csrf token" in said.lower():
        return BAD_TOKEN
    if kind in ("invalid_token", "expired_token") or (status == 401 and kind != FRESH_LOGIN):
        return BAD_TOKEN
    if isinstance(body, dict) and body.get("invalidCredentials"):
        return BAD_PASSWORD
    if kind:
        return str(kind)
    if status == 429:
        return RATE_LIMIT
    if status in (404, 405, 308) and body is None and b"<" in content[:512]:
        return NOT_OFFERED
    if status == 308:
        return NOT_OFFERED
    if status == 404:
        return NOT_FOUND
    if status == 405:
        return NOT_OFFERED
    if status == 403:
        return FORBIDDEN
    if status == 502 or (status == 503 and body is None):
        return STARTING
    return SERVER_ERROR if status >= 500 else REFUSED


def only_superusers(quay: str, what: str, status: int = 403) -> QuayError:
    """The error for something that others than superusers wanted.

    :param quay: name of the Quay; ``what``: what was attempted, as an infinitive.
    """
    reason = "only a superuser may, with a token that has the scope super:user"
    return QuayError(what, f"on {quay}", reason, "Use the token of a user in SUPER_USERS.", status=status, code=FORBIDDEN)


@contextlib.contextmanager
def superusers_only(quay: str, what: str) -> Iterator[None]:
    """Explains a refusal of what only superusers may do; parameters as for :func:`only_superusers`."""
    try:
        yield
    except QuayError as error:
        if error.code != FORBIDDEN:
            raise
        raise only_superusers(quay, what, error.status) from error
