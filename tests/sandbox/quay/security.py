# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scanner says of manifests. There is none here: tests give the reports, everything else waits to be scanned.

security.scanned(repository, digest, [security.package("lz4-libs", "1.8.3", [security.vulnerability("CVE-2019-17543", "Medium")])])
repository.extra["security"][digest] = {"status": "failed", "data": None}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox.manifests import INDEX_TYPES
from ansible_collections.quayside.airgap.tests.sandbox.quay.errors import not_found
from ansible_collections.quayside.airgap.tests.sandbox.quay.manifest_labels import ONE, longer_name, manifest_read
from ansible_collections.quayside.airgap.tests.sandbox.quay.repositories import show
from ansible_collections.quayside.airgap.tests.sandbox.quay.routing import Call, Result, Routes
from ansible_collections.quayside.airgap.tests.sandbox.quay.tags import history
from ansible_collections.quayside.airgap.tests.sandbox.quay.world import Repository

ROUTES = Routes("secscan", feature="SECURITY_SCANNER")

CVE = re.compile(r"CVE-\d{4}-\d{4,7}")


def vulnerability(name: str, severity: str, *, fixed_by: str = "", score: float | None = None, description: str = "") -> dict[str, Any]:
    """One vulnerability, as Clair knows it."""
    nvd = {"CVSSv3": {"Vectors": "" if score is None else "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H", "Score": score}}
    metadata = {"UpdatedBy": "rhel-vex", "RepoName": "", "RepoLink": None, "DistroName": "", "DistroVersion": "", "NVD": nvd}
    return {
        "Severity": severity,
        "NamespaceName": "rhel-vex",
        "Link": f"https://security.example.com/{name}",
        "FixedBy": fixed_by,
        "Description": description,
        "Name": name,
        "Metadata": metadata,
    }


def package(name: str, version: str, vulnerabilities: Iterable[Mapping[str, Any]] = (), *, added_by: str = "") -> dict[str, Any]:
    """One package of an image with what is known of it."""
    found = list(vulnerabilities)
    scores = [entry["Metadata"]["NVD"]["CVSSv3"]["Score"] for entry in found]
    return {
        "Name": name,
        "VersionFormat": "",
        "NamespaceName": "",
        "AddedBy": added_by,
        "Version": version,
        "BaseScores": [score for score in scores if score],
        "CVEIds": sorted({cve for entry in found for cve in CVE.findall(entry["Link"])}),
        "Vulnerabilities": found,
    }


def scanned(repository: Repository, digest: str, packages: Iterable[Mapping[str, Any]] = ()) -> None:
    """Give a manifest a report."""
    layer = {"Name": digest, "ParentName": "", "NamespaceName": "", "IndexedByVersion": 4, "Features": list(packages)}
    repository.extra.setdefault("security", {})[digest] = {"status": "scanned", "data": {"Layer": layer}}


@ROUTES.get(ONE + "/security", access=manifest_read, query=("vulnerabilities",), scope="repo:read")
def report(call: Call, repository: str, manifestref: str) -> Result:
    """The report on a manifest, on one without a live tag too."""
    if longer_name(call):
        return show(call, longer_name(call))
    if not history(call, repository).has(manifestref):
        raise not_found()
    known: dict[str, Any] = call.repository(repository).extra.get("security", {})
    media_type = call.world.storage.repositories[repository].manifests.get(manifestref)
    return known.get(manifestref) or {"status": "unsupported" if media_type in INDEX_TYPES else "queued", "data": None}
