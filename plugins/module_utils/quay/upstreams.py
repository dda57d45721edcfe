# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What proxy caches and mirrors share: addresses of other registries, credentials for them, proxies and dates."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import Object, Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import robot

ON_CREATE = "on_create"
ALWAYS = "always"
# What differs where credentials are written although nobody can tell whether they are others
CREDENTIALS = "credentials"
UPDATE_CREDENTIALS = Field(
    "update_credentials",
    choices=(ON_CREATE, ALWAYS),
    default=ON_CREATE,
    description="Quay does not give credentials back: write them when something else is written (on_create), or every time (always).",
)
MIRROR_SECRETS = frozenset({"external_registry_password", UPDATE_CREDENTIALS.name})
CONNECTION = (
    Field("verify_tls", "bool", description="Check the TLS certificate of the other registry."),
    Field("http_proxy", description="Proxy for http; an empty text for none."),
    Field("https_proxy", description="Proxy for https; an empty text for none."),
    Field("no_proxy", description="Hosts that are reached without a proxy, joined by commas."),
)
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")
_DATE = "%Y-%m-%dT%H:%M:%SZ"
_ADDRESS = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")


def upstream(value: Any) -> str:
    """``host[:port][/namespace]`` of another registry.

    :raises ValueError: with a sentence that says what is wrong.
    """
    text = str(value).strip().rstrip("/")
    if "://" in text:
        raise ValueError(f"'{text}' holds a scheme; write host[:port][/namespace] alone, and use insecure for registries without TLS")
    host, slash, rest = text.partition("/")
    if not _ADDRESS.fullmatch(host) or (slash and not rest):
        raise ValueError(f"'{text}' is no registry; write host[:port] or host[:port]/namespace")
    return f"{host.lower()}{slash}{rest}"


def reference(value: Any) -> str:
    """``host[:port]/path`` of another repository, without a tag.

    Quay takes a tag there without a word and then never finds anything (Quay API: repository mirror).

    :raises ValueError: with a sentence that says what is wrong.
    """
    text = str(value).strip().rstrip("/")
    if "://" in text:
        raise ValueError(f"'{text}' holds a scheme; write host[:port]/path of the repository alone")
    host, slash, path = text.partition("/")
    if not slash or not path or not _ADDRESS.fullmatch(host):
        raise ValueError(f"'{text}' is no repository; write it as host[:port]/path, like quay.io/projectquay/quay")
    if ":" in path or "@" in path:
        raise ValueError(f"'{text}' holds a tag or a digest; name the repository alone and choose tags with image_tags")
    return text


def start_date(value: Any) -> str:
    """A moment as Quay takes it: ``2026-01-31T12:00:00Z``, in UTC and without fractions.

    :raises ValueError: with a sentence that says what is wrong.
    """
    text = str(value).strip()
    try:
        moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    except ValueError:
        raise ValueError(f"'{text}' is no date; write it as 2026-01-31T12:00:00Z") from None
    # without a zone it is UTC, as everywhere in Quay
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc).strftime(_DATE)


def now() -> str:
    """This moment as Quay takes it."""
    return datetime.now(timezone.utc).strftime(_DATE)


def of_mirror(given: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The wish for a mirror of a module's options: a password belongs to a user, the robot to the place.

    :raises InputError: where they do not.
    """
    found = dict(given)
    if found.get("external_registry_password") and not found.get("external_registry_username"):
        raise InputError("external_registry_password", "it is given without a user", "Give external_registry_username too.")
    if "robot_username" in found:
        found["robot_username"] = robot_of(place, found["robot_username"])
    return found


def robot_of(place: Place, name: str) -> str:
    """The full name of a mirror's robot, of its full or short name.

    :raises InputError: for a name that Quay refuses, and for a robot of another namespace.
    """
    try:
        owner, short = robot(name)
    except ValueError as error:
        raise InputError("robot_username", str(error)) from error
    if owner and owner != place.namespace:
        raise InputError(
            "robot_username",
            f"{name} belongs to {owner}, and the mirror {place.path} needs a robot of {place.namespace}",
            f"Name a robot of {place.namespace}, like {place.namespace}+{short}.",
        )
    return f"{place.namespace}+{short}"


def same_robot(wanted: Any, found: Any) -> bool:
    """Whether a full or short name names this robot."""
    return bool(wanted == found or ("+" not in str(wanted) and str(found).endswith(f"+{wanted}")))


def connection(config: Mapping[str, Any]) -> dict[str, Any]:
    """Document form of ``external_registry_config``; what is not set there is as Quay's mirror worker takes it."""
    proxy = config.get("proxy") or {}
    return {"verify_tls": bool(config.get("verify_tls", True)), **{name: str(proxy.get(name) or "") for name in _PROXIES}}


def connection_config(values: Object) -> dict[str, Any]:
    """``external_registry_config`` of what shall be."""
    proxy = {name: values.get(name) or None for name in _PROXIES}
    return {"verify_tls": bool(values.get("verify_tls", True)), "proxy": proxy}


def credentials(wanted: Object, found: Object) -> dict[str, Any]:
    """User and password for the body of a mirror: both or none, since Quay takes no password alone.

    :raises InputError: for a password without a user.
    """
    username = wanted.get("external_registry_username", found.get("external_registry_username"))
    password = wanted.get("external_registry_password")
    if password and not username:
        raise InputError("external_registry_password", "it is given without a user", "Give external_registry_username too.")
    if "external_registry_username" not in wanted and not password:
        return {}
    body: dict[str, Any] = {"external_registry_username": username or None}
    if password or not username:
        body["external_registry_password"] = password or None
    return body


@contextlib.contextmanager
def told(address: str) -> Iterator[None]:
    """Adds to Quay's refusals of an address what can be done about them.

    :param address: of the other registry, without credentials.
    """
    try:
        yield
    except QuayError as error:
        hint = _hint(error, address)
        if error.hint or not hint:
            raise
        raise QuayError(error.action, error.subject, error.said, hint, status=error.status, code=error.code) from error


def _hint(error: QuayError, address: str) -> str:
    place = re.sub(r"^https?://", "", address).partition("/")[0]
    host = re.sub(r":\d+$", "", place)
    if error.says("is not allowed"):
        return (
            f"Quay refuses addresses inside of networks (protection from SSRF): add {host} or its network to SSRF_ALLOWED_HOSTS in its "
            "config.yaml."
        )
    if error.says("cannot resolve hostname"):
        return f"Quay itself must be able to resolve {host}: check the name and the DNS of the machine or pod that Quay runs on."
    if error.says("failed login to remote registry"):
        return (
            f"Quay must reach {place}, with TLS unless insecure is set, and the user and password must be right; validate: false "
            "skips this test."
        )
    if error.says("invalid robot", "could not find robot"):
        return "Create the robot first, or check robot_username."
    return ""
