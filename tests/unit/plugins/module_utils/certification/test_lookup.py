# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is this certified? What certsuite answers, why, and what its rules pass over."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.certification.constraints import Constraint, ConstraintError, Version
from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import Database
from ansible_collections.quayside.airgap.plugins.module_utils.certification.lookup import (
    ChartQuestion,
    ContainerQuestion,
    Lookup,
    OperatorQuestion,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import Container, OperatorRow, Repository, Tables
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError, InputError

ONE = f"sha256:{'1' * 64}"
TWO = f"sha256:{'2' * 64}"
LIST = f"sha256:{'a' * 64}"
CONNECT = "registry.connect.redhat.com"


def database(containers=(), operators=(), charts=b""):
    tables = Tables.of(containers, operators, charts)
    return Database(Path("data"), tables.containers, tables.aliases, tables.operators, len(tables.operators), tables.charts, None, ())


APP = Container("i", "2022", "amd64", ONE, (Repository(CONNECT, "acme/app", ("1.0", "latest")),), (LIST,))
CATALOG = Lookup(
    database(
        [
            APP,
            Container("j", "2020", "amd64", TWO, (Repository(CONNECT, "acme/app", ("0.9", "1.0")),), ()),
            Container("k", "2020", "amd64", "", (Repository("registry.access.redhat.com", "acme/old", ("3",)),), ()),
            Container("l", "2020", "amd64", "", (Repository("registry.redhat.io", "acme/hidden", ("3",)),), ()),
            Container("m", "2020", "amd64", f"sha256:{'3' * 64}", (Repository(CONNECT, "acme/untagged", ()),), ()),
        ],
        [
            OperatorRow("acme-operator.v1.0.0", "4.18", "stable"),
            OperatorRow("acme-operator.v1.0.0", "4.19", "stable"),
            OperatorRow("acme-operator.v1.1.0", "4.19", "fast"),
            OperatorRow("nodot", "4.18", "stable"),
            OperatorRow("twice.v1.twice.v2", "4.18", "stable"),
        ],
        b"""
entries:
  acme-web:
  - {name: web, version: 1.10, kubeVersion: '>=1.20.0'}
  - {name: web, version: 1.9}
  broken:
  - {name: broken, version: 1, kubeVersion: latest}
  - {name: broken, version: 1}
  first:
  - {name: shared, version: 1, kubeVersion: '<1'}
  - {name: shared, version: 1}
  - {name: shared, version: 1, kubeVersion: bad}
generated: now
""",
    )
)


def container(text):
    return CATALOG.container(ContainerQuestion.parse(text))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"{CONNECT}/acme/app:1.0@{ONE}", ONE),
        # nothing but the digest counts
        (f"mirror.example.com:5000/any/thing:at-all@{TWO}", TWO),
        (f"{CONNECT}/acme/app@{LIST}", LIST),
        (LIST, LIST),
        # of several images with the tag the newest
        (f"{CONNECT}/acme/app:1.0", ONE),
        (f"{CONNECT}/acme/app", ONE),
        (f"{CONNECT}/acme/app:0.9", TWO),
        ("registry.access.redhat.com/acme/old:3", "no-digest:k"),
        ("registry.redhat.io/acme/old:3", "no-digest:k"),
    ],
)
def test_certified_containers(text, key):
    answer = container(text)

    assert (answer.certified, answer.key, answer.reason) == (True, key, "")
    assert answer.entry.key == (ONE if key == LIST else key)


