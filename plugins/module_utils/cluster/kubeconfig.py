# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a cluster is reached: from options, the environment, kubeconfig files, or the service account of the pod that this runs in."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, FileError, InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.files import read_bytes
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import check_proxy
from ansible_collections.quayside.airgap.plugins.module_utils.core.thirdparty import load

# Kubernetes: where a pod finds what it needs to talk to its cluster
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_LARGEST = 16 << 20
_TOKEN_LIMIT = 1 << 20
# What every option is called in the environment, as other tools for Ansible and Kubernetes have it
_ENVIRONMENT = {
    "kubeconfig": "K8S_AUTH_KUBECONFIG",
    "context": "K8S_AUTH_CONTEXT",
    "host": "K8S_AUTH_HOST",
    "api_key": "K8S_AUTH_API_KEY",
    "ca_path": "K8S_AUTH_SSL_CA_CERT",
    "client_cert": "K8S_AUTH_CERT_FILE",
    "client_key": "K8S_AUTH_KEY_FILE",
    "proxy": "K8S_AUTH_PROXY",
}
_VERIFY = "K8S_AUTH_VERIFY_SSL"
_OUR_WORDS = "Log in with 'oc login' or 'kubectl config' again, or give a token with api_key."
# Kubernetes: ways to log in that need a program, or that are gone since 1.19 and 1.26
_FOREIGN_LOGINS = {"exec": "a program that is to be run", "auth-provider": "an auth-provider", "password": "a password"}


@dataclass(frozen=True)
class ClusterOptions:
    """What the user says about a cluster; what is None or empty is looked for elsewhere.

    :ivar kubeconfig: path of a kubeconfig, or several with colons between them.
    :ivar context: name of a context in it, where not the current one is meant.
    :ivar host: URL of the API; without a kubeconfig beside it, only what is given here is sent there.
    :ivar api_key: a bearer token.
    :ivar validate_certs: None leaves it to the kubeconfig.
    """

    kubeconfig: str = ""
    context: str = ""
    host: str = ""
    api_key: str = field(default="", repr=False)
    validate_certs: bool | None = None
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    proxy: str = field(default="", repr=False)


@dataclass(frozen=True)
class Pem:
    """A certificate or key: a file, or its content."""

    path: str = ""
    content: bytes = field(default=b"", repr=False)

    def __bool__(self) -> bool:
        return bool(self.path or self.content)


@dataclass(frozen=True)
class Connection:
    """Everything that is needed to talk to one cluster.

    :ivar server: URL without a slash at its end.
    :ivar authority: whom to trust, beside those that the machine trusts.
    :ivar token_file: a file with the bearer token, which is renewed while we run; it goes before ``token``.
    :ivar namespace: of the context; empty where it names none.
    :ivar found: where this was found, for messages.
    """

    server: str
    verify: bool = True
    authority: Pem = field(default_factory=Pem)
    client_cert: Pem = field(default_factory=Pem)
    client_key: Pem = field(default_factory=Pem)
    token: str = field(default="", repr=False)
    token_file: str = ""
    as_user: str = ""
    as_group: str = ""
    proxy: str = field(default="", repr=False)
    namespace: str = ""
    found: str = ""


def find_connection(
    options: ClusterOptions, environment: Mapping[str, str] | None = None, *, service_account: Path = SERVICE_ACCOUNT
) -> Connection:
    """How to reach the cluster that the options mean.

    Options go before ``K8S_AUTH_*`` in the environment, those before the kubeconfig (the one that is named, else ``KUBECONFIG``,
    else ``~/.kube/config``), and that before the service account of the pod.

    :param environment: that of the process when not given.
    :raises InputError: when nothing says where a cluster is, or what is said contradicts itself.
    :raises FileError: when a kubeconfig cannot be read or understood.
    """
    surroundings = os.environ if environment is None else environment
    given = _with_environment(options, surroundings)
    if given.host and not (given.kubeconfig or given.context):
        # a login that lies around somewhere is for the cluster that it lies beside
        return _overridden(Connection(_server(given.host, "host"), found="the option host"), given)
    documents = _documents(given, surroundings)
    if documents or given.context:
        return _overridden(_from_kubeconfig(documents, given.context), given)
    host, port = surroundings.get("KUBERNETES_SERVICE_HOST", ""), surroundings.get("KUBERNETES_SERVICE_PORT", "")
    if host and (service_account / "token").is_file():
        return _overridden(_in_cluster(host, port, service_account), given)
    raise InputError(
        "the cluster",
        "nothing says where it is: there is no option host, no kubeconfig, and this is no pod of a cluster",
        "Name a kubeconfig, or give host and api_key.",
    )


