# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who owns organizations, as superusers may change it (Quay API: superuser, take ownership)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import FORBIDDEN, QuayError, only_superusers, superusers_only
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import (
    MEMBERS,
    REGISTRY,
    Intent,
    Kind,
    Object,
    Place,
    PlaceMissing,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import namespace, user
from ansible_collections.quayside.airgap.plugins.module_utils.quay.organizations import OrganizationKind
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work
from ansible_collections.quayside.airgap.plugins.module_utils.quay.teams import OWNERS
from ansible_collections.quayside.airgap.plugins.module_utils.quay.users import UserKind

ORGANIZATION = "organization"
USER = "user"
_ALREADY = "already a member"

OPTIONS = (
    Field("organizations", "list", of=Field("organization", normal=namespace)),
    Field("all_organizations", "bool"),
    Field("users", "list", of=Field("user", normal=user)),
    Field("all_superusers", "bool"),
    Field("convert_users", "bool"),
)


class OwnershipKind(Kind):
    """The owners of a namespace: the members of an organization's team of owners; the key is empty.

    ``type`` is ``user`` for a namespace that is no organization yet. ``owners`` is missing where we may not see them: then we are
    none of them.
    """

    name = "ownership"
    stage = MEMBERS

    def all(self, place: Place) -> Mapping[str, Object]:
        """:raises AirgapError: where there is no such namespace."""
        return {"": self.read(place.namespace)}

    def read(self, name: str) -> Object:
        """Type and owners of a namespace. One call for an organization that we may manage; shared within the run."""
        # below the path of the namespace, so that it is forgotten with everything else of it
        found: Object = self.quay.once(f"{at('organization', name)}#owners", lambda: self._read(name))
        return found

    def _read(self, name: str) -> Object:
        try:
            owners = self._members(name, OWNERS)
        except QuayError as error:
            if error.code != FORBIDDEN:
                raise
            owners = None
        if owners is not None:
            return {"type": ORGANIZATION, "team": OWNERS, "owners": owners}
        view = self.quay.shared(at("organization", name), f"read the organization {name}")
        if view is None:
            return self._user(name)
        # somebody deleted the team: Quay takes any other that administers the organization for it
        teams = sorted(str(team) for team, shown in (view.get("teams") or {}).items() if shown.get("role") == "admin")
        if not view.get("is_admin") or not teams:
            return {"type": ORGANIZATION, "team": OWNERS}
        return {"type": ORGANIZATION, "team": teams[0], "owners": self._members(name, teams[0]) or []}

    def _members(self, name: str, team: str) -> list[str] | None:
        what = f"list the members of the team {team} of {name}"
        # those who have only been asked to join, too: asking again would change nothing
        body = self.quay.shared(at("organization", name, "team", team, "members"), what, {"includePending": True})
        if body is None:
            return None
        return sorted(str(member["name"]) for member in entries(body, "members", what, self.quay.name))

    def _user(self, name: str) -> Object:
        found = UserKind(self.quay).read(name)
        if found is None:
            reason = f"there is no organization or user {name}"
            raise PlaceMissing("take ownership", f"on {self.quay.name}", reason, "Check its name.")
        if found["superuser"]:
            raise AirgapError(
                f"take ownership of {name}", f"on {self.quay.name}", "it is a superuser, and Quay lets nobody take ownership of those"
            )
        return {"type": USER, "team": OWNERS}

    # --- comparing

    def complete(self, wanted: Object, found: Object | None) -> Object:
        known = found.get("owners", ()) if found is not None else ()
        full = {**wanted, "owners": sorted({*known, *wanted["owners"]})}
        if found is not None and "owners" not in found:
            # the way to others leads through ourselves
            full["owners"] = sorted({*full["owners"], *self._ourselves()})
        return full

    def check(self, place: Place, key: str, wanted: Object) -> None:
        found = self.read(place.namespace)
        what = f"take ownership of {place.namespace}"
        if found["type"] == USER and wanted.get("type") != ORGANIZATION:
            raise AirgapError(
                what,
                f"on {self.quay.name}",
                "it is a user, whom that would turn into an organization: nobody could log in as this user any more",
                "Set convert_users if that is what you want.",
            )
        if "owners" not in found and self.quay.identity().superuser is False:
            raise only_superusers(self.quay.name, what)
        for name in wanted["owners"]:
            if name not in found.get("owners", ()) and name not in self._ourselves():
                self._check_user(name, place)

    def _check_user(self, name: str, place: Place) -> None:
        if self.quay.shared(at("users", name), f"read the user {name}") is None:
            raise InputError("users", f"there is no user {name}, who shall own {place.namespace}", "Create the user first.")

    def _ourselves(self) -> set[str]:
        name = self.quay.identity().name
        return {name} if name else set()

    # --- writing

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        raise InputError(place.namespace, "an organization cannot be made by taking ownership of it")

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        there = set(found.get("owners", ()))
        ourselves = self._ourselves()
        if "owners" not in found or ourselves & set(wanted["owners"]) - there:
            what = f"take ownership of {place.namespace}"
            with superusers_only(self.quay.name, what):
                self.quay.post(at("superuser", "takeownership", place.namespace), {}, what)
            there |= ourselves
        for name in wanted["owners"]:
            if name not in there:
                self._add(place.namespace, str(found["team"]), name)
        return None

    def _add(self, organization: str, team: str, name: str) -> None:
        what = f"add {name} to the team {team} of {organization}"
        try:
            self.quay.put(at("organization", organization, "team", team, "members", name), {}, what)
        except QuayError as error:
            if error.status != 400 or not error.says(_ALREADY):
                raise

    def delete(self, place: Place, key: str, found: Object) -> None:
        raise InputError(place.namespace, "ownership cannot be given away here", "Remove the members of the team owners.")

    def title(self, place: Place, key: str) -> str:
        return place.namespace


@dataclass(frozen=True)
class OwnershipWish:
    """The work of quay_ownership.

    :ivar users: who shall own; ``organizations``: what. Both sorted.
    """

    work: Work
    users: tuple[str, ...]
    organizations: tuple[str, ...]


def wish(quay: QuayClient, options: Mapping[str, Any]) -> OwnershipWish:
    """What quay_ownership shall do. Lists of everything are read here, too.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    """
    given = canonical(options, OPTIONS)
    everywhere, everybody = given.get("all_organizations", False), given.get("all_superusers", False)
    for many, single, chosen in (("all_organizations", "organizations", everywhere), ("all_superusers", "users", everybody)):
        if chosen and given.get(single):
            raise InputError(single, f"it is given together with {many}", "Give one of the two.")
    if not everywhere and not given.get("organizations"):
        raise InputError("organizations", "nothing says what shall be owned", "Give organizations, or set all_organizations.")
    users = sorted(set(_superusers(quay) if everybody else given.get("users") or [_caller(quay)]))
    names = sorted(OrganizationKind(quay).names() if everywhere else set(given["organizations"]))
    wanted: dict[str, Any] = {"owners": users}
    if given.get("convert_users"):
        wanted["type"] = ORGANIZATION
    kind = OwnershipKind(quay)
    return OwnershipWish(Work([Intent(kind, Place(name), "", wanted) for name in names]), tuple(users), tuple(names))


def _caller(quay: QuayClient) -> str:
    name = quay.identity().name
    if not name:
        raise InputError("users", "the token may not tell whose it is, and nobody else is named", "Give users.")
    return name


def _superusers(quay: QuayClient) -> list[str]:
    found = UserKind(quay).all(REGISTRY)
    return [name for name in found if found[name]["superuser"] and found[name]["enabled"]]
