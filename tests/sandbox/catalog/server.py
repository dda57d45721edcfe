# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox catalog: the API of certified artifacts and a Helm index on one port, with faults, and content that changes while it is read.

with SandboxCatalog(CatalogOptions(images=500, duplicates=10, chances={"503": 0.1})) as catalog:
    catalog.faults.append(Fault("GET", "/images", "short", skip=3))
    catalog.after(5, lambda editor: editor.remove_image())
    ...                                     # asks catalog.api_url and catalog.index_url
    assert tables.containers == catalog.truth().containers
    assert catalog.count(path="/images") < 20
"""

from __future__ import annotations

import email.utils
import hashlib
import random
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox import faults as fault_kinds
from ansible_collections.quayside.airgap.tests.sandbox.catalog.api import Answer, CatalogApi, error, in_its_words
from ansible_collections.quayside.airgap.tests.sandbox.catalog.chance import Chances
from ansible_collections.quayside.airgap.tests.sandbox.catalog.changes import Change, Editor
from ansible_collections.quayside.airgap.tests.sandbox.catalog.layout import select
from ansible_collections.quayside.airgap.tests.sandbox.catalog.options import CatalogOptions
from ansible_collections.quayside.airgap.tests.sandbox.catalog.rsql import parse
from ansible_collections.quayside.airgap.tests.sandbox.catalog.store import Endpoint, Record
from ansible_collections.quayside.airgap.tests.sandbox.catalog.truth import Moment, Truth
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault, FaultPlan
from ansible_collections.quayside.airgap.tests.sandbox.http_server import HttpRequest, HttpResponse, HttpServer
from ansible_collections.quayside.airgap.tests.sandbox.request_log import Predicate, Request, RequestLog
from ansible_collections.quayside.airgap.tests.sandbox.storage import Storage
from ansible_collections.quayside.airgap.tests.support.catalog_charts import ChartVersion, helm_index, make_charts
from ansible_collections.quayside.airgap.tests.support.catalog_content import CERTIFIED, make_images, make_rows
from ansible_collections.quayside.airgap.tests.support.catalog_records import whole_image, whole_row

__all__ = ["CatalogOptions", "Fault", "SandboxCatalog"]

INDEX = "/index.yaml"
# What dumps ask for, written beforehand with `prepared`
_IMAGE_FIELDS = (
    "_id",
    "creation_date",
    "repositories.registry",
    "repositories.repository",
    "repositories.manifest_list_digest",
    "repositories.tags.name",
    "image_id",
    "architecture",
)
_ROW_FIELDS = ("csv_name", "ocp_version", "channel_name")
_EPOCH = 1_787_000_000


class SandboxCatalog:
    """A catalog on 127.0.0.1; use it as a context manager, or start() and stop() it.

    faults       planned faults; append while the server runs
    latency      seconds before every answer; may be changed while the server runs
    chances      faults by chance, with their counts
    chart_list   the chart versions that the index was made of
    """

    def __init__(self, options: CatalogOptions | None = None) -> None:
        self.options = options or CatalogOptions()
        self.latency = self.options.latency
        self.faults = FaultPlan()
        self.chances = Chances(self.options.chances, self.options.chance_seed)
        self.chart_list: list[ChartVersion] = make_charts(self.options.charts, self.options.seed, oddities=self.options.chart_oddities)
        self._index = helm_index(self.chart_list)
        self._index_number = 0
        order = {"undated_newest": self.options.undated_newest, "ties_move": self.options.ties_move}
        self._images = Endpoint(make_images(self.options), whole_image, **order)
        self._rows = Endpoint(make_rows(self.options), whole_row, **order)
        self._api = CatalogApi(self.options, self._images, self._rows)
        self._editor = Editor(self._images, self._rows, self.options.seed)
        self._chance = random.Random(f"churn {self.options.seed}")
        self._churned = 0
        self._planned: list[tuple[int, Change]] = []
        self._arrived = 0
        self._lock = threading.RLock()
        self._log = RequestLog()
        self._storage = Storage(None)
        self.moments: list[Moment] = [self._moment()]
        if self.options.prepared:
            self._prepare()
        tls = self.options.tls
        context = tls.server_context() if tls else None
        self._server = HttpServer(self._handle, self._log, port=self.options.port, context=context, software="openresty")

    # ------------------------------------------------------------------ life

    def __enter__(self) -> SandboxCatalog:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error_: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to answer; a server that was stopped takes its old port again."""
        self._server.start()

    def stop(self) -> None:
        """End all connections and free the port; the content stays."""
        self._server.stop()

    # --------------------------------------------------------------- address

    @property
    def port(self) -> int:
        """TCP port, known after start()."""
        return self._server.port

    @property
    def url(self) -> str:
        """`http(s)://127.0.0.1:port`."""
        return f"{self._server.scheme}://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """What the module takes as api_url."""
        return self.url + self.options.base

    @property
    def index_url(self) -> str:
        """What the module takes as helm_index_url."""
        return self.url + INDEX

    # ------------------------------------------------------------------- log

    @property
    def requests(self) -> list[Request]:
        """Everything that was asked so far, in the order of arrival."""
        return list(self._log.select())

    def select(self, predicate: Predicate | None = None, *, path: str | None = None, status: int | None = None) -> list[Request]:
        """Requests that fulfil everything given; `path` is a regular expression."""
        return list(self._log.select(predicate, path=path, status=status))

    def count(self, predicate: Predicate | None = None, *, path: str | None = None, status: int | None = None) -> int:
        """How many requests fulfil everything given."""
        return len(self.select(predicate, path=path, status=status))

    @property
    def peak(self) -> int:
        """Most requests that were being answered at the same time."""
        return self._log.peak

    def reset_log(self) -> None:
        """Forget the requests so far."""
        self._log.reset()

    # --------------------------------------------------------------- content

    @property
    def images(self) -> list[Record]:
        """All images, certified or not, in their natural order. Change them by edit() alone."""
        with self._lock:
            return self._images.records

    @property
    def rows(self) -> list[Record]:
        """The operator rows of all organizations in their natural order. Change them by edit() alone."""
        with self._lock:
            return self._rows.records

    @property
    def index(self) -> bytes:
        """The Helm index."""
        return self._index

    @property
    def now(self) -> Moment:
        """The content as it is."""
        with self._lock:
            return self._moment()

    def truth(self, organizations: Iterable[str] = (CERTIFIED,), since: str = "") -> Truth:
        """What a perfect dump holds now; `moments` have that of earlier ones."""
        return self.now.truth(organizations, since)

    def edit(self, change: Change) -> Any:
        """Change the content; gives back what `change` does. Readers see all of it or nothing."""
        with self._lock:
            done = change(self._editor)
            self._keep()
        return done

    def set_index(self, content: bytes) -> None:
        """Serve other bytes as the Helm index."""
        with self._lock:
            self._index = content
            self._index_number += 1
            self._keep()

    def set_charts(self, charts: Iterable[ChartVersion]) -> None:
        """Serve an index of these chart versions; those of one entry must be neighbours."""
        self.chart_list = list(charts)
        self.set_index(helm_index(self.chart_list))

    def after(self, requests: int, change: Change) -> None:
        """Change the content when so many more requests to the API have been answered."""
        with self._lock:
            self._planned.append((self._arrived + requests, change))

    @property
    def pending(self) -> int:
        """How many planned changes have not happened yet."""
        with self._lock:
            return len(self._planned)

    # --------------------------------------------------------------- private

    def _handle(self, request: HttpRequest) -> HttpResponse:
        wait = self._server.stopping.wait
        if self.latency:
            wait(self.latency)
        fault = self.faults.take(request) or self.chances.take(request)
        if fault is not None:
            if request.path.startswith(f"{self.options.base}/"):
                fault = in_its_words(fault)
            response = fault_kinds.answer_with(fault, request, self._answer, self._storage, wait)
        else:
            response = self._answer(request)
        response.headers.setdefault("trace_id", f"0x{hashlib.sha256(request.raw_query.encode()).hexdigest()[:32]}")
        return response

    def _answer(self, request: HttpRequest) -> HttpResponse:
        base = self.options.base
        with self._lock:
            if request.path == INDEX:
                answer = Answer(self._answer_index(request))
            elif request.path.startswith(f"{base}/"):
                answer = self._api.answer(request, request.path[len(base) :])
                self._pass_on()
            else:
                answer = Answer(error(404, "The requested URL was not found on the server."))
        if answer.seconds:
            self._server.stopping.wait(answer.seconds)
        return answer.response

    def _answer_index(self, request: HttpRequest) -> HttpResponse:
        headers = {"Content-Type": "text/yaml"}
        if self.options.conditions:
            date = email.utils.formatdate(_EPOCH + 60 * self._index_number, usegmt=True)
            headers.update({"ETag": f'"{hashlib.sha256(self._index).hexdigest()[:32]}"', "Last-Modified": date})
            known = request.headers.get("if-none-match")
            # a tag is the better condition, and the date is not looked at beside one
            if known == headers["ETag"] or (known is None and request.headers.get("if-modified-since") == date):
                return HttpResponse(304, headers)
        return HttpResponse(200, headers, self._index)

    def _pass_on(self) -> None:
        """Let happen what is planned behind this request, or by chance."""
        self._arrived += 1
        due = [change for number, change in self._planned if number <= self._arrived]
        self._planned = [(number, change) for number, change in self._planned if number > self._arrived]
        if self._churned < self.options.churn_limit and self._chance.random() < self.options.churn:
            self._churned += 1
            due.append(Editor.at_random)
        for change in due:
            change(self._editor)
        if due:
            self._keep()

    def _keep(self) -> None:
        if self.options.keep_moments:
            self.moments.append(self._moment())

    def _moment(self) -> Moment:
        return Moment(self._arrived, tuple(self._images.records), tuple(self._rows.records), self._index)

    def _prepare(self) -> None:
        for endpoint, fields, wanted in (
            (self._images, _IMAGE_FIELDS, "isv_pid!=null and certified==true"),
            (self._rows, _ROW_FIELDS, f"organization=={CERTIFIED}"),
        ):
            for more in ((), ("_id", "creation_date")):
                named = sorted({*fields, *more}, key=[*fields, *more].index)
                endpoint.prepare(select(",".join(f"data.{name}" for name in named), ""), parse(wanted))
