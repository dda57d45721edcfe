# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks a dump about many things at once, and tells what came of it: of each one, in all, and by the places that they are in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.quayside.airgap.plugins.module_utils.certification.helm_index import Chart
from ansible_collections.quayside.airgap.plugins.module_utils.certification.lookup import (
    Answer,
    ContainerQuestion,
    Entry,
    Lookup,
    OperatorQuestion,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.questions import (
    CHARTS,
    CONTAINERS,
    KINDS,
    OPERATORS,
    Question,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import Container, OperatorRow

CERTIFIED = "certified"
UNCERTIFIED = "uncertified"
# nobody can say
UNJUDGED = "unjudged"
# no catalog of certified artifacts lists things of this kind
PASSED_OVER = "passed_over"
STATES = (CERTIFIED, UNCERTIFIED, UNJUDGED, PASSED_OVER)

# Where a thing is found is told of so many places; how many there are, of all
_PLACES = 10
# Failures that a message tells in full; the others are in the results
_TOLD = 10


@dataclass(frozen=True)
class Item:
    """Something that may be certified.

    :ivar name: what a report calls it.
    :ivar question: what the dump is asked; None where it cannot be asked, and ``state`` and ``reason`` say what that means.
    :ivar places: where it was found, each a group and what it is there: a namespace and ``Deployment/web``.
    """

    kind: str
    name: str
    question: Question | None
    places: tuple[tuple[str, str], ...] = ()
    state: str = UNJUDGED
    reason: str = ""


def asked(question: Question, *, ocp_version: str = "", kube_version: str = "") -> Item:
    """What a user asks for, with the versions of the cluster where the question does not name them."""
    if isinstance(question, ContainerQuestion):
        return Item(CONTAINERS, str(question), question)
    if isinstance(question, OperatorQuestion):
        question = question._replace(ocp_version=question.ocp_version or ocp_version)
        return Item(OPERATORS, str(question), question)
    question = question._replace(kube_version=question.kube_version or kube_version)
    return Item(CHARTS, str(question), question)


def united(items: Iterable[Item]) -> list[Item]:
    """The same things as one, with all their places, in their first order."""
    found: dict[tuple[str, str, Question | None, str], Item] = {}
    for item in items:
        key = (item.kind, item.name, item.question, item.reason)
        known = found.get(key)
        found[key] = item if known is None else replace(known, places=tuple(sorted({*known.places, *item.places})))
    return list(found.values())


@dataclass(frozen=True)
class Judged:
    """An item with what came of it."""

    item: Item
    state: str
    answer: Answer

    def as_dict(self) -> dict[str, Any]:
        """As a module returns it."""
        question = self.item.question
        return {
            "name": self.item.name,
            "question": question._asdict() if question is not None else {},
            "certified": self.state == CERTIFIED,
            "state": self.state,
            "reason": self.answer.reason,
            "hints": list(self.answer.hints),
            "entry": _entry(self.answer.entry, self.answer.key) if self.answer.entry is not None else {},
            "places": len(self.item.places),
            "found_in": [{"group": group, "owner": owner} for group, owner in self.item.places[:_PLACES]],
        }


def judge(lookup: Lookup, items: Iterable[Item]) -> list[Judged]:
    """Ask the dump about everything.

    :raises FileError: when it is asked about charts and their index cannot be read.
    """
    return [_judged(lookup, item) for item in items]


def _judged(lookup: Lookup, item: Item) -> Judged:
    question = item.question
    if question is None:
        return Judged(item, item.state, Answer(False, None, item.reason))
    if isinstance(question, ContainerQuestion):
        answer = lookup.container(question)
    elif isinstance(question, OperatorQuestion):
        answer = lookup.operator(question)
    else:
        answer = lookup.chart(question)
    state = CERTIFIED if answer.certified else UNCERTIFIED if answer.judged else UNJUDGED
    return Judged(item, state, answer)


@dataclass(frozen=True)
class Report:
    """What came of all questions.

    :ivar unread: what could not be looked at, as sentences.
    """

    found: Sequence[Judged]
    unread: tuple[str, ...] = ()

    @property
    def certified(self) -> bool:
        """Whether everything is, and nothing is unknown. What no catalog lists does not count."""
        return not self.unread and all(entry.state in (CERTIFIED, PASSED_OVER) for entry in self.found)

    def names(self, state: str) -> list[str]:
        """Of everything in a state, each once."""
        return list(dict.fromkeys(entry.item.name for entry in self.found if entry.state == state))

    def as_results(self) -> dict[str, Any]:
        """The results of a task."""
        states = Counter(entry.state for entry in self.found)
        kinds = Counter(entry.item.kind for entry in self.found)
        return {
            "changed": False,
            "certified": self.certified,
            "counts": {
                "asked": len(self.found),
                **{state: states[state] for state in STATES},
                **{kind: kinds[kind] for kind in KINDS},
            },
            **{kind: [entry.as_dict() for entry in self.found if entry.item.kind == kind] for kind in KINDS},
            "uncertified": self.names(UNCERTIFIED),
            "unjudged": self.names(UNJUDGED),
            "unread": list(self.unread),
            "groups": self.groups(),
        }

    def groups(self) -> list[dict[str, Any]]:
        """What is in each namespace of a cluster, or belongs to each package of an image set."""
        members: dict[str, dict[str, list[str]]] = {}
        for entry in self.found:
            for group in dict.fromkeys(group for group, _owner in entry.item.places):
                members.setdefault(group, {state: [] for state in STATES})[entry.state].append(entry.item.name)
        return [
            {
                "name": group,
                CERTIFIED: len(states[CERTIFIED]),
                UNCERTIFIED: states[UNCERTIFIED],
                UNJUDGED: states[UNJUDGED],
                PASSED_OVER: len(states[PASSED_OVER]),
            }
            for group, states in sorted(members.items())
        ]

    def message(self, dump: str) -> str:
        """One paragraph for what is not certified."""
        wrong = [entry for entry in self.found if entry.state in (UNCERTIFIED, UNJUDGED)]
        told = [f"{entry.item.name} ({entry.answer.reason})" for entry in wrong[:_TOLD]]
        more = f" ({len(wrong) - len(told)} more in the results)" if len(wrong) > len(told) else ""
        counts = f"{len(wrong)} of {len(self.found)} are not certified according to {dump}: {' | '.join(told)}{more}."
        return " ".join([counts] if wrong else []) + (" " if wrong and self.unread else "") + " ".join(self.unread)


def _entry(entry: Entry, key: str) -> dict[str, Any]:
    if isinstance(entry, Container):
        return {
            "key": key,
            "digest": entry.digest,
            "architecture": entry.architecture,
            "creation_date": entry.creation_date,
            "repositories": [
                {"registry": found.registry, "repository": found.repository, "tags": list(found.tags)} for found in entry.repositories
            ],
        }
    if isinstance(entry, OperatorRow):
        return entry._asdict()
    if isinstance(entry, Chart):
        return {"entry": entry.entry, "name": entry.name, "version": entry.version, "kube_version": entry.kube_version}
    raise AssertionError("a catalog has containers, operators and charts")
