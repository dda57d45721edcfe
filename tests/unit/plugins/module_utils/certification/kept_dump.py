# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump that is kept up to date from a sandbox catalog, and ways to look at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import Database, read_tree, verify_tree
from ansible_collections.quayside.airgap.plugins.module_utils.certification.pyxis import CatalogOptions
from ansible_collections.quayside.airgap.plugins.module_utils.certification.refresh import RefreshTask, refresh
from ansible_collections.quayside.airgap.plugins.module_utils.certification.report import DumpResult
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.tests.sandbox.catalog.server import SandboxCatalog

QUICK = RetryPolicy(retries=2, base=0.001, cap=0.01)
Stamps = dict[str, tuple[int, int, bytes]]


def stamps(folder: Path) -> Stamps:
    """Inode, time stamp and content of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class KeptDump:
    """A dump in a folder."""

    def __init__(self, path: Path, catalog: SandboxCatalog) -> None:
        self.path = path
        self.data = path / "data"
        self.catalog = catalog

    def task(self, *, retry: RetryPolicy = QUICK, timeout: float = 10, workers: int = 4, **options: Any) -> RefreshTask:
        reach = CatalogOptions(api_url=self.catalog.api_url, retry=retry, timeout=timeout, workers=workers, page_size=100)
        return RefreshTask(**{"path": self.path, "catalog": reach, "helm_index_url": self.catalog.index_url, **options})

    def refresh(self, **options: Any) -> DumpResult:
        return refresh(self.task(**options))

    @property
    def stamps(self) -> Stamps:
        return stamps(self.data)

    def read(self) -> Database:
        """What is in it, once it has been looked through."""
        assert verify_tree(self.data).serious == []
        return read_tree(self.data)

    def holds(self, **truth: Any) -> bool:
        """Whether it holds what the catalog has now; containers are compared but for the lists that they are part of."""
        found, wanted = self.read(), self.catalog.truth(**truth)
        return (
            {key: tuple(container)[:5] for key, container in found.containers.items()}
            == {key: container[:5] for key, container in wanted.containers.items()}
            and found.aliases == wanted.aliases
            and tuple(found.operators) == tuple(wanted.operators)
            and found.charts == wanted.charts
        )
