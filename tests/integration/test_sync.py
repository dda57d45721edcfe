# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sync playbook, from what it finds or is told to what is at the destinations afterwards."""

from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.quayside.airgap.tests.integration.playbooks import PASSWORD, ROOT, USER, sides
from ansible_collections.quayside.airgap.tests.sandbox.registry import User
from ansible_collections.quayside.airgap.tests.support.images import (
    cosign_signature,
    cosign_tag,
    image,
    layer,
    multi_arch,
)

BASE = layer("base", 60_000)


def build(seed: str):
    """An image that shares its base with all others."""
    return image([BASE, layer(seed, 20_000)])


@pytest.mark.matrix
def test_what_check_mode_foretells_is_what_happens_and_then_nothing(play, sandbox):
    """Everything that the source lists, from a registry with tokens to another: foretold, copied, and left alone."""
    source, destination = sandbox(auth="token"), sandbox(auth="token")
    wanted = {"prod/web": build("web"), "prod/db": build("db"), "prod/tools/cli": multi_arch("cli")}
    for repository, found in wanted.items():
        source.load(repository, "v1", found)
    source.load("prod/web", "v1-rc1", build("candidate"))
    source.load("prod/web-dev", "v1", build("dev"))
    source.load("elsewhere/app", "v1", build("elsewhere"))
    source.load("prod/web", cosign_tag(wanted["prod/web"].digest), cosign_signature(wanted["prod/web"]))
    destination.load("mirror/web", "v1", build("web of yesterday"))
    # two of the lists as a survey of AWX would give them
    variables = sides(
        f"{source.host}/prod",
        f"{destination.host}/mirror\n",
        discover={"exclude": "*-dev\n"},
        exclude_tags=["*-rc*"],
        source_username=USER,
        source_password=PASSWORD,
        destination_username=USER,
        destination_password=PASSWORD,
    )

    destination.refuse_writes = True
    foretold = play(variables, "--check", "--diff").succeeded()
    assert destination.refused == []
    assert foretold.changed == 1
    # --diff shows each name with what it stood for and what it will stand for
    assert f'-    "{destination.host}/mirror/web:v1": "{build("web of yesterday").digest}"' in foretold.output
    assert f'+    "{destination.host}/mirror/web:v1": "{wanted["prod/web"].digest}"' in foretold.output

    destination.refuse_writes = False
    done = play(variables).succeeded()
    assert done.changed == 1
    assert done.totals == foretold.totals
    assert [{**entry, "elapsed": 0} for entry in done.images] == [{**entry, "elapsed": 0} for entry in foretold.images]
    assert done.digests == {f"{destination.host}/mirror/{name[5:]}:v1": found.digest for name, found in wanted.items()}
    assert done.totals["copied"] == 3
    sizes = {digest: found.size for each in wanted.values() for digest, found in each.all_blobs().items()}
    sizes.update({digest: found.size for digest, found in cosign_signature(wanted["prod/web"]).all_blobs().items()})
    # what is left of yesterday is used for today, in the other repository too
    del sizes[BASE.digest]
    assert done.totals["bytes_pulled"] == done.totals["bytes_pushed"] == sum(sizes.values())
    assert "3 copied, 0 unchanged, 0 failed;" in done.output
    assert destination.verify() == []
    assert set(destination.tags("mirror/web")) == {"v1", cosign_tag(wanted["prod/web"].digest)}
    assert destination.tags("mirror/web-dev") == {}

    destination.refuse_writes = True
    again = play(variables, "--diff").succeeded()
    assert again.changed == 0
    assert set(again.states.values()) == {"unchanged"}
    assert "0 copied, 3 unchanged, 0 failed;" in again.output
    assert f"{destination.host}/mirror/web:v1" not in again.output
    assert destination.refused == []


