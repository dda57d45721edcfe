# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make bench-catalog with a small catalog: everything is found by everybody, and the report tells of all of it."""

from __future__ import annotations

import re

import pytest

from ansible_collections.quayside.airgap.tests.benchmark import certified
from ansible_collections.quayside.airgap.tests.benchmark.certified_dump import OURS, PEER, READ_ALL, DumpBenchmark
from ansible_collections.quayside.airgap.tests.benchmark.options import DOCUMENT
from ansible_collections.quayside.airgap.tests.benchmark.session import workspace
from ansible_collections.quayside.airgap.tests.support.catalog_content import CERTIFIED, Shape

SMALL = Shape(images=230, organizations={CERTIFIED: 210}, charts=7)


def test_dumps_are_whole_and_then_unchanged():
    told = []
    with workspace() as folder:
        benchmark = DumpBenchmark(
            SMALL, folder, delays=(0.0, 0.002), repetitions=1, warm=False, limit=60, workers=4, tell=told.append, questions=40
        )
        # a run that does not find what there is, or finds a change where there is none, ends this with an error
        benchmark.measure()
    assert not folder.exists()
    measured = [(taken.tool, taken.phase, taken.delay) for taken in benchmark.results.measurements]
    ways = {(OURS, "cold"), (OURS, "again"), (READ_ALL, "again"), (PEER, "cold")}
    assert sorted(measured) == sorted((*way, delay) for way in ways for delay in (0.0, 0.002))
    # the size, three pages of operators; three pages of images, and an empty one; the index
    assert benchmark.requests[PEER, "cold"] == 4 + 4 + 1
    assert all(asked["asked"] == 40 and 20 < asked["certified"] <= 30 for asked in benchmark.asked)
    report = benchmark.report()
    assert len(re.findall(r"^\| [^|]+ \|(?: \d+\.\d\d \(\d+\.\d\d\) \| \d+\.\d\d \|){2}", report, re.MULTILINE)) == len(ways)
    assert "peak memory | at most 150 MB | all |" in report
    assert len(told) == 2 + len(measured) + 1


def test_the_documentation_has_a_place_for_the_figures():
    text = DOCUMENT.read_text()
    assert text.count(certified.MARKS.begin) == text.count(certified.MARKS.end) == 1


@pytest.mark.parametrize("arguments", [["--delays", "x"], ["--images", "0"], ["--quick", "--update-docs"]])
def test_options_that_cannot_be(arguments, capsys):
    with pytest.raises(SystemExit):
        certified.parse(arguments)
    assert "error:" in capsys.readouterr().err
