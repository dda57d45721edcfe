# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notifications of repositories, and which e-mail addresses agreed to get some.

Nothing is sent. Notifications are `extra["notifications"]` of their repository; those that a test was asked for are listed in
`world.extra["tested_notifications"]`. `extra["authorized_emails"]` of a repository says of addresses whether they agreed.
"""

from __future__ import annotations

import json
import uuid as uuids
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import NOT_FOUND_MESSAGE, Crash, Message, invalid, not_found
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes, repo_admin
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Repository

ROUTES = Routes("repositorynotification")

LIST = "/repository/<path:repository>/notification/"
ONE = LIST + "<uuid>"
EMAIL = "/repository/<path:repository>/authorizedemail/<email>"
EVENTS = {
    "repo_push": "3.0",
    "build_queued": "3.0",
    "build_start": "3.0",
    "build_success": "3.0",
    "build_cancelled": "3.0",
    "build_failure": "3.0",
    "vulnerability_found": "3.0",
    "repo_mirror_sync_started": "3.1",
    "repo_mirror_sync_success": "3.1",
    "repo_mirror_sync_failed": "3.1",
    "repo_image_expiry": "3.12",
    "quota_warning": "3.18",
    "quota_error": "3.18",
}
NEW = {
    "type": "object",
    "description": "Information for creating a notification on a repository",
    "required": ["event", "method", "config", "eventConfig"],
    "properties": {
        "event": {"type": "string", "description": "The event on which the notification will respond"},
        "method": {"type": "string", "description": "The method of notification (such as email or web callback)"},
        "config": {"type": "object", "description": "JSON config information for the specific method of notification"},
        "eventConfig": {"type": "object", "description": "JSON config information for the specific event of notification"},
        "title": {"type": "string", "description": "The human-readable title of the notification"},
    },
}
NOT_AUTHORIZED = "The specified e-mail address is not authorized to receive notifications for this repository"
_P = {"access": repo_admin, "scope": "repo:admin"}


# ------------------------------------------------------------------ methods


def _check_webhook(call: Call, namespace: str, repository: Repository | None, config: dict[str, Any]) -> None:
    url = config.get("url") or ""
    if not url:
        raise invalid("Missing webhook URL")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise invalid("Invalid webhook URL")
    if parts.hostname is None:
        raise Crash()
    refused = {"localhost", "127.0.0.1", urlsplit(call.base_url).hostname, *call.options.settings.get("WEBHOOK_HOSTNAME_BLACKLIST", ())}
    if parts.hostname in refused:
        raise invalid("Invalid webhook URL")
    if config.get("template"):
        _check_template(config["template"])


def _check_template(text: str) -> None:
    try:
        json.loads(text)
    except ValueError as error:
        raise invalid(f"Could not parse template: {error}") from None
    if "${}" in text:
        raise invalid("Empty expression found")


def _check_slack(call: Call, namespace: str, repository: Repository | None, config: dict[str, Any]) -> None:
    if not config.get("url"):
        raise invalid("Missing Slack Callback URL")


def _check_hipchat(call: Call, namespace: str, repository: Repository | None, config: dict[str, Any]) -> None:
    if not config.get("notification_token"):
        raise invalid("Missing Hipchat Room Notification Token")
    if not config.get("room_id"):
        raise invalid("Missing Hipchat Room ID")


def _check_flowdock(call: Call, namespace: str, repository: Repository | None, config: dict[str, Any]) -> None:
    if not config.get("flow_api_token"):
        raise invalid("Missing Flowdock API Token")


def _check_email(call: Call, namespace: str, repository: Repository | None, config: dict[str, Any]) -> None:
    if not config.get("email"):
        raise invalid("Missing e-mail address")
    if repository is None or not repository.extra.get("authorized_emails", {}).get(config["email"]):
        raise invalid(NOT_AUTHORIZED)


def _check_quay(call: Call, namespace: str, repository: Repository | None, config: dict[str, Any]) -> None:
    """A user, or a team or organization that the repository is of."""
    target = config.get("target") or {}
    kind, name = target.get("kind"), target.get("name")
    if not kind:
        raise invalid("Missing target")
    if kind == "user":
        if name not in call.world.users:
            raise invalid(f"Unknown user {name}")
    elif kind == "team":
        organization = call.world.organizations.get(namespace)
        if organization is None or name not in organization.teams:
            raise invalid(f"Unknown team {name}")
    elif kind == "org":
        if name not in call.world.organizations:
            raise invalid(f"Unknown organization {name}")
        if name != namespace:
            raise Crash()
    else:
        raise Crash()


METHODS = {
    "webhook": _check_webhook,
    "slack": _check_slack,
    "hipchat": _check_hipchat,
    "flowdock": _check_flowdock,
    "email": _check_email,
    "quay_notification": _check_quay,
}


# ------------------------------------------------------------ notifications


def _of(repository: Repository) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = repository.extra.setdefault("notifications", [])
    return kept


def _find(call: Call, uuid: str) -> tuple[Repository, dict[str, Any]] | None:
    """A notification of any repository: Quay looks for its id alone."""
    everything: Iterator[tuple[Repository, dict[str, Any]]] = (
        (repository, found) for repository in call.world.repositories.values() for found in repository.extra.get("notifications", ())
    )
    return next((pair for pair in everything if pair[1]["uuid"] == uuid), None)


def _missing(repository: str, uuid: str) -> Exception:
    namespace, _slash, name = repository.partition("/")
    return invalid(f"No repository notification found for: {namespace}, {name}, {uuid}")


@ROUTES.get(LIST, **_P)
def listing(call: Call, repository: str) -> Result:
    """All of a repository; none for one that is not there."""
    found = call.world.repositories.get(repository)
    return {"notifications": _of(found) if found else []}


@ROUTES.post(LIST, schema=NEW, schema_name="NotificationCreateRequest", **_P)
def create(call: Call, repository: str) -> Result:
    """One more, were it the same as another one."""
    body = call.body
    found = call.world.repositories.get(repository)
    if body["method"] not in METHODS:
        raise Crash()
    METHODS[body["method"]](call, repository.partition("/")[0], found, body["config"])
    since = EVENTS.get(body["event"])
    if found is None or since is None or not call.options.at_least(since):
        raise Crash()
    made = {
        "uuid": str(uuids.uuid4()),
        "title": body.get("title"),
        "event": body["event"],
        "method": body["method"],
        "config": body["config"],
        "event_config": body["eventConfig"],
        "number_of_failures": 0,
    }
    _of(found).append(made)
    return made, 201


@ROUTES.get(ONE, **_P)
def show(call: Call, repository: str, uuid: str) -> Result:
    """One of them."""
    pair = _find(call, uuid)
    if pair is None:
        raise not_found()
    return pair[1]


@ROUTES.delete(ONE, **_P)
def delete(call: Call, repository: str, uuid: str) -> Result:
    """Delete one."""
    pair = _find(call, uuid)
    if pair is None or pair[0].full_name != repository:
        raise _missing(repository, uuid)
    _of(pair[0]).remove(pair[1])
    return None, 204


@ROUTES.post(ONE, **_P)
def reset(call: Call, repository: str, uuid: str) -> Result:
    """Forget its failures."""
    pair = _find(call, uuid)
    if pair is None:
        raise _missing(repository, uuid)
    if pair[0].full_name != repository:
        raise Message(400, f"No repository notification found with uuid: {uuid}")
    pair[1]["number_of_failures"] = 0
    return None, 204


@ROUTES.post(ONE + "/test", **_P)
def test(call: Call, repository: str, uuid: str) -> Result:
    """Ask for a test."""
    if _find(call, uuid) is None:
        raise _missing(repository, uuid)
    call.world.extra.setdefault("tested_notifications", []).append(uuid)
    return {}


# ------------------------------------------------------------------- e-mail


def _authorization(repository: Repository, email: str) -> Result:
    agreed = repository.extra["authorized_emails"][email]
    return {"email": email, "repository": repository.name, "namespace": repository.namespace, "confirmed": agreed}


@ROUTES.get(EMAIL, feature="MAILING", hidden=True, **_P)
def authorization(call: Call, repository: str, email: str) -> Result:
    """Whether an address agreed."""
    found = call.world.repositories.get(repository)
    if found is None or email not in found.extra.get("authorized_emails", {}):
        raise Message(404, NOT_FOUND_MESSAGE)
    return _authorization(found, email)


@ROUTES.post(EMAIL, feature="MAILING", hidden=True, **_P)
def authorize(call: Call, repository: str, email: str) -> Result:
    """Ask an address; it agrees by a link in an e-mail."""
    found = call.world.repositories.get(repository)
    if found is None:
        raise Crash()
    found.extra.setdefault("authorized_emails", {}).setdefault(email, False)
    return _authorization(found, email)
