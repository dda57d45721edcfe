# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a catalog of certified artifacts holds, as plain values, and the bytes that stand for them in a dump.

The same catalog is always the same values and the same bytes, in whatever order its records were found.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any, NamedTuple

from ansible_collections.quayside.airgap.plugins.module_utils.certification.helm_index import charts_digest

# Catalog dump format: how many rows a page of operators holds; the last one holds what is left
ROWS_PER_FILE = 500
# What the key of a container begins with that the catalog knows no digest of; it is found by its tags alone
NO_DIGEST = "no-digest:"
GENERATOR = "quayside.airgap"

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Repository(NamedTuple):
    """Where an image can be pulled from.

    :ivar tags: sorted, each once.
    """

    registry: str
    repository: str
    tags: tuple[str, ...]


class Container(NamedTuple):
    """A certified image for one architecture.

    :ivar identifier: the catalog's own key of the record.
    :ivar creation_date: as the catalog writes it, ``2020-10-20T18:17:55.675000+00:00``.
    :ivar digest: of the manifest; empty where the catalog has none.
    :ivar repositories: sorted, each pair of registry and repository once.
    :ivar list_digests: of the manifest lists that the image is part of, sorted, each once.
    """

    identifier: str
    creation_date: str
    architecture: str
    digest: str
    repositories: tuple[Repository, ...]
    list_digests: tuple[str, ...]

    @property
    def key(self) -> str:
        """What the image is found by: its digest, or a name of our own where it has none."""
        return self.digest or NO_DIGEST + self.identifier

    @classmethod
    def from_record(cls, record: Any) -> Container:
        """The image that a record of the catalog describes. What is null or left out is empty.

        :raises ValueError: when a field that is read is of a wrong type, or nothing tells the record from others; says which.
        """
        if not isinstance(record, dict):
            raise ValueError("it is no mapping")
        identifier = _text(record, "_id")
        digest = _text(record, "image_id")
        if not identifier and not digest:
            raise ValueError("it has neither an image_id nor an _id")
        lists: list[str] = []
        repositories: list[Repository] = []
        for found in _list(record, "repositories"):
            if found is None:
                continue
            if not isinstance(found, dict):
                raise ValueError("one of its repositories is no mapping")
            list_digest = _text(found, "manifest_list_digest")
            if list_digest and list_digest != digest:
                lists.append(list_digest)
            repositories.append(Repository(sys.intern(_text(found, "registry")), _text(found, "repository"), _tags(found)))
        return cls(
            identifier,
            _text(record, "creation_date"),
            sys.intern(_text(record, "architecture")),
            digest,
            unite(repositories),
            tuple(sorted(set(lists))) if lists else (),
        )


class OperatorRow(NamedTuple):
    """A bundle that is certified for a version of OpenShift and offered in a channel."""

    csv_name: str
    ocp_version: str
    channel_name: str

    @classmethod
    def from_record(cls, record: Any) -> OperatorRow:
        """The row that a record of the catalog describes.

        certsuite: a row that lacks one of the three takes it over from another file, so all of them must be there.

        :raises ValueError: when one of the three is no text; says which.
        """
        if not isinstance(record, dict):
            raise ValueError("it is no mapping")
        texts = []
        for name in cls._fields:
            value = record.get(name)
            if not isinstance(value, str):
                raise ValueError(f"its {name} is no text")
            texts.append(clean(value))
        return cls(texts[0], sys.intern(texts[1]), sys.intern(texts[2]))


@dataclass(frozen=True)
class Tables:
    """What a dump holds.

    :ivar containers: by their key.
    :ivar aliases: the key of the container that a digest of a manifest list leads to.
    :ivar operators: sorted, each once.
    :ivar charts: the index of the Helm repository as it is to be stored, empty for none.
    """

    containers: dict[str, Container] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    operators: tuple[OperatorRow, ...] = ()
    charts: bytes = b""

    @classmethod
    def of(cls, containers: Iterable[Container], operators: Iterable[OperatorRow], charts: bytes) -> Tables:
        """The tables of what was found, in whatever order and however often."""
        merged, aliases = merge_containers(containers)
        return cls(merged, aliases, tuple(sorted(set(operators))), charts)

    @property
    def newest(self) -> str:
        """The latest creation date of a container, empty where there is none."""
        return max((container.creation_date for container in self.containers.values()), default="")

    @cached_property
    def containers_bytes(self) -> bytes:
        """The content of containers.db."""
        return _encode_containers(self.containers, self.aliases)


def merge_containers(records: Iterable[Container]) -> tuple[dict[str, Container], dict[str, str]]:
    """The containers by their key, and the keys that the digests of manifest lists lead to.

    Records of one digest are one container: it can be pulled from wherever one of them can, and what else is told of it comes from
    the newest of them.
    """
    merged: dict[str, Container] = {}
    for record in records:
        key = record.key
        known = merged.get(key)
        merged[key] = record if known is None else _merge(known, record)
    aliases: dict[str, str] = {}
    for key, container in merged.items():
        for digest in container.list_digests:
            if digest in merged:
                continue
            holder = merged[aliases.get(digest, key)]
            aliases[digest] = key if _age(container) >= _age(holder) else holder.key
    return merged, aliases


