# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repositories: visibility, description, state (Quay API: repositories)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import (
    CONTENTS,
    REPOSITORIES,
    Intent,
    Kind,
    Object,
    Place,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import full_repository
from ansible_collections.quayside.airgap.plugins.module_utils.quay.permissions import FIELDS as PERMISSIONS
from ansible_collections.quayside.airgap.plugins.module_utils.quay.permissions import PermissionsKind, granted
from ansible_collections.quayside.airgap.plugins.module_utils.quay.places import ALL_REPOSITORIES, repositories_of
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work

# From so many namespaces on, one list of everything is cheaper than a list of each
_WORTH_LISTING = 8
_PAGE = 100
_STATE_ROUTE = "/api/v1/repository/{repository}/changestate"
_SETTABLE = ("NORMAL", "READ_ONLY", "MIRROR")

FIELDS = (
    Field("visibility", choices=("public", "private"), description="Who may pull. New repositories are private."),
    Field("description", description="What it is for, in Markdown."),
    Field("repo_state", choices=_SETTABLE, description="READ_ONLY refuses pushes, MIRROR takes them from its mirror only."),
)


class RepositoryKind(Kind):
    """Repositories of a namespace; the key is the name below it."""

    name = "repository"
    stage = REPOSITORIES
    single_read = True

    def prepare(self, places: Mapping[Place, Sequence[str]]) -> None:
        """One list of all repositories instead of one for each namespace, where the caller sees all of them there."""
        if len(places) < _WORTH_LISTING or not self.quay.identity().superuser:
            return
        if self.quay.capabilities.feature("SUPERUSERS_FULL_ACCESS"):
            # a registry may hold far more than is asked for: then a list for each namespace is cheaper after all
            self.quay.once(ALL_REPOSITORIES, lambda: self._everything(len(places)))

    def _everything(self, most_pages: int) -> Mapping[str, Mapping[str, Object]] | None:
        found: dict[str, dict[str, Object]] = {}
        for number, entry in enumerate(self._entries({"public": True})):
            if number >= most_pages * _PAGE:
                return None
            found.setdefault(str(entry["namespace"]), {})[str(entry["name"])] = document(entry)
        return found

    def all(self, place: Place) -> Mapping[str, Object]:
        everything = self.quay.peek(ALL_REPOSITORIES)
        if everything is not None:
            found: Mapping[str, Object] = everything.get(place.namespace, {})
            return found
        listed: Mapping[str, Object] = self.quay.once(repositories_of(place), lambda: self._of(place))
        return listed

    def _of(self, place: Place) -> Mapping[str, Object]:
        # nobody is refused a list: a bad token gets the public ones
        self.quay.deny_anonymous()
        query = {"namespace": place.namespace, "public": True}
        return {str(entry["name"]): document(entry) for entry in self._entries(query) if entry.get("namespace") == place.namespace}

    def _entries(self, query: Mapping[str, Any]) -> Any:
        return self.quay.pages(
            at("repository"), f"list the repositories of {query.get('namespace', 'all namespaces')}", "repositories", query
        )

    def look(self, place: Place, key: str) -> Object | None:
        view = self.view(place, key)
        return None if view is None else document(view)

    def view(self, place: Place, key: str) -> Mapping[str, Any] | None:
        """Quay's view of one repository afresh; None where there is none."""
        what = f"read the repository {self.title(place, key)}"
        path = at("repository", place.namespace, key)
        found: Mapping[str, Any] | None = self.quay.find(path, what, {"includeTags": False, "includeStats": False})
        if found is not None and not found.get("can_admin"):
            self.quay.deny_anonymous()
        return found

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        body = {
            "namespace": place.namespace,
            "repository": key,
            "visibility": wanted.get("visibility", "private"),
            "description": wanted.get("description", ""),
            "repo_kind": "image",
        }
        self.quay.post(at("repository"), body, f"create the repository {self.title(place, key)}")
        if wanted.get("repo_state", "NORMAL") != "NORMAL":
            self._set_state(place, key, wanted["repo_state"])
        return None

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        path = at("repository", place.namespace, key)
        title = self.title(place, key)
        if "description" in changed:
            self.quay.put(path, {"description": wanted["description"]}, f"describe the repository {title}")
        if "visibility" in changed:
            body = {"visibility": wanted["visibility"]}
            self.quay.post(f"{path}/changevisibility", body, f"make the repository {title} {wanted['visibility']}")
        if "repo_state" in changed:
            self._set_state(place, key, wanted["repo_state"])
        return None

    def delete(self, place: Place, key: str, found: Object) -> None:
        self.quay.delete(at("repository", place.namespace, key), f"delete the repository {self.title(place, key)}")

    def _set_state(self, place: Place, key: str, state: str) -> None:
        what = f"set the state of the repository {self.title(place, key)} to {state}"
        # without the feature, Quay would take .../changestate for a repository of that name
        self.quay.capabilities.need(_STATE_ROUTE, "REPO_MIRROR", what)
        self.quay.put(f"{at('repository', place.namespace, key)}/changestate", {"state": state}, what)


