# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cluster resources: what a cluster is told of mirrored images."""

from __future__ import annotations

import base64
import copy
import json

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.cluster_resources import (
    Mirrored,
    MirroredCatalog,
    ReleaseSignature,
    ResourceFile,
    cluster_resources,
    compare_files,
    digest_mirror_sets,
    load_template,
    tag_mirror_sets,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config import load_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import AdditionalImage
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import ImageKind, Naming, parse_source
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Location, parse_reference
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded import (
    case,
    recorded_images,
)

DIGEST = "sha256:" + "ab" * 32
LAB = Naming(Location("mirror.lab", "m"))


def additional(name, **targets):
    return LAB.additional(AdditionalImage(name, **targets))


def entries(documents):
    """Sources with their mirrors, by the object's name."""
    found = {}
    for document in documents:
        (listed,) = document["spec"].values()
        found[document["metadata"]["name"]] = {entry["source"]: entry["mirrors"] for entry in listed}
    return found


def objects(mirrored, naming=LAB):
    return {entry.name: list(yaml.safe_load_all(entry.content)) for entry in cluster_resources(mirrored, naming)}


def catalogs(*destinations, **fields):
    return Mirrored((), [MirroredCatalog(parse_reference(text), **fields) for text in destinations])


def meaning(resources):
    """Objects without what says when and by whom they were made, and without an order where none matters."""
    found = []
    for document in copy.deepcopy([document for documents in resources.values() for document in documents]):
        document["metadata"].pop("annotations")
        for listed in document["spec"].values() if "spec" in document else ():
            if isinstance(listed, list):
                listed.sort(key=lambda entry: entry["source"])
        found.append(document)
    return sorted(found, key=lambda document: (document["kind"], document["metadata"]["name"]))


class TestMirrorSets:
    def test_digests_and_tags_are_told_apart(self):
        images = [additional(f"quay.io/a/b@{DIGEST}"), additional("quay.io/c/d:1"), additional(f"quay.io/e/f:1@{DIGEST}")]
        assert entries(digest_mirror_sets(images)) == {"idms-generic-0": {"quay.io/a": ["mirror.lab/m/a"], "quay.io/e": ["mirror.lab/m/e"]}}
        assert entries(tag_mirror_sets(images)) == {"itms-generic-0": {"quay.io/c": ["mirror.lab/m/c"], "quay.io/e": ["mirror.lab/m/e"]}}

    def test_a_repository_without_a_namespace_tells_of_its_whole_registry(self):
        assert entries(tag_mirror_sets([additional("quay.io/b:1")])) == {"itms-generic-0": {"quay.io": ["mirror.lab/m"]}}

    def test_images_of_docker_hub_are_told_by_their_full_name(self):
        found = entries(tag_mirror_sets([additional("busybox:1"), additional("team/app:1")]))
        expected = {"docker.io/library/busybox": ["mirror.lab/m/busybox"], "docker.io/team": ["mirror.lab/m/team"]}
        assert found == {"itms-generic-0": expected}

    def test_a_renamed_repository_is_told_alone(self):
        found = entries(digest_mirror_sets([additional(f"quay.io/a/b@{DIGEST}", target_repo="x/y")]))
        assert found == {"idms-generic-0": {"quay.io/a/b": ["mirror.lab/m/x/y"]}}

    def test_a_path_that_ends_in_the_same_letters_is_another_path(self):
        found = entries(tag_mirror_sets([additional("quay.io/lab/app:1", target_repo="mylab/app")]))
        assert found == {"itms-generic-0": {"quay.io/lab/app": ["mirror.lab/m/mylab/app"]}}

    def test_an_image_with_another_tag_is_not_told_by_tag_but_by_digest(self):
        assert tag_mirror_sets([additional("quay.io/a/b:1", target_tag="2")]) == []
        assert len(digest_mirror_sets([additional(f"quay.io/a/b@{DIGEST}", target_tag="2")])) == 1

    def test_images_from_disk_are_not_told(self):
        images = [additional("oci:///data/a"), additional(f"oci:///data/b@{DIGEST}")]
        assert tag_mirror_sets(images) == digest_mirror_sets(images) == []

    def test_shortened_paths_are_told_repository_by_repository(self):
        naming = Naming(Location("mirror.lab", "m"), 2)
        images = [naming.operator_image("quay.io/a/b:1"), naming.operator_image("quay.io/a/c:1")]
        found = entries(tag_mirror_sets(images, repository_scope=True))
        assert found == {"itms-operator-0": {"quay.io/a/b": ["mirror.lab/m/a-b"], "quay.io/a/c": ["mirror.lab/m/a-c"]}}

    def test_two_places_of_one_source_are_both_mirrors(self):
        images = [additional(f"quay.io/a/b@{DIGEST}", target_repo=repository) for repository in ("z/b", "x/y", "z/b")]
        assert entries(digest_mirror_sets(images)) == {"idms-generic-0": {"quay.io/a/b": ["mirror.lab/m/x/y", "mirror.lab/m/z/b"]}}

    def test_the_installer_finds_release_payloads_by_digest(self):
        payload = LAB.release(parse_source("quay.io/openshift-release-dev/ocp-release:4.16.3-x86_64"))
        expected = {"quay.io/openshift-release-dev/ocp-release": ["mirror.lab/m/openshift/release-images"]}
        assert entries(digest_mirror_sets([payload])) == {"idms-release-0": expected}
        assert entries(tag_mirror_sets([payload])) == {"itms-release-0": expected}

    def test_the_order_of_images_changes_no_byte(self):
        images = [additional(f"quay.io/{name}/x:1") for name in "cab"] + [LAB.operator_image("quay.io/o/p:1")]
        assert cluster_resources(Mirrored(images), LAB) == cluster_resources(Mirrored(images[::-1]), LAB)
        sets = tag_mirror_sets(images)
        assert [document["metadata"]["name"] for document in sets] == ["itms-operator-0", "itms-generic-0"]
        assert [entry["source"] for entry in sets[1]["spec"]["imageTagMirrors"]] == ["quay.io/a", "quay.io/b", "quay.io/c"]

    def test_nothing_mirrored_makes_no_file(self):
        assert cluster_resources(Mirrored(()), LAB) == []


class TestCatalogs:
    @pytest.mark.parametrize(
        ("destination", "name"),
        [
            ("mirror.lab/m/redhat/redhat-operator-index:v4.16", "redhat-operator-index-v4-16"),
            (f"mirror.lab/m/index:sha256-{'ab' * 32}", "index-sha256-ababa"),
            ("mirror.lab/m/my.own_index:V1", "my-own-index-v1"),
            ("mirror.lab/m/index:1.2.3-beta.1-x", "index-1-2-3-beta-1"),
            ("mirror.lab/m/index:_", "index-0"),
        ],
    )
    def test_objects_are_named_after_the_repository_and_the_tag(self, destination, name):
        found = objects(catalogs(destination))
        assert set(found) == {f"cs-{name}.yaml", f"cc-{name}.yaml"}
        assert found[f"cs-{name}.yaml"][0]["metadata"]["name"] == f"cs-{name}"
        assert found[f"cc-{name}.yaml"][0]["metadata"]["name"] == f"cc-{name}"
        assert found[f"cs-{name}.yaml"][0]["spec"] == {"sourceType": "grpc", "image": destination}

    def test_a_chosen_name_is_the_name_of_both(self):
        found = objects(catalogs("mirror.lab/m/index:v1", name="redhat-operators"))
        assert {document["metadata"]["name"] for (document,) in found.values()} == {"redhat-operators"}

    def test_two_generated_names_do_not_meet(self):
        found = objects(catalogs("mirror.lab/m/a/index:v1", "mirror.lab/m/b/index:v1"))
        images = {document["spec"]["image"] for name, (document,) in found.items() if name.startswith("cs-")}
        assert images == {"mirror.lab/m/a/index:v1", "mirror.lab/m/b/index:v1"}
        assert "cs-index-v1.yaml" in found
        assert objects(catalogs("mirror.lab/m/b/index:v1", "mirror.lab/m/a/index:v1")) == found

    def test_a_name_that_is_chosen_twice_is_refused(self):
        with pytest.raises(InputError, match="another catalogSourceName"):
            cluster_resources(catalogs("mirror.lab/m/a:1", "mirror.lab/m/b:1", name="same"), LAB)

    def test_a_name_that_grows_too_long_is_refused(self):
        with pytest.raises(InputError, match="more than 63 characters"):
            cluster_resources(catalogs(f"mirror.lab/m/{'a' * 60}:1"), LAB)

    def test_of_a_template_all_is_kept_but_what_makes_it_this_catalogs(self, tmp_path):
        path = tmp_path / "template.yaml"
        template = {
            "apiVersion": "operators.coreos.com/v1alpha1",
            "kind": "CatalogSource",
            "metadata": {
                "name": "other",
                "namespace": "other",
                "creationTimestamp": None,
                "labels": {"a": "b"},
                "annotations": {"c": "d", "createdBy": "e"},
            },
            "spec": {"image": "other", "displayName": "Ours", "updateStrategy": {"registryPoll": {"interval": "30m"}}},
            "status": {"x": 1},
        }
        path.write_text(yaml.safe_dump(template))
        found = objects(catalogs("mirror.lab/m/index:v1", template=load_template(path)))
        assert found["cs-index-v1.yaml"] == [
            {
                "apiVersion": "operators.coreos.com/v1alpha1",
                "kind": "CatalogSource",
                "metadata": {
                    "name": "cs-index-v1",
                    "namespace": "openshift-marketplace",
                    "labels": {"a": "b"},
                    "annotations": {"c": "d", "createdBy": "quayside.airgap"},
                },
                "spec": {
                    "sourceType": "grpc",
                    "image": "mirror.lab/m/index:v1",
                    "displayName": "Ours",
                    "updateStrategy": {"registryPoll": {"interval": "30m"}},
                },
            }
        ]

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"apiVersion": "v1"}, "apiVersion: it must be operators.coreos.com/v1alpha1"),
            ({"kind": "Pod"}, "kind: it must be CatalogSource"),
            ({"spec": {"sourceType": "internal"}}, "spec.sourceType: it must be grpc"),
            ({"spec": {"configMap": "x"}}, "spec.configMap: it has no place here"),
            ({"spec": "x"}, "spec: it must be a mapping"),
            ({"metadata": ["x"]}, "metadata: it must be a mapping"),
            ({"metadata": {"annotations": "x"}}, "metadata.annotations: it must be a mapping"),
        ],
    )
    def test_a_template_for_something_else_is_refused(self, tmp_path, change, why):
        path = tmp_path / "template.yaml"
        path.write_text(yaml.safe_dump({"apiVersion": "operators.coreos.com/v1alpha1", "kind": "CatalogSource", **change}))
        with pytest.raises(InputError) as error:
            load_template(path)
        assert why in str(error.value)

    def test_a_template_that_is_no_document_is_refused(self, tmp_path):
        path = tmp_path / "template.yaml"
        path.write_text("- 1\n")
        with pytest.raises(InputError, match="it must be a mapping, not a list"):
            load_template(path)
        with pytest.raises(FileError):
            load_template(tmp_path / "none.yaml")


