# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump as an image: what is in it, and that it goes where it is missing and nowhere else."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from contextlib import closing

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.certification.dump_files import copy_dump
from ansible_collections.quayside.airgap.plugins.module_utils.certification.packaging import PLATFORMS, PackTask, package
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import Credentials
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import Access
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Manifest, hash_bytes
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_archive import open_archive
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.catalog_dumps import OCT, files_of, write_dump
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import manifest_writes
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import closed_port
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOTS, make_side

OPEN = SideOptions(TlsSettings(verify=False))


@pytest.fixture
def dump(tmp_path):
    return write_dump(tmp_path / "dump")


@pytest.fixture
def pack(tmp_path):
    """Packages in a fresh folder."""
    numbers = iter(range(100))

    def run(path, *destinations, **options):
        work = tmp_path / f"work{next(numbers)}"
        work.mkdir()
        task = {"destination": OPEN, "wire": WireOptions(retries=0), **options}
        return package(PackTask(str(path), destinations, **task), work)

    return run


def opened(archive):
    """The root of an archive, and what gives its blobs."""
    store, reference = open_archive(str(archive))
    root = store.get_manifest(reference.repository, reference.digest)

    def blob(digest):
        return store.open_blob("", digest)[0].raw.read(1 << 30)

    manifests = [json.loads(store.get_manifest("", child.digest).content) for child in root.children]
    return json.loads(root.content), manifests, blob


def states(result):
    return [place.state for place in result.places]


# --- what is in it


def test_the_dump_lies_in_both_places_and_costs_one(dump, pack, tmp_path):
    files = files_of(dump / "data")
    pack(dump, archive=str(tmp_path / "catalog.tar"))
    _root, manifests, blob = opened(tmp_path / "catalog.tar")
    layers = {json.dumps(manifest["layers"]) for manifest in manifests}
    (layer,) = json.loads(layers.pop())
    assert layers == set()
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(layer["digest"])))) as tar:
        found = {entry.name: tar.extractfile(entry).read() for entry in tar if not entry.isdir()}
        modes = {(entry.isdir(), oct(entry.mode), entry.uid) for entry in tar}
        stored = sum(entry.size for entry in tar)
        folders = {entry.name for entry in tar if entry.isdir()}
    assert found == {f"{base}/{path}": content for base in (OCT, "data") for path, content in files.items()}
    assert modes == {(True, "0o755", 0), (False, "0o644", 0)}
    assert stored == sum(map(len, files.values()))
    assert {f"{base}/{name}" for base in (OCT, "data") for name in ("containers", "helm", "operators")} <= folders


def test_labels_tell_what_is_in_it(dump, pack, tmp_path):
    result = pack(dump, archive=str(tmp_path / "catalog.tar"), labels={"org.opencontainers.image.vendor": "Example", "n": 1})
    root, manifests, blob = opened(tmp_path / "catalog.tar")
    config = json.loads(blob(manifests[0]["config"]["digest"]))
    labels = config["config"]["Labels"]
    assert labels == root["annotations"]
    assert {name.rpartition(".")[2]: labels[name] for name in labels if ".digest." in name} == result.dump["digests"]
    assert {name.rpartition(".")[2]: int(labels[name]) for name in labels if ".count." in name} == result.dump["counts"]
    assert (labels["org.opencontainers.image.vendor"], labels["n"]) == ("Example", "1")
    # the day of its newest container, for the day of the run would change the image
    assert labels["org.opencontainers.image.created"] == config["created"] == "2026-11-02T10:20:30Z"


def test_it_is_for_every_platform_that_openshift_runs_on(dump, pack, tmp_path):
    pack(dump, archive=str(tmp_path / "catalog.tar"))
    root, _manifests, _blob = opened(tmp_path / "catalog.tar")
    assert tuple(f"{entry['platform']['os']}/{entry['platform']['architecture']}" for entry in root["manifests"]) == PLATFORMS
    pack(dump, archive=str(tmp_path / "catalog.tar"), platforms=["linux/arm64", "linux/arm64"])
    root, _manifests, _blob = opened(tmp_path / "catalog.tar")
    assert [entry["platform"]["architecture"] for entry in root["manifests"]] == ["arm64"]


