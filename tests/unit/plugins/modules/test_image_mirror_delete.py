# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_mirror as a task that deletes: options in, results out, never a traceback."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.modules import image_mirror
from ansible_collections.quayside.airgap.tests.sandbox.registry import User
from ansible_collections.quayside.airgap.tests.support.images import simple_image

APP, DB = simple_image("app"), simple_image("db")
V1 = {"apiVersion": "mirror.openshift.io/v2alpha1"}
UNWANTED = {**V1, "kind": "DeleteImageSetConfiguration", "delete": {"additionalImages": [{"name": "quay.io/app:v1"}]}}
WANTED = {**V1, "kind": "ImageSetConfiguration", "mirror": UNWANTED["delete"]}


@pytest.fixture
def registry(start):
    registry = start(auth="basic", users={"bot": User("secret", {"*": "*"})})
    registry.load("m/app", "v1", APP)
    registry.load("m/app", "v2", DB)
    return registry


@pytest.fixture
def delete(play, registry):
    def run(**options):
        given = {
            "state": "absent",
            "destination": f"docker://{registry.host}/m",
            "destination_username": "bot",
            "destination_password": "secret",
        }
        return play(image_mirror, **{**given, **options})

    return run


def test_what_a_configuration_names_is_deleted_once(delete, registry, tmp_path):
    plan = tmp_path / "list.yaml"
    registry.refuse_writes = True
    foretold = delete(check=True, image_set=UNWANTED, plan_file=str(plan))
    assert registry.refused == []
    registry.refuse_writes = False
    done = delete(delete_list=str(plan))
    assert foretold["changed"]
    assert done["changed"]
    assert [(image["destination"], image["state"]) for image in done["images"]] == [(f"{registry.host}/m/app:v1", "deleted")]
    assert done["diff"] == {"before": {f"{registry.host}/m/app:v1": APP.digest}, "after": {f"{registry.host}/m/app:v1": ""}}
    assert registry.tags("m/app") == {"v2": DB.digest}
    again = delete(image_set=UNWANTED)
    assert (again["changed"], again["totals"]["absent"]) == (False, 1)


def test_what_an_image_set_does_not_name_is_pruned(delete, registry):
    assert delete(state="pruned", image_set=WANTED)["totals"]["deleted"] == 1
    assert registry.tags("m/app") == {"v1": APP.digest}


def test_what_fails_fails_the_task_unless_that_is_not_wanted(delete, registry):
    registry.options.delete = False
    result = delete(image_set=UNWANTED)
    assert result["failed"]
    assert "does not delete" in result["msg"]
    assert [image["state"] for image in result["images"]] == ["failed"]
    told = delete(image_set=UNWANTED, fail_on_broken=False)
    assert "failed" not in told
    assert any("does not delete" in str(warning) for warning in told["warnings"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "image_set and delete_list"),
        ({"image_set": UNWANTED, "images": ["quay.io/a:1"]}, "images"),
        ({"image_set": UNWANTED, "workspace": "file:///tmp/x"}, "workspace"),
        ({"image_set": UNWANTED, "destination": ["a.example", "b.example"]}, "there are 2"),
        ({"delete_list": 5}, "delete_list"),
        ({"state": "present", "images": ["quay.io/a:1"], "plan_file": "/tmp/x"}, "plan_file"),
    ],
)
def test_options_that_do_not_fit_are_told(delete, registry, options, words):
    result = delete(**options)
    assert result["failed"]
    assert words in result["msg"]
    assert registry.requests == []
