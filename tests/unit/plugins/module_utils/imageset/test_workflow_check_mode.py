# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode tells what a run would do, and touches nothing but mapping.txt and missing.txt."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.tests.support.images import simple_image
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.image_sets import (
    CATALOG,
    EVERYTHING,
    HOST,
    all_there,
    states,
)


def digests(result):
    return {str(found.outcome.destination): found.outcome.digest for found in result.images}


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name != "registries.conf")


def test_straight_across(lab, start):
    destination = start()
    told = lab.straight(destination, EVERYTHING, dry_run=True)
    assert told.failures == ()
    assert told.changed
    assert destination.writes == []
    assert files(lab.folder) == ["workspace/working-dir/dry-run/mapping.txt"]
    done = lab.straight(destination, EVERYTHING)
    assert states(told) == states(done)
    assert digests(told) == digests(done)
    assert (told.pushed, told.pulled) == (done.pushed, done.pulled)
    assert told.resources == done.resources
    again = lab.straight(destination, EVERYTHING, dry_run=True)
    assert not again.changed
    assert again.resources.written == again.resources.removed == ()


def test_to_disk(lab):
    told = lab.to_disk(EVERYTHING, dry_run=True)
    assert told.failures == ()
    assert told.changed
    assert told.archive is None
    assert files(lab.folder) == ["disk/working-dir/dry-run/mapping.txt", "disk/working-dir/dry-run/missing.txt"]
    mapping, missing = (path.read_text().splitlines() for path in told.mapping)
    assert sorted(missing) == sorted(mapping)
    assert f"docker://{HOST}/lab/app:v1=file://{lab.folder}/disk/lab/app:v1" in mapping
    done = lab.to_disk(EVERYTHING)
    assert states(told) == states(done)
    assert digests(told) == digests(done)
    assert (told.pushed, told.pulled) == (done.pushed, done.pulled)


def test_to_disk_when_nothing_is_new(lab):
    lab.to_disk(EVERYTHING)
    before = files(lab.folder)
    told = lab.to_disk(EVERYTHING, dry_run=True)
    assert not told.changed
    assert files(lab.folder) == sorted([*before, "disk/working-dir/dry-run/mapping.txt"])


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"additionalImages": [{"name": f"{HOST}/lab/app:v1"}]}, id="one image less"),
        pytest.param(
            {"additionalImages": [*EVERYTHING["additionalImages"], {"name": f"{HOST}/lab/app:v1", "targetTag": "v2"}]}, id="another tag"
        ),
        pytest.param({"operators": [{"catalog": CATALOG, "packages": [{"name": "beta"}]}]}, id="another choice"),
    ],
)
def test_to_disk_when_only_names_are_new(lab, more):
    lab.to_disk(EVERYTHING)
    changed = {**EVERYTHING, **more}
    assert lab.to_disk(changed, dry_run=True).changed
    assert lab.to_disk(changed).changed


def test_from_disk(lab, start):
    destination = start()
    lab.to_disk(EVERYTHING)
    before = files(lab.folder)
    told = lab.from_disk(destination, dry_run=True)
    assert told.failures == ()
    assert told.changed
    assert destination.writes == []
    assert files(lab.folder) == sorted([*before, "disk/working-dir/dry-run/mapping.txt"])
    done = lab.from_disk(destination)
    assert states(told) == states(done)
    assert digests(told) == digests(done)
    assert not lab.from_disk(destination, dry_run=True).changed


def test_of_what_is_broken_check_mode_knows_as_much_as_the_run(lab, start):
    destination = start()
    lab.lose("tool")
    told = lab.straight(destination, EVERYTHING, dry_run=True)
    done = lab.straight(destination, EVERYTHING)
    assert told.failures == done.failures != ()
    assert states(told) == states(done)
    assert digests(told) == digests(done)
    assert all_there(destination)["mirror/lab/catalog:v1"] == digests(told)[f"{destination.host}/mirror/lab/catalog:v1"]


def test_a_new_image_in_the_set_is_new_alone(lab):
    lab.to_disk(EVERYTHING)
    lab.source.load("lab/third", "v1", simple_image("third"))
    told = lab.to_disk(
        {**EVERYTHING, "additionalImages": [*EVERYTHING["additionalImages"], {"name": f"{HOST}/lab/third:v1"}]}, dry_run=True
    )
    assert [str(found.outcome.destination).rpartition("/")[2] for found in told.images if found.outcome.state == "copied"] == ["third:v1"]
    assert told.mapping[1].read_text().splitlines() == [f"docker://{HOST}/lab/third:v1=file://{lab.folder}/disk/lab/third:v1"]
