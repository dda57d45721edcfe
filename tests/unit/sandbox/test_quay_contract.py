# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox Quay answers as real Quays did: what was recorded of those is asked again, and every answer compared.

What is not reproduced is named below with its reason. A name has to go as soon as the sandbox does answer like that.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quayside.airgap.tests.sandbox.quay.discovery import describe
from ansible_collections.quayside.airgap.tests.sandbox.quay.options import QuayOptions
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Route, Router
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import families
from ansible_collections.quayside.airgap.tests.support.quay_recordings import FOLDER, Exchange, Names, differences, stories
from ansible_collections.quayside.airgap.tests.support.quay_replay import Replay, upstream

CLIENT = Path(__file__).resolve().parents[3] / "plugins" / "module_utils" / "quay"
OLD, NEW = "3.8", "3.18"

# Reason -> recording -> numbers of the exchanges that the sandbox answers otherwise.
NOT_REPRODUCED: dict[str, dict[str, str]] = {
    "nothing asks for logs, keys, the configuration, searches, or the user's notifications and authorizations": {
        "01_initialize": "15",
        "02_users_tokens_oauth": "82",
        "04_robots": "77",
        "06b_v2_listing": "25-27",
        "08_mirror": "84",
        "13_superuser": "49-50 53",
        "15_health_version_errors": "34",
        "16_scopes": "306-313",
        "17_config_variants": "100",
        "22_initialize_to_long_lived_token": "8",
        "quay-2023-01__01_initialize": "15",
        "quay-2023-01__04_robots": "77",
        "quay-2023-01__06b_v2_listing": "25-27",
        "quay-2023-01__13_superuser": "49-50",
    },
    "the bootstrap token is a file on the machine of the Quay": {"17_config_variants": "93-99 104-105"},
    "users are in the database here, never elsewhere": {"01b_initialize_variants": "9"},
    "nobody is invited to a team by e-mail": {"17_config_variants": "88"},
    "no worker is seen at work, and nothing is pulled through a proxy cache": {"07_proxycache": "36", "08_mirror": "78"},
    "robots come in the order of a database": {"04_robots": "32", "quay-2023-01__04_robots": "32"},
    "repositories that are being deleted still count": {"18_more": "28"},
    "the notifications were made by hand between two recordings": {"16_scopes": "236 241"},
}

