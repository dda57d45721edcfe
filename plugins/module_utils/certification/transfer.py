# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A dump from where it was brought to: a folder, a tar file, or an image in a file, a folder or a registry.

What arrives is copied, limited in size and number, and verified before anybody uses it; no path that it names becomes a path outside
of the working folder. Sources: Catalog dump format; the published image of the catalog, which has it in /usr/oct/cmd/tnf/fetch/data.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import ARCHIVE, CONTAINERS, Verdict
from ansible_collections.quayside.airgap.plugins.module_utils.certification.dump_files import (
    DATA,
    FILE_MODE,
    FOLDERS,
    IMAGE_FOLDERS,
    LARGEST,
    MOST_FILES,
    belongs,
    copy_dump,
    find_data,
    looks_like_dump,
    make_folders,
    verified,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.archives import TarIndex
from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError, ProtocolError, TransportError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.registry.built_image import UNPACKED_DIGEST
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import AccessError, NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_streams import PackingError, Unpacked
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layers import FolderMissingError, LayerFiles, Limits
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Manifest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.new_image import archive_as_image
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_archive import OCI_ARCHIVE, OciArchiveStore, open_archive
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import OCI, open_layout
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference, parse_digest, parse_reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries_conf import load_registries_conf
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions, make_side
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Store

ARTIFACT_TYPE = "application/vnd.quayside.airgap.catalog-dump.v1"
DOCKER = "docker://"
_LAYOUT = "oci:"
_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7z")
# The image around a dump may be a whole system
_LIMITS = Limits(content=LARGEST, unpacked=32 << 30, entries=1_000_000, files=MOST_FILES)
# Of a packed file when it is unpacked, which takes the space for as long as it is read
_LARGEST_FILE = 2 * LARGEST
_PIECE = 1 << 20
_DEPTH = 4
_SOURCES = "Name a folder or a tar file, or an image as docker://registry/repository:tag, oci:/folder:tag or oci-archive:/file."


@dataclass(frozen=True)
class Reach:
    """How registries are reached.

    :ivar registries_conf: path of a registries.conf; None for the usual places, empty for none.
    """

    source: SideOptions = field(default_factory=SideOptions)
    wire: WireOptions = field(default_factory=WireOptions)
    registries_conf: str | None = None


@dataclass(frozen=True)
class Fetched:
    """A dump that arrived.

    :ivar folder: what its folder ``data`` lies in, and nothing else.
    :ivar place: where it came from, of an image with its digest.
    """

    folder: Path
    place: str
    verdict: Verdict


def fetch_dump(source: str, workdir: Path, reach: Reach | None = None, *, cancellation: Cancellation | None = None) -> Fetched:
    """Bring a dump from its source to the working folder, and verify it.

    :param source: path of a folder (which holds ``data`` or is it) or of a tar file (plain, or packed with gzip), or an image of the
        dump as ``docker://registry/repository[:tag|@digest]``, ``oci:/folder[:tag|@digest]``, ``oci-archive:/file[:tag|@digest]``;
        the path of an image's folder or file alone will do, too.
    :param workdir: an empty folder; it is the caller's to remove.
    :raises InputError: when the source is written in another way.
    :raises FileError: when it cannot be read, holds no dump or one that does not verify, or there is no space for it.
    :raises AirgapError: when the registry does not give it, or it is not what its digest says.
    """
    arrival = _Arrival(workdir, reach or Reach(), cancellation or Cancellation())
    place = arrival.take(source.strip())
    return Fetched(arrival.folder, place, verified(arrival.folder, place))


class _Arrival:
    """A dump on its way into the working folder."""

    def __init__(self, workdir: Path, reach: Reach, cancellation: Cancellation) -> None:
        self.folder = workdir / "dump"
        self._target = self.folder / DATA
        self._workdir = workdir
        self._spool = workdir / "spool"
        self._plain = workdir / "archive.tar"
        self._reach = reach
        self._cancellation = cancellation

    def take(self, source: str) -> str:
        """Have the files of the dump below ``folder``; gives the place that they came from."""
        try:
            self.folder.mkdir()
            place = self._take(source)
        except OSError as error:
            raise FileError("write", str(self._workdir), error.strerror or str(error)) from error
        finally:
            shutil.rmtree(self._spool, ignore_errors=True)
            with suppress(FileNotFoundError):
                os.unlink(self._plain)
        return place

    def _take(self, source: str) -> str:
        if source.startswith(DOCKER):
            return self._from_registry(source)
        scheme, colon, _rest = source.partition("://")
        if colon and source[: len(OCI)] != OCI:
            raise InputError(f"the source '{source}'", f"{scheme}:// is not known", _SOURCES)
        if source.startswith((_LAYOUT, OCI_ARCHIVE)):
            written, digest = _split_digest(source)
            if source.startswith(OCI_ARCHIVE):
                return str(self._from_image(*open_archive(written, digest)))
            return str(self._from_image(*open_layout(written[len(OCI if written.startswith(OCI) else _LAYOUT) :], digest)))
        path = Path(source)
        if not source or not path.exists():
            raise FileError("read the dump", source or "without a name", "there is no such file or folder", _SOURCES)
        if not path.is_dir():
            return self._from_file(path)
        if (path / "oci-layout").is_file() or (path / "index.json").is_file():
            return str(self._from_image(*open_layout(source)))
        return self._from_folder(path)

    # -- folders and tar files

    def _from_folder(self, path: Path) -> str:
        data = find_data(path)
        if data is None:
            reason = f"neither it nor its folder {DATA} holds a dump ({ARCHIVE}, {', '.join(FOLDERS)})"
            raise FileError("read the dump", str(path), reason)
        copy_dump(data, self._target)
        return str(path)

    def _from_file(self, path: Path) -> str:
        if not path.is_file():
            raise FileError("read the dump", str(path), "it is neither a folder nor a plain file")
        plain = self._unpacked(path)
        names = TarIndex.read(plain).members
        if "index.json" in names and any(name.startswith("blobs/") for name in names):
            store = OciArchiveStore(plain)
            return f"{path}@{self._from_image(store, store.choose()).digest}"
        if "manifest.json" in names and not any(name.endswith(CONTAINERS) for name in names):
            hint = f"Copy it with skopeo copy docker-archive:{path} oci-archive:<file>."
            raise FileError("read the dump", str(path), "it is an archive of Docker's own format", hint)
        folders = _folders_in(names)
        image = archive_as_image(plain)
        self._read(image, image.reference.repository, image.root, folders, str(path))
        return str(path)

    def _unpacked(self, path: Path) -> Path:
        """A tar file that is not compressed."""
        try:
            with open(path, "rb") as stream:
                if not stream.read(8).startswith(_PACKED):
                    return path
                stream.seek(0)
                unpacked = Unpacked(iter(partial(stream.read, _PIECE), b""), _LARGEST_FILE)
                with open(self._plain, "xb") as target:
                    while piece := unpacked.read(_PIECE):
                        self._cancellation.check()
                        target.write(piece)
                return self._plain
        except PackingError as error:
            raise FileError("unpack", str(path), str(error)) from error
        except OSError as error:
            raise FileError("unpack", str(path), error.strerror or str(error)) from error

    # -- images

    def _from_registry(self, source: str) -> str:
        reference = parse_reference(source)
        if reference.identifier is None:
            reference = reference.at(tag="latest")
        conf = load_registries_conf(self._reach.registries_conf)
        registry = reference.registry
        side = make_side(
            "source", self._reach.source, self._reach.wire, [registry], conf=conf, cancellation=self._cancellation, named=(registry,)
        )
        with closing(side):
            candidates = side.candidates(reference)
            for number, (store, mirrored) in enumerate(candidates, 1):
                try:
                    found = self._from_image(store, mirrored)
                except (NotFoundError, AccessError, TransportError):
                    # registries.conf names further places that have it
                    if number == len(candidates):
                        raise
                    self._forget()
                else:
                    return f"{DOCKER}{reference.at(tag=reference.tag, digest=found.digest)}"
        raise AssertionError("there is always a place to read from")

    def _from_image(self, store: Store, image: Reference) -> Reference:
        """Read the dump out of an image, which is the same for every platform; gives the image by digest."""
        root = store.get_manifest(image.repository, image.identifier or "")
        where = f"{image.name}@{root.digest}"
        manifest = next(_images(store, image.repository, root, where), None)
        if manifest is None:
            raise ProtocolError("read the dump", where, "none of the images that its index lists is there")
        if manifest.artifact_type == ARTIFACT_TYPE:
            self._read(store, image.repository, manifest, (DATA,), where, _artifact_config(manifest, where))
        else:
            self._read(store, image.repository, manifest, IMAGE_FOLDERS, where)
        return image.at(digest=root.digest)

    def _read(
        self,
        store: Store,
        repository: str,
        manifest: Manifest,
        folders: Sequence[str],
        where: str,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        """Have the files of the first of some folders that an image has."""
        self._spool.mkdir(exist_ok=True)
        retry = RetryPolicy(retries=0) if store.local else self._reach.wire.retry
        files = LayerFiles(store, repository, self._spool, retry=retry, cancellation=self._cancellation, limits=_LIMITS)
        config = config if config is not None else files.config(manifest)
        for folder in folders:
            try:
                tree = files.read(manifest, folder, config)
            except FolderMissingError:
                continue
            if not any(looks_like_dump(path) for path in tree.files):
                continue
            if tree.unusable:
                path, reason = next(iter(tree.unusable.items()))
                raise FileError("read the dump", f"{path} in {where}", reason)
            self._place(tree.files, where)
            return
        raise FileError("read the dump", where, f"there is none in it, neither below {' nor below '.join(f'/{name}' for name in folders)}")

    def _place(self, files: Mapping[str, Path], where: str) -> None:
        make_folders(self._target)
        for path, spool in files.items():
            if belongs(path, where):
                # one file may have several names
                shutil.copyfile(spool, self._target / path)
                os.chmod(self._target / path, FILE_MODE)

    def _forget(self) -> None:
        for path in (self._target, self._spool):
            shutil.rmtree(path, ignore_errors=True)


def _images(store: Store, repository: str, manifest: Manifest, where: str, depth: int = 1) -> Iterator[Manifest]:
    """The images of an index that are there; those that a mirror left out are passed over, and so are attestations."""
    if not manifest.is_index:
        yield manifest
        return
    if depth > _DEPTH:
        raise ProtocolError("read the dump", where, f"its index is nested deeper than {_DEPTH}")
    for child in manifest.children:
        if child.platform is None or child.platform.os != "unknown":
            with suppress(NotFoundError):
                yield from _images(store, repository, store.get_manifest(repository, child.digest), where, depth + 1)


def _artifact_config(manifest: Manifest, where: str) -> dict[str, Any]:
    """What a configuration would say of the layers of an artifact, which has none."""
    digests = [blob.annotations.get(UNPACKED_DIGEST, "") for blob in manifest.blobs[1:]]
    try:
        return {"rootfs": {"diff_ids": [parse_digest(digest, where) for digest in digests]}}
    except InputError as error:
        raise ProtocolError("read the dump", where, error.reason) from error


def _folders_in(names: Mapping[str, Any]) -> list[str]:
    """The folders of a tar file that may hold a dump, best first; those of images where nothing tells."""
    found = {name[: -len(CONTAINERS)].strip("/") for name in names if name == CONTAINERS or name.endswith(f"/{CONTAINERS}")}
    known = [folder for folder in IMAGE_FOLDERS if folder in found]
    return [*known, *sorted(found - {*known}, key=lambda name: (name.count("/"), name))] or list(IMAGE_FOLDERS)


def _split_digest(source: str) -> tuple[str, str | None]:
    """What names an image, and the digest that it is to have."""
    written, at, digest = source.rpartition("@")
    if not at or not digest.startswith("sha"):
        return source, None
    return written, parse_digest(digest, f"the source '{source}'")
