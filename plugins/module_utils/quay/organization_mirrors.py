# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Organizations that Quay keeps like a namespace of another registry (Quay API: organization mirror)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import MIRRORS, Intent, Kind, Object, Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import namespace
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work
from ansible_collections.quayside.airgap.plugins.module_utils.quay.upstreams import (
    ALWAYS,
    CONNECTION,
    CREDENTIALS,
    MIRROR_SECRETS,
    UPDATE_CREDENTIALS,
    connection,
    connection_config,
    credentials,
    now,
    of_mirror,
    robot_of,
    same_robot,
    start_date,
    told,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.values import period, seconds

_ROUTE = "/api/v1/organization/{orgname}/mirror"
_FEATURE = "ORG_MIRROR"
_SINCE = "3.17"
_LEAST_INTERVAL = 60
_TIMEOUT = (30, 3600)
_NEEDED = ("external_registry_type", "external_registry_url", "external_namespace", "robot_username")
_PLAIN = ("is_enabled", "external_registry_type", "external_registry_url", "external_namespace", "visibility", "repository_filters")
_CONFIG = frozenset(field.name for field in CONNECTION)
_UNDER_WAY = ("SYNC_NOW", "SYNCING")
# Repositories that the synchronization has not come to yet, while that of the organization counts as a success already
_TO_COME = (*_UNDER_WAY, "NEVER_RUN")


def registry_url(value: Any) -> str:
    """The URL of another registry, with its scheme.

    :raises ValueError: with a sentence that says what is wrong.
    """
    text = str(value).strip().rstrip("/")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"'{text}' is no URL of a registry; write it with its scheme, like https://quay.io")
    if parts.username or parts.password:
        raise ValueError("it holds a user or password; give external_registry_username and external_registry_password")
    return text


def interval(value: Any) -> str:
    """The canonical text of the time between synchronizations. :raises ValueError: when it is shorter than Quay allows."""
    if seconds(value) < _LEAST_INTERVAL:
        raise ValueError(f"'{value}' is too short; Quay allows a minute (60s) or more")
    return period(value)


def timeout(value: Any) -> str:
    """The canonical text of skopeo's time limit. :raises ValueError: outside of what Quay allows."""
    if not _TIMEOUT[0] <= seconds(value) <= _TIMEOUT[1]:
        raise ValueError(f"'{value}' is no time limit for mirrors of organizations; Quay allows 30s to 1h")
    return period(value)


def _filters(value: Any) -> list[str]:
    return sorted(set(value))


FIELDS = (
    Field("is_enabled", "bool", description="Whether it is synchronized; true where it is not given for a new mirror."),
    Field("external_registry_type", choices=("quay", "harbor"), description="What the other registry is; fixed once it is created."),
    Field("external_registry_url", normal=registry_url, description="URL of the other registry: https://quay.io."),
    Field("external_namespace", description="Namespace or project there."),
    Field("external_registry_username", description="User at the other registry; an empty text for none."),
    Field("external_registry_password", secret=True, description="Password of that user."),
    UPDATE_CREDENTIALS,
    Field("robot_username", description="Robot of the organization that writes: prod+sync, or sync."),
    Field("visibility", choices=("public", "private"), description="Who may pull from mirrored repositories; public for a new mirror."),
    Field("repository_filters", "list", of=Field("pattern"), normal=_filters, description="Patterns of repositories; none for all."),
    Field("sync_interval", normal=interval, description="Time between synchronizations: 8h, 1d, or seconds; a day for a new mirror."),
    Field("sync_start_date", normal=start_date, description="First synchronization of a new mirror: 2026-01-31T12:00:00Z; now."),
    Field("skopeo_timeout", normal=timeout, description="Time limit of the synchronization of a repository: 10m, or seconds."),
    *CONNECTION,
)


