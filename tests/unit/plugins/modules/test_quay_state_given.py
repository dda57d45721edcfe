# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""quay_state given text, no login at all, or organizations that purging must spare."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.modules import quay_state
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import SandboxQuay

Ask = Callable[..., dict[str, Any]]
PROD = {"organizations": [{"name": "prod"}]}


@pytest.mark.parametrize("text", ["organizations:\n  - name: prod\n", '{"organizations": [{"name": "prod"}]}'])
def test_a_document_may_be_text(ask: Ask, text: str) -> None:
    assert ask(quay_state, document=text)["totals"]["created"] == 1
    assert not ask(quay_state, document=PROD)["changed"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("organizations: [\n", "line 2, column 1: "),
        ("- prod", "it must be a mapping of fields, not a list"),
        ("prod", "it must be a mapping of fields, not a text"),
        ("", "it must be a mapping of fields, not nothing"),
        ("password: {of-somebody", "line "),
        ("- " * 200_000 + "prod", "it is nested deeper than 100 levels"),
    ],
    ids=["cut", "list", "text", "nothing", "secret", "deep"],
)
def test_text_that_is_no_document(ask: Ask, text: str, said: str) -> None:
    told = ask(quay_state, document=text)["msg"]
    assert told.startswith("Could not use the document: ")
    assert said in told
    assert "of-somebody" not in told


def test_purging_spares_what_shall_be_kept(ask: Ask, quay: SandboxQuay) -> None:
    for name in ("automation", "prod", "stray"):
        quay.add_organization(name, owner="quayadmin")
    done = ask(quay_state, document=PROD, purge=["organizations"], keep_organizations=["automation"])
    assert [(entry["name"], entry["state"]) for entry in done["objects"]] == [("stray", "deleted")]
    assert set(quay.world.organizations) == {"automation", "prod"}


@pytest.mark.parametrize("users", [1, 5])
def test_what_an_empty_quay_gets_can_be_foretold_to_strangers(play: Ask, users: int) -> None:
    """Before there is a first user, nobody can log in."""
    document = {"users": [{"name": f"user-{number}", "password": "password1"} for number in range(users)], **PROD}
    with SandboxQuay() as empty:
        foretold = play(quay_state, quay_host=empty.url, document=document, check=True)
        assert foretold["totals"]["created"] == users + 1
        empty.add_user("user-0")
        assert "needs a login" in play(quay_state, quay_host=empty.url, document=document, check=True)["msg"]
