# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a cluster is found: options, environment, kubeconfig files, the service account of a pod; and what is refused."""

from __future__ import annotations

import base64

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.module_utils.cluster.kubeconfig import (
    ClusterOptions,
    Connection,
    Pem,
    find_connection,
    read_token,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, FileError, InputError
from ansible_collections.quayside.airgap.tests.support.cluster_objects import kubeconfig

SERVER = "https://api.lab.example.com:6443"


@pytest.fixture
def write(tmp_path):
    """Writes a kubeconfig, and gives its path."""

    def write(document, name="config"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
        return str(path)

    return write


def find(tmp_path, environment=None, **options) -> Connection:
    """As on a machine where nothing else lies around."""
    return find_connection(ClusterOptions(**options), environment or {}, service_account=tmp_path / "none")


def refusal(tmp_path, environment=None, **options) -> str:
    with pytest.raises(AirgapError) as caught:
        find(tmp_path, environment, **options)
    return str(caught.value)


# --- kubeconfig


def test_a_context_says_all_that_is_needed(tmp_path, write):
    document = kubeconfig(f"{SERVER}/", token="sha256~abc")
    document["contexts"][0]["context"]["namespace"] = "shop"
    document["clusters"][0]["cluster"].update({"insecure-skip-tls-verify": True, "proxy-url": "http://proxy.example.com:3128"})
    found = find(tmp_path, kubeconfig=write(document))
    assert (found.server, found.token, found.namespace) == (SERVER, "sha256~abc", "shop")
    assert not found.verify
    assert found.proxy == "http://proxy.example.com:3128"
    assert "lab" in found.found


def test_certificates_are_content_or_files_beside_the_kubeconfig(tmp_path, write):
    document = kubeconfig(SERVER, **{"client-certificate": "pki/me.pem", "client-key-data": base64.b64encode(b"KEY").decode()})
    document["clusters"][0]["cluster"]["certificate-authority-data"] = base64.b64encode(b"CA").decode()
    found = find(tmp_path, kubeconfig=write(document, "home/config"))
    assert found.authority == Pem(content=b"CA")
    assert found.client_cert == Pem(str(tmp_path / "home/pki/me.pem"))
    assert found.client_key == Pem(content=b"KEY")
    assert "KEY" not in repr(found)


def test_a_file_with_a_token_lies_beside_the_kubeconfig_too(tmp_path, write):
    found = find(tmp_path, kubeconfig=write(kubeconfig(SERVER, tokenFile="token"), "home/config"))
    assert found.token_file == str(tmp_path / "home/token")


def test_another_context_than_the_current_one(tmp_path, write):
    document = kubeconfig(SERVER, token="one")
    document["contexts"].append({"name": "prod", "context": {"cluster": "prod", "user": "bot"}})
    document["clusters"].append({"name": "prod", "cluster": {"server": "https://api.prod.example.com:6443"}})
    assert find(tmp_path, kubeconfig=write(document), context="prod").server == "https://api.prod.example.com:6443"


def test_of_several_files_the_first_that_has_something_decides(tmp_path, write):
    """Kubernetes: KUBECONFIG may name several, and those that are not there are passed over."""
    first = {"current-context": "lab", "users": [{"name": "bot", "user": {"token": "first"}}]}
    paths = [write(first, "a"), str(tmp_path / "missing"), write(kubeconfig(SERVER, token="second"), "b")]
    found = find(tmp_path, {"KUBECONFIG": ":".join(paths)})
    assert (found.server, found.token) == (SERVER, "first")


def test_the_kubeconfig_of_the_home_is_the_last_one_looked_at(tmp_path, write):
    write(kubeconfig(SERVER, token="mine"), ".kube/config")
    assert find(tmp_path, {"HOME": str(tmp_path)}).token == "mine"


def test_who_acts_as_somebody_else(tmp_path, write):
    found = find(tmp_path, kubeconfig=write(kubeconfig(SERVER, **{"token": "t", "as": "auditor", "as-groups": ["readers"]})))
    assert (found.as_user, found.as_group) == ("auditor", "readers")


# --- options and the environment


def test_options_go_before_the_environment_and_that_before_the_kubeconfig(tmp_path, write):
    path = write(kubeconfig(SERVER, token="of the file"))
    environment = {"K8S_AUTH_API_KEY": "of-the-environment", "K8S_AUTH_VERIFY_SSL": "no"}
    assert find(tmp_path, environment, kubeconfig=path).token == "of-the-environment"
    found = find(tmp_path, environment, kubeconfig=path, api_key="given", validate_certs=True, ca_path="/etc/ca.pem")
    assert (found.token, found.verify, found.authority) == ("given", True, Pem("/etc/ca.pem"))
    assert find(tmp_path, {"K8S_AUTH_KUBECONFIG": path}).server == SERVER


def test_a_token_takes_the_place_of_every_other_login(tmp_path, write):
    """An API server looks at a certificate first: it would be the other user who calls."""
    login = {"client-certificate": "me.pem", "client-key": "me.key", "tokenFile": "token", "as": "auditor"}
    found = find(tmp_path, kubeconfig=write(kubeconfig(SERVER, **login)), api_key="given")
    assert (found.client_cert, found.client_key, found.token_file, found.as_user) == (Pem(), Pem(), "", "")


def test_no_login_that_lies_around_is_sent_to_a_host_that_is_named(tmp_path, write):
    write(kubeconfig(SERVER, token="of the home"), ".kube/config")
    found = find(tmp_path, {"HOME": str(tmp_path), "K8S_AUTH_CONTEXT": "lab"}, host="api.other.example.com:6443")
    assert (found.server, found.token) == ("https://api.other.example.com:6443", "")
    both = find(tmp_path, kubeconfig=write(kubeconfig(SERVER, token="named")), host="http://127.0.0.1:8001")
    assert (both.server, both.token) == ("http://127.0.0.1:8001", "named")


def test_the_service_account_of_a_pod(tmp_path):
    account = tmp_path / "serviceaccount"
    account.mkdir()
    for name, content in (("token", "t\n"), ("ca.crt", "CA"), ("namespace", "shop")):
        (account / name).write_text(content)
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    found = find_connection(ClusterOptions(), environment, service_account=account)
    assert (found.server, found.token_file, found.namespace) == ("https://[fd00::1]:443", str(account / "token"), "shop")
    assert found.authority == Pem(str(account / "ca.crt"))


# --- what is refused


def test_nothing_that_says_where_a_cluster_is(tmp_path):
    assert "nothing says where it is" in refusal(tmp_path)


@pytest.mark.parametrize("host", ["ftp://api", "https://user:pw@api", "https://", "https://api:99999", "api key", "https://api?x=1"])
def test_a_host_that_is_no_url(tmp_path, host):
    words = refusal(tmp_path, host=host)
    assert "host" in words
    assert "pw" not in words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda document: document.pop("current-context"), "no current-context"),
        (lambda document: document.update({"contexts": []}), "there is no context 'lab'"),
        (lambda document: document.update({"contexts": {}}), "its contexts are no list"),
        (lambda document: document.update({"clusters": []}), "names a cluster 'lab', which is not in it"),
        (lambda document: document.update({"users": None}), "names a user 'bot', who is not in it"),
        (lambda document: document["contexts"][0].update({"context": None}), "the context 'lab' says nothing"),
        (lambda document: document["clusters"][0]["cluster"].update({"server": 1}), "a server that is no text"),
        (lambda document: document["clusters"][0]["cluster"].update({"server": ""}), "a server: it is no URL"),
        (lambda document: document["clusters"][0]["cluster"].update({"proxy-url": "socks5://p"}), "a proxy-url: it is no URL"),
        (lambda document: document["clusters"][0]["cluster"].update({"tls-server-name": "api"}), "tls-server-name"),
        (lambda document: document["clusters"][0]["cluster"].update({"insecure-skip-tls-verify": "no"}), "neither true nor false"),
        (lambda document: document["users"][0]["user"].update({"client-key-data": "%%%"}), "client-key-data that is no base64"),
        (lambda document: document["users"][0].update({"user": {"exec": {"command": "aws"}}}), "a program that is to be run"),
        (lambda document: document["users"][0].update({"user": {"username": "me", "password": "pw1"}}), "logs in by a password"),
        (lambda document: document["users"][0]["user"].update({"as-groups": ["a", "b"]}), "acts as 2 groups"),
        (lambda document: document["users"][0]["user"].update({"token": "a\nb"}), "characters that cannot be sent"),
    ],
)
def test_a_kubeconfig_that_says_nothing_sensible_is_told_with_its_place(tmp_path, write, change, words):
    document = kubeconfig(SERVER, token="secret-token")
    change(document)
    told = refusal(tmp_path, kubeconfig=write(document))
    assert words in told
    assert "secret-token" not in told
    assert "pw1" not in told


@pytest.mark.parametrize(
    ("text", "words"), [("users: [token: 'secret-token", "it is no YAML"), ("- 1", "it is no mapping"), ("", "no current-context")]
)
def test_a_file_that_is_no_kubeconfig(tmp_path, write, text, words):
    told = refusal(tmp_path, kubeconfig=write(text))
    assert words in told
    assert "secret-token" not in told


def test_a_kubeconfig_that_is_named_must_be_there(tmp_path):
    assert "No such file" in refusal(tmp_path, kubeconfig=str(tmp_path / "none"))
    assert "no context 'lab'" in refusal(tmp_path, context="lab")


def test_half_a_certificate_and_a_word_that_is_no_flag(tmp_path):
    assert "there is no client_cert" in refusal(tmp_path, host=SERVER, client_key="me.key")
    with pytest.raises(InputError, match="neither true nor false"):
        find(tmp_path, {"K8S_AUTH_VERIFY_SSL": "perhaps"}, host=SERVER)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"two\nlines"])
def test_a_file_that_holds_no_token(tmp_path, content):
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(FileError, match="there is none in it"):
        read_token(str(tmp_path / "token"))
