# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be known of a Quay, gathered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay import images
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.export import Export, ExportTask, excludable
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.repositories import named
from ansible_collections.quayside.airgap.plugins.module_utils.quay.tags import TagKind

_IN_ORGANIZATIONS = tuple(name for name in excludable() if name not in ("organizations", "users"))


@dataclass(frozen=True)
class InfoTask:
    """What shall be gathered.

    :ivar subjects: of :func:`subjects`.
    :ivar organizations: names, for what lies in organizations; None for all that the user administers.
    :ivar repository: ``namespace/name``, for tags.
    :ivar image: ``namespace/name:tag`` or with a digest, for what belongs to one image.
    """

    subjects: frozenset[str]
    organizations: Sequence[str] | None = None
    repository: str = ""
    image: str = ""


def subjects() -> tuple[str, ...]:
    """Everything that can be gathered."""
    return tuple(sorted({*_SIMPLE, "organizations", "tags", *images.SUBJECTS, *_IN_ORGANIZATIONS}))


def gather(quay: QuayClient, task: InfoTask) -> dict[str, Any]:
    """What the task asks for, by subject; what lies in organizations stands there in ``organizations``.

    :raises AirgapError: when something cannot be read.
    """
    of_image = task.subjects & set(images.SUBJECTS)
    if of_image and not task.image:
        raise InputError("image", "it is missing", "Say which image is meant.")
    found: dict[str, Any] = {name: read(quay) for name, read in _SIMPLE.items() if name in task.subjects}
    wanted = task.subjects & {"organizations", *_IN_ORGANIZATIONS}
    if wanted:
        # members lie in teams, and what repositories have in repositories
        around = {"members": "teams", "permissions": "repositories", "notifications": "repositories"}
        wanted |= {around[name] for name in wanted if name in around} | {"organizations"}
        export = Export(quay, ExportTask(task.organizations, frozenset(excludable()) - wanted))
        found["organizations"] = export.run()["organizations"]
    if "tags" in task.subjects:
        if not task.repository:
            raise InputError("repository", "it is missing", "Say whose tags are meant.")
        place = Place(*named(quay, task.repository, "repository"))
        kind = TagKind(quay)
        found["tags"] = [{"name": name, **kind.shown(values)} for name, values in sorted(kind.all(place).items())]
    if of_image:
        found.update(images.gather(quay, task.image, of_image))
    return found


def _capabilities(quay: QuayClient) -> dict[str, Any]:
    known = quay.capabilities
    return {
        "url": quay.web,
        "version": known.version,
        "read_only": known.read_only,
        "features": dict(sorted((known.config.get("features") or {}).items())),
        "config": known.config.get("config") or {},
    }


def _user(quay: QuayClient) -> dict[str, Any]:
    view = quay.find(at("user", ""), "read the user") or {}
    return {
        "name": str(view.get("username", "")),
        "email": str(view.get("email") or ""),
        "superuser": bool(view.get("super_user", False)),
        "organizations": sorted(str(entry["name"]) for entry in view.get("organizations", ())),
    }


def _users(quay: QuayClient) -> list[dict[str, Any]]:
    what = "list all users"
    body = quay.get(at("superuser", "users", ""), what)
    return sorted(
        (
            {
                "name": str(view["username"]),
                "email": str(view.get("email") or ""),
                "enabled": bool(view.get("enabled", True)),
                "superuser": bool(view.get("super_user", False)),
            }
            for view in entries(body, "users", what, quay.name)
        ),
        key=lambda user: str(user["name"]),
    )


def _messages(quay: QuayClient) -> list[dict[str, Any]]:
    what = "list the messages"
    body = quay.get(at("messages"), what)
    known = ("uuid", "content", "severity", "media_type")
    return [{name: view.get(name) for name in known} for view in entries(body, "messages", what, quay.name)]


_SIMPLE: Mapping[str, Callable[[QuayClient], Any]] = {
    "capabilities": _capabilities,
    "messages": _messages,
    "user": _user,
    "users": _users,
}
