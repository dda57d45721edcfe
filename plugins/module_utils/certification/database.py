# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A catalog on disk: the tree that certsuite reads, written, read back and looked through for what would trip it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from ansible_collections.quayside.airgap.plugins.module_utils.certification.helm_index import HelmIndex, HelmIndexError, parse_index
from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import (
    GENERATOR,
    NO_DIGEST,
    Container,
    OperatorRow,
    Tables,
    clean,
    content_digests,
    merge_containers,
    operator_pages,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import read_bytes

ARCHIVE = "archive.json"
CONTAINERS = "containers/containers.db"
HELM = "helm/helm.db"
OPERATORS = "operators"
# An empty folder's place in a git repository; certsuite passes over it
KEEP_FILE = ".keep"

# What the consumer does
ERROR = "certsuite ends with an error"
CRASH = "certsuite panics when it is asked about it"
WRONG = "certsuite gives wrong answers"
SKIPPED = "certsuite passes over it"
NOTHING = "certsuite does not notice"

_LARGEST_TABLE = 512 << 20
_LARGEST_INDEX = 64 << 20
_LARGEST_PAGE = 64 << 20
_LARGEST_ARCHIVE = 1 << 20
_MOST_PAGES = 20_000
_MOST_FAULTS = 1_000


class DumpFault(NamedTuple):
    """Something that is not as it should be in a dump.

    :ivar file: below the folder ``data``.
    :ivar what: what is wrong, as a sentence without a full stop.
    :ivar effect: what certsuite does about it.
    :ivar serious: whether a dump with it should not be used: it gives errors or wrong answers, or it was changed.
    """

    file: str
    what: str
    effect: str
    serious: bool

    def __str__(self) -> str:
        return f"{self.file}: {self.what} ({self.effect})"


@dataclass(frozen=True)
class Archive:
    """What a dump says of itself. OCT writes the counts alone, and 0 for the charts.

    :ivar digests: of the content, as ``content_digests`` makes them; empty where there are none.
    """

    containers: int = 0
    operators: int = 0
    charts: int = 0
    digests: dict[str, str] = field(default_factory=dict)
    newest: str = ""


@dataclass(frozen=True)
class Database:
    """A dump as it was read.

    :ivar rows: of operators in all pages, also those that are there more than once.
    :ivar charts: the index of the charts, which is not looked into before it is asked for.
    :ivar archive: None where there is none that can be read.
    """

    folder: Path
    containers: dict[str, Container]
    aliases: dict[str, str]
    operators: tuple[OperatorRow, ...]
    rows: int
    charts: bytes
    archive: Archive | None
    faults: tuple[DumpFault, ...]

    @cached_property
    def index(self) -> HelmIndex:
        """The charts.

        :raises FileError: when certsuite could not load them.
        """
        try:
            return parse_index(self.charts)
        except HelmIndexError as error:
            raise FileError("read", str(self.folder / HELM), str(error)) from error

    @cached_property
    def tables(self) -> Tables:
        return Tables(self.containers, self.aliases, self.operators, self.charts)

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each kind.

        :raises FileError: as ``index``.
        """
        return {"containers": len(self.containers), "operators": len(self.operators), "charts": len(self.index.charts)}


@dataclass(frozen=True)
class Verdict:
    """What verifying a dump gave.

    :ivar counts: how many there are of each kind; empty where it could not be read.
    :ivar digests: what tells whether two dumps differ, for each kind; empty where it could not be read.
    :ivar newest: the latest creation date of a container.
    :ivar database: what was read; None where it could not be read.
    """

    faults: tuple[DumpFault, ...]
    counts: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    newest: str = ""
    database: Database | None = None

    @property
    def serious(self) -> list[DumpFault]:
        """What forbids the use of the dump."""
        return [fault for fault in self.faults if fault.serious]


def archive_of(tables: Tables, digests: dict[str, str] | None = None) -> dict[str, Any]:
    """What stands in archive.json.

    Catalog dump format: three counts, which alone OCT reads; it passes over what else is there.

    :param digests: of the tables, where they are known already.
    """
    try:
        charts = len(parse_index(tables.charts).charts)
    except HelmIndexError:
        charts = 0
    return {
        "containers": len(tables.containers),
        "operators": len(tables.operators),
        "charts": charts,
        "digests": digests or content_digests(tables),
        "newest": tables.newest,
        "generator": GENERATOR,
    }


def write_tree(folder: Path, tables: Tables) -> None:
    """Write a dump: the same tables are the same bytes, always.

    :param folder: the folder ``data``, which is made; everyone may read it, whatever the umask.
    :raises FileError: when it cannot be written, or something is there already.
    """
    try:
        folder.mkdir(exist_ok=True)
        with os.scandir(folder) as found:
            if next(found, None) is not None:
                raise FileError("write a dump to", str(folder), "there is something in it already")
        for part in (folder, *(folder / name for name in ("containers", "helm", OPERATORS))):
            part.mkdir(exist_ok=True)
            part.chmod(0o755)
        for name, content in _files(tables):
            _write(folder / name, content)
        for part in (folder / "containers", folder / "helm", folder / OPERATORS, folder, folder.parent):
            _flush_folder(part)
    except (OSError, ValueError) as error:
        raise FileError("write a dump to", str(folder), getattr(error, "strerror", None) or str(error)) from error


def _files(tables: Tables) -> Iterator[tuple[str, bytes]]:
    yield CONTAINERS, tables.containers_bytes
    yield HELM, tables.charts
    for name, content in operator_pages(tables.operators):
        yield f"{OPERATORS}/{name}", content
    yield ARCHIVE, json.dumps(archive_of(tables), separators=(",", ":")).encode()


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(handle, "wb") as stream:
        os.fchmod(stream.fileno(), 0o644)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _flush_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_tree(folder: Path) -> Database:
    """Read a dump, also one of OCT or of its forerunners, as certsuite would read it.

    :param folder: what the folder ``data`` lies in, or that folder itself.
    :raises FileError: when certsuite could not load its containers or operators; ``index`` says it of the charts.
    """
    database = read_parts(folder)
    for fault in database.faults:
        if fault.effect == ERROR:
            raise FileError("read", str(database.folder / fault.file), fault.what)
    return database


def read_parts(folder: Path) -> Database:
    """Read what can be read of a dump, for merging into it and for comparing with it; the faults say what could not.

    :param folder: as in ``read_tree``.
    """
    return _Reader(folder).read()


def verify_tree(folder: Path) -> Verdict:
    """Look through a dump for everything that would trip certsuite, and for traces of a change.

    :param folder: as in ``read_tree``.
    """
    reader = _Reader(folder)
    database = reader.read()
    index = reader.check_charts(database)
    reader.check_names()
    if any(fault.effect == ERROR for fault in reader.faults):
        return Verdict(tuple(reader.faults))
    digests = content_digests(database.tables, containers=reader.written_with(database))
    charts = len(index.charts) if index else 0
    reader.check_archive(database, charts, digests)
    counts = {"containers": len(database.containers), "operators": len(database.operators), "charts": charts}
    return Verdict(tuple(reader.faults), counts, digests, database.tables.newest, database)


class _Reader:
    """Reads a dump and collects what is wrong with it."""

    def __init__(self, folder: Path) -> None:
        inner = folder / "data"
        self.folder = inner if inner.is_dir() else folder
        self.faults: list[DumpFault] = []
        self._table_digest = ""

    def written_with(self, database: Database) -> str:
        """The digest of the containers where their file is, byte for byte, the one that the dump was written with; else empty.

        To make these bytes once more, only for their digest, takes as long as to read them.
        """
        known = database.archive.digests.get("containers", "") if database.archive is not None else ""
        return known if known == self._table_digest else ""

    def read(self) -> Database:
        containers, aliases = self._containers()
        operators, rows = self._operators()
        charts = self._bytes(HELM, _LARGEST_INDEX, ERROR)
        archive = self._archive()
        return Database(self.folder, containers, aliases, tuple(sorted(set(operators))), rows, charts or b"", archive, tuple(self.faults))

    def check_charts(self, database: Database) -> HelmIndex | None:
        try:
            index = parse_index(database.charts)
        except HelmIndexError as error:
            self._fault(HELM, str(error), ERROR)
            return None
        if database.charts and index.missing:
            # an empty file is a dump without charts
            self._fault(HELM, index.missing, WRONG)
        for chart, reason in index.bad_kube_versions:
            # they are in the real index, and whoever made the dump may want to keep them
            self._fault(HELM, f"the kubeVersion of {chart.name} {chart.version} cannot be read: {reason}", CRASH, serious=False)
        return index

    def check_archive(self, database: Database, charts: int, digests: dict[str, str]) -> None:
        archive = database.archive
        if archive is None:
            return
        found = {"containers": len(database.containers), "operators": database.rows, "charts": charts}
        for kind, count in found.items():
            known = archive.digests.get(kind)
            if known is not None and known != digests[kind]:
                self._fault(ARCHIVE, f"the {kind} are not those that the dump was written with", NOTHING, serious=True)
            said = getattr(archive, kind)
            if said != count and (archive.digests or kind != "charts"):
                self._fault(ARCHIVE, f"it says {said} {kind}, and there are {count}", NOTHING, serious=bool(archive.digests))

    def check_names(self) -> None:
        """What does not belong into a dump."""
        known = {"": {ARCHIVE, "containers", "helm", OPERATORS}, "containers": {"containers.db"}, "helm": {"helm.db"}}
        for below, names in known.items():
            for name in self._names(below):
                if name not in names and name != KEEP_FILE:
                    self._fault(f"{below}/{name}" if below else name, "it is no file of a dump", NOTHING)

    def _fault(self, file: str, what: str, effect: str, *, serious: bool | None = None) -> None:
        if len(self.faults) < _MOST_FAULTS or effect == ERROR:
            grave = effect in (ERROR, CRASH, WRONG, SKIPPED) if serious is None else serious
            self.faults.append(DumpFault(file, what, effect, grave))

    def _names(self, below: str) -> list[str]:
        try:
            return sorted(os.listdir(self.folder / below))
        except OSError:
            return []

    def _bytes(self, name: str, limit: int, effect: str) -> bytes | None:
        """The content of a file, None where there is none that may be read."""
        path = self.folder / name
        try:
            if not path.resolve(strict=True).is_relative_to(self.folder.resolve()):
                self._fault(name, "it is a symbolic link that leads out of the dump", effect, serious=True)
                return None
            if not stat.S_ISREG(path.stat().st_mode):
                self._fault(name, "it is no file", effect)
                return None
            return read_bytes(path, limit=limit)
        except FileNotFoundError:
            self._fault(name, "it is missing", effect)
        except (OSError, RuntimeError) as error:
            # RuntimeError: links in a circle, before Python 3.13
            self._fault(name, f"it cannot be read: {getattr(error, 'strerror', None) or error}", effect)
        except FileError as error:
            self._fault(name, error.reason, effect)
        return None

    def _json(self, name: str, content: bytes, effect: str, *, serious: bool | None = None) -> Any:
        """The document, or ``_BROKEN``. Go reads what is no UTF-8 as replacement characters, and knows no NaN."""
        try:
            return json.loads(content.decode(errors="replace"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            reason = f"{error.msg} in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else str(error)
            self._fault(name, f"it is no JSON: {reason}" if content else "it is empty", effect, serious=serious)
            return _BROKEN

    def _containers(self) -> tuple[dict[str, Container], dict[str, str]]:
        content = self._bytes(CONTAINERS, _LARGEST_TABLE, ERROR)
        if content is None:
            return {}, {}
        self._table_digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        faults = len(self.faults)
        try:
            return self._collect(_compact_entries(content.decode(errors="replace")))
        except (ValueError, IndexError, RecursionError):
            # it is written in another way, or broken
            del self.faults[faults:]
        document = self._json(CONTAINERS, content, ERROR)
        if document is None or document is _BROKEN:
            return {}, {}
        if not isinstance(document, dict):
            self._fault(CONTAINERS, "it is no mapping", ERROR)
            return {}, {}
        return self._collect(document.items())

    def _collect(self, entries: Iterable[tuple[str, Any]]) -> tuple[dict[str, Container], dict[str, str]]:
        """The containers of the entries; of two with one key the last one counts."""
        containers: dict[str, Container] = {}
        aliases: dict[str, tuple[str, Container]] = {}
        for name, record in entries:
            key = clean(name)
            containers.pop(key, None)
            aliases.pop(key, None)
            container = self._container(key, record)
            if container is None:
                continue
            own = container.key
            if key and key != own and not key.startswith(NO_DIGEST):
                # before the middle of 2023: the key is docker_image_digest
                container = container._replace(digest=key)
                if not container.repositories:
                    aliases[key] = (own, container)
                    continue
            containers[key] = container
        return _with_aliases(list(containers.values()), list(aliases.values()))

    def _container(self, key: str, record: Any) -> Container | None:
        if record is None:
            self._fault(CONTAINERS, f"the entry '{key[:100]}' is null", CRASH)
            return Container("", "", "", key, (), ()) if key else None
        if isinstance(record, dict) and not record.get("_id") and not record.get("image_id"):
            record = {**record, "image_id": key}
        try:
            if isinstance(record, dict) and not isinstance(record.get("certified", True), (bool, type(None))):
                raise ValueError("its certified is neither true nor false")
            container = Container.from_record(record)
        except ValueError as error:
            self._fault(CONTAINERS, f"the entry '{key[:100]}' cannot be read: {error}", ERROR)
            return None
        if not container.digest and key.startswith(NO_DIGEST):
            return container._replace(identifier=key[len(NO_DIGEST) :])
        return container

    def _operators(self) -> tuple[list[OperatorRow], int]:
        rows: list[OperatorRow] = []
        folder = self.folder / OPERATORS
        if not folder.is_dir():
            self._fault(OPERATORS, "the folder is missing", ERROR)
            return rows, 0
        names = [name for name in self._names(OPERATORS) if name != KEEP_FILE]
        if len(names) > _MOST_PAGES:
            self._fault(OPERATORS, f"there are more than {_MOST_PAGES} files in it", ERROR)
            return rows, 0
        left = _LARGEST_TABLE
        for name in names:
            file = f"{OPERATORS}/{name}"
            content = self._bytes(file, min(_LARGEST_PAGE, left), SKIPPED)
            if content is None:
                continue
            left -= len(content)
            document = self._json(file, content, SKIPPED)
            if document is not _BROKEN:
                rows += self._page(file, document)
        repeated = len(rows) - len(set(rows))
        if repeated:
            # OCT asks for the last page wrongly: it gets rows that it has, and never those at the end
            self._fault(OPERATORS, f"{repeated} rows are there twice, so that as many others may be missing", WRONG, serious=False)
        return rows, len(rows)

    def _page(self, file: str, document: Any) -> list[OperatorRow]:
        """The rows of a page, for certsuite all of them or none."""
        document = {} if document is None else document
        if not isinstance(document, dict):
            self._fault(file, "it is no mapping", SKIPPED)
            return []
        for name in ("page", "page_size", "total"):
            value = document.get(name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
                self._fault(file, f"its {name} is no count", SKIPPED)
                return []
        if "data" not in document:
            # certsuite: the rows of the file that was read before count again
            self._fault(file, "it has no data", WRONG)
            return []
        data = document["data"]
        if data is None:
            return []
        if not isinstance(data, list):
            self._fault(file, "its data is no list", SKIPPED)
            return []
        rows = []
        for number, record in enumerate(data):
            row, missing, wrong = _row(record)
            if wrong:
                self._fault(file, f"row {number} cannot be read: {wrong}", SKIPPED)
                return []
            if missing:
                self._fault(file, f"row {number} has no {missing}, and takes over that of another file", WRONG)
            rows.append(row)
        return rows

    def _archive(self) -> Archive | None:
        """What the dump says of itself; nothing of it matters to certsuite."""
        if not os.path.lexists(self.folder / ARCHIVE):
            self._fault(ARCHIVE, "it is missing", NOTHING)
            return None
        content = self._bytes(ARCHIVE, _LARGEST_ARCHIVE, NOTHING)
        document = _BROKEN if content is None else self._json(ARCHIVE, content, NOTHING)
        if document is _BROKEN:
            return None
        if not isinstance(document, dict):
            self._fault(ARCHIVE, "it is no mapping", NOTHING)
            return None
        counts = [document.get(kind, 0) for kind in ("containers", "operators", "charts")]
        digests = document.get("digests", {})
        newest = document.get("newest", "")
        whole = all(isinstance(count, int) and not isinstance(count, bool) for count in counts)
        if not whole or not _texts(digests) or not isinstance(newest, str):
            self._fault(ARCHIVE, "its fields are of wrong types", NOTHING)
            return None
        return Archive(counts[0], counts[1], counts[2], digests, newest)


_BROKEN = object()


def _compact_entries(text: str) -> Iterator[tuple[str, Any]]:
    """The entries of a mapping that is written without blanks between them, one at a time: a fraction of the memory of the whole.

    :raises ValueError: when it is written otherwise, or broken; :raises IndexError: the same.
    """
    decode = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode
    if text[0] != "{":
        raise ValueError("it is no mapping")
    place, separator = 0, ","
    while separator == ",":
        key, place = decode(text, place + 1)
        if not isinstance(key, str) or text[place] != ":":
            raise ValueError("it is no entry")
        value, place = decode(text, place + 1)
        yield key, value
        separator = text[place]
    if text[place:] != "}":
        raise ValueError("it does not end with its mapping")


def _with_aliases(containers: list[Container], aliases: list[tuple[str, Container]]) -> tuple[dict[str, Container], dict[str, str]]:
    """The tables of what was read.

    :param aliases: entries without repositories and the keys that they lead to; where there is none, they stand for themselves.
    """
    known = {container.key for container in containers}
    lists: dict[str, list[str]] = {}
    for key, container in aliases:
        if key in known:
            lists.setdefault(key, []).append(container.digest)
        else:
            containers.append(container)
    if lists:
        containers = [
            container._replace(list_digests=tuple(sorted(lists[container.key]))) if container.key in lists else container
            for container in containers
        ]
    return merge_containers(containers)


def _row(record: Any) -> tuple[OperatorRow, str, str]:
    """The row as it says, the names of what it lacks, and why certsuite cannot read it."""
    try:
        return OperatorRow.from_record(record), "", ""
    except ValueError as error:
        record = {} if record is None else record
        if not isinstance(record, dict):
            return OperatorRow("", "", ""), "", str(error)
        missing = [name for name in OperatorRow._fields if record.get(name) is None]
        filled = {name: record.get(name) for name in OperatorRow._fields}
        filled.update(dict.fromkeys(missing, ""))
        try:
            return OperatorRow.from_record(filled), " and no ".join(missing), ""
        except ValueError as other:
            return OperatorRow("", "", ""), "", str(other)


def _texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