class OrganizationMirrorKind(Kind):
    """The mirror configuration of an organization; the key is empty."""

    name = "organization_mirror"
    stage = MIRRORS
    write_only = MIRROR_SECRETS

    def all(self, place: Place) -> Mapping[str, Object]:
        if not self.quay.capabilities.offers(_ROUTE, _FEATURE):
            return {}
        view = self.quay.shared(self.path(place), f"read the mirror of {place.namespace}")
        return {} if view is None else {"": document(view)}

    def look(self, place: Place, key: str) -> Object | None:
        self.quay.forget(self.path(place))
        return self.all(place).get(key)

    def differing(self, wanted: Object, found: Object) -> frozenset[str]:
        # Quay moves the date on after every synchronization
        changed = super().differing({name: value for name, value in wanted.items() if name != "sync_start_date"}, found)
        if wanted.get(UPDATE_CREDENTIALS.name) == ALWAYS and credentials(wanted, found):
            return changed | {CREDENTIALS}
        return changed

    def same(self, field_name: str, wanted: Any, found: Any) -> bool:
        return same_robot(wanted, found) if field_name == "robot_username" else super().same(field_name, wanted, found)

    def needs(self, place: Place, key: str, wanted: Object) -> frozenset[tuple[str, str]]:
        name = wanted.get("robot_username")
        return frozenset({("robot", robot_of(place, name))} if name else ())

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        what = f"make the organization {place.namespace} a mirror"
        missing = [name for name in _NEEDED if not wanted.get(name)]
        if missing:
            raise InputError(missing[0], f"{place.namespace} is no mirror yet, and a new one needs {', '.join(missing)}", "Give them.")
        self.quay.capabilities.need(_ROUTE, _FEATURE, what, _SINCE)
        body = {
            "visibility": "public",
            "sync_interval": 86400,
            "external_registry_config": connection_config(wanted),
            **self._body(place, wanted, {}, frozenset(wanted)),
            "sync_start_date": wanted.get("sync_start_date") or now(),
        }
        with told(wanted["external_registry_url"]):
            self.quay.post(self.path(place), body, what)
        return None

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        if "external_registry_type" in changed:
            raise InputError(
                "external_registry_type",
                f"the mirror {place.namespace} is of type {found['external_registry_type']}, which Quay cannot change",
                "Delete the mirror with state: absent first; its repositories stay.",
            )
        with told(str(wanted.get("external_registry_url", found["external_registry_url"]))):
            self.quay.put(self.path(place), self._body(place, wanted, found, changed), f"change the mirror of {place.namespace}")
        return None

    def delete(self, place: Place, key: str, found: Object) -> None:
        self.quay.delete(self.path(place), f"end the mirror of {place.namespace}")

    def path(self, place: Place) -> str:
        """Quay's path of a mirror."""
        return f"{place.api}/mirror"

    def _body(self, place: Place, wanted: Object, found: Object, changed: frozenset[str]) -> dict[str, Any]:
        """The fields that change, in Quay's words."""
        full = {**found, **wanted}
        if str(full.get("external_registry_url", "")).startswith("http://") and full.get("verify_tls", True):
            raise InputError(
                "external_registry_url",
                f"{full['external_registry_url']} has no TLS, and Quay reads such a registry only where it shall not check TLS",
                "Set verify_tls: false, or write https://.",
            )
        body: dict[str, Any] = {name: wanted[name] for name in _PLAIN if name in changed}
        if "sync_interval" in changed:
            body["sync_interval"] = seconds(wanted["sync_interval"])
        if "skopeo_timeout" in changed:
            body["skopeo_timeout"] = seconds(wanted["skopeo_timeout"])
        if "robot_username" in changed:
            body["robot_username"] = robot_of(place, wanted["robot_username"])
        if changed & {"external_registry_username", "external_registry_password", CREDENTIALS}:
            body.update(credentials(wanted, found))
        if changed & _CONFIG:
            body["external_registry_config"] = connection_config(full)
        return body


