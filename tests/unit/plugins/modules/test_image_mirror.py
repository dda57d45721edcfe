# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_mirror as a task: options in, results out, never a traceback."""

from __future__ import annotations

import json
import sys

import pytest

from ansible_collections.quayside.airgap.plugins.modules import image_mirror
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault
from ansible_collections.quayside.airgap.tests.support.certs import create_certificates
from ansible_collections.quayside.airgap.tests.support.images import cosign_signature, cosign_tag, multi_arch, simple_image
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import has
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import ScriptedServer, closed_port, reply
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOTS

pytestmark = pytest.mark.matrix

APP, MANY = simple_image("app"), multi_arch("many")


@pytest.fixture
def source(start):
    registry = start()
    registry.load("team/app", "v1", APP)
    registry.load("team/app", "v2", simple_image("app2"))
    registry.load("team/many", "v1", MANY)
    return registry


@pytest.fixture
def destination(start):
    return start()


@pytest.fixture
def mirror(play):
    return lambda **options: play(image_mirror, **options)


def test_an_image_is_copied_and_the_second_time_it_is_not(mirror, source, destination):
    options = {"images": [f"{source.host}/team/app:v1"], "destination": f"{destination.host}/m"}
    first = mirror(**options)
    assert first["changed"]
    assert (first["images"][0]["state"], first["images"][0]["digest"]) == ("copied", APP.digest)
    name = f"{destination.host}/m/team/app:v1"
    assert first["diff"] == {"before": {name: ""}, "after": {name: APP.digest}}
    second = mirror(**options)
    assert not second["changed"]
    assert second["totals"]["unchanged"] == 1
    assert second["diff"] == {"before": {}, "after": {}}


def test_every_option_arrives(mirror, source, destination, start):
    other = start()
    source.load("team/app", cosign_tag(APP.digest), cosign_signature(APP))
    result = mirror(
        source=f"{source.host}/team",
        destination=[f"{destination.host}/m", other.host],
        images=["app", {"source": "many:v1", "destination": ["few:x"], "platforms": ["linux/arm64"]}],
        tags=["v*"],
        exclude_tags=["v2"],
        signatures="copy",
        skip_broken=True,
        parallel=2,
        timeout=30,
        shard={"index": 0, "count": 1},
    )
    assert "failed" not in result
    assert [(image["state"], image["index"], len(image["companions"])) for image in result["images"]] == [
        ("copied", "", 1),
        ("copied", "", 1),
        ("copied", "rewritten", 0),
        ("copied", "rewritten", 0),
    ]
    assert set(destination.repositories) == {"m/app", "m/few"}
    assert set(other.tags("app")) == {"v1", cosign_tag(APP.digest)}


def test_discovery(mirror, source, destination):
    result = mirror(source=source.host, destination=destination.host, discover={"exclude": ["*/many"]})
    assert sorted(image["destination"] for image in result["images"]) == [f"{destination.host}/team/app:{tag}" for tag in ("v1", "v2")]


def test_check_mode_changes_nothing_and_tells_the_same(mirror, source, destination):
    options = {"source": source.host, "destination": destination.host, "discover": {}}
    destination.refuse_writes = True
    foretold = mirror(check=True, **options)
    assert foretold["changed"]
    assert destination.refused == []
    destination.refuse_writes = False
    done = mirror(**options)
    for result in (foretold, done):
        result["totals"].pop("elapsed")
        result.pop("invocation", None)
        for image in result["images"]:
            image.pop("elapsed")
    assert foretold == done
    assert not mirror(check=True, **options)["changed"]


def test_a_failure_has_the_results_with_it(mirror, source, destination):
    result = mirror(images=[f"{source.host}/team/{name}:v1" for name in ("gone", "app")], destination=destination.host, skip_broken=True)
    assert result["failed"]
    assert "team/gone:v1" in result["msg"]
    assert "MANIFEST_UNKNOWN" in result["msg"]
    assert [image["state"] for image in result["images"]] == ["failed", "copied"]
    assert result["changed"]
    assert has(destination, "team/app", APP)


def test_a_failure_may_be_a_warning(mirror, source, destination):
    images = [f"{source.host}/team/{name}:v1" for name in ("gone", "app")]
    result = mirror(images=images, destination=destination.host, skip_broken=True, fail_on_broken=False)
    assert "failed" not in result
    assert result["totals"]["failed"] == 1
    assert "team/gone:v1" in json.dumps(result.get("warnings", ""))


def test_fail_on_broken_means_nothing_without_skip_broken(mirror, source, destination):
    assert mirror(images=[f"{source.host}/team/gone:v1"], destination=destination.host, fail_on_broken=False)["failed"]


