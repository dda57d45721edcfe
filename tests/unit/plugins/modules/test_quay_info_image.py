# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What quay_info tells of one image: labels, layers, vulnerabilities, pull statistics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.modules import quay_info
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay import pull_statistics, security
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay
from ansible_collections.quayside.airgap.tests.support.images import image, layer, multi_arch, simple_image

Ask = Callable[..., dict[str, Any]]
IMAGE = image([layer("base", 10), layer("app", 10)], config={"Labels": {"maintainer": "somebody"}})
LIST = multi_arch("app", ["linux/amd64", "linux/arm/v7"])
SCANNING = {"SECURITY_SCANNER": True, "IMAGE_PULL_STATS": True}


@pytest.fixture
def quay(request: pytest.FixtureRequest) -> Iterator[SandboxQuay]:
    """A Quay with a scanner, which counts pulls, with an image and a list of images."""
    with SandboxQuay(QuayOptions(**{"features": SCANNING, **getattr(request, "param", {})})) as server:
        server.add_user("quayadmin", "password1", superuser=True)
        server.add_user("alice")
        server.add_organization("prod", owner="quayadmin")
        server.add_repository("prod/app", creator="quayadmin")
        server.load("prod/app", "1.0", IMAGE)
        server.load("prod/app", "multi", LIST)
        yield server


@pytest.fixture
def info(ask: Ask) -> Ask:
    """``info("labels", "layers")`` of prod/app:1.0, or of another image."""

    def run(*gather: str, **options: Any) -> dict[str, Any]:
        told = ask(quay_info, gather=list(gather), **{"image": "prod/app:1.0", **options})
        assert told.get("changed") is not True
        return told

    return run


def test_labels(info: Ask) -> None:
    (label,) = info("labels")["labels"]
    assert label.pop("id")
    assert label == {"key": "maintainer", "value": "somebody", "source_type": "manifest", "media_type": "text/plain"}
    assert info("labels", image="prod/app:multi")["labels"] == []


def test_layers(info: Ask) -> None:
    first, second = info("layers", image=f"prod/app@{IMAGE.digest}")["layers"]
    assert first == {
        "index": 0,
        "blob_digest": IMAGE.blobs[0].digest,
        "compressed_size": IMAGE.blobs[0].size,
        "command": ["layer 0"],
        "comment": None,
        "author": None,
        "created_datetime": "2024-01-01T00:00:00Z",
        "is_remote": False,
        "urls": None,
    }
    assert second["index"] == 1


def test_a_list_of_images_has_no_layers(info: Ask) -> None:
    told = info("layers", image="prod/app:multi")["msg"]
    assert "a list of images for several platforms, which has no layers of its own. Name one of its images by digest: " in told
    assert f"{LIST.children[0].digest} (linux/amd64), {LIST.children[1].digest} (linux/arm/v7)." in told
    assert len(info("layers", image=f"prod/app@{LIST.children[1].digest}")["layers"]) == 2


def test_layers_that_do_not_fit_their_history(info: Ask, quay: SandboxQuay) -> None:
    body = '{"message": "The requested URL was not found on the server. If you entered the URL manually please check your spelling."}'
    quay.faults.append(Fault("GET", "/manifest/", "status", status=404, body=body, content_type="application/json"))
    assert "its history does not fit its layers" in info("layers")["msg"]


def test_vulnerabilities(info: Ask, quay: SandboxQuay) -> None:
    found = [
        security.vulnerability("CVE-2021-3520", "Critical", fixed_by="1.8.4", score=9.8, description="An overflow."),
        security.vulnerability("CVE-2019-17543", "Medium"),
    ]
    packages = [security.package("zlib", "1.2"), security.package("lz4-libs", "1.8.3", found, added_by=IMAGE.blobs[0].digest)]
    security.scanned(quay.world.repositories["prod/app"], IMAGE.digest, packages)
    told = info("vulnerabilities")["vulnerabilities"]
    assert (told["status"], told["totals"]) == ("scanned", {"Critical": 1, "Medium": 1})
    (package,) = told["packages"]
    assert (package["name"], package["version"], package["added_by"]) == ("lz4-libs", "1.8.3", IMAGE.blobs[0].digest)
    assert package["vulnerabilities"][0]["score"] is None
    assert package["vulnerabilities"][1] == {
        "name": "CVE-2021-3520",
        "severity": "Critical",
        "fixed_by": "1.8.4",
        "score": 9.8,
        "link": "https://security.example.com/CVE-2021-3520",
        "description": "An overflow.",
    }


