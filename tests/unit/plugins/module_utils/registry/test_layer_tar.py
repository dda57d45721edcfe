# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tar archives read as a stream and written the same everywhere, with Python's own tarfile and GNU tar for witnesses."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.registry.layer_tar import (
    END,
    FILE,
    FOLDER,
    HARDLINK,
    OTHER,
    SYMLINK,
    TarError,
    TarReader,
    file_header,
    folder_header,
)
from ansible_collections.quayside.airgap.tests.support.layer_builders import (
    archive,
    device,
    file,
    folder,
    hardlink,
    symlink,
)

FORMS = [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]
KINDS = {tarfile.REGTYPE: FILE, tarfile.DIRTYPE: FOLDER, tarfile.SYMTYPE: SYMLINK, tarfile.LNKTYPE: HARDLINK, tarfile.CHRTYPE: OTHER}


def entries(content):
    """All members with their content."""
    reader = TarReader(io.BytesIO(content))
    return [(entry, b"".join(reader.content())) for entry in reader]


def seen(content):
    return [("/".join(entry.parts), entry.kind, entry.target, data) for entry, data in entries(content)]


def witnessed(content):
    """The same by tarfile."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return [
            (entry.name.strip("/"), KINDS[entry.type], entry.linkname, tar.extractfile(entry).read() if entry.isreg() else b"")
            for entry in tar
        ]


names = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="/."), min_size=1, max_size=40)
paths = st.lists(names, min_size=1, max_size=6).map("/".join)
members = st.one_of(
    st.builds(file, paths, st.binary(max_size=1500)),
    st.builds(folder, paths),
    st.builds(symlink, paths, paths),
    st.builds(hardlink, paths, paths),
    st.builds(device, paths),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(members, max_size=6), st.sampled_from(FORMS[:2]))
def test_whatever_tarfile_writes_is_read_as_tarfile_reads_it(content, form):
    written = archive(content, form)
    assert seen(written) == witnessed(written)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(paths, st.binary(max_size=1500), max_size=5))
def test_whatever_is_written_is_read_by_tarfile(files):
    written = b"".join(file_header(path, len(data), 0o640) + data + bytes(-len(data) % 512) for path, data in files.items()) + END
    assert witnessed(written) == [(path, FILE, "", data) for path, data in files.items()]
    assert seen(written) == witnessed(written)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damage_is_told_as_damage_or_goes_unseen(data):
    written = bytearray(archive([file("a" * 120, b"1" * 700), symlink("b", "c" * 120), folder("d")], data.draw(st.sampled_from(FORMS[:2]))))
    for position in data.draw(st.lists(st.integers(0, len(written) - 1), min_size=1, max_size=4)):
        written[position] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(written)))
    with suppress(TarError):
        assert len(entries(bytes(written[:end]))) <= 3


def test_gnu_tar_reads_what_is_written(tmp_path):
    if shutil.which("tar") is None:
        pytest.skip("tar is not installed")
    long = "/".join(["d" * 70] * 3) + "/ü"
    content = folder_header("x", 0o1777) + file_header(f"x/{long}", 3, 0o644) + b"abc".ljust(512, b"\0") + file_header("y", 0, 0o755) + END
    (tmp_path / "it.tar").write_bytes(content)
    listed = subprocess.run(
        ["tar", "--numeric-owner", "--utc", "--quoting-style=literal", "-tvf", str(tmp_path / "it.tar")],
        check=True,
        capture_output=True,
        text=True,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    ).stdout.splitlines()
    assert [line.split() for line in listed] == [
        ["drwxrwxrwt", "0/0", "0", "1970-01-01", "00:00", "x/"],
        ["-rw-r--r--", "0/0", "3", "1970-01-01", "00:00", f"x/{long}"],
        ["-rwxr-xr-x", "0/0", "0", "1970-01-01", "00:00", "y"],
    ]


@pytest.mark.parametrize("form", ["gnu", "posix"])
@pytest.mark.parametrize("version", ["0.0", "0.1", "1.0"])
def test_sparse_files_are_passed_over(tmp_path, form, version):
    if shutil.which("tar") is None:
        pytest.skip("tar is not installed")
    with open(tmp_path / "sparse", "wb") as stream:
        for block in range(60):
            stream.seek(block * 1_000_000)
            stream.write(b"island")
    (tmp_path / "after").write_bytes(b"after")
    command = ["tar", "-C", str(tmp_path), "--sparse", f"--format={form}", "-cf", str(tmp_path / "it.tar")]
    more = [f"--sparse-version={version}"] if form == "posix" else []
    subprocess.run([*command, *more, "sparse", "after"], check=True)
    found = entries((tmp_path / "it.tar").read_bytes())
    assert [(entry.parts, entry.kind) for entry, _data in found] == [(("sparse",), OTHER), (("after",), FILE)]
    assert found[1][1] == b"after"


def test_archives_from_before_ustar_are_read():
    header = bytearray(512)
    header[:4], header[100:107], header[124:135] = b"old/", b"0000755", b"00000000000"
    header[148:156] = b" " * 8
    header[148:155] = b"%06o\0" % sum(header)
    assert [(entry.parts, entry.kind) for entry, _data in entries(bytes(header))] == [(("old",), FOLDER)]


def test_very_large_files_have_a_size_that_everybody_reads():
    size = 9 << 30
    with tarfile.open(fileobj=io.BytesIO(file_header("big", size, 0o644) + END)) as tar:
        assert tar.next().size == size
    assert next(iter(TarReader(io.BytesIO(file_header("big", size, 0o644))))).size == size
    entry = tarfile.TarInfo("big")
    entry.size = size
    assert next(iter(TarReader(io.BytesIO(entry.tobuf(tarfile.GNU_FORMAT))))).size == size


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (file_header("a", 10, 0o644) + b"0123456789", "ends in the middle of a file"),
        (file_header("a" * 120, 0, 0o644)[:700], "ends in the middle of a header"),
        (file_header("a" * 120, 0, 0o644)[:1500], "ends in the middle of a header"),
        (file_header("ü\0b", 0, 0o644), "has a zero byte in it"),
    ],
)
def test_what_ends_early_or_lies_is_refused(content, reason):
    with pytest.raises(TarError, match=reason):
        entries(content)
