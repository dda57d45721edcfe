# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The patterns of ``blockedImages``: regular expressions of Go (RE2), understood and rewritten for Python.

Both languages have much in common and differ where one would not look. Rewritten, so that they mean what Go means:

- ``$`` is the very end (Python: also in front of a last line break), ``\\z`` is the end, ``\\Q...\\E`` is literal text;
- ``\\d``, ``\\w``, ``\\s``, ``\\b`` know ASCII only, ``\\s`` has no vertical tab; ``[[:alpha:]]`` and its like;
- ``\\x{263A}``, octal ``\\052``; ``(?<name>...)``; ``{`` that is no repetition, such as ``{,3}``, is itself;
- flags that are switched on in the middle, ``a(?i)b``; ``(?U)`` changes nothing about whether something fits.

Refused, as Go refuses them: look-around, backreferences, conditions, atomic groups, possessive and stacked repetitions, comments,
``\\Z``, ``\\C``, repetitions beyond 1000. Refused although Go has it: Unicode classes such as ``\\pL``, for Python has none; image
references are ASCII. One difference stays: Python tries all ways to make a pattern fit, so that one like ``(a+)+$`` may take it long.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
# what a negated class stands for inside brackets, where Python cannot negate a part
_NEGATED = {
    "alnum": r"\x00-/:-@\[-`{-\U0010ffff",
    "alpha": r"\x00-@\[-`{-\U0010ffff",
    "ascii": r"\x80-\U0010ffff",
    "blank": r"\x00-\x08\n-\x1f!-\U0010ffff",
    "cntrl": r" -~\x80-\U0010ffff",
    "digit": r"\x00-/:-\U0010ffff",
    "graph": r"\x00- \x7f-\U0010ffff",
    "lower": r"\x00-`{-\U0010ffff",
    "print": r"\x00-\x1f\x7f-\U0010ffff",
    "punct": r"\x00- 0-9A-Za-z\x7f-\U0010ffff",
    "space": r"\x00-\x08\x0e-\x1f!-\U0010ffff",
    "upper": r"\x00-@\[-\U0010ffff",
    "word": r"\x00-/:-@\[-^`{-\U0010ffff",
    "xdigit": r"\x00-/:-@G-`g-\U0010ffff",
}
_ESCAPES = {
    "d": r"0-9",
    "D": _NEGATED["digit"],
    "s": r"\t\n\f\r ",
    "S": r"\x00-\x08\x0b\x0e-\x1f!-\U0010ffff",
    "w": "0-9A-Za-z_",
    "W": _NEGATED["word"],
}
# Python's own \B is not at home in an empty text
_PLACES = {"A": r"(?:\A)", "z": r"(?:\Z)", "b": r"(?:\b)", "B": r"(?:(?!\b))"}
_CONTROLS = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_REPEAT = re.compile(r"\{([0-9]+)(,([0-9]*))?\}")
_GROUP = re.compile(r"\(\?(?:P?<([^>]*)>|([imsU]*)(?:-([imsU]+))?([:)]))")
_ESCAPE = re.compile(
    r"\\(?:x\{([0-9a-fA-F]+)\}|x([0-9a-fA-F]{2})|(0[0-7]{0,2}|[1-7][0-7]{1,2})|([^\w\x80-\U0010ffff]|_)|([aftnrv]))", re.ASCII
)
_POSIX = re.compile(r"\[:(\^?)([a-z]*):\]")
_MOST_REPEATS = 1000
_DEEPEST = 100


@dataclass(frozen=True)
class _Flags:
    insensitive: bool = False
    lines: bool = False
    dot_all: bool = False


def compile_go_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern for Python that fits what the pattern fits in Go; use it with ``search``.

    :raises ValueError: with a sentence, when Go refuses it, or Python cannot do it.
    """
    rewritten = _Rewriter(pattern).rewritten()
    try:
        return re.compile(rewritten, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"Python cannot do what it asks for: {error}") from error


class _Rewriter:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._out: list[str] = []
        self._flags = _Flags()
        self._groups: list[_Flags] = []
        self._names: set[str] = set()
        # whether something stands before that can be repeated, and whether it is a repetition itself
        self._repeatable = False
        self._repeated = False

    def rewritten(self) -> str:
        while self._at < len(self._text):
            self._next()
        if self._groups:
            raise ValueError("a parenthesis is not closed")
        return "".join(self._out)

    def _next(self) -> None:
        char = self._text[self._at]
        if char == "(":
            self._open()
        elif char == ")":
            if not self._groups:
                raise ValueError("there is a closing parenthesis too many")
            self._flags = self._groups.pop()
            self._at += 1
            self._out.append(")")
            self._repeatable, self._repeated = True, False
        elif char == "|":
            self._at += 1
            self._out.append("|")
            self._repeatable = self._repeated = False
        elif char in "*+?":
            self._at += 1
            self._repeat(char)
        elif char == "{" and _REPEAT.match(self._text, self._at):
            self._count()
        else:
            self._atom(char)

    def _atom(self, char: str) -> None:
        if char == "[":
            self._class()
        elif char == "\\":
            self._escape()
        else:
            self._at += 1
            if char == "^":
                self._append("(?m:^)" if self._flags.lines else r"(?:\A)")
            elif char == "$":
                # Python's own $ of many lines is Go's
                self._append("(?m:$)" if self._flags.lines else r"(?:\Z)")
            elif char == ".":
                self._append("(?s:.)" if self._flags.dot_all else r"[^\n]")
            else:
                self._append(re.escape(char))

    def _append(self, atom: str) -> None:
        self._out.append(f"(?i:{atom})" if self._flags.insensitive else atom)
        self._repeatable, self._repeated = True, False

    def _open(self) -> None:
        if len(self._groups) >= _DEEPEST:
            raise ValueError(f"it has more than {_DEEPEST} parentheses inside each other")
        if not self._text.startswith("(?", self._at):
            self._at += 1
            self._begin(self._flags)
            return
        match = _GROUP.match(self._text, self._at)
        if match is None:
            raise ValueError(f"'{_around(self._text, self._at)}' is nothing that Go's patterns have")
        name, on, off, end = match.groups()
        self._at = match.end()
        if name is not None:
            if not re.fullmatch(r"\w+", name, re.ASCII) or name in self._names:
                raise ValueError(f"the name '{name}' of a group is no name, or there twice")
            self._names.add(name)
            self._begin(self._flags)
            return
        flags = _switched(_switched(self._flags, on, True), off or "", False)
        if end == ":":
            self._begin(flags)
        else:
            # what comes next may repeat what stood before
            self._flags = flags

    def _begin(self, flags: _Flags) -> None:
        self._groups.append(self._flags)
        self._flags = flags
        # nothing asks for what a group held, only whether all of it fits
        self._out.append("(?:")
        self._repeatable = self._repeated = False

    def _count(self) -> None:
        match = _REPEAT.match(self._text, self._at)
        if match is None:
            return
        self._at = match.end()
        low, comma, high = match.group(1), match.group(2), match.group(3)
        if any(len(part) > 4 or int(part) > _MOST_REPEATS for part in (low, high) if part):
            raise ValueError(f"'{match.group()}' repeats more than {_MOST_REPEATS} times")
        if comma and high and int(high) < int(low):
            raise ValueError(f"'{match.group()}' ends before it begins")
        self._repeat(match.group())

    def _repeat(self, operator: str) -> None:
        if self._repeated:
            raise ValueError(f"the repetition '{operator}' follows another one")
        if not self._repeatable:
            raise ValueError(f"there is nothing that the repetition '{operator}' could repeat")
        if self._text.startswith("?", self._at):
            # as few as possible: the same when only the fit counts
            self._at += 1
        self._out.append(operator)
        self._repeated = True

    def _escape(self) -> None:
        code = self._text[self._at + 1 : self._at + 2]
        if code in _PLACES:
            self._at += 2
            self._append(_PLACES[code])
        elif code == "Q":
            end = self._text.find(r"\E", self._at)
            literal = self._text[self._at + 2 : end if end >= 0 else len(self._text)]
            self._at = len(self._text) if end < 0 else end + 2
            for char in literal:
                self._append(re.escape(char))
        elif code in _ESCAPES:
            self._at += 2
            self._append(f"[{_ESCAPES[code]}]")
        else:
            self._append(re.escape(self._escaped()))

    def _escaped(self) -> str:
        """The character that an escape stands for."""
        match = _ESCAPE.match(self._text, self._at)
        if match is None:
            text = _around(self._text, self._at)[:2]
            unicode = text[1:] in ("p", "P")
            raise ValueError(f"'{text}': " + ("Unicode classes cannot be used" if unicode else "Go's patterns have no such escape"))
        self._at = match.end()
        hexadecimal, octal, literal, control = match.group(1) or match.group(2), match.group(3), match.group(4), match.group(5)
        if control:
            return _CONTROLS[control]
        if literal:
            return literal
        number = int(hexadecimal, 16) if hexadecimal else int(octal, 8)
        if number > 0x10FFFF:
            raise ValueError(f"'{match.group()}' is no character")
        return chr(number)

    def _class(self) -> None:
        self._at += 1
        negated = self._text.startswith("^", self._at)
        self._at += negated
        items: list[str] = []
        first = True
        while first or not self._text.startswith("]", self._at):
            if self._at >= len(self._text):
                raise ValueError("a bracket is not closed")
            items.append(self._item())
            first = False
        self._at += 1
        self._append(f"[{'^' if negated else ''}{''.join(items)}]")

    def _item(self) -> str:
        named = _POSIX.match(self._text, self._at)
        if named:
            self._at = named.end()
            found = (_NEGATED if named.group(1) else _CLASSES).get(named.group(2))
            if found is None:
                raise ValueError(f"there is no class '{named.group()}'")
            return found
        if self._text.startswith("[:", self._at) and ":]" in self._text[self._at + 2 :]:
            raise ValueError(f"there is no class '{_around(self._text, self._at)}'")
        code = self._text[self._at + 1 : self._at + 2]
        if self._text[self._at] == "\\" and code in _ESCAPES:
            self._at += 2
            return _ESCAPES[code]
        low = self._member()
        if self._text.startswith("-", self._at) and self._text[self._at + 1 : self._at + 2] not in ("", "]"):
            self._at += 1
            high = self._member()
            if high < low:
                raise ValueError(f"the range from '{low}' to '{high}' ends before it begins")
            return f"{_coded(low)}-{_coded(high)}"
        return _coded(low)

    def _member(self) -> str:
        char = self._text[self._at : self._at + 1]
        if char == "\\":
            return self._escaped()
        if not char:
            raise ValueError("a bracket is not closed")
        self._at += 1
        return char


def _switched(flags: _Flags, letters: str, on: bool) -> _Flags:
    # U, which swaps as many and as few as possible, does not change what fits
    names = {"i": "insensitive", "m": "lines", "s": "dot_all"}
    return replace(flags, **{names[letter]: on for letter in letters if letter in names})


def _coded(char: str) -> str:
    return f"\\U{ord(char):08x}"


def _around(text: str, at: int) -> str:
    return text[at : at + 8]
