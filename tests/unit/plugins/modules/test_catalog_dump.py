# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""catalog_dump as a task: options in, results out, never a traceback."""

from __future__ import annotations

import json
import shutil

import pytest

from ansible_collections.quayside.airgap.plugins.modules import catalog_dump
from ansible_collections.quayside.airgap.tests.sandbox.catalog.server import CatalogOptions, Fault, SandboxCatalog
from ansible_collections.quayside.airgap.tests.support.catalog_charts import ChartVersion
from ansible_collections.quayside.airgap.tests.support.catalog_dumps import write_dump
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.certification.kept_dump import stamps


@pytest.fixture(scope="module")
def catalog():
    options = CatalogOptions(
        images=60, organizations={"certified-operators": 40, "redhat-operators": 9}, charts=5, api_key="s3cret-key", digestless=1
    )
    with SandboxCatalog(options) as server:
        yield server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "catalog"


@pytest.fixture
def dump(play, catalog, path):
    """Refreshes, unless told otherwise."""

    def run(**options):
        reach = {
            "api_url": catalog.api_url,
            "helm_index_url": catalog.index_url,
            "api_key": "s3cret-key",
            "destination_validate_certs": None,
        }
        return play(catalog_dump, **{"path": str(path), **reach, **options})

    yield run
    catalog.faults.clear()


def test_a_dump_is_made_and_the_second_time_it_is_not(dump, path):
    first = dump()
    assert first["changed"]
    assert first["counts"] == {"containers": 60, "operators": 40, "charts": 5}
    assert set(first["digests"]) == {"containers", "operators", "charts"}
    assert set(first["how"].values()) == {"written"}
    assert first["walks"]["operators"]["total"] == first["walks"]["operators"]["distinct"] == 40
    assert first["notes"] == ["Containers without a digest in the catalog, which are found by their tags alone: 1."]
    assert len(json.loads((path / ".catalog_dump/changes.json").read_text())["containers"]["added"]) == 60
    assert first["changes_file"] == str(path / ".catalog_dump/changes.json")
    assert first["diff"]["before"]["operators"] == {"count": 0, "removed": []}
    before = stamps(path / "data")
    second = dump()
    assert not second["changed"]
    assert set(second["how"].values()) == {"unchanged (quick look)"}
    assert stamps(path / "data") == before
    assert second["diff"]["before"]["operators"]["count"] == second["diff"]["after"]["operators"]["count"] == 40


def test_every_option_arrives(dump, catalog):
    catalog.reset_log()
    result = dump(
        artifacts=["operators"],
        organizations=["redhat-operators"],
        workers=1,
        page_size=5,
        full_walk_after=0,
        force=True,
        timeout=20,
        bad_kube_version="keep",
        validate_certs=False,
    )
    assert result["counts"] == {"containers": 0, "operators": 9, "charts": 0}
    assert result["how"] == {"containers": "not asked for", "operators": "written", "charts": "not asked for"}
    assert result["walks"]["operators"]["smallest_page"] == 5
    assert catalog.count(path="/index.yaml") == 0
    again = dump(since="2h", artifacts=["containers"])
    # there were none to add new ones to
    assert again["counts"] == {"containers": 60, "operators": 9, "charts": 0}
    assert "all of them were read" in str(again["warnings"])


def test_check_mode_tells_the_same_and_writes_nothing(dump, path):
    foretold = dump(check=True)
    assert foretold["changed"]
    assert not path.exists()
    done = dump()
    for name in ("counts", "digests", "changes", "how", "diff"):
        assert foretold[name] == done[name]
    assert not dump(check=True)["changed"]


def test_a_failure_is_a_sentence_without_the_key(dump, catalog, path):
    dump()
    before = stamps(path / "data")
    catalog.faults.append(Fault("GET", "/images", "status", status=500, times=None))
    result = dump(force=True)
    assert result["failed"]
    assert "HTTP status 500" in result["msg"]
    assert result["msg"].endswith(f"The dump in {path} is as it was.")
    assert "s3cret" not in json.dumps(result)
    assert stamps(path / "data") == before


def test_the_wrong_key(dump, path):
    result = dump(api_key="wr0ng-key")
    assert "Check api_key" in result["msg"]
    assert "wr0ng" not in json.dumps(result)
    assert f"There is no dump in {path} yet." in result["msg"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"since": "yesterday"}, "since"),
        ({"api_url": "ftp://catalog"}, "api_url"),
        ({"helm_index_url": "index.yaml"}, "helm_index_url"),
        ({"workers": 0}, "workers"),
        ({"page_size": 5000}, "page_size"),
        ({"organizations": []}, "organizations"),
        ({"artifacts": []}, "artifacts"),
        ({"artifacts": ["charts"]}, "artifacts"),
        ({"mode": "dump_only"}, "source"),
        ({"mode": "dump_only", "source": " "}, "source"),
        ({"source": "/somewhere"}, "Set mode: dump_only"),
        ({"mode": "verify", "since": "72h"}, "with mode verify nothing is read from the catalog. Set mode: refresh"),
        ({"client_key": "/key"}, "client_cert"),
        ({"proxy": "nonsense://:x"}, "proxy"),
    ],
)
def test_what_means_nothing_is_refused(dump, path, options, said):
    result = dump(**options)
    assert result["failed"]
    assert said in result["msg"]
    assert not (path / "data").exists()


