# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The endpoints of the catalog API: what is asked, what is answered, and how long that takes.

Not known of the real service, and therefore guesses: the status for a page_size beyond the largest one (400), the words and `type`
of errors, the status for a missing key (401), what /ping says.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from ansible_collections.quayside.airgap.tests.sandbox.answers import html_page
from ansible_collections.quayside.airgap.tests.sandbox.catalog.layout import Selection, body, document, select
from ansible_collections.quayside.airgap.tests.sandbox.catalog.options import CatalogOptions
from ansible_collections.quayside.airgap.tests.sandbox.catalog.rsql import AllOf, Comparison, Expression, FilterError, Match, parse
from ansible_collections.quayside.airgap.tests.sandbox.catalog.store import Endpoint
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.http_messages import HttpRequest, HttpResponse

__all__ = ["Answer", "CatalogApi", "error", "in_its_words"]

_REPOSITORY = re.compile(r"^/repositories/registry/(?P<registry>[^/]+)/repository/(?P<repository>.+)/(?:images|tag/(?P<tag>[^/]+))$")
_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    500: "Internal Server Error",
}


class Answer(NamedTuple):
    """An answer, and how many seconds the service takes to make it."""

    response: HttpResponse
    seconds: float = 0.0


def error(status: int, detail: str) -> HttpResponse:
    """How the API refuses."""
    title = _TITLES[status]
    content = document({"detail": detail, "status": status, "title": title, "type": "about:blank"})
    return HttpResponse(status, {"Content-Type": "application/problem+json"}, content)


def in_its_words(fault: Fault) -> Fault:
    """A status that the API gives itself, with its document for errors; the others are the gateway's, with a page of HTML."""
    if fault.kind != "status" or fault.body is not None or fault.status not in _TITLES:
        return fault
    refusal = error(fault.status, "The server could not answer the request.")
    return dataclasses.replace(fault, body=refusal.body, content_type=refusal.headers["Content-Type"])


class CatalogApi:
    """Answers requests below the base of the API. Its owner holds the lock of the content."""

    def __init__(self, options: CatalogOptions, images: Endpoint, rows: Endpoint) -> None:
        self._options = options
        self._images = images
        self._rows = rows

    def answer(self, request: HttpRequest, path: str) -> Answer:
        """The answer to a request for `path`, which begins behind the base."""
        if request.method not in ("GET", "HEAD"):
            return Answer(error(405, f"The method {request.method} is not allowed for the requested URL."))
        if self._options.api_key and request.headers.get("x-api-key") != self._options.api_key:
            return Answer(error(401, "The API key is missing or not valid."))
        try:
            if path == "/ping":
                return Answer(_json(document({"status": "OK"})))
            if path == "/images":
                return self._page(request, self._images, None)
            if path == "/operators/bundles":
                return self._page(request, self._rows, None)
            named = _REPOSITORY.match(path)
            if named:
                return self._repository(request, {name: unquote(value) for name, value in named.groupdict().items() if value})
        except FilterError as refused:
            return Answer(error(400, str(refused)))
        return Answer(error(404, "The requested URL was not found on the server."))

    def _repository(self, request: HttpRequest, named: Mapping[str, str]) -> Answer:
        """The images of one repository, all or those of one tag; 404 for a repository that is in no image."""
        place = (Comparison("registry", "==", named["registry"]), Comparison("repository", "==", named["repository"]))
        if not self._images.matching(Match("repositories", AllOf(place))):
            return Answer(error(404, "The requested repository was not found."))
        tag = (Comparison("tags.name", "==", named["tag"]),) if "tag" in named else ()
        return self._page(request, self._images, Match("repositories", AllOf((*place, *tag))))

    def _page(self, request: HttpRequest, endpoint: Endpoint, only: Expression | None) -> Answer:
        options = self._options
        number = _whole(request, "page", 0, 0)
        size = _whole(request, "page_size", options.default_page, 1)
        if size > options.largest_page:
            if options.beyond == "refuse":
                raise FilterError(f"{size} is greater than the maximum of {options.largest_page} - 'page_size'")
            size = options.largest_page
        wanted = parse(request.first("filter") or "")
        if only is not None:
            wanted = AllOf((only, *(wanted.parts if isinstance(wanted, AllOf) else (wanted,))))
        sort_by = request.first("sort_by") or ""
        if "last_update_date" in sort_by and not options.updates_sorted:
            raise FilterError("Sorting by last_update_date is not supported")
        selection = select(request.first("include") or "", request.first("exclude") or "")
        found = endpoint.select(wanted, sort_by, number * size, size, selection)
        values = {"page": number, "page_size": size, "total": found.total}
        content = body(
            found.rows if "data" in selection.envelope else None,
            {name: value for name, value in values.items() if name in selection.envelope},
        )
        return self._timed(_json(content), self._seconds(selection, number * size, len(found.rows), found.total))

    def _seconds(self, selection: Selection, skipped: int, rows: int, total: int) -> float:
        options = self._options
        seconds = options.slow_depth * skipped / 1000
        if selection.counts and total > options.small:
            seconds += options.slow_totals
        if selection.deep:
            seconds += options.slow_whole * rows / 100
        return seconds

    def _timed(self, response: HttpResponse, seconds: float) -> Answer:
        """What comes out of the gateway before the service."""
        limit = self._options.gateway
        if seconds < limit:
            return Answer(response, seconds)
        return Answer(html_page(self._options.gateway_status, "Gateway Time-out", {}), limit)


def _whole(request: HttpRequest, name: str, default: int, least: int) -> int:
    text = request.first(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]+", text) or int(text) < least:
        raise FilterError(f"'{text}' is not a whole number from {least} on - '{name}'")
    return int(text)


def _json(content: bytes) -> HttpResponse:
    return HttpResponse(200, {"Content-Type": "application/json"}, content)
