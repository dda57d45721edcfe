# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks request bodies against their schema, with the messages that Quay takes from its validator."""

from __future__ import annotations

import pprint
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import invalid

Schema = Mapping[str, Any]


def check(body: Any, schema: Schema) -> None:
    """400 with the first thing that a body does wrong: the sentence, the schema that failed, the value."""
    fault = _fault(body, schema, ())
    if fault is None:
        return
    sentence, keyword, inner, place, value = fault
    where = "".join(f"[{part!r}]" for part in place)
    steps = "".join(f"[{'items'!r}]" if isinstance(part, int) else f"['properties'][{part!r}]" for part in place)
    detail = f"{sentence}\n\nFailed validating {keyword!r} in schema{steps}:\n{_indented(inner)}\n\nOn instance{where}:\n{_indented(value)}"
    raise invalid(detail)


def _fault(value: Any, schema: Schema, place: tuple[Any, ...]) -> Any:
    """The first fault below a value: sentence, keyword, schema, place, value."""
    kinds = schema.get("type")
    if kinds is not None and not any(_is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        names = ", ".join(repr(kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))
        return f"{value!r} is not of type {names}", "type", schema, place, value
    if "enum" in schema and value not in schema["enum"]:
        return f"{value!r} is not one of {list(schema['enum'])!r}", "enum", schema, place, value
    if isinstance(value, str):
        return _text_fault(value, schema, place)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if "minimum" in schema and value < schema["minimum"]:
            return f"{value!r} is less than the minimum of {schema['minimum']!r}", "minimum", schema, place, value
        if "maximum" in schema and value > schema["maximum"]:
            return f"{value!r} is greater than the maximum of {schema['maximum']!r}", "maximum", schema, place, value
    if isinstance(value, dict):
        return _object_fault(value, schema, place)
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            return f"{value!r} is too short" if value else "[] should be non-empty", "minItems", schema, place, value
        for index, item in enumerate(value):
            fault = _fault(item, schema.get("items", {}), (*place, index))
            if fault is not None:
                return fault
    return None


def _text_fault(value: str, schema: Schema, place: tuple[Any, ...]) -> Any:
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        return f"{value!r} is too long", "maxLength", schema, place, value
    if "minLength" in schema and len(value) < schema["minLength"]:
        return f"{value!r} is too short", "minLength", schema, place, value
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return f"{value!r} does not match {schema['pattern']!r}", "pattern", schema, place, value
    return None


def _object_fault(value: dict[str, Any], schema: Schema, place: tuple[Any, ...]) -> Any:
    for name in schema.get("required", ()):
        if name not in value:
            return f"{name!r} is a required property", "required", schema, place, value
    properties = schema.get("properties", {})
    for name, inner in properties.items():
        if name in value:
            fault = _fault(value[name], inner, (*place, name))
            if fault is not None:
                return fault
    if schema.get("additionalProperties") is False:
        extra = sorted(set(value) - set(properties))
        if extra:
            listed = ", ".join(repr(name) for name in extra)
            verb = "was" if len(extra) == 1 else "were"
            text = f"Additional properties are not allowed ({listed} {verb} unexpected)"
            return text, "additionalProperties", schema, place, value
    return None


def _is(value: Any, kind: str) -> bool:
    if kind == "null":
        return value is None
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "integer":
        return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, {"string": str, "object": dict, "array": list}[kind])


def _indented(value: Any) -> str:
    return "\n".join("    " + line for line in pprint.pformat(value, width=72).splitlines())
