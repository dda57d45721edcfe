# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies for tags: what is pruned, and what cannot be changed (Quay API: auto-prune, immutable tags)."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, cast

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.capabilities import NotOfferedError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import POLICIES, Intent, Kind, Object, Place, Purge
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import namespace
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import FORMER, Work
from ansible_collections.quayside.airgap.plugins.module_utils.quay.repositories import named
from ansible_collections.quayside.airgap.plugins.module_utils.quay.values import period, seconds

_METHODS = {"tags": "number_of_tags", "date": "creation_date"}
# What Python says of expressions that no engine takes
_BROKEN = ("unterminated", "missing )", "unbalanced", "nothing to repeat", "min repeat", "bad character range", "bad escape (end")
_DAY = 86400
_MATCHING, _NOT_MATCHING = "matching_immutable", "not_matching_immutable"


def pattern(value: Any) -> str:
    """A regular expression for tags, without blanks around it, as Quay keeps it.

    Quay stores broken ones of auto-prune policies, and fails when it comes to use them. What its database or its own engine may know
    and Python does not (``\\y``, ``(?<name>...)``, ``a++``) is left to them.

    :raises ValueError: for what is broken everywhere.
    """
    text = str(value).strip()
    try:
        re.compile(text)
    except re.error as error:
        if error.msg.startswith(_BROKEN):
            raise ValueError(f"'{text}' is no regular expression: {error}") from error
    return text


def filled_pattern(value: Any) -> str:
    """As :func:`pattern`, but not empty."""
    if not str(value).strip():
        raise ValueError("it is empty; write a regular expression, like ^v[0-9]+")
    return pattern(value)


AUTOPRUNE = (
    Field("method", choices=tuple(_METHODS), required=True, description="Keep a number of tags, or those younger than a period."),
    Field("value", required=True, description="With tags, how many are kept; with date, for how long: 7d, 2w."),
    Field("tag_pattern", normal=pattern, description="Regular expression for the tags that are meant; without it, all."),
    Field("tag_pattern_matches", "bool", default=True, description="Whether the tags that match are meant, or the others."),
)
IMMUTABILITY = (
    Field("tag_pattern", required=True, normal=filled_pattern, description="Regular expression for tags."),
    Field("behavior", choices=(_MATCHING, _NOT_MATCHING), description="Which tags cannot be changed; those that match if not given."),
)


def _period(value: Any) -> str:
    """The canonical text of a period that Quay shows: it knows years of 365 days too, and takes negative ones, which stay as they are."""
    years = re.fullmatch(r"\s*(\d+)\s*y", str(value))
    try:
        return period(int(years[1]) * 365 * _DAY if years else value)
    except ValueError:
        return str(value)


class Policy(dict[str, Any]):
    """A policy in document form, with the ids of all that are like it."""

    def __init__(self, values: Mapping[str, Any], uuids: list[str]) -> None:
        self.uuids = uuids
        super().__init__(values)


