# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of images to delete."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config import image_set_yaml, load_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_fields import DocumentError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import ImageSet
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete_list import (
    DeleteItem,
    check_destination,
    delete_list_yaml,
    load_delete_list,
    write_delete_list,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import ImageKind, Naming, parse_source
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Location, Reference
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded import case, recorded_images

DIGEST = "sha256:" + "ab" * 32
LAB = Naming(Location("mirror.lab", "m"))
ENVELOPE = {"apiVersion": "mirror.openshift.io/v2alpha1", "kind": "DeleteImageList"}


def item(reference="docker://mirror.lab/m/a:1", name="quay.io/a:1", kind="generic"):
    return {"imageName": name, "imageReference": reference, "type": kind}


def faults(document):
    with pytest.raises(DocumentError) as error:
        load_delete_list(document)
    return {fault.path: fault.reason for fault in error.value.faults}


class TestReading:
    def test_an_item_says_what_lies_where(self):
        found = load_delete_list({**ENVELOPE, "items": [item(), item(f"docker://mirror.lab/m/b@{DIGEST}", "oci:///x", "operatorBundle")]})
        assert found == [
            DeleteItem("quay.io/a:1", Reference("mirror.lab", "m/a", "1"), ImageKind.ADDITIONAL),
            DeleteItem("oci:///x", Reference("mirror.lab", "m/b", None, DIGEST), ImageKind.BUNDLE),
        ]

    def test_a_place_that_is_named_twice_is_one_item(self):
        found = load_delete_list({**ENVELOPE, "items": [item(name="quay.io/first:1"), item("docker://mirror.lab/m/b:1"), item()]})
        assert [entry.name for entry in found] == ["quay.io/first:1", "quay.io/a:1"]

    def test_an_empty_list_is_a_list(self):
        assert load_delete_list({**ENVELOPE, "items": None}) == []

    @pytest.mark.parametrize("kind", list(ImageKind))
    def test_every_kind_has_a_word(self, kind):
        (found,) = load_delete_list({**ENVELOPE, "items": [item(kind=kind.value)]})
        assert found.kind == kind

    @pytest.mark.parametrize(
        ("document", "paths"),
        [
            ({"items": []}, {"apiVersion", "kind"}),
            ({**ENVELOPE, "kind": "ImageSetConfiguration", "items": []}, {"kind"}),
            ({**ENVELOPE, "apiVersion": "v1", "items": []}, {"apiVersion"}),
            ({**ENVELOPE, "items": {}}, {"items"}),
            ({**ENVELOPE, "images": []}, {"images"}),
            ({**ENVELOPE, "items": ["x"]}, {"items[0]"}),
            ({**ENVELOPE, "items": [{}]}, {"items[0].imageName", "items[0].imageReference", "items[0].type"}),
            ({**ENVELOPE, "items": [{**item(), "digest": "x"}]}, {"items[0].digest"}),
            ({**ENVELOPE, "items": [item("mirror.lab/m/a:1")]}, {"items[0].imageReference"}),
            ({**ENVELOPE, "items": [item("docker://mirror.lab/m/a")]}, {"items[0].imageReference"}),
            ({**ENVELOPE, "items": [item("docker://mirror.lab/M/a:1")]}, {"items[0].imageReference"}),
            ({**ENVELOPE, "items": [item(5)]}, {"items[0].imageReference"}),
            ({**ENVELOPE, "items": [item(name="quay.io/a")]}, {"items[0].imageName"}),
            ({**ENVELOPE, "items": [item(kind="image")]}, {"items[0].type"}),
            (
                {**ENVELOPE, "items": [item(kind=""), item(name=""), item("")]},
                {"items[0].type", "items[1].imageName", "items[2].imageReference"},
            ),
        ],
    )
    def test_every_fault_is_told_with_its_path(self, document, paths):
        assert set(faults(document)) == paths

    def test_files_are_read_as_strictly(self, tmp_path):
        path = tmp_path / "list.yaml"
        path.write_text("kind: DeleteImageList\nkind: DeleteImageList\napiVersion: mirror.openshift.io/v2alpha1\nitems: []\n")
        assert set(faults(path)) == {"kind"}
        path.write_text("")
        assert set(faults(path)) == {"the document"}
        path.write_text("- 1\n")
        assert set(faults(path)) == {"the document"}
        with pytest.raises(FileError):
            load_delete_list(tmp_path / "none.yaml")


class TestDestinations:
    def test_what_lies_below_the_destination_may_go(self):
        payload = parse_source("quay.io/openshift-release-dev/ocp-release:4.16.3-x86_64")
        images = [
            LAB.operator_image("quay.io/a/b:1"),
            LAB.release(payload),
            LAB.release_content(payload, "4.16.3-x86_64", "etcd"),
        ]
        check_destination([DeleteItem.of(image) for image in images], LAB)

    def test_what_was_mirrored_with_shortened_paths_may_go_too(self):
        naming = Naming(Location("mirror.lab", "m"), 2)
        images = [naming.operator_image("quay.io/a/b:1"), naming.release(parse_source("quay.io/a/b:1"))]
        check_destination([DeleteItem.of(image) for image in images], naming)

    @pytest.mark.parametrize(
        ("place", "kind", "why"),
        [
            ("mirror.lab/other/a:1", "generic", "it does not lie below mirror.lab/m"),
            ("mirror.lab/mm/a:1", "generic", "it does not lie below mirror.lab/m"),
            ("mirror.lab/m:1", "generic", "it does not lie below mirror.lab/m"),
            ("other.lab/m/a:1", "generic", "it does not lie below mirror.lab/m"),
            ("mirror.lab/m/b:1", "ocpRelease", "lies in mirror.lab/m/openshift/release-images"),
            ("mirror.lab/m/openshift/release-images:1", "ocpReleaseContent", "lies in mirror.lab/m/openshift/release"),
        ],
    )
    def test_what_lies_elsewhere_is_refused(self, place, kind, why):
        items = load_delete_list({**ENVELOPE, "items": [item(), item(f"docker://{place}", kind=kind)]})
        with pytest.raises(InputError) as error:
            check_destination(items, LAB)
        assert f"it has one fault: {place}: " in str(error.value)
        assert why in str(error.value)


class TestWriting:
    def test_the_files_carry_the_id_and_are_read_again(self, tmp_path):
        items = load_delete_list({**ENVELOPE, "items": [item("docker://mirror.lab/m/b:1"), item()]})
        image_set = ImageSet(blocked_images=("x",), archive_size=4)
        listed, configuration = write_delete_list(tmp_path / "delete", items, image_set, "lab1")
        assert (listed.name, configuration.name) == ("delete-images-lab1.yaml", "delete-imageset-config-lab1.yaml")
        assert load_delete_list(listed) == sorted(items, key=lambda entry: str(entry.reference))
        assert load_image_set(configuration) == ImageSet(kind="DeleteImageSetConfiguration")
        assert [path.name for path in write_delete_list(tmp_path / "delete", items, image_set)] == [
            "delete-images.yaml",
            "delete-imageset-config.yaml",
        ]

    @pytest.mark.parametrize("delete_id", ["../x", "a/b", "-a", "a b", "a" * 65, "a\n"])
    def test_an_id_that_is_no_part_of_a_name_is_refused(self, tmp_path, delete_id):
        with pytest.raises(InputError, match="the delete id"):
            write_delete_list(tmp_path, [], ImageSet(), delete_id)
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_cannot_be_made_is_told(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(FileError, match="make the folder"):
            write_delete_list(tmp_path / "file" / "delete", [], ImageSet())


class TestRecordedRuns:
    @pytest.mark.parametrize(("name", "file"), [("delete-gen", "delete-images-lab1.yaml"), ("delete-rel-gen", "delete/delete-images.yaml")])
    def test_the_lists_of_the_tool_are_read_and_written_alike(self, name, file, tmp_path):
        path = tmp_path / "list.yaml"
        path.write_text(case(name).text(file))
        found = load_delete_list(path)
        assert delete_list_yaml(found).decode() == case(name).text(file)
        naming = Naming(Location("localhost:25102", {"delete-gen": "mirror", "delete-rel-gen": "rel-range"}[name]))
        check_destination(found, naming)

    def test_the_list_for_an_image_set_is_the_one_that_the_tool_makes(self, tmp_path):
        recorded = case("m2m-full")
        path = tmp_path / "isc.yaml"
        path.write_text(recorded.text("isc.yaml"))
        images = [image for image in recorded_images(recorded, load_image_set(path)) if image.kind != ImageKind.CATALOG]
        written = delete_list_yaml(DeleteItem.of(image) for image in images).decode()
        assert written == case("delete-gen").text("delete-images-lab1.yaml")

    @pytest.mark.parametrize(
        ("name", "file"), [("delete-gen", "delete-imageset-config-lab1.yaml"), ("delete-rel-gen", "delete/delete-imageset-config.yaml")]
    )
    def test_the_configurations_of_the_tool_are_read_and_written_alike(self, name, file, tmp_path):
        path = tmp_path / "isc.yaml"
        path.write_text(case(name).text(file))
        assert yaml.safe_load(image_set_yaml(load_image_set(path))) == case(name).document(file)
        assert image_set_yaml(load_image_set(path)).decode() == case(name).text(file)

    def test_reading_a_configuration_sets_the_architecture_as_the_tool_does(self, tmp_path):
        path = tmp_path / "isc.yaml"
        path.write_text(case("delete-rel-gen").text("isc.yaml"))
        assert image_set_yaml(load_image_set(path)).decode() == case("delete-rel-gen").text("delete/delete-imageset-config.yaml")


values = (
    st.none()
    | st.integers()
    | st.sampled_from(["docker://mirror.lab/m/a:1", "generic", "", "x"])
    | st.text(alphabet="ab:/@\n\ud800", max_size=6)
)
items = st.dictionaries(st.sampled_from(["imageName", "imageReference", "type", "x"]), values, max_size=4) | values


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["kind", "apiVersion", "items", "x"]), values | st.lists(items, max_size=3), max_size=3))
def test_any_document_is_a_list_or_is_refused_with_paths(document):
    for given_document in (document, {**ENVELOPE, **document}):
        told = ()
        try:
            assert all(isinstance(entry, DeleteItem) for entry in load_delete_list(given_document))
        except DocumentError as error:
            told = error.faults
        assert all(fault.path and fault.reason and str(fault).isprintable() for fault in told)
