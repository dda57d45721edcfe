# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox answers as docker-registry does: the same calls, the same statuses, error codes and headers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Callable
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests

from ansible_collections.quayside.airgap.tests.sandbox.registry import RegistryOptions, SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.docker_registry import DockerRegistry
from ansible_collections.quayside.airgap.tests.support.image_builders import (
    DOCKER_MANIFEST,
    OCI_MANIFEST,
    Image,
    foreign_layer,
    image,
    layer,
    multi_arch,
    sha256,
    simple_image,
)
from ansible_collections.quayside.airgap.tests.support.image_push import push
from ansible_collections.quayside.airgap.tests.unit.sandbox.helpers import (
    ACCEPT_ALL,
    TIME_LIMIT,
    UNKNOWN_DIGEST,
    error_codes,
    upload,
)

REPOSITORY = "contract/main"
COMPARED = ("Content-Type", "Docker-Content-Digest", "Content-Range", "Docker-Distribution-Api-Version", "Range")


@dataclass
class Peer:
    """A registry with the content that the scenarios start from."""

    url: str
    session: requests.Session
    docker: Image
    oci: Image
    docker_list: Image
    oci_index: Image

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request; redirects are not followed."""
        url = urljoin(self.url, path)
        return self.session.request(method, url, allow_redirects=False, timeout=TIME_LIMIT, **options)

    def upload_location(self) -> str:
        """Begin an upload; where to go on."""
        return self.call("POST", f"/v2/{REPOSITORY}/blobs/uploads/").headers["Location"]


def prepare(url: str, session: requests.Session) -> Peer:
    """Fill a registry."""
    peer = Peer(
        url,
        session,
        simple_image("docker", fmt="docker"),
        simple_image("oci"),
        multi_arch("docker", fmt="docker"),
        multi_arch("oci", attestations=True),
    )
    for tag, item in (("docker", peer.docker), ("oci", peer.oci), ("list", peer.docker_list), ("index", peer.oci_index)):
        push(url, REPOSITORY, tag, item)
    return peer


def blob_path(peer: Peer, position: int = 0) -> str:
    return f"/v2/{REPOSITORY}/blobs/{peer.oci.blobs[position].digest}"


def put(peer: Peer, reference: str, body: bytes, media_type: str, repository: str = REPOSITORY) -> requests.Response:
    return peer.call("PUT", f"/v2/{repository}/manifests/{reference}", data=body, headers={"Content-Type": media_type})


Scenario = Callable[[Peer], "requests.Response | list[requests.Response]"]


def simple(method: str, path: str, **options: Any) -> Scenario:
    return lambda peer: peer.call(method, path, **options)


def chunked_upload(peer: Peer) -> list[requests.Response]:
    answers = []
    location = peer.upload_location()
    for piece in (b"one ", b"two ", b"three"):
        answers.append(peer.call("PATCH", location, data=piece, headers={"Content-Type": "application/octet-stream"}))
        location = answers[-1].headers["Location"]
    answers.append(peer.call("GET", location))
    location = answers[-1].headers["Location"]
    answers.append(peer.call("PUT", location, params={"digest": sha256(b"one two three")}))
    answers.append(peer.call("GET", urljoin(answers[-1].url, answers[-1].headers["Location"])))
    assert answers[-1].content == b"one two three"
    return answers


def streamed_upload(peer: Peer) -> list[requests.Response]:
    """A body without Content-Length, as Go clients send it."""
    location = peer.upload_location()
    patched = peer.call("PATCH", location, data=iter([b"a" * 70000, b"b" * 5]))
    done = peer.call("PUT", patched.headers["Location"], params={"digest": sha256(b"a" * 70000 + b"b" * 5)})
    return [patched, done]


def stale_location(peer: Peer) -> list[requests.Response]:
    location = peer.upload_location()
    first = peer.call("PATCH", location, data=b"one")
    return [first, peer.call("PATCH", location, data=b"two"), peer.call("GET", first.headers["Location"])]


def wrong_upload_digest(peer: Peer) -> list[requests.Response]:
    location = peer.upload_location()
    return [peer.call("PUT", location, params={"digest": sha256(b"other")}, data=b"this"), peer.call("GET", location)]


def cancelled_upload(peer: Peer) -> list[requests.Response]:
    location = peer.upload_location()
    return [peer.call("DELETE", location), peer.call("DELETE", location), peer.call("PATCH", location, data=b"x")]


def mounts(peer: Peer) -> list[requests.Response]:
    known = peer.oci.blobs[0].digest
    start = "/v2/contract/mounted/blobs/uploads/"
    return [
        peer.call("POST", start, params={"mount": known, "from": REPOSITORY}),
        peer.call("HEAD", f"/v2/contract/mounted/blobs/{known}"),
        peer.call("POST", start, params={"mount": UNKNOWN_DIGEST, "from": REPOSITORY}),
        peer.call("POST", start, params={"mount": known, "from": "contract/missing"}),
        peer.call("POST", start, params={"mount": peer.oci.blobs[1].digest}),
    ]


def deletes(peer: Peer) -> list[requests.Response]:
    doomed = simple_image("doomed")
    push(peer.url, "contract/deleted", "one", doomed)
    push(peer.url, "contract/deleted", "two", doomed)
    manifest = f"/v2/contract/deleted/manifests/{doomed.digest}"
    blob = f"/v2/contract/deleted/blobs/{doomed.blobs[0].digest}"
    return [
        peer.call("DELETE", manifest),
        peer.call("DELETE", manifest),
        peer.call("GET", "/v2/contract/deleted/manifests/one"),
        peer.call("DELETE", blob),
        peer.call("DELETE", blob),
        peer.call("HEAD", blob),
        peer.call("DELETE", "/v2/contract/deleted/manifests/tag"),
    ]


def foreign_layers(peer: Peer) -> requests.Response:
    built = image([layer("own", 10, fmt="docker"), foreign_layer("far", 20, "https://layers.invalid/1")], fmt="docker")
    for item in built.all_blobs().values():
        assert upload(peer.session, peer.url, REPOSITORY, item.data, item.digest).status_code == 201
    return put(peer, "foreign", built.body, built.media_type)


SCENARIOS: dict[str, Scenario] = {
    "ping": simple("GET", "/v2/"),
    "ping without slash": simple("GET", "/v2"),
    "unknown path": simple("GET", "/v2/nothing"),
    "manifest by tag": simple("GET", f"/v2/{REPOSITORY}/manifests/oci"),
    "manifest head": simple("HEAD", f"/v2/{REPOSITORY}/manifests/docker"),
    "manifest by digest": lambda peer: peer.call("GET", f"/v2/{REPOSITORY}/manifests/{peer.oci_index.digest}"),
    "manifest not modified": lambda peer: peer.call(
        "GET", f"/v2/{REPOSITORY}/manifests/oci", headers={"If-None-Match": f'"{peer.oci.digest}"'}
    ),
    "list for a client of images": simple("GET", f"/v2/{REPOSITORY}/manifests/list", headers={"Accept": DOCKER_MANIFEST}),
    "OCI manifest not accepted": simple("GET", f"/v2/{REPOSITORY}/manifests/oci", headers={"Accept": DOCKER_MANIFEST}),
    "OCI index not accepted": simple("HEAD", f"/v2/{REPOSITORY}/manifests/index", headers={"Accept": OCI_MANIFEST}),
    "OCI manifest for anybody": simple("GET", f"/v2/{REPOSITORY}/manifests/oci", headers={"Accept": "*/*"}),
    "unknown tag": simple("GET", f"/v2/{REPOSITORY}/manifests/none"),
    "unknown manifest": simple("HEAD", f"/v2/{REPOSITORY}/manifests/{UNKNOWN_DIGEST}"),
    "manifest of unknown repository": simple("GET", "/v2/contract/none/manifests/v1"),
    "manifest with POST": simple("POST", f"/v2/{REPOSITORY}/manifests/v1"),
    "tags of unknown repository": simple("GET", "/v2/contract/none/tags/list"),
    "tags with POST": simple("POST", f"/v2/{REPOSITORY}/tags/list"),
    "catalog page of none": simple("GET", "/v2/_catalog?n=0"),
    "catalog with DELETE": simple("DELETE", "/v2/_catalog"),
    "blob head": lambda peer: peer.call("HEAD", blob_path(peer)),
    "blob": lambda peer: peer.call("GET", blob_path(peer)),
    "blob range": lambda peer: peer.call("GET", blob_path(peer), headers={"Range": "bytes=10-19"}),
    "blob range to the end": lambda peer: peer.call("GET", blob_path(peer), headers={"Range": "bytes=10-"}),
    "blob range longer than blob": lambda peer: peer.call("GET", blob_path(peer), headers={"Range": "bytes=5-9999999"}),
    "blob last bytes": lambda peer: peer.call("GET", blob_path(peer), headers={"Range": "bytes=-7"}),
    "unknown blob": simple("GET", f"/v2/{REPOSITORY}/blobs/{UNKNOWN_DIGEST}"),
    "unknown blob head": simple("HEAD", f"/v2/{REPOSITORY}/blobs/{UNKNOWN_DIGEST}"),
    "blob of unknown repository": simple("GET", f"/v2/contract/none/blobs/{UNKNOWN_DIGEST}"),
    "blob of another repository": lambda peer: peer.call("GET", blob_path(peer).replace("main", "other")),
    "blob with a bad digest": simple("GET", f"/v2/{REPOSITORY}/blobs/sha256:12"),
    "start of an upload": simple("POST", f"/v2/{REPOSITORY}/blobs/uploads/"),
    "chunked upload": chunked_upload,
    "streamed upload": streamed_upload,
    "stale upload location": stale_location,
    "unknown upload": simple("PATCH", f"/v2/{REPOSITORY}/blobs/uploads/1234", data=b"x"),
    "wrong upload digest": wrong_upload_digest,
    "upload without digest": lambda peer: peer.call("PUT", peer.upload_location()),
    "upload with a bad digest": lambda peer: peer.call("PUT", peer.upload_location(), params={"digest": "12"}),
    "cancelled upload": cancelled_upload,
    "POST with a digest": simple("POST", f"/v2/{REPOSITORY}/blobs/uploads/?digest={sha256(b'1')}", data=b"1"),
    "mounts": mounts,
    "manifest again": lambda peer: put(peer, "oci", peer.oci.body, peer.oci.media_type),
    "manifest under a wrong digest": lambda peer: put(peer, UNKNOWN_DIGEST, peer.oci.body, peer.oci.media_type),
    "manifest without its blobs": lambda peer: put(peer, "v1", peer.oci.body, peer.oci.media_type, repository="contract/empty"),
    "list without its images": lambda peer: put(
        peer, "v1", peer.docker_list.body, peer.docker_list.media_type, repository="contract/empty"
    ),
    "index without its images": lambda peer: put(peer, "v1", peer.oci_index.body, peer.oci_index.media_type, repository="contract/empty"),
    "manifest of another type": lambda peer: put(peer, "v9", peer.docker.body, OCI_MANIFEST),
    "manifest of an unknown type": lambda peer: put(peer, "v9", peer.docker.body, "application/json"),
    "manifest that is no JSON": lambda peer: put(peer, "v9", b"{", DOCKER_MANIFEST),
    "manifest that is a list": lambda peer: put(peer, "v9", b"[]", OCI_MANIFEST),
    "empty manifest": lambda peer: put(peer, "v9", b"", DOCKER_MANIFEST),
    "oversized manifest": lambda peer: put(peer, "v9", b" " * (5 << 20), OCI_MANIFEST),
    "foreign layers": foreign_layers,
    "deletes": deletes,
}


@pytest.fixture(scope="module")
def peers(docker_registry: DockerRegistry) -> Iterator[tuple[Peer, Peer]]:
    """The real registry and the sandbox, with the same content."""
    # docker-registry 2.8 has no referrers API.
    with SandboxRegistry(RegistryOptions(referrers=False)) as sandbox, requests.Session() as session:
        session.trust_env = False
        session.headers["Accept"] = ACCEPT_ALL
        yield prepare(docker_registry.url, session), prepare(sandbox.url, session)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_sandbox_answers_as_docker_registry(peers: tuple[Peer, Peer], name: str) -> None:
    there, here = (essence(SCENARIOS[name](peer)) for peer in peers)
    assert here == there


def essence(answers: requests.Response | list[requests.Response]) -> list[dict[str, Any]]:
    """What both registries must agree in."""
    return [
        {
            "status": answer.status_code,
            "codes": error_codes(answer),
            "details": _missing(answer),
            "headers": {name: _plain(answer.headers.get(name)) for name in COMPARED},
            "location": _shape(answer.headers.get("Location")),
            "content": sha256(answer.content) if answer.status_code in (200, 206) else None,
            "length": answer.headers.get("Content-Length") if answer.status_code in (200, 206) else None,
        }
        for answer in (answers if isinstance(answers, list) else [answers])
    ]


def _missing(answer: requests.Response) -> list[str]:
    """The digests that a refused manifest is told to lack."""
    if set(error_codes(answer)) != {"MANIFEST_BLOB_UNKNOWN"}:
        return []
    return sorted(entry["detail"] for entry in answer.json()["errors"])


def _plain(value: str | None) -> str | None:
    return value.partition(";")[0] if value else value


def _shape(location: str | None) -> tuple[str, bool] | None:
    """A Location without the parts that differ from upload to upload."""
    if location is None:
        return None
    split = urlsplit(location)
    path = split.path
    if "/uploads/" in path:
        path = path.rpartition("/")[0]
    return f"{split.netloc}{path}", "_state" in parse_qs(split.query)
