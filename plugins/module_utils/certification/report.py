# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of catalog_dump tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.certification.changes import KINDS, NOTHING, Change
from ansible_collections.quayside.airgap.plugins.module_utils.certification.walk import Walked

NOT_ASKED = "not asked for"
BY_LOOK = "unchanged (quick look)"
BY_CONTENT = "unchanged"
WRITTEN = "written"


@dataclass(frozen=True)
class DumpResult:
    """What is in a dump now, or would be, and how it came to be there.

    :ivar counts: of each kind; ``digests``: of their content.
    :ivar how: of each kind, one of the constants of this module.
    :ivar changes_file: has all names of the changes; None where none was written.
    :ivar notes: what is worth knowing; ``warnings``: what should be seen.
    :ivar source: where the dump was brought from; empty for one that was read from the catalog.
    """

    path: Path
    changed: bool
    counts: dict[str, int]
    digests: dict[str, str]
    how: dict[str, str]
    before: dict[str, int] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    walks: dict[str, Walked] = field(default_factory=dict)
    changes_file: Path | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    source: str = ""
    seconds: float = 0.0

    def as_results(self) -> dict[str, Any]:
        """What the module returns."""
        changes = {kind: self.changes.get(kind, NOTHING).as_result() for kind in KINDS}
        return {
            "changed": self.changed,
            "path": str(self.path),
            "counts": self.counts,
            "digests": self.digests,
            "how": {kind: self.how.get(kind, NOT_ASKED) for kind in KINDS},
            "changes": changes,
            "changes_file": str(self.changes_file) if self.changes_file else "",
            "walks": {kind: _costs(walk) for kind, walk in self.walks.items()},
            "notes": list(self.notes),
            "source": self.source,
            "seconds": round(self.seconds, 3),
            "diff": {"before": _side(self.before, changes, "removed"), "after": _side(self.counts, changes, "added")},
        }


def _costs(walk: Walked) -> dict[str, Any]:
    found = walk._asdict()
    del found["records"]
    return found


def _side(counts: Mapping[str, int], changes: Mapping[str, Mapping[str, Any]], what: str) -> dict[str, Any]:
    """One side of a diff: the counts, and the first names that only this side has."""
    return {kind: {"count": counts.get(kind, 0), what: changes[kind][f"{what}_names"]} for kind in KINDS}
