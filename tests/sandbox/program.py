# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs several sandbox servers in one process from a configuration file, until SIGTERM or the end of a lifetime.

    instances:
      source:
        kind: registry              # options as in RegistryOptions
        auth: token
        users: {bot: {password: secret, grants: {"team/*": "pull,push"}}}
        anonymous: ["public/*"]
        latency: 0.01
        tls: certs                  # directory for an authority and certificates, made here
        faults: [{method: GET, path: /blobs/, kind: reset, after_bytes: 1000}]
      quay:
        kind: quay                  # options as in QuayOptions, and what is in it from the start
        version: "3.18"
        api_latency: 0.19
        seed:
          users: {quayadmin: {password: password1, superuser: true}}
          organizations: {team: {owner: quayadmin}}
          robots: [team+bot]
          repositories: {team/app: {public: true}}
          tokens: {quayadmin: "org:admin repo:read"}    # user -> scopes, empty: all of them
      certified:
        kind: catalog               # options as in CatalogOptions
        images: 24000
        organizations: {certified-operators: 4000}
        prepared: true
        faults: [{method: GET, path: /images, kind: short, skip: 3}]
        changes: [{after: 10, images: {add: 3, remove: 5}, operators: {change: 2}}]
      far:
        kind: proxy
        upstream: source            # an instance, or upstream_port: 5000
        delay: 0.03

Relative paths start at the configuration file. When everything answers, the ready file appears: JSON with `pid` and
`instances`, each with kind, port, host and url, tokens of a Quay, api_url and index_url of a catalog, and the paths of certificates
where there are some.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from ansible_collections.quayside.airgap.tests.sandbox.catalog.changes import KINDS as CHANGED
from ansible_collections.quayside.airgap.tests.sandbox.catalog.changes import Editor
from ansible_collections.quayside.airgap.tests.sandbox.catalog.options import CatalogOptions
from ansible_collections.quayside.airgap.tests.sandbox.catalog.server import SandboxCatalog
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.proxy import LatencyProxy, write_file
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import SCOPES
from ansible_collections.quayside.airgap.tests.sandbox.registry import RegistryOptions, SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.certs import Certificates, create_certificates

DEFAULT_LIFETIME = 3600.0


class ConfigurationError(Exception):
    """The configuration cannot be used; the message names the instance and what is wrong with it."""


@contextlib.contextmanager
def run_instances(configuration: Mapping[str, Any], base: Path) -> Iterator[dict[str, dict[str, Any]]]:
    """Start all instances of a configuration; gives what the ready file says about each. Ends them at the end."""
    instances = configuration.get("instances")
    if not isinstance(instances, Mapping) or not instances:
        raise ConfigurationError("the configuration has no instances")
    described: dict[str, dict[str, Any]] = {}
    with contextlib.ExitStack() as stack:
        for name, settings in instances.items():
            values = dict(settings or {})
            kind = values.pop("kind", None)
            start = KINDS.get(kind)
            if start is None:
                raise ConfigurationError(f"{name}: kind is {kind!r}, must be one of {', '.join(sorted(KINDS))}")
            try:
                described[name] = {"kind": kind, **start(stack, values, base, described)}
            except (KeyError, OSError, TypeError, ValueError) as error:
                raise ConfigurationError(f"{name}: {error}") from error
        yield described


def _start_registry(stack: contextlib.ExitStack, values: dict[str, Any], base: Path, _others: Mapping[str, Any]) -> dict[str, Any]:
    directory = values.pop("tls", None)
    faults = [Fault(**fault) for fault in values.pop("faults", [])]
    if values.get("storage"):
        values["storage"] = base / values["storage"]
    options = RegistryOptions.from_mapping(values)
    certificates = create_certificates(base / directory) if directory else None
    options.tls = certificates
    registry = SandboxRegistry(options)
    registry.faults.extend(faults)
    stack.enter_context(registry)
    about: dict[str, Any] = {"port": registry.port, "host": registry.host, "url": registry.url}
    if registry.storage_port:
        about["storage_port"] = registry.storage_port
    return {**about, **_paths(certificates)}


def _start_proxy(stack: contextlib.ExitStack, values: dict[str, Any], _base: Path, others: Mapping[str, Any]) -> dict[str, Any]:
    upstream = values.pop("upstream", None)
    port = values.pop("upstream_port", None)
    delay = float(values.pop("delay", 0.0))
    own_port = int(values.pop("port", 0))
    if values:
        raise ValueError(f"unknown proxy options: {', '.join(sorted(values))}")
    if upstream is not None:
        if upstream not in others:
            raise ValueError(f"upstream {upstream!r} is not an instance above this one")
        if others[upstream]["url"].startswith("https"):
            raise ValueError(f"upstream {upstream!r} speaks https, a proxy forwards http only")
        port = others[upstream]["port"]
    if port is None:
        raise ValueError("a proxy needs upstream or upstream_port")
    proxy = stack.enter_context(LatencyProxy(int(port), delay, port=own_port))
    return {"port": proxy.port, "host": proxy.host, "url": proxy.url}