class TestReleases:
    def test_the_update_service_serves_what_was_mirrored(self):
        found = objects(Mirrored((), graph=True))
        assert found["updateService.yaml"][0]["spec"] == {
            "replicas": 2,
            "releases": "mirror.lab/m/openshift/release-images",
            "graphDataImage": "mirror.lab/m/openshift/graph-image:latest",
        }

    def test_signatures_are_there_as_yaml_and_as_json(self):
        signatures = [ReleaseSignature(DIGEST, b"two"), ReleaseSignature("sha256:" + "0" * 64, b"x"), ReleaseSignature(DIGEST, b"one")]
        files = {entry.name: entry.content for entry in cluster_resources(Mirrored((), signatures=[*signatures, signatures[0]]), LAB)}
        document = json.loads(files["signature-configmap.json"])
        assert document == yaml.safe_load(files["signature-configmap.yaml"])
        assert {key: base64.b64decode(value) for key, value in document["binaryData"].items()} == {
            f"sha256-{'0' * 64}-1": b"x",
            f"sha256-{'ab' * 32}-2": b"one",
            f"sha256-{'ab' * 32}-3": b"two",
        }

    def test_the_graph_is_in_no_mirror_set(self):
        image = LAB.release(parse_source("quay.io/a/b:1"))
        graph = type(image)(ImageKind.GRAPH, image.origin, image.source, LAB.graph())
        assert objects(Mirrored([graph])) == {}


