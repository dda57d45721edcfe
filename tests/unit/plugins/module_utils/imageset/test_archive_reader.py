# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an archive may be given to us as: oc-mirror's own, incomplete, mixed up, tampered with."""

from __future__ import annotations

import hashlib
import json
import tarfile

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.archives import END, TarIndex, member_header
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_contents import Contents
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_layout import (
    blob_path,
    layer_link,
    revision_link,
    tag_history_link,
    tag_link,
)
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_reader import ArchiveReader
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_side import OneStore
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED, UNCHANGED
from ansible_collections.quayside.airgap.tests.support.images import cosign_signature, cosign_tag, image, layer, multi_arch, simple_image
from ansible_collections.quayside.airgap.tests.unit.plugins.archives import Disk, tar_of
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import copied, has, states

APP = simple_image("app", layers=3)
MANY = multi_arch("many")
OTHER = simple_image("other", layers=2)
NOWHERE = "sha256:" + "0" * 64


def links(repository, tag, content):
    """The links of an image as the distribution registry writes them."""
    for one in content.walk():
        yield revision_link(repository, one.digest), one.digest.encode()
    for digest in content.all_blobs():
        yield layer_link(repository, digest), digest.encode()
    yield tag_link(repository, tag), content.digest.encode()
    yield tag_history_link(repository, tag, content.digest), content.digest.encode()


def blobs(*contents):
    """The content of images, manifests too."""
    found = {blob_path(digest): blob.data for content in contents for digest, blob in content.all_blobs().items()}
    found.update({blob_path(one.digest): one.body for content in contents for one in content.walk()})
    return list(found.items())


WORKING_DIR = [("working-dir/internal/oc-mirror-version.json", b"{}"), ("isc_2026-11-20T22:08:47Z", b"kind: ImageSetConfiguration\n")]


@pytest.fixture
def target(start):
    return start()


@pytest.fixture
def source(start):
    registry = start()
    registry.load("lab/app", "v1", APP)
    registry.load("lab/other", "v1", OTHER)
    return registry


@pytest.fixture
def disk(tmp_path, source):
    """With an archive of ours in three files."""
    made = Disk(tmp_path / "ours", limit=20 << 10)
    made.fill(source, "lab/app:v1")
    assert len(made.chunks) == 3
    made.limit = None
    return made


@pytest.fixture
def theirs(tmp_path):
    """A folder for archives like oc-mirror's."""
    folder = tmp_path / "theirs"
    folder.mkdir()

    def write(*chunks):
        for number, members in enumerate(chunks, 1):
            (folder / f"mirror_{number:06}.tar").write_bytes(tar_of(members, tarfile.USTAR_FORMAT))
        return Disk(folder)

    return write


def rewritten(path, change):
    """Write an archive anew, its members given through a function from and to (name, content) pairs."""
    with tarfile.open(path) as archive:
        members = [(member.name, archive.extractfile(member).read()) for member in archive]
    path.write_bytes(tar_of(change(members)))


# --- archives of oc-mirror


def test_an_archive_of_oc_mirror_is_loaded(theirs, target):
    signature = cosign_signature(APP)
    disk = theirs(
        [
            *links("lab/app", "v1", APP),
            *links("lab/many", "v1", MANY),
            *links("lab/app", cosign_tag(APP.digest), signature),
            *blobs(APP, MANY, signature),
            *WORKING_DIR,
        ]
    )
    reader = disk.reader()
    assert reader.contents is None
    assert reader.repositories == ["lab/app", "lab/many"]
    assert list(reader.tags("lab/app")) == [sorted(["v1", cosign_tag(APP.digest)])]
    assert reader.files() == ["working-dir/internal/oc-mirror-version.json"]
    assert reader.image_set == b"kind: ImageSetConfiguration\n"
    assert copied(disk.empty(target, "lab/app:v1", signatures="require"))
    assert copied(disk.empty(target, "lab/many:v1"))
    assert has(target, "lab/app", APP)
    assert has(target, "lab/app", signature)
    assert has(target, "lab/many", MANY)


def test_its_files_may_be_several_and_have_blobs_twice(theirs, target):
    disk = theirs([*links("lab/app", "v1", APP), *blobs(APP)], [*blobs(APP)[:2], *WORKING_DIR])
    assert [path.name for path in disk.reader().paths] == disk.chunks
    assert copied(disk.empty(target, "lab/app:v1"))


