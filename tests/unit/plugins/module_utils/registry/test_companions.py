# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures, attestations and other referrers: they travel along, wherever and however registries keep them."""

from __future__ import annotations

import json

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED, FAILED, UNCHANGED
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.images import (
    Image,
    artifact,
    cosign_signature,
    cosign_tag,
    index,
    multi_arch,
    referrers_tag,
    simple_image,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import (
    blob_writes,
    copied,
    has,
    manifest_writes,
    request,
    run,
    states,
)

APP = simple_image("app")
SIGNATURE = cosign_signature(APP)
SIGNATURE_TYPE = "application/vnd.dev.cosign.artifact.sig.v1+json"
SBOM = artifact("application/spdx+json", b"sbom", subject=APP, annotations={"org.example": "1"})
OCI_SIGNATURE = artifact(SIGNATURE_TYPE, b"signed", subject=APP)


@pytest.fixture(params=[True, False], ids=["api at the source", "tags at the source"])
def source(request, start):
    """A registry with the referrers API, or one whose clients keep the tag in its place."""
    registry = start(referrers=request.param)
    registry.load("app", "v1", APP)
    return registry


@pytest.fixture(params=[True, False], ids=["api at the destination", "tags at the destination"])
def destination(request, start):
    return start(referrers=request.param)


def attach(registry, repository, *referrers):
    """Store referrers as a client of that registry would."""
    for referrer in referrers:
        registry.load(repository, None, referrer)
    if not registry.options.referrers:
        subject = referrers[0].manifest["subject"]["digest"]
        registry.load(repository, referrers_tag(subject), index(referrers))


def referring(registry, repository, subject):
    """What a client finds there: by the API, or by the tag where there is none."""
    found = registry.manifests(repository)
    if registry.options.referrers:
        names = [digest for digest, stored in found.items() if (stored.parsed.get("subject") or {}).get("digest") == subject]
    else:
        tag = registry.tags(repository).get(referrers_tag(subject))
        names = [child["digest"] for child in found[tag].parsed["manifests"]] if tag else []
    assert set(names) <= set(found)
    return sorted(names)


def ask(source, destination, name="app:v1"):
    return request((source, name), (destination, name))


def go(*requests, signatures="copy", **more):
    return run(*requests, signatures=signatures, **more)


# --- cosign's tags


@pytest.mark.parametrize("suffix", ["sig", "att", "sbom"])
def test_what_cosign_keeps_beside_an_image_goes_along(source, destination, suffix):
    source.load("app", cosign_tag(APP.digest, suffix), SIGNATURE)
    report = go(ask(source, destination))
    assert copied(report)
    assert report.outcomes[0].companions == [cosign_tag(APP.digest, suffix)]
    assert has(destination, "app", SIGNATURE)
    assert destination.tags("app") == {"v1": APP.digest, cosign_tag(APP.digest, suffix): SIGNATURE.digest}


def test_signatures_are_stored_before_nothing_and_after_their_blobs(source, destination):
    source.load("app", cosign_tag(APP.digest), SIGNATURE)
    go(ask(source, destination))
    assert manifest_writes(destination) == ["app:v1", f"app:{cosign_tag(APP.digest)}"]
    assert sorted(blob_writes(destination)) == sorted({**APP.all_blobs(), **SIGNATURE.all_blobs()})


def test_what_is_there_with_its_signature_is_unchanged(source, destination):
    source.load("app", cosign_tag(APP.digest), SIGNATURE)
    go(ask(source, destination))
    destination.reset_log()
    assert states(go(ask(source, destination))) == [UNCHANGED]
    assert destination.writes == []


def test_a_signature_that_came_later_is_brought_after(source, destination):
    go(ask(source, destination))
    source.load("app", cosign_tag(APP.digest), SIGNATURE)
    destination.reset_log()
    report = go(ask(source, destination))
    assert copied(report)
    assert report.outcomes[0].companions == [cosign_tag(APP.digest)]
    assert manifest_writes(destination) == [f"app:{cosign_tag(APP.digest)}"]
    assert sorted(blob_writes(destination)) == sorted(SIGNATURE.all_blobs())


def test_a_signature_that_was_renewed_replaces_the_old_one(source, destination):
    source.load("app", cosign_tag(APP.digest), SIGNATURE)
    go(ask(source, destination))
    again = cosign_signature(APP, "another reference")
    source.load("app", cosign_tag(APP.digest), again)
    assert copied(go(ask(source, destination)))
    assert destination.tags("app")[cosign_tag(APP.digest)] == again.digest


def test_signatures_of_the_images_of_an_index_go_along(source, destination):
    many = multi_arch("many")
    source.load("many", "v1", many)
    for signed in (many, *many.children):
        source.load("many", cosign_tag(signed.digest), cosign_signature(signed))
    report = go(ask(source, destination, "many:v1"))
    assert copied(report)
    assert sorted(report.outcomes[0].companions) == sorted(cosign_tag(signed.digest) for signed in (many, *many.children))
    assert set(destination.tags("many")) == {"v1", *report.outcomes[0].companions}


def test_signatures_of_images_that_are_left_out_are_left_out(source, destination):
    many = multi_arch("many")
    source.load("many", "v1", many)
    for child in many.children:
        source.load("many", cosign_tag(child.digest), cosign_signature(child))
    asked = request((source, "many:v1"), (destination, "many:v1"), platforms=["linux/arm64"])
    report = go(asked)
    assert copied(report)
    assert report.outcomes[0].companions == [cosign_tag(many.children[1].digest)]


def test_one_list_of_tags_answers_for_all_images_of_a_repository(source, destination):
    for number in range(5):
        source.load("app", f"v{number}", simple_image(f"app{number}"))
    go(*(ask(source, destination, f"app:v{number}") for number in range(5)))
    assert source.count(path="/tags/list") == 1
    assert source.count(method="HEAD") == 0


def test_where_the_list_is_long_a_single_image_is_asked_for(start, destination):
    source = start(page_size=2)
    for number in range(20):
        source.load("app", f"v{number}", simple_image(f"app{number}", layers=1, size=10))
    source.load("app", cosign_tag(simple_image("app3", layers=1, size=10).digest), SIGNATURE)
    report = go(ask(source, destination, "app:v3"))
    assert copied(report)
    assert len(report.outcomes[0].companions) == 1
    assert source.count(path="/tags/list") <= 6
    assert source.count(method="HEAD", path=r"manifests/sha256-") == 3


# --- referrers


def test_referrers_go_along_from_whatever_to_whatever(source, destination):
    attach(source, "app", OCI_SIGNATURE, SBOM)
    report = go(ask(source, destination))
    assert copied(report)
    assert sorted(report.outcomes[0].companions) == sorted([OCI_SIGNATURE.digest, SBOM.digest])
    assert referring(destination, "app", APP.digest) == sorted([OCI_SIGNATURE.digest, SBOM.digest])
    assert has(destination, "app", OCI_SIGNATURE)
    assert has(destination, "app", SBOM)


def test_referrers_that_are_there_are_not_stored_again(source, destination):
    attach(source, "app", OCI_SIGNATURE, SBOM)
    go(ask(source, destination))
    destination.reset_log()
    assert states(go(ask(source, destination))) == [UNCHANGED]
    assert destination.writes == []


def test_a_referrer_that_came_later_joins_those_that_are_there(source, destination):
    attach(source, "app", OCI_SIGNATURE)
    go(ask(source, destination))
    attach(source, "app", OCI_SIGNATURE, SBOM)
    report = go(ask(source, destination))
    assert copied(report)
    assert report.outcomes[0].companions == [SBOM.digest]
    assert referring(destination, "app", APP.digest) == sorted([OCI_SIGNATURE.digest, SBOM.digest])


def test_the_tag_that_lists_referrers_describes_them_as_the_specification_says(start):
    source, destination = start(), start(referrers=False)
    source.load("app", "v1", APP)
    attach(source, "app", SBOM)
    go(ask(source, destination))
    listed = destination.manifests("app")[destination.tags("app")[referrers_tag(APP.digest)]].parsed
    assert listed == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {
                "mediaType": SBOM.media_type,
                "digest": SBOM.digest,
                "size": SBOM.size,
                "artifactType": "application/spdx+json",
                "annotations": {"org.example": "1"},
            }
        ],
    }


