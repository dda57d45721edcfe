# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a user writes to what the engine copies."""

from __future__ import annotations

from collections import Counter

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import HttpSettings
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import CredentialStore
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries import Registries
from ansible_collections.quayside.airgap.plugins.module_utils.registry.selection import (
    Patterns,
    Selection,
    Shard,
    expand,
    understand,
)
from ansible_collections.quayside.airgap.tests.sandbox.registry import RegistryOptions, SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.images import cosign_signature, cosign_tag, simple_image

DIGEST = "sha256:" + "ab" * 32
DESTINATION = "dest.lab:5000/mirror"


@pytest.fixture
def registry():
    with SandboxRegistry(RegistryOptions(page_size=3)) as found:
        for repository in ("prod/app", "prod/web", "prod/deep/er", "dev/app"):
            for tag in ("1.0", "1.1", "2.0-rc1", "latest"):
                found.load(repository, tag, simple_image(f"{repository}{tag}", layers=1, size=100))
        signed = simple_image("prod/app1.0", layers=1, size=100)
        found.load("prod/app", cosign_tag(signed.digest), cosign_signature(signed))
        yield found


@pytest.fixture
def sources(tmp_path):
    store = CredentialStore(environment={"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)})
    registries = Registries(HttpSettings(tls=TlsSettings(verify=False)), {"": store})
    yield registries
    registries.close()


def requests(selection, sources):
    with WorkerPool(4) as pool:
        return expand(selection, understand(selection), sources, pool)


def pairs(selection, sources):
    return [(str(request.source), [str(place) for place in request.destinations]) for request in requests(selection, sources).requests]


@pytest.mark.parametrize(
    ("item", "source", "destination"),
    [
        ("quay.io/team/app:1", "quay.io/team/app:1", f"{DESTINATION}/team/app:1"),
        (f"quay.io/team/app@{DIGEST}", f"quay.io/team/app@{DIGEST}", f"{DESTINATION}/team/app:sha256-{'ab' * 32}"),
        (f"quay.io/team/app:1@{DIGEST}", f"quay.io/team/app:1@{DIGEST}", f"{DESTINATION}/team/app:1"),
        ({"source": "quay.io/team/app:1", "destination": "other/name"}, "quay.io/team/app:1", f"{DESTINATION}/other/name:1"),
        ({"source": "quay.io/team/app:1", "destination": "other/name:2"}, "quay.io/team/app:1", f"{DESTINATION}/other/name:2"),
        ({"source": "quay.io/team/app:1", "destination": "x.lab/name:2"}, "quay.io/team/app:1", "x.lab/name:2"),
        ("busybox:1", "docker.io/library/busybox:1", f"{DESTINATION}/library/busybox:1"),
    ],
)
def test_every_form_of_an_entry(sources, item, source, destination):
    assert pairs(Selection(images=[item], destinations=[DESTINATION]), sources) == [(source, [destination])]


def test_images_lie_under_the_source_and_keep_their_path_from_there(sources):
    selection = Selection(images=["app:1", "other.io/x:1"], source="quay.io/prod", destinations=["a.lab", "b.lab/m"])
    assert pairs(selection, sources) == [
        ("quay.io/prod/app:1", ["a.lab/app:1", "b.lab/m/app:1"]),
        ("other.io/x:1", ["a.lab/x:1", "b.lab/m/x:1"]),
    ]


def test_a_repository_without_a_tag_means_all_that_the_patterns_allow(sources, registry):
    item = {"source": f"{registry.host}/prod/app", "exclude_tags": "*-rc*"}
    found = requests(Selection(images=[item], destinations=[DESTINATION]), sources).requests
    assert [request.source.tag for request in found] == ["1.0", "1.1", "latest"]
    selection = Selection(images=[f"{registry.host}/prod/app"], destinations=[DESTINATION], tags=Patterns(("1.*", "2.*"), ("1.1",)))
    assert [request.source.tag for request in requests(selection, sources).requests] == ["1.0", "2.0-rc1"]


def test_discovery_takes_what_lies_under_the_source(sources, registry):
    selection = Selection(
        source=f"{registry.host}/prod", destinations=[DESTINATION], discover=Patterns((), ("deep/*",)), tags=Patterns(("latest",))
    )
    assert [place for _source, places in pairs(selection, sources) for place in places] == [
        f"{DESTINATION}/app:latest",
        f"{DESTINATION}/web:latest",
    ]


def test_what_matches_nothing_is_said(sources, registry):
    selection = Selection(source=f"{registry.host}/none", destinations=[DESTINATION], discover=Patterns())
    assert "lists no repository" in requests(selection, sources).warnings[0]
    selection = Selection(images=[f"{registry.host}/prod/app"], destinations=[DESTINATION], tags=Patterns(("9.*",)))
    assert "no tag that the patterns allow" in requests(selection, sources).warnings[0]


def test_a_repository_that_is_not_there_is_a_failure_of_its_own(sources, registry):
    images = [f"{registry.host}/prod/ghost", f"{registry.host}/prod/app:1.0"]
    expansion = requests(Selection(images=images, destinations=[DESTINATION]), sources)
    assert [str(request.source.tag) for request in expansion.requests] == ["1.0"]
    assert "prod/ghost" in expansion.failures[0][0]
    assert "NAME_UNKNOWN" in str(expansion.failures[0][1])


def test_shards_cover_everything_exactly_once(sources, registry):
    seen = Counter()
    for index in range(3):
        selection = Selection(source=registry.host, destinations=[DESTINATION], discover=Patterns(), shard=Shard(index, 3))
        seen.update(request.source for request in requests(selection, sources).requests)
    assert len(seen) == 16
    assert set(seen.values()) == {1}


@pytest.mark.parametrize(("index", "count"), [(-1, 2), (2, 2), (0, 0)])
def test_a_shard_that_does_not_exist_is_refused(index, count):
    with pytest.raises(InputError, match="index counts from 0"):
        Shard(index, count)


def test_all_faults_are_told_at_once_each_with_its_place():
    selection = Selection(
        images=["quay.io/Team/app:1", "quay.io/ok:1", {"src": "x"}, 7, {"source": "a.io/b:1", "platforms": ["linux"]}],
        destinations=["dest.lab", "not a host"],
        platforms=["x"],
    )
    with pytest.raises(InputError) as error:
        understand(selection)
    message = str(error.value)
    for part in ("images[0]", "upper-case", "images[2]", "unknown key src", "images[3]", "images[4]", "'linux'", "not a host", "'x'"):
        assert part in message
    assert "images[1]" not in message


@pytest.mark.parametrize(
    ("selection", "why"),
    [
        (Selection(destinations=[DESTINATION]), "there are none"),
        (Selection(images=["a.io/b:1"]), "it has no destination"),
        (Selection(discover=Patterns(), destinations=[DESTINATION]), "needs the option source"),
        (Selection(discover=Patterns(), source="a.io"), "needs the option destination"),
        (Selection(images=[{"source": "a.io/b", "destination": "c.io/d:1"}]), "must have no tag"),
        (Selection(images=[{"source": "a.io/b:1", "destination": f"c.io/d@{DIGEST}"}]), "has a digest"),
        (Selection(images=[{"source": "a.io/b:1", "destination": "d:1"}]), "has no registry"),
    ],
)
def test_contradictions_are_refused(selection, why):
    with pytest.raises(InputError) as error:
        understand(selection)
    assert why in str(error.value)


@pytest.mark.parametrize(
    ("images", "why"),
    [
        (["a.io/x:1", "b.io/x:1"], "so would a.io/x:1"),
        ([{"source": "a.io/x:1", "platforms": ["linux/amd64"]}, "a.io/x:1"], "with other platforms"),
        ([{"source": "a.io/x:1", "destination": "a.io/x:1"}], "are the same"),
    ],
)
def test_two_images_for_one_place_are_refused(sources, images, why):
    with pytest.raises(InputError, match=why):
        requests(Selection(images=images, destinations=["dest.lab"]), sources)


def test_an_image_named_twice_is_copied_once(sources):
    assert len(pairs(Selection(images=["a.io/x:1", "a.io/x:1"], destinations=["dest.lab"]), sources)) == 1
