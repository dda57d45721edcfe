# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the action plugins of modules with long work share: they show the module's progress file while it runs."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.quayside.airgap.plugins.plugin_utils.progress import ProgressDisplay


class ProgressAction(ActionBase):
    """Runs the module of the same name, and reads its progress file meanwhile where that lies on this machine."""

    _supports_async = True
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module; see :class:`ActionBase`."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        in_background = bool(self._task.async_val)
        if self._connection.transport != "local" or in_background or self._play_context.become:
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=in_background))
            return result
        with tempfile.TemporaryDirectory(prefix="quayside-airgap-") as folder:
            path = arguments.setdefault("progress_file", os.path.join(folder, "progress.json"))
            host = (task_vars or {}).get("inventory_hostname", "localhost")
            with ProgressDisplay(str(path), lambda line: Display().display(f"{host} | {line}")):
                result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        return result
