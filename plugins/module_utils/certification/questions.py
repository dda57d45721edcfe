# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions as users write them: a line of text or a mapping each, with everything that is wrong told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Callable, Union

from ansible_collections.quayside.airgap.plugins.module_utils.certification.lookup import (
    ChartQuestion,
    ContainerQuestion,
    OperatorQuestion,
)
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.core.faults import Fault, join

Question = Union[ContainerQuestion, OperatorQuestion, ChartQuestion]

CONTAINERS = "containers"
OPERATORS = "operators"
CHARTS = "charts"
KINDS = (CONTAINERS, OPERATORS, CHARTS)

_SHOWN = 20


def read_questions(kind: str, given: Iterable[Any]) -> tuple[list[Question], list[Fault]]:
    """The questions that a user asks about one kind. Blank texts, as templates leave them, are passed over.

    :param kind: one of ``KINDS``, and the place that faults are told with.
    :param given: texts or mappings.
    """
    reader = _Reader(kind)
    return [question for number, item in enumerate(given) for question in reader.read(f"{kind}[{number}]", item)], reader.faults


def read_version(name: str, given: Any) -> tuple[str, list[Fault]]:
    """A version that a user gave; empty for none.

    In YAML, 4.20 without quotes is the number 4.2: numbers are refused.
    """
    if given is None or isinstance(given, str):
        return (given or "").strip(), []
    return "", [Fault(name, f"{given!r} is no text; a version is written in quotes")]


def refuse(faults: list[Fault]) -> None:
    """:raises InputError: for all the faults together, when there are any."""
    if faults:
        told = "; ".join(map(str, faults[:_SHOWN]))
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise InputError("the questions", f"{told}{more}")


class _Reader:
    def __init__(self, kind: str) -> None:
        self.faults: list[Fault] = []
        self._parse, self._fields, self._make = _WAYS[kind]

    def read(self, path: str, item: Any) -> list[Question]:
        """The question that an entry stands for; none where something is wrong with it."""
        if isinstance(item, str):
            if not item.strip():
                return []
            try:
                return [self._parse(item)]
            except InputError as error:
                self.faults.append(Fault(path, f"{error.subject}: {error.reason}. {error.hint}".rstrip(". ")))
                return []
        if not isinstance(item, Mapping):
            self.faults.append(Fault(path, "it is neither a text nor a mapping"))
            return []
        before = len(self.faults)
        values = {}
        for key, value in item.items():
            if key not in self._fields:
                self.faults.append(Fault(join(path, str(key)), f"there is no such key; there are {', '.join(self._fields)}"))
            elif value is not None and not isinstance(value, str):
                self.faults.append(Fault(join(path, key), f"{value!r} is no text; a version is written in quotes"))
            else:
                values[key] = (value or "").strip()
        if len(self.faults) == before:
            try:
                return [self._make(values)]
            except ValueError as error:
                self.faults.append(Fault(path, str(error)))
        return []


def _container(values: Mapping[str, str]) -> ContainerQuestion:
    if values.get("digest"):
        # nothing else counts beside a digest, which is still to be one
        try:
            return ContainerQuestion.parse(values["digest"])._replace(**values)
        except InputError as error:
            raise ValueError("its digest is none; write it like sha256:0123...") from error
    if not values.get("registry") or not values.get("repository"):
        raise ValueError("it has neither a digest, nor a registry and a repository")
    return ContainerQuestion(**values)


def _operator(values: Mapping[str, str]) -> OperatorQuestion:
    if not values.get("csv_name"):
        raise ValueError("it has no csv_name")
    return OperatorQuestion(**values)


def _chart(values: Mapping[str, str]) -> ChartQuestion:
    if not values.get("name") or not values.get("version"):
        raise ValueError("it has no name or no version")
    return ChartQuestion(**values)


_WAYS: dict[str, tuple[Callable[[str], Question], tuple[str, ...], Callable[[Mapping[str, str]], Question]]] = {
    CONTAINERS: (ContainerQuestion.parse, ContainerQuestion._fields, _container),
    OPERATORS: (OperatorQuestion.parse, OperatorQuestion._fields, _operator),
    CHARTS: (ChartQuestion.parse, ChartQuestion._fields, _chart),
}
