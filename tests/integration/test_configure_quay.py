# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook for a whole Quay: from an empty one to what a document says, and from that to a second one."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.quayside.airgap.plugins.module_utils.quay.sections import REGISTRY_SECTIONS, Section
from ansible_collections.quayside.airgap.tests.integration.playbooks import ROOT, Run
from ansible_collections.quayside.airgap.tests.sandbox.quay.server import QuayOptions, SandboxQuay
from ansible_collections.quayside.airgap.tests.sandbox.registry import SandboxRegistry

CONFIGURE = "quayside.airgap.configure_quay"
ROLE = ROOT / "roles/quay_configure"
STATE = "quayside.airgap.quay_state"
EXPORT = "quayside.airgap.quay_export"
PASSWORD = "of-the-first-user"
# -vvv shows what modules were called with, since 2.21 only where this asks for it
LOUD = {"ANSIBLE_INJECT_INVOCATION": "1"}
SECRETS = {"upstream": "of-the-proxy-cache", "mirror": "of-the-mirror", "user": "of-the-other-user"}

# every kind of object that there is
DOCUMENT: dict[str, Any] = {
    "users": [{"name": "deputy", "email": "deputy@example.com", "password": SECRETS["user"]}],
    "organizations": [
        {
            "name": "prod",
            "email": "registry-team@example.com",
            "time_machine_expiration": "4w",
            "quota": {"quota": "500GiB", "warning_pct": 80, "reject_pct": 95},
            "robots": [
                {"name": "pull", "description": "Pulls release images"},
                {"name": "mirror", "description": "Mirrors", "teams": ["creators"]},
            ],
            "teams": [
                {"name": "creators", "role": "creator", "description": "May make repositories"},
                {"name": "readers", "members": ["prod+pull"]},
            ],
            "default_permissions": [{"name": "creators", "type": "team", "role": "write"}],
            "applications": [{"name": "portal", "description": "Our own pages", "redirect_uri": "https://portal.example.com/"}],
            "repositories": [
                {
                    "name": "app",
                    "visibility": "private",
                    "description": "The application",
                    "permissions": [
                        {"name": "pull", "type": "robot", "role": "read"},
                        {"name": "creators", "type": "team", "role": "write"},
                    ],
                    "auto_prune": [{"method": "tags", "value": "20"}],
                    "immutability": [{"tag_pattern": "release-.*"}],
                    "notifications": [
                        {"title": "pushed", "event": "repo_push", "method": "webhook", "config": {"url": "https://hooks.example.com/a"}}
                    ],
                },
                {
                    "name": "tools/cli",
                    "visibility": "public",
                    "repo_state": "MIRROR",
                    "mirror": {
                        "external_reference": "quay.io/team/cli",
                        "external_registry_username": "bot",
                        "external_registry_password": SECRETS["mirror"],
                        "sync_interval": "8h",
                        "sync_start_date": "2026-01-31T12:00:00Z",
                        "robot_username": "mirror",
                        "image_tags": ["v*", "latest"],
                    },
                },
            ],
            "auto_prune": [{"method": "date", "value": "2w", "tag_pattern": "dev-.*"}],
            "immutability": [{"tag_pattern": "v[0-9]+"}],
        },
        {
            "name": "dockerhub",
            "proxy_cache": {"insecure": True, "username": "bot", "password": SECRETS["upstream"], "expiration": "1d"},
        },
        {
            "name": "upstream",
            "robots": [{"name": "sync"}],
            "mirror": {
                "external_registry_type": "quay",
                "external_registry_url": "https://quay.io",
                "external_namespace": "team",
                "robot_username": "sync",
                "sync_interval": "1d",
                "sync_start_date": "2026-01-31T12:00:00Z",
            },
        },
    ],
}


