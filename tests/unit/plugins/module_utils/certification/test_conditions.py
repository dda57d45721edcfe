# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single conditions, as the tests certified_image, certified_operator and certified_chart ask them."""

from __future__ import annotations

import shutil

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.certification.conditions import is_certified
from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import write_tree
from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import Tables
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError
from ansible_collections.quayside.airgap.tests.support.small_dump import OPERATOR, PLACE, UNKNOWN, WEB_LIST, write_small_dump


@pytest.fixture
def dump(tmp_path):
    return str(write_small_dump(tmp_path / "dump"))


def test_images(dump):
    assert is_certified("containers", f"{PLACE}:1.0", dump)
    assert is_certified("containers", {"digest": WEB_LIST}, f"{dump}/data")
    assert not is_certified("containers", f"{PLACE}@{UNKNOWN}", dump)


def test_operators_on_a_version_of_openshift(dump):
    assert is_certified("operators", OPERATOR, dump)
    assert is_certified("operators", OPERATOR, dump, ocp_version="4.18")
    assert not is_certified("operators", OPERATOR, dump, ocp_version="4.19")
    assert is_certified("operators", f"{OPERATOR} 4.17", dump, ocp_version="4.19")


def test_charts_on_a_version_of_kubernetes(dump):
    assert is_certified("charts", "chart 1.10", dump)
    assert is_certified("charts", {"name": "picky", "version": "2.0"}, dump, kube_version="v1.31.6+abc")
    assert not is_certified("charts", "picky 2.0", dump, kube_version="v1.24.0")


@pytest.mark.parametrize(
    ("kind", "value", "versions", "words"),
    [
        ("charts", "picky 2.0", {}, "say whether picky 2.0 is certified: its kubeVersion"),
        ("charts", "broken 3.0", {"kube_version": "v1.31.0"}, "cannot be read"),
        ("charts", "chart", {}, "charts\\[0\\]"),
        ("operators", "db.v1", {"ocp_version": 4.2}, "written in quotes"),
        ("containers", "", {}, "the text is empty"),
    ],
)
def test_what_nobody_can_say_is_an_error_and_not_a_no(dump, kind, value, versions, words):
    with pytest.raises(AirgapError, match=words):
        is_certified(kind, value, dump, **versions)


@pytest.mark.parametrize("place", [None, "", 1, "/no/such/dump"])
def test_a_dump_that_is_not_there_is_an_error(place):
    with pytest.raises(AirgapError):
        is_certified("containers", f"{PLACE}:1.0", place)


def test_a_dump_is_read_again_when_it_has_been_exchanged(dump, tmp_path):
    assert is_certified("operators", OPERATOR, dump)
    write_tree(tmp_path / "new", Tables.of([], [], b""))
    shutil.rmtree(tmp_path / "dump/data")
    (tmp_path / "new").rename(tmp_path / "dump/data")
    assert not is_certified("operators", OPERATOR, dump)
