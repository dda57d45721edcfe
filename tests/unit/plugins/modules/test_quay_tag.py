# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_tag against a sandbox Quay."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.modules import quay_tag
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay
from ansible_collections.quayside.airgap.tests.support.images import simple_image

Ask = Callable[..., dict[str, Any]]
LATER = "2027-06-01T00:00:00Z"


@pytest.fixture(autouse=True)
def images(quay: SandboxQuay) -> dict[str, str]:
    """Two images in prod/app; gives tag -> digest."""
    quay.add_organization("prod", owner="quayadmin")
    quay.add_repository("prod/app", creator="quayadmin")
    return {tag: quay.load("prod/app", tag, simple_image(tag)) for tag in ("1.0", "1.1")}


def test_a_tag_is_added_and_moved(ask: Ask, quay: SandboxQuay, images: dict[str, str]) -> None:
    made = ask(quay_tag, image="prod/app:1.0", tag="stable")
    assert (made["changed"], made["name"]) == (True, "prod/app:stable")
    assert quay.tags("prod/app")["stable"] == images["1.0"]
    assert not ask(quay_tag, image="prod/app:1.0", tag="stable")["changed"]
    moved = ask(quay_tag, image=f"prod/app@{images['1.1']}", tag="stable")
    assert moved["diff"]["before"] == {"tag prod/app:stable": {"digest": images["1.0"]}}
    assert quay.tags("prod/app")["stable"] == images["1.1"]


def test_a_tag_expires_or_not(ask: Ask) -> None:
    assert ask(quay_tag, image="prod/app:1.0", expiration=LATER)["changed"]
    assert not ask(quay_tag, image="prod/app:1.0", expiration="2027-06-01")["changed"]
    assert not ask(quay_tag, image="prod/app:1.0", expiration="01.06.2027 00:00 +0000", expiration_format="%d.%m.%Y %H:%M %z")["changed"]
    assert ask(quay_tag, image="prod/app:1.0", expiration="never")["diff"]["before"] == {"tag prod/app:1.0": {"expiration": LATER}}
    assert not ask(quay_tag, image="prod/app:1.0", expiration="")["changed"]


def test_moving_and_expiring_at_once(ask: Ask) -> None:
    ask(quay_tag, image="prod/app:1.0", tag="stable")
    assert ask(quay_tag, image="prod/app:1.1", tag="stable", expiration=LATER)["objects"][0]["fields"] == ["digest", "expiration"]
    assert not ask(quay_tag, image="prod/app:1.1", tag="stable", expiration=LATER)["changed"]


def test_an_immutable_tag_takes_no_change_but_that(ask: Ask, quay: SandboxQuay, images: dict[str, str]) -> None:
    assert ask(quay_tag, image="prod/app:1.0", tag="stable", immutable=True)["changed"]
    assert not ask(quay_tag, image="prod/app:1.0", tag="stable", immutable=True)["changed"]
    for options in ({"image": "prod/app:1.1", "tag": "stable"}, {"image": "prod/app:stable", "state": "absent"}):
        assert "Make it changeable first (immutable: false)" in ask(quay_tag, **options)["msg"]
    assert ask(quay_tag, image="prod/app:1.1", tag="stable", immutable=False)["changed"]
    assert quay.tags("prod/app")["stable"] == images["1.1"]


def test_deleting_takes_this_tag_only_and_restoring_brings_it_back(ask: Ask, quay: SandboxQuay, images: dict[str, str]) -> None:
    ask(quay_tag, image="prod/app:1.0", tag="stable")
    assert ask(quay_tag, image="prod/app:stable", state="absent")["changed"]
    assert not ask(quay_tag, image="prod/app:stable", state="absent")["changed"]
    assert quay.tags("prod/app") == images
    assert ask(quay_tag, image="prod/app:stable", state="restored")["changed"]
    assert not ask(quay_tag, image="prod/app:stable", state="restored")["changed"]
    assert quay.tags("prod/app")["stable"] == images["1.0"]


