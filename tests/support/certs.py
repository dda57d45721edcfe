# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throw-away certificate authority with a server and a client certificate, as PEM files on disk."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

SERVER_NAMES = ("127.0.0.1", "localhost")
CLIENT_NAME = "client@sandbox.invalid"


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files: one authority, the server's and a client's certificate and key signed by it."""

    ca: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path

    def server_context(self, *, require_client_certificate: bool = False) -> ssl.SSLContext:
        """TLS settings for a server; with `require_client_certificate` only clients of this authority may talk."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_cert, self.server_key)
        if require_client_certificate:
            context.load_verify_locations(self.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def create_certificates(directory: Path, *, names: tuple[str, ...] = SERVER_NAMES) -> Certificates:
    """Create an authority and certificates for `names` in `directory` (made when missing). Needs trustme."""
    # Imported here: only tests that use TLS need trustme installed.
    import trustme

    directory.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    server = authority.issue_cert(*names)
    client = authority.issue_cert(CLIENT_NAME)
    result = Certificates(
        ca=directory / "ca.pem",
        server_cert=directory / "server.pem",
        server_key=directory / "server.key",
        client_cert=directory / "client.pem",
        client_key=directory / "client.key",
    )
    _write(result.ca, authority.cert_pem.bytes())
    for leaf, cert_path, key_path in (
        (server, result.server_cert, result.server_key),
        (client, result.client_cert, result.client_key),
    ):
        _write(cert_path, b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        _write(key_path, leaf.private_key_pem.bytes())
    return result


def _write(path: Path, content: bytes) -> None:
    """Write a PEM file that only its owner can read: keys are among them."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(content)
