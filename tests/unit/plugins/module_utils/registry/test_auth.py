# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials, found where podman, skopeo and docker keep them."""

from __future__ import annotations

import base64
import json
import stat
import threading
import time

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


@pytest.mark.parametrize("key", ["https://index.docker.io/v1", "http://index.docker.io", "https://registry-1.docker.io/v2/"])
def test_docker_hub_under_names_that_only_look_like_its(home, key):
    home.write("docker", {"auths": {key: entry("hub")}})
    assert home.user("docker.io", "library/busybox") == "hub"


@pytest.mark.parametrize("turned", [False, True])
def test_the_proper_key_counts_before_one_that_stands_for_it(home, turned):
    keys = [("https://index.docker.io/v1/", "old"), ("docker.io", "new"), ("https://q.io", "old"), ("q.io", "new")]
    home.write("docker", {"auths": {key: entry(name) for key, name in (reversed(keys) if turned else keys)}})
    assert home.user("docker.io", "library/busybox") == "new"
    assert home.user("q.io") == "new"


def test_a_namespace_may_be_a_key_of_docker_hub_too(home):
    home.write("docker", {"auths": {"docker.io/team": entry("team"), "https://index.docker.io/v1/": entry("hub")}})
    assert home.user("docker.io", "team/app") == "team"
    assert home.user("docker.io", "other/app") == "hub"


@pytest.mark.parametrize(
    "document", [{}, {"auths": {}}, {"auths": None}, {"credHelpers": None}, {"auths": {"q.io": {}}}, {"credHelpers": []}]
)
def test_a_file_may_say_nothing(home, document):
    home.write("docker", document)
    assert home.user() is None


def test_padding_of_docker_is_no_part_of_the_password(home):
    home.write("docker", {"auths": {"q.io": entry("robot", "secret\0\0\0")}})
    assert home.store().find("q.io") == Credentials("robot", "secret")


def test_name_and_password_may_stand_in_plain_text(home):
    home.write("docker", {"auths": {"q.io": {"username": "robot", "password": "secret"}}})
    assert home.store().find("q.io") == Credentials("robot", "secret")


def test_an_identity_token_with_a_name_keeps_both(home):
    home.write("docker", {"auths": {"q.io": {**entry("00000000-0000-0000-0000-000000000000", ""), "identitytoken": "refresh"}}})
    assert home.store().find("q.io").identity_token == "refresh"


def test_folders_of_the_environment_are_honoured(home):
    for variable, place in (("XDG_CONFIG_HOME", "xdg/containers/auth.json"), ("DOCKER_CONFIG", "dock/config.json")):
        path = home.path / place
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"auths": {"q.io": entry(variable)}}))
        assert home.user(**{variable: str(home.path / place.partition("/")[0])}) == variable


def test_a_folder_that_cannot_be_looked_into_is_passed_over(home):
    """A change of users leaves the runtime folder of the first in the environment."""
    home.write("docker", {"auths": {"q.io": entry("docker")}})
    assert home.user(XDG_RUNTIME_DIR=str(home.path / ("n" * 300))) == "docker"


def test_a_file_is_read_once(home):
    home.write("docker", {"auths": {"q.io": entry("docker")}})
    store = home.store()
    assert store.find("q.io", "a").username == "docker"
    home.files["docker"].unlink()
    assert store.find("q.io", "b").username == "docker"


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

    def test_a_helper_is_asked_once_however_many_ask(self, home, helper):
        """It may take a second, and every call to a registry needs credentials."""
        log = home.path / "log"
        helper(f'sleep 0.1; echo asked >>{log}; echo \'{{"Username": "u", "Secret": "s"}}\'')
        store = home.store()
        threads = [threading.Thread(target=store.find, args=("q.io", f"repository{number}")) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert log.read_text() == "asked\n"

    def test_a_helper_that_fails_is_asked_once_too(self, home, helper):
        log = home.path / "log"
        helper(f"echo asked >>{log}; exit 1")
        store = home.store()
        for repository in ("a", "b"):
            with pytest.raises(FileError, match="exit code 1"):
                store.find("q.io", repository)
        assert log.read_text() == "asked\n"

    def test_a_helper_that_hangs_is_left(self, home, helper):
        helper("exec sleep 30")
        store = CredentialStore(environment=home.environment, helper_seconds=0.2)
        started = time.monotonic()
        with pytest.raises(FileError, match=r"gave no answer within 0.2 seconds"):
            store.find("q.io")
        assert time.monotonic() - started < 5

    @pytest.mark.parametrize("script", ["printf '\\377\\376'", 'echo \'{"Username": "u"}\'', "echo '[]'", "echo null", "true"])
    def test_a_helper_that_answers_nonsense_is_named(self, home, helper, script):
        helper(script)
        with pytest.raises(FileError, match="docker-credential-test"):
            home.user()

    def test_a_helper_name_that_no_program_can_have_is_a_sentence(self, home):
        home.write("docker", {"credHelpers": {"q.io": "a\0b"}})
        with pytest.raises(FileError, match="gave no answer"):
            home.user()

    def test_what_a_helper_does_not_know_may_stand_in_the_file(self, home, helper):
        helper("echo credentials not found; exit 1", credHelpers={"q.io": "test"}, auths={"q.io": entry("file")})
        assert home.user() == "file"

    def test_the_store_knows_docker_hub_by_its_old_name(self, home, helper):
        helper('read server; echo "{\\"Username\\": \\"$server\\", \\"Secret\\": \\"s\\"}"', credsStore="test")
        assert home.user("docker.io", "library/busybox") == "https://index.docker.io/v1/"

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
