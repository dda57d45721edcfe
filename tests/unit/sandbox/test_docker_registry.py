# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The helper that runs a real registry."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from ansible_collections.quayside.airgap.tests.support.certs import create_certificates
from ansible_collections.quayside.airgap.tests.support.docker_registry import (
    TEST_PASSWORD,
    TEST_USER,
    DockerRegistry,
    bcrypt_hash,
    require_docker_registry,
)
from ansible_collections.quayside.airgap.tests.support.image_builders import simple_image
from ansible_collections.quayside.airgap.tests.support.image_push import PushError, push
from ansible_collections.quayside.airgap.tests.unit.sandbox.helpers import TIME_LIMIT

pytestmark = pytest.mark.usefixtures("_installed")


@pytest.fixture
def _installed() -> None:
    require_docker_registry()


def test_state_restart_and_wipe(tmp_path: Path) -> None:
    image = simple_image("a")
    with DockerRegistry(tmp_path) as registry:
        push(registry.url, "team/deep/app", "v1", image)
        push(registry.url, "app", None, image)
        port = registry.port
        registry.kill()
        registry.restart()
        assert registry.port == port
        assert registry.repositories() == ["app", "team/deep/app"]
        assert registry.tags("team/deep/app") == {"v1": image.digest}
        assert (registry.tags("app"), registry.tags("none")) == ({}, {})
        assert registry.manifests("app") == [image.digest]
        assert registry.layers("app") == sorted(item.digest for item in image.blobs)
        assert set(registry.blobs()) == {image.digest, *(item.digest for item in image.blobs)}
        assert registry.verify() == []
        damaged = image.blobs[0].digest
        registry.blobs()[damaged].write_bytes(b"damaged")
        assert [problem.split()[1] for problem in registry.verify()] == [damaged]
        registry.wipe()
        assert (registry.repositories(), registry.blobs()) == ([], {})
        push(registry.url, "app", "v1", image)
        assert registry.tags("app") == {"v1": image.digest}
    assert registry.pid is None
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{registry.url}/v2/", timeout=TIME_LIMIT)


def test_users_tls_and_client_certificates(tmp_path: Path) -> None:
    certificates = create_certificates(tmp_path / "certificates")
    users = {TEST_USER: TEST_PASSWORD}
    with DockerRegistry(tmp_path / "data", htpasswd=users, tls=certificates, client_certificates=True) as registry:
        session = requests.Session()
        session.trust_env = False
        session.verify = str(certificates.ca)
        session.cert = (str(certificates.client_cert), str(certificates.client_key))
        url = f"{registry.url}/v2/"
        assert url.startswith("https://")
        assert session.get(url, timeout=TIME_LIMIT).status_code == 401
        assert session.get(url, auth=(TEST_USER, TEST_PASSWORD), timeout=TIME_LIMIT).status_code == 200
        session.cert = None
        with pytest.raises(requests.ConnectionError):
            requests.get(url, verify=str(certificates.ca), timeout=TIME_LIMIT)


def test_the_descriptor_cache_is_forgotten_with_the_content(tmp_path: Path) -> None:
    image = simple_image("a")
    with DockerRegistry(tmp_path, descriptor_cache=True) as registry:
        push(registry.url, "app", "v1", image)
        registry.wipe()
        head = requests.head(f"{registry.url}/v2/app/blobs/{image.blobs[0].digest}", timeout=TIME_LIMIT)
        assert head.status_code == 404


def test_read_only(tmp_path: Path) -> None:
    with DockerRegistry(tmp_path, read_only=True) as registry, pytest.raises(PushError, match="405"):
        push(registry.url, "app", "v1", simple_image("a"))


def test_pull_through_cache(tmp_path: Path) -> None:
    image = simple_image("a")
    with DockerRegistry(tmp_path / "far") as far, DockerRegistry(tmp_path / "near", proxy_cache_of=far.url) as near:
        push(far.url, "app", "v1", image)
        headers = {"Accept": image.media_type}
        answer = requests.get(f"{near.url}/v2/app/manifests/v1", headers=headers, timeout=TIME_LIMIT)
        assert answer.content == image.body


def test_a_registry_that_does_not_start_says_why(tmp_path: Path) -> None:
    with DockerRegistry(tmp_path / "first") as first:
        second = DockerRegistry(tmp_path / "second", port=first.port)
        with pytest.raises(RuntimeError, match="address already in use"):
            second.start()


def test_password_hashes() -> None:
    assert bcrypt_hash(TEST_PASSWORD).startswith("$2y$")
