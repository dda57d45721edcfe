# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Auto-prune policies on a Quay that has a single one in each place, and no patterns (3.10 to 3.12)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.quay.client import QuayClient, QuayOptions
from ansible_collections.quayside.airgap.plugins.module_utils.quay.planner import run
from ansible_collections.quayside.airgap.plugins.module_utils.quay.policies import autoprune_wish
from ansible_collections.quayside.airgap.tests.sandbox.http_server import HttpRequest, HttpResponse
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import ScriptedServer, reply

ANSWERS: dict[str, Any] = {
    "/config": {"features": {"AUTO_PRUNE": True}, "config": {}},
    "/api/v1/discovery": {
        "paths": {"/api/v1/organization/{orgname}/autoprunepolicy/": {}},
        "definitions": {"AutoPrunePolicyConfig": {"properties": {"method": {}, "value": {}}}},
    },
    "/api/v1/user/": {"username": "quayadmin"},
    "/api/v1/repository/prod/app": {"name": "app", "can_admin": True},
    "/api/v1/organization/prod": {"name": "prod", "is_admin": True},
    "/api/v1/organization/prod/autoprunepolicy/": {"policies": [{"uuid": "first", "method": "number_of_tags", "value": 10}]},
}


def old_quay(request: HttpRequest) -> HttpResponse:
    """Answers reads, and takes changes of the one policy."""
    return reply(204) if request.method == "PUT" else reply(200, json.dumps(ANSWERS[request.path]))


def outcomes(server: ScriptedServer, **options: Any) -> list[tuple[str, str]]:
    """State and reason of each object of a task."""
    given = {"namespace": "prod", "method": "date", "value": "7d", "state": "present", "append": True, **options}
    with QuayClient(QuayOptions(f"http://127.0.0.1:{server.port}", token="t", retries=0)) as quay:
        work, _name = autoprune_wish(quay, given)
        return [(outcome.state, outcome.reason) for outcome in run(quay, work, check_mode=False)]


def test_another_policy_takes_the_place_of_the_first() -> None:
    with ScriptedServer(old_quay) as server:
        assert outcomes(server) == [("created", "")]
        written = [(call.method, call.path, json.loads(call.body)) for call in server.calls if call.method != "GET"]
    assert written == [("PUT", "/api/v1/organization/prod/autoprunepolicy/first", {"method": "creation_date", "value": "1w"})]


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"tag_pattern": "^dev-"}, "no patterns in policies"), ({"repository": "prod/app"}, "does not offer it")],
)
def test_what_it_cannot_do_is_told_without_a_change(options: dict[str, Any], reason: str) -> None:
    with ScriptedServer(old_quay) as server:
        [(state, told)] = outcomes(server, **options)
        assert (state, reason in told) == ("failed", True)
        assert not [call for call in server.calls if call.method != "GET" or "app/autoprunepolicy" in call.path]
