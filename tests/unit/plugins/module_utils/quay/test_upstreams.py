# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of other registries, dates and credentials as mirrors and proxy caches have them."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.quay.errors import QuayError, refusal
from ansible_collections.quayside.airgap.plugins.module_utils.quay.kinds import Place
from ansible_collections.quayside.airgap.plugins.module_utils.quay.upstreams import (
    credentials,
    reference,
    robot_of,
    start_date,
    told,
    upstream,
)


@pytest.mark.parametrize(
    ("given", "canonical"),
    [("Quay.io", "quay.io"), ("quay.io:443/ns/", "quay.io:443/ns"), ("[fd00::1]:5000", "[fd00::1]:5000")],
)
def test_addresses_of_registries(given: str, canonical: str) -> None:
    assert upstream(given) == canonical


@pytest.mark.parametrize("wrong", ["https://quay.io", "", "quay.io:port", "-quay.io", "quay io"])
def test_what_is_no_registry(wrong: str) -> None:
    with pytest.raises(ValueError, match="write host"):
        upstream(wrong)


@pytest.mark.parametrize("wrong", ["quay.io", "https://quay.io/a", "quay.io/a:1", "quay.io/a@sha256:1", "/a"])
def test_what_is_no_repository(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"repository alone|is no repository|name the repository"):
        reference(wrong)


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31 12:00:00+02:00", "2026-01-31T10:00:00Z"),
        ("2026-01-31T12:00:00.827674", "2026-01-31T12:00:00Z"),
        ("2026-01-31", "2026-01-31T00:00:00Z"),
    ],
)
def test_dates_are_in_utc_without_fractions(given: str, canonical: str) -> None:
    assert start_date(given) == canonical


def test_robots_belong_to_the_namespace() -> None:
    place = Place("prod", "app")
    assert robot_of(place, "sync") == robot_of(place, "prod+sync") == "prod+sync"
    with pytest.raises(InputError, match=r"needs a robot of prod"):
        robot_of(place, "test+sync")
    with pytest.raises(InputError, match="robot_username"):
        robot_of(place, "Sync")


def test_a_password_never_goes_alone() -> None:
    word = {"external_registry_password": "word"}
    both = {"external_registry_username": "bob", **word}
    assert credentials({}, both) == {}
    assert credentials(word, {"external_registry_username": "bob"}) == both
    assert credentials({"external_registry_username": ""}, both) == {"external_registry_username": None, "external_registry_password": None}
    with pytest.raises(InputError, match="without a user"):
        credentials(word, {})


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("The provided registry location is not allowed", "add 10.1.1.1 or its network to SSRF_ALLOWED_HOSTS"),
        ("Cannot resolve hostname '10.1.1.1'", "able to resolve 10.1.1.1"),
        ("Failed login to remote registry. Please verify entered details and try again.", "reach 10.1.1.1:5000"),
        ("Invalid robot", "Create the robot first"),
        ("Something else", ""),
    ],
)
def test_refusals_say_what_to_do(said: str, hint: str) -> None:
    with pytest.raises(QuayError, match="Could not mirror it") as raised, told("https://10.1.1.1:5000/a/b"):
        raise refusal("mirror it", "on quay", 400, f'{{"detail": "{said}"}}'.encode())
    assert hint in raised.value.hint
    assert bool(raised.value.hint) == bool(hint)