def unite(repositories: Iterable[Repository]) -> tuple[Repository, ...]:
    """Each pair of registry and repository once, with the tags of all its appearances; sorted."""
    found = tuple(repositories)
    if len(found) < 2:
        return found
    tags: dict[tuple[str, str], tuple[str, ...]] = {}
    for registry, repository, names in found:
        place = (registry, repository)
        tags[place] = tuple(sorted({*tags[place], *names})) if place in tags else names
    return tuple(Repository(registry, repository, names) for (registry, repository), names in sorted(tags.items()))


def content_digests(tables: Tables, *, containers: str = "") -> dict[str, str]:
    """What tells whether two catalogs differ, for each kind: ``sha256:`` and the figures.

    The moment at which the index of the charts was made does not count.

    :param containers: the digest of the containers, where it is known.
    """
    operators = hashlib.sha256()
    for _name, content in operator_pages(tables.operators):
        operators.update(content)
    return {
        "charts": charts_digest(tables.charts),
        "containers": containers or f"sha256:{hashlib.sha256(tables.containers_bytes).hexdigest()}",
        "operators": f"sha256:{operators.hexdigest()}",
    }


def operator_pages(rows: tuple[OperatorRow, ...]) -> Iterator[tuple[str, bytes]]:
    """The names of the files that the rows of a dump are in, and their content.

    Catalog dump format: bodies as the catalog's API sends them. Every row has all three keys and every file its rows, because
    certsuite fills what is missing from the file that it read before.
    """
    for page, start in enumerate(range(0, len(rows), ROWS_PER_FILE)):
        part = rows[start : start + ROWS_PER_FILE]
        quoted = [[encode_basestring_ascii(text) for text in (row.channel_name, row.csv_name, row.ocp_version)] for row in part]
        data = ",\n".join(
            f'    {{\n      "channel_name": {channel},\n      "csv_name": {csv},\n      "ocp_version": {version}\n    }}'
            for channel, csv, version in quoted
        )
        text = f'{{\n  "data": [\n{data}\n  ],\n  "page": {page},\n  "page_size": {len(part)},\n  "total": {len(rows)}\n}}\n'
        yield f"operator_catalog_page_{page}_{len(part)}.db", text.encode("ascii")


def _encode_containers(containers: dict[str, Container], aliases: dict[str, str]) -> bytes:
    quote = encode_basestring
    entries: dict[str, str] = {}
    for key, container in containers.items():
        head = _head(container)
        places = ",".join(
            f'{{"registry":{quote(place.registry)},"repository":{quote(place.repository)},"tags":['
            + ",".join([f'{{"name":{quote(tag)}}}' for tag in place.tags])
            + "]}"
            for place in container.repositories
        )
        entries[key] = f"{quote(key)}:{head}{places}]}}"
    for digest, key in aliases.items():
        entries[digest] = f"{quote(digest)}:{_head(containers[key])}]}}"
    text = "{" + ",".join([entries[key] for key in sorted(entries)]) + "}"
    # Catalog dump format: as Go writes JSON, which could stand in a web page
    for character in "<>&\u2028\u2029":
        if character in text:
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()


def _head(container: Container) -> str:
    """An entry of containers.db up to its repositories."""
    quote = encode_basestring
    return (
        f'{{"_id":{quote(container.identifier)},"creation_date":{quote(container.creation_date)},'
        f'"architecture":{quote(container.architecture)},"certified":true,"image_id":{quote(container.digest)},"repositories":['
    )


def _merge(one: Container, other: Container) -> Container:
    older, newer = sorted((one, other), key=_age)
    return newer._replace(
        repositories=unite((*older.repositories, *newer.repositories)),
        list_digests=tuple(sorted({*older.list_digests, *newer.list_digests})),
    )


def _age(container: Container) -> tuple[str, str, str]:
    return (container.creation_date, container.identifier, container.key)


def _tags(repository: dict[str, Any]) -> tuple[str, ...]:
    names = set()
    for tag in _list(repository, "tags"):
        if tag is None:
            continue
        if not isinstance(tag, dict):
            raise ValueError("one of its tags is no mapping")
        names.add(_text(tag, "name"))
    names.discard("")
    return tuple(sorted(names))


def _list(record: dict[str, Any], name: str) -> list[Any]:
    value = record.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"its {name} are no list")
    return value


def _text(record: dict[str, Any], name: str) -> str:
    value = record.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"its {name} is no text")
    return value if value.isascii() else clean(value)


def clean(text: str) -> str:
    """The text without halves of pairs of surrogates: Go reads them as the replacement character, and UTF-8 cannot hold them."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)
