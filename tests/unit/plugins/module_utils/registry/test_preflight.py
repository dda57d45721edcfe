# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before the work begins: every registry is looked at, and all that is wrong is told together."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.tls import TlsSettings
from ansible_collections.quayside.airgap.plugins.module_utils.registry.auth import Credentials
from ansible_collections.quayside.airgap.plugins.module_utils.registry.preflight import PreflightTask, check
from ansible_collections.quayside.airgap.plugins.module_utils.registry.sides import SideOptions, WireOptions
from ansible_collections.quayside.airgap.tests.support.certs import create_certificates
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import ScriptedServer, closed_port, reply
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOT, BOTS

OPEN = TlsSettings(verify=False)


@pytest.fixture(autouse=True)
def no_credentials_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def look(sources=(), destinations=(), *, tls=OPEN, credentials=None, **more):
    side = SideOptions(tls, credentials)
    more.setdefault("registries_conf", "")
    return check(PreflightTask(sources, destinations, source=side, destination=side, wire=WireOptions(retries=0), **more))


def problems(result):
    return {(finding.side, finding.registry): str(finding.problem) for finding in result.problems}


def test_registries_that_are_fine_are_told_with_their_urls(start):
    source, destination = start(), start(auth="token", users=BOTS)
    result = look([source.host], [f"{destination.host}/mirror"], credentials=BOT)
    assert result.problems == []
    assert result.as_results() == {
        "changed": False,
        "registries": [
            {"side": "source", "registry": source.host, "url": source.url, "problem": ""},
            {"side": "destination", "registry": destination.host, "url": destination.url, "problem": ""},
        ],
        "source": source.host,
    }
    assert source.writes == destination.writes == []


def test_all_that_is_wrong_is_told_together(start):
    fine, locked = start(), start(auth="basic", users=BOTS)
    closed = f"127.0.0.1:{closed_port()}"
    with ScriptedServer([reply(200, "<html>", Content_Type="text/html")]) as page:
        result = look([fine.host, "registry.invalid", page.host], [closed, locked.host])
        found = problems(result)
    assert set(found) == {("source", "registry.invalid"), ("source", page.host), ("destination", closed), ("destination", locked.host)}
    assert "the host name is not known" in found["source", "registry.invalid"]
    assert "as a web page does" in found["source", page.host]
    assert "the connection was refused" in found["destination", closed]
    assert "No credentials were found" in found["destination", locked.host]
    assert result.message().startswith("4 of 5 registries are not ready: ")
    assert all(text in result.message() for text in found.values())


def test_a_certificate_that_is_not_trusted_is_told_with_the_option_that_helps(start, tmp_path):
    certificates = create_certificates(tmp_path / "certificates")
    registry = start(tls=certificates)
    assert "ca_path" in problems(look([registry.host], tls=TlsSettings()))["source", registry.host]
    assert look([registry.host], tls=TlsSettings(ca_path=str(certificates.ca))).problems == []


@pytest.mark.parametrize("auth", ["basic", "token"])
def test_a_wrong_password_is_told_and_not_shown(start, auth):
    registry = start(auth=auth, users=BOTS)
    result = look([registry.host], [registry.host], credentials=Credentials("bot", "s3cr3t"))
    assert len(result.problems) == 2
    assert "Check the credentials of 'bot'" in result.message()
    assert "s3cr3t" not in result.message()


@pytest.mark.parametrize("auth", ["basic", "token"])
def test_a_source_may_be_public_a_destination_may_not(start, auth):
    registry = start(auth=auth, users=BOTS, anonymous=("*",), quirks="quay")
    found = problems(look([registry.host], [registry.host]))
    assert ("source", registry.host) not in found


def test_a_registry_named_twice_is_looked_at_once(start):
    registry = start()
    result = look([registry.host, f"{registry.host}/a", f"{registry.host}/b"])
    assert len(result.findings) == 1
    assert registry.count(path="/v2/") == 1


def test_registries_that_only_images_name_are_looked_at_too(start):
    source, destination = start(), start()
    images = [{"source": f"{source.host}/a:1", "destination": f"{destination.host}/a:1"}]
    result = look(images=images)
    assert [(finding.side, finding.registry) for finding in result.findings] == [("source", source.host), ("destination", destination.host)]


@pytest.mark.parametrize(
    "words",
    [{}, {"sources": ["not a host"]}, {"sources": ["a.io"], "images": ["Not/An:Image"]}, {"sources": ["a.io", "b.io"], "images": ["a:1"]}],
)
def test_wrong_words_are_refused_before_anything_is_asked(words):
    with pytest.raises(InputError):
        look(**words)


def test_a_blocked_source_is_a_problem_and_the_others_are_looked_at(start, tmp_path):
    pytest.importorskip("tomllib" if __import__("sys").version_info >= (3, 11) else "tomli")
    registry = start()
    conf = tmp_path / "registries.conf"
    conf.write_text('[[registry]]\nlocation = "q.example"\nblocked = true\n')
    result = look(["q.example", registry.host], registries_conf=str(conf))
    assert list(problems(result)) == [("source", "q.example")]
    assert "blocks 'q.example'" in result.message()
