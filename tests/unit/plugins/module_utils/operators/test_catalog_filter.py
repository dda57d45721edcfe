# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an ImageSetConfiguration chooses of a catalog, rule by rule."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
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
    deprecations,
    entry,
    kept,
    package_blobs,
    read,
)

STABLE = [*chain("1.0.0", "1.1.0"), entry("1.1.1", "1.1.0"), entry("1.2.0", "1.1.0", skips=["1.1.1"], skip_range=">=1.0.0 <1.2.0")]
TWO = {"stable": STABLE, "candidate": chain("1.2.0", "2.0.0")}
OTHER = package_blobs({"main": chain("0.1.0", "0.2.0", package="other")}, "other")
CATALOG = read(*package_blobs(TWO), *OTHER)

LENIENT = FilterOptions(lenient=True)
AUTOMATIC = FilterOptions(automatic_default_channel=True)


def chosen(*packages, catalog=CATALOG, full=False, options=None):
    selection = filter_catalog(catalog, CatalogChoice(packages, full), options)
    assert [str(fault) for fault in validate_selection(selection)] == []
    return selection


def refused(*packages, catalog=CATALOG, full=False, options=None):
    with pytest.raises(InputError) as error:
        filter_catalog(catalog, CatalogChoice(packages, full), options)
    return str(error.value)


def op(*channels, **more):
    return PackageChoice("op", tuple(item if isinstance(item, ChannelChoice) else ChannelChoice(item) for item in channels), **more)


class TestWhatIsChosen:
    def test_nothing_said_means_the_head_of_every_channel(self):
        selection = chosen()
        assert kept(selection) == {"candidate": ["2.0.0"], "stable": ["1.2.0"]}
        assert kept(selection, "other") == {"main": ["0.2.0"]}
        assert not selection.whole

    def test_the_head_keeps_its_updates_as_they_were(self):
        head = chosen().packages["op"].channels["stable"][0]
        assert (head.replaces, head.skips, head.skip_range) == ("op.v1.1.0", ("op.v1.1.1",), ">=1.0.0 <1.2.0")

    def test_a_package_means_its_heads_and_no_other_package(self):
        selection = chosen(op())
        assert kept(selection) == {"candidate": ["2.0.0"], "stable": ["1.2.0"]}
        assert list(selection.packages) == ["op"]

    def test_channels_that_are_named_and_no_others(self):
        assert kept(chosen(op("stable"))) == {"stable": ["1.2.0"]}

    def test_full_is_everything(self):
        selection = chosen(full=True)
        assert selection.whole
        assert kept(selection)["stable"] == ["1.0.0", "1.1.0", "1.1.1", "1.2.0"]

    def test_full_with_packages_is_everything_of_these(self):
        selection = chosen(op(), full=True)
        assert kept(selection) == {"candidate": ["1.2.0", "2.0.0"], "stable": ["1.0.0", "1.1.0", "1.1.1", "1.2.0"]}
        assert not selection.whole

    def test_full_with_channels_is_everything_of_these(self):
        assert kept(chosen(op("stable"), full=True)) == {"stable": ["1.0.0", "1.1.0", "1.1.1", "1.2.0"]}

    @pytest.mark.parametrize(
        ("minimum", "maximum", "versions"),
        [
            ("1.1.0", "", "1.1.0 1.1.1 1.2.0"),
            ("", "1.1.0", "1.0.0 1.1.0"),
            ("1.0.0", "1.0.0", "1.0.0"),
            # the one that skips it has to stay
            ("1.1.0", "1.1.1", "1.1.0 1.1.1 1.2.0"),
            ("1.2", "1", "1.2.0"),
            ("v1", "v1.1", "1.0.0 1.1.0 1.1.1 1.2.0"),
        ],
    )
    def test_bounds_of_a_channel(self, minimum, maximum, versions):
        assert kept(chosen(op(ChannelChoice("stable", minimum, maximum)))) == {"stable": versions.split()}

    def test_bounds_of_a_package_hold_for_all_its_channels(self):
        assert kept(chosen(op(minimum="1.2.0"))) == {"candidate": ["1.2.0", "2.0.0"], "stable": ["1.2.0"]}

    def test_bounds_of_a_package_hold_for_the_channels_that_are_named(self):
        assert kept(chosen(op("stable", minimum="1.1.0", maximum="1.1.0"))) == {"stable": ["1.1.0"]}

    def test_bounds_of_a_channel_go_before_those_of_its_package(self):
        choice = op(ChannelChoice("stable", "1.2.0"), "candidate", minimum="1.0.0", maximum="1.2.0")
        assert kept(chosen(choice)) == {"candidate": ["1.2.0"], "stable": ["1.2.0"]}

    def test_a_channel_without_a_version_inside_goes(self):
        assert kept(chosen(op(maximum="1.1.0"))) == {"stable": ["1.0.0", "1.1.0"]}

    def test_prereleases_only_where_a_bound_is_one(self):
        catalog = read(*package_blobs({"a": chain("1.0.0", "1.1.0-rc.1", "1.1.0", "1.2.0-rc.1")}))
        assert kept(chosen(op(minimum="1.0.0"), catalog=catalog)) == {"a": ["1.0.0", "1.1.0-rc.1", "1.1.0"]}
        assert kept(chosen(op(minimum="1.1.0-0"), catalog=catalog)) == {"a": ["1.1.0-rc.1", "1.1.0", "1.2.0-rc.1"]}

    def test_another_default_channel(self):
        selection = chosen(op(default_channel="candidate"))
        assert selection.packages["op"].default_channel == "candidate"
        assert selection.warnings == []

    def test_deprecations_of_what_stays(self):
        marks = [
            ("olm.bundle", "op.v1.0.0", "old"),
            ("olm.bundle", "op.v2.0.0", "odd"),
            ("olm.channel", "candidate", "not yet"),
            ("olm.package", "", "moved"),
        ]
        catalog = read(*package_blobs(TWO), deprecations(*marks))
        found = {
            name: chosen(choice, catalog=catalog).packages["op"].deprecations() for name, choice in (("all", op()), ("one", op("stable")))
        }
        assert [item.message for item in found["all"]] == ["odd", "not yet", "moved"]
        assert [item.message for item in found["one"]] == ["moved"]

    def test_a_channel_that_went_is_not_deprecated_any_more(self):
        catalog = read(*package_blobs(TWO), deprecations(("olm.channel", "candidate", "not yet")))
        assert chosen(op(maximum="1.1.0"), catalog=catalog).packages["op"].deprecations() == ()