# What plugins/module_utils/quay asks for.
ASKED = {
    "/config": "GET",
    "/csrf_token": "GET",
    "/oauth/authorizeapp": "POST",
    "/api/v1/discovery": "GET",
    "/api/v1/messages": "GET POST",
    "/api/v1/message/{uuid}": "DELETE",
    "/api/v1/signin": "POST",
    "/api/v1/user/initialize": "POST",
    "/api/v1/user/": "GET",
    "/api/v1/user/apptoken": "GET POST",
    "/api/v1/user/apptoken/{token_uuid}": "GET DELETE",
    "/api/v1/user/autoprunepolicy/": "GET POST",
    "/api/v1/user/autoprunepolicy/{policy_uuid}": "PUT DELETE",
    "/api/v1/user/robots": "GET",
    "/api/v1/user/robots/{robot_shortname}": "GET PUT DELETE",
    "/api/v1/user/robots/{robot_shortname}/regenerate": "POST",
    "/api/v1/user/robots/{robot_shortname}/permissions": "GET",
    "/api/v1/user/robots/{robot_shortname}/federation": "GET POST",
    "/api/v1/user/starred": "POST",
    "/api/v1/user/starred/{repository}": "DELETE",
    "/api/v1/users/{username}": "GET",
    "/api/v1/superuser/organizations/": "GET",
    "/api/v1/superuser/organizations/{name}": "PUT",
    "/api/v1/superuser/organization/{namespace}/quota": "GET POST",
    "/api/v1/superuser/organization/{namespace}/quota/{quota_id}": "PUT DELETE",
    "/api/v1/superuser/takeownership/{namespace}": "POST",
    "/api/v1/superuser/users/": "GET POST",
    "/api/v1/superuser/users/{username}": "GET PUT DELETE",
    "/api/v1/superuser/users/{namespace}/quota": "GET POST",
    "/api/v1/superuser/users/{namespace}/quota/{quota_id}": "PUT DELETE",
    "/api/v1/organization/": "POST",
    "/api/v1/organization/{orgname}": "GET PUT DELETE",
    "/api/v1/organization/{orgname}/members": "GET",
    "/api/v1/organization/{orgname}/applications": "GET POST",
    "/api/v1/organization/{orgname}/applications/{client_id}": "PUT DELETE",
    "/api/v1/organization/{orgname}/applications/{client_id}/resetclientsecret": "POST",
    "/api/v1/organization/{orgname}/applications/{client_id}/tokens": "POST",
    "/api/v1/organization/{orgname}/autoprunepolicy/": "GET POST",
    "/api/v1/organization/{orgname}/autoprunepolicy/{policy_uuid}": "PUT DELETE",
    "/api/v1/organization/{orgname}/immutabilitypolicy/": "GET POST",
    "/api/v1/organization/{orgname}/immutabilitypolicy/{policy_uuid}": "PUT DELETE",
    "/api/v1/organization/{orgname}/mirror": "GET POST PUT DELETE",
    "/api/v1/organization/{orgname}/mirror/verify": "POST",
    "/api/v1/organization/{orgname}/mirror/sync-now": "POST",
    "/api/v1/organization/{orgname}/mirror/sync-cancel": "POST",
    "/api/v1/organization/{orgname}/prototypes": "GET POST",
    "/api/v1/organization/{orgname}/prototypes/{prototypeid}": "PUT DELETE",
    "/api/v1/organization/{orgname}/proxycache": "GET POST DELETE",
    "/api/v1/organization/{orgname}/validateproxycache": "POST",
    "/api/v1/organization/{orgname}/quota": "GET POST",
    "/api/v1/organization/{orgname}/quota/{quota_id}": "PUT DELETE",
    "/api/v1/organization/{orgname}/quota/{quota_id}/limit": "POST",
    "/api/v1/organization/{orgname}/quota/{quota_id}/limit/{limit_id}": "PUT DELETE",
    "/api/v1/organization/{orgname}/robots": "GET",
    "/api/v1/organization/{orgname}/robots/{robot_shortname}": "GET PUT DELETE",
    "/api/v1/organization/{orgname}/robots/{robot_shortname}/regenerate": "POST",
    "/api/v1/organization/{orgname}/robots/{robot_shortname}/permissions": "GET",
    "/api/v1/organization/{orgname}/robots/{robot_shortname}/federation": "GET POST",
    "/api/v1/organization/{orgname}/team/{teamname}": "PUT DELETE",
    "/api/v1/organization/{orgname}/team/{teamname}/members": "GET",
    "/api/v1/organization/{orgname}/team/{teamname}/members/{membername}": "PUT DELETE",
    "/api/v1/organization/{orgname}/team/{teamname}/syncing": "POST DELETE",
    "/api/v1/repository": "GET POST",
    "/api/v1/repository/{repository}": "GET PUT DELETE",
    "/api/v1/repository/{repository}/changevisibility": "POST",
    "/api/v1/repository/{repository}/changestate": "PUT",
    "/api/v1/repository/{repository}/autoprunepolicy/": "GET POST",
    "/api/v1/repository/{repository}/autoprunepolicy/{policy_uuid}": "PUT DELETE",
    "/api/v1/repository/{repository}/immutabilitypolicy/": "GET POST",
    "/api/v1/repository/{repository}/immutabilitypolicy/{policy_uuid}": "PUT DELETE",
    "/api/v1/repository/{repository}/manifest/{manifestref}": "GET",
    "/api/v1/repository/{repository}/manifest/{manifestref}/labels": "GET",
    "/api/v1/repository/{repository}/manifest/{manifestref}/pull_statistics": "GET",
    "/api/v1/repository/{repository}/manifest/{manifestref}/security": "GET",
    "/api/v1/repository/{repository}/mirror": "GET POST PUT",
    "/api/v1/repository/{repository}/mirror/sync-now": "POST",
    "/api/v1/repository/{repository}/mirror/sync-cancel": "POST",
    "/api/v1/repository/{repository}/notification/": "GET POST",
    "/api/v1/repository/{repository}/notification/{uuid}": "POST DELETE",
    "/api/v1/repository/{repository}/notification/{uuid}/test": "POST",
    "/api/v1/repository/{repository}/permissions/user/": "GET",
    "/api/v1/repository/{repository}/permissions/user/{username}": "PUT DELETE",
    "/api/v1/repository/{repository}/permissions/team/": "GET",
    "/api/v1/repository/{repository}/permissions/team/{teamname}": "PUT DELETE",
    "/api/v1/repository/{repository}/tag/": "GET",
    "/api/v1/repository/{repository}/tag/{tag}": "PUT DELETE",
    "/api/v1/repository/{repository}/tag/{tag}/pull_statistics": "GET",
    "/api/v1/repository/{repository}/tag/{tag}/restore": "POST",
}
# Of that, what no Quay was asked while it was recorded: it needs LDAP, a scanner, and statistics switched on.
NEVER_RECORDED = {
    "POST /api/v1/organization/{orgname}/team/{teamname}/syncing",
    "DELETE /api/v1/organization/{orgname}/team/{teamname}/syncing",
    "GET /api/v1/repository/{repository}/manifest/{manifestref}/pull_statistics",
    "GET /api/v1/repository/{repository}/manifest/{manifestref}/security",
    "GET /api/v1/repository/{repository}/tag/{tag}/pull_statistics",
}
# Definitions of which Quay has several under one name, and shows one that is none of the sandbox's.
AMBIGUOUS = {"NewToken"}


