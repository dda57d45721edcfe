# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What quay_robot does: a robot with its permissions and teams, and its token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.plan import CREATED
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import Intent, Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import repository, robot, team
from ansible_collections.quayside.airgap.plugins.module_utils.quay.permissions import ROLES
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import Work
from ansible_collections.quayside.airgap.plugins.module_utils.quay.robot_permissions import RobotPermissionsKind
from ansible_collections.quayside.airgap.plugins.module_utils.quay.robots import FIELDS, RobotKind
from ansible_collections.quayside.airgap.plugins.module_utils.quay.teams import TeamMembersKind

PERMISSION = (
    Field("repository", required=True, normal=repository, description="Name of the repository below the namespace."),
    Field("role", choices=ROLES, default="read", description="What the robot may do with it."),
)
BELONGINGS = (
    Field("permissions", "list", of=Field("permission", "dict", fields=PERMISSION), description="Repositories that it may use."),
    Field("teams", "list", of=Field("team", normal=team), description="Teams that it belongs to."),
)


@dataclass(frozen=True)
class RobotWish:
    """The work of quay_robot.

    :ivar robot: the intent for the robot itself.
    """

    work: Work
    robot: Intent
    regenerate: bool = False
    show_token: bool = False


def wish(quay: QuayClient, options: Mapping[str, Any]) -> RobotWish:
    """What quay_robot shall do.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    """
    given = canonical(options, (Field("name", required=True), *FIELDS, *BELONGINGS))
    try:
        owner, short = robot(given.pop("name"))
    except ValueError as error:
        raise InputError("name", str(error)) from error
    place = Place(owner)
    if options["state"] == "absent":
        intent = Intent(RobotKind(quay), place, short)
        return RobotWish(Work([intent]), intent)
    permissions, teams, append = given.pop("permissions", None), given.pop("teams", None), given.get("append", True)
    intent = Intent(RobotKind(quay), place, short, given)
    intents = [intent]
    if permissions is not None:
        wanted = {"repositories": _roles(permissions), "append": append}
        intents.append(Intent(RobotPermissionsKind(quay), place, short, wanted))
    if teams and not owner:
        raise InputError("teams", "a robot of a user belongs to no team", "Name a robot of an organization, like prod+ci.")
    members = {"members": [f"{owner}+{short}"], "append": True}
    intents += [Intent(TeamMembersKind(quay), place, name, members) for name in teams or ()]
    return RobotWish(Work(intents), intent, bool(options["regenerate"]), bool(options["show_token"]))


def _roles(permissions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Repository -> role.

    :raises InputError: for a repository that is given twice with different roles.
    """
    found: dict[str, str] = {}
    for entry in permissions:
        name, role = str(entry["repository"]), str(entry["role"])
        if found.setdefault(name, role) != role:
            raise InputError("permissions", f"for repository {name} there are two roles: {found[name]} and {role}")
    return found


def token_of(quay: QuayClient, wanted: RobotWish, told: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The results of quay_robot, with the token where it is wanted.

    :param told: what the task tells besides.
    """
    intent = wanted.robot
    kind = cast(RobotKind, intent.kind)
    title = intent.title if intent.place.namespace else f"{quay.identity().name}+{intent.key}"
    results = {**told, "name": title}
    made = wanted.work.given.get((kind.name, intent.title), {})
    new = any((entry["kind"], entry["name"], entry["state"]) == (kind.name, intent.title, CREATED) for entry in told["objects"])
    if wanted.regenerate and not new:
        results["changed"] = True
        if not check_mode:
            results["token"] = kind.regenerate(intent.place, intent.key)
    elif made.get("token"):
        results["token"] = made["token"]
    elif (wanted.show_token or new) and not check_mode:
        # where the answer to its creation was lost, a new robot is read like an old one
        results["token"] = (kind.view(intent.place, intent.key) or {}).get("token")
    return results
