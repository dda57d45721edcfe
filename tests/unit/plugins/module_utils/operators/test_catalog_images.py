# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of bundles, and what is left of a catalog when some cannot be had."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_filter import CatalogChoice, FilterOptions, filter_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_images import bundle_images, without_bundles
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_validation import validate_selection
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.operators.builders import (
    HEX,
    bundle,
    chain,
    deprecations,
    entry,
    image,
    kept,
    package_blobs,
    read,
)


def images(**more):
    """What becomes of the images of a bundle."""
    catalog = read(*package_blobs({"a": chain("1.0.0")}, bundles=[bundle("1.0.0", **more)]))
    (found,) = bundle_images(catalog, filter_catalog(catalog, CatalogChoice()))
    return found


def related(*texts):
    return [{"name": f"n{position}", "image": text} for position, text in enumerate(texts)]


class TestImages:
    def test_its_own_comes_first_and_then_the_related_ones(self):
        found = images(image=image("b"), relatedImages=related(image("x"), image("b"), image("w")))
        assert [item.text for item in found.images] == [image("b"), image("x"), image("w")]
        assert [item.is_bundle for item in found.images] == [True, False, False]
        assert (found.faults, found.complete) == ((), True)

    def test_its_own_is_there_though_the_related_ones_forget_it(self):
        assert [item.text for item in images(image=image("b"), relatedImages=None).images] == [image("b")]

    def test_an_image_with_two_names_is_one(self):
        found = images(relatedImages=related(image("x"), image("x")))
        assert [item.names for item in found.images] == [(), ("n0", "n1")]

    def test_tag_and_digest_are_understood(self):
        reference = images(relatedImages=related(f"r.example:5000/a/b:v1@sha256:{HEX}")).images[1].reference
        assert (reference.registry, reference.repository, reference.tag) == ("r.example:5000", "a/b", "v1")

    def test_an_empty_one_is_left_out_and_told(self):
        found = images(relatedImages=[{"name": "x", "image": ""}, {"name": "y"}, {"image": image("z")}])
        assert [item.text for item in found.images] == [image("op-bundle-1.0.0"), image("z")]
        assert [str(fault) for fault in found.faults] == [
            "package op: olm.bundle op.v1.0.0: relatedImages[0]: the related image 'x' is empty, it is left out",
            "package op: olm.bundle op.v1.0.0: relatedImages[1]: the related image 'y' is empty, it is left out",
        ]
        assert found.complete

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("r.example/a", "it has neither a tag nor a digest"),
            ("busybox:1", "it does not name its registry"),
            ("a/b:1", "it does not name its registry"),
        ],
    )
    def test_with_one_that_cannot_be_mirrored_the_bundle_is_not_complete(self, text, why):
        found = images(relatedImages=related(image("x"), text))
        assert [item.text for item in found.images] == [image("op-bundle-1.0.0"), image("x")]
        assert why in str(found.faults[0])
        assert not found.complete

    def test_a_bundle_with_its_objects_has_no_image_of_its_own(self):
        found = images(image="", properties=[{"type": "olm.bundle.object", "value": {"data": ""}}], relatedImages=related(image("x")))
        assert [item.is_bundle for item in found.images] == [False]


STABLE = [*chain("1.0.0", "1.1.0"), entry("1.1.1", "1.1.0"), entry("1.2.0", "1.1.0", skips=["1.1.1"], skip_range=">=1.1.0 <1.2.0")]
OTHER = package_blobs({"a": chain("1.0.0", package="other")}, "other")


def without(*versions, channels=None, more=(), full=True):
    catalog = read(*package_blobs(channels or {"stable": STABLE, "candidate": chain("1.2.0", "2.0.0")}), *more, *OTHER)
    before = filter_catalog(catalog, CatalogChoice(full=full))
    after = without_bundles(before, {"op": {f"op.v{version}" for version in versions}})
    assert [str(fault) for fault in validate_selection(after)] == []
    assert before.packages.keys() == {"op", "other"}
    return after


class TestWithoutSome:
    def test_what_is_above_stays(self):
        after = without("1.0.0")
        assert kept(after) == {"candidate": ["1.2.0", "2.0.0"], "stable": ["1.1.0", "1.1.1", "1.2.0"]}
        assert after.warnings == ["package 'op': the catalog is without op.v1.0.0: not all of its images could be had"]

    def test_what_is_below_goes_where_the_publisher_lets_nobody_pass(self):
        after = without("1.1.0")
        assert kept(after)["stable"] == ["1.1.1", "1.2.0"]
        assert "with them go op.v1.0.0, from which no update would lead on" in after.warnings[1]

    def test_the_head(self):
        after = without("1.2.0")
        assert kept(after) == {"candidate": ["2.0.0"], "stable": ["1.0.0", "1.1.0", "1.1.1"]}

    def test_of_a_channel_with_one_entry(self):
        after = without("1.2.0", full=False)
        assert kept(after) == {"candidate": ["2.0.0"]}
        assert after.packages["op"].default_channel == "candidate"
        assert "nothing is left of the channels stable" in after.warnings[1]
        assert "the default channel is 'candidate' instead of 'stable'" in after.warnings[2]

    def test_all_of_a_package(self):
        after = without("1.2.0", "2.0.0", full=False)
        assert list(after.packages) == ["other"]
        assert after.warnings[1] == "package 'op': nothing is left of it"

    def test_deprecations_go_along(self):
        marks = deprecations(("olm.bundle", "op.v1.0.0", "old"), ("olm.bundle", "op.v1.1.0", "old"))
        assert [item.name for item in without("1.0.0", more=[marks]).packages["op"].deprecations()] == ["op.v1.1.0"]

    def test_what_was_not_chosen_changes_nothing(self):
        assert without("9.9.9").warnings == []

    def test_the_choice_itself_is_not_changed(self):
        catalog = read(*OTHER)
        before = filter_catalog(catalog, CatalogChoice(), FilterOptions())
        without_bundles(before, {"other": ["other.v1.0.0"], "ghost": ["x"]}, "no time")
        assert kept(before, "other") == {"a": ["1.0.0"]}
        assert before.warnings == []
