# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies what an image set stands for: its images, then the bundles of operators that are complete, then the catalogs.

A catalog that was chosen from is built here, without the bundles whose images could not be had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, CancelledError, FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.progress import Progress
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.catalog_image import CatalogImage
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.collect import BundleId, Collected, Wanted
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.collect_catalogs import CatalogPlan, Origin
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import MirrorImage, Naming
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import MirroredImage
from ansible_collections.quayside.airgap.plugins.module_utils.registry.copy import CopyEngine, CopyOptions, Report, Steps
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED, FAILED, UNCHANGED, CopyRequest, Outcome
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Side

_THERE = frozenset({COPIED, UNCHANGED})
# What is told with a failed image of the bundles that need it
_TOLD = 3


# Told the sizes of the blobs that will move, by digest, before the first of them does; what it raises ends the run
Expect = Callable[[Mapping[str, int]], None]


@dataclass(frozen=True)
class CopiedCatalog:
    """A catalog that lies at its destination.

    :ivar image: where it came from, and where it lies.
    :ivar built: None where it went as it was.
    """

    plan: CatalogPlan
    image: MirrorImage
    built: CatalogImage | None = None


@dataclass
class Copied:
    """What came of it.

    :ivar images: all of them, the catalogs last; ``mirrored``: those that are at the destination, as all things that they are.
    :ivar pulled: bytes read; ``pushed``: bytes written.
    """

    images: list[MirroredImage] = field(default_factory=list)
    mirrored: list[MirrorImage] = field(default_factory=list)
    catalogs: list[CopiedCatalog] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    pulled: int = 0
    pushed: int = 0


@dataclass(frozen=True)
class Sides:
    """Where a run reads and writes.

    :ivar archive: whether an archive is written: it has catalogs as they were beside those that were built, under a name of their own.
    """

    origin: Origin
    sources: Side
    destinations: Side
    naming: Naming
    archive: bool = False


def copy_set(
    collected: Collected,
    sides: Sides,
    options: CopyOptions,
    workdir: Path,
    *,
    expect: Expect | None = None,
    progress: Progress | None = None,
    cancellation: Cancellation | None = None,
) -> Copied:
    """Copy everything. What fails is told; the rest goes on.

    :param workdir: for catalogs that are built; needed as long as the result is used.
    :param expect: told the sizes of what will move.
    """
    copier = _Copier(collected, sides, options, workdir, progress or Progress(), cancellation or Cancellation())
    copier.run(expect)
    return copier.result


@dataclass(frozen=True)
class _Push:
    """A catalog on its way.

    :ivar companion: the original, which an archive has beside the one that was built.
    """

    copied: CopiedCatalog
    request: CopyRequest
    companion: CopyRequest | None = None


