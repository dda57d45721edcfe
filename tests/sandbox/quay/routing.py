# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who calls, what a call holds, and which handler answers a path: the frame in which families of the API are written.

ROUTES = Routes("robot")

@ROUTES.put("/organization/<orgname>/robots/<robot_shortname>", schema=CREATE, schema_name="CreateRobot", optional_body=True)
def create(call: Call, orgname: str, robot_shortname: str) -> Result:
    call.require_org_admin(orgname)
    return {...}, 201
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.http_messages import HttpRequest, HttpResponse
from ansible_collections.quayside.airgap.tests.sandbox.quay import schema as schemas
from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import (
    BAD_REQUEST_MESSAGE,
    NOT_JSON,
    ApiException,
    Message,
    invalid,
    json_response,
    login_required,
    not_found,
    unauthorized,
)
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Organization, Repository, Session, Token, User, World

API = "/api/v1"
PARAMETER = re.compile(r"<(?:(path):)?(\w+)>")
RANK = {None: 0, "read": 1, "write": 2, "admin": 3}
FRESH_SECONDS = 600
MAX_BODY = 4 << 20
Result = Any  # a JSON value, (JSON value, status), (value, status, headers) or an HttpResponse
Access = Callable[["Call"], None]


@dataclass
class Route:
    """One operation of the API.

    path       below /api/v1 (`absolute`: from the root); `<name>` is one part, `<path:repository>` is `ns/name/of/it`
    access     who may call, checked before the body is; `repo_read`, `repo_write`, `repo_admin`, ... of this module
    schema     of the body; a schema given as a function gets the options (profiles differ)
    feature, since   without them the operation does not exist: its path is an unknown one
    optional_body    a missing body is {}
    csrf       False: the handler checks it itself (or nothing has to)
    open       for everybody, whatever ANONYMOUS_ACCESS and the read-only state say
    hidden     not in /api/v1/discovery
    internal   there with ?internal=true only
    scope, query     for discovery: scope of the operation, names of its query arguments
    """

    method: str
    path: str
    handler: Callable[..., Result]
    tag: str
    schema: Any = None
    schema_name: str = ""
    access: Access | None = None
    feature: str = ""
    since: str = ""
    optional_body: bool = False
    absolute: bool = False
    csrf: bool = True
    open: bool = False
    hidden: bool = False
    internal: bool = False
    scope: str = ""
    query: tuple[str, ...] = ()
    pattern: re.Pattern[str] = field(init=False)
    weight: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        full = self.path if self.absolute else API + self.path
        self.full_path = full
        self.slash = full.endswith("/") and full != "/"
        parts = full.rstrip("/").split("/")
        text = "/".join(self._part(part) for part in parts)
        self.pattern = re.compile(f"^{text}$")
        self.weight = (-sum(1 for part in parts if "<" not in part), sum(1 for part in parts if "<path:" in part))

    @staticmethod
    def _part(part: str) -> str:
        found = PARAMETER.fullmatch(part)
        if found is None:
            return re.escape(part)
        # A repository is at least a namespace and a name, without empty parts.
        return f"(?P<{found[2]}>[^/]+(?:/[^/]+)+)" if found[1] else f"(?P<{found[2]}>[^/]+)"

    @property
    def swagger_path(self) -> str:
        """The path as /api/v1/discovery writes it."""
        return PARAMETER.sub(lambda found: "{" + found[2] + "}", self.full_path)

    def body_schema(self, options: QuayOptions) -> Mapping[str, Any] | None:
        """The schema of the body for a version."""
        return self.schema(options) if callable(self.schema) else self.schema


