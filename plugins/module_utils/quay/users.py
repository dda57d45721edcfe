# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users of the registry, as superusers manage them (Quay API: superuser)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.plan import CREATED
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import FORBIDDEN, QuayError, superusers_only
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import (
    ORGANIZATION,
    REGISTRY,
    Intent,
    Kind,
    Object,
    Place,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import user
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work
from ansible_collections.quayside.airgap.plugins.module_utils.quay.upstreams import ALWAYS, ON_CREATE

# From so many users on, the list of all of them is cheaper than asking for each
_WORTH_LISTING = 3
_ALL = "users of the registry"
# More than 100 in a page are refused. Without a limit all come in one answer, for which Quay counts everybody's quota: too slow for
# the gateway before it where there are thousands.
_PAGE = 100
# Mark of a user that this run makes with a password: until that is set, it differs from what is wanted
_NEW = "new user "

_LEAST_PASSWORD = 8


def password(value: Any) -> str:
    """A password as Quay takes it.

    :raises ValueError: with the rule; the password is not in it.
    """
    text = str(value)
    if len(text) < _LEAST_PASSWORD or re.search(r"\s", text):
        raise ValueError(f"a password has at least {_LEAST_PASSWORD} characters and no white space")
    return text


def email(value: Any) -> str:
    """An e-mail address.

    Quay stores any text where it sends no mail, but shows an id where there is no address, so that other texts cannot be compared.

    :raises ValueError: for what is none.
    """
    text = str(value).strip()
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise ValueError(f"'{text}' is no e-mail address" if text else "a user's address cannot be removed, only changed")
    return text


FIELDS = (
    Field("email", normal=email, description="E-mail address; Quay demands one if it sends mail."),
    Field("password", secret=True, normal=password, description="At least 8 characters without white space; never exported."),
    Field("enabled", "bool", description="Whether the user may log in, pull and push."),
    Field(
        "update_credentials",
        choices=(ON_CREATE, ALWAYS),
        default=ON_CREATE,
        description="Quay does not give passwords back: set it when the user is made (on_create), or every time (always).",
    ),
)
# Written into the config.yaml of Quay, which takes effect when it starts again: nothing that a document could ask for
SUPERUSER = Field("superuser", "bool")


class UserKind(Kind):
    """Users, people that is; the key is the name. Superusers stay as they are: Quay neither changes nor deletes them."""

    name = "user"
    stage = ORGANIZATION
    write_only = frozenset({"password", "update_credentials"})
    lazy = True

    def prepare(self, places: Mapping[Place, Sequence[str]]) -> None:
        if sum(len(keys) for keys in places.values()) > _WORTH_LISTING and not self.quay.anonymous:
            try:
                self.views()
            except QuayError as error:
                # said of each user, then, and of nothing else
                if error.code != FORBIDDEN:
                    raise

    def all(self, place: Place) -> Mapping[str, Object]:
        """Every user; each is read when it is asked for, as long as nobody has asked for all."""
        return Users(self)

    def look(self, place: Place, key: str) -> Object | None:
        self.quay.forget(_path(key))
        self.quay.forget(_ALL)
        return self.read(key)

    def read(self, key: str) -> Object | None:
        """One user in document form, shared within the run; None where there is none.

        :raises QuayError: for everybody but superusers.
        """
        listed = self.quay.peek(_ALL)
        if listed is not None:
            view = listed.get(key)
        else:
            what = f"read the user {key}"
            # whether there is one, strangers may ask too: enough to foretell what a Quay without users gets
            if self.quay.anonymous and self.quay.shared(at("users", key), what) is None:
                return None
            with superusers_only(self.quay.name, what):
                view = self.quay.shared(_path(key), what)
        return None if view is None else document(view)

    def views(self) -> Mapping[str, Mapping[str, Any]]:
        """Quay's views of all users by name, those that are disabled too; read once in a run.

        :raises QuayError: for everybody but superusers.
        """
        found: Mapping[str, Mapping[str, Any]] = self.quay.once(_ALL, self._views)
        return found

    def _views(self) -> Mapping[str, Mapping[str, Any]]:
        what = "list all users"
        with superusers_only(self.quay.name, what):
            found = self.quay.pages(at("superuser", "users", ""), what, "users", {"limit": _PAGE})
            return {str(view["username"]): view for view in found}

    # --- comparing

    def differing(self, wanted: Object, found: Object) -> frozenset[str]:
        changed = super().differing(wanted, found)
        if "password" in wanted and (wanted.get("update_credentials") == ALWAYS or self._unset(found)):
            changed |= {"password"}
        return changed

    def check(self, place: Place, key: str, wanted: Object) -> None:
        found = self.read(key)
        if found is not None and found["superuser"]:
            raise _untouchable(self.quay, "change", key)

    def check_deletion(self, place: Place, key: str, found: Object) -> None:
        if found["superuser"]:
            raise _untouchable(self.quay, "delete", key)

    def warnings(self, place: Place, key: str, wanted: Object, found: Object) -> list[str]:
        if wanted.get("superuser") and not found["superuser"]:
            return [f"Quay takes {key} for a superuser when it is started again. Until then this is a change with every run."]
        return []

    def protected(self, place: Place, key: str, found: Object) -> bool:
        # whoever asks is among them
        return bool(found["superuser"])

    def _unset(self, found: Object) -> bool:
        return self.quay.peek(f"{_NEW}{found['name']}") is not None

    def shown(self, values: Object) -> dict[str, Any]:
        return {name: value for name, value in super().shown(values).items() if name != "name"}

    # --- writing

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        """Make the user, with a password of Quay's, and then give it what it takes only later.

        :returns: ``password``: the one that Quay made up, where no other was set; ``warning``.
        """
        if "password" in wanted:
            self.quay.once(f"{_NEW}{key}", lambda: True)
        body = {"username": key}
        if wanted.get("email"):
            body["email"] = wanted["email"]
        given: dict[str, Any] = {}
        try:
            made = self.quay.post(at("superuser", "users", ""), body, f"create the user {key}")
            if "password" not in wanted:
                given["password"] = str(made["password"])
        except QuayError as error:
            if error.says("username is not available"):
                error.hint = "A user or organization of this name was deleted; Quay gives the name away again when it has cleared that up."
            # Quay API: it makes the user before it sends the letter
            if not error.says("could not send email") or self.look(place, key) is None:
                raise
            given["warning"] = f"Quay has made the user {key}, but could not send the letter that confirms the e-mail address."
        plain = {"enabled": True, "superuser": False, "password": None}
        rest = frozenset(name for name, value in plain.items() if wanted.get(name, value) != value)
        if rest:
            self.update(place, key, wanted, {}, rest)
        return given

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        try:
            self.quay.put(_path(key), {name: wanted[name] for name in sorted(changed)}, f"update the user {key}")
        except AirgapError as error:
            if self.quay.peek(f"{_NEW}{key}") is not None:
                error.hint = "The user is there now, but without this password: run the task again with update_credentials=always."
            raise
        return None

    def delete(self, place: Place, key: str, found: Object) -> None:
        self.quay.delete(_path(key), f"delete the user {key}")


class Users(Mapping[str, Object]):
    """The users of a registry by name, each read when it is asked for."""

    def __init__(self, kind: UserKind) -> None:
        self._kind = kind

    def __getitem__(self, key: str) -> Object:
        found = self._kind.read(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._kind.views()))

    def __len__(self) -> int:
        return len(self._kind.views())


