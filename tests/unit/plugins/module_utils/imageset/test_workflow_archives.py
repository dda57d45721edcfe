# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Over a disk: increments, runs that are killed, archives that are missing, and image sets that name less than an archive has."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_layout import parse_blob
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_reader import ArchiveReader
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_writer import ArchiveWriter
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.history import History
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.images import image, layer, sha256
from ansible_collections.quayside.airgap.tests.unit.plugins.archives import tar_of
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import blob_reads
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.image_sets import (
    CATALOG,
    EVERYTHING,
    HOST,
    all_there,
    bundle_blob,
    catalog_files,
    image_set_of,
    states,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.operators.builders import chain, package_blobs

BIG = image([layer(f"big/{number}", 200_000) for number in range(5)])
CHILD = """
import sys, json
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import ImageSetTask
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.workflow import mirror_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions
destination, conf, document = sys.argv[1:]
side = SideOptions(TlsSettings(verify=False))
mirror_image_set(ImageSetTask(destination, json.loads(document), source_side=side, wire=WireOptions(parallel=4), registries_conf=conf))
"""


def tars(lab, folder="disk"):
    return sorted(path.name for path in (lab.folder / folder).iterdir() if path.suffix in (".tar", ".part"))


def carry(lab, to, folder="disk"):
    """The files of the archive, and nothing else, on a medium."""
    target = lab.folder / to
    target.mkdir(exist_ok=True)
    for path in (lab.folder / folder).glob("mirror_*.tar"):
        shutil.copy(path, target / path.name)


def with_more(*names):
    return {**EVERYTHING, "additionalImages": [*EVERYTHING["additionalImages"], *({"name": f"{HOST}/{name}"} for name in names)]}


def test_an_increment_has_what_is_new_and_is_loaded_after_the_first_one(lab, start):
    behind = start()
    first = lab.to_disk(EVERYTHING)
    carry(lab, "first")
    lab.source.load("lab/big", "v1", BIG)
    lab.source.reset_log()
    second = lab.to_disk(with_more("lab/big:v1"))
    assert second.failures == ()
    assert (first.archive.sequence, second.archive.sequence) == (1, 2)
    assert blob_reads(lab.source) >= len(BIG.all_blobs())
    assert [str(found.outcome.destination).rpartition("/")[2] for found in second.images if found.outcome.state == COPIED] == ["big:v1"]
    carry(lab, "second")
    lab.source.stop()
    assert lab.from_disk(behind, folder="first").failures == ()
    assert lab.from_disk(behind, folder="second").failures == ()
    assert behind.tags("mirror/lab/big") == {"v1": BIG.digest}
    assert behind.verify() == []
    again = lab.from_disk(behind, folder="second")
    assert again.failures == ()
    assert not again.changed


def test_a_new_version_of_an_operator_comes_with_an_increment(lab, start):
    behind, straight = start(), start()
    lab.to_disk(EVERYTHING)
    carry(lab, "first")
    newer = [*chain("1.0.0", "1.1.0", "1.2.0", package="alpha")]
    blob = {**bundle_blob("alpha.v1.1.0"), "name": "alpha.v1.2.0"}
    blob["properties"][0]["value"]["version"] = "1.2.0"
    bundles = [bundle_blob("alpha.v1.0.0"), bundle_blob("alpha.v1.1.0"), blob]
    lab.publish(catalog_files({"alpha": package_blobs({"stable": newer}, "alpha", bundles=bundles)}))
    assert lab.to_disk(EVERYTHING).changed
    carry(lab, "second")
    lab.straight(straight, EVERYTHING)
    lab.source.stop()
    lab.from_disk(behind, folder="first")
    assert lab.from_disk(behind, folder="second").failures == ()
    assert behind.tags("mirror/lab/catalog") == straight.tags("mirror/lab/catalog")


def test_the_archive_that_is_missing_is_named(lab, start):
    behind = start()
    lab.to_disk(EVERYTHING)
    lab.source.load("lab/big", "v1", BIG)
    lab.to_disk(with_more("lab/big:v1"))
    result = lab.from_disk(behind)
    assert any("in archive 1 of the sequence" in failure and "Load archive 1" in failure for failure in result.failures)
    assert behind.tags("mirror/lab/big") == {"v1": BIG.digest}
    assert behind.verify() == []


def test_since_makes_an_archive_that_needs_no_other(lab, start):
    behind = start()
    lab.to_disk(EVERYTHING)
    assert not lab.to_disk(EVERYTHING).changed
    whole = lab.to_disk(EVERYTHING, since="2020-01-01")
    assert whole.changed
    assert whole.count("unchanged") == 0
    assert lab.from_disk(behind).failures == ()


def test_a_killed_run_to_disk_is_gone_on_with(lab, start):
    destination = start()
    lab.source.load("lab/big", "v1", BIG)
    lab.to_disk(EVERYTHING)
    before = (lab.folder / "disk" / "mirror_000001.tar").read_bytes()
    lost, late = [digest for digest, blob in BIG.all_blobs().items() if blob.size >= 200_000][:2]
    lab.source.faults.append(Fault("GET", f"/blobs/{lost}", "stall", after_bytes=1000, times=None))
    # what came in is noted every two seconds, as something comes in
    lab.source.faults.append(Fault("GET", f"/blobs/{late}", "slow", delay=0.7, times=None))
    wanted = with_more("lab/big:v1")
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, f"file://{lab.folder}/disk", str(lab.conf), json.dumps(image_set_of(wanted))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    journal = lab.folder / "disk" / ".mirror-journal"
    try:
        end = time.monotonic() + 30
        others = [digest for digest in BIG.all_blobs() if digest != lost]
        while time.monotonic() < end and child.poll() is None:
            text = journal.read_text() if journal.exists() else ""
            if all(digest in text for digest in others):
                break
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        lab.source.faults.clear()
    assert (lab.folder / "disk" / "mirror_000001.tar").read_bytes() == before
    lab.source.reset_log()
    result = lab.to_disk(wanted)
    assert result.failures == ()
    assert result.changed
    read = {request.path.rpartition("/")[2] for request in lab.source.select(method="GET", path="/v2/lab/big/blobs/")}
    assert read == {lost}
    assert result.archive.sequence == 2
    assert lab.from_disk(destination, folder="disk").count("copied") == 1
    assert destination.tags("mirror/lab/big") == {"v1": BIG.digest}


def test_an_archive_that_would_not_fit_is_not_begun(lab):
    config = lab.source.put_blob("lab/huge", b"{}")
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": sha256(b"huge"), "size": 1 << 60}],
    }
    body = json.dumps(manifest).encode()
    lab.source.storage.put_manifest("lab/huge", body, manifest["mediaType"], "v1", sha256(body))
    lab.source.reset_log()
    with pytest.raises(FileError, match=r"it will have about 1073741824\.\d+ GiB, and .* GiB are free"):
        lab.to_disk({"additionalImages": [{"name": f"{HOST}/lab/huge:v1"}, {"name": f"{HOST}/lab/app:v1"}]})
    assert blob_reads(lab.source) == 0
    assert "mirror_000001.tar" not in tars(lab)
    with pytest.raises(FileError, match="GiB are free"):
        lab.to_disk({"additionalImages": [{"name": f"{HOST}/lab/huge:v1"}]}, dry_run=True)


