# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""registry_preflight as a task: all problems together, and nothing changed."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.modules import registry_preflight
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import closed_port
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOTS


@pytest.mark.parametrize("check", [False, True])
def test_what_is_ready_is_told_and_left_alone(play, start, check):
    source, destination = start(), start(auth="token", users=BOTS)
    result = play(
        registry_preflight,
        check=check,
        source=source.host,
        destination=[f"{destination.host}/mirror", ""],
        destination_username="bot",
        destination_password="secret",
    )
    assert not result["changed"]
    assert [(found["side"], found["url"], found["problem"]) for found in result["registries"]] == [
        ("source", source.url, ""),
        ("destination", destination.url, ""),
    ]
    assert source.writes == destination.writes == []


def test_all_that_is_not_ready_is_told_together(play, start):
    fine, locked, closed = start(), start(auth="basic", users=BOTS), f"127.0.0.1:{closed_port()}"
    result = play(registry_preflight, source=[fine.host, closed], destination=locked.host)
    assert result["failed"]
    assert "2 of 3 registries are not ready" in result["msg"]
    assert [bool(found["problem"]) for found in result["registries"]] == [False, True, True]
    assert not result["changed"]


def test_nothing_to_look_at_is_an_error(play):
    assert "there is nothing to look at" in play(registry_preflight)["msg"]


def test_one_of_several_sources_is_enough(play, start):
    """The first that is ready is taken; what is wrong with the others is a warning, while a destination must be ready."""
    closed, second, third = f"127.0.0.1:{closed_port()}", start(), start()
    sources = [f"{closed}/prod", f"{second.host}/prod", third.host]
    result = play(registry_preflight, source=sources, any_source=True, images=["app:1"], destination=third.host)
    assert result["source"] == f"{second.host}/prod"
    assert f"{closed} is not ready, {second.host}/prod is read in its place: Could not connect to" in str(result["warnings"])

    result = play(registry_preflight, source=[second.host], any_source=True, destination=closed)
    assert "1 of 2 registries are not ready" in result["msg"]
    result = play(registry_preflight, source=[closed, f"127.0.0.1:{closed_port()}"], any_source=True)
    assert "2 of 2 registries are not ready" in result["msg"]
    assert result["source"] == ""


# --- image sets


def image_set(*images, catalog=""):
    operators = [{"catalog": catalog}] if catalog else []
    mirror = {"operators": operators, "additionalImages": [{"name": name} for name in images]}
    return {"apiVersion": "mirror.openshift.io/v2alpha1", "kind": "ImageSetConfiguration", "mirror": mirror}


def test_the_registries_that_an_image_set_names_are_looked_at(play, start, tmp_path):
    """Those of catalogs and of single images, each once; what lies on disk is no matter of a registry."""
    first, second, third, closed = start(), start(), start(), f"127.0.0.1:{closed_port()}"
    named = image_set(
        f"{first.host}/app:1", f"{first.host}/app:2", f"{closed}/tool:1", "oci:///srv/image", catalog=f"{second.host}/index:v4"
    )
    path = tmp_path / "imageset.yml"
    path.write_text(yaml.safe_dump(named))
    for given in (named, str(path)):
        result = play(registry_preflight, image_set=given, destination=f"{third.host}/mirror")
        assert "1 of 4 registries are not ready" in result["msg"]
        assert [(found["side"], found["registry"]) for found in result["registries"]] == [
            ("source", second.host),
            ("source", first.host),
            ("source", closed),
            ("destination", third.host),
        ]
    assert play(registry_preflight, image_set=image_set("oci:///srv/image"))["registries"] == []


def test_an_image_set_that_says_nothing_sensible_is_told(play):
    assert "mirror.additionalImages[0].name: " in play(registry_preflight, image_set=image_set("quay.io/app"))["msg"]
    assert "it is a list" in play(registry_preflight, image_set=["quay.io/app:1"])["msg"]
    both = play(registry_preflight, image_set=image_set("quay.io/app:1"), images=["quay.io/app:2"])
    assert "an image set names its images itself" in both["msg"]


def test_a_password_is_sent_to_the_one_registry_of_an_image_set_and_never_to_several(play, start):
    locked, other = start(auth="basic", users=BOTS), start()
    login = {"source_username": "bot", "source_password": "secret"}
    assert not play(registry_preflight, image_set=image_set(f"{locked.host}/app:1"), **login).get("failed")
    result = play(registry_preflight, image_set=image_set(f"{locked.host}/app:1", f"{other.host}/db:1"), **login)
    assert "a password must not be sent to all of them" in result["msg"]
    named = play(registry_preflight, source=locked.host, image_set=image_set(f"{locked.host}/app:1", f"{other.host}/db:1"), **login)
    assert [found["problem"] for found in named["registries"]] == ["", ""]
    assert not [request for request in other.requests if "authorization" in {name.lower() for name in request.headers}]


# --- the API of a Quay


def test_what_the_api_says_is_in_the_same_report(play, quay):
    token = quay.token("quayadmin")
    result = play(
        registry_preflight,
        source=quay.host,
        destination=f"{quay.host}/prod",
        source_quay_token=token,
        destination_username="quayadmin",
        destination_password="password1",
        destination_quay_username="quayadmin",
        destination_quay_password="password1",
        create=True,
    )
    assert "msg" not in result, result["msg"]
    told = [found["quay"] for found in result["registries"]]
    assert [(entry["url"], entry["user"], entry["superuser"], entry["notes"]) for entry in told] == [(quay.url, "quayadmin", True, [])] * 2
    assert told[0]["version"].startswith("3.18")
    assert token not in str(result)


def test_what_a_token_may_not_do_is_noted(play, quay):
    def notes(user, scopes, **more):
        options = {"destination_username": "quayadmin", "destination_password": "password1", **more}
        result = play(registry_preflight, destination=quay.host, destination_quay_token=quay.token(user, scopes), **options)
        return result["registries"][0]["quay"]["notes"]

    assert notes("alice", "user:read repo:create") == []
    assert notes("alice", "repo:create") == ["The token may not tell its user: it lacks the scope user:read."]
    lacks = "Organizations that are missing cannot be made: the token lacks the scope user:admin."
    assert notes("alice", "user:read org:admin", create=True) == [lacks]


@pytest.mark.parametrize("options", [{"registry_state": "readonly"}, {"features": {"SUPERUSERS_ORG_CREATION_ONLY": True}}])
def test_a_quay_that_cannot_be_written_is_not_ready(play, options):
    with SandboxQuay(QuayOptions(**options)) as quay:
        quay.add_user("alice")
        login = {"destination_username": "alice", "destination_password": "password1"}
        result = play(registry_preflight, destination=quay.host, destination_quay_token=quay.token("alice"), create=True, **login)
    words = "the registry is in read-only mode" if "registry_state" in options else "only superusers may"
    assert words in result["msg"]


def test_apis_that_do_not_let_us_in(play, quay, start):
    result = play(registry_preflight, source=quay.host, source_quay_token="no-such-token")
    assert f"1 of 1 registries are not ready: source {quay.host}:" in result["msg"]
    assert "the token was not accepted" in result["msg"]
    assert "no-such-token" not in str({**result, "invocation": ""})
    other = start()
    assert "as a Quay does" in play(registry_preflight, source=other.host, source_quay_token="x")["msg"]
    several = play(registry_preflight, source=[quay.host, other.host], source_quay_token="x", source_quay_host=quay.url)
    assert "Could not use source_quay_host: there are several in source" in several["msg"]
