#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_org
short_description: Manage organizations of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Creates, renames, changes and deletes organizations.
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
    description: Name of the organization.
    type: str
    required: true
  new_name:
    description:
      - Gives the organization O(name) this name; only superusers may. Where an organization of the new name exists already, and none
        of the old, there is nothing to rename.
    type: str
  email:
    description: Contact address. An empty text removes it.
    type: str
    aliases: [contact_email]
  time_machine_expiration:
    description:
      - How long deleted tags can be restored, like V(2w), V(1d) or a number of seconds. Quay allows only what its configuration lists
        in E(TAG_EXPIRATION_OPTIONS).
    type: str
  invoice_email:
    description: Whether invoices are sent by e-mail.
    type: bool
  invoice_email_address:
    description: Where invoices are sent to. An empty text removes it.
    type: str
  quota:
    description: How much may be stored. M(quayside.airgap.quay_quota) removes a quota.
    type: dict
    suboptions:
      quota:
        description: The quota, like V(500GiB), or bytes.
        type: str
      warning_pct:
        description: Percent of the quota from which on owners are told; V(0) for never.
        type: int
      reject_pct:
        description: Percent of the quota from which on pushes are refused; V(0) for never.
        type: int
  auto_prune:
    description: All policies for deleting tags; others are removed. An empty list removes all.
    type: list
    elements: dict
    suboptions:
      method:
        description: V(tags) keeps a number of tags, V(date) those that are younger than a period.
        type: str
        choices: [tags, date]
        required: true
      value:
        description: How many tags are kept, or for how long, like V(7d).
        type: str
        required: true
      tag_pattern:
        description: Regular expression for the tags that are meant. Quay 3.13 and later.
        type: str
      tag_pattern_matches:
        description: Whether the tags that match are meant, or the others.
        type: bool
        default: true
  immutability:
    description: All policies that make tags immutable; others are removed. An empty list removes all. Quay 3.17 and later.
    type: list
    elements: dict
    suboptions:
      tag_pattern:
        description: Regular expression for tags.
        type: str
        required: true
      behavior:
        description: Which tags cannot be changed; those that match if not given.
        type: str
        choices: [matching_immutable, not_matching_immutable]
  gather_members:
    description: Return who belongs to the organization.
    type: bool
    default: false
  state:
    description:
      - V(absent) deletes the organization with everything in it. Quay removes the images later; some versions do not give the name away
        again until that is done.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: quayside.airgap.quay_state
"""

EXAMPLES = r"""
- name: An organization for production images
  quayside.airgap.quay_org:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    name: prod
    email: registry-team@example.com
    time_machine_expiration: 2w

- name: It is called production from now on
  quayside.airgap.quay_org:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    name: prod
    new_name: production
"""

RETURN = r"""
name:
  description: Name of the organization.
  returned: success
  type: str
  sample: prod
members:
  description: Who belongs to the organization; robots are not among them.
  returned: when O(gather_members) is set and the organization is there
  type: list
  elements: dict
  sample:
    - name: alice
      kind: user
      teams: [owners]
      repositories: []
objects:
  description: What was changed.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
      sample: organization
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
      sample: [email]
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.organization_tasks import members, wish


def main() -> None:
    """Run as a module."""
    prune = {
        "method": {"type": "str", "choices": ["tags", "date"], "required": True},
        "value": {"type": "str", "required": True},
        "tag_pattern": {"type": "str"},
        "tag_pattern_matches": {"type": "bool", "default": True},
    }
    immutability = {
        "tag_pattern": {"type": "str", "required": True},
        "behavior": {"type": "str", "choices": ["matching_immutable", "not_matching_immutable"]},
    }
    module = create_module(
        dict(
            quay_spec(),
            name={"type": "str", "required": True},
            new_name={"type": "str"},
            email={"type": "str", "aliases": ["contact_email"]},
            time_machine_expiration={"type": "str"},
            invoice_email={"type": "bool"},
            invoice_email_address={"type": "str"},
            quota={
                "type": "dict",
                "options": {"quota": {"type": "str"}, "warning_pct": {"type": "int"}, "reject_pct": {"type": "int"}},
            },
            auto_prune={"type": "list", "elements": "dict", "options": prune},
            immutability={"type": "list", "elements": "dict", "options": immutability},
            gather_members={"type": "bool", "default": False},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        ),
        **quay_rules(),
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        work, name = wish(quay, module.params)
        told = {**ensure(module, quay, work), "name": name}
        if module.params["gather_members"]:
            told["members"] = members(quay, name)
        return told

    run_quay(module, call)


if __name__ == "__main__":
    main()
