# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting in registries that nobody thought of: what stays is whole, whatever goes, and whatever fails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete import DeleteTask, delete_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault, RegistryOptions, SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.images import Image, artifact, cosign_tag, index, referrers_tag, simple_image

PLATFORMS = ("linux/amd64", "linux/arm64", "linux/s390x")
PLAIN = [simple_image("plain", layers=1, size=1, platform=platform) for platform in PLATFORMS]
PLACE = "m/images"
BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@dataclass(repr=False)
class World:
    """A repository, and what is to go.

    tags     ordinary ones; ``owned``: those that speak of a manifest by their name, with what they speak of
    loose    referrers without a tag
    """

    options: dict[str, Any]
    tags: dict[str, Image] = field(default_factory=dict)
    owned: dict[str, tuple[Image, Image]] = field(default_factory=dict)
    loose: list[Image] = field(default_factory=list)
    missing: list[Image] = field(default_factory=list)
    named: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        """Short enough to be read: what has which tag, and what of it lists or speaks of what."""
        tags = {tag: brief(image) for tag, image in self.everything.items()}
        rest = f"loose={[brief(image) for image in self.loose]}, missing={[brief(image) for image in self.missing]}"
        return f"World({self.options}, tags={tags}, {rest}, named={self.named})"

    @property
    def everything(self) -> dict[str, Image]:
        return {**self.tags, **{tag: image for tag, (image, _owner) in self.owned.items()}}

    def images(self) -> list[Image]:
        return [*self.everything.values(), *self.loose]

    def staying(self) -> set[str]:
        """Digests of what must stay: ordinary tags that are not named, all that they list, all that speaks of any of it."""
        return self.needed_by(tag for tag in self.tags if tag not in self.named)

    def needed_by(self, tags: Iterable[str]) -> set[str]:
        """Digests of what some ordinary tags need."""
        there = {digest for image in self.images() for digest in parts(image)}
        found = {digest for tag in tags for digest in parts(self.tags[tag])}
        while True:
            more = set(found)
            for tag, (image, owner) in self.owned.items():
                orphan = owner.digest not in there and tag not in self.named
                if owner.digest in found or orphan:
                    more |= parts(image)
            for image in self.images():
                for member in image.walk():
                    if (member.manifest.get("subject") or {}).get("digest") in found:
                        more |= parts(member)
            if more == found:
                return found
            found = more


def brief(image: Image) -> str:
    subject = image.manifest.get("subject")
    listed = f" lists {[brief(child) for child in image.children]}" if image.children else ""
    return image.digest[7:13] + listed + (f" speaks of {subject['digest'][7:13]}" if subject else "")


def parts(image: Image) -> set[str]:
    return {member.digest for member in image.walk()}


@st.composite
def worlds(draw: st.DrawFn) -> World:
    indexes = [index(draw(st.lists(st.sampled_from(PLAIN), max_size=3, unique_by=id))) for _number in range(draw(st.integers(0, 2)))]
    pool: list[Image] = [*PLAIN, *indexes]
    if indexes and draw(st.booleans()):
        pool.append(index([draw(st.sampled_from(indexes)), draw(st.sampled_from(PLAIN))]))
    world = World({"quirks": draw(st.sampled_from(["distribution", "quay"])), "referrers": draw(st.booleans()), "sparse_indexes": True})
    names = draw(st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=1, max_size=5, unique=True))
    world.tags = {name: draw(st.sampled_from(pool)) for name in names}
    # as an image that is mirrored by digest, and by platforms
    if draw(st.booleans()):
        world.tags[referrers_tag(draw(st.sampled_from(pool)).digest)] = draw(st.sampled_from(PLAIN))
    shared = artifact("application/example", b"speaks of many")
    # nothing speaks of the shared one: it could be about that in turn, and then nobody could say which of them needs the other
    speakers: list[Image] = []
    for number in range(draw(st.integers(0, 4))):
        subject = draw(st.sampled_from([*pool, *speakers]))
        kind = draw(st.sampled_from(["sig", "sbom", "referrer", "list", "named"]))
        if kind in ("sig", "sbom"):
            speaker = draw(st.sampled_from([shared, artifact("application/example", b"%d" % number)]))
            if speaker is subject:
                continue
            world.owned[cosign_tag(subject.digest, kind)] = (speaker, subject)
        else:
            speaker = artifact("application/example", b"%d" % number, subject=subject)
            tag = referrers_tag(subject.digest)
            if kind == "list" and tag not in world.everything:
                world.owned[tag] = (index([speaker]), subject)
            elif kind == "named":
                world.tags[f"named-{number}"] = speaker
            elif world.options["referrers"] and any(subject.digest in parts(image) for image in world.images()):
                world.loose.append(speaker)
            else:
                continue
        if speaker is not shared:
            speakers.append(speaker)
    spoken_of = {str((image.manifest.get("subject") or {}).get("digest")) for image in speakers}
    world.missing = [image for image in draw(st.lists(st.sampled_from(PLAIN), max_size=1)) if image.digest not in spoken_of]
    world.named = draw(st.lists(st.sampled_from([*world.everything, "never-was"]), min_size=1, max_size=6, unique=True))
    return world