def test_referrers_that_others_listed_stay_in_the_list(start):
    source, destination = start(), start(referrers=False)
    source.load("app", "v1", APP)
    attach(source, "app", OCI_SIGNATURE)
    own = artifact("application/example", b"own", subject=APP)
    destination.load("app", "v0", APP)
    attach(destination, "app", own)
    assert copied(go(ask(source, destination)))
    assert referring(destination, "app", APP.digest) == sorted([own.digest, OCI_SIGNATURE.digest])


def test_many_referrers_of_one_image_are_all_in_the_list(start):
    """They are stored by several workers at the same time, and the list is read, changed and written."""
    source, destination = start(), start(referrers=False)
    many = multi_arch("many", layers=1, size=100)
    expected = {}
    source.load("many", "v1", many)
    for child in many.children:
        signed = [artifact(SIGNATURE_TYPE, f"{child.digest}/{number}".encode(), subject=child) for number in range(4)]
        attach(source, "many", *signed)
        expected[child.digest] = sorted(each.digest for each in signed)
    for tag in ("v1", "v2", "v3"):
        source.load("many", tag, many)
    report = go(*(ask(source, destination, f"many:{tag}") for tag in ("v1", "v2", "v3")), parallel=8)
    assert copied(report)
    assert {child.digest: referring(destination, "many", child.digest) for child in many.children} == expected


