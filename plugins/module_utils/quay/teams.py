# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Teams of organizations and their members (Quay API: teams)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.capabilities import NotOfferedError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import FORBIDDEN, QuayError
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
# Quay API: how a directory names a group, and the AUTHENTICATION_TYPE that it belongs to
GROUPS = {"group_dn": "LDAP", "group_name": "OIDC", "group_id": "Keystone"}

_SYNC_ROUTE = "/api/v1/organization/{orgname}/team/{teamname}/syncing"
_SYNCED = "auth-synced team"


def _filled(value: Any) -> str:
    text = str(value).strip()
    if not text:
        raise ValueError("it is empty; leave it away, or name a group")
    return text


SYNC = (
    Field("sync", "bool", description="Whether its members are those of a group of the directory; a group alone says so too."),
    Field("group_dn", normal=_filled, description="Group in LDAP, without the base DN of Quay's configuration."),
    Field("group_name", normal=_filled, description="Group of the OIDC provider."),
    Field("group_id", normal=_filled, description="Group in Keystone."),
)
FIELDS = (
    Field("role", choices=ROLES, description="What members may do in the organization; a new team has the role member."),
    Field("description", description="What it is for, in Markdown."),
    *SYNC,
)
MEMBER_FIELDS = (
    Field("members", "list", of=Field("member", normal=account), description="Users, and robots by their full name."),
    Field("append", "bool", description="False: remove members that are not listed."),
)


def canonical_team(values: Mapping[str, Any]) -> dict[str, Any]:
    """The canonical form of a team's own fields together: a group says that the team is synchronized.

    :raises ValueError: for fields that contradict each other.
    """
    groups = [name for name in GROUPS if values.get(name)]
    if len(groups) > 1:
        raise ValueError(f"{' and '.join(groups)} are given together; a team has one group, and a Quay one directory")
    if groups and values.get("sync") is False:
        raise ValueError(f"sync is false, but {groups[0]} names a group")
    return {**values, "sync": True} if groups else dict(values)


def entry_of(key: str, values: Object) -> dict[str, Any]:
    """The entry of a team in a document: what it does not say of a directory needs no word."""
    return {"name": key, **{name: value for name, value in values.items() if name != "sync" or value}}


def check_members(values: Mapping[str, Any]) -> None:
    """Make sure that nobody but robots shall be put into a team that the directory fills.

    :param values: canonical, see :func:`canonical_team`, with ``members`` where they are given.
    :raises ValueError: with the names of those who are not robots.
    """
    if values.get("sync"):
        _refuse_people(values.get("members") or ())


def _refuse_people(names: Iterable[str]) -> None:
    people = [name for name in names if "+" not in name]
    if people:
        raise ValueError(f"{', '.join(people)} cannot be listed: only the directory adds people to a synchronized team; robots can be")


