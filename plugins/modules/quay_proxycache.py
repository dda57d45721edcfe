#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_proxycache
short_description: Manage the proxy caches of organizations of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Makes an organization a cache of another registry, and ends that.
  - Quay cannot change a proxy cache, so that one that differs is replaced. It is deleted, and Quay is asked to log in to the registry,
    which it does only where there is none; if that fails, the former one is put back, without credentials, since Quay does not tell them.
  - It needs Quay 3.7 or later with E(FEATURE_PROXY_CACHE) on, and a token with the scope org:admin.
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
  registry:
    description:
      - Registry that is cached, without a scheme, like V(quay.io) or V(registry.example.com:5000).
      - With a namespace, V(quay.io/projectquay), only what lies in it is cached.
    type: str
    default: quay.io
  username:
    description: User at that registry. Leave it out where the registry is open.
    type: str
  password:
    description: Password of O(username).
    type: str
  insecure:
    description: Reach the registry without TLS, or without checking its certificate. A new proxy cache does neither.
    type: bool
  expiration:
    description:
      - How long cached images stay, like V(1d), V(12h) or a number of seconds. For a new proxy cache it is a day where this is left out.
    type: str
  validate:
    description: Let Quay log in to the registry before the proxy cache is created.
    type: bool
    default: true
  update_credentials:
    description:
      - Quay does not give credentials back, so that nobody can tell whether they are the right ones.
      - V(on_create) writes them when something else is written too, V(always) with every task, which is changed every time then.
    type: str
    choices: [on_create, always]
    default: on_create
  state:
    description:
      - V(absent) ends the proxy cache. What has been cached stays until it expires.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: quayside.airgap.quay_org
  - module: quayside.airgap.quay_state
"""

EXAMPLES = r"""
- name: Cache Docker Hub for two days
  quayside.airgap.quay_proxycache:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    organization: dockerhub
    registry: docker.io
    username: "{{ dockerhub_user }}"
    password: "{{ dockerhub_token }}"
    expiration: 2d

- name: A registry of ours without TLS
  quayside.airgap.quay_proxycache:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    organization: lab
    registry: registry.example.com:5000
    insecure: true
"""

RETURN = r"""
name:
  description: Name of the organization.
  returned: success
  type: str
  sample: dockerhub
objects:
  description: What was changed.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
      sample: proxy_cache
    name:
      description: Name of the object.
      type: str
      sample: dockerhub
    state:
      description: V(created), V(updated), V(deleted) or V(failed).
      type: str
      sample: updated
    fields:
      description: What was different.
      type: list
      elements: str
      sample: [expiration]
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.proxy_caches import wish


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_spec(),
            organization={"type": "str", "required": True},
            registry={"type": "str", "default": "quay.io"},
            username={"type": "str"},
            password={"type": "str", "no_log": True},
            insecure={"type": "bool"},
            expiration={"type": "str"},
            validate={"type": "bool", "default": True},
            update_credentials={"type": "str", "choices": ["on_create", "always"], "default": "on_create"},
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
