# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes in which Quay refuses something; every handler raises them, the server turns them into answers."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.http_messages import HttpResponse

STATUS = {
    "invalid_request": 400,
    "invalid_response": 400,
    "invalid_token": 401,
    "expired_token": 401,
    "fresh_login_required": 401,
    "exceeds_license": 402,
    "insufficient_scope": 403,
    "not_found": 404,
    "tag_immutable": 409,
    "token_rotation_failed": 500,
    "external_service_timeout": 520,
    "downstream_issue": 520,
}
HTML = "text/html; charset=utf-8"
NOT_FOUND_MESSAGE = (
    "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again."
)
FORBIDDEN_MESSAGE = (
    "You don't have the permission to access the requested resource. It is either read-protected or not readable by the server."
)
BAD_REQUEST_MESSAGE = "The browser (or proxy) sent a request that this server could not understand."
NOT_JSON = "Did not attempt to load JSON data because the request Content-Type was not 'application/json'."


class Refusal(Exception, ABC):
    """An answer that ends the handling of a request."""

    @abstractmethod
    def response(self, base_url: str) -> HttpResponse:
        """The answer to send."""


class ApiException(Refusal):
    """Shape 1: detail, error_message, error_type, title, type and status."""

    def __init__(self, error_type: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.error_type = error_type
        self.detail = detail
        self.more = more

    def response(self, base_url: str) -> HttpResponse:
        value = {
            **self.more,
            "detail": self.detail,
            "error_message": self.detail,
            "error_type": self.error_type,
            "title": self.error_type,
            "type": f"{base_url}/api/v1/error/{self.error_type}",
            "status": STATUS[self.error_type],
        }
        return json_response(STATUS[self.error_type], value)


class Message(Refusal):
    """Shapes 2, 3 and 4: one key. `Message(400, "text")` is `{"message": "text"}`; `key="detail"` gives the other one."""

    def __init__(self, status: int, message: Any, *, key: str = "message") -> None:
        super().__init__(str(message))
        self.status = status
        self.message = message
        self.key = key

    def response(self, base_url: str) -> HttpResponse:
        return json_response(self.status, {self.key: self.message})


class Abort(Refusal):
    """Shape 5: `{"error": ...}` as text/html."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error

    def response(self, base_url: str) -> HttpResponse:
        return HttpResponse(self.status, {"Content-Type": HTML}, json.dumps({"error": self.error}).encode())


class Crash(Refusal):
    """Shape 7: an exception that Quay does not handle, 500 with a small HTML page."""

    def response(self, base_url: str) -> HttpResponse:
        page = "<html>\n  <head>\n    <title>Internal Server Error</title>\n  </head>\n  <body>\n"
        page += "    <h1><p>Internal Server Error</p></h1>\n    \n  </body>\n</html>\n"
        return HttpResponse(500, {"Content-Type": "text/html"}, page.encode())


class Answer(Refusal):
    """Any other answer."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__(str(answer.status))
        self.answer = answer

    def response(self, base_url: str) -> HttpResponse:
        return self.answer


def json_response(status: int, value: Any, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """A JSON answer; 204 has no body."""
    body = b"" if status == 204 else json.dumps(value).encode() + b"\n"
    return HttpResponse(status, {"Content-Type": "application/json", **(headers or {})}, body)


def page(status: int, title: str, text: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """A small error page of the web framework."""
    heading = title if status == 308 else f"{status} {title}"
    html = f"<!doctype html>\n<html lang=en>\n<title>{heading}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n"
    return HttpResponse(status, {"Content-Type": HTML, **(headers or {})}, html.encode())


def invalid(detail: str) -> ApiException:
    """400 invalid_request."""
    return ApiException("invalid_request", detail)


def not_found() -> ApiException:
    """404 not_found."""
    return ApiException("not_found", "Not Found")


def unauthorized() -> ApiException:
    """403: logged in, but not allowed."""
    return ApiException("insufficient_scope", "Unauthorized")


def login_required() -> ApiException:
    """401: nobody is logged in."""
    return ApiException("invalid_token", "Requires authentication")