def fill(registry: SandboxRegistry, world: World) -> None:
    for tag, image in world.everything.items():
        registry.load(PLACE, tag, image)
    for image in world.loose:
        registry.load(PLACE, None, image)
    for image in world.missing:
        # a part of indexes that were mirrored without it
        if image.digest not in registry.tags(PLACE).values():
            registry.storage.delete_manifest(PLACE, image.digest)


def delete(registry: SandboxRegistry, world: World) -> Any:
    items = [{"imageName": "x/y:1", "imageReference": f"docker://{registry.host}/{PLACE}:{tag}", "type": "generic"} for tag in world.named]
    return delete_image_set(
        DeleteTask(
            f"{registry.host}/m",
            delete_list={"apiVersion": "mirror.openshift.io/v2alpha1", "kind": "DeleteImageList", "items": items},
            destination_side=SideOptions(tls=TlsSettings(verify=False)),
            wire=WireOptions(retries=0, parallel=2),
            registries_conf="",
        )
    )


def check_that_all_is_whole(registry: SandboxRegistry, world: World, before: set[str]) -> None:
    """Nothing is lost of what must stay, and every tag that is there has all that it had."""
    now = set(registry.manifests(PLACE))
    stay = world.staying()
    assert stay & before <= now
    for tag, image in world.tags.items():
        if tag not in world.named:
            assert registry.tags(PLACE).get(tag) == image.digest, tag
    for tag, (image, owner) in world.owned.items():
        if owner.digest in stay:
            assert registry.tags(PLACE).get(tag) == image.digest, tag
    for tag, digest in registry.tags(PLACE).items():
        assert digest == world.everything[tag].digest
        assert parts(world.everything[tag]) & before <= now, tag


@BOUNDED
@given(worlds())
def test_what_stays_is_whole_and_what_went_is_gone(world: World) -> None:
    with SandboxRegistry(RegistryOptions(**world.options)) as registry:
        fill(registry, world)
        before = set(registry.manifests(PLACE))
        result = delete(registry, world)
        note(str([image.as_dict() for image in result.images]))
        check_that_all_is_whole(registry, world, before)
        assert result.failures == []
        for image in result.images:
            tag = image.item.reference.tag or ""
            event(image.state)
            there = tag in registry.tags(PLACE)
            assert image.state in ("deleted", "kept", "absent")
            assert there == (image.state == "kept")
            if image.state == "absent":
                assert tag == "never-was"
            elif image.digest not in world.staying():
                # whatever nobody needs is gone, with all that belonged to it
                assert image.state == "deleted"
                assert not (parts(world.everything[tag]) - world.staying()) & set(registry.manifests(PLACE))
        again = delete(registry, world)
        assert not again.changed
        assert again.failures == []


