#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_state
short_description: Bring a whole Quay into the state that a document describes
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Takes one document with organizations, their robots, teams, repositories, proxy caches, mirrors, quotas, default permissions,
    policies and applications, and users. Reads what is there with as few requests as possible, and changes what differs, many
    objects at once.
  - What the document does not speak of is left as it is. A field that is missing is one without a wish.
  - The failure of one object does not stop those that do not need it. The task fails at the end, and tells of each object what became
    of it; run again, it goes on with what is missing.
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
  document:
    description:
      - The document, as a mapping, or as text with YAML or JSON in it.
      - All its fields stand in C(docs/quay_state.md); C(docs/quay_state.schema.json) is its JSON schema.
    type: raw
  path:
    description: File on the managed host that holds the document, as YAML or JSON; M(quayside.airgap.quay_export) writes such a file.
    type: path
  purge:
    description:
      - Kinds of which objects that the document does not name are deleted. Only in lists that the document has - an organization
        without the key C(robots) keeps its robots, one with an empty list loses them all.
      - V(members) and V(permissions) stand for members of teams and permissions of repositories that the document has.
      - Teams called V(owners) and superusers are never deleted.
    type: list
    elements: str
    choices:
      - applications
      - auto_prune
      - default_permissions
      - immutability
      - members
      - notifications
      - organizations
      - permissions
      - repositories
      - robots
      - teams
      - users
    default: []
  keep_organizations:
    description:
      - Organizations that stay when V(organizations) are purged, though the document does not name them. The one whose application the
        token belongs to should be among them, or in the document.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: The registry as we want it
  quayside.airgap.quay_state:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    document:
      organizations:
        - name: prod
          email: registry-team@example.com
          quota:
            quota: 500GiB
            warning_pct: 80
          robots:
            - name: mirror
              description: Mirrors release images
          teams:
            - name: creators
              role: creator
              members: [prod+mirror]
          repositories:
            - name: app
              visibility: private
              permissions:
                - name: mirror
                  type: robot
                  role: write
        - name: dockerhub
          proxy_cache:
            registry: docker.io

- name: Robots that nobody knows of go
  quayside.airgap.quay_state:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    path: /etc/quay/registry.yml
    purge: [robots]
"""

RETURN = r"""
objects:
  description: What became of every object that did not stay as it was.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
      sample: robot
    name:
      description: Name of the object.
      type: str
      sample: prod+mirror
    state:
      description: V(created), V(updated), V(deleted), V(failed) or V(not_attempted).
      type: str
      sample: created
    fields:
      description: What was different, of updated objects.
      type: list
      elements: str
      sample: [description]
    reason:
      description: Why it failed or was not attempted.
      type: str
      sample: ""
totals:
  description: How many objects are in each state.
  returned: always, unless the options were wrong
  type: dict
  sample:
    created: 5
    unchanged: 120
requests:
  description: How many requests were made.
  returned: always, unless the options were wrong
  type: dict
  sample:
    read: 31
    write: 5
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.wishes import purgeable, read_document, secrets_of, work_of


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_spec(),
            document={"type": "raw"},
            path={"type": "path"},
            purge={"type": "list", "elements": "str", "choices": list(purgeable()), "default": []},
            keep_organizations={"type": "list", "elements": "str", "default": []},
        ),
        libraries=("requests", "yaml"),
        hidden=("document",),
        required_one_of=[["document", "path"]],
        **_exclusive(),
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        # Quay may repeat what it was sent
        module.no_log_values.update(secrets_of(module.params["document"]))
        document = read_document(module.params["document"], module.params["path"])
        module.no_log_values.update(secrets_of(document))
        return ensure(module, quay, work_of(quay, document, module.params["purge"], module.params["keep_organizations"]), counted=True)

    run_quay(module, call)


def _exclusive() -> dict[str, Any]:
    rules = quay_rules()
    return {**rules, "mutually_exclusive": [*rules["mutually_exclusive"], ["document", "path"]]}


if __name__ == "__main__":
    main()
