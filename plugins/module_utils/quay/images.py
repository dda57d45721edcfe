# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One image: which manifest its name means, and what Quay knows of it.

Its labels, its layers, what the scanner found in it, and how often it was pulled (Quay API: manifests, security, pull statistics).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay import names
from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, at, entries
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import NOT_FOUND, QuayError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.moments import moment
from ansible_collections.quayside.airgap.plugins.module_utils.quay.repositories import named
from ansible_collections.quayside.airgap.plugins.module_utils.quay.tags import TagKind
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_digest

# What container clients take where a name says nothing else
_DEFAULT_TAG = "latest"
_SECURITY_ROUTE = "/api/v1/repository/{repository}/manifest/{manifestref}/security"
_PULLS_ROUTE = "/api/v1/repository/{repository}/tag/{tag}/pull_statistics"
# Platforms of a list that a message names
_TOLD = 10
_LABEL = ("id", "key", "value", "source_type", "media_type")
_LAYER = ("index", "blob_digest", "compressed_size", "command", "comment", "author", "is_remote", "urls")


@dataclass(frozen=True)
class Image:
    """An image in a Quay.

    :ivar tag: by which it was named; empty where that was the digest.
    :ivar digest: of its manifest.
    """

    place: Place
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """``prod/app:1.0``, or ``prod/app@sha256:...`` where it was named so."""
        return f"{self.place.path}:{self.tag}" if self.tag else f"{self.place.path}@{self.digest}"

    def api(self, *parts: str) -> str:
        """A path of Quay's API below the manifest."""
        return at("repository", self.place.namespace, self.place.repository, "manifest", self.digest, *parts)


def find_image(quay: QuayClient, text: str) -> Image:
    """The image that a name means; costs a call where it is named by tag.

    :param text: without a registry: ``prod/app:1.0``, ``prod/app@sha256:...`` (a tag beside the digest does not count), ``prod/app``
        for its tag latest. A repository without a namespace lies in the one of the user who asks.
    :raises InputError: for a name that Quay refuses.
    :raises AirgapError: for a repository or tag that is not there.
    """
    name, at_sign, digest = text.partition("@")
    if at_sign:
        parse_digest(digest, "image")
    repository, colon, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "")
    if colon and not digest:
        try:
            names.tag(tag)
        except ValueError as error:
            raise InputError("image", str(error)) from error
    place = Place(*named(quay, repository, "image"))
    if digest:
        return Image(place, "", digest)
    key = tag or _DEFAULT_TAG
    found = TagKind(quay).look(place, key)
    if found is None:
        raise AirgapError("find the image", f"{place.path}:{key} on {quay.name}", "there is no such tag", "Check its name.")
    return Image(place, key, found["digest"])


def label_views(quay: QuayClient, image: Image) -> list[Mapping[str, Any]]:
    """Quay's views of the labels of an image, read once in a run.

    :raises AirgapError: for an image that is not there.
    """
    what = f"list the labels of {image.name}"
    body = quay.shared(image.api("labels"), what)
    if body is None:
        raise _missing(quay, image, what)
    return entries(body, "labels", what, quay.name)


def labels(quay: QuayClient, image: Image) -> list[dict[str, Any]]:
    """Labels by key and value: those of the image itself (``source_type`` manifest) and those that were added (api)."""
    found = [{name: view.get(name) for name in _LABEL} for view in label_views(quay, image)]
    return sorted(found, key=lambda label: (str(label["key"]), str(label["value"])))


def layers(quay: QuayClient, image: Image) -> list[dict[str, Any]]:
    """Layers in the order in which they were built, those of steps that change no files among them.

    :raises AirgapError: for a list of images, which has none.
    """
    what = f"read the layers of {image.name}"
    try:
        body = quay.get(image.api(), what)
    except QuayError as error:
        if error.status == 404 and error.says("requested URL was not found"):
            # Quay API: the answer to a manifest whose layers and history do not fit together
            raise AirgapError(what, f"on {quay.name}", "its history does not fit its layers, so that Quay does not show them") from error
        if error.status == 404 and error.code == NOT_FOUND:
            raise _missing(quay, image, what) from error
        raise
    if body.get("is_manifest_list"):
        reason = "it is a list of images for several platforms, which has no layers of its own"
        raise AirgapError(what, f"on {quay.name}", reason, _platforms(image, body))
    return [
        {**{name: view.get(name) for name in _LAYER}, "created_datetime": moment(view.get("created_datetime"))}
        for view in entries(body, "layers", what, quay.name)
    ]


