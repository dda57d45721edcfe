# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles that the chosen ones need."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_filter import (
    CatalogChoice,
    ChannelChoice,
    FilterOptions,
    PackageChoice,
    filter_catalog,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_validation import validate_selection
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.operators.builders import (
    bundle,
    chain,
    entry,
    kept,
    package_blobs,
    read,
)


def api(kind, *, required=False):
    return {"type": "olm.gvk.required" if required else "olm.gvk", "value": {"group": "x.example", "kind": kind, "version": "v1"}}


def needs(package, versions=""):
    return {"type": "olm.package.required", "value": {"packageName": package, "versionRange": versions}}


def constraint(**value):
    return {"type": "olm.constraint", "value": {"failureMessage": "no", **value}}


def operator(*needed):
    """A package with one bundle that needs something."""
    return package_blobs({"stable": chain("1.0.0")}, bundles=[bundle("1.0.0", properties=list(needed))])


def provider(name, channels, *kinds, default=None):
    """A package whose bundles all bring some APIs."""
    blobs = package_blobs(channels, name, default)
    for blob in blobs:
        if blob["schema"] == "olm.bundle":
            blob["properties"] += [api(kind) for kind in kinds]
    return blobs


def resolved(*blobs, choice=None):
    """The selection for the package op, or for a choice, with what it needs."""
    packages = choice or (PackageChoice("op"),)
    selection = filter_catalog(read(*blobs), CatalogChoice(packages), FilterOptions(dependencies=True))
    assert validate_selection(selection) == []
    return selection


def added(selection):
    return {name: kept(selection, name) for name in selection.packages if name != "op"}


DB = provider("db", {"stable": chain("1.0.0", "1.1.0", "2.0.0", package="db"), "old": chain("1.0.0", package="db")}, "Db")


def test_nothing_is_added_unless_asked_for():
    selection = filter_catalog(read(*operator(needs("db")), *DB), CatalogChoice((PackageChoice("op"),)))
    assert list(selection.packages) == ["op"]


def test_a_required_package_comes_with_the_head_of_its_default_channel():
    selection = resolved(*operator(needs("db")), *DB)
    assert added(selection) == {"db": {"stable": ["2.0.0"]}}
    assert selection.packages["db"].default_channel == "stable"
    assert selection.warnings == []


def test_or_with_the_highest_version_in_the_range():
    assert added(resolved(*operator(needs("db", ">=1.0.0 <2.0.0")), *DB)) == {"db": {"stable": ["1.1.0"]}}


def test_an_api_comes_with_a_package_that_brings_it():
    assert added(resolved(*operator(api("Db", required=True)), *DB)) == {"db": {"stable": ["2.0.0"]}}


def test_of_several_the_one_whose_default_head_brings_it():
    was = package_blobs({"stable": chain("5.0.0", "6.0.0", package="a-db")}, "a-db")
    was[2]["properties"].append(api("Db"))
    assert list(added(resolved(*operator(api("Db", required=True)), *was, *DB))) == ["db"]


def test_among_equals_the_first_of_the_alphabet():
    twin = provider("c-db", {"stable": chain("2.0.0", package="c-db")}, "Db")
    assert list(added(resolved(*operator(api("Db", required=True)), *DB, *twin))) == ["c-db"]


def test_what_is_chosen_already_will_do():
    choice = (PackageChoice("op"), PackageChoice("db", (ChannelChoice("old"),), default_channel="old"))
    assert added(resolved(*operator(needs("db")), *DB, choice=choice)) == {"db": {"old": ["1.0.0"]}}


def test_what_is_chosen_already_is_extended_to_one_chain():
    choice = (PackageChoice("op"), PackageChoice("db", (ChannelChoice("stable"),)))
    assert added(resolved(*operator(needs("db", "1.0.0")), *DB, choice=choice)) == {"db": {"stable": ["1.0.0", "1.1.0", "2.0.0"]}}


def test_a_channel_that_was_not_chosen_comes_along_where_only_it_helps():
    blobs = provider("db", {"stable": chain("2.0.0", package="db"), "old": chain("0.9.0", "1.0.0", package="db")}, "Db")
    choice = (PackageChoice("op"), PackageChoice("db", (ChannelChoice("stable"),)))
    selection = resolved(*operator(needs("db", "<2.0.0")), *blobs, choice=choice)
    assert added(selection) == {"db": {"old": ["1.0.0"], "stable": ["2.0.0"]}}
    assert selection.packages["db"].default_channel == "stable"