def _with_environment(options: ClusterOptions, environment: Mapping[str, str]) -> ClusterOptions:
    given = options
    # one who names a place names the login that belongs to it
    placed = bool(options.host or options.kubeconfig)
    for name, variable in _ENVIRONMENT.items():
        value = environment.get(variable, "")
        if value and not getattr(given, name) and not (placed and name in ("kubeconfig", "context", "host")):
            changes: dict[str, Any] = {name: value}
            given = replace(given, **changes)
    flag = environment.get(_VERIFY, "")
    if given.validate_certs is None and flag:
        if flag.lower() not in _FLAGS:
            raise InputError(f"{_VERIFY}='{flag}'", "it is neither true nor false")
        given = replace(given, validate_certs=_FLAGS[flag.lower()])
    return given


_FLAGS = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}


def _overridden(connection: Connection, given: ClusterOptions) -> Connection:
    """A connection with what was said beside it."""
    found = connection
    if given.host:
        found = replace(found, server=_server(given.host, "host"))
    if given.api_key:
        # a certificate of the kubeconfig would be another user's, and an API server looks at it first
        found = replace(found, token=given.api_key, token_file="", client_cert=Pem(), client_key=Pem(), as_user="", as_group="")
    if given.ca_path:
        found = replace(found, authority=Pem(given.ca_path))
    if given.client_cert:
        found = replace(found, client_cert=Pem(given.client_cert), client_key=Pem(given.client_key))
        if not given.api_key:
            found = replace(found, token="", token_file="")
    elif given.client_key:
        raise InputError("client_key", "there is no client_cert beside it")
    if given.proxy:
        check_proxy(given.proxy)
        found = replace(found, proxy=given.proxy)
    if given.validate_certs is not None:
        found = replace(found, verify=given.validate_certs)
    for value in (found.token, found.as_user, found.as_group):
        if value != value.strip() or not value.isprintable():
            raise InputError(f"the login of {found.found}", "it has blanks around it, or characters that cannot be sent")
    return found


def _server(text: str, what: str) -> str:
    """A URL of an API as it is used."""
    url = text.strip()
    url = (url if "://" in url else f"https://{url}").rstrip("/")
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        good = good and not (parts.username or parts.query or parts.fragment) and url.isprintable() and " " not in url
    except ValueError:
        good = False
    if not good:
        raise InputError(what, "it is no URL of an API", "Write it as https://api.cluster.example.com:6443.")
    return url


# --- kubeconfig files


@dataclass(frozen=True)
class _Document:
    path: Path
    content: Mapping[str, Any]


class _Broken(FileError):
    def __init__(self, path: object, reason: str, hint: str = _OUR_WORDS) -> None:
        super().__init__("use the kubeconfig", str(path), reason, hint)


def _documents(given: ClusterOptions, environment: Mapping[str, str]) -> list[_Document]:
    """The files that count, in their order. Only one that a user named must exist."""
    if given.kubeconfig:
        paths = [os.path.expanduser(part) for part in given.kubeconfig.split(os.pathsep) if part]
        return [_read(Path(os.path.abspath(path))) for path in paths]
    paths = [part for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part]
    if not paths:
        home = environment.get("HOME", "")
        paths = [os.path.join(home, ".kube", "config")] if home else []
    return [_read(Path(os.path.abspath(path))) for path in paths if os.path.isfile(path)]


def _read(path: Path) -> _Document:
    yaml = load("yaml")
    # a file, or a pipe, as <(...) in a shell makes one
    content = read_bytes(path, limit=_LARGEST)
    try:
        document = yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        # the words of the parser would show the line, and with it a token
        raise _Broken(path, f"it is no YAML{f' in line {mark.line + 1}' if mark else ''}") from error
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise _Broken(path, "it is no mapping")
    return _Document(path, document)


@dataclass(frozen=True)
class _Entry:
    """One of the named things in a kubeconfig, with the file that it is from: its relative paths begin there."""

    path: Path
    where: str
    values: Mapping[str, Any]

    def text(self, name: str) -> str:
        value = self.values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise _Broken(self.path, f"{self.where} has a {name} that is no text")
        return value

    def flag(self, name: str) -> bool:
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            raise _Broken(self.path, f"{self.where} has a {name} that is neither true nor false")
        return bool(value)

    def file(self, name: str) -> str:
        path = self.text(name)
        return str(self.path.parent / path) if path else ""

    def pem(self, name: str) -> Pem:
        """Kubernetes: content goes before a file."""
        content = self.text(f"{name}-data")
        if not content:
            return Pem(self.file(name))
        try:
            return Pem(content=base64.b64decode("".join(content.split()), validate=True))
        except (binascii.Error, ValueError) as error:
            raise _Broken(self.path, f"{self.where} has a {name}-data that is no base64") from error


