# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy engine in worlds that nobody thought of: images that share layers, destinations that have a part, faults anywhere."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field

from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.plugins.module_utils.registry.plan import COPIED, FAILED, UNCHANGED
from ansible_collections.quayside.airgap.tests.sandbox.registry import Fault, RegistryOptions, SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.images import (
    Image,
    artifact,
    cosign_signature,
    cosign_tag,
    image,
    index,
    layer,
)
from ansible_collections.quayside.airgap.tests.unit.plugins.engine import blob_reads, blob_writes, has, request, run, states
from ansible_collections.quayside.airgap.tests.unit.plugins.sides import BOT, BOTS

LAYERS = [layer(f"layer {number}", size) for number, size in enumerate((1, 10, 500, 3000, 20000, 1_300_000))]
PLATFORMS = ("linux/amd64", "linux/arm64", "linux/s390x")
REPOSITORIES = ("a", "b", "team/c")
# more than any world has faults
PATIENT = RetryPolicy(retries=6, base=0.001, cap=0.005)
BOUNDED = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@dataclass
class World:
    """What there is before the run.

    images     (repository, tag) -> image, at the source
    signed     those of them that have a signature
    there      for each destination what it has already: whole images, and single blobs
    """

    images: dict[tuple[str, str], Image]
    signed: list[tuple[str, str]]
    there: list[tuple[list[tuple[str, str]], list[tuple[str, int]]]]
    source: dict
    destinations: list[dict]
    parallel: int
    faults: list[tuple[int, Fault]] = field(default_factory=list)


@st.composite
def single_images(draw, platform=PLATFORMS[0]):
    chosen = draw(st.lists(st.sampled_from(LAYERS), max_size=4))
    return image(chosen, fmt="oci", platform=platform, config={"Labels": {"n": str(draw(st.integers(0, 2)))}})


@st.composite
def any_images(draw):
    kind = draw(st.sampled_from(["image", "image", "index", "nested", "artifact"]))
    if kind == "image":
        return draw(single_images())
    if kind == "artifact":
        return artifact("application/example", draw(st.binary(max_size=20)))
    children = [draw(single_images(platform)) for platform in PLATFORMS[: draw(st.integers(1, 3))]]
    return index([index(children), draw(single_images())]) if kind == "nested" else index(children)


places = st.tuples(st.sampled_from(REPOSITORIES), st.sampled_from(("v1", "v2")))
kinds_of_registries = st.fixed_dictionaries(
    {},
    optional={
        "quirks": st.sampled_from(["distribution", "quay"]),
        "mount": st.booleans(),
        "referrers": st.booleans(),
        "digest_header": st.booleans(),
        "ranges": st.booleans(),
        "upload_location": st.sampled_from(["relative", "absolute"]),
        "page_size": st.integers(1, 3),
        "redirect_blobs": st.booleans(),
    },
)
logins = st.sampled_from([{}, {}, {"auth": "basic", "users": BOTS}, {"auth": "token", "users": BOTS}])
registries = st.builds(lambda kind, login: {**kind, **login}, kinds_of_registries, logins)


@st.composite
def worlds(draw, faults=None):
    images = draw(st.dictionaries(places, any_images(), min_size=1, max_size=5))
    destinations = draw(st.lists(registries, min_size=1, max_size=2))
    there = [
        (
            draw(st.lists(st.sampled_from(sorted(images)), max_size=2, unique=True)),
            draw(st.lists(st.tuples(st.sampled_from(REPOSITORIES), st.integers(0, len(LAYERS) - 1)), max_size=4)),
        )
        for _destination in destinations
    ]
    return World(
        images,
        draw(st.lists(st.sampled_from(sorted(images)), max_size=2, unique=True)),
        there,
        draw(registries),
        destinations,
        draw(st.integers(1, 4)),
        draw(st.lists(st.tuples(st.integers(0, len(destinations)), faults), min_size=1, max_size=4)) if faults is not None else [],
    )


# what a run asks for, so that most faults meet something
asked_for = st.sampled_from(
    [
        ("GET", "/manifests/"),
        ("HEAD", "/manifests/"),
        ("PUT", "/manifests/"),
        ("GET", "/blobs/sha"),
        ("HEAD", "/blobs/sha"),
        ("POST", "/uploads/"),
        ("POST", "mount="),
        ("PUT|POST", "digest="),
        ("PUT", "/uploads/"),
        ("GET", "/tags/"),
        ("GET", "/referrers/"),
        ("GET", "/v2/$"),
        ("GET", "/v2/auth"),
        ("*", ""),
    ]
)
moments = st.sampled_from([0, 0, 0, 1, 2, 5])


@st.composite
def passing_faults(draw):
    kind = draw(st.sampled_from(["reset", "truncate", "status", "drop_connection"]))
    return Fault(
        *draw(asked_for),
        kind,
        skip=draw(moments),
        after_bytes=draw(st.sampled_from([None, 0, 1, 100, 2000, 600_000])) if kind in ("reset", "truncate") else None,
        status=draw(st.sampled_from([429, 500, 502, 503])),
        after_effect=draw(st.booleans()),
    )


@st.composite
def any_faults(draw):
    return Fault(
        *draw(asked_for),
        draw(st.sampled_from(["reset", "truncate", "status", "garbage", "wrong_digest", "wrong_manifest", "drop_connection"])),
        times=draw(st.sampled_from([1, 2, 9, None])),
        skip=draw(moments),
        after_bytes=draw(st.sampled_from([None, 0, 100, 600_000])),
        status=draw(st.sampled_from([400, 401, 403, 404, 416, 429, 500, 503, 507])),
        after_effect=draw(st.booleans()),
    )


