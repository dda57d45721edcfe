# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moments as Quay writes them in most of its views (RFC 2822), as this collection shows them (ISO 8601 in UTC)."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any


def stamp(value: Any) -> float | None:
    """Seconds since 1970 of ``Fri, 20 Nov 2026 22:05:50 -0000``; None where there is none, or it is none."""
    try:
        found = parsedate_to_datetime(str(value or ""))
    except (TypeError, ValueError):
        return None
    # the zone -0000 gives a moment without one
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()


def moment(value: Any) -> str | None:
    """``2026-11-20T22:05:50Z`` of ``Fri, 20 Nov 2026 22:05:50 -0000``; None where there is none."""
    seconds = stamp(value)
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
