# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A refresh: what the catalog has is in the dump, and what has not changed is not touched."""

from __future__ import annotations

import datetime
import json
import os
import shutil

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.certification.refresh import since_when
from ansible_collections.quayside.airgap.plugins.module_utils.certification.report import BY_CONTENT, BY_LOOK, NOT_ASKED, WRITTEN
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError, ProtocolError
from ansible_collections.quayside.airgap.tests.sandbox.catalog.server import CatalogOptions, SandboxCatalog
from ansible_collections.quayside.airgap.tests.sandbox.catalog.truth import containers_range, operators_range
from ansible_collections.quayside.airgap.tests.support.catalog_charts import ChartVersion, helm_index, make_charts
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.certification.kept_dump import KeptDump, stamps

ALL_LOOKS = {"containers": BY_LOOK, "operators": BY_LOOK, "charts": BY_LOOK}
ALL_SAME = {"containers": BY_CONTENT, "operators": BY_CONTENT, "charts": BY_CONTENT}
ALL_WRITTEN = {"containers": WRITTEN, "operators": WRITTEN, "charts": WRITTEN}


@pytest.fixture
def catalog():
    options = CatalogOptions(
        images=250, organizations={"certified-operators": 560, "redhat-operators": 20}, charts=20, duplicates=3, digestless=2, tie_groups=1
    )
    with SandboxCatalog(options) as server:
        yield server


@pytest.fixture
def dump(catalog, tmp_path):
    return KeptDump(tmp_path / "catalog", catalog)


def test_the_first_run_brings_all_that_the_catalog_has(dump, catalog):
    result = dump.refresh()
    assert result.changed
    assert result.how == ALL_WRITTEN
    assert dump.holds()
    assert result.counts == {"containers": 247, "operators": 560, "charts": 20}
    assert [len(result.changes[kind].added) for kind in result.counts] == [247, 560, 20]
    assert sorted(path.name for path in (dump.data / "operators").iterdir()) == [
        "operator_catalog_page_0_500.db",
        "operator_catalog_page_1_60.db",
    ]
    assert {walk: (costs.total, costs.distinct) for walk, costs in result.walks.items()} == {
        "containers": (250, 250),
        "operators": (560, 560),
    }
    told = json.loads((dump.path / ".catalog_dump/changes.json").read_text())
    assert len(told["operators"]["added"]) == 560
    assert len(result.as_results()["changes"]["operators"]["added_names"]) == 50
    assert [note.rpartition(" ")[2] for note in result.notes] == ["3.", "2."]


def test_a_catalog_that_was_not_updated_costs_three_questions_and_touches_nothing(dump, catalog):
    dump.refresh()
    before, state = dump.stamps, stamps(dump.path / ".catalog_dump")
    catalog.reset_log()
    result = dump.refresh()
    assert (result.changed, result.how) == (False, ALL_LOOKS)
    assert len(catalog.requests) == 3
    assert dump.stamps == before
    del state["lock"]
    assert state.items() <= stamps(dump.path / ".catalog_dump").items()
    assert result.counts == {"containers": 247, "operators": 560, "charts": 20}
    assert result.notes != ()


def test_a_catalog_that_cannot_be_looked_at_is_read_again_and_nothing_is_touched(tmp_path):
    with SandboxCatalog(CatalogOptions(images=50, charts=5, updates_sorted=False, conditions=False)) as catalog:
        dump = KeptDump(tmp_path / "catalog", catalog)
        dump.refresh()
        before = dump.stamps
        result = dump.refresh()
        assert (result.changed, result.how) == (False, ALL_SAME)
        assert result.walks["containers"].distinct == 50
        assert dump.stamps == before


def test_after_a_day_everything_is_read_again(dump, catalog):
    dump.refresh()
    state = dump.path / ".catalog_dump/state.json"
    known = json.loads(state.read_text())
    for kind in known["kinds"].values():
        kind["walked"] = "2020-01-01T00:00:00Z"
    state.write_text(json.dumps(known))
    assert dump.refresh().how == ALL_SAME
    assert dump.refresh().how == ALL_LOOKS
    assert dump.refresh(full_walk_after=0).how == ALL_SAME


def test_a_record_for_another_one_is_a_change_although_the_counts_are_equal(dump, catalog):
    dump.refresh()
    before = dump.stamps
    gone, came = catalog.edit(lambda edit: (edit.remove_image(), edit.add_image()))
    result = dump.refresh()
    assert result.how == {"containers": WRITTEN, "operators": BY_LOOK, "charts": BY_LOOK}
    assert dump.holds()
    change = result.changes["containers"]
    assert [(len(change.added), len(change.removed))] == [(1, 1)]
    assert came["image_id"] in change.added[0]
    assert (gone["image_id"] or gone["_id"]) in change.removed[0]
    after = dump.stamps
    touched = {name for name in before if before[name] != after[name]}
    assert touched == {"archive.json", "containers/containers.db"}


