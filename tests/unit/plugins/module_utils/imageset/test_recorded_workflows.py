# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that oc-mirror v2 was recorded doing, done by the workflows here, and compared fact by fact.

What differs is listed, with the reason. The lists are exact: a difference that is gone has to leave its list.
"""

from __future__ import annotations

import json
import re
import tarfile
import zlib

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.tests.support.image_builders import OCI_LAYER, Blob, blob, image, layer
from ansible_collections.quayside.airgap.tests.support.oc_mirror_lab import Lab
from ansible_collections.quayside.airgap.tests.unit.plugins.archives import Disk
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded import case, case_names, whole_recording
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded_archives import (
    rebuilt,
    write_archive,
    write_archive_of_all_operators,
    write_images,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded_differences import (
    DIFFERENCES,
    OCI,
    SIGNED,
    signature_at,
    signature_in_archive,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded_facts import (
    archived_in,
    facts_of,
    facts_recorded,
    images_at,
    images_expected,
    images_recorded,
    is_catalog,
    is_dry,
    namespace,
    offered_at,
    verdict_of,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded_image_sets import (
    CATALOG,
    FAILED,
    HEAD_OF_RELEASES,
    MIRRORED,
    image_set,
    operators,
    package,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded_runs import TARGET, World

# --- which case is held to what

# Runs that are done again, with those that have to come before
RUNS = {
    "d2m-1": ["m2d-1"],
    "d2m-incremental-only-missing-base": ["m2d-incr-1", "m2d-incr-2"],
    "err-broken-operator": [],
    "err-multihead": [],
    "m2d-1": [],
    "m2d-dryrun": [],
    "m2d-incr-1": [],
    "m2d-incr-2": ["m2d-incr-1"],
    "m2d-incr-3-nochange": ["m2d-incr-1", "m2d-incr-2"],
    "m2d-incr-4-since": ["m2d-incr-1", "m2d-incr-2", "m2d-incr-3-nochange"],
    "m2m-blocked": [],
    "m2m-broken-additional": [],
    "m2m-digest-port-bug": [],
    "m2m-dryrun": [],
    "m2m-full": [],
    "m2m-ops-headsonly": [],
    "m2m-ops-multi-target": [],
    "m2m-platforms": [],
    "v-emptyri": [],
    "v-nobundleri": [],
}
# Runs that are refused before anything is copied, with what is said
REFUSED = {
    "err-chan-nondefault": "the default channel 'stable' of the catalog is not among the channels that are left; these are candidate",
    "err-pkg-missing": "no package 'no-such-operator'; it has alpha-operator, beta-operator; .* no channel 'no-such-channel'; it has fast",
}
# Runs with images of gigabytes, done with the thousandth part
SCALED = ("m2d-archivesize", "m2d-archivesize-strict")
DELETED = ("delete-gen", "delete-rel-exec")
# Runs over releases, which are not mirrored yet: all that is held is that this is said
RELEASES = {
    "delete-rel-gen": "the components of a release are deleted",
    "m2m-rel-range": "three releases with what they consist of, and their signatures",
    "release-sig-forged": "oc-mirror v2 defect: a signature over another text is accepted",
    "release-sig-otherdigest": "oc-mirror v2 defect: a signature of another release is accepted",
    "release-sig-wrongkey": "a signature by another key is refused",
}


def differing(there, here):
    """Facts of the recording alone, and of the run here alone."""
    return {*(f"- {fact}" for fact in there - here), *(f"+ {fact}" for fact in here - there)}


@pytest.fixture(scope="module")
def lab():
    """The images, which take a moment to make."""
    return Lab()


@pytest.fixture
def world(lab, start, tmp_path, monkeypatch):
    """The registries of the recordings, and no credentials of this machine."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return World(lab, start(), start(), tmp_path)


def again(world, name):
    """A recorded run, after those that it needs."""
    for earlier in RUNS[name]:
        world.mirror(case(earlier))
    if name.startswith("d2m"):
        world.carry(RUNS[name][-1], name)
    return world.mirror(case(name))


# --- the runs


@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_run_ends_as_the_recorded_one_did(world, name):
    recorded = case(name)
    result = again(world, name)
    assert differing(facts_recorded(recorded, world.lab), facts_of(world, recorded, result)) == set(DIFFERENCES.get(name, ()))
    assert world.target.verify() == []


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_choice_that_the_tool_refused_is_refused_with_a_better_reason(world, name):
    assert case(name).exit != 0
    with pytest.raises(InputError, match=REFUSED[name]):
        world.mirror(case(name))
    assert world.target.writes == []