class TestExactVersions:
    def test_exactly_these(self):
        selection = chosen(op("stable", versions=("1.2.0", "1.1.0")))
        assert kept(selection) == {"stable": ["1.1.0", "1.2.0"]}
        assert selection.warnings == []

    def test_in_whichever_channel_they_are(self):
        assert kept(chosen(op(versions=("1.2.0",)))) == {"candidate": ["1.2.0"], "stable": ["1.2.0"]}
        assert kept(chosen(op(versions=("2.0.0",)), options=AUTOMATIC)) == {"candidate": ["2.0.0"]}

    def test_names_of_bundles_will_do_too(self):
        assert kept(chosen(op("stable", versions=("op.v1.1.0", "v1.2.0")))) == {"stable": ["1.1.0", "1.2.0"]}

    def test_updates_that_the_publisher_does_not_offer_are_told(self):
        catalog = read(*package_blobs({"a": chain("1.0.0", "1.1.0", "1.2.0")}))
        selection = chosen(op(versions=("1.0.0", "1.2.0")), catalog=catalog)
        head = selection.packages["op"].channels["a"][1]
        assert (head.replaces, head.skips) == ("op.v1.0.0", ("op.v1.1.0",))
        assert "make an update from op.v1.0.0 to op.v1.2.0" in selection.warnings[0]

    def test_what_is_not_there(self):
        assert "it has no version '1.5.0' in the channels that are wanted; there are 1.0.0, 1.1.0, 1.1.1, 1.2.0" in refused(
            op("stable", versions=("1.2.0", "1.5.0"))
        )
        assert "no version '1.2'" in refused(op(versions=("1.2",)))

    def test_the_build_counts_where_it_is_given(self):
        bundles = [bundle("1.0.0+1"), bundle("1.0.0+2")]
        catalog = read(*package_blobs({"a": chain("1.0.0+1", "1.0.0+2")}, bundles=bundles))
        assert kept(chosen(op(versions=("1.0.0+1",)), catalog=catalog)) == {"a": ["1.0.0+1"]}
        assert kept(chosen(op(versions=("1.0.0",)), catalog=catalog)) == {"a": ["1.0.0+1", "1.0.0+2"]}


