#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_team
short_description: Manage teams of organizations of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Creates, changes and deletes teams, puts users and robots into them, and fills teams from groups of a directory.
extends_documentation_fragment:
  - quayside.airgap.attributes
  - quayside.airgap.quay
  - quayside.airgap.quay.place
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  name:
    description: Name of the team.
    type: str
    required: true
  organization:
    description: Name of the organization, which must exist.
    type: str
    required: true
  role:
    description: What members may do in the organization. A new team has the role V(member) if none is given.
    type: str
    choices: [member, creator, admin]
  description:
    description: What the team is for, in Markdown.
    type: str
  members:
    description:
      - Users, and robots of the organization by their full name, like V(prod+ci). They must exist.
      - Of a team that the directory fills, only robots can be listed; O(append=false) leaves its people alone.
    type: list
    elements: str
  append:
    description: V(true) adds O(members) to those that the team has; V(false) removes members that are not listed.
    type: bool
    default: true
  sync:
    description:
      - V(true) lets Quay fill the team with the people of a group of the directory that its users come from. Give one of O(group_dn),
        O(group_name) and O(group_id) too, each of which says V(true) by itself.
      - V(false) ends that, and leaves the people who are in the team.
      - It needs E(FEATURE_TEAM_SYNCING) on, and the token of a superuser with the scopes super:user and org:admin, unless
        E(FEATURE_NONSUPERUSER_TEAM_SYNCING_SETUP) is on.
      - The people come with the next run of Quay's own worker; with OIDC each comes when logging in, and those who were in the team
        before leave it at once.
    type: bool
  group_dn:
    description: Group in LDAP, without the base DN that Quay's configuration has in E(LDAP_BASE_DN). It must have members.
    type: str
  group_name:
    description: Group of the OIDC provider. Quay 3.11 and later.
    type: str
  group_id:
    description: ID of the group in Keystone.
    type: str
  state:
    description: Whether the team shall be there.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: quayside.airgap.quay_org
  - module: quayside.airgap.quay_robot
  - module: quayside.airgap.quay_state
"""

EXAMPLES = r"""
- name: Those who may make repositories, and nobody else
  quayside.airgap.quay_team:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    organization: prod
    name: creators
    role: creator
    description: They publish images.
    members: [alice, prod+ci]
    append: false

- name: The administrators are a group in LDAP
  quayside.airgap.quay_team:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    organization: prod
    name: admins
    role: admin
    group_dn: cn=registry-admins,ou=groups

- name: No longer
  quayside.airgap.quay_team:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    organization: prod
    name: admins
    sync: false
    members: [alice]
    append: false
"""

RETURN = r"""
name:
  description: Name of the team, behind that of its organization.
  returned: success
  type: str
  sample: prod/creators
objects:
  description: What was changed, and what failed.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object, V(team) or V(team_members).
      type: str
      sample: team
    name:
      description: Name of the object.
      type: str
      sample: prod/creators
    state:
      description: V(created), V(updated), V(deleted), V(failed) or V(not_attempted).
      type: str
      sample: updated
    fields:
      description: What was different.
      type: list
      elements: str
      sample: [role]
    reason:
      description: Why it failed.
      type: str
      sample: ""
totals:
  description: How many objects are in each state.
  returned: always, unless the options were wrong
  type: dict
  sample:
    unchanged: 2
"""

from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.module import (
    create_module,
    ensure,
    quay_rules,
    quay_spec,
    run_quay,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient
from ansible_collections.quayside.airgap.plugins.module_utils.quay.teams import wish


def main() -> None:
    """Run as a module."""
    rules = quay_rules()
    rules["mutually_exclusive"] = [*rules["mutually_exclusive"], ["group_dn", "group_name", "group_id"]]
    module = create_module(
        dict(
            quay_spec(),
            name={"type": "str", "required": True},
            organization={"type": "str", "required": True},
            role={"type": "str", "choices": ["member", "creator", "admin"]},
            description={"type": "str"},
            members={"type": "list", "elements": "str"},
            append={"type": "bool", "default": True},
            sync={"type": "bool"},
            group_dn={"type": "str"},
            group_name={"type": "str"},
            group_id={"type": "str"},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        ),
        **rules,
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        work, name = wish(quay, module.params)
        return {**ensure(module, quay, work), "name": name}

    run_quay(module, call)


if __name__ == "__main__":
    main()
