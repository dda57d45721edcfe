# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sandbox Quay tells of images beside their content: the scanner's reports and how often they were pulled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.quayside.airgap.tests.sandbox.quay import pull_statistics, security
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay
from ansible_collections.quayside.airgap.tests.support.images import multi_arch, simple_image
from ansible_collections.quayside.airgap.tests.unit.sandbox.quay_calls import Caller, running_quay

ONE, LIST = simple_image("one"), multi_arch("list")
MANIFEST = "/repository/team/app/manifest/"
TAG = "/repository/team/app/tag/"


@pytest.fixture
def quay(request: pytest.FixtureRequest) -> Iterator[SandboxQuay]:
    options = {"features": {"SECURITY_SCANNER": True, "IMAGE_PULL_STATS": True}, **getattr(request, "param", {})}
    with running_quay(**options) as found:
        found.add_repository("team/app")
        found.load("team/app", "1", ONE)
        found.load("team/app", "list", LIST)
        yield found


@pytest.fixture
def ask(quay: SandboxQuay) -> Caller:
    return Caller(quay)


def test_a_report_is_there_when_the_scanner_is_done(quay: SandboxQuay, ask: Caller) -> None:
    path = f"{MANIFEST}{ONE.digest}/security"
    assert ask("GET", path, vulnerabilities="true") == (200, {"status": "queued", "data": None})
    found = [security.vulnerability("CVE-2019-17543", "Medium", score=8.1)]
    security.scanned(quay.world.repositories["team/app"], ONE.digest, [security.package("lz4-libs", "1.8.3", found)])
    status, report = ask("GET", path, vulnerabilities="true")
    assert (status, report["status"]) == (200, "scanned")
    (package,) = report["data"]["Layer"]["Features"]
    assert (package["BaseScores"], package["CVEIds"]) == ([8.1], ["CVE-2019-17543"])
    assert package["Vulnerabilities"][0]["Metadata"]["NVD"]["CVSSv3"]["Score"] == 8.1


def test_lists_are_not_scanned(ask: Caller) -> None:
    assert ask("GET", f"{MANIFEST}{LIST.digest}/security") == (200, {"status": "unsupported", "data": None})
    assert ask("GET", f"{MANIFEST}{LIST.children[0].digest}/security") == (200, {"status": "queued", "data": None})


def test_reports_outlive_the_tag_but_pull_statistics_do_not(ask: Caller) -> None:
    assert ask("DELETE", f"{TAG}1")[0] == 204
    assert ask("GET", f"{MANIFEST}{ONE.digest}/security")[0] == 200
    assert ask("GET", f"{MANIFEST}{ONE.digest}/pull_statistics") == (404, "Not Found")
    assert ask("GET", f"{TAG}1/pull_statistics") == (404, "Not Found")
    assert ask("GET", f"{MANIFEST}sha256:{'2' * 64}/security") == (404, "Not Found")


def test_pulls_by_tag_are_pulls_of_the_manifest_too(quay: SandboxQuay, ask: Caller) -> None:
    unknown = {"manifest_digest": ONE.digest, "manifest_pull_count": 0, "last_manifest_pull_date": None}
    assert ask("GET", f"{MANIFEST}{ONE.digest}/pull_statistics") == (200, unknown)
    repository = quay.world.repositories["team/app"]
    pull_statistics.pulled(repository, ONE.digest, tag="1", times=2, last=1767225600)
    pull_statistics.pulled(repository, ONE.digest, last=1767312000)
    assert ask("GET", f"{TAG}1/pull_statistics") == (
        200,
        {
            "tag_name": "1",
            "tag_pull_count": 2,
            "last_tag_pull_date": "Thu, 01 Jan 2026 00:00:00 -0000",
            "current_manifest_digest": ONE.digest,
            "manifest_pull_count": 3,
            "last_manifest_pull_date": "Fri, 02 Jan 2026 00:00:00 -0000",
        },
    )
    quay.load("team/app", "1", LIST)
    moved = ask("GET", f"{TAG}1/pull_statistics")[1]
    assert (moved["tag_pull_count"], moved["manifest_pull_count"], moved["current_manifest_digest"]) == (2, 0, ONE.digest)


def test_who_may_not_read_gets_neither(quay: SandboxQuay) -> None:
    for path in (f"{MANIFEST}{ONE.digest}/security", f"{MANIFEST}{ONE.digest}/pull_statistics", f"{TAG}1/pull_statistics"):
        assert Caller(quay, "bob")("GET", path)[0] == 403
        assert Caller(quay, "")("GET", path)[0] == 401


@pytest.mark.parametrize("quay", [{"features": {}}], indirect=True)
def test_switched_off_their_paths_mean_another_repository(quay: SandboxQuay, ask: Caller) -> None:
    name = f"app/manifest/{ONE.digest}/security"
    assert ask("GET", f"/repository/team/{name}") == (404, "Not Found")
    quay.add_repository(f"team/{name}")
    assert ask("GET", f"/repository/team/{name}")[1]["name"] == name


@pytest.mark.parametrize(("quay", "known"), [({"version": "3.15"}, False), ({}, True)], indirect=["quay"])
def test_pulls_are_counted_since_3_16(ask: Caller, known: bool) -> None:
    paths = ask("GET", "/discovery")[1]["paths"]
    assert ("/api/v1/repository/{repository}/tag/{tag}/pull_statistics" in paths) is known
    assert "/api/v1/repository/{repository}/manifest/{manifestref}/security" in paths
