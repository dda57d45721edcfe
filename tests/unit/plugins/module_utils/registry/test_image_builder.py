# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images made from images: what is in them, and that it is the same whoever makes them and when."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tracemalloc
from pathlib import Path

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.copy import CopyEngine, CopyOptions
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.image_builder import Changes, derive, load_base
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_packing import LayerFile, NewLayer
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layers import LayerFiles
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import OCI_INDEX, OCI_MANIFEST, Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import LocalSources, open_layout
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import CopyRequest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_reference
from ansible_collections.quayside.airgap.tests.support.images import artifact, attestation, foreign_layer, image, index, multi_arch
from ansible_collections.quayside.airgap.tests.support.layer_builders import file, layer_of, write_layout
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import blob_reads, blob_writes, copied, mounts, states
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import QUICK, make_side

CONFIG = {"Entrypoint": ["/bin/opm"], "Cmd": ["serve", "/old"], "Labels": {"kept": "yes", "moved": "/old"}, "ExposedPorts": {"1/tcp": {}}}
BASE_LAYER = layer_of(file("old/a", b"old"), file("bin/opm", b"opm"), file("tmp/cache/x", b"stale"))
CHANGES = Changes(
    layers=[
        NewLayer("without the old", removed=["/old", "tmp/cache"], folders={"tmp": 0o1777}),
        NewLayer("with the new", files=[LayerFile("new/b/c", b"bc"), LayerFile("new/a", b"a", 0o755)]),
    ],
    cmd=["serve", "/new"],
    labels={"moved": "/new", "added": "1"},
)


def base_image(fmt="docker", platform="linux/amd64"):
    layer = BASE_LAYER if fmt == "oci" else layer_of(file("old/a", b"old"), file("bin/opm", b"opm"), fmt=fmt)
    return image([layer], fmt=fmt, platform=platform, config=CONFIG)


def loaded(tmp_path, content, **options):
    """The base image of a layout on disk."""
    store, reference = open_layout(str(write_layout(tmp_path / "base", {"v1": content})))
    return load_base(store, reference, **options)


def made(tmp_path, content, changes=CHANGES, **options):
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    return derive(loaded(tmp_path, content, **options), changes, work)


def blob_of(derived, digest):
    content, _offset = derived.open_blob("", digest)
    try:
        return content.raw.read(1 << 30)
    finally:
        content.close()


def configs(derived):
    """The configuration of each image."""
    manifests = [derived.get_manifest("", child.digest) for child in derived.root.children]
    return [json.loads(blob_of(derived, json.loads(manifest.content)["config"]["digest"])) for manifest in manifests]


def members(derived, position):
    """A layer of the first image, unpacked by somebody else."""
    manifest = json.loads(derived.get_manifest("", derived.root.children[0].digest).content)
    with tarfile.open(fileobj=io.BytesIO(blob_of(derived, manifest["layers"][position]["digest"]))) as tar:
        return [(entry.name, entry.type, oct(entry.mode), tar.extractfile(entry).read() if entry.isfile() else None) for entry in tar]


# --- what is in it


def test_layers_are_added_to_those_of_the_base(tmp_path):
    base = base_image()
    derived = made(tmp_path, base)
    manifest = json.loads(derived.get_manifest("", derived.root.children[0].digest).content)
    assert manifest["layers"][0]["digest"] == base.manifest["layers"][0]["digest"]
    assert members(derived, 1) == [
        (".wh.old", tarfile.REGTYPE, "0o644", b""),
        ("tmp", tarfile.DIRTYPE, "0o1777", None),
        ("tmp/.wh.cache", tarfile.REGTYPE, "0o644", b""),
    ]
    assert members(derived, 2) == [
        ("new", tarfile.DIRTYPE, "0o755", None),
        ("new/a", tarfile.REGTYPE, "0o755", b"a"),
        ("new/b", tarfile.DIRTYPE, "0o755", None),
        ("new/b/c", tarfile.REGTYPE, "0o644", b"bc"),
    ]


def test_the_configuration_changes_as_told_and_no_more(tmp_path):
    base = base_image()
    before = json.loads(base.all_blobs()[base.manifest["config"]["digest"]].data)
    (after,) = configs(made(tmp_path, base))
    assert after["config"] == {
        "Entrypoint": ["/bin/opm"],
        "Cmd": ["serve", "/new"],
        "Labels": {"kept": "yes", "moved": "/new", "added": "1"},
        "ExposedPorts": {"1/tcp": {}},
    }
    assert after["rootfs"]["diff_ids"][:1] == before["rootfs"]["diff_ids"]
    assert len(after["rootfs"]["diff_ids"]) == 3
    assert after["history"][0] == before["history"][0]
    assert after["history"][1:] == [
        {"created": "1970-01-01T00:00:00Z", "created_by": "without the old"},
        {"created": "1970-01-01T00:00:00Z", "created_by": "with the new"},
    ]
    assert {key: after[key] for key in ("os", "architecture", "created")} == {key: before[key] for key in ("os", "architecture", "created")}


