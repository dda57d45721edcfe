# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside certsuite's own check: the same answers, from a dump that we write and from one that OCT made of the same catalog.

`tests/fixtures/certification/lookups.json` holds a small catalog (`containers` and `operators` as the API sends them, `charts` as the
index), the files that OCT 0.0.67 made of it (`oct`; the index it keeps as it is), and `questions`: the words of the question, what
certsuite 5.5 answers from our dump, what it answers from OCT's. `panic` is no answer: a constraint or a version cannot be read.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import read_tree, verify_tree, write_tree
from ansible_collections.quayside.airgap.plugins.module_utils.certification.lookup import (
    ChartQuestion,
    ContainerQuestion,
    Lookup,
    OperatorQuestion,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import Container, OperatorRow, Tables

ROOT = Path(__file__).resolve().parents[5]
RECORDED = json.loads((ROOT / "tests/fixtures/certification/lookups.json").read_text(encoding="utf-8"))
OUR_DUMP, OCT_DUMP = 1, 2


def our_dump(folder):
    tables = Tables.of(
        [Container.from_record(record) for record in RECORDED["containers"]],
        [OperatorRow.from_record(record) for record in RECORDED["operators"]],
        RECORDED["charts"].encode(),
    )
    write_tree(folder / "data", tables)
    return folder


def oct_dump(folder):
    for name, content in {**RECORDED["oct"], "helm/helm.db": RECORDED["charts"]}.items():
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def answer(lookup, question):
    kind, *words = question
    if kind == "container":
        given = lookup.container(ContainerQuestion(*words))
    elif kind == "operator":
        given = lookup.operator(OperatorQuestion(*words))
    else:
        given = lookup.chart(ChartQuestion(*words))
    if not given.judged:
        return "panic"
    return "true" if given.certified else "false"


@pytest.mark.parametrize(("dump", "column"), [(our_dump, OUR_DUMP), (oct_dump, OCT_DUMP)], ids=["our_dump", "oct_dump"])
@pytest.mark.parametrize("kind", ["container", "operator", "chart"])
def test_certsuite_and_we_agree(tmp_path, dump, column, kind):
    lookup = Lookup(read_tree(dump(tmp_path)))
    asked = [row for row in RECORDED["questions"] if row[0][0] == kind]

    others = {tuple(row[0]): (row[column], answer(lookup, row[0])) for row in asked}

    assert len(others) > 30
    assert {question: verdicts for question, verdicts in others.items() if verdicts[0] != verdicts[1]} == {}


def test_certsuite_finds_in_our_dump_all_that_it_finds_in_octs_and_what_oct_loses():
    gained = [words[1:] for words, ours, octs in RECORDED["questions"] if ours == "true" and octs != "true"]

    assert not [words for words, ours, octs in RECORDED["questions"] if octs == "true" and ours != "true"]
    assert {
        "digests of manifest lists": sum(1 for _registry, _name, _tag, digest in gained if digest.startswith("sha256:")),
        "images without a digest": sum(1 for _registry, name, _tag, _digest in gained if name in ("scan/only", "acme/lost")),
        "tags of a digest that was certified again": sum(1 for _registry, name, _tag, _digest in gained if name == "acme/twice"),
    } == {"digests of manifest lists": 2, "images without a digest": 2, "tags of a digest that was certified again": 1}


def test_verifying_names_the_charts_that_certsuite_panics_over(tmp_path):
    verdict = verify_tree(our_dump(tmp_path))

    panics = {tuple(words[1:3]) for words, ours, _octs in RECORDED["questions"] if words[0] == "chart" and ours == "panic"}
    named = " ".join(fault.what for fault in verdict.faults)
    assert {("old", "1.0.0"), ("old", "0.9.0")} < panics
    assert all(f"the kubeVersion of {name} {version} cannot be read" in named for name, version in [("old", "1.0.0"), ("old", "0.9.0")])
