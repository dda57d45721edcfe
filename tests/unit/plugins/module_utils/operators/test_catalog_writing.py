# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Catalogs as they are written: the same bytes for the same choice."""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_filter import CatalogChoice, PackageChoice, filter_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_reading import read_tree
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_writing import catalog_files, write_catalog
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.operators.builders import (
    bundle,
    chain,
    deprecations,
    package_blobs,
    read,
    read_files,
)

FULL = CatalogChoice(full=True)


def files(catalog, choice=FULL):
    return {name: b"".join(pieces).decode() for name, pieces in catalog_files(catalog, filter_catalog(catalog, choice))}


def objects(text):
    decoder, found, position = json.JSONDecoder(), [], 0
    while position < len(text):
        value, end = decoder.raw_decode(text, position)
        found.append(value)
        position = end + 1
    return found


def outcome(*blobs):
    return objects(files(read(*blobs))["op/catalog.json"])


def test_the_form_is_that_of_opm():
    text = files(read(*package_blobs({"a": chain("1.0.0")}, bundles=[bundle("1.0.0", image="r.example/b:1", relatedImages=[])])))
    assert text == {
        "op/catalog.json": """{
    "schema": "olm.package",
    "name": "op",
    "defaultChannel": "a"
}
{
    "schema": "olm.channel",
    "name": "a",
    "package": "op",
    "entries": [
        {
            "name": "op.v1.0.0"
        }
    ]
}
{
    "schema": "olm.bundle",
    "name": "op.v1.0.0",
    "package": "op",
    "image": "r.example/b:1",
    "properties": [
        {
            "type": "olm.package",
            "value": {
                "packageName": "op",
                "version": "1.0.0"
            }
        }
    ]
}
"""
    }


def test_the_order_of_blobs():
    blobs = package_blobs({"b": chain("1.0.0"), "a": chain("1.0.0", "1.1.0")})
    others = [
        {"schema": "z", "package": "op"},
        {"schema": "x", "package": "op", "name": "2"},
        {"schema": "x", "package": "op", "name": "1"},
    ]
    found = [(blob["schema"], blob.get("name", "")) for blob in outcome(*others, deprecations(), *reversed(blobs))]
    assert found == [
        ("olm.package", "op"),
        ("olm.channel", "a"),
        ("olm.channel", "b"),
        ("olm.bundle", "op.v1.0.0"),
        ("olm.bundle", "op.v1.1.0"),
        ("x", "2"),
        ("x", "1"),
        ("z", ""),
        ("olm.deprecations", ""),
    ]


def test_entries_keep_their_order_and_fields_get_theirs():
    channel = [{"skipRange": ">=1.0.0 <2.0.0", "skips": [], "replaces": "", "name": "op.v2.0.0", "new": {"b": 1, "a": 2}}]
    found = outcome(*package_blobs({"a": channel}))[1]["entries"]
    assert json.dumps(found) == '[{"name": "op.v2.0.0", "skipRange": ">=1.0.0 <2.0.0", "new": {"a": 2, "b": 1}}]'


def test_what_the_format_does_not_know_is_kept_behind_what_it_knows():
    blob = bundle("1.0.0", Image="", extra={"z": 1, "a": [{"d": 1, "c": 2}]})
    blob["image"], blob["IMAGE2"] = "r.example/b:1", 1
    del blob["Image"]
    found = outcome(*package_blobs({"a": chain("1.0.0")}, bundles=[blob]))[2]
    assert list(found) == ["schema", "name", "package", "image", "properties", "IMAGE2", "extra"]
    assert json.dumps(found["extra"]) == '{"a": [{"c": 2, "d": 1}], "z": 1}'


def test_known_fields_get_the_names_of_the_format():
    text = json.dumps(package_blobs({"a": chain("1.0.0")})[0]).replace("defaultChannel", "DEFAULTCHANNEL")
    rest = "".join(json.dumps(blob) for blob in package_blobs({"a": chain("1.0.0")})[1:])
    assert objects(files(read_files({"x": text + rest}))["op/catalog.json"])[0] == {
        "schema": "olm.package",
        "name": "op",
        "defaultChannel": "a",
    }


