# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories that are kept like another one: the configuration, and when it is synchronized.

No worker runs here; `worked` does what it leaves behind. The configuration is `extra["mirror"]` of the repository, in Quay's words;
robots look there for their name.
"""

from __future__ import annotations

import datetime
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import Crash, Message, invalid, not_found
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import RANK, Call, Result, Routes, repo_admin
from ansible_collections.quayside.airgap.tests.sandbox.quay.ssrf import check_reference
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Repository

ROUTES = Routes("mirror", feature="REPO_MIRROR", since="3.1")

PATH = "/repository/<path:repository>/mirror"
RETRIES = 3
ARCHITECTURES = {"amd64", "arm64", "ppc64le", "s390x"}
PROXIES = ("http_proxy", "https_proxy", "no_proxy")
DATE = "%Y-%m-%dT%H:%M:%SZ"
BAD_DATE = "Incorrect DateTime format for sync_start_date."
NO_RULE = "validation failed: rule_value for TAG_GLOB_CSV must be a list with at least one rule"
NO_SPARSE = "Architecture filtering requires FEATURE_SPARSE_INDEX to be enabled."
NO_ROBOT = "Could not find robot with specified username"
LONE_PASSWORD = "Unable to set a new password without also specifying a username."
PASSWORD_OF_NOBODY = "Unable to delete username while setting a password."
ORGANIZATION_IS_ONE = "Repository mirror configuration cannot be managed when organization-level mirroring is configured"
_P = {"access": repo_admin, "scope": "repo:admin"}


# ------------------------------------------------------------------ schemas


def _text(description: str, *, null: bool = False) -> dict[str, Any]:
    return {"type": ["string", "null"] if null else "string", "description": description}


PROXY = {
    "type": "object",
    "description": "Proxy configuration for use during synchronization.",
    "properties": {name: _text(f"Value for {name.upper()} environment variable during sync.", null=True) for name in PROXIES},
}
VERIFY = "Determines whether HTTPs is required and the certificate is verified when communicating with the external repository."
UNSIGNED = "Determines whether the image signature will be verified when pulling from the external repository."
RULE = {
    "type": "object",
    "description": "A list of glob-patterns used to determine which tags should be synchronized.",
    "required": ["rule_kind", "rule_value"],
    "properties": {
        "rule_kind": {"type": "string", "description": "The kind of rule type", "enum": ["tag_glob_csv"]},
        "rule_value": {"type": "array", "description": "Array of tag patterns", "items": {"type": "string"}},
    },
}
COMMON: dict[str, Any] = {
    "is_enabled": {"type": "boolean", "description": "Used to enable or disable synchronizations."},
    "external_reference": _text("Location of the external repository."),
    "external_registry_username": _text("Username used to authenticate with external registry.", null=True),
    "external_registry_password": _text("Password used to authenticate with external registry.", null=True),
    "sync_start_date": _text("Determines the next time this repository is ready for synchronization."),
    "sync_interval": {
        "type": "integer",
        "minimum": 0,
        "description": "Number of seconds after next_start_date to begin synchronizing.",
    },
    "robot_username": _text("Username of robot which will be used for image pushes."),
    "root_rule": RULE,
    "external_registry_config": {
        "type": "object",
        "properties": {
            "verify_tls": {"type": "boolean", "description": VERIFY},
            "unsigned_images": {"type": "boolean", "description": UNSIGNED},
            "proxy": PROXY,
        },
    },
}
TIMEOUT = {
    "type": "integer",
    "minimum": 300,
    "description": "Number of seconds mirroring job will run before timing out.",
}
FILTER = {
    "type": ["array", "null"],
    "items": {"type": "string"},
    "description": "List of architectures to mirror from multi-arch images. Empty array or null means mirror all architectures. "
    "Valid values: amd64, arm64, ppc64le, s390x.",
}


def _properties(options: QuayOptions) -> dict[str, Any]:
    """What a version knows of: a time limit since 3.15, architectures since 3.17."""
    timeout = {"skopeo_timeout_interval": TIMEOUT} if options.at_least("3.15") else {}
    return {**COMMON, **timeout, **({"architecture_filter": FILTER} if options.at_least("3.17") else {})}


def create_schema(options: QuayOptions) -> dict[str, Any]:
    """CreateMirrorConfig; the time limit is required where it is known."""
    required = ["external_reference", "sync_interval", "sync_start_date", "root_rule"]
    return {
        "type": "object",
        "description": "Create the repository mirroring configuration.",
        "required": required + (["skopeo_timeout_interval"] if options.at_least("3.15") else []),
        "properties": _properties(options),
    }


def update_schema(options: QuayOptions) -> dict[str, Any]:
    """UpdateMirrorConfig."""
    return {"type": "object", "description": "Update the repository mirroring configuration.", "properties": _properties(options)}


# ------------------------------------------------------------------- checks


def _mirror(call: Call, repository: str) -> dict[str, Any]:
    found: dict[str, Any] | None = call.repository(repository).extra.get("mirror")
    if found is None:
        raise not_found()
    return found


def _refuse_organization_mirror(call: Call, repository: Repository) -> None:
    namespace = call.world.namespace(repository.namespace)
    if namespace is not None and namespace.extra.get("org_mirror"):
        raise invalid(ORGANIZATION_IS_ONE)


def _check(call: Call, values: dict[str, Any]) -> None:
    """What a schema cannot say: the address, architectures and the date, which is made a plain one."""
    if "external_reference" in values and call.options.at_least("3.18"):
        check_reference(values["external_reference"], call.options)
    if values.get("architecture_filter") and call.options.at_least("3.17"):
        if not call.options.feature("SPARSE_INDEX"):
            raise Message(400, NO_SPARSE, key="detail")
        strange = sorted(set(values["architecture_filter"]) - ARCHITECTURES)
        if strange:
            raise Message(400, f"Invalid architectures: {', '.join(strange)}", key="detail")
    if "sync_start_date" in values:
        try:
            values["sync_start_date"] = datetime.datetime.strptime(values["sync_start_date"], DATE).strftime(DATE)
        except ValueError:
            raise Message(400, BAD_DATE, key="detail") from None


def _check_rule(rule: dict[str, Any]) -> None:
    if not rule["rule_value"]:
        raise invalid(NO_RULE)


def _check_robot(call: Call, repository: Repository, name: str) -> None:
    if name not in call.world.robots:
        raise Message(400, NO_ROBOT)
    if name.partition("+")[0] != repository.namespace:
        raise Message(400, "Invalid robot")


def _let_write(call: Call, repository: Repository, robot: str) -> None:
    if RANK[repository.users.get(robot)] < RANK["write"]:
        call.world.permit(repository, robot, "write")


# ------------------------------------------------------------ configuration


@ROUTES.get(PATH, **_P)
def show(call: Call, repository: str) -> Result:
    """The configuration, without the password."""
    found = _mirror(call, repository)
    known = set(_properties(call.options)) | {"mirror_type", "sync_expiration_date", "sync_retries_remaining", "sync_status"}
    return {name: value for name, value in found.items() if name in known and name != "external_registry_password"}


@ROUTES.post(PATH, schema=create_schema, schema_name="CreateMirrorConfig", **_P)
def create(call: Call, repository: str) -> Result:
    """Make a repository a mirror; its robot may write then."""
    found = call.repository(repository)
    _refuse_organization_mirror(call, found)
    if "mirror" in found.extra:
        raise Message(409, f"Mirror configuration already exits for repository {repository}", key="detail")
    values = dict(call.body)
    _check(call, values)
    _check_rule(values["root_rule"])
    # Quay stores the rule before it looks at the robot: one of a refused mirror stays, and later changes of the rule go there.
    stray = found.extra.get("stray_mirror_rule", False)
    found.extra["stray_mirror_rule"] = True
    if "robot_username" not in values:
        raise Crash()
    _check_robot(call, found, values["robot_username"])
    _let_write(call, found, values["robot_username"])
    if set(values) - set(_properties(call.options)):
        raise Crash()
    found.extra["stray_mirror_rule"] = stray
    found.extra["mirror"] = {
        "is_enabled": values.get("is_enabled", True),
        "mirror_type": "PULL",
        "external_reference": values["external_reference"],
        "external_registry_username": values.get("external_registry_username") or None,
        "external_registry_password": values.get("external_registry_password") or None,
        "external_registry_config": values.get("external_registry_config") or {},
        "sync_interval": values["sync_interval"],
        "sync_start_date": values["sync_start_date"],
        "sync_expiration_date": None,
        "sync_retries_remaining": RETRIES,
        "sync_status": "NEVER_RUN",
        "root_rule": values["root_rule"],
        "robot_username": values["robot_username"],
        "skopeo_timeout_interval": values.get("skopeo_timeout_interval", 300),
        "architecture_filter": values.get("architecture_filter") or [],
    }
    found.state = "MIRROR"
    return "", 201


@ROUTES.put(PATH, schema=update_schema, schema_name="UpdateMirrorConfig", **_P)
def update(call: Call, repository: str) -> Result:
    """Change some of it; everything is checked before anything is changed."""
    found = call.repository(repository)
    _refuse_organization_mirror(call, found)
    mirror = _mirror(call, repository)
    known = _properties(call.options)
    values = {name: value for name, value in call.body.items() if name in known}
    _check(call, values)
    if "external_registry_password" in values and "external_registry_username" not in values:
        raise Message(400, LONE_PASSWORD, key="detail")
    if values.get("external_registry_password") is not None and values["external_registry_username"] is None:
        raise Message(400, PASSWORD_OF_NOBODY, key="detail")
    if "root_rule" in values:
        _check_rule(values["root_rule"])
        if found.extra.get("stray_mirror_rule"):
            del values["root_rule"]
    if "robot_username" in values:
        _check_robot(call, found, values["robot_username"])
        _let_write(call, found, values["robot_username"])
    if "architecture_filter" in values:
        values["architecture_filter"] = values["architecture_filter"] or []
    _merge(mirror["external_registry_config"], values.pop("external_registry_config", {}))
    mirror.update(values)
    return "", 201


def _merge(config: dict[str, Any], updates: dict[str, Any]) -> None:
    """Quay changes one value after the other, and loses the first of a proxy where there was none so far."""
    for name in ("verify_tls", "unsigned_images"):
        if name in updates:
            config[name] = updates[name]
    for name in PROXIES:
        if name in updates.get("proxy", {}):
            if "proxy" in config:
                config["proxy"][name] = updates["proxy"][name]
            else:
                config["proxy"] = {}


# ---------------------------------------------------------- synchronization


@ROUTES.post(PATH + "/sync-now", **_P)
def sync_now(call: Call, repository: str) -> Result:
    """Let it be synchronized next; not found while it is."""
    mirror = _mirror(call, repository)
    if mirror["sync_status"] == "SYNCING":
        raise not_found()
    retries = max(mirror["sync_retries_remaining"], 1)
    mirror.update(sync_status="SYNC_NOW", sync_expiration_date=None, sync_retries_remaining=retries)
    return None, 204


@ROUTES.post(PATH + "/sync-cancel", **_P)
def sync_cancel(call: Call, repository: str) -> Result:
    """Cancel what waits or goes on; not found when nothing does."""
    mirror = _mirror(call, repository)
    if mirror["sync_status"] not in ("SYNC_NOW", "SYNCING"):
        raise not_found()
    mirror.update(sync_status="CANCEL", sync_expiration_date=None, sync_retries_remaining=0)
    return None, 204


def worked(mirror: dict[str, Any], *, well: bool = True) -> None:
    """What the worker leaves of a configuration: its next date has fractions of a second, which Quay does not take from anybody."""
    mirror["sync_status"] = "SUCCESS" if well else "FAIL"
    mirror["sync_retries_remaining"] = RETRIES if well else max(0, mirror["sync_retries_remaining"] - 1)
    if well:
        following = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=mirror["sync_interval"])
        mirror["sync_start_date"] = following.replace(microsecond=827674, tzinfo=None).isoformat() + "Z"