def document(view: Mapping[str, Any]) -> dict[str, Any]:
    """A user in document form, of Quay's view for superusers."""
    found = {
        "name": str(view["username"]),
        "enabled": bool(view.get("enabled", True)),
        "superuser": bool(view.get("super_user", False)),
    }
    # where there is no address, Quay shows a random UUID
    if "@" in str(view.get("email") or ""):
        found["email"] = str(view["email"])
    return found


def wish(quay: QuayClient, options: Mapping[str, Any]) -> Work:
    """The work of quay_user.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    """
    given = canonical(options, (Field("username", required=True, normal=user), *FIELDS, SUPERUSER))
    key = str(given.pop("username"))
    kind = UserKind(quay)
    if options["state"] == "absent":
        return Work([Intent(kind, REGISTRY, key)])
    if given.get("update_credentials") == ALWAYS and "password" not in given:
        raise InputError("update_credentials", "it is 'always', but there is no password to set", "Give password.")
    return Work([Intent(kind, REGISTRY, key, given)])


def results(work: Work, told: Mapping[str, Any], options: Mapping[str, Any], *, check_mode: bool) -> tuple[dict[str, Any], list[str]]:
    """The results of quay_user, with the password that Quay made up where it is wanted and no other was set; and warnings.

    :param told: what the task tells besides.
    :param options: of the module.
    """
    name = str(options["username"])
    given = work.given.get((UserKind.name, name), {})
    found = {**told, "username": name}
    warnings = []
    made = not check_mode and any(entry["state"] == CREATED for entry in told["objects"])
    if made and options["show_password"] and options["password"] is None:
        if "password" in given:
            found["password"] = given["password"]
        else:
            warnings.append(f"The password that Quay made up for {name} is not known, since its answer did not arrive. Set another one.")
    return found, warnings


def _path(name: str) -> str:
    return at("superuser", "users", name)


def _untouchable(quay: QuayClient, verb: str, name: str) -> AirgapError:
    return AirgapError(
        f"{verb} the user {name}",
        f"on {quay.name}",
        "it is a superuser, and Quay lets nobody change or delete superusers",
        "Take the name from SUPER_USERS in its config.yaml first.",
    )