def test_a_selection_that_matches_nothing_is_a_warning(mirror, source, destination):
    result = mirror(source=source.host, destination=destination.host, discover={"include": ["nothing/*"]})
    assert not result["changed"]
    assert "lists no repository" in json.dumps(result["warnings"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"images": ["q.io/Team/App:1"], "destination": ["d.io"]}, ["images[0]", "upper-case letters"]),
        ({"images": ["q.io/a:1"]}, ["images[0]", "it has no destination"]),
        ({"images": []}, ["images: there are none"]),
        ({"images": ["q.io/a:1"], "destination": ["nohost"]}, ["'nohost' is no registry"]),
        ({"images": [{"source": "q.io/a:1", "dest": "x"}], "destination": ["d.io"]}, ["unknown key dest"]),
        ({"images": ["q.io/a:1"], "destination": ["d.io"], "platforms": ["linux"]}, ["'linux'", "os/architecture"]),
        ({"images": ["q.io/a:1"], "destination": ["d.io"], "parallel": 0}, ["parallel", "between 1 and 64"]),
        ({"images": ["q.io/a:1"], "destination": ["d.io"], "shard": {"index": 3, "count": 3}}, ["shard", "index 3 of 3"]),
        ({"images": ["q.io/a:1"], "destination": ["d.io"], "signatures": "maybe"}, ["signatures", "copy", "require", "skip"]),
        ({"images": ["q.io/a:1"], "destination": ["d.io"], "registries_conf": "/nonexistent.conf"}, ["/nonexistent.conf"]),
        ({"images": ["q.io/a:1"], "destination": ["d.io"], "source_username": "bot"}, ["source_username", "source_password"]),
        ({"images": ["q.io/a:1"], "destination": ["d.io"], "source_client_key": "/k"}, ["source_client_cert"]),
        ({"images": ["registry.invalid/a:1"], "destination": ["d.invalid"]}, ["registry.invalid", "the host name is not known"]),
    ],
    ids=lambda value: None,
)
def test_bad_input_gets_a_message_that_names_it(mirror, options, words):
    result = mirror(**options)
    assert result["failed"]
    assert all(word in result["msg"] for word in words), result["msg"]
    assert "Traceback" not in json.dumps(result)


def test_an_authfile_that_is_missing_is_named(mirror, source, destination):
    result = mirror(images=[f"{source.host}/team/app:v1"], destination=destination.host, authfile="/nonexistent.json")
    assert "/nonexistent.json: No such file" in result["msg"]


def test_bad_servers_get_a_message_that_names_them(mirror, source, start, tmp_path):
    certificates = create_certificates(tmp_path / "certificates")
    closed = f"127.0.0.1:{closed_port()}"
    with ScriptedServer([reply(200, "<html>It works!</html>", Content_Type="text/html")]) as page:
        cases = {
            closed: "the connection was refused",
            page.host: "as a web page does",
            start(tls=certificates).host: "Name the certificate authority with ca_path",
            start(auth="basic", users=BOTS).host: "No credentials were found",
            start(read_only=True, quirks="quay").host: "read-only",
        }
        for host, words in cases.items():
            verify = "ca_path" in words
            message = mirror(images=[f"{source.host}/team/app:v1"], destination=host, destination_validate_certs=verify)["msg"]
            assert words in message
            assert host in message


def test_a_token_service_that_refuses_is_told_in_its_words(mirror, source, start):
    locked = start(auth="token", users=BOTS)
    result = mirror(
        images=[f"{source.host}/team/app:v1"], destination=locked.host, destination_username="team+bot", destination_password="s3cr3t-word"
    )
    assert "Could not find robot with username: team+bot" in result["msg"]
    assert "s3cr3t" not in json.dumps(result)


def test_secrets_are_nowhere_in_what_a_task_returns(mirror, source, start):
    locked = start(auth="token", users=BOTS)
    result = mirror(
        images=[f"{source.host}/team/app:v1"], destination=locked.host, destination_username="bot", destination_password="secret", diff=True
    )
    assert result["images"][0]["state"] == "copied"
    assert '"secret"' not in json.dumps(result)


def test_an_error_nobody_thought_of_is_still_a_sentence(mirror, source, destination, monkeypatch):
    """A library that misbehaves stands for all that nobody thought of."""
    import requests

    def misbehave(*_args, **_kwargs):
        raise ZeroDivisionError("never seen before")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", misbehave)
    result = mirror(images=[f"{source.host}/team/app:v1"], destination=destination.host)
    assert result["failed"]
    assert "ZeroDivisionError: never seen before" in result["msg"]


def test_without_requests_the_library_is_named(play, monkeypatch):
    monkeypatch.setitem(sys.modules, "requests", None)
    message = play(image_mirror, images=["q.io/a:1"], destination=["d.io"])["msg"]
    assert "the Python library requests" in message
    assert "pip install requests" in message


def test_an_empty_string_is_nothing(mirror, source, destination):
    """Templates leave empty strings where nothing was set."""
    nothing = {"source_username": "", "source_password": "", "source": ""}
    result = mirror(images=[f"{source.host}/team/app:v1"], destination=[destination.host, ""], **nothing)
    assert "failed" not in result


def test_a_fault_that_passes_is_no_failure_of_the_task(mirror, source, destination):
    source.faults.append(Fault("GET", "/blobs/", "reset", after_bytes=100))
    assert "failed" not in mirror(images=[f"{source.host}/team/app:v1"], destination=destination.host, retries=2)
