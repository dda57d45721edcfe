# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image sets across the gap, between two docker-registry programs: by the playbooks, as the role's README tells it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.quayside.airgap.tests.integration.playbooks import PASSWORD, ROOT, USER, Run
from ansible_collections.quayside.airgap.tests.sandbox.registry import SandboxRegistry
from ansible_collections.quayside.airgap.tests.support.docker_registry import DockerRegistry
from ansible_collections.quayside.airgap.tests.support.image_push import Placement, push_all
from ansible_collections.quayside.airgap.tests.support.images import cosign_tag
from ansible_collections.quayside.airgap.tests.support.operator_shop import AGENT, TOOL, OperatorShop

TO_DISK, FROM_DISK, ACROSS, DELETE = (f"quayside.airgap.{name}" for name in ("mirror_to_disk", "disk_to_mirror", "mirror", "delete_images"))


def names(**values: Any) -> dict[str, Any]:
    """Variables of the role, without the look at the registries; a keyword stands for the variable with its name behind image_set_."""
    given = {"source_validate_certs": False, "destination_validate_certs": False, "preflight": False, **values}
    return {f"image_set_{name}": value for name, value in given.items()}


def told(run: Run) -> str:
    """What the role's last words were."""
    messages = [entry["result"]["msg"] for entry in run.tasks if entry["module"] == "ansible.builtin.debug" and "msg" in entry["result"]]
    return "\n".join(messages[-1])


def below(registry: DockerRegistry, namespace: str) -> dict[str, str]:
    """Everything that a registry has in a namespace: path and tag -> digest."""
    prefix = f"{namespace}/"
    repositories = [name for name in registry.repositories() if name.startswith(prefix)]
    return {f"{name.removeprefix(prefix)}:{tag}": digest for name in repositories for tag, digest in registry.tags(name).items()}


@pytest.fixture
def shop(docker_registries: tuple[DockerRegistry, DockerRegistry]) -> OperatorShop:
    """The content of the registry that is read."""
    source, _destination = docker_registries
    shop = OperatorShop(source.host, "lab")
    if "lab/shop/catalog" not in source.repositories():
        push_all(source.url, shop.placements())
    return shop


def heads(shop: OperatorShop, *bundles: tuple[str, str]) -> dict[str, str]:
    """Where the images of some bundles lie at a destination."""
    found = {}
    for package, version in bundles:
        for name, image in ((f"{package}-bundle", shop.bundle(package, version)), (package, shop.operand(package, version))):
            found[f"lab/ops/{name}:{cosign_tag(image.digest).removesuffix('.sig')}"] = image.digest
    return found


