# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registry answers when it says no, as types."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import HttpError, ProtocolError

_WORDS = 300


class RegistryError(HttpError):
    """An answer with an error status.

    :ivar digests: digests that the answer's details name, such as the blobs that a manifest misses.
    """

    digests: tuple[str, ...] = ()


class AccessError(RegistryError):
    """401 or 403: the registry does not know us, or does not let us."""


class NotFoundError(RegistryError):
    """404: no such repository, manifest, blob or upload."""


class DigestMismatchError(ProtocolError):
    """Content does not have the digest or the size that names it. Asking again may help where the way was at fault."""


def raise_for(action: str, subject: str, status: int, body: bytes, hint: str = "") -> NoReturn:
    """Raise the typed error for an answer, with the registry's own words.

    :param body: the answer's body; errors are written as the distribution spec says ("Error Codes"), by proxies otherwise.
    """
    code, words, digests = _read(body)
    kind = AccessError if status in (401, 403) else NotFoundError if status == 404 else RegistryError
    reason = f"the registry answered {status}" + (f" {code}" if code else "") + (f" ({words})" if words else "")
    error = kind(action, subject, reason, hint, status=status, code=code)
    error.digests = digests
    raise error


def error_code(body: bytes) -> str:
    """The registry's own code in an answer, such as ``NAME_UNKNOWN``; empty where there is none."""
    return _read(body)[0]


def _read(body: bytes) -> tuple[str, str, tuple[str, ...]]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        text = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", body.decode(errors="replace"), flags=re.S | re.I)
        return "", " ".join(text.split())[:_WORDS], ()
    errors = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(errors, list) or not errors or not isinstance(errors[0], dict):
        # Quay's own services: {"error": ...} or {"message": ...} (reference/quay.md 2.2)
        words = (
            next((document[key] for key in ("details", "error", "message", "detail") if document.get(key)), "")
            if isinstance(document, dict)
            else ""
        )
        return "", str(words)[:_WORDS], ()
    found = [item for item in errors if isinstance(item, dict)]
    words = "; ".join(
        dict.fromkeys(text for item in found for text in (str(item.get("message") or ""), _reason(item.get("detail"))) if text)
    )
    return (
        str(found[0].get("code") or ""),
        words[:_WORDS],
        tuple(dict.fromkeys(_digests([item.get("detail") for item in found]))),
    )


def _reason(detail: Any) -> str:
    """The first line of what Quay gives as the reason."""
    text = detail.get("message") if isinstance(detail, dict) else None
    return text.strip().partition("\n")[0] if isinstance(text, str) else ""


def _digests(value: Any) -> list[str]:
    try:
        text = json.dumps(value)
    except RecursionError:
        return []
    return re.findall(r"sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})", text)
