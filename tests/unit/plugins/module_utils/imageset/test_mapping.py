# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mapping.txt and missing.txt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config import load_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import AdditionalImage
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.mapping import mapping_lines, write_mapping
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import ImageKind, Naming
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Location
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded import case, recorded_images

DIGEST = "sha256:" + "ab" * 32
LAB = Naming(Location("mirror.lab", "m"))
CACHE = "docker://localhost:25155/"


def additional(name, **targets):
    return LAB.additional(AdditionalImage(name, **targets))


def images_of(recorded, tmp_path):
    """The images of a recorded run; what it took of the catalogs is in the record of another run of the same configuration."""
    (tmp_path / "isc.yaml").write_text(recorded.text("isc.yaml"))
    complete = replace(recorded, related_images=case("m2m-full").related_images)
    return recorded_images(complete, load_image_set(tmp_path / "isc.yaml"))


class TestLines:
    def test_a_line_says_from_where_to_where(self):
        assert mapping_lines([additional("quay.io/a/b:1")]) == ["docker://quay.io/a/b:1=docker://mirror.lab/m/a/b:1"]
        assert mapping_lines([additional(f"quay.io/a/b:1@{DIGEST}")]) == [f"docker://quay.io/a/b@{DIGEST}=docker://mirror.lab/m/a/b:1"]
        assert mapping_lines([additional("oci:///data/x")]) == ["oci:///data/x=docker://mirror.lab/m/data/x:latest"]

    def test_lines_stand_in_the_order_of_mirroring_and_once(self):
        images = [LAB.operator_image("quay.io/o/bundle:1", bundle=True), additional("quay.io/z:1"), additional("quay.io/b:1")]
        expected = ["quay.io/b:1=", "quay.io/z:1=", "quay.io/o/bundle:1="]
        for given in (images, images[::-1], images * 2):
            assert [line.partition("docker://")[2].partition("docker://")[0] for line in mapping_lines(given)] == expected

    def test_a_run_to_disk_has_a_folder_in_the_place_of_the_registry(self):
        lines = mapping_lines([Naming(Location("mirror.lab")).helm_image("quay.io/a/b:1")], destination="file:///data/mirror")
        assert lines == ["docker://quay.io/a/b:1=file:///data/mirror/a/b:1"]


class TestFiles:
    def test_what_is_missing_has_a_file_of_its_own_while_something_is(self, tmp_path):
        images = [additional("quay.io/a:1"), additional("quay.io/b:1")]
        folder = tmp_path / "working-dir" / "dry-run"
        files = write_mapping(folder, images, images[1:])
        assert [path.read_text() for path in files] == [
            "docker://quay.io/a:1=docker://mirror.lab/m/a:1\ndocker://quay.io/b:1=docker://mirror.lab/m/b:1\n",
            "docker://quay.io/b:1=docker://mirror.lab/m/b:1\n",
        ]
        assert write_mapping(folder, images) == files[:1]
        assert [path.name for path in folder.iterdir()] == ["mapping.txt"]

    def test_a_folder_that_cannot_be_made_is_told(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(FileError, match="make the folder"):
            write_mapping(tmp_path / "file" / "dry-run", [])

    def test_an_old_list_that_cannot_be_removed_is_told(self, tmp_path):
        (tmp_path / "missing.txt").mkdir()
        with pytest.raises(FileError, match=r"remove .*missing\.txt"):
            write_mapping(tmp_path, [])


class TestRecordedRuns:
    def test_straight_across_all_images_go_where_the_tool_sends_them(self, tmp_path):
        recorded = case("m2m-dryrun")
        lines = set(recorded.files["dry-run/mapping.txt"])
        children = {line for line in lines if "@sha256:" in line.rpartition("=")[2]}
        # the tool pushes the filtered catalog from a registry of its own, and keeps the original there
        cache = {line for line in lines if CACHE in line}
        images = images_of(recorded, tmp_path)
        assert set(mapping_lines(image for image in images if image.kind != ImageKind.CATALOG)) == lines - children - cache
        (catalog,) = mapping_lines(image for image in images if image.kind == ImageKind.CATALOG)
        assert catalog.partition("=")[2] in {line.partition("=")[2] for line in cache}

    def test_to_disk_all_images_get_the_names_that_the_tool_gives_them(self, tmp_path):
        recorded = replace(case("m2d-dryrun"), arguments=CACHE.rstrip("/"))
        assert set(mapping_lines(images_of(recorded, tmp_path))) == {
            # the catalog is named by its digest in the tool's own line
            line.replace("@sha256:cc7954469a35e3dddb9a2bd2277d72af508ec339f3180c18396c76bd7d198641=", ":v4.99=")
            for line in recorded.files["dry-run/mapping.txt"]
        }
