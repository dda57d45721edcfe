# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a sandbox Quay as a test says it: who, which call, and what comes back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import requests

from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import SCOPES


class Caller:
    """Calls of one user; `caller("GET", "/user/")` gives the status and the JSON of the answer, or the one line that says why not."""

    def __init__(self, quay: SandboxQuay, user: str = "quayadmin", scopes: str = " ".join(SCOPES)) -> None:
        self._quay = quay
        self._headers = {"Authorization": f"Bearer {quay.token(user, scopes)}"} if user else {}

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        with requests.Session() as session:
            session.trust_env = False
            url = f"{self._quay.url}/api/v1{path}"
            answer = session.request(method, url, json=body, params=query, headers=self._headers, allow_redirects=False, timeout=10)
        return answer.status_code, _said(answer)


def _said(answer: requests.Response) -> Any:
    """JSON; of an error its first line, and of a page nothing."""
    if not answer.content or "json" not in answer.headers["Content-Type"]:
        return None
    value = answer.json()
    if answer.status_code < 400:
        return value
    text = value.get("detail") or value.get("message") or value.get("error")
    return str(text).splitlines()[0]


class Api:
    """Calls with a token of a user, which give the answer itself; redirects are not followed."""

    def __init__(self, quay: SandboxQuay, user: str = "quayadmin", scopes: Iterable[str] | str = SCOPES) -> None:
        self.base = f"{quay.url}/api/v1"
        self.session = requests.Session()
        self.session.trust_env = False
        self.token = quay.token(user, scopes)

    def __call__(self, method: str, path: str, body: Any = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.session.request(method, self.base + path, json=body, headers=headers, allow_redirects=False, timeout=10)

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.session.close()


@contextmanager
def running_quay(**options: Any) -> Iterator[SandboxQuay]:
    """A Quay with a superuser, two users, and an organization with a team and a robot."""
    with SandboxQuay(QuayOptions(**options)) as quay:
        quay.add_user("quayadmin", "password1", superuser=True)
        quay.add_user("alice", "password1")
        quay.add_user("bob", "password1")
        quay.add_organization("team", owner="quayadmin")
        quay.add_team("team", "devs", "creator", members=["alice"])
        quay.add_robot("team+ci")
        yield quay


def said(answer: requests.Response) -> tuple[int, str]:
    """Status and message of a refusal."""
    body = answer.json()
    return answer.status_code, body.get("detail") or body.get("message") or ""
