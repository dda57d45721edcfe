# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bodies of registry answers: errors in the form of the distribution specification, JSON, empty ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.http_messages import HttpResponse

API_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}

# code -> (status, message), as docker-registry 2.8 and Quay send them
ERRORS = {
    "BLOB_UNKNOWN": (404, "blob unknown to registry"),
    "BLOB_UPLOAD_INVALID": (404, "blob upload invalid"),
    "BLOB_UPLOAD_UNKNOWN": (404, "blob upload unknown to registry"),
    "DENIED": (403, "requested access to the resource is denied"),
    "DIGEST_INVALID": (400, "provided digest did not match uploaded content"),
    "MANIFEST_BLOB_UNKNOWN": (400, "blob unknown to registry"),
    "MANIFEST_INVALID": (400, "manifest invalid"),
    "MANIFEST_UNKNOWN": (404, "manifest unknown"),
    "NAME_UNKNOWN": (404, "repository name not known to registry"),
    "PAGINATION_NUMBER_INVALID": (400, "invalid number of results requested"),
    "UNAUTHORIZED": (401, "authentication required"),
    "UNKNOWN": (500, "unknown error"),
    "UNSUPPORTED": (405, "The operation is unsupported."),
}


class ApiError(Exception):
    """An error answer. `entries` of the body each have a code, a message and, unless None, a detail."""

    def __init__(
        self,
        code: str,
        detail: Any = None,
        *,
        message: str = "",
        status: int = 0,
        headers: Mapping[str, str] | None = None,
        close: bool = False,
    ) -> None:
        default_status, default_message = ERRORS.get(code, (400, code))
        self.status = status or default_status
        self.headers = dict(headers or {})
        self.entries = [_entry(code, message or default_message, detail)]
        self.close = close
        super().__init__(f"{self.status} {code}")

    def add(self, code: str, detail: Any) -> None:
        """One more entry of the same answer."""
        self.entries.append(_entry(code, ERRORS[code][1], detail))

    def response(self) -> HttpResponse:
        """The answer to send."""
        return json_answer(self.status, {"errors": self.entries}, self.headers, close=self.close)


def json_answer(status: int, value: Any, headers: Mapping[str, str] | None = None, *, close: bool = False) -> HttpResponse:
    """A JSON answer with the header that every registry sends."""
    body = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    return HttpResponse(status, {"Content-Type": "application/json", **API_VERSION, **(headers or {})}, body, close=close)


def empty_answer(status: int, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """An answer without a body."""
    return HttpResponse(status, {**API_VERSION, **(headers or {})})


def page_not_found() -> HttpResponse:
    """What docker-registry says about a path that it does not know."""
    return text_answer(404, "404 page not found\n")


def method_not_allowed(allowed: str) -> HttpResponse:
    """What docker-registry says about a method that a path does not have."""
    return text_answer(405, "Method not allowed\n", {"Allow": allowed})


def text_answer(status: int, text: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """A plain-text answer."""
    content = {"Content-Type": "text/plain; charset=utf-8"}
    return HttpResponse(status, {**content, **API_VERSION, **(headers or {})}, text.encode())


def html_page(status: int, title: str, headers: Mapping[str, str] | None = None, *, close: bool = False) -> HttpResponse:
    """An error page as the nginx in front of a Quay sends it: HTML where a client expects JSON."""
    text = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return HttpResponse(status, {"Content-Type": "text/html", **(headers or {})}, text.encode(), close=close)


def _entry(code: str, message: str, detail: Any) -> dict[str, Any]:
    return {"code": code, "message": message, **({} if detail is None else {"detail": detail})}
