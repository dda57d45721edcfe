# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox cluster: the API of Kubernetes as far as it is read, with lists in pages, logins and rights.

with SandboxKubernetes(KubernetesOptions(users={"secret": User("bot", (Right("pods", "shop"),))})) as cluster:
    cluster.put(pod("web", "shop", "quay.io/shop/web@sha256:..."))
    ...
    assert cluster.count(path="/pods") == 1
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from ansible_collections.quayside.airgap.tests.sandbox import faults as fault_kinds
from ansible_collections.quayside.airgap.tests.sandbox.faults import FaultPlan
from ansible_collections.quayside.airgap.tests.sandbox.http_server import HttpRequest, HttpResponse, HttpServer
from ansible_collections.quayside.airgap.tests.sandbox.kubernetes.objects import (
    CORE,
    OLM,
    OPENSHIFT,
    Kind,
    Object,
    Objects,
    SelectorError,
    has_fields,
    has_labels,
)
from ansible_collections.quayside.airgap.tests.sandbox.request_log import Request, RequestLog
from ansible_collections.quayside.airgap.tests.sandbox.storage import Storage
from ansible_collections.quayside.airgap.tests.support.certs import Certificates

__all__ = ["ADMIN", "CLIENT", "KubernetesOptions", "Right", "SandboxKubernetes", "User"]

ANONYMOUS = "system:anonymous"
_PATH = re.compile(
    r"^/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+/[^/]+))(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<resource>[^/]+)(?:/(?P<name>[^/]+))?$"
)
_API = re.compile(r"^/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+/[^/]+))$")
_REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed", 410: "Expired"}


@dataclass(frozen=True)
class Right:
    """Leave to read a resource, in one namespace or (`*`) in all of the cluster; `*` as the resource means every one."""

    resource: str = "*"
    namespace: str = "*"

    def covers(self, resource: str, namespace: str) -> bool:
        return self.resource in ("*", resource) and self.namespace in ("*", namespace)


@dataclass(frozen=True)
class User:
    """Who calls, and what they may read."""

    name: str
    rights: tuple[Right, ...] = (Right(),)


ADMIN = User("kube:admin")
CLIENT = User("system:admin")


@dataclass
class KubernetesOptions:
    """Options of a sandbox cluster.

    users       bearer token -> User; a call without a token is nobody's, one with an unknown token is refused
    version     of Kubernetes
    openshift   whether it serves the configuration of OpenShift; `olm`: whether it serves the operators of OLM
    kinds       further kinds
    largest_page   most objects in a page, whatever is asked for
    tls, client_certificates   certificates to serve https with; whoever brings one of this authority is CLIENT
    """

    users: Mapping[str, User] = field(default_factory=lambda: {"admin-token": ADMIN})
    version: str = "v1.31.6+a1b2c3d"
    openshift: bool = True
    olm: bool = True
    kinds: tuple[Kind, ...] = ()
    largest_page: int = 500
    tls: Certificates | None = None
    client_certificates: bool = False
    port: int = 0


