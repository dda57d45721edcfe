# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies for tags: auto-prune (kept and shown; nothing is pruned here) and immutability.

A policy makes matching tags immutable when it is created or changed, and tags that come later when they begin; they stay so when it
is deleted.
"""

from __future__ import annotations

import functools
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Union

from ansible_collections.quayside.airgap.tests.sandbox.quay import tag_history
from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import Message, invalid, not_found
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Access, Call, Result, Routes, repo_admin, user_admin
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Namespace, Repository, World

ROUTES = Routes("policy")

AUTOPRUNE, IMMUTABILITY = "autoprune_policies", "immutability_policies"
METHODS = ("number_of_tags", "creation_date")
PERIOD_UNITS = "smhdwy"
MAX_PATTERN = 256
IMMUTABILITY_POLICY = {
    "type": "object",
    "description": "The immutability policy configuration",
    "required": ["tagPattern"],
    "properties": {
        "tagPattern": {"type": "string", "description": "Regex pattern to match tag names"},
        "tagPatternMatches": {
            "type": "boolean",
            "description": "If true, matching tags are immutable. If false, non-matching tags are immutable.",
        },
    },
}
Owner = Union[Namespace, Repository]
Policy = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where policies are: an organization, a repository or the user who calls.

    find    the owner of the policies, None when there is none; refuses those who may not
    """

    path: str
    word: str
    find: Callable[[Call, dict[str, str]], Owner | None]
    scope: str
    access: Access | None = None
    since: str = "3.10"

    def settings(self, feature: str, since: str) -> dict[str, Any]:
        """What the routes of a family have in common here."""
        return {"feature": feature, "since": since, "access": self.access, "scope": self.scope}


def _organization(call: Call, where: dict[str, str]) -> Owner | None:
    # The name of a user serves too, for those who may do everything.
    call.require_org_admin(where["orgname"])
    return call.world.namespace(where["orgname"])


def _repository(call: Call, where: dict[str, str]) -> Owner | None:
    return call.world.repositories.get(where["repository"])


def _user(call: Call, where: dict[str, str]) -> Owner | None:
    return call.user


ORGANIZATION = Place("/organization/<orgname>", "organization", _organization, "org:admin")
REPOSITORY = Place("/repository/<path:repository>", "repository", _repository, "repo:admin", repo_admin, "3.11")
USER = Place("/user", "user namespace", _user, "user:admin", user_admin)


def _existing(found: Owner | None) -> Owner:
    if found is None:
        raise not_found()
    return found


def _policies(found: Owner, kind: str) -> list[Policy]:
    return found.extra.setdefault(kind, [])


def _policy(found: Owner, kind: str, number: str) -> Policy:
    policy = next((policy for policy in _policies(found, kind) if policy["uuid"] == number), None)
    if policy is None:
        raise not_found()
    return policy


# --------------------------------------------------------------- auto-prune


def autoprune_schema(place: Place) -> Callable[[QuayOptions], dict[str, Any]]:
    """AutoPrunePolicyConfig; patterns since 3.13."""

    def schema(options: QuayOptions) -> dict[str, Any]:
        properties: dict[str, Any] = {
            "method": {"type": "string", "description": "The method to use for pruning tags (number_of_tags, creation_date)"},
            "value": {
                "type": ["integer", "string"],
                "description": "The value to use for the pruning method (number of tags e.g. 10, time delta e.g. 7d (7 days))",
            },
        }
        if options.at_least("3.13"):
            properties["tagPattern"] = {"type": "string", "description": "Tags only matching this pattern will be pruned"}
            properties["tagPatternMatches"] = {
                "type": "boolean",
                "description": "Determine whether pruned tags should or should not match the tagPattern",
            }
        description = f"The policy configuration that is to be applied to the {place.word}"
        return {"type": "object", "description": description, "required": ["method", "value"], "properties": properties}

    return schema


def _wanted_autoprune(call: Call) -> Policy:
    policy = {"method": call.body["method"], "value": call.body["value"]}
    if call.options.at_least("3.13"):
        pattern = call.body.get("tagPattern")
        policy["tagPattern"] = None if pattern is None else pattern.strip()
        policy["tagPatternMatches"] = call.body.get("tagPatternMatches", True)
    return policy


