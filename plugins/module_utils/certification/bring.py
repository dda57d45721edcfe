# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts a dump in place that was brought here, and looks through one that is there. Nothing of the catalog is asked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.certification.changes import (
    CHARTS,
    CONTAINERS,
    KINDS,
    OPERATORS,
    differences,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import Verdict, verify_tree
from ansible_collections.quayside.airgap.plugins.module_utils.certification.refresh import (
    ARTIFACTS,
    finish,
    kept_apart,
    kinds_of,
    remember,
    untouched,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.renewal import prove, staging, write
from ansible_collections.quayside.airgap.plugins.module_utils.certification.report import BY_CONTENT, WRITTEN, DumpResult
from ansible_collections.quayside.airgap.plugins.module_utils.certification.state import State, load_state, now, tree_digests
from ansible_collections.quayside.airgap.plugins.module_utils.certification.swap import DATA, DumpFolder, reuse
from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import Tables, content_digests
from ansible_collections.quayside.airgap.plugins.module_utils.certification.transfer import Fetched, Reach, fetch_dump
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.progress import Progress

_SHOWN = 5


@dataclass(frozen=True)
class BringTask:
    """A dump to be put in place.

    :ivar source: see :func:`fetch_dump`.
    :ivar artifacts: what is taken from it; what is not named stays as it is in the dump that is there.
    :ivar force: write it also where it is there already.
    :ivar dry_run: do all but change the dump or anything beside it.
    """

    path: Path
    source: str
    artifacts: tuple[str, ...] = tuple(ARTIFACTS)
    reach: Reach = field(default_factory=Reach)
    force: bool = False
    dry_run: bool = False
    progress_file: str | None = None


def bring(task: BringTask) -> DumpResult:
    """Put a dump in place of the one that is there, where it holds something else.

    :raises InputError: when an option is wrong.
    :raises AirgapError: when it could not be done. The dump is then as it was, and the message says so.
    """
    started = time.monotonic()
    kinds = kinds_of(task.artifacts)
    if not task.source.strip():
        raise InputError("source", "it is empty", "Name a folder, a file or an image that the dump is in.")
    folder = DumpFolder(task.path)
    progress = Progress(task.progress_file)
    with untouched(folder), kept_apart(folder, dry_run=task.dry_run):
        warnings: list[str] = []
        with staging(folder, 0, dry_run=task.dry_run) as work:
            progress.phase("Bringing the dump")
            fetched = fetch_dump(task.source, work, task.reach)
            _refuse(fetched.verdict, fetched.place)
            progress.phase("Writing the dump")
            result = _put(task, folder, fetched, work, kinds, warnings)
        if not task.dry_run:
            finish(folder, warnings)
        progress.finish()
        return replace(result, warnings=tuple(warnings), seconds=time.monotonic() - started)


def verify(path: Path) -> dict[str, Any]:
    """Look through the dump in a folder; gives what the module returns.

    :returns: ``counts``, ``digests``, ``faults`` (sentences), ``serious`` (those of them that forbid its use), and ``age``: the seconds
        since it was read from the catalog, None where that is not known.
    :raises FileError: when there is no dump.
    """
    started = time.monotonic()
    folder = DumpFolder(path)
    current = folder.current
    if current is None:
        raise FileError("verify the dump in", str(path), f"there is no folder {DATA} in it", "Refresh it first.")
    if current != folder.data:
        hint = "The next run that writes it puts it back."
        raise FileError("verify the dump in", str(path), "a run was ended while it exchanged the dump", hint)
    verdict = verify_tree(current)
    return {
        "changed": False,
        "path": str(path),
        "counts": verdict.counts,
        "digests": verdict.digests,
        "faults": [str(fault) for fault in verdict.faults],
        "serious": [str(fault) for fault in verdict.serious],
        "age": _age(folder, current),
        "seconds": round(time.monotonic() - started, 3),
    }


def unusable(results: Mapping[str, Any]) -> AirgapError | None:
    """The error for a dump that should not be used.

    :param results: see :func:`verify`.
    """
    serious = results["serious"]
    if not serious:
        return None
    more = f"; and {len(serious) - _SHOWN} more" if len(serious) > _SHOWN else ""
    reason = f"{'; '.join(serious[:_SHOWN])}{more}"
    return FileError("rely on the dump in", results["path"], reason, "Refresh it, or bring it here again.")


def _age(folder: DumpFolder, current: Path) -> float | None:
    state = load_state(folder.ours)
    if state is None or not state.kinds or state.files != tree_digests(current):
        return None
    return round(max(kind.age(now()) for kind in state.kinds.values()))


def _refuse(verdict: Verdict, place: str) -> None:
    faults = verdict.serious
    if faults or verdict.database is None:
        told = "; ".join(str(fault) for fault in (faults or verdict.faults)[:_SHOWN])
        raise FileError("use the dump of", place, told, "Make it anew where it comes from.")


def _put(task: BringTask, folder: DumpFolder, fetched: Fetched, work: Path, kinds: list[str], warnings: list[str]) -> DumpResult:
    current = folder.current
    old = verify_tree(current) if current is not None else None
    tree = fetched.folder / DATA
    verdict = fetched.verdict
    if len(kinds) < len(KINDS):
        tables = _some(verdict, old, kinds)
        tree = write(work, tables, None)
        verdict = prove(tree, content_digests(tables))
    same = {kind: old is not None and not old.serious and old.digests[kind] == verdict.digests[kind] for kind in KINDS}
    how = {kind: BY_CONTENT if same[kind] and not task.force else WRITTEN for kind in kinds}
    result = DumpResult(
        path=folder.path,
        changed=WRITTEN in how.values(),
        counts=verdict.counts,
        before=old.counts if old is not None else {},
        digests=verdict.digests,
        how=how,
        source=fetched.place,
    )
    if not result.changed or verdict.database is None:
        return result
    changes = differences(old.database.tables if old is not None and old.database is not None else Tables(), verdict.database.tables)
    changes_file = None
    if not task.dry_run:
        if current is not None and not task.force:
            reuse(current, tree)
        state = State(tree_digests(tree), source=fetched.place)
        folder.swap(tree)
        changes_file = remember(folder, state, changes, warnings)
    return replace(result, changes=changes, changes_file=changes_file)


def _some(verdict: Verdict, old: Verdict | None, kinds: list[str]) -> Tables:
    """Some kinds of the dump that was brought, and the others of the one that is there.

    :raises FileError: when that one cannot be read.
    """
    new = verdict.database.tables if verdict.database is not None else Tables()
    kept = Tables()
    if old is not None:
        if old.database is None:
            raise FileError("keep the rest of the dump", "", str(old.faults[0]), "Name all artifacts.")
        kept = old.database.tables
    containers = new if CONTAINERS in kinds else kept
    return Tables(
        containers.containers,
        containers.aliases,
        (new if OPERATORS in kinds else kept).operators,
        (new if CHARTS in kinds else kept).charts,
    )
