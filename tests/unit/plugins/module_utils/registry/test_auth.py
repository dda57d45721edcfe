# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials, found where podman, skopeo and docker keep them."""

from __future__ import annotations

import base64
import json
import stat

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import Credentials, CredentialStore


def entry(name, password="p"):
    return {"auth": base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture
def home(tmp_path):
    """A home with every file in place, each saying its own name, and the environment that leads there."""

    class Home:
        def __init__(self):
            self.path = tmp_path
            self.environment = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
            self.files = {
                "runtime": tmp_path / "run/containers/auth.json",
                "config": tmp_path / ".config/containers/auth.json",
                "docker": tmp_path / ".docker/config.json",
                "variable": tmp_path / "variable.json",
                "option": tmp_path / "option.json",
            }

        def write(self, name, document):
            self.files[name].parent.mkdir(parents=True, exist_ok=True)
            self.files[name].write_text(document if isinstance(document, str) else json.dumps(document))

        def store(self, authfile=None, explicit=None, **more):
            return CredentialStore(explicit, authfile, dict(self.environment, **more))

        def user(self, registry="q.io", repository="a/b", **more):
            found = self.store(**more).find(registry, repository)
            return found.username if found else None

    return Home()


def test_the_places_in_their_order(home):
    for name in ("docker", "config", "runtime"):
        home.write(name, {"auths": {"q.io": entry(name)}})
        assert home.user() == name
    home.write("variable", {"auths": {"q.io": entry("variable")}})
    assert home.user(REGISTRY_AUTH_FILE=str(home.files["variable"])) == "variable"
    home.write("option", {"auths": {"q.io": entry("option")}})
    assert home.user(REGISTRY_AUTH_FILE=str(home.files["variable"]), authfile=str(home.files["option"])) == "option"
    assert home.user(explicit=Credentials("explicit", "x")) == "explicit"


def test_a_file_without_the_registry_leaves_it_to_the_next(home):
    home.write("runtime", {"auths": {"other.io": entry("x")}})
    home.write("docker", {"auths": {"q.io": entry("docker")}})
    assert home.user() == "docker"
    assert home.user("third.io") is None


def test_a_named_file_is_the_only_one(home):
    home.write("docker", {"auths": {"q.io": entry("docker")}})
    home.write("variable", {})
    assert home.user(REGISTRY_AUTH_FILE=str(home.files["variable"])) is None


def test_a_named_file_that_is_missing_is_an_error(home):
    with pytest.raises(FileError, match=r"nowhere.json: No such file"):
        home.user(authfile=str(home.path / "nowhere.json"))


def test_the_longest_key_wins(home):
    home.write("docker", {"auths": {"q.io": entry("host"), "q.io/a": entry("namespace"), "q.io/a/b": entry("repository")}})
    assert home.user(repository="a/b") == "repository"
    assert home.user(repository="a/b/c") == "repository"
    assert home.user(repository="a/x") == "namespace"
    assert home.user(repository="ab") == "host"
    assert home.user(repository="") == "host"


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"])
def test_docker_hub_under_all_its_names(home, key):
    home.write("docker", {"auths": {key: entry("hub")}})
    assert home.user("docker.io", "library/busybox") == "hub"


def test_keys_that_are_urls(home):
    home.write("docker", {"auths": {"https://q.io/v2/": entry("url")}})
    assert home.user() == "url"


def test_a_password_may_have_colons(home):
    home.write("docker", {"auths": {"q.io": entry("robot+x", "a:b:c")}})
    assert home.store().find("q.io") == Credentials("robot+x", "a:b:c")


def test_an_identity_token_stands_in_for_a_password(home):
    home.write("docker", {"auths": {"q.io": {"identitytoken": "refresh"}}})
    assert home.store().find("q.io") == Credentials("", "", "refresh")


def test_a_password_is_not_shown_with_its_owner():
    assert "hunter2" not in repr(Credentials("bot", "hunter2"))


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("{", "no JSON"),
        ("[]", "no registry authentication file"),
        ('{"auths": []}', "no registry authentication file"),
        ('{"auths": {"q.io": 5}}', "the entry for 'q.io' is no object"),
        ('{"auths": {"q.io": {"auth": "%%%"}}}', "no base64 text"),
        ('{"auths": {"q.io": {"auth": "bm9jb2xvbg=="}}}', "not name:password"),
    ],
)
def test_a_broken_file_is_named_and_its_secrets_are_not(home, document, why):
    home.write("docker", document)
    with pytest.raises(FileError) as error:
        home.user()
    assert why in str(error.value)
    assert "config.json" in str(error.value)
    assert "nocolon" not in str(error.value)


class TestHelpers:
    @pytest.fixture
    def helper(self, home, monkeypatch):
        """Puts a credential helper on the PATH, and says so in docker's file."""

        def install(script, **document):
            folder = home.path / "bin"
            folder.mkdir(exist_ok=True)
            program = folder / "docker-credential-test"
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
            monkeypatch.setenv("PATH", str(folder), prepend=":")
            home.write("docker", document or {"credHelpers": {"q.io": "test"}})

        return install

    def test_a_helper_is_asked_for_its_registry(self, home, helper):
        helper('read server; echo "{\\"Username\\": \\"$1-$server\\", \\"Secret\\": \\"s\\"}"')
        assert home.store().find("q.io") == Credentials("get-q.io", "s")

    def test_the_store_of_all_registries_is_asked_last(self, home, helper):
        helper('echo \'{"Username": "store", "Secret": "s"}\'', credsStore="test", auths={"own.io": entry("own"), "q.io": {}})
        assert home.user("q.io") == "store"
        assert home.user("own.io") == "own"

    def test_a_token_of_a_helper_is_an_identity_token(self, home, helper):
        helper('echo \'{"Username": "<token>", "Secret": "refresh"}\'')
        assert home.store().find("q.io") == Credentials("", "", "refresh")

    def test_a_helper_that_has_nothing_is_no_error(self, home, helper):
        helper("echo 'credentials not found in native keychain'; exit 1")
        assert home.user() is None

    @pytest.mark.parametrize(("script", "why"), [("echo locked >&2; exit 3", "locked"), ("echo nonsense", "not what a credential helper")])
    def test_a_helper_that_fails_is_named(self, home, helper, script, why):
        helper(script)
        with pytest.raises(FileError) as error:
            home.user()
        assert why in str(error.value)
        assert "docker-credential-test" in str(error.value)

    def test_a_helper_that_is_missing_is_named(self, home):
        home.write("docker", {"credHelpers": {"q.io": "absent"}})
        with pytest.raises(FileError, match=r"docker-credential-absent.*not installed"):
            home.user()
