# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive as one side of a copy."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import Store


class OneStore:
    """A side that is one store, whatever registry a reference names."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def client(self, _registry: str) -> Store:
        """The store."""
        return self.store

    def candidates(self, reference: Reference) -> Sequence[tuple[Store, Reference]]:
        """The store has it, or nobody."""
        return [(self.store, reference)]

    def reference(self, repository: str, tag: str | None = None, digest: str | None = None) -> Reference:
        """Something in the store, as requests name it."""
        return Reference(self.store.registry, repository, tag, digest)
