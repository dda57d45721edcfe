# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Storage quotas of organizations and users (Quay API: quotas)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import FORBIDDEN, QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import ACCOUNTS, Intent, Kind, Object, Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import namespace, user
from ansible_collections.quayside.airgap.plugins.module_utils.quay.organizations import organization
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work
from ansible_collections.quayside.airgap.plugins.module_utils.quay.values import size, size_text

_FEATURE = "QUOTA_MANAGEMENT"
_ROUTE = "/api/v1/organization/{orgname}/quota"
_USER_ROUTE = "/api/v1/superuser/users/{namespace}/quota"
_MOST_BYTES = (1 << 63) - 1
_TYPES = {"warning_pct": "Warning", "reject_pct": "Reject"}
_LIMITS_HINT = "Quay lets only superusers with FEATURE_SUPERUSERS_FULL_ACCESS: true in its config.yaml set limits; else leave {} away."


def limit(value: Any) -> str:
    """The canonical text of a quota: ``10GiB``.

    :raises ValueError: for what Quay takes for no quota.
    """
    number = size(value)
    if not 0 < number <= _MOST_BYTES:
        raise ValueError(f"'{value}' is no quota; it must be at least one byte and less than 8 EiB")
    return size_text(number)


def percent(value: Any) -> int:
    """A threshold in percent of the quota; 0 for none.

    :raises ValueError: for other numbers.
    """
    if not 0 <= value <= 100:
        raise ValueError(f"{value} is no percentage; write 1 to 100, or 0 for no limit")
    return int(value)


QUOTA = Field("quota", normal=limit, description="How much may be stored: 10GiB, 500MB, or bytes.")
FIELDS = (
    QUOTA,
    Field("warning_pct", "int", normal=percent, description="Percent of the quota from which on owners are told; 0 for never."),
    Field("reject_pct", "int", normal=percent, description="Percent of the quota from which on pushes are refused; 0 for never."),
)


class Quota(dict[str, Any]):
    """A quota in document form, with what Quay knows it by.

    :ivar number: Quay's id of it.
    :ivar limits: type, percent and id of its limits; there may be several of a type.
    """

    def __init__(self, view: Mapping[str, Any]) -> None:
        self.number = str(view["id"])
        self.limits = [(str(entry["type"]), int(entry["limit_percent"]), str(entry["id"])) for entry in view.get("limits") or ()]
        super().__init__(quota=size_text(view["limit_bytes"]))
        for name, kind in _TYPES.items():
            # the lowest of several is the one that works
            self[name] = min((number for found, number, _id in self.limits if found == kind), default=0)

    def of(self, kind: str) -> list[tuple[int, str]]:
        """Percent and id of all limits of a type."""
        return sorted((number, id_) for found, number, id_ in self.limits if found == kind)


