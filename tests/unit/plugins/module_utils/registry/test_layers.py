# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files taken out of layers: what an image has below a folder, whatever its layers do to say so."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import tarfile
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, DependencyError, FileError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import DigestMismatchError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.layers import LayerFiles, Limits
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Manifest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import LocalContent
from ansible_collections.quayside.airgap.plugins.module_utils.registry.store import ReadOnlyStore
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.image_builders import OCI_LAYER, Blob, canonical_json, gzip_stored, image, sha256
from ansible_collections.quayside.airgap.tests.support.layer_builders import (
    archive,
    compressed,
    device,
    file,
    folder,
    hardlink,
    layer_of,
    opaque,
    symlink,
    unpacked_layer,
    whiteout,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import QUICK, make_side


class Memory(ReadOnlyStore):
    """A store of one image in memory, which remembers what was read of it."""

    registry = "memory.example"
    local = True

    def __init__(self, built):
        self._blobs = {digest: blob.data for digest, blob in built.all_blobs().items()}
        self.reads = []

    def head_manifest(self, repository, identifier):
        raise AssertionError("manifests are given")

    get_manifest = tags = referrers = head_manifest

    def head_blob(self, repository, digest):
        return len(self._blobs[digest])

    def open_blob(self, repository, digest, offset=0):
        self.reads.append(digest)
        return LocalContent.of_bytes(digest, self._blobs[digest], offset), offset


def parsed(built):
    return Manifest.parse(built.body, built.media_type, "app")


def read(layers, wanted="configs", workdir=None, **options):
    """The files of an image made of these layers, as text by path; and what else there is to know."""
    built = image(layers)
    store = Memory(built)
    with tempfile.TemporaryDirectory() as scratch:
        reader = LayerFiles(store, "app", Path(workdir or scratch), retry=QUICK, **options)
        tree = reader.read(parsed(built), wanted)
        found = {path: place.read_bytes().decode("utf-8", "replace") for path, place in tree.files.items()}
    return found, tree, [next(n for n, item in enumerate(layers) if item.digest == digest) for digest in store.reads[1:]]


def files(*layers, wanted="configs"):
    return read(layers, wanted)[0]


# --- one layer after the other


def test_the_files_of_a_folder_come_from_all_layers():
    found = files(
        layer_of(folder("configs"), file("configs/a/catalog.json", b"a1"), file("etc/passwd", b"root")),
        layer_of(file("configs/b/catalog.json", b"b1"), file("usr/bin/opm", b"x")),
        layer_of(file("configs/a/catalog.json", b"a2")),
    )
    assert found == {"a/catalog.json": "a2", "b/catalog.json": "b1"}


@pytest.mark.parametrize("wanted", ["/configs", "configs/", "./configs", "//configs//"])
def test_a_folder_may_be_written_in_several_ways(wanted):
    assert files(layer_of(file("./configs/a", b"1")), wanted=wanted) == {"a": "1"}


def test_the_root_is_a_folder_too():
    assert files(layer_of(folder("./"), file("/a", b"1"), file("b/c", b"2")), wanted="/") == {"a": "1", "b/c": "2"}


LOWER = layer_of(file("configs/a/x", b"ax"), file("configs/a/y", b"ay"), file("configs/b", b"b"))


@pytest.mark.parametrize(
    ("upper", "expected"),
    [
        ([whiteout("configs/b")], {"a/x": "ax", "a/y": "ay"}),
        ([whiteout("configs/a")], {"b": "b"}),
        ([opaque("configs/a"), file("configs/a/z", b"az")], {"a/z": "az", "b": "b"}),
        ([file("configs/a/z", b"az"), opaque("configs/a")], {"a/z": "az", "b": "b"}),
        ([whiteout("configs"), file("configs/n", b"n")], {"n": "n"}),
        ([file("configs/n", b"n"), whiteout("configs")], {"n": "n"}),
        ([opaque(""), file("configs/n", b"n")], {"n": "n"}),
        ([file("configs/a", b"now a file")], {"a": "now a file", "b": "b"}),
        ([file("configs/b/deep", b"now a folder")], {"a/x": "ax", "a/y": "ay", "b/deep": "now a folder"}),
        ([folder("configs/a")], {"a/x": "ax", "a/y": "ay", "b": "b"}),
        ([whiteout("configs/never-there"), whiteout("elsewhere")], {"a/x": "ax", "a/y": "ay", "b": "b"}),
        ([file("configs/.wh..wh.plnk", b""), file("configs/a/.wh..wh.aufs", b"")], {"a/x": "ax", "a/y": "ay", "b": "b"}),
    ],
)
def test_a_layer_removes_what_lies_below_it_and_nothing_of_its_own(upper, expected):
    assert files(LOWER, layer_of(*upper)) == expected


def test_a_file_between_two_folders_of_its_name_hides_the_lower_one():
    assert files(
        layer_of(file("configs/p/old", b"1")),
        layer_of(file("configs/p", b"a file")),
        layer_of(file("configs/p/new", b"2")),
    ) == {"p/new": "2"}


def test_the_last_of_several_members_of_one_name_counts():
    assert files(layer_of(file("configs/a", b"1"), file("configs/a", b"2"))) == {"a": "2"}


def test_the_same_layer_can_come_twice():
    add, remove = layer_of(file("configs/a", b"1")), layer_of(whiteout("configs/a"), folder("configs"))
    assert files(add, remove, add) == {"a": "1"}


# --- links


def test_links_within_the_folder_lead_to_its_files():
    found, tree, _reads = read(
        [
            layer_of(
                file("configs/v1/catalog.json", b"v1"),
                hardlink("configs/hard", "configs/v1/catalog.json"),
                symlink("configs/relative", "v1/../v1/catalog.json"),
                symlink("configs/absolute", "/configs/v1/catalog.json"),
                symlink("configs/latest", "v1"),
                symlink("configs/twice", "latest/catalog.json"),
                symlink("configs/above", "../../../configs/v1/catalog.json"),
            )
        ]
    )
    assert set(found.values()) == {"v1"}
    assert sorted(found) == ["above", "absolute", "hard", "latest/catalog.json", "relative", "twice", "v1/catalog.json"]
    assert tree.unusable == {}
    assert len(set(tree.files.values())) == 1


def test_what_is_no_file_is_told_of_and_costs_nothing_else():
    found, tree, _reads = read(
        [
            layer_of(
                file("etc/passwd", b"root"),
                file("configs/good", b"good"),
                symlink("configs/out", "/etc/passwd"),
                symlink("configs/nowhere", "nothing"),
                symlink("configs/circle", "circle"),
                symlink("configs/self", "."),
                hardlink("configs/broken", "configs/nothing"),
                device("configs/null"),
            )
        ]
    )
    assert found == {"good": "good"}
    assert sorted(tree.unusable) == ["broken", "circle", "nowhere", "null", "out", "self"]
    assert tree.unusable["out"] == "it is a link to '/etc/passwd', where the folder /configs has nothing"
    assert tree.unusable["null"] == "it is no plain file"


def test_a_hard_link_keeps_the_content_when_its_other_name_goes():
    lower = layer_of(file("configs/a", b"1"), hardlink("configs/b", "configs/a"))
    found, _tree, reads = read([lower, layer_of(whiteout("configs/a"))])
    assert found == {"b": "1"}
    # the name that has the content is hidden from above: it is fetched once it proves to be needed
    assert reads == [1, 0, 0]


def test_a_hard_link_may_take_its_content_from_anywhere():
    below = layer_of(file("usr/share/c", b"from below"), file("opt/d", b"old"))
    link = layer_of(file("opt/d", b"new"), hardlink("configs/d", "opt/d"), file("opt/d", b"later"), hardlink("configs/c", "/usr/share/c"))
    found = files(below, link, layer_of(whiteout("usr")))
    assert found == {"c": "from below", "d": "new"}


def test_the_folder_itself_may_be_a_link():
    layers = [
        layer_of(file("var/lib/catalog/a", b"1")),
        layer_of(symlink("configs", "lib/catalog"), symlink("lib", "/var/lib")),
        layer_of(file("usr/bin/opm", b"opm")),
    ]
    found, tree, reads = read(layers)
    assert found == {"a": "1"}
    assert tree.folder == "var/lib/catalog"
    # the layer with nothing but opm in it is not read again, nor is the one below, which said nothing at first
    assert reads.count(2) == 1


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([layer_of(file("etc/a"))], "there is no such folder"),
        ([layer_of(file("configs"))], "it is no folder"),
        ([layer_of(file("configs/a")), layer_of(whiteout("configs"))], "there is no such folder"),
        ([layer_of(symlink("configs", "configs"))], "there is no such folder"),
        ([], "there is no such folder"),
    ],
)
def test_an_image_without_the_folder_is_told_by_name(layers, reason):
    with pytest.raises(FileError, match=reason) as caught:
        files(*layers)
    assert "/configs in memory.example/app@sha256:" in caught.value.subject.replace("configs in", "/configs in", 1)


