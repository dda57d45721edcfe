# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether registries can be reached and let us in, found out before any work begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation, WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, CancelledError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import (
    Location,
    Reference,
    parse_location,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries import Registries
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries_conf import load_registries_conf
from ansible_collections.quayside.airgap.plugins.module_utils.registry.selection import Entry, Selection, understand
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions, make_side


@dataclass(frozen=True)
class PreflightTask:
    """What to look at, and how it is reached.

    :ivar sources: registries, or namespaces in them, that will be read; ``destinations``: those that will be written.
    :ivar images: as :class:`Selection` takes them; the registries that they name are looked at too.
    :ivar further: repositories that will be read as well, in whatever registries.
    :ivar any_source: the sources hold the same, so that one that is ready is enough; images without a registry lie under each.
    """

    sources: Sequence[str]
    destinations: Sequence[str]
    images: Sequence[str | Mapping[str, Any]] = ()
    further: Sequence[str] = ()
    any_source: bool = False
    source: SideOptions = field(default_factory=SideOptions)
    destination: SideOptions = field(default_factory=SideOptions)
    wire: WireOptions = field(default_factory=WireOptions)
    registries_conf: str | None = None


@dataclass
class Finding:
    """What was found out about one registry.

    :ivar side: ``source`` or ``destination``.
    :ivar registry: as the user named it.
    :ivar client: how it is really reached, which registries.conf may decide.
    :ivar path: namespace or repository there, which credentials may be for; empty for the registry as a whole.
    :ivar url: its base URL, as far as it was reached.
    :ivar problem: what is wrong; None when all is well.
    :ivar more: what others found out about it, for the results.
    """

    side: str
    registry: str
    client: RegistryClient
    path: str
    url: str = ""
    problem: AirgapError | None = None
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class PreflightResult:
    """All findings, in the order of the task.

    :ivar sources: what the task named as sources, with what was found out about each.
    :ivar any_source: one of them is enough.
    """

    findings: list[Finding]
    sources: list[tuple[str, Finding]] = field(default_factory=list)
    any_source: bool = False

    @property
    def source(self) -> str:
        """The first source that is ready; empty where none is."""
        return next((text for text, finding in self.sources if finding.problem is None), "")

    @property
    def problems(self) -> list[Finding]:
        """What keeps the work from beginning."""
        return [finding for finding in self.findings if finding.problem is not None and not self._spare(finding)]

    @property
    def passed_over(self) -> list[str]:
        """What is wrong with sources that are not needed."""
        unready = [finding for finding in self.findings if finding.problem is not None and self._spare(finding)]
        return [f"{finding.registry} is not ready, {self.source} is read in its place: {finding.problem}" for finding in unready]

    def _spare(self, finding: Finding) -> bool:
        return self.any_source and bool(self.source) and any(finding is other for _text, other in self.sources)

    def message(self) -> str:
        """All problems as one paragraph."""
        told = " | ".join(f"{finding.side} {finding.registry}: {finding.problem}" for finding in self.problems)
        return f"{len(self.problems)} of {len(self.findings)} registries are not ready: {told}"

    def as_results(self) -> dict[str, Any]:
        """As a module returns it."""
        return {
            "changed": False,
            "registries": [
                {
                    "side": finding.side,
                    "registry": finding.registry,
                    "url": finding.url,
                    "problem": str(finding.problem) if finding.problem is not None else "",
                    **finding.more,
                }
                for finding in self.findings
            ],
            "source": self.source,
        }


def check(task: PreflightTask) -> PreflightResult:
    """Look at every registry: name, port, TLS, distribution API, login. One that fails does not keep others from being seen.

    :raises InputError: for wrong options.
    """
    if not (task.sources or task.destinations or task.images or task.further):
        raise InputError("source and destination", "both are empty: there is nothing to look at")
    cancellation = Cancellation()
    sources = [parse_location(text, "source") for text in task.sources]
    destinations = [parse_location(text, "destination") for text in task.destinations]
    entries = _entries(task)
    read = [*sources, *(parse_location(text, "source") for text in task.further)]
    read += [Location(entry.source.registry, entry.source.repository) for entry in entries]
    written = [*destinations, *(Location(registry, repository) for entry in entries for registry, repository, _tag in entry.targets)]
    left = make_side(
        "source",
        task.source,
        task.wire,
        [place.registry for place in read],
        conf=load_registries_conf(task.registries_conf),
        cancellation=cancellation,
        # a password is for the one source of a copy; where several are named, nobody knows whose it is, unless they are alike
        named=_hosts(sources) if task.any_source or len(set(_hosts(sources))) == 1 else None,
    )
    right = make_side(
        "destination",
        task.destination,
        task.wire,
        [place.registry for place in written],
        cancellation=cancellation,
        named=_hosts(destinations),
    )
    findings = [_source(place, left) for place in read]
    findings += [Finding("destination", place.registry, right.client(place.registry), place.namespace) for place in written]
    unique: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        unique.setdefault((finding.side, finding.client.registry), finding)
    try:
        with WorkerPool(task.wire.parallel, cancellation) as pool:
            pool.run([partial(_look, finding) for finding in unique.values() if finding.problem is None])
    finally:
        left.close()
        right.close()
    # several texts may mean one registry
    named = [(text, unique[finding.side, finding.client.registry]) for text, finding in zip(task.sources, findings)]
    return PreflightResult(list(unique.values()), named, task.any_source)


def _entries(task: PreflightTask) -> list[Entry]:
    if not task.images:
        return []
    if len(task.sources) > 1 and not task.any_source:
        raise InputError("images", "those without a registry lie under the source, of which there may be one only")
    return understand(Selection(task.images, next(iter(task.sources), None), task.destinations))


def _hosts(places: Sequence[Location]) -> tuple[str, ...]:
    return tuple(place.registry for place in places)


def _source(place: Location, registries: Registries) -> Finding:
    try:
        client, reference = registries.candidates(_anything(place))[0]
    except AirgapError as error:
        # registries.conf blocks it
        return Finding("source", place.registry, registries.client(place.registry), place.namespace, problem=error)
    return Finding("source", place.registry, client, reference.repository if place.namespace else "")


def _anything(place: Location) -> Reference:
    return Reference(place.registry, place.namespace or "any")


def _look(finding: Finding) -> None:
    try:
        finding.url = finding.client.connect()
        finding.client.check_login(finding.path, required=finding.side == "destination")
    except CancelledError:
        raise
    except AirgapError as error:
        finding.problem = error
