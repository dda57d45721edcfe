# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs on a cluster: images of pods, operators of OLM, releases of Helm, and the versions of the cluster itself.

Only what identifies them is kept, so that a cluster of tens of thousands of pods fits into little memory, and so that nothing of the
values of a release, among which are passwords, goes any further.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Callable, NamedTuple, TypeVar

from ansible_collections.quayside.airgap.plugins.module_utils.cluster.client import ClusterClient, Object
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import HttpError, InputError

Gathered = TypeVar("Gathered")

# Objects in a page: a ClusterServiceVersion has up to 1 MB, as has the secret of a release
_OPERATORS_PAGE = 20
_RELEASES_PAGE = 10
# A secret has at most 1 MiB, which a release fills ten times over when it is unpacked; a bomb does so a thousand times
_LARGEST_RELEASE = 16 << 20
_GZIP = b"\x1f\x8b\x08"
_PATTERN = re.compile(r"[*?\[]")
# Kubernetes: RFC 1123 label
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
# OLM: a copy of an operator that lives in another namespace, made where it looks after things
_COPIED_FROM = "olm.copiedFrom"


class Place(NamedTuple):
    """Where something runs.

    :ivar owner: what it belongs to: ``Deployment/web``, or the name of a release.
    """

    namespace: str
    owner: str


class RunningImage(NamedTuple):
    """An image of a container.

    :ivar image_id: as the node tells it, by its digest; empty where it tells nothing.
    :ivar image: as the pod asks for it.
    """

    image_id: str
    image: str
    places: tuple[Place, ...]


class RunningOperator(NamedTuple):
    csv_name: str
    places: tuple[Place, ...]


class RunningChart(NamedTuple):
    """A chart of which there is a release.

    :ivar problem: why it could not be read; name and version are empty then.
    """

    name: str
    version: str
    places: tuple[Place, ...]
    problem: str = ""


@dataclass(frozen=True)
class Inventory:
    """What runs on a cluster.

    :ivar ocp_version: its first two numbers; empty where it is no OpenShift or may not be asked.
    :ivar kube_version: as the cluster writes it, ``v1.31.6+abcdef``.
    :ivar unread: what may not be read, as sentences: nothing is known about it.
    :ivar absent: what the cluster does not have at all, as sentences.
    """

    images: tuple[RunningImage, ...] = ()
    operators: tuple[RunningOperator, ...] = ()
    charts: tuple[RunningChart, ...] = ()
    ocp_version: str = ""
    kube_version: str = ""
    unread: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scope:
    """Which namespaces are looked at.

    :ivar namespaces: names, or patterns as a shell has them; empty for all.
    :ivar excluded: names or patterns of those that are left out.
    :raises InputError: for a name that no namespace can have.
    """

    namespaces: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.namespaces:
            # a name becomes a part of a path
            if not _PATTERN.search(name) and not _NAMESPACE.fullmatch(name):
                raise InputError(f"the namespace '{name}'", "no namespace has such a name")

    @property
    def named(self) -> tuple[str, ...]:
        """The namespaces to ask for one by one; none where all have to be asked for at once."""
        if not self.namespaces or any(_PATTERN.search(name) for name in self.namespaces):
            return ()
        return tuple(name for name in dict.fromkeys(self.namespaces) if name in self)

    def __contains__(self, namespace: object) -> bool:
        text = str(namespace)
        wanted = not self.namespaces or any(fnmatch.fnmatchcase(text, pattern) for pattern in self.namespaces)
        return wanted and not any(fnmatch.fnmatchcase(text, pattern) for pattern in self.excluded)