# --- any layers at all


NAMES = ("a", "b", "c")
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
WANTED = st.sampled_from(["a", "a/b"])


@st.composite
def any_layers(draw):
    """Layers as data: lists of (kind, path, content or target)."""
    wanted = draw(WANTED)
    layers = []
    for _layer in range(draw(st.integers(1, 4))):
        members = []
        for _member in range(draw(st.integers(0, 6))):
            kind = draw(st.sampled_from(["file", "file", "folder", "whiteout", "opaque", "hardlink", "symlink"]))
            path = draw(paths)
            if kind == "symlink":
                path = f"{wanted}/{draw(st.sampled_from(NAMES))}"
            value = "/" + draw(paths) if kind == "symlink" else draw(paths) if kind == "hardlink" else draw(st.text("xyz", max_size=2))
            members.append((kind, path, value))
        layers.append(members)
    return wanted, layers


def built(members):
    make = {
        "file": lambda path, value: file(path, value.encode()),
        "folder": lambda path, _value: folder(path),
        "whiteout": lambda path, _value: whiteout(path),
        "opaque": lambda path, _value: opaque(path),
        "hardlink": hardlink,
        "symlink": symlink,
    }
    return layer_of(*(make[kind](path, value) for kind, path, value in members))


def naive(wanted, layers):
    """The same by unpacking everything into a dictionary, and looking at it afterwards."""
    state = {}

    def below(path):
        return [other for other in state if other.startswith(path + "/")]

    def forget(path):
        for other in [*below(path), path]:
            state.pop(other, None)

    def put(path, value):
        names = path.split("/")
        for depth in range(1, len(names)):
            above = "/".join(names[:depth])
            if state.get(above) != ("folder", ""):
                forget(above)
                state[above] = ("folder", "")
        if value != ("folder", "") or state.get(path) != value:
            forget(path)
            state[path] = value

    for members in layers:
        for kind, path, _value in members:
            if kind == "opaque":
                for other in below(path):
                    state.pop(other, None)
        for kind, path, _value in members:
            if kind == "whiteout":
                forget(path)
        for kind, path, _value in members:
            if kind == "opaque":
                put(path, ("folder", ""))
        for kind, path, value in members:
            if kind in ("file", "folder", "symlink"):
                put(path, (kind, "" if kind == "folder" else value))
            elif kind == "hardlink":
                linked = state.get(value, ("broken", ""))
                put(path, ("broken", "") if linked[0] == "folder" else linked)
    visible = {path: value for path, value in state.items() if (path + "/").startswith(wanted + "/") or wanted.startswith(path + "/")}

    def real(path, patience=50):
        done = []
        for name in path.strip("/").split("/"):
            done.append(name)
            found = visible.get("/".join(done))
            if found is None or patience <= 0:
                return None
            if found[0] == "symlink":
                followed = real(found[1], patience - 1)
                if followed is None:
                    return None
                done = followed.split("/")
        return "/".join(done)

    result = {}

    def walk(place, prefix, above):
        for path in sorted(visible):
            head, _slash, name = path.rpartition("/")
            target = real(path) if head == place else None
            if target is None or target in above:
                continue
            kind, value = visible[target]
            if kind == "file":
                result[prefix + name] = value
            elif kind == "folder":
                walk(target, f"{prefix}{name}/", [*above, target])

    if state.get(wanted, ("", ""))[0] != "folder":
        return None
    walk(wanted, "", [wanted])
    return result


