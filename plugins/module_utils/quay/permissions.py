# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may do what with a repository (Quay API: permissions). Robots are users there, by their full name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import FORBIDDEN, QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import (
    CONTENTS,
    Costly,
    Kind,
    Object,
    Place,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import account

# (namespace, "user" or "team") -> names
Delegates = Mapping[tuple[str, str], frozenset[str]]

ROLES = ("read", "write", "admin")
_TYPES = ("user", "team")
_NOT_SET = "does not have permission"

PERMISSION = (
    Field("name", required=True, description="User, team, or robot: org+robot, or only its short name with type robot."),
    Field("type", choices=("user", "team", "robot"), default="user", description="What the name is."),
    Field("role", choices=ROLES, default="read", description="What may be done."),
)
LIST = Field("permissions", "list", of=Field("permission", "dict", fields=PERMISSION), description="Who may do what.")
FIELDS = (LIST, Field("append", "bool", default=True, description="False: take away all permissions that are not listed."))


class PermissionsKind(Kind):
    """All permissions of a repository together; the key is empty.

    Fields ``user`` and ``team``: name -> role. Each costs one call, which only those pay who ask for it.

    :param delegates: whose permissions in a namespace are read in place of those of each repository, see :func:`fewest_reads`.
    """

    name = "permissions"
    stage = CONTENTS
    everywhere = True

    def __init__(self, quay: QuayClient, delegates: Delegates | None = None) -> None:
        super().__init__(quay)
        self._delegates: Delegates = delegates or {}

    def all(self, place: Place) -> Mapping[str, Object]:
        return {"": Costly({}, {which: self._reader(place, which, shared=True) for which in _TYPES})}

    def look(self, place: Place, key: str) -> Object | None:
        return Costly({}, {which: self._reader(place, which, shared=False) for which in _TYPES})

    def _reader(self, place: Place, which: str, *, shared: bool) -> Any:
        names = self._delegates.get((place.namespace, which)) if shared else None
        if names:
            return lambda: self._of_delegates(place, which, names)
        return lambda: self.granted(place, which, shared=shared)

    def _of_delegates(self, place: Place, which: str, names: frozenset[str]) -> dict[str, str]:
        found = {}
        for name in sorted(names):
            roles = delegate_roles(self.quay, place.namespace, which, name)
            if roles is None:
                return self.granted(place, which)
            if place.repository in roles:
                found[name] = roles[place.repository]
        return found

    def granted(self, place: Place, which: str, *, shared: bool = True) -> dict[str, str]:
        """Name -> role of all users (robots among them) or teams.

        :param which: ``user`` or ``team``.
        """
        what = f"read the {which} permissions of repository {place.path}"
        path = at("repository", place.namespace, place.repository, "permissions", which, "")
        body = self.quay.shared(path, what) if shared else self.quay.find(path, what)
        found = body.get("permissions") if isinstance(body, dict) else {}
        if not isinstance(found, dict):
            raise ProtocolError(what, f"on {self.quay.name}", "the answer has no permissions")
        return {str(name): str(view["role"]) for name, view in found.items()}

    def complete(self, wanted: Object, found: Object | None) -> Object:
        if found is None:
            # what a new repository has already is known only when it is there
            return wanted
        full = {name: dict(value) for name, value in wanted.items() if name in _TYPES}
        if wanted.get("append", True):
            return {name: {**found[name], **value} for name, value in full.items() if value}
        return full

    def shown(self, values: Object) -> dict[str, Any]:
        return {name: value for name, value in values.items() if name in _TYPES}

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        if wanted.get("append", True):
            # granting what the default permissions gave already does no harm, and costs less than to look
            found: Object = {which: {} for which in _TYPES}
        else:
            found = self.look(place, key) or {}
        full = self.complete(wanted, found)
        return self.update(place, key, full, found, self.differing(full, found))

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        for which in sorted(changed):
            there = found[which]
            for name, role in wanted[which].items():
                if there.get(name) != role:
                    grant(self.quay, place, which, name, role)
            for name in there:
                if name not in wanted[which]:
                    revoke(self.quay, place, which, name)
        return None

    def delete(self, place: Place, key: str, found: Object) -> None:
        self.update(place, key, {which: {} for which in _TYPES}, found, frozenset(_TYPES))

    def needs(self, place: Place, key: str, wanted: Object) -> frozenset[tuple[str, str]]:
        teams = {("team", f"{place.namespace}/{name}") for name in wanted.get("team", {})}
        robots = {("robot", name) for name in wanted.get("user", {}) if "+" in name}
        return frozenset(teams | robots | {("user", name) for name in wanted.get("user", {}) if "+" not in name})


