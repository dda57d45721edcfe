# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""References as users write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import (
    Location,
    Reference,
    api_host,
    parse_location,
    parse_reference,
)

DIGEST = "sha256:" + "ab" * 32
LONG_DIGEST = "sha512:" + "cd" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("quay.io/team/app:1.4", Reference("quay.io", "team/app", "1.4")),
        ("quay.io/team/app", Reference("quay.io", "team/app")),
        (f"quay.io/team/app@{DIGEST}", Reference("quay.io", "team/app", None, DIGEST)),
        (f"quay.io/team/app:1.4@{DIGEST}", Reference("quay.io", "team/app", "1.4", DIGEST)),
        (f"host:5000/app@{DIGEST}", Reference("host:5000", "app", None, DIGEST)),
        (f"host/app@{LONG_DIGEST}", Reference("docker.io", "host/app", None, LONG_DIGEST)),
        ("localhost/app:x", Reference("localhost", "app", "x")),
        ("localhost:5000/a/b/c:x", Reference("localhost:5000", "a/b/c", "x")),
        ("[::1]:5000/app:x", Reference("[::1]:5000", "app", "x")),
        ("busybox", Reference("docker.io", "library/busybox")),
        ("busybox:1", Reference("docker.io", "library/busybox", "1")),
        ("team/app", Reference("docker.io", "team/app")),
        ("docker.io/busybox", Reference("docker.io", "library/busybox")),
        ("index.docker.io/team/app", Reference("docker.io", "team/app")),
        ("docker://quay.io/team/app:1", Reference("quay.io", "team/app", "1")),
        ("  quay.io/team/app:1\n", Reference("quay.io", "team/app", "1")),
        ("quay.io/a__b/c-d/e--f/g.h:1", Reference("quay.io", "a__b/c-d/e--f/g.h", "1")),
    ],
)
def test_what_a_reference_means(text, expected):
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("quay.io/Team/app", "upper-case letters"),
        ("quay.io/team/app:", "the tag ''"),
        ("quay.io/team/app:a b", "the tag 'a b'"),
        ("quay.io/team/app:" + "x" * 129, "1 to 128"),
        ("quay.io/team/app@", "no digest after the @"),
        ("quay.io/team/app@sha256:abc", "64 lower-case hexadecimal digits"),
        ("quay.io/team/app@md5:abc", "does not begin with sha256:"),
        ("quay.io/team/app@" + DIGEST.upper().replace("SHA256", "sha256"), "lower-case"),
        ("quay.io/", "no repository"),
        ("quay.io//app", "single . _ - or /"),
        ("quay.io/team/-app", "single . _ - or /"),
        ("quay.io/" + "a" * 256, "longer than 255"),
        ("https://quay.io/team/app", "the scheme 'https://'"),
        ("oci://folder", "the scheme 'oci://'"),
        ("quay.io:99999/app", "the port 99999"),
        ("quay.io:x/app", "no host name"),
    ],
)
def test_a_wrong_reference_is_refused_with_the_part_that_is_wrong(text, why):
    with pytest.raises(InputError) as error:
        parse_reference(text)
    assert why in str(error.value)
    assert text.strip()[:50] in str(error.value)


def test_a_base_stands_in_for_a_missing_registry():
    base = Location("quay.example.com", "prod")
    assert parse_reference("app:1", base) == Reference("quay.example.com", "prod/app", "1")
    assert parse_reference("other.example.com/app:1", base) == Reference("other.example.com", "app", "1")


def test_a_location_names_a_registry_or_a_namespace_in_it():
    assert parse_location("quay.example.com/prod/", "source") == Location("quay.example.com", "prod")
    assert parse_location("docker://localhost:5000", "source") == Location("localhost:5000")
    assert Location("h.x", "a").relative("a/b/c") == "b/c"
    assert Location("h.x", "a").relative("ab/c") == "ab/c"


@pytest.mark.parametrize("text", ["", "team/app", "quay.io/app:1", f"quay.io/app@{DIGEST}", "http://quay.io", "quay.io/Team"])
def test_what_is_no_location_is_refused(text):
    with pytest.raises(InputError):
        parse_location(text, "destination")


def test_docker_hub_answers_under_another_name():
    assert api_host("docker.io") == "registry-1.docker.io"
    assert api_host("quay.io") == "quay.io"


component = st.from_regex(r"[a-z0-9]{1,5}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}", fullmatch=True)
hosts = st.sampled_from(["quay.io", "localhost", "host:5000", "10.0.0.1:1", "[::1]:443", "a-b.example.com"])
references = st.builds(
    Reference,
    hosts,
    st.lists(component, min_size=1, max_size=4).map("/".join),
    st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    st.none() | st.sampled_from([DIGEST, LONG_DIGEST]),
)


@given(references)
def test_a_reference_survives_being_written_and_read(reference):
    assert parse_reference(str(reference)) == reference


@given(st.text(max_size=80) | st.text(alphabet="ab/:@.[]-_sha256", max_size=40))
def test_any_text_is_a_reference_or_is_refused_politely(text):
    with contextlib.suppress(InputError):
        reference = parse_reference(text)
        assert parse_reference(str(reference)) == reference
