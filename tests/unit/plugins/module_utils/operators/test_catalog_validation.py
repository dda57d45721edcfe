# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a catalog from being loaded."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_validation import validate_catalog
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.operators.builders import (
    bundle,
    chain,
    deprecations,
    entry,
    package_blobs,
    read,
)


def told(*blobs, recent=False):
    return [str(fault) for fault in validate_catalog(read(*blobs)) if recent or not fault.recent]


@pytest.mark.parametrize(
    "blobs",
    [
        package_blobs({"a": chain("1.0.0", "1.1.0"), "b": chain("1.1.0")}),
        package_blobs({"a": [entry("2.0.0", "1.9.0", skips=["1.8.0"], skip_range="<2.0.0")]}),
        [*package_blobs({"a": chain("1.0.0")}), deprecations(("olm.package", "", "x"), ("olm.channel", "a", "y"))],
        [*package_blobs({"a": chain("1.0.0")}), {"schema": "anything", "package": "op"}, {"schema": "anything"}],
        package_blobs({"a": chain("1.0.0+1", "1.0.0+2")}),
        [],
    ],
)
def test_a_good_catalog(blobs):
    assert told(*blobs, recent=True) == []


ONE = package_blobs({"a": chain("1.0.0")})
FILE = "package op: op/catalog.json: "


@pytest.mark.parametrize(
    ("blobs", "fault"),
    [
        (package_blobs({"a": chain("1.0.0")}, default="b"), "olm.package op: defaultChannel: there is no channel 'b'"),
        ([{**ONE[0], "defaultChannel": ""}, *ONE[1:]], "olm.package op: defaultChannel: it is missing"),
        ([ONE[0]], "olm.package op: it has no channels"),
        ([*ONE, {"schema": "olm.channel", "package": "op", "name": "b"}], "olm.channel b: it has no entries"),
        (ONE[:2], "olm.channel a: entries[0]: there is no bundle 'op.v1.0.0'"),
        ([*ONE, bundle("2.0.0")], "olm.bundle op.v2.0.0: it is in no channel"),
        (package_blobs({"a": [entry("1.0.0"), entry("1.0.0")]}), "olm.channel a: entries[1]: op.v1.0.0 is there twice"),
        (package_blobs({"a": [entry("1.0.0"), entry("2.0.0")]}), "olm.channel a: it has several heads: op.v1.0.0, op.v2.0.0"),
        (package_blobs({"a": [entry("1.0.0", "2.0.0"), entry("2.0.0", "1.0.0")]}), "olm.channel a: it has no head"),
        (
            package_blobs({"a": [entry("3.0.0", "2.0.0"), entry("2.0.0", "1.0.0"), entry("1.0.0", "2.0.0")]}),
            "olm.channel a: its updates go in a circle: op.v2.0.0 replaces op.v1.0.0 replaces op.v2.0.0",
        ),
        (
            package_blobs({"a": [entry("3.0.0", skips=["2.0.0"]), entry("2.0.0", "1.0.0"), entry("1.0.0")]}),
            "olm.channel a: no update leads away from op.v1.0.0",
        ),
        (package_blobs({"a": [{"name": "op.v1.0.0", "skips": [""]}]}), "olm.channel a: entries[0].skips: a name is empty"),
        (
            package_blobs(
                {"a": [{"name": "op.one"}, {"name": "op.two", "replaces": "op.one"}]},
                bundles=[bundle("1.0.0", name=f"op.{n}") for n in ("one", "two")],
            ),
            "olm.package op: several bundles have the version 1.0.0: op.one, op.two",
        ),
        (
            [*ONE, deprecations(("olm.bundle", "op.v9.0.0", "x"))],
            "olm.deprecations: entries[0].reference.name: there is no olm.bundle 'op.v9.0.0'",
        ),
        ([*ONE, deprecations(("olm.channel", "z", "x"))], "olm.deprecations: entries[0].reference.name: there is no olm.channel 'z'"),
        ([*ONE, deprecations(("olm.package", "op", "x"))], "olm.deprecations: entries[0].reference.name: the name must be empty"),
        ([*ONE, deprecations(("x", "", "x"))], "olm.deprecations: entries[0].reference.schema: 'x' is nothing that can be deprecated"),
        ([*ONE, deprecations(("olm.channel", "a", ""))], "olm.deprecations: entries[0].message: it is missing"),
        ([*ONE, deprecations(*[("olm.channel", "a", "x")] * 2)], "olm.deprecations: entries[1]: olm.channel a is deprecated twice"),
        (
            package_blobs({"a": chain("1.0.0")}, bundles=[{**bundle("1.0.0"), "image": "A B"}]),
            "olm.bundle op.v1.0.0: image: 'A B' is no reference",
        ),
    ],
)
def test_a_fault_is_told_with_its_place(blobs, fault):
    found = told(*blobs)
    assert [line[: len(FILE + fault)] for line in found] == [FILE + fault]


@pytest.mark.parametrize("name", ["Op", "op_1", "-op", "op-", "a.b", "../up", "x" * 64])
def test_a_package_needs_a_name_that_kubernetes_takes(name):
    blobs = package_blobs({"a": chain("1.0.0", package=name)}, name)
    assert any("name: it is not made of at most 63" in line for line in told(*blobs))


def test_what_only_newer_tools_refuse_is_marked():
    channel = [entry("1.0.0"), entry("2.0.0", "1.0.0"), entry("3.0.0", "2.0.0", skips=["2.0.0"], skip_range=">=1")]
    faults = validate_catalog(read(*package_blobs({"a": channel})))
    assert [fault.recent for fault in faults] == [True, True]
    assert "entries[2].skipRange: '>=1' is no range of versions" in str(faults[0])
    assert "no update leads away from op.v1.0.0" in str(faults[1])


def test_all_faults_of_all_packages_are_told():
    bad = [*package_blobs({"a": [entry("1.0.0", package="p"), entry("2.0.0", package="p")]}, "p", default="x"), {"name": "stray"}]
    found = told(*ONE[:2], *bad)
    assert len(found) == 4
    assert [line.partition(":")[0] for line in found] == ["op/catalog.json", "package op", "package p", "package p"]
