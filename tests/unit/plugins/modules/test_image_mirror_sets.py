# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_mirror with an image set, as a task: what the options make of it, and what comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.modules import image_mirror
from ansible_collections.quayside.airgap.tests.support.operator_shop import AGENT, TOOL, OperatorShop
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOTS


@pytest.fixture
def mirror(play):
    return lambda **options: play(image_mirror, **options)


def fill(registry) -> OperatorShop:
    shop = OperatorShop(registry.host, size=2_000)
    for item in shop.placements():
        registry.load(item.repository, item.tag, item.image)
    return shop


def states(result) -> set[str]:
    return {found["state"] for found in result["images"]}


def test_to_disk_from_disk_and_across(mirror, start, tmp_path):
    """The image set as a file and inline; the archive brings its own; what is done twice changes nothing."""
    source, destination = start(), start()
    image_set = fill(source).image_set("db-operator", images=[TOOL])
    path = tmp_path / "imageset.yml"
    path.write_text(yaml.safe_dump(image_set))
    medium, registry = f"file://{tmp_path / 'medium'}", f"docker://{destination.host}/far"

    for changed in (True, False):
        saved = mirror(image_set=str(path), destination=medium)
        assert (saved["changed"], saved["mode"], saved["archive"]["changed"]) == (changed, "mirror_to_disk", changed)
    for changed in (True, False):
        loaded = mirror(**{"from": medium}, destination=registry)
        assert (loaded["changed"], loaded["mode"]) == (changed, "disk_to_mirror")
        assert states(loaded) == {"copied" if changed else "unchanged"}
    across = mirror(image_set=image_set, destination=registry, workspace=str(tmp_path / "work"))
    assert states(across) == {"unchanged"}
    assert [found["digest"] for found in across["images"]] == [found["digest"] for found in loaded["images"]]
    assert {found["kind"] for found in across["images"]} == {"operatorRelatedImage", "operatorBundle", "operatorCatalog", "generic"}
    for name in across["cluster_resources"]["files"]:
        assert Path(name).is_file()


def test_a_failure_is_told_and_the_rest_is_mirrored(mirror, start, tmp_path):
    source, destination = start(), start()
    image_set = fill(source).image_set(images=[TOOL, "apps/none:1"])
    options = {"image_set": image_set, "destination": destination.host, "workspace": str(tmp_path)}
    failed = mirror(**options)
    assert failed["failed"]
    assert f"{source.host}/apps/none:1" in failed["msg"]
    assert failed["msg"].endswith("Of the other images: 1 copied.")
    assert failed["totals"]["copied"] == 1
    warned = mirror(fail_on_broken=False, **options)
    assert not warned.get("failed")
    assert f"{source.host}/apps/none:1" in str(warned["warnings"])


def test_a_password_is_for_the_registry_that_source_names(mirror, start, tmp_path):
    """Of several registries none gets it by accident."""
    locked, other, destination = start(auth="basic", users=BOTS), start(), start()
    tool, agent = fill(locked).name(TOOL), fill(other).name(AGENT)
    image_set = {
        "apiVersion": "mirror.openshift.io/v2alpha1",
        "kind": "ImageSetConfiguration",
        "mirror": {"additionalImages": [{"name": tool}, {"name": agent}]},
    }
    options = {"image_set": image_set, "destination": destination.host, "workspace": str(tmp_path)}
    login = {"source_username": "bot", "source_password": "secret"}
    assert "a password must not be sent to all of them" in mirror(**options, **login)["msg"]
    assert states(mirror(source=locked.host, **options, **login)) == {"copied"}
    assert not [request for request in other.requests if "authorization" in {name.lower() for name in request.headers}]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"images": ["quay.io/app:1"], "destination": "file:///tmp/x"}, "images: an image set names its images itself"),
        ({"destination": "file:///tmp/x", "workspace": "/tmp/y"}, "Leave workspace out"),
        ({"destination": "file:///tmp/x", "from": "file:///tmp/y"}, "the destination must be a registry"),
        ({"destination": "registry.example.com"}, "it takes from or workspace beside it"),
        ({"destination": "registry.example.com", "workspace": "/tmp/y", "since": "2026-11-20"}, "Leave since out"),
        ({"destination": ["a.example.com", "b.example.com"], "workspace": "/tmp/y"}, "Write a task for each"),
        ({"destination": "file:///tmp/x", "plan_file": "/tmp/plan.yml"}, "plan_file: it tells what is deleted"),
        ({"state": "absent", "destination": "a.example.com", "workspace": "/tmp/y"}, "workspace: it is for what a run that mirrors writes"),
    ],
)
def test_options_that_contradict_each_other_are_refused_with_the_reason(mirror, options, words):
    image_set = OperatorShop("shop.example.com").image_set(images=[TOOL])
    result = mirror(image_set=image_set, **options)
    assert result["failed"]
    assert words in result["msg"]