def test_a_run_that_failed_in_part_keeps_what_it_has_and_the_next_one_adds_the_rest(lab, start):
    behind = start()
    lab.lose("many")
    first = lab.to_disk(EVERYTHING)
    assert first.failures
    assert first.changed
    carry(lab, "first")
    lab.source.load("lab/ops/many", "seed", lab.images["many"])
    second = lab.to_disk(EVERYTHING)
    assert second.failures == ()
    carry(lab, "second")
    for folder in ("first", "second"):
        assert lab.from_disk(behind, folder=folder).failures == ()
    straight = start()
    lab.straight(straight, EVERYTHING)
    assert all_there(behind) == all_there(straight)


def test_an_image_set_may_name_less_than_the_archive_has(lab, start):
    behind = start()
    lab.to_disk(EVERYTHING)
    less = {"additionalImages": [{"name": f"{HOST}/lab/app:v1"}]}
    result = lab.from_disk(behind, less)
    assert result.failures == ()
    assert set(all_there(behind)) == {"mirror/lab/app:v1"}


def test_an_image_set_may_choose_less_of_a_catalog_than_the_archive_has(lab, start):
    behind, straight = start(), start()
    lab.to_disk(EVERYTHING)
    less = {"operators": [{"catalog": CATALOG, "packages": [{"name": "beta"}]}]}
    lab.straight(straight, less)
    lab.source.stop()
    result = lab.from_disk(behind, less)
    assert result.failures == ()
    assert all_there(behind) == all_there(straight)


def test_an_image_set_that_names_more_than_the_archive_has_fails_for_that(lab, start):
    behind = start()
    lab.to_disk({"additionalImages": [{"name": f"{HOST}/lab/app:v1"}]})
    result = lab.from_disk(behind, EVERYTHING)
    assert len(result.failures) == 2
    assert any(CATALOG in failure for failure in result.failures)
    assert any("lab/web" in failure for failure in result.failures)
    assert behind.tags("mirror/lab/app").keys() == {"v1"}


