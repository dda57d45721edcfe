# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repositories that Quay keeps like another one (Quay API: repository mirror)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.capabilities import NotOfferedError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import NOT_FOUND, QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import MIRRORS, Intent, Kind, Object, Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work
from ansible_collections.quayside.airgap.plugins.module_utils.quay.repositories import RepositoryKind, named
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
    reference,
    robot_of,
    same_robot,
    start_date,
    told,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.values import period, seconds

_ROUTE = "/api/v1/repository/{repository}/mirror"
_FEATURE = "REPO_MIRROR"
_BODY = "CreateMirrorConfig"
_LEAST_TIMEOUT = 300
_ARCHITECTURES = ("amd64", "arm64", "ppc64le", "s390x")
_NEEDED = ("external_reference", "robot_username", "image_tags")
_CONFIG = frozenset({"verify_tls", "unsigned_images", "http_proxy", "https_proxy", "no_proxy"})
_UNDER_WAY = ("SYNC_NOW", "SYNCING")


def timeout(value: Any) -> str:
    """The canonical text of skopeo's time limit.

    :raises ValueError: when it is shorter than Quay allows.
    """
    if seconds(value) < _LEAST_TIMEOUT:
        raise ValueError(f"'{value}' is too short; Quay allows 5 minutes (300s) or more")
    return period(value)


def sorted_texts(value: Any) -> list[str]:
    """A list of which the order does not matter, without repetition."""
    return sorted(set(value))


def tag_patterns(value: Any) -> list[str]:
    """As :func:`sorted_texts`, but not empty. :raises ValueError: when it is."""
    if not value:
        raise ValueError("it is empty; name at least one tag or pattern, like latest or v1.*")
    return sorted_texts(value)


FIELDS = (
    Field("is_enabled", "bool", description="Whether it is synchronized; true where it is not given for a new mirror."),
    Field("external_reference", normal=reference, description="The other repository: host[:port]/path, without a tag."),
    Field("external_registry_username", description="User at the other registry; an empty text for none."),
    Field("external_registry_password", secret=True, description="Password of that user."),
    UPDATE_CREDENTIALS,
    Field("sync_interval", normal=period, description="Time between synchronizations: 8h, 1d, or seconds; a day for a new mirror."),
    Field("sync_start_date", normal=start_date, description="First synchronization of a new mirror: 2026-01-31T12:00:00Z; now."),
    Field("skopeo_timeout", normal=timeout, description="Time limit of a synchronization: 10m, or seconds."),
    Field("robot_username", description="Robot of the same namespace that writes: prod+sync, or sync."),
    Field("image_tags", "list", of=Field("tag"), normal=tag_patterns, description="Tags or patterns of tags that are kept."),
    Field("unsigned_images", "bool", description="Take images without a signature."),
    *CONNECTION,
    Field(
        "architecture_filter",
        "list",
        of=Field("architecture", choices=_ARCHITECTURES),
        normal=sorted_texts,
        description="Architectures of multi-architecture images that are kept; an empty list for all.",
    ),
)