def document(view: Mapping[str, Any]) -> dict[str, Any]:
    """A repository in document form, of Quay's view or of an entry in its lists."""
    return {
        "visibility": "public" if view.get("is_public") else "private",
        "description": str(view.get("description") or ""),
        "repo_state": str(view.get("state") or "NORMAL"),
    }


class StarKind(Kind):
    """Whether the user who asks has starred a repository; the place is the repository, the key is empty."""

    name = "star"
    stage = CONTENTS

    def all(self, place: Place) -> Mapping[str, Object]:
        found = self.look(place, "")
        return {} if found is None else {"": found}

    def look(self, place: Place, key: str) -> Object | None:
        view = RepositoryKind(self.quay).view(Place(place.namespace), place.repository)
        return {} if view is not None and view.get("is_starred") else None

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        body = {"namespace": place.namespace, "repository": place.repository}
        self.quay.post(at("user", "starred"), body, f"star the repository {place.path}")
        return None

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        return None

    def delete(self, place: Place, key: str, found: Object) -> None:
        self.quay.delete(at("user", "starred", place.namespace, place.repository), f"remove the star of {place.path}")


def wish(quay: QuayClient, options: Mapping[str, Any]) -> tuple[Work, str]:
    """The work of quay_repository, and the full name of the repository.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    """
    given = canonical(options, (Field("name", required=True), Field("star", "bool"), *FIELDS, *PERMISSIONS))
    namespace, repository = named(quay, str(given.pop("name")))
    place = Place(namespace, repository)
    permissions, append, star = given.pop("permissions", None), given.pop("append", True), given.pop("star", None)
    if options["state"] == "absent":
        return Work([Intent(RepositoryKind(quay), Place(namespace), repository)]), place.path
    intents = [Intent(RepositoryKind(quay), Place(namespace), repository, given)]
    if permissions is not None:
        try:
            grants = granted(permissions, namespace, append=append)
        except ValueError as error:
            raise InputError("permissions", str(error)) from error
        intents.append(Intent(PermissionsKind(quay), place, "", grants))
    if star is not None:
        intents.append(Intent(StarKind(quay), place, "", {} if star else None))
    return Work(intents), place.path


def named(quay: QuayClient, name: str, option: str = "name") -> tuple[str, str]:
    """Namespace and name of a repository as the user names it; without a namespace it is the one of the user who asks.

    :raises InputError: for a name that Quay refuses.
    """
    if "/" not in name:
        owner = quay.identity().name
        if not owner:
            reason = f"'{name}' has no namespace, and the token may not tell whose it is"
            raise InputError(option, reason, f"Write it as namespace/{name}.")
        name = f"{owner}/{name}"
    try:
        return full_repository(name)
    except ValueError as error:
        raise InputError(option, str(error)) from error
