# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump that was carried over: from whatever it comes in, it arrives whole, or not at all and with the reason."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tarfile

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.certification.packaging import PackTask, package
from ansible_collections.quayside.airgap.plugins.module_utils.certification.transfer import Reach, fetch_dump
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, FileError, InputError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import Credentials
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import AccessError, NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions
from ansible_collections.quayside.airgap.tests.support.catalog_dumps import OCT, files_of, published, write_dump
from ansible_collections.quayside.airgap.tests.support.images import artifact, attestation, image, index, simple_image
from ansible_collections.quayside.airgap.tests.support.layer_builders import (
    archive,
    file,
    hardlink,
    layer_of,
    symlink,
    write_layout,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOTS

REACH = Reach(SideOptions(TlsSettings(verify=False)), WireOptions(retries=0), "")


@pytest.fixture
def dump(tmp_path):
    """A dump, and what is in it."""
    place = write_dump(tmp_path / "dump")
    return place, files_of(place / "data")


@pytest.fixture
def fetch(tmp_path):
    """Fetches into a fresh folder; gives what arrived, and the files of it."""
    work = tmp_path / "work"

    def run(source, reach=REACH):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        arrived = fetch_dump(str(source), work, reach)
        # nothing is left behind beside it
        assert [path.name for path in work.iterdir()] == ["dump"]
        assert [path.name for path in arrived.folder.iterdir()] == ["data"]
        return arrived, files_of(arrived.folder / "data")

    return run


def packed(dump, target, **options):
    """The dump as we package it."""
    work = target.parent / "packing"
    work.mkdir()
    result = package(PackTask(str(dump), archive=str(target), **options), work)
    shutil.rmtree(work)
    return result


def tar_of(target, *members, wrap=lambda content: content):
    target.write_bytes(wrap(archive(members)))
    return target


# --- folders


def test_a_folder_that_holds_the_dump_or_is_it(dump, fetch):
    place, files = dump
    for source in (place, place / "data"):
        arrived, found = fetch(source)
        assert found == files
        assert arrived.place == str(source)
        assert arrived.verdict.counts == {"containers": 2, "operators": 600, "charts": 1}


def test_whatever_the_modes_were_everybody_can_read_what_arrives(dump, fetch):
    place, _files = dump
    for path in (place / "data").rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    mask = os.umask(0o077)
    try:
        arrived, _found = fetch(place)
    finally:
        os.umask(mask)
    modes = {path.is_dir(): path.stat().st_mode & 0o777 for path in [arrived.folder / "data", *(arrived.folder / "data").rglob("*")]}
    assert modes == {True: 0o755, False: 0o644}


def test_files_that_keep_folders_do_not_go_along(dump, fetch):
    place, files = dump
    (place / "data/operators/.keep").touch()
    (place / "data/.keep").touch()
    assert fetch(place)[1] == files


def test_what_is_no_file_of_a_dump_is_refused_by_name(dump, fetch):
    place, _files = dump
    (place / "data/helm/passwords.txt").write_text("x")
    with pytest.raises(FileError, match=r"helm/passwords\.txt is no file of a dump"):
        fetch(place)


@pytest.mark.parametrize("name", ["operators/operator_catalog_page_0_500.db", "helm"])
def test_links_are_not_followed(dump, fetch, tmp_path, name):
    place, _files = dump
    path = place / "data" / name
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileError, match=f"{name}: it is a symbolic link, and a dump has none"):
        fetch(place)


def test_a_pipe_does_not_stop_us(dump, fetch, tmp_path):
    place, _files = dump
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="it is neither a folder nor a plain file"):
        fetch(tmp_path / "pipe")
    os.mkfifo(place / "data/operators/pipe")
    with pytest.raises(FileError, match="pipe: it is no plain file"):
        fetch(place)


