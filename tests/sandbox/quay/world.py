# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sandbox Quay keeps: users, organizations, robots, teams, repositories, applications and tokens.

`World.lock` is the lock of the registry's storage; handlers run under it. Families keep their own data in the `extra`
dictionaries of the objects it belongs to, so that it goes away with them.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import random
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions, seconds
from ansible_collections.quayside.airgap.tests.sandbox.storage import Storage

SCOPES = ("org:admin", "repo:admin", "repo:create", "repo:read", "repo:write", "super:user", "user:admin", "user:read")
NAMESPACE = re.compile(r"^([a-z0-9]+(?:[._-][a-z0-9]+)*)$")
NAMESPACE_RULE = "Namespace must match expression ^([a-z0-9]+(?:[._-][a-z0-9]+)*)$"
REPOSITORY = re.compile(r"^(?=.{1,255}$)[a-z0-9][._a-z0-9-]*(?:/[a-z0-9][._a-z0-9-]*)*$")
ROLES = ("read", "write", "admin")
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
LETTERS = CAPITALS + "abcdefghijklmnopqrstuvwxyz"
INITIAL_LIFETIME = 9000
LONG_LIFETIME = 315576000
COLORS = ("#969696", "#aec7e8", "#ff7f0e", "#ffbb78", "#2ca02c", "#98df8a", "#d62728", "#ff9896", "#9467bd", "#c5b0d5")

_random = random.SystemRandom()


def secret(length: int, alphabet: str = CAPITALS) -> str:
    """A random word."""
    return "".join(_random.choices(alphabet, k=length))


@dataclass
class Namespace:
    """What a user and an organization have in common. email "" where none was given; `placeholder` is what older versions show."""

    name: str
    email: str = ""
    tag_expiration: int = 1209600
    invoice_email: bool = False
    invoice_email_address: str | None = None
    repositories: dict[str, Repository] = field(default_factory=dict)
    robots: dict[str, Robot] = field(default_factory=dict)
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    placeholder: str = field(default_factory=lambda: str(uuid.uuid4()))
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class User(Namespace):
    """A person."""

    password: str = field(default="", repr=False)
    enabled: bool = True
    verified: bool = True
    profile: dict[str, Any] = field(default_factory=dict)
    organizations: dict[str, Organization] = field(default_factory=dict)  # where the user is in a team
    starred: set[str] = field(default_factory=set)


@dataclass
class Team:
    """A team of an organization; `members` are names of users and robots, `invited` of users."""

    name: str
    role: str = "member"
    description: str = ""
    members: dict[str, None] = field(default_factory=dict)
    invited: dict[str, None] = field(default_factory=dict)
    repositories: dict[str, None] = field(default_factory=dict)  # full names of repositories it has a permission on
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Organization(Namespace):
    """An organization with its teams and applications."""

    teams: dict[str, Team] = field(default_factory=dict)
    applications: dict[str, Application] = field(default_factory=dict)


@dataclass
class Robot:
    """A robot; its name is `namespace+short`."""

    name: str
    token: str = field(repr=False)
    description: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    federation: list[dict[str, str]] = field(default_factory=list)
    repositories: dict[str, None] = field(default_factory=dict)  # full names of repositories it has a permission on
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return self.name.partition("+")[0]

    @property
    def short(self) -> str:
        return self.name.partition("+")[2]


@dataclass
class Repository:
    """A repository: what Quay knows of it beside the content, which is in the registry's storage.

    users, teams   name -> role
    """

    namespace: str
    name: str
    public: bool = False
    description: str | None = None
    state: str = "NORMAL"
    users: dict[str, str] = field(default_factory=dict)
    teams: dict[str, str] = field(default_factory=dict)
    token: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: float = field(default_factory=time.time)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass
class Application:
    """An OAuth application of an organization, or the one that initialising made in a user's namespace."""

    name: str
    namespace: str
    client_id: str = field(default_factory=lambda: secret(20))
    client_secret: str = field(default_factory=lambda: secret(40), repr=False)
    description: str = ""
    application_uri: str = ""
    redirect_uri: str = ""
    avatar_email: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Token:
    """An OAuth access token; `asked` is its scopes in the order in which they were asked for."""

    value: str = field(repr=False)
    user: str
    scopes: frozenset[str]
    client_id: str = ""
    name: str | None = None
    expires: float = 0.0
    created: float = field(default_factory=time.time)
    last_accessed: float | None = None
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    asked: str = ""


@dataclass
class Session:
    """A browser: who is logged in there, and its CSRF token."""

    number: str
    csrf: str = field(repr=False)
    user: str = ""
    login: float = 0.0