class Routes:
    """The operations of one family."""

    def __init__(self, tag: str, *, feature: str = "", since: str = "") -> None:
        self.tag = tag
        self.feature = feature
        self.since = since
        self.routes: list[Route] = []

    def route(self, method: str, path: str, **settings: Any) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
        """Register a handler; settings as the fields of Route."""
        settings.setdefault("feature", self.feature)
        settings.setdefault("since", self.since)

        def register(handler: Callable[..., Result]) -> Callable[..., Result]:
            self.routes.append(Route(method, path, handler, self.tag, **settings))
            return handler

        return register

    def get(self, path: str, **settings: Any) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
        """A GET."""
        return self.route("GET", path, **settings)

    def post(self, path: str, **settings: Any) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
        """A POST."""
        return self.route("POST", path, **settings)

    def put(self, path: str, **settings: Any) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
        """A PUT."""
        return self.route("PUT", path, **settings)

    def delete(self, path: str, **settings: Any) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
        """A DELETE."""
        return self.route("DELETE", path, **settings)


class Router:
    """Finds the route of a path and method: the one with the most fixed parts wins, a repository's name takes the rest."""

    def __init__(self, routes: list[Route], options: QuayOptions) -> None:
        self.routes = [
            route for route in routes if (not route.feature or options.feature(route.feature)) and options.at_least(route.since or "3.0")
        ]
        self._groups: dict[str, list[Route]] = {}
        for route in self.routes:
            self._groups.setdefault(self._group(route.full_path), []).append(route)
        for group in self._groups.values():
            group.sort(key=lambda route: route.weight)

    @staticmethod
    def _group(path: str) -> str:
        parts = path.split("/", 4)
        return parts[3] if path.startswith(API + "/") and len(parts) > 3 else parts[1]

    def find(self, method: str, path: str) -> tuple[Route | None, dict[str, str], bool]:
        """(route, its parameters, whether the path is known for other methods)."""
        method = "GET" if method == "HEAD" else method
        known = False
        slash = path.endswith("/")
        bare = path.rstrip("/") if slash else path
        if slash and path != bare + "/":
            return None, {}, False
        for route in self._groups.get(self._group(path), ()):
            if slash and not route.slash:
                continue
            match = route.pattern.match(bare)
            if match is None:
                continue
            if route.method != method:
                known = True
                continue
            return route, match.groupdict(), True
        return None, {}, known


