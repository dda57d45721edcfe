# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole registry as data: the document of quay_state and quay_export, its check and its JSON schema.

What kinds of objects it has, and which fields, stands in the table of sections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.faults import Fault
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, check_fields, schema
from ansible_collections.quayside.airgap.plugins.module_utils.quay.sections import REGISTRY_SECTIONS, Section

# What a message tells of a document with many faults
_TOLD = 20
_STATE = Field("state", choices=("present", "absent"), default="present", description="absent: it shall not be there.")


def check_document(values: Any) -> dict[str, Any]:
    """The canonical form of a document.

    :raises InputError: with the path of every fault: unknown fields, wrong values, names that Quay refuses, duplicates.
    """
    faults: list[Fault] = []
    found = check_fields(values, _fields(REGISTRY_SECTIONS), "", faults)
    _duplicates(found, REGISTRY_SECTIONS, "", faults)
    if faults:
        told = "; ".join(str(fault) for fault in faults[:_TOLD])
        more = f" (and {len(faults) - _TOLD} more)" if len(faults) > _TOLD else ""
        count = f"{len(faults)} faults" if len(faults) > 1 else "one fault"
        raise InputError("the document", f"it has {count}: {told}{more}", "docs/quay_state.md describes all fields.")
    return found


def document_schema() -> dict[str, Any]:
    """The JSON schema of a document (draft 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Desired state of a Quay registry",
        **schema(_fields(REGISTRY_SECTIONS)),
    }


def section_fields(section: Section) -> tuple[Field, ...]:
    """All fields of an entry of a section: what makes its name, its own, its parts' and those of the sections within."""
    own = {entry.name: entry for entry in (*section.identity, *section.fields, *section.more)}
    return (*own.values(), _STATE, *_fields(section.sections))


def _fields(sections: Sequence[Section]) -> tuple[Field, ...]:
    found = []
    for section in sections:
        entry = Field(section.name.rstrip("s"), "dict", fields=section_fields(section), normal=_joint(section))
        if section.many:
            found.append(Field(section.name, "list", of=entry, description=section.description))
        else:
            found.append(replace(entry, name=section.name, description=section.description))
    return tuple(found)


def _joint(section: Section) -> Callable[[Any], Any] | None:
    """The check of what the fields of an entry mean together, for its own fields only."""
    if section.normal is None:
        return None
    own = {field.name for field in (*section.identity, *section.fields)}
    normal = section.normal

    def check(entry: Mapping[str, Any]) -> dict[str, Any]:
        others = {name: value for name, value in entry.items() if name not in own}
        return {**others, **normal({name: value for name, value in entry.items() if name in own})}

    return check


def _duplicates(values: Mapping[str, Any], sections: Sequence[Section], path: str, faults: list[Fault]) -> None:
    """Add a fault for each entry whose name another one of the list has."""
    for section in sections:
        given = values.get(section.name)
        if not given or not section.many or not isinstance(given, list):
            continue
        seen: dict[str, int] = {}
        for number, entry in enumerate(given):
            here = f"{path}{section.name}[{number}]"
            if not isinstance(entry, Mapping) or any(
                field.required and field.name not in entry for field in (*section.identity, *section.fields)
            ):
                continue
            try:
                key = section.key(entry)
            except (KeyError, TypeError, ValueError):
                # it has a fault of its own already
                continue
            first = seen.setdefault(key, number)
            if first != number:
                faults.append(Fault(here, f"it is there twice: {section.name}[{first}] has the same name"))
            _duplicates(entry, section.sections, f"{here}.", faults)
