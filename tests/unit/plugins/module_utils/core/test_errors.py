# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors read as sentences: what was attempted, on what, what came back, what to do next."""

from __future__ import annotations

import sys

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import (
    AirgapError,
    CancelledError,
    DependencyError,
    FileError,
    HttpError,
    InputError,
    ProtocolError,
    TransportError,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.thirdparty import load, load_toml


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (AirgapError("read", "the file x", "it is gone"), "Could not read the file x: it is gone."),
        (AirgapError("read", "x", "it is gone", "Look elsewhere."), "Could not read x: it is gone. Look elsewhere."),
        (AirgapError("list the tags of x", "", "no"), "Could not list the tags of x: no."),
        (AirgapError("read", "x", "the server said: no. \n"), "Could not read x: the server said: no."),
        (AirgapError("read", "x", "why?"), "Could not read x: why?."),
        (InputError("images[0]", "it is empty"), "Could not use images[0]: it is empty."),
        (
            DependencyError("requests", "every call", "Install it."),
            "Could not import the Python library requests: it is not installed, and every call needs it. Install it.",
        ),
        (FileError("write", "/x", "No space left on device"), "Could not write /x: No space left on device."),
        (CancelledError(), "Could not finish the work: the run was stopped."),
        (CancelledError("it was interrupted"), "Could not finish the work: it was interrupted."),
    ],
)
def test_an_error_is_a_sentence(error, sentence):
    assert str(error) == sentence


def test_every_error_is_of_the_one_family():
    errors = [
        TransportError("read", "x", "no", kind="reset", transient=True),
        HttpError("read", "x", "no", status=404),
        ProtocolError("read", "x", "no"),
        InputError("x", "no"),
        DependencyError("x", "y"),
        FileError("read", "x", "no"),
        CancelledError(),
    ]
    assert all(isinstance(error, AirgapError) for error in errors)


@pytest.mark.parametrize(
    ("status", "transient"),
    [(408, True), (429, True), (500, True), (502, True), (503, True), (504, True), (400, False), (401, False), (404, False), (501, False)],
)
def test_which_answers_may_be_different_next_time(status, transient):
    assert HttpError("read", "x", "no", status=status).transient is transient
    assert HttpError("read", "x", "no", status=status, transient=not transient).transient is not transient


def test_the_hint_may_be_added_where_more_is_known():
    error = HttpError("list", "x", "404", status=404)
    error.hint = "Name them with images."
    assert str(error) == "Could not list x: 404. Name them with images."


# --- libraries


def test_a_library_is_loaded_once_it_is_needed():
    assert load("requests").__name__ == "requests"


@pytest.mark.parametrize(("name", "package"), [("requests", "requests"), ("urllib3", "urllib3"), ("yaml", "PyYAML")])
def test_a_missing_library_is_named_with_the_way_to_install_it(monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DependencyError) as caught:
        load(name)
    assert caught.value.library == package
    assert f"python3 -m pip install {package}" in str(caught.value)


def test_a_missing_toml_reader_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tomllib", None)
    monkeypatch.setitem(sys.modules, "tomli", None)
    with pytest.raises(DependencyError, match=r"tomli.*the rules in /x needs it"):
        load_toml("the rules in /x")
