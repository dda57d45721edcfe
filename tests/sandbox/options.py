# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a sandbox registry behaves: its options, with the differences between kinds of registries as defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.tests.support.certs import Certificates

AUTH_KINDS = ("none", "basic", "token")
QUIRKS = ("distribution", "quay")
UPLOAD_LOCATIONS = ("relative", "absolute", "wrong_scheme", "other_name")
ALL_ACTIONS = frozenset({"pull", "push", "delete", "*"})


@dataclass(frozen=True)
class User:
    """A user: password and what it may do, repository pattern -> actions.

    A pattern is a shell pattern whose `*` also crosses `/`; actions are `pull`, `push`, `delete` as a list or with
    commas, and `*` for everything. Nothing implies anything else.
    """

    password: str = field(repr=False)
    grants: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Bring the grants into one form."""
        object.__setattr__(self, "grants", {pattern: _actions(value) for pattern, value in self.grants.items()})


@dataclass
class RegistryOptions:
    """Options of a sandbox registry; where a default is None it follows `quirks`.

    auth                 `none`, `basic`, or `token` (bearer tokens from /v2/auth, as Quay)
    users                name -> User
    anonymous            patterns of repositories that everybody may pull
    quirks               `distribution` (docker-registry 2.8) or `quay`; default: quay with tokens, else distribution
    token_lifetime       seconds
    service              name of the token service; default `127.0.0.1:<port>`
    catalog              False: /v2/_catalog does not exist
    catalog_needs_token  distribution: yes when there are users; quay: no, it lists what the caller may pull
    page_size            most entries per page of tags and catalog; default: quay 50, distribution 100 for the
                         catalog and all tags at once
    page_style           `last` or `next_page` (opaque, for the catalog only, entries in the order of creation)
    mount                False: a mount request never mounts (202, upload it)
    single_post          whether POST ?digest= uploads in one request; quay yes, distribution no
    delete               False: 405 for every DELETE of a manifest or blob
    sparse_indexes       accept indexes whose children are missing
    referrers            the referrers API and the OCI-Subject header
    digest_header        False: HEAD answers come without Docker-Content-Digest
    ranges               False: Range is ignored (200 with everything)
    strict_accept        refuse OCI manifests to clients that do not accept them, and give the linux/amd64 image
                         instead of a Docker list to clients that accept images only; False: serve what is there
    tls, client_certificates   certificates to serve https with; demand a certificate from the client too
    redirect_blobs       blob GETs are redirected to a second listener, which refuses requests with Authorization
    redirect_host        host name in those redirects: another one than the registry's is another site for clients
    upload_location      `relative`, `absolute`, `wrong_scheme` (http behind https and the other way round), or
                         `other_name` (the name that the registry has for itself, unknown to its clients)
    read_only            every write is refused
    max_body             bytes; longer request bodies get 413
    latency              seconds before every answer
    storage              directory to keep content in; default: memory
    port                 0: any free one
    """

    auth: str = "none"
    users: Mapping[str, User] = field(default_factory=dict)
    anonymous: tuple[str, ...] = ()
    quirks: str = ""
    token_lifetime: float = 3600.0
    service: str = ""
    catalog: bool = True
    catalog_needs_token: bool | None = None
    page_size: int | None = None
    page_style: str = ""
    mount: bool = True
    single_post: bool | None = None
    delete: bool = True
    sparse_indexes: bool = False
    referrers: bool = True
    digest_header: bool = True
    ranges: bool = True
    strict_accept: bool = True
    tls: Certificates | None = None
    client_certificates: bool = False
    redirect_blobs: bool = False
    redirect_host: str = "localhost"
    upload_location: str = "relative"
    read_only: bool = False
    max_body: int | None = None
    latency: float = 0.0
    storage: Path | None = None
    port: int = 0

    def __post_init__(self) -> None:
        """Fill in what follows from `quirks`; ValueError for a value that no option knows."""
        self.quirks = self.quirks or ("quay" if self.auth == "token" else "distribution")
        self.page_style = self.page_style or ("next_page" if self.quay else "last")
        for name, allowed in (
            ("auth", AUTH_KINDS),
            ("quirks", QUIRKS),
            ("upload_location", UPLOAD_LOCATIONS),
            ("page_style", ("last", "next_page")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}, must be one of {', '.join(allowed)}")
        if self.catalog_needs_token is None:
            self.catalog_needs_token = self.auth != "none" and not self.quay
        if self.single_post is None:
            self.single_post = self.quay

    @property
    def quay(self) -> bool:
        """True when the registry behaves as Quay where registries differ."""
        return self.quirks == "quay"

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> RegistryOptions:
        """Options from a configuration file; ValueError names a key that does not exist."""
        known = {item.name for item in fields(cls)} - {"tls"}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"unknown registry options: {', '.join(unknown)}")
        given = dict(values)
        if "users" in given:
            given["users"] = {name: User(**entry) for name, entry in given["users"].items()}
        if "anonymous" in given:
            given["anonymous"] = tuple(given["anonymous"])
        if given.get("storage"):
            given["storage"] = Path(given["storage"])
        return cls(**given)


def _actions(value: Any) -> frozenset[str]:
    words = value.split(",") if isinstance(value, str) else list(value)
    found = frozenset(word.strip() for word in words)
    if not found <= ALL_ACTIONS:
        raise ValueError(f"unknown actions: {', '.join(sorted(found - ALL_ACTIONS))}")
    return ALL_ACTIONS if "*" in found else found
