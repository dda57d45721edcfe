# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proxy caches of organizations (Quay API: proxy cache)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, CancelledError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import CONTENTS, Intent, Kind, Object, Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import namespace
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work
from ansible_collections.quayside.airgap.plugins.module_utils.quay.upstreams import (
    ALWAYS,
    CREDENTIALS,
    UPDATE_CREDENTIALS,
    told,
    upstream,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.values import period, seconds

_ROUTE = "/api/v1/organization/{orgname}/proxycache"
_FEATURE = "PROXY_CACHE"
_SINCE = "3.7"
_READABLE = ("registry", "insecure", "expiration")

FIELDS = (
    Field("registry", normal=upstream, default="quay.io", description="Registry that is cached: host[:port][/namespace]."),
    Field("username", description="User at that registry; nobody where it is open."),
    Field("password", secret=True, description="Password of the user."),
    Field("insecure", "bool", description="Reach the registry without TLS, or without checking its certificate."),
    Field("expiration", normal=period, description="How long cached images stay: 1d, 12h, or seconds; Quay's default is a day."),
    UPDATE_CREDENTIALS,
    Field("validate", "bool", default=True, description="Let Quay log in to the registry before the cache is created."),
)


class ProxyCacheKind(Kind):
    """The proxy cache of an organization; the key is empty."""

    name = "proxy_cache"
    stage = CONTENTS
    write_only = frozenset({"username", "password", UPDATE_CREDENTIALS.name, "validate"})

    def all(self, place: Place) -> Mapping[str, Object]:
        if not self.quay.capabilities.offers(_ROUTE, _FEATURE):
            return {}
        view = self.quay.shared(self._path(place), f"read the proxy cache of {place.namespace}")
        # Quay API: where there is none, the answer holds empty texts
        return {"": document(view)} if view and view.get("upstream_registry") else {}

    def complete(self, wanted: Object, found: Object | None) -> Object:
        # a change is a new proxy cache: it keeps what the user has no wish for
        return {**{name: found[name] for name in _READABLE if found is not None}, **wanted}

    def differing(self, wanted: Object, found: Object) -> frozenset[str]:
        changed = super().differing(wanted, found)
        return changed | {CREDENTIALS} if wanted.get("update_credentials") == ALWAYS else changed

    def warnings(self, place: Place, key: str, wanted: Object, found: Object) -> list[str]:
        if self.differing(wanted, found) and not wanted.get("username"):
            return [
                f"The proxy cache of {place.namespace} is replaced, since Quay cannot change one. Credentials that it may have had are "
                "not kept, as Quay does not tell them; give username and password if it needs them."
            ]
        return []

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        self.quay.capabilities.need(_ROUTE, _FEATURE, f"create the proxy cache of {place.namespace}", _SINCE)
        body = _body(wanted)
        with told(body["upstream_registry"]):
            if wanted.get("validate", True):
                what = f"validate {body['upstream_registry']} as the proxy cache of {place.namespace}"
                self.quay.post(at("organization", place.namespace, "validateproxycache"), body, what)
            self.quay.post(self._path(place), body, f"create the proxy cache of {place.namespace}")
        return None

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        """Replace it: Quay has no change, and validates only where there is none.

        So the order is: delete, validate, create; and where one of the last two fails, the former one is put back, without the
        credentials that nobody can read.
        """
        try:
            self.delete(place, key, found)
        except CancelledError:
            raise
        except AirgapError:
            if self.look(place, key) is not None:
                raise
        try:
            return self.create(place, key, wanted)
        except CancelledError:
            raise
        except AirgapError as error:
            self._put_back(place, wanted, found, error)
            return None

    def _put_back(self, place: Place, wanted: Object, found: Object, error: AirgapError) -> None:
        """After a failed creation: nothing to do where only the answer was lost, else the former one is created again.

        :raises AirgapError: the failure, with what became of the former one.
        """
        former = f"{found['registry']} (insecure: {str(found['insecure']).lower()}, expiration: {found['expiration'] or 'none'})"
        try:
            there = self.look(place, "")
            if there is not None and not super().differing(wanted, there):
                return
            if there is None:
                self.quay.post(self._path(place), _body(found), f"put the former proxy cache of {place.namespace} back")
        except CancelledError:
            raise
        except AirgapError as second:
            # not transient: a repetition would not know the former one any more
            raise AirgapError(
                error.action,
                error.subject,
                f"{error.reason}; {place.namespace} has no proxy cache now, since the former one of {former} was deleted before and "
                f"could not be put back: {second.reason}",
                error.hint,
            ) from error
        raise AirgapError(
            error.action,
            error.subject,
            f"{error.reason}; the former proxy cache of {former} was put back, without credentials if it had any, since Quay does not "
            "tell them",
            error.hint,
            transient=error.transient,
        ) from error

    def delete(self, place: Place, key: str, found: Object) -> None:
        self.quay.delete(self._path(place), f"delete the proxy cache of {place.namespace}")

    def _path(self, place: Place) -> str:
        return at("organization", place.namespace, "proxycache")


def document(view: Mapping[str, Any]) -> dict[str, Any]:
    """A proxy cache in document form, of Quay's view."""
    expiration = view.get("expiration_s")
    return {
        "registry": str(view["upstream_registry"]),
        "insecure": bool(view.get("insecure")),
        # Quay API: a negative number is taken, and expires as zero does
        "expiration": None if expiration in (None, "") else period(max(0, int(expiration))),
    }


def _body(values: Object) -> dict[str, Any]:
    body: dict[str, Any] = {"upstream_registry": values["registry"], "insecure": bool(values.get("insecure", False))}
    if "expiration" in values:
        # Quay API: anything but a number or null is an internal error; null is kept, while without the field it is a day
        body["expiration_s"] = None if values["expiration"] is None else seconds(values["expiration"])
    if values.get("username"):
        body["upstream_registry_username"] = values["username"]
        body["upstream_registry_password"] = values.get("password", "")
    return body


def wish(quay: QuayClient, options: Mapping[str, Any]) -> tuple[Work, str]:
    """The work of quay_proxycache, and the name of the organization.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    """
    given = canonical(options, (Field("organization", required=True, normal=namespace), *FIELDS))
    place = Place(given.pop("organization"))
    kind = ProxyCacheKind(quay)
    if options["state"] == "absent":
        return Work([Intent(kind, place, "")]), place.namespace
    if bool(given.get("username")) != bool(given.get("password")):
        raise InputError("username", "username and password belong together", "Give both, or none for an open registry.")
    return Work([Intent(kind, place, "", given)]), place.namespace
