# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Robot accounts of organizations and of the user who asks (Quay API: robots)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import (
    ACCOUNTS,
    Costly,
    Kind,
    Object,
    Place,
)

_MISSING = "could not find robot"
_NO_ORGANIZATION = "organization does not exist"
_USED = "being used by a mirror"

FEDERATION = (
    Field("issuer", required=True, description="URL of the identity provider."),
    Field("subject", required=True, description="Subject in its tokens."),
)
FIELDS = (
    Field("description", description="What it is for; Quay cannot change it later."),
    Field(
        "federations",
        "list",
        of=Field("federation", "dict", fields=FEDERATION),
        description="Identities of other providers that may log in as this robot (Quay 3.13 and later).",
    ),
    Field("append", "bool", description="Add to the federations that are there instead of replacing them."),
)
# Quay API: route and the first version that has it, for robots of organizations and of users
_FEDERATION = ("/api/v1/organization/{orgname}/robots/{robot_shortname}/federation", "3.13")
_USER_FEDERATION = ("/api/v1/user/robots/{robot_shortname}/federation", "3.18")


class RobotKind(Kind):
    """Robots; the key is the short name. Place() is the user who asks, a namespace an organization."""

    name = "robot"
    stage = ACCOUNTS
    single_read = True

    def all(self, place: Place) -> Mapping[str, Object]:
        what = f"list the robots of {place.namespace or 'the user'}"
        body = self.quay.shared(self._path(place), what, {"permissions": False, "token": False})
        found = entries(body, "robots", what, self.quay.name)
        return Robots(self, place, {str(robot["name"]).rpartition("+")[2]: robot for robot in found})

    def look(self, place: Place, key: str) -> Object | None:
        view = self.view(place, key)
        return None if view is None else self.document(place, key, view)

    def view(self, place: Place, key: str) -> Mapping[str, Any] | None:
        """Quay's view of one robot afresh, with its token; None where there is none.

        :raises InputError: when the namespace is a user's, which Quay's API reaches in another way.
        """
        try:
            found: Mapping[str, Any] = self.quay.get(self._path(place, key), f"read the robot {self.title(place, key)}")
        except QuayError as error:
            if error.says(_NO_ORGANIZATION):
                self._refuse_user(place, key)
            # Quay API: a missing robot, or a missing organization, is a 400 with a message
            if error.status == 404 or (error.status == 400 and error.says(_MISSING, "does not exist", "invalid")):
                return None
            raise
        return found

    def _refuse_user(self, place: Place, key: str) -> None:
        if self.quay.shared(at("users", place.namespace), f"read the user {place.namespace}") is not None:
            hint = f"Name the robot {key} with a token of {place.namespace}: Quay lets only users themselves manage their robots."
            raise InputError("name", f"{place.namespace} is a user, not an organization", hint)

    def document(self, place: Place, key: str, view: Mapping[str, Any]) -> Object:
        """A robot in document form; its federations are read only where they are asked for."""
        return Costly({"description": str(view.get("description") or "")}, {"federations": lambda: self.federations(place, key)})

    def federations(self, place: Place, key: str) -> list[dict[str, str]]:
        """Its federated identities, sorted; none where this Quay does not have them."""
        if not self._can_federate(place):
            return []
        found = self.quay.get(self._path(place, key, "federation"), f"read the federations of robot {self.title(place, key)}")
        return sorted_identities(found or [])

    def check(self, place: Place, key: str, wanted: Object) -> None:
        """Federated identities that this Quay does not have keep a robot from being made without them."""
        if wanted.get("federations"):
            route, since = self._federation(place)
            self.quay.capabilities.need(route, "", f"set the federations of robot {self.title(place, key)}", since)

    def complete(self, wanted: Object, found: Object | None) -> Object:
        full = {name: value for name, value in wanted.items() if name != "append"}
        if "federations" in full:
            known = found["federations"] if found is not None and wanted.get("append") else []
            full["federations"] = sorted_identities([*known, *full["federations"]])
        return full

    def differing(self, wanted: Object, found: Object) -> frozenset[str]:
        # the description is fixed when it is created; see warnings
        return super().differing({name: value for name, value in wanted.items() if name != "description"}, found)

    def warnings(self, place: Place, key: str, wanted: Object, found: Object) -> list[str]:
        if "description" in wanted and wanted["description"] != found["description"]:
            return [
                f"The description of robot {self.title(place, key)} is '{found['description']}'. Quay cannot change it: delete the "
                "robot and create it again, which gives it another token."
            ]
        return []

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        body = {"description": wanted["description"]} if wanted.get("description") else {}
        title = self.title(place, key)
        created = self.quay.put(self._path(place, key), body, f"create the robot {title}")
        if wanted.get("federations"):
            self._federate(place, key, wanted["federations"])
        return {"name": created.get("name", title), "token": created.get("token")}

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        self._federate(place, key, wanted["federations"])
        return None

    def delete(self, place: Place, key: str, found: Object) -> None:
        title = self.title(place, key)
        try:
            self.quay.delete(self._path(place, key), f"delete the robot {title}")
        except QuayError as error:
            if error.status == 400 and error.says(_MISSING):
                return
            if error.says(_USED):
                raise QuayError(
                    error.action,
                    error.subject,
                    error.said,
                    "Give the mirror of the repository another robot first.",
                    status=error.status,
                    code=error.code,
                ) from error
            raise

    def regenerate(self, place: Place, key: str) -> str:
        """Give the robot a new token and return it. The old one is dead at once."""
        what = f"give the robot {self.title(place, key)} a new token"
        found = self.quay.post(self._path(place, key, "regenerate"), {}, what)
        return str(found["token"])

    def title(self, place: Place, key: str) -> str:
        return f"{place.namespace}+{key}" if place.namespace else key

    def _federate(self, place: Place, key: str, identities: list[dict[str, str]]) -> None:
        what = f"set the federations of robot {self.title(place, key)}"
        self.quay.post(self._path(place, key, "federation"), identities, what)

    def _can_federate(self, place: Place) -> bool:
        return self.quay.capabilities.has_route(self._federation(place)[0])

    def _federation(self, place: Place) -> tuple[str, str]:
        return _FEDERATION if place.namespace else _USER_FEDERATION

    def _path(self, place: Place, *parts: str) -> str:
        return at("organization", place.namespace, "robots", *parts) if place.namespace else at("user", "robots", *parts)


class Robots(Mapping[str, Object]):
    """The robots of a place by short name."""

    def __init__(self, kind: RobotKind, place: Place, views: Mapping[str, Mapping[str, Any]]) -> None:
        self._kind = kind
        self._place = place
        self._views = views

    def __getitem__(self, key: str) -> Object:
        return self._kind.document(self._place, key, self._views[key])

    def __iter__(self) -> Any:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)


def sorted_identities(identities: Any) -> list[dict[str, str]]:
    """Federated identities without repetition, in a fixed order: Quay keeps a set."""
    pairs = {(str(entry["issuer"]), str(entry["subject"])) for entry in identities}
    return [{"issuer": issuer, "subject": subject} for issuer, subject in sorted(pairs)]
