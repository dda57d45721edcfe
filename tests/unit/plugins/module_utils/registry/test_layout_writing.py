# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images written to disk: as a folder and as one file, always the same bytes, and left alone when they are there."""

from __future__ import annotations

import gzip
import os
import resource
import shutil
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_packing import LayerFile, LayerLink, NewLayer
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layers import LayerFiles
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layout_writing import write_archive, write_layout
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.new_image import NewArtifact, NewImage, new_artifact, new_image
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_archive import open_archive
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import open_layout
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_reference
from ansible_collections.quayside.airgap.tests.support.images import index, simple_image
from ansible_collections.quayside.airgap.tests.support.layer_builders import write_layout as lay_out
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import make_side

PLATFORMS = tuple(Platform.parse(text) for text in ("linux/amd64", "linux/s390x"))
FORMS = {"archive": (write_archive, open_archive), "folder": (write_layout, open_layout)}
forms = pytest.mark.parametrize(("write", "opened"), FORMS.values(), ids=FORMS)


def made(tmp_path, content=b"bb"):
    """An image with one file under two paths, for two platforms."""
    layer = NewLayer("x", [LayerFile("a/b", content)], links=[LayerLink("c/b", "a/b")])
    return new_image(NewImage([layer], PLATFORMS, labels={"what": "test"}), tmp_path)


def bytes_below(path):
    """All that is there, byte by byte, with the times of its files."""
    paths = [path] if path.is_file() else sorted(found for found in path.rglob("*") if found.is_file())
    return {str(found): (found.read_bytes(), found.stat().st_mtime_ns) for found in paths}


def contents(path):
    return {name: content for name, (content, _time) in bytes_below(path).items()}


def read(tmp_path, store, reference):
    """The file a/b of each image."""
    spool = tmp_path / "spool"
    shutil.rmtree(spool, ignore_errors=True)
    spool.mkdir()
    files = LayerFiles(store, reference.repository, spool)
    children = store.get_manifest(reference.repository, reference.digest).children
    manifests = [store.get_manifest(reference.repository, child.digest) for child in children]
    return [files.read(manifest, "a").files["b"].read_bytes() for manifest in manifests]


# --- written and read again


@forms
def test_what_is_written_can_be_read(tmp_path, write, opened):
    image, target = made(tmp_path), tmp_path / "target"
    written = write(image, image.reference, target, tag="v1")
    assert (written.changed, written.digest, written.previous) == (True, image.digest, "")
    for name in (f"{target}", f"{target}:v1"):
        store, reference = opened(name)
        assert reference.digest == image.digest
        assert read(tmp_path, store, reference) == [b"bb", b"bb"]
    assert [tag for page in store.tags("") for tag in page] == ["v1"]
    with pytest.raises(NotFoundError, match="no image of this tag, only v1"):
        opened(f"{target}:v2")


@forms
def test_the_same_image_is_left_alone(tmp_path, write, opened):
    image, target = made(tmp_path), tmp_path / "target"
    first = write(image, image.reference, target, tag="v1")
    before = bytes_below(target)
    again = write(image, image.reference, target, tag="v1")
    assert (again.changed, again.digest, again.previous) == (False, image.digest, image.digest)
    assert bytes_below(target) == before
    assert sum(len(content) for content, _time in before.values()) == first.size == again.size


@forms
def test_another_image_takes_its_place(tmp_path, write, opened):
    old, new, target = made(tmp_path), made(tmp_path, b"new"), tmp_path / "target"
    write(old, old.reference, target)
    foretold = write(new, new.reference, target, dry_run=True)
    assert opened(str(target))[1].digest == old.digest
    written = write(new, new.reference, target)
    assert written == foretold
    assert (written.changed, written.previous, written.digest) == (True, old.digest, new.digest)
    store, reference = opened(str(target))
    assert read(tmp_path, store, reference) == [b"new", b"new"]
    # and nothing of the old one stays
    assert sum(len(content) for content, _time in bytes_below(target).values()) == written.size


@forms
def test_another_name_is_another_layout(tmp_path, write, opened):
    image, target = made(tmp_path), tmp_path / "target"
    write(image, image.reference, target, tag="v1")
    assert write(image, image.reference, target, tag="v2").changed
    assert opened(f"{target}:v2")[1].digest == image.digest


def test_the_bytes_of_an_archive_depend_on_nothing_else(tmp_path):
    found = set()
    for number, mask in enumerate((0o022, 0o077)):
        work = tmp_path / str(number)
        work.mkdir()
        before = os.umask(mask)
        try:
            image = made(work)
            write_archive(image, image.reference, work / "image.tar")
        finally:
            os.umask(before)
        found.add((work / "image.tar").read_bytes())
        assert (work / "image.tar").stat().st_mode & 0o777 == 0o644
    assert len(found) == 1
    with tarfile.open(work / "image.tar") as tar:
        assert [entry.name for entry in tar][:2] == ["oci-layout", "index.json"]
        assert {(entry.mtime, entry.uid, entry.gid, entry.mode) for entry in tar} == {(0, 0, 0, 0o644)}


@forms
def test_an_artifact_is_written_too(tmp_path, write, opened):
    layer = NewLayer("x", [LayerFile("data/a", b"aa")])
    artifact = new_artifact(NewArtifact("application/example", {"data": layer}), tmp_path)
    target = tmp_path / "target"
    assert write(artifact, artifact.reference, target).changed
    assert not write(artifact, artifact.reference, target).changed
    assert opened(str(target))[1].digest == artifact.digest


