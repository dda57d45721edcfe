# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of an image below one folder, taken out of its layers.

The layers are read from the top down, each once and none below one that replaces the whole folder; what they say is then applied
from the bottom up. Files are spooled under names of our own: no path of an image ever becomes a path of this machine.
Sources: OCI image spec 1.1, layer.md ("Applying Changesets", "Whiteouts") and config.md (diff_ids).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, TypeVar

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import DigestMismatchError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_streams import PackingError, Unpacked
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_tar import (
    FILE,
    HARDLINK,
    SYMLINK,
    Parts,
    TarError,
    TarReader,
    path_parts,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_tree import (
    MOST_LINKS,
    Changes,
    Cover,
    Folder,
    Node,
    follow,
    rooted,
    target_of,
    top_of,
    within,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Descriptor, Manifest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_digest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Store
from ansible_collections.quayside.airgap.plugins.module_utils.registry.transfer import BlobReader, Meter

_CONFIG_LIMIT = 16 << 20
_READS = 3

T = TypeVar("T")


class FolderMissingError(FileError):
    """An image does not have the folder that was asked for."""


@dataclass(frozen=True)
class Limits:
    """What an image may ask for before it is refused as a decompression bomb.

    :ivar content: bytes of files in the wanted folder.
    :ivar unpacked: bytes of all layers, unpacked.
    :ivar entries: members of all layers; :ivar files: files in the wanted folder.
    """

    content: int = 16 << 30
    unpacked: int = 64 << 30
    entries: int = 5_000_000
    files: int = 500_000


@dataclass(frozen=True)
class FileTree:
    """The files of an image below a folder.

    :ivar folder: where it really lies in the image, links followed; without slashes at the ends.
    :ivar files: the spooled content by path below the folder, in alphabetical order.
    :ivar unusable: paths of what is no file and leads to none, with the reason.
    """

    folder: str
    files: Mapping[str, Path]
    unusable: Mapping[str, str]


@dataclass(frozen=True)
class _Layer:
    descriptor: Descriptor
    diff_id: str


class _LayerReader:
    """Unpacks layers of one repository, and spools files of them."""

    def __init__(
        self,
        store: Store,
        repository: str,
        workdir: Path,
        retry: RetryPolicy | None,
        cancellation: Cancellation | None,
        limits: Limits | None,
        meter: Meter | None,
    ) -> None:
        self._store = store
        self._repository = repository
        self._workdir = workdir
        self._retry = retry or RetryPolicy()
        self._cancellation = cancellation or Cancellation()
        self.limits = limits or Limits()
        self._meter = meter
        self._spooled = 0
        self._content = 0
        # by digest of a layer the first components of all its paths, so that no layer is read in vain a second time
        self._tops: dict[str, frozenset[str]] = {}

    def blob(self, descriptor: Descriptor) -> BlobReader:
        return BlobReader(
            self._store,
            self._repository,
            descriptor.digest,
            descriptor.size,
            retry=self._retry,
            cancellation=self._cancellation,
            meter=self._meter,
        )

    def changes(self, layer: _Layer, number: int, wanted: Parts, cover: Cover, budget: _Budget) -> Changes:
        """What a layer says of the wanted folder; what is visible of it is spooled."""
        top = wanted[0] if wanted else ""
        tops = self._tops.get(layer.descriptor.digest)
        if tops is not None and top and top not in tops and "" not in tops:
            return Changes()

        def take(entries: TarReader) -> tuple[Changes, set[str]]:
            changes = Changes()
            seen: set[str] = set()
            for entry in entries:
                budget.entry()
                seen.add(top_of(entry.parts))
                node = changes.take(entry, number, wanted)
                if node is not None and node.kind == FILE and within(node.parts, wanted) and not cover.hides(node.parts):
                    node.spool = self._spool(entries)
            return changes, seen

        changes, seen = self._unpack(layer, budget, take)
        self._tops[layer.descriptor.digest] = frozenset(seen)
        return changes

    def fetch(self, layer: _Layer, nodes: Iterable[Node], budget: _Budget) -> None:
        """Spool files of a layer that seemed to be hidden and turned out to have another name."""
        missing = {node.number: node for node in nodes}

        def take(entries: TarReader) -> None:
            for entry in entries:
                node = missing.get(entry.number)
                if node is not None:
                    node.spool = self._spool(entries)

        self._unpack(layer, budget, take)

    def _unpack(self, layer: _Layer, budget: _Budget, take: Callable[[TarReader], T]) -> T:
        """Have the archive of a layer read, checked against both its digests."""
        for attempt in range(_READS):
            kept, content = self._spooled, self._content
            try:
                return self._unpack_once(layer, budget, take)
            except DigestMismatchError:
                self._unspool(kept, content)
                if attempt >= min(_READS - 1, self._retry.retries):
                    raise
            self._cancellation.sleep(self._retry.pause(attempt))
        raise AssertionError("the loop above returns or raises")

    def _unpack_once(self, layer: _Layer, budget: _Budget, take: Callable[[TarReader], T]) -> T:
        digest = layer.descriptor.digest
        where = f"{self.place}@{digest}"
        pieces = self.blob(layer.descriptor).pieces(0)
        try:
            unpacked = Unpacked(pieces, budget.unpacked, layer.diff_id.partition(":")[0])
            result = take(TarReader(unpacked))
            unpacked.drain()
        except (PackingError, TarError) as error:
            # content that was changed on the way is told as such, not as what became of it
            for _ignored in pieces:
                pass
            raise ProtocolError("read the layer", where, str(error)) from error
        budget.unpacked -= unpacked.size
        if unpacked.diff_id != layer.diff_id:
            reason = f"unpacked it has the digest {unpacked.diff_id}, the image's configuration says {layer.diff_id}"
            raise ProtocolError("use the layer", where, reason)
        return result

    def _spool(self, entries: TarReader) -> Path:
        """Write the content of the current member of an archive to a file."""
        path = self._workdir / f"{self._spooled:08d}"
        try:
            with open(path, "xb", opener=_private) as stream:
                self._spooled += 1
                for piece in entries.content():
                    self._content += len(piece)
                    if self._content > self.limits.content:
                        raise TarError(f"the wanted files of the image are larger than {self.limits.content} bytes")
                    stream.write(piece)
        except OSError as error:
            raise FileError("write", str(path), error.strerror or str(error)) from error
        return path

    def _unspool(self, kept: int, content: int) -> None:
        for number in range(kept, self._spooled):
            with suppress(OSError):
                os.unlink(self._workdir / f"{number:08d}")
        self._spooled, self._content = kept, content

    @property
    def place(self) -> str:
        """The repository, for messages."""
        return f"{self._store.registry}/{self._repository}"


class LayerFiles:
    """Reads files out of images of one repository.

    :param workdir: a folder for the spooled files. It is the caller's to remove.
    :param meter: told the number of bytes each time some were read from the store.
    """

    def __init__(
        self,
        store: Store,
        repository: str,
        workdir: Path,
        *,
        retry: RetryPolicy | None = None,
        cancellation: Cancellation | None = None,
        limits: Limits | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._reader = _LayerReader(store, repository, workdir, retry, cancellation, limits, meter)

    def config(self, manifest: Manifest) -> dict[str, Any]:
        """The configuration of an image.

        :raises ProtocolError: when it has none, or one that is no JSON object.
        """
        descriptor, _layers = image_content(manifest, self._where(manifest))
        if descriptor.size > _CONFIG_LIMIT:
            raise ProtocolError("read the configuration of", self._where(manifest), f"it is larger than {_CONFIG_LIMIT} bytes")
        try:
            document = json.loads(self._reader.blob(descriptor).read_all())
        except (ValueError, RecursionError) as error:
            raise ProtocolError("read the configuration of", self._where(manifest), f"it is no JSON ({error})") from error
        if not isinstance(document, dict):
            raise ProtocolError("read the configuration of", self._where(manifest), "it is no JSON object")
        return document

    def read(self, manifest: Manifest, folder: str, config: Mapping[str, Any] | None = None) -> FileTree:
        """Spool the files below a folder of an image.

        :param folder: a path in the image.
        :param config: the image's configuration, where it is at hand.
        :raises FolderMissingError: when there is no such folder in the image.
        :raises FileError: when the files cannot be spooled.
        :raises ProtocolError: when a layer is damaged, not what its digests say, or beyond the limits.
        """
        where = self._where(manifest)
        layers = self._layers(manifest, self.config(manifest) if config is None else config)
        try:
            wanted = path_parts(folder)
        except TarError as error:
            raise FileError("read", f"{folder} in {where}", str(error)) from error
        reading = _Reading(self._reader, layers, where)
        real, found = reading.locate(wanted)
        if not isinstance(found, Folder):
            reason = "there is no such folder" if found is None else "it is no folder"
            raise FolderMissingError("read", f"{folder} in {where}", reason)
        files, unusable = reading.files(found, real)
        return FileTree("/".join(real), {path: _spool_of(node) for path, node in sorted(files.items())}, dict(sorted(unusable.items())))

    def _layers(self, manifest: Manifest, config: Mapping[str, Any]) -> list[_Layer]:
        where = self._where(manifest)
        _config, layers = image_content(manifest, where)
        return [_Layer(*pair) for pair in zip(layers, diff_ids(config, len(layers), where))]

    def _where(self, manifest: Manifest) -> str:
        return f"{self._reader.place}@{manifest.digest}"


@dataclass
class _Budget:
    """What one reading may still spend."""

    entries: int
    unpacked: int

    def entry(self) -> None:
        self.entries -= 1
        if self.entries < 0:
            raise TarError("the image has too many files")


class _Reading:
    """One folder of one image."""

    def __init__(self, source: _LayerReader, layers: Sequence[_Layer], where: str) -> None:
        self._source = source
        self._layers = layers
        self._where = where
        self._budget = _Budget(source.limits.entries, source.limits.unpacked)
        self._outside: dict[tuple[Parts, int, int], Folder | Node | None] = {}

    def locate(self, wanted: Parts) -> tuple[Parts, Folder | Node | None]:
        """What an image has at a path, and where it really lies; links on the way to it are followed."""
        for _attempt in range(MOST_LINKS):
            found: Folder | Node | None = self._tree(wanted, len(self._layers))
            for depth, name in enumerate(wanted):
                found = found.children.get(name) if isinstance(found, Folder) else None
                if isinstance(found, Node) and found.kind == SYMLINK:
                    target = target_of(found, wanted[:depth])
                    if target is None:
                        return wanted, None
                    wanted = (*target, *wanted[depth + 1 :])
                    break
            else:
                return wanted, found
        return wanted, None

    def files(self, folder: Folder, real: Parts) -> tuple[dict[str, Node], dict[str, str]]:
        """All files below a folder with their content on disk, and what is none."""
        files: dict[str, Node] = {}
        unusable: dict[str, str] = {}
        root = rooted(folder, real)
        pending: list[tuple[str, Parts, Folder, tuple[int, ...]]] = [("", real, folder, (id(folder),))]
        while pending:
            prefix, place, current, above = pending.pop()
            for name in sorted(current.children):
                path = prefix + name
                found, reason, target = self._usable(current.children[name], (*place, name), root, real)
                if isinstance(found, Folder) and id(found) in above:
                    unusable[path] = "it is a link to a folder that it lies in"
                elif isinstance(found, Folder):
                    pending.append((f"{path}/", target, found, (*above, id(found))))
                elif found is not None:
                    files[path] = found
                else:
                    unusable[path] = reason
                # folders count too, for a link can show many of them again and again
                if len(files) + len(unusable) + len(pending) > self._source.limits.files:
                    raise ProtocolError(
                        "read", self._where, f"its folder /{'/'.join(real)} has more than {self._source.limits.files} files"
                    )
        self._complete(files.values())
        return files, unusable

    # -- the tree

    def _tree(self, wanted: Parts, top: int, before: int | None = None) -> Folder:
        """The wanted folder and those that it lies in, as the lower ``top`` layers make them.

        :param before: how many members of the uppermost of them count; all where not given.
        """
        changes: list[Changes] = []
        cover = Cover()
        for number in reversed(range(top)):
            found = self._source.changes(self._layers[number], number, wanted, cover, self._budget)
            if before is not None and number == top - 1:
                found.nodes = [node for node in found.nodes if node.number < before]
            changes.append(found)
            cover.add(found)
            if cover.hides_below(wanted):
                break
        root = Folder()
        for found in reversed(changes):
            found.apply_to(root)
        return root

    def _usable(self, found: Folder | Node, place: Parts, root: Folder, real: Parts) -> tuple[Folder | Node | None, str, Parts]:
        """The file or folder behind a name, or why there is none, and where it lies."""
        for _attempt in range(MOST_LINKS):
            if isinstance(found, Folder) or found.kind == FILE:
                return found, "", place
            if found.kind not in (SYMLINK, HARDLINK):
                return None, "it is no plain file", place
            followed = follow(root, found, place) if found.kind == SYMLINK else self._linked(found, place, real)
            if followed is None:
                sort = "link" if found.kind == SYMLINK else "hard link"
                return None, f"it is a {sort} to '{found.target[:200]}', where the folder /{'/'.join(real)} has nothing", place
            place, found = followed
        return None, "it is one of too many links in a row", place

    def _linked(self, link: Node, place: Parts, real: Parts) -> tuple[Parts, Folder | Node] | None:
        """What a hard link to something outside of the wanted folder was made of."""
        target = target_of(link, ())
        # what lies in the folder was found already
        if target is None or within(target, real):
            return None
        key = (target, link.layer, link.number)
        if key not in self._outside:
            self._outside[key] = self._tree(target, link.layer + 1, link.number).at(target)
        found = self._outside[key]
        return (place, found) if isinstance(found, Node) else None

    def _complete(self, nodes: Iterable[Node]) -> None:
        missing: dict[int, dict[int, Node]] = {}
        for node in nodes:
            if node.spool is None:
                missing.setdefault(node.layer, {})[id(node)] = node
        for number, found in sorted(missing.items()):
            self._source.fetch(self._layers[number], found.values(), self._budget)


def image_content(manifest: Manifest, where: str) -> tuple[Descriptor, list[Descriptor]]:
    """The configuration and the layers of an image, the layers in their order and as often as they are listed.

    :raises ProtocolError: when the manifest is none of an image.
    """
    document = json.loads(manifest.content)
    known = {blob.digest: blob for blob in manifest.blobs}
    config = document.get("config")
    layers = document.get("layers")
    if manifest.is_index or not isinstance(config, dict) or not isinstance(layers, list):
        raise ProtocolError("read the layers of", where, "it is no image")
    return known[config["digest"]], [known[layer["digest"]] for layer in layers]


def diff_ids(config: Mapping[str, Any], layers: int, where: str) -> list[str]:
    """The digests of an image's unpacked layers, as its configuration lists them.

    :param layers: how many there must be.
    :raises ProtocolError: when there are others, as in what is no image but only stored like one.
    """
    rootfs = config.get("rootfs")
    found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(found, list) or len(found) != layers:
        raise ProtocolError("read the layers of", where, "its configuration does not list them: it is no image, or a damaged one")
    try:
        return [parse_digest(str(diff_id), where) for diff_id in found]
    except InputError as error:
        raise ProtocolError("read the layers of", where, error.reason) from error


def _spool_of(node: Node) -> Path:
    if node.spool is None:
        raise AssertionError("every file is spooled before it is given out")
    return node.spool


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
