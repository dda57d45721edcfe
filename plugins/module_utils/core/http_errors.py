# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What requests, urllib3 and the socket raise, told as one sentence and one kind."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, TransportError


def describe_failure(method: str, url: str, error: BaseException, *, own_proxy: bool = False) -> TransportError:
    """The typed error for a call that got no answer.

    :param url: as it may be shown.
    :param error: what the library raised; its causes are looked through.
    :param own_proxy: the proxy was named by the user of the session, not by the environment.
    """
    host = urlsplit(url).netloc
    causes = list(_causes(error))
    connecting = any(type(cause).__name__ in ("ConnectTimeoutError", "ConnectTimeout", "NewConnectionError") for cause in causes)
    if any(type(cause).__name__ == "ProxyError" for cause in causes):
        # whatever it was (a refused connection, an unknown name), it befell the proxy, not the server
        return _proxy(causes[0], host, own_proxy=own_proxy)
    for cause in causes:
        found = _known(cause, host, url, connecting=connecting)
        if found is not None:
            return found
    reason = str(error) or type(error).__name__
    return TransportError(f"{method}", url, f"the connection failed ({reason})", kind="other", transient=True)


def _known(cause: BaseException, host: str, url: str, *, connecting: bool) -> TransportError | None:
    name = type(cause).__name__
    action = "connect to"
    if isinstance(cause, socket.gaierror):
        passing = cause.errno == socket.EAI_AGAIN
        return TransportError(
            action,
            host,
            f"the host name is not known ({cause.strerror})",
            "Check the spelling of the host, and that this machine's DNS can resolve it.",
            kind="dns",
            transient=passing,
        )
    if isinstance(cause, UnicodeError) or name in ("LocationParseError", "LocationValueError", "InvalidURL"):
        return TransportError(action, host, "it is no valid host name", "Check the spelling of the host.", kind="dns", transient=False)
    # urllib3 1.26 compares names itself and has its own error for that
    if isinstance(cause, ssl.SSLCertVerificationError) or name == "CertificateError":
        return TransportError(
            action,
            host,
            f"its certificate is not trusted ({getattr(cause, 'verify_message', '') or getattr(cause, 'reason', '') or cause})",
            "Name the certificate authority with ca_path, or, if you accept the risk, switch validate_certs off for this side.",
            kind="tls",
            transient=False,
        )
    if isinstance(cause, ssl.SSLError):
        return _tls(cause, action, host)
    if isinstance(cause, ConnectionRefusedError):
        return TransportError(
            action,
            host,
            "the connection was refused",
            "Check the port, and that the server runs.",
            kind="refused",
            transient=True,
        )
    if isinstance(cause, (TimeoutError, socket.timeout)) or name in ("ReadTimeoutError", "ReadTimeout"):
        # the socket says the same in both cases; only what urllib3 made of it knows the difference
        if not connecting:
            return TransportError("read from", url, "the server fell silent past the time limit", kind="timeout", transient=True)
        return TransportError(
            action,
            host,
            "no connection within the time limit",
            "Check routes and firewalls to it.",
            kind="timeout",
            transient=True,
        )
    if isinstance(cause, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)) or name in (
        "RemoteDisconnected",
        "IncompleteRead",
        "BadStatusLine",
    ):
        return TransportError("read from", url, "the server closed the connection in mid-answer", kind="reset", transient=True)
    if isinstance(cause, OSError) and cause.errno is not None and not isinstance(cause, ssl.SSLError):
        return TransportError(action, host, cause.strerror or str(cause), kind="other", transient=True)
    return None


def _proxy(cause: BaseException, host: str, *, own_proxy: bool) -> TransportError:
    detail = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    named = "in the option proxy" if own_proxy else "in the environment"
    hint = "Check the option proxy." if own_proxy else "Check HTTPS_PROXY and HTTP_PROXY, or list the host in NO_PROXY."
    return TransportError(
        "connect to",
        host,
        f"the proxy named {named} did not let the call through ({detail})",
        hint,
        kind="proxy",
        transient=True,
    )


def _tls(cause: ssl.SSLError, action: str, host: str) -> TransportError:
    # what an HTTP server answers to a TLS greeting is no TLS record; OpenSSL 1.1 and 3 call it by different names
    plain = any(word in str(cause).lower() for word in ("wrong version number", "http request", "record layer", "unknown protocol"))
    if plain:
        return TransportError(
            action,
            host,
            "it does not speak TLS on this port",
            "Check the port; for a registry with plain HTTP switch validate_certs off for this side.",
            kind="tls",
            transient=False,
        )
    return TransportError(
        action,
        host,
        f"the TLS handshake failed ({cause.reason or cause})",
        "Check that the server accepts this machine's TLS versions and, where it asks for one, the client certificate.",
        kind="tls",
        transient="EOF" in str(cause),
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it was made from, innermost first: the innermost knows best."""
    chain: list[BaseException] = []
    queue = [error]
    seen = set()
    while queue and len(chain) < 30:
        current = queue.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        chain.append(current)
        nested = [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
        # an error of ours speaks of an earlier call: it is in the chain when this one was made while that one was dealt with
        queue.extend(item for item in nested if isinstance(item, BaseException) and not isinstance(item, AirgapError))
    return reversed(chain)
