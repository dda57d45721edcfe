# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a sandbox cluster, the kinds that it serves, and the selectors by which they are chosen."""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind that a cluster serves.

    resource   its name in paths
    fields     what a field selector may name, besides metadata.name and metadata.namespace: field -> path in the object
    """

    api_version: str
    name: str
    resource: str
    namespaced: bool = True
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """Empty for the core."""
        return self.api_version.rpartition("/")[0]


CORE = (
    Kind("v1", "Namespace", "namespaces", namespaced=False, fields={"status.phase": ("status", "phase")}),
    Kind("v1", "Pod", "pods", fields={"status.phase": ("status", "phase"), "spec.nodeName": ("spec", "nodeName")}),
    Kind("v1", "Secret", "secrets", fields={"type": ("type",)}),
    Kind("v1", "ConfigMap", "configmaps"),
)
OPENSHIFT = (Kind("config.openshift.io/v1", "ClusterVersion", "clusterversions", namespaced=False),)
OLM = (Kind("operators.coreos.com/v1alpha1", "ClusterServiceVersion", "clusterserviceversions"),)


class Objects:
    """All objects of a cluster, sorted as a list gives them: by namespace, then by name."""

    def __init__(self, kinds: tuple[Kind, ...]) -> None:
        self.kinds = kinds
        self.lock = threading.Lock()
        self.version = 1000
        self._content: dict[tuple[str, str], dict[tuple[str, str], Object]] = {(kind.api_version, kind.resource): {} for kind in kinds}

    def kind(self, api_version: str, resource: str) -> Kind | None:
        """By its name in paths."""
        return next((kind for kind in self.kinds if (kind.api_version, kind.resource) == (api_version, resource)), None)

    def put(self, item: Object) -> Object:
        """Add an object, or replace the one of its name; KeyError for a kind that is not served."""
        kind = next((kind for kind in self.kinds if (kind.api_version, kind.name) == (item["apiVersion"], item["kind"])), None)
        if kind is None:
            raise KeyError(f"{item['apiVersion']} {item['kind']}")
        stored = copy.deepcopy(item)
        meta = stored.setdefault("metadata", {})
        with self.lock:
            self.version += 1
            meta["resourceVersion"] = str(self.version)
            meta.setdefault("uid", f"00000000-0000-4000-8000-{self.version:012d}")
            if kind.namespaced:
                meta.setdefault("namespace", "default")
            self._content[kind.api_version, kind.resource][meta.get("namespace", ""), meta["name"]] = stored
        return stored

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """One object."""
        return self._content[kind.api_version, kind.resource].get((namespace, name))

    def all(self, kind: Kind, namespace: str = "") -> list[Object]:
        """Those of a kind, in one namespace or in all."""
        with self.lock:
            content = self._content[kind.api_version, kind.resource]
            return [content[key] for key in sorted(content) if not namespace or key[0] == namespace]


class SelectorError(Exception):
    """A selector that Kubernetes would refuse; the message is its."""


_SET = re.compile(r"^([^\s!=]+)\s+(in|notin)\s+\(([^)]*)\)$")


def label_selector(text: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The requirements of a selector over labels: key, operator (`in`, `notin`, `exists`, `absent`), values."""
    for part in re.split(r",(?![^(]*\))", text):
        requirement = part.strip()
        if not requirement:
            continue
        grouped = _SET.match(requirement)
        if grouped:
            yield grouped[1], grouped[2], tuple(value.strip() for value in grouped[3].split(","))
        elif "!=" in requirement:
            key, _sign, value = requirement.partition("!=")
            yield key.strip(), "notin", (value.strip(),)
        elif "=" in requirement:
            key, _sign, value = requirement.partition("=")
            yield key.strip(), "in", (value.lstrip("=").strip(),)
        elif re.fullmatch(r"!?[A-Za-z0-9._/-]+", requirement):
            yield requirement.lstrip("!"), "absent" if requirement.startswith("!") else "exists", ()
        else:
            raise SelectorError(f"unable to parse requirement: found '{requirement}'")


def has_labels(item: Object, text: str) -> bool:
    """Whether an object fulfils a selector over labels."""
    labels = item["metadata"].get("labels") or {}
    for key, operator, values in label_selector(text):
        fits = {
            "in": labels.get(key) in values,
            "notin": labels.get(key) not in values,
            "exists": key in labels,
            "absent": key not in labels,
        }
        if not fits[operator]:
            return False
    return True


def has_fields(item: Object, kind: Kind, text: str) -> bool:
    """Whether an object fulfils a selector over fields."""
    known = {"metadata.name": ("metadata", "name"), "metadata.namespace": ("metadata", "namespace"), **kind.fields}
    for part in filter(None, text.split(",")):
        match = re.fullmatch(r"(.+?)(!=|==|=)(.*)", part)
        if match is None:
            raise SelectorError(f"invalid selector: '{part}'; can't understand '{part}'")
        if match[1] not in known:
            raise SelectorError(f"field label not supported: {match[1]}")
        value: Any = item
        for step in known[match[1]]:
            value = value.get(step, "") if isinstance(value, dict) else ""
        if (value == match[3]) == (match[2] == "!="):
            return False
    return True