def test_the_journey_across_the_gap(play, docker_registries, shop, tmp_path):
    """To a medium, again, and more of it; from the medium, again; straight across: everywhere the same."""
    source, destination = docker_registries
    isc, medium = tmp_path / "imageset.yml", tmp_path / "medium"
    isc.write_text(yaml.safe_dump(shop.image_set("web-operator", images=[TOOL])))
    variables = names(configuration=str(isc), folder=str(medium), destination=f"{destination.host}/behind")

    # the connected side: foretold, done, and done
    foretold = play({**variables, "image_set_preflight": True}, "--check", "--diff", playbook=TO_DISK).succeeded()
    assert not list(medium.glob("*.tar"))
    assert "Would be done: 6 copied, 0 unchanged, 0 failed" in told(foretold)
    first = play(variables, playbook=TO_DISK).succeeded()
    assert first.changed == 1
    assert first.totals == foretold.totals
    assert f"Archive 1: {medium}/mirror_000001.tar" in told(first)
    again = play(variables, playbook=TO_DISK).succeeded()
    assert again.changed == 0
    assert "Nothing is new, so that no archive was written" in told(again)
    assert again.totals["bytes_pushed"] == 0

    # behind the gap there is the medium alone, and the image set is in it
    carried = tmp_path / "carried"
    carried.mkdir()
    shutil.copy(medium / "mirror_000001.tar", carried)
    there = names(folder=str(carried), destination=f"{destination.host}/behind")
    foretold = play({**there, "image_set_preflight": True}, "--check", playbook=FROM_DISK).succeeded()
    assert below(destination, "behind") == {}
    loaded = play(there, playbook=FROM_DISK).succeeded()
    assert loaded.changed == 1
    assert loaded.digests == foretold.digests
    wanted = {
        **heads(shop, ("web-operator", "1.2.0"), ("web-operator", "2.0.0")),
        "lab/apps/tool:2": shop.tool().digest,
        f"lab/apps/tool:{cosign_tag(shop.tool().digest)}": source.tags("lab/apps/tool")[cosign_tag(shop.tool().digest)],
    }
    far = below(destination, "behind")
    catalog = far.pop("lab/shop/catalog:v4.18")
    assert far == wanted
    assert destination.verify() == []
    assert play(there, playbook=FROM_DISK).succeeded().changed == 0
    resources = carried / "working-dir/cluster-resources"
    assert {path.name for path in resources.iterdir()} == {
        "cc-catalog-v4-18.yaml",
        "cs-catalog-v4-18.yaml",
        "idms-oc-mirror.yaml",
        "itms-oc-mirror.yaml",
    }
    assert (
        yaml.safe_load((resources / "cs-catalog-v4-18.yaml").read_text())["spec"]["image"]
        == f"{destination.host}/behind/lab/shop/catalog:v4.18"
    )

    # the set grows: the medium takes what is new, and the registry behind the gap has all of it
    isc.write_text(yaml.safe_dump(shop.image_set("web-operator", "db-operator", images=[TOOL, AGENT])))
    grown = play(variables, playbook=TO_DISK).succeeded()
    assert "Archive 2: " in told(grown)
    new = [*shop.agent().all_blobs().values(), *shop.bundle("db-operator", "0.9.0").blobs]
    assert grown.mirror["archive"]["bytes"] < first.mirror["archive"]["bytes"] + sum(blob.size for blob in new)
    shutil.copy(medium / "mirror_000001.tar", carried)
    play(there, playbook=FROM_DISK).succeeded()
    far = below(destination, "behind")
    wanted.update(heads(shop, ("db-operator", "0.9.0")))
    wanted["lab/apps/agent:7"] = shop.agent().digest
    assert far.pop("lab/shop/catalog:v4.18") != catalog
    assert far == wanted
    assert destination.verify() == []

    # straight across: the same names and digests, the rebuilt catalog's too
    near = names(configuration=str(isc), workspace=str(tmp_path / "work"), destination=f"{destination.host}/near")
    across = play(near, playbook=ACROSS).succeeded()
    assert across.changed == 1
    assert below(destination, "near") == below(destination, "behind")
    assert play(near, playbook=ACROSS).succeeded().changed == 0
    for image in across.images:
        pulled(image["destination"], image["digest"])


def pulled(place: str, digest: str) -> None:
    """Another program has the image under its name, with all its blobs."""
    skopeo = shutil.which("skopeo")
    if skopeo is None:
        return
    raw = subprocess.run([skopeo, "inspect", "--raw", "--tls-verify=false", f"docker://{place}"], check=True, capture_output=True).stdout
    assert "sha256:" + hashlib.sha256(raw).hexdigest() == digest


# --- what is wrong is told in a sentence


