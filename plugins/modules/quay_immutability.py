#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_immutability
short_description: Manage immutability policies of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Creates, changes and deletes policies by which tags cannot be moved or deleted, in an organization or a repository.
  - A policy is known by its pattern.
  - It needs Quay 3.17 or later with E(FEATURE_IMMUTABLE_TAGS) on.
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
  namespace:
    description:
      - Organization.
      - One of O(namespace) and O(repository) is needed.
    type: str
  repository:
    description: Repository, like V(prod/app). Without a namespace it is one of the user who asks.
    type: str
  tag_pattern:
    description: Regular expression (Python) for tags.
    type: str
    required: true
  new_tag_pattern:
    description:
      - Gives the policy O(tag_pattern) this pattern. Where there is one with the new pattern already, there is nothing to rename.
    type: str
  behavior:
    description:
      - Whether the tags that match cannot be changed, or all others. A new policy means those that match where this is left out.
    type: str
    choices: [matching_immutable, not_matching_immutable]
  state:
    description:
      - V(absent) deletes the policy. Tags that it made immutable stay so.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: quayside.airgap.quay_autoprune
  - module: quayside.airgap.quay_state
"""

EXAMPLES = r"""
- name: Releases stay as they are
  quayside.airgap.quay_immutability:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    namespace: prod
    tag_pattern: ^v[0-9]+
    behavior: matching_immutable

- name: Only the latest tags may move
  quayside.airgap.quay_immutability:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    repository: prod/app
    tag_pattern: ^latest
    behavior: not_matching_immutable
"""

RETURN = r"""
name:
  description: Name of the organization or repository.
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
      sample: immutability_policy
    name:
      description: Name of the object.
      type: str
      sample: prod ^v[0-9]+
    state:
      description: V(created), V(updated), V(deleted) or V(failed).
      type: str
      sample: updated
    fields:
      description: What was different.
      type: list
      elements: str
      sample: [behavior]
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.policies import immutability_wish


def main() -> None:
    """Run as a module."""
    rules = quay_rules()
    rules["mutually_exclusive"] = [*rules["mutually_exclusive"], ["namespace", "repository"]]
    module = create_module(
        dict(
            quay_spec(),
            namespace={"type": "str"},
            repository={"type": "str"},
            tag_pattern={"type": "str", "required": True},
            new_tag_pattern={"type": "str"},
            behavior={"type": "str", "choices": ["matching_immutable", "not_matching_immutable"]},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        ),
        required_one_of=[["namespace", "repository"]],
        **rules,
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        work, name = immutability_wish(quay, module.params)
        return {**ensure(module, quay, work), "name": name}

    run_quay(module, call)


if __name__ == "__main__":
    main()
