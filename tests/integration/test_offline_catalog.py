# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The offline catalog on both sides of the gap, by its playbook: refreshed, packed, carried, put in place, looked up in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.quayside.airgap.tests.integration.playbooks import PASSWORD, ROOT, USER, Run
from ansible_collections.quayside.airgap.tests.sandbox.catalog.server import CatalogOptions, SandboxCatalog
from ansible_collections.quayside.airgap.tests.sandbox.kubernetes.server import SandboxKubernetes
from ansible_collections.quayside.airgap.tests.support.cluster_objects import cluster_version, operator, pod
from ansible_collections.quayside.airgap.tests.support.docker_registry import DockerRegistry
from ansible_collections.quayside.airgap.tests.support.small_dump import OPERATOR, PLACE, UNKNOWN, WEB, write_small_dump

PLAYBOOK = "quayside.airgap.offline_catalog"
ROLE = ROOT / "roles/offline_catalog"
WRAPPER = ROOT / "docs/examples/awx-offline-catalog.yml"
KEY = "a-key-of-the-catalog"


def names(**values: Any) -> dict[str, Any]:
    """Variables of the role, registries without TLS and without the look at them; a keyword stands for the variable with its name
    behind offline_catalog_."""
    given = {"source_validate_certs": False, "destination_validate_certs": False, "preflight": False, "retries": 0, **values}
    return {f"offline_catalog_{name}": value for name, value in given.items()}


def told(run: Run) -> list[str]:
    """What the role said, line by line."""
    messages = [entry["result"]["msg"] for entry in run.tasks if entry["module"] == "ansible.builtin.debug" and "msg" in entry["result"]]
    return [line for message in messages for line in ([message] if isinstance(message, str) else message)]


def files(folder: Path) -> dict[str, bytes]:
    """Everything below a folder that is no state of refreshes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".catalog_dump" not in path.parts
    }


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """What would be different if a file of the dump had been written again."""
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in sorted((folder / "data").rglob("*"))}


# --- the journey


def of(catalog: SandboxCatalog) -> dict[str, Any]:
    """Where a catalog is."""
    return {"api_url": catalog.api_url, "helm_index_url": catalog.index_url}


def tag(registry: DockerRegistry) -> str:
    """What the catalog's tag stands for in a registry."""
    return registry.tags("certification/catalog").get("latest", "")


def certified(catalog: SandboxCatalog) -> tuple[str, str, str]:
    """An image, an operator with a version of OpenShift, and a chart that are certified, as one writes them in a line."""
    truth = catalog.truth()
    digests = [image.get("image_id") for image in catalog.images]
    digest = next(key for key in truth.containers if digests.count(key) == 1)
    name, version, _channel = truth.operators[0]
    chart = next(chart for chart in catalog.chart_list if not chart.known_kube_version)
    return f"registry.lab.example/mirror/app@{digest}", f"{name} {version}", f"{chart.name} {chart.version}"


