# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""registries.conf, version 2: where the images of a registry are really fetched.

Rules: containers-registries.conf(5). The longest prefix that fits decides; its mirrors come first, in order, the location last.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import read_bytes
from ansible_collections.quayside.airgap.plugins.module_utils.core.thirdparty import load_toml
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference

_LIMIT = 4 << 20


@dataclass(frozen=True)
class Endpoint:
    """A place to fetch from.

    :ivar location: host with an optional path, which stands in for the prefix.
    :ivar insecure: certificates are not checked and plain HTTP is allowed.
    :ivar pulls: ``all``, ``digest-only`` or ``tag-only``: what kind of references may be fetched from here.
    """

    location: str
    insecure: bool = False
    pulls: str = "all"

    def serves(self, reference: Reference) -> bool:
        return self.pulls == "all" or (self.pulls == "digest-only") == (reference.digest is not None)


@dataclass(frozen=True)
class Rule:
    """One ``[[registry]]`` table."""

    prefix: str
    endpoint: Endpoint
    mirrors: tuple[Endpoint, ...] = ()
    blocked: bool = False

    def covers(self, name: str) -> int | None:
        """How many characters of a name (registry and repository) the prefix covers, None when it does not fit."""
        if self.prefix.startswith("*."):
            host = name.partition("/")[0]
            return len(host) if host.partition(":")[0].endswith(self.prefix[1:]) else None
        if name == self.prefix or name.startswith(f"{self.prefix}/"):
            return len(self.prefix)
        return None


@dataclass(frozen=True)
class Source:
    """A reference as it is really fetched."""

    reference: Reference
    insecure: bool


@dataclass(frozen=True)
class RegistriesConf:
    """All rules that are in force."""

    rules: tuple[Rule, ...] = ()
    origin: str = field(default="", compare=False)

    def sources(self, reference: Reference) -> list[Source]:
        """Where to look for an image, best first; the reference itself when no rule fits.

        :raises FileError: when a rule blocks the registry.
        """
        best: Rule | None = None
        for rule in self.rules:
            if rule.covers(reference.name) is not None and (best is None or len(rule.prefix) > len(best.prefix)):
                best = rule
        if best is None:
            return [Source(reference, False)]
        if best.blocked:
            raise FileError("use", str(reference), f"{self.origin} blocks '{best.prefix}'")
        covered = best.covers(reference.name) or 0
        rest = reference.name[covered:]
        found = [_source(mirror, rest, reference) for mirror in best.mirrors if mirror.serves(reference)]
        # a wildcard rule without a location leaves the name as it is
        own = _source(best.endpoint, rest, reference) if best.endpoint.location else Source(reference, best.endpoint.insecure)
        return [*found, own]


def load_registries_conf(path: str | None = None, environment: Mapping[str, str] | None = None) -> RegistriesConf:
    """The rules of the file that the user named, else of the places where podman and oc-mirror look.

    :param path: a file; the empty string means none at all.
    :raises FileError: when a named file is missing, or any file is broken.
    :raises DependencyError: when there are rules and this Python cannot read TOML.
    """
    if path == "":
        return RegistriesConf()
    env = os.environ if environment is None else environment
    files = _files(path or env.get("CONTAINERS_REGISTRIES_CONF"), env)
    rules: dict[str, Rule] = {}
    for file in files:
        # a drop-in replaces a table of the same prefix in the files before it
        for rule in _read(file):
            rules[rule.prefix] = rule
    return RegistriesConf(tuple(rules.values()), ", ".join(str(file) for file in files))


def _files(named: str | None, env: Mapping[str, str]) -> list[Path]:
    if named:
        return [Path(named).expanduser()]
    config = Path(env.get("XDG_CONFIG_HOME") or Path(env.get("HOME") or Path.home()) / ".config") / "containers"
    system = Path("/etc/containers")
    main = next((folder / "registries.conf" for folder in (config, system) if (folder / "registries.conf").is_file()), None)
    found = [main] if main else []
    for folder in (system, config):
        found += sorted((folder / "registries.conf.d").glob("*.conf"))
    return found


def _read(path: Path) -> list[Rule]:
    content = read_bytes(path, limit=_LIMIT)
    # most systems have a file that sets nothing for us: no TOML reader is needed for that
    if not re.search(rb"(?m)^\s*(\[\[?\s*registry|registry\s*=)", content):
        return []
    toml = load_toml(f"the rules in {path}")
    try:
        document = toml.loads(content.decode())
    except UnicodeDecodeError as error:
        raise FileError("read", str(path), "it is not UTF-8 text") from error
    except toml.TOMLDecodeError as error:
        raise FileError("read", str(path), f"it is no TOML: {error}") from error
    tables = document.get("registry", [])
    if not isinstance(tables, list):
        raise FileError("read", str(path), "'registry' must be written as [[registry]] tables")
    return [_rule(table, path) for table in tables]


def _rule(table: Any, path: Path) -> Rule:
    if not isinstance(table, dict):
        raise FileError("read", str(path), "a [[registry]] entry is no table")
    location = _text(table, "location", path)
    prefix = _text(table, "prefix", path) or location
    if not prefix:
        raise FileError("read", str(path), "a [[registry]] table has neither prefix nor location")
    if not location and not prefix.startswith("*."):
        location = prefix
    mirrors = table.get("mirror", [])
    if not isinstance(mirrors, list):
        raise FileError("read", str(path), "'mirror' must be written as [[registry.mirror]] tables")
    for text in (prefix, location):
        _checked(text, path)
    only_digests = bool(table.get("mirror-by-digest-only", False))
    return Rule(
        prefix=prefix.rstrip("/"),
        endpoint=Endpoint(location.rstrip("/"), bool(table.get("insecure", False))),
        mirrors=tuple(_mirror(mirror, only_digests, path) for mirror in mirrors),
        blocked=bool(table.get("blocked", False)),
    )


def _mirror(table: Any, only_digests: bool, path: Path) -> Endpoint:
    location = _text(table, "location", path) if isinstance(table, dict) else ""
    if not location:
        raise FileError("read", str(path), "a [[registry.mirror]] table has no location")
    _checked(location, path)
    pulls = _text(table, "pull-from-mirror", path) or ("digest-only" if only_digests else "all")
    if pulls not in ("all", "digest-only", "tag-only"):
        raise FileError("read", str(path), f"pull-from-mirror '{pulls}' is none of all, digest-only, tag-only")
    return Endpoint(location.rstrip("/"), bool(table.get("insecure", False)), pulls)


def _checked(location: str, path: Path) -> None:
    if "://" in location:
        raise FileError("read", str(path), f"'{location}' has a scheme, which has no place there")


def _text(table: dict[str, Any], key: str, path: Path) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise FileError("read", str(path), f"'{key}' must be text")
    return value


def _source(endpoint: Endpoint, rest: str, reference: Reference) -> Source:
    registry, _separator, repository = f"{endpoint.location}{rest}".partition("/")
    if not repository.strip("/"):
        raise FileError("use", str(reference), f"'{endpoint.location}' in registries.conf leaves no repository of it")
    return Source(Reference(registry, repository.strip("/"), reference.tag, reference.digest), endpoint.insecure)
