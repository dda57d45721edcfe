# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import read_bytes, read_json, write_atomically


def test_the_old_file_is_replaced_and_nothing_else_is_left(tmp_path):
    target = tmp_path / "state"
    target.write_bytes(b"old")
    write_atomically(target, b"new", mode=0o600)
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["state"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileError, match=r"write .*missing/state: No such file"):
        write_atomically(tmp_path / "missing" / "state", b"x")


def test_a_target_that_cannot_be_replaced_leaves_no_rubbish(tmp_path):
    (tmp_path / "state").mkdir()
    with pytest.raises(FileError):
        write_atomically(tmp_path / "state", b"x")
    assert os.listdir(tmp_path) == ["state"]


def test_a_reader_never_sees_half_a_file_of_a_writer_that_is_killed(tmp_path):
    target = tmp_path / "state"
    program = f"""
import sys
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import write_atomically
number = 0
while True:
    number += 1
    write_atomically({str(target)!r}, bytes([number % 256]) * 300_000, durable=False)
    if number == 3:
        print("ready", flush=True)
"""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    for _round in range(3):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout.readline() == b"ready\n"
            for _look in range(50):
                content = target.read_bytes()
                assert len(content) == 300_000
                assert len(set(content)) == 1
            process.send_signal(signal.SIGKILL)
        content = target.read_bytes()
        assert len(content) == 300_000
        assert len(set(content)) == 1


@pytest.mark.parametrize("name", ["n" * 300, "nul\0byte"])
def test_a_name_that_no_file_can_have_is_a_sentence(tmp_path, name):
    with pytest.raises(FileError):
        write_atomically(tmp_path / name, b"x")
    with pytest.raises(FileError):
        read_bytes(tmp_path / name, limit=10)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_the_old_file_and_no_rubbish(tmp_path):
    """A limit on the size of files stands in for the disk."""
    target = tmp_path / "state"
    target.write_bytes(b"old")
    program = f"""
import resource, signal
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomically({str(target)!r}, b"x" * 5000)
except FileError as error:
    print(error)
"""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == f"Could not write {target}: File too large.\n"
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["state"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_mode_does_not_depend_on_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "state", b"x", mode=0o640)
    finally:
        os.umask(before)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o640


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    (tmp_path / "big").write_bytes(b"x" * 101)
    with pytest.raises(FileError, match="larger than 100 bytes"):
        read_bytes(tmp_path / "big", limit=100)


@pytest.mark.parametrize(
    ("content", "why"), [(b'{\n"a": }', "line 2, column 6"), (b"\xff\xff", "no JSON"), (b"", "no JSON"), (b"[" * 100_000, "no JSON")]
)
def test_a_file_that_is_no_json_says_where(tmp_path, content, why):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(FileError) as error:
        read_json(tmp_path / "x.json")
    assert why in str(error.value)
    assert "x.json" in str(error.value)
