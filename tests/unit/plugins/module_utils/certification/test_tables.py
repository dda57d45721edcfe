# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a catalog holds, and the bytes of it: the same for the same content, in whatever order it was found."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import (
    ROWS_PER_FILE,
    Container,
    OperatorRow,
    Repository,
    Tables,
    content_digests,
    merge_containers,
    operator_pages,
)

ONE = f"sha256:{'1' * 64}"
TWO = f"sha256:{'2' * 64}"
LIST = f"sha256:{'a' * 64}"

names = st.sampled_from(["a", "b", "é", "<&>", '"\\', "\u2028", "\U0001f600", "\x00"])
digests = st.sampled_from(["", ONE, TWO, LIST])
repositories = st.builds(
    lambda registry, repository, tags: Repository(registry, repository, tuple(sorted(tags))), names, names, st.sets(names)
)
containers = st.builds(
    Container,
    st.sampled_from(["i", "j", "k"]),
    st.sampled_from(["2020", "2021", "2022"]),
    st.just("amd64"),
    digests,
    st.lists(repositories, max_size=3).map(tuple),
    st.sets(st.sampled_from([LIST, TWO, f"sha256:{'b' * 64}"])).map(lambda found: tuple(sorted(found))),
)
rows = st.builds(OperatorRow, names, names, names)


def places(found):
    """Everything that the containers can be pulled as."""
    return {(container.key, *place[:2], tag) for container in found for place in container.repositories for tag in ("", *place.tags)}


def record(**changes):
    return {
        "_id": "57ea8d0d9c624c035f96f45e",
        "creation_date": "2020-10-20T18:17:55.675000+00:00",
        "architecture": "amd64",
        "image_id": ONE,
        "repositories": [{"registry": "registry.connect.redhat.com", "repository": "acme/app", "tags": [{"name": "v2"}, {"name": "v1"}]}],
        **changes,
    }


def test_a_record_of_the_catalog():
    assert Container.from_record(record()) == Container(
        "57ea8d0d9c624c035f96f45e",
        "2020-10-20T18:17:55.675000+00:00",
        "amd64",
        ONE,
        (Repository("registry.connect.redhat.com", "acme/app", ("v1", "v2")),),
        (),
    )


def test_what_is_null_or_left_out_is_empty():
    known = {"image_id": None, "repositories": [None, {"registry": None, "tags": None}, {"tags": [None, {}, {"name": "t"}]}]}

    assert Container.from_record({"_id": "i", **known}) == Container("i", "", "", "", (Repository("", "", ("t",)),), ())
    assert Container.from_record({"_id": "i", "repositories": None}).repositories == ()


def test_a_repository_that_is_there_twice_is_one():
    twice = [{"registry": "r", "repository": "p", "tags": [{"name": name}]} for name in ("b", "a", "b")]

    assert Container.from_record(record(repositories=twice)).repositories == (Repository("r", "p", ("a", "b")),)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"_id": 5}, "its _id is no text"),
        ({"image_id": ["x"]}, "its image_id is no text"),
        ({"repositories": {}}, "its repositories are no list"),
        ({"repositories": ["x"]}, "one of its repositories is no mapping"),
        ({"repositories": [{"tags": "x"}]}, "its tags are no list"),
        ({"repositories": [{"tags": ["x"]}]}, "one of its tags is no mapping"),
        ({"repositories": [{"tags": [{"name": 1}]}]}, "its name is no text"),
        ({"repositories": [{"manifest_list_digest": 1}]}, "its manifest_list_digest is no text"),
        ({"_id": None, "image_id": ""}, "it has neither an image_id nor an _id"),
    ],
)
def test_a_record_of_the_wrong_shape_is_refused(changes, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        Container.from_record(record(**changes))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, "it is no mapping"),
        ({"csv_name": "a.v1", "ocp_version": "4.18"}, "its channel_name is no text"),
        ({"csv_name": "a.v1", "ocp_version": None, "channel_name": "c"}, "its ocp_version is no text"),
    ],
)
def test_a_row_must_have_all_three(found, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        OperatorRow.from_record(found)


def test_half_a_pair_of_surrogates_is_read_as_go_reads_it():
    assert OperatorRow.from_record({"csv_name": "a\ud800", "ocp_version": "\udc00b", "channel_name": "c"}) == ("a\ufffd", "\ufffdb", "c")
    assert (
        Container.from_record(record(architecture="\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"))).architecture
        == "\U0001f600"
    )


