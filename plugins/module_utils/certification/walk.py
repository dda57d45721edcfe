# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole walks over the catalog, by several workers at once, that prove themselves complete.

Records have a creation date that never changes, so the time line is what is walked: newest first, in windows that no two workers share.
Within a window the next page begins at the date of the last record, that date included, because records may share it; what was
seen is known by its ``_id``. Page numbers move when records come and go, dates do not. They serve only where one date fills a page.

A window is done when it holds as many distinct records as the server counts in it, else it is walked again. At the end the
whole filter is counted: that shows what changed behind the walk, and records without a date.
"""

from __future__ import annotations

import datetime
import functools
import threading
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ansible_collections.quayside.airgap.plugins.module_utils.certification.pyxis import (
    CONTAINERS,
    LEAST_PAGE,
    ORGANIZATIONS,
    STRANGER_RETRIES,
    CatalogClient,
    ForeignPage,
    Kind,
    Page,
    Query,
    Tally,
    TooSlow,
    operators,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.timeline import (
    Dates,
    Window,
    divisions,
    evenly,
    moment,
    written,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Task, WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import (
    AirgapError,
    HttpError,
    InputError,
    ProtocolError,
)

_NEWEST_FIRST = "creation_date[desc]"
_OLDEST_FIRST = "creation_date[asc]"
# How often one window, and how often the whole, may turn out to have changed before the walk gives up
_MOST_REPAIRS = 8
_MOST_ROUNDS = 8
# How often the service is asked to count before the count is taken for impossible
_COUNTING = 3
# Seconds of silence after which a count is given up: it is wanted for the proof, but not at the price of the gateway's full minute
_COUNT_SECONDS = 25.0
# A date before all others: a condition on the date leaves out the records that have none
_DATED = ">=1970-01-01T00:00:00.000000+00:00"
_UNDATED = "==null"
_AT_REST = "Run the task again when the catalog is at rest."


class Walked(NamedTuple):
    """What a walk brought.

    :ivar records: each once, in no particular order.
    :ivar total: how many there are as the server counted at the end; None where it could not count them all in time, and the walk
        is proved by its windows alone.
    :ivar distinct: how many different records were read.
    :ivar requests: how many were made; ``retried``: how many of them after a failure.
    :ivar repaired: how many windows were walked again because they changed, or did not hold what the server counted.
    :ivar smallest_page: the smallest size of page that was asked for because larger ones were too slow.
    """

    records: list[Any]
    total: int | None
    distinct: int
    requests: int
    retried: int
    repaired: int
    smallest_page: int


class Catalog(NamedTuple):
    """Both walks; None for what was not asked for."""

    containers: Walked | None
    operators: Walked | None


def walk_containers(client: CatalogClient, since: str = "") -> Walked:
    """All certified images of partners, as :class:`Container`. See :func:`walk_catalog`."""
    return _run(client, [(CONTAINERS, since)], ())[0]


def walk_operators(client: CatalogClient, organizations: Sequence[str] = ORGANIZATIONS, since: str = "") -> Walked:
    """All bundles of these organizations, as :class:`OperatorRow`. See :func:`walk_catalog`."""
    return _run(client, [(operators(organizations), since)], ())[0]


def walk_catalog(
    client: CatalogClient,
    *,
    since: str = "",
    containers: bool = True,
    organizations: Sequence[str] | None = ORGANIZATIONS,
    alongside: Iterable[Task] = (),
) -> Catalog:
    """Both kinds at the same time, by one pool of as many workers as the client has.

    :param since: only images that were created then or later (a date of RFC 3339); operators are always read whole.
    :param containers: whether images are wanted; ``organizations``: whose operators are, None for none.
    :param alongside: tasks that the same workers do meanwhile.
    :raises AirgapError: when the catalog cannot be read whole. Nothing is given back then.
    """
    wanted = [(CONTAINERS, since)] if containers else []
    if organizations is not None:
        wanted.append((operators(organizations), ""))
    results = _run(client, wanted, alongside)
    return Catalog(results[0] if containers else None, results[-1] if organizations is not None else None)


def _run(client: CatalogClient, wanted: Sequence[tuple[Kind, str]], alongside: Iterable[Task]) -> list[Walked]:
    with WorkerPool(client.options.workers, client.cancellation) as pool:
        crew = _Crew(pool)
        walks = [_Walk(client, crew, kind, since) for kind, since in wanted]
        for walk in walks:
            walk.start()
        for task in alongside:
            crew.add(task)
        pool.run()
        return [walk.result() for walk in walks]


class _Crew:
    """The workers of a pool, and how many of them have nothing to do."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._busy = 0

    def add(self, task: Task) -> None:
        """Have a task done."""
        with self._lock:
            self._busy += 1

        def work() -> None:
            try:
                task()
            finally:
                with self._lock:
                    self._busy -= 1

        self._pool.add(work)

    @property
    def idle(self) -> int:
        """How many could begin another task at once."""
        with self._lock:
            return max(0, self._pool.workers - self._busy)


