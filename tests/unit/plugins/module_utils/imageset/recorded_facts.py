# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded runs of oc-mirror v2 and runs of ours, told as facts that can be compared.

A fact is a line of text in the words of the recording: its hosts, folders and digests. What is there under other names is called so
again before it is compared.
"""

from __future__ import annotations

import json
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import ImageSetResult
from ansible_collections.quayside.airgap.tests.support.oc_mirror_lab import Lab
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded import Case
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded_runs import (
    CACHE,
    DATA,
    TARGET,
    Arguments,
    World,
)

# The manifest of the signature, which oc-mirror writes anew with other bytes
REWRITTEN = "sha256:971d4f96ce736efa9ee81de6476c0b730eb69395924c3c35ae6f2f3756cd21b1"
_BLOB = re.compile(r"docker/registry/v2/blobs/sha256/../([0-9a-f]{64})/data")
_LINK = re.compile(
    r"docker/registry/v2/repositories/(?P<repository>.+)/_(?P<kind>layers|manifests/revisions)/sha256/(?P<digest>[0-9a-f]{64})/link"
)
_TAG = re.compile(
    r"docker/registry/v2/repositories/(?P<repository>.+)/_manifests/tags/(?P<tag>[^/]+)/index/sha256/(?P<digest>[0-9a-f]{64})/link"
)


# --- facts of recordings


def verdict_recorded(recorded: Case) -> str:
    return "verdict: failed" if recorded.exit else "verdict: mirrored"


def is_dry(recorded: Case) -> bool:
    return "--dry-run" in recorded.arguments


def tells_images(recorded: Case) -> bool:
    """Whether it is known what a run put into a registry: it was recorded, or follows from what it wrote."""
    return f"/{TARGET}/" in recorded.arguments and bool(recorded.resources()) and not is_dry(recorded)


def namespace(recorded: Case) -> str:
    """What lies above all that a run mirrored."""
    return Arguments(recorded.arguments).destination.partition(f"{TARGET}/")[2]


def facts_recorded(recorded: Case, lab: Lab) -> set[str]:
    """What is known of a recorded run."""
    facts = {verdict_recorded(recorded)}
    for name, documents in recorded.resources().items():
        facts.update([f"resource: {name}"] if is_dry(recorded) else _resources(name, documents))
    facts.update(images_recorded(recorded) if recorded.registry else images_expected(recorded, lab))
    facts.update(_offers(recorded.selection))
    for name in ("mapping", "missing"):
        lines = recorded.files.get(f"dry-run/{name}.txt", [])
        facts.update(f"{name}: {line}" for line in lines)
    facts.update(_archived_recorded(recorded))
    return facts


def images_recorded(recorded: Case) -> set[str]:
    """What was at the destination of a run."""
    return {f"image: {name} {_digest_and_type(name, *told.split())}" for name, told in recorded.registry.items()}


def images_expected(recorded: Case, lab: Lab) -> set[str]:
    """What was at the destination of a run where nobody looked, by its configuration, its catalogs and its failures.

    oc-mirror v2: a digest without a tag gives the tag ``sha256-<hex>``; of a tag and a digest the tag is kept; the host is dropped.
    """
    if not tells_images(recorded):
        return set()
    prefix = namespace(recorded)
    wanted = recorded.document("isc.yaml")["mirror"]
    failed = " ".join(recorded.lines("logs/mirroring_errors"))
    blocked = [re.compile(entry["name"]) for entry in wanted.get("blockedImages", [])]
    found: dict[str, str] = {}
    related = [image for package in recorded.selection.values() for images in package["bundles"].values() for image in images]
    entries = [{"name": name} for name in dict.fromkeys(related)] + wanted.get("additionalImages", [])
    for entry in entries:
        name = entry["name"]
        if f" {name} " in failed or f"//{name} " in failed:
            continue
        place, digest, media_type = _expected(entry, lab)
        if not any(pattern.search(text) for pattern in blocked for text in (name, f"{TARGET}/{prefix}/{place}")):
            found[place] = f"{digest} {media_type}"
            if place == "lab/signed:v1":
                found[f"lab/signed:{digest.replace(':', '-')}.sig"] = f"{REWRITTEN} {media_type}"
    for entry in wanted.get("operators", []):
        repository, _colon, tag = entry["catalog"].partition("/")[2].rpartition(":")
        found[f"{entry.get('targetCatalog', repository)}:{entry.get('targetTag', tag)}"] = "rebuilt application/vnd.oci.image.index.v1+json"
    return {f"image: {prefix}/{place} {told}" for place, told in found.items()}


def _expected(entry: Mapping[str, str], lab: Lab) -> tuple[str, str, str]:
    """Where an image lies below the destination, its recorded digest and its media type."""
    if entry["name"].startswith("oci://"):
        layout = entry["name"].rpartition("/")[2]
        return f"{entry['targetRepo']}:latest", lab.recorded_digests[layout], lab.layouts[layout].media_type
    name, _at, digest = entry["name"].partition("/")[2].partition("@")
    repository, _colon, tag = name.partition(":")
    digest = digest or lab.recorded_digests[name]
    tag = entry.get("targetTag") or tag or digest.replace(":", "-")
    (media_type,) = {placed.image.media_type for placed in lab.images if lab.recorded(placed.image.digest) == digest}
    return f"{entry.get('targetRepo', repository)}:{tag}", digest, media_type


def _archived_recorded(recorded: Case) -> Iterator[str]:
    archive: dict[tuple[str, str], set[str]] = {}
    for name, told in recorded.archive.items():
        repository, _space, kind = name.rpartition(" ")
        entries = told if isinstance(told, list) else told.split()
        archive[(repository, kind)] = set(entries)
    history = set(recorded.history.split()) if recorded.history else None
    return _archived(archive, history)


# --- facts of our runs


def verdict_of(result: ImageSetResult) -> str:
    return "verdict: failed" if result.failures else "verdict: mirrored"


def facts_of(world: World, recorded: Case, result: ImageSetResult) -> set[str]:
    """What is known of a run of ours, as far as it is known of the recorded one."""
    working_dir = world.working_dir(recorded)
    facts = {verdict_of(result)}
    if is_dry(recorded):
        facts.update(f"resource: {path.name}" for path in result.resources.files)
    elif recorded.resources():
        for path in sorted((working_dir / "cluster-resources").glob("*")):
            documents = yaml.safe_load_all(world.recorded(path.read_text(encoding="utf-8")))
            facts.update(_resources(path.name, documents))
    for path in result.mapping:
        lines = world.recorded(path.read_text(encoding="utf-8")).splitlines()
        facts.update(f"{path.stem}: {line.replace(f'file://{DATA}m2d/', f'docker://{CACHE}/')}" for line in lines)
    if tells_images(recorded):
        facts.update(images_at(world))
    if recorded.selection:
        facts.update(offered_at(world, namespace(recorded)) if tells_images(recorded) else offered_in(world, result))
    if recorded.archive:
        facts.update(_archived(*_archive_of(world, working_dir, result)))
    return facts


def images_at(world: World) -> Iterator[str]:
    """Everything at the destination."""
    for repository in world.target.repositories:
        manifests = world.target.manifests(repository)
        for tag, digest in world.target.tags(repository).items():
            name = world.recorded(f"{repository}:{tag}")
            yield f"image: {name} {_digest_and_type(name, world.recorded(digest), manifests[digest].media_type)}"


def offered_at(world: World, prefix: str) -> Iterator[str]:
    """What the catalogs at a destination offer."""
    for repository in world.target.repositories:
        if repository.startswith(f"{prefix}/") and is_catalog(repository):
            for digest in world.target.tags(repository).values():
                yield from _offers({name: _package(blobs) for name, blobs in catalog_at(world, repository, digest).items()})


def offered_in(world: World, result: ImageSetResult) -> Iterator[str]:
    """What the catalogs in an archive offer, as they are there as files."""
    for path in result.archive.paths if result.archive is not None else ():
        with tarfile.open(path) as members:
            for member in members:
                if "/filtered-catalogs/" in member.name and member.name.endswith("/catalog.json"):
                    taken = members.extractfile(member)
                    assert taken is not None
                    yield from _offers({member.name.split("/")[-2]: _package(_parsed(world.recorded(taken.read().decode())))})


def catalog_at(world: World, repository: str, digest: str) -> dict[str, list[dict[str, Any]]]:
    """The blobs of a catalog by package, as one finds them who runs its image; the same on all platforms."""
    manifest = json.loads(world.target.manifests(repository)[digest].body)
    if "manifests" in manifest:
        found = [catalog_at(world, repository, child["digest"]) for child in manifest["manifests"]]
        assert all(other == found[0] for other in found)
        return found[0]
    files: dict[str, bytes] = {}
    for layer in manifest["layers"]:
        files = _with_layer(files, zlib.decompress(world.target.blobs[layer["digest"]], 31))
    return {name.split("/")[1]: _parsed(world.recorded(content.decode())) for name, content in files.items()}


def _with_layer(files: Mapping[str, bytes], content: bytes) -> dict[str, bytes]:
    """The files below configs/ when one more layer lies upon them."""
    kept, added = dict(files), {}
    with tarfile.open(fileobj=BytesIO(content)) as layer:
        for member in layer:
            path = member.name[2:] if member.name.startswith("./") else member.name
            if path in (".wh.configs", "configs/.wh..wh..opq"):
                kept = {}
            elif path.startswith("configs/") and member.isfile():
                taken = layer.extractfile(member)
                assert taken is not None
                added[path] = taken.read()
    return {**kept, **added}


def _parsed(text: str) -> list[dict[str, Any]]:
    decoder, found, position = json.JSONDecoder(), [], 0
    text = text.strip()
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        found.append(value)
        while position < len(text) and text[position].isspace():
            position += 1
    return found


def _package(blobs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A package as the recordings tell it."""
    told: dict[str, Any] = {"channels": {}, "bundles": {}, "package": ""}
    for blob in blobs:
        schema = blob["schema"]
        if schema == "olm.package":
            told["package"] = blob["defaultChannel"]
        elif schema == "olm.channel":
            told["channels"][blob["name"]] = [entry["name"] for entry in blob["entries"]]
        elif schema == "olm.bundle":
            told["bundles"][blob["name"]] = [image["image"] for image in blob["relatedImages"]]
        else:
            entries = told.setdefault(schema, [])
            entries += [f"{entry['reference']['schema']} {entry['reference']['name']}" for entry in blob["entries"]]
    return told


