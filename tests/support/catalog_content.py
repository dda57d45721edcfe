# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Catalogs of certified artifacts of any size, in the proportions of the real one; the same shape is always the same catalog.

Records hold what filters, sorting and dumps look at; what else a real record carries is in catalog_records.py. Helm indexes are
made by catalog_charts.py, dumps as OCT wrote them over the years by oct_dumps.py.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CERTIFIED", "Maker", "Record", "Shape", "date_text", "make_images", "make_rows"]

Record = dict[str, Any]

CERTIFIED = "certified-operators"
# Dates of the catalog are precise to the millisecond
_FIRST = datetime.datetime(2018, 3, 1, tzinfo=datetime.timezone.utc)
_LAST = datetime.datetime(2025, 6, 30, 4, 17, 55, tzinfo=datetime.timezone.utc)
_SPAN = (_LAST - _FIRST) // datetime.timedelta(milliseconds=1)
_MINUTE = 60_000
# Catalog sizes: shares of registries, of repositories for an image, of tags for a repository (mean 1.6, at most 16)
_REGISTRIES = (("registry.connect.redhat.com", 86), ("scan.connect.redhat.com", 2), ("quay.io", 5), ("docker.io", 4), ("non_registry", 3))
_REPOSITORIES = ((1, 950), (2, 40), (3, 7), (4, 3))
_TAGS = ((0, 4), (1, 640), (2, 220), (3, 80), (4, 36), (6, 14), (9, 4), (16, 2))
_OTHER_ARCHITECTURES = ("arm64", "ppc64le", "s390x")
_OPENSHIFT = tuple(f"4.{minor}" for minor in range(12, 22))
_CHANNELS = ("stable", "alpha", "beta", "fast", "candidate", "v1", "stable-v2")
_VENDORS = ("acme", "bluefin", "cirrus", "delta", "evergreen", "foxtrot", "granite", "harbor", "indigo", "juniper", "kestrel", "lumen")
_PRODUCTS = ("agent", "broker", "cache", "collector", "controller", "database", "exporter", "gateway", "operator", "proxy", "scanner", "ui")


