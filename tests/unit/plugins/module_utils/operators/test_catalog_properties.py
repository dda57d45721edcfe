# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Catalogs and choices that nobody thought of: what is chosen is always a catalog, and what a plain reading of the rules says."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import InputError
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_filter import (
    CatalogChoice,
    ChannelChoice,
    FilterOptions,
    PackageChoice,
    filter_catalog,
)
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_images import bundle_images, without_bundles
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_reading import BytesSource, read_catalog
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_validation import validate_catalog, validate_selection
from ansible_collections.quayside.airgap.plugins.module_utils.operators.catalog_writing import catalog_files
from ansible_collections.quayside.airgap.plugins.module_utils.operators.versions import VersionBounds, parse_version
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.operators.builders import (
    bundle,
    deprecations,
    entry,
    package_blobs,
    read,
)

VERSIONS = ("1.0.0", "1.1.0", "1.1.1", "1.2.0-rc.1", "1.2.0", "2.0.0", "2.0.1", "3.0.0")
PACKAGES = ("op", "db", "web")
CHANNELS = ("stable", "fast", "old")
KINDS = ("Db", "Web", "Ghost")
LENIENT = FilterOptions(lenient=True, automatic_default_channel=True)
BOUNDED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@dataclass
class Lane:
    """A channel as the tests think of it.

    chain      versions that replace each other, the newest first
    skipped    versions under the one that skips them
    """

    chain: list[str]
    skipped: dict[str, list[str]] = field(default_factory=dict)
    entries: list[dict] = field(default_factory=list)


@dataclass
class Operator:
    lanes: dict[str, Lane]
    blobs: list[dict]


@st.composite
def lanes(draw, package):
    """A channel that is valid: every version in it is on the chain, or skipped by a newer one of the chain."""
    chosen = sorted(draw(st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=6, unique=True)), key=parse_version, reverse=True)
    lane = Lane([chosen[0]])
    replaces = {}
    for version in chosen[1:]:
        if draw(st.integers(0, 3)):
            replaces[lane.chain[-1]] = version
            lane.chain.append(version)
        else:
            lane.skipped.setdefault(draw(st.sampled_from(lane.chain)), []).append(version)
    if draw(st.booleans()):
        replaces[lane.chain[-1]] = "0.0.1"
    for version in chosen:
        below = replaces.get(version, "")
        if version not in lane.chain:
            below = draw(st.sampled_from(["", *[one for one in lane.chain if parse_version(one) < parse_version(version)]]))
        skip_range = draw(st.sampled_from(["", f"<{version}", f">=1.1.0 <{version}"]))
        lane.entries.append(entry(version, below, skips=lane.skipped.get(version, ()), skip_range=skip_range, package=package))
    lane.entries = draw(st.permutations(lane.entries))
    return lane


@st.composite
def operators(draw, package):
    found = draw(st.dictionaries(st.sampled_from(CHANNELS), lanes(package), min_size=1))
    names = {item["name"] for lane in found.values() for item in lane.entries}
    bundles = []
    for name in sorted(names):
        properties = []
        for kind in draw(st.lists(st.sampled_from(KINDS[:2]), max_size=1)):
            properties.append({"type": "olm.gvk", "value": {"group": "x", "kind": kind, "version": "v1"}})
        for kind in draw(st.lists(st.sampled_from(KINDS), max_size=1)):
            properties.append({"type": "olm.gvk.required", "value": {"group": "x", "kind": kind, "version": "v1"}})
        for needed in draw(st.lists(st.sampled_from([*PACKAGES, "ghost"]), max_size=1)):
            versions = draw(st.sampled_from(["", ">=1.1.0", "<1.2.0", "2.x"]))
            properties.append({"type": "olm.package.required", "value": {"packageName": needed, "versionRange": versions}})
        bundles.append(bundle(name.partition(".v")[2], package, properties=properties))
    blobs = package_blobs({name: lane.entries for name, lane in found.items()}, package, draw(st.sampled_from(sorted(found))), bundles)
    marks = [("olm.bundle", name, "old") for name in sorted(names)] + [("olm.channel", name, "old") for name in found]
    chosen = draw(st.lists(st.sampled_from(marks), max_size=3, unique=True))
    return Operator(found, [*blobs, deprecations(*chosen, package=package)] if chosen else blobs)


worlds = st.lists(st.sampled_from(PACKAGES), min_size=1, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: operators(name) for name in sorted(names)})
)
bounds = st.sampled_from(["", "1", "1.1", "1.1.0", "v1.1.1", "1.2.0-0", "1.2", "2.0.0", "9"])


@st.composite
def package_choices(draw, name):
    wanted = draw(st.lists(st.sampled_from([*CHANNELS, "ghost"]), max_size=3, unique=True))
    default = draw(st.sampled_from(["", "", *CHANNELS]))
    kind = draw(st.sampled_from(["heads", "package", "channels", "exact"]))
    channels = tuple(ChannelChoice(one, *draw(st.tuples(bounds, bounds)) if kind == "channels" else ("", "")) for one in wanted)
    minimum, maximum = draw(st.tuples(bounds, bounds)) if kind == "package" else ("", "")
    versions = tuple(draw(st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=3, unique=True))) if kind == "exact" else ()
    return PackageChoice(name, channels, default, minimum, maximum, versions)