def test_from_a_medium_that_cannot_be_written_the_results_go_elsewhere(lab, start):
    behind = start()
    lab.to_disk(EVERYTHING)
    carry(lab, "medium")
    # a file in its place is as good as a medium that is read-only
    blocker = lab.folder / "medium" / "working-dir"
    blocker.write_text("")
    with pytest.raises(FileError, match="Name another folder with workspace"):
        lab.from_disk(behind, folder="medium")
    assert all_there(behind) == {}
    result = lab.from_disk(behind, folder="medium", workspace=str(lab.folder / "elsewhere"))
    assert result.failures == ()
    assert result.working_dir == lab.folder / "elsewhere" / "working-dir"
    assert all(path.is_relative_to(result.working_dir) and path.is_file() for path in (*result.resources.files, *result.reports))
    assert sorted(path.name for path in (lab.folder / "medium").iterdir()) == ["mirror_000001.tar", "working-dir"]


def test_a_folder_without_an_archive(lab, start):
    (lab.folder / "empty").mkdir()
    with pytest.raises(FileError, match=r"no mirror_000001\.tar"):
        lab.from_disk(start(), folder="empty")
    with pytest.raises(AirgapError):
        lab.from_disk(start(), folder="nowhere")


def test_a_file_of_the_archive_that_is_missing_is_named(lab, start):
    lab.to_disk(EVERYTHING)
    (lab.folder / "disk" / "mirror_000001.tar").rename(lab.folder / "disk" / "mirror_000002.tar")
    with pytest.raises(FileError, match=r"mirror_000001\.tar are missing|was called"):
        lab.from_disk(start())


def test_the_archive_has_what_oc_mirror_reads(lab):
    """Where oc-mirror v2 looks: the original catalog by its tag, the filtered one by its id, and its files with their digest."""
    lab.to_disk(EVERYTHING)
    reader = ArchiveReader(lab.folder / "disk")
    original = lab.source.tags("lab/catalog")["v1"]
    assert reader.head_manifest("lab/catalog", "v1") == original
    (digest_file,) = (name for name in reader.files() if name.endswith("/digest"))
    folder, _slash, _name = digest_file.rpartition("/")
    below, _slash, own = folder.rpartition("/")
    assert below == f"working-dir/operator-catalogs/catalog/{original.partition(':')[2]}/filtered-catalogs"
    assert reader.read_file(digest_file).decode() == reader.head_manifest("lab/catalog", own).partition(":")[2]
    assert [name.rpartition("/catalog-config/")[2] for name in reader.files(f"{folder}/catalog-config/")] == [
        "alpha/catalog.json",
        "beta/catalog.json",
    ]


def test_nothing_of_a_run_stays_but_its_results(lab, start):
    lab.to_disk(EVERYTHING)
    found = sorted(path.relative_to(lab.folder / "disk").as_posix().partition("_pinned")[0] for path in (lab.folder / "disk").rglob("*"))
    assert [name for name in found if name.startswith(".")] == []
    assert "mirror_000001.tar" in found


def as_of_oc_mirror(lab, folder, *, without_delivered_manifests=False):
    """An archive without what only ours have: the list of contents, and manifests that earlier archives brought."""
    reader = ArchiveReader(lab.folder / folder)
    known = set(reader.contents.expected) if without_delivered_manifests else set()
    path = lab.folder / folder / "mirror_000001.tar"
    with tarfile.open(path) as archive:
        members = [(member.name, archive.extractfile(member).read()) for member in archive.getmembers()]
    kept = [(name, content) for name, content in members if not name.startswith("quayside-") and parse_blob(name) not in known]
    path.write_bytes(tar_of(kept))


def test_archives_that_oc_mirror_made_are_loaded_in_their_order(lab, start):
    behind, straight = start(), start()
    lab.to_disk(EVERYTHING)
    carry(lab, "first")
    lab.source.load("lab/big", "v1", BIG)
    lab.to_disk(with_more("lab/big:v1"))
    carry(lab, "second")
    lab.straight(straight, with_more("lab/big:v1"))
    lab.source.stop()
    for folder in ("first", "second"):
        as_of_oc_mirror(lab, folder, without_delivered_manifests=folder == "second")
        assert ArchiveReader(lab.folder / folder).contents is None
    assert any("earlier" in failure for failure in lab.from_disk(start(), folder="second").failures)
    assert lab.from_disk(behind, folder="first").failures == ()
    assert lab.from_disk(behind, folder="second").failures == ()
    assert all_there(behind) == all_there(straight)