def test_charts_that_certsuite_panics_over_are_a_warning(dump, catalog):
    good = catalog.index
    catalog.set_charts([ChartVersion("good", "1.0.0"), ChartVersion("bad", "2.0.0", "at least 1.20")])
    try:
        result = dump()
    finally:
        catalog.set_index(good)
    assert "bad 2.0.0 ('at least 1.20')" in str(result["warnings"])


# --- mode dump_only


def test_a_dump_is_put_in_place_and_the_second_time_it_is_not(dump, catalog, path, tmp_path):
    source = write_dump(tmp_path / "medium", version=1)
    catalog.reset_log()
    first = dump(mode="dump_only", source=str(source))
    assert first["changed"]
    assert first["counts"] == {"containers": 2, "operators": 600, "charts": 1}
    assert first["source"] == str(source)
    assert len(first["changes"]["operators"]["added_names"]) == 50
    before = stamps(path / "data")
    assert {name: stamp[2] for name, stamp in before.items()} == {name: stamp[2] for name, stamp in stamps(source / "data").items()}
    second = dump(mode="dump_only", source=str(source))
    assert (second["changed"], set(second["how"].values())) == (False, {"unchanged"})
    assert stamps(path / "data") == before
    assert len(catalog.requests) == 0


def test_a_newer_dump_changes_what_differs(dump, path, tmp_path):
    dump(mode="dump_only", source=str(write_dump(tmp_path / "first", version=1)))
    before = stamps(path / "data")
    result = dump(mode="dump_only", source=str(write_dump(tmp_path / "second", version=2)))
    assert result["how"] == {"containers": "written", "operators": "unchanged", "charts": "unchanged"}
    assert {name: result["changes"]["containers"][name] for name in ("added", "removed")} == {"added": 2, "removed": 2}
    touched = {name for name, stamp in stamps(path / "data").items() if before[name] != stamp}
    assert touched == {"archive.json", "containers/containers.db"}


def test_some_of_a_dump(dump, path, tmp_path):
    dump(mode="dump_only", source=str(write_dump(tmp_path / "first", version=1)))
    before = stamps(path / "data")
    second = write_dump(tmp_path / "second", version=2, rows=7)
    result = dump(mode="dump_only", source=str(second), artifacts=["operators"])
    assert result["counts"] == {"containers": 2, "operators": 7, "charts": 1}
    assert stamps(path / "data")["containers/containers.db"] == before["containers/containers.db"]
    assert not dump(mode="verify").get("failed")


def test_a_dump_in_check_mode(dump, path, tmp_path):
    source = write_dump(tmp_path / "medium", version=1)
    foretold = dump(mode="dump_only", source=str(source), check=True)
    assert foretold["changed"]
    assert not path.exists()
    assert dump(mode="dump_only", source=str(source))["changes"] == foretold["changes"]


def test_a_dump_that_does_not_verify_is_not_put_in_place(dump, path, tmp_path):
    dump(mode="dump_only", source=str(write_dump(tmp_path / "first", version=1)))
    before = stamps(path / "data")
    broken = write_dump(tmp_path / "second", version=2)
    (broken / "data/containers/containers.db").write_text("{}")
    result = dump(mode="dump_only", source=str(broken))
    assert result["failed"]
    assert result["msg"].endswith("is as it was.")
    assert stamps(path / "data") == before


def test_after_a_dump_was_brought_the_catalog_is_asked_again(dump, path, tmp_path):
    dump()
    dump(mode="dump_only", source=str(write_dump(tmp_path / "first", version=1)))
    assert set(dump()["how"].values()) == {"written"}


# --- mode verify


def test_a_sound_dump_verifies(dump):
    assert "there is no folder data" in dump(mode="verify")["msg"]
    refreshed = dump()
    result = dump(mode="verify")
    assert not result["changed"]
    assert (result["counts"], result["digests"]) == (refreshed["counts"], refreshed["digests"])
    assert result["faults"] == []
    assert 0 <= result["age"] < 3600


def test_a_dump_that_was_changed_does_not(dump, path):
    dump()
    table = path / "data/containers/containers.db"
    table.write_bytes(table.read_bytes().replace(b"amd64", b"arm64", 1))
    result = dump(mode="verify")
    assert result["failed"]
    assert "the containers are not those that the dump was written with" in result["msg"]
    assert result["age"] is None
    shutil.rmtree(path / "data/operators")
    assert "the folder is missing" in dump(mode="verify")["msg"]


def test_the_age_of_a_dump_that_was_brought_is_not_known(dump, tmp_path):
    dump(mode="dump_only", source=str(write_dump(tmp_path / "first", version=1)))
    assert dump(mode="verify")["age"] is None