def test_each_way_to_name_an_image(play, sandbox):
    """By tag, digest and both, with platforms and a place of its own, by patterns, from elsewhere; a second run finds it all there."""
    source, other, destination = sandbox(), sandbox(), sandbox()
    by_tag, by_digest, by_both = build("by tag"), build("by digest"), build("by both")
    source.load("prod/web", "v1", by_tag)
    source.load("prod/web", None, by_digest)
    source.load("prod/web", "moved", build("newer"))
    source.load("prod/web", None, by_both)
    source.load("prod/multi", "v1", multi_arch("multi"))
    for tag in ("1.0", "1.1", "1.1-rc1", "2.0"):
        source.load("prod/many", tag, build(f"many {tag}"))
    other.load("team/tool", "2", build("tool"))
    arm = multi_arch("multi").children[1]

    variables = sides(
        f"{source.host}/prod",
        [f"{destination.host}/mirror"],
        images=[
            "web:v1",
            f"web@{by_digest.digest}",
            # the digest decides on the content, the tag on the name
            f"docker://{source.host}/prod/web:moved@{by_both.digest}",
            {"source": "multi:v1", "destination": "arm/multi:only", "platforms": ["linux/arm64"]},
            {"source": "many", "tags": ["1.*"], "exclude_tags": "*-rc*"},
            f"{other.host}/team/tool:2",
            {"source": f"{other.host}/team/tool:2", "destination": [f"{destination.host}/tools/a:stable", "tools/b"]},
        ],
    )
    done = play(variables).succeeded()

    place = f"{destination.host}/mirror"
    wanted = {
        f"{place}/web:v1": by_tag.digest,
        f"{place}/web:{by_digest.digest.replace(':', '-')}": by_digest.digest,
        f"{place}/web:moved": by_both.digest,
        f"{place}/many:1.0": build("many 1.0").digest,
        f"{place}/many:1.1": build("many 1.1").digest,
        f"{place}/team/tool:2": build("tool").digest,
        f"{destination.host}/tools/a:stable": build("tool").digest,
        f"{place}/tools/b:2": build("tool").digest,
    }
    rewritten = done.digests[f"{place}/arm/multi:only"]
    assert {name: digest for name, digest in done.digests.items() if "multi" not in name} == wanted
    (index,) = destination.manifests("mirror/arm/multi")[rewritten].parsed["manifests"]
    assert index["digest"] == arm.digest
    assert destination.verify() == []

    destination.refuse_writes = True
    again = play(variables).succeeded()
    assert again.changed == 0
    assert again.digests == done.digests


def test_several_destinations_are_written_from_one_read(play, sandbox):
    source, first, second, third = sandbox(), sandbox(), sandbox(), sandbox()
    images = {f"app-{number}": build(f"app {number}") for number in range(3)}
    for name, found in images.items():
        source.load(name, "v1", found)
    # one of them has most of it already
    third.load("copy/app-0", "v1", images["app-0"])
    destinations = [first.host, f"{second.host}/deep/down", f"{third.host}/copy"]

    done = play(sides(source.host, "\n".join(destinations), images="app-0:v1\napp-1\n\napp-2:v1\n")).succeeded()

    blobs = {digest for found in images.values() for digest in found.all_blobs()}
    assert source.count(method="GET", path="/blobs/") == len(blobs)
    assert done.totals["images"] == 9
    assert done.totals["unchanged"] == 1
    for registry, place in ((first, ""), (second, "deep/down/"), (third, "copy/")):
        assert registry.verify() == []
        assert {name: registry.tags(f"{place}{name}") for name in images} == {name: {"v1": found.digest} for name, found in images.items()}


@pytest.mark.matrix
def test_failover_swaps_the_sides_with_their_credentials(play, sandbox):
    """The site that was the destination is read, the one that was the source is written, everything else stays as it is."""
    ours, theirs = sandbox(auth="token"), sandbox(auth="basic", users={"dr": User("other-secret-word", {"*": "pull,push"})})
    theirs.load("copy/app", "v1", build("app"))
    theirs.load("copy/app", "v2", build("newer"))
    theirs.load("copy/unrelated", "v1", build("unrelated"))
    variables = sides(
        f"{ours.host}/prod/",
        [f"{theirs.host}/copy"],
        images=["app:v1", f"{ours.host}/prod/app:v2"],
        source_username=USER,
        source_password=PASSWORD,
        destination_username="dr",
        destination_password="other-secret-word",
        failover=True,
    )

    theirs.refuse_writes = True
    done = play(variables).succeeded()

    assert ours.tags("prod/app") == {"v1": build("app").digest, "v2": build("newer").digest}
    assert ours.repositories == ["prod/app"]
    assert {entry["source"] for entry in done.images} == {f"{theirs.host}/copy/app:v1", f"{theirs.host}/copy/app:v2"}
    assert theirs.refused == []
    # and back: there is nothing to do
    back = play({**variables, "registry_sync_failover": "false"}).succeeded()
    assert back.changed == 0