class _Walk:
    """One kind of records, from the first question to the proof.

    Tasks are single requests; what a task changes belongs to its window, and what windows share is behind the lock.
    """

    def __init__(self, client: CatalogClient, crew: _Crew, kind: Kind, since: str) -> None:
        self._client = client
        self._crew = crew
        self._kind = kind
        self._since = written(_wanted_moment(since)) if since else ""
        self._fields = ("_id", "creation_date", *kind.fields)
        self._size = client.options.page_size
        self._tally = Tally(self._size)
        self._where = f"of {client.base}"
        self._lock = threading.Lock()
        self._open = 0
        self._done: list[Window] = []
        self._apart: dict[str, Any] = {}
        self._everything = (f">={self._since}",) if self._since else ()
        self._opening = self._everything
        self._looks = 0
        self._first: Page | None = None
        self._whole: int | None = None
        self._undated: int | None = 0
        self._complete = False
        self._oldest: datetime.datetime | None = moment(self._since) if self._since else None
        self._newest = ""
        self._countable = True
        self._total: int | None = None
        self._rounds = 0

    def result(self) -> Walked:
        """What was found, once the pool has run."""
        records = dict(self._apart)
        for window in self._done:
            records.update(window.found)
        tally = self._tally
        return Walked(list(records.values()), self._total, len(records), tally.requests, tally.retried, tally.repaired, tally.smallest_page)

    # --- the beginning: the newest page, the date of the oldest record for dividing the time line, and whether some have no date

    def start(self) -> None:
        """Have the first questions asked."""
        opening = [self._look_at_newest] if self._since else [self._look_at_newest, self._look_at_oldest]
        self._looks = len(opening)
        if not self._since:
            opening.append(self._look_for_undated)
        self._open = len(opening)
        for task in opening:
            self._crew.add(task)

    def _look_at_newest(self) -> None:
        attempt = 0
        while self._first is None:
            query = Query(self._kind, self._opening, self._fields, _NEWEST_FIRST, 0, self._size, self._countable)
            try:
                self._first = self._client.page(query, self._tally, seconds=_COUNT_SECONDS if self._countable else None)
            except TooSlow as error:
                if isinstance(error, ForeignPage) and attempt >= STRANGER_RETRIES and not self._client.understood:
                    raise
                # counting a large range is what takes longest: try without before the page is made smaller
                if self._countable:
                    self._countable = False
                else:
                    self._size = self._smaller(self._size)
                self._wait(attempt, error)
                attempt += 1
        self._looked()

    def _look_at_oldest(self) -> None:
        query = Query(self._kind, (_DATED,), ("_id", "creation_date"), _OLDEST_FIRST, 0, 1, False)
        try:
            rows = self._client.page(query, self._tally, patient=False).rows
            if rows:
                self._oldest = moment(rows[0].get("creation_date"))
        except (AirgapError, ValueError):
            # it only helps to share the work evenly; who is needed for the walk itself says what is wrong
            self._client.cancellation.check()
        self._looked()

    def _look_for_undated(self) -> None:
        """Count the records without a date; what the counts of the others tell is not enough when records come and go."""
        try:
            self._undated = self._count((_UNDATED,), _COUNTING)
        except HttpError as error:
            if error.status not in (400, 422):
                raise
            # a service that does not know the question is asked again where the counts do not agree without an answer
            self._undated = None
        self._closed_one(self._conclude)

    def _looked(self) -> None:
        with self._lock:
            self._looks -= 1
            last = not self._looks
        if last:
            self._open_one(self._divide)
        self._closed_one(self._conclude)

    def _divide(self) -> None:
        """Begin the walk behind the first page."""
        page = self._first
        if page is None:
            raise self._wrong("it gave no first page")
        self._size = min(self._size, page.page_size)
        self._tally.shrink(self._size)
        if self._opening == self._everything:
            self._whole = page.total
            if len({row.get("_id") for row in page.rows}) == page.total or (page.total is None and len(page.rows) < page.page_size):
                # all that there is in one answer: no later one can know better
                self._apart = {self._identifier(row): self._value(row) for row in page.rows}
                self._total = page.total
                self._complete = True
                self._closed_one(self._conclude)
                return
        dated = [row for row in page.rows if row.get("creation_date") is not None]
        if dated:
            self._begin(page, whole=len(dated) == len(page.rows), newest=str(dated[0]["creation_date"]))
        elif self._opening != (_DATED,) and not self._since:
            # a server that takes no date for the latest one shows records without a date first
            self._opening, self._first, self._looks = (_DATED,), None, 1
            self._open_one(self._look_at_newest)
        self._closed_one(self._conclude)

    def _begin(self, page: Page, *, whole: bool, newest: str) -> None:
        """Walk on from the newest records, which bound the walk: what is created later does not matter.

        :param whole: whether the page is one of records with a date alone, as the pages of a window are.
        """
        self._newest = newest
        window = Window(self._since, newest, self._size, closed=True)
        if whole:
            dates = self._take(window, page.rows)
            self._advance(window, page.rows, dates, None if page.total is None else page.total - len(window.found))
        self._go_on(window)

    # --- a window, page by page

    def _go_on(self, window: Window) -> None:
        self._open_one(lambda: self._step(window))

    def _step(self, window: Window) -> None:
        instant = bool(window.instant)
        # page numbers hold as long as the number of records does: it is asked for with each of them
        counted = instant or window.expected is None
        query = Query(self._kind, window.ahead, self._fields, _NEWEST_FIRST, window.page * instant, window.size, counted)
        try:
            page = self._client.page(query, self._tally)
        except TooSlow as error:
            self._ease(window, error)
        else:
            window.slow = 0
            if page.page_size < window.size:
                self._tally.shrink(page.page_size)
                window.size = page.page_size
            if instant:
                self._read_instant(window, query, page)
            else:
                self._read(window, page)
        self._closed_one(self._conclude)

    def _read(self, window: Window, page: Page) -> None:
        """Add a page to a window, and go on."""
        if page.total is not None:
            window.expected = len(window.found) + page.total
        dates = self._take(window, page.rows)
        # a count that came earlier does not tell whether the end is reached, for records may have come since
        if len(page.rows) < page.page_size or (page.total is not None and len(window.found) == window.expected):
            self._finish(window)
        else:
            self._advance(window, page.rows, dates, None if window.expected is None else window.expected - len(window.found))
            self._go_on(window)

    def _read_instant(self, window: Window, query: Query, page: Page) -> None:
        """Add a page of the records of one date. They are read again when their number changes on the way, as pages then shift."""
        if page.page_size < query.page_size:
            # pages of another size are other pages
            window.enter(window.instant)
        elif window.page and page.total != window.alike:
            self._repair(window, "the number of records with one date kept changing", instant=True)
            return
        else:
            window.alike = page.total or 0
            self._take(window, page.rows)
            window.tied.update(row["_id"] for row in page.rows)
            window.page += 1
            if len(window.tied) == window.alike:
                window.leave()
            elif len(page.rows) < page.page_size or window.page * page.page_size > window.alike:
                reason = f"it counts {window.alike} records of {window.instant} and gives {len(window.tied)}"
                self._repair(window, reason, instant=True)
                return
        self._go_on(window)

    def _advance(self, window: Window, rows: Sequence[dict[str, Any]], dates: Dates, rest: int | None) -> None:
        """Find the place of the next page behind a full one.

        :param rest: how many records are ahead; None where that is not known.
        """
        last = dates[-1][0]
        window.move(last, rows)
        if dates[0][0] == last:
            # one date fills the page: there may be more of it than the next page could hold
            window.enter(last)
        else:
            self._share(window, dates, rest)

    def _take(self, window: Window, rows: Sequence[dict[str, Any]]) -> Dates:
        """Add the records of a page, and give their dates, as written and as they are, newest first.

        :raises ProtocolError: when they are not in the window or not in order: the server does not do what it is asked.
        """
        dates = []
        try:
            for row in rows:
                text = row.get("creation_date")
                dates.append((str(text), moment(text)))
                identifier = self._identifier(row)
                if identifier not in window.found:
                    window.found[identifier] = self._value(row)
            high = moment(window.instant or window.cursor or window.high)
            begin = window.instant or window.low
            low = moment(begin) if begin else None
        except ValueError as error:
            raise self._wrong(f"a record has a creation_date that is no date: {error}") from None
        previous = high
        for _text, date in dates:
            if date > previous or (low is not None and date < low):
                raise self._wrong("its records are not in the order or not in the range of dates that was asked for")
            previous = date
        return dates

    def _share(self, window: Window, dates: Dates, rest: int | None) -> None:
        """Give parts of what is ahead to workers that have nothing to do, the window keeping the newest part.

        :param dates: of the page that was just read: where its end is dense, what follows likely is.
        :param rest: how many records are ahead; None where that is not known.
        """
        if rest is not None and rest <= window.size:
            return
        parts = self._crew.idle + 1
        if rest is not None:
            parts = min(parts, -(-rest // window.size))
        self._split(window, divisions(dates, self._beginning(window, dates), parts, rest))

    def _beginning(self, window: Window, dates: Dates) -> datetime.datetime:
        """Where the window begins, or where its oldest record may be."""
        if window.low:
            return moment(window.low)
        if self._oldest is not None:
            return self._oldest
        # ten times what this page spans is as good a guess as any: the part behind it is open to its end
        return dates[-1][1] - 10 * (dates[0][1] - dates[-1][1])

    def _split(self, window: Window, cuts: Sequence[datetime.datetime]) -> None:
        """Let the window end at the first (newest) cut, and have the parts between the others walked by whoever is free."""
        if not cuts:
            return
        texts = [written(cut) for cut in cuts]
        lows = [*texts[1:], window.low]
        window.low = texts[0]
        window.expected = None
        for low, high in zip(lows, texts):
            part = Window(low, high, window.size, closed=False)
            part.repairs = window.repairs
            self._go_on(part)

    def _ease(self, window: Window, error: TooSlow) -> None:
        """Ask for less after a request that was too slow: a smaller page of half the time."""
        self._wait(window.slow, error)
        window.slow += 1
        window.size = self._smaller(window.size)
        if window.instant:
            # pages of another size are other pages
            window.enter(window.instant)
        elif window.expected is None:
            end = moment(window.cursor or window.high)
            begin = moment(window.low) if window.low else self._oldest
            if begin is not None:
                self._split(window, evenly(begin, end, 2))
        self._go_on(window)

    def _finish(self, window: Window) -> None:
        found = len(window.found)
        if window.expected == found:
            with self._lock:
                self._done.append(window)
        else:
            self._repair(window, f"it counts {window.expected} records between two dates and gives {found}")

    def _repair(self, window: Window, reason: str, *, instant: bool = False) -> None:
        """Walk a window again, or the one date in it whose records are being read.

        :param reason: what is wrong if it was done too often.
        """
        if window.repairs >= _MOST_REPAIRS:
            raise self._wrong(f"{reason}, also when asked {_MOST_REPAIRS} times again", _AT_REST)
        window.repairs += 1
        self._tally.count(repaired=1)
        if instant:
            window.enter(window.instant)
        else:
            window.begin()
        self._go_on(window)

    # --- the proof

    def _conclude(self) -> None:
        """All windows are done: have the whole counted, and repaired where it does not add up."""
        if self._complete:
            self._closed_one(None)
            return
        found = self._distinct()
        undated = self._whole != found if self._undated is None else self._undated > 0
        if undated:
            self._read_undated()
        # a service that could not count the whole at the beginning is not waited for as long
        attempts = _COUNTING if self._countable else _COUNTING - 1
        dated = self._count((*self._everything, f"<={self._newest}"), attempts) if self._newest else 0
        # both parts must be right at the same moment: the one that was looked at first is looked at once more
        moved = undated and self._count((_UNDATED,), _COUNTING) not in (None, len(self._apart))
        if dated in (None, found) and not moved:
            self._total = None if dated is None else dated + len(self._apart)
            self._closed_one(None)
            return
        if self._rounds >= _MOST_ROUNDS:
            reason = f"it kept changing: after {self._rounds} repairs it counts {dated} records, and {found} were read"
            raise self._wrong(reason, _AT_REST)
        self._rounds += 1
        suspects: list[Window] = []
        if dated != found:
            with self._lock:
                suspects, self._done = self._done, []
        for window in suspects:
            self._open_one(functools.partial(self._look_again, window))
        self._closed_one(self._conclude)

    def _look_again(self, window: Window) -> None:
        """Walk a window again when the server counts something else in it by now."""
        total = self._count(window.dates, _COUNTING)
        if total is None or total == len(window.found):
            with self._lock:
                self._done.append(window)
        else:
            self._repair(window, f"it counts {total} records between two dates and gave {len(window.found)}")
        self._closed_one(self._conclude)

    def _read_undated(self) -> None:
        """The records without a creation date; nothing but page numbers leads through them."""
        undated = (_UNDATED,)
        if self._undated is None and self._whole is None and self._count(undated, _COUNTING) in (None, len(self._apart)):
            return
        size, attempt = self._size, 0
        for _repair in range(_MOST_REPAIRS + 1):
            found: dict[str, Any] = {}
            number, expected = 0, 0
            while True:
                query = Query(self._kind, undated, self._fields, "", number, size, number == 0)
                try:
                    page = self._client.page(query, self._tally)
                except TooSlow as error:
                    self._wait(attempt, error)
                    attempt, size, number, found = attempt + 1, self._smaller(size), 0, {}
                    continue
                expected = page.total if page.total is not None else expected
                size = page.page_size
                found.update((self._identifier(row), self._value(row)) for row in page.rows)
                number += 1
                if len(page.rows) < page.page_size or len(found) == expected:
                    break
            if len(found) == expected:
                self._apart = found
                return
            self._tally.count(repaired=1)
        raise self._wrong(f"it counts {expected} records without a creation_date and gives {len(found)}", _AT_REST)

    def _count(self, dates: tuple[str, ...], attempts: int) -> int | None:
        """How many records there are with these dates; None where counting takes too long so many times."""
        query = Query(self._kind, dates, ("_id",), _NEWEST_FIRST, 0, 1, True)
        for attempt in range(attempts):
            if attempt:
                self._tally.count(retried=1)
                self._client.pause(attempt - 1)
            try:
                return self._client.page(query, self._tally, seconds=_COUNT_SECONDS).total
            except TooSlow:
                continue
        return None

    def _distinct(self) -> int:
        identifiers: set[str] = set()
        for window in self._done:
            identifiers.update(window.found)
        return len(identifiers)

    # --- what is open; the last to be done starts what comes next

    def _open_one(self, task: Task) -> None:
        with self._lock:
            self._open += 1
        self._crew.add(task)

    def _closed_one(self, then: Task | None) -> None:
        with self._lock:
            self._open -= 1
            last = not self._open
        if last and then is not None:
            self._open_one(then)

    # --- small things

    def _smaller(self, size: int) -> int:
        smaller = max(min(LEAST_PAGE, size), size // 2)
        self._tally.shrink(smaller)
        return smaller

    def _wait(self, attempt: int, error: TooSlow) -> None:
        if attempt >= self._client.options.retry.retries:
            raise error
        self._tally.count(retried=1)
        self._client.pause(attempt)

    def _identifier(self, row: dict[str, Any]) -> str:
        identifier = row.get("_id")
        if not isinstance(identifier, str) or not identifier:
            raise self._wrong("a record has no _id")
        return identifier

    def _value(self, row: dict[str, Any]) -> Any:
        try:
            return self._kind.make(row)
        except ValueError as error:
            raise self._wrong(f"the record {row.get('_id')} cannot be used: {error}") from None

    def _wrong(self, reason: str, hint: str = "") -> ProtocolError:
        return ProtocolError(f"read the {self._kind.name}", self._where, reason, hint)


def _wanted_moment(since: str) -> datetime.datetime:
    try:
        return moment(since)
    except ValueError as error:
        raise InputError("since", f"{error} is no date", "Write it as 2026-01-31T00:00:00Z.") from None
