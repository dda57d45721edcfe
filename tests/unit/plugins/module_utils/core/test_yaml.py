# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign YAML cannot end the process by being nested."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.module_utils.core.yaml import NestedTooDeeply, refuse_depth

MANY = 200_000


@pytest.mark.parametrize(
    "text",
    [
        "- " * MANY + "a",
        "? " * MANY + "a",
        "a: " + "[" * MANY,
        "{a: " * MANY,
        # closing brackets in quotes close nothing
        '["]", ' * MANY,
        "a:\n" + "\n".join(" " * column + "a:" for column in range(1, 200)),
    ],
    ids=["entries", "keys", "lists", "mappings", "quoted", "indented"],
)
def test_what_would_overflow_the_stack_is_refused(text):
    with pytest.raises(NestedTooDeeply, match="nested deeper than 100 levels"):
        refuse_depth(text, 100)


@pytest.mark.parametrize(
    "text",
    ["", "a: 1", "- " * 100 + "a", "[" * 100 + "]" * 100, "[], " * 1000, "a: '" + "[" * 1000 + "'", " " * 5000 + "a: 1", "-" * 5000],
    ids=["nothing", "flat", "entries", "lists", "siblings", "text", "far right", "rule"],
)
def test_what_only_looks_like_it_is_read(text):
    text = f"[{text}]" if text.startswith("[], ") else text
    refuse_depth(text, 101)
    yaml.safe_load(text)


def test_what_is_no_yaml_is_said_by_the_reader():
    with pytest.raises(yaml.YAMLError):
        refuse_depth("[" * 50 + "}" + "[" * 100, 100)