class QuotaKind(Kind):
    """The quota of an organization; the key is empty. Read with the organization, so that an unchanged one costs nothing more."""

    name = "quota"
    stage = ACCOUNTS

    def all(self, place: Place) -> Mapping[str, Object]:
        return _only(self._views(place))

    def look(self, place: Place, key: str) -> Object | None:
        self.quay.forget(place.api)
        self.quay.forget(_superuser_path(place))
        return self.all(place).get(key)

    def _views(self, place: Place) -> Sequence[Mapping[str, Any]]:
        view = self.quay.shared(at("organization", place.namespace), f"read the organization {place.namespace}")
        if view is None:
            return ()
        if not view.get("is_admin") and self.quay.identity().superuser:
            # a superuser without full access sees an organization from outside, but its quota whole
            what = f"read the quota of {place.namespace}"
            return self.quay.shared(_superuser_path(place), what) or ()
        found = (organization(self.quay, place.namespace) or {}).get("quotas")
        return found if isinstance(found, list) else ()

    def differing(self, wanted: Object, found: Object) -> frozenset[str]:
        changed = super().differing(wanted, found)
        there = cast(Quota, found)
        return changed | {name for name, kind in _TYPES.items() if name in wanted and len(there.of(kind)) > 1}

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        what = f"create the quota of {place.namespace}"
        if "quota" not in wanted:
            raise InputError("quota", f"{place.namespace} has no quota yet, so that limits have nothing to be a part of", "Give quota.")
        self._need(what)
        self.quay.post(self._path(place), {"limit_bytes": size(wanted["quota"])}, what)
        limits = frozenset(name for name in _TYPES if wanted.get(name))
        if limits:
            # Quay tells no id when it creates one
            made = self.look(place, key)
            if made is None:
                raise AirgapError("create the quota", place.namespace, "Quay does not show it after creating it", "Run the task again.")
            self.update(place, key, wanted, made, limits)
        return None

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        there = cast(Quota, found)
        if "quota" in changed:
            what = f"change the quota of {place.namespace}"
            self.quay.put(f"{self._path(place)}/{there.number}", {"limit_bytes": size(wanted["quota"])}, what)
        for name in sorted(changed & set(_TYPES)):
            try:
                self._limit(place, there, _TYPES[name], wanted[name])
            except QuayError as error:
                # Quay API: superusers have a way of their own to quotas, but not to limits
                if error.code != FORBIDDEN or self._full_access:
                    raise
                raise QuayError(
                    error.action, error.subject, error.said, _LIMITS_HINT.format(name), status=error.status, code=error.code
                ) from error
        return None

    def _limit(self, place: Place, found: Quota, kind: str, wanted: int) -> None:
        """Make one limit of a type the only one; 0 for none."""
        path = f"{at('organization', place.namespace, 'quota', found.number)}/limit"
        what = f"set the {kind.lower()} limit of {place.namespace}"
        there = found.of(kind)
        kept = next((id_ for number, id_ in there if number == wanted), "")
        if wanted and not there:
            self.quay.post(path, {"type": kind, "threshold_percent": wanted}, what)
        elif wanted and not kept:
            kept = there[0][1]
            self.quay.put(f"{path}/{kept}", {"type": kind, "threshold_percent": wanted}, what)
        for _number, id_ in there:
            if id_ != kept:
                self.quay.delete(f"{path}/{id_}", what)

    def delete(self, place: Place, key: str, found: Object) -> None:
        self.quay.delete(f"{self._path(place)}/{cast(Quota, found).number}", f"delete the quota of {place.namespace}")

    def _need(self, what: str) -> None:
        self.quay.capabilities.need(_ROUTE, _FEATURE, what, "3.7")

    def _path(self, place: Place) -> str:
        # Quay API: since 3.10.7 the organization's own route needs a superuser with full access
        return at("organization", place.namespace, "quota") if self._full_access else _superuser_path(place)

    @property
    def _full_access(self) -> bool:
        """Whether superusers may do everything everywhere, as far as Quay tells."""
        return self.quay.capabilities.feature("SUPERUSERS_FULL_ACCESS") is not False


class UserQuotaKind(QuotaKind):
    """The quota of a user, for superusers; the place is the user's namespace, the key is empty."""

    name = "user_quota"

    def _views(self, place: Place) -> Sequence[Mapping[str, Any]]:
        if not self.quay.capabilities.offers(_USER_ROUTE, _FEATURE, "3.8"):
            return ()
        return self.quay.shared(self._path(place), f"read the quota of the user {place.namespace}") or ()

    def look(self, place: Place, key: str) -> Object | None:
        self.quay.forget(self._path(place))
        return self.all(place).get(key)

    def _need(self, what: str) -> None:
        self.quay.capabilities.need(_USER_ROUTE, _FEATURE, what, "3.8")

    def _path(self, place: Place) -> str:
        return at("superuser", "users", place.namespace, "quota")


def _superuser_path(place: Place) -> str:
    """Where superusers have the quota of an organization, with full access or without."""
    return at("superuser", "organization", place.namespace, "quota")


def _only(views: Sequence[Mapping[str, Any]]) -> Mapping[str, Object]:
    """The quota among what Quay lists: the registry's default is listed too, but it is none of this namespace."""
    own = [view for view in views if not view.get("default_config")]
    return {"": Quota(own[0])} if own else {}


def wish(quay: QuayClient, options: Mapping[str, Any]) -> tuple[Work, str]:
    """The work of quay_quota, and the name of the organization or user.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    """
    given = canonical(options, (Field("organization", normal=namespace), Field("user", normal=user), *FIELDS))
    owner, person = given.pop("organization", None), given.pop("user", None)
    if person and set(given) - {"quota"} and options["state"] == "present":
        raise InputError(
            sorted(set(given) - {"quota"})[0],
            f"Quay sets limits only for organizations, and {person} is a user",
            "Give only quota; the defaults of the registry hold for what happens when it is reached.",
        )
    kind = UserQuotaKind(quay) if person else QuotaKind(quay)
    place = Place(person or owner)
    wanted = given if options["state"] == "present" else None
    return Work([Intent(kind, place, "", wanted)]), place.namespace
