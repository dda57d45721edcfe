# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small client for the API of Kubernetes: single objects, whole lists, and which kinds there are."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from ansible_collections.quayside.airgap.plugins.module_utils.cluster.kubeconfig import Connection, Pem, read_token
from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, HttpError, InputError, ProtocolError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import HttpSession, HttpSettings, RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings

Object = Mapping[str, Any]
Gathered = TypeVar("Gathered")

# Objects in one page of a list: 250 pods are some 4 MB
PAGE = 250
_LARGEST_ANSWER = 64 << 20
# Kubernetes keeps the state that a list was begun with for five minutes
_RESTARTS = 3
_LONGEST_REASON = 500


@dataclass(frozen=True)
class Manners:
    """How patiently a cluster is asked.

    :ivar retries: further attempts of a call that failed in passing.
    :ivar timeout: seconds of silence after which an answer is given up.
    """

    retries: int = 5
    timeout: int = 60

    def __post_init__(self) -> None:
        for name, value, least, most in (("retries", self.retries, 0, 100), ("timeout", self.timeout, 1, 86400)):
            if not least <= value <= most:
                raise InputError(name, f"{value} is not between {least} and {most}")


class Resource(NamedTuple):
    """How objects of a kind are addressed.

    :ivar name: as it stands in paths: ``deployments``.
    """

    name: str
    kind: str
    namespaced: bool
    verbs: tuple[str, ...]


