# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Organizations whose repositories Quay itself fills: proxy caches and mirrors of other registries."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from functools import partial

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import FORBIDDEN, QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.organization_mirrors import OrganizationMirrorKind
from ansible_collections.quayside.airgap.plugins.module_utils.quay.proxy_caches import ProxyCacheKind

# State of the repositories in an organization that is a mirror
ORG_MIRROR = "ORG_MIRROR"
# Organizations that a warning names
_TOLD = 5


class Specials:
    """Finds them.

    :ivar warnings: of what could not be found out.
    """

    def __init__(self, quay: QuayClient) -> None:
        self._quay = quay
        self._lock = threading.Lock()
        self._unknown: list[str] = []

    def of(self, states: Mapping[str, Collection[str]]) -> dict[str, str]:
        """Name -> reason, for those organizations that are proxy caches or mirrors.

        :param states: of the repositories, by organization: those of a mirror tell it without a call.
        """
        found: dict[str, str] = {}

        def look(name: str) -> None:
            reason = self._reason(name, states[name])
            if reason:
                with self._lock:
                    found[name] = reason

        with WorkerPool(self._quay.options.parallel, self._quay.cancellation) as pool:
            pool.run(partial(look, name) for name in sorted(states))
        return found

    @property
    def warnings(self) -> list[str]:
        if not self._unknown:
            return []
        told = ", ".join(sorted(self._unknown)[:_TOLD])
        more = f" and {len(self._unknown) - _TOLD} more" if len(self._unknown) > _TOLD else ""
        return [
            f"Whether {told}{more} on {self._quay.name} are proxy caches cannot be told, which needs a token with the scope "
            "repo:create or org:admin. They are taken for ordinary organizations."
        ]

    def _reason(self, name: str, states: Collection[str]) -> str:
        place = Place(name)
        try:
            if ORG_MIRROR in states:
                return "the organization is a mirror of another registry"
            cache = ProxyCacheKind(self._quay).all(place).get("")
            if cache is not None:
                return f"the organization is a proxy cache of {cache['registry']}"
            if not states and OrganizationMirrorKind(self._quay).all(place):
                return "the organization is a mirror of another registry"
        except QuayError as error:
            if error.code != FORBIDDEN and (error.status != 401 or self._quay.options.token or self._quay.options.username):
                raise
            with self._lock:
                self._unknown.append(name)
        return ""