def document(view: Mapping[str, Any]) -> dict[str, Any]:
    """A mirror in document form, of Quay's view."""
    limit = view.get("skopeo_timeout")
    return {
        "is_enabled": bool(view.get("is_enabled")),
        "external_registry_type": str(view.get("external_registry_type") or ""),
        "external_registry_url": str(view.get("external_registry_url") or "").rstrip("/"),
        "external_namespace": str(view.get("external_namespace") or ""),
        "external_registry_username": str(view.get("external_registry_username") or ""),
        "robot_username": str(view.get("robot_username") or ""),
        "visibility": str(view.get("visibility") or ""),
        "repository_filters": _filters(view.get("repository_filters") or ()),
        "sync_interval": period(int(view["sync_interval"])),
        **connection(view.get("external_registry_config") or {}),
        "skopeo_timeout": None if limit is None else period(int(limit)),
    }


def wish(quay: QuayClient, options: Mapping[str, Any]) -> tuple[Work, Place]:
    """The work of quay_org_mirror, and the organization.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    """
    given = canonical(options, (Field("organization", required=True, normal=namespace), *FIELDS))
    place = Place(given.pop("organization"))
    kind = OrganizationMirrorKind(quay)
    if options["state"] == "absent":
        return Work([Intent(kind, place, "")]), place
    return Work([Intent(kind, place, "", of_mirror(given, place))]), place


def synchronize(
    quay: QuayClient, place: Place, options: Mapping[str, Any], told_so_far: Mapping[str, Any], *, check_mode: bool
) -> dict[str, Any]:
    """Verify the connection, start or cancel a synchronization where the user wants it, and tell how the mirror is doing.

    :param told_so_far: results of the task.
    :returns: these results, with ``sync_status`` and more.
    :raises AirgapError: when Quay cannot reach the other registry and the user wants that verified.
    """
    results = {**told_so_far, "name": place.namespace}
    if options["state"] == "absent":
        return results
    if check_mode and told_so_far["changed"]:
        return results
    path, what = OrganizationMirrorKind(quay).path(place), f"read the mirror of {place.namespace}"
    if told_so_far["changed"]:
        quay.forget(path)
    view = quay.shared(path, what) or {}
    if options["verify"] and not check_mode:
        _verify(quay, path, view)
    if options["cancel_sync"] and _under_way(view) and view.get("sync_status") != "CANCEL":
        results["changed"] = True
        if not check_mode:
            view = _cancelled(quay, path, place) or view
    elif options["force_sync"] and not _under_way(view):
        started = check_mode or _started(quay, path, place)
        results["changed"] = results["changed"] or started
        if not check_mode:
            view = quay.find(path, what) or view
    return {
        **results,
        "sync_status": view.get("sync_status"),
        "sync_retries_remaining": view.get("sync_retries_remaining"),
        "next_sync": view.get("sync_start_date"),
        "repositories": view.get("repo_sync_status_counts") or {},
    }


def _verify(quay: QuayClient, path: str, view: Mapping[str, Any]) -> None:
    address = str(view.get("external_registry_url", ""))
    what = f"let Quay connect to {address}"
    with told(address):
        answer = quay.post(f"{path}/verify", {}, what) or {}
    if not answer.get("success"):
        reason = str(answer.get("message") or "Quay does not say why")
        raise AirgapError(what, f"from {quay.name}", reason, "Check its address, its certificate, and the user and password for it.")


def _under_way(view: Mapping[str, Any]) -> bool:
    counts = view.get("repo_sync_status_counts") or {}
    return view.get("sync_status") in _UNDER_WAY or any(counts.get(status) for status in _TO_COME)


def _started(quay: QuayClient, path: str, place: Place) -> bool:
    """Start a synchronization; False where one is under way, of which Quay refuses another one."""
    try:
        quay.post(f"{path}/sync-now", {}, f"synchronize {place.namespace}")
    except QuayError as error:
        if error.status != 400 or not error.says("cannot trigger sync"):
            raise
        return False
    return True


def _cancelled(quay: QuayClient, path: str, place: Place) -> Mapping[str, Any] | None:
    try:
        quay.post(f"{path}/sync-cancel", {}, f"cancel the synchronization of {place.namespace}")
    except QuayError as error:
        # it has ended in the meantime
        if error.status != 400 or not error.says("cannot cancel"):
            raise
    found: Mapping[str, Any] | None = quay.find(path, f"read the mirror of {place.namespace}")
    return found