def test_an_archive_that_was_packed_anew_by_gnu_tar_is_read(disk, target, tmp_path):
    everything = {}
    for name in disk.chunks:
        with tarfile.open(disk.folder / name) as archive:
            everything.update({f"./{member.name}": archive.extractfile(member).read() for member in archive})
    del everything["./quayside-contents.json"], everything["./quayside-chunk.json"]
    (tmp_path / "mirror_000001.tar").write_bytes(tar_of(everything.items()))
    assert copied(Disk(tmp_path).empty(target, "lab/app:v1"))


def test_its_increments_say_that_an_earlier_archive_is_needed(theirs, target):
    disk = theirs([*links("lab/app", "v1", APP), *links("lab/other", "v1", OTHER), *blobs(OTHER), *WORKING_DIR])
    report = disk.empty(target, "lab/app:v1", "lab/other:v1")
    assert [outcome.state for outcome in report.outcomes] == ["failed", "copied"]
    assert f"{APP.digest} is named in these archive files of oc-mirror, but in none of them." in report.outcomes[0].reason
    assert "An earlier archive has it: load the earlier ones first" in report.outcomes[0].reason


def test_without_the_image_set_its_last_files_are_suspected(theirs):
    disk = theirs([*links("lab/app", "v1", APP)])
    with pytest.raises(NotFoundError, match=r"The archive's last files seem to be missing, for there is no isc_\*"):
        disk.reader().get_manifest("lab/app", "v1")


def test_an_image_that_the_destination_has_is_unchanged_although_only_its_links_are_there(theirs, target):
    target.load("lab/app", "v1", APP)
    target.load("lab/many", "v1", MANY)
    disk = theirs(
        [
            *links("lab/app", "v1", APP),
            *links("lab/app", cosign_tag(APP.digest), cosign_signature(APP)),
            *links("lab/many", "v1", MANY),
            (blob_path(MANY.digest), MANY.body),  # without the manifests below it
            *links("lab/other", "v1", OTHER),
            *blobs(OTHER),
            *WORKING_DIR,
        ]
    )
    report = disk.empty(target, "lab/app:v1", f"lab/app@{APP.digest}=lab/app:v1", "lab/many:v1", "lab/other:v1")
    assert states(report) == [UNCHANGED, UNCHANGED, UNCHANGED, COPIED]
    assert [outcome.notes for outcome in report.outcomes] == [[], [], [], []]
    assert states(disk.empty(target, "lab/app:v1", signatures="require")) == [UNCHANGED]


def test_what_is_not_in_it_is_said(theirs):
    reader = theirs([*links("lab/app", "v1", APP), *blobs(APP), *WORKING_DIR]).reader()
    assert reader.head_manifest("lab/none", "v1") is None
    assert reader.head_manifest("lab/app", "v2") is None
    assert reader.head_manifest("lab/app", NOWHERE) is None
    assert reader.head_manifest("lab/app", APP.digest) == APP.digest
    assert reader.head_blob("lab/app", NOWHERE) is None
    with pytest.raises(NotFoundError, match="the archive has no repository lab/none"):
        reader.get_manifest("lab/none", "v1")
    with pytest.raises(NotFoundError, match="the archive has no such tag"):
        reader.get_manifest("lab/app", "v2")
    with pytest.raises(NotFoundError, match=f"the archive does not know {NOWHERE}"):
        reader.open_blob("lab/app", NOWHERE)
    with pytest.raises(NotFoundError, match="the archive has no such repository"):
        list(reader.tags("lab/none"))
    with pytest.raises(FileError, match="the archive does not have it"):
        reader.read_file("working-dir/none")
    with pytest.raises(AssertionError, match="is only read"):
        reader.begin_upload("lab/app", NOWHERE)
    assert OneStore(reader).client("any.example") is reader


def test_changed_manifests_and_links_are_found_out(theirs):
    reader = theirs(
        [
            *links("lab/app", "v1", APP),
            (blob_path(APP.digest), APP.body.replace(b"sha256", b"sha512", 1)),
            (tag_link("lab/app", "odd"), b"sha256:odd"),
            *WORKING_DIR,
        ]
    ).reader()
    with pytest.raises(ProtocolError, match="its content has the digest"):
        reader.get_manifest("lab/app", "v1")
    with pytest.raises(FileError, match=r"tags/odd/current/link.*is not sha256: with 64"):
        reader.get_manifest("lab/app", "odd")


