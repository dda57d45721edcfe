# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps that tests read are laid out as OCT's own: names, bytes, and what it loses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import read_tree
from ansible_collections.quayside.airgap.plugins.module_utils.certification.lookup import ContainerQuestion, Lookup, OperatorQuestion
from ansible_collections.quayside.airgap.tests.benchmark import certified_peer
from ansible_collections.quayside.airgap.tests.sandbox.catalog.server import CatalogOptions, SandboxCatalog
from ansible_collections.quayside.airgap.tests.support.catalog_charts import helm_index, make_charts
from ansible_collections.quayside.airgap.tests.support.catalog_content import CERTIFIED, Maker, Shape, make_images, make_rows
from ansible_collections.quayside.airgap.tests.support.oct_dumps import LAYOUTS, write_oct_dump

SHAPE = Shape(images=40, organizations={CERTIFIED: 130, "redhat-operators": 9}, duplicates=3, digestless=2)
INDEX = helm_index(make_charts(4))


def write(folder: Path, layout: str = "today") -> Path:
    return write_oct_dump(folder, make_images(SHAPE), make_rows(SHAPE), INDEX, layout=layout)


def test_todays_layout(tmp_path: Path) -> None:
    data = write(tmp_path)
    files = sorted(path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file())
    assert files == [
        "archive.json",
        "containers/.keep",
        "containers/containers.db",
        "helm/.keep",
        "helm/helm.db",
        "operators/operator_catalog_page_0_100.db",
        "operators/operator_catalog_page_1_30.db",
    ]
    assert (data / "archive.json").read_text() == '{"containers":40,"operators":130,"charts":0}'
    assert (data / "helm/helm.db").read_bytes() == INDEX
    page = json.loads((data / "operators/operator_catalog_page_1_30.db").read_bytes())
    assert (page["page"], page["page_size"], page["total"], len(page["data"])) == (1, 30, 130, 30)
    containers = json.loads((data / "containers/containers.db").read_bytes())
    assert list(containers) == sorted(containers)
    assert len(containers) == 40 - 2 - 3
    first = next(iter(containers.values()))
    assert list(first) == ["_id", "creation_date", "architecture", "certified", "image_id", "repositories"]


def test_it_is_what_a_sequential_walk_writes(tmp_path: Path) -> None:
    with SandboxCatalog(CatalogOptions(images=150, organizations={CERTIFIED: 130}, charts=3)) as catalog:
        command = [sys.executable, "-I", certified_peer.__file__, catalog.api_url, catalog.index_url, str(tmp_path / "walked")]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        written = write_oct_dump(tmp_path / "written", catalog.images, catalog.rows, catalog.index, keep_files=False)
    walked = tmp_path / "walked" / "data"
    files = sorted(path.relative_to(written) for path in written.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(walked) for path in walked.rglob("*") if path.is_file())
    for path in files:
        if path.name == "containers.db":
            assert json.loads((written / path).read_bytes()) == json.loads((walked / path).read_bytes())
        else:
            assert (written / path).read_bytes() == (walked / path).read_bytes()


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_every_layout_can_be_read(tmp_path: Path, layout: str) -> None:
    data = write(tmp_path, layout)
    how = LAYOUTS[layout]
    page = json.loads((data / f"operators/operator_catalog_page_0_{min(130, how.page_size)}.db").read_bytes())
    assert set(page) == ({"data", "page", "page_size", "total"} if how.envelope else {"data"})
    assert len(page["data"][0]) == (30 if how.whole_rows else 3)
    lookup = Lookup(read_tree(tmp_path))
    row = page["data"][5]
    assert lookup.operator(OperatorQuestion(row["csv_name"], row["ocp_version"])).certified
    containers = json.loads((data / "containers/containers.db").read_bytes())
    assert containers
    assert all(lookup.container(ContainerQuestion(digest=digest)).certified for digest in containers)
    names = {place["repository"] for entry in containers.values() for place in entry["repositories"]}
    assert (names == {""}) == (layout == "2026-04")


def test_bytes_are_escaped_as_go_does(tmp_path: Path) -> None:
    image = Maker("odd").image(1_600_000_000_000, repositories=[{"registry": "r<&>", "repository": "é\u2028", "tags": None}])
    text = (write_oct_dump(tmp_path, [image], [], b"") / "containers/containers.db").read_text()
    assert '{"registry":"r\\u003c\\u0026\\u003e","repository":"é\\u2028","tags":null}' in text