@pytest.fixture
def quay() -> Iterator[Callable[..., SandboxQuay]]:
    """Starts Quays: quay() is empty."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(SandboxQuay(QuayOptions(**options)))


def ours(server: SandboxQuay, **more: Any) -> dict[str, Any]:
    """Variables for a Quay; a keyword stands for the variable with its name behind quay_configure_."""
    return {f"quay_configure_{name}": value for name, value in {"host": server.url, "retries": 1, **more}.items()}


def state(run: Run) -> dict[str, str]:
    """What quay_state tells of each object."""
    return {f"{entry['kind']} {entry['name']}": entry["state"] for entry in run.by_host(STATE)["localhost"]["objects"]}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def secrets_of(server: SandboxQuay) -> set[str]:
    """Everything that a log must not show: what the user gave, and what Quay made."""
    made = {*server.world.tokens, *(robot.token for robot in server.world.robots.values())}
    return {PASSWORD, *SECRETS.values(), *made}


def document(upstream: SandboxRegistry) -> dict[str, Any]:
    """The document, with a registry that is there in its proxy cache."""
    prod, cache, mirror = DOCUMENT["organizations"]
    return {**DOCUMENT, "organizations": [prod, {**cache, "proxy_cache": {**cache["proxy_cache"], "registry": upstream.host}}, mirror]}


def test_an_empty_quay_becomes_what_the_document_says_and_a_second_one_like_it(play, quay, sandbox, tmp_path):
    """Foretold, done, left alone; then a second Quay is made of what the first one exports, and exports the same."""
    first, second = quay(), quay()
    token, export, copy = tmp_path / "quay.token", tmp_path / "export.yml", tmp_path / "copy.yml"
    variables = ours(
        first,
        password=PASSWORD,
        email="admin@example.com",
        token_file=str(token),
        document=document(sandbox()),
        owned_organizations="prod\ndockerhub\n",
        superusers_own=True,
        export_file=str(export),
    )

    first.refuse_writes = True
    foretold = play(variables, "--check", "--diff", playbook=CONFIGURE).succeeded()
    assert first.refused == []
    assert not token.exists()
    assert not export.exists()

    first.refuse_writes = False
    done = play(variables, "-vvv", "--diff", playbook=CONFIGURE, environment=LOUD).succeeded()
    assert state(done) == state(foretold)
    assert set(state(done).values()) == {"created"}
    assert {secret for secret in secrets_of(first) if secret in done.output} == set()
    assert mode(token) == 0o600
    assert mode(export) == 0o600
    assert set(first.world.organizations) == {"automation", "prod", "dockerhub", "upstream"}

    assert first.world.users["deputy"].password == SECRETS["user"]

    # the token is all that a second run needs
    kept = token.read_text()
    first.refuse_writes = True
    again = play({**variables, "quay_configure_password": ""}, "--diff", playbook=CONFIGURE).succeeded()
    assert again.changed == 0
    assert first.refused == []
    assert token.read_text() == kept
    assert f"{len(state(done))} unchanged" in again.output

    like = ours(
        second,
        password=PASSWORD,
        email="admin@example.com",
        token_file=str(tmp_path / "second.token"),
        document_file=str(export),
        export_file=str(copy),
    )
    play(like, playbook=CONFIGURE).succeeded()
    assert yaml.safe_load(copy.read_text()) == yaml.safe_load(export.read_text())


def test_the_document_of_this_story_has_objects_of_every_kind():
    def names(sections: Iterable[Section]) -> set[str]:
        return {name for section in sections for name in {section.name, *names(section.sections)}}

    organizations = DOCUMENT["organizations"]
    repositories = [repository for organization in organizations for repository in organization.get("repositories", [])]
    assert names(REGISTRY_SECTIONS) <= {key for entry in [DOCUMENT, *organizations, *repositories] for key in entry}


def test_a_run_that_is_killed_is_completed_by_the_next(play, quay, tmp_path):
    """With a password that nobody chose, a token that has to be made anew, and the power going off in between."""
    server = quay(latency=0.02)
    password, token = tmp_path / "quay.password", tmp_path / "quay.token"
    names = [f"team-{number}" for number in range(20)]
    robots = [{"name": "bot"}]
    document = {"organizations": [{"name": name, "robots": robots, "repositories": [{"name": "app"}]} for name in names]}
    variables = ours(server, password_file=str(password), token_file=str(token), document=document, parallel=2)
    # of another life
    token.write_text("this-one-does-not-work\n")

    kill_when(variables, tmp_path, lambda: len(server.world.organizations) > 5)
    assert mode(password) == mode(token) == 0o600
    made = password.read_text()
    there = set(server.world.repositories)

    done = play(variables, playbook=CONFIGURE).succeeded()
    assert password.read_text() == made
    assert server.world.users["quayadmin"].password == made.strip()
    assert len(there) < len(server.world.repositories) == len(names)
    assert set(server.world.robots) == {f"{name}+bot" for name in names}
    # what was there is not made again
    assert len(state(done)) < 3 * len(names)


def kill_when(variables: dict[str, Any], folder: Path, reached: Callable[[], bool]) -> None:
    """Start the playbook and kill -9 it, with all its processes, as soon as so much has happened."""
    file = folder / "killed.json"
    file.write_text(json.dumps(variables))
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT.parents[2]), "HOME": str(folder / "home")}
    with (folder / "killed.log").open("wb") as log:
        process = subprocess.Popen(
            ["ansible-playbook", CONFIGURE, "-e", f"@{file}"], env=environment, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    deadline = time.monotonic() + 60
    while not reached():
        assert process.poll() is None, (folder / "killed.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    # Ansible gives its workers sessions of their own
    for pid in family(process.pid):
        os.kill(pid, signal.SIGKILL)
    process.wait()


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [pid, *(found for child in children for found in family(int(child)))]


WRAPPER = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: quayside.airgap.quay_configure
  tasks:
    - quayside.airgap.quay_info:
        quay_host: "{{ quay_configure_host }}"
        quay_token: "{{ quay_configure_access_token }}"
        gather: [user]
"""


