# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OAuth applications of organizations (Quay API: obtaining tokens)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import ACCOUNTS, Intent, Kind, Object, Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import namespace
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import FORMER, Work

FIELDS = (
    Field("description", description="What it is for."),
    Field("application_uri", description="URL of its home page."),
    Field("redirect_uri", description="What the URLs begin with that Quay may send browsers to with a token."),
    Field("avatar_email", description="E-mail address whose picture it has; an empty text removes it."),
)


def application_name(value: Any) -> str:
    """The name of an application; Quay takes every text.

    :raises ValueError: for none.
    """
    text = str(value).strip()
    if not text:
        raise ValueError("it is empty; an application has a name")
    return text


class Application(dict[str, Any]):
    """An application in document form, with the client_id of each one of its name, oldest first.

    Quay API: nothing keeps a name from being used twice.
    """

    def __init__(self, values: Mapping[str, Any], client_ids: list[str]) -> None:
        self.client_ids = client_ids
        super().__init__(values)


class ApplicationKind(Kind):
    """Applications of an organization; the key is the name. Of several of a name, the oldest is meant.

    The client secret, which Quay shows whenever it is asked, is not among the fields.
    """

    name = "application"
    stage = ACCOUNTS

    def all(self, place: Place) -> Mapping[str, Object]:
        body = self._views(place)
        listed = entries(body, "applications", f"list the applications of {place.namespace}", self.quay.name) if body is not None else []
        found: dict[str, Application] = {}
        for view in listed:
            application = found.setdefault(str(view["name"]), Application(document(view), []))
            application.client_ids.append(str(view["client_id"]))
        return found

    def look(self, place: Place, key: str) -> Object | None:
        self.quay.forget(self._path(place))
        return self.all(place).get(key)

    def warnings(self, place: Place, key: str, wanted: Object, found: Object) -> list[str]:
        client_ids = cast(Application, found).client_ids
        if len(client_ids) < 2:
            return []
        return [
            f"{place.namespace} has {len(client_ids)} applications {key}. Only the oldest is looked after, with the client_id "
            f"{client_ids[0]}; state: absent deletes all of them."
        ]

    def create(self, place: Place, key: str, wanted: Object) -> Mapping[str, Any] | None:
        title = self.title(place, key)
        try:
            made = self.quay.post(self._path(place), _body(key, wanted), f"create the application {title}")
        except QuayError as error:
            if error.status != 404:
                raise
            said, hint = f"there is no organization {place.namespace}", "Users have no applications; check the name."
            raise QuayError(error.action, error.subject, said, hint, status=error.status, code=error.code) from error
        return {name: made[name] for name in ("client_id", "client_secret") if made.get(name)}

    def update(self, place: Place, key: str, wanted: Object, found: Object, changed: frozenset[str]) -> Mapping[str, Any] | None:
        self._put(place, cast(Application, found), _body(key, {**found, **wanted}), f"change the application {self.title(place, key)}")
        return None

    def delete(self, place: Place, key: str, found: Object) -> None:
        for client_id in cast(Application, found).client_ids:
            self.quay.delete(self._path(place, client_id), f"delete the application {self.title(place, key)}")

    def rename(self, place: Place, old: str, new: str) -> None:
        found = self.look(place, old)
        if found is None:
            raise AirgapError("rename", f"the application {self.title(place, old)}", "it is not there any more", transient=True)
        self._put(place, cast(Application, found), _body(new, found), f"rename the application {self.title(place, old)} to {new}")

    def client_id(self, place: Place, key: str) -> str | None:
        """The client_id of an application as far as it was read in this run; None where there is none."""
        found = self.all(place).get(key)
        return None if found is None else cast(Application, found).client_ids[0]

    def secret(self, place: Place, client_id: str) -> str | None:
        """The client secret of an application as it was read in this run; None where Quay does not tell it to us."""
        views = entries(self._views(place), "applications", "read the client secret", self.quay.name)
        found = next((view.get("client_secret") for view in views if view["client_id"] == client_id), None)
        return None if found is None else str(found)

    def reset_secret(self, place: Place, key: str, client_id: str) -> str | None:
        """Give an application another client secret and return it. The old one is void at once; tokens stay valid."""
        what = f"reset the client secret of application {self.title(place, key)}"
        found = self.quay.post(self._path(place, client_id, "resetclientsecret"), {}, what).get("client_secret")
        return None if found is None else str(found)

    def _views(self, place: Place) -> Any:
        return self.quay.shared(self._path(place), f"list the applications of {place.namespace}")

    def _put(self, place: Place, found: Application, body: Mapping[str, Any], what: str) -> None:
        self.quay.put(self._path(place, found.client_ids[0]), body, what)

    def _path(self, place: Place, *parts: str) -> str:
        return at("organization", place.namespace, "applications", *parts)


def document(view: Mapping[str, Any]) -> dict[str, Any]:
    """An application in document form, of Quay's view; without client_id and client_secret."""
    return {field.name: str(view.get(field.name) or "") for field in FIELDS}


def _body(name: str, values: Object) -> dict[str, str]:
    """A whole application: Quay empties what an update leaves out, and takes no null for an e-mail address that is to be removed."""
    body = {field.name: str(values.get(field.name, "")) for field in FIELDS}
    if not body["avatar_email"]:
        del body["avatar_email"]
    return {"name": name, **body}


@dataclass(frozen=True)
class ApplicationWish:
    """The work of quay_application.

    :ivar application: the intent for the application.
    """

    work: Work
    application: Intent
    reset_secret: bool = False
    show_secret: bool = False


def wish(quay: QuayClient, options: Mapping[str, Any]) -> ApplicationWish:
    """What quay_application shall do.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    """
    identity = (
        Field("organization", required=True, normal=namespace),
        Field("name", required=True, normal=application_name),
        Field("new_name", normal=application_name),
    )
    given = canonical(options, (*identity, *FIELDS))
    place, name = Place(given.pop("organization")), str(given.pop("name"))
    target = str(given.pop("new_name", name))
    kind = ApplicationKind(quay)
    if options["state"] == "absent":
        intent = Intent(kind, place, name)
        return ApplicationWish(Work([intent]), intent)
    intent = Intent(kind, place, target, {**given, FORMER: name} if target != name else given)
    return ApplicationWish(Work([intent]), intent, bool(options["reset_secret"]), bool(options["show_secret"]))


def secret_of(wanted: ApplicationWish, told: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The results of quay_application, with the client_id, and with the secret where it is wanted.

    :param told: what the task tells besides.
    """
    intent = wanted.application
    kind, place, key = cast(ApplicationKind, intent.kind), intent.place, intent.key
    results = {**told, "name": key}
    if intent.wanted is None:
        return results
    made = wanted.work.given.get((kind.name, intent.title), {})
    reset = wanted.reset_secret and not made
    results["changed"] = bool(told["changed"] or reset)
    client_id = made.get("client_id") or _client_id(kind, intent)
    if client_id is None:
        # it will be new, and this is check mode
        return results
    results["client_id"] = client_id
    secret = made.get("client_secret")
    if reset and not check_mode:
        secret = kind.reset_secret(place, key, client_id)
    elif not made:
        secret = kind.secret(place, client_id)
    if wanted.show_secret and not (reset and check_mode):
        results["client_secret"] = secret
    return results


def _client_id(kind: ApplicationKind, intent: Intent) -> str | None:
    former = str((intent.wanted or {}).get(FORMER, ""))
    found = kind.client_id(intent.place, intent.key)
    return found if found or not former else kind.client_id(intent.place, former)
