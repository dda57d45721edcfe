# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalog API: one page per call, and every answer checked before a record of it counts.

What is asked keeps to the filters and the order that the service has indexes for (Catalog API: images by isv_pid and creation_date).
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, NamedTuple
from urllib.parse import quote, urlencode, urljoin, urlsplit

from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import Container, OperatorRow
from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import (
    TRANSIENT_STATUSES,
    AirgapError,
    HttpError,
    InputError,
    ProtocolError,
    TransportError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import (
    HttpSession,
    HttpSettings,
    RetryPolicy,
    read_limited,
    retry_after,
    safe_url,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings

if TYPE_CHECKING:
    from requests import Response

API_URL = "https://catalog.redhat.com/api/containers/v1"
ORGANIZATIONS = ("certified-operators",)
# What a page is halved down to where the service is too slow; below this the number of requests costs more than their size
LEAST_PAGE = 50
# Catalog API: no maximum is published; 500 is what has been used in production
_MOST_PAGE = 1000
_MOST_WORKERS = 64
# 1000 images with a hundred tags each stay far below this
_MOST_BYTES = 64 << 20
_MOST_ERROR = 64 << 10
_MOST_TEXT = 300
# How long a look that only saves work may take, in seconds
_NARROW_SECONDS = 10.0
_NARROW_ROWS = 100
# The fields that a look is about, and no walk
NARROW = ("_id", "last_update_date")
# How often a server is asked again that has never sent a page of a catalog: it is likely none
STRANGER_RETRIES = 2
_ORGANIZATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PLAIN = re.compile(r"[\x21-\x7e]+")


class TooSlow(ProtocolError):
    """The service, or the gateway before it, gave up on a request: smaller ones may succeed where the same one would not.

    Catalog API: the gateway answers after 60 seconds, with a page of HTML or the status 504.
    """


class ForeignPage(TooSlow):
    """A page of HTML came in place of JSON: the gateway's, or that of another server than the catalog."""


@dataclass(frozen=True)
class CatalogOptions:
    """How the catalog is reached.

    :ivar api_key: sent as X-API-KEY to this server only.
    :ivar page_size: records that are asked for at once.
    :ivar workers: requests under way at once.
    :ivar timeout: seconds of silence after which an answer is given up.
    :ivar proxy: see :class:`HttpSettings`.
    """

    api_url: str = API_URL
    api_key: str | None = field(default=None, repr=False)
    page_size: int = 500
    workers: int = 8
    timeout: float = 60.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    tls: TlsSettings = field(default_factory=TlsSettings)
    proxy: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("page_size", self.page_size, 1, _MOST_PAGE),
            ("workers", self.workers, 1, _MOST_WORKERS),
            ("retries", self.retry.retries, 0, 100),
            ("timeout", self.timeout, 1, 86400),
        ):
            if not least <= value <= most:
                raise InputError(name, f"{value} is not between {least} and {most}")
        if self.api_key is not None and not _PLAIN.fullmatch(self.api_key):
            raise InputError("api_key", "it is empty, or holds blanks or other characters that no key has")


class Kind(NamedTuple):
    """What is asked for.

    :ivar name: for messages: ``images``, ``operator bundles``.
    :ivar before: conditions of the filter that come before those on the date; ``behind``: those that come after.
    :ivar fields: of a record, below ``data``, beside ``_id`` and ``creation_date``.
    :ivar make: the value that stands for a record; raises ValueError for a record that cannot be used.
    """

    name: str
    path: str
    before: str
    behind: str
    fields: tuple[str, ...]
    make: Callable[[Any], Any]


# Catalog API: isv_pid is set for images of partners, which are the ones that can be certified
CONTAINERS = Kind(
    "images",
    "/images",
    "isv_pid!=null",
    "certified==true",
    (
        "repositories.registry",
        "repositories.repository",
        "repositories.manifest_list_digest",
        "repositories.tags.name",
        "image_id",
        "architecture",
    ),
    Container.from_record,
)


def operators(organizations: Sequence[str]) -> Kind:
    """The bundles of operators that these organizations offer.

    :raises InputError: when there is none, or one has a name that cannot stand in a filter.
    """
    for name in organizations:
        if not _ORGANIZATION.fullmatch(name):
            raise InputError("organizations", f"'{name}' is no name of an organization", "Write it as in certified-operators.")
    names = sorted(set(organizations))
    if not names:
        raise InputError("organizations", "it is empty", "Name at least one, for example certified-operators.")
    condition = f"organization=={names[0]}" if len(names) == 1 else f"organization=in=({','.join(names)})"
    return Kind("operator bundles", "/operators/bundles", condition, "", OperatorRow._fields, OperatorRow.from_record)


class Query(NamedTuple):
    """One page.

    :ivar dates: conditions on the creation date, each an operator with its value: ``<=2020-10-20T18:17:55.675000+00:00``.
    :ivar fields: of the records, below ``data``.
    :ivar sort_by: field and direction; empty for the order of the server.
    :ivar total: ask how many records the filter meets, which makes the server count them.
    """

    kind: Kind
    dates: tuple[str, ...]
    fields: tuple[str, ...]
    sort_by: str
    page: int
    page_size: int
    total: bool

    @property
    def filter(self) -> str:
        dates = [f"creation_date{date}" for date in self.dates]
        return " and ".join(part for part in (self.kind.before, *dates, self.kind.behind) if part)

    @property
    def target(self) -> str:
        """Path and query, below the URL of the API."""
        # without page and page_size in the answer a server that gives smaller pages than asked would look like one at the end
        included = [f"data.{name}" for name in self.fields] + ["page", "page_size"] + ["total"] * self.total
        asked = {"filter": self.filter, "include": ",".join(included)}
        if self.sort_by:
            asked["sort_by"] = self.sort_by
        asked.update(page=str(self.page), page_size=str(self.page_size))
        return f"{self.kind.path}?{urlencode(asked, quote_via=quote, safe='')}"


class Page(NamedTuple):
    """A checked answer.

    :ivar rows: the records, at most page_size.
    :ivar total: as the server counted; None where it was not asked.
    :ivar page_size: what the server takes for a full page: as asked, or less.
    """

    rows: list[dict[str, Any]]
    total: int | None
    page_size: int


class Tally:
    """Counts what a walk costs; shared by the threads that make it."""

    def __init__(self, page_size: int) -> None:
        self._lock = threading.Lock()
        self.requests = 0
        self.retried = 0
        self.repaired = 0
        self.smallest_page = page_size

    def count(self, *, requests: int = 0, retried: int = 0, repaired: int = 0) -> None:
        """Add to the counters."""
        with self._lock:
            self.requests += requests
            self.retried += retried
            self.repaired += repaired

    def shrink(self, page_size: int) -> None:
        """Note that pages of this size had to do."""
        with self._lock:
            self.smallest_page = min(self.smallest_page, page_size)


class CatalogClient:
    """One catalog, shared by threads.

    :ivar understood: whether the server has ever sent a page of a catalog.
    :ivar http: its session, which others may use for calls of their own: the key of the API is in no call but the client's.
    :ivar on_page: called with every page that arrived, by the thread that asked for it.
    """

    def __init__(self, options: CatalogOptions, cancellation: Cancellation | None = None) -> None:
        self.options = options
        self.base = base_url(options.api_url)
        self.cancellation = cancellation or Cancellation()
        self.http = HttpSession(
            HttpSettings(
                tls=options.tls,
                retry=options.retry,
                connections=options.workers,
                read_timeout=float(options.timeout),
                proxy=options.proxy,
            ),
            self.cancellation,
        )
        self._headers = {"Accept": "application/json"}
        if options.api_key:
            self._headers["X-API-KEY"] = options.api_key
        self._answered = False
        self.understood = False
        self.on_page: Callable[[Query, Page], None] | None = None

    def close(self) -> None:
        """Close all connections."""
        self.http.close()

    def __enter__(self) -> CatalogClient:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def page(self, query: Query, tally: Tally, *, patient: bool = True, seconds: float | None = None) -> Page:
        """One page, asked again where the failure may pass: no answer, half of one, garbage, 408, 429, 5xx.

        :param patient: off for a single attempt with a short time limit.
        :param seconds: of silence to bear, where that is less than the options say.
        :raises TooSlow: at once when a smaller request may fare better: the time limit is over, status 504, a page of HTML.
        :raises AirgapError: when the service refuses, or after the last attempt.
        """
        attempt = 0
        silence = min(seconds or self.options.timeout, self.options.timeout if patient else _NARROW_SECONDS)
        while True:
            tally.count(requests=1)
            try:
                page = self._ask(query, silence)
                self.understood = True
                if self.on_page is not None:
                    self.on_page(query, page)
                return page
            except TooSlow:
                raise
            except AirgapError as error:
                if not patient or not error.transient or self._unreachable(error) or attempt >= self._most_retries(error):
                    raise
            tally.count(retried=1)
            self.cancellation.sleep(self.options.retry.pause(attempt))
            attempt += 1

    def pause(self, attempt: int) -> None:
        """Wait as after a failed attempt with this number, counted from 0."""
        self.cancellation.sleep(self.options.retry.pause(attempt))

    def _most_retries(self, error: AirgapError) -> int:
        retries = self.options.retry.retries
        return retries if self.understood or not isinstance(error, ProtocolError) else min(retries, STRANGER_RETRIES)

    def _unreachable(self, error: AirgapError) -> bool:
        """A server that has never been reached is likely a typing error, and no patience helps."""
        return not self._answered and isinstance(error, TransportError) and error.kind in ("dns", "refused", "tls", "proxy")

    def _ask(self, query: Query, silence: float) -> Page:
        what = f"read the {query.kind.name} of"
        url = self.base + query.target
        try:
            response = self.http.send("GET", url, headers=self._headers, retry=False, read_timeout=silence)
            self._answered = True
            if response.status_code != 200:
                raise self._refusal(what, response)
            content = read_limited(response, _MOST_BYTES, f"the {query.kind.name} of {safe_url(url)}")
        except TransportError as error:
            if error.kind == "timeout" and self._answered:
                raise TooSlow(what, safe_url(url), error.reason, _SLOW_HINT, transient=True) from error
            raise
        return self._check(content, query, what, safe_url(url))

    def _check(self, content: bytes, query: Query, what: str, where: str) -> Page:
        """The page in the body of an answer with status 200.

        :raises TooSlow: for a page of HTML; :raises ProtocolError: for anything else that is not the page that was asked for.
        """
        if content.lstrip()[:1] == b"<":
            hint = "Check api_url, and that no login page or proxy stands in between."
            raise ForeignPage(what, where, "it answered with a page of HTML in place of JSON", hint, transient=True)

        def bad(reason: str) -> ProtocolError:
            return ProtocolError(what, where, reason, "Check that api_url names the catalog API.", transient=True)

        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            raise bad(f"the answer of {len(content)} bytes is no complete JSON") from None
        rows = body.get("data") if isinstance(body, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise bad("the answer has no list 'data' of records")
        page, size, total = body.get("page"), body.get("page_size"), body.get("total")
        if page != query.page or not _whole(size) or not 1 <= size <= query.page_size:
            raise bad(f"it answered with page {page} of size {size} in place of page {query.page} of size {query.page_size}")
        if len(rows) > size:
            raise bad(f"it sent {len(rows)} records on a page of {size}")
        if query.total and not _whole(total):
            raise bad("the answer does not say how many records there are ('total')")
        if query.total and total < len(rows):
            raise bad(f"it sent {len(rows)} records and counts {total}")
        return Page(rows, total if query.total else None, size)

    def _refusal(self, what: str, response: Response) -> AirgapError:
        """The error for an answer with another status than 200."""
        status = response.status_code
        where = safe_url(response.url)
        wait = retry_after(response.headers)
        location = response.headers.get("Location", "")
        try:
            content = read_limited(response, _MOST_ERROR, "its reason")
        except AirgapError:
            content = b""
        if status in TRANSIENT_STATUSES and wait is not None:
            self.http.hold_back(response.url, wait)
        if status == 504:
            return TooSlow(what, where, "the gateway before it gave up waiting (HTTP status 504)", _SLOW_HINT, transient=True)
        said = self._said(content)
        reason = f"HTTP status {status}" + (f" ({said})" if said else "")
        if 300 <= status < 400:
            reason = f"it sends us to {_place(response.url, location)} (HTTP status {status})"
            hint = "Set api_url to the address that answers itself: redirects are not followed, since the key belongs to one server."
        else:
            hint = self._hint(status)
        return HttpError(what, where, reason, hint, status=status)

    def _hint(self, status: int) -> str:
        if status in (401, 403):
            if self.options.api_key:
                return "Check api_key: the service does not accept it, or the key does not allow this."
            return "The service wants a key: set api_key; or a proxy in between refuses the address in api_url."
        if status == 404:
            return f"Check api_url ({self.base}): nothing of the catalog API is there."
        if status in (400, 422):
            return (
                "The service does not accept the filter: check organizations, since and page_size, and that api_url names the catalog API."
            )
        if status == 429:
            return "Lower the option workers, or run the task again later."
        return "Run the task again later." if status in TRANSIENT_STATUSES else "Check api_url."

    def _said(self, content: bytes) -> str:
        """The reason in the body of an error (Catalog API: detail, title), without the key should it be echoed."""
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            return ""
        texts = [body.get(name) for name in ("detail", "title")] if isinstance(body, dict) else []
        said = next((" ".join(text.split()) for text in texts if isinstance(text, str) and text.strip()), "")
        if self.options.api_key:
            said = said.replace(self.options.api_key, "***")
        return said[:_MOST_TEXT]


_SLOW_HINT = "Raise timeout, lower page_size or workers, or run the task again later."


def fingerprint(client: CatalogClient, kind: str, organizations: Sequence[str] = ()) -> str | None:
    """A narrow look at the catalog: a text that stays the same as long as nothing is added, removed or changed.

    It is made of the number of records and of those that were updated last. One request, one attempt, a short time limit.

    :param kind: ``containers``, or ``operators`` of the organizations.
    :returns: None where the service does not allow the question, or not now: whoever asks walks the catalog instead.
    """
    asked = operators(organizations) if kind == "operators" else CONTAINERS
    query = Query(asked, (), NARROW, "last_update_date[desc]", 0, _NARROW_ROWS, True)
    try:
        page = client.page(query, Tally(_NARROW_ROWS), patient=False)
    except (HttpError, ProtocolError, TransportError):
        return None
    seen = [[row.get(name) for name in NARROW] for row in page.rows]
    if not all(isinstance(value, str) and value for row in seen for value in row):
        return None
    dates = [str(row[1]) for row in seen]
    # a server that passes over the order would show the same records whatever changes
    if len(page.rows) != min(page.total or 0, page.page_size) or dates != sorted(dates, reverse=True):
        return None
    # records with one date come in any order
    text = json.dumps([asked.name, asked.before, page.total, sorted(seen, key=str)])
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def base_url(url: str) -> str:
    """The URL of an API as the user names it, without a slash at its end.

    :raises InputError: when it is none.
    """
    text = url.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0 and bool(_PLAIN.fullmatch(text))
    except ValueError:
        good = False
        parts = urlsplit("")
    if parts.username or parts.password:
        raise InputError("api_url", "it holds a user name or password", "Give a key as api_key.")
    if not good:
        raise InputError("api_url", f"'{text}' is no URL of a server", f"Write it as {API_URL}.")
    if parts.query or parts.fragment:
        raise InputError("api_url", "it has a query or a fragment", f"Write it as {API_URL}.")
    return text


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _place(url: str, location: str) -> str:
    try:
        return safe_url(urljoin(url, location)) if location else "another place"
    except ValueError:
        return "another place"
