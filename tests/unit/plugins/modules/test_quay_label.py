# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_label against a sandbox Quay."""

from __future__ import annotations

from typing import Any, Callable

import pytest
import requests

from ansible_collections.quayside.airgap.plugins.modules import quay_label
from ansible_collections.quayside.airgap.tests.sandbox.faults import Fault
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay
from ansible_collections.quayside.airgap.tests.support.images import simple_image

Ask = Callable[..., dict[str, Any]]
IMAGE = simple_image("app", config={"Labels": {"maintainer": "somebody"}})
API = f"/api/v1/repository/prod/app/manifest/{IMAGE.digest}/labels"


@pytest.fixture(autouse=True)
def app(quay: SandboxQuay) -> None:
    quay.add_organization("prod", owner="quayadmin")
    quay.add_repository("prod/app", creator="quayadmin")
    quay.load("prod/app", "1.0", IMAGE)


@pytest.fixture
def label(ask: Ask) -> Ask:
    """The module, for the label team of prod/app:1.0."""
    return lambda **options: ask(quay_label, **{"image": "prod/app:1.0", "key": "team", **options})


def call(quay: SandboxQuay, method: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {quay.token('quayadmin')}"}
    answer = requests.request(method, quay.url + API, json=body, headers=headers, timeout=10)
    assert answer.status_code < 300
    return answer.json()


def shown(quay: SandboxQuay) -> list[tuple[str, str]]:
    """Keys and values of the image's labels."""
    return sorted((entry["key"], entry["value"]) for entry in call(quay, "GET")["labels"])


def add(quay: SandboxQuay, value: str) -> None:
    call(quay, "POST", {"key": "team", "value": value, "media_type": "text/plain"})


def test_a_label_is_added_once_and_replaced(label: Ask, quay: SandboxQuay) -> None:
    made = label(value="a")
    assert made["objects"] == [{"kind": "label", "name": "prod/app:1.0 team", "state": "created"}]
    assert (made["name"], made["digest"]) == ("prod/app:1.0", IMAGE.digest)
    assert shown(quay) == [("maintainer", "somebody"), ("team", "a")]
    assert not label(value="a")["changed"]
    changed = label(value="b")
    assert changed["diff"]["before"] == {"label prod/app:1.0 team": {"values": ["a"]}}
    assert changed["diff"]["after"] == {"label prod/app:1.0 team": {"values": ["b"]}}
    assert shown(quay) == [("maintainer", "somebody"), ("team", "b")]


def test_a_value_beside_others(label: Ask, quay: SandboxQuay) -> None:
    label(value="b")
    assert label(value="a", replace=False)["changed"]
    assert not label(value="a", replace=False)["changed"]
    assert not label(value="b", replace=False)["changed"]
    assert shown(quay)[1:] == [("team", "a"), ("team", "b")]
    assert label(value="a")["changed"]
    assert shown(quay)[1:] == [("team", "a")]


def test_one_is_left_of_several_alike(label: Ask, quay: SandboxQuay) -> None:
    for value in ("a", "a", "b"):
        add(quay, value)
    assert not label(value="a", replace=False)["changed"]
    assert label(value="a")["changed"]
    assert shown(quay)[1:] == [("team", "a")]


def test_labels_go_by_key_or_by_value(label: Ask, quay: SandboxQuay) -> None:
    for value in ("a", "b", "c"):
        add(quay, value)
    assert label(value="b", state="absent")["diff"]["before"] == {"label prod/app:1.0 team": {"values": ["b"]}}
    assert not label(value="b", state="absent")["changed"]
    assert shown(quay)[1:] == [("team", "a"), ("team", "c")]
    assert label(state="absent")["changed"]
    assert not label(state="absent")["changed"]
    assert shown(quay) == [("maintainer", "somebody")]


@pytest.mark.parametrize("check", [True, False])
def test_what_the_image_brings_along_stays(label: Ask, quay: SandboxQuay, check: bool) -> None:
    assert not label(key="maintainer", value="somebody", check=check)["changed"]
    refused = "the label maintainer with the value 'somebody' comes from the image itself and cannot be"
    assert f"{refused} replaced. Set replace: false" in label(key="maintainer", value="nobody", check=check)["msg"]
    assert f"{refused} deleted." in label(key="maintainer", state="absent", check=check)["msg"]
    assert f"{refused} deleted." in label(key="maintainer", state="absent", value="somebody", check=check)["msg"]
    assert not label(key="maintainer", state="absent", value="nobody", check=check)["changed"]
    assert quay.writes == []


def test_a_value_beside_that_of_the_image(label: Ask, quay: SandboxQuay) -> None:
    assert label(key="maintainer", value="nobody", replace=False)["changed"]
    assert not label(key="maintainer", value="nobody", replace=False)["changed"]
    assert shown(quay) == [("maintainer", "nobody"), ("maintainer", "somebody")]
    assert label(key="maintainer", value="somebody")["changed"]
    assert shown(quay) == [("maintainer", "somebody")]


def test_quay_finds_out_what_is_json(label: Ask, quay: SandboxQuay) -> None:
    label(value='{"a": 1}')
    types = {entry["key"]: entry["media_type"] for entry in call(quay, "GET")["labels"]}
    assert types == {"maintainer": "text/plain", "team": "application/json"}


@pytest.mark.parametrize("image", [f"prod/app@{IMAGE.digest}", f"prod/app:gone@{IMAGE.digest}"])
def test_an_image_by_digest(label: Ask, quay: SandboxQuay, image: str) -> None:
    assert label(value="a", image=image)["name"] == f"prod/app@{IMAGE.digest}"
    assert ("team", "a") in shown(quay)


def test_an_image_that_is_named_in_few_words(label: Ask, quay: SandboxQuay) -> None:
    quay.add_repository("quayadmin/app", creator="quayadmin")
    quay.load("quayadmin/app", "latest", simple_image("own"))
    assert label(value="a", image="app")["name"] == "quayadmin/app:latest"


def test_check_mode_writes_nothing(label: Ask, quay: SandboxQuay) -> None:
    add(quay, "a")
    quay.refuse_writes = True
    for options in ({"value": "b"}, {"value": "b", "replace": False}, {"key": "new", "value": ""}, {"state": "absent"}):
        assert label(check=True, **options)["changed"]
    assert (quay.refused, shown(quay)[1:]) == ([], [("team", "a")])


def test_a_lost_answer_makes_no_second_label(label: Ask, quay: SandboxQuay) -> None:
    add(quay, "a")
    faults = [Fault(method, "/labels", "drop_connection", after_effect=True) for method in ("POST", "DELETE")]
    for fault in faults:
        quay.faults.append(fault)
    changed = label(value="b", retries=3)
    assert (changed["changed"], shown(quay)[1:]) == (True, [("team", "b")])
    assert [fault.fired for fault in faults] == [1, 1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"key": "Team"}, "'Team' is no key of a label"),
        ({"key": "a..b"}, "'a..b' is no key of a label"),
        ({"key": ""}, "'' is no key of a label"),
        ({"key": "", "state": "absent"}, "Say which labels shall go"),
        ({"key": "x" * 256}, "it has 256 characters"),
        ({"key": "quay.expires-after"}, "nobody add labels that begin with 'quay'"),
        ({"value": None}, "state is present but all of the following are missing: value"),
        ({"image": "prod/app:nope"}, "Could not find the image prod/app:nope"),
        ({"image": "prod/nope:1.0"}, "there is no such repository"),
        ({"image": f"prod/app@sha256:{'2' * 64}"}, "there is no such image"),
        ({"image": "prod/app@sha256:2"}, "with 64 lower-case hexadecimal digits"),
        ({"image": "prod/app:-x"}, "'-x' is no tag"),
        ({"image": "prod/App:1.0"}, "is no name for a repository"),
    ],
)
def test_what_is_wrong_is_said(label: Ask, quay: SandboxQuay, options: dict[str, Any], words: str) -> None:
    for check in (True, False):
        assert words in label(check=check, **{"value": "a", **options})["msg"]
    assert quay.writes == []


def test_who_only_reads_cannot_label(label: Ask, quay: SandboxQuay) -> None:
    quay.permit("prod/app", "alice", "read")
    assert "may not do this" in label(value="a", quay_token=quay.token("alice"))["msg"]
