# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real clients work with the sandbox as with a real registry."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator

import pytest

from ansible_collections.quayside.airgap.tests.sandbox.registry import SandboxRegistry, User
from ansible_collections.quayside.airgap.tests.support.docker_registry import DockerRegistry
from ansible_collections.quayside.airgap.tests.support.image_builders import Image, multi_arch, simple_image
from ansible_collections.quayside.airgap.tests.support.image_push import push
from ansible_collections.quayside.airgap.tests.unit.sandbox.helpers import Start

CREDENTIALS = "bot:secret"
PLAIN = ("--src-tls-verify=false", "--dest-tls-verify=false")
CONTENT: dict[str, Image] = {
    "docker": simple_image("docker", fmt="docker"),
    "oci": simple_image("oci"),
    "list": multi_arch("list", fmt="docker"),
    "index": multi_arch("index", attestations=True),
}

pytestmark = pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed (Debian package skopeo)")


@pytest.fixture
def quay(start: Start, users: dict[str, User]) -> SandboxRegistry:
    return start(auth="token", users=users)


def skopeo(*arguments: str) -> str:
    done = subprocess.run(["skopeo", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_from_docker_registry_and_back(docker_registry: DockerRegistry, quay: SandboxRegistry) -> None:
    """Digests stay the same there and back again, for every kind of image."""
    for name, image in CONTENT.items():
        push(docker_registry.url, f"clients/{name}", "v1", image)
        there = f"docker://{quay.host}/team/{name}:v1"
        skopeo("copy", "--all", "-q", *PLAIN, "--dest-creds", CREDENTIALS, f"docker://{docker_registry.host}/clients/{name}:v1", there)
        back = f"docker://{docker_registry.host}/back/{name}:v1"
        skopeo("copy", "--all", "-q", *PLAIN, "--src-creds", CREDENTIALS, there, back)
        digests = (image.digest, quay.tags(f"team/{name}")["v1"], docker_registry.tags(f"back/{name}")["v1"])
        assert len(set(digests)) == 1
    assert quay.verify() == []
    assert docker_registry.verify() == []


def test_listing_inspecting_and_deleting(quay: SandboxRegistry) -> None:
    quay.load("team/app", "v1", CONTENT["oci"])
    quay.load("team/app", "v2", CONTENT["docker"])
    access = ("--tls-verify=false", "--creds", "admin:secret")
    assert '"v2"' in skopeo("list-tags", *access, f"docker://{quay.host}/team/app")
    inspected = skopeo("inspect", "--format", "{{.Digest}}", *access, f"docker://{quay.host}/team/app:v1")
    assert inspected.strip() == CONTENT["oci"].digest
    skopeo("delete", *access, f"docker://{quay.host}/team/app:v1")
    assert set(quay.tags("team/app")) == {"v2"}


@pytest.fixture
def podman_storage() -> Iterator[list[str]]:
    """Options for a storage of its own: nothing of the machine's images is touched, and everything goes afterwards."""
    # pytest's folders have longer names than podman takes for its runroot (50 characters).
    with tempfile.TemporaryDirectory(prefix="podman") as directory:
        yield ["--root", f"{directory}/root", "--runroot", f"{directory}/run", "--storage-driver", "vfs"]


def test_podman_pulls(quay: SandboxRegistry, podman_storage: list[str]) -> None:
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed (Debian package podman)")
    quay.load("team/app", "v1", CONTENT["index"])
    reference = f"{quay.host}/team/app:v1"
    pull = ["podman", *podman_storage, "pull", "-q", "--tls-verify=false", "--creds", CREDENTIALS, reference]
    done = subprocess.run(pull, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    inspect = ["podman", *podman_storage, "image", "inspect", "--format", "{{.Digest}}", reference]
    seen = subprocess.run(inspect, capture_output=True, text=True, check=True).stdout.strip()
    assert seen in {item.digest for item in CONTENT["index"].walk()}
