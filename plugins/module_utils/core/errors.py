# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one family of errors that the collection raises on purpose."""

from __future__ import annotations


class AirgapError(Exception):
    """Something the user should read: what was attempted, on what, what came back, what to do next.

    Every part is plain text without secrets; ``module.py`` turns it into ``fail_json`` in one place.

    :param action: what was attempted, as an infinitive without "to": ``read the manifest of``.
    :param subject: what it was attempted on: an image reference, a URL without credentials, a file, an option.
    :param reason: what came back, without a full stop at the end.
    :param hint: what the user can do about it, as a sentence; empty where there is nothing to say.
    :param transient: whether the same call may succeed later, unchanged.
    """

    def __init__(self, action: str, subject: str, reason: str, hint: str = "", *, transient: bool = False) -> None:
        self.action = action
        self.subject = subject
        self.reason = reason.rstrip(". \n")
        self.hint = hint
        self.transient = transient
        super().__init__(action, subject, reason, hint)

    def __str__(self) -> str:
        target = f"{self.action} {self.subject}".strip()
        sentence = f"Could not {target}: {self.reason}."
        return f"{sentence} {self.hint}".strip()


class InputError(AirgapError):
    """The user's own words are wrong: an option, a document, a reference. Nothing was attempted yet."""

    def __init__(self, subject: str, reason: str, hint: str = "") -> None:
        super().__init__("use", subject, reason, hint)


class DependencyError(AirgapError):
    """A Python library that this run needs is not installed for the interpreter that runs the module.

    :param library: the name under which it is installed, as in ``pip install NAME``.
    :param needed_for: the feature that asked for it.
    """

    def __init__(self, library: str, needed_for: str, hint: str = "") -> None:
        self.library = library
        super().__init__("import", f"the Python library {library}", f"it is not installed, and {needed_for} needs it", hint)


class FileError(AirgapError):
    """A local file could not be read, written or understood."""


class TransportError(AirgapError):
    """No HTTP answer came back.

    :ivar kind: ``dns``, ``refused``, ``tls``, ``timeout``, ``reset``, ``proxy`` or ``other``.
    """

    def __init__(self, action: str, subject: str, reason: str, hint: str = "", *, kind: str, transient: bool) -> None:
        self.kind = kind
        super().__init__(action, subject, reason, hint, transient=transient)


class HttpError(AirgapError):
    """An HTTP answer came back and it says no.

    :ivar status: the HTTP status.
    :ivar code: the service's own error code (``MANIFEST_UNKNOWN``), empty where it gave none.
    """

    def __init__(
        self,
        action: str,
        subject: str,
        reason: str,
        hint: str = "",
        *,
        status: int,
        code: str = "",
        transient: bool | None = None,
    ) -> None:
        self.status = status
        self.code = code
        super().__init__(action, subject, reason, hint, transient=status in TRANSIENT_STATUSES if transient is None else transient)


class ProtocolError(AirgapError):
    """The server answered with something that its protocol does not allow: garbage, a wrong length, a wrong digest."""


class CancelledError(AirgapError):
    """Work was given up because something else failed or the user interrupted it."""

    def __init__(self, reason: str = "the run was stopped") -> None:
        super().__init__("finish", "the work", reason)


# RFC 6585 (429) and RFC 9110 (408, 5xx that name a condition which passes)
TRANSIENT_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
