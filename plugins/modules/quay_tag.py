#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_tag
short_description: Manage tags in a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Adds, moves, expires, protects, deletes and restores tags.
  - Deleting a tag here deletes this tag only. Deleting a manifest with a container client takes every tag of it.
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
  image:
    description:
      - The image without the registry, by tag (V(prod/app:1.0)) or digest (V(prod/app@sha256:...)).
      - A repository without a namespace lies in the namespace of the user who asks.
    type: str
    required: true
  tag:
    description: A tag that shall point to O(image). Without it, the tag in O(image) is the one to manage.
    type: str
  expiration:
    description:
      - When Quay deletes the tag - a moment like V(2026-12-31T23:59:59Z), seconds since 1970, or as O(expiration_format) says.
      - V(never), or an empty text, takes the expiration away.
    type: str
  expiration_format:
    description: Format of O(expiration) for C(strptime), like V(%Y%m%d%H%M.%S), in the local time of the host.
    type: str
  immutable:
    description: Whether the tag can neither be moved nor deleted. Quay 3.17 and later with E(FEATURE_IMMUTABLE_TAGS).
    type: bool
  state:
    description:
      - V(restored) brings a deleted tag back as long as Quay keeps it (see O(quayside.airgap.quay_org#module:time_machine_expiration)),
        to the digest in O(image) or to what it pointed to last.
    type: str
    choices: [present, absent, restored]
    default: present
"""

EXAMPLES = r"""
- name: What was tested is stable from now on
  quayside.airgap.quay_tag:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    image: prod/app:1.4.2
    tag: stable

- name: Somebody deleted it
  quayside.airgap.quay_tag:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    image: prod/app:1.4.2
    state: restored
"""

RETURN = r"""
name:
  description: The tag with its repository.
  returned: success
  type: str
  sample: prod/app:stable
objects:
  description: What was changed, and what failed.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  sample:
    - kind: tag
      name: prod/app:stable
      state: updated
      fields: [digest]
totals:
  description: How many objects are in each state.
  returned: always, unless the options were wrong
  type: dict
  sample:
    updated: 1
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.tags import wish


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_spec(),
            image={"type": "str", "required": True},
            tag={"type": "str"},
            expiration={"type": "str"},
            expiration_format={"type": "str"},
            immutable={"type": "bool"},
            state={"type": "str", "choices": ["present", "absent", "restored"], "default": "present"},
        ),
        **quay_rules(),
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        work, name = wish(quay, module.params)
        return {**ensure(module, quay, work), "name": name}

    run_quay(module, call)


if __name__ == "__main__":
    main()
