# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an image set is taken, how it is called at the destination, and what a cluster is told of it."""

from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.tests.sandbox.registry import RegistryOptions, SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.images import cosign_signature, cosign_tag, multi_arch, simple_image
from ansible_collections.quayside.airgap.tests.support.layer_builders import write_layout
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.image_sets import (
    CATALOG,
    EVERYTHING,
    HOST,
    all_there,
    bundle_blob,
    catalog_files,
    image_set_of,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.published import published
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.operators.builders import chain, package_blobs

# The catalog with the heads of all channels. It is the same on every day, on every machine, and on every way
BUILT = "sha256:49f5904dc861770f9adfac2444ace4d4fefaea8d47560538dc54d16baac7a28f"


def additional(*names, **more):
    return {"additionalImages": [{"name": f"{HOST}/{name}", **more} for name in names]}


def resources(lab, name, folder="workspace"):
    return list(yaml.safe_load_all(lab.working_dir(folder)[f"cluster-resources/{name}"]))


def bundles(registry):
    return sorted(name.rpartition("/")[2] for name in registry.repositories if name.endswith("-bundle") and registry.tags(name))


def test_the_catalog_is_the_same_on_all_ways(lab, start):
    straight, behind = start(), start()
    told = lab.straight(straight, EVERYTHING, dry_run=True)
    assert told.images[-1].outcome.digest == BUILT
    lab.straight(straight, EVERYTHING)
    lab.to_disk(EVERYTHING)
    lab.from_disk(behind)
    assert straight.tags("mirror/lab/catalog") == behind.tags("mirror/lab/catalog") == {"v1": BUILT}


def test_a_catalog_by_digest_has_the_digest_of_the_built_one_as_its_name(lab, start):
    straight, behind = start(), start()
    by_digest = {"operators": [{"catalog": f"{HOST}/lab/catalog@{lab.source.tags('lab/catalog')['v1']}"}]}
    lab.straight(straight, by_digest)
    lab.to_disk(by_digest)
    lab.from_disk(behind)
    assert straight.tags("mirror/lab/catalog") == behind.tags("mirror/lab/catalog") == {BUILT.replace(":", "-"): BUILT}


def test_one_catalog_twice_with_targets_of_their_own(lab, start):
    straight, behind = start(), start()
    twice = {
        "operators": [
            {"catalog": CATALOG, "packages": [{"name": "alpha"}], "targetCatalog": "own/alpha-index", "targetTag": "v9"},
            {"catalog": CATALOG, "packages": [{"name": "beta"}]},
        ]
    }
    assert lab.straight(straight, twice).failures == ()
    assert straight.tags("mirror/own/alpha-index").keys() == {"v9"}
    assert straight.tags("mirror/lab/catalog").keys() == {"v1"}
    assert lab.to_disk(twice).failures == ()
    assert lab.from_disk(behind).failures == ()
    assert all_there(behind) == all_there(straight)


def test_catalogs_and_images_on_disk(lab, start):
    straight, behind = start(), start()
    write_layout(lab.folder / "index", [("", published(files=catalog_files(), fmt="oci"))])
    write_layout(lab.folder / "image", [("", simple_image("on-disk"))])
    on_disk = {
        "operators": [{"catalog": f"oci://{lab.folder}/index", "packages": [{"name": "beta"}]}],
        "additionalImages": [{"name": f"oci://{lab.folder}/image", "targetRepo": "own/image", "targetTag": "v3"}],
    }
    assert lab.straight(straight, on_disk).failures == ()
    assert straight.tags("mirror/own/image") == {"v3": simple_image("on-disk").digest}
    assert straight.tags("mirror/index").keys() == {"latest"}
    assert lab.to_disk(on_disk).failures == ()
    for name in ("index", "image"):
        (lab.folder / name).rename(lab.folder / f"no-{name}")
    assert lab.from_disk(behind).failures == ()
    assert all_there(behind) == all_there(straight)


def test_blocked_images_stay_behind_and_their_bundles_go(lab, start):
    straight, behind = start(), start()
    blocked = {**EVERYTHING, "blockedImages": [{"name": "lab/ops/many"}, {"name": f"^{HOST}/lab/web"}]}
    result = lab.straight(straight, blocked)
    assert result.failures == ()
    assert not straight.tags("mirror/lab/web")
    assert not straight.tags("mirror/lab/ops/many")
    assert bundles(straight) == ["alpha.v1.1.0-bundle", "beta.v0.1.0-bundle"]
    lab.to_disk(blocked)
    assert lab.from_disk(behind).failures == ()
    assert all_there(behind) == all_there(straight)


def test_a_blocked_catalog_stays_behind_and_its_operators_go(lab, start):
    straight, behind = start(), start()
    blocked = {**EVERYTHING, "blockedImages": [{"name": "lab/catalog"}]}
    assert lab.straight(straight, blocked).failures == ()
    assert not straight.tags("mirror/lab/catalog")
    assert bundles(straight) == ["alpha.v1.1.0-bundle", "beta.v0.1.0-bundle"]
    lab.to_disk(blocked)
    assert lab.from_disk(behind).failures == ()
    assert all_there(behind) == all_there(straight)


@pytest.mark.parametrize("sparse", [True, False])
def test_platforms(lab, start, sparse):
    straight, behind = start(sparse_indexes=sparse), start(sparse_indexes=sparse)
    lab.source.load("lab/multi", "v1", multi_arch("multi"))
    chosen = {"operators": EVERYTHING["operators"], **additional("lab/multi:v1", "lab/app:v1")}
    assert lab.straight(straight, chosen, platforms=("linux/amd64",)).failures == ()
    assert {found.outcome.index for found in lab.straight(straight, chosen, platforms=("linux/amd64",)).images} >= {
        "sparse" if sparse else "rewritten"
    }
    assert lab.to_disk(chosen, platforms=("linux/amd64",)).failures == ()
    lab.source.stop()
    result = lab.from_disk(behind)
    assert result.failures == ()
    assert all_there(behind) == all_there(straight)
    catalog = straight.manifests("mirror/lab/catalog")[straight.tags("mirror/lab/catalog")["v1"]]
    assert [child["platform"]["architecture"] for child in json.loads(catalog.body)["manifests"]] == ["amd64"]


def test_two_images_with_one_name_by_digest_both_arrive(lab, start, tmp_path):
    other = lab.source
    other.load("copy/app", "v1", simple_image("other app"))
    destination = start()
    digest = other.tags("copy/app")["v1"]
    both = additional("lab/app:v1") | {}
    both["additionalImages"].append({"name": f"{HOST}/copy/app:v1@{digest}", "targetRepo": "lab/app", "targetTag": "v2"})
    assert lab.straight(destination, both).failures == ()
    assert destination.tags("mirror/lab/app") == {"v1": other.tags("lab/app")["v1"], "v2": digest}


def test_the_cluster_is_told_of_what_is_there(lab, start):
    destination = start()
    lab.straight(destination, EVERYTHING)
    (source,) = resources(lab, "cs-catalog-v1.yaml")
    assert source["spec"] == {"sourceType": "grpc", "image": f"{destination.host}/mirror/lab/catalog:v1"}
    (digests,) = resources(lab, "idms-oc-mirror.yaml")
    assert digests["spec"]["imageDigestMirrors"] == [{"source": f"{HOST}/lab/ops", "mirrors": [f"{destination.host}/mirror/lab/ops"]}]
    (tags,) = resources(lab, "itms-oc-mirror.yaml")
    assert tags["spec"]["imageTagMirrors"] == [{"source": f"{HOST}/lab", "mirrors": [f"{destination.host}/mirror/lab"]}]


def test_the_cluster_is_told_the_same_behind_the_gap(lab, start):
    destination = start()
    lab.straight(destination, EVERYTHING)
    lab.to_disk(EVERYTHING)
    lab.from_disk(destination)
    straight, behind = (lab.working_dir(folder) for folder in ("workspace", "disk"))
    assert {name: content for name, content in straight.items() if name.startswith("cluster-resources/")} == {
        name: content for name, content in behind.items() if name.startswith("cluster-resources/")
    }


def test_a_catalog_that_is_no_longer_wanted_is_no_longer_told_of_unless_something_failed(lab, start):
    destination = start()
    lab.straight(destination, EVERYTHING)
    first = lab.straight(destination, additional("lab/app:v1", "lab/none:v1"))
    assert first.failures
    assert "cluster-resources/cs-catalog-v1.yaml" in lab.working_dir()
    second = lab.straight(destination, additional("lab/app:v1"))
    assert second.changed
    assert "cluster-resources/cs-catalog-v1.yaml" not in lab.working_dir()
    assert [path.name for path in second.resources.removed] == ["cc-catalog-v1.yaml", "cs-catalog-v1.yaml", "idms-oc-mirror.yaml"]


def test_names_and_templates_of_catalog_sources(lab, start):
    destination = start()
    template = lab.folder / "template.yaml"
    template.write_text("apiVersion: operators.coreos.com/v1alpha1\nkind: CatalogSource\nspec: {displayName: Ours}\n")
    named = {"operators": [{"catalog": CATALOG, "catalogSourceName": "ours", "targetCatalogSourceTemplate": str(template)}]}
    lab.straight(destination, named)
    (source,) = resources(lab, "cs-ours.yaml")
    assert source["metadata"]["name"] == "ours"
    assert source["spec"]["displayName"] == "Ours"
    template.write_text("kind: Pod\n")
    destination.reset_log()
    with pytest.raises(InputError, match="must be CatalogSource"):
        lab.straight(destination, named)
    assert destination.writes == []


def test_short_paths(lab, start):
    straight, behind = start(), start()
    lab.straight(straight, EVERYTHING, max_nested_paths=2)
    assert {name.count("/") for name in straight.repositories} == {1}
    assert straight.tags("mirror/lab-catalog") == {"v1": BUILT}
    lab.to_disk(EVERYTHING)
    lab.from_disk(behind, max_nested_paths=2)
    assert all_there(behind) == all_there(straight)


def test_versions_and_dependencies_of_our_own(lab, start):
    destination = start()
    needs = {"type": "olm.package.required", "value": {"packageName": "beta", "versionRange": ">=0.1.0"}}
    old = bundle_blob("alpha.v1.0.0")
    old["properties"].append(needs)
    blobs = package_blobs({"stable": chain("1.0.0", "1.1.0", package="alpha")}, "alpha", bundles=[old, bundle_blob("alpha.v1.1.0")])
    lab.publish(catalog_files({"alpha": blobs}))
    chosen = {"operators": [{"catalog": CATALOG, "packages": [{"name": "alpha", "versions": ["1.0.0"]}], "dependencies": True}]}
    assert lab.straight(destination, chosen).failures == ()
    assert bundles(destination) == ["alpha.v1.0.0-bundle", "beta.v0.1.0-bundle"]


def test_a_default_channel_that_is_not_taken(lab, start):
    destination = start()
    blobs = package_blobs(
        {"stable": chain("1.0.0", package="alpha"), "fast": chain("1.1.0", package="alpha")},
        "alpha",
        bundles=[bundle_blob("alpha.v1.0.0"), bundle_blob("alpha.v1.1.0")],
    )
    lab.publish(catalog_files({"alpha": blobs}))
    chosen = {"operators": [{"catalog": CATALOG, "packages": [{"name": "alpha", "channels": [{"name": "fast"}]}]}]}
    with pytest.raises(InputError, match="stable"):
        lab.straight(destination, chosen)
    assert lab.straight(destination, chosen, automatic_default_channel=True).failures == ()
    assert bundles(destination) == ["alpha.v1.1.0-bundle"]


def test_signatures_go_along_or_are_required_or_stay(lab, start):
    app = simple_image("app")
    signature = cosign_signature(app)
    lab.source.load("lab/app", cosign_tag(app.digest), signature)
    copied, skipped, required, behind = start(), start(), start(), start()
    lab.straight(copied, additional("lab/app:v1"))
    assert copied.tags("mirror/lab/app")[cosign_tag(app.digest)] == signature.digest
    lab.straight(skipped, additional("lab/app:v1"), signatures="skip")
    assert skipped.tags("mirror/lab/app").keys() == {"v1"}
    result = lab.straight(required, additional("lab/app:v1", "lab/web:v1"), signatures="require")
    assert len(result.failures) == 1
    assert "lab/web" in result.failures[0]
    lab.to_disk(additional("lab/app:v1"))
    lab.from_disk(behind)
    assert behind.tags("mirror/lab/app") == copied.tags("mirror/lab/app")


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"platform": {"channels": [{"name": "stable-4.18"}]}}, "releases are not mirrored yet"),
        ({"platform": {"graph": True}}, "update graph is not mirrored yet"),
        ({"helm": {"local": [{"name": "x", "path": "/x"}]}}, "Helm charts are not mirrored yet"),
        ({}, "nothing to mirror"),
    ],
)
def test_what_cannot_be_mirrored_is_said_before_anything_else(lab, start, section, words):
    destination = start()
    with pytest.raises(InputError, match=words):
        lab.straight(destination, section)
    assert destination.requests == []
    assert sorted(path.name for path in lab.folder.iterdir()) == ["registries.conf"]


