# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the images that a user named to the requests that the engine takes: references, tags, discovery, shards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Callable, TypeVar

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, CancelledError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import RegistryClient
from ansible_collections.quayside.airgap.plugins.module_utils.registry.companions import COMPANION_TAG, tag_of
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import CopyRequest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import (
    Location,
    Reference,
    has_registry,
    parse_location,
    parse_reference,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries import Registries

_KEYS = frozenset({"source", "destination", "platforms", "tags", "exclude_tags"})
_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True)
class Shard:
    """One of several parts of the work.

    All tags of a repository belong to the same part, because they share most of their blobs; which part is decided by the name
    alone, so that every host decides alike without talking to the others.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 <= self.index < self.count:
            raise InputError("shard", f"index {self.index} of {self.count} does not exist: index counts from 0 to count - 1")

    def has(self, repository: str) -> bool:
        """Whether a repository (path at the source) belongs to this part."""
        number = int.from_bytes(hashlib.sha256(repository.encode()).digest()[:8], "big")
        return number % self.count == self.index


@dataclass(frozen=True)
class Patterns:
    """Shell patterns; ``*`` also matches slashes. What is included and not excluded is meant.

    :ivar include: nothing here means everything.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def allow(self, name: str) -> bool:
        wanted = not self.include or any(fnmatchcase(name, pattern) for pattern in self.include)
        return wanted and not any(fnmatchcase(name, pattern) for pattern in self.exclude)


@dataclass(frozen=True)
class Selection:
    """What the user asked for, in the user's words.

    :ivar images: references, or mappings with ``source`` and, if wanted, ``destination`` (text or list), ``platforms``,
        ``tags``, ``exclude_tags``.
    :ivar discover: take the repositories of the source that these patterns allow (paths relative to the source).
    :ivar tags: of repositories that are named without a tag, and of those discovered.
    """

    images: Sequence[str | Mapping[str, Any]] = ()
    source: str | None = None
    destinations: Sequence[str] = ()
    discover: Patterns | None = None
    tags: Patterns = field(default_factory=Patterns)
    platforms: Sequence[str] = ()
    shard: Shard = field(default_factory=Shard)


@dataclass(frozen=True)
class Entry:
    """One line of a selection, understood but not yet expanded.

    :ivar name: what to call it in messages.
    :ivar targets: where it goes: ``(location, repository, tag)``, the tag None for the source's own.
    """

    name: str
    source: Reference
    targets: tuple[tuple[str, str, str | None], ...]
    tags: Patterns
    platforms: tuple[Platform, ...]


