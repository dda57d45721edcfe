# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A catalog that changes while it is read: after a number of requests as a test says, and by chance."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.catalog.rsql import moment
from ansible_collections.quayside.airgap.tests.sandbox.catalog.store import Endpoint, Record
from ansible_collections.quayside.airgap.tests.support.catalog_content import CERTIFIED, Maker, date_text

__all__ = ["KINDS", "Change", "Editor"]

KINDS = ("images", "operators")
Change = Callable[["Editor"], object]


class Editor:
    """Changes the content of a catalog. Whoever calls it holds the lock of the catalog."""

    def __init__(self, images: Endpoint, rows: Endpoint, seed: int) -> None:
        self.images = images
        self.rows = rows
        self.maker = Maker(f"{seed} changes")
        self._random = random.Random(f"changes {seed}")
        self._names = self.maker.rows()
        self._newest = 0

    def shuffle(self, images: Mapping[str, int] | None = None, operators: Mapping[str, int] | None = None) -> None:
        """So many images and operator rows to `add`, `remove` and `change`; which ones is up to chance."""
        for kind, wanted in (("images", images), ("operators", operators)):
            for way, number in (wanted or {}).items():
                if way not in ("add", "remove", "change"):
                    raise ValueError(f"{way} is no change")
                for _time in range(number):
                    getattr(self, f"{way}_{'image' if kind == 'images' else 'row'}")()

    def at_random(self) -> None:
        """One small change of any kind."""
        getattr(self, self._random.choice(_WAYS))()

    def add_image(self, **fields: Any) -> Record:
        """A new certified image; the newest, unless `creation_date` says otherwise."""
        date = self._later()
        record = self.maker.image(date, **{"last_update_date": date_text(date), **fields})
        self.images.add(record)
        return record

    def add_row(self, **fields: Any) -> Record:
        """A new operator row of certified-operators; the newest, unless `creation_date` says otherwise."""
        date = self._later()
        record = {**self.maker.row(date, *next(self._names)), "last_update_date": date_text(date), **fields}
        self.rows.add(record)
        return record

    def add_old_image(self) -> Record:
        """An image that appears late: it was created long ago."""
        return self.add_image(creation_date=self._between(self.images))

    def add_old_row(self) -> Record:
        """A row that appears late: it was created long ago."""
        return self.add_row(creation_date=self._between(self.rows))

    def remove_image(self, identifier: str = "") -> Record | None:
        """Take an image out, by chance a certified one."""
        record = self._pick(self.images, identifier)
        return self.images.remove(record["_id"]) if record else None

    def remove_row(self, identifier: str = "") -> Record | None:
        """Take an operator row out, by chance one of certified-operators."""
        record = self._pick(self.rows, identifier)
        return self.rows.remove(record["_id"]) if record else None

    def change_image(self, identifier: str = "", **fields: Any) -> Record | None:
        """Give an image other fields; without any, one more tag."""
        record = self._pick(self.images, identifier)
        if record is None:
            return None
        changed = copy.deepcopy(record)
        if not fields and changed["repositories"]:
            repository = changed["repositories"][0]
            repository["tags"] = [*(repository.get("tags") or ()), {"name": f"more-{self._random.getrandbits(24):x}"}]
        return self._replace(self.images, {**changed, **fields})

    def change_row(self, identifier: str = "", **fields: Any) -> Record | None:
        """Give an operator row other fields; without any, another channel."""
        record = self._pick(self.rows, identifier)
        if record is None:
            return None
        return self._replace(self.rows, {**record, **(fields or {"channel_name": f"channel-{self._random.getrandbits(24):x}"})})

    def withdraw_image(self, identifier: str = "") -> Record | None:
        """Let an image lose its certification: it stays in the catalog."""
        return self.change_image(identifier, certified=False)

    def _replace(self, endpoint: Endpoint, record: Record) -> Record:
        updated = {**record, "last_update_date": date_text(self._later())}
        endpoint.replace(updated)
        return updated

    def _pick(self, endpoint: Endpoint, identifier: str) -> Record | None:
        if identifier:
            return endpoint.get(identifier)
        found = endpoint.records
        for _attempt in range(20):
            record = self._random.choice(found) if found else {}
            if record.get("organization") == CERTIFIED or (record.get("certified") and record.get("isv_pid")):
                return record
        return None

    def _between(self, endpoint: Endpoint) -> str:
        dates = [record.get("creation_date") for record in self._random.choices(endpoint.records, k=8)] if len(endpoint) else []
        known = [moment(date) for date in dates if date]
        # a few milliseconds behind an old one, where it likely is between two others
        return date_text(min(known, default=0) // 1000 + self._random.randrange(1, 2000))

    def _later(self) -> int:
        """Milliseconds, later than everything that is there."""
        if not self._newest:
            dates = [
                record.get(name) or ""
                for endpoint in (self.images, self.rows)
                for record in endpoint.records
                for name in ("creation_date", "last_update_date")
            ]
            latest = max(dates, default="")
            self._newest = moment(latest) // 1000 if latest else 1_700_000_000_000
        self._newest += self._random.randrange(1, 60_000)
        return self._newest


_WAYS = (
    "add_image",
    "add_row",
    "add_old_image",
    "add_old_row",
    "remove_image",
    "remove_row",
    "change_image",
    "change_row",
    "withdraw_image",
)