choices = st.lists(st.sampled_from([*PACKAGES, "ghost"]), max_size=3, unique=True).flatmap(
    lambda names: st.builds(CatalogChoice, st.tuples(*[package_choices(name) for name in names]))
)


def catalog_of(world):
    return read(*[blob for operator in world.values() for blob in operator.blobs])


def written(catalog, selection):
    return {name: b"".join(pieces) for name, pieces in catalog_files(catalog, selection)}


def versions_of(selection):
    """Package -> channel -> versions."""
    return {
        name: {channel: {item.name.partition(".v")[2] for item in entries} for channel, entries in package.channels.items()}
        for name, package in selection.packages.items()
    }


def check(catalog, selection):
    """A selection is a catalog that any tool loads, and reads again as what was written."""
    assert [str(fault) for fault in validate_selection(selection)] == []
    files = written(catalog, selection)
    again = read_catalog([BytesSource(name, content) for name, content in files.items()])
    assert [str(fault) for fault in validate_catalog(again)] == []
    assert written(again, filter_catalog(again, CatalogChoice(full=True))) == files


@BOUNDED
@given(worlds, choices, st.booleans())
def test_whatever_is_chosen_is_a_catalog(world, choice, dependencies):
    catalog = catalog_of(world)
    assert [str(fault) for fault in validate_catalog(catalog)] == []
    selection = filter_catalog(catalog, choice, FilterOptions(lenient=True, automatic_default_channel=True, dependencies=dependencies))
    event(f"packages: {len(selection.packages)}")
    assert selection.faults == []
    check(catalog, selection)


@BOUNDED
@given(worlds, choices)
def test_strictly_nothing_is_left_out_in_silence(world, choice):
    """Either everything that is named is there, or it is an error that names it."""
    catalog = catalog_of(world)
    try:
        selection = filter_catalog(catalog, choice)
    except InputError as error:
        message = str(error)
        missing = [wanted.name for wanted in choice.packages if wanted.name not in world]
        missing += [
            channel.name
            for wanted in choice.packages
            for channel in wanted.channels
            if channel.name not in world.get(wanted.name, EMPTY).lanes
        ]
        assert [name for name in missing if f"'{name}'" not in message and wanted_in(choice, world)] == []
    else:
        assert selection.packages.keys() == {wanted.name for wanted in choice.packages} or not choice.packages
        assert all(wanted.default_channel in ("", selection.packages[wanted.name].default_channel) for wanted in choice.packages)


EMPTY = Operator({}, [])


def wanted_in(choice, world):
    """Whether the channels of every package are looked at: those of one that is not there are not."""
    return all(wanted.name in world for wanted in choice.packages)


def plain_reading(lane, inside):
    """Which versions of a channel a range keeps, by the words of the rule, tried one cut after the other."""

    def reach(start, end):
        return {version for upper in lane.chain[start:end] for version in (upper, *lane.skipped.get(upper, ()))} & inside

    length = len(lane.chain)
    everything = reach(0, length)
    if not everything:
        return set()
    head = max(position for position in range(length) if reach(position, length) == everything)
    tail = min(position for position in range(1, length + 1) if not reach(position, length))
    return set(lane.chain[head:tail]) | reach(head, tail)


@BOUNDED
@given(worlds, bounds, bounds)
def test_bounds_keep_what_a_plain_reading_keeps(world, minimum, maximum):
    catalog = catalog_of(world)
    choice = CatalogChoice(tuple(PackageChoice(name, minimum=minimum, maximum=maximum) for name in world))
    found = versions_of(filter_catalog(catalog, choice, LENIENT))
    limits = VersionBounds.parse(minimum, maximum, "")
    expected = {}
    for name, operator in world.items():
        for channel, lane in operator.lanes.items():
            inside = {version for version in VERSIONS if limits is not None and parse_version(version) in limits}
            # what an entry replaces need not be an entry: the chain begins below with 0.0.1, which is no bundle
            kept = {lane.chain[0]} if limits is None else plain_reading(lane, inside)
            if kept:
                expected.setdefault(name, {})[channel] = kept
    assert found == expected


@BOUNDED
@given(worlds, st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=3, unique=True))
def test_exact_versions_are_exact(world, versions):
    catalog = catalog_of(world)
    choice = CatalogChoice(tuple(PackageChoice(name, versions=tuple(versions)) for name in world))
    selection = filter_catalog(catalog, choice, LENIENT)
    expected = {}
    for name, operator in world.items():
        for channel, lane in operator.lanes.items():
            there = {item["name"].partition(".v")[2] for item in lane.entries} & set(versions)
            if there:
                expected.setdefault(name, {})[channel] = there
    assert versions_of(selection) == expected
    check(catalog, selection)


