# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What registries, Quay's services and proxies in between say when they say no."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.registry.errors import (
    AccessError,
    NotFoundError,
    RegistryError,
    raise_for,
)

ONE, TWO = "sha256:" + "a" * 64, "sha512:" + "b" * 128


def answer(status, body):
    """The error for an answer."""
    with pytest.raises(RegistryError) as caught:
        raise_for("read", "r.example/x:1", status, body if isinstance(body, bytes) else json.dumps(body).encode(), "Look again.")
    return caught.value


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown", "detail": {"Tag": "v1"}}]},
            "the registry answered 404 MANIFEST_UNKNOWN (manifest unknown)",
        ),
        (
            {"errors": [{"code": "A", "message": "one"}, {"code": "B", "message": "two"}, {"code": "A", "message": "one"}]},
            "the registry answered 404 A (one; two)",
        ),
        ({"errors": [{"code": "DENIED"}]}, "the registry answered 404 DENIED"),
        ({"errors": [{"message": "just words"}]}, "the registry answered 404 (just words)"),
        ({"error": "Could not find robot"}, "the registry answered 404 (Could not find robot)"),
        ({"message": "read-only", "is_readonly": True}, "the registry answered 404 (read-only)"),
        ({"detail": "no such thing"}, "the registry answered 404 (no such thing)"),
        ({"details": "longer", "error": "short"}, "the registry answered 404 (longer)"),
        (
            b"<html><head><title>404</title><style>b{}</style></head><body><h1>Not  Found</h1><hr>nginx</body></html>",
            "the registry answered 404 (404 Not Found nginx)",
        ),
        (b"404 page not found\n", "the registry answered 404 (404 page not found)"),
        (b"", "the registry answered 404"),
        (b"\xff\xfe", "the registry answered 404 (\ufffd\ufffd)"),
        ([], "the registry answered 404"),
        (None, "the registry answered 404"),
        ({"errors": []}, "the registry answered 404"),
        ({"errors": None}, "the registry answered 404"),
        ({"errors": ["text"]}, "the registry answered 404"),
        ({"errors": {"code": "X"}}, "the registry answered 404"),
    ],
)
def test_the_words_of_an_answer(body, reason):
    assert answer(404, body).reason == reason


def test_long_words_are_cut():
    assert len(answer(500, b"word " * 10000).reason) < 350
    assert len(answer(500, {"errors": [{"code": "X", "message": "word " * 10000}]}).reason) < 350


@pytest.mark.parametrize(
    ("status", "kind"), [(401, AccessError), (403, AccessError), (404, NotFoundError), (400, RegistryError), (500, RegistryError)]
)
def test_the_status_decides_on_the_type(status, kind):
    error = answer(status, b"")
    assert error.__class__ is kind
    assert error.status == status
    assert str(error) == f"Could not read r.example/x:1: the registry answered {status}. Look again."


@pytest.mark.parametrize(
    "details",
    [
        [ONE, TWO],
        [{"digest": ONE}, {"digest": TWO}],
        [{"nested": [{"deep": ONE}]}, f"missing {TWO}"],
        [f"{ONE} and {TWO}", None],
        [ONE, ONE, TWO, TWO],
    ],
)
def test_digests_in_the_details_are_found_wherever_they_stand(details):
    error = answer(400, {"errors": [{"code": "MANIFEST_BLOB_UNKNOWN", "detail": detail} for detail in details]})
    assert error.digests == (ONE, TWO)
    assert error.code == "MANIFEST_BLOB_UNKNOWN"


def test_what_no_reader_can_take_is_text():
    assert answer(500, b"[" * 100000).reason.startswith("the registry answered 500")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.sampled_from(["errors", "code", "message", "detail", "error", "details"]), children, max_size=4)
    ),
    max_leaves=15,
)


@given(json_values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=100), st.sampled_from([400, 401, 404, 500]))
def test_any_body_makes_a_sentence(body, status):
    error = answer(status, body)
    assert f"the registry answered {status}" in str(error)