class _PolicyKind(Kind):
    """What policies of both kinds share. The key is made of what identifies a policy."""

    stage = POLICIES
    route = ""
    feature = ""

    def all(self, place: Place) -> Mapping[str, Object]:
        if not self._offered(place):
            return {}
        what = f"list the {self._words} of {self._owner(place)}"
        body = self.quay.shared(self._path(place), what)
        found: dict[str, Policy] = {}
        for view in entries(body, "policies", what, self.quay.name) if body is not None else ():
            values = self.document(view)
            key = self.key_of(values)
            if key in found:
                found[key].uuids.append(str(view["uuid"]))
            else:
                found[key] = Policy(values, [str(view["uuid"])])
        return found

    def look(self, place: Place, key: str) -> Object | None:
        self.quay.forget(self._path(place))
        return self.all(place).get(key)

    @abstractmethod
    def document(self, view: Mapping[str, Any]) -> dict[str, Any]:
        """A policy in document form, of Quay's view."""

    @staticmethod
    @abstractmethod
    def key_of(values: Object) -> str:
        """What identifies a policy, of its document form."""

    def title(self, place: Place, key: str) -> str:
        return f"{place.path} {key}".strip()

    def delete(self, place: Place, key: str, found: Object) -> None:
        for uuid in cast(Policy, found).uuids:
            self.quay.delete(f"{self._path(place)}{uuid}", f"delete the {self._singular} {self.title(place, key)}")

    def _offered(self, place: Place) -> bool:
        return self.quay.capabilities.offers(self._route(place), self.feature, self._since(place))

    def _need(self, place: Place, key: str, verb: str) -> str:
        what = f"{verb} the {self._singular} {self.title(place, key)}"
        self.quay.capabilities.need(self._route(place), self.feature, what, self._since(place))
        return what

    def _route(self, place: Place) -> str:
        around = "repository/{repository}" if place.repository else "organization/{orgname}" if place.namespace else "user"
        return f"/api/v1/{around}/{self.route}/"

    def _path(self, place: Place) -> str:
        return f"{place.api or at('user')}/{self.route}/"

    def _owner(self, place: Place) -> str:
        return place.path or "the user"

    @abstractmethod
    def _since(self, place: Place) -> str:
        """The version of Quay that brought such policies to a place."""

    @property
    def _singular(self) -> str:
        return self.name.replace("_", " ")

    @property
    def _words(self) -> str:
        return f"{self._singular[:-1]}ies"


class AutoPruneKind(_PolicyKind):
    """Auto-prune policies of an organization, a repository, or (``Place()``) of the user who asks.

    What identifies one is all that it says: there is nothing to change, only to create and to delete. Before 3.13 there is a
    single policy, which a new one takes the place of.
    """

    name = "autoprune_policy"
    route = "autoprunepolicy"
    feature = "AUTO_PRUNE"

    def document(self, view: Mapping[str, Any]) -> dict[str, Any]:
        methods = {quays: ours for ours, quays in _METHODS.items()}
        method = methods.get(str(view.get("method")), str(view.get("method")))
        found: dict[str, Any] = {"method": method, "value": str(view["value"]) if method == "tags" else _period(view["value"])}
        if view.get("tagPattern"):
            found["tag_pattern"] = str(view["tagPattern"])
            found["tag_pattern_matches"] = view.get("tagPatternMatches") is not False
        return found

    @staticmethod
    def key_of(values: Object) -> str:
        tags = f" tags {'' if values['tag_pattern_matches'] else 'not '}like {values['tag_pattern']}" if values.get("tag_pattern") else ""
        return f"{values['method']} {values['value']}{tags}"

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        what = self._need(place, key, "create")
        body: dict[str, Any] = {
            "method": _METHODS[wanted["method"]],
            "value": int(wanted["value"]) if wanted["method"] == "tags" else wanted["value"],
        }
        several = self.quay.capabilities.field("AutoPrunePolicyConfig", "tagPattern")
        if wanted.get("tag_pattern"):
            if not several:
                raise NotOfferedError(what, f"on {self.quay.name}", "this Quay has no patterns in policies", "That needs Quay 3.13.")
            body.update(tagPattern=wanted["tag_pattern"], tagPatternMatches=wanted["tag_pattern_matches"])
        if not several:
            self.quay.forget(self._path(place))
            for there in self.all(place).values():
                self.quay.put(f"{self._path(place)}{cast(Policy, there).uuids[0]}", body, what)
                return None
        self.quay.post(self._path(place), body, what)
        return None

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        """Never asked for: another value is another policy."""
        return None

    def _since(self, place: Place) -> str:
        return "3.11" if place.repository else "3.10"


