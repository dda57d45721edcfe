# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows the progress of catalog_dump while it runs. All the work is in the module, which does without this just as well."""

from __future__ import annotations

from ansible_collections.quayside.airgap.plugins.plugin_utils.progress_action import ProgressAction


class ActionModule(ProgressAction):
    """See :class:`ProgressAction`."""
