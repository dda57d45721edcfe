# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place where libraries from outside the standard library are imported.

ansible-test imports every file of the collection on interpreters that have none of them, and a bare target may lack them
too: the import must succeed there, and the module must say by name what is missing when it starts.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import NamedTuple

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import DependencyError


class _Library(NamedTuple):
    package: str
    needed_for: str


_LIBRARIES = {
    "requests": _Library("requests", "every registry and API call"),
    "urllib3": _Library("urllib3", "every registry and API call"),
    "yaml": _Library("PyYAML", "reading YAML documents"),
}


def load(name: str) -> ModuleType:
    """The imported library.

    :param name: its import name, one of ``requests``, ``urllib3``, ``yaml``.
    :raises DependencyError: when it is not installed.
    """
    library = _LIBRARIES[name]
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DependencyError(
            library.package,
            library.needed_for,
            f"Install it for the interpreter that runs the module, for example with 'python3 -m pip install {library.package}' "
            f"or the distribution's python3-{library.package.lower()} package.",
        ) from error


def load_toml(needed_for: str) -> ModuleType:
    """The TOML reader: ``tomllib`` of Python 3.11 and later, else the library ``tomli``.

    :param needed_for: what wants to read TOML, for the message.
    :raises DependencyError: when there is neither.
    """
    for name in ("tomllib", "tomli"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise DependencyError(
        "tomli",
        needed_for,
        "Python before 3.11 cannot read TOML by itself: install tomli for the interpreter that runs the module.",
    )