@pytest.mark.parametrize("kind", ["containers", "operators"])
def test_what_is_withdrawn_is_not_in_the_dump_any_more(dump, catalog, kind):
    dump.refresh()
    catalog.edit(lambda edit: edit.remove_row() if kind == "operators" else edit.withdraw_image())
    result = dump.refresh()
    assert [(len(change.added), len(change.removed)) for change in result.changes.values()].count((0, 1)) == 1
    assert len(result.changes[kind].removed) == 1
    assert dump.holds()


def test_a_container_with_another_tag_is_a_changed_one(dump, catalog):
    dump.refresh()
    record = next(record for record in catalog.images if record["certified"] and record.get("isv_pid") and record.get("image_id"))
    repositories = [{**record["repositories"][0], "tags": [{"name": "brand-new"}]}]
    catalog.edit(lambda edit: edit.change_image(record["_id"], repositories=repositories))
    result = dump.refresh()
    assert [name for name in result.changes["containers"].changed if record["image_id"] in name]
    assert result.changes["containers"].added == []
    assert dump.holds()


def test_an_index_that_was_only_made_again_changes_nothing(dump, catalog):
    charts = make_charts(20)
    catalog.set_index(helm_index(charts, generated="2026-11-20T00:00:00Z"))
    dump.refresh()
    before = dump.stamps
    catalog.set_index(helm_index(charts, generated="2026-11-21T00:00:00Z"))
    result = dump.refresh()
    assert (result.changed, result.how["charts"]) == (False, BY_CONTENT)
    assert dump.stamps == before
    # and the answer to the next question is remembered all the same
    assert dump.refresh().how == ALL_LOOKS


def test_a_chart_more_is_written_and_the_rest_keeps_its_time_stamps(dump, catalog):
    dump.refresh()
    before = dump.stamps
    catalog.set_charts([*make_charts(20), ChartVersion("brand-new", "1.10")])
    result = dump.refresh()
    assert result.changes["charts"].added == ["brand-new 1.10"]
    assert {name for name, stamp in dump.stamps.items() if before[name] != stamp} == {"archive.json", "helm/helm.db"}
    assert dump.holds()


@pytest.mark.parametrize("how", ["strip", "drop", "keep"])
def test_charts_that_certsuite_panics_over_are_told_in_every_run(dump, catalog, how):
    catalog.set_charts([ChartVersion("good", "1.0.0", ">=1.20"), ChartVersion("bad", "2.0.0", "at least 1.20")])
    result = dump.refresh(bad_kube_version=how)
    again = dump.refresh(bad_kube_version=how)
    for told in (result, again):
        assert "bad 2.0.0 ('at least 1.20')" in told.warnings[0]
    assert [(chart.name, chart.kube_version) for chart in dump.read().index.charts if chart.name == "bad"] == {
        "strip": [("bad", "")],
        "drop": [],
        "keep": [("bad", "at least 1.20")],
    }[how]


# --- a catalog that changes meanwhile


def test_what_changes_behind_a_look_is_found_by_the_next_run(dump, catalog):
    catalog.after(2, lambda edit: (edit.add_old_image(), edit.remove_image(), edit.add_old_row()))
    dump.refresh()
    assert catalog.pending == 0
    again = dump.refresh()
    assert again.how["containers"] != BY_LOOK
    assert again.how["operators"] != BY_LOOK
    assert dump.holds()
    assert dump.refresh().how == ALL_LOOKS


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_catalog_that_never_rests(tmp_path, seed):
    """Nothing that was there all the time is missing, nothing is there that never was, and once it rests all is as it should be."""
    with SandboxCatalog(CatalogOptions(images=300, organizations={"certified-operators": 250}, charts=5, seed=seed, churn=0.5)) as catalog:
        dump = KeptDump(tmp_path / "catalog", catalog)
        dump.refresh()
        assert len(catalog.moments) > 1
        assert containers_range(catalog.moments).faults(dump.read().containers) == []
        assert operators_range(catalog.moments).faults(dump.read().operators) == []
        while len(catalog.moments) <= 20:
            dump.refresh()
        dump.refresh()
        assert dump.holds()


# --- options


def test_other_options_are_another_question(dump, catalog):
    dump.refresh()
    more = dump.refresh(organizations=("redhat-operators", "certified-operators"))
    assert more.how == {"containers": BY_LOOK, "operators": WRITTEN, "charts": BY_LOOK}
    assert len(more.changes["operators"].added) == 20
    assert dump.holds(organizations=("certified-operators", "redhat-operators"))
    assert dump.refresh(organizations=("certified-operators", "redhat-operators")).how == ALL_LOOKS
    assert dump.refresh(organizations=("certified-operators", "redhat-operators"), bad_kube_version="keep").how["charts"] == BY_CONTENT


