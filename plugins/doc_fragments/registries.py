# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options for reaching registries on one side or both sides of a copy."""

from __future__ import annotations


class ModuleDocFragment:
    """Documents what ``module_utils/module.py`` gives as ``sides_spec``: what the sides share, and each side by itself."""

    DOCUMENTATION = r"""
options:
  authfile:
    description: The only file to take credentials from, in the format of C(podman login) or C(docker login).
    type: path
  parallel:
    description: How many requests are under way at once, from 1 to 64.
    type: int
    default: 16
  retries:
    description:
      - How often a call is made again after a failure that may pass (connection lost, time limit, HTTP status 408, 429, 500, 502,
        503, 504), with growing pauses, or after as long as the server asks for.
    type: int
    default: 5
  timeout:
    description: Seconds of silence after which an answer is given up.
    type: int
    default: 60
"""

    SOURCE = r"""
options:
  source_username:
    description:
      - User name for the source registry. It is sent to the registry of O(source), or, without that option, to the one registry
        that all images come from, and to no other.
      - Without it, credentials are taken from O(authfile), then from the file in the environment variable E(REGISTRY_AUTH_FILE),
        then from C(${XDG_RUNTIME_DIR}/containers/auth.json), C(~/.config/containers/auth.json) and C(~/.docker/config.json),
        credential helpers included.
    type: str
  source_password:
    description: Password or token that belongs to O(source_username).
    type: str
  source_validate_certs:
    description:
      - Check the TLS certificate of source registries.
      - When V(false), plain HTTP is tried too where a registry does not speak TLS.
    type: bool
    default: true
  source_ca_path:
    description: File (PEM) or folder with certificate authorities that source registries may use besides the system's.
    type: path
  source_client_cert:
    description: Client certificate (PEM) for source registries that ask for one; may hold the key too.
    type: path
  source_client_key:
    description: Key that belongs to O(source_client_cert), without a passphrase.
    type: path
  registries_conf:
    description:
      - A C(registries.conf) (version 2) whose mirrors, locations, C(insecure) and C(blocked) settings hold for sources.
      - Without it, the file in E(CONTAINERS_REGISTRIES_CONF) is used, else those in C(~/.config/containers) and
        C(/etc/containers). An empty string means that none is used.
      - Python before 3.11 needs the library C(tomli) to read one that has rules in it.
    type: str
"""

    DESTINATION = r"""
options:
  destination_username:
    description: User name for the registries of O(destination). Without it, credentials are found as for the source.
    type: str
  destination_password:
    description: Password or token that belongs to O(destination_username).
    type: str
  destination_validate_certs:
    description:
      - Check the TLS certificate of destination registries.
      - When V(false), plain HTTP is tried too where a registry does not speak TLS.
    type: bool
    default: true
  destination_ca_path:
    description: File (PEM) or folder with certificate authorities that destination registries may use besides the system's.
    type: path
  destination_client_cert:
    description: Client certificate (PEM) for destination registries that ask for one; may hold the key too.
    type: path
  destination_client_key:
    description: Key that belongs to O(destination_client_cert), without a passphrase.
    type: path
"""
