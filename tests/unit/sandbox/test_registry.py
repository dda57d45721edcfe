# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the sandbox registry, its state and its log."""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from ansible_collections.quayside.airgap.tests.sandbox.registry import RegistryOptions, SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.certs import Certificates, create_certificates
from ansible_collections.quayside.airgap.tests.support.image_builders import (
    OCI_INDEX,
    artifact,
    blob,
    index,
    multi_arch,
    sha256,
    simple_image,
)
from ansible_collections.quayside.airgap.tests.support.image_push import PushError, push
from ansible_collections.quayside.airgap.tests.unit.sandbox.helpers import (
    TIME_LIMIT,
    UNKNOWN_DIGEST,
    Start,
    at_once,
    error_codes,
    upload,
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return create_certificates(tmp_path_factory.mktemp("certificates"))


# ------------------------------------------------------------------- content


@pytest.mark.parametrize("kind", ["memory", "directory"])
def test_what_is_pushed_is_there(start: Start, tmp_path: Path, kind: str, session: requests.Session) -> None:
    registry = start(storage=None if kind == "memory" else tmp_path / "content")
    image = multi_arch("content", attestations=True)
    push(registry.url, "team/app", "v1", image)
    assert registry.repositories == ["team/app"]
    assert registry.tags("team/app") == {"v1": image.digest}
    assert set(registry.manifests("team/app")) == {item.digest for item in image.walk()}
    assert registry.blobs == {digest: item.data for digest, item in image.all_blobs().items()}
    assert registry.verify() == []
    layer = image.children[0].blobs[0]
    answer = session.get(f"{registry.url}/v2/team/app/blobs/{layer.digest}", headers={"Range": "bytes=5-9"}, timeout=9)
    assert (answer.status_code, answer.content) == (206, layer.data[5:10])


def test_a_directory_outlives_its_registry(tmp_path: Path) -> None:
    image = simple_image("kept")
    with SandboxRegistry(RegistryOptions(storage=tmp_path)) as registry:
        push(registry.url, "team/deep/app", "v1", image)
    with SandboxRegistry(RegistryOptions(storage=tmp_path)) as registry:
        assert registry.tags("team/deep/app") == {"v1": image.digest}
        assert registry.verify() == []
        push(registry.url, "team/deep/app", "v2", image)
        registry.wipe()
    assert SandboxRegistry(RegistryOptions(storage=tmp_path)).repositories == []


def test_loading_is_pushing_without_requests(start: Start) -> None:
    pushed, loaded = start(), start()
    image = index([multi_arch("nested"), simple_image("beside")])
    push(pushed.url, "app", "v1", image)
    loaded.load("app", "v1", image)
    assert (loaded.blobs, loaded.tags("app"), loaded.manifests("app")) == (
        pushed.blobs,
        pushed.tags("app"),
        pushed.manifests("app"),
    )
    assert loaded.requests == []


def test_verify_finds_what_is_wrong(start: Start) -> None:
    registry = start()
    image = simple_image("a")
    registry.load("app", "v1", image)
    digest = image.blobs[0].digest
    registry.storage.content.add(digest, b"other bytes")
    assert registry.verify() == [f"content of {digest} has digest {sha256(b'other bytes')}"]
    registry.lose_blob("app", digest)
    assert registry.verify() == [f"app@{image.digest} refers to {digest}, which is not there"]


def test_a_registry_keeps_its_port_over_a_restart(start: Start, session: requests.Session) -> None:
    registry = start()
    port = registry.port
    assert session.get(f"{registry.url}/v2/", timeout=TIME_LIMIT).status_code == 200
    registry.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{registry.url}/v2/", timeout=TIME_LIMIT)
    registry.start()
    assert registry.port == port
    assert session.get(f"{registry.url}/v2/", timeout=TIME_LIMIT).status_code == 200


# ----------------------------------------------------------------------- log


def test_the_log_counts_requests_and_bytes(start: Start, session: requests.Session) -> None:
    registry = start()
    data = blob("x", 5000)
    upload(session, registry.url, "app", data, sha256(data))
    session.get(f"{registry.url}/v2/app/blobs/{sha256(data)}", auth=("bot", "secret"), timeout=TIME_LIMIT)
    post, put, get = registry.requests
    assert [(item.method, item.status, item.bytes_in, item.bytes_out) for item in (post, put, get)] == [
        ("POST", 202, 0, 0),
        ("PUT", 201, 5000, 0),
        ("GET", 200, 0, 5000),
    ]
    assert get.auth == "basic"
    assert "secret" not in repr(get)
    assert len({item.connection for item in registry.requests}) == 1
    assert registry.writes == [post, put]
    assert registry.count(method="PUT|POST", path="/uploads/") == 2
    assert registry.count(lambda item: item.bytes_out > 0, status=200) == 1
    registry.reset_log()
    assert registry.requests == []


def test_writes_can_be_refused(start: Start, session: requests.Session) -> None:
    registry = start()
    registry.load("app", "v1", simple_image("a"))
    registry.refuse_writes = True
    answer = session.post(f"{registry.url}/v2/app/blobs/uploads/", timeout=TIME_LIMIT)
    assert (answer.status_code, error_codes(answer)) == (500, ["UNKNOWN"])
    assert session.get(f"{registry.url}/v2/app/tags/list", timeout=TIME_LIMIT).status_code == 200
    assert [(item.method, item.path) for item in registry.refused] == [("POST", "/v2/app/blobs/uploads/")]


def test_latency_overlaps(start: Start) -> None:
    registry = start(latency=0.1)
    at_once(lambda _number: requests.get(f"{registry.url}/v2/", timeout=TIME_LIMIT), 8)
    assert registry.peak > 1


def test_answers_do_not_wait_for_acknowledgements(start: Start, session: requests.Session) -> None:
    """Without TCP_NODELAY a request with a body takes 40 ms."""
    registry = start()
    began = time.monotonic()
    for _number in range(20):
        upload(session, registry.url, "app", b"x", sha256(b"x"))
    assert time.monotonic() - began < 0.8


# ------------------------------------------------------------------- options


def test_pages_of_tags_and_catalog(start: Start, session: requests.Session) -> None:
    registry = start(page_size=3)
    image = simple_image("a")
    for number in range(7):
        registry.load("app", f"v{number}", image)
        registry.load(f"app{number}", "v1", image)
    tags, pages = follow(session, f"{registry.url}/v2/app/tags/list", "tags")
    assert (tags, pages) == ([f"v{number}" for number in range(7)], 3)
    names, pages = follow(session, f"{registry.url}/v2/_catalog?n=2", "repositories")
    assert (names, pages) == (["app", *(f"app{number}" for number in range(7))], 4)
    assert error_codes(session.get(f"{registry.url}/v2/_catalog?n=x", timeout=TIME_LIMIT)) == ["PAGINATION_NUMBER_INVALID"]


def test_pages_as_quay_links_them(start: Start, session: requests.Session) -> None:
    registry = start(quirks="quay")
    image = simple_image("a")
    expected = [f"app{number}" for number in range(7, 0, -1)]
    for name in expected:
        registry.load(name, "v1", image)
    # Without authentication Quay's filter has nobody to filter for.
    names, pages = follow(session, f"{registry.url}/v2/_catalog?n=3", "repositories")
    assert (names, pages) == (expected, 3)
    first = session.get(f"{registry.url}/v2/_catalog?n=3", timeout=TIME_LIMIT)
    assert re.fullmatch(r'</v2/_catalog\?n=3&next_page=[^&>]+>; rel="next"', first.headers["Link"])
    broken = session.get(f"{registry.url}/v2/_catalog?n=3&next_page=broken", timeout=TIME_LIMIT)
    assert broken.json() == first.json()


def follow(session: requests.Session, url: str, key: str) -> tuple[list[str], int]:
    """All entries of a listing, and how many pages it had."""
    entries: list[str] = []
    pages = 0
    while url:
        answer = session.get(url, timeout=TIME_LIMIT)
        entries += answer.json()[key]
        pages += 1
        url = urljoin(url, answer.links["next"]["url"]) if "next" in answer.links else ""
    return entries, pages


def test_referrers(start: Start, session: requests.Session) -> None:
    registry = start()
    subject = simple_image("subject")
    first = artifact("application/x.sbom", b"1", subject=subject, annotations={"a": "b"})
    second = artifact("application/x.signature", b"2", subject=subject)
    push(registry.url, "app", "v1", subject)
    for item in (first, second):
        push(registry.url, "app", None, item)
    url = f"{registry.url}/v2/app/referrers/{subject.digest}"
    answer = session.get(url, timeout=TIME_LIMIT)
    assert answer.headers["Content-Type"] == OCI_INDEX
    assert {entry["digest"]: entry["artifactType"] for entry in answer.json()["manifests"]} == {
        first.digest: "application/x.sbom",
        second.digest: "application/x.signature",
    }
    some = session.get(url, params={"artifactType": "application/x.sbom"}, timeout=TIME_LIMIT)
    assert some.headers["OCI-Filters-Applied"] == "artifactType"
    assert [entry["annotations"] for entry in some.json()["manifests"]] == [{"a": "b"}]
    nothing = session.get(f"{registry.url}/v2/app/referrers/{UNKNOWN_DIGEST}", timeout=TIME_LIMIT)
    assert nothing.json()["manifests"] == []
    put = session.put(
        f"{registry.url}/v2/app/manifests/{first.digest}",
        data=first.body,
        headers={"Content-Type": first.media_type},
        timeout=TIME_LIMIT,
    )
    assert put.headers["OCI-Subject"] == subject.digest
    assert session.get(f"{start(referrers=False).url}/v2/app/referrers/{UNKNOWN_DIGEST}", timeout=9).status_code == 404


def test_sparse_indexes(start: Start) -> None:
    image = multi_arch("sparse")
    sparse = type(image)(image.body, image.media_type)  # the index alone, without its images
    with pytest.raises(PushError, match="MANIFEST_BLOB_UNKNOWN"):
        push(start().url, "app", "v1", sparse)
    accepting = start(sparse_indexes=True)
    push(accepting.url, "app", "v1", sparse)
    assert accepting.verify() == []


def test_redirected_blobs_and_leaked_credentials(start: Start, session: requests.Session) -> None:
    registry = start(redirect_blobs=True)
    digest = registry.put_blob("app", blob("x", 1000))
    url = f"{registry.url}/v2/app/blobs/{digest}"
    redirect = session.get(url, allow_redirects=False, timeout=TIME_LIMIT)
    assert redirect.status_code == 307
    location = redirect.headers["Location"]
    assert location.startswith(f"http://localhost:{registry.storage_port}/")
    part = session.get(url, headers={"Range": "bytes=10-"}, timeout=TIME_LIMIT)
    assert (part.status_code, len(part.content)) == (206, 990)
    assert registry.leaked_credentials == []
    assert session.get(location, auth=("bot", "secret"), timeout=TIME_LIMIT).status_code == 400
    assert [item.auth for item in registry.leaked_credentials] == ["basic"]
    assert session.get(location.partition("?")[0], timeout=TIME_LIMIT).status_code == 403
    assert session.head(url, timeout=TIME_LIMIT).status_code == 200


@pytest.mark.parametrize(("style", "prefix"), [("relative", "/v2/"), ("absolute", "http://"), ("wrong_scheme", "https://")])
def test_upload_locations(start: Start, session: requests.Session, style: str, prefix: str) -> None:
    registry = start(upload_location=style)
    answer = session.post(f"{registry.url}/v2/app/blobs/uploads/", timeout=TIME_LIMIT)
    assert answer.headers["Location"].startswith(prefix)


def test_chunks_must_follow_each_other(start: Start, session: requests.Session) -> None:
    registry = start()
    answer = session.post(f"{registry.url}/v2/app/blobs/uploads/", timeout=TIME_LIMIT)
    location = urljoin(registry.url, answer.headers["Location"])
    refused = session.patch(location, data=b"late", headers={"Content-Range": "7-10"}, timeout=TIME_LIMIT)
    assert (refused.status_code, refused.headers["Range"], error_codes(refused)) == (416, "0-0", ["BLOB_UPLOAD_INVALID"])
    accepted = session.patch(location, data=b"early", headers={"Content-Range": "0-4"}, timeout=TIME_LIMIT)
    assert (accepted.status_code, accepted.headers["Range"]) == (202, "0-4")


def test_one_request_upload(start: Start, session: requests.Session) -> None:
    registry = start(quirks="quay")
    url = f"{registry.url}/v2/app/blobs/uploads/"
    good = session.post(url, params={"digest": sha256(b"data")}, data=b"data", timeout=TIME_LIMIT)
    wrong = session.post(url, params={"digest": sha256(b"data")}, data=b"date", timeout=TIME_LIMIT)
    assert (good.status_code, wrong.status_code, error_codes(wrong)) == (201, 400, ["DIGEST_INVALID"])
    assert list(registry.blobs) == [sha256(b"data")]


def test_mounts_can_be_off(start: Start, session: requests.Session) -> None:
    registry = start(mount=False)
    digest = registry.put_blob("app", b"data")
    params = {"mount": digest, "from": "app"}
    answer = session.post(f"{registry.url}/v2/other/blobs/uploads/", params=params, timeout=TIME_LIMIT)
    assert answer.status_code == 202


def test_large_bodies_can_be_refused(start: Start, session: requests.Session) -> None:
    registry = start(max_body=100_000)
    large = blob("large", 2_000_000)
    answer = upload(session, registry.url, "app", large, sha256(large))
    assert (answer.status_code, answer.headers["Content-Type"]) == (413, "text/html")
    assert upload(session, registry.url, "app", b"small", sha256(b"small")).status_code == 201


@pytest.mark.parametrize(("quirks", "status"), [("quay", 503), ("distribution", 405)])
def test_read_only(start: Start, session: requests.Session, quirks: str, status: int) -> None:
    registry = start(read_only=True, quirks=quirks)
    registry.load("app", "v1", simple_image("a"))
    assert session.post(f"{registry.url}/v2/app/blobs/uploads/", timeout=TIME_LIMIT).status_code == status
    assert session.get(f"{registry.url}/v2/app/manifests/v1", timeout=TIME_LIMIT).status_code == 200


def test_headers_that_a_registry_may_leave_out(start: Start, session: requests.Session) -> None:
    registry = start(digest_header=False, ranges=False)
    image = simple_image("a")
    registry.load("app", "v1", image)
    head = session.head(f"{registry.url}/v2/app/manifests/v1", timeout=TIME_LIMIT)
    assert head.status_code == 200
    assert not {"docker-content-digest", "etag"} & {name.lower() for name in head.headers}
    layer = image.blobs[0]
    whole = session.get(f"{registry.url}/v2/app/blobs/{layer.digest}", headers={"Range": "bytes=5-"}, timeout=TIME_LIMIT)
    assert (whole.status_code, whole.content) == (200, layer.data)


def test_a_range_beyond_the_end(start: Start, session: requests.Session) -> None:
    registry = start()
    digest = registry.put_blob("app", b"12345")
    answer = session.get(f"{registry.url}/v2/app/blobs/{digest}", headers={"Range": "bytes=5-"}, timeout=TIME_LIMIT)
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */5")


def test_tags_are_deleted_as_quay_does(start: Start, session: requests.Session) -> None:
    registry = start(quirks="quay")
    image = simple_image("a")
    for tag in ("one", "two", "three"):
        registry.load("app", tag, image)
    assert session.delete(f"{registry.url}/v2/app/manifests/one", timeout=TIME_LIMIT).status_code == 202
    assert set(registry.tags("app")) == {"two", "three"}
    assert session.delete(f"{registry.url}/v2/app/manifests/{image.digest}", timeout=TIME_LIMIT).status_code == 202
    assert registry.tags("app") == {}
    blob_url = f"{registry.url}/v2/app/blobs/{image.blobs[0].digest}"
    assert error_codes(session.delete(blob_url, timeout=TIME_LIMIT)) == ["UNSUPPORTED"]


def test_the_catalog_can_be_missing(start: Start, session: requests.Session) -> None:
    assert session.get(f"{start(catalog=False).url}/v2/_catalog", timeout=TIME_LIMIT).status_code == 404


def test_tls(start: Start, session: requests.Session, certificates: Certificates) -> None:
    registry = start(tls=certificates)
    session.verify = str(certificates.ca)
    for host in ("127.0.0.1", "localhost"):
        assert session.get(f"https://{host}:{registry.port}/v2/", timeout=TIME_LIMIT).status_code == 200
    data = blob("large", 1_000_000)
    assert upload(session, registry.url, "app", data, sha256(data)).status_code == 201
    assert session.get(f"{registry.url}/v2/app/blobs/{sha256(data)}", timeout=TIME_LIMIT).content == data
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{registry.url}/v2/", timeout=TIME_LIMIT)
    assert requests.Session().get(f"{start().url}/v2/", timeout=TIME_LIMIT).status_code == 200


def test_client_certificates(start: Start, session: requests.Session, certificates: Certificates) -> None:
    registry = start(tls=certificates, client_certificates=True)
    session.verify = str(certificates.ca)
    with pytest.raises(requests.ConnectionError):
        session.get(f"{registry.url}/v2/", timeout=TIME_LIMIT)
    session.cert = (str(certificates.client_cert), str(certificates.client_key))
    assert session.get(f"{registry.url}/v2/", timeout=TIME_LIMIT).status_code == 200


def test_https_spoken_to_an_http_registry_ends_at_once(start: Start) -> None:
    registry = start()
    began = time.monotonic()
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://{registry.host}/v2/", timeout=TIME_LIMIT)
    assert time.monotonic() - began < 2


def test_many_clients_at_once(start: Start) -> None:
    registry = start()
    images = [simple_image(f"image {number % 4}", size=20_000) for number in range(12)]
    at_once(lambda number: push(registry.url, f"app{number}", "v1", images[number]), 12)
    assert registry.verify() == []
    assert len(registry.repositories) == 12


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"auth": "kerberos"}, "auth is 'kerberos'"),
        ({"quirks": "harbor"}, "quirks is"),
        ({"tokens": 1}, "unknown registry options: tokens"),
        ({"users": {"a": {"password": "b", "grants": {"*": "fly"}}}}, "unknown actions: fly"),
    ],
)
def test_options_are_checked(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        RegistryOptions.from_mapping(values)
