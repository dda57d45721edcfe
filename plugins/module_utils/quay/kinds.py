# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a kind of Quay resource has to know: how it is read, compared and written. Everything else is the planner's.

Objects travel as plain mappings in the words of documents and module options ("document form"): the reading side turns Quay's
views into it, the writing side turns it into Quay's request bodies. So an export is what was read, and a diff is what differs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, ClassVar

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where an object lies.

    :ivar namespace: organization (or user) that it belongs to; empty for objects of the registry.
    :ivar repository: name below the namespace; empty for objects of the namespace.
    """

    namespace: str = ""
    repository: str = ""

    @property
    def path(self) -> str:
        """``prod/app``, or only the namespace."""
        return f"{self.namespace}/{self.repository}" if self.repository else self.namespace

    @property
    def api(self) -> str:
        """Path below which Quay's API has everything of this place; empty for the registry."""
        if self.repository:
            return at("repository", self.namespace, self.repository)
        return at("organization", self.namespace) if self.namespace else ""


REGISTRY = Place()

# The order of creation within an organization; deletions go before, in the opposite order. Why: teams and robots are named by
# members, default permissions and grants; default permissions hold only for repositories that come later; an organization with
# immutable tags cannot become a proxy cache; an organization that is a mirror refuses proxy caches and new repositories.
ORGANIZATION, ACCOUNTS, MEMBERS, REPOSITORIES, CONTENTS, POLICIES, MIRRORS = range(1, 8)


class PlaceMissing(AirgapError):
    """The organization or repository that an object should lie in does not exist."""


class Costly(Mapping[str, Any]):
    """An object of which some fields cost a call of their own, made when such a field is first asked for.

    Those fields are not among the names that it lists, so that showing it costs nothing.
    """

    def __init__(self, plain: Object, costly: Mapping[str, Callable[[], Any]]) -> None:
        self._plain = plain
        self._costly = costly
        self._read: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._costly:
            return self._plain[name]
        if name not in self._read:
            self._read[name] = self._costly[name]()
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._plain)

    def __len__(self) -> int:
        return len(self._plain)

    def __bool__(self) -> bool:
        # it is there, however little it shows for free
        return True

    def whole(self) -> dict[str, Any]:
        """All fields, whatever they cost."""
        return {**self._plain, **{name: self[name] for name in self._costly}}


class Kind(ABC):
    """One kind of resource. Instances are shared by threads and keep no state of their own.

    :cvar name: as in results and documents: ``robot``.
    :cvar stage: its place in the order of creation.
    :cvar write_only: fields that Quay never gives back; not compared, not shown.
    :cvar lazy: whether :meth:`all` reads each object when it is asked for, so that they are asked for side by side.
    :cvar everywhere: whether every place has such an object, so that to find it does not show that the place exists.
    :cvar single_read: whether reading one object costs one call that reads less than all of them would.
    """

    name: ClassVar[str]
    stage: ClassVar[int] = 0
    write_only: ClassVar[frozenset[str]] = frozenset()
    lazy: ClassVar[bool] = False
    everywhere: ClassVar[bool] = False
    single_read: ClassVar[bool] = False

    def __init__(self, quay: QuayClient) -> None:
        self.quay = quay

    # --- reading

    def prepare(self, places: Mapping[Place, Sequence[str]]) -> None:  # noqa: B027
        """Read at once what :meth:`all` will be asked for all these places and keys, where Quay has a call that gives it cheaper."""

    @abstractmethod
    def all(self, place: Place) -> Mapping[str, Object]:
        """All objects of a place that exists, by key, in document form. Uses reads that are shared within the run."""

    def look(self, place: Place, key: str) -> Object | None:
        """One object afresh: what was changed in this run must show."""
        self.quay.forget(place.api)
        return self.all(place).get(key)

    # --- comparing

    def check(self, place: Place, key: str, wanted: Object) -> None:  # noqa: B027
        """Refuse what this Quay does not allow, while nothing has been changed yet; asked only where there is a change to make.

        :raises AirgapError: with a sentence for the user.
        """

    def check_deletion(self, place: Place, key: str, found: Object) -> None:  # noqa: B027
        """As :meth:`check`, for an object that shall go.

        :raises AirgapError: with a sentence for the user.
        """

    def complete(self, wanted: Object, found: Object | None) -> Object:
        """What shall be, from what the user wants and what is there: where ``append`` joins lists, for one. Default: as wanted."""
        return wanted

    def differing(self, wanted: Object, found: Object) -> frozenset[str]:
        """Names of the fields of a completed wish that are not as they should be."""
        return frozenset(
            name for name, value in wanted.items() if name not in self.write_only and not self.same(name, value, found.get(name))
        )

    def same(self, field_name: str, wanted: Any, found: Any) -> bool:
        """Whether two values of a field mean the same."""
        return bool(wanted == found)

    def shown(self, values: Object) -> dict[str, Any]:
        """An object as it may be shown in diffs."""
        return {name: value for name, value in values.items() if name not in self.write_only}

    def warnings(self, place: Place, key: str, wanted: Object, found: Object) -> list[str]:
        """What the user should know about a difference that cannot be mended."""
        return []

    def protected(self, place: Place, key: str, found: Object) -> bool:
        """Whether an object stays although a purge does not find it in the document."""
        return False

    # --- writing

    @abstractmethod
    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        """Create it; gives results for the user."""

    @abstractmethod
    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        """Change the fields named in ``changed``."""

    @abstractmethod
    def delete(self, place: Place, key: str, found: Object) -> None:
        """Delete it; that it was not there any more is no error."""

    def rename(self, place: Place, old: str, new: str) -> None:
        """Give an object another name. Only for kinds whose wishes may hold ``former_name``."""
        raise InputError(self.name, "it cannot be renamed")

    # --- words

    def title(self, place: Place, key: str) -> str:
        """The object's name in results: ``prod+ci``. Default: place and key."""
        return "/".join(part for part in (place.path, key) if part)

    def needs(self, place: Place, key: str, wanted: Object) -> frozenset[tuple[str, str]]:
        """Objects (kind and title) without which the change makes no sense, besides the organization and the repository."""
        return frozenset()


@dataclass(frozen=True)
class Intent:
    """What the user wants of one object.

    :ivar wanted: in document form, without fields that the user left out; None: it shall not be there.
    """

    kind: Kind
    place: Place
    key: str
    wanted: Object | None = field(default=None, repr=False)

    @property
    def title(self) -> str:
        return self.kind.title(self.place, self.key)


@dataclass(frozen=True)
class Purge:
    """All objects of a kind in a place shall go, except these."""

    kind: Kind
    place: Place
    keep: frozenset[str]
