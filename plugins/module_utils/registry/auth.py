# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials for registries, from options, from the files that podman, skopeo and oc-mirror read, and from their helpers.

Rules: containers-auth.json(5) and docker's config.json: the longest key that is a prefix of the repository wins, then the host.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import read_json
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import DOCKER_HUB

_HELPER_SECONDS = 30.0
# What docker login writes for Docker Hub
_DOCKER_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io")


@dataclass(frozen=True)
class Credentials:
    """A name and a password, or an identity token in place of a password.

    :ivar identity_token: OAuth2 refresh token, as docker stores it for some registries.
    """

    username: str
    password: str
    identity_token: str = ""

    def __repr__(self) -> str:
        return f"Credentials(username={self.username!r})"

    def basic(self) -> str:
        """The value of an Authorization header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


# helper, registry and the file that names the helper -> what it says
_Ask = Callable[[str, str, str], Optional[Credentials]]


class CredentialStore:
    """Looks credentials up, in this order: explicit ones, an explicit file, REGISTRY_AUTH_FILE, the places of podman and docker.

    :param explicit: credentials for every registry of this side.
    :param authfile: the only file to look into; a missing one is an error, since the user named it.
    :param environment: where variables and the home folder are taken from.
    :param helper_seconds: how long a credential helper may take.
    """

    def __init__(
        self,
        explicit: Credentials | None = None,
        authfile: str | None = None,
        environment: Mapping[str, str] | None = None,
        helper_seconds: float = _HELPER_SECONDS,
    ) -> None:
        self._explicit = explicit
        self._helper_seconds = helper_seconds
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], Credentials | None] = {}
        self._answers: dict[tuple[str, str], Credentials | FileError | None] = {}
        self._environment = os.environ if environment is None else environment
        self._named = authfile or self._environment.get("REGISTRY_AUTH_FILE") or None
        self._documents: list[Any] | None = None

    def find(self, registry: str, repository: str = "") -> Credentials | None:
        """Credentials for a repository, None where there are none.

        :raises FileError: when a file is unreadable or broken, or a credential helper fails.
        """
        if self._explicit is not None:
            return self._explicit
        key = (registry, repository)
        if key not in self._found:
            # asked for with every call, and by all workers at once: files are read, and helpers started, the first time only
            with self._lock:
                if key not in self._found:
                    self._found[key] = self._look_up(registry, repository)
        return self._found[key]

    def _look_up(self, registry: str, repository: str) -> Credentials | None:
        for path, document in self._load():
            found = _from_document(document, registry, repository, str(path), self._ask)
            if found is not None:
                return found
        return None

    def _load(self) -> list[Any]:
        if self._documents is None:
            self._documents = [(path, _read(path)) for path in self._paths() if self._named or _is_there(path)]
        return self._documents

    def _ask(self, helper: str, server: str, path: str) -> Credentials | None:
        answer: Credentials | FileError | None
        if (helper, server) not in self._answers:
            try:
                answer = _ask_helper(helper, server, path, self._helper_seconds)
            except FileError as error:
                # one that fails, or hangs, would do so for every repository
                answer = error
            self._answers[helper, server] = answer
        answer = self._answers[helper, server]
        if isinstance(answer, FileError):
            raise answer
        return answer

    def _paths(self) -> Iterator[Path]:
        env = self._environment
        if self._named:
            yield Path(self._named).expanduser()
            return
        home = Path(env.get("HOME") or Path.home())
        runtime = env.get("XDG_RUNTIME_DIR")
        yield Path(runtime) / "containers/auth.json" if runtime else Path(f"/run/containers/{os.getuid()}/auth.json")
        yield Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "containers/auth.json"
        yield Path(env.get("DOCKER_CONFIG") or home / ".docker") / "config.json"


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # the folder of another user, left in the environment by a change of users
        return False


def _read(path: Path) -> dict[str, Any]:
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("auths"), (dict, type(None))):
        raise FileError("read", str(path), "it is no registry authentication file: an object with 'auths' is expected")
    return document


def _from_document(document: dict[str, Any], registry: str, repository: str, path: str, ask: _Ask) -> Credentials | None:
    helpers = document.get("credHelpers")
    helper = helpers.get(registry) if isinstance(helpers, dict) else None
    if helper:
        found = ask(str(helper), registry, path)
        if found is not None:
            return found
    given = document.get("auths") or {}
    # a key as it is meant to be written counts before one that only stands for it
    auths = {**{_normalised(key): value for key, value in given.items()}, **given}
    for key in _keys(registry, repository):
        if key in auths:
            found = _entry(auths[key], key, path)
            if found is not None:
                return found
    store = document.get("credsStore")
    if store:
        return ask(str(store), _DOCKER_HUB_KEYS[0] if registry == DOCKER_HUB else registry, path)
    return None


def _keys(registry: str, repository: str) -> Iterator[str]:
    parts = repository.split("/") if repository else []
    for length in range(len(parts), 0, -1):
        yield "/".join([registry, *parts[:length]])
    yield registry


def _normalised(key: str) -> str:
    # docker login of old wrote URLs; the path of such a key is an API version, not a namespace
    for scheme in ("https://", "http://"):
        if key.startswith(scheme):
            key = key[len(scheme) :].partition("/")[0]
    return DOCKER_HUB if key in _DOCKER_HUB_KEYS else key.rstrip("/")


def _entry(entry: Any, key: str, path: str) -> Credentials | None:
    if not isinstance(entry, dict):
        raise FileError("read", path, f"the entry for '{key}' is no object")
    token = str(entry.get("identitytoken") or "")
    encoded = entry.get("auth")
    if encoded:
        try:
            username, colon, password = base64.b64decode(str(encoded), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise FileError("read", path, f"the 'auth' of the entry for '{key}' is no base64 text", "Log in again.") from error
        if not colon:
            raise FileError("read", path, f"the 'auth' of the entry for '{key}' is not name:password in base64", "Log in again.")
        # docker pads what it decodes with NUL bytes
        return Credentials(username, password.strip("\x00"), token)
    if entry.get("username") and entry.get("password"):
        return Credentials(str(entry["username"]), str(entry["password"]), token)
    return Credentials("", "", token) if token else None


def _ask_helper(helper: str, server: str, path: str, seconds: float) -> Credentials | None:
    program = f"docker-credential-{helper}"
    action = f"ask the credential helper {program} (named in {path}) about"
    try:
        # the core knows no AnsibleModule, whose run_command the rule asks for
        answer = subprocess.run(  # pylint: disable=ansible-bad-function
            [program, "get"], input=server, capture_output=True, text=True, timeout=seconds, check=False
        )
    except FileNotFoundError as error:
        raise FileError(action, server, "it is not installed or not on the PATH") from error
    except subprocess.TimeoutExpired as error:
        raise FileError(action, server, f"it gave no answer within {seconds:g} seconds") from error
    except (OSError, ValueError) as error:
        # ValueError: bytes that are no text, on either way
        raise FileError(action, server, f"it gave no answer ({type(error).__name__})") from error
    if answer.returncode:
        words = (answer.stdout + answer.stderr).strip()
        if "credentials not found" in words:
            return None
        raise FileError(action, server, f"it failed: {words[:200] or f'exit code {answer.returncode}'}")
    try:
        document = json.loads(answer.stdout)
        username, secret = str(document["Username"]), str(document["Secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(action, server, "its answer is not what a credential helper answers") from error
    if username == "<token>":
        return Credentials("", "", secret)
    return Credentials(username, secret)
