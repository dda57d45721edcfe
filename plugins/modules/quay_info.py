#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: quay_info
short_description: Gather what can be known of a Quay
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Gives version and features, the user who asks, and whatever M(quayside.airgap.quay_state) can manage. Changes nothing.
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
  gather:
    description:
      - What to gather. V(capabilities) needs no login, V(users) a superuser.
      - Everything that lies in organizations is returned in RV(organizations), where V(members) are with their teams, and
        V(permissions) and V(notifications) with their repositories.
      - V(labels), V(layers), V(pull_statistics) and V(vulnerabilities) are those of O(image). For V(pull_statistics) Quay must be 3.16
        or later with E(FEATURE_IMAGE_PULL_STATS), for V(vulnerabilities) have E(FEATURE_SECURITY_SCANNER); the task fails where it is not
        so.
    type: list
    elements: str
    choices:
      - applications
      - auto_prune
      - capabilities
      - default_permissions
      - immutability
      - labels
      - layers
      - members
      - messages
      - mirror
      - notifications
      - organizations
      - permissions
      - proxy_cache
      - pull_statistics
      - quota
      - repositories
      - robots
      - tags
      - teams
      - user
      - users
      - vulnerabilities
    default: [capabilities]
  organizations:
    description: Organizations that are meant. Without it, all for a superuser, and for others those that they administer.
    type: list
    elements: str
  repository:
    description: Repository whose tags are meant, like V(prod/app).
    type: str
  image:
    description:
      - The image that is meant, without the registry, by tag (V(prod/app:1.0)) or digest (V(prod/app@sha256:...)). Without both it is
        the tag latest.
      - A repository without a namespace lies in the namespace of the user who asks.
    type: str
seealso:
  - module: quayside.airgap.quay_export
"""

EXAMPLES = r"""
- name: Which Quay is it?
  quayside.airgap.quay_info:
    quay_host: https://quay.example.com
  register: quay

- name: Robots and teams of one organization
  quayside.airgap.quay_info:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    gather: [robots, teams, members]
    organizations: [prod]

- name: What did the scanner find?
  quayside.airgap.quay_info:
    quay_host: https://quay.example.com
    quay_token: "{{ quay_token }}"
    gather: [vulnerabilities]
    image: prod/app:1.4.2
  register: scan

- name: Nothing critical goes on from here
  ansible.builtin.assert:
    that:
      - scan.vulnerabilities.status == 'scanned'
      - scan.vulnerabilities.totals.Critical | default(0) == 0
"""

RETURN = r"""
capabilities:
  description: Version, features and public configuration. The version is empty before Quay 3.16.
  returned: when gathered
  type: dict
  sample:
    url: https://quay.example.com
    version: 3.16.2
    read_only: false
    features:
      PROXY_CACHE: true
    config:
      SERVER_HOSTNAME: quay.example.com
user:
  description: The user who asks.
  returned: when gathered
  type: dict
  sample:
    name: quayadmin
    email: quayadmin@example.com
    superuser: true
    organizations: [prod]
users:
  description: All users.
  returned: when gathered
  type: list
  elements: dict
  sample:
    - name: quayadmin
      email: quayadmin@example.com
      enabled: true
      superuser: true
messages:
  description: Messages that everybody sees.
  returned: when gathered
  type: list
  elements: dict
  sample: []
organizations:
  description: Organizations with what was gathered of them, as in a document of M(quayside.airgap.quay_state).
  returned: when anything of organizations is gathered
  type: list
  elements: dict
  sample:
    - name: prod
      robots:
        - name: ci
          description: pushes
tags:
  description: Live tags of O(repository).
  returned: when gathered
  type: list
  elements: dict
  sample:
    - name: latest
      digest: sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
      expiration: never
      immutable: false
labels:
  description: Labels of O(image), sorted by key and value.
  returned: when gathered
  type: list
  elements: dict
  contains:
    id:
      description: Quay's own name of the label.
      returned: always
      type: str
    key:
      description: Its key, which several may have.
      returned: always
      type: str
    value:
      description: Its value.
      returned: always
      type: str
    source_type:
      description: V(manifest) for what the image brings along and nobody can change, V(api) for what was added in Quay.
      returned: always
      type: str
    media_type:
      description: V(text/plain) or V(application/json).
      returned: always
      type: str
  sample:
    - id: 7a6e39cd-bc5c-4e14-afb0-115eecd5651f
      key: tested
      value: "2026-11-20"
      source_type: api
      media_type: text/plain
