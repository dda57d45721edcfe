# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings a dump up to date: asks as little as will do, writes only what changed, and never leaves less than a whole dump."""

from __future__ import annotations

import contextlib
import datetime
import gc
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.certification import database as tree
from ansible_collections.quayside.airgap.plugins.module_utils.certification.changes import (
    CHARTS,
    CONTAINERS,
    KINDS,
    OPERATORS,
    Change,
    differences,
    save_changes,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import Database, archive_of, read_parts
from ansible_collections.quayside.airgap.plugins.module_utils.certification.gather import Charts, Source, Watch
from ansible_collections.quayside.airgap.plugins.module_utils.certification.helm_index import STRIP, charts_digest
from ansible_collections.quayside.airgap.plugins.module_utils.certification.helm_source import INDEX_URL
from ansible_collections.quayside.airgap.plugins.module_utils.certification.pyxis import (
    ORGANIZATIONS,
    CatalogClient,
    CatalogOptions,
    operators,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.renewal import prove, size_of, staging, write
from ansible_collections.quayside.airgap.plugins.module_utils.certification.report import BY_CONTENT, BY_LOOK, WRITTEN, DumpResult
from ansible_collections.quayside.airgap.plugins.module_utils.certification.state import (
    KindState,
    State,
    load_state,
    now,
    save_state,
    tree_digests,
    written,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.swap import DumpFolder
from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import (
    NO_DIGEST,
    Tables,
    content_digests,
    merge_containers,
    operator_pages,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.walk import Catalog, Walked
from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, FileError, InputError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import read_bytes, read_json
from ansible_collections.quayside.airgap.plugins.module_utils.core.progress import Progress

# What users call the kinds
ARTIFACTS = {"containers": CONTAINERS, "operators": OPERATORS, "helm": CHARTS}
_FILES = {CONTAINERS: tree.CONTAINERS, OPERATORS: tree.OPERATORS, CHARTS: tree.HELM}
_LARGEST = 512 << 20
_AGO = re.compile(r"(?:([0-9]+(?:\.[0-9]+)?)d)?(?:([0-9]+(?:\.[0-9]+)?)h)?(?:([0-9]+(?:\.[0-9]+)?)m)?(?:([0-9]+(?:\.[0-9]+)?)s)?")
_AGO_HINT = "Write it as 72h, 3d, 2026-01-31 or 2026-01-31T00:00:00Z."


@dataclass(frozen=True)
class RefreshTask:
    """What is to be brought up to date, and how.

    :ivar artifacts: some of ``ARTIFACTS``; what is not named stays as it is in the dump.
    :ivar since: see :func:`since_when`; empty for all.
    :ivar force: read and write all, whatever a look says.
    :ivar full_walk_after: hours for which a short look may stand in for reading all; 0 for never.
    :ivar bad_kube_version: what is done about charts that certsuite panics over: ``strip``, ``drop`` or ``keep``.
    :ivar dry_run: do all but change the dump or anything beside it.
    """

    path: Path
    catalog: CatalogOptions = field(default_factory=CatalogOptions)
    helm_index_url: str = INDEX_URL
    artifacts: tuple[str, ...] = tuple(ARTIFACTS)
    organizations: tuple[str, ...] = ORGANIZATIONS
    since: str = ""
    force: bool = False
    full_walk_after: float = 24.0
    bad_kube_version: str = STRIP
    dry_run: bool = False
    progress_file: str | None = None

    @property
    def kinds(self) -> list[str]:
        """The kinds that are asked for, in their order.

        :raises InputError: when there is none, or one that is not known.
        """
        return kinds_of(self.artifacts)


def kinds_of(artifacts: tuple[str, ...]) -> list[str]:
    """The kinds that users named, in their order.

    :raises InputError: when there is none, or one that is not known.
    """
    unknown = sorted(set(artifacts) - ARTIFACTS.keys())
    if unknown or not artifacts:
        reason = f"'{unknown[0]}' is not known" if unknown else "it is empty"
        raise InputError("artifacts", reason, f"Name some of {', '.join(ARTIFACTS)}.")
    return [kind for name, kind in ARTIFACTS.items() if name in artifacts]


def since_when(text: str, moment: datetime.datetime) -> str:
    """The moment that a user's ``since`` means, as RFC 3339: so long ago (``72h``, ``1h30m``, ``3d``), a day, or a moment.

    :param moment: the time now.
    :raises InputError: when it is none of these, or lies ahead.
    """
    text = text.strip()
    if not text:
        return ""
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            days, hours, minutes, seconds = (float(part or 0) for part in ago.groups())
            since = moment - datetime.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        else:
            since = datetime.datetime.fromisoformat(text[:-1] + "+00:00" if text[-1] in "Zz" else text)
    except (ValueError, OverflowError):
        raise InputError("since", f"'{text[:60]}' is neither a duration nor a date", _AGO_HINT) from None
    since = since if since.tzinfo is not None else since.replace(tzinfo=datetime.timezone.utc)
    if since > moment:
        raise InputError("since", f"'{text[:60]}' lies ahead", _AGO_HINT)
    return since.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds")


def refresh(task: RefreshTask, cancellation: Cancellation | None = None) -> DumpResult:
    """Bring a dump up to date.

    :raises InputError: when an option is wrong.
    :raises AirgapError: when it could not be done. The dump is then as it was, and the message says so.
    """
    started = time.monotonic()
    since = since_when(task.since, now())
    kinds = task.kinds
    operators(task.organizations)
    if not task.full_walk_after >= 0:
        raise InputError("full_walk_after", f"{task.full_walk_after} is no number of hours", "Write 0 to read everything each time.")
    folder = DumpFolder(task.path)
    progress = Progress(task.progress_file)
    client = CatalogClient(task.catalog, cancellation)
    with client, untouched(folder), kept_apart(folder, dry_run=task.dry_run), without_collection():
        client.on_page = Watch(progress)
        source = Source(client, task.organizations, task.helm_index_url, task.bad_kube_version)
        result = _Refresh(task, folder, source, kinds, since, progress).run()
        progress.finish()
        return replace(result, seconds=time.monotonic() - started)


@contextlib.contextmanager
def kept_apart(folder: DumpFolder, *, dry_run: bool) -> Iterator[None]:
    """Keep other runs away from a dump that may be exchanged; a dry run, which writes nothing, keeps nobody away.

    :raises FileError: when another run has it, or it may not be exchanged.
    """
    with contextlib.nullcontext() if dry_run else folder.lock():
        folder.check()
        yield


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """Leave cycles of objects alone for as long: a catalog has none, and looking for them takes a sixth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextlib.contextmanager
def untouched(folder: DumpFolder) -> Iterator[None]:
    """Say in what goes wrong that the dump is as it was."""
    try:
        yield
    except InputError:
        raise
    except AirgapError as error:
        place = folder.current
        standing = f"The dump in {folder.path} is as it was." if place is not None else f"There is no dump in {folder.path} yet."
        error.hint = f"{error.hint} {standing}".strip()
        raise


def remember(folder: DumpFolder, state: State, changes: Mapping[str, Change] | None, warnings: list[str]) -> Path | None:
    """Keep what is known of a dump that is in place, and what changed; gives the file of the changes, None where there is none.

    The dump is what matters, so that a failure is a warning.
    """
    try:
        path = save_changes(folder.ours, changes) if changes is not None else None
        save_state(folder.ours, state)
    except FileError as error:
        warnings.append(f"{error} The dump is in place; the next run reads all of the catalog.")
        return None
    return path


def finish(folder: DumpFolder, warnings: list[str]) -> None:
    """Add what is left to be seen after an exchange."""
    left = folder.leftovers
    if left:
        warnings.append(f"The old dump could not be removed from {', '.join(left)}; the next run tries again.")


class _Refresh:
    """One run: a look, a walk, a comparison, an exchange; each only where the one before does not settle it."""

    def __init__(self, task: RefreshTask, folder: DumpFolder, source: Source, kinds: list[str], since: str, progress: Progress) -> None:
        self._task = task
        self._folder = folder
        self._source = source
        self._kinds = kinds
        self._since = since
        self._progress = progress
        self._current = folder.current
        self._warnings: list[str] = []
        self._how: dict[str, str] = {}
        self._new = Tables()
        self._moment = now()
        state = load_state(folder.ours)
        # a dump that somebody else touched is not the one that the state speaks of
        intact = state is not None and self._current is not None and tree_digests(self._current) == state.files
        self._state = state if intact else None

    def run(self) -> DumpResult:
        known = self._known()
        self._progress.phase("Looking for changes")
        look = self._source.look(self._kinds if self._task.full_walk_after else [], known)
        self._how = {kind: BY_LOOK for kind in self._kinds if kind in look.same}
        to_read = [kind for kind in self._kinds if kind not in look.same]
        if not to_read and self._state is not None:
            return self._as_it_is(self._state.kinds)
        since = self._usable_since(to_read)
        self._progress.phase("Reading the catalog")
        catalog, charts = self._source.read(to_read, since, look.helm_index)
        self._new = tables = self._tables(catalog, charts, merging=bool(since))
        digests = content_digests(tables)
        states = self._states(catalog, charts, look.prints, merging=bool(since))
        walks = {kind: walk for kind, walk in ((CONTAINERS, catalog.containers), (OPERATORS, catalog.operators)) if walk is not None}
        self._refuse_emptiness(tables, walks)
        notes = _notes(catalog, tables) if catalog.containers is not None and not since else ()
        if notes:
            states[CONTAINERS] = replace(states[CONTAINERS], notes=notes)
        # what was walked is in the tables
        costs = {kind: walk._replace(records=[]) for kind, walk in walks.items()}
        del catalog, walks, tables
        self._how.update({kind: self._differs(kind, self._new) for kind in to_read})
        if WRITTEN not in self._how.values() and self._archive_fits(self._new, digests):
            if not self._task.dry_run and self._current is not None:
                remember(self._folder, State(tree_digests(self._current), states), None, self._warnings)
            return replace(self._as_it_is(states), walks=costs)
        return replace(self._exchange(digests, states), walks=costs)

    # --- what may be taken for granted

    def _known(self) -> Mapping[str, KindState]:
        """What is known of the kinds that a short look may vouch for."""
        if self._state is None or self._task.force:
            return {}
        limit = self._task.full_walk_after * 3600
        return {
            kind: known
            for kind, known in self._state.kinds.items()
            if known.asked == self._source.asked(kind) and (known.age(self._moment) < limit)
        }

    def _usable_since(self, to_read: list[str]) -> str:
        if not self._since or CONTAINERS not in to_read:
            return ""
        if self._damage(CONTAINERS) or not self._old.containers:
            self._warnings.append("There are no containers yet that new ones could be added to: all of them were read.")
            return ""
        self._warnings.append(
            f"Only containers created since {self._since} were read. Those that were removed from the catalog, and changes of older ones, "
            "take a run without since."
        )
        return self._since

    # --- what the dump is to hold

    @cached_property
    def _old(self) -> Database:
        if self._current is None:
            return Database(self._folder.data, {}, {}, (), 0, b"", None, ())
        return read_parts(self._current)

    def _damage(self, kind: str) -> str:
        """What is wrong with a kind in the old dump, so that certsuite could not load it."""
        for fault in self._old.faults:
            if fault.effect == tree.ERROR and fault.file == _FILES[kind]:
                return str(fault)
        return ""

    def _tables(self, catalog: Catalog, charts: Charts | None, *, merging: bool) -> Tables:
        """What was read, and of the other kinds what is in the dump.

        :raises FileError: when what is to stay cannot be read.
        """
        read = {CONTAINERS: catalog.containers is not None, OPERATORS: catalog.operators is not None, CHARTS: charts is not None}
        for kind, fresh in read.items():
            damage = "" if fresh or self._current is None else self._damage(kind)
            if damage:
                name = next(name for name, its_kind in ARTIFACTS.items() if its_kind == kind)
                raise FileError("keep the old", f"{kind} of {self._current}", damage, f"Add {name} to artifacts.")
        if catalog.containers is None:
            containers, aliases = self._old.containers, self._old.aliases
        else:
            old = self._old.containers.values() if merging else ()
            containers, aliases = merge_containers([*old, *catalog.containers.records])
        rows = self._old.operators if catalog.operators is None else tuple(sorted(set(catalog.operators.records)))
        return Tables(containers, aliases, rows, self._old.charts if charts is None else self._kept_charts(charts.content))

    def _kept_charts(self, content: bytes) -> bytes:
        """The index of the old dump where the new one differs in nothing but the moment at which it was made."""
        if self._task.force or self._current is None:
            return content
        old = self._bytes(tree.HELM)
        # an empty file is no index, although it reads like one without charts
        same = old and charts_digest(old) == charts_digest(content)
        return old if old and same else content

    def _refuse_emptiness(self, tables: Tables, walks: Mapping[str, Walked]) -> None:
        """An empty catalog is a fault of it until somebody says that it is right."""
        for kind, walk in walks.items():
            if walk.distinct or (tables.containers if kind == CONTAINERS else tables.operators):
                continue
            before = len(self._old.containers if kind == CONTAINERS else self._old.operators) if self._current is not None else 0
            whose = f" of {', '.join(self._source.organizations)}" if kind == OPERATORS else ""
            if before and not self._task.force:
                raise ProtocolError(
                    f"refresh the {kind}{whose} from",
                    self._source.client.base,
                    f"it says that there are none, and the dump has {before}",
                    "Check api_url and organizations; where that is right, run the task once with force.",
                )
            self._warnings.append(f"The catalog has no {kind}{whose}.")

    def _states(self, catalog: Catalog, charts: Charts | None, prints: Mapping[str, str], *, merging: bool) -> dict[str, KindState]:
        """What is known of each kind from now on."""
        states = dict(self._state.kinds) if self._state is not None else {}
        moment = written(self._moment)
        for kind, walk in ((CONTAINERS, catalog.containers), (OPERATORS, catalog.operators)):
            if walk is not None:
                states[kind] = KindState(self._source.asked(kind), moment, prints.get(kind, ""))
        if merging:
            # what was removed is still in the dump: no look may vouch for it
            del states[CONTAINERS]
        if charts is not None:
            states[CHARTS] = KindState(
                self._source.asked(CHARTS),
                moment,
                etag=charts.served.etag,
                last_modified=charts.served.last_modified,
                notes=charts.notes,
                warnings=charts.warnings,
            )
        return states

    # --- what differs

    def _differs(self, kind: str, tables: Tables) -> str:
        """Whether the files of a kind are what is to be written."""
        if self._task.force or self._current is None:
            return WRITTEN
        if kind == CONTAINERS:
            same = self._bytes(tree.CONTAINERS) == tables.containers_bytes
        elif kind == CHARTS:
            same = self._bytes(tree.HELM) == tables.charts
        else:
            pages = {f"{tree.OPERATORS}/{name}": content for name, content in operator_pages(tables.operators)}
            present = {path.relative_to(self._current).as_posix() for path in (self._current / tree.OPERATORS).glob("*")}
            same = present == pages.keys() and all(self._bytes(name) == content for name, content in pages.items())
        return BY_CONTENT if same else WRITTEN

    def _archive_fits(self, tables: Tables, digests: dict[str, str]) -> bool:
        if self._current is None:
            return False
        try:
            return bool(read_json(self._current / tree.ARCHIVE) == archive_of(tables, digests))
        except FileError:
            return False

    def _bytes(self, name: str) -> bytes | None:
        if self._current is None:
            return None
        try:
            return read_bytes(self._current / name, limit=_LARGEST)
        except FileError:
            return None

    # --- what is done about it

    def _as_it_is(self, states: Mapping[str, KindState]) -> DumpResult:
        if self._current is None:
            raise FileError("read the dump", str(self._folder.path), "it was removed meanwhile")
        archive = read_json(self._current / tree.ARCHIVE)
        counts = {kind: int(archive[kind]) for kind in KINDS}
        return DumpResult(
            path=self._folder.path,
            changed=False,
            counts=counts,
            before=counts,
            digests=dict(archive["digests"]),
            how=self._how,
            notes=self._told(states, "notes"),
            warnings=(*self._warnings, *self._told(states, "warnings")),
        )

    def _exchange(self, digests: dict[str, str], states: dict[str, KindState]) -> DumpResult:
        self._progress.phase("Writing the dump")
        old = self._old.tables
        changes = differences(old, self._new)
        before = {CONTAINERS: len(old.containers), OPERATORS: len(old.operators), CHARTS: _chart_count(self._old)}
        # memory that is needed for what is read back
        del old, self._old
        changes_file = None
        with staging(self._folder, size_of(self._new), dry_run=self._task.dry_run) as work:
            new = write(work, self._new, None if self._task.force else self._current)
            self._new = Tables()
            counts = prove(new, digests).counts
            if not self._task.dry_run:
                state = State(tree_digests(new), states)
                self._folder.swap(new)
                changes_file = remember(self._folder, state, changes, self._warnings)
        if not self._task.dry_run:
            finish(self._folder, self._warnings)
        return DumpResult(
            path=self._folder.path,
            changed=True,
            counts=counts,
            before=before,
            digests=digests,
            how=self._how,
            changes=changes,
            changes_file=changes_file,
            notes=self._told(states, "notes"),
            warnings=(*self._warnings, *self._told(states, "warnings")),
        )

    def _told(self, states: Mapping[str, KindState], what: str) -> tuple[str, ...]:
        return tuple(text for kind in self._kinds if kind in states for text in getattr(states[kind], what))


def _chart_count(database: Database) -> int:
    try:
        return len(database.index.charts)
    except FileError:
        return 0


def _notes(catalog: Catalog, tables: Tables) -> tuple[str, ...]:
    """What is worth knowing of the containers that were walked."""
    found = []
    walked = catalog.containers.distinct if catalog.containers is not None else 0
    merged = walked - len(tables.containers)
    if merged:
        found.append(f"Records of containers that have the digest of another one, and are one entry with it: {merged}.")
    without = sum(key.startswith(NO_DIGEST) for key in tables.containers)
    if without:
        found.append(f"Containers without a digest in the catalog, which are found by their tags alone: {without}.")
    return tuple(found)
