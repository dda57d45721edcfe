# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of images to delete: delete-images.yaml of oc-mirror v2, read strictly and written as it writes it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.faults import Fault, join
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import PathLike, read_bytes, write_atomically
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config import image_set_yaml, to_delete
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_fields import DocumentError, Reader, shown
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import API_VERSION, ImageSet
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_yaml import dump_yaml, parse_yaml
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import ImageKind, MirrorImage, Naming, parse_source
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference, parse_reference

FOLDER = "delete"
LIST_KIND = "DeleteImageList"
_KINDS = {kind.value: kind for kind in ImageKind}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LIMIT = 64 << 20


@dataclass(frozen=True)
class DeleteItem:
    """An image to delete.

    :ivar name: as it was called where it came from.
    :ivar reference: where it lies.
    """

    name: str
    reference: Reference
    kind: ImageKind

    @classmethod
    def of(cls, image: MirrorImage) -> DeleteItem:
        """What deletes a mirrored image."""
        return cls(image.origin, image.destination, image.kind)


def load_delete_list(source: PathLike | Mapping[str, Any]) -> list[DeleteItem]:
    """The images that a list names, each place once, in its order.

    :param source: path of a YAML file, or the document itself.
    :raises FileError: when the file cannot be read.
    :raises DocumentError: (an InputError) with all faults, each with its path: ``items[3].imageReference``.
    """
    reader = Reader()
    subject = "the list of images to delete"
    document: Any = source
    if not isinstance(source, Mapping):
        subject = f"{subject} {os.fspath(source)}"
        document, faults = parse_yaml(read_bytes(source, limit=_LIMIT))
        reader.faults += faults
        if document is None:
            raise DocumentError(subject, faults or [Fault("the document", "it is empty")])
    found = _items(document, reader)
    if reader.faults:
        raise DocumentError(subject, reader.faults)
    unique: dict[Reference, DeleteItem] = {}
    for item in found:
        unique.setdefault(item.reference, item)
    return list(unique.values())


def check_destination(items: Iterable[DeleteItem], naming: Naming) -> None:
    """Refuse a list that reaches beyond the destination that the user named.

    :raises DocumentError: (an InputError) naming every item that does not lie below it, or is a release outside of its repository.
    """
    faults = []
    for item in items:
        expected = naming.release_repository(item.kind)
        if not naming.has(item.reference):
            faults.append(Fault(str(item.reference), f"it does not lie below {naming.destination}"))
        elif expected is not None and item.reference.repository != expected:
            place = f"{naming.destination.registry}/{expected}"
            faults.append(Fault(str(item.reference), f"an image of the kind {item.kind.value} lies in {place}"))
    if faults:
        raise DocumentError("the list of images to delete", faults, "Name the destination that they were mirrored to.")


def delete_list_yaml(items: Iterable[DeleteItem]) -> bytes:
    """The file of a list, sorted by place."""
    entries = [
        {"imageName": item.name, "imageReference": f"docker://{item.reference}", "type": item.kind.value}
        for item in sorted(set(items), key=lambda item: (str(item.reference), item.name, item.kind.value))
    ]
    return dump_yaml({"apiVersion": API_VERSION, "kind": LIST_KIND, "items": entries})


def write_delete_list(folder: PathLike, items: Sequence[DeleteItem], image_set: ImageSet, delete_id: str = "") -> tuple[Path, Path]:
    """Write a list and the configuration that it was made from.

    :param folder: the working-dir's ``delete``; it is made where it is not there.
    :param delete_id: tells lists apart; it becomes part of the files' names.
    :returns: ``delete-images[-ID].yaml`` and ``delete-imageset-config[-ID].yaml``.
    :raises InputError: when the id has characters that a file's name should not have.
    :raises FileError: when they cannot be written.
    """
    if delete_id and not _ID.fullmatch(delete_id):
        raise InputError(
            f"the delete id '{shown(delete_id)}'",
            "it is not 1 to 64 letters, digits, dots, dashes and underscores",
        )
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError("make the folder", str(place), error.strerror or str(error)) from error
    suffix = f"-{delete_id}" if delete_id else ""
    files = place / f"delete-images{suffix}.yaml", place / f"delete-imageset-config{suffix}.yaml"
    write_atomically(files[0], delete_list_yaml(items))
    write_atomically(files[1], image_set_yaml(to_delete(image_set)))
    return files


def _items(document: Any, reader: Reader) -> list[DeleteItem]:
    if not isinstance(document, Mapping):
        reader.mapping(document, (), "the document")
        return []
    reader.mapping(document, ("apiVersion", "kind", "items"), "")
    for key, expected in (("apiVersion", API_VERSION), ("kind", LIST_KIND)):
        if document.get(key) != expected:
            reader.fault(key, f"it must be {expected}")
    found = []
    items = document.get("items")
    # an empty list is written as null by Go
    for entry, path in reader.items([] if items is None else items, "items"):
        item = _item(entry, path, reader)
        if item is not None:
            found.append(item)
    return found


def _item(value: Any, path: str, reader: Reader) -> DeleteItem | None:
    before = len(reader.faults)
    keys = ("imageName", "imageReference", "type")
    entry = reader.mapping(value, keys, path)
    texts = {}
    for key in keys:
        if isinstance(value, Mapping) and entry.get(key) is None:
            reader.fault(join(path, key), "it is missing")
        elif key in entry:
            texts[key] = reader.text(entry[key], join(path, key))
    reference = _reference(texts.get("imageReference", ""), join(path, "imageReference"), reader)
    name, kind = texts.get("imageName", ""), texts.get("type", "")
    if name:
        try:
            parse_source(name)
        except InputError as error:
            reader.fault(join(path, "imageName"), f"'{shown(name)}': {shown(error.reason, 300)}")
    if kind and kind not in _KINDS:
        reader.fault(join(path, "type"), f"'{shown(kind)}' must be one of {', '.join(_KINDS)}")
    if len(reader.faults) > before or reference is None:
        return None
    return DeleteItem(name, reference, _KINDS[kind])


def _reference(text: str, path: str, reader: Reader) -> Reference | None:
    if not text:
        return None
    if not text.startswith("docker://"):
        reader.fault(path, f"'{shown(text)}' does not begin with docker://")
        return None
    try:
        reference = parse_reference(text)
    except InputError as error:
        reader.fault(path, f"'{shown(text)}': {shown(error.reason, 300)}")
        return None
    if reference.identifier is None:
        reader.fault(path, f"'{shown(text)}' has neither tag nor digest")
        return None
    return reference
