#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_discover
short_description: Find what a Quay has that can be copied to other registries
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Looks through a Quay with its API and gives what M(quayside.airgap.image_mirror) takes to copy all of it, and what
    M(quayside.airgap.quay_state) takes to make the organizations and repositories that are missing where it goes. Changes nothing.
  - A superuser's token finds all organizations where E(FEATURE_SUPERUSERS_FULL_ACCESS) is on, another one those that its user belongs
    to.
  - Tags are not asked for. M(quayside.airgap.image_mirror) lists the active ones itself.
extends_documentation_fragment:
  - quayside.airgap.attributes
  - quayside.airgap.quay
  - quayside.airgap.quay.place
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  source:
    description:
      - Registry, or namespace in it, that is looked through, as M(quayside.airgap.image_mirror) takes it. Images are named with it.
      - Without it, the whole Quay of O(quay_host).
    type: str
  destination:
    description:
      - Where everything will be copied to. Repositories keep their path relative to O(source) there.
      - With a login for its API, a destination is looked at, too. What it does not take is left out, and what it has already is not
        in its document.
    type: list
    elements: dict
    default: []
    suboptions:
      place:
        description: Registry, or namespace in it.
        type: str
        required: true
      writer:
        description: User name that will push. A robot gets the permission to write on missing repositories of its organization.
        type: str
      quay_host:
        description: URL of its API. Without it, the registry of O(destination[].place) with HTTPS.
        type: str
      quay_token:
        description: OAuth access token for its API.
        type: str
      quay_username:
        description: User to log in to its API as, in place of a token.
        type: str
      quay_password:
        description: Password of O(destination[].quay_username).
        type: str
      validate_certs:
        description: Check its TLS certificate.
        type: bool
        default: true
      ca_path:
        description: File (PEM) or folder with certificate authorities that it may use besides the system's.
        type: path
      client_cert:
        description: Client certificate (PEM) for it; may hold the key too.
        type: path
      client_key:
        description: Key that belongs to O(destination[].client_cert), without a passphrase.
        type: path
  include:
    description:
      - Shell patterns for repositories, relative to O(source); V(*) also matches slashes. All when empty.
      - An organization without repositories is found where its name with a slash, like V(prod/), matches.
    type: list
    elements: str
    default: []
  exclude:
    description: Shell patterns for repositories to leave out.
    type: list
    elements: str
    default: []
  user_namespaces:
    description: Take repositories of users, too. A user that O(source) names is always taken.
    type: bool
    default: false
  carry:
    description: What repositories at the destinations shall have as the source has it. It is part of the document then.
    type: list
    elements: str
    choices: [description, visibility]
    default: []
seealso:
  - module: quayside.airgap.image_mirror
  - module: quayside.airgap.quay_state
"""

EXAMPLES = r"""
- name: Find everything but what is in development
  quayside.airgap.quay_discover:
    quay_host: https://quay-a.example.com
    quay_token: "{{ quay_a_token }}"
    destination:
      - place: quay-b.example.com
        quay_token: "{{ quay_b_token }}"
    exclude: ["*-dev"]
    carry: [visibility, description]
  register: found

- name: Make organizations and repositories that are missing
  quayside.airgap.quay_state:
    quay_host: https://quay-b.example.com
    quay_token: "{{ quay_b_token }}"
    document: "{{ found.document }}"

- name: Copy what is missing
  quayside.airgap.image_mirror:
    destination: quay-b.example.com
    images: "{{ found.images }}"
