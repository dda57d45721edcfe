# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML as configuration documents have it: no key twice, nothing that another reader would take otherwise.

Values are those that oc-mirror sees: texts, whole and other numbers, true and false, nothing, lists, mappings. What looks like a
date is a text.
"""

from __future__ import annotations

import math
import re
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.faults import Fault, join
from ansible_collections.quayside.airgap.plugins.module_utils.core.thirdparty import load
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_fields import shown

# Aliases can make a gigabyte of a few lines: what they stand for is counted
_MOST_REPEATED = 20_000
_DEEPEST = 50
_TAG = "tag:yaml.org,2002:"
# What readers of YAML 1.1 or 1.2 take for a number or for true and false, and what PyYAML does not put in quotes by itself
_DOUBTFUL = re.compile(r"[-+]?\.?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|0[oOxXbB][0-9a-fA-F_]+|[yYnN]")


def parse_yaml(content: bytes) -> tuple[Any, list[Fault]]:
    """The plain values of a document, and what is wrong with it as YAML.

    :returns: None as the document where it could not be understood.
    """
    yaml = load("yaml")
    try:
        root = yaml.compose(content.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return None, [Fault(f"line {line}", "it is no UTF-8 text")]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "the document"
        return None, [Fault(where, f"it is no YAML: {shown(', '.join(filter(None, (error.context, error.problem))), 200)}")]
    except yaml.YAMLError as error:
        return None, [Fault("the document", f"it is no YAML: {shown(str(error))}")]
    except (ValueError, OverflowError):
        # PyYAML lets these through, for example for "\UFFFFFFFF"
        return None, [Fault("the document", "it is no YAML: it names a character that does not exist")]
    except RecursionError:
        return None, [Fault("the document", f"it is nested deeper than {_DEEPEST} levels")]
    if root is None:
        return None, [Fault("the document", "it is empty")]
    reader = _Nodes()
    value = reader.value(root, "", 0)
    return (None if reader.stopped else value), reader.faults


def dump_yaml(document: Any, *, header: str = "") -> bytes:
    """A document as Go programs write it: keys sorted, lists not indented.

    :param header: what stands in front of it, for example ``---`` and a line break.
    """
    yaml = load("yaml")
    dumper: Any = type("Dumper", (yaml.SafeDumper,), {"ignore_aliases": _never})
    dumper.add_representer(str, _represent)
    written: str = yaml.dump(document, Dumper=dumper, default_flow_style=False, sort_keys=True, width=1 << 20, allow_unicode=True)
    return (header + written).encode()


class _Nodes:
    """Makes plain values of the nodes of a document."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.stopped = False
        self._seen: set[int] = set()
        self._repeated = 0

    def value(self, node: Any, path: str, depth: int) -> Any:
        # nodes live as long as the document: their ids are their own
        self._repeated += id(node) in self._seen
        self._seen.add(id(node))
        if self._repeated > _MOST_REPEATED or depth > _DEEPEST:
            if not self.stopped:
                wide = self._repeated > _MOST_REPEATED
                limit = f"has more than {_MOST_REPEATED} values by aliases" if wide else f"is nested deeper than {_DEEPEST} levels"
                self.faults.append(Fault(shown(path) or "the document", f"it {limit}, or refers to itself"))
            self.stopped = True
        if self.stopped:
            return None
        if node.id == "scalar":
            return self._scalar(node, path)
        known = node.tag == _TAG + ("map" if node.id == "mapping" else "seq")
        if not known:
            self._foreign(node, path)
        if node.id == "sequence":
            return [self.value(child, f"{path}[{position}]", depth + 1) for position, child in enumerate(node.value)]
        return self._mapping(node, path, depth)

    def _mapping(self, node: Any, path: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.id != "scalar":
                self.faults.append(Fault(_at(path, key_node), "a key must be a text"))
                continue
            key = key_node.value
            if key_node.tag == f"{_TAG}merge":
                merged = {**self._merged(value_node, path, depth), **merged}
                continue
            value = self.value(value_node, join(path, shown(key)), depth + 1)
            if key in found:
                line = key_node.start_mark.line + 1
                self.faults.append(Fault(join(path, shown(key)), f"it is there twice, the second time in line {line}"))
            found[key] = value
        return {**merged, **found}

    def _merged(self, node: Any, path: str, depth: int) -> dict[str, Any]:
        parts = node.value if node.id == "sequence" else [node]
        found: dict[str, Any] = {}
        for part in parts:
            value = self.value(part, path, depth + 1)
            if isinstance(value, dict):
                found = {**value, **found}
            elif not self.stopped:
                self.faults.append(Fault(_at(path, part), "only a mapping can be merged with <<"))
        return found

    def _scalar(self, node: Any, path: str) -> Any:
        kind = node.tag[len(_TAG) :] if node.tag.startswith(_TAG) else ""
        text = str(node.value)
        if kind in ("str", "timestamp", "value", "merge"):
            return text
        if kind == "null":
            return None
        if kind == "bool" and text.lower() in _FLAGS:
            return _FLAGS[text.lower()]
        if kind in ("int", "float"):
            found = _number(text)
            return text if found is None else found
        self._foreign(node, path)
        return text

    def _foreign(self, node: Any, path: str) -> None:
        self.faults.append(Fault(_at(path, node), f"the tag {shown(node.tag)} has no place here"))


_FLAGS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def _number(text: str) -> int | float | None:
    """A number as Go reads it; None for what only YAML 1.1 takes for one (``1:30``)."""
    digits = text.replace("_", "")
    if re.fullmatch(r"[-+]?(?:[0-9]{1,19}|0[xX][0-9a-fA-F]{1,16}|0[bB][01]{1,64}|0[oO][0-7]{1,22})", digits):
        octal = re.fullmatch(r"[-+]?0[0-7]+", digits)
        # 08 and 09 are nobody's numbers
        return int(digits, 8) if octal else None if re.fullmatch(r"[-+]?0[0-9]+", digits) else int(digits, 0)
    try:
        found = float(digits)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _at(path: str, node: Any) -> str:
    return path or f"line {node.start_mark.line + 1}"


def _represent(dumper: Any, text: str) -> Any:
    style = '"' if _DOUBTFUL.fullmatch(text) else None
    return dumper.represent_scalar(f"{_TAG}str", text, style=style)


def _never(_dumper: Any, _data: Any) -> bool:
    return True