def test_a_tag_that_holds_an_image_is_no_list_of_referrers(start):
    """Images without a tag are mirrored under that very tag; it must not be overwritten, nor read as a list."""
    source, destination = start(), start(referrers=False)
    source.load("app", None, APP)
    attach(source, "app", OCI_SIGNATURE)
    tag = referrers_tag(APP.digest)
    report = go(request((source, f"app@{APP.digest}"), (destination, f"app:{tag}")))
    assert copied(report)
    assert destination.tags("app") == {tag: APP.digest}
    assert OCI_SIGNATURE.digest in destination.manifests("app")
    (note,) = report.outcomes[0].notes
    assert OCI_SIGNATURE.digest in note
    assert "is taken" in note


def test_a_tag_that_holds_an_index_is_no_list_of_referrers_of_that_index(start):
    source = start(referrers=False)
    many = multi_arch("many")
    source.load("many", referrers_tag(many.digest), many)
    destination = start()
    report = go(request((source, f"many@{many.digest}"), (destination, "many:v1")))
    assert copied(report)
    assert report.outcomes[0].companions == []


def test_what_claims_to_refer_but_does_not_is_left_where_it_is(start, destination):
    """The tag is a list that anybody may have written."""
    source = start(referrers=False)
    source.load("app", "v1", APP)
    stranger = artifact("application/example", b"x", subject=simple_image("other"))
    source.load("app", None, stranger)
    source.load("app", referrers_tag(APP.digest), index([stranger]))
    report = go(ask(source, destination))
    assert copied(report)
    assert report.outcomes[0].companions == []


def test_an_index_may_be_a_referrer(start, destination):
    source = start()
    source.load("app", "v1", APP)
    bundle = index([simple_image("part one"), simple_image("part two")], subject=APP)
    source.load("app", None, bundle)
    assert copied(go(ask(source, destination)))
    assert has(destination, "app", bundle)
    assert referring(destination, "app", APP.digest) == [bundle.digest]


def test_an_artifact_may_be_copied_by_itself(source, destination):
    """What refers to an image that is not there yet is a legal thing to store."""
    attach(source, "app", SBOM)
    source.load("app", "sbom", SBOM)
    assert copied(go(ask(source, destination, "app:sbom")))
    assert has(destination, "app", SBOM)
    assert referring(destination, "app", APP.digest) == [SBOM.digest]


# --- copy, require, skip


@pytest.mark.parametrize("mode", ["copy", "skip"])
def test_unsigned_is_fine_unless_required(source, destination, mode):
    report = go(ask(source, destination), signatures=mode)
    assert copied(report)
    assert report.outcomes[0].notes == []


def test_required_and_missing_is_a_failure(source, destination):
    report = go(ask(source, destination), signatures="require")
    assert [outcome.state for outcome in report.outcomes] == [FAILED]
    assert "the source has none, and signatures are required" in report.outcomes[0].reason
    assert destination.writes == []


def test_an_sbom_is_no_signature(source, destination):
    attach(source, "app", SBOM)
    source.load("app", cosign_tag(APP.digest, "sbom"), cosign_signature(APP))
    assert go(ask(source, destination), signatures="require").outcomes[0].state == FAILED


@pytest.mark.parametrize("how", ["tag", "referrer"])
def test_required_and_there_is_copied(source, destination, how):
    if how == "tag":
        source.load("app", cosign_tag(APP.digest), SIGNATURE)
    else:
        attach(source, "app", OCI_SIGNATURE)
    assert copied(go(ask(source, destination), signatures="require"))
    assert states(go(ask(source, destination), signatures="require")) == [UNCHANGED]


def test_an_unchanged_image_is_not_excused_from_its_signature(source, destination):
    destination.load("app", "v1", APP)
    assert go(ask(source, destination), signatures="require").outcomes[0].state == FAILED


def test_what_is_skipped_is_not_looked_for(source, destination):
    source.load("app", cosign_tag(APP.digest), SIGNATURE)
    attach(source, "app", SBOM)
    report = go(ask(source, destination), signatures="skip")
    assert copied(report)
    assert report.outcomes[0].companions == []
    assert source.count(path="/tags/|/referrers/") == 0


