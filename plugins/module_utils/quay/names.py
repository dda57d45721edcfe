# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names as Quay takes them, told before any call."""

from __future__ import annotations

import re
from typing import Any

_NAMESPACE = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_REPOSITORY = re.compile(r"[a-z0-9][._a-z0-9-]*(?:/[a-z0-9][._a-z0-9-]*)*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_MOST = 255

# Paths below a repository that Quay's API has. A repository whose name ends like one of them can be made, but requests to it reach
# the other route (Quay API: URL traps).
_ROUTES = re.compile(
    r"/(?:tag(?:/[^/]+(?:/(?:restore|expire))?)?|mirror(?:/sync-(?:now|cancel))?|permissions/(?:user|team)(?:/[^/]+(?:/transitive)?)?"
    r"|(?:notification|autoprunepolicy|immutabilitypolicy|tokens|build|trigger)(?:/.*)?"
    r"|manifest/.+|logs|aggregatelogs|exportlogs|changestate|changetrust|changevisibility)$"
)


def namespace(value: Any, what: str = "organization") -> str:
    """The name of an organization, user or team.

    :param what: which of them, for the message.
    :raises ValueError: with a sentence that holds the rule.
    """
    text = str(value)
    if not _NAMESPACE.fullmatch(text):
        raise ValueError(
            f"'{text}' is no name for Quay: a name of {_article(what)} holds lower-case letters and digits, with single '.', '_' or "
            f"'-' between them ({_NAMESPACE.pattern})"
        )
    if not 2 <= len(text) <= _MOST:
        raise ValueError(f"'{_short(text)}' has {len(text)} characters; a name of {_article(what)} has 2 to {_MOST}")
    return text


def team(value: Any) -> str:
    """The name of a team; see :func:`namespace`."""
    return namespace(value, "team")


def user(value: Any) -> str:
    """The name of a user; see :func:`namespace`."""
    return namespace(value, "user")


def account(value: Any) -> str:
    """The name of a user, or the full name of a robot: ``prod+ci``."""
    text = str(value)
    if "+" in text:
        owner, short = robot(text)
        if not owner:
            raise ValueError(f"'{text}' is no full name of a robot")
        return f"{owner}+{short}"
    return user(text)


def robot(value: Any) -> tuple[str, str]:
    """Namespace and short name of a robot, given as ``prod+ci`` or as ``ci`` (empty namespace then).

    :raises ValueError: with a sentence that holds the rule.
    """
    owner, plus, short = str(value).rpartition("+")
    if plus:
        namespace(owner, "organization or user")
    namespace(short, "robot")
    if len(str(value)) > _MOST:
        raise ValueError(f"'{_short(str(value))}' has {len(str(value))} characters; the full name of a robot has at most {_MOST}")
    return owner, short


def short_robot(value: Any) -> str:
    """The short name of a robot, without its namespace."""
    owner, short = robot(value)
    if owner:
        raise ValueError(f"'{value}' holds a namespace; only the name behind the '+' is wanted here")
    return short


def repository(value: Any) -> str:
    """The name of a repository without its namespace: ``app``, ``team/app``.

    :raises ValueError: with a sentence that holds the rule.
    """
    text = str(value)
    if not _REPOSITORY.fullmatch(text):
        raise ValueError(
            f"'{text}' is no name for a repository: its parts, joined by '/', begin with a lower-case letter or a digit and hold these, "
            f"'.', '_' and '-' ({_REPOSITORY.pattern})"
        )
    if len(text) > _MOST:
        raise ValueError(f"'{_short(text)}' has {len(text)} characters; the name of a repository has at most {_MOST}")
    if _ROUTES.search(f"/{text}") and "/" in text:
        raise ValueError(f"a repository '{text}' cannot be managed: Quay's API takes the end of this name for one of its own paths")
    return text


def full_repository(value: Any) -> tuple[str, str]:
    """Namespace and name of a repository given as ``prod/app``.

    :raises ValueError: with a sentence that holds the rule.
    """
    owner, slash, name = str(value).partition("/")
    if not slash:
        raise ValueError(f"'{value}' lacks the namespace; write it as namespace/{value}")
    return namespace(owner, "organization or user"), repository(name)


def tag(value: Any) -> str:
    """The name of a tag.

    :raises ValueError: with a sentence that holds the rule.
    """
    text = str(value)
    if not _TAG.fullmatch(text):
        raise ValueError(f"'{_short(text)}' is no tag: 1 to 128 letters, digits, '_', '.' and '-', not beginning with '.' or '-'")
    return text


def _article(what: str) -> str:
    return f"{'an' if what[0] in 'aeio' else 'a'} {what}"


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