class World:
    """Everything, joined with the storage of the registry.

    created_hooks   called with (repository, name of its creator or None) for every new repository: default permissions
    """

    def __init__(self, options: QuayOptions, storage: Storage) -> None:
        self.options = options
        self.storage = storage
        self.lock = storage.lock
        self.users: dict[str, User] = {}
        self.organizations: dict[str, Organization] = {}
        self.repositories: dict[str, Repository] = {}  # by full name, in the order of creation
        self.applications: dict[str, Application] = {}  # by client_id
        self.tokens: dict[str, Token] = {}  # by value
        self.app_tokens: dict[str, Any] = {}  # token code -> name of its user (or an object with a `user`)
        self.encrypted: dict[str, str] = {}  # encrypted password -> name of its user
        self.sessions: dict[str, Session] = {}
        self.robots: dict[str, Robot] = {}  # by full name
        self.deleted_names: set[str] = set()
        self.super_users = set(options.super_users)
        self.failures: dict[str, tuple[int, float]] = {}  # user -> failed logins in a row, time of the last
        self.created_hooks: list[Callable[[Repository, str | None], None]] = []
        self.deleted_hooks: list[Callable[[Repository], None]] = []
        self.extra: dict[str, Any] = {}
        self._numbers = itertools.count(1)
        self._creator = threading.local()

    def next_id(self) -> int:
        """A number that was not used yet."""
        return next(self._numbers)

    # ------------------------------------------------------------ namespaces

    def namespace(self, name: str) -> User | Organization | None:
        """The user or organization of a name."""
        return self.organizations.get(name) or self.users.get(name)

    def add_user(self, name: str, password: str = "", email: str = "", *, superuser: bool = False) -> User:
        """A new user."""
        user = User(name, email, seconds(self.options.default_tag_expiration), password=password)
        with self.lock:
            self.users[name] = user
            if superuser:
                self.super_users.add(name)
        return user

    def add_organization(self, name: str, owner: str = "", email: str = "") -> Organization:
        """A new organization, whose team `owners` has `owner` in it."""
        found = Organization(name, email, seconds(self.options.default_tag_expiration))
        with self.lock:
            found.teams["owners"] = Team("owners", "admin")
            self.organizations[name] = found
            if owner:
                self.join(found, found.teams["owners"], owner)
        return found

    def delete_namespace(self, found: User | Organization) -> None:
        """Forget a user or an organization with everything in it."""
        for repository in list(found.repositories.values()):
            self.delete_repository(repository)
        for robot in list(found.robots.values()):
            self.delete_robot(robot)
        if isinstance(found, Organization):
            for application in list(found.applications.values()):
                self.delete_application(application)
            for team in list(found.teams):
                self.delete_team(found, team)
            self.organizations.pop(found.name, None)
        else:
            self._forget_person(found)
            self.users.pop(found.name, None)
        if self.options.block_deleted_names:
            self.deleted_names.add(found.name)

    def _forget_person(self, user: User) -> None:
        for organization in list(user.organizations.values()):
            for team in organization.teams.values():
                team.members.pop(user.name, None)
        for repository in self.repositories.values():
            repository.users.pop(user.name, None)
        for token in [token for token in self.tokens.values() if token.user == user.name]:
            del self.tokens[token.value]
        for session in self.sessions.values():
            if session.user == user.name:
                session.user = ""

    def become_organization(self, user: User, owner: str) -> Organization:
        """Turn a user into an organization."""
        self._forget_person(user)
        del self.users[user.name]
        found = self.add_organization(user.name, owner, user.email)
        found.repositories, found.robots, found.tag_expiration = user.repositories, user.robots, user.tag_expiration
        found.extra = user.extra
        return found

    def rename_organization(self, found: Organization, name: str) -> None:
        """Give an organization another name; its repositories and robots move along."""
        old = found.name
        for key, value in list(found.repositories.items()):
            self.repositories.pop(value.full_name)
            self.storage.rename(f"{old}/{key}", f"{name}/{key}")
            value.namespace = name
            self.repositories[value.full_name] = value
        for robot in found.robots.values():
            self._rename_robot(robot, f"{name}+{robot.short}")
        for team in found.teams.values():
            team.repositories = {f"{name}/{entry.partition('/')[2]}": None for entry in team.repositories}
            for member in team.members:
                if member in self.users:
                    self.users[member].organizations.pop(old, None)
                    self.users[member].organizations[name] = found
        for application in found.applications.values():
            application.namespace = name
        del self.organizations[old]
        found.name = name
        self.organizations[name] = found

    def _rename_robot(self, robot: Robot, name: str) -> None:
        old, robot.name = robot.name, name
        self.robots[name] = self.robots.pop(old)
        namespace = name.partition("+")[0]
        for full in list(robot.repositories):
            moved = self.repositories.get(f"{namespace}/{full.partition('/')[2]}")
            if moved and old in moved.users:
                moved.users[name] = moved.users.pop(old)
        robot.repositories = {f"{namespace}/{full.partition('/')[2]}": None for full in robot.repositories}
        for organization in self.organizations.values():
            for team in organization.teams.values():
                if old in team.members:
                    team.members = {(name if member == old else member): None for member in team.members}

    # ------------------------------------------------------------ teams, robots

    def join(self, organization: Organization, team: Team, name: str) -> None:
        """Put a user or robot into a team."""
        team.members[name] = None
        if name in self.users:
            self.users[name].organizations[organization.name] = organization

    def leave(self, organization: Organization, team: Team, name: str) -> None:
        """Take a user or robot out of a team."""
        team.members.pop(name, None)
        team.invited.pop(name, None)
        user = self.users.get(name)
        if user and not any(name in other.members for other in organization.teams.values()):
            user.organizations.pop(organization.name, None)

    def delete_team(self, organization: Organization, name: str) -> None:
        """Forget a team with its permissions."""
        team = organization.teams[name]
        for member in list(team.members):
            self.leave(organization, team, member)
        for full in team.repositories:
            if full in self.repositories:
                self.repositories[full].teams.pop(name, None)
        del organization.teams[name]

    def add_robot(self, namespace: User | Organization, short: str, description: str = "", metadata: dict[str, Any] | None = None) -> Robot:
        """A new robot."""
        robot = Robot(f"{namespace.name}+{short}", secret(64), description, dict(metadata or {}))
        with self.lock:
            namespace.robots[short] = robot
            self.robots[robot.name] = robot
        return robot

    def delete_robot(self, robot: Robot) -> None:
        """Forget a robot with its permissions and memberships."""
        owner = self.namespace(robot.namespace)
        if owner:
            owner.robots.pop(robot.short, None)
            if isinstance(owner, Organization):
                for team in owner.teams.values():
                    team.members.pop(robot.name, None)
        for full in robot.repositories:
            if full in self.repositories:
                self.repositories[full].users.pop(robot.name, None)
        self.robots.pop(robot.name, None)

    # ---------------------------------------------------------- repositories

    def add_repository(
        self, namespace: User | Organization, name: str, *, creator: str | None = None, public: bool = False, description: str | None = None
    ) -> Repository:
        """A new repository; its creator becomes admin, default permissions are applied."""
        with self.lock:
            found = Repository(namespace.name, name, public, description)
            namespace.repositories[name] = found
            self.repositories[found.full_name] = found
            self.storage.create(found.full_name)
            if creator and creator != namespace.name:
                self.permit(found, creator, "admin")
            elif creator:
                found.users[creator] = "admin"
            for hook in self.created_hooks:
                hook(found, creator)
        return found

    def adopt(self, full_name: str) -> None:
        """The storage has a new repository: know it. (What a push made is known before its content arrives.)"""
        if full_name in self.repositories:
            return
        name, _slash, rest = full_name.partition("/")
        namespace = self.namespace(name)
        if namespace is None and rest:
            namespace = self.add_organization(name)
        if namespace is not None:
            self.add_repository(namespace, rest, public=not self.options.private_on_push)

    def delete_repository(self, repository: Repository) -> None:
        """Forget a repository with its content."""
        for name in list(repository.users):
            self.forbid(repository, name)
        for name in list(repository.teams):
            self.forbid_team(repository, name)
        for hook in self.deleted_hooks:
            hook(repository)
        self.repositories.pop(repository.full_name, None)
        namespace = self.namespace(repository.namespace)
        if namespace:
            namespace.repositories.pop(repository.name, None)
        self.storage.remove(repository.full_name)

    def permit(self, repository: Repository, name: str, role: str) -> None:
        """Give a user or robot a role on a repository."""
        repository.users[name] = role
        if name in self.robots:
            self.robots[name].repositories[repository.full_name] = None

    def forbid(self, repository: Repository, name: str) -> None:
        """Take it back."""
        repository.users.pop(name, None)
        if name in self.robots:
            self.robots[name].repositories.pop(repository.full_name, None)

    def permit_team(self, repository: Repository, name: str, role: str) -> None:
        """Give a team a role on a repository."""
        repository.teams[name] = role
        self.organizations[repository.namespace].teams[name].repositories[repository.full_name] = None

    def forbid_team(self, repository: Repository, name: str) -> None:
        """Take it back."""
        repository.teams.pop(name, None)
        organization = self.organizations.get(repository.namespace)
        if organization and name in organization.teams:
            organization.teams[name].repositories.pop(repository.full_name, None)

    # ------------------------------------------------------ tokens, sessions

    def add_application(self, namespace: User | Organization, name: str, **values: Any) -> Application:
        """A new OAuth application."""
        application = Application(name, namespace.name, **values)
        with self.lock:
            self.applications[application.client_id] = application
            if isinstance(namespace, Organization):
                namespace.applications[application.client_id] = application
        return application

    def delete_application(self, application: Application) -> None:
        """Forget an application and its tokens."""
        self.applications.pop(application.client_id, None)
        organization = self.organizations.get(application.namespace)
        if organization:
            organization.applications.pop(application.client_id, None)
        for token in [token for token in self.tokens.values() if token.client_id == application.client_id]:
            del self.tokens[token.value]

    def add_token(
        self, user: str, scopes: Iterable[str], *, client_id: str = "", lifetime: float = LONG_LIFETIME, name: str | None = None
    ) -> Token:
        """A new OAuth token."""
        wanted = list(dict.fromkeys(scopes))
        token = Token(secret(40, LETTERS), user, frozenset(wanted), client_id, name, time.time() + lifetime, asked=" ".join(wanted))
        with self.lock:
            self.tokens[token.value] = token
        return token

    def token(self, value: str) -> Token | None:
        """A token that is valid now, of a user who may log in."""
        found = self.tokens.get(value)
        if found is None or found.expires <= time.time():
            return None
        user = self.users.get(found.user)
        return found if user is not None and user.enabled else None

    def new_session(self, user: str = "") -> Session:
        """A new browser session."""
        session = Session(secret(32, LETTERS), secret(64, LETTERS), user, time.time())
        self.sessions[session.number] = session
        return session

    def encrypt(self, user: str) -> str:
        """A word that serves /v2/auth instead of the password."""
        word = base64.b64encode(secret(48).encode()).decode()
        self.encrypted[word] = user
        return word

    # ------------------------------------------------------------------ login

    def login_delay(self, user: str) -> float:
        """Seconds for which logins of a user are refused because of those that failed before."""
        count, last = self.failures.get(user, (0, 0.0))
        if not count:
            return 0.0
        return max(0.0, last + 0.5 * (2**count - 1) - time.monotonic())

    def check_password(self, user: str, password: str) -> bool:
        """Whether a password (or its encrypted form) is right; counts failures."""
        found = self.users.get(user)
        if found is not None and password and (password == found.password or self.encrypted.get(password) == user):
            self.failures.pop(user, None)
            return True
        if found is not None:
            self.failures[user] = (self.failures.get(user, (0, 0.0))[0] + 1, time.monotonic())
        return False

    # ------------------------------------------------------------------ views

    def members(self, organization: Organization) -> Iterator[User]:
        """People in the teams of an organization, each once."""
        seen: dict[str, None] = {}
        for team in organization.teams.values():
            seen.update(team.members)
        return (self.users[name] for name in seen if name in self.users)