class TeamKind(Kind):
    """Teams of an organization; the key is the name. They come with the organization itself, for no call of their own.

    Only the group of a synchronized team costs a call: the one for its members.
    """

    name = "team"
    stage = ACCOUNTS

    def all(self, place: Place) -> Mapping[str, Object]:
        found = organization(self.quay, place.namespace) or {}
        return {str(name): self._document(place, str(name), view) for name, view in (found.get("teams") or {}).items()}

    def _document(self, place: Place, key: str, view: Mapping[str, Any]) -> Object:
        values = document(view)
        return Costly(values, {name: self._group(place, key, name) for name in GROUPS}) if values["sync"] else values

    def _group(self, place: Place, key: str, name: str) -> Callable[[], Any]:
        """Reads how the directory names the group of a team; None where it has no such name, or Quay does not tell us.

        Quay API: only superusers are told, unless FEATURE_NONSUPERUSER_TEAM_SYNCING_SETUP is on.
        """
        return lambda: ((member_view(self.quay, place, key).get("synced") or {}).get("config") or {}).get(name)

    def known(self, place: Place, key: str) -> Object | None:
        """A team as it was read in this run; None where its organization was not, because that will be new."""
        return None if self.quay.peek(at("organization", place.namespace)) is None else self.all(place).get(key)

    def protected(self, place: Place, key: str, found: Object) -> bool:
        # every organization has it, and without it nobody could manage the organization
        return key == OWNERS

    def check(self, place: Place, key: str, wanted: Object) -> None:
        """Whether this Quay can fill a team from the group that is wanted; one that does so already can."""
        if not wanted.get("sync"):
            return
        found = self.known(place, key) or {}
        groups = [name for name in GROUPS if wanted.get(name)]
        if found.get("sync") and all(found.get(name) == wanted[name] for name in groups):
            return
        what = f"synchronize the team {self.title(place, key)}"
        if not groups:
            raise InputError("sync", "no group is given", "Give group_dn with LDAP, group_name with OIDC, or group_id with Keystone.")
        self.quay.capabilities.need(_SYNC_ROUTE, "TEAM_SYNCING", what)
        directory = self.quay.capabilities.setting("AUTHENTICATION_TYPE")
        if directory and directory != GROUPS[groups[0]]:
            fitting = next((name for name, service in GROUPS.items() if service == directory), "")
            hint = f"Give {fitting} instead." if fitting else "Teams can be synchronized where users come from LDAP, OIDC or Keystone."
            reason = f"{groups[0]} belongs to {GROUPS[groups[0]]}, but AUTHENTICATION_TYPE of this Quay is {directory}"
            raise NotOfferedError(what, f"on {self.quay.name}", reason, hint)

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        plain = {name: wanted[name] for name in ("role", "description") if name in wanted}
        self._put(place, key, {"role": "member", **plain})
        if wanted.get("sync"):
            self._sync(place, key, wanted)
        return None

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        plain = changed & {"role", "description"}
        if plain:
            # the role must be in every call
            self._put(place, key, {"role": found["role"], **{name: wanted[name] for name in plain}})
        if changed - plain:
            if found["sync"]:
                # Quay API: there is no other way to another group
                self._unsync(place, key)
            if wanted["sync"]:
                self._sync(place, key, wanted)
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

    def _sync(self, place: Place, key: str, wanted: Object) -> None:
        group = {name: wanted[name] for name in GROUPS if wanted.get(name)}
        what = f"synchronize the team {self.title(place, key)}"
        try:
            self.quay.post(at("organization", place.namespace, "team", key, "syncing"), group, what)
        except QuayError as error:
            raise _explained(error) from error

    def _unsync(self, place: Place, key: str) -> None:
        what = f"end the synchronization of team {self.title(place, key)}"
        try:
            self.quay.delete(at("organization", place.namespace, "team", key, "syncing"), what)
        except QuayError as error:
            raise _explained(error) from error


