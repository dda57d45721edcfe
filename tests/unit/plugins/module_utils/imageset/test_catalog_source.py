# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Catalogs as they are found: in a registry or on disk, for one platform or several, good ones and others."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.catalog_source import open_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import DigestMismatchError, NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layers import Limits
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import LocalSources
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries_conf import Endpoint, RegistriesConf, Rule
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.images import image, simple_image
from ansible_collections.quayside.airgap.tests.support.layer_builders import file, layer_of, symlink, write_layout
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.published import (
    CONFIG,
    LABEL,
    catalog_layers,
    lab_files,
    published,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import QUICK, make_side

PACKAGES = ["alpha-operator", "beta-operator"]
SMALL = b'{"schema": "olm.package", "name": "p", "defaultChannel": "c"}'


@pytest.fixture
def registry(start):
    return start()


@pytest.fixture
def opened(registry, tmp_path):
    """Opens a catalog of the registry, or what is given instead; everything ends with the test."""
    ends = []

    def open_it(name="lab/catalog:v1", side=None, **options):
        if side is None:
            side = make_side()
            ends.append(side)
        reference = parse_reference(f"{registry.host}/{name}") if isinstance(name, str) else name
        source = open_catalog(side, reference, tmp_path, **{"retry": QUICK, **options})
        ends.insert(0, source)
        return source

    yield open_it
    for end in ends:
        end.close()


@pytest.mark.parametrize("fmt", ["docker", "oci"])
@pytest.mark.parametrize("platforms", [["linux/amd64"], ["linux/amd64", "linux/arm64"]])
def test_a_catalog_is_read_from_a_registry(registry, opened, fmt, platforms):
    content = published(platforms, fmt=fmt)
    registry.load("lab/catalog", "v1", content)
    for name in ("lab/catalog:v1", f"lab/catalog@{content.digest}"):
        source = opened(name)
        assert list(source.catalog.packages) == PACKAGES
        assert source.catalog.faults == []
        assert (source.digest, source.folder) == (content.digest, "/configs")
        assert len(source.base.members) == len(platforms)
        assert str(source.base.reference) == f"{registry.host}/lab/catalog@{content.digest}"


def test_a_catalog_is_read_from_disk(tmp_path, opened):
    content = published(fmt="oci")
    side = LocalSources(make_side())
    source = opened(side.add_layout(f"oci://{write_layout(tmp_path / 'layout', {'': content})}"), side)
    assert list(source.catalog.packages) == PACKAGES
    assert source.digest == content.digest


def test_several_images_on_disk_are_one_catalog_for_several_platforms(tmp_path, opened):
    members = [published([platform], fmt="oci") for platform in ("linux/amd64", "linux/s390x")]
    side = LocalSources(make_side())
    source = opened(side.add_layout(f"oci://{write_layout(tmp_path / 'layout', [('', member) for member in members])}"), side)
    assert list(source.catalog.packages) == PACKAGES
    assert [member.platform["architecture"] for member in source.base.members] == ["amd64", "s390x"]


def test_a_remapped_registry_is_asked_instead(registry, opened):
    registry.load("lab/catalog", "v1", published())
    conf = RegistriesConf([Rule(prefix="src.lab.example", endpoint=Endpoint(registry.host, insecure=True))])
    side = make_side(conf=conf)
    source = opened(parse_reference("src.lab.example/lab/catalog:v1"), side)
    assert list(source.catalog.packages) == PACKAGES
    side.close()


def test_of_many_platforms_only_the_layers_of_one_are_fetched(registry, opened):
    content = published(["linux/amd64", "linux/arm64", "linux/s390x"])
    registry.load("lab/catalog", "v1", content)
    source = opened(platforms=[Platform.parse("linux/arm64"), Platform.parse("linux/s390x")])
    read = {asked.path.rpartition("/")[2] for asked in registry.select(method="GET", path="/blobs/")}
    layers = {layer.digest for layer in content.children[1].blobs[:-1]}
    others = {layer.digest for child in content.children for layer in child.blobs[:-1]} - layers
    assert layers <= read
    assert not others & read
    assert [str(member.platform["architecture"]) for member in source.base.members] == ["arm64", "s390x"]


def test_the_publishers_tools_and_lower_catalogs_are_not_fetched_when_hidden(registry, opened):
    built_before = catalog_layers(lab_files(), "linux/amd64", "oci")
    above = [layer_of(file(".wh.configs")), layer_of(file("configs/p/catalog.json", SMALL))]
    registry.load("lab/catalog", "v1", image([*built_before, *above], config=CONFIG))
    source = opened()
    assert list(source.catalog.packages) == ["p"]
    read = {asked.path.rpartition("/")[2] for asked in registry.select(method="GET", path="/blobs/")}
    assert not {layer.digest for layer in built_before} & read


def test_closing_a_catalog_leaves_nothing_on_disk(registry, tmp_path):
    registry.load("lab/catalog", "v1", published())
    side = make_side()
    with open_catalog(side, parse_reference(f"{registry.host}/lab/catalog:v1"), tmp_path) as source:
        assert list(tmp_path.iterdir()) != []
        assert source.catalog.packages
    side.close()
    assert list(tmp_path.iterdir()) == []


# --- what is wrong


def test_what_is_no_file_of_the_catalog_is_a_fault_and_costs_nothing_else(registry, opened):
    registry.load("lab/catalog", "v1", published(extra=[symlink("configs/secret.json", "/etc/passwd")]))
    source = opened()
    assert list(source.catalog.packages) == PACKAGES
    (fault,) = source.catalog.faults
    assert str(fault) == "secret.json: it is a link to '/etc/passwd', where the folder /configs has nothing"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (simple_image("app"), f"it is no catalog of operators: it has no label {LABEL}"),
        (published(config={"Labels": None}), "it is no catalog of operators"),
        (published(config={"Labels": {LABEL: "/"}}), "it is no catalog of operators"),
        (published(config={"Labels": {"operators.operatorframework.io.index.database.v1": "/db"}}), "it is a catalog with a database"),
        (published(config={"Labels": {LABEL: "/nowhere"}}), "there is no such folder"),
    ],
)
def test_what_is_no_catalog_is_told_by_name(registry, opened, tmp_path, content, reason):
    registry.load("lab/catalog", "v1", content)
    with pytest.raises(AirgapError) as caught:
        opened()
    assert reason in str(caught.value)
    assert f"{registry.host}/lab/catalog@{content.digest}" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_catalog_is_told(opened):
    with pytest.raises(NotFoundError, match="lab/catalog:v1"):
        opened()


def test_a_missing_platform_is_told_with_those_there_are(registry, opened):
    registry.load("lab/catalog", "v1", published(["linux/amd64", "linux/arm64"]))
    with pytest.raises(InputError, match=r"linux/s390x of .*: there is no such image, only linux/amd64, linux/arm64"):
        opened(platforms=[Platform.parse("linux/s390x")])


def test_a_layer_that_changes_on_the_way_is_refused(registry, opened, tmp_path):
    content = published()
    registry.load("lab/catalog", "v1", content)
    registry.faults.append(Fault("GET", f"/blobs/{content.blobs[1].digest}", "wrong_digest", times=None))
    with pytest.raises(DigestMismatchError):
        opened(retry=RetryPolicy(retries=1, base=0.001, cap=0.002))
    assert list(tmp_path.iterdir()) == []


def test_a_catalog_beyond_the_limits_is_refused(registry, opened):
    registry.load("lab/catalog", "v1", published())
    with pytest.raises(ProtocolError, match="larger than 1000 bytes"):
        opened(limits=Limits(content=1000))