def test_what_is_not_asked_for_stays_what_it_is(dump, catalog):
    dump.refresh()
    before = dump.stamps
    catalog.edit(lambda edit: (edit.remove_image(), edit.remove_row()))
    result = dump.refresh(artifacts=("operators",))
    assert result.as_results()["how"] == {"containers": NOT_ASKED, "operators": WRITTEN, "charts": NOT_ASKED}
    assert dump.stamps["containers/containers.db"] == before["containers/containers.db"]
    assert result.counts == {"containers": 247, "operators": 559, "charts": 20}
    # the others are asked for the next time
    assert dump.refresh().how == {"containers": WRITTEN, "operators": BY_LOOK, "charts": BY_LOOK}
    assert dump.holds()


def test_what_is_not_asked_for_is_empty_where_there_is_no_dump(dump, catalog):
    result = dump.refresh(artifacts=("helm",))
    assert result.counts == {"containers": 0, "operators": 0, "charts": 20}
    assert (dump.data / "containers/containers.db").read_text() == "{}"
    assert list((dump.data / "operators").iterdir()) == []
    assert catalog.count(path="/images") == 0
    assert dump.read().counts == result.counts


def test_what_stays_must_be_readable(dump, catalog):
    dump.refresh()
    (dump.data / "containers/containers.db").write_text("{")
    with pytest.raises(FileError, match=r"keep the old containers of .*Add containers to artifacts"):
        dump.refresh(artifacts=("helm",))
    assert dump.refresh().how["containers"] == WRITTEN
    assert dump.holds()


def test_force_reads_and_writes_all(dump, catalog):
    dump.refresh()
    before = dump.stamps
    result = dump.refresh(force=True)
    assert (result.changed, result.how) == (True, ALL_WRITTEN)
    after = dump.stamps
    assert {name: content for name, (_inode, _time, content) in after.items()} == {name: stamp[2] for name, stamp in before.items()}
    assert all(after[name][:2] != before[name][:2] for name in before)
    assert all(change.added == change.removed == change.changed == [] for change in result.changes.values())


def test_since_adds_what_is_new_and_says_what_it_cannot_see(dump, catalog):
    dump.refresh()
    newest = max(image["creation_date"] for image in catalog.images if image["creation_date"])
    gone, came = catalog.edit(lambda edit: (edit.remove_image(), edit.add_image()))
    result = dump.refresh(since=newest)
    assert "take a run without since" in result.warnings[0]
    assert result.walks["containers"].distinct <= 2
    found = dump.read().containers
    assert came["image_id"] in found
    assert (gone["image_id"] or f"no-digest:{gone['_id']}") in found
    # what was removed is found by the next run without since, whatever a quick look says
    assert dump.refresh().how["containers"] == WRITTEN
    assert dump.holds()


def test_since_without_a_dump_reads_all_and_says_so(dump, catalog):
    result = dump.refresh(since="24h")
    assert "all of them were read" in result.warnings[0]
    assert dump.holds()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", ""),
        ("72h", "2026-11-18T12:00:00.000+00:00"),
        ("1h30m", "2026-11-21T10:30:00.000+00:00"),
        ("3d", "2026-11-18T12:00:00.000+00:00"),
        ("1.5d", "2026-11-20T00:00:00.000+00:00"),
        ("90s", "2026-11-21T11:58:30.000+00:00"),
        ("2026-11-01", "2026-11-01T00:00:00.000+00:00"),
        ("2026-11-01T02:00:00Z", "2026-11-01T02:00:00.000+00:00"),
        (" 2026-11-01T02:00:00+02:00 ", "2026-11-01T00:00:00.000+00:00"),
    ],
)
def test_since_is_a_duration_a_day_or_a_moment(text, meant):
    assert since_when(text, datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.timezone.utc)) == meant


@pytest.mark.parametrize("text", ["yesterday", "h", "3 weeks", "2026-13-01", "99999999999d", "2999-01-01", "-3h"])
def test_since_that_means_nothing_is_refused(dump, text):
    with pytest.raises(InputError, match="since"):
        dump.refresh(since=text)
    assert not dump.path.exists()


@pytest.mark.parametrize(
    "options",
    [
        {"artifacts": ()},
        {"artifacts": ("charts",)},
        {"organizations": ()},
        {"organizations": ("a;b",)},
        {"helm_index_url": "x"},
        {"full_walk_after": -1},
    ],
)
def test_options_that_mean_nothing_are_refused(dump, options):
    with pytest.raises(InputError):
        dump.refresh(**options)
    assert not dump.data.exists()


