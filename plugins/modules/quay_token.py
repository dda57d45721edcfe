#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_token
short_description: Make an access token for the API of a Quay that lasts
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Makes an OAuth access token without a browser and without a look into the database, on every version of Quay. It lasts ten years.
  - Log in with O(quay_username) and O(quay_password) as a user who administers the organization of the application. From Quay 3.18 on
    a token (O(quay_token)) that has all wanted scopes will do as well.
  - Quay never shows a token again. So that a second run does not make another one, keep it in a file (O(path)) or hand it back
    (O(token)); it is tried, and made anew only when Quay does not take it any more.
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
  organization:
    description: Organization that the application belongs to. It must exist.
    type: str
  application:
    description: Name of the application in O(organization) that the token is of. It is made when there is none.
    type: str
    default: quayside.airgap
  client_id:
    description: Client ID of the application, in place of O(application).
    type: str
  scopes:
    description: What the token may do; V(all) stands for everything.
    type: list
    elements: str
    choices: ['org:admin', 'repo:admin', 'repo:create', 'repo:read', 'repo:write', 'super:user', 'user:admin', 'user:read', all]
    default: [all]
    aliases: [rights]
  title:
    description: Name of the token, where Quay has such names (3.18 and later, with O(quay_token)).
    type: str
    default: quayside.airgap
  path:
    description: File that keeps the token, with mode 0600. A token in it that works is used again.
    type: path
  token:
    description: A token that you have already. If it works, it is used again.
    type: str
  force:
    description: Make a new token in any case. The old one goes on working.
    type: bool
    default: false
seealso:
  - module: quayside.airgap.quay_first_user
  - module: quayside.airgap.quay_application
"""

EXAMPLES = r"""
- name: A token for the automation, kept beside the inventory
  quayside.airgap.quay_token:
    quay_host: https://quay.example.com
    quay_username: quayadmin
    quay_password: "{{ quayadmin_password }}"
    organization: admin
    path: "{{ inventory_dir }}/quay.token"
  register: automation
  no_log: true
"""

RETURN = r"""
access_token:
  description: The token. Register it with C(no_log). Missing in check mode if a new one would be made.
  returned: success
  type: str
  sample: W3YDKsMC7EPd7zcjNbiwM8ORUYzGXsWcwhSAHPhG
client_id:
  description: Client ID of the application, if it had to be known.
  returned: success
  type: str
  sample: WKZ4YBLBKIX3SKGSZTZP
path:
  description: File that keeps the token.
  returned: when O(path) is given
  type: str
  sample: /etc/quay/automation.token
"""

from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.module import (
    create_module,
    quay_rules,
    quay_spec,
    run_quay,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import namespace
from ansible_collections.quayside.airgap.plugins.module_utils.quay.tokens import SCOPES, TokenTask, provide


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_spec(),
            organization={"type": "str"},
            application={"type": "str", "default": "quayside.airgap"},
            client_id={"type": "str"},
            scopes={"type": "list", "elements": "str", "choices": [*SCOPES, "all"], "default": ["all"], "aliases": ["rights"]},
            title={"type": "str", "default": "quayside.airgap"},
            path={"type": "path"},
            token={"type": "str", "no_log": True},
            force={"type": "bool", "default": False},
        ),
        required_one_of=[["organization", "client_id"]],
        **quay_rules(),
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        params = module.params
        given = canonical(params, (Field("organization", normal=namespace),))
        task = TokenTask(
            organization=given.get("organization", ""),
            application=params["application"],
            client_id=params["client_id"] or "",
            scopes=SCOPES if "all" in params["scopes"] else tuple(params["scopes"]),
            title=params["title"],
            path=params["path"] or "",
            known=params["token"] or "",
            renew=params["force"],
        )
        token = provide(quay, task, check_mode=module.check_mode)
        found = {"access_token": token.value, "client_id": token.client_id, "path": task.path}
        return {"changed": token.changed, **{name: value for name, value in found.items() if value}}

    run_quay(module, call)


if __name__ == "__main__":
    main()
