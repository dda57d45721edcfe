# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxy caches of organizations: kept, shown and validated against the real upstream; nothing is pulled through them here."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from ansible_collections.quayside.airgap.tests.sandbox.quay import tag_history
from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import Crash, invalid, not_found
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes
from ansible_collections.quayside.airgap.tests.sandbox.quay.ssrf import check_url
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Organization, World

ROUTES = Routes("organization", feature="PROXY_CACHE", since="3.7")

CONFIG = {
    "type": "object",
    "description": "Proxy cache configuration for an organization",
    "required": ["upstream_registry"],
    "properties": {
        "upstream_registry": {"type": "string", "description": "Name of the upstream registry that is to be cached"},
    },
}
ONE = "/organization/<orgname>/proxycache"
DAY = 86400
MOST_SECONDS = 1 << 31
TIME_LIMIT = 10
DOCKER_HUB = {"docker.io": "registry-1.docker.io"}
EXISTS = "Proxy Cache Configuration already exists"
FAILED_LOGIN = "Failed login to remote registry. Please verify entered details and try again."
PARAMETER = re.compile(r'(\w+)= ?"?([^",]+)"?')


def _config(world: World, name: str) -> dict[str, Any] | None:
    """The proxy cache of an organization, None where there is none, or no organization."""
    found = world.organizations.get(name)
    return found.extra.get("proxy_cache") if found else None


def _refuse_second(call: Call, orgname: str) -> None:
    call.require_org_admin(orgname)
    if _config(call.world, orgname) is not None:
        raise invalid(EXISTS)


def _check_upstream(call: Call) -> None:
    """The guard against addresses inside of networks; earlier versions got it with later patches only."""
    if call.options.at_least("3.18"):
        scheme = "http" if call.body.get("insecure") else "https"
        check_url(f"{scheme}://{call.body['upstream_registry'].partition('/')[0]}", call.options)


def _refuse_immutable_tags(world: World, found: Organization) -> None:
    for repository in found.repositories.values():
        if any(row.immutable for row in tag_history.of(world, repository).live.values()):
            raise invalid("Cannot convert organization to proxy cache: immutable tags exist")


@ROUTES.get(ONE)
def show(call: Call, orgname: str) -> Result:
    """The proxy cache without its credentials; empty texts where there is none."""
    call.require_org_member(orgname)
    found = _config(call.world, orgname) or {}
    return {name: found.get(name, "") for name in ("upstream_registry", "expiration_s", "insecure")}


@ROUTES.post(ONE, schema=CONFIG, schema_name="NewProxyCacheConfig")
def create(call: Call, orgname: str) -> Result:
    """A proxy cache; whether it works is not looked at."""
    _refuse_second(call, orgname)
    body, found = call.body, call.world.organizations.get(orgname)
    if call.options.feature("ORG_MIRROR") and found is not None and found.extra.get("org_mirror"):
        raise invalid("Cannot create proxy cache: organization is managed by organization-level mirroring")
    if call.options.feature("IMMUTABLE_TAGS"):
        found = call.organization_or_message(orgname)
        _refuse_immutable_tags(call.world, found)
    _check_upstream(call)
    if found is None:
        raise invalid("Error while creating Proxy cache configuration")
    if body.get("insecure", False) is None:
        raise Crash()
    found.extra["proxy_cache"] = {
        "upstream_registry": body["upstream_registry"],
        "upstream_registry_username": body.get("upstream_registry_username"),
        "upstream_registry_password": body.get("upstream_registry_password"),
        "expiration_s": _seconds(body.get("expiration_s", DAY)),
        "insecure": bool(body.get("insecure", False)),
    }
    return "Created", 201


def _seconds(value: Any) -> int | None:
    """What the database makes of an expiration."""
    if value is None:
        return None
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise Crash() from None
    if not -MOST_SECONDS <= number < MOST_SECONDS:
        raise Crash()
    return number


@ROUTES.delete(ONE)
def delete(call: Call, orgname: str) -> Result:
    """No proxy cache any more."""
    call.require_org_admin(orgname)
    if _config(call.world, orgname) is None:
        raise not_found()
    del call.world.organizations[orgname].extra["proxy_cache"]
    return "Deleted", 201


@ROUTES.post("/organization/<orgname>/validateproxycache", schema=CONFIG, schema_name="NewProxyCacheConfig")
def validate(call: Call, orgname: str) -> Result:
    """Log in to the upstream of a proxy cache that is to be created."""
    _refuse_second(call, orgname)
    _check_upstream(call)
    call.organization_or_message(orgname)
    with _unlocked(call.world):
        try:
            status = Upstream(call.body, call.options).validate()
        except UpstreamError:
            raise invalid(FAILED_LOGIN) from None
    if status == 200:
        return "Valid", 202
    if status == 401:
        return "Anonymous", 202
    raise invalid("Failed to validate Proxy cache configuration")


@contextlib.contextmanager
def _unlocked(world: World) -> Iterator[None]:
    """Let others have the world for as long as an upstream takes: it may be this very server."""
    world.lock.release()
    try:
        yield
    finally:
        world.lock.acquire()


# ------------------------------------------------------------------ upstream


class UpstreamError(Exception):
    """An upstream cannot be reached, or does not let Quay in."""


class Upstream:
    """A registry as Quay talks to it when it validates a proxy cache."""

    def __init__(self, config: Mapping[str, Any], options: QuayOptions) -> None:
        host = config["upstream_registry"].partition("/")[0]
        self.url = f"{'http' if config.get('insecure') else 'https'}://{DOCKER_HUB.get(host, host)}/v2/"
        user, password = config.get("upstream_registry_username"), config.get("upstream_registry_password")
        self._login = None if user is None or password is None else "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._authorization = ""
        self._anonymous = options.at_least("3.9")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def validate(self) -> int:
        """The status of /v2/ after a login: 200, or 401 for somebody who gave no password.

        :raises UpstreamError: for every other end.
        """
        self._authorize()
        status, _challenge, _body = self._get(self.url, self._authorization)
        if status == 401:
            self._authorize()
            status, _challenge, _body = self._get(self.url, self._authorization)
        if status == 401 and self._anonymous:
            return status
        if status >= 400:
            raise UpstreamError(status)
        return status

    def _authorize(self) -> None:
        """Follow the challenge of /v2/: Basic is taken as it is, a token is fetched, with a login where there is one."""
        self._authorization = ""
        status, challenge, _body = self._get(self.url)
        if status == 200:
            return
        scheme = challenge.partition(" ")[0]
        found = dict(PARAMETER.findall(challenge))
        if scheme.lower() == "basic" and self._login is not None:
            self._authorization = self._login
            return
        query = "?" + urlencode({"service": found["service"]}) if "service" in found else ""
        status, _challenge, body = self._get(f"{found.get('realm')}{query}", self._login or "")
        if status in (401, 403) and self._login is None and self._anonymous:
            return
        if status >= 400:
            raise UpstreamError(status)
        try:
            answer = json.loads(body)
        except ValueError:
            raise Crash() from None
        token = answer.get("token") or answer.get("access_token")
        if token is None:
            raise UpstreamError("no token")
        self._authorization = f"{scheme} {token}"

    def _get(self, url: str, authorization: str = "") -> tuple[int, str, bytes]:
        """Status, challenge and body of an answer."""
        headers = {"Authorization": authorization} if authorization else {}
        try:
            with self._opener.open(urllib.request.Request(url, headers=headers), timeout=TIME_LIMIT) as answer:
                return answer.status, "", answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers.get("WWW-Authenticate", ""), b""
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UpstreamError(str(error)) from error
