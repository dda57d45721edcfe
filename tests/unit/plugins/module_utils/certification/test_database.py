# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A catalog on disk: what is written is what is read, old dumps are read, and what would trip certsuite is found."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import (
    CRASH,
    ERROR,
    NOTHING,
    SKIPPED,
    WRONG,
    DumpFault,
    read_parts,
    read_tree,
    verify_tree,
    write_tree,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import Container, OperatorRow, Repository, Tables
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError

ONE = f"sha256:{'1' * 64}"
TWO = f"sha256:{'2' * 64}"
LIST = f"sha256:{'a' * 64}"
CHARTS = b"entries:\n  a:\n  - {name: a, version: 1.10, kubeVersion: '>=1.20.0-0'}\ngenerated: now\n"
APP = Container("i", "2022-01-01", "amd64", ONE, (Repository("registry.connect.redhat.com", "acme/app", ("1", "2")),), (LIST,))
OLD = Container("j", "2020-01-01", "amd64", "", (Repository("registry.connect.redhat.com", "acme/old", ("1",)),), ())
ROWS = [OperatorRow("op.v1.0.0", "4.18", "stable"), OperatorRow("op.v1.0.0", "4.19", "stable")]
TABLES = Tables.of([APP, OLD], ROWS, CHARTS)


