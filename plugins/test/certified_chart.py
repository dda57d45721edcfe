# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.quayside.airgap.plugins.plugin_utils.certified import is_certified

DOCUMENTATION = r"""
name: certified_chart
short_description: Whether a chart of Helm is certified
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - True where a dump of the catalog of certified artifacts has the chart, as certsuite would find it.
  - The dump is read where Ansible runs, not on the host of the play. For many questions, with the reasons, use
    M(quayside.airgap.catalog_lookup).
positional: dump
options:
  _input:
    description: The chart, a text C(NAME VERSION [KUBE_VERSION]), or a mapping of C(name), C(version) and C(kube_version).
    type: raw
    required: true
  dump:
    description: Folder of the dump, with C(data) in it, or C(data) itself.
    type: path
    required: true
  kube_version:
    description: Version of Kubernetes, as V(v1.31.6). Charts that are for some versions only cannot be judged without it.
    type: raw
seealso:
  - module: quayside.airgap.catalog_lookup
"""

EXAMPLES = r"""
- name: Stop where a chart is not certified
  ansible.builtin.assert:
    that: chart is quayside.airgap.certified_chart("/srv/offline-catalog", kube_version="v1.31.6")
  vars:
    chart: db-chart 2.1.0
"""

RETURN = r"""
_value:
  description: Whether it is certified.
  type: bool
"""


def certified_chart(value: Any, dump: Any, kube_version: Any = "") -> bool:
    """Whether it is certified."""
    return is_certified("charts", value, dump, kube_version=kube_version)


class TestModule:
    """What Ansible asks for the tests in this file."""

    def tests(self) -> dict[str, Callable[..., bool]]:
        return {"certified_chart": certified_chart}
