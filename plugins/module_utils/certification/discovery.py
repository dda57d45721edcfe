# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs on a cluster, or lies in an image set, as things to ask a dump about. It takes plain values and knows no cluster."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.certification.inquiry import (
    PASSED_OVER,
    UNCERTIFIED,
    UNJUDGED,
    Item,
    united,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.lookup import (
    ChartQuestion,
    ContainerQuestion,
    OperatorQuestion,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.questions import CHARTS, CONTAINERS, OPERATORS
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import read_bytes, read_json

Places = tuple[tuple[str, str], ...]

# certsuite: what it takes for registry, repository and digest in the imageID of a container
_IMAGE_ID = re.compile(r"([^/]*)/(.*)@(.*:.*)")
_LARGEST_REPORT = 256 << 20
_DOCKER = "docker://"
_SCHEMA = 1
_MAPPING = "mapping.txt"
# Names of folders in the workspace of an image set
_REPORTS = "reports"
_WORKING_DIR = "working-dir"
_VERSION_TAG = re.compile(r"v(\d+\.\d+)")

_CATALOG = "operatorCatalog"
_OF_OPENSHIFT = "it is a part of OpenShift itself, which no catalog of certified artifacts lists"
# Kinds of images of an image set that no catalog lists, with the reason
_UNLISTED = {
    "ocpRelease": _OF_OPENSHIFT,
    "ocpReleaseContent": _OF_OPENSHIFT,
    "kubeVirtContainer": _OF_OPENSHIFT,
    "cincinnatiGraph": "it holds update graphs, which no catalog of certified artifacts lists",
    _CATALOG: "it is a catalog of operators, which are asked for one by one",
    "operatorBundle": "it is the bundle of an operator, which is asked for by its name",
}


# --- a cluster


def images_of_cluster(images: Iterable[tuple[str, str, Places]]) -> list[Item]:
    """Items for images of containers.

    certsuite: an image is asked for by its digest. One without is not certified, and nobody is asked.

    :param images: what the node says (imageID), what the pod asks for, and where it runs.
    """
    found = []
    for image_id, image, places in images:
        match = _IMAGE_ID.match(image_id)
        if match:
            question = ContainerQuestion(match[1], match[2], "", match[3])
            found.append(Item(CONTAINERS, str(question), question, places))
        else:
            seen = f"its node names it '{image_id}'" if image_id else "its node has not named it yet"
            reason = f"it has no digest that could be asked for: {seen}"
            found.append(Item(CONTAINERS, image or image_id or "(an image without a name)", None, places, UNCERTIFIED, reason))
    return united(found)


def operators_of_cluster(operators: Iterable[tuple[str, Places]], ocp_version: str) -> list[Item]:
    """Items for ClusterServiceVersions, by their names.

    :param ocp_version: as ``4.18``; empty on what is no OpenShift.
    """
    return [_operator(name, ocp_version, places) for name, places in operators]


def charts_of_cluster(charts: Iterable[tuple[str, str, str, Places]], kube_version: str) -> list[Item]:
    """Items for releases of Helm.

    :param charts: name and version of the chart, why these are not known where they are not, and where it is installed.
    :param kube_version: as the cluster writes it, ``v1.31.6+abcdef``.
    """
    found = []
    for name, version, problem, places in charts:
        if problem:
            told = ", ".join(f"{owner} in {group}" for group, owner in places)
            found.append(Item(CHARTS, told, None, places, UNJUDGED, problem))
        else:
            found.append(Item(CHARTS, f"{name} {version}", ChartQuestion(name, version, kube_version), places))
    return found


def _operator(name: str, ocp_version: str, places: Places) -> Item:
    return Item(OPERATORS, name, OperatorQuestion(name, ocp_version), places)


# --- an image set


@dataclass(frozen=True)
class FoundInSet:
    """What an image set holds.

    :ivar file: that says so.
    :ivar remarks: what the user should know about it, as sentences.
    """

    items: list[Item]
    file: Path
    remarks: tuple[str, ...] = ()


def find_in_image_set(place: Path, ocp_version: str = "") -> FoundInSet:
    """What a run over an image set has mirrored, or in a dry run would mirror.

    :param place: the workspace of the run or its working-dir, of which the newest report is read; or a report, or a mapping.txt.
    :param ocp_version: that operators are asked for; where it is empty, that of the catalogs, if all are for the same.
    :raises InputError: when there is neither a report nor a mapping there.
    :raises FileError: when it cannot be read, or is none.
    """
    file = _file(place)
    if file.suffix != ".json":
        return FoundInSet(united(_mapped(file)), file)
    document = read_json(file, limit=_LARGEST_REPORT)
    rows = document.get("images") if isinstance(document, dict) else None
    if not isinstance(rows, list) or document.get("schema") != _SCHEMA or not all(isinstance(row, dict) for row in rows):
        raise FileError("read", str(file), "it is no report of an image set", "Name the workspace of image_mirror.")
    remarks = []
    if not document.get("complete", True):
        remarks.append(f"The run of {file.name} could not mirror everything; what failed is asked for all the same.")
    if not ocp_version:
        versions = _catalog_versions(rows)
        ocp_version = versions[0] if len(versions) == 1 else ""
        if not ocp_version and any(row.get("bundles") for row in rows):
            known = f"are for OpenShift {', '.join(versions)}" if versions else "do not say which version of OpenShift they are for"
            remarks.append(f"The catalogs {known}: operators are asked for without a version, unless ocp_version is given.")
    return FoundInSet([*united(map(_image, rows)), *united(_bundles(rows, ocp_version))], file, tuple(remarks))


def _file(place: Path) -> Path:
    if place.is_file():
        return place
    for folder in (place / _WORKING_DIR / _REPORTS, place / _REPORTS, place):
        reports = sorted(folder.glob("[0-9]*Z.json"))
        if reports:
            # their names are the moments of the runs
            return reports[-1]
    reason = "there is no report of an image set in it" if place.is_dir() else "there is no such file or folder"
    hint = f"Name the workspace of image_mirror (the folder with {_WORKING_DIR}), one of its reports, or the {_MAPPING} of a dry run."
    raise InputError(f"the image set in {place}", reason, hint)


def _mapped(file: Path) -> Iterator[Item]:
    try:
        lines = read_bytes(file, limit=_LARGEST_REPORT).decode().splitlines()
    except UnicodeDecodeError as error:
        raise FileError("read", str(file), "it is no UTF-8 text") from error
    for number, line in enumerate(lines, 1):
        source, separator, destination = line.partition("=")
        if not separator or "://" not in source:
            raise FileError("read", str(file), f"line {number} is no 'source=destination'", f"Name a report, or a {_MAPPING}.")
        yield _container(source, "", ((file.name, destination),))


def _image(row: Mapping[str, Any]) -> Item:
    source, digest, kind, destination, index = (_text(row, name) for name in ("source", "digest", "kind", "destination", "index"))
    bundles = [entry.partition("/") for entry in row.get("bundles") or [] if isinstance(entry, str)]
    places = tuple(sorted({(package, bundle) for package, _slash, bundle in bundles})) or ((kind, destination),)
    if kind in _UNLISTED:
        return Item(CONTAINERS, _name(source), None, places, PASSED_OVER, _UNLISTED[kind])
    # an index that was made smaller on the way has a digest that nobody else knows
    return _container(source, "" if index == "rewritten" else digest, places)


def _container(source: str, digest: str, places: Places) -> Item:
    """An item for an image: by the digest in its name, else by the one that was mirrored, else by its tag."""
    name = _name(source)
    try:
        question = ContainerQuestion.parse(name) if source.startswith(_DOCKER) else ContainerQuestion()
    except InputError as error:
        if not digest:
            return Item(CONTAINERS, name, None, places, UNJUDGED, error.reason)
        question = ContainerQuestion()
    question = question._replace(digest=question.digest or digest)
    if not question.repository and not question.digest:
        return Item(CONTAINERS, name, None, places, UNJUDGED, "it comes from a disk, and nothing says what its digest is")
    return Item(CONTAINERS, str(question) if question.repository else name, question, places)


def _bundles(rows: Sequence[Mapping[str, Any]], ocp_version: str) -> Iterator[Item]:
    for row in rows:
        for entry in row.get("bundles") or []:
            package, slash, bundle = entry.partition("/") if isinstance(entry, str) else ("", "", "")
            if slash and bundle:
                # the name of a bundle is that of its ClusterServiceVersion
                yield _operator(bundle, ocp_version, ((package, bundle),))


def _catalog_versions(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    tags = (_text(row, "source").partition("@")[0].rpartition(":")[2] for row in rows if row.get("kind") == _CATALOG)
    return sorted({match[1] for match in map(_VERSION_TAG.fullmatch, tags) if match})


def _name(source: str) -> str:
    return source[len(_DOCKER) :] if source.startswith(_DOCKER) else source


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""