def _archive_of(world: World, working_dir: Path, result: ImageSetResult) -> tuple[dict[tuple[str, str], set[str]], set[str] | None]:
    """What the archive of a run holds, and what is noted of it."""
    archive = _held(world, result.archive.paths if result.archive is not None and result.archive.changed else ())
    notes = sorted((working_dir / ".history").glob(".history-*"))
    history = {world.lab.recorded(line)[7:19] for line in notes[-1].read_text(encoding="utf-8").split()} if notes else None
    return archive, history


def archived_in(world: World, path: Path) -> set[str]:
    """What is in the file of an archive."""
    return set(_archived(_held(world, [path]), None))


def _held(world: World, paths: Iterable[Path]) -> dict[tuple[str, str], set[str]]:
    archive: dict[tuple[str, str], set[str]] = {}
    for path in paths:
        with tarfile.open(path) as members:
            for name in members.getnames():
                _note(archive, world.lab.recorded(name))
    return archive


def _note(archive: dict[tuple[str, str], set[str]], name: str) -> None:
    for pattern in (_BLOB, _LINK, _TAG):
        found = pattern.fullmatch(name)
        if found is None:
            continue
        if pattern is _BLOB:
            archive.setdefault(("", "blobs"), set()).add(found[1][:12])
        else:
            digest = found["digest"][:12]
            kind = "tags" if pattern is _TAG else found["kind"].rpartition("/")[2]
            archive.setdefault((found["repository"], kind), set()).add(f"{found['tag']} {digest}" if pattern is _TAG else digest)


