# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kind of work the options of image_mirror ask for."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.options import Reach, Work, document, image_set_task, work_of

DEFAULTS = {
    "images": [],
    "source": None,
    "destination": ["docker://host"],
    "discover": None,
    "tags": [],
    "exclude_tags": [],
    "platforms": [],
    "signatures": "copy",
    "shard": None,
    "progress_file": None,
    "image_set": None,
    "from": None,
    "workspace": None,
    "since": None,
    "strict_archive": False,
    "max_nested_paths": 0,
    "lenient": False,
    "automatic_default_channel": False,
    "state": "present",
    "delete_list": None,
    "plan_file": None,
}


def params(**given):
    return {**DEFAULTS, **given}


@pytest.mark.parametrize(
    ("given", "work"),
    [
        ({"images": ["app:v1"]}, Work.COPY_IMAGES),
        ({}, Work.COPY_IMAGES),
        ({"image_set": "/etc/isc.yaml"}, Work.MIRROR_SET),
        ({"from": "file:///disk"}, Work.MIRROR_SET),
        ({"state": "absent", "image_set": "/etc/disc.yaml"}, Work.DELETE_IMAGES),
        ({"state": "pruned", "image_set": "/etc/isc.yaml", "max_nested_paths": 2}, Work.DELETE_IMAGES),
    ],
)
def test_the_kind_of_work(given, work):
    assert work_of(params(**given)) is work


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"image_set": "/etc/isc.yaml", "images": ["app:v1"]}, "images: an image set names its images itself"),
        ({"image_set": "/etc/isc.yaml", "discover": {}}, "discover"),
        ({"image_set": "/etc/isc.yaml", "shard": {"index": 0, "count": 2}}, "shard"),
        ({"image_set": "/etc/isc.yaml", "plan_file": "/tmp/x"}, "plan_file"),
        ({"images": ["app:v1"], "workspace": "file:///w"}, "workspace"),
        ({"images": ["app:v1"], "lenient": True}, "lenient: it is about image sets"),
        ({"images": ["app:v1"], "delete_list": "/tmp/x"}, "delete_list"),
        ({"state": "absent", "from": "file:///disk"}, "from"),
        ({"state": "pruned", "images": ["app:v1"]}, "images"),
    ],
)
def test_options_of_another_kind_of_work_are_refused(given, words):
    with pytest.raises(InputError) as raised:
        work_of(params(**given))
    assert words in str(raised.value)


def test_a_task_has_what_the_options_say():
    task = image_set_task(
        params(image_set={"kind": "x"}, workspace="file:///w", platforms=["linux/amd64"], signatures="skip", lenient=True),
        Reach(registries_conf="/etc/registries.conf"),
        dry_run=True,
    )
    assert (task.destination, task.workspace, task.platforms) == ("docker://host", "file:///w", ("linux/amd64",))
    assert (task.signatures, task.lenient, task.dry_run, task.registries_conf) == ("skip", True, True, "/etc/registries.conf")
    assert task.image_set == {"kind": "x"}


def test_an_image_set_has_one_destination():
    with pytest.raises(InputError, match=r"there are 2: a\.example, b\.example"):
        image_set_task(params(image_set="x", destination=["a.example", "b.example"]), Reach(), dry_run=False)


def test_a_document_is_a_path_or_itself(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert document("~/isc.yaml") == "/home/me/isc.yaml"
    assert document({"kind": "x"}) == {"kind": "x"}
    assert document(None) is document("") is None
    with pytest.raises(InputError, match="it is a list"):
        document(["x"])
