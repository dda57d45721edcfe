# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions as users write them, and everything that is wrong with them at once."""

from __future__ import annotations

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.certification.lookup import (
    ChartQuestion,
    ContainerQuestion,
    OperatorQuestion,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.questions import read_questions, read_version, refuse
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.tests.support.small_dump import WEB


@pytest.mark.parametrize(
    ("kind", "given", "question"),
    [
        ("containers", "quay.io/shop/web:1.0", ContainerQuestion("quay.io", "shop/web", "1.0", "")),
        ("containers", WEB, ContainerQuestion(digest=WEB)),
        ("containers", {"registry": "quay.io", "repository": "shop/web", "tag": None}, ContainerQuestion("quay.io", "shop/web")),
        ("containers", {"digest": f" {WEB} ", "tag": "1.0"}, ContainerQuestion(tag="1.0", digest=WEB)),
        ("operators", "db.v1.2.3 4.18", OperatorQuestion("db.v1.2.3", "4.18")),
        ("operators", {"csv_name": "db.v1.2.3"}, OperatorQuestion("db.v1.2.3")),
        ("charts", "nginx 1.10", ChartQuestion("nginx", "1.10")),
        ("charts", {"name": "nginx", "version": "1.10", "kube_version": "v1.31"}, ChartQuestion("nginx", "1.10", "v1.31")),
    ],
)
def test_a_question_is_a_text_or_a_mapping(kind, given, question):
    assert read_questions(kind, [given]) == ([question], [])


def test_what_a_template_leaves_empty_is_no_question():
    assert read_questions("operators", ["", " \n"]) == ([], [])


@pytest.mark.parametrize(
    ("kind", "given", "fault"),
    [
        ("containers", "web", "containers[0]: container 'web': it names no registry and repository"),
        ("containers", {"registry": "quay.io"}, "containers[0]: it has neither a digest, nor a registry and a repository"),
        ("containers", {"digest": "sha256:1"}, "containers[0]: its digest is none"),
        ("containers", {"image": "x"}, "containers[0].image: there is no such key; there are registry, repository, tag, digest"),
        ("containers", 1, "containers[0]: it is neither a text nor a mapping"),
        ("operators", "a b c", "operators[0]: operator 'a b c'"),
        ("operators", {"csv_name": "a.v1", "ocp_version": 4.2}, "operators[0].ocp_version: 4.2 is no text; a version is written in quotes"),
        ("operators", {}, "operators[0]: it has no csv_name"),
        ("charts", "nginx", "charts[0]: chart 'nginx'"),
        ("charts", {"name": "nginx"}, "charts[0]: it has no name or no version"),
    ],
)
def test_a_fault_has_its_place(kind, given, fault):
    questions, faults = read_questions(kind, [given])
    assert questions == []
    assert [str(found)[: len(fault)] for found in faults] == [fault]


def test_all_faults_are_told_at_once():
    _questions, faults = read_questions("charts", ["a", "b 1", {"x": 1, "y": 2}])
    with pytest.raises(InputError) as caught:
        refuse(faults)
    assert [place in str(caught.value) for place in ("charts[0]", "charts[1]", "charts[2].x", "charts[2].y")] == [True, False, True, True]
    _questions, many = read_questions("charts", ["x"] * 50)
    with pytest.raises(InputError, match="and 30 more"):
        refuse(many)
    refuse([])


def test_a_version_that_is_a_number_has_lost_a_zero():
    """YAML reads 4.20 as the number 4.2."""
    assert read_version("ocp_version", " 4.20 ") == ("4.20", [])
    assert read_version("ocp_version", None) == ("", [])
    _version, (fault,) = read_version("ocp_version", 4.2)
    assert str(fault) == "ocp_version: 4.2 is no text; a version is written in quotes"