@pytest.mark.parametrize("name", ["m2m-rel-range", "release-sig-forged", "release-sig-otherdigest", "release-sig-wrongkey"])
def test_releases_are_said_to_be_missing(world, name):
    wanted = case(name).document("isc.yaml") if "isc.yaml" in case(name).files else image_set({"platform": HEAD_OF_RELEASES})
    with pytest.raises(InputError, match=r"mirror\.platform\.channels: releases are not mirrored yet"):
        world.run(f"docker://{world.target.host}/releases", image_set=wanted, workspace=str(world.data / "w"))
    assert world.source.requests == world.target.requests == []


# --- what the lists of differences cannot say


def test_the_missing_archive_is_named(world):
    result = again(world, "d2m-incremental-only-missing-base")
    assert len(result.failures) == len(case("d2m-incremental-only-missing-base").lines("logs/mirroring_errors")) == 2
    for failure in result.failures:
        assert "is in archive 1 of the sequence" in failure
        assert "Load archive 1 into this destination first" in failure


def test_a_registry_that_wants_whole_indexes_gets_one_of_what_is_chosen(world):
    world.mirror(case("m2m-platforms"))
    (digest,) = world.target.tags("platforms/lab/multi-oci").values()
    children = json.loads(world.target.manifests("platforms/lab/multi-oci")[digest].body)["manifests"]
    assert [child["digest"] for child in children] == [world.lab.digests["lab/multi-oci:v1 linux/amd64"]]


def test_a_registry_with_a_port_makes_no_difference(world):
    result = world.mirror(case("m2m-digest-port-bug"))
    there = images_recorded(case("m2m-full"))
    assert not result.failures
    assert differing(there, set(images_at(world))) == set(signature_at("mirror"))


def test_bundles_that_nobody_repeats_are_mirrored_too(world):
    """Oc-mirror v2 defect: a bundle that is not among its own related images is never mirrored."""
    world.mirror(case("v-nobundleri"))
    digests = {world.lab.recorded_digests[f"lab/ops/beta-bundle:beta-bundle-{version}"] for version in ("0.1.0", "0.3.0")}
    assert {world.lab.recorded(digest) for digest in world.target.tags("vnobundleri/lab/ops/beta-bundle").values()} == digests


def test_a_second_run_moves_nothing(world):
    first = world.mirror(case("m2m-full"))
    world.target.reset_log()
    second = world.mirror(case("m2m-full"))
    assert (first.changed, second.changed, second.failures) == (True, False, ())
    assert [str(request) for request in world.target.writes] == []


# --- archives


def pinned(world):
    """The image set of the archive with its catalog by digest, as oc-mirror writes it beside the archive."""
    digest = world.lab.digests["lab/catalog:v4.99"]
    by_digest = f"src.lab.example/lab/catalog@{digest}\n    targetTag: v4.99"
    path = world.folder / "pinned.yaml"
    path.write_text(world.here(case("m2d-1").text("isc.yaml")).replace(CATALOG, by_digest))
    return str(path)


@pytest.mark.parametrize("given", ["as it was", "pinned", "left out"])
def test_an_archive_of_the_tool_is_loaded(world, given):
    recorded = case("d2m-1")
    path = write_archive(world, world.data / "air")
    there = {fact for fact in facts_recorded(case("m2d-1"), world.lab) if fact.startswith("archive: ")}
    assert differing(there, archived_in(world, path)) == {fact for fact in signature_in_archive() if " archive: " in fact}
    image_sets = {"as it was": str(world.image_set(recorded)), "pinned": pinned(world), "left out": None}
    result = world.mirror(recorded, image_set=image_sets[given])
    assert differing(facts_recorded(recorded, world.lab), facts_of(world, recorded, result)) == set(DIFFERENCES["d2m-1"])
    assert world.source.requests == []
    assert world.target.verify() == []


def test_a_part_of_an_archive_of_the_tool_is_loaded(world):
    write_archive(world, world.data / "air")
    names = [{"name": "src.lab.example/lab/app-a:v1"}, {"name": "src.lab.example/lab/multi-oci:v1"}]
    result = world.mirror(case("d2m-1"), image_set=image_set({"additionalImages": names}))
    assert (result.failures, result.warnings) == ((), ())
    assert sorted(world.target.repositories) == ["d2m/lab/app-a", "d2m/lab/multi-oci"]


