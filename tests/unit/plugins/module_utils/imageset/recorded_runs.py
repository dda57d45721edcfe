# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorded runs of oc-mirror v2 once more, as runs of ours: the same images, arguments and image sets."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete import DeleteResult, DeleteTask, delete_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import ImageSetResult, ImageSetTask
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.workflow import mirror_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions
from ansible_collections.quayside.airgap.tests.sandbox.registry import SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.oc_mirror_lab import HOST, LAYOUTS, Lab
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded import Case, case

# What the recordings call the registries that were read and written, oc-mirror's cache, and the folder of its runs
SOURCE = "localhost:25101"
TARGET = "localhost:25102"
CACHE = "localhost:25155"
DATA = "/data/"
OPEN = SideOptions(TlsSettings(verify=False))
QUICK = WireOptions(parallel=4, retries=0, timeout=10)


class Arguments:
    """The command line of a run of oc-mirror."""

    def __init__(self, text: str) -> None:
        words = shlex.split(text)
        self.destination = words[-1]
        self.flags = [word for word in words if word.startswith("-")]
        self._values = dict(zip(words, words[1:]))

    def value(self, name: str) -> str:
        return self._values.get(name, "")


@dataclass
class World:
    """The registry with all images of the recordings, an empty one, and a folder in the place of that of the recordings."""

    lab: Lab
    source: SandboxRegistry = field(repr=False)
    target: SandboxRegistry = field(repr=False)
    folder: Path

    def __post_init__(self) -> None:
        for placed in (*self.lab.images, *self.lab.catalogs):
            self.source.load(placed.repository, placed.tag, placed.image)
        self.lab.write_layouts(self._layouts)
        conf = f'[[registry]]\nprefix = "{HOST}"\nlocation = "{self.source.host}"\ninsecure = true\n'
        self._conf.write_text(conf, encoding="utf-8")

    @property
    def _conf(self) -> Path:
        return self.folder / "registries.conf"

    @property
    def _layouts(self) -> Path:
        return self.folder / "layouts"

    @property
    def data(self) -> Path:
        """What stands for the folder of oc-mirror's runs."""
        return self.folder / "data"

    # -- names there and here

    def _names(self) -> list[tuple[str, str]]:
        return [(SOURCE, self.source.host), (TARGET, self.target.host), (LAYOUTS, str(self._layouts)), (DATA, f"{self.data}/")]

    def here(self, text: str) -> str:
        """A recorded text with names and digests as they are here."""
        for there, here in self._names():
            text = text.replace(there, here)
        return self.lab.here(text)

    def recorded(self, text: str) -> str:
        """A text of a run here in the words of the recording."""
        for there, here in self._names():
            text = text.replace(here, there)
        return self.lab.recorded(text)

    # -- runs

    def image_set(self, recorded: Case, name: str = "isc.yaml") -> Path:
        path = self.folder / f"{recorded.name}-{name}"
        path.write_text(self.here(recorded.text(name)), encoding="utf-8")
        return path

    def mirror(self, recorded: Case, **options: Any) -> ImageSetResult:
        """Do what a run of oc-mirror did."""
        arguments = Arguments(self.here(recorded.arguments))
        given: dict[str, Any] = {
            "image_set": str(self.image_set(recorded)),
            "origin": arguments.value("--from"),
            "workspace": arguments.value("--workspace"),
            # as long before the run as it was then
            "since": str(date.today() - timedelta(days=19)) if "--since" in arguments.flags else "",
            "strict_archive": "--strict-archive" in arguments.flags,
            "dry_run": any(flag.startswith("--dry-run") for flag in arguments.flags),
            **options,
        }
        return self.run(arguments.destination, **given)

    def run(self, destination: str, **options: Any) -> ImageSetResult:
        """A run of ours."""
        given: dict[str, Any] = {
            "source_side": OPEN,
            "destination_side": OPEN,
            "wire": QUICK,
            "registries_conf": str(self._conf),
            **options,
        }
        return mirror_image_set(ImageSetTask(destination, **given))

    def delete(self, recorded: Case, **options: Any) -> DeleteResult:
        """Delete what a run of oc-mirror deleted, or would have."""
        destination = Arguments(self.here(recorded.arguments)).destination
        task = DeleteTask(destination, source_side=OPEN, destination_side=OPEN, wire=QUICK, registries_conf=str(self._conf), **options)
        return delete_image_set(task)

    def carry(self, run: str, to: str) -> None:
        """Bring the archives of a run over the gap.

        :param run: the recorded run that they were made by; ``to``: the recorded one that is given them.
        """
        made = Path(Arguments(self.here(case(run).arguments)).destination.partition("file://")[2])
        given = Path(Arguments(self.here(case(to).arguments)).value("--from").partition("file://")[2])
        given.mkdir(parents=True, exist_ok=True)
        for path in made.glob("mirror_*.tar"):
            shutil.copy(path, given)

    def working_dir(self, recorded: Case) -> Path:
        arguments = Arguments(self.here(recorded.arguments))
        place = arguments.value("--workspace") or arguments.value("--from") or arguments.destination
        return Path(place.partition("file://")[2]) / "working-dir"
