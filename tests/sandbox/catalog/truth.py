# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a perfect dump of a catalog would hold: worked out from the records themselves, by other code than the collection's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.quayside.airgap.tests.support.catalog_content import CERTIFIED

__all__ = ["Moment", "Range", "Truth", "containers_range", "operators_range"]


@dataclass(frozen=True)
class Truth:
    """Plain values that are equal to the collection's own.

    containers   key (digest, or `no-digest:` and the _id) -> (_id, creation date, architecture, digest, repositories, list
                 digests); repositories are (registry, repository, tags)
    aliases      digest of a manifest list -> key of the newest container that is part of it
    operators    (csv name, OpenShift version, channel), sorted, each once
    charts       bytes of the index
    """

    containers: dict[str, tuple[Any, ...]]
    aliases: dict[str, str]
    operators: tuple[tuple[str, str, str], ...]
    charts: bytes


@dataclass(frozen=True)
class Moment:
    """The content between two changes.

    requests   how many requests had arrived when it began
    images, rows   all records in their natural order; whoever looks at them must not change them
    """

    requests: int
    images: tuple[Mapping[str, Any], ...]
    rows: tuple[Mapping[str, Any], ...]
    charts: bytes

    @property
    def certified(self) -> list[Mapping[str, Any]]:
        """The images that belong into a dump."""
        return [image for image in self.images if image.get("isv_pid") is not None and image.get("certified") is True]

    def truth(self, organizations: Iterable[str] = (CERTIFIED,), since: str = "") -> Truth:
        """What a dump of this moment holds; `since` (a date as the catalog writes it) leaves older and undated images out."""
        wanted = set(organizations)
        images = [image for image in self.certified if not since or (image.get("creation_date") or "") >= since]
        containers = _containers(images)
        rows = {(row["csv_name"], row["ocp_version"], row["channel_name"]) for row in self.rows if row["organization"] in wanted}
        return Truth(containers, _aliases(containers), tuple(sorted(rows)), self.charts)


@dataclass(frozen=True)
class Range:
    """What a reader may find who reads while the content changes.

    always   keys of containers, or operator rows, that were there all the time: to miss one is a loss
    ever     those that were there at some time: to have another one is an invention
    """

    always: frozenset[Any]
    ever: frozenset[Any]

    def faults(self, found: Iterable[Any]) -> list[str]:
        """One sentence for each thing that is missing or invented."""
        seen = set(found)
        lost = [f"{key} is missing" for key in sorted(self.always - seen)]
        return lost + [f"{key} was never there" for key in sorted(seen - self.ever)]


def containers_range(moments: Iterable[Moment]) -> Range:
    """For the keys of containers between the first and the last of these moments."""
    return _range([frozenset(moment.truth().containers) for moment in moments])


def operators_range(moments: Iterable[Moment], organizations: Iterable[str] = (CERTIFIED,)) -> Range:
    """For the operator rows between the first and the last of these moments."""
    wanted = tuple(organizations)
    return _range([frozenset(moment.truth(wanted).operators) for moment in moments])


def _range(sets: list[frozenset[Any]]) -> Range:
    return Range(frozenset.intersection(*sets), frozenset.union(*sets))


def _containers(images: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for image in images:
        groups.setdefault(image.get("image_id") or f"no-digest:{image['_id']}", []).append(image)
    found = {}
    for key, group in groups.items():
        newest = max(group, key=lambda image: (image.get("creation_date") or "", image["_id"]))
        tags: dict[tuple[str, str], set[str]] = {}
        lists: set[str] = set()
        for image in group:
            for repository in image.get("repositories") or ():
                names = {tag["name"] for tag in repository.get("tags") or ()}
                tags.setdefault((repository["registry"], repository["repository"]), set()).update(names)
                lists.add(repository.get("manifest_list_digest") or "")
        digest = newest.get("image_id") or ""
        repositories = tuple((registry, repository, tuple(sorted(names))) for (registry, repository), names in sorted(tags.items()))
        architecture = newest.get("architecture") or ""
        found[key] = (
            newest["_id"],
            newest.get("creation_date") or "",
            architecture,
            digest,
            repositories,
            tuple(sorted(lists - {"", digest})),
        )
    return found


def _aliases(containers: Mapping[str, tuple[Any, ...]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in sorted(containers, key=lambda key: (containers[key][1], containers[key][0])):
        for digest in containers[key][5]:
            if digest not in containers:
                found[digest] = key
    return found
