# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds catalogs for the tests: the smallest that show the point."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_reading import BytesSource, read_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_selection import Selection
from ansible_collections.quayside.airgap.plugins.module_utils.operators.filebased_catalog import Catalog

HEX = "ab" * 32


def image(name: str) -> str:
    """An image by digest."""
    return f"registry.lab.example/ops/{name}@sha256:{HEX}"


def entry(version: str, replaces: str = "", *, skips: Sequence[str] = (), skip_range: str = "", package: str = "op") -> dict[str, Any]:
    """An entry of a channel; bundles are named by their versions."""
    found: dict[str, Any] = {"name": f"{package}.v{version}"}
    if replaces:
        found["replaces"] = f"{package}.v{replaces}"
    if skips:
        found["skips"] = [f"{package}.v{skip}" for skip in skips]
    if skip_range:
        found["skipRange"] = skip_range
    return found


def chain(*versions: str, package: str = "op") -> list[dict[str, Any]]:
    """Entries that replace each other, the oldest first."""
    return [entry(version, below, package=package) for version, below in zip(versions, ["", *versions])]


def bundle(version: str, package: str = "op", **more: Any) -> dict[str, Any]:
    """The blob of a bundle. ``properties`` are added to its own."""
    properties = [{"type": "olm.package", "value": {"packageName": package, "version": version}}, *more.pop("properties", [])]
    own = {"name": f"{package}.v{version}", "image": image(f"{package}-bundle-{version}".replace("+", "-")), "relatedImages": []}
    return {"schema": "olm.bundle", "package": package, "properties": properties, **own, **more}


def package_blobs(
    channels: Mapping[str, Sequence[Mapping[str, Any]]],
    name: str = "op",
    default: str | None = None,
    bundles: Iterable[Mapping[str, Any]] = (),
    **more: Any,
) -> list[dict[str, Any]]:
    """The blobs of a package. A bundle that no blob is given for gets a plain one; the default channel is the first."""
    blobs: list[dict[str, Any]] = [{"schema": "olm.package", "name": name, "defaultChannel": default or next(iter(channels), ""), **more}]
    for channel, entries in channels.items():
        blobs.append({"schema": "olm.channel", "package": name, "name": channel, "entries": list(entries)})
    given = {blob["name"]: dict(blob) for blob in bundles}
    wanted = sorted({item["name"] for entries in channels.values() for item in entries} | given.keys())
    return blobs + [given.get(item) or bundle(item.partition(".v")[2], name) for item in wanted]


def deprecations(*entries: tuple[str, str, str], package: str = "op") -> dict[str, Any]:
    """The blob with what a package deprecates: schema, name and message."""
    found = []
    for schema, name, message in entries:
        found.append({"reference": {"schema": schema, **({"name": name} if name else {})}, "message": message})
    return {"schema": "olm.deprecations", "package": package, "entries": found}


def read(*blobs: Mapping[str, Any], name: str = "op/catalog.json") -> Catalog:
    """A catalog of one file."""
    return read_catalog([BytesSource(name, "".join(json.dumps(blob) for blob in blobs).encode())])


def read_files(files: Mapping[str, str | bytes]) -> Catalog:
    """A catalog of several files, by their paths."""
    return read_catalog([BytesSource(name, text.encode() if isinstance(text, str) else text) for name, text in files.items()])


def kept(selection: Selection, package: str = "op") -> dict[str, list[str]]:
    """The versions that stay, by channel."""
    channels = selection.packages[package].channels
    return {name: [item.name.partition(".v")[2] for item in entries] for name, entries in channels.items()}
