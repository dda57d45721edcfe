# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found on a cluster or in an image set, as questions; and what comes of asking them."""

from __future__ import annotations

import json

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import read_tree
from ansible_collections.quayside.airgap.plugins.module_utils.certification.discovery import (
    charts_of_cluster,
    find_in_image_set,
    images_of_cluster,
    operators_of_cluster,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.inquiry import Item, Report, asked, judge
from ansible_collections.quayside.airgap.plugins.module_utils.certification.lookup import (
    ChartQuestion,
    ContainerQuestion,
    Lookup,
    OperatorQuestion,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError
from ansible_collections.quayside.airgap.tests.support.small_dump import OPERATOR, PLACE, UNKNOWN, WEB, WEB_LIST, write_small_dump

SHOP = (("shop", "Deployment/web"),)
BANK = (("bank", "Pod/db"),)


@pytest.fixture
def lookup(tmp_path):
    return Lookup(read_tree(write_small_dump(tmp_path / "dump")))


def report(lookup, items, unread=()) -> Report:
    return Report(judge(lookup, items), unread)


# --- a cluster


@pytest.mark.parametrize(
    ("image_id", "question"),
    [
        (f"quay.io/shop/web@{WEB}", ContainerQuestion("quay.io", "shop/web", "", WEB)),
        (f"10.0.0.1:5000/a/b/c@{WEB}", ContainerQuestion("10.0.0.1:5000", "a/b/c", "", WEB)),
        # certsuite: whatever stands before the first slash is the registry
        (f"docker-pullable://quay.io/web@{WEB}", ContainerQuestion("docker-pullable:", "/quay.io/web", "", WEB)),
        (WEB, None),
        ("quay.io/shop/web:1.0", None),
        ("", None),
    ],
)
def test_an_image_is_asked_for_by_the_digest_that_its_node_names(image_id, question):
    (item,) = images_of_cluster([(image_id, "quay.io/shop/web:1.0", SHOP)])
    assert item.question == question
    assert item.places == SHOP


def test_an_image_without_a_digest_is_not_certified_and_says_why(lookup):
    """Although the dump has its tag: certsuite asks for nothing without a digest."""
    (found,) = report(lookup, images_of_cluster([("", f"{PLACE}:1.0", SHOP)])).found
    assert (found.state, found.item.name) == ("uncertified", f"{PLACE}:1.0")
    assert "no digest" in found.answer.reason


def test_an_image_is_one_by_whatever_name_pods_ask_for_it():
    (item,) = images_of_cluster([(f"quay.io/w@{WEB}", "quay.io/w:1", SHOP), (f"quay.io/w@{WEB}", "quay.io/w:2", BANK)])
    assert item.places == BANK + SHOP


def test_operators_and_charts_are_asked_for_with_the_versions_of_the_cluster(lookup):
    operators = operators_of_cluster([(OPERATOR, SHOP)], "4.19")
    charts = charts_of_cluster([("picky", "2.0", "", SHOP), ("chart", "1.10", "", SHOP), ("", "", "it is damaged", BANK)], "v1.24.0")
    assert operators[0].question == OperatorQuestion(OPERATOR, "4.19")
    assert charts[0].question == ChartQuestion("picky", "2.0", "v1.24.0")
    found = report(lookup, operators + charts)
    assert [entry.state for entry in found.found] == ["uncertified", "uncertified", "certified", "unjudged"]
    assert found.names("unjudged") == ["Pod/db in bank"]


# --- an image set


def row(kind, source, digest="", bundles=(), **more):
    return {"kind": kind, "source": source, "digest": digest, "destination": "lab/x:1", "bundles": list(bundles), "index": "", **more}


@pytest.fixture
def workspace(tmp_path):
    """Writes a report where image_mirror does, and gives the folder that it was told."""

    def write(*rows, name="20260101T000000.000Z.json", **more):
        folder = tmp_path / "work/working-dir/reports"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps({"schema": 1, "complete": True, "images": list(rows), **more}))
        return tmp_path / "work"

    return write


def test_images_of_an_image_set_are_asked_for_by_digest(workspace):
    place = workspace(
        row("generic", "docker://quay.io/shop/web:1.0", WEB),
        row("generic", f"docker://quay.io/shop/db@{UNKNOWN}", WEB),
        row("generic", "docker://quay.io/shop/small:1.0", WEB, index="rewritten"),
        row("generic", "oci:///srv/image", WEB),
        row("generic", "oci:///srv/other"),
    )
    items = find_in_image_set(place).items
    assert [item.question for item in items] == [
        ContainerQuestion("quay.io", "shop/web", "1.0", WEB),
        # what its name says, whatever became of it on the way
        ContainerQuestion("quay.io", "shop/db", "", UNKNOWN),
        # its own digest is known to nobody else
        ContainerQuestion("quay.io", "shop/small", "1.0", ""),
        ContainerQuestion(digest=WEB),
        None,
    ]
    assert (items[4].state, items[4].name) == ("unjudged", "oci:///srv/other")


def test_operators_of_an_image_set_are_its_bundles_on_the_version_of_its_catalog(workspace, lookup):
    bundles = [f"db-operator/{OPERATOR}"]
    place = workspace(
        row("operatorRelatedImage", f"docker://quay.io/shop/web@{WEB_LIST}", WEB_LIST, bundles),
        row("operatorBundle", f"docker://quay.io/shop/bundle@{UNKNOWN}", UNKNOWN, bundles),
        row("operatorCatalog", "docker://registry.redhat.io/redhat/certified-operator-index:v4.18", UNKNOWN),
        row("ocpReleaseContent", f"docker://quay.io/openshift/etcd@{UNKNOWN}", UNKNOWN),
    )
    found = report(lookup, find_in_image_set(place).items)
    assert [(entry.item.kind, entry.state) for entry in found.found] == [
        ("containers", "certified"),
        ("containers", "passed_over"),
        ("containers", "passed_over"),
        ("containers", "passed_over"),
        ("operators", "certified"),
    ]
    assert found.found[4].item.question == OperatorQuestion(OPERATOR, "4.18")
    assert found.certified
    assert [group["name"] for group in found.groups()] == ["db-operator", "ocpReleaseContent", "operatorCatalog"]
    assert find_in_image_set(place, "4.17").items[-1].question == OperatorQuestion(OPERATOR, "4.17")


def test_catalogs_of_several_versions_leave_the_version_open(workspace):
    catalogs = [row("operatorCatalog", f"docker://quay.io/index:v{version}") for version in ("4.18", "4.17")]
    found = find_in_image_set(workspace(row("operatorBundle", "docker://quay.io/b:1", "", ["db/db.v1.0.0"]), *catalogs))
    assert found.items[-1].question == OperatorQuestion("db.v1.0.0", "")
    assert "OpenShift 4.17, 4.18" in found.remarks[0]
    pinned = row("operatorCatalog", f"docker://quay.io/index@{UNKNOWN}", bundles=["db/db.v1.0.0"])
    assert "do not say which version" in find_in_image_set(workspace(pinned)).remarks[0]
    assert find_in_image_set(workspace(pinned), "4.18").remarks == ()


def test_the_newest_report_counts_and_one_of_a_run_that_failed_says_so(workspace):
    workspace(row("generic", "docker://quay.io/old:1"), name="20250101T000000.000Z.json")
    place = workspace(row("generic", "docker://quay.io/new:1"), complete=False)
    for given in (place, place / "working-dir", place / "working-dir/reports", place / "working-dir/reports/20260101T000000.000Z.json"):
        found = find_in_image_set(given)
        assert [item.name for item in found.items] == ["quay.io/new:1"]
        assert "could not mirror everything" in found.remarks[0]


def test_the_mapping_of_a_dry_run(tmp_path):
    path = tmp_path / "mapping.txt"
    path.write_text(f"docker://quay.io/web@{WEB}=docker://lab/web:1\ndocker://quay.io/web@{WEB}=docker://lab/web:2\n")
    (item,) = find_in_image_set(path).items
    assert item.question == ContainerQuestion("quay.io", "web", "", WEB)
    assert item.places == (("mapping.txt", "docker://lab/web:1"), ("mapping.txt", "docker://lab/web:2"))


def test_what_is_no_image_set(tmp_path, workspace):
    with pytest.raises(InputError, match="no such file or folder"):
        find_in_image_set(tmp_path / "none")
    with pytest.raises(InputError, match="no report"):
        find_in_image_set(tmp_path)
    with pytest.raises(FileError, match="no report of an image set"):
        find_in_image_set(workspace(schema=2))
    path = tmp_path / "mapping.txt"
    for content in (b"nonsense\n", b"\xff=\n"):
        path.write_bytes(content)
        with pytest.raises(FileError):
            find_in_image_set(path)


# --- what comes of it


def test_answers_are_told_one_by_one_in_all_and_by_places(lookup):
    items = [
        asked(ContainerQuestion("registry.connect.redhat.com", "shop/web", "2.0")),
        asked(OperatorQuestion(OPERATOR), ocp_version="4.18"),
        asked(ChartQuestion("broken", "3.0", "v1.31.0")),
        *images_of_cluster([(f"lab.example/any/name@{WEB_LIST}", "", SHOP + BANK)]),
    ]
    results = report(lookup, items).as_results()
    assert not results["certified"]
    assert {name: count for name, count in results["counts"].items() if count} == {
        "asked": 4,
        "certified": 2,
        "uncertified": 1,
        "unjudged": 1,
        "containers": 2,
        "operators": 1,
        "charts": 1,
    }
    assert results["uncertified"] == [f"{PLACE}:2.0"]
    assert "1.0, latest" in results["containers"][0]["hints"][0]
    assert results["containers"][1]["entry"]["digest"] == WEB
    assert results["containers"][1]["entry"]["key"] == WEB_LIST
    assert results["operators"][0]["question"] == {"csv_name": OPERATOR, "ocp_version": "4.18"}
    assert results["operators"][0]["entry"] == {"csv_name": OPERATOR, "ocp_version": "4.18", "channel_name": "stable"}
    assert results["charts"][0]["entry"]["kube_version"] == "no constraint"
    assert [(group["name"], group["certified"]) for group in results["groups"]] == [("bank", 1), ("shop", 1)]
    json.dumps(results)


def test_places_are_told_up_to_a_number_and_counted(lookup):
    places = tuple((f"ns{number:03d}", "Pod/x") for number in range(100))
    (found,) = report(lookup, images_of_cluster([(f"x/y@{WEB}", "", places)])).as_results()["containers"]
    assert (found["places"], len(found["found_in"])) == (100, 10)


def test_what_is_unknown_is_not_certified(lookup):
    nothing = report(lookup, [])
    assert nothing.certified
    unread = report(lookup, [], ("The pods may not be read.",))
    assert not unread.certified
    assert unread.message("the dump") == "The pods may not be read."


def test_a_message_tells_ten_and_counts_the_rest(lookup):
    items = [Item("operators", f"o{number}.v1", OperatorQuestion(f"o{number}.v1")) for number in range(12)]
    told = report(lookup, items, ("More.",)).message("/srv/dump")
    assert told.startswith("12 of 12 are not certified according to /srv/dump: o0.v1 (the catalog has no operator 'o0') | o1.v1")
    assert told.endswith("(2 more in the results). More.")