def take_inventory(client: ClusterClient, scope: Scope | None = None) -> Inventory:
    """Find out what runs on a cluster.

    What may not be read is told in the result and does not end it; a login that is refused altogether does.

    :raises InputError: when a namespace is named that there is not.
    :raises AirgapError: when the cluster cannot be reached, or does not let us in.
    """
    survey = _Survey(client, scope or Scope())
    kube_version = client.version()
    survey.check_namespaces()
    images = survey.read("pods", "pods", "/api/v1", _Images, _Images.add, fields="status.phase=Running")
    # in all namespaces, the one that is no copy is enough
    labels = "" if survey.scope.named else f"!{_COPIED_FROM}"
    olm = "/apis/operators.coreos.com/v1alpha1"
    operators = survey.read("operators", "clusterserviceversions", olm, _Operators, _Operators.add, labels=labels, page=_OPERATORS_PAGE)
    charts = survey.read(
        "Helm releases",
        "secrets",
        "/api/v1",
        _Charts,
        _Charts.add,
        labels="owner=helm,status=deployed",
        fields="type=helm.sh/release.v1",
        page=_RELEASES_PAGE,
    )
    return Inventory(
        images=tuple(RunningImage(image_id, image, places) for (image_id, image), places in _merged(images)),
        operators=tuple(RunningOperator(name, places) for name, places in _merged(operators)),
        charts=tuple(RunningChart(name, version, places, problem) for (name, version, problem), places in _merged(charts)),
        ocp_version=survey.ocp_version(),
        kube_version=kube_version,
        unread=tuple(dict.fromkeys(survey.unread)),
        absent=tuple(dict.fromkeys(survey.absent)),
    )


class _Survey:
    """One look at a cluster, with what it could not see."""

    def __init__(self, client: ClusterClient, scope: Scope) -> None:
        self.client = client
        self.scope = scope
        self.unread: list[str] = []
        self.absent: list[str] = []

    def check_namespaces(self) -> None:
        """A list of a namespace that there is not is empty, and would look as if nothing ran there."""
        missing = []
        for name in self.scope.named:
            try:
                if self.client.find(f"/api/v1/namespaces/{name}") is None:
                    missing.append(name)
            except HttpError as error:
                # who may list pods in a namespace need not be allowed to look at the namespace itself
                if error.status != 403:
                    raise
        if missing:
            raise InputError("namespaces", f"the cluster has no namespace {', '.join(missing)}")

    def read(
        self,
        what: str,
        resource: str,
        api: str,
        begin: Callable[[], Gathered],
        add: Callable[[Gathered, Object], object],
        **options: Any,
    ) -> list[Gathered]:
        """Gather a resource in every namespace of the scope. What may not be read, or is not there, is noted."""
        found = []

        def within(into: Gathered, item: Object) -> None:
            if _text(_part(item, "metadata"), "namespace") in self.scope:
                add(into, item)

        for namespace in self.scope.named or ("",):
            path = f"{api}/namespaces/{namespace}/{resource}" if namespace else f"{api}/{resource}"
            where = f" in the namespace {namespace}" if namespace else ""
            try:
                found.append(self.client.gather(path, begin, within, **options))
            except HttpError as error:
                if error.status == 404:
                    self.absent.append(f"There are no {what}: the cluster has no such API.")
                elif error.status == 403:
                    self.unread.append(f"The {what}{where} may not be read: {error.reason}.")
                else:
                    raise
        return found

    def ocp_version(self) -> str:
        """The first two numbers of the version that OpenShift has; while it is updated, of the one before."""
        try:
            document = self.client.find("/apis/config.openshift.io/v1/clusterversions/version")
        except HttpError as error:
            if error.status != 403:
                raise
            self.unread.append(f"The version of OpenShift may not be read: {error.reason}.")
            return ""
        status = _part(document or {}, "status")
        versions = [_text(entry, "version") for entry in _entries(status, "history") if entry.get("state") == "Completed"]
        versions.append(_text(_part(status, "desired"), "version"))
        match = re.match(r"(\d+\.\d+)(?:\.|$)", next(filter(None, versions), ""))
        return match[1] if match else ""


class _Found:
    """Things and the places that they run in."""

    def __init__(self) -> None:
        self.places: dict[Any, set[Place]] = {}

    def note(self, thing: Any, place: Place) -> None:
        self.places.setdefault(thing, set()).add(place)


