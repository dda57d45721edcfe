# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the copy engine between sandbox registries, and what tests want to know of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.progress import Progress
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import Credentials
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import Access
from ansible_collections.quayside.airgap.plugins.module_utils.registry.copy import CopyEngine, CopyOptions, Report
from ansible_collections.quayside.airgap.plugins.module_utils.registry.manifest import Platform
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED, FAILED, CopyRequest
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries_conf import RegistriesConf
from ansible_collections.quayside.airgap.tests.sandbox.registry import SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.images import Image
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import QUICK, make_side

Place = tuple[SandboxRegistry, str]


def request(source: Place, *destinations: Place, platforms: Sequence[str] = ()) -> CopyRequest:
    """From ``(registry, "repository:tag")`` to others of that form."""
    return CopyRequest(
        parse_reference(f"{source[0].host}/{source[1]}"),
        tuple(parse_reference(f"{registry.host}/{name}") for registry, name in destinations),
        tuple(Platform.parse(text) for text in platforms),
    )


def run(
    *requests: CopyRequest,
    retry: Any = QUICK,
    credentials: Credentials | None = None,
    source_credentials: Credentials | None = None,
    conf: RegistriesConf | None = None,
    progress: Progress | None = None,
    cancellation: Cancellation | None = None,
    wire: dict[str, Any] | None = None,
    **options: Any,
) -> Report:
    """One run, with connections of its own. Signatures are left alone unless a test is about them.

    :param credentials: for the destinations.
    :param wire: further settings of the HTTP sessions.
    """
    chosen = CopyOptions(**{"parallel": 4, "signatures": "skip", "retry": retry, **options})
    cancellation = cancellation or Cancellation()
    more = {"retry": retry, "connections": chosen.parallel, "cancellation": cancellation, **(wire or {})}
    sources = make_side(source_credentials, conf=conf, **more)
    destinations = make_side(credentials, access=Access.LOOK if chosen.dry_run else Access.WRITE, **more)
    try:
        return CopyEngine(sources, destinations, chosen, progress, cancellation).run(requests)
    finally:
        sources.close()
        destinations.close()


def states(report: Report) -> list[str]:
    """The state of each outcome, in order; failures with their reason, so that a test that expects none shows it."""
    return [f"{FAILED}: {outcome.reason}" if outcome.state == FAILED else outcome.state for outcome in report.outcomes]


def copied(report: Report) -> bool:
    """Whether everything was copied; the reasons where not."""
    found = states(report)
    assert set(found) <= {COPIED}, "\n".join(found)
    return True


def has(registry: SandboxRegistry, repository: str, image: Image) -> bool:
    """Whether a repository has an image with everything below it, byte for byte, and the registry nothing that is broken."""
    problems = registry.verify()
    assert problems == [], "\n".join(problems)
    found = registry.manifests(repository)
    blobs = registry.repository_blobs(repository)
    return all(manifest.digest in found and found[manifest.digest].body == manifest.body for manifest in image.walk()) and set(
        image.all_blobs()
    ) <= set(blobs)


def blob_reads(registry: SandboxRegistry) -> int:
    """How often content was read."""
    return registry.count(method="GET", path=r"/blobs/sha")


def blob_writes(registry: SandboxRegistry) -> list[str]:
    """Digests in the order in which their content was stored, one entry for each upload that was completed."""
    stored = registry.select(lambda asked: "digest" in asked.query and asked.status == 201, method="POST|PUT", path="/blobs/uploads/")
    return [asked.query["digest"][0] for asked in stored]


def mounts(registry: SandboxRegistry) -> list[str]:
    """Digests that were linked from another repository."""
    linked = registry.select(lambda asked: "mount" in asked.query and asked.status == 201, method="POST")
    return [asked.query["mount"][0] for asked in linked]


def manifest_writes(registry: SandboxRegistry) -> list[str]:
    """``repository:tag`` or ``repository@digest`` of each manifest that was stored, in order."""
    names = []
    for asked in registry.select(method="PUT", path="/manifests/", status=201):
        repository, _ignored, identifier = asked.path[len("/v2/") :].partition("/manifests/")
        names.append(f"{repository}{'@' if ':' in identifier else ':'}{identifier}")
    return names
