# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What real Quays answered, and in what another answer differs from that.

`tests/fixtures/quay/recordings` has requests to real Quays with their answers, one JSON object per line, in the order in which they
were made. Recordings named `quay-2023-01__*` are of a Quay 3.8, the others of one after 3.18. A line is a request:

    n, label                              its number in the recording, what it was made for
    call, query, headers, json|form|raw   the request; `as` is who sends it: the name of a token, or `basic user:password`;
                                          `session` is the number of a browser; `follow`: redirects too
    waited                                what was given time before: logins after wrong passwords, deleted names, a token that ends
    status, type, answer, location        the answer; `page` is text for people, of which nothing is compared
    next_csrf, retry_after                headers of it

In an answer `<name>` is a value that the server made up and a later request uses, `*` in a text and `#` for a number are any other
one, `**` is anything, and `...` at the end of a list says that its entries show every shape that there was, not every entry.

Or it is a step that another program made, or somebody at the Quay itself:

    server      a new Quay with these options; with `keep` the users and organizations of the one before stay
    after       the recording went on with the Quay of another one
    push        docker pushes an image; log_in: it gets no further than the token for it
    delete      it deletes one, and with it every tag of its digest
    load        an image came through a proxy cache
    make        a number of repositories came to be
    mirrored    the worker of mirrors was there
    world       services that fail from here on
    whitelist   applications of DIRECT_OAUTH_CLIENTID_WHITELIST
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "quay" / "recordings"
NUMBERED = r"[a-z-]+-\d+"
NAMED = r"host|upstream|puller|super|user|alice|long|expired|(?:repo|user|org|super):[a-z]+"
PLACEHOLDER = re.compile(f"<({NUMBERED}|{NAMED})>")
ANY_TEXT, ANY_NUMBER, ANYTHING, MORE = "*", "#", "**", "..."
# These are the same for as long as a Quay runs; other names without a number are tokens, of which the last one counts.
LASTING = ("host", "upstream", "puller")
# Objects of which a sandbox has a part only.
PARTIAL = {"GET /config": ("answer.config", "answer.features", "answer.oauth")}


@dataclass(frozen=True)
class Exchange:
    """A line of a recording."""

    recording: str
    values: Mapping[str, Any]

    @property
    def name(self) -> str:
        """How a list of exceptions names it."""
        return f"{self.recording}:{self.values['n']}"

    @property
    def call(self) -> str:
        """Method and path; empty for what is no request."""
        return str(self.values.get("call", ""))

    @property
    def partial(self) -> tuple[str, ...]:
        """Places in its answer where something may be missing."""
        return PARTIAL.get(self.call, ())

    def __str__(self) -> str:
        return f"{self.name} {self.values.get('label', '')} ({self.call})"


def exchanges(path: Path) -> list[Exchange]:
    """The lines of one recording."""
    text = gzip.decompress(path.read_bytes()).decode()
    return [Exchange(path.name.partition(".")[0], json.loads(line)) for line in text.splitlines()]


def stories() -> dict[str, list[Exchange]]:
    """Recordings of the same Quay joined, under the name of the first one."""
    found: dict[str, list[Exchange]] = {}
    story: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*.jsonl.gz")):
        lines = exchanges(path)
        recording = lines[0].recording
        story[recording] = story.get(lines[0].values.get("after", ""), recording)
        found.setdefault(story[recording], []).extend(lines)
    return found


