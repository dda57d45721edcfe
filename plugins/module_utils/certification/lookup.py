# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is this certified? The answers that certsuite gives with a dump, and why.

An index for each kind is made at the first question of that kind, so that many questions cost hardly more than one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple, Union

from ansible_collections.quayside.airgap.plugins.module_utils.certification.constraints import Constraint, ConstraintError, Version
from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import Database
from ansible_collections.quayside.airgap.plugins.module_utils.certification.helm_index import Chart
from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import Container, OperatorRow
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError

# certsuite: the catalog has images of the one registry under the name of the other, so questions are rewritten
_REWRITTEN = {"registry.redhat.io": "registry.access.redhat.com"}
_DEFAULT_TAG = "latest"
_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-zA-Z=_-]{32,}")
# how many names a hint may have
_SHOWN = 5

Entry = Union[Container, OperatorRow, Chart]


class ContainerQuestion(NamedTuple):
    """An image. With a digest nothing else counts; without a digest and a tag, the tag is ``latest``."""

    registry: str = ""
    repository: str = ""
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> ContainerQuestion:
        """The question that a text stands for: ``registry/repository[:tag][@digest]``, or a digest alone.

        :raises InputError: when it is neither.
        """
        subject = f"container '{text}'"
        stripped = text.strip()
        if _DIGEST.fullmatch(stripped):
            return cls(digest=stripped)
        place, at, digest = stripped.partition("@")
        if at and not _DIGEST.fullmatch(digest):
            raise InputError(subject, "what follows the @ is no digest", "Write it like sha256:0123...")
        registry, slash, path = place.partition("/")
        repository, colon, tag = path.partition(":")
        if not slash or not registry or not repository or any(letter.isspace() for letter in place):
            raise InputError(
                subject, "it names no registry and repository", "Write it like registry.example.com/team/app:1.0 or with @sha256:..."
            )
        if colon and (not tag or ":" in tag or "/" in tag):
            raise InputError(subject, "what follows the colon is no tag")
        return cls(registry, repository, tag, digest)

    def __str__(self) -> str:
        place = "/".join(part for part in (self.registry, self.repository) if part)
        text = place + (f":{self.tag}" if self.tag else "")
        return f"{text}@{self.digest}" if text and self.digest else text or self.digest


class OperatorQuestion(NamedTuple):
    """A bundle by the name of its ClusterServiceVersion, on a version of OpenShift as ``4.18``; empty for any version."""

    csv_name: str
    ocp_version: str = ""

    @classmethod
    def parse(cls, text: str) -> OperatorQuestion:
        """The question that a text stands for: ``CSV_NAME [OCP_VERSION]``.

        :raises InputError: when it is none.
        """
        words = text.split()
        if len(words) not in (1, 2):
            raise InputError(
                f"operator '{text}'", "it is not one name, and not a name and a version", "Write it like my-operator.v1.2.3 4.18"
            )
        return cls(*words)

    def __str__(self) -> str:
        return f"{self.csv_name} {self.ocp_version}".strip()


class ChartQuestion(NamedTuple):
    """A version of a chart, on a version of Kubernetes as ``v1.31.6``."""

    name: str
    version: str
    kube_version: str = ""

    @classmethod
    def parse(cls, text: str) -> ChartQuestion:
        """The question that a text stands for: ``NAME VERSION [KUBE_VERSION]``.

        :raises InputError: when it is none.
        """
        words = text.split()
        if len(words) not in (2, 3):
            raise InputError(f"chart '{text}'", "it is not a name and a version", "Write it like my-chart 1.2.3 v1.31.6")
        return cls(*words)

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.kube_version}".strip()


@dataclass(frozen=True)
class Answer:
    """What certsuite says.

    :ivar entry: what the catalog has of it, None for nothing. With a tag it may be one of several images.
    :ivar key: of a container, the key of the entry; a digest of a manifest list is a key, too.
    :ivar reason: why it is not certified, as a sentence without a full stop; empty where it is.
    :ivar hints: what the catalog does have and the rule passes over, as such sentences.
    :ivar judged: whether certsuite comes to an answer; it panics where a version or a constraint cannot be read.
    """

    certified: bool
    entry: Entry | None = None
    reason: str = ""
    hints: tuple[str, ...] = ()
    key: str = ""
    judged: bool = True


