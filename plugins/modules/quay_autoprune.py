#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_autoprune
short_description: Manage auto-prune policies of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Creates and deletes policies by which Quay removes tags by itself, in an organization, a repository, or the namespace of the user
    who asks.
  - A policy is known by all that it says; there is nothing to change about one.
  - It needs Quay 3.10 or later (3.11 for repositories) with E(FEATURE_AUTO_PRUNE) on. Before 3.13 there are no patterns, and each place has
    a single policy, which a new one takes the place of.
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
      - Organization, or the user who asks.
      - One of O(namespace) and O(repository) is needed.
    type: str
  repository:
    description: Repository, like V(prod/app). Without a namespace it is one of the user who asks.
    type: str
  method:
    description: V(tags) keeps a number of tags, V(date) those that are younger than a period.
    type: str
    choices: [tags, date]
    required: true
  value:
    description: With O(method=tags) how many tags are kept; with O(method=date) how long, like V(7d) or V(2w).
    type: str
    required: true
  tag_pattern:
    description: Regular expression (Python) for the tags that are meant. Without it, all are.
    type: str
  tag_pattern_matches:
    description: Whether the tags that match O(tag_pattern) are meant, or all others.
    type: bool
    default: true
  append:
    description: With V(false) it becomes the only policy of the place, and all others are deleted.
    type: bool
    default: true
  state:
    description:
      - V(absent) deletes the policy that says the same.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: quayside.airgap.quay_immutability
  - module: quayside.airgap.quay_state
"""

EXAMPLES = r"""
- name: Keep the last ten tags of each repository
  quayside.airgap.quay_autoprune:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    namespace: prod
    method: tags
    value: "10"

- name: Development builds go after a week, and nothing else
  quayside.airgap.quay_autoprune:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    repository: prod/app
    method: date
    value: 7d
    tag_pattern: ^dev-
    append: false
"""

RETURN = r"""
name:
  description: Name of the namespace or repository.
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
      sample: autoprune_policy
    name:
      description: Name of the object.
      type: str
      sample: prod tags 10
    state:
      description: V(created), V(updated), V(deleted) or V(failed).
      type: str
      sample: updated
    fields:
      description: What was different.
      type: list
      elements: str
      sample: [value]
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.policies import autoprune_wish


def main() -> None:
    """Run as a module."""
    rules = quay_rules()
    rules["mutually_exclusive"] = [*rules["mutually_exclusive"], ["namespace", "repository"]]
    module = create_module(
        dict(
            quay_spec(),
            namespace={"type": "str"},
            repository={"type": "str"},
            method={"type": "str", "choices": ["tags", "date"], "required": True},
            value={"type": "str", "required": True},
            tag_pattern={"type": "str"},
            tag_pattern_matches={"type": "bool", "default": True},
            append={"type": "bool", "default": True},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        ),
        required_one_of=[["namespace", "repository"]],
        **rules,
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        work, name = autoprune_wish(quay, module.params)
        return {**ensure(module, quay, work), "name": name}

    run_quay(module, call)


if __name__ == "__main__":
    main()