def test_the_journey_across_the_gap(play, docker_registries, tmp_path):
    """Refreshed, pushed and written to a medium; taken from it on the other side; looked up in; and again, when nothing and when
    something has changed."""
    near, far = docker_registries
    here, medium, there = tmp_path / "here", tmp_path / "medium.tar", tmp_path / "there"
    place = "certification/catalog"
    with SandboxCatalog(CatalogOptions(duplicates=5, digestless=5, chart_oddities=True)) as catalog:
        # as a survey of AWX gives it: text, and empty text
        survey = json.loads((ROOT / "docs/examples/awx-offline-catalog-survey.json").read_text())
        answers = {question["variable"]: question["default"] for question in survey["spec"]}
        connected = {**answers, **names(**of(catalog), path=str(here), archive=str(medium), destinations=f"{near.host}/{place}\n")}

        # the connected side: foretold, done, and done
        foretold = play({**connected, "offline_catalog_preflight": True}, "--check", "--diff", playbook=str(WRAPPER)).succeeded()
        assert foretold.changed == 2
        assert not here.exists()
        assert not medium.exists()
        assert tag(near) == ""
        done = play(connected, playbook=str(WRAPPER)).succeeded()
        assert done.changed == 2
        truth = catalog.truth()
        archive = json.loads((here / "data/archive.json").read_text())
        assert (archive["containers"], archive["operators"]) == (len(truth.containers), len(truth.operators))
        assert truth.containers.keys() <= json.loads((here / "data/containers/containers.db").read_text()).keys()
        counts = f"{archive['charts']} charts"
        assert [line for line in told(foretold) if line.startswith("Would be written: ") and counts in line]
        assert [line for line in told(done) if line.startswith("Written: ") and counts in line]
        assert f"pushed: {near.host}/{place}:latest" in told(done)
        first, before, packed = tag(near), stamps(here), medium.stat()
        assert first.startswith("sha256:")
        again = play(connected, playbook=str(WRAPPER)).succeeded()
        assert again.changed == 0
        assert (tag(near), stamps(here), medium.stat().st_mtime_ns) == (first, before, packed.st_mtime_ns)
        assert f"unchanged: {near.host}/{place}:latest" in told(again)

        # behind the gap there is the medium alone; what it brings goes on to the registry there, and is looked up in
        image, operator, chart = certified(catalog)
        behind = names(
            workflow="unpack",
            path=str(there),
            archive=str(medium),
            destinations=[f"{far.host}/{place}"],
            mode="u=rwX,g=rX,o=",
        )
        questions = names(
            check_containers=f"{image}\n",
            check_operators=[operator],
            check_charts=chart,
            report=str(tmp_path / "report.json"),
            fail_on_uncertified=True,
        )
        unpacked = play({**behind, **questions}, playbook=PLAYBOOK).succeeded()
        assert files(there) == files(here)
        assert tag(far) == first
        assert "3 of 3 certified" in told(unpacked)
        assert json.loads((tmp_path / "report.json").read_text())["certified"] is True
        assert {path.stat().st_mode & 0o777 for path in (there / "data").rglob("*")} == {0o750, 0o640}

        # the catalog changes, and so does everything; the other side takes it from a registry this time
        catalog.edit(lambda editor: (editor.remove_image(truth.containers[image.partition("@")[2]][0]), editor.add_row()))
        renewed = play(connected, playbook=str(WRAPPER)).succeeded()
        assert renewed.changed == 2
        assert tag(near) not in ("", first)
        assert [line for line in told(renewed) if " containers (1 removed), " in line and " operators (1 added), " in line]
    elsewhere = names(source=f"docker://{near.host}/{place}", check_operators=[f"{operator}0"])
    lost = play({**behind, **questions, **elsewhere}, playbook=PLAYBOOK).failed()
    assert files(there) == files(here)
    assert tag(far) == tag(near)
    assert {line for line in told(lost) if line.startswith("not certified: ")} == {f"not certified: {image}", f"not certified: {operator}0"}
    assert image in lost.message
    # the dump, the registry and the report: nobody had to be given the dump again
    assert lost.changed == 3
    assert json.loads((tmp_path / "report.json").read_text())["counts"]["uncertified"] == 2


@pytest.mark.matrix
def test_what_runs_on_a_cluster_is_looked_up_in_the_dump_that_is_there(play, tmp_path):
    """Verified, asked, reported; nothing else is touched, and the token is not shown."""
    dump = write_small_dump(tmp_path / "dump")
    before = stamps(dump)
    good, other = f"{PLACE}@{WEB}", f"quay.io/shop/other@{UNKNOWN}"
    with SandboxKubernetes() as cluster:
        cluster.put(
            cluster_version("4.18.3"), pod("web", "shop", good, other), operator(OPERATOR, "shop"), pod("dns", "openshift-dns", other)
        )
        wanted = {"host": cluster.url, "api_key": "admin-token", "exclude_namespaces": ["openshift-*"]}
        run = play(names(workflow="check", path=str(dump), check_cluster=wanted), "-vvv", playbook=PLAYBOOK).succeeded()
    assert run.changed == 0
    assert [line for line in told(run) if line.startswith(f"Verified: {dump} with ")]
    assert told(run)[-2:] == ["2 of 3 certified", f"not certified: {other}"]
    assert stamps(dump) == before
    assert "admin-token" not in run.output


# --- what is wrong is told in a sentence


