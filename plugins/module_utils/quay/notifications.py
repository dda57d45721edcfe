# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notifications of repositories: an event, and whom Quay tells of it (Quay API: notifications)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, cast
from urllib.parse import urlsplit

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import CONTENTS, Intent, Kind, Object, Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work
from ansible_collections.quayside.airgap.plugins.module_utils.quay.repositories import named

# Quay API: another event or method is an internal error
EVENTS = (
    "repo_push",
    "build_queued",
    "build_start",
    "build_success",
    "build_failure",
    "build_cancelled",
    "vulnerability_found",
    "repo_mirror_sync_started",
    "repo_mirror_sync_success",
    "repo_mirror_sync_failed",
    "repo_image_expiry",
)
# Options of each method; the first ones are required
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "webhook": ("url",),
    "slack": ("url",),
    "email": ("email",),
    "quay_notification": ("name",),
    "hipchat": ("room_id", "notification_token"),
    "flowdock": ("flow_api_token",),
}
_OPTIONAL: Mapping[str, tuple[str, ...]] = {"webhook": ("template",), "quay_notification": ("type",)}
# in the order of Quay, whose number is stored too
LEVELS = ("critical", "high", "medium", "low", "negligible", "unknown")
_SECRET = ("notification_token", "flow_api_token")
_NOWHERE = frozenset({"localhost", "127.0.0.1", "::1"})
_DEFAULT_DAYS = 7
_GONE = "no repository notification found"

CONFIG = (
    Field("type", choices=("user", "team", "org"), description="With quay_notification: what name is; a user if not given."),
    Field("name", description="With quay_notification: the user, team or organization that is told."),
    Field("email", description="With email: the address."),
    Field("url", description="With webhook and slack: the URL that Quay posts to."),
    Field("template", description="With webhook: the body, as JSON text."),
    Field("room_id", description="With hipchat: the room."),
    Field("notification_token", secret=True, description="With hipchat: its token."),
    Field("flow_api_token", secret=True, description="With flowdock: its token."),
)
FIELDS = (
    Field("title", description="Its name; without one, event, method and config say which one is meant."),
    Field("event", choices=EVENTS, description="What it tells of."),
    Field("method", choices=tuple(_REQUIRED), description="How it tells."),
    Field("config", "dict", fields=CONFIG, description="What the method needs."),
    Field("vulnerability_level", choices=LEVELS, description="With vulnerability_found: the lowest level that it tells of."),
    Field("image_expiry_days", "int", description="With repo_image_expiry: how many days before; 7 if not given."),
)


class Notification(dict[str, Any]):
    """A notification in document form, with what Quay knows it by, and how often it failed."""

    def __init__(self, values: Mapping[str, Any], uuid: str, failures: int) -> None:
        self.uuid = uuid
        self.failures = failures
        # what it has no value for is named too, so that it compares
        super().__init__({"title": None, "vulnerability_level": None, "image_expiry_days": None, **values})


class NotificationKind(Kind):
    """The notifications of a repository.

    The key is the title, or what it does where there is none. Quay lets any number be the same: the second and later ones have a
    part of their id in the key.
    """

    name = "notification"
    stage = CONTENTS

    def all(self, place: Place) -> Mapping[str, Object]:
        what = f"list the notifications of {place.path}"
        found: dict[str, Notification] = {}
        for view in entries(self.quay.shared(self._path(place), what) or {"notifications": []}, "notifications", what, self.quay.name):
            values = document(view)
            key = key_of(values)
            uuid = str(view["uuid"])
            key = f"{key} ({uuid[:8]})" if key in found else key
            found[key] = Notification(values, uuid, int(view.get("number_of_failures") or 0))
        return found

    def look(self, place: Place, key: str) -> Object | None:
        self.quay.forget(self._path(place))
        return self.all(place).get(key)

    def differing(self, wanted: Object, found: Object) -> frozenset[str]:
        # one that tells of more than is wanted differs too
        names = {name for name in (*wanted, *found) if wanted.get(name) != found.get(name)}
        return frozenset(names)

    def shown(self, values: Object) -> dict[str, Any]:
        found = {name: value for name, value in values.items() if value is not None}
        if "config" in found:
            found["config"] = {name: _masked(name, str(value), found.get("method")) for name, value in found["config"].items()}
        return found

    def title(self, place: Place, key: str) -> str:
        return f"{place.path} {key}"

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        what = f"create the notification {self.title(place, key)}"
        config = wanted["config"]
        if config.get("type") == "org" and config["name"] != place.namespace:
            # Quay API: an internal error
            reason = f"the repository {place.path} can notify its own organization alone, not {config['name']}"
            raise InputError("config", reason, f"Name {place.namespace}, or a user or team.")
        body: dict[str, Any] = {
            "event": wanted["event"],
            "method": wanted["method"],
            "config": _quays_config(wanted),
            "eventConfig": _event_config(wanted),
        }
        if wanted.get("title"):
            body["title"] = wanted["title"]
        try:
            made = self.quay.post(self._path(place), body, what)
        except QuayError as error:
            raise _explained(error) from error
        return {"uuid": made["uuid"]} if isinstance(made, dict) and made.get("uuid") else None

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        # Quay cannot change one: the new one is created first, so that none is missing where that is refused; and only once, where
        # this is a repetition
        self.quay.forget(self._path(place))
        old = cast(Notification, found).uuid
        others = [there for there in self.all(place).values() if cast(Notification, there).uuid != old]
        made = None if any(not self.differing(wanted, there) for there in others) else self.create(place, key, wanted)
        self.delete(place, key, found)
        return made

    def delete(self, place: Place, key: str, found: Object) -> None:
        try:
            self.quay.delete(f"{self._path(place)}{cast(Notification, found).uuid}", f"delete the notification {self.title(place, key)}")
        except QuayError as error:
            if error.status != 400 or not error.says(_GONE):
                raise

    def reset(self, place: Place, key: str, found: Notification) -> None:
        """Forget its failures: after three of them in a row Quay does not use it any more."""
        what = f"reset the failures of the notification {self.title(place, key)}"
        self.quay.post(f"{self._path(place)}{found.uuid}", {}, what)

    def test(self, place: Place, key: str, found: Notification) -> None:
        """Let Quay send a test."""
        self.quay.post(f"{self._path(place)}{found.uuid}/test", {}, f"test the notification {self.title(place, key)}")

    def _path(self, place: Place) -> str:
        return f"{at('repository', place.namespace, place.repository)}/notification/"