def wrong(shop: OperatorShop, folder: Path) -> dict[str, tuple[dict[str, Any], str]]:
    """What can be wrong: the variables, and a part of the message."""
    good = shop.image_set("web-operator")
    misspelled = {**good, "mirror": {"operators": [{"catalog": shop.name("shop/catalog:v4.18"), "package": [{"name": "web-operator"}]}]}}
    both = {**good, "apiVersion": "v1", "mirror": {"additionalImages": [{"name": "shop.example.com/app"}]}}
    nobody = shop.image_set("web-oprator", {"name": "db-operator", "channels": [{"name": "fast"}]})
    releases = {**good, "mirror": {"platform": {"channels": [{"name": "stable-4.18"}]}}}
    medium = {"folder": str(folder / "medium")}
    to_disk, from_disk = {"workflow": "mirror_to_disk"}, {"workflow": "disk_to_mirror"}
    across, delete = {"workflow": "mirror", "destination": shop.host}, {"workflow": "delete", "destination": shop.host}
    given = {**to_disk, **medium, "configuration": good}
    return {
        "a-typo": ({**given, "configuration": misspelled}, "mirror.operators[0].package: "),
        "two-faults": ({**given, "configuration": both}, "apiVersion: 'v1' must be mirror.openshift.io/v2alpha1; "),
        "two-faults-at-once": ({**given, "configuration": both}, "mirror.additionalImages[0].name: "),
        "an-unknown-package": ({**given, "configuration": nobody}, "db-operator, web-operator"),
        "an-unknown-channel": ({**given, "configuration": nobody}, "'fast'"),
        "releases": ({**given, "configuration": releases}, "mirror.platform.channels: releases are not mirrored yet"),
        "no-such-file": ({**given, "configuration": str(folder / "none.yml")}, f"{folder / 'none.yml'}"),
        "a-day": ({**given, "since": "yesterday"}, "since 'yesterday'"),
        "half-a-login": ({**given, "source_username": USER}, "Only one of image_set_source_username and"),
        "a-misspelled-variable": ({**given, "strict_archives": True}, "There is no variable image_set_strict_archives"),
        "nothing-to-mirror": ({**to_disk, **medium}, "There is nothing to mirror. Set image_set_configuration"),
        "no-folder": ({**to_disk, "configuration": good}, "mirror_to_disk needs image_set_folder"),
        "a-url": ({**to_disk, "configuration": good, "folder": "file:///media"}, "image_set_folder and image_set_workspace are paths"),
        "no-archive": ({**from_disk, **medium, "destination": f"{shop.host}/x"}, str(folder / "medium")),
        "no-destination": ({**from_disk, **medium}, "disk_to_mirror needs image_set_destination"),
        "no-workspace": ({**across, "configuration": good}, "mirror needs image_set_workspace"),
        "a-number": ({**across, "configuration": good, "workspace": str(folder), "max_nested_paths": -1}, "max_nested_paths"),
        "nothing-to-delete": (delete, "There is nothing to delete."),
        "prune-of-nothing": ({**delete, "prune": True}, "image_set_prune needs image_set_configuration"),
        "a-set-that-mirrors": ({**delete, "delete_configuration": good}, "DeleteImageSetConfiguration is wanted here"),
    }


PLAY = """
- hosts: all
  gather_facts: false
  roles:
    - quayside.airgap.image_set
"""


@pytest.mark.matrix
def test_what_is_wrong_is_told_in_one_sentence(play, shop, tmp_path):
    """One host for each thing, so that one run tells all of them."""
    cases = wrong(shop, tmp_path)
    (tmp_path / "play.yml").write_text(PLAY)
    hosts = {name: names(preflight=True, **values) for name, (values, _words) in cases.items()}
    run = play({}, "--forks=20", playbook=str(tmp_path / "play.yml"), hosts=hosts).failed()
    assert {name: words for name, (_values, words) in cases.items() if words not in run.messages.get(name, "")} == {}, run.messages
    # a catalog that was read is kept for the run after the correction
    assert [path for path in tmp_path.glob("medium/**/*") if path.is_file() and "operator-catalogs" not in path.parts] == []


def test_a_wrong_password_is_a_sentence_without_it(play, sandbox, tmp_path):
    """At the source and behind the gap, found out before anything is written."""
    locked = sandbox(auth="token")
    shop = OperatorShop(locked.host)
    for item in shop.placements():
        locked.load(item.repository, item.tag, item.image)
    login = {
        "source_username": USER,
        "source_password": "not-the-password",
        "destination_username": USER,
        "destination_password": "nor-this-one",
    }
    variables = names(
        configuration=shop.image_set("db-operator"),
        folder=str(tmp_path / "medium"),
        workspace=str(tmp_path / "work"),
        destination=f"{locked.host}/copy",
        preflight=True,
        **login,
    )
    refused = play(variables, "-v", playbook=ACROSS).failed()
    assert f"source {locked.host}: Could not log in to {locked.host}" in refused.message
    assert f"destination {locked.host}: Could not log in to {locked.host}" in refused.message
    assert "not-the-password" not in refused.output
    assert "nor-this-one" not in refused.output
    assert locked.select(method="PUT|POST|PATCH") == []

    done = play({**variables, **{f"image_set_{side}_password": PASSWORD for side in ("source", "destination")}}, "-vvv", playbook=ACROSS)
    assert done.succeeded().changed == 1
    assert PASSWORD not in done.output


# --- interrupted


