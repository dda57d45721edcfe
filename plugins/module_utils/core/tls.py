# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS settings, and the SSL context made from them."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.thirdparty import load


@dataclass(frozen=True)
class TlsSettings:
    """How a server is trusted and how we introduce ourselves to it.

    :ivar verify: check the server's certificate; off means that anybody in between may read and change everything.
    :ivar ca_path: file (PEM) or folder (hashed) of certificate authorities trusted in addition to the system's.
    :ivar client_cert: our certificate (PEM, may hold the key too).
    :ivar client_key: the key of client_cert, where it is a file of its own.
    """

    verify: bool = True
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None


def ssl_context(settings: TlsSettings) -> ssl.SSLContext:
    """One context for all connections of a session: loading the authorities costs some 20 ms each time.

    The authorities are ca_path, the system's (OpenSSL's own defaults, which honour SSL_CERT_FILE and SSL_CERT_DIR), those of
    REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE, and, where the system has none at all, the ones that come with requests.

    :raises FileError: when a file named in the settings or the environment cannot be used.
    """
    # who trusts everybody need not load the authorities
    context = ssl.create_default_context() if settings.verify else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if settings.verify:
        for path in (settings.ca_path, os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")):
            if path:
                _add_authorities(context, path)
        if not settings.ca_path and not context.cert_store_stats()["x509_ca"] and not _system_folder():
            _add_authorities(context, load("requests").certs.where())
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.client_cert:
        try:
            context.load_cert_chain(settings.client_cert, settings.client_key, password=_no_password)
        except (OSError, ssl.SSLError, ValueError) as error:
            subject = settings.client_cert + (f" with the key {settings.client_key}" if settings.client_key else "")
            raise FileError("use the client certificate", subject, _describe(error)) from error
    return context


def _add_authorities(context: ssl.SSLContext, path: str) -> None:
    try:
        if os.path.isdir(path):
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise FileError(
            "use the certificate authorities in",
            path,
            _describe(error),
            "Name a PEM file, or a folder prepared with 'openssl rehash'.",
        ) from error


def _system_folder() -> bool:
    folder = ssl.get_default_verify_paths().capath
    return bool(folder and os.path.isdir(folder) and os.listdir(folder))


def _no_password() -> str:
    # without a callback OpenSSL would ask on the terminal and hang a module that has none
    raise ValueError("the key is protected by a passphrase, which is not supported")


def _describe(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"it holds no usable PEM data ({error.reason or error})"
    return getattr(error, "strerror", None) or str(error)
