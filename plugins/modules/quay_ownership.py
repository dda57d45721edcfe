#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_ownership
short_description: Make users owners of organizations of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Makes the superuser who asks, other users, or all superusers owners of one, several or all organizations, which lets them manage
    these.
  - An owner is a member of the team C(owners). Who is one already costs nothing but a look. Nobody loses ownership;
    M(quayside.airgap.quay_team) can take members out of that team.
  - Where E(FEATURE_SUPERUSERS_FULL_ACCESS) is off, only owners see and make owners. The superuser who asks then becomes an owner of every
    organization that others shall own.
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
  organizations:
    description: Names of organizations, which must exist. Either this or O(all_organizations) is needed.
    type: list
    elements: str
  all_organizations:
    description: All organizations of the Quay, for superusers only.
    type: bool
    default: false
  users:
    description: Names of users who shall be owners, which must exist; the user who asks if neither this nor O(all_superusers) is given.
    type: list
    elements: str
  all_superusers:
    description: Everybody whom Quay takes for a superuser, except disabled ones. For superusers only.
    type: bool
    default: false
  convert_users:
    description:
      - O(organizations) may name users, too, whose namespaces are turned into organizations. Their repositories stay, but nobody can
        log in as such a user any more, and this cannot be undone.
      - Without this option, the name of a user among them is an error.
    type: bool
    default: false
seealso:
  - module: quayside.airgap.quay_team
  - module: quayside.airgap.quay_user
"""

EXAMPLES = r"""
- name: The superuser who asks may manage an organization
  quayside.airgap.quay_ownership:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    organizations: [prod]

- name: All superusers may manage everything
  quayside.airgap.quay_ownership:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    all_organizations: true
    all_superusers: true
"""

RETURN = r"""
users:
  description: Who shall be owners.
  returned: success
  type: list
  elements: str
  sample: [quayadmin]
organizations:
  description: What they shall own.
  returned: success
  type: list
  elements: str
  sample: [prod, test]
objects:
  description: Where owners were added, and what failed.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  sample:
    - kind: ownership
      name: prod
      state: updated
      fields: [owners]
totals:
  description: How many organizations are in each state.
  returned: always, unless the options were wrong
  type: dict
  sample:
    updated: 1
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.ownership import wish


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_spec(),
            organizations={"type": "list", "elements": "str"},
            all_organizations={"type": "bool", "default": False},
            users={"type": "list", "elements": "str"},
            all_superusers={"type": "bool", "default": False},
            convert_users={"type": "bool", "default": False},
        ),
        **quay_rules(),
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        wanted = wish(quay, module.params)
        told = ensure(module, quay, wanted.work)
        return {**told, "users": list(wanted.users), "organizations": list(wanted.organizations)}

    run_quay(module, call)


if __name__ == "__main__":
    main()
