# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tags: where they point to, when they expire, whether they may change, and getting deleted ones back (Quay API: tags)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay import names
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import IMMUTABLE, QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import (
    CONTENTS,
    Intent,
    Kind,
    Object,
    Place,
    PlaceMissing,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work
from ansible_collections.quayside.airgap.plugins.module_utils.quay.repositories import named
from ansible_collections.quayside.airgap.plugins.module_utils.quay.values import seconds
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_digest

_PAGE = 100
_NEVER = ("", "never")
_HINT = "Make it changeable first (immutable: false), which takes an administrator of the repository."


class TagKind(Kind):
    """Live tags of a repository; the key is the tag.

    Fields: ``digest``, ``expiration`` (ISO 8601 in UTC, or ``never``), ``immutable``.
    """

    name = "tag"
    stage = CONTENTS
    single_read = True

    def all(self, place: Place) -> Mapping[str, Object]:
        return {str(view["name"]): document(view) for view in self.history(place, {"onlyActiveTags": True})}

    def look(self, place: Place, key: str) -> Object | None:
        found = self.history(place, {"onlyActiveTags": True, "specificTag": key})
        return document(found[0]) if found else None

    def history(self, place: Place, query: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Quay's views of tags, newest first; without ``onlyActiveTags`` with all that they were before.

        :raises PlaceMissing: for a missing repository.
        """
        what = f"list the tags of {place.path}"
        path = at("repository", place.namespace, place.repository, "tag", "")
        found: list[Mapping[str, Any]] = []
        page = 1
        while True:
            body = self.quay.find(path, what, {**query, "limit": _PAGE, "page": page})
            if body is None:
                raise PlaceMissing(what, f"on {self.quay.name}", "there is no such repository", "Check its name.")
            listed = entries(body, "tags", what, self.quay.name)
            found += listed
            if not listed or not body.get("has_additional"):
                return found
            page += 1

    def differing(self, wanted: Object, found: Object) -> frozenset[str]:
        changed = super().differing(wanted, found)
        if "expiration" in changed and self._limited(wanted["expiration"], found):
            return changed - {"expiration"}
        return changed

    def warnings(self, place: Place, key: str, wanted: Object, found: Object) -> list[str]:
        if self._limited(wanted.get("expiration", "never"), found):
            return [f"Quay lets the tag {self.title(place, key)} expire at {found['expiration']}: that is as far as its limits go."]
        return []

    def _limited(self, wanted: str, found: Object) -> bool:
        """Whether Quay moved a wanted expiration to its limits, which count from the tag's beginning."""
        if "never" in (wanted, found["expiration"]):
            return False
        lived = _moment(found["expiration"]) - found.get("start", 0)
        least, most = (
            seconds(self.quay.capabilities.setting(name) or default)
            for name, default in (("LABELED_EXPIRATION_MINIMUM", "1h"), ("LABELED_EXPIRATION_MAXIMUM", "104w"))
        )
        later = _moment(wanted) > _moment(found["expiration"])
        return bool(lived == (most if later else least))

    def shown(self, values: Object) -> dict[str, Any]:
        return {name: value for name, value in values.items() if name != "start"}

    def check(self, place: Place, key: str, wanted: Object) -> None:
        """:raises AirgapError: for a feature that this Quay does not have, or a moment that is over."""
        if "immutable" in wanted:
            what = f"make the tag {self.title(place, key)} immutable"
            # a route that exists only where tags can be immutable
            route = "/api/v1/repository/{repository}/immutabilitypolicy/"
            self.quay.capabilities.need(route, "IMMUTABLE_TAGS", what, "3.17")
        expiration = wanted.get("expiration", "never")
        if expiration != "never" and _moment(expiration) <= time.time():
            raise InputError("expiration", f"{expiration} is over", "Give a moment in the future, or never.")

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        if "digest" not in wanted:
            raise self._missing(place, key)
        self._put(place, key, wanted, frozenset(wanted))
        return None

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        if found["immutable"] and wanted.get("immutable") is False:
            # an immutable tag takes no other change
            self._put(place, key, wanted, frozenset({"immutable"}))
            changed = changed - {"immutable"}
        if changed:
            self._put(place, key, wanted, changed)
        return None

    def delete(self, place: Place, key: str, found: Object) -> None:
        try:
            self.quay.delete(self._path(place, key), f"delete the tag {self.title(place, key)}")
        except QuayError as error:
            raise _explained(error) from error

    def restore(self, place: Place, key: str, digest: str) -> None:
        """Let a deleted tag point again to a manifest that it once pointed to."""
        what = f"restore the tag {self.title(place, key)}"
        try:
            self.quay.post(f"{self._path(place, key)}/restore", {"manifest_digest": digest}, what)
        except QuayError as error:
            raise _explained(error) from error

    def title(self, place: Place, key: str) -> str:
        return f"{place.path}:{key}"

    def _put(self, place: Place, key: str, wanted: Object, changed: frozenset[str]) -> None:
        bodies: list[dict[str, Any]] = []
        if "digest" in changed:
            bodies.append({"manifest_digest": wanted["digest"]})
        if "expiration" in changed or ("digest" in changed and wanted.get("expiration", "never") != "never"):
            # a tag that was moved in the same call loses it again
            bodies.append({"expiration": None if wanted["expiration"] == "never" else _moment(wanted["expiration"])})
        if "immutable" in changed:
            # after the rest, which an immutable tag would refuse
            bodies.append({"immutable": wanted["immutable"]})
        title = self.title(place, key)
        try:
            for body in bodies:
                self.quay.put(self._path(place, key), body, f"change the tag {title}")
        except QuayError as error:
            if error.status == 404 and "digest" in changed:
                said = f"no live tag of {place.path} points to {wanted['digest']}"
                hint = "Push the image first; for a deleted one, restore one of its tags."
                raise QuayError(error.action, error.subject, said, hint, status=404, code=error.code) from error
            raise _explained(error) from error

    def _path(self, place: Place, key: str) -> str:
        return at("repository", place.namespace, place.repository, "tag", key)

    def _missing(self, place: Place, key: str) -> AirgapError:
        hint = "Say with image which manifest it shall point to."
        return AirgapError("change the tag", self.title(place, key), "it does not exist", hint)


class PresentTagKind(TagKind):
    """A tag that is changed where it is: without a manifest to point to it cannot be made."""

    def look(self, place: Place, key: str) -> Object | None:
        found = super().look(place, key)
        if found is None:
            raise self._missing(place, key)
        return found


class RestoredTagKind(TagKind):
    """A tag that shall be there again if it was deleted; wishes may hold a ``digest``, default: what it pointed to last."""

    def check(self, place: Place, key: str, wanted: Object) -> None:
        """:raises AirgapError: also for a tag that never pointed to the digest, or never was."""
        super().check(place, key, wanted)
        self._former(place, key, wanted)

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        self.restore(place, key, self._former(place, key, wanted))
        rest = frozenset(wanted) - {"digest"}
        if rest:
            self._put(place, key, wanted, rest)
        return None

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        if "digest" not in changed:
            return super().update(place, key, wanted, found, changed)
        if found["immutable"] and wanted.get("immutable") is False:
            self._put(place, key, wanted, frozenset({"immutable"}))
        # moving would not do: it takes only manifests that a live tag leads to
        return self.create(place, key, wanted)

    def _former(self, place: Place, key: str, wanted: Object) -> str:
        """The digest to restore: the wanted one, or what the tag pointed to last."""
        before = self.history(place, {"specificTag": key})
        digests = [str(view["manifest_digest"]) for view in before if view.get("manifest_digest")]
        digest = str(wanted.get("digest") or (digests[0] if digests else ""))
        if digest not in digests:
            reason = f"it never pointed to {digest}" if digest else "there never was such a tag, or its time is over"
            raise AirgapError("restore the tag", self.title(place, key), reason)
        return digest


def document(view: Mapping[str, Any]) -> dict[str, Any]:
    """A tag in document form, of Quay's view."""
    end = view.get("end_ts")
    return {
        "digest": str(view.get("manifest_digest") or ""),
        "expiration": _text(int(end)) if end else "never",
        "immutable": bool(view.get("immutable", False)),
        "start": int(view.get("start_ts") or 0),
    }


def expiration(value: str, pattern: str = "") -> str:
    """The canonical text of a moment: ISO 8601 in UTC, or ``never``.

    :param value: ISO 8601 (UTC without a zone), seconds since 1970, ``never``; or as ``pattern`` says.
    :param pattern: of strptime, in the local time of this host.
    :raises ValueError: with a sentence for the user.
    """
    text = value.strip()
    if text.lower() in _NEVER:
        return "never"
    if pattern:
        try:
            return _text(int(datetime.strptime(text, pattern).timestamp()))
        except ValueError as error:
            raise ValueError(f"'{value}' does not fit expiration_format {pattern}") from error
    if text.isdecimal():
        return _text(int(text))
    try:
        moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)
    except ValueError as error:
        raise ValueError(f"'{value}' is no moment; write 2026-12-31T23:59:59Z, seconds since 1970, or never") from error
    return _text(int((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()))


def wish(quay: QuayClient, options: Mapping[str, Any]) -> tuple[Work, str]:
    """The work of quay_tag, and the full name of the tag.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    """
    image, digest = _image(options["image"])
    repository, _colon, old = image.rpartition(":") if ":" in image.rpartition("/")[2] else (image, "", "")
    namespace, name = named(quay, repository, "image")
    place = Place(namespace, name)
    key = options["tag"] or old
    try:
        names.tag(key)
        wanted: dict[str, Any] = {}
        if options["expiration"] is not None:
            wanted["expiration"] = expiration(options["expiration"], options["expiration_format"] or "")
    except ValueError as error:
        raise InputError("tag" if "tag" in str(error) else "expiration", str(error)) from error
    if options["immutable"] is not None:
        wanted["immutable"] = options["immutable"]
    if options["state"] == "absent":
        return Work([Intent(TagKind(quay), place, key)]), f"{place.path}:{key}"
    if options["state"] == "restored":
        return Work(
            [Intent(RestoredTagKind(quay), place, key, {**wanted, **({"digest": digest} if digest else {})})]
        ), f"{place.path}:{key}"
    if not digest and old != key:
        found = TagKind(quay).look(place, old) if old else None
        if found is None:
            raise InputError("image", f"there is no tag {place.path}:{old}", "Name a tag that is there, or a digest.")
        digest = found["digest"]
    if digest:
        wanted["digest"] = digest
    return Work([Intent(TagKind(quay) if digest else PresentTagKind(quay), place, key, wanted)]), f"{place.path}:{key}"


def _image(text: str) -> tuple[str, str]:
    """Name with tag, and digest, of an image without a registry: ``prod/app:1.0``, ``prod/app@sha256:...``."""
    name, at_sign, digest = text.partition("@")
    if at_sign:
        parse_digest(digest, "image")
    return name, digest


def _moment(text: str) -> int:
    return int(datetime.fromisoformat(text[:-1] + "+00:00").timestamp())


def _text(stamp: int) -> str:
    return datetime.fromtimestamp(stamp, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _explained(error: QuayError) -> QuayError:
    if error.code == IMMUTABLE or error.says("immutable tag"):
        return QuayError(error.action, error.subject, error.said, _HINT, status=error.status, code=error.code)
    return error