class _Images(_Found):
    def add(self, pod: Object) -> None:
        meta, spec, status = (_part(pod, name) for name in ("metadata", "spec", "status"))
        if meta.get("deletionTimestamp"):
            return
        place = Place(_text(meta, "namespace"), _owner(meta))
        for told, wanted in (
            ("initContainerStatuses", "initContainers"),
            ("containerStatuses", "containers"),
            ("ephemeralContainerStatuses", "ephemeralContainers"),
        ):
            images = {_text(entry, "name"): _text(entry, "image") for entry in _entries(spec, wanted)}
            for entry in _entries(status, told):
                image = images.pop(_text(entry, "name"), "") or _text(entry, "image")
                self.note((_text(entry, "imageID"), image), place)
            # containers that the node says nothing about yet
            for image in images.values():
                self.note(("", image), place)


class _Operators(_Found):
    def add(self, csv: Object) -> None:
        meta = _part(csv, "metadata")
        if _text(_part(csv, "status"), "phase") != "Succeeded":
            return
        home = _text(_part(meta, "labels"), _COPIED_FROM) or _text(meta, "namespace")
        self.note(_text(meta, "name"), Place(home, f"ClusterServiceVersion/{_text(meta, 'name')}"))


class _Charts(_Found):
    def add(self, secret: Object) -> None:
        meta = _part(secret, "metadata")
        name = _text(_part(meta, "labels"), "name") or _text(meta, "name")
        place = Place(_text(meta, "namespace"), f"Helm release/{name}")
        try:
            chart = chart_of_release(_text(_part(secret, "data"), "release"))
        except ValueError as error:
            self.note(("", "", f"the release {name} in the namespace {place.namespace} cannot be read: {error}"), place)
        else:
            self.note((*chart, ""), place)


def chart_of_release(text: str) -> tuple[str, str]:
    """Name and version of the chart of a release, as Helm keeps it in a secret.

    Helm: base64 of a gzipped JSON document (long ago it was not gzipped), and base64 once more, as everything in a secret.

    :raises ValueError: with the reason, when it is nothing of this kind; nothing of the content is told.
    """
    try:
        packed = base64.b64decode(base64.b64decode(text, validate=True), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("it is no base64") from error
    if packed.startswith(_GZIP):
        reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            packed = reader.decompress(packed, _LARGEST_RELEASE)
        except zlib.error as error:
            raise ValueError("its gzip data is damaged") from error
        if reader.unconsumed_tail:
            raise ValueError(f"it has more than {_LARGEST_RELEASE} bytes")
        if not reader.eof:
            raise ValueError("its gzip data is cut off")
    try:
        document = json.loads(packed)
    except (ValueError, RecursionError) as error:
        # its words could show a part of the values
        raise ValueError("it is no JSON document") from error
    meta = _part(_part(document, "chart"), "metadata")
    name, version = _text(meta, "name"), _text(meta, "version")
    if not name or not version:
        raise ValueError("it names no chart with a version")
    return name, version


def _merged(parts: Iterable[_Found]) -> Iterator[tuple[Any, tuple[Place, ...]]]:
    """What was found in several namespaces, in an order that does not depend on theirs."""
    merged = _Found()
    for part in parts:
        for thing, places in part.places.items():
            merged.places.setdefault(thing, set()).update(places)
    return ((thing, tuple(sorted(merged.places[thing]))) for thing in sorted(merged.places))


def _owner(meta: Object) -> str:
    """What a pod belongs to; of a ReplicaSet of a Deployment, the Deployment."""
    owners = _entries(meta, "ownerReferences")
    owner = next((entry for entry in owners if entry.get("controller")), owners[0] if owners else {})
    kind, name = _text(owner, "kind"), _text(owner, "name")
    ending = "-" + _text(_part(meta, "labels"), "pod-template-hash")
    if kind == "ReplicaSet" and len(ending) > 1 and name.endswith(ending):
        return f"Deployment/{name[: -len(ending)]}"
    return f"{kind}/{name}" if kind and name else f"Pod/{_text(meta, 'name')}"


def _part(values: Any, name: str) -> Object:
    found = values.get(name) if isinstance(values, dict) else None
    return found if isinstance(found, dict) else {}


def _entries(values: Object, name: str) -> list[dict[str, Any]]:
    found = values.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _text(values: Object, name: str) -> str:
    found = values.get(name)
    return found if isinstance(found, str) else ""