def test_as_awx_does_it(play, quay, tmp_path):
    """Text from surveys; a token handed on in the play, then given back; purging spares what owns it; all superusers own everything."""
    server = quay()
    playbook = tmp_path / "wrapper.yml"
    playbook.write_text(WRAPPER)
    text = yaml.safe_dump({"organizations": [{"name": "prod"}]})
    variables = ours(server, password=PASSWORD, make_token="yes", admin_organization="awx", document=text, purge="organizations\n")

    play(variables, playbook=str(playbook)).succeeded()
    server.add_organization("stray", owner="quayadmin")
    server.add_user("deputy", superuser=True)
    file = tmp_path / "document.yml"
    file.write_text(text)
    owning = {"quay_configure_own_all_organizations": "yes", "quay_configure_superusers_own": "yes"}
    named = {**variables, "quay_configure_document": "", "quay_configure_document_file": str(file), **owning}
    done = play(named, "-vvv", playbook=str(playbook), environment=LOUD).succeeded()

    assert state(done) == {"organization stray": "deleted"}
    assert set(server.world.organizations) == {"awx", "prod"}
    assert done.by_host("quayside.airgap.quay_info")["localhost"]["user"]["name"] == "quayadmin"
    assert {secret for secret in secrets_of(server) if secret in done.output} == set()

    owners = {name: found.teams["owners"].members for name, found in server.world.organizations.items()}
    assert all({"quayadmin", "deputy"} <= set(members) for members in owners.values()), owners

    # in check mode, what is new can neither be owned nor exported yet
    given = ours(
        server,
        token=server.token("quayadmin"),
        document={"organizations": [{"name": "prod"}, {"name": "new"}]},
        owned_organizations="new",
        export_file=str(tmp_path / "new.json"),
        export_organizations=["new"],
    )
    foretold = play(given, "--check", playbook=CONFIGURE).succeeded()
    assert (state(foretold), foretold.changed) == ({"organization new": "created"}, 1)