@settings(max_examples=150, deadline=None)
@given(any_layers())
def test_whatever_layers_say_means_what_unpacking_them_would(world):
    wanted, layers = world
    expected = naive(wanted, layers)
    try:
        found = files(*(built(members) for members in layers), wanted=wanted)
    except FileError:
        found = None
    assert found == expected


# --- as little reading as can be


def test_layers_below_one_that_replaces_the_folder_are_not_read():
    layers = [
        layer_of(file("configs/old", b"1")),
        layer_of(file("usr/bin/opm", b"opm")),
        layer_of(whiteout("configs")),
        layer_of(file("configs/new", b"2")),
    ]
    found, _tree, reads = read(layers)
    assert found == {"new": "2"}
    assert reads == [3, 2]


def test_a_second_folder_reads_only_layers_that_have_something_of_it():
    layers = [layer_of(file("configs/a", b"1")), layer_of(file("etc/b", b"2")), layer_of(file("usr/c", b"3"))]
    built_image = image(layers)
    store = Memory(built_image)
    with tempfile.TemporaryDirectory() as scratch:
        reader = LayerFiles(store, "app", Path(scratch))
        reader.read(parsed(built_image), "configs")
        store.reads.clear()
        tree = reader.read(parsed(built_image), "etc")
    assert sorted(tree.files) == ["b"]
    assert store.reads == [built_image.blobs[-1].digest, layers[1].digest]


