# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Field tables: canonical values, and every fault with its path."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.faults import Fault
from ansible_collections.quayside.airgap.plugins.module_utils.quay.fields import Field, canonical, check_fields, schema
from ansible_collections.quayside.airgap.plugins.module_utils.quay.names import namespace
from ansible_collections.quayside.airgap.plugins.module_utils.quay.values import period

ROBOT = (Field("name", required=True, normal=namespace), Field("password", choices=("a", "b"), secret=True))
FIELDS = (
    Field("name", required=True, normal=namespace, description="Its name."),
    Field("expiration", normal=period),
    Field("open", "bool", default=True),
    Field("count", "int"),
    Field("role", choices=("read", "write")),
    Field("robots", "list", of=Field("robot", "dict", fields=ROBOT)),
    Field("labels", "dict"),
)


def checked(values: Any) -> tuple[dict[str, Any], list[str]]:
    faults: list[Fault] = []
    found = check_fields(values, FIELDS, "organizations[2]", faults)
    return found, [str(fault) for fault in faults]


def test_values_become_canonical_and_missing_ones_stay_away() -> None:
    found, faults = checked({"name": "prod", "expiration": "14d", "count": "3", "open": "no", "role": None, "robots": [{"name": "ci"}]})
    assert faults == []
    assert found == {"name": "prod", "expiration": "2w", "open": False, "count": 3, "robots": [{"name": "ci"}]}


def test_defaults() -> None:
    assert checked({"name": "prod"})[0] == {"name": "prod", "open": True}


def test_every_fault_has_its_path() -> None:
    _found, faults = checked(
        {
            "expiration": "soon",
            "open": "perhaps",
            "count": True,
            "role": "owner",
            "robots": [{"name": "CI"}, "ci", {"nam": "x", "name": "ci"}],
            "labels": [],
            "colour": "red",
        }
    )
    assert [fault.split(":")[0] for fault in faults] == [
        "organizations[2].colour",
        "organizations[2].name",
        "organizations[2].expiration",
        "organizations[2].open",
        "organizations[2].count",
        "organizations[2].role",
        "organizations[2].robots[0].name",
        "organizations[2].robots[1]",
        "organizations[2].robots[2].nam",
        "organizations[2].labels",
    ]
    assert "there is no such field; known are name, password" in faults[8]
    assert "'owner' must be one of read, write" in faults[5]


def test_secrets_do_not_show_in_faults() -> None:
    _found, faults = checked({"name": "prod", "robots": [{"name": "ci", "password": "hunter2"}]})
    assert faults == ["organizations[2].robots[0].password: it must be one of a, b"]


@pytest.mark.parametrize("values", [None, [], "prod", 3, True])
def test_what_is_no_mapping(values: Any) -> None:
    assert "it must be a mapping of fields" in checked(values)[1][0]


def test_options_of_a_module_are_checked_by_the_same_table() -> None:
    assert canonical({"name": "prod", "quay_host": "x", "role": None}, FIELDS) == {"name": "prod", "open": True}
    with pytest.raises(InputError, match="Could not use name: 'P' is no name for Quay"):
        canonical({"name": "P"}, FIELDS)


def test_the_schema_says_the_same() -> None:
    made = schema(FIELDS)
    assert made["required"] == ["name"]
    assert made["additionalProperties"] is False
    assert made["properties"]["name"] == {"type": ["string", "number"], "description": "Its name."}
    assert made["properties"]["open"] == {"type": "boolean", "default": True}
    assert made["properties"]["role"]["enum"] == ["read", "write"]
    assert made["properties"]["robots"]["items"]["required"] == ["name"]
    assert made["properties"]["labels"] == {"type": "object"}
