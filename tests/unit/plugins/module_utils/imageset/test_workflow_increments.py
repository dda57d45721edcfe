# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Increments of oc-mirror v2: what earlier archives brought is not in them, manifests neither, whatever new names it has got."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import ImageSetTask
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.workflow import mirror_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import WireOptions
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.images import (
    cosign_signature,
    cosign_tag,
    image,
    index,
    layer,
    multi_arch,
    simple_image,
)
from ansible_collections.quayside.airgap.tests.support.oc_mirror_lab import Lab
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import blob_writes, manifest_writes, mounts
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.image_sets import HOST, OPEN, image_set_of
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded import case
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded_archives import (
    original,
    rebuilt,
    write_archive,
    write_images,
    write_increment,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded_image_sets import CATALOG
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded_runs import World

APP = simple_image("app")
MANY = multi_arch("many")
SIGNATURE = cosign_signature(APP)
FIRST = [("lab/app", "v1", APP), ("lab/app", cosign_tag(APP.digest), SIGNATURE), ("lab/many", "v1", MANY)]
NAMES = [{"name": f"{HOST}/lab/app:v1"}, {"name": f"{HOST}/lab/many:v1"}]
EARLIER = [APP, SIGNATURE, MANY]
AGAIN = [
    *FIRST,
    ("lab/app", "again", APP),
    ("lab/many", "again", MANY),
]
ELSEWHERE = [
    *FIRST,
    ("else/app", "v1", APP),
    ("else/app", cosign_tag(APP.digest), SIGNATURE),
    ("else/many", "v1", MANY),
]
IN_TAG = [*NAMES, *({**name, "targetTag": "again"} for name in NAMES)]
IN_REPOSITORY = [*NAMES, *({**name, "targetRepo": f"else/{path}"} for name, path in zip(NAMES, ("app", "many")))]


class Disks:
    """Archives on their way to a registry behind the gap."""

    def __init__(self, folder, registry):
        self.folder = folder
        self.registry = registry

    def write(self, name, placed, names, earlier=()):
        write_images(self.folder / name, placed, yaml.safe_dump(image_set_of({"additionalImages": names})), earlier=earlier)

    def load(self, name, registry=None, **options):
        given = {"destination_side": OPEN, "wire": WireOptions(parallel=4, retries=0, timeout=10), "signatures": "copy", **options}
        place = f"docker://{(registry or self.registry).host}/mirror"
        return mirror_image_set(ImageSetTask(place, origin=f"file://{self.folder / name}", **given))

    def load_first(self):
        self.write("first", FIRST, NAMES)
        assert self.load("first").failures == ()
        self.registry.reset_log()


@pytest.fixture
def behind(start):
    return start()


@pytest.fixture
def disks(tmp_path, behind, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return Disks(tmp_path, behind)


def test_another_tag_of_what_is_there(disks, behind):
    disks.load_first()
    disks.write("second", AGAIN, IN_TAG, EARLIER)
    result = disks.load("second")
    assert (result.failures, result.warnings) == ((), ())
    assert behind.tags("mirror/lab/app") == {"v1": APP.digest, "again": APP.digest, cosign_tag(APP.digest): SIGNATURE.digest}
    assert behind.tags("mirror/lab/many") == {"v1": MANY.digest, "again": MANY.digest}
    assert (blob_writes(behind), mounts(behind)) == ([], [])
    assert disks.load("second").count("copied") == 0


def test_what_keeps_its_name_is_only_looked_up(disks, behind):
    disks.load_first()
    disks.write("second", AGAIN, NAMES, EARLIER)
    assert disks.load("second").count("unchanged") == 2
    assert behind.count(method="GET", path="/manifests/") == 0


def test_another_repository_for_what_is_there(disks, behind):
    disks.load_first()
    disks.write("second", ELSEWHERE, IN_REPOSITORY, EARLIER)
    assert disks.load("second").failures == ()
    assert behind.tags("mirror/else/app") == {"v1": APP.digest, cosign_tag(APP.digest): SIGNATURE.digest}
    assert behind.tags("mirror/else/many") == {"v1": MANY.digest}
    assert blob_writes(behind) == []
    assert set(mounts(behind)) == {*APP.all_blobs(), *MANY.all_blobs(), *SIGNATURE.all_blobs()}
    assert behind.verify() == []


def test_a_registry_that_does_not_mount_gets_it_from_itself(tmp_path, start, disks):
    disks.registry = start(mount=False)
    disks.load_first()
    disks.write("second", ELSEWHERE, IN_REPOSITORY, EARLIER)
    assert disks.load("second").failures == ()
    assert set(blob_writes(disks.registry)) == {*APP.all_blobs(), *MANY.all_blobs(), *SIGNATURE.all_blobs()}
    assert disks.registry.verify() == []


def test_names_are_those_of_the_destination(disks, behind):
    disks.write("first", FIRST, NAMES)
    disks.write("second", ELSEWHERE, IN_REPOSITORY, EARLIER)
    for name in ("first", "second"):
        assert disks.load(name, max_nested_paths=2).failures == ()
    assert sorted(behind.repositories) == ["mirror/else-app", "mirror/else-many", "mirror/lab-app", "mirror/lab-many"]
    assert behind.verify() == []


def test_an_old_layer_of_a_new_image_comes_from_another_repository(disks, behind):
    disks.load_first()
    below = next(found for found in APP.all_blobs().values() if found.media_type.endswith("gzip"))
    upon = image([below, layer("upon", 5000)])
    disks.write("second", [*FIRST, ("lab/upon", "v1", upon)], [{"name": f"{HOST}/lab/upon:v1"}], EARLIER)
    assert disks.load("second").failures == ()
    assert mounts(behind) == [below.digest]
    assert behind.verify() == []


def test_a_new_index_of_old_images(disks, behind):
    disks.load_first()
    fewer = index(MANY.children[:1])
    disks.write("second", [("lab/fewer", "v1", fewer), *FIRST], [{"name": f"{HOST}/lab/fewer:v1"}], EARLIER)
    assert disks.load("second").failures == ()
    assert behind.tags("mirror/lab/fewer") == {"v1": fewer.digest}
    assert behind.verify() == []


def test_one_platform_of_what_is_there(disks, behind):
    disks.load_first()
    disks.write("second", ELSEWHERE, IN_REPOSITORY[-1:], EARLIER)
    assert disks.load("second", platforms=["linux/arm64"]).failures == ()
    (listed,) = yaml.safe_load(behind.manifests("mirror/else/many")[behind.tags("mirror/else/many")["v1"]].body)["manifests"]
    assert listed["platform"]["architecture"] == "arm64"
    assert behind.verify() == []


def test_a_dry_run_finds_the_same_and_writes_nothing(disks, behind):
    disks.load_first()
    disks.write("second", ELSEWHERE, IN_REPOSITORY, EARLIER)
    told = disks.load("second", dry_run=True)
    assert (told.failures, told.count("copied")) == ((), 2)
    assert manifest_writes(behind) == []


def test_a_repository_that_is_closed_does_not_keep_others_from_being_asked(disks, behind):
    disks.load_first()
    disks.write("second", ELSEWHERE, IN_REPOSITORY, EARLIER)
    assert disks.load("second").failures == ()
    third = [*ELSEWHERE, ("new/app", "v1", APP)]
    disks.write("third", third, [{"name": f"{HOST}/lab/app:v1", "targetRepo": "new/app"}], EARLIER)
    behind.faults.append(Fault("GET|HEAD", "/v2/mirror/else/app/", "status", status=403, times=None))
    assert disks.load("third", signatures="skip").failures == ()
    assert behind.tags("mirror/new/app") == {"v1": APP.digest}


@pytest.mark.parametrize(("placed", "names"), [(AGAIN, IN_TAG[2:]), (ELSEWHERE, IN_REPOSITORY[2:])])
def test_without_the_earlier_archive_that_is_told(disks, behind, placed, names):
    disks.write("second", placed, names, EARLIER)
    failures = disks.load("second").failures
    assert len(failures) == 2
    for failure, found in zip(failures, (APP, MANY)):
        assert f"{found.digest} is named in these archive files of oc-mirror, but in none of them. An earlier archive has it" in failure
    assert list(behind.repositories) == []


def test_a_layer_that_never_came_is_told(disks, behind):
    upon = image([*(found for found in APP.all_blobs().values() if found.media_type.endswith("gzip")), layer("upon", 5000)])
    disks.write("second", [*FIRST, ("lab/upon", "v1", upon)], [{"name": f"{HOST}/lab/upon:v1"}], EARLIER)
    (failure,) = disks.load("second").failures
    assert "An earlier archive has it" in failure
    assert behind.tags("mirror/lab/upon") == {}


# --- catalogs


@pytest.fixture(scope="module")
def lab():
    """The images of the recordings, which take a moment to make."""
    return Lab()


@pytest.mark.parametrize("target", [{"targetTag": "other"}, {"targetCatalog": "else/operators"}])
def test_a_catalog_under_another_name(lab, start, tmp_path, target, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    world = World(lab, start(), start(), tmp_path)
    recorded = case("d2m-1")
    write_archive(world, world.data / "air")
    world.mirror(recorded)
    document = yaml.safe_load(world.image_set(recorded).read_text())
    (entry,) = (found for found in document["mirror"]["operators"] if found["catalog"] == CATALOG)
    document["mirror"]["operators"].append({**entry, **target})
    repository, tag = target.get("targetCatalog", "lab/catalog"), target.get("targetTag", "v4.99")
    names = [(repository, tag, original(lab)), (repository, lab.filter_id, rebuilt(lab))]
    write_increment(world, world.data / "second", yaml.safe_dump(document), *names)
    world.target.reset_log()
    result = world.mirror(recorded, image_set=document, origin=f"file://{world.data / 'second'}")
    assert result.failures == ()
    assert world.target.tags(f"d2m/{repository}")[tag] == rebuilt(lab).digest
    assert blob_writes(world.target) == []
    assert world.target.verify() == []
