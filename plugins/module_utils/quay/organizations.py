# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Organizations (Quay API: /organization/)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import FORBIDDEN, QuayError, superusers_only
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import (
    ORGANIZATION,
    Kind,
    Object,
    Place,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.values import period, seconds

# From so many organizations on, the list of all of them is cheaper than asking for those that may not be there
_WORTH_LISTING = 3
_ALL = "organizations of the registry"

FIELDS = (
    Field("email", description="Contact address; an empty text removes it."),
    Field("time_machine_expiration", normal=period, description="How long deleted tags can be restored: 2w, 1d, or seconds."),
    Field("invoice_email", "bool", description="Whether invoices are sent by e-mail."),
    Field("invoice_email_address", description="Where invoices are sent to."),
)


class OrganizationKind(Kind):
    """Organizations of the registry; the key is the name."""

    name = "organization"
    stage = ORGANIZATION
    lazy = True
    single_read = True

    def prepare(self, places: Mapping[Place, Sequence[str]]) -> None:
        keys = [key for keys in places.values() for key in keys]
        if len(keys) > _WORTH_LISTING and self.quay.identity().superuser:
            try:
                self.names()
            except QuayError as error:
                # a token without the scope super:user: then each organization is asked for
                if error.code != FORBIDDEN:
                    raise

    def all(self, place: Place) -> Mapping[str, Object]:
        """Every organization, if we are a superuser.

        Each is read when it is asked for: the list of all of them has neither teams nor tag expiration (Quay API: superuser).
        """
        return Organizations(self)

    def look(self, place: Place, key: str) -> Object | None:
        self.quay.forget(at("organization", key))
        return self.read(key)

    def read(self, key: str) -> Object | None:
        """One organization, shared within the run."""
        found = organization(self.quay, key)
        return None if found is None else document(found)

    def names(self) -> frozenset[str]:
        """Names of all organizations; needs a superuser.

        :raises QuayError: for others.
        """
        found: frozenset[str] = self.quay.once(_ALL, self._names)
        return found

    def known_missing(self, key: str) -> bool:
        """Whether the list of all organizations was read and does not have this one."""
        listed = self.quay.peek(_ALL)
        return listed is not None and key not in listed

    def _names(self) -> frozenset[str]:
        what = "list all organizations"
        with superusers_only(self.quay.name, what):
            body = self.quay.get(at("superuser", "organizations", ""), what)
        return frozenset(str(entry["name"]) for entry in entries(body, "organizations", what, self.quay.name))

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        body = {"name": key}
        if wanted.get("email"):
            body["email"] = wanted["email"]
        self.quay.post(at("organization", ""), body, f"create the organization {key}")
        # an organization is created with a name and an address; everything else is an update
        rest = frozenset(wanted) - {"email"}
        if rest:
            self.update(place, key, wanted, {}, rest)
        return None

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        body = {name: wanted[name] for name in changed if name != "time_machine_expiration"}
        if "time_machine_expiration" in changed:
            body["tag_expiration_s"] = seconds(wanted["time_machine_expiration"])
        if body.get("invoice_email_address") == "":
            body["invoice_email_address"] = None
        self.quay.put(at("organization", key), body, f"update the organization {key}")
        return None

    def delete(self, place: Place, key: str, found: Object) -> None:
        self.quay.delete(at("organization", key), f"delete the organization {key}")

    def rename(self, place: Place, old: str, new: str) -> None:
        self.quay.put(at("superuser", "organizations", old), {"name": new}, f"rename the organization {old} to {new}")
        self.quay.forget(at("organization", old))
        self.quay.forget(at("organization", new))

    def check(self, place: Place, key: str, wanted: Object) -> None:
        """Quay takes only periods that its configuration lists, and says so without naming them."""
        value = wanted.get("time_machine_expiration")
        options = self.quay.capabilities.setting("TAG_EXPIRATION_OPTIONS") if value else None
        if isinstance(options, list) and value not in {period(entry) for entry in options}:
            raise InputError(
                "time_machine_expiration",
                f"this Quay does not allow {value}, only {', '.join(map(str, options))}",
                "Choose one of these, or add it to TAG_EXPIRATION_OPTIONS in its config.yaml.",
            )


class Organizations(Mapping[str, Object]):
    """The organizations of a registry by name, each read when it is asked for."""

    def __init__(self, kind: OrganizationKind) -> None:
        self._kind = kind

    def __getitem__(self, key: str) -> Object:
        found = None if self._kind.known_missing(key) else self._kind.read(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Any:
        return iter(sorted(self._kind.names()))

    def __len__(self) -> int:
        return len(self._kind.names())


def organization(quay: QuayClient, name: str) -> Mapping[str, Any] | None:
    """Quay's view of an organization, with its teams and quotas; None where there is none. Shared within the run.

    Everybody, with a bad token too, gets a short view (Quay API: authentication): only the administrator's view is an answer.

    :raises AirgapError: when we are not allowed to see it whole.
    """
    what = f"read the organization {name}"
    found: Mapping[str, Any] | None = quay.shared(at("organization", name), what)
    if found is not None and not found.get("is_admin"):
        quay.deny_anonymous()
        who = quay.identity().name or "the token's user"
        raise AirgapError(
            what,
            f"on {quay.name}",
            f"{who} is no administrator of it, or the token lacks the scope org:admin",
            "Use a token of one of its owners with that scope, or of a superuser where FEATURE_SUPERUSERS_FULL_ACCESS is on.",
        )
    return found


def document(view: Mapping[str, Any]) -> dict[str, Any]:
    """An organization in document form, of Quay's view."""
    email = str(view.get("email") or "")
    found: dict[str, Any] = {
        # where none was given, older versions show a random UUID
        "email": email if "@" in email else "",
        "invoice_email": bool(view.get("invoice_email", False)),
        "invoice_email_address": str(view.get("invoice_email_address") or ""),
    }
    if view.get("tag_expiration_s") is not None:
        found["time_machine_expiration"] = period(view["tag_expiration_s"])
    return found
