# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive in the form of oc-mirror v2's: its members in its order, a catalog rebuilt in its way, nothing of ours in it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.tests.support.image_builders import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Blob,
    Image,
    canonical_json,
    gzip_stored,
    sha256,
)
from ansible_collections.quayside.airgap.tests.support.layer_builders import archive, file, folder
from ansible_collections.quayside.airgap.tests.support.oc_mirror_lab import FIXTURES, Lab
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded import case
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded_runs import CACHE, World

_REGISTRY = "docker/registry/v2/"


def write_archive(world: World, place: Path) -> Path:
    """Write the archive that oc-mirror made of the recorded image set with everything in it."""
    image_set = world.here(case("m2d-1").text("isc.yaml"))
    return _write(place, _members(_placed(world), _working_dir(world.lab), image_set))


def write_increment(world: World, place: Path, image_set: str, *further: tuple[str, str, Image]) -> Path:
    """Write the archive that oc-mirror makes after that: everything is in its history.

    :param further: other names that it has now, in oc-mirror's cache.
    """
    placed = list(_placed(world))
    known = known_of(image for _repository, _tag, image in placed)
    return _write(place, _members([*placed, *further], _working_dir(world.lab), image_set, known))


def write_archive_of_all_operators(world: World, place: Path, image_set: str) -> Path:
    """Write the archive that oc-mirror makes of a whole catalog: of that only the original is in it."""
    placed = [(found.repository, found.tag or found.image.digest.replace(":", "-"), found.image) for found in world.lab.images]
    operators = [found for found in placed if found[0].startswith("lab/ops/")]
    working_dir = {name: content for name, content in _working_dir(world.lab).items() if "/filtered-catalogs/" not in name}
    return _write(place, _members([*operators, ("lab/catalog", "v4.99", original(world.lab))], working_dir, image_set))


def write_images(
    place: Path, placed: Iterable[tuple[str, str, Image]], image_set: str, *, earlier: Iterable[Image] = (), working_dir: Any = None
) -> Path:
    """Write the archive that oc-mirror makes of some images.

    :param placed: repository, tag and image.
    :param earlier: what is in earlier archives: oc-mirror v2 leaves manifests and blobs out that it has in its history, and no links.
    """
    return _write(place, _members(placed, working_dir or {}, image_set, known_of(earlier)))


def known_of(images: Iterable[Image]) -> set[str]:
    """Digests of everything in some images."""
    return {digest for image in images for digest in (*(manifest.digest for manifest in image.walk()), *image.all_blobs())}


def _write(place: Path, content: Iterable[tuple[str, bytes]]) -> Path:
    place.mkdir(parents=True)
    path = place / "mirror_000001.tar"
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as members:
        for name, data in content:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            members.addfile(entry, BytesIO(data))
    return path


def _members(
    placed: Iterable[tuple[str, str, Image]], working_dir: Mapping[str, bytes], image_set: str, earlier: Collection[str] = ()
) -> Iterator[tuple[str, bytes]]:
    links: dict[str, bytes] = {}
    contents: dict[str, bytes] = {}
    for repository, tag, image in placed:
        below = f"{_REGISTRY}repositories/{repository}/"
        for manifest in image.walk():
            links[f"{below}_manifests/revisions/{_link(manifest.digest)}"] = manifest.digest.encode()
            contents[manifest.digest] = manifest.body
        for digest, blob in image.all_blobs().items():
            links[f"{below}_layers/{_link(digest)}"] = digest.encode()
            contents[digest] = blob.data
        links[f"{below}_manifests/tags/{tag}/current/link"] = image.digest.encode()
        links[f"{below}_manifests/tags/{tag}/index/{_link(image.digest)}"] = image.digest.encode()
    yield from sorted(links.items())
    for digest, content in contents.items():
        if digest in earlier:
            continue
        hexadecimal = digest.partition(":")[2]
        yield f"{_REGISTRY}blobs/sha256/{hexadecimal[:2]}/{hexadecimal}/data", content
    for name, content in sorted(working_dir.items()):
        yield f"working-dir/{name}", content
    yield "isc_2026-11-20T22:08:47Z", image_set.encode()


def original(lab: Lab) -> Image:
    """The catalog as it is published."""
    return next(found.image for found in lab.catalogs if found.key == "lab/catalog:v4.99")


def _link(digest: str) -> str:
    return f"{digest.replace(':', '/')}/link"