def test_a_folder_that_is_too_large_is_given_up(dump, fetch):
    place, _files = dump
    huge = place / "data/operators/huge.db"
    huge.touch()
    # takes no space on disk
    os.truncate(huge, 3 << 30)
    with pytest.raises(FileError, match="its files are larger than 2147483648 bytes"):
        fetch(place)
    huge.unlink()
    for number in range(5_000):
        os.close(os.open(place / f"data/operators/{number}", os.O_CREAT))
    with pytest.raises(FileError, match="it has more than 5000 files"):
        fetch(place)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{}/gone", "there is no such file or folder. Name a folder or a tar file, or an image as docker://"),
        ("registry.example.com/catalog:latest", "there is no such file or folder. Name a folder or a tar file, or an image as docker://"),
        ("{}", "neither it nor its folder data holds a dump"),
        ("https://example.com/catalog.tar", "https:// is not known"),
        ("", "there is no such file or folder"),
        ("docker://registry.example.com/Catalog", "upper-case letters"),
        ("oci:{}@sha256:12", "is not sha256: with 64"),
        ("oci:{}/gone", "there is no such folder"),
        ("oci-archive:{}/gone", "No such file or directory"),
    ],
)
def test_a_source_that_is_none_is_told(fetch, tmp_path, source, reason):
    with pytest.raises((FileError, InputError)) as caught:
        fetch(source.format(tmp_path / "work"))
    assert reason in str(caught.value)


# --- a dump that is not whole


def damage(place, name, change):
    path = place / "data" / name
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("containers/containers.db", lambda content: content[:-1], "containers/containers.db: it is no JSON"),
        ("containers/containers.db", lambda content: content.replace(b"acme/1", b"acme/7"), "the containers are not those that"),
        ("helm/helm.db", lambda content: b"<html>", "helm/helm.db: "),
        ("operators/operator_catalog_page_1_100.db", lambda content: b"{}", "operator_catalog_page_1_100.db: it has no data"),
    ],
)
def test_a_dump_that_does_not_verify_is_not_taken(dump, fetch, name, change, reason):
    place, _files = dump
    damage(place, name, change)
    with pytest.raises(FileError) as caught:
        fetch(place)
    assert str(caught.value).startswith(f"Could not use the dump {place}: ")
    assert reason in str(caught.value)


# --- tar files


LAYOUTS = {
    "the folder data": "data/",
    "the folder data from here": "./data/",
    "what is in data": "",
    "what is in data from here": "./",
    "a backup of the machine": "var/lib/catalog/data/",
    "an unpacked image": f"{OCT}/",
    "certsuite's place": "usr/offline-db/data/",
}


@pytest.mark.parametrize("prefix", LAYOUTS.values(), ids=LAYOUTS)
def test_a_tar_file_of_any_of_these_will_do(dump, fetch, tmp_path, prefix):
    _place, files = dump
    members = [file(f"{prefix}{path}", content) for path, content in files.items()]
    arrived, found = fetch(tar_of(tmp_path / "dump.tar", *members))
    assert found == files
    assert arrived.place == str(tmp_path / "dump.tar")


def test_a_tar_file_may_be_packed(dump, fetch, tmp_path):
    _place, files = dump
    members = [file(f"data/{path}", content) for path, content in files.items()]
    assert fetch(tar_of(tmp_path / "dump.tgz", *members, wrap=gzip.compress))[1] == files
    with pytest.raises(FileError, match="packed with bzip2"):
        fetch(tar_of(tmp_path / "dump.tar.bz2", *members, wrap=lambda _content: b"BZh91AY"))
    cut = tar_of(tmp_path / "cut.tgz", *members, wrap=lambda content: gzip.compress(content)[:-400])
    with pytest.raises(FileError, match=r"unpack .*cut.tgz: it ends in the middle"):
        fetch(cut)


def test_links_in_a_tar_file_lead_to_files_of_it(dump, fetch, tmp_path):
    """As when the file system of one of our images was saved: the second path is a link to the first."""
    _place, files = dump
    members = [file(f"{OCT}/{path}", content) for path, content in files.items()]
    links = [hardlink(f"data/{path}", f"{OCT}/{path}") for path in files]
    assert fetch(tar_of(tmp_path / "both.tar", *members, *links))[1] == files
    swapped = [file(f"data/{path}", content) for path, content in files.items()]
    back = [hardlink(f"{OCT}/{path}", f"data/{path}") for path in files]
    assert fetch(tar_of(tmp_path / "swapped.tar", *swapped, *back))[1] == files
    inside = [*members, symlink(f"{OCT}/operators/again.db", "operator_catalog_page_0_500.db")]
    assert "operators/again.db" not in fetch(tar_of(tmp_path / "without.tar", *members))[1]
    with pytest.raises(FileError, match="there are 1100"):
        fetch(tar_of(tmp_path / "inside.tar", *inside))