def avatar(name: str, kind: str = "user", email: str = "") -> dict[str, Any]:
    """What Quay says of somebody's picture."""
    key = (email or name).lower()
    found = _AVATARS.get(key)
    if found is None:
        digest = hashlib.sha256(key.encode()).hexdigest()
        found = _AVATARS[key] = (digest, COLORS[int(digest[:4], 16) % len(COLORS)])
    return {"name": name, "hash": found[0], "color": found[1], "kind": kind}


_AVATARS: dict[str, tuple[str, str]] = {}


def date(value: float | None) -> str | None:
    """RFC 2822, as Quay writes dates of robots, tags and app tokens."""
    return None if value is None else time.strftime("%a, %d %b %Y %H:%M:%S -0000", time.gmtime(value))


def name_fault(name: str, kind: str = "Namespace") -> str:
    """Why Quay refuses a name of a namespace, team or robot; empty when it does not."""
    if not NAMESPACE.fullmatch(name):
        return NAMESPACE_RULE
    if not 2 <= len(name) <= 255:
        return f"{kind} must be between 2 and 255 characters in length"
    return ""


def password_fault(password: Any) -> str:
    """Why Quay refuses a password; empty when it does not."""
    if not isinstance(password, str) or len(password) < 8 or re.search(r"\s", password):
        return "Invalid password, password must be at least 8 characters and contain no whitespace."
    return ""


def email_ok(email: str) -> bool:
    """Whether Quay takes an address for one."""
    return re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", email) is not None
