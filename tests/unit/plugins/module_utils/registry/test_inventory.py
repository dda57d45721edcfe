# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry holds, as far as it shows it."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import Access
from ansible_collections.quayside.airgap.plugins.module_utils.registry.inventory import Inventory
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault, User
from ansible_collections.quayside.airgap.tests.support.images import artifact, index, multi_arch, referrers_tag, simple_image
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOT, make_client

APP, MANY = simple_image("app"), multi_arch("many")
NESTED = index([MANY, simple_image("inner")])
SBOM = artifact("application/spdx+json", b"{}", subject=APP)


@pytest.fixture
def take_stock():
    """Makes inventories of registries; they end with the test."""
    pool = WorkerPool(4)

    def make(registry, credentials=None):
        return Inventory(make_client(registry, credentials, access=Access.LOOK), pool)

    with pool:
        yield make


def test_tags_with_their_manifests_and_what_indexes_list(start, take_stock):
    registry = start()
    registry.load("a", "v1", APP)
    registry.load("a", "same", APP)
    registry.load("a", "nested", NESTED)
    registry.load("b/c", "v1", MANY)
    held = take_stock(registry).read(["a", "b/c", "none"])
    assert held["a"].tags == {"v1": APP.digest, "same": APP.digest, "nested": NESTED.digest}
    assert held["a"].closure([NESTED.digest]) == {image.digest for image in NESTED.walk()}
    assert held["b/c"].manifests[MANY.digest].children == tuple(child.digest for child in MANY.children)
    assert [held[name].there for name in held] == [True, True, False]
    # images that an index lists are not fetched, indexes are
    assert registry.count(method="GET", path=MANY.children[0].digest) == 0
    assert registry.count(method="GET", path=f"/a/manifests/{MANY.digest}") == 1


def test_repositories_are_those_that_are_wanted(start, take_stock):
    registry = start(page_size=2)
    for name in ("m/a", "m/b", "m/c", "mm/d"):
        registry.load(name, "v1", APP)
    assert take_stock(registry).repositories(lambda name: name.startswith("m/")) == ["m/a", "m/b", "m/c"]
    with pytest.raises(AirgapError, match="list the repositories"):
        take_stock(start(catalog=False)).repositories(bool)


def test_repositories_without_anything_that_matters_cost_one_request(start, take_stock):
    registry = start()
    registry.load("a", "v1", APP)
    held = take_stock(registry).read(["a"], lambda name, tags: (name, tags) != ("a", {"v1"}))
    assert held["a"].tags == {"v1": ""}
    assert registry.count(path="/manifests/") == 0


def test_a_repository_that_may_not_exist_is_not_made(start, take_stock):
    registry = start(auth="token", users={"bot": User("secret", {"*": "pull"})})
    registry.load("a", "v1", APP)
    held = take_stock(registry, BOT).read(["a", "hidden"])
    assert (held["hidden"].there, held["hidden"].hidden, held["hidden"].error) == (False, True, None)
    assert held["a"].tags == {"v1": APP.digest}
    assert registry.repositories == ["a"]


def test_what_goes_wrong_costs_one_repository(start, take_stock):
    registry = start()
    registry.load("a", "v1", APP)
    registry.load("b", "v1", APP)
    registry.faults.append(Fault("GET", "/a/manifests/v1", "status", times=None, status=403))
    held = take_stock(registry).read(["a", "b"])
    assert "403" in str(held["a"].error)
    assert held["b"].error is None


def test_a_manifest_that_nobody_understands_is_known_by_its_digest(start, take_stock):
    registry = start()
    registry.load("a", "v1", APP)
    registry.faults.append(Fault("GET", "/a/manifests/v1", "garbage", times=None, body="{}", content_type="application/json"))
    held = take_stock(registry).read(["a"])["a"]
    assert held.tags == {"v1": APP.digest}
    assert held.manifests[APP.digest].unreadable


def test_indexes_without_end_are_refused(start, take_stock):
    registry = start()
    deep = APP
    for _level in range(10):
        deep = index([deep])
    registry.load("a", "v1", deep)
    assert "more than 8 deep" in str(take_stock(registry).read(["a"])["a"].error)


def test_looking_again_reads_only_what_is_new(start, take_stock):
    registry = start()
    registry.load("a", "v1", APP)
    registry.load("a", "moves", APP)
    registry.load("a", "goes", MANY)
    inventory = take_stock(registry)
    held = inventory.read(["a"])["a"]
    registry.load("a", "moves", NESTED)
    registry.load("a", "new", APP)
    registry.storage.delete_tag("a", "goes")
    registry.reset_log()
    inventory.look_again([held])
    assert held.tags == {"v1": APP.digest, "moves": NESTED.digest, "new": APP.digest}
    assert [request.path.rpartition("/")[2] for request in registry.select(method="GET", path="/manifests/")] == ["moves"]


@pytest.mark.parametrize("quirks", ["distribution", "quay"])
def test_referrers_are_asked_for_once_and_checked(start, take_stock, quirks):
    registry = start(quirks=quirks)
    registry.load("a", "v1", APP)
    registry.load("a", None, SBOM)
    inventory = take_stock(registry)
    held = inventory.read(["a"])["a"]
    inventory.ask_for_referrers([(held, [APP.digest, MANY.digest])])
    inventory.ask_for_referrers([(held, [APP.digest])])
    assert held.referrers == {APP.digest: (SBOM.digest,), MANY.digest: ()}
    assert held.manifests[SBOM.digest].subject == APP.digest
    assert registry.count(path=f"/referrers/{APP.digest}") == 1
    inventory.find([(held, [MANY.digest, SBOM.digest])])
    assert held.missing == {MANY.digest}


class TestListsOfReferrers:
    def listed(self, registry, take_stock, tag, image):
        registry.load("a", tag, image)
        return take_stock(registry).read(["a"])["a"].subject_of(tag)

    def test_an_index_of_referrers_is_one(self, start, take_stock):
        assert self.listed(start(), take_stock, referrers_tag(APP.digest), index([SBOM])) == APP.digest

    def test_also_when_some_of_it_is_gone(self, start, take_stock):
        registry = start(sparse_indexes=True)
        registry.load("a", "v1", APP)
        tag = referrers_tag(APP.digest)
        registry.load("a", tag, index([SBOM]))
        registry.storage.delete_manifest("a", SBOM.digest)
        held = take_stock(registry).read(["a"])["a"]
        assert (held.subject_of(tag), held.missing) == (APP.digest, {SBOM.digest})

    @pytest.mark.parametrize(
        ("tag", "image"),
        [
            (referrers_tag(APP.digest), APP),
            (referrers_tag(MANY.digest), index(MANY.children[:1])),
            (referrers_tag(MANY.digest), index([SBOM])),
            (referrers_tag(APP.digest), index([SBOM, MANY.children[0]])),
            (referrers_tag(APP.digest), SBOM),
            ("v1", index([SBOM])),
            (referrers_tag(APP.digest), index([])),
        ],
    )
    def test_what_else_has_such_a_tag_is_none(self, start, take_stock, tag, image):
        assert self.listed(start(), take_stock, tag, image) is None