class TeamMembersKind(Kind):
    """The members of a team together; the key is the team's name. They cost one call for each team.

    A change may give a ``warning``.

    In a team that is filled from a directory only the robots are ours. ``sync`` in a wish says what will be true of the team when
    its members are changed; without it, what is true now counts.
    """

    name = "team_members"
    stage = MEMBERS

    def all(self, place: Place) -> Mapping[str, Object]:
        teams = TeamKind(self.quay).all(place)
        return {name: Costly({"sync": values["sync"]}, {"members": self._reader(place, name)}) for name, values in teams.items()}

    def _reader(self, place: Place, key: str) -> Callable[[], list[str]]:
        return lambda: self._everybody(place, key)

    def members(self, place: Place, key: str) -> list[str]:
        """Names of those who belong to a team because somebody put them there, in a fixed order: of a synchronized team the robots.

        Those who are invited count too. Shared within the run.
        """
        synced = "synced" in member_view(self.quay, place, key)
        return [name for name in self._everybody(place, key) if "+" in name or not synced]

    def _everybody(self, place: Place, key: str) -> list[str]:
        view = member_view(self.quay, place, key)
        found = entries(view, "members", f"list the members of team {self.title(place, key)}", self.quay.name) if view else []
        # one who is invited by e-mail has no name yet
        return sorted(str(member["name"]) for member in found if "name" in member)

    def check(self, place: Place, key: str, wanted: Object) -> None:
        there = TeamKind(self.quay).known(place, key)
        if wanted.get("sync", there is not None and there["sync"]):
            known = self._everybody(place, key) if there is not None else ()
            try:
                _refuse_people(name for name in wanted["members"] if name not in known)
            except ValueError as error:
                raise InputError(f"members of team {self.title(place, key)}", str(error)) from error

    def complete(self, wanted: Object, found: Object | None) -> Object:
        if found is None:
            return {"members": sorted(set(wanted["members"]))}
        known = found["members"]
        if not wanted.get("append", True):
            known = [name for name in known if "+" not in name] if wanted.get("sync", found["sync"]) else []
        return {"members": sorted({*known, *wanted["members"]})}

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        return self.update(place, key, wanted, {"members": []}, frozenset({"members"}))

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        there = found["members"]
        failures, unsent = [], []
        for name in wanted["members"]:
            if name not in there:
                try:
                    self._add(place, key, name)
                except QuayError as error:
                    if error.transient:
                        raise
                    if error.says("could not send email"):
                        # Quay API: the invitation is stored before it is sent
                        unsent.append(name)
                    else:
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
        if unsent:
            names = ", ".join(unsent)
            return {"warning": f"Quay has invited {names} to the team {self.title(place, key)}, but could not send the letter about it."}
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
            raise _explained(error) from error

    def _remove(self, place: Place, key: str, name: str) -> None:
        what = f"remove {name} from the team {self.title(place, key)}"
        try:
            self.quay.delete(at("organization", place.namespace, "team", key, "members", name), what)
        except QuayError as error:
            if error.status != 400 or not error.says("does not belong to team"):
                raise


def document(view: Mapping[str, Any]) -> dict[str, Any]:
    """A team in document form, of Quay's view in its organization."""
    return {
        "role": str(view.get("role") or "member"),
        "description": str(view.get("description") or ""),
        "sync": bool(view.get("is_synced", False)),
    }


def member_view(quay: QuayClient, place: Place, key: str) -> Mapping[str, Any]:
    """Quay's view of the members of a team and of its directory group, shared within the run; empty where there is no team."""
    path = at("organization", place.namespace, "team", key, "members")
    what = f"list the members of team {place.namespace}/{key}"
    found: Mapping[str, Any] | None = quay.shared(path, what, {"includePending": True})
    return found or {}


def _explained(error: QuayError) -> QuayError:
    hint = ""
    if error.status == 404 and error.action.startswith("add "):
        return QuayError(error.action, error.subject, "there is no such team", "Create it first.", status=404, code=error.code)
    if error.says(_SYNCED):
        hint = "Its people come from the directory: add them to the group there, or set sync: false."
    elif error.says("could not sync to group"):
        hint = "Quay looks the group up. An LDAP group_dn is written without LDAP_BASE_DN, and the group must have members."
    elif error.code == FORBIDDEN and error.action.startswith(("synchronize", "end the synchronization")):
        hint = (
            "It takes the token of a superuser with the scopes super:user and org:admin, or FEATURE_NONSUPERUSER_TEAM_SYNCING_SETUP: true "
            "in Quay's config.yaml."
        )
    return QuayError(error.action, error.subject, error.said, hint, status=error.status, code=error.code) if hint else error


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
    kind = TeamKind(quay)
    if options["state"] == "absent":
        return Work([Intent(kind, place, key)]), kind.title(place, key)
    members, append = given.pop("members", None), given.pop("append", True)
    try:
        given = canonical_team(given)
        check_members({**given, "members": members})
    except ValueError as error:
        raise InputError("the options of the team", str(error)) from error
    intents = [Intent(kind, place, key, given)]
    if members is not None:
        wanted = {"members": members, "append": append}
        intents.append(Intent(TeamMembersKind(quay), place, key, {**wanted, "sync": given["sync"]} if "sync" in given else wanted))
    return Work(intents), kind.title(place, key)