def _start_quay(stack: contextlib.ExitStack, values: dict[str, Any], base: Path, _others: Mapping[str, Any]) -> dict[str, Any]:
    directory = values.pop("tls", None)
    faults = [Fault(**fault) for fault in values.pop("faults", [])]
    seed = dict(values.pop("seed", {}))
    options = QuayOptions.from_mapping(values)
    certificates = create_certificates(base / directory) if directory else None
    options.tls = certificates
    quay = SandboxQuay(options)
    for name, entry in seed.pop("users", {}).items():
        quay.add_user(name, **(entry or {}))
    for name, entry in seed.pop("organizations", {}).items():
        quay.add_organization(name, **(entry or {}))
    robots = {name: quay.add_robot(name).token for name in seed.pop("robots", [])}
    for name, entry in seed.pop("repositories", {}).items():
        quay.add_repository(name, **(entry or {}))
    tokens = {name: quay.token(name, scopes or SCOPES) for name, scopes in seed.pop("tokens", {}).items()}
    if seed:
        raise ValueError(f"unknown seeds: {', '.join(sorted(seed))}")
    quay.faults.extend(faults)
    stack.enter_context(quay)
    about: dict[str, Any] = {"port": quay.port, "host": quay.host, "url": quay.url, "tokens": tokens, "robots": robots}
    return {**about, **_paths(certificates)}


def _start_catalog(stack: contextlib.ExitStack, values: dict[str, Any], base: Path, _others: Mapping[str, Any]) -> dict[str, Any]:
    directory = values.pop("tls", None)
    faults = [Fault(**fault) for fault in values.pop("faults", [])]
    changes = values.pop("changes", [])
    options = CatalogOptions.from_mapping(values)
    certificates = create_certificates(base / directory) if directory else None
    catalog = SandboxCatalog(dataclasses.replace(options, tls=certificates))
    catalog.faults.extend(faults)
    for change in changes:
        unknown = sorted(set(change) - {"after", *CHANGED})
        if unknown:
            raise ValueError(f"unknown changes: {', '.join(unknown)}")
        wanted = {kind: change.get(kind) for kind in CHANGED}
        catalog.after(int(change.get("after", 0)), functools.partial(Editor.shuffle, **wanted))
    stack.enter_context(catalog)
    about = {"port": catalog.port, "host": f"127.0.0.1:{catalog.port}", "url": catalog.url}
    return {**about, "api_url": catalog.api_url, "index_url": catalog.index_url, **_paths(certificates)}


Start = Callable[[contextlib.ExitStack, "dict[str, Any]", Path, "Mapping[str, Any]"], "dict[str, Any]"]
KINDS: dict[str, Start] = {"registry": _start_registry, "proxy": _start_proxy, "quay": _start_quay, "catalog": _start_catalog}


def _paths(certificates: Certificates | None) -> dict[str, str]:
    if certificates is None:
        return {}
    return {
        "ca": str(certificates.ca),
        "client_cert": str(certificates.client_cert),
        "client_key": str(certificates.client_key),
    }


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM, SIGINT or the end of the lifetime; exit status 2 for a configuration that cannot be used."""
    parser = argparse.ArgumentParser(prog="sandbox", description="Servers to try the collection against, on loopback.")
    parser.add_argument("--config", type=Path, required=True, help="YAML file that names the instances")
    parser.add_argument("--ready-file", type=Path, help="file to write once all answer; without it: standard output")
    parser.add_argument("--lifetime", type=float, default=DEFAULT_LIFETIME, help="seconds after which everything ends by itself")
    options = parser.parse_args(arguments)
    finished = threading.Event()

    def finish(_number: int, _frame: FrameType | None) -> None:
        finished.set()

    signal.signal(signal.SIGTERM, finish)
    signal.signal(signal.SIGINT, finish)
    try:
        configuration = yaml.safe_load(options.config.read_text()) or {}
        with run_instances(configuration, options.config.resolve().parent) as described:
            ready = json.dumps({"pid": os.getpid(), "instances": described}, indent=2) + "\n"
            if options.ready_file:
                write_file(options.ready_file, ready)
            else:
                print(ready, end="", flush=True)
            finished.wait(options.lifetime)
    except (ConfigurationError, OSError, yaml.YAMLError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2
    return 0