def test_restoring_takes_what_no_live_tag_leads_to(ask: Ask, quay: SandboxQuay, images: dict[str, str]) -> None:
    former = quay.load("prod/app", "stable", simple_image("former"))
    ask(quay_tag, image="prod/app:1.0", tag="stable")
    options = {"image": f"prod/app@{former}", "tag": "stable"}
    assert "no live tag of prod/app points to" in ask(quay_tag, **options)["msg"]
    assert ask(quay_tag, **options, state="restored", expiration=LATER)["objects"][0]["fields"] == ["digest", "expiration"]
    assert quay.tags("prod/app")["stable"] == former
    assert not ask(quay_tag, **options, state="restored", expiration=LATER)["changed"]


def test_an_immutable_tag_is_restored_to_nothing_else(ask: Ask, quay: SandboxQuay, images: dict[str, str]) -> None:
    former = quay.load("prod/app", "stable", simple_image("former"))
    ask(quay_tag, image="prod/app:1.0", tag="stable", immutable=True)
    options = {"image": f"prod/app@{former}", "tag": "stable", "state": "restored"}
    assert "Make it changeable first (immutable: false)" in ask(quay_tag, **options)["msg"]
    assert ask(quay_tag, **options, immutable=False)["changed"]
    assert quay.tags("prod/app")["stable"] == former


@pytest.mark.parametrize("check", [True, False])
def test_what_cannot_be_restored(ask: Ask, images: dict[str, str], check: bool) -> None:
    assert "there never was such a tag" in ask(quay_tag, image="prod/app:nope", state="restored", check=check)["msg"]
    ask(quay_tag, image="prod/app:1.0", tag="stable")
    ask(quay_tag, image="prod/app:stable", state="absent")
    told = ask(quay_tag, image=f"prod/app@{images['1.1']}", tag="stable", state="restored", check=check)
    assert f"it never pointed to {images['1.1']}" in told["msg"]


def test_check_mode_writes_nothing(ask: Ask, quay: SandboxQuay, images: dict[str, str]) -> None:
    quay.refuse_writes = True
    assert ask(quay_tag, image="prod/app:1.0", tag="stable", immutable=True, expiration="never", check=True)["changed"]
    assert ask(quay_tag, image="prod/app:1.0", state="absent", check=True)["changed"]
    assert quay.refused == []
    assert quay.tags("prod/app") == images


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image": "prod/app:nope", "tag": "stable"}, "there is no tag prod/app:nope"),
        ({"image": "prod/app:nope"}, "it does not exist. Say with image which manifest"),
        ({"image": "prod/nope:1.0"}, "there is no such repository"),
        ({"image": "prod/app:1.0", "expiration": "2020-01-01"}, "2020-01-01T00:00:00Z is over"),
        ({"image": "prod/app:1.0", "expiration": "soon"}, "'soon' is no moment"),
        ({"image": "prod/app:1.0", "expiration": "soon", "expiration_format": "%Y"}, "does not fit expiration_format %Y"),
        ({"image": "prod/app:1.0", "tag": "-x"}, "'-x' is no tag"),
        ({"image": "prod/app"}, "'' is no tag"),
        ({"image": "prod/app@sha256:abc"}, "with 64 lower-case hexadecimal digits"),
        ({"image": "prod/App:1.0"}, "is no name for a repository"),
    ],
)
def test_what_is_wrong_is_said(ask: Ask, quay: SandboxQuay, options: dict[str, Any], words: str) -> None:
    for check in (True, False):
        assert words in ask(quay_tag, check=check, **options)["msg"]
    assert quay.writes == []


def test_immutability_is_not_sent_to_a_quay_without_it(play: Ask) -> None:
    with SandboxQuay(QuayOptions(version="3.15")) as older:
        older.add_user("quayadmin", "password1", superuser=True)
        older.add_organization("prod", owner="quayadmin")
        older.add_repository("prod/app", creator="quayadmin")
        older.load("prod/app", "1.0", simple_image("1.0"))
        login = {"quay_host": older.url, "quay_token": older.token("quayadmin")}
        assert "does not offer it" in play(quay_tag, image="prod/app:1.0", immutable=True, **login)["msg"]
        assert older.writes == []