class Run:
    """The registries of a world, and runs between them."""

    def __init__(self, world, stack):
        self.world = world
        self.source = stack.enter_context(SandboxRegistry(RegistryOptions(**world.source)))
        self.destinations = [stack.enter_context(SandboxRegistry(RegistryOptions(**options))) for options in world.destinations]
        for (repository, tag), content in world.images.items():
            self.source.load(repository, tag, content)
        for repository, tag in world.signed:
            content = world.images[repository, tag]
            self.source.load(repository, cosign_tag(content.digest), cosign_signature(content))
        for registry, (whole, blobs) in zip(self.destinations, world.there):
            for repository, tag in whole:
                registry.load(repository, tag, world.images[repository, tag])
            for repository, number in blobs:
                registry.put_blob(repository, LAYERS[number].data)
        self.requests = [
            request((self.source, f"{repository}:{tag}"), *((registry, f"{repository}:{tag}") for registry in self.destinations))
            for repository, tag in world.images
        ]

    def break_things(self):
        for number, fault in self.world.faults:
            fault.fired = fault.seen = 0
            [self.source, *self.destinations][number].faults.append(fault)

    def mend(self):
        for registry in (self.source, *self.destinations):
            registry.faults.clear()
            registry.reset_log()

    def go(self, signatures="copy"):
        report = run(
            *self.requests,
            credentials=BOT,
            source_credentials=BOT,
            retry=PATIENT,
            parallel=self.world.parallel,
            signatures=signatures,
            wire={"read_timeout": 2.0},
        )
        note("\n".join(states(report)))
        self.check(report)
        return report

    def check(self, report):
        """What is reported as there is there, complete and byte for byte; what is not has a reason."""
        by_host = {registry.host: registry for registry in self.destinations}
        for outcome in report.outcomes:
            registry, repository = by_host[outcome.destination.registry], outcome.destination.repository
            content = self.world.images[repository, outcome.destination.tag]
            if outcome.state in (COPIED, UNCHANGED):
                assert outcome.digest == content.digest
                assert registry.tags(repository)[outcome.destination.tag] == content.digest
                assert has(registry, repository, content)
            else:
                assert outcome.state == FAILED
                assert outcome.reason.startswith("Could not ")
            assert min(outcome.size, outcome.moved, outcome.mounted, outcome.skipped) >= 0
        for registry in self.destinations:
            assert registry.verify() == []
        assert self.source.leaked_credentials == []


@BOUNDED
@given(worlds())
def test_where_nothing_goes_wrong_everything_arrives_and_nothing_goes_twice(world):
    with ExitStack() as stack:
        run = Run(world, stack)
        report = run.go()
        assert FAILED not in {outcome.state for outcome in report.outcomes}
        for registry in run.destinations:
            stored = Counter(
                (asked.path.partition("/blobs/")[0], asked.query["digest"][0])
                for asked in registry.select(lambda asked: "digest" in asked.query and asked.status == 201, path="/uploads/")
            )
            assert set(stored.values()) <= {1}
            if registry.options.mount:
                # once in the whole registry: other repositories link it
                assert set(Counter(blob_writes(registry)).values()) <= {1}
        if all(registry.options.mount for registry in run.destinations):
            needed = {digest for registry in run.destinations for digest in blob_writes(registry)}
            redirects = run.source.count(method="GET", path="/blobs/sha", status=302) + run.source.count(status=307)
            unauthorized = run.source.count(method="GET", path="/blobs/sha", status=401)
            empty = {digest for digest in needed if digest not in run.source.blobs or not run.source.blobs[digest]}
            assert blob_reads(run.source) - unauthorized == len(needed - empty)
            event(f"redirected: {redirects > 0}")
        for repository, tag in world.signed:
            for registry in run.destinations:
                assert cosign_tag(world.images[repository, tag].digest) in registry.tags(repository)
        run.mend()
        again = run.go()
        assert {outcome.state for outcome in again.outcomes} == {UNCHANGED}
        assert (again.pulled, again.pushed) == (0, 0)
        assert all(registry.writes == [] for registry in run.destinations)


@BOUNDED
@given(worlds(passing_faults()))
def test_what_passes_is_survived(world):
    # an upload begins anew twice when its answers are lost, and every fault here strikes once
    world.faults = world.faults[:2]
    with ExitStack() as stack:
        run = Run(world, stack)
        run.break_things()
        report = run.go()
        event(f"faults met: {sum(fault.fired for _number, fault in world.faults)}")
        failed = [outcome.reason for outcome in report.outcomes if outcome.state == FAILED]
        assert failed == []


@BOUNDED
@given(worlds(any_faults()))
def test_whatever_goes_wrong_nothing_wrong_is_stored_and_the_next_run_completes_it(world):
    with ExitStack() as stack:
        run = Run(world, stack)
        run.break_things()
        first = run.go()
        event(f"failed: {sum(outcome.state == FAILED for outcome in first.outcomes) > 0}")
        run.mend()
        second = run.go()
        assert {outcome.state for outcome in second.outcomes} <= {COPIED, UNCHANGED}
        assert {outcome.state for outcome in run.go().outcomes} == {UNCHANGED}
