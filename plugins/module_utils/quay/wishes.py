# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a document to intents: one for each object that it speaks of, however many entries speak of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import read_bytes
from ansible_collections.quayside.airgap.plugins.module_utils.core.thirdparty import load
from ansible_collections.quayside.airgap.plugins.module_utils.core.yaml import refuse_depth
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient
from ansible_collections.quayside.airgap.plugins.module_utils.quay.document import check_document
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import REGISTRY, Intent, Kind, Place, Purge
from ansible_collections.quayside.airgap.plugins.module_utils.quay.organizations import OrganizationKind
from ansible_collections.quayside.airgap.plugins.module_utils.quay.permissions import PermissionsKind, fewest_reads, granted
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work
from ansible_collections.quayside.airgap.plugins.module_utils.quay.sections import REGISTRY_SECTIONS, Section
from ansible_collections.quayside.airgap.plugins.module_utils.quay.teams import TeamMembersKind, check_members

# A registry of thousands of repositories is some hundred kilobytes
_MOST_BYTES = 64 << 20
# Sections of a document lie some five levels deep
_DEEPEST = 100

PERMISSIONS = "permissions"
MEMBERS = "members"


def read_document(values: Any, path: str | None) -> dict[str, Any]:
    """The canonical document, as given or of a file.

    :param values: a mapping, or text with YAML or JSON in it.
    :raises FileError: when the file cannot be read or is no YAML.
    :raises InputError: for what is wrong in the document.
    """
    if values is None and path:
        try:
            values = _parsed(read_bytes(path, limit=_MOST_BYTES))
        except ValueError as error:
            raise FileError("read the document in", path, str(error), "Correct the file.") from error
    elif isinstance(values, str):
        try:
            values = _parsed(values)
        except ValueError as error:
            raise InputError("the document", str(error), "Correct its text.") from error
    return check_document(values)


