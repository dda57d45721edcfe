# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a sandbox Quay behaves: its version, the features of its config.yaml and what tests may turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ansible_collections.quayside.airgap.tests.support.certs import Certificates

PROFILES = ("3.8", "3.12", "3.15", "3.18")
REGISTRY_STATES = ("normal", "readonly")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

# Features as in the laboratory whose answers were recorded; a feature that a version does not know is left out.
FEATURES = {
    "ANONYMOUS_ACCESS": True,
    "APP_SPECIFIC_TOKENS": True,
    "ASSIGN_OAUTH_TOKEN": True,
    "AUTO_PRUNE": True,
    "CHANGE_TAG_EXPIRATION": True,
    "DIRECT_LOGIN": True,
    "EDIT_QUOTA": True,
    "EXTENDED_REPOSITORY_NAMES": True,
    "IMMUTABLE_TAGS": True,
    "IMMUTABLE_TAGS_CAN_EXPIRE": False,
    "LIBRARY_SUPPORT": True,
    "MAILING": False,
    "ORG_MIRROR": True,
    "PROGRAMMATIC_BOOTSTRAP": False,
    "PROXY_CACHE": True,
    "PUBLIC_CATALOG": False,
    "QUOTA_MANAGEMENT": True,
    "RATE_LIMITS": False,
    "REPO_MIRROR": True,
    "REQUIRE_TEAM_INVITE": False,
    "RESTRICTED_USERS": False,
    "SPARSE_INDEX": False,
    "SUPERUSERS_FULL_ACCESS": True,
    "SUPERUSERS_ORG_CREATION_ONLY": False,
    "SUPER_USERS": True,
    "TEAM_SYNCING": False,
    "USER_CREATION": True,
    "USER_INITIALIZE": True,
}
SINCE = {"AUTO_PRUNE": "3.10", "EDIT_QUOTA": "3.12", "IMMUTABLE_TAGS": "3.17", "IMMUTABLE_TAGS_CAN_EXPIRE": "3.17"}
SINCE |= {"ORG_MIRROR": "3.17", "SPARSE_INDEX": "3.17", "PROGRAMMATIC_BOOTSTRAP": "3.18", "ASSIGN_OAUTH_TOKEN": "3.12"}


@dataclass
class QuayOptions:
    """Options of a sandbox Quay.

    version               profile: `3.8`, `3.12`, `3.15` or `3.18`
    features              FEATURE_ values (without that prefix) that differ from the laboratory's, where everything is on
    super_users           SUPER_USERS of config.yaml
    readonly_superusers   GLOBAL_READONLY_SUPER_USERS
    api_latency           seconds that a call of the API with a valid bearer token takes
    registry_state        `normal` or `readonly`
    tag_expiration_options, default_tag_expiration   as in config.yaml
    xhr_only              BROWSER_API_CALLS_XHR_ONLY
    whitelist             DIRECT_OAUTH_CLIENTID_WHITELIST
    private_on_push, namespace_on_push   CREATE_PRIVATE_REPO_ON_PUSH, CREATE_NAMESPACE_ON_PUSH
    block_deleted_names   names of deleted users and organizations cannot be used again (after 3.18.0)
    allowed_hosts         SSRF_ALLOWED_HOSTS; the default allows everything on loopback
    settings              further values that /config shows
    latency               seconds before every answer, /v2 too
    port, tls             as for a registry
    """

    version: str = "3.18"
    features: Mapping[str, bool] = field(default_factory=dict)
    super_users: tuple[str, ...] = ("quayadmin",)
    readonly_superusers: tuple[str, ...] = ()
    api_latency: float = 0.0
    registry_state: str = "normal"
    tag_expiration_options: tuple[str, ...] = ("0s", "1d", "1w", "2w", "4w")
    default_tag_expiration: str = "2w"
    xhr_only: bool = True
    whitelist: tuple[str, ...] = ()
    private_on_push: bool = True
    namespace_on_push: bool = False
    block_deleted_names: bool = False
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.0/8")
    settings: Mapping[str, Any] = field(default_factory=dict)
    latency: float = 0.0
    port: int = 0
    tls: Certificates | None = None

    def __post_init__(self) -> None:
        """Refuse values that no option knows with ValueError."""
        if self.version not in PROFILES:
            raise ValueError(f"version is {self.version!r}, must be one of {', '.join(PROFILES)}")
        if self.registry_state not in REGISTRY_STATES:
            raise ValueError(f"registry_state is {self.registry_state!r}, must be one of {', '.join(REGISTRY_STATES)}")
        self.features = {name.removeprefix("FEATURE_"): bool(value) for name, value in self.features.items()}

    def at_least(self, version: str) -> bool:
        """Whether the profile is this version or a later one."""
        return number(self.version) >= number(version)

    def feature(self, name: str) -> bool:
        """Whether a feature is there and on."""
        if not self.at_least(SINCE.get(name, "3.0")):
            return False
        return self.features.get(name, FEATURES.get(name, False))

    @property
    def shown_features(self) -> dict[str, bool]:
        """Features as /config lists them."""
        names = [name for name in {**FEATURES, **self.features} if self.at_least(SINCE.get(name, "3.0"))]
        return {name: self.feature(name) for name in sorted(names)}

    @property
    def tag_expirations(self) -> list[int]:
        """TAG_EXPIRATION_OPTIONS in seconds."""
        return [seconds(value) for value in self.tag_expiration_options]

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> QuayOptions:
        """Options from a configuration file; ValueError names a key that does not exist."""
        known = {item.name for item in fields(cls)} - {"tls"}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"unknown quay options: {', '.join(unknown)}")
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        if "version" in given:
            given["version"] = str(given["version"])
        return cls(**given)


def number(version: str) -> tuple[int, ...]:
    """A version that compares."""
    return tuple(int(part) for part in version.split("."))


def seconds(value: str) -> int:
    """`2w` in seconds."""
    return int(value[:-1]) * UNITS[value[-1]]
