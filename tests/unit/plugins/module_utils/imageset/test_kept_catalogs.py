# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run keeps of catalogs, so that the next one need not fetch them again: when it is used, when it is not, when it goes."""

from __future__ import annotations

import fcntl
import json
import os
import shutil

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.archive_reader import ArchiveReader
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.catalog_source import open_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.kept_catalogs import LIST, KeptCatalogs
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_filter import CatalogChoice, filter_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_writing import write_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_reference
from ansible_collections.quayside.airgap.tests.support.images import image
from ansible_collections.quayside.airgap.tests.support.layer_builders import file, folder, layer_of, symlink, write_layout
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.image_sets import (
    CATALOG,
    EVERYTHING,
    HOST,
    catalog_files,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.published import CONFIG, LABEL, published
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import make_side

OPERATORS = {"operators": [{"catalog": CATALOG}]}
# The catalog as it comes, and of all of it its own layer alone
WHOLE = {"operators": [{"catalog": CATALOG, "full": True}]}
LINKS = (
    folder("configs/beta"),
    symlink("configs/beta/more.json", "../shared/more.json"),
    file("configs/shared/more.json", b'{"schema": "lab.other"}'),
    symlink("configs/lost.json", "/etc/passwd"),
)


def fetched(lab, content):
    """How many layers of a catalog were read, or asked for, since the log was reset."""
    layers = {layer.digest for member in content.children or [content] for layer in member.blobs[:-1]}
    return sum(asked.path.rpartition("/")[2] in layers for asked in lab.source.select(path="/blobs/"))


def again(lab, run):
    """Run once more, with an empty log."""
    lab.source.reset_log()
    return run()


def copies(place):
    """Digests of the catalogs that are kept in a working-dir, and whatever else lies there on its way."""
    root = place / "working-dir" / "operator-catalogs" / "catalog"
    found = [entry.name for entry in root.iterdir() if (entry / "catalog-config").exists() or entry.name.startswith(".")]
    return sorted(found)


def hexadecimal(content):
    return content.digest.partition(":")[2]


def config_of(place, content):
    return place / "working-dir" / "operator-catalogs" / "catalog" / hexadecimal(content) / "catalog-config"


def kept_files(place, content):
    root = config_of(place, content)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


class Straight:
    """Runs from registry to registry."""

    def __init__(self, lab, start):
        self.lab = lab
        self.place = lab.folder / "workspace"
        self._destination = start()

    def __call__(self, image_set=None, **options):
        return self.lab.straight(self._destination, image_set or EVERYTHING, **options)


class ToDisk:
    """Runs to disk."""

    def __init__(self, lab, start):
        self.lab = lab
        self.place = lab.folder / "disk"

    def __call__(self, image_set=None, **options):
        return self.lab.to_disk(image_set or EVERYTHING, **options)


@pytest.fixture(params=[Straight, ToDisk], ids=["straight", "to disk"])
def run(request, lab, start):
    return request.param(lab, start)


@pytest.fixture
def read(lab):
    """Reads the catalog alone, with an empty log; gives the files that would be written of all of it."""
    kept = KeptCatalogs(lab.folder / "working-dir").named("catalog")
    side = make_side()

    def read_it(**options):
        lab.source.reset_log()
        reference = parse_reference(f"{lab.source.host}/lab/catalog:v1")
        with open_catalog(side, reference, lab.folder, kept=kept, **options) as source:
            target = lab.folder / "read"
            write_catalog(source.catalog, filter_catalog(source.catalog, CatalogChoice(full=True)), target)
            return {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}

    yield read_it
    side.close()


# --- when a copy is used


def test_the_second_run_does_not_fetch_the_catalog_again(lab, run):
    content = lab.publish(catalog_files())
    first = again(lab, run)
    assert fetched(lab, content) > 0
    second = again(lab, run)
    assert not second.changed, second.as_results()
    assert second.failures == first.failures == ()
    assert [found.outcome.digest for found in second.images] == [found.outcome.digest for found in first.images]
    assert fetched(lab, content) == 0


def test_a_catalog_by_digest_is_not_fetched_again_either(lab, run):
    content = lab.publish(catalog_files())
    pinned = {"operators": [{"catalog": f"{HOST}/lab/catalog@{content.digest}"}]}
    run(pinned)
    assert not again(lab, lambda: run(pinned)).changed
    assert fetched(lab, content) == 0


def test_the_files_lie_where_the_label_says_and_can_be_looked_at(lab, run):
    files = catalog_files()
    content = lab.publish(files)
    run()
    found = kept_files(run.place, content)
    document = json.loads(found.pop(LIST))
    assert found == {f"configs/{name}": data for name, data in files.items()}
    assert sorted(document["files"]) == sorted(files)
    assert {path.stat().st_mode & 0o777 for path in config_of(run.place, content).rglob("*.json")} == {0o644}
    assert copies(run.place) == [hexadecimal(content)]


def test_another_choice_of_the_same_catalog_is_made_from_the_copy(lab, start):
    content = lab.publish(catalog_files())
    run = Straight(lab, start)
    run()
    beta = {"operators": [{"catalog": CATALOG, "packages": [{"name": "beta"}]}]}
    from_copy = again(lab, lambda: run(beta))
    asked = [request.path for request in lab.source.select(method="GET", path="/blobs/")]
    assert fetched(lab, content) == 0, asked
    from_registry = lab.straight(start(), beta, workspace=f"file://{lab.folder / 'other'}")
    assert [found.outcome.digest for found in from_copy.images] == [found.outcome.digest for found in from_registry.images]


def test_links_and_what_is_no_file_are_the_same_from_the_copy(lab, run):
    content = published(files=catalog_files(), extra=LINKS)
    lab.source.load("lab/catalog", "v1", content)
    first = again(lab, lambda: run(OPERATORS))
    second = again(lab, lambda: run(OPERATORS))
    assert fetched(lab, content) == 0
    assert not second.changed
    assert second.warnings == first.warnings
    assert any("lost.json: it is a link to '/etc/passwd'" in warning for warning in second.warnings)
    assert kept_files(run.place, content)["configs/beta/more.json"] == b'{"schema": "lab.other"}'


def test_the_catalog_that_is_read_is_the_same_to_the_byte(lab, read):
    content = published(files=catalog_files(), extra=LINKS)
    lab.source.load("lab/catalog", "v1", content)
    written = read()
    assert read() == written
    assert fetched(lab, content) == 0
    assert sorted(written) == ["alpha/catalog.json", "beta/catalog.json", "catalog.json"]


def test_a_run_that_was_broken_off_leaves_the_catalog_for_the_next_one(lab, run):
    content = lab.publish(catalog_files())
    wrong = {"operators": [{"catalog": CATALOG, "packages": [{"name": "gamma"}]}]}
    with pytest.raises(Exception, match="gamma"):
        run(wrong)
    with pytest.raises(Exception, match="gamma"):
        again(lab, lambda: run(wrong))
    assert fetched(lab, content) == 0


def test_what_is_on_disk_is_not_kept(lab, start):
    layout = write_layout(lab.folder / "layouts" / "catalog", {"": published(files=catalog_files(), fmt="oci")})
    run = Straight(lab, start)
    assert run({"operators": [{"catalog": f"oci://{layout}", "targetTag": "v1"}]}).failures == ()
    assert copies(run.place) == []


# --- archives


@pytest.mark.parametrize("image_set", [OPERATORS, WHOLE], ids=["chosen", "whole"])
def test_an_archive_has_the_same_files_with_and_without_a_copy(lab, image_set):
    content = lab.publish(catalog_files())
    lab.to_disk(image_set)
    shutil.copytree(lab.folder / "disk" / "working-dir" / "operator-catalogs", lab.folder / "other" / "working-dir" / "operator-catalogs")
    lab.to_disk(image_set, folder="other")
    first, second = (ArchiveReader(lab.folder / name) for name in ("disk", "other"))
    names = [name for name in first.files() if "/operator-catalogs/" in name]
    assert names == [name for name in second.files() if "/operator-catalogs/" in name] != []
    assert [first.read_file(name) for name in names] == [second.read_file(name) for name in names]
    assert not any(LIST in name for name in names)
    assert copies(lab.folder / "other") == [hexadecimal(content)]


# --- when it is not used


def change(root):
    path = root / "configs" / "beta" / "catalog.json"
    path.write_bytes(path.read_bytes().replace(b"0.1.0", b"0.2.0"))


def lose(root):
    (root / "configs" / "alpha" / "catalog.json").unlink()


def link(root):
    path = root / "configs" / "beta" / "catalog.json"
    path.rename(root / "elsewhere")
    path.symlink_to(root / "elsewhere")


def wait(root):
    """Nobody will ever write into it."""
    path = root / "configs" / "beta" / "catalog.json"
    path.unlink()
    os.mkfifo(path)


def cut(root):
    content = (root / LIST).read_bytes()
    (root / LIST).write_bytes(content[: len(content) // 2])


def edited(**more):
    def edit(root):
        document = json.loads((root / LIST).read_bytes())
        (root / LIST).write_text(json.dumps({**document, **more}))

    return edit


TAMPERED = {
    "a file was changed": change,
    "a file is missing": lose,
    "a file is a link": link,
    "a file is none": wait,
    "the list is cut off": cut,
    "of another image": edited(member="sha256:" + 64 * "0"),
    "of another folder": edited(folder="/catalog"),
    "by another version": edited(version=0),
    "the list has no files": edited(files=[]),
    "the list has files of others": edited(files={"../../../up": {"size": 0, "sha256": ""}}),
    "the list has no reasons": edited(unusable={"x": 1}),
    "the list is none": lambda root: (root / LIST).write_text("[]"),
}


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED)
def test_a_copy_that_is_not_what_it_was_is_made_anew(lab, read, tamper):
    content = lab.publish(catalog_files())
    read()
    before = kept_files(lab.folder, content)
    tamper(config_of(lab.folder, content))
    read()
    assert fetched(lab, content) > 0
    assert kept_files(lab.folder, content) == before
    read()
    assert fetched(lab, content) == 0


def test_what_is_beside_the_files_of_a_copy_is_not_read(lab, start):
    content = lab.publish(catalog_files())
    run = Straight(lab, start)
    run(OPERATORS)
    (config_of(run.place, content) / "configs" / "more.json").write_text('{"schema": "olm.package", "name": "gamma"}')
    second = again(lab, lambda: run(OPERATORS))
    assert (second.changed, second.warnings, second.failures) == (False, (), ())
    assert fetched(lab, content) == 0


def test_a_folder_of_oc_mirror_is_not_read_and_not_touched(lab, start):
    content = lab.publish(catalog_files())
    run = Straight(lab, start)
    theirs = config_of(run.place, content) / "configs" / "alpha" / "catalog.json"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    for _number in range(2):
        assert again(lab, lambda: run(OPERATORS)).failures == ()
        assert fetched(lab, content) > 0
    assert kept_files(run.place, content) == {"configs/alpha/catalog.json": b"theirs"}
    lab.publish(catalog_files({"beta": []}))
    run({"operators": [{"catalog": CATALOG, "packages": [{"name": "alpha"}]}]})
    assert kept_files(run.place, content) == {"configs/alpha/catalog.json": b"theirs"}


def test_of_another_platform_the_layers_are_read(lab, read):
    """The images of an index are the same catalog, but for that nobody vouches."""
    content = lab.publish(catalog_files())
    for name, new in (("linux/amd64", True), ("linux/amd64", False), ("linux/arm64", True), ("linux/arm64", False)):
        assert sorted(read(platforms=[Platform.parse(name)])) == ["alpha/catalog.json", "beta/catalog.json"]
        assert (fetched(lab, content) > 0) is new, name


def test_check_mode_reads_copies_and_makes_none(lab, run):
    content = lab.publish(catalog_files())
    again(lab, lambda: run(dry_run=True))
    assert not (run.place / "working-dir" / "operator-catalogs").exists()
    run()
    lab.publish(catalog_files({"beta": []}))
    newer = {"operators": [{"catalog": CATALOG, "packages": [{"name": "alpha"}]}]}
    before = lab.working_dir(run.place.name)
    run(newer, dry_run=True)
    lab.publish(catalog_files())
    again(lab, lambda: run(dry_run=True))
    assert fetched(lab, content) == 0
    after = lab.working_dir(run.place.name)
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} <= {
        "dry-run/mapping.txt",
        "dry-run/missing.txt",
    }


def test_where_nothing_can_be_kept_the_run_goes_on(lab, start):
    """A file lies where the folder would."""
    content = lab.publish(catalog_files())
    place = lab.folder / "disk" / "working-dir" / "operator-catalogs"
    place.parent.mkdir(parents=True)
    place.write_text("in the way")
    for _number in range(2):
        result = again(lab, lambda: lab.to_disk(EVERYTHING))
        assert (result.failures, result.warnings) == ((), ())
        assert fetched(lab, content) > 0
    assert place.read_text() == "in the way"


def test_a_catalog_in_the_place_of_the_list_is_not_kept(lab, read):
    layers = [layer_of(file(f"{LIST}/p/catalog.json", b'{"schema": "olm.package", "name": "p", "defaultChannel": "c"}'))]
    lab.source.load("lab/catalog", "v1", image(layers, config={**CONFIG, "Labels": {LABEL: f"/{LIST}"}}))
    assert list(read()) == []
    assert [path for path in (lab.folder / "working-dir").rglob("*") if path.is_file()] == []


# --- when it goes


def older(lab, run):
    """A run over a catalog that is replaced by another one then; gives both."""
    old = lab.publish(catalog_files())
    assert run(OPERATORS).failures == ()
    new = lab.publish({**catalog_files(), "gamma/catalog.json": b'{"schema": "lab.other"}'})
    return old, new


def test_a_new_catalog_takes_the_place_of_the_old_one(lab, run):
    old, new = older(lab, run)
    assert copies(run.place) == [hexadecimal(old)]
    assert run(OPERATORS).failures == ()
    assert copies(run.place) == [hexadecimal(new)]


def test_what_was_made_of_an_old_catalog_stays(lab, start):
    run = Straight(lab, start)
    old, new = older(lab, run)
    run(OPERATORS)
    kept = sorted(entry.name for entry in config_of(run.place, old).parent.iterdir())
    assert kept == ["filtered-catalogs"]
    assert sorted(entry.name for entry in config_of(run.place, new).parent.iterdir()) == ["catalog-config", "filtered-catalogs"]


def test_an_old_catalog_of_which_nothing_else_is_left_goes_without_a_trace(lab):
    run = ToDisk(lab, None)
    old, new = older(lab, run)
    run(OPERATORS)
    assert not config_of(run.place, old).parent.exists()
    assert config_of(run.place, new).is_dir()


def test_a_run_that_failed_removes_nothing(lab, run):
    old, new = older(lab, run)
    assert run({**OPERATORS, "additionalImages": [{"name": f"{HOST}/lab/none:v1"}]}).failures
    assert copies(run.place) == sorted(map(hexadecimal, (old, new)))


def test_two_versions_of_one_catalog_stay_together(lab, run):
    old = lab.publish(catalog_files())
    new = lab.publish({**catalog_files(), "gamma/catalog.json": b'{"schema": "lab.other"}'}, tag="v2")
    both = {"operators": [{"catalog": CATALOG}, {"catalog": f"{HOST}/lab/catalog:v2"}]}
    for _number in range(2):
        assert again(lab, lambda: run(both)).failures == ()
    assert fetched(lab, old) == fetched(lab, new) == 0
    assert copies(run.place) == sorted(map(hexadecimal, (old, new)))


def test_what_somebody_else_left_beside_stays(lab, run):
    root = run.place / "working-dir" / "operator-catalogs" / "catalog"
    theirs = [root / "0123" / "catalog-config" / "configs" / "x.json", root / "4567" / "catalog-image" / "index.json", root / "note.txt"]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("theirs")
    (root / "89ab").symlink_to(root / "0123")
    assert run(OPERATORS).failures == ()
    assert {path.read_text() for path in theirs} == {"theirs"}
    assert (root / "89ab").is_symlink()


# --- two runs in one working-dir


def test_a_copy_that_another_run_reads_is_neither_removed_nor_replaced(lab, run):
    old, new = older(lab, run)
    with (config_of(run.place, old) / LIST).open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_SH)
        assert run(OPERATORS).failures == ()
        assert copies(run.place) == sorted(map(hexadecimal, (old, new)))
        change(config_of(run.place, old))
        lab.publish(catalog_files())
        assert again(lab, lambda: run(OPERATORS)).failures == ()
        assert fetched(lab, old) > 0
        assert b"0.2.0" in kept_files(run.place, old)["configs/beta/catalog.json"]
    assert run(OPERATORS).failures == ()
    assert b"0.2.0" not in kept_files(run.place, old)["configs/beta/catalog.json"]


def test_a_copy_that_another_run_replaces_is_not_waited_for(lab, run):
    content = lab.publish(catalog_files())
    run(OPERATORS)
    with (config_of(run.place, content) / LIST).open("r+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert again(lab, lambda: run(OPERATORS)).failures == ()
        assert fetched(lab, content) > 0
    assert not again(lab, lambda: run(OPERATORS)).changed
    assert fetched(lab, content) == 0


def test_what_another_run_is_at_stays_and_what_a_killed_one_left_goes(lab, run):
    root = run.place / "working-dir" / "operator-catalogs" / "catalog"
    for name in (".quayside-busy", ".quayside-killed", ".quayside-just-made"):
        (root / name / "catalog-config").mkdir(parents=True)
    (root / ".quayside-killed" / "lock").touch()
    with (root / ".quayside-busy" / "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert run(OPERATORS).failures == ()
        assert [name for name in copies(run.place) if name.startswith(".")] == [".quayside-busy"]
    assert run(OPERATORS).failures == ()
    assert [name for name in copies(run.place) if name.startswith(".")] == []
