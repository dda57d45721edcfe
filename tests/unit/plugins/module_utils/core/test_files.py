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


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    (tmp_path / "big").write_bytes(b"x" * 101)
    with pytest.raises(FileError, match="larger than 100 bytes"):
        read_bytes(tmp_path / "big", limit=100)


@pytest.mark.parametrize(("content", "why"), [(b'{\n"a": }', "line 2, column 6"), (b"\xff\xff", "no JSON"), (b"", "no JSON")])
def test_a_file_that_is_no_json_says_where(tmp_path, content, why):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(FileError) as error:
        read_json(tmp_path / "x.json")
    assert why in str(error.value)
    assert "x.json" in str(error.value)
