#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_app_token
short_description: Manage application-specific tokens of a user of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Makes and deletes tokens that stand for the password of the user who asks when a container client logs in. They are of no use for
    Quay's API; M(quayside.airgap.quay_token) makes those that are.
  - Everybody has only own tokens, superusers too. The feature is E(FEATURE_APP_SPECIFIC_TOKENS), which is on unless it was switched
    off.
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
    description: Name of the token, Quay's title.
    type: str
    required: true
  show_token:
    description: Return a token that was there already, too. A new one is always returned.
    type: bool
    default: false
  state:
    description:
      - V(present) makes a token where there is none of the name, or none that has not expired. How long tokens last is set by
        E(APP_SPECIFIC_TOKEN_EXPIRATION) in Quay's configuration; unless it is, they do not expire.
      - V(absent) deletes all tokens of the name, since Quay takes a name more than once. Nobody can log in with them any more.
    type: str
    choices: [present, absent]
    default: present
notes:
  - An O(quay_token) needs the scope C(user:admin).
seealso:
  - module: quayside.airgap.quay_robot
  - module: quayside.airgap.quay_token
"""

EXAMPLES = r"""
- name: A login for the build host
  quayside.airgap.quay_app_token:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    name: build host
    show_token: true
  register: login
  no_log: true

- name: The build host keeps it
  ansible.builtin.copy:
    content: "{{ login.docker_config | to_json }}"
    dest: /etc/containers/auth.json
    mode: "0600"
  no_log: true

- name: The build host is gone
  quayside.airgap.quay_app_token:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    name: build host
    state: absent
"""

RETURN = r"""
name:
  description: Name of the token.
  returned: success
  type: str
  sample: build host
username:
  description: What to log in as with the token. It is the same for all users and tokens.
  returned: when O(state=present)
  type: str
  sample: $app
token:
  description: The token, the password for container clients. Register it with C(no_log).
  returned: when the token is new or O(show_token) is set, and it is not check mode
  type: str
  sample: 0R1SNW1NX5F80VIKG5GGUNT5P1V1LYD1KGUH7ST8441JLFHD1QX4LZOBO4NBLWOOLN61ILME87LOOT1FIXBKU98P90GQE77BUVSI90SRSPKBZOZEU4O5IL17
docker_config:
  description:
    - The login as container clients keep it in their files (C(auth.json), C(config.json), and pull secrets of Kubernetes).
    - It holds for the name that Quay has for itself (E(SERVER_HOSTNAME)), and for the one in O(quay_host) where Quay does not tell.
  returned: with RV(token)
  type: dict
  sample:
    auths:
      quay.example.com:
        auth: JGFwcDowUjFTTlcxTlg1RjgwVklLRzVHR1VOVDVQ
uuid:
  description: Quay's own name of the token.
  returned: when O(state=present), and it is not a new one in check mode
  type: str
  sample: 02c786cf-2c3e-4414-b930-7a1ec4840fd3
created:
  description: When it was made, in UTC.
  returned: with RV(uuid)
  type: str
  sample: "2026-11-20T22:05:50Z"
expiration:
  description: When it stops working, in UTC, or V(never).
  returned: with RV(uuid)
  type: str
  sample: never
last_accessed:
  description: When somebody logged in with it last, in UTC; null where nobody has.
  returned: with RV(uuid)
  type: str
  sample: "2026-11-21T06:30:00Z"
objects:
  description: What was changed, and what failed.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  sample:
    - kind: app_token
      name: build host
      state: created
totals:
  description: How many objects are in each state.
  returned: always, unless the options were wrong
  type: dict
  sample:
    created: 1
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
from ansible_collections.quayside.airgap.plugins.module_utils.quay.app_tokens import results_of, wish
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_spec(),
            name={"type": "str", "required": True},
            show_token={"type": "bool", "default": False, "no_log": False},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        ),
        **quay_rules(),
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        work = wish(quay, module.params)
        told = ensure(module, quay, work)
        return results_of(quay, work, told, show_token=module.params["show_token"], check_mode=module.check_mode)

    run_quay(module, call)


if __name__ == "__main__":
    main()
