# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages that Quay shows to everybody on every page (Quay API: messages)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Callable, cast

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import superusers_only
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import (
    ORGANIZATION,
    REGISTRY,
    Intent,
    Kind,
    Object,
    Place,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work

SEVERITIES = ("info", "warning", "error")
FORMATS = ("plain", "markdown")
_MEDIA_TYPE = "text/"
_LONG = 50

FIELDS = (
    Field("content", required=True, description="The text."),
    Field("severity", choices=SEVERITIES, default="info", description="How much it matters."),
    Field("format", choices=FORMATS, default="plain", description="How the text is written."),
)


def _expression(value: Any) -> str:
    try:
        re.compile(str(value))
    except re.error as error:
        raise ValueError(f"'{value}' is no regular expression: {error}") from error
    return str(value)


OPTIONS = (
    Field("content"),
    Field("severity", choices=SEVERITIES),
    Field("format", choices=FORMATS),
    Field("regexp", normal=_expression),
    Field("search_string"),
    Field("search_severity", choices=SEVERITIES),
)
_SEARCH = ("regexp", "search_string", "content", "search_severity")


class Posted(dict[str, Any]):
    """A message in document form, with what Quay knows it by: it takes the same message any number of times.

    ``copies`` is there where it is shown more than once.
    """

    def __init__(self, values: Object, uuids: list[str]) -> None:
        self.uuids = uuids
        super().__init__(values)
        if len(uuids) > 1:
            self["copies"] = len(uuids)


class MessageKind(Kind):
    """Messages; the key is all that a message has. Quay cannot change one."""

    name = "message"
    stage = ORGANIZATION

    def all(self, place: Place) -> Mapping[str, Object]:
        what = "list the messages"
        body = self.quay.shared(at("messages"), what)
        uuids: dict[str, list[str]] = {}
        found: dict[str, Object] = {}
        for view in entries(body, "messages", what, self.quay.name):
            values = document(view)
            found[key_of(values)] = values
            uuids.setdefault(key_of(values), []).append(str(view["uuid"]))
        return {key: Posted(values, uuids[key]) for key, values in found.items()}

    def look(self, place: Place, key: str) -> Object | None:
        self.quay.forget(at("messages"))
        return self.all(place).get(key)

    def complete(self, wanted: Object, found: Object | None) -> Object:
        # once is enough
        return {**wanted, "copies": 1} if found is not None and "copies" in found else wanted

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        body = {
            "content": wanted["content"],
            "severity": wanted["severity"],
            "media_type": f"{_MEDIA_TYPE}{wanted['format']}",
        }
        what = f"write the message {self.title(place, key)}"
        with superusers_only(self.quay.name, what):
            self.quay.post(at("messages"), {"message": body}, what)
        return None

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        self._delete(key, cast(Posted, found).uuids[1:])
        return None

    def delete(self, place: Place, key: str, found: Object) -> None:
        self._delete(key, cast(Posted, found).uuids)

    def _delete(self, key: str, uuids: list[str]) -> None:
        what = f"delete the message {self.title(REGISTRY, key)}"
        with superusers_only(self.quay.name, what):
            for uuid in uuids:
                self.quay.delete(at("message", uuid), what)

    def title(self, place: Place, key: str) -> str:
        """``info: Maintenance on Sunday``; a long text is cut, and told apart from others by a part of its hash."""
        severity, _format, content = key.split(" ", 2)
        text = " ".join(content.split())
        if len(text) > _LONG or text != content:
            text = f"{text[:_LONG].rstrip()}... ({hashlib.sha256(key.encode()).hexdigest()[:8]})"
        return f"{severity}: {text}"


def key_of(values: Object) -> str:
    """What identifies a message, of its document form."""
    return f"{values['severity']} {values['format']} {values['content']}"


def document(view: Mapping[str, Any]) -> dict[str, Any]:
    """A message in document form, of Quay's view."""
    media_type = str(view.get("media_type") or "text/plain")
    return {
        "content": str(view.get("content") or ""),
        "severity": str(view.get("severity") or "info"),
        "format": media_type[len(_MEDIA_TYPE) :] if media_type.startswith(_MEDIA_TYPE) else media_type,
    }


def wish(quay: QuayClient, options: Mapping[str, Any]) -> Work:
    """The work of quay_message. The messages are read here, too, to see which are meant.

    :param options: of the module.
    :raises InputError: where nothing says which message is meant, or what it shall say.
    """
    # an empty text, which templates leave where nothing was set, is none
    given = canonical({name: value for name, value in options.items() if value != ""}, OPTIONS)
    if not any(name in given for name in _SEARCH):
        raise InputError("content", "nothing says which message is meant", "Give content, regexp, search_string or search_severity.")
    if "regexp" in given and "search_string" in given:
        raise InputError("regexp", "it is given together with search_string", "Give one of the two.")
    kind = MessageKind(quay)
    meant = _meant(given)
    found = {key: values for key, values in kind.all(REGISTRY).items() if meant(values)}
    own = {field.name: given[field.name] for field in FIELDS if field.name in given}
    if options["state"] == "absent":
        exact = {name: value for name, value in own.items() if name != "content"}
        return Work([Intent(kind, REGISTRY, key) for key, values in found.items() if _has(values, exact)])
    fitting = [values for values in found.values() if _has(values, own)]
    # what the options do not say stays as it is
    former = (fitting or list(found.values()) or [{}])[-1]
    wanted = {"severity": "info", "format": "plain", **former, **own}
    wanted.pop("copies", None)
    if "content" not in wanted:
        raise InputError("content", "no message was found, and there is no text for a new one", "Give content.")
    key = key_of(wanted)
    return Work([Intent(kind, REGISTRY, key, wanted), *(Intent(kind, REGISTRY, other) for other in found if other != key)])


def _meant(given: Mapping[str, Any]) -> Callable[[Object], bool]:
    """Whether a message is found by what the user looks for."""
    expression = re.compile(given["regexp"]) if "regexp" in given else None
    part = given.get("search_string")
    whole = given.get("content") if expression is None and part is None else None

    def meant(values: Object) -> bool:
        content = values["content"]
        return (
            given.get("search_severity") in (None, values["severity"])
            and (expression is None or expression.search(content) is not None)
            and (part is None or part in content)
            and (whole is None or whole == content)
        )

    return meant


def _has(values: Object, wanted: Object) -> bool:
    return all(values[name] == value for name, value in wanted.items())
