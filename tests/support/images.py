# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One import for tests that need image content: building it, pushing it, and the benchmark's image sets."""

from __future__ import annotations

from ansible_collections.quayside.airgap.tests.support.image_builders import (
    Blob,
    Image,
    artifact,
    attestation,
    blob,
    cosign_signature,
    cosign_tag,
    file_layer,
    foreign_layer,
    image,
    index,
    layer,
    multi_arch,
    referrers_tag,
    sha256,
    simple_image,
)
from ansible_collections.quayside.airgap.tests.support.image_push import Placement, Pusher, PushError, push, push_all
from ansible_collections.quayside.airgap.tests.support.workloads import SHAPES, Shape, Workload, WorkloadImage, workload

__all__ = [
    "SHAPES",
    "Blob",
    "Image",
    "Placement",
    "PushError",
    "Pusher",
    "Shape",
    "Workload",
    "WorkloadImage",
    "artifact",
    "attestation",
    "blob",
    "cosign_signature",
    "cosign_tag",
    "file_layer",
    "foreign_layer",
    "image",
    "index",
    "layer",
    "multi_arch",
    "push",
    "push_all",
    "referrers_tag",
    "sha256",
    "simple_image",
    "workload",
]