class TestRecordedRuns:
    @pytest.mark.parametrize(
        "name",
        ["m2m-full", "m2m-blocked", "m2m-ops-headsonly", "m2m-ops-multi-target", "m2m-rel-range", "err-broken-operator"],
    )
    def test_the_cluster_is_told_what_the_tool_tells_it(self, name, tmp_path):
        recorded = case(name)
        (tmp_path / "isc.yaml").write_text(recorded.text("isc.yaml"))
        images = recorded_images(recorded, load_image_set(tmp_path / "isc.yaml"))
        told = recorded.resources()
        naming = Naming(Location("localhost:25102"))
        told_signatures = told.get("signature-configmap.yaml", [{"binaryData": {}}])[0]["binaryData"]
        signatures = [ReleaseSignature(f"sha256:{key.split('-')[1]}", base64.b64decode(text)) for key, text in told_signatures.items()]
        served = [MirroredCatalog(image.destination) for image in images if image.kind == ImageKind.CATALOG]
        found = objects(Mirrored(images, served, signatures), naming)
        for document in told.get("itms-oc-mirror.yaml", []):
            # a path of the disk, and an image that got another tag: no cluster can use these
            useless = ("/lab/files/oci-disk-image", "src.lab.example/lab/app-a")
            listed = document["spec"]["imageTagMirrors"]
            document["spec"]["imageTagMirrors"] = [entry for entry in listed if entry["source"] not in useless]
        assert set(found) == set(told)
        assert meaning(found) == meaning(told)