@BOUNDED
@given(worlds, st.data())
def test_without_some_bundles_it_is_a_catalog_and_no_update_is_made_up(world, data):
    catalog = catalog_of(world)
    before = filter_catalog(catalog, CatalogChoice(full=True))
    gone = {}
    for name, kept in before.packages.items():
        gone[name] = data.draw(st.sets(st.sampled_from(sorted(kept.bundle_names()))))
    after = without_bundles(before, gone)
    check(catalog, after)
    for name, kept in after.packages.items():
        assert not kept.bundle_names() & gone[name]
        for channel, entries in kept.channels.items():
            originals = {item.name: item for item in before.packages[name].channels[channel]}
            for item in entries:
                original = originals[item.name]
                assert item.replaces == original.replaces
                allowed = original.skip_range and all(
                    skip in original.skips or parse_version(skip.partition(".v")[2]) < parse_version(item.name.partition(".v")[2])
                    for skip in item.skips
                )
                assert item.skips == original.skips or allowed
    # the newest of what can be had is offered still, wherever it was
    for name, kept in before.packages.items():
        if kept.bundle_names() - gone[name]:
            assert name in after.packages


@BOUNDED
@given(worlds, choices)
def test_dependencies_add_and_take_nothing_away(world, choice):
    catalog = catalog_of(world)
    plain = versions_of(filter_catalog(catalog, choice, LENIENT))
    selection = filter_catalog(catalog, choice, FilterOptions(lenient=True, automatic_default_channel=True, dependencies=True))
    more = versions_of(selection)
    for name, channels in plain.items():
        for channel, versions in channels.items():
            assert versions <= more[name][channel]
    told = "\n".join(selection.warnings)
    for found in selection.bundles():
        for need in found.requires:
            there = any(
                need.gvk in other.provides if need.gvk else other.package == need.package and helps(other, need)
                for other in selection.bundles()
            )
            assert there or f"{found.name} needs {need}" in told


def helps(found, need):
    version = parse_version(found.version_text)
    return {
        "": True,
        ">=1.1.0": version >= parse_version("1.1.0"),
        "<1.2.0": version < parse_version("1.2.0"),
        "2.x": version.major == 2,
    }[need.versions]


@BOUNDED
@given(worlds, st.data())
def test_files_and_order_do_not_matter(world, data):
    blobs = [blob for operator in world.values() for blob in operator.blobs]
    catalog = read(*blobs)
    shuffled = data.draw(st.permutations(blobs))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(blobs)), max_size=3)))
    sources = []
    for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(blobs)])):
        text = "\n".join(json.dumps(blob, indent=number % 3 or None) for blob in shuffled[start:end])
        sources.append(BytesSource(f"{number}.json", text.encode()))
    other = read_catalog(sources)
    choice = CatalogChoice(full=True)
    assert written(other, filter_catalog(other, choice)) == written(catalog, filter_catalog(catalog, choice))


FIELDS = ["schema", "name", "package", "entries", "image", "properties", "relatedImages", "type", "value", "replaces", "skips", "skipRange"]
FIELDS += ["packageName", "version", "defaultChannel", "reference", "message", "group", "kind", "constraints", "all", "any", "Name", "icon"]
texts = st.sampled_from(
    ["", "op", "db", "stable", "op.v1.0.0", "op.v1.1.0", "1.0.0", "olm.bundle", "olm.package", "r.x/a@sha256:" + "a" * 64]
)
garbage = st.recursive(
    st.one_of(texts, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4)),
    max_leaves=8,
)
nearly = st.builds(
    lambda known, more: {**more, **known},
    st.fixed_dictionaries(
        {"schema": st.sampled_from(["olm.package", "olm.channel", "olm.bundle", "olm.deprecations", "x"])},
        optional={"name": texts, "package": texts},
    ),
    st.dictionaries(st.sampled_from(FIELDS), garbage, max_size=5),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(nearly, max_size=8), worlds, choices, st.booleans())
def test_garbage_costs_packages_and_nothing_else(rubbish, world, choice, full):
    """Whatever else is in a catalog: no crash, and what is chosen can be loaded."""
    blobs = [*rubbish, *[blob for operator in world.values() for blob in operator.blobs]]
    catalog = read(*blobs, name="catalog.json")
    validate_catalog(catalog)
    options = FilterOptions(lenient=True, automatic_default_channel=True, dependencies=True)
    selection = filter_catalog(catalog, CatalogChoice(full=True) if full else choice, options)
    assert [str(fault) for fault in validate_selection(selection) if not fault.recent] == []
    files = written(catalog, selection)
    again = read_catalog([BytesSource(name, content) for name, content in files.items()])
    assert [str(fault) for fault in validate_catalog(again) if not fault.recent and fault.package] == []
    for images in bundle_images(catalog, selection):
        assert images.images or not images.complete or images.bundle.has_objects