@dataclass
class Expansion:
    """What a selection stands for.

    :ivar failures: entries that could not be expanded, with the reason.
    :ivar warnings: what was asked for and matched nothing.
    """

    requests: list[CopyRequest] = field(default_factory=list)
    failures: list[tuple[str, AirgapError]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def understand(selection: Selection) -> list[Entry]:
    """Check everything that can be checked without a network.

    :raises InputError: with every fault that there is, each with its place.
    """
    faults: list[str] = []
    source = _try(faults, lambda: parse_location(selection.source or "", "source")) if selection.source else None
    destinations = _all(faults, selection.destinations, lambda text: parse_location(text, "destination"))
    platforms = _all(faults, selection.platforms, Platform.parse)
    if selection.discover is not None and not selection.source:
        faults.append("discover: it needs the option source, the registry whose repositories are to be taken")
    if selection.discover is not None and not selection.destinations:
        faults.append("discover: it needs the option destination")
    if not selection.images and selection.discover is None:
        faults.append("images: there are none; name some, or use discover")
    entries: list[Entry] = []
    for position, item in enumerate(selection.images):
        name = f"images[{position}]"
        entry = _try(faults, partial(_entry, name, item, source, destinations, selection.tags, tuple(platforms)), name)
        if entry is not None:
            entries.append(entry)
    if faults:
        raise InputError("the options", "; ".join(faults))
    return entries


def expand(selection: Selection, entries: Sequence[Entry], sources: Registries, pool: WorkerPool) -> Expansion:
    """Ask the source for repositories and tags where these are not named, and make requests of it all.

    :raises InputError: when two images would land in the same place.
    :raises AirgapError: when the source does not list its repositories for ``discover``.
    """
    everything = [*entries, *_discovered(selection, sources)] if selection.discover is not None else list(entries)
    mine = [entry for entry in everything if selection.shard.has(entry.source.repository)]
    _announce(mine, sources)
    listed: dict[int, list[str] | AirgapError] = {}

    def list_tags(position: int, entry: Entry) -> None:
        try:
            listed[position] = _tags(entry, sources)
        except CancelledError:
            raise
        except AirgapError as error:
            listed[position] = error

    pool.run([partial(list_tags, position, entry) for position, entry in enumerate(mine) if entry.source.identifier is None])
    expansion = Expansion()
    if selection.discover is not None and len(everything) == len(entries):
        expansion.warnings.append(
            f"{selection.source} lists no repository that the patterns allow. Registries list only what the credentials may read."
        )
    for position, entry in enumerate(mine):
        tags = listed.get(position)
        if isinstance(tags, AirgapError):
            expansion.failures.append((str(entry.source), tags))
        elif tags is None:
            expansion.requests.append(_request(entry, entry.source))
        else:
            if not tags:
                expansion.warnings.append(f"{entry.source} has no tag that the patterns allow: nothing of it is copied.")
            expansion.requests += [_request(entry, entry.source.at(tag=tag)) for tag in tags]
    expansion.requests = list(dict.fromkeys(expansion.requests))
    _refuse_collisions(expansion.requests)
    return expansion


def _entry(
    name: str,
    item: str | Mapping[str, Any],
    base: Location | None,
    destinations: Sequence[Location],
    tags: Patterns,
    platforms: tuple[Platform, ...],
) -> Entry:
    if isinstance(item, str):
        item = {"source": item}
    if not isinstance(item, Mapping):
        raise InputError(name, "an image is text or a mapping with 'source'")
    unknown = sorted(str(key) for key in item if key not in _KEYS)
    if unknown:
        raise InputError(name, f"unknown key {', '.join(unknown)}; known are {', '.join(sorted(_KEYS))}")
    text = item.get("source")
    if not isinstance(text, str):
        raise InputError(name, "the key 'source' is missing or no text")
    source = parse_reference(text, base)
    own_tags = Patterns(tuple(_texts(name, item, "tags") or tags.include), tuple(_texts(name, item, "exclude_tags") or tags.exclude))
    own_platforms = tuple(Platform.parse(platform) for platform in _texts(name, item, "platforms")) or platforms
    targets = _targets(name, _texts(name, item, "destination"), source, base, destinations)
    if source.identifier is None and any(tag is not None for _registry, _repository, tag in targets):
        raise InputError(name, f"'{text}' means all tags of a repository, its destination must have no tag")
    return Entry(name, source, targets, own_tags, own_platforms)


def _targets(
    name: str, wanted: Sequence[str], source: Reference, base: Location | None, destinations: Sequence[Location]
) -> tuple[tuple[str, str, str | None], ...]:
    if not wanted:
        if not destinations:
            raise InputError(name, "it has no destination; give one, or use the option destination")
        inside = base is not None and base.registry == source.registry
        path = base.relative(source.repository) if base is not None and inside else source.repository
        return tuple((place.registry, place.repository(path), None) for place in destinations)
    targets: list[tuple[str, str, str | None]] = []
    for text in wanted:
        if not has_registry(text.replace("docker://", "", 1)) and not destinations:
            raise InputError(name, f"the destination '{text}' has no registry; write it in full, or use the option destination")
        for place in [None] if has_registry(text.replace("docker://", "", 1)) else destinations:
            reference = parse_reference(text, place)
            if reference.digest is not None:
                raise InputError(name, f"the destination '{text}' has a digest; the digest is the source's, name a tag or none")
            targets.append((reference.registry, reference.repository, reference.tag))
    return tuple(targets)


def _texts(name: str, item: Mapping[str, Any], key: str) -> list[str]:
    value = item.get(key)
    if value is None:
        return []
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not all(isinstance(text, str) for text in values):
        raise InputError(name, f"'{key}' must be text or a list of texts")
    return list(values)


def _discovered(selection: Selection, sources: Registries) -> list[Entry]:
    base = parse_location(selection.source or "", "source")
    destinations = [parse_location(text, "destination") for text in selection.destinations]
    platforms = tuple(Platform.parse(text) for text in selection.platforms)
    patterns = selection.discover or Patterns()
    client = sources.client(base.registry)
    entries = []
    prefix = f"{base.namespace}/" if base.namespace else ""
    try:
        for page in client.catalog():
            for repository in page:
                path = repository[len(prefix) :]
                if repository.startswith(prefix) and patterns.allow(path):
                    reference = Reference(base.registry, repository)
                    targets = _targets("discover", [], reference, base, destinations)
                    entries.append(Entry("discover", reference, targets, selection.tags, platforms))
    except NotFoundError as error:
        error.hint = "This registry does not list its repositories: name them with the option images."
        raise
    return entries


def _announce(entries: Sequence[Entry], sources: Registries) -> None:
    """Tell the registries whose tags will be listed: where tokens are needed, one serves several repositories."""
    repositories: dict[RegistryClient, list[str]] = {}
    for entry in entries:
        if entry.source.identifier is None:
            with suppress(AirgapError):  # a blocked registry is told of when the tags are listed
                client, reference = sources.candidates(entry.source)[0]
                repositories.setdefault(client, []).append(reference.repository)
    for client, names in repositories.items():
        client.announce(names)


def _tags(entry: Entry, sources: Registries) -> list[str]:
    failure: AirgapError | None = None
    for client, reference in sources.candidates(entry.source):
        try:
            found = {tag for page in client.tags(reference.repository) for tag in page}
        except CancelledError:
            raise
        except AirgapError as error:
            failure = error
            continue
        # cosign's tags travel with their image, or not at all
        return sorted(tag for tag in found if entry.tags.allow(tag) and not COMPANION_TAG.fullmatch(tag))
    raise failure or NotFoundError("list the tags of", str(entry.source), "there is no such repository", status=404)


def _request(entry: Entry, source: Reference) -> CopyRequest:
    destinations = []
    for registry, repository, tag in entry.targets:
        # a manifest without a tag is garbage to most registries; oc-mirror gives such images this tag too
        own = tag or source.tag or tag_of(source.digest or "")
        destinations.append(Reference(registry, repository, own))
    return CopyRequest(source, tuple(dict.fromkeys(destinations)), entry.platforms)


def _refuse_collisions(requests: Iterable[CopyRequest]) -> None:
    owners: dict[Reference, CopyRequest] = {}
    for request in requests:
        for destination in request.destinations:
            if destination == request.source.at(tag=request.source.tag):
                raise InputError(f"the image '{request.source}'", "its source and its destination are the same")
            owner = owners.setdefault(destination, request)
            if owner != request:
                raise InputError(
                    f"the image '{request.source}'",
                    f"it would land on {destination}, and so would {_differs(owner, request)}",
                    "Give one of them a 'destination' of its own.",
                )


def _differs(owner: CopyRequest, request: CopyRequest) -> str:
    return str(owner.source) if owner.source != request.source else "the same image with other platforms"


def _all(faults: list[str], texts: Iterable[str], parse: Callable[[str], _Parsed]) -> list[_Parsed]:
    found = (_try(faults, partial(parse, text)) for text in texts)
    return [item for item in found if item is not None]


def _try(faults: list[str], call: Callable[[], _Parsed], where: str = "") -> _Parsed | None:
    try:
        return call()
    except InputError as error:
        place = "" if not where or error.subject == where else f" {error.subject}"
        faults.append(f"{where or error.subject}{place}: {error.reason}" + (f" ({error.hint})" if error.hint else ""))
        return None
