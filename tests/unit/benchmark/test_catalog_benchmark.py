# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of make bench-sets that reads a large catalog, with a small one."""

from __future__ import annotations

import re

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_reading import read_tree
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_validation import validate_catalog
from ansible_collections.quayside.airgap.tests.benchmark import sets
from ansible_collections.quayside.airgap.tests.benchmark.large_catalog import CatalogShape, write_large_catalog
from ansible_collections.quayside.airgap.tests.benchmark.report import update_document
from ansible_collections.quayside.airgap.tests.benchmark.testbed import QUICK

SMALL = CatalogShape(packages=6, bundles=24, size=600_000)


def test_the_catalog_is_valid_and_as_large_as_was_asked_for(tmp_path):
    written = write_large_catalog(tmp_path / "catalog", SMALL)
    files = sorted((tmp_path / "catalog").rglob("*.json"))
    assert written == sum(path.stat().st_size for path in files)
    assert 0.8 * SMALL.size < written < 1.5 * SMALL.size
    with read_tree(tmp_path / "catalog") as catalog:
        assert len(catalog.packages) == SMALL.packages == len(files)
        assert [len(package.bundles) for package in catalog.packages.values()] == [4] * 6
        assert [str(fault) for fault in validate_catalog(catalog)] == []
        bundle = catalog.packages["operator-003"].bundles["operator-003.v1.0.2"]
        kinds = [entry["type"] for entry in catalog.blob(bundle.place)["properties"]]
        assert {"olm.bundle.object", "olm.csv.metadata"} <= set(kinds)


def test_the_same_bytes_are_made_everywhere(tmp_path):
    write_large_catalog(tmp_path / "one", SMALL)
    write_large_catalog(tmp_path / "two", SMALL)
    for path in (tmp_path / "one").rglob("*.json"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_every_reader_gets_a_row(tmp_path):
    options = sets.Options(
        parts=("catalog",), shape=SMALL, repetitions=1, parallel=2, limit=60, quick=True, directory=None, update_docs=False
    )
    report = sets.measure(options, tmp_path)
    assert "6 packages, 24 bundles" in report
    rows = re.findall(r"^\| ([^|]+) \| \d+\.\d\d \(\d+\.\d\d\) \| \d+\.\d\d \| \d+ \| \d+\.\d\d \| \d+ \|$", report, re.MULTILINE)
    assert len(rows) == 5
    assert "small workloads; the figures say nothing" in report


def test_there_is_a_place_for_the_figures_in_the_documentation(tmp_path):
    copy = tmp_path / "benchmarks.md"
    copy.write_text(sets.DOCUMENT.read_text())
    update_document(copy, "the figures", sets.MARKS)
    assert f"{sets.MARKS.begin}\n\nthe figures\n{sets.MARKS.end}" in copy.read_text()


class TestCommandLine:
    def test_everything_is_measured_unless_it_is_said(self):
        options = sets.parse([])
        assert options.parts == ("catalog", "A", "B", "C")
        assert options.shape == CatalogShape()
        assert sets.parse(["--packages", "5", "--bundles", "50", "--megabytes", "2.5"]).shape == CatalogShape(5, 50, 2_500_000)

    def test_quick_is_small_and_once(self):
        options = sets.parse(["--quick", "--parts", "B"])
        assert (options.parts, options.repetitions, options.shape) == (("B",), 1, sets.QUICK_CATALOG)
        assert set(sets.WORKLOADS) <= set(QUICK)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--parts", "A,D"], "there is no part D"),
            (["--repetitions", "0"], "at least one"),
            (["--packages", "10", "--bundles", "9"], "a bundle for each"),
            (["--quick", "--update-docs"], "nothing that belongs into the documentation"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, arguments, words, capsys):
        with pytest.raises(SystemExit, match="2"):
            sets.parse(arguments)
        assert words in capsys.readouterr().err
