# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting what is named, from registries of different kinds: what goes, what stays, and what is said about it."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete import DeleteTask, delete_image_set
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete_list import load_delete_list
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.images import (
    artifact,
    cosign_signature,
    cosign_tag,
    index,
    multi_arch,
    referrers_tag,
    simple_image,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOT, BOTS

OPEN = SideOptions(tls=TlsSettings(verify=False))
APP, DB, MANY = simple_image("app"), simple_image("db"), multi_arch("many")
SBOM = artifact("application/spdx+json", b"{}", subject=APP)
KINDS = pytest.mark.parametrize("quirks", ["distribution", "quay"])


@pytest.fixture(params=["distribution", "quay"])
def registry(request, start):
    """A registry of each kind: one deletes manifests only, the other one tags as well."""
    return start(quirks=request.param)


@pytest.fixture
def distribution(start):
    return start(quirks="distribution")


def names(*places, kind="generic"):
    """A list of images to delete, each named ``repository:tag``."""

    def build(registry):
        items = [{"imageName": "quay.io/x:1", "imageReference": f"docker://{registry.host}/{place}", "type": kind} for place in places]
        return {"apiVersion": "mirror.openshift.io/v2alpha1", "kind": "DeleteImageList", "items": items}

    return build


def delete(registry, *places, listed=None, side=OPEN, **more):
    task = {
        "destination": f"docker://{registry.host}/m",
        "delete_list": (listed or names(*places))(registry),
        "destination_side": side,
        "wire": WireOptions(retries=1, timeout=10),
        "registries_conf": "",
        **more,
    }
    return delete_image_set(DeleteTask(**task))


def states(result):
    """State by place below the registry."""
    return {str(image.item.reference).partition("/")[2]: image.state for image in result.images}


def test_an_image_goes_and_the_second_time_it_is_not_there(registry):
    registry.load("m/app", "v1", APP)
    registry.load("m/app", "v2", DB)
    first = delete(registry, "m/app:v1")
    assert states(first) == {"m/app:v1": "deleted"}
    assert (first.changed, first.totals()["manifests"], list(first.failures)) == (True, 1, [])
    assert registry.tags("m/app") == {"v2": DB.digest}
    assert set(registry.manifests("m/app")) == {DB.digest}
    second = delete(registry, "m/app:v1")
    assert states(second) == {"m/app:v1": "absent"}
    assert (second.changed, list(second.failures), list(second.warnings)) == (False, [], [])


def test_what_never_was_there_is_no_error(registry):
    result = delete(registry, "m/none:v1", "m/none/at/all:v1")
    assert states(result) == {"m/none:v1": "absent", "m/none/at/all:v1": "absent"}
    assert (result.changed, list(result.failures)) == (False, [])
    assert registry.repositories == []


def test_a_dry_run_tells_the_same_and_deletes_nothing(registry):
    for tag in ("v1", "same"):
        registry.load("m/app", tag, APP)
    registry.load("m/many", "v1", MANY)
    registry.load("m/app", cosign_tag(APP.digest), cosign_signature(APP))
    registry.refuse_writes = True
    foretold = delete(registry, "m/app:v1", "m/app:same", "m/many:v1", "m/gone:v1", dry_run=True)
    assert registry.refused == []
    registry.refuse_writes = False
    done = delete(registry, "m/app:v1", "m/app:same", "m/many:v1", "m/gone:v1")
    assert foretold == done
    assert done.totals() == {"images": 4, "deleted": 3, "absent": 1, "kept": 0, "failed": 0, "manifests": 2 + 1 + len(MANY.children)}
    assert registry.manifests("m/app") == registry.manifests("m/many") == {}


class TestSharedImages:
    def test_two_tags_of_one_image_are_one_deletion(self, registry):
        registry.load("m/app", "v1", APP)
        registry.load("m/app", "latest", APP)
        assert states(delete(registry, "m/app:v1", "m/app:latest")) == {"m/app:v1": "deleted", "m/app:latest": "deleted"}
        assert registry.count(method="DELETE") == 1
        assert registry.tags("m/app") == {}

    def test_a_tag_that_stays_keeps_its_image(self, distribution):
        distribution.load("m/app", "v1", APP)
        distribution.load("m/app", "latest", APP)
        result = delete(distribution, "m/app:v1")
        assert states(result) == {"m/app:v1": "kept"}
        assert result.images[0].reason == "it has its image in common with latest, and the registry cannot delete a tag alone"
        assert (result.changed, list(result.failures)) == (False, [])
        assert any(f"{distribution.host}/m/app:v1 is kept" in warning for warning in result.warnings)
        assert distribution.tags("m/app") == {"v1": APP.digest, "latest": APP.digest}

    def test_where_tags_can_be_deleted_only_the_tag_goes(self, start):
        quay = start(quirks="quay")
        quay.load("m/app", "v1", APP)
        quay.load("m/app", "latest", APP)
        result = delete(quay, "m/app:v1")
        assert states(result) == {"m/app:v1": "deleted"}
        assert result.images[0].notes == ("its tag alone: latest needs the image",)
        assert (result.changed, result.totals()["manifests"]) == (True, 0)
        assert quay.tags("m/app") == {"latest": APP.digest}
        assert not delete(quay, "m/app:v1").changed

    def test_components_that_releases_share_stay(self, registry):
        """oc-mirror deletes them with the first release, and says that all is well."""
        cli, pod = simple_image("cli"), simple_image("pod")
        place = "m/openshift/release"
        for release, parts in {"4.0": {"cli": cli, "pod": pod}, "4.1": {"cli": cli, "pod": simple_image("pod2")}}.items():
            for name, image in parts.items():
                registry.load(place, f"{release}-{name}", image)
        delete(registry, listed=names(f"{place}:4.0-cli", f"{place}:4.0-pod", kind="ocpReleaseContent"))
        assert {tag: digest for tag, digest in registry.tags(place).items() if tag.startswith("4.1")}.keys() == {"4.1-cli", "4.1-pod"}
        assert cli.digest in registry.manifests(place)
        assert pod.digest not in registry.manifests(place)
        assert registry.verify() == []


class TestIndexes:
    def test_what_an_index_lists_goes_with_it(self, registry):
        registry.load("m/many", "v1", MANY)
        result = delete(registry, "m/many:v1")
        assert result.totals()["manifests"] == 1 + len(MANY.children)
        assert registry.manifests("m/many") == {}
        # the index first: without it, what it listed is missed by nobody
        assert registry.select(method="DELETE")[0].path.endswith(MANY.digest)

    def test_but_not_what_has_a_tag_of_its_own_or_is_part_of_another(self, registry):
        first, second, third = (simple_image("many", platform=f"linux/{name}") for name in ("amd64", "arm64", "s390x"))
        registry.load("m/many", "all", index([first, second, third]))
        registry.load("m/many", "some", index([second]))
        registry.load("m/many", "third", third)
        assert states(delete(registry, "m/many:all")) == {"m/many:all": "deleted"}
        assert set(registry.tags("m/many")) == {"some", "third"}
        assert set(registry.manifests("m/many")) == {index([second]).digest, second.digest, third.digest}

    def test_a_part_of_an_index_that_stays_keeps_its_manifest(self, distribution):
        distribution.load("m/many", "v1", MANY)
        distribution.load("m/many", "amd64", MANY.children[0])
        result = delete(distribution, "m/many:amd64")
        assert states(result) == {"m/many:amd64": "kept"}
        assert "in common with v1" in result.images[0].reason
        assert distribution.verify() == []

    def test_an_index_and_its_part_go_together(self, registry):
        inner = index([MANY])
        registry.load("m/many", "outer", inner)
        registry.load("m/many", "inner", MANY)
        registry.load("m/many", "amd64", MANY.children[0])
        assert set(states(delete(registry, "m/many:amd64", "m/many:inner", "m/many:outer")).values()) == {"deleted"}
        assert registry.manifests("m/many") == {}
        order = [request.path.rpartition("/")[2] for request in registry.select(method="DELETE")]
        assert order[:2] == [inner.digest, MANY.digest]

    def test_parts_that_are_not_there_are_not_missed(self, start):
        registry = start(sparse_indexes=True)
        registry.load("m/many", "v1", MANY)
        registry.storage.delete_manifest("m/many", MANY.children[1].digest)
        assert states(delete(registry, "m/many:v1")) == {"m/many:v1": "deleted"}
        assert registry.manifests("m/many") == {}

    def test_an_index_that_is_refused_keeps_its_parts(self, registry):
        registry.load("m/many", "v1", MANY)
        registry.load("m/many", "amd64", MANY.children[0])
        registry.load("m/many", cosign_tag(MANY.children[0].digest), cosign_signature(MANY.children[0]))
        before = registry.manifests("m/many").keys()
        registry.faults.append(Fault("DELETE", MANY.digest, "status", times=None, status=409, body="the tag is immutable"))
        result = delete(registry, "m/many:v1", "m/many:amd64")
        assert states(result) == {"m/many:v1": "failed", "m/many:amd64": "failed"}
        assert "the tag is immutable" in result.message()
        assert registry.manifests("m/many").keys() == before
        assert set(registry.tags("m/many")) == {"v1", "amd64", cosign_tag(MANY.children[0].digest)}
        assert registry.verify() == []


class TestSignatures:
    @pytest.mark.parametrize("image", [simple_image(f"refused {number}") for number in range(4)])
    def test_an_image_that_is_refused_gets_its_signature_back_though_both_were_named(self, registry, image):
        registry.load("m/app", "v1", image)
        registry.load("m/app", cosign_tag(image.digest), cosign_signature(image))
        registry.faults.append(Fault("DELETE", image.digest, "status", times=None, status=409))
        result = delete(registry, "m/app:v1", f"m/app:{cosign_tag(image.digest)}")
        assert set(states(result).values()) == {"failed"}
        assert set(registry.tags("m/app")) == {"v1", cosign_tag(image.digest)}
        assert registry.verify() == []

    def test_signatures_of_an_image_and_of_its_parts_go_along(self, registry):
        child = MANY.children[0]
        signature = cosign_signature(MANY)
        registry.load("m/many", "v1", MANY)
        registry.load("m/many", cosign_tag(MANY.digest), signature)
        registry.load("m/many", cosign_tag(child.digest, "att"), cosign_signature(child))
        registry.load("m/many", cosign_tag(signature.digest, "sbom"), cosign_signature(signature))
        registry.load("m/many", "other", APP)
        (image,) = delete(registry, "m/many:v1").images
        assert set(image.companions) == {
            cosign_tag(MANY.digest),
            cosign_tag(child.digest, "att"),
            cosign_tag(signature.digest, "sbom"),
        }
        assert registry.tags("m/many") == {"other": APP.digest}
        assert set(registry.manifests("m/many")) == {APP.digest}

    def test_what_is_found_through_the_image_goes_before_it(self, registry):
        signature = cosign_signature(APP)
        registry.load("m/app", "v1", APP)
        registry.load("m/app", cosign_tag(APP.digest), signature)
        delete(registry, "m/app:v1")
        order = [request.path.rpartition("/")[2] for request in registry.select(method="DELETE")]
        assert order == [signature.digest, APP.digest]

    def test_the_signature_of_an_image_that_stays_stays(self, registry):
        registry.load("m/app", "v1", APP)
        registry.load("m/app", cosign_tag(APP.digest), cosign_signature(APP))
        result = delete(registry, f"m/app:{cosign_tag(APP.digest)}")
        assert set(states(result).values()) == {"kept"}
        assert result.images[0].reason == "it belongs to v1, which stays"
        assert set(registry.tags("m/app")) == {"v1", cosign_tag(APP.digest)}

    def test_a_signature_that_is_named_beside_its_image_is_part_of_it(self, registry):
        """As the lists are that oc-mirror makes with --delete-signatures."""
        registry.load("m/app", "v1", APP)
        registry.load("m/app", cosign_tag(APP.digest), cosign_signature(APP))
        result = delete(registry, "m/app:v1", f"m/app:{cosign_tag(APP.digest)}", f"m/app:{cosign_tag(DB.digest)}")
        assert states(result)[f"m/app:{cosign_tag(DB.digest)}"] == "absent"
        assert result.totals()["deleted"] == 2
        assert registry.manifests("m/app") == {}

    def test_a_signature_without_its_image_stays_unless_it_is_named(self, registry):
        registry.load("m/app", "v1", APP)
        registry.load("m/app", cosign_tag(DB.digest), cosign_signature(DB))
        delete(registry, "m/app:v1")
        assert set(registry.tags("m/app")) == {cosign_tag(DB.digest)}
        delete(registry, f"m/app:{cosign_tag(DB.digest)}")
        assert registry.tags("m/app") == {}

    def test_what_speaks_of_two_images_stays_for_the_one_that_stays(self, registry):
        shared = artifact("application/spdx+json", b"of both")
        for tag, image in (("v1", APP), ("v2", DB)):
            registry.load("m/app", tag, image)
            registry.load("m/app", cosign_tag(image.digest, "sbom"), shared)
        assert states(delete(registry, "m/app:v1")) == {"m/app:v1": "deleted"}
        assert registry.tags("m/app")["v2"] == DB.digest
        assert registry.tags("m/app")[cosign_tag(DB.digest, "sbom")] == shared.digest
        # its other tag is gone where the registry can do that
        assert (cosign_tag(APP.digest, "sbom") in registry.tags("m/app")) == (not registry.options.quay)

    def test_referrers_without_a_tag_go_along(self, registry):
        registry.load("m/app", "v1", APP)
        registry.load("m/app", None, SBOM)
        (image,) = delete(registry, "m/app:v1").images
        assert image.companions == (SBOM.digest,)
        assert registry.manifests("m/app") == {}

    @pytest.mark.parametrize("tagged", [True, False])
    def test_the_list_of_referrers_goes_where_the_registry_keeps_none(self, start, tagged):
        registry = start(referrers=False)
        other = artifact("application/spdx+json", b"db", subject=DB)
        for tag, image, referrer in (("v1", APP, SBOM), ("v2", DB, other)):
            registry.load("m/app", tag, image)
            registry.load("m/app", referrers_tag(image.digest), index([referrer]))
        delete(registry, "m/app:v1" if tagged else f"m/app:v1@{APP.digest}")
        assert registry.tags("m/app") == {"v2": DB.digest, referrers_tag(DB.digest): index([other]).digest}
        assert set(registry.manifests("m/app")) == {DB.digest, other.digest, index([other]).digest}
        # the list after what only it names
        order = [request.path.rpartition("/")[2] for request in registry.select(method="DELETE")]
        assert order == [SBOM.digest, index([SBOM]).digest, APP.digest]

    def test_an_image_that_was_mirrored_by_digest_is_no_list(self, registry):
        reduced = index(MANY.children[:1])
        registry.load("m/many", referrers_tag(MANY.digest), reduced)
        registry.load("m/many", "v1", MANY)
        delete(registry, "m/many:v1")
        assert registry.tags("m/many") == {referrers_tag(MANY.digest): reduced.digest}
        assert set(registry.manifests("m/many")) == {reduced.digest, MANY.children[0].digest}

    def test_an_artifact_with_a_name_of_its_own_stays(self, registry):
        registry.load("m/app", "v1", APP)
        registry.load("m/app", "v1-sbom", SBOM)
        delete(registry, "m/app:v1")
        assert registry.tags("m/app") == {"v1-sbom": SBOM.digest}


class TestDigests:
    def test_an_image_that_is_named_by_digest_goes_if_it_has_no_tag(self, registry):
        registry.load("m/app", None, APP)
        registry.load("m/app", "v2", DB)
        assert list(states(delete(registry, f"m/app@{APP.digest}", f"m/app@{MANY.digest}")).values()) == ["deleted", "absent"]
        assert set(registry.manifests("m/app")) == {DB.digest}

    def test_and_stays_if_it_has_one(self, registry):
        registry.load("m/app", "v1", APP)
        result = delete(registry, f"m/app@{APP.digest}")
        assert (result.images[0].state, result.images[0].reason) == ("kept", "v1 needs it")
        assert registry.tags("m/app") == {"v1": APP.digest}

    def test_a_tag_with_a_digest_goes_only_as_long_as_it_has_it(self, registry):
        registry.load("m/app", "v1", APP)
        result = delete(registry, f"m/app:v1@{DB.digest}")
        assert result.images[0].state == "kept"
        assert "it names another image than" in result.images[0].reason
        assert states(delete(registry, f"m/app:v1@{APP.digest}")) == {f"m/app:v1@{APP.digest}": "deleted"}


class TestFaults:
    def test_a_registry_that_does_not_delete_says_so_once(self, start):
        registry = start(delete=False)
        for name in ("a", "b", "c"):
            registry.load(f"m/{name}", "v1", simple_image(name))
        result = delete(registry, "m/a:v1", "m/b:v1", "m/c:v1", wire=WireOptions(parallel=1, retries=0))
        assert set(states(result).values()) == {"failed"}
        assert len(result.failures) == 1
        assert f"The registry {registry.host} does not delete: the registry answered 405 UNSUPPORTED" in result.message()
        assert "REGISTRY_STORAGE_DELETE_ENABLED=true" in result.message()
        assert "3 not deleted" in result.message()
        assert not result.changed
        assert registry.count(method="DELETE") == 1

    @KINDS
    def test_a_registry_that_is_read_only_says_so(self, start, quirks):
        registry = start(quirks=quirks, read_only=True)
        registry.load("m/app", "v1", APP)
        result = delete(registry, "m/app:v1", wire=WireOptions(retries=0))
        assert states(result) == {"m/app:v1": "failed"}
        assert "read-only" in result.message()

    def test_rights_are_told_by_repository(self, start):
        registry = start(auth="basic", users={"bot": type(BOTS["bot"])("secret", {"*": "pull", "m/mine": "*"})})
        registry.load("m/mine", "v1", APP)
        registry.load("m/theirs", "v1", APP)
        result = delete(registry, "m/mine:v1", "m/theirs:v1", side=SideOptions(tls=TlsSettings(verify=False), credentials=BOT))
        assert states(result) == {"m/mine:v1": "deleted", "m/theirs:v1": "failed"}
        assert "403 DENIED" in result.message()

    @pytest.mark.parametrize("quirks", ["distribution", "quay"])
    def test_tokens_with_the_right_to_delete_are_found(self, start, quirks):
        registry = start(auth="token", quirks=quirks, users=BOTS)
        registry.load("m/app", "v1", APP)
        result = delete(registry, "m/app:v1", "m/none:v1", side=SideOptions(tls=TlsSettings(verify=False), credentials=BOT))
        assert states(result) == {"m/app:v1": "deleted", "m/none:v1": "absent"}
        assert registry.repositories == ["m/app"]

    def test_an_answer_that_was_lost_is_no_failure(self, registry):
        registry.load("m/app", "v1", APP)
        registry.faults.append(Fault("DELETE", "/manifests/", "drop_connection", after_effect=True))
        assert states(delete(registry, "m/app:v1")) == {"m/app:v1": "deleted"}
        assert [request.status for request in registry.select(method="DELETE")][-1] == 404

    def test_what_cannot_be_read_keeps_its_repository_from_harm(self, registry):
        registry.load("m/app", "v1", APP)
        registry.load("m/app", "v2", DB)
        registry.load("m/db", "v1", DB)
        registry.faults.append(Fault("GET", "/m/app/manifests/v2", "status", times=None, status=500))
        result = delete(registry, "m/app:v1", "m/db:v1")
        assert states(result) == {"m/app:v1": "failed", "m/db:v1": "deleted"}
        assert "500" in result.message()
        assert set(registry.tags("m/app")) == {"v1", "v2"}

    def test_a_tag_that_nobody_understands_may_need_anything(self, registry):
        registry.load("m/app", "v1", APP)
        registry.load("m/app", "odd", DB)
        registry.faults.append(Fault("GET", "/m/app/manifests/odd", "garbage", times=None, body="{}", content_type="application/json"))
        result = delete(registry, "m/app:v1")
        assert states(result) == {"m/app:v1": "kept"}
        assert "m/app:odd, which cannot be read" in result.images[0].reason
        assert set(registry.tags("m/app")) == {"v1", "odd"}

    def test_a_tag_that_moved_meanwhile_stays(self, registry):
        registry.load("m/app", "v1", APP)
        registry.load("m/app", "v2", DB)
        # the first look sees APP, and then somebody pushes
        registry.faults.append(Fault("GET", "/m/app/manifests/v1", "tag_move", digest=DB.digest))
        result = delete(registry, "m/app:v1")
        assert states(result) == {"m/app:v1": "kept"}
        assert "since it was looked at" in result.images[0].reason
        assert registry.tags("m/app") == {"v1": DB.digest, "v2": DB.digest}

    def test_a_tag_that_came_meanwhile_keeps_the_image(self, distribution):
        distribution.load("m/app", "v1", APP)
        distribution.load("m/app", "new", DB)
        distribution.faults.append(Fault("GET", "/m/app/manifests/new", "tag_move", digest=APP.digest))
        assert states(delete(distribution, "m/app:v1")) == {"m/app:v1": "kept"}
        assert distribution.tags("m/app") == {"v1": APP.digest, "new": APP.digest}

    def test_a_registry_that_takes_the_image_with_its_tag_gets_it_back(self, start):
        quay = start(quirks="quay")
        quay.load("m/app", "v1", APP)
        quay.load("m/app", "latest", APP)

        def greedy(repository, tag):
            return quay.storage.delete_manifest(repository, quay.tags(repository)[tag])

        quay.storage.delete_tag = greedy
        assert states(delete(quay, "m/app:v1")) == {"m/app:v1": "deleted"}
        assert quay.tags("m/app") == {"latest": APP.digest}
        assert quay.verify() == []

    @pytest.mark.parametrize("after", range(1, 8))
    def test_a_run_that_ends_anywhere_is_completed_by_the_next(self, registry, after):
        signed = simple_image("signed")
        registry.load("m/many", "stays", index([signed, APP]))
        registry.load("m/many", "v1", index([*MANY.children, signed]))
        registry.load("m/many", cosign_tag(MANY.children[0].digest), cosign_signature(MANY.children[0]))
        registry.load("m/many", cosign_tag(signed.digest), cosign_signature(signed))
        registry.load("m/many", "v2", DB)
        registry.load("m/many", cosign_tag(DB.digest), cosign_signature(DB))
        # nothing can be put back either, as after a kill
        dead = Fault("DELETE|PUT", "/manifests/", "status", times=None, skip=after, status=503)
        registry.faults.append(dead)
        delete(registry, "m/many:v1", "m/many:v2", wire=WireOptions(retries=0))
        assert registry.verify() == []
        dead.times = dead.fired
        assert delete(registry, "m/many:v1", "m/many:v2").failures == []
        assert set(registry.tags("m/many")) == {"stays", cosign_tag(signed.digest)}
        assert not delete(registry, "m/many:v1", "m/many:v2").changed


class TestPlanFile:
    def test_the_list_names_what_goes_and_is_taken_again(self, registry, tmp_path):
        plan = tmp_path / "delete-images.yaml"
        registry.load("m/app", "v1", APP)
        registry.load("m/app", cosign_tag(APP.digest), cosign_signature(APP))
        registry.load("m/db", "v1", DB)
        registry.load("m/db", "stays", DB)
        places = ("m/app:v1", "m/db:v1", "m/none:v1")
        delete(registry, *places, plan_file=str(plan), dry_run=True)
        foretold = plan.read_bytes()
        # what shares its image with a tag that stays is not in there: oc-mirror would delete both
        assert [str(item.reference).partition("/")[2] for item in load_delete_list(plan)] == [
            f"m/app:{cosign_tag(APP.digest)}",
            "m/app:v1",
        ]
        delete(registry, listed=lambda _registry: str(plan))
        assert registry.manifests("m/app") == {}
        assert set(registry.tags("m/db")) == {"v1", "stays"}
        delete(registry, "m/none:v1", plan_file=str(plan))
        assert plan.read_bytes() != foretold
        assert yaml.safe_load(plan.read_text())["items"] == []

    def test_a_place_that_cannot_be_written_ends_the_run_before_anything_goes(self, registry, tmp_path):
        registry.load("m/app", "v1", APP)
        with pytest.raises(AirgapError, match="write"):
            delete(registry, "m/app:v1", plan_file=str(tmp_path / "none" / "list.yaml"))
        assert set(registry.tags("m/app")) == {"v1"}


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"destination": ""}, "destination"),
            ({"destination": "file:///tmp/x"}, "deleted in registries"),
            ({"state": "gone"}, "neither absent nor pruned"),
            ({"delete_list": None}, "both are missing"),
            ({"image_set": {}}, "both are given"),
            ({"max_nested_paths": -1}, "less than 0"),
            ({"state": "pruned"}, "delete_list"),
            ({"state": "pruned", "delete_list": None}, "image_set"),
        ],
    )
    def test_what_does_not_fit_together_is_refused(self, distribution, options, words):
        with pytest.raises(InputError, match=words):
            delete(distribution, "m/app:v1", **options)
        assert distribution.requests == []

    def test_nothing_outside_the_destination_is_touched(self, registry):
        registry.load("other/app", "v1", APP)
        with pytest.raises(InputError, match="does not lie below"):
            delete(registry, "other/app:v1")
        assert set(registry.tags("other/app")) == {"v1"}

    def test_shortened_names_are_deleted_too(self, registry):
        registry.load("m/lab-deep-app", "v1", APP)
        assert states(delete(registry, "m/lab-deep-app:v1", max_nested_paths=2)) == {"m/lab-deep-app:v1": "deleted"}
