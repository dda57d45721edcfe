#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_first_user
short_description: Make the first user of an empty Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Makes the first user of a Quay that has none, and gives an access token for the next tasks if one is wanted.
  - Quay must be configured with E(FEATURE_USER_INITIALIZE), and the user is a superuser only if its E(SUPER_USERS) names it.
  - A Quay that has users is left as it is; the task fails if this user is not among them.
  - In check mode Quay is asked only whether the user exists.
extends_documentation_fragment:
  - quayside.airgap.attributes
  - quayside.airgap.quay.place
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  username:
    description: Name of the user.
    type: str
    required: true
  password:
    description:
      - Password of the user, of at least 8 characters without white space.
      - Exactly one of this and O(path) is needed.
    type: str
  path:
    description:
      - File on the managed host that holds the password.
      - Where it is not there and Quay is empty, a password is made up and stored in it, with mode 0600, before the user is made.
    type: path
  email:
    description: E-mail address of the user. Quay demands one if it sends mail (E(FEATURE_MAILING)).
    type: str
    default: ""
  create_token:
    description:
      - Also make an access token, with all scopes, that lasts two and a half hours. M(quayside.airgap.quay_token) makes one that lasts.
    type: bool
    default: false
seealso:
  - module: quayside.airgap.quay_token
"""

EXAMPLES = r"""
- name: The first user
  quayside.airgap.quay_first_user:
    quay_host: https://quay.example.com
    username: quayadmin
    password: "{{ quayadmin_password }}"
    email: quayadmin@example.com
    create_token: true
  register: first_user
  no_log: true

- name: The first user, with a password that nobody has to think of
  quayside.airgap.quay_first_user:
    quay_host: https://quay.example.com
    username: quayadmin
    path: /etc/quay/quayadmin.password
  no_log: true
"""

RETURN = r"""
username:
  description: Name of the user.
  returned: success
  type: str
  sample: quayadmin
email:
  description: The e-mail address that was asked for.
  returned: success
  type: str
  sample: quayadmin@example.com
path:
  description: File that holds the password.
  returned: when O(path) is given
  type: str
  sample: /etc/quay/quayadmin.password
password:
  description: The password. Register it with C(no_log). Missing in check mode if one would be made up.
  returned: when O(path) is given
  type: str
  sample: n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is
access_token:
  description: Access token that lasts two and a half hours. Register it with C(no_log).
  returned: when the user was made and O(create_token) is set
  type: str
  sample: W3YDKsMC7EPd7zcjNbiwM8ORUYzGXsWcwhSAHPhG
encrypted_password:
  description: Encrypted password for logging in with a container client. Register it with C(no_log).
  returned: when the user was made
  type: str
  sample: FLrWKW5rsRWBeX1Lra3aZXAFVdoJBCYTiBrmhYMzKVSvhDIeSBkJWYwLC0B5BC3k
"""

from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.module import (
    create_module,
    quay_options,
    quay_place_rules,
    quay_place_spec,
    run,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import user
from ansible_collections.quayside.airgap.plugins.module_utils.quay.tokens import FirstUser, initialize


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_place_spec(),
            username={"type": "str", "required": True},
            password={"type": "str", "no_log": True},
            path={"type": "path"},
            email={"type": "str", "default": ""},
            create_token={"type": "bool", "default": False, "no_log": False},
        ),
        required_one_of=[["password", "path"]],
        mutually_exclusive=[["password", "path"]],
        **quay_place_rules(),
    )

    def call() -> Any:
        params = module.params
        name = canonical(params, (Field("username", normal=user),))["username"]
        wanted = FirstUser(name, params["password"] or "", params["email"], params["create_token"], params["path"] or "")
        return initialize(quay_options(params), wanted, check_mode=module.check_mode)

    run(module, call)


if __name__ == "__main__":
    main()