def test_an_image_set_in_a_file(lab, start):
    destination = start()
    path = lab.folder / "isc.yaml"
    path.write_text(json.dumps(image_set_of(additional("lab/app:v1"))))
    lab.straight(destination, str(path))
    assert destination.tags("mirror/lab/app").keys() == {"v1"}
    with pytest.raises(AirgapError, match="no-such-file"):
        lab.straight(destination, str(lab.folder / "no-such-file"))


def test_a_workspace_that_cannot_be_is_told_before_anything_is_copied(lab, start):
    destination = start()
    (lab.folder / "file").write_text("")
    with pytest.raises(AirgapError, match="file"):
        lab.straight(destination, EVERYTHING, workspace=f"file://{lab.folder}/file")
    assert destination.requests == []


def test_what_only_says_something_without_effect_is_warned_of(lab):
    with SandboxRegistry(RegistryOptions()) as destination:
        result = lab.straight(destination, {**additional("lab/app:v1"), "samples": [{"name": "x"}]})
    assert any("samples" in warning for warning in result.warnings)


def test_an_archive_for_all_platforms_may_be_mirrored_for_one(lab, start):
    straight, behind = start(), start()
    lab.source.load("lab/multi", "v1", multi_arch("multi"))
    chosen = {"operators": EVERYTHING["operators"], **additional("lab/multi:v1")}
    lab.straight(straight, chosen, platforms=("linux/amd64",))
    lab.to_disk(chosen)
    lab.source.stop()
    assert lab.from_disk(behind, platforms=("linux/amd64",)).failures == ()
    assert all_there(behind) == all_there(straight)