@pytest.fixture
def data(tmp_path):
    write_tree(tmp_path / "data", TABLES)
    return tmp_path / "data"


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def put(data, name, content):
    (data / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def faults(data):
    return [(fault.file, fault.what, fault.effect) for fault in verify_tree(data).faults]


def test_what_is_written(data):
    written = files(data)

    assert list(written) == ["archive.json", "containers/containers.db", "helm/helm.db", "operators/operator_catalog_page_0_2.db"]
    assert written["helm/helm.db"] == CHARTS
    archive = json.loads(written["archive.json"])
    assert list(archive) == ["containers", "operators", "charts", "digests", "newest", "generator"]
    assert (archive["containers"], archive["operators"], archive["charts"], archive["newest"]) == (2, 2, 1, "2022-01-01")
    assert written["archive.json"] == json.dumps(archive, separators=(",", ":")).encode()


def test_everyone_may_read_it_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        write_tree(tmp_path / "data", TABLES)
    finally:
        os.umask(before)

    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").rglob("*") if path.is_file()}
    folders = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data", *(tmp_path / "data").iterdir()) if path.is_dir()}
    assert (modes, folders) == ({0o644}, {0o755})


def test_what_is_there_already_is_not_written_over(data):
    before = files(data)

    with pytest.raises(FileError, match="there is something in it already"):
        write_tree(data, Tables())
    with pytest.raises(FileError, match="Could not write a dump to"):
        write_tree(data / "archive.json", Tables())
    assert files(data) == before


def test_what_is_written_is_what_is_read(data):
    for folder in (data, data.parent):
        database = read_tree(folder)

        assert database.tables == TABLES
        assert database.counts == {"containers": 2, "operators": 2, "charts": 1}
        assert database.archive.newest == "2022-01-01"
        assert database.faults == ()


def test_a_dump_verifies(data):
    verdict = verify_tree(data)

    assert (verdict.faults, verdict.serious, verdict.newest) == ((), [], "2022-01-01")
    assert verdict.counts == {"containers": 2, "operators": 2, "charts": 1}
    assert verdict.digests == json.loads((data / "archive.json").read_text())["digests"]


def test_a_dump_of_nothing_verifies(tmp_path):
    write_tree(tmp_path / "data", Tables())

    assert verify_tree(tmp_path).faults == ()
    assert verify_tree(tmp_path).counts == {"containers": 0, "operators": 0, "charts": 0}
    assert (tmp_path / "data/operators").is_dir()
    assert (tmp_path / "data/containers/containers.db").read_bytes() == b"{}"


def test_a_key_with_half_a_pair_of_surrogates_is_read_as_go_reads_it(data):
    put(data, "containers/containers.db", b'{"\\ud800":{"_id":"i","image_id":"\\ud800","repositories":[]},"b\\udc00":null}')

    assert sorted(read_tree(data).containers) == ["b\ufffd", "\ufffd"]
    assert verify_tree(data).counts["containers"] == 2


def test_a_dump_of_2022_is_read(tmp_path):
    # whole records in pages of 500, containers by docker_image_digest, nulls, the files of a git repository
    for folder in ("containers", "helm", "operators"):
        (tmp_path / folder).mkdir()
        put(tmp_path, f"{folder}/.keep", b"")
    entry = {"_id": "i", "creation_date": "2022", "architecture": "amd64", "certified": True, "docker_image_digest": ONE}
    places = [{"registry": "r", "repository": "p", "tags": None}, {"registry": "r", "repository": "q", "tags": [{"name": "1"}]}]
    put(tmp_path, "containers/containers.db", {ONE: {**entry, "repositories": places}, TWO: {**entry, "repositories": None}})
    put(tmp_path, "helm/helm.db", CHARTS)
    row = {"csv_name": "op.v1", "ocp_version": "4.9", "channel_name": "a", "_id": "x", "replaces": None, "alm_examples": [{}]}
    for page in (0, 10, 2):
        body = {"data": [{**row, "channel_name": str(page)}, {**row, "channel_name": "twice"}]}
        put(
            tmp_path,
            f"operators/operator_catalog_page_{page}_500.db",
            {**body, "page": page, "page_size": 500, "total": 6} if page else body,
        )
    put(tmp_path, "archive.json", b'{"containers":23198,"operators":6,"charts":0}')

    database = read_tree(tmp_path)

    assert database.containers == {
        ONE: Container("i", "2022", "amd64", ONE, (Repository("r", "p", ()), Repository("r", "q", ("1",))), ()),
        TWO: Container("i", "2022", "amd64", TWO, (), ()),
    }
    assert [row.channel_name for row in database.operators] == ["0", "10", "2", "twice"]
    assert faults(tmp_path) == [
        ("operators", "2 rows are there twice, so that as many others may be missing", WRONG),
        ("archive.json", "it says 23198 containers, and there are 2", NOTHING),
    ]
    assert verify_tree(tmp_path).serious == []


def test_what_the_digest_of_a_list_leads_to_survives(tmp_path):
    bare = Container("k", "2020", "amd64", "", (Repository("r", "p", ("t",)),), (f"sha256:{'b' * 64}",))
    tables = Tables.of([APP, bare], [], b"")
    write_tree(tmp_path / "data", tables)

    assert read_tree(tmp_path).aliases == tables.aliases == {LIST: ONE, f"sha256:{'b' * 64}": "no-digest:k"}
    assert faults(tmp_path) == []


def test_an_alias_of_nothing_is_still_found(data):
    put(data, "containers/containers.db", {LIST: {"_id": "i", "image_id": ONE, "repositories": []}})

    assert read_tree(data).containers == {LIST: Container("i", "", "", LIST, (), ())}


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("containers/containers.db", None, "it is missing"),
        ("containers/containers.db", b"", "it is empty"),
        ("containers/containers.db", b"[]", "it is no mapping"),
        ("containers/containers.db", b"{", "it is no JSON: Expecting property name enclosed in double quotes in line 1"),
        ("containers/containers.db", b'{"a": NaN}', "it is no JSON: NaN is no number"),
        ("containers/containers.db", {"a": {"_id": 1}}, "the entry 'a' cannot be read: its _id is no text"),
        ("containers/containers.db", {"a": []}, "the entry 'a' cannot be read: it is no mapping"),
        ("containers/containers.db", {"a": {"certified": "yes"}}, "the entry 'a' cannot be read: its certified is neither true nor false"),
        ("helm/helm.db", None, "it is missing"),
        ("helm/helm.db", b"<html>", "it is no mapping"),
        ("operators", None, "the folder is missing"),
    ],
)
def test_what_certsuite_ends_with_an_error_at(data, name, content, what):
    if content is not None:
        put(data, name, content)
    elif name == "operators":
        (data / name).rename(data.parent / "elsewhere")
    else:
        (data / name).unlink()

    assert [fault for fault in faults(data) if fault[2] == ERROR] == [(name, what, ERROR)]
    assert verify_tree(data).serious
    if name != "helm/helm.db" or content is None:
        with pytest.raises(FileError, match=r"Could not read .*data/"):
            read_tree(data)
        assert read_parts(data).faults
    else:
        with pytest.raises(FileError, match=what):
            assert read_tree(data).index


