# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.quayside.airgap.plugins.plugin_utils.certified import is_certified

DOCUMENTATION = r"""
name: certified_image
short_description: Whether an image is certified
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - True where a dump of the catalog of certified artifacts has the image, as certsuite would find it.
  - The dump is read where Ansible runs, not on the host of the play. For many questions, with the reasons, use
    M(quayside.airgap.catalog_lookup).
positional: dump
options:
  _input:
    description:
      - The image, a text C(registry/repository[:tag][@digest]), a digest alone, or a mapping of C(registry), C(repository), C(tag) and
        C(digest).
    type: raw
    required: true
  dump:
    description: Folder of the dump, with C(data) in it, or C(data) itself.
    type: path
    required: true
seealso:
  - module: quayside.airgap.catalog_lookup
"""

EXAMPLES = r"""
- name: Stop where an image is not certified
  ansible.builtin.assert:
    that: image is quayside.airgap.certified_image("/srv/offline-catalog")
  vars:
    image: registry.connect.redhat.com/example/db:2.1

- name: Show those of a list that are not
  ansible.builtin.debug:
    msg: "{{ images | reject('quayside.airgap.certified_image', '/srv/offline-catalog') | list }}"
"""

RETURN = r"""
_value:
  description: Whether it is certified.
  type: bool
"""


def certified_image(value: Any, dump: Any) -> bool:
    """Whether it is certified."""
    return is_certified("containers", value, dump)


class TestModule:
    """What Ansible asks for the tests in this file."""

    def tests(self) -> dict[str, Callable[..., bool]]:
        return {"certified_image": certified_image}