"""

RETURN = r"""
images:
  description:
    - Repositories with active tags, as the option O(quayside.airgap.image_mirror#module:images) takes them. One that not all
      destinations take has a list of those that do.
  returned: success
  type: list
  elements: raw
  sample:
    - quay-a.example.com/prod/app
    - source: quay-a.example.com/prod/db
      destination: [quay-b.example.com/prod/db]
organizations:
  description: Organizations that were found.
  returned: success
  type: list
  elements: str
  sample: [prod]
repositories:
  description: Repositories that were found.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name with the namespace.
      type: str
      sample: prod/app
    visibility:
      description: V(public) or V(private).
      type: str
      sample: private
    description:
      description: Its description.
      type: str
      sample: The application
    repo_state:
      description: V(NORMAL), V(READ_ONLY) or V(MIRROR).
      type: str
      sample: NORMAL
    empty:
      description: Whether it has no active tag.
      type: bool
      sample: false
left_out:
  description: What cannot or need not be copied.
  returned: success
  type: list
  elements: dict
  contains:
    side:
      description: V(source) or V(destination).
      type: str
      sample: source
    registry:
      description: Host and port.
      type: str
      sample: quay-a.example.com
    name:
      description: Organization, user or repository; the first two stand for all their repositories.
      type: str
      sample: dockerhub
    reason:
      description: Why.
      type: str
      sample: the organization is a proxy cache of docker.io
document:
  description:
    - Document for M(quayside.airgap.quay_state) with what is missing at the destination; empty when nothing is. Without O(destination)
      it has everything that was found, under the names of the source.
  returned: with at most one destination
  type: dict
  sample:
    organizations:
      - name: prod
        repositories:
          - name: app
            visibility: private
            description: The application
documents:
  description: Such a document for each destination, in their order.
  returned: with several destinations
  type: list
  elements: dict
  contains:
    place:
      description: The destination.
      type: str
      sample: quay-b.example.com
    document:
      description: Its document.
      type: dict
      sample:
        organizations:
          - name: prod
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.module import (
    create_module,
    quay_rules,
    quay_spec,
    run_quay,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, QuayOptions
from ansible_collections.quayside.airgap.plugins.module_utils.quay.discovery import (
    Destination,
    Discovery,
    DiscoveryTask,
    discover,
)
from ansible_collections.quayside.airgap.plugins.module_utils.registry.selection import Patterns


def _destination(params: Mapping[str, Any], shared: Mapping[str, Any]) -> Destination:
    place = params["place"]
    # templates leave an empty string where nothing was set
    if not (params["quay_token"] or params["quay_username"]):
        return Destination(place, writer=params["writer"] or "")
    options = QuayOptions(
        host=params["quay_host"] or place.partition("/")[0],
        token=params["quay_token"] or None,
        username=params["quay_username"] or None,
        password=params["quay_password"] or None,
        tls=TlsSettings(
            verify=params["validate_certs"],
            ca_path=params["ca_path"] or None,
            client_cert=params["client_cert"] or None,
            client_key=params["client_key"] or None,
        ),
        parallel=shared["parallel"],
        retries=shared["retries"],
        timeout=shared["timeout"],
    )
    return Destination(place, options, params["writer"] or "")


def _results(found: Discovery, task: DiscoveryTask) -> dict[str, Any]:
    places = [entry.place for entry in task.destinations]
    if len(places) > 1:
        documents: dict[str, Any] = {
            "documents": [{"place": place, "document": document} for place, document in zip(places, found.documents)]
        }
    else:
        documents = {"document": found.documents[0]}
    return {
        "changed": False,
        "images": found.images,
        "organizations": found.organizations,
        "repositories": [{"name": entry.full_name, **entry.values, "empty": entry.empty} for entry in found.repositories],
        "left_out": [entry.as_dict() for entry in found.left_out],
        **documents,
    }


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_spec(),
            source={"type": "str"},
            destination={
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "place": {"type": "str", "required": True},
                    "writer": {"type": "str"},
                    "quay_host": {"type": "str"},
                    "quay_token": {"type": "str", "no_log": True},
                    "quay_username": {"type": "str"},
                    "quay_password": {"type": "str", "no_log": True},
                    "validate_certs": {"type": "bool", "default": True},
                    "ca_path": {"type": "path"},
                    "client_cert": {"type": "path"},
                    "client_key": {"type": "path"},
                },
                "mutually_exclusive": [["quay_token", "quay_username"], ["quay_token", "quay_password"]],
                "required_together": [["quay_username", "quay_password"]],
                "required_by": {"client_key": "client_cert"},
            },
            include={"type": "list", "elements": "str", "default": []},
            exclude={"type": "list", "elements": "str", "default": []},
            user_namespaces={"type": "bool", "default": False},
            carry={"type": "list", "elements": "str", "choices": ["description", "visibility"], "default": []},
        ),
        **quay_rules(),
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        params = module.params
        task = DiscoveryTask(
            source=params["source"] or "",
            destinations=[_destination(entry, params) for entry in params["destination"]],
            patterns=Patterns(tuple(params["include"]), tuple(params["exclude"])),
            user_namespaces=params["user_namespaces"],
            carry=frozenset(params["carry"]),
        )
        found = discover(quay, task)
        for text in found.warnings:
            module.warn(text)
        return _results(found, task)

    run_quay(module, call)


if __name__ == "__main__":
    main()