def test_memory_does_not_grow_with_the_layer():
    big = layer_of(file("configs/a", b"0" * (12 << 20)), file("usr/b", b"0" * (12 << 20)))
    packed = Blob(
        compressed(archive([file("configs/a", b"0" * (12 << 20))])),
        OCI_LAYER,
        diff_id=sha256(archive([file("configs/a", b"0" * (12 << 20))])),
    )
    for layer in (big, packed):
        built_image = image([layer])
        store = Memory(built_image)
        with tempfile.TemporaryDirectory() as scratch:
            reader = LayerFiles(store, "app", Path(scratch))
            tracemalloc.start()
            reader.read(parsed(built_image), "configs")
            _now, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < 4 << 20


# --- how layers are packed and written


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_every_form_of_tar_is_read(form):
    long = "configs/" + "/".join(["d" * 60] * 2) + "/catalog.json"
    found = files(layer_of(file(long, b"deep"), file("configs/short", b"x" * 1000), symlink("configs/link", "/configs/short"), form=form))
    assert found == {long[len("configs/") :]: "deep", "short": "x" * 1000, "link": "x" * 1000}


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_names_of_any_length_and_script_are_read(form):
    name = "ü" * 90 + "/" + "名" * 60
    assert files(layer_of(file(f"configs/{name}", b"1"), form=form)) == {name: "1"}


def test_a_layer_may_be_packed_in_parts_or_not_at_all():
    content = archive([file("configs/a", b"1" * 5000)])
    parts = compressed(content[:3000]) + compressed(b"") + compressed(content[3000:]) + bytes(512)
    assert files(Blob(parts, OCI_LAYER, diff_id=sha256(content))) == {"a": "1" * 5000}
    assert files(unpacked_layer(content)) == {"a": "1" * 5000}


def test_a_layer_in_zstd_is_read_where_python_can():
    content = archive([file("configs/a", b"1" * 5000)])
    try:
        packed = importlib.import_module("zstandard").ZstdCompressor().compress(content)
    except ImportError:
        try:
            packed = importlib.import_module("compression.zstd").compress(content)
        except ImportError:
            pytest.skip("neither compression.zstd (Python 3.14) nor zstandard is installed")
    found = files(Blob(packed, "application/vnd.oci.image.layer.v1.tar+zstd", diff_id=sha256(content)))
    assert found == {"a": "1" * 5000}


