# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside the library that certsuite asks, Masterminds semver 3.5.0: the same verdict on every recorded constraint and version.

A line of `tests/fixtures/certification/constraints.json` is a constraint, a version and what the library says: `true` or `false`, or
that it cannot read the one (`bad-constraint`, asked first) or the other (`bad-version`). They are constraints as they stand in charts,
every operator with every kind of version, words beside the grammar and just over its limits, and what chance made of all that.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.certification.constraints import Constraint, ConstraintError, Version

ROOT = Path(__file__).resolve().parents[5]
RECORDED = json.loads((ROOT / "tests/fixtures/certification/constraints.json").read_text(encoding="utf-8"))


def verdict(constraint, version):
    try:
        wanted = Constraint.parse(constraint)
    except ConstraintError:
        return "bad-constraint"
    found = Version.parse(version)
    if found is None:
        return "bad-version"
    return "true" if wanted.allows(found) else "false"


@pytest.mark.parametrize("said", ["true", "false", "bad-constraint", "bad-version"])
def test_the_library_and_we_agree(said):
    others = {(constraint, version): verdict(constraint, version) for constraint, version, theirs in RECORDED if theirs == said}

    assert {pair: ours for pair, ours in others.items() if ours != said} == {}


def test_the_recording_has_enough_of_each_verdict_to_tell():
    counts = Counter(theirs for _constraint, _version, theirs in RECORDED)

    assert sum(counts.values()) == len({(constraint, version) for constraint, version, _theirs in RECORDED}) > 400
    assert min(counts["true"], counts["false"]) > 150
    assert min(counts["bad-constraint"], counts["bad-version"]) > 20