@pytest.mark.parametrize("target", ["/etc/hostname", "../../../../../../../etc/hostname", "gone"])
def test_a_link_to_anything_else_is_refused(dump, fetch, tmp_path, target):
    _place, files = dump
    members = [*(file(f"data/{path}", content) for path, content in files.items()), symlink("data/operators/x.db", target)]
    with pytest.raises(FileError, match=r"operators/x\.db in .*: it is a link to"):
        fetch(tar_of(tmp_path / "dump.tar", *members))


def test_a_path_that_leads_out_of_the_tar_file_is_refused(dump, fetch, tmp_path):
    _place, files = dump
    members = [*(file(f"data/{path}", content) for path, content in files.items()), file("data/../../evil", b"x")]
    with pytest.raises(AirgapError, match=r"the path 'data/../../evil' leads out"):
        fetch(tar_of(tmp_path / "dump.tar", *members))
    assert not list(tmp_path.parent.rglob("evil"))


def test_a_tar_file_without_a_dump_is_told(fetch, tmp_path):
    with pytest.raises(FileError, match=r"there is none in it, neither below /usr/oct/cmd/tnf/fetch/data nor below /data nor"):
        fetch(tar_of(tmp_path / "other.tar", file("a", b"b")))
    with pytest.raises(FileError, match="it is no tar archive"):
        fetch(tar_of(tmp_path / "note.txt", wrap=lambda _content: b"hello " * 200))
    with pytest.raises(FileError, match="Docker's own format"):
        fetch(tar_of(tmp_path / "saved.tar", file("manifest.json", b"[]"), file("abc/layer.tar", b"")))


# --- what we package ourselves