def test_what_speaks_of_an_attestation_without_a_tag_stays_with_its_image() -> None:
    """Between the two lies a manifest that no list of tags shows."""
    attestation = artifact("application/example", b"of the image", subject=PLAIN[0])
    signature = artifact("application/example", b"of the attestation", subject=attestation)
    options = {"quirks": "distribution", "referrers": True, "sparse_indexes": True}
    world = World(options, tags={"stays": PLAIN[0], "named": signature}, loose=[attestation], named=["named"])
    with SandboxRegistry(RegistryOptions(**options)) as registry:
        fill(registry, world)
        before = set(registry.manifests(PLACE))
        result = delete(registry, world)
        assert [image.state for image in result.images] == ["kept"]
        assert set(registry.manifests(PLACE)) == before


def test_an_image_that_is_not_tried_any_more_keeps_its_signature() -> None:
    """The signature went with an index that listed the image, and then the registry broke down."""
    signature = artifact("application/example", b"of the image")
    options = {"quirks": "distribution", "referrers": False, "sparse_indexes": True}
    world = World(options, tags={"image": PLAIN[0], "all": index(PLAIN[:2])}, named=["image", "all"])
    world.owned[cosign_tag(PLAIN[0].digest, "sig")] = (signature, PLAIN[0])
    with SandboxRegistry(RegistryOptions(**options)) as registry:
        fill(registry, world)
        # after the signature and the index
        registry.faults.append(Fault("DELETE", "/manifests/", "status", skip=2, status=503))
        result = delete(registry, world)
        assert {image.item.reference.tag: image.state for image in result.images} == {"image": "failed", "all": "deleted"}
        assert registry.tags(PLACE) == {"image": PLAIN[0].digest, cosign_tag(PLAIN[0].digest, "sig"): signature.digest}


@pytest.mark.parametrize("skip", [0, 1, 2])
def test_a_signature_of_two_images_stays_with_the_one_that_could_not_be_deleted(skip: int) -> None:
    signature = artifact("application/example", b"of both")
    options = {"quirks": "distribution", "referrers": False, "sparse_indexes": True}
    world = World(options, tags={"one": PLAIN[0], "two": PLAIN[1]}, named=["one", "two"])
    world.owned = {cosign_tag(image.digest, "sig"): (signature, image) for image in PLAIN[:2]}
    with SandboxRegistry(RegistryOptions(**options)) as registry:
        fill(registry, world)
        registry.faults.append(Fault("DELETE", "/manifests/", "status", skip=skip, status=409))
        result = delete(registry, world)
        assert sorted(image.state for image in result.images) == ["deleted", "failed"]
        left = next(image.digest for image in result.images if image.state == "failed")
        assert registry.tags(PLACE)[cosign_tag(left, "sig")] == signature.digest
        registry.faults.clear()
        delete(registry, world)
        assert not {"one", "two"} & registry.tags(PLACE).keys()


faults = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([(409, False), (503, False), (403, False), (0, True), (0, False)])), min_size=1, max_size=3
)


@BOUNDED
@given(worlds(), faults)
def test_what_stays_is_whole_whatever_fails(world: World, planned: list[tuple[int, tuple[int, bool]]]) -> None:
    with SandboxRegistry(RegistryOptions(**world.options)) as registry:
        fill(registry, world)
        before = set(registry.manifests(PLACE))
        for skip, (status, after_effect) in planned:
            if status:
                registry.faults.append(Fault("DELETE", "/manifests/", "status", skip=skip, status=status))
            else:
                registry.faults.append(Fault("DELETE", "/manifests/", "drop_connection", skip=skip, after_effect=after_effect))
        result = delete(registry, world)
        event("something failed" if result.failures else "all went well")
        check_that_all_is_whole(registry, world, before)
        # what was refused has its signatures still
        left = [tag for tag in registry.tags(PLACE) if tag in world.tags]
        assert world.needed_by(left) & before <= set(registry.manifests(PLACE))
        registry.faults.clear()
        again = delete(registry, world)
        assert again.failures == []
        check_that_all_is_whole(registry, world, before)
        for tag in world.named:
            # names that nobody needs are gone in the end; of signatures those may be left that others had in common
            if tag in world.tags and not parts(world.everything[tag]) & world.staying():
                assert tag not in registry.tags(PLACE)
