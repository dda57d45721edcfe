# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of tar archives finds what every other tar finds, and the headers that are written are read by all of them."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.core.archives import (
    END,
    TarIndex,
    member_header,
    padded,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.tests.unit.plugins.archives import tar_of

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
ANY_NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=60)
NAMES = st.lists(ANY_NAME.filter(lambda part: part.strip(". ")), min_size=1, max_size=6).map("/".join)
REUSED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


def index_of(path, content):
    path.write_bytes(content)
    return TarIndex.read(path)


def contents(index):
    return {name: index.read_member(name, limit=1 << 30) for name in index.members}


# --- reading


@REUSED_FOLDER
@given(members=st.dictionaries(NAMES, st.binary(max_size=2000), min_size=1, max_size=8), kind=st.sampled_from(FORMATS[1:]))
def test_the_index_has_what_was_put_in(tmp_path, members, kind):
    index = index_of(tmp_path / "some.tar", tar_of(members.items(), kind))
    assert contents(index) == members
    assert index.duplicates == {}


@pytest.mark.parametrize("kind", FORMATS)
def test_long_names_are_read_in_every_format(tmp_path, kind):
    name = "/".join(["some-folder"] * 9 + ["b" * 64, "link"])
    assert contents(index_of(tmp_path / "some.tar", tar_of([(name, b"x")], kind))) == {name: b"x"}


def test_members_after_large_ones_are_found(tmp_path):
    members = {f"{number}": bytes([number]) * size for number, size in enumerate([0, 1, 512, 300_000, 3, 131_072, 700_001, 511])}
    assert contents(index_of(tmp_path / "some.tar", tar_of(members.items()))) == members


def test_folders_and_links_are_passed_over(tmp_path):
    (tmp_path / "in" / "folder").mkdir(parents=True)
    (tmp_path / "in" / "folder" / "file").write_bytes(b"content")
    (tmp_path / "in" / "symbolic").symlink_to("folder/file")
    os.link(tmp_path / "in" / "folder" / "file", tmp_path / "in" / "hard")
    subprocess.run(["tar", "-C", str(tmp_path / "in"), "-cf", str(tmp_path / "some.tar"), "."], check=True)
    index = TarIndex.read(tmp_path / "some.tar")
    # GNU tar stores the second of two names of a file as a link to the first
    assert list(contents(index).values()) == [b"content"]
    assert set(index.members) <= {"folder/file", "hard"}


def test_the_last_of_several_members_counts(tmp_path):
    index = index_of(tmp_path / "some.tar", tar_of([("a", b"old"), ("b", b"x"), ("a", b"newer"), ("a", b"newest")]))
    assert contents(index) == {"a": b"newest", "b": b"x"}
    assert [size for _offset, size in index.duplicates["a"]] == [3, 5, 6]


def test_a_member_that_is_larger_than_allowed_is_not_read(tmp_path):
    index = index_of(tmp_path / "some.tar", tar_of([("a", b"12345")]))
    with pytest.raises(FileError, match=r"a in .*some.tar: it has 5 bytes, and more than 4 are not expected"):
        index.read_member("a", limit=4)
    with pytest.raises(FileError, match="the archive does not have it"):
        index.read_member("b", limit=4)


def test_an_archive_that_shrinks_later_is_told_of(tmp_path):
    index = index_of(tmp_path / "some.tar", tar_of([("a", b"12345")]))
    (tmp_path / "some.tar").write_bytes(b"")
    with pytest.raises(FileError, match="it was cut short after it was opened"):
        index.read_member("a", limit=10)


# --- what is no archive, or no whole one

TWO = tar_of([("first", bytes(1000)), ("second", b"x" * 600)])
LENGTH = 2 * 512 + 1024 + 1024


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"short", "it is shorter than a tar archive can be"),
        (b"no archive at all" * 100, "it is no tar archive"),
        (gzip.compress(TWO, mtime=0), r"it is shorter|it is compressed \(gzip\)"),
        (gzip.compress(bytes(range(256)) * 40, 0, mtime=0), r"it is compressed \(gzip\)\. Uncompress it first"),
        (bytes(10240), "it holds nothing but zeros"),
        (TWO[:LENGTH], "it is incomplete: it ends at byte 3072, after second, without the end mark of a tar archive. Copy the file again"),
        (TWO[: LENGTH - 1024], "it is incomplete: it ends at byte 2048, in the middle of second"),
        (TWO[:1700], "it is incomplete: it ends at byte 1700, after first, without the end mark"),
        (TWO[:700], "it is incomplete: it ends at byte 700, in the middle of first"),
        (TWO[:1536] + b"\xff" + TWO[1537:], "it is damaged: at byte 1536 there is no member's header"),
        (TWO[:LENGTH] + bytes(1024) + b"x" * (2 << 20), "it is damaged: its end mark is at byte 3072"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_a_sentence(tmp_path, content, reason):
    with pytest.raises(FileError, match=reason):
        index_of(tmp_path / "some.tar", content)


def with_size(digits):
    """An archive whose second member has this in place of its size; the checksum fits."""
    header = bytearray(TWO[1536:2048])
    header[124:136] = digits.ljust(12, b"\0")
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 256)
    return TWO[:1536] + bytes(header) + TWO[2048:]


@pytest.mark.parametrize("digits", [b"-1000", b"-0", b"+1130", b"1_130", b"9", b"size", b"\xff" * 12, b"\x81" + bytes(11)])
def test_a_size_is_a_number_that_is_not_below_zero(tmp_path, digits):
    with pytest.raises(FileError, match=r"the header at byte 1536 gives no size"):
        index_of(tmp_path / "some.tar", with_size(digits))