def test_an_artifact_holds_the_folder_data(dump, pack, start):
    registry = start()
    result = pack(dump, f"{registry.host}/lab/catalog:v1", form="artifact")
    document = json.loads(registry.manifests("lab/catalog")[result.digest].body)
    assert document["artifactType"] == "application/vnd.quayside.airgap.catalog-dump.v1"
    assert document["annotations"]["quayside.airgap.catalog.count.containers"] == "2"
    assert registry.verify() == []


# --- the same dump, the same image


def test_neither_place_nor_modes_nor_days_change_the_digest(dump, pack, tmp_path):
    found = {pack(dump, archive=str(tmp_path / "one.tar")).digest}
    other = tmp_path / "somewhere" / "else"
    copy_dump(dump / "data", other / "data")
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
    (other / "data/operators/.keep").touch()
    (other / "data/archive.json").chmod(0o600)
    mask = os.umask(0o077)
    try:
        found.add(pack(other, archive=str(tmp_path / "two.tar")).digest)
    finally:
        os.umask(mask)
    assert len(found) == 1
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    assert pack(write_dump(tmp_path / "new", version=2), archive=str(tmp_path / "new.tar")).digest not in found


def test_a_second_push_is_one_look(dump, pack, start):
    registry = start()
    name = f"{registry.host}/lab/catalog:v1"
    first = pack(dump, name)
    assert first.changed
    assert states(first) == ["pushed"]
    assert first.as_results()["pushed"] == first.size
    registry.reset_log()
    again = pack(dump, f"docker://{name}")
    assert not again.changed
    assert (states(again), again.places[0].digest, again.as_results()["pushed"]) == (["unchanged"], first.digest, 0)
    assert [asked.method for asked in registry.requests if "/manifests/" in asked.path or "/blobs/" in asked.path] == ["HEAD"]
    assert registry.writes == []


def test_a_new_catalog_is_pushed_and_the_old_digest_told(dump, pack, start, tmp_path):
    registry = start()
    name = f"{registry.host}/lab/catalog:v1"
    old = pack(dump, name)
    new = pack(write_dump(tmp_path / "new", version=2), name)
    assert (states(new), new.places[0].previous) == (["pushed"], old.digest)
    assert new.as_results()["diff"] == {"before": {name: old.digest}, "after": {name: new.digest}}
    assert registry.tags("lab/catalog") == {"v1": new.digest}


def test_what_a_machine_with_another_zlib_pushed_is_left_alone(dump, pack, start):
    """A stand-in for its image: ours, with a layer that is packed in another way."""
    registry = start()
    name = f"{registry.host}/lab/catalog:v1"
    ours = pack(dump, name)
    theirs = repacked(registry, "lab/catalog", ours.digest)
    assert theirs != ours.digest
    again = pack(dump, name)
    assert (states(again), again.changed, again.places[0].digest) == (["unchanged"], False, theirs)


def repacked(registry, repository, digest):
    """Put the image under its tag once more, with its layer packed by a machine of another kind; gives the new digest."""
    side = make_side(access=Access.WRITE)
    try:
        client = side.client(registry.host)

        def put(document, tag=None):
            manifest = Manifest.parse(json.dumps(document).encode(), "", repository)
            client.put_manifest(repository, tag or manifest.digest, manifest)
            return {"digest": manifest.digest, "size": manifest.size}

        root = json.loads(client.get_manifest(repository, digest).content)
        for entry in root["manifests"]:
            manifest = json.loads(client.get_manifest(repository, entry["digest"]).content)
            for layer in manifest["layers"]:
                with closing(client.open_blob(repository, layer["digest"])[0]) as answer:
                    content = gzip.compress(gzip.decompress(answer.raw.read()), 1, mtime=0)
                layer.update(digest=hash_bytes(content), size=len(content))
                client.upload_bytes(repository, layer["digest"], content)
            entry.update(put(manifest))
        return put(root, "v1")["digest"]
    finally:
        side.close()


# --- several tags


def test_several_tags_are_one_upload(dump, pack, start):
    registry, other = start(), start()
    names = [f"{registry.host}/lab/catalog:v1", f"{registry.host}/lab/catalog", f"{other.host}/mirror/catalog:v1"]
    result = pack(dump, *names, names[0], "")
    assert states(result) == ["pushed"] * 3
    assert registry.tags("lab/catalog") == {"v1": result.digest, "latest": result.digest}
    assert other.tags("mirror/catalog") == {"v1": result.digest}
    assert len([name for name in manifest_writes(registry) if ":v1" in name or ":latest" in name]) == 2
    # each registry got each byte once
    assert result.as_results()["pushed"] == 2 * result.size
    registry.reset_log()
    third = pack(dump, *names, f"{registry.host}/lab/catalog:v2")
    assert states(third) == ["unchanged"] * 3 + ["pushed"]
    assert third.as_results()["pushed"] == 0


