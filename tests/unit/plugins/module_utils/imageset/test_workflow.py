# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three workflows of an image set, each cold, again, and with something new."""

from __future__ import annotations

import json

from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import Credentials
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED, UNCHANGED
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions
from ansible_collections.quayside.airgap.tests.sandbox.registry import User
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.image_sets import EVERYTHING, Lab, all_there, states
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOT, BOTS


def test_straight_across_everything_arrives_and_a_second_run_changes_nothing(lab, start):
    destination = start()
    first = lab.straight(destination, EVERYTHING)
    assert first.failures == ()
    assert first.changed
    assert set(states(first).values()) == {COPIED}
    there = all_there(destination)
    destination.reset_log()
    second = lab.straight(destination, EVERYTHING)
    assert second.failures == ()
    assert not second.changed, second.as_results()
    assert set(states(second).values()) == {UNCHANGED}
    assert destination.writes == []
    assert all_there(destination) == there


def test_over_a_disk_the_same_arrives(lab, start):
    destination, other = start(), start()
    lab.straight(other, EVERYTHING)
    written = lab.to_disk(EVERYTHING)
    assert written.failures == ()
    assert written.changed
    again = lab.to_disk(EVERYTHING)
    assert not again.changed, again.as_results()
    lab.source.stop()
    read = lab.from_disk(destination)
    assert read.failures == ()
    assert read.changed
    assert all_there(destination) == all_there(other)
    assert not lab.from_disk(destination).changed


def test_each_run_that_did_something_leaves_a_report(lab, start):
    destination = start()
    first = lab.straight(destination, EVERYTHING)
    assert sorted(path.suffix for path in first.reports) == [".html", ".json"]
    assert {path.parent for path in first.reports} == {lab.folder / "workspace" / "working-dir" / "reports"}
    assert all(path.is_file() for path in first.reports)
    assert lab.straight(destination, EVERYTHING).reports == ()
    assert lab.straight(destination, EVERYTHING, dry_run=True).reports == ()
    assert len(lab.to_disk(EVERYTHING).reports) == 2
    assert lab.to_disk(EVERYTHING).reports == ()
    assert len(lab.from_disk(start()).reports) == 2


def test_the_results_can_be_returned_by_a_module(lab, start):
    destination = start()
    for result in (lab.straight(destination, EVERYTHING), lab.to_disk(EVERYTHING), lab.from_disk(destination)):
        told = json.loads(json.dumps(result.as_results()))
        assert told["mode"] == result.mode.value
        assert told["totals"]["images"] == len(told["images"]) == 9
        assert {found["kind"] for found in told["images"]} == {"operatorRelatedImage", "operatorBundle", "generic", "operatorCatalog"}
        assert told["diff"]["after"] == {found["destination"]: found["digest"] for found in told["images"] if found["state"] == COPIED}


def test_the_progress_of_a_run_can_be_read(lab, start):
    path = lab.folder / "progress.json"
    lab.straight(start(), EVERYTHING, progress_file=str(path))
    told = json.loads(path.read_text())
    assert told["phase"] == "copying"
    assert told["items_done"] == told["items_total"] == 1


def test_what_registries_conf_says_is_for_sources_alone(lab, start):
    """As in an enclave: the image set names a registry that is really another one; the destination is what it is called."""
    destination = start()
    lab.conf.write_text(
        lab.conf.read_text() + f'[[registry]]\nprefix = "{destination.host}"\nlocation = "nowhere.lab.example"\n', encoding="utf-8"
    )
    assert lab.straight(destination, EVERYTHING).failures == ()
    assert destination.tags("mirror/lab/app").keys() == {"v1"}


def test_credentials_go_to_the_side_that_they_are_for(start, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    source = start(auth="basic", users={"reader": User("first", {"*": "pull"})})
    destination = start(auth="basic", users=BOTS)
    lab = Lab(source, tmp_path)
    verify_not = TlsSettings(verify=False)
    sides = {
        "source_side": SideOptions(verify_not, Credentials("reader", "first")),
        "destination_side": SideOptions(verify_not, BOT),
        "registries_conf": "",
        "source": source.host,
    }
    image_set = {"additionalImages": [{"name": f"{source.host}/lab/app:v1"}]}
    assert lab.straight(destination, image_set, **sides).failures == ()
    assert destination.tags("mirror/lab/app").keys() == {"v1"}
    assert source.leaked_credentials == destination.leaked_credentials == []
