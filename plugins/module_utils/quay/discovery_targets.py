# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A place that repositories will be copied to: what it lacks, and what it does not take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation, WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay import names
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, QuayOptions, at
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import FORBIDDEN, QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import Object, Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.organizations import OrganizationKind
from ansible_collections.quayside.airgap.plugins.module_utils.quay.repositories import RepositoryKind
from ansible_collections.quayside.airgap.plugins.module_utils.quay.special import ORG_MIRROR, Specials
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Location

# From so many organizations on, the list of all of them is cheaper than asking for each
_WORTH_LISTING = 3
_STATES = {
    "READ_ONLY": "the repository is read-only",
    "MIRROR": "the repository is a mirror of another one",
    ORG_MIRROR: "the repository belongs to an organization that is a mirror of another registry",
}


@dataclass(frozen=True)
class Arrival:
    """A repository that shall be copied.

    :ivar path: name relative to the source; it is the same relative to the destination.
    :ivar values: visibility and description at the source.
    :ivar user: whether it belongs to a user there.
    """

    path: str
    values: Mapping[str, Any]
    user: bool = False


@dataclass(frozen=True)
class Target:
    """A place, and what comes there.

    :ivar organizations: those that shall be there although nothing is copied into them.
    :ivar carry: which values the repositories get from the source.
    :ivar writer: user name that will push: a robot needs a permission on repositories that another user makes.
    """

    place: Location
    arrivals: Sequence[Arrival]
    organizations: Sequence[str]
    carry: frozenset[str]
    writer: str = ""

    def name(self, arrival: Arrival) -> tuple[str, str]:
        """Namespace and name that a repository will have.

        :raises InputError: when it would lie in no organization.
        """
        namespace, slash, name = self.place.repository(arrival.path).partition("/")
        if not slash:
            raise InputError(
                "destination",
                f"'{self.place}' names no organization, and {arrival.path} would lie in none",
                f"Write it as {self.place.registry}/ORGANIZATION.",
            )
        return namespace, name


@dataclass
class Prepared:
    """What was found out about a place.

    :ivar document: for quay_state: what is missing, and what differs of what shall be carried over.
    :ivar refused: path of a repository -> why it is not copied there.
    :ivar reasons: the same for people: an organization stands for all its repositories.
    """

    document: dict[str, Any]
    refused: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass
class _Known:
    """What a Quay has of the namespaces that are concerned.

    :ivar asked: whether it was asked at all.
    :ivar users: namespaces that belong to users.
    """

    asked: bool = False
    organizations: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    special: dict[str, str] = field(default_factory=dict)
    repositories: dict[str, Mapping[str, Object]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def prepare(target: Target, options: QuayOptions | None, cancellation: Cancellation) -> Prepared:
    """Look at a place through the API of its Quay.

    :param options: how the API is reached; None: nothing is known of the place, so that the document names everything.
    :raises InputError: when a repository would lie in no organization.
    :raises AirgapError: when something cannot be read.
    """
    if options is None:
        return _compared(target, _Known())
    with QuayClient(options, cancellation) as quay:
        return _compared(target, _read(quay, target))


def _read(quay: QuayClient, target: Target) -> _Known:
    # nobody is refused a list: with a bad token it has what is public
    quay.deny_anonymous()
    wanted = sorted({target.name(arrival)[0] for arrival in target.arrivals} | set(_empty(target)))
    known = _Known(asked=True)
    listed = _listed(quay) if len(wanted) > _WORTH_LISTING else None

    def settle(name: str) -> None:
        if name in listed if listed is not None else quay.shared(at("organization", name), f"read the organization {name}") is not None:
            known.organizations.add(name)
        elif quay.shared(at("users", name), f"read the user {name}") is not None:
            known.users.add(name)

    _each(quay, settle, wanted)
    there = sorted(known.organizations | known.users)
    repositories = RepositoryKind(quay)
    repositories.prepare({Place(name): () for name in there})

    def list_repositories(name: str) -> None:
        known.repositories[name] = repositories.all(Place(name))

    _each(quay, list_repositories, there)
    specials = Specials(quay)
    states = {name: {str(values["repo_state"]) for values in known.repositories[name].values()} for name in known.organizations}
    known.special = specials.of(states)
    known.warnings = specials.warnings
    return known


def _listed(quay: QuayClient) -> frozenset[str] | None:
    """Names of all organizations, for a superuser whose token may list them."""
    if not quay.identity().superuser:
        return None
    try:
        return OrganizationKind(quay).names()
    except QuayError as error:
        if error.code != FORBIDDEN:
            raise
        return None


def _each(quay: QuayClient, call: Callable[[str], None], entries: Iterable[str]) -> None:
    with WorkerPool(quay.options.parallel, quay.cancellation) as pool:
        pool.run(partial(call, entry) for entry in entries)


def _empty(target: Target) -> Sequence[str]:
    """Organizations that are wanted for their own sake; below a namespace of the destination there are none."""
    return () if target.place.namespace else target.organizations


def _compared(target: Target, known: _Known) -> Prepared:
    found = Prepared({}, warnings=known.warnings)
    there_already = known.organizations | known.users
    missing: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in _empty(target) if name not in there_already}
    for arrival in target.arrivals:
        namespace, name = target.name(arrival)
        there = known.repositories.get(namespace, {}).get(name)
        state = str(there["repo_state"]) if there is not None else "NORMAL"
        if namespace in known.special:
            found.refused[arrival.path] = found.reasons[namespace] = known.special[namespace]
        elif state in _STATES:
            found.refused[arrival.path] = found.reasons[f"{namespace}/{name}"] = _STATES[state]
        elif arrival.user and not target.place.namespace and namespace not in there_already:
            if known.asked:
                found.refused[arrival.path] = found.reasons[namespace] = "there is no such user, and no organization is made for one"
        elif namespace not in known.users:
            entry = _entry(target, arrival, namespace, name, there)
            if entry is not None:
                missing.setdefault(namespace, {})[name] = entry
    found.document = _document(missing)
    return found


def _entry(target: Target, arrival: Arrival, namespace: str, name: str, there: Object | None) -> dict[str, Any] | None:
    """What the document says of a repository; None where it is as it shall be, or where Quay's API cannot make it."""
    if not _manageable(namespace, name):
        # whoever pushes makes it
        return None
    carried = {which: arrival.values[which] for which in sorted(target.carry)}
    if there is not None:
        changed = {which: value for which, value in carried.items() if there[which] != value}
        return {"name": name, **changed} if changed else None
    owner, plus, _short = target.writer.partition("+")
    # Quay refuses robots of other organizations
    permissions = [{"name": target.writer, "type": "robot", "role": "write"}] if plus and owner == namespace else []
    return {"name": name, **carried, **({"permissions": permissions} if permissions else {})}


def _manageable(namespace: str, name: str) -> bool:
    try:
        names.namespace(namespace)
        names.repository(name)
    except ValueError:
        return False
    return True


def _document(missing: Mapping[str, Mapping[str, dict[str, Any]]]) -> dict[str, Any]:
    organizations: list[dict[str, Any]] = []
    for name in sorted(missing):
        entry: dict[str, Any] = {"name": name}
        if missing[name]:
            entry["repositories"] = [missing[name][repository] for repository in sorted(missing[name])]
        organizations.append(entry)
    return {"organizations": organizations} if organizations else {}
