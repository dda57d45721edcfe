# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Teams of organizations and their members (Quay API: teams)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import (
    ACCOUNTS,
    MEMBERS,
    Costly,
    Intent,
    Kind,
    Object,
    Place,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import account, namespace, team
from ansible_collections.quayside.airgap.plugins.module_utils.quay.organizations import organization
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work

ROLES = ("member", "creator", "admin")
OWNERS = "owners"

FIELDS = (
    Field("role", choices=ROLES, description="What members may do in the organization; a new team has the role member."),
    Field("description", description="What it is for, in Markdown."),
)
MEMBER_FIELDS = (
    Field("members", "list", of=Field("member", normal=account), description="Users, and robots by their full name."),
    Field("append", "bool", description="False: remove members that are not listed."),
)


class TeamKind(Kind):
    """Teams of an organization; the key is the name. They come with the organization itself, for no call of their own."""

    name = "team"
    stage = ACCOUNTS

    def all(self, place: Place) -> Mapping[str, Object]:
        found = organization(self.quay, place.namespace) or {}
        return {str(name): document(view) for name, view in (found.get("teams") or {}).items()}

    def protected(self, place: Place, key: str, found: Object) -> bool:
        # every organization has it, and without it nobody could manage the organization
        return key == OWNERS

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        self._put(place, key, {"role": "member", **wanted})
        return None

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        # the role must be in every call
        self._put(place, key, {"role": found["role"], **{name: wanted[name] for name in changed}})
        return None

    def delete(self, place: Place, key: str, found: Object) -> None:
        path = at("organization", place.namespace, "team", key)
        try:
            self.quay.delete(path, f"delete the team {self.title(place, key)}")
        except QuayError as error:
            if error.status != 400 or not error.says("is not a team in org"):
                raise

    def _put(self, place: Place, key: str, body: Object) -> None:
        path = at("organization", place.namespace, "team", key)
        self.quay.put(path, dict(body), f"save the team {self.title(place, key)}")


class TeamMembersKind(Kind):
    """The members of a team together; the key is the team's name. They cost one call for each team."""

    name = "team_members"
    stage = MEMBERS

    def all(self, place: Place) -> Mapping[str, Object]:
        teams = TeamKind(self.quay).all(place)
        return {name: Costly({}, {"members": self._reader(place, name)}) for name in teams}

    def _reader(self, place: Place, key: str) -> Any:
        return lambda: self.members(place, key)

    def members(self, place: Place, key: str) -> list[str]:
        """Names of all members, invited ones too, in a fixed order. Shared within the run.

        :raises AirgapError: when a team is filled from a directory: nobody else may change it.
        """
        what = f"list the members of team {self.title(place, key)}"
        path = at("organization", place.namespace, "team", key, "members")
        body = self.quay.shared(path, what, {"includePending": True})
        if body is None:
            return []
        return sorted(str(member["name"]) for member in entries(body, "members", what, self.quay.name))

    def complete(self, wanted: Object, found: Object | None) -> Object:
        known = found["members"] if found is not None and wanted.get("append", True) else []
        return {"members": sorted({*known, *wanted["members"]})}

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        return self.update(place, key, wanted, {"members": []}, frozenset({"members"}))

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        there = found["members"]
        failures = []
        for name in wanted["members"]:
            if name not in there:
                try:
                    self._add(place, key, name)
                except QuayError as error:
                    if error.transient:
                        raise
                    # one who does not exist must not keep the others out
                    failures.append(error)
        for name in there:
            if name not in wanted["members"]:
                self._remove(place, key, name)
        if failures:
            raise (
                failures[0]
                if len(failures) == 1
                else AirgapError("add the members to team", self.title(place, key), "; ".join(str(error) for error in failures))
            )
        return None

    def delete(self, place: Place, key: str, found: Object) -> None:
        self.update(place, key, {"members": []}, found, frozenset({"members"}))

    def needs(self, place: Place, key: str, wanted: Object) -> frozenset[tuple[str, str]]:
        named = {("robot" if "+" in name else "user", name) for name in wanted["members"]}
        return frozenset({("team", self.title(place, key))} | named)

    def _add(self, place: Place, key: str, name: str) -> None:
        what = f"add {name} to the team {self.title(place, key)}"
        try:
            self.quay.put(at("organization", place.namespace, "team", key, "members", name), {}, what)
        except QuayError as error:
            if error.status == 400 and error.says("already a member"):
                return
            raise

    def _remove(self, place: Place, key: str, name: str) -> None:
        what = f"remove {name} from the team {self.title(place, key)}"
        try:
            self.quay.delete(at("organization", place.namespace, "team", key, "members", name), what)
        except QuayError as error:
            if error.status != 400 or not error.says("does not belong to team"):
                raise


def document(view: Mapping[str, Any]) -> dict[str, Any]:
    """A team in document form, of Quay's view."""
    return {"role": str(view.get("role") or "member"), "description": str(view.get("description") or "")}


def wish(quay: QuayClient, options: Mapping[str, Any]) -> tuple[Work, str]:
    """The work of quay_team, and the full name of the team.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    """
    given = canonical(
        options,
        (
            Field("organization", required=True, normal=namespace),
            Field("name", required=True, normal=team),
            *FIELDS,
            *MEMBER_FIELDS,
        ),
    )
    place, key = Place(given.pop("organization")), str(given.pop("name"))
    members, append = given.pop("members", None), given.pop("append", True)
    kind = TeamKind(quay)
    if options["state"] == "absent":
        return Work([Intent(kind, place, key)]), kind.title(place, key)
    intents = [Intent(kind, place, key, given)]
    if members is not None:
        intents.append(Intent(TeamMembersKind(quay), place, key, {"members": members, "append": append}))
    return Work(intents), kind.title(place, key)
