# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole records of the catalog, with all keys and the weight of real ones: about 12 KB for an image, 8.2 KB for an operator row."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

__all__ = ["IMAGE_KEYS", "ROW_KEYS", "whole_image", "whole_row"]

Record = dict[str, Any]

# Catalog API: the keys of whole records
_IMAGE_KEYS = (
    "_id _links architecture brew certified container_grades content_sets cpe_ids creation_date deleted docker_image_digest "
    "docker_image_id freshness_grades image_id isv_pid last_update_date object_type parsed_data raw_config repositories "
    "sum_layer_size_bytes top_layer_id uncompressed_top_layer_id"
)
IMAGE_KEYS = frozenset(_IMAGE_KEYS.split())
_ROW_KEYS = (
    "_id alm_examples annotations architectures bundle_path bundle_path_digest capabilities channel_name creation_date "
    "csv_description csv_display_name csv_metadata_description csv_name in_index_img install_modes is_default_channel "
    "last_update_date latest_in_channel ocp_version organization package provided_apis provider related_images replaces "
    "skip_range skips source_index_container_path version version_original"
)
ROW_KEYS = frozenset(_ROW_KEYS.split())
_TEXT = (
    "certified platform software for clusters with storage network metrics policy delivery gateway service of enterprise "
    "workloads managed backup scaling release resource custom declarative operator installs updates observes"
)
_WORDS = _TEXT.split()
_NEVER = "2018-01-01T00:00:00.000000+00:00"


def whole_image(image: Mapping[str, Any]) -> Record:
    """The record of an image with everything that a real one carries. The same image is always the same record."""
    chosen = random.Random(f"image {image['_id']}")
    date = image.get("creation_date") or _NEVER
    layers = [_digest(chosen) for _number in range(8)]
    identifier = image["_id"]
    found: Record = {
        "_links": {
            name: {"href": f"/v1/images/id/{identifier}/{name.replace('_', '-')}"}
            for name in ("artifacts", "images", "operator_bundles", "requests", "rpm_manifest", "test_results", "vulnerabilities")
        },
        "brew": {
            "build": f"image-container-{chosen.randrange(99)}",
            "completion_date": date,
            "nvra": f"image-{identifier}",
            "package": "image",
        },
        "container_grades": {"message": "The image is graded as requested.", "status": "completed", "status_message": "completed"},
        "content_sets": ["rhel-9-for-x86_64-baseos-rpms", "rhel-9-for-x86_64-appstream-rpms"],
        "cpe_ids": ["cpe:/o:redhat:enterprise_linux:9::baseos", "cpe:/a:redhat:enterprise_linux:9::appstream"],
        "deleted": False,
        "docker_image_id": _digest(chosen),
        "freshness_grades": [{"creation_date": date, "end_date": date, "grade": grade, "start_date": date} for grade in "ABCD"],
        "object_type": "containerImage",
        "parsed_data": {
            "architecture": image.get("architecture"),
            "command": "['/usr/bin/run']",
            "comment": "",
            "created": date,
            "docker_version": "",
            "env_variables": [f"SETTING_{number}={_text(chosen, 5)}" for number in range(10)],
            "image_id": _digest(chosen),
            "labels": [{"name": f"com.example.label-{number}", "value": _text(chosen, 6)} for number in range(16)],
            "layers": layers,
            "os": "linux",
            "ports": "8080/tcp",
            "size": chosen.randrange(10**8, 10**9),
            "uncompressed_layer_sizes": [{"layer_id": layer, "size_bytes": chosen.randrange(10**8)} for layer in layers],
            "uncompressed_size_bytes": chosen.randrange(10**8, 10**9),
            "user": "1001",
            "virtual_size": 0,
        },
        "raw_config": _text(chosen, 130),
        "sum_layer_size_bytes": chosen.randrange(10**8, 10**9),
        "top_layer_id": layers[0],
        "uncompressed_top_layer_id": _digest(chosen),
        **image,
    }
    if isinstance(image.get("repositories"), list):
        found["repositories"] = [_whole_repository(repository, date, chosen) for repository in image["repositories"]]
    return found


