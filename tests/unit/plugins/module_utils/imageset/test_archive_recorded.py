# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside archives that oc-mirror v2 made of the same images: ours have every path that theirs have, and theirs are loaded."""

from __future__ import annotations

import base64
import datetime
import gzip
import importlib.util
import json
import tarfile
import types
from pathlib import Path

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_layout import REPOSITORIES, parse_blob, parse_link
from ansible_collections.quayside.airgap.tests.unit.plugins.archives import Disk, tar_of
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import copied

ROOT = Path(__file__).resolve().parents[5]
FIXTURES = ROOT / "tests/fixtures/oc_mirror_archives"
# The generator of the images and the recordings lie beside the checkouts of developers
RECORDED = next((path / "shared/data/oc-mirror" for path in ROOT.parents if (path / "shared/data/oc-mirror").is_dir()), None)
REBUILT = "11994c4b47b935daeb33c415f338e28d"

IMAGES = json.loads((FIXTURES / "images.json").read_text())
CONTENT = {digest: base64.b64decode(text) for digest, text in IMAGES["content"].items()}


def listed(lines):
    """Name and size of the members that have to do with images."""
    pairs = [(line.split()[-1], int(line.split()[0])) for line in lines if not line.startswith("#")]
    return {name: size for name, size in pairs if name.startswith("docker/")}


SMALL = listed((FIXTURES / "members.txt").read_text().splitlines())
SMALL_NAMES = ["lab/app-a:v1", "lab/app-a:v1=custom/renamed-a:v1-custom", "lab/app-b:v1", "lab/signed:v1"]


@pytest.fixture
def source(start):
    """A registry with three of the images."""
    registry = start()
    for repository, held in IMAGES["repositories"].items():
        for digest in held["blobs"]:
            registry.put_blob(repository, CONTENT[digest])
        tags = {digest: tag for tag, digest in held["tags"].items()}
        for digest, media_type in held["manifests"].items():
            registry.storage.put_manifest(repository, CONTENT[digest], media_type, tags.get(digest), digest)
    return registry


@pytest.fixture
def target(start):
    return start()


def test_every_path_of_the_real_archive_is_in_ours(source, tmp_path):
    disk = Disk(tmp_path / "ours")
    assert copied(disk.fill(source, *SMALL_NAMES)[1])
    members = disk.members
    assert {name: members.get(name) for name in SMALL} == SMALL
    assert {name for name in members if name.startswith("docker/")} == set(SMALL)


def test_all_names_in_it_are_understood():
    assert [name for name in SMALL if (parse_blob(name) or parse_link(name)) is None] == []


def test_an_archive_in_the_order_of_the_real_one_is_loaded(source, target, tmp_path):
    digests = {
        f"{REPOSITORIES}{repository}/_manifests/tags/{tag}/current/link": digest
        for repository, held in IMAGES["repositories"].items()
        for tag, digest in held["tags"].items()
    }
    tags = IMAGES["repositories"]["lab/app-a"]["tags"]
    digests[f"{REPOSITORIES}custom/renamed-a/_manifests/tags/v1-custom/current/link"] = tags["v1"]

    def content(name):
        if parse_blob(name) is not None:
            return CONTENT[parse_blob(name)]
        return (parse_link(name).digest or digests[name]).encode()

    members = [(name, content(name)) for name in SMALL]
    (tmp_path / "mirror_000001.tar").write_bytes(tar_of([*members, ("isc_2026-11-20T22:08:47Z", b"")], tarfile.USTAR_FORMAT))
    assert {name: len(data) for name, data in members} == SMALL
    names = [name.partition("=")[2] or name for name in SMALL_NAMES]
    assert copied(Disk(tmp_path).empty(target, *names))
    assert target.verify() == []
    assert target.tags("lab/signed") == source.tags("lab/signed")


# --- with everything that was recorded


def old_gzip(data, compresslevel=9, *, mtime=None):
    """As the Python that the images were made with: Unix as the operating system, where later ones say unknown."""
    made = gzip.compress(data, compresslevel, mtime=mtime)
    return made[:9] + b"\x03" + made[10:]