def test_one_that_fails_does_not_keep_the_others_from_being_pushed(dump, pack, start):
    good, locked = start(), start(auth="basic", users=BOTS)
    names = [f"{locked.host}/lab/catalog:v1", f"{good.host}/lab/catalog:v1", f"127.0.0.1:{closed_port()}/lab/catalog:v1"]
    result = pack(dump, *names)
    assert states(result) == ["failed", "pushed", "failed"]
    assert result.changed
    assert result.message().startswith("2 of 3 tags failed: Could not ")
    assert "401" in result.places[0].reason
    assert "onnect" in result.places[2].reason


def test_a_wrong_password_is_one_sentence(dump, pack, start):
    registry = start(auth="basic", users=BOTS)
    result = pack(dump, f"{registry.host}/lab/catalog", destination=SideOptions(TlsSettings(verify=False), Credentials("bot", "wrong-one")))
    assert states(result) == ["failed"]
    assert result.message().startswith("Could not ")
    assert "401" in result.message()
    assert "wrong-one" not in json.dumps(result.as_results())
    right = SideOptions(TlsSettings(verify=False), Credentials("bot", "secret"))
    assert states(pack(dump, f"{registry.host}/lab/catalog", destination=right)) == ["pushed"]


def test_a_registry_that_lets_nobody_write_is_told_as_such(dump, pack, start):
    registry = start()
    registry.faults.append(Fault("POST", "/blobs/uploads/", "status", status=405, times=None))
    result = pack(dump, f"{registry.host}/lab/catalog")
    assert states(result) == ["failed"]
    assert result.message().endswith("The registry lets nobody write: it was set to be read-only, or is a cache of another one.")


# --- the file


def test_the_archive_is_written_once(dump, pack, tmp_path):
    path = tmp_path / "catalog.tar"
    foretold = pack(dump, archive=str(path), dry_run=True)
    assert not path.exists()
    first = pack(dump, archive=str(path))
    assert first.as_results()["archive"] == {"path": str(path), "state": "written", "bytes": path.stat().st_size}
    assert {**foretold.as_results()} == first.as_results()
    before = (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
    again = pack(dump, archive=str(path))
    assert (again.changed, again.as_results()["archive"]["state"]) == (False, "unchanged")
    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) == before
    new = pack(write_dump(tmp_path / "new", version=2), archive=str(path))
    assert new.as_results()["diff"] == {"before": {str(path): first.digest}, "after": {str(path): new.digest}}


def test_the_archive_and_the_tag_hold_the_same(dump, pack, start, tmp_path):
    registry = start()
    result = pack(dump, f"{registry.host}/lab/catalog:v1", archive=str(tmp_path / "catalog.tar"))
    assert open_archive(f"{tmp_path / 'catalog.tar'}:v1")[1].digest == result.digest == registry.tags("lab/catalog")["v1"]


# --- dry runs


def test_a_dry_run_foretells_and_leaves_no_trace(dump, pack, start):
    registry = start()
    name = f"{registry.host}/lab/catalog:v1"
    foretold = pack(dump, name, dry_run=True)
    assert registry.writes == []
    assert foretold.as_results() == pack(dump, name).as_results()
    assert states(pack(dump, name, dry_run=True)) == ["unchanged"]


def test_a_dry_run_before_there_is_a_dump_says_that_all_would_be_done(pack, tmp_path):
    name = f"127.0.0.1:{closed_port()}/lab/catalog:v1"
    prepared = tmp_path / "prepared"
    (prepared / ".catalog_dump").mkdir(parents=True)
    for path in (tmp_path / "gone", prepared):
        result = pack(path, name, archive=str(tmp_path / "catalog.tar"), dry_run=True)
        assert (result.changed, result.digest, states(result)) == (True, "", ["pushed"])
        assert result.as_results()["archive"] == {"path": str(tmp_path / "catalog.tar"), "state": "written", "bytes": 0}
    (prepared / "thesis.txt").touch()
    with pytest.raises(FileError, match="neither it nor its folder data holds a dump"):
        pack(prepared, name, dry_run=True)


