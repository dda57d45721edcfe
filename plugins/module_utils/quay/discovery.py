# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Quay has that can be copied, found through its API, and what the Quays that it goes to lack.

Tags are not asked for: who copies lists them through /v2, which has active tags only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, QuayOptions, at
from ansible_collections.quayside.airgap.plugins.module_utils.quay.discovery_targets import Arrival, Target, prepare
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import FORBIDDEN, QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.organizations import OrganizationKind
from ansible_collections.quayside.airgap.plugins.module_utils.quay.repositories import document
from ansible_collections.quayside.airgap.plugins.module_utils.quay.special import Specials
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import (
    Location,
    is_repository,
    parse_location,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.selection import Patterns

# Up to so many organizations that the patterns name, a list of each is cheaper than one of everything
_FEW = 8
_GLOB = frozenset("*?[")
SOURCE, DESTINATION = "source", "destination"
ORGANIZATION, USER = "organization", "user"


@dataclass(frozen=True)
class Destination:
    """Where what is found will be copied to.

    :ivar place: registry, or namespace in it.
    :ivar quay: how its API is reached; None where it is not asked.
    :ivar writer: user name that will push.
    """

    place: str
    quay: QuayOptions | None = None
    writer: str = ""


@dataclass(frozen=True)
class DiscoveryTask:
    """What is to be found.

    :ivar source: registry, or namespace in it, that is looked through; empty for the whole Quay.
    :ivar patterns: for repositories, relative to the source.
    :ivar user_namespaces: take repositories of users too.
    :ivar carry: ``visibility`` and ``description``: what the destinations shall have as the source has it.
    """

    source: str = ""
    destinations: Sequence[Destination] = ()
    patterns: Patterns = field(default_factory=Patterns)
    user_namespaces: bool = False
    carry: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Found:
    """A repository that can be copied.

    :ivar path: name relative to the source.
    :ivar values: visibility, description and repo_state.
    :ivar user: whether it belongs to a user.
    :ivar empty: whether it has no active tag.
    """

    namespace: str
    name: str
    path: str
    values: Mapping[str, Any]
    user: bool
    empty: bool

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class LeftOut:
    """What is left out, and why.

    :ivar side: where it is: ``source`` or ``destination``.
    """

    side: str
    registry: str
    name: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        return {"side": self.side, "registry": self.registry, "name": self.name, "reason": self.reason}


@dataclass
class Discovery:
    """What was found.

    :ivar images: as image_mirror takes them.
    :ivar documents: for each destination, in their order, what it lacks; one with the names of the source where there is none.
    """

    images: list[str | dict[str, Any]] = field(default_factory=list)
    organizations: list[str] = field(default_factory=list)
    repositories: list[Found] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def discover(quay: QuayClient, task: DiscoveryTask) -> Discovery:
    """Look through a Quay, and at the Quays that the task names as destinations. Changes nothing.

    :raises InputError: for wrong options, before anything is asked where that is possible.
    :raises AirgapError: when something cannot be read.
    """
    base = parse_location(task.source, "source") if task.source else Location(quay.name)
    places = [parse_location(entry.place, "destination") for entry in task.destinations]
    search = _Search(quay, base, task)
    found = search.run()
    if not found.repositories and not found.organizations:
        found.warnings.append(f"{base} has no repository that the patterns allow. Quay shows only what the token's user may read.")
    if not places:
        # an organization of the same name
        places = [Location(base.registry, base.namespace)]
    arrivals = [Arrival(entry.path, entry.values, entry.user) for entry in found.repositories]
    refused: list[dict[str, str]] = []
    organizations = found.organizations if not base.namespace else ()
    destinations = task.destinations or (Destination(str(base)),)
    for place, entry in zip(places, destinations):
        target = Target(place, arrivals, organizations, task.carry, entry.writer)
        prepared = prepare(target, entry.quay, quay.cancellation)
        found.documents.append(prepared.document)
        found.warnings += prepared.warnings
        refused.append(prepared.refused)
        found.left_out += [LeftOut(DESTINATION, place.registry, name, reason) for name, reason in sorted(prepared.reasons.items())]
    found.images = list(_images(base, places, found.repositories, refused))
    return found


def _images(
    base: Location, places: Sequence[Location], repositories: Iterable[Found], refused: Sequence[Mapping[str, str]]
) -> Iterator[str | dict[str, Any]]:
    """Entries for image_mirror: a reference, or one with destinations where not all of them take it."""
    for entry in repositories:
        source = f"{base.registry}/{entry.full_name}"
        takers = [place for place, reasons in zip(places, refused) if entry.path not in reasons]
        if entry.empty or not takers:
            continue
        if len(takers) == len(places):
            yield source
        else:
            yield {"source": source, "destination": [f"{place.registry}/{place.repository(entry.path)}" for place in takers]}


class _Search:
    """Looks through the source."""

    def __init__(self, quay: QuayClient, base: Location, task: DiscoveryTask) -> None:
        self._quay = quay
        self._base = base
        self._task = task
        self._found = Discovery()

    def run(self) -> Discovery:
        owner = self._base.namespace.partition("/")[0]
        kinds, everything = ({owner: self._kind_of(owner)}, False) if owner else self._namespaces()
        rows = self._everything() if everything else self._of_each(kinds)
        for name in sorted(rows):
            # users that only the list of everything has told of
            kinds.setdefault(name, USER)
        chosen = {name: [row for row in rows.get(name, ()) if self._wanted(row)] for name in kinds}
        users = [name for name, kind in kinds.items() if kind == USER and not self._task.user_namespaces and name != owner]
        for name in users:
            if chosen.pop(name):
                self._leave_out(name, "it is the namespace of a user; user_namespaces takes these too")
        organizations = {name: rows.get(name, []) for name in chosen if kinds[name] == ORGANIZATION and self._counts(name, rows, chosen)}
        special = self._specials(organizations)
        for name in sorted(chosen):
            if name in special:
                self._leave_out(name, special[name])
                continue
            if name in organizations:
                self._found.organizations.append(name)
            for row in sorted(chosen[name], key=lambda entry: str(entry["name"])):
                self._take(row, user=kinds[name] == USER)
        return self._found

    def _kind_of(self, name: str) -> str:
        self._user()
        if self._quay.shared(at("organization", name), f"read the organization {name}") is not None:
            return ORGANIZATION
        if self._quay.shared(at("users", name), f"read the user {name}") is not None:
            return USER
        raise InputError("source", f"there is no organization or user {name} on {self._quay.name}", "Check its name.")

    def _namespaces(self) -> tuple[dict[str, str], bool]:
        """All namespaces that concern us, and whether one list has the repositories of them all."""
        if not (self._quay.options.token or self._quay.options.username):
            raise InputError("source", "without a login Quay tells no organizations", "Give quay_token, or name an organization in source.")
        user = self._user()
        superuser = bool(user.get("super_user", False)) if user else None
        full = superuser is not False and bool(self._quay.capabilities.feature("SUPERUSERS_FULL_ACCESS"))
        if full or (user and user.get("global_readonly_super_user")):
            try:
                names = OrganizationKind(self._quay).names()
            except QuayError as error:
                # a token without the scope super:user (and without user:read, or Quay would not call its user a superuser)
                if error.code != FORBIDDEN:
                    raise
            else:
                # only the list of everything tells which users have repositories
                few = None if self._task.user_namespaces else self._named(names)
                return dict.fromkeys(sorted(names if few is None else few), ORGANIZATION), few is None
        if user is None:
            raise AirgapError(
                "list the organizations",
                f"on {self._quay.name}",
                "the token may neither tell its user (scope user:read) nor list all organizations (scope super:user)",
                "Give the token one of these scopes, or name an organization in source.",
            )
        if superuser:
            self._found.warnings.append(
                f"Only organizations that {user['username']} belongs to are looked through: FEATURE_SUPERUSERS_FULL_ACCESS is off on "
                f"{self._quay.name}."
            )
        kinds = {str(entry["name"]): ORGANIZATION for entry in user.get("organizations", ())}
        few = self._named(kinds)
        if self._task.user_namespaces:
            kinds[str(user["username"])] = USER
        return ({name: kind for name, kind in kinds.items() if few is None or name in few or kind == USER}), False

    def _user(self) -> Mapping[str, Any] | None:
        """The user who asks; None where the token may not tell.

        :raises QuayError: when the token is not accepted; a list would look like an answer then (Quay API: authentication).
        """
        try:
            return self._quay.shared(at("user", ""), "find out whom the login belongs to")
        except QuayError as error:
            if error.status != 401:
                raise
        self._quay.identity()
        return None

    def _named(self, names: Iterable[str]) -> frozenset[str] | None:
        """The organizations that the patterns name, where each of them names one and they are few."""
        owners = {pattern.partition("/")[0] for pattern in self._task.patterns.include if "/" in pattern}
        if not self._task.patterns.include or any("/" not in pattern for pattern in self._task.patterns.include):
            return None
        if len(owners) > _FEW or any(_GLOB & set(owner) for owner in owners):
            return None
        return frozenset(owners) & frozenset(names)

    def _everything(self) -> dict[str, list[Mapping[str, Any]]]:
        found: dict[str, list[Mapping[str, Any]]] = {}
        for row in self._rows({}, "all repositories"):
            found.setdefault(str(row["namespace"]), []).append(row)
        return found

    def _of_each(self, names: Iterable[str]) -> dict[str, list[Mapping[str, Any]]]:
        found: dict[str, list[Mapping[str, Any]]] = {}

        def read(name: str) -> None:
            rows = self._rows({"namespace": name}, f"the repositories of {name}")
            found[name] = [row for row in rows if row.get("namespace") == name]

        with WorkerPool(self._quay.options.parallel, self._quay.cancellation) as pool:
            pool.run(partial(read, name) for name in names)
        return found

    def _rows(self, query: Mapping[str, Any], what: str) -> Iterator[Mapping[str, Any]]:
        # last_modified costs no call, and tells whether there is an active tag
        asked = {**query, "public": True, "last_modified": True}
        yield from self._quay.pages(at("repository"), f"list {what}", "repositories", asked)

    def _path(self, row: Mapping[str, Any]) -> str:
        return self._base.relative(f"{row['namespace']}/{row['name']}")

    def _wanted(self, row: Mapping[str, Any]) -> bool:
        full = f"{row['namespace']}/{row['name']}"
        inside = not self._base.namespace or full.startswith(f"{self._base.namespace}/")
        return inside and self._task.patterns.allow(self._path(row))

    def _counts(self, name: str, rows: Mapping[str, Any], chosen: Mapping[str, Any]) -> bool:
        """Whether an organization is meant: by its repositories, or, where it has none, by its name."""
        return bool(chosen[name]) or (not rows.get(name) and not self._base.namespace and self._task.patterns.allow(f"{name}/"))

    def _specials(self, organizations: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
        specials = Specials(self._quay)
        states = {name: {str(row.get("state") or "") for row in rows} for name, rows in organizations.items()}
        found = specials.of(states)
        self._found.warnings += specials.warnings
        return found

    def _take(self, row: Mapping[str, Any], *, user: bool) -> None:
        full = f"{row['namespace']}/{row['name']}"
        if str(row.get("kind") or "image") != "image":
            self._leave_out(full, f"it holds no images but is of the kind {row['kind']}")
        elif not is_repository(full):
            self._leave_out(full, "the distribution API allows no such name, so that no image in it can be reached")
        else:
            empty = "last_modified" in row and row["last_modified"] is None
            name = str(row["name"])
            self._found.repositories.append(Found(str(row["namespace"]), name, self._path(row), document(row), user, empty))

    def _leave_out(self, name: str, reason: str) -> None:
        self._found.left_out.append(LeftOut(SOURCE, self._base.registry, name, reason))
