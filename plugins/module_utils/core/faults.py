# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a document of the user's, each fault with its place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """What is wrong with a document, and where: ``mirror.operators[1].packages[0].minVersion``."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path or 'the document'}: {self.reason}"


def join(path: str, key: str) -> str:
    """The path of a key below another path."""
    key = key or "''"
    return f"{path}.{key}" if path else key