class Names:
    """What the sandbox has where a recording has `<name>`."""

    def __init__(self, known: Mapping[str, Any] | None = None) -> None:
        self.known: dict[str, Any] = dict(known or {})

    def forget_numbered(self) -> None:
        """Another recording counts anew."""
        self.known = {name: value for name, value in self.known.items() if not name[-1].isdigit()}

    def put(self, value: Any) -> Any:
        """A part of a request with the sandbox's values in it; KeyError when one is not known."""
        if isinstance(value, str):
            return PLACEHOLDER.sub(lambda found: str(self.known[found[1]]), value)
        if isinstance(value, dict):
            return {self.put(key): self.put(entry) for key, entry in value.items()}
        return [self.put(entry) for entry in value] if isinstance(value, list) else value

    def match(self, recorded: str, seen: Any) -> bool:
        """Whether a value is what was recorded as this text; learns what is named in it."""
        whole = PLACEHOLDER.fullmatch(recorded)
        if whole:
            return self._learn(whole[1], seen)
        if not isinstance(seen, str):
            return False
        pattern, place, names = "", 0, []
        for part in re.finditer(f"{PLACEHOLDER.pattern}|[*]", recorded):
            pattern += re.escape(recorded[place : part.start()]) + (r"([\w:.-]+)" if part[1] else r"[\s\S]*")
            place = part.end()
            if part[1]:
                names.append(part[1])
        found = re.fullmatch(pattern + re.escape(recorded[place:]), seen)
        if found is None:
            return False
        learned = [self._learn(name, text) for name, text in zip(names, found.groups())]
        return all(learned)

    def _learn(self, name: str, value: Any) -> bool:
        if name[-1].isdigit() or name in LASTING:
            return bool(self.known.setdefault(name, value) == value)
        self.known[name] = value
        return isinstance(value, str)


# --------------------------------------------------------------- comparison


def differences(recorded: Any, seen: Any, names: Names, place: str, partial: tuple[str, ...] = ()) -> Iterator[str]:
    """In what a JSON value differs from the recorded one; below places of `partial` keys may be missing."""
    if recorded == ANYTHING:
        return
    if isinstance(recorded, dict) and isinstance(seen, dict):
        yield from _object_differences(recorded, seen, names, place, partial)
    elif isinstance(recorded, list) and isinstance(seen, list):
        yield from _list_differences(recorded, seen, names, place)
    elif recorded == ANY_NUMBER:
        if _kind(seen) != "number":
            yield f"{place} is {seen!r}, was a number"
    elif isinstance(recorded, str):
        if not names.match(recorded, seen):
            yield f"{place} is {seen!r}, was {recorded!r}"
    elif _kind(seen) != _kind(recorded) or seen != recorded:
        yield f"{place} is {seen!r}, was {recorded!r}"


def _object_differences(
    recorded: dict[str, Any], seen: dict[str, Any], names: Names, place: str, partial: tuple[str, ...]
) -> Iterator[str]:
    if list(recorded) == [ANY_TEXT]:
        recorded = dict.fromkeys(seen, recorded[ANY_TEXT])
    missing, more = sorted(set(recorded) - set(seen)), sorted(set(seen) - set(recorded))
    if missing and place not in partial:
        yield f"{place} lacks {', '.join(missing)}"
    if more:
        yield f"{place} has {', '.join(more)} besides"
    for key in recorded:
        if key in seen:
            yield from differences(recorded[key], seen[key], names, f"{place}.{key}", partial)


def _list_differences(recorded: list[Any], seen: list[Any], names: Names, place: str) -> Iterator[str]:
    if recorded[-1:] == [MORE]:
        had, has = {shape(entry) for entry in recorded[:-1]}, {shape(entry) for entry in seen}
        if had - has:
            yield f"{place} lacks entries like {', '.join(sorted(had - has))}"
        if has - had:
            yield f"{place} has entries like {', '.join(sorted(has - had))} besides"
        return
    if len(recorded) != len(seen):
        yield f"{place} has {len(seen)} entries, had {len(recorded)}"
    left = list(seen)
    for number, old in enumerate(recorded[: len(seen)]):
        # The order is the server's affair: each goes with the first one that is the same, or just with the next.
        new = next((entry for entry in left if not any(differences(old, entry, Names(names.known), place))), left[0])
        left.remove(new)
        yield from differences(old, new, names, f"{place}[{number}]")


def shape(value: Any) -> str:
    """Keys and types of a value."""
    if isinstance(value, dict):
        entries = {ANY_TEXT if key.startswith("sha256:") else key: shape(entry) for key, entry in sorted(value.items())}
        return "{" + ", ".join(f"{key}: {entry}" for key, entry in entries.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(sorted({shape(entry) for entry in value})) + "]"
    return "number" if value == ANY_NUMBER else _kind(value)


def _kind(value: Any) -> str:
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__
