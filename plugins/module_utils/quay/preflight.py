# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the API of a Quay can be reached and lets us do what is planned, found out before any work begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation, WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, CancelledError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, QuayOptions, at
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import FORBIDDEN, READ_ONLY, QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.preflight import Finding
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_location


@dataclass(frozen=True)
class ApiCheck:
    """The APIs of one side.

    :ivar side: ``source`` or ``destination``.
    :ivar places: registries, or namespaces in them, whose API is used.
    :ivar options: login and TLS; an empty host stands for the address that the registry was reached at.
    :ivar create: organizations and repositories will be made there.
    """

    side: str
    places: Iterable[str]
    options: QuayOptions = field(repr=False)
    create: bool = False

    @property
    def registries(self) -> frozenset[str]:
        return frozenset(parse_location(place, self.side).registry for place in self.places)


def look_at_apis(findings: Iterable[Finding], checks: Iterable[ApiCheck], cancellation: Cancellation | None = None) -> None:
    """Add to each finding what its API says: ``more["quay"]``, and a problem where there is one.

    A registry that has a problem already is not asked again.
    """
    work = [
        partial(_look, finding, check)
        for check in checks
        for finding in findings
        if finding.side == check.side and finding.problem is None and finding.registry in check.registries
    ]
    if not work:
        return
    with WorkerPool(len(work), cancellation or Cancellation()) as pool:
        pool.run(work)


def _look(finding: Finding, check: ApiCheck) -> None:
    options = check.options if check.options.host else replace(check.options, host=finding.url)
    try:
        with QuayClient(options) as quay:
            finding.more["quay"] = look(quay, writes=check.side == "destination", create=check.create)
    except CancelledError:
        raise
    except AirgapError as error:
        finding.problem = error


def look(quay: QuayClient, *, writes: bool, create: bool) -> dict[str, Any]:
    """What is worth knowing of an API and of our login there.

    :param writes: images will be pushed; ``create``: organizations and repositories will be made.
    :returns: ``url``, ``version`` (empty before Quay 3.16), ``user`` (empty where the token may not tell), ``superuser`` (whether
        the user is one and the token has the scope for it) and ``notes``, sentences about what the login may not do.
    :raises AirgapError: when it is no Quay, does not let us in, or cannot do what is planned.
    """
    known = quay.capabilities
    if not known.config and not known.discovery:
        raise ProtocolError(
            "use the API of",
            quay.name,
            "it answers neither /config nor /api/v1/discovery as a Quay does",
            "Give a login for the API of a Quay only.",
        )
    who = quay.identity()
    if writes and known.read_only:
        raise QuayError(
            "write to",
            quay.name,
            "the registry is in read-only mode",
            "See REGISTRY_STATE in its config.yaml; run the task again when that is over.",
            status=503,
            code=READ_ONLY,
        )
    superuser = bool(who.superuser)
    if create and not superuser and known.feature("SUPERUSERS_ORG_CREATION_ONLY"):
        raise AirgapError(
            "make organizations on",
            quay.name,
            "only superusers may (SUPERUSERS_ORG_CREATION_ONLY is on)",
            "Use the token of a superuser.",
        )
    notes = []
    if who.superuser is None:
        notes.append("The token may not tell its user: it lacks the scope user:read.")
    elif superuser and not known.feature("SUPERUSERS_FULL_ACCESS"):
        notes.append("Superusers see their own organizations only: FEATURE_SUPERUSERS_FULL_ACCESS is off.")
    if create and not _may_create_organizations(quay):
        notes.append("Organizations that are missing cannot be made: the token lacks the scope user:admin.")
    return {"url": quay.web, "version": known.version, "user": who.name, "superuser": superuser, "notes": notes}


def _may_create_organizations(quay: QuayClient) -> bool:
    """Whether the token has the scope user:admin, which the list of one's own robots needs as well."""
    try:
        quay.get(at("user", "robots"), "find out what the token may do", {"limit": 1})
    except QuayError as error:
        if error.code != FORBIDDEN:
            raise
        return False
    return True
