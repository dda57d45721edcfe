# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images and artifacts made from nothing: what is in them, that they are always the same, and that registries take them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.built_image import BuiltImage, same_content
from ansible_collections.quayside.airgap.plugins.module_utils.registry.copy import CopyEngine, CopyOptions
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.image_builder import Changes, derive, load_base
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_packing import LayerFile, LayerLink, NewBlob, NewLayer
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layers import FolderMissingError, LayerFiles
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import OCI_INDEX, Descriptor, Manifest, Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.new_image import (
    NewArtifact,
    NewImage,
    archive_as_image,
    new_artifact,
    new_image,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import LocalSources
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import CopyRequest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_reference
from ansible_collections.quayside.airgap.tests.support.layer_builders import archive, file, symlink
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import copied, states
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import QUICK, make_side

PLATFORMS = tuple(Platform.parse(text) for text in ("linux/amd64", "linux/arm/v7"))
LAYER = NewLayer(
    "two trees",
    files=[LayerFile("srv/graph/b", b"bb", 0o755), LayerFile("srv/graph/ä", b"a")],
    folders={"srv/empty": 0o700},
    links=[LayerLink("copy/b", "srv/graph/b"), LayerLink("copy/ä", "srv/graph/ä")],
)
IMAGE = NewImage([LAYER], PLATFORMS, cmd=["none"], labels={"what": "trees"}, annotations={"about": "it"})


def blob_of(image, digest):
    content, _offset = image.open_blob("", digest)
    try:
        return content.raw.read(1 << 30)
    finally:
        content.close()


def parts(image):
    """Configuration and layers of each image of an index, as their manifests list them."""
    documents = [json.loads(image.get_manifest("", child.digest).content) for child in image.root.children]
    return [(json.loads(blob_of(image, document["config"]["digest"])), document["layers"]) for document in documents]


def members(image, digest):
    with tarfile.open(fileobj=io.BytesIO(blob_of(image, digest))) as tar:
        return [(entry.name, entry.type, oct(entry.mode), entry.linkname) for entry in tar]


# --- what is in it


def test_an_image_for_each_platform_with_the_same_layers(tmp_path):
    image = new_image(IMAGE, tmp_path)
    root = json.loads(image.root.content)
    assert (root["mediaType"], root["annotations"]) == (OCI_INDEX, {"about": "it"})
    assert [entry["platform"] for entry in root["manifests"]] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm", "os": "linux", "variant": "v7"},
    ]
    (first, layers), (second, others) = parts(image)
    assert layers == others
    assert first["config"] == second["config"] == {"Cmd": ["none"], "Labels": {"what": "trees"}}
    assert (second["architecture"], second["variant"], second["created"]) == ("arm", "v7", "1970-01-01T00:00:00Z")
    assert first["history"] == [{"created": "1970-01-01T00:00:00Z", "created_by": "two trees"}]
    # one layer and two configurations
    assert image.new_size == layers[0]["size"] + sum(entry["size"] for entry in configs_of(image))


def configs_of(image):
    return [json.loads(image.get_manifest("", child.digest).content)["config"] for child in image.root.children]


def test_a_file_under_two_paths_is_there_once(tmp_path):
    image = new_image(IMAGE, tmp_path)
    _config, (layer,) = parts(image)[0]
    assert members(image, layer["digest"]) == [
        ("copy", tarfile.DIRTYPE, "0o755", ""),
        ("srv", tarfile.DIRTYPE, "0o755", ""),
        ("srv/empty", tarfile.DIRTYPE, "0o700", ""),
        ("srv/graph", tarfile.DIRTYPE, "0o755", ""),
        ("srv/graph/b", tarfile.REGTYPE, "0o755", ""),
        ("srv/graph/ä", tarfile.REGTYPE, "0o644", ""),
        ("copy/b", tarfile.LNKTYPE, "0o755", "srv/graph/b"),
        ("copy/ä", tarfile.LNKTYPE, "0o644", "srv/graph/ä"),
    ]


@pytest.mark.parametrize("folder", ["srv/graph", "copy"])
def test_our_own_reader_finds_the_files_under_both_paths(tmp_path, folder):
    image = new_image(IMAGE, tmp_path)
    spool = tmp_path / "spool"
    spool.mkdir()
    manifest = image.get_manifest("", image.root.children[0].digest)
    tree = LayerFiles(image, image.reference.repository, spool).read(manifest, folder)
    assert {path: found.read_bytes() for path, found in tree.files.items()} == {"b": b"bb", "ä": b"a"}


