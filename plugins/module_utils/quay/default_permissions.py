# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users, robots and teams may do with the repositories that an organization will have (Quay API: default permissions)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay import names
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import MEMBERS, Intent, Kind, Object, Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.permissions import ROLES
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work

TYPES = ("user", "team", "robot")

FIELDS = (
    Field("name", required=True, description="User, team, or robot: org+robot, or only its short name with type robot."),
    Field("type", choices=TYPES, default="user", description="What the name is."),
    Field("role", choices=ROLES, description="What may be done with new repositories; a new rule has the role read."),
    Field("creator", normal=names.account, description="Only for repositories that this user or robot (org+robot) creates."),
)


class Rule(dict[str, Any]):
    """A default permission in document form, with the id and role of each rule that is about the same.

    Quay API: nothing keeps the same rule from being made twice.
    """

    def __init__(self, values: Mapping[str, Any], same: list[tuple[str, str]]) -> None:
        self.same = same
        super().__init__(values)


class DefaultPermissionKind(Kind):
    """Default permissions of an organization. The key says to whom, and whose repositories; only the role can change.

    Quay API: they are for repositories that are made later, so that they come before repositories.
    """

    name = "default_permission"
    stage = MEMBERS

    def all(self, place: Place) -> Mapping[str, Object]:
        what = f"list the default permissions of {place.namespace}"
        body = self.quay.shared(self._path(place), what)
        found: dict[str, Rule] = {}
        for view in entries(body, "prototypes", what, self.quay.name) if body is not None else ():
            values = document(view)
            key = key_of(values)
            rule = found.setdefault(key, Rule(values, []))
            rule.same.append((str(view["id"]), values["role"]))
            if "creator" in values:
                # Quay API: of several rules for one creator the last counts, of those for everybody the first
                rule["role"] = values["role"]
        return found

    def look(self, place: Place, key: str) -> Object | None:
        self.quay.forget(self._path(place))
        return self.all(place).get(key)

    def differing(self, wanted: Object, found: Object) -> frozenset[str]:
        if "role" not in wanted or all(role == wanted["role"] for _identifier, role in cast(Rule, found).same):
            return frozenset()
        return frozenset({"role"})

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        body: dict[str, Any] = {
            "role": wanted.get("role", "read"),
            "delegate": {"name": wanted["name"], "kind": wanted["type"]},
        }
        if wanted.get("creator"):
            body["activating_user"] = {"name": wanted["creator"]}
        what = f"create the default permission {self.title(place, key)}"
        try:
            self.quay.post(self._path(place), body, what)
        except QuayError as error:
            raise _explained(error, place, wanted) from error
        return None

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        what = f"change the default permission {self.title(place, key)}"
        for identifier, role in cast(Rule, found).same:
            if role != wanted["role"]:
                self.quay.put(self._path(place, identifier), {"role": wanted["role"]}, what)
        return None

    def delete(self, place: Place, key: str, found: Object) -> None:
        for identifier, _role in cast(Rule, found).same:
            self.quay.delete(self._path(place, identifier), f"delete the default permission {self.title(place, key)}")

    def title(self, place: Place, key: str) -> str:
        return f"{place.path} {key}"

    def needs(self, place: Place, key: str, wanted: Object) -> frozenset[tuple[str, str]]:
        found = {("team", f"{place.namespace}/{wanted['name']}") if wanted["type"] == "team" else _account_key(wanted["name"])}
        if wanted.get("creator"):
            found.add(_account_key(wanted["creator"]))
        return frozenset(found)

    def _path(self, place: Place, *parts: str) -> str:
        return at("organization", place.namespace, "prototypes", *parts)


def _account_key(name: str) -> tuple[str, str]:
    return ("robot" if "+" in name else "user", name)


def document(view: Mapping[str, Any]) -> dict[str, Any]:
    """A default permission in document form, of Quay's view. Robots are users there, by their full name."""
    delegate, creator = view["delegate"], view.get("activating_user")
    found = {
        "name": str(delegate["name"]),
        "type": "team" if delegate.get("kind") == "team" else "user",
        "role": str(view["role"]),
    }
    if creator:
        found["creator"] = str(creator["name"])
    return found


def key_of(values: Mapping[str, Any]) -> str:
    """What identifies a default permission: to whom it gives something, and whose repositories it is about.

    :param values: canonical, with the full name of a robot; see :func:`placed`.
    """
    return f"{values['type']} {values['name']}{', creator ' + values['creator'] if values.get('creator') else ''}"


def canonical_permission(values: Mapping[str, Any]) -> dict[str, Any]:
    """The canonical form of a default permission: robots are users, by their full name if it is given.

    :param values: with the fields of ``FIELDS``, each checked already.
    :raises ValueError: for a name that does not fit the type.
    """
    found, name = dict(values), values["name"]
    if values["type"] == "team":
        names.team(name)
    elif values["type"] == "user":
        names.account(name)
    elif names.robot(name)[0]:
        found["type"] = "user"
    return found


def placed(values: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """A default permission with the full name of a robot that was given by its short name.

    :param values: canonical, see :func:`canonical_permission`.
    :param namespace: organization that it belongs to.
    """
    if values["type"] != "robot":
        return dict(values)
    return {**values, "type": "user", "name": f"{namespace}+{values['name']}"}


def _explained(error: QuayError, place: Place, wanted: Object) -> QuayError:
    said = ""
    if error.status == 404:
        # users have none
        said = f"there is no organization {place.namespace}"
    elif error.says("unknown activating user"):
        said = f"there is no user or robot {wanted['creator']}"
    elif error.says("missing delegate", "team does not exist"):
        said = f"there is no {'team' if wanted['type'] == 'team' else 'user or robot'} {wanted['name']}"
    if not said:
        return error
    return QuayError(error.action, error.subject, said, "Create it first, or check its name.", status=error.status, code=error.code)


def wish(quay: QuayClient, options: Mapping[str, Any]) -> tuple[Work, str]:
    """The work of quay_default_permission, and what identifies the permission.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    """
    given = canonical(options, (Field("organization", required=True, normal=names.namespace), *FIELDS))
    place = Place(given.pop("organization"))
    try:
        wanted = placed(canonical_permission(given), place.namespace)
    except ValueError as error:
        raise InputError("name", str(error)) from error
    kind, key = DefaultPermissionKind(quay), key_of(wanted)
    return Work([Intent(kind, place, key, wanted if options["state"] == "present" else None)]), kind.title(place, key)
