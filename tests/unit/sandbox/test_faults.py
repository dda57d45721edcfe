# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault does what it says, to the requests that it is meant for and to no other."""

from __future__ import annotations

import time
from urllib.parse import urljoin

import pytest
import requests

from ansible_collections.quayside.airgap.tests.sandbox.faults import KINDS
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault, SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.image_builders import Image, blob, sha256, simple_image
from ansible_collections.quayside.airgap.tests.unit.sandbox.helpers import TIME_LIMIT, Start, body_of, received, upload

SIZE = 300_000


@pytest.fixture
def image() -> Image:
    return simple_image("faulty", layers=1, size=SIZE)


@pytest.fixture
def registry(start: Start, image: Image) -> SandboxRegistry:
    made = start()
    made.load("app", "v1", image)
    return made


@pytest.fixture
def blob_url(registry: SandboxRegistry, image: Image) -> str:
    return f"{registry.url}/v2/app/blobs/{image.blobs[0].digest}"


@pytest.fixture
def manifest_url(registry: SandboxRegistry) -> str:
    return f"{registry.url}/v2/app/manifests/v1"


@pytest.mark.parametrize("cut", [0, 1, 1000, 299_999])
def test_reset_ends_an_answer_after_exactly_so_many_bytes(registry: SandboxRegistry, blob_url: str, image: Image, cut: int) -> None:
    registry.faults.append(Fault("GET", "/blobs/", "reset", after_bytes=cut))
    data, ending = received(blob_url)
    assert (len(body_of(data)), ending) == (cut, "reset")
    assert f"Content-Length: {image.blobs[0].size}".encode() in data
    assert registry.requests[-1].fault == "reset"
    assert registry.requests[-1].bytes_out == cut


def test_reset_without_a_number_comes_before_any_answer(registry: SandboxRegistry, blob_url: str) -> None:
    registry.faults.append(Fault("GET", "/blobs/", "reset"))
    assert received(blob_url) == (b"", "reset")
    assert registry.requests[-1].status == 0


def test_reset_in_the_middle_of_an_upload(registry: SandboxRegistry, session: requests.Session) -> None:
    data = blob("up", SIZE)
    registry.faults.append(Fault("PUT", "/uploads/", "reset", after_bytes=100_000))
    with pytest.raises(requests.ConnectionError):
        upload(session, registry.url, "app", data, sha256(data))
    assert registry.select(method="PUT")[0].bytes_in == 100_000
    assert sha256(data) not in registry.blobs
    assert upload(session, registry.url, "app", data, sha256(data)).status_code == 201


def test_an_interrupted_chunk_can_be_resumed_where_the_registry_allows_it(start: Start, session: requests.Session) -> None:
    registry = start(quirks="quay")
    data = blob("up", SIZE)
    started = session.post(f"{registry.url}/v2/app/blobs/uploads/", timeout=TIME_LIMIT)
    location = urljoin(started.url, started.headers["Location"])
    registry.faults.append(Fault("PATCH", "/uploads/", "reset", after_bytes=100_000))
    with pytest.raises(requests.ConnectionError):
        session.patch(location, data=data, timeout=TIME_LIMIT)
    status = session.get(location, timeout=TIME_LIMIT)
    assert (status.status_code, status.headers["Range"]) == (204, "bytes=0-100000")
    rest = {"Content-Range": f"100000-{SIZE - 1}"}
    assert session.patch(location, data=data[100_000:], headers=rest, timeout=TIME_LIMIT).status_code == 202
    assert session.put(location, params={"digest": sha256(data)}, timeout=TIME_LIMIT).status_code == 201
    assert registry.verify() == []