def test_failover_with_several_destinations_reads_the_one_that_is_named(play, sandbox):
    ours, first, second = sandbox(), sandbox(), sandbox()
    first.load("app", "v1", build("of the first"))
    second.load("app", "v1", build("of the second"))
    variables = sides(ours.host, [first.host, second.host], discover={}, failover=True)

    assert play(variables).failed().message == (
        "registry_sync_failover needs to know which destination to read: set registry_sync_failover_from to one of "
        f"{first.host}, {second.host}."
    )
    done = play({**variables, "registry_sync_failover_from": second.host}).succeeded()
    assert ours.tags("app") == {"v1": build("of the second").digest}
    assert done.totals["images"] == 1
    assert first.requests == []


THREE = {f"mirror-{number}": {} for number in (1, 2, 3)}


def test_hosts_share_the_work(play, sandbox):
    """Three hosts, and, in batches of one, three hosts: each image is copied by exactly one."""
    source, destination = sandbox(), sandbox()
    for number in range(12):
        source.load(f"team/app-{number}", "v1", build(f"app {number}"))
        source.load(f"team/app-{number}", "v2", build(f"app {number} newer"))
    variables = sides(source.host, destination.host, discover={}, shard_hosts=True)

    everybody = play(variables, hosts=THREE).succeeded()
    parts = {host: [entry["destination"] for entry in result["images"]] for host, result in everybody.by_host().items()}
    assert set(parts) == set(THREE)
    assert all(parts.values())
    copied = [name for part in parts.values() for name in part]
    assert len(copied) == len(set(copied)) == 24
    assert destination.verify() == []
    assert len(destination.repositories) == 12


def test_hosts_in_batches_share_the_work_too(play, sandbox, tmp_path):
    source, destination = sandbox(), sandbox()
    for number in range(6):
        source.load(f"team/app-{number}", "v1", build(f"app {number}"))
    playbook = tmp_path / "batches.yml"
    playbook.write_text(
        json.dumps([{"hosts": "all", "gather_facts": False, "serial": 2, "roles": [{"role": "quayside.airgap.registry_sync"}]}])
    )
    variables = sides(source.host, destination.host, discover={}, shard_hosts=True, preflight=False)

    run = play(variables, "--check", playbook=str(playbook), hosts=THREE).succeeded()

    foretold = [entry["destination"] for result in run.by_host().values() for entry in result["images"]]
    assert sorted(foretold) == sorted(f"{destination.host}/team/app-{number}:v1" for number in range(6))
    assert destination.writes == []


def test_a_part_for_each_slice_of_a_job(play, sandbox):
    source, destination = sandbox(), sandbox()
    for number in range(6):
        source.load(f"team/app-{number}", "v1", build(f"app {number}"))
    variables = sides(source.host, destination.host, discover={}, preflight=False)
    for index in range(2):
        play({**variables, "registry_sync_shard": {"index": index, "count": 2}}).succeeded()
        assert 0 < len(destination.repositories) < 6 or index == 1
    assert len(destination.repositories) == 6


def test_broken_images_end_the_run_or_are_left_out(play, sandbox):
    """One of four images has lost a layer at the source."""
    source = sandbox()
    for number in range(4):
        source.load(f"app-{number}", "v1", build(f"app {number}"))
    lost = layer("app 2", 20_000).digest
    source.lose_blob("app-2", lost)
    images = [f"app-{number}:v1" for number in range(4)]

    def variables(destination, **more):
        return sides(source.host, destination.host, images=images, parallel=1, retries=0, preflight=False, **more)

    first = sandbox()
    stopped = play(variables(first)).failed()
    assert f"1 of 4 images could not be copied: {source.host}/app-2:v1 -> {first.host}/app-2:v1: Could not read the blob" in stopped.message
    assert lost in stopped.message
    assert stopped.states[f"{first.host}/app-2:v1"] == "failed"
    # what was copied before is told, and is whole
    assert first.verify() == []
    copied = stopped.totals["copied"]
    assert ("Of the others: " in stopped.message) is True
    assert copied + stopped.totals["not_attempted"] == 3

    second = sandbox()
    reported = play(variables(second, skip_broken=True)).failed()
    assert reported.totals["copied"] == 3
    assert "1 of 4 images could not be copied" in reported.message
    assert "Of the others: 3 copied." in reported.message

    warned = play(variables(second, skip_broken="yes", fail_on_broken="no")).succeeded()
    assert warned.states == {f"{second.host}/app-{number}:v1": "failed" if number == 2 else "unchanged" for number in range(4)}
    assert "[WARNING]" in warned.output
    assert "0 copied, 3 unchanged, 1 failed;" in warned.output


