#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_repository
short_description: Manage repositories of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Creates, changes and deletes repositories, and says who may use them.
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
    description:
      - Name of the repository with its namespace, like V(prod/app) or V(prod/team/app).
      - Without a C(/) it lies in the namespace of the user who asks.
    type: str
    required: true
  visibility:
    description: Who may pull. A new repository is private unless this says otherwise.
    type: str
    choices: [public, private]
  description:
    description: What it is for, in Markdown. An empty text removes it.
    type: str
  permissions:
    description: Who may do what.
    type: list
    elements: dict
    aliases: [perms]
    suboptions:
      name:
        description: A user, a team of the organization, or a robot by its full name (V(prod+ci)).
        type: str
        required: true
      type:
        description: What the name is. For V(robot) the short name is enough; V(user) with a full name of a robot does the same.
        type: str
        choices: [user, team, robot]
        default: user
      role:
        description: What may be done.
        type: str
        choices: [read, write, admin]
        default: read
  append:
    description: V(false) takes all permissions away that O(permissions) does not list, the creator's too.
    type: bool
    default: true
  repo_state:
    description:
      - V(READ_ONLY) refuses pushes; V(MIRROR) takes them only from the mirror, see M(quayside.airgap.quay_repository_mirror).
      - Quay knows states only with E(FEATURE_REPO_MIRROR).
    type: str
    choices: [NORMAL, READ_ONLY, MIRROR]
  star:
    description: Whether the user who asks has the repository among the starred ones.
    type: bool
  state:
    description: V(absent) deletes the repository with its images.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: quayside.airgap.quay_state
"""

EXAMPLES = r"""
- name: A repository that the pipeline may push to
  quayside.airgap.quay_repository:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    name: prod/app
    visibility: private
    permissions:
      - name: ci
        type: robot
        role: write
      - name: operations
        type: team
"""

RETURN = r"""
name:
  description: Name of the repository with its namespace.
  returned: success
  type: str
  sample: prod/app
objects:
  description: What was changed, and what failed.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  sample:
    - kind: repository
      name: prod/app
      state: created
totals:
  description: How many objects are in each state.
  returned: always, unless the options were wrong
  type: dict
  sample:
    created: 1
    unchanged: 0
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.repositories import wish


def main() -> None:
    """Run as a module."""
    permission = {
        "name": {"type": "str", "required": True},
        "type": {"type": "str", "choices": ["user", "team", "robot"], "default": "user"},
        "role": {"type": "str", "choices": ["read", "write", "admin"], "default": "read"},
    }
    module = create_module(
        dict(
            quay_spec(),
            name={"type": "str", "required": True},
            visibility={"type": "str", "choices": ["public", "private"]},
            description={"type": "str"},
            permissions={"type": "list", "elements": "dict", "options": permission, "aliases": ["perms"]},
            append={"type": "bool", "default": True},
            repo_state={"type": "str", "choices": ["NORMAL", "READ_ONLY", "MIRROR"]},
            star={"type": "bool"},
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
