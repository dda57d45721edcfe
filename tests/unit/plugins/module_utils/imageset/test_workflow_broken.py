# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is broken costs itself: the rest of an image set arrives, and the catalog offers nothing that is not there."""

from __future__ import annotations

import json

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError, TransportError
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import Credentials
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import AccessError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.image_sets import (
    CATALOG,
    EVERYTHING,
    HOST,
    OPEN,
    all_there,
    bundle_blob,
    catalog_files,
    place,
    states,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.operators.builders import chain, package_blobs
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOT, BOTS

LOGIN = SideOptions(TlsSettings(verify=False), BOT)
BOTH_VERSIONS = {"operators": [{"catalog": CATALOG, "full": True, "packages": [{"name": "alpha"}, {"name": "beta"}]}]}


def offered(lab, folder="workspace"):
    """Names of the bundles in the catalog that was built."""
    made = {name: content for name, content in lab.working_dir(folder).items() if "/filtered-catalogs/" in name}
    found = [content.decode() for name, content in made.items() if name.endswith("/catalog.json")]
    names = [name for text in found for name in bundle_names(text)]
    return sorted(names)


def bundle_names(text):
    decoder, position, names = json.JSONDecoder(), 0, []
    while position < len(text.rstrip()):
        blob, position = decoder.raw_decode(text, position)
        position += len(text[position:]) - len(text[position:].lstrip())
        if blob["schema"] == "olm.bundle":
            names.append(blob["name"])
    return names


def test_a_related_image_that_is_gone_costs_its_bundles(lab, start):
    destination = start()
    lab.lose("many")
    result = lab.straight(destination, BOTH_VERSIONS)
    (failure,) = result.failures
    assert f"{HOST}/lab/ops/many" in failure
    assert failure.endswith("The operators alpha/alpha.v1.1.0 need it.")
    found = {name.partition(":")[0]: state for name, state in states(result).items()}
    assert found["lab/ops/many"].startswith("failed: ")
    assert found["lab/ops/alpha.v1.1.0-bundle"].startswith("not_attempted: the bundle alpha.v1.1.0 needs ")
    assert {found[f"lab/ops/{name}-bundle"] for name in ("alpha.v1.0.0", "beta.v0.1.0")} == {"copied"}
    assert not any("alpha.v1.1.0-bundle" in name for name in all_there(destination))
    assert offered(lab) == ["alpha.v1.0.0", "beta.v0.1.0"]
    assert any("alpha.v1.1.0" in warning for warning in result.warnings)
    assert result.changed


def test_what_was_missing_comes_with_the_next_run(lab, start):
    destination = start()
    lab.lose("many")
    lab.straight(destination, BOTH_VERSIONS)
    lab.source.load("lab/ops/many", "seed", lab.images["many"])
    result = lab.straight(destination, BOTH_VERSIONS)
    assert result.failures == ()
    assert offered(lab) == ["alpha.v1.0.0", "alpha.v1.1.0", "beta.v0.1.0"]
    whole = start()
    lab.straight(whole, BOTH_VERSIONS, workspace=f"file://{lab.folder / 'other'}")
    assert all_there(destination) == all_there(whole)


def test_the_way_over_a_disk_ends_with_the_same_catalog(lab, start):
    straight, behind = start(), start()
    lab.lose("many")
    lab.straight(straight, BOTH_VERSIONS)
    written = lab.to_disk(BOTH_VERSIONS)
    assert len(written.failures) == 1
    assert written.changed
    read = lab.from_disk(behind)
    assert read.failures == ()
    assert all_there(behind).items() <= all_there(straight).items()
    assert behind.tags("mirror/lab/catalog") == straight.tags("mirror/lab/catalog")


def test_an_image_that_is_lost_on_the_medium_costs_its_bundles_behind_the_gap(lab, start):
    straight, behind = start(), start()
    lab.to_disk(BOTH_VERSIONS)
    behind.faults.append(Fault("PUT", "/mirror/lab/ops/many/manifests/sha256-", "status", status=403, times=None))
    read = lab.from_disk(behind)
    assert len(read.failures) == 1
    lab.lose("many")
    lab.straight(straight, BOTH_VERSIONS)
    assert behind.tags("mirror/lab/catalog") == straight.tags("mirror/lab/catalog")


def test_a_whole_catalog_that_lost_nothing_goes_as_it_is(lab, start):
    destination, behind = start(), start()
    original = lab.source.tags("lab/catalog")["v1"]
    everything = {"operators": [{"catalog": CATALOG, "full": True}]}
    assert lab.straight(destination, everything).failures == ()
    assert destination.tags("mirror/lab/catalog") == {"v1": original}
    lab.to_disk(everything)
    assert lab.from_disk(behind).failures == ()
    assert all_there(behind) == all_there(destination)


def test_a_whole_catalog_that_lost_a_bundle_is_built(lab, start):
    destination, behind = start(), start()
    lab.lose("many")
    everything = {"operators": [{"catalog": CATALOG, "full": True}]}
    assert len(lab.straight(destination, everything).failures) == 1
    assert offered(lab) == ["alpha.v1.0.0", "beta.v0.1.0"]
    assert len(lab.to_disk(everything).failures) == 1
    assert lab.from_disk(behind).failures == ()
    assert behind.tags("mirror/lab/catalog") == destination.tags("mirror/lab/catalog")


def test_a_bundle_image_that_the_related_images_forget_is_mirrored(lab, start):
    destination = start()
    alone = bundle_blob("beta.v0.1.0", relatedImages=[{"name": "", "image": place("beta-operator-0.1.0")}])
    lab.publish(catalog_files({"beta": package_blobs({"stable": chain("0.1.0", package="beta")}, "beta", bundles=[alone])}))
    assert lab.straight(destination, EVERYTHING).failures == ()
    assert any("beta.v0.1.0-bundle" in name for name in all_there(destination))


@pytest.mark.parametrize(
    ("related", "arrives"),
    [
        pytest.param({"name": "empty", "image": ""}, True, id="an empty image is left out"),
        pytest.param({"name": "tagless", "image": f"{HOST}/lab/ops/tool"}, False, id="one without a tag costs the bundle"),
    ],
)
def test_a_related_image_that_nothing_can_be_made_of(lab, start, related, arrives):
    destination = start()
    odd = bundle_blob("beta.v0.1.0")
    odd["relatedImages"].append(related)
    lab.publish(catalog_files({"beta": package_blobs({"stable": chain("0.1.0", package="beta")}, "beta", bundles=[odd])}))
    result = lab.straight(destination, EVERYTHING)
    assert offered(lab) == (["alpha.v1.1.0", "beta.v0.1.0"] if arrives else ["alpha.v1.1.0"])
    assert len(result.failures) == (0 if arrives else 1)
    assert result.warnings


def test_a_broken_package_costs_itself(lab, start):
    destination = start()
    two_heads = [*chain("0.1.0", package="beta"), {"name": "beta.v0.2.0"}]
    lab.publish(catalog_files({"beta": package_blobs({"stable": two_heads}, "beta", bundles=[bundle_blob("beta.v0.1.0")])}))
    result = lab.straight(destination, EVERYTHING)
    (failure,) = result.failures
    assert "package 'beta' is left out" in failure
    assert offered(lab) == ["alpha.v1.1.0"]


def test_a_catalog_that_is_gone_costs_itself(lab, start):
    destination = start()
    result = lab.straight(destination, {**EVERYTHING, "operators": [{"catalog": f"{HOST}/lab/catalog:v9"}, {"catalog": CATALOG}]})
    (failure,) = result.failures
    assert f"{HOST}/lab/catalog:v9" in failure
    assert destination.tags("mirror/lab/catalog").keys() == {"v1"}
    assert destination.tags("mirror/lab/app").keys() == {"v1"}


def test_where_nothing_can_be_had_nothing_changes(lab, start):
    result = lab.straight(start(), {"operators": [{"catalog": f"{HOST}/lab/catalog:v9"}]})
    assert (len(result.failures), result.changed) == (1, False)
    assert not any("pinned" in name for name in lab.working_dir())


def test_what_an_earlier_run_pinned_stays(lab, start):
    destination = start()
    lab.straight(destination, EVERYTHING)
    before = {name: content for name, content in lab.working_dir().items() if "pinned" in name}
    lab.source.faults.append(Fault("GET", "/v2/lab/catalog/", "status", status=404, times=None))
    result = lab.straight(destination, EVERYTHING)
    assert (len(result.failures), result.changed) == (1, False)
    assert len(before) == 2
    assert {name: content for name, content in lab.working_dir().items() if "pinned" in name} == before


def test_names_that_the_catalog_does_not_have_are_told_with_those_that_it_has(lab, start):
    destination = start()
    wrong = {"operators": [{"catalog": CATALOG, "packages": [{"name": "gamma"}, {"name": "alpha", "channels": [{"name": "fast"}]}]}]}
    with pytest.raises(InputError) as raised:
        lab.straight(destination, wrong)
    for word in ("gamma", "alpha", "beta", "fast", "stable"):
        assert word in str(raised.value)
    assert destination.writes == []
    result = lab.straight(destination, wrong, lenient=True)
    assert any("gamma" in warning for warning in result.warnings)


def test_an_additional_image_that_is_gone_costs_itself(lab, start):
    destination = start()
    result = lab.straight(destination, {"additionalImages": [{"name": f"{HOST}/lab/none:v1"}, {"name": f"{HOST}/lab/app:v1"}]})
    assert len(result.failures) == 1
    assert destination.tags("mirror/lab/app").keys() == {"v1"}
    assert result.message().endswith("Of the other images: 1 copied.")


def test_a_destination_that_nobody_answers_for_is_told_before_anything_is_read(lab, start):
    destination = start()
    lab.to_disk(EVERYTHING)
    lab.source.reset_log()
    destination.stop()
    with pytest.raises(TransportError, match=destination.host):
        lab.straight(destination, EVERYTHING)
    with pytest.raises(TransportError, match=destination.host):
        lab.from_disk(destination)
    assert lab.source.requests == []


def test_a_destination_that_refuses_our_password_is_told_before_anything_is_read(lab, start):
    destination = start(auth="basic", users=BOTS)
    for side in (OPEN, SideOptions(TlsSettings(verify=False), Credentials("bot", "wrong"))):
        with pytest.raises(AccessError):
            lab.straight(destination, EVERYTHING, destination_side=side)
    assert lab.source.requests == []


def test_a_source_that_goes_away_in_the_middle_leaves_what_was_mirrored(lab, start):
    destination = start()
    lab.source.faults.append(Fault("GET", "/v2/lab/web/blobs/", "reset", times=None))
    result = lab.to_disk(EVERYTHING)
    assert len(result.failures) == 1
    assert result.changed
    read = lab.from_disk(destination)
    assert [failure for failure in read.failures if "lab/web" not in failure] == []
    assert destination.tags("mirror/lab/app").keys() == {"v1"}
    assert not destination.tags("mirror/lab/web")


def test_a_source_that_answers_nothing_at_all(lab):
    lab.source.stop()
    result = lab.to_disk(EVERYTHING)
    assert len(result.failures) == 3
    assert not result.changed
    assert [path.name for path in (lab.folder / "disk").iterdir() if path.suffix == ".tar"] == []


def test_credentials_for_one_registry_are_not_sent_to_several(lab, start):
    with pytest.raises(AirgapError, match="source_username"):
        lab.straight(start(), {"additionalImages": [{"name": "a.example/x:1"}, {"name": "b.example/y:1"}]}, source_side=LOGIN)