# --- registries that do not want to be asked


@pytest.mark.parametrize("path", ["/tags/list", "/referrers/"])
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_question_is_a_note_and_no_failure(start, destination, path, status):
    source = start()
    source.load("app", "v1", APP)
    source.faults.append(Fault("GET", path, "status", status=status, times=None))
    report = go(ask(source, destination))
    assert copied(report)
    (note,) = report.outcomes[0].notes
    assert note.startswith("Signatures were not looked for")
    assert str(status) in note


@pytest.mark.parametrize("path", ["/tags/list", "/referrers/"])
def test_a_refused_question_is_a_failure_where_signatures_are_required(start, destination, path):
    source = start()
    source.load("app", "v1", APP)
    source.load("app", cosign_tag(APP.digest), SIGNATURE)
    source.faults.append(Fault("GET", path, "status", status=403, times=None))
    report = go(ask(source, destination), signatures="require")
    assert [outcome.state for outcome in report.outcomes] == [FAILED]
    assert "403" in report.outcomes[0].reason


@pytest.mark.parametrize("path", ["/tags/list", "/referrers/"])
def test_a_registry_that_is_overloaded_is_no_registry_without_signatures(start, destination, path):
    """To copy without them because nobody answered would lose them quietly."""
    source = start()
    source.load("app", "v1", APP)
    source.faults.append(Fault("GET", path, "status", status=503, times=None))
    report = go(ask(source, destination))
    assert [outcome.state for outcome in report.outcomes] == [FAILED]


@pytest.mark.parametrize("path", ["/tags/list", "/referrers/", "/manifests/sha256-"])
def test_a_passing_failure_of_a_question_is_survived(start, destination, path):
    source = start(referrers=path != "/manifests/sha256-")
    source.load("app", "v1", APP)
    source.load("app", cosign_tag(APP.digest), SIGNATURE)
    attach(source, "app", OCI_SIGNATURE)
    source.faults.append(Fault("GET|HEAD", path, "reset", times=2))
    source.faults.append(Fault("GET|HEAD", path, "truncate", times=1))
    report = go(ask(source, destination))
    assert copied(report)
    assert len(report.outcomes[0].companions) == 2


def test_a_destination_that_does_not_want_to_be_asked_gets_the_referrers(start):
    source, destination = start(), start()
    source.load("app", "v1", APP)
    attach(source, "app", OCI_SIGNATURE)
    destination.faults.append(Fault("GET", "/referrers/", "status", status=404, times=None))
    assert copied(go(ask(source, destination)))
    assert OCI_SIGNATURE.digest in destination.manifests("app")


def test_a_signature_whose_content_is_lost_fails_its_image(source, destination):
    source.load("app", cosign_tag(APP.digest), SIGNATURE)
    source.lose_blob("app", SIGNATURE.blobs[0].digest)
    report = go(ask(source, destination))
    assert [outcome.state for outcome in report.outcomes] == [FAILED]
    assert SIGNATURE.blobs[0].digest in report.outcomes[0].reason


def test_garbage_in_place_of_a_signature_is_a_note(start, destination):
    source = start()
    source.load("app", "v1", APP)
    source.storage.put_manifest("app", b"{}", "text/plain", cosign_tag(APP.digest), "sha256:" + "0" * 64)
    report = go(ask(source, destination))
    assert states(report) == [COPIED]
    assert report.outcomes[0].notes[0].startswith("Signatures were not looked for")


def test_two_destinations_get_the_signatures_each_in_its_way(start):
    source, modern, old = start(), start(), start(referrers=False)
    source.load("app", "v1", APP)
    source.load("app", cosign_tag(APP.digest), SIGNATURE)
    attach(source, "app", OCI_SIGNATURE)
    report = go(request((source, "app:v1"), (modern, "app:v1"), (old, "app:v1")))
    assert copied(report)
    for registry in (modern, old):
        assert has(registry, "app", SIGNATURE)
        assert referring(registry, "app", APP.digest) == [OCI_SIGNATURE.digest]
    assert referrers_tag(APP.digest) not in modern.tags("app")


def test_annotations_that_utf8_cannot_hold_do_not_break_the_list(start):
    """JSON can name half of a surrogate pair."""
    source, destination = start(), start(referrers=False)
    source.load("app", "v1", APP)
    plain = SBOM.manifest
    plain["annotations"] = {"odd": "\ud800"}
    odd = Image(json.dumps(plain).encode(), SBOM.media_type, SBOM.blobs, artifact_type=SBOM.artifact_type)
    source.load("app", None, odd)
    assert copied(go(ask(source, destination)))
    assert referring(destination, "app", APP.digest) == [odd.digest]
