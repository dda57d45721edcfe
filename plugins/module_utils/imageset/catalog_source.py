# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A catalog of operators as it is published: an image with a file-based catalog in a folder that a label names."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, FileError, ProtocolError, TransportError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.kept_catalogs import CatalogFiles, CatalogVersion, KeptCatalog
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_reading import FileSource, read_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.operators.filebased_catalog import Catalog, Fault
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import AccessError, NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.image_builder import BaseImage, load_base
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layers import LayerFiles, Limits
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Side
from ansible_collections.quayside.airgap.plugins.module_utils.registry.transfer import Meter

CONFIGS_LABEL = "operators.operatorframework.io.index.configs.v1"
_DATABASE_LABEL = "operators.operatorframework.io.index.database.v1"


@dataclass(frozen=True)
class SourceCatalog:
    """A catalog image and what it offers. To be closed, for its files are held until then.

    :ivar base: the image with the platforms that are wanted of it.
    :ivar folder: where the catalog lies in the image, as its label says.
    :ivar catalog: its content, the same for all platforms.
    """

    base: BaseImage
    folder: str
    catalog: Catalog
    _files: ExitStack

    @property
    def digest(self) -> str:
        """The digest of the image as it is published."""
        return self.base.root.digest

    def close(self) -> None:
        """Let go of the files. What was selected of the catalog can no longer be read; images made from it stay."""
        self.catalog.close()
        self._files.close()

    def __enter__(self) -> SourceCatalog:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()


def open_catalog(
    side: Side,
    reference: Reference,
    workdir: Path,
    *,
    platforms: Sequence[Platform] = (),
    retry: RetryPolicy | None = None,
    cancellation: Cancellation | None = None,
    limits: Limits | None = None,
    meter: Meter | None = None,
    kept: KeptCatalog | None = None,
) -> SourceCatalog:
    """Fetch a catalog and read it. Of an image for several platforms the first one is read: they differ in the tool alone.

    What is wrong in the catalog costs the packages that it belongs to and is among its faults.

    :param side: where the reference is read; of an OCI layout on disk a side that knows it (``LocalSources``).
    :param workdir: a folder for the catalog's files, which may take as much room as the catalog unpacked.
    :param platforms: which of the image's platforms are wanted; nothing means all of them.
    :param kept: copies of earlier runs: one that is there is read in place of the layers, otherwise there is one afterwards.
    :raises InputError: when it is not there for a platform.
    :raises ProtocolError: when the image is no file-based catalog, or damaged.
    :raises AirgapError: when it cannot be read.
    """
    base = _load(side, reference, platforms, retry, cancellation)
    first = base.members[0]
    folder = folder_of(first.config, base.reference)
    version = CatalogVersion(base.root.digest, first.manifest.digest, folder)
    ends = ExitStack()
    try:
        found = kept.open(version, ends) if kept is not None else None
        if found is None:
            files = ends.enter_context(_temporary(workdir))
            repository = base.reference.repository
            reader = LayerFiles(base.store, repository, Path(files), retry=retry, cancellation=cancellation, limits=limits, meter=meter)
            tree = reader.read(first.manifest, folder, first.config)
            found = CatalogFiles(tree.files, tree.unusable)
            if kept is not None:
                kept.keep(version, found)
        faults = [Fault("", path, reason) for path, reason in found.unusable.items()]
        catalog = read_catalog([FileSource(path, spool) for path, spool in found.files.items()], faults)
    except BaseException:
        ends.close()
        raise
    return SourceCatalog(base, folder, catalog, ends)


def _temporary(workdir: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="catalog-files-", dir=workdir)
    except OSError as error:
        raise FileError("write to", str(workdir), error.strerror or str(error)) from error


def _load(
    side: Side, reference: Reference, platforms: Sequence[Platform], retry: RetryPolicy | None, cancellation: Cancellation | None
) -> BaseImage:
    """The image from the first place that has it."""
    failure: AirgapError | None = None
    for store, place in side.candidates(reference):
        store.announce([place.repository])
        try:
            return load_base(store, place, platforms=platforms, retry=retry, cancellation=cancellation)
        except (NotFoundError, AccessError, TransportError) as error:
            failure = error
    raise failure or AssertionError("every reference has a place at least")


def folder_of(config: Mapping[str, Any], reference: Reference) -> str:
    """Where the catalog lies in an image, as its label says.

    :param config: of the image; ``reference``: its name in messages.
    :raises ProtocolError: when there is no such label.
    """
    settings = config.get("config")
    labels = settings.get("Labels") if isinstance(settings, dict) else None
    labels = labels if isinstance(labels, dict) else {}
    folder = labels.get(CONFIGS_LABEL)
    if isinstance(folder, str) and folder.strip("/. "):
        return folder
    if _DATABASE_LABEL in labels:
        reason = "it is a catalog with a database, not with files"
        raise ProtocolError(
            "read the catalog", str(reference), reason, "Convert it with 'opm migrate', or use a catalog of OpenShift 4.11 or later."
        )
    raise ProtocolError("read the catalog", str(reference), f"it is no catalog of operators: it has no label {CONFIGS_LABEL}")