def test_an_image_without_a_report(info: Ask) -> None:
    assert info("vulnerabilities")["vulnerabilities"] == {"status": "queued", "totals": {}, "packages": []}
    assert info("vulnerabilities", image="prod/app:multi")["vulnerabilities"]["status"] == "unsupported"


def test_a_report_of_an_older_scanner(info: Ask, quay: SandboxQuay) -> None:
    """Clair before version 4 leaves things out."""
    older = {"Name": "lz4-libs", "Version": "1.8.3", "Vulnerabilities": [{"Name": "CVE-2019-17543", "Metadata": None}]}
    security.scanned(quay.world.repositories["prod/app"], IMAGE.digest, [older])
    told = info("vulnerabilities")["vulnerabilities"]
    assert told["totals"] == {"Unknown": 1}
    assert told["packages"][0]["vulnerabilities"][0]["score"] is None


def test_pull_statistics(info: Ask, quay: SandboxQuay) -> None:
    never = info("pull_statistics")["pull_statistics"]
    assert (never["tag_pull_count"], never["last_tag_pull_date"], never["manifest_pull_count"]) == (0, None, 0)
    repository = quay.world.repositories["prod/app"]
    pull_statistics.pulled(repository, IMAGE.digest, tag="1.0", times=3, last=1767225600)
    pull_statistics.pulled(repository, IMAGE.digest, times=2, last=1767312000)
    expected = {"manifest_digest": IMAGE.digest, "manifest_pull_count": 5, "last_manifest_pull_date": "2026-01-02T00:00:00Z"}
    by_tag = {"tag_name": "1.0", "tag_pull_count": 3, "last_tag_pull_date": "2026-01-01T00:00:00Z"}
    assert info("pull_statistics")["pull_statistics"] == {**expected, **by_tag}
    assert info("pull_statistics", image=f"prod/app@{IMAGE.digest}")["pull_statistics"] == expected


def test_pulls_of_a_tag_that_has_moved_since(info: Ask, quay: SandboxQuay) -> None:
    former = IMAGE.digest
    pull_statistics.pulled(quay.world.repositories["prod/app"], former, tag="1.0")
    now = quay.load("prod/app", "1.0", simple_image("next"))
    told = info("pull_statistics")["pull_statistics"]
    assert (told["manifest_digest"], told["manifest_pull_count"], told["tag_pull_count"]) == (now, 0, 1)


def test_all_at_once_costs_one_look_at_the_tag(info: Ask, quay: SandboxQuay) -> None:
    told = info("labels", "layers", "pull_statistics", "vulnerabilities")
    assert {"labels", "layers", "pull_statistics", "vulnerabilities"} <= told.keys()
    assert quay.api_calls == 5


def test_who_may_read_the_repository_may_ask(info: Ask, quay: SandboxQuay) -> None:
    quay.permit("prod/app", "alice", "read")
    assert "labels" in info("labels", quay_token=quay.token("alice", "repo:read"))
    assert "may not do this" in info("labels", quay_token=quay.token("alice", "user:read"))["msg"]


@pytest.mark.parametrize("word", ["labels", "layers", "pull_statistics", "vulnerabilities"])
def test_an_image_that_is_not_there(info: Ask, quay: SandboxQuay, word: str) -> None:
    assert "Could not find the image prod/app:nope" in info(word, image="prod/app:nope")["msg"]
    assert "Could not find the image prod/app:latest" in info(word, image="prod/app")["msg"]
    assert "there is no such repository" in info(word, image="prod/nope:1.0")["msg"]
    assert "there is no such image" in info(word, image=f"prod/app@sha256:{'2' * 64}")["msg"]
    assert "it is missing. Say which image is meant" in info(word, image=None)["msg"]


@pytest.mark.parametrize(
    ("quay", "word", "words"),
    [
        ({"features": {}}, "vulnerabilities", "Set FEATURE_SECURITY_SCANNER: true in its config.yaml."),
        ({"features": {}}, "pull_statistics", "Set FEATURE_IMAGE_PULL_STATS: true in its config.yaml (Quay 3.16 and later)."),
        ({"version": "3.15"}, "pull_statistics", "It needs Quay 3.16 or later with FEATURE_IMAGE_PULL_STATS: true."),
    ],
    indirect=["quay"],
)
def test_what_this_quay_does_not_have_is_not_tried(info: Ask, quay: SandboxQuay, word: str, words: str) -> None:
    """An unknown path below a repository would be taken for another repository."""
    assert words in info("labels", word)["msg"]
    assert not quay.select(path="/repository/")