class _Copier:
    def __init__(
        self, collected: Collected, sides: Sides, options: CopyOptions, workdir: Path, progress: Progress, cancellation: Cancellation
    ) -> None:
        self._collected = collected
        self._sides = sides
        self._options = options
        self._workdir = workdir
        self._progress = progress
        self._cancellation = cancellation
        self._states: Mapping[Reference, str] = {}
        self._lost_catalogs: set[int] = set()
        self._left_out: set[BundleId] = set()
        self._catalogs: list[MirroredImage] = []
        self.result = Copied()

    def run(self, expect: Expect | None) -> None:
        """Copy everything."""
        wanted = {_request(found): found for found in self._collected.images}

        def admit(request: CopyRequest, states: Mapping[Reference, str]) -> str:
            return self._lacks(wanted[request], states)

        # An archive tells of the images of operators by its catalogs alone, and what it has will not come again: an image goes into
        # it only with a catalog that tells of it. At a registry they are of use when the next run brings the rest.
        archive = self._sides.archive
        last = [request for request, found in wanted.items() if (found.is_of_operators if archive else found.is_bundle)]
        steps = Steps(expect, last, self._copy_catalogs if archive else None, admit)
        report = self._run(list(wanted), self._options, steps)
        for found, outcome in zip(wanted.values(), report.outcomes):
            self._note_image(found, outcome)
        if not archive:
            self._copy_catalogs({outcome.destination: outcome.state for outcome in report.outcomes})
        self.result.images += self._catalogs

    # -- images ----------------------------------------------------------------------------------------------------------

    def _lacks(self, wanted: Wanted, states: Mapping[Reference, str]) -> str:
        """Why an image of operators is of no use; nothing where it is."""
        reasons = []
        for name in wanted.bundles:
            if name.catalog in self._lost_catalogs:
                reasons.append(f"the catalog {self._collected.name_of(name)} could not be mirrored")
                continue
            if name in self._left_out:
                reasons.append(f"the catalog {self._collected.name_of(name)} does not offer {name.name} without others that are left out")
                continue
            absent = [place for place in self._collected.images_of[name] if states.get(place) == FAILED]
            if not absent:
                return ""
            more = f", and {len(absent) - 1} more" if len(absent) > 1 else ""
            reasons.append(f"the bundle {name.name} needs {absent[0]}, which could not be mirrored{more}")
        return "; ".join(dict.fromkeys(reasons))

    def _note_image(self, wanted: Wanted, outcome: Outcome) -> None:
        names = tuple(dict.fromkeys(f"{bundle.package}/{bundle.name}" for bundle in wanted.bundles))
        self.result.images.append(MirroredImage(wanted.image, outcome, names))
        if outcome.state in _THERE:
            self.result.mirrored += wanted.roles
        elif outcome.state == FAILED:
            self.result.failures.append(f"{wanted.image.origin} -> {outcome.destination}: {outcome.reason}{_needed_by(names)}")

    # -- catalogs --------------------------------------------------------------------------------------------------------

    def _copy_catalogs(self, states: Mapping[Reference, str]) -> None:
        """Build the catalogs that have to be, and copy all of them.

        :param states: of the images, by destination.
        """
        self._states = states
        plans = [plan for plan in self._collected.catalogs if self._is_wanted(plan)]
        self._lost_catalogs = {plan.position for plan in plans}
        self._progress.phase("building catalogs", items=len(plans))
        pushes = []
        for plan in plans:
            self._cancellation.check()
            try:
                pushes.append(self._prepare(plan))
            except CancelledError:
                raise
            except AirgapError as error:
                self.result.failures.append(f"{plan}: {error}")
            self._progress.advance(items=1, current=str(plan))
        # signatures are of the image as it was published
        built = [push.request for push in pushes if push.copied.built is not None]
        whole = [push.request for push in pushes if push.copied.built is None]
        companions = [push.companion for push in pushes if push.companion is not None]
        outcomes: dict[tuple[Reference, Reference], Outcome] = {}
        for requests, options in ((whole, self._options), ([*companions, *built], replace(self._options, signatures="skip"))):
            report = self._run(requests, options) if requests else Report([])
            outcomes.update({(outcome.source, outcome.destination): outcome for outcome in report.outcomes})
        for push in pushes:
            self._note_catalog(push, outcomes)

    def _is_wanted(self, plan: CatalogPlan) -> bool:
        # at the other end of the gap nobody can tell without the catalog which images there are
        return bool(plan.selection.packages) and (self._sides.archive or plan.position not in self._collected.blocked_catalogs)

    def _prepare(self, plan: CatalogPlan) -> _Push:
        naming, entry = self._sides.naming, plan.entry
        gone = self._gone(plan)
        if plan.ready is not None and not gone:
            image = naming.catalog(entry, plan.ready.digest or self._sides.origin.digest_of(plan.ready) or plan.digest)
            return _Push(CopiedCatalog(plan, image), CopyRequest(plan.ready, (image.destination,), entry.platforms))
        workdir = self._workdir / f"built-{plan.position}"
        try:
            workdir.mkdir()
        except OSError as error:
            raise FileError("make the folder", str(workdir), error.strerror or str(error)) from error
        built, told = self._sides.origin.build(plan, gone, workdir)
        self.result.warnings += [f"{plan}: {text}" for text in told]
        offered = {(bundle.package, bundle.name) for bundle in built.selection.bundles()}
        names = (BundleId(plan.position, bundle.package, bundle.name) for bundle in plan.selection.bundles())
        self._left_out.update(name for name in names if (name.package, name.name) not in offered)
        reference = built.image.reference
        if not self._sides.archive or plan.original is None:
            image = naming.catalog(entry, built.digest)
            return _Push(CopiedCatalog(plan, image, built), CopyRequest(reference, (image.destination,)))
        image = naming.catalog(entry)
        place = image.destination.at(tag=plan.filter_id)
        companion = CopyRequest(plan.original, (image.destination,), entry.platforms)
        return _Push(CopiedCatalog(plan, image, built), CopyRequest(reference, (place,)), companion)

    def _gone(self, plan: CatalogPlan) -> dict[str, frozenset[str]]:
        """Bundles that the catalog must not offer, by package."""
        gone: dict[str, set[str]] = {}
        for bundle in plan.selection.bundles():
            name = BundleId(plan.position, bundle.package, bundle.name)
            places = self._collected.images_of.get(name)
            if places is None or any(self._states.get(place) == FAILED for place in places):
                gone.setdefault(bundle.package, set()).add(bundle.name)
        return {package: frozenset(names) for package, names in gone.items()}

    def _note_catalog(self, push: _Push, outcomes: Mapping[tuple[Reference, Reference], Outcome]) -> None:
        outcome = _outcome(push.request, outcomes)
        failed = [outcome] if outcome.state == FAILED else []
        if push.companion is not None:
            beside = _outcome(push.companion, outcomes)
            failed += [beside] if beside.state == FAILED else []
            if beside.state == FAILED and outcome.state != FAILED:
                outcome = replace(outcome, state=FAILED, reason=beside.reason)
        catalog = push.copied
        self._catalogs.append(MirroredImage(catalog.image, outcome))
        if failed:
            self.result.failures += [f"{catalog.plan} -> {found.destination}: {found.reason}" for found in failed]
        else:
            self._lost_catalogs.discard(catalog.plan.position)
            self.result.catalogs.append(catalog)
            self.result.mirrored.append(catalog.image)

    # -- both ------------------------------------------------------------------------------------------------------------

    def _run(self, requests: list[CopyRequest], options: CopyOptions, steps: Steps | None = None) -> Report:
        engine = CopyEngine(self._sides.sources, self._sides.destinations, options, self._progress, self._cancellation)
        report = engine.run(requests, steps)
        self.result.pulled += report.pulled
        self.result.pushed += report.pushed
        return report


def _request(wanted: Wanted) -> CopyRequest:
    return CopyRequest(wanted.source, (wanted.destination,), wanted.platforms)


def _outcome(request: CopyRequest, outcomes: Mapping[tuple[Reference, Reference], Outcome]) -> Outcome:
    return outcomes[request.source, request.destinations[0]]


def _needed_by(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return f" The operators {', '.join(names[:_TOLD])}{more} need it."
