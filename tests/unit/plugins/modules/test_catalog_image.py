# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""catalog_image as a task: what it says, and that check mode and a second run leave everything alone."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.modules import catalog_image
from ansible_collections.quayside.airgap.tests.support.catalog_dumps import write_dump
from ansible_collections.quayside.airgap.tests.unit.plugins.servers import closed_port
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOTS


@pytest.fixture
def pack(play, tmp_path):
    """The task with the dump of this test; options of the source side are none of its."""
    dump = write_dump(tmp_path / "dump")

    def run(**options):
        given = {"path": str(dump), "registries_conf": None, "source_validate_certs": None, **options}
        return play(catalog_image, **given)

    return run


def test_pushed_and_written_once(pack, start, tmp_path):
    registry = start()
    name = f"{registry.host}/lab/catalog:v1"
    task = {"destination": [name], "archive": str(tmp_path / "catalog.tar"), "labels": {"what": "test"}}
    foretold = pack(check=True, **task)
    assert registry.writes == []
    assert not (tmp_path / "catalog.tar").exists()
    done = pack(**task)
    assert foretold == done
    assert done["changed"]
    assert done["destinations"] == [{"destination": name, "digest": done["digest"], "previous": "", "state": "pushed", "reason": ""}]
    assert done["archive"] == {"path": task["archive"], "state": "written", "bytes": (tmp_path / "catalog.tar").stat().st_size}
    assert done["dump"]["counts"] == {"containers": 2, "operators": 600, "charts": 1}
    assert done["diff"]["after"] == {name: done["digest"], task["archive"]: done["digest"]}
    assert done["pushed"] == done["size"]
    assert registry.tags("lab/catalog") == {"v1": done["digest"]}

    again = pack(**task)
    assert not again["changed"]
    assert (again["destinations"][0]["state"], again["archive"]["state"], again["pushed"]) == ("unchanged", "unchanged", 0)
    assert again["diff"] == {"before": {}, "after": {}}


def test_an_artifact_and_chosen_platforms(pack, start):
    registry = start()
    done = [
        pack(destination=[f"{registry.host}/lab/catalog:a"], format="artifact"),
        pack(destination=[f"{registry.host}/lab/catalog:i"], platforms=["linux/arm64"]),
        pack(destination=[f"{registry.host}/lab/catalog:all"]),
    ]
    assert len({result["digest"] for result in done}) == 3
    assert registry.tags("lab/catalog") == dict(zip(("a", "i", "all"), (result["digest"] for result in done)))


def test_one_tag_fails_and_the_other_is_told_too(pack, start):
    good, locked = start(), start(auth="basic", users=BOTS)
    result = pack(destination=[f"{locked.host}/lab/catalog", f"{good.host}/lab/catalog"])
    assert result["failed"]
    assert result["changed"]
    assert result["msg"].startswith("1 of 2 tags failed: Could not ")
    assert [(found["destination"], found["state"]) for found in result["destinations"]] == [
        (f"{locked.host}/lab/catalog:latest", "failed"),
        (f"{good.host}/lab/catalog:latest", "pushed"),
    ]


def test_a_password_is_for_the_registry_and_nobody_else(pack, start):
    registry = start(auth="basic", users=BOTS)
    name = f"{registry.host}/lab/catalog:v1"
    refused = pack(destination=[name], destination_username="bot", destination_password="not-the-secret")
    assert refused["failed"]
    assert refused["msg"].startswith("Could not ")
    assert "not-the-secret" not in str({key: value for key, value in refused.items() if key != "invocation"})
    assert pack(destination=[name], destination_username="bot", destination_password="secret")["changed"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "neither destination nor archive"),
        ({"path": "/nonexistent", "archive": "/tmp/x.tar"}, "there is no such folder"),
        ({"archive": "/nonexistent/x.tar"}, "there is no folder /nonexistent"),
        ({"destination": ["catalog"]}, "it names no registry"),
        ({"destination": ["registry.example.com/catalog"], "parallel": 0}, "0 is not between 1 and 64"),
        ({"destination_username": "bot"}, "parameters are required together"),
    ],
)
def test_a_mistake_is_one_sentence(pack, options, reason):
    result = pack(**options)
    assert result["failed"]
    assert reason in result["msg"]
    assert "exception" not in result


def test_a_registry_that_is_not_there(pack):
    result = pack(destination=[f"127.0.0.1:{closed_port()}/lab/catalog"])
    assert result["failed"]
    assert "Could not connect to" in result["msg"]


def test_check_mode_before_the_first_dump(pack):
    result = pack(path="/nonexistent/dump", destination=["registry.example.com/catalog"], check=True)
    assert (result["changed"], result["digest"]) == (True, "")
    assert result["destinations"][0]["state"] == "pushed"
