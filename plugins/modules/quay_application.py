#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_application
short_description: Manage OAuth applications of organizations of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Creates, changes, renames and deletes OAuth applications, and gives them another client secret.
  - Quay lets several applications have the same name. The oldest of them is changed then, with a warning; all are deleted.
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
  name:
    description: Name of the application.
    type: str
    required: true
  new_name:
    description: Name that the application shall have from now on. Where there is one of that name already, this does nothing.
    type: str
  description:
    description: What the application is for.
    type: str
  application_uri:
    description: URL of its home page.
    type: str
  redirect_uri:
    description: What the URLs begin with that Quay may send browsers to with a token.
    type: str
  avatar_email:
    description: E-mail address whose picture the application has. An empty text removes it.
    type: str
  show_secret:
    description: Return the client secret.
    type: bool
    default: false
  reset_secret:
    description:
      - Give the application another client secret, which makes the old one useless at once. This changes something at every run.
      - A new application has a new secret anyway. Tokens of the application stay valid.
    type: bool
    default: false
  state:
    description: Whether the application shall be there. With it go its tokens.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: quayside.airgap.quay_token
  - module: quayside.airgap.quay_state
"""

EXAMPLES = r"""
- name: The application that the pipeline's tokens belong to
  quayside.airgap.quay_application:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    organization: prod
    name: pipeline
    description: Tokens of the pipeline
    redirect_uri: https://pipeline.example.com/oauth
  register: application

- name: Another client secret
  quayside.airgap.quay_application:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    organization: prod
    name: pipeline
    reset_secret: true
    show_secret: true
  register: renewed
  no_log: true
"""

RETURN = r"""
name:
  description: Name of the application.
  returned: success
  type: str
  sample: pipeline
client_id:
  description: Client ID of the application.
  returned: when the application is there, so not in check mode where it would be made
  type: str
  sample: SUJVKUJN5WIP07CAIXAF
client_secret:
  description: Client secret of the application. Register it with C(no_log).
  returned: when O(show_secret) is set, and the application is there and has no new secret in check mode
  type: str
  sample: JBVXLG8XS7UCV1NFKDYPSNGJ4BUESU03GI5OXS2X
objects:
  description: What was changed, and what failed.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
      sample: application
    name:
      description: Name of the object.
      type: str
      sample: prod/pipeline
    state:
      description: V(created), V(updated), V(deleted) or V(failed).
      type: str
      sample: updated
    fields:
      description: What was different.
      type: list
      elements: str
      sample: [description]
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.applications import secret_of, wish
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_spec(),
            organization={"type": "str", "required": True},
            name={"type": "str", "required": True},
            new_name={"type": "str"},
            description={"type": "str"},
            application_uri={"type": "str"},
            redirect_uri={"type": "str"},
            avatar_email={"type": "str"},
            show_secret={"type": "bool", "default": False, "no_log": False},
            reset_secret={"type": "bool", "default": False, "no_log": False},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        ),
        **quay_rules(),
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        wanted = wish(quay, module.params)
        told = ensure(module, quay, wanted.work)
        return secret_of(wanted, told, check_mode=module.check_mode)

    run_quay(module, call)


if __name__ == "__main__":
    main()