def test_what_lies_in_a_registry_can_be_written(start, tmp_path):
    registry = start()
    content = index([index([simple_image("a", size=70_000)]), simple_image("b", fmt="docker", platform="linux/arm64")])
    registry.load("lab/app", "v1", content)
    side = make_side()
    try:
        reference = parse_reference(f"{registry.host}/lab/app:v1")
        written = write_archive(side.client(registry.host), reference, tmp_path / "app.tar")
        assert not write_archive(side.client(registry.host), reference, tmp_path / "app.tar").changed
    finally:
        side.close()
    assert written.digest == content.digest
    store, _reference = open_archive(str(tmp_path / "app.tar"))
    assert {f"blobs/{digest.replace(':', '/')}" for digest in content.all_blobs()} <= store.names


# --- what is there already


@forms
def test_a_damaged_one_is_written_again(tmp_path, write, opened):
    image, target = made(tmp_path, os.urandom(3000)), tmp_path / "target"
    write(image, image.reference, target)
    good = contents(target)
    store, reference = opened(str(target))
    child = store.get_manifest("", store.get_manifest("", reference.digest).children[0].digest)
    layer = store.open_blob("", child.blobs[1].digest)[0].raw.read(1 << 20)
    for path, content in good.items():
        Path(path).write_bytes(content.replace(layer, layer[:-1] + b"!"))
    assert contents(target) != good
    assert write(image, image.reference, target).changed
    assert contents(target) == good


def test_a_file_that_is_no_archive_is_replaced(tmp_path):
    image, target = made(tmp_path), tmp_path / "image.tar"
    target.write_bytes(b"half of someth")
    assert write_archive(image, image.reference, target).previous == ""
    assert open_archive(f"oci-archive:{target}")[1].digest == image.digest


def test_a_folder_with_other_things_in_it_is_not_touched(tmp_path):
    image, target = made(tmp_path), tmp_path / "precious"
    target.mkdir()
    (target / "thesis.txt").write_text("years of work")
    with pytest.raises(FileError, match=r"it holds other things \(thesis.txt\)"):
        write_layout(image, image.reference, target)
    assert [path.name for path in target.iterdir()] == ["thesis.txt"]


def test_a_layout_that_was_not_completed_is(tmp_path):
    image, target = made(tmp_path), tmp_path / "target"
    write_layout(image, image.reference, target)
    (target / "index.json").unlink()
    assert write_layout(image, image.reference, target).changed
    assert open_layout(str(target))[1].digest == image.digest


# --- mistakes


@pytest.fixture
def little_space():
    """As on a full disk, nothing more can be written to a file after 64 KiB."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def large(tmp_path):
    return made(tmp_path, os.urandom(1 << 18))


def test_a_disk_without_space_leaves_the_old_archive(tmp_path, large, little_space):
    old, target = made(tmp_path), tmp_path / "image.tar"
    write_archive(old, old.reference, target)
    with pytest.raises(FileError, match=r"write .*image.tar: File too large"):
        write_archive(large, large.reference, target)
    assert open_archive(str(target))[1].digest == old.digest
    assert [path.name for path in tmp_path.iterdir() if "image.tar" in path.name] == ["image.tar"]


def test_a_folder_that_is_not_there_is_told(tmp_path):
    image = made(tmp_path)
    with pytest.raises(FileError, match="No such file or directory"):
        write_archive(image, image.reference, tmp_path / "gone" / "image.tar")


def test_an_archive_of_something_else_is_told(tmp_path):
    image = made(tmp_path)
    write_archive(image, image.reference, tmp_path / "image.tar")
    packed = tmp_path / "image.tar.gz"
    packed.write_bytes(gzip.compress((tmp_path / "image.tar").read_bytes()))
    with pytest.raises(FileError, match="it is compressed"):
        open_archive(str(packed))
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.add(packed, "x")
    with pytest.raises(FileError, match=r"it has no index\.json"):
        open_archive(str(tmp_path / "other.tar"))
    with pytest.raises(FileError, match="it is a folder, not a file"):
        open_archive(str(tmp_path))
    with pytest.raises(FileError, match="No such file"):
        open_archive(str(tmp_path / "gone.tar"))


def test_a_blob_of_an_archive_that_is_not_what_it_should_be_is_told(tmp_path):
    place = lay_out(tmp_path / "image", {"v1": simple_image("a")})
    (child,) = open_layout(str(place))[0].index.children
    manifest = place / "blobs" / child.digest.replace(":", "/")
    manifest.write_bytes(manifest.read_bytes() + b" ")
    with tarfile.open(tmp_path / "image.tar", "w") as tar:
        tar.add(place, ".")
    store, reference = open_archive(str(tmp_path / "image.tar"))
    with pytest.raises(ProtocolError, match="its content has the digest"):
        store.get_manifest(reference.repository, reference.digest)


# --- other programs


def test_skopeo_reads_what_we_write_and_we_what_skopeo_writes(tmp_path):
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    image = made(tmp_path)
    write_archive(image, image.reference, tmp_path / "ours.tar", tag="v1")
    for target in (f"oci-archive:{tmp_path / 'theirs.tar'}:v1", f"oci:{tmp_path / 'theirs'}:v1"):
        command = ["skopeo", "copy", "-q", "--all", f"oci-archive:{tmp_path / 'ours.tar'}:v1", target]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    for store, reference in (open_archive(f"{tmp_path / 'theirs.tar'}:v1"), open_layout(f"{tmp_path / 'theirs'}:v1")):
        assert reference.digest == image.digest
        assert read(tmp_path, store, reference) == [b"bb", b"bb"]
