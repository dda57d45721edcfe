# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A catalog of a few records that a test holds in its hands: it may change them, or answer otherwise, at any request."""

from __future__ import annotations

import datetime
import json
import operator
import re
import threading
import time
from collections.abc import Iterable
from typing import Any, Callable

from ansible_collections.quayside.airgap.tests.sandbox.http_server import HttpRequest, HttpResponse
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import ScriptedServer, reply

EPOCH = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
_COMPARE = {"==": operator.eq, "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}

Record = dict[str, Any]


def date(tick: int | None) -> str | None:
    """The date so many milliseconds after the beginning, as the catalog writes dates."""
    return None if tick is None else (EPOCH + datetime.timedelta(milliseconds=tick)).isoformat(timespec="microseconds")


def image(number: int, tick: int | None) -> Record:
    """A certified image, created at this tick; None for one without a date."""
    repository = {"registry": "registry.connect.redhat.com", "repository": f"acme/{number}", "tags": [{"name": "v1"}]}
    return {
        "_id": f"{number:024x}",
        "creation_date": date(tick),
        "image_id": f"sha256:{number:064x}",
        "architecture": "amd64",
        "repositories": [repository],
    }


def bundle(number: int, tick: int) -> Record:
    """A bundle of an operator."""
    row = {"csv_name": f"acme.v{number}", "ocp_version": "4.18", "channel_name": "stable", "organization": "certified-operators"}
    return {"_id": f"{number:024x}", "creation_date": date(tick), **row}


def images(ticks: Iterable[int | None]) -> list[Record]:
    """An image for each tick."""
    return [image(number, tick) for number, tick in enumerate(ticks)]


class SmallCatalog(ScriptedServer):
    """Answers questions for pages from two lists.

    :param before: called with the number of the request, from 1, and the request; what it gives back is the answer, and None
        lets the catalog answer. It is called under a lock, so that it may change the records.
    :param after: called with the request and the body that is about to be sent, which it may change.
    :param most: the largest page that is given.
    :param nulls_first: where records without a date come when the newest come first.
    :param latency: seconds that every request takes.
    """

    def __init__(
        self,
        images: Iterable[Record] = (),
        bundles: Iterable[Record] = (),
        *,
        before: Callable[[int, HttpRequest], HttpResponse | None] | None = None,
        after: Callable[[HttpRequest, Record], None] | None = None,
        most: int = 500,
        nulls_first: bool = False,
        latency: float = 0.0,
    ) -> None:
        self.images = list(images)
        self.bundles = list(bundles)
        self._before = before
        self._after = after
        self._most = most
        self._nulls_first = nulls_first
        self._latency = latency
        self._changing = threading.Lock()
        self._number = 0
        super().__init__(self._answer)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if self._latency:
            time.sleep(self._latency)
        with self._changing:
            self._number += 1
            given = self._before(self._number, request) if self._before else None
            if given is not None:
                return given
            body = self._page(request)
        if self._after:
            self._after(request, body)
        return reply(200, json.dumps(body, indent=2, sort_keys=True) + "\n")

    def matching(self, request: HttpRequest) -> int:
        """How many records the filter of a request meets."""
        return len(self._matching(request))

    def _matching(self, request: HttpRequest) -> list[Record]:
        rows = self.images if request.path == "/images" else self.bundles
        for sign, value in re.findall(r"creation_date(>=|<=|==|<|>)(\S+)", request.query["filter"][0]):
            rows = [row for row in rows if _meets(row["creation_date"], sign, value)]
        return rows

    def _page(self, request: HttpRequest) -> Record:
        rows = self._matching(request)
        order = re.fullmatch(r"creation_date\[(asc|desc)\]", request.query.get("sort_by", [""])[0])
        if order:
            dated = sorted((row for row in rows if row["creation_date"]), key=_created, reverse=order[1] == "desc")
            rest = [row for row in rows if not row["creation_date"]]
            rows = rest + dated if self._nulls_first or order[1] == "asc" else dated + rest
        page, size = int(request.query["page"][0]), min(self._most, int(request.query["page_size"][0]))
        body: Record = {"data": [dict(row) for row in rows[page * size : (page + 1) * size]], "page": page, "page_size": size}
        if "total" in request.query["include"][0].split(","):
            body["total"] = len(rows)
        return body


def _meets(created: str | None, sign: str, value: str) -> bool:
    if value == "null":
        return created is None
    return created is not None and bool(_COMPARE[sign](created, value))


def _created(row: Record) -> str:
    return str(row["creation_date"])
