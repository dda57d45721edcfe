#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_robot
short_description: Manage robot accounts of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Creates and deletes robot accounts of organizations and of the user who asks, with their permissions, teams and federated
    identities.
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
    description: Full name of the robot, like V(prod+mirror). Without a C(+) it is a robot of the user who asks.
    type: str
    required: true
  description:
    description: What it is for. Quay takes it only when the robot is made; a different one is a warning later.
    type: str
  federations:
    description: Identities of other providers that may log in as this robot. Quay 3.13 and later, for robots of users 3.18.
    type: list
    elements: dict
    suboptions:
      issuer:
        description: URL of the identity provider.
        type: str
        required: true
      subject:
        description: Subject in the provider's tokens.
        type: str
        required: true
  permissions:
    description:
      - Repositories of its namespace that the robot may use. They must exist.
      - Reading them takes a token with both scopes C(user:admin) and C(org:admin).
    type: list
    elements: dict
    suboptions:
      repository:
        description: Name of the repository below the namespace.
        type: str
        required: true
      role:
        description: What the robot may do with it.
        type: str
        choices: [read, write, admin]
        default: read
  teams:
    description: Teams of the organization that the robot belongs to. They must exist.
    type: list
    elements: str
  append:
    description:
      - V(true) adds to the federations and permissions that the robot has; V(false) takes those away that are not listed.
      - Teams that are not listed are left in any case.
    type: bool
    default: true
  regenerate:
    description: Give the robot a new token, which makes the old one useless at once. This changes something at every run.
    type: bool
    default: false
  show_token:
    description: Return the token of a robot that was there already, too. That of a new robot is always returned.
    type: bool
    default: false
  state:
    description: Whether the robot shall be there.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: quayside.airgap.quay_state
"""

EXAMPLES = r"""
- name: The robot that mirrors into the organization
  quayside.airgap.quay_robot:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    name: prod+mirror
    description: Mirrors release images
    teams: [creators]
    show_token: true
  register: robot
  no_log: true
"""

RETURN = r"""
name:
  description: Full name of the robot, the user name for container clients.
  returned: success
  type: str
  sample: prod+mirror
token:
  description: Token of the robot, the password for container clients. Register it with C(no_log).
  returned: when the robot is new, O(regenerate) or O(show_token) is set, and it is not check mode
  type: str
  sample: IWG3K5EW92KZLPP42PMOKM5CJ2DEAQMSCU33A35NR7MNL21004NKVP3BECOWSQP2
objects:
  description: What was changed, and what failed.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  sample:
    - kind: robot
      name: prod+mirror
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.robot_tasks import token_of, wish


def main() -> None:
    """Run as a module."""
    identity = {"issuer": {"type": "str", "required": True}, "subject": {"type": "str", "required": True}}
    permission = {
        "repository": {"type": "str", "required": True},
        "role": {"type": "str", "choices": ["read", "write", "admin"], "default": "read"},
    }
    module = create_module(
        dict(
            quay_spec(),
            name={"type": "str", "required": True},
            description={"type": "str"},
            federations={"type": "list", "elements": "dict", "options": identity},
            permissions={"type": "list", "elements": "dict", "options": permission},
            teams={"type": "list", "elements": "str"},
            append={"type": "bool", "default": True},
            regenerate={"type": "bool", "default": False},
            show_token={"type": "bool", "default": False, "no_log": False},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        ),
        **quay_rules(),
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        wanted = wish(quay, module.params)
        told = ensure(module, quay, wanted.work)
        return token_of(quay, wanted, told, check_mode=module.check_mode)

    run_quay(module, call)


if __name__ == "__main__":
    main()