def _from_kubeconfig(documents: Iterable[_Document], name: str) -> Connection:
    """The connection of a context.

    Kubernetes: of several files, the first that has something decides on it.
    """
    files = list(documents)
    names = ", ".join(str(document.path) for document in files) or "(there is none)"
    chosen = name or next((text for text in (_current(document) for document in files) if text), "")
    if not chosen:
        raise _Broken(names, "it has no current-context", "Name one with context, or choose one with 'oc config use-context'.")
    context = _named(files, "contexts", "context", chosen)
    if context is None:
        raise _Broken(names, f"there is no context '{chosen}' in it", "List them with 'oc config get-contexts'.")
    cluster = _named(files, "clusters", "cluster", context.text("cluster"))
    if cluster is None:
        raise _Broken(names, f"the context '{chosen}' names a cluster '{context.text('cluster')}', which is not in it")
    user = _named(files, "users", "user", context.text("user")) if context.text("user") else _Entry(context.path, "nobody", {})
    if user is None:
        raise _Broken(names, f"the context '{chosen}' names a user '{context.text('user')}', who is not in it")
    return _connection(context, cluster, user, f"the context '{chosen}' of {context.path}")


def _current(document: _Document) -> str:
    return _Entry(document.path, "it", document.content).text("current-context")


def _named(documents: Iterable[_Document], section: str, kind: str, name: str) -> _Entry | None:
    for document in documents:
        entries = document.content.get(section)
        if entries is None:
            continue
        if not isinstance(entries, list):
            raise _Broken(document.path, f"its {section} are no list")
        for entry in entries:
            if not isinstance(entry, dict) or entry.get("name") != name:
                continue
            values = entry.get(kind)
            if not isinstance(values, dict):
                raise _Broken(document.path, f"the {kind} '{name}' says nothing")
            return _Entry(document.path, f"the {kind} '{name}'", values)
    return None


def _connection(context: _Entry, cluster: _Entry, user: _Entry, found: str) -> Connection:
    for name, words in _FOREIGN_LOGINS.items():
        if user.values.get(name) and not (user.text("token") or user.text("tokenFile")):
            raise _Broken(user.path, f"{user.where} logs in by {words} ({name}), which is not done here", "Give a token with api_key.")
    if cluster.text("tls-server-name"):
        hint = "Write the API's own name as its server, and have it resolved, for example in /etc/hosts."
        raise _Broken(cluster.path, f"{cluster.where} has a tls-server-name, which is not supported", hint)
    groups = user.values.get("as-groups") or []
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise _Broken(user.path, f"{user.where} has as-groups that are no list of texts")
    if len(groups) > 1:
        raise _Broken(user.path, f"{user.where} acts as {len(groups)} groups, and no more than one is supported", "Leave one of them.")
    server, proxy = cluster.text("server"), cluster.text("proxy-url")
    try:
        url = _server(server, "server")
        if proxy:
            check_proxy(proxy)
    except InputError as error:
        raise _Broken(
            cluster.path, f"{cluster.where} has a {'server' if error.subject == 'server' else 'proxy-url'}: {error.reason}"
        ) from error
    return Connection(
        url,
        verify=not cluster.flag("insecure-skip-tls-verify"),
        authority=cluster.pem("certificate-authority"),
        client_cert=user.pem("client-certificate"),
        client_key=user.pem("client-key"),
        token=user.text("token"),
        token_file=user.file("tokenFile"),
        as_user=user.text("as"),
        as_group=groups[0] if groups else "",
        proxy=proxy,
        namespace=context.text("namespace"),
        found=found,
    )


def read_token(path: str) -> str:
    """The token in a file.

    :raises AirgapError: when it cannot be read, or holds none; its content is not told.
    """
    content = read_bytes(path, limit=_TOKEN_LIMIT)
    try:
        token = content.decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not token or not token.isprintable():
        raise FileError("use the token in", path, "there is none in it")
    return token


def _in_cluster(host: str, port: str, folder: Path) -> Connection:
    authority = folder / "ca.crt"
    try:
        namespace = read_bytes(folder / "namespace", limit=_TOKEN_LIMIT).decode("ascii", "replace").strip()
    except AirgapError:
        # nobody needs it to talk to the API
        namespace = ""
    address = f"[{host}]" if ":" in host else host
    return Connection(
        _server(f"https://{address}:{port or '443'}", "KUBERNETES_SERVICE_HOST"),
        authority=Pem(str(authority)) if authority.is_file() else Pem(),
        token_file=str(folder / "token"),
        namespace=namespace,
        found="the service account of this pod",
    )
