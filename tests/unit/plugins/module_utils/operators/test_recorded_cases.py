# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What oc-mirror v2 really chose of a catalog and how it wrote that, byte for byte.

`tests/fixtures/oc_mirror/catalog` is the catalog of all recordings, `filtered` holds what the tool made of it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_filter import (
    CatalogChoice,
    ChannelChoice,
    FilterOptions,
    PackageChoice,
    filter_catalog,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_images import bundle_images
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_reading import BytesSource, read_catalog, read_tree
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_validation import validate_catalog, validate_selection
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_writing import catalog_files
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.operators.builders import kept

ROOT = next(path for path in Path(__file__).resolve().parents if (path / "galaxy.yml").is_file())
FIXTURES = ROOT / "tests" / "fixtures" / "oc_mirror"
CHOICES = {
    "heads": {},
    "heads_and_bounds": {
        "packages": [{"name": "alpha-operator"}, {"name": "beta-operator", "channels": [{"name": "fast", "minVersion": "0.2.0"}]}]
    },
    "other_default_channel": {"packages": [{"name": "alpha-operator", "defaultChannel": "candidate", "channels": [{"name": "candidate"}]}]},
}
# A recording that one of these stands for lies beside the checkouts of developers
RECORDINGS = next((path / "shared/data/oc-mirror/cases" for path in ROOT.parents if (path / "shared/data/oc-mirror/cases").is_dir()), None)
# The image that does not exist, with which that catalog was made
BROKEN = "src.lab.example/lab/ops/gone@sha256:" + "1" * 64


def choice(wanted):
    """The entry of an ImageSetConfiguration as a choice."""
    packages = []
    for package in wanted.get("packages") or []:
        channels = [
            ChannelChoice(item["name"], item.get("minVersion", ""), item.get("maxVersion", "")) for item in package.get("channels", [])
        ]
        bounds = package.get("minVersion", ""), package.get("maxVersion", "")
        packages.append(PackageChoice(package["name"], tuple(channels), package.get("defaultChannel", ""), *bounds))
    return CatalogChoice(tuple(packages), wanted.get("full", False))


@pytest.fixture(scope="module")
def catalog():
    with read_tree(FIXTURES / "catalog") as found:
        assert validate_catalog(found) == []
        yield found


def written(catalog, wanted):
    selection = filter_catalog(catalog, choice(wanted))
    assert validate_selection(selection) == []
    return {name: b"".join(pieces).decode() for name, pieces in catalog_files(catalog, selection)}


def recorded(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.json")}


@pytest.mark.parametrize("name", sorted(CHOICES))
def test_the_filtered_catalog_is_the_same(catalog, name):
    assert written(catalog, CHOICES[name]) == recorded(FIXTURES / "filtered" / name)


@pytest.mark.parametrize("name", sorted(CHOICES))
def test_what_the_tool_wrote_is_written_again_as_it_is(name):
    with read_tree(FIXTURES / "filtered" / name) as found:
        assert written(found, {"full": True}) == recorded(FIXTURES / "filtered" / name)


def test_all_recordings(catalog):
    if RECORDINGS is None:
        pytest.skip("the recordings are not beside this checkout")
    seen = 0
    for folder in sorted(RECORDINGS.glob("*/working-dir/operator-catalogs/*/*/filtered-catalogs/*/catalog-config")):
        case = RECORDINGS / folder.relative_to(RECORDINGS).parts[0]
        (wanted,) = yaml.safe_load((case / "isc.yaml").read_text())["mirror"]["operators"]
        source = with_a_broken_image(catalog) if "catalog-broken" in wanted["catalog"] else catalog
        assert written(source, wanted) == recorded(folder), case.name
        seen += 1
    assert seen >= 9


def with_a_broken_image(catalog):
    """The catalog of which one bundle names an image that is not there."""
    sources = []
    for path in sorted((FIXTURES / "catalog").rglob("*.json")):
        blobs = [json.loads(text + "}") for text in path.read_text().split("\n}\n") if text]
        for blob in blobs:
            if blob.get("name") == "beta-operator.v0.3.0":
                blob["relatedImages"].append({"name": "gone", "image": BROKEN})
        sources.append(BytesSource(path.parent.name + "/catalog.json", "".join(map(json.dumps, blobs)).encode()))
    return read_catalog(sources)


def test_a_range_that_ends_at_a_skipped_bundle_keeps_the_one_that_skips_it(catalog):
    wanted = {"packages": [{"name": "alpha-operator", "minVersion": "1.1.0", "maxVersion": "1.1.1", "channels": [{"name": "stable"}]}]}
    found = kept(filter_catalog(catalog, choice(wanted)), "alpha-operator")
    assert sorted(found["stable"]) == ["1.1.0", "1.1.1", "1.2.0"]


def test_a_default_channel_that_is_left_out_is_an_error_unless_another_one_may_be_chosen(catalog):
    wanted = choice({"packages": [{"name": "alpha-operator", "channels": [{"name": "candidate"}]}]})
    with pytest.raises(InputError, match="the default channel 'stable' of the catalog is not among the channels that are left"):
        filter_catalog(catalog, wanted)
    selection = filter_catalog(catalog, wanted, FilterOptions(automatic_default_channel=True))
    assert selection.packages["alpha-operator"].default_channel == "candidate"


def test_what_the_tool_passes_over_in_silence_is_an_error(catalog):
    wanted = {"packages": [{"name": "no-such-operator"}, {"name": "beta-operator", "channels": [{"name": "no-such-channel"}]}]}
    with pytest.raises(InputError) as error:
        filter_catalog(catalog, choice(wanted))
    assert "no package 'no-such-operator'; it has alpha-operator, beta-operator" in str(error.value)
    assert "no channel 'no-such-channel'; it has fast, slow" in str(error.value)


def test_the_images_are_those_that_the_tool_mirrored(catalog):
    selection = filter_catalog(catalog, choice(CHOICES["heads_and_bounds"]))
    found = {item.text for images in bundle_images(catalog, selection) for item in images.images}
    lines = [line.strip() for text in recorded(FIXTURES / "filtered" / "heads_and_bounds").values() for line in text.splitlines()]
    assert found == {line.split('"')[3] for line in lines if line.startswith('"image"')}


def test_the_dependency_of_beta_is_alpha(catalog):
    wanted = choice({"packages": [{"name": "beta-operator"}]})
    selection = filter_catalog(catalog, wanted, FilterOptions(dependencies=True))
    assert kept(selection, "alpha-operator") == {"stable": ["1.2.0"]}