def _placed(world: World) -> Iterator[tuple[str, str, Image]]:
    """Images with their places in oc-mirror's cache, as its mapping tells them."""
    lab = world.lab
    everything = [*lab.images, *lab.catalogs]
    by_tag = {f"{found.repository}:{found.tag}": found.image for found in everything}
    by_digest = {lab.recorded(found.image.digest): found.image for found in everything}
    for line in case("m2d-dryrun").files["dry-run/mapping.txt"]:
        source, place = line.split(f"=docker://{CACHE}/")
        repository, _colon, tag = place.rpartition(":")
        name = source.partition("://")[2].partition("/")[2]
        if source.startswith("oci://"):
            image = lab.layouts[name.rpartition("/")[2]]
        else:
            image = by_digest[name.partition("@")[2]] if "@" in name else by_tag[name]
        yield repository, lab.here(tag), image
    yield from ((found.repository, str(found.tag), found.image) for found in lab.images if found.seed == "sig")
    yield "lab/catalog", lab.filter_id, rebuilt(lab)


def _filtered(lab: Lab) -> dict[str, str]:
    """The files of the filtered catalog as oc-mirror wrote them."""
    return {
        path.parent.name: lab.here(path.read_text(encoding="utf-8")) for path in (FIXTURES / "filtered/heads_and_bounds").glob("*/*.json")
    }


def rebuilt(lab: Lab) -> Image:
    """The filtered catalog as an image.

    oc-mirror v2: always an OCI index; upon the layers of the original lie one that takes its folder away and one with the files.
    """
    published = original(lab)
    (config,) = (item for item in published.blobs if item.diff_id == "")
    layers = [Blob(item.data, OCI_LAYER, diff_id=item.diff_id) for item in published.blobs if item.diff_id]
    content = [folder("configs")]
    for package, text in sorted(_filtered(lab).items()):
        content += [folder(f"configs/{package}"), file(f"configs/{package}/catalog.json", text.encode())]
    for members in ([file(".wh.configs")], content):
        packed = archive(members)
        layers.append(Blob(gzip_stored(packed), OCI_LAYER, diff_id=sha256(packed)))
    settings = json.loads(config.data)
    settings["config"]["Cmd"] = ["serve", "/configs"]
    settings["rootfs"]["diff_ids"] = [layer.diff_id for layer in layers]
    settings["history"] += [{"created": "0001-01-01T00:00:00Z"}] * 2
    child = _manifest(layers, Blob(canonical_json(settings), OCI_CONFIG))
    entry = {**child.descriptor(), "platform": {"architecture": "amd64", "os": "linux"}, "artifactType": OCI_CONFIG}
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
    return Image(canonical_json(body), OCI_INDEX, children=(child,))


def _manifest(layers: list[Blob], config: Blob) -> Image:
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.descriptor(),
        "layers": [layer.descriptor() for layer in layers],
    }
    return Image(canonical_json(body), OCI_MANIFEST, (*layers, config))


def _working_dir(lab: Lab) -> Mapping[str, bytes]:
    published = original(lab)
    built = rebuilt(lab)
    below = f"operator-catalogs/catalog/{published.digest.partition(':')[2]}"
    filtered = f"{below}/filtered-catalogs/{lab.filter_id}"
    files: dict[str, bytes] = {
        "containers/registries.d/default.yaml": b"default-docker:\n  use-sigstore-attachments: true\n",
        "internal/oc-mirror-version.json": b'{"gitVersion":"v0.0.0","gitCommit":"0000000"}',
        "logs/registry-20261120_220845.log": b"of the cache\n",
        f"{filtered}/digest": built.digest.partition(":")[2].encode(),
        **_layout(f"{below}/catalog-image", published),
        **_layout(f"{filtered}/filtered-catalog-image", built),
    }
    for package, text in lab.files.items():
        files[f"{below}/catalog-config/configs/{package}/catalog.json"] = text.encode()
    for package, text in _filtered(lab).items():
        files[f"{filtered}/catalog-config/{package}/catalog.json"] = text.encode()
    return files


def _layout(place: str, image: Image) -> dict[str, bytes]:
    index: dict[str, Any] = {"schemaVersion": 2, "manifests": [{**image.descriptor()}]}
    found = {f"{place}/oci-layout": b'{"imageLayoutVersion":"1.0.0"}', f"{place}/index.json": canonical_json(index)}
    for manifest in image.walk():
        found[f"{place}/blobs/{manifest.digest.replace(':', '/')}"] = manifest.body
    for digest, blob in image.all_blobs().items():
        found[f"{place}/blobs/{digest.replace(':', '/')}"] = blob.data
    return found
