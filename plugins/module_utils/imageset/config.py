# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads ImageSetConfigurations and DeleteImageSetConfigurations, and writes them back.

Reading is strict: what is wrong anywhere is told at once, each fault with its path in the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.faults import Fault
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import PathLike, read_bytes, write_atomically
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_fields import DocumentError, Reader, plain, shown
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import (
    API_VERSION,
    DELETE_KIND,
    MIRROR_KIND,
    ImageSet,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_rules import broken_rules
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_yaml import dump_yaml, parse_yaml
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import parse_source

_LIMIT = 4 << 20
_ROOTS = {MIRROR_KIND: "mirror", DELETE_KIND: "delete"}
# What a DeleteImageSetConfiguration has no place for
_MIRROR_ONLY = frozenset({"blockedImages"})
_OLDER = ("mirror.openshift.io/v1alpha1", "mirror.openshift.io/v1alpha2")
_HINT = "docs/image_mirror.md describes all fields."


def load_image_set(source: PathLike | Mapping[str, Any], *, kind: str | None = None) -> ImageSet:
    """The configuration of a file, or the one that a task holds.

    :param source: path of a YAML or JSON file, or the document itself.
    :param kind: the kind that is wanted; without it both are taken.
    :raises FileError: when the file cannot be read.
    :raises DocumentError: (an InputError) with all faults: YAML, unknown fields, wrong values, broken rules.
    """
    if isinstance(source, Mapping):
        return _understand(source, Reader(templated=True), "the image set configuration", kind)
    subject = f"the image set configuration {os.fspath(source)}"
    document, faults = parse_yaml(read_bytes(source, limit=_LIMIT))
    if document is None:
        raise DocumentError(subject, faults or [Fault("the document", "it is empty")])
    reader = Reader()
    reader.faults += faults
    return _understand(document, reader, subject, kind)


def unsupported(image_set: ImageSet) -> list[str]:
    """What a configuration asks for that is not mirrored yet, a sentence for each."""
    root = image_set.root
    platform, helm = image_set.platform, image_set.helm
    asked = [
        (f"{root}.platform.channels", "releases are", platform.channels),
        (f"{root}.platform.release", "releases are", platform.release),
        (f"{root}.platform.graph", "the image with the update graph is", platform.graph),
        (f"{root}.helm.repositories", "images of Helm charts are", helm.repositories),
        (f"{root}.helm.local", "images of Helm charts are", helm.local),
    ]
    return [f"{path}: {what} not mirrored yet; take it out, and mirror it with oc-mirror" for path, what, given in asked if given]


def remarks(image_set: ImageSet) -> list[str]:
    """What a configuration says without any effect, a sentence for each."""
    root = image_set.root
    found = []
    if image_set.samples:
        found.append(f"{root}.samples: it has no effect, in oc-mirror neither")
    platform = image_set.platform
    if platform.release and platform.channels:
        found.append(f"{root}.platform.channels: they have no effect beside release")
    if platform.kube_virt_container and not (platform.channels or platform.release):
        found.append(f"{root}.platform.kubeVirtContainer: it has no effect without a release")
    for position, catalog in enumerate(image_set.operators):
        path = f"{root}.operators[{position}]"
        if catalog.skip_dependencies:
            found.append(f"{path}.skipDependencies: it has no effect; dependencies are taken only where dependencies is true")
        if catalog.dependencies and catalog.full and not catalog.packages:
            found.append(f"{path}.dependencies: it has no effect, as the whole catalog is taken")
    return found


def pinned(image_set: ImageSet, digests: Mapping[str, str]) -> ImageSet:
    """The same image set with catalogs named by digest, so that a later run takes the same content.

    The tag that a catalog had becomes its targetTag where there is none, so that its place at the destination stays.

    :param digests: of catalogs, by the text of ``catalog``. Catalogs that have a digest already, lie on disk or are not in there stay.
    """
    catalogs = []
    for catalog in image_set.operators:
        source = parse_source(catalog.catalog)
        digest = digests.get(catalog.catalog)
        if digest and source.reference is not None and source.digest is None:
            catalog = replace(catalog, catalog=f"{source.name}@{digest}", target_tag=catalog.target_tag or source.tag or "")
        catalogs.append(catalog)
    return replace(image_set, operators=tuple(catalogs))


def to_delete(image_set: ImageSet) -> ImageSet:
    """The DeleteImageSetConfiguration that deletes what an image set mirrors."""
    return replace(image_set, kind=DELETE_KIND, archive_size=0, blocked_images=(), samples=())


def document_of(image_set: ImageSet, *, own: bool = True) -> dict[str, Any]:
    """The plain document of an image set.

    :param own: with the fields that only this collection knows; without them oc-mirror can read it.
    """
    document: dict[str, Any] = {"apiVersion": API_VERSION, "kind": image_set.kind, image_set.root: plain(image_set, own=own)}
    if image_set.archive_size:
        document["archiveSize"] = image_set.archive_size
    return document


def image_set_yaml(image_set: ImageSet, *, own: bool = True) -> bytes:
    """The file of an image set, as oc-mirror writes it; see :func:`document_of`."""
    return dump_yaml(document_of(image_set, own=own))


def write_pinned(folder: PathLike, image_set: ImageSet, stamp: str) -> tuple[Path, Path]:
    """Write a pinned image set and the configuration that deletes it, where oc-mirror writes them.

    :param folder: the working-dir; it must exist.
    :param stamp: time of the run, RFC 3339 in UTC: ``2026-11-20T22:06:25Z``.
    :returns: the two files. Where the newest one of an earlier run says the same, it stays and no other is written.
    :raises FileError: when they cannot be written.
    """
    return _kept(Path(folder), "isc", image_set, stamp), _kept(Path(folder), "disc", to_delete(image_set), stamp)


def _kept(folder: Path, prefix: str, image_set: ImageSet, stamp: str) -> Path:
    content = image_set_yaml(image_set)
    earlier = sorted(folder.glob(f"{prefix}_pinned_*.yaml"))
    if earlier and read_bytes(earlier[-1], limit=_LIMIT) == content:
        return earlier[-1]
    path = folder / f"{prefix}_pinned_{stamp}.yaml"
    write_atomically(path, content)
    return path


def _understand(document: Any, reader: Reader, subject: str, wanted: str | None) -> ImageSet:
    found = _envelope(document, reader, wanted)
    if found is None:
        raise DocumentError(subject, reader.faults, _HINT)
    kind, root = found
    without = _MIRROR_ONLY if kind == DELETE_KIND else frozenset[str]()
    section = document.get(root)
    image_set = reader.read(ImageSet, {} if section is None else section, root, without=without)
    size = document.get("archiveSize")
    image_set = replace(image_set, kind=kind, archive_size=reader.number(size, "archiveSize") if size is not None else 0)
    faults = [*reader.faults, *broken_rules(image_set)]
    if faults:
        raise DocumentError(subject, faults, _HINT)
    return _completed(image_set)


def _envelope(document: Any, reader: Reader, wanted: str | None) -> tuple[str, str] | None:
    """Kind and section of a document; None where it is not even known what it should be."""
    if not isinstance(document, Mapping):
        reader.mapping(document, (), "the document")
        return None
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in _ROOTS:
        shall = f"{MIRROR_KIND} or {DELETE_KIND}" if wanted is None else wanted
        reader.fault("kind", "it is missing" if kind is None else f"{_quoted(kind)} must be {shall}")
        kind = wanted or next((name for name, root in _ROOTS.items() if root in document), None)
        if kind is None:
            reader.fault("mirror", "it is missing")
            return None
    elif wanted is not None and kind != wanted:
        reader.fault("kind", f"{wanted} is wanted here, not {kind}")
    version = document.get("apiVersion")
    if version != API_VERSION:
        older = "; the older format of oc-mirror v1 has other fields" if version in _OLDER else ""
        reason = f"it is missing: {API_VERSION} is expected" if version is None else f"{_quoted(version)} must be {API_VERSION}"
        reader.fault("apiVersion", f"{reason}{older}")
    kind = str(kind)
    root = _ROOTS[kind]
    other = next(name for name in _ROOTS.values() if name != root)
    if other in document:
        reader.fault(other, f"it has no place in {kind}")
    if root not in document:
        reader.fault(root, "it is missing")
    known = {"kind", "apiVersion", root, other}
    if kind == MIRROR_KIND:
        known.add("archiveSize")
    reader.mapping(document, known, "")
    return kind, root


def _completed(image_set: ImageSet) -> ImageSet:
    """With the defaults that oc-mirror sets when it reads a DeleteImageSetConfiguration."""
    platform = image_set.platform
    if image_set.kind != DELETE_KIND or not platform.channels or platform.architectures or platform.platforms:
        return image_set
    return replace(image_set, platform=replace(platform, architectures=("amd64",)))


def _quoted(value: Any) -> str:
    return f"'{shown(value)}'" if isinstance(value, str) else "it"