@pytest.mark.parametrize("name", ["lab/app-a:v1", "docker.io/lab/app-a:v1"])
def test_short_names_of_docker_hub_lie_elsewhere_in_archives_of_the_tool(world, name):
    found = next(placed.image for placed in world.lab.images if (placed.repository, placed.tag) == ("lab/app-a", "v1"))
    place = "app-a" if name.startswith("lab") else "lab/app-a"
    write_images(world.data / "air", [(place, "v1", found)], yaml.safe_dump(image_set({"additionalImages": [{"name": name}]})))
    assert world.mirror(case("d2m-1"), image_set=None).failures == ()
    assert world.target.tags("d2m/lab/app-a") == {"v1": found.digest}


def test_another_choice_than_that_of_the_archive_is_made_from_the_catalog_in_it(world):
    write_archive(world, world.data / "air")
    wanted = image_set(operators(CATALOG, package("alpha-operator")))
    loaded = seen(world, "d2m", world.mirror(case("d2m-1"), image_set=wanted))
    world.target.wipe()
    straight = world.run(f"docker://{world.target.host}/d2m", image_set=wanted, workspace=str(world.data / "w"))
    assert differing(seen(world, "d2m", straight), loaded) == set()


def test_what_another_choice_needs_and_the_archive_has_not_is_told(world):
    write_archive(world, world.data / "air")
    result = world.mirror(case("d2m-1"), image_set=image_set(operators(CATALOG, package("beta-operator"))))
    missing = world.lab.digests["lab/ops/beta-bundle:beta-bundle-0.1.0"]
    assert any("lab/ops/beta-bundle" in failure and missing in failure for failure in result.failures)
    offered = {fact for fact in offered_at(world, "d2m") if " channel " in fact}
    assert offered == {"catalog: beta-operator channel fast: beta-operator.v0.3.0", "catalog: beta-operator default channel fast"}


def test_a_whole_catalog_of_the_tool_is_loaded(world):
    mirror, _offered = MIRRORED["ops-full"]
    write_archive_of_all_operators(world, world.data / "air", yaml.safe_dump(image_set(mirror)))
    result = world.mirror(case("d2m-1"), image_set=image_set(mirror))
    loaded = set(images_at(world))
    assert (result.failures, world.target.tags("d2m/lab/catalog")) == ((), {"v4.99": world.lab.digests["lab/catalog:v4.99"]})
    world.target.wipe()
    world.run(f"docker://{world.target.host}/d2m", image_set=image_set(mirror), workspace=str(world.data / "w"))
    assert loaded == set(images_at(world))


def test_increments_make_the_whole_one_after_another(world):
    recorded = case("d2m-incremental-only-missing-base")
    for made in ("m2d-incr-1", "m2d-incr-2"):
        world.mirror(case(made))
        world.carry(made, recorded.name)
        result = world.mirror(recorded, image_set=str(world.image_set(case(made))))
        assert (result.failures, result.count("copied") > 0) == ((), True)
    assert {repository: list(world.target.tags(repository)) for repository in world.target.repositories} == {
        f"d2mi/lab/{name}": ["v1"] for name in ("app-a", "multi-oci", "app-b")
    }


def test_an_archive_since_a_day_before_all_others_is_enough(world):
    for made in (*RUNS["m2d-incr-4-since"], "m2d-incr-4-since"):
        world.mirror(case(made))
    recorded = case("d2m-incremental-only-missing-base")
    world.carry("m2d-incr-4-since", recorded.name)
    result = world.mirror(recorded)
    assert (result.failures, result.count("copied")) == ((), 3)


def test_the_rebuilt_catalog_of_the_tool_is_taken_as_it_is(world):
    write_archive(world, world.data / "air")
    world.mirror(case("d2m-1"))
    assert world.target.tags("d2m/lab/catalog") == {"v4.99": rebuilt(world.lab).digest}


_ALONE = "sha256:8cfa63072ecbcd5a9f7327154da1988642819c77c50f4d9e78cf90d1f5280549"
_PLACE = f"broken-operator/lab/ops/beta-operator:{_ALONE.replace(':', '-')}"
# What only a bundle needs that the catalog of the archive does not offer any more is not loaded
BY_DISK = {"err-broken-operator": {f"- image: {_PLACE} {_ALONE} {OCI}"}}
THERE_AND_BACK = [name for name in RUNS if not RUNS[name] and name.startswith(("m2m", "v-", "err-broken")) and name != "m2m-dryrun"]


@pytest.mark.parametrize("name", THERE_AND_BACK)
def test_by_disk_the_same_arrives(world, start, name):
    recorded = case(name)
    straight = world.mirror(recorded)
    expected = seen(world, namespace(recorded), straight)
    made, loaded = by_disk(world, str(world.image_set(recorded)), namespace(recorded))
    assert verdict_of(made) == verdict_of(straight)
    assert differing(expected, seen(world, namespace(recorded), loaded)) == BY_DISK.get(name, set())


