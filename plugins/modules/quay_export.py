#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_export
short_description: Write an existing Quay as a document
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Reads a Quay and gives the document with which M(quayside.airgap.quay_state) makes another one like it, or this one again.
  - Passwords and tokens cannot be read from a Quay. What they belong to is exported without them, with a warning.
  - Repositories of an organization that mirrors another registry as a whole are left out, since the mirror makes them.
  - Users are part of the whole export of a superuser, where Quay keeps users itself and not a directory. Superusers, whom only
    C(config.yaml) makes, are left out.
extends_documentation_fragment:
  - quayside.airgap.attributes
  - quayside.airgap.quay
  - quayside.airgap.quay.place
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  organizations:
    description:
      - Organizations to export, and nothing else.
      - Without it, all for a superuser, and for others those that they administer.
    type: list
    elements: str
  exclude:
    description: What to leave out. Permissions cost two requests for each repository, members one for each team.
    type: list
    elements: str
    choices:
      - applications
      - auto_prune
      - default_permissions
      - immutability
      - members
      - mirror
      - notifications
      - organizations
      - permissions
      - proxy_cache
      - quota
      - repositories
      - robots
      - teams
      - users
    default: []
  path:
    description:
      - File to write on the managed host, as JSON where its name ends with C(.json), else as YAML; with mode 0600.
      - Without it, the document is returned.
    type: path
seealso:
  - module: quayside.airgap.quay_state
"""

EXAMPLES = r"""
- name: Keep a copy of the configuration
  quayside.airgap.quay_export:
    quay_host: https://quay-a.example.com
    quay_token: "{{ quay_a_token }}"
    path: /var/backups/quay-a.yml

- name: Make the secondary like it
  quayside.airgap.quay_state:
    quay_host: https://quay-b.example.com
    quay_token: "{{ quay_b_token }}"
    path: /var/backups/quay-a.yml
"""

RETURN = r"""
document:
  description: The document.
  returned: when O(path) is not given
  type: dict
  sample:
    organizations:
      - name: prod
        email: registry-team@example.com
path:
  description: File that was written.
  returned: when O(path) is given
  type: str
  sample: /var/backups/quay-a.yml
counts:
  description: How many entries the document has.
  returned: success
  type: dict
  sample:
    organizations: 12
    repositories: 340
"""

from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.module import (
    create_module,
    quay_rules,
    quay_spec,
    run_quay,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient
from ansible_collections.quayside.airgap.plugins.module_utils.quay.export import (
    Export,
    ExportTask,
    counts,
    excludable,
    write,
)


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_spec(),
            organizations={"type": "list", "elements": "str"},
            exclude={"type": "list", "elements": "str", "choices": list(excludable()), "default": []},
            path={"type": "path"},
        ),
        libraries=("requests", "yaml"),
        **quay_rules(),
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        params = module.params
        export = Export(quay, ExportTask(params["organizations"], frozenset(params["exclude"])))
        document = export.run()
        for text in export.warnings:
            module.warn(text)
        found = {"counts": counts(document)}
        if not params["path"]:
            return {"changed": False, "document": document, **found}
        changed, before, after = write(document, params["path"], check_mode=module.check_mode)
        return {"changed": changed, "path": params["path"], "diff": {"before": before, "after": after}, **found}

    run_quay(module, call)


if __name__ == "__main__":
    main()