def fewest_reads(wishes: Mapping[Place, Object]) -> Delegates:
    """Where it takes fewer calls to read the permissions of a few robots or teams than those of many repositories.

    That is possible where nobody's permissions shall be taken away, and only robots of the namespace, or teams, are spoken of.

    :param wishes: for :class:`PermissionsKind`, of many repositories.
    """
    counted: dict[tuple[str, str], int] = defaultdict(int)
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    never: set[tuple[str, str]] = set()
    for place, wish in wishes.items():
        for which in _TYPES:
            given = wish.get(which)
            if given is None:
                continue
            key = (place.namespace, which)
            counted[key] += 1
            names[key].update(given)
            foreign = which == "user" and any(not name.startswith(f"{place.namespace}+") for name in given)
            if foreign or not wish.get("append", True):
                never.add(key)
    return {key: frozenset(found) for key, found in names.items() if key not in never and len(found) < counted[key]}


def delegate_roles(quay: QuayClient, namespace: str, which: str, name: str) -> Mapping[str, str] | None:
    """Repository -> role of a robot or team in its namespace, shared within the run; none where there is no such robot or team.

    :returns: None where we are not allowed to ask: for robots, a token needs user:admin beside org:admin (Quay API: scopes).
    """
    refused = f"{which} permissions are refused"
    if quay.peek(refused):
        return None
    parts = ("robots", name.partition("+")[2]) if which == "user" else ("team", name)
    path = at("organization", namespace, *parts, "permissions")
    what = f"read the permissions of {'robot' if which == 'user' else 'team'} {name}"

    def read() -> Mapping[str, str]:
        try:
            body = quay.find(path, what)
        except QuayError as error:
            if error.status != 400:
                raise
            body = None
        found = entries(body, "permissions", what, quay.name) if body is not None else []
        return {str(entry["repository"]["name"]): str(entry["role"]) for entry in found}

    try:
        roles: Mapping[str, str] = quay.once(f"{path} roles", read)
    except QuayError as error:
        if error.code != FORBIDDEN:
            raise
        quay.once(refused, lambda: True)
        return None
    return roles


def grant(quay: QuayClient, place: Place, which: str, name: str, role: str) -> None:
    """Give one user or team a role in a repository."""
    what = f"give {which} {name} the role {role} in repository {place.path}"
    quay.put(at("repository", place.namespace, place.repository, "permissions", which, name), {"role": role}, what)


def revoke(quay: QuayClient, place: Place, which: str, name: str) -> None:
    """Take the role of one user or team in a repository away; that there was none is no error."""
    what = f"take the permission of {which} {name} in repository {place.path} away"
    try:
        quay.delete(at("repository", place.namespace, place.repository, "permissions", which, name), what)
    except QuayError as error:
        if error.status != 400 or not error.says(_NOT_SET):
            raise


def granted(permissions: Sequence[Mapping[str, Any]], namespace: str, *, append: bool) -> dict[str, Any]:
    """The wish for :class:`PermissionsKind`, of a list as users write it.

    :param permissions: canonical, see ``PERMISSION``.
    :param namespace: of the repository; short names of robots lie in it.
    :raises ValueError: for a name that is given twice with different roles.
    """
    found: dict[str, Any] = {"user": {}, "team": {}, "append": append}
    for entry in permissions:
        which, name = str(entry["type"]), str(entry["name"])
        if which == "robot":
            which, name = "user", name if "+" in name else f"{namespace}+{name}"
        if which == "user":
            name = account(name)
        if found[which].setdefault(name, entry["role"]) != entry["role"]:
            raise ValueError(f"{which} {name} is given two roles: {found[which][name]} and {entry['role']}")
    if append:
        return {name: value for name, value in found.items() if value or name == "append"}
    return found


def listed(found: Mapping[str, Mapping[str, str]]) -> list[dict[str, str]]:
    """Permissions as a list in a fixed order, as documents have them."""
    return [{"name": name, "type": which, "role": role} for which in _TYPES for name, role in sorted(found.get(which, {}).items())]