@dataclass(frozen=True)
class Shape:
    """How large a catalog is, and how odd.

    images          certified images of partners: what a dump holds; uncertified, red_hat: images that it does not hold
    organizations   operator rows of each organization
    charts          chart versions in the Helm index; chart_oddities: with every oddity an index can have
    seed            another seed is another catalog
    tie_groups      groups of `tie_size` neighbours with the same creation date, images and operators alike
    duplicates      images with the digest of another one
    digestless      images without a digest here and there; digestless_runs: so many neighbours each
    undated         images without a creation date; undated_rows: operator rows without one
    list_digests    different digests of manifest lists; None: one for ten images
    inversions      neighbours that the natural order has the wrong way round; None: as many as seen, 8 in 3,900
    burst           share of the images that came in a few busy hours
    """

    images: int = 240
    organizations: Mapping[str, int] = field(default_factory=lambda: {CERTIFIED: 130, "redhat-operators": 20})
    charts: int = 30
    chart_oddities: bool = False
    seed: int = 1
    uncertified: int | None = None
    red_hat: int | None = None
    tie_groups: int = 0
    tie_size: int = 30
    duplicates: int = 0
    digestless: int = 0
    digestless_runs: tuple[int, ...] = ()
    undated: int = 0
    undated_rows: int = 0
    list_digests: int | None = None
    inversions: int | None = None
    burst: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what cannot be: ValueError."""
        if (
            min(self.images, self.charts, self.tie_groups, self.duplicates, self.digestless, self.undated, *self.organizations.values(), 0)
            < 0
        ):
            raise ValueError("a catalog cannot hold less than nothing")
        if self.duplicates + self.digestless + sum(self.digestless_runs) > max(0, self.images - 1):
            raise ValueError("there are more duplicates and images without a digest than images")

    def count(self, wanted: int | None, share: int) -> int:
        """A number that follows the number of images unless it is given."""
        return self.images // share if wanted is None else wanted


class Maker:
    """Makes single records; records made later are the newest."""

    def __init__(self, seed: int | str) -> None:
        self.random = random.Random(f"catalog {seed}")
        self._number = 0

    def digest(self) -> str:
        """A digest that nothing else has."""
        return f"sha256:{self.random.getrandbits(256):064x}"

    def identifier(self, milliseconds: int) -> str:
        """A key as the database makes them: the time, and something that differs."""
        self._number += 1
        return f"{(milliseconds // 1000) & 0xFFFFFFFF:08x}{self.random.getrandbits(40):010x}{self._number:06x}"

    def image(self, milliseconds: int, **others: Any) -> Record:
        """A certified image of a partner, created then; `others` replace fields, None as a value stays None."""
        chosen = self.random
        date = date_text(milliseconds)
        vendor = chosen.choice(_VENDORS)
        repositories = [self._repository(vendor) for _number in range(_pick(chosen, _REPOSITORIES))]
        record = {
            "_id": self.identifier(milliseconds),
            "architecture": "amd64" if chosen.random() < 0.97 else chosen.choice(_OTHER_ARCHITECTURES),
            "certified": True,
            "creation_date": date,
            "image_id": self.digest(),
            "isv_pid": f"ospid-{chosen.getrandbits(32):08x}",
            "last_update_date": date_text(milliseconds + chosen.randrange(30 * 24 * 60 * _MINUTE)),
            "repositories": repositories,
        }
        if chosen.random() < 0.2:
            # what earlier tools keyed by; most records lack it
            record["docker_image_digest"] = self.digest()
        return {**record, **others}

    def _repository(self, vendor: str) -> Record:
        chosen = self.random
        registry = _pick(chosen, _REGISTRIES)
        number = _pick(chosen, _TAGS)
        version = f"{chosen.randrange(1, 9)}.{chosen.randrange(30)}.{chosen.randrange(20)}"
        names = ["latest", version, f"v{version}", f"{version}-{chosen.randrange(1, 300)}"]
        names += [f"{version}-build{build}" for build in range(number)]
        if number == 1:
            names = [chosen.choice(names[1:])]
        found: Record = {
            "registry": registry,
            "repository": f"{vendor}/{chosen.choice(_PRODUCTS)}-{chosen.randrange(40)}",
            "tags": [{"name": name} for name in names[:number]],
        }
        if number == 0:
            _empty(found, "tags", chosen.randrange(3))
        return found

    def row(self, milliseconds: int, csv_name: str, ocp_version: str, channel: str, organization: str = CERTIFIED) -> Record:
        """A bundle of an operator for a version of OpenShift in a channel."""
        return {
            "_id": self.identifier(milliseconds),
            "channel_name": channel,
            "creation_date": date_text(milliseconds),
            "csv_name": csv_name,
            "last_update_date": date_text(milliseconds + self.random.randrange(30 * 24 * 60 * _MINUTE)),
            "ocp_version": ocp_version,
            "organization": organization,
            "package": csv_name.partition(".")[0],
        }

    def rows(self, organization: str = CERTIFIED) -> Iterator[tuple[str, str, str]]:
        """Names of bundles, versions and channels without end, as partners publish: an operator in some versions, each for several of
        OpenShift."""
        chosen = self.random
        while True:
            name = f"{chosen.choice(_VENDORS)}-{chosen.choice(_PRODUCTS)}-{chosen.getrandbits(20):x}"
            mark = "v" if chosen.random() < 0.85 else ""
            channels = chosen.sample(_CHANNELS, chosen.choice((1, 1, 1, 2)))
            for patch in range(chosen.randrange(1, 8)):
                csv_name = f"{name}.{mark}{chosen.randrange(1, 4)}.{chosen.randrange(20)}.{patch}"
                first = chosen.randrange(len(_OPENSHIFT) - 1)
                for version in _OPENSHIFT[first : first + chosen.randrange(1, 6)]:
                    for channel in channels:
                        yield csv_name, version, channel


def make_images(shape: Shape) -> list[Record]:
    """All images of a catalog in their natural order."""
    maker = Maker(f"{shape.seed} images")
    chosen = maker.random
    images = [maker.image(date) for date in _dates(shape.images, shape, chosen)]
    _share_lists(images, shape.count(shape.list_digests, 10), maker)
    _odd_digests(images, shape, chosen)
    for number, image in enumerate(chosen.sample(images, min(shape.undated, len(images)))):
        _empty(image, "creation_date", number % 2)
    others = [maker.image(date, certified=False) for date in _dates(shape.count(shape.uncertified, 20), shape, chosen, ties=False)]
    others += [maker.image(date, isv_pid=None) for date in _dates(shape.count(shape.red_hat, 20), shape, chosen, ties=False)]
    for number, image in enumerate(others):
        if image["isv_pid"] is None and number % 2:
            del image["isv_pid"]
    return _natural(images + others, shape, chosen)


def make_rows(shape: Shape) -> list[Record]:
    """All operator rows of a catalog in their natural order."""
    maker = Maker(f"{shape.seed} rows")
    chosen = maker.random
    found = []
    for organization, number in shape.organizations.items():
        names = maker.rows(organization)
        for date in _dates(number, shape, chosen):
            found.append(maker.row(date, *next(names), organization))
    for number, row in enumerate(chosen.sample(found, min(shape.undated_rows, len(found)))):
        _empty(row, "creation_date", number % 2)
    return _natural(found, shape, chosen)


def date_text(milliseconds: int) -> str:
    """A date as the catalog writes it: six digits, a numeric offset."""
    date = datetime.datetime.fromtimestamp(milliseconds // 1000, datetime.timezone.utc)
    return f"{date:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}000+00:00"


def _dates(number: int, shape: Shape, chosen: random.Random, *, ties: bool = True) -> list[int]:
    """Milliseconds since 1970, oldest first, all different but for the ties; some of them in busy hours."""
    first = int(_FIRST.timestamp()) * 1000
    busy = [chosen.randrange(_SPAN - 60 * _MINUTE) for _number in range(8)]
    found: set[int] = set()
    while len(found) < number:
        if chosen.random() < shape.burst:
            found.add(first + chosen.choice(busy) + chosen.randrange(60 * _MINUTE))
        else:
            found.add(first + chosen.randrange(_SPAN))
    dates = sorted(found)
    size = min(shape.tie_size, number)
    if ties and size:
        room = max(number // max(1, shape.tie_groups), size)
        for start in range(0, min(number - size + 1, room * shape.tie_groups), room):
            begin = start + chosen.randrange(min(room, number - start) - size + 1)
            dates[begin : begin + size] = [dates[begin]] * size
    return dates


def _share_lists(images: list[Record], number: int, maker: Maker) -> None:
    """Let images be parts of manifest lists: those of other architectures share the list, and the place, of one for amd64."""
    if not images:
        return
    holders = [image for image in images if image["architecture"] == "amd64"] or images
    holders = maker.random.sample(holders, min(number, len(holders)))
    for holder in holders:
        digest = maker.digest()
        for repository in holder["repositories"]:
            repository["manifest_list_digest"] = digest
    for image in images:
        if image["architecture"] != "amd64" and holders:
            holder = maker.random.choice(holders)
            image["repositories"] = [_copy(repository) for repository in holder["repositories"]]


def _copy(repository: Record) -> Record:
    copied = dict(repository)
    if repository.get("tags"):
        copied["tags"] = [dict(tag) for tag in repository["tags"]]
    return copied


def _odd_digests(images: list[Record], shape: Shape, chosen: random.Random) -> None:
    order = list(range(len(images)))
    without: set[int] = set()
    begin = 0
    for run in shape.digestless_runs:
        # runs apart from each other, in the order of the dates
        begin += max(0, (len(order) - sum(shape.digestless_runs)) // (len(shape.digestless_runs) + 1))
        without.update(order[begin : begin + run])
        begin += run
    rest = [place for place in order if place not in without]
    chosen.shuffle(rest)
    without.update(rest[: shape.digestless])
    rest = rest[shape.digestless :]
    for number, place in enumerate(sorted(without)):
        _empty(images[place], "image_id", number % 2)
    for place, other in zip(rest[: shape.duplicates], rest[shape.duplicates :] * (shape.duplicates + 1)):
        images[place]["image_id"] = images[other]["image_id"]


def _empty(record: Record, name: str, way: int) -> None:
    """A field without a value: left out, null, or an empty list."""
    if way == 0:
        record.pop(name, None)
    else:
        record[name] = None if way == 1 else []


def _natural(records: Iterable[Record], shape: Shape, chosen: random.Random) -> list[Record]:
    """The order in which records are stored: that of their creation, with a few neighbours the wrong way round."""
    found = sorted(records, key=lambda record: (record["_id"][:8], record.get("creation_date") or "", record["_id"]))
    wanted = round(len(found) * 8 / 3900) if shape.inversions is None else shape.inversions
    for place in chosen.sample(range(len(found) - 1), min(wanted, max(0, len(found) - 1))):
        found[place], found[place + 1] = found[place + 1], found[place]
    return found


def _pick(chosen: random.Random, shares: tuple[tuple[Any, int], ...]) -> Any:
    """One of the values, each as often as its share says."""
    place = chosen.randrange(sum(share for _value, share in shares))
    for value, share in shares:
        place -= share
        if place < 0:
            return value
    return shares[-1][0]