def key_of(values: Object) -> str:
    """What identifies a notification, of its document form."""
    if values.get("title"):
        return str(values["title"])
    told = {name: value for name, value in values.items() if name != "title" and value is not None}
    # addresses may hold secrets: they are told apart without being shown
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return f"{values.get('event')} {values.get('method')} {digest[:8]}"


def document(view: Mapping[str, Any]) -> dict[str, Any]:
    """A notification in document form, of Quay's view."""
    event, method = str(view["event"]), str(view["method"])
    config = dict(view.get("config") or {})
    target = config.pop("target", None)
    if isinstance(target, Mapping):
        config.update(name=target.get("name"), type=target.get("kind"))
    known = (*_REQUIRED.get(method, ()), *_OPTIONAL.get(method, ()))
    found: dict[str, Any] = {
        "event": event,
        "method": method,
        "config": {name: str(config[name]) for name in known if config.get(name)},
    }
    if "template" in found["config"]:
        found["config"]["template"] = template(found["config"]["template"])
    if view.get("title"):
        found["title"] = str(view["title"])
    settings = view.get("event_config") or {}
    if event == "vulnerability_found" and settings.get("level") not in (None, ""):
        found["vulnerability_level"] = _level(str(settings["level"]))
    if event == "repo_image_expiry":
        found["image_expiry_days"] = int(settings.get("days") or _DEFAULT_DAYS)
    return found


def canonical_notification(given: Mapping[str, Any]) -> dict[str, Any]:
    """A whole notification in document form.

    :param given: with the fields of ``FIELDS``, each checked already.
    :raises ValueError: with a sentence, for what Quay refuses.
    """
    for name in ("event", "method"):
        if not given.get(name):
            raise ValueError(f"{name} is missing")
    event, method = given["event"], given["method"]
    config = {name: value for name, value in (given.get("config") or {}).items() if value not in (None, "")}
    if method == "quay_notification":
        config.setdefault("type", "user")
    else:
        config.pop("type", None)
    missing = [name for name in _REQUIRED[method] if name not in config]
    if missing:
        raise ValueError(f"config lacks {', '.join(missing)}, which the method {method} needs")
    strange = sorted(set(config) - {*_REQUIRED[method], *_OPTIONAL.get(method, ())})
    if strange:
        raise ValueError(f"config holds {', '.join(strange)}, which the method {method} does not have")
    if "url" in config:
        _check_url(config["url"])
    if "template" in config:
        config["template"] = template(config["template"])
    found = {"event": event, "method": method, "config": config}
    if given.get("title"):
        found["title"] = given["title"]
    if event == "vulnerability_found" and given.get("vulnerability_level"):
        found["vulnerability_level"] = given["vulnerability_level"]
    if event == "repo_image_expiry":
        days = given.get("image_expiry_days")
        if days is not None and days < 1:
            raise ValueError(f"image_expiry_days is {days}; it must be 1 or more")
        found["image_expiry_days"] = days or _DEFAULT_DAYS
    return found


def template(text: str) -> str:
    """The canonical text of a template: JSON without the spaces that do not matter; others as they are."""
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError("url is no URL with http:// or https://")
    if host.lower() in _NOWHERE:
        raise ValueError(f"url leads to {host}, which Quay refuses as its own machine; give the name that others reach it by")


def _level(text: str) -> str:
    return LEVELS[int(text)] if text.isdecimal() and int(text) < len(LEVELS) else text.lower()