@pytest.mark.parametrize("content", [b"null", b"{}"])
def test_no_containers_are_fine(data, content):
    put(data, "containers/containers.db", content)
    (data / "archive.json").unlink()

    assert read_tree(data).containers == {}
    assert faults(data) == [("archive.json", "it is missing", NOTHING)]


@pytest.mark.parametrize(
    ("name", "content", "what", "effect"),
    [
        ("containers/containers.db", {ONE: None}, f"the entry '{ONE}' is null", CRASH),
        ("helm/helm.db", CHARTS.replace(b"generated", b"g"), "it has no 'generated' at its end: it was cut off", WRONG),
        ("helm/helm.db", b"status: 500\n", "it has no charts", WRONG),
        ("operators/x.db", b"", "it is empty", SKIPPED),
        ("operators/x.db", b"<html>", "it is no JSON: Expecting value in line 1", SKIPPED),
        ("operators/x.db", [], "it is no mapping", SKIPPED),
        ("operators/x.db", {"data": [], "page": -1}, "its page is no count", SKIPPED),
        ("operators/x.db", {"data": {}}, "its data is no list", SKIPPED),
        ("operators/x.db", {"data": ["x"]}, "row 0 cannot be read: it is no mapping", SKIPPED),
        ("operators/x.db", {"data": [{"csv_name": 1}]}, "row 0 cannot be read: its csv_name is no text", SKIPPED),
        ("operators/x.db", {"total": 1}, "it has no data", WRONG),
        ("operators/x.db", b"null", "it has no data", WRONG),
        (
            "operators/x.db",
            {"data": [{"csv_name": "a.v1", "channel_name": None}]},
            "row 0 has no ocp_version and no channel_name, and takes over that of another file",
            WRONG,
        ),
    ],
)
def test_what_certsuite_stumbles_over(data, name, content, what, effect):
    put(data, name, content)

    assert DumpFault(name, what, effect, True) in verify_tree(data).serious


def test_a_row_that_lacks_something_is_read_as_it_says(data):
    put(data, "operators/x.db", {"data": [{"csv_name": "a.v1"}]})

    assert OperatorRow("a.v1", "", "") in read_tree(data).operators


def test_many_faults_do_not_hide_a_grave_one(data):
    put(data, "operators/x.db", {"data": [{"csv_name": f"a.v{number}"} for number in range(2_000)]})
    (data / "helm/helm.db").unlink()

    found = verify_tree(data).faults

    assert 1_000 <= len(found) < 1_100
    assert DumpFault("helm/helm.db", "it is missing", ERROR, True) in found


def test_a_constraint_that_cannot_be_read_is_told_but_not_forbidden(tmp_path):
    write_tree(tmp_path / "data", Tables(charts=CHARTS.replace(b">=1.20.0-0", b"latest")))

    verdict = verify_tree(tmp_path)

    assert [(fault.effect, fault.serious) for fault in verdict.faults] == [(CRASH, False)]
    assert "the kubeVersion of a 1.10 cannot be read" in verdict.faults[0].what


