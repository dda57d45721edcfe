# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house rules: which floor may stand on which, and what every module and role must bring along."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "ansible_collections.quayside.airgap"
UTILS = "plugins/module_utils"

# A room of plugins/module_utils, and the rooms that it may import besides itself. A new room needs a line here.
FLOORS = {
    "core": set(),
    "registry": {"core"},
    "quay": {"core", "registry"},
    "certification": {"core", "registry"},
    "cluster": {"core", "registry"},
    "operators": {"core", "registry"},
    "updates": {"core", "registry"},
    "imageset": {"core", "registry", "updates", "operators"},
}
# Stands on all rooms and is the only one that knows Ansible; only modules and action plugins import it.
FACE = "module"

# What the other kinds of plugins may import of the collection. Modules run on any host, and only module_utils travel along;
# the others run beside Ansible.
FACES = {
    "modules": ["module_utils"],
    "action": ["module_utils", "plugin_utils"],
    "test": ["module_utils", "plugin_utils"],
    "plugin_utils": ["module_utils", "plugin_utils"],
}


# --- what a file imports


def imports(path: Path, root: Path) -> Iterator[str]:
    """The dotted names that a file imports, wherever in the file, relative ones resolved."""
    package = [*COLLECTION.split("."), *path.relative_to(root).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def part_of_collection(name: str) -> str | None:
    """ "plugins.module_utils.core.http" of its full name; None when it is not the collection's."""
    return name[len(COLLECTION) + 1 :] if inside(name, COLLECTION) else None


def room_of(part: str) -> str:
    """ "core" of "plugins.module_utils.core.http.Session"; empty when it is none of module_utils."""
    names = part.split(".")
    return names[2] if names[:2] == ["plugins", "module_utils"] and len(names) > 2 else ""


# --- the rules


def python_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def floor_violations(root: Path) -> Iterator[str]:
    utils = root / UTILS
    for path in python_files(utils):
        where = path.relative_to(root)
        room = path.relative_to(utils).parts[0].removesuffix(".py")
        if room == "__init__":
            allowed: set[str] = set()
        elif room == FACE:
            allowed = {*FLOORS, FACE}
        elif room in FLOORS:
            allowed = {*FLOORS[room], room}
        else:
            yield f"{where}: the room {room} has no floor"
            continue
        for name in imports(path, root):
            if inside(name, "ansible") and room != FACE:
                yield f"{where}: only {FACE} may import Ansible, not {name}"
            part = part_of_collection(name)
            if part is not None and room_of(part) not in allowed:
                yield f"{where}: {room} may not import {part}"


def face_violations(root: Path) -> Iterator[str]:
    for kind, allowed in FACES.items():
        for path in python_files(root / "plugins" / kind):
            where = path.relative_to(root)
            for name in imports(path, root):
                part = part_of_collection(name)
                if part is not None and not any(inside(part, f"plugins.{package}") for package in allowed):
                    yield f"{where}: {kind} may import only {', '.join(allowed)} of the collection, not {part}"
                if kind == "modules" and inside(name, "ansible") and not inside(name, "ansible.module_utils"):
                    yield f"{where}: a module may import nothing of Ansible but module_utils, not {name}"


def module_violations(root: Path) -> Iterator[str]:
    names = {path.stem for path in (root / "plugins/modules").glob("*.py")} - {"__init__"}
    groups = yaml.safe_load((root / "meta/runtime.yml").read_text(encoding="utf-8")).get("action_groups") or {}
    grouped = {entry for group in groups.values() for entry in group if isinstance(entry, str)}
    for name in sorted(names - grouped):
        yield f"meta/runtime.yml: the module {name} is in no action group"
    if names:
        for name in sorted(grouped - names):
            yield f"meta/runtime.yml: an action group names {name}, which does not exist"
    for name in sorted(names):
        path = root / f"plugins/modules/{name}.py"
        texts = constants(path)
        for section in ("DOCUMENTATION", "EXAMPLES", "RETURN"):
            if not yaml.safe_load(texts.get(section, "")):
                yield f"{path.relative_to(root)}: {section} is missing"


def constants(path: Path) -> dict[str, str]:
    """The texts that a file assigns at its top level."""
    return {
        target.id: node.value.value
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def role_violations(root: Path) -> Iterator[str]:
    for role in sorted(path for path in (root / "roles").glob("*") if path.is_dir()):
        where = role.relative_to(root)
        for needed in ("README.md", "defaults/main.yml", "meta/argument_specs.yml"):
            if not (role / needed).is_file():
                yield f"{where}: {needed} is missing"
        if not (root / "extensions/molecule" / role.name / "molecule.yml").is_file():
            yield f"{where}: there is no molecule scenario of its name"
        specs = role / "meta/argument_specs.yml"
        if specs.is_file() and "main" not in (yaml.safe_load(specs.read_text()) or {}).get("argument_specs", {}):
            yield f"{where}: meta/argument_specs.yml says nothing about the entry point main"
        for path in sorted(role.glob("tasks/**/*.yml")) + sorted(role.glob("handlers/**/*.yml")):
            for module in task_modules(yaml.safe_load(path.read_text()) or []):
                if not module.startswith(("quayside.airgap.", "ansible.builtin.")):
                    yield f"{path.relative_to(root)}: {module} is neither ours nor of ansible.builtin"


def task_modules(tasks: list[dict]) -> Iterator[str]:
    """The modules of a list of tasks. Of a task's keywords only the module has a dot in its name."""
    for task in tasks:
        yield from (key for key in task if "." in key)
        for section in ("block", "rescue", "always"):
            yield from task_modules(task.get(section, []))


def playbook_violations(root: Path) -> Iterator[str]:
    for path in sorted((root / "playbooks").glob("*.yml")):
        for play in yaml.safe_load(path.read_text()) or []:
            for section in ("tasks", "pre_tasks", "post_tasks", "handlers"):
                if section in play:
                    yield f"{path.relative_to(root)}: a playbook has only roles, no {section}"


def header_violations(root: Path) -> Iterator[str]:
    for path in python_files(root / "plugins") + python_files(root / "tests"):
        text = path.read_text(encoding="utf-8")
        if text.strip() and "# SPDX-License-Identifier: GPL-3.0-or-later\n" not in text[:500]:
            yield f"{path.relative_to(root)}: the license header is missing"


def sanity_violations(root: Path) -> Iterator[str]:
    for path in sorted((root / "tests/sanity").glob("ignore*")):
        yield f"{path.relative_to(root)}: nothing is ignored here"


RULES = [
    floor_violations,
    face_violations,
    module_violations,
    role_violations,
    playbook_violations,
    header_violations,
    sanity_violations,
]


@pytest.mark.parametrize("rule", RULES)
def test_the_collection_keeps(rule):
    assert list(rule(ROOT)) == []


# --- that the rules see what they should

HEADER = "# SPDX-License-Identifier: GPL-3.0-or-later\n"
IMPORT = f"{HEADER}from {COLLECTION}.plugins.module_utils"
RUNTIME = "action_groups: {mirror: [one]}"
MODULE = f"{HEADER}DOCUMENTATION = EXAMPLES = RETURN = 'a: b'\n"


@pytest.mark.parametrize(
    ("rule", "path", "text", "complaint"),
    [
        (floor_violations, f"{UTILS}/core/a.py", f"{IMPORT}.registry import b", "core may not import"),
        (floor_violations, f"{UTILS}/core/a.py", f"{IMPORT} import registry", "core may not import"),
        (floor_violations, f"{UTILS}/core/a.py", "from ..registry import b", "core may not import"),
        (floor_violations, f"{UTILS}/core/a.py", "from .. import module", "core may not import"),
        (floor_violations, f"{UTILS}/core/a.py", "def f():\n    from ..registry.b import c", "core may not import"),
        (floor_violations, f"{UTILS}/core/a.py", f"import {COLLECTION}.plugins.modules.b", "core may not import"),
        (floor_violations, f"{UTILS}/registry/a.py", "from ..quay import b", "registry may not import"),
        (floor_violations, f"{UTILS}/quay/a.py", "from ..cluster import b", "quay may not import"),
        (floor_violations, f"{UTILS}/updates/a.py", "from ..imageset import b", "updates may not import"),
        (floor_violations, f"{UTILS}/imageset/a/b.py", "from ...quay import b", "imageset may not import"),
        (floor_violations, f"{UTILS}/attic/a.py", "", "attic has no floor"),
        (floor_violations, f"{UTILS}/quay/a.py", "from ansible.module_utils.basic import AnsibleModule", "only module"),
        (face_violations, "plugins/modules/a.py", f"from {COLLECTION}.plugins.plugin_utils import b", "may import only module_utils of"),
        (face_violations, "plugins/modules/a.py", "from . import b", "may import only module_utils of"),
        (face_violations, "plugins/modules/a.py", "from ansible.utils import b", "nothing of Ansible but module_utils"),
        (face_violations, "plugins/action/a.py", "from ..modules import b", "may import only"),
        (face_violations, "plugins/plugin_utils/a.py", "from ..action import b", "may import only"),
        (module_violations, "plugins/modules/two.py", MODULE, "two is in no action group"),
        (module_violations, "plugins/modules/two.py", MODULE, "names one, which does not exist"),
        (module_violations, "plugins/modules/one.py", MODULE.replace("= EXAMPLES ", ""), "EXAMPLES is missing"),
        (module_violations, "plugins/modules/one.py", "RETURN = '#'", "RETURN is missing"),
        (role_violations, "roles/a/tasks/main.yml", "", "README.md is missing"),
        (role_violations, "roles/a/tasks/main.yml", "", "meta/argument_specs.yml is missing"),
        (role_violations, "roles/a/tasks/main.yml", "", "no molecule scenario"),
        (role_violations, "roles/a/meta/argument_specs.yml", "argument_specs: {other: {}}", "entry point main"),
        (role_violations, "roles/a/tasks/b.yml", "[{block: [{always: [{a.b.c: {}}]}]}]", "a.b.c is neither ours"),
        (playbook_violations, "playbooks/a.yml", "[{hosts: all, tasks: []}]", "no tasks"),
        (header_violations, "tests/unit/a.py", "import a", "license header"),
        (sanity_violations, "tests/sanity/ignore-2.16.txt", "", "nothing is ignored"),
    ],
)
def test_a_rule_sees(tmp_path, rule, path, text, complaint):
    for name, content in (("meta/runtime.yml", RUNTIME), (path, text)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(content)
    assert any(complaint in line for line in rule(tmp_path))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{UTILS}/core/a.py", f"{HEADER}import json\nfrom . import b\nfrom .c import d"),
        (f"{UTILS}/registry/a.py", f"{IMPORT}.core.http import b"),
        (
            f"{UTILS}/imageset/a/b.py",
            f"{HEADER}from ...updates import b\nfrom ...operators.c import d",
        ),
        (f"{UTILS}/module.py", f"{IMPORT}.quay import b\nfrom ansible.module_utils.basic import AnsibleModule"),
        ("plugins/modules/one.py", f"{MODULE}from {COLLECTION}.plugins.module_utils import module"),
        ("plugins/plugin_utils/a.py", f"{IMPORT}.core import progress"),
        ("plugins/action/one.py", f"{IMPORT}.core import progress\nfrom ansible.plugins.action import ActionBase"),
    ],
)
def test_the_rules_let_pass(tmp_path, path, text):
    for name, content in (("meta/runtime.yml", RUNTIME), (path, text)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(content)
    assert [line for rule in RULES for line in rule(tmp_path)] == []


def test_the_rules_reach_the_real_files():
    """A rule that looks into the wrong folder would find nothing wrong."""
    found = python_files(ROOT / UTILS)
    assert ROOT / UTILS / "core/errors.py" in found
    assert any(part_of_collection(name) for path in found for name in imports(path, ROOT))
