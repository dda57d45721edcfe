# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Quay can do, read from /config and /api/v1/discovery.

Never by trying: a feature that is switched off looks like an unknown path, and a request to an unknown path below a repository
is taken for a request to another repository (Quay API: URL traps).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError

_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


class NotOfferedError(AirgapError):
    """This Quay does not offer what was asked for: too old, or switched off."""


class Capabilities:
    """Features, version, routes and fields of one Quay; each source is read when it is first needed.

    :param ask: gives the JSON of a path without a login, None where there is none.
    :param name: host of the Quay, for messages.
    """

    def __init__(self, ask: Callable[[str], Any | None], name: str) -> None:
        self._ask = ask
        self._name = name
        self._lock = threading.Lock()
        self._config: Mapping[str, Any] | None = None
        self._discovery: Mapping[str, Any] | None = None

    @property
    def config(self) -> Mapping[str, Any]:
        """What /config gives (Quay 3.8 and later); empty where it is not there."""
        with self._lock:
            if self._config is None:
                found = self._ask("/config")
                self._config = found if isinstance(found, dict) and "features" in found else {}
            return self._config

    @property
    def discovery(self) -> Mapping[str, Any]:
        """The API's own description (swagger 2.0), on every version."""
        with self._lock:
            if self._discovery is None:
                found = self._ask("/api/v1/discovery")
                self._discovery = found if isinstance(found, dict) else {}
            return self._discovery

    @property
    def version(self) -> str:
        """``3.18.0``; empty where Quay does not say (before 3.16)."""
        found = _VERSION.search(str(self.config.get("version_number") or ""))
        return ".".join(part for part in found.groups() if part) if found else ""

    @property
    def read_only(self) -> bool:
        return str(self.config.get("registry_state", "normal")) == "readonly"

    def feature(self, name: str) -> bool | None:
        """Whether a feature is on; None where Quay does not tell (before 3.8).

        :param name: without FEATURE_: ``PROXY_CACHE``.
        """
        features = self.config.get("features")
        return bool(features.get(name, False)) if isinstance(features, dict) else None

    def setting(self, name: str) -> Any:
        """A value of the part of config.yaml that Quay shows to everybody."""
        return (self.config.get("config") or {}).get(name)

    def has_route(self, path: str) -> bool:
        """Whether the API has a path, written as in discovery: ``/api/v1/organization/{orgname}/proxycache``."""
        return _shape(path) in {_shape(known) for known in self.discovery.get("paths", {})}

    def field(self, definition: str, name: str) -> bool:
        """Whether a request body takes a field.

        :param definition: name among discovery's definitions: ``CreateMirrorConfig``.
        """
        return name in self._definition(definition).get("properties", {})

    def requires(self, definition: str, name: str) -> bool:
        """Whether a request body must have a field."""
        return name in self._definition(definition).get("required", [])

    def _definition(self, name: str) -> Mapping[str, Any]:
        found = self.discovery.get("definitions", {}).get(name)
        return found if isinstance(found, dict) else {}

    def offers(self, route: str, feature: str, since: str = "") -> bool:
        """Whether this Quay has a route; costs the description of the whole API only where features and version do not tell.

        :param route: as for :meth:`has_route`.
        :param feature: the FEATURE_ that switches it on, without that prefix; empty where there is none.
        :param since: the first version that has the route, where that is later than the feature.
        """
        switched = self.feature(feature) if feature else None
        if switched is False:
            return False
        recent = not since or bool(self.version and version_key(self.version) >= version_key(since))
        return bool(switched and recent) or self.has_route(route)

    def need(self, route: str, feature: str, what: str, since: str = "") -> None:
        """As :meth:`offers`, before a change.

        :param what: what is to be done, as an infinitive.
        :raises NotOfferedError: when this Quay does not have it.
        """
        if self.offers(route, feature, since):
            return
        said = f"this Quay{f' {self.version}' if self.version else ''} does not offer it"
        if feature and self.feature(feature) is False:
            hint = f"Set FEATURE_{feature}: true in its config.yaml{f' (Quay {since} and later)' if since else ''}."
        else:
            hint = f"It needs Quay {since} or later{f' with FEATURE_{feature}: true' if feature else ''}." if since else ""
        raise NotOfferedError(what, f"on {self._name}", said, hint)


def version_key(version: str) -> tuple[int, ...]:
    """``3.12.1`` as numbers that compare."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path).rstrip("/")