def with_extension(keyword, value):
    extension = f"{keyword}={value}\n"
    length = next(count for count in range(len(extension), len(extension) + 10) if len(f"{count} {extension}") == count)
    header = bytearray(member_header("PaxHeaders/x", length))
    header[156:157] = b"x"
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 256)
    return bytes(header) + f"{length} {extension}".encode().ljust(padded(length), b"\0") + TWO


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("size", "-512", "gives the size '-512'"),
        ("size", "9" * 100_000, "gives the size '9{80}'"),
        ("size", str(1 << 80), "it ends at byte .*, in the middle of first"),
        ("path", "a" * 5000, "the name of its member at byte .* has 5000 characters"),
        ("path", "a" * (2 << 20), "the extended header at byte 0 has 2097.* bytes"),
    ],
)
def test_extended_headers_that_are_none_are_refused(tmp_path, keyword, value, reason):
    with pytest.raises(FileError, match=reason):
        index_of(tmp_path / "some.tar", with_extension(keyword, value))


def test_an_archive_with_more_members_than_the_memory_may_hold_is_refused(tmp_path):
    path = tmp_path / "some.tar"
    path.write_bytes(tar_of([(f"member-{number}", b"") for number in range(100)]))
    assert len(TarIndex.read(path, memory=100 * 300).members) == 100
    with pytest.raises(FileError, match=r"more members than an archive of images ever has"):
        TarIndex.read(path, memory=50 * 300)


def test_a_missing_file_is_told_of(tmp_path):
    with pytest.raises(FileError, match="No such file"):
        TarIndex.read(tmp_path / "none.tar")


@pytest.mark.parametrize("arguments", [["--format=gnu"], ["--format=pax"]])
def test_sparse_files_are_refused(tmp_path, arguments):
    with open(tmp_path / "sparse", "wb") as stream:
        stream.write(b"begin")
        stream.truncate(1 << 20)
    subprocess.run(["tar", "-C", str(tmp_path), "--sparse", *arguments, "-cf", str(tmp_path / "some.tar"), "sparse"], check=True)
    with pytest.raises(FileError, match="sparse file"):
        TarIndex.read(tmp_path / "some.tar")


@REUSED_FOLDER
@given(cut=st.integers(0, len(TWO)), flips=st.dictionaries(st.integers(0, len(TWO) - 1), st.integers(0, 255), max_size=4))
def test_damage_is_an_error_or_changes_nothing_that_is_outside_the_file(tmp_path, cut, flips):
    damaged = bytearray(TWO[:cut])
    for position, value in flips.items():
        if position < cut:
            damaged[position] = value
    path = tmp_path / "some.tar"
    path.write_bytes(bytes(damaged))
    try:
        index = TarIndex.read(path)
    except FileError:
        return
    assert all(offset + size <= cut for offset, size in index.members.values())


# --- writing


@REUSED_FOLDER
@given(members=st.dictionaries(NAMES, st.binary(max_size=1500), min_size=1, max_size=6))
def test_others_read_what_is_written(tmp_path, members):
    content = b"".join(member_header(name, len(data)) + data + bytes(padded(len(data)) - len(data)) for name, data in members.items())
    with tarfile.open(fileobj=io.BytesIO(content + END)) as archive:
        assert {member.name: archive.extractfile(member).read() for member in archive} == members
    assert contents(index_of(tmp_path / "some.tar", content + END)) == members


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("short", 1),
        ("n" * 100, 1),
        ("n" * 101, 3),
        ("/".join(["p" * 155, "n" * 100]), 1),
        ("/".join(["p" * 156, "n" * 100]), 3),
        ("/".join(["p" * 99, "n" * 99, "q" * 99]), 3),
        ("caf\u00e9", 3),
    ],
)
def test_a_header_has_an_extension_only_where_it_needs_one(name, blocks):
    header = member_header(name, 5, time=1_700_000_000, mode=0o600)
    assert len(header) == 512 * blocks
    with tarfile.open(fileobj=io.BytesIO(header + b"12345".ljust(512, b"\0") + END)) as archive:
        (member,) = archive.getmembers()
    assert (member.name, member.size, member.mtime, member.mode, member.uid) == (name, 5, 1_700_000_000, 0o600, 0)


@pytest.mark.parametrize("size", [8**11 - 1, 8**11, 9 << 30])
def test_members_of_more_than_eight_gibibytes(tmp_path, size):
    path = tmp_path / "large.tar"
    header = member_header("large", size)
    with open(path, "wb") as stream:  # nothing of it takes space on the disk
        stream.write(header)
        stream.seek(len(header) + padded(size))
        stream.write(member_header("after", 1) + b"x".ljust(512, b"\0") + END)
    assert TarIndex.read(path).members["large"] == (len(header), size)
    with tarfile.open(path) as archive:
        assert {member.name: member.size for member in archive} == {"large": size, "after": 1}
    if shutil.which("tar"):
        listed = subprocess.run(["tar", "--seek", "-tvf", str(path)], check=True, capture_output=True, text=True)
        assert [line.split()[2] for line in listed.stdout.splitlines()] == [str(size), "1"]
        assert listed.stderr == ""


def test_gnu_tar_writes_large_sizes_in_base_256(tmp_path):
    info = tarfile.TarInfo("large")
    info.size = 9 << 30
    with open(tmp_path / "large.tar", "wb") as stream:
        stream.write(info.tobuf(tarfile.GNU_FORMAT))
        stream.seek(512 + info.size)
        stream.write(END)
    assert TarIndex.read(tmp_path / "large.tar").members == {"large": (512, 9 << 30)}