def _check_autoprune(policy: Policy) -> None:
    """400 for what Quay refuses; any pattern passes, even if it is no regular expression."""
    if policy["method"] not in METHODS:
        raise invalid("Invalid method provided")
    value = policy["value"]
    number = isinstance(value, int) and value > 0
    if not (number if policy["method"] == "number_of_tags" else isinstance(value, str) and _is_period(value)):
        raise invalid("Invalid value given for method type")
    if policy.get("tagPattern") == "":
        raise invalid("tag_pattern cannot be empty")


def _is_period(text: str) -> bool:
    try:
        int(text[:-1])
    except ValueError:
        return False
    return text[-1] in PERIOD_UNITS


def _serve_autoprune(place: Place) -> None:
    base = f"{place.path}/autoprunepolicy/"
    settings = place.settings("AUTO_PRUNE", place.since)
    taking = {**settings, "schema": autoprune_schema(place), "schema_name": "AutoPrunePolicyConfig"}
    owner = "repository" if place is REPOSITORY else "namespace"

    @ROUTES.get(base, **settings)
    def list_autoprune(call: Call, **where: str) -> Result:
        """All policies; of an organization that is not there, none."""
        found = place.find(call, where)
        if found is None and place is ORGANIZATION:
            return {"policies": []}
        return {"policies": list(_policies(_existing(found), AUTOPRUNE))}

    @ROUTES.post(base, **taking)
    def create_autoprune(call: Call, **where: str) -> Result:
        """One more policy; before 3.13 the only one."""
        there = _policies(_existing(place.find(call, where)), AUTOPRUNE)
        policy = _wanted_autoprune(call)
        if there and not call.options.at_least("3.13"):
            raise invalid(f"Policy for this {owner} already exists, delete existing to create new policy")
        _check_autoprune(policy)
        if any({**other, **policy} == other for other in there):
            raise invalid(f"Existing policy with same values for this {owner}, duplicate policies are not permitted")
        there.append({"uuid": str(uuid.uuid4()), **policy})
        return {"uuid": there[-1]["uuid"]}, 201

    @ROUTES.get(base + "<policy_uuid>", **settings)
    def show_autoprune(call: Call, policy_uuid: str, **where: str) -> Result:
        """One policy."""
        return _policy(_existing(place.find(call, where)), AUTOPRUNE, policy_uuid)

    @ROUTES.put(base + "<policy_uuid>", **taking)
    def update_autoprune(call: Call, policy_uuid: str, **where: str) -> Result:
        """Change a policy, even into a duplicate of another one."""
        policy = _policy(_existing(place.find(call, where)), AUTOPRUNE, policy_uuid)
        wanted = _wanted_autoprune(call)
        _check_autoprune(wanted)
        policy.update(wanted)
        return None, 204

    @ROUTES.delete(base + "<policy_uuid>", **settings)
    def delete_autoprune(call: Call, policy_uuid: str, **where: str) -> Result:
        """Delete a policy."""
        found = _existing(place.find(call, where))
        _policies(found, AUTOPRUNE).remove(_policy(found, AUTOPRUNE, policy_uuid))
        return {"uuid": policy_uuid}


for _place in (ORGANIZATION, REPOSITORY, USER):
    _serve_autoprune(_place)


# -------------------------------------------------------------- immutability


def _wanted_immutability(call: Call) -> Policy:
    pattern = call.body["tagPattern"].strip()
    if not pattern:
        raise invalid("tag_pattern is required and must be a non-empty string")
    if len(pattern) > MAX_PATTERN:
        raise invalid(f"tag_pattern must be {MAX_PATTERN} characters or less")
    try:
        re.compile(pattern)
    except re.error as error:
        if error.msg.startswith("unknown extension"):
            # Quay's engine knows more of them.
            return _policy_values(call, pattern)
        # Quay's engine tells where it stopped, which is the end for what is unfinished; Python's tells where that began.
        unfinished = error.msg.startswith(("unterminated", "missing", "bad escape (end"))
        raise invalid(
            f"Invalid regex pattern: {error.msg.partition(',')[0]} at position {len(pattern) if unfinished else error.pos}"
        ) from None
    return _policy_values(call, pattern)


def _policy_values(call: Call, pattern: str) -> Policy:
    return {"tagPattern": pattern, "tagPatternMatches": call.body.get("tagPatternMatches", True)}


