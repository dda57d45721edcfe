# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one robot may do with the repositories of its namespace: one read for the robot instead of one for each repository."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import FORBIDDEN, SERVER_ERROR, QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import CONTENTS, Kind, Object, Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.permissions import grant, revoke
from ansible_collections.quayside.airgap.plugins.module_utils.quay.places import Places


class RobotPermissionsKind(Kind):
    """Repository -> role of a robot; the key is its short name. ``append`` in a wish keeps what is not listed."""

    name = "robot_permissions"
    stage = CONTENTS
    single_read = True

    def all(self, place: Place) -> Mapping[str, Object]:
        return {}

    def look(self, place: Place, key: str) -> Object | None:
        what = f"read the permissions of robot {self.title(place, key)}"
        base = ("organization", place.namespace) if place.namespace else ("user",)
        try:
            body = self.quay.get(at(*base, "robots", key, "permissions"), what)
        except QuayError as error:
            if error.code == FORBIDDEN:
                raise QuayError(
                    what,
                    error.subject,
                    error.said,
                    "The token needs the scopes user:admin and org:admin, both.",
                    status=error.status,
                    code=error.code,
                ) from error
            if error.status == 400:
                # Quay API: a missing robot
                return None
            raise
        found = entries(body, "permissions", what, self.quay.name)
        return {"repositories": {str(entry["repository"]["name"]): str(entry["role"]) for entry in found}}

    def complete(self, wanted: Object, found: Object | None) -> Object:
        known = found["repositories"] if found is not None and wanted.get("append", True) else {}
        return {"repositories": {**known, **wanted["repositories"]}}

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        return self.update(place, key, wanted, {"repositories": {}}, frozenset({"repositories"}))

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        there = found["repositories"]
        namespace = place.namespace or self.quay.identity().name
        failures = []
        for name, role in wanted["repositories"].items():
            if there.get(name) != role:
                try:
                    self._grant(Place(namespace, name), f"{namespace}+{key}", role)
                except AirgapError as error:
                    if error.transient:
                        raise
                    # a repository that does not exist must not keep the robot out of the others
                    failures.append(error)
        for name in there:
            if name not in wanted["repositories"]:
                revoke(self.quay, Place(namespace, name), "user", f"{namespace}+{key}")
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise AirgapError("give the robot", f"{namespace}+{key} its permissions", "; ".join(str(error) for error in failures))
        return None

    def _grant(self, repository: Place, robot: str, role: str) -> None:
        try:
            grant(self.quay, repository, "user", robot, role)
        except QuayError as error:
            if error.code == SERVER_ERROR:
                # Quay API: it fails like that where there is no such repository
                Places(self.quay).check(repository, error.action)
            raise

    def delete(self, place: Place, key: str, found: Object) -> None:
        self.update(place, key, {"repositories": {}}, found, frozenset({"repositories"}))

    def title(self, place: Place, key: str) -> str:
        return f"{place.namespace}+{key}" if place.namespace else key

    def needs(self, place: Place, key: str, wanted: Object) -> frozenset[tuple[str, str]]:
        repositories = {("repository", f"{place.namespace}/{name}") for name in wanted["repositories"]}
        return frozenset({("robot", self.title(place, key))} | repositories)