def vulnerabilities(quay: QuayClient, image: Image) -> dict[str, Any]:
    """The scanner's report: its ``status``, how many vulnerabilities there are by severity, and the packages that have some."""
    what = f"read what the scanner found in {image.name}"
    body = quay.find(image.api("security"), what, {"vulnerabilities": True})
    if body is None:
        raise _missing(quay, image, what)
    features = ((body.get("data") or {}).get("Layer") or {}).get("Features") or ()
    packages = [_package(feature) for feature in features if feature.get("Vulnerabilities")]
    totals = Counter(str(found["severity"]) for package in packages for found in package["vulnerabilities"])
    return {
        "status": str(body.get("status") or "unknown"),
        "totals": dict(sorted(totals.items())),
        "packages": sorted(packages, key=lambda package: (package["name"], package["version"], package["added_by"])),
    }


def _package(feature: Mapping[str, Any]) -> dict[str, Any]:
    found = [
        {
            "name": str(view.get("Name") or ""),
            "severity": str(view.get("Severity") or "Unknown"),
            "fixed_by": str(view.get("FixedBy") or ""),
            "score": _score(view),
            "link": str(view.get("Link") or ""),
            "description": str(view.get("Description") or ""),
        }
        for view in feature["Vulnerabilities"]
    ]
    return {
        "name": str(feature.get("Name") or ""),
        "version": str(feature.get("Version") or ""),
        "added_by": str(feature.get("AddedBy") or ""),
        "vulnerabilities": sorted(found, key=lambda entry: (entry["name"], entry["link"])),
    }


def _score(view: Mapping[str, Any]) -> float | None:
    """The CVSS score; scanners before Clair 4 have none."""
    value: Any = view.get("Metadata")
    for name in ("NVD", "CVSSv3", "Score"):
        value = value.get(name) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, (int, float)) else None


def pull_statistics(quay: QuayClient, image: Image) -> dict[str, Any]:
    """How often the image was pulled and when last: its manifest, and where it was named by tag, that tag."""
    what = f"read the pull statistics of {image.name}"
    by_tag = at("repository", image.place.namespace, image.place.repository, "tag", image.tag, "pull_statistics")
    body = quay.find(by_tag if image.tag else image.api("pull_statistics"), what)
    if body is None:
        raise _missing(quay, image, what)
    found: dict[str, Any] = {
        # not current_manifest_digest, which is what the tag pointed to when it was pulled last; the count is not of that
        "manifest_digest": image.digest,
        "manifest_pull_count": int(body.get("manifest_pull_count") or 0),
        "last_manifest_pull_date": moment(body.get("last_manifest_pull_date")),
    }
    if image.tag:
        found["tag_name"] = image.tag
        found["tag_pull_count"] = int(body.get("tag_pull_count") or 0)
        found["last_tag_pull_date"] = moment(body.get("last_tag_pull_date"))
    return found


def _missing(quay: QuayClient, image: Image, what: str) -> AirgapError:
    return AirgapError(what, f"on {quay.name}", "there is no such image", "Check its name; Quay knows only what a tag leads to.")


def _platforms(image: Image, body: Mapping[str, Any]) -> str:
    """Says which images a list has."""
    try:
        listed = json.loads(str(body.get("manifest_data") or "{}")).get("manifests") or []
    except ValueError:
        listed = []
    told = []
    for entry in listed[:_TOLD]:
        platform = entry.get("platform") or {}
        words = "/".join(str(platform[name]) for name in ("os", "architecture", "variant") if platform.get(name))
        told.append(f"{entry.get('digest')} ({words or 'any platform'})")
    return f"Name one of its images by digest: {', '.join(told)}{', ...' if len(listed) > _TOLD else ''}." if told else ""


_READERS: Mapping[str, Callable[[QuayClient, Image], Any]] = {
    "labels": labels,
    "layers": layers,
    "pull_statistics": pull_statistics,
    "vulnerabilities": vulnerabilities,
}
SUBJECTS = tuple(_READERS)
# Of what a Quay may not have: the route, the feature, the version and what it is for
_NEEDS = {
    "pull_statistics": (_PULLS_ROUTE, "IMAGE_PULL_STATS", "3.16", "read pull statistics"),
    "vulnerabilities": (_SECURITY_ROUTE, "SECURITY_SCANNER", "", "read what the scanner found"),
}


def gather(quay: QuayClient, text: str, subjects: Collection[str]) -> dict[str, Any]:
    """What is known of an image, by subject.

    :param text: its name, see :func:`find_image`.
    :param subjects: some of ``SUBJECTS``.
    :raises NotOfferedError: for what this Quay does not have; it is not tried.
    :raises AirgapError: when something cannot be read.
    """
    for subject in sorted(set(subjects) & set(_NEEDS)):
        route, feature, since, what = _NEEDS[subject]
        quay.capabilities.need(route, feature, what, since)
    image = find_image(quay, text)
    found: dict[str, Any] = {}

    def read(subject: str) -> None:
        found[subject] = _READERS[subject](quay, image)

    with WorkerPool(quay.options.parallel, quay.cancellation) as pool:
        pool.run(partial(read, subject) for subject in sorted(subjects))
    return found