@pytest.mark.parametrize(
    ("text", "reason", "hints"),
    [
        (f"{CONNECT}/acme/none:1", f"the catalog has no image of {CONNECT}/acme/none", ()),
        (
            f"{CONNECT}/acme/app:7",
            f"the catalog has no image of {CONNECT}/acme/app with the tag 7",
            (f"it has {CONNECT}/acme/app with the tags 0.9, 1.0, latest",),
        ),
        (
            f"{CONNECT}/acme/untagged",
            f"the catalog has no image of {CONNECT}/acme/untagged with the tag latest",
            (f"it has {CONNECT}/acme/untagged, without a tag",),
        ),
        (
            f"{CONNECT}/acme/app:1.0@sha256:{'f' * 64}",
            f"the catalog has no image with the digest sha256:{'f' * 64}",
            (f"it has {CONNECT}/acme/app:1.0, with the digest {ONE}",),
        ),
        (
            f"registry.redhat.io/acme/old:3@sha256:{'f' * 64}",
            f"the catalog has no image with the digest sha256:{'f' * 64}",
            ("it has registry.access.redhat.com/acme/old:3, without a digest",),
        ),
        (f"sha256:{'f' * 64}", f"the catalog has no image with the digest sha256:{'f' * 64}", ()),
        (
            "registry.redhat.io/acme/hidden:3",
            "the catalog has no image of registry.access.redhat.com/acme/hidden",
            ("it has registry.redhat.io/acme/hidden, but certsuite asks for registry.access.redhat.com instead: ask with the digest",),
        ),
    ],
)
def test_containers_that_are_not_certified(text, reason, hints):
    answer = container(text)

    assert (answer.certified, answer.entry, answer.reason, answer.hints) == (False, None, reason, hints)


@pytest.mark.parametrize(
    ("text", "certified", "said"),
    [
        ("acme-operator.v1.0.0", True, ""),
        ("acme-operator.v1.0.0 4.19", True, ""),
        ("acme-operator.v1.1.0 4.18", False, "it is certified for OpenShift 4.19"),
        ("acme-operator.1.0.0 4.18", False, "it is certified in the versions v1.0.0, v1.1.0"),
        ("acme-operator 4.18", False, "it is certified in the versions v1.0.0, v1.1.0"),
        ("other.v1", False, ""),
        ("nodot 4.18", False, ""),
        # the name comes again: what follows is cut off, in the catalog and in the question
        ("twice.v1.twice.v9 4.18", True, ""),
    ],
)
def test_operators(text, certified, said):
    answer = CATALOG.operator(OperatorQuestion.parse(text))

    assert (answer.certified, "; ".join(answer.hints)) == (certified, said)
    assert bool(answer.reason) is (answer.entry is None) is not certified


@pytest.mark.parametrize(
    ("text", "certified", "judged", "said"),
    [
        ("web 1.10 v1.25.4+18eadca", True, True, ""),
        ("web 1.10 v1.19.0", False, True, "its kubeVersion '>=1.20.0' does not allow v1.19.0"),
        ("web 1.10 v1.25.0-rc.1", False, True, "its kubeVersion '>=1.20.0' does not allow v1.25.0-rc.1"),
        ("web 1.1 v1.25.4", False, True, "the catalog has the chart 'web', but not in the version '1.1'"),
        ("web 1.9", True, True, ""),
        ("acme-web 1.9 v1.25.4", False, True, "the catalog has no chart 'acme-web'"),
        ("web 1.10", False, False, "its kubeVersion '>=1.20.0' asks for a version of Kubernetes, and none is given"),
        ("web 1.10 today", False, False, "'today' is no version of Kubernetes, and its kubeVersion '>=1.20.0' asks for one"),
        (
            "broken 1 v1.25.4",
            False,
            False,
            "its kubeVersion 'latest' cannot be read, and certsuite stops there: 'latest' is no comparison with a version",
        ),
        ("shared 1 v1.25.4", True, True, ""),
    ],
)
def test_charts(text, certified, judged, said):
    answer = CATALOG.chart(ChartQuestion.parse(text))

    assert (answer.certified, answer.judged, answer.reason) == (certified, judged, said)


def test_what_a_chart_has_instead():
    assert CATALOG.chart(ChartQuestion("web", "2")).hints == ("it is certified in the versions 1.10, 1.9",)
    assert "pre-release" in CATALOG.chart(ChartQuestion("web", "1.10", "1.25.0-rc.1")).hints[0]


