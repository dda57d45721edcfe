# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image references: where an image lies, by tag, by digest or by both.

The grammar is that of the distribution project (docs: reference grammar), with Docker Hub's shorthand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError

DOCKER_HUB = "docker.io"
# Docker Hub answers the distribution API under another name than the one in references
_API_HOSTS = {DOCKER_HUB: "registry-1.docker.io"}

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST_LENGTHS = {"sha256": 64, "sha512": 128}
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_MAX_REPOSITORY = 255


@dataclass(frozen=True)
class Reference:
    """One place in a registry.

    :ivar registry: host with its port where one was given, ``docker.io`` for Docker Hub.
    :ivar repository: path under the registry, without slashes at the ends.
    :ivar tag: without the colon; None where none was given (there is no implicit ``latest``).
    :ivar digest: ``sha256:...``; where both are given the digest decides on the content and the tag on the name.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def identifier(self) -> str | None:
        """What to ask the registry for: the digest where there is one, else the tag."""
        return self.digest or self.tag

    def at(self, *, tag: str | None = None, digest: str | None = None) -> Reference:
        """The same repository with this tag and digest instead."""
        return replace(self, tag=tag, digest=digest)

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


@dataclass(frozen=True)
class Location:
    """A registry, or a namespace in it: what images are copied from or to.

    :ivar namespace: path under the registry; empty for the whole registry.
    """

    registry: str
    namespace: str = ""

    def repository(self, path: str) -> str:
        """The full repository path of ``path`` under this location."""
        return f"{self.namespace}/{path}" if self.namespace else path

    def relative(self, repository: str) -> str:
        """The repository as seen from this location; unchanged when it lies elsewhere."""
        prefix = f"{self.namespace}/"
        return repository[len(prefix) :] if self.namespace and repository.startswith(prefix) else repository

    def __str__(self) -> str:
        return f"{self.registry}/{self.namespace}" if self.namespace else self.registry


def api_host(registry: str) -> str:
    """The host, with port, that answers the distribution API for a registry."""
    return _API_HOSTS.get(registry, registry)


def parse_digest(text: str, subject: str) -> str:
    """A well-formed digest.

    :param subject: what it was found in, for the message.
    :raises InputError: when the algorithm is not sha256 or sha512, or the length does not fit.
    """
    algorithm, _separator, value = text.partition(":")
    length = _DIGEST_LENGTHS.get(algorithm)
    if length is None:
        raise InputError(subject, f"the digest '{text}' does not begin with sha256: or sha512:")
    if not re.fullmatch(rf"[0-9a-f]{{{length}}}", value):
        raise InputError(subject, f"the digest '{text}' is not {algorithm}: with {length} lower-case hexadecimal digits")
    return text


def parse_reference(text: str, base: Location | None = None) -> Reference:
    """The reference that a user wrote.

    :param text: ``host/repo:tag``, ``host/repo@sha256:...``, both, or neither; ``docker://`` in front is allowed.
    :param base: where a reference without a host lies; Docker Hub (and its ``library/``) when not given.
    :raises InputError: with the offending part named.
    """
    subject = f"the image '{text}'"
    rest = _strip_scheme(text, subject)
    rest, _separator, digest = rest.partition("@")
    checked = parse_digest(digest, subject) if digest else None
    if not digest and "@" in text:
        raise InputError(subject, "there is no digest after the @")
    tag: str | None = None
    last_slash = rest.rfind("/")
    colon = rest.find(":", last_slash + 1)
    if colon >= 0:
        rest, tag = rest[:colon], rest[colon + 1 :]
        if not _TAG.fullmatch(tag):
            raise InputError(subject, f"the tag '{tag}' is not 1 to 128 letters, digits, dots, dashes and underscores")
    registry, repository = _split_registry(rest, base, subject)
    return Reference(registry, _checked_repository(repository, subject), tag, checked)


def parse_location(text: str, what: str) -> Location:
    """The registry or namespace that a user wrote.

    :param text: ``host``, ``host:port`` or one of them with a path; ``docker://`` in front is allowed.
    :param what: the option's name, for the message.
    :raises InputError: when it is neither.
    """
    subject = f"the {what} '{text}'"
    rest = _strip_scheme(text, subject).rstrip("/")
    registry, _separator, namespace = rest.partition("/")
    if registry == "index.docker.io":
        registry = DOCKER_HUB
    _checked_host(registry, subject)
    if not _looks_like_host(registry):
        raise InputError(
            subject,
            f"'{registry}' is no registry: a host name with a dot, a port or the name localhost is expected",
            f"Write it with its registry, for example registry.example.com/{rest}.",
        )
    if "@" in namespace or ":" in namespace:
        raise InputError(subject, "a registry or a namespace in it is expected, without tag and digest")
    return Location(registry, _checked_repository(namespace, subject) if namespace else "")


def is_tag(text: str) -> bool:
    """Whether a registry can have a tag of this name."""
    return bool(_TAG.fullmatch(text))


def is_repository(path: str) -> bool:
    """Whether a registry can have a repository of this name."""
    return len(path) <= _MAX_REPOSITORY and bool(_REPOSITORY.fullmatch(path))


def has_registry(text: str) -> bool:
    """Whether a reference names its registry."""
    first, slash, _rest = text.partition("/")
    return bool(slash) and _looks_like_host(first)


def _split_registry(rest: str, base: Location | None, subject: str) -> tuple[str, str]:
    first, slash, remainder = rest.partition("/")
    if slash and _looks_like_host(first):
        registry = DOCKER_HUB if first == "index.docker.io" else first
        _checked_host(registry, subject)
        if registry == DOCKER_HUB and "/" not in remainder:
            remainder = f"library/{remainder}"
        return registry, remainder
    if base is not None:
        return base.registry, base.repository(rest)
    return DOCKER_HUB, rest if "/" in rest else f"library/{rest}"


def _looks_like_host(component: str) -> bool:
    return component == "localhost" or any(mark in component for mark in ".:[") or component.lower() != component


def _checked_host(host: str, subject: str) -> None:
    if not _HOST.fullmatch(host):
        raise InputError(subject, f"'{host}' is no host name with an optional port")
    port = host.rpartition(":")[2] if not host.endswith("]") and ":" in host else ""
    if port and not 0 < int(port) < 65536:
        raise InputError(subject, f"the port {port} is not between 1 and 65535")


def _checked_repository(path: str, subject: str) -> str:
    if not path:
        raise InputError(subject, "there is no repository in it")
    if len(path) > _MAX_REPOSITORY:
        raise InputError(subject, f"the repository is longer than {_MAX_REPOSITORY} characters")
    if not _REPOSITORY.fullmatch(path):
        if path != path.lower():
            raise InputError(subject, f"the repository '{path}' has upper-case letters, which registries do not allow")
        raise InputError(
            subject,
            f"the repository '{path}' is not made of lower-case letters and digits with single . _ - or / between them",
        )
    return path


def _strip_scheme(text: str, subject: str) -> str:
    stripped = text.strip()
    if not stripped:
        raise InputError(subject, "it is empty")
    scheme, separator, rest = stripped.partition("://")
    if not separator:
        return stripped
    if scheme == "docker":
        return rest
    hint = (
        "Leave the scheme out; plain HTTP is tried where certificate validation is switched off for this side."
        if scheme in ("http", "https")
        else ""
    )
    raise InputError(subject, f"the scheme '{scheme}://' has no place in it", hint)
