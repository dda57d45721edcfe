#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_preflight
short_description: Check that registries can be reached and let us in
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Looks at every registry of a copy before it begins - host name, port, TLS, distribution API, login - and reports all problems
    together.
  - Changes nothing. Whether the credentials may write to a repository shows only when that is done.
extends_documentation_fragment:
  - quayside.airgap.attributes
  - quayside.airgap.registries
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  source:
    description: Registries, or namespaces in them, that will be read.
    type: list
    elements: str
    default: []
  destination:
    description: Registries, or namespaces in them, that will be written.
    type: list
    elements: str
    default: []
  images:
    description:
      - Images that will be copied, as M(quayside.airgap.image_mirror) takes them. The registries that they name are looked at too.
      - One without a registry lies under O(source), which must be a single one then.
    type: list
    elements: raw
    default: []
seealso:
  - module: quayside.airgap.image_mirror
"""

EXAMPLES = r"""
- name: Know before the night begins
  quayside.airgap.registry_preflight:
    source: quay.example.com
    destination:
      - quay-a.example.com/prod
      - quay-b.example.com/prod
    destination_username: prod+mirror
    destination_password: "{{ robot_token }}"
"""

RETURN = r"""
registries:
  description: What was found, for each registry and side.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  contains:
    side:
      description: V(source) or V(destination).
      type: str
      sample: destination
    registry:
      description: Host and port.
      type: str
      sample: quay-a.example.com
    url:
      description: Base URL as far as the registry was reached; empty otherwise.
      type: str
      sample: https://quay-a.example.com
    problem:
      description: What is wrong; empty when all is well.
      type: str
      sample: ""
"""

from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.module import (
    Failure,
    create_module,
    run,
    side_options,
    sides_rules,
    sides_spec,
    wire_options,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.preflight import PreflightTask, check


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            sides_spec(),
            source={"type": "list", "elements": "str", "default": []},
            destination={"type": "list", "elements": "str", "default": []},
            images={"type": "list", "elements": "raw", "default": []},
        ),
        **sides_rules(),
    )

    def call() -> dict[str, Any]:
        params = module.params
        result = check(
            PreflightTask(
                sources=[text for text in params["source"] if text],
                destinations=[text for text in params["destination"] if text],
                images=params["images"],
                source=side_options(params, "source"),
                destination=side_options(params, "destination"),
                wire=wire_options(params),
                registries_conf=params["registries_conf"],
            )
        )
        if result.problems:
            raise Failure(result.message(), result.as_results())
        return result.as_results()

    run(module, call)


if __name__ == "__main__":
    main()
