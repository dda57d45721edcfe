# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which workflow the options of an image set ask for, and what a result says."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import Naming
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import (
    ImageSetResult,
    ImageSetTask,
    MirroredImage,
    Mode,
    Route,
    route_of,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED, FAILED, UNCHANGED, Outcome
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Location

SET = "/etc/isc.yaml"


def route(destination, image_set=SET, **options):
    return route_of(ImageSetTask(destination, image_set, **options))


def test_to_disk():
    assert route("file:///data/disk") == Route(Mode.MIRROR_TO_DISK, Path("/data/disk/working-dir"), folder=Path("/data/disk"))
    assert route("file:///data/disk", since="2026-11-20").since == date(2026, 11, 20)


def test_from_disk():
    expected = Route(Mode.DISK_TO_MIRROR, Path("/data/disk/working-dir"), Location("reg.example", "ns"), Path("/data/disk"))
    assert route("docker://reg.example/ns", origin="file:///data/disk") == expected
    assert route("docker://reg.example/ns", None, origin="/data/disk") == expected
    elsewhere = route("docker://reg.example/ns", origin="file:///media/dvd", workspace="/data/work")
    assert (elsewhere.folder, elsewhere.working_dir) == (Path("/media/dvd"), Path("/data/work/working-dir"))


def test_straight_across():
    expected = Route(Mode.MIRROR_TO_MIRROR, Path("/data/work/working-dir"), Location("host:5000"))
    assert route("docker://host:5000", workspace="file:///data/work") == expected
    assert route("host:5000/", workspace="/data/work/working-dir/") == expected


def test_innocent_paths_are_not_refused():
    """oc-mirror v2 looks for the names of its own folders anywhere in a path."""
    assert route("file:///home/helmut/delete/logs").folder == Path("/home/helmut/delete/logs")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"destination": ""}, "destination: it is empty"),
        ({"destination": "file:///d", "origin": "file:///o"}, "together with from, the destination must be a registry"),
        ({"destination": "file:///d", "workspace": "file:///w"}, "workspace has no place"),
        ({"destination": "file:///d", "max_nested_paths": 2}, "max_nested_paths"),
        ({"destination": "file:///d", "image_set": None}, "image_set: it is missing"),
        ({"destination": "file:///d", "since": "20.11.2026"}, "year-month-day"),
        ({"destination": "file://"}, "a folder is expected"),
        ({"destination": "/data/disk"}, "For a folder write file:///data/disk"),
        ({"destination": "docker://reg.example"}, "it takes from or workspace beside it"),
        ({"destination": "docker://reg.example", "origin": "file:///o", "workspace": "docker://w"}, "a folder is expected"),
        ({"destination": "docker://reg.example", "workspace": "docker://w"}, "a folder is expected"),
        ({"destination": "docker://reg.example", "workspace": "file:///w", "since": "2026-11-20"}, "since: it is about archives"),
        ({"destination": "docker://reg.example", "origin": "file:///o", "strict_archive": True}, "strict_archive: it is about archives"),
        ({"destination": "docker://reg.example", "workspace": "file:///w", "image_set": None}, "only an archive brings its own"),
        ({"destination": "docker://reg.example", "workspace": "file:///w", "max_nested_paths": -1}, "less than 0"),
        ({"destination": "docker://reg.example/UPPER", "workspace": "file:///w"}, "UPPER"),
    ],
)
def test_options_that_contradict_each_other_are_refused_with_the_reason(options, words):
    with pytest.raises(InputError) as raised:
        route(**{"image_set": SET, **options})
    assert words in str(raised.value)


# --- results


def outcome(name, state, reason=""):
    image = Naming(Location("dst")).operator_image(f"src.lab.example/lab/{name}:v1")
    return MirroredImage(image, Outcome(image.source.pull, image.destination, "sha256:x", state, reason, size=10, moved=1), ("op/op.v1",))


def result(**more):
    images = (outcome("a", COPIED), outcome("b", UNCHANGED), outcome("c", FAILED, "it is gone"))
    return ImageSetResult(Mode.MIRROR_TO_MIRROR, Path("/w/working-dir"), images=images, failures=("c: it is gone",), **more)


def test_results_can_be_written_as_json_and_say_what_became_of_each_image():
    told = result(changed=True, elapsed=1.23456).as_results()
    json.dumps(told)
    assert told["mode"] == "mirror_to_mirror"
    assert told["totals"]["elapsed"] == 1.235
    assert {key: told["totals"][key] for key in ("images", "copied", "unchanged", "failed", "not_attempted")} == {
        "images": 3,
        "copied": 1,
        "unchanged": 1,
        "failed": 1,
        "not_attempted": 0,
    }
    assert told["images"][2]["reason"] == "it is gone"
    assert told["images"][0]["kind"] == "operatorRelatedImage"
    assert told["images"][0]["bundles"] == ["op/op.v1"]
    assert told["archive"] == {"changed": False, "sequence": 0, "files": [], "bytes": 0}


def test_the_message_of_a_failed_run():
    assert result().message() == "c: it is gone Of the other images: 1 copied, 1 already there."
    many = ImageSetResult(Mode.MIRROR_TO_MIRROR, Path("/w"), failures=tuple(f"image {number} is gone." for number in range(12)))
    assert many.message().startswith("12 things could not be mirrored: image 0 is gone. | image 1 is gone.")
    assert many.message().endswith("(2 more in the results)")
