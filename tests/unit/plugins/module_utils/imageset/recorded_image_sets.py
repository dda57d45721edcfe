# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations that oc-mirror v2 was given without a recording of all that came of it, with what is known of that."""

from __future__ import annotations

from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.imageset.recorded import case

CATALOG = "src.lab.example/lab/catalog:v4.99"
HEAD_OF_RELEASES = {"channels": [{"name": "stable-4.99"}]}


def image_set(mirror):
    return {"kind": "ImageSetConfiguration", "apiVersion": "mirror.openshift.io/v2alpha1", "mirror": mirror}


def operators(catalog, *packages, **more):
    return {"operators": [{"catalog": catalog, **more, **({"packages": list(packages)} if packages else {})}]}


def package(name, **more):
    return {"name": name, **more}


MIRRORED = {
    "add-only": ({"additionalImages": case("m2m-full").document("isc.yaml")["mirror"]["additionalImages"]}, {}),
    "one": ({"additionalImages": [{"name": "src.lab.example/lab/app-a:v1"}]}, {}),
    "ops-full": (
        operators(CATALOG, full=True),
        {
            "alpha-operator": {"stable": ["1.0.0", "1.1.0", "1.2.0", "1.1.1"], "candidate": ["1.2.0", "2.0.0"]},
            "beta-operator": {"fast": ["0.1.0", "0.2.0", "0.3.0"], "slow": ["0.1.0"]},
        },
    ),
    "ops-digest": (
        operators(
            "src.lab.example/lab/catalog@sha256:cc7954469a35e3dddb9a2bd2277d72af508ec339f3180c18396c76bd7d198641",
            package("beta-operator", minVersion="0.1.0", maxVersion="0.2.0"),
        ),
        {"beta-operator": {"fast": ["0.1.0", "0.2.0"], "slow": ["0.1.0"]}},
    ),
    "ops-oci": (
        operators("oci:///lab/files/oci-catalog", package("beta-operator"), targetCatalog="disk/catalog", targetTag="d1"),
        {"beta-operator": {"fast": ["0.3.0"], "slow": ["0.1.0"]}},
    ),
    # oc-mirror v2 defect: a bundle outside of the range stays, because it skips one that is in it; here too, for it is needed
    "range-gap": (
        operators(CATALOG, package("alpha-operator", minVersion="1.1.0", maxVersion="1.1.1", channels=[{"name": "stable"}])),
        {"alpha-operator": {"stable": ["1.1.0", "1.1.1", "1.2.0"]}},
    ),
}
FAILED = {
    "pkg-only-missing": (operators(CATALOG, package("no-such-operator")), "no package 'no-such-operator'"),
    "v-badsemver": (
        operators("src.lab.example/lab/catalog-badsemver:v4.99", package("beta-operator")),
        "package 'beta-operator' is left out, the catalog is broken there: .*beta-operator.v0.3.0",
    ),
    "v-notagri": (
        operators("src.lab.example/lab/catalog-notagri:v4.99", package("beta-operator")),
        "bundle 'beta-operator.v0.3.0' is left out: .*lab/ops/tool",
    ),
    "rel-head": ({"platform": HEAD_OF_RELEASES}, "releases are not mirrored yet"),
    "rel-graph": (
        {"platform": {"graph": True, "channels": [{"name": "stable-4.99", "minVersion": "4.99.2", "maxVersion": "4.99.2"}]}},
        r"the image with the update graph is not mirrored yet",
    ),
    "rel-shortest": (
        {
            "platform": {
                "channels": [{"name": "stable-4.99", "minVersion": "4.99.0", "maxVersion": "4.99.2", "shortestPath": True}],
            }
        },
        "releases are not mirrored yet",
    ),
    "helm": (
        {
            "helm": {
                "local": [
                    {
                        "name": "lab-chart",
                        "path": "/lab/files/lab-chart-0.1.0.tgz",
                        "imagePaths": ["{.spec.template.spec.containers[*].env[*].value}"],
                    }
                ]
            }
        },
        "images of Helm charts are not mirrored yet",
    ),
}
