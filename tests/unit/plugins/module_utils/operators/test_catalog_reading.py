# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Catalogs as they come: many files, any order, JSON and YAML, and things that should not be there."""

from __future__ import annotations

import io
import json
import os

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_reading import (
    BytesSource,
    SpooledSource,
    read_catalog,
    read_tree,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.filebased_catalog import Gvk, Requirement
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.operators.builders import (
    bundle,
    chain,
    deprecations,
    entry,
    image,
    package_blobs,
    read,
    read_files,
)

PLAIN = package_blobs({"stable": chain("1.0.0", "1.1.0")})


def dump(*blobs):
    return "".join(json.dumps(blob) for blob in blobs)


def told(catalog):
    return [str(fault) for fault in catalog.faults]


def outline(catalog):
    return {
        name: ({channel: [item.name for item in found.entries] for channel, found in package.channels.items()}, sorted(package.bundles))
        for name, package in catalog.packages.items()
    }


WHOLE = {"op": ({"stable": ["op.v1.0.0", "op.v1.1.0"]}, ["op.v1.0.0", "op.v1.1.0"])}


def test_a_package_with_all_that_it_has():
    blobs = package_blobs(
        {
            "stable": [entry("1.0.0"), entry("1.2.0", "1.0.0", skips=["1.1.0"], skip_range=">=1.0.0 <1.2.0")],
            "fast": chain("2.0.0"),
        },
        bundles=[
            bundle(
                "2.0.0",
                properties=[
                    {"type": "olm.gvk", "value": {"group": "a.example", "kind": "A", "version": "v1"}},
                    {"type": "olm.gvk.required", "value": {"group": "b.example", "kind": "B", "version": "v2"}},
                    {"type": "olm.package.required", "value": {"packageName": "other", "versionRange": ">=1.0.0"}},
                ],
            )
        ],
    )
    catalog = read(*blobs, deprecations(("olm.bundle", "op.v1.0.0", "old")), {"schema": "lab.note", "package": "op", "name": "n"})
    package = catalog.packages["op"]
    assert told(catalog) == []
    assert package.default_channel == "stable"
    upper = package.channels["stable"].entries[1]
    assert (upper.replaces, upper.skips, upper.skip_range) == ("op.v1.0.0", ("op.v1.1.0",), ">=1.0.0 <1.2.0")
    found = package.bundles["op.v2.0.0"]
    assert str(found.version) == "2.0.0"
    assert found.image == image("op-bundle-2.0.0")
    assert found.provides == {Gvk("a.example", "A", "v1")}
    assert found.requires == (Requirement(gvk=Gvk("b.example", "B", "v2")), Requirement(package="other", versions=">=1.0.0"))
    assert [item.message for item in package.deprecations] == ["old"]
    assert [(other.schema, other.name) for other in package.others] == [("lab.note", "n")]
    assert catalog.blob(found.place)["name"] == "op.v2.0.0"


def test_neither_files_nor_order_matter():
    files = {f"{position}.json": dump(blob) for position, blob in enumerate(reversed(PLAIN))}
    assert outline(read_files(files)) == outline(read(*PLAIN)) == WHOLE


def test_yaml_reads_as_json_does():
    yaml = """---
schema: olm.package
name: op
defaultChannel: stable
---
schema: olm.channel
package: op
name: stable
entries:
- name: op.v1.0.0
- {name: op.v1.1.0, replaces: op.v1.0.0}
---
schema: olm.bundle
package: op
name: op.v1.0.0
image: registry.lab.example/ops/b:1
properties: [{type: olm.package, value: {packageName: op, version: 1.0.0}}]
---
{"schema": "olm.bundle", "package": "op", "name": "op.v1.1.0", "image": "registry.lab.example/ops/b:2",
 "properties": [{"type": "olm.package", "value": {"packageName": "op", "version": "1.1.0"}}]}
"""
    with read_files({"op/catalog.yaml": yaml, "z.json": dump({"schema": "x"})}) as catalog:
        assert told(catalog) == []
        assert outline(catalog) == WHOLE
        found = catalog.packages["op"].bundles["op.v1.0.0"]
        assert catalog.blob(found.place)["properties"][0]["value"]["version"] == "1.0.0"
        assert catalog.source_name(found.place) == "op/catalog.yaml"
        assert catalog.blob(catalog.others[0].place) == {"schema": "x"}


def test_fields_may_be_written_in_any_case():
    text = dump(*PLAIN).replace('"schema"', '"Schema"').replace('"defaultChannel"', '"DefaultChannel"').replace('"replaces"', '"Replaces"')
    assert outline(read_files({"a": text})) == WHOLE
    assert read_files({"a": text}).packages["op"].channels["stable"].entries[1].replaces == "op.v1.0.0"


def test_constraints_are_understood_as_far_as_a_catalog_can_tell():
    gvk = {"gvk": {"group": "a", "kind": "A", "version": "v1"}}
    package = {"package": {"packageName": "p", "versionRange": "1.x"}}
    values = [
        {"failureMessage": "no", **gvk},
        {"all": {"constraints": [gvk, package]}},
        {"any": {"constraints": [gvk, package]}},
        {"any": {"constraints": [gvk, {"cel": {"rule": "true"}}]}},
        {"not": {"constraints": [gvk]}},
        {"cel": {"rule": "true"}},
    ]
    properties = [{"type": "olm.constraint", "value": value} for value in values]
    catalog = read(*package_blobs({"stable": chain("1.0.0")}, bundles=[bundle("1.0.0", properties=properties)]))
    needs = [str(need) for need in catalog.packages["op"].bundles["op.v1.0.0"].requires]
    assert needs == [
        "the API a/v1 A",
        "the API a/v1 A and the package p 1.x",
        "the API a/v1 A or the package p 1.x",
    ]


class TestTrees:
    @pytest.fixture
    def tree(self, tmp_path):
        (tmp_path / "configs" / "op").mkdir(parents=True)
        (tmp_path / "configs" / "op" / "catalog.json").write_text(dump(*PLAIN))
        return tmp_path / "configs"

    def test_every_file_counts_but_those_that_are_left_out(self, tree):
        (tree / ".indexignore").write_text("*.md\n/drafts\n")
        (tree / "README.md").write_text("words")
        (tree / "drafts").mkdir()
        (tree / "drafts" / "op.json").write_text(dump(*PLAIN))
        (tree / "op" / ".indexignore").write_text("*.bak\n")
        (tree / "op" / "catalog.json.bak").write_text(dump(*PLAIN))
        catalog = read_tree(tree)
        assert told(catalog) == []
        assert outline(catalog) == WHOLE

    def test_a_stray_copy_is_a_fault(self, tree):
        (tree / "op" / "catalog.json.bak").write_text(dump(*PLAIN))
        catalog = read_tree(tree)
        assert "package op: op/catalog.json.bak: olm.package op: the package is there twice" in told(catalog)
        assert "package op: op/catalog.json.bak: olm.bundle op.v1.0.0: the bundle is there twice" in told(catalog)

    def test_links_lead_nowhere_outside(self, tree, tmp_path):
        (tmp_path / "secret").write_text('{"schema": "secret"}')
        os.symlink(tmp_path / "secret", tree / "link.json")
        os.symlink(tmp_path, tree / "folder")
        os.symlink(tree / "gone", tree / "broken.json")
        catalog = read_tree(tree)
        assert catalog.others == []
        assert told(catalog) == [f"{name}: it is no file of this catalog" for name in ("broken.json", "folder", "link.json")]

    def test_a_link_inside_is_a_file_like_others(self, tree):
        (tree / "op" / "catalog.json").rename(tree / "op" / ".indexignore-not")
        os.symlink(".indexignore-not", tree / "op" / "x.json")
        (tree / ".indexignore").write_text(".indexignore-not")
        assert outline(read_tree(tree)) == WHOLE

    def test_no_folder_is_an_error(self, tmp_path):
        with pytest.raises(FileError, match="there is no such folder"):
            read_tree(tmp_path / "gone")

    def test_a_file_that_shrinks_meanwhile_is_noticed(self, tree):
        catalog = read_tree(tree)
        (tree / "op" / "catalog.json").write_text("{}")
        with pytest.raises(FileError, match="it has become shorter"):
            catalog.blob(catalog.packages["op"].place)

    def test_a_file_that_changes_meanwhile_is_noticed(self, tree):
        catalog = read_tree(tree)
        (tree / "op" / "catalog.json").write_text("]" * 10000)
        with pytest.raises(FileError, match="it has changed"):
            catalog.blob(catalog.packages["op"].place)


def test_a_stream_that_can_be_read_once_is_kept_until_the_catalog_is_closed():
    source = SpooledSource.of("op/catalog.json", io.BytesIO(dump(*PLAIN).encode()))
    with read_catalog([source]) as catalog:
        assert outline(catalog) == WHOLE
        assert catalog.blob(catalog.packages["op"].place)["name"] == "op"
    with pytest.raises(ValueError, match="closed"):
        source.read(0, 1)


class TestFaults:
    def test_a_file_that_breaks_off_costs_its_packages_alone(self):
        other = package_blobs({"stable": chain("1.0.0", package="other")}, "other")
        catalog = read_files({"op/catalog.json": dump(*PLAIN)[:-20], "other/catalog.json": dump(*other)})
        assert [fault.package for fault in catalog.faults] == ["op"]
        assert told(catalog)[0].startswith("package op: op/catalog.json: line 1: it is no JSON")

    def test_a_broken_file_in_the_folder_of_a_package_costs_that_package(self):
        catalog = read_files({"op/catalog.json": dump(*PLAIN), "op/more.json": "{"})
        assert [fault.package for fault in catalog.faults] == ["op"]

    def test_a_stray_file_costs_nothing(self):
        catalog = read_files({"op/catalog.json": dump(*PLAIN), "README": "words"})
        assert told(catalog) == ["README: line 1: an object is expected here"]
        assert catalog.packages["op"].faults == []

    @pytest.mark.parametrize(
        ("blob", "why"),
        [
            ({"name": "x"}, "op/catalog.json: x: schema: it is missing"),
            ({"package": "op", "name": "x"}, "package op: op/catalog.json: x: schema: it is missing"),
            ({"schema": 5}, "op/catalog.json: line 1: schema: a text is expected, not 5"),
            ({"schema": "olm.package"}, "op/catalog.json: olm.package: name: it is missing"),
            ({"schema": "olm.channel", "name": "x"}, "op/catalog.json: olm.channel x: package: it is missing"),
            ({"schema": "olm.bundle", "package": "op"}, "package op: op/catalog.json: olm.bundle: name: it is missing"),
            ({"schema": "olm.deprecations"}, "op/catalog.json: olm.deprecations: package: it is missing"),
            ({"schema": "olm.channel", "package": "op", "name": 4.12}, "name: a text is expected, not 4.12"),
            ({"schema": "olm.channel", "package": "op", "name": "x", "entries": {}}, "olm.channel x: entries: a list is expected"),
            ({"schema": "olm.channel", "package": "op", "name": "x", "entries": ["y"]}, "x: entries[0]: an object is expected"),
            ({"schema": "olm.channel", "package": "op", "name": "x", "entries": [{}]}, "entries[0].name: it is missing"),
            ({"schema": "olm.channel", "package": "op", "name": "x", "entries": [{"name": "a", "skips": [1]}]}, "a list of names"),
            ({"schema": "olm.channel", "package": "op", "name": "stable"}, "olm.channel stable: the channel is there twice"),
            ({"schema": "olm.channel", "Schema": "x"}, "schema: it is there twice, in different cases"),
            ({"schema": "olm.channel", "package": "ghost", "name": "x"}, "package ghost: there is no olm.package blob for it"),
        ],
    )
    def test_blobs_that_nothing_can_be_made_of(self, blob, why):
        assert any(why in line for line in told(read(blob, *PLAIN))) or any(why in line for line in told(read(*PLAIN, blob)))

    def test_deprecations_twice(self):
        catalog = read(*PLAIN, deprecations(), deprecations())
        assert told(catalog) == ["package op: op/catalog.json: olm.deprecations: the package has deprecations twice"]

    @pytest.mark.parametrize(
        ("more", "why"),
        [
            ({"properties": None, "image": ""}, "properties: exactly one property of the type olm.package is expected, there are 0"),
            ({"extra": [{"type": "olm.package", "value": {"packageName": "op", "version": "1.0.0"}}]}, "there are 2"),
            ({"extra": [{"type": "olm.gvk", "value": "x"}]}, "properties[1].value: an object is expected"),
            ({"extra": [{"type": "olm.gvk", "value": {"kind": 1}}]}, "properties[1].value.kind: a text is expected"),
            ({"extra": [{"value": 1}]}, "properties[1].type: it is missing"),
            ({"extra": [{"type": "x"}]}, "properties[1].value: it is missing"),
            ({"extra": ["x"]}, "properties[1]: an object is expected"),
            ({"image": "Registry/UPPER"}, "image: 'Registry/UPPER' is no reference to an image"),
            ({"image": "docker://a.example/b:1"}, "image: 'docker://a.example/b:1' is no reference"),
            ({"image": ""}, "image: it is missing, and the bundle has no objects"),
            ({"relatedImages": [{"image": image("a")}, {"image": "a b"}]}, "relatedImages[1].image: 'a b' is no reference"),
            ({"relatedImages": ["x"]}, "relatedImages[0]: an object is expected"),
            ({"relatedImages": "x"}, "relatedImages: a list is expected"),
        ],
    )
    def test_bundles_that_cannot_be_loaded(self, more, why):
        extra = {"properties": more.pop("extra")} if "extra" in more else {}
        blob = {**bundle("1.0.0", **extra), **more}
        faults = read(*package_blobs({"stable": chain("1.0.0")}, bundles=[blob])).packages["op"].bundles["op.v1.0.0"].faults
        assert any(why in str(fault) for fault in faults), faults
        assert all(str(fault).startswith("package op: op/catalog.json: olm.bundle op.v1.0.0: ") for fault in faults)

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            ({"packageName": "other", "version": "1.0.0"}, "names the package 'other'"),
            ({"packageName": "op", "version": "v1.0.0"}, "the version 'v1.0.0' is no semantic version"),
            ({"packageName": "op", "version": "1.0.0", "release": "2"}, "it must be 'op-v1.0.0-2'"),
            ({"packageName": "op", "version": "1.0.0+b", "release": "2"}, "must not have build metadata"),
        ],
    )
    def test_versions_that_cannot_be_loaded(self, value, why):
        blob = {**bundle("1.0.0"), "properties": [{"type": "olm.package", "value": value}]}
        faults = read(*package_blobs({"stable": chain("1.0.0")}, bundles=[blob])).packages["op"].bundles["op.v1.0.0"].faults
        assert why in str(faults)

    @pytest.mark.parametrize("text", ["", "busybox", "quay.io/a/b", "localhost/a:1", "a.example:5000/b/c:1@sha256:" + "a" * 64])
    def test_images_that_can_be_loaded(self, text):
        blob = bundle("1.0.0", relatedImages=[{"name": "x", "image": text}])
        assert read(*package_blobs({"stable": chain("1.0.0")}, bundles=[blob])).packages["op"].bundles["op.v1.0.0"].faults == ()

    def test_a_bundle_may_carry_its_objects_instead_of_an_image(self):
        blob = bundle("1.0.0", image="", properties=[{"type": "olm.bundle.object", "value": {"data": "e30="}}])
        assert read(*package_blobs({"stable": chain("1.0.0")}, bundles=[blob])).packages["op"].bundles["op.v1.0.0"].faults == ()

    def test_yaml_that_json_cannot_hold(self):
        catalog = read_files({"op/a.yaml": "schema: x\npackage: op\nvalue: .inf\n", "op/catalog.json": dump(*PLAIN)})
        assert "it is nothing that JSON can hold" in told(catalog)[0]
        assert [fault.package for fault in catalog.faults] == ["op"]


def test_sources_are_closed_when_reading_fails():
    class Broken(BytesSource):
        def open(self):
            raise FileError("read", self.name, "it cannot be read")

    spooled = SpooledSource.of("a", io.BytesIO(b"{}"))
    with pytest.raises(FileError):
        read_catalog([spooled, Broken("b", b"")])
    with pytest.raises(ValueError, match="closed"):
        spooled.read(0, 1)
