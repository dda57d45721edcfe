# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields of configuration documents as data: a frozen dataclass says what it holds, and this reads and writes it.

What a document gives wrongly becomes a fault with its path; reading goes on, so that every fault is told at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.faults import Fault, join
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Platform

# What a message tells of a document with many faults
_TOLD = 20
_Model = TypeVar("_Model")


class DocumentError(InputError):
    """A document is wrong.

    :ivar faults: all that is wrong with it; the message tells the first of many.
    """

    def __init__(self, subject: str, faults: Iterable[Fault], hint: str = "") -> None:
        # the same thing may be seen by two rules
        self.faults = tuple(dict.fromkeys(faults))
        told = "; ".join(str(fault) for fault in self.faults[:_TOLD])
        more = f" (and {len(self.faults) - _TOLD} more)" if len(self.faults) > _TOLD else ""
        count = f"{len(self.faults)} faults" if len(self.faults) > 1 else "one fault"
        super().__init__(subject, f"it has {count}: {told}{more}", hint)


@dataclass(frozen=True)
class Spec:
    """How one field of a dataclass stands in the document.

    :ivar key: its name there.
    :ivar kind: ``text``, ``flag``, ``texts``, ``names``, ``platforms``, ``object`` or ``objects``.
    :ivar model: the dataclass of ``object`` and ``objects``.
    :ivar own: a field of this collection that oc-mirror does not know.
    :ivar always: written where it is empty as well, as oc-mirror does.
    """

    key: str
    kind: str
    model: type[Any] | None = None
    required: bool = False
    own: bool = False
    always: bool = False


# the functions below are for the bodies of dataclasses, which pylint does not see here
# pylint: disable=invalid-field-call


def text(key: str, default: str = "", *, required: bool = False, own: bool = False, always: bool = False) -> Any:
    """A field with one line of text; empty where it is not given."""
    return dataclasses.field(default=default, metadata={"spec": Spec(key, "text", None, required, own, always)})


def flag(key: str, *, own: bool = False) -> Any:
    """A field that is true or false."""
    return dataclasses.field(default=False, metadata={"spec": Spec(key, "flag", own=own)})


def texts(key: str, *, own: bool = False) -> Any:
    """A field with a list of texts."""
    return dataclasses.field(default=(), metadata={"spec": Spec(key, "texts", own=own)})


def names(key: str) -> Any:
    """A field with a list of mappings that hold nothing but ``name``; here a tuple of these names."""
    return dataclasses.field(default=(), metadata={"spec": Spec(key, "names")})


def platforms(key: str = "platforms") -> Any:
    """A field with a list of mappings of ``os`` and ``architecture``; here a tuple of platforms."""
    return dataclasses.field(default=(), metadata={"spec": Spec(key, "platforms")})


def section(key: str, model: type[Any]) -> dict[str, Spec]:
    """What a field says of itself (its metadata) that holds one mapping."""
    return {"spec": Spec(key, "object", model)}


def listing(key: str, model: type[Any], *, always: bool = False) -> Any:
    """A field with a list of mappings."""
    return dataclasses.field(default=(), metadata={"spec": Spec(key, "objects", model, always=always)})


def specs(model: type[Any]) -> dict[str, Spec]:
    """The fields of a dataclass that stand in the document, by their names in Python."""
    return {entry.name: entry.metadata["spec"] for entry in dataclasses.fields(model) if "spec" in entry.metadata}


