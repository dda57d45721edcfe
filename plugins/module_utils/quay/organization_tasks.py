# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What quay_org does: an organization with its quota and policies, and who belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay import policies, quotas
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import REGISTRY, Intent, Place, Purge
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import namespace
from ansible_collections.quayside.airgap.plugins.module_utils.quay.organizations import FIELDS, OrganizationKind
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import FORMER, Work

NAMES = (Field("name", required=True, normal=namespace), Field("new_name", normal=namespace))
CONTENTS = (
    Field("quota", "dict", fields=quotas.FIELDS),
    Field("auto_prune", "list", of=Field("policy", "dict", fields=policies.AUTOPRUNE, normal=policies.autoprune_policy)),
    Field("immutability", "list", of=Field("policy", "dict", fields=policies.IMMUTABILITY)),
)


def wish(quay: QuayClient, options: Mapping[str, Any]) -> tuple[Work, str]:
    """The work of quay_org, and the name that the organization has afterwards.

    :param options: of the module.
    :raises InputError: for values that Quay refuses.
    """
    given = canonical(options, (*NAMES, *FIELDS, *CONTENTS))
    name = str(given.pop("name"))
    target = str(given.pop("new_name", name))
    contents = {field.name: given.pop(field.name) for field in CONTENTS if field.name in given}
    kind = OrganizationKind(quay)
    if options["state"] == "absent":
        return Work([Intent(kind, REGISTRY, name)]), name
    if contents and target != name:
        raise InputError(
            "new_name", f"it is given together with {', '.join(sorted(contents))}", "Rename the organization in a task before."
        )
    wanted = {**given, FORMER: name} if target != name else given
    place = Place(target)
    intents = [Intent(kind, REGISTRY, target, wanted)]
    purges = []
    if "quota" in contents:
        intents.append(Intent(quotas.QuotaKind(quay), place, "", contents["quota"]))
    for option, policy in (("auto_prune", policies.AutoPruneKind(quay)), ("immutability", policies.ImmutabilityKind(quay))):
        if option in contents:
            keys = [policy.key_of(values) for values in contents[option]]
            intents += [Intent(policy, place, key, values) for key, values in zip(keys, contents[option])]
            purges.append(Purge(policy, place, frozenset(keys)))
    return Work(intents, purges), target


def members(quay: QuayClient, name: str) -> list[dict[str, Any]]:
    """Who belongs to an organization, with teams and repositories, by name; robots are not among them.

    :returns: ``name``, ``kind``, ``teams`` and ``repositories`` of each.
    """
    what = f"list the members of the organization {name}"
    body = quay.find(at("organization", name, "members"), what)
    found = entries(body, "members", what, quay.name) if body is not None else []
    return sorted(
        (
            {
                "name": str(member["name"]),
                "kind": str(member.get("kind", "user")),
                "teams": sorted(str(team["name"]) for team in member.get("teams", ())),
                "repositories": sorted(map(str, member.get("repositories", ()))),
            }
            for member in found
        ),
        key=lambda member: str(member["name"]),
    )