def descendants(pid: int) -> Iterator[int]:
    """A process and all that it began, the youngest first."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    for child in children.read_text().split() if children.exists() else ():
        yield from descendants(int(child))
    yield pid


def end(process: subprocess.Popen[str]) -> None:
    """Kill -9, all of it at once."""
    for pid in descendants(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()


def test_killed_on_the_way_to_the_medium_it_goes_on(play, tmp_path):
    """What was in the archive by then is not read again, and an earlier archive stays until the new one is whole."""

    def noted() -> list[str]:
        """Blobs that are known to be on the medium."""
        journal = medium / ".mirror-journal"
        lines = journal.read_text().splitlines() if journal.exists() else []
        return re.findall(r'"blob": ?"(sha256:[0-9a-f]+)"', "".join(lines))

    with SandboxRegistry() as source:
        shop = OperatorShop(source.host, size=400_000)
        for item in shop.placements():
            source.load(item.repository, item.tag, item.image)
        medium = tmp_path / "medium"
        small = names(configuration=shop.image_set(images=[TOOL]), folder=str(medium), parallel=2)
        play(small, playbook=TO_DISK).succeeded()
        earlier = (medium / "mirror_000001.tar").read_bytes()

        whole = {**small, "image_set_configuration": shop.image_set("web-operator", "db-operator", images=[TOOL, AGENT])}
        source.latency = 0.2
        process = play.begin(whole, playbook=TO_DISK)
        deadline = time.monotonic() + 60
        while not noted():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        end(process)
        there = noted()
        assert (medium / "mirror_000001.tar").read_bytes() == earlier

        source.reset_log()
        source.latency = 0.0
        done = play(whole, playbook=TO_DISK).succeeded()
        assert "Archive 2: " in told(done)
        assert source.count(method="GET", path="/blobs/") > 0
        assert not [request.path for request in source.select(method="GET", path="/blobs/") if request.path.rpartition("/")[2] in there]
        assert not list(medium.glob("*.part*"))
        with SandboxRegistry() as destination:
            loaded = play(names(folder=str(medium), destination=destination.host), playbook=FROM_DISK)
            assert loaded.status == 2  # it needs the first archive too, which is not there any more
            assert "archive 1" in loaded.message


# --- deleting


def test_deleted_is_what_nothing_else_needs(play, docker_registries, shop, tmp_path):
    _source, destination = docker_registries
    place = f"{destination.host}/gone"
    everything = shop.image_set("web-operator", "db-operator", images=[TOOL, AGENT])
    play(names(configuration=everything, workspace=str(tmp_path / "work"), destination=place), playbook=ACROSS).succeeded()
    # another team's tag stands for an image that the set is to lose
    push_all(destination.url, [Placement("gone/lab/apps/tool", "theirs", shop.tool())])
    before = below(destination, "gone")

    unwanted = {"apiVersion": everything["apiVersion"], "kind": "DeleteImageSetConfiguration"}
    unwanted["delete"] = {"additionalImages": [{"name": shop.name(TOOL)}, {"name": shop.name(AGENT)}, {"name": shop.name("apps/never:1")}]}
    plan = tmp_path / "plan.yml"
    variables = names(delete_configuration=unwanted, destination=place, plan_file=str(plan))
    foretold = play(variables, "--check", playbook=DELETE).succeeded()
    assert below(destination, "gone") == before
    assert f"docker://{place}/lab/apps/agent:7" in plan.read_text()
    done = play(variables, playbook=DELETE).succeeded()
    assert foretold.changed == done.changed == 1
    after = below(destination, "gone")
    assert "lab/apps/agent:7" not in after
    assert after["lab/apps/tool:theirs"] == shop.tool().digest
    assert play(variables, playbook=DELETE).succeeded().changed == 0

    # pruned: what the set does not name goes, the others' tag too, for the namespace is the set's
    smaller = shop.image_set("db-operator", images=[TOOL])
    pruning = names(configuration=smaller, destination=place, prune=True)
    play(pruning, playbook=DELETE).succeeded()
    left = below(destination, "gone")
    assert not [name for name in left if "web-operator" in name]
    assert heads(shop, ("db-operator", "0.9.0")).items() <= left.items()
    assert play(pruning, playbook=DELETE).succeeded().changed == 0
    assert destination.verify() == []


def test_no_variable_is_lost_on_the_way_to_the_module():
    """Every option of the role is used in it, and has a default."""
    role = ROOT / "roles/image_set"
    options = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    assert options.keys() - {"image_set_workflow"} == defaults.keys()
    text = "".join((role / name).read_text() for name in ("tasks/main.yml", "tasks/workflow.yml", "vars/main.yml"))
    for name, option in options.items():
        assert name in text
        if name != "image_set_workflow":
            assert option.get("default") == defaults[name]
