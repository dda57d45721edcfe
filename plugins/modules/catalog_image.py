#!/usr/bin/python
# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: catalog_image
short_description: Package an offline catalog as an image
version_added: 0.1.0
author: quayside.airgap contributors (@quayside)
description:
  - Makes an image, or an OCI artifact, of a dump that M(quayside.airgap.catalog_dump) wrote, pushes it to registries, and writes it to
    a file that crosses the gap. No container engine is needed.
  - In the image the dump lies in C(/usr/oct/cmd/tnf/fetch/data), where consumers of the published image look for it, and in C(/data).
    Everybody may read it, nobody write; the two are the same files, so that the second costs nothing.
  - The image is made from nothing and holds nothing else, no shell either. Copy the dump out of it with C(COPY --from), with
    C(podman create) and C(podman cp), or with M(quayside.airgap.catalog_dump).
  - The dump is verified first. The same dump gives the same image, which is pushed only where a tag holds something else. To find that
    out takes one request.
  - Labels tell what is in it, so that C(skopeo inspect) shows the digests and counts of containers, operators and charts, and the day
    of the newest container.
extends_documentation_fragment:
  - quayside.airgap.attributes
  - quayside.airgap.registries
  - quayside.airgap.registries.destination
attributes:
  check_mode:
    support: full
    details: Where O(path) does not exist yet, it tells that everything would be pushed and written.
  diff_mode:
    support: full
options:
  path:
    description: Folder of the dump, as C(path) of M(quayside.airgap.catalog_dump).
    type: path
    required: true
  destination:
    description:
      - Tags that the image gets, as V(registry/repository:tag). Without a tag it is C(latest). C(docker://) in front is allowed.
      - Each byte is sent to a registry once, however many tags there are.
    type: list
    elements: str
    default: []
  archive:
    description:
      - File to write the image to, as a C(oci-archive) that skopeo, podman and M(quayside.airgap.catalog_dump) read. Its folder must be
        there.
      - A file that holds the image already, whole, is left alone.
    type: path
  format:
    description:
      - V(image) can be used by everything that takes images.
      - V(artifact) is one manifest with a packed folder C(data), for C(oras pull) and M(quayside.airgap.catalog_dump).
    type: str
    choices: [image, artifact]
    default: image
  platforms:
    description:
      - What the image is for, as V(os/architecture) or V(os/architecture/variant). All platforms share the one layer.
      - Without it, linux/amd64, linux/arm64, linux/ppc64le and linux/s390x. An artifact has none.
    type: list
    elements: str
  labels:
    description:
      - Further labels of the image, or annotations of the artifact.
      - Those that begin with C(quayside.airgap.catalog.) tell of the content and cannot be given.
    type: dict
    default: {}
seealso:
  - module: quayside.airgap.catalog_dump
  - module: quayside.airgap.image_mirror
"""

EXAMPLES = r"""
- name: Push the catalog where it differs
  quayside.airgap.catalog_image:
    path: /var/lib/offline-catalog
    destination:
      - registry.lab.example:8443/certification/catalog:latest
      - registry.lab.example:8443/certification/catalog:2026-11
    destination_username: catalog+push
    destination_password: "{{ robot_token }}"

- name: Write it to a medium
  quayside.airgap.catalog_image:
    path: /var/lib/offline-catalog
    archive: /media/disk/catalog.tar
    labels:
      org.opencontainers.image.vendor: Example Corp.
"""

RETURN = r"""
digest:
  description: Digest of the image or artifact. Empty in check mode where there is no dump yet.
  returned: success
  type: str
  sample: sha256:8b41865f061bfb8c9f21b2b0d5a0f8b2f54bb0b0a26d6cb8ea6b67a9db1d52a3
size:
  description: Bytes of its layer and configurations.
  returned: success
  type: int
  sample: 1648213
pushed:
  description: Bytes that were sent to registries, in check mode those that would be.
  returned: success
  type: int
  sample: 1648213
dump:
  description: What the dump holds, the C(digests) of its content and the C(counts), of containers, operators and charts each.
  returned: success
  type: dict
  sample:
    counts: {charts: 812, containers: 24012, operators: 3912}
    digests:
      charts: sha256:0d9c3a0f3a1b7f4f1f6d9a0a54f3e2a9b9bb4ad8c1b6c5f5ed9ee1b2a5a5d6c1
      containers: sha256:4c0e6d5c9a2b1f3e7d8c9b0a1f2e3d4c5b6a7988796a5b4c3d2e1f0a9b8c7d6e
      operators: sha256:9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0
destinations:
  description: What became of each tag.
  returned: success
  type: list
  elements: dict
  contains:
    destination:
      description: The tag.
      type: str
      sample: registry.lab.example:8443/certification/catalog:latest
    digest:
      description:
        - The digest that it has now. It may differ from RV(digest) where V(unchanged), when the same content was packed by a machine
          with another zlib.
      type: str
      sample: sha256:8b41865f061bfb8c9f21b2b0d5a0f8b2f54bb0b0a26d6cb8ea6b67a9db1d52a3
    previous:
      description: The digest that it had before; empty where there was none.
      type: str
      sample: ""
    state:
      description: V(pushed), V(unchanged) or V(failed).
      type: str
      sample: pushed
    reason:
      description: Why it failed; empty otherwise.
      type: str
      sample: ""
archive:
  description: What became of O(archive), its C(path), its C(state) V(written) or V(unchanged), and its size in C(bytes). Empty without.
  returned: success
  type: dict
  sample: {path: /media/disk/catalog.tar, state: written, bytes: 1658880}
"""

import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.certification.packaging import FORMS, IMAGE, PackTask, package
from ansible_collections.quayside.airgap.plugins.module_utils.module import (
    DESTINATION,
    Failure,
    create_module,
    run,
    side_options,
    sides_rules,
    sides_spec,
    wire_options,
)


def main() -> None:
    """Run as a module."""
    module = create_module(
        dict(
            sides_spec(DESTINATION),
            path={"type": "path", "required": True},
            destination={"type": "list", "elements": "str", "default": []},
            archive={"type": "path"},
            format={"type": "str", "choices": list(FORMS), "default": IMAGE},
            platforms={"type": "list", "elements": "str"},
            labels={"type": "dict", "default": {}},
        ),
        **sides_rules(DESTINATION),
    )

    def call() -> dict[str, Any]:
        params = module.params
        task = PackTask(
            path=params["path"],
            destinations=params["destination"],
            archive=params["archive"] or None,
            form=params["format"],
            platforms=params["platforms"],
            labels=params["labels"],
            destination=side_options(params, DESTINATION),
            wire=wire_options(params),
            dry_run=module.check_mode,
        )
        with tempfile.TemporaryDirectory(prefix="catalog-", dir=module.tmpdir) as workdir:
            result = package(task, Path(workdir))
        for warning in result.warnings:
            module.warn(warning)
        results = result.as_results()
        if result.failures:
            raise Failure(result.message(), results)
        return results

    run(module, call)


if __name__ == "__main__":
    main()