def test_an_image_of_docker_becomes_an_index_of_oci(tmp_path):
    derived = made(tmp_path, image([BASE_LAYER, foreign_layer("w", 100, "https://elsewhere.example/x")], fmt="docker"))
    root = json.loads(derived.root.content)
    assert root["mediaType"] == derived.root.media_type == OCI_INDEX
    (entry,) = root["manifests"]
    assert (entry["mediaType"], entry["platform"]) == (OCI_MANIFEST, {"architecture": "amd64", "os": "linux"})
    manifest = json.loads(derived.get_manifest("", entry["digest"]).content)
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert [layer["mediaType"].rpartition("image.")[2] for layer in manifest["layers"]] == [
        "layer.v1.tar+gzip",
        "layer.nondistributable.v1.tar+gzip",
        "layer.v1.tar+gzip",
        "layer.v1.tar+gzip",
    ]
    assert manifest["layers"][1]["urls"] == ["https://elsewhere.example/x"]


def test_every_image_of_an_index_is_changed_and_the_rest_left_out(tmp_path):
    base = [base_image("oci", platform) for platform in ("linux/amd64", "linux/arm/v7")]
    derived = made(tmp_path, index([index([base[1]]), base[0], attestation(base[0])]))
    platforms = [entry["platform"] for entry in json.loads(derived.root.content)["manifests"]]
    assert platforms == [{"architecture": "arm", "os": "linux", "variant": "v7"}, {"architecture": "amd64", "os": "linux"}]
    assert [config["config"]["Cmd"] for config in configs(derived)] == [["serve", "/new"]] * 2
    assert len(derived.manifests) == 3


def test_some_platforms_make_an_index_of_these_alone(tmp_path):
    base = index([base_image("oci", platform) for platform in ("linux/amd64", "linux/arm64", "linux/s390x")])
    derived = made(tmp_path, base, platforms=[Platform.parse("linux/arm64")])
    assert [str(child.platform) for child in derived.root.children] == ["linux/arm64"]
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(InputError, match="only linux/amd64, linux/arm64, linux/s390x"):
        made(tmp_path, base, platforms=[Platform.parse("linux/ppc64le")])


def test_a_history_that_tells_of_other_layers_is_left_alone(tmp_path):
    base = base_image()
    document = json.loads(base.all_blobs()[base.manifest["config"]["digest"]].data)
    document["history"] = []
    config = type(base.blobs[-1])(json.dumps(document).encode(), base.blobs[-1].media_type)
    body = json.dumps({**base.manifest, "config": config.descriptor()}).encode()
    (after,) = configs(made(tmp_path, type(base)(body, base.media_type, (*base.blobs[:-1], config))))
    assert after["history"] == []


# --- the same for the same input

# what the digests depend on: the tar, and then what zlib makes of it
DIFF_IDS = [
    "sha256:b2730e1840324e3e9a1f9f23735ff70cd06df3554548d05e3d0fefd3a09790d4",
    "sha256:542d0c5e3bf632d8c5d5fd99b42b8a1b07d4dd3490bc0495a5cb7359e450ecd9",
]


def test_the_archives_are_the_same_on_every_machine(tmp_path):
    (config,) = configs(made(tmp_path, base_image()))
    assert config["rootfs"]["diff_ids"][1:] == DIFF_IDS


SCRIPT = """
import sys
from pathlib import Path
from ansible_collections.quayside.airgap.plugins.module_utils.registry.image_builder import Changes, derive, load_base
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_packing import LayerFile, NewLayer
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import open_layout
store, reference = open_layout(sys.argv[1])
names = {"b/z", "a", "c/y/x", "ü", "d" * 150, "m", "n", "o"}
files = [LayerFile(f"new/{name}", name.encode() * 1000) for name in names] + [LayerFile("new/disk", Path(sys.argv[3]))]
labels = {name: "1" for name in sorted({"q", "r", "s"})}
print(derive(load_base(store, reference), Changes([NewLayer("x", files)], ["serve"], labels), Path(sys.argv[2])).digest)
"""


