# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the role: what does not fit together is told, and none is left behind on the way to the modules."""

from __future__ import annotations

import ast

import pytest
import yaml

from ansible_collections.quayside.airgap.tests.integration.playbooks import PASSWORD, ROOT, sides

ROLE = ROOT / "roles/registry_sync"
OTHER = "quay-b.example.com"
# Options of image_mirror that the role image_set has, and this one has no use for
OF_IMAGE_SETS = {
    "image_set",
    "from",
    "workspace",
    "since",
    "strict_archive",
    "max_nested_paths",
    "lenient",
    "automatic_default_channel",
    "state",
    "delete_list",
    "plan_file",
}
GOOD = sides("quay-a.example.com/prod", [OTHER], images=["app:1"])


def without(*names: str) -> dict:
    return {name: value for name, value in GOOD.items() if name.removeprefix("registry_sync_") not in names}


def but(**more: object) -> dict:
    return {**GOOD, **{f"registry_sync_{name}": value for name, value in more.items()}}


CONTRADICTIONS = {
    "nothing-to-copy": (
        without("images"),
        "There is nothing to copy. Name images with registry_sync_images, or have them found with registry_sync_discover.",
    ),
    "nothing-but-blanks": (but(images="\n  \n"), "There is nothing to copy."),
    "discovery-nowhere": (
        {**without("source", "images"), "registry_sync_discover": {}},
        "registry_sync_discover needs registry_sync_source, the registry whose repositories are to be found.",
    ),
    "nowhere-to-copy-to": (without("destinations"), "registry_sync_destinations is empty, so that there is nowhere to copy to."),
    "failover-without-destination": (
        {**without("destinations"), "registry_sync_failover": True},
        "registry_sync_destinations is empty, so that there is nowhere to copy to.",
    ),
    "failover-to-nowhere": (
        {**without("source"), "registry_sync_failover": True},
        "registry_sync_failover needs registry_sync_source, the registry that will be written.",
    ),
    "failover-from-which": (
        but(failover="yes", destinations=f"{OTHER}\nquay-c.example.com"),
        f"set registry_sync_failover_from to one of {OTHER}, quay-c.example.com.",
    ),
    "failover-from-elsewhere": (but(failover=True, failover_from="quay-c.example.com"), f"to one of {OTHER}."),
    "failover-of-placed-images": (
        but(failover=True, images=[{"source": "app:1", "destination": "other/app"}]),
        "registry_sync_failover cannot swap images that have a destination of their own (app:1).",
    ),
    "failover-of-foreign-images": (
        but(failover=True, images=["app:1", "quay.io/team/tool:2", {"source": "docker://localhost/x"}]),
        "registry_sync_failover cannot swap images that do not lie under registry_sync_source (quay.io/team/tool:2, docker://localhost/x).",
    ),
    "half-a-login": (
        but(source_password=PASSWORD),
        "Only one of registry_sync_source_username and registry_sync_source_password is set; they need each other.",
    ),
    "half-a-login-there": (
        but(destination_username="bot"),
        "Only one of registry_sync_destination_username and registry_sync_destination_password is set; they need each other.",
    ),
    "warnings-of-nothing": (
        but(fail_on_broken=False),
        "registry_sync_fail_on_broken: false does nothing without registry_sync_skip_broken: true.",
    ),
    "two-ways-to-share": (
        but(shard_hosts=True, shard={"index": 0, "count": 2}),
        "Set registry_sync_shard_hosts or registry_sync_shard, not both.",
    ),
    "two-logins": (
        but(source_quay_token="x", source_quay_username="bot", source_quay_password=PASSWORD),
        "Set registry_sync_source_quay_token or registry_sync_source_quay_username, not both.",
    ),
    "half-a-login-for-the-api": (
        but(destination_quay_username="bot"),
        "Only one of registry_sync_destination_quay_username and registry_sync_destination_quay_password is set; they need each other.",
    ),
    "url-without-a-login": (
        but(source_quay_host="https://quay.example.com"),
        "registry_sync_source_quay_host does nothing without registry_sync_source_quay_token, or registry_sync_source_quay_username",
    ),
    "one-url-for-several": (
        but(destinations=[OTHER, "quay-c.example.com"], destination_quay_token="x", destination_quay_host=OTHER),
        "registry_sync_destination_quay_host is the URL of one API, but there are 2 destinations.",
    ),
    "create-without-discovery": (
        but(create=True, source_quay_token="x", destination_quay_token="y"),
        "registry_sync_create needs registry_sync_discover, and logins for the APIs of both sides",
    ),
    "carry-what": (
        but(carry="stars", create=True, discover={}, source_quay_token="x", destination_quay_token="y"),
        "registry_sync_carry knows visibility and description only, not stars.",
    ),
    "carry-without-create": (but(carry=["visibility"]), "registry_sync_carry does nothing without registry_sync_create: true."),
    "users-without-the-api": (
        but(discover={"user_namespaces": True}),
        "registry_sync_discover.user_namespaces does nothing without a login for the API of the Quay that is read (registry_sync_source_",
    ),
    "standby-for-nothing": (
        {**without("source"), "registry_sync_images": ["quay.io/app:1"], "registry_sync_standby_sources": OTHER},
        "registry_sync_standby_sources stand by for registry_sync_source, which is not set.",
    ),
    "standby-unseen": (but(standby_sources=[OTHER], preflight=False), "registry_sync_standby_sources needs registry_sync_preflight"),
    "standby-and-failover": (
        but(standby_sources=["quay-c.example.com"], failover=True),
        "registry_sync_standby_sources cannot be used together with registry_sync_failover",
    ),
    "one-url-for-standbys": (
        but(standby_sources=["quay-c.example.com"], source_quay_token="x", source_quay_host="quay-a.example.com"),
        "registry_sync_source_quay_host is the URL of one API, but registry_sync_standby_sources names further sources.",
    ),
    "misspelled-name": (
        but(skip_brokn=True, destination="x"),
        "There is no variable registry_sync_destination, registry_sync_skip_brokn: check its spelling",
    ),
    # what Ansible itself finds, by the role's argument specs
    "misspelled-value": (but(signatures="copie"), "value of registry_sync_signatures must be one of: copy, require, skip, got: copie"),
    "no-number": (but(parallel="many"), "argument 'registry_sync_parallel' is of type"),
    "misspelled-key": (but(discover={"includes": "*"}), "Supported parameters include: exclude, include"),
    # what only the modules know
    "too-many": (but(parallel=100), "Could not use parallel: 100 is not between 1 and 64."),
    "no-such-part": (but(shard={"index": 2, "count": 2}, preflight=False), "index 2 of 2 does not exist"),
}


