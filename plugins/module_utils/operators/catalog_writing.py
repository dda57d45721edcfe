# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the chosen part of a catalog: a folder for each package with a catalog.json, the same bytes for the same choice.

The blobs come in the order package, channels, bundles, other schemas, deprecations, each kind by name (the others by schema and in
the order in which they were found), with the fields in the order of the format and a width of four spaces, as opm writes them.
Fields that the format does not know follow its own, keys inside of values are sorted.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_selection import KeptPackage, Selection
from ansible_collections.quayside.airgap.plugins.module_utils.operators.filebased_catalog import (
    BUNDLE,
    CHANNEL,
    DEPRECATIONS,
    PACKAGE,
    Catalog,
    Entry,
    Other,
)

FILE_NAME = "catalog.json"


class _Fields:
    """The fields of an object in the order in which they are written.

    :ivar required: written even when empty.
    :ivar inner: the fields of what lies in a field, an object or a list of objects.
    """

    def __init__(self, required: str, optional: str = "", order: str = "", **inner: _Fields) -> None:
        self.required = frozenset(required.split())
        self.order = (order or f"{required} {optional}").split()
        self.inner = inner
        self.known = {name.casefold(): name for name in self.order}

    def arrange(self, value: Any) -> Any:
        """A value with its fields in order; what is no object is left to itself."""
        if not isinstance(value, dict):
            return value
        given = {self.known.get(str(key).casefold(), str(key)): content for key, content in value.items()}
        result = {}
        for name in [*self.order, *sorted(given.keys() - set(self.order))]:
            content = given.get(name)
            if content in (None, "", []) and name not in self.required:
                continue
            inner = self.inner.get(name)
            if inner is None:
                result[name] = content if content is not None else ""
            elif isinstance(content, list):
                result[name] = [inner.arrange(item) for item in content]
            else:
                result[name] = inner.arrange(content)
        return result


_PROPERTIES = _Fields("type value")
_ENTRY = _Fields("name", "replaces skips skipRange")
_SCHEMAS = {
    PACKAGE: _Fields(
        "schema name defaultChannel", "icon description properties", icon=_Fields("base64data mediatype"), properties=_PROPERTIES
    ),
    CHANNEL: _Fields("schema name package entries", "properties", entries=_ENTRY, properties=_PROPERTIES),
    BUNDLE: _Fields(
        "schema image",
        order="schema name package image properties relatedImages",
        properties=_PROPERTIES,
        relatedImages=_Fields("name image"),
    ),
    DEPRECATIONS: _Fields(
        "schema package entries",
        entries=_Fields("reference message", reference=_Fields("schema", "name")),
    ),
}


def write_catalog(catalog: Catalog, selection: Selection, folder: str | os.PathLike[str]) -> None:
    """Replace a folder by the chosen part of a catalog.

    :raises FileError: when it cannot be written, or the catalog cannot be read any more; the folder is then as it was.
    """
    target = Path(folder)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as work:
            new, old = Path(work, "new"), Path(work, "old")
            new.mkdir()
            for name, pieces in catalog_files(catalog, selection):
                path = new / name
                path.parent.mkdir(exist_ok=True)
                with open(path, "wb") as stream:
                    for piece in pieces:
                        stream.write(piece)
            if target.exists():
                target.rename(old)
            new.rename(target)
    except OSError as error:
        raise FileError("write the catalog to", str(target), error.strerror or str(error)) from error


def catalog_files(catalog: Catalog, selection: Selection) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The files of a catalog: path from its root and content, in pieces of one blob each.

    :raises FileError: when the catalog cannot be read any more.
    """
    if catalog.others:
        yield FILE_NAME, _others(catalog, catalog.others)
    for name, kept in selection.packages.items():
        yield f"{name}/{FILE_NAME}", package_blobs(catalog, kept)


def package_blobs(catalog: Catalog, kept: KeptPackage) -> Iterator[bytes]:
    """The blobs of a package as they are written, one at a time.

    :raises FileError: when the catalog cannot be read any more.
    """
    package = kept.package
    if package.place is not None:
        yield _written({**catalog.blob(package.place), "defaultChannel": kept.default_channel})
    for name, entries in sorted(kept.channels.items()):
        yield _written({**catalog.blob(package.channels[name].place), "entries": [_entry(entry) for entry in entries]})
    for bundle in kept.bundles():
        yield _written(catalog.blob(bundle.place))
    yield from _others(catalog, package.others)
    deprecations = kept.deprecations()
    if deprecations is not None and package.deprecations_place is not None:
        blob = catalog.blob(package.deprecations_place)
        entries_kept = [{"reference": {"schema": entry.schema, "name": entry.name}, "message": entry.message} for entry in deprecations]
        yield _written({**blob, "entries": entries_kept})


def _others(catalog: Catalog, others: list[Other]) -> Iterator[bytes]:
    for other in sorted(others, key=lambda other: other.schema):
        yield _text(_sorted(catalog.blob(other.place)))


def _entry(entry: Entry) -> dict[str, Any]:
    own = {"name": entry.name, "replaces": entry.replaces, "skips": list(entry.skips), "skipRange": entry.skip_range}
    return {**own, **entry.more}


def _written(blob: Mapping[str, Any]) -> bytes:
    folded = {str(key).casefold(): (key, value) for key, value in blob.items()}
    schema = str(folded.get("schema", ("", ""))[1])
    return _text(_SCHEMAS[schema].arrange(_sorted(blob)))


def _sorted(value: Any) -> Any:
    """A value with the keys of all objects in it in order."""
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


def _text(value: Any) -> bytes:
    text = json.dumps(value, indent=4, ensure_ascii=False, allow_nan=False)
    # JSON allows these two, JavaScript did not: Go writes them as escapes
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029") + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError:
        # half of a character that takes two code units, from an escape
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