class RepositoryMirrorKind(Kind):
    """The mirror of a repository; the key is empty.

    A configuration cannot be deleted. It counts as not there while the repository is in another state than MIRROR, in which Quay
    does not synchronize; what is left of it is taken into use again.
    """

    name = "repository_mirror"
    stage = MIRRORS
    write_only = MIRROR_SECRETS

    def prepare(self, places: Mapping[Place, Sequence[str]]) -> None:
        """One list tells the states of many repositories of a namespace."""
        for namespace, number in Counter(place.namespace for place in places).items():
            if number > 1:
                outside = Place(namespace)
                self.quay.once(_listed(outside), partial(RepositoryKind(self.quay).all, outside))

    def all(self, place: Place) -> Mapping[str, Object]:
        if not self.quay.capabilities.offers(_ROUTE, _FEATURE) or self._state(place) != "MIRROR":
            return {}
        view = self.quay.shared(self.path(place), f"read the mirror {place.path}")
        return {} if view is None else {"": document(view)}

    def _state(self, place: Place) -> str:
        listed = self.quay.peek(_listed(Place(place.namespace)))
        if listed is not None:
            return str(listed.get(place.repository, {}).get("repo_state", ""))
        key = f"{place.api} state"
        return str(
            self.quay.once(key, lambda: (RepositoryKind(self.quay).view(Place(place.namespace), place.repository) or {}).get("state"))
        )

    def look(self, place: Place, key: str) -> Object | None:
        self.quay.forget(_listed(Place(place.namespace)))
        self.quay.forget(place.api)
        return self.all(place).get(key)

    def complete(self, wanted: Object, found: Object | None) -> Object:
        if "skopeo_timeout" not in wanted or (found is not None and found.get("skopeo_timeout")):
            return wanted
        # Quay API: a key that the version does not know is an internal error
        if self.quay.capabilities.field(_BODY, "skopeo_timeout_interval"):
            return wanted
        return {name: value for name, value in wanted.items() if name != "skopeo_timeout"}

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
        what = f"mirror the repository {place.path}"
        self.quay.capabilities.need(_ROUTE, _FEATURE, what)
        missing = [name for name in _NEEDED if name not in wanted]
        body = self._body(place, wanted, {}, frozenset(wanted), what)
        body.update(is_enabled=wanted.get("is_enabled", True), sync_start_date=wanted.get("sync_start_date") or now())
        if not missing and self._created(place, wanted, body, what):
            return None
        if missing and self.quay.find(self.path(place), f"read the mirror {place.path}") is None:
            raise InputError(missing[0], f"{place.path} is no mirror yet, and a new one needs {', '.join(missing)}", "Give them.")
        with told(str(wanted.get("external_reference", ""))):
            self._put(place, body, what)
        self._set_state(place, "MIRROR")
        return None

    def _created(self, place: Place, wanted: Object, body: Mapping[str, Any], what: str) -> bool:
        """Create the configuration, which sets the state too; False where there is one already."""
        whole = {"sync_interval": 86400, "external_registry_config": connection_config(wanted), **body}
        if self.quay.capabilities.requires(_BODY, "skopeo_timeout_interval"):
            whole.setdefault("skopeo_timeout_interval", _LEAST_TIMEOUT)
        try:
            with told(wanted["external_reference"]):
                self._check_robot(whole["robot_username"], what)
                self.quay.post(self.path(place), whole, what)
        except QuayError as error:
            if error.status == 409:
                return False
            raise
        return True

    def _check_robot(self, name: str, what: str) -> None:
        """Ask for the robot before Quay is asked for the mirror.

        Quay stores the tags first, and when it refuses the robot then, they stay: changes of the tags go to those ever after, and
        have no effect (Quay API: repository mirror).

        :raises QuayError: when there is no such robot. A token that may not ask is no reason to stop.
        """
        owner, _plus, short = name.partition("+")
        try:
            self.quay.shared(at("organization", owner, "robots", short), what)
        except QuayError as error:
            if error.says("could not find robot"):
                raise

    def _put(self, place: Place, body: Mapping[str, Any], what: str) -> None:
        """Change a configuration, and look whether Quay has done it where it is known not to (Quay API: repository mirror).

        :raises AirgapError: when the tags stay what they were.
        """
        self.quay.put(self.path(place), body, what)
        config = body.get("external_registry_config") or {}
        proxied = bool(config and config["proxy"]["http_proxy"])
        if "root_rule" not in body and not proxied:
            return
        kept = document(self.quay.get(self.path(place), what))
        if proxied and kept["http_proxy"] != config["proxy"]["http_proxy"]:
            # of a configuration without any proxy so far, Quay loses the first value
            self.quay.put(self.path(place), {"external_registry_config": config}, what)
        if "root_rule" in body and kept["image_tags"] != body["root_rule"]["rule_value"]:
            reason = (
                f"Quay answered that it has changed image_tags, but they are still {', '.join(kept['image_tags'])}; that is so for good "
                "after somebody tried to make the repository a mirror with a robot that did not exist"
            )
            raise AirgapError(what, f"on {self.quay.name}", reason, "Delete the repository and create it and its mirror again.")

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        what = f"change the mirror {place.path}"
        with told(str(wanted.get("external_reference", found["external_reference"]))):
            self._put(place, self._body(place, wanted, found, changed, what), what)
        return None

    def delete(self, place: Place, key: str, found: Object) -> None:
        what = f"end the mirror {place.path}"
        if found["is_enabled"]:
            self.quay.put(self.path(place), {"is_enabled": False}, what)
        # the state comes last: it is what tells that the mirror has ended
        self._set_state(place, "NORMAL")

    def path(self, place: Place) -> str:
        """Quay's path of a mirror."""
        return f"{place.api}/mirror"

    def _set_state(self, place: Place, state: str) -> None:
        self.quay.put(f"{place.api}/changestate", {"state": state}, f"set the state of the repository {place.path} to {state}")

    def _body(self, place: Place, wanted: Object, found: Object, changed: frozenset[str], what: str) -> dict[str, Any]:
        """The fields that change, in Quay's words."""
        body: dict[str, Any] = {name: wanted[name] for name in ("is_enabled", "external_reference") if name in changed}
        if "sync_interval" in changed:
            body["sync_interval"] = seconds(wanted["sync_interval"])
        if "skopeo_timeout" in changed:
            body["skopeo_timeout_interval"] = seconds(wanted["skopeo_timeout"])
        if "robot_username" in changed:
            body["robot_username"] = robot_of(place, wanted["robot_username"])
        if "image_tags" in changed:
            body["root_rule"] = {"rule_kind": "tag_glob_csv", "rule_value": wanted["image_tags"]}
        if changed & {"external_registry_username", "external_registry_password", CREDENTIALS}:
            body.update(credentials(wanted, found))
        if changed & _CONFIG:
            full = {**found, **wanted}
            body["external_registry_config"] = connection_config(full)
            if "unsigned_images" in full:
                body["external_registry_config"]["unsigned_images"] = full["unsigned_images"]
        if "architecture_filter" in changed and self._has_architectures(wanted["architecture_filter"], what):
            body["architecture_filter"] = wanted["architecture_filter"]
        return body

    def _has_architectures(self, wanted: Sequence[str], what: str) -> bool:
        if self.quay.capabilities.field(_BODY, "architecture_filter"):
            return True
        if wanted:
            reason = "this Quay mirrors all architectures, it knows no architecture_filter"
            raise NotOfferedError(what, f"on {self.quay.name}", reason, "It needs Quay 3.17 or later.")
        return False


