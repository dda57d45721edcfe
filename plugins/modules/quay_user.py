#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_user
short_description: Manage users of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Creates, changes, disables and deletes users, for superusers with a token that has the scope C(super:user).
  - Quay must keep the users itself (C(AUTHENTICATION_TYPE) is V(Database)).
  - Superusers, the one who asks among them, can be neither changed nor deleted. Quay does not allow it, and this module says so before
    it changes anything.
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
  username:
    description: Name of the user.
    type: str
    required: true
  email:
    description: E-mail address. Quay demands one if it sends mail (E(FEATURE_MAILING)). It can be changed, but not removed.
    type: str
  password:
    description:
      - Password, of at least 8 characters without white space.
      - A new user without this option has a password that Quay makes up, which nobody learns without O(show_password).
    type: str
  update_credentials:
    description:
      - Quay does not give passwords back, so that nobody can tell whether it is the right one.
      - V(on_create) sets O(password) when the user is made, V(always) with every task, which is changed every time then.
    type: str
    choices: [on_create, always]
    default: on_create
  show_password:
    description:
      - Return the password that Quay makes up for a new user. It is the only time that Quay tells it.
      - Without effect if O(password) is given, and for a user who is there already.
    type: bool
    default: false
  enabled:
    description: Whether the user may log in, pull and push. A new user may.
    type: bool
  superuser:
    description:
      - V(true) writes the user into E(SUPER_USERS) of Quay's config.yaml, where Quay can write that file.
      - Quay reads it only when it starts. Until then the user is no superuser, and the task is changed every time.
      - V(false) cannot take that right away again.
    type: bool
    aliases: [is_superuser]
  state:
    description: V(absent) deletes the user with all repositories in the user's own namespace.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: quayside.airgap.quay_first_user
  - module: quayside.airgap.quay_state
"""

EXAMPLES = r"""
- name: A user with a password of ours
  quayside.airgap.quay_user:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    username: alice
    email: alice@example.com
    password: "{{ alice_password }}"

- name: A user with a password of Quay's
  quayside.airgap.quay_user:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    username: bob
    show_password: true
  register: bob
  no_log: true

- name: A user who may not log in any more
  quayside.airgap.quay_user:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    username: mallory
    enabled: false
"""

RETURN = r"""
username:
  description: Name of the user.
  returned: success
  type: str
  sample: alice
password:
  description: The password that Quay made up. Register it with C(no_log).
  returned: when the user was made without O(password), O(show_password) is set, and it is not check mode
  type: str
  sample: HYJW4VI96J8QPNIXKFX216DOOKV1LYXS
objects:
  description: What was changed, and what failed.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  sample:
    - kind: user
      name: alice
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.users import results, wish


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_spec(),
            username={"type": "str", "required": True},
            email={"type": "str"},
            password={"type": "str", "no_log": True},
            update_credentials={"type": "str", "choices": ["on_create", "always"], "default": "on_create"},
            show_password={"type": "bool", "default": False, "no_log": False},
            enabled={"type": "bool"},
            superuser={"type": "bool", "aliases": ["is_superuser"]},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        ),
        **quay_rules(),
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        work = wish(quay, module.params)
        told, warnings = results(work, ensure(module, quay, work), module.params, check_mode=module.check_mode)
        for text in warnings:
            module.warn(text)
        return told

    run_quay(module, call)


if __name__ == "__main__":
    main()
