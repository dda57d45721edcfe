#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: catalog_lookup
short_description: Find out whether containers, operators and charts are certified
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Answers from a dump of the catalog of certified artifacts, without network, as certsuite answers with the same dump.
  - Asks for what is named, for what runs on a cluster, and for what an image set has mirrored, all of it in one task.
  - For a single condition in a playbook there are the tests P(quayside.airgap.certified_image#test),
    P(quayside.airgap.certified_operator#test) and P(quayside.airgap.certified_chart#test).
extends_documentation_fragment:
  - quayside.airgap.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  path:
    description: Folder of the dump, with C(data) in it, or C(data) itself.
    type: path
    required: true
  containers:
    description:
      - Images, each a text C(registry/repository[:tag][@digest]), a digest alone, or a mapping of C(registry), C(repository), C(tag) and
        C(digest).
      - With a digest, nothing else counts, so that an image is found by it wherever it has been mirrored to. Without a digest and a tag,
        the tag is C(latest).
    type: list
    elements: raw
    default: []
  operators:
    description:
      - Operators, each a text C(CSV_NAME [OCP_VERSION]), or a mapping of C(csv_name) and C(ocp_version).
    type: list
    elements: raw
    default: []
  charts:
    description:
      - Charts of Helm, each a text C(NAME VERSION [KUBE_VERSION]), or a mapping of C(name), C(version) and C(kube_version).
    type: list
    elements: raw
    default: []
  ocp_version:
    description:
      - Version of OpenShift, as V(4.18), for operators that are asked for without one. In quotes, since C(4.20) is the number 4.2.
      - Without it, that of the cluster in O(discover.cluster); for an image set, that of its catalogs. Without any, operators are looked
        for in all versions.
    type: raw
  kube_version:
    description:
      - Version of Kubernetes, as V(v1.31.6), for charts that are asked for without one.
      - Without it, that of the cluster in O(discover.cluster).
    type: raw
  discover:
    description: Where to look for further things to ask for.
    type: dict
    suboptions:
      cluster:
        description:
          - A cluster - images of all containers of pods that run, operators that have been installed, charts of Helm's releases.
          - Each of the options that is left out is looked for in the environment (E(K8S_AUTH_HOST), E(K8S_AUTH_API_KEY) and so on), then
            in the kubeconfig, then in the service account of the pod that the task runs in. V({}) takes all of it from there.
          - It takes the right to list pods, secrets and clusterserviceversions, and to get the clusterversion. What may not be read is in
            RV(unread).
        type: dict
        suboptions:
          kubeconfig:
            description: Path of a kubeconfig. Without it, what E(KUBECONFIG) names, or C(~/.kube/config).
            type: path
          context:
            description: Context of the kubeconfig. Without it, its current one.
            type: str
          host:
            description: URL of the API. A kubeconfig is read beside it only where O(discover.cluster.kubeconfig) names one.
            type: str
          api_key:
            description: Bearer token.
            type: str
          validate_certs:
            description: Whether the certificate of the API is checked. Without it, as the kubeconfig says.
            type: bool
          ca_path:
            description: Certificate authorities (PEM) to trust, in addition to those that the host trusts.
            type: path
          client_cert:
            description: Client certificate (PEM) to log in with; may hold the key, too.
            type: path
          client_key:
            description: Key that belongs to O(discover.cluster.client_cert), without a passphrase.
            type: path
          proxy:
            description: URL of an HTTP proxy.
            type: str
          namespaces:
            description: Names of namespaces, or patterns as V(shop-*), that are looked at. Without any, all of them.
            type: list
            elements: str
            default: []
          exclude_namespaces:
            description: Names of namespaces, or patterns as V(openshift-*), that are left out.
            type: list
            elements: str
            default: []
          timeout:
            description: Seconds of silence after which an answer is given up.
            type: int
            default: 60
          retries:
            description: Further attempts of a call that failed in passing.
            type: int
            default: 5
      image_set:
        description:
          - Workspace (or working-dir) of M(quayside.airgap.image_mirror), of which the newest report is read; or one of its reports, or the
            C(mapping.txt) of a dry run.
          - Images are asked for by their digests, and operators by the names of the bundles that were mirrored.
        type: path
  fail_on_uncertified:
    description: Fail where something is not certified, or cannot be judged.
    type: bool
    default: false
seealso:
  - module: quayside.airgap.image_mirror
  - plugin: quayside.airgap.certified_image
    plugin_type: test
"""

EXAMPLES = r"""
- name: Ask for a container, an operator and a chart
  quayside.airgap.catalog_lookup:
    path: /srv/offline-catalog
    containers:
      - registry.connect.redhat.com/example/db:2.1
      - quay.lab.example/mirror/web@sha256:9d1f0f2e4a6f7bd8f1e6b2f9b5f0b3c2d7a8e9f0a1b2c3d4e5f60718293a4b5c
    operators:
      - csv_name: db-operator.v2.1.0
        ocp_version: "4.18"
    charts:
      - db-chart 2.1.0 v1.31.6
  register: lookup

- name: Stop where one of them is not certified
  ansible.builtin.assert:
    that: lookup.certified
    fail_msg: "Not certified: {{ lookup.uncertified | join(', ') }}"

- name: Look at what runs in the namespaces of a product
  quayside.airgap.catalog_lookup:
    path: /srv/offline-catalog
    discover:
      cluster:
        kubeconfig: /etc/lab/kubeconfig
        namespaces: [shop, shop-db]
    fail_on_uncertified: true

- name: Look at what an image set has brought
  quayside.airgap.catalog_lookup:
    path: /srv/offline-catalog
    ocp_version: "4.18"
    discover:
      image_set: /srv/mirror
  register: mirrored
"""

RETURN = r"""
certified:
  description: Whether everything is certified that can be, and nothing is unknown.
  returned: always, unless the options were wrong
  type: bool
  sample: false
counts:
  description:
    - How many things were C(asked) for, and how many of them are C(certified), C(uncertified), C(unjudged) (nobody can say) or
      C(passed_over) (catalogs of operators and parts of OpenShift in an image set, which are not listed one by one).
    - C(containers), C(operators) and C(charts) are the same things by their kinds.
  returned: always, unless the options were wrong
  type: dict
  sample:
    asked: 3
    certified: 2
    uncertified: 1
    unjudged: 0
    passed_over: 0
    containers: 2
    operators: 1
    charts: 0
uncertified:
  description: Names of what is not certified.
  returned: always, unless the options were wrong
  type: list
  elements: str
  sample: ["db-operator.v2.1.0 4.18"]
unjudged:
  description: Names of what cannot be judged, a chart whose kubeVersion cannot be read for one.
  returned: always, unless the options were wrong
  type: list
  elements: str
  sample: []
unread:
  description: What could not be looked at, as sentences.
  returned: always, unless the options were wrong
  type: list
  elements: str
  sample: []
containers:
  description: The answers on images, those that were asked for first.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  contains:
    name:
      description: What it is called.
      type: str
      sample: registry.connect.redhat.com/example/db:2.1
    question:
      description: What the dump was asked, with all defaults; empty where it could not be asked.
      type: dict
      sample:
        registry: registry.connect.redhat.com
        repository: example/db
        tag: "2.1"
        digest: ""
    certified:
      description: Whether it is certified.
      type: bool
      sample: true
    state:
      description: V(certified), V(uncertified), V(unjudged) or V(passed_over).
      type: str
      sample: certified
    reason:
      description: Why it is not certified; empty where it is.
      type: str
      sample: ""
    hints:
      description: What the dump does have, another tag or version for example.
      type: list
      elements: str
      sample: []
    entry:
      description: The entry that decided, empty where there is none.
      type: dict
      sample:
        key: sha256:9d1f0f2e4a6f7bd8f1e6b2f9b5f0b3c2d7a8e9f0a1b2c3d4e5f60718293a4b5c
        digest: sha256:9d1f0f2e4a6f7bd8f1e6b2f9b5f0b3c2d7a8e9f0a1b2c3d4e5f60718293a4b5c
        architecture: amd64
        creation_date: "2026-05-06T07:08:09.123000+00:00"
        repositories:
          - registry: registry.connect.redhat.com
            repository: example/db
            tags: ["2.1"]
    places:
      description: In how many places it was discovered.
      type: int
      sample: 0
    found_in:
      description: The first 10 of these places, each with its C(group) and its C(owner) in it.
      type: list
      elements: dict
      sample: []
operators:
  description: The answers on operators, in the form of RV(containers).
  returned: always, unless the options were wrong
  type: list
  elements: dict
  sample: []
charts:
  description: The answers on charts, in the form of RV(containers).
  returned: always, unless the options were wrong
  type: list
  elements: dict
  sample: []
groups:
  description: What was discovered in each namespace of the cluster, or belongs to each package (or kind of image) of the image set.
  returned: always, unless the options were wrong
  type: list
  elements: dict
  contains:
    name:
      description: The namespace, package, or kind.
      type: str
      sample: shop
    certified:
      description: How many things in it are certified.
      type: int
      sample: 12
    uncertified:
      description: Names of those that are not.
      type: list
      elements: str
      sample: [quay.io/shop/web@sha256:9d1f0f2e4a6f7bd8f1e6b2f9b5f0b3c2d7a8e9f0a1b2c3d4e5f60718293a4b5c]
    unjudged:
      description: Names of those that cannot be judged.
      type: list
      elements: str
      sample: []
    passed_over:
      description: How many are of a kind that is not listed.
      type: int
      sample: 0
discovered:
  description: Where things were discovered - the C(server) of the cluster with its versions, the file of the image set.
  returned: always, unless the options were wrong
  type: dict
  sample:
    cluster:
      server: https://api.lab.example:6443
      ocp_version: "4.18"
      kube_version: v1.31.6+a1b2c3d
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import read_tree
from ansible_collections.quayside.airgap.plugins.module_utils.certification.discovery import (
    charts_of_cluster,
    find_in_image_set,
    images_of_cluster,
    operators_of_cluster,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.inquiry import Item, Report, asked, judge
from ansible_collections.quayside.airgap.plugins.module_utils.certification.lookup import Lookup
from ansible_collections.quayside.airgap.plugins.module_utils.certification.questions import KINDS, read_questions, read_version, refuse
from ansible_collections.quayside.airgap.plugins.module_utils.cluster.client import ClusterClient, Manners
from ansible_collections.quayside.airgap.plugins.module_utils.cluster.inventory import Inventory, Scope, take_inventory
from ansible_collections.quayside.airgap.plugins.module_utils.cluster.kubeconfig import ClusterOptions, find_connection
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.module import Failure, create_module, run

# Faults of a dump that are told one by one
_FAULTS = 5


def _cluster_spec() -> dict[str, Any]:
    return {
        "kubeconfig": {"type": "path"},
        "context": {"type": "str"},
        "host": {"type": "str"},
        "api_key": {"type": "str", "no_log": True},
        "validate_certs": {"type": "bool"},
        "ca_path": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path"},
        "proxy": {"type": "str", "no_log": True},
        "namespaces": {"type": "list", "elements": "str", "default": []},
        "exclude_namespaces": {"type": "list", "elements": "str", "default": []},
        "timeout": {"type": "int", "default": 60},
        "retries": {"type": "int", "default": 5},
    }


def _spec() -> dict[str, Any]:
    return {
        "path": {"type": "path", "required": True},
        **{kind: {"type": "list", "elements": "raw", "default": []} for kind in KINDS},
        "ocp_version": {"type": "raw"},
        "kube_version": {"type": "raw"},
        "discover": {
            "type": "dict",
            "options": {"cluster": {"type": "dict", "options": _cluster_spec()}, "image_set": {"type": "path"}},
            "required_one_of": [["cluster", "image_set"]],
        },
        "fail_on_uncertified": {"type": "bool", "default": False},
    }


def _look_at_cluster(options: Mapping[str, Any]) -> tuple[Inventory, str]:
    """What runs there, and the URL of its API."""
    names = ("kubeconfig", "context", "host", "api_key", "ca_path", "client_cert", "client_key", "proxy")
    given = ClusterOptions(**{name: options[name] or "" for name in names}, validate_certs=options["validate_certs"])
    scope = Scope(*(tuple(name for name in options[key] if name) for key in ("namespaces", "exclude_namespaces")))
    with ClusterClient(find_connection(given), Manners(options["retries"], options["timeout"])) as client:
        return take_inventory(client, scope), client.connection.server


def _running(inventory: Inventory, ocp_version: str, kube_version: str) -> list[Item]:
    return [
        *images_of_cluster((found.image_id, found.image, found.places) for found in inventory.images),
        *operators_of_cluster(((found.csv_name, found.places) for found in inventory.operators), ocp_version),
        *charts_of_cluster(((found.name, found.version, found.problem, found.places) for found in inventory.charts), kube_version),
    ]


def main() -> None:
    """Run as a module."""
    module = create_module(_spec(), libraries=("requests", "yaml"))

    def call() -> dict[str, Any]:
        params = module.params
        discover = params["discover"] or {}
        questions, faults = [], []
        for kind in KINDS:
            found, wrong = read_questions(kind, params[kind])
            questions += found
            faults += wrong
        ocp_version, wrong = read_version("ocp_version", params["ocp_version"])
        kube_version, further = read_version("kube_version", params["kube_version"])
        refuse([*faults, *wrong, *further])
        if not questions and not discover:
            raise InputError("the task", "there is nothing to look up", "Name containers, operators or charts, or use discover.")
        database = read_tree(Path(params["path"]))
        serious = [str(fault) for fault in database.faults if fault.serious]
        for text in serious[:_FAULTS]:
            module.warn(f"The dump in {database.folder} is not as it should be: {text}")
        if len(serious) > _FAULTS:
            module.warn(
                f"The dump in {database.folder} has {len(serious) - _FAULTS} more such faults; catalog_dump with mode=verify lists them."
            )

        items: list[Item] = []
        unread: tuple[str, ...] = ()
        discovered: dict[str, Any] = {}
        wanted_ocp = ocp_version
        if discover.get("cluster") is not None:
            inventory, server = _look_at_cluster(discover["cluster"])
            ocp_version, kube_version = ocp_version or inventory.ocp_version, kube_version or inventory.kube_version
            items += _running(inventory, ocp_version, kube_version)
            unread = inventory.unread
            discovered["cluster"] = {"server": server, "ocp_version": inventory.ocp_version, "kube_version": inventory.kube_version}
            for text in (*inventory.unread, *inventory.absent):
                module.warn(text)
        if discover.get("image_set"):
            held = find_in_image_set(Path(discover["image_set"]), wanted_ocp)
            items += held.items
            discovered["image_set"] = {"file": str(held.file)}
            for text in held.remarks:
                module.warn(text)
        if discover and not items:
            module.warn("Nothing was discovered that could be asked for.")
        items = [*(asked(question, ocp_version=ocp_version, kube_version=kube_version) for question in questions), *items]
        report = Report(judge(Lookup(database), items), unread)
        results = {**report.as_results(), "discovered": discovered}
        if params["fail_on_uncertified"] and not report.certified:
            raise Failure(report.message(str(database.folder)), results)
        return results

    run(module, call)


if __name__ == "__main__":
    main()
