# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a sandbox catalog behaves, and what is in it from the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ansible_collections.quayside.airgap.tests.support.catalog_content import Shape
from ansible_collections.quayside.airgap.tests.support.certs import Certificates

__all__ = ["BASE", "CatalogOptions"]

BASE = "/api/containers/v1"
_BEYOND = ("refuse", "reduce")


@dataclass(frozen=True)
class CatalogOptions(Shape):
    """Options of a sandbox catalog; those of Shape say what is in it.

    base            path of the API
    latency         seconds before every answer
    api_key         what X-API-KEY must be; empty: everybody may ask
    default_page    records on a page whose size was not asked for
    largest_page    most records on a page; `beyond` it: `refuse` (400, a guess) or `reduce` to it
    updates_sorted  whether last_update_date can be sorted by; if not: 400
    undated_newest  records without a creation date are newer than all others in the order of dates, not older
    ties_move       the order of records of one date depends on the filter: page numbers of two filters do not fit together
    slow_totals     seconds that an answer with a total takes longer when the filter lets more than `small` records through
    slow_depth      seconds that an answer takes longer for each thousand records before its page
    slow_whole      seconds that an answer with whole records takes longer for each hundred of them
    gateway         seconds after which the gateway gives up waiting and sends a page of HTML with `gateway_status`
    conditions      whether the index has ETag and Last-Modified, and If-None-Match and If-Modified-Since are answered by 304
    chances, chance_seed   kind of fault -> how likely a request meets it, see chance.py
    churn           how likely the content changes with a request, `churn_limit` times at most; see changes.py
    keep_moments    whether the content of every moment is kept
    prepared        write the records that dumps ask for before the first answer
    tls, port       as for registries
    """

    base: str = BASE
    latency: float = 0.0
    api_key: str = field(default="", repr=False)
    default_page: int = 100
    largest_page: int = 500
    beyond: str = "refuse"
    updates_sorted: bool = True
    undated_newest: bool = False
    ties_move: bool = False
    slow_totals: float = 0.0
    small: int = 0
    slow_depth: float = 0.0
    slow_whole: float = 0.0
    gateway: float = 60.0
    gateway_status: int = 504
    conditions: bool = True
    chances: Mapping[str, float] = field(default_factory=dict)
    chance_seed: int = 1
    churn: float = 0.0
    churn_limit: int = 20
    keep_moments: bool = True
    prepared: bool = False
    tls: Certificates | None = None
    port: int = 0

    def __post_init__(self) -> None:
        """Refuse what no option knows: ValueError."""
        super().__post_init__()
        if self.beyond not in _BEYOND:
            raise ValueError(f"beyond is {self.beyond!r}, must be one of {', '.join(_BEYOND)}")
        if not 0 < self.default_page <= self.largest_page:
            raise ValueError("default_page must be between 1 and largest_page")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> CatalogOptions:
        """Options from a configuration file; ValueError names a key that does not exist."""
        known = {item.name for item in fields(cls)} - {"tls"}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"unknown catalog options: {', '.join(unknown)}")
        given = dict(values)
        if "digestless_runs" in given:
            given["digestless_runs"] = tuple(given["digestless_runs"])
        return cls(**given)
