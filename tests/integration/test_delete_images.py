# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images are deleted from a real docker-registry, as a playbook does it: in check mode, in earnest, and once more."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.quayside.airgap.tests.support.docker_registry import DockerRegistry, require_docker_registry
from ansible_collections.quayside.airgap.tests.support.images import (
    Placement,
    artifact,
    cosign_signature,
    cosign_tag,
    index,
    multi_arch,
    push_all,
    referrers_tag,
    simple_image,
)

APP, DB, MANY = simple_image("app"), simple_image("db"), multi_arch("many")
SBOM = artifact("application/spdx+json", b"{}", subject=APP)
IMAGES = [
    Placement("lab/app", "v1", APP),
    Placement("lab/app", "v2", DB),
    Placement("lab/app", cosign_tag(APP.digest), cosign_signature(APP)),
    Placement("lab/app", referrers_tag(APP.digest), index([SBOM])),
    Placement("lab/many", "v1", MANY),
    Placement("lab/many", "amd64", MANY.children[0]),
    Placement("lab/shared", "v1", DB),
    Placement("lab/shared", "latest", DB),
    Placement("other/app", "v1", APP),
]
CONFIGURATION = {
    "apiVersion": "mirror.openshift.io/v2alpha1",
    "kind": "DeleteImageSetConfiguration",
    "delete": {"additionalImages": [{"name": f"quay.io/{place}"} for place in ("app:v1", "many:v1", "shared:v1", "never:v1")]},
}


@pytest.fixture
def playbook(tmp_path):
    """One task: image_mirror with the options that a run has."""
    path = tmp_path / "delete.yml"
    task = {"name": "Delete", "quayside.airgap.image_mirror": "{{ options }}"}
    path.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    return str(path)


def options(registry, **more):
    given = {"destination": f"docker://{registry.host}/lab", "destination_validate_certs": False, "registries_conf": "", "retries": 0}
    return {"options": {"state": "absent", "image_set": CONFIGURATION, **given, **more}}


def test_only_what_nobody_needs_is_deleted(play, playbook, tmp_path):
    require_docker_registry()
    with DockerRegistry(tmp_path / "registry", descriptor_cache=True) as registry:
        push_all(registry.url, IMAGES)
        before = {name: registry.tags(name) for name in registry.repositories()}
        plan = tmp_path / "delete-images.yaml"

        foretold = play(options(registry, plan_file=str(plan)), "--check", playbook=playbook).succeeded()
        assert {name: registry.tags(name) for name in registry.repositories()} == before
        assert foretold.totals == {"images": 4, "deleted": 3, "absent": 1, "kept": 0, "failed": 0, "manifests": 7}
        listed = {item["imageReference"].partition("/lab/")[2] for item in yaml.safe_load(plan.read_text())["items"]}
        assert listed == {"app:v1", f"app:{cosign_tag(APP.digest)}", f"app:{referrers_tag(APP.digest)}", "many:v1"}

        done = play(options(registry), playbook=playbook).succeeded()
        place = f"{registry.host}/lab"
        assert done.states == {
            f"{place}/app:v1": "deleted",
            f"{place}/many:v1": "deleted",
            # docker-registry 2 deletes no tag alone
            f"{place}/shared:v1": "kept",
            f"{place}/never:v1": "absent",
        }
        assert done.changed == 1
        assert registry.tags("lab/app") == {"v2": DB.digest}
        assert registry.manifests("lab/app") == [DB.digest]
        assert registry.tags("lab/many") == {"amd64": MANY.children[0].digest}
        assert registry.manifests("lab/many") == [MANY.children[0].digest]
        assert registry.tags("lab/shared") == before["lab/shared"]
        assert registry.tags("other/app") == before["other/app"]
        assert registry.verify() == []

        assert play(options(registry), playbook=playbook).succeeded().changed == 0


def test_what_an_image_set_does_not_name_is_pruned(play, playbook, tmp_path):
    require_docker_registry()
    with DockerRegistry(tmp_path / "registry") as registry:
        push_all(registry.url, IMAGES)
        image_set = {**CONFIGURATION, "kind": "ImageSetConfiguration", "mirror": CONFIGURATION["delete"]}
        del image_set["delete"]
        done = play(options(registry, state="pruned", image_set=image_set), playbook=playbook).succeeded()
        place = f"{registry.host}/lab"
        assert done.states == {f"{place}/app:v2": "deleted", f"{place}/many:amd64": "kept", f"{place}/shared:latest": "kept"}
        assert set(registry.tags("lab/app")) == {"v1", cosign_tag(APP.digest), referrers_tag(APP.digest)}
        assert set(registry.tags("other/app")) == {"v1"}
        assert registry.verify() == []
        assert play(options(registry, state="pruned", image_set=image_set), playbook=playbook).succeeded().changed == 0


@pytest.mark.parametrize("how", [{"delete": False}, {"read_only": True}])
def test_a_registry_that_does_not_delete_says_what_to_do(play, playbook, tmp_path, how):
    require_docker_registry()
    with DockerRegistry(tmp_path / "registry") as registry:
        push_all(registry.url, IMAGES)
    with DockerRegistry(tmp_path / "registry", **how) as registry:
        refused = play(options(registry), playbook=playbook).failed()
        assert f"The registry {registry.host} does not delete: the registry answered 405" in refused.message
        assert "REGISTRY_STORAGE_DELETE_ENABLED=true" in refused.message
        assert refused.message.count("does not delete") == 1
        assert set(registry.tags("lab/app")) == {"v1", "v2", cosign_tag(APP.digest), referrers_tag(APP.digest)}
