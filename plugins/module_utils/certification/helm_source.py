# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The index of the Helm repository, fetched only when it has changed, and never taken for whole when it is not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Callable, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, HttpError, InputError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import HttpSession, read_limited, safe_url

if TYPE_CHECKING:
    from requests import Response

INDEX_URL = "https://charts.openshift.io/index.yaml"
# About 2 KB for each version of a chart: room for many times what the largest public repositories hold
_MOST_BYTES = 128 << 20
_MOST_ERROR = 64 << 10
_MOST_TEXT = 300
# How often a server is asked again that sends something else than an index: it is likely the wrong one
_MOST_RETRIES = 2
# Helm writes the keys of an index in the order of the alphabet: `generated` comes behind all entries
_LAST_KEY = re.compile(rb"^[\"']?generated[\"']?[ \t]*:", re.MULTILINE)
_ENTRIES = re.compile(rb"^[\"']?entries[\"']?[ \t]*:", re.MULTILINE)


class Index(NamedTuple):
    """An index as it was served.

    :ivar etag: what to show the server next time; empty where it gave none. ``last_modified``: the same.
    """

    content: bytes
    etag: str
    last_modified: str


def fetch_index(http: HttpSession, url: str, etag: str = "", last_modified: str = "") -> Index | None:
    """The index at a URL; None when it is still the one that ``etag`` and ``last_modified`` came with.

    Redirects are followed, for no key is sent. Failures that may pass are tried again, half an index and a page of HTML among them.

    :raises InputError: when the URL is none.
    :raises HttpError: when the server refuses.
    :raises ProtocolError: when what it sends is no index.
    :raises TransportError: without an answer.
    """
    _check_url(url)
    headers = {"Accept": "application/yaml, text/yaml, */*"}
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = last_modified
    attempt = 0
    while True:
        try:
            return _fetch(http, url, headers, conditional=bool(etag or last_modified))
        except ProtocolError as error:
            if not error.transient or attempt >= min(_MOST_RETRIES, http.settings.retry.retries):
                raise
        http.cancellation.sleep(http.settings.retry.pause(attempt))
        attempt += 1


def _fetch(http: HttpSession, url: str, headers: dict[str, str], *, conditional: bool) -> Index | None:
    first = [True]

    def call() -> Response:
        begun, first[0] = first[0], False
        response = http.send("GET", url, headers=headers, follow=True, first_contact=begun)
        if response.status_code not in (200, 304):
            raise _refusal(url, response)
        return response

    response, content = http.read(call, _MOST_BYTES, f"the Helm index {safe_url(url)}")
    if response.status_code == 304:
        if not conditional:
            raise ProtocolError("read the Helm index", safe_url(url), "it answered 'not modified' to a request without a condition")
        return None
    _check(content, safe_url(url))
    return Index(content, response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""))


def _check(content: bytes, where: str) -> None:
    """Say what it is when it is no whole index. Whether it can be read is found out by who reads it.

    :raises ProtocolError: transient, for a next answer may be better.
    """

    def bad(reason: str, hint: str) -> ProtocolError:
        return ProtocolError("read the Helm index", where, reason, hint, transient=True)

    other = "Check helm_index_url, and that no login page or proxy stands in between."
    start = content.lstrip()[:1]
    if not start:
        raise bad("it is empty", other)
    if start == b"<":
        raise bad("it is a page of HTML or XML, not an index", other)
    if start == b"{":
        _check_json(content, bad, other)
        return
    if not _ENTRIES.search(content):
        raise bad("it has no 'entries'", other)
    if not _LAST_KEY.search(content):
        raise bad(
            f"it ends after {len(content)} bytes without the line 'generated', with which every index ends: it is not whole",
            "Run the task again; if that does not help, have the server's file repaired.",
        )


def _check_json(content: bytes, bad: Callable[[str, str], ProtocolError], hint: str) -> None:
    """An index may be written as JSON; so are the errors of many servers."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise bad(f"it begins as JSON and is none, or not all of it ({len(content)} bytes)", hint) from None
    if "entries" in body:
        return
    said = next((body[name] for name in ("detail", "message", "error", "title") if isinstance(body.get(name), str)), "")
    raise bad("it is JSON without 'entries'" + (f": {' '.join(said.split())[:_MOST_TEXT]}" if said else ""), hint)


def _refusal(url: str, response: Response) -> HttpError:
    status = response.status_code
    try:
        read_limited(response, _MOST_ERROR, "its reason")
    except AirgapError:
        response.close()
    hint = "Check helm_index_url." if status in (401, 403, 404, 410) else ""
    end = safe_url(response.url)
    place = "" if end == safe_url(url) else f" at {end}, where it sent us"
    return HttpError("read the Helm index", safe_url(url), f"HTTP status {status}{place}", hint, status=status)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0 and not re.search(r"\s", url)
    except ValueError:
        good = False
        parts = urlsplit("")
    if not good:
        raise InputError("helm_index_url", "it is no URL of a file on a server", f"Write it as {INDEX_URL}.")
    if parts.username or parts.password:
        raise InputError("helm_index_url", "it holds a user name or password, which are not sent")
