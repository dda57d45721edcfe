# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a dump, as a process of its own: certified_questions.py FOLDER NUMBER; prints how long loading and the questions took.

Of five questions two are for containers by digest, one each for a container by tag, an operator and a chart; every fourth is for
something that is not there.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import cycle, islice
from pathlib import Path

from ansible_collections.quayside.airgap.plugins.module_utils.certification.database import Database, read_tree
from ansible_collections.quayside.airgap.plugins.module_utils.certification.lookup import (
    ChartQuestion,
    ContainerQuestion,
    Lookup,
    OperatorQuestion,
)

KUBE_VERSION = "v1.27.4"


def questions(database: Database, number: int) -> list[tuple[str, object]]:
    """What to ask, spread over all that there is."""
    digests = cycle(sorted(database.containers))
    places = cycle(
        (place.registry, place.repository, tag)
        for container in database.containers.values()
        for place in container.repositories
        for tag in place.tags
    )
    rows = cycle(database.operators)
    charts = cycle(sorted({(chart.name, chart.version) for chart in database.index.charts}))
    found: list[tuple[str, object]] = []
    for turn in range(number):
        odd = "-none" if turn % 4 == 3 else ""
        kind = turn % 5
        if kind < 2:
            found.append(("container", ContainerQuestion("", "", "", next(digests) + odd)))
        elif kind == 2:
            registry, repository, tag = next(places)
            found.append(("container", ContainerQuestion(registry, repository, tag + odd)))
        elif kind == 3:
            row = next(rows)
            found.append(("operator", OperatorQuestion(row.csv_name, row.ocp_version + odd)))
        else:
            name, version = next(charts)
            found.append(("chart", ChartQuestion(name, version + odd, KUBE_VERSION)))
    return found


def main() -> int:
    """Load, ask, tell."""
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    asked = questions(read_tree(folder), number)
    begin = time.perf_counter()
    lookup = Lookup(read_tree(folder))
    loaded = time.perf_counter()
    certified = sum(getattr(lookup, kind)(question).certified for kind, question in islice(asked, number))
    done = time.perf_counter()
    print(json.dumps({"load": loaded - begin, "questions": done - loaded, "asked": number, "certified": certified}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
