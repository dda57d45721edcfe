# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""History files are oc-mirror's; the ledger of the sequence lies beside them."""

from __future__ import annotations

from datetime import date, datetime, timezone

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.history import Archived, Base, History, Ledger

A, B, C = (f"sha256:{digit * 64}" for digit in "abc")


def at(day, hour=12):
    return datetime(2026, 11, day, hour, tzinfo=timezone.utc)


@pytest.fixture
def history(tmp_path):
    return History(tmp_path / "working-dir")


def test_without_history_an_archive_is_full(history):
    assert history.base() == Base("", frozenset())
    assert history.base(date(2026, 1, 1)) == Base()
    assert not history.folder.exists()


def test_the_newest_history_is_the_base(history):
    history.write(history.new_name(at(1)), {A})
    history.write(history.new_name(at(2)), {A, B})
    assert history.base() == Base(".history-2026-11-02T12:00:00Z", frozenset({A, B}))
    assert (history.folder / ".history-2026-11-02T12:00:00Z").read_text() == f"{A}\n{B}\n"


@pytest.mark.parametrize(
    ("since", "base"),
    [
        (date(2026, 11, 4), {A, B}),
        (date(2026, 11, 3), {A, B}),
        (date(2026, 11, 2), {A}),
        (date(2026, 11, 1), set()),
    ],
)
def test_since_takes_the_newest_from_before_that_day(history, since, base):
    history.write(history.new_name(at(1)), {A})
    history.write(history.new_name(at(2, hour=0)), {A, B})
    assert history.base(since).digests == base


def test_times_of_other_zones_are_understood(history):
    history.write(".history-2026-11-01T23:30:00-02:00", {A})
    history.write(".history-2026-11-02T01:00:00Z", {B})
    assert history.base().digests == {A}


def test_a_clock_that_was_set_back_hides_nothing(history):
    history.write(history.new_name(at(5)), {A})
    assert history.new_name(at(5)) == ".history-2026-11-05T12:00:01Z"
    assert history.new_name(at(5).replace(microsecond=999_999)) == ".history-2026-11-05T12:00:01Z"
    assert history.new_name(at(3)) == ".history-2026-11-05T12:00:01Z"


def test_what_is_no_history_is_told_of(history):
    history.write(".history-2026-11-01T12:00:00Z", {"sha256:short"})
    with pytest.raises(FileError, match=r"2026-11-01T12:00:00Z: the digest 'sha256:short' is not.*Remove the file"):
        history.base()
    history.write(".history-yesterday", {A})
    with pytest.raises(FileError, match=r"history-yesterday: its name gives no time"):
        history.base()


def test_a_folder_that_cannot_be_made_is_told_of(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="Could not create"):
        History(tmp_path / "file").write("x", {A})


def test_the_ledger_grows(history):
    assert history.ledger() == Ledger()
    assert history.ledger().next_sequence == 1
    first, second = Archived(1, "one", "2026-11-01T12:00:00Z"), Archived(2, "two", "2026-11-02T12:00:00Z")
    history.write_ledger(history.ledger().extended(first, {A, B}, "f1", {"lab/app": {A}}))
    history.write_ledger(history.ledger().extended(second, {B, C}, "f2", {"lab/app": {B}, "lab/other": {C}}))
    ledger = history.ledger()
    assert ledger == Ledger((first, second), {A: 1, B: 2, C: 2}, "f2", {"lab/app": frozenset({A, B}), "lab/other": frozenset({C})})
    assert ledger.next_sequence == 3
    assert history.base() == Base()  # oc-mirror and we pass over the ledger when looking for histories


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{}",
        '{"version": 1, "archives": [{}], "blobs": {}}',
        '{"version": 1, "archives": [], "blobs": {"a": "b"}}',
        '{"version": 1, "archives": [], "blobs": {}}',
    ],
)
def test_a_damaged_ledger_is_told_of(history, content):
    history.folder.mkdir(parents=True)
    (history.folder / "quayside-archives.json").write_text(content)
    with pytest.raises(FileError, match=r"quayside-archives.json: .*Remove the file to begin a new sequence"):
        history.ledger()
