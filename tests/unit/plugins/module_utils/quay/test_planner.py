# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From wishes to a plan, and what becomes of it: order, failures that stay where they are, and nothing done twice or unasked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError
from ansible_collections.quayside.airgap.plugins.module_utils.core.plan import (
    CREATED,
    DELETED,
    FAILED,
    NOT_ATTEMPTED,
    UNCHANGED,
    UPDATED,
    Outcome,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, QuayOptions
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import READ_ONLY, QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import Intent, Kind, Place, Purge
from ansible_collections.quayside.airgap.plugins.module_utils.quay.organizations import OrganizationKind
from ansible_collections.quayside.airgap.plugins.module_utils.quay.permissions import PermissionsKind
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import FORMER, Work, hopeless, run
from ansible_collections.quayside.airgap.plugins.module_utils.quay.repositories import RepositoryKind
from ansible_collections.quayside.airgap.plugins.module_utils.quay.robots import RobotKind
from ansible_collections.quayside.airgap.plugins.module_utils.quay.teams import TeamKind, TeamMembersKind
from ansible_collections.quayside.airgap.plugins.module_utils.quay.users import UserKind
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay

ADMIN = "quayadmin"
ROBOTS = "/organization/prod/robots/"
# The order of creation, and how a write of each stage is known; the first that fits counts
STAGES = {4: "/permissions/", 3: "repository$", 2: "/members/", 1: "/robots/|/team/", 0: "organization/$"}


@dataclass(frozen=True)
class Wish:
    """What is wanted of one object; ``place`` is written as ``prod`` or ``prod/app``."""

    kind: type[Kind]
    place: str
    key: str
    wanted: Mapping[str, Any] | None

    def intent(self, kind: Kind) -> Intent:
        return Intent(kind, place_of(self.place), self.key, self.wanted)


@dataclass(frozen=True)
class Ran:
    """What became of all wishes."""

    outcomes: Sequence[Outcome]
    work: Work

    @property
    def states(self) -> dict[str, str]:
        return {f"{outcome.kind} {outcome.name}": outcome.state for outcome in self.outcomes}

    def of(self, name: str) -> Outcome:
        """The outcome of ``kind name``."""
        return next(outcome for outcome in self.outcomes if f"{outcome.kind} {outcome.name}" == name)


def place_of(path: str) -> Place:
    namespace, _slash, repository = path.partition("/")
    return Place(namespace, repository)


def organization(name: str, **wanted: Any) -> Wish:
    return Wish(OrganizationKind, "", name, wanted)


def robot(name: str, **wanted: Any) -> Wish:
    return Wish(RobotKind, name.partition("+")[0], name.partition("+")[2], wanted)


def team(place: str, name: str, **wanted: Any) -> Wish:
    return Wish(TeamKind, place, name, wanted)


def members(place: str, name: str, *names: str) -> Wish:
    return Wish(TeamMembersKind, place, name, {"members": sorted(names), "append": True})


def repository(path: str, **wanted: Any) -> Wish:
    return Wish(RepositoryKind, path.partition("/")[0], path.partition("/")[2], wanted)


def readers(path: str, *names: str) -> Wish:
    return Wish(PermissionsKind, path, "", {"append": True, "user": dict.fromkeys(names, "read")})


def absent(wish: Wish) -> Wish:
    return Wish(wish.kind, wish.place, wish.key, None)


def production(name: str = "prod") -> list[Wish]:
    """An organization with something on every stage, written down from the last to the first."""
    return [
        readers(f"{name}/app", "alice", f"{name}+ci"),
        repository(f"{name}/app"),
        members(name, "crew", "alice", f"{name}+ci"),
        team(name, "crew", role="creator"),
        robot(f"{name}+ci"),
        organization(name, email=f"{name}@example.com"),
    ]


@pytest.fixture
def quay() -> Iterator[SandboxQuay]:
    """A Quay with a superuser and an ordinary user, and nothing else."""
    with SandboxQuay() as server:
        server.add_user(ADMIN, superuser=True)
        server.add_user("alice")
        yield server


def carry(
    quay: SandboxQuay,
    wishes: Sequence[Wish],
    purge: Sequence[tuple[type[Kind], str, Sequence[str]]] = (),
    *,
    check: bool = False,
    token: str = "",
    **options: Any,
) -> Ran:
    """Plan and carry out what is wished, as the superuser; the log of the server begins here.

    :param purge: kind, place, and what is kept there.
    """
    quay.reset_log()
    settings: dict[str, Any] = {"retries": 0, **options}
    with QuayClient(QuayOptions(quay.url, token=token or quay.token(ADMIN), **settings)) as client:
        kinds = {kind: kind(client) for kind in [*(wish.kind for wish in wishes), *(entry[0] for entry in purge)]}
        purges = [Purge(kinds[kind], place_of(place), frozenset(keep)) for kind, place, keep in purge]
        work = Work([wish.intent(kinds[wish.kind]) for wish in wishes], purges)
        return Ran(run(client, work, check_mode=check), work)


def paths(quay: SandboxQuay, *methods: str) -> list[str]:
    """Requests with a token in their order, as ``METHOD path``; all writes if no method is named."""
    found = quay.select(lambda request: request.method in (methods or ("POST", "PUT", "DELETE")) and request.auth == "bearer")
    return [f"{request.method} {request.path.removeprefix('/api/v1/')}" for request in found]


def stage(path: str) -> int:
    """Where a write belongs in the order of creation."""
    return next(number for number, word in STAGES.items() if re.search(word, path))


# ------------------------------------------------------------------- order


def test_what_is_needed_is_created_first_whatever_the_order_of_the_wishes(quay: SandboxQuay) -> None:
    ran = carry(quay, production())
    assert set(ran.states.values()) == {CREATED}
    assert [f"{outcome.kind} {outcome.name}" for outcome in ran.outcomes][-1] == "organization prod"
    made = [stage(path) for path in paths(quay)]
    assert (made, len(made)) == (sorted(made), 8)


def test_a_second_run_leaves_everything_as_it_is(quay: SandboxQuay) -> None:
    carry(quay, production())
    again = carry(quay, production())
    assert set(again.states.values()) == {UNCHANGED}
    assert paths(quay) == []


def test_deleting_goes_the_other_way_round_and_before_creating(quay: SandboxQuay) -> None:
    carry(quay, production())
    wishes = [robot("prod+new"), absent(robot("prod+ci")), absent(team("prod", "crew")), absent(repository("prod/app"))]
    ran = carry(quay, wishes)
    assert ran.states == {
        "robot prod+new": CREATED,
        "robot prod+ci": DELETED,
        "team prod/crew": DELETED,
        "repository prod/app": DELETED,
    }
    made = paths(quay)
    assert (made[0], made[-1]) == ("DELETE repository/prod/app", "PUT organization/prod/robots/new")
    assert sorted(made[1:3]) == ["DELETE organization/prod/robots/ci", "DELETE organization/prod/team/crew"]


def test_users_are_there_before_any_organization_is_touched(quay: SandboxQuay) -> None:
    users = [Wish(UserKind, "", name, {}) for name in ("bob", "carol")]
    ran = carry(quay, [*production(), *production("test"), members("prod", "crew", "bob"), *users])
    assert set(ran.states.values()) == {CREATED}
    assert paths(quay)[:2] == ["POST superuser/users/"] * 2


# ---------------------------------------------------------------- failures


def test_a_failure_takes_only_what_needs_it_along(quay: SandboxQuay) -> None:
    quay.faults.append(Fault("PUT", "/organization/prod/robots/ci", "status", status=400, times=None))
    ran = carry(quay, [*production(), *production("test")])
    assert {name: state for name, state in ran.states.items() if state != CREATED} == {
        "robot prod+ci": FAILED,
        "team_members prod/crew": NOT_ATTEMPTED,
        "permissions prod/app": NOT_ATTEMPTED,
    }
    assert ran.of("robot prod+ci").reason.startswith("Could not create the robot prod+ci on ")
    assert ran.of("team_members prod/crew").reason == "it needs robot prod+ci, which failed"
    quay.faults.clear()
    assert set(carry(quay, [*production(), *production("test")]).states.values()) == {CREATED, UPDATED, UNCHANGED}
    assert set(carry(quay, [*production(), *production("test")]).states.values()) == {UNCHANGED}


def test_nothing_is_tried_in_an_organization_that_could_not_be_made(quay: SandboxQuay) -> None:
    # the name is a user's, which only Quay itself says
    ran = carry(quay, [*production("alice"), *production("test")])
    inside = [outcome for outcome in ran.outcomes if outcome.name.startswith("alice") and outcome.kind != "organization"]
    assert "already exists" in ran.of("organization alice").reason
    assert {(outcome.state, outcome.reason) for outcome in inside} == {(NOT_ATTEMPTED, "it needs organization alice, which failed")}
    assert [path for path in paths(quay) if re.search("(organization|repository)/alice/", path)] == []
    assert {state for name, state in ran.states.items() if "test" in name} == {CREATED}


def test_what_cannot_be_read_is_not_guessed(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner=ADMIN)
    quay.add_organization("mine", owner="alice")
    wishes = [*production(), organization("mine", email="mine@example.com"), team("mine", "crew")]
    ran = carry(quay, wishes, [(RobotKind, "prod", [])], token=quay.token("alice"))
    assert "alice is no administrator of it" in ran.of("organization prod").reason
    assert {outcome.reason for outcome in ran.outcomes if outcome.state == NOT_ATTEMPTED} == {"it needs organization prod, which failed"}
    assert [name for name, state in ran.states.items() if state in (CREATED, UPDATED)] == ["organization mine", "team mine/crew"]
    assert all("/prod" not in path for path in paths(quay))


def test_a_list_that_fails_is_told_for_each_object(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner=ADMIN)
    quay.faults.append(Fault("GET", f"{ROBOTS[:-1]}\\?", "status", status=500, times=None))
    ran = carry(quay, [robot("prod+a1"), robot("prod+a2"), team("prod", "crew")], [(RobotKind, "prod", [])])
    assert ran.states == {"robot prod+a1": FAILED, "robot prod+a2": FAILED, "team prod/crew": CREATED}
    assert "Quay failed with an internal error" in ran.of("robot prod+a1").reason


@pytest.mark.parametrize("check", [False, True])
def test_a_place_that_is_not_there_is_told_before_anything_is_tried(quay: SandboxQuay, check: bool) -> None:
    quay.add_organization("prod", owner=ADMIN)
    ran = carry(quay, [robot("nowhere+ci"), repository("nothing/app"), robot("prod+ci")], check=check)
    assert ran.states == {"robot nowhere+ci": FAILED, "repository nothing/app": FAILED, "robot prod+ci": CREATED}
    assert "there is no organization or user nowhere" in ran.of("robot nowhere+ci").reason
    assert "there is no organization or user nothing" in ran.of("repository nothing/app").reason
    assert paths(quay) == ([] if check else ["PUT organization/prod/robots/ci"])


@pytest.mark.parametrize("check", [False, True])
def test_what_this_quay_does_not_allow_is_told_before_anything_is_tried(quay: SandboxQuay, check: bool) -> None:
    ran = carry(quay, [organization("prod", time_machine_expiration="3w"), robot("prod+ci"), organization("test")], check=check)
    assert ran.states == {"organization prod": FAILED, "robot prod+ci": NOT_ATTEMPTED, "organization test": CREATED}
    assert "does not allow 3w" in ran.of("organization prod").reason


def test_patience_ends_and_the_rest_goes_on(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner=ADMIN)
    quay.faults.append(Fault("PUT", f"{ROBOTS}a1", "status", status=500, times=None))
    ran = carry(quay, [robot("prod+a1"), robot("prod+a2")], retries=1)
    assert ran.states == {"robot prod+a1": FAILED, "robot prod+a2": CREATED}
    # each time after a look
    tries = [path for path in paths(quay, "GET", "PUT") if path.endswith("/robots/a1")]
    assert tries == ["PUT organization/prod/robots/a1", "GET organization/prod/robots/a1", "PUT organization/prod/robots/a1"]


# ------------------------------------------------ answers that do not arrive


def test_a_creation_whose_answer_was_lost_is_looked_at_and_not_made_twice(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner=ADMIN)
    quay.faults.append(Fault("POST", "/repository", "drop_connection", after_effect=True))
    ran = carry(quay, [repository("prod/app", description="an app")], retries=2)
    assert ran.states == {"repository prod/app": CREATED}
    assert ran.outcomes[0].after == {"description": "an app"}
    assert paths(quay, "GET", "POST")[-2:] == ["POST repository", "GET repository/prod/app"]
    assert quay.count(method="POST") == 1


def test_a_creation_that_did_not_arrive_is_made_after_a_look(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner=ADMIN)
    quay.faults.append(Fault("POST", "/repository", "drop_connection"))
    assert carry(quay, [repository("prod/app")], retries=2).states == {"repository prod/app": CREATED}
    assert quay.repositories == ["prod/app"]
    asked = paths(quay, "GET", "POST")
    assert asked[asked.index("POST repository") :] == ["POST repository", "GET repository/prod/app", "POST repository"]


def test_what_is_left_of_a_change_is_made_after_a_lost_answer(quay: SandboxQuay) -> None:
    # creating takes two calls: the organization, and then what only a change can set
    quay.faults.append(Fault("POST", "/organization/", "drop_connection", after_effect=True))
    ran = carry(quay, [organization("prod", email="prod@example.com", invoice_email=True)], retries=2)
    assert ran.states == {"organization prod": CREATED}
    assert paths(quay) == ["POST organization/", "PUT organization/prod"]
    assert quay.world.organizations["prod"].invoice_email


def test_a_lost_answer_to_deleting_or_renaming(quay: SandboxQuay) -> None:
    for name in ("old", "former"):
        quay.add_organization(name, owner=ADMIN)
    quay.faults.append(Fault("DELETE|PUT", "/organization", "drop_connection", times=2, after_effect=True))
    renamed = Wish(OrganizationKind, "", "new", {FORMER: "former", "email": "new@example.com"})
    ran = carry(quay, [absent(organization("old")), renamed], retries=2)
    assert ran.states == {"organization old": DELETED, "organization new": UPDATED}
    assert ran.of("organization new").before == {"name": "former", "email": ""}
    assert [(name, found.email) for name, found in quay.world.organizations.items()] == [("new", "new@example.com")]


def test_a_former_name_matters_only_until_the_object_has_the_new_one(quay: SandboxQuay) -> None:
    quay.add_organization("former", owner=ADMIN)
    renamed = Wish(OrganizationKind, "", "new", {FORMER: "former", "email": ""})
    assert [carry(quay, [renamed]).states for _again in range(2)] == [{"organization new": UPDATED}, {"organization new": UNCHANGED}]
    unheard = Wish(OrganizationKind, "", "other", {FORMER: "unheard-of"})
    assert carry(quay, [unheard]).states == {"organization other": CREATED}


def test_a_page_of_the_gateway_is_no_answer_of_quay(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner=ADMIN)
    page = "<html><title>Quay Loading</title></html>"
    quay.faults.append(Fault("GET", f"{ROBOTS}ci", "status", status=502, body=page))
    quay.faults.append(Fault("PUT", f"{ROBOTS}ci", "status", status=502, body=page))
    assert carry(quay, [robot("prod+ci")], retries=1).states == {"robot prod+ci": CREATED}
    # nothing was worked on, so that there is nothing to look at before it is sent again
    asked = [path.partition(" ")[0] for path in paths(quay, "GET", "PUT") if path.endswith("/robots/ci")]
    assert asked == ["GET", "GET", "PUT", "PUT"]


def test_a_gateway_that_never_lets_anything_through(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner=ADMIN)
    quay.faults.append(Fault("PUT", ROBOTS, "status", status=502, body="<html>", times=None))
    ran = carry(quay, [robot("prod+ci"), team("prod", "crew")])
    assert ran.states == {"robot prod+ci": FAILED, "team prod/crew": CREATED}
    assert "Quay is not up yet" in ran.of("robot prod+ci").reason


# ------------------------------------------------------ all would fail alike


def test_the_first_refusal_of_a_registry_that_is_read_only_is_the_last(quay: SandboxQuay) -> None:
    quay.quay.registry_state = "readonly"
    ran = carry(quay, [organization("a1"), organization("a2"), robot("a2+ci")], parallel=1, retries=3)
    assert ran.states == {"organization a1": FAILED, "organization a2": NOT_ATTEMPTED, "robot a2+ci": NOT_ATTEMPTED}
    assert "REGISTRY_STATE" in ran.of("organization a1").reason
    assert ran.of("robot a2+ci").reason.startswith("given up after organization a1: ")
    assert paths(quay) == ["POST organization/"]


def test_a_registry_that_is_read_only_can_be_as_it_should(quay: SandboxQuay) -> None:
    carry(quay, production())
    quay.quay.registry_state = "readonly"
    assert set(carry(quay, production()).states.values()) == {UNCHANGED}


@pytest.mark.parametrize("check", [False, True])
def test_a_bad_token_ends_the_run_while_planning(quay: SandboxQuay, check: bool) -> None:
    quay.add_organization("prod", owner=ADMIN)
    with pytest.raises(QuayError, match="the token was not accepted"):
        carry(quay, production(), token="no-such-token", check=check)
    assert quay.writes == []


def test_what_is_hopeless() -> None:
    assert hopeless(QuayError("create", "it", "no", status=503, code=READ_ONLY))
    assert not hopeless(QuayError("create", "it", "no", status=503, code="server_error"))
    assert not hopeless(AirgapError("create", "it", "no"))


# -------------------------------------------------------------------- purges


def test_a_purge_takes_what_it_names_and_nothing_else(quay: SandboxQuay) -> None:
    for name in ("prod", "test"):
        carry(quay, production(name))
        quay.add_robot(f"{name}+old")
        quay.add_team(name, "old")
        quay.add_repository(f"{name}/old")
    ran = carry(quay, production(), [(RobotKind, "prod", ["ci"])])
    assert {name: state for name, state in ran.states.items() if state != UNCHANGED} == {"robot prod+old": DELETED}
    assert paths(quay) == ["DELETE organization/prod/robots/old"]
    assert ran.of("robot prod+old").before == {"description": ""}


def test_a_purge_spares_what_is_protected(quay: SandboxQuay) -> None:
    carry(quay, production())
    purges = [(TeamKind, "prod", []), (UserKind, "", [])]
    assert carry(quay, [], purges).states == {"user alice": DELETED, "team prod/crew": DELETED}
    assert list(quay.world.organizations["prod"].teams) == ["owners"]
    assert list(quay.world.users) == [ADMIN]
    assert carry(quay, [], purges).states == {}


def test_what_lies_in_something_that_goes_goes_with_it(quay: SandboxQuay) -> None:
    for name in ("prod", "test"):
        carry(quay, production(name))
    wishes = [absent(organization("prod")), absent(robot("prod+ci")), absent(repository("prod/app"))]
    ran = carry(quay, wishes, [(TeamKind, "prod", []), (OrganizationKind, "", ["prod"])])
    assert [name for name, state in ran.states.items() if state == DELETED] == ["organization prod", "organization test"]
    assert FAILED not in ran.states.values()
    assert sorted(paths(quay)) == ["DELETE organization/prod", "DELETE organization/test"]


def test_a_purge_that_cannot_be_read_deletes_nothing(quay: SandboxQuay) -> None:
    carry(quay, production())
    quay.faults.append(Fault("GET", "/robots", "status", status=403, times=None))
    ran = carry(quay, [], [(RobotKind, "prod", []), (RepositoryKind, "prod", [])])
    assert ran.states == {"robot prod": FAILED, "repository prod/app": DELETED}
    assert "prod+ci" in quay.world.robots


# ------------------------------------------------------- check mode, reading


def test_check_mode_foretells_the_same_and_writes_nothing(quay: SandboxQuay) -> None:
    carry(quay, production())
    quay.add_robot("prod+old")
    wishes = [*production("test"), organization("prod", email=""), team("prod", "crew", role="admin"), absent(repository("prod/app"))]
    quay.refuse_writes = True
    foretold = carry(quay, wishes, [(RobotKind, "prod", ["ci"])], check=True)
    assert quay.refused == []
    quay.refuse_writes = False
    made = carry(quay, wishes, [(RobotKind, "prod", ["ci"])])
    assert foretold.states == made.states
    shown = [[(outcome.before, outcome.after) for outcome in ran.outcomes] for ran in (foretold, made)]
    assert shown[0] == shown[1]
    assert (foretold.work.given, foretold.of("team prod/crew").state) == ({}, UPDATED)


def test_one_object_is_read_alone_and_several_from_one_list(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner=ADMIN)
    for name in ("a1", "a2", "a3"):
        quay.add_robot(f"prod+{name}")
    carry(quay, [robot("prod+a1")])
    assert paths(quay, "GET") == ["GET organization/prod/robots/a1"]
    carry(quay, [robot(f"prod+{name}") for name in ("a1", "a2", "a3")])
    assert paths(quay, "GET") == ["GET organization/prod/robots"]


def test_what_is_new_or_goes_is_not_read_inside(quay: SandboxQuay) -> None:
    carry(quay, production())
    gone = [absent(organization("prod")), absent(team("prod", "crew")), absent(robot("prod+ci"))]
    carry(quay, [*production("test"), *gone], check=True)
    assert sorted(paths(quay, "GET")) == ["GET organization/prod", "GET organization/test"]


def test_what_cannot_be_mended_is_a_warning(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner=ADMIN)
    quay.add_robot("prod+ci", "pushes")
    ran = carry(quay, [robot("prod+ci", description="pulls")])
    assert ran.states == {"robot prod+ci": UNCHANGED}
    assert len(ran.work.warnings) == 1
    assert "The description of robot prod+ci is 'pushes'" in ran.work.warnings[0]


def test_what_a_change_gave_is_there_for_the_module(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner=ADMIN)
    ran = carry(quay, [robot("prod+ci"), team("prod", "crew")])
    assert ran.work.given == {("robot", "prod+ci"): {"name": "prod+ci", "token": quay.world.robots["prod+ci"].token}}
    assert quay.world.robots["prod+ci"].token not in repr(ran.work)


def test_an_update_shows_what_was_and_what_is(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner=ADMIN, email="old@example.com")
    ran = carry(quay, [organization("prod", email="new@example.com", invoice_email=False), organization("other")])
    changed = ran.of("organization prod")
    assert changed.before == {"email": "old@example.com", "invoice_email": False}
    assert changed.after == {"email": "new@example.com", "invoice_email": False}
