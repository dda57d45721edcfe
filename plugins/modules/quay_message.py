#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_message
short_description: Manage the messages that a Quay shows to everybody
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Writes, replaces and deletes messages that Quay shows on every page, for superusers with a token that has the scope C(super:user).
  - Quay cannot change a message, so that one that differs is deleted, and written again.
  - A message that is there more than once is shown once afterwards.
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
  content:
    description:
      - Text of the message.
      - Without O(regexp) and O(search_string) it also says which messages are meant, those with exactly this text.
    type: str
  severity:
    description:
      - How much the message matters. If not given, it is that of the message which is replaced, or V(info) for a new one.
      - With O(state=absent), only messages of this severity are meant.
    type: str
    choices: [info, warning, error]
  format:
    description:
      - How the text is written. If not given, it is that of the message which is replaced, or V(plain) for a new one.
      - With O(state=absent), only messages of this format are meant.
    type: str
    choices: [markdown, plain]
    aliases: [media_type]
  regexp:
    description:
      - Regular expression of Python that is searched in the texts of the messages, to find those that are meant.
      - Mutually exclusive with O(search_string).
    type: str
    aliases: [regex]
  search_string:
    description: Part of the text of the messages that are meant.
    type: str
  search_severity:
    description: Only messages of this severity are meant. Alone, all of them.
    type: str
    choices: [info, warning, error]
  state:
    description:
      - V(present) leaves one message of those that are meant, which says what the options say; the others are deleted. Where there is
        none, it is written.
      - V(absent) deletes all that are meant.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: quayside.airgap.quay_state
"""

EXAMPLES = r"""
- name: A message
  quayside.airgap.quay_message:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    content: Maintenance on Sunday from 6 to 8
    severity: warning

- name: It takes longer
  quayside.airgap.quay_message:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    search_string: Maintenance on Sunday
    content: Maintenance on Sunday from 6 to 10

- name: It is over
  quayside.airgap.quay_message:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    regexp: ^Maintenance
    state: absent
"""

RETURN = r"""
objects:
  description: What was changed, and what failed. The name of a message is its severity with the beginning of its text.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  sample:
    - kind: message
      name: "warning: Maintenance on Sunday from 6 to 8"
      state: created
totals:
  description: How many messages are in each state, of those that are meant.
  returned: always, unless the options were wrong
  type: dict
  sample:
    created: 1
    unchanged: 0
"""

from ansible_collections.quayside.airgap.plugins.module_utils.module import (
    create_module,
    ensure,
    quay_rules,
    quay_spec,
    run_quay,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.messages import wish


def main() -> None:
    """Run as a module."""
    severities = ["info", "warning", "error"]
    rules = quay_rules()
    rules["mutually_exclusive"] = [*rules["mutually_exclusive"], ["regexp", "search_string"]]
    module = create_module(
        dict(
            quay_spec(),
            content={"type": "str"},
            severity={"type": "str", "choices": severities},
            format={"type": "str", "choices": ["markdown", "plain"], "aliases": ["media_type"]},
            regexp={"type": "str", "aliases": ["regex"]},
            search_string={"type": "str"},
            search_severity={"type": "str", "choices": severities},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        ),
        **rules,
    )
    run_quay(module, lambda quay: ensure(module, quay, wish(quay, module.params)))


if __name__ == "__main__":
    main()
