#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_org_mirror
short_description: Manage mirrors of whole organizations of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Keeps an organization like a namespace of another registry, repositories and all; starts and cancels synchronizations.
  - While it is a mirror, an organization takes no other repositories and no proxy cache.
  - It needs Quay 3.17 or later with E(FEATURE_ORG_MIRROR) on, and a token with the scope org:admin.
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
  is_enabled:
    description: Whether it is synchronized. A new mirror is where this is left out.
    type: bool
  external_registry_type:
    description: What the other registry is. A new mirror needs it, and Quay cannot change it.
    type: str
    choices: [quay, harbor]
  external_registry_url:
    description: URL of the other registry, like V(https://quay.io). A new mirror needs it. With V(http://) it needs O(verify_tls=false).
    type: str
  external_namespace:
    description: Namespace or project in the other registry. A new mirror needs it.
    type: str
  external_registry_username:
    description: User at the other registry. An empty text removes the credentials.
    type: str
  external_registry_password:
    description: Password of O(external_registry_username).
    type: str
  update_credentials:
    description:
      - Quay does not give credentials back, so that nobody can tell whether they are the right ones.
      - V(on_create) writes them when something else is written too, V(always) with every task, which is changed every time then.
    type: str
    choices: [on_create, always]
    default: on_create
  robot_username:
    description: Robot of the organization that writes the images, like V(prod+sync). A new mirror needs it.
    type: str
  visibility:
    description: Who may pull from mirrored repositories. V(public) for a new mirror where this is left out.
    type: str
    choices: [public, private]
  repository_filters:
    description: Patterns of the repositories that are mirrored, like V(web*). An empty list means all.
    type: list
    elements: str
  sync_interval:
    description:
      - Time between two synchronizations, like V(8h) or a number of seconds; a minute or more. A day for a new mirror where this is left
        out.
    type: str
  sync_start_date:
    description:
      - When a new mirror is synchronized first, like V(2026-01-31T12:00:00Z); at once where this is left out.
      - Quay moves this date on after every synchronization, so that it is not compared.
    type: str
  skopeo_timeout:
    description: Time limit for the synchronization of a repository, from V(30s) to V(1h), or a number of seconds.
    type: str
    aliases: [skopeo_timeout_interval]
  verify_tls:
    description: Check the TLS certificate of the other registry. A new mirror does.
    type: bool
  http_proxy:
    description: Proxy for HTTP. An empty text removes it.
    type: str
  https_proxy:
    description: Proxy for HTTPS. An empty text removes it.
    type: str
  no_proxy:
    description: Hosts that are reached without a proxy, joined by commas. An empty text removes them.
    type: str
  verify:
    description: Let Quay connect to the other registry, and fail if it cannot. Check mode does not.
    type: bool
    default: false
  force_sync:
    description: Start a synchronization now, if none is waiting or under way. The task is changed then.
    type: bool
    default: false
  cancel_sync:
    description: Cancel the synchronization that is waiting or under way, if there is one.
    type: bool
    default: false
  state:
    description:
      - V(absent) ends the mirror. The repositories and their images stay, and take pushes again.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: quayside.airgap.quay_repository_mirror
  - module: quayside.airgap.quay_state
"""

EXAMPLES = r"""
- name: Keep the public part of a project
  quayside.airgap.quay_org_mirror:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    organization: projectquay
    external_registry_type: quay
    external_registry_url: https://quay.io
    external_namespace: projectquay
    robot_username: projectquay+sync
    visibility: private
    repository_filters: [quay*, clair]
    verify: true
"""

RETURN = r"""
name:
  description: Name of the organization.
  returned: success
  type: str
  sample: prod
sync_status:
  description: V(NEVER_RUN), V(SYNC_NOW), V(SYNCING), V(SUCCESS), V(FAIL) or V(CANCEL).
  returned: when O(state=present), unless check mode foretells a change
  type: str
  sample: SUCCESS
sync_retries_remaining:
  description: How often Quay tries again after a failure.
  returned: when O(state=present), unless check mode foretells a change
  type: int
  sample: 3
next_sync:
  description: When the next synchronization is due.
  returned: when O(state=present), unless check mode foretells a change
  type: str
  sample: "2026-11-21T00:00:00.827674Z"

repositories:
  description: How many repositories are in which state of synchronization.
  returned: when O(state=present), unless check mode foretells a change
  type: dict
  sample:
    SUCCESS: 12
    FAIL: 1
objects:
  description: What was changed.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
      sample: organization_mirror
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
      sample: [sync_interval]
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.organization_mirrors import synchronize, wish


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_spec(),
            organization={"type": "str", "required": True},
            is_enabled={"type": "bool"},
            external_registry_type={"type": "str", "choices": ["quay", "harbor"]},
            external_registry_url={"type": "str"},
            external_namespace={"type": "str"},
            external_registry_username={"type": "str"},
            external_registry_password={"type": "str", "no_log": True},
            update_credentials={"type": "str", "choices": ["on_create", "always"], "default": "on_create"},
            robot_username={"type": "str"},
            visibility={"type": "str", "choices": ["public", "private"]},
            repository_filters={"type": "list", "elements": "str"},
            sync_interval={"type": "str"},
            sync_start_date={"type": "str"},
            skopeo_timeout={"type": "str", "aliases": ["skopeo_timeout_interval"]},
            verify_tls={"type": "bool"},
            http_proxy={"type": "str"},
            https_proxy={"type": "str"},
            no_proxy={"type": "str"},
            verify={"type": "bool", "default": False},
            force_sync={"type": "bool", "default": False},
            cancel_sync={"type": "bool", "default": False},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        ),
        **quay_rules(),
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        work, place = wish(quay, module.params)
        told = ensure(module, quay, work)
        return synchronize(quay, place, module.params, told, check_mode=module.check_mode)

    run_quay(module, call)


if __name__ == "__main__":
    main()
