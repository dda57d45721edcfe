# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between two docker-registry programs, and pulled back by skopeo and podman: what arrives is what was there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile

import pytest

from ansible_collections.quayside.airgap.tests.integration.playbooks import sides
from ansible_collections.quayside.airgap.tests.support.docker_registry import TEST_PASSWORD, TEST_USER, DockerRegistry
from ansible_collections.quayside.airgap.tests.support.images import (
    Placement,
    artifact,
    cosign_signature,
    cosign_tag,
    file_layer,
    image,
    layer,
    multi_arch,
    push_all,
)

BASE = layer("base of everything", 200_000)


def program(name: str) -> str:
    return shutil.which(name) or pytest.skip(f"{name} is not installed (Debian package {name})")


def content() -> dict[str, dict[str, object]]:
    """Repository -> tag -> image: OCI and Docker formats, one for several platforms, a signature, an artifact."""
    web = image([BASE, layer("web", 120_000)])
    legacy = image([layer("legacy", 50_000, fmt="docker")], fmt="docker")
    multi = multi_arch("multi", ("linux/amd64", "linux/arm64", "linux/s390x"))
    return {
        "shop/web": {"v1": web, "v2": image([BASE, layer("web 2", 120_000)]), cosign_tag(web.digest): cosign_signature(web)},
        "shop/db": {"v1": image([BASE, file_layer({"etc/db.conf": b"answer = 42\n"})])},
        "legacy": {"v1": legacy, "list": multi_arch("legacy list", ("linux/amd64", "linux/arm64"), fmt="docker")},
        "multi": {"v1": multi},
        "chart": {"0.1.0": artifact("application/vnd.cncf.helm.config.v1+json", b"a chart")},
    }


def placements(namespace: str) -> list[Placement]:
    return [Placement(f"{namespace}/{name}", tag, found) for name, tags in content().items() for tag, found in tags.items()]


def test_everything_that_is_there_arrives(play, docker_registries, tmp_path):
    source, destination = docker_registries
    wanted = placements("everything")
    push_all(source.url, wanted)
    variables = sides(f"{source.host}/everything", f"{destination.host}/far/side", discover={})

    foretold = play(variables, "--check").succeeded()
    assert not [name for name in destination.repositories() if name.startswith("far/")]
    done = play(variables).succeeded()
    assert done.totals == foretold.totals
    assert done.digests == foretold.digests
    again = play(variables).succeeded()
    assert again.changed == 0
    assert again.totals["bytes_pulled"] == again.totals["bytes_pushed"] == 0

    assert destination.verify() == []
    for item in wanted:
        repository = item.repository.replace("everything", "far/side")
        assert destination.tags(repository)[item.tag] == item.image.digest
    # what all images share has gone over the wire once
    blobs = {digest: found.size for item in wanted for digest, found in item.image.all_blobs().items()}
    assert done.totals["bytes_pulled"] == done.totals["bytes_pushed"] == sum(blobs.values())

    skopeo = program("skopeo")
    for item in wanted:
        place = f"docker://{destination.host}/{item.repository.replace('everything', 'far/side')}:{item.tag}"
        raw = subprocess.run([skopeo, "inspect", "--raw", "--tls-verify=false", place], check=True, capture_output=True).stdout
        assert "sha256:" + hashlib.sha256(raw).hexdigest() == item.image.digest
    # all of its platforms, every blob read and hashed by skopeo
    folder = tmp_path / "multi"
    place = f"docker://{destination.host}/far/side/multi:v1"
    subprocess.run([skopeo, "copy", "-q", "--all", "--src-tls-verify=false", place, f"dir:{folder}"], check=True, timeout=60)
    names = {path.name for path in folder.iterdir()}
    assert {digest.split(":")[1] for digest in content()["multi"]["v1"].all_blobs()} <= names


@pytest.mark.skipif(os.geteuid() != 0, reason="podman without root needs a configured user namespace")
def test_podman_pulls_what_was_copied(play, docker_registries):
    program("podman")
    source, destination = docker_registries
    push_all(source.url, placements("pulled"))
    images = ["shop/web:v1", "legacy:v1", "multi:v1"]
    play(sides(f"{source.host}/pulled", destination.host, images=images, preflight=False)).succeeded()

    # podman takes no long paths here
    with tempfile.TemporaryDirectory() as folder:
        command = [program("podman"), "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "vfs"]
        for name in images:
            repository, tag = name.split(":")
            wanted = content()[repository][tag].digest
            place = f"{destination.host}/{repository}"
            subprocess.run([*command, "pull", "-q", "--tls-verify=false", f"{place}:{tag}"], check=True, timeout=60)
            shown = subprocess.run([*command, "image", "inspect", f"{place}:{tag}"], check=True, capture_output=True).stdout
            assert f"{place}@{wanted}" in json.loads(shown)[0]["RepoDigests"]


def test_registries_with_users_and_the_newest_name_of_each(play, docker_registries, tmp_path):
    """Login by htpasswd, a wrong one first; then only some tags, whose images moved at the source since the last run."""
    source, _other = docker_registries
    push_all(source.url, placements("login"))
    with DockerRegistry(tmp_path / "locked", htpasswd={TEST_USER: TEST_PASSWORD}) as locked:
        variables = sides(
            f"{source.host}/login",
            locked.host,
            images=[{"source": "shop/web", "tags": ["v*"]}, "shop/db"],
            destination_username=TEST_USER,
            destination_password=TEST_PASSWORD,
        )
        refused = play({**variables, "registry_sync_destination_password": "not-the-password"}).failed()
        assert f"destination {locked.host}: Could not log in to {locked.host}: the registry answered 401 UNAUTHORIZED" in refused.message
        assert "authentication required" in refused.message
        assert "not-the-password" not in refused.output

        play(variables).succeeded()
        newer = image([BASE, layer("web 2, mended", 120_000)])
        push_all(source.url, [Placement("login/shop/web", "v2", newer)])
        done = play(variables).succeeded()

        assert done.states == {
            f"{locked.host}/shop/web:v1": "unchanged",
            f"{locked.host}/shop/web:v2": "copied",
            f"{locked.host}/shop/db:v1": "unchanged",
        }
        new = {digest: found.size for digest, found in newer.all_blobs().items() if digest != BASE.digest}
        assert done.totals["bytes_pushed"] == sum(new.values())
        assert locked.tags("shop/web")["v2"] == newer.digest
        assert locked.verify() == []
