#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_mirror
short_description: Copy container images between registries
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Copies images, multi-platform indexes and other OCI artifacts from one or many registries to one or several others, without
    a container engine.
  - Every blob is moved at most once, straight from source to destination. A second run moves only what is missing; an image that is
    there already costs one look at each side.
  - Signatures and attestations travel along.
  - In check mode the result tells exactly what would be copied, mounted and skipped, with sizes.
extends_documentation_fragment:
  - quayside.airgap.attributes
  - quayside.airgap.registries
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  images:
    description:
      - What to copy. Each entry is a reference, C(registry/repository:tag) or C(registry/repository@sha256:...) or both, or a mapping.
      - A repository without tag and digest means all its tags, see O(tags).
      - A reference without a registry lies under O(source), or on Docker Hub when that is not set.
      - Keys of a mapping are V(source) (required), V(destination) (a reference without digest, or several; one without a registry
        lies under every O(destination)), V(platforms), V(tags) and V(exclude_tags), which stand in for the options of that name.
      - An image that is named by digest only gets the tag V(sha256-<hex>), as oc-mirror does, so that no registry takes it for
        garbage.
    type: list
    elements: raw
    default: []
  source:
    description:
      - Registry, or namespace in it, that O(images) without a registry lie under and that O(discover) looks through.
      - Repositories keep their path relative to it at the destination.
    type: str
  destination:
    description:
      - Registries, or namespaces in them, that images are copied to. Every image is read once and written to all of them.
    type: list
    elements: str
    default: []
  discover:
    description:
      - Take the repositories that the registry of O(source) lists and that lie under O(source).
    type: dict
    suboptions:
      include:
        description: Shell patterns for repositories, relative to O(source); V(*) also matches slashes. All when empty.
        type: list
        elements: str
        default: []
      exclude:
        description: Shell patterns for repositories to leave out.
        type: list
        elements: str
        default: []
  tags:
    description: Shell patterns for the tags that are taken of repositories named without a tag, and of discovered ones. All when empty.
    type: list
    elements: str
    default: []
  exclude_tags:
    description: Shell patterns for tags to leave out.
    type: list
    elements: str
    default: []
  platforms:
    description:
      - Which images of a multi-platform index to copy, as V(os/architecture) or V(os/architecture/variant). All when empty.
      - The index keeps its digest where the destination accepts one with absent images (V(sparse)); elsewhere it is rewritten to
        list the chosen images only and gets another digest (V(rewritten)). RV(images[].index) says which.
      - Images that are not part of an index are copied whatever their platform.
    type: list
    elements: str
    default: []
  signatures:
    description:
      - V(copy) takes along what belongs to an image, cosign's tags (V(.sig), V(.att), V(.sbom)) and OCI referrers, where there is any.
      - V(require) also fails an image whose source has no signature. Its validity is not checked.
      - V(skip) leaves all of it behind.
    type: str
    choices: [copy, require, skip]
    default: copy
  skip_broken:
    description:
      - When V(false), the first failure ends the run, and the message says what was copied before.
      - When V(true), the run goes on, and all failures are reported at its end.
    type: bool
    default: false
  fail_on_broken:
    description: With O(skip_broken=true), whether failures fail the task at its end. When V(false), they become warnings.
    type: bool
    default: true
  shard:
    description:
      - Take only a part of the images, so that several hosts, or several slices of a job, share the work.
      - All tags of a repository belong to the same part. A blob that repositories of several parts share may be moved once by each.
    type: dict
    suboptions:
      index:
        description: Number of this part, from 0.
        type: int
        required: true
      count:
        description: Number of parts.
        type: int
        required: true
  progress_file:
    description:
      - File that the state of the run is written to as JSON while it lasts.
      - With a local connection the state is shown while the task runs, whether this is set or not.
    type: path
seealso:
  - module: quayside.airgap.registry_preflight
"""

EXAMPLES = r"""
- name: Copy three images to the registry behind the gap
  quayside.airgap.image_mirror:
    destination: registry.lab.example:8443/mirror
    images:
      - quay.io/team/app:1.4
      - quay.io/team/db@sha256:7d9ba1a7d0d0d5a1a4fd7a0a1bb7c1b9c2f7d4a0f0c4a6d8e7b3f6a5c4d3e2f1
      - source: quay.io/team/tool:2
        destination: tools/tool:stable
        platforms: [linux/amd64]

- name: Keep two registries equal to a third
  quayside.airgap.image_mirror:
    source: quay.example.com/prod
    destination:
      - quay-a.example.com/prod
      - quay-b.example.com/prod
    discover:
      exclude: ["*-dev"]
    exclude_tags: ["*-rc*"]
    skip_broken: true