class TestFiles:
    def test_files_are_written_once(self, tmp_path):
        folder = tmp_path / "working-dir" / "cluster-resources"
        files = cluster_resources(Mirrored([additional("quay.io/a/b:1")], catalogs("mirror.lab/m/index:v1").catalogs), LAB)
        changes = compare_files(folder, files)
        assert not folder.exists()
        assert [entry.name for entry in changes.write] == ["cc-index-v1.yaml", "cs-index-v1.yaml", "itms-oc-mirror.yaml"]
        changes.apply()
        again = compare_files(folder, files)
        assert not again
        assert again.same == ("cc-index-v1.yaml", "cs-index-v1.yaml", "itms-oc-mirror.yaml")
        assert (folder / "cs-index-v1.yaml").stat().st_mode & 0o777 == 0o644

    def test_what_an_earlier_run_left_goes_and_what_others_wrote_stays(self, tmp_path):
        earlier = Mirrored([additional("quay.io/a/b:1")], catalogs("mirror.lab/m/index:v1").catalogs, [ReleaseSignature(DIGEST, b"x")])
        compare_files(tmp_path, cluster_resources(earlier, LAB)).apply()
        foreign = {
            "cs-foreign.yaml": "apiVersion: v1\nmetadata:\n  annotations:\n    createdBy: oc-mirror v2\n",
            "mixed.yaml": "---\nmetadata: {annotations: {createdBy: quayside.airgap}}\n---\nmetadata: {}\n",
            "broken.yaml": "a: [",
            "notes.txt": "createdBy: quayside.airgap",
            "empty.yaml": "",
            "list.json": "[1]",
            "text.yaml": "metadata: {annotations: quayside.airgap}\n",
        }
        for name, text in foreign.items():
            (tmp_path / name).write_text(text)
        (tmp_path / "folder.yaml").mkdir()
        changes = compare_files(tmp_path, cluster_resources(Mirrored([additional("quay.io/a/b:1")]), LAB))
        assert changes.remove == ("cc-index-v1.yaml", "cs-index-v1.yaml", "signature-configmap.json", "signature-configmap.yaml")
        changes.apply()
        assert {path.name for path in tmp_path.iterdir()} == {*foreign, "folder.yaml", "itms-oc-mirror.yaml"}

    def test_a_file_that_was_changed_by_hand_is_written_again(self, tmp_path):
        files = cluster_resources(Mirrored([additional("quay.io/a/b:1")]), LAB)
        compare_files(tmp_path, files).apply()
        (tmp_path / "itms-oc-mirror.yaml").write_text("changed")
        changes = compare_files(tmp_path, files)
        assert changes.write == tuple(files)
        changes.apply()
        assert not compare_files(tmp_path, files)

    def test_a_folder_that_cannot_be_made_is_told(self, tmp_path):
        (tmp_path / "file").write_text("")
        changes = compare_files(tmp_path / "file" / "folder", [ResourceFile("a.yaml", b"a: 1\n")])
        with pytest.raises(FileError, match="folder"):
            changes.apply()
