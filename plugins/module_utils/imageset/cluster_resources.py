# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cluster resources: what makes a cluster use mirrored images, as files that are applied with ``oc apply``.

Names, kinds and specs are those of oc-mirror v2. Other than there

- documents, entries and mirrors are sorted, and no time is written: the same images give the same bytes;
- images from disk (``oci://``) and images that got another tag have no ImageTagMirrorSet entry, for none could ever fit;
- a path counts as the end of another one by whole components: ``mirror/mylab/app`` does not end in ``lab/app``;
- two catalogs whose generated names are the same get different ones, and a broken template is an error.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.faults import Fault
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import PathLike, read_bytes, write_atomically
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_fields import DocumentError, kind_of, shown
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_yaml import dump_yaml, parse_yaml
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import ImageKind, MirrorImage, Naming
from ansible_collections.quayside.airgap.plugins.module_utils.registry.companions import tag_of
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference

FOLDER = "cluster-resources"
CREATED_BY = "quayside.airgap"
_ANNOTATIONS = {"createdBy": CREATED_BY}
_CATEGORIES = ("release", "operator", "generic")
_CATALOG_API = "operators.coreos.com/v1alpha1"
_CONFIG_API = "config.openshift.io/v1"
_SUFFIX = 12
_LONGEST_NAME = 63
_LIMIT = 16 << 20
_UNTOLD = frozenset({ImageKind.CATALOG, ImageKind.GRAPH})


@dataclass(frozen=True)
class MirroredCatalog:
    """A catalog that lies at its destination.

    :ivar name: of the CatalogSource and of the ClusterCatalog; made of the destination where it is empty.
    :ivar template: what the CatalogSource is made from, see :func:`load_template`.
    """

    destination: Reference
    name: str = ""
    template: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ReleaseSignature:
    """The signature of a release payload.

    :ivar digest: of the payload.
    :ivar content: the signed message, binary.
    """

    digest: str
    content: bytes


@dataclass(frozen=True)
class Mirrored:
    """What was mirrored, and so is worth telling the cluster.

    :ivar images: those that were copied, catalogs or not.
    :ivar graph: whether the image with the update graph is among them.
    :ivar repository_scope: name every repository instead of namespaces; needed where names were shortened.
    """

    images: Sequence[MirrorImage]
    catalogs: Sequence[MirroredCatalog] = ()
    signatures: Sequence[ReleaseSignature] = ()
    graph: bool = False
    repository_scope: bool = False


@dataclass(frozen=True)
class ResourceFile:
    """A file below the folder of cluster resources."""

    name: str
    content: bytes


@dataclass(frozen=True)
class FileChanges:
    """What is to be done so that a folder has some files.

    :ivar write: files that are missing or different.
    :ivar remove: names of files that an earlier run of ours left and that are no longer wanted.
    :ivar same: names of files that are as they should be.
    """

    folder: Path
    write: tuple[ResourceFile, ...] = ()
    remove: tuple[str, ...] = ()
    same: tuple[str, ...] = field(default=(), compare=False)

    def __bool__(self) -> bool:
        return bool(self.write or self.remove)

    def apply(self) -> None:
        """Do it.

        :raises FileError: when the folder cannot be written.
        """
        try:
            if self.write:
                self.folder.mkdir(parents=True, exist_ok=True)
            for entry in self.write:
                write_atomically(self.folder / entry.name, entry.content)
            for name in self.remove:
                (self.folder / name).unlink()
        except OSError as error:
            raise FileError("write", str(self.folder), error.strerror or str(error)) from error


def cluster_resources(mirrored: Mirrored, naming: Naming) -> list[ResourceFile]:
    """The files for a cluster that shall use what was mirrored, sorted by name.

    :param naming: of the destination, for the UpdateService.
    :raises InputError: when a catalog's name cannot be made into one for an object.
    """
    files = {
        "idms-oc-mirror.yaml": _documents(digest_mirror_sets(mirrored.images, repository_scope=mirrored.repository_scope)),
        "itms-oc-mirror.yaml": _documents(tag_mirror_sets(mirrored.images, repository_scope=mirrored.repository_scope)),
    }
    for catalog, own in _named(mirrored.catalogs):
        files[f"cs-{own}.yaml"] = dump_yaml(catalog_source(catalog, catalog.name or f"cs-{own}"))
        files[f"cc-{own}.yaml"] = dump_yaml(cluster_catalog(catalog, catalog.name or f"cc-{own}"))
    config_map = signature_config_map(mirrored.signatures)
    if config_map is not None:
        files["signature-configmap.yaml"] = dump_yaml(config_map)
        files["signature-configmap.json"] = json.dumps(config_map, separators=(",", ":"), sort_keys=True).encode() + b"\n"
    if mirrored.graph:
        files["updateService.yaml"] = dump_yaml(update_service(naming))
    return [ResourceFile(name, content) for name, content in sorted(files.items()) if content]


def compare_files(folder: PathLike, files: Sequence[ResourceFile]) -> FileChanges:
    """What has to change in a folder so that it has these files, and of an earlier run of ours nothing else.

    :raises FileError: when the folder cannot be read.
    """
    place = Path(folder)
    wanted = {entry.name for entry in files}
    same = {entry for entry in files if _holds(place / entry.name, entry.content)}
    write = tuple(entry for entry in files if entry not in same)
    stale = sorted(path.name for path in place.glob("*") if path.name not in wanted and _is_ours(path)) if place.is_dir() else []
    return FileChanges(place, write, tuple(stale), tuple(sorted(entry.name for entry in same)))


# --- mirror sets


def digest_mirror_sets(images: Iterable[MirrorImage], *, repository_scope: bool = False) -> list[dict[str, Any]]:
    """ImageDigestMirrorSets: for what is pulled by digest, and for the payloads of releases, which the installer looks up here."""
    told = [image for image in images if image.source.digest or image.kind == ImageKind.RELEASE]
    return _mirror_sets(told, "ImageDigestMirrorSet", "idms", "imageDigestMirrors", repository_scope)


def tag_mirror_sets(images: Iterable[MirrorImage], *, repository_scope: bool = False) -> list[dict[str, Any]]:
    """ImageTagMirrorSets: for what is pulled by tag and has this tag at the destination too."""
    told = [image for image in images if image.source.tag and _keeps_tag(image)]
    return _mirror_sets(told, "ImageTagMirrorSet", "itms", "imageTagMirrors", repository_scope)


def _keeps_tag(image: MirrorImage) -> bool:
    return image.source.tag == image.destination.tag


def _mirror_sets(images: Iterable[MirrorImage], kind: str, prefix: str, key: str, repository_scope: bool) -> list[dict[str, Any]]:
    found: dict[str, dict[str, set[str]]] = {category: {} for category in _CATEGORIES}
    for image in images:
        reference = image.source.reference
        if reference is None or image.kind in _UNTOLD:
            continue
        source, mirror = _scope(reference, image.destination, repository_scope)
        found[image.kind.category].setdefault(source, set()).add(mirror)
    return [
        {
            "apiVersion": _CONFIG_API,
            "kind": kind,
            "metadata": {"name": f"{prefix}-{category}-0", "annotations": dict(_ANNOTATIONS)},
            "spec": {key: [{"source": source, "mirrors": sorted(mirrors)} for source, mirrors in sorted(entries.items())]},
        }
        for category, entries in found.items()
        if entries
    ]


def _scope(source: Reference, destination: Reference, repository_scope: bool) -> tuple[str, str]:
    """Source and mirror of an entry: the namespaces where the destination keeps the source's path, else the repositories."""
    components, own = destination.repository.split("/"), source.repository.split("/")
    if repository_scope or components[-len(own) :] != own:
        return source.name, destination.name
    return source.name.rpartition("/")[0], destination.name.rpartition("/")[0]


# --- catalogs


def load_template(path: PathLike) -> dict[str, Any]:
    """The file that a CatalogSource is made from.

    :raises FileError: when it cannot be read.
    :raises DocumentError: (an InputError) when it is no CatalogSource that serves an image.
    """
    document, faults = parse_yaml(read_bytes(path, limit=_LIMIT))
    subject = f"the template {path}"
    if faults or not isinstance(document, dict):
        raise DocumentError(subject, faults or [Fault("the document", f"it must be a mapping, not {kind_of(document)}")])
    for key, expected in (("apiVersion", _CATALOG_API), ("kind", "CatalogSource")):
        if document.get(key) != expected:
            faults.append(Fault(key, f"it must be {expected}"))
    for key in ("metadata", "spec"):
        if not isinstance(document.get(key) or {}, dict):
            faults.append(Fault(key, "it must be a mapping"))
            document[key] = {}
    spec = document.get("spec") or {}
    if spec.get("sourceType") not in (None, "", "grpc"):
        faults.append(Fault("spec.sourceType", "it must be grpc, or not be there: the catalog is an image"))
    if spec.get("configMap"):
        faults.append(Fault("spec.configMap", "it has no place here: the catalog is an image"))
    if not isinstance((document.get("metadata") or {}).get("annotations") or {}, dict):
        faults.append(Fault("metadata.annotations", "it must be a mapping"))
    if faults:
        raise DocumentError(subject, faults)
    return document


def catalog_source(catalog: MirroredCatalog, name: str) -> dict[str, Any]:
    """The CatalogSource of a catalog, for clusters with OLM v0. Of a template all is kept but what makes it this catalog's."""
    template = catalog.template or {}
    metadata = dict(template.get("metadata") or {})
    metadata.pop("creationTimestamp", None)
    annotations = {**(metadata.get("annotations") or {}), **_ANNOTATIONS}
    rest = {key: value for key, value in template.items() if key != "status"}
    return {
        **rest,
        "apiVersion": _CATALOG_API,
        "kind": "CatalogSource",
        "metadata": {**metadata, "name": name, "namespace": "openshift-marketplace", "annotations": annotations},
        "spec": {**(template.get("spec") or {}), "sourceType": "grpc", "image": str(catalog.destination)},
    }


def cluster_catalog(catalog: MirroredCatalog, name: str) -> dict[str, Any]:
    """The ClusterCatalog of a catalog, for clusters with OLM v1."""
    return {
        "apiVersion": "olm.operatorframework.io/v1",
        "kind": "ClusterCatalog",
        "metadata": {"name": name, "annotations": dict(_ANNOTATIONS)},
        "spec": {"priority": 0, "source": {"type": "Image", "image": {"ref": str(catalog.destination)}}},
    }


def _named(catalogs: Iterable[MirroredCatalog]) -> list[tuple[MirroredCatalog, str]]:
    """Catalogs with what tells their objects and files apart: a chosen name, else one made of the destination."""
    ordered = sorted(catalogs, key=lambda catalog: (not catalog.name, str(catalog.destination)))
    taken: dict[str, MirroredCatalog] = {}
    for catalog in ordered:
        own = catalog.name or _generated(catalog.destination)
        if own in taken and not catalog.name:
            # oc-mirror lets the second file replace the first
            own = _generated(catalog.destination, hashlib.sha256(str(catalog.destination).encode()).hexdigest()[:6])
        if own in taken:
            raise InputError(
                f"the catalog {catalog.destination}",
                f"its CatalogSource would have the name '{own}', which that of {taken[own].destination} has",
                "Give one of them another catalogSourceName.",
            )
        taken[own] = catalog
    return [(catalog, own) for own, catalog in taken.items()]


def _generated(destination: Reference, unique: str = "") -> str:
    """``redhat-operator-index-v4-16`` of ``mirror.lab/redhat/redhat-operator-index:v4.16``."""
    repository = _label(destination.repository.rpartition("/")[2])
    tag = _label((destination.tag or tag_of(destination.digest or ""))[:_SUFFIX])
    name = "-".join(part for part in (repository, tag or "0", unique) if part)
    # cs- and cc- stand in front of it
    if len(name) + 3 > _LONGEST_NAME:
        raise InputError(
            f"the catalog {destination}",
            f"the name 'cs-{shown(name)}' of its CatalogSource has more than {_LONGEST_NAME} characters",
            "Give it a shorter one with catalogSourceName.",
        )
    return name


def _label(text: str) -> str:
    return re.sub(r"[^a-z0-9-]", "-", text.lower()).strip("-")


# --- releases


def signature_config_map(signatures: Iterable[ReleaseSignature]) -> dict[str, Any] | None:
    """The ConfigMap by which a cluster verifies releases without a network; None without signatures."""
    unique = sorted({(signature.digest, signature.content) for signature in signatures})
    if not unique:
        return None
    data = {f"{tag_of(digest)}-{number}": base64.b64encode(content).decode() for number, (digest, content) in enumerate(unique, start=1)}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "mirrored-release-signatures",
            "namespace": "openshift-config-managed",
            "labels": {"release.openshift.io/verification-signatures": ""},
            "annotations": dict(_ANNOTATIONS),
        },
        "binaryData": data,
    }