def exceptions() -> dict[str, str]:
    """Name of an exchange -> why it is not reproduced."""
    found: dict[str, str] = {}
    for reason, places in NOT_REPRODUCED.items():
        for recording, numbers in places.items():
            for part in numbers.split():
                first, _dash, last = part.partition("-")
                found.update({f"{recording}:{number}": reason for number in range(int(first), int(last or first) + 1)})
    return found


STORIES = stories()
ROUTES: list[Route] = [route for family in families() for route in family.ROUTES.routes]


@pytest.mark.parametrize("story", STORIES)
def test_it_answers_as_a_real_quay_did(story: str) -> None:
    lines = STORIES[story]
    with upstream() as other:
        replay = Replay(OLD if story.startswith("quay-2023") else NEW, other)
        replay.play(lines)
    assert replay.compared
    known = exceptions()
    told = {line.name: str(line) for line in lines}
    report = [f"{told[name]}: {'; '.join(found)}" for name, found in replay.differing.items() if name not in known]
    assert not report, "\n".join(report)
    named = [name for name in known if name in told and name not in replay.differing]
    assert not named, f"these are reproduced, take their names off the list: {', '.join(named)}"


def test_what_is_not_reproduced_was_recorded() -> None:
    asked = {line.name for lines in STORIES.values() for line in lines if line.call}
    assert sorted(set(exceptions()) - asked) == []


@pytest.mark.parametrize(
    ("recorded", "seen", "difference"),
    [
        ({"a": 1}, {"a": 1}, ""),
        ({"a": 1}, {}, "answer lacks a"),
        ({}, {"a": 1}, "answer has a besides"),
        ({"a": "x"}, {"a": None}, "answer.a is None, was 'x'"),
        ({"a": None}, {"a": ""}, "answer.a is '', was None"),
        (True, 1, "answer is 1, was True"),
        ("#", 5, ""),
        ("#", "5", "answer is '5', was a number"),
        ("no * here", "no robot here", ""),
        ("no * here", "no robot there", "answer is 'no robot there', was 'no * here'"),
        ("http://<host>/x", "http://127.0.0.1:5/x", ""),
        ("http://<host>/x", "http://127.0.0.1:6/x", "answer is 'http://127.0.0.1:6/x', was 'http://<host>/x'"),
        ([{"a": "x"}, {"a": "y"}], [{"a": "y"}, {"a": "x"}], ""),
        ([{"a": "x"}], [], "answer has 0 entries, had 1"),
        ([{"a": "x"}, "..."], [{"a": "y"}, {"a": "z"}], ""),
        ([{"a": "x"}, "..."], [{"a": 1}], "answer lacks entries like {a: str}, answer has entries like {a: number} besides"),
        ({"*": True}, {"sha256:1": True, "sha256:2": True}, ""),
        ("**", [1], ""),
    ],
)
def test_a_difference_is_seen(recorded: Any, seen: Any, difference: str) -> None:
    assert ", ".join(differences(recorded, seen, Names({"host": "127.0.0.1:5"}), "answer")) == difference