class TestDefaultChannel:
    def test_one_that_is_left_out_is_an_error(self):
        message = refused(op("candidate"))
        assert "the default channel 'stable' of the catalog is not among the channels that are left; these are candidate" in message

    def test_or_another_one_is_chosen(self):
        selection = chosen(op("candidate"), options=AUTOMATIC)
        assert selection.packages["op"].default_channel == "candidate"
        assert "the default channel is 'candidate'" in selection.warnings[0]

    def test_the_highest_head_is_chosen(self):
        channels = {"old": chain("1.0.0"), "b": chain("2.0.0"), "a": chain("1.9.0"), "next": chain("3.0.0-rc1"), "gone": chain("9.0.0")}
        catalog = read(*package_blobs(channels, default="gone"))
        assert chosen(op("old", "b", "a", "next"), catalog=catalog, options=AUTOMATIC).packages["op"].default_channel == "b"

    def test_stable_goes_before_its_equals(self):
        catalog = read(*package_blobs({"gone": chain("9.0.0"), "fast": chain("1.0.0"), "stable-1": chain("1.0.0"), "a": chain("1.0.0")}))
        assert chosen(op("fast", "stable-1", "a"), catalog=catalog, options=AUTOMATIC).packages["op"].default_channel == "stable-1"
        assert chosen(op("fast", "a"), catalog=catalog, options=AUTOMATIC).packages["op"].default_channel == "a"

    def test_one_that_is_asked_for_must_be_there_in_any_case(self):
        message = refused(op("stable", default_channel="candidate"), options=AUTOMATIC)
        assert "the default channel 'candidate' that is asked for is not among the channels that are left; these are stable" in message

    def test_a_range_that_leaves_it_empty(self):
        assert "the default channel 'stable' of the catalog is not among" in refused(op(minimum="2.0.0"))
        selection = chosen(op(minimum="2.0.0"), options=AUTOMATIC)
        assert kept(selection) == {"candidate": ["2.0.0"]}


class TestWhatIsNotThere:
    def test_everything_is_told_at_once_with_what_there_is(self):
        message = refused(PackageChoice("ghost"), op("nope"), PackageChoice("other", minimum="9"))
        assert "the catalog has no package 'ghost'; it has op, other" in message
        assert "package 'op': it has no channel 'nope'; it has candidate, stable" in message
        assert "package 'other': no channel has a version in the range that is asked for; there are 0.1.0, 0.2.0" in message

    def test_leniently_it_costs_what_was_asked_for(self):
        selection = chosen(PackageChoice("ghost"), op("nope", "stable"), PackageChoice("other", minimum="9"), options=LENIENT)
        assert {name: kept(selection, name) for name in selection.packages} == {"op": {"stable": ["1.2.0"]}}
        assert len(selection.warnings) == 3

    def test_leniently_a_package_without_default_channel_goes(self):
        selection = chosen(op("candidate"), PackageChoice("other"), options=LENIENT)
        assert list(selection.packages) == ["other"]

    def test_long_lists_are_cut(self):
        catalog = read(*[blob for number in range(60) for blob in package_blobs({"a": chain("1.0.0", package=f"p{number}")}, f"p{number}")])
        assert "and 20 more" in refused(PackageChoice("ghost"), catalog=catalog)