def test_links_with_long_names_are_read_by_everybody(tmp_path):
    deep = "/".join(["d" * 60] * 4)
    layer = NewLayer("x", [LayerFile(f"{deep}/f", b"far")], links=[LayerLink(f"other/{deep}/g", f"/{deep}/f")])
    image = new_image(NewImage([layer], PLATFORMS[:1]), tmp_path)
    _config, (packed,) = parts(image)[0]
    assert members(image, packed["digest"])[-1] == (f"other/{deep}/g", tarfile.LNKTYPE, "0o644", f"{deep}/f")


def test_an_artifact_is_one_manifest_with_the_empty_configuration(tmp_path):
    layer = NewLayer("x", [LayerFile("data/a", b"aa")])
    found = new_artifact(NewArtifact("application/example", {"data": layer}, {"about": "it"}), tmp_path)
    document = json.loads(found.root.content)
    assert (document["artifactType"], document["annotations"]) == ("application/example", {"about": "it"})
    assert document["config"] == {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "size": 2,
        "data": "e30=",
    }
    assert blob_of(found, document["config"]["digest"]) == b"{}"
    (packed,) = document["layers"]
    assert packed["annotations"]["org.opencontainers.image.title"] == "data"
    unpacked = gzip.decompress(blob_of(found, packed["digest"]))
    assert packed["annotations"]["io.deis.oras.content.digest"] == hash_of(unpacked)
    assert found.manifests == (found.root,)


