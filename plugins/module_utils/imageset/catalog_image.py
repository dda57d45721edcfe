# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chosen part of a catalog as an image: that of the publisher with another catalog in it.

As oc-mirror v2 builds it: the catalog lies in /configs, the image is an OCI index, and it serves without the cache that the
publisher made of the whole catalog. Other than there, the cache is gone from the image too, and the same choice of the same
catalog is the same image on every day and in every workflow.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.catalog_source import CONFIGS_LABEL, SourceCatalog
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_selection import Selection
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_writing import write_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.registry.image_builder import BaseImage, Changes, DerivedImage, derive
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_packing import LayerFile, NewLayer

CONFIGS = "configs"
# Where opm keeps its cache by convention; the folder around it is everybody's
_CACHE = "tmp/cache"
_MODES = {"tmp": 0o1777}
_CACHE_OPTION = "--cache-dir"


@dataclass(frozen=True)
class CatalogImage:
    """A catalog that was built.

    :ivar image: a store that the copy engine reads it from; it needs what the catalog was built from, and its ``workdir``.
    :ivar config: a folder with its files, a folder for each package in it.
    :ivar selection: what it offers.
    """

    image: DerivedImage
    config: Path
    selection: Selection

    @property
    def digest(self) -> str:
        return self.image.digest


def build_catalog(source: SourceCatalog, selection: Selection, workdir: Path) -> CatalogImage:
    """Build the image of the chosen part of a catalog.

    :param workdir: a folder of its own for the files and layers; needed as long as the image is used, and the caller's to remove.
    :raises FileError: when it cannot be written, or the catalog cannot be read any more.
    """
    config = workdir / "catalog-config"
    write_catalog(source.catalog, selection, config)
    return CatalogImage(catalog_image(source.base, source.folder, config, workdir), config, selection)


def catalog_image(base: BaseImage, folder: str, config: Path, workdir: Path) -> DerivedImage:
    """The image of a catalog with other files in it.

    :param folder: where the catalog lies in the base image.
    :param config: a folder with the new files.
    :raises FileError: when they cannot be read, or the layers cannot be written.
    """
    caches = {_CACHE, *(path for member in base.members for path in _caches(member.config))}
    removed = _outermost([folder, CONFIGS, *caches])
    modes = {path: mode for path, mode in _MODES.items() if any(gone.startswith(f"{path}/") for gone in removed)}
    layers = [
        NewLayer("quayside.airgap: without the catalog of the base image and its cache", removed=removed, folders=modes),
        NewLayer("quayside.airgap: with the chosen part of the catalog", files=list(_files(config)), folders={CONFIGS: 0o755}),
    ]
    return derive(base, Changes(layers, cmd=["serve", f"/{CONFIGS}"], labels={CONFIGS_LABEL: f"/{CONFIGS}"}), workdir)


def _files(config: Path) -> Iterator[LayerFile]:
    def refuse(error: OSError) -> None:
        raise FileError("read", str(error.filename), error.strerror or str(error)) from error

    for place, _folders, names in os.walk(config, onerror=refuse):
        for name in names:
            path = Path(place, name)
            yield LayerFile(f"{CONFIGS}/{path.relative_to(config).as_posix()}", path)


def _caches(config: Mapping[str, Any]) -> Iterator[str]:
    """The folders that the image's own command keeps its cache in."""
    settings = config.get("config")
    settings = settings if isinstance(settings, dict) else {}
    words = [word for key in ("Entrypoint", "Cmd") for word in settings.get(key) or [] if isinstance(word, str)]
    for position, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option == _CACHE_OPTION:
            path = value if equals else "".join(words[position + 1 : position + 2])
            inside = os.path.normpath(os.path.join("/", str(settings.get("WorkingDir") or ""), path)).strip("/")
            if path and inside:
                yield inside


def _outermost(paths: Iterable[str]) -> list[str]:
    """Paths without those that lie below others of them."""
    cleaned = {os.path.normpath(f"/{path}").strip("/") for path in paths}
    return sorted(path for path in cleaned if not any(path.startswith(f"{other}/") for other in cleaned))
