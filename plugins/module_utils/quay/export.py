# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An existing Quay as a document: what quay_state would have to be given to make it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import read_bytes, write_atomically
from ansible_collections.quayside.airgap.plugins.module_utils.core.thirdparty import load
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import REGISTRY, Costly, Object, Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.permissions import PermissionsKind, listed
from ansible_collections.quayside.airgap.plugins.module_utils.quay.places import Places
from ansible_collections.quayside.airgap.plugins.module_utils.quay.sections import (
    ORGANIZATION_SECTIONS,
    REGISTRY_SECTIONS,
    Section,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.teams import TeamMembersKind
from ansible_collections.quayside.airgap.plugins.module_utils.quay.users import UserKind

_MOST_BYTES = 256 << 20
# AUTHENTICATION_TYPE of a Quay that keeps its users itself
_OWN_USERS = "Database"
# The states of repositories that a document can ask for; others belong to a mirror of the whole organization
_SETTABLE = ("NORMAL", "READ_ONLY", "MIRROR")


@dataclass(frozen=True)
class ExportTask:
    """What shall be exported.

    :ivar organizations: names; None: all that the user may manage.
    :ivar exclude: sections that are left out, which saves their reads.
    """

    organizations: Sequence[str] | None = None
    exclude: frozenset[str] = frozenset()


class Export:
    """One export. Everything is read with shared, concurrent reads; a part that cannot be read fails the whole."""

    def __init__(self, quay: QuayClient, task: ExportTask) -> None:
        self._quay = quay
        self._task = task
        self._lock = threading.Lock()
        self.warnings: list[str] = []

    def run(self) -> dict[str, Any]:
        """The document, in a fixed order.

        :raises AirgapError: when something cannot be read.
        """
        document: dict[str, Any] = {}
        with WorkerPool(self._quay.options.parallel, self._quay.cancellation) as pool:
            for section in REGISTRY_SECTIONS:
                if section.name in self._task.exclude or (section.kind is UserKind and not self._own_users()):
                    continue
                if section.sections is ORGANIZATION_SECTIONS:
                    names = self._names()
                    found: dict[str, dict[str, Any]] = {name: {} for name in names}
                    pool.run(partial(self._organization, pool, section, name, found) for name in names)
                    document[section.name] = [found[name] for name in names]
                else:
                    document[section.name] = self._entries(section, REGISTRY)
        return document

    def _own_users(self) -> bool:
        """Whether this is a superuser's whole export of a Quay that keeps users itself: elsewhere they come from a directory."""
        directory = self._quay.capabilities.setting("AUTHENTICATION_TYPE") or _OWN_USERS
        return bool(self._task.organizations is None and directory == _OWN_USERS and self._quay.identity().superuser)

    def _names(self) -> list[str]:
        if self._task.organizations is not None:
            places = Places(self._quay)
            for name in self._task.organizations:
                places.check_organization(name, "export it")
            return sorted(set(self._task.organizations))
        if self._quay.identity().superuser:
            what = "list all organizations"
            body = self._quay.get(at("superuser", "organizations", ""), what)
            return sorted(str(entry["name"]) for entry in body["organizations"])
        user = self._quay.get(at("user", ""), "list the organizations of the user")
        return sorted(str(entry["name"]) for entry in user.get("organizations", ()) if entry.get("is_org_admin"))

    def _organization(self, pool: WorkerPool, section: Section, name: str, found: dict[str, dict[str, Any]]) -> None:
        kind = section.kind(self._quay)
        entry = self._entry(section, name, kind.all(REGISTRY)[name])
        place = Place(name)
        for inner in section.sections:
            if inner.name in self._task.exclude:
                continue
            entry.update(self._section(inner, place))
        found[name] = entry
        for repository in entry.get("repositories", ()):
            pool.add(partial(self._repository, repository, Place(name, repository["name"])))

    def _section(self, section: Section, place: Place) -> dict[str, Any]:
        if section.many:
            return {section.name: self._entries(section, place)}
        found = section.kind(self._quay).all(place).get("")
        if found is None:
            return {}
        if section.kind.write_only:
            self._warn(f"Credentials of the {section.name.replace('_', ' ')} of {place.path} are not exported: Quay does not tell them.")
        return {section.name: self._entry(section, "", found)}

    def _entries(self, section: Section, place: Place) -> list[dict[str, Any]]:
        kind = section.kind(self._quay)
        found = kind.all(place)
        entries = []
        for key in sorted(found):
            values = found[key]
            if section.kind is UserKind and values["superuser"]:
                # what config.yaml says, no document can
                continue
            if section.name == "repositories" and values.get("repo_state") not in _SETTABLE:
                continue
            entry = self._entry(section, key, values)
            if section.name == "teams" and "members" not in self._task.exclude:
                entry["members"] = TeamMembersKind(self._quay).members(place, key)
            entries.append(entry)
        return entries

    def _entry(self, section: Section, key: str, values: Object) -> dict[str, Any]:
        known = {field.name for field in section.fields} - section.kind.write_only
        whole: Mapping[str, Any] = values.whole() if isinstance(values, Costly) else values
        return section.entry(key, {name: value for name, value in whole.items() if name in known and value is not None})

    def _repository(self, entry: dict[str, Any], place: Place) -> None:
        if "permissions" not in self._task.exclude:
            kind = PermissionsKind(self._quay)
            entry["permissions"] = listed({which: kind.granted(place, which) for which in ("user", "team")})
        for section in next(found for found in ORGANIZATION_SECTIONS if found.name == "repositories").sections:
            if section.name not in self._task.exclude:
                entry.update(self._section(section, place))

    def _warn(self, text: str) -> None:
        with self._lock:
            self.warnings.append(text)


def excludable() -> tuple[str, ...]:
    """Words that an export may leave out."""
    found = {"members", "permissions"}

    def collect(sections: Sequence[Section]) -> None:
        for section in sections:
            found.add(section.name)
            collect(section.sections)

    collect(REGISTRY_SECTIONS)
    return tuple(sorted(found))


def rendered(document: Mapping[str, Any], path: str) -> bytes:
    """The bytes of a file with the document: JSON where the name ends with .json, else YAML."""
    if path.endswith(".json"):
        return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
    yaml = load("yaml")
    text: str = yaml.dump(document, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, allow_unicode=True, width=120)
    return b"---\n" + text.encode()


def write(document: Mapping[str, Any], path: str, *, check_mode: bool) -> tuple[bool, str, str]:
    """Write the document where the file does not hold it already; mode 0600, since it tells how a registry is protected.

    :returns: whether it was different, and the text before and after.
    :raises FileError: when it cannot be read or written.
    """
    content = rendered(document, path)
    before = read_bytes(path, limit=_MOST_BYTES) if os.path.exists(path) else None
    if before == content:
        return False, content.decode(), content.decode()
    if Path(path).is_dir():
        raise InputError("path", f"{path} is a folder", "Name a file in it.")
    if not check_mode:
        write_atomically(path, content, mode=0o600)
    return True, (before or b"").decode(errors="replace"), content.decode()


def counts(document: Mapping[str, Any]) -> dict[str, int]:
    """How many entries a document has, by section; those of all organizations together."""
    found = {name: len(entries) for name, entries in document.items()}
    for organization in document.get("organizations", ()):
        for name, entries in organization.items():
            if isinstance(entries, list):
                found[name] = found.get(name, 0) + len(entries)
    return found
