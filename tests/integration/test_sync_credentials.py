# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom the registries let in: credentials from files and options, each sent to its own registry, none ever shown."""

from __future__ import annotations

import base64
import json

from ansible_collections.quayside.airgap.tests.integration.playbooks import PASSWORD, USER, sides
from ansible_collections.quayside.airgap.tests.sandbox.registry import User
from ansible_collections.quayside.airgap.tests.support.images import simple_image

OTHER_PASSWORD = "another-secret-word"
APP, TOOL = simple_image("app"), simple_image("tool")


def encoded(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def authfile(path, entries):
    """The file that podman login writes: place -> (user, password)."""
    path.write_text(json.dumps({"auths": {place: {"auth": encoded(*login)} for place, login in entries.items()}}))
    return str(path)


def secrets_in(output: str) -> list[str]:
    words = [PASSWORD, OTHER_PASSWORD, encoded(USER, PASSWORD), encoded("dr", OTHER_PASSWORD)]
    return [word for word in words if word in output]


def test_from_the_file_that_podman_writes(play, sandbox, tmp_path):
    """Named by the environment; its keys are a namespace here and a host there."""
    source, destination = sandbox(auth="token"), sandbox(auth="basic", users={"dr": User(OTHER_PASSWORD, {"*": "pull,push"})})
    source.load("prod/app", "v1", APP)
    path = authfile(tmp_path / "auth.json", {f"{source.host}/prod": (USER, PASSWORD), destination.host: ("dr", OTHER_PASSWORD)})

    done = play(
        sides(f"{source.host}/prod", f"{destination.host}/copy", images=["app:v1"]),
        "-vvv",
        environment={"REGISTRY_AUTH_FILE": path},
    ).succeeded()

    assert destination.tags("copy/app") == {"v1": APP.digest}
    assert secrets_in(done.output) == []


def test_those_of_the_source_go_to_no_other_registry(play, sandbox, tmp_path):
    """Options for the source; an image from elsewhere gets what the file says for its own registry."""
    source, elsewhere = sandbox(auth="token"), sandbox(auth="basic", users={"dr": User(OTHER_PASSWORD, {"*": "pull"})})
    destination = sandbox(auth="token")
    source.load("prod/app", "v1", APP)
    elsewhere.load("team/tool", "2", TOOL)
    path = authfile(tmp_path / "auth.json", {f"{elsewhere.host}/team": ("dr", OTHER_PASSWORD)})

    done = play(
        sides(
            f"{source.host}/prod",
            destination.host,
            images=["app:v1", f"{elsewhere.host}/team/tool:2"],
            source_username=USER,
            source_password=PASSWORD,
            destination_username=USER,
            destination_password=PASSWORD,
            authfile=path,
        ),
        "-vvv",
    ).succeeded()

    assert done.digests == {f"{destination.host}/app:v1": APP.digest, f"{destination.host}/team/tool:2": TOOL.digest}
    (preflight,) = done.by_host("quayside.airgap.registry_preflight").values()
    assert [(entry["side"], entry["registry"]) for entry in preflight["registries"]] == [
        ("source", source.host),
        ("source", elsewhere.host),
        ("destination", destination.host),
    ]
    assert secrets_in(done.output) == []


def test_a_wrong_password_is_answered_in_the_registrys_own_words(play, sandbox):
    """With the preflight and without, from a token service and by basic authentication, shown as loudly as Ansible can."""
    tokens, basic = sandbox(auth="token"), sandbox(auth="basic")
    source = sandbox()
    source.load("app", "v1", APP)
    login = {"destination_username": USER, "destination_password": OTHER_PASSWORD}
    run = play(
        {},
        "-vvv",
        hosts={
            "tokens": sides(source.host, tokens.host, images=["app:v1"], **login),
            "tokens-later": sides(source.host, tokens.host, images=["app:v1"], preflight=False, **login),
            "basic": sides(source.host, basic.host, images=["app:v1"], **login),
            "nobody": sides(source.host, basic.host, images=["app:v1"]),
        },
    ).failed()

    for host, registry in (("tokens", tokens), ("tokens-later", tokens), ("basic", basic)):
        assert registry.host in run.messages[host]
        assert f"Check the credentials of '{USER}' for {registry.host}" in run.messages[host]
    for host in ("tokens", "tokens-later"):
        words = f"the registry answered 401 UNAUTHORIZED (Could not find robot with username: {USER} and supplied password.)"
        assert words in run.messages[host]
    assert f"1 of 2 registries are not ready: destination {basic.host}: Could not log in to" in run.messages["basic"]
    assert f"No credentials were found for {basic.host}: give a username" in run.messages["nobody"]
    assert secrets_in(run.output) == []


def test_a_robot_that_may_not_write_there(play, sandbox):
    source = sandbox()
    source.load("app", "v1", APP)
    destination = sandbox(auth="token", users={USER: User(PASSWORD, {"others/*": "pull,push"})})
    login = {"destination_username": USER, "destination_password": PASSWORD}

    run = play(sides(source.host, f"{destination.host}/prod", images=["app:v1"], **login)).failed()

    assert f"{source.host}/app:v1 -> {destination.host}/prod/app:v1" in run.message
    assert "401" in run.message
    assert "access to the requested resource is not authorized" in run.message
    assert secrets_in(run.output) == []


def test_tls_with_an_authority_and_certificates_of_our_own(play, sandbox, certificates):
    source, destination = sandbox(tls=certificates, client_certificates=True), sandbox(tls=certificates, auth="token")
    source.load("app", "v1", APP)

    play(
        sides(
            source.host,
            destination.host,
            images="app:v1",
            source_validate_certs=True,
            source_ca_path=str(certificates.ca),
            source_client_cert=str(certificates.client_cert),
            source_client_key=str(certificates.client_key),
            destination_validate_certs="true",
            destination_ca_path=str(certificates.ca),
            destination_username=USER,
            destination_password=PASSWORD,
        )
    ).succeeded()

    assert destination.tags("app") == {"v1": APP.digest}
