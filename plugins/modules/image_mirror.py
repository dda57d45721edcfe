#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_mirror
short_description: Copy container images and image sets between registries and disks
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Copies images, multi-platform indexes and other OCI artifacts from one or many registries to one or several others, without
    a container engine.
  - Every blob is moved at most once, straight from source to destination. A second run moves only what is missing; an image that is
    there already costs one look at each side.
  - Signatures and attestations travel along.
  - Or mirrors an image set, the ImageSetConfiguration of oc-mirror v2, as oc-mirror does and without it, from registries to disk, from
    disk to a registry, or straight across. Which of these it is, O(destination), O(from) and O(workspace) say.
  - With O(state) it deletes what an image set mirrored, and never what another tag needs.
  - In check mode the result tells exactly what would be copied, mounted, skipped and deleted, with sizes.
extends_documentation_fragment:
  - quayside.airgap.attributes
  - quayside.airgap.registries
  - quayside.airgap.registries.source
  - quayside.airgap.registries.destination
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
      - With O(image_set), the registry that O(source_username) and O(source_password) are for, where the image set names several.
    type: str
  destination:
    description:
      - Registries, or namespaces in them, that images are copied to. Every image is read once and written to all of them.
      - An image set has one, V(docker://registry/namespace), or V(file:///folder) for archives. C(docker://) may be left out.
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
      - An image set goes on in either case.
    type: bool
    default: false
  fail_on_broken:
    description:
      - With O(skip_broken=true) or an image set, whether failures fail the task at its end. When V(false), they become warnings.
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
  image_set:
    description:
      - An ImageSetConfiguration (mirror.openshift.io/v2alpha1), as the path of a file or as the mapping itself. It takes the place of
        O(images).
      - With O(state=absent) a DeleteImageSetConfiguration.
      - With O(from) it may be left out; then it is the one that the archive was made from. It may also name less than that.
      - Releases, the image with the update graph and Helm charts are not mirrored yet. An image set that names them is refused.
    type: raw
  from:
    description: Folder with an archive of an image set, V(file:///folder), which is mirrored to O(destination).
    type: str
  workspace:
    description:
      - Folder, V(file:///folder), for what a run writes beside the images, in C(working-dir) - cluster resources, reports, catalogs.
      - Runs straight across need it. Runs to disk have their C(working-dir) beside the archive, and so have runs from disk unless this
        names another folder, as a medium that cannot be written needs it.
    type: str
  since:
    description:
      - A day, V(2026-11-20). The archive holds what is new since the last one from before this day, in place of the last one. Where there
        is none from before, it holds everything.
    type: str
  strict_archive:
    description:
      - Fail where a layer alone is larger than C(archiveSize) of O(image_set) allows. When V(false), it gets a file of its own, which is
        larger.
    type: bool
    default: false
  max_nested_paths:
    description:
      - How many components a repository has at O(destination) at the most, its namespace included. The rest is joined with dashes.
      - V(0) means as many as there are.
    type: int
    default: 0
  lenient:
    description: Packages, channels and versions that a catalog does not have are warnings. When V(false), they fail the task.
    type: bool
    default: false
  automatic_default_channel:
    description:
      - Where a package's default channel is not among those that are taken, make another one of its channels the default. When V(false),
        this fails the task, unless the image set names a C(defaultChannel).
    type: bool
    default: false
  state:
    description:
      - V(present) mirrors.
      - V(absent) deletes at O(destination) what O(image_set), a DeleteImageSetConfiguration, or O(delete_list) names. What is not there
        is no failure.
      - V(pruned) deletes below O(destination) what O(image_set), an ImageSetConfiguration, does not name. The registry has to list its
        repositories for that. Images of releases are left alone.
      - What a tag that stays needs is never deleted, neither its image, nor a part of that, nor its signatures. Where two tags name the
        same image and one of them stays, the other one is deleted only by registries that delete single tags, such as Quay.
      - Signatures and other referrers go with their image, and so does what an index lists. The registry frees the space when it collects
        its garbage.
      - The images of operators are those that the catalog at O(destination) names. What that does not have, such as a version of before,
        is looked up in the catalog at its source. With V(absent), catalogs themselves stay, and images that other bundles of the catalog
        at O(destination) need.
      - The registry must allow deletion, which docker-registry does with C(REGISTRY_STORAGE_DELETE_ENABLED=true).
    type: str
    choices: [present, absent, pruned]
    default: present
  delete_list:
    description: What to delete with O(state=absent), as oc-mirror's C(delete-images.yaml); the path of the file, or the mapping itself.
    type: raw
  plan_file:
    description:
      - File that the list of what is deleted is written to with O(state=absent) and O(state=pruned), in check mode too. O(delete_list)
        and oc-mirror take it.
      - Tags that go without their image are not in it, for oc-mirror would delete the image. Of two tags of one image oc-mirror reports
        the second one as an error, although it deletes both.
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

- name: Mirror an image set to a medium, the first time everything and then what is new
  quayside.airgap.image_mirror:
    image_set: /etc/mirror/imageset.yml
    destination: file:///media/disk/mirror

- name: Mirror it from the medium to the registry behind the gap
  quayside.airgap.image_mirror:
    from: file:///media/disk/mirror
    destination: docker://registry.lab.example:8443/mirror

- name: Mirror two operators straight across
  quayside.airgap.image_mirror:
    image_set:
      apiVersion: mirror.openshift.io/v2alpha1
      kind: ImageSetConfiguration
      mirror:
        operators:
          - catalog: registry.redhat.io/redhat/redhat-operator-index:v4.18
            packages:
              - name: quay-operator
              - name: odf-operator
                channels: [{name: stable-4.18, minVersion: 4.18.2}]
            dependencies: true
    destination: docker://registry.lab.example:8443/mirror
    workspace: file:///var/lib/mirror

- name: Delete what is no longer wanted (with --check, see what that is)
  quayside.airgap.image_mirror:
    state: absent
    image_set: /etc/mirror/delete.yml
    destination: docker://registry.lab.example:8443/mirror
    plan_file: /var/lib/mirror/delete-images.yaml

- name: Delete what the image set no longer names
  quayside.airgap.image_mirror:
    state: pruned
    image_set: /etc/mirror/imageset.yml
    destination: docker://registry.lab.example:8443/mirror
"""

RETURN = r"""
images:
  description: One entry for each image and destination, in the order asked for.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  contains:
    source:
      description: Where the image was read. Of an image set it is written with C(docker://) or C(oci://).
      type: str
      sample: quay.io/team/app:1.4
    destination:
      description: Where it was stored. In an archive, the name that it has there, below C(file://) and the folder.
      type: str
      sample: registry.lab.example:8443/mirror/team/app:1.4
    digest:
      description: Digest at the destination. It differs from the source's only where RV(images[].index) is V(rewritten).
      type: str
      sample: sha256:8b41865f061bfb8c9f21b2b0d5a0f8b2f54bb0b0a26d6cb8ea6b67a9db1d52a3
    state:
      description:
        - V(copied), V(unchanged), V(failed), or V(not_attempted) when the run stopped before.
        - Of a deletion, V(deleted), V(absent) when there was none, V(kept) when something that stays needs it, or V(failed).
      type: str
      sample: copied
    reason:
      description: Why it failed, was not attempted or is kept; empty otherwise.
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
      description: Tags or digests of signatures and other referrers that were copied or deleted along.
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
    kind:
      description:
        - Of an image set, what the image is to it - V(operatorBundle), V(operatorRelatedImage), V(operatorCatalog), or V(generic) for
          additional images.
      type: str
      sample: operatorBundle
    bundles:
      description: Of an image set, the bundles of operators that need the image, as C(package/bundle).
      type: list
      elements: str
      sample: [quay-operator/quay-operator.v3.15.1]
totals:
  description:
    - Counts over all images and destinations.
    - Of a deletion C(images), C(deleted), C(absent), C(kept), C(failed), and C(manifests), how many manifests are gone with these
      images, their signatures and the parts of indexes counted. How many bytes that frees, the registry knows when it has collected its
      garbage.
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
mode:
  description: Of an image set, V(mirror_to_disk), V(disk_to_mirror) or V(mirror_to_mirror).
  returned: when an image set was mirrored
  type: str
  sample: mirror_to_disk
failures:
  description: Of an image set, all that was asked for and could not be had or deleted, as sentences. The message has the first ones.
  returned: when an image set was mirrored, and with O(state=absent) and O(state=pruned)
  type: list
  elements: str
  sample: []
plan_file:
  description: The list of what is deleted, where O(plan_file) asked for one; empty otherwise.
  returned: with O(state=absent) and O(state=pruned)
  type: str
  sample: /var/lib/mirror/delete-images.yaml
archive:
  description: What became of the archive of a run to disk. In other runs it is empty.
  returned: when an image set was mirrored
  type: dict
  contains:
    changed:
      description: Whether one was written. It is not when nothing is new since the last one, and in check mode.
      type: bool
      sample: true
    sequence:
      description: Number of the archive in the sequence of the image set, 1 for the first one; V(0) where none was written.
      type: int
      sample: 3
    files:
      description: Its files, in order.
      type: list
      elements: str
      sample: [/media/mirror/mirror_000001.tar]
    bytes:
      description: Their sizes together.
      type: int
      sample: 734003200
working_dir:
  description: Where cluster resources, reports, catalogs and the history are.
  returned: when an image set was mirrored
  type: str
  sample: /media/mirror/working-dir
cluster_resources:
  description: Files that make a cluster use the mirror, with their paths. In check mode, those that there would be.
  returned: when an image set was mirrored
  type: dict
  contains:
    files:
      description: All that there are now.
      type: list
      elements: str
      sample: [/var/lib/mirror/working-dir/cluster-resources/idms-oc-mirror.yaml]
    written:
      description: Those that are new or say something else than before.
      type: list
      elements: str
      sample: []
    removed:
      description: Those of an earlier run that say nothing any more.
      type: list
      elements: str
      sample: []
mapping:
  description: In check mode, C(mapping.txt) and, where something is not there yet, C(missing.txt).
  returned: when an image set was mirrored
  type: list
  elements: str
  sample: [/var/lib/mirror/working-dir/dry-run/mapping.txt]
reports:
  description: The report of the run, as JSON and as a page for a browser; none in check mode, and where nothing changed or failed.
  returned: when an image set was mirrored
  type: list
  elements: str
  sample:
    - /var/lib/mirror/working-dir/reports/20261120T220958.412Z.json
    - /var/lib/mirror/working-dir/reports/20261120T220958.412Z.html
"""

from typing import TYPE_CHECKING, Any

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.options import (
    STATES,
    Reach,
    Work,
    delete_task,
    image_set_task,
    work_of,
)
from ansible_collections.quayside.airgap.plugins.module_utils.module import (
    Failure,
    create_module,
    run,
    side_options,
    sides_rules,
    sides_spec,
    wire_options,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.mirror import MirrorResult, MirrorTask, mirror
from ansible_collections.quayside.airgap.plugins.module_utils.registry.selection import Patterns, Selection, Shard

if TYPE_CHECKING:
    from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete import DeleteResult
    from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import ImageSetResult


def _images_task(params: dict[str, Any], reach: Reach, *, dry_run: bool) -> MirrorTask:
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
        source=reach.source,
        destination=reach.destination,
        wire=reach.wire,
        signatures=params["signatures"],
        registries_conf=reach.registries_conf,
        skip_broken=params["skip_broken"],
        dry_run=dry_run,
        progress_file=params["progress_file"],
    )


def _carry_out(params: dict[str, Any], *, dry_run: bool) -> MirrorResult | ImageSetResult | DeleteResult:
    work = work_of(params)
    reach = Reach(side_options(params, "source"), side_options(params, "destination"), wire_options(params), params["registries_conf"])
    # imported where it is used: reading it takes longer than copying an image that is there already
    if work is Work.MIRROR_SET:
        from ansible_collections.quayside.airgap.plugins.module_utils.imageset.workflow import mirror_image_set

        return mirror_image_set(image_set_task(params, reach, dry_run=dry_run))
    if work is Work.DELETE_IMAGES:
        from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete import delete_image_set

        return delete_image_set(delete_task(params, reach, dry_run=dry_run))
    return mirror(_images_task(params, reach, dry_run=dry_run))


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
            image_set={"type": "raw"},
            workspace={"type": "str"},
            since={"type": "str"},
            strict_archive={"type": "bool", "default": False},
            max_nested_paths={"type": "int", "default": 0},
            lenient={"type": "bool", "default": False},
            automatic_default_channel={"type": "bool", "default": False},
            state={"type": "str", "choices": list(STATES), "default": STATES[0]},
            delete_list={"type": "raw"},
            plan_file={"type": "path"},
            **{"from": {"type": "str"}},
        ),
        **sides_rules(),
    )

    def call() -> dict[str, Any]:
        result = _carry_out(module.params, dry_run=module.check_mode)
        results = result.as_results()
        for warning in result.warnings:
            module.warn(warning)
        # the first failure ends a copy of single images, unless it shall go on
        ended = isinstance(result, MirrorResult) and not module.params["skip_broken"]
        if result.failures and (module.params["fail_on_broken"] or ended):
            raise Failure(result.message(), results)
        for failure in result.failures:
            module.warn(failure)
        return results

    run(module, call)


if __name__ == "__main__":
    main()