@pytest.fixture
def lab(start, tmp_path):
    """A registry with all images of the recordings."""
    if RECORDED is None:
        pytest.skip("the recordings of oc-mirror are not beside this checkout")
    spec = importlib.util.spec_from_file_location("make_images", RECORDED / "make_images.py")
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    generator.gzip = types.SimpleNamespace(compress=old_gzip)
    registry = start()
    folder = tmp_path / "lab"
    report = folder / "report.json"
    folder.mkdir()
    generator.main(
        ["lab", "--registry", registry.host, "--ref-host", "src.lab.example", "--files-dir", str(folder), "--report", str(report)]
    )
    if json.loads(report.read_text())["refs"] != json.loads((RECORDED / "lab.json").read_text())["refs"]:
        pytest.skip("the zlib of this machine compresses otherwise than that of the recordings")
    load_layout(registry, folder / "oci-disk-image", "files/oci-disk-image", "latest")
    return registry


def load_layout(registry, folder, repository, tag):
    (entry,) = json.loads((folder / "index.json").read_text())["manifests"]
    digest = entry["digest"]
    files = {f"sha256:{path.name}": path.read_bytes() for path in (folder / "blobs/sha256").iterdir()}
    for other, data in files.items():
        if other != digest:
            registry.put_blob(repository, data)
    registry.storage.put_manifest(repository, files[digest], entry["mediaType"], tag, digest)


def recorded(case):
    return listed((RECORDED / "cases" / case / "tars.lst").read_text().splitlines())


def mapping(case):
    """What oc-mirror copied, as the names of the helpers here."""
    names = []
    for line in (RECORDED / "cases" / case / "working-dir/dry-run/mapping.txt").read_text().splitlines():
        source, _equals, other = line.partition("=")
        source = source.replace("docker://src.lab.example/", "").replace("oci:///lab/files/oci-disk-image", "files/oci-disk-image:latest")
        names.append(f"{source}={other.replace('docker://localhost:25155/', '')}")
    return names


def test_the_full_set_has_every_recorded_path_but_those_of_the_rebuilt_catalog(lab, target, tmp_path):
    disk = Disk(tmp_path / "ours")
    names = mapping("m2d-1")
    assert copied(disk.fill(lab, *names)[1])
    wanted = recorded("m2d-1")
    there = {digest for repository in lab.repositories for digest in (*lab.manifests(repository), *lab.repository_blobs(repository))}

    def ours(name):
        link = parse_link(name)
        digest = parse_blob(name) or link.digest
        return digest in there if digest else link.tag != REBUILT

    wanted = {name: size for name, size in wanted.items() if ours(name)}
    assert len(wanted) > 240
    members = disk.members
    assert {name: members.get(name) for name in wanted} == wanted
    assert copied(disk.move(tmp_path / "other").empty(target, *[name.partition("=")[2] for name in names]))
    assert target.verify() == []


def test_increments_have_what_was_recorded(lab, tmp_path):
    disk = Disk(tmp_path / "ours")
    first = ["lab/app-a:v1", "lab/multi-oci:v1"]
    disk.fill(lab, *first)
    assert {name: size for name, size in disk.members.items() if name.startswith("docker/")} == recorded("m2d-incr-1")
    disk.fill(lab, *first, "lab/app-b:v1")
    members = {name: size for name, size in disk.members.items() if name.startswith("docker/")}
    wanted = recorded("m2d-incr-2")
    assert {name: members.get(name) for name in wanted} == wanted
    # ours have the manifests of what is not new besides, and nothing else
    manifests = {digest for name in ("lab/app-a", "lab/multi-oci") for digest in lab.manifests(name)}
    assert {parse_blob(name) for name in set(members) - set(wanted)} == manifests
    disk.since = datetime.date(2026, 1, 1)
    disk.fill(lab, *first, "lab/app-b:v1")
    assert {name: size for name, size in disk.members.items() if name.startswith("docker/")} == recorded("m2d-incr-4-since")
