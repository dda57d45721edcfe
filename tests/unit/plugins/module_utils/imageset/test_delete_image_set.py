# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What image sets name is deleted, or what they do not name: operators by the catalog at the destination, single images, and all
that oc-mirror deletes in the recorded cases."""

from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config import load_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete import DeleteTask, delete_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.images import cosign_signature, cosign_tag, multi_arch, simple_image
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.published import FIXTURES, lab_files, published
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded import case, recorded_images
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import closed_port

OPEN = SideOptions(tls=TlsSettings(verify=False))
V1 = "mirror.openshift.io/v2alpha1"
ALPHA, BETA = {"name": "alpha-operator"}, {"name": "beta-operator", "channels": [{"name": "fast", "minVersion": "0.2.0"}]}


@pytest.fixture(params=["distribution", "quay"])
def registry(request, start):
    """The destination, of each kind."""
    return start(quirks=request.param)


@pytest.fixture
def source(start):
    """Where the catalog comes from."""
    registry = start()
    registry.load("lab/catalog", "v4.99", published())
    return registry


def filtered(name="heads_and_bounds"):
    """The catalog that the recorded run made of it."""
    folder = FIXTURES / "filtered" / name
    return published(files={path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.json"))}, fmt="oci")


def unwanted(**what):
    return {"apiVersion": V1, "kind": "DeleteImageSetConfiguration", "delete": what}


def wanted(**what):
    return {"apiVersion": V1, "kind": "ImageSetConfiguration", "mirror": what}


def operators(source, *packages, **more):
    host = source if isinstance(source, str) else source.host
    return [{"catalog": f"{host}/lab/catalog:v4.99", "packages": list(packages), **more}]


def delete(registry, image_set, **more):
    task = {
        "image_set": image_set,
        "source_side": OPEN,
        "destination_side": OPEN,
        "wire": WireOptions(retries=0, timeout=10),
        "registries_conf": "",
        **more,
    }
    return delete_image_set(DeleteTask(f"docker://{registry.host}/mirror", **task))


def prune(registry, image_set, **more):
    return delete(registry, image_set, state="pruned", **more)


def states(result):
    return {str(image.item.reference).partition("/mirror/")[2]: image.state for image in result.images}


def everything(registry):
    return {f"{name}:{tag}" for name in registry.repositories for tag in registry.tags(name)}


def fill(registry, *places):
    """An image of its own at each place."""
    for place in places:
        name, _colon, tag = place.rpartition(":")
        registry.load(f"mirror/{name}", tag, simple_image(place))


def mirrored(registry, catalog=None):
    """The destination as the recorded run left it: each place with an image of its own, and the rebuilt catalog."""
    lines = case("delete-gen").document("delete-images-lab1.yaml")["items"]
    places = [item["imageReference"].partition("/mirror/")[2] for item in lines]
    fill(registry, *places)
    registry.load("mirror/lab/catalog", "v4.99", catalog or filtered())
    return places


class TestRecordedRuns:
    def test_the_list_is_the_one_that_oc_mirror_makes(self, registry, tmp_path):
        """delete-gen: its list from its working-dir and cache, ours from the destination alone."""
        recorded, plan = case("delete-gen"), tmp_path / "list.yaml"
        mirrored(registry)
        configuration = recorded.document("delete-imageset-config-lab1.yaml")
        result = delete(registry, configuration, plan_file=str(plan), dry_run=True)
        assert (list(result.failures), list(result.warnings)) == ([], [])
        assert plan.read_text().replace(registry.host, "localhost:25102") == recorded.text("delete-images-lab1.yaml")
        assert set(states(result).values()) == {"deleted"}

    def test_and_then_all_of_it_is_gone_but_the_catalog(self, registry):
        places = mirrored(registry)
        configuration = case("delete-gen").document("delete-imageset-config-lab1.yaml")
        assert delete(registry, configuration).count("deleted") == len(places)
        assert everything(registry) == {"mirror/lab/catalog:v4.99"}
        again = delete(registry, configuration)
        assert (again.changed, again.count("absent"), list(again.failures)) == (False, len(places), [])

    def test_releases_that_share_components_survive_each_other(self, registry, tmp_path):
        """delete-rel-exec: there the tags of other releases were lost, and nothing was said."""
        recorded = case("m2m-rel-range")
        images = recorded_images(recorded, load_image_set(recorded.document("isc.yaml")))
        content = {}
        for image in images:
            place, digest = image.destination, image.source.digest
            content[place.repository.replace("rel-range", "mirror"), place.tag] = simple_image(digest)
        for (repository, tag), image in content.items():
            registry.load(repository, tag, image)
        path = tmp_path / "delete-images.yaml"
        text = case("delete-rel-gen").text("delete/delete-images.yaml")
        path.write_text(text.replace("localhost:25102/rel-range", f"{registry.host}/mirror"))
        result = delete(registry, None, delete_list=str(path))
        assert result.failures == []
        for (repository, tag), image in content.items():
            if not tag.startswith("4.99.0"):
                assert registry.tags(repository)[tag] == image.digest
        assert registry.verify() == []
        gone = {place for place, state in states(result).items() if state == "deleted"}
        assert "openshift/release-images:4.99.0-x86_64" in gone
        kept = {place for place, state in states(result).items() if state == "kept"}
        assert bool(kept) == (not registry.options.quay)


class TestOperators:
    def test_the_catalog_at_the_destination_says_what_is_there(self, registry):
        places = mirrored(registry)
        # the source is out of reach, as behind the gap
        result = delete(registry, unwanted(operators=operators(f"127.0.0.1:{closed_port()}", ALPHA)))
        assert result.failures == []
        gone = {place for place, state in states(result).items() if state == "deleted"}
        alpha = {place for place in places if place.startswith(("lab/ops/alpha-b", "lab/ops/alpha-operator", "lab/ops/tool"))}
        assert gone == alpha
        # which the other operator needs as well
        (kept,) = (image for image in result.images if image.state == "kept")
        assert "/lab/ops/alpha-operand:" in str(kept.item.reference)
        assert "it is needed by beta-operator/beta-operator.v0.2.0" in kept.reason

    def test_what_it_does_not_have_is_looked_up_at_the_source(self, registry, source):
        registry.load("mirror/lab/catalog", "v4.99", filtered("other_default_channel"))
        fill(registry, "lab/ops/beta-operator:x")
        result = delete(registry, unwanted(operators=operators(source, BETA)))
        assert result.failures == []
        assert "lab/ops/beta-bundle" in {place.partition(":")[0] for place in states(result)}
        assert source.count(path="/lab/catalog/") > 0

    def test_and_also_the_whole_catalog_where_it_was_never_mirrored(self, registry, source):
        result = delete(registry, unwanted(operators=operators(source, ALPHA)))
        assert (set(states(result).values()), list(result.failures)) == ({"absent"}, [])

    def test_names_that_neither_has_are_refused_with_those_that_there_are(self, registry, source):
        places = mirrored(registry)
        with pytest.raises(InputError, match="gamma") as error:
            delete(registry, unwanted(operators=operators(source, {"name": "gamma"})))
        assert "alpha-operator" in str(error.value)
        assert len(everything(registry)) == len(places) + 1

    def test_or_told_where_that_is_enough(self, registry, source):
        mirrored(registry)
        result = delete(registry, unwanted(operators=operators(source, {"name": "gamma"}, ALPHA)), lenient=True)
        assert any("gamma" in warning for warning in result.warnings)
        assert result.changed

    @pytest.mark.parametrize("there", [True, False])
    @pytest.mark.parametrize(
        "package",
        [{"name": "alpha-operator", "channels": [{"name": "candidate"}]}, {"name": "beta-operator", "versions": ["0.1.0", "0.3.0"]}],
    )
    def test_what_a_catalog_of_them_would_be_like_is_not_told(self, registry, source, package, there):
        """Without its default channel, or with an update that nobody offers: no catalog is made here."""
        if there:
            registry.load("mirror/lab/catalog", "v4.99", published())
        result = delete(registry, unwanted(operators=operators(source, package)))
        assert (result.failures, result.warnings) == ([], [])
        assert any(place.startswith("lab/ops/") for place in states(result))

    def test_a_catalog_that_nobody_has_costs_itself(self, registry):
        fill(registry, "lab/app:v1")
        host = f"127.0.0.1:{closed_port()}"
        result = delete(registry, unwanted(operators=operators(host, ALPHA), additionalImages=[{"name": "quay.io/lab/app:v1"}]))
        assert states(result) == {"lab/app:v1": "deleted"}
        assert f"{host}/lab/catalog:v4.99" in result.message()


class TestSingleImages:
    def test_every_way_to_name_one_finds_it(self, registry):
        digest = simple_image("x").digest
        by_digest = f"sha256-{digest.partition(':')[2]}"
        fill(
            registry, "a/tagged:1", f"a/pinned:{by_digest}", "a/both:2", "custom/place:stable", "disk:latest", "deep-path-here:1", "other:1"
        )
        entries = [
            {"name": "quay.io/a/tagged:1"},
            {"name": f"host.example:5000/a/pinned@{digest}"},
            {"name": f"quay.io/a/both:2@{digest}"},
            {"name": "quay.io/b:1", "targetRepo": "custom/place", "targetTag": "stable"},
            {"name": "oci:///no/such/folder", "targetRepo": "disk"},
        ]
        assert set(states(delete(registry, unwanted(additionalImages=entries))).values()) == {"deleted"}
        assert everything(registry) == {"mirror/deep-path-here:1", "mirror/other:1"}
        delete(registry, unwanted(additionalImages=[{"name": "quay.io/deep/path/here:1"}]), max_nested_paths=2)
        assert everything(registry) == {"mirror/other:1"}

    @pytest.mark.parametrize(
        "what", [{"platform": {"channels": [{"name": "stable-4.16"}]}}, {"helm": {"local": [{"name": "x", "path": "/x"}]}}]
    )
    def test_what_is_not_mirrored_is_not_deleted(self, registry, what):
        with pytest.raises(InputError, match="yet"):
            delete(registry, unwanted(**what))

    def test_the_kind_of_the_configuration_must_fit(self, registry):
        with pytest.raises(InputError, match="DeleteImageSetConfiguration is wanted"):
            delete(registry, wanted(additionalImages=[]))
        with pytest.raises(InputError, match="ImageSetConfiguration is wanted"):
            prune(registry, unwanted(additionalImages=[]))


class TestPruning:
    def test_what_is_not_named_goes_with_its_signatures(self, registry):
        fill(registry, "a:1", "a:2", "b/c:1")
        for tag in ("1", "2"):
            image = simple_image(f"a:{tag}")
            registry.load("mirror/a", cosign_tag(image.digest), cosign_signature(image))
        image_set = wanted(additionalImages=[{"name": "quay.io/a:1", "targetRepo": "a"}])
        foretold = prune(registry, image_set, dry_run=True)
        result = prune(registry, image_set)
        assert foretold == result
        assert states(result) == {"a:2": "deleted", "b/c:1": "deleted"}
        assert everything(registry) == {"mirror/a:1", f"mirror/a:{cosign_tag(simple_image('a:1').digest)}"}
        assert not prune(registry, image_set).changed

    def test_nothing_outside_the_destination_goes(self, registry):
        fill(registry, "a:1", "b:1")
        others = ("mirror:1", "mirror2/b:1", "other/mirror/b:1")
        for place in others:
            registry.load(place[:-2], "1", simple_image(place))
        prune(registry, wanted(additionalImages=[{"name": "quay.io/a:1", "targetRepo": "a"}]))
        assert everything(registry) == {"mirror/a:1", *others}

    def test_signatures_without_an_image_go_too(self, registry):
        fill(registry, "a:1")
        gone = simple_image("gone")
        registry.load("mirror/a", cosign_tag(gone.digest), cosign_signature(gone))
        result = prune(registry, wanted(additionalImages=[{"name": "quay.io/a:1", "targetRepo": "a"}]))
        assert result.count("deleted") == 1
        assert everything(registry) == {"mirror/a:1"}

    def test_what_images_share_stays(self, registry):
        many = multi_arch("many")
        registry.load("mirror/a", "1", many)
        registry.load("mirror/a", "amd64", many.children[0])
        result = prune(registry, wanted(additionalImages=[{"name": "quay.io/a:1", "targetRepo": "a"}]))
        assert states(result) == {"a:amd64": "deleted" if registry.options.quay else "kept"}
        assert set(registry.manifests("mirror/a")) == {image.digest for image in many.walk()}

    def test_operators_that_are_no_longer_named_go(self, registry):
        places = mirrored(registry)
        host = f"127.0.0.1:{closed_port()}"
        result = prune(registry, wanted(operators=operators(host, BETA)))
        assert result.failures == []
        assert everything(registry) == {
            "mirror/lab/catalog:v4.99",
            *(f"mirror/{place}" for place in places if place.startswith(("lab/ops/beta-", "lab/ops/alpha-operand"))),
        }

    def test_what_the_mirror_does_not_have_yet_is_no_reason_to_stop(self, registry):
        mirrored(registry)
        host = f"127.0.0.1:{closed_port()}"
        result = prune(registry, wanted(operators=operators(host, ALPHA, BETA, {"name": "new-operator"})), dry_run=True)
        assert result.failures == []
        assert not any("/ops/" in place for place in states(result))

    def test_an_older_catalog_goes_and_one_without_a_tag_of_its_own_stays(self, registry):
        registry.load("mirror/lab/catalog", "v4.98", published(files=lab_files()))
        registry.load("mirror/lab/catalog", "sha256-" + "a" * 64, filtered())
        digest = published().digest
        host = f"127.0.0.1:{closed_port()}"
        entry = {"catalog": f"{host}/lab/catalog@{digest}", "packages": [ALPHA]}
        result = prune(registry, wanted(operators=[entry]))
        assert result.failures == []
        assert everything(registry) == {f"mirror/lab/catalog:sha256-{'a' * 64}"}

    def test_without_knowing_what_is_named_nothing_goes(self, registry):
        fill(registry, "a:1", "b:1")
        host = f"127.0.0.1:{closed_port()}"
        image_set = wanted(operators=operators(host, ALPHA), additionalImages=[{"name": "quay.io/a:1", "targetRepo": "a"}])
        result = prune(registry, image_set)
        assert "Nothing is pruned" in result.message()
        assert not result.changed
        assert everything(registry) == {"mirror/a:1", "mirror/b:1"}

    def test_an_image_set_of_something_else_is_refused(self, registry):
        fill(registry, "a:1", "b:1")
        with pytest.raises(InputError, match="all that is there would go"):
            prune(registry, wanted(additionalImages=[{"name": "quay.io/elsewhere:1"}]))
        assert everything(registry) == {"mirror/a:1", "mirror/b:1"}

    def test_releases_are_left_alone_as_long_as_no_image_set_can_name_them(self, registry):
        fill(registry, "a:1", "openshift/release:4.16-etcd", "openshift/release-images:4.16", "openshift/graph-image:latest")
        before = everything(registry)
        prune(registry, wanted(additionalImages=[{"name": "quay.io/a:1", "targetRepo": "a"}]))
        assert everything(registry) == before

    def test_a_registry_that_does_not_list_says_what_to_do(self, start):
        registry = start(catalog=False)
        with pytest.raises(AirgapError, match="_catalog") as error:
            prune(registry, wanted(additionalImages=[{"name": "quay.io/a:1"}]))
        assert "state absent" in str(error.value)

    def test_a_repository_that_cannot_be_read_is_told(self, registry):
        fill(registry, "a:1", "b:1", "c:1")
        registry.faults.append(Fault("GET", "/mirror/b/manifests/1", "status", times=None, status=500))
        result = prune(registry, wanted(additionalImages=[{"name": "quay.io/a:1", "targetRepo": "a"}]))
        assert states(result) == {"c:1": "deleted"}
        assert "mirror/b" in result.message()

    def test_names_that_run_into_those_of_others_are_refused(self, registry):
        with pytest.raises(InputError, match="max_nested_paths 1"):
            prune(registry, wanted(additionalImages=[{"name": "quay.io/a:1"}]), max_nested_paths=1)

    def test_the_list_can_be_carried_out_later(self, registry, tmp_path):
        plan = tmp_path / "list.yaml"
        fill(registry, "a:1", "b:1", "c/d:2")
        prune(registry, wanted(additionalImages=[{"name": "quay.io/a:1", "targetRepo": "a"}]), plan_file=str(plan), dry_run=True)
        assert [item["imageReference"].partition("/mirror/")[2] for item in yaml.safe_load(plan.read_text())["items"]] == ["b:1", "c/d:2"]
        delete(registry, None, delete_list=str(plan))
        assert everything(registry) == {"mirror/a:1"}


def test_results_can_be_written_as_json(registry):
    fill(registry, "a:1")
    result = delete(registry, unwanted(additionalImages=[{"name": "quay.io/a:1", "targetRepo": "a"}]))
    (image,) = json.loads(json.dumps(result.as_results()))["images"]
    assert image == {
        "source": "quay.io/a:1",
        "destination": f"{registry.host}/mirror/a:1",
        "kind": "generic",
        "digest": simple_image("a:1").digest,
        "state": "deleted",
        "reason": "",
        "companions": [],
        "notes": [],
    }
