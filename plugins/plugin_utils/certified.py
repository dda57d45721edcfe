# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests on certified artifacts share: errors in Ansible's words."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.quayside.airgap.plugins.module_utils.certification import conditions
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError


def is_certified(kind: str, value: Any, dump: Any, **versions: Any) -> bool:
    """As :func:`conditions.is_certified`.

    :raises AnsibleFilterError: in the place of what it raises.
    """
    try:
        return conditions.is_certified(kind, value, dump, **versions)
    except AirgapError as error:
        raise AnsibleFilterError(str(error)) from error