# --- check mode


def test_a_dry_run_tells_the_same_and_writes_nothing(dump, catalog):
    foretold = dump.refresh(dry_run=True)
    assert not dump.path.exists()
    done = dump.refresh()
    assert foretold.as_results()["changes"] == done.as_results()["changes"]
    assert (foretold.counts, foretold.digests, foretold.how) == (done.counts, done.digests, done.how)
    catalog.edit(lambda edit: edit.add_row())
    before = stamps(dump.path)
    foretold = dump.refresh(dry_run=True)
    assert foretold.changed
    assert foretold.changes_file is None
    assert stamps(dump.path) == before
    assert dump.refresh().changes == foretold.changes
    assert not dump.refresh(dry_run=True).changed


# --- what others did to the dump


def _edit(path):
    content = path.read_bytes()
    stamp = path.stat()
    path.write_bytes(content.replace(b"amd64", b"arm64", 1))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))


DAMAGES = {
    "a byte, with the time stamp put back": lambda data: _edit(data / "containers/containers.db"),
    "an empty table": lambda data: (data / "containers/containers.db").write_bytes(b""),
    "no operators": lambda data: [path.unlink() for path in (data / "operators").iterdir()],
    "no folder of operators": lambda data: shutil.rmtree(data / "operators"),
    "an old page": lambda data: (data / "operators/operator_catalog_page_7_1.db").write_text('{"data":[]}'),
    "no archive": lambda data: (data / "archive.json").unlink(),
    "another archive": lambda data: (data / "archive.json").write_text('{"containers":1,"operators":1,"charts":0}'),
    "half an index": lambda data: (data / "helm/helm.db").write_bytes((data / "helm/helm.db").read_bytes()[:900]),
    "no index": lambda data: (data / "helm/helm.db").unlink(),
    "nothing at all": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_dump_that_was_damaged_is_written_anew(dump, damage):
    dump.refresh()
    before = {name: stamp[2] for name, stamp in dump.stamps.items()}
    DAMAGES[damage](dump.data)
    assert dump.refresh().changed
    assert {name: stamp[2] for name, stamp in dump.stamps.items()} == before
    assert not dump.refresh().changed


def test_a_state_that_was_damaged_only_costs_a_walk(dump):
    dump.refresh()
    for content in ("", "[]", '{"format": 1}', '{"format": 1, "files": [], "kinds": {"containers": 1}, "source": ""}'):
        (dump.path / ".catalog_dump/state.json").write_text(content)
        assert dump.refresh().how == ALL_SAME


def test_a_dump_of_oct_becomes_one_of_ours(dump, catalog):
    dump.refresh()
    rows = [{"channel_name": row.channel_name, "csv_name": row.csv_name, "ocp_version": row.ocp_version} for row in dump.read().operators]
    for page in (dump.data / "operators").iterdir():
        page.unlink()
    (dump.data / "operators/.keep").touch()
    for page, start in enumerate(range(0, 560, 100)):
        body = {"data": rows[start : start + 100], "page": page, "page_size": 100, "total": 560}
        (dump.data / f"operators/operator_catalog_page_{page}_100.db").write_text(json.dumps(body))
    (dump.data / "archive.json").write_text('{"containers":247,"operators":560,"charts":0}')
    shutil.rmtree(dump.path / ".catalog_dump")
    result = dump.refresh()
    assert result.how == {"containers": BY_CONTENT, "operators": WRITTEN, "charts": BY_CONTENT}
    assert result.changes["operators"].added == result.changes["operators"].removed == []
    assert dump.holds()
    assert not (dump.data / "operators/.keep").exists()


def test_a_catalog_that_is_empty_of_a_sudden_needs_force(dump, catalog):
    dump.refresh()
    before = dump.stamps
    rows = [row["_id"] for row in catalog.rows if row["organization"] == "certified-operators"]
    catalog.edit(lambda edit: [edit.remove_row(identifier) for identifier in rows])
    with pytest.raises(ProtocolError, match=r"there are none, and the dump has 560.*force.*The dump in .* is as it was"):
        dump.refresh()
    assert dump.stamps == before
    result = dump.refresh(force=True)
    assert result.counts["operators"] == 0
    assert result.warnings == ("The catalog has no operators of certified-operators.",)


def test_progress_is_told(dump, tmp_path):
    file = tmp_path / "progress.json"
    dump.refresh(progress_file=str(file))
    assert json.loads(file.read_text())["phase"] == "Writing the dump"
    dump.refresh(progress_file=str(file), full_walk_after=0)
    told = json.loads(file.read_text())
    assert (told["phase"], told["items_total"]) == ("Reading the catalog", 810)
    assert told["items_done"] >= 810