class Call:
    """One call of the API: the request, its body, who calls and what that one may do.

    user      None: anonymous
    scopes    of the bearer token; None for a browser session, which may do whatever its user may
    """

    def __init__(self, request: HttpRequest, world: World, options: QuayOptions, route: Route, base_url: str) -> None:
        self.request = request
        self.world = world
        self.options = options
        self.route = route
        self.base_url = base_url
        self.parameters: dict[str, str] = {}
        self.user: User | None = None
        self.scopes: frozenset[str] | None = None
        self.token: Token | None = None
        self.session: Session | None = None
        self.basic = False
        self.headers: dict[str, str] = {}
        self.body: Any = None
        self.raw = b""

    # ---------------------------------------------------------------- request

    def first(self, name: str, default: str = "") -> str:
        """A query argument."""
        return self.request.first(name) or default

    def flag(self, name: str, default: bool = False) -> bool:
        """A query argument that is true or false."""
        value = self.request.first(name)
        return default if value is None else value.lower() in ("true", "1", "yes", "")

    def integer(self, name: str, default: int, help_text: str = "") -> int:
        """A query argument that is a number; 400 when it is none."""
        value = self.request.first(name)
        if value is None:
            return default
        try:
            return int(value)
        except ValueError:
            raise Message(400, {name: help_text or f"invalid literal for int() with base 10: {value!r}"}) from None

    def read_body(self) -> None:
        """Read and check the body; `call.body` is a dictionary (or list) then."""
        schema = self.route.body_schema(self.options)
        raw = self.raw = self.request.body.read(MAX_BODY)
        if schema is None:
            self.body = _lenient(raw)
            return
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not raw and self.route.optional_body:
            self.body = {}
            return
        if kind != "application/json":
            if self.options.at_least("3.9"):
                raise Message(415, NOT_JSON)
            raise invalid("Missing JSON body")
        try:
            value = json.loads(raw)
        except ValueError:
            raise Message(400, BAD_REQUEST_MESSAGE) from None
        if value is None:
            if not self.route.optional_body:
                raise invalid("Missing JSON body")
            value = {}
        schemas.check(value, schema)
        self.body = value

    # ------------------------------------------------------------------- who

    def has(self, *scopes: str) -> bool:
        """Whether the caller's token has one of these scopes (a session has all)."""
        return self.user is not None and (self.scopes is None or any(scope in self.scopes for scope in scopes))

    @property
    def superuser(self) -> bool:
        """A superuser whose token says so."""
        return self.user is not None and self.user.name in self.world.super_users and self.has("super:user")

    @property
    def readonly_superuser(self) -> bool:
        """A global read-only superuser."""
        return self.user is not None and self.user.name in self.options.readonly_superusers and self.has("super:user")

    @property
    def full_access(self) -> bool:
        """A superuser who may do everything everywhere."""
        return self.superuser and self.options.feature("SUPERUSERS_FULL_ACCESS")

    @property
    def sees_all(self) -> bool:
        """Full access, or a read-only superuser who only reads."""
        return self.full_access or (self.readonly_superuser and self.request.method in ("GET", "HEAD"))

    def deny(self) -> Exception:
        """The error for somebody who may not: 401 for nobody, 403 for everybody else."""
        return login_required() if self.user is None else unauthorized()

    def require_user(self, *scopes: str) -> User:
        """The logged-in user, whose token has one of the scopes."""
        if self.user is None:
            raise login_required()
        if scopes and not self.has(*scopes):
            raise unauthorized()
        return self.user

    def require_superuser(self) -> User:
        """A superuser (for a GET a read-only one too)."""
        if not self.superuser and not (self.readonly_superuser and self.request.method in ("GET", "HEAD")):
            raise self.deny()
        self.require_fresh_login()
        assert self.user is not None
        return self.user

    def require_fresh_login(self) -> None:
        """A session must be young for what is dangerous; bearer tokens are exempt."""
        if self.session is not None and self.token is None and time.time() - self.session.login > FRESH_SECONDS:
            raise ApiException("fresh_login_required", "Fresh login required")

    # ---------------------------------------------------------- organizations

    def is_org_admin(self, name: str) -> bool:
        """May administer an organization (an own user namespace too)."""
        if self.full_access or (self.sees_all and self.readonly_superuser):
            return True
        organization = self.world.organizations.get(name)
        if self.user is None or organization is None or not self.has("org:admin"):
            return False
        return user_admin_of(self.user.name, organization)

    def is_org_member(self, name: str) -> bool:
        """Is in one of the teams of an organization, or its admin."""
        if self.sees_all:
            return True
        organization = self.world.organizations.get(name)
        if self.user is None or organization is None or not self.has("org:admin", "repo:create"):
            return False
        return any(self.user.name in team.members for team in organization.teams.values())

    def require_org_admin(self, name: str) -> None:
        """401 or 403 for everybody who may not administer an organization."""
        if not self.is_org_admin(name):
            raise self.deny()

    def require_org_member(self, name: str) -> None:
        """401 or 403 for everybody who is not in an organization."""
        if not self.is_org_member(name):
            raise self.deny()

    def organization(self, name: str) -> Organization:
        """The organization, 404 when there is none."""
        found = self.world.organizations.get(name)
        if found is None:
            raise not_found()
        return found

    def organization_or_message(self, name: str) -> Organization:
        """The organization, 400 with a message when there is none, as teams and robots have it."""
        found = self.world.organizations.get(name)
        if found is None:
            raise Message(400, f"Organization does not exist: {name}")
        return found

    # ----------------------------------------------------------- repositories

    def repository_role(self, full_name: str) -> str | None:
        """The role that the caller has on a repository, None without one; a repository that is not there too."""
        return repository_role(self.world, self.options, self.user.name if self.user else None, self.scopes, full_name, self.sees_all)

    def may(self, full_name: str, role: str) -> bool:
        """Whether the caller has at least a role on a repository."""
        return RANK[self.repository_role(full_name)] >= RANK[role]

    def require_repository(self, full_name: str, role: str) -> None:
        """401 or 403 without the role; whether the repository exists is not told to those."""
        if role == "read":
            found = self.world.repositories.get(full_name)
            if found is not None and found.public:
                return
        if not self.may(full_name, role):
            raise self.deny()

    def repository(self, full_name: str) -> Repository:
        """The repository, 404 when there is none."""
        found = self.world.repositories.get(full_name)
        if found is None:
            raise not_found()
        return found

    def may_create_in(self, namespace: str) -> bool:
        """Whether the caller may create repositories in a namespace."""
        if self.full_access:
            return True
        if self.user is None or not self.has("repo:create", "org:admin"):
            return False
        return may_create(self.world, self.options, self.user.name, namespace)


