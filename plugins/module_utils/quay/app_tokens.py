# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Application-specific tokens: passwords of a user's own for container clients, of no use for the API (Quay API: app tokens)."""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import FORBIDDEN, QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import ACCOUNTS, REGISTRY, Intent, Kind, Object, Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.moments import moment, stamp
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work

# What container clients log in as with any of these tokens
USERNAME = "$app"
_ROUTE = "/api/v1/user/apptoken"
_FEATURE = "APP_SPECIFIC_TOKENS"
_MOST = 255


class Issued(dict[str, Any]):
    """The tokens of one name, in document form: Quay takes the same name any number of times.

    ``expired`` is there, and true, where none of them works any more; ``copies`` where there are several.

    :ivar best: view of the one that lasts longest, the youngest of these.
    :ivar uuids: of all, expired ones too, which Quay lists for another day.
    """

    def __init__(self, views: list[Mapping[str, Any]]) -> None:
        self.best = max(views, key=lambda view: (_end(view), stamp(view.get("created")) or 0.0))
        self.uuids = [str(view["uuid"]) for view in views]
        super().__init__(name=str(self.best["title"]))
        if _end(self.best) <= time.time():
            self["expired"] = True
        if len(views) > 1:
            self["copies"] = len(views)


class AppTokenKind(Kind):
    """Tokens of the user who asks; the key is their name."""

    name = "app_token"
    stage = ACCOUNTS

    def all(self, place: Place) -> Mapping[str, Object]:
        what = "list the app tokens of the user"
        self.quay.capabilities.need(_ROUTE, _FEATURE, what)
        with _explained(what):
            body = self.quay.shared(at("user", "apptoken"), what)
        views: dict[str, list[Mapping[str, Any]]] = {}
        for view in entries(body, "tokens", what, self.quay.name):
            views.setdefault(str(view["title"]), []).append(view)
        return {title: Issued(found) for title, found in views.items()}

    def look(self, place: Place, key: str) -> Object | None:
        self.quay.forget(at("user", "apptoken"))
        return self.all(place).get(key)

    def complete(self, wanted: Object, found: Object | None) -> Object:
        return {**wanted, "expired": False} if found is not None and "expired" in found else wanted

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        answer = self.quay.post(at("user", "apptoken"), {"title": key}, f"make the app token {key}")
        return dict(answer["token"])

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        # an expired token is of no use to anybody; nothing but a new one mends that
        self.delete(place, key, found)
        return self.create(place, key, wanted)

    def delete(self, place: Place, key: str, found: Object) -> None:
        for uuid in cast(Issued, found).uuids:
            self.quay.delete(at("user", "apptoken", uuid), f"delete the app token {key}")

    def view(self, key: str) -> Mapping[str, Any]:
        """A token with its code, which no list shows.

        :raises AirgapError: when it is gone.
        """
        what = f"read the app token {key}"
        found = cast("Issued | None", self.look(REGISTRY, key))
        body = self.quay.find(at("user", "apptoken", str(found.best["uuid"])), what) if found is not None else None
        if body is None:
            raise AirgapError(what, f"on {self.quay.name}", "it is gone", "Somebody else may have deleted it; run the task again.")
        token: Mapping[str, Any] = body["token"]
        return token


def wish(quay: QuayClient, options: Mapping[str, Any]) -> Work:
    """The work of quay_app_token.

    :param options: of the module.
    :raises InputError: for a name that Quay refuses.
    """
    name = options["name"]
    if not name.strip() or len(name) > _MOST:
        raise InputError("name", f"it has {len(name.strip())} characters, and Quay takes 1 to {_MOST}")
    wanted = None if options["state"] == "absent" else {"name": name}
    return Work([Intent(AppTokenKind(quay), REGISTRY, name, wanted)])


def results_of(quay: QuayClient, work: Work, told: Mapping[str, Any], *, show_token: bool, check_mode: bool) -> dict[str, Any]:
    """The results of quay_app_token, with the token itself where it is new or wanted.

    :param work: that was done; ``told``: what the task tells besides.
    """
    (intent,) = work.intents
    kind = cast(AppTokenKind, intent.kind)
    results = {**told, "name": intent.key}
    if intent.wanted is None:
        return results
    results["username"] = USERNAME
    if check_mode and told["changed"]:
        return results
    view: Mapping[str, Any] | None = work.given.get((kind.name, intent.title))
    if view is None and (told["changed"] or show_token) and not check_mode:
        # the answer that held it was lost, or it was there before
        view = kind.view(intent.key)
    if view is None:
        view = cast(Issued, kind.all(REGISTRY)[intent.key]).best
    results["uuid"] = str(view["uuid"])
    results["created"] = moment(view.get("created"))
    results["last_accessed"] = moment(view.get("last_accessed"))
    results["expiration"] = moment(view.get("expiration")) or "never"
    if view.get("token_code"):
        results["token"] = str(view["token_code"])
        results["docker_config"] = docker_config(quay, results["token"])
    return results


def docker_config(quay: QuayClient, code: str) -> dict[str, Any]:
    """What container clients keep of a login, for the name that the Quay gives itself, else the one that it is reached by."""
    host = str(quay.capabilities.setting("SERVER_HOSTNAME") or urlsplit(quay.web).netloc)
    return {"auths": {host: {"auth": base64.b64encode(f"{USERNAME}:{code}".encode()).decode()}}}


def _end(view: Mapping[str, Any]) -> float:
    """When a token ends, in seconds since 1970; for ever counts as the latest."""
    end = stamp(view.get("expiration"))
    return float("inf") if end is None else end


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """Says which scope it takes."""
    try:
        yield
    except QuayError as error:
        if error.code != FORBIDDEN:
            raise
        said = "the token may not do this"
        raise QuayError(what, error.subject, said, "It takes the scope user:admin.", status=error.status, code=error.code) from error
