# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options for reaching the API of a Quay."""

from __future__ import annotations


class ModuleDocFragment:
    """Documents what ``module_utils/module.py`` gives as ``quay_spec`` and ``quay_place_spec``."""

    PLACE = r"""
options:
  quay_host:
    description:
      - URL of the Quay, like V(https://quay.example.com:8443). Without a scheme it is HTTPS.
      - Without this option, the environment variable E(QUAY_HOST) is used.
    type: str
    default: http://127.0.0.1
  validate_certs:
    description:
      - Check the TLS certificate of the Quay.
      - Without this option, the environment variable E(QUAY_VERIFY_SSL) is used.
    type: bool
    default: true
    aliases: [verify_ssl]
  ca_path:
    description: File (PEM) or folder with certificate authorities that the Quay may use besides the system's.
    type: path
  client_cert:
    description: Client certificate (PEM) for a Quay, or a proxy before it, that asks for one; may hold the key too.
    type: path
  client_key:
    description: Key that belongs to O(client_cert), without a passphrase.
    type: path
  timeout:
    description:
      - Seconds of silence after which an answer is given up.
      - Without this option, the environment variable E(QUAY_TIMEOUT) is used.
    type: float
    default: 60.0
  retries:
    description:
      - How often a request is made again after a failure that may pass, with growing pauses.
      - A change whose answer was lost is made again only after a look whether it was made.
    type: int
    default: 5
  parallel:
    description: How many requests are under way at once, from 1 to 64.
    type: int
    default: 16
"""

    DOCUMENTATION = r"""
options:
  quay_token:
    description:
      - OAuth access token. M(quayside.airgap.quay_token) makes one.
      - Without this option, the environment variable E(QUAY_TOKEN) is used.
      - Mutually exclusive with O(quay_username) and O(quay_password).
    type: str
  quay_username:
    description:
      - User to log in as, in place of a token. Quay must know the password itself or by LDAP (E(FEATURE_DIRECT_LOGIN) on).
      - A session costs Quay much less than a token, whose hash it computes at every request.
      - Without this option, the environment variable E(QUAY_USERNAME) is used.
    type: str
  quay_password:
    description:
      - Password of O(quay_username).
      - Without this option, the environment variable E(QUAY_PASSWORD) is used.
    type: str
"""
