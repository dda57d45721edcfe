# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image set stands for: every image once, in one order, each with a place of its own at the destination."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import CancelledError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.collect import BundleId, collect, with_platforms
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.collect_catalogs import FromRegistries
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config import load_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import ImageKind, Naming
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import LocalSources
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Location
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries_conf import load_registries_conf
from ansible_collections.quayside.airgap.tests.support.images import simple_image
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.image_sets import (
    CATALOG,
    EVERYTHING,
    HOST,
    all_there,
    bundle_blob,
    catalog_files,
    image_set_of,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.operators.builders import chain, package_blobs
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import QUICK, make_side

ALPHA = BundleId(0, "alpha", "alpha.v1.1.0")
BETA = BundleId(0, "beta", "beta.v0.1.0")
PLACE = Location("dst.example", "ns")
# A second registry that has the same paths
OTHER = "other.lab.example"


@pytest.fixture
def gather(lab):
    """Collects an image set of the lab; everything is closed with the test."""
    opened = []

    def run(mirror, *, platforms=(), destination=PLACE, **options):
        side = make_side(conf=load_registries_conf(str(lab.conf)))
        sources = LocalSources(side)
        origin = FromRegistries(sources, lab.folder, QUICK, Cancellation())
        image_set = with_platforms(load_image_set(image_set_of(mirror)), [Platform.parse(text) for text in platforms])
        found = collect(image_set, origin, Naming(destination), **options)
        opened.extend([found, side])
        return found

    yield run
    for entry in opened:
        entry.close()


@pytest.fixture
def other(lab, start):
    registry = start()
    lab.conf.write_text(
        lab.conf.read_text() + f'[[registry]]\nprefix = "{OTHER}"\nlocation = "{registry.host}"\ninsecure = true\n', encoding="utf-8"
    )
    return registry


def beta_with(lab, *related):
    """A catalog in which beta needs some images more."""
    blob = bundle_blob("beta.v0.1.0")
    blob["relatedImages"] += [{"name": f"more-{number}", "image": text} for number, text in enumerate(related)]
    lab.publish(catalog_files({"beta": package_blobs({"stable": chain("0.1.0", package="beta")}, "beta", bundles=[blob])}))


def names(found):
    """Places at the destination, shortened."""
    return [str(wanted.destination).partition("/ns/lab/")[2].partition(":sha256-")[0] for wanted in found.images]


def test_every_image_once_in_the_order_of_mirroring(gather):
    found = gather(EVERYTHING)
    assert names(found) == [
        "ops/alpha-operator-1.1.0",
        "ops/beta-operator-0.1.0",
        "ops/many",
        "ops/tool",
        "app:v1",
        "web:v1",
        "ops/alpha.v1.1.0-bundle",
        "ops/beta.v0.1.0-bundle",
    ]
    assert [wanted.image.kind for wanted in found.images] == [ImageKind.RELATED] * 4 + [ImageKind.ADDITIONAL] * 2 + [ImageKind.BUNDLE] * 2
    assert {bundle: len(places) for bundle, places in found.images_of.items()} == {ALPHA: 4, BETA: 2}
    assert found.failures == found.warnings == []


def test_an_image_of_two_bundles_and_of_the_user_is_one_image(gather, lab):
    tool = f"{HOST}/lab/ops/tool@{lab.images['tool'].digest}"
    beta_with(lab, tool)
    found = gather({**EVERYTHING, "additionalImages": [{"name": tool}]})
    (wanted,) = (wanted for wanted in found.images if "ops/tool" in str(wanted.destination))
    assert {role.kind for role in wanted.roles} == {ImageKind.RELATED, ImageKind.ADDITIONAL}
    assert wanted.bundles == [ALPHA, BETA]
    assert not wanted.is_of_operators


def test_the_platforms_of_an_image_are_those_of_all_who_want_it(gather, lab):
    tool = f"{HOST}/lab/ops/tool@{lab.images['tool'].digest}"
    arm = {"os": "linux", "architecture": "arm64"}
    operators = [{"catalog": CATALOG, "platforms": [{"os": "linux", "architecture": "amd64"}]}]

    def platforms(**more):
        found = gather({"operators": operators, "additionalImages": [{"name": tool, **more}]})
        return [str(platform) for wanted in found.images for platform in wanted.platforms if "tool" in str(wanted.destination)]

    assert platforms(platforms=[arm]) == ["linux/amd64", "linux/arm64"]
    assert platforms() == []


def test_platforms_for_all_entries_that_name_none(gather):
    arm = [{"os": "linux", "architecture": "arm64"}]
    images = [{"name": f"{HOST}/lab/app:v1"}, {"name": f"{HOST}/lab/web:v1", "platforms": arm}]
    found = gather({"additionalImages": images}, platforms=["linux/amd64"])
    assert [[str(platform) for platform in wanted.platforms] for wanted in found.images] == [["linux/amd64"], ["linux/arm64"]]


def test_of_two_images_with_one_name_the_one_by_digest_gives_way(gather, lab, other):
    digest = other.load("lab/app", "v1", simple_image("another app"))
    beta_with(lab, f"{OTHER}/lab/app:v1@{digest}")
    found = gather(EVERYTHING)
    places = {str(wanted.destination): str(wanted.source) for wanted in found.images if "/lab/app:" in str(wanted.destination)}
    assert places == {
        "dst.example/ns/lab/app:v1": f"{HOST}/lab/app:v1",
        f"dst.example/ns/lab/app:{digest.replace(':', '-')}": f"{OTHER}/lab/app@{digest}",
    }
    assert any("are two images with one name" in warning for warning in found.warnings)
    assert set(map(str, found.images_of[BETA])) >= {f"dst.example/ns/lab/app:{digest.replace(':', '-')}"}
    assert found.failures == []


def test_of_two_images_with_one_tag_one_is_a_failure_and_costs_its_bundle(gather, lab, other, start):
    other.load("lab/tool", "v1", simple_image("another tool"))
    lab.source.load("lab/tool", "v1", simple_image("tool"))
    beta_with(lab, f"{HOST}/lab/tool:v1", f"{OTHER}/lab/tool:v1")
    found = gather({"operators": [{"catalog": CATALOG}]})
    assert list(found.broken) == [BETA]
    (failure,) = found.failures
    assert "bundle 'beta.v0.1.0' is left out" in failure
    assert "give one of them another" in failure
    assert not [name for name in names(found) if "beta" in name or "tool:v1" in name]
    destination = start()
    assert len(lab.straight(destination, {"operators": [{"catalog": CATALOG}]}).failures) == 1
    assert not any("beta" in name for name in all_there(destination))


def test_two_images_with_one_tag_and_the_same_content_are_one(gather, lab, other):
    for registry in (other, lab.source):
        registry.load("lab/tool", "v1", simple_image("tool"))
    beta_with(lab, f"{HOST}/lab/tool:v1", f"{OTHER}/lab/tool:v1")
    found = gather(EVERYTHING)
    assert found.failures == []
    (wanted,) = (wanted for wanted in found.images if "lab/tool:v1" in str(wanted.destination))
    assert len(wanted.roles) == 2


def test_blocked_images_are_left_out_and_do_not_cost_their_bundles(gather):
    found = gather({**EVERYTHING, "blockedImages": [{"name": "ops/many"}, {"name": "lab/catalog"}]})
    assert found.warnings == []
    assert "ops/many" not in names(found)
    assert found.blocked_catalogs == {0}
    assert len(found.images_of[ALPHA]) == 3


def test_that_everything_is_blocked_is_told(gather):
    found = gather({**EVERYTHING, "blockedImages": [{"name": "lab/"}]})
    assert (found.images, found.blocked_catalogs, found.failures) == ([], {0}, [])
    assert found.warnings == ["Nothing is left to mirror: blockedImages fit everything that the image set names."]


def test_a_folder_that_an_archive_is_in_blocks_nothing(gather):
    found = gather({**EVERYTHING, "blockedImages": [{"name": "mirror"}]}, destination=Location("file:///data/mirror"))
    assert len(found.images) == 8
    assert found.blocked_catalogs == set()


def test_a_bundle_with_a_reference_that_nothing_can_be_made_of_leaves_its_images_out(gather, lab):
    beta_with(lab, f"{HOST}/lab/ops/tool")
    found = gather(EVERYTHING)
    assert list(found.broken) == [BETA], found
    assert not any("beta" in name for name in names(found))


def test_collecting_can_be_stopped(gather):
    cancellation = Cancellation()
    cancellation.cancel("enough")
    with pytest.raises(CancelledError, match="enough"):
        gather(EVERYTHING, cancellation=cancellation)