def test_charts_that_certsuite_could_not_load():
    broken = Lookup(database([APP], charts=b"<html>"))

    assert broken.container(ContainerQuestion(digest=ONE)).certified
    with pytest.raises(FileError, match=r"helm/helm\.db: it is no mapping"):
        broken.chart(ChartQuestion("a", "1"))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((ContainerQuestion, text) for text in (CONNECT + "/acme/app:1.0", f"host:5000/a/b@{ONE}", f"host/a/b:c@{ONE}", ONE)),
        *((OperatorQuestion, text) for text in ("a.v1", "a.v1 4.18")),
        *((ChartQuestion, text) for text in ("a 1", "a 1 v1.31.6")),
    ],
)
def test_questions_as_texts(kind, text):
    assert str(kind.parse(text)) == text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(
            (ContainerQuestion, text)
            for text in ("", "app", "app:1", "/app", "host/", "host/app@sha256:1", "host/app@", "host/a b", "host/app:", "host/a:b/c")
        ),
        *((OperatorQuestion, text) for text in ("", "a b c")),
        *((ChartQuestion, text) for text in ("", "a", "a b c d")),
    ],
)
def test_what_is_no_question(kind, text):
    with pytest.raises(InputError, match=r"Could not use (container|operator|chart) '"):
        kind.parse(text)


# --- beside a plain reading of certsuite's rules, which looks through everything for each question

parts = st.sampled_from(["a", "b"])
hosts = st.sampled_from(["registry.redhat.io", "registry.access.redhat.com", "r"])
digests = st.sampled_from(["", ONE, TWO, LIST])
places = st.builds(Repository, hosts, parts, st.sets(st.sampled_from(["latest", "1"])).map(lambda tags: tuple(sorted(tags))))
containers = st.builds(
    Container,
    st.sampled_from(["i", "j"]),
    st.sampled_from(["1", "2"]),
    st.just("amd64"),
    digests,
    st.lists(places, max_size=2).map(tuple),
    st.sampled_from([(), (LIST,), (LIST, TWO)]),
)
csv_names = st.lists(st.sampled_from(["a", "v1", "a.", "."]), max_size=5).map("".join)
ocp_versions = st.sampled_from(["", "4.18", "4.19"])
rows = st.builds(OperatorRow, csv_names, ocp_versions, st.just("c"))


@given(st.lists(containers, max_size=4), st.builds(ContainerQuestion, hosts, parts, st.sampled_from(["", "latest", "1", "2"]), digests))
def test_containers_beside_certsuite(found, question):
    lookup = database(found)
    registry = "registry.access.redhat.com" if question.registry == "registry.redhat.io" else question.registry
    if question.digest:
        certified = question.digest in {*lookup.containers, *lookup.aliases}
    else:
        certified = any(
            place[:2] == (registry, question.repository) and (question.tag or "latest") in place.tags
            for known in found
            for place in known.repositories
        )

    assert Lookup(lookup).container(question).certified is certified


@given(st.lists(rows, max_size=6), csv_names, ocp_versions)
def test_operators_beside_certsuite(found, csv_name, ocp_version):
    def split(name):
        first = name.split(".")[0]
        return (first, name.split(first + ".")[1]) if "." in name else (name, "")

    certified = any(
        "." in row.csv_name and split(row.csv_name) == split(csv_name) and ocp_version in ("", row.ocp_version) for row in found
    )

    assert Lookup(database(operators=found)).operator(OperatorQuestion(csv_name, ocp_version)).certified is certified


constraints = st.sampled_from([None, "", ">=1.20.0-0", "<1.20", "bad"])


@given(
    st.dictionaries(parts, st.lists(constraints, min_size=1, max_size=3), max_size=2), st.sampled_from(["v1.19.0", "v1.31.6+x", "nonsense"])
)
def test_charts_beside_certsuite(entries, kube_version):
    def first(found):
        """What certsuite does at the charts of one entry: True, or a panic, or nothing."""
        for constraint in found:
            if not constraint:
                return True
            try:
                wanted = Constraint.parse(constraint)
            except ConstraintError:
                return "panic"
            version = Version.parse(kube_version)
            if version is None:
                return "panic"
            if wanted.allows(version):
                return True
        return None

    lines = ["entries:"]
    for entry, found in entries.items():
        lines += [f"  {entry}:", *(f"  - {{name: n, version: 1{'' if text is None else f', kubeVersion: {text!r}'}}}" for text in found)]
    said = {first(found) for found in entries.values()} - {None}

    answer = Lookup(database(charts="\n".join(lines).encode())).chart(ChartQuestion("n", "1", kube_version))

    assert answer.certified is (said == {True})
    assert answer.judged is ("panic" not in said)
