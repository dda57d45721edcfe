# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a refresh asks the network: a short look at all kinds at once, and whole walks of those that it does not vouch for."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ansible_collections.quayside.airgap.plugins.module_utils.certification.changes import CHARTS, CONTAINERS, OPERATORS
from ansible_collections.quayside.airgap.plugins.module_utils.certification.helm_index import (
    KEEP,
    STRIP,
    BadKubeVersion,
    HelmIndexError,
    mend,
    parse_index,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.helm_source import Index, fetch_index
from ansible_collections.quayside.airgap.plugins.module_utils.certification.pyxis import (
    NARROW,
    CatalogClient,
    Page,
    Query,
    fingerprint,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.state import KindState
from ansible_collections.quayside.airgap.plugins.module_utils.certification.walk import Catalog, walk_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Task, WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import safe_url
from ansible_collections.quayside.airgap.plugins.module_utils.core.progress import Progress

# How many charts a sentence names
_SHOWN = 10


class Charts(NamedTuple):
    """The index of the charts as it is to be stored.

    :ivar served: what came with it, for the next question.
    :ivar notes: see :class:`KindState`; ``warnings``: the same.
    """

    content: bytes
    served: Index
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


class Look(NamedTuple):
    """What a short look showed.

    :ivar prints: the fingerprint of each kind that has one now.
    :ivar same: the kinds that are as they were.
    :ivar helm_index: that of the charts, where it has changed.
    """

    prints: dict[str, str]
    same: set[str]
    helm_index: Index | None


class Watch:
    """Shows how much of the catalog has arrived.

    :param progress: where it is shown.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._totals: dict[str, int] = {}
        self._done = 0

    def __call__(self, query: Query, page: Page) -> None:
        """Count a page; see ``CatalogClient.on_page``."""
        if query.fields == NARROW or query.page_size == 1:
            # questions about the catalog bring no records of it
            return
        with self._lock:
            self._done += len(page.rows)
            known = self._totals.get(query.kind.name, 0)
            if (page.total or 0) > known:
                # the first question of a walk is for all, later ones for parts
                self._totals[query.kind.name] = page.total or 0
                self._progress.phase("Reading the catalog", items=sum(self._totals.values()))
                self._progress.advance(items=self._done)
            else:
                self._progress.advance(items=len(page.rows), current=query.kind.name)


class Source:
    """The catalog and the Helm index, as the options name them.

    :ivar bad_kube_version: see :func:`mend`.
    """

    def __init__(self, client: CatalogClient, organizations: Sequence[str], index_url: str, bad_kube_version: str) -> None:
        self.client = client
        self.organizations = tuple(sorted(set(organizations)))
        self.index_url = index_url
        self.bad_kube_version = bad_kube_version

    def asked(self, kind: str) -> dict[str, object]:
        """The options that decide what there is of a kind."""
        if kind == CHARTS:
            return {"helm_index_url": self.index_url, "bad_kube_version": self.bad_kube_version}
        found: dict[str, object] = {"api_url": self.client.base}
        return {**found, "organizations": list(self.organizations)} if kind == OPERATORS else found

    def look(self, kinds: Sequence[str], known: Mapping[str, KindState]) -> Look:
        """Look at kinds, all at the same time.

        :param known: what is known of those that may be as they were.
        :raises AirgapError: when the index of the charts cannot be had.
        """
        prints: dict[str, str] = {}
        changed: list[Index] = []
        same: set[str] = set()

        def see(kind: str) -> None:
            found = fingerprint(self.client, kind, self.organizations)
            if found is not None:
                prints[kind] = found

        def see_charts(last: KindState) -> None:
            index = fetch_index(self.client.http, self.index_url, last.etag, last.last_modified)
            if index is None:
                same.add(CHARTS)
            else:
                changed.append(index)

        tasks: list[Task] = [functools.partial(see, kind) for kind in kinds if kind != CHARTS]
        last = known.get(CHARTS)
        if last is not None and (last.etag or last.last_modified) and CHARTS in kinds:
            tasks.append(functools.partial(see_charts, last))
        if tasks:
            with WorkerPool(self.client.options.workers, self.client.cancellation) as pool:
                pool.run(tasks)
        same.update(kind for kind, found in prints.items() if kind in known and known[kind].fingerprint == found)
        return Look(prints, same, changed[0] if changed else None)

    def read(self, kinds: Sequence[str], since: str, index: Index | None) -> tuple[Catalog, Charts | None]:
        """Read kinds whole, all at the same time.

        :param since: only containers that were created then or later.
        :param index: the index of the charts, where it is there already.
        :raises AirgapError: when one of them cannot be had whole.
        """
        fetched: list[Index] = [index] if index is not None else []

        def fetch() -> None:
            found = fetch_index(self.client.http, self.index_url)
            if found is not None:
                fetched.append(found)

        catalog = walk_catalog(
            self.client,
            since=since,
            containers=CONTAINERS in kinds,
            organizations=self.organizations if OPERATORS in kinds else None,
            alongside=[fetch] if CHARTS in kinds and not fetched else [],
        )
        # to read YAML keeps all threads waiting, so it comes when no request waits for them
        return catalog, self._charts(fetched[0]) if fetched else None

    def _charts(self, index: Index) -> Charts:
        """The index of the charts, mended.

        :raises ProtocolError: when certsuite could not read it, or it is not whole.
        """
        where = safe_url(self.index_url)
        try:
            missing = parse_index(index.content).missing
            mended = mend(index.content, self.bad_kube_version)
        except HelmIndexError as error:
            hint = "" if self.bad_kube_version == KEEP else "Where it is about a kubeVersion, bad_kube_version: keep leaves it as it is."
            raise ProtocolError("use the Helm index", where, str(error), hint) from error
        if missing:
            raise ProtocolError("use the Helm index", where, missing, "Run the task again later, or check helm_index_url.")
        return Charts(mended.content, index._replace(content=b""), _misspelt(index.content), _bad(mended.bad, self.bad_kube_version))


def _bad(found: Sequence[BadKubeVersion], how: str) -> tuple[str, ...]:
    if not found:
        return ()
    done = {
        KEEP: "are in the dump as they are",
        STRIP: "are in the dump without it",
    }.get(how, "are not in the dump")
    names = ", ".join(f"{bad.chart.name} {bad.chart.version} ('{bad.chart.kube_version}')" for bad in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return (f"certsuite panics over the kubeVersion of these charts, which {done}: {names}{more}.",)


def _misspelt(content: bytes) -> tuple[str, ...]:
    """Keys that are meant as kubeVersion; certsuite passes over them, and takes these charts for ones that run everywhere."""
    entries = parse_index(content).document.get("entries") or {}
    names = [
        f"{chart.get('name')} {chart.get('version')}"
        for charts in entries.values()
        for chart in charts or ()
        if chart and any(key.lower() == "kubeversion" and key != "kubeVersion" for key in chart)
    ]
    if not names:
        return ()
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (f"certsuite passes over the misspelt kubeVersion of these charts: {', '.join(names[:_SHOWN])}{more}.",)