def _quays_config(values: Object) -> dict[str, Any]:
    config = dict(values["config"])
    if values["method"] == "quay_notification":
        return {"target": {"name": config["name"], "kind": config["type"]}}
    return config


def _event_config(values: Object) -> dict[str, Any]:
    if values["event"] == "vulnerability_found" and "vulnerability_level" in values:
        return {"level": str(LEVELS.index(values["vulnerability_level"]))}
    if values["event"] == "repo_image_expiry":
        return {"days": values["image_expiry_days"]}
    return {}


def _masked(name: str, value: str, method: Any) -> str:
    """A part of a config as it may be shown: what lets others post in somebody's name stays hidden."""
    if name in _SECRET:
        return "********"
    if name != "url":
        return value
    parts = urlsplit(value)
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if method == "slack":
        return f"{address}/********"
    return f"{address}{parts.path}{'?********' if parts.query else ''}"


def _explained(error: QuayError) -> QuayError:
    hint = ""
    if error.says("invalid webhook url"):
        hint = "Quay posts neither to its own host name nor to what WEBHOOK_HOSTNAME_BLACKLIST in its config.yaml lists."
    elif error.says("not authorized to receive"):
        hint = "The owner of the address must agree first: add it in the repository's settings, and follow the link in Quay's e-mail."
    if not hint:
        return error
    return QuayError(error.action, error.subject, error.said, hint, status=error.status, code=error.code)


@dataclass(frozen=True)
class NotificationWish:
    """The work of quay_notification.

    :ivar meant: says of a notification whether it is meant by reset_failcount and test.
    """

    work: Work
    place: Place
    meant: Callable[[str, Object], bool]


def wish(quay: QuayClient, options: Mapping[str, Any]) -> NotificationWish:
    """What quay_notification shall do.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    """
    given = canonical(options, (Field("repository", required=True), *FIELDS, Field("regexp", normal=_expression), Field("search_string")))
    given["config"] = {name: value for name, value in given.get("config", {}).items() if value is not None}
    if given["config"].get("template"):
        given["config"]["template"] = template(given["config"]["template"])
    search = _search(given)
    repository = str(given.pop("repository"))
    wanted: dict[str, Any] = {}
    if options["state"] == "present" and search is None:
        try:
            wanted = canonical_notification(given)
        except ValueError as error:
            raise InputError("the options of the notification", str(error)) from error
    elif search is None and not any(given.get(name) for name in ("title", "event", "method")):
        raise InputError("state", "nothing says which notifications shall go", "Give title, regexp, search_string, event or method.")
    place = Place(*named(quay, repository, "repository"))
    kind = NotificationKind(quay)
    if wanted:
        key = key_of(wanted)
        return NotificationWish(Work([Intent(kind, place, key, wanted)]), place, lambda found, _values: found == key)
    meant = search or (lambda _key, values: _like(given, values))
    if options["state"] == "absent":
        gone = [Intent(kind, place, key) for key, values in kind.all(place).items() if meant(key, values)]
        return NotificationWish(Work(gone), place, meant)
    return NotificationWish(Work([]), place, meant)


def attend(
    quay: QuayClient, wanted: NotificationWish, options: Mapping[str, Any], told: Mapping[str, Any], *, check_mode: bool
) -> dict[str, Any]:
    """Reset failures and send tests where the user wants it.

    :param told: results of the task so far.
    """
    results = {**told, "name": wanted.place.path}
    if options["state"] == "absent" or not (options["reset_failcount"] or options["test"]):
        return results
    kind = NotificationKind(quay)
    if told["changed"]:
        quay.forget(wanted.place.api)
    found = {key: values for key, values in kind.all(wanted.place).items() if wanted.meant(key, values)}
    for key, values in cast("dict[str, Notification]", found).items():
        if options["reset_failcount"] and values.failures:
            results["changed"] = True
            if not check_mode:
                kind.reset(wanted.place, key, values)
        if options["test"]:
            results["changed"] = True
            if not check_mode:
                kind.test(wanted.place, key, values)
    return results


def _expression(value: Any) -> str:
    try:
        re.compile(str(value))
    except re.error as error:
        raise ValueError(f"'{value}' is no regular expression: {error}") from error
    return str(value)


def _search(given: Mapping[str, Any]) -> Callable[[str, Object], bool] | None:
    """What regexp or search_string mean; None without them."""
    if given.get("regexp"):
        expression = re.compile(given["regexp"])
        return lambda _key, values: bool(expression.search(str(values.get("title") or "")))
    if given.get("search_string"):
        text = str(given["search_string"])
        return lambda _key, values: text in str(values.get("title") or "")
    return None


def _like(given: Mapping[str, Any], values: Object) -> bool:
    """Whether a notification has the title, event, method and config that are given."""
    named_like = all(given[name] == values.get(name) for name in ("title", "event", "method") if given.get(name))
    config = values.get("config", {})
    return named_like and all(config.get(name) == value for name, value in given["config"].items() if value != "")