def by_disk(world, image_set, prefix):
    """To disk and from disk, with nothing there but the archive."""
    world.target.wipe()
    made = world.run(f"file://{world.data}/made", image_set=image_set)
    world.source.stop()
    carried = world.data / "carried"
    carried.mkdir()
    for path in (world.data / "made").glob("mirror_*.tar"):
        path.rename(carried / path.name)
    loaded = world.run(f"docker://{world.target.host}/{prefix}", image_set=image_set, origin=f"file://{carried}")
    assert world.target.verify() == []
    return made, loaded


def seen(world, prefix, result):
    """What there is at the destination, with digests of catalogs, and what a cluster is told."""
    digests = {
        f"{name}:{tag}@{digest}"
        for name in world.target.repositories
        for tag, digest in world.target.tags(name).items()
        if is_catalog(name)
    }
    resources = {f"{path.name}: {path.read_text(encoding='utf-8')}" for path in result.resources.files}
    return {*images_at(world), *offered_at(world, prefix), *digests, *resources}


def test_large_sets_are_split_at_the_same_places(start, tmp_path):
    """A thousandth of the recorded sizes: three images of three layers with 200 kB each, and files of one MiB."""
    source = start()
    for name in ("img0000", "img0001", "img0002"):
        source.load(f"big/{name}", "v1", image([Blob(blob(f"{name} {number}", 209_741_463 >> 10), OCI_LAYER) for number in range(3)]))
    result, _report = Disk(tmp_path, limit=1 << 20).fill(source, *(f"big/img000{number}:v1" for number in range(3)))
    there = case("m2d-archivesize").archive
    assert [path.name for path in result.paths] == sorted(there)
    large = {name: sum(int(entry.split()[1]) > 1_000_000 for entry in entries) for name, entries in there.items()}
    assert {path.name: _large_members(path) for path in result.paths} == large


def _large_members(path):
    with tarfile.open(path) as members:
        return sum(member.size > 100_000 for member in members)


def test_a_blob_that_is_larger_than_a_file_may_be_is_refused_where_that_is_asked_for(start, tmp_path):
    assert case("m2d-archivesize-strict").exit == 1
    source = start()
    source.load("big/over0000", "v1", image([layer("over", 1_100_000)]))
    strict = Disk(tmp_path / "strict", limit=1 << 20, strict=True)
    try:
        _result, report = strict.fill(source, "big/over0000:v1")
        reasons = [outcome.reason for outcome in report.outcomes]
    except AirgapError as error:
        reasons = [str(error)]
    assert "archiveSize" in " ".join(reasons)
    assert strict.chunks == []


# --- deletion


def test_the_same_is_deleted(world):
    world.mirror(case("m2m-full"))
    recorded = case("delete-gen")
    plan = world.folder / "plan.yaml"
    configuration = str(world.image_set(recorded, "delete-imageset-config-lab1.yaml"))
    result = world.delete(recorded, image_set=configuration, plan_file=str(plan), dry_run=True)
    there = {_item(item) for item in recorded.document("delete-images-lab1.yaml")["items"]}
    here = {_item(item) for item in yaml.safe_load(world.recorded(plan.read_text(encoding="utf-8")))["items"]}
    signature = f"{TARGET}/mirror/lab/signed:sha256-{SIGNED}.sig"
    # oc-mirror v2 defect: the signature of an image that was mirrored by tag is not deleted
    assert differing(there, here) == {f"+ generic {signature} docker://{signature}"}
    assert not result.failures
    assert world.target.select(method="DELETE") == []


def test_what_was_listed_by_the_tool_is_deleted_and_the_catalog_stays(world):
    world.mirror(case("m2m-full"))
    recorded = case("delete-gen")
    catalog = world.target.tags("mirror/lab/catalog")
    items = yaml.safe_load(world.here(recorded.text("delete-images-lab1.yaml")))
    result = world.delete(recorded, delete_list=items)
    assert not result.failures
    assert {name: tags for name in world.target.repositories if (tags := world.target.tags(name))} == {"mirror/lab/catalog": catalog}


def test_a_list_of_releases_is_taken_even_where_there_is_none(world):
    recorded = case("delete-rel-exec")
    items = yaml.safe_load(world.here(case("delete-rel-gen").text("delete/delete-images.yaml")))
    result = world.delete(recorded, delete_list=items)
    assert (recorded.exit, list(result.failures), result.count("absent")) == (0, [], len(items["items"]))