class TestContradictions:
    @pytest.mark.parametrize("options", [None, LENIENT])
    @pytest.mark.parametrize(
        ("choice", "full", "why"),
        [
            (op(minimum="1.0.0"), True, "package 'op': full means all versions"),
            (op(ChannelChoice("stable", "", "1")), True, "package 'op': full means all versions"),
            (op(versions=("1.0.0",)), True, "package 'op': full means all versions"),
            (op(versions=("1.0.0",), maximum="2"), False, "exact versions cannot be used together with minVersion"),
            (op(minimum="x"), False, "package 'op': its minVersion 'x' is no version"),
            (op(ChannelChoice("stable", "1", "y")), False, "package 'op', channel 'stable': its maxVersion 'y' is no version"),
        ],
    )
    def test_they_are_refused(self, choice, full, why, options):
        assert why in refused(choice, full=full, options=options)

    def test_all_at_once(self):
        message = refused(op(minimum="x", versions=("1.0.0",)), PackageChoice("other", maximum="y"))
        assert "'x'" in message
        assert "'y'" in message
        assert "exact versions" in message


class TestBrokenPackages:
    @pytest.mark.parametrize(
        ("broken", "why"),
        [
            (package_blobs({"stable": [entry("1.0.0"), entry("2.0.0")]}), "olm.channel stable: it has several heads: op.v1.0.0, op.v2.0.0"),
            (package_blobs({"stable": [entry("1.0.0", "2.0.0"), entry("2.0.0", "1.0.0")]}), "olm.channel stable: it has no head"),
            (package_blobs({"stable": chain("x")}), "the version 'x' is no semantic version"),
            (package_blobs({"stable": []}), "olm.channel stable: it has no entries"),
            (package_blobs({}), "it has no channels"),
            (package_blobs({"a": chain("1.0.0")}, default="gone"), "defaultChannel: there is no channel 'gone'"),
            ([{"schema": "olm.package", "name": "op"}, *package_blobs({"a": chain("1.0.0")})[1:]], "defaultChannel: it is missing"),
            (package_blobs({"stable": chain("1.0.0")})[1:], "there is no olm.package blob"),
            (package_blobs({"stable": chain("1.0.0")})[:-1], "there is no bundle 'op.v1.0.0'"),
            (package_blobs({"stable": chain("1.0.0")})[:1] * 2, "the package is there twice"),
        ],
    )
    @pytest.mark.parametrize("full", [True, False])
    def test_they_cost_themselves_alone(self, broken, why, full):
        selection = chosen(catalog=read(*broken, *OTHER), full=full)
        assert list(selection.packages) == ["other"]
        assert any(why in str(fault) for fault in selection.faults), selection.faults
        assert not selection.whole

    def test_what_is_wrong_with_bundles_that_are_not_chosen_costs_nothing(self):
        bad = {**bundle("1.0.0"), "image": "NO IMAGE"}
        selection = chosen(op(), catalog=read(*package_blobs({"stable": chain("1.0.0", "1.1.0")}, bundles=[bad])))
        assert kept(selection) == {"stable": ["1.1.0"]}
        assert selection.faults == []

    def test_what_older_tools_let_pass_is_no_reason_to_leave_a_package_out(self):
        channel = [entry("1.0.0"), entry("2.0.0", "1.0.0"), entry("3.0.0", "2.0.0", skips=["2.0.0"], skip_range="~1")]
        selection = filter_catalog(read(*package_blobs({"stable": channel})), CatalogChoice(full=True))
        assert kept(selection) == {"stable": ["1.0.0", "2.0.0", "3.0.0"]}
        assert [fault.recent for fault in validate_selection(selection)] == [True, True]

    def test_a_default_channel_is_not_chosen_for_what_has_no_head(self):
        circle = [entry("1.0.0", "2.0.0"), entry("2.0.0", "1.0.0")]
        selection = chosen(catalog=read(*package_blobs({"a": circle}, default="gone"), *OTHER), full=True, options=AUTOMATIC)
        assert list(selection.packages) == ["other"]

    def test_faults_outside_of_packages_are_told(self):
        selection = chosen(catalog=read({"name": "x"}, *OTHER))
        assert "schema: it is missing" in str(selection.faults[0])
        assert list(selection.packages) == ["other"]
