# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of what a registry is made of: which kinds of objects, where in the document, with which fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from ansible_collections.quayside.airgap.plugins.module_utils.quay import (
    applications,
    default_permissions,
    notifications,
    organization_mirrors,
    organizations,
    permissions,
    policies,
    proxy_caches,
    quotas,
    repositories,
    repository_mirrors,
    robot_tasks,
    robots,
    teams,
    users,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import Kind, Object
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import namespace, repository, short_robot, team, user


def by_name(entry: Mapping[str, Any]) -> str:
    """The key of an entry that has a name."""
    return str(entry["name"])


def with_name(key: str, values: Object) -> dict[str, Any]:
    """The entry of an object whose key is its name."""
    return {"name": key, **values}


@dataclass(frozen=True)
class Section:
    """One kind of objects in the document.

    :ivar name: key in the document, and the word for purging.
    :ivar kind: of the objects.
    :ivar fields: of the kind's wishes; ``identity``: fields that make the key; ``more``: fields of an entry that speak of other
        objects, which :mod:`wishes` knows.
    :ivar many: a list of entries; else one mapping, whose key is empty.
    :ivar key: the key of an entry; ``entry``: the entry of an object, for exports.
    :ivar normal: gives the canonical form of all fields together, or raises ValueError with a sentence.
    :ivar sections: what lies in such an object.
    :ivar placed: completes an entry by the organization that it stands in, where its key depends on that.
    """

    name: str
    kind: type[Kind]
    fields: Sequence[Field]
    identity: Sequence[Field] = ()
    more: Sequence[Field] = ()
    many: bool = True
    key: Callable[[Mapping[str, Any]], str] = by_name
    entry: Callable[[str, Object], dict[str, Any]] = with_name
    normal: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None
    sections: Sequence[Section] = ()
    description: str = ""
    placed: Callable[[Mapping[str, Any], str], dict[str, Any]] | None = None


def one(name: str, kind: type[Kind], fields: Sequence[Field], description: str) -> Section:
    """A section for the only object of its kind in a place."""
    return Section(name, kind, fields, many=False, key=lambda _entry: "", entry=lambda _key, values: dict(values), description=description)


def _name(check: Callable[[Any], str], description: str) -> tuple[Field, ...]:
    return (Field("name", required=True, normal=check, description=description),)


def _plain(_key: str, values: Object) -> dict[str, Any]:
    """The entry of an object whose fields make its key."""
    return dict(values)


AUTO_PRUNE = Section(
    "auto_prune",
    policies.AutoPruneKind,
    policies.AUTOPRUNE,
    key=policies.AutoPruneKind.key_of,
    entry=_plain,
    normal=policies.autoprune_policy,
    description="Which tags are deleted when.",
)
IMMUTABILITY = Section(
    "immutability",
    policies.ImmutabilityKind,
    policies.IMMUTABILITY,
    key=policies.ImmutabilityKind.key_of,
    entry=_plain,
    description="Which tags cannot be changed.",
)

REPOSITORY_SECTIONS: tuple[Section, ...] = (
    one("mirror", repository_mirrors.RepositoryMirrorKind, repository_mirrors.FIELDS, "Another repository that it is a mirror of."),
    AUTO_PRUNE,
    IMMUTABILITY,
    Section(
        "notifications",
        notifications.NotificationKind,
        notifications.FIELDS,
        key=notifications.key_of,
        entry=_plain,
        normal=notifications.canonical_notification,
        description="Whom Quay tells about what happens to it.",
    ),
)

ORGANIZATION_SECTIONS: tuple[Section, ...] = (
    one("quota", quotas.QuotaKind, quotas.FIELDS, "How much may be stored."),
    Section(
        "robots",
        robots.RobotKind,
        robots.FIELDS,
        _name(short_robot, "Short name, without the organization."),
        robot_tasks.BELONGINGS,
        description="Robot accounts.",
    ),
    Section(
        "teams",
        teams.TeamKind,
        teams.FIELDS,
        _name(team, "Its name."),
        teams.MEMBER_FIELDS,
        entry=teams.entry_of,
        normal=teams.canonical_team,
        description="Teams with their members.",
    ),
    Section(
        "default_permissions",
        default_permissions.DefaultPermissionKind,
        default_permissions.FIELDS,
        key=default_permissions.key_of,
        entry=_plain,
        normal=default_permissions.canonical_permission,
        placed=default_permissions.placed,
        description="Who may do what with new repositories.",
    ),
    Section(
        "applications",
        applications.ApplicationKind,
        applications.FIELDS,
        _name(applications.application_name, "Its name."),
        description="OAuth applications; client_id and client_secret are Quay's.",
    ),
    one("proxy_cache", proxy_caches.ProxyCacheKind, proxy_caches.FIELDS, "Another registry that the organization is a cache of."),
    Section(
        "repositories",
        repositories.RepositoryKind,
        repositories.FIELDS,
        _name(repository, "Its name below the organization."),
        (permissions.LIST, Field("append", "bool", description="False: take away all permissions that are not listed.")),
        sections=REPOSITORY_SECTIONS,
        description="Repositories with their permissions.",
    ),
    AUTO_PRUNE,
    IMMUTABILITY,
    one("mirror", organization_mirrors.OrganizationMirrorKind, organization_mirrors.FIELDS, "Another registry that it is a mirror of."),
)

REGISTRY_SECTIONS: tuple[Section, ...] = (
    Section(
        "users",
        users.UserKind,
        users.FIELDS,
        _name(user, "Login name."),
        description="Users whose passwords Quay keeps itself; superusers stand in its config.yaml.",
    ),
    Section(
        "organizations",
        organizations.OrganizationKind,
        organizations.FIELDS,
        _name(namespace, "Its name."),
        sections=ORGANIZATION_SECTIONS,
        description="Organizations with everything in them.",
    ),
)
