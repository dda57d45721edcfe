# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that Quay refuses are refused before any call, with the rule."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.quay import names


@pytest.mark.parametrize("name", ["prod", "a1", "team-a", "team.b_c-d", "1234"])
def test_namespaces(name: str) -> None:
    assert names.namespace(name) == name


@pytest.mark.parametrize("name", ["Prod", "prod-", "-prod", "a--b", "a b", "prod/x", "prod+ci", "é", ""])
def test_namespaces_that_quay_refuses(name: str) -> None:
    with pytest.raises(ValueError, match=r"is no name for Quay: .* lower-case letters .*\[a-z0-9\]"):
        names.namespace(name)


@pytest.mark.parametrize("name", ["a", "a" * 256])
def test_lengths(name: str) -> None:
    with pytest.raises(ValueError, match="has 2 to 255"):
        names.namespace(name)


def test_robots() -> None:
    assert names.robot("prod+ci") == ("prod", "ci")
    assert names.robot("ci") == ("", "ci")
    assert names.short_robot("ci") == "ci"
    assert names.account("prod+ci") == "prod+ci"
    for check, name in ((names.robot, "prod+C"), (names.robot, "+ci"), (names.short_robot, "prod+ci"), (names.account, "+ci")):
        with pytest.raises(ValueError, match=r"name|namespace"):
            check(name)
    with pytest.raises(ValueError, match="at most 255"):
        names.robot(f"{'a' * 200}+{'b' * 60}")


@pytest.mark.parametrize("name", ["app", "team/app", "a", "a..b", "a__b", "tags", "mirror", "x/mirrors"])
def test_repositories(name: str) -> None:
    assert names.repository(name) == name


@pytest.mark.parametrize("name", ["", "/app", "app/", "App", "a//b", "_a", "a b", "a/../b"])
def test_repositories_that_quay_refuses(name: str) -> None:
    with pytest.raises(ValueError, match="is no name for a repository"):
        names.repository(name)


@pytest.mark.parametrize(
    "name",
    [
        "x/mirror",
        "x/tag",
        "x/tag/latest",
        "x/tag/latest/restore",
        "x/mirror/sync-now",
        "x/permissions/user",
        "x/permissions/team/dev",
        "x/notification/1",
        "x/autoprunepolicy",
        "x/changestate",
        "x/manifest/abc",
        "a/b/logs",
    ],
)
def test_repositories_whose_requests_would_reach_another_path(name: str) -> None:
    with pytest.raises(ValueError, match="one of its own paths"):
        names.repository(name)


def test_full_names_of_repositories() -> None:
    assert names.full_repository("prod/team/app") == ("prod", "team/app")
    with pytest.raises(ValueError, match="lacks the namespace"):
        names.full_repository("app")


@pytest.mark.parametrize("name", ["latest", "v1.2-3_4", "_x", "a" * 128])
def test_tags(name: str) -> None:
    assert names.tag(name) == name


@pytest.mark.parametrize("name", ["", ".x", "-x", "a:b", "é", "a" * 129])
def test_tags_that_are_none(name: str) -> None:
    with pytest.raises(ValueError, match="is no tag"):
        names.tag(name)


@pytest.mark.parametrize("check", [names.namespace, names.repository, names.tag])
def test_long_names_are_shortened_in_messages(check: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match=r"'a{37}\.\.\.'"):
        check("a" * 300)