def _refuse_same_pattern(there: list[Policy], wanted: Policy, own: str = "") -> None:
    if any(other["tagPattern"] == wanted["tagPattern"] for other in there if other["uuid"] != own):
        raise invalid("A policy with the same tag_pattern already exists")


def _owner(found: Owner | None, where: dict[str, str]) -> Owner:
    """The owner of policies that are written: a namespace that is missing is another error than a repository."""
    if found is None and "orgname" in where:
        raise Message(400, f"Username does not exist: {where['orgname']}")
    return _existing(found)


def _serve_immutability(place: Place) -> None:
    base = f"{place.path}/immutabilitypolicy/"
    settings = place.settings("IMMUTABLE_TAGS", "3.17")
    taking = {**settings, "schema": IMMUTABILITY_POLICY, "schema_name": "ImmutabilityPolicyConfig"}

    @ROUTES.get(base, **settings)
    def list_immutability(call: Call, **where: str) -> Result:
        """All policies; of an organization that is not there, none."""
        found = place.find(call, where)
        if found is None and place is ORGANIZATION:
            return {"policies": []}
        return {"policies": list(_policies(_existing(found), IMMUTABILITY))}

    @ROUTES.post(base, **taking)
    def create_immutability(call: Call, **where: str) -> Result:
        """One more policy, with a pattern of its own."""
        found = place.find(call, where)
        if place is REPOSITORY:
            found = _existing(found)
        elif found is not None and found.extra.get("org_mirror"):
            raise invalid("Cannot create immutability policy: organization is managed by organization-level mirroring")
        wanted = _wanted_immutability(call)
        found = _owner(found, where)
        _refuse_same_pattern(_policies(found, IMMUTABILITY), wanted)
        policy = {"uuid": str(uuid.uuid4()), **wanted}
        _policies(found, IMMUTABILITY).append(policy)
        _apply(call.world, found, policy)
        return {"uuid": policy["uuid"]}, 201

    @ROUTES.get(base + "<policy_uuid>", **settings)
    def show_immutability(call: Call, policy_uuid: str, **where: str) -> Result:
        """One policy."""
        return _policy(_existing(place.find(call, where)), IMMUTABILITY, policy_uuid)

    @ROUTES.put(base + "<policy_uuid>", **taking)
    def update_immutability(call: Call, policy_uuid: str, **where: str) -> Result:
        """Change a policy; what the body leaves out becomes the default."""
        found = place.find(call, where)
        wanted = _wanted_immutability(call)
        found = _owner(found, where)
        policy = _policy(found, IMMUTABILITY, policy_uuid)
        _refuse_same_pattern(_policies(found, IMMUTABILITY), wanted, policy_uuid)
        policy.update(wanted)
        _apply(call.world, found, policy)
        return None, 204

    @ROUTES.delete(base + "<policy_uuid>", **settings)
    def delete_immutability(call: Call, policy_uuid: str, **where: str) -> Result:
        """Delete a policy; its tags stay immutable."""
        found = _owner(place.find(call, where), where)
        _policies(found, IMMUTABILITY).remove(_policy(found, IMMUTABILITY, policy_uuid))
        return {"uuid": policy_uuid}


for _place in (ORGANIZATION, REPOSITORY):
    _serve_immutability(_place)


def _means(policy: Policy, tag: str) -> bool:
    """Whether a policy makes a tag immutable: the pattern must match the whole name."""
    try:
        found = re.fullmatch(policy["tagPattern"], tag)
    except re.error:
        found = None
    return (found is not None) == policy["tagPatternMatches"]


def _apply(world: World, found: Owner, policy: Policy) -> None:
    """Make the tags immutable that are there already."""
    for repository in [found] if isinstance(found, Repository) else found.repositories.values():
        tag_history.of(world, repository).make_immutable(functools.partial(_means, policy))


def install(world: World) -> None:
    """Let policies say of every tag that begins whether it is immutable."""

    def says(full_name: str, tag: str) -> bool:
        repository = world.repositories.get(full_name)
        namespace = world.namespace(full_name.partition("/")[0])
        owners = [owner for owner in (repository, namespace) if owner is not None]
        return any(_means(policy, tag) for owner in owners for policy in _policies(owner, IMMUTABILITY))

    if world.options.feature("IMMUTABLE_TAGS"):
        world.extra.setdefault("immutable_tags", []).append(says)