# --- mistakes


@pytest.mark.parametrize(
    ("destinations", "options", "reason"),
    [
        ((), {}, "neither destination nor archive"),
        (("lab/catalog:v1",), {}, "it names no registry"),
        (("registry.example.com/lab/Catalog:v1",), {}, "upper-case"),
        (("registry.example.com/lab/catalog@sha256:" + "0" * 64,), {}, "it has a digest"),
        (("registry.example.com/lab/catalog:v1",), {"platforms": ["amd64"]}, "not written as os/architecture"),
        (("registry.example.com/lab/catalog:v1",), {"platforms": []}, "there is none"),
        (("registry.example.com/lab/catalog:v1",), {"platforms": ["linux/amd64"], "form": "artifact"}, "an artifact is for no platform"),
        (("registry.example.com/lab/catalog:v1",), {"labels": {"quayside.airgap.catalog.digest.helm": "x"}}, "tell of the content"),
    ],
)
def test_wrong_options_are_told_before_anything_is_done(dump, pack, destinations, options, reason):
    with pytest.raises(InputError, match=reason):
        pack(dump, *destinations, **options)


def test_a_file_that_cannot_be_written_is_told(dump, pack, tmp_path):
    for path, reason in ((tmp_path, "it is a folder"), (tmp_path / "gone" / "catalog.tar", "there is no folder")):
        with pytest.raises(FileError, match=reason):
            pack(dump, archive=str(path))


def test_what_is_no_dump_is_not_packaged(dump, pack, start, tmp_path):
    registry = start()
    name = f"{registry.host}/lab/catalog:v1"
    with pytest.raises(FileError, match="there is no such folder"):
        pack(tmp_path / "gone", name)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="neither it nor its folder data holds a dump"):
        pack(tmp_path / "empty", name)
    (dump / "data/private.key").write_text("x")
    with pytest.raises(FileError, match=r"private\.key is no file of a dump"):
        pack(dump, name)
    (dump / "data/private.key").unlink()
    (dump / "data/containers/containers.db").write_bytes(b"{}")
    with pytest.raises(FileError, match=rf"use the dump {dump}: archive.json: the containers are not those"):
        pack(dump, name)
    assert registry.requests == []


def test_what_does_not_forbid_the_use_is_a_warning(dump, pack, tmp_path):
    (dump / "data/archive.json").unlink()
    result = pack(dump, archive=str(tmp_path / "catalog.tar"))
    assert result.warnings == ["archive.json: it is missing (certsuite does not notice)"]
    root, _manifests, _blob = opened(tmp_path / "catalog.tar")
    assert root["annotations"]["quayside.airgap.catalog.count.containers"] == "2"


def test_a_dump_of_the_published_tool_is_packaged_too(dump, pack, tmp_path):
    """It says less of itself, and its folders are kept by files of git."""
    (dump / "data/archive.json").write_bytes(b'{"containers":2,"operators":600,"charts":0}')
    for name in ("containers", "helm", "operators"):
        (dump / "data" / name / ".keep").touch()
    result = pack(dump, archive=str(tmp_path / "catalog.tar"))
    assert result.warnings == []
    assert result.dump["counts"] == {"containers": 2, "operators": 600, "charts": 1}
    _root, manifests, blob = opened(tmp_path / "catalog.tar")
    content = gzip.decompress(blob(manifests[0]["layers"][0]["digest"]))
    assert b".keep" not in content


# --- a refresh meanwhile


def test_a_folder_that_is_exchanged_while_it_is_copied_is_copied_again(dump, tmp_path, monkeypatch):
    """The file system does what a refresh does, just when the first file was read."""
    other = write_dump(tmp_path / "new", version=2)
    expected = files_of(other / "data")
    real = os.open

    def meanwhile(path, flags, *more, **options):
        if str(path).endswith("containers.db") and other.is_dir():
            (dump / "data").rename(tmp_path / "old")
            (other / "data").rename(dump / "data")
            other.rmdir()
        return real(path, flags, *more, **options)

    monkeypatch.setattr(os, "open", meanwhile)
    copy_dump(dump / "data", tmp_path / "copy")
    assert files_of(tmp_path / "copy") == expected
