# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files are no part of a catalog."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.operators.indexignore import IgnoreRules


def ignored(lines, paths, folder=""):
    rules = IgnoreRules()
    rules.add("\n".join(lines), folder.split("/") if folder else [])
    return [path for path in paths.split() if rules.ignore(path.split("/"))]


@pytest.mark.parametrize(
    ("lines", "paths", "expected"),
    [
        (["README.md"], "README.md a/README.md README.md/x a.md", "README.md a/README.md README.md/x"),
        (["*.md"], "a.md b/c.md a.mdx", "a.md b/c.md"),
        (["# *.json", "", "   "], "a.json #", ""),
        (["/a.json"], "a.json b/a.json", "a.json"),
        (["b/a.json"], "b/a.json c/b/a.json b/a.json.bak", "b/a.json"),
        (["docs/"], "docs docs/a x/docs/b", "docs/a x/docs/b"),
        (["x/docs/"], "docs/a x/docs/b x/docs", "x/docs/b"),
        (["a/*"], "a/b a/b/c c/a/b a", "a/b a/b/c"),
        (["**/a"], "a b/a b/c/a/d", "a b/a b/c/a/d"),
        (["a/**"], "a a/b a/b/c", "a/b a/b/c"),
        (["a/**/c"], "a/c a/b/c a/b/b/c a/b", "a/c a/b/c a/b/b/c"),
        (["file?.json"], "file1.json file12.json", "file1.json"),
        (["file[0-9].json"], "file1.json filea.json", "file1.json"),
        (["file[!0-9].json"], "file1.json filea.json", "filea.json"),
        (["file[]].json"], "file].json file1.json", "file].json"),
        (["file[.json"], "file[.json file.json", "file[.json"),
        (["\\#a", "\\!b"], "#a !b a b", "#a !b"),
        (["*.json", "!keep.json"], "a.json keep.json b/keep.json", "a.json"),
        (["!keep.json", "*.json"], "keep.json", "keep.json"),
        (["a/", "!a/"], "a/b", "a/b"),
        (["a/", "!a/keep"], "a/b a/keep a/keep/c", "a/b a/keep/c"),
    ],
)
def test_rules(lines, paths, expected):
    assert ignored(lines, paths) == expected.split()


def test_rules_hold_below_their_own_folder():
    assert ignored(["*.bak", "/x"], "a.bak d/a.bak d/e/a.bak x d/x", "d") == ["d/a.bak", "d/e/a.bak", "d/x"]


def test_the_rule_of_an_inner_folder_comes_later_and_decides():
    rules = IgnoreRules()
    rules.add("*.json", [])
    rules.add("!a.json", ["d"])
    assert rules.ignore(["a.json"])
    assert not rules.ignore(["d", "a.json"])
