# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents as options give them: a path or the document itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError


def document(given: Any, option: str = "image_set") -> str | Mapping[str, Any] | None:
    """A document as an option has it: the mapping itself, the path of a file, or nothing.

    :param option: its name, for the message.
    :raises InputError: when it is something else.
    """
    if not given:
        return None
    if isinstance(given, Mapping):
        return given
    if isinstance(given, str):
        return os.path.expanduser(given)
    raise InputError(option, f"it is a {type(given).__name__}", "Give the path of a file, or the mapping itself.")
