# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every reader of foreign YAML has to know."""

from __future__ import annotations

import re

from ansible_collections.quayside.airgap.plugins.module_utils.core.thirdparty import load

# A level of a block takes a column before the first word of a line, be it a blank or the sign of an entry
_LINE_START = re.compile(r"^[ \t?:-]+", re.MULTILINE)


class NestedTooDeeply(ValueError):
    """A text is nested deeper than its reader should follow."""


def refuse_depth(text: str, deepest: int) -> None:
    """Look how deeply a text is nested, before the C reader of PyYAML makes nodes of it.

    That goes down by recursion, without a limit: some 100,000 levels, which fit into 200 kB, overflow the stack and end the
    process. Texts that cannot be nested so deeply, which is nearly all, cost a glance.

    :param deepest: how many levels are still fine; far below 100,000.
    :raises NestedTooDeeply: when there are more.
    :raises yaml.YAMLError: when the text is no YAML up to there.
    """
    # brackets in quotes count as well: closing ones would otherwise hide open ones
    levels = text.count("[") + text.count("{")
    if levels <= deepest:
        levels += max((len(found) for found in _LINE_START.findall(text)), default=0)
    if levels <= deepest:
        return
    yaml = load("yaml")
    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > deepest:
                raise NestedTooDeeply(f"it is nested deeper than {deepest} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
