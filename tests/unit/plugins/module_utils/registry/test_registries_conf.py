# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""registries.conf: where the images of a registry are really fetched."""

from __future__ import annotations

import importlib.util

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import DependencyError, FileError
from ansible_collections.quayside.airgap.plugins.module_utils.registry.reference import parse_reference
from ansible_collections.quayside.airgap.plugins.module_utils.registry.registries_conf import load_registries_conf

DIGEST = "sha256:" + "ab" * 32
HAS_TOML = any(importlib.util.find_spec(name) for name in ("tomllib", "tomli"))
needs_toml = pytest.mark.skipif(not HAS_TOML, reason="this Python has neither tomllib nor tomli")


@pytest.fixture
def sources(tmp_path):
    def find(text, reference):
        path = tmp_path / "registries.conf"
        path.write_bytes(text.encode(errors="surrogateescape"))
        return [(str(source.reference), source.insecure) for source in load_registries_conf(str(path)).sources(parse_reference(reference))]

    return find


@needs_toml
class TestRules:
    def test_without_a_rule_a_reference_is_itself(self, sources):
        assert sources('[[registry]]\nlocation = "other.io"\n', "quay.io/a:1") == [("quay.io/a:1", False)]

    def test_a_location_stands_in_for_the_prefix(self, sources):
        text = '[[registry]]\nprefix = "quay.io/team"\nlocation = "mirror.lab:5000/copies"\ninsecure = true\n'
        assert sources(text, "quay.io/team/app:1") == [("mirror.lab:5000/copies/app:1", True)]
        assert sources(text, "quay.io/teammate/app:1") == [("quay.io/teammate/app:1", False)]

    def test_mirrors_come_first_and_the_location_last(self, sources):
        text = """
[[registry]]
location = "quay.io"
[[registry.mirror]]
location = "one.lab"
insecure = true
[[registry.mirror]]
location = "two.lab/quay"
"""
        assert sources(text, "quay.io/a/b:1") == [("one.lab/a/b:1", True), ("two.lab/quay/a/b:1", False), ("quay.io/a/b:1", False)]

    @pytest.mark.parametrize(
        ("pulls", "tagged", "digested"), [("all", True, True), ("digest-only", False, True), ("tag-only", True, False)]
    )
    def test_a_mirror_may_serve_digests_or_tags_only(self, sources, pulls, tagged, digested):
        text = f'[[registry]]\nlocation = "q.io"\n[[registry.mirror]]\nlocation = "m.lab"\npull-from-mirror = "{pulls}"\n'
        assert (len(sources(text, "q.io/a:1")) == 2) is tagged
        assert (len(sources(text, f"q.io/a@{DIGEST}")) == 2) is digested

    def test_the_old_way_to_say_digests_only(self, sources):
        text = '[[registry]]\nlocation = "q.io"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.lab"\n'
        assert len(sources(text, "q.io/a:1")) == 1
        assert len(sources(text, f"q.io/a@{DIGEST}")) == 2

    def test_the_longest_prefix_decides(self, sources):
        text = '[[registry]]\nprefix="q.io"\nlocation="a.lab"\n[[registry]]\nprefix="q.io/x"\nlocation="b.lab"\n'
        assert sources(text, "q.io/x/y:1") == [("b.lab/y:1", False)]

    def test_a_wildcard_covers_every_host_of_a_domain(self, sources):
        text = '[[registry]]\nprefix = "*.example.com"\ninsecure = true\n'
        assert sources(text, "a.b.example.com:5000/x:1") == [("a.b.example.com:5000/x:1", True)]
        assert sources(text, "example.com/x:1") == [("example.com/x:1", False)]

    def test_a_blocked_registry_is_refused_by_the_name_of_the_file(self, sources, tmp_path):
        with pytest.raises(FileError, match=r"registries.conf blocks 'q.io'"):
            sources('[[registry]]\nlocation = "q.io"\nblocked = true\n', "q.io/a:1")

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("[[registry]]\nlocation =\n", "no TOML"),
            ("[[registry]]\ninsecure = true\n", "neither prefix nor location"),
            ('registry = "x"\n', "[[registry]] tables"),
            ("[[registry]]\nlocation = 5\n", "must be text"),
            ('[[registry]]\nlocation = "q.io"\n[[registry.mirror]]\ninsecure = true\n', "no location"),
            ('[[registry]]\nlocation="q.io"\n[[registry.mirror]]\nlocation="m"\npull-from-mirror="never"\n', "'never' is none of"),
            ('[[registry]]\nlocation="q.io"\nmirror = 5\n', "[[registry.mirror]] tables"),
            ('[[registry]]\nlocation="q.io"\nmirror = ["m.lab"]\n', "no location"),
            ('registry = ["q.io"]\n', "no table"),
            ('[[registry]]\nlocation="https://q.io"\n', "has a scheme"),
            ('[[registry]]\nlocation="q.io"\n[[registry.mirror]]\nlocation="http://m.lab"\n', "has a scheme"),
            ('[[registry]]\nprefix="q.io/a"\nlocation="m.lab"\n', "leaves no repository"),
            ('[[registry]]\nlocation="\udcff"\n', "not UTF-8"),
        ],
    )
    def test_a_broken_file_is_refused_with_its_name(self, sources, text, why):
        with pytest.raises(FileError) as error:
            sources(text, "q.io/a:1")
        assert why in str(error.value)
        assert "registries.conf" in str(error.value)

    def test_a_drop_in_replaces_the_rule_of_its_prefix(self, tmp_path):
        folder = tmp_path / "config" / "containers"
        (folder / "registries.conf.d").mkdir(parents=True)
        (folder / "registries.conf").write_text('[[registry]]\nlocation = "q.io"\ninsecure = true\n')
        (folder / "registries.conf.d" / "50-own.conf").write_text('[[registry]]\nprefix = "q.io"\nlocation = "m.lab"\n')
        conf = load_registries_conf(environment={"XDG_CONFIG_HOME": str(tmp_path / "config"), "HOME": str(tmp_path)})
        assert [str(source.reference) for source in conf.sources(parse_reference("q.io/a:1"))] == ["m.lab/a:1"]

    def test_the_later_drop_in_wins_and_the_users_own_comes_last(self, tmp_path):
        folder = tmp_path / "config" / "containers" / "registries.conf.d"
        folder.mkdir(parents=True)
        for name, host in (("10-a.conf", "one.lab"), ("20-b.conf", "two.lab"), ("99.txt", "not.read")):
            (folder / name).write_text(f'[[registry]]\nprefix = "q.io"\nlocation = "{host}"\n')
        conf = load_registries_conf(environment={"XDG_CONFIG_HOME": str(tmp_path / "config"), "HOME": str(tmp_path)})
        assert [str(source.reference) for source in conf.sources(parse_reference("q.io/a:1"))] == ["two.lab/a:1"]

    def test_a_file_named_by_the_environment_is_the_only_one(self, tmp_path):
        folder = tmp_path / "config" / "containers" / "registries.conf.d"
        folder.mkdir(parents=True)
        (folder / "10.conf").write_text('[[registry]]\nprefix = "q.io"\nlocation = "not.read"\n')
        (tmp_path / "own.conf").write_text('[[registry]]\nprefix = "q.io"\nlocation = "own.lab"\n')
        environment = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "CONTAINERS_REGISTRIES_CONF": str(tmp_path / "own.conf")}
        conf = load_registries_conf(environment=environment)
        assert [str(source.reference) for source in conf.sources(parse_reference("q.io/a:1"))] == ["own.lab/a:1"]

    def test_one_repository_may_be_all_of_a_prefix(self, sources):
        text = '[[registry]]\nprefix = "q.io/team/app"\nlocation = "m.lab/copy"\n'
        assert sources(text, "q.io/team/app:1") == [("m.lab/copy:1", False)]
        assert sources(text, f"q.io/team/app@{DIGEST}") == [(f"m.lab/copy@{DIGEST}", False)]

    def test_an_exact_prefix_counts_before_a_wildcard_that_is_shorter(self, sources):
        text = '[[registry]]\nprefix="*.example.com"\nlocation="wild.lab"\n[[registry]]\nprefix="a.example.com/x"\nlocation="exact.lab"\n'
        assert sources(text, "a.example.com/x/y:1") == [("exact.lab/y:1", False)]
        assert sources(text, "a.example.com/z:1") == [("wild.lab/z:1", False)]

    def test_a_slash_at_the_end_says_nothing(self, sources):
        text = '[[registry]]\nprefix = "q.io/"\nlocation = "m.lab/x/"\n[[registry.mirror]]\nlocation = "n.lab/"\n'
        assert sources(text, "q.io/a:1") == [("n.lab/a:1", False), ("m.lab/x/a:1", False)]


def test_the_empty_path_means_no_rules_at_all(tmp_path):
    assert load_registries_conf("", {"CONTAINERS_REGISTRIES_CONF": str(tmp_path / "missing")}).rules == ()


def test_a_named_file_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(FileError, match=r"missing.conf"):
        load_registries_conf(str(tmp_path / "missing.conf"))


def test_a_file_without_rules_needs_no_toml_reader(tmp_path):
    path = tmp_path / "registries.conf"
    path.write_text('# [[registry]]\nunqualified-search-registries = ["docker.io"]\n[aliases]\n')
    assert load_registries_conf(str(path)).rules == ()


@pytest.mark.skipif(HAS_TOML, reason="this Python reads TOML")
def test_rules_without_a_toml_reader_name_the_library(tmp_path):
    path = tmp_path / "registries.conf"
    path.write_text('[[registry]]\nlocation = "q.io"\n')
    with pytest.raises(DependencyError, match="tomli"):
        load_registries_conf(str(path))