def test_what_is_wrong_is_told_in_one_sentence(play, quay, tmp_path):
    """One host for each, as loud as Ansible can be: what is told is no secret."""
    server, other = quay(), quay(features={"USER_INITIALIZE": False})
    server.add_user("quayadmin", PASSWORD, superuser=True)
    stale = tmp_path / "stale.token"
    stale.write_text("this-one-does-not-work\n")
    broken = tmp_path / "broken.yml"
    broken.write_text("organizations: [\n")
    good = {"password": PASSWORD, "document": DOCUMENT}
    misspelled = {"organizations": [DOCUMENT["organizations"][1], {"name": "prod", "robots": [{"nam": "ci"}]}]}
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "no-login": (ours(server, document=DOCUMENT), "There is nothing to log in with."),
        "two-passwords": (
            ours(server, **good, password_file="/x"),
            "quay_configure_password or quay_configure_password_file, not both.",
        ),
        "two-tokens": (ours(server, token="x", token_file="/x"), "quay_configure_token or quay_configure_token_file, not both."),
        "two-documents": (
            ours(server, **good, document_file="/x"),
            "quay_configure_document or quay_configure_document_file, not both.",
        ),
        "no-document": (ours(server, password=PASSWORD, document="prod"), "the document: it must be a mapping of fields, not a text."),
        "purge-of-nothing": (ours(server, password=PASSWORD, purge="robots"), "quay_configure_purge does nothing without"),
        "owners-of-nothing": (ours(server, **good, superusers_own=True), "do nothing without quay_configure_owned_organizations"),
        "export-to-nowhere": (ours(server, password=PASSWORD, export_exclude="robots"), "do nothing without quay_configure_export_file."),
        "no-host": ({"quay_configure_password": PASSWORD}, "missing required arguments: quay_configure_host"),
        "misspelled-variable": (
            ours(server, **good, organisation="x"),
            "There is no variable quay_configure_organisation: check",
        ),
        "misspelled-key": (ours(server, password=PASSWORD, document=misspelled), "organizations[1].robots[0].nam: there is no such field"),
        "misspelled-purge": (ours(server, **good, purge=["robot"]), "value of purge must be one or more of"),
        "broken-file": (ours(server, password=PASSWORD, document_file=str(broken)), f"Could not read the document in {broken}: line 2"),
        "broken-text": (ours(server, password=PASSWORD, document="organizations: [\n"), "Could not use the document: line 2, column 1:"),
        "stale-token": (ours(server, token_file=str(stale), document=DOCUMENT), f"There is no token in {stale} that {server.url} takes."),
        "wrong-token": (ours(server, token="this-one-does-not-work", document=DOCUMENT), "the token was not accepted"),
        "no-folder": (ours(server, **good, token_file="/nowhere/token"), "Could not write /nowhere/token: its folder does not exist."),
        "wrong-password": (
            ours(server, password="this-one-is-wrong", document=DOCUMENT, make_token=True),
            "Could not log in as quayadmin: Invalid Username or Password. Check quay_username and quay_password.",
        ),
        "lost-password": (
            ours(server, password_file=str(tmp_path / "lost")),
            f"read the password in {tmp_path / 'lost'}: the user",
        ),
        "somebody-else": (ours(server, **good, username="somebody"), "Quay has users already, and this one is not among them"),
        "not-by-api": (ours(other, **good), "this Quay does not let that be done by API"),
    }
    hosts = {name: variables for name, (variables, _words) in cases.items()}
    run = play({"quay_configure_hosts": "all"}, "-vvv", "--forks", "4", playbook=CONFIGURE, hosts=hosts, environment=LOUD).failed()

    assert {name: words in run.messages.get(name, "") for name, (_variables, words) in cases.items()} == dict.fromkeys(cases, True), (
        run.messages
    )
    assert {secret for secret in [*secrets_of(server), "this-one"] if secret in run.output} == set()
    assert server.world.organizations == {}


# --- the variables


def specs() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    return found


def test_the_defaults_are_those_that_are_documented():
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    assert defaults == {name: spec.get("default") for name, spec in specs().items() if not spec.get("required")}


def test_secrets_are_marked_as_such():
    marked = {name for name, spec in specs().items() if spec.get("no_log")}
    assert marked == {"quay_configure_password", "quay_configure_token"}


def test_the_example_of_the_guide_does_what_it_shows(play, quay, tmp_path):
    text = (ROLE / "README.md").read_text(encoding="utf-8")
    (example,) = (block.partition("```")[0] for block in text.split("```yaml\n") if block.startswith("# vars.yml"))
    server = quay()
    variables = {
        **yaml.safe_load(example.replace("/etc/quay/", f"{tmp_path}/")),
        "quay_configure_host": server.url,
        "quay_configure_ca_path": "",
        "quay_configure_email": "admin@example.com",
    }
    done = play(variables, "--check", playbook=CONFIGURE).succeeded()
    assert {entry["name"] for entry in variables["quay_configure_document"]["organizations"]} <= {
        name.removeprefix("organization ") for name in state(done)
    }