class Lookup:
    """Answers questions from a dump.

    :raises FileError: at the first question on charts, when certsuite could not load them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def container(self, question: ContainerQuestion) -> Answer:
        """certsuite: with a digest, whether it is a key of the table; else whether some entry has registry, repository and tag."""
        registry = _REWRITTEN.get(question.registry, question.registry)
        place = (registry, question.repository)
        if question.digest:
            known = self._by_digest(question.digest)
            if known is not None:
                return Answer(True, known, key=question.digest)
            return Answer(False, None, f"the catalog has no image with the digest {question.digest}", self._tag_hints(question, place))
        tag = question.tag or _DEFAULT_TAG
        key = self._by_tag.get((*place, tag))
        if key is not None:
            return Answer(True, self._database.containers[key], key=key)
        if place not in self._tags:
            hints: tuple[str, ...] = ()
            if registry != question.registry and (question.registry, question.repository) in self._tags:
                hints = (
                    f"it has {question.registry}/{question.repository}, but certsuite asks for {registry} instead: ask with the digest",
                )
            return Answer(False, None, f"the catalog has no image of {registry}/{question.repository}", hints)
        return Answer(
            False, None, f"the catalog has no image of {registry}/{question.repository} with the tag {tag}", self._other_tags(place)
        )

    def operator(self, question: OperatorQuestion) -> Answer:
        """certsuite: the part before the first dot and the part behind it are equal, and so is the version of OpenShift."""
        name, version = _name_and_version(question.csv_name)
        by_ocp = self._bundles.get((name, version))
        if by_ocp is None:
            versions = self._versions.get(name)
            if versions is None:
                return Answer(False, None, f"the catalog has no operator '{name}'")
            hint = f"it is certified in the versions {_some(versions)}"
            return Answer(False, None, f"the catalog has the operator '{name}', but not in the version '{version}'", (hint,))
        if not question.ocp_version:
            return Answer(True, next(iter(by_ocp.values())))
        row = by_ocp.get(question.ocp_version)
        if row is not None:
            return Answer(True, row)
        hint = f"it is certified for OpenShift {_some(list(by_ocp))}"
        return Answer(False, None, f"'{question.csv_name}' is not certified for OpenShift {question.ocp_version}", (hint,))

    def chart(self, question: ChartQuestion) -> Answer:
        """certsuite: name and version are equal, and the version of Kubernetes is one that kubeVersion allows, where there is one."""
        found = self._charts.get((question.name, question.version))
        if found is None:
            versions = self._chart_versions.get(question.name)
            if versions is None:
                return Answer(False, None, f"the catalog has no chart '{question.name}'")
            hint = f"it is certified in the versions {_some(versions)}"
            return Answer(False, None, f"the catalog has the chart '{question.name}', but not in the version '{question.version}'", (hint,))
        wanted = Version.parse(question.kube_version)
        stops: list[Answer] = []
        certified: list[Answer] = []
        for entry in dict.fromkeys(chart.entry for chart in found):
            # certsuite: within an entry the first that decides wins; which entry comes first is left to chance
            answer = self._first([chart for chart in found if chart.entry == entry], wanted, question.kube_version)
            if answer is not None:
                (certified if answer.certified else stops).append(answer)
        if stops or certified:
            return (stops or certified)[0]
        named = " or ".join(sorted({f"'{chart.kube_version}'" for chart in found}))
        hints: tuple[str, ...] = ()
        if wanted is not None and wanted.prerelease:
            hints = ("it is a pre-release, which a constraint allows only where it names one itself, as in '>=1.20.0-0'",)
        return Answer(False, found[0], f"its kubeVersion {named} does not allow {question.kube_version}", hints)

    def _first(self, charts: list[Chart], wanted: Version | None, written: str) -> Answer | None:
        """What the first chart says that says anything, None where none does."""
        for chart in charts:
            allowed, stopped = _allows(chart.kube_version, wanted, written) if chart.kube_version else (True, "")
            if allowed or stopped:
                return Answer(allowed, chart, stopped, judged=allowed)
        return None

    def _by_digest(self, digest: str) -> Container | None:
        containers = self._database.containers
        return containers.get(digest) or containers.get(self._database.aliases.get(digest, ""))

    def _tag_hints(self, question: ContainerQuestion, place: tuple[str, str]) -> tuple[str, ...]:
        if not question.repository:
            return ()
        name = f"{place[0]}/{place[1]}"
        key = self._by_tag.get((*place, question.tag))
        if key is not None:
            digest = self._database.containers[key].digest
            return (f"it has {name}:{question.tag}, " + (f"with the digest {digest}" if digest else "without a digest"),)
        return self._other_tags(place)

    def _other_tags(self, place: tuple[str, str]) -> tuple[str, ...]:
        tags = self._tags.get(place)
        if tags is None:
            return ()
        name = f"{place[0]}/{place[1]}"
        return (f"it has {name} with the tags {_some(sorted(tags))}",) if tags else (f"it has {name}, without a tag",)

    @cached_property
    def _by_tag(self) -> dict[tuple[str, str, str], str]:
        """The key of the newest image for each registry, repository and tag."""
        found: dict[tuple[str, str, str], str] = {}
        containers = self._database.containers
        for key, container in sorted(containers.items(), key=lambda item: (item[1].creation_date, item[0])):
            for registry, repository, tags in container.repositories:
                for tag in tags:
                    found[(registry, repository, tag)] = key
        return found

    @cached_property
    def _tags(self) -> dict[tuple[str, str], set[str]]:
        found: dict[tuple[str, str], set[str]] = {}
        for container in self._database.containers.values():
            for registry, repository, tags in container.repositories:
                found.setdefault((registry, repository), set()).update(tags)
        return found

    @cached_property
    def _bundles(self) -> dict[tuple[str, str], dict[str, OperatorRow]]:
        """The rows by name and version of the bundle, then by version of OpenShift."""
        found: dict[tuple[str, str], dict[str, OperatorRow]] = {}
        for row in self._database.operators:
            # certsuite: a name without a dot is passed over when the rows are loaded
            if "." in row.csv_name:
                found.setdefault(_name_and_version(row.csv_name), {}).setdefault(row.ocp_version, row)
        return found

    @cached_property
    def _versions(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, version in self._bundles:
            found.setdefault(name, []).append(version)
        return found

    @cached_property
    def _charts(self) -> dict[tuple[str, str], list[Chart]]:
        found: dict[tuple[str, str], list[Chart]] = {}
        for chart in self._database.index.charts:
            found.setdefault((chart.name, chart.version), []).append(chart)
        return found

    @cached_property
    def _chart_versions(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, version in self._charts:
            found.setdefault(name, []).append(version)
        return found


def _name_and_version(csv_name: str) -> tuple[str, str]:
    """certsuite: the text before the first dot, and the text from there to where the same text with a dot comes again."""
    name, dot, _rest = csv_name.partition(".")
    return (name, csv_name.split(f"{name}.")[1]) if dot else (csv_name, "")


@lru_cache(maxsize=4096)
def _constraint(text: str) -> Constraint | str:
    try:
        return Constraint.parse(text)
    except ConstraintError as error:
        return str(error)


def _allows(kube_version: str, wanted: Version | None, written: str) -> tuple[bool, str]:
    """Whether a constraint allows a version, and where certsuite panics instead, why."""
    constraint = _constraint(kube_version)
    if isinstance(constraint, str):
        return False, f"its kubeVersion '{kube_version}' cannot be read, and certsuite stops there: {constraint}"
    if not written:
        return False, f"its kubeVersion '{kube_version}' asks for a version of Kubernetes, and none is given"
    if wanted is None:
        return False, f"'{written}' is no version of Kubernetes, and its kubeVersion '{kube_version}' asks for one"
    return constraint.allows(wanted), ""


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
