# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirror to disk, carry the files over, mirror to a registry: everything arrives as it was, and moves once."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_files import WorkingFile
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_layout import (
    blob_path,
    layer_link,
    revision_link,
    tag_history_link,
    tag_link,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED, UNCHANGED
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.docker_registry import DockerRegistry, require_docker_registry
from ansible_collections.quayside.airgap.tests.support.images import (
    Blob,
    artifact,
    cosign_signature,
    cosign_tag,
    foreign_layer,
    image,
    index,
    layer,
    multi_arch,
    simple_image,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.archives import IMAGE_SET, Disk
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import blob_reads, copied, has, states
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import make_client

APP = simple_image("app", layers=3)
MANY = multi_arch("many")
LARGE = image([layer("large", 3 << 20), layer("small", 100)])


@pytest.fixture
def source(start):
    return start()


@pytest.fixture
def target(start):
    return start()


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path / "connected")


@pytest.mark.parametrize(
    "content",
    [
        APP,
        simple_image("docker", fmt="docker"),
        artifact("application/example", b"payload"),
        MANY,
        multi_arch("docker-many", fmt="docker"),
        multi_arch("attested", attestations=True),
        index([multi_arch("inner"), simple_image("beside")]),
        index([]),
        image([]),
        LARGE,
        image([layer("x", 1000), foreign_layer("windows", 2000, "https://elsewhere.example/layer")], fmt="docker"),
    ],
    ids=["oci", "docker", "artifact", "index", "list", "attested", "nested", "empty index", "no layers", "large", "foreign layer"],
)
def test_every_kind_of_image_arrives_as_it_was(source, target, disk, tmp_path, content):
    source.load("lab/app", "v1", content)
    result, report = disk.fill(source, "lab/app:v1")
    assert copied(report)
    assert result.changed
    assert disk.leftovers == []
    assert copied(disk.move(tmp_path / "disconnected").empty(target, "lab/app:v1"))
    assert has(target, "lab/app", content)
    assert target.tags("lab/app") == {"v1": content.digest}


def test_the_archive_has_what_oc_mirror_looks_for(source, disk):
    source.load("lab/app", "v1", APP)
    disk.files = [WorkingFile("operator-catalogs/x/digest", b"abc")]
    disk.fill(source, "lab/app:v1=mirror/app:stable")
    (config, *layers) = APP.all_blobs()
    wanted = {
        tag_link("mirror/app", "stable"): 71,
        tag_history_link("mirror/app", "stable", APP.digest): 71,
        revision_link("mirror/app", APP.digest): 71,
        blob_path(APP.digest): APP.size,
        "working-dir/operator-catalogs/x/digest": 3,
    }
    for digest in (config, *layers):
        wanted[layer_link("mirror/app", digest)] = 71
        wanted[blob_path(digest)] = APP.all_blobs()[digest].size
    ours = {"quayside-chunk.json", "quayside-contents.json"}
    members = disk.members
    (image_set,) = [name for name in members if name.startswith("isc_")]
    assert {name: size for name, size in members.items() if name not in ours | {image_set}} == wanted
    assert ours <= set(members)


def test_a_registry_that_gets_it_as_its_storage_serves_it(source, disk, tmp_path):
    """That is what oc-mirror does with an archive: it unpacks it below the cache that its own registry has."""
    require_docker_registry()
    for name, content in (("app", APP), ("many", MANY)):
        source.load(f"lab/{name}", "v1", content)
    disk.fill(source, "lab/app:v1", "lab/many:v1")
    with DockerRegistry(tmp_path / "registry") as registry:
        storage = registry.root.parents[2]
        storage.mkdir(exist_ok=True)
        for name in disk.chunks:
            subprocess.run(["tar", "-xf", str(disk.folder / name), "-C", str(storage), "docker"], check=True)
        assert registry.tags("lab/app") == {"v1": APP.digest}
        assert registry.verify() == []
        for repository, content in (("lab/app", APP), ("lab/many", MANY)):
            client = make_client(registry)
            assert client.get_manifest(repository, "v1").content == content.body
            for one in content.walk():
                assert client.head_manifest(repository, one.digest) == one.digest
            for digest, blob in content.all_blobs().items():
                assert client.head_blob(repository, digest) == blob.size


def test_gnu_tar_lists_it_without_complaint(source, disk):
    long = "/".join(["a-rather-long-component"] * 9)
    source.load("lab/app", "v1", APP)
    disk.files = [WorkingFile(f"{'d' * 120}/{'n' * 120}", b"abc")]
    disk.fill(source, f"lab/app:v1={long}:v1")
    listed = subprocess.run(["tar", "-tvf", str(disk.folder / disk.chunks[0])], check=True, capture_output=True, text=True)
    assert listed.stderr == ""
    assert len(listed.stdout.splitlines()) == len(disk.members)
    assert disk.reader().repositories == [long]


def test_a_blob_is_read_and_written_once_however_many_images_have_it(source, target, disk):
    shared = [layer("shared", 5000)]
    for number in range(4):
        source.load(f"lab/app-{number}", "v1", image([*shared, layer(f"own/{number}", 1000)]))
    names = [f"lab/app-{number}:v1" for number in range(4)]
    result, report = disk.fill(source, *names)
    assert copied(report)
    assert blob_reads(source) == 1 + 4 + 4  # shared, own, configs
    assert result.blobs == 9 + 4  # and manifests
    assert copied(disk.empty(target, *names))
    assert target.verify() == []


def test_a_manifest_that_is_also_a_layer_is_there_once(source, target, disk):
    strange = image([Blob(APP.body, "application/example")])
    source.load("lab/app", "v1", APP)
    source.load("lab/strange", "v1", strange)
    assert copied(disk.fill(source, "lab/app:v1", "lab/strange:v1")[1])
    assert copied(disk.empty(target, "lab/app:v1", "lab/strange:v1"))
    assert has(target, "lab/strange", strange)
    assert has(target, "lab/app", APP)


def test_signatures_and_referrers_travel_along(source, target, disk):
    signature = cosign_signature(APP)
    sbom = artifact("application/spdx+json", b"{}", subject=APP)
    source.load("lab/app", "v1", APP)
    source.load("lab/app", cosign_tag(APP.digest), signature)
    source.load("lab/app", None, sbom)
    _result, report = disk.fill(source, "lab/app:v1")
    assert sorted(report.outcomes[0].companions) == sorted([cosign_tag(APP.digest), sbom.digest])
    report = disk.empty(target, "lab/app:v1", signatures="require")
    assert copied(report)
    assert has(target, "lab/app", signature)
    assert has(target, "lab/app", sbom)
    assert target.tags("lab/app")[cosign_tag(APP.digest)] == signature.digest


def test_an_image_by_digest_keeps_the_tag_that_stands_for_it_when_something_refers_to_it(source, target, disk):
    sbom = artifact("application/spdx+json", b"{}", subject=APP)
    source.load("lab/app", None, APP)
    source.load("lab/app", None, sbom)
    name = f"lab/app:{APP.digest.replace(':', '-')}"
    _result, report = disk.fill(source, f"lab/app@{APP.digest}={name}")
    assert copied(report)
    assert report.outcomes[0].notes == []
    assert disk.reader().head_manifest("lab/app", name.partition(":")[2]) == APP.digest
    assert [found.digest for found in disk.reader().referrers("lab/app", APP.digest)] == [sbom.digest]
    assert copied(disk.empty(target, name))
    assert has(target, "lab/app", sbom)


def test_tag_and_digest_together(source, target, disk):
    other = simple_image("other")
    source.load("lab/app", "v1", APP)
    source.load("lab/app", "v1", other)  # the tag went on
    _result, report = disk.fill(source, f"lab/app:v1@{APP.digest}=lab/app:v1")
    assert copied(report)
    assert copied(disk.empty(target, f"lab/app:v1@{APP.digest}=lab/app:v1"))
    assert target.tags("lab/app") == {"v1": APP.digest}


def test_some_platforms_of_an_index(start, source, disk):
    sparse, whole = start(sparse_indexes=True), start(sparse_indexes=False)
    source.load("lab/many", "v1", MANY)
    _result, report = disk.fill(source, "lab/many:v1", platforms=["linux/amd64"])
    assert [(outcome.state, outcome.index) for outcome in report.outcomes] == [(COPIED, "sparse")]
    report = disk.empty(sparse, "lab/many:v1", platforms=["linux/amd64"])
    assert [(outcome.state, outcome.index, outcome.digest) for outcome in report.outcomes] == [(COPIED, "sparse", MANY.digest)]
    report = disk.empty(whole, "lab/many:v1", platforms=["linux/amd64"])
    assert [(outcome.state, outcome.index) for outcome in report.outcomes] == [(COPIED, "rewritten")]
    (outcome,) = disk.empty(whole, "lab/many:v1").outcomes
    assert "the archive does not know" in outcome.reason


def test_what_is_at_the_destination_already_does_not_move(source, target, disk):
    for name, content in (("app", APP), ("many", MANY)):
        source.load(f"lab/{name}", "v1", content)
    disk.fill(source, "lab/app:v1", "lab/many:v1")
    disk.empty(target, "lab/app:v1", "lab/many:v1")
    target.reset_log()
    assert states(disk.empty(target, "lab/app:v1", "lab/many:v1")) == [UNCHANGED, UNCHANGED]
    assert target.writes == []
    assert target.count(method="GET|HEAD", path="/manifests/") == 2


def test_a_source_that_breaks_off_leaves_no_trace_in_the_archive(source, target, disk):
    source.load("lab/large", "v1", LARGE)
    source.load("lab/app", "v1", APP)
    source.faults.append(Fault("GET", "/blobs/", "reset", after_bytes=1 << 20, times=2))
    source.faults.append(Fault("GET", "/blobs/", "wrong_digest", times=1))
    assert copied(disk.fill(source, "lab/large:v1", "lab/app:v1")[1])
    assert copied(disk.empty(target, "lab/large:v1", "lab/app:v1"))
    assert has(target, "lab/large", LARGE)


def test_an_image_that_fails_costs_only_itself(source, target, disk):
    source.load("lab/app", "v1", APP)
    source.load("lab/large", "v1", LARGE)
    lost = next(iter(blob.digest for blob in LARGE.all_blobs().values() if blob.size > 1 << 20))
    source.lose_blob("lab/large", lost)
    result, report = disk.fill(source, "lab/app:v1", "lab/large:v1", "lab/none:v1")
    assert [outcome.state for outcome in report.outcomes] == ["copied", "failed", "failed"]
    assert result.changed
    assert disk.reader().repositories == ["lab/app"]
    # what came of it before it failed is neither in the archive nor taken for mirrored
    assert disk.blobs == {APP.digest, *APP.all_blobs()}
    assert disk.history.base().digests == disk.blobs
    assert copied(disk.empty(target, "lab/app:v1"))


def test_when_everything_fails_the_old_archive_stays(source, disk):
    source.load("lab/app", "v1", APP)
    disk.fill(source, "lab/app:v1")
    before = {name: (disk.folder / name).read_bytes() for name in disk.chunks}
    result, report = disk.fill(source, "lab/none:v1")
    assert report.count("failed") == 1
    assert not result.changed
    assert {name: (disk.folder / name).read_bytes() for name in disk.chunks} == before


def test_files_of_the_working_directory_and_the_image_set_are_there(source, disk, tmp_path):
    source.load("lab/app", "v1", APP)
    (tmp_path / "some.json").write_bytes(b"{}" * 1000)
    disk.files = [
        WorkingFile("hold/some.json", tmp_path / "some.json", mode=0o600),
        WorkingFile("a.txt", b"text"),
        WorkingFile("empty", b""),
    ]
    disk.fill(source, "lab/app:v1")
    reader = disk.reader()
    assert reader.files() == ["working-dir/a.txt", "working-dir/empty", "working-dir/hold/some.json"]
    assert reader.read_file("working-dir/hold/some.json") == b"{}" * 1000
    assert reader.read_file("working-dir/a.txt") == b"text"
    assert reader.read_file("working-dir/empty") == b""
    assert reader.image_set == IMAGE_SET


@pytest.mark.parametrize("name", ["../up", "/absolute", "a/../../b", "", "."])
def test_names_that_lead_elsewhere_are_refused(source, disk, name):
    disk.files = [WorkingFile(name, b"")]
    with pytest.raises(InputError, match="it is no name of a file in the working directory"):
        disk.fill(source)


def test_two_files_cannot_have_one_name(source, disk):
    disk.files = [WorkingFile("a", b"1"), WorkingFile("a", b"2")]
    with pytest.raises(InputError, match="two files"):
        disk.fill(source)