def test_a_changed_blob_is_found_out_on_its_way(theirs, target):
    (digest, blob), *_rest = APP.all_blobs().items()
    changed = [(name, data if name != blob_path(digest) else bytes(len(data))) for name, data in blobs(APP)]
    (outcome,) = theirs([*links("lab/app", "v1", APP), *changed, *WORKING_DIR]).empty(target, "lab/app:v1").outcomes
    assert f"@{digest}: its content has the digest" in outcome.reason
    assert "The file is damaged: copy it again from where it was made." in outcome.reason
    assert blob.digest not in target.blobs


@pytest.mark.parametrize("size", [30_000, 5 << 20])
def test_a_changed_byte_costs_the_images_that_have_it(source, target, tmp_path, size):
    """Read at once or in pieces, from an archive of ours: the blob is named, and of its image there is nothing to be pulled."""
    content = image([layer(f"changed/{size}", size)])
    source.load("lab/changed", "v1", content)
    made = Disk(tmp_path / "made")
    made.fill(source, "lab/app:v1", "lab/changed:v1")
    (large,) = [item for item in content.all_blobs().values() if item.size >= size]
    path = made.folder / made.chunks[0]
    offset, _size = TarIndex.read(path).members[blob_path(large.digest)]
    with open(path, "r+b") as stream:
        stream.seek(offset + size // 2)
        before = stream.read(1)
        stream.seek(offset + size // 2)
        stream.write(bytes([before[0] ^ 1]))
    changed, app = made.empty(target, "lab/changed:v1", "lab/app:v1").outcomes
    assert changed.state == "failed"
    assert f"lab/changed@{large.digest}: its content has the digest sha256:" in changed.reason
    assert large.digest not in target.blobs
    assert target.manifests("lab/changed") == {}
    assert app.state == "copied"
    assert has(target, "lab/app", APP)


def test_two_different_things_of_one_name_are_refused(theirs):
    again = [(tag_link("lab/app", "v1"), NOWHERE.encode() + b"\n")]
    disk = theirs([*links("lab/app", "v1", APP), *again])
    with pytest.raises(FileError, match=r"mirror_000001.tar has .*/v1/current/link more than once"):
        disk.reader()
    disk = theirs([*links("lab/app", "v1", APP)], again)
    with pytest.raises(FileError, match=r"both mirror_000001.tar and mirror_000002.tar have .*/v1/current/link"):
        disk.reader()


@pytest.mark.parametrize("name", ["working-dir/../../up", "/etc/working-dir/x", ".."])
def test_names_that_lead_elsewhere_are_refused(theirs, name):
    with pytest.raises(FileError, match="a name that leads elsewhere"):
        theirs([(name, b"")]).reader()


# --- files that are missing or do not belong together


def test_a_folder_without_archive(tmp_path):
    with pytest.raises(FileError, match=r"there is no mirror_000001.tar in it"):
        ArchiveReader(tmp_path)
    with pytest.raises(FileError, match="No such file"):
        ArchiveReader(tmp_path / "none")


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        (0, "of the archive's files mirror_000001.tar are missing"),
        (1, "of the archive's files mirror_000002.tar are missing"),
        (-1, "the archive has 3 files, and 2 are there|its last files are missing: none has the list of contents"),
    ],
)
def test_a_missing_file_is_named(disk, missing, reason):
    (disk.folder / disk.chunks[missing]).unlink()
    with pytest.raises(FileError, match=rf"({reason})\. Copy all files of the archive again"):
        disk.reader()


def test_a_file_too_many(disk, source, tmp_path):
    other = Disk(tmp_path / "other")
    other.fill(source, "lab/other:v1")
    number = len(disk.chunks) + 1
    (disk.folder / f"mirror_{number:06}.tar").write_bytes((other.folder / "mirror_000001.tar").read_bytes())
    with pytest.raises(
        FileError, match=rf"its files belong to several archives: mirror_{number:06}.tar to the one of \S+ \(number 1\), mirror_000001"
    ):
        disk.reader()


def test_a_file_of_another_archive(disk, theirs):
    foreign = theirs([*links("lab/other", "v1", OTHER)])
    (disk.folder / "mirror_000002.tar").write_bytes((foreign.folder / "mirror_000001.tar").read_bytes())
    with pytest.raises(FileError, match=r"belong to several archives: mirror_000002.tar to another one, mirror_000001.tar to the one of"):
        disk.reader()


def test_files_of_two_archives_of_oc_mirror(theirs):
    disk = theirs([*links("lab/app", "v1", APP), *WORKING_DIR], [*blobs(APP), ("isc_2026-10-01T00:00:00Z", b"")])
    with pytest.raises(
        FileError, match=r"several archives: mirror_000002.tar has isc_2026-10-01T00:00:00Z and mirror_000001.tar has isc_2026-11"
    ):
        disk.reader()