def test_a_new_package_has_the_one_channel_that_helps_as_its_default():
    blobs = provider("db", {"stable": chain("2.0.0", package="db"), "old": chain("0.9.0", "1.0.0", package="db")}, "Db")
    selection = resolved(*operator(needs("db", "<2.0.0")), *blobs)
    assert added(selection) == {"db": {"old": ["1.0.0"]}}
    assert selection.packages["db"].default_channel == "old"


def test_what_is_added_may_need_more():
    middle = package_blobs({"a": chain("1.0.0", package="mid")}, "mid", bundles=[bundle("1.0.0", "mid", properties=[needs("db")])])
    assert list(added(resolved(*operator(needs("mid")), *middle, *DB))) == ["db", "mid"]


def test_needs_may_go_in_a_circle():
    back = package_blobs({"a": chain("1.0.0", package="mid")}, "mid", bundles=[bundle("1.0.0", "mid", properties=[needs("op")])])
    assert list(added(resolved(*operator(needs("mid")), *back))) == ["mid"]


def test_a_skipped_bundle_is_taken_with_nothing_else_in_a_new_channel():
    channel = [entry("1.0.0", package="db"), entry("1.1.0", package="db"), entry("2.0.0", "1.0.0", skips=["1.1.0"], package="db")]
    channel[1]["replaces"] = "db.v1.0.0"
    blobs = package_blobs({"stable": [*channel[:2], {**channel[2], "skips": ["db.v1.1.0"]}]}, "db")
    assert added(resolved(*operator(needs("db", "1.1.0")), *blobs)) == {"db": {"stable": ["1.1.0"]}}


@pytest.mark.parametrize(
    ("need", "expected"),
    [
        (
            constraint(
                all={"constraints": [{"package": {"packageName": "db", "versionRange": "1.x"}}, {"package": {"packageName": "web"}}]}
            ),
            {"db": "1.1.0", "web": "1.0.0"},
        ),
        (constraint(any={"constraints": [{"package": {"packageName": "ghost"}}, {"package": {"packageName": "web"}}]}), {"web": "1.0.0"}),
        (constraint(any={"constraints": [{"package": {"packageName": "db"}}, {"package": {"packageName": "op"}}]}), {}),
        (
            constraint(
                any={
                    "constraints": [
                        {"all": {"constraints": [{"package": {"packageName": "ghost"}}, {"package": {"packageName": "db"}}]}},
                        {"package": {"packageName": "web"}},
                    ]
                }
            ),
            {"web": "1.0.0"},
        ),
        (
            constraint(
                any={"constraints": [{"all": {"constraints": [{"package": {"packageName": "web"}}, {"package": {"packageName": "db"}}]}}]}
            ),
            {"db": "2.0.0", "web": "1.0.0"},
        ),
        (constraint(cel={"rule": "true"}), {}),
    ],
)
def test_constraints(need, expected):
    web = package_blobs({"a": chain("1.0.0", package="web")}, "web")
    selection = resolved(*operator(need), *DB, *web)
    assert {name: versions for name, channels in added(selection).items() for (versions,) in channels.values()} == expected
    assert selection.warnings == []


@pytest.mark.parametrize(
    ("need", "why"),
    [
        (needs("ghost"), "op.v1.0.0 needs the package ghost, and this catalog has nothing usable"),
        (needs("db", ">=3.0.0"), "needs the package db >=3.0.0"),
        (needs("db", "no range"), "needs the package db no range"),
        (api("Ghost", required=True), "needs the API x.example/v1 Ghost"),
        (
            constraint(any={"constraints": [{"package": {"packageName": "x"}}, {"package": {"packageName": "y"}}]}),
            "the package x or the package y",
        ),
    ],
)
def test_what_cannot_be_had_is_told(need, why):
    selection = resolved(*operator(need), *DB)
    assert added(selection) == {}
    assert why in selection.warnings[0]
    assert len(selection.warnings) == 1


@pytest.mark.parametrize(
    "broken",
    [
        package_blobs({"a": [entry("1.0.0", package="db"), entry("2.0.0", package="db")]}, "db"),
        package_blobs({"a": chain("1.0.0", package="db")}, "db", bundles=[{**bundle("1.0.0", "db"), "image": "NO IMAGE"}]),
        package_blobs({"a": chain("1.0.0", package="db")}, "db")[1:],
    ],
)
def test_a_broken_package_is_no_help(broken):
    selection = resolved(*operator(needs("db")), *broken)
    assert added(selection) == {}
    assert "nothing usable" in selection.warnings[0]
