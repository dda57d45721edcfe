# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests as registries send them, good and bad."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Manifest,
    Platform,
)
from ansible_collections.quayside.airgap.tests.support.images import (
    artifact,
    foreign_layer,
    image,
    layer,
    multi_arch,
    simple_image,
)

HEX = "a" * 64


def read(content, media_type, **more):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Manifest.parse(data, media_type, "r.example/x:1", **more)


@pytest.mark.parametrize(("fmt", "media_type"), [("oci", OCI_MANIFEST), ("docker", DOCKER_MANIFEST)])
def test_an_image_lists_its_config_and_layers(fmt, media_type):
    made = simple_image("m", fmt=fmt, layers=3)
    manifest = read(made.body, media_type)
    assert (manifest.digest, manifest.media_type, manifest.is_index) == (made.digest, media_type, False)
    assert {blob.digest for blob in manifest.blobs} == set(made.all_blobs())
    assert manifest.blobs[0].digest == json.loads(made.body)["config"]["digest"]


@pytest.mark.parametrize(("fmt", "media_type"), [("oci", OCI_INDEX), ("docker", DOCKER_LIST)])
def test_an_index_lists_its_images(fmt, media_type):
    made = multi_arch("m", fmt=fmt)
    manifest = read(made.body, media_type + "; charset=utf-8")
    assert manifest.is_index
    assert [str(child.platform) for child in manifest.children] == ["linux/amd64", "linux/arm64", "linux/arm/v7"]


def test_a_layer_used_twice_is_one_blob():
    base = layer("same", 100)
    assert len(read(image([base, base]).body, OCI_MANIFEST).blobs) == 2


def test_the_media_type_is_found_without_the_registrys_help():
    document = json.loads(simple_image("m").body)
    del document["mediaType"]
    assert read(document, "application/json").media_type == OCI_MANIFEST
    document = json.loads(multi_arch("m").body)
    del document["mediaType"]
    assert read(document, "").media_type == OCI_INDEX


def test_an_artifact_names_its_subject():
    subject = simple_image("m")
    manifest = read(artifact("application/spdx+json", b"sbom", subject=subject).body, OCI_MANIFEST)
    assert manifest.subject == subject.digest
    assert manifest.artifact_type == "application/spdx+json"


def test_a_layer_that_lies_elsewhere_is_marked():
    made = image([foreign_layer("f", 100, "https://example.com/f"), layer("own", 100)], fmt="docker")
    assert [blob.foreign for blob in read(made.body, DOCKER_MANIFEST).blobs] == [False, True, False]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"<html>", "no JSON document"),
        (b"\xff\xfe", "no JSON document"),
        ([], "no JSON object"),
        ({}, "neither a manifest nor an index"),
        ({"schemaVersion": 1, "name": "x"}, "schema version 1"),
        ({"mediaType": OCI_MANIFEST, "config": {}, "layers": []}, "content without a digest"),
        ({"mediaType": OCI_MANIFEST, "config": {"digest": "x", "size": 1}}, "does not begin with sha256:"),
        ({"mediaType": OCI_MANIFEST, "config": {"digest": "sha256:" + HEX}}, "no size"),
        ({"mediaType": OCI_MANIFEST, "config": {"digest": "sha256:" + HEX, "size": -1}}, "no size"),
        ({"mediaType": OCI_MANIFEST, "config": {"digest": "sha256:" + HEX, "size": True}}, "no size"),
        ({"mediaType": OCI_MANIFEST, "layers": {}}, "no list"),
        ({"mediaType": OCI_INDEX, "manifests": "x"}, "no list"),
        ({"mediaType": OCI_INDEX, "manifests": [5]}, "content without a digest"),
    ],
)
def test_what_is_no_manifest_is_refused(document, why):
    with pytest.raises(ProtocolError) as error:
        read(document, "application/json")
    assert why in str(error.value)
    assert "r.example/x:1" in str(error.value)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"size": ' + b"9" * 5000 + b"}"])
def test_what_no_reader_can_take_is_refused(body):
    with pytest.raises(ProtocolError):
        read(body, OCI_MANIFEST)


@pytest.mark.parametrize(
    ("announced", "document"),
    [
        (OCI_INDEX, json.loads(simple_image("m").body)),
        (DOCKER_LIST, json.loads(simple_image("m").body)),
        (OCI_MANIFEST, json.loads(multi_arch("m").body)),
        ("", {**json.loads(multi_arch("m").body), "layers": []}),
        ("", {**json.loads(simple_image("m").body), "manifests": []}),
        (OCI_INDEX, {"config": {}, "layers": []}),
        (OCI_MANIFEST, {"manifests": []}),
    ],
)
def test_what_is_an_image_to_one_and_an_index_to_another_is_refused(announced, document):
    with pytest.raises(ProtocolError, match="at the same time"):
        read(document, announced)


