#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_default_permission
short_description: Manage default permissions of organizations of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Says which role users, robots and teams get on repositories that will be created in an organization. Quay changes nothing about
    repositories that are there already.
  - A default permission is known by O(name), O(type) and O(creator); only its role can change.
  - Where Quay has the same one several times, all of them are changed or deleted.
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
  organization:
    description: Name of the organization, which must exist.
    type: str
    required: true
  name:
    description:
      - User, team or robot that gets the permission, and that must exist.
      - A robot is given by its full name, like V(prod+ci), or with O(type=robot) by the short one if it belongs to O(organization).
    type: str
    required: true
  type:
    description: What O(name) is. A robot with its full name may be a V(user) too.
    type: str
    choices: [user, team, robot]
    default: user
  role:
    description: What may be done with a new repository. A new default permission has the role V(read) if none is given.
    type: str
    choices: [read, write, admin]
  creator:
    description:
      - User, or robot by its full name, whose new repositories are meant. Without it, it is for those of everybody.
      - For repositories of a creator, a permission that names them goes before one for everybody.
    type: str
  state:
    description: Whether there shall be such a default permission.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: quayside.airgap.quay_repository
  - module: quayside.airgap.quay_team
  - module: quayside.airgap.quay_state
"""

EXAMPLES = r"""
- name: The auditors may read every new repository
  quayside.airgap.quay_default_permission:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    organization: prod
    name: auditors
    type: team
    role: read

- name: The robot may write to what the pipeline creates
  quayside.airgap.quay_default_permission:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    organization: prod
    name: ci
    type: robot
    role: write
    creator: prod+pipeline

- name: Nothing for Alice any more
  quayside.airgap.quay_default_permission:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    organization: prod
    name: alice
    state: absent
"""

RETURN = r"""
name:
  description: Whose permission it is, in which organization, for whose repositories.
  returned: success
  type: str
  sample: prod user prod+ci, creator prod+pipeline
objects:
  description: What was changed, and what failed.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
      sample: default_permission
    name:
      description: Name of the object.
      type: str
      sample: prod team auditors
    state:
      description: V(created), V(updated), V(deleted) or V(failed).
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
    unchanged: 1
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.default_permissions import wish


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_spec(),
            organization={"type": "str", "required": True},
            name={"type": "str", "required": True},
            type={"type": "str", "choices": ["user", "team", "robot"], "default": "user"},
            role={"type": "str", "choices": ["read", "write", "admin"]},
            creator={"type": "str"},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        ),
        **quay_rules(),
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        work, name = wish(quay, module.params)
        return {**ensure(module, quay, work), "name": name}

    run_quay(module, call)


if __name__ == "__main__":
    main()
