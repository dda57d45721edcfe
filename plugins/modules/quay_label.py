#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_label
short_description: Manage labels of images in a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Adds, replaces and deletes labels that Quay keeps for an image. The image itself stays as it is, and so does its digest.
  - Labels that the image brings along, from its Containerfile or its annotations, cannot be changed. A task that would have to fails.
  - Labels belong to the manifest, not to the tag; all tags of it have them, and one that is moved to another image leaves them behind.
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
      - The image without the registry, by tag (V(prod/app:1.0)) or digest (V(prod/app@sha256:...)). Without both it is the tag latest.
      - A repository without a namespace lies in the namespace of the user who asks.
    type: str
    required: true
  key:
    description:
      - Key of the label - lower-case letters and digits, with single dots and hyphens between them.
      - Quay keeps some beginnings for itself and for images, C(quay), C(io.quay) and C(org.opencontainers.) among them.
    type: str
    required: true
  value:
    description:
      - Value of the label. One that is JSON gets the media type of it.
      - With O(state=absent), only labels with this value go; without it, all that have the key.
    type: str
  replace:
    description: V(true) takes all other values of the key away, V(false) puts the value beside them.
    type: bool
    default: true
  state:
    description: Whether the label shall be there.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: quayside.airgap.quay_tag
  - module: quayside.airgap.quay_info
    description: Lists the labels of an image.
"""

EXAMPLES = r"""
- name: This image has been tested
  quayside.airgap.quay_label:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    image: prod/app:1.4.2
    key: tested
    value: "{{ now(utc=true, fmt='%Y-%m-%d') }}"

- name: It is approved by one more team
  quayside.airgap.quay_label:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    image: prod/app:1.4.2
    key: approved-by
    value: security
    replace: false

- name: It is not approved by anybody any more
  quayside.airgap.quay_label:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    image: prod/app:1.4.2
    key: approved-by
    state: absent
"""

RETURN = r"""
name:
  description: The image with its namespace, by tag or digest as it was given.
  returned: success
  type: str
  sample: prod/app:1.4.2
digest:
  description: Digest of the manifest that has the label.
  returned: success
  type: str
  sample: sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
objects:
  description: What was changed, and what failed.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  sample:
    - kind: label
      name: prod/app:1.4.2 tested
      state: updated
      fields: [values]
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.labels import wish


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_spec(),
            image={"type": "str", "required": True},
            key={"type": "str", "required": True, "no_log": False},
            value={"type": "str"},
            replace={"type": "bool", "default": True},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        ),
        required_if=[["state", "present", ["value"]]],
        **quay_rules(),
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        wanted = wish(quay, module.params)
        return {**ensure(module, quay, wanted.work), "name": wanted.image.name, "digest": wanted.image.digest}

    run_quay(module, call)


if __name__ == "__main__":
    main()