def test_a_registry_that_mixes_up_docker_and_oci_does_not_decide():
    """What is pushed must be announced as what it says of itself, or the destination refuses it."""
    assert read(simple_image("m", fmt="docker").body, OCI_MANIFEST).media_type == DOCKER_MANIFEST
    assert read(multi_arch("m").body, DOCKER_LIST).media_type == OCI_INDEX


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
@pytest.mark.parametrize("children", [[], None])
def test_an_index_may_be_empty(media_type, children):
    manifest = read({"schemaVersion": 2, "mediaType": media_type, "manifests": children}, media_type)
    assert manifest.is_index
    assert manifest.children == ()


def test_content_with_another_digest_is_refused():
    with pytest.raises(ProtocolError, match="has the digest"):
        read(simple_image("m").body, OCI_MANIFEST, digest="sha256:" + HEX)


class TestPlatforms:
    made = multi_arch("p", ("linux/amd64", "linux/arm64/v8", "linux/arm/v6", "linux/arm/v7", "windows/amd64"), attestations=True)
    index = read(made.body, OCI_INDEX)

    def chosen(self, *platforms, **more):
        digests = self.index.chosen([Platform.parse(text) for text in platforms], "x", **more)
        return [str(child.platform) for child in self.index.children if child.digest in digests]

    def test_nothing_asked_for_is_everything(self):
        assert len(self.chosen()) == 10

    def test_an_image_brings_its_attestation(self):
        assert self.chosen("linux/amd64") == ["linux/amd64", "unknown/unknown"]
        assert self.chosen("linux/amd64", attestations=False) == ["linux/amd64"]

    def test_without_a_variant_all_variants_are_meant(self):
        assert self.chosen("linux/arm", attestations=False) == ["linux/arm/v6", "linux/arm/v7"]
        assert self.chosen("linux/arm/v7", attestations=False) == ["linux/arm/v7"]
        assert self.chosen("linux/arm64/v8", attestations=False) == ["linux/arm64/v8"]

    def test_the_usual_variant_need_not_be_written(self):
        assert Platform.parse("linux/arm64/v8").matches(Platform("linux", "arm64"))
        assert not Platform.parse("linux/arm64/v9").matches(Platform("linux", "arm64"))

    def test_a_platform_that_is_not_there_is_refused_with_those_that_are(self):
        with pytest.raises(InputError, match=r"linux/s390x.*only linux/amd64, linux/arm/v6"):
            self.chosen("linux/amd64", "linux/s390x")

    @pytest.mark.parametrize("text", ["", "linux", "linux/", "/amd64", "a/b/c/d"])
    def test_what_is_no_platform_is_refused(self, text):
        with pytest.raises(InputError, match="os/architecture"):
            Platform.parse(text)

    def test_a_reduced_index_lists_the_chosen_only_and_is_always_the_same(self):
        digests = self.index.chosen([Platform.parse("linux/amd64")], "x", attestations=False)
        reduced = self.index.reduced(digests, "x")
        assert [child.digest for child in reduced.children] == sorted(digests)
        assert reduced.digest == self.index.reduced(digests, "x").digest != self.index.digest
        kept, before = json.loads(reduced.content), json.loads(self.index.content)
        assert {key: value for key, value in kept.items() if key != "manifests"} == {
            key: value for key, value in before.items() if key != "manifests"
        }


def test_a_reduced_index_keeps_what_utf8_cannot_hold():
    """JSON can name half of a surrogate pair; what was read can be written."""
    child = simple_image("m")
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child.descriptor()], "annotations": {"a": "\ud800\u00e4"}}
    reduced = read(json.dumps(document).encode(), OCI_INDEX).reduced(frozenset([child.digest]), "x")
    assert json.loads(reduced.content) == document


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(["mediaType", "manifests", "layers", "config", "digest", "size", "platform", "subject", "urls", "annotations"]),
            children,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(json_values | st.binary(max_size=50), st.sampled_from([OCI_MANIFEST, OCI_INDEX, DOCKER_LIST, "application/json", ""]))
def test_any_answer_is_a_manifest_or_is_refused_politely(document, media_type):
    with contextlib.suppress(ProtocolError, InputError):
        manifest = read(document, media_type)
        if manifest.children:
            manifest.reduced(frozenset(child.digest for child in manifest.children), "x")
        manifest.chosen([Platform("linux", "amd64")], "x")


descriptors = st.fixed_dictionaries(
    {"mediaType": st.sampled_from([OCI_MANIFEST, OCI_INDEX]), "digest": st.just("sha256:" + HEX), "size": st.integers(0, 2**70)},
    optional={
        "platform": json_values | st.fixed_dictionaries({"os": st.text(), "architecture": st.text()}),
        "annotations": json_values | st.dictionaries(st.text(), st.text() | json_values, max_size=3),
        "urls": json_values,
    },
)


@given(st.lists(descriptors, max_size=4), st.dictionaries(st.text(max_size=8), json_values, max_size=3))
def test_any_index_can_be_reduced_and_read_again(children, more):
    document = {**more, "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}
    for key in ("layers", "config", "subject"):
        document.pop(key, None)
    manifest = read(document, OCI_INDEX)
    reduced = manifest.reduced(frozenset(child.digest for child in manifest.children), "x")
    assert json.loads(reduced.content) == document
    assert manifest.reduced(frozenset(), "x").children == ()