def wrong(catalog: SandboxCatalog, locked: str, folder: Path) -> dict[str, tuple[dict[str, Any], str]]:
    """What can be wrong: the variables, and a part of the message."""
    good = {**of(catalog), "api_key": KEY}
    unpack = {"workflow": "unpack"}
    login = {"source_username": USER, "source_password": "not-the-password"}
    broken = folder / "broken.tar"
    broken.write_bytes(b"not a tar at all" * 100)
    (folder / "empty").mkdir()
    return {
        "another-api": ({**good, "api_url": f"{catalog.url}/nowhere"}, "Check api_url"),
        "no-api": ({**good, "api_url": "catalog.example.com"}, "is no URL"),
        "wrong-key": ({**good, "api_key": "not-the-key"}, "Check api_key"),
        "no-key": ({**good, "api_key": ""}, "set api_key"),
        "no-charts": ({**good, "helm_index_url": f"{catalog.url}/nowhere.yaml"}, "nowhere.yaml"),
        "misspelled-variable": ({**good, "destination": "x"}, "There is no variable offline_catalog_destination: check its spelling"),
        "misspelled-artifact": ({**good, "artifacts": "charts"}, "artifacts"),
        "misspelled-workflow": ({**good, "workflow": "fetch"}, "must be one of: refresh, unpack, check"),
        "no-path": ({**good, "path": ""}, "offline_catalog_path is empty"),
        "a-url-for-a-path": ({**good, "archive": "oci-archive://x"}, "offline_catalog_path and offline_catalog_archive are paths"),
        "nothing-to-unpack": (unpack, "There is nothing to unpack. Set offline_catalog_archive"),
        "no-medium": ({**unpack, "archive": str(folder / "none.tar")}, f"{folder / 'none.tar'}"),
        "a-broken-medium": ({**unpack, "archive": str(broken)}, str(broken)),
        "no-dump": ({**unpack, "source": str(folder / "empty")}, "holds a dump"),
        "nothing-to-check": ({"workflow": "check"}, "there is no folder data in it"),
        "a-registry-without-scheme": ({**unpack, "source": f"{locked}/certification/catalog"}, "docker://"),
        "wrong-password": (
            {**unpack, "source": f"docker://{locked}/certification/catalog", **login},
            f"source {locked}: Could not log in to {locked}",
        ),
        "wrong-password-there": (
            {
                **good,
                "destinations": f"{locked}/certification/catalog",
                "destination_username": USER,
                "destination_password": "nor-this-one",
            },
            f"destination {locked}: Could not log in to {locked}",
        ),
        "half-a-login": ({**good, "source_username": USER}, "Only one of offline_catalog_source_username and"),
        "figures": ({**good, "mode": "0640"}, "Write it with letters"),
        "a-number": ({**good, "check_operators": "a.v1", "check_ocp_version": 4.20}, "put them in quotes"),
        "answers-to-nothing": ({**good, "report": str(folder / "report.json")}, "There are no answers for offline_catalog_report"),
        "failing-for-nothing": ({**good, "fail_on_uncertified": True}, "where nothing is looked up"),
        "workers": ({**good, "workers": 0}, "workers"),
    }


@pytest.mark.matrix
def test_what_is_wrong_is_told_in_one_sentence(play, sandbox, tmp_path):
    """One host for each thing, so that one run tells all of them; nothing is written, and no secret is shown."""
    locked = sandbox(auth="token")
    with SandboxCatalog(CatalogOptions(images=20, organizations={"certified-operators": 10}, charts=3, api_key=KEY)) as catalog:
        cases = wrong(catalog, locked.host, tmp_path)
        hosts = {
            name: names(**{"path": str(tmp_path / "dumps" / name), "preflight": True, **values}) for name, (values, _words) in cases.items()
        }
        run = play({"offline_catalog_hosts": "all"}, "-vvv", "--forks=8", playbook=PLAYBOOK, hosts=hosts).failed()
    assert {name: words for name, (_values, words) in cases.items() if words not in run.messages.get(name, "")} == {}, run.messages
    assert {secret for secret in (KEY, "not-the-key", "not-the-password", "nor-this-one", PASSWORD) if secret in run.output} == set()
    assert list(tmp_path.glob("dumps/*/data")) == []
    assert locked.writes == []


# --- the variables


def specs() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    return found


def test_no_variable_is_lost_on_the_way_to_the_modules():
    """Every option of the role is used in it, and has the default that is documented."""
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    assert defaults == {name: "" if spec.get("required") else spec.get("default") for name, spec in specs().items()}
    text = "".join(path.read_text() for folder in ("tasks", "vars") for path in (ROLE / folder).glob("*.yml"))
    assert [name for name in specs() if not re.search(rf"\b{name}\b", text)] == []


def test_secrets_are_marked_as_such():
    marked = {name for name, spec in specs().items() if spec.get("no_log")}
    assert marked == {f"offline_catalog_{name}" for name in ("api_key", "proxy", "source_password", "destination_password")}
    cluster = specs()["offline_catalog_check_cluster"]["options"]
    assert {name for name, spec in cluster.items() if spec.get("no_log")} == {"api_key", "proxy"}


def test_the_examples_of_the_pages_name_what_exists():
    """Variables of the role, wherever they are named, and options of modules in tasks."""
    pages = [
        ROLE / "README.md",
        ROOT / "docs/offline_catalog.md",
        ROOT / "README.md",
        *(ROOT / "docs/examples").glob("awx-offline-catalog*"),
    ]
    named = {name for page in pages for name in re.findall(r"\boffline_catalog_[a-z_]+", page.read_text())}
    results = {f"offline_catalog_{name}" for name in ("hosts", "result", "packed", "answers")}
    assert named - results <= specs().keys()

    tasks = 0
    for block in re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs/offline_catalog.md").read_text(), re.DOTALL | re.MULTILINE):
        example = yaml.safe_load(block)
        for task in example if isinstance(example, list) else [{"quayside.airgap.offline_catalog": example}]:
            for module in [name for name in task if name.startswith("quayside.airgap.catalog_")]:
                source = (ROOT / f"plugins/modules/{module.rpartition('.')[2]}.py").read_text()
                options = yaml.safe_load(source.partition('DOCUMENTATION = r"""')[2].partition('"""')[0])["options"]
                assert task[module].keys() <= options.keys()
                tasks += 1
    assert tasks
