# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""registry_preflight as a task: all problems together, and nothing changed."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.modules import registry_preflight
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