class ClusterClient:
    """Talks to one cluster; use it as a context manager, since certificates may lie in files as long as it lives.

    Answers that say no are a :class:`HttpError` whose ``code`` is the reason that Kubernetes gives (``Forbidden``, ``NotFound``,
    ``Expired``), empty for what the API does not serve at all.
    """

    def __init__(self, connection: Connection, manners: Manners | None = None, cancellation: Cancellation | None = None) -> None:
        self.connection = connection
        asked = manners or Manners()
        self._lock = threading.Lock()
        self._token = read_token(connection.token_file) if connection.token_file else connection.token
        self._reached = False
        self._folder = ""
        try:
            settings = HttpSettings(
                tls=TlsSettings(
                    verify=connection.verify,
                    ca_path=self._file("ca.pem", connection.authority),
                    client_cert=self._file("client.pem", connection.client_cert),
                    client_key=self._file("client.key", connection.client_key),
                ),
                retry=RetryPolicy(retries=asked.retries),
                read_timeout=float(asked.timeout),
                proxy=connection.proxy or None,
            )
            self._http = HttpSession(settings, cancellation)
        except BaseException:
            self._forget_files()
            raise

    def __enter__(self) -> ClusterClient:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections, and remove the files of certificates."""
        self._http.close()
        self._forget_files()

    # --- reading

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        """What lies at a path of the API.

        :raises HttpError: when the answer says no; see the class.
        :raises ProtocolError: when it is nothing that an API of Kubernetes answers.
        :raises TransportError: when none came.
        """
        status, headers, content = self._call(path, query or {})
        if status == 200:
            return self._object(path, content)
        raise self._refusal(path, status, headers, content)

    def find(self, path: str) -> Object | None:
        """As :meth:`get`; None where there is nothing."""
        try:
            return self.get(path)
        except HttpError as error:
            if error.status == 404:
                return None
            raise

    def version(self) -> str:
        """Of Kubernetes, as the cluster writes it: ``v1.31.6+abcdef``."""
        found = self.get("/version").get("gitVersion")
        if not isinstance(found, str) or not found:
            raise ProtocolError("read the version of", self.connection.server, "the answer does not have one", self._not_kubernetes)
        return found

    def resources(self, api_version: str) -> Mapping[str, Resource] | None:
        """The kinds of a version of an API, by name; None where the cluster does not serve it.

        :param api_version: as objects have it: ``v1``, ``apps/v1``.
        """
        document = self.find(f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}")
        if document is None:
            return None
        found: dict[str, Resource] = {}
        for entry in document.get("resources") or []:
            name, kind = (entry.get(key) for key in ("name", "kind")) if isinstance(entry, dict) else ("/", "")
            # names with a slash are parts of objects: pods/log
            if isinstance(name, str) and isinstance(kind, str) and "/" not in name:
                found[kind] = Resource(name, kind, bool(entry.get("namespaced")), tuple(map(str, entry.get("verbs") or ())))
        return found

    def list_objects(self, path: str, *, labels: str = "", fields: str = "", page: int = PAGE) -> list[Object]:
        """All objects of a list; see :meth:`gather` for those that may be too many to hold."""
        return self.gather(path, list, list.append, labels=labels, fields=fields, page=page)

    def gather(
        self,
        path: str,
        begin: Callable[[], Gathered],
        add: Callable[[Gathered, Object], object],
        *,
        labels: str = "",
        fields: str = "",
        page: int = PAGE,
    ) -> Gathered:
        """Go through a list page by page, keeping of each object only what is wanted.

        Kubernetes: all pages show the state at the time of the first. Where that is no longer kept, the list is begun again.

        :param begin: makes an empty collection; it is called again when the list has to be begun again.
        :param add: puts what is wanted of an object into it.
        :param labels: a selector over labels; ``fields``: one over fields.
        :param page: how many objects are asked for at once; fewer for large ones.
        :raises HttpError: see :meth:`get`.
        """
        query = {"limit": str(page)}
        if labels:
            query["labelSelector"] = labels
        if fields:
            query["fieldSelector"] = fields
        for restarts_left in reversed(range(_RESTARTS + 1)):
            gathered = begin()
            try:
                self._pages(path, query, lambda item, into=gathered: add(into, item))  # type: ignore[misc]
            except HttpError as error:
                if error.status != 410 or not restarts_left:
                    raise
            else:
                return gathered
        raise AssertionError("the last attempt returns or raises")

    def _pages(self, path: str, query: Mapping[str, str], take: Callable[[Object], object]) -> None:
        onward = ""
        while True:
            document = self.get(path, {**query, "continue": onward} if onward else query)
            items, meta = ([] if document.get("items") is None else document["items"]), document.get("metadata", {})
            if not isinstance(items, list) or not isinstance(meta, dict) or not all(isinstance(item, dict) for item in items):
                raise ProtocolError("read", self._name(path), "the answer is no list of objects", self._not_kubernetes)
            for item in items:
                take(item)
            before, onward = onward, meta.get("continue") or ""
            if not onward:
                return
            if onward == before or not isinstance(onward, str):
                raise ProtocolError("read", self._name(path), "the list does not go on: a page refers to itself")

    # --- the wire

    def _call(self, path: str, query: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        url = self.connection.server + quote(path, safe="/:@") + (f"?{urlencode(query)}" if query else "")
        token = self._token
        for renewed in (False, True):
            headers = self._headers(token)
            response, content = self._http.read(
                lambda sent=headers: self._http.send("GET", url, headers=sent, first_contact=not self._reached),  # type: ignore[misc]
                _LARGEST_ANSWER,
                self._name(path),
            )
            # API servers go away one by one while a cluster is updated; a wrong address was never there
            self._reached = True
            token = self._renewed_token(token) if response.status_code == 401 and not renewed else ""
            if not token:
                break
        return response.status_code, response.headers, content

    def _headers(self, token: str) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if self.connection.as_user:
            headers["Impersonate-User"] = self.connection.as_user
        if self.connection.as_group:
            headers["Impersonate-Group"] = self.connection.as_group
        return headers

    def _renewed_token(self, used: str) -> str:
        """The token that has been put in the place of one that is refused; empty where there is no other."""
        if not self.connection.token_file:
            return ""
        with self._lock:
            self._token = read_token(self.connection.token_file)
            return self._token if self._token != used else ""

    def _object(self, path: str, content: bytes) -> Object:
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise ProtocolError("read", self._name(path), "the answer is no JSON object", self._not_kubernetes)
        return document

    def _refusal(self, path: str, status: int, headers: Mapping[str, str], content: bytes) -> HttpError:
        try:
            told = json.loads(content)
        except (ValueError, RecursionError):
            told = None
        words, code = "", ""
        if isinstance(told, dict):
            words, code = (text if isinstance(text, str) else "" for text in (told.get("message"), told.get("reason")))
        if not words:
            words = "the cluster does not serve this" if status == 404 else f"the answer has the status {status}"
        if headers.get("Location"):
            words += ", which leads elsewhere and is not followed"
        hints = {
            401: f"The login of {self.connection.found} is not accepted (any more): log in again, or give another api_key.",
            403: "Have the right to read it granted (get and list), or leave it out.",
        }
        return HttpError("read", self._name(path), words[:_LONGEST_REASON], hints.get(status, ""), status=status, code=code)

    def _name(self, path: str) -> str:
        return f"{self.connection.server}{path}"

    @property
    def _not_kubernetes(self) -> str:
        return f"Check that {self.connection.server} is the API of a cluster, and not its console or a login page."

    # --- files

    def _file(self, name: str, pem: Pem) -> str | None:
        """The path of a certificate or key: of its own file, or of one that is written here for as long as the client lives."""
        if not pem.content:
            return pem.path or None
        try:
            self._folder = self._folder or tempfile.mkdtemp(prefix="cluster-")
            path = os.path.join(self._folder, name)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(pem.content)
        except OSError as error:
            raise FileError("write a certificate to", self._folder or tempfile.gettempdir(), error.strerror or str(error)) from error
        return path

    def _forget_files(self) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""