def test_records_of_one_digest_are_one_container():
    older = Container("b", "2020", "arm64", ONE, (Repository("r", "p", ("1",)), Repository("r", "q", ("1",))), (LIST,))
    newer = Container("a", "2021", "amd64", ONE, (Repository("r", "p", ("2",)),), ())

    merged, aliases = merge_containers([newer, older])

    assert merged == {ONE: Container("a", "2021", "amd64", ONE, (Repository("r", "p", ("1", "2")), Repository("r", "q", ("1",))), (LIST,))}
    assert aliases == {LIST: ONE}


def test_the_digest_of_a_list_leads_to_the_newest_of_its_images_unless_it_is_an_image_itself():
    older = Container("a", "2020", "amd64", ONE, (), (LIST, TWO))
    newer = Container("b", "2021", "amd64", TWO, (), (LIST,))

    for records in ([older, newer], [newer, older]):
        merged, aliases = merge_containers(records)
        assert (set(merged), aliases) == ({ONE, TWO}, {LIST: TWO})


def test_a_container_without_a_digest_keeps_its_place():
    merged, _aliases = merge_containers([Container("i", "2020", "amd64", "", (), ()), Container("j", "2020", "amd64", "", (), ())])

    assert set(merged) == {"no-digest:i", "no-digest:j"}


def test_the_bytes_of_containers():
    known = Container("i", "2020", "amd64", ONE, (Repository("r", "<p>&é\u2028", ("1", "2")),), (LIST,))

    assert Tables.of([known], [], b"").containers_bytes.decode() == (
        f'{{"{ONE}":{{"_id":"i","creation_date":"2020","architecture":"amd64","certified":true,"image_id":"{ONE}",'
        '"repositories":[{"registry":"r","repository":"\\u003cp\\u003e\\u0026é\\u2028","tags":[{"name":"1"},{"name":"2"}]}]},'
        f'"{LIST}":{{"_id":"i","creation_date":"2020","architecture":"amd64","certified":true,"image_id":"{ONE}","repositories":[]}}}}'
    )
    assert Tables().containers_bytes == b"{}"


def test_the_bytes_of_operators_are_those_of_the_catalogs_own_answers():
    found = tuple(sorted(OperatorRow(f"a.v{number}", "4.18", "é") for number in range(ROWS_PER_FILE + 1)))

    pages = dict(operator_pages(found))

    assert list(pages) == ["operator_catalog_page_0_500.db", "operator_catalog_page_1_1.db"]
    for number, content in enumerate(pages.values()):
        page = json.loads(content)
        assert (page["page"], page["page_size"], page["total"]) == (number, len(page["data"]), ROWS_PER_FILE + 1)
        assert content == json.dumps(page, indent=2, sort_keys=True).encode() + b"\n"
    assert dict(operator_pages(())) == {}


@given(st.lists(containers, max_size=8), st.lists(rows, max_size=8), st.randoms())
def test_the_order_in_which_things_are_found_does_not_matter(found, operators, chance):
    first = Tables.of(found, operators, b"")
    shuffled = [chance.sample(things, len(things)) for things in (found, operators)]
    second = Tables.of(*shuffled, b"")

    # nothing is lost, nor made up
    assert set(first.containers) == {container.key for container in found}
    assert places(first.containers.values()) == places(found)
    named = {digest for container in found for digest in container.list_digests}
    assert set(first.aliases) == named - set(first.containers)
    assert first.containers_bytes == second.containers_bytes
    assert first.operators == second.operators == tuple(sorted(set(operators)))


@given(st.lists(containers, max_size=5))
def test_the_bytes_are_what_they_stand_for(found):
    tables = Tables.of(found, [], b"")

    document = json.loads(tables.containers_bytes)

    assert list(document) == sorted(document)
    assert set(document) == set(tables.containers) | set(tables.aliases)
    for key, container in tables.containers.items():
        places = [
            (place["registry"], place["repository"], tuple(tag["name"] for tag in place["tags"])) for place in document[key]["repositories"]
        ]
        assert places == [tuple(place) for place in container.repositories]
    assert not set(b"<>&\n") & set(tables.containers_bytes)


def test_the_moment_of_the_charts_does_not_count_for_whether_a_catalog_changed():
    charts = "entries: {a: [{name: a, version: 1.%d}]}\ngenerated: %d\n"
    one, later, other = (Tables(charts=(charts % numbers).encode()) for numbers in ((0, 1), (0, 2), (10, 1)))

    assert content_digests(one) == content_digests(later)
    assert content_digests(one)["charts"] != content_digests(other)["charts"]