def test_neither_day_nor_place_nor_chance_changes_the_digest(tmp_path):
    place = write_layout(tmp_path / "base", {"v1": base_image()})
    found = set()
    for number, (zone, seed, mask) in enumerate([("UTC", "1", 0o022), ("Asia/Kathmandu", "2", 0o077), ("America/Lima", "3", 0o000)]):
        work = tmp_path / f"work{number}"
        content = tmp_path / f"content{number}"
        work.mkdir()
        content.write_bytes(b"on disk" * 100)
        content.chmod(0o600 + number)
        os.utime(content, (number * 10**8, number * 10**8))
        environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = f"umask {mask:03o} && exec {sys.executable} -c '{SCRIPT}' {place} {work} {content}"
        done = subprocess.run(["sh", "-c", command], env=environment, check=True, capture_output=True, text=True, timeout=60)
        found.add(done.stdout)
    assert len(found) == 1
    assert found.pop().startswith("sha256:")


def test_packing_depends_on_nothing_but_the_content(tmp_path):
    derived = made(tmp_path, base_image())
    manifest = json.loads(derived.get_manifest("", derived.root.children[0].digest).content)
    for layer in manifest["layers"][1:]:
        packed = blob_of(derived, layer["digest"])
        assert packed[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as tar:
            for entry in tar:
                assert (entry.uid, entry.gid, entry.uname, entry.gname, entry.mtime, entry.pax_headers) == (0, 0, "", "", 0, {})


# --- where it goes


def engine_run(base_side, derived, registry, name, **options):
    sources = LocalSources(base_side)
    reference = sources.add(derived.reference, derived)
    destinations = make_side()
    try:
        chosen = CopyOptions(**{"parallel": 4, "retry": QUICK, **options})
        return CopyEngine(sources, destinations, chosen).run([CopyRequest(reference, (parse_reference(f"{registry.host}/{name}"),))])
    finally:
        destinations.close()


@pytest.fixture
def side():
    side = make_side()
    yield side
    side.close()


def test_it_is_pushed_with_the_layers_of_its_base(start, side, tmp_path):
    source, destination = start(), start()
    content = multi_arch("base", ("linux/amd64", "linux/arm64"), size=2_000_000)
    source.load("lab/catalog", "v1", content)
    base = load_base(side.client(source.host), parse_reference(f"{source.host}/lab/catalog:v1"))
    derived = derive(base, CHANGES, tmp_path)
    assert str(derived.reference) == f"{source.host}/lab/catalog@{derived.digest}"
    report = engine_run(side, derived, destination, "mirror/catalog:v1")
    assert copied(report)
    assert destination.verify() == []
    assert destination.tags("mirror/catalog") == {"v1": derived.digest}
    assert set(destination.manifests("mirror/catalog")) == {manifest.digest for manifest in derived.manifests}
    again = engine_run(side, derived, destination, "mirror/catalog:v1")
    assert states(again) == ["unchanged"]


def test_layers_that_the_destination_has_are_linked_and_not_read_again(start, side, tmp_path):
    source, destination = start(), start()
    content = base_image("oci")
    source.load("lab/catalog", "v1", content)
    destination.load("mirror/original", "v1", content)
    derived = derive(load_base(side.client(source.host), parse_reference(f"{source.host}/lab/catalog:v1")), CHANGES, tmp_path)
    source.reset_log()
    sources = LocalSources(side)
    requests = [
        CopyRequest(parse_reference(f"{source.host}/lab/catalog:v1"), (parse_reference(f"{destination.host}/mirror/original:v1"),)),
        CopyRequest(sources.add(derived.reference, derived), (parse_reference(f"{destination.host}/mirror/catalog:v1"),)),
    ]
    destinations = make_side()
    report = CopyEngine(sources, destinations, CopyOptions(signatures="skip", retry=QUICK)).run(requests)
    destinations.close()
    assert states(report) == ["unchanged", "copied"]
    assert mounts(destination) == [BASE_LAYER.digest]
    assert blob_reads(source) == 0
    assert BASE_LAYER.digest not in blob_writes(destination)


def test_signatures_of_the_base_do_not_go_along(start, side, tmp_path):
    source, destination = start(), start()
    source.load("lab/catalog", "v1", base_image("oci"))
    derived = derive(load_base(side.client(source.host), parse_reference(f"{source.host}/lab/catalog:v1")), CHANGES, tmp_path)
    report = engine_run(side, derived, destination, "catalog:v1", signatures="require")
    assert "signatures are required" in states(report)[0]
    assert copied(engine_run(side, derived, destination, "catalog:v1", signatures="copy"))


def test_the_result_can_be_read_and_changed_again(tmp_path):
    derived = made(tmp_path, base_image())
    (tmp_path / "spool").mkdir()
    base = load_base(derived, derived.reference)
    tree = LayerFiles(derived, derived.reference.repository, tmp_path / "spool").read(base.members[0].manifest, "new")
    assert {path: spool.read_bytes() for path, spool in tree.files.items()} == {"a": b"a", "b/c": b"bc"}
    with pytest.raises(FileError, match="there is no such folder"):
        LayerFiles(derived, derived.reference.repository, tmp_path / "spool").read(base.members[0].manifest, "old")


def skopeo_copy(start, side, derived, target):
    registry = start()
    assert copied(engine_run(side, derived, registry, "catalog:v1", signatures="skip"))
    command = ["skopeo", "copy", "--multi-arch", "all", "--src-tls-verify=false", f"docker://{registry.host}/catalog:v1", target]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


def test_skopeo_takes_it_as_it_is(start, side, tmp_path):
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    derived = made(tmp_path, index([base_image("oci", platform) for platform in ("linux/amd64", "linux/arm64")]))
    skopeo_copy(start, side, derived, f"oci:{tmp_path / 'copy'}:v1")
    assert open_layout(f"{tmp_path / 'copy'}:v1")[1].digest == derived.digest


@pytest.fixture
def short_folder():
    """For what podman keeps while it runs: it refuses long paths."""
    folder = tempfile.mkdtemp(prefix="p", dir="/tmp")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_podman_unpacks_it_to_the_wanted_files(start, side, tmp_path, short_folder):
    if shutil.which("podman") is None or shutil.which("skopeo") is None:
        pytest.skip("podman and skopeo are not installed")
    derived = made(tmp_path, base_image("oci"))
    skopeo_copy(start, side, derived, f"oci:{tmp_path / 'copy'}:v1")
    root = ["podman", "--root", str(tmp_path / "store"), "--runroot", short_folder, "--storage-driver", "vfs"]
    pulled = subprocess.run([*root, "pull", "-q", f"oci:{tmp_path / 'copy'}:v1"], check=False, capture_output=True, text=True, timeout=120)
    if pulled.returncode:
        pytest.skip(f"podman cannot unpack images here: {pulled.stderr[-200:]}")
    mounted = subprocess.run([*root, "image", "mount", pulled.stdout.strip()], check=True, capture_output=True, text=True, timeout=60)
    place = Path(mounted.stdout.strip())
    try:
        found = {str(path.relative_to(place)): path.stat().st_mode & 0o7777 for path in place.rglob("*")}
    finally:
        subprocess.run([*root, "image", "umount", "-a"], check=False, capture_output=True, timeout=60)
        subprocess.run([*root, "rmi", "-af"], check=False, capture_output=True, timeout=60)
    expected = {"bin": 0o755, "bin/opm": 0o644, "tmp": 0o1777, "new": 0o755, "new/a": 0o755, "new/b": 0o755, "new/b/c": 0o644}
    assert {path: mode for path, mode in found.items() if not path.startswith(("dev", "proc", "sys", "etc", "run"))} == expected


# --- limits and mistakes


def test_memory_does_not_grow_with_the_files(tmp_path):
    big = tmp_path / "big"
    with open(big, "wb") as stream:
        for _ignored in range(48):
            stream.write(os.urandom(1 << 10) * 512)
    base = loaded(tmp_path, base_image())
    tracemalloc.start()
    derived = derive(base, Changes([NewLayer("big", [LayerFile("new/big", big)])]), tmp_path)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20
    assert derived.new_size > 0


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (NewLayer("x", [LayerFile("../a", b"")]), "leads out of the image"),
        (NewLayer("x", [LayerFile("/", b"")]), "it is empty"),
        (NewLayer("x", removed=["."]), "it is empty"),
        (NewLayer("x", [LayerFile("a", b""), LayerFile("/a", b"")]), "it is there twice"),
        (NewLayer("x", [LayerFile("a", b""), LayerFile("a/b", b"")]), "there are other files below it"),
        (NewLayer("x", [LayerFile("a/.wh.b", b"")]), "must not begin with .wh."),
    ],
)
def test_a_path_that_cannot_be_one_is_refused(tmp_path, layer, reason):
    with pytest.raises(InputError) as caught:
        made(tmp_path, base_image(), Changes([layer]))
    assert reason in str(caught.value)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_file_that_cannot_be_read_leaves_nothing_behind(tmp_path):
    with pytest.raises(FileError, match="gone"):
        made(tmp_path, base_image(), Changes([NewLayer("x", [LayerFile("a", tmp_path / "gone")])]))
    assert list((tmp_path / "work").iterdir()) == []


def test_what_is_no_image_is_no_base(tmp_path):
    with pytest.raises(ProtocolError, match="it is no image"):
        made(tmp_path, artifact("application/example", b"payload"))
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(ProtocolError, match="its index lists no image"):
        made(tmp_path, index([]))


def test_an_image_that_was_not_made_is_not_there(tmp_path):
    derived = made(tmp_path, base_image())
    assert derived.head_manifest("", "v1") is None
    with pytest.raises(NotFoundError, match="no such image was made"):
        derived.get_manifest("", "v1")
