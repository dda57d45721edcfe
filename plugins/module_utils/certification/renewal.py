# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A new tree for a dump: written beside the old one, read again as certsuite reads it, asked, and exchanged for the old one."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import Database, Verdict, verify_tree, write_tree
from ansible_collections.quayside.airgap.plugins.module_utils.certification.lookup import (
    ChartQuestion,
    ContainerQuestion,
    Lookup,
    OperatorQuestion,
)
from ansible_collections.quayside.airgap.plugins.module_utils.certification.swap import DATA, DumpFolder, reuse
from ansible_collections.quayside.airgap.plugins.module_utils.certification.tables import Tables, operator_pages
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import FileError

# How many questions of each sort a new tree is asked; it is compared as a whole, too
_SAMPLES = 200
# certsuite: asks for another registry in place of this one when it looks for a tag
_REWRITTEN = "registry.redhat.io"
# No digest of anything
_NOBODY = "sha256:" + "0" * 64

_T = TypeVar("_T")


@contextlib.contextmanager
def staging(folder: DumpFolder, size: int, *, dry_run: bool) -> Iterator[Path]:
    """A folder to build a tree in; in a dry run it is not below the dump's."""
    if dry_run:
        with tempfile.TemporaryDirectory(prefix="quayside-airgap-") as place:
            yield Path(place)
        return
    with folder.staging(size) as place:
        yield place


def size_of(tables: Tables) -> int:
    """Bytes of the tree of these tables."""
    return len(tables.containers_bytes) + len(tables.charts) + sum(len(content) for _name, content in operator_pages(tables.operators))


def write(work: Path, tables: Tables, old: Path | None) -> Path:
    """Write a tree, and give its folder ``data``. It is to be proved before it is used.

    :param old: a dump whose files stay where they have the same content; None for none.
    :raises FileError: when it cannot be written.
    """
    tree = work / DATA
    write_tree(tree, tables)
    if old is not None:
        reuse(old, tree)
    return tree


def prove(tree: Path, digests: Mapping[str, str]) -> Verdict:
    """Read a tree that was written as certsuite reads it, compare it with what was to be written, and ask it questions.

    :param digests: of the content that was to be written.
    :raises FileError: when it does not give back what was written.
    """
    verdict = verify_tree(tree)
    if verdict.serious or verdict.database is None:
        raise _wrong(tree, str((verdict.serious or verdict.faults)[0]))
    for kind, digest in digests.items():
        if verdict.digests.get(kind) != digest:
            raise _wrong(tree, f"the {kind} that are read from it are not those that were written to it")
    _ask(tree, verdict.database)
    return verdict


def _ask(tree: Path, database: Database) -> None:
    """Ask what certsuite would ask: about every list, and a sample of everything else."""
    lookup = Lookup(database)
    containers = list(database.containers.values())
    by_digest = [*database.aliases, *(container.digest for container in _sample(containers) if container.digest)]
    questions = [ContainerQuestion(digest=digest) for digest in by_digest]
    for container in _sample(containers):
        for registry, repository, tags in container.repositories:
            if registry and registry != _REWRITTEN:
                questions.extend(ContainerQuestion(registry, repository, tag) for tag in tags)
    for question in questions:
        if not lookup.container(question).certified:
            raise _wrong(tree, f"asked for the container {question}, it says that it is not certified")
    for row in _sample(database.operators):
        if "." in row.csv_name and not lookup.operator(OperatorQuestion(row.csv_name, row.ocp_version)).certified:
            raise _wrong(tree, f"asked for the operator {row.csv_name} on {row.ocp_version}, it says that it is not certified")
    for chart in _sample(database.index.charts):
        if not chart.kube_version and not lookup.chart(ChartQuestion(chart.name, chart.version)).certified:
            raise _wrong(tree, f"asked for the chart {chart.name} {chart.version}, it says that it is not certified")
    if lookup.container(ContainerQuestion(digest=_NOBODY)).certified:
        raise _wrong(tree, "it certifies what is not there")


def _sample(values: Sequence[_T]) -> Sequence[_T]:
    return values[:: max(1, len(values) // _SAMPLES)]


def _wrong(tree: Path, reason: str) -> FileError:
    return FileError("verify the new dump in", str(tree), reason, "Check the disk; where it is sound, this is an error of the collection.")
