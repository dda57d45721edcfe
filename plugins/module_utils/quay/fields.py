# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields as data: one table per kind gives the check of documents, their JSON schema and the canonical values.

A field that is absent, or None, is one that the user has no wish for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.faults import Fault, join

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True)
class Field:
    """One field of an object.

    :ivar type: ``str``, ``bool``, ``int``, ``list``, ``dict`` or ``raw``.
    :ivar of: for ``list``: the field that describes an element; for ``dict``: None, see ``fields``.
    :ivar fields: for ``dict``: what it holds.
    :ivar normal: gives the canonical value, or raises ValueError with a sentence that says what is wrong.
    :ivar secret: never shown.
    :ivar description: one sentence for the JSON schema.
    """

    name: str
    type: str = "str"
    description: str = ""
    choices: Sequence[str] = ()
    required: bool = False
    default: Any = None
    of: Field | None = None
    fields: Sequence[Field] = ()
    normal: Callable[[Any], Any] | None = None
    secret: bool = False


def check_fields(values: Any, fields: Sequence[Field], path: str, faults: list[Fault]) -> dict[str, Any]:
    """The canonical form of an object; what is wrong is added to ``faults``.

    :returns: fields with a value or a default only.
    """
    if not isinstance(values, Mapping):
        faults.append(Fault(path, f"it must be a mapping of fields, not {_kind_of(values)}"))
        return {}
    known = {entry.name: entry for entry in fields}
    for name in values:
        if name not in known:
            faults.append(Fault(join(path, str(name)), f"there is no such field; known are {', '.join(sorted(known))}"))
    found: dict[str, Any] = {}
    for name, entry in known.items():
        value = values.get(name)
        if value is None:
            value = entry.default
        if value is None:
            if entry.required:
                faults.append(Fault(join(path, name), "it is missing"))
            continue
        found[name] = check_value(value, entry, join(path, name), faults)
    return found


def check_value(value: Any, entry: Field, path: str, faults: list[Fault]) -> Any:
    """The canonical form of a value; what is wrong is added to ``faults``."""
    try:
        plain = _typed(value, entry)
    except ValueError as error:
        faults.append(Fault(path, str(error)))
        return value
    if entry.type == "list" and entry.of is not None:
        plain = [check_value(element, entry.of, f"{path}[{number}]", faults) for number, element in enumerate(plain)]
    elif entry.type == "dict" and entry.fields:
        before = len(faults)
        plain = check_fields(plain, entry.fields, path, faults)
        if len(faults) > before:
            # what the fields mean together is looked at when each is right
            return plain
    if entry.choices and plain not in entry.choices:
        shown = "it" if entry.secret else f"'{plain}'"
        faults.append(Fault(path, f"{shown} must be one of {', '.join(map(str, entry.choices))}"))
        return plain
    if entry.normal is not None:
        try:
            return entry.normal(plain)
        except ValueError as error:
            faults.append(Fault(path, str(error)))
    return plain


def canonical(values: Mapping[str, Any], fields: Sequence[Field]) -> dict[str, Any]:
    """The canonical form of a module's options.

    :raises InputError: for the first thing that is wrong.
    """
    names = {entry.name for entry in fields}
    faults: list[Fault] = []
    found = check_fields({name: value for name, value in values.items() if name in names}, fields, "", faults)
    if faults:
        raise InputError(faults[0].path, faults[0].reason)
    return found


def schema(fields: Sequence[Field]) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of an object with these fields."""
    found: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {entry.name: value_schema(entry) for entry in fields},
    }
    required = [entry.name for entry in fields if entry.required]
    if required:
        found["required"] = required
    return found


def value_schema(entry: Field) -> dict[str, Any]:
    """The JSON schema of one field."""
    types = {"str": "string" if entry.choices else ["string", "number"], "bool": "boolean", "int": "integer", "list": "array"}
    found: dict[str, Any] = {}
    if entry.type == "dict" and entry.fields:
        found = schema(entry.fields)
    elif entry.type == "dict":
        found["type"] = "object"
    elif entry.type in types:
        found["type"] = types[entry.type]
    if entry.description:
        found["description"] = entry.description
    if entry.choices:
        found["enum"] = list(entry.choices)
    if entry.default is not None:
        found["default"] = entry.default
    if entry.of is not None:
        found["items"] = value_schema(entry.of)
    return found


def _typed(value: Any, entry: Field) -> Any:
    """A value of the field's type; texts that templates made of numbers and booleans count."""
    if entry.type == "bool":
        text = str(value).strip().lower()
        if isinstance(value, (bool, str, int)) and text in _TRUE | _FALSE:
            return text in _TRUE
        raise ValueError(f"it must be true or false, not {_shown(value, entry)}")
    if entry.type == "int":
        if isinstance(value, bool) or not str(value).strip().lstrip("-").isdecimal():
            raise ValueError(f"it must be a whole number, not {_shown(value, entry)}")
        return int(str(value).strip())
    if entry.type == "list":
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"it must be a list, not {_kind_of(value)}")
        return list(value)
    if entry.type == "dict":
        if not isinstance(value, Mapping):
            raise ValueError(f"it must be a mapping, not {_kind_of(value)}")
        return dict(value)
    if entry.type == "str":
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise ValueError(f"it must be a text, not {_kind_of(value)}")
        return str(value)
    return value


def _shown(value: Any, entry: Field) -> str:
    return _kind_of(value) if entry.secret else f"'{value}'"


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "nothing" if value is None else "a number" if isinstance(value, (int, float)) else "a text"