def test_truncate_closes_early(registry: SandboxRegistry, blob_url: str, image: Image) -> None:
    registry.faults.extend([Fault("GET", "/blobs/", "truncate", after_bytes=70_000), Fault("GET", "/blobs/", "truncate")])
    for expected in (70_000, image.blobs[0].size // 2):
        data, ending = received(blob_url)
        assert (len(body_of(data)), ending) == (expected, "closed")


def test_status_with_retry_after_and_html(registry: SandboxRegistry, blob_url: str, session: requests.Session) -> None:
    registry.faults.extend(
        [
            Fault("GET", "/blobs/", "status", status=429, retry_after=7),
            Fault("GET", "/blobs/", "status", status=500, body='{"errors":[]}', content_type="application/json"),
        ]
    )
    first, second, third = (session.get(blob_url, timeout=TIME_LIMIT) for _number in range(3))
    assert (first.status_code, first.headers["Retry-After"], first.headers["Content-Type"]) == (429, "7", "text/html")
    assert "429 Too Many Requests" in first.text
    assert (second.status_code, second.text, "Retry-After" in second.headers) == (500, '{"errors":[]}', False)
    assert third.status_code == 200


def test_slow_answers_and_slow_uploads(registry: SandboxRegistry, blob_url: str, session: requests.Session) -> None:
    data = blob("up", 4 * 65536)
    registry.faults.append(Fault("GET", "/blobs/", "slow", delay=0.02))
    registry.faults.append(Fault("PUT", "/uploads/", "slow", delay=0.02))
    began = time.monotonic()
    assert sha256(session.get(blob_url, timeout=TIME_LIMIT).content) in blob_url
    downloaded = time.monotonic() - began
    assert upload(session, registry.url, "app", data, sha256(data)).status_code == 201
    uploaded = time.monotonic() - began - downloaded
    assert downloaded >= 4 * 0.02
    assert uploaded >= 4 * 0.02


def test_stall_keeps_silent(registry: SandboxRegistry, blob_url: str, session: requests.Session) -> None:
    registry.faults.append(Fault("GET", "/blobs/", "stall"))
    registry.faults.append(Fault("GET", "/blobs/", "stall", after_bytes=10, delay=0.1))
    with pytest.raises(requests.ReadTimeout):
        session.get(blob_url, timeout=0.1)
    data, ending = received(blob_url)
    assert (len(body_of(data)), ending) == (10, "closed")


def test_wrong_digest_changes_one_byte(registry: SandboxRegistry, blob_url: str, session: requests.Session, image: Image) -> None:
    registry.faults.append(Fault("GET", "/blobs/", "wrong_digest"))
    wrong = session.get(blob_url, timeout=TIME_LIMIT)
    right = session.get(blob_url, timeout=TIME_LIMIT).content
    assert wrong.headers["Docker-Content-Digest"] == image.blobs[0].digest == sha256(right)
    assert len(wrong.content) == len(right)
    assert sum(a != b for a, b in zip(wrong.content, right)) == 1


def test_wrong_manifest_is_a_correct_manifest_of_another_digest(
    registry: SandboxRegistry, manifest_url: str, session: requests.Session, image: Image
) -> None:
    registry.faults.append(Fault("GET", "/manifests/", "wrong_manifest"))
    wrong = session.get(manifest_url, timeout=TIME_LIMIT)
    assert wrong.json() == image.manifest
    assert sha256(wrong.content) != image.digest == wrong.headers["Docker-Content-Digest"]
    assert session.get(manifest_url, timeout=TIME_LIMIT).content == image.body


def test_garbage(registry: SandboxRegistry, manifest_url: str, session: requests.Session) -> None:
    registry.faults.append(Fault("GET", "/manifests/", "garbage"))
    registry.faults.append(Fault("GET", "/manifests/", "garbage", body=b"{", content_type="application/json"))
    first, second = (session.get(manifest_url, timeout=TIME_LIMIT) for _number in range(2))
    assert (first.status_code, first.headers["Content-Type"]) == (200, "text/html")
    assert (second.status_code, second.content) == (200, b"{")


def test_lost_blob_vanishes_after_it_was_seen(registry: SandboxRegistry, blob_url: str, session: requests.Session, image: Image) -> None:
    registry.load("copy", "v1", image)
    registry.faults.append(Fault("HEAD", "/v2/app/blobs/", "lost_blob"))
    assert [session.head(blob_url, timeout=TIME_LIMIT).status_code for _number in range(2)] == [200, 404]
    assert "app@" in registry.verify()[0]
    assert len(registry.verify()) == 1
    refused = session.put(
        f"{registry.url}/v2/app/manifests/v2",
        data=image.body,
        headers={"Content-Type": image.media_type},
        timeout=TIME_LIMIT,
    )
    assert refused.json()["errors"][0] == {
        "code": "MANIFEST_BLOB_UNKNOWN",
        "message": "blob unknown to registry",
        "detail": image.blobs[0].digest,
    }


def test_lost_blob_after_a_mount_or_an_upload(registry: SandboxRegistry, session: requests.Session, image: Image) -> None:
    registry.faults.append(Fault("POST", "mount=", "lost_blob"))
    registry.faults.append(Fault("PUT", "digest=", "lost_blob"))
    mount = {"mount": image.blobs[0].digest, "from": "app"}
    mounted = session.post(f"{registry.url}/v2/other/blobs/uploads/", params=mount, timeout=TIME_LIMIT)
    uploaded = upload(session, registry.url, "other", b"data", sha256(b"data"))
    assert (mounted.status_code, uploaded.status_code) == (201, 201)
    assert registry.repository_blobs("other") == set()


def test_tag_move_after_the_second_request(registry: SandboxRegistry, manifest_url: str, session: requests.Session, image: Image) -> None:
    newer = simple_image("newer")
    registry.load("app", None, newer)
    registry.faults.append(Fault("GET|HEAD", "/app/manifests/v1$", "tag_move", skip=1, digest=newer.digest))
    seen = [session.head(manifest_url, timeout=TIME_LIMIT).headers["Docker-Content-Digest"] for _number in range(3)]
    assert seen == [image.digest, image.digest, newer.digest]


@pytest.mark.parametrize("after_effect", [False, True])
def test_drop_connection(registry: SandboxRegistry, session: requests.Session, image: Image, after_effect: bool) -> None:
    registry.faults.append(Fault("PUT", "/manifests/", "drop_connection", after_effect=after_effect))
    with pytest.raises(requests.ConnectionError):
        session.put(
            f"{registry.url}/v2/app/manifests/new",
            data=image.body,
            headers={"Content-Type": image.media_type},
            timeout=TIME_LIMIT,
        )
    assert ("new" in registry.tags("app")) == after_effect


def test_drop_connection_is_no_reset(registry: SandboxRegistry, blob_url: str) -> None:
    registry.faults.append(Fault("GET", "/blobs/", "drop_connection"))
    assert received(blob_url) == (b"", "closed")


def test_faults_meet_redirected_blobs(start: Start, session: requests.Session, image: Image) -> None:
    registry = start(redirect_blobs=True)
    registry.load("app", "v1", image)
    registry.faults.append(Fault("GET", "/storage/", "wrong_digest"))
    url = f"{registry.url}/v2/app/blobs/{image.blobs[0].digest}"
    contents = [session.get(url, timeout=TIME_LIMIT).content for _number in range(2)]
    assert contents[0] != contents[1] == image.blobs[0].data


def test_skip_and_times_count_the_matching_requests(
    registry: SandboxRegistry, blob_url: str, manifest_url: str, session: requests.Session
) -> None:
    registry.faults.append(Fault("GET", "/blobs/", "status", skip=1, times=2))
    registry.faults.append(Fault("*", "/manifests/", "status", status=500, times=None))
    blobs = [session.get(blob_url, timeout=TIME_LIMIT).status_code for _number in range(5)]
    heads = [session.head(blob_url, timeout=TIME_LIMIT).status_code for _number in range(2)]
    manifests = [session.request(method, manifest_url, timeout=TIME_LIMIT).status_code for method in ("GET", "HEAD")]
    assert (blobs, heads, manifests) == ([200, 503, 503, 200, 200], [200, 200], [500, 500])
    assert registry.faults.fired == 4
    assert registry.count(lambda request: request.fault == "status") == 4


def test_faults_that_could_never_happen_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown fault"):
        Fault("GET", "/", "explode")
    with pytest.raises(ValueError, match="digest"):
        Fault("GET", "/", "tag_move")
    with pytest.raises(ValueError, match="side"):
        Fault("GET", "/", "reset", side="left")


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"stall", "tag_move", "lost_blob"}))
def test_after_any_fault_the_registry_goes_on(registry: SandboxRegistry, blob_url: str, kind: str, image: Image) -> None:
    registry.faults.append(Fault("GET", "/blobs/", kind))
    received_once = body_of(received(blob_url, close=True)[0])
    assert body_of(received(blob_url, close=True)[0]) == image.blobs[0].data
    assert (received_once == image.blobs[0].data) == (kind == "slow")