def test_characters_are_written_as_they_are_but_for_what_json_or_javascript_forbid():
    note = 'ä€😀 <&> "\\\n\t\x01 \u2028\u2029 \x7f \ud800'
    text = files(read(*package_blobs({"a": chain("1.0.0")}, description=note)))["op/catalog.json"]
    assert '"ä€😀 <&> \\"\\\\\\n\\t\\u0001 \\u2028\\u2029 \x7f \ufffd"' in text


def test_numbers_are_written_as_the_tools_write_them():
    properties = [{"type": "x", "value": [1, 1.0, 1.5, -2.0, 1e3, 12345678901234567890, 1e300]}]
    blob = bundle("1.0.0", properties=properties)
    found = outcome(*package_blobs({"a": chain("1.0.0")}, bundles=[blob]))[2]["properties"][1]["value"]
    assert json.dumps(found) == "[1, 1, 1.5, -2, 1000, 12345678901234567890, 1e+300]"


def test_what_belongs_to_no_package_lies_at_the_root():
    catalog = read({"schema": "y", "b": 1, "a": 2}, {"schema": "x"}, *package_blobs({"a": chain("1.0.0")}))
    found = files(catalog)
    assert list(found) == ["catalog.json", "op/catalog.json"]
    assert found["catalog.json"] == '{\n    "schema": "x"\n}\n{\n    "a": 2,\n    "b": 1,\n    "schema": "y"\n}\n'


def test_the_order_in_which_it_was_read_does_not_matter():
    blobs = [*package_blobs({"b": chain("1.0.0"), "a": chain("1.0.0")}), *package_blobs({"x": chain("2.0.0", package="z")}, "z")]
    assert files(read(*blobs)) == files(read(*reversed(blobs)))


class TestFolders:
    blobs = (*package_blobs({"a": chain("1.0.0", "1.1.0")}), *package_blobs({"x": chain("2.0.0", package="z")}, "z"))

    def write(self, folder, *packages):
        catalog = read(*self.blobs)
        write_catalog(catalog, filter_catalog(catalog, CatalogChoice(tuple(map(PackageChoice, packages)))), folder)

    def test_a_folder_for_each_package(self, tmp_path):
        self.write(tmp_path / "configs")
        assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
            "configs",
            "configs/op",
            "configs/op/catalog.json",
            "configs/z",
            "configs/z/catalog.json",
        ]

    def test_what_was_there_is_replaced(self, tmp_path):
        self.write(tmp_path / "deep" / "configs")
        self.write(tmp_path / "deep" / "configs", "op")
        assert os.listdir(tmp_path / "deep") == ["configs"]
        assert os.listdir(tmp_path / "deep" / "configs") == ["op"]

    def test_what_was_written_reads_the_same(self, tmp_path):
        self.write(tmp_path / "one")
        with read_tree(tmp_path / "one") as catalog:
            write_catalog(catalog, filter_catalog(catalog, FULL), tmp_path / "two")
        for name in ("op/catalog.json", "z/catalog.json"):
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()

    def test_a_folder_may_be_written_over_the_one_it_is_read_from(self, tmp_path):
        self.write(tmp_path / "configs")
        with read_tree(tmp_path / "configs") as catalog:
            write_catalog(catalog, filter_catalog(catalog, CatalogChoice((PackageChoice("z"),))), tmp_path / "configs")
        assert os.listdir(tmp_path / "configs") == ["z"]

    def test_a_failure_leaves_what_was_there(self, tmp_path):
        self.write(tmp_path / "configs")
        catalog = read_tree(tmp_path / "configs")
        selection = filter_catalog(catalog, FULL)
        (tmp_path / "configs" / "z" / "catalog.json").write_text("")
        with pytest.raises(FileError, match="it has become shorter"):
            write_catalog(catalog, selection, tmp_path / "configs")
        assert sorted(os.listdir(tmp_path / "configs")) == ["op", "z"]
        assert os.listdir(tmp_path) == ["configs"]

    def test_a_place_that_cannot_be_written_is_named(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(FileError, match=r"write the catalog to .*file/configs"):
            self.write(tmp_path / "file" / "configs")
