# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of image_mirror: which kind of work they ask for, and the task that they make over an image set."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.documents import document
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions

# They bring all of their room with them, which those who copy single images need not wait for
if TYPE_CHECKING:
    from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete import DeleteTask
    from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import ImageSetTask

PRESENT, ABSENT, PRUNED = STATES = ("present", "absent", "pruned")

# Options that belong to one kind of work alone, and why they have no place elsewhere
_OF_IMAGES = {
    "images": "an image set names its images itself, single ones under additionalImages",
    "discover": "an image set names its images itself",
    "tags": "they choose among the tags of repositories, and an image set names images",
    "exclude_tags": "they choose among the tags of repositories, and an image set names images",
    "shard": "an image set is mirrored by one host",
}
_OF_MIRRORING = {
    "from": "it is where an image set is mirrored from",
    "workspace": "it is for what a run that mirrors writes",
    "since": "it is about archives that are written",
    "strict_archive": "it is about archives that are written",
    "automatic_default_channel": "it is about catalogs that are made",
}
_OF_SETS = {"max_nested_paths": "it is about image sets", "lenient": "it is about image sets"}
_OF_DELETION = {"delete_list": "it says what is deleted", "plan_file": "it tells what is deleted"}


class Work(enum.Enum):
    """What image_mirror can do."""

    COPY_IMAGES = "copy images"
    MIRROR_SET = "mirror an image set"
    DELETE_IMAGES = "delete images"


@dataclass(frozen=True)
class Reach:
    """How the registries of both sides are reached, whatever the work.

    :ivar registries_conf: path of a registries.conf; None for the usual places, empty for none.
    """

    source: SideOptions = field(default_factory=SideOptions)
    destination: SideOptions = field(default_factory=SideOptions)
    wire: WireOptions = field(default_factory=WireOptions)
    registries_conf: str | None = None


def work_of(params: Mapping[str, Any]) -> Work:
    """Which work the options ask for.

    :param params: by name, as the module has them.
    :raises InputError: when they contradict each other, with the reason. Which workflow of mirroring it is comes later, see
        :func:`task.route_of`.
    """
    if params["state"] != PRESENT:
        _refuse(params, {**_OF_IMAGES, **_OF_MIRRORING}, f"Leave it out, or use it with state {PRESENT}.")
        return Work.DELETE_IMAGES
    _refuse(params, _OF_DELETION, f"It goes with state {ABSENT} or {PRUNED}.")
    if params["image_set"] or params["from"]:
        _refuse(params, _OF_IMAGES, "Leave it out, or copy the images in a task of their own.")
        return Work.MIRROR_SET
    _refuse(params, {**_OF_MIRRORING, **_OF_SETS}, "Name an image set with image_set.")
    return Work.COPY_IMAGES


def image_set_task(params: Mapping[str, Any], reach: Reach, *, dry_run: bool) -> ImageSetTask:
    """What mirrors an image set, for options that ask for that.

    :raises InputError: when there is more than one destination, or none.
    """
    from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import ImageSetTask

    return ImageSetTask(
        destination=_destination(params),
        image_set=document(params["image_set"]),
        origin=params["from"] or "",
        workspace=params["workspace"] or "",
        since=params["since"] or "",
        strict_archive=params["strict_archive"],
        max_nested_paths=params["max_nested_paths"],
        signatures=params["signatures"],
        platforms=tuple(params["platforms"]),
        lenient=params["lenient"],
        automatic_default_channel=params["automatic_default_channel"],
        source=params["source"] or "",
        source_side=reach.source,
        destination_side=reach.destination,
        wire=reach.wire,
        registries_conf=reach.registries_conf,
        dry_run=dry_run,
        progress_file=params["progress_file"],
    )


def _destination(params: Mapping[str, Any]) -> str:
    found = [str(text) for text in params["destination"] if text]
    if len(found) > 1:
        raise InputError("destination", f"an image set has one, and there are {len(found)}: {', '.join(found)}", "Write a task for each.")
    return found[0] if found else ""


def _refuse(params: Mapping[str, Any], names: Mapping[str, str], hint: str) -> None:
    for name, reason in names.items():
        given = params[name]
        # an empty mapping is a wish: discover takes everything then
        if given or isinstance(given, Mapping):
            raise InputError(name, reason, hint)


def delete_task(params: Mapping[str, Any], reach: Reach, *, dry_run: bool) -> DeleteTask:
    """What deletes images, for options that ask for that.

    :raises InputError: when there is more than one destination.
    """
    from ansible_collections.quayside.airgap.plugins.module_utils.imageset.delete import DeleteTask

    return DeleteTask(
        destination=_destination(params),
        state=params["state"],
        image_set=document(params["image_set"]),
        delete_list=document(params["delete_list"], "delete_list"),
        plan_file=params["plan_file"] or "",
        max_nested_paths=params["max_nested_paths"],
        lenient=params["lenient"],
        source=params["source"] or "",
        source_side=reach.source,
        destination_side=reach.destination,
        wire=reach.wire,
        registries_conf=reach.registries_conf,
        dry_run=dry_run,
        progress_file=params["progress_file"],
    )