layers:
  description: Layers of O(image), from the base up, with the steps of its build that made them. A list of images has none.
  returned: when gathered
  type: list
  elements: dict
  contains:
    index:
      description: Its place, from 0 on.
      returned: always
      type: int
    blob_digest:
      description: Digest of the layer. Steps that change no files share one.
      returned: always
      type: str
    compressed_size:
      description: Bytes of the layer as it is stored.
      returned: always
      type: int
    command:
      description: What was run to make it; null where the image does not tell.
      returned: always
      type: list
      elements: str
    comment:
      description: What the builder noted.
      returned: always
      type: str
    author:
      description: Who made it.
      returned: always
      type: str
    created_datetime:
      description: When it was made, in UTC.
      returned: always
      type: str
    is_remote:
      description: Whether the layer lies on another server.
      returned: always
      type: bool
    urls:
      description: Where it lies then.
      returned: always
      type: list
      elements: str
  sample:
    - index: 0
      blob_digest: sha256:fd240f2f89e2ddfc2e84e6bd39166f6293c6b155439aeef64de3e819018de17d
      compressed_size: 79251301
      command: ["/bin/sh -c #(nop) ADD file:2f1b in / "]
      comment: null
      author: null
      created_datetime: "2026-01-01T00:00:00Z"
      is_remote: false
      urls: null
pull_statistics:
  description: How often O(image) was pulled. Quay writes the numbers down with a delay of some minutes.
  returned: when gathered
  type: dict
  contains:
    manifest_digest:
      description: Digest of the manifest.
      returned: always
      type: str
    manifest_pull_count:
      description: How often the manifest was pulled, by whatever name.
      returned: always
      type: int
    last_manifest_pull_date:
      description: When last, in UTC; null where it was not.
      returned: always
      type: str
    tag_name:
      description: The tag.
      returned: when O(image) is named by tag
      type: str
    tag_pull_count:
      description: How often the tag was pulled, whatever it pointed to.
      returned: when O(image) is named by tag
      type: int
    last_tag_pull_date:
      description: When last, in UTC; null where it was not.
      returned: when O(image) is named by tag
      type: str
  sample:
    manifest_digest: sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
    manifest_pull_count: 42
    last_manifest_pull_date: "2026-11-20T22:05:50Z"
    tag_name: 1.4.2
    tag_pull_count: 40
    last_tag_pull_date: "2026-11-20T21:58:03Z"
vulnerabilities:
  description: What the scanner found in O(image).
  returned: when gathered
  type: dict
  contains:
    status:
      description:
        - V(scanned), or why there is no report - V(queued), V(failed), V(unsupported) (also for a list of images; ask for one of them by
          digest) or V(manifest_layer_too_large).
      returned: always
      type: str
    totals:
      description: How many vulnerabilities there are, by severity.
      returned: always
      type: dict
    packages:
      description:
        - Packages that have vulnerabilities, with C(name), C(version), the layer that brought them (C(added_by)) and C(vulnerabilities).
        - Of a vulnerability there are C(name), C(severity), the version that mends it (C(fixed_by)), the CVSS C(score) or null, C(link)
          and C(description).
      returned: always
      type: list
      elements: dict
  sample:
    status: scanned
    totals:
      Medium: 1
    packages:
      - name: lz4-libs
        version: 1.8.3-3.el8_4
        added_by: sha256:fd240f2f89e2ddfc2e84e6bd39166f6293c6b155439aeef64de3e819018de17d
        vulnerabilities:
          - name: CVE-2019-17543
            severity: Medium
            fixed_by: 0:1.8.3-5.el8_10
            score: 8.1
            link: https://access.redhat.com/security/cve/CVE-2019-17543
            description: A buffer overflow.
"""

from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.module import (
    create_module,
    quay_rules,
    quay_spec,
    run_quay,
)
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient
from ansible_collections.quayside.airgap.plugins.module_utils.quay.info import InfoTask, gather, subjects


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            quay_spec(),
            gather={"type": "list", "elements": "str", "choices": list(subjects()), "default": ["capabilities"]},
            organizations={"type": "list", "elements": "str"},
            repository={"type": "str"},
            image={"type": "str"},
        ),
        **quay_rules(),
    )

    def call(quay: QuayClient) -> dict[str, Any]:
        params = module.params
        task = InfoTask(frozenset(params["gather"]), params["organizations"], params["repository"] or "", params["image"] or "")
        return {"changed": False, **gather(quay, task)}

    run_quay(module, call)


if __name__ == "__main__":
    main()