@pytest.mark.parametrize(
    ("name", "old", "new", "kind"),
    [
        ("containers/containers.db", b"acme/app", b"evil/app", "containers"),
        ("helm/helm.db", b"1.10", b"1.11", "charts"),
        ("operators/operator_catalog_page_0_2.db", b"4.19", b"4.20", "operators"),
    ],
)
def test_a_dump_that_was_changed_by_hand(data, name, old, new, kind):
    put(data, name, (data / name).read_bytes().replace(old, new))

    assert verify_tree(data).serious == [
        DumpFault("archive.json", f"the {kind} are not those that the dump was written with", NOTHING, True)
    ]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"containers": "x"}', b'{"digests": []}', b'{"newest": 1}'])
def test_what_a_dump_says_of_itself_may_be_nonsense(data, content):
    put(data, "archive.json", content)

    assert read_tree(data).archive is None
    assert {(fault.file, fault.serious) for fault in verify_tree(data).faults} == {("archive.json", False)}


def test_the_archive_of_oct_says_nothing_of_charts(data):
    put(data, "archive.json", b'{"containers":2,"operators":2,"charts":0}')

    assert faults(data) == []


def test_nothing_is_read_from_outside_of_the_dump(data, tmp_path):
    put(tmp_path, "secret", b'{"data": []}')
    (data / "operators/x.db").symlink_to(tmp_path / "secret")
    (data / "operators/y.db").symlink_to("y.db")
    (data / "operators/z.db").symlink_to("operator_catalog_page_0_2.db")
    (data / "operators/folder").mkdir()
    os.mkfifo(data / "operators/pipe")

    found = {fault.file: fault.what for fault in verify_tree(data).faults if fault.effect == SKIPPED}

    assert found.pop("operators/y.db").startswith("it cannot be read: ")
    assert found == {
        "operators/x.db": "it is a symbolic link that leads out of the dump",
        "operators/folder": "it is no file",
        "operators/pipe": "it is no file",
    }


def test_what_does_not_belong_into_a_dump_is_told(data):
    put(data, "containers/containers.db.bak", b"")
    put(data, "notes.txt", b"")

    assert [(fault.file, fault.serious) for fault in verify_tree(data).faults] == [
        ("notes.txt", False),
        ("containers/containers.db.bak", False),
    ]


names = st.sampled_from(["a", "b/c", "é<&>", '"\\', "\u2028"])
repositories = st.lists(st.builds(Repository, names, names, st.sets(names).map(lambda tags: tuple(sorted(tags)))), max_size=3)
digests = st.sampled_from([ONE, TWO, LIST])
records = st.builds(
    lambda identifier, date, digest, places, lists: {
        "_id": identifier,
        "creation_date": date,
        "image_id": digest,
        "repositories": [
            {
                "registry": place.registry,
                "repository": place.repository,
                "tags": [{"name": tag} for tag in place.tags],
                "manifest_list_digest": name,
            }
            for place, name in zip(places, lists)
        ],
    },
    st.sampled_from(["i", "j", "k"]),
    st.sampled_from(["2020", "2021"]),
    st.one_of(st.none(), digests),
    repositories,
    st.lists(st.one_of(st.none(), digests), min_size=3, max_size=3),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(records, max_size=6), st.lists(st.builds(OperatorRow, names, names, names), max_size=6))
def test_whatever_is_written_is_read_and_verifies(found, rows):
    tables = Tables.of([Container.from_record(record) for record in found], rows, CHARTS)
    with tempfile.TemporaryDirectory() as folder:
        write_tree(Path(folder) / "data", tables)
        database = read_tree(Path(folder))
        verdict = verify_tree(Path(folder))

    assert verdict.faults == ()
    assert database.aliases == tables.aliases
    assert database.operators == tables.operators
    assert {key: container._replace(list_digests=()) for key, container in database.containers.items()} == {
        key: container._replace(list_digests=()) for key, container in tables.containers.items()
    }
    # what is merged into it is the same as if all had been found at once
    assert Tables.of(database.containers.values(), database.operators, database.charts).containers_bytes == tables.containers_bytes