def test_a_layer_in_zstd_says_what_is_missing_to_read_it():
    if importlib.util.find_spec("zstandard") or importlib.util.find_spec("compression"):
        pytest.skip("this Python can read zstd")
    with pytest.raises(DependencyError, match="zstandard"):
        files(Blob(b"\x28\xb5\x2f\xfd and more", "application/vnd.oci.image.layer.v1.tar+zstd", diff_id=sha256(b"")))


# --- layers that nobody should trust


def header(**fields):
    """A tar header with a right checksum, in which anything else can be wrong."""
    entry = tarfile.TarInfo(fields.pop("name", "configs/a"))
    raw = bytearray(entry.tobuf(tarfile.USTAR_FORMAT))
    for start, value in fields.pop("patches", {}).items():
        raw[start : start + len(value)] = value
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"garbage" * 200, "it is no tar archive"),
        (b"short", "the archive ends in the middle of a header"),
        (header(patches={124: b"00000001000\0"}) + b"x", "the archive ends in the middle of a file"),
        (header(patches={124: b"\xff" * 12}), "a header has a negative number"),
        (header(patches={124: b"nonsense\0\0\0\0"}), "a header has something else for a number"),
        (header(patches={124: b"77777777777\0", 156: b"x"}), "an extended header is larger than"),
        (header(patches={124: b"00000000012\0", 156: b"x"}) + b"no record!".ljust(512, b"\0"), "an extended header is damaged"),
        (archive([file("configs/../../etc/passwd")]), "the path 'configs/../../etc/passwd' leads out of the image"),
        (archive([file("configs/" + "x/" * 3000)]), "a path is longer than"),
    ],
)
def test_a_damaged_or_hostile_archive_is_refused_with_the_reason(content, reason):
    with pytest.raises(ProtocolError) as caught:
        files(unpacked_layer(content))
    assert reason in str(caught.value)
    assert "memory.example/app@sha256:" in str(caught.value)


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (b"\x1f\x8b" + b"\xff" * 50, "its gzip data is damaged"),
        (gzip_stored(archive([file("configs/a", b"x" * 1000)]))[:-300], "it ends in the middle of its gzip data"),
        (gzip_stored(archive([])) + b"behind", "something else follows its gzip data"),
        (b"BZh91AY&SY", "it is packed with bzip2"),
    ],
)
def test_a_damaged_packing_is_refused_with_the_reason(packed, reason):
    with pytest.raises(ProtocolError, match=reason):
        files(Blob(packed, OCI_LAYER, diff_id=sha256(b"")))


def test_a_layer_that_is_not_what_the_configuration_says_is_refused():
    layer = layer_of(file("configs/a", b"1"))
    with pytest.raises(ProtocolError, match="the image's configuration says sha256:000"):
        files(Blob(layer.data, layer.media_type, diff_id="sha256:" + "0" * 64))


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(content=1000), "larger than 1000 bytes"),
        (Limits(unpacked=10_000), "larger than 10000 bytes when unpacked"),
        (Limits(entries=5), "too many files"),
        (Limits(files=5), "more than 5 files"),
    ],
)
def test_what_is_too_much_is_refused(limits, reason):
    layer = layer_of(*(file(f"configs/{number}", b"x" * 200) for number in range(20)))
    with pytest.raises(ProtocolError, match=reason):
        read([layer], limits=limits)


def test_a_small_blob_that_unpacks_to_very_much_is_given_up_early():
    content = archive([file("configs/a", bytes(40 << 20))])
    bomb = Blob(compressed(content), OCI_LAYER, diff_id=sha256(content))
    assert bomb.size < 100_000
    with tempfile.TemporaryDirectory() as scratch:
        with pytest.raises(ProtocolError, match="larger than"):
            read([bomb], workdir=scratch, limits=Limits(content=1 << 20))
        assert sum(path.stat().st_size for path in Path(scratch).iterdir()) <= 1 << 20