def test_the_deletion_of_releases_is_said_to_be_missing(world):
    recorded = case("delete-rel-gen")
    with pytest.raises(InputError, match=r"delete\.platform\.channels: releases are not mirrored yet"):
        world.delete(recorded, image_set=str(world.image_set(recorded)))
    assert world.target.requests == []


def _item(item):
    return f"{item['type']} {item['imageName']} {item['imageReference']}"


# --- configurations that were given to the tool without a recording, or with the verdict alone


def given(world, mirror):
    """A run over a configuration."""
    document = json.loads(world.here(json.dumps(image_set(mirror))))
    return world.run(f"docker://{world.target.host}/v", image_set=document, workspace=str(world.data / "w"))


@pytest.mark.parametrize("name", sorted(MIRRORED))
def test_configurations_that_the_tool_carried_out(world, name):
    mirror, offered = MIRRORED[name]
    result = given(world, mirror)
    assert (result.failures, result.count("failed")) == ((), 0)
    channels = {}
    for fact in offered_at(world, "v"):
        _catalog, operator, *rest = fact.split()
        if rest[0] == "channel":
            prefix = f"{operator}.v"
            channels.setdefault(operator, {})[rest[1].rstrip(":")] = [entry.rstrip(",")[len(prefix) :] for entry in rest[2:]]
    assert {name: {channel: sorted(entries) for channel, entries in found.items()} for name, found in channels.items()} == {
        name: {channel: sorted(entries) for channel, entries in found.items()} for name, found in offered.items()
    }


@pytest.mark.parametrize("name", sorted(MIRRORED))
def test_they_are_carried_out_by_disk_as_well(world, name):
    mirror, _offered = MIRRORED[name]
    expected = seen(world, "v", given(world, mirror))
    made, loaded = by_disk(world, json.loads(world.here(json.dumps(image_set(mirror)))), "v")
    assert (made.failures, loaded.failures) == ((), ())
    assert differing(expected, seen(world, "v", loaded)) == set()


@pytest.mark.parametrize("name", sorted(FAILED))
def test_configurations_that_the_tool_or_this_one_cannot_carry_out(world, name):
    mirror, reason = FAILED[name]
    try:
        told = " ".join(given(world, mirror).failures)
    except AirgapError as error:
        told = str(error)
    assert re.search(reason, told)


# --- whether everything is here


def test_every_recorded_case_is_held_to_something():
    held = [*RUNS, *REFUSED, *SCALED, *DELETED, *RELEASES]
    assert sorted(held) == case_names()
    assert set(DIFFERENCES) < set(RUNS)


def test_what_follows_from_a_configuration_is_what_was_seen(lab):
    for name in ("m2m-full", "d2m-1"):
        assert images_expected(case(name), lab) == images_recorded(case(name))


def test_the_images_are_those_of_the_recordings(lab):
    if "ng" in zlib.ZLIB_RUNTIME_VERSION:
        pytest.skip("this zlib compresses otherwise, so that digests are translated")
    assert {key: digest for key, digest in lab.digests.items() if key in lab.recorded_digests} == lab.recorded_digests
    assert [lab.filter_id] == list(case("m2m-full").filters)


def test_the_fixtures_are_the_recordings():
    folder = whole_recording()
    if folder is None:
        pytest.skip("the recordings of oc-mirror are not beside this checkout")
    assert sorted(path.name for path in (folder / "cases").iterdir()) == case_names()
    for name in case_names():
        place, recorded = folder / "cases" / name, case(name)
        assert (place / "rc.txt").read_text().startswith(f"rc={recorded.exit} ")
        # what an earlier run left in the folder is no part of this one
        kinds = ["isc.yaml", "working-dir/cluster-resources/*", *(["working-dir/dry-run/*"] if is_dry(recorded) else [])]
        for written in (path for kind in kinds for path in place.glob(kind)):
            told = written.relative_to(place / "working-dir") if "working-dir" in written.parts else written.relative_to(place)
            if name in RUNS or str(told) in recorded.files:
                assert recorded.files[str(told)] == written.read_text().splitlines(), f"{name}: {told}"
    run = {word for name in case_names() for word in case(name).arguments.split() if word.startswith("isc/")}
    # one of a deletion was never carried out
    given_to_it = {f"isc/{path.name}" for path in (folder / "isc").iterdir()} - {"isc/delete-step2.yaml"}
    assert {*run, *(f"isc/{name}.yaml" for name in (*MIRRORED, *FAILED))} == given_to_it
    for name, (mirror, _told) in {**MIRRORED, **FAILED}.items():
        assert yaml.safe_load((folder / "isc" / f"{name}.yaml").read_text()) == image_set(mirror), name