def user_admin_of(user: str, organization: Organization) -> bool:
    """Whether a user (or robot) is in a team with the role admin."""
    return any(team.role == "admin" and user in team.members for team in organization.teams.values())


def may_create(world: World, options: QuayOptions, name: str, namespace: str) -> bool:
    """Whether a user or robot may create repositories in a namespace; tokens not considered."""
    if options.feature("RESTRICTED_USERS") and name not in world.super_users and "+" not in name:
        return False
    if namespace == name:
        return True
    organization = world.organizations.get(namespace)
    if organization is None:
        return False
    return any(team.role in ("admin", "creator") and name in team.members for team in organization.teams.values())


def repository_role(
    world: World, options: QuayOptions, name: str | None, scopes: frozenset[str] | None, full_name: str, everything: bool
) -> str | None:
    """The role of a user or robot on a repository, bounded by the scopes of a token."""
    if everything:
        return "admin"
    if name is None:
        return None
    found = world.repositories.get(full_name)
    namespace = full_name.partition("/")[0]
    ranks = [0]
    if namespace == name:
        ranks.append(3)
    if found is not None:
        ranks.append(RANK[found.users.get(name)])
    organization = world.organizations.get(namespace)
    if organization is not None:
        for team in organization.teams.values():
            if name in team.members:
                ranks.append(3 if team.role == "admin" else RANK[found.teams.get(team.name)] if found else 0)
    rank = max(ranks)
    if scopes is not None:
        limit = 3 if "repo:admin" in scopes else 2 if "repo:write" in scopes else 1 if "repo:read" in scopes else 0
        rank = min(rank, limit)
    return (None, "read", "write", "admin")[rank]


# ------------------------------------------------------------------ access


def repo_read(call: Call) -> None:
    """Who may read the repository in the path."""
    call.require_repository(call.parameters["repository"], "read")


def repo_write(call: Call) -> None:
    """Who may write to the repository in the path."""
    call.require_repository(call.parameters["repository"], "write")


def repo_admin(call: Call) -> None:
    """Who administers the repository in the path."""
    call.require_repository(call.parameters["repository"], "admin")


def org_admin(call: Call) -> None:
    """Who administers the organization in the path."""
    call.require_org_admin(call.parameters["orgname"])


def user_admin(call: Call) -> None:
    """Whose token administers its own account."""
    call.require_user("user:admin")


def user_read(call: Call) -> None:
    """Whose token may read its own account; without the scope it counts as nobody."""
    if not call.has("user:read", "user:admin"):
        raise ApiException("invalid_token", "Requires authentication", session_required=False)


def superuser(call: Call) -> None:
    """Superusers."""
    call.require_superuser()


def _lenient(raw: bytes) -> Any:
    """A body that no schema describes: JSON if it is some, else nothing."""
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None


def reply(result: Result) -> HttpResponse:
    """The HTTP answer of what a handler returned."""
    if isinstance(result, HttpResponse):
        return result
    if isinstance(result, tuple):
        return json_response(result[1], result[0], result[2] if len(result) > 2 else None)
    return json_response(200, result)
