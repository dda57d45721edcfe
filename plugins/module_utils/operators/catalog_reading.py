# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a file-based catalog from a folder, from bytes or from streams, in one pass and with bounded memory.

As the tools that serve catalogs do, it reads every file whatever its name, but for what .indexignore files leave out, and minds
neither in which file a blob lies nor in which order. What it cannot understand costs the packages that it belongs to, no more.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.operators import indexignore, pull_specs
from ansible_collections.quayside.airgap.plugins.module_utils.operators.blob_scanner import Found, ScanError, scan
from ansible_collections.quayside.airgap.plugins.module_utils.operators.filebased_catalog import (
    BUNDLE,
    CHANNEL,
    DEPRECATIONS,
    PACKAGE,
    Bundle,
    Catalog,
    Channel,
    DeprecationEntry,
    Entry,
    Fault,
    Gvk,
    Other,
    Package,
    Place,
    Requirement,
    Source,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.versions import parse_version

_LARGEST_IGNORE_FILE = 1 << 20
_FIELDS = {
    name.casefold(): name
    for name in (
        *("schema", "name", "package", "defaultChannel", "icon", "description", "properties", "entries", "image", "relatedImages"),
        *("replaces", "skips", "skipRange", "type", "value", "reference", "message"),
    )
}


class BytesSource:
    """A file that is in memory."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self._content = content

    def open(self) -> BinaryIO:
        return io.BytesIO(self._content)

    def read(self, offset: int, size: int) -> bytes:
        return self._content[offset : offset + size]

    def close(self) -> None:
        """Nothing is open."""


class FileSource:
    """A file on disk.

    :param name: its path from the catalog's root.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path

    def open(self) -> BinaryIO:
        try:
            return open(self._path, "rb")
        except OSError as error:
            raise FileError("read", str(self._path), error.strerror or str(error)) from error

    def read(self, offset: int, size: int) -> bytes:
        try:
            with self.open() as stream:
                stream.seek(offset)
                return stream.read(size)
        except OSError as error:
            raise FileError("read", str(self._path), error.strerror or str(error)) from error

    def close(self) -> None:
        """Nothing is open."""


class _Positioned(io.RawIOBase):
    """Reads an open file from its beginning, whoever else reads it."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = os.pread(self._handle, len(buffer), self._position)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)


class SpooledSource:
    """What lies in a temporary file.

    :param own: whether the file goes with the source.
    """

    def __init__(self, name: str, spool: BinaryIO, *, own: bool = True) -> None:
        self.name = name
        self._spool = spool
        self._own = own

    @classmethod
    def of(cls, name: str, stream: BinaryIO) -> SpooledSource:
        """Take over a stream that can be read only once, a member of a compressed archive for example."""
        spool = new_spool()
        try:
            shutil.copyfileobj(stream, spool, 1 << 20)
            spool.flush()
        except OSError as error:
            spool.close()
            raise FileError("keep a copy of", name, error.strerror or str(error)) from error
        return cls(name, spool)

    def open(self) -> BinaryIO:
        return io.BufferedReader(_Positioned(self._spool.fileno()))

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._spool.fileno(), size, offset)

    def close(self) -> None:
        if self._own:
            self._spool.close()


def new_spool() -> BinaryIO:
    """A temporary file without a name, which the disk forgets when it is closed."""
    return tempfile.TemporaryFile(prefix="quayside-catalog-")


def read_tree(folder: str | os.PathLike[str]) -> Catalog:
    """The catalog in a folder and all folders below.

    :raises FileError: when there is no such folder, or it cannot be read.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileError("read", str(root), "there is no such folder")
    inside = os.path.realpath(root)
    sources: list[Source] = []
    faults = []

    def refuse(error: OSError) -> None:
        raise FileError("read", str(error.filename), error.strerror or str(error)) from error

    for place, folders, names in os.walk(root, onerror=refuse):
        folders.sort()
        for name in sorted(names + [name for name in folders if os.path.islink(os.path.join(place, name))]):
            path = Path(place, name)
            relative = path.relative_to(root).as_posix()
            # a catalog is somebody else's: a link in it must not open our own files
            target = os.path.realpath(path)
            if not target.startswith(inside + os.sep) or not os.path.isfile(target):
                faults.append(Fault("", relative, "it is no file of this catalog"))
            else:
                sources.append(FileSource(relative, path))
    return read_catalog(sources, faults)


def read_catalog(sources: Iterable[Source], faults: Iterable[Fault] = ()) -> Catalog:
    """The catalog in some files.

    :param sources: all files of its root folder and below, .indexignore included; names are paths from that folder.
    :param faults: what is known to be wrong already.
    :raises FileError: when a file cannot be read.
    :raises DependencyError: when there is YAML to read and PyYAML is not installed.
    """
    rules = indexignore.IgnoreRules()
    wanted = []
    for source in sorted(sources, key=lambda source: source.name.split("/")):
        parts = source.name.split("/")
        if parts[-1] == indexignore.FILE_NAME:
            rules.add(source.read(0, _LARGEST_IGNORE_FILE).decode("utf-8", "replace"), parts[:-1])
        else:
            wanted.append(source)
    reader = _Reader(faults)
    try:
        for source in wanted:
            if not rules.ignore(source.name.split("/")):
                reader.read(source)
        return reader.catalog()
    except BaseException:
        reader.close()
        raise


class _BlobError(Exception):
    """A blob that nothing can be made of.

    :ivar field: which part of it.
    """

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(field, reason)


class _Reader:
    """Collects the blobs of all sources."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._sources: list[Source] = []
        self._packages: dict[str, Package] = {}
        self._others: list[Other] = []
        self._faults = list(faults)
        self._spool: BinaryIO | None = None
        # packages that a file has something of, and what is wrong in files as such
        self._owners: dict[str, set[str]] = defaultdict(set)
        self._broken: dict[str, Fault] = {}
        # many bundles of an operator provide the same APIs and need the same
        self._known: dict[Any, Any] = {}

    def read(self, source: Source) -> None:
        """Take all blobs of a source."""
        number = len(self._sources)
        self._sources.append(source)
        spooled = 0
        try:
            with source.open() as stream:
                for found in scan(stream):
                    place = Place(number, found.offset, found.size)
                    if not found.size:
                        if not spooled:
                            spooled = len(self._sources)
                            self._sources.append(SpooledSource(source.name, self._spooled(), own=False))
                        place = self._write(spooled, found)
                    self._take(found, place, source.name)
        except ScanError as error:
            self._broken[source.name] = Fault("", f"{source.name}: line {error.line}", error.reason)
        except OSError as error:
            raise FileError("read", source.name, error.strerror or str(error)) from error

    def close(self) -> None:
        """Let go of what was read so far."""
        for source in self._sources:
            source.close()
        if self._spool is not None:
            self._spool.close()

    def catalog(self) -> Catalog:
        """What was found."""
        if self._spool is not None:
            self._spool.flush()
        for name, fault in self._broken.items():
            folders = set(name.split("/")[:-1]) & self._packages.keys()
            for owner in sorted(self._owners[name] | folders):
                self._packages[owner].faults.append(Fault(owner, fault.path, fault.reason))
            if not self._owners[name] | folders:
                self._faults.append(fault)
        for package in self._packages.values():
            if package.place is None:
                package.faults.append(Fault(package.name, "", f"there is no {PACKAGE} blob for it"))
            self._faults += package.faults
        return Catalog(self._sources, self._packages, self._others, self._faults, self._spool)

    def _spooled(self) -> BinaryIO:
        self._spool = self._spool or new_spool()
        return self._spool

    def _write(self, source: int, found: Found) -> Place:
        """Keep what was written in YAML as JSON: it is read again quicker than it is understood again."""
        try:
            text = json.dumps(found.value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")
        except (TypeError, ValueError, RecursionError) as error:
            raise ScanError(found.line, f"it is nothing that JSON can hold: {error}") from error
        spool = self._spooled()
        offset = spool.seek(0, os.SEEK_END)
        spool.write(text)
        return Place(source, offset, len(text))

    def _take(self, found: Found, place: Place, file: str) -> None:
        value: Mapping[str, Any] = found.value
        owner, title = "", f"line {found.line}"
        try:
            value = _folded(value)
            schema, name, owner = (_text(value, key) for key in ("schema", "name", "package"))
            owner = name if schema == PACKAGE else owner
            title = f"{schema} {name}".strip() or title
            if owner:
                self._owners[file].add(owner)
            if not schema:
                raise _BlobError("schema", "it is missing")
            if schema in (PACKAGE, CHANNEL, BUNDLE) and not name:
                raise _BlobError("name", "it is missing")
            if schema in (CHANNEL, BUNDLE, DEPRECATIONS) and not owner:
                raise _BlobError("package", "it is missing")
            if schema == PACKAGE:
                self._take_package(value, place)
            elif schema == CHANNEL:
                self._take_channel(value, place)
            elif schema == BUNDLE:
                self._take_bundle(value, place, f"{file}: {title}")
            elif schema == DEPRECATIONS:
                self._take_deprecations(value, place)
            else:
                other = Other(schema, owner, name, place)
                (self._package(owner).others if owner else self._others).append(other)
        except _BlobError as error:
            self._fault(owner, f"{file}: {title}: {error.field}" if error.field else f"{file}: {title}", error.reason)

    def _package(self, name: str) -> Package:
        return self._packages.setdefault(name, Package(name))

    def _fault(self, owner: str, path: str, reason: str) -> None:
        fault = Fault(owner, path, reason)
        if owner:
            self._package(owner).faults.append(fault)
        else:
            self._faults.append(fault)

    def _take_package(self, value: Mapping[str, Any], place: Place) -> None:
        name = _text(value, "name")
        package = self._package(name)
        if package.place is not None:
            raise _BlobError("", "the package is there twice")
        package.place = place
        package.default_channel = _text(value, "defaultChannel")

    def _take_channel(self, value: Mapping[str, Any], place: Place) -> None:
        owner, name = _text(value, "package"), _text(value, "name")
        package = self._package(owner)
        if name in package.channels:
            raise _BlobError("", "the channel is there twice")
        entries = tuple(_entry(item, f"entries[{position}]") for position, item in enumerate(_list(value, "entries")))
        package.channels[name] = Channel(owner, name, entries, place)

    def _take_bundle(self, value: Mapping[str, Any], place: Place, path: str) -> None:
        package = self._package(_text(value, "package"))
        bundle = _BundleReader(value, place, path, self._known).bundle()
        if bundle.name in package.bundles:
            raise _BlobError("", "the bundle is there twice")
        package.bundles[bundle.name] = bundle

    def _take_deprecations(self, value: Mapping[str, Any], place: Place) -> None:
        package = self._package(_text(value, "package"))
        if package.deprecations is not None:
            raise _BlobError("", "the package has deprecations twice")
        entries = []
        for position, item in enumerate(_list(value, "entries")):
            where = f"entries[{position}]"
            entry = _mapping(item, where)
            reference = _mapping(entry.get("reference") or {}, f"{where}.reference")
            entries.append(DeprecationEntry(_text(reference, "schema"), _text(reference, "name"), _text(entry, "message")))
        package.deprecations = tuple(entries)
        package.deprecations_place = place


class _BundleReader:
    """Takes of a bundle what selections need, and looks whether the rest can be loaded."""

    def __init__(self, value: Mapping[str, Any], place: Place, path: str, known: dict[Any, Any]) -> None:
        self._value = value
        self._place = place
        self._path = path
        self._known = known
        self._package = _text(value, "package")
        self._name = _text(value, "name")
        self._faults: list[Fault] = []
        self._identities: list[tuple[str, str, str]] = []
        self._provides: list[Gvk] = []
        self._requires: list[Requirement] = []
        self._has_objects = False

    def bundle(self) -> Bundle:
        """The bundle, with its faults."""
        image = self._image()
        for position, item in enumerate(self._items("properties")):
            field = f"properties[{position}]"
            try:
                entry = _mapping(item, field)
                kind = _text(entry, "type")
                if not kind:
                    raise _BlobError(f"{field}.type", "it is missing")
                if entry.get("value") is None:
                    raise _BlobError(f"{field}.value", "it is missing")
                self._property(kind, entry["value"], field)
            except _BlobError as error:
                self._fault(error.field, error.reason)
        version, release = self._identity()
        if not image and not self._has_objects and not self._faults:
            self._fault("image", "it is missing, and the bundle has no objects")
        return Bundle(
            package=self._package,
            name=self._name,
            image=image,
            version_text=version,
            place=self._place,
            release=release,
            provides=self._shared(frozenset(self._provides)),
            requires=self._shared(tuple(self._requires)),
            has_objects=self._has_objects,
            faults=tuple(self._faults),
        )

    def _fault(self, field: str, reason: str) -> None:
        self._faults.append(Fault(self._package, f"{self._path}: {field}", reason))

    def _shared(self, value: Any) -> Any:
        return self._known.setdefault(value, value)

    def _items(self, key: str) -> list[Any]:
        try:
            return _list(self._value, key)
        except _BlobError as error:
            self._fault(error.field, error.reason)
            return []

    def _image(self) -> str:
        image = ""
        try:
            image = _text(self._value, "image")
            if reason := pull_specs.fault_of(image):
                raise _BlobError("image", reason)
        except _BlobError as error:
            self._fault(error.field, error.reason)
        for position, item in enumerate(self._items("relatedImages")):
            field = f"relatedImages[{position}]"
            try:
                if reason := pull_specs.fault_of(_text(_mapping(item, field), "image")):
                    raise _BlobError("image", reason)
            except _BlobError as error:
                self._fault(field if error.field == field else f"{field}.{error.field}", error.reason)
        return image

    def _property(self, kind: str, value: Any, field: str) -> None:
        if kind == "olm.package":
            entry = _mapping(value, f"{field}.value", fold=False)
            self._identities.append((_text(entry, "packageName"), _text(entry, "version"), _text(entry, "release")))
        elif kind == "olm.gvk":
            self._provides.append(_gvk(value, field))
        elif kind == "olm.gvk.required":
            self._requires.append(Requirement(gvk=_gvk(value, field)))
        elif kind == "olm.package.required":
            self._requires.append(_required_package(value, field))
        elif kind == "olm.constraint":
            self._requires += [found for found in [_constraint(value, field)] if found is not None]
        elif kind == "olm.bundle.object":
            self._has_objects = True

    def _identity(self) -> tuple[str, str]:
        """Version and release, from the one property olm.package that there must be."""
        if len(self._identities) != 1:
            self._fault("properties", f"exactly one property of the type olm.package is expected, there are {len(self._identities)}")
            return "", ""
        owner, text, release = self._identities[0]
        version = parse_version(text)
        if owner != self._package:
            self._fault("properties", f"the property olm.package names the package '{owner}'")
        if version is None:
            self._fault("properties", f"the version '{text}' is no semantic version")
        elif release and version.build:
            self._fault("properties", f"the version '{text}' must not have build metadata, for the bundle has a release")
        expected = f"{self._package}-v{version}-{release}"
        if release and version is not None and self._name != expected:
            self._fault("name", f"it must be '{expected}', for the bundle has a release")
        return text, release


def _entry(item: Any, field: str) -> Entry:
    value = _mapping(item, field)
    name = _text(value, "name", field)
    if not name:
        raise _BlobError(f"{field}.name", "it is missing")
    skips = _list(value, "skips", field)
    if not all(isinstance(skip, str) for skip in skips):
        raise _BlobError(f"{field}.skips", "a list of names is expected")
    more = {key: content for key, content in value.items() if key not in ("name", "replaces", "skips", "skipRange")}
    return Entry(name, _text(value, "replaces", field), tuple(skips), _text(value, "skipRange", field), more)


def _gvk(value: Any, field: str) -> Gvk:
    entry = _mapping(value, f"{field}.value", fold=False)
    return Gvk(*(_text(entry, key, f"{field}.value") for key in ("group", "kind", "version")))


def _required_package(value: Any, field: str) -> Requirement:
    entry = _mapping(value, f"{field}.value", fold=False)
    return Requirement(package=_text(entry, "packageName", field), versions=_text(entry, "versionRange", field))


def _constraint(value: Any, field: str, depth: int = 0) -> Requirement | None:
    """What a constraint asks for; None for what only a cluster can tell (cel, not) and for what nobody knows yet."""
    entry = _mapping(value, f"{field}.value", fold=False)
    if depth > 50:
        raise _BlobError(f"{field}.value", "it is nested too deeply")
    if "package" in entry:
        return _required_package(entry["package"], field)
    if "gvk" in entry:
        return Requirement(gvk=_gvk(entry["gvk"], field))
    for key in ("all", "any"):
        if key in entry:
            items = _list(_mapping(entry[key], f"{field}.value.{key}", fold=False), "constraints", f"{field}.value.{key}")
            parts = [_constraint(item, field, depth + 1) for item in items]
            known = tuple(part for part in parts if part is not None)
            if key == "any" and len(known) < len(parts):
                return None
            if known:
                return Requirement(every=known) if key == "all" else Requirement(some=known)
    return None


def _folded(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """A mapping with the fields of the format written as we know them: the tools take them in any case."""
    if all(key in _KNOWN for key in value):
        return value
    folded: dict[str, Any] = {}
    for key, content in value.items():
        name = _FIELDS.get(key.casefold(), key) if isinstance(key, str) else str(key)
        if name in folded:
            raise _BlobError(name, "it is there twice, in different cases")
        folded[name] = content
    return folded


_KNOWN = frozenset(_FIELDS.values())


def _text(value: Mapping[str, Any], key: str, field: str = "") -> str:
    found = value.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise _BlobError(f"{field}.{key}" if field else key, f"a text is expected, not {json.dumps(found)[:40]}")
    return found


def _list(value: Mapping[str, Any], key: str, field: str = "") -> list[Any]:
    found = value.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise _BlobError(f"{field}.{key}" if field else key, "a list is expected")
    return found


def _mapping(value: Any, field: str, *, fold: bool = True) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _BlobError(field, "an object is expected")
    return _folded(value) if fold else value
