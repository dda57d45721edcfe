# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labels of images (Quay API: manifest labels). What an image brings along itself is fixed; the rest is Quay's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient
from ansible_collections.quayside.airgap.plugins.module_utils.quay.images import Image, find_image, label_views
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import CONTENTS, Intent, Kind, Object, Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work

# source_type of what the image brings along
_BUILT_IN = "manifest"
_KEY = re.compile(r"[a-z0-9](([a-z0-9]|[-.](?![.-]))*[a-z0-9])?")
_MOST = 255
# Quay API: prefixes that a label added by API must not have; a Quay may be set up to have more
_RESERVED = (
    "com.coreos",
    "com.docker.",
    "com.tectonic",
    "internal",
    "io.cncf.",
    "io.docker.",
    "io.k8s.",
    "io.kubernetes.",
    "io.quay",
    "org.dockerproject.",
    "org.opencontainers.",
    "quay",
)


class Labelled(dict[str, Any]):
    """The values that a key has, in document form, and where they come from: Quay takes a key any number of times.

    :ivar key: of the labels.
    :ivar built_in: values that the image brings along.
    :ivar added: id and value of the labels that were added.
    """

    def __init__(self, views: list[Mapping[str, Any]]) -> None:
        self.key = str(views[0]["key"])
        self.built_in = [str(view["value"]) for view in views if view["source_type"] == _BUILT_IN]
        self.added = [(str(view["id"]), str(view["value"])) for view in views if view["source_type"] != _BUILT_IN]
        super().__init__(values=sorted([*self.built_in, *(value for _label_id, value in self.added)]))


class LabelKind(Kind):
    """Labels of one image; the key is the label's, and an object has all ``values`` of it.

    A wish with ``append`` true adds its values to those that are there.
    """

    name = "label"
    stage = CONTENTS
    single_read = True

    def __init__(self, quay: QuayClient, image: Image) -> None:
        super().__init__(quay)
        self.image = image

    def all(self, place: Place) -> Mapping[str, Object]:
        views: dict[str, list[Mapping[str, Any]]] = {}
        for view in label_views(self.quay, self.image):
            if self.concerns(str(view["value"])):
                views.setdefault(str(view["key"]), []).append(view)
        return {key: Labelled(found) for key, found in views.items()}

    def concerns(self, value: str) -> bool:
        """Whether a label with this value is looked at."""
        return True

    def complete(self, wanted: Object, found: Object | None) -> Object:
        """:raises AirgapError: where the image itself has another value, which cannot be taken away."""
        values = list(wanted["values"])
        if found is None:
            return {"values": values}
        there = cast(Labelled, found)
        if wanted["append"]:
            # once is enough
            return {"values": sorted([*there["values"], *(value for value in values if value not in there["values"])])}
        fixed = [value for value in there.built_in if value not in values]
        if fixed:
            hint = "Set replace: false to have the other value beside it, or build the image anew."
            reason = f"the label {there.key} with the value '{fixed[0]}' comes from the image itself and cannot be replaced"
            raise self.read_only(reason, hint)
        return {"values": values}

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        for value in wanted["values"]:
            self._add(key, value)
        return None

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        there = cast(Labelled, found)
        left = list(wanted["values"])
        for value in there.built_in:
            left.remove(value)
        superfluous = []
        for label_id, value in there.added:
            if value in left:
                left.remove(value)
            else:
                superfluous.append(label_id)
        # first what is new, so that there is a label at any time
        for value in left:
            self._add(key, value)
        self._delete(key, superfluous)
        return None

    def delete(self, place: Place, key: str, found: Object) -> None:
        self._delete(key, [label_id for label_id, _value in cast(Labelled, found).added])

    def title(self, place: Place, key: str) -> str:
        return f"{self.image.name} {key}"

    def read_only(self, reason: str, hint: str) -> AirgapError:
        """The refusal to change what the image brings along."""
        return AirgapError("change the labels of", f"{self.image.name} on {self.quay.name}", reason, hint)

    def _add(self, key: str, value: str) -> None:
        # without a media type Quay finds out by itself whether the value is JSON
        body = {"key": key, "value": value, "media_type": None}
        self.quay.post(self.image.api("labels"), body, f"add the label {key} to {self.image.name}")

    def _delete(self, key: str, label_ids: list[str]) -> None:
        for label_id in label_ids:
            self.quay.delete(self.image.api("labels", label_id), f"delete the label {key} of {self.image.name}")


class UnwantedLabelKind(LabelKind):
    """Labels that shall not be there, all of a key or those with one value."""

    def __init__(self, quay: QuayClient, image: Image, value: str | None) -> None:
        super().__init__(quay, image)
        self._value = value

    def concerns(self, value: str) -> bool:
        return self._value is None or value == self._value

    def look(self, place: Place, key: str) -> Object | None:
        """:raises AirgapError: where the image itself has such a label."""
        found = cast("Labelled | None", super().look(place, key))
        if found is not None and found.built_in:
            reason = f"the label {key} with the value '{found.built_in[0]}' comes from the image itself and cannot be deleted"
            raise self.read_only(reason, "Build the image without it.")
        return found


@dataclass(frozen=True)
class LabelWish:
    """The work of quay_label, and the image that it concerns."""

    work: Work
    image: Image


def label_key(value: str) -> str:
    """The key of a label that can be added.

    :raises InputError: with a sentence that holds the rule.
    """
    if not _KEY.fullmatch(value):
        reason = f"'{value[:40]}' is no key of a label: it holds lower-case letters and digits, with single '.' or '-' between them"
        raise InputError("key", f"{reason} ({_KEY.pattern})")
    if len(value) > _MOST:
        raise InputError("key", f"it has {len(value)} characters, and Quay takes at most {_MOST}")
    prefix = next((prefix for prefix in _RESERVED if value.startswith(prefix)), "")
    if prefix:
        raise InputError("key", f"Quay lets nobody add labels that begin with '{prefix}'", "Build the image with it, or take another key.")
    return value


def wish(quay: QuayClient, options: Mapping[str, Any]) -> LabelWish:
    """What quay_label shall do; looks up what a tag leads to.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    :raises AirgapError: for an image that is not there.
    """
    key, value = options["key"], options["value"]
    if options["state"] == "absent":
        if not key:
            raise InputError("key", "it is empty", "Say which labels shall go.")
        image = find_image(quay, options["image"])
        return LabelWish(Work([Intent(UnwantedLabelKind(quay, image, value), image.place, key)]), image)
    label_key(key)
    image = find_image(quay, options["image"])
    wanted = {"values": [value], "append": not options["replace"]}
    return LabelWish(Work([Intent(LabelKind(quay, image), image.place, key, wanted)]), image)
