# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the recorded runs of oc-mirror v2 and the same runs here, fact by fact, each with its reason."""

from __future__ import annotations

import re

from ansible_collections.quayside.airgap.tests.support.oc_mirror_lab import FILTER_ID, Lab
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded import case
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded_facts import REWRITTEN, facts_recorded
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded_runs import TARGET

SIGNATURE = "the manifest of a signature is kept byte for byte, so that its digest is that of the source; oc-mirror v2 writes it anew"
FROM_DISK = "oc-mirror v2 defect: the ITMS gets a path of the local disk as a source"
RENAMED = "oc-mirror v2 defect: an image with another tag makes a mirror that can never match"
NO_CACHE = "oc-mirror v2 defect: a cache registry; here is none, and catalogs go from the source to the destination"
CHILDREN = "oc-mirror v2 lists the images of an index with --dry-run-manifest-lists; here the lists have what the image set asks for"
INCOMPLETE = "oc-mirror v2 defect: the catalog offers a bundle whose images could not be had, and the bundle is there or not by chance"
MANIFESTS = "the manifests of all images are in every archive, so that it can be told which blobs an earlier one has"
NO_NEWS = "oc-mirror v2 defect: a set that has not changed makes an archive again; here it makes none"
SPARSE = "oc-mirror v2 defect: a registry that refuses indexes with missing images is not given any; here the index is written anew"
EMPTY_IMAGE = "oc-mirror v2 defect: one empty name in a catalog fails the whole catalog; here it is a warning"
PORT = "oc-mirror v2 defect: host:port/repository@digest is misread"

SIGNED = "f3a5aa649d4780cef582d107e05712514644716a5c1c483aea2c2ec07f1d5b80"
OCI = "application/vnd.oci.image.manifest.v1+json"
_OF_SIGNATURE = {"there": ("971d4f96ce73", "0a1bdcaedd05"), "here": ("a59e60facf4d", "38d24dc13d3f")}


def signature_at(prefix):
    """The signature at a destination."""
    place = f"image: {prefix}/lab/signed:sha256-{SIGNED}.sig"
    here = "sha256:a59e60facf4d0ff71e515f628f67e477855790aa9df972b49af6d6129a807b54"
    return {f"- {place} {REWRITTEN} {OCI}": SIGNATURE, f"+ {place} {here} {OCI}": SIGNATURE}


def signature_in_archive():
    """The manifest of the signature with its config in an archive."""
    found = {}
    for sign, (manifest, config) in (("-", _OF_SIGNATURE["there"]), ("+", _OF_SIGNATURE["here"])):
        for digest in (manifest, config):
            found[f"{sign} archive: blobs {digest}"] = SIGNATURE
            found[f"{sign} history: {digest}"] = SIGNATURE
        found[f"{sign} archive: lab/signed layers {config}"] = SIGNATURE
        found[f"{sign} archive: lab/signed revisions {manifest}"] = SIGNATURE
        found[f"{sign} archive: lab/signed tags sha256-{SIGNED}.sig {manifest}"] = SIGNATURE
    return found


def tag_mirrors(prefix):
    """Entries of the ITMS that are of no use."""
    subject = "- resource: itms-oc-mirror.yaml ImageTagMirrorSet itms-generic-0 spec.imageTagMirrors."
    return {
        f"{subject}/lab/files/oci-disk-image={TARGET}/{prefix}/custom/from-disk": FROM_DISK,
        f"{subject}src.lab.example/lab/app-a={TARGET}/{prefix}/custom/renamed-a": RENAMED,
    }


def dry_run():
    """Lines of the mapping of a dry run."""
    catalog = "docker://src.lab.example/lab/catalog@sha256:cc7954469a35e3dddb9a2bd2277d72af508ec339f3180c18396c76bd7d198641"
    child = "sha256:d91c572464a80cd3bb03cde28756946f11e6afe4df14fff64c38709f89f8f659"
    found = {
        f"- mapping: {catalog}=docker://localhost:25155/lab/catalog:v4.99": NO_CACHE,
        f"+ mapping: {catalog}=docker://{TARGET}/mirror/lab/catalog:v4.99": NO_CACHE,
        f"- mapping: docker://localhost:25155/lab/catalog:{FILTER_ID}=docker://{TARGET}/mirror/lab/catalog:v4.99": NO_CACHE,
        f"- mapping: docker://localhost:25155/lab/catalog:{FILTER_ID}@{child}=docker://{TARGET}/mirror/lab/catalog@{child}": NO_CACHE,
    }
    digests = Lab().recorded_digests
    for name, source in (("multi-oci", "multi-oci:v1"), ("multi-docker", "multi-docker:v1"), ("ops/alpha-operand", "ops/alpha-operand")):
        for key, digest in digests.items():
            if re.fullmatch(rf"lab/{name}:\S+ linux/\w+", key):
                line = f"docker://src.lab.example/lab/{source}@{digest}=docker://{TARGET}/mirror/lab/{name}@{digest}"
                found[f"- mapping: {line}"] = CHILDREN
    return found


def without_the_incomplete_bundle():
    """What the catalog with a bundle that cannot be mirrored offers."""
    bundle = "- catalog: beta-operator bundle beta-operator.v0.3.0"
    image_of_bundle = "sha256:0313b7c85e284c1b0cd52a417ed6380275f1402e7aa563b6464f813403fcffe1"
    needed = {
        "beta-bundle": image_of_bundle,
        "beta-operator": "sha256:8cfa63072ecbcd5a9f7327154da1988642819c77c50f4d9e78cf90d1f5280549",
        "alpha-operand": "sha256:4a30e9c967e204dde8d358b7b523a0ffc57428e78b046a0c9fc930d11bc0cf2d",
        "gone": f"sha256:{'1' * 64}",
    }
    place = f"broken-operator/lab/ops/beta-bundle:{image_of_bundle.replace(':', '-')}"
    facts = [
        bundle,
        *(f"{bundle} needs src.lab.example/lab/ops/{name}@{digest}" for name, digest in needed.items()),
        "- catalog: beta-operator channel fast: beta-operator.v0.3.0",
        "- catalog: beta-operator default channel fast",
        "+ catalog: beta-operator default channel slow",
        f"- image: {place} {image_of_bundle} {OCI}",
    ]
    return dict.fromkeys(facts, INCOMPLETE)


def other_verdict(reason):
    return {"- verdict: failed": reason, "+ verdict: mirrored": reason}


DIFFERENCES = {
    "d2m-1": {**signature_at("d2m"), **tag_mirrors("d2m")},
    "err-broken-operator": without_the_incomplete_bundle(),
    "m2d-1": signature_in_archive(),
    "m2d-incr-2": {
        f"+ archive: blobs {digest}": MANIFESTS
        for digest in ("1a47a6050d43", "458ee2d01158", "8a85abe98023", "b6c56b948bb0", "fe53a4990ca8")
    },
    "m2d-incr-3-nochange": {
        f"- {fact}": NO_NEWS for fact in facts_recorded(case("m2d-incr-3-nochange"), Lab()) if fact.startswith("archive: ")
    },
    "m2m-blocked": {**signature_at("blocked"), **tag_mirrors("blocked")},
    "m2m-digest-port-bug": other_verdict(PORT),
    "m2m-dryrun": dry_run(),
    "m2m-full": {**signature_at("mirror"), **tag_mirrors("mirror")},
    "m2m-platforms": other_verdict(SPARSE),
    "v-emptyri": other_verdict(EMPTY_IMAGE),
}
