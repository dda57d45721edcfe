# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which other registries a Quay agrees to talk to: not those inside of networks, unless SSRF_ALLOWED_HOSTS names them.

Nothing is looked up: a name is taken for a public one. Those below .invalid and .example, and those without a dot, do not resolve.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import invalid
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions

NOT_ALLOWED_URL = "The provided registry URL is not allowed"
NOT_ALLOWED_REFERENCE = "The provided registry location is not allowed"
LOOPBACK = {"localhost": "127.0.0.1"}
INSIDE = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "metadata")
INSIDE_ENDINGS = (".internal", ".local")
NOWHERE = (".invalid", ".example")
HOST = re.compile(r"^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$")


def check_url(url: str, options: QuayOptions, refusal: str = NOT_ALLOWED_URL) -> None:
    """400 for a URL that Quay does not call."""
    fault = url_fault(url, options, refusal)
    if fault:
        raise invalid(fault)


def check_reference(reference: str, options: QuayOptions) -> None:
    """400 for a repository `host[:port]/path` that Quay does not mirror."""
    fault = _reference_fault(reference)
    if not fault:
        fault = url_fault("https://" + reference.partition("/")[0], options, NOT_ALLOWED_REFERENCE)
    if fault:
        raise invalid(fault)


def url_fault(url: str, options: QuayOptions, refusal: str = NOT_ALLOWED_URL) -> str:
    """Why Quay does not call a URL; empty when it does."""
    url = url.strip()
    if not url:
        return "External registry URL is required"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "Invalid URL format"
    if parts.scheme not in ("http", "https"):
        return f"Invalid URL scheme '{parts.scheme}': only HTTP and HTTPS are allowed"
    if parts.username or parts.password:
        return "URLs with embedded credentials are not allowed"
    if not host:
        return "URL must include a hostname"
    return _host_fault(host, options, refusal)


def _host_fault(host: str, options: QuayOptions, refusal: str) -> str:
    address = _address(LOOPBACK.get(host, host))
    if address is not None:
        inside = not address.is_global or address.is_multicast
        return refusal if inside and not _allowed(host, address, options) else ""
    if _allowed(host, None, options):
        return ""
    if host in INSIDE or host.endswith(INSIDE_ENDINGS):
        return refusal
    return f"Cannot resolve hostname '{host}'" if "." not in host or host.endswith(NOWHERE) else ""


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _allowed(host: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None, options: QuayOptions) -> bool:
    """Whether SSRF_ALLOWED_HOSTS has a name, or a network with an address."""
    for entry in options.allowed_hosts:
        if entry.lower() == host:
            return True
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            continue
        if address is not None and address in network:
            return True
    return False


def _reference_fault(reference: str) -> str:
    """What is wrong with the way a repository is written."""
    what = "External registry reference"
    if not reference.strip():
        return f"{what} is required"
    if any(character.isspace() for character in reference):
        return f"{what} must not include whitespace"
    if "://" in reference:
        return f"{what} must not include a URL scheme"
    if any(character in reference for character in "?#\\%"):
        return f"{what} contains an invalid character"
    registry, _slash, path = reference.partition("/")
    if not registry or not path:
        return f"{what} must include a repository path"
    if registry.endswith(":"):
        return f"{what} contains an invalid registry port"
    try:
        parts = urlsplit(f"https://{registry}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return f"{what} contains an invalid registry authority"
    if port == 0:
        return f"{what} contains an invalid registry port"
    if parts.username or not host or (_address(host) is None and not HOST.fullmatch(host)):
        return f"{what} must include a valid registry hostname"
    return ""
