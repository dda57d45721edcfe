# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helm indexes of any size, as Helm writes them, and with every oddity that indexes written by hand or by others have."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby

__all__ = ["ODDITIES", "ChartVersion", "helm_index", "make_charts"]

# Sections of Helm indexes: about 2.7 versions for an entry
_VERSIONS = 2.7
_KUBE_VERSIONS = (">=1.20.0-0", ">= 1.19.0-0", ">=1.21-0", "^1.20.0-0", "1.20 - 1.28", ">=1.19.0 <1.30.0-0", "*", "")
_GENERATED = "2026-08-19T04:17:55.123456789Z"


@dataclass(frozen=True)
class ChartVersion:
    """A version of a chart.

    name, version, kube_version   as a reader of the index understands them; an empty kube_version is not written
    entry                         key of the entry that it is under; default: the name
    kube_key                      how the key of kube_version is written: readers know `kubeVersion` only
    quote                         around version and kube_version: `"`, `'` or nothing
    comment                       a line of comment before it, and one behind its version
    quoted_keys                   its keys are in quotes
    """

    name: str
    version: str
    kube_version: str = ""
    entry: str = ""
    kube_key: str = "kubeVersion"
    quote: str = ""
    comment: bool = False
    quoted_keys: bool = False

    @property
    def key(self) -> str:
        """Of its entry."""
        return self.entry or self.name

    @property
    def known_kube_version(self) -> str:
        """What readers see: a key that is written otherwise is none to them."""
        return self.kube_version if self.kube_key == "kubeVersion" else ""


# An unquoted 1.10 is text to readers and must not become 1.1; some keys are misspelt; some constraints cannot be read
ODDITIES = (
    ChartVersion("odd-number", "1.10", ">=1.20.0-0"),
    ChartVersion("odd-number", "1.1", ">=1.20.0-0", quote='"'),
    ChartVersion("odd-misspelt", "0.1.0", "not a constraint", kube_key="kubeversion"),
    ChartVersion("odd-constraint", "2.0.0", "at least 1.20", comment=True),
    ChartVersion("odd-constraint", "1.9.0", ">=1.20.0-0", comment=True),
    ChartVersion("odd-quotes", "3.0.0", ">=1.16.0 || <2", quote="'", quoted_keys=True),
    ChartVersion("odd-name", "0.9.0", "", entry="another-entry"),
    ChartVersion("odd-exponent", "1e3", "", quote="'"),
)


def make_charts(number: int, seed: int = 1, *, oddities: bool = False) -> list[ChartVersion]:
    """So many versions of charts, in the order of their entries; `oddities` come in addition to them."""
    chosen = random.Random(f"charts {seed}")
    found: list[ChartVersion] = []
    while len(found) < number:
        name = f"{chosen.choice(('redhat', 'acme', 'bluefin', 'cirrus', 'delta'))}-chart-{len(found):05d}"
        for patch in range(chosen.randrange(1, round(2 * _VERSIONS))):
            version = f"{chosen.randrange(1, 5)}.{chosen.randrange(20)}.{patch}"
            found.append(ChartVersion(name, version, chosen.choice(_KUBE_VERSIONS)))
    found = found[:number]
    if oddities:
        found += [replace(odd, entry=odd.key) for odd in ODDITIES]
    return sorted(found, key=lambda chart: chart.key)


def helm_index(charts: Iterable[ChartVersion], *, generated: str = _GENERATED, seed: int = 1) -> bytes:
    """An index.yaml with these chart versions: keys in the order of the alphabet, about 2.1 KB each, `generated` at its end.

    Versions of one entry must be neighbours.
    """
    chosen = random.Random(f"index {seed}")
    parts = ["apiVersion: v1\n"]
    entries = [(key, list(versions)) for key, versions in groupby(charts, key=lambda chart: chart.key)]
    parts.append("entries:\n" if entries else "entries: {}\n")
    for key, versions in entries:
        parts.append(f"  {key}:\n")
        parts += [_version(chart, chosen) for chart in versions]
    parts.append(f'generated: "{generated}"\n')
    return "".join(parts).encode()


def _version(chart: ChartVersion, chosen: random.Random) -> str:
    vendor, _dash, rest = chart.name.partition("-")
    digest = f"{chosen.getrandbits(256):064x}"
    words = " ".join(f"{chart.name} setting {number} of release {chosen.getrandbits(64):016x}" for number in range(14))
    wrapped = words[:1000].replace(" of ", " of\n        ")
    lines = [
        ("annotations", ""),
        ("  charts.openshift.io/archs", "x86_64"),
        ("  charts.openshift.io/certifiedOpenShiftVersions", f"4.{chosen.randrange(12, 21)}"),
        ("  charts.openshift.io/digest", f"sha256:{chosen.getrandbits(256):064x}"),
        ("  charts.openshift.io/lastCertifiedTimestamp", '"2026-08-01T12:13:14.151617+00:00"'),
        ("  charts.openshift.io/name", chart.name),
        ("  charts.openshift.io/provider", vendor),
        ("  charts.openshift.io/providerType", "partner"),
        ("  charts.openshift.io/supportedOpenShiftVersions", "'>=4.12'"),
        ("  charts.openshift.io/testedOpenShiftVersion", '"4.18"'),
        ("apiVersion", "v2"),
        ("appVersion", f'"{chosen.randrange(9)}.{chosen.randrange(30)}"'),
        ("created", f'"{_GENERATED}"'),
        ("description", f">-\n        {wrapped}"),
        ("digest", digest),
        ("icon", f"https://charts.example.com/{vendor}/icons/{rest}.svg"),
        ("keywords", f"\n      - {vendor}\n      - {rest}"),
    ]
    if chart.kube_version:
        lines.append((chart.kube_key, _quoted(chart.kube_version, chart.quote or "'")))
    lines += [
        ("maintainers", f"\n      - email: support@{vendor}.example.com\n        name: {vendor}"),
        ("name", chart.name),
        ("type", "application"),
        ("urls", f"\n      - https://charts.example.com/releases/download/{chart.name}-{chart.version}/{chart.name}-{chart.version}.tgz"),
        ("version", _quoted(chart.version, chart.quote) + (" # as released" if chart.comment else "")),
    ]
    text = "".join(_line(key, value, quoted=chart.quoted_keys) for key, value in lines)
    comment = f"    # {chart.name}: see its README\n" if chart.comment else ""
    return f"{comment}    - {text[6:]}"


def _line(key: str, value: str, *, quoted: bool) -> str:
    name = key.lstrip()
    inner = " " * (len(key) - len(name))
    shown = f'"{name}"' if quoted else name
    blank = "" if not value or value.startswith("\n") else " "
    return f"      {inner}{shown}:{blank}{value}\n"


def _quoted(text: str, quote: str) -> str:
    return f"{quote}{text}{quote}"