class SandboxKubernetes:
    """A cluster on 127.0.0.1; use it as a context manager."""

    def __init__(self, options: KubernetesOptions | None = None) -> None:
        self.options = options or KubernetesOptions()
        kinds = CORE + (OPENSHIFT if self.options.openshift else ()) + (OLM if self.options.olm else ()) + self.options.kinds
        self.objects = Objects(kinds)
        self.users = dict(self.options.users)
        self.faults = FaultPlan()
        self._log = RequestLog()
        self._storage = Storage(None)
        self._kept = 0
        tls = self.options.tls
        context = tls.server_context(require_client_certificate=self.options.client_certificates) if tls else None
        self._server = HttpServer(self._handle, self._log, port=self.options.port, context=context, software="kube")

    def __enter__(self) -> SandboxKubernetes:
        self._server.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        """`http(s)://127.0.0.1:port`."""
        return f"{self._server.scheme}://127.0.0.1:{self._server.port}"

    @property
    def requests(self) -> list[Request]:
        """Everything that was asked so far."""
        return list(self._log.select())

    def count(self, **wanted: Any) -> int:
        """How many requests there were; see RequestLog.select."""
        return len(list(self._log.select(**wanted)))

    def put(self, *items: Object) -> None:
        """Add objects; namespaces that they are in are made."""
        for item in items:
            stored = self.objects.put(item)
            namespace = stored["metadata"].get("namespace")
            if namespace and not self.objects.get(CORE[0], "", namespace):
                self.objects.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})

    def forget_lists(self) -> None:
        """Let every list that was begun so far have expired, as after five minutes."""
        self._kept = self.objects.version + 1
        self.objects.version += 1

    # --------------------------------------------------------------- private

    def _handle(self, request: HttpRequest) -> HttpResponse:
        fault = self.faults.take(request)
        if fault is not None:
            return fault_kinds.answer_with(fault, request, self._answer, self._storage)
        return self._answer(request)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        user = self._user(request)
        if user is None:
            return _refused(401, "Unauthorized")
        if request.method != "GET":
            return _refused(405, "the server does not allow this method on the requested resource")
        if request.path == "/version":
            return _json(200, {"major": "1", "minor": "31", "gitVersion": self.options.version, "platform": "linux/amd64"})
        api = _API.match(request.path)
        if api:
            return self._resources(api["core"] or api["group"])
        match = _PATH.match(request.path)
        kinds = {kind.api_version for kind in self.objects.kinds}
        version = (match["core"] or match["group"]) if match else ""
        if match is None or version not in kinds:
            return _not_served()
        kind = self.objects.kind(version, match["resource"])
        if kind is None:
            return _refused(404, "the server could not find the requested resource")
        return self._read(request, user, kind, match["namespace"] or "", match["name"] or "")

    def _user(self, request: HttpRequest) -> User | None:
        """Who calls; None for a login that is not known."""
        scheme, _blank, token = request.headers.get("authorization", "").partition(" ")
        if scheme:
            return self.users.get(token) if scheme == "Bearer" else None
        return CLIENT if self.options.client_certificates else User(ANONYMOUS, ())

    def _resources(self, version: str) -> HttpResponse:
        found = [kind for kind in self.objects.kinds if kind.api_version == version]
        if not found:
            return _not_served()
        entries: list[Object] = [
            {"name": kind.resource, "kind": kind.name, "namespaced": kind.namespaced, "verbs": ["get", "list", "watch"]} for kind in found
        ]
        if version == "v1":
            entries.append({"name": "pods/log", "kind": "Pod", "namespaced": True, "verbs": ["get"]})
        return _json(200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": entries})

    def _read(self, request: HttpRequest, user: User, kind: Kind, namespace: str, name: str) -> HttpResponse:
        where = "" if kind.namespaced else name
        if not any(right.covers(kind.resource, namespace or where) for right in user.rights):
            return _forbidden(user, kind, namespace, name)
        if name:
            item = self.objects.get(kind, namespace, name)
            if item is None:
                return _refused(404, f'{_full(kind)} "{name}" not found', {"name": name, "kind": kind.resource})
            return _json(200, item)
        try:
            return self._list(request, kind, namespace)
        except SelectorError as error:
            return _refused(400, str(error))

    def _list(self, request: HttpRequest, kind: Kind, namespace: str) -> HttpResponse:
        labels, fields = request.first("labelSelector") or "", request.first("fieldSelector") or ""
        items = [item for item in self.objects.all(kind, namespace) if has_labels(item, labels) and has_fields(item, kind, fields)]
        asked = int(request.first("limit") or 0)
        limit = min(asked, self.options.largest_page) if asked else len(items)
        version, start = self.objects.version, 0
        onward = request.first("continue")
        if onward:
            try:
                token = json.loads(base64.b64decode(onward))
            except ValueError:
                return _refused(400, "continue key is not valid")
            version, start = token["rv"], token["start"]
            if version < self._kept:
                message = (
                    "The provided continue parameter is too old to display a consistent list result. "
                    "You can start a new list without the continue parameter."
                )
                return _refused(410, message)
        meta: Object = {"resourceVersion": str(version)}
        if start + limit < len(items):
            meta["continue"] = base64.b64encode(json.dumps({"rv": version, "start": start + limit}).encode()).decode()
            meta["remainingItemCount"] = len(items) - start - limit
        bare = [
            {name: value for name, value in item.items() if name not in ("apiVersion", "kind")} for item in items[start : start + limit]
        ]
        return _json(200, {"kind": f"{kind.name}List", "apiVersion": kind.api_version, "metadata": meta, "items": bare})


def _json(status: int, value: Any) -> HttpResponse:
    return HttpResponse(status, {"Content-Type": "application/json"}, json.dumps(value).encode() + b"\n")


def _refused(status: int, message: str, details: Mapping[str, Any] | None = None) -> HttpResponse:
    value = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "code": status}
    return _json(status, {**value, "reason": _REASONS[status], **({"details": dict(details)} if details else {})})


def _not_served() -> HttpResponse:
    return HttpResponse(404, {"Content-Type": "text/plain; charset=utf-8"}, b"404 page not found\n")


def _forbidden(user: User, kind: Kind, namespace: str, name: str) -> HttpResponse:
    scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    subject = f'{_full(kind)}{f" {json.dumps(name)}" if name else ""} is forbidden: User "{user.name}"'
    verb = "get" if name else "list"
    message = f'{subject} cannot {verb} resource "{kind.resource}" in API group "{kind.group}" {scope}'
    return _refused(403, message, {"kind": kind.resource, **({"group": kind.group} if kind.group else {})})


def _full(kind: Kind) -> str:
    return f"{kind.resource}.{kind.group}" if kind.group else kind.resource