def _whole_repository(repository: Any, date: str, chosen: random.Random) -> Any:
    if not isinstance(repository, Mapping):
        return repository
    path = f"{repository.get('registry')}/repository/{repository.get('repository')}"
    found: Record = {
        "_links": {
            "image_advisory": {"href": "/v1/advisories/redhat/id/None"},
            "repository": {"href": f"/v1/repositories/registry/{path}"},
        },
        "comparison": {"advisory_rpm_mapping": [], "reason": "OK", "reason_text": "No error", "rpms": {}, "with_nvr": None},
        "content_advisory_ids": [],
        "image_advisory_id": None,
        "manifest_schema2_digest": _digest(chosen),
        "published": True,
        "published_date": date,
        "push_date": date,
        "signatures": [{"key_long_id": f"{chosen.getrandbits(64):016X}", "tags": []}],
        **repository,
    }
    if isinstance(repository.get("tags"), list):
        found["tags"] = [
            {
                "_links": {"tag_history": {"href": f"/v1/tag-history/registry/{path}/tag/{tag.get('name')}"}},
                "added_date": date,
                **({"manifest_schema1_digest": _digest(chosen)} if chosen.random() < 0.3 else {}),
                **tag,
            }
            if isinstance(tag, Mapping)
            else tag
            for tag in repository["tags"]
        ]
    return found


def whole_row(row: Mapping[str, Any]) -> Record:
    """The record of an operator row with everything that a real one carries. The same row is always the same record."""
    chosen = random.Random(f"row {row['_id']}")
    name, _dot, version = str(row.get("csv_name")).partition(".")
    package = str(row.get("package"))
    image = f"registry.connect.redhat.com/{package}/bundle"
    digest = _digest(chosen)
    kinds = [f"{package.title().replace('-', '')}{number}" for number in range(3)]
    return {
        "alm_examples": [
            {
                "apiVersion": f"{package}.example.com/v1",
                "kind": kind,
                "metadata": {"name": kind.lower()},
                "spec": {"note": _text(chosen, 24)},
            }
            for kind in kinds
        ],
        "annotations": {"infrastructure_features": ["disconnected"], "valid_subscription": []},
        "architectures": ["amd64"],
        "bundle_path": f"{image}@{digest}",
        "bundle_path_digest": digest,
        "capabilities": [chosen.choice(("Basic Install", "Seamless Upgrades", "Full Lifecycle", "Deep Insights", "Auto Pilot"))],
        "csv_description": _text(chosen, 345),
        # an é, so that readers see escapes
        "csv_display_name": f"Opérateur {name}",
        "csv_metadata_description": _text(chosen, 30),
        "in_index_img": True,
        "install_modes": [
            {"supported": mode == "AllNamespaces", "type": mode}
            for mode in ("OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces")
        ],
        "is_default_channel": chosen.random() < 0.5,
        "latest_in_channel": chosen.random() < 0.2,
        "provided_apis": [
            {"group": f"{package}.example.com", "kind": kind, "plural": f"{kind.lower()}s", "version": "v1"} for kind in kinds
        ],
        "provider": None if chosen.random() < 0.1 else package.partition("-")[0].title(),
        "related_images": [
            {"digest": related, "image": f"registry.connect.redhat.com/{package}/part-{number}@{related}", "name": f"part-{number}"}
            for number, related in enumerate(_digest(chosen) for _number in range(5))
        ],
        "replaces": None,
        "skip_range": None if chosen.random() < 0.7 else f"<{version.lstrip('v')}",
        "skips": [],
        "source_index_container_path": f"registry.redhat.io/redhat/certified-operator-index:v{row.get('ocp_version')}",
        "version": version.lstrip("v"),
        "version_original": version.lstrip("v"),
        **row,
    }


def _digest(chosen: random.Random) -> str:
    return f"sha256:{chosen.getrandbits(256):064x}"


def _text(chosen: random.Random, words: int) -> str:
    return " ".join(chosen.choices(_WORDS, k=words))