@pytest.mark.parametrize("form", ["image", "artifact"])
def test_what_we_package_arrives_as_it_was(dump, fetch, tmp_path, form):
    place, files = dump
    result = packed(place, tmp_path / "catalog.tar", form=form)
    plain = tmp_path / "catalog.tar"
    zipped = tmp_path / "catalog.tar.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    with tarfile.open(plain) as tar:
        tar.extractall(tmp_path / "layout", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    for source in (
        plain,
        zipped,
        f"oci-archive:{plain}",
        f"oci-archive:{plain}:latest",
        f"oci-archive:{plain}@{result.digest}",
        tmp_path / "layout",
        f"oci:{tmp_path / 'layout'}",
        f"oci://{tmp_path / 'layout'}:latest",
    ):
        arrived, found = fetch(source)
        assert found == files, source
        assert arrived.place.endswith(f"@{result.digest}")
        assert dict(arrived.verdict.digests) == result.dump["digests"]


def test_another_digest_than_was_asked_for_is_refused(dump, fetch, tmp_path):
    packed(dump[0], tmp_path / "catalog.tar")
    with pytest.raises(NotFoundError, match="no image of this digest"):
        fetch(f"oci-archive:{tmp_path / 'catalog.tar'}@sha256:{'0' * 64}")
    with pytest.raises(NotFoundError, match="no image of this tag, only latest"):
        fetch(f"oci-archive:{tmp_path / 'catalog.tar'}:v2")


def test_a_layer_that_was_changed_on_the_way_is_noticed(dump, fetch, tmp_path):
    packed(dump[0], tmp_path / "catalog.tar")
    content = bytearray((tmp_path / "catalog.tar").read_bytes())
    # in the middle of the largest blob
    content[len(content) // 2] ^= 1
    (tmp_path / "catalog.tar").write_bytes(content)
    with pytest.raises(AirgapError, match="digest"):
        fetch(tmp_path / "catalog.tar")


# --- images in registries


def test_the_published_image_is_read(start, dump, fetch):
    place, files = dump
    registry = start()
    content = published(place)
    registry.load("oct", "latest", content)
    for name in ("oct", "oct:latest", f"oct@{content.digest}", f"oct@{content.children[1].digest}"):
        arrived, found = fetch(f"docker://{registry.host}/{name}")
        assert found == files
        assert arrived.place.startswith(f"docker://{registry.host}/oct")
        assert f"@{content.digest}" in arrived.place or content.children[1].digest in name


def test_any_platform_will_do(dump, fetch, tmp_path):
    """A mirror has the whole index and one of its images; an attestation comes first."""
    place, files = dump
    first, second = published(place).children
    layout = write_layout(tmp_path / "mirrored", {"latest": index([attestation(first), first, second])})
    manifests = [layout / "blobs" / found.digest.replace(":", "/") for found in (first, second)]
    manifests[0].unlink()
    assert fetch(layout)[1] == files
    manifests[1].unlink()
    with pytest.raises(ProtocolError, match="none of the images that its index lists is there"):
        fetch(layout)


@pytest.mark.parametrize("form", ["image", "artifact"])
def test_what_we_push_arrives(start, dump, fetch, tmp_path, form):
    place, files = dump
    registry = start()
    work = tmp_path / "packing"
    work.mkdir()
    reach = {"destination": REACH.source, "wire": REACH.wire}
    result = package(PackTask(str(place), [f"{registry.host}/lab/catalog:v1"], form=form, **reach), work)
    arrived, found = fetch(f"docker://{registry.host}/lab/catalog:v1")
    assert found == files
    assert arrived.place == f"docker://{registry.host}/lab/catalog:v1@{result.digest}"


def test_credentials_are_needed_where_they_are(start, dump, fetch):
    registry = start(auth="basic", users=BOTS)
    registry.load("oct", "latest", published(dump[0]))
    source = f"docker://{registry.host}/oct"
    with pytest.raises(AccessError, match="401"):
        fetch(source, Reach(SideOptions(TlsSettings(verify=False), Credentials("bot", "wrong")), WireOptions(retries=0), ""))
    with_login = Reach(SideOptions(TlsSettings(verify=False), Credentials("bot", "secret")), WireOptions(retries=0), "")
    assert fetch(source, with_login)[1] == dump[1]


def test_a_mirror_of_registries_conf_is_asked_and_then_the_registry(start, dump, fetch, tmp_path):
    place, files = dump
    mirror, origin = start(), start()
    origin.load("oct", "latest", published(place))
    conf = tmp_path / "registries.conf"
    conf.write_text(
        f'[[registry]]\nprefix = "catalog.example"\nlocation = "{origin.host}"\ninsecure = true\n'
        f'[[registry.mirror]]\nlocation = "{mirror.host}"\ninsecure = true\n'
    )
    reach = Reach(SideOptions(), WireOptions(retries=0), str(conf))
    assert fetch("docker://catalog.example/oct", reach)[1] == files
    assert mirror.count(path="/manifests/") == 1


def test_an_image_of_something_else_is_told(start, fetch):
    registry = start()
    registry.load("app", "v1", image([layer_of(file("etc/passwd", b"root"))]))
    registry.load("note", "v1", artifact("application/example", b"x"))
    registry.load("random", "v1", simple_image("random"))
    for name, reason in (
        ("app:v1", "there is none in it, neither below /usr/oct/cmd/tnf/fetch/data nor below /data"),
        ("note:v1", "it is no image"),
        ("random:v1", "there is none in it"),
        ("app:v2", "the registry answered 404"),
        ("gone:v1", "the registry answered 404"),
    ):
        with pytest.raises(AirgapError) as caught:
            fetch(f"docker://{registry.host}/{name}")
        assert reason in str(caught.value)
        assert f"{registry.host}/{name.partition(':')[0]}" in str(caught.value)


def test_an_artifact_without_the_digest_of_its_folder_is_refused(dump, fetch, tmp_path):
    packed(dump[0], tmp_path / "catalog.tar", form="artifact")
    with tarfile.open(tmp_path / "catalog.tar") as tar:
        found = json.loads(tar.extractfile("index.json").read())["manifests"][0]["digest"]
        document = json.loads(tar.extractfile(f"blobs/{found.replace(':', '/')}").read())
    assert document["layers"][0]["annotations"]["io.deis.oras.content.digest"].startswith("sha256:")
    foreign = artifact(document["artifactType"], b"x")
    write_layout(tmp_path / "foreign", {"v1": foreign})
    with pytest.raises(ProtocolError, match="the digest '' does not begin with sha256"):
        fetch(tmp_path / "foreign")


def test_a_working_folder_that_is_not_there_is_told(dump, tmp_path):
    with pytest.raises(FileError, match=r"write .*gone: No such file or directory"):
        fetch_dump(str(dump[0]), tmp_path / "gone", REACH)