def _listed(place: Place) -> str:
    return f"{place.api} states of its repositories"


def document(view: Mapping[str, Any]) -> dict[str, Any]:
    """A mirror in document form, of Quay's view."""
    config = view.get("external_registry_config") or {}
    limit = view.get("skopeo_timeout_interval")
    return {
        "is_enabled": bool(view.get("is_enabled")),
        "external_reference": str(view.get("external_reference") or ""),
        "external_registry_username": str(view.get("external_registry_username") or ""),
        "sync_interval": period(int(view["sync_interval"])),
        "robot_username": str(view.get("robot_username") or ""),
        "image_tags": sorted_texts((view.get("root_rule") or {}).get("rule_value") or ()),
        "unsigned_images": bool(config.get("unsigned_images", False)),
        **connection(config),
        "architecture_filter": sorted_texts(view.get("architecture_filter") or ()),
        "skopeo_timeout": None if limit is None else period(int(limit)),
    }


def wish(quay: QuayClient, options: Mapping[str, Any]) -> tuple[Work, Place]:
    """The work of quay_repository_mirror, and the repository.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    """
    given = canonical(options, (Field("name", required=True), *FIELDS))
    place = Place(*named(quay, str(given.pop("name"))))
    kind = RepositoryMirrorKind(quay)
    if options["state"] == "absent":
        return Work([Intent(kind, place, "")]), place
    return Work([Intent(kind, place, "", of_mirror(given, place))]), place


def synchronize(
    quay: QuayClient, place: Place, options: Mapping[str, Any], told_so_far: Mapping[str, Any], *, check_mode: bool
) -> dict[str, Any]:
    """Start or cancel a synchronization where the user wants it, and tell how the mirror is doing.

    :param told_so_far: results of the task.
    :returns: these results, with ``sync_status`` and more.
    """
    kind = RepositoryMirrorKind(quay)
    results = {**told_so_far, "name": place.path}
    if options["state"] == "absent" or (check_mode and told_so_far["changed"]):
        return {**results, "changed": results["changed"] or bool(options["force_sync"] and options["state"] == "present")}
    path, what = kind.path(place), f"read the mirror {place.path}"
    if told_so_far["changed"]:
        quay.forget(path)
    view = quay.shared(path, what) or {}
    status = view.get("sync_status")
    if options["cancel_sync"] and status in _UNDER_WAY:
        results["changed"] = True
        if not check_mode:
            view = _cancel(quay, path, place) or view
    elif options["force_sync"] and status not in _UNDER_WAY:
        results["changed"] = True
        if not check_mode:
            quay.post(f"{path}/sync-now", {}, f"synchronize {place.path}")
            view = quay.find(path, what) or view
    return {
        **results,
        "sync_status": view.get("sync_status"),
        "sync_retries_remaining": view.get("sync_retries_remaining"),
        "next_sync": view.get("sync_start_date"),
    }


def _cancel(quay: QuayClient, path: str, place: Place) -> Mapping[str, Any] | None:
    try:
        quay.post(f"{path}/sync-cancel", {}, f"cancel the synchronization of {place.path}")
    except QuayError as error:
        # it has ended in the meantime
        if error.status != 404 or error.code != NOT_FOUND:
            raise
    found: Mapping[str, Any] | None = quay.find(path, f"read the mirror {place.path}")
    return found