def hash_of(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


# --- always the same


def test_the_same_input_gives_the_same_digest(tmp_path):
    found = set()
    for number in range(2):
        work = tmp_path / str(number)
        work.mkdir()
        found.add(new_image(IMAGE, work).digest)
    assert len(found) == 1
    (config, _layers) = parts(new_image(IMAGE, tmp_path))[0]
    assert config["rootfs"]["diff_ids"] == ["sha256:71653835412956e226bb06fdf3c13b4c7d8694cbd318a6cc1015372ac714b4b8"]


def repacked(image):
    """The image as a machine makes it whose zlib packs in another way."""
    blobs, manifests = {}, []
    for child in image.root.children or [image.root]:
        document = json.loads(image.get_manifest("", child.digest).content)
        for entry in document["layers"]:
            content = gzip.compress(gzip.decompress(blob_of(image, entry["digest"])), 1, mtime=0)
            entry.update(digest=hash_of(content), size=len(content))
            blobs[entry["digest"]] = NewBlob(Descriptor(entry["mediaType"], entry["digest"], len(content)), content)
        config = document["config"]
        blobs[config["digest"]] = NewBlob(Descriptor(config["mediaType"], config["digest"], 1), blob_of(image, config["digest"]))
        manifests.append(Manifest.parse(json.dumps(document).encode(), "", "there"))
    if not image.root.is_index:
        return BuiltImage(image.reference, manifests[0], [], blobs)
    root = json.loads(image.root.content)
    for entry, manifest in zip(root["manifests"], manifests):
        entry.update(digest=manifest.digest, size=manifest.size)
    return BuiltImage(image.reference, Manifest.parse(json.dumps(root).encode(), "", "there"), manifests, blobs)


ARTIFACT = NewArtifact("application/example", {"data": NewLayer("x", [LayerFile("data/a", b"aa")])})


def test_packed_by_another_zlib_it_is_still_the_same(tmp_path):
    for ours in (new_image(IMAGE, tmp_path), new_artifact(ARTIFACT, tmp_path)):
        other = repacked(ours)
        assert other.digest != ours.digest
        assert same_content(ours, ours.reference, other, other.reference)


def test_other_files_labels_or_platforms_make_another_image(tmp_path):
    ours = new_image(IMAGE, tmp_path)
    layer = NewLayer("two trees", files=[LayerFile("srv/graph/b", b"cc", 0o755)])
    others = [
        new_image(NewImage([layer], PLATFORMS, cmd=["none"], labels={"what": "trees"}, annotations={"about": "it"}), tmp_path),
        new_image(NewImage([LAYER], PLATFORMS, cmd=["none"], labels={"what": "tree"}, annotations={"about": "it"}), tmp_path),
        new_image(NewImage([LAYER], PLATFORMS[:1], cmd=["none"], labels={"what": "trees"}, annotations={"about": "it"}), tmp_path),
        new_image(NewImage([LAYER], PLATFORMS, cmd=["none"], labels={"what": "trees"}), tmp_path),
        new_artifact(ARTIFACT, tmp_path),
    ]
    assert [same_content(ours, ours.reference, other, other.reference) for other in others] == [False] * 5
    elsewhere = NewArtifact("application/example", {"data": NewLayer("x", [LayerFile("data/a", b"ab")])})
    ours, other = new_artifact(ARTIFACT, tmp_path), new_artifact(elsewhere, tmp_path)
    assert not same_content(ours, ours.reference, other, other.reference)


# --- where it goes


def push(image, registry, name):
    side = make_side()
    sources = LocalSources(side)
    try:
        request = CopyRequest(sources.add(image.reference, image), (parse_reference(f"{registry.host}/{name}"),))
        return CopyEngine(sources, side, CopyOptions(parallel=4, signatures="skip", retry=QUICK)).run([request])
    finally:
        side.close()


def test_a_registry_takes_it_and_then_it_costs_one_look(start, tmp_path):
    registry = start()
    for name, made in (("lab/image", new_image(IMAGE, tmp_path)), ("lab/artifact", new_artifact(ARTIFACT, tmp_path))):
        assert copied(push(made, registry, f"{name}:v1"))
        assert registry.verify() == []
        assert registry.tags(name) == {"v1": made.digest}
        registry.reset_log()
        assert states(push(made, registry, f"{name}:v1")) == ["unchanged"]
        assert [asked.method for asked in registry.select(lambda asked: "/manifests/" in asked.path)] == ["HEAD"]


def test_an_image_from_nothing_can_be_the_base_of_another(tmp_path):
    base = new_image(IMAGE, tmp_path)
    derived = derive(load_base(base, base.reference), Changes([NewLayer("more", [LayerFile("srv/graph/c", b"c")])]), tmp_path)
    (tmp_path / "spool").mkdir()
    manifest = derived.get_manifest("", derived.root.children[1].digest)
    tree = LayerFiles(derived, derived.reference.repository, tmp_path / "spool").read(manifest, "srv/graph")
    assert sorted(tree.files) == ["b", "c", "ä"]
    with pytest.raises(NotFoundError, match="no such blob was made"):
        base.open_blob("", derived.digest)


# --- a tar archive seen as an image


def test_a_tar_archive_is_read_as_a_layer_is(tmp_path):
    path = tmp_path / "files.tar"
    path.write_bytes(archive([file("./a/b", b"bb"), symlink("a/link", "b"), symlink("a/out", "/etc/passwd")]))
    image = archive_as_image(path)
    (tmp_path / "spool").mkdir()
    files = LayerFiles(image, image.reference.repository, tmp_path / "spool")
    tree = files.read(image.root, "a")
    assert {name: found.read_bytes() for name, found in tree.files.items()} == {"b": b"bb", "link": b"bb"}
    assert list(tree.unusable) == ["out"]
    with pytest.raises(FolderMissingError, match=rf"c in tar:{path}@sha256"):
        files.read(image.root, "c")
    with pytest.raises(FileError, match="No such file"):
        archive_as_image(tmp_path / "gone.tar")


# --- mistakes


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (NewLayer("x", links=[LayerLink("a", "b")]), "the layer has no file b"),
        (NewLayer("x", [LayerFile("b", b"")], links=[LayerLink("b", "b")]), "it is there twice"),
        (NewLayer("x", [LayerFile("b", b"")], links=[LayerLink("a", "b"), LayerLink("c", "a")]), "the layer has no file a"),
        (NewLayer("x", [LayerFile("b", b"")], links=[LayerLink("../a", "b")]), "leads out of the image"),
        (NewLayer("x", [LayerFile("b", b"")], links=[LayerLink("b/a", "b")]), "there are other files below it"),
        (NewLayer("x", [LayerFile("b", b"")], links=[LayerLink(".wh.a", "b")]), "must not begin with .wh."),
    ],
)
def test_a_link_that_leads_nowhere_is_refused(tmp_path, layer, reason):
    with pytest.raises(InputError, match=reason):
        new_image(NewImage([layer], PLATFORMS), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("platforms", "reason"), [((), "there is none"), (PLATFORMS[:1] * 2, "is there twice")])
def test_platforms_are_needed_each_once(tmp_path, platforms, reason):
    with pytest.raises(InputError, match=reason):
        new_image(NewImage([LAYER], platforms), tmp_path)
