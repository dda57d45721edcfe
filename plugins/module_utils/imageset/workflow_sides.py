# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The registries that an image set is read from and mirrored to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import ImageSet
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.names import parse_source
from ansible_collections.quayside.airgap.plugins.module_utils.imageset.task import ImageSetTask
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import Access
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import Location, parse_location
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries import Registries
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries_conf import load_registries_conf
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import make_side


@contextmanager
def source_side(task: ImageSetTask, image_set: ImageSet, cancellation: Cancellation) -> Iterator[Registries]:
    """The registries that are read, as registries.conf says.

    Explicit credentials are for the registry that the task or, where it is a single one, the image set names. Images of operators may lie
    in others, which get none of them.

    :raises InputError: when the image set names several registries, and it is not clear which one explicit credentials are for.
    :raises FileError: when registries.conf cannot be read.
    """
    names = [entry.catalog for entry in image_set.operators] + [entry.name for entry in image_set.additional_images]
    references = [parse_source(name).reference for name in names]
    hosts = dict.fromkeys(reference.registry for reference in references if reference is not None)
    conf = load_registries_conf(task.registries_conf)
    named = (parse_location(task.source, "source").registry,) if task.source else None
    side = make_side("source", task.source_side, task.wire, hosts, conf=conf, cancellation=cancellation, named=named)
    try:
        yield side
    finally:
        side.close()


@contextmanager
def destination_side(task: ImageSetTask, destination: Location, cancellation: Cancellation) -> Iterator[Registries]:
    """The registry that is written, or in a dry run only looked at.

    :raises AirgapError: when it does not answer, or does not accept our credentials: then no image need be tried.
    """
    named = (destination.registry,)
    access = Access.LOOK if task.dry_run else Access.WRITE
    side = make_side("destination", task.destination_side, task.wire, named, cancellation=cancellation, named=named, access=access)
    try:
        side.client(destination.registry).check_login(destination.namespace, required=True)
        yield side
    finally:
        side.close()
