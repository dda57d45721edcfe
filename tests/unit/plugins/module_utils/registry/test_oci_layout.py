# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images on disk as a source of copies: OCI image layouts, good ones and others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, FileError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.copy import CopyEngine, CopyOptions
from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import NotFoundError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import OCI_INDEX, Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.oci_layout import (
    LocalContent,
    LocalSources,
    OciLayoutStore,
    open_layout,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import CopyRequest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Reference, parse_reference
from ansible_collections.quayside.airgap.tests.support.images import (
    cosign_signature,
    cosign_tag,
    index,
    multi_arch,
    simple_image,
)
from ansible_collections.quayside.airgap.tests.support.layer_builders import write_layout
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import copied, has, states
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import QUICK, make_side

APP = simple_image("app", layers=2, size=5000)
MANY = multi_arch("many")


def copy(sources, source, registry, name, platforms=(), **options):
    """Copy one image to a sandbox registry."""
    chosen = CopyOptions(**{"parallel": 4, "signatures": "skip", "retry": QUICK, **options})
    request = CopyRequest(source, (parse_reference(f"{registry.host}/{name}"),), tuple(Platform.parse(text) for text in platforms))
    destinations = make_side()
    try:
        return CopyEngine(sources, destinations, chosen, cancellation=Cancellation()).run([request])
    finally:
        destinations.close()


@pytest.fixture
def sources():
    side = make_side()
    yield LocalSources(side)
    side.close()


# --- what a layout offers


def test_a_layout_with_one_image_needs_no_tag(tmp_path):
    place = write_layout(tmp_path / "image", {"v1": APP})
    for written in (f"oci://{place}", f"oci://{place}/", f"oci://{place}:v1", str(place)):
        store, reference = open_layout(written)
        assert reference.digest == APP.digest
        assert str(reference) == f"oci://{place}@{APP.digest}"
        assert store.get_manifest(reference.repository, APP.digest).content == APP.body


def test_tags_choose_among_several_images(tmp_path):
    place = write_layout(tmp_path / "image", {"v1": APP, "v2": MANY})
    assert open_layout(f"oci://{place}:v1")[1].digest == APP.digest
    assert open_layout(f"oci://{place}:v2")[1].digest == MANY.digest
    assert list(OciLayoutStore(place).tags("")) == [["v1", "v2"]]


def test_without_a_tag_several_images_are_one_index(tmp_path):
    place = write_layout(tmp_path / "image", [("", simple_image("one")), ("", simple_image("two", platform="linux/arm64"))])
    store, reference = open_layout(f"oci://{place}")
    root = store.get_manifest("", reference.digest)
    assert root.content == (place / "index.json").read_bytes()
    assert root.media_type == OCI_INDEX
    assert len(root.children) == 2


def test_a_digest_chooses_whatever_the_layout_has(tmp_path):
    place = write_layout(tmp_path / "image", {"v1": APP, "v2": MANY})
    child = MANY.children[1]
    store, reference = open_layout(f"oci://{place}", child.digest)
    assert store.get_manifest("", reference.digest).digest == child.digest


def test_a_tag_may_stand_in_an_index_below_or_be_a_whole_reference(tmp_path):
    inner = index([APP])
    document = json.loads(inner.body)
    document["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "registry.example/app:deep"}
    body = json.dumps(document).encode()
    place = write_layout(tmp_path / "image", {"": type(inner)(body, inner.media_type, children=(APP,))})
    assert open_layout(f"oci://{place}:deep")[1].digest == APP.digest


def test_a_colon_may_belong_to_the_path(tmp_path):
    place = write_layout(tmp_path / "image:v7", {"v1": APP})
    assert open_layout(f"oci://{place}")[1].digest == APP.digest
    assert open_layout(f"oci://{place}:v1")[1].digest == APP.digest


def test_blobs_are_read_from_any_byte_on(tmp_path):
    store = OciLayoutStore(write_layout(tmp_path / "image", {"v1": APP}))
    blob = APP.blobs[0]
    assert store.head_blob("", blob.digest) == blob.size
    content, offset = store.open_blob("", blob.digest, 100)
    assert (offset, content.raw.read(20, decode_content=False)) == (100, blob.data[100:120])
    content.close()
    assert store.head_blob("", "sha256:" + "0" * 64) is None
    assert store.head_manifest("", "v1") == APP.digest
    assert store.head_manifest("", "v9") is None
    assert store.head_manifest("", "sha256:" + "0" * 64) is None


# --- copies


@pytest.mark.parametrize("content", [APP, MANY, simple_image("docker", fmt="docker"), index([index([APP]), simple_image("beside")])])
def test_what_is_on_disk_arrives_as_it_is(tmp_path, start, sources, content):
    registry = start()
    place = write_layout(tmp_path / "image", {"v1": content})
    report = copy(sources, sources.add_layout(f"oci://{place}:v1"), registry, "mirror/app:latest")
    assert copied(report)
    assert has(registry, "mirror/app", content)
    assert registry.tags("mirror/app") == {"latest": content.digest}
    assert states(copy(sources, sources.add_layout(f"oci://{place}"), registry, "mirror/app:latest")) == ["unchanged"]


def test_a_reference_to_a_layout_is_enough(tmp_path, start, sources):
    registry = start()
    place = write_layout(tmp_path / "image", {"v1": APP})
    report = copy(sources, Reference("oci://", str(place).strip("/"), "v1"), registry, "app:v1")
    assert copied(report)
    assert str(report.outcomes[0].source) == f"oci://{place}:v1"


def test_several_images_become_an_index_of_some_platforms(tmp_path, start, sources):
    registry = start()
    members = [simple_image("x", platform=platform) for platform in ("linux/amd64", "linux/arm64")]
    place = write_layout(tmp_path / "image", [("", member) for member in members])
    report = copy(sources, sources.add_layout(f"oci://{place}"), registry, "app:v1", platforms=["linux/arm64"])
    assert copied(report)
    assert list(registry.manifests("app")) == [members[1].digest, registry.tags("app")["v1"]]


def test_signatures_on_disk_go_along(tmp_path, start, sources):
    registry = start()
    signature = cosign_signature(APP)
    place = write_layout(tmp_path / "image", {"v1": APP, cosign_tag(APP.digest): signature})
    report = copy(sources, sources.add_layout(f"oci://{place}:v1"), registry, "app:v1", signatures="require")
    assert copied(report)
    assert registry.tags("app") == {"v1": APP.digest, cosign_tag(APP.digest): signature.digest}


def test_what_is_no_layout_goes_to_the_registries(start, sources):
    registry, source = start(), start()
    source.load("app", "v1", APP)
    assert copied(copy(sources, parse_reference(f"{source.host}/app:v1"), registry, "app:v1"))


def test_skopeo_writes_what_is_read_here(tmp_path, start, sources):
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    source, registry = start(), start()
    source.load("app", "v1", MANY)
    place = tmp_path / "image"
    command = ["skopeo", "copy", "--multi-arch", "all", "--src-tls-verify=false", f"docker://{source.host}/app:v1", f"oci:{place}:v1"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert copied(copy(sources, sources.add_layout(f"oci://{place}:v1"), registry, "app:v1"))
    assert has(registry, "app", MANY)


# --- what is wrong with a layout


def break_index(place):
    (place / "index.json").write_text("[")


def other_version(place):
    (place / "oci-layout").write_text('{"imageLayoutVersion":"2.0.0"}')


def no_index(place):
    (place / "index.json").unlink()


def a_file(place):
    shutil.rmtree(place)
    place.write_bytes(b"a tar archive")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (shutil.rmtree, "there is no such folder"),
        (a_file, "it is a file, not a folder"),
        (no_index, "it has no index.json"),
        (break_index, "the answer is no JSON document"),
        (other_version, "does not name a version 1.x but '2.0.0'"),
    ],
)
def test_what_is_no_layout_is_told_in_one_sentence(tmp_path, damage, reason):
    place = write_layout(tmp_path / "image", {"v1": APP})
    damage(place)
    with pytest.raises(AirgapError) as caught:
        open_layout(f"oci://{place}")
    assert reason in str(caught.value)
    assert str(place) in str(caught.value)


def test_an_unknown_tag_lists_those_that_are_there(tmp_path):
    place = write_layout(tmp_path / "image", {"v1": APP, "v2": MANY})
    with pytest.raises(NotFoundError, match=r"image:v3: the layout has no image of this tag, only v1, v2\."):
        open_layout(f"oci://{place}:v3")


def test_an_unknown_digest_is_told(tmp_path):
    place = write_layout(tmp_path / "image", {"v1": APP})
    with pytest.raises(NotFoundError, match="the layout has no image of this digest"):
        open_layout(f"oci://{place}", MANY.digest)


def test_an_empty_layout_has_nothing_to_choose(tmp_path):
    with pytest.raises(NotFoundError, match=r"its index\.json lists no image"):
        open_layout(f"oci://{write_layout(tmp_path / 'image', {})}")


def test_one_tag_of_two_images_is_refused(tmp_path):
    place = write_layout(tmp_path / "image", [("v1", APP), ("v1", MANY)])
    with pytest.raises(ProtocolError, match="several images of this tag"):
        open_layout(f"oci://{place}:v1")


def test_a_missing_blob_fails_its_image_by_name(tmp_path, start, sources):
    place = write_layout(tmp_path / "image", {"v1": APP})
    (place / "blobs" / "sha256" / APP.blobs[0].digest[7:]).unlink()
    report = copy(sources, sources.add_layout(f"oci://{place}:v1"), start(), "app:v1")
    (state,) = states(report)
    assert f"Could not read the blob oci://{place}@{APP.blobs[0].digest}" in state
    assert f"the layout has no file blobs/sha256/{APP.blobs[0].digest[7:]}" in state


@pytest.mark.parametrize("blob", [APP.blobs[0].digest, APP.digest], ids=["layer", "manifest"])
def test_content_with_another_digest_is_not_copied(tmp_path, start, sources, blob):
    registry = start()
    place = write_layout(tmp_path / "image", {"v1": APP})
    path = place / "blobs" / "sha256" / blob[7:]
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    (state,) = states(copy(sources, sources.add_layout(f"oci://{place}:v1"), registry, "app:v1"))
    assert "has the digest" in state
    assert registry.tags("app") == {}


def test_a_link_out_of_the_layout_is_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(APP.blobs[0].data)
    place = write_layout(tmp_path / "image", {"v1": APP})
    path = place / "blobs" / "sha256" / APP.blobs[0].digest[7:]
    path.unlink()
    path.symlink_to(secret)
    with pytest.raises(FileError, match="it is a link that leads out of the OCI layout"):
        OciLayoutStore(place).open_blob("", APP.blobs[0].digest)


def test_links_within_a_layout_and_to_it_are_fine(tmp_path):
    place = write_layout(tmp_path / "image", {"v1": APP})
    path = place / "blobs" / "sha256" / APP.blobs[0].digest[7:]
    path.rename(place / "elsewhere")
    path.symlink_to(place / "elsewhere")
    (tmp_path / "link").symlink_to(place)
    assert OciLayoutStore(tmp_path / "link").head_blob("", APP.blobs[0].digest) == APP.blobs[0].size


def test_what_is_no_plain_file_is_not_opened(tmp_path):
    place = write_layout(tmp_path / "image", {"v1": APP})
    path = place / "blobs" / "sha256" / APP.blobs[0].digest[7:]
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(FileError, match="it is no plain file"):
        OciLayoutStore(place).open_blob("", APP.blobs[0].digest)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(FileError, match="No such file"):
        LocalContent.of_file("blob", tmp_path / "gone")


def test_a_layout_is_never_written(tmp_path):
    store = OciLayoutStore(write_layout(tmp_path / "image", {"v1": APP}))
    with pytest.raises(AssertionError, match="only read"):
        store.upload_bytes("", APP.digest, b"")