class Reader:
    """Makes dataclasses of a document's plain values.

    :param templated: the document came from a task, where templates make texts of numbers and of true and false: these count.
    :ivar faults: what was wrong so far.
    """

    def __init__(self, *, templated: bool = False) -> None:
        self._templated = templated
        self.faults: list[Fault] = []

    def read(self, model: type[_Model], value: Any, path: str, *, without: frozenset[str] = frozenset()) -> _Model:
        """An instance of a dataclass; fields that are wrong keep their defaults.

        :param without: keys that have no place in this document.
        """
        fields = {name: spec for name, spec in specs(model).items() if spec.key not in without}
        found = {}
        values = self.mapping(value, {spec.key for spec in fields.values()}, path)
        for name, spec in fields.items():
            given = values.get(spec.key)
            if given is None or (spec.kind == "text" and given == "" and not spec.required):
                # nothing after the colon, and for texts "", say the same as leaving the key out
                if spec.required and isinstance(value, Mapping):
                    self.fault(join(path, spec.key), "it is missing")
                continue
            read = self._value(given, spec, join(path, spec.key))
            if read is not None:
                found[name] = read
        return model(**found)

    def mapping(self, value: Any, known: Iterable[str], path: str) -> Mapping[str, Any]:
        """A mapping with known keys only; what else there is becomes a fault."""
        if not isinstance(value, Mapping):
            self.fault(path, f"it must be a mapping, not {kind_of(value)}")
            return {}
        keys = sorted(known)
        for key in value:
            if key not in keys:
                like = next((name for name in keys if name.lower() == str(key).lower()), None)
                meant = f"it is written {like}" if like else f"known here are {', '.join(keys)}"
                self.fault(join(path, shown(str(key))), f"there is no such field; {meant}")
        return value

    def items(self, value: Any, path: str) -> list[tuple[Any, str]]:
        """The elements of a list, each with its path."""
        if not isinstance(value, (list, tuple)):
            self.fault(path, f"it must be a list, not {kind_of(value)}")
            return []
        return [(element, f"{path}[{position}]") for position, element in enumerate(value)]

    def text(self, value: Any, path: str) -> str:
        """One line of text that is not empty; an empty text where it is none."""
        if not isinstance(value, str):
            quotes = "; put it in quotes, as YAML changes unquoted ones like 4.10" if isinstance(value, (int, float)) else ""
            self.fault(path, f"it must be a text, not {kind_of(value)}{quotes}")
            return ""
        if not value:
            self.fault(path, "it is empty")
            return ""
        if not value.isprintable():
            # half characters, which no file can hold, are among those
            self.fault(path, "it has line breaks or characters that cannot be shown")
            return ""
        return str(value)

    def number(self, value: Any, path: str) -> int:
        """A whole number that is not negative; 0 where it is none."""
        if self._templated and isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19:
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault(path, f"it must be a whole number, not {kind_of(value)}")
            return 0
        if not 0 <= value < 1 << 63:
            self.fault(path, f"{shown(str(value))} is out of range: a whole number from 0 is expected")
            return 0
        return value

    def fault(self, path: str, reason: str) -> None:
        """Note what is wrong."""
        self.faults.append(Fault(path, reason))

    def _value(self, value: Any, spec: Spec, path: str) -> Any:
        if spec.kind == "text":
            return self.text(value, path)
        if spec.kind == "flag":
            return self._flag(value, path)
        if spec.kind == "object":
            return self.read(cast("type[Any]", spec.model), value, path)
        elements = self.items(value, path)
        if spec.kind == "texts":
            return tuple(self.text(element, here) for element, here in elements)
        if spec.kind == "names":
            return tuple(self._named(element, here) for element, here in elements)
        if spec.kind == "platforms":
            return tuple(platform for element, here in elements for platform in self._platform(element, here))
        return tuple(self.read(cast("type[Any]", spec.model), element, here) for element, here in elements)

    def _flag(self, value: Any, path: str) -> bool | None:
        if self._templated and isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if not isinstance(value, bool):
            self.fault(path, f"it must be true or false, not {kind_of(value)}")
            return None
        return value

    def _named(self, value: Any, path: str) -> str:
        name = self.mapping(value, ("name",), path).get("name", "")
        if name is None or name == "":
            if isinstance(value, Mapping):
                self.fault(join(path, "name"), "it is missing")
            return ""
        return self.text(name, join(path, "name"))

    def _platform(self, value: Any, path: str) -> list[Platform]:
        given = self.mapping(value, ("os", "architecture"), path)
        parts = []
        for key in ("os", "architecture"):
            part = given.get(key)
            if part is None or part == "":
                if isinstance(value, Mapping):
                    self.fault(join(path, key), "it is missing: a platform has an os and an architecture")
                continue
            part = self.text(part, join(path, key))
            if "/" in part:
                self.fault(join(path, key), f"'{shown(part)}' has a slash; write only the {key}, for example os linux, architecture amd64")
            elif part:
                parts.append(part)
        return [Platform(*parts)] if len(parts) == 2 else []


def plain(value: Any, *, own: bool = True) -> dict[str, Any]:
    """The document that a dataclass stands for; what is empty is left out.

    :param own: with the fields that only this collection knows.
    """
    document: dict[str, Any] = {}
    for name, spec in specs(type(value)).items():
        if spec.own and not own:
            continue
        found = _plain(getattr(value, name), spec, own=own)
        if found or spec.always:
            document[spec.key] = found
    return document


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, (int, float)):
        return f"the number {shown(str(value))}"
    return "nothing" if value is None else f"a {type(value).__name__}"


def shown(value: str, most: int = 80) -> str:
    """A text as messages show it: short, on one line.

    :param most: characters.
    """
    printable = "".join(char if char.isprintable() else "?" for char in value[: most + 1])
    return printable if len(value) <= most else f"{printable[: most - 3]}..."


def _plain(value: Any, spec: Spec, *, own: bool) -> Any:
    if spec.kind == "object":
        return plain(value, own=own)
    if spec.kind == "objects":
        # Go writes a list that was never given as null
        return [plain(element, own=own) for element in value] or None
    if spec.kind == "names":
        return [{"name": element} for element in value]
    if spec.kind == "platforms":
        return [{"os": element.os, "architecture": element.architecture} for element in value]
    return list(value) if spec.kind == "texts" else value
