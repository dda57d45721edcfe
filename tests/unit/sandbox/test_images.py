# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image builder makes the same, valid content everywhere."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zlib

import pytest

from ansible_collections.quayside.airgap.tests.sandbox.registry import User
from ansible_collections.quayside.airgap.tests.support import images
from ansible_collections.quayside.airgap.tests.unit.sandbox.helpers import Start


def test_digests_are_the_same_on_every_machine() -> None:
    assert images.simple_image("pinned").digest == "sha256:2f6806f3d9be66f1d32b99c6ddccd0bc67ae43b286f484b0f7ea7317f4dd469b"
    assert images.simple_image("pinned", fmt="docker").digest == "sha256:ad064a3f93ee5b1f0da6f9552595fc5992591446380fa622fffba79f7c52e6ba"
    assert (
        images.multi_arch("pinned", attestations=True).digest == "sha256:86581755ee25313211e147b59d7226d4820a40327efb938f5c66ca2ecab99617"
    )


def test_layers_are_real_and_do_not_shrink() -> None:
    layer = images.layer("real", 200_000)
    archive = gzip.decompress(layer.data)
    assert images.sha256(archive) == layer.diff_id
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        directory, member = opened.getmembers()
        content = opened.extractfile(member)
    assert directory.isdir()
    assert content is not None
    assert content.read() == images.blob("real", 200_000)
    assert len(zlib.compress(images.blob("real", 200_000))) >= 200_000


def test_an_empty_layer_is_a_gzip_stream_too() -> None:
    assert len(gzip.decompress(images.file_layer({}).data)) % 512 == 0


def test_configurations_name_the_layers() -> None:
    image = images.simple_image("a", platform="linux/arm/v7")
    config = json.loads(image.blobs[-1].data)
    assert (config["os"], config["architecture"], config["variant"]) == ("linux", "arm", "v7")
    assert config["rootfs"]["diff_ids"] == [layer.diff_id for layer in image.blobs[:-1]]


def test_attestations_point_to_their_images() -> None:
    index = images.multi_arch("a", ("linux/amd64", "linux/arm64"), attestations=True)
    entries = index.manifest["manifests"]
    assert [entry["platform"]["architecture"] for entry in entries] == ["amd64", "arm64", "unknown", "unknown"]
    assert [entry["annotations"]["vnd.docker.reference.digest"] for entry in entries[2:]] == [entry["digest"] for entry in entries[:2]]


def test_signatures_artifacts_and_foreign_layers() -> None:
    target = images.simple_image("target")
    signature = images.cosign_signature(target)
    payload = json.loads(signature.blobs[0].data)
    assert payload["critical"]["image"]["docker-manifest-digest"] == target.digest
    assert images.cosign_tag(target.digest) == f"sha256-{target.digest[7:]}.sig"
    referrer = images.artifact("application/x", b"data", subject=target)
    assert referrer.manifest["subject"]["digest"] == target.digest
    foreign = images.image([images.foreign_layer("far", 10, "https://layers.invalid/1")], fmt="docker")
    assert foreign.manifest["layers"][0]["urls"] == ["https://layers.invalid/1"]
    assert len(foreign.all_blobs()) == 1


@pytest.mark.parametrize("auth", ["none", "basic", "token"])
def test_workloads(start: Start, users: dict[str, User], auth: str) -> None:
    registry = start(auth=auth, users=users)
    credentials = None if auth == "none" else ("admin", "secret")
    pushed = images.workload(registry.url, "scaled", auth=credentials)
    shape = images.SHAPES["scaled"]
    assert len(pushed.references) == len(registry.repositories) == shape.images
    assert {item.reference: item.digest for item in pushed.images} == {
        f"{name}:v1": registry.tags(name)["v1"] for name in registry.repositories
    }
    assert pushed.unique_bytes == sum(len(data) for data in registry.blobs.values())
    assert pushed.unique_blobs == len(registry.blobs)
    multi = [item for item in pushed.images if "index" in item.media_type]
    assert len(multi) == shape.images // shape.multi_arch_every
    assert registry.verify() == []


def test_what_the_benchmark_promises() -> None:
    assert images.SHAPES["A"] == images.Shape(images=20, layers=5, layer_size=4 << 20)
    assert images.SHAPES["B"] == images.Shape(images=100, layers=8, layer_size=64 << 10, shared=4)
    assert images.SHAPES["C"] == images.Shape(images=20, layers=5, layer_size=4 << 20, shared=4, multi_arch_every=4)