def test_folders_that_link_to_each_other_do_not_unfold_for_ever():
    members = [folder(f"configs/{name}") for name in "abcdefgh"]
    members += [symlink(f"configs/{one}/{other}", f"../{other}") for one in "abcdefgh" for other in "abcdefgh"]
    with pytest.raises(ProtocolError, match="more than 2000 files"):
        read([layer_of(*members, file("configs/a/x"))], limits=Limits(files=2000))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_archive_does_worse_than_being_refused(data):
    content = bytearray(
        archive([file("configs/" + "a" * 120, b"1" * 600), symlink("configs/b", "a" * 120), hardlink("configs/c", "configs/b")])
    )
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    packed = data.draw(st.booleans())
    blob = gzip_stored(bytes(content)) if packed else bytes(content)
    with contextlib.suppress(AirgapError):
        found, tree, _reads = read([Blob(blob, OCI_LAYER, diff_id=sha256(bytes(content)))])
        "".join([*found, *tree.unusable, *tree.unusable.values()]).encode()


def test_names_that_are_no_text_are_told_as_text():
    found, tree, _reads = read(
        [layer_of(file("configs/caf\udce9", b"1"), symlink("configs/link", "caf\udce9"), symlink("configs/no", "\udce9"))]
    )
    assert found == {"caf\\xe9": "1", "link": "1"}
    assert "\\xe9" in tree.unusable["no"]


def test_spooled_files_are_for_nobody_else(tmp_path):
    read([layer_of(file("configs/a", b"1"))], workdir=tmp_path)
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(FileError, match="write"):
        read([layer_of(file("configs/a", b"1"))], workdir=tmp_path / "nowhere")


# --- over the wire


def registry_reader(registry, built_image, scratch, **options):
    side = make_side()
    registry.load("lab/app", "v1", built_image)
    return LayerFiles(side.client(registry.host), "lab/app", scratch, retry=options.pop("retry", QUICK), **options)


def test_an_answer_that_breaks_off_is_taken_up_where_it_broke(start, tmp_path):
    registry = start()
    built_image = image([layer_of(file("configs/a", bytes(range(256)) * 4000))])
    reader = registry_reader(registry, built_image, tmp_path)
    digest = built_image.blobs[0].digest
    registry.faults.append(Fault("GET", f"/blobs/{digest}", "reset", after_bytes=300_000))
    tree = reader.read(parsed(built_image), "configs")
    assert tree.files["a"].read_bytes() == bytes(range(256)) * 4000
    assert registry.count(method="GET", path=f"/blobs/{digest}") == 2


def test_content_that_changes_on_the_way_is_told_as_such(start, tmp_path):
    registry = start()
    built_image = image([layer_of(file("configs/a", b"1" * 5000))])
    reader = registry_reader(registry, built_image, tmp_path, retry=RetryPolicy(retries=0))
    registry.faults.append(Fault("GET", f"/blobs/{built_image.blobs[0].digest}", "wrong_digest"))
    with pytest.raises(DigestMismatchError):
        reader.read(parsed(built_image), "configs")


def test_content_that_changed_once_is_fetched_again(start, tmp_path):
    registry = start()
    built_image = image([layer_of(file("configs/a", b"1" * 5000))])
    reader = registry_reader(registry, built_image, tmp_path)
    registry.faults.append(Fault("GET", f"/blobs/{built_image.blobs[0].digest}", "wrong_digest"))
    tree = reader.read(parsed(built_image), "configs")
    assert tree.files["a"].read_bytes() == b"1" * 5000
    assert list(tmp_path.iterdir()) == list(tree.files.values())


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (b"no json", "it is no JSON"),
        (b"[]", "it is no JSON object"),
        (b"{}", "its configuration does not list them"),
        (canonical_json({"rootfs": {"diff_ids": ["sha256:1", "sha256:2"]}}), "its configuration does not list them"),
        (canonical_json({"rootfs": {"diff_ids": ["md5:1"]}}), "the digest 'md5:1' does not begin with sha256: or sha512:"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(config, reason, tmp_path):
    layer = layer_of(file("configs/a", b"1"))
    built_image = image([layer])
    document = json.loads(built_image.body)
    blob = Blob(config, document["config"]["mediaType"])
    document["config"] = blob.descriptor()
    store = Memory(built_image)
    store._blobs[blob.digest] = config
    manifest = Manifest.parse(canonical_json(document), built_image.media_type, "app")
    with pytest.raises(AirgapError, match=reason):
        LayerFiles(store, "app", tmp_path).read(manifest, "configs")