def test_files_under_each_others_names(disk):
    first, second = (disk.folder / name for name in disk.chunks[:2])
    first.rename(disk.folder / "aside")
    second.rename(first)
    (disk.folder / "aside").rename(second)
    with pytest.raises(FileError, match=r"mirror_000001.tar was called mirror_000002.tar when it was written"):
        disk.reader()


def test_a_truncated_file_is_named(disk):
    path = disk.folder / disk.chunks[1]
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(FileError, match=r"mirror_000002.tar: it is incomplete"):
        disk.reader()


# --- lists of contents


def contents_of(disk):
    for name in disk.chunks:
        with tarfile.open(disk.folder / name) as archive:
            if "quayside-contents.json" in archive.getnames():
                return disk.folder / name
    raise AssertionError("there is no list of contents")


def with_contents(change):
    return lambda members: [(name, change(content) if name == "quayside-contents.json" else content) for name, content in members]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content.replace(b'"sequence":1', b'"sequence":2'), "its checksum does not fit: it was changed"),
        (lambda content: content.replace(b'"version":1', b'"version":9'), "it has the version 9, and this release knows version 1"),
        (lambda _content: b"{}", "it is no list of contents"),
        (lambda _content: b"\xff", "it is no JSON"),
        (lambda content: content[:1000], "it is no JSON"),
    ],
)
def test_a_changed_list_of_contents_is_refused(disk, change, reason):
    rewritten(contents_of(disk), with_contents(change))
    with pytest.raises(FileError, match=reason):
        disk.reader()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda members: members[:1] + members[2:], "the list of contents names .* and it is not there"),
        (lambda members: [*members, ("docker/extra", b"")], "docker/extra is there, and the list of contents does not name it"),
        (lambda members: [*members, members[1]], "has .* more than once"),
        (lambda members: [members[0], (members[1][0], b"short"), *members[2:]], "the list of contents names .* and it is not there"),
        (lambda members: [("quayside-chunk.json", b"{}"), *members[1:]], "does not say which archive it belongs to|without its number"),
    ],
)
def test_members_that_do_not_fit_the_list_are_refused(disk, change, reason):
    rewritten(disk.folder / disk.chunks[0], change)
    with pytest.raises(FileError, match=reason):
        disk.reader()


def test_changed_content_that_fits_in_size_is_found_when_it_is_read(disk):
    for name in disk.chunks:
        rewritten(
            disk.folder / name,
            lambda members: [
                (name, NOWHERE.encode() if name.endswith("v1/current/link") else content.swapcase() if name.startswith("isc_") else content)
                for name, content in members
            ],
        )
    reader = disk.reader()
    with pytest.raises(FileError, match=r"v1/current/link.*it is not what the list of contents says"):
        reader.get_manifest("lab/app", "v1")
    with pytest.raises(FileError, match=r"isc_.*it is not what the list of contents says"):
        assert reader.image_set


@pytest.mark.parametrize("lost", ["archive", "previous", "chunks", "repositories", "blobs", "files", "expected"])
def test_a_list_of_contents_without_one_of_its_parts_is_refused(disk, lost):
    contents = disk.reader().contents
    document = json.loads(contents.to_bytes())
    assert Contents.parse(contents.to_bytes(), "x") == contents
    del document[lost], document["checksum"]
    # the checksum as the writer would make it
    text = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    document["checksum"] = f"sha256:{hashlib.sha256(text).hexdigest()}"
    with pytest.raises(FileError, match=r"something is missing in it or of another kind|it lists an archive"):
        Contents.parse(json.dumps(document).encode(), "x")


def test_many_members(tmp_path):
    """More than one read of headers takes in."""
    digests = [f"{number:064x}" for number in range(20_000)]
    with open(tmp_path / "mirror_000001.tar", "wb") as stream:
        for digest in digests:
            content = f"sha256:{digest}".encode()
            stream.write(member_header(layer_link("lab/app", f"sha256:{digest}"), len(content)) + content.ljust(512, b"\0"))
        stream.write(END)
    reader = ArchiveReader(tmp_path)
    assert reader.repositories == ["lab/app"]
    with pytest.raises(NotFoundError, match=f"{digests[-1]} is named in these archive files"):
        reader.open_blob("lab/app", f"sha256:{digests[-1]}")