def update_service(naming: Naming) -> dict[str, Any]:
    """The UpdateService, by which clusters find updates among the mirrored releases."""
    return {
        "apiVersion": "updateservice.operator.openshift.io/v1",
        "kind": "UpdateService",
        "metadata": {
            "name": "update-service-oc-mirror",
            "namespace": "openshift-update-service",
            "annotations": dict(_ANNOTATIONS),
        },
        "spec": {"replicas": 2, "releases": naming.releases(), "graphDataImage": str(naming.graph())},
    }


# --- files


def _documents(documents: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(dump_yaml(document, header="---\n") for document in documents)


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and read_bytes(path, limit=_LIMIT) == content


def _is_ours(path: Path) -> bool:
    """Whether a file is one that an earlier run of ours wrote: all of its objects say so."""
    if path.is_symlink() or not path.is_file() or path.suffix not in (".yaml", ".json"):
        return False
    # documents of several objects are separated as we write them
    parts = [part for part in re.split(rb"(?m)^---\n", read_bytes(path, limit=_LIMIT)) if part.strip()]
    return bool(parts) and all(_created_by(parse_yaml(part)[0]) == CREATED_BY for part in parts)


def _created_by(document: Any) -> Any:
    for key in ("metadata", "annotations"):
        document = (document.get(key) if isinstance(document, dict) else None) or {}
    return document.get("createdBy") if isinstance(document, dict) else None