def test_an_archive_without_an_image_set_needs_one(lab, start):
    lab.to_disk(EVERYTHING)
    path = lab.folder / "disk" / "mirror_000001.tar"
    with tarfile.open(path) as archive:
        members = [(member.name, archive.extractfile(member).read()) for member in archive.getmembers()]
    path.write_bytes(tar_of((name, content) for name, content in members if not name.startswith(("quayside-", "isc_"))))
    with pytest.raises(InputError, match="the archive has none either"):
        lab.from_disk(start())
    assert lab.from_disk(start(), EVERYTHING).failures == ()


def test_two_runs_into_one_folder_do_not_meet(lab):
    with ArchiveWriter(lab.folder / "disk", History(lab.folder / "disk" / "working-dir")), pytest.raises(FileError, match="another run"):
        lab.to_disk(EVERYTHING)
    assert lab.to_disk(EVERYTHING).failures == ()


def test_a_catalog_that_cannot_be_carried_leaves_its_operators_for_the_next_archive(lab, start):
    """Behind the gap nobody would know of the images, and an increment that came later would not have them."""
    behind, straight = start(), start()
    amd, arm = (image.all_blobs() for image in lab.publish(catalog_files()).children)
    # the catalog can be read, for that is in the first image
    (layer_of_arm,) = (digest for digest, blob in arm.items() if digest not in amd and blob.media_type.endswith("gzip"))
    lab.source.faults.append(Fault("GET", f"/v2/lab/catalog/blobs/{layer_of_arm}", "status", status=403, times=None))
    first = lab.to_disk(EVERYTHING)
    lab.source.faults.clear()
    assert any(CATALOG in failure for failure in first.failures)
    assert {state.partition(":")[0] for name, state in states(first).items() if "/ops/" in name} == {"not_attempted"}
    carry(lab, "first")
    assert lab.to_disk(EVERYTHING).failures == ()
    carry(lab, "second")
    lab.straight(straight, EVERYTHING)
    lab.source.stop()
    (failure,) = lab.from_disk(behind, folder="first").failures
    assert f"Could not find the catalog {CATALOG}" in failure
    assert lab.from_disk(behind, folder="second").failures == ()
    assert all_there(behind) == all_there(straight)


def test_what_an_interrupted_run_got_stays(lab):
    lab.source.load("lab/big", "v1", BIG)
    lost = max(BIG.all_blobs().values(), key=lambda blob: blob.size).digest
    lab.source.faults.append(Fault("GET", f"/blobs/{lost}", "stall", after_bytes=1000, times=None))
    wanted = {"additionalImages": [{"name": f"{HOST}/lab/big:v1"}]}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, f"file://{lab.folder}/disk", str(lab.conf), json.dumps(image_set_of(wanted))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
    )
    try:
        end = time.monotonic() + 30
        while blob_reads(lab.source) < len(BIG.all_blobs()) and time.monotonic() < end and child.poll() is None:
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        _out, told = child.communicate(timeout=30)
    finally:
        child.kill()
        child.wait()
        lab.source.faults.clear()
    assert b"KeyboardInterrupt" in told
    lab.source.reset_log()
    assert lab.to_disk(wanted).failures == ()
    read = {request.path.rpartition("/")[2] for request in lab.source.select(method="GET", path="/v2/lab/big/blobs/")}
    assert lost in read
    assert len(read) < len(BIG.all_blobs())


def test_a_bundle_that_goes_with_a_broken_one_comes_with_the_next_archive(lab, start):
    """Below a gap that no update leads over, the older bundle goes as well; then its images must not count as delivered."""
    behind, straight = start(), start()
    everything = {"operators": [{"catalog": CATALOG, "full": True, "packages": [{"name": "alpha"}]}]}
    lab.publish(catalog_files({"alpha": three_versions()}))
    lab.lose("alpha-operator-1.1.0")
    first = lab.to_disk(everything)
    assert any("with them go" in warning for warning in first.warnings), first.warnings
    carry(lab, "first")
    lab.source.load("lab/ops/alpha-operator-1.1.0", "seed", lab.images["alpha-operator-1.1.0"])
    assert lab.to_disk(everything).failures == ()
    carry(lab, "second")
    lab.straight(straight, everything)
    lab.source.stop()
    for folder in ("first", "second"):
        assert lab.from_disk(behind, folder=folder).failures == ()
    assert all_there(behind) == all_there(straight)


def three_versions():
    """alpha with a third version, which has the images of the second one of beta."""
    newest = {**bundle_blob("beta.v0.1.0"), "name": "alpha.v1.2.0", "package": "alpha"}
    newest["properties"] = [{"type": "olm.package", "value": {"packageName": "alpha", "version": "1.2.0"}}]
    bundles = [bundle_blob("alpha.v1.0.0"), bundle_blob("alpha.v1.1.0"), newest]
    return package_blobs({"stable": chain("1.0.0", "1.1.0", "1.2.0", package="alpha")}, "alpha", bundles=bundles)