def test_signatures_may_be_required_or_left_behind(play, sandbox):
    source, destination = sandbox(), sandbox()
    signed, bare = build("signed"), build("bare")
    source.load("signed", "v1", signed)
    source.load("signed", cosign_tag(signed.digest), cosign_signature(signed))
    source.load("bare", "v1", bare)

    variables = sides(source.host, destination.host, images=["signed:v1", "bare:v1"], preflight=False)
    play({**variables, "registry_sync_signatures": "skip"}).succeeded()
    assert list(destination.tags("signed")) == ["v1"]
    required = play({**variables, "registry_sync_signatures": "require", "registry_sync_skip_broken": True}).failed()
    assert required.states == {f"{destination.host}/signed:v1": "copied", f"{destination.host}/bare:v1": "failed"}
    assert f"{source.host}/bare:v1" in required.message
    assert "signature" in required.message
    assert cosign_tag(signed.digest) in destination.tags("signed")


def test_registries_conf_redirects_what_is_read(play, sandbox, tmp_path):
    mirror, destination = sandbox(), sandbox()
    mirror.load("proxy/team/app", "v1", build("app"))
    conf = tmp_path / "registries.conf"
    conf.write_text(f'[[registry]]\nprefix = "quay.example.com"\nlocation = "{mirror.host}/proxy"\ninsecure = true\n')

    done = play(
        sides("quay.example.com/team", destination.host, images=["app:v1"], source_validate_certs=True, registries_conf=str(conf))
    ).succeeded()

    assert done.digests == {f"{destination.host}/app:v1": build("app").digest}


def test_the_example_of_the_guide_works(play, sandbox):
    """docs/examples/sync-vars.yml with hosts that exist here in place of those that do not."""
    source, first, second = sandbox(auth="token"), sandbox(), sandbox()
    source.load("prod/shop/web", "1.4", build("web"))
    source.load("prod/shop/web", "1.4-rc1", build("candidate"))
    source.load("prod/shop/web-dev", "1.4", build("dev"))
    text = (ROOT / "docs/examples/sync-vars.yml").read_text(encoding="utf-8")
    hosts = {"quay.example.com": source.host, "quay-a.example.com": first.host, "quay-b.example.com": second.host}
    for name, host in hosts.items():
        assert name in text
        text = text.replace(name, host)
    values = yaml.safe_load(text)
    # a password comes from a vault there
    values["registry_sync_source_username"], values["registry_sync_source_password"] = USER, PASSWORD
    values.update({"registry_sync_source_validate_certs": False, "registry_sync_destination_validate_certs": False})
    values.pop("registry_sync_destination_ca_path", None)

    done = play(values).succeeded()

    assert done.digests == {f"{host.host}/prod/shop/web:1.4": build("web").digest for host in (first, second)}


def test_the_survey_of_the_guide_works(play, sandbox):
    """docs/examples: the wrapper playbook, with answers as AWX gives them, empty texts and all."""
    source, elsewhere, destination = sandbox(), sandbox(), sandbox()
    source.load("prod/web", "v1", build("web"))
    source.load("prod/db", "v1", build("db"))
    elsewhere.load("tool", "v2", build("tool"))
    survey = json.loads((ROOT / "docs/examples/awx-survey.json").read_text(encoding="utf-8"))
    defaults = {question["variable"]: question["default"] for question in survey["spec"]}
    template = sides(f"{source.host}/prod", [], discover={"include": "{{ repositories }}"})
    places = [f"{destination.host}/a", f"{destination.host}/b"]
    answers = {**template, **defaults, "registry_sync_destinations": "\n".join(places)}
    wrapper = str(ROOT / "docs/examples/awx-sync.yml")

    everything = play(answers, "--check", playbook=wrapper).succeeded()
    assert set(everything.states) == {f"{place}/{name}:v1" for place in places for name in ("web", "db")}
    chosen = {"repositories": "w*\nx*\n", "registry_sync_images": f"{elsewhere.host}/tool:v2\n", "registry_sync_tags": "v*"}
    done = play({**answers, **chosen}, playbook=wrapper).succeeded()
    assert set(done.states) == {f"{place}/{name}" for place in places for name in ("web:v1", "tool:v2")}
