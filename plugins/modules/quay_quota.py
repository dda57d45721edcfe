#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_quota
short_description: Manage storage quotas of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Sets, changes and removes the storage quota of an organization or a user, and the limits of organizations.
  - It needs Quay 3.7 or later (3.8 for users) with E(FEATURE_QUOTA_MANAGEMENT) on, and the token of a superuser with the scope super:user.
  - Limits need E(FEATURE_SUPERUSERS_FULL_ACCESS), or a superuser who owns the organization.
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
    description:
      - Name of the organization, which must exist.
      - One of O(organization) and O(user) is needed.
    type: str
  user:
    description: Name of the user, who must exist.
    type: str
  quota:
    description:
      - How much may be stored, like V(10GiB), V(500MB) or a number of bytes.
      - A namespace that has no quota yet needs it.
    type: str
  warning_pct:
    description:
      - From how many percent of the quota on the owners are told, or V(0) for never. Not for users.
      - Where there are several limits of this type, the others are removed.
    type: int
  reject_pct:
    description:
      - From how many percent of the quota on pushes are refused, or V(0) for never. Not for users.
      - Where there are several limits of this type, the others are removed.
    type: int
  state:
    description:
      - V(absent) removes the quota with its limits. A default of the registry holds again then.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: quayside.airgap.quay_org
  - module: quayside.airgap.quay_state
"""

EXAMPLES = r"""
- name: Production may store 500 GiB
  quayside.airgap.quay_quota:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    organization: prod
    quota: 500GiB
    warning_pct: 80
    reject_pct: 100

- name: A user may store 10 GiB
  quayside.airgap.quay_quota:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    user: alice
    quota: 10GiB
"""

RETURN = r"""
name:
  description: Name of the organization or user.
  returned: success
  type: str
  sample: prod
objects:
  description: What was changed.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
      sample: quota
    name:
      description: Name of the object.
      type: str
      sample: prod
    state:
      description: V(created), V(updated), V(deleted) or V(failed).
      type: str
      sample: updated
    fields:
      description: What was different.
      type: list
      elements: str
      sample: [quota]
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.quotas import wish


def main() -> None:
    """Run as a module."""
    rules = quay_rules()
    rules["mutually_exclusive"] = [*rules["mutually_exclusive"], ["organization", "user"]]
    module = create_module(
        dict(
            quay_spec(),
            organization={"type": "str"},
            user={"type": "str"},
            quota={"type": "str"},
            warning_pct={"type": "int"},
            reject_pct={"type": "int"},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        ),
        required_one_of=[["organization", "user"]],
        **rules,
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        work, name = wish(quay, module.params)
        return {**ensure(module, quay, work), "name": name}

    run_quay(module, call)


if __name__ == "__main__":
    main()