# --- facts


def is_catalog(repository: str) -> bool:
    """Whether a repository at the destination has a catalog that was built."""
    name = repository.partition(":")[0].rpartition("/")[2]
    return name.startswith("catalog") or name == "my-index"


def _digest_and_type(name: str, digest: str, media_type: str) -> str:
    """What is compared of an image; the digests of catalogs are their builder's business."""
    return f"rebuilt {media_type}" if is_catalog(name) else f"{digest} {media_type}"


def _resources(file: str, documents: Iterable[Any]) -> Iterator[str]:
    """What a file with objects says, apart from when and by whom it was written, and from the order of what has none."""
    for document in documents:
        metadata = dict(document["metadata"])
        metadata.pop("annotations", None)
        subject = f"resource: {file} {document['kind']} {metadata.pop('name')}"
        rest = {**document, "metadata": metadata}
        rest.pop("kind")
        for path, value in _leaves(rest):
            yield f"{subject} {path}={value}"


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and "source" in value and "mirrors" in value:
        yield from ((f"{path}.{value['source']}", mirror) for mirror in value["mirrors"])
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from _leaves(below, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for below in value:
            yield from _leaves(below, path)
    else:
        yield path, str(value)


def _offers(packages: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, package in packages.items():
        subject = f"catalog: {name}"
        yield f"{subject} default channel {package['package']}"
        for channel, entries in package["channels"].items():
            yield f"{subject} channel {channel}: {', '.join(entries)}"
        for bundle, images in package["bundles"].items():
            yield f"{subject} bundle {bundle}"
            yield from (f"{subject} bundle {bundle} needs {image}" for image in images)
        for schema in sorted(set(package) - {"package", "channels", "bundles"}):
            yield from (f"{subject} {schema} {entry}" for entry in package[schema])


def _archived(archive: Mapping[tuple[str, str], set[str]], history: set[str] | None) -> Iterator[str]:
    """What is in an archive; of catalogs that were built only the names of their tags."""
    of_catalogs = {
        entry for (repository, kind), entries in archive.items() if is_catalog(repository) and kind != "tags" for entry in entries
    }
    for (repository, kind), entries in archive.items():
        subject = f"archive: {repository} {kind}" if repository else f"archive: {kind}"
        for entry in entries:
            if is_catalog(repository):
                if kind == "tags":
                    yield f"{subject} {entry.partition(' ')[0]}"
            elif entry not in of_catalogs:
                yield f"{subject} {entry}"
    yield from (f"history: {digest}" for digest in (history or set()) - of_catalogs)
