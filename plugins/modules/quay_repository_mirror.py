#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_repository_mirror
short_description: Manage mirrors of repositories of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Keeps a repository like another one, in any registry; starts and cancels synchronizations.
  - Quay does not delete the configuration of a mirror. O(state=absent) disables it and lets the repository take pushes again, and what is
    left is taken into use again by a later task.
  - It needs E(FEATURE_REPO_MIRROR) on, and a token with the scope repo:admin.
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
    description: Repository, like V(prod/app), which must exist. Without a namespace it is one of the user who asks.
    type: str
    required: true
  is_enabled:
    description: Whether it is synchronized. A new mirror is where this is left out.
    type: bool
  external_reference:
    description:
      - The other repository without a scheme and without a tag, like V(quay.io/projectquay/quay).
      - A new mirror needs it.
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
  sync_interval:
    description: Time between two synchronizations, like V(8h) or a number of seconds. A day for a new mirror where this is left out.
    type: str
  sync_start_date:
    description:
      - When a new mirror is synchronized first, like V(2026-01-31T12:00:00Z); at once where this is left out.
      - Quay moves this date on after every synchronization, so that it is not compared.
    type: str
  skopeo_timeout:
    description:
      - Time limit of a synchronization, from V(5m) on, or a number of seconds. V(5m) for a new mirror where this is left out.
      - It has no effect on a Quay that does not know it (before 3.15, except 3.14.7, 3.12.21, 3.10.25 and 3.9.25).
    type: str
    aliases: [skopeo_timeout_interval]
  robot_username:
    description:
      - Robot of the same namespace that writes the images, like V(prod+sync). Quay lets it write to the repository.
      - A new mirror needs it.
    type: str
  image_tags:
    description:
      - Tags that are kept, and patterns of them like V(v1.*).
      - A new mirror needs them.
    type: list
    elements: str
  unsigned_images:
    description: Take images without a signature too.
    type: bool
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
  architecture_filter:
    description:
      - Architectures of multi-architecture images that are kept. An empty list means all.
      - It needs Quay 3.17 or later with E(FEATURE_SPARSE_INDEX) on.
    type: list
    elements: str
    choices: [amd64, arm64, ppc64le, s390x]
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
      - V(absent) ends the mirror. The repository and its images stay.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: quayside.airgap.quay_org_mirror
  - module: quayside.airgap.quay_repository
  - module: quayside.airgap.quay_state
"""

EXAMPLES = r"""
- name: Keep the releases of an image, every eight hours
  quayside.airgap.quay_repository_mirror:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    name: prod/quay
    external_reference: quay.io/projectquay/quay
    robot_username: prod+sync
    image_tags: [latest, v3.*]
    sync_interval: 8h

- name: Get what is new now
  quayside.airgap.quay_repository_mirror:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    name: prod/quay
    force_sync: true
"""

RETURN = r"""
name:
  description: Full name of the repository.
  returned: success
  type: str
  sample: prod/app
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
objects:
  description: What was changed.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
      sample: repository_mirror
    name:
      description: Name of the object.
      type: str
      sample: prod/app
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.repository_mirrors import synchronize, wish


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_spec(),
            name={"type": "str", "required": True},
            is_enabled={"type": "bool"},
            external_reference={"type": "str"},
            external_registry_username={"type": "str"},
            external_registry_password={"type": "str", "no_log": True},
            update_credentials={"type": "str", "choices": ["on_create", "always"], "default": "on_create"},
            sync_interval={"type": "str"},
            sync_start_date={"type": "str"},
            skopeo_timeout={"type": "str", "aliases": ["skopeo_timeout_interval"]},
            robot_username={"type": "str"},
            image_tags={"type": "list", "elements": "str"},
            unsigned_images={"type": "bool"},
            verify_tls={"type": "bool"},
            http_proxy={"type": "str"},
            https_proxy={"type": "str"},
            no_proxy={"type": "str"},
            architecture_filter={"type": "list", "elements": "str", "choices": ["amd64", "arm64", "ppc64le", "s390x"]},
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