@pytest.mark.matrix
def test_what_does_not_fit_together_is_told_in_one_sentence(play):
    """One host for each, and as loud as Ansible can be: the one password among the variables is not shown."""
    run = play({}, "-vvv", hosts={name: variables for name, (variables, _words) in CONTRADICTIONS.items()}).failed()

    assert {name: words in run.messages[name] for name, (_variables, words) in CONTRADICTIONS.items()} == dict.fromkeys(
        CONTRADICTIONS, True
    ), run.messages
    assert PASSWORD not in run.output


def module_options(name: str) -> dict:
    tree = ast.parse((ROOT / f"plugins/modules/{name}.py").read_text(encoding="utf-8"))
    (text,) = [
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION" and isinstance(node.value, ast.Constant)
    ]
    fragment = ast.parse((ROOT / "plugins/doc_fragments/registries.py").read_text(encoding="utf-8"))
    shared = [
        node.value.value
        for found in ast.walk(fragment)
        if isinstance(found, ast.ClassDef)
        for node in found.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    ]
    options: dict = {}
    for part in [*shared, text]:
        options.update(yaml.safe_load(part)["options"])
    return options


def test_the_role_has_a_variable_for_every_option_of_the_module():
    specs = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    options = module_options("image_mirror")
    own = {"preflight", "failover", "failover_from", "shard_hosts", "standby_sources", "create", "carry"}
    own |= {f"{side}_quay_{name}" for side in ("source", "destination") for name in ("host", "token", "username", "password")}
    # while the role runs, the progress is shown; nobody has to say where
    elsewhere = {"progress_file", "destination", *OF_IMAGE_SETS}
    expected = options.keys() - elsewhere | {"destinations"} | own

    assert {name.removeprefix("registry_sync_") for name in specs} == expected
    for name in options.keys() - OF_IMAGE_SETS:
        option, spec = options[name], specs.get(f"registry_sync_{name}", {})
        if option["type"] in ("bool", "int"):
            assert (spec["type"], spec["default"]) == (option["type"], option["default"]), name
        assert spec.get("choices") == option.get("choices"), name


def test_the_defaults_are_those_that_are_documented():
    specs = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    assert defaults == {name: spec.get("default") for name, spec in specs.items()}


def test_secrets_are_marked_as_such():
    specs = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    secrets = [name for name in specs if name.endswith(("_password", "_token"))]
    assert [name for name, spec in specs.items() if spec.get("no_log")] == secrets
