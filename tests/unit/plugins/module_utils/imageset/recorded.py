# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What oc-mirror v2 really produced, case by case.

`tests/fixtures/oc_mirror_results` has a file per case: the configuration, the arguments and the exit code of the run, and of the files
that it wrote those that are compared here. `related_images` are the images that the filtered catalogs name (true for bundles),
`filters` the names that the tool gave these catalogs, by the digest of the original, `releases` what is in the payloads. `registry` is
what was at the destination afterwards, `selection` what the filtered catalogs offer, `archive` what was in the archive and `history`
what the tool noted of it, digests by their first twelve figures.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import ImageSet
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import (
    BlockedImages,
    MirrorImage,
    Naming,
    parse_source,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_location

ROOT = next(path for path in Path(__file__).resolve().parents if (path / "galaxy.yml").is_file())
FOLDER = ROOT / "tests" / "fixtures" / "oc_mirror_results"


@dataclass(frozen=True)
class Case:
    """One run of oc-mirror.

    :ivar files: the lines of files, by name; those of the working-dir without the folder's name.
    """

    name: str
    exit: int
    arguments: str
    files: dict[str, list[str]]
    related_images: dict[str, bool] = field(default_factory=dict)
    filters: dict[str, str] = field(default_factory=dict)
    releases: list[dict[str, Any]] = field(default_factory=list)
    registry: dict[str, str] = field(default_factory=dict)
    selection: dict[str, dict[str, Any]] = field(default_factory=dict)
    archive: dict[str, Any] = field(default_factory=dict)
    history: str = ""

    def text(self, name: str) -> str:
        return "\n".join(self.files[name]) + "\n"

    def lines(self, prefix: str) -> list[str]:
        """The lines of all files whose names begin so."""
        return [line for name, lines in self.files.items() if name.startswith(prefix) for line in lines]

    def document(self, name: str) -> Any:
        return yaml.safe_load(self.text(name))

    def resources(self) -> dict[str, list[Any]]:
        """The objects of the cluster resources, by file."""
        return {
            name.rpartition("/")[2]: list(yaml.safe_load_all(self.text(name)))
            for name in self.files
            if name.startswith("cluster-resources/")
        }

    def pinned(self) -> str:
        """The text of the configuration that deletes what this run mirrored."""
        (name,) = (name for name in self.files if name.startswith("disc_pinned_"))
        return self.text(name)


def case(name: str) -> Case:
    """The recorded case, named as in the file's name with dashes."""
    path = FOLDER / f"{name.replace('-', '_')}.json"
    return Case(name=name, **json.loads(path.read_text(encoding="utf-8")))


def case_names() -> list[str]:
    return sorted(path.stem.replace("_", "-") for path in FOLDER.glob("*.json"))


def whole_recording() -> Path | None:
    """The folder that the cases are a part of, where a developer has it beside the checkout."""
    return next((path / "shared/data/oc-mirror" for path in ROOT.parents if (path / "shared/data/oc-mirror").is_dir()), None)


def recorded_images(recorded: Case, image_set: ImageSet) -> list[MirrorImage]:
    """The images that a run mirrored, from its configuration and the catalogs that it filtered.

    What failed is left out: the tool tells it in a file of its own.
    """
    naming = Naming(parse_location(recorded.arguments.rpartition("docker://")[2], "destination"))
    failed = {line.split()[3].partition("://")[2] or line.split()[3] for line in recorded.lines("logs/mirroring_errors")}
    images = [naming.operator_image(text, bundle=bundle) for text, bundle in recorded.related_images.items() if text not in failed]
    images += [naming.additional(image) for image in image_set.additional_images if image.name not in failed]
    images += [naming.catalog(catalog) for catalog in image_set.operators]
    for release in recorded.releases:
        payload = parse_source(f"{release['byTag']}@{release['payload'].partition('@')[2]}")
        images.append(naming.release(payload))
        images += [naming.release_content(parse_source(text), release["tag"], name) for name, text in release["components"].items()]
    blocked = BlockedImages(image_set.blocked_images)
    return [image for image in images if blocked.pattern_for(image) is None]
