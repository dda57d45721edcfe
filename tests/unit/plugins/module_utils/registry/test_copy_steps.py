# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the copy engine in which somebody has a say between the steps."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import Access
from ansible_collections.quayside.airgap.plugins.module_utils.registry.copy import CopyEngine, CopyOptions, Steps
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED, FAILED, NOT_ATTEMPTED, UNCHANGED
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.images import simple_image
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import blob_reads, blob_writes, manifest_writes, request
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import QUICK, make_side

IMAGES = {name: simple_image(name) for name in ("part", "whole")}


@pytest.fixture
def source(start):
    registry = start()
    for name, image in IMAGES.items():
        registry.load(name, "v1", image)
    return registry


@pytest.fixture
def destination(start):
    return start()


@pytest.fixture
def go(source, destination):
    """Copies part, and after it whole, which is of no use without it."""
    part, whole = (request((source, f"{name}:v1"), (destination, f"{name}:v1")) for name in IMAGES)

    def admit(asked, states):
        assert asked == whole
        return "part is not there" if states[part.destinations[0]] == FAILED else ""

    def run(*, dry_run=False, **steps):
        sources, destinations = make_side(), make_side(access=Access.LOOK if dry_run else Access.WRITE)
        try:
            engine = CopyEngine(sources, destinations, CopyOptions(parallel=4, signatures="skip", retry=QUICK, dry_run=dry_run))
            return engine.run([whole, part], Steps(**{"last": [whole], "admit": admit, **steps}))
        finally:
            sources.close()
            destinations.close()

    return run


def states(report):
    return {outcome.destination.repository: outcome.state for outcome in report.outcomes}


@pytest.mark.parametrize("fault", [None, Fault("PUT", "/v2/part/manifests/", "status", status=503, times=1)])
def test_what_comes_last_is_stored_last(go, destination, fault):
    if fault is not None:
        destination.faults.append(fault)
    assert states(go()) == {"part": COPIED, "whole": COPIED}
    assert manifest_writes(destination) == ["part:v1", "whole:v1"]
    assert states(go()) == {"part": UNCHANGED, "whole": UNCHANGED}


def test_what_shall_not_be_stored_is_not(go, destination):
    destination.faults.append(Fault("PUT", "/v2/part/manifests/", "status", status=403, times=None))
    report = go()
    assert states(report) == {"part": FAILED, "whole": NOT_ATTEMPTED}
    assert report.outcomes[0].reason == "part is not there"
    assert manifest_writes(destination) == []


@pytest.mark.parametrize("dry_run", [False, True])
def test_what_is_known_to_be_of_no_use_does_not_move(go, source, destination, dry_run):
    source.storage.delete_manifest("part", IMAGES["part"].digest)
    assert states(go(dry_run=dry_run)) == {"part": FAILED, "whole": NOT_ATTEMPTED}
    assert blob_reads(source) == 0
    assert blob_writes(destination) == []


def test_a_blob_that_gets_lost_meanwhile_is_sent_again_for_what_comes_last(go, destination):
    lost = next(iter(IMAGES["whole"].all_blobs()))
    destination.faults.append(Fault("PUT", f"/v2/whole/blobs/.*{lost}", "lost_blob", after_effect=True))
    assert states(go()) == {"part": COPIED, "whole": COPIED}
    assert destination.verify() == []


def test_the_sizes_are_told_before_anything_moves(go, source):
    told = []

    def expect(sizes):
        assert blob_reads(source) == 0
        told.append(dict(sizes))

    go(expect=expect)
    assert told == [{digest: blob.size for image in IMAGES.values() for digest, blob in image.all_blobs().items()}]


def test_who_is_told_the_sizes_can_end_the_run(go, source, destination):
    def refuse(sizes):
        raise FileError("write to", "the disk", f"{sum(sizes.values())} bytes are too many")

    with pytest.raises(FileError, match="bytes are too many"):
        go(expect=refuse)
    assert blob_reads(source) == 0
    assert destination.writes == []


def test_before_the_last_ones_are_stored_somebody_learns_what_became_of_the_others(go, destination):
    told = []

    def settled(found):
        told.append({place.repository: state for place, state in found.items()})
        assert manifest_writes(destination) == ["part:v1"]

    go(settled=settled)
    assert told == [{"whole": NOT_ATTEMPTED, "part": COPIED}]
