# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.quayside.airgap.plugins.plugin_utils.certified import is_certified

DOCUMENTATION = r"""
name: certified_operator
short_description: Whether an operator is certified
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - True where a dump of the catalog of certified artifacts has the operator, as certsuite would find it.
  - The dump is read where Ansible runs, not on the host of the play. For many questions, with the reasons, use
    M(quayside.airgap.catalog_lookup).
positional: dump
options:
  _input:
    description: The operator, a text C(CSV_NAME [OCP_VERSION]), or a mapping of C(csv_name) and C(ocp_version).
    type: raw
    required: true
  dump:
    description: Folder of the dump, with C(data) in it, or C(data) itself.
    type: path
    required: true
  ocp_version:
    description:
      - Version of OpenShift, as V(4.18), in quotes. Without it, and without one in the question, any version will do.
    type: raw
seealso:
  - module: quayside.airgap.catalog_lookup
"""

EXAMPLES = r"""
- name: Stop where an operator is not certified
  ansible.builtin.assert:
    that: csv_name is quayside.airgap.certified_operator("/srv/offline-catalog", ocp_version="4.18")
  vars:
    csv_name: db-operator.v2.1.0
"""

RETURN = r"""
_value:
  description: Whether it is certified.
  type: bool
"""


def certified_operator(value: Any, dump: Any, ocp_version: Any = "") -> bool:
    """Whether it is certified."""
    return is_certified("operators", value, dump, ocp_version=ocp_version)


class TestModule:
    """What Ansible asks for the tests in this file."""

    def tests(self) -> dict[str, Callable[..., bool]]:
        return {"certified_operator": certified_operator}