def test_a_value_that_a_server_made_up_is_known_from_then_on() -> None:
    names = Names()
    assert not list(differences({"id": "<quota-1>"}, {"id": 7}, names, "answer"))
    assert names.put({"path": "/quota/<quota-1>"}) == {"path": "/quota/7"}
    assert list(differences("<quota-1>", 8, names, "answer")) == ["answer is 8, was '<quota-1>'"]


# ----------------------------------------------------------------- coverage


def operation(router: Router, line: Exchange) -> str:
    """The operation that a recorded request asked for, empty for what is none."""
    method, _space, path = line.call.partition("?")[0].partition(" ")
    route = router.find(method, path)[0] if method else None
    return f"{route.method} {route.swagger_path}" if route else ""


def test_everything_that_the_client_asks_for_is_compared() -> None:
    router = Router(ROUTES, QuayOptions(version=NEW, features={"TEAM_SYNCING": True}))
    known = exceptions()
    compared = {operation(router, line) for lines in STORIES.values() for line in lines if line.name not in known}
    asked = {f"{method} {path}" for path, methods in ASKED.items() for method in methods.split()}
    assert sorted(asked - compared - NEVER_RECORDED) == [], "no recorded request asks for them, or the sandbox does not know them"
    assert sorted(NEVER_RECORDED & compared) == [], "they were recorded"


def words(path: Path) -> Iterator[str]:
    """Parts of paths in the source of the client: what `at` and `_path` are given, and what follows a slash in a text with values."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        parts: list[Any] = []
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in ("at", "_path", "api"):
            parts = node.args
        elif isinstance(node, ast.JoinedStr):
            parts = [value for value in node.values if isinstance(value, ast.Constant) and str(value.value).startswith("/")]
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "route":
            parts = [node.value]
        for part in parts:
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield from re.findall(r"(?:^|(?<=/))[a-z][a-z_-]+(?=/|$)", part.value)


def test_the_list_of_what_the_client_asks_for_is_complete() -> None:
    listed = {part for path in ASKED for part in path.split("/")}
    sources = {word: path.name for path in sorted(CLIENT.glob("*.py")) for word in words(path)}
    assert len(sources) > 30
    assert {word: name for word, name in sources.items() if word not in listed} == {"localapp": "tokens.py"}


# ---------------------------------------------------------------- discovery


def test_it_describes_itself_as_a_real_quay_does() -> None:
    real = json.loads((FOLDER.parent / "discovery.json").read_text(encoding="utf-8"))
    routes = [route for route in Router(ROUTES, QuayOptions(version=NEW)).routes if not route.internal]
    own = describe(routes, QuayOptions(version=NEW), "localhost")
    methods = {path: {name.upper() for name in entry if name in ("get", "post", "put", "delete")} for path, entry in own["paths"].items()}
    more = {path: found - set(real["paths"].get(path, ())) for path, found in methods.items()}
    assert {path: found for path, found in more.items() if found} == {}
    compared = {name: found for name, found in own["definitions"].items() if name in real["definitions"] and name not in AMBIGUOUS}
    assert len(compared) > 20
    for name, found in compared.items():
        seen = {"required": sorted(found.get("required", [])), "properties": sorted(found.get("properties", {}))}
        assert (name, seen) == (name, real["definitions"][name])
