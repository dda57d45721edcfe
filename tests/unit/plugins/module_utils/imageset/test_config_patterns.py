# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns of Go, as blockedImages has them."""

from __future__ import annotations

import contextlib
import re
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.imageset.config_patterns import compile_go_pattern


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("lab/ops/tool", ["src/lab/ops/tool:v9"], ["lab/ops/too"]),
        (".*app-b.*", ["lab/app-b:v1"], ["lab/app-a:v1"]),
        ("^quay.io/", ["quay.io/a", "quayxio/a"], ["x/quay.io/"]),
        (":v1$", ["a:v1"], ["a:v1\n", "a:v12"]),
        (r":v1\z", ["a:v1"], ["a:v1\n"]),
        (r"\Aa", ["ab"], ["ba"]),
        ("(?m)^b$", ["a\nb\nc", "b"], ["ab"]),
        ("a.b", ["axb"], ["a\nb"]),
        ("(?s)a.b", ["a\nb"], ["ab"]),
        ("(?i)DEBUG", ["x-debug"], ["x-debu"]),
        ("a(?i)b", ["ab", "aB"], ["Ab"]),
        ("a(?i)b|c", ["aB", "C"], ["A"]),
        ("(?:(?i)a)b", ["Ab"], ["AB"]),
        ("(?i:a(?-i)b)c", ["Abc"], ["ABc"]),
        ("(?i-s:a)b", ["Ab"], ["AB"]),
        ("a(?)b", ["ab"], ["a"]),
        ("a(?i)+b", ["aaB"], ["b"]),
        ("(?U)a+b", ["aab"], ["b"]),
        (r"\Qa.b\E.", ["a.bc"], ["axbc", "a.b"]),
        (r"\Qa.b", ["a.b"], ["axb"]),
        (r"\Qab\E+", ["abbb"], ["a"]),
        (r"^\d+$", ["12"], ["١٢"]),
        (r"^\w+$", ["a_1"], ["é"]),
        (r"a\sb", ["a b", "a\tb"], ["a\vb", "ab"]),
        (r"a\Sb", ["axb", "a\vb"], ["a b"]),
        (r"^[\S]+$", ["a\v"], ["a b"]),
        (r"^[^\s]$", ["\v"], [" "]),
        (r"\bapp\b", ["x/app:1"], ["apps"]),
        (r"x\B.", ["xy"], ["x/"]),
        (r"^\B$", [""], ["a"]),
        ("^[[:alpha:]]+$", ["abC"], ["ab1"]),
        ("^[[:^alpha:]]+$", ["12-"], ["1a"]),
        ("^[[:alnum:]_-]+$", ["a-1_"], ["a:1"]),
        ("^[[:xdigit:]]{3}$", ["a0F"], ["a0G"]),
        (r"^[^[:space:]\d]$", ["x"], [" ", "7"]),
        ("^[]a]+$", ["]a"], ["b"]),
        ("^[^]a]+$", ["b"], ["]"]),
        ("^[a-]+$", ["a-"], ["b"]),
        ("^[a-c-e]+$", ["ab-e"], ["d"]),
        (r"^[\-a\]]+$", ["-]a"], ["b"]),
        ("^[[a]+$", ["[a"], ["]"]),
        ("^[a&&b]+$", ["&"], ["c"]),
        (r"^\x41\x{42}\103$", ["ABC"], ["AB"]),
        (r"^\07$", ["\x07"], ["7"]),
        (r"^[\x41-\x43]+$", ["ABC"], ["D"]),
        (r"\.\/\-\_", ["./-_"], ["x/-_"]),
        (r"a\tb\n", ["a\tb\n"], ["atbn"]),
        ("^a{2}$", ["aa"], ["a"]),
        ("^a{2,}$", ["aaa"], ["a"]),
        ("^a{1,2}?$", ["aa"], ["aaa"]),
        ("^a{,2}$", ["a{,2}"], ["aa", ""]),
        ("^a{$", ["a{"], ["a"]),
        ("^{a}$", ["{a}"], ["a"]),
        ("^a??b*?c+?$", ["abbc", "c"], ["ab"]),
        ("^*a", ["xa"], ["x"]),
        ("(?P<name>a)(?<other>b)", ["ab"], ["a"]),
        ("(a|b)*c", ["abac"], ["ab"]),
        ("a|", ["b"], []),
        ("()", [""], []),
        ("é", ["é"], ["e"]),
        ("a#b c", ["a#b c"], ["ab"]),
    ],
)
def test_what_a_pattern_fits(pattern, fits, fits_not):
    compiled = compile_go_pattern(pattern)
    assert [text for text in fits if not compiled.search(text)] == []
    assert [text for text in fits_not if compiled.search(text)] == []


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(?=a)", "'(?=a)' is nothing that Go's patterns have"),
        ("(?!a)", "is nothing that Go's patterns have"),
        ("(?<=a)b", "is nothing that Go's patterns have"),
        ("(?<!a)b", "is nothing that Go's patterns have"),
        ("(?>a)", "is nothing that Go's patterns have"),
        ("(?#a)", "is nothing that Go's patterns have"),
        ("(a)(?(1)b)", "is nothing that Go's patterns have"),
        ("(?P=a)", "is nothing that Go's patterns have"),
        ("(?x)a", "is nothing that Go's patterns have"),
        ("(?a)a", "is nothing that Go's patterns have"),
        ("(?P<1-a>b)", "is no name"),
        ("(?P<a>b)(?P<a>c)", "there twice"),
        (r"(a)\1", r"'\1': Go's patterns have no such escape"),
        (r"\Z", "no such escape"),
        (r"\C", "no such escape"),
        (r"\E", "no such escape"),
        (r"\u0041", "no such escape"),
        (r"\pL", "Unicode classes cannot be used"),
        (r"\PL", "Unicode classes cannot be used"),
        (r"[\pL]", "Unicode classes cannot be used"),
        ("a\\", "no such escape"),
        (r"\é", "no such escape"),
        (r"\x{110000}", "is no character"),
        (r"\xg", "no such escape"),
        ("a**", "'*' follows another one"),
        ("a*+", "'+' follows another one"),
        ("a*(?i)*", "'*' follows another one"),
        ("(?i-)a", "is nothing that Go's patterns have"),
        ("a{2}{3}", "'{3}' follows another one"),
        ("a+??", "'?' follows another one"),
        ("*a", "nothing that the repetition '*' could repeat"),
        ("a|+", "nothing that the repetition '+' could repeat"),
        ("(?:*)", "nothing that the repetition '*' could repeat"),
        ("a{1001}", "more than 1000 times"),
        ("a{2,1}", "ends before it begins"),
        ("(a", "a parenthesis is not closed"),
        ("a)", "a closing parenthesis too many"),
        ("(" * 101 + ")" * 101, "more than 100 parentheses"),
        ("[a", "a bracket is not closed"),
        ("[a-", "a bracket is not closed"),
        ("[]", "a bracket is not closed"),
        ("[b-a]", "ends before it begins"),
        (r"[a-\d]", "no such escape"),
        ("[[:foo:]]", "there is no class '[:foo:]'"),
        ("[[:Alpha:]]", "there is no class"),
    ],
)
def test_what_go_refuses_or_python_cannot_do(pattern, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        compile_go_pattern(pattern)


@settings(deadline=None)
@given(st.text(alphabet=r"ab1.:/-_^$*+?{}()[]|\,<>PimsUQEdDsSwWbBxz=!&~#" + "\n\x00é", max_size=25))
def test_any_text_is_a_pattern_or_is_refused_with_a_sentence(pattern):
    with warnings.catch_warnings(), contextlib.suppress(ValueError):
        warnings.simplefilter("error")
        compile_go_pattern(pattern).search("b/a-b:1")


@settings(deadline=None)
@given(st.text(alphabet="aZ0.*+?()[]{}|^$\\EQ/-_ \n\té\U0001f600", max_size=30))
def test_quoted_text_fits_itself(text):
    literal = text.replace("\\E", "")
    assert compile_go_pattern(f"^\\Q{literal}\\E$").search(literal)
