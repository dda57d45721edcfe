#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: catalog_dump
short_description: Keep a dump of the catalog of certified artifacts
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Brings a dump of Red Hat's catalog of certified containers, operators and Helm charts up to date, as certsuite reads it with
    C(--offline-db) where there is no network; or puts one in place that was carried across the gap; or looks through one.
  - A dump is complete or it is not written. The catalog is walked so that nothing is lost while it changes, and what was read is compared
    with what the catalog counts.
  - What decides whether anything is written is the content. Where nothing differs, no byte and no time stamp is touched, and a catalog
    that was not updated since costs a few requests.
  - A new dump is written beside the old one, read again as certsuite reads it, asked, and put in its place by one rename. Whatever
    goes wrong, the old dump stays whole. A lock keeps two runs apart.
  - The same catalog gives the same bytes, on every machine.
  - In check mode all is done but the writing, so that the result tells what would be in the dump.
extends_documentation_fragment:
  - quayside.airgap.attributes
  - quayside.airgap.registries.source
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Counts, and the first 50 names of what came and went. All names are in RV(changes_file).
options:
  path:
    description:
      - Folder of the dump. The dump itself is in C(data) below it, which may be a symbolic link; what this module needs to remember
        is in C(.catalog_dump).
      - It is made where it is not there. C(data) cannot be a mount point, and nothing else may be in it.
      - A new dump can be read by everybody; one that replaces another keeps its owner and permissions.
    type: path
    required: true
  mode:
    description:
      - V(refresh) reads the catalog.
      - V(dump_only) takes a dump from O(source) instead, verifies it and puts it in place. Nothing is asked of the catalog.
      - V(verify) looks through the dump that is there, and fails when certsuite could not load it, would give wrong answers, or when it
        was changed since it was written. It changes nothing.
    type: str
    choices: [refresh, dump_only, verify]
    default: refresh
  artifacts:
    description:
      - What to refresh, or to take from O(source). The rest stays what it is in the dump; where there is no dump yet, it is empty.
    type: list
    elements: str
    choices: [containers, operators, helm]
    default: [containers, operators, helm]
  organizations:
    description:
      - Whose operators are in the dump. With V(redhat-operators) too, Red Hat's own operators are found as they are online.
    type: list
    elements: str
    default: [certified-operators]
  api_url:
    description: URL of the catalog's API. It has to answer itself, redirects are not followed.
    type: str
    default: https://catalog.redhat.com/api/containers/v1
  api_key:
    description: Key that is sent to the API, and to no other server, as C(X-API-KEY). The public catalog needs none.
    type: str
  helm_index_url:
    description: URL of the index of the charts.
    type: str
    default: https://charts.openshift.io/index.yaml
  bad_kube_version:
    description:
      - What to do about versions of charts whose C(kubeVersion) is no constraint. certsuite panics when it is asked about one, and
        leaves out the checks that follow.
      - V(strip) takes the field out of that version, V(drop) takes the version out, V(keep) leaves it. All of them are named in a
        warning, and every other byte of the index stays as it is.
    type: str
    choices: [strip, drop, keep]
    default: strip
  since:
    description:
      - Read only the containers that were created since then, and add them to those in the dump. A duration, V(72h) or V(3d), a day,
        V(2026-01-31), or a moment, V(2026-01-31T00:00:00Z).
      - What was removed from the catalog, and changes of older records, it cannot see; a warning says so. Operators and charts are read
        whole. So are containers where there is no dump yet.
    type: str
  force:
    description:
      - Read all and write all, also where nothing differs.
      - It also lets a catalog that says that it is empty replace a dump that is not.
    type: bool
    default: false
  full_walk_after:
    description:
      - For so many hours after everything was read, a look at what was updated last is enough to find that nothing differs.
      - V(0) reads everything each time. It takes seconds.
    type: float
    default: 24
  workers:
    description: How many requests are under way at once, from 1 to 64.
    type: int
    default: 8
  page_size:
    description: How many records are asked for at once, from 1 to 1000. Where the service is too slow for that, fewer are.
    type: int
    default: 500
  retries:
    description:
      - How often a call is made again after a failure that may pass (connection lost, time limit, half an answer, HTTP status 408, 429,
        500, 502, 503, 504), with growing pauses, or after as long as the server asks for.
    type: int
    default: 5
  timeout:
    description: Seconds of silence after which an answer is given up.
    type: int
    default: 60
  validate_certs:
    description: Check the TLS certificates of O(api_url) and O(helm_index_url).
    type: bool
    default: true
  ca_path:
    description: File (PEM) or folder with certificate authorities that these servers may use besides the system's.
    type: path
  client_cert:
    description: Client certificate (PEM) for servers that ask for one; may hold the key too.
    type: path
  client_key:
    description: Key that belongs to O(client_cert), without a passphrase.
    type: path
  proxy:
    description:
      - URL of the proxy to O(api_url) and O(helm_index_url), in place of those in the environment. It may hold a user and a password.
    type: str
  source:
    description:
      - Where O(mode=dump_only) takes the dump from. A folder or a tar file with a dump in it, packed or not, or an image that
        M(quayside.airgap.catalog_image) made, V(docker://registry/repository:tag), V(oci:/folder:tag) or V(oci-archive:/file). Dumps and
        images of OCT will do, too.
    type: str
  authfile:
    description: The only file to take credentials for a registry from, in the format of C(podman login) or C(docker login).
    type: path
  progress_file:
    description:
      - File that the state of the run is written to as JSON while it lasts.
      - With a local connection the state is shown while the task runs, whether this is set or not.
    type: path
seealso:
  - module: quayside.airgap.catalog_image
  - module: quayside.airgap.catalog_lookup
"""

EXAMPLES = r"""
- name: Keep a dump of the catalog
  quayside.airgap.catalog_dump:
    path: /var/lib/offline-catalog

- name: With Red Hat's own operators, by a mirror of the catalog
  quayside.airgap.catalog_dump:
    path: /var/lib/offline-catalog
    organizations: [certified-operators, redhat-operators]
    api_url: https://catalog-proxy.example.com/api/containers/v1
    helm_index_url: https://catalog-proxy.example.com/charts/index.yaml
    ca_path: /etc/pki/ca-trust/source/anchors/company.pem

- name: Bring the charts up to date, and nothing else
  quayside.airgap.catalog_dump:
    path: /var/lib/offline-catalog
    artifacts: [helm]

- name: Put in place what was carried across the gap
  quayside.airgap.catalog_dump:
    path: /var/lib/offline-catalog
    mode: dump_only
    source: /media/usb/offline-catalog.tar

- name: Take it from the registry behind the gap
  quayside.airgap.catalog_dump:
    path: /var/lib/offline-catalog
    mode: dump_only
    source: docker://registry.lab.example:8443/certification/offline-catalog:latest
    source_ca_path: /etc/pki/ca-trust/source/anchors/lab.pem

- name: Is the dump sound, and how old is it
  quayside.airgap.catalog_dump:
    path: /var/lib/offline-catalog
    mode: verify
  register: dump
"""

RETURN = r"""
path:
  description: Folder of the dump, for C(--offline-db) of certsuite.
  returned: always, unless something went wrong
  type: str
  sample: /var/lib/offline-catalog
counts:
  description: How many containers, operators (bundle, version of OpenShift, channel) and versions of charts are in the dump.
  returned: always, unless something went wrong
  type: dict
  sample: {containers: 24012, operators: 3983, charts: 812}
digests:
  description: What tells whether two dumps differ, for each kind. The moment at which the Helm index was made does not count.
  returned: always, unless something went wrong
  type: dict
  sample:
    containers: sha256:0f8b6d9c1d8e1b1f6b6a8c0b0f6a5d4c3b2a190807f6e5d4c3b2a1908f7e6d5c
    operators: sha256:9a1e5c3b7d2f4a6c8e0b1d3f5a7c9e1b3d5f7a9c1e3b5d7f9a1c3e5b7d9f1a3c
    charts: sha256:4c2a7e9b1d3f5a8c6e0d2b4f6a8c0e2d4b6f8a0c2e4d6b8f0a2c4e6d8b0f2a4c
how:
  description:
    - What became of each kind, C(written), C(unchanged), C(unchanged (quick look)) where a look at what was updated last was enough, or
      C(not asked for).
  returned: unless O(mode=verify)
  type: dict
  sample: {containers: written, operators: unchanged, charts: unchanged}
changes:
  description: What differs from the dump that was there, for each kind.
  returned: unless O(mode=verify)
  type: dict
  contains:
    containers:
      description:
        - Counts C(added), C(removed) and C(changed), and the first 50 names in C(added_names), C(removed_names) and C(changed_names).
        - C(operators) and C(charts) have the same.
      type: dict
      sample:
        added: 1
        removed: 0
        changed: 0
        added_names: ["registry.connect.redhat.com/acme/agent:1.2@sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270"]
        removed_names: []
        changed_names: []
changes_file:
  description: JSON file with all these names; empty where nothing was written.
  returned: unless O(mode=verify)
  type: str
  sample: /var/lib/offline-catalog/.catalog_dump/changes.json
walks:
  description: What reading the catalog took, for each kind that was read whole. It is complete where C(total) and C(distinct) agree.
  returned: unless O(mode=verify)
  type: dict
  contains:
    containers:
      description:
        - C(total), how many records the catalog counts, null where it could not count them in time; C(distinct), how many different ones
          were read; C(requests), of which C(retried) after a failure; C(repaired), how many parts were read again because they changed
          meanwhile; C(smallest_page), the smallest page that was asked for.
        - C(operators) has the same.
      type: dict
      sample: {total: 24057, distinct: 24057, requests: 83, retried: 0, repaired: 0, smallest_page: 500}
notes:
  description: What is worth knowing of the catalog, such as records without a digest, as sentences.
  returned: unless O(mode=verify)
  type: list
  elements: str
  sample: ["Containers without a digest in the catalog, which are found by their tags alone: 12."]
source:
  description: Where the dump was brought from, an image with its digest; empty with O(mode=refresh).
  returned: unless O(mode=verify)
  type: str
  sample: registry.lab.example:8443/certification/offline-catalog@sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270
faults:
  description: All that is not as it should be, with what certsuite does about it; also what does no harm.
  returned: with O(mode=verify)
  type: list
  elements: str
  sample: ["archive.json: it is missing (certsuite does not notice)"]
serious:
  description: Those of RV(faults) that fail the task.
  returned: with O(mode=verify)
  type: list
  elements: str
  sample: []
age:
  description: Seconds since all of the dump was read from the catalog; null where that is not known, as behind the gap.
  returned: with O(mode=verify)
  type: float
  sample: 21633
seconds:
  description: How long it took.
  returned: always, unless something went wrong
  type: float
  sample: 1.94
"""

from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.certification.helm_source import INDEX_URL
from ansible_collections.quayside.airgap.plugins.module_utils.certification.pyxis import API_URL, ORGANIZATIONS, CatalogOptions
from ansible_collections.quayside.airgap.plugins.module_utils.certification.refresh import ARTIFACTS, RefreshTask, refresh
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.module import (
    SOURCE,
    Failure,
    create_module,
    run,
    side_options,
    sides_rules,
    sides_spec,
    wire_options,
)


def _refresh_task(params: dict[str, Any], *, dry_run: bool) -> RefreshTask:
    catalog = CatalogOptions(
        api_url=params["api_url"],
        api_key=params["api_key"] or None,
        page_size=params["page_size"],
        workers=params["workers"],
        timeout=params["timeout"],
        retry=RetryPolicy(retries=params["retries"]),
        tls=TlsSettings(
            verify=params["validate_certs"],
            ca_path=params["ca_path"],
            client_cert=params["client_cert"],
            client_key=params["client_key"],
        ),
        proxy=params["proxy"] or None,
    )
    return RefreshTask(
        path=Path(params["path"]),
        catalog=catalog,
        helm_index_url=params["helm_index_url"],
        artifacts=tuple(params["artifacts"]),
        organizations=tuple(params["organizations"]),
        since=params["since"] or "",
        force=params["force"],
        full_walk_after=params["full_walk_after"],
        bad_kube_version=params["bad_kube_version"],
        dry_run=dry_run,
        progress_file=params["progress_file"],
    )


def main() -> None:
    """Run as a module."""
    spec = sides_spec(SOURCE)
    # the walk through the catalog and the way to a registry share one number
    del spec["parallel"]
    module = create_module(
        dict(
            spec,
            path={"type": "path", "required": True},
            mode={"type": "str", "choices": ["refresh", "dump_only", "verify"], "default": "refresh"},
            artifacts={
                "type": "list",
                "elements": "str",
                "choices": list(ARTIFACTS),
                "default": list(ARTIFACTS),
            },
            organizations={"type": "list", "elements": "str", "default": list(ORGANIZATIONS)},
            api_url={"type": "str", "default": API_URL},
            api_key={"type": "str", "no_log": True},
            helm_index_url={"type": "str", "default": INDEX_URL},
            bad_kube_version={"type": "str", "choices": ["strip", "drop", "keep"], "default": "strip"},
            since={"type": "str"},
            force={"type": "bool", "default": False},
            full_walk_after={"type": "float", "default": 24},
            workers={"type": "int", "default": 8},
            page_size={"type": "int", "default": 500},
            validate_certs={"type": "bool", "default": True},
            ca_path={"type": "path"},
            client_cert={"type": "path"},
            client_key={"type": "path"},
            # it may hold a password, and is never shown; no_log would cross out its host everywhere
            proxy={"type": "str", "no_log": False},
            source={"type": "str"},
            progress_file={"type": "path"},
        ),
        libraries=("requests", "yaml"),
        hidden=("proxy",),
        required_if=[("mode", "dump_only", ("source",))],
        required_together=sides_rules(SOURCE)["required_together"],
        required_by={**sides_rules(SOURCE)["required_by"], "client_key": "client_cert"},
    )
    params = module.params

    def call() -> dict[str, Any]:
        mode = params["mode"]
        for name, belongs_to, reason in (
            ("source", "dump_only", "nothing is brought from anywhere"),
            ("since", "refresh", "nothing is read from the catalog"),
        ):
            if params[name] and mode != belongs_to:
                raise InputError(name, f"with mode {mode} {reason}", f"Set mode: {belongs_to}, or leave it out.")
        if mode == "refresh":
            result = refresh(_refresh_task(params, dry_run=module.check_mode))
        else:
            # imported where it is used: reading it takes as long as a short look at the catalog
            from ansible_collections.quayside.airgap.plugins.module_utils.certification import bring
            from ansible_collections.quayside.airgap.plugins.module_utils.certification.transfer import Reach

            if mode == "verify":
                results = bring.verify(Path(params["path"]))
                error = bring.unusable(results)
                if error is not None:
                    raise Failure(str(error), results)
                return results
            result = bring.bring(
                bring.BringTask(
                    path=Path(params["path"]),
                    source=params["source"],
                    artifacts=tuple(params["artifacts"]),
                    reach=Reach(
                        side_options(params, SOURCE), wire_options({**params, "parallel": params["workers"]}), params["registries_conf"]
                    ),
                    force=params["force"],
                    dry_run=module.check_mode,
                    progress_file=params["progress_file"],
                )
            )
        for warning in result.warnings:
            module.warn(warning)
        return result.as_results()

    run(module, call)


if __name__ == "__main__":
    main()