def _parsed(text: str | bytes) -> Any:
    """:raises ValueError: with line and column, and without a word of the text, which may be a secret."""
    yaml = load("yaml")
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        refuse_depth(decoded, _DEEPEST)
        return yaml.load(decoded, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        place = getattr(error, "problem_mark", None)
        where = f"line {place.line + 1}, column {place.column + 1}: " if place else ""
        reason = getattr(error, "problem", None) or "it is neither YAML nor JSON"
        raise ValueError(f"{where}{reason}") from error


def purgeable() -> tuple[str, ...]:
    """All words that a purge may name."""
    found: list[str] = []

    def collect(sections: Sequence[Section]) -> None:
        for section in sections:
            if section.many:
                found.append(section.name)
            collect(section.sections)

    collect(REGISTRY_SECTIONS)
    return tuple(sorted({*found, PERMISSIONS, MEMBERS}))


def secrets_of(values: Any) -> frozenset[str]:
    """The passwords and tokens in a document, right or wrong as it may be: texts that must never be shown."""
    names = _secret_names(REGISTRY_SECTIONS)
    found: set[str] = set()

    def collect(value: Any, secret: bool) -> None:
        if isinstance(value, Mapping):
            for name, inner in value.items():
                collect(inner, name in names)
        elif isinstance(value, (list, tuple)):
            for inner in value:
                collect(inner, secret)
        elif secret and isinstance(value, (str, int, float)) and not isinstance(value, bool) and str(value):
            found.add(str(value))

    collect(values, False)
    return frozenset(found)


def _secret_names(sections: Sequence[Section]) -> frozenset[str]:
    def of_fields(fields: Sequence[Field]) -> Iterator[str]:
        for entry in fields:
            if entry.secret:
                yield entry.name
            yield from of_fields([*entry.fields, *([entry.of] if entry.of else [])])

    found: set[str] = set()
    for section in sections:
        found.update(of_fields([*section.identity, *section.fields, *section.more]), _secret_names(section.sections))
    return frozenset(found)


def work_of(quay: QuayClient, document: Mapping[str, Any], purge: Sequence[str] = (), keep: Sequence[str] = ()) -> Work:
    """What a document asks for.

    :param document: canonical, see :func:`document.check_document`.
    :param purge: kinds, of which objects that the document does not have shall go: only in lists that the document has, so that an
        organization without the key ``robots`` keeps its robots.
    :param keep: organizations that are not purged.
    :raises InputError: when two places of the document contradict each other.
    """
    collector = _Collector(quay, frozenset(purge), frozenset(keep))
    collector.sections(REGISTRY_SECTIONS, document, REGISTRY)
    return collector.work()


class _Collector:
    def __init__(self, quay: QuayClient, purge: frozenset[str], keep: frozenset[str]) -> None:
        self._quay = quay
        self._purge = purge
        self._keep = keep
        self._kinds: dict[type[Kind], Kind] = {}
        self._intents: list[Intent] = []
        self._purges: list[Purge] = []
        # wishes that several entries may speak of: members of a team, permissions of a repository
        self._members: dict[tuple[Place, str], dict[str, Any]] = {}
        self._grants: dict[Place, dict[str, Any]] = {}

    def work(self) -> Work:
        members = [Intent(self._kind(TeamMembersKind), place, team, wish) for (place, team), wish in self._members.items()]
        permissions = PermissionsKind(self._quay, fewest_reads(self._grants))
        grants = [Intent(permissions, place, "", wish) for place, wish in self._grants.items()]
        return Work([*self._intents, *members, *grants], self._purges)

    def sections(self, sections: Sequence[Section], values: Mapping[str, Any], place: Place) -> None:
        for section in sections:
            given = values.get(section.name)
            if given is None:
                continue
            entries = given if section.many else [given]
            if section.placed is not None:
                entries = [section.placed(entry, place.namespace) for entry in entries]
                for key, count in Counter(section.key(entry) for entry in entries).items():
                    if count > 1:
                        raise InputError(f"{section.name} of {place.path}", f"{key} is there twice")
            for entry in entries:
                self._entry(section, entry, place)
            if section.many and section.name in self._purge:
                keys = frozenset(section.key(entry) for entry in entries) | (
                    self._keep if section.kind is OrganizationKind else frozenset()
                )
                self._purges.append(Purge(self._kind(section.kind), place, keys))

    def _entry(self, section: Section, entry: Mapping[str, Any], place: Place) -> None:
        key = section.key(entry)
        kind = self._kind(section.kind)
        if entry.get("state") == "absent":
            self._intents.append(Intent(kind, place, key))
            return
        names = {field.name for field in section.fields}
        self._intents.append(Intent(kind, place, key, {name: value for name, value in entry.items() if name in names}))
        self._others(section, entry, place, key)
        if section.sections:
            self.sections(section.sections, entry, Place(place.namespace, key) if place.namespace else Place(key))

    def _others(self, section: Section, entry: Mapping[str, Any], place: Place, key: str) -> None:
        """What an entry says of other objects."""
        if section.name == "teams" and MEMBERS in entry:
            try:
                check_members(entry)
            except ValueError as error:
                raise InputError(f"members of team {place.path}/{key}", str(error)) from error
            self._join(place, key, entry[MEMBERS], self._append(entry, MEMBERS))
            if "sync" in entry:
                self._members[place, key]["sync"] = entry["sync"]
        elif section.name == "repositories" and PERMISSIONS in entry:
            self._grant(Place(place.namespace, key), entry[PERMISSIONS], append=self._append(entry, PERMISSIONS))
        elif section.name == "robots":
            for team in entry.get("teams", ()):
                self._join(place, team, [f"{place.namespace}+{key}"], append=True)
            for permission in entry.get(PERMISSIONS, ()):
                grant = {"type": "robot", "name": key, "role": permission["role"]}
                self._grant(Place(place.namespace, permission["repository"]), [grant], append=True)

    def _append(self, entry: Mapping[str, Any], word: str) -> bool:
        return bool(entry.get("append", word not in self._purge))

    def _join(self, place: Place, team: str, members: Sequence[str], append: bool) -> None:
        wish = self._members.setdefault((place, team), {"members": [], "append": True})
        wish["members"] = sorted({*wish["members"], *members})
        wish["append"] = wish["append"] and append

    def _grant(self, place: Place, entries: Sequence[Mapping[str, Any]], *, append: bool) -> None:
        wish = self._grants.setdefault(place, {"append": True})
        try:
            added = granted(entries, place.namespace, append=append)
        except ValueError as error:
            raise InputError(f"permissions of {place.path}", str(error)) from error
        for which in ("user", "team"):
            for name, role in added.get(which, {}).items():
                known = wish.setdefault(which, {}).setdefault(name, role)
                if known != role:
                    raise InputError(f"permissions of {place.path}", f"{which} {name} is given two roles: {known} and {role}")
        if not append:
            wish["append"] = False
            for which in ("user", "team"):
                wish.setdefault(which, {})

    def _kind(self, kind: type[Kind]) -> Kind:
        if kind not in self._kinds:
            self._kinds[kind] = kind(self._quay)
        return self._kinds[kind]