class ImmutabilityKind(_PolicyKind):
    """Immutability policies of an organization or a repository; the key is the pattern."""

    name = "immutability_policy"
    route = "immutabilitypolicy"
    feature = "IMMUTABLE_TAGS"

    def document(self, view: Mapping[str, Any]) -> dict[str, Any]:
        matches = view.get("tagPatternMatches") is not False
        return {"tag_pattern": str(view["tagPattern"]), "behavior": _MATCHING if matches else _NOT_MATCHING}

    @staticmethod
    def key_of(values: Object) -> str:
        return str(values["tag_pattern"])

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        what = self._need(place, key, "create")
        self.quay.post(self._path(place), self._body(key, wanted.get("behavior", _MATCHING)), what)
        return None

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        self._put(place, key, found, self._body(key, wanted.get("behavior", found["behavior"])))
        return None

    def rename(self, place: Place, old: str, new: str) -> None:
        found = self.look(place, old)
        if found is None:
            raise AirgapError("change", f"the {self._singular} {self.title(place, old)}", "it is not there any more", transient=True)
        self._put(place, old, found, self._body(new, found["behavior"]))

    def _put(self, place: Place, key: str, found: Object, body: Mapping[str, Any]) -> None:
        uuid = cast(Policy, found).uuids[0]
        self.quay.put(f"{self._path(place)}{uuid}", body, f"change the {self._singular} {self.title(place, key)}")

    def _body(self, key: str, behavior: str) -> dict[str, Any]:
        return {"tagPattern": key, "tagPatternMatches": behavior == _MATCHING}

    def _since(self, place: Place) -> str:
        return "3.17"


def autoprune_policy(values: Mapping[str, Any]) -> dict[str, Any]:
    """The canonical form of an auto-prune policy.

    :param values: with the fields of ``AUTOPRUNE``, each checked already.
    :raises ValueError: for a value that does not fit the method.
    """
    text = str(values["value"]).strip()
    found = {"method": values["method"]}
    if values["method"] == "tags":
        if not text.isdecimal() or int(text) < 1:
            raise ValueError(f"'{text}' is no number of tags; with method: tags it is a whole number from 1 on")
        found["value"] = str(int(text))
    else:
        if text.isdecimal() or seconds(text) < 1:
            raise ValueError(f"'{text}' is no period; with method: date it is a number with s, m, h, d or w, like 7d")
        found["value"] = period(text)
    if values.get("tag_pattern"):
        found["tag_pattern"] = values["tag_pattern"]
        found["tag_pattern_matches"] = bool(values.get("tag_pattern_matches", True))
    return found


def _place(quay: QuayClient, options: Mapping[str, Any], *, own: bool) -> Place:
    """Where the policy belongs.

    :param own: whether the namespace of the user who asks has routes of its own, so that it must be told from organizations.
    """
    if options.get("repository"):
        return Place(*named(quay, str(options["repository"]), "repository"))
    found = canonical({"namespace": options.get("namespace")}, (Field("namespace", required=True, normal=namespace),))["namespace"]
    return Place() if own and quay.identity().name == found else Place(found)


def autoprune_wish(quay: QuayClient, options: Mapping[str, Any]) -> tuple[Work, str]:
    """The work of quay_autoprune, and the name of the namespace or repository.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    """
    given = canonical(options, AUTOPRUNE)
    try:
        policy = autoprune_policy(given)
    except ValueError as error:
        raise InputError("value", str(error)) from error
    place = _place(quay, options, own=True)
    kind = AutoPruneKind(quay)
    key = kind.key_of(policy)
    name = place.path or str(options["namespace"])
    if options["state"] == "absent":
        return Work([Intent(kind, place, key)]), name
    purges = [] if options.get("append", True) else [Purge(kind, place, frozenset({key}))]
    return Work([Intent(kind, place, key, policy)], purges), name


def immutability_wish(quay: QuayClient, options: Mapping[str, Any]) -> tuple[Work, str]:
    """The work of quay_immutability, and the name of the namespace or repository.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    """
    given = canonical(options, (*IMMUTABILITY, Field("new_tag_pattern", normal=filled_pattern)))
    place = _place(quay, options, own=False)
    kind = ImmutabilityKind(quay)
    old = given["tag_pattern"]
    if options["state"] == "absent":
        return Work([Intent(kind, place, old)]), place.path
    new = given.pop("new_tag_pattern", old)
    wanted = {**given, "tag_pattern": new}
    return Work([Intent(kind, place, new, {**wanted, FORMER: old} if new != old else wanted)]), place.path
