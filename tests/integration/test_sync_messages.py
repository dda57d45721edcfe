# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user reads when something is wrong: what was attempted, on what, what came back, what to do."""

from __future__ import annotations

import socket

import pytest

from ansible_collections.quayside.airgap.tests.integration.playbooks import PASSWORD, USER, sides
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.images import simple_image

APP = simple_image("app")


@pytest.fixture
def closed_port():
    """`host:port` that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{probe.getsockname()[1]}"


def web_page() -> Fault:
    """A server that answers everything with a web page."""
    return Fault("*", "", "garbage", times=None)


def test_the_preflight_reports_all_problems_together(play, sandbox, certificates, closed_port):
    """Six registries, none of them ready, each for a reason of its own; nothing is asked of the one that is."""
    untrusted, plain, page, login, ready = (
        sandbox(tls=certificates),
        sandbox(),
        sandbox(tls=certificates),
        sandbox(tls=certificates, auth="token"),
        sandbox(tls=certificates),
    )
    page.faults.append(web_page())
    run = play(
        sides(
            untrusted.host,
            [closed_port, "registry.invalid", plain.host, page.host, login.host, f"{ready.host}/prod"],
            discover={},
            source_validate_certs=True,
            destination_validate_certs=True,
            destination_ca_path=str(certificates.ca),
            destination_username=USER,
            destination_password="not-" + PASSWORD,
        )
    ).failed()

    head, _colon, told = run.message.partition(": ")
    assert head == "6 of 7 registries are not ready"
    problems = dict(part.removeprefix("source ").removeprefix("destination ").split(": ", 1) for part in told.split(" | "))
    assert "its certificate is not trusted" in problems[untrusted.host]
    assert "Name the certificate authority with ca_path" in problems[untrusted.host]
    assert "the connection was refused. Check the port" in problems[closed_port]
    assert "the host name is not known" in problems["registry.invalid"]
    assert "it does not speak TLS on this port" in problems[plain.host]
    assert "for a registry with plain HTTP switch validate_certs off" in problems[plain.host]
    assert "it answers text/html, as a web page does, not a registry" in problems[page.host]
    assert f"Could not find robot with username: {USER} and supplied password" in problems[login.host]
    assert PASSWORD not in run.output
    assert ready.writes == []
    assert run.by_host() == {}


def test_every_image_that_fails_is_named_with_its_reason(play, sandbox, certificates, closed_port):
    """The same troubles in the middle of the work, where the preflight is switched off."""
    source, page, destination = sandbox(), sandbox(), sandbox()
    source.load("app", "v1", APP)
    page.faults.append(web_page())
    untrusted = sandbox(tls=certificates)
    missing = "sha256:" + "0" * 64
    images = {
        "app:v2": "404",
        "nowhere:v1": "404",
        f"app@{missing}": "404",
        "nowhere": "404",
        f"{closed_port}/closed/app:v1": "the connection was refused",
        "registry.invalid/dns/app:v1": "the host name is not known",
        f"{page.host}/page/app:v1": "as a web page does, not a registry",
    }
    run = play(
        {},
        hosts={
            "many": sides(source.host, destination.host, images=["app:v1", *images], skip_broken=True, retries=0, preflight=False),
            "untrusted": sides(untrusted.host, destination.host, images=["app:v1"], preflight=False, source_validate_certs=True),
            "plain": sides(source.host, destination.host, images=["app:v1"], preflight=False, source_validate_certs=True),
        },
    ).failed()

    told = run.messages["many"].partition(" images could not be copied: ")[2].split(" | ")
    for image, words in images.items():
        full = image if "/" in image else f"{source.host}/{image}"
        assert [line for line in told if line.startswith((f"{full} ->", f"{full}:")) and words in line], (image, told)
    assert "Of the others: 1 copied." in run.messages["many"]
    assert destination.tags("app") == {"v1": APP.digest}
    assert f"Could not connect to {untrusted.host}: its certificate is not trusted" in run.messages["untrusted"]
    assert "ca_path" in run.messages["untrusted"]
    assert f"Could not connect to {source.host}: it does not speak TLS on this port" in run.messages["plain"]


def test_all_faults_of_the_options_are_told_before_anything_is_asked(play, sandbox):
    source, destination = sandbox(), sandbox()
    wrong = {
        "team/App:1": "the repository 'team/App' has upper-case letters",
        "app:ta g": "the tag 'ta g' is not 1 to 128 letters",
        "app@sha256:123": "the digest 'sha256:123' is not sha256: with 64",
        "https://quay.example.com/app": "the scheme 'https://' has no place in it",
    }
    images = ["app:v1", *wrong, {"sorce": "app"}, 5]
    variables = sides(source.host, destination.host, images=images, platforms=["linux"])
    run = play({}, hosts={"preflight": variables, "mirror": {**variables, "registry_sync_preflight": False}}).failed()

    for host, message in run.messages.items():
        for number, (text, words) in enumerate(wrong.items(), start=1):
            assert f"images[{number}]" in message, host
            assert text in message
            assert words in message
        assert "unknown key sorce; known are destination, exclude_tags, platforms, source, tags" in message
        assert "an image is text or a mapping with 'source'" in message
    assert "'linux'" in run.messages["mirror"]
    assert source.requests + destination.requests == []


def test_a_registry_that_does_not_list_its_repositories(play, sandbox):
    source, destination = sandbox(catalog=False), sandbox()
    run = play(sides(source.host, destination.host, discover={})).failed()
    assert f"Could not list the repositories of {source.host}" in run.message
    assert "This registry does not list its repositories: name them with the option images." in run.message