- name: Share the work between all hosts of the play
  quayside.airgap.image_mirror:
    source: quay.example.com
    destination: quay-dr.example.com
    discover: {}
    shard:
      index: "{{ ansible_play_hosts_all.index(inventory_hostname) }}"
      count: "{{ ansible_play_hosts_all | length }}"
"""

RETURN = r"""
images:
  description: One entry for each image and destination, in the order asked for.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  contains:
    source:
      description: Where the image was read.
      type: str
      sample: quay.io/team/app:1.4
    destination:
      description: Where it was stored.
      type: str
      sample: registry.lab.example:8443/mirror/team/app:1.4
    digest:
      description: Digest at the destination. It differs from the source's only where RV(images[].index) is V(rewritten).
      type: str
      sample: sha256:8b41865f061bfb8c9f21b2b0d5a0f8b2f54bb0b0a26d6cb8ea6b67a9db1d52a3
    state:
      description: V(copied), V(unchanged), V(failed), or V(not_attempted) when the run stopped before.
      type: str
      sample: copied
    reason:
      description: Why it failed or was not attempted; empty otherwise.
      type: str
      sample: ""
    bytes:
      description: Bytes of blobs sent to this destination on account of this image. A blob shared by images is on one account only.
      type: int
      sample: 4194304
    blobs:
      description: How many blobs were C(moved), C(mounted) from another repository of the destination, or C(skipped).
      type: dict
      sample: {moved: 4, mounted: 1, skipped: 0}
    index:
      description: For an index limited by O(platforms), V(sparse) or V(rewritten); empty otherwise.
      type: str
      sample: ""
    companions:
      description: Tags or digests of signatures and other referrers that were copied along.
      type: list
      elements: str
      sample: []
    notes:
      description: What is worth knowing although it is no failure.
      type: list
      elements: str
      sample: []
    elapsed:
      description: Seconds from the beginning of the run until this image was done.
      type: float
      sample: 1.27
totals:
  description: Counts over all images and destinations.
  returned: always, unless the options were wrong
  type: dict
  sample:
    images: 3
    copied: 1
    unchanged: 2
    failed: 0
    not_attempted: 0
    bytes_pulled: 4194304
    bytes_pushed: 4194304
    blobs_moved: 4
    blobs_mounted: 1
    blobs_skipped: 0
    elapsed: 1.4
"""

from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.module import (
    Failure,
    create_module,
    run,
    side_options,
    sides_rules,
    sides_spec,
    wire_options,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.mirror import MirrorTask, mirror
from ansible_collections.quayside.airgap.plugins.module_utils.registry.selection import Patterns, Selection, Shard


def _task(params: dict[str, Any], *, dry_run: bool) -> MirrorTask:
    discover = params["discover"]
    shard = params["shard"]
    selection = Selection(
        images=params["images"],
        source=params["source"],
        destinations=[text for text in params["destination"] if text],
        discover=Patterns(tuple(discover["include"]), tuple(discover["exclude"])) if discover is not None else None,
        tags=Patterns(tuple(params["tags"]), tuple(params["exclude_tags"])),
        platforms=params["platforms"],
        shard=Shard(shard["index"], shard["count"]) if shard is not None else Shard(),
    )
    return MirrorTask(
        selection=selection,
        source=side_options(params, "source"),
        destination=side_options(params, "destination"),
        wire=wire_options(params),
        signatures=params["signatures"],
        registries_conf=params["registries_conf"],
        skip_broken=params["skip_broken"],
        dry_run=dry_run,
        progress_file=params["progress_file"],
    )


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            sides_spec(),
            images={"type": "list", "elements": "raw", "default": []},
            source={"type": "str"},
            destination={"type": "list", "elements": "str", "default": []},
            discover={
                "type": "dict",
                "options": {
                    "include": {"type": "list", "elements": "str", "default": []},
                    "exclude": {"type": "list", "elements": "str", "default": []},
                },
            },
            tags={"type": "list", "elements": "str", "default": []},
            exclude_tags={"type": "list", "elements": "str", "default": []},
            platforms={"type": "list", "elements": "str", "default": []},
            signatures={"type": "str", "choices": ["copy", "require", "skip"], "default": "copy"},
            skip_broken={"type": "bool", "default": False},
            fail_on_broken={"type": "bool", "default": True},
            shard={
                "type": "dict",
                "options": {"index": {"type": "int", "required": True}, "count": {"type": "int", "required": True}},
            },
            progress_file={"type": "path"},
        ),
        **sides_rules(),
    )

    def call() -> dict[str, Any]:
        result = mirror(_task(module.params, dry_run=module.check_mode))
        results = result.as_results()
        for warning in result.warnings:
            module.warn(warning)
        if result.failures and (module.params["fail_on_broken"] or not module.params["skip_broken"]):
            raise Failure(result.message(), results)
        for failure in result.failures:
            module.warn(failure)
        return results

    run(module, call)


if __name__ == "__main__":
    main()
