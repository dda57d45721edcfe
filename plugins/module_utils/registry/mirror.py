# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole task of mirroring images: selection, both sides, the engine, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation, WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.progress import Progress
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import Access
from ansible_collections.quayside.airgap.plugins.module_utils.registry.copy import CopyEngine, CopyOptions, Report
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import (
    COPIED,
    FAILED,
    NOT_ATTEMPTED,
    UNCHANGED,
    Outcome,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_location
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries_conf import load_registries_conf
from ansible_collections.quayside.airgap.plugins.module_utils.registry.selection import (
    Entry,
    Expansion,
    Selection,
    expand,
    understand,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions, make_side

# Failures that a message tells in full; the others are in the results
_TOLD = 10


@dataclass(frozen=True)
class MirrorTask:
    """Everything that a run of image_mirror is told.

    :ivar registries_conf: path of a registries.conf; None for the usual places, empty for none.
    :ivar skip_broken: go on after a failure.
    :ivar dry_run: store nothing.
    :ivar progress_file: where the state is written while the run lasts.
    """

    selection: Selection
    source: SideOptions = field(default_factory=SideOptions)
    destination: SideOptions = field(default_factory=SideOptions)
    wire: WireOptions = field(default_factory=WireOptions)
    signatures: str = "copy"
    registries_conf: str | None = None
    skip_broken: bool = False
    dry_run: bool = False
    progress_file: str | None = None


@dataclass
class MirrorResult:
    """What came of it.

    :ivar failures: what was asked for and could not be done, as sentences.
    :ivar warnings: what the user should look at although nothing failed.
    """

    report: Report
    failures: list[str]
    warnings: list[str]

    @property
    def changed(self) -> bool:
        return self.report.count(COPIED) > 0 or self.report.pushed > 0

    def message(self) -> str:
        """One paragraph for the failed run: how many of how many, why, and what became of the rest."""
        count = len(self.failures)
        total = max(len(self.report.outcomes), count)
        told = self.failures[:_TOLD]
        more = f" ({count - len(told)} more in the results)" if count > len(told) else ""
        # an entry whose tags could not be listed stands for an unknown number of images
        words = f"{count} of {total} images could not be copied: " if total > 1 else ""
        rest = []
        if self.report.count(COPIED):
            rest.append(f"{self.report.count(COPIED)} copied")
        if self.report.count(UNCHANGED):
            rest.append(f"{self.report.count(UNCHANGED)} already there")
        if self.report.count(NOT_ATTEMPTED):
            rest.append(f"{self.report.count(NOT_ATTEMPTED)} not attempted")
        ending = f" Of the others: {', '.join(rest)}." if rest else ""
        return f"{words}{' | '.join(told)}{more}{ending}"

    def as_results(self) -> dict[str, Any]:
        """The results of a task: ``changed``, ``images``, ``totals``, ``diff``."""
        copied = [outcome for outcome in self.report.outcomes if outcome.state == COPIED]
        return {
            "changed": self.changed,
            "images": [outcome.as_dict() for outcome in self.report.outcomes],
            "totals": self.totals(),
            "diff": {
                "before": {str(outcome.destination): outcome.previous for outcome in copied},
                "after": {str(outcome.destination): outcome.digest for outcome in copied},
            },
        }

    def totals(self) -> dict[str, Any]:
        """Counts over all images; bytes are bytes, elapsed is seconds."""
        outcomes = self.report.outcomes
        return {
            "images": len(outcomes),
            **{state: self.report.count(state) for state in (COPIED, UNCHANGED, FAILED, NOT_ATTEMPTED)},
            "bytes_pulled": self.report.pulled,
            "bytes_pushed": self.report.pushed,
            "blobs_moved": sum(outcome.moved for outcome in outcomes),
            "blobs_mounted": sum(outcome.mounted for outcome in outcomes),
            "blobs_skipped": sum(outcome.skipped for outcome in outcomes),
            "elapsed": round(self.report.elapsed, 3),
        }


def mirror(task: MirrorTask) -> MirrorResult:
    """Copy what the task selects.

    :raises InputError: for wrong options, before anything is asked of a registry.
    :raises AirgapError: when the run cannot begin at all: unreadable files, a source that does not list its repositories.
    """
    entries = understand(task.selection)
    conf = load_registries_conf(task.registries_conf)
    cancellation = Cancellation()
    source_registries, destination_registries = _registries(task.selection, entries)
    sources = make_side(
        "source",
        task.source,
        task.wire,
        source_registries,
        conf=conf,
        cancellation=cancellation,
        named=_named([task.selection.source]),
    )
    destinations = make_side(
        "destination",
        task.destination,
        task.wire,
        destination_registries,
        cancellation=cancellation,
        named=_named(task.selection.destinations),
        access=Access.LOOK if task.dry_run else Access.WRITE,
    )
    try:
        with WorkerPool(task.wire.parallel, cancellation) as pool:
            expansion = expand(task.selection, entries, sources, pool)
        options = CopyOptions(
            parallel=task.wire.parallel,
            signatures=task.signatures,
            stop_at_failure=not task.skip_broken,
            dry_run=task.dry_run,
            retry=task.wire.retry,
        )
        engine = CopyEngine(sources, destinations, options, Progress(task.progress_file), cancellation)
        # a source that cannot be listed is a failure like any other: without skip_broken nothing begins
        requests = expansion.requests if task.skip_broken or not expansion.failures else []
        report = engine.run(requests)
    finally:
        sources.close()
        destinations.close()
    return MirrorResult(report, _failures(expansion, report), expansion.warnings)


def _failures(expansion: Expansion, report: Report) -> list[str]:
    failed = [outcome for outcome in report.outcomes if outcome.state == FAILED]
    return [f"{name}: {error}" for name, error in expansion.failures] + [_failure(outcome) for outcome in failed]


def _failure(outcome: Outcome) -> str:
    return f"{outcome.source} -> {outcome.destination}: {outcome.reason}"


def _registries(selection: Selection, entries: list[Entry]) -> tuple[list[str], list[str]]:
    sources = [entry.source.registry for entry in entries] + list(_named([selection.source]))
    destinations = [target[0] for entry in entries for target in entry.targets] + list(_named(selection.destinations))
    return sources, destinations


def _named(texts: Any) -> tuple[str, ...]:
    return tuple(parse_location(text, "registry").registry for text in texts if text)
