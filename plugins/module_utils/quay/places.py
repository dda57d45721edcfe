# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the organization or repository exists that an object shall be made in.

Quay's own answers do not tell: as a superuser one gets an empty list for a missing organization, and an internal error where
something is put into a missing repository (Quay API: permissions, repositories).
"""

from __future__ import annotations

from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import Place, PlaceMissing

ALL_REPOSITORIES = "repositories of the registry"


def repositories_of(place: Place) -> str:
    """Key under which the repositories of a namespace are shared within a run, once somebody has listed them."""
    return f"{place.api} repositories"


class Places:
    """Looks places up, each once in a run."""

    def __init__(self, quay: QuayClient) -> None:
        self._quay = quay

    def check(self, place: Place, what: str) -> None:
        """:param what: what needs the place, as an infinitive. :raises PlaceMissing: when it does not exist."""
        if place.repository:
            if not self._repository(place):
                raise PlaceMissing(what, f"on {self._quay.name}", f"the repository {place.path} does not exist", "Create it first.")
        elif place.namespace and not self._namespace(place.namespace):
            reason = f"there is no organization or user {place.namespace}"
            raise PlaceMissing(what, f"on {self._quay.name}", reason, "Create the organization first, or check its name.")

    def check_organization(self, name: str, what: str) -> None:
        """As :meth:`check`, for what only organizations have."""
        if self._quay.shared(at("organization", name), f"read the organization {name}") is None:
            raise PlaceMissing(what, f"from {self._quay.name}", f"there is no organization {name}", "Check its name.")

    def _namespace(self, name: str) -> bool:
        if self._quay.shared(at("organization", name), f"read the organization {name}") is not None:
            return True
        return self._quay.shared(at("users", name), f"read the user {name}") is not None

    def _repository(self, place: Place) -> bool:
        everything = self._quay.peek(ALL_REPOSITORIES)
        listed = everything.get(place.namespace, {}) if everything is not None else self._quay.peek(repositories_of(Place(place.namespace)))
        if listed is not None:
            return place.repository in listed
        what = f"read the repository {place.path}"
        query = {"includeTags": False, "includeStats": False}
        return self._quay.shared(at("repository", place.namespace, place.repository), what, query) is not None
