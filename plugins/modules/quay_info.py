#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_info
short_description: Gather what can be known of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Gives version and features, the user who asks, and whatever M(quayside.airgap.quay_state) can manage. Changes nothing.
extends_documentation_fragment:
  - quayside.airgap.attributes
  - quayside.airgap.quay
  - quayside.airgap.quay.place
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  gather:
    description:
      - What to gather. V(capabilities) needs no login, V(users) a superuser.
      - Everything that lies in organizations is returned in RV(organizations), where V(members) are with their teams, and
        V(permissions) and V(notifications) with their repositories.
    type: list
    elements: str
    choices:
      - auto_prune
      - capabilities
      - immutability
      - members
      - messages
      - mirror
      - notifications
      - organizations
      - permissions
      - proxy_cache
      - quota
      - repositories
      - robots
      - tags
      - teams
      - user
      - users
    default: [capabilities]
  organizations:
    description: Organizations that are meant. Without it, all for a superuser, and for others those that they administer.
    type: list
    elements: str
  repository:
    description: Repository whose tags are meant, like V(prod/app).
    type: str
seealso:
  - module: quayside.airgap.quay_export
"""

EXAMPLES = r"""
- name: Which Quay is it?
  quayside.airgap.quay_info:
    quay_host: https://quay.example.com
  register: quay

- name: Robots and teams of one organization
  quayside.airgap.quay_info:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    gather: [robots, teams, members]
    organizations: [prod]
"""

RETURN = r"""
capabilities:
  description: Version, features and public configuration. The version is empty before Quay 3.16.
  returned: when gathered
  type: dict
  sample:
    url: https://quay.example.com
    version: 3.16.2
    read_only: false
    features:
      PROXY_CACHE: true
    config:
      SERVER_HOSTNAME: quay.example.com
user:
  description: The user who asks.
  returned: when gathered
  type: dict
  sample:
    name: quayadmin
    email: quayadmin@example.com
    superuser: true
    organizations: [prod]
users:
  description: All users.
  returned: when gathered
  type: list
  elements: dict
  sample:
    - name: quayadmin
      email: quayadmin@example.com
      enabled: true
      superuser: true
messages:
  description: Messages that everybody sees.
  returned: when gathered
  type: list
  elements: dict
  sample: []
organizations:
  description: Organizations with what was gathered of them, as in a document of M(quayside.airgap.quay_state).
  returned: when anything of organizations is gathered
  type: list
  elements: dict
  sample:
    - name: prod
      robots:
        - name: ci
          description: pushes
tags:
  description: Live tags of O(repository).
  returned: when gathered
  type: list
  elements: dict
  sample:
    - name: latest
      digest: sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
      expiration: never
      immutable: false
"""

from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.module import (
    create_module,
    quay_rules,
    quay_spec,
    run_quay,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient
from ansible_collections.quayside.airgap.plugins.module_utils.quay.info import InfoTask, gather, subjects


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_spec(),
            gather={"type": "list", "elements": "str", "choices": list(subjects()), "default": ["capabilities"]},
            organizations={"type": "list", "elements": "str"},
            repository={"type": "str"},
        ),
        **quay_rules(),
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        params = module.params
        task = InfoTask(frozenset(params["gather"]), params["organizations"], params["repository"] or "")
        return {"changed": False, **gather(quay, task)}

    run_quay(module, call)


if __name__ == "__main__":
    main()
