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
  - With a login for the API of a Quay, that is looked at too - version, token, its user and scopes, read-only mode.
  - Changes nothing. Whether the credentials may write to a repository shows only when that is done.
extends_documentation_fragment:
  - quayside.airgap.attributes
  - quayside.airgap.registries
  - quayside.airgap.registries.source
  - quayside.airgap.registries.destination
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
  image_set:
    description:
      - An ImageSetConfiguration that will be mirrored, as M(quayside.airgap.image_mirror) takes it. It is checked, and the registries of
        its catalogs and additional images are looked at, too. Those of operators' images are known only when the catalogs are read.
    type: raw
  any_source:
    description:
      - The registries of O(source) hold the same, so that one that is ready is enough. RV(source) is the first of them.
      - O(source_username), O(source_password) and the login for the API are sent to each of them.
    type: bool
    default: false
  source_quay_host:
    description: URL of the API of O(source). Without it, the address that the registry is reached at.
    type: str
  source_quay_token:
    description: OAuth access token for the API of O(source), which must be a Quay.
    type: str
  source_quay_username:
    description: User to log in to the API of O(source) as, in place of a token.
    type: str
  source_quay_password:
    description: Password of O(source_quay_username).
    type: str
  destination_quay_host:
    description: URL of the API of O(destination), which must be a single one then.
    type: str
  destination_quay_token:
    description: OAuth access token for the APIs of O(destination), which must be Quays.
    type: str
  destination_quay_username:
    description: User to log in to the APIs of O(destination) as, in place of a token.
    type: str
  destination_quay_password:
    description: Password of O(destination_quay_username).
    type: str
  create:
    description: Organizations and repositories will be made through the API of O(destination).
    type: bool
    default: false
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

- name: Check an image set, and the registries that it names
  quayside.airgap.registry_preflight:
    image_set: /etc/mirror/imageset.yml
    destination: registry.lab.example:8443/mirror

- name: Take the first of two sites that is ready
  quayside.airgap.registry_preflight:
    source:
      - quay-a.example.com/prod
      - quay-b.example.com/prod
    any_source: true
    source_username: $oauthtoken
    source_password: "{{ quay_token }}"
    source_quay_token: "{{ quay_token }}"
  register: ready
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
    quay:
      description:
        - What its API says, where there is a login for it. C(superuser) needs the scope super:user in the token, too; C(notes) are
          about what the login may not do. The version is empty before Quay 3.16, and the user where the token may not tell.
      type: dict
      sample:
        url: https://quay-a.example.com
        version: 3.18.0
        user: quayadmin
        superuser: true
        notes: []
source:
  description: The first registry of O(source) that is ready.
  returned: always, unless the options were wrong
  type: str
  sample: quay.example.com
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.module import (
    Failure,
    create_module,
    run,
    side_options,
    sides_rules,
    sides_spec,
    wire_options,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayOptions
from ansible_collections.quayside.airgap.plugins.module_utils.quay.preflight import ApiCheck, look_at_apis
from ansible_collections.quayside.airgap.plugins.module_utils.registry.preflight import PreflightTask, check


def _api_spec() -> dict[str, Any]:
    spec: dict[str, Any] = {}
    for side in ("source", "destination"):
        spec[f"{side}_quay_host"] = {"type": "str"}
        spec[f"{side}_quay_token"] = {"type": "str", "no_log": True}
        spec[f"{side}_quay_username"] = {"type": "str"}
        spec[f"{side}_quay_password"] = {"type": "str", "no_log": True}
    return spec


def _api_check(params: Mapping[str, Any], side: str) -> ApiCheck | None:
    """The APIs of a side; None where there is no login for them."""
    # templates leave an empty string where nothing was set
    token, username = params[f"{side}_quay_token"] or None, params[f"{side}_quay_username"] or None
    if not (token or username):
        return None
    places = [text for text in params[side] if text]
    host = params[f"{side}_quay_host"] or ""
    if host and len(places) > 1:
        raise InputError(f"{side}_quay_host", f"there are several in {side}, which cannot all have it", "Leave it out, or name one.")
    options = QuayOptions(
        host=host,
        token=token,
        username=username,
        password=params[f"{side}_quay_password"] or None,
        tls=side_options(params, side).tls,
        parallel=params["parallel"],
        retries=params["retries"],
        timeout=params["timeout"],
    )
    return ApiCheck(side, places, options, create=side == "destination" and params["create"])


def _places_read(params: Mapping[str, Any]) -> list[str]:
    """What an image set reads, as far as it says so itself."""
    # imported where it is used: reading it takes as long as all the rest of a look at a registry
    from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config import load_image_set
    from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_model import MIRROR_KIND
    from ansible_collections.quayside.airgap.plugins.module_utils.imageset.documents import document
    from ansible_collections.quayside.airgap.plugins.module_utils.imageset.places import places_read

    for name in ("images", "any_source"):
        if params[name]:
            raise InputError(name, "an image set names its images itself, and needs all of its sources", "Look at it in a task of its own.")
    image_set = document(params["image_set"])
    return places_read(load_image_set(image_set, kind=MIRROR_KIND)) if image_set is not None else []


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            sides_spec(),
            source={"type": "list", "elements": "str", "default": []},
            destination={"type": "list", "elements": "str", "default": []},
            images={"type": "list", "elements": "raw", "default": []},
            image_set={"type": "raw"},
            any_source={"type": "bool", "default": False},
            create={"type": "bool", "default": False},
            **_api_spec(),
        ),
        **_rules(),
    )

    def call() -> dict[str, Any]:
        params = module.params
        sources, destinations = ([text for text in params[side] if text] for side in ("source", "destination"))
        further: list[str] = []
        if params["image_set"]:
            further = _places_read(params)
            if not (sources or destinations or further):
                # all of it is on disk
                return {"changed": False, "registries": [], "source": ""}
        checks = [found for side in ("source", "destination") for found in [_api_check(params, side)] if found]
        result = check(
            PreflightTask(
                sources=sources,
                destinations=destinations,
                images=params["images"],
                further=further,
                source=side_options(params, "source"),
                destination=side_options(params, "destination"),
                wire=wire_options(params),
                registries_conf=params["registries_conf"],
                any_source=params["any_source"],
            )
        )
        look_at_apis(result.findings, checks)
        if result.problems:
            raise Failure(result.message(), result.as_results())
        for text in result.passed_over:
            module.warn(text)
        return result.as_results()

    run(module, call)


def _rules() -> dict[str, Any]:
    rules = sides_rules()
    sides = ("source", "destination")
    alone = [[f"{side}_quay_token", f"{side}_quay_{name}"] for side in sides for name in ("username", "password")]
    pairs = [[f"{side}_quay_username", f"{side}_quay_password"] for side in sides]
    return {**rules, "mutually_exclusive": alone, "required_together": [*rules["required_together"], *pairs]}


if __name__ == "__main__":
    main()
