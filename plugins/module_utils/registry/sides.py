# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two sides of a copy, made from options."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import HttpSettings, RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import Credentials, CredentialStore
from ansible_collections.quayside.airgap.plugins.module_utils.registry.client import Access
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries import Registries
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries_conf import RegistriesConf

_MOST_PARALLEL = 64


@dataclass(frozen=True)
class SideOptions:
    """How one side is reached.

    :ivar credentials: given by the user for this side; None leaves it to the files.
    """

    tls: TlsSettings = field(default_factory=TlsSettings)
    credentials: Credentials | None = None


@dataclass(frozen=True)
class WireOptions:
    """What both sides share.

    :ivar parallel: requests under way at once.
    :ivar retries: further attempts of a call that failed in passing.
    :ivar timeout: seconds of silence after which an answer is given up.
    """

    parallel: int = 16
    retries: int = 5
    timeout: int = 60
    authfile: str | None = None

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("parallel", self.parallel, 1, _MOST_PARALLEL),
            ("retries", self.retries, 0, 100),
            ("timeout", self.timeout, 1, 86400),
        ):
            if not least <= value <= most:
                raise InputError(name, f"{value} is not between {least} and {most}")

    @property
    def retry(self) -> RetryPolicy:
        return RetryPolicy(retries=self.retries)


def make_side(
    name: str,
    options: SideOptions,
    wire: WireOptions,
    registries: Iterable[str],
    *,
    conf: RegistriesConf | None = None,
    cancellation: Cancellation | None = None,
    named: tuple[str, ...] | None = None,
    access: Access = Access.READ,
) -> Registries:
    """The registries of one side.

    :param registries: every registry that images of this side lie in, as far as is known.
    :param named: those that the user named as source or destination of the whole task: explicit credentials are for them.
    :raises InputError: when it is not clear which registry explicit credentials are for: they are sent to no other.
    """
    stores: dict[str, CredentialStore] = {"": CredentialStore(authfile=wire.authfile)}
    if options.credentials is not None:
        hosts = set(named or ()) or set(registries)
        if not named and len(hosts) > 1:
            raise InputError(
                f"{name}_username",
                f"the images lie in several registries ({', '.join(sorted(hosts))}), and a password must not be sent to all of them",
                f"Name the registry that it is for with the option {name}, or put the credentials into an authfile.",
            )
        for host in hosts:
            stores[host] = CredentialStore(explicit=options.credentials)
    settings = HttpSettings(tls=options.tls, retry=wire.retry, connections=wire.parallel, read_timeout=float(wire.timeout))
    return Registries(settings, stores, conf, cancellation, access)
