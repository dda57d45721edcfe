# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever goes wrong while a dump is refreshed, the one that is there stays as it is, and the message says so."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.certification.refresh import refresh
from ansible_collections.quayside.airgap.plugins.module_utils.certification.report import WRITTEN
from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import AirgapError, FileError
from ansible_collections.quayside.airgap.plugins.module_utils.core.http import RetryPolicy
from ansible_collections.quayside.airgap.tests.sandbox.catalog.server import CatalogOptions, Fault, SandboxCatalog
from ansible_collections.quayside.airgap.tests.unit.plugins.module_utils.certification.kept_dump import KeptDump, stamps

NO_RETRY = RetryPolicy(retries=0)
PLACES = {"containers": "/images", "operators": "/operators/bundles", "charts": "/index.yaml"}
KINDS = {
    "500": {"kind": "status", "status": 500},
    "403": {"kind": "status", "status": 403},
    "429": {"kind": "status", "status": 429},
    "garbage": {"kind": "garbage"},
    "short": {"kind": "short"},
    "truncate": {"kind": "truncate"},
    "reset": {"kind": "reset"},
    "dropped": {"kind": "drop_connection"},
}


@pytest.fixture(scope="module")
def catalog():
    with SandboxCatalog(CatalogOptions(images=120, organizations={"certified-operators": 130}, charts=10)) as server:
        yield server


@pytest.fixture
def dump(catalog, tmp_path):
    kept = KeptDump(tmp_path / "catalog", catalog)
    kept.refresh()
    yield kept
    catalog.faults.clear()


def fault(path: str, kind: str, *, times: int = 1000, **options) -> Fault:
    settings = dict(KINDS[kind])
    return Fault("GET", path, settings.pop("kind"), times=times, **settings, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_the_old_dump_stays_whole(dump, catalog, place, kind):
    before, others = dump.stamps, stamps(dump.path)
    catalog.faults.append(fault(PLACES[place], kind, skip=1 if place != "charts" else 0))
    with pytest.raises(AirgapError, match=rf"The dump in {dump.path} is as it was\.$"):
        dump.refresh(retry=NO_RETRY, force=True)
    assert dump.stamps == before
    assert {name: stamp[2] for name, stamp in stamps(dump.path).items()} == {name: stamp[2] for name, stamp in others.items()}
    catalog.faults.clear()
    assert not dump.refresh(full_walk_after=0).changed
    assert dump.holds()


@pytest.mark.parametrize("kind", ["500", "429", "garbage", "short", "truncate", "reset", "dropped"])
def test_what_passes_is_borne(dump, catalog, kind):
    for path in PLACES.values():
        catalog.faults.append(fault(path, kind, times=1))
    assert dump.refresh(force=True).how == {"containers": WRITTEN, "operators": WRITTEN, "charts": WRITTEN}
    assert dump.holds()


def test_without_a_dump_there_is_none_after_a_failure(catalog, tmp_path):
    dump = KeptDump(tmp_path / "new", catalog)
    catalog.faults.append(fault("/operators/bundles", "500"))
    try:
        with pytest.raises(AirgapError, match=r"HTTP status 500.*There is no dump in .*/new yet\.$"):
            dump.refresh(retry=NO_RETRY)
    finally:
        catalog.faults.clear()
    assert not dump.data.exists()
    dump.refresh()
    assert dump.holds()


@pytest.mark.parametrize(
    "content",
    [
        b"<html>login</html>",
        b"entries: {}\ngenerated: x\n",
        b"entries: []\ngenerated: x\n",
        b"apiVersion: v1\nentries:\n  a: [{name: a, version: 1}]\n",
    ],
    ids=["a page", "no charts", "no mapping", "no end"],
)
def test_an_index_that_is_none_is_not_taken(dump, catalog, content):
    good, before = catalog.index, dump.stamps
    catalog.set_index(content)
    try:
        with pytest.raises(AirgapError, match=r"is as it was\.$"):
            dump.refresh(retry=NO_RETRY)
    finally:
        catalog.set_index(good)
    assert dump.stamps == before


def test_a_dump_with_something_foreign_in_it_costs_no_request(dump, catalog):
    (dump.data / "notes.txt").write_text("mine")
    catalog.reset_log()
    with pytest.raises(FileError, match=r"notes\.txt"):
        dump.refresh()
    assert len(catalog.requests) == 0


def test_two_runs_at_once(dump, catalog):
    """The second one is told; whichever it is, the dump is whole."""
    outcomes = []
    together = threading.Barrier(2)

    def run():
        together.wait(10)
        try:
            outcomes.append(str(dump.refresh(force=True).changed))
        except FileError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=run) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(outcomes) == 2
    assert "True" in outcomes
    # who asks in the moment between the lock and its name learns no more than that
    assert all(outcome == "True" or "another run is writing it" in outcome for outcome in outcomes)
    assert dump.holds()


def test_a_run_that_is_stopped_leaves_the_old_dump(dump, catalog):
    before = dump.stamps
    cancellation = Cancellation()
    catalog.after(4, lambda _edit: cancellation.cancel("it was interrupted"))
    catalog.faults.append(Fault("GET", "/images", "status", status=503, skip=1, times=1000))
    with pytest.raises(AirgapError, match=r"is as it was\.$"):
        refresh(dump.task(force=True, retry=RetryPolicy(retries=9, base=60)), cancellation)
    assert dump.stamps == before
    catalog.faults.clear()
    dump.refresh()
    assert dump.holds()


def test_what_cannot_be_remembered_is_a_warning(dump):
    """The dump is in place then, and the message must not say otherwise."""
    changes = dump.path / ".catalog_dump/changes.json"
    changes.unlink()
    (changes / "in the way").mkdir(parents=True)
    result = dump.refresh(force=True)
    assert result.changed
    assert "The dump is in place" in str(result.warnings)
    assert dump.holds()
