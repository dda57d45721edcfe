# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Catalogs with the chosen operators: what the image has in it, and that it is always the same one."""

from __future__ import annotations

import importlib.util
import json

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.catalog_image import build_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.catalog_source import open_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_filter import (
    CatalogChoice,
    ChannelChoice,
    PackageChoice,
    filter_catalog,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_images import without_bundles
from ansible_collections.quayside.airgap.plugins.module_utils.registry.copy import CopyEngine, CopyOptions
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layers import LayerFiles
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import OCI_INDEX, Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import LocalSources
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import CopyRequest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_reference
from ansible_collections.quayside.airgap.tests.support.images import image
from ansible_collections.quayside.airgap.tests.support.layer_builders import file, layer_of, write_layout
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import copied, states
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.published import CONFIG, FIXTURES, LABEL, ROOT, published
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import QUICK, make_side

HEADS = CatalogChoice()
BOUNDS = CatalogChoice((PackageChoice("alpha-operator"), PackageChoice("beta-operator", (ChannelChoice("fast", "0.2.0"),))))
# The generator and the recordings lie beside the checkouts of developers
RECORDED = next((path / "shared/data/oc-mirror" for path in ROOT.parents if (path / "shared/data/oc-mirror").is_dir()), None)


@pytest.fixture
def side():
    registries = make_side()
    yield LocalSources(registries)
    registries.close()


@pytest.fixture
def rebuilt(side, tmp_path):
    """Rebuilds a catalog; each in a folder of its own."""
    count = iter(range(100))

    def rebuild(reference, choice=HEADS, **options):
        work = tmp_path / f"work{next(count)}"
        work.mkdir()
        with open_catalog(side, reference, work, retry=QUICK, **options) as source:
            return build_catalog(source, filter_catalog(source.catalog, choice), work)

    return rebuild


def push(side, built, registry, name, **options):
    sources = LocalSources(side)
    request = CopyRequest(sources.add(built.image.reference, built.image), (parse_reference(f"{registry.host}/{name}"),))
    destinations = make_side()
    try:
        return CopyEngine(sources, destinations, CopyOptions(parallel=4, retry=QUICK, **options)).run([request])
    finally:
        destinations.close()


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*.json"))}


def configs(built):
    """The configuration of each platform's image."""
    found = []
    for child in built.image.root.children:
        digest = json.loads(built.image.get_manifest("", child.digest).content)["config"]["digest"]
        found.append(json.loads(built.image.open_blob("", digest)[0].raw.read(1 << 20)))
    return found


# --- what is in it


@pytest.mark.parametrize(("choice", "recorded"), [(HEADS, "heads"), (BOUNDS, "heads_and_bounds")])
def test_the_mirrored_catalog_offers_what_was_chosen(start, side, rebuilt, tmp_path, choice, recorded):
    source, destination = start(), start()
    source.load("lab/catalog", "v1", published(["linux/amd64", "linux/arm64"]))
    built = rebuilt(parse_reference(f"{source.host}/lab/catalog:v1"), choice)
    assert files(built.config) == files(FIXTURES / "filtered" / recorded)
    assert copied(push(side, built, destination, "mirror/catalog:v1"))
    assert destination.verify() == []
    assert destination.tags("mirror/catalog") == {"v1": built.digest}
    # read it as the next one who mirrors it does
    (tmp_path / "again").mkdir()
    with open_catalog(side, parse_reference(f"{destination.host}/mirror/catalog:v1"), tmp_path / "again") as mirrored:
        assert mirrored.folder == "/configs"
        assert mirrored.catalog.faults == []
        assert [bundle.name for bundle in mirrored.catalog.bundles()] == [
            bundle["name"] for text in files(FIXTURES / "filtered" / recorded).values() for bundle in blobs(text, "olm.bundle")
        ]


def blobs(text, schema=None):
    """The blobs of a file, all of them or those of a schema by name."""
    decoder, position, found = json.JSONDecoder(), 0, []
    while position < len(text):
        value, end = decoder.raw_decode(text, position)
        found.append(value)
        position = end + 1
    return found if schema is None else sorted((blob for blob in found if blob["schema"] == schema), key=lambda blob: blob["name"])


def test_the_image_serves_the_new_catalog_without_a_stale_cache(start, rebuilt, tmp_path):
    registry = start()
    registry.load("lab/catalog", "v1", published(["linux/amd64", "linux/arm64"]))
    built = rebuilt(parse_reference(f"{registry.host}/lab/catalog:v1"))
    assert built.image.root.media_type == OCI_INDEX
    assert [str(child.platform) for child in built.image.root.children] == ["linux/amd64", "linux/arm64"]
    for config in configs(built):
        assert config["config"] == {**CONFIG, "Cmd": ["serve", "/configs"]}
        assert [entry["created"] for entry in config["history"][-2:]] == ["1970-01-01T00:00:00Z"] * 2
    assert tree_of(built.image, tmp_path / "new") == {
        "bin/opm": "opm for linux/amd64",
        **{f"configs/{path}": text for path, text in files(built.config).items()},
    }


def tree_of(image, scratch):
    """All files of the first platform's image."""
    scratch.mkdir()
    manifest = image.get_manifest("", image.root.children[0].digest)
    found = LayerFiles(image, image.reference.repository, scratch).read(manifest, "/")
    return {path: place.read_text() for path, place in found.files.items()}


@pytest.mark.parametrize(
    ("command", "place"),
    [
        (["serve", "/configs", "--cache-dir=/var/cache/opm"], "var/cache/opm"),
        (["serve", "--cache-dir", "cache", "/configs"], "work/cache"),
        (["serve", "/configs"], "tmp/cache"),
    ],
)
def test_the_cache_goes_wherever_the_publisher_keeps_it(start, rebuilt, tmp_path, command, place):
    registry = start()
    config = {**CONFIG, "Cmd": command, "WorkingDir": "/work"}
    layers = [layer_of(file("configs/p/catalog.json", b""), file(f"{place}/x", b"stale"), file("var/kept", b"kept"))]
    registry.load("lab/catalog", "v1", image(layers, config=config))
    built = rebuilt(parse_reference(f"{registry.host}/lab/catalog:v1"))
    assert tree_of(built.image, tmp_path / "new") == {"var/kept": "kept"}


def test_a_catalog_in_another_folder_moves_to_the_usual_one(start, rebuilt, tmp_path):
    registry = start()
    config = {**CONFIG, "Labels": {LABEL: "/usr/share/catalog/"}}
    content = (FIXTURES / "catalog" / "beta-operator" / "catalog.json").read_bytes()
    layers = [layer_of(file("usr/share/catalog/b/catalog.json", content), file("usr/share/else", b"kept"), file("configs/x", b"unused"))]
    registry.load("lab/catalog", "v1", image(layers, config=config))
    built = rebuilt(parse_reference(f"{registry.host}/lab/catalog:v1"))
    assert sorted(tree_of(built.image, tmp_path / "new")) == ["configs/beta-operator/catalog.json", "usr/share/else"]
    assert configs(built)[0]["config"]["Labels"] == {LABEL: "/configs"}


def test_only_the_wanted_platforms_are_built(start, rebuilt):
    registry = start()
    registry.load("lab/catalog", "v1", published(["linux/amd64", "linux/arm64", "linux/s390x"]))
    built = rebuilt(parse_reference(f"{registry.host}/lab/catalog:v1"), platforms=[Platform.parse("linux/s390x")])
    assert [str(child.platform) for child in built.image.root.children] == ["linux/s390x"]


def test_a_catalog_without_what_could_not_be_had_is_another_image(start, side, tmp_path):
    registry = start()
    registry.load("lab/catalog", "v1", published())
    for name in ("source", "whole", "less"):
        (tmp_path / name).mkdir()
    with open_catalog(side, parse_reference(f"{registry.host}/lab/catalog:v1"), tmp_path / "source") as source:
        selection = filter_catalog(source.catalog, HEADS)
        whole = build_catalog(source, selection, tmp_path / "whole")
        less = build_catalog(source, without_bundles(selection, {"beta-operator": ["beta-operator.v0.3.0"]}), tmp_path / "less")
    assert whole.digest != less.digest
    assert "beta-operator.v0.3.0" in files(whole.config)["beta-operator/catalog.json"]
    assert "beta-operator.v0.3.0" not in files(less.config)["beta-operator/catalog.json"]


# --- always the same


def test_every_way_to_the_same_catalog_gives_the_same_image(start, side, rebuilt, tmp_path):
    registry = start()
    content = published(["linux/amd64", "linux/arm64"], fmt="oci")
    registry.load("lab/catalog", "v1", content)
    registry.load("copy/of/catalog", "v7", content)
    layout = write_layout(tmp_path / "layout", {"": content})
    references = [
        parse_reference(f"{registry.host}/lab/catalog:v1"),
        parse_reference(f"{registry.host}/lab/catalog@{content.digest}"),
        parse_reference(f"{registry.host}/copy/of/catalog:v7"),
        side.add_layout(f"oci://{layout}"),
    ]
    assert len({rebuilt(reference, BOUNDS).digest for reference in references}) == 1


def test_mirroring_again_changes_nothing(start, side, rebuilt):
    source, destination = start(), start()
    source.load("lab/catalog", "v1", published())
    reference = parse_reference(f"{source.host}/lab/catalog:v1")
    assert copied(push(side, rebuilt(reference), destination, "mirror/catalog:v1"))
    destination.reset_log()
    assert states(push(side, rebuilt(reference), destination, "mirror/catalog:v1")) == ["unchanged"]
    assert destination.writes == []


# --- against the recordings


@pytest.fixture
def generator():
    if RECORDED is None:
        pytest.skip("the recordings of oc-mirror are not beside this checkout")
    spec = importlib.util.spec_from_file_location("make_images", RECORDED / "make_images.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "platforms"), [("catalog", ["linux/amd64"]), ("catalog-multi", ["linux/amd64", "linux/arm64"])])
def test_the_recorded_catalog_gives_the_recorded_choice(start, rebuilt, generator, name, platforms):
    registry = start()
    lab = generator.Registry(registry.host, ref_host="src.lab.example")
    content = {path.partition("/")[0]: blobs(text) for path, text in files(FIXTURES / "catalog").items()}
    generator.catalog_image(content, [platform.partition("/")[2] for platform in platforms]).push(lab, f"lab/{name}", "v4.99")
    built = rebuilt(parse_reference(f"{registry.host}/lab/{name}:v4.99"))
    place = next((RECORDED / "cases" / "m2m-ops-headsonly" / "working-dir" / "operator-catalogs").rglob("catalog-config"))
    assert files(built.config) == files(place)
    assert [str(child.platform) for child in built.image.root.children] == platforms
    for config in configs(built):
        assert config["config"]["Cmd"] == ["serve", "/configs"]
        assert config["config"]["Entrypoint"] == ["/bin/opm"]
